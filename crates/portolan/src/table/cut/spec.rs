//! What holds while pages are divided at the ends of a range.

use super::super::PageTable;
use super::super::perms::{space, tables};
use super::super::stack::Stack;
use super::super::tree::Tree;
use super::{Cut, End};
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, EntryFormat};
use crate::hw::memory::TableMemory;
use vstd::prelude::*;

verus! {

/// To have no page of level `l` with `at` inside takes a table, unless `from` was inside of that page as well.
pub(crate) open spec fn is_taken<A: EntryFormat>(from: int, at: int, l: nat) -> bool {
    let span = A::geo().span(l);
    let (start, other) = (at - at % span, from - from % span);
    start != at && (other == from || other != start)
}

/// How many tables that takes from level `l` down.
pub(crate) open spec fn tables_below<A: EntryFormat>(from: int, at: int, l: nat) -> nat
    decreases l,
{
    if l <= 1 {
        0
    } else {
        tables_below::<A>(from, at, (l - 1) as nat) + if is_taken::<A>(from, at, l) {
            1nat
        } else {
            0
        }
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> End<M, A, B> {
    /// The end is at `at`, where a page can start.
    pub(crate) open spec fn is_at(self, at: int) -> bool {
        &&& at == self.cut.lo || at == self.cut.hi
        &&& 0 <= at < A::geo().limit()
        &&& at % A::geo().span(1) == 0
        &&& 0 <= self.from
        &&& 1 <= self.level <= A::geo().levels
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// The page that `at` lies in is an entry of level `l`, and `at` is inside.
    pub(crate) open spec fn has_inside(self, at: int, l: nat) -> bool {
        let span = A::geo().span(l);
        &&& 1 < l <= A::geo().levels
        &&& at % span != 0
        &&& A::page_size(l) matches Some(whole) && whole.bytes() == span && self.space().has(
            at - at % span,
            whole,
        )
        &&& A::page_size((l - 1) as nat) is Some
    }

    /// Between `cut.start` and this, after each single store, each address was translated as in `cut.start`; only pages
    /// with an end inside were divided.
    pub(crate) open spec fn keeps_all(self, cut: Cut<M, A, B>) -> bool {
        &&& self.phys_bits() == cut.start.phys_bits()
        &&& self.root == cut.start.root
        &&& cut.start.trace@.is_prefix_of(self.trace@)
        &&& forall|k: int|
            cut.start.trace@.len() <= k < self.trace@.len() ==> cut.start.space().resembles(
                space::<A>(#[trigger] self.trace@[k]),
            )
        &&& cut.start.space().resembles(self.space())
        &&& cut.start.space().spares(self.space(), cut.lo, cut.hi)
        &&& tables(cut.start.perms@).subset_of(tables(self.perms@))
    }

    /// So it is, with the tables that are still to be linked in `stack`.
    #[verifier::opaque]
    pub(crate) open spec fn is_cutting(self, cut: Cut<M, A, B>, stack: Stack<A>) -> bool {
        &&& self.sound()
        &&& stack.inv(self.phys_bits())
        &&& self.is_using(stack)
        &&& self.keeps_all(cut)
    }

    /// This is `old` on the way to having no page with `at` inside: none is larger than those of level `l`.
    #[verifier::opaque]
    pub(crate) open spec fn is_ending(self, old: Self, from: int, at: int, l: nat) -> bool {
        let top = A::geo().levels as nat;
        &&& old.space().is_coarser(self.space())
        &&& self.space().is_at_most(from, 0)
        &&& self.space().is_at_most(at, A::geo().span(l))
        &&& old.space().cut_at::<A>(at, top).may_become(self.space().cut_at::<A>(at, top))
    }

    /// This is `old` without a page that has `at` inside.
    pub(crate) open spec fn is_cut_at(self, old: Self, at: int) -> bool {
        &&& old.space().is_coarser(self.space())
        &&& self.space().is_at_most(at, 0)
        &&& old.space().cut_at::<A>(at, A::geo().levels as nat).may_become(self.space())
    }

    /// This is `old` with the pages divided that have `lo` or `hi` inside.
    pub(crate) open spec fn is_cut_from(self, old: Self, lo: int, hi: int) -> bool {
        &&& self.keeps_all(Cut { start: old, lo, hi })
        &&& old.space().may_cut::<A>(lo, hi, self.space())
        &&& !self.space().is_cut(lo, hi)
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> PageTable<M, A, B> {
    /// This is `old` with the pages divided that the range from `lo` to `hi` starts or ends inside of: no address was translated
    /// in another way after any single store.
    pub(crate) open spec fn is_cut_from(self, old: Self, lo: int, hi: int) -> bool {
        &&& self.root_table() == old.root_table()
        &&& self.fixed() == old.fixed()
        &&& self.phys_bits() == old.phys_bits()
        &&& old.history().is_prefix_of(self.history())
        &&& forall|k: int|
            old.history().len() <= k < self.history().len() ==> old@.resembles(
                #[trigger] self.history()[k],
            )
        &&& old@.resembles(self@)
        &&& old@.may_cut::<A>(lo, hi, self@)
        &&& !self@.is_cut(lo, hi)
        &&& old.frames().subset_of(self.frames())
        &&& !A::resizes() || !old@.is_cut(lo, hi) ==> self == old
    }
}

} // verus!
