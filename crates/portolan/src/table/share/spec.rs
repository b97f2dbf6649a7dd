//! What it is to share a kernel half.

use super::super::PageTable;
use super::super::root::refers;
use super::super::tree::Tree;
use crate::addr::PhysAddr;
use crate::arch::entry::AccessBits;
use crate::arch::halves::{Halves, KernelHalf, UserHalf};
use crate::hw::memory::{TableMemory, TablePerm};
use crate::hw::mmu::Mmu;
use vstd::prelude::*;

verus! {

impl<M: TableMemory, A: Halves, B: AccessBits> PageTable<M, UserHalf<A>, B> {
    /// The root's upper entries refer to `kernel`'s tables. It stays so: neither side of it ever changes.
    pub open spec fn shares<K: TableMemory, C: AccessBits>(
        self,
        kernel: PageTable<K, KernelHalf<A>, C>,
    ) -> bool {
        &&& self.phys_bits() == kernel.phys_bits()
        &&& self.fixed().shared == kernel.fixed().pinned
    }
}

impl<M: TableMemory, A: Halves, B: AccessBits> Tree<M, KernelHalf<A>, B> {
    /// `perm` is for a new root at `addr`, whose first `n` upper words refer to this tree's tables.
    pub(crate) open spec fn is_copied(self, perm: TablePerm, addr: PhysAddr, n: int) -> bool {
        let level = A::geo().levels as nat;
        let entries = UserHalf::<A>::geo().entries(level);
        &&& perm.addr() == addr
        &&& perm.level() == level
        &&& perm.words().len() == A::geo().words()
        &&& forall|i: int|
            (0 <= i < entries || entries + n <= i < perm.words().len())
                ==> #[trigger] perm.words()[i] == 0
        &&& forall|i: int|
            0 <= i < n ==> refers::<UserHalf<A>>(
                self.phys_bits(),
                perm.words()[entries + i],
                #[trigger] self.root.fixed@.pinned[i],
            )
    }
}

} // verus!
