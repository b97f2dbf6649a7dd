//! A descent ends where it should.

use super::super::model::counting::{lemma_used_at_most, lemma_used_none, lemma_used_update};
use super::super::model::{Model, home, used};
use super::super::perms::tables;
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
    pub(crate) proof fn lemma_descent_root(self, va: int, stop: Stop)
        requires
            self.sound(),
            0 <= va < A::geo().limit(),
            stop == (Stop {
                level: A::geo().levels,
                table: self.root.addr,
                above: self.root.addr,
                used: 1,
            }),
        ensures
            self.is_way(va, stop, stop, self.root.addr),
    {
        self.model().lemma_home_root(va);
        assert(self.model().nodes.contains_key(self.model().root()));
    }

    /// The table one level down.
    pub(crate) proof fn lemma_descent_stop(self, va: int, stop: Stop, next: Stop)
        requires
            self.sound(),
            self.is_stop(va, stop),
            stop.level > 1,
            self.entry_at(va, stop.level as nat) == (Entry::Table {
                table: next.table,
                used: next.used,
            }),
            next.level == stop.level - 1,
            next.above == stop.table,
        ensures
            self.is_stop(va, next),
            A::counts() && next.used == 1 ==> self.is_lone(va, next.level as nat),
            !A::counts() ==> next.used == 1,
    {
        let l = next.level as nat;
        let m = self.model();
        let up = home(A::geo(), va, l + 1);
        A::geo().lemma_bounds(va, l + 1);
        assert(m.nodes.contains_key(up));
        A::lemma_wf(self.phys_bits(), l + 1, self.perms@[up].words()[A::geo().index_of(va, l + 1)]);
        assert(m.nodes.contains_key(home(A::geo(), va, l + 1)));
        m.lemma_down(va, l + 1);
        m.lemma_noted(va, l);
        assert(m.nodes.contains_key(home(A::geo(), va, l)));
        assert(m.count_ok(home(A::geo(), va, l)));
    }

    /// One level down.
    pub(super) proof fn lemma_descent_step(
        self,
        va: int,
        stop: Stop,
        cut: Stop,
        head: PhysAddr,
        lone: bool,
        next: (Stop, Stop, PhysAddr),
    )
        requires
            self.sound(),
            self.is_way(va, stop, cut, head),
            stop.level > 1,
            self.is_stop(va, next.0),
            next.0.level == stop.level - 1,
            next.0.above == stop.table,
            self.entry_at(va, stop.level as nat) == (Entry::Table {
                table: next.0.table,
                used: next.0.used,
            }),
            lone ==> self.is_lone(va, next.0.level as nat) && next.0.used == 1,
            Self::stays(next.0.level as nat) ==> !lone,
            next.1 == if lone {
                cut
            } else {
                next.0
            },
            next.2 == if lone && cut.level == stop.level {
                next.0.table
            } else {
                head
            },
        ensures
            self.is_way(va, next.0, next.1, next.2),
    {
        let l = next.0.level as nat;
        if lone {
            assert forall|k: nat| l <= k < cut.level implies #[trigger] self.is_lone(va, k) by {
                assert(k == l || k >= stop.level);
            }
        }
    }

    /// A table in which nothing else was found.
    pub(super) proof fn lemma_alone(self, va: int, l: nat)
        requires
            self.sound(),
            self.model().in_range(va),
            1 <= l < A::geo().levels,
            !Self::stays(l),
            self.perms@.contains_key(home(A::geo(), va, l)),
            self.is_searched(va, l, 0, A::geo().entries(l)),
        ensures
            self.is_lone(va, l),
    {
        let m = self.model();
        let n = home(A::geo(), va, l);
        assert(m.nodes.contains_key(n));
        assert(m.count_ok(n));
        let s = m.nodes[n].entries;
        let i = A::geo().index_of(va, l);
        A::geo().lemma_bounds(va, l);
        let t = s.update(i, Entry::Empty);
        lemma_used_update(s, i, Entry::Empty);
        assert forall|k: int| 0 <= k < t.len() implies (#[trigger] t[k]) is Empty by {
            if k != i {
                assert(!self.is_used_at(va, l, k));
            }
        }
        lemma_used_none(t);
    }

    /// Where something else was found, it stays when the way is cleared.
    pub(crate) proof fn lemma_shared(self, old: Self, va: int, l: nat, e: Entry)
        requires
            old.sound(),
            old.is_shared(va, l),
            old.model().in_range(va),
            1 <= l <= A::geo().levels,
            old.perms@.contains_key(home(A::geo(), va, l)),
            self.model().nodes[home(A::geo(), va, l)].entries == old.model().nodes[home(
                A::geo(),
                va,
                l,
            )].entries.update(A::geo().index_of(va, l), e),
        ensures
            self.noted(va, l) >= 1,
    {
        let n = home(A::geo(), va, l);
        assert(old.model().nodes.contains_key(n));
        let s = self.model().nodes[n].entries;
        A::geo().lemma_bounds(va, l);
        assert(s.len() == A::geo().entries(l));
        let i = choose|i: int|
            0 <= i < A::geo().entries(l) && i != A::geo().index_of(va, l)
                && #[trigger] old.is_used_at(va, l, i);
        lemma_used_update(s, i, Entry::Empty);
    }

    /// An entry of the table at a stop.
    pub(super) proof fn lemma_table_entry(self, va: int, stop: Stop, index: usize)
        requires
            self.sound(),
            self.is_stop(va, stop),
            index < A::geo().entries(stop.level as nat),
        ensures
            ({
                let n = home(A::geo(), va, stop.level as nat);
                &&& self.perms@[n].level() == stop.level
                &&& index < self.perms@[n].words().len()
                &&& A::wf(self.phys_bits(), stop.level as nat, self.perms@[n].words()[index as int])
                &&& self.phys_bits() <= A::frame_bits()
                &&& self.model().nodes[n].entries[index as int] == A::entry(
                    stop.level as nat,
                    self.perms@[n].words()[index as int],
                )
            }),
    {
        let n = home(A::geo(), va, stop.level as nat);
        assert(self.model().nodes.contains_key(n));
    }

    /// A second look at a page finds it again.
    pub(super) proof fn lemma_survey(self, va: int, d: Descent, r: Descent)
        requires
            self.sound(),
            self.is_descent(va, d.stop.level as nat, d),
            self.is_descent(va, d.stop.level as nat, r),
            d.entry is Page,
        ensures
            r.stop.level == d.stop.level,
            r.entry is Page,
    {
        let l = d.stop.level as nat;
        let m = self.model();
        assert(m.nodes.contains_key(home(A::geo(), va, l)));
        if r.stop.level > l {
            m.lemma_chain(va, l, r.stop.level as nat);
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
            self.phys_bits() <= A::frame_bits(),
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
            old.sound(),
            old.is_stop(va, stop),
            self.replaced_from(old, va, stop.level as nat, e),
            !(e is Table),
            !(old.entry_at(va, stop.level as nat) is Table),
        ensures
            self.is_stop(va, stop),
            self.model().counted_but(home(A::geo(), va, stop.level as nat)),
            old.accounted() ==> self.accounted(),
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
            stop.level < A::geo().levels && A::counts() ==> stop.used == used(
                old.model().nodes[home(A::geo(), va, stop.level as nat)].entries,
            ),
            self.entry_at(va, stop.level as nat) == e,
            stop.used <= 8192,
            !(old.entry_at(va, stop.level as nat) is Empty) ==> stop.used >= 1,
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
            old.lemma_bounded(va, stop);
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

    /// What is noted of a table is no more than its entries.
    pub(crate) proof fn lemma_bounded(self, va: int, stop: Stop)
        requires
            self.sound(),
            self.is_stop(va, stop),
            stop.level < A::geo().levels,
        ensures
            stop.used <= A::geo().entries(stop.level as nat) <= 8192,
            stop.used >= 1 || Self::stays(stop.level as nat) && self.entry_at(
                va,
                stop.level as nat,
            ) is Empty,
            A::counts() ==> stop.used == self.noted(va, stop.level as nat),
            !A::counts() ==> stop.used == 1,
    {
        let l = stop.level as nat;
        let n = home(A::geo(), va, l);
        let m = self.model();
        assert(m.nodes.contains_key(n));
        m.lemma_noted(va, l);
        assert(m.count_ok(n));
        A::geo().lemma_span(l);
        A::geo().lemma_bounds(va, l);
        lemma_used_update(m.nodes[n].entries, A::geo().index_of(va, l), Entry::Empty);
        let up = home(A::geo(), va, l + 1);
        let i = A::geo().index_of(va, l + 1);
        A::geo().lemma_bounds(va, l + 1);
        assert(m.nodes.contains_key(up));
        A::lemma_wf(self.phys_bits(), l + 1, self.perms@[up].words()[i]);
    }

    /// Once the count is noted, the tree is in order again.
    pub(crate) proof fn lemma_after_note(self, mid: Self, va: int, stop: Stop, n: u16)
        requires
            mid.linked(),
            mid.is_stop(va, stop),
            mid.model().counted_but(home(A::geo(), va, stop.level as nat)),
            stop.level < A::geo().levels ==> mid.noted(va, stop.level as nat) >= 1 || Self::stays(
                stop.level as nat,
            ),
            A::counts() && stop.level < A::geo().levels ==> n == mid.noted(va, stop.level as nat),
            self.noted_from(mid, va, stop.level as nat, n),
        ensures
            self.sound(),
            mid.accounted() ==> self.inv(),
            self.frames.held() == mid.frames.held(),
            tables(self.perms@) == tables(mid.perms@),
            self.perms@.dom() == mid.perms@.dom(),
            self.space() == mid.space(),
            self.phys_bits() == mid.phys_bits(),
            self.root == mid.root,
            self.trace@ == mid.trace@ || self.trace@ == mid.trace@.push(self.perms@),
    {
        let l = stop.level as nat;
        if l < A::geo().levels {
            assert(mid.model().nodes.contains_key(home(A::geo(), va, l)));
            if A::counts() {
                mid.model().lemma_note_counted(va, l, n as int);
            }
        } else {
            mid.model().lemma_home_root(va);
            mid.model().lemma_root_counted();
        }
    }
}

} // verus!
