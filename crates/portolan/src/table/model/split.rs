//! What becomes of a tree and of its meaning when a page is divided into the pages of a table, or a table of pages is
//! joined to one.

use super::counting::{lemma_used_full, lemma_used_update};
use super::{Model, NodeId, home};
use crate::addr::PhysAddr;
use crate::arch::entry::{Entry, EntryFormat};
use crate::arch::geometry::Geometry;
use crate::prop::PageProperty;
use vstd::prelude::*;

verus! {

/// Page `k` of level `l` of those that a larger page is divided into.
pub(crate) open spec fn part(
    geo: Geometry,
    l: nat,
    frame: PhysAddr,
    prop: PageProperty,
    k: int,
) -> Entry {
    Entry::Page { frame: PhysAddr((frame.0 + k * geo.span(l)) as u64), prop }
}

/// A table of level `l` of pages whose frames follow each other.
pub(crate) open spec fn parts(geo: Geometry, l: nat, frame: PhysAddr, prop: PageProperty) -> Seq<
    Entry,
> {
    Seq::new(geo.entries(l) as nat, |k: int| part(geo, l, frame, prop, k))
}

impl Model {
    /// Where entry `i` of `n` starts.
    pub(crate) open spec fn start(self, n: NodeId, i: int) -> int {
        n.base + i * self.geo.span(n.level)
    }

    /// `q` is this tree with a table of pages below entry `i` of `n`, which was a page.
    pub(crate) open spec fn divided(self, q: Model, n: NodeId, i: int) -> bool {
        let c = self.child(n, i);
        let e = q.nodes[n].entries[i];
        &&& q.geo == self.geo
        &&& q.counts == self.counts
        &&& q.pins == self.pins
        &&& self.nodes.contains_key(n)
        &&& 1 < n.level <= self.geo.levels
        &&& 0 <= i < self.geo.entries(n.level)
        &&& self.nodes[n].entries.len() == self.geo.entries(n.level)
        &&& self.nodes[n].entries[i] is Page
        &&& !self.nodes.contains_key(c)
        &&& e is Table
        &&& e->table == q.nodes[c].table
        &&& self.counts ==> e->used == self.geo.entries(c.level)
        &&& q.nodes == self.put(n, i, e).nodes.insert(c, q.nodes[c])
        &&& q.nodes[c].entries.len() == self.geo.entries(c.level)
        &&& forall|k: int|
            0 <= k < self.geo.entries(c.level) ==> (#[trigger] q.nodes[c].entries[k]) is Page
    }

    /// The pages of the table below are parts of the page.
    pub(crate) open spec fn divided_evenly(self, q: Model, n: NodeId, i: int) -> bool {
        let c = self.child(n, i);
        &&& self.divided(q, n, i)
        &&& forall|k: int|
            0 <= k < self.geo.entries(c.level) ==> (#[trigger] q.nodes[c].entries[k])->frame.0
                == self.nodes[n].entries[i]->frame.0 + k * self.geo.span(c.level)
    }

    /// Only that entry refers to where the table of parts is.
    proof fn lemma_part_place(self, n: NodeId, i: int, m: NodeId, j: int)
        requires
            self.geo.wf(),
            self.place_ok(n),
            n.level > 1,
            0 <= i < self.geo.entries(n.level),
            self.place_ok(m),
            m.level > 1,
            0 <= j < self.geo.entries(m.level),
            self.child(m, j) == self.child(n, i),
        ensures
            m == n,
            i == j,
    {
        self.lemma_child_place(n, i);
        self.lemma_child_place(m, j);
    }

    /// With the table the tree still is one.
    pub(crate) proof fn lemma_divided_inv(self, q: Model, n: NodeId, i: int)
        requires
            self.inv(),
            self.divided(q, n, i),
        ensures
            q.inv(),
    {
        let c = self.child(n, i);
        self.lemma_child_place(n, i);
        assert forall|m: NodeId| #[trigger] q.nodes.contains_key(m) implies q.place_ok(m)
            && q.nodes[m].entries.len() == q.geo.entries(m.level) by {
            assert(m == c || self.nodes.contains_key(m));
        }
        assert forall|m: NodeId, j: int|
            q.nodes.contains_key(m) && 0 <= j < q.geo.entries(m.level) implies #[trigger] q.slot_ok(
            m,
            j,
        ) by {
            let d = self.child(m, j);
            assert(q.child(m, j) == d);
            if m == c {
                if m.level > 1 {
                    self.lemma_child_place(m, j);
                    if self.nodes.contains_key(d) {
                        assert(self.nodes.contains_key(self.parent(d)));
                    }
                }
                assert(q.nodes[c].entries[j] is Page);
            } else {
                assert(self.slot_ok(m, j));
                if m.level > 1 && d == c {
                    self.lemma_part_place(n, i, m, j);
                }
            }
        }
        assert forall|m: NodeId| #[trigger]
            q.nodes.contains_key(m) && m.level < q.geo.levels implies q.nodes.contains_key(
            q.parent(m),
        ) by {
            assert(q.parent(m) == self.parent(m));
            assert(m != c ==> self.nodes.contains_key(self.parent(m)));
        }
    }

    /// Without the table the tree still is one.
    pub(crate) proof fn lemma_joined_inv(self, q: Model, n: NodeId, i: int)
        requires
            q.inv(),
            self.divided(q, n, i),
        ensures
            self.inv(),
    {
        let c = self.child(n, i);
        assert(q.nodes.contains_key(n));
        self.lemma_child_place(n, i);
        assert(q.nodes.contains_key(q.root()));
        assert forall|m: NodeId| #[trigger] self.nodes.contains_key(m) implies self.place_ok(m)
            && self.nodes[m].entries.len() == self.geo.entries(m.level) by {
            assert(q.nodes.contains_key(m));
            assert(q.place_ok(m));
        }
        assert forall|m: NodeId, j: int|
            self.nodes.contains_key(m) && 0 <= j < self.geo.entries(
                m.level,
            ) implies #[trigger] self.slot_ok(m, j) by {
            let d = self.child(m, j);
            assert(q.child(m, j) == d);
            assert(q.nodes.contains_key(m));
            assert(q.slot_ok(m, j));
            if m.level > 1 && d == c {
                self.lemma_part_place(n, i, m, j);
            }
        }
        assert forall|m: NodeId| #[trigger]
            self.nodes.contains_key(m) && m.level < self.geo.levels implies self.nodes.contains_key(
            self.parent(m),
        ) by {
            assert(q.nodes.contains_key(m));
            assert(q.parent(m) == self.parent(m));
            q.lemma_referred(m);
            if self.parent(m) == c {
                assert(q.nodes[c].entries[q.geo.index_of(m.base, m.level + 1)] is Page);
            }
        }
    }

    /// What is noted of other tables' use stays as it is.
    proof fn lemma_divided_noted(self, q: Model, n: NodeId, i: int, m: NodeId)
        requires
            self.inv(),
            q.inv(),
            self.divided(q, n, i),
            self.nodes.contains_key(m),
            m.level < self.geo.levels,
        ensures
            self.count_ok(m) == q.count_ok(m),
    {
        let e = q.nodes[n].entries[i];
        assert(q.parent(m) == self.parent(m));
        self.lemma_referred(m);
        lemma_used_update(self.nodes[n].entries, i, e);
    }

    /// What is noted of each table's use is right with the table of parts if it is without it.
    pub(crate) proof fn lemma_divided_counted(self, q: Model, n: NodeId, i: int)
        requires
            self.inv(),
            q.inv(),
            self.divided(q, n, i),
        ensures
            self.counted() == q.counted(),
    {
        let c = self.child(n, i);
        self.lemma_child_place(n, i);
        self.geo.lemma_span(c.level);
        lemma_used_full(q.nodes[c].entries);
        assert(q.count_ok(c)) by {
            assert(q.parent(c) == n);
        }
        assert forall|m: NodeId| #[trigger]
            self.nodes.contains_key(m) && m.level < self.geo.levels implies self.count_ok(m)
            == q.count_ok(m) by {
            self.lemma_divided_noted(q, n, i, m);
        }
        if self.counted() {
            assert forall|m: NodeId| #[trigger]
                q.nodes.contains_key(m) && m.level < q.geo.levels implies q.count_ok(m) by {
                assert(m == c || self.nodes.contains_key(m));
            }
        }
        if q.counted() {
            assert forall|m: NodeId| #[trigger]
                self.nodes.contains_key(m) && m.level < self.geo.levels implies self.count_ok(
                m,
            ) by {
                assert(q.nodes.contains_key(m));
            }
        }
    }

    /// Pages stand where the mode has them, before and after.
    pub(crate) proof fn lemma_divided_ok<A: EntryFormat>(self, q: Model, n: NodeId, i: int)
        requires
            self.divided(q, n, i),
            A::page_size(n.level) is Some,
            A::page_size((n.level - 1) as nat) is Some,
        ensures
            self.pages_ok::<A>() == q.pages_ok::<A>(),
    {
        let c = self.child(n, i);
        if self.pages_ok::<A>() {
            assert forall|m: NodeId, j: int|
                q.nodes.contains_key(m) && 0 <= j < q.geo.entries(m.level) && (
                #[trigger] q.nodes[m].entries[j]) is Page implies A::page_size(m.level) is Some by {
                if m != c {
                    let was = self.nodes[m].entries[j];
                }
            }
        }
        if q.pages_ok::<A>() {
            assert forall|m: NodeId, j: int|
                self.nodes.contains_key(m) && 0 <= j < self.geo.entries(m.level) && (
                #[trigger] self.nodes[m].entries[j]) is Page implies A::page_size(
                m.level,
            ) is Some by {
                assert(q.nodes.contains_key(m));
                let now = q.nodes[m].entries[j];
            }
        }
    }

    /// An address of the page: what maps it before and after.
    proof fn lemma_divided_inside(self, q: Model, n: NodeId, i: int, x: int)
        requires
            self.inv(),
            q.inv(),
            self.divided(q, n, i),
            self.start(n, i) <= x < self.start(n, i) + self.geo.span(n.level),
        ensures
            ({
                let below = (n.level - 1) as nat;
                let k = self.geo.index_of(x, below);
                &&& self.in_range(x)
                &&& self.page_at(x, n.level)
                &&& self.entry_at(x, n.level) == self.nodes[n].entries[i]
                &&& x - x % self.geo.span(n.level) == self.start(n, i)
                &&& q.page_at(x, below)
                &&& q.entry_at(x, below) == q.nodes[self.child(n, i)].entries[k]
                &&& 0 <= k < self.geo.entries(below)
                &&& x - x % self.geo.span(below) == self.start(n, i) + k * self.geo.span(below)
                &&& x % self.geo.span(below) == (x - self.start(n, i)) % self.geo.span(below)
            }),
    {
        let (l, below) = (n.level, (n.level - 1) as nat);
        let start = self.start(n, i);
        self.lemma_first(n, i);
        self.lemma_same_slot(x, start, l);
        self.geo.lemma_bounds(x, l);
        self.geo.lemma_in_range(start, l);
        self.geo.lemma_child_base(x, l);
        self.geo.lemma_bounds(x, below);
        self.geo.lemma_decompose(x, below);
        self.geo.lemma_within(x, below);
        assert(home(self.geo, x, below) == self.child(n, i));
    }

    /// Any other address: each level says the same of it before and after.
    proof fn lemma_divided_outside(self, q: Model, n: NodeId, i: int, x: int)
        requires
            self.inv(),
            q.inv(),
            self.divided(q, n, i),
            !(self.start(n, i) <= x < self.start(n, i) + self.geo.span(n.level)),
        ensures
            self.in_range(x) ==> forall|m: nat|
                1 <= m <= self.geo.levels ==> #[trigger] self.same_page(q, x, m),
    {
        let c = self.child(n, i);
        let start = self.start(n, i);
        self.lemma_first(n, i);
        self.geo.lemma_span(c.level);
        if self.in_range(x) {
            self.lemma_same_slot(x, start, n.level);
            assert forall|m: nat| 1 <= m <= self.geo.levels implies #[trigger] self.same_page(
                q,
                x,
                m,
            ) by {
                self.lemma_home(x, m);
                self.geo.lemma_bounds(x, m);
                assert(home(self.geo, x, m) != c);
            }
        }
    }

    /// What starts at `x` before and after.
    pub(crate) open spec fn page_as_divided<A: EntryFormat>(
        self,
        q: Model,
        n: NodeId,
        i: int,
        x: int,
    ) -> bool {
        let (was, now) = (self.space::<A>().pages, q.space::<A>().pages);
        let (start, below) = (self.start(n, i), (n.level - 1) as nat);
        let k = self.geo.index_of(x, below);
        if start <= x < start + self.geo.span(n.level) {
            &&& was.contains_key(x) <==> x == start
            &&& was.contains_key(x) ==> was[x] == Self::mapping::<A>(
                self.nodes[n].entries[i],
                n.level,
            )
            &&& now.contains_key(x) <==> (x - start) % self.geo.span(below) == 0
            &&& now.contains_key(x) ==> now[x] == Self::mapping::<A>(
                q.nodes[self.child(n, i)].entries[k],
                below,
            ) && x - start == k * self.geo.span(below) && 0 <= k < self.geo.entries(below)
        } else {
            &&& was.contains_key(x) == now.contains_key(x)
            &&& was.contains_key(x) ==> was[x] == now[x]
        }
    }

    /// Which pages there are before and after.
    pub(crate) open spec fn divided_pages<A: EntryFormat>(
        self,
        q: Model,
        n: NodeId,
        i: int,
    ) -> bool {
        forall|x: int| #[trigger] self.page_as_divided::<A>(q, n, i, x)
    }

    /// Which pages there are before and after.
    pub(crate) proof fn lemma_divided_pages<A: EntryFormat>(self, q: Model, n: NodeId, i: int)
        requires
            self.inv(),
            q.inv(),
            self.divided(q, n, i),
        ensures
            self.divided_pages::<A>(q, n, i),
            self.geo.span(n.level) > 0,
    {
        let (start, below) = (self.start(n, i), (n.level - 1) as nat);
        self.geo.lemma_span(n.level);
        assert forall|x: int| #[trigger] self.page_as_divided::<A>(q, n, i, x) by {
            if start <= x < start + self.geo.span(n.level) {
                self.lemma_divided_inside(q, n, i, x);
                self.lemma_page::<A>(x, n.level);
                q.lemma_page::<A>(x, below);
            } else {
                self.lemma_divided_outside(q, n, i, x);
                self.lemma_same_at::<A>(q, x);
            }
        }
    }

    /// Divided into parts with properties `prop`, the page is those pages.
    pub(crate) proof fn lemma_divided_split<A: EntryFormat>(
        self,
        q: Model,
        n: NodeId,
        i: int,
        frame: PhysAddr,
        prop: PageProperty,
    )
        requires
            self.divided_pages::<A>(q, n, i),
            self.geo == A::geo(),
            self.geo.span(n.level) > 0,
            A::page_size(n.level) is Some,
            A::page_size(n.level)->0.bytes() == self.geo.span(n.level),
            A::page_size((n.level - 1) as nat) is Some,
            A::page_size((n.level - 1) as nat)->0.bytes() == self.geo.span((n.level - 1) as nat),
            self.nodes[n].entries[i]->frame == frame,
            q.nodes[self.child(n, i)].entries == parts(self.geo, (n.level - 1) as nat, frame, prop),
        ensures
            q.space::<A>() == self.space::<A>().protect(self.start(n, i), prop).split(
                self.start(n, i),
                A::page_size((n.level - 1) as nat)->0,
            ),
    {
        let (start, below) = (self.start(n, i), (n.level - 1) as nat);
        let whole = self.space::<A>().protect(start, prop);
        let split = whole.split(start, A::page_size(below)->0);
        let now = q.space::<A>();
        assert(self.page_as_divided::<A>(q, n, i, start));
        assert forall|x: int| #[trigger]
            now.pages.contains_key(x) == split.pages.contains_key(x) && (now.pages.contains_key(x)
                ==> now.pages[x] == split.pages[x]) by {
            assert(self.page_as_divided::<A>(q, n, i, x));
            let k = self.geo.index_of(x, below);
            if 0 <= k < self.geo.entries(below) {
                assert(parts(self.geo, below, frame, prop)[k] == part(
                    self.geo,
                    below,
                    frame,
                    prop,
                    k,
                ));
            }
        }
        assert(now.pages =~= split.pages);
    }

    /// Joined from parts at frames that follow each other, the page is what takes their place.
    pub(crate) proof fn lemma_divided_collapse<A: EntryFormat>(self, q: Model, n: NodeId, i: int)
        requires
            self.divided_pages::<A>(q, n, i),
            self.divided_evenly(q, n, i),
            self.geo == A::geo(),
            self.geo.span(n.level) > 0,
            self.geo.span((n.level - 1) as nat) > 0,
            A::page_size(n.level) is Some,
            A::page_size(n.level)->0.bytes() == self.geo.span(n.level),
        ensures
            self.space::<A>() == q.space::<A>().collapse(
                self.start(n, i),
                A::page_size(n.level)->0,
                self.nodes[n].entries[i]->prop,
            ),
    {
        let start = self.start(n, i);
        let was = q.space::<A>();
        let now = self.space::<A>();
        let joined = was.collapse(start, A::page_size(n.level)->0, self.nodes[n].entries[i]->prop);
        assert(self.page_as_divided::<A>(q, n, i, start));
        vstd::arithmetic::div_mod::lemma_small_mod(0, self.geo.span((n.level - 1) as nat) as nat);
        assert(was.pages[start].frame == self.nodes[n].entries[i]->frame) by {
            let k = self.geo.index_of(start, (n.level - 1) as nat);
            let part = q.nodes[self.child(n, i)].entries[k];
            assert(part is Page);
        }
        assert forall|x: int| #[trigger]
            now.pages.contains_key(x) == joined.pages.contains_key(x) && (now.pages.contains_key(x)
                ==> now.pages[x] == joined.pages[x]) by {
            assert(self.page_as_divided::<A>(q, n, i, x));
        }
        assert(now.pages =~= joined.pages);
    }

    /// Where a page puts an address.
    proof fn lemma_translate<A: EntryFormat>(self, x: int, l: nat)
        requires
            self.inv(),
            self.pages_ok::<A>(),
            self.in_range(x),
            self.page_at(x, l),
        ensures
            self.space::<A>().translate(x) == Some(
                (self.entry_at(x, l)->frame.0 + x % self.geo.span(l), self.entry_at(x, l)->prop),
            ),
    {
        self.lemma_level(x, l);
        self.lemma_lookup::<A>(x);
    }

    /// Trees in which all levels say the same of an address put it at the same place.
    proof fn lemma_same_translate<A: EntryFormat>(self, q: Model, x: int)
        requires
            self.inv(),
            q.inv(),
            self.pages_ok::<A>(),
            q.pages_ok::<A>(),
            self.in_range(x) ==> forall|l: nat|
                1 <= l <= self.geo.levels ==> #[trigger] self.same_page(q, x, l),
        ensures
            self.space::<A>().translate(x) == q.space::<A>().translate(x),
    {
        self.lemma_lookup::<A>(x);
        q.lemma_lookup::<A>(x);
        if self.in_range(x) && self.is_mapped(x) {
            assert(self.same_page(q, x, self.level_of(x)));
            self.lemma_translate::<A>(x, self.level_of(x));
            q.lemma_translate::<A>(x, self.level_of(x));
        } else if self.in_range(x) && q.is_mapped(x) {
            assert(self.same_page(q, x, q.level_of(x)));
        }
    }

    /// Each byte lies where it did, and no other property of it is another.
    pub(crate) proof fn lemma_divided_translate<A: EntryFormat>(
        self,
        q: Model,
        n: NodeId,
        i: int,
        x: int,
    )
        requires
            self.inv(),
            q.inv(),
            self.pages_ok::<A>(),
            q.pages_ok::<A>(),
            self.divided_evenly(q, n, i),
        ensures
            ({
                let (was, now) = (self.space::<A>().translate(x), q.space::<A>().translate(x));
                let (start, below) = (self.start(n, i), (n.level - 1) as nat);
                if start <= x < start + self.geo.span(n.level) {
                    let e = self.nodes[n].entries[i];
                    let part = q.nodes[self.child(n, i)].entries[self.geo.index_of(x, below)];
                    &&& 0 <= self.geo.index_of(x, below) < self.geo.entries(below)
                    &&& was == Some((e->frame.0 + (x - start), e->prop))
                    &&& now == Some((e->frame.0 + (x - start), part->prop))
                } else {
                    was == now
                }
            }),
    {
        let (start, below) = (self.start(n, i), (n.level - 1) as nat);
        if start <= x < start + self.geo.span(n.level) {
            self.lemma_divided_inside(q, n, i, x);
            self.lemma_translate::<A>(x, n.level);
            q.lemma_translate::<A>(x, below);
            let part = q.nodes[self.child(n, i)].entries[self.geo.index_of(x, below)];
            assert(part is Page);
        } else {
            self.lemma_divided_outside(q, n, i, x);
            self.lemma_same_translate::<A>(q, x);
        }
    }
}

} // verus!
