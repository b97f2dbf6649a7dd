//! What mapping a range takes: which pages, whether anything is in the way, and how many tables are missing.

use super::descend::Descent;
use super::model::NodeId;
use super::tree::Tree;
use crate::addr::PageSize;
use crate::arch::PagingMode;
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
use crate::arch::entry::{AccessBits, Entry};
use crate::hw::memory::TableMemory;
#[cfg(verus_only)]
use crate::spec::space::fit;
#[cfg(verus_only)]
use proof::{lemma_fit, lemma_run};
#[cfg(verus_only)]
use spec::{ext, is_part, lack, need};
use vstd::prelude::*;

#[cfg(verus_only)]
pub(crate) mod proof;
#[cfg(verus_only)]
pub(crate) mod spec;

verus! {

/// The first thing that is in the way of a range.
pub(crate) struct InTheWay {
    /// An address that it covers.
    pub(crate) at: u64,
    /// The level of its entry.
    pub(crate) level: u8,
}

/// Pages of one size that follow each other, in one table.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    /// The level of the pages.
    pub(crate) level: u8,
    /// How many.
    pub(crate) pages: usize,
    /// How many bytes all of them cover.
    pub(crate) bytes: u64,
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// The run that starts at `at`, of the largest pages that fit the rest of a range, which is to be mapped to `frame` on.
    #[inline]
    pub(super) fn run(at: u64, hi: u64, frame: u64, largest: PageSize) -> (r: Run)
        requires
            is_part::<A>(at as int, hi as int, frame as int, largest),
        ensures
            r.is_at::<A>(at as int, hi as int, frame as int, largest),
        no_unwind
    {
        let geometry = A::geometry();
        let mut level = geometry.levels;
        proof {
            lemma_fit::<A>(at as int, hi as int, frame as int, largest, level as nat);
        }
        while level > 1
            invariant_except_break
                fit::<A>(at as int, hi as int, frame as int, largest, A::geo().levels as nat)
                    == fit::<A>(at as int, hi as int, frame as int, largest, level as nat),
            invariant
                is_part::<A>(at as int, hi as int, frame as int, largest),
                1 <= level <= A::geo().levels,
            ensures
                level == fit::<A>(
                    at as int,
                    hi as int,
                    frame as int,
                    largest,
                    A::geo().levels as nat,
                ),
            decreases level,
        {
            if let Some(size) = A::size_at(level) {
                let bytes = size.bytes();
                if bytes <= largest.bytes() && at % bytes == 0 && frame % bytes == 0 && hi - at
                    >= bytes {
                    break;
                }
            }
            level -= 1;
        }
        let span = geometry.entry_span(level);
        let left = geometry.table_entries(level) - geometry.index(at, level);
        let fitting = (hi - at) / span;
        proof {
            lemma_run::<A>(at as int, hi as int, frame as int, largest, left as int);
        }
        let pages = if fitting < left as u64 {
            fitting as usize
        } else {
            left
        };
        Run { level, pages, bytes: pages as u64 * span }
    }

    /// How many tables are missing to map a range, if nothing is mapped there.
    pub(super) fn plan(&self, va: u64, hi: u64, frame: u64, largest: PageSize) -> (r: Result<
        u64,
        InTheWay,
    >)
        requires
            self.sound(),
            is_part::<A>(va as int, hi as int, frame as int, largest),
        ensures
            match r {
                Ok(n) => {
                    &&& n == need::<A>(
                        self.perms@.dom(),
                        va as int,
                        hi as int,
                        frame as int,
                        largest,
                    )
                    &&& self.is_untranslated(va as int, hi as int)
                },
                Err(what) => self.is_in_the_way(va as int, hi as int, what),
            },
        no_unwind
    {
        let mut at = va;
        let mut next = frame;
        let mut n: u64 = 0;
        let ghost mut p = self.perms@.dom();
        while at < hi
            invariant
                self.sound(),
                va <= at <= hi,
                next == frame + (at - va),
                at < hi ==> is_part::<A>(at as int, hi as int, next as int, largest),
                is_part::<A>(va as int, hi as int, frame as int, largest),
                self.is_planned(va as int, at as int, p),
                self.is_untranslated(va as int, at as int),
                n <= 5 * (at - va),
                n + need::<A>(p, at as int, hi as int, next as int, largest) == need::<A>(
                    self.perms@.dom(),
                    va as int,
                    hi as int,
                    frame as int,
                    largest,
                ),
            decreases hi - at,
        {
            let run = Self::run(at, hi, next, largest);
            let d = self.descend(at, run.level);
            if !matches!(d.entry, Entry::Empty) {
                proof {
                    self.lemma_plan_met(
                        va as int,
                        at as int,
                        hi as int,
                        next as int,
                        largest,
                        d,
                        run,
                    );
                }
                return Err(InTheWay { at, level: d.stop.level });
            }
            proof {
                self.lemma_plan_run(
                    va as int,
                    at as int,
                    hi as int,
                    next as int,
                    largest,
                    p,
                    d,
                    run,
                );
            }
            if d.stop.level == run.level {
                if let Some(k) = self.find_used(Ghost(at as int), &d, run.pages) {
                    let span = A::geometry().entry_span(run.level);
                    proof {
                        self.lemma_plan_found(
                            va as int,
                            at as int,
                            hi as int,
                            next as int,
                            largest,
                            d,
                            run,
                            k as int,
                        );
                    }
                    return Err(InTheWay { at: at + k as u64 * span, level: run.level });
                }
            } else {
                n += Self::missing(Ghost(p), Ghost(self), va, at, run.level, d.stop.level);
            }
            proof {
                self.lemma_plan_next(
                    va as int,
                    at as int,
                    hi as int,
                    next as int,
                    largest,
                    p,
                    d,
                    run,
                );
                p = ext::<A>(p, at as int, run.level as nat);
            }
            at += run.bytes;
            next += run.bytes;
        }
        Ok(n)
    }

    /// The first of `n` entries from where `d` ended, but for the first, that is in use.
    #[inline]
    fn find_used(&self, Ghost(at): Ghost<int>, d: &Descent, n: usize) -> (r: Option<usize>)
        requires
            self.sound(),
            self.is_descent(at, d.stop.level as nat, *d),
            d.index + n <= A::geo().entries(d.stop.level as nat),
        ensures
            match r {
                Some(k) => {
                    &&& 1 <= k < n
                    &&& self.is_used_at(at, d.stop.level as nat, d.index + k)
                    &&& forall|i: int|
                        d.index < i < d.index + k ==> !#[trigger] self.is_used_at(
                            at,
                            d.stop.level as nat,
                            i,
                        )
                },
                None => forall|i: int|
                    d.index < i < d.index + n ==> !#[trigger] self.is_used_at(
                        at,
                        d.stop.level as nat,
                        i,
                    ),
            },
        no_unwind
    {
        proof {
            A::geo().lemma_span(d.stop.level as nat);
            A::geo().lemma_bounds(at, d.stop.level as nat);
        }
        let mut k: usize = 1;
        while k < n
            invariant
                self.sound(),
                self.is_descent(at, d.stop.level as nat, *d),
                d.index + n <= A::geo().entries(d.stop.level as nat),
                d.index < A::geo().entries(d.stop.level as nat) <= 8192,
                1 <= k,
                forall|i: int|
                    d.index < i < d.index + k ==> !#[trigger] self.is_used_at(
                        at,
                        d.stop.level as nat,
                        i,
                    ),
            decreases n - k,
        {
            if self.is_used(Ghost(at), d.stop, d.index + k) {
                return Some(k);
            }
            k += 1;
        }
        None
    }

    /// How many of the tables for `at` from `level` to below `stop`, which are not there, are not those of an earlier
    /// address of the range from `va` on.
    #[inline]
    fn missing(
        Ghost(p): Ghost<Set<NodeId>>,
        Ghost(tree): Ghost<&Self>,
        va: u64,
        at: u64,
        level: u8,
        stop: u8,
    ) -> (r: u64)
        requires
            tree.is_planned(va as int, at as int, p),
            tree.is_stopped(at as int, level as nat, stop as nat),
        ensures
            r == lack::<A>(p, at as int, level as nat),
            r <= 5,
        no_unwind
    {
        let geometry = A::geometry();
        let mut n: u64 = 0;
        let mut k = level;
        while k < stop
            invariant
                geometry == A::geo(),
                tree.is_planned(va as int, at as int, p),
                tree.is_stopped(at as int, level as nat, stop as nat),
                level <= k <= stop <= 5,
                n <= k - level,
                n + lack::<A>(p, at as int, k as nat) == lack::<A>(p, at as int, level as nat),
            decreases stop - k,
        {
            proof {
                tree.lemma_missing(va as int, at as int, p, level as nat, k as nat, stop as nat);
            }
            if at == va || at % geometry.entry_span(k + 1) == 0 {
                n += 1;
            }
            k += 1;
        }
        proof {
            tree.lemma_none_missing(va as int, at as int, p, level as nat, stop as nat);
        }
        n
    }
}

} // verus!
