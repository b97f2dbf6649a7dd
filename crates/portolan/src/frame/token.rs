//! Who holds what of a frame: the shares that references have, and the whole.

use crate::addr::PhysAddr;
#[cfg(verus_only)]
use crate::hw::frame::MetaKind;
use crate::hw::frame::{FrameMemory, MetaPerm};
use vstd::prelude::*;
use vstd::resource::Loc;
use vstd::resource::frac_opt::Frac;

#[cfg(verus_only)]
use super::slot::{BUSY, FREE, MAX_COUNT, RESERVED, UNIQUE, UNUSED};

verus! {

/// The right to a frame: to its memory, once it was given, and to the room for its metadata.
pub(crate) tracked struct FrameRight {
    pub memory: Option<FrameMemory>,
    pub meta: MetaPerm,
}

/// One reference to a frame: one share of the right to it. Each handle has one, and so has each address that
/// `into_raw` gave.
pub(crate) tracked struct FrameToken {
    pub share: Frac<Option<FrameRight>>,
}

/// The right to a frame that one owner holds, and the proof that there are no shares of it.
pub(crate) tracked struct Claim {
    pub right: FrameRight,
    pub rest: Frac<Option<FrameRight>>,
}

/// Which slot: the frame it is for, and what identifies its shares and its room.
pub ghost struct SlotId {
    pub addr: PhysAddr,
    pub loc: Loc,
    pub cell: int,
}

/// `n` shares: there are as many as references can be, and one that the slot keeps.
pub(crate) open spec fn shares(n: int) -> real {
    n as real / 0x8000_0000_0000_0000int as real
}

impl SlotId {
    /// Whether `right` is to this slot's frame and room.
    pub(crate) open spec fn owns(self, right: FrameRight) -> bool {
        &&& right.meta.cell() == self.cell
        &&& right.memory matches Some(memory) ==> memory.addr() == self.addr
    }

    /// Whether `right` is to a frame in use: its memory was given, and its metadata says what it is for.
    pub(crate) open spec fn in_use(self, right: FrameRight) -> bool {
        self.owns(right) && right.memory is Some && right.meta.kind() is Some
    }

    /// Whether `right` is to a frame that nobody uses.
    pub(crate) open spec fn idle(self, right: FrameRight) -> bool {
        self.owns(right) && right.meta.kind() is None
    }

    /// Whether `state` is one that a slot can be in.
    pub(crate) open spec fn is_state(state: u64) -> bool {
        state <= MAX_COUNT || state == UNIQUE || state == RESERVED || state == UNUSED || state
            == FREE
    }

    /// The invariant: what the slot keeps when its state is `state`.
    ///
    /// The right as a whole if nobody has a reference; with `state` references all shares but so many, at least one; if one
    /// owner holds the right, a share of nothing, as a sign that there are no other shares.
    pub(crate) open spec fn keeps(self, state: u64, kept: Frac<Option<FrameRight>>) -> bool {
        &&& kept.id() == self.loc
        &&& if 1 <= state <= MAX_COUNT {
            &&& kept.frac() == shares(MAX_COUNT + 1 - state)
            &&& kept.resource() matches Some(right) && self.in_use(right)
        } else if state == BUSY || state == UNIQUE {
            &&& kept.frac() == shares(1)
            &&& kept.resource() is None
        } else {
            &&& state == RESERVED || state == UNUSED || state == FREE
            &&& kept.frac() == 1 as real
            &&& kept.resource() matches Some(right) && self.idle(right) && (right.memory is None
                <==> state == RESERVED)
        }
    }
}

impl FrameToken {
    /// Whether it is a reference to the frame of `slot`.
    pub(crate) open spec fn is_for(self, slot: SlotId) -> bool {
        &&& self.share.id() == slot.loc
        &&& self.share.frac() == shares(1)
        &&& self.share.resource() matches Some(right) && slot.in_use(right)
    }

    /// Takes one of the shares that the slot keeps, so that it keeps those of a frame with `count` references.
    pub(crate) proof fn split(
        slot: SlotId,
        count: int,
        tracked kept: &mut Frac<Option<FrameRight>>,
    ) -> (tracked r: Self)
        requires
            1 <= count <= MAX_COUNT,
            old(kept).id() == slot.loc,
            old(kept).frac() == shares(MAX_COUNT + 2 - count),
            old(kept).resource() matches Some(right) && slot.in_use(right),
        ensures
            r.is_for(slot),
            r.share.resource() == old(kept).resource(),
            slot.keeps(count as u64, *final(kept)),
    {
        FrameToken { share: kept.split_to(shares(1)) }
    }

    /// What the frame is for.
    pub(crate) open spec fn kind(self) -> MetaKind {
        self.share.resource()->0.meta.kind()->0
    }

    /// The frame's metadata.
    pub(crate) open spec fn meta<M>(self) -> M {
        self.share.resource()->0.meta.value::<M>()
    }

    /// Puts references together with what the slot keeps.
    pub(crate) proof fn gather(
        slot: SlotId,
        tracked tokens: Seq<FrameToken>,
        tracked kept: Frac<Option<FrameRight>>,
    ) -> (tracked r: Frac<Option<FrameRight>>)
        requires
            kept.id() == slot.loc,
            forall|i: int| 0 <= i < tokens.len() ==> (#[trigger] tokens[i]).is_for(slot),
        ensures
            r.frac() == kept.frac() + shares(tokens.len() as int),
        decreases tokens.len(),
    {
        let tracked mut tokens = tokens;
        let tracked mut kept = kept;
        if tokens.len() > 0 {
            let tracked last = tokens.tracked_pop();
            kept.combine(last.share);
            Self::gather(slot, tokens, kept)
        } else {
            kept
        }
    }

    /// References to the same frame say the same of it.
    pub(crate) proof fn lemma_agree(tracked &self, tracked other: &Self)
        requires
            self.share.id() == other.share.id(),
        ensures
            self.share.resource() == other.share.resource(),
    {
        self.share.agree(&other.share);
    }

    /// With a reference at hand, the state is a count.
    pub(crate) proof fn lemma_held(
        tracked held: Option<&Self>,
        slot: SlotId,
        state: u64,
        tracked kept: &Frac<Option<FrameRight>>,
    )
        requires
            slot.keeps(state, *kept),
            held matches Some(token) ==> token.is_for(slot),
        ensures
            held is Some ==> 1 <= state <= MAX_COUNT,
    {
        if let Some(token) = held {
            lemma_counted(slot, state, token, kept);
        }
    }

    /// The right to read the metadata.
    pub(crate) proof fn borrow_meta(tracked &self) -> (tracked r: &MetaPerm)
        requires
            self.share.resource() is Some,
        ensures
            *r == self.share.resource()->0.meta,
    {
        &self.share.borrow().tracked_borrow().meta
    }
}

impl Claim {
    /// Whether it is to the frame of `slot`.
    pub(crate) open spec fn is_for(self, slot: SlotId) -> bool {
        &&& self.rest.id() == slot.loc
        &&& self.rest.frac() == shares(MAX_COUNT as int)
        &&& self.rest.resource() is None
        &&& slot.owns(self.right)
    }

    /// Takes all of `kept`, and leaves a share of nothing.
    pub(crate) proof fn take(
        slot: SlotId,
        tracked kept: &mut Frac<Option<FrameRight>>,
    ) -> (tracked r: Self)
        requires
            old(kept).id() == slot.loc,
            old(kept).frac() == 1 as real,
            old(kept).resource() matches Some(right) && slot.owns(right),
        ensures
            r.is_for(slot),
            r.right == old(kept).resource()->0,
            slot.keeps(BUSY, *final(kept)),
            slot.keeps(UNIQUE, *final(kept)),
    {
        let tracked mut whole = Frac::new(None);
        vstd::modes::tracked_swap(kept, &mut whole);
        let tracked (right, empty) = whole.take_resource();
        *kept = empty.put_resource(None);
        let tracked rest = kept.split_to(shares(MAX_COUNT as int));
        Claim { right: right.tracked_unwrap(), rest }
    }

    /// Gives all back: the slot keeps the right as a whole.
    pub(crate) proof fn put(tracked self, slot: SlotId, tracked kept: &mut Frac<Option<FrameRight>>)
        requires
            self.is_for(slot),
            old(kept).id() == slot.loc,
            old(kept).frac() == shares(1),
        ensures
            final(kept).id() == slot.loc,
            final(kept).frac() == 1 as real,
            final(kept).resource() == Some(self.right),
    {
        let tracked Claim { right, rest } = self;
        let tracked mut whole = Frac::new(None);
        vstd::modes::tracked_swap(kept, &mut whole);
        whole.combine(rest);
        let tracked (_, empty) = whole.take_resource();
        *kept = empty.put_resource(Some(right));
    }

    /// While somebody holds the right as a whole, the slot is marked as busy or unique.
    pub(crate) proof fn lemma_exclusive(
        tracked &self,
        slot: SlotId,
        state: u64,
        tracked kept: &Frac<Option<FrameRight>>,
    )
        requires
            self.is_for(slot),
            slot.keeps(state, *kept),
        ensures
            state == BUSY || state == UNIQUE,
    {
        self.rest.agree(kept);
    }
}

/// A reference counts: the state of its slot is a number of references.
pub(crate) proof fn lemma_counted(
    slot: SlotId,
    state: u64,
    tracked token: &FrameToken,
    tracked kept: &Frac<Option<FrameRight>>,
)
    requires
        token.is_for(slot),
        slot.keeps(state, *kept),
    ensures
        1 <= state <= MAX_COUNT,
{
    kept.agree(&token.share);
}

/// There are no more references than are counted. Together with what the slot [keeps](SlotId::keeps), which leaves exactly
/// so many shares: the count is the number of references.
pub(crate) proof fn lemma_count_is_references(
    slot: SlotId,
    count: u64,
    tracked tokens: Seq<FrameToken>,
    tracked kept: Frac<Option<FrameRight>>,
)
    requires
        slot.keeps(count, kept),
        1 <= count <= MAX_COUNT,
        forall|i: int| 0 <= i < tokens.len() ==> (#[trigger] tokens[i]).is_for(slot),
    ensures
        tokens.len() <= count,
{
    let n = tokens.len();
    let tracked all = FrameToken::gather(slot, tokens, kept);
    all.bounded();
}

/// A frame that is with the allocator, or nobody's, is referenced by nobody.
pub(crate) proof fn lemma_free_is_unreferenced(
    slot: SlotId,
    tracked token: &FrameToken,
    tracked kept: &Frac<Option<FrameRight>>,
)
    requires
        slot.keeps(FREE, *kept) || slot.keeps(UNUSED, *kept) || slot.keeps(RESERVED, *kept),
        token.is_for(slot),
    ensures
        false,
{
    kept.agree(&token.share);
}

} // verus!
