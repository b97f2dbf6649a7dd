//! x86_64: Intel SDM vol. 3, ch. 5 (ch. 4 before 2024); AMD's manual agrees.
//!
//! With `CR0.WP`, `IA32_EFER.NXE` and `CR4.PGE` set; without SMEP, SMAP, protection keys and shadow stacks; with pages of
//! 1 GiB; and with `IA32_PAT` as [`portolan::arch::x86_64::PAT`] has it.

use super::{Allowed, Leaf, Regime, Rights, Step, beyond, has};
use portolan::CachePolicy;

// Bits of an entry (5.5.4, tables 5-14 to 5-20)
const PRESENT: u64 = 1 << 0;
const WRITE: u64 = 1 << 1;
const USER: u64 = 1 << 2;
const WRITE_THROUGH: u64 = 1 << 3;
const CACHE_DISABLE: u64 = 1 << 4;
pub(super) const ACCESSED: u64 = 1 << 5;
const DIRTY: u64 = 1 << 6;
/// In levels 2 and 3: the entry maps a page. Reserved above.
const PAGE_SIZE: u64 = 1 << 7;
/// In level 1.
const PAT_SMALL: u64 = 1 << 7;
const GLOBAL: u64 = 1 << 8;
/// Where an entry above level 1 maps a page.
const PAT_LARGE: u64 = 1 << 12;
/// Bits 51:12.
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
const EXECUTE_DISABLE: u64 = 1 << 63;

pub(super) const fn step(regime: Regime, phys_bits: u8, level: u8, word: u64) -> Step {
    if !has(word, PRESENT) {
        return Step::Absent;
    }
    let wide = ADDRESS & beyond(phys_bits);
    let large = level > 1 && has(word, PAGE_SIZE);
    let bits = word
        & if level > 3 {
            wide | PAGE_SIZE
        } else if large {
            wide | (ADDRESS & (regime.span(level) - 1) & !PAT_LARGE)
        } else {
            wide
        };
    if bits != 0 {
        Step::Reserved { bits }
    } else if level == 1 || large {
        Step::Page(page(regime, level, word))
    } else {
        Step::Table {
            table: word & ADDRESS,
            rights: rights(word),
        }
    }
}

const fn page(regime: Regime, level: u8, word: u64) -> Leaf {
    let size = regime.span(level);
    Leaf {
        frame: word & ADDRESS & !(size - 1),
        size,
        rights: rights(word),
        global: has(word, GLOBAL),
        accessed: has(word, ACCESSED),
        dirty: has(word, DIRTY),
        cache: cache(pat_index(level, word)),
    }
}

/// 5.6.1: every entry on the way can take away.
const fn rights(word: u64) -> Rights {
    let kernel = Allowed {
        read: true,
        write: has(word, WRITE),
        execute: !has(word, EXECUTE_DISABLE),
    };
    Rights {
        kernel,
        user: if has(word, USER) {
            kernel
        } else {
            Allowed::NONE
        },
    }
}

/// PAT, PCD and PWT, as a number (5.9.2).
pub(super) const fn pat_index(level: u8, word: u64) -> u8 {
    let pat = if level == 1 { PAT_SMALL } else { PAT_LARGE };
    (has(word, pat) as u8) << 2
        | (has(word, CACHE_DISABLE) as u8) << 1
        | has(word, WRITE_THROUGH) as u8
}

/// The page attribute table, as it is at reset but for entries 4 and 5 (13.12.4).
const fn cache(index: u8) -> CachePolicy {
    match index {
        0 => CachePolicy::WriteBack,
        1 => CachePolicy::WriteThrough,
        2 | 6 => CachePolicy::UncacheableMinus,
        4 => CachePolicy::WriteCombining,
        5 => CachePolicy::WriteProtected,
        _ => CachePolicy::Uncacheable,
    }
}

/// 5.8.
pub(super) const fn used(word: u64, store: bool) -> u64 {
    word | ACCESSED | if store { DIRTY } else { 0 }
}
