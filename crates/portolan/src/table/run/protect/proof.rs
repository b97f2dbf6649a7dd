//! Each page of a range is given its properties once.

use super::super::super::change::Change;
use super::super::super::descend::Descent;
use super::super::super::model::{Model, home};
use super::super::super::tree::Tree;
use super::super::{Job, Run};
use super::spec::is_changed;
use crate::PhysAddr;
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, Entry, EntryFormat};
use crate::hw::memory::TableMemory;
use crate::prop::{Mapping, PageProperty};
use crate::spec::space::AddressSpace;
use vstd::prelude::*;

verus! {

impl AddressSpace {
    /// Other properties for all pages.
    pub(super) proof fn lemma_as_protected(self, lo: int, hi: int, prop: PageProperty, now: Self)
        requires
            self.may_change_range(lo, hi, Change::Protect(prop), now),
        ensures
            self.may_protect_range(lo, hi, prop, now),
    {
        assert forall|va: int| #[trigger]
            self.pages.contains_key(va) && lo <= va < hi implies exists|seen: PageProperty|
         #[trigger]
            self.pages[va].prop.may_become(seen) && now.pages[va] == (Mapping {
                prop: prop.keeping(seen),
                ..self.pages[va]
            }) by {
            assert(is_changed(self.pages[va], Change::Protect(prop), now.pages[va]));
        }
    }

    /// No right to write for all pages.
    pub(super) proof fn lemma_as_write_protected(self, lo: int, hi: int, now: Self)
        requires
            self.may_change_range(lo, hi, Change::WriteProtect, now),
        ensures
            self.may_write_protect_range(lo, hi, now),
    {
        assert forall|va: int| #[trigger]
            self.pages.contains_key(va) && lo <= va < hi implies exists|seen: PageProperty|
         #[trigger]
            self.pages[va].prop.may_become(seen) && now.pages[va] == (Mapping {
                prop: seen.read_only(),
                ..self.pages[va]
            }) by {
            assert(is_changed(self.pages[va], Change::WriteProtect, now.pages[va]));
        }
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// Before the first page is changed.
    pub(super) proof fn lemma_protect_start(self, job: Job<M, A, B>, change: Change)
        requires
            self.inv(),
            job.start == self,
            job.is_whole(),
            job.lo < job.hi,
        ensures
            self.is_protecting(job, job.lo, change),
            job.is_through(job.lo),
            job.is_least(job.lo, None),
    {
        let s = self.space();
        assert forall|base: int| #[trigger] s.pages.contains_key(base) && base < job.lo implies base
            + s.pages[base].size.bytes() <= job.lo by {}
    }

    /// Where a run starts.
    pub(super) proof fn lemma_protect_run(
        self,
        job: Job<M, A, B>,
        va: u64,
        d: Descent,
        at: u64,
        change: Change,
    )
        requires
            self.inv(),
            self.is_descent(va as int, 1, d),
            job.lo <= va < job.hi,
            self.is_protecting(job, va as int, change),
            job.is_through(va as int),
            at == va & !((A::geo().span(d.stop.level as nat) - 1) as u64),
        ensures
            ({
                let run = Run::start(va, d);
                &&& self.is_protecting(job, at as int, change)
                &&& at == run.at::<A>()
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
        self.lemma_run_slot(Run::start(va, d));
        m.lemma_entry_pages::<A>(at as int, l);
        let (s, now) = (job.start.space(), self.space());
        assert forall|base: int| #[trigger]
            s.is_protected_at(now, job.lo, at as int, job.hi, change, base) by {
            assert(s.is_protected_at(now, job.lo, va as int, job.hi, change, base));
        }
    }

    /// An empty entry was passed.
    pub(super) proof fn lemma_run_hole(
        self,
        job: Job<M, A, B>,
        run: Run,
        change: Change,
        bytes: int,
    )
        requires
            self.inv(),
            self.is_stop(run.va, run.stop),
            run.is_within::<A>(job.lo, job.hi),
            run.va < job.hi,
            self.is_protecting(job, run.at::<A>(), change),
            job.is_through(run.va),
            job.is_even(run.va, run.mark::<A>(), A::geo().span(run.level()), bytes > 0),
            job.is_counted(run.va, run.mark::<A>(), bytes),
            self.entry_at(run.at::<A>(), run.level()) is Empty,
        ensures
            self.is_protecting(job, run.next().at::<A>(), change),
            job.is_even(run.va, run.next().at::<A>(), A::geo().span(run.level()), bytes > 0),
            job.is_counted(run.va, run.next().at::<A>(), bytes),
    {
        let (at, next) = (run.at::<A>(), run.next().at::<A>());
        let (s, now) = (job.start.space(), self.space());
        self.lemma_run_slot(run);
        self.model().lemma_entry_pages::<A>(at, run.level());
        assert forall|base: int| #[trigger]
            s.is_protected_at(now, job.lo, next, job.hi, change, base) by {
            assert(s.is_protected_at(now, job.lo, at, job.hi, change, base));
        }
        assert forall|base: int| #[trigger]
            s.pages.contains_key(base) && run.mark::<A>() <= base < next implies false by {
            assert(s.is_protected_at(now, job.lo, at, job.hi, change, base));
        }
        job.lemma_count_hole(run, bytes > 0, bytes);
    }

    /// What the page that a run is at adds to what was found.
    proof fn lemma_protect_page(self, job: Job<M, A, B>, run: Run, change: Change, bytes: int)
        requires
            self.inv(),
            self.is_stop(run.va, run.stop),
            run.is_within::<A>(job.lo, job.hi),
            job.is_whole(),
            self.is_protecting(job, run.at::<A>(), change),
            job.is_through(run.va),
            job.is_even(run.va, run.mark::<A>(), A::geo().span(run.level()), bytes > 0),
            job.is_counted(run.va, run.mark::<A>(), bytes),
            self.entry_at(run.at::<A>(), run.level()) is Page,
        ensures
            job.lo <= run.va <= run.at::<A>(),
            self.space().same_at(job.start.space(), run.at::<A>()),
            run.at::<A>() < run.next().at::<A>(),
            forall|base: int| #[trigger]
                job.start.space().pages.contains_key(base) && run.at::<A>() <= base
                    < run.next().at::<A>() ==> base == run.at::<A>(),
            job.is_even(run.va, run.next().at::<A>(), A::geo().span(run.level()), true),
            job.is_counted(run.va, run.next().at::<A>(), bytes + A::geo().span(run.level())),
    {
        let (s, now, at) = (job.start.space(), self.space(), run.at::<A>());
        self.lemma_run_slot(run);
        self.model().lemma_entry_pages::<A>(at, run.level());
        assert forall|base: int| #[trigger]
            s.pages.contains_key(base) && at <= base < run.next().at::<A>() implies base == at by {
            assert(s.is_protected_at(now, job.lo, at, job.hi, change, base));
        }
        assert(s.is_protected_at(now, job.lo, at, job.hi, change, at));
        job.lemma_count_page(run, bytes > 0, bytes);
    }

    /// The page that a run is at may be given the properties while it is in use.
    pub(super) proof fn lemma_run_unbroken(
        self,
        job: Job<M, A, B>,
        run: Run,
        change: Change,
        bytes: int,
    )
        requires
            self.inv(),
            self.is_stop(run.va, run.stop),
            run.is_within::<A>(job.lo, job.hi),
            job.is_whole(),
            change.breaks_none::<A>(job.start.space(), job.lo, job.hi),
            self.is_protecting(job, run.at::<A>(), change),
            job.is_through(run.va),
            job.is_even(run.va, run.mark::<A>(), A::geo().span(run.level()), bytes > 0),
            job.is_counted(run.va, run.mark::<A>(), bytes),
            self.entry_at(run.at::<A>(), run.level()) is Page,
        ensures
            change.needs_no_break::<A>(self.entry_at(run.at::<A>(), run.level())->Page_prop),
    {
        let at = run.at::<A>();
        self.lemma_run_slot(run);
        self.model().lemma_entry_pages::<A>(at, run.level());
        self.lemma_protect_page(job, run, change, bytes);
        assert(job.start.space().pages.contains_key(at));
    }

    /// A page was given other properties; it was `was`.
    pub(super) proof fn lemma_run_protected(
        self,
        before: Self,
        job: Job<M, A, B>,
        run: Run,
        change: Change,
        was: (PhysAddr, PageProperty),
        bytes: int,
    )
        requires
            before.inv(),
            !(change is Clear),
            before.is_stop(run.va, run.stop),
            run.is_within::<A>(job.lo, job.hi),
            job.is_whole(),
            before.is_protecting(job, run.at::<A>(), change),
            job.is_through(run.va),
            job.is_even(run.va, run.mark::<A>(), A::geo().span(run.level()), bytes > 0),
            job.is_counted(run.va, run.mark::<A>(), bytes),
            before.entry_at(run.at::<A>(), run.level()).may_become(
                Entry::Page { frame: was.0, prop: was.1 },
            ),
            self.replaced_from(before, run.at::<A>(), run.level(), Self::replacement(was, change)),
            self.steps_from(before),
        ensures
            self.inv(),
            self.is_stop(run.va, run.stop),
            self.is_protecting(job, run.next().at::<A>(), change),
            job.is_even(run.va, run.next().at::<A>(), A::geo().span(run.level()), true),
            job.is_counted(run.va, run.next().at::<A>(), bytes + A::geo().span(run.level())),
            run.va <= run.at::<A>(),
            A::page_size(run.level()) is Some,
    {
        let (at, l) = (run.at::<A>(), run.level());
        let e = Self::replacement(was, change);
        let (s, done) = (job.start.space(), self.space());
        self.lemma_run_in_order(before, run, e);
        before.lemma_protect_page(job, run, change, bytes);
        assert(done.pages[at] == Model::mapping::<A>(e, l));
        assert(is_changed(s.pages[at], change, done.pages[at])) by {
            assert(s.pages[at].prop.may_become(was.1));
        }
        self.lemma_protected_on(before, job, at, run.next().at::<A>(), change);
    }

    /// One page more has the properties, and the others are as they were.
    proof fn lemma_protected_on(
        self,
        before: Self,
        job: Job<M, A, B>,
        at: int,
        next: int,
        change: Change,
    )
        requires
            before.is_protecting(job, at, change),
            before.linked(),
            self.steps_from(before),
            self.frames.held() == before.frames.held(),
            job.lo <= at < job.hi,
            before.space().pages.contains_key(at),
            before.space().same_at(job.start.space(), at),
            exists|m: Mapping| #[trigger] before.space().pages.insert(at, m) == self.space().pages,
            is_changed(job.start.space().pages[at], change, self.space().pages[at]),
            at < next,
            forall|base: int| #[trigger]
                job.start.space().pages.contains_key(base) && at <= base < next ==> base == at,
        ensures
            self.is_protecting(job, next, change),
    {
        let (s, mid, done) = (job.start.space(), before.space(), self.space());
        assert forall|base: int| #[trigger] mid.same_at(done, base) || mid.same_at(s, base) by {
            assert(s.is_protected_at(mid, job.lo, at, job.hi, change, base));
        }
        self.lemma_mix(before, job.start);
        assert forall|base: int| #[trigger]
            s.is_protected_at(done, job.lo, next, job.hi, change, base) by {
            assert(s.is_protected_at(mid, job.lo, at, job.hi, change, base));
        }
    }

    /// A page in a page's place leaves the tables in order, and all other pages as they are.
    proof fn lemma_run_in_order(self, before: Self, run: Run, e: Entry)
        requires
            before.inv(),
            before.is_stop(run.va, run.stop),
            0 <= run.index < A::geo().entries(run.level()),
            before.entry_at(run.at::<A>(), run.level()) is Page,
            e is Page,
            self.replaced_from(before, run.at::<A>(), run.level(), e),
        ensures
            self.inv(),
            self.is_stop(run.va, run.stop),
            before.space().pages.contains_key(run.at::<A>()),
            before.space().pages[run.at::<A>()] == Model::mapping::<A>(
                before.entry_at(run.at::<A>(), run.level()),
                run.level(),
            ),
            self.space().pages == before.space().pages.insert(
                run.at::<A>(),
                Model::mapping::<A>(e, run.level()),
            ),
            A::page_size(run.level()) is Some,
    {
        before.lemma_run_slot(run);
        before.model().lemma_entry_pages::<A>(run.at::<A>(), run.level());
        self.lemma_stays(before, run, e);
        self.lemma_still_counted(before, run, e);
    }

    /// A page in a page's place leaves the counts as they are.
    proof fn lemma_still_counted(self, before: Self, run: Run, e: Entry)
        requires
            before.sound(),
            before.is_stop(run.va, run.stop),
            0 <= run.index < A::geo().entries(run.level()),
            before.entry_at(run.at::<A>(), run.level()) is Page,
            e is Page,
            self.replaced_from(before, run.at::<A>(), run.level(), e),
        ensures
            self.sound(),
    {
        let n = run.node::<A>();
        let (was, now) = (before.model(), self.model());
        before.lemma_run_slot(run);
        assert(was.nodes.contains_key(n));
        was.lemma_put_counted(n, run.index, e);
        if n.level < A::geo().levels {
            assert(was.count_ok(n));
            was.lemma_referred(n);
            assert(now.count_ok(n));
        }
    }

    /// All pages are changed.
    pub(super) proof fn lemma_all_protected(self, job: Job<M, A, B>, va: int, change: Change)
        requires
            self.is_protecting(job, va, change),
            job.hi <= va,
        ensures
            job.start.space().may_change_range(job.lo, job.hi, change, self.space()),
    {
        let (s, done) = (job.start.space(), self.space());
        assert forall|base: int| #[trigger]
            s.pages.contains_key(base) == done.pages.contains_key(base) by {
            assert(s.is_protected_at(done, job.lo, va, job.hi, change, base));
        }
        assert(done.pages.dom() =~= s.pages.dom());
        assert forall|base: int| #[trigger] s.pages.contains_key(base) implies if job.lo <= base
            < job.hi {
            is_changed(s.pages[base], change, done.pages[base])
        } else {
            done.pages[base] == s.pages[base]
        } by {
            assert(s.is_protected_at(done, job.lo, va, job.hi, change, base));
        }
    }
}

} // verus!
