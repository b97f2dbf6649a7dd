//! A page table becomes an address space.

use super::Mappings;
#[cfg(verus_only)]
use crate::addr::VirtRange;
use crate::arch::PagingMode;
use crate::arch::entry::AccessBits;
use crate::frame::{FrameAllocator, FrameTable};
use crate::hw::TableMemory;
#[cfg(verus_only)]
use crate::hw::mmu::Mmu;
#[cfg(verus_only)]
use crate::spec::request;
#[cfg(verus_only)]
use crate::spec::space::AddressSpace;
use crate::table::PageTable;
use vstd::prelude::*;

verus! {

impl<'f, M: TableMemory, A: PagingMode, B: AccessBits, F: FrameAllocator> Mappings<'f, M, A, B, F> {
    /// The pages are where a table's can be.
    pub(crate) proof fn lemma_shaped(tracked &self)
        ensures
            self.space().is_shaped::<A>(),
            0 < A::geo().limit() <= 0x200_0000_0000_0000,
    {
        self.table.lemma_shaped();
        A::geo().lemma_limit();
        A::geo().lemma_span(1);
    }

    /// A range between pages can be worked on.
    pub(crate) proof fn lemma_range_of_pages(tracked &self, range: VirtRange<A>)
        requires
            range.first()@ % A::geo().span(1) == 0,
            range.bytes() as int % A::geo().span(1) == 0,
            range.first()@ + range.bytes() <= A::geo().limit(),
        ensures
            request::check_range(range) is None,
    {
        self.table.lemma_range_of_pages(range);
    }

    /// The mappings of `table`, of which there are none; otherwise the address of the first.
    pub(crate) fn of(table: PageTable<M, A, B>, frames: &'f FrameTable<'f, F>) -> (r: Result<
        Self,
        u64,
    >)
        ensures
            match r {
                Ok(mappings) => {
                    &&& mappings.inv()
                    &&& mappings.table() == table
                    &&& mappings.space() == AddressSpace::empty()
                    &&& mappings.frame_table() == *frames
                },
                Err(addr) => table@.pages.contains_key(addr as int % A::geo().limit()),
            },
    {
        proof {
            A::lemma_geometry();
            A::geo().lemma_limit();
            A::geo().lemma_span(1);
        }
        let first = table.pages_between(0, A::geometry().limit_bytes()).next_page();
        match first {
            Some((va, _)) => Err(va.as_u64()),
            None => {
                proof {
                    table.lemma_shaped();
                    lemma_nothing::<A>(table@);
                }
                Ok(Mappings::new(table, frames))
            },
        }
    }
}

/// Where no address is mapped there are no pages.
proof fn lemma_nothing<A: PagingMode>(space: AddressSpace)
    requires
        space.is_shaped::<A>(),
        space.is_free(0, A::geo().limit()),
    ensures
        space == AddressSpace::empty(),
{
    assert forall|base: int| !space.pages.contains_key(base) by {
        if space.pages.contains_key(base) {
            assert(space.covers(base, base));
            assert(space.translate(base) is Some);
        }
    }
    assert(space.pages =~= AddressSpace::empty().pages);
}

} // verus!
