//! What a RISC-V hart makes of one entry in Sv39, Sv48 and Sv57: RISC-V privileged architecture, chapter "Supervisor-Level
//! ISA" (version 1.13), sections "Sv32: Page-Based 32-bit Virtual-Memory Systems", which has the bits of an entry and the
//! steps of the walk, and "Sv39: Page-Based 39-bit Virtual-Memory System", which widens them; Sv48 and Sv57 only add levels.
//!
//! Assumed of the hart's state: `satp.MODE` is 8, 9 or 10 for 3, 4 or 5 levels; SXLEN and UXLEN are 64; `sstatus.MXR` is
//! clear and `sstatus.SUM` set; `menvcfg.PBMTE` is set (Svpbmt), or no entry asks for a memory type; `menvcfg.SSE` is clear
//! (Zicfiss), and pointer masking is off. The hart lacks Svnapot and Svrsw60t59b, or no entry uses the bits that they give
//! a meaning to. While `sstatus.SUM` is clear, supervisor mode is kept from more than the entries keep it from; so may
//! physical memory protection. In a virtual machine, `vsatp` stands for `satp`, `vsstatus` for `sstatus`, `henvcfg` for
//! `menvcfg`, and physical addresses are the guest's.

use super::mmu::{Allowed, Rights, Step};
use crate::prop::CachePolicy;
use vstd::prelude::*;

verus! {

/// Bit `n` of an entry: V, R, W, X, U, G, A, D are bits 0 to 7.
pub open spec fn bit(word: u64, n: u64) -> bool {
    word & (1u64 << n) != 0
}

/// The physical page number: bits 53:10.
pub open spec fn ppn(word: u64) -> u64 {
    (word >> 10) & 0x0fff_ffff_ffff
}

/// The address of what an entry refers to: pages and tables are numbered in units of 4 KiB.
pub open spec fn address(word: u64) -> u64 {
    ppn(word) << 12
}

/// Whether the address is beyond those of the machine: high-order bits of the page number are not ignored, and an access
/// there raises an access fault ("Virtual Address Translation Process", step 2 and the last note).
pub open spec fn beyond(word: u64, phys_bits: u64) -> bool {
    address(word) & !sub(1u64 << phys_bits, 1) != 0
}

/// Whether a bit is set that is reserved in every entry: N (63), 60:54 ("Sv39", "Addressing and Memory Protection").
pub open spec fn reserved(word: u64) -> bool {
    word & 0x9fc0_0000_0000_0000 != 0
}

/// The page-based memory type: bits 62:61 ("Svpbmt").
pub open spec fn memory_type(word: u64) -> u64 {
    (word >> 61) & 0x3
}

/// The cache policy that a memory type asks for ("Svpbmt"): PMA, which leaves ordinary memory cached; NC, not cached and
/// weakly ordered; IO, not cached and strongly ordered.
pub open spec fn cache(memory_type: u64) -> CachePolicy {
    if memory_type == 0 {
        CachePolicy::WriteBack
    } else if memory_type == 1 {
        CachePolicy::WriteCombining
    } else {
        CachePolicy::Uncacheable
    }
}

/// Whether a valid entry maps a page: R or X is set (step 4).
pub open spec fn is_leaf(word: u64) -> bool {
    bit(word, 1) || bit(word, 3)
}

/// The bits of the page number that must be zero in an entry of `level` that maps a page: 9 for each level below (step 5).
pub open spec fn within(level: nat) -> u64 {
    if level <= 1 {
        0
    } else if level == 2 {
        0x1ff
    } else if level == 3 {
        0x3_ffff
    } else if level == 4 {
        0x7ff_ffff
    } else {
        0xf_ffff_ffff
    }
}

/// What a page allows: R, W and X, to user mode if U is set; supervisor mode never executes what is user mode's ("Sv32",
/// "Addressing and Memory Protection").
pub open spec fn rights(word: u64) -> Rights {
    let (read, write, execute) = (bit(word, 1), bit(word, 2), bit(word, 3));
    if bit(word, 4) {
        Rights {
            kernel: Allowed { read, write, execute: false },
            user: Allowed { read, write, execute },
        }
    } else {
        Rights { kernel: Allowed { read, write, execute }, user: Allowed::none() }
    }
}

/// What the entry `word` of a table of `level` tells the walk ("Virtual Address Translation Process", steps 3 to 5).
///
/// An entry of any level can map a page: of 4 KiB, 2 MiB, 1 GiB, 512 GiB and 256 TiB, from level 1 on.
pub open spec fn step(phys_bits: u64, level: nat, word: u64) -> Step {
    if !bit(word, 0) {
        Step::NotPresent
    } else if reserved(word) || (bit(word, 2) && !bit(word, 1)) || beyond(word, phys_bits) {
        // W without R is an encoding for future use
        Step::Reserved
    } else if is_leaf(word) {
        if ppn(word) & within(level) != 0 || memory_type(word) == 3 {
            Step::Reserved
        } else {
            Step::Page {
                frame: address(word) as int,
                rights: rights(word),
                global: bit(word, 5),
                cache: cache(memory_type(word)),
            }
        }
    } else if level <= 1 || bit(word, 4) || bit(word, 6) || bit(word, 7) || memory_type(word) != 0 {
        // no table is below level 1; U, A, D and the memory type are reserved in what refers to a table
        Step::Reserved
    } else {
        // G makes all that is below global
        Step::Table { table: address(word) as int, rights: Rights::all(), global: bit(word, 5) }
    }
}

/// What hardware may make of an entry at any time (step 9): if it maps a page, set accessed (bit 6) and dirty (bit 7).
///
/// More than a hart does: it sets dirty only where W is set, and none of the two under Svade or where the walk ends in a
/// fault.
pub open spec fn may_become(level: nat, word: u64, now: u64) -> bool {
    if bit(word, 0) && is_leaf(word) {
        now == word || now == word | 0x40 || now == word | 0x80 || now == word | 0xc0
    } else {
        now == word
    }
}

/// Canonical: all bits above the index bits are copies of the highest of them ("Sv39", "Sv48" and "Sv57", "Addressing and
/// Memory Protection"); `width` is 39, 48 or 57.
pub open spec fn canonical(va: u64, width: u64) -> bool {
    let upper = va >> sub(width, 1);
    upper == 0 || upper == u64::MAX >> sub(width, 1)
}

} // verus!
