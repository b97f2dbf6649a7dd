//! Giving all pages of a range other properties.

use super::super::change::Change;
use super::super::descend::Descent;
use super::super::tree::{Slot, Tree};
#[cfg(verus_only)]
use super::Run;
use super::{Job, smaller};
use crate::addr::PageSize;
use crate::arch::PagingMode;
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
use crate::arch::entry::{AccessBits, Entry};
use crate::hw::memory::TableMemory;
use crate::prop::PageProperty;
#[cfg(verus_only)]
use crate::spec::request;
use vstd::prelude::*;

#[cfg(verus_only)]
pub(crate) mod proof;
#[cfg(verus_only)]
pub(crate) mod spec;

verus! {

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// Gives all pages from `lo` to below `hi` other properties; answers with the smallest page's size, if there was one,
    /// and with how many bytes they are.
    pub(in super::super) fn protect_range(&mut self, lo: u64, hi: u64, prop: PageProperty) -> (r: (
        Option<PageSize>,
        u64,
    ))
        requires
            old(self).inv(),
            lo < hi <= A::geo().limit(),
            !old(self).space().is_cut(lo as int, hi as int),
            A::supports(prop),
            request::needs_no_break::<A>(old(self).space(), lo as int, hi as int, prop),
        ensures
            final(self).inv(),
            old(self).space().may_protect_range(lo as int, hi as int, prop, final(self).space()),
            final(self).mixes_from(*old(self)),
            final(self).frames.held() == old(self).frames.held(),
            forall|base: int|
                lo <= base < hi && #[trigger] old(self).space().pages.contains_key(base)
                    ==> r.0 is Some && old(self).space().pages[base].size.bytes() >= r.0->0.bytes(),
            r.1 == old(self).space().mapped_bytes(lo as int, hi as int),
        no_unwind
    {
        let r = self.change_range(lo, hi, Change::Protect(prop));
        proof {
            old(self).space().lemma_as_protected(lo as int, hi as int, prop, self.space());
        }
        r
    }

    /// Takes the right to write from all pages from `lo` to below `hi`; answers as `protect_range`.
    pub(in super::super) fn write_protect_range(&mut self, lo: u64, hi: u64) -> (r: (
        Option<PageSize>,
        u64,
    ))
        requires
            old(self).inv(),
            lo < hi <= A::geo().limit(),
            !old(self).space().is_cut(lo as int, hi as int),
        ensures
            final(self).inv(),
            old(self).space().may_write_protect_range(lo as int, hi as int, final(self).space()),
            final(self).mixes_from(*old(self)),
            final(self).frames.held() == old(self).frames.held(),
            forall|base: int|
                lo <= base < hi && #[trigger] old(self).space().pages.contains_key(base)
                    ==> r.0 is Some && old(self).space().pages[base].size.bytes() >= r.0->0.bytes(),
            r.1 == old(self).space().mapped_bytes(lo as int, hi as int),
        no_unwind
    {
        let r = self.change_range(lo, hi, Change::WriteProtect);
        proof {
            old(self).space().lemma_as_write_protected(lo as int, hi as int, self.space());
        }
        r
    }

    /// Changes all pages from `lo` to below `hi`; answers with the smallest page's size, if there was one,
    /// and with how many bytes they are.
    fn change_range(&mut self, lo: u64, hi: u64, change: Change) -> (r: (Option<PageSize>, u64))
        requires
            old(self).inv(),
            lo < hi <= A::geo().limit(),
            !old(self).space().is_cut(lo as int, hi as int),
            change.is_allowed::<A, B>(),
            change.breaks_none::<A>(old(self).space(), lo as int, hi as int),
            !(change is Clear),
        ensures
            final(self).inv(),
            old(self).space().may_change_range(lo as int, hi as int, change, final(self).space()),
            final(self).mixes_from(*old(self)),
            final(self).frames.held() == old(self).frames.held(),
            forall|base: int|
                lo <= base < hi && #[trigger] old(self).space().pages.contains_key(base)
                    ==> r.0 is Some && old(self).space().pages[base].size.bytes() >= r.0->0.bytes(),
            r.1 == old(self).space().mapped_bytes(lo as int, hi as int),
        no_unwind
    {
        let mut va = lo;
        let mut least: Option<PageSize> = None;
        let mut total: u64 = 0;
        let ghost job = Job { start: *self, lo: lo as int, hi: hi as int };
        proof {
            self.lemma_protect_start(job, change);
            job.lemma_job_start();
        }
        while va < hi
            invariant
                self.inv(),
                lo < hi <= A::geo().limit(),
                lo <= va <= A::geo().limit(),
                job == (Job { start: *old(self), lo: lo as int, hi: hi as int }),
                job.is_whole(),
                change.is_allowed::<A, B>(),
                change.breaks_none::<A>(job.start.space(), job.lo, job.hi),
                !(change is Clear),
                self.is_protecting(job, va as int, change),
                job.is_through(va as int),
                job.is_least(va as int, least),
                job.is_counted(lo as int, va as int, total as int),
            decreases A::geo().limit() - va,
        {
            let d = self.descend(va, 1);
            let (next, bytes) = self.protect_run(Ghost(job), va, hi, &d, change);
            let ghost was = least;
            if bytes > 0 {
                proof {
                    A::lemma_page_size(d.stop.level as nat);
                }
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
            self.lemma_all_protected(job, va as int, change);
        }
        (least, total)
    }

    /// Gives the pages from `va`, where `d` ended, to below `end` that are in the same table other properties, by one store
    /// each; stops at an entry that is a table's. Answers with how far it got, and how many bytes the pages are.
    #[cfg_attr(not(verus_only), expect(unused_variables, reason = "`was` is the prover's"))]
    fn protect_run(
        &mut self,
        Ghost(job): Ghost<Job<M, A, B>>,
        va: u64,
        end: u64,
        d: &Descent,
        change: Change,
    ) -> (r: (u64, u64))
        requires
            old(self).inv(),
            va < end <= A::geo().limit(),
            old(self).is_descent(va as int, 1, *d),
            job.is_whole(),
            job.lo <= va,
            job.hi == end,
            change.is_allowed::<A, B>(),
            change.breaks_none::<A>(job.start.space(), job.lo, job.hi),
            !(change is Clear),
            old(self).is_protecting(job, va as int, change),
            job.is_through(va as int),
        ensures
            final(self).inv(),
            va < r.0 <= A::geo().limit(),
            final(self).is_protecting(job, r.0 as int, change),
            job.is_even(va as int, r.0 as int, A::geo().span(d.stop.level as nat), r.1 > 0),
            job.is_counted(va as int, r.0 as int, r.1 as int),
            r.1 > 0 ==> A::page_size(d.stop.level as nat) is Some,
        no_unwind
    {
        let geometry = A::geometry();
        let stop = d.stop;
        let span = geometry.entry_span(stop.level);
        let entries = geometry.table_entries(stop.level);
        let mut at = va & !(span - 1);
        let mut index = d.index;
        let mut bytes: u64 = 0;
        let ghost mut run = Run::start(va, *d);
        proof {
            self.lemma_protect_run(job, va, *d, at, change);
        }
        while index < entries && at < end
            invariant
                geometry == A::geo(),
                stop == d.stop,
                span == A::geo().span(run.level()),
                entries == A::geo().entries(run.level()) <= 8192,
                job.is_whole(),
                job.lo <= va < end <= A::geo().limit(),
                job.hi == end,
                change.is_allowed::<A, B>(),
                change.breaks_none::<A>(job.start.space(), job.lo, job.hi),
                !(change is Clear),
                d.index <= index <= entries,
                d.index < entries,
                d.index == A::geo().index_of(va as int, run.level()),
                index == d.index ==> at <= va && !(self.entry_at(va as int, run.level()) is Table),
                index > d.index ==> va < at,
                va < at + span,
                at <= A::geo().limit(),
                run == (Run { index: index as int, ..Run::start(va, *d) }),
                at == run.at::<A>(),
                self.inv(),
                self.is_stop(va as int, stop),
                self.is_protecting(job, at as int, change),
                job.is_through(va as int),
                job.is_even(va as int, run.mark::<A>(), span as int, bytes > 0),
                job.is_counted(va as int, run.mark::<A>(), bytes as int),
                bytes <= run.mark::<A>() - va,
                bytes > 0 ==> A::page_size(run.level()) is Some,
            ensures
                va < at,
            decreases entries - index,
        {
            let slot = Slot { level: stop.level, table: stop.table, index };
            proof {
                self.lemma_run_slot(run);
            }
            let (word, entry) = self.read(Ghost(at as int), slot);
            let ghost before = *self;
            match entry {
                Entry::Table { .. } => {
                    break;
                },
                Entry::Page { .. } => {
                    proof {
                        self.lemma_run_unbroken(job, run, change, bytes as int);
                    }
                    let was = self.replace(Ghost(at as int), slot, word, change);
                    proof {
                        self.lemma_run_protected(before, job, run, change, was, bytes as int);
                    }
                    bytes += span;
                },
                Entry::Empty => {
                    proof {
                        self.lemma_run_hole(job, run, change, bytes as int);
                    }
                },
            }
            index += 1;
            at += span;
            proof {
                run = run.next();
            }
        }
        (at, bytes)
    }
}

} // verus!
