//! The pages that a page is cut into lie within it.

use crate::addr::PageSize;
use crate::arch::entry::EntryFormat;
use crate::spec::space::AddressSpace;
use vstd::arithmetic::div_mod::lemma_fundamental_div_mod;
use vstd::prelude::*;

verus! {

/// A part lies within the whole.
proof fn lemma_part(base: int, whole: PageSize, part: PageSize, n: int, x: int)
    requires
        AddressSpace::is_part(base, whole, part, x),
        whole.bytes() == part.bytes() * n,
    ensures
        base <= x,
        x + part.bytes() <= base + whole.bytes(),
{
    let (s, offset) = (part.bytes() as int, x - base);
    lemma_fundamental_div_mod(offset, s);
    let k = offset / s;
    assert(offset + s <= s * n) by (nonlinear_arith)
        requires
            0 < s,
            0 <= offset < s * n,
            offset == s * k,
    ;
}

impl AddressSpace {
    /// Within within is within.
    proof fn lemma_holds_on(self, mid: Self, now: Self)
        requires
            self.holds_pages_of(mid),
            mid.holds_pages_of(now),
        ensures
            self.holds_pages_of(now),
    {
        assert forall|base: int| #[trigger] now.pages.contains_key(base) implies exists|over: int|
         #[trigger]
            self.pages.contains_key(over) && over <= base && base + now.pages[base].size.bytes()
                <= over + self.pages[over].size.bytes() by {
            let over = choose|over: int| #[trigger]
                mid.pages.contains_key(over) && over <= base && base + now.pages[base].size.bytes()
                    <= over + mid.pages[over].size.bytes();
            let top = choose|top: int| #[trigger]
                self.pages.contains_key(top) && top <= over && over + mid.pages[over].size.bytes()
                    <= top + self.pages[top].size.bytes();
            assert(self.pages.contains_key(top));
        }
    }

    /// One page divided.
    proof fn lemma_split_within(self, base: int, part: PageSize, n: int)
        requires
            self.pages.contains_key(base),
            self.pages[base].size.bytes() == part.bytes() * n,
        ensures
            self.holds_pages_of(self.split(base, part)),
    {
        let (now, whole) = (self.split(base, part), self.pages[base].size);
        assert forall|x: int| #[trigger] now.pages.contains_key(x) implies exists|over: int|
         #[trigger]
            self.pages.contains_key(over) && over <= x && x + now.pages[x].size.bytes() <= over
                + self.pages[over].size.bytes() by {
            if Self::is_part(base, whole, part, x) {
                lemma_part(base, whole, part, n, x);
                assert(self.pages.contains_key(base));
            } else {
                assert(self.pages.contains_key(x));
            }
        }
    }

    /// Those that have an address inside.
    proof fn lemma_cut_at_within<A: EntryFormat>(self, at: int, l: nat)
        requires
            l <= A::geo().levels,
        ensures
            self.holds_pages_of(self.cut_at::<A>(at, l)),
        decreases l,
    {
        if l <= 1 {
            assert forall|x: int| #[trigger] self.pages.contains_key(x) implies exists|over: int|
             #[trigger]
                self.pages.contains_key(over) && over <= x && x + self.pages[x].size.bytes() <= over
                    + self.pages[over].size.bytes() by {
                assert(self.pages.contains_key(x));
            }
        } else {
            let below = (l - 1) as nat;
            A::lemma_page_size(l);
            A::lemma_page_size(below);
            match (A::page_size(l), A::page_size(below)) {
                (Some(whole), Some(part)) if at % whole.bytes() as int != 0 && self.has(
                    at - at % whole.bytes() as int,
                    whole,
                ) => {
                    let base = at - at % whole.bytes() as int;
                    A::geo().lemma_span(below);
                    self.lemma_split_within(base, part, A::geo().entries(below));
                    let mid = self.split(base, part);
                    mid.lemma_cut_at_within::<A>(at, below);
                    self.lemma_holds_on(mid, mid.cut_at::<A>(at, below));
                },
                _ => self.lemma_cut_at_within::<A>(at, below),
            }
        }
    }

    /// All that a range starts or ends inside of.
    pub(crate) proof fn lemma_cut_within<A: EntryFormat>(self, now: Self, lo: int, hi: int)
        requires
            self.may_cut::<A>(lo, hi, now),
        ensures
            self.holds_pages_of(now),
    {
        let (top, cut) = (A::geo().levels as nat, self.cut::<A>(lo, hi));
        let mid = self.cut_at::<A>(lo, top);
        self.lemma_cut_at_within::<A>(lo, top);
        mid.lemma_cut_at_within::<A>(hi, top);
        self.lemma_holds_on(mid, mid.cut_at::<A>(hi, top));
        self.lemma_cut_at_within::<A>(lo, 0);
        assert(self.holds_pages_of(cut));
        assert forall|x: int| #[trigger] now.pages.contains_key(x) implies exists|over: int|
         #[trigger]
            cut.pages.contains_key(over) && over <= x && x + now.pages[x].size.bytes() <= over
                + cut.pages[over].size.bytes() by {
            assert(now.pages.dom().contains(x) == cut.pages.dom().contains(x));
            assert(cut.pages.contains_key(x));
            assert(cut.pages[x].may_become(now.pages[x]));
        }
        self.lemma_holds_on(cut, now);
    }
}

} // verus!
