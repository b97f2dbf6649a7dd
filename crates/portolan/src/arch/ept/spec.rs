//! What the entries of extended page tables stand for, as definitions.

use super::super::entry::Entry;
use crate::addr::PhysAddr;
use crate::prop::{CachePolicy, PageProperty};
use vstd::prelude::*;

verus! {

/// The EPT memory type of a cache policy, in place.
pub open spec fn type_bits(cache: CachePolicy) -> u64 {
    match cache {
        CachePolicy::Uncacheable | CachePolicy::UncacheableMinus => 0,
        CachePolicy::WriteCombining => 0x8,
        CachePolicy::WriteThrough => 0x20,
        CachePolicy::WriteProtected => 0x28,
        CachePolicy::WriteBack => 0x30,
    }
}

/// The cache policy of an entry.
pub open spec fn cache_policy(word: u64) -> CachePolicy {
    if word & 0x38 == 0x8 {
        CachePolicy::WriteCombining
    } else if word & 0x38 == 0x20 {
        CachePolicy::WriteThrough
    } else if word & 0x38 == 0x28 {
        CachePolicy::WriteProtected
    } else if word & 0x38 == 0x30 {
        CachePolicy::WriteBack
    } else {
        CachePolicy::Uncacheable
    }
}

/// Whether a present entry is a page.
pub open spec fn is_page(level: nat, word: u64) -> bool {
    level == 1 || (level <= 3 && word & 0x80 != 0)
}

/// What an entry stands for.
pub open spec fn entry(level: nat, word: u64) -> Entry {
    if word & 0x7 == 0 {
        Entry::Empty
    } else if is_page(level, word) {
        Entry::Page {
            frame: PhysAddr(word & 0x000f_ffff_ffff_f000),
            prop: PageProperty {
                read: word & 0x1 != 0,
                write: word & 0x2 != 0,
                execute: word & 0x4 != 0,
                user: true,
                global: false,
                accessed: word & 0x100 != 0,
                dirty: word & 0x200 != 0,
                cache: cache_policy(word),
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
    frame.0 | (if prop.read {
        0x1u64
    } else {
        0
    }) | (if prop.write {
        0x2u64
    } else {
        0
    }) | (if prop.execute {
        0x4u64
    } else {
        0
    }) | (if prop.accessed {
        0x100u64
    } else {
        0
    }) | (if prop.dirty {
        0x200u64
    } else {
        0
    }) | type_bits(prop.cache) | (if level == 1 {
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

/// The bits of a page of `level` that must be zero, besides those beyond the machine's addresses: address bits that the
/// size leaves no use for, and those that we leave to hardware and to features that are off (ignore-PAT, 11:10, 63:52,
/// and 7 in a table of level 1).
pub open spec fn zero_bits(level: nat) -> u64 {
    if level == 1 {
        0xfff0_0000_0000_0cc0
    } else if level == 2 {
        0xfff0_0000_001f_fc40
    } else {
        0xfff0_0000_3fff_fc40
    }
}

/// Whether the memory type is one that is not reserved.
pub open spec fn is_type(word: u64) -> bool {
    let bits = word & 0x38;
    bits == 0 || bits == 0x8 || bits == 0x20 || bits == 0x28 || bits == 0x30
}

/// Whether an entry is one of ours: empty is all zeros, reserved bits are zero, what it refers to fits the machine's
/// addresses, and tables allow everything.
pub open spec fn wf(phys_bits: u64, level: nat, word: u64) -> bool {
    if word & 0x7 == 0 {
        word == 0
    } else {
        &&& word & 0x000f_ffff_ffff_ffff & !sub(1u64 << phys_bits, 1) == 0
        &&& if is_page(level, word) {
            &&& size_bits(level) <= phys_bits
            &&& word & zero_bits(level) == 0
            &&& word & 0x3 != 0x2
            &&& is_type(word)
        } else {
            12 <= phys_bits && word & 0xc000_0000_0000_0fff == 0x107
        }
    }
}

} // verus!
