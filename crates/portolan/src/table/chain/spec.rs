//! What a chain of tables is.

use super::super::model::{NodeId, blank, home};
use super::super::perms::{Perms, model, node, perms_ok, tables};
use super::Chain;
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::arch::entry::{Entry, is_table_address};
use crate::hw::memory::{TablePerm, zeros};
use vstd::prelude::*;

verus! {

/// `perm` is the right to an empty table at `table`, for use at `level`.
pub(crate) open spec fn is_blank<A: PagingMode>(
    perm: TablePerm,
    table: PhysAddr,
    level: nat,
    phys_bits: u64,
) -> bool {
    &&& perm.addr() == table
    &&& perm.level() == level
    &&& perm.words() == zeros::<A>()
    &&& is_table_address::<A>(table, phys_bits)
}

impl<A: PagingMode> Chain<A> {
    /// Where the table of level `l` stands.
    pub(crate) open spec fn at(self, l: nat) -> NodeId {
        home(A::geo(), self.offset as int, l)
    }

    /// The only entry of the table of level `l` that may be in use.
    pub(crate) open spec fn entry(self, l: nat) -> Entry {
        node::<A>(self.perms@[self.at(l)]).entries[A::geo().index_of(self.offset as int, l)]
    }

    /// What the lowest table maps the address to.
    pub(crate) open spec fn page(self) -> Entry {
        self.entry(self.lo as nat)
    }

    /// One table for each level; each but the lowest refers to the next, and to nothing else.
    pub(crate) open spec fn inv(self, phys_bits: u64) -> bool {
        &&& 1 <= self.lo <= self.hi < A::geo().levels
        &&& self.offset < A::geo().limit()
        &&& perms_ok::<A>(self.perms@, phys_bits)
        &&& self.head == self.perms@[self.at(self.hi as nat)].addr()
        &&& forall|n: NodeId| #[trigger]
            self.perms@.contains_key(n) <==> model::<A>(self.perms@).on_path(
                self.offset as int,
                self.lo as nat,
                self.hi as nat,
                n,
            )
        &&& forall|l: nat|
            self.lo <= l <= self.hi ==> node::<A>(#[trigger] self.perms@[self.at(l)]).entries
                == blank(A::geo(), l).update(
                A::geo().index_of(self.offset as int, l),
                self.entry(l),
            )
        &&& forall|l: nat|
            self.lo < l <= self.hi ==> #[trigger] self.entry(l) == (Entry::Table {
                table: self.perms@[self.at((l - 1) as nat)].addr(),
                used: 1,
            })
        &&& !(self.page() is Table)
    }

    /// The frames of its tables.
    pub(crate) open spec fn tables(self) -> Set<PhysAddr> {
        tables(self.perms@)
    }

    /// Its frames are among `held`.
    pub(crate) open spec fn is_held(self, held: Set<PhysAddr>) -> bool {
        self.tables().subset_of(held)
    }

    /// Its frames are what `after` has and `before` has not.
    pub(crate) open spec fn is_added(self, before: Set<PhysAddr>, after: Set<PhysAddr>) -> bool {
        &&& after == before.union(self.tables())
        &&& before.disjoint(self.tables())
    }

    /// While the tables are given back, `table` of `level` next: what is left of them, and of the frames held.
    pub(crate) open spec fn is_freed(
        self,
        level: nat,
        table: PhysAddr,
        left: Perms,
        before: Set<PhysAddr>,
        held: Set<PhysAddr>,
    ) -> bool {
        &&& self.lo <= level <= self.hi
        &&& table == self.perms@[self.at(level)].addr()
        &&& left == self.perms@.restrict(self.perms@.dom().filter(|n: NodeId| n.level <= level))
        &&& held == before.difference(tables(self.perms@).difference(tables(left)))
    }
}

} // verus!
