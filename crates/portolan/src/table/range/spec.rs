//! What a range has to be for all its pages to be worked on.

use super::super::PageTable;
use super::super::tree::Tree;
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, EntryFormat};
use crate::flush::Flush;
use crate::hw::memory::TableMemory;
use crate::spec::space::AddressSpace;
use vstd::prelude::*;

verus! {

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// A page of `size` bytes at `start` lies partly in `lo..hi` and partly outside.
    pub(crate) open spec fn is_cut_by(self, lo: int, hi: int, start: int, size: int) -> bool {
        &&& 0 <= start < A::geo().limit()
        &&& self.space().pages.contains_key(start)
        &&& self.space().pages[start].size.bytes() == size
        &&& start < hi && lo < start + size
        &&& !(lo <= start && start + size <= hi)
    }

    /// The page that covers `at`, if there is one, lies within `lo..hi`.
    pub(crate) open spec fn is_whole_at(self, lo: int, hi: int, at: int) -> bool {
        forall|base: int| #[trigger]
            self.space().covers(base, at) ==> lo <= base && base
                + self.space().pages[base].size.bytes() <= hi
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> PageTable<M, A, B> {
    /// This is `old` after [`unmap_range`](PageTable::unmap_range) was asked for the range from `lo` to `hi`.
    pub open spec fn is_unmapped_from(
        self,
        old: Self,
        lo: int,
        hi: int,
        bytes: u64,
        flush: Flush<M, A>,
    ) -> bool {
        &&& A::resizes() || lo == hi || !old@.is_cut(lo, hi)
        &&& exists|cut: AddressSpace| #[trigger]
            old@.may_cut::<A>(lo, hi, cut) && self@ == cut.unmap_range(lo, hi)
        &&& old@.resembles_outside(self@, lo, hi)
        &&& bytes == old@.mapped_bytes(lo, hi)
        &&& self.steps_through(old)
        &&& flush.due().reaches(old@.cut::<A>(lo, hi), lo, hi)
        &&& old.frames().subset_of(self.frames().union(flush.frames()))
        &&& !old@.is_cut(lo, hi) ==> old.frames() == self.frames().union(flush.frames())
        &&& self.frames().disjoint(flush.frames())
    }
}

} // verus!
