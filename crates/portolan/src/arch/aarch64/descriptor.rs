//! The bits of stage 1 descriptors, and how they are read and written.

use super::super::entry::Entry;
use super::super::words::flag;
use crate::addr::PhysAddr;
use crate::prop::{CachePolicy, PageProperty};
use vstd::contrib::auto_spec;
use vstd::prelude::*;

verus! {

/// The descriptor is in use.
pub(super) const VALID: u64 = 0x1;

/// At the last level: a page. Above it: a table, no block.
pub(super) const NO_BLOCK: u64 = 0x2;

/// AttrIndx 1.
pub(super) const WRITE_THROUGH: u64 = 0x4;

/// AttrIndx 2.
pub(super) const WRITE_COMBINING: u64 = 0x8;

/// AttrIndx 3.
pub(super) const UNCACHEABLE: u64 = 0xc;

/// AttrIndx.
pub(super) const CACHE: u64 = 0x1c;

/// AP\[1\].
pub(super) const USER: u64 = 0x40;

/// AP\[2\].
pub(super) const READ_ONLY: u64 = 0x80;

/// SH.
pub(super) const INNER_SHAREABLE: u64 = 0x300;

/// AF.
pub(super) const ACCESSED: u64 = 0x400;

/// nG.
pub(super) const NOT_GLOBAL: u64 = 0x800;

/// DBM: the page may be written, and `READ_ONLY` means that it wasn't yet.
pub(super) const WRITABLE: u64 = 0x0008_0000_0000_0000;

/// PXN.
pub(super) const KERNEL_NO_EXECUTE: u64 = 0x0020_0000_0000_0000;

/// UXN.
pub(super) const USER_NO_EXECUTE: u64 = 0x0040_0000_0000_0000;

/// For software: a page that may not be written has been.
pub(super) const DIRTY: u64 = 0x0080_0000_0000_0000;

/// The output address, or that of the next table.
pub(super) const ADDRESS: u64 = 0x0000_ffff_ffff_f000;

/// Whether pages can have a cache policy.
#[inline(always)]
pub(super) fn has_policy(cache: CachePolicy) -> (r: bool)
    ensures
        r == !(cache is UncacheableMinus || cache is WriteProtected),
    no_unwind
{
    !matches!(cache, CachePolicy::UncacheableMinus | CachePolicy::WriteProtected)
}

/// The bits of a cache policy: the index of a byte of [`MAIR`](super::MAIR).
#[auto_spec]
#[inline(always)]
pub(super) fn cache_bits(cache: CachePolicy) -> u64
    no_unwind
{
    match cache {
        CachePolicy::WriteBack => 0,
        CachePolicy::WriteThrough => WRITE_THROUGH,
        CachePolicy::WriteCombining => WRITE_COMBINING,
        _ => UNCACHEABLE,
    }
}

/// The cache policy of a page.
#[auto_spec]
#[inline(always)]
pub(super) fn cache_policy(word: u64) -> CachePolicy
    opens_invariants none
    no_unwind
{
    match word & CACHE {
        0 => CachePolicy::WriteBack,
        WRITE_THROUGH => CachePolicy::WriteThrough,
        WRITE_COMBINING => CachePolicy::WriteCombining,
        _ => CachePolicy::Uncacheable,
    }
}

/// The bits of who may use a page, and whether to execute it: the kernel never executes what is the user's.
#[auto_spec]
#[inline(always)]
pub(super) fn execute_bits(user: bool, execute: bool) -> u64
    no_unwind
{
    match (user, execute) {
        (true, true) => USER | KERNEL_NO_EXECUTE,
        (true, false) => USER | KERNEL_NO_EXECUTE | USER_NO_EXECUTE,
        (false, true) => USER_NO_EXECUTE,
        (false, false) => KERNEL_NO_EXECUTE | USER_NO_EXECUTE,
    }
}

/// The bits of whether a page may be and has been written.
#[auto_spec]
#[inline(always)]
pub(super) fn write_bits(write: bool, dirty: bool) -> u64
    no_unwind
{
    match (write, dirty) {
        (true, true) => WRITABLE,
        (true, false) => WRITABLE | READ_ONLY,
        (false, true) => READ_ONLY | DIRTY,
        (false, false) => READ_ONLY,
    }
}

/// Whether a valid descriptor is a page or block.
#[auto_spec]
#[inline(always)]
pub(super) fn is_page(level: u8, word: u64) -> bool
    opens_invariants none
    no_unwind
{
    level == 1 || word & NO_BLOCK == 0
}

/// How many entries of a table are in use, as noted in the descriptor that refers to it.
#[auto_spec]
#[inline(always)]
pub(super) fn used(word: u64) -> u16
    opens_invariants none
    no_unwind
{
    (((word >> 51) & 0xff) | ((word << 4) & 0x3f00)) as u16
}

/// What `word` stands for in a table of `level`.
#[auto_spec]
#[inline(always)]
pub(super) fn decode(level: u8, word: u64) -> Entry
    opens_invariants none
    no_unwind
{
    if word & VALID == 0 {
        Entry::Empty
    } else if is_page(level, word) {
        let (user, write) = (word & USER != 0, word & WRITABLE != 0);
        let no_execute = if user {
            USER_NO_EXECUTE
        } else {
            KERNEL_NO_EXECUTE
        };
        Entry::Page {
            frame: PhysAddr(word & ADDRESS),
            prop: PageProperty {
                read: true,
                write,
                execute: word & no_execute == 0,
                user,
                global: word & NOT_GLOBAL == 0,
                accessed: word & ACCESSED != 0,
                dirty: if write {
                    word & READ_ONLY == 0
                } else {
                    word & DIRTY != 0
                },
                cache: cache_policy(word),
            },
        }
    } else {
        Entry::Table { table: PhysAddr(word & ADDRESS), used: used(word) }
    }
}

/// The descriptor of a page or block.
#[auto_spec]
#[inline(always)]
pub(super) fn page(level: u8, frame: PhysAddr, prop: PageProperty) -> u64
    no_unwind
{
    frame.0 | (INNER_SHAREABLE | VALID) | flag(level == 1, NO_BLOCK) | cache_bits(prop.cache)
        | execute_bits(prop.user, prop.execute) | write_bits(prop.write, prop.dirty) | flag(
        !prop.global,
        NOT_GLOBAL,
    ) | flag(prop.accessed, ACCESSED)
}

/// The descriptor of a table of which `used` entries are in use.
#[auto_spec]
#[inline(always)]
pub(super) fn table(at: PhysAddr, used: u16) -> u64
    no_unwind
{
    at.0 | (VALID | NO_BLOCK) | ((used as u64 & 0xff) << 51) | ((used as u64 & 0x3f00) >> 4)
}

} // verus!
