//! The walk of a processor with caches: it may start at a table that it remembers, and leaves marks in the entries.
//!
//! What the words mean is [`Regime::step`]'s matter.

use crate::access::{Kind, Privilege};
use crate::fault::Refusal;
use crate::memory::Memory;
use crate::walk::{Leaf, Regime, Rights, Step};
use portolan::PhysAddr;

/// A table on the way: what a processor may remember of the entry that refers to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hop {
    /// The level of the table; entries of level 1 map the smallest pages.
    pub(super) level: u8,
    /// Where the table is.
    pub(super) table: u64,
    /// The first virtual address that it serves.
    pub(super) base: u64,
    /// How many bytes of addresses it serves; 0 for all of them.
    pub(super) size: u64,
    /// What the tables down to it leave.
    pub(super) rights: Rights,
    /// Whether an entry above makes what is below global.
    pub(super) global: bool,
}

impl Hop {
    /// The root: nothing has been taken away.
    pub(super) fn root(table: u64, regime: Regime) -> Self {
        Hop {
            level: regime.levels(),
            table,
            base: 0,
            size: 0,
            rights: Rights::ALL,
            global: false,
        }
    }

    /// Whether the table serves `va`.
    pub(super) fn serves(&self, va: u64) -> bool {
        self.size == 0 || va & !(self.size - 1) == self.base
    }

    /// Whether it is the same table for the same addresses, or a table for others.
    pub(super) fn agrees(&self, other: &Hop) -> bool {
        (self.level, self.base) != (other.level, other.base) || self.table == other.table
    }
}

/// Where a walk ended: a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The level of the entry.
    pub(super) level: u8,
    /// The page's first virtual address.
    pub(super) base: u64,
    /// What the entry says, with global as all entries on the way have it.
    pub(super) leaf: Leaf,
    /// What all entries on the way allow.
    pub(super) rights: Rights,
}

/// Why a walk came to no page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// What it found refuses the access.
    Refused(Refusal),
    /// It led to a physical address that the machine doesn't have.
    Outside(u64),
}

/// What a walk is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To perform an access.
    Access(Kind, Privilege),
    /// To have a translation early: sets accessed bits, as all architectures allow, but never a dirty bit.
    Speculation,
    /// To look without leaving a trace.
    Look,
}

/// Walks from `start` to the page that serves `va`, which is canonical, and tells `passed` of each table on the way
/// with the entry that refers to it.
///
/// Marks are left as the architecture says: in each entry that is used, by one atomic access that happens only if the
/// entry is still what it was.
pub(super) fn walk(
    regime: Regime,
    memory: &Memory,
    start: Hop,
    va: u64,
    purpose: Purpose,
    mut passed: impl FnMut(Hop, u64),
) -> Result<Found, Stop> {
    // RISC-V gives a fault of its own to an address that the machine doesn't have, so the walk gets there first
    let phys_bits = match regime {
        Regime::Riscv { .. } => 56,
        _ => memory.phys_bits(),
    };
    let refused = |refusal| Err(Stop::Refused(refusal));
    let mut hop = start;
    loop {
        let level = hop.level;
        let slot = hop.table + 8 * regime.index(va, level) as u64;
        if slot >> memory.phys_bits() != 0 {
            return Err(Stop::Outside(slot));
        }
        let slot = PhysAddr::new(slot);
        let entry = memory.load(slot);
        let step = regime.step(phys_bits, level, entry);
        let store = match (step, purpose) {
            (Step::Absent, _) => return refused(Refusal::Absent { level }),
            (Step::Reserved { bits }, _) => return refused(Refusal::Reserved { level, bits }),
            (Step::Page(leaf), Purpose::Access(kind, privilege)) => {
                let rights = regime.effective(hop.rights, &leaf, entry);
                if !rights.allow(kind, privilege) {
                    return refused(Refusal::Denied { level, rights });
                }
                kind == Kind::Store
            }
            _ => false,
        };
        let marked = match purpose {
            Purpose::Look => entry,
            _ => regime.used(level, entry, store),
        };
        if marked != entry && memory.exchange(slot, entry, marked).is_err() {
            // Someone was faster: what the entry says now is what counts
            continue;
        }
        let (base, size) = (va & !(regime.span(level) - 1), regime.span(level));
        match regime.step(phys_bits, level, marked) {
            Step::Table { table, rights } => {
                hop = Hop {
                    level: level - 1,
                    table,
                    base,
                    size,
                    rights: hop.rights.and(rights),
                    global: hop.global || regime.shares(marked),
                };
                passed(hop, marked);
            }
            Step::Page(leaf) => {
                let global = leaf.global || hop.global;
                return Ok(Found {
                    level,
                    base,
                    leaf: Leaf { global, ..leaf },
                    rights: regime.effective(hop.rights, &leaf, marked),
                });
            }
            // Marks make nothing of an entry that it wasn't
            Step::Absent | Step::Reserved { .. } => continue,
        }
    }
}

/// Whether an entry that refers to a table has that table accessed through the cache.
pub(super) fn table_is_cached(regime: Regime, entry: u64) -> bool {
    /// PWT and PCD (Intel SDM vol. 3, 5.9.2).
    const UNCACHED: u64 = 1 << 3 | 1 << 4;
    !matches!(regime, Regime::X86_64 { .. }) || entry & UNCACHED == 0
}
