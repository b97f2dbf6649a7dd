//! AArch64, both stages of the EL1&0 regime: Arm Architecture Reference Manual for A-profile (DDI 0487), D8.
//!
//! With hardware management of the access flag and of dirty state (`HA` and `HD` of `TCR_EL1` and `VTCR_EL2`); without
//! `HPDn`, `TBIn`, `WXN` and privileged access never, and without larger addresses (`FEAT_LPA`, `FEAT_LPA2`), 128-bit
//! descriptors, permission indirection, overlays, access flags of tables, stage 2 execute-never for one mode
//! (`FEAT_XNX`) and forced write-back (`FEAT_S2FWB`).
//!
//! `MAIR_EL1` is assumed to be, from index 0: write-back (0xff), write-through (0xbb), normal non-cacheable (0x44),
//! Device-nGnRE (0x04), and Device-nGnRnE (0x00) from index 4 on.

use super::{Allowed, Granule, Leaf, Regime, Rights, Step, beyond, has};
use portolan::CachePolicy;

// Bits of every descriptor (D8.3)
const VALID: u64 = 1 << 0;
/// A table above level 1 (lookup level 3), a page in level 1; otherwise a block.
const TABLE_OR_PAGE: u64 = 1 << 1;
/// Bits 49:12. Bits 49:48 hold an address only with larger addresses.
const ADDRESS: u64 = 0x0003_ffff_ffff_f000;
/// How many of its bits there are without larger addresses.
const ADDRESS_BITS: u8 = 48;

// Bits of table descriptors at stage 1 (D8.3)
const PXN_TABLE: u64 = 1 << 59;
const UXN_TABLE: u64 = 1 << 60;
/// APTable\[0\]: nothing for EL0.
const NO_EL0_TABLE: u64 = 1 << 61;
/// APTable\[1\]: no stores.
const READ_ONLY_TABLE: u64 = 1 << 62;

// Bits of block and page descriptors (D8.3)
/// AttrIndx at stage 1, MemAttr at stage 2.
const ATTRIBUTES_SHIFT: u32 = 2;
/// AP\[1\]: EL0 may load and store.
const EL0: u64 = 1 << 6;
/// AP\[2\]: no stores.
const READ_ONLY: u64 = 1 << 7;
/// S2AP\[0\].
const STAGE2_READ: u64 = 1 << 6;
/// S2AP\[1\].
const STAGE2_WRITE: u64 = 1 << 7;
const SHAREABILITY: u64 = 3 << 8;
/// SH: 0b01 is reserved.
const SHAREABILITY_RESERVED: u64 = 1 << 8;
const ACCESSED: u64 = 1 << 10;
const NOT_GLOBAL: u64 = 1 << 11;
/// nT, of blocks.
const NO_TRANSLATION: u64 = 1 << 16;
/// The dirty bit modifier: a store makes a read-only page writable.
const DIRTY_MODIFIER: u64 = 1 << 51;
const PXN: u64 = 1 << 53;
/// Also XN\[1\] at stage 2.
const UXN: u64 = 1 << 54;

/// What a descriptor is, before its attributes.
enum Kind {
    Ended(Step),
    Table(u64),
    Page { frame: u64, size: u64 },
}

/// D8.3. A bit of the address field that holds no address is reserved (RES0); an address that the machine does not
/// have is an address size fault (D8.2).
const fn kind(regime: Regime, phys_bits: u8, level: u8, word: u64) -> Kind {
    if !has(word, VALID) {
        return Kind::Ended(Step::Absent);
    }
    let is_table = level > 1 && has(word, TABLE_OR_PAGE);
    let can_be_page = match level {
        1 => has(word, TABLE_OR_PAGE),
        2 => true,
        3 => regime.page_bits() == Granule::Size4K.page_bits(),
        _ => false,
    };
    if !is_table && !can_be_page {
        return Kind::Ended(Step::Reserved { bits: 0 });
    }
    let width = if phys_bits < ADDRESS_BITS {
        phys_bits
    } else {
        ADDRESS_BITS
    };
    let (size, ignored) = match (is_table, level) {
        (true, _) => (1 << regime.page_bits(), 0),
        (false, 1) => (regime.span(1), 0),
        (false, _) => (regime.span(level), NO_TRANSLATION),
    };
    let bits = word & ADDRESS & (beyond(width) | (size - 1)) & !ignored;
    if bits != 0 {
        return Kind::Ended(Step::Reserved { bits });
    }
    let addr = word & ADDRESS & !(size - 1);
    if is_table {
        Kind::Table(addr)
    } else {
        Kind::Page { frame: addr, size }
    }
}

