//! What AArch64 stage 2 descriptors stand for, as definitions.

use super::super::super::entry::Entry;
use super::super::granule::page_size;
use super::super::spec::{is_our_table, is_page, refers, size_bits, used};
use crate::addr::PhysAddr;
use crate::prop::{CachePolicy, PageProperty};
use vstd::prelude::*;

verus! {

/// The bits of a cache policy.
pub open spec fn cache_bits(cache: CachePolicy) -> u64 {
    match cache {
        CachePolicy::WriteBack => 0x3c,
        CachePolicy::WriteThrough => 0x28,
        CachePolicy::WriteCombining => 0x14,
        _ => 0x4,
    }
}

/// The cache policy of a page.
pub open spec fn cache_policy(word: u64) -> CachePolicy {
    if word & 0x3c == 0x3c {
        CachePolicy::WriteBack
    } else if word & 0x3c == 0x28 {
        CachePolicy::WriteThrough
    } else if word & 0x3c == 0x14 {
        CachePolicy::WriteCombining
    } else {
        CachePolicy::Uncacheable
    }
}

/// The bits of whether a page may be and has been written.
pub open spec fn write_bits(write: bool, dirty: bool) -> u64 {
    match (write, dirty) {
        (true, true) => 0x0008_0000_0000_0080,
        (true, false) => 0x0008_0000_0000_0000,
        (false, true) => 0x0100_0000_0000_0000,
        (false, false) => 0,
    }
}

/// What a page or block has.
pub open spec fn property(word: u64) -> PageProperty {
    let write = word & 0x0008_0000_0000_0000 != 0;
    PageProperty {
        read: true,
        write,
        execute: word & 0x0040_0000_0000_0000 == 0,
        user: true,
        global: false,
        accessed: word & 0x400 != 0,
        dirty: if write {
            word & 0x80 != 0
        } else {
            word & 0x0100_0000_0000_0000 != 0
        },
        cache: cache_policy(word),
    }
}

/// What a descriptor stands for.
pub open spec fn entry(level: nat, word: u64) -> Entry {
    if word & 0x1 == 0 {
        Entry::Empty
    } else if is_page(level, word) {
        Entry::Page { frame: PhysAddr(word & 0x0000_ffff_ffff_f000), prop: property(word) }
    } else {
        Entry::Table { table: PhysAddr(word & 0x0000_ffff_ffff_f000), used: used(word) }
    }
}

/// The descriptor of a page or block.
pub open spec fn page(level: nat, frame: PhysAddr, prop: PageProperty) -> u64 {
    frame.0 | 0x341 | (if level == 1 {
        0x2u64
    } else {
        0
    }) | cache_bits(prop.cache) | write_bits(prop.write, prop.dirty) | (if prop.execute {
        0u64
    } else {
        0x0040_0000_0000_0000
    }) | (if prop.accessed {
        0x400u64
    } else {
        0
    })
}

/// Whether a page or block is one of ours: last level or not, inner shareable, readable, of one of four memory types, and
/// read-only unless hardware may make it dirty.
pub open spec fn is_ours(level: nat, word: u64) -> bool {
    &&& level == 1 <==> word & 0x2 != 0
    &&& word & 0xfeb0_0000_0000_0b40 == 0x340
    &&& word & 0x3c == 0x3c || word & 0x3c == 0x28 || word & 0x3c == 0x14 || word & 0x3c == 0x4
    &&& word & 0x0008_0000_0000_0000 == 0 ==> word & 0x80 == 0
}

/// Whether a descriptor is one of ours: empty is all zeros, reserved bits are zero, and what it refers to fits the
/// machine's addresses.
pub open spec fn wf(phys_bits: u64, level: nat, word: u64) -> bool {
    if word & 0x1 == 0 {
        word == 0
    } else if is_page(level, word) {
        &&& page_size(12, level) is Some
        &&& refers(phys_bits, size_bits(12, level), word)
        &&& is_ours(level, word)
    } else {
        is_our_table(12, phys_bits, word)
    }
}

} // verus!
