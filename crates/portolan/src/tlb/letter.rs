//! What travels between processors: the right to read a request, and the answers to it.

#[cfg(verus_only)]
use super::bits::{WORDS, bit, cpu_at};
use super::cpus::CpuSet;
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::flush::FlushRange;
use crate::hw::processor::{Moment, Quiet};
use vstd::cell::CellId;
use vstd::cell::pcell_maybe_uninit::PointsTo;
use vstd::prelude::*;
use vstd::resource::Loc;
use vstd::resource::frac_opt::Frac;
use vstd::resource::ghost_var::{GhostVar, GhostVarAuth};

verus! {

/// Which slot: the room for its request, the shares of the right to it, and what its words say of it.
pub(crate) ghost struct SlotId {
    pub cell: CellId,
    pub letter: Loc,
    pub rounds: Map<int, Loc>,
    pub opens: Map<int, Loc>,
    pub turn: Loc,
    pub keys: Loc,
}

/// What is to be invalidated: a range of the table at a root.
pub(crate) struct Order<A: PagingMode> {
    pub root: PhysAddr,
    pub range: FlushRange<A>,
}

impl<A: PagingMode> Clone for Order<A> {
    #[inline]
    fn clone(&self) -> (r: Self)
        ensures
            r == *self,
    {
        *self
    }
}

impl<A: PagingMode> Copy for Order<A> {

}

/// One request: what is to be invalidated, after which moment, and who is asked.
#[verifier::reject_recursive_types(A)]
pub(crate) ghost struct Round<A: PagingMode> {
    pub since: Moment,
    pub order: Order<A>,
    pub targets: CpuSet,
}

/// A request of a slot: the right to its room, its moment, and for each word of `waiting` one half of what the word
/// belongs to, so that whoever may read the letter knows that the words are for it.
#[verifier::reject_recursive_types(A)]
pub(crate) tracked struct Letter<A: PagingMode> {
    pub cell: PointsTo<Order<A>>,
    pub since: Moment,
    pub rounds: Map<int, GhostVar<Round<A>>>,
}

/// Shares of letters, by processors.
pub(crate) type Shares<A> = Map<nat, Frac<Letter<A>>>;

/// `n` shares of a letter: there is one for each of [`MAX_CPUS`] processors.
pub(crate) open spec fn parts(n: nat) -> real {
    n as real / 256int as real
}

impl<A: PagingMode> Letter<A> {
    /// Whether it belongs to the slot.
    pub(crate) open spec fn is_of(self, slot: SlotId) -> bool {
        &&& self.cell.id() == slot.cell
        &&& forall|w: int|
            0 <= w < WORDS ==> #[trigger] self.rounds.contains_key(w) && self.rounds[w].id()
                == slot.rounds[w]
    }

    /// Which request it is, if it is written.
    pub(crate) open spec fn round(self) -> Round<A> {
        self.rounds[0]@
    }

    /// Whether it is written: room and words are those of the request.
    pub(crate) open spec fn is_written(self) -> bool {
        &&& self.cell.is_init()
        &&& self.cell.value() == self.round().order
        &&& self.since == self.round().since
        &&& forall|w: int| 0 <= w < WORDS ==> (#[trigger] self.rounds[w])@ == self.round()
    }
}

/// Whether `share` is one processor's share of a letter of the slot that is written.
pub(crate) open spec fn is_share<A: PagingMode>(share: Frac<Letter<A>>, slot: SlotId) -> bool {
    &&& share.id() == slot.letter
    &&& share.frac() == parts(1)
    &&& share.resource().is_of(slot)
    &&& share.resource().is_written()
}

/// A share of a letter for each processor below `n`.
pub(crate) proof fn split<A: PagingMode>(tracked whole: Frac<Letter<A>>, n: nat) -> (tracked r:
    Shares<A>)
    requires
        1 <= n,
        whole.frac() == parts(n),
    ensures
        forall|c: nat|
            c < n ==> #[trigger] r.contains_key(c) && r[c].id() == whole.id() && r[c].frac()
                == parts(1) && r[c].resource() == whole.resource(),
    decreases n,
{
    if n == 1 {
        let tracked mut r = Map::tracked_empty();
        r.tracked_insert(0, whole);
        r
    } else {
        let tracked mut whole = whole;
        let tracked one = whole.split_to(parts(1));
        let tracked mut r = split(whole, (n - 1) as nat);
        r.tracked_insert((n - 1) as nat, one);
        r
    }
}

/// The shares of all processors below `n`, put together.
pub(crate) proof fn gather<A: PagingMode>(
    slot: SlotId,
    tracked shares: &mut Shares<A>,
    n: nat,
) -> (tracked r: Frac<Letter<A>>)
    requires
        1 <= n,
        forall|c: nat|
            c < n ==> #[trigger] old(shares).contains_key(c) && is_share(old(shares)[c], slot),
    ensures
        r.id() == slot.letter,
        r.frac() == parts(n),
        r.resource().is_of(slot),
    decreases n,
{
    assert(shares.contains_key((n - 1) as nat));
    let tracked one = shares.tracked_remove((n - 1) as nat);
    if n == 1 {
        one
    } else {
        let tracked mut r = gather(slot, shares, (n - 1) as nat);
        r.combine(one);
        r
    }
}

/// One processor's answer: its share of the letter, and that it was quiet.
#[verifier::reject_recursive_types(A)]
pub(crate) tracked struct Reply<A: PagingMode> {
    pub share: Frac<Letter<A>>,
    pub quiet: Quiet<A>,
}

impl<A: PagingMode> Reply<A> {
    /// Whether it is the answer of `cpu`.
    pub(crate) open spec fn answers(self, slot: SlotId, cpu: nat, round: Round<A>) -> bool {
        &&& is_share(self.share, slot)
        &&& self.share.resource().round() == round
        &&& self.quiet.cpu() == cpu
        &&& self.quiet.since() == round.since
        &&& self.quiet.root() == round.order.root
        &&& self.quiet.range() == round.order.range
    }
}

/// Which word of a slot.
pub(crate) ghost struct WaitId {
    pub slot: SlotId,
    pub w: int,
}

/// What a word of `waiting` keeps: which request it belongs to, whether the answers are still there, and the answers.
#[verifier::reject_recursive_types(A)]
pub(crate) tracked struct Waits<A: PagingMode> {
    pub round: GhostVarAuth<Round<A>>,
    pub open: GhostVarAuth<bool>,
    pub replies: Map<nat, Reply<A>>,
}

impl<A: PagingMode> Waits<A> {
    /// Whether `cpu` has answered.
    pub(crate) open spec fn has_reply(self, slot: SlotId, cpu: nat) -> bool {
        self.replies.contains_key(cpu) && self.replies[cpu].answers(slot, cpu, self.round@)
    }

    /// A word that belongs to no request.
    pub(crate) proof fn fresh() -> (tracked r: (Self, GhostVar<Round<A>>, GhostVar<bool>))
        ensures
            r.0.round.id() == r.1.id(),
            r.0.open.id() == r.2.id(),
            !r.0.open@,
            !r.2@,
    {
        let tracked (round, half) = GhostVarAuth::new(arbitrary());
        let tracked (open, key) = GhostVarAuth::new(false);
        (Waits { round, open, replies: Map::tracked_empty() }, half, key)
    }
}

impl WaitId {
    /// The invariant of a word of `waiting`: of those who were asked, each whose bit is clear has answered.
    pub(crate) open spec fn keeps<A: PagingMode>(self, word: u64, waits: Waits<A>) -> bool {
        &&& waits.round.id() == self.slot.rounds[self.w]
        &&& waits.open.id() == self.slot.opens[self.w]
        &&& waits.open@ ==> forall|i: u64|
            i < 64 && waits.round@.targets.holds(cpu_at(self.w, i)) && !#[trigger] bit(word, i)
                ==> waits.has_reply(self.slot, cpu_at(self.w, i))
    }
}

/// Which word of `asked`, and all slots.
pub(crate) ghost struct AskId {
    pub slots: Seq<SlotId>,
    pub w: int,
}

impl AskId {
    /// There is a share of the letter of `cpu`.
    pub(crate) open spec fn has_share<A: PagingMode>(self, shares: Shares<A>, cpu: nat) -> bool {
        &&& cpu < self.slots.len()
        &&& shares.contains_key(cpu)
        &&& is_share(shares[cpu], self.slots[cpu as int])
    }

    /// The invariant of a word of `asked`: for each bit that is set there is a share of the letter of the processor that
    /// asks.
    pub(crate) open spec fn keeps<A: PagingMode>(self, word: u64, shares: Shares<A>) -> bool {
        forall|i: u64|
            i < 64 && #[trigger] bit(word, i) ==> self.has_share(shares, cpu_at(self.w, i))
    }
}

} // verus!
