//! A table that is known stays known.

use super::super::change::Change;
use super::super::descend::Stop;
use super::super::model::home;
use super::super::scan::Place;
use super::super::tree::{Slot, Tree};
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, Entry, EntryFormat};
use crate::hw::memory::TableMemory;
use crate::prop::PageProperty;
use vstd::prelude::*;

verus! {

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// After a count was noted, the table is where it was, with that count.
    pub(super) proof fn lemma_noted_stop(self, mid: Self, va: int, stop: Stop, used: u16)
        requires
            mid.linked(),
            mid.is_stop(va, stop),
            self.noted_from(mid, va, stop.level as nat, used),
            !(A::counts() && stop.level < A::geo().levels) ==> used == stop.used,
        ensures
            self.is_stop(va, Stop { used, ..stop }),
    {
        let l = stop.level as nat;
        if A::counts() && l < A::geo().levels {
            let (n, up) = (home(A::geo(), va, l), home(A::geo(), va, l + 1));
            let was = mid.model();
            assert(was.nodes.contains_key(n) && was.nodes.contains_key(up));
            A::geo().lemma_bounds(va, l + 1);
            assert(self.perms@.dom().contains(up) && self.perms@.dom().contains(n));
            assert(self.model().nodes[n].table == was.nodes[n].table);
            assert(self.model().nodes[up].table == was.nodes[up].table);
        }
    }

    /// Nothing but the page has changed.
    pub(super) proof fn lemma_changed(self, old: Self, place: Place, e: Entry)
        requires
            old.inv(),
            old.is_place(place),
            old.entry_at(place.va as int, place.stop.level as nat) is Page,
            e is Page,
            self.replaced_from(old, place.va as int, place.stop.level as nat, e),
        ensures
            self.inv(),
            self.is_place(place),
    {
        let (va, l) = (place.va as int, place.stop.level as nat);
        self.lemma_after_set(old, va, place.stop, e);
        let n = home(A::geo(), va, l);
        if l < A::geo().levels {
            assert(old.model().nodes.contains_key(n) && self.model().nodes.contains_key(n));
            self.model().lemma_noted(va, l);
            assert(old.model().count_ok(n));
            assert(self.model().count_ok(n));
        } else {
            old.model().lemma_home_root(va);
            self.model().lemma_root_counted();
        }
    }

    /// The page has other properties.
    pub(in super::super) proof fn lemma_changed_page(
        self,
        old: Self,
        place: Place,
        was: (PhysAddr, PageProperty),
        change: Change,
    )
        requires
            old.inv(),
            old.is_place(place),
            old.entry_at(place.va as int, place.stop.level as nat) is Page,
            !(change is Clear),
            self.is_protected_from(old, place.va as int, place.stop.level as nat, change, was),
        ensures
            self.space() == old.space().protect(
                place.va - place.va as int % A::geo().span(place.stop.level as nat),
                change.after(was.1)->0,
            ),
    {
        let (va, l) = (place.va as int, place.stop.level as nat);
        let slot = Slot {
            level: place.stop.level,
            table: place.stop.table,
            index: A::geo().index_of(va, l) as usize,
        };
        A::geo().lemma_bounds(va, l);
        A::geo().lemma_span(l);
        old.lemma_page_here(va, slot);
    }
}

} // verus!
