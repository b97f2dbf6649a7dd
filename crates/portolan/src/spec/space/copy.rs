//! What it means that pages are copied from one address space to another.

use super::AddressSpace;
use crate::arch::entry::{AccessBits, stored};
use crate::prop::{Mapping, PageProperty};
use vstd::arithmetic::power2::pow2;
use vstd::prelude::*;

verus! {

/// `now` is a copy of the page `was`: it maps the same frame, with the properties that were seen there, but for the right
/// to write if it is taken away.
pub open spec fn is_copy<B: AccessBits>(was: Mapping, read_only: bool, now: Mapping) -> bool {
    exists|seen: PageProperty| #[trigger]
        was.prop.may_become(seen) && now == Mapping {
            prop: stored::<B>(
                if read_only {
                    seen.read_only()
                } else {
                    seen
                },
            ),
            ..was
        }
}

impl AddressSpace {
    /// `now` is `onto` with copies of all pages that start here from `lo` to below `hi`.
    pub open spec fn may_copy_range<B: AccessBits>(
        self,
        lo: int,
        hi: int,
        read_only: bool,
        onto: Self,
        now: Self,
    ) -> bool {
        forall|va: int|
            #![trigger now.pages.contains_key(va)]
            #![trigger self.pages.contains_key(va)]
            if lo <= va < hi && self.pages.contains_key(va) {
                &&& now.pages.contains_key(va)
                &&& is_copy::<B>(self.pages[va], read_only, now.pages[va])
            } else {
                &&& now.pages.contains_key(va) == onto.pages.contains_key(va)
                &&& now.pages.contains_key(va) ==> now.pages[va] == onto.pages[va]
            }
    }

    /// `now` is this without the right to write in all pages that start from `lo` to below `hi`; accessed and dirty bits
    /// that were set stay set.
    pub open spec fn may_write_protect_range(self, lo: int, hi: int, now: Self) -> bool {
        &&& now.pages.dom() == self.pages.dom()
        &&& forall|va: int| #[trigger]
            self.pages.contains_key(va) ==> {
                let (was, is) = (self.pages[va], now.pages[va]);
                if lo <= va < hi {
                    exists|seen: PageProperty| #[trigger]
                        was.prop.may_become(seen) && is == Mapping { prop: seen.read_only(), ..was }
                } else {
                    is == was
                }
            }
    }

    /// The frames of all pages that start from `lo` to below `hi` have addresses of `bits` bits.
    pub open spec fn is_within(self, lo: int, hi: int, bits: u64) -> bool {
        forall|base: int|
            lo <= base < hi && #[trigger] self.pages.contains_key(base) ==> self.pages[base].frame.0
                + self.pages[base].size.bytes() <= pow2(bits as nat)
    }

    /// The page at `base` is the first of those from `lo` to below `hi` whose frame has not.
    pub open spec fn is_first_beyond(self, lo: int, hi: int, bits: u64, base: int) -> bool {
        &&& lo <= base < hi
        &&& self.pages.contains_key(base)
        &&& self.pages[base].frame.0 + self.pages[base].size.bytes() > pow2(bits as nat)
        &&& self.is_within(lo, base, bits)
    }
}

} // verus!
