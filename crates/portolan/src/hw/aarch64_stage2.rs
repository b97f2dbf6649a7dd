//! What an AArch64 processor makes of one stage 2 descriptor in the VMSAv8-64 format: Arm Architecture Reference Manual
//! for A-profile (DDI 0487, issue M.a), ch. D8. Our level 1 is the manual's level 3, our level 4 its level 0.
//!
//! Assumed of the processor's state, for a guest in Non-secure state:
//! - `HCR_EL2.VM` is set, `HCR_EL2.FWB` and `SCTLR_EL2.EE` are clear;
//! - `VTCR_EL2` selects the 4 KiB granule and the number of address bits, with one table at the first level; `VTCR_EL2.DS`
//!   is clear, and `VTCR_EL2.PS` is not below the physical address size, which is not below the number of address bits;
//! - `VTCR_EL2.HA` and `VTCR_EL2.HD` are set (FEAT_HAFDBS), or all pages are stored with the access flag set and none
//!   writable-clean, as [`Preset`](crate::Preset) does: then nothing here depends on them;
//! - permission indirection (FEAT_S2PIE), table access flags (FEAT_HAFT), the assured-only attribute (FEAT_THE), the `nT`
//!   bit of blocks (FEAT_BBML1), page-based hardware attributes and 128-bit descriptors (FEAT_D128) are not used.
//!
//! What is told is what stage 2 allows: stage 1, which is the guest's, can only take away from it (D8.4.3), and can only
//! make the caching weaker (D8.6.5).

use super::aarch64::{address, below, beyond, bit, is_leaf, leaf_bits, shareability_reserved};
use super::mmu::{Allowed, Rights, Step};
use crate::prop::CachePolicy;
use vstd::prelude::*;

verus! {

/// What a page or block allows at EL1 and EL0 alike (D8.4.2.1, tables D8-76 and D8-77): S2AP\[0\] (bit 6) reading,
/// S2AP\[1\] (bit 7) writing, as does DBM (bit 51), which makes the page writable-clean (D8.5.2.1); XN (bit 54) takes away
/// execution.
pub open spec fn rights(word: u64) -> Rights {
    let all = Allowed {
        read: bit(word, 6),
        write: bit(word, 7) || bit(word, 51),
        execute: !bit(word, 54),
    };
    Rights { kernel: all, user: all }
}

/// MemAttr, bits 5:2: outer (upper two bits) and inner cacheability (D8.6.5, table D8-96).
pub open spec fn attribute(word: u64) -> (u64, u64) {
    ((word >> 4) & 3, (word >> 2) & 3)
}

/// Whether MemAttr has a meaning.
pub open spec fn has_memory_type(word: u64) -> bool {
    attribute(word).0 == 0 || attribute(word).1 != 0
}

/// What MemAttr means: device memory, or the weaker of outer and inner cacheability.
pub open spec fn memory_type(word: u64) -> CachePolicy {
    let (outer, inner) = attribute(word);
    if outer == 0 {
        CachePolicy::Uncacheable
    } else if outer == 1 || inner == 1 {
        CachePolicy::WriteCombining
    } else if outer == 2 || inner == 2 {
        CachePolicy::WriteThrough
    } else {
        CachePolicy::WriteBack
    }
}

/// What the descriptor `word` of a table of `level` tells the walk (D8.3.1, tables D8-48, D8-51 and D8-53).
///
/// Bits in and above the address that are RES0 are told as reserved, and so is bit 53: FEAT_XNX gives it a meaning.
/// Descriptors of tables have no attributes; bits 63:59 are RES0, and ignored.
pub open spec fn step(phys_bits: u64, level: nat, word: u64) -> Step {
    if !bit(word, 0) {
        Step::NotPresent
    } else if beyond(word, phys_bits) {
        Step::Reserved
    } else if is_leaf(level, word) {
        match leaf_bits(12, level) {
            Some(n) => {
                let cache = memory_type(word);
                if below(word, n) || bit(word, 53) || !has_memory_type(word)
                    || shareability_reserved(word, cache) {
                    Step::Reserved
                } else {
                    Step::Page {
                        frame: address(word, n) as int,
                        rights: rights(word),
                        global: false,
                        cache,
                    }
                }
            },
            // no blocks at this level
            None => Step::Reserved,
        }
    } else if !bit(word, 1) {
        Step::Reserved
    } else {
        Step::Table { table: address(word, 12) as int, rights: Rights::all(), global: false }
    }
}

/// What hardware may make of a descriptor at any time (D8.5): of a page or block, it sets the access flag (bit 10), and
/// if DBM (bit 51) is set, makes what is writable-clean writable-dirty by setting S2AP\[1\] (bit 7).
pub open spec fn may_become(level: nat, word: u64, now: u64) -> bool {
    ||| now == word
    ||| is_leaf(level, word) && now == word | 0x400
    ||| is_leaf(level, word) && bit(word, 51) && (now == word | 0x80 || now == word | 0x480)
}

} // verus!
