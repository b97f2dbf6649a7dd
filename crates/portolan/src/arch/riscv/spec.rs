//! What RISC-V entries stand for, as definitions.

use super::super::entry::Entry;
use crate::addr::PhysAddr;
use crate::prop::{CachePolicy, PageProperty};
use vstd::prelude::*;

verus! {

/// A bit, if it is to be set.
pub open spec fn flag(set: bool, bit: u64) -> u64 {
    if set {
        bit
    } else {
        0
    }
}

/// The memory type for a cache policy that an entry can express.
pub open spec fn cache_bits(cache: CachePolicy) -> u64 {
    match cache {
        CachePolicy::WriteCombining => 0x2000_0000_0000_0000,
        CachePolicy::Uncacheable => 0x4000_0000_0000_0000,
        _ => 0,
    }
}

/// The cache policy of a page's entry.
pub open spec fn cache_policy(word: u64) -> CachePolicy {
    if word & 0x6000_0000_0000_0000 == 0 {
        CachePolicy::WriteBack
    } else if word & 0x6000_0000_0000_0000 == 0x2000_0000_0000_0000 {
        CachePolicy::WriteCombining
    } else {
        CachePolicy::Uncacheable
    }
}

/// The address of what an entry refers to.
pub open spec fn address(word: u64) -> u64 {
    (word & 0x003f_ffff_ffff_fc00) << 2
}

/// Whether a valid entry is a page.
pub open spec fn is_page(word: u64) -> bool {
    word & 0x2 != 0 || word & 0x8 != 0
}

/// What an entry stands for.
pub open spec fn entry(word: u64) -> Entry {
    if word & 0x1 == 0 {
        Entry::Empty
    } else if is_page(word) {
        Entry::Page {
            frame: PhysAddr(address(word)),
            prop: PageProperty {
                read: word & 0x2 != 0,
                write: word & 0x4 != 0,
                execute: word & 0x8 != 0,
                user: word & 0x10 != 0,
                global: word & 0x20 != 0,
                accessed: word & 0x40 != 0,
                dirty: word & 0x80 != 0,
                cache: cache_policy(word),
            },
        }
    } else {
        Entry::Table { table: PhysAddr(address(word)), used: 1 }
    }
}

/// The word for a page.
pub open spec fn page(frame: PhysAddr, prop: PageProperty) -> u64 {
    frame.0 >> 2 | 0x1 | flag(prop.read, 0x2) | flag(prop.write, 0x4) | flag(prop.execute, 0x8)
        | flag(prop.user, 0x10) | flag(prop.global, 0x20) | flag(prop.accessed, 0x40) | flag(
        prop.dirty,
        0x80,
    ) | cache_bits(prop.cache)
}

/// A page of `level` is 2 to the power of this many bytes.
pub open spec fn size_bits(level: nat) -> u64 {
    if level == 1 {
        12
    } else if level == 2 {
        21
    } else {
        30
    }
}

/// The address bits of a page of `level` that must be zero, besides those beyond the machine's addresses.
pub open spec fn low_bits(level: nat) -> u64 {
    if level == 1 {
        0
    } else if level == 2 {
        0x001f_f000
    } else {
        0x3fff_f000
    }
}

/// Whether an entry is one of ours: empty is all zeros, reserved bits and those for software are zero, pages are where
/// they have a size, and what an entry refers to fits the machine's addresses.
pub open spec fn wf(phys_bits: u64, level: nat, word: u64) -> bool {
    if word & 0x1 == 0 {
        word == 0
    } else {
        &&& address(word) & !sub(1u64 << phys_bits, 1) == 0
        &&& if is_page(word) {
            &&& level <= 3
            &&& size_bits(level) <= phys_bits
            &&& address(word) & low_bits(level) == 0
            &&& word & 0x9fc0_0000_0000_0300 == 0
            &&& word & 0x6000_0000_0000_0000 != 0x6000_0000_0000_0000
            &&& word & 0x4 != 0 ==> word & 0x2 != 0
        } else {
            1 < level && 12 <= phys_bits && word & 0xffc0_0000_0000_03ff == 0x1
        }
    }
}

} // verus!
