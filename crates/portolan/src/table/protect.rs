//! Changing one page's properties.

use super::descend::Descent;
use super::tree::Tree;
use crate::addr::PhysAddr;
use crate::arch::entry::{AccessBits, Entry, EntryFormat};
use crate::arch::PagingMode;
use crate::hw::memory::TableMemory;
use crate::prop::PageProperty;
use vstd::prelude::*;

#[cfg(verus_only)]
mod proof;
#[cfg(verus_only)]
mod spec;

verus! {

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// Gives the page that `d` found other properties, by one store; accessed and dirty bits stay.
    #[inline]
    pub(super) fn protect(&mut self, va: u64, d: Descent, prop: PageProperty) -> (r: (PhysAddr, PageProperty))
        requires
            old(self).inv(),
            old(self).is_descent(va as int, d.stop.level as nat, d),
            d.entry is Page,
            A::supports(prop),
        ensures
            final(self).inv(),
            final(self).protected_from(*old(self), va as int, d.stop.level as nat, prop, r),
    {
        let slot = d.slot();
        let ghost phys_bits = self.frames.phys_bits();
        let mut word = d.word;
        loop {
            let (frame, was) = match A::decode(slot.level, word) {
                Entry::Page { frame, prop } => (frame, prop),
                _ => (PhysAddr(0), prop),
            };
            let new = A::page(Ghost(phys_bits), slot.level, frame, prop.keeping(was));
            if B::tracking() {
                match self.exchange(Ghost(va as int), slot, word, new) {
                    Ok(_) => return (frame, was),
                    Err(now) => word = now,
                }
            } else {
                self.set(Ghost(va as int), slot, new);
                return (frame, was);
            }
        }
    }
}

} // verus!
