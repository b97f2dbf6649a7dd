//! What holds while a range is worked through.

use super::super::descend::Stop;
use super::super::model::home;
use super::super::perms::{space, tables};
use super::super::stack::Stack;
use super::super::tree::Tree;
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, Entry};
use crate::hw::memory::TableMemory;
use crate::spec::space::AddressSpace;
use vstd::prelude::*;

verus! {

impl AddressSpace {
    /// The same page starts at `base`, or none.
    pub(crate) open spec fn same_at(self, other: Self, base: int) -> bool {
        &&& self.pages.contains_key(base) == other.pages.contains_key(base)
        &&& self.pages.contains_key(base) ==> self.pages[base] == other.pages[base]
    }

    /// The page that starts at `base` in `now` is the one here, but for accessed and dirty bits that hardware may have
    /// set; or none does in both.
    pub(crate) open spec fn keeps(self, now: Self, base: int) -> bool {
        &&& self.pages.contains_key(base) == now.pages.contains_key(base)
        &&& self.pages.contains_key(base) ==> self.pages[base].may_become(now.pages[base])
    }

    /// Each page of `mid` is as here, but for bits that hardware may have set, or as in `new`.
    pub(crate) open spec fn mixes(self, mid: Self, new: Self) -> bool {
        forall|base: int| #[trigger] self.keeps(mid, base) || new.keeps(mid, base)
    }

    /// The page that starts at `base` is as it was, or gone; if it starts from `lo` to below `at`, it is gone unless it is the
    /// one that is `left`.
    pub(crate) open spec fn is_cleared_at(
        self,
        now: Self,
        lo: int,
        at: int,
        hi: int,
        left: Option<u64>,
        base: int,
    ) -> bool {
        if now.pages.contains_key(base) {
            &&& self.same_at(now, base)
            &&& lo <= base < at ==> left is Some && left->0 == base
        } else {
            self.pages.contains_key(base) ==> lo <= base < hi
        }
    }

    /// `now` is this without pages that start from `lo` to below `hi`: up to `at` none of them is left, but for one that
    /// starts at `left`.
    pub(crate) open spec fn is_cleared(
        self,
        now: Self,
        lo: int,
        at: int,
        hi: int,
        left: Option<u64>,
    ) -> bool {
        forall|base: int| #[trigger] self.is_cleared_at(now, lo, at, hi, left, base)
    }

    /// No address is in two pages.
    pub(crate) open spec fn is_disjoint(self) -> bool {
        forall|a: int, b: int, va: int| #[trigger]
            self.covers(a, va) && #[trigger] self.covers(b, va) ==> a == b
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// Between `old` and this, after each single store, each page was as in `old`, but for bits that hardware had set, or is
    /// as in this one.
    pub(crate) open spec fn mixes_from(self, old: Self) -> bool {
        &&& self.phys_bits() == old.phys_bits()
        &&& self.root == old.root
        &&& old.trace@.is_prefix_of(self.trace@)
        &&& forall|k: int|
            old.trace@.len() <= k < self.trace@.len() ==> old.space().mixes(
                space::<A>(#[trigger] self.trace@[k]),
                self.space(),
            )
    }

    /// This is `start` with the pages from `lo` to `at` unmapped, but for one that is left at `left`.
    pub(crate) open spec fn is_clearing(
        self,
        start: Self,
        lo: int,
        at: int,
        hi: int,
        left: Option<u64>,
    ) -> bool {
        &&& self.mixes_from(start)
        &&& self.frames.held() == start.frames.held()
        &&& start.space().is_cleared(self.space(), lo, at, hi, left)
    }

    /// The frames of `start` are those of this and of `stack`.
    pub(crate) open spec fn is_shared_with(self, start: Self, stack: Stack<A>) -> bool {
        &&& stack.inv(self.phys_bits())
        &&& start.frames.held() == tables(self.perms@).union(stack.tables())
        &&& tables(self.perms@).disjoint(stack.tables())
    }

    /// This is `old` with `cleared` entries of the table at `stop`, which is that for `va`, cleared, up to entry `index`,
    /// which is for `at`; that for `first` is a page and was left.
    pub(crate) open spec fn is_running(
        self,
        old: Self,
        va: int,
        stop: Stop,
        index: int,
        at: int,
        first: Option<u64>,
        cleared: int,
    ) -> bool {
        let l = stop.level as nat;
        let n = home(A::geo(), va, l);
        &&& self.linked()
        &&& self.is_stop(va, stop)
        &&& self.model().counted_but(n)
        &&& self.noted(va, l) == old.noted(va, l) - cleared
        &&& tables(self.perms@) == tables(old.perms@)
        &&& cleared == 0 ==> self == old
        &&& cleared > 0 ==> first is Some
        &&& at == n.base + index * A::geo().span(l)
        &&& first matches Some(p) ==> home(A::geo(), p as int, l) == n && self.entry_at(
            p as int,
            l,
        ) is Page && p as int % A::geo().span(l) == 0 && p < at
    }
}

} // verus!
