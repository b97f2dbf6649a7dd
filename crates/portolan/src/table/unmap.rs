//! Unmapping one page.

use super::chain::Chain;
use super::change::Change;
use super::descend::Descent;
use super::full::FullTable;
use super::stack::Stack;
use super::tree::{Slot, Tree};
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::arch::entry::AccessBits;
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
use crate::hw::memory::{Frames, TableMemory};
use crate::prop::PageProperty;
use vstd::prelude::*;

#[cfg(verus_only)]
pub(crate) mod proof;
#[cfg(verus_only)]
pub(crate) mod spec;

verus! {

/// Tables that are no longer reachable.
pub(crate) enum Loose<A: PagingMode> {
    /// Those that became empty with one page.
    Chain(Chain<A>),
    /// Those that became empty with a range.
    Stack(Stack<A>),
    /// The one whose pages were joined.
    Full(FullTable<A>),
}

/// Tables that are no longer reachable, with the account of their frames.
#[verifier::reject_recursive_types(M)]
pub(crate) struct Owed<M: TableMemory, A: PagingMode> {
    pub(crate) frames: Frames<M>,
    pub(crate) tables: Loose<A>,
}

impl<M: TableMemory, A: PagingMode> Owed<M, A> {
    /// Gives the tables back; nothing is left on the account.
    pub(crate) fn free(self) -> (r: Frames<M>)
        requires
            self.inv(),
        ensures
            r.held() == Set::<PhysAddr>::empty(),
    {
        let mut frames = self.frames;
        match self.tables {
            Loose::Chain(chain) => chain.free(&mut frames),
            Loose::Stack(stack) => stack.free_all(&mut frames),
            Loose::Full(full) => frames.free::<A>(full.table, full.perm),
        }
        assert(frames.held() =~= Set::empty());
        frames
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// Unmaps the page that `d` found, and takes tables that become empty out of the tree by one store.
    #[inline]
    pub(super) fn unmap(&mut self, va: u64, d: Descent) -> (r: (
        PhysAddr,
        PageProperty,
        Option<Owed<M, A>>,
    ))
        requires
            old(self).inv(),
            old(self).is_descent(va as int, d.stop.level as nat, d),
            d.entry is Page,
        ensures
            final(self).inv(),
            final(self).is_unmapped_from(*old(self), va as int, d.stop.level as nat, r),
        no_unwind
    {
        let (frame, prop, chain) = self.take(va, d);
        let ghost taken = *self;
        let owed = match chain {
            None => None,
            Some(chain) => {
                let frames = self.frames.detach(Ghost(chain.tables()));
                proof {
                    self.lemma_detached(*old(self), taken, chain);
                }
                Some(Owed { frames, tables: Loose::Chain(chain) })
            },
        };
        (frame, prop, owed)
    }

    /// Clears the page that `d` found; tables that become empty are a chain of their own. Their frames stay in the tree's
    /// account.
    #[inline(always)]
    pub(super) fn take(&mut self, va: u64, d: Descent) -> (r: (
        PhysAddr,
        PageProperty,
        Option<Chain<A>>,
    ))
        requires
            old(self).sound(),
            old(self).is_descent(va as int, d.stop.level as nat, d),
            d.entry is Page,
        ensures
            final(self).sound(),
            final(self).is_taken_from(*old(self), va as int, d.stop.level as nat, r),
        no_unwind
    {
        let d = self.survey(va, d);
        let (frame, prop) = self.replace(Ghost(va as int), d.slot(), d.word, Change::Clear);
        let ghost cleared = *self;
        proof {
            self.lemma_cleared(*old(self), va as int, d);
        }
        if d.cut.level > d.stop.level {
            let chain = self.cut_off(Ghost(*old(self)), va, d);
            return (frame, prop, Some(chain));
        }
        proof {
            self.lemma_keep(*old(self), va as int, d);
        }
        self.note(va, d.cut, d.cut.used - 1);
        proof {
            self.lemma_after_note(cleared, va as int, d.cut, (d.cut.used - 1) as u16);
            self.lemma_unmapped(*old(self), cleared, cleared);
        }
        (frame, prop, None)
    }

    /// Takes the tables that are empty without the page that was cleared out of the tree.
    fn cut_off(&mut self, Ghost(mapped): Ghost<Self>, va: u64, d: Descent) -> (r: Chain<A>)
        requires
            old(self).is_cleared(mapped, va as int, d),
            d.cut.level > d.stop.level,
        ensures
            final(self).sound(),
            final(self).space() == old(self).space(),
            final(self).steps_from(mapped),
            final(self).frames.held() == mapped.frames.held(),
            final(self).is_rest(mapped, Some(r)),
        no_unwind
    {
        let ghost cleared = *self;
        proof {
            self.lemma_cut(mapped, va as int, d);
        }
        let slot = Slot {
            level: d.cut.level,
            table: d.cut.table,
            index: A::geometry().index(va, d.cut.level),
        };
        let chain = self.unlink(va, slot, d.head, d.stop.level);
        let ghost mid = *self;
        proof {
            self.lemma_after_unlink(mapped, cleared, va as int, d, chain);
        }
        self.note(va, d.cut, d.cut.used - 1);
        proof {
            self.lemma_after_note(mid, va as int, d.cut, (d.cut.used - 1) as u16);
            self.lemma_unmapped(mapped, cleared, mid);
        }
        chain
    }
}

} // verus!
