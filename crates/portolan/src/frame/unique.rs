//! A frame with one owner.

use super::Frame;
use super::alloc::FrameAllocator;
use super::error::FrameError;
use super::handle::{Debt, Handle, NOWHERE};
use super::kind::{Dyn, FrameKind};
use super::slot::UNUSED;
use super::table::FrameTable;
use super::token::Claim;
use crate::addr::PhysAddr;
use crate::hw::frame::{FrameMeta, MetaCell, meta_mut, settle_in_drop};
#[cfg(verus_only)]
use crate::hw::frame::{MetaKind, kind_of};
use core::marker::PhantomData;
use vstd::prelude::*;

verus! {

/// A physical frame of 4 KiB that nobody else has a reference to: its metadata can be changed.
pub struct UniqueFrame<'a, F: FrameAllocator, M: FrameKind = Dyn> {
    owner: Owner<'a, F>,
    kind: PhantomData<M>,
}

/// The right to a frame, which is given to the allocator when it is dropped.
struct Owner<'a, F: FrameAllocator> {
    table: &'a FrameTable<'a, F>,
    addr: PhysAddr,
    /// One, by the number of the frame's slot.
    claim: Tracked<Map<int, Claim>>,
}

impl<'a, F: FrameAllocator> Owner<'a, F> {
    /// Whether it holds a frame that is in use.
    spec fn holds(self) -> bool {
        &&& self.table.covers(self.addr)
        &&& self.claim@.contains_key(self.table.index_of(self.addr))
        &&& self.claim().is_for(self.table.id_of(self.addr))
        &&& self.claim().right.memory is Some
        &&& self.claim().right.meta.kind() is Some
    }

    /// The right to the frame.
    spec fn claim(self) -> Claim {
        self.claim@[self.table.index_of(self.addr)]
    }

    /// The prover wants the invariant even of what has been dropped.
    #[verifier::type_invariant]
    spec fn inv(self) -> bool {
        self.holds() || self.addr == NOWHERE
    }

    /// What the frame is for.
    spec fn kind(self) -> MetaKind {
        self.claim().right.meta.kind()->0
    }

    /// What it held.
    fn into_parts(self) -> (r: (&'a FrameTable<'a, F>, PhysAddr, Tracked<Claim>))
        requires
            self.holds(),
        ensures
            *r.0 == *self.table,
            r.1 == self.addr,
            r.2@ == self.claim(),
    {
        let mut owner = self;
        let (table, addr) = (owner.table, owner.addr);
        owner.addr = NOWHERE;
        let tracked claim = owner.claim.borrow_mut().tracked_remove(table.index_of(addr));
        (table, addr, Tracked(claim))
    }
}

impl<F: FrameAllocator> Drop for Owner<'_, F> {
    /// Gives the frame to the allocator. That there is one is checked for the prover, and for an owner that was taken apart.
    fn drop(&mut self)
        opens_invariants none
        no_unwind
    {
        proof {
            use_type_invariant(&*self);
        }
        if self.addr.0 != NOWHERE.0 {
            let (table, addr) = (self.table, self.addr);
            self.addr = NOWHERE;
            let tracked claim = self.claim.borrow_mut().tracked_remove(table.index_of(addr));
            settle_in_drop(Debt::Frame { table, index: table.locate(addr), claim: Tracked(claim) });
        }
    }
}

impl<'a, F: FrameAllocator, M: FrameKind> UniqueFrame<'a, F, M> {
    #[verifier::type_invariant]
    spec fn inv(self) -> bool {
        self.owner.holds() && M::admits(self.owner.kind())
    }

