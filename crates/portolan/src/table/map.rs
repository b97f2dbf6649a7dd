//! Mapping one page.

use super::chain::Chain;
use super::descend::Descent;
use super::tree::Tree;
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
use crate::arch::entry::{AccessBits, Entry};
use crate::hw::memory::TableMemory;
use crate::prop::PageProperty;
use vstd::prelude::*;

#[cfg(verus_only)]
pub(crate) mod proof;
#[cfg(verus_only)]
pub(crate) mod spec;

verus! {

/// Why a page could not be mapped.
pub(crate) enum Obstacle {
    /// A page of this level, or tables below the wanted one, are in the way.
    Mapped {
        /// The level of the page that is in the way; the wanted level if there are smaller ones.
        level: u8,
    },
    /// There is no frame for a table.
    NoMemory,
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// Maps the page of `level` at `va`.
    #[inline]
    pub(super) fn map(&mut self, va: u64, level: u8, frame: PhysAddr, prop: PageProperty) -> (r:
        Result<(), Obstacle>)
        requires
            old(self).inv(),
            old(self).may_map(va as int, level as nat, frame, prop),
        ensures
            final(self).inv(),
            final(self).is_mapped_from(*old(self), va as int, level as nat, frame, prop, r),
        no_unwind
    {
        let d = self.descend(va, level);
        if d.stop.level > level || !matches!(d.entry, Entry::Empty) {
            proof {
                if d.stop.level > level {
                    self.model().lemma_stop(va as int, d.stop.level as nat);
                }
            }
            // goes down once more, so that little has to be kept of the first way
            return self.map_beside(va, level, frame, prop);
        }
        let stored = Self::stored(prop);
        let word = A::page(Ghost(self.frames.phys_bits()), level, frame, stored);
        proof {
            self.lemma_vacant(va as int, level as nat, level as nat);
            self.lemma_slot(va as int, d.at());
        }
        self.set(Ghost(va as int), d.slot(), word);
        let ghost mid = *self;
        proof {
            self.lemma_after_set(*old(self), va as int, d.stop, A::entry(level as nat, word));
        }
        self.note(va, d.stop, d.stop.used + 1);
        proof {
            self.lemma_after_note(mid, va as int, d.stop, (d.stop.used + 1) as u16);
            self.lemma_steps(*old(self), mid);
        }
        Ok(())
    }

    /// Maps a page whose place is not an empty entry: tables are missing, or something is in the way.
    #[cold]
    fn map_beside(&mut self, va: u64, level: u8, frame: PhysAddr, prop: PageProperty) -> (r: Result<
        (),
        Obstacle,
    >)
        requires
            old(self).inv(),
            old(self).may_map(va as int, level as nat, frame, prop),
            !old(self).is_vacant(va as int, level as nat),
        ensures
            final(self).inv(),
            final(self).is_mapped_from(*old(self), va as int, level as nat, frame, prop, r),
        no_unwind
    {
        let d = self.descend(va, level);
        let Entry::Empty = d.entry else {
            proof {
                self.lemma_obstacle(va as int, level as nat, d);
            }
            return Err(Obstacle::Mapped { level: d.stop.level });
        };
        proof {
            self.lemma_vacant(va as int, level as nat, d.stop.level as nat);
        }
        let word = A::page(Ghost(self.frames.phys_bits()), level, frame, Self::stored(prop));
        self.map_below(va, level, d, word)
    }

    /// Maps a page for which tables are missing: makes the missing ones, complete, and links them by one store.
    fn map_below(&mut self, va: u64, level: u8, d: Descent, word: u64) -> (r: Result<(), Obstacle>)
        requires
            old(self).inv(),
            old(self).is_descent(va as int, level as nat, d),
            d.entry is Empty,
            1 <= level < d.stop.level,
            A::wf(old(self).phys_bits(), level as nat, word),
            A::entry(level as nat, word) is Page,
            Self::preset(A::entry(level as nat, word)),
        ensures
            final(self).inv(),
            match r {
                Ok(()) => final(self).put_from(
                    *old(self),
                    va as int,
                    level as nat,
                    A::entry(level as nat, word),
                ),
                Err(why) => final(self).unchanged_from(*old(self)) && why is NoMemory,
            },
        no_unwind
    {
        let chain = match Chain::<A>::make(&mut self.frames, va, level, d.stop.level, word) {
            Some(chain) => chain,
            None => {
                return Err(Obstacle::NoMemory);
            },
        };
        let ghost before = *self;
        let ghost linked = chain;
        proof {
            self.lemma_may_hang(*old(self), va as int, d, chain);
        }
        self.hang(va, d, chain);
        proof {
            self.lemma_hung(*old(self), before, va as int, d, linked);
        }
        Ok(())
    }

    /// Links a chain to the empty entry where `d` ended, and counts it.
    pub(super) fn hang(&mut self, va: u64, d: Descent, chain: Chain<A>)
        requires
            old(self).may_hang(va as int, d, chain),
        ensures
            final(self).is_hung_from(*old(self), va as int, d, chain),
        no_unwind
    {
        let ghost before = *self;
        let ghost linked = chain;
        self.link(Ghost(va as int), d.slot(), chain);
        let ghost mid = *self;
        proof {
            self.lemma_after_link(before, va as int, d, linked);
        }
        self.note(va, d.stop, d.stop.used + 1);
        proof {
            self.lemma_after_note(mid, va as int, d.stop, (d.stop.used + 1) as u16);
            self.lemma_steps(before, mid);
        }
    }

    /// What is stored of `prop`: with the accessed and dirty bits set, unless the table tracks them.
    #[inline(always)]
    pub(super) fn stored(prop: PageProperty) -> (r: PageProperty)
        ensures
            r == crate::arch::entry::stored::<B>(prop),
            A::supports(r) == A::supports(prop),
        no_unwind
    {
        proof {
            A::lemma_supports(prop, true, true);
        }
        if B::tracking() {
            prop
        } else {
            PageProperty { accessed: true, dirty: true, ..prop }
        }
    }
}

} // verus!
