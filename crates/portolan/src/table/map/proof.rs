//! What is in the way of a page, and what isn't.

use super::super::chain::Chain;
use super::super::descend::Descent;
use super::super::model::{Model, NodeId, home, used};
use super::super::proof::lemma_spans_grow;
use super::super::tree::Tree;
use super::Obstacle;
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, Entry, EntryFormat};
use crate::arch::geometry::Geometry;
use crate::arith::lemma_nth;
use crate::hw::memory::TableMemory;
use vstd::prelude::*;

verus! {

/// Addresses that share an entry share all those above it.
proof fn lemma_same_way(geo: Geometry, va: int, at: int, l: nat, k: nat)
    requires
        geo.wf(),
        0 <= va,
        0 <= at,
        1 <= l <= k <= geo.levels,
        geo.base(va, l) == geo.base(at, l),
        geo.index_of(va, l) == geo.index_of(at, l),
    ensures
        geo.base(va, k) == geo.base(at, k),
        geo.index_of(va, k) == geo.index_of(at, k),
    decreases k,
{
    if k > l {
        let m = (k - 1) as nat;
        lemma_same_way(geo, va, at, l, m);
        geo.lemma_parent_base(va, m);
        geo.lemma_parent_base(at, m);
    }
}

/// The addresses of a page share the page's entry.
pub(crate) proof fn lemma_in_page(geo: Geometry, va: int, at: int, l: nat, k: nat)
    requires
        geo.wf(),
        0 <= va < geo.limit(),
        1 <= l <= k <= geo.levels,
        va % geo.span(l) == 0,
        va <= at < va + geo.span(l),
    ensures
        geo.base(va, k) == geo.base(at, k),
        geo.index_of(va, k) == geo.index_of(at, k),
        0 <= at < geo.limit(),
{
    let b = geo.base(va, l);
    let i = geo.index_of(va, l);
    geo.lemma_bounds(va, l);
    geo.lemma_decompose(va, l);
    geo.lemma_in_range(va, l);
    geo.lemma_span(l);
    lemma_nth(i, geo.entries(l), geo.span(l));
    geo.lemma_slot(at, l, b, i);
    lemma_same_way(geo, va, at, l, k);
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// Below an empty entry nothing is mapped.
    pub(crate) proof fn lemma_vacant(self, va: int, l: nat, k: nat)
        requires
            self.sound(),
            self.model().in_range(va),
            1 <= l <= k <= A::geo().levels,
            va % A::geo().span(l) == 0,
            self.perms@.contains_key(home(A::geo(), va, k)),
            self.entry_at(va, k) is Empty,
        ensures
            !self.space().overlaps(va, A::geo().span(l)),
            !self.space().pages.contains_key(va),
    {
        let m = self.model();
        assert forall|at: int| va <= at < va + A::geo().span(l) implies !(
        #[trigger] self.space().lookup(at) is Some) by {
            lemma_in_page(A::geo(), va, at, l, k);
            assert(m.nodes.contains_key(home(A::geo(), at, k)));
            m.lemma_stop(at, k);
            m.lemma_lookup::<A>(at);
        }
        m.lemma_stop(va, k);
        m.lemma_no_page::<A>(va);
    }

    /// Where there is a table of level `l`, no larger page covers the address.
    pub(crate) proof fn lemma_no_larger(self, va: int, l: nat)
        requires
            self.sound(),
            self.model().in_range(va),
            1 <= l <= A::geo().levels,
            self.perms@.contains_key(home(A::geo(), va, l)),
        ensures
            self.space().lookup(va) matches Some(m) ==> m.size.bytes() <= A::geo().span(l),
    {
        let m = self.model();
        m.lemma_lookup::<A>(va);
        if m.is_mapped(va) {
            let j = m.level_of(va);
            assert(m.page_at(va, j));
            A::geo().lemma_bounds(va, j);
            assert(m.nodes.contains_key(home(A::geo(), va, j)));
            assert(m.nodes[home(A::geo(), va, j)].entries[A::geo().index_of(va, j)] is Page);
            A::lemma_page_size(j);
            if j > l {
                m.lemma_chain(va, l, j);
            }
            lemma_spans_grow(A::geo(), j, l);
        }
    }

    /// What a descent meets that isn't empty is in the way.
    pub(crate) proof fn lemma_obstacle(self, va: int, l: nat, d: Descent)
        requires
            self.sound(),
            self.is_descent(va, l, d),
            1 <= l,
            A::page_size(l) is Some,
            va % A::geo().span(l) == 0,
            !(d.entry is Empty),
        ensures
            self.is_obstacle(va, l, Obstacle::Mapped { level: d.stop.level }),
            d.stop.level > l ==> d.entry is Page,
            d.entry is Page ==> self.space().lookup(va) == Some(
                Model::mapping::<A>(self.entry_at(va, d.stop.level as nat), d.stop.level as nat),
            ) && self.space().base(va) == va - va % A::geo().span(d.stop.level as nat)
                && A::page_size(d.stop.level as nat) is Some && self.entry_at(
                va,
                d.stop.level as nat,
            ) is Page,
    {
        let m = self.model();
        let k = d.stop.level as nat;
        let n = home(A::geo(), va, k);
        assert(m.nodes.contains_key(n));
        A::geo().lemma_bounds(va, k);
        A::geo().lemma_span(l);
        self.lemma_no_larger(va, k);
        assert(m.entry_at(va, k) == m.nodes[n].entries[A::geo().index_of(va, k)]);
        if d.entry is Table {
            A::lemma_pins();
            m.lemma_below(va, k);
            let at = choose|at: int|
                va - va % A::geo().span(l) <= at < va - va % A::geo().span(l) + A::geo().span(l)
                    && m.in_range(at) && #[trigger] m.is_mapped(at);
            m.lemma_lookup::<A>(at);
            assert(self.space().lookup(at) is Some);
        } else {
            m.lemma_stop(va, k);
            m.lemma_lookup::<A>(va);
            assert(self.space().lookup(va) is Some);
        }
    }

    /// What linking a new chain needs.
    pub(super) proof fn lemma_may_hang(self, old: Self, va: int, d: Descent, chain: Chain<A>)
        requires
            old.inv(),
            old.is_descent(va, chain.lo as nat, d),
            d.entry is Empty,
            self.unchanged_from(old),
            chain.inv(self.phys_bits()),
            chain.offset == va,
            chain.hi + 1 == d.stop.level,
            chain.page() is Page,
            Self::preset(chain.page()),
            chain.is_added(old.frames.held(), self.frames.held()),
        ensures
            self.may_hang(va, d, chain),
    {
        self.lemma_same_descent(old, va, chain.lo as nat, d);
    }

    /// A descent of a tree is one of the same tree.
    pub(crate) proof fn lemma_same_descent(self, old: Self, va: int, l: nat, d: Descent)
        requires
            old.is_descent(va, l, d),
            self.perms@ == old.perms@,
            self.phys_bits() == old.phys_bits(),
        ensures
            self.is_descent(va, l, d),
    {
        assert(self.model() == old.model());
        assert forall|m: nat| self.is_lone(va, m) == #[trigger] old.is_lone(va, m) by {}
        assert forall|m: nat| #[trigger] self.entry_at(va, m) == old.entry_at(va, m) by {}
        assert forall|m: nat| d.stop.level <= m < d.cut.level implies #[trigger] self.is_lone(
            va,
            m,
        ) by {
            assert(old.is_lone(va, m));
        }
        assert forall|m: nat| d.stop.level < m <= d.cut.level implies (#[trigger] self.entry_at(
            va,
            m,
        )) is Table && (m < d.cut.level ==> self.entry_at(va, m)->used == 1) by {
            assert(old.entry_at(va, m) is Table);
        }
    }

    /// A new chain was linked.
    pub(super) proof fn lemma_hung(
        self,
        old: Self,
        before: Self,
        va: int,
        d: Descent,
        chain: Chain<A>,
    )
        requires
            old.inv(),
            before.unchanged_from(old),
            chain.is_added(old.frames.held(), before.frames.held()),
            self.is_hung_from(before, va, d, chain),
        ensures
            self.inv(),
            self.put_from(old, va, chain.lo as nat, chain.page()),
    {
    }

    /// After the chain was linked only the count above it is missing.
    pub(super) proof fn lemma_after_link(self, old: Self, va: int, d: Descent, chain: Chain<A>)
        requires
            old.may_hang(va, d, chain),
            self.linked_from(old, va, d.stop.level as nat, chain),
        ensures
            self.is_stop(va, d.stop),
            self.model().counted_but(home(A::geo(), va, d.stop.level as nat)),
            self.noted(va, d.stop.level as nat) <= A::geo().entries(d.stop.level as nat),
            self.noted(va, d.stop.level as nat) >= 1,
            d.stop.level < A::geo().levels && A::counts() ==> d.stop.used + 1 == self.noted(
                va,
                d.stop.level as nat,
            ),
            d.stop.used <= 8192,
            d.stop.used + 1 <= A::geo().entries(d.stop.level as nat),
            forall|n: NodeId| #[trigger]
                self.perms@.dom().contains(n) <==> old.perms@.dom().contains(n)
                    || old.model().on_path(va, chain.lo as nat, chain.hi as nat, n),
    {
        A::geo().lemma_span(d.stop.level as nat);
        let l = d.stop.level as nat;
        let n = home(A::geo(), va, l);
        let was = old.model();
        let now = self.model();
        assert forall|k: nat| chain.lo < k <= l implies (#[trigger] now.entry_at(va, k))->used
            == 1 by {
            assert(self.entry_at(va, k)->used == 1);
        }
        was.lemma_attach_counted(now, va, chain.hi as nat, chain.lo as nat);
        assert(was.nodes.contains_key(n) && now.nodes.contains_key(n));
        assert(now.nodes[n].table == was.nodes[n].table);
        if l < A::geo().levels {
            old.lemma_bounded(va, d.stop);
            let up = home(A::geo(), va, l + 1);
            assert(was.nodes.contains_key(up) && now.nodes.contains_key(up));
            assert(now.nodes[up] == was.nodes[up]);
        }
        assert forall|m: NodeId| #[trigger]
            self.perms@.dom().contains(m) <==> old.perms@.dom().contains(m) || old.model().on_path(
                va,
                chain.lo as nat,
                chain.hi as nat,
                m,
            ) by {
            assert(now.nodes.contains_key(m) <==> was.nodes.contains_key(m) || was.on_path(
                va,
                chain.lo as nat,
                chain.hi as nat,
                m,
            ));
        }
    }

    /// The count is noted: the page is mapped.
    pub(in super::super) proof fn lemma_steps(self, old: Self, mid: Self)
        requires
            mid.phys_bits() == old.phys_bits(),
            mid.root == old.root,
            mid.trace@ == old.trace@.push(mid.perms@),
            self.space() == mid.space(),
            self.phys_bits() == mid.phys_bits(),
            self.root == mid.root,
            self.trace@ == mid.trace@ || self.trace@ == mid.trace@.push(self.perms@),
        ensures
            self.steps_from(old),
    {
    }
}

} // verus!
