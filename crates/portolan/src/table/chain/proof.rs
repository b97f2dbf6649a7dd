//! Chains are what they are said to be.

use super::super::model::{NodeId, blank, home};
use super::super::perms::{
    Perms, are_apart, lemma_tables, lemma_tables_empty, lemma_tables_insert, lemma_tables_remove,
    model, node, perm_ok, perms_ok, tables,
};
use super::Chain;
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::arch::entry::{Entry, EntryFormat, is_table_address};
use crate::hw::memory::{Frames, TableMemory, TablePerm, zeros};
use crate::hw::mmu::settled;
use vstd::prelude::*;

verus! {

/// A new table with one word written.
pub(crate) open spec fn is_new<A: PagingMode>(
    perm: TablePerm,
    level: nat,
    index: int,
    word: u64,
    phys_bits: u64,
) -> bool {
    &&& perm.level() == level
    &&& perm.words() == zeros::<A>().update(index, word)
    &&& is_table_address::<A>(perm.addr(), phys_bits)
}

/// A new table is in order, and empty but for one entry.
pub(crate) proof fn lemma_new<A: PagingMode>(
    perm: TablePerm,
    level: nat,
    index: int,
    word: u64,
    phys_bits: u64,
)
    requires
        A::geo().wf(),
        1 <= level <= A::geo().levels,
        is_new::<A>(perm, level, index, word, phys_bits),
        0 <= index < A::geo().entries(level),
        A::wf(phys_bits, level, word),
    ensures
        perm_ok::<A>(perm, level, phys_bits),
        node::<A>(perm).entries == blank(A::geo(), level).update(index, A::entry(level, word)),
        node::<A>(perm).entries[index] == A::entry(level, word),
{
    A::lemma_zero(phys_bits, level);
    A::geo().lemma_span(level);
    assert(node::<A>(perm).entries =~= blank(A::geo(), level).update(index, A::entry(level, word)));
}

impl<A: PagingMode> Chain<A> {
    pub(super) proof fn lemma_start(self, held: Set<PhysAddr>, phys_bits: u64, word: u64)
        requires
            A::geo().wf(),
            phys_bits <= A::frame_bits(),
            self.offset < A::geo().limit(),
            1 <= self.lo == self.hi < A::geo().levels,
            self.perms@ == Map::<NodeId, TablePerm>::empty().insert(
                self.at(self.lo as nat),
                self.perms@[self.at(self.lo as nat)],
            ),
            self.head == self.perms@[self.at(self.lo as nat)].addr(),
            is_new::<A>(
                self.perms@[self.at(self.lo as nat)],
                self.lo as nat,
                A::geo().index_of(self.offset as int, self.lo as nat),
                word,
                phys_bits,
            ),
            A::wf(phys_bits, self.lo as nat, word),
            !(A::entry(self.lo as nat, word) is Table),
            !held.contains(self.head),
        ensures
            self.inv(phys_bits),
            self.page() == A::entry(self.lo as nat, word),
            self.is_added(held, held.insert(self.head)),
    {
        reveal(are_apart);
        let lo = self.lo as nat;
        let n = self.at(lo);
        A::geo().lemma_bounds(self.offset as int, lo);
        lemma_new::<A>(
            self.perms@[n],
            lo,
            A::geo().index_of(self.offset as int, lo),
            word,
            phys_bits,
        );
        lemma_tables_insert(Map::empty(), n, self.perms@[n]);
        lemma_tables_empty();
        assert(held.insert(self.head) =~= held.union(self.tables()));
    }

    pub(super) proof fn lemma_grow(self, was: Self, phys_bits: u64, held: Set<PhysAddr>, word: u64)
        requires
            A::geo().wf(),
            was.inv(phys_bits),
            was.is_held(held),
            was.hi + 1 < A::geo().levels,
            self.offset == was.offset,
            self.lo == was.lo,
            self.hi == was.hi + 1,
            self.head == self.perms@[self.at(self.hi as nat)].addr(),
            self.perms@ == was.perms@.insert(
                self.at(self.hi as nat),
                self.perms@[self.at(self.hi as nat)],
            ),
            is_new::<A>(
                self.perms@[self.at(self.hi as nat)],
                self.hi as nat,
                A::geo().index_of(self.offset as int, self.hi as nat),
                word,
                phys_bits,
            ),
            A::wf(phys_bits, self.hi as nat, word),
            A::entry(self.hi as nat, word) == (Entry::Table { table: was.head, used: 1 }),
            !held.contains(self.head),
        ensures
            self.inv(phys_bits),
            self.page() == was.page(),
            forall|base: Set<PhysAddr>| #[trigger]
                was.is_added(base, held) ==> self.is_added(base, held.insert(self.head)),
            self.is_held(held.insert(self.head)),
    {
        reveal(are_apart);
        broadcast use lemma_tables;

        let hi = self.hi as nat;
        let n = self.at(hi);
        A::geo().lemma_bounds(self.offset as int, hi);
        lemma_new::<A>(
            self.perms@[n],
            hi,
            A::geo().index_of(self.offset as int, hi),
            word,
            phys_bits,
        );
        assert(!was.perms@.contains_key(n));
        lemma_tables_insert(was.perms@, n, self.perms@[n]);
        assert forall|m: NodeId| #![auto] was.perms@.contains_key(m) implies self.perms@[m]
            == was.perms@[m] && held.contains(was.perms@[m].addr()) by {
            assert(tables(was.perms@).contains(was.perms@[m].addr()));
        }
        assert(perms_ok::<A>(self.perms@, phys_bits));
        assert forall|l: nat| self.lo <= l < hi implies self.perms@[#[trigger] self.at(l)]
            == was.perms@[was.at(l)] by {
            assert(was.perms@.contains_key(was.at(l)));
        }
        assert forall|l: nat| self.lo <= l <= hi implies node::<A>(
            #[trigger] self.perms@[self.at(l)],
        ).entries == blank(A::geo(), l).update(
            A::geo().index_of(self.offset as int, l),
            self.entry(l),
        ) by {
            if l < hi {
                assert(was.perms@.contains_key(was.at(l)));
                assert(self.entry(l) == was.entry(l));
                let _ = node::<A>(was.perms@[was.at(l)]);
            }
        }
        assert forall|l: nat| self.lo < l <= hi implies #[trigger] self.entry(l) == (Entry::Table {
            table: self.perms@[self.at((l - 1) as nat)].addr(),
            used: 1,
        }) by {
            if l < hi {
                assert(self.entry(l) == was.entry(l));
            }
        }
        assert(self.page() == was.page());
        assert forall|base: Set<PhysAddr>| #[trigger]
            was.is_added(base, held) implies self.is_added(base, held.insert(self.head)) by {
            assert(held.insert(self.head) =~= base.union(self.tables()));
        }
    }

    /// One more table taken from a stack.
    pub(super) proof fn lemma_taken(
        self,
        was: Self,
        stack: Set<PhysAddr>,
        left: Set<PhysAddr>,
        all: Set<PhysAddr>,
        head: PhysAddr,
    )
        requires
            was.is_added(left, all),
            left.contains(head),
            stack == left.remove(head),
            forall|base: Set<PhysAddr>| #[trigger]
                was.is_added(base, was.tables()) ==> self.is_added(base, was.tables().insert(head)),
        ensures
            self.is_added(stack, all),
    {
        let none = Set::<PhysAddr>::empty();
        assert(was.tables() =~= none.union(was.tables()));
        assert(was.is_added(none, was.tables()));
        assert(self.is_added(none, was.tables().insert(head)));
        assert(self.tables() =~= was.tables().insert(head));
        assert(all =~= stack.union(self.tables()));
    }

    /// The lowest table is of a level that has pages, if it has one.
    pub(crate) proof fn lemma_page(self, phys_bits: u64)
        requires
            self.inv(phys_bits),
            A::geo().wf(),
        ensures
            self.page() is Page ==> A::page_size(self.lo as nat) is Some,
    {
        let n = self.at(self.lo as nat);
        let i = A::geo().index_of(self.offset as int, self.lo as nat);
        assert(self.perms@.contains_key(n));
        A::geo().lemma_bounds(self.offset as int, self.lo as nat);
        A::lemma_wf(phys_bits, self.lo as nat, self.perms@[n].words()[i]);
    }

    /// Where a new table can be linked to.
    pub(crate) proof fn lemma_head(self, phys_bits: u64)
        requires
            self.inv(phys_bits),
            A::geo().wf(),
        ensures
            is_table_address::<A>(self.head, phys_bits),
            1 <= A::geo().entries(self.hi as nat),
            phys_bits <= A::frame_bits(),
    {
        assert(self.perms@.contains_key(self.at(self.hi as nat)));
        A::geo().lemma_span(self.hi as nat);
    }

    /// Before the first table is given back, all are left.
    pub(super) proof fn lemma_unfreed(self, phys_bits: u64, held: Set<PhysAddr>)
        requires
            self.inv(phys_bits),
        ensures
            self.is_freed(self.hi as nat, self.head, self.perms@, held, held),
    {
        let all = self.perms@.dom().filter(|n: NodeId| n.level <= self.hi);
        assert(all =~= self.perms@.dom());
        assert(self.perms@.restrict(all) =~= self.perms@);
        assert(held.difference(tables(self.perms@).difference(tables(self.perms@))) =~= held);
    }

    /// The table that is next to be given back, and what is left after it.
    pub(super) proof fn lemma_free(
        self,
        phys_bits: u64,
        level: nat,
        table: PhysAddr,
        left: Perms,
        before: Set<PhysAddr>,
        held: Set<PhysAddr>,
    )
        requires
            A::geo().wf(),
            self.inv(phys_bits),
            self.is_held(before),
            self.is_freed(level, table, left, before, held),
        ensures
            left.dom().contains(self.at(level)),
            left[self.at(level)].addr() == table,
            left[self.at(level)] == self.perms@[self.at(level)],
            left[self.at(level)].words().len() >= A::geo().entries(level),
            0 <= A::geo().index_of(self.offset as int, level) < A::geo().entries(level),
            held.contains(table),
            level == self.lo ==> self.is_added(held.remove(table), before),
            level > self.lo ==> self.is_freed(
                (level - 1) as nat,
                self.perms@[self.at((level - 1) as nat)].addr(),
                left.remove(self.at(level)),
                before,
                held.remove(table),
            ),
    {
        reveal(are_apart);
        broadcast use lemma_tables;

        let n = self.at(level);
        assert(self.perms@.contains_key(n));
        assert(left.contains_key(n));
        A::geo().lemma_bounds(self.offset as int, level);
        let rest = left.remove(n);
        assert forall|m: NodeId| #![auto] left.contains_key(m) implies self.perms@.contains_key(m)
            && left[m] == self.perms@[m] by {}
        lemma_tables_remove(left, n);
        assert(tables(self.perms@).contains(table));
        assert(held.remove(table) =~= before.difference(
            tables(self.perms@).difference(tables(rest)),
        ));
        let fewer = self.perms@.restrict(
            self.perms@.dom().filter(|m: NodeId| m.level <= level - 1),
        );
        assert forall|m: NodeId| rest.contains_key(m) == fewer.contains_key(m) by {
            if self.perms@.contains_key(m) && m.level == level {
                assert(m == n);
            }
        }
        assert(rest =~= fewer);
        if level == self.lo {
            assert(tables(rest) =~= Set::<PhysAddr>::empty());
            assert(before =~= held.remove(table).union(self.tables()));
        } else {
            assert(self.perms@.contains_key(self.at((level - 1) as nat)));
        }
    }

    /// A table's word leads to the next lower table.
    pub(super) proof fn lemma_next(self, phys_bits: u64, level: nat, word: u64)
        requires
            A::geo().wf(),
            self.inv(phys_bits),
            self.lo <= level <= self.hi,
            A::may_become(
                level,
                self.perms@[self.at(level)].words()[A::geo().index_of(self.offset as int, level)],
                word,
            ),
        ensures
            level > self.lo ==> A::entry(level, word) is Table && A::entry(level, word)->table
                == self.perms@[self.at((level - 1) as nat)].addr(),
    {
        let n = self.at(level);
        assert(self.perms@.contains_key(n));
        A::geo().lemma_bounds(self.offset as int, level);
        let i = A::geo().index_of(self.offset as int, level);
        assert(perm_ok::<A>(self.perms@[n], level, phys_bits));
        let was = self.perms@[n].words()[i];
        A::lemma_step(phys_bits, level, was, word);
        assert(self.entry(level) == A::entry(level, was));
    }

    /// Without its entry, a table of a chain that maps nothing is empty; and the entry can be cleared.
    pub(super) proof fn lemma_emptied(self, phys_bits: u64, level: nat)
        requires
            A::geo().wf(),
            self.inv(phys_bits),
            self.page() is Empty,
            self.lo <= level <= self.hi,
        ensures
            ({
                let perm = self.perms@[self.at(level)];
                let i = A::geo().index_of(self.offset as int, level);
                &&& settled::<A>(level, perm.words()[i])
                &&& perm.words().update(i, 0) == zeros::<A>()
                &&& perm.level() == level
                &&& is_table_address::<A>(perm.addr(), phys_bits)
            }),
    {
        let perm = self.perms@[self.at(level)];
        let i = A::geo().index_of(self.offset as int, level);
        assert(self.perms@.contains_key(self.at(level)));
        A::geo().lemma_bounds(self.offset as int, level);
        A::geo().lemma_span(level);
        assert(perm_ok::<A>(perm, level, phys_bits));
        let entries = node::<A>(perm).entries;
        assert(entries == blank(A::geo(), level).update(i, self.entry(level)));
        assert(!(self.entry(level) is Page));
        A::lemma_settled(phys_bits, level, perm.words()[i]);
        assert forall|j: int|
            0 <= j < perm.words().len() && j != i implies #[trigger] perm.words()[j] == 0 by {
            assert(entries[j] is Empty);
            A::lemma_wf(phys_bits, level, perm.words()[j]);
        }
        assert(perm.words().update(i, 0) =~= zeros::<A>());
    }

    /// Taken and given back: nothing happened.
    pub(super) proof fn lemma_undone(
        self,
        before: Set<PhysAddr>,
        after: Set<PhysAddr>,
        with: Set<PhysAddr>,
    )
        requires
            self.is_added(before, with),
            self.is_added(after, with),
        ensures
            before == after,
    {
        assert forall|a: PhysAddr| before.contains(a) == after.contains(a) by {
            assert(with.contains(a) == (before.contains(a) || self.tables().contains(a)));
            assert(with.contains(a) == (after.contains(a) || self.tables().contains(a)));
        }
        assert(before =~= after);
    }
}

} // verus!
