//! How many entries are in use: every table but the root is, so a page is below each.

use super::{Model, NodeId, blank, home, used};
use crate::arch::entry::Entry;
use crate::arch::geometry::Geometry;
use vstd::prelude::*;

verus! {

/// What an entry adds to how many are in use.
pub(crate) open spec fn weight(e: Entry) -> nat {
    if e is Empty {
        0
    } else {
        1
    }
}

/// One entry changed.
pub(crate) proof fn lemma_used_update(s: Seq<Entry>, i: int, e: Entry)
    requires
        0 <= i < s.len(),
    ensures
        used(s.update(i, e)) == used(s) - weight(s[i]) + weight(e),
        used(s) >= weight(s[i]),
        used(s) <= s.len(),
        used(s.update(i, e)) <= s.len(),
    decreases s.len(),
{
    let t = s.update(i, e);
    lemma_used_at_most(s);
    lemma_used_at_most(t);
    if i == s.len() - 1 {
        assert(t.drop_last() =~= s.drop_last());
    } else {
        assert(t.drop_last() =~= s.drop_last().update(i, e));
        lemma_used_update(s.drop_last(), i, e);
    }
}

/// No more than all.
pub(crate) proof fn lemma_used_at_most(s: Seq<Entry>)
    ensures
        used(s) <= s.len(),
    decreases s.len(),
{
    if s.len() > 0 {
        lemma_used_at_most(s.drop_last());
    }
}

/// Where none is empty, all are in use.
pub(crate) proof fn lemma_used_full(s: Seq<Entry>)
    requires
        forall|i: int| 0 <= i < s.len() ==> !((#[trigger] s[i]) is Empty),
    ensures
        used(s) == s.len(),
    decreases s.len(),
{
    if s.len() > 0 {
        assert forall|i: int| 0 <= i < s.drop_last().len() implies !((
        #[trigger] s.drop_last()[i]) is Empty) by {
            assert(s.drop_last()[i] == s[i]);
        }
        lemma_used_full(s.drop_last());
    }
}

/// In a sequence of empty entries none is in use.
pub(crate) proof fn lemma_used_none(s: Seq<Entry>)
    requires
        forall|i: int| 0 <= i < s.len() ==> (#[trigger] s[i]) is Empty,
    ensures
        used(s) == 0,
    decreases s.len(),
{
    if s.len() > 0 {
        assert forall|i: int| 0 <= i < s.drop_last().len() implies (
        #[trigger] s.drop_last()[i]) is Empty by {
            assert(s.drop_last()[i] == s[i]);
        }
        lemma_used_none(s.drop_last());
    }
}

/// Where none is in use, all are empty.
pub(crate) proof fn lemma_used_zero(s: Seq<Entry>)
    requires
        used(s) == 0,
    ensures
        forall|i: int| 0 <= i < s.len() ==> (#[trigger] s[i]) is Empty,
{
    assert forall|i: int| 0 <= i < s.len() implies (#[trigger] s[i]) is Empty by {
        lemma_used_update(s, i, Entry::Empty);
    }
}

/// Where one is in use, the others are empty.
pub(crate) proof fn lemma_used_one(s: Seq<Entry>, i: int)
    requires
        used(s) == 1,
        0 <= i < s.len(),
        !(s[i] is Empty),
    ensures
        forall|j: int| 0 <= j < s.len() && j != i ==> (#[trigger] s[j]) is Empty,
{
    let t = s.update(i, Entry::Empty);
    lemma_used_update(s, i, Entry::Empty);
    lemma_used_zero(t);
    assert forall|j: int| 0 <= j < s.len() && j != i implies (#[trigger] s[j]) is Empty by {
        assert(t[j] == s[j]);
    }
}

/// A new table is not in use.
pub(crate) proof fn lemma_used_blank(geo: Geometry, l: nat)
    ensures
        used(blank(geo, l)) == 0,
{
    lemma_used_none(blank(geo, l));
}

impl Model {
    /// What is noted of an address's table.
    pub(crate) proof fn lemma_noted(self, va: int, l: nat)
        requires
            self.inv(),
            self.in_range(va),
            1 <= l < self.geo.levels,
            self.nodes.contains_key(home(self.geo, va, l)),
        ensures
            self.noted(home(self.geo, va, l)) == self.entry_at(va, l + 1)->used,
            self.entry_at(va, l + 1) is Table,
            self.parent(home(self.geo, va, l)) == home(self.geo, va, l + 1),
            self.nodes.contains_key(home(self.geo, va, l + 1)),
    {
        self.lemma_step(va, l);
        self.lemma_chain(va, l, l + 1);
    }

    /// Above the root nothing is noted.
    pub(crate) proof fn lemma_root_counted(self)
        requires
            self.inv(),
            self.counted_but(self.root()),
        ensures
            self.counted(),
    {
    }

    /// After a change that isn't of a table, one number is to be noted anew.
    pub(crate) proof fn lemma_put_counted(self, n: NodeId, i: int, e: Entry)
        requires
            self.inv(),
            self.counted_but(n),
            self.nodes.contains_key(n),
            0 <= i < self.geo.entries(n.level),
            !(self.nodes[n].entries[i] is Table),
            !(e is Table),
        ensures
            self.put(n, i, e).counted_but(n),
            used(self.put(n, i, e).nodes[n].entries) == used(self.nodes[n].entries) - weight(
                self.nodes[n].entries[i],
            ) + weight(e),
            used(self.nodes[n].entries) >= weight(self.nodes[n].entries[i]),
            used(self.put(n, i, e).nodes[n].entries) <= self.geo.entries(n.level),
    {
        let q = self.put(n, i, e);
        lemma_used_update(self.nodes[n].entries, i, e);
        assert forall|m: NodeId| #[trigger]
            q.nodes.contains_key(m) && m.level < q.geo.levels && m != n implies q.count_ok(m) by {
            assert(self.nodes.contains_key(m));
            assert(self.count_ok(m));
            self.lemma_referred(m);
            assert(q.parent(m) == self.parent(m));
        }
    }

    /// A chain whose entries note that each table has one entry, linked: one number is to be noted anew.
    pub(crate) proof fn lemma_attach_counted(self, q: Model, va: int, hi: nat, lo: nat)
        requires
            self.inv(),
            self.counted(),
            self.attached(q, va, hi, lo),
            q.inv(),
            forall|l: nat| lo < l <= hi + 1 ==> (#[trigger] q.entry_at(va, l))->used == 1,
            !(q.entry_at(va, lo) is Empty),
        ensures
            q.counted_but(home(self.geo, va, hi + 1)),
            used(q.nodes[home(self.geo, va, hi + 1)].entries) == used(
                self.nodes[home(self.geo, va, hi + 1)].entries,
            ) + 1,
            used(q.nodes[home(self.geo, va, hi + 1)].entries) <= self.geo.entries(hi + 1),
    {
        let top = home(self.geo, va, hi + 1);
        let e = q.entry_at(va, hi + 1);
        self.lemma_home(va, hi + 1);
        lemma_used_update(self.nodes[top].entries, self.geo.index_of(va, hi + 1), e);
        assert forall|m: NodeId| #[trigger]
            q.nodes.contains_key(m) && m.level < q.geo.levels && m != top implies q.count_ok(m) by {
            assert(q.parent(m) == self.parent(m));
            if self.nodes.contains_key(m) {
                assert(self.count_ok(m));
                self.lemma_referred(m);
            } else {
                let l = m.level;
                let e = q.entry_at(va, l);
                self.lemma_home(va, l);
                lemma_used_blank(self.geo, l);
                lemma_used_update(blank(self.geo, l), self.geo.index_of(va, l), e);
                q.lemma_noted(va, l);
            }
        }
    }

    /// An empty table linked that stays: what is noted of it is to be noted anew.
    pub(crate) proof fn lemma_pin_counted(self, q: Model, va: int, l: nat)
        requires
            self.inv(),
            self.counted(),
            self.attached(q, va, l, l),
            q.inv(),
            self.is_pinned(l),
            q.entry_at(va, l) is Empty,
        ensures
            q.counted_but(home(self.geo, va, l)),
            used(q.nodes[home(self.geo, va, l)].entries) == 0,
    {
        let n = home(self.geo, va, l);
        let top = home(self.geo, va, l + 1);
        self.lemma_home(va, l + 1);
        assert(self.on_path(va, l, l, n));
        self.lemma_home(va, l);
        lemma_used_blank(self.geo, l);
        lemma_used_update(blank(self.geo, l), self.geo.index_of(va, l), Entry::Empty);
        assert forall|m: NodeId| #[trigger]
            q.nodes.contains_key(m) && m.level < q.geo.levels && m != n implies q.count_ok(m) by {
            assert(q.parent(m) == self.parent(m));
            assert(self.nodes.contains_key(m) || self.on_path(va, l, l, m));
            assert(self.count_ok(m));
            self.lemma_referred(m);
            assert(m != top && q.nodes[m] == self.nodes[m]);
            assert(q.noted(m) == self.noted(m));
        }
    }

    /// A chain taken away: one number is to be noted anew.
    pub(crate) proof fn lemma_detach_counted(self, q: Model, va: int, hi: nat, lo: nat)
        requires
            self.inv(),
            q.inv(),
            q.counted_but(home(self.geo, va, lo)),
            self.attached(q, va, hi, lo),
        ensures
            self.counted_but(home(self.geo, va, hi + 1)),
            used(self.nodes[home(self.geo, va, hi + 1)].entries) == used(
                q.nodes[home(self.geo, va, hi + 1)].entries,
            ) - 1,
    {
        let top = home(self.geo, va, hi + 1);
        let e = q.entry_at(va, hi + 1);
        self.lemma_home(va, hi + 1);
        lemma_used_update(self.nodes[top].entries, self.geo.index_of(va, hi + 1), e);
        assert forall|m: NodeId| #[trigger]
            self.nodes.contains_key(m) && m.level < self.geo.levels && m
                != top implies self.count_ok(m) by {
            assert(q.nodes.contains_key(m));
            assert(q.count_ok(m));
            assert(q.parent(m) == self.parent(m));
            self.lemma_referred(m);
        }
    }

    /// The number that was to be noted, noted: all are right.
    pub(crate) proof fn lemma_note_counted(self, va: int, l: nat, u: int)
        requires
            self.inv(),
            self.in_range(va),
            1 <= l < self.geo.levels,
            self.nodes.contains_key(home(self.geo, va, l)),
            self.counted_but(home(self.geo, va, l)),
            u == used(self.nodes[home(self.geo, va, l)].entries),
            u >= 1 || self.is_pinned(l),
        ensures
            self.put(
                home(self.geo, va, l + 1),
                self.geo.index_of(va, l + 1),
                Entry::Table { table: self.entry_at(va, l + 1)->table, used: u as u16 },
            ).counted(),
    {
        let n = home(self.geo, va, l);
        let p = home(self.geo, va, l + 1);
        let i = self.geo.index_of(va, l + 1);
        let e = Entry::Table { table: self.entry_at(va, l + 1)->table, used: u as u16 };
        let q = self.put(p, i, e);
        self.lemma_step(va, l);
        self.lemma_noted(va, l);
        self.geo.lemma_span(l);
        lemma_used_at_most(self.nodes[n].entries);
        lemma_used_update(self.nodes[p].entries, i, e);
        assert forall|m: NodeId| #[trigger]
            q.nodes.contains_key(m) && m.level < q.geo.levels implies q.count_ok(m) by {
            assert(self.nodes.contains_key(m));
            assert(m != n ==> self.count_ok(m));
            assert(q.parent(m) == self.parent(m));
            self.lemma_referred(m);
        }
    }

    /// Below every table something is mapped, but for the root where tables stay while they are empty.
    pub(crate) proof fn lemma_below(self, va: int, l: nat)
        requires
            self.inv(),
            self.counted(),
            self.in_range(va),
            1 <= l <= self.geo.levels,
            self.nodes.contains_key(home(self.geo, va, l)),
            self.entry_at(va, l) is Table,
            self.pins ==> l < self.geo.levels,
        ensures
            exists|at: int|
                va - va % self.geo.span(l) <= at < va - va % self.geo.span(l) + self.geo.span(l)
                    && self.in_range(at) && #[trigger] self.is_mapped(at),
        decreases l,
    {
        self.lemma_home(va, l);
        assert(self.slot_ok(home(self.geo, va, l), self.geo.index_of(va, l)));
        let below = (l - 1) as nat;
        let n = home(self.geo, va, below);
        let s = self.nodes[n].entries;
        let start = va - va % self.geo.span(l);
        self.lemma_down(va, l);
        self.lemma_noted(va, below);
        self.lemma_home(va, below);
        assert(self.count_ok(n));
        self.geo.lemma_decompose(va, l);
        self.geo.lemma_child_base(va, l);
        self.geo.lemma_span(below);
        assert(start == n.base && self.geo.span(l) == self.geo.cover(below));
        // one of the child's entries is in use
        if forall|j: int| 0 <= j < s.len() ==> (#[trigger] s[j]) is Empty {
            lemma_used_none(s);
        }
        let j = choose|j: int| 0 <= j < s.len() && !((#[trigger] s[j]) is Empty);
        let x = n.base + j * self.geo.span(below);
        self.lemma_first(n, j);
        assert(self.entry_at(x, below) == s[j]);
        let at = if s[j] is Page {
            assert(self.page_at(x, below));
            self.geo.lemma_bounds(x, below);
            x
        } else {
            self.lemma_below(x, below);
            let at = choose|at: int|
                x - x % self.geo.span(below) <= at < x - x % self.geo.span(below) + self.geo.span(
                    below,
                ) && self.in_range(at) && #[trigger] self.is_mapped(at);
            // it is in the child's range too
            self.lemma_same_slot(at, x, below);
            self.geo.lemma_bounds(at, below);
            at
        };
        assert(self.is_mapped(at));
    }
}

} // verus!
