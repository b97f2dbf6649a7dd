//! A page table together with references to the frames that it maps.

use crate::addr::VirtAddr;
use crate::arch::PagingMode;
use crate::arch::entry::AccessBits;
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
use crate::frame::token::FrameToken;
use crate::frame::{FrameAllocator, FrameTable};
use crate::hw::TableMemory;
use crate::prop::Mapping;
#[cfg(verus_only)]
use crate::spec::space::AddressSpace;
use crate::table::PageTable;
use vstd::prelude::*;

mod fork;
pub(crate) mod map;
#[cfg(verus_only)]
mod proof;
mod protect;
pub(crate) mod reference;
#[cfg(verus_only)]
pub(crate) mod spec;
pub(crate) mod unmap;
mod whole;

pub use reference::MappedItem;

verus! {

/// A page table, and for each frame of ordinary memory that it maps one reference.
///
/// What is ordinary memory is what the table of frames knows. A page of it is in the table as a whole; other pages, such as
/// a device's registers, lie outside as a whole, and have no references. Of the frames' memory it is known that it is plain
/// bytes.
#[verifier::reject_recursive_types(M)]
pub(crate) struct Mappings<'f, M: TableMemory, A: PagingMode, B: AccessBits, F: FrameAllocator> {
    table: PageTable<M, A, B>,
    frames: &'f FrameTable<'f, F>,
    /// One for each piece of 4 KiB that is mapped to a frame of the table, by its virtual address, counted from the start of
    /// what the page table covers.
    tokens: Tracked<Map<int, FrameToken>>,
}

impl<'f, M: TableMemory, A: PagingMode, B: AccessBits, F: FrameAllocator> Mappings<'f, M, A, B, F> {
    /// The invariant: the references are those to what is mapped, and each page lies within the table of frames or outside.
    ///
    /// It is no type invariant, as page tables may unwind when an allocator does.
    pub(crate) closed spec fn inv(self) -> bool {
        &&& spec::are_held(*self.frames, self.table@, self.tokens@)
        &&& spec::is_sorted(*self.frames, self.table@)
    }

    /// The page table.
    pub(crate) closed spec fn table(self) -> PageTable<M, A, B> {
        self.table
    }

    /// What is mapped.
    pub(crate) open spec fn space(self) -> AddressSpace {
        self.table()@
    }

    /// The table of frames.
    pub(crate) closed spec fn frame_table(self) -> FrameTable<'f, F> {
        *self.frames
    }

    /// An empty page table and no references.
    pub(crate) fn new(table: PageTable<M, A, B>, frames: &'f FrameTable<'f, F>) -> (r: Self)
        requires
            table@ == AddressSpace::empty(),
        ensures
            r.inv(),
            r.table() == table,
            r.frame_table() == *frames,
    {
        let r = Mappings { table, frames, tokens: Tracked(Map::tracked_empty()) };
        proof {
            r.lemma_empty();
        }
        r
    }

    /// The page table.
    #[inline]
    pub(crate) fn page_table(&self) -> (r: &PageTable<M, A, B>)
        ensures
            *r == self.table(),
    {
        &self.table
    }

    /// The table of frames.
    #[inline]
    pub(crate) fn frames(&self) -> (r: &'f FrameTable<'f, F>)
        ensures
            *r == self.frame_table(),
    {
        self.frames
    }

    /// The first page that reaches past `lo` and starts before `hi`, and where it starts.
    pub(crate) fn find(&self, lo: u64, hi: u64) -> (r: Option<(VirtAddr<A>, Mapping)>)
        requires
            hi <= A::geo().limit(),
        ensures
            match r {
                Some((va, now)) => {
                    &&& lo < hi
                    &&& self.space().is_next_page(lo as int, va@)
                    &&& self.space().pages[va@].may_become(now)
                    &&& va@ < hi
                },
                None => self.space().is_free(lo as int, hi as int),
            },
    {
        if lo >= hi {
            return None;
        }
        self.table.pages_between(lo, hi).next_page()
    }
}

} // verus!