    /// The table of the frame.
    pub closed spec fn table(self) -> FrameTable<'a, F> {
        *self.owner.table
    }

    /// The frame's address.
    pub closed spec fn at(self) -> PhysAddr {
        self.owner.addr
    }

    /// What the frame is for.
    pub closed spec fn kind(self) -> MetaKind {
        self.owner.kind()
    }

    /// The frame's metadata.
    pub closed spec fn noted(self) -> M {
        self.owner.claim().right.meta.value::<M>()
    }

    /// A frame by the right to it.
    fn from_claim(
        table: &'a FrameTable<'a, F>,
        addr: PhysAddr,
        Tracked(claim): Tracked<Claim>,
    ) -> (r: Self)
        requires
            table.covers(addr),
            claim.is_for(table.id_of(addr)),
            claim.right.memory is Some,
            claim.right.meta.kind() matches Some(kind) && M::admits(kind),
        ensures
            r.table() == *table,
            r.at() == addr,
            Some(r.kind()) == claim.right.meta.kind(),
            r.noted() == claim.right.meta.value::<M>(),
    {
        let tracked mut one = Map::tracked_empty();
        proof {
            one.tracked_insert(table.index_of(addr), claim);
        }
        let owner = Owner { table, addr, claim: Tracked(one) };
        UniqueFrame { owner, kind: PhantomData }
    }

    /// The frame's physical address.
    #[inline]
    #[must_use]
    pub fn paddr(&self) -> (r: PhysAddr)
        ensures
            r == self.at(),
    {
        self.owner.addr
    }

    /// The same frame as one that can be shared.
    #[must_use]
    pub fn into_shared(self) -> (r: Frame<'a, F, M>)
        ensures
            r.table() == self.table(),
            r.at() == self.at(),
            r.kind() == self.kind(),
            r.noted() == self.noted(),
    {
        proof {
            use_type_invariant(&self);
        }
        let (table, addr, claim) = self.owner.into_parts();
        let token = table.share(table.locate(addr), claim);
        Frame::from_handle(Handle::new(table, addr, token))
    }

    /// The same frame for another use: drops the metadata, and notes `meta`.
    #[must_use]
    pub fn repurpose<N: FrameMeta>(self, meta: N) -> (r: UniqueFrame<'a, F, N>)
        ensures
            r.table() == self.table(),
            r.at() == self.at(),
            r.kind() == kind_of::<N>(),
            r.noted() == meta,
    {
        proof {
            use_type_invariant(&self);
        }
        let (table, addr, Tracked(mut claim)) = self.owner.into_parts();
        let index = table.locate(addr);
        table.clear_meta(index, Tracked(&mut claim));
        table.put_meta(index, Tracked(&mut claim), meta);
        UniqueFrame::from_claim(table, addr, Tracked(claim))
    }

    /// Drops the metadata and lets go of the frame, which is nobody's then, and not the allocator's either.
    pub fn reset_as_unused(self) {
        proof {
            use_type_invariant(&self);
        }
        let (table, addr, Tracked(mut claim)) = self.owner.into_parts();
        let index = table.locate(addr);
        table.clear_meta(index, Tracked(&mut claim));
        table.leave(index, UNUSED, Tracked(claim));
    }

    /// The frame, if there is no other reference to it.
    ///
    /// # Errors
    /// The reference, unchanged, if it isn't the only one.
    pub fn try_from_shared(frame: Frame<'a, F, M>) -> (r: Result<Self, Frame<'a, F, M>>)
        ensures
            match r {
                Ok(unique) => {
                    &&& unique.table() == frame.table()
                    &&& unique.at() == frame.at()
                    &&& unique.kind() == frame.kind()
                    &&& unique.noted() == frame.noted()
                },
                Err(same) => {
                    &&& same.table() == frame.table()
                    &&& same.at() == frame.at()
                    &&& same.kind() == frame.kind()
                    &&& same.noted() == frame.noted()
                },
            },
    {
        let (table, addr, token) = frame.into_handle().into_parts();
        match table.try_own(table.locate(addr), token) {
            Ok(claim) => Ok(UniqueFrame::from_claim(table, addr, claim)),
            Err(token) => Err(Frame::from_handle(Handle::new(table, addr, token))),
        }
    }
}

impl<'a, F: FrameAllocator, M: FrameMeta> UniqueFrame<'a, F, M> {
    /// The frame at `addr`, which was nobody's, with `meta` noted of it.
    ///
    /// # Errors
    /// As for [`Frame::from_unused`].
    pub fn from_unused(table: &'a FrameTable<'a, F>, addr: PhysAddr, meta: M) -> (r: Result<
        Self,
        FrameError,
    >)
        ensures
            match r {
                Ok(frame) => {
                    &&& frame.table() == *table
                    &&& frame.at() == addr
                    &&& frame.kind() == kind_of::<M>()
                    &&& frame.noted() == meta
                },
                Err(e) => table.refuses_claim(addr, e),
            },
    {
        let index = table.find(addr)?;
        let Tracked(mut claim) = table.claim(index, UNUSED)?;
        table.put_meta(index, Tracked(&mut claim), meta);
        table.own(index, Tracked(&claim));
        Ok(UniqueFrame::from_claim(table, addr, Tracked(claim)))
    }

    /// A frame from the allocator, with `meta` noted of it.
    ///
    /// # Errors
    /// As for [`Frame::alloc`].
    pub fn alloc(table: &'a FrameTable<'a, F>, meta: M) -> (r: Result<Self, FrameError>)
        ensures
            r matches Ok(frame) ==> {
                &&& frame.table() == *table
                &&& frame.kind() == kind_of::<M>()
                &&& frame.noted() == meta
            },
    {
        let (addr, index, Tracked(mut claim)) = table.alloc_one()?;
        table.put_meta(index, Tracked(&mut claim), meta);
        table.own(index, Tracked(&claim));
        Ok(UniqueFrame::from_claim(table, addr, Tracked(claim)))
    }

    /// What is noted of the frame.
    #[inline]
    #[must_use]
    pub fn meta(&self) -> (r: &M)
        ensures
            *r == self.noted(),
    {
        let (cell, Tracked(claim)) = self.parts();
        cell.get::<M>(Tracked(&claim.right.meta))
    }

    /// The room for the frame's metadata, and the right to it.
    #[inline(always)]
    pub(crate) fn parts(&self) -> (r: (&MetaCell, Tracked<&Claim>))
        ensures
            r.0.id() == r.1@.right.meta.cell(),
            r.1@.right.meta.kind() == Some(kind_of::<M>()),
            r.1@.right.meta.value::<M>() == self.noted(),
    {
        proof {
            use_type_invariant(self);
        }
        let (table, addr) = (self.owner.table, self.owner.addr);
        let tracked claim = self.owner.claim.borrow().tracked_borrow(table.index_of(addr));
        (table.meta(table.locate(addr)), Tracked(claim))
    }

    /// What is noted of the frame, to change it.
    #[inline]
    #[must_use]
    pub fn meta_mut(&mut self) -> (r: &mut M)
        ensures
            *r == old(self).noted(),
            final(self).noted() == *final(r),
            final(self).table() == old(self).table(),
            final(self).at() == old(self).at(),
            final(self).kind() == old(self).kind(),
    {
        meta_mut(self)
    }
}

} // verus!
