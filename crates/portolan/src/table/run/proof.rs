//! Runs do what they should, and nothing else is seen in between.

use super::super::chain::Chain;
use super::super::descend::{Descent, Stop};
use super::super::model::counting::lemma_used_update;
use super::super::model::{Model, NodeId, home};
use super::super::perms::{space, tables};
use super::super::stack::Stack;
use super::super::tree::{Slot, Tree};
use super::{Job, Run};
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
            self.entry_at(at, l) is Page ==> {
                &&& self.space::<A>().pages[at] == Self::mapping::<A>(self.entry_at(at, l), l)
                &&& self.space::<A>().pages[at].size.bytes() == self.geo.span(l)
                &&& A::page_size(l) is Some
            },
    {
        reveal(Model::space);
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
    pub(super) proof fn lemma_unmap_start(self, job: Job<M, A, B>, stack: Stack<A>)
        requires
            self.inv(),
            job.start == self,
            stack.inv(self.phys_bits()),
            stack.tables() == Set::<crate::PhysAddr>::empty(),
        ensures
            self.is_clearing(job, job.lo, None),
            self.is_shared_with(self, stack),
    {
        assert(self.frames.held() =~= tables(self.perms@).union(stack.tables()));
    }

    /// One more step, at pages that were as at the start: what is seen is a mix of the start and of what is now.
    pub(crate) proof fn lemma_mix(self, mid: Self, start: Self)
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
    pub(super) proof fn lemma_run_start(self, va: u64, d: Descent, at: u64)
        requires
            self.sound(),
            self.is_descent(va as int, 1, d),
            at == va & !((A::geo().span(d.stop.level as nat) - 1) as u64),
        ensures
            ({
                let run = Run::start(va, d);
                &&& self.is_running(self, run)
                &&& at == run.at::<A>()
                &&& va == run.mark::<A>()
                &&& at <= va < at + A::geo().span(run.level())
                &&& d.index == A::geo().index_of(va as int, run.level()) < A::geo().entries(
                    run.level(),
                )
                &&& !(self.entry_at(va as int, run.level()) is Table)
            }),
    {
        let l = d.stop.level as nat;
        let m = self.model();
        A::geo().lemma_align_down(va, l);
        A::geo().lemma_decompose(va as int, l);
        A::geo().lemma_bounds(va as int, l);
        assert(m.nodes.contains_key(home(A::geo(), va as int, l)));
        assert(m.slot_ok(home(A::geo(), va as int, l), A::geo().index_of(va as int, l)));
    }

    /// The entry that a run is at.
    pub(crate) proof fn lemma_run_slot(self, run: Run)
        requires
            self.linked(),
            self.is_stop(run.va, run.stop),
            0 <= run.index < A::geo().entries(run.level()),
        ensures
            0 <= run.at::<A>(),
            run.next().at::<A>() == run.at::<A>() + A::geo().span(run.level()),
            run.next().at::<A>() <= A::geo().limit() <= 0x200_0000_0000_0000,
            forall|slot: Slot|
                slot.level == run.stop.level && slot.table == run.stop.table && slot.index
                    == run.index ==> #[trigger] self.is_slot(run.at::<A>(), slot),
            home(A::geo(), run.at::<A>(), run.level()) == run.node::<A>(),
            A::geo().index_of(run.at::<A>(), run.level()) == run.index,
            run.at::<A>() % A::geo().span(run.level()) == 0,
            A::geo().span(run.level()) > 0,
    {
        assert(self.model().nodes.contains_key(run.node::<A>()));
        self.model().lemma_first(run.node::<A>(), run.index);
        A::geo().lemma_entry_end(run.level(), run.index);
        A::geo().lemma_next_entry(run.level(), run.index);
        A::geo().lemma_span(run.level());
        A::geo().lemma_limit();
    }

    /// An entry was passed: it was empty, or its page is the first.
    pub(super) proof fn lemma_run_passed(
        self,
        old: Self,
        job: Job<M, A, B>,
        run: Run,
        first: Option<u64>,
        bytes: int,
    )
        requires
            self.is_running(old, run),
            self.is_clearing(job, run.mark::<A>(), run.first),
            run.is_within::<A>(job.lo, job.hi),
            run.va < job.hi,
            job.is_through(run.va),
            job.is_even(run.va, run.mark::<A>(), A::geo().span(run.level()), bytes > 0),
            job.is_counted(run.va, run.mark::<A>(), bytes),
            job.is_whole(),
            match self.entry_at(run.at::<A>(), run.level()) {
                Entry::Empty => first == run.first,
                Entry::Page { .. } => run.first is None && first is Some && first->0 == run.at::<
                    A,
                >(),
                Entry::Table { .. } => false,
            },
        ensures
            self.is_running(old, Run { first, ..run.next() }),
            self.is_clearing(job, run.next().at::<A>(), first),
            if self.entry_at(run.at::<A>(), run.level()) is Page {
                &&& run.va <= run.at::<A>()
                &&& job.is_even(run.va, run.next().at::<A>(), A::geo().span(run.level()), true)
                &&& job.is_counted(run.va, run.next().at::<A>(), bytes + A::geo().span(run.level()))
            } else {
                &&& job.is_even(run.va, run.next().at::<A>(), A::geo().span(run.level()), bytes > 0)
                &&& job.is_counted(run.va, run.next().at::<A>(), bytes)
            },
    {
        let (s, now) = (job.start.space(), self.space());
        let next = run.next().at::<A>();
        self.lemma_run_slot(run);
        self.model().lemma_entry_pages::<A>(run.at::<A>(), run.level());
        self.lemma_run_pages(job, run, bytes);
        assert forall|base: int| #[trigger]
            s.is_cleared_at(now, job.lo, next, job.hi, first, base) by {
            assert(s.is_cleared_at(now, job.lo, run.mark::<A>(), job.hi, run.first, base));
        }
    }

    /// What the entry that a run is at adds to what was found.
    proof fn lemma_run_pages(self, job: Job<M, A, B>, run: Run, bytes: int)
        requires
            self.linked(),
            self.is_stop(run.va, run.stop),
            self.is_clearing(job, run.mark::<A>(), run.first),
            run.is_within::<A>(job.lo, job.hi),
            run.va < job.hi,
            job.is_whole(),
            job.is_through(run.va),
            job.is_even(run.va, run.mark::<A>(), A::geo().span(run.level()), bytes > 0),
            job.is_counted(run.va, run.mark::<A>(), bytes),
            !(self.entry_at(run.at::<A>(), run.level()) is Table),
        ensures
            if self.entry_at(run.at::<A>(), run.level()) is Page {
                &&& run.va <= run.at::<A>()
                &&& job.is_even(run.va, run.next().at::<A>(), A::geo().span(run.level()), true)
                &&& job.is_counted(run.va, run.next().at::<A>(), bytes + A::geo().span(run.level()))
            } else {
                &&& job.is_even(run.va, run.next().at::<A>(), A::geo().span(run.level()), bytes > 0)
                &&& job.is_counted(run.va, run.next().at::<A>(), bytes)
            },
    {
        let (s, now, at) = (job.start.space(), self.space(), run.at::<A>());
        self.lemma_run_slot(run);
        self.model().lemma_entry_pages::<A>(at, run.level());
        assert forall|base: int| #[trigger]
            s.pages.contains_key(base) && run.mark::<A>() <= base < run.next().at::<
                A,
            >() implies now.pages.contains_key(base) by {
            assert(s.is_cleared_at(now, job.lo, run.mark::<A>(), job.hi, run.first, base));
        }
        assert(s.is_cleared_at(now, job.lo, run.mark::<A>(), job.hi, run.first, at));
        if self.entry_at(at, run.level()) is Page {
            assert(run.va <= at);
            job.lemma_count_page(run, bytes > 0, bytes);
        } else {
            job.lemma_count_hole(run, bytes > 0, bytes);
        }
    }

    /// A page was cleared.
    pub(super) proof fn lemma_run_cleared(
        self,
        before: Self,
        old: Self,
        job: Job<M, A, B>,
        run: Run,
        bytes: int,
    )
        requires
            before.is_running(old, run),
            before.is_clearing(job, run.mark::<A>(), run.first),
            run.is_within::<A>(job.lo, job.hi),
            run.va < job.hi,
            job.is_whole(),
            job.is_through(run.va),
            job.is_even(run.va, run.mark::<A>(), A::geo().span(run.level()), bytes > 0),
            job.is_counted(run.va, run.mark::<A>(), bytes),
            before.entry_at(run.at::<A>(), run.level()) is Page,
            run.first is Some,
            self.replaced_from(before, run.at::<A>(), run.level(), Entry::Empty),
            self.steps_from(before),
        ensures
            self.is_running(old, Run { cleared: run.cleared + 1, ..run.next() }),
            self.is_clearing(job, run.next().at::<A>(), run.first),
            run.va <= run.at::<A>(),
            job.is_even(run.va, run.next().at::<A>(), A::geo().span(run.level()), true),
            job.is_counted(run.va, run.next().at::<A>(), bytes + A::geo().span(run.level())),
    {
        let (l, n, at) = (run.level(), run.node::<A>(), run.at::<A>());
        let (was, now) = (before.model(), self.model());
        before.lemma_run_slot(run);
        was.lemma_entry_pages::<A>(at, l);
        before.lemma_run_pages(job, run, bytes);
        assert(was.nodes.contains_key(n));
        was.lemma_put_counted(n, run.index, Entry::Empty);
        self.lemma_stays(before, run, Entry::Empty);
        let p = run.first->0 as int;
        A::geo().lemma_decompose(p, l);
        A::geo().lemma_decompose(at, l);
        A::geo().lemma_bounds(p, l);
        assert(A::geo().index_of(p, l) != run.index);
        assert(self.entry_at(p, l) == before.entry_at(p, l));
        let (s, mid, done) = (job.start.space(), before.space(), self.space());
        let next = run.next().at::<A>();
        assert forall|base: int| #[trigger] mid.same_at(done, base) || mid.same_at(s, base) by {
            assert(s.is_cleared_at(mid, job.lo, at, job.hi, run.first, base));
        }
        self.lemma_mix(before, job.start);
        assert forall|base: int| #[trigger]
            s.is_cleared_at(done, job.lo, next, job.hi, run.first, base) by {
            assert(s.is_cleared_at(mid, job.lo, at, job.hi, run.first, base));
        }
    }

    /// The entry that a run is at was replaced: its table is where it was.
    pub(crate) proof fn lemma_stays(self, before: Self, run: Run, e: Entry)
        requires
            before.linked(),
            before.is_stop(run.va, run.stop),
            0 <= run.index < A::geo().entries(run.level()),
            self.replaced_from(before, run.at::<A>(), run.level(), e),
        ensures
            self.is_stop(run.va, run.stop),
    {
        let (l, n) = (run.level(), run.node::<A>());
        let (was, now) = (before.model(), self.model());
        before.lemma_run_slot(run);
        assert(before.perms@.dom().contains(n) && self.perms@.dom().contains(n));
        assert(now.nodes[n].table == was.nodes[n].table);
        if l < A::geo().levels {
            let up = home(A::geo(), run.va, l + 1);
            assert(before.perms@.dom().contains(up) && self.perms@.dom().contains(up));
            assert(now.nodes[up] == was.nodes[up]);
            assert(now.nodes[up].table == before.perms@[up].addr());
        }
    }

    /// After a run, the table's use can be noted.
    pub(super) proof fn lemma_run_note(self, old: Self, run: Run)
        requires
            old.sound(),
            old.is_stop(run.va, run.stop),
            self.is_running(old, run),
            run.cleared > 0,
        ensures
            self.noted(run.va, run.level()) >= 1,
            2 <= A::geo().entries(run.level()),
            A::counts() && run.level() < A::geo().levels ==> {
                &&& run.stop.used - run.cleared == self.noted(run.va, run.level())
                &&& run.stop.used <= A::geo().entries(run.level())
            },
    {
        let (l, n, p) = (run.level(), run.node::<A>(), run.first->0 as int);
        A::geo().lemma_span(l);
        A::geo().lemma_bounds(p, l);
        assert(self.model().nodes.contains_key(n));
        lemma_used_update(self.model().nodes[n].entries, A::geo().index_of(p, l), Entry::Empty);
        if l < A::geo().levels {
            old.lemma_bounded(run.va, run.stop);
        }
    }

    /// What a run leaves.
    pub(super) proof fn lemma_run_done(self, end: Self, old: Self, job: Job<M, A, B>, run: Run)
        requires
            end.is_running(old, run),
            end.is_clearing(job, run.mark::<A>(), run.first),
            self.space() == end.space(),
            self.frames.held() == end.frames.held(),
            self.phys_bits() == end.phys_bits(),
            self.root == end.root,
            self.trace@ == end.trace@ || self.trace@ == end.trace@.push(self.perms@),
        ensures
            self.is_clearing(job, run.mark::<A>(), run.first),
            run.first matches Some(p) ==> self.space().pages.contains_key(p as int),
    {
        self.lemma_mix(end, job.start);
        if let Some(p) = run.first {
            let (l, n) = (run.level(), run.node::<A>());
            let m = end.model();
            assert(m.nodes.contains_key(n));
            A::geo().lemma_bounds(p as int, l);
            m.lemma_own_home(n);
            A::geo().lemma_in_range(n.base, l);
            m.lemma_entry_pages::<A>(p as int, l);
        }
    }

    /// The page that starts at `at` is found there.
    pub(super) proof fn lemma_page_found(self, at: int, d: Descent)
        requires
            self.sound(),
            self.is_descent(at, 1, d),
            self.space().pages.contains_key(at),
        ensures
            d.entry is Page,
            self.is_descent(at, d.stop.level as nat, d),
            at % A::geo().span(d.stop.level as nat) == 0,
    {
        reveal(Model::space);
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
        job: Job<M, A, B>,
        next: int,
        at: u64,
        l: nat,
    )
        requires
            before.is_clearing(job, next, Some(at)),
            self.put_from(before, at as int, l, Entry::Empty),
            self.frames.held() == before.frames.held(),
            job.lo <= at < job.hi,
            at < next,
            at as int % A::geo().span(l) == 0,
        ensures
            self.is_clearing(job, next, None),
    {
        let (s, mid, done) = (job.start.space(), before.space(), self.space());
        assert forall|base: int| #[trigger] mid.same_at(done, base) || mid.same_at(s, base) by {
            assert(s.is_cleared_at(mid, job.lo, next, job.hi, Some(at), base));
        }
        self.lemma_mix(before, job.start);
        assert forall|base: int| #[trigger]
            s.is_cleared_at(done, job.lo, next, job.hi, None, base) by {
            assert(s.is_cleared_at(mid, job.lo, next, job.hi, Some(at), base));
        }
    }

    /// All pages are gone.
    pub(super) proof fn lemma_all_cleared(self, job: Job<M, A, B>, va: int)
        requires
            self.is_clearing(job, va, None),
            job.hi <= va,
        ensures
            self.space() == job.start.space().unmap_range(job.lo, job.hi),
    {
        let (s, done) = (job.start.space(), self.space());
        let gone = s.unmap_range(job.lo, job.hi);
        assert forall|base: int| #[trigger]
            done.pages.contains_key(base) == gone.pages.contains_key(base) && (
            done.pages.contains_key(base) ==> done.pages[base] == gone.pages[base]) by {
            assert(s.is_cleared_at(done, job.lo, va, job.hi, None, base));
        }
        assert(done.pages =~= gone.pages);
    }

    /// No table became empty.
    pub(super) proof fn lemma_nothing_owed(self, start: Self, stack: Stack<A>)
        requires
            self.sound(),
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
