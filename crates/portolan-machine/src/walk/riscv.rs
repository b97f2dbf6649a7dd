//! RISC-V: Privileged Architecture, "Sv39", "Sv48" and "Sv57" (10.4 to 10.6 in the edition of 2024-04-11).
//!
//! With `sstatus.SUM` set and `MXR` clear; with page-based memory types (Svpbmt) and hardware that sets A and D (Svadu);
//! without Svnapot. An address that the machine does not have is told as reserved bits; the processor's exception is an
//! access fault.

use super::{Allowed, Leaf, Regime, Rights, Step, beyond, has};
use portolan::CachePolicy;

// Bits of an entry (10.3.1, 10.4.1)
const VALID: u64 = 1 << 0;
const READ: u64 = 1 << 1;
const WRITE: u64 = 1 << 2;
const EXECUTE: u64 = 1 << 3;
const USER: u64 = 1 << 4;
const GLOBAL: u64 = 1 << 5;
const ACCESSED: u64 = 1 << 6;
const DIRTY: u64 = 1 << 7;
/// Bits 53:10: the address without its lowest 12 bits.
const FRAME: u64 = 0x003f_ffff_ffff_fc00;
const FRAME_SHIFT: u32 = 10;
const PAGE_SHIFT: u32 = 12;
/// Bits 60:54, and N, which is Svnapot's.
const RESERVED: u64 = (0x7f << 54) | (1 << 63);
/// PBMT, bits 62:61.
const MEMORY_TYPE_SHIFT: u32 = 61;
const MEMORY_TYPE: u64 = 3 << MEMORY_TYPE_SHIFT;

pub(super) const fn step(regime: Regime, phys_bits: u8, level: u8, word: u64) -> Step {
    if !has(word, VALID) {
        return Step::Absent;
    }
    // 10.3.1: what is writable is readable
    if has(word, WRITE) && !has(word, READ) {
        return Step::Reserved { bits: 0 };
    }
    let is_page = has(word, READ | EXECUTE);
    let wide = RESERVED | (FRAME & field(beyond(phys_bits)));
    let bits = word
        & if is_page {
            wide | (FRAME & field(regime.span(level) - 1))
        } else {
            wide | USER | ACCESSED | DIRTY | MEMORY_TYPE
        };
    if bits != 0 {
        return Step::Reserved { bits };
    }
    let addr = ((word & FRAME) >> FRAME_SHIFT) << PAGE_SHIFT;
    if is_page {
        page(regime, level, word, addr)
    } else if level == 1 {
        // 10.3.2: there is no level below
        Step::Reserved { bits: 0 }
    } else {
        Step::Table {
            table: addr,
            rights: Rights::ALL,
        }
    }
}

/// Where an entry has the bits of an address.
const fn field(addr: u64) -> u64 {
    (addr >> PAGE_SHIFT) << FRAME_SHIFT
}

const fn page(regime: Regime, level: u8, word: u64, frame: u64) -> Step {
    // Svpbmt
    let cache = match (word & MEMORY_TYPE) >> MEMORY_TYPE_SHIFT {
        0 => CachePolicy::WriteBack,
        1 => CachePolicy::WriteCombining,
        2 => CachePolicy::Uncacheable,
        _ => return Step::Reserved { bits: 0 },
    };
    Step::Page(Leaf {
        frame,
        size: regime.span(level),
        rights: rights(word),
        global: has(word, GLOBAL),
        accessed: has(word, ACCESSED),
        dirty: has(word, DIRTY),
        cache,
    })
}

/// 10.3.1: S-mode never executes what belongs to U-mode, whatever SUM.
const fn rights(word: u64) -> Rights {
    let allowed = Allowed {
        read: has(word, READ),
        write: has(word, WRITE),
        execute: has(word, EXECUTE),
    };
    if has(word, USER) {
        Rights {
            kernel: Allowed {
                execute: false,
                ..allowed
            },
            user: allowed,
        }
    } else {
        Rights {
            kernel: allowed,
            user: Allowed::NONE,
        }
    }
}

/// 10.3.1: G of an entry that refers to a table.
pub(super) const fn shares(word: u64) -> bool {
    has(word, GLOBAL)
}

/// 10.3.2, with hardware that updates.
pub(super) const fn used(word: u64, store: bool) -> u64 {
    word | ACCESSED | if store { DIRTY } else { 0 }
}