pub(super) const fn stage1(regime: Regime, phys_bits: u8, level: u8, word: u64) -> Step {
    let (frame, size) = match kind(regime, phys_bits, level, word) {
        Kind::Ended(step) => return step,
        Kind::Table(table) => {
            return Step::Table {
                table,
                rights: table_rights(word),
            };
        }
        Kind::Page { frame, size } => (frame, size),
    };
    let cache = match attribute_index(word) {
        0 => CachePolicy::WriteBack,
        1 => CachePolicy::WriteThrough,
        2 => CachePolicy::WriteCombining,
        _ => CachePolicy::Uncacheable,
    };
    if !shareability_is_known(word, cache) {
        return Step::Reserved { bits: 0 };
    }
    Step::Page(Leaf {
        frame,
        size,
        rights: effective(Rights::ALL, word),
        global: !has(word, NOT_GLOBAL),
        accessed: has(word, ACCESSED),
        dirty: !has(word, READ_ONLY),
        cache,
    })
}

/// AttrIndx.
pub(super) const fn attribute_index(word: u64) -> u8 {
    (word >> ATTRIBUTES_SHIFT) as u8 & 7
}

/// Hierarchical control of access (D8.4).
const fn table_rights(word: u64) -> Rights {
    let write = !has(word, READ_ONLY_TABLE);
    let el0 = !has(word, NO_EL0_TABLE);
    Rights {
        kernel: Allowed {
            read: true,
            write,
            execute: !has(word, PXN_TABLE),
        },
        user: Allowed {
            read: el0,
            write: el0 && write,
            execute: !has(word, UXN_TABLE),
        },
    }
}

/// Direct permissions (D8.4) below `tables`: EL0 can have execute-only pages, and what EL0 can write to, EL1 does not
/// execute.
pub(super) const fn effective(tables: Rights, word: u64) -> Rights {
    let write = !has(word, READ_ONLY) || has(word, DIRTY_MODIFIER);
    let el0 = has(word, EL0);
    let user = tables.user.and(Allowed {
        read: el0,
        write: el0 && write,
        execute: !has(word, UXN),
    });
    let kernel = tables.kernel.and(Allowed {
        read: true,
        write,
        execute: !has(word, PXN) && !user.write,
    });
    Rights { kernel, user }
}

pub(super) const fn stage2(regime: Regime, phys_bits: u8, level: u8, word: u64) -> Step {
    let (frame, size) = match kind(regime, phys_bits, level, word) {
        Kind::Ended(step) => return step,
        // No hierarchical control at stage 2
        Kind::Table(table) => {
            return Step::Table {
                table,
                rights: Rights::ALL,
            };
        }
        Kind::Page { frame, size } => (frame, size),
    };
    let Some(cache) = stage2_cache(word) else {
        return Step::Reserved { bits: 0 };
    };
    if !shareability_is_known(word, cache) {
        return Step::Reserved { bits: 0 };
    }
    Step::Page(Leaf {
        frame,
        size,
        rights: Rights::both(Allowed {
            read: has(word, STAGE2_READ),
            write: has(word, STAGE2_WRITE) || has(word, DIRTY_MODIFIER),
            execute: !has(word, UXN),
        }),
        global: false,
        accessed: has(word, ACCESSED),
        dirty: has(word, STAGE2_WRITE),
        cache,
    })
}

/// MemAttr (D8.6): device memory if the upper half is 0; otherwise outer and inner cacheability, of which the
/// lesser counts.
const fn stage2_cache(word: u64) -> Option<CachePolicy> {
    let attributes = (word >> ATTRIBUTES_SHIFT) & 0xf;
    let (outer, inner) = (attributes >> 2, attributes & 3);
    match if outer < inner { outer } else { inner } {
        _ if outer == 0 => Some(CachePolicy::Uncacheable),
        0 => None,
        1 => Some(CachePolicy::WriteCombining),
        2 => Some(CachePolicy::WriteThrough),
        _ => Some(CachePolicy::WriteBack),
    }
}

/// The shareability of device memory is not the descriptor's matter, and that of normal memory is one of three.
const fn shareability_is_known(word: u64, cache: CachePolicy) -> bool {
    matches!(cache, CachePolicy::Uncacheable) || word & SHAREABILITY != SHAREABILITY_RESERVED
}

/// D8.5: a store to a page that the modifier makes writable clears AP\[2\].
pub(super) const fn used1(word: u64, store: bool) -> u64 {
    let word = word | ACCESSED;
    if store && has(word, DIRTY_MODIFIER) {
        word & !READ_ONLY
    } else {
        word
    }
}

/// D8.5: a store to a page that the modifier makes writable sets S2AP\[1\].
pub(super) const fn used2(word: u64, store: bool) -> u64 {
    let word = word | ACCESSED;
    if store && has(word, DIRTY_MODIFIER) {
        word | STAGE2_WRITE
    } else {
        word
    }
}
