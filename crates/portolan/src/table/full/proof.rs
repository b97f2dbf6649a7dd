//! A table is filled with parts of a page.

use super::super::model::split::{part, parts};
use super::super::perms::node;
use super::FullTable;
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::arch::entry::{EntryFormat, is_frame_address, is_table_address};
use crate::arch::geometry::proof::lemma_shl;
use crate::hw::memory::zeros;
use crate::hw::mmu::settled;
use crate::prop::PageProperty;
use vstd::prelude::*;

verus! {

impl<A: PagingMode> FullTable<A> {
    /// A new table is in order.
    pub(super) proof fn lemma_new(self, phys_bits: u64)
        requires
            1 <= self.level < A::geo().levels,
            phys_bits <= A::frame_bits(),
            self.perm@.addr() == self.table,
            self.perm@.level() == self.level,
            self.perm@.words() == zeros::<A>(),
            is_table_address::<A>(self.table, phys_bits),
        ensures
            self.inv(phys_bits),
    {
        A::lemma_geometry();
        A::geo().lemma_span(self.level as nat);
        A::lemma_zero(phys_bits, self.level as nat);
    }

    /// One more part.
    pub(super) proof fn lemma_next(
        self,
        before: Self,
        frame: PhysAddr,
        prop: PageProperty,
        phys_bits: u64,
        k: int,
        word: u64,
    )
        requires
            before.inv(phys_bits),
            self.inv(phys_bits),
            self.level == before.level,
            before.is_filled(frame, prop, k),
            0 <= k < A::geo().entries(self.level as nat),
            self.perm@.words() == before.perm@.words().update(k, word),
            A::entry(self.level as nat, word) == part(A::geo(), self.level as nat, frame, prop, k),
        ensures
            self.is_filled(frame, prop, k + 1),
    {
        assert forall|j: int| 0 <= j < k + 1 implies (#[trigger] node::<A>(self.perm@).entries[j])
            == part(A::geo(), self.level as nat, frame, prop, j) by {
            if j < k {
                assert(node::<A>(self.perm@).entries[j] == node::<A>(before.perm@).entries[j]);
            }
        }
    }

    /// Each part is a page of its own, at a frame that exists; after it there is room for the address of the next.
    pub(crate) proof fn lemma_part(frame: PhysAddr, phys_bits: u64, l: nat, k: int)
        requires
            1 <= l < A::geo().levels,
            phys_bits <= A::frame_bits(),
            is_frame_address(frame, phys_bits, A::geo().span(l + 1)),
            0 <= k < A::geo().entries(l),
        ensures
            is_frame_address(
                PhysAddr((frame.0 + k * A::geo().span(l)) as u64),
                phys_bits,
                A::geo().span(l),
            ),
            PhysAddr((frame.0 + k * A::geo().span(l)) as u64).0 == frame.0 + k * A::geo().span(l),
            frame.0 + k * A::geo().span(l) + A::geo().span(l) < u64::MAX,
            frame.0 + (k + 1) * A::geo().span(l) == frame.0 + k * A::geo().span(l) + A::geo().span(
                l,
            ),
    {
        A::lemma_geometry();
        lemma_shl(phys_bits);
        A::geo().lemma_span(l);
        A::geo().lemma_part(l, frame.0 as int, k);
        let at = frame.0 + k * A::geo().span(l);
        assert(at + A::geo().span(l) <= vstd::arithmetic::power2::pow2(phys_bits as nat));
        assert(PhysAddr(at as u64).0 == at);
    }

    /// All entries are parts.
    pub(super) proof fn lemma_filled(self, frame: PhysAddr, prop: PageProperty)
        requires
            self.is_filled(frame, prop, A::geo().entries(self.level as nat)),
            self.perm@.level() == self.level,
            1 <= self.level < A::geo().levels,
        ensures
            node::<A>(self.perm@).entries == parts(A::geo(), self.level as nat, frame, prop),
    {
        A::lemma_geometry();
        A::geo().lemma_span(self.level as nat);
        assert(node::<A>(self.perm@).entries =~= parts(A::geo(), self.level as nat, frame, prop));
    }

    /// Hardware leaves alone what reads as empty.
    pub(super) proof fn lemma_seen(self, phys_bits: u64, index: int, seen: u64)
        requires
            self.inv(phys_bits),
            0 <= index < A::geo().entries(self.level as nat),
            A::may_become(self.level as nat, self.perm@.words()[index], seen),
        ensures
            A::entry(self.level as nat, seen) is Empty ==> settled::<A>(
                self.level as nat,
                self.perm@.words()[index],
            ),
    {
        let (l, word) = (self.level as nat, self.perm@.words()[index]);
        A::lemma_step(phys_bits, l, word, seen);
        if A::entry(l, word) is Empty {
            A::lemma_settled(phys_bits, l, word);
        }
    }

    /// Hardware was faster: now its bits are known, and there are fewer left.
    pub(super) proof fn lemma_put(
        self,
        before: Self,
        phys_bits: u64,
        index: int,
        seen: u64,
        now: u64,
    )
        requires
            before.inv(phys_bits),
            0 <= index < A::geo().entries(before.level as nat),
            now != seen,
            A::may_become(before.level as nat, before.perm@.words()[index], now),
            self.level == before.level,
            self.table == before.table,
            self.perm@.addr() == before.perm@.addr(),
            self.perm@.level() == before.perm@.level(),
            self.perm@.words() == before.perm@.words().update(index, now),
        ensures
            self.inv(phys_bits),
            A::may_become(self.level as nat, self.perm@.words()[index], now),
            0 <= self.tries(index, now) < before.tries(index, seen),
            forall|word: u64| #[trigger]
                self.perm@.words().update(index, word) == before.perm@.words().update(index, word),
    {
        let (l, was) = (self.level as nat, before.perm@.words()[index]);
        A::lemma_step(phys_bits, l, was, now);
        A::lemma_reflexive(l, now);
        if now != was {
            A::lemma_progress(l, was, now);
        }
        assert forall|word: u64| #[trigger]
            self.perm@.words().update(index, word) == before.perm@.words().update(index, word) by {
            assert(self.perm@.words().update(index, word) =~= before.perm@.words().update(
                index,
                word,
            ));
        }
    }
}

} // verus!
