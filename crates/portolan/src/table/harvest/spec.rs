//! How far a search is, and what it has given.

use super::super::PageTable;
use super::{Due, Harvest};
use crate::addr::VirtAddr;
use crate::arch::{PagingMode, Tracking};
use crate::hw::memory::TableMemory;
use crate::prop::{Mapping, UsedBits};
use vstd::prelude::*;

verus! {

impl<A: PagingMode> Due<A> {
    /// All the pages lie in it, and none is smaller than its smallest.
    pub(crate) open spec fn inv(self) -> bool {
        &&& self.first@ <= self.end
        &&& self.pages@.len() == 0 ==> self.first@ == self.end
        &&& self.pages@.len() > 0 ==> self.first@ < self.end
        &&& forall|k: int|
            0 <= k < self.pages@.len() ==> {
                let (va, was) = #[trigger] self.pages@[k];
                &&& self.first@ <= va@
                &&& va@ + was.size.bytes() <= self.end
                &&& self.least.bytes() <= was.size.bytes()
            }
    }
}

impl<'a, M: TableMemory, A: PagingMode> Harvest<'a, M, A> {
    /// The page table as it is now.
    pub open(crate) spec fn table(self) -> PageTable<M, A, Tracking> {
        *self.table
    }

    /// The page table as it will be when the search is over.
    #[verifier::prophetic]
    pub open(crate) spec fn final_table(self) -> PageTable<M, A, Tracking> {
        *final(self.table)
    }

    /// Which bits it looks for.
    pub open(crate) spec fn bits(self) -> UsedBits {
        self.bits
    }

    /// Its range's first address, counted as [`VirtAddr`](crate::VirtAddr)'s `va@` is.
    pub open(crate) spec fn start_at(self) -> int {
        self.start@
    }

    /// The end of the last page that it gave; at first, where the range starts.
    pub open(crate) spec fn next_at(self) -> int {
        self.at as int
    }

    /// Its range's end.
    pub open(crate) spec fn end_at(self) -> int {
        self.end as int
    }

    /// The pages that it gave, as they were before their bits were cleared.
    pub open(crate) spec fn pages(self) -> Seq<(VirtAddr<A>, Mapping)> {
        self.due.pages@
    }

    /// This is the same search as `old`.
    #[verifier::prophetic]
    pub open spec fn is_of(self, old: Self) -> bool {
        &&& self.final_table() == old.final_table()
        &&& self.bits() == old.bits()
        &&& self.start_at() == old.start_at()
        &&& self.end_at() == old.end_at()
    }

    /// As far as it got, all pages of the range are unused, as far as software knows.
    pub open spec fn is_clear(self) -> bool {
        self.table()@.is_unused(self.start_at(), self.next_at(), self.bits())
    }
}

} // verus!
