//! What becomes of a part of an address space.

use super::Part;
use crate::addr::{PageSize, PhysAddr, VirtAddr};
use crate::arch::entry::stored;
use crate::prop::PageProperty;
use crate::space::mappings::map::{is_device_error, is_segment_error};
use crate::space::mappings::spec;
use crate::space::mappings::unmap::Unmapped;
use crate::space::target::Target;
use crate::space::{Kernel, VmError};
use vstd::prelude::*;

verus! {

impl<'a, 'k, K: Kernel> Part<'a, 'k, K> {
    /// Whether `e` is why the `bytes` at `frame` can't be one page at `va`.
    pub(crate) open spec fn is_map_error(
        self,
        va: VirtAddr<K::Mode>,
        frame: PhysAddr,
        bytes: u64,
        prop: PageProperty,
        e: VmError,
    ) -> bool {
        is_segment_error(self.space(), self.whole().phys_bits, va, frame, bytes, prop, e)
    }

    /// Whether `e` is why a device's page can't be at `va`.
    pub(crate) open spec fn is_iomem_error(
        self,
        va: VirtAddr<K::Mode>,
        addr: PhysAddr,
        size: PageSize,
        prop: PageProperty,
        e: VmError,
    ) -> bool {
        let whole = self.whole();
        is_device_error(whole.frames, self.space(), whole.phys_bits, va, addr, size, prop, e)
    }

    /// This is `old` with `target` at `va`.
    pub(crate) open spec fn is_mapped_from(
        self,
        old: Self,
        va: int,
        target: Target<'k, K>,
        prop: PageProperty,
    ) -> bool {
        &&& target.page_size() matches Some(size) && size.bytes() == target.bytes()
        &&& !old.space().overlaps(va, target.bytes() as int)
        &&& self.space() == old.space().map(
            va,
            target.frame(),
            target.page_size()->0,
            stored::<K::Bits>(prop),
        )
    }

    /// This is `old` without the first pages of what was mapped from `lo` to below `hi`.
    pub(crate) open spec fn is_unmapped_from(
        self,
        old: Self,
        lo: int,
        hi: int,
        gone: Unmapped<K::Tables, K::Mode>,
    ) -> bool {
        let (start, end) = (gone.start@, gone.end as int);
        &&& old.space().is_next_page(lo, start)
        &&& lo <= start < end <= hi
        &&& !old.space().is_cut(start, end)
        &&& gone.pages == old.space().count_pages(start, end)
        &&& self.space() == old.space().unmap_range(start, end)
        &&& gone.flush.due().reaches(old.space(), start, end)
    }
}

} // verus!
