//! What a processor may remember of its walks: Intel SDM vol. 3, 5.10.

use super::walk::{Hop, Leaf, Rights};
use crate::access::{Kind, Privilege};
use crate::rng::Rng;
use std::collections::VecDeque;

/// How a processor of the software machine uses what the architecture lets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caching {
    /// It keeps every translation until it is told to drop it, and always prefers what it has.
    Hoard,
    /// It loads entries early, uses or ignores them, splits large pages and drops entries, all by a seed.
    Seeded(u64),
}

/// A translation, or a part of one (5.10.2.3: a large page may be cached as smaller ones).
#[derive(Clone, Copy, Debug)]
pub(super) struct Translation {
    base: u64,
    size: u64,
    frame: u64,
    /// What the paging structures say, of which this may be a part.
    leaf: Leaf,
}

impl Translation {
    fn of(leaf: Leaf, va: u64, size: u64) -> Self {
        let size = size.min(leaf.size);
        let base = va & !(size - 1);
        Translation {
            base,
            size,
            frame: leaf.frame + (base - leaf.base),
            leaf,
        }
    }

    fn serves(&self, va: u64) -> bool {
        va & !(self.size - 1) == self.base
    }

    /// The physical address of `va`.
    pub(super) fn target(&self, va: u64) -> u64 {
        self.frame + (va - self.base)
    }

    pub(super) fn allows(&self, kind: Kind, privilege: Privilege) -> bool {
        let rights: Rights = self.leaf.rights;
        rights.allow(kind, privilege)
    }

    /// Whether a store may be performed without setting the dirty bit in memory.
    pub(super) fn dirty(&self) -> bool {
        self.leaf.dirty
    }
}

/// How many entries each cache has.
const TRANSLATIONS: usize = 96;
const HOPS: usize = 48;

/// One processor's TLB and paging-structure caches.
pub(super) struct Cache {
    caching: Caching,
    rng: Rng,
    translations: VecDeque<Translation>,
    hops: VecDeque<Hop>,
}

impl Cache {
    pub(super) fn new(caching: Caching, cpu: usize) -> Self {
        let seed = match caching {
            Caching::Hoard => 0,
            Caching::Seeded(seed) => seed,
        };
        let rng = Rng::new(crate::rng::mix(seed) ^ cpu as u64);
        Cache {
            caching,
            rng,
            translations: VecDeque::new(),
            hops: VecDeque::new(),
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
            0 => va.wrapping_add(0x1000),
            1 => va.wrapping_sub(0x1000),
            2 => va ^ 0x20_0000,
            _ => va,
        }
    }

    /// Drops an entry now and then: 5.10.2.2 and 5.10.3.2 allow it at any time.
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

    /// Where a walk for `va` may start: at the root, or at a table that is cached (5.10.3.1).
    pub(super) fn start(&mut self, va: u64, root: Hop) -> Hop {
        if !self.hoards() && self.rng.one_in(4) {
            return root;
        }
        let fitting = self.hops.iter().filter(|hop| hop.serves(va));
        fitting.min_by_key(|hop| hop.level).copied().unwrap_or(root)
    }

    /// Remembers a table on the way.
    pub(super) fn remember_hop(&mut self, hop: Hop) {
        if self.hops.contains(&hop) || !self.hoards() && self.rng.one_in(4) {
            return;
        }
        if self.hops.len() == HOPS {
            self.hops.pop_front();
        }
        self.hops.push_back(hop);
    }

    /// Remembers a translation, perhaps only the part around `va`, and gives what it remembered.
    pub(super) fn remember(&mut self, leaf: Leaf, va: u64) -> Translation {
        let size = if self.hoards() {
            leaf.size
        } else {
            self.rng.pick(&[leaf.size, leaf.size, 1 << 21, 1 << 12])
        };
        let translation = Translation::of(leaf, va, size);
        if self.hoards() || !self.rng.one_in(8) {
            if self.translations.len() == TRANSLATIONS {
                self.translations.pop_front();
            }
            self.translations.push_back(translation);
        }
        translation
    }

    /// A page fault at `va` drops what would be used for it (5.10.4.1).
    pub(super) fn faulted(&mut self, va: u64) {
        self.translations.retain(|t| !t.serves(va));
        self.hops.retain(|hop| !hop.serves(va));
    }

    /// `INVLPG` (5.10.4.1): every part of the page that `va` lies in, global or not, and all of the upper tables.
    pub(super) fn invalidate_page(&mut self, va: u64) {
        self.translations
            .retain(|t| va & !(t.leaf.size - 1) != t.leaf.base);
        self.hops.clear();
    }

    /// `MOV` to CR3 (5.10.4.1): all but global translations.
    pub(super) fn switch(&mut self) {
        self.translations.retain(|t| t.leaf.global);
        self.hops.clear();
    }

    /// A change of CR4.PGE (5.10.4.1): everything.
    pub(super) fn clear(&mut self) {
        self.translations.clear();
        self.hops.clear();
    }

    /// Whether a walk could start in `frames`.
    pub(super) fn reaches(&self, frames: &std::ops::Range<u64>) -> bool {
        self.hops.iter().any(|hop| frames.contains(&hop.table))
    }
}
