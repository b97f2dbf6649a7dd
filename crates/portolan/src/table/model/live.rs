//! Break-before-make: trees between which no live translation changes.

use super::{Model, NodeId, home};
use crate::arch::entry::{Entry, EntryFormat};
use vstd::prelude::*;

verus! {

impl Model {
    /// No entry of a table that is in both trees changes in a way that takes a break.
    pub(crate) open spec fn keeps_live(self, now: Model) -> bool {
        forall|n: NodeId, i: int|
            self.nodes.contains_key(n) && now.nodes.contains_key(n) && 0 <= i < self.geo.entries(
                n.level,
            ) ==> (#[trigger] self.nodes[n].entries[i]).keeps_live(now.nodes[n].entries[i])
    }

    /// One entry that changes so.
    pub(crate) proof fn lemma_live_put(self, n: NodeId, i: int, e: Entry)
        requires
            0 <= i < self.nodes[n].entries.len(),
            self.nodes[n].entries.len() == self.geo.entries(n.level),
            self.nodes[n].entries[i].keeps_live(e),
        ensures
            self.keeps_live(self.put(n, i, e)),
    {
    }

    /// A chain of tables below an entry that was empty, and one taken away.
    pub(crate) proof fn lemma_live_attach(self, now: Model, va: int, hi: nat, lo: nat)
        requires
            self.geo.wf(),
            self.attached(now, va, hi, lo),
        ensures
            self.keeps_live(now),
            now.keeps_live(self),
    {
        self.lemma_home(va, hi + 1);
        let top = home(self.geo, va, hi + 1);
        let e = now.entry_at(va, hi + 1);
        assert forall|n: NodeId, i: int|
            self.nodes.contains_key(n) && 0 <= i < self.geo.entries(n.level) && n != top implies (
        #[trigger] self.nodes[n].entries[i]) == now.nodes[n].entries[i] by {}
    }

    /// Of two levels that map an address, one before and one after, neither lies above the other.
    proof fn lemma_live_above(self, now: Model, va: int, l: nat, m: nat)
        requires
            self.inv(),
            now.inv(),
            self.geo == now.geo,
            self.in_range(va),
            self.keeps_live(now) || now.keeps_live(self),
            self.page_at(va, l),
            now.page_at(va, m),
        ensures
            l <= m,
    {
        if m < l {
            self.lemma_home(va, l);
            now.lemma_chain(va, m, l);
            let n = home(self.geo, va, l);
            let i = self.geo.index_of(va, l);
            assert(self.nodes[n].entries[i] is Page && now.nodes[n].entries[i] is Table);
        }
    }

    /// What the trees mean: no live translation changes.
    pub(crate) proof fn lemma_live<A: EntryFormat>(self, now: Model)
        requires
            self.inv(),
            now.inv(),
            self.pages_ok::<A>(),
            now.pages_ok::<A>(),
            self.keeps_live(now),
        ensures
            self.space::<A>().keeps_live(now.space::<A>()),
    {
        let (s, t) = (self.space::<A>(), now.space::<A>());
        assert forall|va: int| s.lookup(va) is Some && #[trigger] t.lookup(va) is Some implies {
            let (was, is) = (s.lookup(va)->0, t.lookup(va)->0);
            &&& t.base(va) == s.base(va)
            &&& is.size == was.size
            &&& is.frame == was.frame
            &&& is.prop.cache == was.prop.cache
            &&& is.prop.global ==> was.prop.global
        } by {
            self.lemma_lookup::<A>(va);
            now.lemma_lookup::<A>(va);
            let (l, m) = (self.level_of(va), now.level_of(va));
            assert(self.page_at(va, l) && now.page_at(va, m));
            self.lemma_live_above(now, va, l, m);
            now.lemma_live_above(self, va, m, l);
            self.lemma_home(va, l);
            let e = self.nodes[home(self.geo, va, l)].entries[self.geo.index_of(va, l)];
            assert(e.keeps_live(now.entry_at(va, l)));
        }
    }
}

} // verus!
