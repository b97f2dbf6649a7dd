//! What becomes of a tree and of its meaning when a chain of tables is put below an empty entry, or taken away.

use super::proof::same_slot;
use super::{Model, NodeId, home};
use crate::arch::entry::{Entry, EntryFormat};
use vstd::prelude::*;

verus! {

impl Model {
    /// Below an entry that isn't a table's, an address has no tables.
    pub(crate) proof fn lemma_fresh(self, va: int, hi: nat)
        requires
            self.inv(),
            self.in_range(va),
            1 <= hi < self.geo.levels,
            self.nodes.contains_key(home(self.geo, va, hi + 1)),
            !(self.entry_at(va, hi + 1) is Table),
        ensures
            forall|n: NodeId, lo: nat|
                lo >= 1 && #[trigger] self.on_path(va, lo, hi, n) ==> !self.nodes.contains_key(n),
    {
        self.lemma_stop(va, hi + 1);
    }

    /// The chain's tables are there, each at its place and as long as its level's.
    proof fn lemma_chain_place(self, q: Model, va: int, hi: nat, lo: nat, l: nat)
        requires
            self.geo.wf(),
            self.attached(q, va, hi, lo),
            lo <= l <= hi,
        ensures
            q.nodes.contains_key(home(self.geo, va, l)),
            !self.nodes.contains_key(home(self.geo, va, l)),
            self.place_ok(home(self.geo, va, l)),
            self.place_ok(home(self.geo, va, l + 1)),
            q.nodes[home(self.geo, va, l)].entries.len() == self.geo.entries(l),
            0 <= self.geo.index_of(va, l) < self.geo.entries(l),
            0 <= self.geo.index_of(va, l + 1) < self.geo.entries(l + 1),
    {
        self.lemma_home(va, l);
        self.lemma_home(va, l + 1);
        self.geo.lemma_span(l);
        assert(self.on_path(va, lo, hi, home(self.geo, va, l)));
        let e = q.entry_at(va, l);
    }

    /// An entry of the tree that refers to a table of the chain is the one that the chain hangs from.
    proof fn lemma_hook(self, q: Model, va: int, hi: nat, lo: nat, n: NodeId, i: int)
        requires
            self.geo.wf(),
            self.attached(q, va, hi, lo),
            self.nodes.contains_key(n),
            self.place_ok(n),
            n.level > 1,
            0 <= i < self.geo.entries(n.level),
            self.on_path(va, lo, hi, self.child(n, i)),
        ensures
            n == home(self.geo, va, hi + 1),
            i == self.geo.index_of(va, hi + 1),
    {
        self.lemma_only_entry(va, n, i);
        assert(!self.on_path(va, lo, hi, n));
    }

    /// The entries of a chain's table fit what is below it.
    proof fn lemma_chain_entry(self, q: Model, va: int, hi: nat, lo: nat, l: nat, i: int)
        requires
            self.inv(),
            self.attached(q, va, hi, lo),
            lo <= l <= hi,
            0 <= i < self.geo.entries(l),
        ensures
            q.entry_ok(home(self.geo, va, l), i),
    {
        let n = home(self.geo, va, l);
        let c = self.child(n, i);
        self.lemma_chain_place(q, va, hi, lo, l);
        let e = q.entry_at(va, l);
        if l > 1 {
            let below = (l - 1) as nat;
            self.lemma_step(va, below);
            self.lemma_child_place(n, i);
            if self.nodes.contains_key(c) {
                // then so is what is above it
                self.lemma_referred(c);
            }
            if l > lo {
                self.lemma_chain_place(q, va, hi, lo, below);
            }
            if i == self.geo.index_of(va, l) {
                assert(c == home(self.geo, va, below));
            } else if self.on_path(va, lo, hi, c) {
                self.lemma_only_entry(va, n, i);
            }
            assert(q.child(n, i) == c);
        }
    }

    /// With the chain the tree still is one.
    pub(crate) proof fn lemma_attach_inv(self, q: Model, va: int, hi: nat, lo: nat)
        requires
            self.inv(),
            self.attached(q, va, hi, lo),
        ensures
            q.inv(),
    {
        let top = home(self.geo, va, hi + 1);
        self.lemma_home(va, hi + 1);
        let e = q.entry_at(va, hi + 1);
        assert forall|n: NodeId| #[trigger] q.nodes.contains_key(n) implies q.place_ok(n)
            && q.nodes[n].entries.len() == q.geo.entries(n.level) by {
            if !self.nodes.contains_key(n) {
                self.lemma_chain_place(q, va, hi, lo, n.level);
            }
        }
        assert forall|n: NodeId, i: int|
            q.nodes.contains_key(n) && 0 <= i < q.geo.entries(n.level) implies #[trigger] q.slot_ok(
            n,
            i,
        ) by {
            if self.nodes.contains_key(n) {
                let c = self.child(n, i);
                assert(self.slot_ok(n, i));
                assert(q.child(n, i) == c);
                self.lemma_chain_place(q, va, hi, lo, hi);
                self.lemma_step(va, hi);
                if n.level > 1 && self.on_path(va, lo, hi, c) {
                    self.lemma_hook(q, va, hi, lo, n, i);
                }
            } else {
                self.lemma_chain_entry(q, va, hi, lo, n.level, i);
            }
        }
        assert forall|n: NodeId| #[trigger]
            q.nodes.contains_key(n) && n.level < q.geo.levels implies q.nodes.contains_key(
            q.parent(n),
        ) by {
            if self.nodes.contains_key(n) {
                assert(self.nodes.contains_key(self.parent(n)));
            } else {
                self.lemma_step(va, n.level);
                if n.level < hi {
                    self.lemma_chain_place(q, va, hi, lo, n.level + 1);
                }
            }
        }
    }

    /// Without the chain the tree still is one.
    pub(crate) proof fn lemma_detach_inv(self, q: Model, va: int, hi: nat, lo: nat)
        requires
            q.inv(),
            self.attached(q, va, hi, lo),
            q.entry_at(va, lo) is Empty,
        ensures
            self.inv(),
    {
        let top = home(self.geo, va, hi + 1);
        let e = q.entry_at(va, hi + 1);
        self.lemma_home(va, hi + 1);
        assert(q.nodes.contains_key(q.root()));
        assert forall|n: NodeId| #[trigger] self.nodes.contains_key(n) implies self.place_ok(n)
            && self.nodes[n].entries.len() == self.geo.entries(n.level) by {
            assert(q.nodes.contains_key(n));
            assert(q.place_ok(n));
        }
        assert forall|n: NodeId, i: int|
            self.nodes.contains_key(n) && 0 <= i < self.geo.entries(
                n.level,
            ) implies #[trigger] self.slot_ok(n, i) by {
            let c = self.child(n, i);
            assert(q.nodes.contains_key(n));
            assert(q.place_ok(n));
            assert(q.slot_ok(n, i));
            assert(q.child(n, i) == c);
            self.lemma_chain_place(q, va, hi, lo, hi);
            self.lemma_step(va, hi);
            if n.level > 1 && self.on_path(va, lo, hi, c) {
                self.lemma_hook(q, va, hi, lo, n, i);
            }
        }
        assert forall|n: NodeId| #[trigger]
            self.nodes.contains_key(n) && n.level < self.geo.levels implies self.nodes.contains_key(
            self.parent(n),
        ) by {
            let p = self.parent(n);
            assert(q.nodes.contains_key(n));
            assert(q.parent(n) == p);
            q.lemma_referred(n);
            if self.on_path(va, lo, hi, p) {
                // all that the chain's tables refer to is in the chain
                let l = p.level;
                self.lemma_chain_place(q, va, hi, lo, l);
                let e = q.entry_at(va, l);
                if l > lo {
                    let below = (l - 1) as nat;
                    self.lemma_step(va, below);
                    self.lemma_chain_place(q, va, hi, lo, below);
                }
            }
        }
    }

    /// The chain maps nothing but what its lowest table's entry says.
    proof fn lemma_chain_pages(self, q: Model, va: int, hi: nat, lo: nat)
        requires
            self.geo.wf(),
            self.attached(q, va, hi, lo),
        ensures
            forall|x: int, l: nat|
                self.in_range(x) && 1 <= l <= self.geo.levels && !(l == lo && same_slot(
                    self.geo,
                    x,
                    va,
                    l,
                ) && q.entry_at(va, lo) is Page) ==> #[trigger] self.same_page(q, x, l),
    {
        assert forall|x: int, l: nat|
            self.in_range(x) && 1 <= l <= self.geo.levels && !(l == lo && same_slot(
                self.geo,
                x,
                va,
                l,
            ) && q.entry_at(va, lo) is Page) implies #[trigger] self.same_page(q, x, l) by {
            let n = home(self.geo, x, l);
            self.lemma_home(x, l);
            let e = q.entry_at(va, l);
            if self.nodes.contains_key(n) {
                assert(q.nodes.contains_key(n));
                self.lemma_home(va, hi + 1);
            } else if q.nodes.contains_key(n) {
                self.lemma_chain_place(q, va, hi, lo, l);
                assert(!(q.entry_at(x, l) is Page));
            }
        }
    }

    /// What is linked is mapped, by one change: the page at the chain's end if there is one, and nothing else.
    pub(crate) proof fn lemma_attach<A: EntryFormat>(self, q: Model, va: int, hi: nat, lo: nat)
        requires
            self.inv(),
            self.pages_ok::<A>(),
            self.attached(q, va, hi, lo),
            q.entry_at(va, lo) is Page ==> A::page_size(lo) is Some,
        ensures
            q.inv(),
            q.pages_ok::<A>(),
            q.space::<A>().pages == if q.entry_at(va, lo) is Page {
                self.space::<A>().pages.insert(
                    va - va % self.geo.span(lo),
                    Self::mapping::<A>(q.entry_at(va, lo), lo),
                )
            } else {
                self.space::<A>().pages
            },
    {
        self.lemma_attach_inv(q, va, hi, lo);
        assert forall|n: NodeId, i: int|
            q.nodes.contains_key(n) && 0 <= i < q.geo.entries(n.level) && (
            #[trigger] q.nodes[n].entries[i]) is Page implies A::page_size(n.level) is Some by {
            if self.nodes.contains_key(n) {
                let was = self.nodes[n].entries[i];
                self.lemma_home(va, hi + 1);
                let e = q.entry_at(va, hi + 1);
            } else {
                self.lemma_chain_place(q, va, hi, lo, n.level);
                let e = q.entry_at(va, n.level);
            }
        }
        self.lemma_chain_pages(q, va, hi, lo);
        if q.entry_at(va, lo) is Page {
            self.lemma_chain_place(q, va, hi, lo, lo);
            self.lemma_changed_space::<A>(q, va, lo);
        } else {
            self.lemma_same_space::<A>(q);
        }
    }

    /// A chain in which nothing is mapped can be taken away.
    pub(crate) proof fn lemma_detach<A: EntryFormat>(self, q: Model, va: int, hi: nat, lo: nat)
        requires
            q.inv(),
            q.pages_ok::<A>(),
            self.attached(q, va, hi, lo),
            q.entry_at(va, lo) is Empty,
        ensures
            self.inv(),
            self.pages_ok::<A>(),
            self.space::<A>() == q.space::<A>(),
    {
        self.lemma_detach_inv(q, va, hi, lo);
        assert forall|n: NodeId, i: int|
            self.nodes.contains_key(n) && 0 <= i < self.geo.entries(n.level) && (
            #[trigger] self.nodes[n].entries[i]) is Page implies A::page_size(n.level) is Some by {
            assert(q.nodes.contains_key(n));
            let now = q.nodes[n].entries[i];
            self.lemma_home(va, hi + 1);
        }
        self.lemma_chain_pages(q, va, hi, lo);
        self.lemma_same_space::<A>(q);
    }
}

} // verus!
