//! What can go wrong when memory is read or written.

use crate::space::VmError;
use vstd::prelude::*;

verus! {

/// Why memory was not read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IoError {
    /// A program could not read, or write, the byte at this address.
    PageFault {
        /// The address.
        addr: usize,
    },
    /// More is asked for than is left of the range.
    TooShort {
        /// How many bytes are asked for.
        needed: usize,
        /// How many are left.
        left: usize,
    },
    /// An access of one instruction needs an address that is a multiple of its size; values that fill a range need a start that
    /// is aligned for them.
    NotAligned {
        /// The address.
        addr: usize,
        /// What it has to be a multiple of.
        align: usize,
    },
    /// Values of this size don't fill the range.
    NotMultiple {
        /// How many bytes there are to fill.
        bytes: usize,
        /// How many a value has.
        size: usize,
    },
    /// Something else than a power of two was given as an alignment.
    NotPowerOfTwo {
        /// What was given.
        align: usize,
    },
    /// The addresses are not a program's: null, the kernel's, none at all, or past the last one.
    NotUser {
        /// The first address.
        addr: usize,
        /// How many bytes.
        len: usize,
    },
    /// The address space is not the one that this processor uses.
    NotActive,
    /// The processor can't tell which address space it uses.
    Cpu(VmError),
    /// The bytes are not all in the object.
    OutOfRange {
        /// Where they would start.
        offset: usize,
        /// How many bytes.
        len: usize,
        /// How many the object has.
        size: usize,
    },
    /// There is no memory for what was to be collected.
    NoMemory {
        /// How many bytes are needed.
        bytes: usize,
    },
}

} // verus!
impl core::fmt::Display for IoError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::PageFault { addr } => write!(f, "page fault at {addr:#x}"),
            Self::TooShort { needed, left } => write!(f, "{needed} bytes needed, {left} left"),
            Self::NotAligned { addr, align } => {
                write!(f, "{addr:#x} is not a multiple of {align}")
            }
            Self::NotMultiple { bytes, size } => {
                write!(f, "{bytes} bytes are not filled by values of {size}")
            }
            Self::NotPowerOfTwo { align } => write!(f, "not a power of two: {align}"),
            Self::NotUser { addr, len } => {
                write!(f, "not addresses of a program: {len} bytes from {addr:#x}")
            }
            Self::NotActive => f.write_str("the address space is not in use here"),
            Self::Cpu(e) => e.fmt(f),
            Self::OutOfRange { offset, len, size } => {
                write!(f, "{len} bytes at {offset:#x} of an object of {size}")
            }
            Self::NoMemory { bytes } => write!(f, "no memory for {bytes} bytes"),
        }
    }
}

impl core::error::Error for IoError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Cpu(e) => Some(e),
            _ => None,
        }
    }
}
