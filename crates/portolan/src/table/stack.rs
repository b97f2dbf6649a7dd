//! A stack of tables that hardware can't reach: no longer linked, or not yet.

#[cfg(verus_only)]
use super::chain::spec::is_blank;
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::hw::memory::{Frames, TableMemory, TablePerm};
use core::marker::PhantomData;
use vstd::prelude::*;

#[cfg(verus_only)]
pub(crate) mod proof;
#[cfg(verus_only)]
pub(crate) mod spec;

verus! {

/// Tables of any level below the root, held together by themselves: word 0 of each is the address of the one below it, and
/// 0 in the lowest; all other words are 0.
///
/// To a processor such a table is empty: a page-aligned address has bits 11:0 clear, which is not present in any mode. One
/// that comes here by an upper entry that it has cached finds nothing.
pub(crate) struct Stack<A: PagingMode> {
    pub(crate) head: PhysAddr,
    pub(crate) len: u64,
    /// The tables, from the lowest up.
    pub(crate) order: Ghost<Seq<PhysAddr>>,
    pub(crate) perms: Tracked<Map<PhysAddr, TablePerm>>,
    pub(crate) mode: PhantomData<A>,
}

impl<A: PagingMode> Stack<A> {
    /// No tables.
    pub(crate) fn new(Ghost(phys_bits): Ghost<u64>) -> (r: Self)
        requires
            phys_bits <= A::frame_bits(),
        ensures
            r.inv(phys_bits),
            r.tables() == Set::<PhysAddr>::empty(),
            r@ == Seq::<PhysAddr>::empty(),
        no_unwind
    {
        let r = Stack {
            head: PhysAddr(0),
            len: 0,
            order: Ghost(Seq::empty()),
            perms: Tracked(Map::tracked_empty()),
            mode: PhantomData,
        };
        assert(r.tables() =~= Set::empty());
        r
    }

    /// How many tables there are.
    #[inline]
    pub(crate) fn len(&self) -> (r: u64)
        requires
            exists|phys_bits: u64| self.inv(phys_bits),
        ensures
            r == self@.len(),
        no_unwind
    {
        self.len
    }

    /// Puts a table on top.
    pub(crate) fn push<M: TableMemory>(
        &mut self,
        frames: &mut Frames<M>,
        table: PhysAddr,
        Tracked(perm): Tracked<TablePerm>,
    )
        requires
            old(self).inv(old(frames).phys_bits()),
            old(self).may_push(old(frames).phys_bits(), table, perm),
        ensures
            final(self).inv(final(frames).phys_bits()),
            final(self)@ == old(self)@.push(table),
            final(self).tables() == old(self).tables().insert(table),
            final(frames).phys_bits() == old(frames).phys_bits(),
            final(frames).held() == old(frames).held(),
        no_unwind
    {
        let below = if self.len == 0 {
            0
        } else {
            self.head.0
        };
        let tracked mut perm = perm;
        proof {
            self.lemma_push(frames.phys_bits(), table, perm);
        }
        frames.write::<A>(table, 0, below, Tracked(&mut perm));
        self.head = table;
        self.len += 1;
        proof {
            self.order@ = self.order@.push(table);
            self.perms.borrow_mut().tracked_insert(table, perm);
            self.lemma_pushed(*old(self), frames.phys_bits(), table);
        }
    }

    /// Takes the uppermost table, with all words zero.
    pub(crate) fn pop<M: TableMemory>(&mut self, frames: &mut Frames<M>) -> (r: Option<
        (PhysAddr, Tracked<TablePerm>),
    >)
        requires
            old(self).inv(old(frames).phys_bits()),
        ensures
            final(self).inv(final(frames).phys_bits()),
            final(frames).phys_bits() == old(frames).phys_bits(),
            final(frames).held() == old(frames).held(),
            match r {
                Some((table, perm)) => {
                    &&& old(self)@.len() > 0
                    &&& table == old(self)@.last()
                    &&& final(self)@ == old(self)@.drop_last()
                    &&& old(self).tables().contains(table)
                    &&& final(self).tables() == old(self).tables().remove(table)
                    &&& final(self).may_push(final(frames).phys_bits(), table, perm@)
                },
                None => old(self)@.len() == 0 && *final(self) == *old(self),
            },
        no_unwind
    {
        if self.len == 0 {
            return None;
        }
        let table = self.head;
        proof {
            self.lemma_pop(frames.phys_bits());
        }
        let tracked mut perm = self.perms.borrow_mut().tracked_remove(table);
        let below = frames.read::<A>(table, 0, Tracked(&perm));
        frames.write::<A>(table, 0, 0, Tracked(&mut perm));
        self.head = PhysAddr(below);
        self.len -= 1;
        proof {
            self.order@ = self.order@.drop_last();
            self.lemma_popped(*old(self), frames.phys_bits(), table, perm);
        }
        Some((table, Tracked(perm)))
    }

    /// Takes the uppermost table, for use at `level`. There is one.
    #[cfg_attr(not(verus_only), expect(unused_variables, reason = "`perm` is the prover's"))]
    pub(crate) fn take<M: TableMemory>(
        &mut self,
        frames: &mut Frames<M>,
        Ghost(level): Ghost<nat>,
    ) -> (r: (PhysAddr, Tracked<TablePerm>))
        requires
            old(self).inv(old(frames).phys_bits()),
            old(self)@.len() > 0,
            1 <= level < A::geo().levels,
        ensures
            final(self).inv(final(frames).phys_bits()),
            final(self)@.len() == old(self)@.len() - 1,
            final(frames).phys_bits() == old(frames).phys_bits(),
            final(frames).held() == old(frames).held(),
            old(self).tables().contains(r.0),
            final(self).tables() == old(self).tables().remove(r.0),
            is_blank::<A>(r.1@, r.0, level, final(frames).phys_bits()),
        no_unwind
    {
        match self.pop(frames) {
            Some((table, perm)) => {
                let tracked perm = perm.get();
                let tracked perm = perm.relevel::<A>(level);
                (table, Tracked(perm))
            },
            None => (PhysAddr(0), Tracked(vstd::pervasive::proof_from_false())),
        }
    }

    /// Gives all tables back.
    pub(crate) fn free_all<M: TableMemory>(self, frames: &mut Frames<M>)
        requires
            self.inv(old(frames).phys_bits()),
            self.tables().subset_of(old(frames).held()),
        ensures
            final(frames).phys_bits() == old(frames).phys_bits(),
            final(frames).held() == old(frames).held().difference(self.tables()),
        no_unwind
    {
        let mut left = self;
        assert(frames.held() =~= frames.held().difference(self.tables().difference(left.tables())));
        while let Some((table, perm)) = left.pop(frames)
            invariant
                left.inv(frames.phys_bits()),
                left.tables().subset_of(frames.held()),
                frames.phys_bits() == old(frames).phys_bits(),
                frames.held() == old(frames).held().difference(
                    self.tables().difference(left.tables()),
                ),
                left.tables().subset_of(self.tables()),
            ensures
                left.tables() == Set::<PhysAddr>::empty(),
                frames.phys_bits() == old(frames).phys_bits(),
                frames.held() == old(frames).held().difference(
                    self.tables().difference(left.tables()),
                ),
            decreases left@.len(),
        {
            frames.free::<A>(table, perm);
            assert(frames.held() =~= old(frames).held().difference(
                self.tables().difference(left.tables()),
            ));
        }
        assert(frames.held() =~= old(frames).held().difference(self.tables()));
    }
}

} // verus!
