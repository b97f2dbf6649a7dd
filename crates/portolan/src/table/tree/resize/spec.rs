//! What the stores that change what an entry is make of a tree.

use super::super::super::full::FullTable;
use super::super::super::model::home;
use super::super::super::perms::{node, tables};
use super::super::Tree;
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, Entry};
use crate::hw::memory::TableMemory;
use vstd::prelude::*;

verus! {

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// `full` can take the place of the page for `va` at level `l`, live.
    pub(crate) open spec fn may_divide(self, va: int, l: nat, full: FullTable<A>) -> bool {
        &&& A::resizes()
        &&& self.entry_at(va, l) is Page
        &&& full.inv(self.phys_bits())
        &&& full.level + 1 == l
        &&& A::page_size(full.level as nat) is Some
        &&& !tables(self.perms@).contains(full.table)
        &&& Self::has_pages(full)
    }

    /// All entries of `full` are pages, as the tree has them.
    pub(crate) open spec fn has_pages(full: FullTable<A>) -> bool {
        forall|k: int|
            0 <= k < A::geo().entries(full.level as nat) ==> (#[trigger] node::<A>(
                full.perm@,
            ).entries[k]) is Page && Self::preset(node::<A>(full.perm@).entries[k])
    }

    /// This is `old` with `full` in the place of the page for `va` at level `l`.
    pub(crate) open spec fn divided_from(
        self,
        old: Self,
        va: int,
        l: nat,
        full: FullTable<A>,
    ) -> bool {
        &&& self.stored_from(old)
        &&& old.model().divided(self.model(), home(A::geo(), va, l), A::geo().index_of(va, l))
        &&& self.model().nodes[home(A::geo(), va, (l - 1) as nat)] == node::<A>(full.perm@)
        &&& tables(self.perms@) == tables(old.perms@).insert(full.table)
    }

    /// The page `e` can take the place of the table below the entry for `va` at level `l`, live.
    pub(crate) open spec fn may_join(self, va: int, l: nat, table: PhysAddr, e: Entry) -> bool {
        let c = home(A::geo(), va, (l - 1) as nat);
        &&& A::resizes()
        &&& self.entry_at(va, l) is Table
        &&& l > 1
        &&& self.entry_at(va, l)->table == table
        &&& A::counts() ==> self.entry_at(va, l)->used == A::geo().entries((l - 1) as nat)
        &&& forall|k: int|
            0 <= k < A::geo().entries((l - 1) as nat) ==> (
            #[trigger] self.model().nodes[c].entries[k]) is Page
        &&& e is Page
        &&& Self::preset(e)
        &&& A::page_size(l) is Some
        &&& A::page_size((l - 1) as nat) is Some
    }

    /// This is `old` with the page `e` in the place of `full`, which was below the entry for `va` at level `l`.
    pub(crate) open spec fn joined_from(
        self,
        old: Self,
        va: int,
        l: nat,
        e: Entry,
        full: FullTable<A>,
    ) -> bool {
        &&& self.stored_from(old)
        &&& self.model().divided(old.model(), home(A::geo(), va, l), A::geo().index_of(va, l))
        &&& self.entry_at(va, l) == e
        &&& full.inv(self.phys_bits())
        &&& full.level + 1 == l
        &&& tables(self.perms@) == tables(old.perms@).remove(full.table)
        &&& tables(old.perms@).contains(full.table)
    }
}

} // verus!
