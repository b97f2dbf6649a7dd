//! What a range has to be for all its pages to be worked on.

use super::super::tree::Tree;
use crate::arch::PagingMode;
use crate::arch::entry::AccessBits;
use crate::hw::memory::TableMemory;
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

} // verus!
