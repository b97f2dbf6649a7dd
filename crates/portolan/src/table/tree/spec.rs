//! What a tree of tables is, and what each store makes of it.

use super::super::chain::Chain;
use super::super::model::{Model, NodeId, home, used};
use super::super::perms::{Perms, model, space, tables, walkable};
use super::live::is_orderly;
use super::{Slot, Tree};
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, Entry};
use crate::hw::memory::{TableMemory, TablePerm};
use crate::hw::mmu::settled;
use crate::prop::Mapping;
use crate::spec::space::AddressSpace;
use vstd::prelude::*;

verus! {

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// All stores to the tables were made up to then.
    pub(crate) open spec fn is_stored_before(self, time: int) -> bool {
        forall|n: NodeId| #[trigger]
            self.perms@.contains_key(n) ==> self.perms@[n].written() <= time
    }

    /// The tables as the model has them.
    pub(crate) open spec fn model(self) -> Model {
        model::<A>(self.perms@)
    }

    /// What they mean.
    pub(crate) open spec fn space(self) -> AddressSpace {
        self.model().space::<A>()
    }

    /// How many bits a physical address has.
    pub(crate) open spec fn phys_bits(self) -> u64 {
        self.frames.phys_bits()
    }

    /// The word for `va` in the table of level `l`, as software knows it.
    pub(crate) open spec fn word_at(self, va: int, l: nat) -> u64 {
        self.perms@[home(A::geo(), va, l)].words()[A::geo().index_of(va, l)]
    }

    /// What it stands for.
    pub(crate) open spec fn entry_at(self, va: int, l: nat) -> Entry {
        self.model().entry_at(va, l)
    }

    /// Whether tables of level `l` stay, also while they are empty.
    pub(crate) open spec fn stays(l: nat) -> bool {
        A::pins() && l + 1 == A::geo().levels
    }

    /// A page's entry has its bits set, unless hardware is to set them.
    pub(crate) open spec fn preset(e: Entry) -> bool {
        e is Page && !B::tracks() ==> e->prop.accessed && e->prop.dirty
    }

    /// All pages' entries do.
    #[verifier::opaque]
    pub(crate) open spec fn are_preset(perms: Perms) -> bool {
        forall|n: NodeId, i: int|
            perms.contains_key(n) && 0 <= i < A::geo().entries(n.level) ==> Self::preset(
                #[trigger] model::<A>(perms).nodes[n].entries[i],
            )
    }

    /// The tables make a tree that hardware walks as the model says, and after each store they did. None of the stores
    /// changed a live translation in a way that takes a break.
    pub(crate) open spec fn linked(self) -> bool {
        &&& walkable::<A>(self.perms@, self.phys_bits(), self.root)
        &&& Self::are_preset(self.perms@)
        &&& is_orderly::<A>(self.trace@, self.perms@, self.phys_bits(), self.root)
    }

    /// The frames held are those of the tables.
    pub(crate) open spec fn accounted(self) -> bool {
        self.frames.held() == tables(self.perms@)
    }

    /// The tables are a tree, all in use.
    pub(crate) open spec fn sound(self) -> bool {
        &&& self.linked()
        &&& self.model().counted()
    }

    /// What holds between operations.
    pub(crate) open spec fn inv(self) -> bool {
        &&& self.sound()
        &&& self.accounted()
    }

    /// `slot` is where the entry for `va` is.
    pub(crate) open spec fn is_slot(self, va: int, slot: Slot) -> bool {
        &&& self.model().in_range(va)
        &&& 1 <= slot.level <= A::geo().levels
        &&& self.perms@.contains_key(home(A::geo(), va, slot.level as nat))
        &&& self.perms@[home(A::geo(), va, slot.level as nat)].addr() == slot.table
        &&& slot.index == A::geo().index_of(va, slot.level as nat)
    }

    /// `word` may be read for `va` at level `l`, and stands for `entry`.
    pub(crate) open spec fn reads(self, va: int, l: nat, word: u64, entry: Entry) -> bool {
        &&& A::may_become(l, self.word_at(va, l), word)
        &&& entry == A::entry(l, word)
        &&& A::wf(self.phys_bits(), l, word)
        &&& self.entry_at(va, l).may_become(entry)
    }

    /// Hardware leaves the word for `va` at level `l` alone.
    pub(crate) open spec fn is_settled(self, va: int, l: nat) -> bool {
        settled::<A>(l, self.word_at(va, l))
    }

    /// The entry for `va` at level `l` can be replaced by `e` without touching another table, and without a break.
    pub(crate) open spec fn may_set(self, va: int, l: nat, e: Entry) -> bool {
        &&& Self::preset(e)
        &&& A::resizes() || self.entry_at(va, l).keeps_live(e)
        &&& match e {
            Entry::Table { table, .. } => self.entry_at(va, l) is Table && self.entry_at(
                va,
                l,
            )->table == table,
            Entry::Page { .. } => !(self.entry_at(va, l) is Table) && A::page_size(l) is Some,
            Entry::Empty => !(self.entry_at(va, l) is Table),
        }
    }

    /// What the address space is once the entry for `va` at level `l` is `e`.
    pub(crate) open spec fn space_with(self, va: int, l: nat, e: Entry) -> AddressSpace {
        let base = va - va % A::geo().span(l);
        match e {
            Entry::Table { .. } => self.space(),
            Entry::Page { .. } => AddressSpace {
                pages: self.space().pages.insert(base, Model::mapping::<A>(e, l)),
            },
            Entry::Empty => AddressSpace { pages: self.space().pages.remove(base) },
        }
    }

    /// This is `old` after a store: what didn't change, and what the trace says.
    pub(crate) open spec fn stored_from(self, old: Self) -> bool {
        &&& self.linked()
        &&& self.phys_bits() == old.phys_bits()
        &&& self.root == old.root
        &&& self.frames.held() == old.frames.held()
        &&& self.trace@ == old.trace@.push(self.perms@)
    }

    /// This is `old` with `e` as the entry for `va` at level `l`, by one store.
    pub(crate) open spec fn set_from(self, old: Self, va: int, l: nat, e: Entry) -> bool {
        &&& self.replaced_from(old, va, l, e)
        &&& self.trace@ == old.trace@.push(self.perms@)
    }

    /// This is `old` with `e` as the entry for `va` at level `l`.
    pub(crate) open spec fn replaced_from(self, old: Self, va: int, l: nat, e: Entry) -> bool {
        &&& self.linked()
        &&& self.phys_bits() == old.phys_bits()
        &&& self.root == old.root
        &&& self.frames.held() == old.frames.held()
        &&& self.model() == old.model().put(home(A::geo(), va, l), A::geo().index_of(va, l), e)
        &&& self.space() == old.space_with(va, l, e)
        &&& tables(self.perms@) == tables(old.perms@)
        &&& self.perms@.dom() == old.perms@.dom()
    }

    /// `chain` can be put below the entry for `va` at level `l`.
    pub(crate) open spec fn may_link(self, va: int, l: nat, chain: Chain<A>) -> bool {
        &&& self.entry_at(va, l) is Empty
        &&& chain.inv(self.phys_bits())
        &&& chain.offset == va
        &&& chain.hi + 1 == l
        &&& Self::preset(chain.page())
        &&& tables(self.perms@).disjoint(chain.tables())
    }

    /// This is `old` with `chain` put below the entry for `va` at level `l`.
    pub(crate) open spec fn linked_from(self, old: Self, va: int, l: nat, chain: Chain<A>) -> bool {
        &&& self.stored_from(old)
        &&& old.model().attached(self.model(), va, (l - 1) as nat, chain.lo as nat)
        &&& self.entry_at(va, l) == (Entry::Table { table: chain.head, used: 1 })
        &&& forall|m: nat| chain.lo < m <= l ==> (#[trigger] self.entry_at(va, m))->used == 1
        &&& self.entry_at(va, chain.lo as nat) == chain.page()
        &&& self.space() == if chain.page() is Page {
            old.space_with(va, chain.lo as nat, chain.page())
        } else {
            old.space()
        }
        &&& tables(self.perms@) == tables(old.perms@).union(chain.tables())
    }

    /// The tables for `va` from level `lo` to `hi`.
    pub(crate) open spec fn path(self, va: int, lo: nat, hi: nat) -> Set<NodeId> {
        self.perms@.dom().filter(|n: NodeId| self.model().on_path(va, lo, hi, n))
    }

    /// The tables for `va` below level `l`, down to `lo`, are there and hold nothing else: the lowest nothing at all.
    pub(crate) open spec fn may_unlink(self, va: int, l: nat, head: PhysAddr, lo: nat) -> bool {
        &&& 1 <= lo < l
        &&& A::pins() ==> l < A::geo().levels
        &&& self.entry_at(va, l) is Table
        &&& forall|m: nat|
            lo <= m < l ==> self.perms@.contains_key(#[trigger] home(A::geo(), va, m))
        &&& forall|m: nat|
            lo < m < l ==> used((#[trigger] self.model().nodes[home(A::geo(), va, m)]).entries) == 1
        &&& used(self.model().nodes[home(A::geo(), va, lo)].entries) == 0
        &&& forall|m: nat| lo < m < l ==> (#[trigger] self.entry_at(va, m))->used == 1
        &&& head == self.perms@[home(A::geo(), va, (l - 1) as nat)].addr()
    }

    /// This is `old` without `chain`, which was below the entry for `va` at level `l`.
    pub(crate) open spec fn unlinked_from(
        self,
        old: Self,
        va: int,
        l: nat,
        chain: Chain<A>,
    ) -> bool {
        &&& self.stored_from(old)
        &&& self.model().attached(old.model(), va, (l - 1) as nat, chain.lo as nat)
        &&& self.space() == old.space()
        &&& chain.inv(self.phys_bits())
        &&& chain.hi + 1 == l
        &&& chain.offset == va
        &&& chain.page() is Empty
        &&& tables(old.perms@) == tables(self.perms@).union(chain.tables())
        &&& tables(self.perms@).disjoint(chain.tables())
    }

    /// `perm` is the permission of the table at `slot` after `word` was written there.
    pub(crate) open spec fn is_written(
        self,
        va: int,
        slot: Slot,
        word: u64,
        perm: TablePerm,
    ) -> bool {
        let was = self.perms@[home(A::geo(), va, slot.level as nat)];
        &&& perm.addr() == was.addr()
        &&& perm.level() == was.level()
        &&& perm.words() == was.words().update(slot.index as int, word)
    }

    /// The tables are those of `old`, with `perm` for the one of level `l` for `va`, and those of `chain`.
    pub(crate) open spec fn is_joined(
        self,
        old: Self,
        va: int,
        l: nat,
        perm: TablePerm,
        chain: Chain<A>,
    ) -> bool {
        let n = home(A::geo(), va, l);
        self.perms@ == old.perms@.remove(n).insert(n, perm).union_prefer_right(chain.perms@)
    }

    /// Between `old` and this, after each single store, the address space was `old`'s, but for bits that hardware had
    /// set, or is this one.
    pub(crate) open spec fn steps_from(self, old: Self) -> bool {
        &&& self.phys_bits() == old.phys_bits()
        &&& self.root == old.root
        &&& old.trace@.is_prefix_of(self.trace@)
        &&& forall|k: int|
            old.trace@.len() <= k < self.trace@.len() ==> old.space().may_become(
                space::<A>(#[trigger] self.trace@[k]),
            ) || space::<A>(self.trace@[k]) == self.space()
    }

    /// The tables are those of `old`, with `perm` for the one of level `l` for `va`, without those for `va` below it, which
    /// are the chain's.
    pub(crate) open spec fn is_split(
        self,
        old: Self,
        va: int,
        l: nat,
        perm: TablePerm,
        chain: Chain<A>,
    ) -> bool {
        let n = home(A::geo(), va, l);
        let path = old.path(va, chain.lo as nat, chain.hi as nat);
        &&& self.perms@ == old.perms@.remove(n).insert(n, perm).remove_keys(path)
        &&& chain.perms@ == old.perms@.remove(n).insert(n, perm).restrict(path)
    }
}

} // verus!
