//! A run of pages, one after the other.

use super::super::descend::Descent;
use super::super::model::counting::lemma_used_update;
use super::super::model::{Model, NodeId, home, used};
use super::super::perms::space;
use super::super::tree::{Slot, Tree};
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, Entry, EntryFormat, is_frame_address};
use crate::arith::{lemma_next, lemma_nth, lemma_sum};
use crate::hw::memory::TableMemory;
use crate::prop::PageProperty;
use crate::spec::space::AddressSpace;
use vstd::arithmetic::power2::pow2;
use vstd::prelude::*;

verus! {

impl Model {
    /// One more entry of a table whose use isn't noted yet.
    pub(crate) proof fn lemma_put_uncounted(self, n: NodeId, i: int, e: Entry)
        requires
            self.inv(),
            self.counted_but(n),
            self.nodes.contains_key(n),
            0 <= i < self.geo.entries(n.level),
            self.nodes[n].entries[i] is Empty,
            e is Page,
        ensures
            self.put(n, i, e).counted_but(n),
            used(self.put(n, i, e).nodes[n].entries) == used(self.nodes[n].entries) + 1,
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

    /// Pages lie apart.
    pub(crate) proof fn lemma_apart<A: EntryFormat>(self)
        requires
            self.inv(),
            self.pages_ok::<A>(),
        ensures
            self.space::<A>().is_apart(),
    {
        let space = self.space::<A>();
        assert forall|a: int, b: int, va: int| #[trigger]
            space.covers(a, va) && #[trigger] space.covers(b, va) implies a == b by {
            self.lemma_covers::<A>(a, va);
            self.lemma_covers::<A>(b, va);
        }
    }

    /// Below an empty entry nothing is translated.
    pub(crate) proof fn lemma_untranslated<A: EntryFormat>(self, va: int, l: nat, at: int)
        requires
            self.inv(),
            self.pages_ok::<A>(),
            self.in_range(va),
            1 <= l <= self.geo.levels,
            va % self.geo.span(l) == 0,
            self.nodes.contains_key(home(self.geo, va, l)),
            self.entry_at(va, l) is Empty,
            va <= at < va + self.geo.span(l),
        ensures
            self.space::<A>().translate(at) is None,
    {
        super::super::map::proof::lemma_in_page(self.geo, va, at, l, l);
        self.lemma_stop(at, l);
        self.lemma_lookup::<A>(at);
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// Where the `k`-th page of a run is.
    pub(crate) proof fn lemma_nth_at(self, va: int, l: nat, k: int)
        requires
            self.linked(),
            self.model().in_range(va),
            1 <= l <= A::geo().levels,
            va % A::geo().span(l) == 0,
            0 <= k,
            A::geo().index_of(va, l) + k < A::geo().entries(l),
        ensures
            ({
                let x = va + k * A::geo().span(l);
                &&& self.model().in_range(x)
                &&& home(A::geo(), x, l) == home(A::geo(), va, l)
                &&& A::geo().index_of(x, l) == A::geo().index_of(va, l) + k
                &&& x % A::geo().span(l) == 0
            }),
    {
        let m = self.model();
        let n = home(A::geo(), va, l);
        let i = A::geo().index_of(va, l);
        m.lemma_home(va, l);
        A::geo().lemma_decompose(va, l);
        m.lemma_first(n, i + k);
        lemma_sum(i, k, A::geo().span(l));
    }

    /// Before the first page.
    pub(super) proof fn lemma_fill_start(
        self,
        va: int,
        d: Descent,
        n: int,
        frame: int,
        prop: PageProperty,
    )
        requires
            self.sound(),
            self.may_fill(va, d, n, frame, prop),
        ensures
            self.is_filling(self, va, d, 0, frame, prop),
            n <= A::geo().entries(d.stop.level as nat) <= 8192,
    {
        reveal(Tree::is_filling);
        let l = d.stop.level as nat;
        let m = self.model();
        let home = home(A::geo(), va, l);
        assert(m.nodes.contains_key(home));
        A::geo().lemma_span(l);
        A::geo().lemma_bounds(va, l);
        let with = self.model_with(va, l, 0, frame, prop);
        assert(with.nodes[home].entries =~= m.nodes[home].entries);
        assert(with.nodes =~= m.nodes);
    }

    /// The `k`-th page may be stored.
    pub(super) proof fn lemma_fill_can(
        self,
        tree: Self,
        va: int,
        d: Descent,
        n: int,
        k: int,
        frame: int,
        prop: PageProperty,
    )
        requires
            tree.sound(),
            tree.may_fill(va, d, n, frame, prop),
            0 <= k < n,
            self.is_filling(tree, va, d, k as nat, frame, prop),
        ensures
            ({
                let l = d.stop.level as nat;
                let x = va + k * A::geo().span(l);
                let slot = Slot {
                    level: d.stop.level,
                    table: d.stop.table,
                    index: (d.index + k) as usize,
                };
                &&& d.index + k < 8192
                &&& self.linked()
                &&& self.is_slot(x, slot)
                &&& self.may_set(x, l, Self::nth(l, k, frame, prop))
                &&& self.is_settled(x, l)
                &&& self.phys_bits() == tree.phys_bits()
                &&& tree.phys_bits() <= A::frame_bits()
                &&& frame + (k + 1) * A::geo().span(l) <= pow2(tree.phys_bits() as nat) <= pow2(56)
                &&& pow2(56) < u64::MAX
                &&& is_frame_address(
                    PhysAddr((frame + k * A::geo().span(l)) as u64),
                    tree.phys_bits(),
                    A::geo().span(l),
                )
                &&& self.entry_at(x, l) is Empty
                &&& tree.entry_at(x, l) is Empty
            }),
    {
        reveal(Tree::is_filling);
        let l = d.stop.level as nat;
        let s = A::geo().span(l);
        let i = A::geo().index_of(va, l);
        let x = va + k * s;
        let home = home(A::geo(), va, l);
        A::geo().lemma_span(l);
        A::geo().lemma_bounds(va, l);
        tree.lemma_nth_at(va, l, k);
        assert(tree.model().nodes.contains_key(home));
        assert(!tree.is_used_at(va, l, i + k));
        assert(self.model().nodes.contains_key(home));
        let slot = Slot { level: d.stop.level, table: d.stop.table, index: (d.index + k) as usize };
        assert(self.is_slot(x, slot));
        self.lemma_slot(x, slot);
        A::lemma_geometry();
        lemma_frames(frame, n, k, s);
        vstd::arithmetic::power2::lemma2_to64_rest();
        if A::frame_bits() > tree.phys_bits() || tree.phys_bits() < 56 {
            if tree.phys_bits() < 56 {
                vstd::arithmetic::power2::lemma_pow2_strictly_increases(
                    tree.phys_bits() as nat,
                    56,
                );
            }
        }
    }

    /// One more page.
    pub(super) proof fn lemma_fill_step(
        self,
        before: Self,
        tree: Self,
        va: int,
        d: Descent,
        n: int,
        k: int,
        frame: int,
        prop: PageProperty,
    )
        requires
            tree.sound(),
            tree.may_fill(va, d, n, frame, prop),
            0 <= k < n,
            before.is_filling(tree, va, d, k as nat, frame, prop),
            self.set_from(
                before,
                va + k * A::geo().span(d.stop.level as nat),
                d.stop.level as nat,
                Self::nth(d.stop.level as nat, k, frame, prop),
            ),
        ensures
            self.is_filling(tree, va, d, (k + 1) as nat, frame, prop),
    {
        before.lemma_fill_can(tree, va, d, n, k, frame, prop);
        reveal(Tree::is_filling);
        let l = d.stop.level as nat;
        let s = A::geo().span(l);
        let x = va + k * s;
        let e = Self::nth(l, k, frame, prop);
        let i = A::geo().index_of(va, l);
        let home = home(A::geo(), va, l);
        let was = before.model();
        let now = self.model();
        tree.lemma_nth_at(va, l, k);
        A::geo().lemma_bounds(va, l);
        A::geo().lemma_span(l);
        assert(tree.model().nodes.contains_key(home));
        assert(was.nodes.contains_key(home));
        was.lemma_put_uncounted(home, i + k, e);
        let with = tree.model_with(va, l, (k + 1) as nat, frame, prop);
        assert(now.nodes[home].entries =~= with.nodes[home].entries);
        assert(now.nodes =~= with.nodes);
        self.lemma_fill_stop(before, va, d, x);
        A::lemma_page_size(l);
        assert(((k + 1) - 1) * s == k * s);
        before.lemma_untranslated_page(x, l);
        tree.lemma_untranslated_page(x, l);
        assert(before.space().translate(x) is None);
        self.lemma_same_but_page(before, x, l, e);
        tree.space().lemma_goes_on(before.space(), self.space(), x, x + s);
        self.lemma_through_store(before, tree);
        lemma_next(k, s);
    }

    /// But for the page that was put, addresses are translated as before.
    pub(crate) proof fn lemma_same_but_page(self, before: Self, va: int, l: nat, e: Entry)
        requires
            before.linked(),
            self.linked(),
            self.space() == before.space_with(va, l, e),
            e is Page,
            A::page_size(l) is Some,
            1 <= l <= A::geo().levels,
            before.model().in_range(va),
            va % A::geo().span(l) == 0,
            before.space().translate(va) is None,
        ensures
            self.is_same_outside(before, va, va + A::geo().span(l)),
    {
        A::lemma_page_size(l);
        let mid = before.space();
        before.model().lemma_apart::<A>();
        self.model().lemma_apart::<A>();
        if mid.pages.contains_key(va) {
            assert(mid.covers(va, va));
            mid.lemma_covered(va, va);
        }
        assert forall|at: int|
            !(va <= at < va + A::geo().span(l)) implies #[trigger] self.space().translate(at)
            == mid.translate(at) by {
            mid.lemma_map_at(va, e->frame, Self::size(l), e->prop, at);
        }
    }

    /// What is known of the way stays.
    pub(crate) proof fn lemma_fill_stop(self, before: Self, va: int, d: Descent, x: int)
        requires
            before.linked(),
            before.is_stop(va, d.stop),
            home(A::geo(), x, d.stop.level as nat) == home(A::geo(), va, d.stop.level as nat),
            self.linked(),
            self.perms@.dom() == before.perms@.dom(),
            exists|i: int, e: Entry|
                self.model() == #[trigger] before.model().put(
                    home(A::geo(), va, d.stop.level as nat),
                    i,
                    e,
                ),
        ensures
            self.is_stop(va, d.stop),
    {
        let l = d.stop.level as nat;
        let was = before.model();
        let now = self.model();
        assert forall|k: nat|
            l <= k <= l + 1 && before.perms@.contains_key(
                #[trigger] home(A::geo(), va, k),
            ) implies self.perms@.contains_key(home(A::geo(), va, k)) && self.perms@[home(
            A::geo(),
            va,
            k,
        )].addr() == before.perms@[home(A::geo(), va, k)].addr() by {
            let m = home(A::geo(), va, k);
            assert(before.perms@.dom().contains(m));
            assert(self.perms@.dom().contains(m));
            assert(was.nodes.contains_key(m) && now.nodes.contains_key(m));
            assert(now.nodes[m].table == was.nodes[m].table);
        }
        let _ = home(A::geo(), va, l);
        if l < A::geo().levels {
            let up = home(A::geo(), va, l + 1);
            assert(now.nodes[up] == was.nodes[up]);
        }
    }

    /// Where an entry is empty nothing is translated.
    pub(crate) proof fn lemma_untranslated_page(self, va: int, l: nat)
        requires
            self.linked(),
            1 <= l <= A::geo().levels,
            self.model().in_range(va),
            va % A::geo().span(l) == 0,
            self.perms@.contains_key(home(A::geo(), va, l)),
            self.entry_at(va, l) is Empty,
        ensures
            self.is_untranslated(va, va + A::geo().span(l)),
    {
        assert(self.model().nodes.contains_key(home(A::geo(), va, l)));
        assert forall|at: int|
            va <= at < va + A::geo().span(l) implies #[trigger] self.space().translate(
            at,
        ) is None by {
            self.model().lemma_untranslated::<A>(va, l, at);
        }
    }

    /// A store that goes on is a step on the way.
    pub(crate) proof fn lemma_through_store(self, before: Self, old: Self)
        requires
            before.goes_through(old),
            old.space().goes_on(before.space(), self.space()),
            self.phys_bits() == before.phys_bits(),
            self.root == before.root,
            self.trace@ == before.trace@.push(self.perms@),
        ensures
            self.goes_through(old),
    {
        let (from, mid, new) = (old.space(), before.space(), self.space());
        from.lemma_passes_old(new);
        assert forall|k: int| old.trace@.len() <= k < self.trace@.len() implies from.passes(
            space::<A>(#[trigger] self.trace@[k]),
            new,
        ) by {
            if k < before.trace@.len() {
                assert(self.trace@[k] == before.trace@[k]);
                from.lemma_passes_on(mid, new, space::<A>(self.trace@[k]));
            }
        }
    }

    /// What goes on after steps on the way are steps on the way.
    pub(crate) proof fn lemma_through_steps(self, mid: Self, old: Self)
        requires
            mid.goes_through(old),
            self.goes_through(mid),
            old.space().goes_on(mid.space(), self.space()),
        ensures
            self.goes_through(old),
    {
        let (from, then, new) = (old.space(), mid.space(), self.space());
        assert forall|k: int| old.trace@.len() <= k < self.trace@.len() implies from.passes(
            space::<A>(#[trigger] self.trace@[k]),
            new,
        ) by {
            if k < mid.trace@.len() {
                assert(self.trace@[k] == mid.trace@[k]);
                from.lemma_passes_on(then, new, space::<A>(self.trace@[k]));
            } else {
                from.lemma_passes_from(then, new, space::<A>(self.trace@[k]));
            }
        }
    }

    /// The steps of a single page's operation are steps on the way.
    pub(crate) proof fn lemma_through_page(self, old: Self)
        requires
            old.linked(),
            self.steps_from(old),
        ensures
            self.goes_through(old),
    {
        old.model().lemma_apart::<A>();
        old.space().lemma_passes_old(self.space());
        assert forall|k: int| old.trace@.len() <= k < self.trace@.len() implies old.space().passes(
            space::<A>(#[trigger] self.trace@[k]),
            self.space(),
        ) by {
            if old.space().may_become(space::<A>(self.trace@[k])) {
                old.space().lemma_became(space::<A>(self.trace@[k]), self.space());
            }
        }
    }

    /// The count is to be noted.
    pub(super) proof fn lemma_fill_count(
        self,
        tree: Self,
        va: int,
        d: Descent,
        n: int,
        frame: int,
        prop: PageProperty,
    )
        requires
            tree.sound(),
            tree.may_fill(va, d, n, frame, prop),
            self.is_filling(tree, va, d, n as nat, frame, prop),
        ensures
            self.linked(),
            self.is_stop(va, d.stop),
            1 <= n <= 8192,
            d.stop.used <= 8192,
            d.stop.used + n <= A::geo().entries(d.stop.level as nat) || !A::counts() || d.stop.level
                == A::geo().levels,
    {
        reveal(Tree::is_filling);
        let l = d.stop.level as nat;
        A::geo().lemma_span(l);
        A::geo().lemma_bounds(va, l);
        if l < A::geo().levels {
            tree.lemma_bounded(va, d.stop);
            super::super::model::counting::lemma_used_at_most(
                self.model().nodes[home(A::geo(), va, l)].entries,
            );
            assert(tree.model().nodes.contains_key(home(A::geo(), va, l)));
        }
    }

    /// The run is mapped.
    pub(super) proof fn lemma_fill_end(
        self,
        mid: Self,
        tree: Self,
        va: int,
        d: Descent,
        used: u16,
        n: int,
        frame: int,
        prop: PageProperty,
    )
        requires
            tree.sound(),
            tree.may_fill(va, d, n, frame, prop),
            mid.is_filling(tree, va, d, n as nat, frame, prop),
            used == d.stop.used + n,
            self.noted_from(mid, va, d.stop.level as nat, used),
        ensures
            self.sound(),
            self.is_filled_from(tree, va, d.stop.level as nat, n as nat, frame, prop),
    {
        reveal(Tree::is_filling);
        let l = d.stop.level as nat;
        if l < A::geo().levels {
            tree.lemma_bounded(va, d.stop);
        }
        self.lemma_after_note(mid, va, d.stop, used);
        self.lemma_through_note(mid, tree);
        assert(self.is_same_outside(tree, va, va + n * A::geo().span(l)));
    }

    /// A store that changes nothing of the meaning is a step on the way.
    pub(crate) proof fn lemma_through_note(self, mid: Self, old: Self)
        requires
            mid.goes_through(old),
            self.space() == mid.space(),
            self.phys_bits() == mid.phys_bits(),
            self.root == mid.root,
            self.trace@ == mid.trace@ || self.trace@ == mid.trace@.push(self.perms@),
        ensures
            self.goes_through(old),
    {
        old.space().lemma_passes_old(self.space());
        assert forall|k: int| old.trace@.len() <= k < self.trace@.len() implies old.space().passes(
            space::<A>(#[trigger] self.trace@[k]),
            self.space(),
        ) by {
            if k < mid.trace@.len() {
                assert(self.trace@[k] == mid.trace@[k]);
            }
        }
    }
}

/// The `k`-th of `n` frames that follow each other.
proof fn lemma_frames(frame: int, n: int, k: int, s: int)
    requires
        0 <= k < n,
        0 < s,
        frame % s == 0,
    ensures
        (frame + k * s) % s == 0,
        k * s >= 0,
        (k + 1) * s == k * s + s,
        frame + (k + 1) * s <= frame + n * s,
{
    vstd::arithmetic::div_mod::lemma_mod_multiples_vanish(k, frame, s);
    lemma_nth(k, n, s);
}

} // verus!
