//! What an Intel processor makes of one entry of the extended page tables: Intel SDM vol. 3, 30.3 (29.3 in 2023, 28.3
//! before), tables 30-2 to 30-7.
//!
//! Assumed of the processor's state: the VM-execution control "enable EPT" is 1; the EPTP says four levels (bits 5:3 are
//! 3) and, if accessed and dirty bits are tracked, enables them (bit 6); its bit 7 (supervisor shadow stacks) is 0, as
//! are the controls "mode-based execute control for EPT", "guest-paging verification", "EPT paging-write control",
//! "sub-page write permissions for EPT" and "EPT-violation #VE". `IA32_VMX_EPT_VPID_CAP` (appendix A.10) has bit 0
//! (execute-only translations), bit 16 (2 MiB pages) and bit 17 (1 GiB pages), or none such is mapped.

use super::mmu::{Allowed, Rights, Step};
use super::x86_64::{beyond, bit};
use crate::prop::CachePolicy;
use vstd::prelude::*;

verus! {

/// Present: any of read (bit 0), write (bit 1) and execute (bit 2) is set (30.3.2).
pub open spec fn present(word: u64) -> bool {
    bit(word, 0) || bit(word, 1) || bit(word, 2)
}

/// What every entry on the path can take away, from all modes of the guest alike (30.3.3.2).
pub open spec fn rights(word: u64) -> Rights {
    let allowed = Allowed { read: bit(word, 0), write: bit(word, 1), execute: bit(word, 2) };
    Rights { kernel: allowed, user: allowed }
}

/// The EPT memory type in bits 5:3; 2, 3 and 7 are reserved (30.3.7.2).
pub open spec fn memory_type(word: u64) -> Option<CachePolicy> {
    let bits = (word >> 3) & 0x7;
    if bits == 0 {
        Some(CachePolicy::Uncacheable)
    } else if bits == 1 {
        Some(CachePolicy::WriteCombining)
    } else if bits == 4 {
        Some(CachePolicy::WriteThrough)
    } else if bits == 5 {
        Some(CachePolicy::WriteProtected)
    } else if bits == 6 {
        Some(CachePolicy::WriteBack)
    } else {
        None
    }
}

/// An entry that maps a page whose frame's address is what `mask` leaves of the entry. The cache policy is the EPT memory
/// type, which the processor combines with the guest's PAT where bit 6 is clear (30.3.7.2).
pub open spec fn page(word: u64, mask: u64) -> Step {
    match memory_type(word) {
        None => Step::Reserved,
        Some(cache) => Step::Page {
            frame: (word & mask) as int,
            rights: rights(word),
            global: false,
            cache,
        },
    }
}

/// What the entry `word` of a table of `level` tells the walk (30.3.2); a misconfiguration (30.3.3.1) is `Reserved`.
pub open spec fn step(phys_bits: u64, level: nat, word: u64) -> Step {
    if !present(word) {
        Step::NotPresent
    } else if bit(word, 1) && !bit(word, 0) {
        // stores without loads
        Step::Reserved
    } else if beyond(word, phys_bits) {
        Step::Reserved
    } else if level == 1 {
        // EPT PTE: 4 KiB; bit 7 is ignored
        page(word, 0x000f_ffff_ffff_f000)
    } else if level == 2 && bit(word, 7) {
        // EPT PDE: 2 MiB; bits 20:12 are reserved
        if word & 0x001f_f000 != 0 {
            Step::Reserved
        } else {
            page(word, 0x000f_ffff_ffe0_0000)
        }
    } else if level == 3 && bit(word, 7) {
        // EPT PDPTE: 1 GiB; bits 29:12 are reserved
        if word & 0x3fff_f000 != 0 {
            Step::Reserved
        } else {
            page(word, 0x000f_ffff_c000_0000)
        }
    } else if word & 0xf8 != 0 {
        // a reference to a table: bits 7:3 are reserved
        Step::Reserved
    } else {
        Step::Table {
            table: (word & 0x000f_ffff_ffff_f000) as int,
            rights: rights(word),
            global: false,
        }
    }
}

/// What hardware may make of an entry at any time (30.3.5): if it is present, set accessed (bit 8); if it maps a page,
/// also dirty (bit 9).
pub open spec fn may_become(level: nat, word: u64, now: u64) -> bool {
    if !present(word) {
        now == word
    } else if level == 1 || (level <= 3 && bit(word, 7)) {
        now == word || now == word | 0x100 || now == word | 0x200 || now == word | 0x300
    } else {
        now == word || now == word | 0x100
    }
}

/// A guest-physical address that four levels translate: bits 63:48 are zero (30.3.2).
pub open spec fn canonical(addr: u64) -> bool {
    addr >> 48u64 == 0
}

} // verus!
