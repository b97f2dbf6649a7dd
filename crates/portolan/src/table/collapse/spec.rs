//! What joining pages means.

use super::super::model::home;
use super::super::tree::Tree;
use super::{Flaw, Joined};
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, Entry, is_frame_address};
use crate::hw::memory::TableMemory;
use crate::prop::PageProperty;
use vstd::prelude::*;

verus! {

impl<M: TableMemory, A: PagingMode> Joined<M, A> {
    /// The frame held is the table's.
    pub(crate) open spec fn inv(self) -> bool {
        &&& self.full.inv(self.frames.phys_bits())
        &&& self.frames.held() == Set::<PhysAddr>::empty().insert(self.full.table)
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// The table of level `l` for `va` is at `table`.
    pub(crate) open spec fn is_table(self, va: int, l: nat, table: PhysAddr) -> bool {
        &&& self.model().in_range(va)
        &&& 1 <= l < A::geo().levels
        &&& A::page_size(l) is Some
        &&& self.perms@.contains_key(home(A::geo(), va, l))
        &&& self.perms@[home(A::geo(), va, l)].addr() == table
    }

    /// Entry `k` of the table of level `l` for `va`.
    pub(crate) open spec fn part_at(self, va: int, l: nat, k: int) -> Entry {
        self.model().nodes[home(A::geo(), va, l)].entries[k]
    }

    /// The first `n` entries of the table of level `l` for `va` are pages at frames that follow each other from `frame`,
    /// with no bits and no other properties than `prop`.
    pub(crate) open spec fn is_even(
        self,
        va: int,
        l: nat,
        frame: PhysAddr,
        prop: PageProperty,
        n: int,
    ) -> bool {
        &&& frame.0 as int % A::geo().span(l + 1) == 0
        &&& forall|k: int|
            0 <= k < n ==> {
                let e = #[trigger] self.part_at(va, l, k);
                &&& e is Page
                &&& e->frame.0 == frame.0 + k * A::geo().span(l)
                &&& e->prop.may_become(prop)
            }
    }

    /// So all of them are, and one page could take their place.
    pub(crate) open spec fn is_whole(
        self,
        va: int,
        l: nat,
        frame: PhysAddr,
        prop: PageProperty,
    ) -> bool {
        &&& self.is_even(va, l, frame, prop, A::geo().entries(l))
        &&& is_frame_address(frame, self.phys_bits(), A::geo().span(l + 1))
        &&& A::supports(prop)
        &&& Self::preset(Entry::Page { frame, prop })
    }

    /// The entry that `flaw` names keeps the pages from being joined.
    pub(crate) open spec fn is_flaw(self, va: int, l: nat, flaw: Flaw) -> bool {
        let k = flaw.index as int;
        let (first, here) = (self.part_at(va, l, 0), self.part_at(va, l, k));
        &&& 0 <= k < A::geo().entries(l)
        &&& flaw.hole == (here is Empty)
        &&& here is Page ==> {
            &&& first is Page
            &&& {
                ||| first->frame.0 as int % A::geo().span(l + 1) != 0
                ||| here->frame.0 != first->frame.0 + k * A::geo().span(l)
                ||| !here->prop.alike(first->prop)
            }
        }
    }

    /// This is `old` with the pages below the entry for `va` at level `l` joined, and their table handed over.
    #[verifier::opaque]
    pub(crate) open spec fn is_collapsed_from(
        self,
        old: Self,
        va: int,
        l: nat,
        frame: PhysAddr,
        prop: PageProperty,
        joined: Joined<M, A>,
    ) -> bool {
        &&& self.space() == old.space().collapse(
            va - va % A::geo().span(l),
            A::page_size(l)->0,
            prop,
        )
        &&& self.steps_from(old)
        &&& forall|x: int| #[trigger] old.space().agrees(self.space(), x)
        &&& joined.inv()
        &&& joined.full.level + 1 == l
        &&& old.frames.held() == self.frames.held().union(joined.frames.held())
        &&& self.frames.held().disjoint(joined.frames.held())
    }
}

} // verus!
