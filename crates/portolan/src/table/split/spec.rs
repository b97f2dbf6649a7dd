//! What dividing a page means.

use super::super::full::FullTable;
use super::super::perms::tables;
use super::super::tree::{Slot, Tree};
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, Entry};
use crate::hw::memory::TableMemory;
use crate::prop::PageProperty;
use vstd::prelude::*;

verus! {

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// `full` can take the place of the page at `slot`, once it is filled with its parts.
    pub(crate) open spec fn is_split_base(self, va: int, slot: Slot, full: FullTable<A>) -> bool {
        &&& self.linked()
        &&& self.is_slot(va, slot)
        &&& slot.level > 1
        &&& A::resizes()
        &&& A::page_size((slot.level - 1) as nat) is Some
        &&& self.entry_at(va, slot.level as nat) is Page
        &&& full.inv(self.phys_bits())
        &&& full.level + 1 == slot.level
        &&& !tables(self.perms@).contains(full.table)
    }

    /// This is `old` with the page for `va` at level `l`, which was `r`'s, divided; or `old`, for want of a frame.
    pub(crate) open spec fn is_split_from(
        self,
        old: Self,
        va: int,
        l: nat,
        r: Option<(PhysAddr, PageProperty)>,
    ) -> bool {
        match r {
            None => self.unchanged_from(old) && self.frames.held() == old.frames.held(),
            Some(was) => self.is_split_page(old, va, l, was),
        }
    }

    /// This is `old` with the page for `va` at level `l`, which was `was`'s, divided: no byte lies elsewhere.
    #[verifier::opaque]
    pub(crate) open spec fn is_split_page(
        self,
        old: Self,
        va: int,
        l: nat,
        was: (PhysAddr, PageProperty),
    ) -> bool {
        let base = va - va % A::geo().span(l);
        &&& self.space() == old.space().protect(base, was.1).split(
            base,
            A::page_size((l - 1) as nat)->0,
        )
        &&& self.steps_from(old)
        &&& forall|x: int| #[trigger] old.space().agrees(self.space(), x)
        &&& old.entry_at(va, l).may_become(Entry::Page { frame: was.0, prop: was.1 })
    }
}

} // verus!
