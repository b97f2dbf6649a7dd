//! What replacing a page's entry means.

use super::super::change::Change;
use super::super::perms::space;
use super::super::tree::{Slot, Tree};
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, Entry};
use crate::hw::memory::TableMemory;
use crate::prop::PageProperty;
use vstd::prelude::*;

verus! {

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// What takes the place of the page `was`.
    pub(in super::super) open spec fn replacement(
        was: (PhysAddr, PageProperty),
        change: Change,
    ) -> Entry {
        match change.after(was.1) {
            Some(prop) => Entry::Page { frame: was.0, prop },
            None => Entry::Empty,
        }
    }

    /// This is `old` with the page at level `l` for `va`, which was `r`, changed.
    pub(in super::super) open spec fn is_protected_from(
        self,
        old: Self,
        va: int,
        l: nat,
        change: Change,
        r: (PhysAddr, PageProperty),
    ) -> bool {
        &&& self.put_from(old, va, l, Self::replacement(r, change))
        &&& self.frames.held() == old.frames.held()
        &&& old.entry_at(va, l).may_become(Entry::Page { frame: r.0, prop: r.1 })
    }

    /// This is `old`, but for bits of the entry at `slot` that hardware was seen to have set.
    pub(crate) open spec fn is_seen(self, old: Self, va: int, slot: Slot) -> bool {
        let e = self.entry_at(va, slot.level as nat);
        &&& self.is_slot(va, slot)
        &&& self.replaced_from(old, va, slot.level as nat, e)
        &&& old.entry_at(va, slot.level as nat) is Page
        &&& old.entry_at(va, slot.level as nat).may_become(e)
        &&& old.space().may_become(self.space())
        &&& old.trace@.is_prefix_of(self.trace@)
        &&& forall|k: int|
            old.trace@.len() <= k < self.trace@.len() ==> old.space().may_become(
                space::<A>(#[trigger] self.trace@[k]),
            )
    }

    /// A count that shrinks each time that hardware gets in between.
    pub(crate) open spec fn tries(self, va: int, l: nat, word: u64) -> int {
        2 * A::unset(l, self.word_at(va, l)) + if word == self.word_at(va, l) {
            0int
        } else {
            1
        }
    }
}

} // verus!
