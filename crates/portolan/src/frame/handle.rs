//! What a handle holds, and gives back when it is dropped.

use super::alloc::FrameAllocator;
use super::table::FrameTable;
use super::token::{Claim, FrameToken};
use crate::addr::PhysAddr;
use crate::hw::frame::settle_in_drop;
use vstd::prelude::*;

verus! {

/// Where a handle is that holds nothing any more: no frame can be there.
pub(crate) const NOWHERE: PhysAddr = PhysAddr(u64::MAX);

/// One reference to a frame, which is given back when it is dropped.
pub(crate) struct Handle<'a, F: FrameAllocator> {
    table: &'a FrameTable<'a, F>,
    addr: PhysAddr,
    token: Tracked<Option<FrameToken>>,
}

impl<'a, F: FrameAllocator> Handle<'a, F> {
    /// Whether it holds a reference.
    pub(crate) closed spec fn holds(self) -> bool {
        &&& self.table.covers(self.addr)
        &&& self.token@ matches Some(token) && token.is_for(self.table.id_of(self.addr))
    }

    /// The prover wants the invariant even of what has been dropped.
    #[verifier::type_invariant]
    spec fn inv(self) -> bool {
        self.holds() || self.addr == NOWHERE
    }

    /// The table of the frame.
    pub(crate) closed spec fn table(self) -> FrameTable<'a, F> {
        *self.table
    }

    /// The frame's address.
    pub(crate) closed spec fn at(self) -> PhysAddr {
        self.addr
    }

    /// The reference.
    pub(crate) closed spec fn token(self) -> FrameToken {
        self.token@->0
    }

    /// A handle that holds the reference `token`.
    #[inline]
    pub(crate) fn new(
        table: &'a FrameTable<'a, F>,
        addr: PhysAddr,
        Tracked(token): Tracked<FrameToken>,
    ) -> (r: Self)
        requires
            table.covers(addr),
            token.is_for(table.id_of(addr)),
        ensures
            r.holds(),
            r.table() == *table,
            r.at() == addr,
            r.token() == token,
    {
        Handle { table, addr, token: Tracked(Some(token)) }
    }

    /// What it holds.
    #[inline(always)]
    pub(crate) fn parts(&self) -> (r: (&'a FrameTable<'a, F>, PhysAddr, Tracked<&FrameToken>))
        requires
            self.holds(),
        ensures
            *r.0 == self.table(),
            r.1 == self.at(),
            *r.2@ == self.token(),
            r.0.covers(r.1),
            r.2@.is_for(r.0.id_of(r.1)),
    {
        (self.table, self.addr, Tracked(self.token.borrow().tracked_borrow()))
    }

    /// What it held.
    #[inline]
    pub(crate) fn into_parts(self) -> (r: (&'a FrameTable<'a, F>, PhysAddr, Tracked<FrameToken>))
        requires
            self.holds(),
        ensures
            *r.0 == self.table(),
            r.1 == self.at(),
            r.2@ == self.token(),
            r.0.covers(r.1),
            r.2@.is_for(r.0.id_of(r.1)),
    {
        let mut handle = self;
        let (table, addr) = (handle.table, handle.addr);
        handle.addr = NOWHERE;
        let tracked token = handle.token.borrow_mut().tracked_take();
        (table, addr, Tracked(token))
    }
}

impl<F: FrameAllocator> Drop for Handle<'_, F> {
    /// Gives the reference back. That there is one is checked for the prover, and for a handle that was taken apart.
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
            let tracked token = self.token.borrow_mut().tracked_take();
            settle_in_drop(
                Debt::Reference { table, index: table.locate(addr), token: Tracked(token) },
            );
        }
    }
}

/// What a handle gives back when it is dropped.
pub(crate) enum Debt<'a, F> {
    /// A reference to the frame of slot `index`.
    Reference { table: &'a FrameTable<'a, F>, index: usize, token: Tracked<FrameToken> },
    /// References to the frames of the slots from `first` to `end`.
    References {
        table: &'a FrameTable<'a, F>,
        first: usize,
        end: usize,
        tokens: Tracked<Map<int, FrameToken>>,
    },
    /// The frame of slot `index`, by its only owner.
    Frame { table: &'a FrameTable<'a, F>, index: usize, claim: Tracked<Claim> },
}

impl<F> Debt<'_, F> {
    /// Whether what is given back is what it says.
    pub(crate) open spec fn is_due(self) -> bool {
        match self {
            Debt::Reference { table, index, token } => {
                index < table.len() && token@.is_for(table.id(index as int))
            },
            Debt::References { table, first, end, tokens } => {
                &&& first <= end <= table.len()
                &&& table.are_tokens(tokens@, first as int, end as int)
            },
            Debt::Frame { table, index, claim } => {
                &&& index < table.len()
                &&& claim@.is_for(table.id(index as int))
                &&& claim@.right.memory is Some
                &&& claim@.right.meta.kind() is Some
            },
        }
    }
}

impl<F: FrameAllocator> Debt<'_, F> {
    /// Gives it back.
    #[inline]
    pub(crate) fn settle(self)
        requires
            self.is_due(),
    {
        match self {
            Debt::Reference { table, index, token } => table.release(index, token),
            Debt::References { table, first, end, tokens } => table.release_run(first, end, tokens),
            Debt::Frame { table, index, claim } => table.retire(index, claim),
        }
    }
}

} // verus!
