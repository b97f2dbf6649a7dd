//! A descent ends where it should.

use super::super::model::counting::lemma_used_update;
use super::super::model::{Model, home, used};
use super::super::tree::{Slot, Tree};
use super::{Descent, Stop};
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, Entry, EntryFormat, is_table_address};
use crate::hw::memory::TableMemory;
use vstd::prelude::*;

verus! {

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// Where a descent starts.
    pub(super) proof fn lemma_descent_root(self, va: int, stop: Stop)
        requires
            self.inv(),
            0 <= va < A::geo().limit(),
            stop == (Stop { level: A::geo().levels, table: self.root, above: self.root, used: 1 }),
        ensures
            self.is_way(va, stop, stop, self.root),
    {
        self.model().lemma_home_root(va);
        assert(self.model().nodes.contains_key(self.model().root()));
    }

    /// The entry at a stop.
    pub(super) proof fn lemma_stop_slot(self, va: int, stop: Stop, index: usize)
        requires
            self.inv(),
            self.is_stop(va, stop),
            index == A::geo().index_of(va, stop.level as nat),
        ensures
            self.is_slot(va, Slot { level: stop.level, table: stop.table, index }),
    {
    }

    /// One level down.
    pub(super) proof fn lemma_descent_step(
        self,
        va: int,
        stop: Stop,
        cut: Stop,
        head: PhysAddr,
        table: PhysAddr,
        n: u16,
        next: (Stop, Stop, PhysAddr),
    )
        requires
            self.inv(),
            self.is_way(va, stop, cut, head),
            stop.level > 1,
            self.entry_at(va, stop.level as nat) == (Entry::Table { table, used: n }),
            next.0 == (Stop { level: (stop.level - 1) as u8, table, above: stop.table, used: n }),
            next.1 == if n != 1 {
                next.0
            } else {
                cut
            },
            next.2 == if n == 1 && cut.level == stop.level {
                table
            } else {
                head
            },
        ensures
            self.is_way(va, next.0, next.1, next.2),
    {
        let l = (stop.level - 1) as nat;
        let m = self.model();
        assert(m.nodes.contains_key(home(A::geo(), va, l + 1)));
        m.lemma_down(va, l + 1);
        m.lemma_noted(va, l);
        assert(m.nodes.contains_key(home(A::geo(), va, l)));
        assert(m.count_ok(home(A::geo(), va, l)));
        assert(self.is_stop(va, next.0));
        if n == 1 {
            assert(self.is_lone(va, l));
            assert forall|k: nat| l <= k < cut.level implies #[trigger] self.is_lone(va, k) by {
                assert(k == l || k >= stop.level);
            }
        }
    }

    /// What a note needs.
    pub(super) proof fn lemma_note(self, va: int, stop: Stop, n: u16)
        requires
            self.linked(),
            self.is_stop(va, stop),
            stop.level < A::geo().levels,
        ensures
            is_table_address::<A>(stop.table, self.phys_bits()),
            self.phys_bits() <= 52,
            self.is_settled(va, stop.level as nat + 1),
            self.entry_at(va, stop.level as nat + 1)->table == stop.table,
            forall|slot: Slot|
                slot.level == stop.level + 1 && slot.table == stop.above && slot.index
                    == A::geo().index_of(va, slot.level as nat) ==> #[trigger] self.is_slot(
                    va,
                    slot,
                ),
    {
        let l = stop.level as nat;
        let m = self.model();
        assert(m.nodes.contains_key(home(A::geo(), va, l + 1)));
        m.lemma_down(va, l + 1);
        A::geo().lemma_bounds(va, l + 1);
        let slot = Slot {
            level: (l + 1) as u8,
            table: stop.above,
            index: A::geo().index_of(va, l + 1) as usize,
        };
        A::geo().lemma_span(l + 1);
        self.lemma_slot(va, slot);
    }

    /// What a note is to be, after the entry for `va` at the stop's level was set.
    pub(crate) proof fn lemma_after_set(self, old: Self, va: int, stop: Stop, e: Entry)
        requires
            old.inv(),
            old.is_stop(va, stop),
            self.replaced_from(old, va, stop.level as nat, e),
            !(e is Table),
            !(old.entry_at(va, stop.level as nat) is Table),
        ensures
            self.is_stop(va, stop),
            self.model().counted_but(home(A::geo(), va, stop.level as nat)),
            self.accounted(),
            self.noted(va, stop.level as nat) == used(
                old.model().nodes[home(A::geo(), va, stop.level as nat)].entries,
            ) - (if old.entry_at(va, stop.level as nat) is Empty {
                0int
            } else {
                1
            }) + (if e is Empty {
                0int
            } else {
                1
            }),
            self.noted(va, stop.level as nat) <= A::geo().entries(stop.level as nat),
            stop.level < A::geo().levels ==> stop.used == used(
                old.model().nodes[home(A::geo(), va, stop.level as nat)].entries,
            ),
            self.entry_at(va, stop.level as nat) == e,
            1 <= stop.used <= 8192,
            e is Page && old.entry_at(va, stop.level as nat) is Empty ==> stop.used + 1
                <= A::geo().entries(stop.level as nat),
    {
        A::geo().lemma_span(stop.level as nat);
        let l = stop.level as nat;
        let n = home(A::geo(), va, l);
        let i = A::geo().index_of(va, l);
        let was = old.model();
        A::geo().lemma_bounds(va, l);
        assert(was.nodes.contains_key(n));
        was.lemma_put_counted(n, i, e);
        lemma_used_update(was.nodes[n].entries, i, e);
        lemma_used_update(self.model().nodes[n].entries, i, e);
        if l < A::geo().levels {
            was.lemma_noted(va, l);
            assert(was.count_ok(n));
            let up = home(A::geo(), va, l + 1);
            assert(self.perms@.dom().contains(up) && self.perms@.dom().contains(n));
            assert(self.model().nodes[up] == was.nodes[up]);
            assert(self.model().nodes[up].table == old.perms@[up].addr());
        }
        assert(self.perms@.dom().contains(n));
        assert(self.model().nodes[n].table == was.nodes[n].table);
    }

    /// How many entries of the table of level `l` for `va` are in use.
    pub(crate) open spec fn noted(self, va: int, l: nat) -> int {
        used(self.model().nodes[home(A::geo(), va, l)].entries) as int
    }

    /// Once the count is noted, the tree is in order again.
    pub(crate) proof fn lemma_after_note(self, mid: Self, va: int, stop: Stop, n: u16)
        requires
            mid.linked(),
            mid.is_stop(va, stop),
            mid.model().counted_but(home(A::geo(), va, stop.level as nat)),
            stop.level < A::geo().levels ==> n == mid.noted(va, stop.level as nat) && n >= 1,
            self.noted_from(mid, va, stop.level as nat, n),
            mid.accounted(),
        ensures
            self.inv(),
            self.space() == mid.space(),
            self.phys_bits() == mid.phys_bits(),
            self.root == mid.root,
            self.trace@ == mid.trace@ || self.trace@ == mid.trace@.push(self.perms@),
    {
        let l = stop.level as nat;
        if l < A::geo().levels {
            assert(mid.model().nodes.contains_key(home(A::geo(), va, l)));
            mid.model().lemma_note_counted(va, l, n as int);
        } else {
            mid.model().lemma_home_root(va);
            mid.model().lemma_root_counted();
        }
    }
}

} // verus!
