//! A table of pages that hardware can't reach: not yet linked, or no longer.

#[cfg(verus_only)]
use super::model::split::parts;
#[cfg(verus_only)]
use super::perms::node;
use super::stack::Stack;
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::arch::entry::Entry;
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
#[cfg(verus_only)]
use crate::arch::entry::is_frame_address;
use crate::hw::memory::{Frames, TableMemory, TablePerm};
use crate::prop::PageProperty;
use core::marker::PhantomData;
use vstd::prelude::*;

#[cfg(verus_only)]
pub(crate) mod proof;
#[cfg(verus_only)]
pub(crate) mod spec;

verus! {

/// A table of `level`, on its own.
pub(crate) struct FullTable<A: PagingMode> {
    pub(crate) level: u8,
    pub(crate) table: PhysAddr,
    pub(crate) perm: Tracked<TablePerm>,
    pub(crate) mode: PhantomData<A>,
}

impl<A: PagingMode> FullTable<A> {
    /// A table of `level`, still empty; `None` if there is no frame for it.
    pub(super) fn new<M: TableMemory>(frames: &mut Frames<M>, level: u8) -> (r: Option<Self>)
        requires
            old(frames).phys_bits() <= A::frame_bits(),
            1 <= level < A::geo().levels,
        ensures
            final(frames).phys_bits() == old(frames).phys_bits(),
            match r {
                Some(full) => {
                    &&& full.inv(final(frames).phys_bits())
                    &&& full.level == level
                    &&& !old(frames).held().contains(full.table)
                    &&& final(frames).held() == old(frames).held().insert(full.table)
                },
                None => final(frames).held() == old(frames).held(),
            },
        no_unwind
    {
        let (table, perm) = frames.alloc::<A>(Ghost(level as nat))?;
        let full = FullTable { level, table, perm, mode: PhantomData };
        proof {
            full.lemma_new(frames.phys_bits());
        }
        Some(full)
    }

    /// As `new`, of a table from a stack that has one.
    pub(super) fn take<M: TableMemory>(
        stack: &mut Stack<A>,
        frames: &mut Frames<M>,
        level: u8,
    ) -> (r: Self)
        requires
            old(frames).phys_bits() <= A::frame_bits(),
            1 <= level < A::geo().levels,
            old(stack).inv(old(frames).phys_bits()),
            old(stack)@.len() > 0,
        ensures
            final(frames).phys_bits() == old(frames).phys_bits(),
            final(frames).held() == old(frames).held(),
            r.inv(final(frames).phys_bits()),
            r.level == level,
            old(stack).tables().contains(r.table),
            final(stack).inv(final(frames).phys_bits()),
            final(stack).tables() == old(stack).tables().remove(r.table),
            final(stack)@.len() == old(stack)@.len() - 1,
        no_unwind
    {
        let (table, perm) = stack.take(frames, Ghost(level as nat));
        let full = FullTable { level, table, perm, mode: PhantomData };
        proof {
            full.lemma_new(frames.phys_bits());
        }
        full
    }

    /// Fills the table with the pages that a page of the next higher level at `frame` is divided into.
    pub(super) fn fill<M: TableMemory>(
        &mut self,
        frames: &mut Frames<M>,
        frame: PhysAddr,
        prop: PageProperty,
    )
        requires
            old(self).inv(old(frames).phys_bits()),
            A::page_size(old(self).level as nat) is Some,
            A::supports(prop),
            is_frame_address(
                frame,
                old(frames).phys_bits(),
                A::geo().span(old(self).level as nat + 1),
            ),
        ensures
            final(self).inv(final(frames).phys_bits()),
            final(self).level == old(self).level,
            final(self).table == old(self).table,
            node::<A>(final(self).perm@).entries == parts(
                A::geo(),
                old(self).level as nat,
                frame,
                prop,
            ),
            final(frames).phys_bits() == old(frames).phys_bits(),
            final(frames).held() == old(frames).held(),
        no_unwind
    {
        let geometry = A::geometry();
        let (entries, span) = (geometry.table_entries(self.level), geometry.entry_span(self.level));
        let ghost phys_bits = frames.phys_bits();
        let ghost l = self.level as nat;
        let mut index = 0;
        let mut at = frame.0;
        while index < entries
            invariant
                self.inv(phys_bits),
                self.level == old(self).level == l,
                self.table == old(self).table,
                frames.phys_bits() == old(frames).phys_bits() == phys_bits,
                frames.held() == old(frames).held(),
                A::page_size(l) is Some,
                A::supports(prop),
                is_frame_address(frame, phys_bits, A::geo().span(l + 1)),
                entries == A::geo().entries(l),
                span == A::geo().span(l),
                index <= entries,
                at == frame.0 + index * span,
                self.is_filled(frame, prop, index as int),
            decreases entries - index,
        {
            proof {
                Self::lemma_part(frame, phys_bits, l, index as int);
            }
            let word = A::page(Ghost(phys_bits), self.level, PhysAddr(at), prop);
            let ghost before = *self;
            self.put(frames, index, word);
            proof {
                self.lemma_next(before, frame, prop, phys_bits, index as int, word);
            }
            index += 1;
            at += span;
        }
        proof {
            self.lemma_filled(frame, prop);
        }
    }

    /// Writes a word. Where there was one before, to the prover hardware may have set bits of it.
    #[inline(always)]
    fn put<M: TableMemory>(&mut self, frames: &mut Frames<M>, index: usize, word: u64)
        requires
            old(self).inv(old(frames).phys_bits()),
            index < A::geo().entries(old(self).level as nat),
            A::wf(old(frames).phys_bits(), old(self).level as nat, word),
        ensures
            final(self).inv(final(frames).phys_bits()),
            final(self).level == old(self).level,
            final(self).table == old(self).table,
            final(self).perm@.words() == old(self).perm@.words().update(index as int, word),
            final(frames).phys_bits() == old(frames).phys_bits(),
            final(frames).held() == old(frames).held(),
        no_unwind
    {
        let mut seen = frames.read::<A>(self.table, index, Tracked(self.perm.borrow()));
        proof {
            self.lemma_seen(frames.phys_bits(), index as int, seen);
        }
        if let Entry::Empty = A::decode(self.level, seen) {
            frames.write::<A>(self.table, index, word, Tracked(self.perm.borrow_mut()));
            return;
        }
        loop
            invariant
                self.inv(frames.phys_bits()),
                self.level == old(self).level,
                self.table == old(self).table,
                frames.phys_bits() == old(frames).phys_bits(),
                frames.held() == old(frames).held(),
                index < A::geo().entries(self.level as nat),
                A::wf(frames.phys_bits(), self.level as nat, word),
                self.perm@.words().update(index as int, word) == old(self).perm@.words().update(
                    index as int,
                    word,
                ),
                A::may_become(self.level as nat, self.perm@.words()[index as int], seen),
            decreases self.tries(index as int, seen),
        {
            let ghost before = *self;
            match frames.compare_exchange::<A>(
                self.table,
                index,
                seen,
                word,
                Tracked(self.perm.borrow_mut()),
            ) {
                Ok(_) => {
                    return;
                },
                Err(now) => {
                    proof {
                        self.lemma_put(before, frames.phys_bits(), index as int, seen, now);
                    }
                    seen = now;
                },
            }
        }
    }
}

} // verus!
