//! What holds while a range is worked through.

use super::super::descend::Descent;
use super::super::model::{NodeId, home};
use super::super::perms::{space, tables};
use super::super::stack::Stack;
use super::super::tree::Tree;
use super::{Job, Run};
use crate::addr::PageSize;
use crate::arch::PagingMode;
use crate::arch::entry::AccessBits;
use crate::hw::memory::TableMemory;
use crate::spec::space::AddressSpace;
use vstd::prelude::*;

verus! {

impl AddressSpace {
    /// The same page starts at `base`, or none.
    pub(crate) open spec fn same_at(self, other: Self, base: int) -> bool {
        &&& self.pages.contains_key(base) == other.pages.contains_key(base)
        &&& self.pages.contains_key(base) ==> self.pages[base] == other.pages[base]
    }

    /// The page that starts at `base` in `now` is the one here, but for accessed and dirty bits that hardware may have
    /// set; or none does in both.
    pub(crate) open spec fn keeps(self, now: Self, base: int) -> bool {
        &&& self.pages.contains_key(base) == now.pages.contains_key(base)
        &&& self.pages.contains_key(base) ==> self.pages[base].may_become(now.pages[base])
    }

    /// Each page of `mid` is as here, but for bits that hardware may have set, or as in `new`.
    pub(crate) open spec fn mixes(self, mid: Self, new: Self) -> bool {
        forall|base: int| #[trigger] self.keeps(mid, base) || new.keeps(mid, base)
    }

    /// The page that starts at `base` is as it was, or gone; if it starts from `lo` to below `at`, it is gone unless it is the
    /// one that is `left`.
    pub(crate) open spec fn is_cleared_at(
        self,
        now: Self,
        lo: int,
        at: int,
        hi: int,
        left: Option<u64>,
        base: int,
    ) -> bool {
        if now.pages.contains_key(base) {
            &&& self.same_at(now, base)
            &&& lo <= base < at ==> left is Some && left->0 == base
        } else {
            self.pages.contains_key(base) ==> lo <= base < at && base < hi
        }
    }

    /// `now` is this without pages that start from `lo` to below `hi`: up to `at` none of them is left, but for one that
    /// starts at `left`.
    pub(crate) open spec fn is_cleared(
        self,
        now: Self,
        lo: int,
        at: int,
        hi: int,
        left: Option<u64>,
    ) -> bool {
        forall|base: int| #[trigger] self.is_cleared_at(now, lo, at, hi, left, base)
    }

    /// No address is in two pages.
    pub(crate) open spec fn is_disjoint(self) -> bool {
        forall|a: int, b: int, va: int| #[trigger]
            self.covers(a, va) && #[trigger] self.covers(b, va) ==> a == b
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Job<M, A, B> {
    /// No page lies partly in the range.
    pub(crate) open spec fn is_whole(self) -> bool {
        !self.start.space().is_cut(self.lo, self.hi)
    }

    /// At the start, a page of `span` bytes was at `at`.
    pub(crate) open spec fn is_page(self, at: int, span: int) -> bool {
        &&& self.start.space().pages.contains_key(at)
        &&& self.start.space().pages[at].size.bytes() == span
    }

    /// No page that starts before `at` reaches over it.
    pub(crate) open spec fn is_through(self, at: int) -> bool {
        forall|base: int| #[trigger]
            self.start.space().pages.contains_key(base) && base < at ==> base
                + self.start.space().pages[base].size.bytes() <= at
    }

    /// The pages of the range up to `at` are at least as large as `least`.
    pub(crate) open spec fn is_least(self, at: int, least: Option<PageSize>) -> bool {
        forall|base: int| #[trigger]
            self.start.space().pages.contains_key(base) && self.lo <= base < at ==> least is Some
                && self.start.space().pages[base].size.bytes() >= least->0.bytes()
    }

    /// The pages from `va` to `at` are of `span` bytes; there are none unless some were `found`.
    pub(crate) open spec fn is_even(self, va: int, at: int, span: int, found: bool) -> bool {
        forall|base: int| #[trigger]
            self.start.space().pages.contains_key(base) && va <= base < at ==> {
                &&& found
                &&& self.start.space().pages[base].size.bytes() == span
                &&& base + span <= at
            }
    }

    /// The end, or an address before it.
    pub(crate) open spec fn clip(self, at: int) -> int {
        if at < self.hi {
            at
        } else {
            self.hi
        }
    }

    /// From `va` to `at`, `bytes` bytes of the range were mapped.
    pub(crate) open spec fn is_counted(self, va: int, at: int, bytes: int) -> bool {
        self.start.space().mapped_bytes(self.lo, self.clip(at)) == self.start.space().mapped_bytes(
            self.lo,
            self.clip(va),
        ) + bytes
    }
}

impl Run {
    /// Where a run starts.
    pub(crate) open spec fn start(va: u64, d: Descent) -> Run {
        Run { va: va as int, stop: d.stop, index: d.index as int, first: None, cleared: 0 }
    }

    /// The table's level.
    pub(crate) open spec fn level(self) -> nat {
        self.stop.level as nat
    }

    /// Where the table stands.
    pub(crate) open spec fn node<A: PagingMode>(self) -> NodeId {
        home(A::geo(), self.va, self.level())
    }

    /// The first address that the next entry is for.
    pub(crate) open spec fn at<A: PagingMode>(self) -> int {
        self.node::<A>().base + self.index * A::geo().span(self.level())
    }

    /// How far it got: to where the next entry starts, but not back behind where the run started.
    pub(crate) open spec fn mark<A: PagingMode>(self) -> int {
        if self.at::<A>() < self.va {
            self.va
        } else {
            self.at::<A>()
        }
    }

    /// One entry on.
    pub(crate) open spec fn next(self) -> Run {
        Run { index: self.index + 1, ..self }
    }

    /// There is a next entry, and it is for addresses from `lo` to below `hi`.
    pub(crate) open spec fn is_within<A: PagingMode>(self, lo: int, hi: int) -> bool {
        &&& 0 <= self.index < A::geo().entries(self.level())
        &&& lo <= self.va < self.at::<A>() + A::geo().span(self.level())
        &&& self.at::<A>() < hi
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// Between `old` and this, after each single store, each page was as in `old`, but for bits that hardware had set, or is
    /// as in this one.
    pub(crate) open spec fn mixes_from(self, old: Self) -> bool {
        &&& self.phys_bits() == old.phys_bits()
        &&& self.root == old.root
        &&& old.trace@.is_prefix_of(self.trace@)
        &&& forall|k: int|
            old.trace@.len() <= k < self.trace@.len() ==> old.space().mixes(
                space::<A>(#[trigger] self.trace@[k]),
                self.space(),
            )
    }

    /// This is the start with the pages of the range up to `at` unmapped, but for one that is left at `left`.
    pub(crate) open spec fn is_clearing(
        self,
        job: Job<M, A, B>,
        at: int,
        left: Option<u64>,
    ) -> bool {
        &&& self.mixes_from(job.start)
        &&& self.frames.held() == job.start.frames.held()
        &&& job.start.space().is_cleared(self.space(), job.lo, at, job.hi, left)
    }

    /// The frames of `start` are those of this and of `stack`.
    pub(crate) open spec fn is_shared_with(self, start: Self, stack: Stack<A>) -> bool {
        &&& stack.inv(self.phys_bits())
        &&& start.frames.held() == tables(self.perms@).union(stack.tables())
        &&& tables(self.perms@).disjoint(stack.tables())
    }

    /// This is `old` after a part of a run: all is as it was but for the entries that were cleared, and the first page is
    /// still there.
    pub(crate) open spec fn is_running(self, old: Self, run: Run) -> bool {
        let (l, n) = (run.level(), run.node::<A>());
        &&& self.linked()
        &&& self.is_stop(run.va, run.stop)
        &&& self.model().counted_but(n)
        &&& self.noted(run.va, l) == old.noted(run.va, l) - run.cleared
        &&& tables(self.perms@) == tables(old.perms@)
        &&& 0 <= run.cleared
        &&& run.cleared == 0 ==> self == old
        &&& run.cleared > 0 ==> run.first is Some
        &&& run.first matches Some(p) ==> {
            &&& home(A::geo(), p as int, l) == n
            &&& self.entry_at(p as int, l) is Page
            &&& p as int % A::geo().span(l) == 0
            &&& p < run.at::<A>()
        }
    }
}

} // verus!
