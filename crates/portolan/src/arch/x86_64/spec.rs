//! What x86_64 entries stand for, as definitions.

use super::super::entry::Entry;
use crate::addr::PhysAddr;
use crate::prop::{CachePolicy, PageProperty};
use vstd::prelude::*;

verus! {

/// Where a page of `level` has the page attribute table's bit.
pub open spec fn pat_bit(level: nat) -> u64 {
    if level == 1 {
        0x80
    } else {
        0x1000
    }
}

/// The bits of a cache policy in an entry of `level`.
pub open spec fn cache_bits(level: nat, cache: CachePolicy) -> u64 {
    match cache {
        CachePolicy::WriteBack => 0,
        CachePolicy::WriteThrough => 0x8,
        CachePolicy::UncacheableMinus => 0x10,
        CachePolicy::Uncacheable => 0x18,
        CachePolicy::WriteCombining => pat_bit(level),
        CachePolicy::WriteProtected => pat_bit(level) | 0x8,
    }
}

/// The cache policy of an entry of `level`.
pub open spec fn cache_policy(level: nat, word: u64) -> CachePolicy {
    if word & 0x10 != 0 {
        if word & 0x8 != 0 {
            CachePolicy::Uncacheable
        } else {
            CachePolicy::UncacheableMinus
        }
    } else if word & pat_bit(level) != 0 {
        if word & 0x8 != 0 {
            CachePolicy::WriteProtected
        } else {
            CachePolicy::WriteCombining
        }
    } else if word & 0x8 != 0 {
        CachePolicy::WriteThrough
    } else {
        CachePolicy::WriteBack
    }
}

/// Whether a present entry is a page.
pub open spec fn is_page(level: nat, word: u64) -> bool {
    level == 1 || (level <= 3 && word & 0x80 != 0)
}

/// What an entry stands for.
pub open spec fn entry(level: nat, word: u64) -> Entry {
    if word & 0x1 == 0 {
        Entry::Empty
    } else if is_page(level, word) {
        Entry::Page {
            frame: PhysAddr(word & if level == 1 { 0x000f_ffff_ffff_f000u64 } else { 0x000f_ffff_ffff_e000 }),
            prop: PageProperty {
                read: true,
                write: word & 0x2 != 0,
                execute: word & 0x8000_0000_0000_0000 == 0,
                user: word & 0x4 != 0,
                global: word & 0x100 != 0,
                accessed: word & 0x20 != 0,
                dirty: word & 0x40 != 0,
                cache: cache_policy(level, word),
            },
        }
    } else {
        Entry::Table { table: PhysAddr(word & 0x000f_ffff_ffff_f000), used: ((word >> 52) & 0x3ff) as u16 }
    }
}

/// The address bits of a page of `level` that must be zero, besides those beyond the machine's addresses.
pub open spec fn low_bits(level: nat) -> u64 {
    if level == 1 {
        0
    } else if level == 2 {
        0x001f_e000
    } else {
        0x3fff_e000
    }
}

/// Whether an entry is one of ours: empty is all zeros, reserved bits are zero, and tables allow everything.
pub open spec fn wf(phys_bits: u64, level: nat, word: u64) -> bool {
    if word & 0x1 == 0 {
        word == 0
    } else {
        &&& word & 0x000f_ffff_ffff_ffff & !sub(1u64 << phys_bits, 1) == 0
        &&& if is_page(level, word) {
            word & low_bits(level) == 0
        } else {
            word & 0x8000_0000_0000_00a7 == 0x27
        }
    }
}

} // verus!
