//! Dividing a page into the pages of a table.

use super::descend::Descent;
use super::full::FullTable;
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
        no_unwind
    {
        let slot = d.slot();
        let mut full = FullTable::<A>::new(&mut self.frames, slot.level - 1)?;
        let mut word = d.word;
        let ghost base = *self;
        proof {
            self.lemma_split_start(*old(self), va, slot, full);
        }
        loop
            invariant
                old(self).inv(),
                slot == d.at(),
                base.is_split_base(*old(self), va, slot, full),
                self.is_seen(base, va, slot),
                self.reads(va, slot.level as nat, word, A::entry(slot.level as nat, word)),
            decreases self.tries(va, slot.level as nat, word),
        {
            proof {
                self.lemma_page_entry(base, va, slot, word);
            }
            let was = page_of(A::decode(slot.level, word));
            full.fill(&mut self.frames, was.0, was.1);
            let ghost before = *self;
            let ghost filled = full;
            proof {
                self.lemma_may_divide(base, va, slot, was, full);
            }
            match self.divide(Ghost(va), slot, word, full) {
                Ok(()) => {
                    proof {
                        self.lemma_divided(*old(self), base, before, va, slot, was, filled);
                    }
                    return Some(was);
                },
                Err((now, same)) => {
                    proof {
                        self.lemma_seen(base, before, va, slot, word, now);
                    }
                    word = now;
                    full = same;
                },
            }
        }
    }
}

} // verus!
