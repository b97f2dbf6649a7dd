//! No address is translated in another way while pages are divided, and enough tables are there.

use super::super::PageTable;
use super::super::descend::Descent;
use super::super::full::FullTable;
use super::super::perms::{space, tables};
use super::super::proof::lemma_spans_grow;
use super::super::stack::Stack;
use super::super::tree::{Slot, Tree};
use super::spec::{is_taken, tables_below};
use super::{Cut, End};
use crate::addr::{PhysAddr, VirtRange};
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, Entry, EntryFormat};
use crate::hw::memory::TableMemory;
use crate::prop::PageProperty;
use crate::spec::request;
use crate::spec::space::cut::proof::Division;
use vstd::prelude::*;

verus! {

/// The ends of a range that can be worked on are where pages can start.
pub(super) proof fn lemma_ends<A: PagingMode>(range: VirtRange<A>)
    requires
        request::check_range(range) is None,
    ensures
        range.first()@ % A::geo().span(1) == 0,
        (range.first()@ + range.bytes()) % A::geo().span(1) == 0,
{
    A::lemma_geometry();
    let (raw, span) = (range.first().raw() as int, A::geo().span(1));
    A::geo().lemma_hardware_index(raw, 1);
    A::geo().lemma_span(1);
    vstd::arithmetic::div_mod::lemma_mod_bound(raw, A::geo().limit());
    assert(0 <= span < 0x200_0000_0000_0000) by {
        A::geo().lemma_limit();
        lemma_spans_grow(A::geo(), 1, 2);
    }
    let (lo, bytes) = (range.first()@, range.bytes() as int);
    vstd::arithmetic::div_mod::lemma_add_mod_noop(lo, bytes, span);
    vstd::arithmetic::div_mod::lemma_small_mod(0, span as nat);
}

/// Smaller pages take fewer tables.
proof fn lemma_fewer_below<A: EntryFormat>(from: int, at: int, l: nat, m: nat)
    requires
        l <= m,
    ensures
        tables_below::<A>(from, at, l) <= tables_below::<A>(from, at, m),
    decreases m,
{
    if l < m {
        lemma_fewer_below::<A>(from, at, l, (m - 1) as nat);
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// No page has the first address or the end of all inside.
    pub(super) proof fn lemma_limits(self)
        requires
            self.sound(),
        ensures
            self.space().is_at_most(0, 0),
            self.space().is_at_most(A::geo().limit(), 0),
    {
        let (s, m) = (self.space(), self.model());
        assert forall|base: int| #[trigger] s.pages.contains_key(base) implies 0 <= base && base
            + s.pages[base].size.bytes() <= A::geo().limit() by {
            let last = base + s.pages[base].size.bytes() - 1;
            assert(s.covers(base, base) && s.covers(base, last));
            m.lemma_covers::<A>(base, base);
            m.lemma_covers::<A>(base, last);
        }
    }

    /// Whether the page that a descent found has `at` inside.
    pub(super) proof fn lemma_inside(self, at: u64, d: Descent)
        requires
            self.sound(),
            self.is_descent(at as int, 1, d),
            at as int % A::geo().span(1) == 0,
        ensures
            ({
                let span = A::geo().span(d.stop.level as nat);
                let start = at & !((span - 1) as u64);
                &&& self.space().is_at_most(at as int, span)
                &&& if d.entry is Page && start != at {
                    self.has_inside(at as int, d.stop.level as nat)
                } else {
                    self.space().is_at_most(at as int, 0)
                }
            }),
    {
        let (s, l) = (self.space(), d.stop.level as nat);
        let span = A::geo().span(l);
        let start = at & !((span - 1) as u64);
        A::geo().lemma_align_down(at, l);
        A::geo().lemma_span(l);
        self.lemma_cover(at, d, start);
        assert forall|base: int| #[trigger]
            s.pages.contains_key(base) && base < at < base + s.pages[base].size.bytes() implies base
            == start && d.entry is Page && s.pages[base].size.bytes() == span by {
            assert(s.covers(base, at as int));
        }
        if d.entry is Page {
            A::lemma_wf(self.phys_bits(), l, d.word);
            A::lemma_page_size(l);
        }
    }

    /// The page at hand takes one of the tables that are there.
    pub(super) proof fn lemma_needed(self, old: Self, from: int, at: int, left: nat, l: nat)
        requires
            self.sound(),
            self.is_ending(old, from, at, left),
            self.has_inside(at, l),
            1 <= left <= A::geo().levels,
            0 <= from,
            0 <= at,
        ensures
            1 < l <= left,
            tables_below::<A>(from, at, left) >= tables_below::<A>(from, at, (l - 1) as nat) + 1,
    {
        reveal(Tree::is_ending);
        let (s, span) = (self.space(), A::geo().span(l));
        let base = at - at % span;
        A::geo().lemma_decompose(at, l);
        A::geo().lemma_decompose(from, l);
        assert(s.pages.contains_key(base));
        assert(span <= A::geo().span(left));
        if left < l {
            lemma_spans_grow(A::geo(), left, l);
        }
        assert(is_taken::<A>(from, at, l));
        lemma_fewer_below::<A>(from, at, l, left);
    }

    /// What holds between divisions.
    pub(super) proof fn lemma_cutting(self, cut: Cut<M, A, B>, stack: Stack<A>)
        requires
            self.is_cutting(cut, stack),
        ensures
            self.sound(),
            stack.inv(self.phys_bits()),
            self.is_using(stack),
            stack.tables().subset_of(self.frames.held()),
            self.phys_bits() <= A::frame_bits(),
    {
        reveal(Tree::is_cutting);
    }

    /// The tables are there; nothing has been divided.
    pub(super) proof fn lemma_cut_start(self, cut: Cut<M, A, B>, stack: Stack<A>)
        requires
            cut.start.inv(),
            self.unchanged_from(cut.start),
            stack.inv(self.phys_bits()),
            self.is_using(stack),
        ensures
            self.is_cutting(cut, stack),
            self.space() == cut.start.space(),
    {
        reveal(Tree::is_cutting);
        let s = self.space();
        s.lemma_became_self();
        self.lemma_disjoint();
        s.lemma_became(s, s);
    }

    /// Before the first division at an end.
    pub(super) proof fn lemma_end_start(self, from: int, at: int, l: nat)
        requires
            self.space().is_at_most(from, 0),
            self.space().is_at_most(at, A::geo().span(l)),
        ensures
            self.is_ending(self, from, at, l),
    {
        reveal(Tree::is_ending);
        self.space().lemma_coarser_self();
        self.space().cut_at::<A>(at, A::geo().levels as nat).lemma_became_self();
    }

    /// There is none left to divide.
    pub(super) proof fn lemma_end_done(self, old: Self, from: int, at: int, l: nat)
        requires
            self.sound(),
            self.is_ending(old, from, at, l),
            self.space().is_at_most(at, 0),
        ensures
            self.is_cut_at(old, at),
    {
        reveal(Tree::is_ending);
        A::geo().lemma_span(1);
        self.space().lemma_cut_lower::<A>(at, 0, 1, A::geo().levels as nat);
    }

    /// The division of a page of level `l` that has `at` inside.
    spec fn division(self, at: int, l: nat, prop: PageProperty) -> Division {
        let span = A::geo().span(l);
        Division {
            base: at - at % span,
            at,
            whole: A::page_size(l)->0,
            part: A::page_size((l - 1) as nat)->0,
            n: A::geo().entries((l - 1) as nat),
            prop,
        }
    }

    /// It can be made.
    proof fn lemma_division(self, at: int, slot: Slot, was: (PhysAddr, PageProperty))
        requires
            self.sound(),
            0 <= at,
            self.is_slot(at, slot),
            self.has_inside(at, slot.level as nat),
            self.entry_at(at, slot.level as nat) is Page,
            self.entry_at(at, slot.level as nat).may_become(
                Entry::Page { frame: was.0, prop: was.1 },
            ),
        ensures
            self.space().may_divide(self.division(at, slot.level as nat, was.1)),
    {
        let l = slot.level as nat;
        let below = (l - 1) as nat;
        A::lemma_page_size(l);
        A::lemma_page_size(below);
        A::geo().lemma_span(below);
        A::geo().lemma_decompose(at, l);
        lemma_spans_grow(A::geo(), below, l);
        self.lemma_disjoint();
        self.lemma_page_here(at, slot);
    }

    /// One division more.
    pub(super) proof fn lemma_end_step(
        self,
        end: End<M, A, B>,
        trees: (Self, Self, Self),
        at: int,
        levels: (nat, Slot),
        was: (PhysAddr, PageProperty),
        tables_of: (Stack<A>, Stack<A>, FullTable<A>),
    )
        requires
            ({
                let (old, before, base) = trees;
                let (stack_was, stack, full) = tables_of;
                let l = levels.1.level as nat;
                &&& before.is_cutting(end.cut, stack_was)
                &&& before.is_ending(old, end.from, at, levels.0)
                &&& before.has_inside(at, l)
                &&& before.is_slot(at, levels.1)
                &&& before.entry_at(at, l) is Page
                &&& end.is_at(at)
                &&& base.unchanged_from(before)
                &&& base.frames.held() == before.frames.held()
                &&& stack.inv(base.phys_bits())
                &&& stack_was.tables().contains(full.table)
                &&& stack.tables() == stack_was.tables().remove(full.table)
                &&& self.sound()
                &&& self.is_split_page(base, at, l, was)
                &&& tables(self.perms@) == tables(base.perms@).insert(full.table)
                &&& self.frames.held() == base.frames.held()
            }),
        ensures
            self.is_cutting(end.cut, tables_of.1),
            self.is_ending(trees.0, end.from, at, (levels.1.level - 1) as nat),
    {
        reveal(Tree::is_cutting);
        reveal(Tree::is_ending);
        reveal(Tree::is_split_page);
        let (old, before, base) = trees;
        let (stack_was, stack, full) = tables_of;
        let (cut, l) = (end.cut, levels.1.level as nat);
        let (top, mid, now) = (A::geo().levels as nat, before.space(), self.space());
        let d = before.division(at, l, was.1);
        before.lemma_division(at, levels.1, was);
        A::lemma_page_size((l - 1) as nat);
        assert(now == mid.divide(d));
        mid.lemma_coarser(d);
        old.space().lemma_coarser_on(mid, now);
        mid.lemma_still_at_most(now, end.from, 0);
        mid.lemma_cut_step::<A>(d, l);
        old.space().cut_at::<A>(at, top).lemma_became_on(
            mid.cut_at::<A>(at, top),
            now.cut_at::<A>(at, top),
        );
        cut.start.space().lemma_spares(mid, d, cut.lo, cut.hi);
        self.lemma_steps_resemble(base, before, cut);
        assert(self.frames.held() =~= tables(self.perms@).union(stack.tables()));
    }

    /// What is seen of a division resembles what was before.
    proof fn lemma_steps_resemble(self, base: Self, before: Self, cut: Cut<M, A, B>)
        requires
            before.sound(),
            before.keeps_all(cut),
            base.unchanged_from(before),
            self.steps_from(base),
            forall|x: int| #[trigger] base.space().agrees(self.space(), x),
        ensures
            cut.start.space().resembles(self.space()),
            cut.start.trace@.is_prefix_of(self.trace@),
            forall|k: int|
                cut.start.trace@.len() <= k < self.trace@.len() ==> cut.start.space().resembles(
                    space::<A>(#[trigger] self.trace@[k]),
                ),
    {
        let (start, mid, now) = (cut.start.space(), before.space(), self.space());
        before.lemma_disjoint();
        start.lemma_resembles_on(mid, now);
        assert forall|k: int|
            cut.start.trace@.len() <= k < self.trace@.len() implies start.resembles(
            space::<A>(#[trigger] self.trace@[k]),
        ) by {
            let seen = space::<A>(self.trace@[k]);
            if k < before.trace@.len() {
                assert(self.trace@[k] == before.trace@[k]);
            } else if mid.may_become(seen) {
                mid.lemma_became(seen, mid);
                start.lemma_resembles_on(mid, seen);
            }
        }
    }

    /// Both ends lie between pages, and the tables that were left are given back.
    pub(super) proof fn lemma_cut_done(
        self,
        cut: Cut<M, A, B>,
        trees: (Self, Self, Self),
        stack: Stack<A>,
    )
        requires
            ({
                let (reserved, mid, done) = trees;
                &&& cut.lo < cut.hi
                &&& reserved.space() == cut.start.space()
                &&& mid.is_cut_at(reserved, cut.lo)
                &&& done.is_cut_at(mid, cut.hi)
                &&& done.is_cutting(cut, stack)
                &&& self.unchanged_from(done)
                &&& self.frames.held() == done.frames.held().difference(stack.tables())
            }),
        ensures
            self.inv(),
            self.is_cut_from(cut.start, cut.lo, cut.hi),
    {
        reveal(Tree::is_cutting);
        let (reserved, mid, done) = trees;
        let now = self.space();
        mid.space().lemma_still_at_most(now, cut.lo, 0);
        now.lemma_whole(cut.lo, cut.hi);
        cut.start.space().lemma_cut_both::<A>(mid.space(), now, cut.lo, cut.hi);
        assert(self.frames.held() =~= tables(self.perms@));
    }

    /// Where nothing is inside of a page there is nothing to do.
    pub(super) proof fn lemma_cut_nothing(self, at: int)
        requires
            self.sound(),
            self.space().is_at_most(at, 0),
        ensures
            self.is_cut_at(self, at),
    {
        self.space().lemma_coarser_self();
        self.space().lemma_became_self();
        A::geo().lemma_span(1);
        self.space().lemma_cut_lower::<A>(at, 0, 1, A::geo().levels as nat);
    }

    /// The page that is cut, as a user knows it.
    pub(super) proof fn lemma_names_cut(self, range: VirtRange<A>, start: int, size: int)
        requires
            self.is_cut_by(range.first()@, range.first()@ + range.bytes(), start, size),
        ensures
            self.space().is_cut(range.first()@, range.first()@ + range.bytes()),
    {
        assert(self.space().pages.contains_key(start));
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> PageTable<M, A, B> {
    /// If no page is cut, this is what cutting makes of it.
    pub(super) proof fn lemma_uncut(self, lo: int, hi: int)
        requires
            self.owned.tree.inv(),
            lo < hi,
            !self@.is_cut(lo, hi),
        ensures
            self.is_cut_from(self, lo, hi),
    {
        let (s, top) = (self@, A::geo().levels as nat);
        let tree = self.owned.tree;
        s.lemma_became_self();
        tree.lemma_disjoint();
        s.lemma_became(s, s);
        assert(s.is_at_most(lo, 0) && s.is_at_most(hi, 0));
        tree.lemma_cut_nothing(lo);
        tree.lemma_cut_nothing(hi);
        s.lemma_cut_both::<A>(s, s, lo, hi);
    }

    /// What is told of a range whose ends were cut.
    pub(super) proof fn lemma_was_cut(self, old: Self, lo: int, hi: int)
        requires
            old.owned.tree.inv(),
            self.owned.tree.inv(),
            self.owned.tree.is_cut_from(old.owned.tree, lo, hi),
            A::resizes(),
            old@.is_cut(lo, hi),
        ensures
            self.is_cut_from(old, lo, hi),
    {
        let (was, now) = (old.owned.tree, self.owned.tree);
        assert(old.history() =~= self.history().take(old.history().len() as int)) by {
            assert(was.trace@ =~= now.trace@.take(was.trace@.len() as int));
        }
        assert forall|k: int|
            old.history().len() <= k < self.history().len() implies old@.resembles(
            #[trigger] self.history()[k],
        ) by {
            assert(self.history()[k] == space::<A>(now.trace@[k]));
        }
    }
}

} // verus!
