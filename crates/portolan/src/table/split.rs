//! Dividing a page into the pages of a table.

use super::descend::Descent;
use super::full::FullTable;
#[cfg(verus_only)]
use super::perms::tables;
use super::protect::page_of;
use super::tree::Tree;
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::arch::entry::AccessBits;
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
use crate::hw::memory::TableMemory;
use crate::prop::PageProperty;
use vstd::prelude::*;

#[cfg(verus_only)]
pub(crate) mod proof;
#[cfg(verus_only)]
pub(crate) mod spec;

verus! {

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// Puts a table of its parts in the place of the page that `d` found, by one store; answers with what the page was
    /// at that moment, or with `None` if there is no frame for the table. The parts have the page's accessed and dirty
    /// bits.
    pub(super) fn split(&mut self, Ghost(va): Ghost<int>, d: Descent) -> (r: Option<
        (PhysAddr, PageProperty),
    >)
        requires
            old(self).inv(),
            old(self).is_descent(va, d.stop.level as nat, d),
            d.entry is Page,
            d.stop.level > 1,
            A::page_size((d.stop.level - 1) as nat) is Some,
            A::resizes(),
        ensures
            final(self).inv(),
            final(self).is_split_from(*old(self), va, d.stop.level as nat, r),
            final(self).root == old(self).root,
        no_unwind
    {
        let full = FullTable::<A>::new(&mut self.frames, d.stop.level - 1)?;
        let ghost base = *self;
        let was = self.split_into(Ghost(va), d, full);
        proof {
            self.lemma_split_of(base, *old(self), va, d.stop.level as nat, was);
        }
        Some(was)
    }

    /// Puts `full`, filled with its parts, in the place of the page that `d` found, by one store; answers with what the page
    /// was at that moment.
    pub(super) fn split_into(
        &mut self,
        Ghost(va): Ghost<int>,
        d: Descent,
        full: FullTable<A>,
    ) -> (r: (PhysAddr, PageProperty))
        requires
            old(self).sound(),
            old(self).is_slot(va, d.at()),
            old(self).reads(va, d.stop.level as nat, d.word, d.entry),
            d.entry is Page,
            d.stop.level > 1,
            A::page_size((d.stop.level - 1) as nat) is Some,
            full.inv(old(self).phys_bits()),
            full.level + 1 == d.stop.level,
            !tables(old(self).perms@).contains(full.table),
            A::resizes(),
        ensures
            final(self).sound(),
            final(self).is_split_page(*old(self), va, d.stop.level as nat, r),
            tables(final(self).perms@) == tables(old(self).perms@).insert(full.table),
            final(self).frames.held() == old(self).frames.held(),
            final(self).root == old(self).root,
        no_unwind
    {
        let slot = d.slot();
        let mut below = full;
        let mut word = d.word;
        let ghost base = *self;
        proof {
            self.lemma_unchanged(va, slot);
        }
        loop
            invariant
                base == *old(self),
                base.sound(),
                slot == d.at(),
                below.table == full.table,
                base.is_split_base(va, slot, below),
                self.is_seen(base, va, slot),
                self.reads(va, slot.level as nat, word, A::entry(slot.level as nat, word)),
            decreases self.tries(va, slot.level as nat, word),
        {
            proof {
                self.lemma_page_entry(base, va, slot, word);
            }
            let was = page_of(A::decode(slot.level, word));
            below.fill(&mut self.frames, was.0, was.1);
            let ghost before = *self;
            let ghost filled = below;
            proof {
                self.lemma_may_divide(base, va, slot, was, below);
            }
            match self.divide(Ghost(va), slot, word, below) {
                Ok(()) => {
                    proof {
                        self.lemma_divided(base, before, va, slot, was, filled);
                    }
                    return was;
                },
                Err((now, same)) => {
                    proof {
                        self.lemma_seen(base, before, va, slot, word, now);
                    }
                    word = now;
                    below = same;
                },
            }
        }
    }
}

} // verus!
