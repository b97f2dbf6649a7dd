//! All tables are met, each once: they stand in the order of the addresses where they start, and at one address from
//! the root down.

use super::super::model::{Model, NodeId, home};
use super::super::perms::{are_apart, lemma_tables_remove, tables};
use super::super::tree::Tree;
use super::{TableInfo, Visit};
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, Entry, EntryFormat};
use crate::arch::geometry::proof::{lemma_next_multiple, lemma_shl};
use crate::hw::memory::{TableMemory, TablePerm};
use vstd::arithmetic::div_mod::lemma_mod_add_multiples_vanish;
use vstd::prelude::*;

verus! {

impl Model {
    /// A table that starts in what an entry of a higher level covers is below that entry.
    proof fn lemma_starts_below(self, n: NodeId, va: int, l: nat)
        requires
            self.inv(),
            self.nodes.contains_key(n),
            self.in_range(va),
            n.level < l <= self.geo.levels,
            va % self.geo.span(l) == 0,
            va <= n.base < va + self.geo.span(l),
        ensures
            self.entry_at(va, l) is Table,
            l == 2 ==> n == home(self.geo, va, 1),
    {
        self.lemma_own_home(n);
        self.lemma_same_slot(n.base, va, l);
        self.lemma_chain(n.base, n.level, l);
        if l == 2 {
            self.geo.lemma_span(1);
            if va < n.base {
                lemma_next_multiple(va, n.base, self.geo.cover(1));
            }
        }
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// At first all tables are left.
    pub(super) proof fn lemma_visit(self, visit: Visit)
        requires
            self.inv(),
            visit.level == A::geo().levels + 1,
            visit.va == 0,
            visit.path@[A::geo().levels as int] == self.root.addr,
        ensures
            self.is_visit(visit),
            tables(self.rest(visit)) == self.frames.held(),
    {
        assert forall|n: NodeId| #[trigger] self.perms@.contains_key(n) implies visit.is_before(
            n,
        ) by {
            assert(self.model().nodes.contains_key(n));
        }
        assert(self.rest(visit) =~= self.perms@);
    }

    /// Which tables are left.
    proof fn lemma_rest(self, visit: Visit)
        ensures
            forall|n: NodeId| #[trigger]
                self.rest(visit).contains_key(n) <==> self.perms@.contains_key(n)
                    && visit.is_before(n),
            forall|n: NodeId| #[trigger]
                self.rest(visit).contains_key(n) ==> self.rest(visit)[n] == self.perms@[n],
    {
        assert forall|n: NodeId| #[trigger]
            self.rest(visit).contains_key(n) <==> self.perms@.contains_key(n) && visit.is_before(
                n,
            ) by {
            assert(self.perms@.contains_key(n) == self.perms@.dom().contains(n));
        }
    }

    /// Nothing was met.
    pub(super) proof fn lemma_rest_same(self, visit: Visit, next: Visit)
        requires
            self.is_past(visit, next),
            !(self.entry_at(visit.va as int, visit.level as nat) is Table),
        ensures
            self.rest(next) == self.rest(visit),
    {
        self.lemma_rest(visit);
        self.lemma_rest(next);
        assert(self.rest(next) =~= self.rest(visit));
    }

    /// At the end no table is left.
    pub(super) proof fn lemma_rest_none(self, visit: Visit)
        requires
            self.sound(),
            visit.va >= A::geo().limit(),
        ensures
            self.rest(visit).is_empty(),
    {
        self.lemma_rest(visit);
        assert forall|n: NodeId| !#[trigger] self.rest(visit).contains_key(n) by {
            if self.perms@.contains_key(n) {
                assert(self.model().nodes.contains_key(n));
                A::geo().lemma_span(n.level);
            }
        }
        assert(self.rest(visit) =~= Map::<NodeId, TablePerm>::empty());
    }

    /// One table was met.
    proof fn lemma_rest_less(self, visit: Visit, next: Visit, n: NodeId)
        requires
            self.sound(),
            self.perms@.contains_key(n),
            visit.is_before(n),
            forall|m: NodeId| #[trigger]
                self.perms@.contains_key(m) ==> (next.is_before(m) <==> visit.is_before(m) && m
                    != n),
        ensures
            tables(self.rest(visit)).contains(self.perms@[n].addr()),
            tables(self.rest(next)) == tables(self.rest(visit)).remove(self.perms@[n].addr()),
    {
        reveal(are_apart);
        let rest = self.rest(visit);
        self.lemma_rest(visit);
        self.lemma_rest(next);
        assert(self.rest(next) =~= rest.remove(n));
        assert forall|m: NodeId| #[trigger]
            rest.contains_key(m) && rest[m].addr() == rest[n].addr() implies m == n by {
            assert(self.perms@.contains_key(m));
        }
        lemma_tables_remove(rest, n);
    }

    /// The root was met.
    pub(super) proof fn lemma_met_root(self, visit: Visit, next: Visit)
        requires
            self.sound(),
            self.is_visit(visit),
            visit.level > A::geo().levels,
            next == (Visit { level: A::geo().levels, ..visit }),
        ensures
            A::geo().wf(),
            0 < A::geo().limit(),
            self.is_visit(next),
            forall|info: TableInfo<A>|
                info.level == A::geo().levels && info.addr == self.root.addr && info.start@ == 0
                    && info.size == A::geo().limit() && info.used is None
                    ==> #[trigger] self.is_met(visit, next, info),
    {
        let (m, levels) = (self.model(), A::geo().levels as nat);
        let root = m.root();
        A::geo().lemma_span(levels);
        A::geo().lemma_bounds(0, levels);
        m.lemma_home_root(0);
        assert(m.nodes.contains_key(root));
        assert forall|n: NodeId| #[trigger] self.perms@.contains_key(n) implies (next.is_before(n)
            <==> visit.is_before(n) && n != root) by {
            assert(m.nodes.contains_key(n));
        }
        self.lemma_rest_less(visit, next, root);
    }

    /// One level down.
    pub(super) proof fn lemma_into(self, visit: Visit, next: Visit, table: PhysAddr)
        requires
            self.sound(),
            self.is_on(visit.path@, visit.level as nat, visit.va as int, visit.va as int),
            visit.va < A::geo().limit(),
            visit.level > 2,
            self.entry_at(visit.va as int, visit.level as nat) matches Entry::Table { table: t, .. }
                && t == table,
            next.level == visit.level - 1,
            next.va == visit.va,
            next.path@ == visit.path@.update(visit.level - 1, table),
        ensures
            self.is_visit(next),
            forall|n: NodeId| #[trigger]
                self.perms@.contains_key(n) ==> (next.is_before(n) <==> visit.is_before(n) && n
                    != home(A::geo(), visit.va as int, next.level as nat)),
    {
        let (m, va, l) = (self.model(), visit.va as int, next.level as nat);
        assert(self.perms@.contains_key(home(A::geo(), va, l + 1)));
        m.lemma_down(va, l + 1);
        A::geo().lemma_bounds(va, l);
        A::geo().lemma_span(l);
        A::geo().lemma_multiple_below(va, l, l);
        assert(m.nodes.contains_key(home(A::geo(), va, l)));
        assert(self.is_path(next.path@, va, l));
    }

    /// The table below an entry was met, the first since `from`.
    pub(super) proof fn lemma_met(self, from: Visit, visit: Visit, next: Visit, info: TableInfo<A>)
        requires
            self.sound(),
            self.rest(visit) == self.rest(from),
            self.is_on(visit.path@, visit.level as nat, visit.va as int, visit.va as int),
            self.entry_at(visit.va as int, visit.level as nat) is Table,
            info.level == visit.level - 1,
            info.start@ == visit.va,
            info.addr == self.entry_at(visit.va as int, visit.level as nat)->table,
            info.size == A::geo().cover(info.level as nat),
            info.used == if A::counts() {
                Some(self.entry_at(visit.va as int, visit.level as nat)->used)
            } else {
                None
            },
            forall|n: NodeId| #[trigger]
                self.perms@.contains_key(n) ==> (next.is_before(n) <==> visit.is_before(n) && n
                    != home(A::geo(), visit.va as int, info.level as nat)),
        ensures
            self.is_met(from, next, info),
    {
        let (m, va, l) = (self.model(), visit.va as int, info.level as nat);
        let n = home(A::geo(), va, l);
        assert(self.perms@.contains_key(home(A::geo(), va, l + 1)));
        m.lemma_down(va, l + 1);
        A::geo().lemma_span(l);
        assert(m.nodes.contains_key(n));
        assert(self.perms@.contains_key(n));
        assert(n == Self::place_of(info));
        m.lemma_noted(va, l);
        assert(m.count_ok(n));
        self.lemma_rest_less(visit, next, n);
        self.lemma_rest(visit);
        self.lemma_rest(from);
        assert(self.rest(from).contains_key(n));
    }

    /// Past an entry.
    pub(super) proof fn lemma_past(self, visit: Visit)
        requires
            self.sound(),
            self.is_on(visit.path@, visit.level as nat, visit.va as int, visit.va as int),
        ensures
            A::geo().wf(),
            visit.va + A::geo().span(visit.level as nat) <= A::geo().limit() < u64::MAX,
            A::geo().span(visit.level as nat) > 0,
            self.is_on(
                visit.path@,
                visit.level as nat,
                visit.va as int,
                visit.va + A::geo().span(visit.level as nat),
            ),
    {
        let (geo, va, l) = (A::geo(), visit.va as int, visit.level as nat);
        let (base, cover, span) = (geo.base(va, l), geo.cover(l), geo.span(l));
        geo.lemma_span(l);
        geo.lemma_bounds(va, l);
        geo.lemma_in_range(va, l);
        lemma_mod_add_multiples_vanish(base, cover);
        geo.lemma_multiple_below(base + cover, l, l);
        lemma_next_multiple(va, base + cover, span);
        lemma_mod_add_multiples_vanish(va, span);
        lemma_shl(57);
    }

    /// At a table's end, an entry of the table above ends, too.
    pub(super) proof fn lemma_up(self, next: Visit, x: int)
        requires
            A::geo().wf(),
            self.is_on(next.path@, next.level as nat, x, next.va as int),
            x < next.va,
            next.level < A::geo().levels,
            A::geo().index_of(next.va as int, next.level as nat) == 0,
        ensures
            self.is_on(next.path@, next.level as nat + 1, x, next.va as int),
    {
        let (geo, va, l) = (A::geo(), next.va as int, next.level as nat);
        geo.lemma_span(l);
        geo.lemma_bounds(x, l);
        geo.lemma_index_zero(va, l);
        lemma_next_multiple(geo.base(x, l), va, geo.cover(l));
        geo.lemma_end(x, l);
    }

    /// Within a table, or at the end of the root.
    pub(super) proof fn lemma_stay(self, next: Visit, x: int)
        requires
            self.sound(),
            self.is_on(next.path@, next.level as nat, x, next.va as int),
            x < next.va,
            next.level == A::geo().levels || A::geo().index_of(next.va as int, next.level as nat)
                != 0,
        ensures
            self.is_visit(next),
            next.va == A::geo().limit() || next.va as int % A::geo().cover(next.level as nat) != 0,
    {
        let (geo, va, l) = (A::geo(), next.va as int, next.level as nat);
        let (base, cover) = (geo.base(x, l), geo.cover(l));
        geo.lemma_span(l);
        geo.lemma_bounds(x, l);
        geo.lemma_in_range(x, l);
        geo.lemma_index_zero(va, l);
        if va % cover == 0 {
            lemma_next_multiple(base, va, cover);
            geo.lemma_root(x);
        } else {
            lemma_mod_add_multiples_vanish(base, cover);
            geo.lemma_bounds(va, l);
            if geo.base(va, l) < base {
                lemma_next_multiple(geo.base(va, l), base, cover);
            }
            if base < geo.base(va, l) {
                lemma_next_multiple(base, geo.base(va, l), cover);
            }
            assert forall|k: nat| l <= k <= geo.levels implies home(geo, va, k) == home(
                geo,
                x,
                k,
            ) by {
                geo.lemma_same_base(va, x, l, k);
            }
            assert(self.is_path(next.path@, va, l));
        }
    }

    /// No table starts within an entry that leads to none, nor at its end from the level of `next` up.
    pub(super) proof fn lemma_passed(self, visit: Visit, next: Visit)
        requires
            self.sound(),
            self.is_on(visit.path@, visit.level as nat, visit.va as int, visit.va as int),
            self.entry_at(visit.va as int, visit.level as nat) is Table ==> visit.level == 2,
            visit.level <= next.level <= A::geo().levels,
            next.va == visit.va + A::geo().span(visit.level as nat),
            next.va == A::geo().limit() || next.va as int % A::geo().cover(next.level as nat) != 0,
        ensures
            self.is_past(visit, next),
    {
        let (m, geo) = (self.model(), A::geo());
        let (va, l) = (visit.va as int, visit.level as nat);
        assert forall|n: NodeId| #[trigger] self.perms@.contains_key(n) implies (next.is_before(n)
            <==> visit.is_before(n) && !(self.entry_at(va, l) is Table && n == home(
            geo,
            va,
            1,
        ))) by {
            assert(m.nodes.contains_key(n));
            geo.lemma_span(l);
            geo.lemma_span(1);
            geo.lemma_span(n.level);
            if va <= n.base < next.va && n.level < l {
                m.lemma_starts_below(n, va, l);
            }
            if va < n.base < next.va && n.level >= l {
                geo.lemma_multiple_below(n.base, l, n.level);
                lemma_next_multiple(va, n.base, geo.span(l));
            }
            if n.base == next.va && n.level >= next.level {
                geo.lemma_multiple_cover(n.base, next.level as nat, n.level);
            }
        }
    }
}

} // verus!
