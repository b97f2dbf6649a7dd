//! The bits of entries, and how they are read and written.

use super::super::entry::Entry;
use super::super::words::flag;
use crate::addr::PhysAddr;
use crate::prop::{CachePolicy, PageProperty};
use vstd::contrib::auto_spec;
use vstd::prelude::*;

verus! {

/// V: the entry is in use.
pub(super) const VALID: u64 = 0x1;

/// D and W: stores are allowed.
pub(super) const WRITE: u64 = 0x102;

/// PLV 3: user mode may use the page, and so may the kernel.
pub(super) const USER: u64 = 0xc;

/// MAT 1: coherent cached.
pub(super) const CACHED: u64 = 0x10;

/// MAT 2: weakly-ordered uncached.
pub(super) const WEAK: u64 = 0x20;

/// MAT.
pub(super) const CACHE: u64 = 0x30;

/// G at level 1.
pub(super) const GLOBAL: u64 = 0x40;

/// H above level 1: a page, no table.
pub(super) const HUGE: u64 = 0x40;

/// G of a page above level 1.
pub(super) const HUGE_GLOBAL: u64 = 0x1000;

/// P: the page is there.
pub(super) const PRESENT: u64 = 0x80;

/// For software: the page has been used.
pub(super) const ACCESSED: u64 = 0x200;

/// For software: the page has been stored to.
pub(super) const DIRTY: u64 = 0x400;

/// NR.
pub(super) const NO_READ: u64 = 0x2000_0000_0000_0000;

/// NX.
pub(super) const NO_EXECUTE: u64 = 0x4000_0000_0000_0000;

/// The address of a page of level 1, or of a table.
pub(super) const ADDRESS: u64 = 0x0000_ffff_ffff_f000;

/// The address of a page above level 1.
pub(super) const HUGE_ADDRESS: u64 = 0x0000_ffff_ffff_e000;

/// Whether pages can have a cache policy.
#[inline(always)]
pub(super) fn has_policy(cache: CachePolicy) -> (r: bool)
    ensures
        r == (cache is WriteBack || cache is WriteCombining || cache is Uncacheable),
    no_unwind
{
    matches!(cache, CachePolicy::WriteBack | CachePolicy::WriteCombining | CachePolicy::Uncacheable)
}

/// The memory access type of a cache policy.
#[auto_spec]
#[inline(always)]
pub(super) fn cache_bits(cache: CachePolicy) -> u64
    no_unwind
{
    match cache {
        CachePolicy::WriteBack => CACHED,
        CachePolicy::WriteCombining => WEAK,
        _ => 0,
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
        CACHED => CachePolicy::WriteBack,
        WEAK => CachePolicy::WriteCombining,
        _ => CachePolicy::Uncacheable,
    }
}

/// The bits of what a page of `level` is, and of whether it is global.
#[auto_spec]
#[inline(always)]
pub(super) fn kind_bits(level: u8, global: bool) -> u64
    no_unwind
{
    if level == 1 {
        flag(global, GLOBAL)
    } else {
        HUGE | flag(global, HUGE_GLOBAL)
    }
}

/// Whether a valid entry of `level` is a page.
#[auto_spec]
#[inline(always)]
pub(super) fn is_page(level: u8, word: u64) -> bool
    opens_invariants none
    no_unwind
{
    level == 1 || word & HUGE != 0
}

/// The frame of a page of `level`.
#[auto_spec]
#[inline(always)]
pub(super) fn frame(level: u8, word: u64) -> u64
    opens_invariants none
    no_unwind
{
    if level == 1 {
        word & ADDRESS
    } else {
        word & HUGE_ADDRESS
    }
}

/// Whether a page of `level` is global.
#[auto_spec]
#[inline(always)]
pub(super) fn is_global(level: u8, word: u64) -> bool
    opens_invariants none
    no_unwind
{
    if level == 1 {
        word & GLOBAL != 0
    } else {
        word & HUGE_GLOBAL != 0
    }
}

/// How many entries of a table are in use, as noted in the entry that refers to it.
#[auto_spec]
#[inline(always)]
pub(super) fn used(word: u64) -> u16
    opens_invariants none
    no_unwind
{
    ((word >> 48) & 0xfff) as u16
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
        Entry::Page {
            frame: PhysAddr(frame(level, word)),
            prop: PageProperty {
                read: word & NO_READ == 0,
                write: word & WRITE != 0,
                execute: word & NO_EXECUTE == 0,
                user: word & USER != 0,
                global: is_global(level, word),
                accessed: word & ACCESSED != 0,
                dirty: word & DIRTY != 0,
                cache: cache_policy(word),
            },
        }
    } else {
        Entry::Table { table: PhysAddr(word & ADDRESS), used: used(word) }
    }
}

/// The entry of a page.
#[auto_spec]
#[inline(always)]
pub(super) fn page(level: u8, frame: PhysAddr, prop: PageProperty) -> u64
    no_unwind
{
    frame.0 | (VALID | PRESENT) | kind_bits(level, prop.global) | cache_bits(prop.cache) | flag(
        prop.user,
        USER,
    ) | flag(prop.write, WRITE) | flag(!prop.read, NO_READ) | flag(!prop.execute, NO_EXECUTE)
        | flag(prop.accessed, ACCESSED) | flag(prop.dirty, DIRTY)
}

/// The entry of a table of which `used` entries are in use.
#[auto_spec]
#[inline(always)]
pub(super) fn table(at: PhysAddr, used: u16) -> u64
    no_unwind
{
    at.0 | VALID | ((used as u64) << 48)
}

} // verus!
