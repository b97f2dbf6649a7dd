//! The way down: from the root to the entry that decides about an address.

#[cfg(verus_only)]
use super::model::home;
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
    /// A table on the way, at or above `stop`, below which all would be empty without the address: the last one that
    /// holds something else, if that is known, or that stays while it is empty.
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
            self.sound(),
            va < A::geo().limit(),
            1 <= target <= A::geo().levels,
        ensures
            self.is_descent(va as int, target as nat, r),
        no_unwind
    {
        self.follow(va, target, false)
    }

    /// As `descend`; with `exact`, looks into tables whose use is not noted to know which hold something else.
    #[inline(always)]
    fn follow(&self, va: u64, target: u8, exact: bool) -> (r: Descent)
        requires
            self.sound(),
            va < A::geo().limit(),
            1 <= target <= A::geo().levels,
        ensures
            self.is_descent(va as int, target as nat, r),
            exact ==> self.is_cut(va as int, r.cut),
        no_unwind
    {
        let geometry = A::geometry();
        let mut stop = Stop {
            level: geometry.levels,
            table: self.root.addr,
            above: self.root.addr,
            used: 1,
        };
        let mut cut = stop;
        let mut head = self.root.addr;
        proof {
            self.lemma_descent_root(va as int, stop);
        }
        loop
            invariant
                self.sound(),
                geometry == A::geo(),
                va < A::geo().limit(),
                1 <= target <= stop.level,
                self.is_way(va as int, stop, cut, head),
                exact || A::counts() ==> self.is_cut(va as int, cut),
            decreases stop.level,
        {
            let index = geometry.index(va, stop.level);
            let slot = Slot { level: stop.level, table: stop.table, index };
            let (word, entry) = self.read(Ghost(va as int), slot);
            if stop.level > target {
                if let Entry::Table { table, used } = entry {
                    let ghost was = (stop, cut, head);
                    stop = Stop { level: stop.level - 1, table, above: stop.table, used };
                    proof {
                        self.lemma_descent_stop(va as int, was.0, stop);
                    }
                    let stays = A::pinning() && stop.level + 1 == geometry.levels;
                    let lone = !stays && if A::counting() {
                        used == 1
                    } else {
                        exact && self.is_alone(va, stop)
                    };
                    if !lone {
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
                            lone,
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

    /// With the page that `d` found, knows which of its tables hold nothing else.
    #[inline(always)]
    pub(super) fn survey(&self, va: u64, d: Descent) -> (r: Descent)
        requires
            self.sound(),
            va < A::geo().limit(),
            self.is_descent(va as int, d.stop.level as nat, d),
            d.entry is Page,
        ensures
            self.is_descent(va as int, d.stop.level as nat, r),
            self.is_cut(va as int, r.cut),
            r.stop.level == d.stop.level,
            r.entry is Page,
        no_unwind
    {
        if A::counting() {
            return d;
        }
        let r = self.follow(va, d.stop.level, true);
        proof {
            self.lemma_survey(va as int, d, r);
        }
        r
    }

    /// Whether the table at `stop` holds nothing besides the entry for `va`. Looks at the nearest entries first.
    fn is_alone(&self, va: u64, stop: Stop) -> (r: bool)
        requires
            self.sound(),
            self.is_stop(va as int, stop),
            stop.level < A::geo().levels,
            !Self::stays(stop.level as nat),
        ensures
            r ==> self.is_lone(va as int, stop.level as nat),
            !r ==> self.is_shared(va as int, stop.level as nat),
        no_unwind
    {
        let geometry = A::geometry();
        let index = geometry.index(va, stop.level);
        let entries = geometry.table_entries(stop.level);
        let ghost l = stop.level as nat;
        let mut next = index + 1;
        while next < entries
            invariant
                self.sound(),
                self.is_stop(va as int, stop),
                l == stop.level,
                !Self::stays(l),
                entries == A::geo().entries(l),
                index < next <= entries <= 8192,
                index == A::geo().index_of(va as int, l),
                self.is_searched(va as int, l, index as int, next as int),
            decreases entries - next,
        {
            if self.is_used(Ghost(va as int), stop, next) {
                return false;
            }
            next += 1;
        }
        let mut first = index;
        while first > 0
            invariant
                self.sound(),
                self.is_stop(va as int, stop),
                l == stop.level,
                !Self::stays(l),
                entries == A::geo().entries(l),
                first <= index < entries,
                index == A::geo().index_of(va as int, l),
                self.is_searched(va as int, l, first as int, entries as int),
            decreases first,
        {
            first -= 1;
            if self.is_used(Ghost(va as int), stop, first) {
                return false;
            }
        }
        proof {
            self.lemma_alone(va as int, l);
        }
        true
    }

    /// Whether entry `index` of the table at `stop` is in use.
    #[inline(always)]
    pub(super) fn is_used(&self, Ghost(va): Ghost<int>, stop: Stop, index: usize) -> (r: bool)
        requires
            self.sound(),
            self.is_stop(va, stop),
            index < A::geo().entries(stop.level as nat),
        ensures
            r == self.is_used_at(va, stop.level as nat, index as int),
        no_unwind
    {
        let ghost id = home(A::geo(), va, stop.level as nat);
        proof {
            self.lemma_table_entry(va, stop, index);
        }
        let tracked perm = self.perms.borrow().tracked_borrow(id);
        let word = self.frames.read::<A>(stop.table, index, Tracked(perm));
        proof {
            A::lemma_step(self.phys_bits(), stop.level as nat, perm.words()[index as int], word);
        }
        !matches!(A::decode(stop.level, word), Entry::Empty)
    }

    /// Notes in the table above how many entries of `stop` are in use.
    #[inline(always)]
    pub(super) fn note(&mut self, va: u64, stop: Stop, used: u16)
        requires
            old(self).linked(),
            va < A::geo().limit(),
            old(self).is_stop(va as int, stop),
            A::counts() && stop.level < A::geo().levels ==> used <= A::geo().entries(
                stop.level as nat,
            ),
        ensures
            final(self).noted_from(*old(self), va as int, stop.level as nat, used),
        no_unwind
    {
        let geometry = A::geometry();
        if A::counting() && stop.level < geometry.levels {
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
