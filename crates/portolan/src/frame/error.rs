//! What can be wrong with a request for frames.

use super::slot::{BUSY, FREE, RESERVED, UNIQUE, UNUSED};
#[cfg(verus_only)]
use crate::addr::PhysAddr;
use crate::error::Bytes;
use vstd::prelude::*;

verus! {

/// Why a request for frames was refused. On every error all frames are as they were before.
///
/// Each variant says which frame: the first, of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// Not a multiple of 4 KiB: an address, or an offset in a segment.
    NotAligned {
        /// The address or offset as it was given.
        addr: u64,
    },
    /// The table has no such frame, or the segment none at such an offset.
    OutOfRange {
        /// The address or offset as it was given.
        addr: u64,
    },
    /// A range that ends where it starts.
    Empty {
        /// Where it starts.
        addr: u64,
    },
    /// A range that ends before it starts, or that would pass the last address.
    Wrapping {
        /// Where it starts.
        addr: u64,
    },
    /// The frame was not [added](super::FrameTable::add) to the table.
    Reserved {
        /// Which frame.
        addr: u64,
    },
    /// The frame is nobody's.
    Unused {
        /// Which frame.
        addr: u64,
    },
    /// The frame is with the allocator.
    Free {
        /// Which frame.
        addr: u64,
    },
    /// The frame is in use: there are references to it.
    InUse {
        /// Which frame.
        addr: u64,
    },
    /// The frame belongs to a [`UniqueFrame`](super::UniqueFrame).
    Unique {
        /// Which frame.
        addr: u64,
    },
    /// Another processor is just setting the frame up or taking it down.
    Busy {
        /// Which frame.
        addr: u64,
    },
    /// The frame has as many references as it can have.
    Saturated {
        /// Which frame.
        addr: u64,
    },
    /// The allocator has no such run of frames.
    NoMemory {
        /// How many bytes were asked for.
        size: u64,
    },
}

impl FrameError {
    /// Whether it says that the frame at `addr` can't be taken as one that nobody uses.
    pub open spec fn is_refused_claim(self, addr: PhysAddr) -> bool {
        ||| self == FrameError::Reserved { addr: addr.0 }
        ||| self == FrameError::Unused { addr: addr.0 }
        ||| self == FrameError::Free { addr: addr.0 }
        ||| self == FrameError::Unique { addr: addr.0 }
        ||| self == FrameError::Busy { addr: addr.0 }
        ||| self == FrameError::InUse { addr: addr.0 }
    }

    /// Whether it says that there can't be one more reference to the frame at `addr`.
    pub open spec fn is_refused_reference(self, addr: PhysAddr) -> bool {
        ||| self == FrameError::Reserved { addr: addr.0 }
        ||| self == FrameError::Unused { addr: addr.0 }
        ||| self == FrameError::Free { addr: addr.0 }
        ||| self == FrameError::Unique { addr: addr.0 }
        ||| self == FrameError::Busy { addr: addr.0 }
        ||| self == FrameError::Saturated { addr: addr.0 }
    }
}

/// Why a frame in this state is refused.
pub(crate) fn refusal(state: u64, addr: u64) -> (r: FrameError)
    ensures
        r.is_refused_claim(PhysAddr(addr)),
        r is InUse <==> !(state == BUSY || state == RESERVED || state == UNUSED || state == FREE
            || state == UNIQUE),
    no_unwind
{
    match state {
        BUSY => FrameError::Busy { addr },
        RESERVED => FrameError::Reserved { addr },
        UNUSED => FrameError::Unused { addr },
        FREE => FrameError::Free { addr },
        UNIQUE => FrameError::Unique { addr },
        _ => FrameError::InUse { addr },
    }
}

} // verus!
impl core::fmt::Display for FrameError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (what, addr) = match *self {
            Self::NotAligned { addr } => ("not aligned", addr),
            Self::OutOfRange { addr } => ("no such frame", addr),
            Self::Empty { addr } => ("an empty range", addr),
            Self::Wrapping { addr } => ("a range that ends before it starts", addr),
            Self::Reserved { addr } => ("a frame that was not added", addr),
            Self::Unused { addr } => ("a frame that is nobody's", addr),
            Self::Free { addr } => ("a frame that is with the allocator", addr),
            Self::InUse { addr } => ("a frame in use", addr),
            Self::Unique { addr } => ("a frame with one owner", addr),
            Self::Busy { addr } => ("a frame that is being set up or taken down", addr),
            Self::Saturated { addr } => ("no more references to a frame", addr),
            Self::NoMemory { size } => return write!(f, "no memory for {}", Bytes(size)),
        };
        write!(f, "{what}: {addr:#x}")
    }
}

impl core::error::Error for FrameError {}
