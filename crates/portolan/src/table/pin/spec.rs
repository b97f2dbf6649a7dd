//! What a new tree is.

use super::super::root::{Fixed, is_fixed, top};
use super::super::tree::Tree;
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, is_table_address};
use crate::hw::memory::{TableMemory, TablePerm};
use crate::spec::space::AddressSpace;
use vstd::prelude::*;

verus! {

/// `perm` is for a root at `addr` that has no entry in use.
pub(crate) open spec fn is_new_root<A: PagingMode>(
    perm: TablePerm,
    addr: PhysAddr,
    phys_bits: u64,
    fixed: Fixed,
) -> bool {
    let level = A::geo().levels as nat;
    &&& perm.addr() == addr
    &&& perm.level() == level
    &&& perm.words().len() == A::geo().words()
    &&& forall|i: int| 0 <= i < A::geo().entries(level) ==> #[trigger] perm.words()[i] == 0
    &&& is_table_address::<A>(addr, phys_bits)
    &&& is_fixed::<A>(perm, phys_bits, fixed)
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// All tables that are to stay are there.
    pub(crate) open spec fn is_complete(self) -> bool {
        A::pins() ==> self.root.fixed@.pinned.len() == A::geo().entries(A::geo().levels as nat)
    }

    /// Nothing is mapped; the first `n` entries of the root refer to tables that stay, the others are empty.
    pub(crate) open spec fn is_pinning(self, n: int) -> bool {
        &&& self.inv()
        &&& self.space() == AddressSpace::empty()
        &&& A::pins() ==> self.root.fixed@.pinned.len() == n
        &&& forall|i: int|
            n <= i < A::geo().entries(A::geo().levels as nat) ==> (
            #[trigger] self.model().nodes[top::<A>()].entries[i]) is Empty
        &&& A::pins() ==> self.root.fixed@.shared.len() == 0
    }
}

} // verus!
