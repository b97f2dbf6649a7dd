//! Properties as flags, and entries as mappings.

use super::super::FlagsError;
use crate::arch::entry::{Encoding, Entry};
use crate::prop::{CachePolicy, PageProperty};
use crate::{Mapping, PageSize, X86_64};
use ::x86_64::structures::paging::PageTableFlags;
use ::x86_64::structures::paging::page_table::PageTableEntry;

/// The page attribute table's bit in a 4 KiB page, where larger pages have `HUGE_PAGE` (Intel SDM vol. 3, tables 5-16,
/// 5-18 and 5-20).
const PAT_SMALL: PageTableFlags = PageTableFlags::HUGE_PAGE;

/// The same of larger pages: the lowest of the bits that the crate takes for the address.
const PAT_HUGE: PageTableFlags = PageTableFlags::from_bits_retain(0x1000);

/// The bits that the crate takes for the address.
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// The flags of the entry that Portolan writes for a page of `size` with `prop`, in a table that tracks accessed and
/// dirty bits.
///
/// Pages of 2 MiB and 1 GiB have `HUGE_PAGE` set. In 4 KiB pages the same bit selects the upper half of the page attribute
/// table: [`WriteCombining`](CachePolicy::WriteCombining) and [`WriteProtected`](CachePolicy::WriteProtected) set it there.
/// The crate's `PageTableEntry::set_addr` takes such flags; `PageTableEntry::set_frame`, and `Mapper::map_to` with it,
/// panics.
///
/// # Errors
/// - [`FlagsError::UnsupportedSize`] if x86_64 has no page of this size;
/// - [`FlagsError::UnsupportedProperty`] if the page can't be read, or if it is larger than 4 KiB and write-combining or
///   write-protected: larger pages say this in bit 12, which is none of the flags.
pub fn page_flags(prop: PageProperty, size: PageSize) -> Result<PageTableFlags, FlagsError> {
    let level = X86_64::level_of(size).ok_or(FlagsError::UnsupportedSize { size })?;
    let flags = all_flags(prop, level);
    if X86_64::can_express(prop) && !flags.contains(PAT_HUGE) {
        Ok(flags)
    } else {
        Err(FlagsError::UnsupportedProperty { prop })
    }
}

/// The properties of a page of `size` whose entry has these flags; what upper tables take away is not known here.
///
/// The flags are those of an entry: of a page of 2 MiB or 1 GiB, `HUGE_PAGE` is one of them.
/// What the crate reads of such a page lacks bit 12: a page that is write-combining or write-protected looks as if it were
/// write-back or write-through. [`page_mapping`] sees the whole entry.
///
/// # Errors
/// - [`FlagsError::UnsupportedSize`] if x86_64 has no page of this size;
/// - [`FlagsError::NotPresent`] without `PRESENT`;
/// - [`FlagsError::NotAPage`] without `HUGE_PAGE`, if the page is larger than 4 KiB;
/// - [`FlagsError::Inexact`] if there are others than [`page_flags`] gives: software's (`BIT_9` to `BIT_11`, `BIT_52` to
///   `BIT_62`), those of the last two entries of the page attribute table, or bits of the address.
pub fn page_property(flags: PageTableFlags, size: PageSize) -> Result<PageProperty, FlagsError> {
    match flags.bits() & ADDRESS {
        0 => mapping(flags.bits(), size).map(|page| page.prop),
        bits => Err(FlagsError::Inexact { bits }),
    }
}

/// The mapping that an entry stands for in a table whose pages are of `size`.
///
/// # Errors
/// As for [`page_property`]; bits of the address that a frame of this size can't have are [`FlagsError::Inexact`].
pub fn page_mapping(entry: &PageTableEntry, size: PageSize) -> Result<Mapping, FlagsError> {
    mapping(entry.addr().as_u64() | entry.flags().bits(), size)
}

/// The mapping that `word` stands for, if Portolan writes it just so.
fn mapping(word: u64, size: PageSize) -> Result<Mapping, FlagsError> {
    let level = X86_64::level_of(size).ok_or(FlagsError::UnsupportedSize { size })?;
    match X86_64::decode(level, word) {
        Entry::Empty => Err(FlagsError::NotPresent),
        Entry::Table { .. } => Err(FlagsError::NotAPage),
        Entry::Page { frame, prop } => {
            let frame = frame.align_down(size);
            match word ^ (frame.as_u64() | all_flags(prop, level).bits()) {
                0 => Ok(Mapping { frame, size, prop }),
                bits => Err(FlagsError::Inexact { bits }),
            }
        }
    }
}

/// All bits of the entry of a page but its address.
fn all_flags(prop: PageProperty, level: u8) -> PageTableFlags {
    let pat = if level == 1 { PAT_SMALL } else { PAT_HUGE };
    let cache = match prop.cache {
        CachePolicy::WriteBack => PageTableFlags::empty(),
        CachePolicy::WriteThrough => PageTableFlags::WRITE_THROUGH,
        CachePolicy::UncacheableMinus => PageTableFlags::NO_CACHE,
        CachePolicy::Uncacheable => PageTableFlags::NO_CACHE | PageTableFlags::WRITE_THROUGH,
        CachePolicy::WriteCombining => pat,
        CachePolicy::WriteProtected => pat | PageTableFlags::WRITE_THROUGH,
    };
    let mut flags = PageTableFlags::PRESENT | cache;
    flags.set(PageTableFlags::WRITABLE, prop.write);
    flags.set(PageTableFlags::NO_EXECUTE, !prop.execute);
    flags.set(PageTableFlags::USER_ACCESSIBLE, prop.user);
    flags.set(PageTableFlags::GLOBAL, prop.global);
    flags.set(PageTableFlags::ACCESSED, prop.accessed);
    flags.set(PageTableFlags::DIRTY, prop.dirty);
    if level > 1 {
        flags |= PageTableFlags::HUGE_PAGE;
    }
    flags
}
