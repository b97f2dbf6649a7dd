//! Roots that share a kernel half's tables.

use super::super::PageTable;
use super::super::pin::spec::is_new_root;
use super::super::root::{Fixed, is_fixed, refers, top};
use super::super::tree::Tree;
use crate::addr::PhysAddr;
use crate::arch::entry::{AccessBits, EntryFormat};
use crate::arch::halves::proof::lemma_half;
use crate::arch::halves::{Halves, Kernel, KernelHalf, User, UserHalf};
use crate::hw::memory::{TableMemory, TablePerm};
use crate::hw::mmu::{Memory, Mmu, settled, walk};
use crate::refine::halves::lemma_walk_shared;
use crate::spec::space::translation_in_halves;
use vstd::prelude::*;

verus! {

impl<M: TableMemory, A: Halves, B: AccessBits> PageTable<M, UserHalf<A>, B> {
    /// The walk of any address.
    pub(crate) proof fn lemma_walk_shared<K: TableMemory, C: AccessBits>(
        tracked &self,
        tracked kernel: &PageTable<K, KernelHalf<A>, C>,
        memory: Memory,
        va: u64,
    )
        requires
            self.shares(*kernel),
            self.is_in(memory),
            kernel.is_in(memory),
        ensures
            walk::<A>(memory, self.phys_bits(), self.root_table(), va) == translation_in_halves::<
                A,
            >(self@, kernel@, va),
    {
        use_type_invariant(self);
        use_type_invariant(kernel);
        lemma_half::<A, User>();
        lemma_half::<A, Kernel>();
        lemma_walk_shared::<A>(
            (self.owned.tree.perms@, self.owned.tree.root),
            (kernel.owned.tree.perms@, kernel.owned.tree.root),
            self.phys_bits(),
            memory,
            va,
        );
    }
}

impl<M: TableMemory, A: Halves, B: AccessBits> Tree<M, KernelHalf<A>, B> {
    /// What copying an entry needs.
    pub(super) proof fn lemma_copy(self, perm: TablePerm, addr: PhysAddr, n: int)
        requires
            self.inv(),
            self.is_complete(),
            self.is_copied(perm, addr, n),
            0 <= n < UserHalf::<A>::geo().entries(A::geo().levels as nat),
        ensures
            self.perms@.dom().contains(top::<KernelHalf<A>>()),
            self.perms@[top::<KernelHalf<A>>()].addr() == self.root.addr,
            n < self.perms@[top::<KernelHalf<A>>()].words().len(),
            UserHalf::<A>::geo().entries(A::geo().levels as nat) + n < perm.words().len(),
            perm.words().len() == 512,
            settled::<UserHalf<A>>(
                perm.level(),
                perm.words()[UserHalf::<A>::geo().entries(A::geo().levels as nat) + n],
            ),
    {
        let level = A::geo().levels as nat;
        let m = self.model();
        lemma_half::<A, User>();
        lemma_half::<A, Kernel>();
        assert(m.nodes.contains_key(m.root()));
        A::lemma_zero(self.phys_bits(), level);
        UserHalf::<A>::lemma_zero(self.phys_bits(), level);
        UserHalf::<A>::lemma_settled(self.phys_bits(), level, 0);
    }

    /// One more is copied.
    pub(super) proof fn lemma_shared_word(
        self,
        was: TablePerm,
        now: TablePerm,
        addr: PhysAddr,
        n: int,
        word: u64,
    )
        requires
            self.inv(),
            self.is_complete(),
            self.is_copied(was, addr, n),
            0 <= n < UserHalf::<A>::geo().entries(A::geo().levels as nat),
            now.addr() == was.addr(),
            now.level() == was.level(),
            now.words() == was.words().update(
                UserHalf::<A>::geo().entries(A::geo().levels as nat) + n,
                word,
            ),
            KernelHalf::<A>::may_become(
                self.perms@[top::<KernelHalf<A>>()].level(),
                self.perms@[top::<KernelHalf<A>>()].words()[n],
                word,
            ),
        ensures
            self.is_copied(now, addr, n + 1),
    {
        let level = A::geo().levels as nat;
        let m = self.model();
        lemma_half::<A, User>();
        lemma_half::<A, Kernel>();
        assert(m.nodes.contains_key(m.root()));
        let seen = self.perms@[top::<KernelHalf<A>>()].words()[n];
        reveal(is_fixed);
        assert(refers::<KernelHalf<A>>(self.phys_bits(), seen, self.root.fixed@.pinned[n]));
        KernelHalf::<A>::lemma_step(self.phys_bits(), level, seen, word);
    }

    /// With all of them, it is a new root.
    pub(super) proof fn lemma_all_copied(self, perm: TablePerm, addr: PhysAddr)
        requires
            self.inv(),
            self.is_complete(),
            crate::arch::entry::is_table_address::<UserHalf<A>>(addr, self.phys_bits()),
            self.is_copied(perm, addr, UserHalf::<A>::geo().entries(A::geo().levels as nat)),
        ensures
            is_new_root::<UserHalf<A>>(
                perm,
                addr,
                self.phys_bits(),
                Fixed { pinned: Seq::empty(), shared: self.root.fixed@.pinned },
            ),
    {
        reveal(is_fixed);
        lemma_half::<A, User>();
        lemma_half::<A, Kernel>();
    }

    /// A zeroed frame is a root with nothing copied.
    pub(super) proof fn lemma_none_copied(self, perm: TablePerm)
        requires
            perm.words() == crate::hw::memory::zeros::<UserHalf<A>>(),
            perm.level() == A::geo().levels,
        ensures
            self.is_copied(perm, perm.addr(), 0),
    {
        lemma_half::<A, User>();
    }
}

} // verus!
