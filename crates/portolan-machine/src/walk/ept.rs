//! Extended page tables: Intel SDM vol. 3, 29.3 (28.3 in older editions).
//!
//! With execute-only translations, accessed and dirty flags (bit 6 of the EPT pointer) and pages of 1 GiB; without
//! mode-based execute control, supervisor shadow stacks and the like.

use super::{Allowed, Leaf, Regime, Rights, Step, beyond, has};
use portolan::CachePolicy;

// Bits of an entry (29.3.2)
const READ: u64 = 1 << 0;
const WRITE: u64 = 1 << 1;
const EXECUTE: u64 = 1 << 2;
const MEMORY_TYPE_SHIFT: u32 = 3;
/// In levels 2 and 3: the entry maps a page. Ignored in level 1, reserved in level 4.
const PAGE: u64 = 1 << 7;
pub(super) const ACCESSED: u64 = 1 << 8;
const DIRTY: u64 = 1 << 9;
/// Bits 51:12.
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
/// Bits 6:3, where an entry refers to a table.
const RESERVED_IN_TABLES: u64 = 0x78;

pub(super) const fn step(regime: Regime, phys_bits: u8, level: u8, word: u64) -> Step {
    if !has(word, READ | WRITE | EXECUTE) {
        return Step::Absent;
    }
    // 29.3.3.1: what is writable is readable
    if has(word, WRITE) && !has(word, READ) {
        return Step::Reserved { bits: 0 };
    }
    let is_page = level == 1 || (level <= 3 && has(word, PAGE));
    let wide = ADDRESS & beyond(phys_bits);
    let bits = word
        & if is_page {
            wide | (ADDRESS & (regime.span(level) - 1))
        } else {
            wide | RESERVED_IN_TABLES | PAGE
        };
    if bits != 0 {
        return Step::Reserved { bits };
    }
    if !is_page {
        return Step::Table {
            table: word & ADDRESS,
            rights: rights(word),
        };
    }
    let Some(cache) = cache(word) else {
        return Step::Reserved { bits: 0 };
    };
    Step::Page(Leaf {
        frame: word & ADDRESS,
        size: regime.span(level),
        rights: rights(word),
        global: false,
        accessed: has(word, ACCESSED),
        dirty: has(word, DIRTY),
        cache,
    })
}

/// 29.3.2: every entry on the way can take away, from the guest's kernel and its programs alike.
const fn rights(word: u64) -> Rights {
    Rights::both(Allowed {
        read: has(word, READ),
        write: has(word, WRITE),
        execute: has(word, EXECUTE),
    })
}

/// 29.3.7: the memory type, which the guest's page attribute table can weaken unless bit 6 says that it is ignored.
const fn cache(word: u64) -> Option<CachePolicy> {
    match (word >> MEMORY_TYPE_SHIFT) & 7 {
        0 => Some(CachePolicy::Uncacheable),
        1 => Some(CachePolicy::WriteCombining),
        4 => Some(CachePolicy::WriteThrough),
        5 => Some(CachePolicy::WriteProtected),
        6 => Some(CachePolicy::WriteBack),
        _ => None,
    }
}

/// 29.3.5.
pub(super) const fn used(word: u64, store: bool) -> u64 {
    word | ACCESSED | if store { DIRTY } else { 0 }
}
