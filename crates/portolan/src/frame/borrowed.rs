//! A frame that somebody else holds.

use super::Frame;
use super::alloc::FrameAllocator;
use super::error::FrameError;
use super::handle::Handle;
use super::kind::{Dyn, FrameKind};
use super::table::FrameTable;
use super::token::FrameToken;
use crate::addr::PhysAddr;
use crate::hw::frame::FrameMeta;
#[cfg(verus_only)]
use crate::hw::frame::MetaKind;
use core::marker::PhantomData;
use vstd::prelude::*;

verus! {

/// A frame that is in use as long as this exists, by a reference that is borrowed: it is not counted itself.
pub struct FrameRef<'b, 'a, F, M: FrameKind = Dyn> {
    table: &'a FrameTable<'a, F>,
    addr: PhysAddr,
    token: Tracked<&'b FrameToken>,
    kind: PhantomData<(&'b (), M)>,
}

impl<'b, 'a, F, M: FrameKind> FrameRef<'b, 'a, F, M> {
    #[verifier::type_invariant]
    spec fn inv(self) -> bool {
        &&& self.table.covers(self.addr)
        &&& self.token@.is_for(self.table.id_of(self.addr))
        &&& M::admits(self.token@.kind())
    }

    /// The table of the frame.
    pub closed spec fn table(self) -> FrameTable<'a, F> {
        *self.table
    }

    /// The frame's address.
    pub closed spec fn at(self) -> PhysAddr {
        self.addr
    }

    /// What the frame is for.
    pub closed spec fn kind(self) -> MetaKind {
        self.token@.kind()
    }

    /// The frame's metadata.
    pub closed spec fn noted(self) -> M {
        self.token@.meta::<M>()
    }

    /// The frame at `addr`, by a reference.
    #[inline(always)]
    pub(crate) fn new(
        table: &'a FrameTable<'a, F>,
        addr: PhysAddr,
        Tracked(token): Tracked<&'b FrameToken>,
    ) -> (r: Self)
        requires
            table.covers(addr),
            token.is_for(table.id_of(addr)),
            M::admits(token.kind()),
        ensures
            r.table() == *table,
            r.at() == addr,
            r.kind() == token.kind(),
            r.noted() == token.meta::<M>(),
    {
        FrameRef { table, addr, token: Tracked(token), kind: PhantomData }
    }

    /// The frame's physical address.
    #[inline]
    #[must_use]
    pub fn paddr(&self) -> (r: PhysAddr)
        ensures
            r == self.at(),
    {
        self.addr
    }

    /// How many references there are to the frame, at this moment: others may come and go.
    #[must_use]
    pub fn reference_count(&self) -> (r: u64)
        ensures
            1 <= r < 0x8000_0000_0000_0000,
    {
        proof {
            use_type_invariant(self);
        }
        self.table.count(self.table.locate(self.addr), self.token)
    }

    /// The same frame as one of another kind, if it is of that kind.
    #[must_use]
    pub fn downcast<N: FrameKind>(&self) -> (r: Option<FrameRef<'b, 'a, F, N>>)
        ensures
            match r {
                Some(frame) => {
                    &&& frame.table() == self.table()
                    &&& frame.at() == self.at()
                    &&& frame.kind() == self.kind()
                    &&& N::admits(self.kind())
                },
                None => !N::admits(self.kind()),
            },
    {
        proof {
            use_type_invariant(self);
        }
        let cell = self.table.meta(self.table.locate(self.addr));
        if N::check(cell, Tracked(self.token.borrow().borrow_meta())) {
            Some(FrameRef::new(self.table, self.addr, self.token))
        } else {
            None
        }
    }
}

impl<'b, 'a, F: FrameAllocator, M: FrameKind> FrameRef<'b, 'a, F, M> {
    /// Another reference to the frame, one of its own.
    ///
    /// # Errors
    /// [`FrameError::Saturated`] if there are as many as there can be; [`FrameError::Busy`] if in 2^32 tries others were
    /// always faster.
    pub fn try_clone(&self) -> (r: Result<Frame<'a, F, M>, FrameError>)
        ensures
            match r {
                Ok(frame) => {
                    &&& frame.table() == self.table()
                    &&& frame.at() == self.at()
                    &&& frame.kind() == self.kind()
                    &&& frame.noted() == self.noted()
                },
                Err(e) => e == FrameError::Saturated { addr: self.at().0 } || e
                    == FrameError::Busy { addr: self.at().0 },
            },
    {
        proof {
            use_type_invariant(self);
        }
        let held = Tracked(Some(*self.token.borrow()));
        let Tracked(token) = self.table.acquire(self.table.locate(self.addr), held)?;
        proof {
            token.lemma_agree(self.token.borrow());
        }
        Ok(Frame::from_handle(Handle::new(self.table, self.addr, Tracked(token))))
    }
}

impl<'b, 'a: 'b, F, M: FrameMeta> FrameRef<'b, 'a, F, M> {
    /// What is noted of the frame.
    #[inline]
    #[must_use]
    pub fn meta(&self) -> (r: &'b M)
        ensures
            *r == self.noted(),
    {
        proof {
            use_type_invariant(self);
        }
        let cell = self.table.meta(self.table.locate(self.addr));
        cell.get::<M>(Tracked(self.token.borrow().borrow_meta()))
    }
}

impl<F, M: FrameKind> Clone for FrameRef<'_, '_, F, M> {
    #[inline]
    fn clone(&self) -> (r: Self)
        ensures
            r == *self,
    {
        *self
    }
}

impl<F, M: FrameKind> Copy for FrameRef<'_, '_, F, M> {

}

} // verus!
