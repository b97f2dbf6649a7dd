//! What an AArch64 processor makes of one stage 1 descriptor in the VMSAv8-64 format: Arm Architecture Reference Manual
//! for A-profile (DDI 0487, issue M.a), ch. D8. Our level 1 is the manual's level 3, our level 4 its level 0.
//!
//! Assumed of the processor's state, for the EL1&0 regime in Non-secure state:
//! - `SCTLR_EL1.M` is set, `SCTLR_EL1.WXN` and `SCTLR_EL1.EE` are clear, and `HCR_EL2.{NV, NV1}` are not both set;
//! - `TCR_EL1` selects the granule and the number of address bits; its fields `EPD`, `TBI`, `HPD`, `E0PD`, `DS` and
//!   `MTX` are zero for the region, and `IPS` is not below the physical address size;
//! - `TCR_EL1.HA` and `TCR_EL1.HD` are set (FEAT_HAFDBS), or all pages are stored with the access flag set and none
//!   writable-clean, as [`Preset`](crate::Preset) does: then nothing here depends on them;
//! - `MAIR_EL1` holds [`MAIR`];
//! - 52-bit output addresses (FEAT_LPA, FEAT_LPA2), permission indirection and overlays (FEAT_S1PIE, FEAT_S1POE), the
//!   attribute index extension (FEAT_AIE), table access flags (FEAT_HAFT), the protected attribute (FEAT_THE), guarded
//!   pages (FEAT_BTI), the `nT` bit of blocks (FEAT_BBML1), page-based hardware attributes and 128-bit descriptors
//!   (FEAT_D128) are not used.
//!
//! `PSTATE.PAN` may be set: it keeps EL1 from more than the descriptors do.

use super::mmu::{Allowed, Rights, Step};
use crate::arch::aarch64::MAIR;
use crate::prop::CachePolicy;
use vstd::prelude::*;

