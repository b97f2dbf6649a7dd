//! Where a descent is, and where it ended.

use super::super::model::{home, used};
use super::super::tree::{Slot, Tree};
use super::{Descent, Stop};
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, Entry};
use crate::hw::memory::TableMemory;
use vstd::prelude::*;

verus! {

impl Descent {
    /// The entry where the descent ended.
    pub(crate) open spec fn at(self) -> Slot {
        Slot { level: self.stop.level, table: self.stop.table, index: self.index }
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// `stop` is the table for `va` of its level, and knows what is above it.
    pub(crate) open spec fn is_stop(self, va: int, stop: Stop) -> bool {
        let l = stop.level as nat;
        &&& self.model().in_range(va)
        &&& 1 <= l <= A::geo().levels
        &&& self.perms@.contains_key(home(A::geo(), va, l))
        &&& self.perms@[home(A::geo(), va, l)].addr() == stop.table
        &&& if l < A::geo().levels {
            &&& self.perms@.contains_key(home(A::geo(), va, l + 1))
            &&& self.perms@[home(A::geo(), va, l + 1)].addr() == stop.above
            &&& self.entry_at(va, l + 1) is Table
            &&& self.entry_at(va, l + 1)->used == stop.used
        } else {
            stop.used == 1
        }
    }

    /// The table of level `l` for `va` is there, and one of its entries is in use.
    pub(crate) open spec fn is_lone(self, va: int, l: nat) -> bool {
        &&& self.perms@.contains_key(home(A::geo(), va, l))
        &&& used(self.model().nodes[home(A::geo(), va, l)].entries) == 1
    }

    /// Entry `i` of the table of level `l` for `va` is in use.
    pub(crate) open spec fn is_used_at(self, va: int, l: nat, i: int) -> bool {
        !(self.model().nodes[home(A::geo(), va, l)].entries[i] is Empty)
    }

    /// Of the entries from `lo` to below `hi` of the table of level `l` for `va`, none but that for `va` is in use.
    pub(crate) open spec fn is_searched(self, va: int, l: nat, lo: int, hi: int) -> bool {
        forall|i: int|
            lo <= i < hi && i != A::geo().index_of(va, l) ==> !#[trigger] self.is_used_at(va, l, i)
    }

    /// The table of level `l` for `va` holds something besides the way.
    pub(crate) open spec fn is_shared(self, va: int, l: nat) -> bool {
        !self.is_searched(va, l, 0, A::geo().entries(l))
    }

    /// `cut` holds something besides the way of `va`; or it is the root, or stays while it is empty.
    pub(crate) open spec fn is_cut(self, va: int, cut: Stop) -> bool {
        cut.level < A::geo().levels && !Self::stays(cut.level as nat) ==> if A::counts() {
            cut.used != 1
        } else {
            self.is_shared(va, cut.level as nat)
        }
    }

    /// The way from the root to `stop`: the tables below `cut` hold nothing else, and none of them stays.
    pub(crate) open spec fn is_way(self, va: int, stop: Stop, cut: Stop, head: PhysAddr) -> bool {
        let l = stop.level as nat;
        &&& self.is_stop(va, stop)
        &&& self.is_stop(va, cut)
        &&& l <= cut.level
        &&& A::pins() && l < A::geo().levels ==> cut.level < A::geo().levels
        &&& forall|m: nat| l <= m < cut.level ==> #[trigger] self.is_lone(va, m)
        &&& forall|m: nat|
            l < m <= cut.level ==> (#[trigger] self.entry_at(va, m)) is Table && (m < cut.level
                ==> self.entry_at(va, m)->used == 1)
        &&& l < cut.level ==> self.entry_at(va, cut.level as nat)->used == 1 && head
            == self.perms@[home(A::geo(), va, (cut.level - 1) as nat)].addr()
    }

    /// `d` is where the descent to level `target` for `va` ends. Where entries note how much is used, `d.cut` is as low
    /// as can be.
    pub(crate) open spec fn is_descent(self, va: int, target: nat, d: Descent) -> bool {
        &&& A::counts() ==> self.is_cut(va, d.cut)
        &&& self.is_way(va, d.stop, d.cut, d.head)
        &&& target <= d.stop.level
        &&& self.is_slot(va, d.at())
        &&& self.reads(va, d.stop.level as nat, d.word, d.entry)
        &&& d.stop.level == target || !(d.entry is Table)
    }

    /// This is `old` with `n` noted as how many entries of the table of level `l` for `va` are in use.
    pub(crate) open spec fn noted_from(self, old: Self, va: int, l: nat, n: u16) -> bool {
        if l < A::geo().levels && A::counts() {
            self.set_from(
                old,
                va,
                l + 1,
                Entry::Table { table: old.entry_at(va, l + 1)->table, used: n },
            )
        } else {
            self == old
        }
    }
}

} // verus!
