//! Mapping one page.

use super::chain::Chain;
use super::descend::Descent;
use super::tree::Tree;
use crate::addr::PhysAddr;
use crate::arch::entry::{AccessBits, Entry, EntryFormat};
use crate::arch::PagingMode;
use crate::hw::memory::TableMemory;
use crate::prop::PageProperty;
use vstd::prelude::*;

#[cfg(verus_only)]
mod proof;
#[cfg(verus_only)]
mod spec;

verus! {

/// Why a page could not be mapped.
pub(super) enum Obstacle {
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
    pub(super) fn map(&mut self, va: u64, level: u8, frame: PhysAddr, prop: PageProperty) -> (r: Result<(), Obstacle>)
        requires
            old(self).inv(),
            old(self).may_map(va as int, level as nat, frame, prop),
        ensures
            final(self).inv(),
            match r {
                Ok(()) => final(self).mapped_from(*old(self), va as int, level as nat, frame, B::stored(prop)),
                Err(why) => final(self).unchanged_from(*old(self)) && old(self).is_obstacle(va as int, level as nat, why),
            },
    {
        let d = self.descend(va, level);
        let word = A::page(Ghost(self.frames.phys_bits()), level, frame, Self::stored(prop));
        match d.entry {
            Entry::Empty => if d.stop.level == level {
                proof {
                    self.lemma_map_leaf(va as int, d, word);
                }
                self.set(Ghost(va as int), d.slot(), word);
                let ghost mid = *self;
                proof {
                    old(self).lemma_after_set(mid, va as int, d, word);
                }
                self.note(va, d.stop, (d.stop.used + 1) as u16);
                proof {
                    old(self).lemma_mapped_leaf(mid, *self, va as int, d, word);
                }
                Ok(())
            } else {
                self.map_below(va, level, d, word)
            },
            _ => {
                proof {
                    self.lemma_obstacle(va as int, level as nat, d);
                }
                Err(Obstacle::Mapped { level: d.stop.level })
            },
        }
    }

    /// Maps a page for which tables are missing: makes the missing ones, complete, and links them by one store.
    fn map_below(&mut self, va: u64, level: u8, d: Descent, word: u64) -> (r: Result<(), Obstacle>)
        requires
            old(self).inv(),
            old(self).is_descent(va as int, level as nat, d),
            d.entry is Empty,
            1 <= level < d.stop.level,
            old(self).may_set(va as int, level as nat, A::entry(level as nat, word)),
            A::wf(old(self).phys_bits(), level as nat, word),
            A::entry(level as nat, word) is Page,
        ensures
            final(self).inv(),
            match r {
                Ok(()) => final(self).put_from(*old(self), va as int, level as nat, A::entry(level as nat, word)),
                Err(why) => final(self).unchanged_from(*old(self)) && why is NoMemory,
            },
    {
        let mut chain = match Chain::<A>::start(&mut self.frames, va, level, word) {
            Some(chain) => chain,
            None => {
                return Err(Obstacle::NoMemory);
            },
        };
        while chain.hi + 1 < d.stop.level
            invariant
                true,
            decreases d.stop.level - chain.hi,
        {
            match chain.grow(&mut self.frames) {
                Ok(longer) => {
                    chain = longer;
                },
                Err(chain) => {
                    chain.free(&mut self.frames);
                    return Err(Obstacle::NoMemory);
                },
            }
        }
        self.link(Ghost(va as int), d.slot(), chain);
        self.note(va, d.stop, (d.stop.used + 1) as u16);
        Ok(())
    }

    /// What is stored of `prop`: with the accessed and dirty bits set, unless the table tracks them.
    #[inline(always)]
    pub(super) fn stored(prop: PageProperty) -> (r: PageProperty)
        ensures
            r == B::stored(prop),
    {
        if B::tracking() {
            prop
        } else {
            PageProperty { accessed: true, dirty: true, ..prop }
        }
    }
}

} // verus!
