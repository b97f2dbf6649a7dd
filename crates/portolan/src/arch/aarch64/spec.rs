//! What AArch64 stage 1 descriptors stand for, as definitions.

use super::super::entry::Entry;
use super::granule::page_size;
use crate::addr::PhysAddr;
use crate::prop::{CachePolicy, PageProperty};
use vstd::prelude::*;

verus! {

/// A page or block of a level that has them is 2 to the power of this many bytes.
pub open spec fn size_bits(page_bits: u8, level: nat) -> u64 {
    if level == 1 {
        page_bits as u64
    } else if page_bits == 12 {
        if level == 2 {
            21
        } else {
            30
        }
    } else if page_bits == 14 {
        25
    } else {
        29
    }
}

/// The bits of a cache policy: the index of a byte of [`MAIR`](super::MAIR).
pub open spec fn cache_bits(cache: CachePolicy) -> u64 {
    match cache {
        CachePolicy::WriteBack => 0,
        CachePolicy::WriteThrough => 0x4,
        CachePolicy::WriteCombining => 0x8,
        _ => 0xc,
    }
}

/// The cache policy of a page.
pub open spec fn cache_policy(word: u64) -> CachePolicy {
    if word & 0x1c == 0 {
        CachePolicy::WriteBack
    } else if word & 0x1c == 0x4 {
        CachePolicy::WriteThrough
    } else if word & 0x1c == 0x8 {
        CachePolicy::WriteCombining
    } else {
        CachePolicy::Uncacheable
    }
}

/// The bits of who may use a page, and whether to execute it.
pub open spec fn execute_bits(user: bool, execute: bool) -> u64 {
    match (user, execute) {
        (true, true) => 0x0020_0000_0000_0040,
        (true, false) => 0x0060_0000_0000_0040,
        (false, true) => 0x0040_0000_0000_0000,
        (false, false) => 0x0060_0000_0000_0000,
    }
}

/// The bits of whether a page may be and has been written.
pub open spec fn write_bits(write: bool, dirty: bool) -> u64 {
    match (write, dirty) {
        (true, true) => 0x0008_0000_0000_0000,
        (true, false) => 0x0008_0000_0000_0080,
        (false, true) => 0x0080_0000_0000_0080,
        (false, false) => 0x80,
    }
}

/// Whether a valid descriptor is a page or block.
pub open spec fn is_page(level: nat, word: u64) -> bool {
    level == 1 || word & 0x2 == 0
}

/// What a page or block has.
pub open spec fn property(word: u64) -> PageProperty {
    let (user, write) = (word & 0x40 != 0, word & 0x0008_0000_0000_0000 != 0);
    PageProperty {
        read: true,
        write,
        execute: if user {
            word & 0x0040_0000_0000_0000 == 0
        } else {
            word & 0x0020_0000_0000_0000 == 0
        },
        user,
        global: word & 0x800 == 0,
        accessed: word & 0x400 != 0,
        dirty: if write {
            word & 0x80 == 0
        } else {
            word & 0x0080_0000_0000_0000 != 0
        },
        cache: cache_policy(word),
    }
}

/// How many entries of the table are in use, as noted in the descriptor that refers to it.
pub open spec fn used(word: u64) -> u16 {
    (((word >> 51) & 0xff) | ((word << 4) & 0x3f00)) as u16
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
    frame.0 | 0x301 | (if level == 1 {
        0x2u64
    } else {
        0
    }) | cache_bits(prop.cache) | execute_bits(prop.user, prop.execute) | write_bits(
        prop.write,
        prop.dirty,
    ) | (if prop.global {
        0u64
    } else {
        0x800
    }) | (if prop.accessed {
        0x400u64
    } else {
        0
    })
}

/// The descriptor of a table.
pub open spec fn table(at: PhysAddr, used: u16) -> u64 {
    at.0 | 0x3 | ((used as u64 & 0xff) << 51) | ((used as u64 & 0x3f00) >> 4)
}

/// The address bits that are zero where the address is a multiple of 2 to the power of `n`.
pub open spec fn low_bits(n: u64) -> u64 {
    0x0000_ffff_ffff_f000 & sub(1u64 << n, 1)
}

/// Whether a descriptor refers to 2 to the power of `n` bytes that a machine with `phys_bits` bits of physical address
/// has.
pub open spec fn refers(phys_bits: u64, n: u64, word: u64) -> bool {
    &&& n <= phys_bits
    &&& word & 0x0007_ffff_ffff_f000 & !sub(1u64 << phys_bits, 1) == 0
    &&& word & low_bits(n) == 0
}

/// Whether a page or block is one of ours: last level or not, inner shareable, for the kernel or the user, and read-only
/// unless hardware may make it dirty.
pub open spec fn is_ours(level: nat, word: u64) -> bool {
    &&& level == 1 <==> word & 0x2 != 0
    &&& word & 0xff10_0000_0000_0320 == 0x300
    &&& word & 0x40 != 0 ==> word & 0x0020_0000_0000_0000 != 0
    &&& word & 0x40 == 0 ==> word & 0x0040_0000_0000_0000 != 0
    &&& word & 0x0008_0000_0000_0000 == 0 ==> word & 0x80 != 0
}

/// Whether the descriptor of a table is one of ours: it takes nothing away, and bits without use are zero.
pub open spec fn is_our_table(page_bits: u8, phys_bits: u64, word: u64) -> bool {
    refers(phys_bits, page_bits as u64, word) && word & 0xf800_0000_0000_0c0f == 0x3
}

/// Whether a descriptor is one of ours: empty is all zeros, reserved bits are zero, what it refers to fits the machine's
/// addresses, and tables allow everything.
pub open spec fn wf(page_bits: u8, phys_bits: u64, level: nat, word: u64) -> bool {
    if word & 0x1 == 0 {
        word == 0
    } else if is_page(level, word) {
        &&& page_size(page_bits, level) is Some
        &&& refers(phys_bits, size_bits(page_bits, level), word)
        &&& is_ours(level, word)
    } else {
        is_our_table(page_bits, phys_bits, word)
    }
}

} // verus!
