//! The theorem.
//!
//! A page table of this crate lives in memory as 64-bit words. The processor walks them as its manual says
//! ([`walk`]): it starts at the root, knows nothing of our code, and may set accessed and dirty bits whenever it likes.
//! [`PageTable`]'s abstraction `table@` is an [`AddressSpace`]: a map from pages to frames with properties.

use crate::addr::PhysAddr;
use crate::arch::entry::{AccessBits, EntryFormat};
use crate::arch::PagingMode;
use crate::hw::memory::TableMemory;
use crate::hw::mmu::{walk, Memory, Walk};
use crate::refine::translation;
use crate::spec::space::AddressSpace;
use crate::table::PageTable;
use vstd::prelude::*;

verus! {

/// **Walk is view.** Whatever memory holds besides the tables, and whichever accessed and dirty bits hardware has set
/// in them, for every 64-bit number taken as a virtual address the walk answers what the address space says: the
/// physical address, what may be done there, and how it is cached; a fault where nothing is mapped.
pub proof fn theorem_walk<M: TableMemory, A: PagingMode, B: AccessBits>(
    tracked table: &PageTable<M, A, B>,
    memory: Memory,
    va: u64,
)
    requires
        table.is_in(memory),
    ensures
        walk::<A>(memory, table.phys_bits(), table.root_table(), va) == translation::<A>(table@, va),
{
    table.lemma_walk(memory, va);
}

} // verus!
