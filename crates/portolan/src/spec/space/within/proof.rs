//! What happens in a range happens to what it says, and to nothing else.

use crate::addr::{PageSize, PhysAddr, VirtAddr, VirtRange};
use crate::arch::PagingMode;
use crate::arch::entry::EntryFormat;
use crate::error::Error;
use crate::prop::PageProperty;
use crate::spec::request;
use crate::spec::space::AddressSpace;
use crate::table::shape::is_page_of;
use vstd::prelude::*;

verus! {

impl AddressSpace {
    /// Pages that lie apart do so in the range.
    proof fn lemma_within_apart(self, lo: int, hi: int)
        requires
            self.is_apart(),
        ensures
            self.within(lo, hi).is_apart(),
    {
        let part = self.within(lo, hi);
        assert forall|a: int, b: int, va: int| #[trigger]
            part.covers(a, va) && #[trigger] part.covers(b, va) implies a == b by {
            assert(self.covers(a, va) && self.covers(b, va));
        }
    }

    /// An address of the range is as in the whole.
    proof fn lemma_within_at(self, lo: int, hi: int, va: int)
        requires
            self.is_apart(),
            !self.is_cut(lo, hi),
            lo <= va < hi,
        ensures
            self.within(lo, hi).lookup(va) == self.lookup(va),
            self.within(lo, hi).translate(va) == self.translate(va),
            self.lookup(va) is Some ==> self.within(lo, hi).base(va) == self.base(va),
    {
        let part = self.within(lo, hi);
        if exists|base: int| self.covers(base, va) {
            let base = self.base(va);
            self.lemma_covered(base, va);
            assert(part.covers(base, va));
            assert forall|b: int| #[trigger] part.covers(b, va) implies b == base by {
                assert(self.covers(b, va));
            }
            assert(part.covers(part.base(va), va));
        } else if exists|base: int| part.covers(base, va) {
            assert(self.covers(part.base(va), va));
        }
    }

    /// As many pages start in a part of the range.
    proof fn lemma_within_count(self, lo: int, hi: int, a: int, b: int)
        requires
            lo <= a,
            b <= hi,
        ensures
            self.within(lo, hi).count_pages(a, b) == self.count_pages(a, b),
        decreases b - a,
    {
        if a < b {
            self.lemma_within_count(lo, hi, a, b - 1);
        }
    }

    /// Each address of the range is as in the whole.
    pub(crate) proof fn lemma_within(self, lo: int, hi: int)
        requires
            self.is_apart(),
            !self.is_cut(lo, hi),
        ensures
            self.within(lo, hi).is_apart(),
            forall|va: int|
                lo <= va < hi ==> #[trigger] self.within(lo, hi).lookup(va) == self.lookup(va),
            forall|va: int|
                lo <= va < hi ==> #[trigger] self.within(lo, hi).translate(va) == self.translate(
                    va,
                ),
            forall|va: int|
                lo <= va < hi && self.lookup(va) is Some ==> #[trigger] self.within(lo, hi).base(va)
                    == self.base(va),
    {
        let part = self.within(lo, hi);
        self.lemma_within_apart(lo, hi);
        assert forall|va: int| lo <= va < hi implies #[trigger] part.lookup(va) == self.lookup(
            va,
        ) by {
            self.lemma_within_at(lo, hi, va);
        }
        assert forall|va: int| lo <= va < hi implies #[trigger] part.translate(va)
            == self.translate(va) by {
            self.lemma_within_at(lo, hi, va);
        }
        assert forall|va: int|
            lo <= va < hi && self.lookup(va) is Some implies #[trigger] part.base(va) == self.base(
            va,
        ) by {
            self.lemma_within_at(lo, hi, va);
        }
    }

    /// A part of the range is free, overlapped, cut and counted as in the whole.
    pub(crate) proof fn lemma_within_part(self, lo: int, hi: int, a: int, b: int)
        requires
            self.is_apart(),
            !self.is_cut(lo, hi),
            lo <= a <= b <= hi,
        ensures
            self.within(lo, hi).is_free(a, b) == self.is_free(a, b),
            self.within(lo, hi).overlaps(a, b - a) == self.overlaps(a, b - a),
            a < b ==> self.within(lo, hi).is_cut(a, b) == self.is_cut(a, b),
            self.within(lo, hi).count_pages(a, b) == self.count_pages(a, b),
            forall|frame: int| #[trigger]
                self.within(lo, hi).is_run(a, b, frame) == self.is_run(a, b, frame),
    {
        let part = self.within(lo, hi);
        self.lemma_within(lo, hi);
        assert forall|va: int| a <= va < b implies #[trigger] self.translate(va) == part.translate(
            va,
        ) by {}
        assert forall|va: int| a <= va < b implies #[trigger] self.lookup(va) == part.lookup(
            va,
        ) by {}
        if a < b && self.is_cut(a, b) {
            let base = choose|base: int| #[trigger]
                self.pages.contains_key(base) && base < b && a < base
                    + self.pages[base].size.bytes() && !(a <= base && base
                    + self.pages[base].size.bytes() <= b);
            assert(part.pages.contains_key(base));
        }
        self.lemma_within_count(lo, hi, a, b);
        assert forall|frame: int| #[trigger]
            part.is_run(a, b, frame) == self.is_run(a, b, frame) by {
            assert forall|at: int|
                #![trigger part.place(at)]
                #![trigger self.place(at)]
                a <= at < b implies part.place(at) == self.place(at) by {
                assert(part.translate(at) == self.translate(at));
            }
        }
    }

    /// The first page that reaches past `a` and starts before `b` is the whole's.
    pub(crate) proof fn lemma_within_next(self, lo: int, hi: int, a: int, b: int, base: int)
        requires
            self.is_apart(),
            !self.is_cut(lo, hi),
            lo <= a < b <= hi,
            self.is_next_page(a, base),
            base < b,
        ensures
            lo <= base,
            base + self.pages[base].size.bytes() <= hi,
            self.within(lo, hi).is_next_page(a, base),
            self.within(lo, hi).pages[base] == self.pages[base],
    {
        assert(lo <= base && base + self.pages[base].size.bytes() <= hi);
        if a <= base {
            self.lemma_within_part(lo, hi, a, base);
        }
    }

    /// What happens to pages of the range happens to it.
    pub(crate) proof fn lemma_within_changed(self, lo: int, hi: int, va: int)
        requires
            lo <= va < hi,
        ensures
            forall|frame: PhysAddr, size: PageSize, prop: PageProperty|
                (#[trigger] self.map(va, frame, size, prop)).within(lo, hi) == self.within(
                    lo,
                    hi,
                ).map(va, frame, size, prop) && self.is_kept_outside(
                    self.map(va, frame, size, prop),
                    lo,
                    hi,
                ),
            self.pages.contains_key(va) ==> forall|prop: PageProperty|
                (#[trigger] self.protect(va, prop)).within(lo, hi) == self.within(lo, hi).protect(
                    va,
                    prop,
                ) && self.is_kept_outside(self.protect(va, prop), lo, hi),
    {
        assert forall|frame: PhysAddr, size: PageSize, prop: PageProperty|
            (#[trigger] self.map(va, frame, size, prop)).within(lo, hi) == self.within(lo, hi).map(
                va,
                frame,
                size,
                prop,
            ) by {
            let (a, b) = (
                self.map(va, frame, size, prop).within(lo, hi),
                self.within(lo, hi).map(va, frame, size, prop),
            );
            assert(a.pages =~= b.pages);
        }
        if self.pages.contains_key(va) {
            assert forall|prop: PageProperty|
                (#[trigger] self.protect(va, prop)).within(lo, hi) == self.within(lo, hi).protect(
                    va,
                    prop,
                ) by {
                let (a, b) = (
                    self.protect(va, prop).within(lo, hi),
                    self.within(lo, hi).protect(va, prop),
                );
                assert(a.pages =~= b.pages);
            }
        }
    }

    /// What is unmapped of the range is unmapped in it.
    pub(crate) proof fn lemma_within_unmapped(self, lo: int, hi: int, a: int, b: int)
        requires
            lo <= a <= b <= hi,
        ensures
            self.unmap_range(a, b).within(lo, hi) == self.within(lo, hi).unmap_range(a, b),
            self.is_kept_outside(self.unmap_range(a, b), lo, hi),
    {
        assert(self.unmap_range(a, b).within(lo, hi).pages =~= self.within(lo, hi).unmap_range(
            a,
            b,
        ).pages);
    }

    /// A range that is kept from what changes elsewhere says what it said.
    pub(crate) proof fn lemma_elsewhere(self, now: Self, lo: int, hi: int, a: int, b: int)
        requires
            self.is_kept_outside(now, lo, hi),
            !now.is_cut(lo, hi),
            a < b ==> !self.is_cut(a, b),
            b <= lo || hi <= a,
        ensures
            now.within(a, b) == self.within(a, b),
            a < b ==> !now.is_cut(a, b),
    {
        assert(now.within(a, b).pages =~= self.within(a, b).pages);
        if a < b {
            assert forall|base: int| #[trigger]
                now.pages.contains_key(base) && base < b && a < base
                    + now.pages[base].size.bytes() implies a <= base && base
                + now.pages[base].size.bytes() <= b by {
                if !(lo <= base < hi) {
                    assert(self.pages.contains_key(base));
                }
            }
        }
    }

    /// Why something can't be mapped in the range.
    pub(crate) proof fn lemma_within_map_error<A: PagingMode>(
        self,
        lo: int,
        hi: int,
        phys_bits: u64,
        va: VirtAddr<A>,
        frame: PhysAddr,
        size: PageSize,
        prop: PageProperty,
        e: Error,
    )
        requires
            self.is_apart(),
            !self.is_cut(lo, hi),
            lo <= va@,
            va@ + size.bytes() <= hi,
            request::is_map_error(self, phys_bits, va, frame, size, prop, e),
        ensures
            request::is_map_error(self.within(lo, hi), phys_bits, va, frame, size, prop, e),
    {
        self.lemma_within_part(lo, hi, va@, va@ + size.bytes());
        self.lemma_within(lo, hi);
        assert(self.within(lo, hi).lookup(va@) == self.lookup(va@));
    }

    /// Why a page in the range can't have other properties.
    pub(crate) proof fn lemma_within_protect_error<A: PagingMode>(
        self,
        lo: int,
        hi: int,
        va: VirtAddr<A>,
        size: PageSize,
        prop: PageProperty,
        e: Error,
    )
        requires
            self.is_apart(),
            !self.is_cut(lo, hi),
            lo <= va@ < hi,
            request::is_protect_error(self, va, size, prop, e),
        ensures
            request::is_protect_error(self.within(lo, hi), va, size, prop, e),
    {
        self.lemma_within(lo, hi);
        assert(self.within(lo, hi).lookup(va@) == self.lookup(va@));
    }

    /// Why pages of the range can't be divided.
    pub(crate) proof fn lemma_within_cut_error<A: PagingMode>(
        self,
        lo: int,
        hi: int,
        range: VirtRange<A>,
        e: Error,
    )
        requires
            self.is_apart(),
            !self.is_cut(lo, hi),
            lo <= range.first()@,
            range.first()@ + range.bytes() <= hi,
            request::is_cut_error(self, range, e),
        ensures
            request::is_cut_error(self.within(lo, hi), range, e),
    {
        self.lemma_within_part(lo, hi, range.first()@, range.first()@ + range.bytes());
    }

    /// The pages of a table's range are where a table's can be.
    pub(crate) proof fn lemma_within_shaped<A: EntryFormat>(self, lo: int, hi: int)
        requires
            self.is_shaped::<A>(),
        ensures
            self.within(lo, hi).is_shaped::<A>(),
    {
        self.lemma_within_apart(lo, hi);
    }

    /// All pages of a table are within all that it covers, and none lies partly outside.
    pub(crate) proof fn lemma_within_all<A: EntryFormat>(self)
        requires
            A::geo().wf(),
            self.is_shaped::<A>(),
        ensures
            self.within(0, A::geo().limit()) == self,
            !self.is_cut(0, A::geo().limit()),
    {
        let limit = A::geo().limit();
        assert forall|base: int| #[trigger] self.pages.contains_key(base) implies 0 <= base && base
            + self.pages[base].size.bytes() <= limit by {
            assert(is_page_of::<A>(base, self.pages[base]));
        }
        assert(self.within(0, limit).pages =~= self.pages);
    }
}

} // verus!
