//! The stores' proofs: from words to the model, and there by the model's lemmas.

use super::super::chain::Chain;
use super::super::chain::proof::{is_new, lemma_new};
use super::super::model::counting::{lemma_used_one, lemma_used_zero};
use super::super::model::{Model, NodeId, blank, home, used};
use super::super::perms::{
    are_apart, lemma_tables, lemma_tables_empty, lemma_tables_insert, lemma_tables_same,
    lemma_tables_union, model, node, perm_ok, perms_ok, tables,
};
use super::super::root::{Fixed, is_fixed, lemma_kept, lemma_none, refers};
use super::{Slot, Tree};
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, Entry, EntryFormat, is_table_address};
use crate::hw::memory::{TableMemory, TablePerm, zeros};
use crate::spec::space::AddressSpace;
use vstd::prelude::*;

verus! {

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// The table that `slot` is in.
    pub(crate) proof fn lemma_slot(self, va: int, slot: Slot)
        requires
            self.linked(),
            self.is_slot(va, slot),
        ensures
            A::geo().wf(),
            self.perms@.dom().contains(home(A::geo(), va, slot.level as nat)),
            perm_ok::<A>(
                self.perms@[home(A::geo(), va, slot.level as nat)],
                slot.level as nat,
                self.phys_bits(),
            ),
            0 <= slot.index < A::geo().entries(slot.level as nat),
            slot.index < self.perms@[home(A::geo(), va, slot.level as nat)].words().len(),
            self.entry_at(va, slot.level as nat) == A::entry(
                slot.level as nat,
                self.word_at(va, slot.level as nat),
            ),
            A::wf(self.phys_bits(), slot.level as nat, self.word_at(va, slot.level as nat)),
            Self::preset(self.entry_at(va, slot.level as nat)),
            !(self.entry_at(va, slot.level as nat) is Page) ==> self.is_settled(
                va,
                slot.level as nat,
            ),
            !B::tracks() ==> self.is_settled(va, slot.level as nat),
    {
        reveal(Tree::are_preset);
        let n = home(A::geo(), va, slot.level as nat);
        let perm = self.perms@[n];
        A::geo().lemma_bounds(va, slot.level as nat);
        assert(self.model().nodes[n] == node::<A>(perm));
        assert(A::wf(self.phys_bits(), slot.level as nat, perm.words()[slot.index as int]));
        let e = self.model().nodes[n].entries[slot.index as int];
        assert(Self::preset(e));
        if !(e is Page) || !B::tracks() {
            A::lemma_settled(self.phys_bits(), slot.level as nat, perm.words()[slot.index as int]);
        }
    }

    pub(super) proof fn lemma_read(self, va: int, slot: Slot, word: u64)
        requires
            self.linked(),
            self.is_slot(va, slot),
            A::may_become(slot.level as nat, self.word_at(va, slot.level as nat), word),
        ensures
            self.reads(va, slot.level as nat, word, A::entry(slot.level as nat, word)),
    {
        self.lemma_slot(va, slot);
        A::lemma_step(
            self.phys_bits(),
            slot.level as nat,
            self.word_at(va, slot.level as nat),
            word,
        );
    }

    /// An entry is written that no table below the root that stays depends on: what never changes is as it was.
    pub(super) proof fn lemma_fixed(
        self,
        old: Self,
        va: int,
        slot: Slot,
        word: u64,
        perm: TablePerm,
    )
        requires
            old.linked(),
            old.is_slot(va, slot),
            old.is_written(va, slot, word, perm),
            A::wf(old.phys_bits(), slot.level as nat, word),
            slot.level == A::geo().levels && A::pins() && old.entry_at(
                va,
                slot.level as nat,
            ) is Table ==> refers::<A>(
                old.phys_bits(),
                word,
                old.entry_at(va, slot.level as nat)->table,
            ),
            self.phys_bits() == old.phys_bits(),
            self.root == old.root,
            self.perms@[old.model().root()] == if slot.level == A::geo().levels {
                perm
            } else {
                old.perms@[old.model().root()]
            },
        ensures
            is_fixed::<A>(self.perms@[self.model().root()], self.phys_bits(), self.root.fixed@),
    {
        old.lemma_slot(va, slot);
        if slot.level == A::geo().levels {
            old.model().lemma_home_root(va);
            A::geo().lemma_bounds(va, slot.level as nat);
            lemma_kept::<A>(
                old.perms@[old.model().root()],
                perm,
                old.phys_bits(),
                old.root.fixed@,
                slot.index as int,
                word,
            );
        }
    }

    pub(super) proof fn lemma_set(self, old: Self, va: int, slot: Slot, word: u64, perm: TablePerm)
        requires
            old.linked(),
            old.is_slot(va, slot),
            old.may_set(va, slot.level as nat, A::entry(slot.level as nat, word)),
            A::wf(old.phys_bits(), slot.level as nat, word),
            self.perms@ == old.perms@.remove(home(A::geo(), va, slot.level as nat)).insert(
                home(A::geo(), va, slot.level as nat),
                perm,
            ),
            old.is_written(va, slot, word, perm),
            self.phys_bits() == old.phys_bits(),
            self.root == old.root,
            self.frames.held() == old.frames.held(),
            self.trace@ == old.trace@.push(self.perms@),
        ensures
            self.set_from(old, va, slot.level as nat, A::entry(slot.level as nat, word)),
    {
        reveal(are_apart);
        reveal(Tree::are_preset);
        let l = slot.level as nat;
        let n = home(A::geo(), va, l);
        let i = slot.index as int;
        let e = A::entry(l, word);
        let was = old.model();
        old.lemma_slot(va, slot);
        A::geo().lemma_bounds(va, l);
        A::geo().lemma_decompose(va, l);
        assert(was.nodes.contains_key(n));
        assert(self.perms@.dom() =~= old.perms@.dom());
        // the words are the model's entries
        let put = was.put(n, i, e);
        assert forall|m: NodeId| #![auto] self.perms@.contains_key(m) implies self.model().nodes[m]
            == put.nodes[m] by {
            if m == n {
                assert(node::<A>(self.perms@[n]).entries =~= node::<A>(
                    old.perms@[n],
                ).entries.update(i, e));
            }
        }
        assert(self.model().nodes =~= put.nodes);
        assert(self.model() == put);
        match e {
            Entry::Table { used, .. } => {
                was.lemma_note::<A>(n, i, used);
                assert(e == (Entry::Table { table: was.nodes[n].entries[i]->table, used }));
            },
            _ => {
                was.lemma_put::<A>(n, i, e);
            },
        }
        assert forall|m: NodeId, j: int|
            self.perms@.contains_key(m) && 0 <= j < A::geo().entries(m.level) implies Self::preset(
            #[trigger] self.model().nodes[m].entries[j],
        ) by {
            assert(old.perms@.contains_key(m));
            let _ = Self::preset(was.nodes[m].entries[j]);
        }
        assert(perm_ok::<A>(self.perms@[n], l, self.phys_bits()));
        assert(perms_ok::<A>(self.perms@, self.phys_bits())) by {
            assert forall|m: NodeId| #[trigger] self.perms@.contains_key(m) implies perm_ok::<A>(
                self.perms@[m],
                m.level,
                self.phys_bits(),
            ) by {
                assert(old.perms@.contains_key(m));
            }
            assert forall|m: NodeId, k: NodeId| #[trigger]
                self.perms@.contains_key(m) && #[trigger] self.perms@.contains_key(k)
                    && self.perms@[m].addr() == self.perms@[k].addr() implies m == k by {
                assert(old.perms@.contains_key(m) && old.perms@.contains_key(k));
            }
        }
        lemma_tables_same(self.perms@, old.perms@);
        was.lemma_home_root(va);
        self.lemma_fixed(old, va, slot, word, perm);
        assert(self.space().pages =~= old.space_with(va, l, e).pages);
        if !A::resizes() {
            was.lemma_live_put(n, i, e);
        }
        self.lemma_orderly(old);
    }

    /// What was there before a chain was linked, and where the chain is now.
    proof fn lemma_link_attached(
        self,
        old: Self,
        va: int,
        slot: Slot,
        word: u64,
        perm: TablePerm,
        chain: Chain<A>,
    )
        requires
            old.linked(),
            old.is_slot(va, slot),
            old.may_link(va, slot.level as nat, chain),
            A::entry(slot.level as nat, word) == (Entry::Table { table: chain.head, used: 1 }),
            old.is_written(va, slot, word, perm),
            self.is_joined(old, va, slot.level as nat, perm, chain),
        ensures
            old.model().attached(self.model(), va, chain.hi as nat, chain.lo as nat),
            self.entry_at(va, slot.level as nat) == A::entry(slot.level as nat, word),
            forall|k: nat|
                chain.lo < k <= slot.level ==> (#[trigger] self.entry_at(va, k))->used == 1,
            self.entry_at(va, chain.lo as nat) == chain.page(),
            forall|m: NodeId| #[trigger]
                chain.perms@.contains_key(m) ==> !old.perms@.contains_key(m),
            A::geo().wf(),
    {
        let hi = chain.hi as nat;
        let lo = chain.lo as nat;
        let n = home(A::geo(), va, slot.level as nat);
        let was = old.model();
        let now = self.model();
        old.lemma_slot(va, slot);
        was.lemma_fresh(va, hi);
        let mid = model::<A>(chain.perms@);
        assert forall|m: NodeId| #[trigger]
            chain.perms@.contains_key(m) <==> was.on_path(va, lo, hi, m) by {
            assert(mid.on_path(va, lo, hi, m) == was.on_path(va, lo, hi, m));
        }
        assert forall|k: nat| lo <= k <= hi implies chain.perms@.contains_key(
            #[trigger] home(A::geo(), va, k),
        ) && now.nodes[home(A::geo(), va, k)] == node::<A>(chain.perms@[chain.at(k)])
            && now.entry_at(va, k) == chain.entry(k) && now.nodes[home(A::geo(), va, k)].entries
            == blank(A::geo(), k).update(A::geo().index_of(va, k), chain.entry(k)) by {
            assert(was.on_path(va, lo, hi, home(A::geo(), va, k)));
            let _ = chain.perms@[chain.at(k)];
        }
        assert(now.nodes[n].entries =~= was.nodes[n].entries.update(
            slot.index as int,
            A::entry(slot.level as nat, word),
        ));
        assert forall|k: nat| lo < k <= hi + 1 implies #[trigger] now.entry_at(va, k) is Table
            && now.entry_at(va, k)->used == 1 && now.entry_at(va, k)->table == now.nodes[home(
            A::geo(),
            va,
            (k - 1) as nat,
        )].table by {
            let _ = home(A::geo(), va, (k - 1) as nat);
            if k <= hi {
                let _ = home(A::geo(), va, k);
                assert(chain.entry(k) == now.entry_at(va, k));
            }
        }
        let _ = home(A::geo(), va, lo);
    }

    /// The tables of a tree and a chain together.
    proof fn lemma_link_perms(
        self,
        old: Self,
        va: int,
        slot: Slot,
        word: u64,
        perm: TablePerm,
        chain: Chain<A>,
    )
        requires
            old.linked(),
            old.is_slot(va, slot),
            old.may_link(va, slot.level as nat, chain),
            A::wf(old.phys_bits(), slot.level as nat, word),
            old.is_written(va, slot, word, perm),
            self.is_joined(old, va, slot.level as nat, perm, chain),
            self.phys_bits() == old.phys_bits(),
            forall|m: NodeId| #[trigger]
                chain.perms@.contains_key(m) ==> !old.perms@.contains_key(m),
        ensures
            perms_ok::<A>(self.perms@, self.phys_bits()),
            tables(self.perms@) == tables(old.perms@).union(chain.tables()),
    {
        reveal(are_apart);
        broadcast use lemma_tables;

        old.lemma_slot(va, slot);
        assert forall|m: NodeId| #[trigger] self.perms@.contains_key(m) implies perm_ok::<A>(
            self.perms@[m],
            m.level,
            self.phys_bits(),
        ) && (chain.perms@.contains_key(m) && chain.tables().contains(self.perms@[m].addr())
            || old.perms@.contains_key(m) && tables(old.perms@).contains(
            self.perms@[m].addr(),
        )) by {
            assert(chain.perms@.contains_key(m) || old.perms@.contains_key(m));
        }
        lemma_tables_union(self.perms@, old.perms@, chain.perms@);
    }

    /// Pages have their bits set in a tree and a chain together if they have in each.
    proof fn lemma_link_preset(self, old: Self, va: int, hi: nat, lo: nat)
        requires
            old.linked(),
            old.model().attached(self.model(), va, hi, lo),
            Self::preset(self.entry_at(va, lo)),
        ensures
            Self::are_preset(self.perms@),
    {
        reveal(Tree::are_preset);
        let was = old.model();
        let now = self.model();
        let top = home(A::geo(), va, hi + 1);
        assert forall|m: NodeId, j: int|
            self.perms@.contains_key(m) && 0 <= j < A::geo().entries(m.level) implies Self::preset(
            #[trigger] now.nodes[m].entries[j],
        ) by {
            assert(now.nodes.contains_key(m));
            if was.nodes.contains_key(m) {
                assert(old.perms@.contains_key(m));
                assert(Self::preset(was.nodes[m].entries[j]));
                if m == top {
                    A::geo().lemma_bounds(va, hi + 1);
                    assert(was.nodes[m].entries.len() == A::geo().entries(m.level));
                    assert(now.entry_at(va, hi + 1) is Table);
                    assert(now.nodes[m].entries[j] == was.nodes[m].entries[j]
                        || now.nodes[m].entries[j] == now.entry_at(va, hi + 1));
                }
            } else {
                let l = m.level;
                assert(m == home(A::geo(), va, l));
                let e = now.entry_at(va, l);
                assert(l > lo ==> e is Table);
                A::geo().lemma_bounds(va, l);
                assert(now.nodes[m].entries[j] == e || now.nodes[m].entries[j] is Empty);
            }
        }
    }

    pub(super) proof fn lemma_link(
        self,
        old: Self,
        va: int,
        slot: Slot,
        word: u64,
        perm: TablePerm,
        chain: Chain<A>,
    )
        requires
            old.linked(),
            old.is_slot(va, slot),
            old.may_link(va, slot.level as nat, chain),
            A::wf(old.phys_bits(), slot.level as nat, word),
            A::entry(slot.level as nat, word) == (Entry::Table { table: chain.head, used: 1 }),
            old.is_written(va, slot, word, perm),
            self.is_joined(old, va, slot.level as nat, perm, chain),
            self.phys_bits() == old.phys_bits(),
            self.root == old.root,
            self.frames.held() == old.frames.held(),
            self.trace@ == old.trace@.push(self.perms@),
        ensures
            self.linked_from(old, va, slot.level as nat, chain),
    {
        let hi = chain.hi as nat;
        let lo = chain.lo as nat;
        let was = old.model();
        let now = self.model();
        self.lemma_link_attached(old, va, slot, word, perm, chain);
        self.lemma_link_perms(old, va, slot, word, perm, chain);
        chain.lemma_page(old.phys_bits());
        was.lemma_attach::<A>(now, va, hi, lo);
        self.lemma_link_preset(old, va, hi, lo);
        was.lemma_live_attach(now, va, hi, lo);
        was.lemma_home_root(va);
        self.lemma_fixed(old, va, slot, word, perm);
        self.lemma_orderly(old);
        assert(self.space().pages =~= (if chain.page() is Page {
            old.space_with(va, lo, chain.page())
        } else {
            old.space()
        }).pages);
    }

    /// The tables after a chain was taken out, and the chain's: which are where.
    proof fn lemma_split(self, old: Self, va: int, slot: Slot, perm: TablePerm, chain: Chain<A>)
        requires
            old.linked(),
            old.is_slot(va, slot),
            old.may_unlink(va, slot.level as nat, chain.head, chain.lo as nat),
            old.is_written(va, slot, 0, perm),
            chain.offset == va,
            chain.hi == slot.level - 1,
            self.is_split(old, va, slot.level as nat, perm, chain),
        ensures
            A::geo().wf(),
            forall|m: NodeId| #[trigger]
                chain.perms@.contains_key(m) <==> old.model().on_path(
                    va,
                    chain.lo as nat,
                    chain.hi as nat,
                    m,
                ),
            forall|m: NodeId| #[trigger]
                old.perms@.contains_key(m) <==> self.perms@.contains_key(m)
                    || chain.perms@.contains_key(m),
            forall|m: NodeId| #[trigger]
                self.perms@.contains_key(m) ==> !chain.perms@.contains_key(m),
            forall|m: NodeId| #[trigger]
                chain.perms@.contains_key(m) ==> chain.perms@[m] == old.perms@[m],
            forall|m: NodeId| #[trigger]
                self.perms@.contains_key(m) && m != home(A::geo(), va, slot.level as nat)
                    ==> self.perms@[m] == old.perms@[m],
            self.perms@.contains_key(home(A::geo(), va, slot.level as nat)),
            self.perms@[home(A::geo(), va, slot.level as nat)] == perm,
    {
        let lo = chain.lo as nat;
        let hi = chain.hi as nat;
        let n = home(A::geo(), va, slot.level as nat);
        let path = old.path(va, lo, hi);
        old.lemma_slot(va, slot);
        assert forall|m: NodeId| #![auto] old.perms@.contains_key(m) implies path.contains(m)
            == old.model().on_path(va, lo, hi, m) by {
            assert(old.perms@.dom().contains(m));
        }
        assert forall|m: NodeId|
            chain.perms@.contains_key(m) <==> #[trigger] old.model().on_path(va, lo, hi, m) by {
            if old.model().on_path(va, lo, hi, m) {
                assert(m == home(A::geo(), va, m.level));
                assert(old.perms@.contains_key(m));
            }
        }
    }

    /// What was there before a chain was unlinked.
    proof fn lemma_unlink_attached(
        self,
        old: Self,
        va: int,
        slot: Slot,
        perm: TablePerm,
        chain: Chain<A>,
    )
        requires
            old.linked(),
            old.is_slot(va, slot),
            old.may_unlink(va, slot.level as nat, chain.head, chain.lo as nat),
            old.is_written(va, slot, 0, perm),
            chain.offset == va,
            chain.hi == slot.level - 1,
            self.is_split(old, va, slot.level as nat, perm, chain),
            self.phys_bits() == old.phys_bits(),
        ensures
            self.model().attached(old.model(), va, chain.hi as nat, chain.lo as nat),
            old.entry_at(va, chain.lo as nat) is Empty,
    {
        let l = slot.level as nat;
        let lo = chain.lo as nat;
        let hi = chain.hi as nat;
        let n = home(A::geo(), va, l);
        let i = slot.index as int;
        let was = old.model();
        let now = self.model();
        self.lemma_split(old, va, slot, perm, chain);
        old.lemma_slot(va, slot);
        A::lemma_zero(old.phys_bits(), l);
        assert(was.nodes.contains_key(n));
        assert(now.nodes[n].entries =~= was.nodes[n].entries.update(i, Entry::Empty));
        // each table of the chain leads to the next, and holds nothing else
        assert forall|k: nat| lo <= k <= hi + 1 implies was.nodes.contains_key(
            #[trigger] home(A::geo(), va, k),
        ) by {
            assert(k <= hi ==> old.perms@.contains_key(home(A::geo(), va, k)));
        }
        assert forall|k: nat| lo < k <= hi + 1 implies (#[trigger] was.entry_at(va, k)) is Table
            && was.entry_at(va, k)->table == was.nodes[home(
            A::geo(),
            va,
            (k - 1) as nat,
        )].table by {
            assert(was.nodes.contains_key(home(A::geo(), va, (k - 1) as nat)));
            assert(was.nodes.contains_key(home(A::geo(), va, k)));
            was.lemma_chain(va, (k - 1) as nat, k);
            was.lemma_down(va, k);
        }
        assert forall|k: nat| lo <= k <= hi implies was.nodes[home(A::geo(), va, k)].entries
            == blank(A::geo(), k).update(
            A::geo().index_of(va, k),
            #[trigger] was.entry_at(va, k),
        ) by {
            A::geo().lemma_bounds(va, k);
            let entries = was.nodes[home(A::geo(), va, k)].entries;
            assert(was.nodes.contains_key(home(A::geo(), va, k)));
            if k > lo {
                assert(was.entry_at(va, k) is Table);
                lemma_used_one(entries, A::geo().index_of(va, k));
            } else {
                lemma_used_zero(entries);
            }
            assert(entries =~= blank(A::geo(), k).update(
                A::geo().index_of(va, k),
                was.entry_at(va, k),
            ));
        }
        A::geo().lemma_bounds(va, lo);
        assert(was.nodes.contains_key(home(A::geo(), va, lo)));
        lemma_used_zero(was.nodes[home(A::geo(), va, lo)].entries);
        assert(now.entry_at(va, l) is Empty);
        assert(was.entry_at(va, l) == was.nodes[n].entries[i]);
        assert(was.nodes[n].entries =~= now.nodes[n].entries.update(i, was.entry_at(va, l)));
    }

    /// The chain that was taken out is one.
    proof fn lemma_unlink_chain(
        self,
        old: Self,
        va: int,
        slot: Slot,
        perm: TablePerm,
        chain: Chain<A>,
    )
        requires
            old.linked(),
            old.is_slot(va, slot),
            old.may_unlink(va, slot.level as nat, chain.head, chain.lo as nat),
            old.is_written(va, slot, 0, perm),
            chain.offset == va,
            chain.hi == slot.level - 1,
            self.is_split(old, va, slot.level as nat, perm, chain),
            self.model().attached(old.model(), va, chain.hi as nat, chain.lo as nat),
            old.entry_at(va, chain.lo as nat) is Empty,
        ensures
            chain.inv(old.phys_bits()),
            chain.page() is Empty,
            tables(old.perms@) == tables(self.perms@).union(chain.tables()),
            tables(self.perms@).disjoint(chain.tables()),
    {
        reveal(are_apart);
        let lo = chain.lo as nat;
        let hi = chain.hi as nat;
        let was = old.model();
        self.lemma_split(old, va, slot, perm, chain);
        assert forall|k: nat| lo <= k <= hi implies chain.perms@.contains_key(
            #[trigger] chain.at(k),
        ) && chain.at(k) == home(A::geo(), va, k) && chain.perms@[chain.at(k)]
            == old.perms@[chain.at(k)] && chain.entry(k) == was.entry_at(va, k)
            && was.nodes[chain.at(k)] == node::<A>(chain.perms@[chain.at(k)]) by {
            assert(was.on_path(va, lo, hi, chain.at(k)));
        }
        assert forall|k: nat| lo <= k <= hi implies node::<A>(
            #[trigger] chain.perms@[chain.at(k)],
        ).entries == blank(A::geo(), k).update(A::geo().index_of(va, k), chain.entry(k)) by {
            assert(chain.entry(k) == was.entry_at(va, k));
        }
        assert forall|k: nat| lo < k <= hi implies #[trigger] chain.entry(k) == (Entry::Table {
            table: chain.perms@[chain.at((k - 1) as nat)].addr(),
            used: 1,
        }) by {
            assert(chain.at(k) == home(A::geo(), va, k) && chain.at((k - 1) as nat) == home(
                A::geo(),
                va,
                (k - 1) as nat,
            ));
            assert(old.entry_at(va, k)->used == 1);
            assert(was.entry_at(va, k) is Table);
        }
        assert forall|m: NodeId| #[trigger]
            chain.perms@.contains_key(m) <==> model::<A>(chain.perms@).on_path(va, lo, hi, m) by {
            assert(was.on_path(va, lo, hi, m) == model::<A>(chain.perms@).on_path(va, lo, hi, m));
        }
        assert(chain.at(lo) == home(A::geo(), va, lo) && chain.at(hi) == home(A::geo(), va, hi));
        assert forall|m: NodeId| #[trigger]
            chain.perms@.contains_key(m) implies old.perms@.contains_key(m) by {}
        assert forall|m: NodeId| #[trigger]
            self.perms@.contains_key(m) implies self.perms@[m].addr() == old.perms@[m].addr()
            && old.perms@.contains_key(m) by {}
        lemma_tables_union(old.perms@, self.perms@, chain.perms@);
        assert(tables(self.perms@).disjoint(chain.tables())) by {
            broadcast use lemma_tables;

            assert forall|a: PhysAddr|
                !(tables(self.perms@).contains(a) && chain.tables().contains(a)) by {
                if tables(self.perms@).contains(a) && chain.tables().contains(a) {
                    let m = choose|m: NodeId| #[trigger]
                        self.perms@.contains_key(m) && self.perms@[m].addr() == a;
                    let k = choose|k: NodeId| #[trigger]
                        chain.perms@.contains_key(k) && chain.perms@[k].addr() == a;
                    assert(old.perms@.contains_key(m) && old.perms@.contains_key(k));
                }
            }
        }
    }

    pub(super) proof fn lemma_unlink(
        self,
        old: Self,
        va: int,
        slot: Slot,
        perm: TablePerm,
        chain: Chain<A>,
    )
        requires
            old.linked(),
            old.is_slot(va, slot),
            old.may_unlink(va, slot.level as nat, chain.head, chain.lo as nat),
            old.is_written(va, slot, 0, perm),
            chain.offset == va,
            chain.hi == slot.level - 1,
            self.is_split(old, va, slot.level as nat, perm, chain),
            self.phys_bits() == old.phys_bits(),
            self.root == old.root,
            self.frames.held() == old.frames.held(),
            self.trace@ == old.trace@.push(self.perms@),
        ensures
            self.unlinked_from(old, va, slot.level as nat, chain),
    {
        reveal(are_apart);
        reveal(Tree::are_preset);
        let was = old.model();
        let now = self.model();
        self.lemma_unlink_attached(old, va, slot, perm, chain);
        self.lemma_unlink_chain(old, va, slot, perm, chain);
        self.lemma_split(old, va, slot, perm, chain);
        now.lemma_detach::<A>(was, va, chain.hi as nat, chain.lo as nat);
        old.lemma_slot(va, slot);
        A::lemma_zero(old.phys_bits(), slot.level as nat);
        assert forall|m: NodeId| #[trigger]
            self.perms@.contains_key(m) implies old.perms@.contains_key(m) && self.perms@[m].addr()
            == old.perms@[m].addr() && perm_ok::<A>(self.perms@[m], m.level, self.phys_bits()) by {}
        assert forall|m: NodeId, j: int|
            self.perms@.contains_key(m) && 0 <= j < A::geo().entries(m.level) implies Self::preset(
            #[trigger] now.nodes[m].entries[j],
        ) by {
            assert(Self::preset(was.nodes[m].entries[j]));
            assert(was.nodes.contains_key(m));
        }
        assert(now.nodes.contains_key(now.root()));
        now.lemma_live_attach(was, va, chain.hi as nat, chain.lo as nat);
        was.lemma_home_root(va);
        self.lemma_fixed(old, va, slot, 0, perm);
        self.lemma_orderly(old);
    }

    /// `1 << n` is the `n`-th power of two.
    pub(super) proof fn lemma_limit(self, limit: u64)
        requires
            self.phys_bits() <= A::frame_bits(),
            limit == 1u64 << self.phys_bits(),
        ensures
            limit == vstd::arithmetic::power2::pow2(self.phys_bits() as nat),
    {
        A::lemma_geometry();
        vstd::bits::lemma_u64_pow2_no_overflow(self.phys_bits() as nat);
        vstd::bits::lemma_u64_shl_is_mul(1, self.phys_bits());
    }
}

} // verus!
