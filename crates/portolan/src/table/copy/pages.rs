//! Copying the pages of a range, with the tables that are missing.

use super::super::chain::Chain;
use super::super::model::NodeId;
use super::super::stack::Stack;
use super::super::tree::Tree;
use super::leaf::Leaf;
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::arch::entry::AccessBits;
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
use crate::hw::memory::TableMemory;
use crate::prop::PageProperty;
use vstd::prelude::*;

verus! {

/// A range that is copied: from which tree, what the other was at the start, the first address and the end, whether the
/// right to write is taken away, and the tables that are set aside for it.
#[verifier::reject_recursive_types(M)]
pub(crate) ghost struct Copying<M: TableMemory, A: PagingMode, B: AccessBits> {
    pub from: Tree<M, A, B>,
    pub onto: Tree<M, A, B>,
    pub lo: int,
    pub hi: int,
    pub read_only: bool,
    pub tables: Set<NodeId>,
}

/// What comes next: the page, the table that it is in, the end of the range, and whether the right to write is taken away.
#[derive(Clone, Copy)]
pub(super) struct Next {
    pub(super) leaf: Leaf,
    pub(super) table: PhysAddr,
    pub(super) hi: u64,
    pub(super) read_only: bool,
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// Maps here, where nothing is mapped in the range, copies of the pages of `from` from `lo` to below `hi`; answers with
    /// how many bytes they are. `None`, and nothing is changed, if there are not enough frames for the tables that are
    /// missing.
    pub(super) fn copy_range(&mut self, from: &Self, lo: u64, hi: u64, read_only: bool) -> (r:
        Option<u64>)
        requires
            from.inv(),
            old(self).inv(),
            lo < hi <= A::geo().limit(),
            !from.space().is_cut(lo as int, hi as int),
            old(self).is_untranslated(lo as int, hi as int),
            from.space().is_within(lo as int, hi as int, old(self).phys_bits()),
        ensures
            final(self).inv(),
            match r {
                Some(bytes) => {
                    &&& from.space().may_copy_range::<B>(
                        lo as int,
                        hi as int,
                        read_only,
                        old(self).space(),
                        final(self).space(),
                    )
                    &&& bytes == from.space().mapped_bytes(lo as int, hi as int)
                    &&& final(self).goes_through(*old(self))
                },
                None => final(self).unchanged_from(*old(self)),
            },
        no_unwind
    {
        let (missing, tables) = self.lacking(from, lo, hi);
        match self.reserve(missing) {
            Some(stack) => {
                let ghost reserved = *self;
                proof {
                    self.lemma_reserved(*old(self), stack, lo as int, hi as int);
                    from.lemma_served_same(*old(self), *self, tables@, lo as int, hi as int);
                }
                let bytes = self.copy_all(from, stack, tables, lo, hi, read_only);
                proof {
                    self.lemma_all(*old(self), reserved);
                }
                Some(bytes)
            },
            None => None,
        }
    }

    /// As `copy_range`, with all `tables` that are missing in `stack`.
    fn copy_all(
        &mut self,
        from: &Self,
        stack: Stack<A>,
        Ghost(tables): Ghost<Set<NodeId>>,
        lo: u64,
        hi: u64,
        read_only: bool,
    ) -> (r: u64)
        requires
            from.inv(),
            old(self).sound(),
            lo < hi <= A::geo().limit(),
            !from.space().is_cut(lo as int, hi as int),
            old(self).is_untranslated(lo as int, hi as int),
            from.space().is_within(lo as int, hi as int, old(self).phys_bits()),
            from.is_served(*old(self), tables, lo as int, hi as int),
            stack.inv(old(self).phys_bits()),
            old(self).is_using(stack),
            stack@.len() == tables.len(),
        ensures
            final(self).inv(),
            from.space().may_copy_range::<B>(
                lo as int,
                hi as int,
                read_only,
                old(self).space(),
                final(self).space(),
            ),
            r == from.space().mapped_bytes(lo as int, hi as int),
            final(self).goes_through(*old(self)),
        no_unwind
    {
        let ghost c = Copying {
            from: *from,
            onto: *self,
            lo: lo as int,
            hi: hi as int,
            read_only,
            tables,
        };
        let mut stack = stack;
        let mut near = from.top(lo);
        let mut at = lo;
        let mut bytes: u64 = 0;
        proof {
            self.lemma_copy_start(c, stack);
        }
        while at < hi
            invariant_except_break
                self.is_copying(c, stack, at as int, bytes as int),
            invariant
                c == (Copying {
                    from: *from,
                    onto: *old(self),
                    lo: lo as int,
                    hi: hi as int,
                    read_only,
                    tables,
                }),
                c.inv(),
                from.is_place(near),
                lo <= at <= hi,
            ensures
                self.is_copying(c, stack, hi as int, bytes as int),
            decreases hi - at,
        {
            let Some(leaf) = from.next_leaf(&mut near, at, hi) else {
                proof {
                    self.lemma_copy_none(c, stack, at as int, hi as int, bytes as int);
                }
                break;
            };
            proof {
                self.lemma_copy_next(c, stack, at as int, bytes as int, leaf);
            }
            let ghost so_far = (at as int, bytes as int);
            let next = Next { leaf, table: near.stop.table, hi, read_only };
            let (end, more) = self.copy_next(from, Ghost(c), Ghost(so_far), &mut stack, next);
            bytes += more;
            at = end;
        }
        let ghost mid = *self;
        proof {
            self.lemma_copying(c, stack, hi as int, bytes as int);
        }
        stack.free_all(&mut self.frames);
        proof {
            self.lemma_copy_end(mid, c, stack, bytes as int);
        }
        bytes
    }

    /// Copies the next page and those after it in the same table; only the page, if tables are missing, which are taken
    /// from `stack`. Answers with how far it got, and how many bytes the pages are.
    #[inline]
    fn copy_next(
        &mut self,
        from: &Self,
        Ghost(c): Ghost<Copying<M, A, B>>,
        Ghost(so_far): Ghost<(int, int)>,
        stack: &mut Stack<A>,
        next: Next,
    ) -> (r: (u64, u64))
        requires
            c.inv(),
            c.from == *from,
            next.is_of(c),
            c.is_next(so_far.0, next.leaf),
            old(self).is_copying(c, *old(stack), so_far.0, so_far.1),
        ensures
            final(self).is_copying(c, *final(stack), r.0 as int, so_far.1 + r.1),
            next.leaf.start < r.0 <= next.hi,
            r.1 <= r.0 - next.leaf.start,
        no_unwind
    {
        let leaf = next.leaf;
        let (va, level) = (leaf.start, leaf.level);
        let ghost phys_bits = self.frames.phys_bits();
        let ghost was = *stack;
        proof {
            self.lemma_copying(c, was, so_far.0, so_far.1);
        }
        let d = self.descend(va, level);
        proof {
            self.lemma_put_next(c, was, so_far.0, so_far.1, leaf, d);
        }
        if d.stop.level == level {
            return self.copy_run(from, Ghost(c), Ghost((was, so_far.0, so_far.1)), &d, next);
        }
        proof {
            Self::lemma_may_copy(c, so_far.0, leaf);
        }
        let prop = Self::copied(leaf.prop, next.read_only);
        let word = A::page(Ghost(phys_bits), level, leaf.frame, prop);
        let chain = Chain::<A>::take(stack, &mut self.frames, va, level, d.stop.level, word);
        let ghost linked = chain;
        let ghost taken = *self;
        proof {
            self.lemma_copy_chain(*old(self), c, was, so_far.0, so_far.1, leaf, d, *stack, chain);
        }
        self.hang(va, d, chain);
        proof {
            self.lemma_copy_hung(
                taken,
                *old(self),
                c,
                was,
                so_far.0,
                so_far.1,
                leaf,
                d,
                *stack,
                linked,
            );
        }
        (va + leaf.span, leaf.span)
    }

    /// What a copy has of a page's properties.
    #[inline(always)]
    pub(super) fn copied(prop: PageProperty, read_only: bool) -> (r: PageProperty)
        ensures
            r == crate::arch::entry::stored::<B>(
                if read_only {
                    prop.read_only()
                } else {
                    prop
                },
            ),
        no_unwind
    {
        Self::stored(
            if read_only {
                prop.read_only()
            } else {
                prop
            },
        )
    }
}

} // verus!
