//! Addresses and regions.

use crate::arch::aarch64::{AArch64, Granule, Lower, Region, Upper};
use crate::{Error, PageSize, PhysAddr, VirtAddr, VirtRange};
use ::aarch64_paging::descriptor::{PhysicalAddress, VirtualAddress};
use ::aarch64_paging::paging::{MemoryRegion, VaRange};

impl From<Lower> for VaRange {
    #[inline]
    fn from(_: Lower) -> Self {
        VaRange::Lower
    }
}

impl From<Upper> for VaRange {
    #[inline]
    fn from(_: Upper) -> Self {
        VaRange::Upper
    }
}

impl From<PhysicalAddress> for PhysAddr {
    #[inline]
    fn from(addr: PhysicalAddress) -> Self {
        PhysAddr::new(addr.0 as u64)
    }
}

impl From<PhysAddr> for PhysicalAddress {
    #[inline]
    fn from(addr: PhysAddr) -> Self {
        PhysicalAddress(addr.as_u64() as usize)
    }
}

/// Fails with [`Error::NotCanonical`] if the address isn't one of the region.
impl<G: Granule, R: Region> TryFrom<VirtualAddress> for VirtAddr<AArch64<G, R>> {
    type Error = Error;

    #[inline]
    fn try_from(addr: VirtualAddress) -> Result<Self, Error> {
        VirtAddr::new(addr.0 as u64)
    }
}

impl<G: Granule, R: Region> From<VirtAddr<AArch64<G, R>>> for VirtualAddress {
    #[inline]
    fn from(addr: VirtAddr<AArch64<G, R>>) -> Self {
        VirtualAddress(addr.as_u64() as usize)
    }
}

/// Fails with [`Error::NotCanonical`] if the first address isn't one of the region, and with [`Error::PastEnd`] if the last
/// isn't, or comes before the first.
impl<G: Granule, R: Region> TryFrom<MemoryRegion> for VirtRange<AArch64<G, R>> {
    type Error = Error;

    fn try_from(region: MemoryRegion) -> Result<Self, Error> {
        let start = VirtAddr::try_from(region.start())?;
        let size = (region.end().0 as u64).wrapping_sub(start.as_u64());
        if region.end() < region.start() {
            return Err(Error::PastEnd {
                addr: start.as_u64(),
                size,
            });
        }
        VirtRange::new(start, size)
    }
}

/// Fails with [`Error::NotAligned`] if an end isn't a multiple of 4 KiB, which the crate would round, and with
/// [`Error::PastEnd`] if the range ends with the last address of all: the crate names the first address after it.
impl<G: Granule, R: Region> TryFrom<VirtRange<AArch64<G, R>>> for MemoryRegion {
    type Error = Error;

    fn try_from(range: VirtRange<AArch64<G, R>>) -> Result<Self, Error> {
        let (addr, size) = (range.start().as_u64(), range.size());
        if !range.is_aligned(PageSize::Size4K) {
            return Err(Error::NotAligned {
                addr,
                size: PageSize::Size4K.bytes(),
            });
        }
        match addr.checked_add(size) {
            Some(end) => Ok(MemoryRegion::new(addr as usize, end as usize)),
            None => Err(Error::PastEnd { addr, size }),
        }
    }
}
