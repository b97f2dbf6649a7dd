//! Joining the pages of a table to one page.

use super::descend::Descent;
use super::full::FullTable;
#[cfg(verus_only)]
use super::model::home;
use super::tree::Tree;
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
use crate::arch::entry::{AccessBits, Entry};
use crate::hw::memory::{Frames, TableMemory};
use crate::prop::PageProperty;
use vstd::prelude::*;

#[cfg(verus_only)]
pub(crate) mod proof;
#[cfg(verus_only)]
pub(crate) mod spec;

verus! {

/// A table whose pages were joined: no longer reachable, with the account of its frame.
#[verifier::reject_recursive_types(M)]
pub(crate) struct Joined<M: TableMemory, A: PagingMode> {
    pub(crate) frames: Frames<M>,
    pub(crate) full: FullTable<A>,
}

/// The first entry of a table that keeps its pages from being joined.
pub(crate) struct Flaw {
    pub(crate) index: usize,
    /// Whether the entry is empty.
    pub(crate) hole: bool,
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// The frame and properties of the one page that the pages of `table` of `level` could be.
    ///
    /// Until the flush, a processor that still knows the table may set accessed and dirty bits there, where nobody looks
    /// any more: they count as set, dirty only if stores are allowed.
    pub(super) fn whole(&self, Ghost(va): Ghost<int>, level: u8, table: PhysAddr) -> (r: Result<
        (PhysAddr, PageProperty),
        Flaw,
    >)
        requires
            self.inv(),
            self.is_table(va, level as nat, table),
        ensures
            match r {
                Ok((frame, prop)) => {
                    &&& self.is_whole(va, level as nat, frame, prop)
                    &&& prop.accessed && (prop.write ==> prop.dirty)
                },
                Err(flaw) => self.is_flaw(va, level as nat, flaw),
            },
        no_unwind
    {
        let geometry = A::geometry();
        let (entries, span) = (geometry.table_entries(level), geometry.entry_span(level));
        let (frame, mut prop) = match self.part(Ghost(va), level, table, 0) {
            Entry::Page { frame, prop } => (frame, prop),
            Entry::Empty => {
                return Err(Flaw { index: 0, hole: true });
            },
            Entry::Table { .. } => {
                return Err(Flaw { index: 0, hole: false });
            },
        };
        proof {
            self.lemma_first_part(va, level as nat, table, frame, prop);
        }
        if frame.0 & (geometry.entry_span(level + 1) - 1) != 0 {
            return Err(Flaw { index: 0, hole: false });
        }
        let mut at = frame.0;
        let mut index = 1;
        while index < entries
            invariant
                self.inv(),
                self.is_table(va, level as nat, table),
                entries == A::geo().entries(level as nat) <= 8192,
                span == A::geo().span(level as nat),
                1 <= index <= entries,
                at == frame.0 + (index - 1) * span,
                self.is_even(va, level as nat, frame, prop, index as int),
            decreases entries - index,
        {
            proof {
                self.lemma_next_part(va, level as nat, table, frame, prop, index as int);
            }
            at += span;
            match self.part(Ghost(va), level, table, index) {
                Entry::Page { frame: here, prop: seen } if here.0 == at && seen.alike(prop) => {
                    let ghost was = prop;
                    prop = prop.keeping(seen);
                    proof {
                        self.lemma_even(va, level as nat, frame, was, index as int, seen);
                    }
                },
                entry => {
                    return Err(Flaw { index, hole: matches!(entry, Entry::Empty) });
                },
            }
            index += 1;
        }
        let all = PageProperty { accessed: true, dirty: prop.dirty || prop.write, ..prop };
        proof {
            self.lemma_whole(va, level as nat, table, frame, prop, all);
        }
        Ok((frame, all))
    }

    /// Entry `index` of `table` of `level`.
    #[inline(always)]
    fn part(&self, Ghost(va): Ghost<int>, level: u8, table: PhysAddr, index: usize) -> (r: Entry)
        requires
            self.inv(),
            self.is_table(va, level as nat, table),
            index < A::geo().entries(level as nat),
        ensures
            self.part_at(va, level as nat, index as int).may_become(r),
        no_unwind
    {
        let ghost id = home(A::geo(), va, level as nat);
        proof {
            self.lemma_part(va, level as nat, table, index as int);
        }
        let tracked perm = self.perms.borrow().tracked_borrow(id);
        let word = self.frames.read::<A>(table, index, Tracked(perm));
        proof {
            A::lemma_step(self.phys_bits(), level as nat, perm.words()[index as int], word);
        }
        A::decode(level, word)
    }

    /// Puts one page in the place of the table below the entry that `d` found, by one store.
    pub(super) fn collapse(
        &mut self,
        Ghost(va): Ghost<int>,
        d: Descent,
        table: PhysAddr,
        frame: PhysAddr,
        prop: PageProperty,
    ) -> (r: Joined<M, A>)
        requires
            old(self).inv(),
            old(self).is_descent(va, d.stop.level as nat, d),
            d.stop.level > 1,
            d.entry is Table,
            d.entry->table == table,
            A::page_size(d.stop.level as nat) is Some,
            A::page_size((d.stop.level - 1) as nat) is Some,
            old(self).is_whole(va, (d.stop.level - 1) as nat, frame, prop),
            A::resizes(),
        ensures
            final(self).inv(),
            final(self).is_collapsed_from(*old(self), va, d.stop.level as nat, frame, prop, r),
            final(self).root == old(self).root,
        no_unwind
    {
        let slot = d.slot();
        let ghost phys_bits = self.frames.phys_bits();
        proof {
            self.lemma_whole_page(va, d, frame, prop);
        }
        let word = A::page(Ghost(phys_bits), slot.level, frame, prop);
        proof {
            self.lemma_may_join(va, d, frame, prop);
        }
        let full = self.join(Ghost(va), slot, table, word);
        let ghost mid = *self;
        let frames = self.frames.detach(Ghost(Set::empty().insert(full.table)));
        let joined = Joined { frames, full };
        proof {
            self.lemma_collapsed(*old(self), mid, va, d, frame, prop, joined);
        }
        joined
    }
}

} // verus!
