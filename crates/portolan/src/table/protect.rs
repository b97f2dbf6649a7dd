//! Changing one page's entry, and clearing it.

use super::change::Change;
use super::descend::Descent;
use super::tree::{Slot, Tree};
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
use crate::arch::entry::{AccessBits, Entry};
use crate::hw::memory::TableMemory;
use crate::prop::PageProperty;
use vstd::prelude::*;

#[cfg(verus_only)]
pub(crate) mod proof;
#[cfg(verus_only)]
pub(crate) mod spec;

verus! {

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// Changes the page at `slot`, where `word` was read, by one store; answers with what the entry was at that moment.
    /// Accessed and dirty bits stay, but for those to be cleared.
    #[inline(always)]
    pub(super) fn replace(
        &mut self,
        Ghost(va): Ghost<int>,
        slot: Slot,
        word: u64,
        change: Change,
    ) -> (r: (PhysAddr, PageProperty))
        requires
            old(self).linked(),
            old(self).is_slot(va, slot),
            old(self).reads(va, slot.level as nat, word, A::entry(slot.level as nat, word)),
            A::entry(slot.level as nat, word) is Page,
            change.is_allowed::<A, B>(),
            change.needs_no_break::<A>(old(self).entry_at(va, slot.level as nat)->Page_prop),
        ensures
            final(self).replaced_from(
                *old(self),
                va,
                slot.level as nat,
                Self::replacement(r, change),
            ),
            final(self).steps_from(*old(self)),
            old(self).entry_at(va, slot.level as nat).may_become(
                Entry::Page { frame: r.0, prop: r.1 },
            ),
        no_unwind
    {
        let ghost phys_bits = self.frames.phys_bits();
        let mut word = word;
        proof {
            self.lemma_unchanged(va, slot);
        }
        loop
            invariant
                old(self).linked(),
                old(self).is_slot(va, slot),
                phys_bits == self.phys_bits(),
                change.is_allowed::<A, B>(),
                change.needs_no_break::<A>(old(self).entry_at(va, slot.level as nat)->Page_prop),
                self.is_seen(*old(self), va, slot),
                self.reads(va, slot.level as nat, word, A::entry(slot.level as nat, word)),
            decreases self.tries(va, slot.level as nat, word),
        {
            proof {
                self.lemma_page_entry(*old(self), va, slot, word);
            }
            let was = page_of(A::decode(slot.level, word));
            proof {
                change.lemma_after::<A, B>(was.1);
            }
            let new = match change.after(was.1) {
                Some(prop) => A::page(Ghost(phys_bits), slot.level, was.0, prop),
                None => 0,
            };
            proof {
                self.lemma_may_replace(*old(self), va, slot, word, change, new);
            }
            let ghost before = *self;
            if !B::tracking() {
                self.set(Ghost(va), slot, new);
                proof {
                    self.lemma_replaced(
                        *old(self),
                        before,
                        va,
                        slot,
                        A::entry(slot.level as nat, new),
                    );
                }
                return was;
            }
            match self.exchange(Ghost(va), slot, word, new) {
                Ok(_) => {
                    proof {
                        self.lemma_replaced(
                            *old(self),
                            before,
                            va,
                            slot,
                            A::entry(slot.level as nat, new),
                        );
                    }
                    return was;
                },
                Err(now) => {
                    proof {
                        self.lemma_seen(*old(self), before, va, slot, word, now);
                    }
                    word = now;
                },
            }
        }
    }

    /// Gives the page that `d` found other properties, or clears bits of it.
    #[inline]
    pub(super) fn protect(&mut self, Ghost(va): Ghost<int>, d: Descent, change: Change) -> (r: (
        PhysAddr,
        PageProperty,
    ))
        requires
            old(self).inv(),
            old(self).is_descent(va, d.stop.level as nat, d),
            d.entry is Page,
            change.is_allowed::<A, B>(),
            change.needs_no_break::<A>(old(self).entry_at(va, d.stop.level as nat)->Page_prop),
            !(change is Clear),
        ensures
            final(self).inv(),
            final(self).is_protected_from(*old(self), va, d.stop.level as nat, change, r),
        no_unwind
    {
        let r = self.replace(Ghost(va), d.slot(), d.word, change);
        proof {
            self.lemma_protected(*old(self), va, d, Self::replacement(r, change));
        }
        r
    }
}

/// The frame and properties of an entry that is a page.
#[inline(always)]
pub(super) fn page_of(entry: Entry) -> (r: (PhysAddr, PageProperty))
    requires
        entry is Page,
    ensures
        entry == (Entry::Page { frame: r.0, prop: r.1 }),
    no_unwind
{
    match entry {
        Entry::Page { frame, prop } => (frame, prop),
        _ => (PhysAddr(0), PageProperty::KERNEL_RO),
    }
}

} // verus!
