//! What it means that a page's accessed and dirty bits are cleared.

use super::super::PageTable;
use super::super::perms::space;
use super::super::scan::Place;
use super::super::tree::Tree;
use super::Next;
use crate::addr::{PageSize, PhysAddr, VirtAddr};
use crate::arch::entry::AccessBits;
use crate::arch::{PagingMode, Tracking};
use crate::flush::Flush;
use crate::hw::TableMemory;
use crate::prop::{Mapping, PageProperty, UsedBits};
use crate::spec::request;
use crate::spec::space::AddressSpace;
use vstd::prelude::*;

verus! {

impl<M: TableMemory, A: PagingMode> PageTable<M, A, Tracking> {
    /// This is `old` with these bits of the page of `size` at `va` cleared, which was `was`. If it had none of them, it may
    /// be `old` as it was, and nothing is to be flushed.
    pub open spec fn is_cleared_from(
        self,
        old: Self,
        va: VirtAddr<A>,
        size: PageSize,
        bits: UsedBits,
        was: Mapping,
        flush: Flush<M, A>,
    ) -> bool {
        &&& request::is_found(old@, va, size, was)
        &&& self@ == old@.protect(va@, was.prop.without(bits)) || self@ == old@
            && !was.prop.has_any(bits)
        &&& self.steps_from(old)
        &&& flush.due().first() == va
        &&& flush.due().least() == size
        &&& flush.due().len() == if was.prop.has_any(bits) {
            size.bytes()
        } else {
            0
        }
        &&& self.frames() == old.frames()
        &&& flush.frames() == Set::<PhysAddr>::empty()
    }

    /// This is `old`, but for bits that hardware was seen to have set, with `bits` of the page at `va` cleared, which was
    /// `was` and had one of them.
    pub open spec fn is_harvested_from(
        self,
        old: Self,
        va: VirtAddr<A>,
        bits: UsedBits,
        was: Mapping,
    ) -> bool {
        &&& request::is_found(old@, va, was.size, was)
        &&& was.prop.has_any(bits)
        &&& old@.may_clear(self@, va@, was.prop.without(bits))
    }
}

impl AddressSpace {
    /// `now` is this, but for bits that hardware may have set, with other properties of the page at `va`.
    pub open spec fn may_clear(self, now: Self, va: int, prop: PageProperty) -> bool {
        exists|seen: AddressSpace| #[trigger] self.may_become(seen) && now == seen.protect(va, prop)
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// This is `old`, but for bits that hardware was seen to have set.
    pub(crate) open spec fn saw_from(self, old: Self) -> bool {
        &&& self.phys_bits() == old.phys_bits()
        &&& self.root == old.root
        &&& self.frames.held() == old.frames.held()
        &&& old.space().may_become(self.space())
        &&& old.trace@.is_prefix_of(self.trace@)
        &&& forall|k: int|
            old.trace@.len() <= k < self.trace@.len() ==> old.space().may_become(
                space::<A>(#[trigger] self.trace@[k]),
            )
    }

    /// What a search from `at` to `hi` has come to, before which the pages from `lo` on were unused.
    pub(crate) open spec fn is_next_from(
        self,
        old: Self,
        lo: int,
        at: int,
        hi: int,
        bits: UsedBits,
        r: (Place, Next),
    ) -> bool {
        let (place, next) = r;
        let (va, l) = (place.va as int, place.stop.level as nat);
        let span = A::geo().span(l);
        let start = va - va % span;
        &&& self.inv()
        &&& self.is_place(place)
        &&& match next {
            Next::None => {
                &&& self.saw_from(old)
                &&& self.space().is_unused(lo, hi, bits)
            },
            Next::Cut => {
                &&& self.saw_from(old)
                &&& old.is_cut_by(at, hi, start, span)
                &&& self.space().is_unused(lo, at, bits)
            },
            Next::Page(frame, prop) => {
                &&& at <= start < start + span <= hi
                &&& start % span == 0
                &&& A::page_size(l) matches Some(size) && size.bytes() == span
                    && request::has_size::<A>(size) && old.space().has(start, size)
                    && old.space().pages[start].may_become(Mapping { frame, size, prop })
                &&& prop.has_any(bits)
                &&& old.space().is_unused(lo, start, bits)
                &&& self.space().is_unused(lo, start + span, bits)
                &&& old.space().may_clear(self.space(), start, prop.without(bits))
                &&& self.steps_from(old)
                &&& self.frames.held() == old.frames.held()
            },
        }
    }
}

} // verus!
