//! Runs: entries of one table that follow each other.

use super::descend::Descent;
#[cfg(verus_only)]
use super::model::home;
use super::stack::Stack;
use super::tree::{Slot, Tree};
#[cfg(verus_only)]
use super::perms::tables;
use super::unmap::{Loose, Owed};
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

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// Unmaps all pages from `lo` to below `hi`. Tables that become empty are no longer reachable.
    ///
    /// A table's pages are cleared in one go, but for the first: with that one it is known what became empty.
    pub(super) fn unmap_range(&mut self, lo: u64, hi: u64) -> (r: Option<Owed<M, A>>)
        requires
            old(self).inv(),
            lo <= hi <= A::geo().limit(),
            !old(self).space().is_cut(lo as int, hi as int),
        ensures
            final(self).inv(),
            final(self).space() == old(self).space().unmap_range(lo as int, hi as int),
            final(self).mixes_from(*old(self)),
            final(self).is_handed_over(*old(self), r),
        no_unwind
    {
        let mut stack = Stack::new(Ghost(self.frames.phys_bits()));
        let mut va = lo;
        proof {
            self.lemma_unmap_start(lo as int, hi as int, stack);
        }
        while va < hi
            invariant
                self.ready(),
                lo <= hi <= A::geo().limit(),
                lo <= va <= A::geo().limit(),
                !old(self).space().is_cut(lo as int, hi as int),
                self.is_clearing(*old(self), lo as int, va as int, hi as int, None),
                self.is_shared_with(*old(self), stack),
            decreases A::geo().limit() - va,
        {
            let d = self.descend(va, 1);
            let (next, first) = self.clear_run(Ghost((*old(self), lo)), va, hi, &d);
            if let Some(at) = first {
                self.take_first(Ghost((*old(self), lo, next, hi)), at, &mut stack);
            }
            va = next;
        }
        proof {
            self.lemma_all_cleared(*old(self), lo as int, va as int, hi as int);
        }
        if stack.len() == 0 {
            proof {
                self.lemma_nothing_owed(*old(self), stack);
            }
            return None;
        }
        let ghost done = *self;
        let frames = self.frames.detach(Ghost(stack.tables()));
        proof {
            self.lemma_owed(*old(self), done, stack);
        }
        Some(Owed { frames, tables: Loose::Stack(stack) })
    }

    /// Unmaps the page at `at`, which a run has left; tables that become empty go on the stack.
    #[inline]
    fn take_first(
        &mut self,
        Ghost(range): Ghost<(Self, u64, u64, u64)>,
        at: u64,
        stack: &mut Stack<A>,
    )
        requires
            old(self).ready(),
            old(self).space().pages.contains_key(at as int),
            at < A::geo().limit(),
            range.1 <= at < range.3,
            old(self).is_clearing(
                range.0,
                range.1 as int,
                range.2 as int,
                range.3 as int,
                Some(at),
            ),
            old(self).is_shared_with(range.0, *old(stack)),
        ensures
            final(self).ready(),
            final(self).is_clearing(
                range.0,
                range.1 as int,
                range.2 as int,
                range.3 as int,
                None,
            ),
            final(self).is_shared_with(range.0, *final(stack)),
        no_unwind
    {
        let d = self.descend(at, 1);
        let ghost l = d.stop.level as nat;
        proof {
            self.lemma_page_found(at as int, d);
        }
        let (_, _, chain) = self.take(at, d);
        let ghost way = chain;
        if let Some(chain) = chain {
            proof {
                old(self).lemma_apart(range.0, *self, *stack, chain);
            }
            chain.dismantle(&mut self.frames, stack);
        }
        proof {
            self.lemma_shared_on(*old(self), range.0, way, *old(stack), *stack);
            self.lemma_first_taken(
                *old(self),
                range.0,
                range.1 as int,
                range.2 as int,
                range.3 as int,
                at,
                l,
            );
        }
    }

    /// Clears the pages from `va`, where `d` ended, to below `end` that are in the same table, by one store each, but for the
    /// first; stops at an entry that is a table's. Answers with how far it got, and where the page that is left is.
    fn clear_run(
        &mut self,
        Ghost(start): Ghost<(Self, u64)>,
        va: u64,
        end: u64,
        d: &Descent,
    ) -> (r: (u64, Option<u64>))
        requires
            old(self).ready(),
            va < end <= A::geo().limit(),
            old(self).is_descent(va as int, 1, *d),
            !start.0.space().is_cut(start.1 as int, end as int),
            old(self).is_clearing(start.0, start.1 as int, va as int, end as int, None),
            start.1 <= va,
        ensures
            final(self).ready(),
            tables(final(self).perms@) == tables(old(self).perms@),
            va < r.0 <= A::geo().limit(),
            final(self).is_clearing(
                start.0,
                start.1 as int,
                r.0 as int,
                end as int,
                r.1,
            ),
            r.1 matches Some(at) ==> final(self).space().pages.contains_key(at as int) && start.1 <= at
                < end,
        no_unwind
    {
        let geometry = A::geometry();
        let stop = d.stop;
        let span = geometry.entry_span(stop.level);
        let entries = geometry.table_entries(stop.level);
        let ghost l = stop.level as nat;
        let ghost n = home(A::geo(), va as int, l);
        let ghost lo = start.1 as int;
        let mut at = va & !(span - 1);
        let mut index = d.index;
        let mut first: Option<u64> = None;
        let mut cleared: u16 = 0;
        proof {
            self.lemma_run_start(start.0, lo, va, end as int, *d, at);
        }
        while index < entries && at < end
            invariant
                geometry == A::geo(),
                l == stop.level,
                n == home(A::geo(), va as int, l),
                span == A::geo().span(l),
                entries == A::geo().entries(l) <= 8192,
                !start.0.space().is_cut(lo, end as int),
                lo <= va < end <= A::geo().limit(),
                d.index <= index <= entries,
                d.index < entries,
                cleared <= index - d.index,
                self.is_running(*old(self), va as int, stop, index as int, at as int, first, cleared as int),
                self.is_clearing(start.0, lo, at as int, end as int, first),
                index == d.index ==> !(self.entry_at(va as int, l) is Table),
                d.index == A::geo().index_of(va as int, l),
                index == d.index ==> at <= va,
                index > d.index ==> va < at,
                va < at + span,
                first matches Some(p) ==> lo <= p < end,
                at <= A::geo().limit(),
            ensures
                va < at,
            decreases entries - index,
        {
            let slot = Slot { level: stop.level, table: stop.table, index };
            proof {
                self.lemma_run_slot(*old(self), va as int, stop, index as int, at as int, first, cleared as int);
            }
            let (word, entry) = self.read(Ghost(at as int), slot);
            match entry {
                Entry::Table { .. } => {
                    break;
                },
                Entry::Page { .. } if first.is_some() => {
                    let ghost before = *self;
                    self.replace(Ghost(at as int), slot, word, None);
                    proof {
                        self.lemma_run_cleared(
                            before,
                            *old(self),
                            start.0,
                            lo,
                            va as int,
                            end as int,
                            stop,
                            index as int,
                            at,
                            first,
                            cleared as int,
                        );
                    }
                    cleared += 1;
                },
                found => {
                    let ghost was = first;
                    if let Entry::Page { .. } = found {
                        first = Some(at);
                    }
                    proof {
                        self.lemma_run_passed(
                            *old(self),
                            start.0,
                            lo,
                            va as int,
                            end as int,
                            stop,
                            index as int,
                            at,
                            (was, first),
                            cleared as int,
                        );
                    }
                },
            }
            index += 1;
            at += span;
        }
        let ghost run = *self;
        if cleared > 0 {
            proof {
                self.lemma_run_note(
                    *old(self),
                    va as int,
                    stop,
                    index as int,
                    at as int,
                    first,
                    cleared as int,
                );
            }
            let used = if A::counting() && stop.level < geometry.levels {
                stop.used - cleared
            } else {
                1
            };
            self.note(va, stop, used);
            proof {
                self.lemma_after_note(run, va as int, stop, used);
            }
        }
        proof {
            self.lemma_run_done(
                run,
                *old(self),
                start.0,
                lo,
                va as int,
                end as int,
                stop,
                index as int,
                at as int,
                first,
                cleared as int,
            );
        }
        (at, first)
    }
}

} // verus!
