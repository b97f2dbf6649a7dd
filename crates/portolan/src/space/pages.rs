//! What an address space's lock guards.

use super::kernel::Kernel;
use super::mappings::Mappings;
use crate::addr::PhysAddr;
use crate::frame::FrameTable;
use vstd::predicate::Predicate;
use vstd::prelude::*;

verus! {

/// The page table of a kernel's address space, with references to the frames that it maps.
pub(crate) type Pages<'k, K> = Mappings<
    'k,
    <K as Kernel>::Tables,
    <K as Kernel>::Mode,
    <K as Kernel>::Bits,
    <K as Kernel>::Frames,
>;

/// What holds of an address space's page table whenever no cursor has it.
#[verifier::reject_recursive_types(K)]
pub(crate) ghost struct Whole<'k, K: Kernel> {
    /// The table's root.
    pub root: PhysAddr,
    /// The table of the frames that it maps.
    pub frames: FrameTable<'k, K::Frames>,
}

impl<'k, K: Kernel> Predicate<Pages<'k, K>> for Whole<'k, K> {
    open(crate) spec fn predicate(&self, pages: Pages<'k, K>) -> bool {
        &&& pages.inv()
        &&& pages.table().root_table() == self.root
        &&& pages.frame_table() == self.frames
    }
}

} // verus!
