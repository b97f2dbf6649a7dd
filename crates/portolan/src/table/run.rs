//! Runs: entries of one table that follow each other.

use super::change::Change;
use super::descend::{Descent, Stop};
#[cfg(verus_only)]
use super::perms::tables;
use super::stack::Stack;
use super::tree::{Slot, Tree};
use super::unmap::{Loose, Owed};
use crate::addr::PageSize;
use crate::arch::PagingMode;
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
use crate::arch::entry::{AccessBits, Entry};
use crate::hw::memory::TableMemory;
use vstd::prelude::*;

#[cfg(verus_only)]
mod count;
#[cfg(verus_only)]
pub(crate) mod proof;
mod protect;
#[cfg(verus_only)]
pub(crate) mod spec;

verus! {

/// A range that is worked through: the tree at the start, the first address and the end.
#[verifier::reject_recursive_types(M)]
pub(crate) ghost struct Job<M: TableMemory, A: PagingMode, B: AccessBits> {
    pub start: Tree<M, A, B>,
    pub lo: int,
    pub hi: int,
}

/// Where a run is: in the table for `va`, at entry `index`. The page at `first` was left, and `cleared` others were not.
pub(crate) ghost struct Run {
    pub va: int,
    pub stop: Stop,
    pub index: int,
    pub first: Option<u64>,
    pub cleared: int,
}

/// The smaller of two page sizes.
fn smaller(a: Option<PageSize>, b: Option<PageSize>) -> (r: Option<PageSize>)
    ensures
        r is Some == (a is Some || b is Some),
        a is Some ==> r->0.bytes() <= a->0.bytes(),
        b is Some ==> r->0.bytes() <= b->0.bytes(),
    no_unwind
{
    match (a, b) {
        (Some(x), Some(y)) => if x.bytes() <= y.bytes() {
            a
        } else {
            b
        },
        (None, _) => b,
        _ => a,
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// Unmaps all pages from `lo` to below `hi`; answers with the smallest page's size, if there was one, and with how many
    /// bytes they are. Tables that become empty are no longer reachable.
    ///
    /// A table's pages are cleared in one go, but for the first: with that one it is known what became empty.
    pub(super) fn unmap_range(&mut self, lo: u64, hi: u64) -> (r: (
        Option<PageSize>,
        u64,
        Option<Owed<M, A>>,
    ))
        requires
            old(self).inv(),
            lo < hi <= A::geo().limit(),
            !old(self).space().is_cut(lo as int, hi as int),
        ensures
            final(self).inv(),
            final(self).space() == old(self).space().unmap_range(lo as int, hi as int),
            final(self).mixes_from(*old(self)),
            r.1 == old(self).space().mapped_bytes(lo as int, hi as int),
            final(self).is_handed_over(*old(self), r.2),
            forall|base: int|
                lo <= base < hi && #[trigger] old(self).space().pages.contains_key(base)
                    ==> r.0 is Some && old(self).space().pages[base].size.bytes() >= r.0->0.bytes(),
        no_unwind
    {
        let mut stack = Stack::new(Ghost(self.frames.phys_bits()));
        let mut va = lo;
        let mut least: Option<PageSize> = None;
        let mut total: u64 = 0;
        let ghost job = Job { start: *self, lo: lo as int, hi: hi as int };
        proof {
            self.lemma_unmap_start(job, stack);
            job.lemma_job_start();
        }
        while va < hi
            invariant
                self.sound(),
                lo < hi <= A::geo().limit(),
                lo <= va <= A::geo().limit(),
                job == (Job { start: *old(self), lo: lo as int, hi: hi as int }),
                job.is_whole(),
                self.is_clearing(job, va as int, None),
                self.is_shared_with(job.start, stack),
                job.is_through(va as int),
                job.is_least(va as int, least),
                job.is_counted(lo as int, va as int, total as int),
            decreases A::geo().limit() - va,
        {
            let d = self.descend(va, 1);
            let (next, bytes, first) = self.clear_run(Ghost(job), va, hi, &d);
            let ghost was = least;
            if let Some(at) = first {
                proof {
                    A::lemma_page_size(d.stop.level as nat);
                }
                self.take_first(Ghost(job), Ghost(next), at, &mut stack);
                least = smaller(least, A::size_at(d.stop.level));
            }
            proof {
                job.lemma_through(
                    va as int,
                    next as int,
                    A::geo().span(d.stop.level as nat),
                    (total as int, bytes as int),
                    was,
                    least,
                );
            }
            total += bytes;
            va = next;
        }
        proof {
            self.lemma_all_cleared(job, va as int);
        }
        if stack.len() == 0 {
            proof {
                self.lemma_nothing_owed(job.start, stack);
            }
            return (least, total, None);
        }
        let ghost done = *self;
        let frames = self.frames.detach(Ghost(stack.tables()));
        proof {
            self.lemma_owed(job.start, done, stack);
        }
        (least, total, Some(Owed { frames, tables: Loose::Stack(stack) }))
    }

    /// Unmaps the page at `at`, which a run has left; tables that become empty go on the stack.
    #[inline]
    fn take_first(
        &mut self,
        Ghost(job): Ghost<Job<M, A, B>>,
        Ghost(next): Ghost<u64>,
        at: u64,
        stack: &mut Stack<A>,
    )
        requires
            old(self).sound(),
            old(self).space().pages.contains_key(at as int),
            at < A::geo().limit(),
            job.lo <= at < job.hi,
            old(self).is_clearing(job, next as int, Some(at)),
            old(self).is_shared_with(job.start, *old(stack)),
            at < next,
        ensures
            final(self).sound(),
            final(self).is_clearing(job, next as int, None),
            final(self).is_shared_with(job.start, *final(stack)),
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
                old(self).lemma_apart(job.start, *self, *stack, chain);
            }
            chain.dismantle(&mut self.frames, stack);
        }
        proof {
            self.lemma_shared_on(*old(self), job.start, way, *old(stack), *stack);
            self.lemma_first_taken(*old(self), job, next as int, at, l);
        }
    }

    /// Clears the pages from `va`, where `d` ended, to below `end` that are in the same table, by one store each, but for the
    /// first; stops at an entry that is a table's. Answers with how far it got, how many bytes the pages are, and where the one
    /// that is left is.
    fn clear_run(&mut self, Ghost(job): Ghost<Job<M, A, B>>, va: u64, end: u64, d: &Descent) -> (r:
        (u64, u64, Option<u64>))
        requires
            old(self).sound(),
            va < end <= A::geo().limit(),
            old(self).is_descent(va as int, 1, *d),
            job.is_whole(),
            job.lo <= va,
            job.hi == end,
            old(self).is_clearing(job, va as int, None),
            job.is_through(va as int),
        ensures
            final(self).sound(),
            tables(final(self).perms@) == tables(old(self).perms@),
            va < r.0 <= A::geo().limit(),
            final(self).is_clearing(job, r.0 as int, r.2),
            job.is_even(va as int, r.0 as int, A::geo().span(d.stop.level as nat), r.1 > 0),
            job.is_counted(va as int, r.0 as int, r.1 as int),
            r.2 is Some == (r.1 > 0),
            r.2 matches Some(at) ==> {
                &&& final(self).space().pages.contains_key(at as int)
                &&& job.lo <= at < end
                &&& at < r.0
                &&& A::page_size(d.stop.level as nat) is Some
            },
        no_unwind
    {
        let geometry = A::geometry();
        let stop = d.stop;
        let span = geometry.entry_span(stop.level);
        let entries = geometry.table_entries(stop.level);
        let mut at = va & !(span - 1);
        let mut index = d.index;
        let mut first: Option<u64> = None;
        let mut cleared: u16 = 0;
        let mut bytes: u64 = 0;
        let ghost mut run = Run::start(va, *d);
        proof {
            self.lemma_run_start(va, *d, at);
        }
        while index < entries && at < end
            invariant
                geometry == A::geo(),
                span == A::geo().span(run.level()),
                entries == A::geo().entries(run.level()) <= 8192,
                job.is_whole(),
                job.lo <= va < end <= A::geo().limit(),
                job.hi == end,
                d.index <= index <= entries,
                d.index < entries,
                d.index == A::geo().index_of(va as int, run.level()),
                index == d.index ==> at <= va && !(self.entry_at(va as int, run.level()) is Table),
                index > d.index ==> va < at,
                va < at + span,
                at <= A::geo().limit(),
                cleared <= index - d.index,
                run == (Run {
                    va: va as int,
                    stop,
                    index: index as int,
                    first,
                    cleared: cleared as int,
                }),
                at == run.at::<A>(),
                self.is_running(*old(self), run),
                self.is_clearing(job, run.mark::<A>(), first),
                job.is_through(va as int),
                job.is_even(va as int, run.mark::<A>(), span as int, bytes > 0),
                job.is_counted(va as int, run.mark::<A>(), bytes as int),
                bytes <= run.mark::<A>() - va,
                first is Some == (bytes > 0),
                first matches Some(p) ==> job.lo <= p < end && A::page_size(run.level()) is Some,
            ensures
                va < at,
            decreases entries - index,
        {
            let slot = Slot { level: stop.level, table: stop.table, index };
            proof {
                self.lemma_run_slot(run);
            }
            let (word, entry) = self.read(Ghost(at as int), slot);
            match entry {
                Entry::Table { .. } => {
                    break;
                },
                Entry::Page { .. } if first.is_some() => {
                    let ghost before = *self;
                    self.replace(Ghost(at as int), slot, word, Change::Clear);
                    proof {
                        self.lemma_run_cleared(before, *old(self), job, run, bytes as int);
                    }
                    cleared += 1;
                    bytes += span;
                },
                Entry::Page { .. } => {
                    first = Some(at);
                    bytes = span;
                    proof {
                        self.lemma_run_passed(*old(self), job, run, first, 0);
                        A::lemma_wf(self.phys_bits(), run.level(), word);
                    }
                },
                Entry::Empty => {
                    proof {
                        self.lemma_run_passed(*old(self), job, run, first, bytes as int);
                    }
                },
            }
            index += 1;
            at += span;
            proof {
                run = Run { first, cleared: cleared as int, ..run.next() };
            }
        }
        let ghost end = *self;
        if cleared > 0 {
            proof {
                self.lemma_run_note(*old(self), run);
            }
            let used = if A::counting() && stop.level < geometry.levels {
                stop.used - cleared
            } else {
                1
            };
            self.note(va, stop, used);
            proof {
                self.lemma_after_note(end, va as int, stop, used);
            }
        }
        proof {
            self.lemma_run_done(end, *old(self), job, run);
        }
        (at, bytes, first)
    }
}

} // verus!
