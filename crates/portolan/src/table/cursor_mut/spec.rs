//! Where a cursor is, and what it makes of the page table.

use super::super::PageTable;
use super::super::scan::Place;
use super::CursorMut;
use crate::addr::{PageSize, PhysAddr, VirtAddr, VirtRange};
use crate::arch::PagingMode;
use crate::arch::entry::AccessBits;
use crate::error::Error;
use crate::flush::Flush;
use crate::hw::memory::TableMemory;
use crate::prop::PageProperty;
use crate::spec::request;
use crate::spec::space::AddressSpace;
use vstd::prelude::*;

verus! {

impl<'a, M: TableMemory, A: PagingMode, B: AccessBits> CursorMut<'a, M, A, B> {
    /// The page table as it is now.
    pub open(crate) spec fn table(self) -> PageTable<M, A, B> {
        *self.table
    }

    /// The page table as it will be when the cursor is gone.
    #[verifier::prophetic]
    pub open(crate) spec fn final_table(self) -> PageTable<M, A, B> {
        *final(self.table)
    }

    /// What the page table means now.
    pub open spec fn space(self) -> AddressSpace {
        self.table()@
    }

    /// Its range's first address, counted as [`VirtAddr`](crate::VirtAddr)'s `va@` is.
    pub open(crate) spec fn start_at(self) -> int {
        self.first@
    }

    /// Its range's end.
    pub open(crate) spec fn end_at(self) -> int {
        self.end as int
    }

    /// Where it is.
    pub open(crate) spec fn position(self) -> int {
        self.at as int
    }

    /// Where it is, as a number that is not cut to what the table covers.
    pub open(crate) spec fn raw_position(self) -> u64 {
        (self.first.raw().wrapping_add((self.position() - self.start_at()) as u64))
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

    /// `place` is one of the tables.
    pub(crate) open spec fn knows(self, place: Place) -> bool {
        self.table().owned.tree.is_place(place)
    }

    /// This is the same cursor as `old`: of the same table, with the same range.
    #[verifier::prophetic]
    pub open spec fn is_of(self, old: Self) -> bool {
        &&& self.final_table() == old.final_table()
        &&& self.start_at() == old.start_at()
        &&& self.end_at() == old.end_at()
    }

    /// This is `old`, moved to `to`.
    #[verifier::prophetic]
    pub open spec fn moved_from(self, old: Self, to: int) -> bool {
        &&& self.is_of(old)
        &&& self.table() == old.table()
        &&& self.position() == to
    }

    /// Nothing has changed since `old`.
    pub open spec fn stays(self, old: Self) -> bool {
        &&& self.table().same_as(old.table())
        &&& self.position() == old.position()
    }

    /// `va` is where it is.
    pub open spec fn is_here(self, va: VirtAddr<A>) -> bool {
        va@ == self.position()
    }

    /// `range` is the next `len` bytes.
    pub open spec fn is_next_range(self, range: VirtRange<A>, len: int) -> bool {
        &&& range.first()@ == self.position()
        &&& range.bytes() == len
    }

    /// Such a page can be mapped at the position if nothing is there.
    pub open spec fn may_map(self, frame: PhysAddr, size: PageSize, prop: PageProperty) -> bool {
        exists|va: VirtAddr<A>| #[trigger]
            self.is_here(va) && request::check_map(
                self.table().phys_bits(),
                va,
                frame,
                size,
                prop,
            ) is None
    }

    /// `e` is why no page can be mapped at the position.
    pub open spec fn is_map_error(
        self,
        frame: PhysAddr,
        size: PageSize,
        prop: PageProperty,
        e: Error,
    ) -> bool {
        if self.position() + size.bytes() > self.end_at() {
            e == (Error::PastEnd { addr: self.raw_position(), size: size.bytes() })
        } else {
            exists|va: VirtAddr<A>| #[trigger]
                self.is_here(va) && request::is_map_error(
                    self.space(),
                    self.table().phys_bits(),
                    va,
                    frame,
                    size,
                    prop,
                    e,
                )
        }
    }

    /// The next `len` bytes can be mapped if nothing is there; at the end of the range that is none.
    pub open spec fn may_map_range(
        self,
        len: u64,
        frame: PhysAddr,
        largest: PageSize,
        prop: PageProperty,
    ) -> bool {
        self.position() == self.end_at() || exists|range: VirtRange<A>| #[trigger]
            self.is_next_range(range, len as int) && request::check_map_range(
                self.table().phys_bits(),
                range,
                frame,
                largest,
                prop,
            ) is None
    }

    /// `e` is why the next `len` bytes can't be mapped.
    pub open spec fn is_map_range_error(
        self,
        len: u64,
        frame: PhysAddr,
        largest: PageSize,
        prop: PageProperty,
        e: Error,
    ) -> bool {
        if self.position() + len > self.end_at() {
            e == (Error::PastEnd { addr: self.raw_position(), size: len })
        } else {
            exists|range: VirtRange<A>| #[trigger]
                self.is_next_range(range, len as int) && request::is_map_range_error(
                    self.space(),
                    self.table().phys_bits(),
                    range,
                    frame,
                    largest,
                    prop,
                    e,
                )
        }
    }

    /// `e` is why the next `len` bytes can't be unmapped.
    pub open spec fn is_unmap_error(self, len: u64, e: Error) -> bool {
        exists|range: VirtRange<A>| #[trigger]
            self.is_next_range(range, self.after(len as int) - self.position())
                && request::is_cut_error(self.space(), range, e)
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> PageTable<M, A, B> {
    /// `e` is why the first page from `from` to below `end` can't be given these properties.
    pub open spec fn is_next_error(
        self,
        from: int,
        end: int,
        prop: PageProperty,
        e: Error,
    ) -> bool {
        match e {
            Error::CoveredByHugePage { addr, size } => {
                &&& request::names_cut::<A>(self@, from, end, addr, size)
                &&& self@.is_next_page(from, addr as int % A::geo().limit())
            },
            _ => exists|va: VirtAddr<A>| #[trigger]
                self@.is_next(from, va@) && self@.pages.contains_key(va@) && va@
                    + self@.pages[va@].size.bytes() <= end && request::is_protect_error(
                    self@,
                    va,
                    self@.pages[va@].size,
                    prop,
                    e,
                ),
        }
    }
}

} // verus!
