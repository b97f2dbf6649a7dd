//! Dividing the pages that a range starts or ends inside of, all of them or none.

use super::PageTable;
use super::full::FullTable;
use super::stack::Stack;
use super::tree::Tree;
use crate::addr::VirtRange;
use crate::arch::PagingMode;
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
use crate::arch::entry::{AccessBits, Entry};
use crate::error::Error;
use crate::hw::TableMemory;
#[cfg(verus_only)]
use crate::spec::request;
#[cfg(verus_only)]
use spec::tables_below;
use vstd::prelude::*;

#[cfg(verus_only)]
mod proof;
#[cfg(verus_only)]
pub(crate) mod spec;

verus! {

/// A range whose ends are cut, and the tree before.
#[verifier::reject_recursive_types(M)]
pub(crate) ghost struct Cut<M: TableMemory, A: PagingMode, B: AccessBits> {
    pub start: Tree<M, A, B>,
    pub lo: int,
    pub hi: int,
}

/// One of the ends: no page with `from` inside is left to divide, and none at the end is of a level above `level`.
#[verifier::reject_recursive_types(M)]
pub(crate) ghost struct End<M: TableMemory, A: PagingMode, B: AccessBits> {
    pub cut: Cut<M, A, B>,
    pub from: int,
    pub level: nat,
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// Divides the pages that have `lo` or `hi` inside, and of their parts those that do, until none does. All tables are taken
    /// before the first page is divided; if there aren't enough, the answer is `false`, and nothing is changed.
    fn cut(&mut self, lo: u64, hi: u64) -> (r: bool)
        requires
            old(self).inv(),
            lo < hi <= A::geo().limit(),
            lo as int % A::geo().span(1) == 0,
            hi as int % A::geo().span(1) == 0,
            A::resizes(),
        ensures
            final(self).inv(),
            if r {
                final(self).is_cut_from(*old(self), lo as int, hi as int)
            } else {
                final(self).unchanged_from(*old(self))
            },
        no_unwind
    {
        let ghost cut = Cut { start: *self, lo: lo as int, hi: hi as int };
        proof {
            self.lemma_limits();
            A::lemma_geometry();
        }
        let inner = hi < A::geometry().limit_bytes();
        let first = self.level_inside(lo);
        let last = if inner {
            self.level_inside(hi)
        } else {
            1
        };
        let n = Self::tables_below(0, lo, first) + Self::tables_below(lo, hi, last);
        let Some(mut stack) = self.reserve(n) else {
            return false;
        };
        let ghost reserved = *self;
        proof {
            self.lemma_cut_start(cut, stack);
        }
        self.cut_end(Ghost(End { cut, from: 0, level: first as nat }), lo, &mut stack);
        let ghost mid = *self;
        proof {
            let bytes = if inner {
                A::geo().span(last as nat)
            } else {
                0
            };
            reserved.space().lemma_still_at_most(mid.space(), hi as int, bytes);
        }
        if inner {
            self.cut_end(Ghost(End { cut, from: lo as int, level: last as nat }), hi, &mut stack);
        }
        let ghost done = *self;
        proof {
            self.lemma_cutting(cut, stack);
            if !inner {
                self.lemma_cut_nothing(hi as int);
            }
        }
        stack.free_all(&mut self.frames);
        proof {
            self.lemma_cut_done(cut, (reserved, mid, done), stack);
        }
        true
    }

    /// The level of the page that has `at` inside, or 1.
    fn level_inside(&self, at: u64) -> (r: u8)
        requires
            self.sound(),
            at < A::geo().limit(),
            at as int % A::geo().span(1) == 0,
        ensures
            1 <= r <= A::geo().levels,
            self.space().is_at_most(at as int, A::geo().span(r as nat)),
        no_unwind
    {
        let d = self.descend(at, 1);
        let span = A::geometry().entry_span(d.stop.level);
        proof {
            self.lemma_inside(at, d);
        }
        match d.entry {
            Entry::Page { .. } if at & !(span - 1) != at => d.stop.level,
            _ => 1,
        }
    }

    /// How many tables it takes to divide a page of `level` until none of its parts has `at` inside, but for those of which
    /// `from` was inside as well: they were divided before.
    fn tables_below(from: u64, at: u64, level: u8) -> (r: u64)
        requires
            1 <= level <= A::geo().levels,
        ensures
            r == tables_below::<A>(from as int, at as int, level as nat),
            r < level,
        no_unwind
    {
        let geometry = A::geometry();
        let mut n: u64 = 0;
        let mut l: u8 = 1;
        while l < level
            invariant
                geometry == A::geo(),
                geometry.wf(),
                1 <= l <= level <= geometry.levels,
                n == tables_below::<A>(from as int, at as int, l as nat),
                n < l,
            decreases level - l,
        {
            l += 1;
            let span = geometry.entry_span(l);
            proof {
                geometry.lemma_align_down(at, l as nat);
                geometry.lemma_align_down(from, l as nat);
            }
            let (start, other) = (at & !(span - 1), from & !(span - 1));
            if start != at && (other == from || other != start) {
                n += 1;
            }
        }
        n
    }

    /// Divides the page that has `at` inside, and of its parts the one that does, until none does. The stack has as many
    /// tables as it takes.
    #[cfg_attr(not(verus_only), expect(unused_variables, reason = "`was` is the prover's"))]
    fn cut_end(&mut self, Ghost(end): Ghost<End<M, A, B>>, at: u64, stack: &mut Stack<A>)
        requires
            old(self).is_cutting(end.cut, *old(stack)),
            end.is_at(at as int),
            A::resizes(),
            old(self).space().is_at_most(end.from, 0),
            old(self).space().is_at_most(at as int, A::geo().span(end.level)),
            old(stack)@.len() >= tables_below::<A>(end.from, at as int, end.level),
        ensures
            final(self).is_cutting(end.cut, *final(stack)),
            final(self).is_cut_at(*old(self), at as int),
            final(stack)@.len() >= old(stack)@.len() - tables_below::<A>(
                end.from,
                at as int,
                end.level,
            ),
        no_unwind
    {
        let ghost mut left = end.level;
        proof {
            self.lemma_end_start(end.from, at as int, left);
        }
        loop
            invariant
                A::resizes(),
                self.is_cutting(end.cut, *stack),
                self.is_ending(*old(self), end.from, at as int, left),
                end.is_at(at as int),
                1 <= left <= end.level,
                stack@.len() >= tables_below::<A>(end.from, at as int, left),
                stack@.len() + tables_below::<A>(end.from, at as int, end.level) >= old(
                    stack,
                )@.len() + tables_below::<A>(end.from, at as int, left),
            ensures
                self.sound(),
                self.space().is_at_most(at as int, 0),
            decreases left,
        {
            proof {
                self.lemma_cutting(end.cut, *stack);
            }
            let d = self.descend(at, 1);
            let span = A::geometry().entry_span(d.stop.level);
            proof {
                self.lemma_inside(at, d);
            }
            match d.entry {
                Entry::Page { .. } if at & !(span - 1) != at => {},
                _ => {
                    break;
                },
            }
            let ghost (before, tables, slot) = (*self, *stack, d.at());
            proof {
                self.lemma_needed(*old(self), end.from, at as int, left, d.stop.level as nat);
            }
            let full = FullTable::<A>::take(stack, &mut self.frames, d.stop.level - 1);
            let ghost base = *self;
            let was = self.split_into(Ghost(at as int), d, full);
            proof {
                let trees = (*old(self), before, base);
                self.lemma_end_step(
                    end,
                    trees,
                    at as int,
                    (left, slot),
                    was,
                    (tables, *stack, full),
                );
                left = (slot.level - 1) as nat;
            }
        }
        proof {
            self.lemma_end_done(*old(self), end.from, at as int, left);
        }
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> PageTable<M, A, B> {
    /// Divides the pages that the range starts or ends inside of.
    pub(crate) fn cut(&mut self, range: &VirtRange<A>, lo: u64, hi: u64) -> (r: Result<(), Error>)
        requires
            request::check_range(*range) is None,
            lo == range.first()@,
            hi == lo + range.bytes(),
            lo < hi <= A::geo().limit(),
        ensures
            match r {
                Ok(()) => final(self).is_cut_from(*old(self), lo as int, hi as int),
                Err(e) => request::is_cut_error(old(self)@, *range, e) && final(self).same_as(
                    *old(self),
                ),
            },
        no_unwind
    {
        proof {
            use_type_invariant(&*self);
            proof::lemma_ends(*range);
        }
        let Some((start, size)) = self.owned.tree.find_cut(lo, hi) else {
            proof {
                self.lemma_uncut(lo as int, hi as int);
            }
            return Ok(());
        };
        proof {
            self.owned.tree.lemma_names_cut(*range, start as int, size as int);
        }
        if !A::resizing() {
            return Err(Error::BreakBeforeMake { addr: A::canonicalize(start), size });
        }
        if !self.owned.tree.cut(lo, hi) {
            return Err(Error::NoMemory { addr: range.start().as_u64(), size: range.size() });
        }
        proof {
            self.lemma_was_cut(*old(self), lo as int, hi as int);
        }
        Ok(())
    }
}

} // verus!
