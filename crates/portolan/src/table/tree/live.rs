//! Break-before-make: each store leaves all live translations as they are, where live entries may not be resized.

use super::super::perms::{Perms, model, walkable};
use super::super::root::Root;
use super::Tree;
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, EntryFormat};
use crate::hw::memory::TableMemory;
use vstd::prelude::*;

verus! {

/// The tables are as the last store left them, hardware walked them after each store, and none changed a live translation
/// in a way that takes a break.
#[verifier::opaque]
pub(crate) open spec fn is_orderly<A: EntryFormat>(
    trace: Seq<Perms>,
    now: Perms,
    phys_bits: u64,
    root: Root,
) -> bool {
    &&& trace.len() > 0 ==> trace.last() == now
    &&& forall|k: int| 0 <= k < trace.len() ==> walkable::<A>(#[trigger] trace[k], phys_bits, root)
    &&& !A::resizes() ==> forall|k: int|
        1 <= k < trace.len() ==> model::<A>(trace[k - 1]).keeps_live(
            model::<A>(#[trigger] trace[k]),
        )
}

/// Before the first store.
pub(crate) proof fn lemma_orderly_new<A: EntryFormat>(now: Perms, phys_bits: u64, root: Root)
    ensures
        is_orderly::<A>(Seq::empty(), now, phys_bits, root),
{
    reveal(is_orderly);
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// One store more.
    pub(super) proof fn lemma_orderly(self, old: Self)
        requires
            old.linked(),
            walkable::<A>(self.perms@, self.phys_bits(), self.root),
            self.phys_bits() == old.phys_bits(),
            self.root == old.root,
            self.trace@ == old.trace@.push(self.perms@),
            A::resizes() || old.model().keeps_live(self.model()),
        ensures
            is_orderly::<A>(self.trace@, self.perms@, self.phys_bits(), self.root),
    {
        reveal(is_orderly);
        assert forall|k: int| 1 <= k < self.trace@.len() && !A::resizes() implies model::<A>(
            self.trace@[k - 1],
        ).keeps_live(model::<A>(#[trigger] self.trace@[k])) by {
            if k < old.trace@.len() {
                assert(self.trace@[k] == old.trace@[k]);
            }
        }
    }

    /// From one store to the next no live translation changes, and the last is now.
    pub(crate) proof fn lemma_live(self, k: int)
        requires
            self.linked(),
            0 <= k < self.trace@.len(),
        ensures
            walkable::<A>(self.trace@[k], self.phys_bits(), self.root),
            k == self.trace@.len() - 1 ==> self.trace@[k] == self.perms@,
            !A::resizes() && k > 0 ==> model::<A>(self.trace@[k - 1]).space::<A>().keeps_live(
                model::<A>(self.trace@[k]).space::<A>(),
            ),
    {
        reveal(is_orderly);
        if !A::resizes() && k > 0 {
            assert(walkable::<A>(self.trace@[k - 1], self.phys_bits(), self.root));
            model::<A>(self.trace@[k - 1]).lemma_live::<A>(model::<A>(self.trace@[k]));
        }
    }
}

} // verus!
