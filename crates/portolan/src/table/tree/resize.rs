//! The stores that change what an entry is: a page to a table of its parts, and back.

use super::super::full::FullTable;
#[cfg(verus_only)]
use super::super::model::home;
use super::{Slot, Tree};
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::arch::entry::AccessBits;
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
use crate::hw::memory::TableMemory;
use core::marker::PhantomData;
use vstd::prelude::*;

#[cfg(verus_only)]
pub(crate) mod proof;
#[cfg(verus_only)]
pub(crate) mod spec;

verus! {

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// Puts a table of pages in the place of a page by one store, if the entry still is `current`; otherwise answers with
    /// what it is, and with the table.
    pub(in crate::table) fn divide(
        &mut self,
        Ghost(va): Ghost<int>,
        slot: Slot,
        current: u64,
        full: FullTable<A>,
    ) -> (r: Result<(), (u64, FullTable<A>)>)
        requires
            old(self).linked(),
            old(self).is_slot(va, slot),
            old(self).may_divide(va, slot.level as nat, full),
        ensures
            match r {
                Ok(()) => final(self).divided_from(*old(self), va, slot.level as nat, full),
                Err((now, same)) => same == full && now != current && old(self).reads(
                    va,
                    slot.level as nat,
                    now,
                    A::entry(slot.level as nat, now),
                ) && final(self).set_from(
                    *old(self),
                    va,
                    slot.level as nat,
                    A::entry(slot.level as nat, now),
                ) && final(self).word_at(va, slot.level as nat) == now,
            },
        no_unwind
    {
        let ghost id = home(A::geo(), va, slot.level as nat);
        let ghost below = home(A::geo(), va, full.level as nat);
        let ghost phys_bits = self.frames.phys_bits();
        let entries = A::geometry().table_entries(full.level) as u16;
        proof {
            self.lemma_slot(va, slot);
        }
        let word = A::table(Ghost(phys_bits), slot.level, full.table, entries);
        let tracked mut perm = self.perms.borrow_mut().tracked_remove(id);
        let r = self.frames.compare_exchange::<A>(
            slot.table,
            slot.index,
            current,
            word,
            Tracked(&mut perm),
        );
        let ghost written = perm;
        proof {
            self.perms.borrow_mut().tracked_insert(id, perm);
        }
        match r {
            Ok(_) => {
                let ghost linked = full;
                let tracked table = full.perm.get();
                proof {
                    self.perms.borrow_mut().tracked_insert(below, table);
                    self.trace@ = self.trace@.push(self.perms@);
                    self.lemma_divide(*old(self), va, slot, word, written, linked);
                }
                Ok(())
            },
            Err(now) => {
                proof {
                    self.trace@ = self.trace@.push(self.perms@);
                    old(self).lemma_read(va, slot, now);
                    self.lemma_set(*old(self), va, slot, now, written);
                }
                Err((now, full))
            },
        }
    }

    /// Puts the page `word` in the place of the table below an entry, by one store, and takes the table out of the tree.
    pub(in crate::table) fn join(
        &mut self,
        Ghost(va): Ghost<int>,
        slot: Slot,
        table: PhysAddr,
        word: u64,
    ) -> (r: FullTable<A>)
        requires
            old(self).linked(),
            old(self).is_slot(va, slot),
            old(self).may_join(va, slot.level as nat, table, A::entry(slot.level as nat, word)),
            A::wf(old(self).phys_bits(), slot.level as nat, word),
        ensures
            final(self).joined_from(
                *old(self),
                va,
                slot.level as nat,
                A::entry(slot.level as nat, word),
                r,
            ),
            r.table == table,
        no_unwind
    {
        let level = slot.level - 1;
        let ghost id = home(A::geo(), va, slot.level as nat);
        let ghost below = home(A::geo(), va, level as nat);
        proof {
            self.lemma_slot(va, slot);
            self.lemma_join_below(va, slot);
        }
        let tracked mut perm = self.perms.borrow_mut().tracked_remove(id);
        self.frames.write::<A>(slot.table, slot.index, word, Tracked(&mut perm));
        let ghost written = perm;
        let tracked rest;
        proof {
            self.perms.borrow_mut().tracked_insert(id, perm);
            rest = self.perms.borrow_mut().tracked_remove(below);
            self.trace@ = self.trace@.push(self.perms@);
        }
        let full = FullTable { level, table, perm: Tracked(rest), mode: PhantomData };
        proof {
            self.lemma_join(*old(self), va, slot, word, written, full);
        }
        full
    }
}

} // verus!
