//! A page is divided: each byte stays where it is.

use super::super::full::FullTable;
use super::super::model::home;
use super::super::model::split::{part, parts};
use super::super::perms::{node, tables};
use super::super::protect::proof::lemma_put_put;
use super::super::tree::{Slot, Tree};
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, Entry, EntryFormat, is_frame_address};
use crate::hw::memory::TableMemory;
use crate::prop::PageProperty;
use vstd::prelude::*;

verus! {

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// The table that the page became was of a frame that was taken for it.
    pub(super) proof fn lemma_split_of(
        self,
        base: Self,
        old: Self,
        va: int,
        l: nat,
        was: (PhysAddr, PageProperty),
    )
        requires
            base.unchanged_from(old),
            self.is_split_page(base, va, l, was),
        ensures
            self.is_split_page(old, va, l, was),
    {
        reveal(Tree::is_split_page);
        assert(old.model() == base.model());
    }

    /// A table filled with the page's parts may take its place.
    pub(super) proof fn lemma_may_divide(
        self,
        base: Self,
        va: int,
        slot: Slot,
        was: (PhysAddr, PageProperty),
        full: FullTable<A>,
    )
        requires
            self.is_seen(base, va, slot),
            self.entry_at(va, slot.level as nat).may_become(
                Entry::Page { frame: was.0, prop: was.1 },
            ),
            full.inv(self.phys_bits()),
            full.level + 1 == slot.level,
            A::page_size(full.level as nat) is Some,
            !tables(base.perms@).contains(full.table),
            node::<A>(full.perm@).entries == parts(A::geo(), full.level as nat, was.0, was.1),
            A::resizes(),
        ensures
            self.may_divide(va, slot.level as nat, full),
    {
        let l = slot.level as nat;
        let n = home(A::geo(), va, l);
        let i = A::geo().index_of(va, l);
        self.lemma_slot(va, slot);
        A::geo().lemma_bounds(va, l);
        assert(self.perms@.contains_key(n));
        assert forall|k: int| 0 <= k < A::geo().entries(full.level as nat) implies (
        #[trigger] node::<A>(full.perm@).entries[k]) is Page && Self::preset(
            node::<A>(full.perm@).entries[k],
        ) by {
            assert(node::<A>(full.perm@).entries[k] == part(
                A::geo(),
                full.level as nat,
                was.0,
                was.1,
                k,
            ));
        }
    }

    /// What hardware set in the entry before doesn't matter to the tree in which it is divided.
    proof fn lemma_divided_model(
        self,
        base: Self,
        before: Self,
        va: int,
        slot: Slot,
        was: (PhysAddr, PageProperty),
        full: FullTable<A>,
    )
        requires
            base.linked(),
            base.is_slot(va, slot),
            before.is_seen(base, va, slot),
            self.divided_from(before, va, slot.level as nat, full),
            full.level + 1 == slot.level,
            base.entry_at(va, slot.level as nat).may_become(
                Entry::Page { frame: was.0, prop: was.1 },
            ),
            is_frame_address(was.0, base.phys_bits(), A::geo().span(slot.level as nat)),
            node::<A>(full.perm@).entries == parts(A::geo(), full.level as nat, was.0, was.1),
        ensures
            base.model().divided_evenly(
                self.model(),
                home(A::geo(), va, slot.level as nat),
                slot.index as int,
            ),
            self.model().nodes[home(A::geo(), va, full.level as nat)].entries == parts(
                A::geo(),
                full.level as nat,
                was.0,
                was.1,
            ),
            base.model().child(home(A::geo(), va, slot.level as nat), slot.index as int) == home(
                A::geo(),
                va,
                full.level as nat,
            ),
            base.model().start(home(A::geo(), va, slot.level as nat), slot.index as int) == va - va
                % A::geo().span(slot.level as nat),
    {
        let (l, below) = (slot.level as nat, full.level as nat);
        let (n, c, i) = (home(A::geo(), va, l), home(A::geo(), va, below), slot.index as int);
        let (was_model, mid, now) = (base.model(), before.model(), self.model());
        base.lemma_slot(va, slot);
        A::geo().lemma_bounds(va, l);
        A::geo().lemma_decompose(va, l);
        was_model.lemma_step(va, below);
        assert(was_model.nodes.contains_key(n));
        lemma_put_put(was_model, n, i, before.entry_at(va, l), now.nodes[n].entries[i]);
        was_model.lemma_stop(va, l);
        assert forall|k: int| 0 <= k < A::geo().entries(below) implies (
        #[trigger] now.nodes[c].entries[k])->frame.0 == was_model.nodes[n].entries[i]->frame.0 + k
            * A::geo().span(below) by {
            FullTable::<A>::lemma_part(was.0, base.phys_bits(), below, k);
            assert(node::<A>(full.perm@).entries[k] == part(A::geo(), below, was.0, was.1, k));
        }
    }

    /// The page is divided, and nothing else is changed.
    pub(super) proof fn lemma_divided(
        self,
        base: Self,
        before: Self,
        va: int,
        slot: Slot,
        was: (PhysAddr, PageProperty),
        full: FullTable<A>,
    )
        requires
            base.sound(),
            base.is_split_base(va, slot, full),
            before.is_seen(base, va, slot),
            self.divided_from(before, va, slot.level as nat, full),
            base.entry_at(va, slot.level as nat).may_become(
                Entry::Page { frame: was.0, prop: was.1 },
            ),
            is_frame_address(was.0, base.phys_bits(), A::geo().span(slot.level as nat)),
            node::<A>(full.perm@).entries == parts(A::geo(), full.level as nat, was.0, was.1),
        ensures
            self.sound(),
            self.is_split_page(base, va, slot.level as nat, was),
            tables(self.perms@) == tables(base.perms@).insert(full.table),
            self.frames.held() == base.frames.held(),
            self.root == base.root,
    {
        reveal(Tree::is_split_page);
        let (n, i) = (home(A::geo(), va, slot.level as nat), slot.index as int);
        self.lemma_divided_model(base, before, va, slot, was, full);
        base.model().lemma_divided_counted(self.model(), n, i);
        self.lemma_divided_space(base, va, slot, was);
        self.lemma_divided_agrees(base, va, slot, was);
        self.lemma_divided_steps(base, before, va, slot, full);
    }

    /// All that hardware could see between the stores was the old space or the new.
    proof fn lemma_divided_steps(
        self,
        base: Self,
        before: Self,
        va: int,
        slot: Slot,
        full: FullTable<A>,
    )
        requires
            before.is_seen(base, va, slot),
            self.divided_from(before, va, slot.level as nat, full),
        ensures
            self.steps_from(base),
    {
    }

    /// Each byte lies where it did.
    proof fn lemma_divided_agrees(
        self,
        base: Self,
        va: int,
        slot: Slot,
        was: (PhysAddr, PageProperty),
    )
        requires
            base.linked(),
            self.linked(),
            slot.level > 1,
            base.entry_at(va, slot.level as nat).may_become(
                Entry::Page { frame: was.0, prop: was.1 },
            ),
            slot.index == A::geo().index_of(va, slot.level as nat),
            base.model().divided_evenly(
                self.model(),
                home(A::geo(), va, slot.level as nat),
                slot.index as int,
            ),
            self.model().nodes[base.model().child(
                home(A::geo(), va, slot.level as nat),
                slot.index as int,
            )].entries == parts(A::geo(), (slot.level - 1) as nat, was.0, was.1),
        ensures
            forall|x: int| #[trigger] base.space().agrees(self.space(), x),
    {
        let (n, i) = (home(A::geo(), va, slot.level as nat), slot.index as int);
        let below = (slot.level - 1) as nat;
        assert forall|x: int| #[trigger] base.space().agrees(self.space(), x) by {
            base.model().lemma_divided_translate::<A>(self.model(), n, i, x);
            let k = A::geo().index_of(x, below);
            if 0 <= k < A::geo().entries(below) {
                assert(parts(A::geo(), below, was.0, was.1)[k] == part(
                    A::geo(),
                    below,
                    was.0,
                    was.1,
                    k,
                ));
            }
        }
    }

    /// What the tree means then.
    proof fn lemma_divided_space(
        self,
        base: Self,
        va: int,
        slot: Slot,
        was: (PhysAddr, PageProperty),
    )
        requires
            base.linked(),
            self.linked(),
            base.is_slot(va, slot),
            slot.level > 1,
            A::page_size((slot.level - 1) as nat) is Some,
            base.entry_at(va, slot.level as nat).may_become(
                Entry::Page { frame: was.0, prop: was.1 },
            ),
            base.entry_at(va, slot.level as nat) is Page,
            base.model().divided(
                self.model(),
                home(A::geo(), va, slot.level as nat),
                slot.index as int,
            ),
            base.model().start(home(A::geo(), va, slot.level as nat), slot.index as int) == va - va
                % A::geo().span(slot.level as nat),
            self.model().nodes[base.model().child(
                home(A::geo(), va, slot.level as nat),
                slot.index as int,
            )].entries == parts(A::geo(), (slot.level - 1) as nat, was.0, was.1),
        ensures
            self.space() == base.space().protect(
                va - va % A::geo().span(slot.level as nat),
                was.1,
            ).split(
                va - va % A::geo().span(slot.level as nat),
                A::page_size((slot.level - 1) as nat)->0,
            ),
    {
        let (l, below) = (slot.level as nat, (slot.level - 1) as nat);
        let (n, i) = (home(A::geo(), va, l), slot.index as int);
        let (model, now) = (base.model(), self.model());
        base.lemma_page_here(va, slot);
        A::lemma_page_size(l);
        A::lemma_page_size(below);
        model.lemma_divided_pages::<A>(now, n, i);
        model.lemma_divided_split::<A>(now, n, i, was.0, was.1);
    }
}

} // verus!
