//! Each table that is missing is counted once.

use super::super::super::descend::Descent;
use super::super::super::map::proof::lemma_in_page;
use super::super::super::model::{Model, NodeId, home};
use super::super::super::plan::proof::lemma_same_table;
use super::super::super::tree::Tree;
use super::super::leaf::Leaf;
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, EntryFormat};
use crate::hw::memory::TableMemory;
use vstd::prelude::*;

verus! {

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// Where nothing is mapped, no table is needed.
    proof fn lemma_served_free(self, into: Self, p: Set<NodeId>, lo: int, at: int, hi: int)
        requires
            self.sound(),
            self.is_served(into, p, lo, at),
            self.space().is_free(at, hi),
        ensures
            self.is_served(into, p, lo, hi),
    {
        assert forall|x: int, j: nat| lo <= x < hi implies #[trigger] self.is_served_at(
            into,
            p,
            x,
            j,
        ) by {
            if at <= x && self.model().in_range(x) {
                self.model().lemma_lookup::<A>(x);
                assert(self.space().translate(x) is None);
            }
        }
    }

    /// All tables that are missing are counted.
    pub(super) proof fn lemma_counted_all(
        self,
        into: Self,
        p: Set<NodeId>,
        lo: int,
        at: int,
        hi: int,
        done: int,
    )
        requires
            self.sound(),
            self.is_counting(into, p, lo, at, done),
            self.space().is_free(at, hi),
        ensures
            self.is_served(into, p, lo, hi),
    {
        self.lemma_served_free(into, p, lo, at, hi);
    }

    /// Where nothing is mapped here, the tables end above a page of `from` or at its level.
    pub(super) proof fn lemma_lacks(
        self,
        from: Self,
        lo: int,
        at: int,
        hi: int,
        leaf: Leaf,
        d: Descent,
    )
        requires
            self.sound(),
            from.sound(),
            lo <= at < hi <= A::geo().limit(),
            self.is_untranslated(lo, hi),
            !from.space().is_cut(lo, hi),
            from.is_leaf(leaf),
            leaf.start < hi,
            from.space().is_next_page(at, leaf.start as int),
            self.is_descent(leaf.start as int, leaf.level as nat, d),
        ensures
            self.is_stopped(leaf.start as int, leaf.level as nat, d.stop.level as nat),
            leaf.level <= d.stop.level <= A::geo().levels <= 5,
    {
        from.lemma_in_whole(lo, at, hi, leaf);
        self.lemma_stopped(leaf, hi, d);
    }

    /// As for any page in a range where nothing is mapped here.
    pub(crate) proof fn lemma_stopped(self, leaf: Leaf, hi: int, d: Descent)
        requires
            self.sound(),
            1 <= leaf.level,
            A::page_size(leaf.level as nat) is Some,
            leaf.start as int % A::geo().span(leaf.level as nat) == 0,
            leaf.span == A::geo().span(leaf.level as nat),
            leaf.start + leaf.span <= hi <= A::geo().limit(),
            self.is_untranslated(leaf.start as int, hi),
            self.is_descent(leaf.start as int, leaf.level as nat, d),
        ensures
            d.entry is Empty,
            self.is_stopped(leaf.start as int, leaf.level as nat, d.stop.level as nat),
            leaf.level <= d.stop.level <= A::geo().levels <= 5,
    {
        let (va, l, k) = (leaf.start as int, leaf.level as nat, d.stop.level as nat);
        let m = self.model();
        self.lemma_vacant_entry(va, hi, l, d);
        assert(m.nodes.contains_key(home(A::geo(), va, k)));
        m.lemma_stop(va, k);
        assert forall|j: nat| k <= j < A::geo().levels implies self.perms@.dom().contains(
            #[trigger] home(A::geo(), va, j),
        ) by {
            self.lemma_above(va, d, home(A::geo(), va, j));
        }
        assert forall|j: nat| l <= j < k implies !self.perms@.dom().contains(
            #[trigger] home(A::geo(), va, j),
        ) by {
            assert(!m.nodes.contains_key(home(A::geo(), va, j)));
        }
    }

    /// The tables from a page's level up are there.
    pub(crate) proof fn lemma_has_above(self, leaf: Leaf, k: nat)
        requires
            self.sound(),
            self.is_leaf(leaf),
            leaf.level <= k <= A::geo().levels,
        ensures
            self.perms@.contains_key(home(A::geo(), leaf.start as int, k)),
    {
        let m = self.model();
        if leaf.level < k {
            m.lemma_chain(leaf.start as int, leaf.level as nat, k);
        }
        assert(m.nodes.contains_key(home(A::geo(), leaf.start as int, k)));
    }

    /// A table that is missing was not counted iff it starts after the last page for which tables were.
    pub(super) proof fn lemma_uncounted(
        self,
        into: Self,
        p: Set<NodeId>,
        q: Set<NodeId>,
        lo: int,
        at: int,
        done: int,
        leaf: Leaf,
        k: nat,
    )
        requires
            self.sound(),
            self.is_leaf(leaf),
            leaf.level <= k < A::geo().levels,
            at < leaf.start + leaf.span,
            self.is_counting(into, p, lo, at, done),
            self.is_counted_to(p, q, leaf, k),
            !into.perms@.contains_key(home(A::geo(), leaf.start as int, k)),
        ensures
            ({
                let n = home(A::geo(), leaf.start as int, k);
                let first = leaf.start - leaf.start as int % A::geo().span(k + 1);
                &&& first == n.base
                &&& first >= done ==> {
                    &&& q.insert(n).len() == q.len() + 1
                    &&& self.is_counted_to(p, q.insert(n), leaf, k + 1)
                }
                &&& first < done ==> self.is_counted_to(p, q, leaf, k + 1) && p.contains(n)
            }),
    {
        let n = home(A::geo(), leaf.start as int, k);
        A::geo().lemma_span(k);
        if n.base >= done {
            assert(!q.contains(n));
        } else {
            self.lemma_was_counted(into, p, lo, at, done, leaf, k);
        }
    }

    /// A table that starts before the last page for which tables were counted was counted.
    proof fn lemma_was_counted(
        self,
        into: Self,
        p: Set<NodeId>,
        lo: int,
        at: int,
        done: int,
        leaf: Leaf,
        k: nat,
    )
        requires
            self.sound(),
            self.is_leaf(leaf),
            leaf.level <= k < A::geo().levels,
            at < leaf.start + leaf.span,
            self.is_counting(into, p, lo, at, done),
            !into.perms@.contains_key(home(A::geo(), leaf.start as int, k)),
            A::geo().base(leaf.start as int, k) < done,
        ensures
            p.contains(home(A::geo(), leaf.start as int, k)),
    {
        reveal(Model::space);
        let (va, x) = (leaf.start as int, done - 1);
        A::geo().lemma_span(k);
        A::geo().lemma_bounds(va, k);
        self.lemma_in_table(leaf, k);
        lemma_same_table(A::geo(), va, x, k);
        self.lemma_has_above(leaf, k);
        assert(self.is_served_at(into, p, x, k));
    }

    /// A page lies in its tables.
    proof fn lemma_in_table(self, leaf: Leaf, k: nat)
        requires
            self.sound(),
            self.is_leaf(leaf),
            leaf.level <= k <= A::geo().levels,
        ensures
            A::geo().base(leaf.start as int, k) <= leaf.start,
            leaf.start + leaf.span <= A::geo().base(leaf.start as int, k) + A::geo().cover(k),
    {
        let geo = A::geo();
        let (va, l) = (leaf.start as int, leaf.level as nat);
        let x = va + leaf.span - 1;
        geo.lemma_span(l);
        geo.lemma_bounds(va, k);
        lemma_in_page(geo, va, x, l, k);
        geo.lemma_bounds(x, k);
    }

    /// The tables for a page are counted, and so are those for all others in its table if that is one of the lowest level.
    pub(super) proof fn lemma_counted(
        self,
        into: Self,
        p: Set<NodeId>,
        q: Set<NodeId>,
        lo: int,
        at: int,
        hi: int,
        leaf: Leaf,
        next: int,
    )
        requires
            self.sound(),
            exists|done: int| self.is_counting(into, p, lo, at, done),
            lo <= at < hi <= A::geo().limit(),
            self.is_leaf(leaf),
            leaf.start < hi,
            !self.space().is_cut(lo, hi),
            self.space().is_next_page(at, leaf.start as int),
            forall|m: NodeId| #[trigger] p.contains(m) ==> q.contains(m),
            forall|m: NodeId| #[trigger] q.contains(m) ==> p.contains(m) || m.base <= leaf.start,
            forall|j: nat|
                leaf.level <= j < A::geo().levels ==> q.contains(
                    #[trigger] home(A::geo(), leaf.start as int, j),
                ) || into.perms@.contains_key(home(A::geo(), leaf.start as int, j)),
            next == if leaf.level == 1 {
                A::geo().base(leaf.start as int, 1) + A::geo().cover(1)
            } else {
                leaf.start + leaf.span
            },
        ensures
            self.is_counting(into, q, lo, next, leaf.start + 1),
            at < next <= A::geo().limit(),
    {
        let geo = A::geo();
        let (va, l) = (leaf.start as int, leaf.level as nat);
        let m = self.model();
        let done = choose|done: int| self.is_counting(into, p, lo, at, done);
        self.lemma_in_whole(lo, at, hi, leaf);
        self.lemma_in_table(leaf, l);
        geo.lemma_in_range(va, l);
        assert forall|x: int, j: nat| lo <= x < next implies #[trigger] self.is_served_at(
            into,
            q,
            x,
            j,
        ) by {
            if x < at {
                assert(self.is_served_at(into, p, x, j));
            } else if x < va {
                self.lemma_served_free(into, q, at, at, va);
                assert(self.is_served_at(into, q, x, j));
            } else if 1 <= j < geo.levels && self.perms@.contains_key(home(geo, x, j)) {
                self.lemma_tables_of(leaf, x, j);
            }
        }
        if va < done {
            self.lemma_alone_in(leaf, done - 1);
        }
    }

    /// The tables for an address of a page, or of a lowest table that has one, are the page's.
    proof fn lemma_tables_of(self, leaf: Leaf, x: int, j: nat)
        requires
            self.sound(),
            self.is_leaf(leaf),
            leaf.start <= x,
            x < if leaf.level == 1 {
                A::geo().base(leaf.start as int, 1) + A::geo().cover(1)
            } else {
                leaf.start + leaf.span
            },
            1 <= j < A::geo().levels,
            self.perms@.contains_key(home(A::geo(), x, j)),
        ensures
            leaf.level <= j,
            home(A::geo(), x, j) == home(A::geo(), leaf.start as int, j),
    {
        let geo = A::geo();
        let (va, l) = (leaf.start as int, leaf.level as nat);
        let m = self.model();
        geo.lemma_bounds(va, l);
        if l == 1 {
            lemma_same_table(geo, va, x, 1);
            geo.lemma_same_base(x, va, 1, j);
        } else {
            lemma_in_page(geo, va, x, l, l);
            assert(m.page_at(x, l));
            m.lemma_stop(x, l);
            assert(m.nodes.contains_key(home(geo, x, j)));
            lemma_in_page(geo, va, x, l, j);
        }
    }
}

/// Where the lowest table for an address ends.
pub(super) proof fn lemma_table_end<A: PagingMode>(va: u64)
    requires
        va < A::geo().limit(),
    ensures
        A::geo().span(2) - 1 <= u64::MAX,
        (va & !((A::geo().span(2) - 1) as u64)) + A::geo().span(2) == A::geo().base(va as int, 1)
            + A::geo().cover(1),
        A::geo().base(va as int, 1) + A::geo().cover(1) <= A::geo().limit(),
        A::geo().limit() <= 0x200_0000_0000_0000,
        2 <= A::geo().levels,
{
    A::lemma_geometry();
    A::geo().lemma_limit();
    A::geo().lemma_span(1);
    A::geo().lemma_align_down(va, 2);
    A::geo().lemma_in_range(va as int, 1);
}

} // verus!
