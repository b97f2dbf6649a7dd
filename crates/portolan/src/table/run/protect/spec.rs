//! What holds while the pages of a range are given other properties.

use super::super::super::tree::Tree;
use super::super::Job;
use crate::arch::PagingMode;
use crate::arch::entry::AccessBits;
use crate::hw::memory::TableMemory;
use crate::prop::{Mapping, PageProperty};
use crate::spec::space::AddressSpace;
use vstd::prelude::*;

verus! {

/// `now` is `was` with the properties `prop`, and the accessed and dirty bits that were set.
pub(crate) open spec fn is_changed(was: Mapping, prop: PageProperty, now: Mapping) -> bool {
    exists|seen: PageProperty| #[trigger]
        was.prop.may_become(seen) && now == Mapping { prop: prop.keeping(seen), ..was }
}

impl AddressSpace {
    /// The page that starts at `base` has the properties `prop` in `now` if it starts from `lo` to below `at` and `hi`, and
    /// is as it was if not.
    pub(crate) open spec fn is_protected_at(
        self,
        now: Self,
        lo: int,
        at: int,
        hi: int,
        prop: PageProperty,
        base: int,
    ) -> bool {
        if lo <= base < at && base < hi {
            &&& self.pages.contains_key(base) == now.pages.contains_key(base)
            &&& self.pages.contains_key(base) ==> is_changed(
                self.pages[base],
                prop,
                now.pages[base],
            )
        } else {
            self.same_at(now, base)
        }
    }

    /// So is each.
    pub(crate) open spec fn is_protected(
        self,
        now: Self,
        lo: int,
        at: int,
        hi: int,
        prop: PageProperty,
    ) -> bool {
        forall|base: int| #[trigger] self.is_protected_at(now, lo, at, hi, prop, base)
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// This is the start with the properties `prop` for the pages of the range up to `at`.
    pub(crate) open spec fn is_protecting(
        self,
        job: Job<M, A, B>,
        at: int,
        prop: PageProperty,
    ) -> bool {
        &&& self.mixes_from(job.start)
        &&& self.frames.held() == job.start.frames.held()
        &&& job.start.space().is_protected(self.space(), job.lo, at, job.hi, prop)
    }
}

} // verus!
