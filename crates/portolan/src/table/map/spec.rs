//! What mapping a page means.

use super::super::chain::Chain;
use super::super::descend::Descent;
use super::super::model::{NodeId, home};
use super::super::perms::tables;
use super::super::tree::Tree;
use super::Obstacle;
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, Entry, is_frame_address, stored};
use crate::hw::memory::TableMemory;
use crate::prop::PageProperty;
use vstd::prelude::*;

verus! {

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// The request is one that an entry of level `l` can express.
    pub(crate) open spec fn may_map(
        self,
        va: int,
        l: nat,
        frame: PhysAddr,
        prop: PageProperty,
    ) -> bool {
        &&& self.model().in_range(va)
        &&& va % A::geo().span(l) == 0
        &&& 1 <= l <= A::geo().levels
        &&& A::page_size(l) is Some
        &&& is_frame_address(frame, self.phys_bits(), A::geo().span(l))
        &&& A::supports(prop)
    }

    /// There is a table of level `l` for `va`, and nothing in its entry.
    pub(crate) open spec fn is_vacant(self, va: int, l: nat) -> bool {
        self.perms@.contains_key(home(A::geo(), va, l)) && self.entry_at(va, l) is Empty
    }

    /// This is `old` with `e` mapping `va` at level `l`.
    pub(crate) open spec fn put_from(self, old: Self, va: int, l: nat, e: Entry) -> bool {
        &&& self.space() == old.space_with(va, l, e)
        &&& self.steps_from(old)
    }

    /// `chain`, with a page, can be linked to the empty entry where `d` ended.
    pub(crate) open spec fn may_hang(self, va: int, d: Descent, chain: Chain<A>) -> bool {
        &&& self.sound()
        &&& self.is_descent(va, chain.lo as nat, d)
        &&& d.entry is Empty
        &&& chain.inv(self.phys_bits())
        &&& chain.offset == va
        &&& chain.hi + 1 == d.stop.level
        &&& chain.page() is Page
        &&& Self::preset(chain.page())
        &&& tables(self.perms@).disjoint(chain.tables())
    }

    /// This is `old` with `chain` linked to the entry where `d` ended.
    pub(crate) open spec fn is_hung_from(
        self,
        old: Self,
        va: int,
        d: Descent,
        chain: Chain<A>,
    ) -> bool {
        &&& self.sound()
        &&& self.put_from(old, va, chain.lo as nat, chain.page())
        &&& self.frames.held() == old.frames.held()
        &&& tables(self.perms@) == tables(old.perms@).union(chain.tables())
        &&& forall|n: NodeId| #[trigger]
            self.perms@.dom().contains(n) <==> old.perms@.dom().contains(n) || old.model().on_path(
                va,
                chain.lo as nat,
                chain.hi as nat,
                n,
            )
    }

    /// This is `old` after a request to map.
    pub(crate) open spec fn is_mapped_from(
        self,
        old: Self,
        va: int,
        l: nat,
        frame: PhysAddr,
        prop: PageProperty,
        r: Result<(), Obstacle>,
    ) -> bool {
        match r {
            Ok(()) => self.put_from(old, va, l, Entry::Page { frame, prop: stored::<B>(prop) })
                && !old.space().overlaps(va, A::geo().span(l)),
            Err(why) => self.unchanged_from(old) && old.is_obstacle(va, l, why),
        }
    }

    /// This means what `old` does, and nothing was stored.
    pub(crate) open spec fn unchanged_from(self, old: Self) -> bool {
        &&& self.space() == old.space()
        &&& self.phys_bits() == old.phys_bits()
        &&& self.root == old.root
        &&& self.trace@ == old.trace@
        &&& self.perms@ == old.perms@
    }

    /// `why` is why nothing can be mapped at `va` at level `l`.
    pub(crate) open spec fn is_obstacle(self, va: int, l: nat, why: Obstacle) -> bool {
        match why {
            Obstacle::Mapped { level } => {
                &&& l <= level <= A::geo().levels
                &&& self.space().overlaps(va, A::geo().span(l))
                &&& level == l ==> (self.space().lookup(va) matches Some(m) ==> m.size.bytes()
                    <= A::geo().span(l))
                &&& level > l ==> A::page_size(level as nat) is Some && self.space().lookup(
                    va,
                ) is Some && self.space().lookup(va)->0.size == A::page_size(level as nat)->0
            },
            Obstacle::NoMemory => !self.space().overlaps(va, A::geo().span(l)),
        }
    }
}

} // verus!
