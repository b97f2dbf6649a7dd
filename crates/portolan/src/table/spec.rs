//! What a page table is to a reader.

use super::PageTable;
use super::model::Model;
use super::perms::{Perms, space};
use super::root::Fixed;
use super::tree::Tree;
use crate::addr::{PageSize, PhysAddr, VirtAddr};
use crate::arch::PagingMode;
use crate::arch::entry::AccessBits;
use crate::flush::Flush;
use crate::hw::memory::TableMemory;
use crate::hw::mmu::{Memory, reaches, walk};
use crate::refine::{holds, lemma_memory_exists, lemma_reachable, lemma_walk};
use crate::spec::space::{AddressSpace, translation};
use vstd::prelude::*;

verus! {

impl<M: TableMemory, A: PagingMode, B: AccessBits> PageTable<M, A, B> {
    /// What the page table means.
    pub open(crate) spec fn view(self) -> AddressSpace {
        self.owned.tree.space()
    }

    /// How many bits the machine's physical addresses have, at most as many as an entry can hold.
    pub open(crate) spec fn phys_bits(self) -> u64 {
        self.owned.tree.phys_bits()
    }

    /// Where the root table is.
    pub open(crate) spec fn root_table(self) -> PhysAddr {
        self.owned.tree.root.addr
    }

    /// What never changes of it: which tables of a kernel half stay, and which ones of one a user table shares.
    pub open(crate) spec fn fixed(self) -> Fixed {
        self.owned.tree.root.fixed@
    }

    /// The frames of tables that it holds.
    pub open(crate) spec fn frames(self) -> Set<PhysAddr> {
        self.owned.tree.frames.held()
    }

    /// Memory holds the tables: each word as it was written last, or with bits that hardware has set since.
    pub open(crate) spec fn is_in(self, memory: Memory) -> bool {
        holds::<A>(memory, self.owned.tree.perms@)
    }

    /// Memory held the tables as they were after store `k`: each word as written last, or with bits that hardware had set.
    pub open(crate) spec fn was_in(self, k: int, memory: Memory) -> bool {
        holds::<A>(memory, self.owned.tree.trace@[k])
    }

    /// What the page table meant after each single store since it was made.
    pub open(crate) spec fn history(self) -> Seq<AddressSpace> {
        self.owned.tree.trace@.map_values(|perms: Perms| space::<A>(perms))
    }

    /// All stores to the tables were made up to this time.
    pub open(super) spec fn is_stored_before(self, time: int) -> bool {
        self.owned.tree.is_stored_before(time)
    }

    /// After each single store between `old` and this, the address space was `old`'s, but for accessed and dirty bits
    /// that hardware had set, or is this one: never a third. The root is where it was, and what
    /// it shares is the same.
    pub open spec fn steps_from(self, old: Self) -> bool {
        &&& self.root_table() == old.root_table()
        &&& self.fixed() == old.fixed()
        &&& self.phys_bits() == old.phys_bits()
        &&& old.history().is_prefix_of(self.history())
        &&& forall|k: int|
            old.history().len() <= k < self.history().len() ==> old@.may_become(
                #[trigger] self.history()[k],
            ) || self.history()[k] == self@
    }

    /// After each single store between `old` and this, each address was as in `old`, but for accessed and dirty bits that
    /// hardware had set, or is as in this one: never a third. The root is where it was, and what
    /// it shares is the same.
    pub open spec fn steps_through(self, old: Self) -> bool {
        &&& self.root_table() == old.root_table()
        &&& self.fixed() == old.fixed()
        &&& self.phys_bits() == old.phys_bits()
        &&& old.history().is_prefix_of(self.history())
        &&& forall|k: int|
            old.history().len() <= k < self.history().len() ==> old@.passes(
                #[trigger] self.history()[k],
                self@,
            )
    }

    /// Nothing was changed, nothing taken, nothing lost.
    pub open spec fn same_as(self, old: Self) -> bool {
        &&& self@ == old@
        &&& self.root_table() == old.root_table()
        &&& self.fixed() == old.fixed()
        &&& self.phys_bits() == old.phys_bits()
        &&& self.history() == old.history()
        &&& self.frames() == old.frames()
    }

    /// Since `old` the page of `size` at `va` was changed, for which the flush is.
    pub open spec fn is_changed_from(
        self,
        old: Self,
        va: VirtAddr<A>,
        size: PageSize,
        flush: Flush<M, A>,
    ) -> bool {
        &&& self.steps_from(old)
        &&& self.frames() == old.frames()
        &&& flush.due().is_page(va, size)
        &&& flush.frames() == Set::<PhysAddr>::empty()
    }

    /// Nothing was changed but for bits that hardware had set.
    pub open spec fn is_seen_from(self, old: Self) -> bool {
        &&& old@.may_become(self@)
        &&& self.steps_from(old)
        &&& self.frames() == old.frames()
    }

    /// The walk between two stores.
    pub(crate) proof fn lemma_walk_after(tracked &self, k: int, memory: Memory, va: u64)
        requires
            0 <= k < self.history().len(),
            self.was_in(k, memory),
        ensures
            walk::<A>(memory, self.phys_bits(), self.root_table(), va) == translation::<A>(
                self.history()[k],
                va,
            ),
    {
        use_type_invariant(self);
        self.owned.tree.lemma_live(k);
        lemma_walk::<A>(
            self.owned.tree.trace@[k],
            self.phys_bits(),
            self.owned.tree.root,
            memory,
            va,
        );
    }

    /// From one store to the next no live translation changes, and the last is now.
    pub(crate) proof fn lemma_live(tracked &self, k: int)
        requires
            0 <= k < self.history().len(),
        ensures
            !A::resizes() && k > 0 ==> self.history()[k - 1].keeps_live(self.history()[k]),
            k == self.history().len() - 1 ==> self.history()[k] == self@,
    {
        use_type_invariant(self);
        self.owned.tree.lemma_live(k);
    }

    /// Some memory holds the tables.
    pub(crate) proof fn lemma_memory(tracked &self)
        ensures
            exists|memory: Memory| self.is_in(memory),
    {
        use_type_invariant(self);
        let perms = self.owned.tree.perms@;
        lemma_memory_exists::<A>(perms, self.phys_bits(), self.owned.tree.root);
        let memory = choose|memory: Memory| holds::<A>(memory, perms);
        assert(self.is_in(memory));
    }

    /// The frames held are those that walks reach.
    pub(crate) proof fn lemma_frames(tracked &self, memory: Memory, frame: PhysAddr)
        requires
            self.is_in(memory),
        ensures
            self.frames().contains(frame) <==> exists|va: int|
                0 <= va < A::geo().limit() && #[trigger] reaches::<A>(
                    memory,
                    self.phys_bits(),
                    A::geo().levels as nat,
                    self.root_table().0 as int,
                    va,
                    frame.0 as int,
                ),
    {
        use_type_invariant(self);
        assert(self.root_table() == self.owned.tree.root.addr);
        lemma_reachable::<A>(
            self.owned.tree.perms@,
            self.phys_bits(),
            self.owned.tree.root,
            memory,
            frame,
        );
    }

    /// The walk now.
    pub(crate) proof fn lemma_walk(tracked &self, memory: Memory, va: u64)
        requires
            self.is_in(memory),
        ensures
            walk::<A>(memory, self.phys_bits(), self.root_table(), va) == translation::<A>(
                self@,
                va,
            ),
    {
        use_type_invariant(self);
        lemma_walk::<A>(self.owned.tree.perms@, self.phys_bits(), self.owned.tree.root, memory, va);
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// The page of `size` that starts at `va` is an entry of level `l`.
    pub(crate) open spec fn maps(self, va: int, l: nat, size: PageSize) -> bool {
        &&& self.space().has(va, size)
        &&& self.entry_at(va, l) is Page
        &&& self.space().pages[va] == Model::mapping::<A>(self.entry_at(va, l), l)
    }
}

/// `l` is the level of pages of `size`, and `va` is where one can be.
pub(crate) open spec fn is_level<A: PagingMode>(va: VirtAddr<A>, l: nat, size: PageSize) -> bool {
    &&& 1 <= l <= A::geo().levels
    &&& A::page_size(l) == Some(size)
    &&& A::geo().span(l) == size.bytes()
    &&& 0 <= va@ < A::geo().limit()
    &&& va@ % A::geo().span(l) == 0
}

} // verus!
