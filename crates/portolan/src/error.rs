//! What can be wrong with a request.

use vstd::prelude::*;

verus! {

/// Why a request was refused. On every error the page table is as it was before and nothing was leaked.
///
/// Each variant says where: `addr` is a first address and `size` a length, both in bytes. Unless the variant says
/// otherwise, they are the request's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// `addr`, a virtual address or a frame's physical address, is not a multiple of the page's `size`.
    NotAligned {
        /// The address that is not aligned.
        addr: u64,
        /// The page's size, which it should be a multiple of.
        size: u64,
    },
    /// `addr` is not a virtual address of this paging mode: its upper bits are not what they must be. On x86_64 and
    /// RISC-V they are copies of the highest bit that is translated (Intel SDM vol. 1, 3.3.7.1), on AArch64 and LoongArch64 all
    /// zeros or all ones by region, for a guest's addresses zeros. A half has no addresses of the other.
    NotCanonical {
        /// The address as it was given.
        addr: u64,
        /// Always 0.
        size: u64,
    },
    /// `size` bytes from `addr` pass the end of the addresses that start there, or of the half that `addr` lies in.
    PastEnd {
        /// The first address.
        addr: u64,
        /// The length in bytes.
        size: u64,
    },
    /// `addr` lies outside of the range that was set for it.
    OutOfRange {
        /// The address as it was given.
        addr: u64,
        /// Always 0.
        size: u64,
    },
    /// The paging mode has no page of this size.
    UnsupportedSize {
        /// The virtual address.
        addr: u64,
        /// The size that the mode lacks.
        size: u64,
    },
    /// The paging mode cannot express these properties: x86_64 has no mapping that can't be read, RISC-V none that can be
    /// written only, and each lacks some cache policies.
    UnsupportedProperty {
        /// The virtual address.
        addr: u64,
        /// The page's size.
        size: u64,
    },
    /// Something in the page's range is mapped already. If a page at least as large is there, `addr` and `size`
    /// are that page's; if there are smaller pages, they are the request's.
    AlreadyMapped {
        /// Where the mapping that is in the way starts.
        addr: u64,
        /// How long it is.
        size: u64,
    },
    /// The address lies in a page that is larger than the request; `addr` and `size` are that page's.
    CoveredByHugePage {
        /// Where the huge page starts.
        addr: u64,
        /// The huge page's size.
        size: u64,
    },
    /// No page of this size is mapped here.
    NotMapped {
        /// The virtual address; for a collapse, where the first hole starts.
        addr: u64,
        /// The size that was asked for; for a query, the smallest page's; for a collapse, how long the hole is.
        size: u64,
    },
    /// These pages can't be one: frames that don't follow each other or don't start at a multiple of the larger page's
    /// size, other properties, or smaller pages in between. `addr` and `size` are those of the first that doesn't fit.
    NotUniform {
        /// Where the page that doesn't fit starts.
        addr: u64,
        /// The size that pages are to have that are to become one.
        size: u64,
    },
    /// The machine has no frame for a table that is needed.
    NoMemory {
        /// The virtual address; 0 for a new page table.
        addr: u64,
        /// The page's size or the range's; for a new page table, the root's.
        size: u64,
    },
    /// In this paging mode a live entry may not turn from a page into a table or back, and a page in use may neither change
    /// its cache policy nor become global, as AArch64 ("break-before-make") and LoongArch64 demand:
    /// [`break_page`](crate::PageTable::break_page) is the way. For a range, `addr` and `size` are those of the first page
    /// that would have to.
    BreakBeforeMake {
        /// The virtual address.
        addr: u64,
        /// The page's size.
        size: u64,
    },
    /// The frame, or a part of it, lies above what the machine's physical addresses reach. For a kernel half that is to be
    /// shared: it is another machine's, whose physical addresses reach further or less far; the frame is the half's root.
    PhysTooWide {
        /// The frame's physical address.
        addr: u64,
        /// The frame's size.
        size: u64,
    },
}

impl Error {
    /// Where: the first address that the error is about.
    #[must_use]
    pub const fn addr(&self) -> u64 {
        match *self {
            Error::NotAligned { addr, .. } => addr,
            Error::NotCanonical { addr, .. } => addr,
            Error::PastEnd { addr, .. } => addr,
            Error::OutOfRange { addr, .. } => addr,
            Error::UnsupportedSize { addr, .. } => addr,
            Error::UnsupportedProperty { addr, .. } => addr,
            Error::AlreadyMapped { addr, .. } => addr,
            Error::CoveredByHugePage { addr, .. } => addr,
            Error::NotMapped { addr, .. } => addr,
            Error::NoMemory { addr, .. } => addr,
            Error::NotUniform { addr, .. } => addr,
            Error::BreakBeforeMake { addr, .. } => addr,
            Error::PhysTooWide { addr, .. } => addr,
        }
    }

    /// How many bytes the error is about; 0 if it is about an address alone.
    #[must_use]
    pub const fn size(&self) -> u64 {
        match *self {
            Error::NotAligned { size, .. } => size,
            Error::NotCanonical { size, .. } => size,
            Error::PastEnd { size, .. } => size,
            Error::OutOfRange { size, .. } => size,
            Error::UnsupportedSize { size, .. } => size,
            Error::UnsupportedProperty { size, .. } => size,
            Error::AlreadyMapped { size, .. } => size,
            Error::CoveredByHugePage { size, .. } => size,
            Error::NotMapped { size, .. } => size,
            Error::NoMemory { size, .. } => size,
            Error::NotUniform { size, .. } => size,
            Error::BreakBeforeMake { size, .. } => size,
            Error::PhysTooWide { size, .. } => size,
        }
    }
}

} // verus!

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let what = match self {
            Self::NotAligned { .. } => "not aligned",
            Self::NotCanonical { .. } => "not canonical",
            Self::PastEnd { .. } => "past the end of the address space",
            Self::OutOfRange { .. } => "out of range",
            Self::UnsupportedSize { .. } => "no page of this size",
            Self::UnsupportedProperty { .. } => "properties that no entry can express",
            Self::AlreadyMapped { .. } => "already mapped",
            Self::CoveredByHugePage { .. } => "covered by a huge page",
            Self::NotMapped { .. } => "not mapped",
            Self::NoMemory { .. } => "no memory for a table",
            Self::NotUniform { .. } => "not like the pages before",
            Self::BreakBeforeMake { .. } => "a live entry of this mode can't change like this",
            Self::PhysTooWide { .. } => "physical address too wide",
        };
        match self.size() {
            0 => write!(f, "{what}: {:#x}", self.addr()),
            size => write!(f, "{what}: {} at {:#x}", Bytes(size), self.addr()),
        }
    }
}

impl core::error::Error for Error {}

/// A length as people say it: in the largest unit that divides it.
pub(crate) struct Bytes(pub(crate) u64);

impl core::fmt::Display for Bytes {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.0.trailing_zeros() {
            30.. => write!(f, "{} GiB", self.0 >> 30),
            20.. => write!(f, "{} MiB", self.0 >> 20),
            10.. => write!(f, "{} KiB", self.0 >> 10),
            _ => write!(f, "{:#x} bytes", self.0),
        }
    }
}
