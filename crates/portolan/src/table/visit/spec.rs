//! How far going through the tables has got.

use super::super::PageTable;
use super::super::model::{NodeId, home, used};
use super::super::perms::{Perms, tables};
use super::super::tree::Tree;
use super::{TableInfo, Tables, Visit};
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, Entry};
use crate::hw::memory::TableMemory;
use vstd::prelude::*;

verus! {

impl<M: TableMemory, A: PagingMode, B: AccessBits> PageTable<M, A, B> {
    /// `info` is true of one of the tables.
    pub open(crate) spec fn has_table(self, info: TableInfo<A>) -> bool {
        self.owned.tree.has_table(info)
    }
}

impl<'a, M: TableMemory, A: PagingMode, B: AccessBits> Tables<'a, M, A, B> {
    /// The page table.
    pub open(crate) spec fn of(self) -> PageTable<M, A, B> {
        *self.table
    }

    /// The frames of the tables that have not been met yet.
    pub open(crate) spec fn left(self) -> Set<PhysAddr> {
        tables(self.table.owned.tree.rest(self.visit))
    }

    /// Whether a table such as `info` is still to come: it covers addresses from further on, or is below one that has
    /// been met.
    pub open(crate) spec fn comes(self, info: TableInfo<A>) -> bool {
        self.visit.is_before(Tree::<M, A, B>::place_of(info))
    }
}

impl Visit {
    /// The table at `n` has not been met.
    pub(crate) open spec fn is_before(self, n: NodeId) -> bool {
        n.base > self.va || n.base == self.va && n.level < self.level
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// Where the table that `info` is about stands.
    pub(crate) open spec fn place_of(info: TableInfo<A>) -> NodeId {
        NodeId { level: info.level as nat, base: info.start@ }
    }

    /// `info` is true of one of the tables.
    pub(crate) open spec fn has_table(self, info: TableInfo<A>) -> bool {
        let n = Self::place_of(info);
        &&& self.perms@.contains_key(n)
        &&& self.perms@[n].addr() == info.addr
        &&& info.size == A::geo().cover(n.level)
        &&& match info.used {
            Some(count) => count == used(self.model().nodes[n].entries),
            None => n.level == A::geo().levels || !A::counts(),
        }
    }

    /// The tables that have not been met.
    pub(crate) open spec fn rest(self, visit: Visit) -> Perms {
        self.perms@.restrict(self.perms@.dom().filter(|n: NodeId| visit.is_before(n)))
    }

    /// `path` has the tables for `x` from `level` up, and `va` is where an entry of the one of `level` starts, or where
    /// the last one ends.
    pub(crate) open spec fn is_on(self, path: Seq<PhysAddr>, level: nat, x: int, va: int) -> bool {
        &&& path.len() == 6
        &&& 2 <= level <= A::geo().levels
        &&& 0 <= x < A::geo().limit()
        &&& x <= va <= A::geo().base(x, level) + A::geo().cover(level)
        &&& va % A::geo().span(level) == 0
        &&& self.is_path(path, x, level)
    }

    /// Where a visit can be: before the root, at an entry, or at the end.
    pub(crate) open spec fn is_visit(self, visit: Visit) -> bool {
        let level = visit.level as nat;
        if level > A::geo().levels {
            level == A::geo().levels + 1 && visit.va == 0 && visit.path@[A::geo().levels as int]
                == self.root.addr
        } else {
            2 <= level && (visit.va == A::geo().limit() || self.is_on(
                visit.path@,
                level,
                visit.va as int,
                visit.va as int,
            ))
        }
    }

    /// From `visit` to `next` no table is met, but for the one of level 1 below the entry.
    pub(crate) open spec fn is_past(self, visit: Visit, next: Visit) -> bool {
        let below = self.entry_at(visit.va as int, visit.level as nat) is Table;
        forall|n: NodeId| #[trigger]
            self.perms@.contains_key(n) ==> (next.is_before(n) <==> visit.is_before(n) && !(below
                && n == home(A::geo(), visit.va as int, 1)))
    }

    /// From `visit` to `next` the table is met that `info` is about.
    pub(crate) open spec fn is_met(self, visit: Visit, next: Visit, info: TableInfo<A>) -> bool {
        &&& self.has_table(info)
        &&& visit.is_before(Self::place_of(info))
        &&& !next.is_before(Self::place_of(info))
        &&& tables(self.rest(visit)).contains(info.addr)
        &&& tables(self.rest(next)) == tables(self.rest(visit)).remove(info.addr)
    }
}

} // verus!
