//! How many tables it takes to copy a range.

use super::super::model::NodeId;
#[cfg(verus_only)]
use super::super::model::home;
use super::super::tree::Tree;
use super::leaf::Leaf;
use crate::arch::PagingMode;
use crate::arch::entry::AccessBits;
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
use crate::hw::memory::TableMemory;
use vstd::prelude::*;

#[cfg(verus_only)]
mod proof;

verus! {

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// How many tables are missing here, where nothing is mapped in the range, for the pages of `from` from `lo` to below
    /// `hi`, and which: one descent for each table of the lowest level that has pages in the range, and for each page of
    /// a higher level.
    pub(super) fn lacking(&self, from: &Self, lo: u64, hi: u64) -> (r: (u64, Ghost<Set<NodeId>>))
        requires
            from.inv(),
            self.inv(),
            lo < hi <= A::geo().limit(),
            self.is_untranslated(lo as int, hi as int),
            !from.space().is_cut(lo as int, hi as int),
        ensures
            from.is_served(*self, r.1@, lo as int, hi as int),
            r.0 == r.1@.len(),
        no_unwind
    {
        let mut near = from.top(lo);
        let mut at = lo;
        let mut done: u64 = 0;
        let mut n: u64 = 0;
        let ghost mut p = Set::<NodeId>::empty();
        proof {
            A::geo().lemma_limit();
        }
        while at < hi
            invariant
                from.inv(),
                self.inv(),
                lo < hi <= A::geo().limit() <= 0x200_0000_0000_0000,
                self.is_untranslated(lo as int, hi as int),
                !from.space().is_cut(lo as int, hi as int),
                from.is_place(near),
                lo <= at <= A::geo().limit(),
                from.is_counting(*self, p, lo as int, at as int, done as int),
                n == p.len(),
                n <= 5 * (at - lo),
            decreases
                    (if at < hi {
                        hi - at
                    } else {
                        0
                    }),
        {
            let Some(leaf) = from.next_leaf(&mut near, at, hi) else {
                proof {
                    from.lemma_counted_all(*self, p, lo as int, at as int, hi as int, done as int);
                }
                return (n, Ghost(p));
            };
            let found = self.lacking_for(Ghost(from), Ghost(p), Ghost((lo, at, hi)), leaf, done);
            let next = if leaf.level == 1 {
                let cover = A::geometry().entry_span(2);
                proof {
                    proof::lemma_table_end::<A>(leaf.start);
                }
                (leaf.start & !(cover - 1)) + cover
            } else {
                leaf.start + leaf.span
            };
            proof {
                from.lemma_counted(
                    *self,
                    p,
                    found.1@,
                    lo as int,
                    at as int,
                    hi as int,
                    leaf,
                    next as int,
                );
                p = found.1@;
            }
            n += found.0;
            done = leaf.start + 1;
            at = next;
        }
        (n, Ghost(p))
    }

    /// How many of the tables for a page of `from` are missing here and not counted yet: those that start after the page
    /// at `done - 1`, for which they were.
    #[inline]
    fn lacking_for(
        &self,
        Ghost(from): Ghost<&Self>,
        Ghost(p): Ghost<Set<NodeId>>,
        Ghost(range): Ghost<(u64, u64, u64)>,
        leaf: Leaf,
        done: u64,
    ) -> (r: (u64, Ghost<Set<NodeId>>))
        requires
            from.inv(),
            self.inv(),
            range.0 <= range.1 < range.2 <= A::geo().limit(),
            self.is_untranslated(range.0 as int, range.2 as int),
            !from.space().is_cut(range.0 as int, range.2 as int),
            from.is_leaf(leaf),
            leaf.start < range.2,
            from.space().is_next_page(range.1 as int, leaf.start as int),
            from.is_counting(*self, p, range.0 as int, range.1 as int, done as int),
        ensures
            r.0 <= 4,
            r.1@.len() == p.len() + r.0,
            forall|m: NodeId| #[trigger] p.contains(m) ==> r.1@.contains(m),
            forall|m: NodeId| #[trigger] r.1@.contains(m) ==> p.contains(m) || m.base <= leaf.start,
            forall|j: nat|
                leaf.level <= j < A::geo().levels ==> r.1@.contains(
                    #[trigger] home(A::geo(), leaf.start as int, j),
                ) || self.perms@.contains_key(home(A::geo(), leaf.start as int, j)),
        no_unwind
    {
        let geometry = A::geometry();
        let (start, level) = (leaf.start, leaf.level);
        let d = self.descend(start, level);
        let stop = d.stop.level;
        proof {
            self.lemma_lacks(*from, range.0 as int, range.1 as int, range.2 as int, leaf, d);
        }
        let mut k = level;
        let mut n: u64 = 0;
        let ghost mut q = p;
        while k < stop
            invariant
                geometry == A::geo(),
                geometry.wf(),
                (start, level) == (leaf.start, leaf.level),
                from.inv(),
                range.1 < leaf.start + leaf.span,
                from.is_leaf(leaf),
                from.is_counting(*self, p, range.0 as int, range.1 as int, done as int),
                self.is_stopped(start as int, level as nat, stop as nat),
                level <= k <= stop <= 5,
                n <= k - level,
                q.len() == p.len() + n,
                from.is_counted_to(p, q, leaf, k as nat),
            decreases stop - k,
        {
            let cover = geometry.entry_span(k + 1);
            proof {
                A::geo().lemma_align_down(start, (k + 1) as nat);
                from.lemma_uncounted(
                    *self,
                    p,
                    q,
                    range.0 as int,
                    range.1 as int,
                    done as int,
                    leaf,
                    k as nat,
                );
            }
            if start & !(cover - 1) >= done {
                n += 1;
                proof {
                    q = q.insert(home(A::geo(), start as int, k as nat));
                }
            }
            k += 1;
        }
        (n, Ghost(q))
    }
}

} // verus!
