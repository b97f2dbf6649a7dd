//! What cutting makes of an address space.
use super::super::AddressSpace;
use crate::addr::PageSize;
use crate::arch::entry::EntryFormat;
use crate::arith::lemma_below;
use crate::prop::PageProperty;
use crate::table::proof::lemma_spans_grow;
use vstd::prelude::*;

verus! {

/// A page of `whole` bytes at `base` that has `at` inside is divided into `n` of `part`, with properties `prop`.
pub(crate) ghost struct Division {
    pub base: int,
    pub at: int,
    pub whole: PageSize,
    pub part: PageSize,
    pub n: int,
    pub prop: PageProperty,
}

impl Division {
    /// A part lies within the page.
    pub(crate) proof fn lemma_part(self, x: int)
        requires
            AddressSpace::is_part(self.base, self.whole, self.part, x),
            self.whole.bytes() == self.part.bytes() * self.n,
        ensures
            self.base <= x,
            x + self.part.bytes() <= self.base + self.whole.bytes(),
    {
        let (s, offset) = (self.part.bytes() as int, x - self.base);
        vstd::arithmetic::div_mod::lemma_fundamental_div_mod(offset, s);
        let (k, n) = (offset / s, self.n);
        lemma_below(k, n, s);
    }
}

impl AddressSpace {
    /// No page that is larger than `bytes` has `at` inside.
    pub(crate) open spec fn is_at_most(self, at: int, bytes: int) -> bool {
        forall|base: int| #[trigger]
            self.pages.contains_key(base) && base < at < base + self.pages[base].size.bytes()
                ==> self.pages[base].size.bytes() <= bytes
    }

    /// Where pages of `now` have an address inside, pages of this do that are as large.
    #[verifier::opaque]
    pub(crate) open spec fn is_coarser(self, now: Self) -> bool {
        forall|at: int, bytes: int| #[trigger]
            self.is_at_most(at, bytes) ==> now.is_at_most(at, bytes)
    }

    /// The division can be made.
    pub(crate) open spec fn may_divide(self, d: Division) -> bool {
        &&& self.is_apart()
        &&& self.has(d.base, d.whole)
        &&& d.base < d.at < d.base + d.whole.bytes()
        &&& d.whole.bytes() == d.part.bytes() * d.n
        &&& d.part.bytes() < d.whole.bytes()
        &&& self.pages[d.base].prop.may_become(d.prop)
    }

    /// What it makes of this.
    pub(crate) open spec fn divide(self, d: Division) -> Self {
        self.protect(d.base, d.prop).split(d.base, d.part)
    }

    /// Each page then is a part, or was there before.
    proof fn lemma_divide(self, d: Division, x: int)
        requires
            self.may_divide(d),
            self.divide(d).pages.contains_key(x),
        ensures
            ({
                let m = self.divide(d).pages[x];
                ||| x != d.base && self.pages.contains_key(x) && m == self.pages[x]
                ||| d.base <= x && x + m.size.bytes() <= d.base + d.whole.bytes() && m.size
                    == d.part
            }),
    {
        if Self::is_part(d.base, d.whole, d.part, x) {
            d.lemma_part(x);
        }
    }

    /// Pages only become smaller.
    pub(crate) proof fn lemma_coarser(self, d: Division)
        requires
            self.may_divide(d),
        ensures
            self.is_coarser(self.divide(d)),
            self.divide(d).is_at_most(d.at, d.part.bytes() as int),
    {
        reveal(AddressSpace::is_coarser);
        let now = self.divide(d);
        assert forall|at: int, bytes: int| #[trigger]
            self.is_at_most(at, bytes) implies now.is_at_most(at, bytes) by {
            assert forall|x: int| #[trigger]
                now.pages.contains_key(x) && x < at < x
                    + now.pages[x].size.bytes() implies now.pages[x].size.bytes() <= bytes by {
                self.lemma_divide(d, x);
                assert(self.pages.contains_key(d.base));
            }
        }
        assert forall|x: int| #[trigger]
            now.pages.contains_key(x) && x < d.at < x
                + now.pages[x].size.bytes() implies now.pages[x].size.bytes() <= d.part.bytes() by {
            self.lemma_divide(d, x);
            assert(self.covers(d.base, d.at));
            assert(now.pages[x] == self.pages[x] && self.pages.contains_key(x) ==> self.covers(
                x,
                d.at,
            ));
        }
    }

    /// One division, then another.
    pub(crate) proof fn lemma_coarser_on(self, mid: Self, now: Self)
        requires
            self.is_coarser(mid),
            mid.is_coarser(now),
        ensures
            self.is_coarser(now),
    {
        reveal(AddressSpace::is_coarser);
    }

    /// No division.
    pub(crate) proof fn lemma_coarser_self(self)
        ensures
            self.is_coarser(self),
    {
        reveal(AddressSpace::is_coarser);
    }

    /// What was between pages still is.
    pub(crate) proof fn lemma_still_at_most(self, now: Self, at: int, bytes: int)
        requires
            self.is_coarser(now),
            self.is_at_most(at, bytes),
        ensures
            now.is_at_most(at, bytes),
    {
        reveal(AddressSpace::is_coarser);
    }

    /// Pages that `lo` and `hi` are not inside of are spared by divisions at either.
    pub(crate) proof fn lemma_spares(self, mid: Self, d: Division, lo: int, hi: int)
        requires
            self.spares(mid, lo, hi),
            mid.may_divide(d),
            d.at == lo || d.at == hi,
        ensures
            self.spares(mid.divide(d), lo, hi),
    {
        let now = mid.divide(d);
        assert forall|base: int| #[trigger]
            self.pages.contains_key(base) && !self.is_inside(base, lo) && !self.is_inside(
                base,
                hi,
            ) implies now.pages.contains_key(base) && now.pages[base] == self.pages[base] by {
            assert(mid.pages[base] == self.pages[base]);
            assert(mid.covers(d.base, d.at));
            assert(mid.covers(base, base));
            if base != d.base && Self::is_part(d.base, d.whole, d.part, base) {
                assert(mid.covers(d.base, base));
            }
        }
    }

    /// Hardware's bits in both: the same pages are cut.
    proof fn lemma_cut_at_became<A: EntryFormat>(self, now: Self, at: int, l: nat)
        requires
            self.may_become(now),
        ensures
            self.cut_at::<A>(at, l).may_become(now.cut_at::<A>(at, l)),
        decreases l,
    {
        if l > 1 {
            let below = (l - 1) as nat;
            match (A::page_size(l), A::page_size(below)) {
                (Some(whole), Some(part)) => {
                    let base = at - at % whole.bytes() as int;
                    assert(self.pages.dom().contains(base) == now.pages.dom().contains(base));
                    assert(self.has(base, whole) == now.has(base, whole));
                    if at % whole.bytes() as int != 0 && self.has(base, whole) {
                        self.lemma_split_became(now, base, part);
                        self.split(base, part).lemma_cut_at_became::<A>(
                            now.split(base, part),
                            at,
                            below,
                        );
                    } else {
                        self.lemma_cut_at_became::<A>(now, at, below);
                    }
                },
                _ => self.lemma_cut_at_became::<A>(now, at, below),
            }
        }
    }

    /// So do the parts of a page.
    proof fn lemma_split_became(self, now: Self, base: int, part: PageSize)
        requires
            self.may_become(now),
            self.pages.contains_key(base),
        ensures
            self.split(base, part).may_become(now.split(base, part)),
    {
        let (a, b) = (self.split(base, part), now.split(base, part));
        assert(self.pages[base].may_become(now.pages[base]));
        assert forall|x: int| a.pages.contains_key(x) == #[trigger] b.pages.contains_key(x) by {
            assert(self.pages.dom().contains(x) == now.pages.dom().contains(x));
        }
        assert(a.pages.dom() =~= b.pages.dom());
        assert forall|x: int| #[trigger] a.pages.contains_key(x) implies a.pages[x].may_become(
            b.pages[x],
        ) by {
            if !Self::is_part(base, self.pages[base].size, part, x) {
                assert(self.pages.contains_key(x));
            }
        }
    }

    /// Levels whose pages are too large to have the address inside don't matter.
    pub(crate) proof fn lemma_cut_lower<A: EntryFormat>(self, at: int, bytes: int, l: nat, m: nat)
        requires
            A::geo().wf(),
            self.is_at_most(at, bytes),
            1 <= l <= m <= A::geo().levels,
            bytes <= A::geo().span(l),
        ensures
            self.cut_at::<A>(at, m) == self.cut_at::<A>(at, l),
        decreases m,
    {
        if l < m {
            let below = (m - 1) as nat;
            self.lemma_cut_lower::<A>(at, bytes, l, below);
            A::lemma_page_size(m);
            lemma_spans_grow(A::geo(), l, m);
            if let Some(whole) = A::page_size(m) {
                let base = at - at % whole.bytes() as int;
                vstd::arithmetic::div_mod::lemma_mod_bound(at, whole.bytes() as int);
                assert(self.has(base, whole) && base != at ==> self.pages.contains_key(base));
            }
        }
    }

    /// The division of the page of level `l` is the first that cutting makes.
    pub(crate) proof fn lemma_cut_step<A: EntryFormat>(self, d: Division, l: nat)
        requires
            A::geo().wf(),
            self.may_divide(d),
            1 < l <= A::geo().levels,
            A::page_size(l) == Some(d.whole),
            A::page_size((l - 1) as nat) == Some(d.part),
            d.base == d.at - d.at % d.whole.bytes() as int,
        ensures
            self.cut_at::<A>(d.at, A::geo().levels as nat).may_become(
                self.divide(d).cut_at::<A>(d.at, A::geo().levels as nat),
            ),
    {
        let (top, below) = (A::geo().levels as nat, (l - 1) as nat);
        let (split, now) = (self.split(d.base, d.part), self.divide(d));
        A::lemma_page_size(l);
        A::lemma_page_size(below);
        assert(self.is_at_most(d.at, d.whole.bytes() as int)) by {
            assert(self.covers(d.base, d.at));
            assert forall|x: int| #[trigger]
                self.pages.contains_key(x) && x < d.at < x
                    + self.pages[x].size.bytes() implies self.pages[x].size.bytes()
                <= d.whole.bytes() by {
                assert(self.covers(x, d.at));
            }
        }
        self.lemma_cut_lower::<A>(d.at, d.whole.bytes() as int, l, top);
        self.lemma_coarser(d);
        now.lemma_cut_lower::<A>(d.at, d.part.bytes() as int, below, top);
        assert(split.may_become(now)) by {
            let seen = self.protect(d.base, d.prop);
            assert(self.may_become(seen)) by {
                assert(self.pages.dom() =~= seen.pages.dom());
                assert forall|x: int| #[trigger]
                    self.pages.contains_key(x) implies self.pages[x].may_become(seen.pages[x]) by {
                    self.pages[x].prop.lemma_may_become_self();
                }
            }
            self.lemma_split_became(seen, d.base, d.part);
        }
        split.lemma_cut_at_became::<A>(now, d.at, below);
    }

    /// Cut at one end, then at the other.
    pub(crate) proof fn lemma_cut_both<A: EntryFormat>(self, mid: Self, now: Self, lo: int, hi: int)
        requires
            lo < hi,
            self.cut_at::<A>(lo, A::geo().levels as nat).may_become(mid),
            mid.cut_at::<A>(hi, A::geo().levels as nat).may_become(now),
        ensures
            self.cut::<A>(lo, hi).may_become(now),
    {
        let top = A::geo().levels as nat;
        let first = self.cut_at::<A>(lo, top);
        first.lemma_cut_at_became::<A>(mid, hi, top);
        first.cut_at::<A>(hi, top).lemma_became_on(mid.cut_at::<A>(hi, top), now);
    }

    /// What hardware does, it may do twice.
    pub(crate) proof fn lemma_became_on(self, mid: Self, now: Self)
        requires
            self.may_become(mid),
            mid.may_become(now),
        ensures
            self.may_become(now),
    {
        assert forall|x: int| #[trigger]
            self.pages.contains_key(x) implies self.pages[x].may_become(now.pages[x]) by {
            assert(self.pages.dom().contains(x) == mid.pages.dom().contains(x));
            assert(self.pages[x].may_become(mid.pages[x]));
            assert(mid.pages[x].may_become(now.pages[x]));
        }
    }

    /// It may do nothing.
    pub(crate) proof fn lemma_became_self(self)
        ensures
            self.may_become(self),
    {
        assert forall|x: int| #[trigger]
            self.pages.contains_key(x) implies self.pages[x].may_become(self.pages[x]) by {
            self.pages[x].prop.lemma_may_become_self();
        }
    }

    /// With both ends between pages, no page lies partly in the range.
    pub(crate) proof fn lemma_whole(self, lo: int, hi: int)
        requires
            self.is_at_most(lo, 0),
            self.is_at_most(hi, 0),
        ensures
            !self.is_cut(lo, hi),
    {
    }

    /// With both ends between pages, nothing is divided.
    pub(crate) proof fn lemma_uncut<A: EntryFormat>(self, lo: int, hi: int)
        requires
            lo < hi,
            !self.is_cut(lo, hi),
        ensures
            self.may_cut::<A>(lo, hi, self),
    {
        assert(self.is_at_most(lo, 0) && self.is_at_most(hi, 0));
        self.lemma_cut_at_none::<A>(lo, A::geo().levels as nat);
        self.lemma_cut_at_none::<A>(hi, A::geo().levels as nat);
        self.lemma_became_self();
    }

    /// What resembles what resembles this resembles this.
    pub(crate) proof fn lemma_resembles_on(self, mid: Self, now: Self)
        requires
            self.resembles(mid),
            mid.resembles(now),
        ensures
            self.resembles(now),
    {
        assert forall|at: int| #[trigger] self.agrees(now, at) by {
            assert(self.agrees(mid, at));
            assert(mid.agrees(now, at));
        }
    }

    /// Where no page has the address inside, there is nothing to divide.
    proof fn lemma_cut_at_none<A: EntryFormat>(self, at: int, l: nat)
        requires
            self.is_at_most(at, 0),
        ensures
            self.cut_at::<A>(at, l) == self,
        decreases l,
    {
        if l > 1 {
            self.lemma_cut_at_none::<A>(at, (l - 1) as nat);
            if let Some(whole) = A::page_size(l) {
                vstd::arithmetic::div_mod::lemma_mod_bound(at, whole.bytes() as int);
                assert(self.has(at - at % whole.bytes() as int, whole) ==> self.pages.contains_key(
                    at - at % whole.bytes() as int,
                ));
            }
        }
    }

    /// A range that no page lies partly in leaves all as it is.
    pub(crate) proof fn lemma_cut_none<A: EntryFormat>(self, now: Self, lo: int, hi: int)
        requires
            lo < hi,
            !self.is_cut(lo, hi),
            self.may_cut::<A>(lo, hi, now),
        ensures
            now == self,
            self.cut::<A>(lo, hi) == self,
    {
        assert(self.is_at_most(lo, 0) && self.is_at_most(hi, 0));
        self.lemma_cut_at_none::<A>(lo, A::geo().levels as nat);
        self.lemma_cut_at_none::<A>(hi, A::geo().levels as nat);
        assert forall|base: int| #[trigger] self.pages.contains_key(base) implies now.pages[base]
            == self.pages[base] by {
            assert(!self.is_inside(base, lo) && !self.is_inside(base, hi));
        }
        assert(now.pages =~= self.pages);
    }

    /// As many bytes are mapped.
    pub(crate) proof fn lemma_resembling_bytes(self, now: Self, lo: int, hi: int)
        requires
            self.resembles(now),
        ensures
            self.mapped_bytes(lo, hi) == now.mapped_bytes(lo, hi),
        decreases hi - lo,
    {
        if lo < hi {
            self.lemma_resembling_bytes(now, lo, hi - 1);
            assert(self.agrees(now, hi - 1));
        }
    }
}

impl PageProperty {
    /// Hardware may leave the bits alone.
    pub(crate) proof fn lemma_may_become_self(self)
        ensures
            self.may_become(self),
    {
    }
}

} // verus!
