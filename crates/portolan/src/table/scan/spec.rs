//! What is known of a table on the way along.

use super::super::tree::Tree;
use super::Place;
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, Entry, EntryFormat};
use crate::hw::memory::TableMemory;
use vstd::prelude::*;

verus! {

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// `place` is a table of the tree.
    pub(crate) open spec fn is_place(self, place: Place) -> bool {
        self.is_stop(place.va as int, place.stop)
    }

    /// The table at `place` is the last one for its address: the entry there is a page or empty.
    pub(crate) open spec fn is_last(self, place: Place) -> bool {
        &&& self.is_place(place)
        &&& !(self.entry_at(place.va as int, place.stop.level as nat) is Table)
    }

    /// `place` is the last table for its address, in which `entry` was read.
    pub(crate) open spec fn is_decided(self, place: Place, entry: Entry) -> bool {
        &&& self.is_last(place)
        &&& self.entry_at(place.va as int, place.stop.level as nat).may_become(entry)
    }
}

} // verus!
