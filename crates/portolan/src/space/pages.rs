//! What an address space's lock guards.

use super::claims::Claims;
use super::kernel::Kernel;
use super::mappings::Mappings;
use crate::addr::PhysAddr;
use crate::frame::FrameTable;
#[cfg(verus_only)]
use crate::spec::space::AddressSpace;
use vstd::predicate::Predicate;
use vstd::prelude::*;
use vstd::resource::Loc;

verus! {

/// The page table of a kernel's address space, with references to the frames that it maps.
pub(crate) type Pages<'k, K> = Mappings<
    'k,
    <K as Kernel>::Tables,
    <K as Kernel>::Mode,
    <K as Kernel>::Bits,
    <K as Kernel>::Frames,
>;

/// What an address space's lock guards.
#[verifier::reject_recursive_types(K)]
pub(crate) struct Shared<'k, K: Kernel> {
    /// What is mapped.
    pub(crate) pages: Pages<'k, K>,
    /// Which ranges cursors have.
    pub(crate) claims: Claims,
}

/// What holds of this whenever nobody has the lock.
#[verifier::reject_recursive_types(K)]
pub(crate) ghost struct Whole<'k, K: Kernel> {
    /// The table's root.
    pub root: PhysAddr,
    /// How many bits physical addresses have.
    pub phys_bits: u64,
    /// The table of the frames that it maps.
    pub frames: FrameTable<'k, K::Frames>,
    /// What tells the claims to this address space apart from others.
    pub ids: Seq<Loc>,
}

impl<'k, K: Kernel> Whole<'k, K> {
    /// So it is with the pages.
    pub(crate) open spec fn has(self, pages: Pages<'k, K>) -> bool {
        &&& pages.inv()
        &&& pages.table().root_table() == self.root
        &&& pages.table().phys_bits() == self.phys_bits
        &&& pages.frame_table() == self.frames
    }
}

impl<'k, K: Kernel> Predicate<Shared<'k, K>> for Whole<'k, K> {
    open(crate) spec fn predicate(&self, shared: Shared<'k, K>) -> bool {
        &&& self.has(shared.pages)
        &&& shared.claims.are_of(self.ids, shared.pages.space())
    }
}

/// All below the end of the first run that was unmapped is free; it started no lower than what was known to be free reached.
pub(crate) proof fn lemma_first_run(
    old: AddressSpace,
    now: AddressSpace,
    at: int,
    start: int,
    end: int,
)
    requires
        0 <= at,
        start < end,
        forall|base: int| #[trigger] old.pages.contains_key(base) ==> 0 <= base,
        old.is_free(0, at),
        old.is_next_page(0, start),
        now == old.unmap_range(start, end),
    ensures
        now.is_free(0, end),
        at <= start,
{
    assert(old.covers(start, start));
    assert(old.lookup(start) is Some);
    assert(old.translate(start) is Some);
    assert forall|va: int| 0 <= va < end implies #[trigger] now.translate(va) is None by {
        if now.translate(va) is Some {
            let base = now.base(va);
            assert(now.covers(base, va));
            assert(old.covers(base, base));
            assert(old.translate(base) is Some);
        }
    }
}

} // verus!
