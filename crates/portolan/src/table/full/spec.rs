//! What a table of pages is.

use super::super::model::split::part;
use super::super::perms::{node, perm_ok};
use super::FullTable;
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::prop::PageProperty;
use vstd::prelude::*;

verus! {

impl<A: PagingMode> FullTable<A> {
    /// The table is ours, and for its level.
    pub(crate) open spec fn inv(self, phys_bits: u64) -> bool {
        &&& 1 <= self.level < A::geo().levels
        &&& phys_bits <= A::frame_bits()
        &&& self.perm@.addr() == self.table
        &&& perm_ok::<A>(self.perm@, self.level as nat, phys_bits)
    }

    /// The first `n` entries are parts of a page at `frame`.
    pub(crate) open spec fn is_filled(self, frame: PhysAddr, prop: PageProperty, n: int) -> bool {
        forall|k: int|
            0 <= k < n ==> (#[trigger] node::<A>(self.perm@).entries[k]) == part(
                A::geo(),
                self.level as nat,
                frame,
                prop,
                k,
            )
    }

    /// A count that shrinks each time that hardware gets in between.
    pub(crate) open spec fn tries(self, index: int, seen: u64) -> int {
        let word = self.perm@.words()[index];
        2 * A::unset(self.level as nat, word) + if seen == word {
            0int
        } else {
            1
        }
    }
}

} // verus!
