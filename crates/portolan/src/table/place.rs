//! One page changed where it stands: from a table that is known, without going down from the root.

use super::change::Change;
use super::descend::Stop;
use super::scan::Place;
use super::tree::{Slot, Tree};
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::arch::entry::AccessBits;
#[cfg(verus_only)]
use crate::arch::entry::{Entry, EntryFormat};
use crate::hw::memory::TableMemory;
use crate::prop::PageProperty;
use vstd::prelude::*;

#[cfg(verus_only)]
mod proof;

verus! {

impl Place {
    /// The entry for its address.
    #[inline(always)]
    fn slot<A: PagingMode>(&self) -> (r: Slot)
        requires
            1 <= self.stop.level <= A::geo().levels,
            self.va < A::geo().limit(),
        ensures
            r.level == self.stop.level,
            r.table == self.stop.table,
            r.index == A::geo().index_of(self.va as int, self.stop.level as nat),
        no_unwind
    {
        let index = A::geometry().index(self.va, self.stop.level);
        Slot { level: self.stop.level, table: self.stop.table, index }
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// Maps a page at `place`, where its entry is empty. Answers with the place as it is then.
    #[inline]
    pub(super) fn map_at(&mut self, place: Place, frame: PhysAddr, prop: PageProperty) -> (r: Place)
        requires
            old(self).inv(),
            old(self).is_decided(place, Entry::Empty),
            old(self).may_map(place.va as int, place.stop.level as nat, frame, prop),
        ensures
            final(self).inv(),
            final(self).is_mapped_from(
                *old(self),
                place.va as int,
                place.stop.level as nat,
                frame,
                prop,
                Ok(()),
            ),
            final(self).is_place(r),
        no_unwind
    {
        let (va, stop) = (place.va, place.stop);
        let ghost l = stop.level as nat;
        let prop = Self::stored(prop);
        let word = A::page(Ghost(self.frames.phys_bits()), stop.level, frame, prop);
        let slot = place.slot::<A>();
        proof {
            self.lemma_vacant(va as int, l, l);
            self.lemma_slot(va as int, slot);
        }
        self.set(Ghost(va as int), slot, word);
        let ghost mid = *self;
        proof {
            self.lemma_after_set(*old(self), va as int, stop, A::entry(l, word));
        }
        let used = if A::counting() && stop.level < A::geometry().levels {
            stop.used + 1
        } else {
            stop.used
        };
        self.note(va, stop, used);
        proof {
            self.lemma_after_note(mid, va as int, stop, used);
            self.lemma_steps(*old(self), mid);
            self.lemma_noted_stop(mid, va as int, stop, used);
        }
        Place { va, stop: Stop { level: stop.level, table: stop.table, above: stop.above, used } }
    }

    /// Changes the page at `place`, but for clearing it; answers with what it was at that moment.
    #[inline]
    pub(super) fn change_at(&mut self, place: Place, change: Change) -> (r: (
        PhysAddr,
        PageProperty,
    ))
        requires
            old(self).inv(),
            old(self).is_place(place),
            old(self).entry_at(place.va as int, place.stop.level as nat) is Page,
            change.is_allowed::<A, B>(),
            change.needs_no_break::<A>(
                old(self).entry_at(place.va as int, place.stop.level as nat)->Page_prop,
            ),
            !(change is Clear),
        ensures
            final(self).inv(),
            final(self).is_place(place),
            final(self).is_protected_from(
                *old(self),
                place.va as int,
                place.stop.level as nat,
                change,
                r,
            ),
        no_unwind
    {
        let ghost va = place.va as int;
        let slot = place.slot::<A>();
        let (word, _) = self.read(Ghost(va), slot);
        let r = self.replace(Ghost(va), slot, word, change);
        proof {
            self.lemma_changed(*old(self), place, Self::replacement(r, change));
        }
        r
    }
}

} // verus!
