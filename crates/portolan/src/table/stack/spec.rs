//! What a stack of tables is.

use super::Stack;
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::arch::entry::is_table_address;
use crate::hw::memory::{TablePerm, zeros};
use vstd::prelude::*;

verus! {

impl<A: PagingMode> Stack<A> {
    /// The tables, from the lowest up.
    pub(crate) open spec fn view(self) -> Seq<PhysAddr> {
        self.order@
    }

    /// Their frames.
    pub(crate) open spec fn tables(self) -> Set<PhysAddr> {
        self.perms@.dom()
    }

    /// Word 0 of table `k`.
    pub(crate) open spec fn link(self, k: int) -> u64 {
        if k == 0 {
            0
        } else {
            self.order@[k - 1].0
        }
    }

    /// `perm` is for a table below the root that can be at this address.
    pub(crate) open spec fn is_table(phys_bits: u64, table: PhysAddr, perm: TablePerm) -> bool {
        &&& is_table_address::<A>(table, phys_bits)
        &&& perm.addr() == table
        &&& 1 <= perm.level() < A::geo().levels
    }

    /// Table `k` leads to the one below it.
    pub(crate) open spec fn is_linked(self, phys_bits: u64, k: int) -> bool {
        let table = self.order@[k];
        &&& self.perms@.contains_key(table)
        &&& Self::is_table(phys_bits, table, self.perms@[table])
        &&& self.perms@[table].words() == zeros::<A>().update(0, self.link(k))
    }

    /// Each table is there once and leads to the one below it.
    pub(crate) open spec fn inv(self, phys_bits: u64) -> bool {
        &&& phys_bits <= A::frame_bits()
        &&& self.len == self.order@.len()
        &&& self.len > 0 ==> self.head == self.order@.last()
        &&& self.order@.no_duplicates()
        &&& forall|k: int| 0 <= k < self.len ==> #[trigger] self.is_linked(phys_bits, k)
        &&& forall|a: PhysAddr| #[trigger] self.perms@.contains_key(a) ==> self.order@.contains(a)
    }

    /// An empty table that isn't here.
    pub(crate) open spec fn may_push(
        self,
        phys_bits: u64,
        table: PhysAddr,
        perm: TablePerm,
    ) -> bool {
        &&& Self::is_table(phys_bits, table, perm)
        &&& perm.words() == zeros::<A>()
        &&& !self.tables().contains(table)
    }
}

} // verus!
