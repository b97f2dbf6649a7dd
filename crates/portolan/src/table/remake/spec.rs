//! What was broken, and what is made of it.

use super::super::PageTable;
use super::{Broken, Vacant};
use crate::addr::{PageSize, PhysAddr, VirtAddr};
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, stored};
use crate::error::Error;
use crate::flush::FlushRange;
use crate::hw::TableMemory;
use crate::prop::{Mapping, PageProperty};
use crate::spec::request;
use crate::spec::space::AddressSpace;
use vstd::prelude::*;

verus! {

/// Nothing is mapped where the page `was` could be at `va`, or pages of `part` in its place.
pub(super) open spec fn is_hole<M: TableMemory, A: PagingMode, B: AccessBits>(
    table: PageTable<M, A, B>,
    va: VirtAddr<A>,
    was: Mapping,
    part: PageSize,
) -> bool {
    &&& request::check_map(table.phys_bits(), va, was.frame, was.size, was.prop) is None
    &&& table@.is_free(va@, va@ + was.size.bytes())
    &&& request::has_size::<A>(part)
    &&& part.bytes() <= was.size.bytes()
}

/// Whoever was told of the range was told of pages of `part` in the `size` bytes at `va`.
pub(super) open spec fn tells_of<A: PagingMode>(
    range: FlushRange<A>,
    va: VirtAddr<A>,
    size: PageSize,
    part: PageSize,
) -> bool {
    &&& range.first()@ <= va@
    &&& va@ + size.bytes() <= range.first()@ + range.len()
    &&& range.least().bytes() <= part.bytes()
}

impl<'a, M: TableMemory, A: PagingMode, B: AccessBits> Broken<'a, M, A, B> {
    /// The page table as it is now.
    pub open(crate) spec fn table(self) -> PageTable<M, A, B> {
        *self.table
    }

    /// The page table when it is given back.
    #[verifier::prophetic]
    pub open(crate) spec fn final_table(self) -> PageTable<M, A, B> {
        *final(self.table)
    }

    /// Where the pages were.
    pub open(crate) spec fn at(self) -> VirtAddr<A> {
        self.va
    }

    /// What they were: the page, or the one that they could be.
    pub open(crate) spec fn before(self) -> Mapping {
        self.was
    }

    /// How large each of them was.
    pub open(crate) spec fn part_size(self) -> PageSize {
        self.part
    }

    /// What the processors are to be told of.
    pub open(crate) spec fn due(self) -> FlushRange<A> {
        self.flush.due()
    }

    /// The frames of the tables that the flush keeps alive.
    pub open(crate) spec fn frames(self) -> Set<PhysAddr> {
        self.flush.frames()
    }
}

impl<'a, M: TableMemory, A: PagingMode, B: AccessBits> Vacant<'a, M, A, B> {
    /// The page table as it is now.
    pub open(crate) spec fn table(self) -> PageTable<M, A, B> {
        *self.table
    }

    /// The page table when it is given back.
    #[verifier::prophetic]
    pub open(crate) spec fn final_table(self) -> PageTable<M, A, B> {
        *final(self.table)
    }

    /// Where the pages were.
    pub open(crate) spec fn at(self) -> VirtAddr<A> {
        self.va
    }

    /// What they were: the page, or the one that they could be.
    pub open(crate) spec fn before(self) -> Mapping {
        self.was
    }

    /// How large each of them was.
    pub open(crate) spec fn part_size(self) -> PageSize {
        self.part
    }

    /// What the processors have been told of.
    pub open(crate) spec fn told(self) -> FlushRange<A> {
        self.flushed@.range()
    }

    /// This is what was broken, after the flush.
    #[verifier::prophetic]
    pub open spec fn follows(self, broken: Broken<'a, M, A, B>) -> bool {
        &&& self.table() == broken.table()
        &&& self.final_table() == broken.final_table()
        &&& self.at() == broken.at()
        &&& self.before() == broken.before()
        &&& self.part_size() == broken.part_size()
        &&& self.told() == broken.due()
    }

    /// This is `old`, and nothing has changed.
    #[verifier::prophetic]
    pub open spec fn is_still(self, old: Self) -> bool {
        &&& self.table().same_as(old.table())
        &&& self.final_table() == old.final_table()
        &&& self.at() == old.at()
        &&& self.before() == old.before()
        &&& self.part_size() == old.part_size()
        &&& self.told() == old.told()
    }

    /// The address space with the page there as it was.
    pub open spec fn whole(self) -> AddressSpace {
        let was = self.before();
        self.table()@.map(self.at()@, was.frame, was.size, stored::<B>(was.prop))
    }

    /// Whether the mode has pages of `part`, and they are smaller than what was broken.
    pub open spec fn is_smaller(self, part: PageSize) -> bool {
        request::has_size::<A>(part) && part.bytes() < self.before().size.bytes()
    }

    /// Whether `frame` can be mapped here; if not, `Some` error.
    pub open spec fn check_make(self, frame: PhysAddr, prop: PageProperty) -> Option<Error> {
        request::check_map(self.table().phys_bits(), self.at(), frame, self.before().size, prop)
    }

    /// The answer if there is no frame for a table.
    pub open spec fn no_memory(self) -> Error {
        Error::NoMemory { addr: self.at().raw(), size: self.before().size.bytes() }
    }

    /// `e` is the answer to a request to map a page that is not done.
    pub open spec fn is_make_error(self, frame: PhysAddr, prop: PageProperty, e: Error) -> bool {
        Some(e) == match self.check_make(frame, prop) {
            Some(e) => Some(e),
            None => Some(self.no_memory()),
        }
    }
}

} // verus!
