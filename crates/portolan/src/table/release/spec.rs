//! How far giving all tables back has got.

use super::super::model::{Model, NodeId, home};
use super::super::perms::perms_ok;
use super::super::tree::Tree;
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::arch::entry::AccessBits;
use crate::hw::memory::TableMemory;
use vstd::prelude::*;

verus! {

impl Model {
    /// Whether `n` is among the tables not given back yet: those that reach past `va`, and those for `x` from `level` up.
    pub(crate) open spec fn remains(self, n: NodeId, x: int, level: nat, va: int) -> bool {
        &&& self.nodes.contains_key(n)
        &&& n.base + self.geo.cover(n.level) > va || self.on_path(
            x,
            level,
            self.geo.levels as nat,
            n,
        )
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// `path` says where the tables for `x` from `level` up are.
    pub(crate) open spec fn is_path(self, path: Seq<PhysAddr>, x: int, level: nat) -> bool {
        forall|m: nat|
            level <= m <= A::geo().levels ==> self.perms@.contains_key(
                #[trigger] home(A::geo(), x, m),
            ) && self.perms@[home(A::geo(), x, m)].addr() == path[m as int]
    }

    /// This is what is left of `tree` when all is done up to `va`, but for the tables for `x` from `level` up; `va` is
    /// where an entry of the table of `level` for `x` starts, or where the last one ends.
    pub(crate) open spec fn is_releasing(
        self,
        tree: Self,
        path: Seq<PhysAddr>,
        level: nat,
        x: int,
        va: int,
    ) -> bool {
        &&& tree.linked()
        &&& path.len() == 6
        &&& 2 <= level <= A::geo().levels
        &&& 0 <= x < A::geo().limit()
        &&& x <= va <= A::geo().base(x, level) + A::geo().cover(level)
        &&& va % A::geo().span(level) == 0
        &&& tree.is_path(path, x, level)
        &&& forall|n: NodeId| #[trigger]
            self.perms@.contains_key(n) <==> tree.model().remains(n, x, level, va)
        &&& self.is_part(tree)
    }

    /// This is `tree` with some tables given back.
    pub(crate) open spec fn is_part(self, tree: Self) -> bool {
        &&& self.perms@.submap_of(tree.perms@)
        &&& self.phys_bits() == tree.phys_bits()
        &&& self.accounted()
        &&& perms_ok::<A>(self.perms@, self.phys_bits())
    }

    /// This is `old` without its table at `n`.
    pub(crate) open spec fn is_less(self, old: Self, n: NodeId) -> bool {
        &&& self.perms@ == old.perms@.remove(n)
        &&& self.phys_bits() == old.phys_bits()
        &&& self.accounted()
        &&& perms_ok::<A>(self.perms@, self.phys_bits())
    }
}

} // verus!
