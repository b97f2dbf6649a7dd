//! The account of a request: what the processor that asks has and knows of it.

#[cfg(verus_only)]
use super::bits::{WORDS, cpu_at};
use super::letter::{Letter, Round, Shares, SlotId};
#[cfg(verus_only)]
use super::letter::{Order, Reply, gather, is_share, parts};
use crate::arch::PagingMode;
#[cfg(verus_only)]
use crate::hw::MAX_CPUS;
#[cfg(verus_only)]
use crate::hw::memory::Flushed;
#[cfg(verus_only)]
use crate::hw::processor::flushed_everywhere;
use crate::hw::processor::{Moment, Quiet};
#[cfg(verus_only)]
use vstd::cell::pcell_maybe_uninit::PointsTo;
use vstd::prelude::*;
use vstd::resource::frac_opt::Frac;
use vstd::resource::ghost_var::GhostVar;

verus! {

/// The right to make requests of a slot: the whole letter, and the right to take the answers.
#[verifier::reject_recursive_types(A)]
pub(crate) tracked struct Pen<A: PagingMode> {
    pub letter: Frac<Letter<A>>,
    pub opens: Map<int, GhostVar<bool>>,
}

/// The right to take the answers from each word.
pub(crate) open spec fn are_opens(opens: Map<int, GhostVar<bool>>, slot: SlotId) -> bool {
    forall|w: int|
        0 <= w < WORDS ==> #[trigger] opens.contains_key(w) && opens[w].id() == slot.opens[w]
}

/// The same, and from word `w` on the answers are still there.
pub(crate) open spec fn are_open(opens: Map<int, GhostVar<bool>>, slot: SlotId, w: int) -> bool {
    &&& are_opens(opens, slot)
    &&& forall|v: int| w <= v < WORDS ==> (#[trigger] opens[v])@
}

impl<A: PagingMode> Pen<A> {
    /// A new letter, and the right to take the answers, from what belongs to each word.
    pub(crate) proof fn parts(
        tracked cell: PointsTo<Order<A>>,
        tracked h0: GhostVar<Round<A>>,
        tracked h1: GhostVar<Round<A>>,
        tracked h2: GhostVar<Round<A>>,
        tracked h3: GhostVar<Round<A>>,
        tracked k0: GhostVar<bool>,
        tracked k1: GhostVar<bool>,
        tracked k2: GhostVar<bool>,
        tracked k3: GhostVar<bool>,
    ) -> (tracked r: (Frac<Letter<A>>, Map<int, GhostVar<bool>>))
        ensures
            r.0.frac() == parts(MAX_CPUS as nat),
            r.0.resource().cell == cell,
            r.0.resource().rounds == map![0int => h0, 1int => h1, 2int => h2, 3int => h3],
            r.1 == map![0int => k0, 1int => k1, 2int => k2, 3int => k3],
    {
        let tracked mut rounds = Map::tracked_empty();
        rounds.tracked_insert(0, h0);
        rounds.tracked_insert(1, h1);
        rounds.tracked_insert(2, h2);
        rounds.tracked_insert(3, h3);
        let tracked mut opens = Map::tracked_empty();
        opens.tracked_insert(0, k0);
        opens.tracked_insert(1, k1);
        opens.tracked_insert(2, k2);
        opens.tracked_insert(3, k3);
        (Frac::new(Letter { cell, since: Moment::now(), rounds }), opens)
    }

    /// Whether it is the slot's.
    pub(crate) open spec fn is_of(self, slot: SlotId) -> bool {
        &&& self.letter.id() == slot.letter
        &&& self.letter.frac() == parts(MAX_CPUS as nat)
        &&& self.letter.resource().is_of(slot)
        &&& are_opens(self.opens, slot)
    }
}

/// A request on its way: of which slot and processor, and what it says.
#[verifier::reject_recursive_types(A)]
pub(crate) ghost struct Request<A: PagingMode> {
    pub slot: SlotId,
    pub cpu: nat,
    pub round: Round<A>,
}

/// What the processor that asks has of its request: the shares of its letter that are not with others, what it knows of
/// who was quiet, and the right to take the answers.
#[verifier::reject_recursive_types(A)]
pub(crate) tracked struct Account<A: PagingMode> {
    pub of: Ghost<Request<A>>,
    pub since: Moment,
    pub shares: Shares<A>,
    pub quiets: Map<nat, Quiet<A>>,
    pub opens: Map<int, GhostVar<bool>>,
}

impl<A: PagingMode> Account<A> {
    /// The share of `cpu` of the letter is here.
    pub(crate) open spec fn has_share(self, cpu: nat) -> bool {
        &&& self.shares.contains_key(cpu)
        &&& is_share(self.shares[cpu], self.of@.slot)
        &&& self.shares[cpu].resource().round() == self.of@.round
    }

    /// That `cpu` was quiet is known.
    pub(crate) open spec fn is_quiet(self, cpu: nat) -> bool {
        &&& self.quiets.contains_key(cpu)
        &&& self.quiets[cpu].says(
            cpu,
            self.since,
            self.of@.round.order.root,
            self.of@.round.order.range,
        )
    }

    /// Nothing has to be waited for of `cpu`.
    pub(crate) open spec fn is_settled(self, cpu: nat) -> bool {
        self.has_share(cpu) && self.is_quiet(cpu)
    }

    /// The account is of the request, and has the share of the processor that asks, so that it knows which one the words
    /// belong to.
    pub(crate) open spec fn inv(self) -> bool {
        &&& self.since == self.of@.round.since
        &&& self.of@.cpu < MAX_CPUS
        &&& !self.of@.round.targets.holds(self.of@.cpu)
        &&& self.has_share(self.of@.cpu)
    }

    /// Whoever was not asked is settled, and so is whoever was if its word is before `w`, whose answers were taken.
    pub(crate) open spec fn is_settled_before(self, w: int) -> bool {
        &&& self.inv()
        &&& are_open(self.opens, self.of@.slot, w)
        &&& forall|c: nat|
            c < MAX_CPUS && (c < 64 * w || !self.of@.round.targets.holds(c))
                ==> #[trigger] self.is_settled(c)
    }

    /// Takes out the share of `cpu`.
    pub(crate) proof fn give(tracked &mut self, cpu: nat) -> (tracked r: Frac<Letter<A>>)
        requires
            old(self).has_share(cpu),
        ensures
            is_share(r, old(self).of@.slot),
            *final(self) == (Account { shares: old(self).shares.remove(cpu), ..*old(self) }),
            forall|c: nat|
                c != cpu && old(self).has_share(c) ==> #[trigger] (*final(self)).has_share(c),
    {
        self.shares.tracked_remove(cpu)
    }

    /// Enters the answers of word `w`, from bit `n` on.
    pub(crate) proof fn enter(
        tracked &mut self,
        w: int,
        n: u64,
        tracked replies: &mut Map<nat, Reply<A>>,
    )
        requires
            0 <= w < WORDS,
            n <= 64,
            old(self).since == old(self).of@.round.since,
            forall|i: u64|
                n <= i < 64 && old(self).of@.round.targets.holds(#[trigger] cpu_at(w, i)) ==> old(
                    replies,
                ).contains_key(cpu_at(w, i)) && old(replies)[cpu_at(w, i)].answers(
                    old(self).of@.slot,
                    cpu_at(w, i),
                    old(self).of@.round,
                ),
        ensures
            final(self).of == old(self).of,
            final(self).since == old(self).since,
            final(self).opens == old(self).opens,
            forall|c: nat|
                cpu_at(w, n) <= c < 64 * w + 64 && old(self).of@.round.targets.holds(c)
                    ==> #[trigger] (*final(self)).is_settled(c),
            forall|c: nat|
                !(cpu_at(w, n) <= c < 64 * w + 64 && old(self).of@.round.targets.holds(c)) ==> {
                    &&& #[trigger] (*final(self)).is_settled(c) == old(self).is_settled(c)
                    &&& (*final(self)).has_share(c) == old(self).has_share(c)
                },
        decreases 64 - n,
    {
        if n < 64 {
            let ghost before = *self;
            let cpu = cpu_at(w, n);
            if self.of@.round.targets.holds(cpu) {
                let tracked Reply { share, quiet } = replies.tracked_remove(cpu);
                self.shares.tracked_insert(cpu, share);
                self.quiets.tracked_insert(cpu, quiet);
                assert(self.is_settled(cpu));
            }
            let ghost middle = *self;
            assert forall|c: nat| c != cpu implies #[trigger] middle.is_settled(c)
                == before.is_settled(c) && middle.has_share(c) == before.has_share(c) by {}
            self.enter(w, (n + 1) as u64, replies);
            assert(middle.is_settled(cpu) == self.is_settled(cpu));
        }
    }

    /// Once the answers of word `w` are entered, whoever was asked by it is settled.
    pub(crate) proof fn lemma_settled(self, after: Self, w: int)
        requires
            0 <= w < WORDS,
            self.is_settled_before(w),
            after.of == self.of,
            after.since == self.since,
            are_open(after.opens, self.of@.slot, w + 1),
            forall|c: nat|
                64 * w <= c < 64 * w + 64 && self.of@.round.targets.holds(c)
                    ==> #[trigger] after.is_settled(c),
            forall|c: nat|
                !(64 * w <= c < 64 * w + 64 && self.of@.round.targets.holds(c)) ==> {
                    &&& #[trigger] after.is_settled(c) == self.is_settled(c)
                },
        ensures
            after.is_settled_before(w + 1),
    {
        assert(self.is_settled(self.of@.cpu));
        assert(after.is_settled(self.of@.cpu));
    }

    /// All have answered: that they were quiet is known, and the slot's right to make requests is whole again.
    pub(crate) proof fn close(tracked self) -> (tracked r: (Evidence<A>, Pen<A>))
        requires
            self.is_settled_before(WORDS as int),
        ensures
            r.0.is_of(self.of@),
            r.1.is_of(self.of@.slot),
    {
        let of = self.of@;
        assert forall|c: nat| c < MAX_CPUS implies #[trigger] self.quiets.contains_key(c)
            && self.quiets[c].says(c, self.since, of.round.order.root, of.round.order.range) by {
            assert(self.is_settled(c));
        }
        assert forall|c: nat| c < MAX_CPUS implies #[trigger] self.shares.contains_key(c)
            && is_share(self.shares[c], of.slot) by {
            assert(self.is_settled(c));
        }
        let tracked Account { of: _, since, mut shares, quiets, opens } = self;
        let tracked letter = gather(of.slot, &mut shares, MAX_CPUS as nat);
        (Evidence { since, quiets }, Pen { letter, opens })
    }
}

/// That every processor was quiet.
#[verifier::reject_recursive_types(A)]
pub(crate) tracked struct Evidence<A: PagingMode> {
    pub since: Moment,
    pub quiets: Map<nat, Quiet<A>>,
}

impl<A: PagingMode> Evidence<A> {
    /// Whether it is for what was asked.
    pub(crate) open spec fn is_of(self, of: Request<A>) -> bool {
        &&& self.since == of.round.since
        &&& forall|c: nat|
            c < MAX_CPUS ==> #[trigger] self.quiets.contains_key(c) && self.quiets[c].says(
                c,
                self.since,
                of.round.order.root,
                of.round.order.range,
            )
    }

    /// What was asked is flushed.
    pub(crate) proof fn flushed(tracked &self, of: Request<A>) -> (tracked r: Flushed<A>)
        requires
            self.is_of(of),
        ensures
            r.range() == of.round.order.range,
            r.since() == of.round.since.time(),
    {
        flushed_everywhere(&self.since, &self.quiets, of.round.order.root, of.round.order.range)
    }
}

} // verus!
