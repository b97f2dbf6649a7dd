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
    /// `addr` is not a virtual address of this paging mode: its upper bits are not the copies that they must be
    /// (Intel SDM vol. 1, 3.3.7.1).
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
    /// The paging mode has no page of this size.
    UnsupportedSize {
        /// The virtual address.
        addr: u64,
        /// The size that the mode lacks.
        size: u64,
    },
    /// The paging mode cannot express these properties: x86_64 has no mapping that can't be read.
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
        /// The virtual address.
        addr: u64,
        /// The size that was asked for; for a query, the smallest page's.
        size: u64,
    },
    /// The machine has no frame for a table that is needed.
    NoMemory {
        /// The virtual address; 0 for a new page table.
        addr: u64,
        /// The page's size; for a new page table, the root's.
        size: u64,
    },
    /// The frame, or a part of it, lies above what the machine's physical addresses reach.
    PhysTooWide {
        /// The frame's physical address.
        addr: u64,
        /// The frame's size.
        size: u64,
    },
}

} // verus!

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (what, addr, size) = match *self {
            Self::NotAligned { addr, size } => ("not aligned", addr, size),
            Self::NotCanonical { addr, size } => ("not canonical", addr, size),
            Self::PastEnd { addr, size } => ("past the end of the address space", addr, size),
            Self::UnsupportedSize { addr, size } => ("no page of this size", addr, size),
            Self::UnsupportedProperty { addr, size } => {
                ("properties that no entry can express", addr, size)
            }
            Self::AlreadyMapped { addr, size } => ("already mapped", addr, size),
            Self::CoveredByHugePage { addr, size } => ("covered by a huge page", addr, size),
            Self::NotMapped { addr, size } => ("not mapped", addr, size),
            Self::NoMemory { addr, size } => ("no memory for a table", addr, size),
            Self::PhysTooWide { addr, size } => ("physical address too wide", addr, size),
        };
        write!(f, "{what}: {size:#x} bytes at {addr:#x}")
    }
}

impl core::error::Error for Error {}
