//! Pages that a range ends inside of, divided until it ends between pages.

use super::AddressSpace;
use crate::arch::entry::EntryFormat;
use vstd::prelude::*;

pub(crate) mod proof;

verus! {

impl AddressSpace {
    /// Whether the page that starts at `base` has `at` inside: it covers it, but starts before.
    pub open spec fn is_inside(self, base: int, at: int) -> bool {
        self.covers(base, at) && base < at
    }

    /// The page of level `l` that has `at` inside, if there is one, as pages of the next lower level; then so with the page
    /// of that level, and so on down: what is left has `at` where a page starts or ends.
    pub open spec fn cut_at<A: EntryFormat>(self, at: int, l: nat) -> Self
        decreases l,
    {
        if l <= 1 {
            self
        } else {
            let below = (l - 1) as nat;
            match (A::page_size(l), A::page_size(below)) {
                (Some(whole), Some(part)) if at % whole.bytes() as int != 0 && self.has(
                    at - at % whole.bytes() as int,
                    whole,
                ) => self.split(at - at % whole.bytes() as int, part).cut_at::<A>(at, below),
                _ => self.cut_at::<A>(at, below),
            }
        }
    }

    /// The pages that the range from `lo` to `hi` starts or ends inside of divided, into the largest that it doesn't.
    pub open spec fn cut<A: EntryFormat>(self, lo: int, hi: int) -> Self {
        if lo < hi {
            self.cut_at::<A>(lo, A::geo().levels as nat).cut_at::<A>(hi, A::geo().levels as nat)
        } else {
            self
        }
    }

    /// Each page that has neither `lo` nor `hi` inside is in `now` as it is here.
    pub open spec fn spares(self, now: Self, lo: int, hi: int) -> bool {
        forall|base: int| #[trigger]
            self.pages.contains_key(base) && !self.is_inside(base, lo) && !self.is_inside(base, hi)
                ==> now.pages.contains_key(base) && now.pages[base] == self.pages[base]
    }

    /// `now` is this, cut at `lo` and `hi`; the parts of a page that was divided may have accessed and dirty bits that
    /// hardware had set before.
    pub open spec fn may_cut<A: EntryFormat>(self, lo: int, hi: int, now: Self) -> bool {
        &&& self.cut::<A>(lo, hi).may_become(now)
        &&& self.spares(now, lo, hi)
    }

    /// Each address is in `now` as here, but for accessed and dirty bits that hardware may have set.
    pub open spec fn resembles(self, now: Self) -> bool {
        forall|at: int| #[trigger] self.agrees(now, at)
    }

    /// So it is with each address that is not from `lo` to below `hi`.
    pub open spec fn resembles_outside(self, now: Self, lo: int, hi: int) -> bool {
        forall|at: int| !(lo <= at < hi) ==> #[trigger] self.agrees(now, at)
    }
}

} // verus!
