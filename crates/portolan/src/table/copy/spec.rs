//! What holds while a range is copied.

use super::super::descend::Descent;
use super::super::model::{Model, NodeId, home};
use super::super::stack::Stack;
use super::super::tree::Tree;
use super::leaf::Leaf;
use super::pages::{Copying, Next};
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, Entry, EntryFormat, is_frame_address, stored};
use crate::hw::memory::TableMemory;
use crate::prop::{Mapping, PageProperty};
use vstd::prelude::*;

verus! {

impl Next {
    /// This is a part of `c`, and the page's table is where it says.
    pub(super) open spec fn is_of<M: TableMemory, A: PagingMode, B: AccessBits>(
        self,
        c: Copying<M, A, B>,
    ) -> bool {
        let n = home(A::geo(), self.leaf.start as int, self.leaf.level as nat);
        &&& c.hi == self.hi
        &&& c.read_only == self.read_only
        &&& c.from.perms@[n].addr() == self.table
    }
}

/// The tables `p` without those for `va` from level `l` to below `k`.
pub(crate) open spec fn without<A: EntryFormat>(p: Set<NodeId>, va: int, l: nat, k: nat) -> Set<
    NodeId,
> {
    p.filter(|n: NodeId| !(l <= n.level < k && n == home(A::geo(), va, n.level)))
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Copying<M, A, B> {
    /// The range can be copied.
    pub(crate) open spec fn inv(self) -> bool {
        &&& self.from.inv()
        &&& self.onto.sound()
        &&& 0 <= self.lo < self.hi <= A::geo().limit()
        &&& !self.from.space().is_cut(self.lo, self.hi)
        &&& self.onto.is_untranslated(self.lo, self.hi)
        &&& self.from.space().is_within(self.lo, self.hi, self.onto.phys_bits())
    }

    /// What a copy of a page has of its properties.
    pub(crate) open spec fn copied(self, seen: PageProperty) -> PageProperty {
        stored::<B>(
            if self.read_only {
                seen.read_only()
            } else {
                seen
            },
        )
    }

    /// No page that starts before `at` reaches over it.
    pub(crate) open spec fn is_through(self, at: int) -> bool {
        let s = self.from.space();
        forall|base: int| #[trigger]
            s.pages.contains_key(base) && base < at ==> base + s.pages[base].size.bytes() <= at
    }

    /// `leaf` is the page that comes next after what was copied up to `at`.
    pub(crate) open spec fn is_next(self, at: int, leaf: Leaf) -> bool {
        &&& self.from.is_leaf(leaf)
        &&& self.lo <= at <= leaf.start
        &&& leaf.start + leaf.span <= self.hi
        &&& self.from.space().is_free(at, leaf.start as int)
        &&& leaf.frame.0 + leaf.span <= vstd::arithmetic::power2::pow2(self.onto.phys_bits() as nat)
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// `leaf` is a page of this tree, as it was read.
    pub(crate) open spec fn is_leaf(self, leaf: Leaf) -> bool {
        let (va, l) = (leaf.start as int, leaf.level as nat);
        let s = self.space();
        &&& self.model().in_range(va)
        &&& 1 <= l <= A::geo().levels
        &&& self.model().page_at(va, l)
        &&& leaf.span == A::geo().span(l)
        &&& va % A::geo().span(l) == 0
        &&& va + leaf.span <= A::geo().limit()
        &&& A::page_size(l) matches Some(size) && size.bytes() == leaf.span
        &&& s.pages.contains_key(va)
        &&& s.pages[va].size.bytes() == leaf.span
        &&& s.pages[va].may_become(
            Mapping { frame: leaf.frame, size: A::page_size(l)->0, prop: leaf.prop },
        )
        &&& A::supports(leaf.prop)
        &&& is_frame_address(leaf.frame, self.phys_bits(), leaf.span as int)
    }

    /// If `x` is mapped here, and there is a table of level `j` for it below the root, then `into` has that table or it is
    /// among `p`.
    pub(crate) open spec fn is_served_at(self, into: Self, p: Set<NodeId>, x: int, j: nat) -> bool {
        let n = home(A::geo(), x, j);
        self.model().in_range(x) && self.model().is_mapped(x) && 1 <= j < A::geo().levels
            && self.perms@.contains_key(n) ==> p.contains(n) || into.perms@.contains_key(n)
    }

    /// The tables that `into` has, and `p`, are enough for all that is mapped here from `lo` to below `hi`.
    pub(crate) open spec fn is_served(self, into: Self, p: Set<NodeId>, lo: int, hi: int) -> bool {
        forall|x: int, j: nat| lo <= x < hi ==> #[trigger] self.is_served_at(into, p, x, j)
    }

    /// `p` has the tables that `into` lacks for what is mapped here from `lo` to below `at`. If there are any, the
    /// last page for which they were counted starts at `done - 1`.
    pub(crate) open spec fn is_counting(
        self,
        into: Self,
        p: Set<NodeId>,
        lo: int,
        at: int,
        done: int,
    ) -> bool {
        &&& self.is_served(into, p, lo, at)
        &&& forall|n: NodeId| #[trigger] p.contains(n) ==> n.base < done
        &&& 0 <= done <= at
        &&& done > 0 ==> lo <= done - 1 && self.space().pages.contains_key(done - 1)
    }

    /// `q` is `p` with those of the tables for `leaf` below level `k` that were not there.
    pub(crate) open spec fn is_counted_to(
        self,
        p: Set<NodeId>,
        q: Set<NodeId>,
        leaf: Leaf,
        k: nat,
    ) -> bool {
        &&& forall|n: NodeId| #[trigger] p.contains(n) ==> q.contains(n)
        &&& forall|n: NodeId| #[trigger]
            q.contains(n) ==> p.contains(n) || n.level < k && n.base <= leaf.start
        &&& forall|j: nat|
            leaf.level <= j < k ==> q.contains(#[trigger] home(A::geo(), leaf.start as int, j))
    }

    /// This is the tree at the start with copies of what starts up to `at`, which are `bytes` bytes; `stack` has the
    /// tables that the rest needs.
    pub(crate) open spec fn is_copying(
        self,
        c: Copying<M, A, B>,
        stack: Stack<A>,
        at: int,
        bytes: int,
    ) -> bool {
        self.sound() && self.is_copied_to(c, stack, at, bytes)
    }

    /// As `is_copying`, but for the counts.
    #[verifier::opaque]
    pub(crate) open spec fn is_copied_to(
        self,
        c: Copying<M, A, B>,
        stack: Stack<A>,
        at: int,
        bytes: int,
    ) -> bool {
        &&& self.phys_bits() == c.onto.phys_bits()
        &&& stack.inv(self.phys_bits())
        &&& self.is_using(stack)
        &&& stack@.len() >= c.tables.difference(self.perms@.dom()).len()
        &&& c.from.is_served(self, c.tables, at, c.hi)
        &&& self.is_untranslated(at, c.hi)
        &&& self.goes_through(c.onto)
        &&& c.is_through(at)
        &&& bytes == c.from.space().mapped_bytes(c.lo, at)
        &&& 0 <= bytes <= at - c.lo
        &&& c.from.space().may_copy_range::<B>(c.lo, at, c.read_only, c.onto.space(), self.space())
    }

    /// A copy of `leaf` is to be put where `d` ended.
    pub(crate) open spec fn is_put_next(
        self,
        c: Copying<M, A, B>,
        stack: Stack<A>,
        at: int,
        bytes: int,
        leaf: Leaf,
        d: Descent,
    ) -> bool {
        &&& c.inv()
        &&& c.is_next(at, leaf)
        &&& self.is_copying(c, stack, at, bytes)
        &&& self.is_descent(leaf.start as int, leaf.level as nat, d)
        &&& d.entry is Empty
    }

    /// The entry for a copy of `leaf`.
    pub(crate) open spec fn copy_of(c: Copying<M, A, B>, leaf: Leaf) -> Entry {
        Entry::Page { frame: leaf.frame, prop: c.copied(leaf.prop) }
    }

    /// This is `before` with a copy of `leaf`, by steps on the way.
    pub(crate) open spec fn has_put(self, before: Self, c: Copying<M, A, B>, leaf: Leaf) -> bool {
        let (va, l) = (leaf.start as int, leaf.level as nat);
        &&& self.goes_through(before)
        &&& self.is_same_outside(before, va, va + leaf.span)
        &&& self.space().pages == before.space().pages.insert(
            va,
            Model::mapping::<A>(Self::copy_of(c, leaf), l),
        )
    }

    /// The entry where `d` ended, for a copy of `leaf`, is the first of `n` in the range.
    pub(crate) open spec fn is_run(c: Copying<M, A, B>, leaf: Leaf, d: Descent, n: int) -> bool {
        let (va, l) = (leaf.start as int, leaf.level as nat);
        &&& c.inv()
        &&& c.from.is_leaf(leaf)
        &&& c.lo <= va
        &&& 1 <= n
        &&& d.stop.level == l
        &&& d.index == A::geo().index_of(va, l)
        &&& d.index + n <= A::geo().entries(l) <= 8192
        &&& va + n * leaf.span <= c.hi
    }

    /// This is `tree` after `k` of the `n` entries of a run, of which `copied` were pages; they are not yet counted.
    #[verifier::opaque]
    pub(crate) open spec fn is_copying_run(
        self,
        tree: Self,
        c: Copying<M, A, B>,
        stack: Stack<A>,
        leaf: Leaf,
        d: Descent,
        n: int,
        k: int,
        copied: int,
        bytes: int,
    ) -> bool {
        let (va, l) = (leaf.start as int, leaf.level as nat);
        &&& self.linked()
        &&& self.is_stop(va, d.stop)
        &&& self.model().counted_but(home(A::geo(), va, l))
        &&& self.noted(va, l) == tree.noted(va, l) + copied
        &&& self.perms@.dom() == tree.perms@.dom()
        &&& forall|j: int| d.index + k <= j < d.index + n ==> !#[trigger] self.is_used_at(va, l, j)
        &&& self.is_copied_to(c, stack, va + k * leaf.span, bytes)
    }
}

} // verus!
