//! What an x86_64 processor makes of one entry: Intel SDM vol. 3, ch. 5 (ch. 4 before 2024), tables 5-14 to 5-20.
//!
//! Assumed of the processor's state: `CR0.PG`, `CR0.WP`, `CR4.PAE`, `CR4.PGE` and `IA32_EFER.NXE` are set; `CR4.LA57` is
//! set for five levels and clear for four; `CR4.PKE`, `CR4.PKS`, `CR4.CET`, `CR4.LAM_SUP` and the `LAM` bits of `CR3` are
//! clear; `IA32_PAT` holds [`PAT`](crate::arch::x86_64::PAT), or what it holds at reset if only the first four policies
//! are used; 1 GiB pages exist (CPUID 80000001H:EDX\[26\]), or none is mapped. `CR4.SMEP` and `CR4.SMAP` may be set: they
//! keep supervisor mode from more than the entries do.

use super::mmu::{Allowed, Rights, Step};
use crate::prop::CachePolicy;
use vstd::prelude::*;

verus! {

/// Bit `n` of an entry.
pub open spec fn bit(word: u64, n: u64) -> bool {
    word & (1u64 << n) != 0
}

/// Bits 51:M, which are reserved on a processor with M bits of physical address (5.1.4).
pub open spec fn beyond(word: u64, phys_bits: u64) -> bool {
    word & 0x000f_ffff_ffff_ffff & !sub(1u64 << phys_bits, 1) != 0
}

/// What every entry on the path can take away: R/W (bit 1), U/S (bit 2), XD (bit 63) (5.6.1).
pub open spec fn rights(word: u64) -> Rights {
    let kernel = Allowed { read: true, write: bit(word, 1), execute: !bit(word, 63) };
    Rights {
        kernel,
        user: if bit(word, 2) {
            kernel
        } else {
            Allowed::none()
        },
    }
}

/// The cache policy that entry `index` of `IA32_PAT` selects (13.12.3 and 13.12.4).
pub open spec fn pat(index: int) -> CachePolicy {
    if index == 0 {
        CachePolicy::WriteBack
    } else if index == 1 {
        CachePolicy::WriteThrough
    } else if index == 2 || index == 6 {
        CachePolicy::UncacheableMinus
    } else if index == 4 {
        CachePolicy::WriteCombining
    } else if index == 5 {
        CachePolicy::WriteProtected
    } else {
        CachePolicy::Uncacheable
    }
}

/// The memory type that a byte of `IA32_PAT` encodes (13.12.2, table 13-10); the encodings that are missing are reserved.
pub open spec fn pat_type(byte: u64) -> Option<CachePolicy> {
    if byte == 0x00 {
        Some(CachePolicy::Uncacheable)
    } else if byte == 0x01 {
        Some(CachePolicy::WriteCombining)
    } else if byte == 0x04 {
        Some(CachePolicy::WriteThrough)
    } else if byte == 0x05 {
        Some(CachePolicy::WriteProtected)
    } else if byte == 0x06 {
        Some(CachePolicy::WriteBack)
    } else if byte == 0x07 {
        Some(CachePolicy::UncacheableMinus)
    } else {
        None
    }
}

/// Entry `index` of a page attribute table: byte `index` of the register.
pub open spec fn pat_entry(register: u64, index: u64) -> Option<CachePolicy> {
    pat_type((register >> (8 * index) as u64) & 0xff)
}

/// The page attribute table's index: PAT, PCD (bit 4) and PWT (bit 3) as a binary number (5.9.2).
pub open spec fn pat_index(word: u64, pat_bit: u64) -> int {
    (if bit(word, pat_bit) {
        4int
    } else {
        0
    }) + (if bit(word, 4) {
        2int
    } else {
        0
    }) + (if bit(word, 3) {
        1int
    } else {
        0
    })
}

/// An entry that maps a page whose frame's address is what `mask` leaves of the entry.
pub open spec fn page(word: u64, mask: u64, pat_bit: u64) -> Step {
    Step::Page {
        frame: (word & mask) as int,
        rights: rights(word),
        global: bit(word, 8),
        cache: pat(pat_index(word, pat_bit)),
    }
}

/// An entry that refers to a table, whose address is in bits 51:12.
pub open spec fn table(word: u64) -> Step {
    Step::Table {
        table: (word & 0x000f_ffff_ffff_f000) as int,
        rights: rights(word),
        global: false,
    }
}

/// What the entry `word` of a table of `level` tells the walk (5.5.4, figure 5-11).
pub open spec fn step(phys_bits: u64, level: nat, word: u64) -> Step {
    if !bit(word, 0) {
        Step::NotPresent
    } else if beyond(word, phys_bits) {
        Step::Reserved
    } else if level == 1 {
        // PTE: 4 KiB; PAT is bit 7
        page(word, 0x000f_ffff_ffff_f000, 7)
    } else if level == 2 && bit(word, 7) {
        // PDE with PS: 2 MiB; bits 20:13 are reserved, PAT is bit 12
        if word & 0x001f_e000 != 0 {
            Step::Reserved
        } else {
            page(word, 0x000f_ffff_ffe0_0000, 12)
        }
    } else if level == 3 && bit(word, 7) {
        // PDPTE with PS: 1 GiB; bits 29:13 are reserved, PAT is bit 12
        if word & 0x3fff_e000 != 0 {
            Step::Reserved
        } else {
            page(word, 0x000f_ffff_c000_0000, 12)
        }
    } else if level >= 4 && bit(word, 7) {
        // PML4E, PML5E: PS is reserved
        Step::Reserved
    } else {
        table(word)
    }
}

/// What hardware may make of an entry at any time (5.8): if it is present, set accessed (bit 5); if it maps a page,
/// also dirty (bit 6).
pub open spec fn may_become(level: nat, word: u64, now: u64) -> bool {
    if !bit(word, 0) {
        now == word
    } else if level == 1 || (level <= 3 && bit(word, 7)) {
        now == word || now == word | 0x20 || now == word | 0x40 || now == word | 0x60
    } else {
        now == word || now == word | 0x20
    }
}

/// Canonical: all bits above the index bits are copies of the highest of them (vol. 1, 3.3.7.1); `width` is 48 or 57.
pub open spec fn canonical(va: u64, width: u64) -> bool {
    let upper = va >> sub(width, 1);
    upper == 0 || upper == u64::MAX >> sub(width, 1)
}

} // verus!
