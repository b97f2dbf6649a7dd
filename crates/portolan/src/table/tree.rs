//! The tree of tables in memory, and the stores that change it: four here, and those that change an entry's size in
//! `resize`.
//!
//! Nothing else in the crate writes to a table that hardware can reach. Each of the stores leaves a tree whose walk is
//! the one before or the one after, and notes in the ghost field `trace` what the tables are from then on.

use super::chain::Chain;
use super::model::NodeId;
#[cfg(verus_only)]
use super::model::{Model, Node, home};
#[cfg(verus_only)]
use super::root::Fixed;
use super::root::Root;
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
use crate::arch::entry::{AccessBits, Entry};
use crate::hw::memory::{Frames, TableMemory, TablePerm};
use crate::hw::processor::Moment;
#[cfg(verus_only)]
use crate::spec::space::AddressSpace;
use core::marker::PhantomData;
use vstd::prelude::*;

#[cfg(verus_only)]
pub(crate) mod live;
#[cfg(verus_only)]
pub(crate) mod proof;
pub(crate) mod resize;
#[cfg(verus_only)]
pub(crate) mod spec;

verus! {

/// The tables of one address space.
#[verifier::reject_recursive_types(M)]
pub(crate) struct Tree<M: TableMemory, A: PagingMode, B: AccessBits> {
    pub(crate) frames: Frames<M>,
    pub(crate) root: Root,
    pub(crate) perms: Tracked<Map<NodeId, TablePerm>>,
    /// What the tables were after each store.
    pub(crate) trace: Ghost<Seq<Map<NodeId, TablePerm>>>,
    pub(crate) mode: PhantomData<(A, B)>,
}

/// An entry: the level of its table, where the table is, and the index.
#[derive(Clone, Copy)]
pub(crate) struct Slot {
    pub(crate) level: u8,
    pub(crate) table: PhysAddr,
    pub(crate) index: usize,
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// A moment after all stores to the tables.
    #[inline(always)]
    pub(super) fn moment(&self) -> (r: Tracked<Moment>)
        ensures
            self.is_stored_before(r@.time()),
        no_unwind
    {
        let tracked now = Moment::after_stores(self.perms.borrow());
        Tracked(now)
    }

    /// Whether the machine's physical addresses reach all of a frame.
    #[inline(always)]
    pub(super) fn has_frame(&self, frame: PhysAddr, bytes: u64) -> (r: bool)
        requires
            self.inv(),
            bytes > 0,
        ensures
            r == (frame.0 + bytes <= vstd::arithmetic::power2::pow2(self.phys_bits() as nat)),
        no_unwind
    {
        proof {
            A::lemma_geometry();
        }
        let limit = 1u64 << self.frames.address_bits();
        proof {
            self.lemma_limit(limit);
        }
        frame.0 < limit && bytes <= limit - frame.0
    }

    /// The entry at `slot`, and its word.
    #[inline(always)]
    pub(super) fn read(&self, Ghost(va): Ghost<int>, slot: Slot) -> (r: (u64, Entry))
        requires
            self.linked(),
            self.is_slot(va, slot),
        ensures
            self.reads(va, slot.level as nat, r.0, r.1),
        no_unwind
    {
        let ghost id = home(A::geo(), va, slot.level as nat);
        proof {
            self.lemma_slot(va, slot);
        }
        let tracked perm = self.perms.borrow().tracked_borrow(id);
        let word = self.frames.read::<A>(slot.table, slot.index, Tracked(perm));
        proof {
            self.lemma_read(va, slot, word);
        }
        (word, A::decode(slot.level, word))
    }

    /// Replaces a page, or nothing, by a page or nothing; or says anew how much of a table is used.
    #[inline(always)]
    pub(super) fn set(&mut self, Ghost(va): Ghost<int>, slot: Slot, word: u64)
        requires
            old(self).linked(),
            old(self).is_slot(va, slot),
            old(self).may_set(va, slot.level as nat, A::entry(slot.level as nat, word)),
            old(self).is_settled(va, slot.level as nat),
            A::wf(old(self).phys_bits(), slot.level as nat, word),
        ensures
            final(self).set_from(
                *old(self),
                va,
                slot.level as nat,
                A::entry(slot.level as nat, word),
            ),
        no_unwind
    {
        let ghost id = home(A::geo(), va, slot.level as nat);
        proof {
            self.lemma_slot(va, slot);
        }
        let tracked mut perm = self.perms.borrow_mut().tracked_remove(id);
        self.frames.write::<A>(slot.table, slot.index, word, Tracked(&mut perm));
        let ghost written = perm;
        proof {
            self.perms.borrow_mut().tracked_insert(id, perm);
            self.trace@ = self.trace@.push(self.perms@);
            self.lemma_set(*old(self), va, slot, word, written);
        }
    }

    /// As `set`, for an entry that hardware may change at the same time: only if it still is `current`.
    #[inline(always)]
    pub(super) fn exchange(
        &mut self,
        Ghost(va): Ghost<int>,
        slot: Slot,
        current: u64,
        word: u64,
    ) -> (r: Result<u64, u64>)
        requires
            old(self).linked(),
            old(self).is_slot(va, slot),
            old(self).may_set(va, slot.level as nat, A::entry(slot.level as nat, word)),
            A::wf(old(self).phys_bits(), slot.level as nat, word),
        ensures
            match r {
                Ok(was) => was == current && old(self).reads(
                    va,
                    slot.level as nat,
                    current,
                    A::entry(slot.level as nat, current),
                ) && final(self).set_from(
                    *old(self),
                    va,
                    slot.level as nat,
                    A::entry(slot.level as nat, word),
                ),
                Err(now) => now != current && old(self).reads(
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
        proof {
            self.lemma_slot(va, slot);
        }
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
            self.trace@ = self.trace@.push(self.perms@);
            let new = match r {
                Ok(_) => word,
                Err(now) => now,
            };
            old(self).lemma_read(
                va,
                slot,
                match r {
                    Ok(was) => was,
                    Err(now) => now,
                },
            );
            self.lemma_set(*old(self), va, slot, new, written);
        }
        r
    }

    /// Puts a chain of new tables below an empty entry, by one store.
    pub(super) fn link(&mut self, Ghost(va): Ghost<int>, slot: Slot, chain: Chain<A>)
        requires
            old(self).linked(),
            old(self).is_slot(va, slot),
            old(self).may_link(va, slot.level as nat, chain),
        ensures
            final(self).linked_from(*old(self), va, slot.level as nat, chain),
        no_unwind
    {
        let ghost id = home(A::geo(), va, slot.level as nat);
        let ghost phys_bits = self.frames.phys_bits();
        proof {
            self.lemma_slot(va, slot);
            chain.lemma_head(phys_bits);
        }
        let word = A::table(Ghost(phys_bits), slot.level, chain.head, 1);
        let tracked mut perm = self.perms.borrow_mut().tracked_remove(id);
        self.frames.write::<A>(slot.table, slot.index, word, Tracked(&mut perm));
        let ghost written = perm;
        let tracked below = chain.perms.get();
        proof {
            self.perms.borrow_mut().tracked_insert(id, perm);
            self.perms.borrow_mut().tracked_union_prefer_right(below);
            self.trace@ = self.trace@.push(self.perms@);
            self.lemma_link(*old(self), va, slot, word, written, chain);
        }
    }

    /// Takes the chain of tables for `va` from level `lo` up, in which nothing is mapped, out of the tree by one store.
    pub(super) fn unlink(&mut self, va: u64, slot: Slot, head: PhysAddr, lo: u8) -> (r: Chain<A>)
        requires
            old(self).linked(),
            old(self).is_slot(va as int, slot),
            old(self).may_unlink(va as int, slot.level as nat, head, lo as nat),
        ensures
            final(self).unlinked_from(*old(self), va as int, slot.level as nat, r),
            r.lo == lo,
        no_unwind
    {
        let ghost id = home(A::geo(), va as int, slot.level as nat);
        let ghost path = self.path(va as int, lo as nat, (slot.level - 1) as nat);
        proof {
            self.lemma_slot(va as int, slot);
        }
        let tracked mut perm = self.perms.borrow_mut().tracked_remove(id);
        self.frames.write::<A>(slot.table, slot.index, 0, Tracked(&mut perm));
        let ghost written = perm;
        let tracked below;
        proof {
            self.perms.borrow_mut().tracked_insert(id, perm);
            assert(self.perms@.dom() =~= old(self).perms@.dom());
            below = self.perms.borrow_mut().tracked_remove_keys(path);
            self.trace@ = self.trace@.push(self.perms@);
        }
        let chain = Chain {
            offset: va,
            hi: slot.level - 1,
            lo,
            head,
            perms: Tracked(below),
            mode: PhantomData,
        };
        proof {
            self.lemma_unlink(*old(self), va as int, slot, written, chain);
        }
        chain
    }
}

} // verus!
