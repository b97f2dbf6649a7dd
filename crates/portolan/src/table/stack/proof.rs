//! Stacks are what they are said to be.

use super::Stack;
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::arch::entry::{EntryFormat, is_table_address};
use crate::arch::geometry::proof::lemma_page_multiple;
use crate::hw::memory::{TablePerm, zeros};
use crate::hw::mmu::settled;
use vstd::arithmetic::power2::{lemma2_to64, pow2};
use vstd::prelude::*;
use vstd::set_lib::{lemma_int_range, lemma_len_subset, set_int_range};

verus! {

/// There are no more different addresses than there are numbers of 56 bits.
proof fn lemma_few(order: Seq<PhysAddr>)
    requires
        order.no_duplicates(),
        forall|k: int| 0 <= k < order.len() ==> (#[trigger] order[k]).0 < 0x100_0000_0000_0000,
    ensures
        order.len() <= 0x100_0000_0000_0000,
{
    let numbers = order.map_values(|a: PhysAddr| a.0 as int);
    assert forall|i: int, j: int| 0 <= i < j < numbers.len() implies numbers[i] != numbers[j] by {
        assert(order[i] != order[j]);
    }
    numbers.unique_seq_to_set();
    lemma_int_range(0, 0x100_0000_0000_0000);
    assert forall|n: int| #[trigger] numbers.to_set().contains(n) implies set_int_range(
        0,
        0x100_0000_0000_0000,
    ).contains(n) by {
        let k = choose|k: int| 0 <= k < numbers.len() && numbers[k] == n;
        assert(numbers[k] == order[k].0);
    }
    lemma_len_subset(numbers.to_set(), set_int_range(0, 0x100_0000_0000_0000));
}

impl<A: PagingMode> Stack<A> {
    /// A table's address can be a link.
    proof fn lemma_link(phys_bits: u64, level: nat, table: PhysAddr)
        requires
            phys_bits <= A::frame_bits(),
            1 <= level < A::geo().levels,
            is_table_address::<A>(table, phys_bits),
        ensures
            settled::<A>(level, table.0),
            settled::<A>(level, 0),
            table.0 < 0x100_0000_0000_0000,
            2 <= A::geo().words() <= 8192,
    {
        A::lemma_geometry();
        A::geo().lemma_span(level);
        lemma_page_multiple(A::geo(), table.0 as int, phys_bits as nat);
        A::lemma_absent(phys_bits, level, table.0);
        A::lemma_absent(phys_bits, level, 0);
    }

    /// A table that is to be put on top can be written to, and there is room to count it.
    pub(super) proof fn lemma_push(self, phys_bits: u64, table: PhysAddr, perm: TablePerm)
        requires
            self.inv(phys_bits),
            self.may_push(phys_bits, table, perm),
        ensures
            perm.words().len() >= 2,
            settled::<A>(perm.level(), perm.words()[0]),
            self.len < u64::MAX,
    {
        Self::lemma_link(phys_bits, perm.level(), table);
        assert forall|k: int| 0 <= k < self.order@.len() implies (#[trigger] self.order@[k]).0
            < 0x100_0000_0000_0000 by {
            assert(self.is_linked(phys_bits, k));
            Self::lemma_link(phys_bits, self.perms@[self.order@[k]].level(), self.order@[k]);
        }
        lemma_few(self.order@);
    }

    /// The table is on top.
    pub(super) proof fn lemma_pushed(self, old: Self, phys_bits: u64, table: PhysAddr)
        requires
            old.inv(phys_bits),
            !old.tables().contains(table),
            self.order@ == old.order@.push(table),
            self.perms@ == old.perms@.insert(table, self.perms@[table]),
            self.len == old.len + 1,
            self.head == table,
            Self::is_table(phys_bits, table, self.perms@[table]),
            self.perms@[table].words() == zeros::<A>().update(
                0,
                if old.len == 0 {
                    0
                } else {
                    old.head.0
                },
            ),
        ensures
            self.inv(phys_bits),
            self.tables() == old.tables().insert(table),
    {
        assert forall|k: int| 0 <= k < self.len implies #[trigger] self.is_linked(phys_bits, k) by {
            if k < old.len {
                assert(old.is_linked(phys_bits, k));
            }
        }
        assert(!old.order@.contains(table)) by {
            if old.order@.contains(table) {
                let k = old.order@.index_of(table);
                assert(old.is_linked(phys_bits, k));
            }
        }
        assert forall|a: PhysAddr| #[trigger]
            self.perms@.contains_key(a) implies self.order@.contains(a) by {
            if a == table {
                assert(self.order@[old.len as int] == a);
            } else {
                assert(old.perms@.contains_key(a));
                let k = old.order@.index_of(a);
                assert(self.order@[k] == a);
            }
        }
        assert(self.tables() =~= old.tables().insert(table));
    }

    /// The uppermost table's word 0 is as it was written.
    pub(super) proof fn lemma_pop(self, phys_bits: u64)
        requires
            self.inv(phys_bits),
            self.len > 0,
        ensures
            self.perms@.dom().contains(self.head),
            self.perms@[self.head].addr() == self.head,
            self.perms@[self.head].words().len() >= 2,
            self.perms@[self.head].words()[0] == self.link(self.len - 1),
            settled::<A>(self.perms@[self.head].level(), self.link(self.len - 1)),
    {
        let k = self.len - 1;
        assert(self.is_linked(phys_bits, k));
        let level = self.perms@[self.head].level();
        Self::lemma_link(phys_bits, level, self.head);
        if k > 0 {
            assert(self.is_linked(phys_bits, k - 1));
            Self::lemma_link(phys_bits, level, self.order@[k - 1]);
        }
    }

    /// The uppermost table is taken.
    pub(super) proof fn lemma_popped(
        self,
        old: Self,
        phys_bits: u64,
        table: PhysAddr,
        perm: TablePerm,
    )
        requires
            old.inv(phys_bits),
            old.len > 0,
            table == old.head,
            self.order@ == old.order@.drop_last(),
            self.perms@ == old.perms@.remove(table),
            self.len == old.len - 1,
            self.head.0 == old.link(old.len - 1),
            perm.addr() == table,
            perm.level() == old.perms@[table].level(),
            perm.words() == old.perms@[table].words().update(0, 0),
        ensures
            self.inv(phys_bits),
            self.tables() == old.tables().remove(table),
            old.tables().contains(table),
            self.may_push(phys_bits, table, perm),
    {
        assert(old.is_linked(phys_bits, old.len - 1));
        let level = perm.level();
        Self::lemma_link(phys_bits, level, table);
        assert(zeros::<A>().update(0, old.link(old.len - 1)).update(0, 0) =~= zeros::<A>());
        assert forall|k: int| 0 <= k < self.len implies #[trigger] self.is_linked(phys_bits, k) by {
            assert(old.is_linked(phys_bits, k));
            assert(old.order@[k] != old.order@[old.len - 1]);
        }
        assert forall|a: PhysAddr| #[trigger]
            self.perms@.contains_key(a) implies self.order@.contains(a) by {
            assert(old.perms@.contains_key(a));
            let k = old.order@.index_of(a);
            assert(self.order@[k] == a);
        }
        assert(self.tables() =~= old.tables().remove(table));
    }
}

} // verus!
