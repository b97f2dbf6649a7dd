//! What a processor may remember of its walks, and what makes it forget.
//!
//! Intel SDM vol. 3, 5.10 (and 30.4 for extended page tables); Arm ARM D8.16 and D8.17; RISC-V privileged
//! specification, "Supervisor Memory-Management Fence Instruction"; LoongArch Reference Manual, Volume 1, 5.4.

mod held;

use super::walk::{Found, Hop};
use crate::access::{Kind, Privilege};
use crate::fault::Refusal;
use crate::rng::Rng;
use crate::walk::Regime;
use held::Held;
use std::collections::{BTreeMap, VecDeque};

/// How a processor of the software machine uses what the architecture lets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caching {
    /// It keeps every translation until it is told to drop it, and always prefers what it has.
    Hoard,
    /// It loads entries early, uses or ignores them, splits large pages and drops entries, all by a seed.
    Seeded(u64),
}

/// A translation, or a part of one: a large page may be cached as smaller ones.
#[derive(Clone, Copy, Debug)]
pub(super) struct Translation {
    base: u64,
    size: u64,
    /// What the tables say, of which this may be a part.
    found: Found,
}

impl Translation {
    fn of(found: Found, va: u64, size: u64) -> Self {
        let size = size.min(found.leaf.size);
        let base = va & !(size - 1);
        Translation { base, size, found }
    }

    fn serves(&self, va: u64) -> bool {
        va & !(self.size - 1) == self.base
    }

    /// The physical address of `va`.
    pub(super) fn target(&self, va: u64) -> u64 {
        self.found.leaf.frame + (va - self.found.base)
    }

    /// Refuses an access that it doesn't allow.
    pub(super) fn check(&self, kind: Kind, privilege: Privilege) -> Result<(), Refusal> {
        let Found { level, rights, .. } = self.found;
        if rights.allow(kind, privilege) {
            Ok(())
        } else {
            Err(Refusal::Denied { level, rights })
        }
    }

    /// Whether a store may be performed without setting the dirty bit in memory.
    pub(super) fn dirty(&self) -> bool {
        self.found.leaf.dirty
    }

    /// Whether both can be there at once: they are for different addresses, or from the same page.
    fn agrees(&self, found: &Found) -> bool {
        let place = |found: &Found| (found.base, found.leaf.size, found.leaf.frame);
        let (first, last) = (found.base, found.base + (found.leaf.size - 1));
        place(&self.found) == place(found)
            || last < self.base
            || self.base + (self.size - 1) < first
    }
}

/// How many entries each cache has.
const TRANSLATIONS: usize = 96;
const HOPS: usize = 48;

/// One processor's TLB, and what it remembers of upper tables.
pub(super) struct Cache {
    regime: Regime,
    caching: Caching,
    rng: Rng,
    translations: VecDeque<Translation>,
    hops: VecDeque<Hop>,
    /// Where nothing was found, if that is remembered: the first address, the bytes and the level.
    absent: Option<VecDeque<(u64, u64, u8)>>,
    /// The identifier under which all this is held.
    id: usize,
    /// What is held under others.
    held: BTreeMap<usize, Held>,
}

impl Cache {
    /// An empty one. With `absent`, it also remembers that nothing was found.
    pub(super) fn new(regime: Regime, caching: Caching, absent: bool, cpu: usize) -> Self {
        let seed = match caching {
            Caching::Hoard => 0,
            Caching::Seeded(seed) => seed,
        };
        let rng = Rng::new(crate::rng::mix(seed) ^ cpu as u64);
        Cache {
            regime,
            caching,
            rng,
            translations: VecDeque::new(),
            hops: VecDeque::new(),
            absent: absent.then(VecDeque::new),
            id: 0,
            held: BTreeMap::new(),
        }
    }

    fn hoards(&self) -> bool {
        self.caching == Caching::Hoard
    }

