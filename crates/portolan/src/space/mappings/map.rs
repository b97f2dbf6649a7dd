//! Mapping frames of ordinary memory, whose references are kept, and a device's.

use super::Mappings;
#[cfg(verus_only)]
use super::proof::pieces::put_run;
use crate::addr::{PageSize, PhysAddr, VirtAddr};
use crate::arch::PagingMode;
use crate::arch::entry::AccessBits;
use crate::error::Error;
#[cfg(verus_only)]
use crate::frame::FrameTable;
use crate::frame::{FrameAllocator, USegment};
use crate::hw::TableMemory;
use crate::hw::frame::same_table;
use crate::prop::PageProperty;
use crate::space::VmError;
#[cfg(verus_only)]
use crate::spec::request;
#[cfg(verus_only)]
use crate::spec::space::AddressSpace;
use vstd::prelude::*;

verus! {

/// The page size of so many bytes, if there is one.
pub(crate) open spec fn spec_size_of(bytes: u64) -> Option<PageSize> {
    match bytes {
        0x1000 => Some(PageSize::Size4K),
        0x4000 => Some(PageSize::Size16K),
        0x1_0000 => Some(PageSize::Size64K),
        0x20_0000 => Some(PageSize::Size2M),
        0x200_0000 => Some(PageSize::Size32M),
        0x2000_0000 => Some(PageSize::Size512M),
        0x4000_0000 => Some(PageSize::Size1G),
        _ => None,
    }
}

/// The page size of so many bytes, if there is one.
#[verifier::when_used_as_spec(spec_size_of)]
pub(crate) fn size_of(bytes: u64) -> (r: Option<PageSize>)
    ensures
        r == spec_size_of(bytes),
        r matches Some(size) ==> size.bytes() == bytes,
    no_unwind
{
    match bytes {
        0x1000 => Some(PageSize::Size4K),
        0x4000 => Some(PageSize::Size16K),
        0x1_0000 => Some(PageSize::Size64K),
        0x20_0000 => Some(PageSize::Size2M),
        0x200_0000 => Some(PageSize::Size32M),
        0x2000_0000 => Some(PageSize::Size512M),
        0x4000_0000 => Some(PageSize::Size1G),
        _ => None,
    }
}

/// Whether `e` is why the `bytes` at `frame` can't be one page at `va`, where `space` is mapped.
pub(crate) open spec fn is_segment_error<A: PagingMode>(
    space: AddressSpace,
    phys_bits: u64,
    va: VirtAddr<A>,
    frame: PhysAddr,
    bytes: u64,
    prop: PageProperty,
    e: VmError,
) -> bool {
    match e {
        VmError::Paging(e) => match size_of(bytes) {
            Some(size) => request::is_map_error(space, phys_bits, va, frame, size, prop, e),
            None => e == (Error::UnsupportedSize { addr: va.raw(), size: bytes }),
        },
        VmError::ForeignFrame { addr } => addr == frame.0,
        _ => false,
    }
}

/// Whether `e` is why a device's page can't be at `va`, where `space` is mapped and `frames` are ordinary memory.
pub(crate) open spec fn is_device_error<A: PagingMode, F>(
    frames: FrameTable<'_, F>,
    space: AddressSpace,
    phys_bits: u64,
    va: VirtAddr<A>,
    addr: PhysAddr,
    size: PageSize,
    prop: PageProperty,
    e: VmError,
) -> bool {
    if !frames.has_none(addr.0 as int, size.bytes() as int) {
        e == (VmError::IsMemory { addr: addr.0 })
    } else {
        e matches VmError::Paging(e) && request::is_map_error(
            space,
            phys_bits,
            va,
            addr,
            size,
            prop,
            e,
        )
    }
}

impl<'f, M: TableMemory, A: PagingMode, B: AccessBits, F: FrameAllocator> Mappings<'f, M, A, B, F> {
    /// Whether `e` is the answer to a request to map `bytes` at `frame` as one page that is not done.
    pub(crate) open spec fn is_map_error(
        self,
        va: VirtAddr<A>,
        frame: PhysAddr,
        bytes: u64,
        prop: PageProperty,
        e: VmError,
    ) -> bool {
        is_segment_error(self.space(), self.table().phys_bits(), va, frame, bytes, prop, e)
    }

    /// Whether `e` is the answer to a request to map a device's page that is not done.
    pub(crate) open spec fn is_iomem_error(
        self,
        va: VirtAddr<A>,
        addr: PhysAddr,
        size: PageSize,
        prop: PageProperty,
        e: VmError,
    ) -> bool {
        let (frames, space) = (self.frame_table(), self.space());
        is_device_error(frames, space, self.table().phys_bits(), va, addr, size, prop, e)
    }

    /// Maps the whole segment as one page at `va`. The references are the address space's from then on; if that fails, the
    /// segment is the caller's as before. If its frames are `known` to be the table's, they are not asked for that.
    ///
    /// # Errors
    /// In this order: [`VmError::ForeignFrame`]; [`Error::UnsupportedSize`] if no page is as large as the segment; those of
    /// [`PageTable::map`](crate::PageTable::map).
    #[inline]
    #[cfg_attr(not(verus_only), expect(unused_variables, reason = "the references are the prover's"))]
    pub(crate) fn map(
        &mut self,
        va: VirtAddr<A>,
        segment: USegment<'f, F>,
        prop: PageProperty,
        known: bool,
    ) -> (r: Result<(), (VmError, USegment<'f, F>)>)
        requires
            old(self).inv(),
            known ==> segment.table() == old(self).frame_table(),
        ensures
            final(self).inv(),
            final(self).frame_table() == old(self).frame_table(),
            ({
                let frame = PhysAddr(segment.start() as u64);
                let bytes = (segment.end() - segment.start()) as u64;
                match r {
                    Ok(()) => {
                        &&& size_of(bytes) is Some
                        &&& final(self).table().is_mapped_from(
                            old(self).table(),
                            va,
                            frame,
                            size_of(bytes)->0,
                            prop,
                        )
                    },
                    Err((e, same)) => {
                        &&& same == segment
                        &&& old(self).is_map_error(va, frame, bytes, prop, e)
                        &&& e is Paging ==> segment.table() == old(self).frame_table()
                        &&& known ==> e is Paging
                        &&& final(self).table().same_as(old(self).table())
                    },
                }
            }),
    {
        if !known && !same_table(segment.frame_table(), self.frames) {
            return Err((VmError::ForeignFrame { addr: segment.paddr().0 }, segment));
        }
        let (frame, bytes) = (segment.paddr(), segment.size());
        let Some(size) = size_of(bytes) else {
            let e = Error::UnsupportedSize { addr: va.as_u64(), size: bytes };
            return Err((VmError::Paging(e), segment));
        };
        proof {
            self.table.lemma_shaped();
        }
        if let Err(e) = self.table.map(va, frame, size, prop) {
            return Err((VmError::Paging(e), segment));
        }
        let (_, first, end, Tracked(more)) = segment.into_parts();
        proof {
            let n = (end - first) as nat;
            put_run(self.tokens.borrow_mut(), more, va@, first as int, n);
            self.table.lemma_shaped();
            self.frames.lemma_layout();
            self.lemma_mapped(*old(self), va, frame, size, prop, first as int, more);
        }
        Ok(())
    }

    /// Maps a page of a device's memory or registers, of which nobody has references.
    ///
    /// # Errors
    /// In this order: [`VmError::IsMemory`] if a part of it is in the table of frames; those of
    /// [`PageTable::map`](crate::PageTable::map).
    pub(crate) fn map_iomem(
        &mut self,
        va: VirtAddr<A>,
        addr: PhysAddr,
        size: PageSize,
        prop: PageProperty,
    ) -> (r: Result<(), VmError>)
        requires
            old(self).inv(),
        ensures
            final(self).inv(),
            final(self).frame_table() == old(self).frame_table(),
            match r {
                Ok(()) => {
                    &&& old(self).frame_table().has_none(addr.0 as int, size.bytes() as int)
                    &&& final(self).table().is_mapped_from(old(self).table(), va, addr, size, prop)
                },
                Err(e) => {
                    &&& final(self).table().same_as(old(self).table())
                    &&& old(self).is_iomem_error(va, addr, size, prop, e)
                },
            },
    {
        if self.frames.overlaps(addr, size.bytes()) {
            return Err(VmError::IsMemory { addr: addr.0 });
        }
        proof {
            self.table.lemma_shaped();
        }
        if let Err(e) = self.table.map(va, addr, size, prop) {
            return Err(VmError::Paging(e));
        }
        proof {
            self.table.lemma_shaped();
            self.lemma_mapped_iomem(*old(self), va, addr, size, prop);
        }
        Ok(())
    }
}

} // verus!
