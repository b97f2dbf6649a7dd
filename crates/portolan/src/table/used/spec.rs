//! What it means that a page's accessed and dirty bits are cleared.

use super::super::PageTable;
use crate::addr::{PageSize, PhysAddr, VirtAddr};
use crate::arch::{PagingMode, Tracking};
use crate::flush::Flush;
use crate::hw::TableMemory;
use crate::prop::{Mapping, UsedBits};
use crate::spec::request;
use vstd::prelude::*;

verus! {

impl<M: TableMemory, A: PagingMode> PageTable<M, A, Tracking> {
    /// This is `old` with these bits of the page of `size` at `va` cleared, which was `was`. If it had none of them, it may
    /// be `old` as it was, and nothing is to be flushed.
    pub open spec fn is_cleared_from(
        self,
        old: Self,
        va: VirtAddr<A>,
        size: PageSize,
        bits: UsedBits,
        was: Mapping,
        flush: Flush<M, A>,
    ) -> bool {
        &&& request::is_found(old@, va, size, was)
        &&& self@ == old@.protect(va@, was.prop.without(bits)) || self@ == old@
            && !was.prop.has_any(bits)
        &&& self.steps_from(old)
        &&& flush.due().first() == va
        &&& flush.due().least() == size
        &&& flush.due().len() == if was.prop.has_any(bits) {
            size.bytes()
        } else {
            0
        }
        &&& self.frames() == old.frames()
        &&& flush.frames() == Set::<PhysAddr>::empty()
    }
}

} // verus!
