//! Giving all tables back.

use super::tree::{Slot, Tree};
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, Entry, EntryFormat};
use crate::hw::memory::TableMemory;
use vstd::prelude::*;

#[cfg(verus_only)]
pub(crate) mod proof;
#[cfg(verus_only)]
pub(crate) mod spec;

verus! {

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// Gives all tables back, each after those below it.
    pub(super) fn release(&mut self)
        requires
            old(self).inv(),
        ensures
            final(self).frames.held() == Set::<PhysAddr>::empty(),
        opens_invariants none
        no_unwind
    {
        let geometry = A::geometry();
        // the tables on the way to `va`, by level; those below `level` are given back already
        let mut path = [self.root; 6];
        let mut level = geometry.levels;
        let mut va: u64 = 0;
        loop {
            if level > 1 {
                let slot = Slot { level, table: path[level as usize], index: geometry.index(va, level) };
                let (_, entry) = self.read(Ghost(va as int), slot);
                if let Entry::Table { table, .. } = entry {
                    level = level - 1;
                    path[level as usize] = table;
                    continue ;
                }
            }
            // a table of level 1 has none below it, so all of it is done at once
            va = va + geometry.entry_span(if level > 1 { level } else { 2 });
            while geometry.index(va, level) == 0 {
                self.give_back(Ghost(va as int), level, path[level as usize]);
                if level == geometry.levels {
                    return ;
                }
                level = level + 1;
            }
        }
    }

    fn give_back(&mut self, Ghost(va): Ghost<int>, level: u8, table: PhysAddr) {
        let tracked perm = self.perms.borrow_mut().tracked_remove(crate::table::model::NodeId { level: level as nat, base: va });
        self.frames.free::<A>(table, Tracked(perm));
    }
}

} // verus!
