//! That what happens to an address space in a part happens to what is known of the part.

use crate::addr::{PageSize, PhysAddr, VirtAddr};
use crate::arch::entry::EntryFormat;
use crate::prop::PageProperty;
use crate::space::pages::Whole;
use crate::space::target::Target;
use crate::space::{Kernel, VmError};
use crate::spec::space::AddressSpace;
use crate::table::shape::is_page_of;
use vstd::prelude::*;

verus! {

impl AddressSpace {
    /// One more page in a part.
    pub(super) proof fn lemma_map_within(
        self,
        lo: int,
        hi: int,
        va: int,
        frame: PhysAddr,
        size: PageSize,
        prop: PageProperty,
    )
        requires
            self.is_apart(),
            !self.is_cut(lo, hi),
            lo <= va,
            va + size.bytes() <= hi,
            0 < size.bytes(),
            !self.overlaps(va, size.bytes() as int),
        ensures
            ({
                let now = self.map(va, frame, size, prop);
                &&& now.within(lo, hi) == self.within(lo, hi).map(va, frame, size, prop)
                &&& !self.within(lo, hi).overlaps(va, size.bytes() as int)
                &&& self.is_kept_outside(now, lo, hi)
                &&& !now.is_cut(lo, hi)
            }),
    {
        self.lemma_within_part(lo, hi, va, va + size.bytes());
        self.lemma_within_changed(lo, hi, va);
        let now = self.map(va, frame, size, prop);
        assert forall|base: int| #[trigger]
            now.pages.contains_key(base) && base < hi && lo < base
                + now.pages[base].size.bytes() implies lo <= base && base
            + now.pages[base].size.bytes() <= hi by {
            if base != va {
                assert(self.pages.contains_key(base));
            }
        }
    }

    /// A part that was between pages still is when pages are less.
    pub(super) proof fn lemma_still_whole(self, now: Self, lo: int, hi: int)
        requires
            !self.is_cut(lo, hi),
            now == self || exists|a: int, b: int| now == #[trigger] self.unmap_range(a, b),
        ensures
            !now.is_cut(lo, hi),
    {
        assert forall|base: int| #[trigger]
            now.pages.contains_key(base) implies self.pages.contains_key(base) && now.pages[base]
            == self.pages[base] by {}
    }

    /// A part that was between pages still is when a page has other properties.
    pub(super) proof fn lemma_protect_whole(self, va: int, prop: PageProperty, lo: int, hi: int)
        requires
            !self.is_cut(lo, hi),
            self.pages.contains_key(va),
        ensures
            !self.protect(va, prop).is_cut(lo, hi),
    {
        let now = self.protect(va, prop);
        assert forall|base: int| #[trigger]
            now.pages.contains_key(base) implies self.pages.contains_key(base)
            && now.pages[base].size == self.pages[base].size by {}
    }

    /// The first page that reaches past the start of a range between pages starts in it.
    pub(super) proof fn lemma_starts(self, lo: int, hi: int, start: int)
        requires
            lo < hi,
            !self.is_cut(lo, hi),
            self.is_next_page(lo, start),
            start < hi,
        ensures
            lo <= start,
    {
    }

    /// Addresses of a part are as before if all are.
    pub(super) proof fn lemma_within_resembles(self, now: Self, lo: int, hi: int)
        requires
            self.is_apart(),
            now.is_apart(),
            !self.is_cut(lo, hi),
            !now.is_cut(lo, hi),
            self.resembles(now),
        ensures
            self.within(lo, hi).resembles(now.within(lo, hi)),
    {
        let (a, b) = (self.within(lo, hi), now.within(lo, hi));
        self.lemma_within(lo, hi);
        now.lemma_within(lo, hi);
        assert forall|va: int| #[trigger] a.agrees(b, va) by {
            assert(self.agrees(now, va));
            if !(lo <= va < hi) {
                self.lemma_none_beyond(lo, hi, va);
                now.lemma_none_beyond(lo, hi, va);
            }
        }
    }

    /// Outside of a part nothing is known.
    proof fn lemma_none_beyond(self, lo: int, hi: int, va: int)
        requires
            !self.is_cut(lo, hi),
            !(lo <= va < hi),
        ensures
            self.within(lo, hi).translate(va) is None,
    {
        let a = self.within(lo, hi);
        if exists|base: int| a.covers(base, va) {
            let base = choose|base: int| a.covers(base, va);
            assert(self.pages.contains_key(base));
        }
    }

    /// Where the part is all, nothing is outside.
    pub(super) proof fn lemma_all_kept<A: EntryFormat>(self, now: Self)
        requires
            self.is_shaped::<A>(),
            now.is_shaped::<A>(),
        ensures
            self.is_kept_outside(now, 0, A::geo().limit()),
    {
        assert forall|base: int| !(0 <= base < A::geo().limit()) implies !self.pages.contains_key(
            base,
        ) && !#[trigger] now.pages.contains_key(base) by {
            if self.pages.contains_key(base) {
                assert(is_page_of::<A>(base, self.pages[base]));
            }
            if now.pages.contains_key(base) {
                assert(is_page_of::<A>(base, now.pages[base]));
            }
        }
    }

    /// A page ends where the table does, or before.
    pub(super) proof fn lemma_page_end<A: EntryFormat>(self, base: int)
        requires
            self.is_shaped::<A>(),
            self.pages.contains_key(base),
        ensures
            0 <= base,
            base + self.pages[base].size.bytes() <= A::geo().limit(),
            0 < self.pages[base].size.bytes(),
    {
        assert(is_page_of::<A>(base, self.pages[base]));
    }

    /// What an address of a page or a hole says, all of them say.
    pub(super) proof fn lemma_same_extent(self, va: int, base: int, size: int, other: int)
        requires
            self.is_apart(),
            self.is_extent(va, base, size),
            base <= other < base + size,
        ensures
            self.is_extent(other, base, size),
            self.lookup(other) is Some == self.lookup(va) is Some,
    {
        if self.lookup(va) is Some {
            self.lemma_covered(base, other);
        } else {
            assert(self.translate(other) is None);
        }
    }

    /// From the start of the page at the first address of a range, or of the range, to the end of the page at its last one, or
    /// of the range, no page lies partly.
    pub(super) proof fn lemma_reach(self, range: (int, int), reach: (int, int))
        requires
            self.is_apart(),
            range.0 < range.1,
            self.lookup(range.0) is None ==> reach.0 == range.0,
            self.lookup(range.0) is Some ==> self.covers(reach.0, range.0),
            self.lookup(range.1 - 1) is None ==> reach.1 == range.1,
            self.lookup(range.1 - 1) is Some ==> self.ends_at(range.1 - 1, reach.1),
        ensures
            !self.is_cut(reach.0, reach.1),
    {
        assert forall|base: int| #[trigger]
            self.pages.contains_key(base) && base < reach.1 && reach.0 < base
                + self.pages[base].size.bytes() implies reach.0 <= base && base
            + self.pages[base].size.bytes() <= reach.1 by {
            if base < reach.0 {
                assert(self.covers(base, reach.0));
                self.lemma_covered(base, reach.0);
                if self.lookup(range.0) is Some {
                    assert(self.covers(reach.0, reach.0));
                    self.lemma_covered(reach.0, reach.0);
                }
            }
            if base + self.pages[base].size.bytes() > reach.1 {
                let last = reach.1 - 1;
                assert(self.covers(base, last));
                self.lemma_covered(base, last);
                if self.lookup(range.1 - 1) is Some {
                    self.lemma_covered(self.base(range.1 - 1), last);
                }
            }
        }
    }

    /// The page at `va` ends at `end`.
    pub(super) open spec fn ends_at(self, va: int, end: int) -> bool {
        let base = self.base(va);
        self.covers(base, va) && end == base + self.pages[base].size.bytes()
    }

    /// What is found in a range is found of what is known of it.
    pub(super) proof fn lemma_found_within(
        self,
        lo: int,
        hi: int,
        a: int,
        b: int,
        base: Option<int>,
    )
        requires
            self.is_apart(),
            !self.is_cut(lo, hi),
            lo <= a < b <= hi,
            match base {
                Some(base) => self.is_next_page(a, base) && base < b,
                None => self.is_free(a, b),
            },
        ensures
            match base {
                Some(base) => {
                    &&& self.within(lo, hi).is_next_page(a, base)
                    &&& self.within(lo, hi).pages[base] == self.pages[base]
                },
                None => self.within(lo, hi).is_free(a, b),
            },
    {
        match base {
            Some(base) => self.lemma_within_next(lo, hi, a, b, base),
            None => self.lemma_within_part(lo, hi, a, b),
        }
    }
}

impl<'k, K: Kernel> Target<'k, K> {
    /// Why something isn't mapped in an address space is why it isn't in the part where it was to be.
    pub(super) proof fn lemma_refused_within(
        self,
        was: AddressSpace,
        whole: Whole<'k, K>,
        ends: (int, int),
        va: VirtAddr<K::Mode>,
        prop: PageProperty,
        e: VmError,
    )
        requires
            was.is_apart(),
            !was.is_cut(ends.0, ends.1),
            ends.0 <= va@,
            va@ + self.bytes() <= ends.1,
            self.is_refused_in(was, whole.phys_bits, whole.frames, va, prop, e),
        ensures
            self.is_refused_in(
                was.within(ends.0, ends.1),
                whole.phys_bits,
                whole.frames,
                va,
                prop,
                e,
            ),
    {
        if let (Some(size), VmError::Paging(e)) = (self.page_size(), e) {
            was.lemma_within_map_error(
                ends.0,
                ends.1,
                whole.phys_bits,
                va,
                self.frame(),
                size,
                prop,
                e,
            );
        }
    }
}

} // verus!
