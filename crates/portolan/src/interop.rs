//! Values of other crates as Portolan's and back, and an allocator: each module is behind the feature of its name.
//!
//! Every conversion is exact or an error. Flags and attributes stand for properties only if Portolan writes just these
//! bits for them, so that nothing is dropped on the way and the way back leads to the same bits.
//!
//! Nothing here is verified: it is plain code on top of what is. What is unsafe in it is a kernel's side of the contract,
//! which a kernel would otherwise write itself; `TRUSTED.md` lists it.

use crate::addr::PageSize;
use crate::prop::PageProperty;

#[cfg(feature = "aarch64-paging")]
#[cfg_attr(docsrs, doc(cfg(feature = "aarch64-paging")))]
pub mod aarch64_paging;
#[cfg(feature = "buddy_system_allocator")]
#[cfg_attr(docsrs, doc(cfg(feature = "buddy_system_allocator")))]
pub mod buddy_system_allocator;
#[cfg(feature = "x86_64")]
#[cfg_attr(docsrs, doc(cfg(feature = "x86_64")))]
pub mod x86_64;

/// Why an entry's flags and a page's properties don't say the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagsError {
    /// The flags are those of an entry that is not in use.
    NotPresent,
    /// The flags are those of an entry that refers to a table.
    NotAPage,
    /// The flags say more, or say it otherwise, than any properties do.
    Inexact {
        /// The bits in which the flags differ from those of the nearest properties.
        bits: u64,
    },
    /// The flags have no way to say these properties.
    UnsupportedProperty {
        /// The properties.
        prop: PageProperty,
    },
    /// The paging mode has no page of this size.
    UnsupportedSize {
        /// The size.
        size: PageSize,
    },
}

impl core::fmt::Display for FlagsError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NotPresent => f.write_str("flags of an entry that is not in use"),
            Self::NotAPage => f.write_str("flags of an entry that refers to a table"),
            Self::Inexact { bits } => write!(f, "no properties say these flags exactly: {bits:#x}"),
            Self::UnsupportedProperty { prop } => {
                write!(f, "no flags say these properties: {prop}")
            }
            Self::UnsupportedSize { size } => write!(f, "no page of this size: {size}"),
        }
    }
}

impl core::error::Error for FlagsError {}
