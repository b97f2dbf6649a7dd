//! The tables themselves, one after the other.

use super::PageTable;
#[cfg(verus_only)]
use super::model::home;
use super::tree::{Slot, Tree};
use crate::addr::{PhysAddr, VirtAddr};
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
use crate::arch::entry::{AccessBits, Entry};
use crate::arch::x86_64::X86_64;
use crate::arch::{PagingMode, Preset};
use crate::hw::TableMemory;
use vstd::prelude::*;

#[cfg(verus_only)]
pub(crate) mod proof;
#[cfg(verus_only)]
pub(crate) mod spec;

verus! {

/// A table, and what it is for.
#[verifier::allow(autoderive_clone_without_spec)]
#[derive(Clone, Copy, Debug)]
pub struct TableInfo<A: PagingMode> {
    /// Its level: 1 holds the smallest pages, the root has the highest.
    pub level: u8,
    /// Where it is in memory.
    pub addr: PhysAddr,
    /// The first address that it covers.
    pub start: VirtAddr<A>,
    /// How many bytes it covers.
    pub size: u64,
    /// How many of its entries are in use, as the entry that refers to it notes: `None` for the root, and where the
    /// mode's entries have no room for that.
    pub used: Option<u16>,
}

/// All tables of a page table, each once: the root first, then in the order of the addresses that they cover, each
/// before those below it.
///
/// As an [`Iterator`] it gives what [`next_table`](Tables::next_table) does, whose contract says what that is. It reads
/// each entry of the tables above level 1, and needs no memory.
#[verifier::reject_recursive_types(M)]
pub struct Tables<'a, M: TableMemory, A: PagingMode = X86_64, B: AccessBits = Preset> {
    pub(crate) table: &'a PageTable<M, A, B>,
    pub(crate) visit: Visit,
}

