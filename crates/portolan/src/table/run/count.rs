//! How much of a range was mapped, added up entry by entry.

use super::{Job, Run};
use crate::addr::PageSize;
use crate::arch::PagingMode;
use crate::arch::entry::AccessBits;
use crate::hw::memory::TableMemory;
use crate::spec::space::AddressSpace;
use vstd::prelude::*;

verus! {

impl AddressSpace {
    /// All of the bytes from `mid` to `hi` are mapped.
    pub(crate) proof fn lemma_all_mapped(self, lo: int, mid: int, hi: int)
        requires
            lo <= mid <= hi,
            forall|va: int| mid <= va < hi ==> #[trigger] self.lookup(va) is Some,
        ensures
            self.mapped_bytes(lo, hi) == self.mapped_bytes(lo, mid) + (hi - mid),
        decreases hi - mid,
    {
        if mid < hi {
            self.lemma_all_mapped(lo, mid, hi - 1);
            assert(self.lookup(hi - 1) is Some);
        }
    }

    /// None of the bytes from `mid` to `hi` is mapped.
    pub(crate) proof fn lemma_none_mapped(self, lo: int, mid: int, hi: int)
        requires
            lo <= mid <= hi,
            forall|va: int| mid <= va < hi ==> #[trigger] self.lookup(va) is None,
        ensures
            self.mapped_bytes(lo, hi) == self.mapped_bytes(lo, mid),
        decreases hi - mid,
    {
        if mid < hi {
            self.lemma_none_mapped(lo, mid, hi - 1);
            assert(self.lookup(hi - 1) is None);
        }
    }

    /// No more are mapped than there are.
    pub(crate) proof fn lemma_mapped_at_most(self, lo: int, hi: int)
        requires
            lo <= hi,
        ensures
            self.mapped_bytes(lo, hi) <= hi - lo,
        decreases hi - lo,
    {
        if lo < hi {
            self.lemma_mapped_at_most(lo, hi - 1);
        }
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Job<M, A, B> {
    /// A run is at a page.
    pub(super) proof fn lemma_count_page(self, run: Run, found: bool, bytes: int)
        requires
            run.is_within::<A>(self.lo, self.hi),
            self.is_whole(),
            self.is_through(run.va),
            self.is_even(run.va, run.mark::<A>(), A::geo().span(run.level()), found),
            self.is_counted(run.va, run.mark::<A>(), bytes),
            self.is_page(run.at::<A>(), A::geo().span(run.level())),
            run.next().at::<A>() == run.at::<A>() + A::geo().span(run.level()),
            A::geo().span(run.level()) > 0,
            forall|base: int| #[trigger]
                self.start.space().pages.contains_key(base) && run.at::<A>() <= base
                    < run.next().at::<A>() ==> base == run.at::<A>(),
        ensures
            run.va <= run.at::<A>(),
            run.next().at::<A>() <= self.hi,
            self.is_even(run.va, run.next().at::<A>(), A::geo().span(run.level()), true),
            self.is_counted(run.va, run.next().at::<A>(), bytes + A::geo().span(run.level())),
    {
        let (s, at, next) = (self.start.space(), run.at::<A>(), run.next().at::<A>());
        assert forall|va: int| at <= va < next implies #[trigger] s.lookup(va) is Some by {
            assert(s.covers(at, va));
        }
        s.lemma_all_mapped(self.lo, at, next);
    }

    /// A run is at an empty entry.
    pub(super) proof fn lemma_count_hole(self, run: Run, found: bool, bytes: int)
        requires
            run.is_within::<A>(self.lo, self.hi),
            self.is_through(run.va),
            self.is_even(run.va, run.mark::<A>(), A::geo().span(run.level()), found),
            self.is_counted(run.va, run.mark::<A>(), bytes),
            run.va < self.hi,
            run.next().at::<A>() == run.at::<A>() + A::geo().span(run.level()),
            A::geo().span(run.level()) > 0,
            forall|base: int| #[trigger]
                self.start.space().pages.contains_key(base) && run.mark::<A>() <= base
                    < run.next().at::<A>() ==> false,
        ensures
            self.is_even(run.va, run.next().at::<A>(), A::geo().span(run.level()), found),
            self.is_counted(run.va, run.next().at::<A>(), bytes),
    {
        let (s, mark, next) = (self.start.space(), run.mark::<A>(), run.next().at::<A>());
        let end = self.clip(next);
        assert forall|va: int| mark <= va < end implies #[trigger] s.lookup(va) is None by {
            if s.lookup(va) is Some {
                let base = s.base(va);
                assert(s.covers(base, va));
                assert(s.pages.contains_key(base));
            }
        }
        s.lemma_none_mapped(self.lo, mark, end);
    }

    /// One run further.
    pub(super) proof fn lemma_through(
        self,
        va: int,
        next: int,
        span: int,
        bytes: (int, int),
        was: Option<PageSize>,
        least: Option<PageSize>,
    )
        requires
            self.is_through(va),
            self.is_least(va, was),
            self.is_even(va, next, span, bytes.1 > 0),
            self.is_counted(self.lo, va, bytes.0),
            self.is_counted(va, next, bytes.1),
            self.lo <= va <= next,
            self.lo <= self.hi,
            if bytes.1 > 0 {
                &&& least is Some
                &&& least->0.bytes() <= span
                &&& was is Some ==> least->0.bytes() <= was->0.bytes()
            } else {
                least == was
            },
        ensures
            self.is_through(next),
            self.is_least(next, least),
            self.is_counted(self.lo, next, bytes.0 + bytes.1),
            bytes.0 + bytes.1 <= self.hi - self.lo,
    {
        self.start.space().lemma_mapped_at_most(self.lo, self.clip(next));
    }

    /// Where the first run starts.
    pub(super) proof fn lemma_job_start(self)
        requires
            self.is_whole(),
            self.lo < self.hi,
        ensures
            self.is_through(self.lo),
            self.is_least(self.lo, None),
            self.is_counted(self.lo, self.lo, 0),
    {
        let s = self.start.space();
        assert forall|base: int| #[trigger]
            s.pages.contains_key(base) && base < self.lo implies base + s.pages[base].size.bytes()
            <= self.lo by {}
    }
}

} // verus!
