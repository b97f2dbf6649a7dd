//! The bits of stage 1 descriptors, and how they are read and written.

use super::super::entry::Entry;
#[cfg(verus_only)]
use super::{proof, spec};
use crate::addr::PhysAddr;
use crate::prop::{CachePolicy, PageProperty};
use vstd::prelude::*;

verus! {

/// The descriptor is in use.
pub(super) const VALID: u64 = 0x1;

/// At the last level: a page. Above it: a table, no block.
pub(super) const NO_BLOCK: u64 = 0x2;

/// AttrIndx 1.
const WRITE_THROUGH: u64 = 0x4;

/// AttrIndx 2.
const WRITE_COMBINING: u64 = 0x8;

/// AttrIndx 3.
const UNCACHEABLE: u64 = 0xc;

/// AttrIndx.
const CACHE: u64 = 0x1c;

/// AP\[1\].
const USER: u64 = 0x40;

/// AP\[2\].
const READ_ONLY: u64 = 0x80;

/// SH.
pub(super) const INNER_SHAREABLE: u64 = 0x300;

/// AF.
pub(super) const ACCESSED: u64 = 0x400;

/// nG.
const NOT_GLOBAL: u64 = 0x800;

/// DBM: the page may be written, and `READ_ONLY` means that it wasn't yet.
pub(super) const WRITABLE: u64 = 0x0008_0000_0000_0000;

/// PXN.
const KERNEL_NO_EXECUTE: u64 = 0x0020_0000_0000_0000;

/// UXN.
const USER_NO_EXECUTE: u64 = 0x0040_0000_0000_0000;

/// For software: a page that may not be written has been.
const DIRTY: u64 = 0x0080_0000_0000_0000;

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

/// The bits of a cache policy.
#[inline(always)]
fn cache_bits(cache: CachePolicy) -> (r: u64)
    ensures
        r == spec::cache_bits(cache),
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
#[inline(always)]
fn cache_policy(word: u64) -> (r: CachePolicy)
    ensures
        r == spec::cache_policy(word),
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
#[inline(always)]
fn execute_bits(user: bool, execute: bool) -> (r: u64)
    ensures
        r == spec::execute_bits(user, execute),
    no_unwind
{
    proof {
        proof::lemma_execute_bits();
    }
    match (user, execute) {
        (true, true) => USER | KERNEL_NO_EXECUTE,
        (true, false) => USER | KERNEL_NO_EXECUTE | USER_NO_EXECUTE,
        (false, true) => USER_NO_EXECUTE,
        (false, false) => KERNEL_NO_EXECUTE | USER_NO_EXECUTE,
    }
}

/// The bits of whether a page may be and has been written.
#[inline(always)]
fn write_bits(write: bool, dirty: bool) -> (r: u64)
    ensures
        r == spec::write_bits(write, dirty),
    no_unwind
{
    proof {
        proof::lemma_write_bits();
    }
    match (write, dirty) {
        (true, true) => WRITABLE,
        (true, false) => WRITABLE | READ_ONLY,
        (false, true) => READ_ONLY | DIRTY,
        (false, false) => READ_ONLY,
    }
}

/// How many entries of a table are in use, as noted in the descriptor that refers to it.
#[inline(always)]
pub(super) fn used(word: u64) -> (r: u16)
    ensures
        r == spec::used(word),
    opens_invariants none
    no_unwind
{
    (((word >> 51) & 0xff) | ((word << 4) & 0x3f00)) as u16
}

/// The descriptor of a table of which `used` entries are in use.
#[inline(always)]
pub(super) fn table(at: PhysAddr, used: u16) -> (r: u64)
    ensures
        r == spec::table(at, used),
    no_unwind
{
    proof {
        assert(0x1u64 | 0x2 == 0x3) by (bit_vector);
    }
    at.0 | (VALID | NO_BLOCK) | ((used as u64 & 0xff) << 51) | ((used as u64 & 0x3f00) >> 4)
}

/// What `word` stands for in a table of `level`.
#[inline(always)]
pub(super) fn decode(level: u8, word: u64) -> (r: Entry)
    ensures
        r == spec::entry(level as nat, word),
    opens_invariants none
    no_unwind
{
    if word & VALID == 0 {
        Entry::Empty
    } else if level == 1 || word & NO_BLOCK == 0 {
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
#[inline(always)]
pub(super) fn page(level: u8, frame: PhysAddr, prop: PageProperty) -> (r: u64)
    ensures
        r == spec::page(level as nat, frame, prop),
    no_unwind
{
    proof {
        assert(0x300u64 | 0x1 == 0x301) by (bit_vector);
    }
    frame.0 | (INNER_SHAREABLE | VALID) | (if level == 1 {
        NO_BLOCK
    } else {
        0
    }) | cache_bits(prop.cache) | execute_bits(prop.user, prop.execute) | write_bits(
        prop.write,
        prop.dirty,
    ) | (if prop.global {
        0
    } else {
        NOT_GLOBAL
    }) | (if prop.accessed {
        ACCESSED
    } else {
        0
    })
}

} // verus!