/// How far going through the tables has got: to the entry for `va` of a table of `level`. The tables that start before
/// have been met, and of those that start there the ones from `level` up; at first, none has.
#[derive(Clone, Copy)]
pub(crate) struct Visit {
    /// The tables for `va`, by level, from `level` up.
    pub(crate) path: [PhysAddr; 6],
    pub(crate) level: u8,
    pub(crate) va: u64,
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> PageTable<M, A, B> {
    /// All tables, each once, from the root on.
    ///
    /// ```
    /// use portolan::{PageTable, TableMemory};
    ///
    /// fn show<M: TableMemory>(table: &PageTable<M>) {
    ///     for table in table.tables() {
    ///         println!("level {} at {} for {} on", table.level, table.addr, table.start);
    ///     }
    /// }
    /// ```
    pub fn tables(&self) -> (r: Tables<'_, M, A, B>)
        ensures
            r.of() == *self,
            r.left() == self.frames(),
    {
        proof {
            use_type_invariant(self);
        }
        let root = self.owned.tree.root.addr;
        let visit = Visit {
            path: [root, root, root, root, root, root],
            level: A::geometry().levels + 1,
            va: 0,
        };
        proof {
            self.owned.tree.lemma_visit(visit);
        }
        Tables { table: self, visit }
    }
}

impl<'a, M: TableMemory, A: PagingMode, B: AccessBits> Tables<'a, M, A, B> {
    #[verifier::type_invariant]
    spec fn inv(self) -> bool {
        self.table.owned.tree.is_visit(self.visit)
    }

    /// The next table, which then is not among those left any more; `None` if none is left.
    pub fn next_table(&mut self) -> (r: Option<TableInfo<A>>)
        ensures
            final(self).of() == old(self).of(),
            match r {
                Some(info) => {
                    &&& old(self).of().has_table(info)
                    &&& old(self).left().contains(info.addr)
                    &&& final(self).left() == old(self).left().remove(info.addr)
                    &&& old(self).comes(info)
                    &&& !final(self).comes(info)
                },
                None => {
                    &&& old(self).left() == Set::<PhysAddr>::empty()
                    &&& final(self).left() == old(self).left()
                },
            },
    {
        proof {
            use_type_invariant(&*self);
            use_type_invariant(self.table);
        }
        let (visit, info) = self.table.owned.tree.next_table(self.visit);
        *self = Tables { table: self.table, visit };
        info
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// The next table.
    fn next_table(&self, visit: Visit) -> (r: (Visit, Option<TableInfo<A>>))
        requires
            self.sound(),
            self.is_visit(visit),
        ensures
            self.is_visit(r.0),
            match r.1 {
                Some(info) => self.is_met(visit, r.0, info),
                None => self.rest(visit) == self.rest(r.0) && self.rest(visit).is_empty(),
            },
        no_unwind
    {
        let geometry = A::geometry();
        let mut next = visit;
        if visit.level > geometry.levels {
            next.level = geometry.levels;
            proof {
                self.lemma_met_root(visit, next);
            }
            let info = TableInfo {
                level: next.level,
                addr: self.root.addr,
                start: VirtAddr::from_offset(0),
                size: geometry.limit_bytes(),
                used: None,
            };
            return (next, Some(info));
        }
        while next.va < geometry.limit_bytes()
            invariant
                self.sound(),
                geometry == A::geo(),
                geometry.wf(),
                self.is_visit(next),
                next.level <= A::geo().levels,
                self.rest(next) == self.rest(visit),
            decreases A::geo().limit() - next.va,
        {
            let ghost was = next;
            let entry = self.entry(&next);
            if let Entry::Table { table, used } = entry {
                let start = VirtAddr::from_offset(next.va);
                let info = Self::info(next.level - 1, table, start, used);
                if next.level > 2 {
                    next.level -= 1;
                    next.path[next.level as usize] = table;
                    proof {
                        self.lemma_into(was, next, table);
                    }
                } else {
                    next = self.past(next);
                }
                proof {
                    self.lemma_met(visit, was, next, info);
                }
                return (next, Some(info));
            }
            next = self.past(next);
            proof {
                self.lemma_rest_same(was, next);
            }
        }
        proof {
            self.lemma_rest_none(next);
        }
        (next, None)
    }

    /// The entry at which a visit is.
    #[inline]
    fn entry(&self, visit: &Visit) -> (r: Entry)
        requires
            self.sound(),
            self.is_on(visit.path@, visit.level as nat, visit.va as int, visit.va as int),
        ensures
            self.entry_at(visit.va as int, visit.level as nat).may_become(r),
            r is Table ==> visit.level > 1,
        no_unwind
    {
        let level = visit.level;
        let slot = Slot {
            level,
            table: visit.path[level as usize],
            index: A::geometry().index(visit.va, level),
        };
        self.read(Ghost(visit.va as int), slot).1
    }

    /// What is said of a table below the root.
    #[inline]
    fn info(level: u8, addr: PhysAddr, start: VirtAddr<A>, used: u16) -> (r: TableInfo<A>)
        requires
            1 <= level < A::geo().levels,
        ensures
            r.level == level && r.addr == addr && r.start == start,
            r.size == A::geo().cover(level as nat),
            r.used == if A::counts() {
                Some(used)
            } else {
                None
            },
        no_unwind
    {
        let geometry = A::geometry();
        proof {
            A::geo().lemma_span(level as nat);
        }
        let used = if A::counting() {
            Some(used)
        } else {
            None
        };
        TableInfo { level, addr, start, size: geometry.entry_span(level + 1), used }
    }

    /// Past the entry at which a visit is, which leads to no table that is left but one of level 1.
    #[inline]
    fn past(&self, visit: Visit) -> (r: Visit)
        requires
            self.sound(),
            self.is_on(visit.path@, visit.level as nat, visit.va as int, visit.va as int),
            self.entry_at(visit.va as int, visit.level as nat) is Table ==> visit.level == 2,
        ensures
            self.is_visit(r),
            r.level <= A::geo().levels,
            r.va > visit.va,
            self.is_past(visit, r),
        no_unwind
    {
        let geometry = A::geometry();
        let ghost x = visit.va as int;
        let mut next = visit;
        proof {
            self.lemma_past(visit);
        }
        next.va += geometry.entry_span(visit.level);
        while next.level < geometry.levels && geometry.index(next.va, next.level) == 0
            invariant
                geometry == A::geo(),
                geometry.wf(),
                x == visit.va,
                next.va == x + A::geo().span(visit.level as nat),
                next.path == visit.path,
                visit.level <= next.level,
                x < next.va,
                self.is_on(next.path@, next.level as nat, x, next.va as int),
            decreases geometry.levels - next.level,
        {
            proof {
                self.lemma_up(next, x);
            }
            next.level += 1;
        }
        proof {
            self.lemma_stay(next, x);
            self.lemma_passed(visit, next);
        }
        next
    }
}

} // verus!

impl<M: TableMemory, A: PagingMode, B: AccessBits> Iterator for Tables<'_, M, A, B> {
    type Item = TableInfo<A>;

    fn next(&mut self) -> Option<TableInfo<A>> {
        self.next_table()
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> core::iter::FusedIterator
    for Tables<'_, M, A, B>
{
}
