//! With the [`aarch64-paging`](https://docs.rs/aarch64-paging) crate: its addresses, regions and stage 1 attributes.
//!
//! The crate has the 4 KiB granule only. Its tables aren't Portolan's and can't become them: what Portolan proves is of
//! tables that it made itself. Properties and attributes are what both sides can share.
//!
//! ```
//! use aarch64_paging::descriptor::{El1Attributes, PhysicalAddress};
//! use portolan::PageProperty;
//! use portolan::interop::aarch64_paging::{FlagsError, el1_attributes, page_property};
//!
//! let rw = PageProperty { accessed: true, dirty: true, ..PageProperty::KERNEL_RW };
//! let attributes = el1_attributes(rw)?;
//! assert!(attributes.contains(El1Attributes::DBM | El1Attributes::PXN | El1Attributes::UXN));
//! assert_eq!(page_property(attributes)?, rw);
//! # Ok::<(), FlagsError>(())
//! ```
//!
//! # What Portolan writes otherwise
//! The crate's users choose each bit; Portolan leaves no choice in some, and then attributes that choose otherwise have no
//! properties:
//! - **DBM** is set in every page that may be written, and `READ_ONLY` then says that it is clean. A page with neither bit
//!   may be written too, but says nothing of being dirty.
//! - **SH** is always `INNER_SHAREABLE`, for device memory too, where it has no meaning.
//! - **PXN and UXN**: pages for user mode have PXN set, the kernel's UXN.
//! - **AttrIndx** counts in [`MAIR`]: 0 to 3 are in use.
//! - **bit 55**, `SWFLAG_0`, says that a page that may not be written is dirty; the other software flags and the contiguous
//!   hint are never set.
//! - **AF** is [`accessed`](crate::PageProperty::accessed). Page tables that are [`Preset`](crate::Preset) set it, and make
//!   pages dirty, whatever the properties say.
//!
//! In descriptors that refer to tables, Portolan counts entries in use in bits that hardware ignores, among them the
//! software flags; the crate writes none of these.

use crate::PageProperty;
use crate::arch::aarch64::AArch64Lower;
use crate::arch::entry::{Encoding, Entry};
use crate::prop::CachePolicy;
use ::aarch64_paging::descriptor::El1Attributes;
use ::aarch64_paging::mair::Mair;

mod convert;

pub use super::FlagsError;

/// What a kernel writes to `MAIR_EL1`, as the crate has it.
pub const MAIR: Mair = Mair(crate::arch::aarch64::MAIR);

/// The attributes of the page or block descriptor that Portolan writes for `prop`, in a table that tracks accessed and
/// dirty bits: what the crate's `map_range` takes.
///
/// `TABLE_OR_PAGE`, which says at which level a descriptor is and is added by `map_range` itself, is not among them.
///
/// # Errors
/// [`FlagsError::UnsupportedProperty`] if the page can't be read, or its cache policy is none of AArch64's.
pub fn el1_attributes(prop: PageProperty) -> Result<El1Attributes, FlagsError> {
    let cache = match prop.cache {
        CachePolicy::WriteBack => El1Attributes::ATTRIBUTE_INDEX_0,
        CachePolicy::WriteThrough => El1Attributes::ATTRIBUTE_INDEX_1,
        CachePolicy::WriteCombining => El1Attributes::ATTRIBUTE_INDEX_2,
        CachePolicy::Uncacheable => El1Attributes::ATTRIBUTE_INDEX_3,
        _ => return Err(FlagsError::UnsupportedProperty { prop }),
    };
    if !AArch64Lower::<crate::arch::aarch64::Granule4K48>::can_express(prop) {
        return Err(FlagsError::UnsupportedProperty { prop });
    }
    let mut attributes = El1Attributes::VALID | El1Attributes::INNER_SHAREABLE | cache;
    attributes.set(El1Attributes::USER, prop.user);
    attributes.set(El1Attributes::PXN, prop.user || !prop.execute);
    attributes.set(El1Attributes::UXN, !(prop.user && prop.execute));
    attributes.set(El1Attributes::DBM, prop.write);
    attributes.set(El1Attributes::READ_ONLY, !(prop.write && prop.dirty));
    attributes.set(El1Attributes::SWFLAG_0, !prop.write && prop.dirty);
    attributes.set(El1Attributes::NON_GLOBAL, !prop.global);
    attributes.set(El1Attributes::ACCESSED, prop.accessed);
    Ok(attributes)
}

/// The properties of a page or block whose descriptor has these attributes.
///
/// Of a last-level descriptor's flags, `TABLE_OR_PAGE` has to be taken away first.
///
/// # Errors
/// - [`FlagsError::NotPresent`] without `VALID`;
/// - [`FlagsError::NotAPage`] with `TABLE_OR_PAGE`;
/// - [`FlagsError::Inexact`] if Portolan writes these properties otherwise, as told [above](self).
pub fn page_property(attributes: El1Attributes) -> Result<PageProperty, FlagsError> {
    const BLOCK: u8 = 2;
    match AArch64Lower::<crate::arch::aarch64::Granule4K48>::decode(BLOCK, attributes.bits() as u64)
    {
        Entry::Empty => Err(FlagsError::NotPresent),
        Entry::Table { .. } => Err(FlagsError::NotAPage),
        Entry::Page { prop, .. } => match attributes ^ el1_attributes(prop)? {
            none if none.is_empty() => Ok(prop),
            other => Err(FlagsError::Inexact {
                bits: other.bits() as u64,
            }),
        },
    }
}
