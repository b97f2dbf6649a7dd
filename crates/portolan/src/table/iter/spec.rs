//! Which pages are left.

use super::Mappings;
use crate::arch::PagingMode;
use crate::arch::entry::AccessBits;
use crate::hw::memory::TableMemory;
use crate::spec::space::AddressSpace;
use vstd::prelude::*;

verus! {

impl<'a, M: TableMemory, A: PagingMode, B: AccessBits> Mappings<'a, M, A, B> {
    /// The address space that it reads.
    pub open(crate) spec fn space(self) -> AddressSpace {
        self.table@
    }

    /// The end of the last page; at first, where the range starts.
    pub open(crate) spec fn next_at(self) -> int {
        self.at as int
    }

    /// The range's end.
    pub open(crate) spec fn end_at(self) -> int {
        self.end as int
    }
}

} // verus!
