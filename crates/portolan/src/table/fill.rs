//! Mapping neighbouring pages in one table.

use super::descend::Descent;
use super::tree::{Slot, Tree};
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::arch::entry::AccessBits;
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
#[cfg(verus_only)]
use crate::arith::lemma_next;
use crate::hw::memory::TableMemory;
use crate::prop::PageProperty;
use vstd::prelude::*;

#[cfg(verus_only)]
pub(crate) mod proof;
#[cfg(verus_only)]
pub(crate) mod spec;

verus! {

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// Maps `n` neighbouring pages from where `d` ended, to frames that follow each other, by one store each. Their
    /// entries are empty.
    #[inline]
    pub(super) fn fill(
        &mut self,
        va: u64,
        d: &Descent,
        n: usize,
        frame: PhysAddr,
        prop: PageProperty,
    )
        requires
            old(self).sound(),
            old(self).may_fill(va as int, *d, n as int, frame.0 as int, prop),
        ensures
            final(self).sound(),
            final(self).is_filled_from(
                *old(self),
                va as int,
                d.stop.level as nat,
                n as nat,
                frame.0 as int,
                prop,
            ),
        no_unwind
    {
        let span = A::geometry().entry_span(d.stop.level);
        let ghost tree = *self;
        let ghost phys_bits = self.frames.phys_bits();
        let ghost l = d.stop.level as nat;
        proof {
            self.lemma_fill_start(va as int, *d, n as int, frame.0 as int, prop);
        }
        let mut k: usize = 0;
        let mut next = frame.0;
        while k < n
            invariant
                tree.sound(),
                tree.may_fill(va as int, *d, n as int, frame.0 as int, prop),
                phys_bits == tree.phys_bits(),
                l == d.stop.level,
                span == A::geo().span(l),
                k <= n,
                next == frame.0 + k * span,
                self.is_filling(tree, va as int, *d, k as nat, frame.0 as int, prop),
            decreases n - k,
        {
            let ghost x = va + k * span;
            let ghost before = *self;
            proof {
                self.lemma_fill_can(tree, va as int, *d, n as int, k as int, frame.0 as int, prop);
            }
            let word = A::page(Ghost(phys_bits), d.stop.level, PhysAddr(next), prop);
            let slot = Slot { level: d.stop.level, table: d.stop.table, index: d.index + k };
            self.set(Ghost(x), slot, word);
            proof {
                self.lemma_fill_step(
                    before,
                    tree,
                    va as int,
                    *d,
                    n as int,
                    k as int,
                    frame.0 as int,
                    prop,
                );
            }
            proof {
                lemma_next(k as int, span as int);
            }
            k += 1;
            next += span;
        }
        let ghost mid = *self;
        proof {
            self.lemma_fill_count(tree, va as int, *d, n as int, frame.0 as int, prop);
        }
        let used = d.stop.used + n as u16;
        self.note(va, d.stop, used);
        proof {
            self.lemma_fill_end(mid, tree, va as int, *d, used, n as int, frame.0 as int, prop);
        }
    }
}

} // verus!
