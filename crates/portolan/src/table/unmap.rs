//! Unmapping one page.

use super::chain::Chain;
use super::descend::Descent;
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

/// Tables that are no longer reachable, with the account of their frames.
#[verifier::reject_recursive_types(M)]
pub(crate) struct Owed<M: TableMemory, A: PagingMode> {
    pub(crate) frames: Frames<M>,
    pub(crate) chain: Chain<A>,
}

impl<M: TableMemory, A: PagingMode> Owed<M, A> {
    /// Gives the tables back; nothing is left on the account.
    pub(crate) fn free(self) -> (r: Frames<M>)
        requires
            self.inv(),
        ensures
            r.held() == Set::<PhysAddr>::empty(),
    {
        let mut owed = self;
        owed.chain.free(&mut owed.frames);
        assert(owed.frames.held() =~= Set::empty());
        owed.frames
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
        let d = self.survey(va, d);
        let (frame, prop) = self.replace(Ghost(va as int), &d, None);
        let ghost cleared = *self;
        proof {
            self.lemma_cleared(*old(self), va as int, d);
        }
        if d.cut.level > d.stop.level {
            let owed = self.cut_off(Ghost(*old(self)), va, d);
            return (frame, prop, Some(owed));
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
    fn cut_off(&mut self, Ghost(mapped): Ghost<Self>, va: u64, d: Descent) -> (r: Owed<M, A>)
        requires
            old(self).is_cleared(mapped, va as int, d),
            d.cut.level > d.stop.level,
        ensures
            final(self).inv(),
            final(self).space() == old(self).space(),
            final(self).steps_from(mapped),
            final(self).is_handed_over(mapped, Some(r)),
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
        proof {
            self.lemma_after_unlink(mapped, cleared, va as int, d, chain);
        }
        let frames = self.frames.detach(Ghost(chain.tables()));
        let ghost mid = *self;
        proof {
            self.lemma_detached(mapped, cleared, va as int, d, chain);
        }
        self.note(va, d.cut, d.cut.used - 1);
        proof {
            self.lemma_after_note(mid, va as int, d.cut, (d.cut.used - 1) as u16);
            self.lemma_unmapped(mapped, cleared, mid);
        }
        Owed { frames, chain }
    }
}

} // verus!
