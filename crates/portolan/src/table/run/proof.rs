//! Runs do what they should, and nothing else is seen in between.

use super::super::chain::Chain;
use super::super::descend::{Descent, Stop};
use super::super::model::counting::lemma_used_update;
use super::super::model::{Model, NodeId, home};
use super::super::perms::{space, tables};
use super::super::stack::Stack;
use super::super::tree::{Slot, Tree};
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, Entry, EntryFormat};
use crate::hw::memory::TableMemory;
use crate::spec::space::AddressSpace;
use vstd::prelude::*;

verus! {

impl Model {
    /// The pages that start where an entry that isn't a table's reaches: one, or none.
    pub(crate) proof fn lemma_entry_pages<A: EntryFormat>(self, at: int, l: nat)
        requires
            self.inv(),
            self.pages_ok::<A>(),
            self.in_range(at),
            1 <= l <= self.geo.levels,
            at % self.geo.span(l) == 0,
            self.nodes.contains_key(home(self.geo, at, l)),
            !(self.entry_at(at, l) is Table),
        ensures
            forall|base: int|
                at <= base < at + self.geo.span(l) && #[trigger] self.space::<
                    A,
                >().pages.contains_key(base) ==> base == at,
            self.space::<A>().pages.contains_key(at) <==> self.entry_at(at, l) is Page,
            self.entry_at(at, l) is Page ==> self.space::<A>().pages[at].size.bytes()
                == self.geo.span(l),
    {
        let space = self.space::<A>();
        self.lemma_same_slot(at, at, l);
        self.lemma_stop(at, l);
        if self.entry_at(at, l) is Page {
            self.lemma_page::<A>(at, l);
            self.lemma_size::<A>(at, l);
        }
        assert forall|base: int|
            at <= base < at + self.geo.span(l) && #[trigger] space.pages.contains_key(
                base,
            ) implies base == at by {
            self.lemma_same_slot(base, at, l);
            self.lemma_stop(base, l);
            assert(self.entry_at(base, l) == self.entry_at(at, l));
            if self.entry_at(at, l) is Page {
                self.lemma_page::<A>(base, l);
            }
        }
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// Before the first page is cleared.
    pub(super) proof fn lemma_unmap_start(self, lo: int, hi: int, stack: Stack<A>)
        requires
            self.inv(),
            stack.inv(self.phys_bits()),
            stack.tables() == Set::<crate::PhysAddr>::empty(),
        ensures
            self.is_clearing(self, lo, lo, hi, None),
            self.is_shared_with(self, stack),
    {
        assert(self.frames.held() =~= tables(self.perms@).union(stack.tables()));
    }

    /// One more step, at pages that were as at the start: what is seen is a mix of the start and of what is now.
    pub(super) proof fn lemma_mix(self, mid: Self, start: Self)
        requires
            mid.mixes_from(start),
            self.steps_from(mid),
            forall|base: int| #[trigger]
                mid.space().same_at(self.space(), base) || mid.space().same_at(start.space(), base),
        ensures
            self.mixes_from(start),
    {
        assert forall|k: int|
            start.trace@.len() <= k < self.trace@.len() implies start.space().mixes(
            space::<A>(#[trigger] self.trace@[k]),
            self.space(),
        ) by {
            let seen = space::<A>(self.trace@[k]);
            if k < mid.trace@.len() {
                assert(self.trace@[k] == mid.trace@[k]);
                assert(start.space().mixes(seen, mid.space()));
            }
            assert forall|base: int| #[trigger]
                start.space().keeps(seen, base) || self.space().keeps(seen, base) by {
                assert(mid.space().same_at(self.space(), base) || mid.space().same_at(
                    start.space(),
                    base,
                ));
            }
        }
    }

    /// Where a run starts.
    pub(super) proof fn lemma_run_start(
        self,
        start: Self,
        lo: int,
        va: u64,
        hi: int,
        d: Descent,
        at: u64,
    )
        requires
            self.ready(),
            self.is_descent(va as int, 1, d),
            self.is_clearing(start, lo, va as int, hi, None),
            at == va & !((A::geo().span(d.stop.level as nat) - 1) as u64),
        ensures
            self.is_running(self, va as int, d.stop, d.index as int, at as int, None, 0),
            self.is_clearing(start, lo, at as int, hi, None),
            !(self.entry_at(va as int, d.stop.level as nat) is Table),
            at <= va < at + A::geo().span(d.stop.level as nat),
            d.index == A::geo().index_of(va as int, d.stop.level as nat),
            d.index < A::geo().entries(d.stop.level as nat),
    {
        let l = d.stop.level as nat;
        let m = self.model();
        A::geo().lemma_align_down(va, l);
        A::geo().lemma_decompose(va as int, l);
        A::geo().lemma_bounds(va as int, l);
        assert(m.nodes.contains_key(home(A::geo(), va as int, l)));
        assert(m.slot_ok(home(A::geo(), va as int, l), A::geo().index_of(va as int, l)));
        let (s, now) = (start.space(), self.space());
        assert forall|base: int| #[trigger]
            s.is_cleared_at(now, lo, at as int, hi, None, base) by {
            assert(s.is_cleared_at(now, lo, va as int, hi, None, base));
        }
    }

    /// The entry that a run is at.
    pub(super) proof fn lemma_run_slot(
        self,
        old: Self,
        va: int,
        stop: Stop,
        index: int,
        at: int,
        first: Option<u64>,
        cleared: int,
    )
        requires
            self.is_running(old, va, stop, index, at, first, cleared),
            0 <= index < A::geo().entries(stop.level as nat),
        ensures
            0 <= at,
            at + A::geo().span(stop.level as nat) <= A::geo().limit() <= 0x200_0000_0000_0000,
            forall|slot: Slot|
                slot == (Slot { level: stop.level, table: stop.table, index: index as usize })
                    ==> #[trigger] self.is_slot(at, slot),
            home(A::geo(), at, stop.level as nat) == home(A::geo(), va, stop.level as nat),
            A::geo().index_of(at, stop.level as nat) == index,
            at % A::geo().span(stop.level as nat) == 0,
            A::geo().span(stop.level as nat) > 0,
    {
        let l = stop.level as nat;
        let n = home(A::geo(), va, l);
        assert(self.model().nodes.contains_key(n));
        self.model().lemma_first(n, index);
        A::geo().lemma_entry_end(l, index);
        A::geo().lemma_span(l);
        A::geo().lemma_limit();
    }

    /// An entry was passed: it was empty, or its page is the first.
    pub(super) proof fn lemma_run_passed(
        self,
        old: Self,
        start: Self,
        lo: int,
        va: int,
        hi: int,
        stop: Stop,
        index: int,
        at: u64,
        first: (Option<u64>, Option<u64>),
        cleared: int,
    )
        requires
            self.is_running(old, va, stop, index, at as int, first.0, cleared),
            self.is_clearing(start, lo, at as int, hi, first.0),
            0 <= index < A::geo().entries(stop.level as nat),
            lo <= va < at + A::geo().span(stop.level as nat),
            at < hi,
            !start.space().is_cut(lo, hi),
            !(self.entry_at(at as int, stop.level as nat) is Table),
            if self.entry_at(at as int, stop.level as nat) is Page {
                first.0 is None && first.1 == Some(at)
            } else {
                first.1 == first.0
            },
        ensures
            self.is_running(
                old,
                va,
                stop,
                index + 1,
                at + A::geo().span(stop.level as nat),
                first.1,
                cleared,
            ),
            self.is_clearing(start, lo, at + A::geo().span(stop.level as nat), hi, first.1),
            first.1 == Some(at) ==> lo <= at,
    {
        let l = stop.level as nat;
        self.lemma_run_slot(old, va, stop, index, at as int, first.0, cleared);
        self.model().lemma_entry_pages::<A>(at as int, l);
        A::geo().lemma_next_entry(l, index);
        self.lemma_not_cut(start, lo, va, hi, at as int, l, first.0);
        let (s, now) = (start.space(), self.space());
        let next = at + A::geo().span(l);
        assert forall|base: int| #[trigger]
            s.is_cleared_at(now, lo, next, hi, first.1, base) by {
            assert(s.is_cleared_at(now, lo, at as int, hi, first.0, base));
        }
    }

    /// A page that a run is at lies within the range.
    proof fn lemma_not_cut(
        self,
        start: Self,
        lo: int,
        va: int,
        hi: int,
        at: int,
        l: nat,
        left: Option<u64>,
    )
        requires
            self.is_clearing(start, lo, at, hi, left),
            self.entry_at(at, l) is Page ==> self.space().pages.contains_key(at)
                && self.space().pages[at].size.bytes() == A::geo().span(l),
            lo <= va < at + A::geo().span(l),
            at < hi,
            !start.space().is_cut(lo, hi),
        ensures
            self.entry_at(at, l) is Page ==> lo <= at && start.space().same_at(self.space(), at),
    {
        assert(start.space().is_cleared_at(self.space(), lo, at, hi, left, at));
    }

    /// A page was cleared.
    pub(super) proof fn lemma_run_cleared(
        self,
        before: Self,
        old: Self,
        start: Self,
        lo: int,
        va: int,
        hi: int,
        stop: Stop,
        index: int,
        at: u64,
        first: Option<u64>,
        cleared: int,
    )
        requires
            before.is_running(old, va, stop, index, at as int, first, cleared),
            before.is_clearing(start, lo, at as int, hi, first),
            0 <= index < A::geo().entries(stop.level as nat),
            lo <= va < at + A::geo().span(stop.level as nat),
            at < hi,
            0 <= cleared,
            !start.space().is_cut(lo, hi),
            before.entry_at(at as int, stop.level as nat) is Page,
            first is Some,
            self.replaced_from(before, at as int, stop.level as nat, Entry::Empty),
            self.steps_from(before),
        ensures
            self.is_running(
                old,
                va,
                stop,
                index + 1,
                at + A::geo().span(stop.level as nat),
                first,
                cleared + 1,
            ),
            self.is_clearing(start, lo, at + A::geo().span(stop.level as nat), hi, first),
    {
        let l = stop.level as nat;
        let n = home(A::geo(), va, l);
        let (was, now) = (before.model(), self.model());
        before.lemma_run_slot(old, va, stop, index, at as int, first, cleared);
        was.lemma_entry_pages::<A>(at as int, l);
        A::geo().lemma_next_entry(l, index);
        before.lemma_not_cut(start, lo, va, hi, at as int, l, first);
        assert(was.nodes.contains_key(n));
        was.lemma_put_counted(n, index, Entry::Empty);
        self.lemma_stays(before, va, stop, at as int, Entry::Empty);
        let p = first->0 as int;
        A::geo().lemma_decompose(p, l);
        A::geo().lemma_decompose(at as int, l);
        A::geo().lemma_bounds(p, l);
        assert(A::geo().index_of(p, l) != index);
        assert(self.entry_at(p, l) == before.entry_at(p, l));
        let (s, mid, done) = (start.space(), before.space(), self.space());
        let next = at + A::geo().span(l);
        assert forall|base: int| #[trigger]
            mid.same_at(done, base) || mid.same_at(s, base) by {
            assert(s.is_cleared_at(mid, lo, at as int, hi, first, base));
        }
        self.lemma_mix(before, start);
        assert forall|base: int| #[trigger]
            s.is_cleared_at(done, lo, next, hi, first, base) by {
            assert(s.is_cleared_at(mid, lo, at as int, hi, first, base));
        }
    }

    /// An entry that isn't a table's was replaced in the table at `stop`: the table is where it was.
    proof fn lemma_stays(self, before: Self, va: int, stop: Stop, at: int, e: Entry)
        requires
            before.linked(),
            before.is_stop(va, stop),
            home(A::geo(), at, stop.level as nat) == home(A::geo(), va, stop.level as nat),
            self.replaced_from(before, at, stop.level as nat, e),
        ensures
            self.is_stop(va, stop),
    {
        let l = stop.level as nat;
        let n = home(A::geo(), va, l);
        let (was, now) = (before.model(), self.model());
        assert(before.perms@.dom().contains(n) && self.perms@.dom().contains(n));
        assert(now.nodes[n].table == was.nodes[n].table);
        if l < A::geo().levels {
            let up = home(A::geo(), va, l + 1);
            assert(before.perms@.dom().contains(up) && self.perms@.dom().contains(up));
            assert(now.nodes[up] == was.nodes[up]);
            assert(now.nodes[up].table == before.perms@[up].addr());
        }
    }

    /// After a run, the table's use can be noted.
    pub(super) proof fn lemma_run_note(
        self,
        old: Self,
        va: int,
        stop: Stop,
        index: int,
        at: int,
        first: Option<u64>,
        cleared: int,
    )
        requires
            old.ready(),
            old.is_stop(va, stop),
            self.is_running(old, va, stop, index, at, first, cleared),
            cleared > 0,
        ensures
            self.noted(va, stop.level as nat) >= 1,
            2 <= A::geo().entries(stop.level as nat),
            A::counts() && stop.level < A::geo().levels ==> stop.used - cleared == self.noted(
                va,
                stop.level as nat,
            ) && stop.used <= A::geo().entries(stop.level as nat),
    {
        let l = stop.level as nat;
        let n = home(A::geo(), va, l);
        let p = first->0 as int;
        A::geo().lemma_span(l);
        A::geo().lemma_bounds(p, l);
        assert(self.model().nodes.contains_key(n));
        lemma_used_update(self.model().nodes[n].entries, A::geo().index_of(p, l), Entry::Empty);
        if l < A::geo().levels {
            old.lemma_bounded(va, stop);
        }
    }

    /// What a run leaves.
    pub(super) proof fn lemma_run_done(
        self,
        run: Self,
        old: Self,
        start: Self,
        lo: int,
        va: int,
        hi: int,
        stop: Stop,
        index: int,
        at: int,
        first: Option<u64>,
        cleared: int,
    )
        requires
            run.is_running(old, va, stop, index, at, first, cleared),
            run.is_clearing(start, lo, at, hi, first),
            self.space() == run.space(),
            self.frames.held() == run.frames.held(),
            self.phys_bits() == run.phys_bits(),
            self.root == run.root,
            self.trace@ == run.trace@ || self.trace@ == run.trace@.push(self.perms@),
        ensures
            self.is_clearing(start, lo, at, hi, first),
            first matches Some(p) ==> self.space().pages.contains_key(p as int),
    {
        self.lemma_mix(run, start);
        if let Some(p) = first {
            let l = stop.level as nat;
            let m = run.model();
            assert(m.nodes.contains_key(home(A::geo(), va, l)));
            A::geo().lemma_bounds(p as int, l);
            m.lemma_own_home(home(A::geo(), va, l));
            A::geo().lemma_in_range(home(A::geo(), va, l).base, l);
            m.lemma_entry_pages::<A>(p as int, l);
        }
    }

    /// The page that starts at `at` is found there.
    pub(super) proof fn lemma_page_found(self, at: int, d: Descent)
        requires
            self.ready(),
            self.is_descent(at, 1, d),
            self.space().pages.contains_key(at),
        ensures
            d.entry is Page,
            self.is_descent(at, d.stop.level as nat, d),
            at % A::geo().span(d.stop.level as nat) == 0,
    {
        let m = self.model();
        let (k, l) = (d.stop.level as nat, m.level_of(at));
        assert(m.page_at(at, l));
        assert(m.nodes.contains_key(home(A::geo(), at, k)));
        if k < l {
            m.lemma_chain(at, k, l);
        } else if l < k {
            m.lemma_chain(at, l, k);
        }
    }

    /// The tables of a chain that was taken out are not on the stack.
    pub(super) proof fn lemma_apart(self, start: Self, now: Self, stack: Stack<A>, chain: Chain<A>)
        requires
            self.is_shared_with(start, stack),
            now.phys_bits() == self.phys_bits(),
            now.is_rest(self, Some(chain)),
        ensures
            stack.inv(now.phys_bits()),
            stack.tables().disjoint(chain.tables()),
    {
    }

    /// The tables are shared with the stack, with or without those of a chain.
    pub(super) proof fn lemma_shared_on(
        self,
        before: Self,
        start: Self,
        chain: Option<Chain<A>>,
        was: Stack<A>,
        stack: Stack<A>,
    )
        requires
            before.is_shared_with(start, was),
            self.phys_bits() == before.phys_bits(),
            stack.inv(self.phys_bits()),
            match chain {
                None => stack == was && tables(self.perms@) == tables(before.perms@),
                Some(chain) => {
                    &&& tables(before.perms@) == tables(self.perms@).union(chain.tables())
                    &&& tables(self.perms@).disjoint(chain.tables())
                    &&& stack.tables() == was.tables().union(chain.tables())
                },
            },
        ensures
            self.is_shared_with(start, stack),
    {
        assert(tables(before.perms@).union(was.tables()) =~= tables(self.perms@).union(
            stack.tables(),
        ));
    }

    /// The first page of the run is gone too.
    pub(super) proof fn lemma_first_taken(
        self,
        before: Self,
        start: Self,
        lo: int,
        next: int,
        hi: int,
        at: u64,
        l: nat,
    )
        requires
            before.is_clearing(start, lo, next, hi, Some(at)),
            self.put_from(before, at as int, l, Entry::Empty),
            self.frames.held() == before.frames.held(),
            lo <= at < hi,
            at as int % A::geo().span(l) == 0,
        ensures
            self.is_clearing(start, lo, next, hi, None),
    {
        let (s, mid, done) = (start.space(), before.space(), self.space());
        assert forall|base: int| #[trigger]
            mid.same_at(done, base) || mid.same_at(s, base) by {
            assert(s.is_cleared_at(mid, lo, next, hi, Some(at), base));
        }
        self.lemma_mix(before, start);
        assert forall|base: int| #[trigger] s.is_cleared_at(done, lo, next, hi, None, base) by {
            assert(s.is_cleared_at(mid, lo, next, hi, Some(at), base));
        }
    }

    /// All pages are gone.
    pub(super) proof fn lemma_all_cleared(self, start: Self, lo: int, va: int, hi: int)
        requires
            self.is_clearing(start, lo, va, hi, None),
            hi <= va,
        ensures
            self.space() == start.space().unmap_range(lo, hi),
    {
        let (s, done) = (start.space(), self.space());
        let gone = s.unmap_range(lo, hi);
        assert forall|base: int| #[trigger]
            done.pages.contains_key(base) == gone.pages.contains_key(base) && (
            done.pages.contains_key(base) ==> done.pages[base] == gone.pages[base]) by {
            assert(s.is_cleared_at(done, lo, va, hi, None, base));
        }
        assert(done.pages =~= gone.pages);
    }

    /// No table became empty.
    pub(super) proof fn lemma_nothing_owed(self, start: Self, stack: Stack<A>)
        requires
            self.ready(),
            self.frames.held() == start.frames.held(),
            self.is_shared_with(start, stack),
            stack@.len() == 0,
        ensures
            self.accounted(),
    {
        assert forall|a: crate::PhysAddr| !stack.tables().contains(a) by {
            if stack.tables().contains(a) {
                assert(stack.perms@.contains_key(a));
            }
        }
        assert(self.frames.held() =~= tables(self.perms@));
    }

    /// The tables that became empty are handed over.
    pub(super) proof fn lemma_owed(self, start: Self, now: Self, stack: Stack<A>)
        requires
            now.is_shared_with(start, stack),
            self.perms@ == now.perms@,
            self.frames.held() == start.frames.held().difference(stack.tables()),
        ensures
            self.accounted(),
            start.frames.held() == self.frames.held().union(stack.tables()),
            self.frames.held().disjoint(stack.tables()),
    {
        assert(self.frames.held() =~= tables(self.perms@));
    }
}

} // verus!
