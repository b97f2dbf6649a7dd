//! That what a cursor does is what its contracts say.

use super::spec::is_noted;
use crate::arch::PagingMode;
use crate::arch::entry::EntryFormat;
use crate::flush::FlushRange;
use crate::spec::space::AddressSpace;
use vstd::prelude::*;

pub(super) mod part;

verus! {

impl AddressSpace {
    /// A page's first address is mapped.
    pub(super) proof fn lemma_first_mapped(self, va: int)
        requires
            self.is_apart(),
            self.pages.contains_key(va),
        ensures
            self.covers(va, va),
            self.lookup(va) is Some,
            self.translate(va) is Some,
            self.base(va) == va,
            self.lookup(va) == Some(self.pages[va]),
    {
        assert(self.covers(va, va));
        self.lemma_covered(va, va);
    }

    /// Where nothing is mapped no page starts.
    pub(crate) proof fn lemma_none_at(self, lo: int, hi: int)
        requires
            self.is_apart(),
            self.is_free(lo, hi),
        ensures
            forall|va: int| lo <= va < hi ==> !#[trigger] self.pages.contains_key(va),
    {
        assert forall|va: int| lo <= va < hi implies !#[trigger] self.pages.contains_key(va) by {
            if self.pages.contains_key(va) {
                self.lemma_first_mapped(va);
            }
        }
    }

    /// A page that starts at `va` is the first that reaches past `va`.
    pub(super) proof fn lemma_next_is(self, va: int, base: int)
        requires
            self.is_apart(),
            self.is_next_page(va, base),
        ensures
            self.pages.contains_key(va) ==> base == va,
    {
        if self.pages.contains_key(va) {
            self.lemma_first_mapped(va);
            if base < va {
                assert(self.covers(base, va));
            }
            if base > va {
                assert(self.translate(va) is None);
            }
        }
    }

    /// A page is all there is from its start to its end.
    pub(super) proof fn lemma_alone(self, va: int, to: int)
        requires
            self.is_apart(),
            self.has_bytes(va, to - va),
        ensures
            !self.is_cut(va, to),
            self.unmap_range(va, to) == self.unmap(va),
            !self.unmap(va).overlaps(va, to - va),
            self.overlaps(va, to - va),
    {
        self.lemma_first_mapped(va);
        assert forall|base: int| #[trigger]
            self.pages.contains_key(base) && base < to && va < base
                + self.pages[base].size.bytes() implies base == va by {
            if base < va {
                assert(self.covers(base, va));
            } else {
                assert(self.covers(va, base));
                assert(self.covers(base, base));
            }
        }
        assert(self.unmap_range(va, to).pages =~= self.unmap(va).pages);
        let now = self.unmap(va);
        assert forall|at: int| va <= at < to implies #[trigger] now.lookup(at) is None by {
            if exists|base: int| now.covers(base, at) {
                let base = choose|base: int| now.covers(base, at);
                assert(self.covers(base, at));
                assert(self.covers(va, at));
            }
        }
    }

    /// No bytes have no pages.
    pub(super) proof fn lemma_nothing_unmapped<A: EntryFormat>(self, at: int)
        ensures
            self.may_cut::<A>(at, at, self),
            self == self.unmap_range(at, at),
            self.count_pages(at, at) == 0,
    {
        self.lemma_became_self();
        assert(self.unmap_range(at, at).pages =~= self.pages);
    }

    /// What is left where pages were unmapped, after a hole, are none.
    pub(super) proof fn lemma_rest_free(self, mid: Self, lo: int, at: int, hi: int)
        requires
            mid.is_apart(),
            lo <= at <= hi,
            mid == self.unmap_range(lo, at),
            mid.is_free(at, hi),
        ensures
            mid == self.unmap_range(lo, hi),
            self.count_pages(lo, hi) == self.count_pages(lo, at),
            forall|va: int| at <= va < hi ==> !#[trigger] self.pages.contains_key(va),
    {
        mid.lemma_none_at(at, hi);
        assert forall|va: int| at <= va < hi implies !#[trigger] self.pages.contains_key(va) by {
            assert(!mid.pages.contains_key(va));
        }
        assert(mid.pages =~= self.unmap_range(lo, hi).pages);
        self.lemma_count_split(lo, at, hi);
        self.lemma_count_none(at, hi);
    }

    /// Of what is unmapped from `place.0` to `place.2`, up to `place.1` so far, one run more.
    pub(super) proof fn lemma_run_unmapped(
        self,
        mid: Self,
        place: (int, int, int),
        start: int,
        end: int,
    )
        requires
            self.is_apart(),
            mid.is_apart(),
            place.0 <= place.1 < place.2,
            !self.is_cut(place.0, place.2),
            mid == self.unmap_range(place.0, place.1),
            mid.is_next_page(place.1, start),
            start < end <= place.2,
        ensures
            place.1 <= start,
            mid.unmap_range(start, end) == self.unmap_range(place.0, end),
            !mid.unmap_range(start, end).is_cut(end, place.2),
            self.count_pages(place.0, end) == self.count_pages(place.0, place.1) + mid.count_pages(
                start,
                end,
            ),
    {
        let (lo, at, hi) = place;
        let now = mid.unmap_range(start, end);
        assert(self.pages.contains_key(start) && mid.pages[start] == self.pages[start]);
        mid.lemma_none_at(at, start);
        assert forall|va: int| at <= va < start implies !#[trigger] self.pages.contains_key(va) by {
            assert(!mid.pages.contains_key(va));
        }
        assert(now.pages =~= self.unmap_range(lo, end).pages);
        assert forall|base: int| #[trigger]
            now.pages.contains_key(base) && base < hi && end < base
                + now.pages[base].size.bytes() implies end <= base && base
            + now.pages[base].size.bytes() <= hi by {
            assert(self.pages.contains_key(base) && now.pages[base] == self.pages[base]);
        }
        self.lemma_count_split(lo, at, end);
        self.lemma_count_split(at, start, end);
        self.lemma_count_none(at, start);
        mid.lemma_count_same(self, start, end);
    }

    /// One run more is noted: `place` says where what was noted starts and ends, and where the run does.
    pub(super) proof fn lemma_noted_more<A: PagingMode>(
        self,
        mid: Self,
        noted: (Seq<FlushRange<A>>, Seq<FlushRange<A>>, Seq<FlushRange<A>>),
        place: (int, int, int, int),
    )
        requires
            mid.is_apart(),
            mid == self.unmap_range(place.0, place.1),
            mid.is_free(place.1, place.2),
            place.0 <= place.1,
            noted.0.len() <= noted.1.len(),
            self.is_noted_between(noted.0, noted.1, place.0, place.1),
            noted.1.is_prefix_of(noted.2),
            noted.1.len() < noted.2.len(),
            noted.2.last().reaches(mid, place.2, place.3),
        ensures
            self.is_noted_between(noted.0, noted.2, place.0, place.3),
    {
        let ((lo, at, start, end), now) = (place, noted.2);
        mid.lemma_none_at(at, start);
        assert forall|base: int|
            lo <= base < end && #[trigger] self.pages.contains_key(base) implies is_noted(
            noted.0,
            now,
            base,
            self.pages[base].size.bytes() as int,
        ) by {
            let bytes = self.pages[base].size.bytes() as int;
            if base < at {
                let k = choose|k: int|
                    noted.0.len() <= k < noted.1.len() && #[trigger] noted.1[k].has_page(
                        base,
                        bytes,
                    );
                assert(now[k] == noted.1[k]);
                assert(now[k].has_page(base, bytes));
            } else {
                assert(mid.pages.contains_key(base));
                assert(base >= start);
                assert(now[now.len() - 1].has_page(base, bytes));
            }
        }
    }

    /// The pages of a range are those of its parts.
    pub(crate) proof fn lemma_count_split(self, lo: int, at: int, hi: int)
        requires
            lo <= at <= hi,
        ensures
            self.count_pages(lo, hi) == self.count_pages(lo, at) + self.count_pages(at, hi),
        decreases hi - at,
    {
        if at < hi {
            self.lemma_count_split(lo, at, hi - 1);
        }
    }

    /// Where none starts there are none.
    pub(crate) proof fn lemma_count_none(self, lo: int, hi: int)
        requires
            forall|va: int| lo <= va < hi ==> !#[trigger] self.pages.contains_key(va),
        ensures
            self.count_pages(lo, hi) == 0,
        decreases hi - lo,
    {
        if lo < hi {
            self.lemma_count_none(lo, hi - 1);
        }
    }

    /// Where the same pages start there are as many.
    proof fn lemma_count_same(self, other: Self, lo: int, hi: int)
        requires
            forall|va: int|
                lo <= va < hi ==> #[trigger] self.pages.contains_key(va)
                    == other.pages.contains_key(va),
        ensures
            self.count_pages(lo, hi) == other.count_pages(lo, hi),
        decreases hi - lo,
    {
        if lo < hi {
            self.lemma_count_same(other, lo, hi - 1);
            assert(self.pages.contains_key(hi - 1) == other.pages.contains_key(hi - 1));
        }
    }

    /// There are no more pages than bytes.
    pub(crate) proof fn lemma_count_bound(self, lo: int, hi: int)
        requires
            lo <= hi,
        ensures
            self.count_pages(lo, hi) <= hi - lo,
        decreases hi - lo,
    {
        if lo < hi {
            self.lemma_count_bound(lo, hi - 1);
        }
    }
}

} // verus!