    /// Whether to load a translation early now, and for which of `n` addresses.
    pub(super) fn speculates(&mut self, n: usize) -> Option<usize> {
        (n > 0 && !self.hoards() && self.rng.one_in(4)).then(|| self.rng.below(n as u64) as usize)
    }

    /// An address near `va`, in the same page or in one of another size beside it.
    pub(super) fn near(&mut self, va: u64) -> u64 {
        match self.rng.below(4) {
            0 => va.wrapping_add(self.regime.span(1)),
            1 => va.wrapping_sub(self.regime.span(1)),
            2 => va ^ self.regime.span(2),
            _ => va,
        }
    }

    /// Drops an entry now and then, which is allowed at any time.
    pub(super) fn forget_some(&mut self) {
        if self.hoards() || !self.rng.one_in(32) {
            return;
        }
        let translations = self.translations.len() as u64;
        if translations > 0 {
            self.translations
                .swap_remove_back(self.rng.below(translations) as usize);
        }
        let hops = self.hops.len() as u64;
        if hops > 0 {
            self.hops.swap_remove_back(self.rng.below(hops) as usize);
        }
    }

    /// A translation for `va`, if there is one and the processor chooses to use it. If there are several, any of them.
    pub(super) fn translation(&mut self, va: u64) -> Option<Translation> {
        if !self.hoards() && self.rng.one_in(8) {
            return None;
        }
        let skip = if self.hoards() {
            0
        } else {
            self.rng.below(2) as usize
        };
        let mut fitting = self.translations.iter().filter(|t| t.serves(va));
        let first = fitting.next().copied();
        fitting.nth(skip).copied().or(first)
    }

    /// Where a walk for `va` may start: at the root, or at a table that is remembered.
    pub(super) fn start(&mut self, va: u64, root: Hop) -> Hop {
        if !self.hoards() && self.rng.one_in(4) {
            return root;
        }
        let fitting = self.hops.iter().filter(|hop| hop.serves(va));
        fitting.min_by_key(|hop| hop.level).copied().unwrap_or(root)
    }

    /// Remembers a table on the way.
    pub(super) fn remember_hop(&mut self, hop: Hop) {
        // A TLB that software fills has only pages
        let has_none = matches!(self.regime, Regime::LoongArch { .. });
        if has_none || self.hops.contains(&hop) || !self.hoards() && self.rng.one_in(4) {
            return;
        }
        if self.hops.len() == HOPS {
            self.hops.pop_front();
        }
        self.hops.push_back(hop);
    }

    /// Remembers a translation, perhaps only the part around `va`, and gives what it remembered.
    pub(super) fn remember(&mut self, found: Found, va: u64) -> Translation {
        let size = if self.hoards() {
            found.leaf.size
        } else {
            let (small, next) = (self.regime.span(1), self.regime.span(2));
            self.rng
                .pick(&[found.leaf.size, found.leaf.size, next, small])
        };
        let translation = Translation::of(found, va, size);
        if self.hoards() || !self.rng.one_in(8) {
            if self.translations.len() == TRANSLATIONS {
                self.translations.pop_front();
            }
            self.translations.push_back(translation);
        }
        translation
    }

    /// The level at which nothing was found for `va`, if that is remembered.
    pub(super) fn absent(&self, va: u64) -> Option<u8> {
        let mut all = self.absent.iter().flatten();
        all.find(|(base, size, _)| va & !(size - 1) == *base)
            .map(|(_, _, level)| *level)
    }

    /// Remembers that a table of `level` has nothing for `va`.
    pub(super) fn remember_absent(&mut self, level: u8, va: u64) {
        let size = self.regime.span(level);
        if let Some(absent) = &mut self.absent {
            if absent.len() == TRANSLATIONS {
                absent.pop_front();
            }
            absent.push_back((va & !(size - 1), size, level));
        }
    }

