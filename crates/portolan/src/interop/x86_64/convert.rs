//! Addresses, pages and frames.

use crate::arch::AccessBits;
use crate::arch::x86_64::{Levels, X86};
use crate::{Error, Mapping, PageSize, PageTable, PhysAddr, TableMemory, VirtAddr, X86_64};
use ::x86_64::structures::paging as theirs;
use theirs::mapper::MappedFrame;
use theirs::{Page, PhysFrame, Size1GiB, Size2MiB};

/// The size of the crate's pages of `S`.
#[must_use]
pub const fn page_size<S: theirs::PageSize>() -> PageSize {
    match S::SIZE {
        Page::<Size1GiB>::SIZE => PageSize::Size1G,
        Page::<Size2MiB>::SIZE => PageSize::Size2M,
        _ => PageSize::Size4K,
    }
}

impl<M: TableMemory, L: Levels, B: AccessBits> PageTable<M, X86<L>, B> {
    /// The root table as the [`x86_64`](https://docs.rs/x86_64) crate's `Cr3::write` takes it.
    #[cfg_attr(docsrs, doc(cfg(feature = "x86_64")))]
    #[inline]
    #[must_use]
    pub fn root_frame(&self) -> PhysFrame {
        // nothing is cut off: `TableMemory` gives frames that an entry can refer to
        PhysFrame::containing_address(::x86_64::PhysAddr::new_truncate(self.root().as_u64()))
    }
}

impl From<::x86_64::PhysAddr> for PhysAddr {
    #[inline]
    fn from(addr: ::x86_64::PhysAddr) -> Self {
        PhysAddr::new(addr.as_u64())
    }
}

/// Fails with [`Error::PhysTooWide`] if the address has more than 52 bits.
impl TryFrom<PhysAddr> for ::x86_64::PhysAddr {
    type Error = Error;

    #[inline]
    fn try_from(addr: PhysAddr) -> Result<Self, Error> {
        let addr = addr.as_u64();
        Self::try_new(addr).map_err(|_| Error::PhysTooWide { addr, size: 0 })
    }
}

/// Panics if the address isn't canonical, which only `x86_64::VirtAddr::new_unsafe` could have made.
impl From<::x86_64::VirtAddr> for VirtAddr<X86_64> {
    #[inline]
    fn from(addr: ::x86_64::VirtAddr) -> Self {
        VirtAddr::new(addr.as_u64()).expect("the crate's addresses are canonical")
    }
}

impl From<VirtAddr<X86_64>> for ::x86_64::VirtAddr {
    #[inline]
    fn from(addr: VirtAddr<X86_64>) -> Self {
        // nothing is cut off: ours are canonical too
        Self::new_truncate(addr.as_u64())
    }
}

/// The page's first address.
impl<S: theirs::PageSize> From<Page<S>> for VirtAddr<X86_64> {
    #[inline]
    fn from(page: Page<S>) -> Self {
        page.start_address().into()
    }
}

/// Fails with [`Error::NotAligned`] if no page of this size starts at the address.
impl<S: theirs::PageSize> TryFrom<VirtAddr<X86_64>> for Page<S> {
    type Error = Error;

    #[inline]
    fn try_from(addr: VirtAddr<X86_64>) -> Result<Self, Error> {
        Page::from_start_address(addr.into()).map_err(|_| Error::NotAligned {
            addr: addr.as_u64(),
            size: S::SIZE,
        })
    }
}

/// The frame's first address.
impl<S: theirs::PageSize> From<PhysFrame<S>> for PhysAddr {
    #[inline]
    fn from(frame: PhysFrame<S>) -> Self {
        frame.start_address().into()
    }
}

/// Fails with [`Error::NotAligned`] if no frame of this size starts at the address, and with [`Error::PhysTooWide`] if
/// the address has more than 52 bits.
impl<S: theirs::PageSize> TryFrom<PhysAddr> for PhysFrame<S> {
    type Error = Error;

    #[inline]
    fn try_from(addr: PhysAddr) -> Result<Self, Error> {
        let (at, size) = (addr.as_u64(), S::SIZE);
        let valid =
            ::x86_64::PhysAddr::try_new(at).map_err(|_| Error::PhysTooWide { addr: at, size })?;
        PhysFrame::from_start_address(valid).map_err(|_| Error::NotAligned { addr: at, size })
    }
}

/// The mapping's frame; fails with [`Error::UnsupportedSize`] for sizes that x86_64 lacks, or as for a `PhysFrame`.
impl TryFrom<Mapping> for MappedFrame {
    type Error = Error;

    fn try_from(mapping: Mapping) -> Result<Self, Error> {
        match mapping.size {
            PageSize::Size4K => mapping.frame.try_into().map(MappedFrame::Size4KiB),
            PageSize::Size2M => mapping.frame.try_into().map(MappedFrame::Size2MiB),
            PageSize::Size1G => mapping.frame.try_into().map(MappedFrame::Size1GiB),
            size => Err(Error::UnsupportedSize {
                addr: mapping.frame.as_u64(),
                size: size.bytes(),
            }),
        }
    }
}
