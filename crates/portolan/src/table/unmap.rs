//! Unmapping one page.

use super::chain::Chain;
use super::descend::Descent;
use super::tree::{Slot, Tree};
use crate::arch::entry::{AccessBits, Entry, EntryFormat};
use crate::arch::PagingMode;
use crate::hw::memory::{Frames, TableMemory};
use crate::prop::PageProperty;
use crate::addr::PhysAddr;
use vstd::prelude::*;

#[cfg(verus_only)]
mod proof;
#[cfg(verus_only)]
mod spec;

verus! {

/// Tables that are no longer reachable, with the account of their frames.
pub(crate) struct Owed<M: TableMemory, A: PagingMode> {
    pub(super) frames: Frames<M>,
    pub(super) chain: Chain<A>,
}

impl<M: TableMemory, A: PagingMode> Owed<M, A> {
    /// Gives the tables back.
    pub(crate) fn free(self)
        requires
            self.inv(),
    {
        let mut owed = self;
        owed.chain.free(&mut owed.frames);
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// Unmaps the page that `d` found, and takes tables that become empty out of the tree.
    #[inline]
    pub(super) fn unmap(&mut self, va: u64, d: Descent) -> (r: (PhysAddr, PageProperty, Option<Owed<M, A>>))
        requires
            old(self).inv(),
            old(self).is_descent(va as int, d.stop.level as nat, d),
            d.entry is Page,
        ensures
            final(self).inv(),
            final(self).unmapped_from(*old(self), va as int, d.stop.level as nat, r),
    {
        let (frame, prop) = self.take(va, &d);
        let cut = d.cut;
        let owed = if cut.level == d.stop.level {
            None
        } else {
            let index = A::geometry().index(va, cut.level);
            let chain = self.unlink(va, Slot { level: cut.level, table: cut.table, index }, d.head, d.stop.level);
            let frames = self.frames.detach(Ghost(chain.tables()));
            Some(Owed { frames, chain })
        };
        self.note(va, cut, (cut.used - 1) as u16);
        (frame, prop, owed)
    }

    /// Clears the entry of the page that `d` found; with a page's last accessed and dirty bits.
    #[inline(always)]
    fn take(&mut self, va: u64, d: &Descent) -> (r: (PhysAddr, PageProperty))
        requires
            old(self).linked(),
            old(self).is_descent(va as int, d.stop.level as nat, *d),
            d.entry is Page,
        ensures
            final(self).taken_from(*old(self), va as int, d.stop.level as nat, r),
    {
        let slot = d.slot();
        let mut word = d.word;
        if B::tracking() {
            loop {
                match self.exchange(Ghost(va as int), slot, word, 0) {
                    Ok(_) => break ,
                    Err(now) => word = now,
                }
            }
        } else {
            self.set(Ghost(va as int), slot, 0);
        }
        match A::decode(slot.level, word) {
            Entry::Page { frame, prop } => (frame, prop),
            _ => (PhysAddr(0), PageProperty::KERNEL_RO),
        }
    }
}

} // verus!
