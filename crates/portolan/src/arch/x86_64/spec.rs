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
            frame: PhysAddr(
                word & if level == 1 {
                    0x000f_ffff_ffff_f000u64
                } else {
                    0x000f_ffff_ffff_e000
                },
            ),
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
        Entry::Table {
            table: PhysAddr(word & 0x000f_ffff_ffff_f000),
            used: ((word >> 52) & 0x3ff) as u16,
        }
    }
}

/// The word for a page.
pub open spec fn page(level: nat, frame: PhysAddr, prop: PageProperty) -> u64 {
    frame.0 | 0x1 | (if prop.write {
        0x2u64
    } else {
        0
    }) | (if prop.user {
        0x4u64
    } else {
        0
    }) | (if prop.execute {
        0u64
    } else {
        0x8000_0000_0000_0000
    }) | (if prop.global {
        0x100u64
    } else {
        0
    }) | (if prop.accessed {
        0x20u64
    } else {
        0
    }) | (if prop.dirty {
        0x40u64
    } else {
        0
    }) | cache_bits(level, prop.cache) | (if level == 1 {
        0u64
    } else {
        0x80
    })
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
        0x001f_e000
    } else {
        0x3fff_e000
    }
}

/// Whether an entry is one of ours: empty is all zeros, reserved bits are zero, what it refers to fits the machine's
/// addresses, and tables allow everything.
pub open spec fn wf(phys_bits: u64, level: nat, word: u64) -> bool {
    if word & 0x1 == 0 {
        word == 0
    } else {
        &&& word & 0x000f_ffff_ffff_ffff & !sub(1u64 << phys_bits, 1) == 0
        &&& if is_page(level, word) {
            size_bits(level) <= phys_bits && word & low_bits(level) == 0
        } else {
            12 <= phys_bits && word & 0x8000_0000_0000_00a7 == 0x27
        }
    }
}

} // verus!