verus! {

/// Bit `n` of a descriptor.
pub open spec fn bit(word: u64, n: u64) -> bool {
    word & (1u64 << n) != 0
}

/// Bits 50:48, which are RES0 (tables D8-50 and D8-52), or bits of the output address beyond the machine's `phys_bits`,
/// which make an Address size fault (D8.15, R_CVSBH).
pub open spec fn beyond(word: u64, phys_bits: u64) -> bool {
    ||| word & 0x0007_0000_0000_0000 != 0
    ||| word & 0x0000_ffff_ffff_f000 & !sub(1u64 << phys_bits, 1) != 0
}

/// The output address of a page or block of 2 to the power of `n` bytes, or of a table: bits 47:n.
pub open spec fn address(word: u64, n: u64) -> u64 {
    word & 0x0000_ffff_ffff_f000 & !sub(1u64 << n, 1)
}

/// Bits n-1:12, which are RES0.
pub open spec fn below(word: u64, n: u64) -> bool {
    word & 0x0000_ffff_ffff_f000 & sub(1u64 << n, 1) != 0
}

/// A page, or a block where a level has them, is 2 to the power of this many bytes with pages of 2 to the power of
/// `page_bits` (D8.2.8 to D8.2.10, tables D8-17, D8-27 and D8-36).
pub open spec fn leaf_bits(page_bits: u64, level: nat) -> Option<u64> {
    if level == 1 {
        Some(page_bits)
    } else if page_bits == 12 && level == 2 {
        Some(21)
    } else if page_bits == 12 && level == 3 {
        Some(30)
    } else if page_bits == 14 && level == 2 {
        Some(25)
    } else if page_bits == 16 && level == 2 {
        Some(29)
    } else {
        None
    }
}

/// Whether a descriptor has the form of a page or block: valid, and bit 1 set at the last level, clear above it (D8.3,
/// table D8-48).
pub open spec fn is_leaf(level: nat, word: u64) -> bool {
    bit(word, 0) && bit(word, 1) == (level == 1)
}

/// What a page or block allows (D8.4.1.2, table D8-65): AP\[1\] (bit 6) is EL0's access, AP\[2\] (bit 7) takes away
/// writing unless DBM (bit 51) makes the page writable-clean (D8.5.2.1), PXN (bit 53) and UXN (bit 54) take away
/// execution at EL1 and at EL0, and what EL0 can write EL1 doesn't execute (R_VWLLR). EL0 may execute what it can't read.
pub open spec fn rights(word: u64) -> Rights {
    let write = !bit(word, 7) || bit(word, 51);
    Rights {
        kernel: Allowed { read: true, write, execute: !bit(word, 53) && !(bit(word, 6) && write) },
        user: Allowed { read: bit(word, 6), write: bit(word, 6) && write, execute: !bit(word, 54) },
    }
}

/// What a table takes away from all below it (D8.4.1.2, table D8-64): APTable (bits 62:61), UXNTable (bit 60), PXNTable
/// (bit 59).
///
/// Where APTable takes EL0's writing from a page, the processor again lets EL1 execute it; that is not told.
pub open spec fn table_rights(word: u64) -> Rights {
    Rights {
        kernel: Allowed { read: true, write: !bit(word, 62), execute: !bit(word, 59) },
        user: Allowed {
            read: !bit(word, 61),
            write: !bit(word, 61) && !bit(word, 62),
            execute: !bit(word, 60),
        },
    }
}

/// The byte of `MAIR_EL1` that AttrIndx (bits 4:2) selects (D8.6.1; D24.2, MAIR_EL1).
pub open spec fn attribute(word: u64) -> u64 {
    (MAIR >> (((word >> 2) & 7) << 3)) & 0xff
}

/// Whether half a byte of `MAIR_EL1` means write-through.
pub open spec fn write_through(half: u64) -> bool {
    half < 4 || 8 <= half < 12
}

/// What a byte of `MAIR_EL1` means (D24.2, MAIR_EL1): device memory, or outer (bits 7:4) and inner (bits 3:0)
/// cacheability, of which the weaker counts.
///
/// Encodings that are unpredictable without FEAT_XS or FEAT_MTE2 are told as uncacheable: [`MAIR`] has none.
pub open spec fn memory_type(attr: u64) -> CachePolicy {
    let (outer, inner) = (attr >> 4, attr & 0xf);
    if outer == 0 || inner == 0 {
        CachePolicy::Uncacheable
    } else if outer == 4 || inner == 4 {
        CachePolicy::WriteCombining
    } else if write_through(outer) || write_through(inner) {
        CachePolicy::WriteThrough
    } else {
        CachePolicy::WriteBack
    }
}

/// Whether the shareability (bits 9:8) of memory with this cache policy is an encoding that is reserved (D8.6.2); that of
/// device memory has no meaning.
pub open spec fn shareability_reserved(word: u64, cache: CachePolicy) -> bool {
    !(cache is Uncacheable) && word & 0x300 == 0x100
}

/// What the descriptor `word` of a table of `level` tells the walk, with pages of 2 to the power of `page_bits` bytes
/// (D8.3.1, tables D8-48, D8-50 and D8-52).
///
/// Bits in and above the address that are RES0 are told as reserved: other extensions give them a meaning. NS (bit 5)
/// and NSTable (bit 63) are RES0 outside Secure state, and ignored.
pub open spec fn step(page_bits: u64, phys_bits: u64, level: nat, word: u64) -> Step {
    if !bit(word, 0) {
        Step::NotPresent
    } else if beyond(word, phys_bits) {
        Step::Reserved
    } else if is_leaf(level, word) {
        match leaf_bits(page_bits, level) {
            Some(n) => {
                let cache = memory_type(attribute(word));
                if below(word, n) || shareability_reserved(word, cache) {
                    Step::Reserved
                } else {
                    Step::Page {
                        frame: address(word, n) as int,
                        rights: rights(word),
                        // nG (D8.16.3.1)
                        global: !bit(word, 11),
                        cache,
                    }
                }
            },
            // no blocks at this level
            None => Step::Reserved,
        }
    } else if !bit(word, 1) || below(word, page_bits) {
        Step::Reserved
    } else {
        Step::Table {
            table: address(word, page_bits) as int,
            rights: table_rights(word),
            global: false,
        }
    }
}

/// What hardware may make of a descriptor at any time (D8.5): of a page or block, it sets the access flag (bit 10), and
/// if DBM (bit 51) is set, makes what is writable-clean writable-dirty by clearing AP\[2\] (bit 7).
pub open spec fn may_become(level: nat, word: u64, now: u64) -> bool {
    ||| now == word
    ||| is_leaf(level, word) && now == word | 0x400
    ||| is_leaf(level, word) && bit(word, 51) && (now == word & !0x80 || now == (word | 0x400)
        & !0x80)
}

/// Whether the region has the address: all bits above the `width` that index the tables are ones in the upper region,
/// zeros in the lower one (D8.2.4).
pub open spec fn canonical(va: u64, width: u64, upper: bool) -> bool {
    va >> width == if upper {
        u64::MAX >> width
    } else {
        0
    }
}

} // verus!
