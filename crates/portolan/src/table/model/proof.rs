//! What follows from a tree's being one, and what becomes of its meaning with each change.
//!
//! In order: the tables for one address, what the address space says of an address, the change of one entry.

use super::{Model, NodeId, home};
use crate::arch::entry::{Entry, EntryFormat};
use crate::arch::geometry::Geometry;
use vstd::arithmetic::mul::{lemma_mul_is_distributive_add_other_way, lemma_mul_nonnegative};
use vstd::prelude::*;

verus! {

// ---- the tables for one address
impl Model {
    /// The root is every address's table of the top level.
    pub(crate) proof fn lemma_home_root(self, va: int)
        requires
            self.inv(),
            self.in_range(va),
        ensures
            home(self.geo, va, self.geo.levels as nat) == self.root(),
    {
        self.geo.lemma_root(va);
    }

    /// Up and down between an address's tables of two levels.
    pub(crate) proof fn lemma_step(self, va: int, l: nat)
        requires
            self.geo.wf(),
            0 <= va,
            1 <= l < self.geo.levels,
        ensures
            self.parent(home(self.geo, va, l)) == home(self.geo, va, l + 1),
            self.geo.index_of(self.geo.base(va, l), l + 1) == self.geo.index_of(va, l + 1),
            self.child(home(self.geo, va, l + 1), self.geo.index_of(va, l + 1)) == home(
                self.geo,
                va,
                l,
            ),
            0 <= self.geo.index_of(va, l + 1) < self.geo.entries(l + 1),
    {
        self.geo.lemma_parent_base(va, l);
        self.geo.lemma_child_base(va, l + 1);
        self.geo.lemma_bounds(va, l + 1);
    }

    /// An address has a table at each level, within the tree.
    pub(crate) proof fn lemma_home(self, va: int, l: nat)
        requires
            self.geo.wf(),
            self.in_range(va),
            1 <= l <= self.geo.levels,
        ensures
            self.place_ok(home(self.geo, va, l)),
            0 <= self.geo.index_of(va, l) < self.geo.entries(l),
    {
        self.geo.lemma_bounds(va, l);
        self.geo.lemma_in_range(va, l);
    }

    /// A table that an entry can refer to has its place in the tree, and is referred to by that entry only.
    pub(crate) proof fn lemma_child_place(self, n: NodeId, i: int)
        requires
            self.geo.wf(),
            self.place_ok(n),
            n.level > 1,
            0 <= i < self.geo.entries(n.level),
        ensures
            self.place_ok(self.child(n, i)),
            self.parent(self.child(n, i)) == n,
            self.geo.index_of(self.child(n, i).base, n.level) == i,
            self.geo.base(self.child(n, i).base, (n.level - 1) as nat) == self.child(n, i).base,
    {
        self.geo.lemma_child(n.level, n.base, i);
        self.geo.lemma_span(n.level);
        lemma_mul_nonnegative(i, self.geo.span(n.level));
    }

    /// Only the address's own entry refers to an address's table.
    pub(crate) proof fn lemma_only_entry(self, va: int, n: NodeId, i: int)
        requires
            self.geo.wf(),
            0 <= va,
            self.place_ok(n),
            n.level > 1,
            0 <= i < self.geo.entries(n.level),
            self.child(n, i) == home(self.geo, va, (n.level - 1) as nat),
        ensures
            n == home(self.geo, va, n.level),
            i == self.geo.index_of(va, n.level),
    {
        self.lemma_child_place(n, i);
        self.lemma_step(va, (n.level - 1) as nat);
    }

    /// A present table, and those above it on the way to an address, are referred to.
    pub(crate) proof fn lemma_chain(self, va: int, l: nat, m: nat)
        requires
            self.inv(),
            self.in_range(va),
            1 <= l < m <= self.geo.levels,
            self.nodes.contains_key(home(self.geo, va, l)),
        ensures
            self.nodes.contains_key(home(self.geo, va, m)),
            self.entry_at(va, m) is Table,
        decreases m,
    {
        let k = (m - 1) as nat;
        if k > l {
            self.lemma_chain(va, l, k);
        }
        self.lemma_step(va, k);
        assert(self.slot_ok(home(self.geo, va, m), self.geo.index_of(va, m)));
    }

    /// At most one level maps an address.
    pub(crate) proof fn lemma_unique(self, va: int, l1: nat, l2: nat)
        requires
            self.inv(),
            self.in_range(va),
            self.page_at(va, l1),
            self.page_at(va, l2),
        ensures
            l1 == l2,
    {
        if l1 < l2 {
            self.lemma_chain(va, l1, l2);
        }
        if l2 < l1 {
            self.lemma_chain(va, l2, l1);
        }
    }

    /// The level that maps an address is the one that is found to.
    pub(crate) proof fn lemma_level(self, va: int, l: nat)
        requires
            self.inv(),
            self.in_range(va),
            self.page_at(va, l),
        ensures
            self.is_mapped(va),
            self.level_of(va) == l,
    {
        self.lemma_unique(va, l, self.level_of(va));
    }

    /// The first entry on the way down that isn't a table's decides about an address.
    pub(crate) proof fn lemma_stop(self, va: int, l: nat)
        requires
            self.inv(),
            self.in_range(va),
            1 <= l <= self.geo.levels,
            self.nodes.contains_key(home(self.geo, va, l)),
            !(self.entry_at(va, l) is Table),
        ensures
            self.entry_at(va, l) is Page ==> self.page_at(va, l) && self.is_mapped(va)
                && self.level_of(va) == l,
            self.entry_at(va, l) is Empty ==> !self.is_mapped(va),
            forall|m: nat|
                1 <= m < l ==> !self.nodes.contains_key(#[trigger] home(self.geo, va, m)),
            forall|m: nat| m != l ==> !#[trigger] self.page_at(va, m),
    {
        assert forall|m: nat| 1 <= m < l implies !self.nodes.contains_key(
            #[trigger] home(self.geo, va, m),
        ) by {
            if self.nodes.contains_key(home(self.geo, va, m)) {
                self.lemma_chain(va, m, l);
            }
        }
        assert forall|m: nat| m != l implies !#[trigger] self.page_at(va, m) by {
            if self.page_at(va, m) && m > l {
                self.lemma_chain(va, l, m);
            }
        }
        if self.entry_at(va, l) is Page {
            assert(self.page_at(va, l));
        }
    }

    /// An entry that is a table's leads to the table of the next lower level.
    pub(crate) proof fn lemma_down(self, va: int, l: nat)
        requires
            self.inv(),
            self.in_range(va),
            2 <= l <= self.geo.levels,
            self.nodes.contains_key(home(self.geo, va, l)),
            self.entry_at(va, l) is Table,
        ensures
            self.nodes.contains_key(home(self.geo, va, (l - 1) as nat)),
            self.nodes[home(self.geo, va, (l - 1) as nat)].table == self.entry_at(va, l)->table,
    {
        self.lemma_step(va, (l - 1) as nat);
        assert(self.slot_ok(home(self.geo, va, l), self.geo.index_of(va, l)));
    }

    /// The entry that refers to a table.
    pub(crate) proof fn lemma_referred(self, n: NodeId)
        requires
            self.inv(),
            self.nodes.contains_key(n),
            n.level < self.geo.levels,
        ensures
            self.nodes.contains_key(self.parent(n)),
            0 <= self.geo.index_of(n.base, n.level + 1) < self.geo.entries(n.level + 1),
            self.child(self.parent(n), self.geo.index_of(n.base, n.level + 1)) == n,
            self.nodes[self.parent(n)].entries[self.geo.index_of(n.base, n.level + 1)] is Table,
    {
        self.lemma_own_home(n);
        self.lemma_step(n.base, n.level);
        assert(self.slot_ok(self.parent(n), self.geo.index_of(n.base, n.level + 1)));
    }

    /// A table is the one for its own first address.
    pub(crate) proof fn lemma_own_home(self, n: NodeId)
        requires
            self.geo.wf(),
            self.place_ok(n),
        ensures
            n == home(self.geo, n.base, n.level),
            self.in_range(n.base),
    {
        self.geo.lemma_span(n.level);
    }
}

/// Whether the same entry of level `l` is for both addresses.
pub(crate) open spec fn same_slot(geo: Geometry, x: int, va: int, l: nat) -> bool {
    geo.base(x, l) == geo.base(va, l) && geo.index_of(x, l) == geo.index_of(va, l)
}

// ---- what the address space says of an address
impl Model {
    /// Level `l` says the same of `va` in both trees, as far as pages go.
    pub(crate) open spec fn same_page(self, q: Model, va: int, l: nat) -> bool {
        self.page_at(va, l) == q.page_at(va, l) && (self.page_at(va, l) ==> self.entry_at(va, l)
            == q.entry_at(va, l))
    }

    /// The addresses of an entry are those from one multiple of its span to the next.
    pub(crate) proof fn lemma_same_slot(self, x: int, va: int, l: nat)
        requires
            self.geo.wf(),
            1 <= l <= self.geo.levels,
            0 <= x,
            0 <= va,
        ensures
            ({
                let span = self.geo.span(l);
                let start = va - va % span;
                &&& 0 <= start <= va < start + span
                &&& same_slot(self.geo, x, va, l) <==> start <= x < start + span
                &&& same_slot(self.geo, x, va, l) ==> x - x % span == start
            }),
    {
        let span = self.geo.span(l);
        let i = self.geo.index_of(va, l);
        self.geo.lemma_bounds(va, l);
        self.geo.lemma_decompose(va, l);
        self.geo.lemma_decompose(x, l);
        self.geo.lemma_slot(x, l, self.geo.base(va, l), i);
        lemma_mul_is_distributive_add_other_way(span, i, 1);
        lemma_mul_nonnegative(i, span);
    }

    /// Where an entry's addresses start.
    pub(crate) proof fn lemma_start(self, va: int, l: nat)
        requires
            self.geo.wf(),
            1 <= l <= self.geo.levels,
            self.in_range(va),
        ensures
            ({
                let start = va - va % self.geo.span(l);
                &&& self.in_range(start)
                &&& start % self.geo.span(l) == 0
                &&& same_slot(self.geo, start, va, l)
            }),
    {
        let start = va - va % self.geo.span(l);
        self.lemma_same_slot(va, va, l);
        self.lemma_same_slot(start, va, l);
    }

    /// An entry of a node is that of the first address it is for.
    pub(crate) proof fn lemma_first(self, n: NodeId, i: int)
        requires
            self.geo.wf(),
            self.place_ok(n),
            0 <= i < self.geo.entries(n.level),
        ensures
            ({
                let va = n.base + i * self.geo.span(n.level);
                &&& self.in_range(va)
                &&& home(self.geo, va, n.level) == n
                &&& self.geo.index_of(va, n.level) == i
                &&& va % self.geo.span(n.level) == 0
            }),
    {
        let span = self.geo.span(n.level);
        let va = n.base + i * span;
        self.geo.lemma_span(n.level);
        lemma_mul_is_distributive_add_other_way(span, i, 1);
        lemma_mul_nonnegative(i, span);
        self.geo.lemma_slot(va, n.level, n.base, i);
        self.geo.lemma_bounds(va, n.level);
        self.geo.lemma_decompose(va, n.level);
    }

    /// How large a page is.
    pub(crate) proof fn lemma_size<A: EntryFormat>(self, va: int, l: nat)
        requires
            self.inv(),
            self.pages_ok::<A>(),
            self.in_range(va),
            self.page_at(va, l),
        ensures
            A::page_size(l) is Some,
            Self::mapping::<A>(self.entry_at(va, l), l).size.bytes() == self.geo.span(l),
    {
        self.lemma_home(va, l);
        A::lemma_page_size(l);
        let e = self.nodes[home(self.geo, va, l)].entries[self.geo.index_of(va, l)];
    }

    /// What starts a page.
    pub(crate) proof fn lemma_page<A: EntryFormat>(self, va: int, l: nat)
        requires
            self.inv(),
            self.in_range(va),
            self.page_at(va, l),
        ensures
            self.space::<A>().pages.contains_key(va) <==> va % self.geo.span(l) == 0,
            va % self.geo.span(l) == 0 ==> self.space::<A>().pages[va] == Self::mapping::<A>(
                self.entry_at(va, l),
                l,
            ),
    {
        reveal(Model::space);
        self.lemma_level(va, l);
    }

    /// Where nothing is mapped, no page starts.
    pub(crate) proof fn lemma_no_page<A: EntryFormat>(self, va: int)
        requires
            !self.is_mapped(va) || !self.in_range(va),
        ensures
            !self.space::<A>().pages.contains_key(va),
    {
        reveal(Model::space);
    }

    /// A page covers the addresses that its entry is for.
    pub(crate) proof fn lemma_covers<A: EntryFormat>(self, base: int, va: int)
        requires
            self.inv(),
            self.pages_ok::<A>(),
            self.space::<A>().covers(base, va),
        ensures
            self.in_range(va),
            self.is_mapped(va),
            self.level_of(va) == self.level_of(base),
            self.entry_at(va, self.level_of(va)) == self.entry_at(base, self.level_of(va)),
            base == va - va % self.geo.span(self.level_of(va)),
    {
        reveal(Model::space);
        let l = self.level_of(base);
        assert(self.page_at(base, l));
        self.lemma_size::<A>(base, l);
        self.lemma_same_slot(va, base, l);
        self.geo.lemma_bounds(va, l);
        self.geo.lemma_in_range(base, l);
        assert(self.page_at(va, l));
        self.lemma_level(va, l);
    }

    /// The tree maps what the address space says.
    pub(crate) proof fn lemma_lookup<A: EntryFormat>(self, va: int)
        requires
            self.inv(),
            self.pages_ok::<A>(),
        ensures
            self.in_range(va) ==> self.space::<A>().lookup(va) == if self.is_mapped(va) {
                Some(Self::mapping::<A>(self.entry_at(va, self.level_of(va)), self.level_of(va)))
            } else {
                None
            },
            self.in_range(va) && self.is_mapped(va) ==> self.space::<A>().base(va) == va - va
                % self.geo.span(self.level_of(va)) && self.space::<A>().covers(
                self.space::<A>().base(va),
                va,
            ),
            !self.in_range(va) ==> self.space::<A>().lookup(va) is None,
    {
        reveal(Model::space);
        let space = self.space::<A>();
        if exists|base: int| space.covers(base, va) {
            let base = space.base(va);
            self.lemma_covers::<A>(base, va);
        } else if self.in_range(va) && self.is_mapped(va) {
            let l = self.level_of(va);
            let start = va - va % self.geo.span(l);
            assert(self.page_at(va, l));
            self.lemma_start(va, l);
            self.lemma_same_slot(start, va, l);
            assert(self.page_at(start, l));
            self.lemma_page::<A>(start, l);
            self.lemma_size::<A>(start, l);
            assert(space.covers(start, va));
        }
    }
}

// ---- the change of one entry
impl Model {
    /// Trees in which all levels say the same of an address mean the same there.
    pub(crate) proof fn lemma_same_at<A: EntryFormat>(self, q: Model, x: int)
        requires
            self.inv(),
            q.inv(),
            self.geo == q.geo,
            self.in_range(x) ==> forall|l: nat|
                1 <= l <= self.geo.levels ==> #[trigger] self.same_page(q, x, l),
        ensures
            self.space::<A>().pages.contains_key(x) == q.space::<A>().pages.contains_key(x),
            self.space::<A>().pages.contains_key(x) ==> self.space::<A>().pages[x] == q.space::<
                A,
            >().pages[x],
    {
        reveal(Model::space);
        if self.in_range(x) && self.is_mapped(x) {
            assert(self.same_page(q, x, self.level_of(x)));
            q.lemma_level(x, self.level_of(x));
        }
        if self.in_range(x) && q.is_mapped(x) {
            assert(self.same_page(q, x, q.level_of(x)));
        }
    }

    /// Trees with the same pages mean the same.
    pub(crate) proof fn lemma_same_space<A: EntryFormat>(self, q: Model)
        requires
            self.inv(),
            q.inv(),
            self.geo == q.geo,
            forall|x: int, l: nat|
                self.in_range(x) && 1 <= l <= self.geo.levels ==> #[trigger] self.same_page(
                    q,
                    x,
                    l,
                ),
        ensures
            self.space::<A>() == q.space::<A>(),
    {
        let was = self.space::<A>().pages;
        let now = q.space::<A>().pages;
        assert forall|x: int| #[trigger]
            was.contains_key(x) == now.contains_key(x) && (was.contains_key(x) ==> was[x]
                == now[x]) by {
            self.lemma_same_at::<A>(q, x);
        }
        assert(was =~= now);
    }

    /// Trees that differ in what one entry maps.
    pub(crate) proof fn lemma_changed_space<A: EntryFormat>(self, q: Model, va: int, l: nat)
        requires
            self.inv(),
            q.inv(),
            self.geo == q.geo,
            self.in_range(va),
            1 <= l <= self.geo.levels,
            !(q.entry_at(va, l) is Table),
            q.nodes.contains_key(home(q.geo, va, l)),
            self.nodes.contains_key(home(q.geo, va, l)) ==> !(self.entry_at(va, l) is Table),
            forall|x: int, m: nat|
                self.in_range(x) && 1 <= m <= self.geo.levels && !(m == l && same_slot(
                    self.geo,
                    x,
                    va,
                    l,
                )) ==> #[trigger] self.same_page(q, x, m),
        ensures
            q.space::<A>().pages == if q.entry_at(va, l) is Page {
                self.space::<A>().pages.insert(
                    va - va % self.geo.span(l),
                    Self::mapping::<A>(q.entry_at(va, l), l),
                )
            } else {
                self.space::<A>().pages.remove(va - va % self.geo.span(l))
            },
    {
        reveal(Model::space);
        let start = va - va % self.geo.span(l);
        let was = self.space::<A>().pages;
        let now = q.space::<A>().pages;
        self.lemma_start(va, l);
        assert forall|x: int| x != start implies #[trigger] was.contains_key(x) == now.contains_key(
            x,
        ) && (was.contains_key(x) ==> was[x] == now[x]) by {
            if self.in_range(x) && same_slot(self.geo, x, va, l) {
                self.lemma_same_slot(x, va, l);
                q.lemma_stop(x, l);
                assert forall|m: nat| m != l implies !#[trigger] self.page_at(x, m) by {
                    assert(self.page_at(x, m) ==> self.same_page(q, x, m));
                }
            } else {
                self.lemma_same_at::<A>(q, x);
            }
        }
        q.lemma_stop(start, l);
        if q.entry_at(va, l) is Page {
            q.lemma_page::<A>(start, l);
            assert(now =~= was.insert(start, Self::mapping::<A>(q.entry_at(va, l), l)));
        } else {
            assert(now =~= was.remove(start));
        }
    }

    /// Two entries that fit the same surroundings: neither is a table's, or both are the same table's.
    spec fn same_kind(was: Entry, now: Entry) -> bool {
        if was is Table {
            now is Table && now->table == was->table
        } else {
            !(now is Table)
        }
    }

    /// The tree remains one.
    proof fn lemma_put_inv(self, n: NodeId, i: int, e: Entry)
        requires
            self.inv(),
            self.nodes.contains_key(n),
            0 <= i < self.geo.entries(n.level),
            Self::same_kind(self.nodes[n].entries[i], e),
        ensures
            self.put(n, i, e).inv(),
    {
        let q = self.put(n, i, e);
        assert forall|m: NodeId| #[trigger] q.nodes.contains_key(m) implies q.place_ok(m)
            && q.nodes[m].entries.len() == q.geo.entries(m.level) by {
            assert(self.nodes.contains_key(m));
        }
        assert forall|m: NodeId, j: int|
            q.nodes.contains_key(m) && 0 <= j < q.geo.entries(m.level) implies #[trigger] q.slot_ok(
            m,
            j,
        ) by {
            assert(self.nodes.contains_key(m));
            assert(self.slot_ok(m, j));
        }
        assert forall|m: NodeId|
            q.nodes.contains_key(m) && m.level < q.geo.levels implies q.nodes.contains_key(
            #[trigger] q.parent(m),
        ) by {
            assert(self.nodes.contains_key(self.parent(m)));
        }
    }

    /// Other entries' pages are as they were.
    proof fn lemma_put_pages<A: EntryFormat>(self, n: NodeId, i: int, e: Entry)
        requires
            self.inv(),
            self.pages_ok::<A>(),
            self.nodes.contains_key(n),
            0 <= i < self.geo.entries(n.level),
            e is Page ==> A::page_size(n.level) is Some,
        ensures
            self.put(n, i, e).pages_ok::<A>(),
            forall|x: int, m: nat|
                self.in_range(x) && 1 <= m <= self.geo.levels && !(home(self.geo, x, m) == n
                    && self.geo.index_of(x, m) == i) ==> #[trigger] self.same_page(
                    self.put(n, i, e),
                    x,
                    m,
                ),
    {
        let q = self.put(n, i, e);
        assert forall|m: NodeId, j: int|
            q.nodes.contains_key(m) && 0 <= j < q.geo.entries(m.level) && (
            #[trigger] q.nodes[m].entries[j]) is Page implies A::page_size(m.level) is Some by {
            assert(self.nodes.contains_key(m));
            let was = self.nodes[m].entries[j];
        }
        assert forall|x: int, m: nat|
            self.in_range(x) && 1 <= m <= self.geo.levels && !(home(self.geo, x, m) == n
                && self.geo.index_of(x, m) == i) implies #[trigger] self.same_page(q, x, m) by {
            self.lemma_home(x, m);
        }
    }

    /// A page where there was none, or another, or none where there was one.
    pub(crate) proof fn lemma_put<A: EntryFormat>(self, n: NodeId, i: int, e: Entry)
        requires
            self.inv(),
            self.pages_ok::<A>(),
            self.nodes.contains_key(n),
            0 <= i < self.geo.entries(n.level),
            !(self.nodes[n].entries[i] is Table),
            !(e is Table),
            e is Page ==> A::page_size(n.level) is Some,
        ensures
            self.put(n, i, e).inv(),
            self.put(n, i, e).pages_ok::<A>(),
            self.put(n, i, e).space::<A>().pages == if e is Page {
                self.space::<A>().pages.insert(
                    n.base + i * self.geo.span(n.level),
                    Self::mapping::<A>(e, n.level),
                )
            } else {
                self.space::<A>().pages.remove(n.base + i * self.geo.span(n.level))
            },
    {
        self.lemma_put_inv(n, i, e);
        self.lemma_put_pages::<A>(n, i, e);
        self.lemma_first(n, i);
        self.lemma_changed_space::<A>(
            self.put(n, i, e),
            n.base + i * self.geo.span(n.level),
            n.level,
        );
    }

    /// What is noted of a table's use is nothing to the address space.
    pub(crate) proof fn lemma_note<A: EntryFormat>(self, n: NodeId, i: int, used: u16)
        requires
            self.inv(),
            self.pages_ok::<A>(),
            self.nodes.contains_key(n),
            0 <= i < self.geo.entries(n.level),
            self.nodes[n].entries[i] is Table,
        ensures
            ({
                let q = self.put(
                    n,
                    i,
                    Entry::Table { table: self.nodes[n].entries[i]->table, used },
                );
                &&& q.inv()
                &&& q.pages_ok::<A>()
                &&& q.space::<A>() == self.space::<A>()
            }),
    {
        let e = Entry::Table { table: self.nodes[n].entries[i]->table, used };
        let q = self.put(n, i, e);
        self.lemma_put_inv(n, i, e);
        self.lemma_put_pages::<A>(n, i, e);
        assert forall|x: int, l: nat|
            self.in_range(x) && 1 <= l <= self.geo.levels implies #[trigger] self.same_page(
            q,
            x,
            l,
        ) by {}
        self.lemma_same_space::<A>(q);
    }
}

} // verus!
