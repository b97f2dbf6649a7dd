//! Pages that are divided in a range are divided in what it says.

use crate::addr::PageSize;
use crate::arch::entry::EntryFormat;
use crate::spec::space::AddressSpace;
use crate::spec::space::cut::proof::Division;
use vstd::prelude::*;

verus! {

impl AddressSpace {
    /// A page of the range that is divided is divided in it.
    proof fn lemma_within_split(self, lo: int, hi: int, base: int, part: PageSize, n: int)
        requires
            !self.is_cut(lo, hi),
            self.pages.contains_key(base),
            lo <= base,
            base + self.pages[base].size.bytes() <= hi,
            self.pages[base].size.bytes() == part.bytes() * n,
        ensures
            !self.split(base, part).is_cut(lo, hi),
            self.is_kept_outside(self.split(base, part), lo, hi),
            self.split(base, part).within(lo, hi) == self.within(lo, hi).split(base, part),
    {
        let (whole, now) = (self.pages[base], self.split(base, part));
        let d = Division { base, at: base, whole: whole.size, part, n, prop: whole.prop };
        assert forall|x: int| #[trigger]
            now.pages.contains_key(x) && x < hi && lo < x + now.pages[x].size.bytes() implies lo
            <= x && x + now.pages[x].size.bytes() <= hi by {
            if Self::is_part(base, whole.size, part, x) {
                d.lemma_part(x);
            } else {
                assert(self.pages.contains_key(x));
            }
        }
        assert(now.within(lo, hi).pages =~= self.within(lo, hi).split(base, part).pages);
    }

    /// What is divided at an address of the range, or at its end, is divided in it.
    proof fn lemma_within_cut_at<A: EntryFormat>(self, lo: int, hi: int, at: int, l: nat)
        requires
            A::geo().wf(),
            l <= A::geo().levels,
            !self.is_cut(lo, hi),
            lo <= at <= hi,
        ensures
            !self.cut_at::<A>(at, l).is_cut(lo, hi),
            self.is_kept_outside(self.cut_at::<A>(at, l), lo, hi),
            self.cut_at::<A>(at, l).within(lo, hi) == self.within(lo, hi).cut_at::<A>(at, l),
        decreases l,
    {
        if l > 1 {
            let below = (l - 1) as nat;
            match (A::page_size(l), A::page_size(below)) {
                (Some(whole), Some(part)) => {
                    let base = at - at % whole.bytes() as int;
                    vstd::arithmetic::div_mod::lemma_mod_bound(at, whole.bytes() as int);
                    if base != at && self.has(base, whole) {
                        let split = self.split(base, part);
                        A::lemma_page_size(l);
                        A::lemma_page_size(below);
                        A::geo().lemma_span(below);
                        self.lemma_within_split(lo, hi, base, part, A::geo().entries(below));
                        split.lemma_within_cut_at::<A>(lo, hi, at, below);
                        self.lemma_kept_outside_on(split, split.cut_at::<A>(at, below), lo, hi);
                    } else {
                        assert(base != at ==> !self.within(lo, hi).has(base, whole));
                        self.lemma_within_cut_at::<A>(lo, hi, at, below);
                    }
                },
                _ => self.lemma_within_cut_at::<A>(lo, hi, at, below),
            }
        }
    }

    /// What is kept twice is kept.
    proof fn lemma_kept_outside_on(self, mid: Self, now: Self, lo: int, hi: int)
        requires
            self.is_kept_outside(mid, lo, hi),
            mid.is_kept_outside(now, lo, hi),
        ensures
            self.is_kept_outside(now, lo, hi),
    {
        assert forall|base: int| !(lo <= base < hi) implies #[trigger] now.pages.contains_key(base)
            == self.pages.contains_key(base) && (now.pages.contains_key(base) ==> now.pages[base]
            == self.pages[base]) by {
            assert(mid.pages.contains_key(base) == self.pages.contains_key(base));
        }
    }

    /// What hardware does in the whole it does in the range, and no page's size changes.
    proof fn lemma_within_became(self, now: Self, lo: int, hi: int)
        requires
            self.may_become(now),
            !self.is_cut(lo, hi),
        ensures
            !now.is_cut(lo, hi),
            self.within(lo, hi).may_become(now.within(lo, hi)),
    {
        assert forall|base: int| #[trigger] now.pages.contains_key(base) implies (
        self.pages.contains_key(base) && self.pages[base].may_become(now.pages[base])) by {
            assert(now.pages.dom().contains(base) == self.pages.dom().contains(base));
        }
        let (a, b) = (self.within(lo, hi), now.within(lo, hi));
        assert forall|base: int|
            a.pages.contains_key(base) == #[trigger] b.pages.contains_key(base) by {
            assert(now.pages.dom().contains(base) == self.pages.dom().contains(base));
        }
        assert(b.pages.dom() =~= a.pages.dom());
        assert forall|base: int| #[trigger]
            a.pages.contains_key(base) implies a.pages[base].may_become(b.pages[base]) by {
            assert(now.pages.contains_key(base)) by {
                assert(now.pages.dom().contains(base) == self.pages.dom().contains(base));
            }
        }
    }

    /// Pages that are divided in the range are divided in it.
    pub(crate) proof fn lemma_within_cut<A: EntryFormat>(
        self,
        now: Self,
        lo: int,
        hi: int,
        a: int,
        b: int,
    )
        requires
            A::geo().wf(),
            !self.is_cut(lo, hi),
            lo <= a < b <= hi,
            self.may_cut::<A>(a, b, now),
        ensures
            !now.is_cut(lo, hi),
            self.is_kept_outside(now, lo, hi),
            self.within(lo, hi).may_cut::<A>(a, b, now.within(lo, hi)),
    {
        let top = A::geo().levels as nat;
        let (mid, cut, part) = (self.cut_at::<A>(a, top), self.cut::<A>(a, b), self.within(lo, hi));
        self.lemma_within_cut_at::<A>(lo, hi, a, top);
        mid.lemma_within_cut_at::<A>(lo, hi, b, top);
        self.lemma_kept_outside_on(mid, cut, lo, hi);
        assert(part.cut::<A>(a, b) == cut.within(lo, hi));
        cut.lemma_within_became(now, lo, hi);
        assert forall|base: int| !(lo <= base < hi) implies #[trigger] now.pages.contains_key(base)
            == self.pages.contains_key(base) && (now.pages.contains_key(base) ==> now.pages[base]
            == self.pages[base]) by {
            assert(now.pages.dom().contains(base) == cut.pages.dom().contains(base));
            assert(self.pages.contains_key(base) ==> !self.is_inside(base, a) && !self.is_inside(
                base,
                b,
            ));
        }
        assert forall|base: int| #[trigger]
            part.pages.contains_key(base) && !part.is_inside(base, a) && !part.is_inside(
                base,
                b,
            ) implies now.within(lo, hi).pages.contains_key(base) && now.within(lo, hi).pages[base]
            == part.pages[base] by {
            assert(self.pages.contains_key(base));
            assert(!self.is_inside(base, a) && !self.is_inside(base, b));
        }
    }
}

} // verus!
