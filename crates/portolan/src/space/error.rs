//! What can be wrong with a request to an address space.

use crate::error::Error;
use crate::frame::FrameError;
use vstd::prelude::*;

verus! {

/// Why a request to an address space was refused. On every error the space is as it was before, and so is the count of
/// every frame.
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

impl core::fmt::Display for VmError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Paging(e) => e.fmt(f),
            Self::Frame(e) => e.fmt(f),
            Self::ForeignFrame { addr } => write!(f, "a frame of another table: {addr:#x}"),
            Self::IsMemory { addr } => write!(f, "ordinary memory, not a device's: {addr:#x}"),
        }
    }
}

impl core::error::Error for VmError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Paging(e) => Some(e),
            Self::Frame(e) => Some(e),
            Self::ForeignFrame { .. } | Self::IsMemory { .. } => None,
        }
    }
}
