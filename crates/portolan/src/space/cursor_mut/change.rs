//! What a cursor changes.

use super::CursorMut;
use crate::addr::{PageSize, PhysAddr, VirtRange};
use crate::arch::entry::Encoding;
use crate::error::Error;
use crate::frame::{UFrame, USegment};
use crate::hw::AtomicMode;
#[cfg(verus_only)]
use crate::hw::mmu::Mmu;
use crate::prop::PageProperty;
use crate::space::flusher::TlbFlusher;
use crate::space::pages::Pages;
use crate::space::{Kernel, VmError};
#[cfg(verus_only)]
use crate::spec::space::AddressSpace;
use vstd::prelude::*;

verus! {

impl<'a, 'k, K: Kernel, G: AtomicMode> CursorMut<'a, 'k, K, G> {
    /// Maps a frame of 4 KiB where the cursor is, and goes on past it. The reference is the address space's from then on, until
    /// the page is unmapped and processors have been told.
    ///
    /// # Errors
    /// Those of [`map_segment`](CursorMut::map_segment).
    pub fn map(&mut self, frame: UFrame<'k, K::Frames>, prop: PageProperty) -> (r: Result<(), VmError>)
        ensures
            match r {
                Ok(()) => final(self).is_mapped_from(*old(self), frame.at(), PageSize::Size4K, prop),
                Err(e) => final(self).is_refused_from(*old(self), 0x1000, e),
            },
    {
        self.map_segment(USegment::from_frame(frame), prop)
    }

    /// Maps a whole segment as one page, where the cursor is, and goes on past it.
    ///
    /// A page of the same size that is there is replaced; on AArch64, processors have been told of that before the new one is
    /// mapped.
    ///
    /// # Errors
    /// In this order: [`VmError::Paging`] with [`Error::NotAligned`] if the segment's size is not a multiple of the smallest page;
    /// [`VmError::OutOfRange`] if the range ends before the page would; [`VmError::ForeignFrame`] if the frames are another
    /// table's than the machine's; [`Error::UnsupportedSize`], and what else [`PageTable::map`](crate::PageTable::map)
    /// answers, with [`Error::AlreadyMapped`] if pages of another size are in the way. On an error the references are given
    /// back, and nothing has changed; but for [`Error::NoMemory`], when a page that was to be replaced may have been unmapped.
    pub fn map_segment(&mut self, segment: USegment<'k, K::Frames>, prop: PageProperty) -> (r: Result<
        (),
        VmError,
    >)
        ensures
            ({
                let bytes = (segment.end() - segment.start()) as u64;
                match r {
                    Ok(()) => PageSize::of_bytes(bytes) matches Some(size) && final(
                        self,
                    ).is_mapped_from(*old(self), PhysAddr(segment.start() as u64), size, prop),
                    Err(e) => final(self).is_refused_from(*old(self), bytes, e),
                }
            }),
    {
        let bytes = segment.size();
        let (at, to) = self.cursor.ahead(bytes)?;
        let Some(va) = self.cursor.virt_addr() else {
            return Err(VmError::OutOfRange { addr: at });
        };
        let Some((mut pages, held)) = self.cursor.lease.take() else {
            return Err(VmError::Poisoned);
        };
        let mut done = pages.map(va, segment, prop);
        if let Err((VmError::Paging(Error::AlreadyMapped { .. }), segment)) = done {
            done = match Self::vacate(&mut pages, &mut self.flusher, at, to) {
                Ok(()) => pages.map(va, segment, prop),
                Err(e) => Err((e, segment)),
            };
        }
        self.cursor.lease.put(pages, held);
        match done {
            Ok(()) => {
                self.cursor.span.go(to);
                Ok(())
            },
            Err((e, _)) => Err(e),
        }
    }
}

} // verus!
