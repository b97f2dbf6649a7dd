//! Who gets the right to a frame, and references to it: the operations of a slot, by its number.

use super::super::alloc::FrameAllocator;
use super::super::error::{FrameError, refusal};
use super::super::slot::FREE;
#[cfg(verus_only)]
use super::super::slot::{MAX_COUNT, RESERVED, UNUSED};
use super::super::token::{Claim, FrameToken};
use super::{FRAME_SIZE, FrameTable};
#[cfg(verus_only)]
use crate::hw::frame::kind_of;
use crate::hw::frame::{FrameMeta, MetaCell};
use vstd::prelude::*;

verus! {

impl<'a, F> FrameTable<'a, F> {
    /// Takes the right to a frame that nobody uses, if its state is `from`.
    pub(crate) fn claim(&self, index: usize, from: u64) -> (r: Result<Tracked<Claim>, FrameError>)
        requires
            index < self.len(),
            from == RESERVED || from == UNUSED || from == FREE,
        ensures
            match r {
                Ok(claim) => {
                    &&& claim@.is_for(self.id(index as int))
                    &&& claim@.right.meta.kind() is None
                    &&& claim@.right.memory is None <==> from == RESERVED
                },
                Err(e) => e.is_refused_claim(self.id(index as int).addr),
            },
        no_unwind
    {
        proof {
            use_type_invariant(self);
        }
        match self.slots[index].claim(from) {
            Ok(claim) => Ok(claim),
            Err(state) => Err(refusal(state, self.base + index as u64 * FRAME_SIZE)),
        }
    }

    /// Gives up the right to a frame: from now on it is nobody's, or the allocator's.
    pub(crate) fn leave(&self, index: usize, to: u64, Tracked(claim): Tracked<Claim>)
        requires
            index < self.len(),
            claim.is_for(self.id(index as int)),
            claim.right.meta.kind() is None,
            claim.right.memory is None <==> to == RESERVED,
            to == UNUSED || to == FREE || to == RESERVED,
        no_unwind
    {
        proof {
            use_type_invariant(self);
        }
        self.slots[index].leave(to, Tracked(claim))
    }

    /// Puts a frame to use: notes its metadata.
    pub(crate) fn put_meta<M: FrameMeta>(
        &self,
        index: usize,
        Tracked(claim): Tracked<&mut Claim>,
        meta: M,
    )
        requires
            index < self.len(),
            old(claim).is_for(self.id(index as int)),
            old(claim).right.meta.kind() is None,
        ensures
            final(claim).is_for(self.id(index as int)),
            final(claim).right.memory == old(claim).right.memory,
            final(claim).right.meta.kind() == Some(kind_of::<M>()),
            final(claim).right.meta.value::<M>() == meta,
        no_unwind
    {
        proof {
            use_type_invariant(self);
        }
        self.slots[index].meta().put(Tracked(&mut claim.right.meta), meta)
    }

    /// Drops a frame's metadata.
    pub(crate) fn clear_meta(&self, index: usize, Tracked(claim): Tracked<&mut Claim>)
        requires
            index < self.len(),
            old(claim).is_for(self.id(index as int)),
            old(claim).right.meta.kind() is Some,
        ensures
            final(claim).is_for(self.id(index as int)),
            final(claim).right.memory == old(claim).right.memory,
            final(claim).right.meta.kind() is None,
        no_unwind
    {
        proof {
            use_type_invariant(self);
        }
        self.slots[index].meta().clear(Tracked(&mut claim.right.meta))
    }

    /// The room for a frame's metadata.
    #[inline(always)]
    pub(crate) fn meta(&self, index: usize) -> (r: &MetaCell)
        requires
            index < self.len(),
        ensures
            r.id() == self.id(index as int).cell,
        no_unwind
    {
        proof {
            use_type_invariant(self);
        }
        self.slots[index].meta()
    }

    /// Marks a frame as one with one owner.
    pub(crate) fn own(&self, index: usize, Tracked(claim): Tracked<&Claim>)
        requires
            index < self.len(),
            claim.is_for(self.id(index as int)),
        no_unwind
    {
        proof {
            use_type_invariant(self);
        }
        self.slots[index].own(Tracked(claim))
    }

    /// Makes the right to a frame one that is shared, and answers with the first reference.
    pub(crate) fn share(&self, index: usize, Tracked(claim): Tracked<Claim>) -> (r: Tracked<
        FrameToken,
    >)
        requires
            index < self.len(),
            claim.is_for(self.id(index as int)),
            claim.right.memory is Some,
            claim.right.meta.kind() is Some,
        ensures
            r@.is_for(self.id(index as int)),
            r@.share.resource() == Some(claim.right),
        no_unwind
    {
        proof {
            use_type_invariant(self);
        }
        self.slots[index].share(Tracked(claim))
    }

    /// Adds a reference to a frame that has one.
    pub(crate) fn acquire(&self, index: usize, Tracked(held): Tracked<Option<&FrameToken>>) -> (r:
        Result<Tracked<FrameToken>, FrameError>)
        requires
            index < self.len(),
            held matches Some(token) ==> token.is_for(self.id(index as int)),
        ensures
            match r {
                Ok(token) => token@.is_for(self.id(index as int)),
                Err(e) => {
                    &&& e.is_refused_reference(self.id(index as int).addr)
                    &&& held is Some ==> e is Saturated || e is Busy
                },
            },
        no_unwind
    {
        proof {
            use_type_invariant(self);
        }
        match self.slots[index].acquire(self.limit, Tracked(held)) {
            Ok(token) => Ok(token),
            Err(state) => {
                let addr = self.base + index as u64 * FRAME_SIZE;
                Err(
                    match refusal(state, addr) {
                        // as many as there can be, or others were always faster
                        FrameError::InUse { .. } if state >= self.limit => FrameError::Saturated {
                            addr,
                        },
                        FrameError::InUse { .. } => FrameError::Busy { addr },
                        e => e,
                    },
                )
            },
        }
    }

    /// How many references a frame has, with one at hand.
    pub(crate) fn count(&self, index: usize, Tracked(token): Tracked<&FrameToken>) -> (r: u64)
        requires
            index < self.len(),
            token.is_for(self.id(index as int)),
        ensures
            1 <= r <= MAX_COUNT,
        no_unwind
    {
        proof {
            use_type_invariant(self);
        }
        self.slots[index].count(Tracked(token))
    }

    /// Turns the only reference into the right, with one owner.
    pub(crate) fn try_own(&self, index: usize, Tracked(token): Tracked<FrameToken>) -> (r: Result<
        Tracked<Claim>,
        Tracked<FrameToken>,
    >)
        requires
            index < self.len(),
            token.is_for(self.id(index as int)),
        ensures
            match r {
                Ok(claim) => {
                    &&& claim@.is_for(self.id(index as int))
                    &&& claim@.right == token.share.resource()->0
                },
                Err(same) => same@ == token,
            },
        no_unwind
    {
        proof {
            use_type_invariant(self);
        }
        self.slots[index].try_own(Tracked(token))
    }
}

impl<'a, F: FrameAllocator> FrameTable<'a, F> {
    /// Gives a reference back, and with the last one the frame to the allocator.
    pub(crate) fn release(&self, index: usize, Tracked(token): Tracked<FrameToken>)
        requires
            index < self.len(),
            token.is_for(self.id(index as int)),
        no_unwind
    {
        proof {
            use_type_invariant(self);
        }
        if let Some(claim) = self.slots[index].release(Tracked(token)) {
            self.retire(index, claim);
        }
    }

    /// Gives a reference back, and answers whether it was the last one: then the frame is the allocator's, who has to be told.
    #[inline]
    pub(crate) fn drop_reference(&self, index: usize, Tracked(token): Tracked<FrameToken>) -> bool
        requires
            index < self.len(),
            token.is_for(self.id(index as int)),
        no_unwind
    {
        proof {
            use_type_invariant(self);
        }
        match self.slots[index].release(Tracked(token)) {
            Some(claim) => {
                self.vacate(index, claim);
                true
            },
            None => false,
        }
    }

    /// Drops a frame's metadata and gives it to the allocator.
    pub(crate) fn retire(&self, index: usize, Tracked(claim): Tracked<Claim>)
        requires
            index < self.len(),
            claim.is_for(self.id(index as int)),
            claim.right.memory is Some,
            claim.right.meta.kind() is Some,
        no_unwind
    {
        proof {
            use_type_invariant(self);
        }
        self.vacate(index, Tracked(claim));
        // only now, as the allocator may hand the frame out at once
        self.allocator.dealloc(self.address(index), 1);
    }

    /// Drops a frame's metadata; from now on it is the allocator's.
    fn vacate(&self, index: usize, Tracked(claim): Tracked<Claim>)
        requires
            index < self.len(),
            claim.is_for(self.id(index as int)),
            claim.right.memory is Some,
            claim.right.meta.kind() is Some,
        no_unwind
    {
        let tracked mut claim = claim;
        self.clear_meta(index, Tracked(&mut claim));
        self.leave(index, FREE, Tracked(claim));
    }
}

} // verus!
