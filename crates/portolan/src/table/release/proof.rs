//! All tables are given back, each once: on the way through the addresses, those left are the ones that reach further,
//! and the ones on the path.

use super::super::model::{Model, NodeId, home};
use super::super::perms::{lemma_tables, perm_ok, perms_ok, tables};
use super::super::tree::{Slot, Tree};
use super::{NOWHERE, OwnedTree};
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, Entry, is_table_address};
use crate::arch::geometry::proof::{lemma_next_multiple, lemma_shl};
use crate::hw::memory::TableMemory;
use vstd::arithmetic::div_mod::lemma_mod_add_multiples_vanish;
use vstd::arithmetic::power2::lemma_pow2_pos;
use vstd::prelude::*;

verus! {

impl Model {
    /// A table that covers an address is the one for it.
    proof fn lemma_covering(self, n: NodeId, va: int)
        requires
            self.geo.wf(),
            self.place_ok(n),
            n.base <= va < n.base + self.geo.cover(n.level),
        ensures
            n == home(self.geo, va, n.level),
    {
        let (b, c) = (self.geo.base(va, n.level), self.geo.cover(n.level));
        self.geo.lemma_span(n.level);
        self.geo.lemma_bounds(va, n.level);
        if n.base < b {
            lemma_next_multiple(n.base, b, c);
        }
        if b < n.base {
            lemma_next_multiple(b, n.base, c);
        }
    }

    /// The tables that end within what the entry of level `l` for `va` covers: those on the path, and the one below.
    proof fn lemma_pass(self, n: NodeId, va: int, l: nat)
        requires
            self.inv(),
            self.nodes.contains_key(n),
            self.in_range(va),
            2 <= l <= self.geo.levels,
            va % self.geo.span(l) == 0,
            self.nodes.contains_key(home(self.geo, va, l)),
            self.entry_at(va, l) is Table ==> l == 2,
        ensures
            ({
                let below = self.entry_at(va, l) is Table && n == home(self.geo, va, 1);
                self.remains(n, va, l, va + self.geo.span(l)) <==> self.remains(n, va, l, va)
                    && !below
            }),
    {
        let (end, span) = (n.base + self.geo.cover(n.level), self.geo.span(l));
        self.geo.lemma_span(l);
        self.geo.lemma_span(1);
        self.geo.lemma_span(n.level);
        if va < end <= va + span {
            if n.level >= l {
                self.geo.lemma_multiple_below(n.base, l, n.level);
                if va < n.base {
                    lemma_next_multiple(va, n.base, span);
                }
                self.lemma_covering(n, va);
            } else {
                self.lemma_pass_below(n, va, l);
            }
        }
    }

    /// A table that ends within what an entry of a higher level covers is the one below that entry.
    proof fn lemma_pass_below(self, n: NodeId, va: int, l: nat)
        requires
            self.inv(),
            self.nodes.contains_key(n),
            self.in_range(va),
            n.level < l <= self.geo.levels,
            va % self.geo.span(l) == 0,
            self.nodes.contains_key(home(self.geo, va, l)),
            self.entry_at(va, l) is Table ==> l == 2,
            va < n.base + self.geo.cover(n.level) <= va + self.geo.span(l),
        ensures
            self.entry_at(va, l) is Table,
            n == home(self.geo, va, 1),
    {
        let cover = self.geo.cover(n.level);
        self.geo.lemma_span(n.level);
        self.geo.lemma_span((l - 1) as nat);
        if n.level + 1 < l {
            self.geo.lemma_multiple_below(va, n.level + 1, (l - 1) as nat);
        }
        if n.base < va {
            lemma_next_multiple(n.base, va, cover);
        }
        self.lemma_same_slot(n.base, va, l);
        self.lemma_own_home(n);
        self.lemma_chain(n.base, n.level, l);
        if va < n.base {
            lemma_next_multiple(va, n.base, cover);
        }
    }

    /// Where the index is that of the first entry, the table before has been passed.
    proof fn lemma_leave(self, n: NodeId, x: int, l: nat, va: int)
        requires
            self.inv(),
            self.nodes.contains_key(n),
            1 <= l <= self.geo.levels,
            0 <= x < va <= self.geo.base(x, l) + self.geo.cover(l),
            va % self.geo.cover(l) == 0,
        ensures
            va == self.geo.base(x, l) + self.geo.cover(l),
            self.remains(n, x, l + 1, va) <==> self.remains(n, x, l, va) && n != home(
                self.geo,
                x,
                l,
            ),
    {
        self.geo.lemma_span(l);
        self.geo.lemma_bounds(x, l);
        lemma_next_multiple(self.geo.base(x, l), va, self.geo.cover(l));
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// At the start all tables are left.
    pub(super) proof fn lemma_release(self, tree: Self, path: Seq<PhysAddr>)
        requires
            A::geo().wf(),
            tree.inv(),
            self == (Tree { root: self.root, ..tree }),
            path.len() == 6,
            path[A::geo().levels as int] == tree.root.addr,
        ensures
            0 < A::geo().limit(),
            self.is_releasing(tree, path, A::geo().levels as nat, 0, 0),
    {
        let levels = A::geo().levels as nat;
        let m = tree.model();
        A::geo().lemma_span(levels);
        A::geo().lemma_bounds(0, levels);
        m.lemma_home_root(0);
        assert forall|n: NodeId| #[trigger]
            self.perms@.contains_key(n) <==> m.remains(n, 0, levels, 0) by {
            assert(self.perms@.contains_key(n) == m.nodes.contains_key(n));
            if m.nodes.contains_key(n) {
                A::geo().lemma_span(n.level);
            }
        }
    }

    /// The table on top of the path.
    pub(super) proof fn lemma_look(
        self,
        tree: Self,
        path: Seq<PhysAddr>,
        level: nat,
        x: int,
        va: int,
    )
        requires
            A::geo().wf(),
            self.is_releasing(tree, path, level, x, va),
        ensures
            ({
                let n = home(A::geo(), x, level);
                &&& self.perms@.dom().contains(n)
                &&& self.perms@[n] == tree.perms@[n]
                &&& self.perms@[n].addr() == path[level as int]
                &&& perm_ok::<A>(self.perms@[n], level, self.phys_bits())
                &&& 0 <= A::geo().index_of(x, level) < self.perms@[n].words().len()
            }),
    {
        let n = home(A::geo(), x, level);
        A::geo().lemma_bounds(x, level);
        assert(tree.perms@.contains_key(n));
        assert(tree.model().remains(n, x, level, va));
    }

    /// What hardware may have made of an entry.
    pub(super) proof fn lemma_entry(self, va: int, level: nat, word: u64)
        requires
            A::geo().wf(),
            self.linked(),
            1 <= level <= A::geo().levels,
            0 <= va < A::geo().limit(),
            self.perms@.contains_key(home(A::geo(), va, level)),
            A::may_become(level, self.word_at(va, level), word),
        ensures
            self.entry_at(va, level).may_become(A::entry(level, word)),
    {
        let table = self.perms@[home(A::geo(), va, level)].addr();
        let index = A::geo().index_of(va, level) as usize;
        A::geo().lemma_bounds(va, level);
        A::geo().lemma_span(level);
        let slot = Slot { level: level as u8, table, index };
        self.lemma_slot(va, slot);
        A::lemma_step(self.phys_bits(), level, self.word_at(va, level), word);
    }

    /// One level down, the same tables are left.
    pub(super) proof fn lemma_enter(
        self,
        tree: Self,
        path: Seq<PhysAddr>,
        level: nat,
        va: int,
        table: PhysAddr,
    )
        requires
            A::geo().wf(),
            self.is_releasing(tree, path, level, va, va),
            va < A::geo().limit(),
            level > 2,
            tree.entry_at(va, level) matches Entry::Table { table: t, .. } && t == table,
        ensures
            self.is_releasing(tree, path.update(level - 1, table), (level - 1) as nat, va, va),
    {
        let (m, below) = (tree.model(), (level - 1) as nat);
        let longer = path.update(level - 1, table);
        assert(tree.perms@.contains_key(home(A::geo(), va, level)));
        m.lemma_down(va, level);
        A::geo().lemma_bounds(va, below);
        A::geo().lemma_span(below);
        A::geo().lemma_multiple_below(va, below, below);
        assert(m.nodes.contains_key(home(A::geo(), va, below)));
        assert(tree.is_path(longer, va, below));
        assert forall|n: NodeId| #[trigger]
            self.perms@.contains_key(n) <==> m.remains(n, va, below, va) by {
            assert(self.perms@.contains_key(n) <==> m.remains(n, va, level, va));
        }
    }

    /// The table of level 1 below an entry.
    pub(super) proof fn lemma_last(self, tree: Self, path: Seq<PhysAddr>, va: int)
        requires
            A::geo().wf(),
            self.is_releasing(tree, path, 2, va, va),
            tree.entry_at(va, 2) is Table,
        ensures
            self.perms@.contains_key(home(A::geo(), va, 1)),
            self.perms@[home(A::geo(), va, 1)].addr() == tree.entry_at(va, 2)->table,
    {
        let (m, n) = (tree.model(), home(A::geo(), va, 1));
        assert(tree.perms@.contains_key(home(A::geo(), va, 2)));
        m.lemma_down(va, 2);
        A::geo().lemma_bounds(va, 1);
        assert(m.nodes.contains_key(n));
        assert(m.remains(n, va, 2, va));
    }

    /// Past an entry below which nothing is left.
    pub(super) proof fn lemma_pass(
        self,
        was: Self,
        tree: Self,
        path: Seq<PhysAddr>,
        level: nat,
        va: int,
    )
        requires
            A::geo().wf(),
            was.is_releasing(tree, path, level, va, va),
            if tree.entry_at(va, level) is Table {
                level == 2 && self.is_less(was, home(A::geo(), va, 1))
            } else {
                self == was
            },
        ensures
            va + A::geo().span(level) <= A::geo().limit() < u64::MAX,
            self.is_releasing(tree, path, level, va, va + A::geo().span(level)),
    {
        let (m, span) = (tree.model(), A::geo().span(level));
        let (base, cover) = (A::geo().base(va, level), A::geo().cover(level));
        A::geo().lemma_span(level);
        A::geo().lemma_bounds(va, level);
        A::geo().lemma_in_range(va, level);
        lemma_mod_add_multiples_vanish(base, cover);
        A::geo().lemma_multiple_below(base + cover, level, level);
        lemma_next_multiple(va, base + cover, span);
        lemma_mod_add_multiples_vanish(va, span);
        lemma_shl(57);
        assert(tree.perms@.contains_key(home(A::geo(), va, level)));
        assert forall|n: NodeId| #[trigger]
            self.perms@.contains_key(n) <==> m.remains(n, va, level, va + span) by {
            assert(was.perms@.contains_key(n) <==> m.remains(n, va, level, va));
            if m.nodes.contains_key(n) {
                m.lemma_pass(n, va, level);
            }
        }
    }

    /// A table at whose end we are is given back.
    pub(super) proof fn lemma_leave(
        self,
        was: Self,
        tree: Self,
        path: Seq<PhysAddr>,
        level: nat,
        x: int,
        va: int,
    )
        requires
            A::geo().wf(),
            was.is_releasing(tree, path, level, x, va),
            x < va,
            A::geo().index_of(va, level) == 0,
            self.is_less(was, home(A::geo(), x, level)),
        ensures
            level < A::geo().levels ==> self.is_releasing(tree, path, level + 1, x, va),
            level == A::geo().levels ==> self.frames.held() == Set::<PhysAddr>::empty(),
    {
        let m = tree.model();
        A::geo().lemma_index_zero(va, level);
        A::geo().lemma_span(level);
        assert(m.nodes.contains_key(m.root()));
        m.lemma_leave(m.root(), x, level, va);
        assert forall|n: NodeId| #[trigger]
            self.perms@.contains_key(n) <==> m.remains(n, x, level + 1, va) by {
            assert(was.perms@.contains_key(n) <==> m.remains(n, x, level, va));
            if m.nodes.contains_key(n) {
                m.lemma_leave(n, x, level, va);
            }
        }
        if level < A::geo().levels {
            A::geo().lemma_end(x, level);
        } else {
            broadcast use lemma_tables;

            A::geo().lemma_root(x);
            assert(tables(self.perms@) =~= Set::<PhysAddr>::empty());
        }
    }

    /// Within a table, the next entry is next.
    pub(super) proof fn lemma_next(
        self,
        tree: Self,
        path: Seq<PhysAddr>,
        level: nat,
        x: int,
        va: int,
    )
        requires
            A::geo().wf(),
            self.is_releasing(tree, path, level, x, va),
            x < va,
            A::geo().index_of(va, level) != 0,
        ensures
            va < A::geo().limit(),
            self.is_releasing(tree, path, level, va, va),
    {
        let (m, geo, n) = (tree.model(), A::geo(), home(A::geo(), x, level));
        geo.lemma_span(level);
        geo.lemma_bounds(x, level);
        geo.lemma_in_range(x, level);
        geo.lemma_index_zero(va, level);
        lemma_mod_add_multiples_vanish(n.base, geo.cover(level));
        assert(tree.perms@.contains_key(n));
        assert(m.nodes.contains_key(n));
        m.lemma_covering(n, va);
        assert forall|k: nat| level <= k <= geo.levels implies home(geo, va, k) == home(
            geo,
            x,
            k,
        ) by {
            geo.lemma_same_base(va, x, level, k);
        }
        assert(tree.is_path(path, va, level));
        assert forall|k: NodeId| #[trigger]
            self.perms@.contains_key(k) <==> m.remains(k, va, level, va) by {
            assert(self.perms@.contains_key(k) <==> m.remains(k, x, level, va));
            if level <= k.level <= geo.levels {
                assert(home(geo, va, k.level) == home(geo, x, k.level));
            }
        }
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> OwnedTree<M, A, B> {
    /// A tree's root is somewhere.
    pub(super) proof fn lemma_somewhere(self)
        ensures
            self.tree.inv() ==> self.tree.root.addr != NOWHERE,
    {
        if self.tree.inv() {
            let m = self.tree.model();
            assert(m.nodes.contains_key(m.root()));
            assert(is_table_address::<A>(self.tree.root.addr, self.tree.phys_bits()));
            lemma_pow2_pos(A::geo().page_bits as nat);
            A::lemma_geometry();
            lemma_shl(self.tree.phys_bits());
        }
    }
}

} // verus!
