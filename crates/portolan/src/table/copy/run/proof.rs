//! A run copies each page of a table once, and counts it.

use super::super::super::descend::Descent;
use super::super::super::model::home;
use super::super::super::stack::Stack;
use super::super::super::tree::{Slot, Tree};
use super::super::leaf::Leaf;
use super::super::pages::Copying;
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, Entry, EntryFormat, is_frame_address};
use crate::arith::{lemma_fits_in, lemma_nth};
use crate::hw::memory::TableMemory;
use vstd::prelude::*;

verus! {

/// As many steps as fit.
proof fn lemma_fit(len: int, s: int, left: int, n: int)
    requires
        0 < s <= len,
        1 <= left,
        n == if len / s < left {
            len / s
        } else {
            left
        },
    ensures
        1 <= n <= left,
        n * s <= len,
{
    let q = len / s;
    lemma_fits_in(len, s, n);
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// There is room for a page.
    pub(super) proof fn lemma_copy_room(
        self,
        c: Copying<M, A, B>,
        stack: Stack<A>,
        at: int,
        bytes: int,
        leaf: Leaf,
        d: Descent,
    )
        requires
            self.is_put_next(c, stack, at, bytes, leaf, d),
            d.stop.level == leaf.level,
        ensures
            1 <= leaf.level <= A::geo().levels,
            d.index < A::geo().entries(leaf.level as nat) <= 8192,
            0 < leaf.span,
            leaf.start + leaf.span <= c.hi <= A::geo().limit(),
    {
        A::geo().lemma_span(leaf.level as nat);
        A::geo().lemma_bounds(leaf.start as int, leaf.level as nat);
    }

    /// Before the first entry of a run.
    pub(super) proof fn lemma_copy_run(
        self,
        c: Copying<M, A, B>,
        stack: Stack<A>,
        at: int,
        bytes: int,
        leaf: Leaf,
        d: Descent,
        left: int,
        n: int,
    )
        requires
            self.is_put_next(c, stack, at, bytes, leaf, d),
            d.stop.level == leaf.level,
            left == A::geo().entries(leaf.level as nat) - d.index,
            n == if (c.hi - leaf.start) / (leaf.span as int) < left {
                (c.hi - leaf.start) / (leaf.span as int)
            } else {
                left
            },
        ensures
            Self::is_run(c, leaf, d, n),
            self.is_copying_run(self, c, stack, leaf, d, n, 0, 0, bytes),
            n <= left,
    {
        let (va, l) = (leaf.start as int, leaf.level as nat);
        self.lemma_copy_room(c, stack, at, bytes, leaf, d);
        lemma_fit(c.hi - va, leaf.span as int, left, n);
        self.lemma_copy_none(c, stack, at, va, bytes);
        reveal(Tree::is_copied_to);
        self.lemma_vacant_run(va, l, n);
        reveal(Tree::is_copying_run);
        assert(0 * leaf.span == 0);
    }

    /// The `k`-th entry of a run.
    pub(super) proof fn lemma_copy_entry(
        c: Copying<M, A, B>,
        leaf: Leaf,
        d: Descent,
        n: int,
        k: int,
        table: PhysAddr,
    )
        requires
            Self::is_run(c, leaf, d, n),
            0 <= k < n,
            c.from.perms@[home(A::geo(), leaf.start as int, leaf.level as nat)].addr() == table,
        ensures
            ({
                let (va, l) = (leaf.start as int, leaf.level as nat);
                let x = va + k * leaf.span;
                let slot = Slot { level: leaf.level, table, index: (d.index + k) as usize };
                &&& d.index + k < 8192
                &&& va <= x
                &&& x + leaf.span <= c.hi
                &&& (k + 1) * leaf.span == k * leaf.span + leaf.span
                &&& 0 < leaf.span
                &&& x % A::geo().span(l) == 0
                &&& c.from.linked()
                &&& c.from.is_slot(x, slot)
                &&& k == 0 ==> c.from.entry_at(x, l) is Page
            }),
    {
        let (va, l, s) = (leaf.start as int, leaf.level as nat, leaf.span as int);
        A::geo().lemma_span(l);
        c.from.lemma_nth_at(va, l, k);
        lemma_nth(k, n, s);
        assert(c.from.model().nodes.contains_key(home(A::geo(), va, l)));
        assert(k == 0 ==> va + k * s == va);
    }

    /// Nothing is at the `k`-th entry.
    pub(super) proof fn lemma_copy_hole(
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
    )
        requires
            Self::is_run(c, leaf, d, n),
            0 <= k < n,
            self.is_copying_run(tree, c, stack, leaf, d, n, k, copied, bytes),
            c.from.entry_at(leaf.start + k * leaf.span, leaf.level as nat) is Empty,
        ensures
            self.is_copying_run(tree, c, stack, leaf, d, n, k + 1, copied, bytes),
    {
        let (va, l, s) = (leaf.start as int, leaf.level as nat, leaf.span as int);
        let x = va + k * s;
        Self::lemma_copy_entry(c, leaf, d, n, k, c.from.perms@[home(A::geo(), va, l)].addr());
        c.from.lemma_untranslated_page(x, l);
        reveal(Tree::is_copying_run);
        self.lemma_copy_none(c, stack, x, x + s, bytes);
    }

    /// The page at the `k`-th entry can be copied.
    pub(super) proof fn lemma_copy_page(
        self,
        tree: Self,
        c: Copying<M, A, B>,
        stack: Stack<A>,
        leaf: Leaf,
        d: Descent,
        n: int,
        k: int,
        page: Leaf,
    )
        requires
            Self::is_run(c, leaf, d, n),
            0 <= k < n,
            exists|copied: int, bytes: int|
                self.is_copying_run(tree, c, stack, leaf, d, n, k, copied, bytes),
            page.start == leaf.start + k * leaf.span,
            (page.level, page.span) == (leaf.level, leaf.span),
            c.from.entry_at(page.start as int, leaf.level as nat).may_become(
                Entry::Page { frame: page.frame, prop: page.prop },
            ),
        ensures
            ({
                let (x, l) = (page.start as int, page.level as nat);
                let slot = Slot {
                    level: page.level,
                    table: d.stop.table,
                    index: (d.index + k) as usize,
                };
                &&& c.from.is_leaf(page)
                &&& c.is_next(x, page)
                &&& self.linked()
                &&& self.is_slot(x, slot)
                &&& self.may_set(x, l, Self::copy_of(c, page))
                &&& self.is_settled(x, l)
                &&& self.phys_bits() <= A::frame_bits()
                &&& is_frame_address(page.frame, self.phys_bits(), A::geo().span(l))
                &&& A::supports(c.copied(page.prop))
                &&& A::page_size(l) is Some
            }),
    {
        let (va, l, s) = (leaf.start as int, leaf.level as nat, leaf.span as int);
        let x = page.start as int;
        let slot = Slot { level: page.level, table: d.stop.table, index: (d.index + k) as usize };
        Self::lemma_copy_entry(c, leaf, d, n, k, c.from.perms@[home(A::geo(), va, l)].addr());
        c.from.lemma_as_leaf(x, l, Entry::Page { frame: page.frame, prop: page.prop });
        reveal(Tree::is_copying_run);
        reveal(Tree::is_copied_to);
        self.lemma_nth_at(va, l, k);
        assert(c.is_next(x, page));
        Self::lemma_may_copy(c, x, page);
        assert(!self.is_used_at(va, l, d.index + k));
        self.lemma_slot(x, slot);
    }

    /// The `k`-th page was copied.
    pub(super) proof fn lemma_copy_put(
        self,
        before: Self,
        tree: Self,
        c: Copying<M, A, B>,
        stack: Stack<A>,
        leaf: Leaf,
        d: Descent,
        n: int,
        k: int,
        copied: int,
        bytes: int,
        page: Leaf,
    )
        requires
            Self::is_run(c, leaf, d, n),
            0 <= k < n,
            before.is_copying_run(tree, c, stack, leaf, d, n, k, copied, bytes),
            page.start == leaf.start + k * leaf.span,
            (page.level, page.span) == (leaf.level, leaf.span),
            c.from.is_leaf(page),
            c.is_next(page.start as int, page),
            self.set_from(before, page.start as int, page.level as nat, Self::copy_of(c, page)),
        ensures
            self.is_copying_run(tree, c, stack, leaf, d, n, k + 1, copied + 1, bytes + leaf.span),
    {
        let (va, l) = (leaf.start as int, leaf.level as nat);
        let home = home(A::geo(), va, l);
        Self::lemma_copy_entry(c, leaf, d, n, k, c.from.perms@[home].addr());
        reveal(Tree::is_copying_run);
        before.lemma_nth_at(va, l, k);
        assert(before.model().nodes.contains_key(home));
        assert(!before.is_used_at(va, l, d.index + k));
        self.lemma_one_more_used(before, va, d, k, page.start as int, Self::copy_of(c, page));
        self.lemma_rest_unused(before, va, d, n, k, page.start as int, Self::copy_of(c, page));
        self.lemma_copied_page(before, c, stack, bytes, page);
    }

    /// The entries after it are as they were: not in use.
    proof fn lemma_rest_unused(
        self,
        before: Self,
        va: int,
        d: Descent,
        n: int,
        k: int,
        x: int,
        e: Entry,
    )
        requires
            before.linked(),
            before.is_stop(va, d.stop),
            before.model().nodes.contains_key(home(A::geo(), va, d.stop.level as nat)),
            0 <= k < n,
            d.index + n <= A::geo().entries(d.stop.level as nat),
            home(A::geo(), x, d.stop.level as nat) == home(A::geo(), va, d.stop.level as nat),
            A::geo().index_of(x, d.stop.level as nat) == d.index + k,
            self.set_from(before, x, d.stop.level as nat, e),
            forall|j: int|
                d.index + k <= j < d.index + n ==> !#[trigger] before.is_used_at(
                    va,
                    d.stop.level as nat,
                    j,
                ),
        ensures
            forall|j: int|
                d.index + k + 1 <= j < d.index + n ==> !#[trigger] self.is_used_at(
                    va,
                    d.stop.level as nat,
                    j,
                ),
    {
        assert forall|j: int|
            d.index + k + 1 <= j < d.index + n implies !#[trigger] self.is_used_at(
            va,
            d.stop.level as nat,
            j,
        ) by {
            assert(!before.is_used_at(va, d.stop.level as nat, j));
            let table = before.model().nodes[home(A::geo(), va, d.stop.level as nat)];
            assert(table.entries.update(d.index + k, e)[j] == table.entries[j]);
        }
    }

    /// One more entry of the table is in use, which is not counted yet.
    proof fn lemma_one_more_used(self, before: Self, va: int, d: Descent, k: int, x: int, e: Entry)
        requires
            before.linked(),
            before.is_stop(va, d.stop),
            before.model().nodes.contains_key(home(A::geo(), va, d.stop.level as nat)),
            before.model().counted_but(home(A::geo(), va, d.stop.level as nat)),
            0 <= d.index + k < A::geo().entries(d.stop.level as nat),
            !before.is_used_at(va, d.stop.level as nat, d.index + k),
            home(A::geo(), x, d.stop.level as nat) == home(A::geo(), va, d.stop.level as nat),
            A::geo().index_of(x, d.stop.level as nat) == d.index + k,
            e is Page,
            self.set_from(before, x, d.stop.level as nat, e),
        ensures
            self.is_stop(va, d.stop),
            self.model().counted_but(home(A::geo(), va, d.stop.level as nat)),
            self.noted(va, d.stop.level as nat) == before.noted(va, d.stop.level as nat) + 1,
    {
        let home = home(A::geo(), va, d.stop.level as nat);
        before.model().lemma_put_uncounted(home, d.index + k, e);
        self.lemma_fill_stop(before, va, d, x);
    }

    /// The tables that the rest needs are there as before.
    proof fn lemma_copied_page(
        self,
        before: Self,
        c: Copying<M, A, B>,
        stack: Stack<A>,
        bytes: int,
        page: Leaf,
    )
        requires
            c.inv(),
            before.linked(),
            c.from.is_leaf(page),
            c.is_next(page.start as int, page),
            before.perms@.contains_key(home(A::geo(), page.start as int, page.level as nat)),
            before.entry_at(page.start as int, page.level as nat) is Empty,
            self.set_from(before, page.start as int, page.level as nat, Self::copy_of(c, page)),
            before.is_copied_to(c, stack, page.start as int, bytes),
        ensures
            self.is_copied_to(c, stack, page.start + page.span, bytes + page.span),
    {
        self.lemma_put_on(before, c, page);
        assert(self.is_using(stack) && stack.inv(self.phys_bits()) && stack@.len()
            >= c.tables.difference(self.perms@.dom()).len()) by {
            reveal(Tree::is_copied_to);
        }
        self.lemma_copied(before, c, stack, stack, page.start as int, bytes, page);
    }

    /// One store is a step on the way.
    proof fn lemma_put_on(self, before: Self, c: Copying<M, A, B>, page: Leaf)
        requires
            before.linked(),
            c.from.is_leaf(page),
            before.perms@.contains_key(home(A::geo(), page.start as int, page.level as nat)),
            before.entry_at(page.start as int, page.level as nat) is Empty,
            self.set_from(before, page.start as int, page.level as nat, Self::copy_of(c, page)),
        ensures
            self.has_put(before, c, page),
    {
        let (x, l, s) = (page.start as int, page.level as nat, page.span as int);
        before.lemma_untranslated_page(x, l);
        A::geo().lemma_span(l);
        assert(before.space().translate(x) is None);
        self.lemma_same_but_page(before, x, l, Self::copy_of(c, page));
        before.space().lemma_goes_on(before.space(), self.space(), x, x + s);
        assert(before.goes_through(before));
        self.lemma_through_store(before, before);
    }

    /// The count is to be noted.
    pub(super) proof fn lemma_copy_count(
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
    )
        requires
            Self::is_run(c, leaf, d, n),
            tree.sound(),
            tree.is_stop(leaf.start as int, d.stop),
            0 <= copied <= k <= n,
            self.is_copying_run(tree, c, stack, leaf, d, n, k, copied, bytes),
        ensures
            self.linked(),
            self.is_stop(leaf.start as int, d.stop),
            d.stop.used <= 8192,
            A::counts() && leaf.level < A::geo().levels ==> d.stop.used + copied
                <= A::geo().entries(leaf.level as nat),
    {
        let (va, l) = (leaf.start as int, leaf.level as nat);
        reveal(Tree::is_copying_run);
        A::geo().lemma_span(l);
        if l < A::geo().levels {
            tree.lemma_bounded(va, d.stop);
            assert(self.model().nodes.contains_key(home(A::geo(), va, l)));
            super::super::super::model::counting::lemma_used_at_most(
                self.model().nodes[home(A::geo(), va, l)].entries,
            );
        }
    }

    /// The count is noted.
    pub(super) proof fn lemma_copy_noted(
        self,
        mid: Self,
        tree: Self,
        c: Copying<M, A, B>,
        stack: Stack<A>,
        leaf: Leaf,
        d: Descent,
        n: int,
        k: int,
        copied: int,
        bytes: int,
        used: u16,
    )
        requires
            Self::is_run(c, leaf, d, n),
            tree.sound(),
            tree.is_stop(leaf.start as int, d.stop),
            0 <= copied <= k <= n,
            mid.is_copying_run(tree, c, stack, leaf, d, n, k, copied, bytes),
            used == d.stop.used + copied,
            self.noted_from(mid, leaf.start as int, leaf.level as nat, used),
        ensures
            self.is_copying(c, stack, leaf.start + k * leaf.span, bytes),
    {
        let (va, l) = (leaf.start as int, leaf.level as nat);
        reveal(Tree::is_copying_run);
        reveal(Tree::is_copied_to);
        if l < A::geo().levels {
            tree.lemma_bounded(va, d.stop);
            assert(tree.model().count_ok(home(A::geo(), va, l)));
        }
        self.lemma_after_note(mid, va, d.stop, used);
        self.lemma_through_note(mid, c.onto);
        let x = va + k * leaf.span;
        c.from.lemma_served_same(mid, self, c.tables, x, c.hi);
    }
}

} // verus!
