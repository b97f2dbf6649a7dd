//! The metadata slot of a frame: its state in one atomic word, and room for a kernel's metadata.

#[cfg(verus_only)]
use super::token::lemma_counted;
use super::token::{Claim, FrameRight, FrameToken, SlotId};
use crate::addr::PhysAddr;
use crate::hw::frame::MetaCell;
use vstd::atomic_ghost::{AtomicInvariantPredicate, AtomicU64};
use vstd::atomic_with_ghost;
use vstd::prelude::*;
use vstd::resource::frac_opt::Frac;

verus! {

/// The state of a frame that one function is setting up or taking down.
pub(crate) const BUSY: u64 = 0;

/// The largest number of references.
pub(crate) const MAX_COUNT: u64 = 0x7fff_ffff_ffff_ffff;

/// The state of a frame that was not given to the table.
pub(crate) const RESERVED: u64 = 0xffff_ffff_ffff_ffff;

/// The state of a frame that is nobody's.
pub(crate) const UNUSED: u64 = 0xffff_ffff_ffff_fffe;

/// The state of a frame that is with the allocator.
pub(crate) const FREE: u64 = 0xffff_ffff_ffff_fffd;

/// The state of a frame with one owner.
pub(crate) const UNIQUE: u64 = 0xffff_ffff_ffff_fffc;

/// How often a reference is tried to be added while others change the count.
const TRIES: u32 = 0xffff_ffff;

/// What the state and the shares that a slot keeps have to do with each other.
pub(crate) struct Counted;

impl AtomicInvariantPredicate<SlotId, u64, Frac<Option<FrameRight>>> for Counted {
    closed spec fn atomic_inv(slot: SlotId, state: u64, kept: Frac<Option<FrameRight>>) -> bool {
        slot.keeps(state, kept)
    }
}

/// What is known of one frame: whether it is in use, by how many references, and what for.
///
/// A kernel makes an array of them, one for each frame of its memory, for a [`FrameTable`](super::FrameTable), which sets
/// them up. A slot is 64 bytes long; memory that is filled with zeros is an array of slots.
#[repr(C)]
pub struct MetaSlot {
    meta: MetaCell,
    state: AtomicU64<SlotId, Frac<Option<FrameRight>>, Counted>,
}

impl MetaSlot {
    /// A slot that is not yet part of a table.
    #[inline]
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it is of use in a table only")]
    pub const fn new() -> Self {
        MetaSlot::at(Ghost(PhysAddr(0)))
    }

    /// The slot of the frame `addr`, which was not given.
    #[inline]
    pub(crate) const fn at(Ghost(addr): Ghost<PhysAddr>) -> (r: Self)
        ensures
            r.inv(),
            r.id().addr == addr,
    {
        let (meta, Tracked(perm)) = MetaCell::new();
        let tracked kept = Frac::new(Some(FrameRight { memory: None, meta: perm }));
        let ghost slot = SlotId { addr, loc: kept.id(), cell: meta.id() };
        MetaSlot { meta, state: AtomicU64::new(Ghost(slot), RESERVED, Tracked(kept)) }
    }

    /// Which slot it is.
    pub(crate) closed spec fn id(&self) -> SlotId {
        self.state.constant()
    }

    /// The state is kept as [`SlotId::keeps`] says.
    pub(crate) closed spec fn inv(&self) -> bool {
        self.state.well_formed() && self.id().cell == self.meta.id()
    }

    /// The room for metadata.
    #[inline(always)]
    pub(crate) fn meta(&self) -> (r: &MetaCell)
        requires
            self.inv(),
        ensures
            r.id() == self.id().cell,
        no_unwind
    {
        &self.meta
    }

    /// Takes the right to a frame that nobody uses, if its state is `from`; otherwise answers with its state.
    pub(crate) fn claim(&self, from: u64) -> (r: Result<Tracked<Claim>, u64>)
        requires
            self.inv(),
            from == RESERVED || from == UNUSED || from == FREE,
        ensures
            match r {
                Ok(claim) => {
                    &&& claim@.is_for(self.id())
                    &&& claim@.right.meta.kind() is None
                    &&& claim@.right.memory is None <==> from == RESERVED
                },
                Err(state) => state != from && SlotId::is_state(state),
            },
        no_unwind
    {
        let tracked mut claim = None;
        let r =
            atomic_with_ghost!(&self.state => compare_exchange(from, BUSY); update was -> now; returning r; ghost kept => {
            if r is Ok {
                claim = Some(Claim::take(self.id(), &mut kept));
            }
        });
        match r {
            Ok(_) => Ok(Tracked(claim.tracked_unwrap())),
            Err(state) => Err(state),
        }
    }

    /// Gives the right up: from now on the frame is nobody's, or the allocator's.
    pub(crate) fn leave(&self, to: u64, Tracked(claim): Tracked<Claim>)
        requires
            self.inv(),
            to == UNUSED || to == FREE || to == RESERVED,
            claim.is_for(self.id()),
            claim.right.memory is None <==> to == RESERVED,
            claim.right.meta.kind() is None,
        no_unwind
    {
        atomic_with_ghost!(&self.state => store(to); update was -> now; ghost kept => {
            claim.lemma_exclusive(self.id(), was, &kept);
            claim.put(self.id(), &mut kept);
        });
    }

    /// Marks the frame as one with one owner.
    pub(crate) fn own(&self, Tracked(claim): Tracked<&Claim>)
        requires
            self.inv(),
            claim.is_for(self.id()),
        no_unwind
    {
        atomic_with_ghost!(&self.state => store(UNIQUE); update was -> now; ghost kept => {
            claim.lemma_exclusive(self.id(), was, &kept);
        });
    }

    /// Makes the right one that is shared, and answers with the first reference.
    pub(crate) fn share(&self, Tracked(claim): Tracked<Claim>) -> (r: Tracked<FrameToken>)
        requires
            self.inv(),
            claim.is_for(self.id()),
            claim.right.memory is Some,
            claim.right.meta.kind() is Some,
        ensures
            r@.is_for(self.id()),
            r@.share.resource() == Some(claim.right),
        no_unwind
    {
        let tracked token;
        atomic_with_ghost!(&self.state => store(1); update was -> now; ghost kept => {
            claim.lemma_exclusive(self.id(), was, &kept);
            claim.put(self.id(), &mut kept);
            token = FrameToken::split(self.id(), 1, &mut kept);
        });
        Tracked(token)
    }

    /// Adds a reference if there is one and are less than `limit`; otherwise answers with the state, which is a count if a
    /// reference is at hand.
    pub(crate) fn acquire(&self, limit: u64, Tracked(held): Tracked<Option<&FrameToken>>) -> (r:
        Result<Tracked<FrameToken>, u64>)
        requires
            self.inv(),
            limit <= MAX_COUNT,
            held matches Some(token) ==> token.is_for(self.id()),
        ensures
            match r {
                Ok(token) => token@.is_for(self.id()),
                Err(state) => {
                    &&& SlotId::is_state(state)
                    &&& held is Some ==> 1 <= state <= MAX_COUNT
                },
            },
        no_unwind
    {
        let mut count =
            atomic_with_ghost!(&self.state => load(); returning count; ghost kept => {
            FrameToken::lemma_held(held, self.id(), count, &kept);
        });
        let mut left = TRIES;
        while left > 0 && 1 <= count && count < limit
            invariant
                self.inv(),
                limit <= MAX_COUNT,
                held matches Some(token) ==> token.is_for(self.id()),
                SlotId::is_state(count),
                held is Some ==> 1 <= count <= MAX_COUNT,
            decreases left,
        {
            let next = count + 1;
            let tracked mut token = None;
            let r =
                atomic_with_ghost!(&self.state => compare_exchange(count, next); update was -> now; returning r; ghost kept => {
                FrameToken::lemma_held(held, self.id(), was, &kept);
                if r is Ok {
                    token = Some(FrameToken::split(self.id(), now as int, &mut kept));
                }
            });
            match r {
                Ok(_) => return Ok(Tracked(token.tracked_unwrap())),
                Err(now) => count = now,
            }
            left -= 1;
        }
        Err(count)
    }

    /// Gives a reference back. The last one answers with the right.
    pub(crate) fn release(&self, Tracked(token): Tracked<FrameToken>) -> (r: Option<Tracked<Claim>>)
        requires
            self.inv(),
            token.is_for(self.id()),
        ensures
            r matches Some(claim) ==> {
                &&& claim@.is_for(self.id())
                &&& claim@.right == token.share.resource()->0
            },
        no_unwind
    {
        let tracked mut claim = None;
        let was =
            atomic_with_ghost!(&self.state => fetch_sub(1); update was -> now; ghost kept => {
            lemma_counted(self.id(), was as u64, &token, &kept);
            kept.combine(token.share);
            if was == 1 {
                claim = Some(Claim::take(self.id(), &mut kept));
            }
        });
        if was == 1 {
            Some(Tracked(claim.tracked_unwrap()))
        } else {
            None
        }
    }

    /// Turns the only reference into the right, with one owner; another than the only one stays what it is.
    pub(crate) fn try_own(&self, Tracked(token): Tracked<FrameToken>) -> (r: Result<
        Tracked<Claim>,
        Tracked<FrameToken>,
    >)
        requires
            self.inv(),
            token.is_for(self.id()),
        ensures
            match r {
                Ok(claim) => {
                    &&& claim@.is_for(self.id())
                    &&& claim@.right == token.share.resource()->0
                },
                Err(same) => same@ == token,
            },
        no_unwind
    {
        let tracked mut claim = None;
        let tracked mut same = None;
        let r =
            atomic_with_ghost!(&self.state => compare_exchange(1, UNIQUE); returning r; ghost kept => {
            if r is Ok {
                kept.combine(token.share);
                claim = Some(Claim::take(self.id(), &mut kept));
            } else {
                same = Some(token);
            }
        });
        match r {
            Ok(_) => Ok(Tracked(claim.tracked_unwrap())),
            Err(_) => Err(Tracked(same.tracked_unwrap())),
        }
    }

    /// How many references there are, with one at hand that shows that there is one.
    pub(crate) fn count(&self, Tracked(token): Tracked<&FrameToken>) -> (r: u64)
        requires
            self.inv(),
            token.is_for(self.id()),
        ensures
            1 <= r <= MAX_COUNT,
        no_unwind
    {
        atomic_with_ghost!(&self.state => load(); returning count; ghost kept => {
            lemma_counted(self.id(), count, token, &kept);
        })
    }
}

} // verus!