    /// A fault at `va` drops what would be used for it: x86_64 (5.10.4.1) and extended page tables (30.4.3.1). The others
    /// may go on refusing.
    pub(super) fn faulted(&mut self, va: u64) {
        if matches!(self.regime, Regime::X86_64 { .. } | Regime::Ept) {
            self.translations.retain(|t| !t.serves(va));
            self.hops.retain(|hop| !hop.serves(va));
        }
    }

    /// What [`Machine::invalidate_page`](crate::Machine::invalidate_page) does: every part of the page that `va` lies in,
    /// global or not, and of the upper tables what the architecture says.
    pub(super) fn invalidate_page(&mut self, va: u64) {
        match self.regime {
            Regime::X86_64 { .. } | Regime::Ept => self.invalidate_leaf(va),
            // TLBI by address: those that serve it (D8.17.5)
            Regime::Arm1 { .. } | Regime::Arm2 { .. } => {
                self.invalidate_leaf(va);
                self.hops.retain(|hop| !hop.serves(va));
            }
            // SFENCE.VMA with an address would leave them
            Regime::Riscv { .. } => self.clear(),
            // There are none
            Regime::LoongArch { .. } => self.invalidate_leaf(va),
        }
    }

    /// Every part of the page that `va` lies in, and of the upper tables as little as possible: nothing by `TLBI VALE1` and
    /// `SFENCE.VMA` with an address.
    pub(super) fn invalidate_leaf(&mut self, va: u64) {
        self.translations
            .retain(|t| va & !(t.found.leaf.size - 1) != t.found.base);
        if let Some(absent) = &mut self.absent {
            absent.retain(|(base, size, _)| va & !(size - 1) != *base);
        }
        match self.regime {
            // INVLPG drops all of them, for other addresses too (5.10.4.1)
            Regime::X86_64 { .. } => self.hops.clear(),
            // INVEPT has no address (30.4.3.1)
            Regime::Ept => self.clear(),
            Regime::Arm1 { .. } | Regime::Arm2 { .. } | Regime::Riscv { .. } => {}
            Regime::LoongArch { .. } => self.invalidate_other_half(va),
        }
    }

    /// INVTLB takes away a pair as a whole (LoongArch Reference Manual, Volume 1, 4.2.4).
    fn invalidate_other_half(&mut self, va: u64) {
        let page = self.regime.span(1);
        let other = (va ^ page) & !(page - 1);
        self.translations
            .retain(|t| t.found.leaf.size != page || t.base != other);
        if let Some(absent) = &mut self.absent {
            absent.retain(|(base, ..)| *base != other);
        }
    }

    /// Everything.
    pub(super) fn clear(&mut self) {
        self.held.clear();
        self.translations.clear();
        self.hops.clear();
        self.absent.iter_mut().for_each(VecDeque::clear);
    }

    /// Whether a walk could start in `frames`.
    pub(super) fn reaches(&self, frames: &std::ops::Range<u64>) -> bool {
        self.hops.iter().any(|hop| frames.contains(&hop.table))
    }

    /// The frame that is remembered for a part of the page `found`, if it is from another page.
    pub(super) fn clashes_with_page(&self, found: &Found) -> Option<u64> {
        let (first, size) = (found.base, found.leaf.size);
        let other = self.translations.iter().find(|t| !t.agrees(found));
        let below = self
            .hops
            .iter()
            .find(|hop| hop.size != 0 && hop.size <= size && hop.base & !(size - 1) == first);
        let frame = other.map(|t| t.found.leaf.frame);
        frame.or(below.map(|hop| hop.table))
    }

    /// The table or frame that is remembered where there is the table `hop`, if it is another.
    pub(super) fn clashes_with_table(&self, hop: &Hop) -> Option<u64> {
        let other = self.hops.iter().find(|other| !other.agrees(hop));
        let above = self.translations.iter().find(|t| {
            t.found.leaf.size >= hop.size && hop.base & !(t.found.leaf.size - 1) == t.found.base
        });
        let table = other.map(|other| other.table);
        table.or(above.map(|t| t.found.leaf.frame))
    }
}
