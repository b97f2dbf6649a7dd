//! Sharing a kernel half: user tables whose roots' upper entries refer to the kernel's tables.

use super::PageTable;
#[cfg(verus_only)]
use super::pin::spec::is_new_root;
use super::release::OwnedTree;
#[cfg(verus_only)]
use super::root::Fixed;
#[cfg(verus_only)]
use super::root::refers;
use super::tree::Tree;
use crate::addr::PhysAddr;
use crate::arch::entry::{AccessBits, Encoding};
use crate::arch::halves::{Halves, KernelHalf, UserHalf};
use crate::error::Error;
use crate::hw::memory::{Frames, TableMemory, TablePerm};
#[cfg(verus_only)]
use crate::hw::mmu::Mmu;
#[cfg(verus_only)]
use crate::spec::space::AddressSpace;
#[cfg(verus_only)]
use vstd::arithmetic::power2::pow2;
use vstd::prelude::*;

#[cfg(verus_only)]
pub(crate) mod proof;
#[cfg(verus_only)]
pub(crate) mod spec;

verus! {

impl<M: TableMemory, A: Halves, B: AccessBits> PageTable<M, UserHalf<A>, B> {
    /// A page table in which nothing is mapped, and which shares `kernel`'s half: its root's upper entries refer to that
    /// one's tables, in which all that is mapped there, also later, is found.
    ///
    /// Both are for the same machine: `memory` gives as many bits to a physical address as the kernel half's does.
    ///
    /// ```
    /// use portolan::{Error, KernelHalf, PageTable, TableMemory, UserHalf, X86_64};
    ///
    /// fn process<M: TableMemory>(
    ///     memory: M,
    ///     kernel: &PageTable<M, KernelHalf<X86_64>>,
    /// ) -> Result<PageTable<M, UserHalf<X86_64>>, Error> {
    ///     PageTable::<M, UserHalf<X86_64>>::sharing(memory, kernel)
    /// }
    /// ```
    ///
    /// # Errors
    /// [`Error::PhysTooWide`] with the kernel half's root if the two memories' physical addresses differ in width;
    /// [`Error::NoMemory`] if there is no frame for the root.
    pub fn sharing<K: TableMemory, C: AccessBits>(
        memory: M,
        kernel: &PageTable<K, KernelHalf<A>, C>,
    ) -> (r: Result<Self, Error>)
        ensures
            match r {
                Ok(table) => table@ == AddressSpace::empty() && table.shares(*kernel),
                Err(e) => {
                    let size = pow2(UserHalf::<A>::geo().page_bits as nat) as u64;
                    ||| e == (Error::NoMemory { addr: 0, size })
                    ||| e == (Error::PhysTooWide { addr: kernel.root_table().0, size })
                },
            },
    {
        proof {
            use_type_invariant(kernel);
        }
        let size = A::geometry().table_bytes() as u64;
        let mut frames = Frames::new::<UserHalf<A>>(memory);
        if frames.address_bits() != kernel.owned.tree.frames.address_bits() {
            return Err(Error::PhysTooWide { addr: kernel.owned.tree.root.addr.0, size });
        }
        match frames.alloc::<UserHalf<A>>(Ghost(A::geo().levels as nat)) {
            None => Err(Error::NoMemory { addr: 0, size }),
            Some((addr, perm)) => {
                proof {
                    kernel.owned.tree.lemma_none_copied(perm@);
                }
                let perm = kernel.owned.tree.copy_to(&mut frames, addr, perm);
                proof {
                    kernel.owned.tree.lemma_all_copied(perm@, addr);
                }
                let ghost fixed = Fixed {
                    pinned: Seq::empty(),
                    shared: kernel.owned.tree.root.fixed@.pinned,
                };
                let tree = Tree::of_root(frames, addr, perm, Ghost(fixed));
                Ok(PageTable { owned: OwnedTree { tree } })
            },
        }
    }
}

impl<M: TableMemory, A: Halves, B: AccessBits> PageTable<M, KernelHalf<A>, B> {
    /// Gives all tables back. (Dropping a kernel half gives none back: it can't know who shares them.)
    ///
    /// # Safety
    /// No table that [shares](PageTable::sharing) this half is used by a processor any more, nor will be.
    pub unsafe fn destroy(self) {
        proof {
            use_type_invariant(&self);
        }
        let mut owned = self.owned;
        owned.give_back();
    }
}

impl<M: TableMemory, A: Halves, B: AccessBits> Tree<M, KernelHalf<A>, B> {
    /// Copies the root's entries to the upper half of a new root at `addr`.
    #[cfg_attr(not(verus_only), expect(unused_variables, reason = "`perm` is the prover's"))]
    fn copy_to<U: TableMemory>(
        &self,
        frames: &mut Frames<U>,
        addr: PhysAddr,
        perm: Tracked<TablePerm>,
    ) -> (r: Tracked<TablePerm>)
        requires
            self.inv(),
            self.is_complete(),
            self.phys_bits() == old(frames).phys_bits(),
            self.is_copied(perm@, addr, 0),
        ensures
            self.is_copied(r@, addr, UserHalf::<A>::geo().entries(A::geo().levels as nat)),
            final(frames).phys_bits() == old(frames).phys_bits(),
            final(frames).held() == old(frames).held(),
        no_unwind
    {
        let entries = UserHalf::<A>::geometry().table_entries(A::geometry().levels);
        let ghost root = super::root::top::<KernelHalf<A>>();
        let tracked mut perm = perm.get();
        let mut index = 0;
        while index < entries
            invariant
                self.inv(),
                self.is_complete(),
                self.phys_bits() == old(frames).phys_bits(),
                frames.phys_bits() == old(frames).phys_bits(),
                frames.held() == old(frames).held(),
                entries == UserHalf::<A>::geo().entries(A::geo().levels as nat),
                root == super::root::top::<KernelHalf<A>>(),
                index <= entries,
                self.is_copied(perm, addr, index as int),
            decreases entries - index,
        {
            proof {
                self.lemma_copy(perm, addr, index as int);
            }
            let tracked own = self.perms.borrow().tracked_borrow(root);
            let word = self.frames.read::<KernelHalf<A>>(self.root.addr, index, Tracked(own));
            let ghost was = perm;
            frames.write::<UserHalf<A>>(addr, entries + index, word, Tracked(&mut perm));
            proof {
                self.lemma_shared_word(was, perm, addr, index as int, word);
            }
            index += 1;
        }
        Tracked(perm)
    }
}

} // verus!
