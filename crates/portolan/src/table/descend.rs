//! The way down: from the root to the entry that decides about an address.

use super::tree::{Slot, Tree};
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
use crate::arch::entry::{AccessBits, Entry};
use crate::hw::memory::TableMemory;
use vstd::prelude::*;

#[cfg(verus_only)]
pub(crate) mod proof;
#[cfg(verus_only)]
pub(crate) mod spec;

verus! {

/// A table on the way, and what is noted above it.
#[derive(Clone, Copy)]
pub(crate) struct Stop {
    pub(crate) level: u8,
    pub(crate) table: PhysAddr,
    /// The table above, and what its entry notes of how many entries of this one are in use. 1 for the root, which has no table above.
    pub(crate) above: PhysAddr,
    pub(crate) used: u16,
}

/// Where a descent ended.
pub(crate) struct Descent {
    /// The last table.
    pub(crate) stop: Stop,
    /// The index of the address in it.
    pub(crate) index: usize,
    /// The word found there.
    pub(crate) word: u64,
    /// What it stands for.
    pub(crate) entry: Entry,
    /// The last table on the way, at or above `stop`, that holds something besides the path: all below it would be
    /// empty without the address.
    pub(crate) cut: Stop,
    /// Where the table below `cut` is, unless `cut` is `stop`.
    pub(crate) head: PhysAddr,
}

impl Descent {
    /// The entry where the descent ended.
    #[inline(always)]
    pub(super) fn slot(&self) -> (r: Slot)
        ensures
            r == self.at(),
        no_unwind
    {
        Slot { level: self.stop.level, table: self.stop.table, index: self.index }
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// Follows `va` from the root to level `target`, or to where the tables end before.
    #[inline(always)]
    pub(super) fn descend(&self, va: u64, target: u8) -> (r: Descent)
        requires
            self.inv(),
            va < A::geo().limit(),
            1 <= target <= A::geo().levels,
        ensures
            self.is_descent(va as int, target as nat, r),
        no_unwind
    {
        let geometry = A::geometry();
        let mut stop = Stop { level: geometry.levels, table: self.root, above: self.root, used: 1 };
        let mut cut = stop;
        let mut head = self.root;
        proof {
            self.lemma_descent_root(va as int, stop);
        }
        loop
            invariant
                self.inv(),
                geometry == A::geo(),
                va < A::geo().limit(),
                1 <= target <= stop.level,
                self.is_way(va as int, stop, cut, head),
            decreases stop.level,
        {
            let index = geometry.index(va, stop.level);
            let slot = Slot { level: stop.level, table: stop.table, index };
            let (word, entry) = self.read(Ghost(va as int), slot);
            if stop.level > target {
                if let Entry::Table { table, used } = entry {
                    let ghost was = (stop, cut, head);
                    stop = Stop { level: stop.level - 1, table, above: stop.table, used };
                    if used != 1 {
                        cut = stop;
                    } else if cut.level == stop.level + 1 {
                        head = table;
                    }
                    proof {
                        self.lemma_descent_step(
                            va as int,
                            was.0,
                            was.1,
                            was.2,
                            table,
                            used,
                            (stop, cut, head),
                        );
                    }
                    continue;
                }
            }
            proof {
                assert(self.is_slot(va as int, slot));
            }
            return Descent { stop, index, word, entry, cut, head };
        }
    }

    /// Notes in the table above how many entries of `stop` are in use.
    #[inline(always)]
    pub(super) fn note(&mut self, va: u64, stop: Stop, used: u16)
        requires
            old(self).linked(),
            va < A::geo().limit(),
            old(self).is_stop(va as int, stop),
            used <= A::geo().entries(stop.level as nat),
        ensures
            final(self).noted_from(*old(self), va as int, stop.level as nat, used),
        no_unwind
    {
        let geometry = A::geometry();
        if stop.level < geometry.levels {
            let level = stop.level + 1;
            let ghost phys_bits = self.frames.phys_bits();
            proof {
                self.lemma_note(va as int, stop, used);
            }
            let word = A::table(Ghost(phys_bits), level, stop.table, used);
            self.set(
                Ghost(va as int),
                Slot { level, table: stop.above, index: geometry.index(va, level) },
                word,
            );
        }
    }
}

} // verus!
