//! Copying the pages of one table.

use super::super::descend::Descent;
use super::super::stack::Stack;
use super::super::tree::{Slot, Tree};
#[cfg(verus_only)]
use super::leaf::Leaf;
use super::pages::{Copying, Next};
use crate::arch::PagingMode;
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
use crate::arch::entry::{AccessBits, Entry};
use crate::hw::memory::TableMemory;
use vstd::prelude::*;

#[cfg(verus_only)]
mod proof;

verus! {

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// Copies the next page and those after it in the same table to the one where `d` ended, by one store each; stops at the end of the range, or at an entry that is a table's. Answers with how far it got, and
    /// how many bytes the pages are.
    pub(super) fn copy_run(
        &mut self,
        from: &Self,
        Ghost(c): Ghost<Copying<M, A, B>>,
        Ghost(so_far): Ghost<(Stack<A>, int, int)>,
        d: &Descent,
        next: Next,
    ) -> (r: (u64, u64))
        requires
            c.from == *from,
            next.is_of(c),
            old(self).is_put_next(c, so_far.0, so_far.1, so_far.2, next.leaf, *d),
            d.stop.level == next.leaf.level,
        ensures
            final(self).is_copying(c, so_far.0, r.0 as int, so_far.2 + r.1),
            next.leaf.start < r.0 <= next.hi,
            r.1 <= r.0 - next.leaf.start,
        no_unwind
    {
        let leaf = next.leaf;
        let (va, level, span) = (leaf.start, leaf.level, leaf.span);
        let ghost (tree, stack, done) = (*self, so_far.0, so_far.2);
        proof {
            self.lemma_copy_room(c, stack, so_far.1, done, leaf, *d);
        }
        let left = A::geometry().table_entries(level) - d.index;
        let fitting = (next.hi - va) / span;
        let n = if fitting < left as u64 {
            fitting as usize
        } else {
            left
        };
        proof {
            self.lemma_copy_run(c, stack, so_far.1, done, leaf, *d, left as int, n as int);
        }
        let mut k: usize = 0;
        let mut at = va;
        let mut copied: u16 = 0;
        let mut bytes: u64 = 0;
        while k < n
            invariant
                c.from == *from,
                next.is_of(c),
                leaf == next.leaf,
                (va, level, span) == (leaf.start, leaf.level, leaf.span),
                Self::is_run(c, leaf, *d, n as int),
                k <= n,
                at == va + k * span,
                va <= at <= c.hi <= u64::MAX,
                copied <= k,
                bytes <= at - va,
                k > 0 ==> at > va,
                self.is_copying_run(
                    tree,
                    c,
                    stack,
                    leaf,
                    *d,
                    n as int,
                    k as int,
                    copied as int,
                    done + bytes,
                ),
            ensures
                at > va,
            decreases n - k,
        {
            let ghost before = *self;
            let slot = Slot { level, table: next.table, index: d.index + k };
            proof {
                Self::lemma_copy_entry(c, leaf, *d, n as int, k as int, next.table);
            }
            let (_, entry) = from.read(Ghost(at as int), slot);
            match entry {
                Entry::Table { .. } => {
                    break;
                },
                Entry::Page { frame, prop } => {
                    let ghost page = Leaf { start: at, frame, prop, ..leaf };
                    proof {
                        self.lemma_copy_page(tree, c, stack, leaf, *d, n as int, k as int, page);
                    }
                    let ghost phys_bits = self.frames.phys_bits();
                    let word = A::page(
                        Ghost(phys_bits),
                        level,
                        frame,
                        Self::copied(prop, next.read_only),
                    );
                    let slot = Slot { level, table: d.stop.table, index: d.index + k };
                    self.set(Ghost(at as int), slot, word);
                    proof {
                        self.lemma_copy_put(
                            before,
                            tree,
                            c,
                            stack,
                            leaf,
                            *d,
                            n as int,
                            k as int,
                            copied as int,
                            done + bytes,
                            page,
                        );
                    }
                    copied += 1;
                    bytes += span;
                },
                Entry::Empty => {
                    proof {
                        self.lemma_copy_hole(
                            tree,
                            c,
                            stack,
                            leaf,
                            *d,
                            n as int,
                            k as int,
                            copied as int,
                            done + bytes,
                        );
                    }
                },
            }
            k += 1;
            at += span;
        }
        let ghost mid = *self;
        proof {
            self.lemma_copy_count(
                tree,
                c,
                stack,
                leaf,
                *d,
                n as int,
                k as int,
                copied as int,
                done + bytes,
            );
        }
        let used = d.stop.used + copied;
        self.note(va, d.stop, used);
        proof {
            self.lemma_copy_noted(
                mid,
                tree,
                c,
                stack,
                leaf,
                *d,
                n as int,
                k as int,
                copied as int,
                done + bytes,
                used,
            );
        }
        (at, bytes)
    }
}

} // verus!
