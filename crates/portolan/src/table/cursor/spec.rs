//! Where a cursor is, and what it reads.

use super::super::scan::Place;
use super::Cursor;
use crate::arch::PagingMode;
use crate::arch::entry::AccessBits;
use crate::hw::memory::TableMemory;
use crate::spec::space::AddressSpace;
use vstd::prelude::*;

verus! {

impl<'a, M: TableMemory, A: PagingMode, B: AccessBits> Cursor<'a, M, A, B> {
    /// The address space that it reads.
    pub open(crate) spec fn space(self) -> AddressSpace {
        self.table@
    }

    /// Its range's first address, counted as [`VirtAddr`](crate::VirtAddr)'s `va@` is.
    pub open(crate) spec fn start_at(self) -> int {
        self.start as int
    }

    /// Its range's end.
    pub open(crate) spec fn end_at(self) -> int {
        self.end as int
    }

    /// Where it is.
    pub open(crate) spec fn position(self) -> int {
        self.at as int
    }

    /// `to`, or the end of the range if that comes first.
    pub open spec fn within(self, to: int) -> int {
        if to < self.end_at() {
            to
        } else {
            self.end_at()
        }
    }

    /// `len` bytes further on, or the end of the range.
    pub open spec fn after(self, len: int) -> int {
        self.within(self.position() + len)
    }

    /// This is `old`, moved to `to`.
    pub open spec fn moved_from(self, old: Self, to: int) -> bool {
        &&& self.space() == old.space()
        &&& self.start_at() == old.start_at()
        &&& self.end_at() == old.end_at()
        &&& self.position() == to
    }

    /// `near` is one of the tables.
    pub(crate) open spec fn knows(self, near: Place) -> bool {
        self.table.owned.tree.is_place(near)
    }

    /// `near` is the last table for `at`.
    pub(crate) open spec fn is_at(self, at: u64, near: Place) -> bool {
        near.va == at && self.table.owned.tree.is_last(near)
    }
}

} // verus!
