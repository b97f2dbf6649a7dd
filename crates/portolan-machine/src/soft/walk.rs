//! The walk, from Intel SDM vol. 3, ch. 5 (ch. 4 before 2024). It shares no code with the library under test.

use crate::access::{Kind, PageFaultCode, Privilege};
use crate::memory::Memory;
use portolan::PhysAddr;

// Bits of an entry (5.5.4, tables 5-14 to 5-20)
const PRESENT: u64 = 1 << 0;
const WRITE: u64 = 1 << 1;
const USER: u64 = 1 << 2;
const WRITE_THROUGH: u64 = 1 << 3;
const CACHE_DISABLE: u64 = 1 << 4;
const ACCESSED: u64 = 1 << 5;
const DIRTY: u64 = 1 << 6;
const PAGE_SIZE: u64 = 1 << 7;
const PAT_SMALL: u64 = 1 << 7;
const GLOBAL: u64 = 1 << 8;
const PAT_LARGE: u64 = 1 << 12;
const EXECUTE_DISABLE: u64 = 1 << 63;
/// Bits 51:12.
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// What the entries so far allow: each can only take away (5.6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rights {
    pub(super) write: bool,
    pub(super) user: bool,
    pub(super) execute: bool,
}

impl Rights {
    pub(super) const ALL: Rights = Rights {
        write: true,
        user: true,
        execute: true,
    };

    fn and(self, entry: u64) -> Self {
        Rights {
            write: self.write && entry & WRITE != 0,
            user: self.user && entry & USER != 0,
            execute: self.execute && entry & EXECUTE_DISABLE == 0,
        }
    }

    /// 5.6.1 with CR0.WP = 1, IA32_EFER.NXE = 1, and SMEP, SMAP and protection keys off.
    pub(super) fn allow(self, kind: Kind, privilege: Privilege) -> bool {
        (privilege == Privilege::Supervisor || self.user)
            && match kind {
                Kind::Load => true,
                Kind::Store => self.write,
                Kind::Fetch => self.execute,
            }
    }
}

/// A table on the way: what a paging-structure cache holds of the entry that refers to it (5.10.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hop {
    /// The level of the table; entries of level 1 map 4 KiB.
    pub(super) level: u32,
    /// Where the table is.
    pub(super) table: u64,
    /// The first virtual address that it serves.
    pub(super) base: u64,
    pub(super) rights: Rights,
}

impl Hop {
    /// The root: nothing has been taken away.
    pub(super) fn root(table: u64, levels: u32) -> Self {
        Hop {
            level: levels,
            table,
            base: 0,
            rights: Rights::ALL,
        }
    }

    /// Whether the table serves `va`.
    pub(super) fn serves(&self, va: u64) -> bool {
        va & !(span(self.level + 1) - 1) == self.base
    }
}

/// Where a walk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    pub(super) base: u64,
    pub(super) size: u64,
    pub(super) frame: u64,
    pub(super) rights: Rights,
    pub(super) global: bool,
    pub(super) accessed: bool,
    pub(super) dirty: bool,
    pub(super) pat: u8,
}

/// What a walk is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To perform an access.
    Access(Kind, Privilege),
    /// To have a translation early: sets accessed bits, as 5.8 allows, but never a dirty bit.
    Speculation,
    /// To look without leaving a trace.
    Look,
}

/// Bytes that an entry of `level` covers.
fn span(level: u32) -> u64 {
    1 << (12 + 9 * (level - 1))
}

/// Bits of a present entry that must be 0 (5.5.4: bits 51:M; PS in levels 4 and 5; the low bits of a large frame).
fn reserved(entry: u64, level: u32, phys_bits: u8) -> u64 {
    let wide = ADDRESS & !((1 << phys_bits) - 1);
    match level {
        4 | 5 => wide | PAGE_SIZE,
        2 | 3 if entry & PAGE_SIZE != 0 => wide | (span(level) - 1) & ADDRESS & !PAT_LARGE,
        _ => wide,
    }
}

/// Index into the page attribute table (5.9.2).
fn pat_index(entry: u64, pat: u64) -> u8 {
    let bit = |mask: u64| u8::from(entry & mask != 0);
    bit(pat) << 2 | bit(CACHE_DISABLE) << 1 | bit(WRITE_THROUGH)
}

/// Walks from `start` to the page that serves `va`, which is canonical, and tells `passed` of each table on the way
/// with the entry that refers to it.
///
/// Accessed and dirty bits are set as 5.8 says: in each entry that is used, by one atomic access that happens only if
/// the entry is still what it was.
pub(super) fn walk(
    memory: &Memory,
    start: Hop,
    va: u64,
    purpose: Purpose,
    mut passed: impl FnMut(Hop, u64),
) -> Result<Leaf, PageFaultCode> {
    let fault = |bits: u32| match purpose {
        Purpose::Access(kind, privilege) => PageFaultCode::of(kind, privilege).with(bits),
        Purpose::Speculation | Purpose::Look => PageFaultCode(bits),
    };
    let mut hop = start;
    loop {
        let level = hop.level;
        let slot = PhysAddr::new(hop.table + 8 * (va >> (12 + 9 * (level - 1)) & 511));
        let entry = memory.load(slot);
        if entry & PRESENT == 0 {
            return Err(fault(0));
        }
        if entry & reserved(entry, level, memory.phys_bits()) != 0 {
            return Err(fault(PageFaultCode::PRESENT | PageFaultCode::RESERVED));
        }
        let rights = hop.rights.and(entry);
        let is_leaf = level == 1 || entry & PAGE_SIZE != 0;
        let mut marked = entry | ACCESSED;
        if is_leaf && let Purpose::Access(kind, privilege) = purpose {
            if !rights.allow(kind, privilege) {
                return Err(fault(PageFaultCode::PRESENT));
            }
            if kind == Kind::Store {
                marked |= DIRTY;
            }
        }
        if purpose != Purpose::Look
            && marked != entry
            && memory.exchange(slot, entry, marked).is_err()
        {
            // Someone was faster: what the entry says now is what counts
            continue;
        }
        let seen = if purpose == Purpose::Look {
            entry
        } else {
            marked
        };
        let base = va & !(span(level) - 1);
        if is_leaf {
            return Ok(Leaf {
                base,
                size: span(level),
                frame: entry & ADDRESS & !(span(level) - 1),
                rights,
                global: entry & GLOBAL != 0,
                accessed: seen & ACCESSED != 0,
                dirty: seen & DIRTY != 0,
                pat: pat_index(entry, if level == 1 { PAT_SMALL } else { PAT_LARGE }),
            });
        }
        hop = Hop {
            level: level - 1,
            table: entry & ADDRESS,
            base,
            rights,
        };
        passed(hop, entry);
    }
}

/// Whether an entry that refers to a table has that table accessed through index 0 of the page attribute table.
pub(super) fn table_is_pat0(entry: u64) -> bool {
    entry & (WRITE_THROUGH | CACHE_DISABLE) == 0
}

/// Whether `va` is canonical: bits 63 down to the topmost that is translated are equal (vol. 1, 3.3.7.1).
pub(super) fn is_canonical(va: u64, levels: u32) -> bool {
    let unused = 64 - (12 + 9 * levels);
    ((va << unused) as i64 >> unused) as u64 == va
}
