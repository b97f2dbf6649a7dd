//! What can be wrong with a request to an address space.

use crate::error::Error;
use crate::frame::FrameError;
use crate::tlb::ShootdownError;
use vstd::prelude::*;

verus! {

/// Why a request to an address space was refused. Unless the request says otherwise, the space is as it was before, and so
/// is the count of every frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VmError {
    /// The page table refuses it.
    Paging(Error),
    /// A frame can't have one more reference.
    Frame(FrameError),
    /// The frame belongs to another [`FrameTable`](crate::frame::FrameTable) than the address space's.
    ForeignFrame {
        /// The frame's physical address.
        addr: u64,
    },
    /// What was to be mapped as a device's is, at least in part, ordinary memory: a frame of the table.
    IsMemory {
        /// The physical address as it was given.
        addr: u64,
    },
    /// Processors can't be asked to invalidate what was taken away.
    Shootdown(ShootdownError),
    /// An address is not in the cursor's range.
    OutOfRange {
        /// The address.
        addr: u64,
    },
    /// A page table with pages in it can't become an address space, which knows of each page whose it is.
    NotEmpty {
        /// The first address that is mapped.
        addr: u64,
    },
    /// The code runs on another processor than the value is for.
    WrongCpu {
        /// The processor that runs the code.
        cpu: usize,
    },
    /// An operation unwound, in a function that the kernel supplies, and what it worked on is lost.
    Poisoned,
}

} // verus!
impl From<Error> for VmError {
    fn from(e: Error) -> Self {
        Self::Paging(e)
    }
}

impl From<FrameError> for VmError {
    fn from(e: FrameError) -> Self {
        Self::Frame(e)
    }
}

impl From<ShootdownError> for VmError {
    fn from(e: ShootdownError) -> Self {
        Self::Shootdown(e)
    }
}

impl core::fmt::Display for VmError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Paging(e) => e.fmt(f),
            Self::Frame(e) => e.fmt(f),
            Self::ForeignFrame { addr } => write!(f, "a frame of another table: {addr:#x}"),
            Self::IsMemory { addr } => write!(f, "ordinary memory, not a device's: {addr:#x}"),
            Self::Shootdown(e) => e.fmt(f),
            Self::OutOfRange { addr } => write!(f, "not in the cursor's range: {addr:#x}"),
            Self::NotEmpty { addr } => write!(f, "the table maps {addr:#x} already"),
            Self::WrongCpu { cpu } => write!(f, "not for processor {cpu}, which runs this"),
            Self::Poisoned => f.write_str("an earlier operation unwound"),
        }
    }
}

impl core::error::Error for VmError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Paging(e) => Some(e),
            Self::Frame(e) => Some(e),
            Self::Shootdown(e) => Some(e),
            _ => None,
        }
    }
}
