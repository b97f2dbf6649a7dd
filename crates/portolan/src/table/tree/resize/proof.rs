//! A table of pages for a page, and back: the tree is one before and after.

use super::super::super::full::FullTable;
use super::super::super::model::{NodeId, home};
use super::super::super::perms::{
    are_apart, lemma_tables, lemma_tables_insert, lemma_tables_remove, lemma_tables_same, node,
    perm_ok, perms_ok, tables,
};
use super::super::{Slot, Tree};
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, Entry, EntryFormat};
use crate::hw::memory::{TableMemory, TablePerm};
use vstd::prelude::*;

verus! {

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// The model of the tables after the store.
    proof fn lemma_divide_model(
        self,
        old: Self,
        va: int,
        slot: Slot,
        word: u64,
        perm: TablePerm,
        full: FullTable<A>,
    )
        requires
            old.linked(),
            old.is_slot(va, slot),
            old.may_divide(va, slot.level as nat, full),
            is_table_word::<A>(slot.level as nat, word, full),
            old.is_written(va, slot, word, perm),
            self.perms@ == old.perms@.remove(home(A::geo(), va, slot.level as nat)).insert(
                home(A::geo(), va, slot.level as nat),
                perm,
            ).insert(home(A::geo(), va, full.level as nat), full.perm@),
        ensures
            A::geo().wf(),
            !old.perms@.contains_key(home(A::geo(), va, full.level as nat)),
            old.model().divided(
                self.model(),
                home(A::geo(), va, slot.level as nat),
                slot.index as int,
            ),
    {
        let (l, below) = (slot.level as nat, full.level as nat);
        let (n, c, i) = (home(A::geo(), va, l), home(A::geo(), va, below), slot.index as int);
        let (was, now) = (old.model(), self.model());
        old.lemma_slot(va, slot);
        A::geo().lemma_bounds(va, l);
        A::geo().lemma_span(below);
        was.lemma_step(va, below);
        was.lemma_stop(va, l);
        assert(was.nodes.contains_key(n) && !was.nodes.contains_key(c));
        let e = A::entry(l, word);
        let put = was.put(n, i, e).nodes.insert(c, node::<A>(full.perm@));
        assert forall|m: NodeId| now.nodes.contains_key(m) implies #[trigger] now.nodes[m]
            == put[m] by {
            if m == n {
                assert(now.nodes[n].entries =~= was.nodes[n].entries.update(i, e));
            }
        }
        assert(now.nodes.dom() =~= put.dom());
        assert(now.nodes =~= put);
    }

    /// The tables after the store: which frames they are.
    proof fn lemma_divide_perms(
        self,
        old: Self,
        va: int,
        slot: Slot,
        word: u64,
        perm: TablePerm,
        full: FullTable<A>,
    )
        requires
            old.linked(),
            old.is_slot(va, slot),
            old.may_divide(va, slot.level as nat, full),
            A::wf(old.phys_bits(), slot.level as nat, word),
            old.is_written(va, slot, word, perm),
            !old.perms@.contains_key(home(A::geo(), va, full.level as nat)),
            self.perms@ == old.perms@.remove(home(A::geo(), va, slot.level as nat)).insert(
                home(A::geo(), va, slot.level as nat),
                perm,
            ).insert(home(A::geo(), va, full.level as nat), full.perm@),
            self.phys_bits() == old.phys_bits(),
        ensures
            perms_ok::<A>(self.perms@, self.phys_bits()),
            tables(self.perms@) == tables(old.perms@).insert(full.table),
    {
        reveal(are_apart);
        broadcast use lemma_tables;

        let n = home(A::geo(), va, slot.level as nat);
        let c = home(A::geo(), va, full.level as nat);
        let mid = old.perms@.remove(n).insert(n, perm);
        old.lemma_slot(va, slot);
        assert(mid.dom() =~= old.perms@.dom());
        lemma_tables_same(mid, old.perms@);
        lemma_tables_insert(mid, c, full.perm@);
        assert forall|m: NodeId| #[trigger] self.perms@.contains_key(m) implies perm_ok::<A>(
            self.perms@[m],
            m.level,
            self.phys_bits(),
        ) && (m == c || old.perms@.contains_key(m) && tables(old.perms@).contains(
            self.perms@[m].addr(),
        )) by {
            assert(m == c || old.perms@.contains_key(m));
        }
    }

    /// A table of pages takes the place of a page.
    pub(super) proof fn lemma_divide(
        self,
        old: Self,
        va: int,
        slot: Slot,
        word: u64,
        perm: TablePerm,
        full: FullTable<A>,
    )
        requires
            old.linked(),
            old.is_slot(va, slot),
            old.may_divide(va, slot.level as nat, full),
            is_table_word::<A>(slot.level as nat, word, full),
            A::wf(old.phys_bits(), slot.level as nat, word),
            old.is_written(va, slot, word, perm),
            self.perms@ == old.perms@.remove(home(A::geo(), va, slot.level as nat)).insert(
                home(A::geo(), va, slot.level as nat),
                perm,
            ).insert(home(A::geo(), va, full.level as nat), full.perm@),
            self.phys_bits() == old.phys_bits(),
            self.root == old.root,
            self.frames.held() == old.frames.held(),
            self.trace@ == old.trace@.push(self.perms@),
        ensures
            self.divided_from(old, va, slot.level as nat, full),
    {
        reveal(Tree::are_preset);
        let l = slot.level as nat;
        let (n, i) = (home(A::geo(), va, l), slot.index as int);
        let c = home(A::geo(), va, full.level as nat);
        let (was, now) = (old.model(), self.model());
        self.lemma_divide_model(old, va, slot, word, perm, full);
        self.lemma_divide_perms(old, va, slot, word, perm, full);
        old.lemma_slot(va, slot);
        assert(was.nodes[n].entries[i] is Page);
        was.lemma_divided_inv(now, n, i);
        was.lemma_divided_ok::<A>(now, n, i);
        was.lemma_step(va, full.level as nat);
        assert forall|m: NodeId, j: int|
            self.perms@.contains_key(m) && 0 <= j < A::geo().entries(m.level) implies Self::preset(
            #[trigger] now.nodes[m].entries[j],
        ) by {
            if m == c {
                assert(now.nodes[c].entries[j] == node::<A>(full.perm@).entries[j]);
            } else {
                assert(old.perms@.contains_key(m));
                assert(Self::preset(was.nodes[m].entries[j]));
            }
        }
        assert(was.nodes.contains_key(was.root()));
        was.lemma_home_root(va);
        self.lemma_fixed(old, va, slot, word, perm);
        self.lemma_orderly(old);
    }

    /// The table below an entry.
    pub(super) proof fn lemma_join_below(self, va: int, slot: Slot)
        requires
            self.linked(),
            self.is_slot(va, slot),
            slot.level > 1,
            self.entry_at(va, slot.level as nat) is Table,
        ensures
            ({
                let c = home(A::geo(), va, (slot.level - 1) as nat);
                &&& self.perms@.dom().contains(c)
                &&& self.perms@[c].addr() == self.entry_at(va, slot.level as nat)->table
                &&& perm_ok::<A>(self.perms@[c], (slot.level - 1) as nat, self.phys_bits())
                &&& self.is_settled(va, slot.level as nat)
                &&& c != home(A::geo(), va, slot.level as nat)
            }),
    {
        self.lemma_slot(va, slot);
        let c = home(A::geo(), va, (slot.level - 1) as nat);
        assert(self.model().nodes.contains_key(home(A::geo(), va, slot.level as nat)));
        self.model().lemma_down(va, slot.level as nat);
        assert(self.model().nodes.contains_key(c));
    }

    /// The model of the tables after the store: the one before is it, divided.
    proof fn lemma_join_model(
        self,
        old: Self,
        va: int,
        slot: Slot,
        word: u64,
        perm: TablePerm,
        table: PhysAddr,
    )
        requires
            old.linked(),
            old.is_slot(va, slot),
            old.may_join(va, slot.level as nat, table, A::entry(slot.level as nat, word)),
            old.is_written(va, slot, word, perm),
            self.perms@ == old.perms@.remove(home(A::geo(), va, slot.level as nat)).insert(
                home(A::geo(), va, slot.level as nat),
                perm,
            ).remove(home(A::geo(), va, (slot.level - 1) as nat)),
        ensures
            self.model().divided(
                old.model(),
                home(A::geo(), va, slot.level as nat),
                slot.index as int,
            ),
            self.entry_at(va, slot.level as nat) == A::entry(slot.level as nat, word),
            A::geo().wf(),
    {
        let (l, below) = (slot.level as nat, (slot.level - 1) as nat);
        let (n, c, i) = (home(A::geo(), va, l), home(A::geo(), va, below), slot.index as int);
        let (was, now) = (old.model(), self.model());
        old.lemma_slot(va, slot);
        old.lemma_join_below(va, slot);
        A::geo().lemma_bounds(va, l);
        was.lemma_step(va, below);
        was.lemma_down(va, l);
        assert(was.nodes.contains_key(n) && was.nodes.contains_key(c));
        assert(now.nodes[n].entries =~= was.nodes[n].entries.update(i, A::entry(l, word)));
        let e = was.nodes[n].entries[i];
        let put = now.put(n, i, e).nodes.insert(c, was.nodes[c]);
        assert forall|m: NodeId| was.nodes.contains_key(m) implies #[trigger] was.nodes[m]
            == put[m] by {
            if m == n {
                assert(put[n].entries =~= was.nodes[n].entries);
            }
        }
        assert(was.nodes.dom() =~= put.dom());
        assert(was.nodes =~= put);
    }

    /// The tables after the store: which frames they are.
    proof fn lemma_join_perms(self, old: Self, va: int, slot: Slot, word: u64, perm: TablePerm)
        requires
            old.linked(),
            old.is_slot(va, slot),
            slot.level > 1,
            old.entry_at(va, slot.level as nat) is Table,
            A::wf(old.phys_bits(), slot.level as nat, word),
            old.is_written(va, slot, word, perm),
            self.perms@ == old.perms@.remove(home(A::geo(), va, slot.level as nat)).insert(
                home(A::geo(), va, slot.level as nat),
                perm,
            ).remove(home(A::geo(), va, (slot.level - 1) as nat)),
            self.phys_bits() == old.phys_bits(),
        ensures
            perms_ok::<A>(self.perms@, self.phys_bits()),
            tables(self.perms@) == tables(old.perms@).remove(
                old.entry_at(va, slot.level as nat)->table,
            ),
            tables(old.perms@).contains(old.entry_at(va, slot.level as nat)->table),
    {
        reveal(are_apart);
        let n = home(A::geo(), va, slot.level as nat);
        let c = home(A::geo(), va, (slot.level - 1) as nat);
        let mid = old.perms@.remove(n).insert(n, perm);
        old.lemma_slot(va, slot);
        old.lemma_join_below(va, slot);
        assert(mid.dom() =~= old.perms@.dom());
        assert forall|m: NodeId| #[trigger] mid.contains_key(m) implies old.perms@.contains_key(m)
            && mid[m].addr() == old.perms@[m].addr() by {}
        lemma_tables_same(mid, old.perms@);
        lemma_tables_remove(mid, c);
        assert forall|m: NodeId| #[trigger] self.perms@.contains_key(m) implies perm_ok::<A>(
            self.perms@[m],
            m.level,
            self.phys_bits(),
        ) && old.perms@.contains_key(m) && self.perms@[m].addr() == old.perms@[m].addr() by {
            assert(old.perms@.contains_key(m));
        }
    }

    /// A page takes the place of a table of pages.
    pub(super) proof fn lemma_join(
        self,
        old: Self,
        va: int,
        slot: Slot,
        word: u64,
        perm: TablePerm,
        full: FullTable<A>,
    )
        requires
            old.linked(),
            old.is_slot(va, slot),
            old.may_join(va, slot.level as nat, full.table, A::entry(slot.level as nat, word)),
            A::wf(old.phys_bits(), slot.level as nat, word),
            old.is_written(va, slot, word, perm),
            self.perms@ == old.perms@.remove(home(A::geo(), va, slot.level as nat)).insert(
                home(A::geo(), va, slot.level as nat),
                perm,
            ).remove(home(A::geo(), va, (slot.level - 1) as nat)),
            full.level == slot.level - 1,
            full.perm@ == old.perms@[home(A::geo(), va, (slot.level - 1) as nat)],
            self.phys_bits() == old.phys_bits(),
            self.root == old.root,
            self.frames.held() == old.frames.held(),
            self.trace@ == old.trace@.push(self.perms@),
        ensures
            self.joined_from(old, va, slot.level as nat, A::entry(slot.level as nat, word), full),
    {
        reveal(Tree::are_preset);
        let l = slot.level as nat;
        let (n, i) = (home(A::geo(), va, l), slot.index as int);
        let (was, now) = (old.model(), self.model());
        self.lemma_join_model(old, va, slot, word, perm, full.table);
        self.lemma_join_perms(old, va, slot, word, perm);
        old.lemma_slot(va, slot);
        old.lemma_join_below(va, slot);
        now.lemma_joined_inv(was, n, i);
        now.lemma_divided_ok::<A>(was, n, i);
        assert forall|m: NodeId, j: int|
            self.perms@.contains_key(m) && 0 <= j < A::geo().entries(m.level) implies Self::preset(
            #[trigger] now.nodes[m].entries[j],
        ) by {
            assert(old.perms@.contains_key(m));
            assert(Self::preset(was.nodes[m].entries[j]));
            assert(m == n && j == i ==> now.nodes[m].entries[j] == self.entry_at(va, l));
        }
        assert(now.nodes.contains_key(now.root()));
        was.lemma_home_root(va);
        A::lemma_pins();
        self.lemma_fixed(old, va, slot, word, perm);
        self.lemma_orderly(old);
    }
}

/// `word` refers to `full`.
pub(super) open spec fn is_table_word<A: PagingMode>(
    l: nat,
    word: u64,
    full: FullTable<A>,
) -> bool {
    A::entry(l, word) matches Entry::Table { table, used } && table == full.table && (A::counts()
        ==> used == A::geo().entries(full.level as nat))
}

} // verus!
