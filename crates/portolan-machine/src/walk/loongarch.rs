//! LoongArch64: Reference Manual, Volume 1: Basic Architecture (v1.10), 5.4.
//!
//! The processor's TLB is filled by software: the walk is that of the handler that `portolan::arch::loongarch` lists, in
//! which V of a directory's entry says whether there is anything, and H is looked at where the level has pages. What the
//! memory management unit ignores is ignored here. With `CSR.RVACFG` set to what is translated, and without `CSR.MISC.DWPL0`.

use super::{Allowed, Leaf, Regime, Rights, Step, beyond, has};
use portolan::CachePolicy;

// Bits of an entry (5.4.5)
const VALID: u64 = 1 << 0;
/// Stores are allowed.
const DIRTY: u64 = 1 << 1;
const PRIVILEGE_SHIFT: u32 = 2;
const ACCESS_TYPE_SHIFT: u32 = 4;
/// Of a page of level 1.
const GLOBAL: u64 = 1 << 6;
/// In a directory: a page.
const HUGE: u64 = 1 << 6;
const HUGE_GLOBAL: u64 = 1 << 12;
const NO_READ: u64 = 1 << 61;
const NO_EXECUTE: u64 = 1 << 62;
/// Only for the privilege level that the entry names.
const RESTRICTED: u64 = 1 << 63;
/// Bits 60:12, of which the processor keeps those that it has.
const ADDRESS: u64 = 0x1fff_ffff_ffff_f000;
/// What the handler goes on with.
const TABLE_ADDRESS: u64 = 0x0000_ffff_ffff_f000;

pub(super) const fn step(regime: Regime, phys_bits: u8, level: u8, word: u64) -> Step {
    if !has(word, VALID) {
        return Step::Absent;
    }
    let is_page = match (regime.page_bits(), level) {
        (_, 1) => true,
        (12, 2 | 3) | (14, 2) => has(word, HUGE),
        _ => false,
    };
    if !is_page {
        return Step::Table {
            table: word & TABLE_ADDRESS & !beyond(phys_bits),
            rights: Rights::ALL,
        };
    }
    // 5.3
    let cache = match word >> ACCESS_TYPE_SHIFT & 3 {
        0 => CachePolicy::Uncacheable,
        1 => CachePolicy::WriteBack,
        2 => CachePolicy::WriteCombining,
        _ => return Step::Reserved { bits: 0 },
    };
    let size = regime.span(level);
    Step::Page(Leaf {
        frame: word & ADDRESS & !(size - 1) & !beyond(phys_bits),
        size,
        rights: rights(word),
        global: has(word, if level == 1 { GLOBAL } else { HUGE_GLOBAL }),
        // An entry has nothing that is left to be noted
        accessed: true,
        dirty: true,
        cache,
    })
}

/// 5.4.4, at privilege level 0 for the kernel and 3 for programs.
const fn rights(word: u64) -> Rights {
    let own = Allowed {
        read: !has(word, NO_READ),
        write: has(word, DIRTY),
        execute: !has(word, NO_EXECUTE),
    };
    let (kernel, user) = match (word >> PRIVILEGE_SHIFT & 3, has(word, RESTRICTED)) {
        (0, _) | (1 | 2, false) => (own, Allowed::NONE),
        (3, false) => (own, own),
        (3, true) => (Allowed::NONE, own),
        _ => (Allowed::NONE, Allowed::NONE),
    };
    Rights { kernel, user }
}
