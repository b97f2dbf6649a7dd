//! What holds while the pages of a range are given other properties.

use super::super::super::change::Change;
use super::super::super::tree::Tree;
use super::super::Job;
use crate::arch::PagingMode;
use crate::arch::entry::AccessBits;
use crate::hw::memory::TableMemory;
use crate::prop::{Mapping, PageProperty};
use crate::spec::space::AddressSpace;
use vstd::prelude::*;

verus! {

/// `now` is `was` after `change`, with the accessed and dirty bits that were seen.
pub(crate) open spec fn is_changed(was: Mapping, change: Change, now: Mapping) -> bool {
    exists|seen: PageProperty| #[trigger]
        was.prop.may_become(seen) && now == Mapping { prop: change.after(seen)->0, ..was }
}

impl AddressSpace {
    /// The page that starts at `base` is changed in `now` if it starts from `lo` to below `at` and `hi`, and is as it was
    /// if not.
    pub(crate) open spec fn is_protected_at(
        self,
        now: Self,
        lo: int,
        at: int,
        hi: int,
        change: Change,
        base: int,
    ) -> bool {
        if lo <= base < at && base < hi {
            &&& self.pages.contains_key(base) == now.pages.contains_key(base)
            &&& self.pages.contains_key(base) ==> is_changed(
                self.pages[base],
                change,
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
        change: Change,
    ) -> bool {
        forall|base: int| #[trigger] self.is_protected_at(now, lo, at, hi, change, base)
    }
}

impl AddressSpace {
    /// `now` is this with all pages changed that start from `lo` to below `hi`.
    pub(crate) open spec fn may_change_range(
        self,
        lo: int,
        hi: int,
        change: Change,
        now: Self,
    ) -> bool {
        &&& now.pages.dom() == self.pages.dom()
        &&& forall|va: int| #[trigger]
            self.pages.contains_key(va) ==> if lo <= va < hi {
                is_changed(self.pages[va], change, now.pages[va])
            } else {
                now.pages[va] == self.pages[va]
            }
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// This is the start with the pages of the range up to `at` changed.
    pub(crate) open spec fn is_protecting(
        self,
        job: Job<M, A, B>,
        at: int,
        change: Change,
    ) -> bool {
        &&& self.mixes_from(job.start)
        &&& self.frames.held() == job.start.frames.held()
        &&& job.start.space().is_protected(self.space(), job.lo, at, job.hi, change)
    }
}

} // verus!
