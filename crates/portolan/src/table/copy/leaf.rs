//! The pages of a range, one after the other.

use super::super::scan::Place;
use super::super::tree::Tree;
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, Entry};
use crate::hw::memory::TableMemory;
use crate::prop::PageProperty;
use vstd::prelude::*;

verus! {

/// A page: where it starts, its level and how many bytes it is, and what was read of it.
#[derive(Clone, Copy)]
pub(crate) struct Leaf {
    pub(crate) start: u64,
    pub(crate) level: u8,
    pub(crate) span: u64,
    pub(crate) frame: PhysAddr,
    pub(crate) prop: PageProperty,
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// The first page that reaches past `at`, if it starts before `hi` and covers an address from `at` on; `near` is a table
    /// on the way, and then the page's.
    #[inline]
    pub(super) fn next_leaf(&self, near: &mut Place, at: u64, hi: u64) -> (r: Option<Leaf>)
        requires
            self.sound(),
            self.is_place(*old(near)),
            hi <= A::geo().limit(),
        ensures
            self.is_place(*final(near)),
            match r {
                Some(leaf) => {
                    &&& self.is_leaf(leaf)
                    &&& self.is_stop(leaf.start as int, final(near).stop)
                    &&& final(near).stop.level == leaf.level
                    &&& leaf.start < hi
                    &&& self.space().is_next_page(at as int, leaf.start as int)
                },
                None => self.space().is_free(at as int, hi as int),
            },
        no_unwind
    {
        let (place, found) = self.scan(*near, at, hi);
        *near = place;
        let entry = found?;
        let (start, span) = self.extent(&place);
        proof {
            self.lemma_leaf(at as int, hi as int, place, entry);
        }
        match entry {
            Entry::Page { frame, prop } => Some(
                Leaf { start, level: place.stop.level, span, frame, prop },
            ),
            _ => None,
        }
    }
}

} // verus!
