//! A copy has each page of the range once, and the tables set aside for it suffice.

use super::super::chain::Chain;
use super::super::descend::Descent;
use super::super::model::{Model, NodeId, home};
use super::super::perms::tables;
use super::super::scan::Place;
use super::super::scan::proof::lemma_extent;
use super::super::stack::Stack;
use super::super::tree::Tree;
use super::leaf::Leaf;
use super::pages::Copying;
use super::spec::without;
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, Entry, EntryFormat, is_frame_address};
use crate::hw::memory::TableMemory;
use crate::spec::space::copy::is_copy;
use vstd::arithmetic::power2::{lemma_pow2_strictly_increases, pow2};
use vstd::prelude::*;

verus! {

// ---- the pages of the source
impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// What a page's word says.
    pub(super) proof fn lemma_page_word(self, va: int, l: nat)
        requires
            self.sound(),
            self.model().in_range(va),
            self.model().page_at(va, l),
        ensures
            A::page_size(l) matches Some(size) && size.bytes() == A::geo().span(l),
            A::geo().wf(),
            A::supports(self.entry_at(va, l)->Page_prop),
            is_frame_address(self.entry_at(va, l)->frame, self.phys_bits(), A::geo().span(l)),
    {
        let n = home(A::geo(), va, l);
        let i = A::geo().index_of(va, l);
        let m = self.model();
        m.lemma_size::<A>(va, l);
        A::lemma_page_size(l);
        A::geo().lemma_bounds(va, l);
        assert(m.nodes.contains_key(n));
        assert(self.perms@.contains_key(n));
        A::lemma_wf(self.phys_bits(), l, self.perms@[n].words()[i]);
    }

    /// What was read where a page can start is a page.
    pub(super) proof fn lemma_as_leaf(self, va: int, l: nat, entry: Entry)
        requires
            self.sound(),
            self.model().in_range(va),
            1 <= l <= A::geo().levels,
            va % A::geo().span(l) == 0,
            self.perms@.contains_key(home(A::geo(), va, l)),
            self.entry_at(va, l).may_become(entry),
            entry is Page,
        ensures
            A::geo().span(l) < u64::MAX,
            self.is_leaf(
                Leaf {
                    start: va as u64,
                    level: l as u8,
                    span: A::geo().span(l) as u64,
                    frame: entry->frame,
                    prop: entry->Page_prop,
                },
            ),
    {
        let m = self.model();
        assert(m.nodes.contains_key(home(A::geo(), va, l)));
        assert(m.page_at(va, l));
        lemma_extent::<A>(va, l);
        m.lemma_page::<A>(va, l);
        self.lemma_page_word(va, l);
        let was = self.entry_at(va, l)->Page_prop;
        let prop = entry->Page_prop;
        A::lemma_supports(was, prop.accessed, prop.dirty);
    }

    /// What was read is the first page that reaches past `at`.
    pub(super) proof fn lemma_leaf(self, at: int, hi: int, place: Place, entry: Entry)
        requires
            self.sound(),
            self.is_decided(place, entry),
            entry is Page,
            place.va < hi <= A::geo().limit(),
            self.space().is_next(at, place.va as int),
        ensures
            ({
                let span = A::geo().span(place.stop.level as nat);
                let start = place.va - place.va as int % span;
                let leaf = Leaf {
                    start: start as u64,
                    level: place.stop.level,
                    span: span as u64,
                    frame: entry->frame,
                    prop: entry->Page_prop,
                };
                &&& leaf.start == start
                &&& leaf.span == span
                &&& self.is_leaf(leaf)
                &&& self.is_stop(start, place.stop)
                &&& start < hi
                &&& self.space().is_next_page(at, start)
            }),
    {
        let (va, l) = (place.va as int, place.stop.level as nat);
        let start = va - va % A::geo().span(l);
        let m = self.model();
        self.lemma_decided(place, entry);
        lemma_extent::<A>(va, l);
        m.lemma_start(va, l);
        assert(m.nodes.contains_key(home(A::geo(), va, l)));
        assert(m.entry_at(start, l) == m.entry_at(va, l));
        self.lemma_neighbour(place, start);
        self.lemma_as_leaf(start, l, entry);
        assert(self.space().is_free(at, start));
    }

    /// No two pages cover an address: the next one doesn't start before this one's end.
    pub(super) proof fn lemma_alone_in(self, leaf: Leaf, base: int)
        requires
            self.sound(),
            self.is_leaf(leaf),
            self.space().pages.contains_key(base),
            leaf.start <= base < leaf.start + leaf.span,
        ensures
            base == leaf.start,
    {
        let s = self.space();
        self.lemma_disjoint();
        assert(s.covers(leaf.start as int, base));
        assert(s.covers(base, base));
    }

    /// In a range that cuts no page, the next page lies within.
    pub(super) proof fn lemma_in_whole(self, lo: int, at: int, hi: int, leaf: Leaf)
        requires
            self.is_leaf(leaf),
            lo <= at < hi,
            leaf.start < hi,
            !self.space().is_cut(lo, hi),
            self.space().is_next_page(at, leaf.start as int),
        ensures
            lo <= leaf.start,
            leaf.start + leaf.span <= hi,
    {
        assert(self.space().pages.contains_key(leaf.start as int));
    }

    /// The memory of a machine with as many bits reaches all frames.
    pub(super) proof fn lemma_reached(self, lo: int, hi: int, bits: u64)
        requires
            self.inv(),
            self.phys_bits() <= bits,
        ensures
            self.space().is_within(lo, hi, bits),
    {
        reveal(Model::space);
        let s = self.space();
        let m = self.model();
        if self.phys_bits() < bits {
            lemma_pow2_strictly_increases(self.phys_bits() as nat, bits as nat);
        }
        assert forall|base: int|
            lo <= base < hi && #[trigger] s.pages.contains_key(base) implies s.pages[base].frame.0
            + s.pages[base].size.bytes() <= pow2(bits as nat) by {
            let l = m.level_of(base);
            assert(m.page_at(base, l));
            self.lemma_page_word(base, l);
        }
    }

    /// There is no page any more.
    pub(super) proof fn lemma_within(self, lo: int, at: int, hi: int, bits: u64)
        requires
            self.space().is_within(lo, at, bits),
            self.space().is_free(at, hi),
        ensures
            self.space().is_within(lo, hi, bits),
    {
        let s = self.space();
        assert forall|base: int|
            lo <= base < hi && #[trigger] s.pages.contains_key(base) implies s.pages[base].frame.0
            + s.pages[base].size.bytes() <= pow2(bits as nat) by {
            if at <= base {
                s.lemma_free(at, hi, base);
            }
        }
    }

    /// The next page's frame is reached, or is the first that is not.
    pub(super) proof fn lemma_within_next(self, lo: int, at: int, hi: int, bits: u64, leaf: Leaf)
        requires
            self.inv(),
            lo <= at < hi,
            leaf.start < hi,
            !self.space().is_cut(lo, hi),
            self.is_leaf(leaf),
            self.space().is_next_page(at, leaf.start as int),
            self.space().is_within(lo, at, bits),
        ensures
            leaf.start + leaf.span <= hi,
            at < leaf.start + leaf.span,
            leaf.span > 0,
            if leaf.frame.0 + leaf.span <= pow2(bits as nat) {
                self.space().is_within(lo, leaf.start + leaf.span, bits)
            } else {
                self.space().is_first_beyond(lo, hi, bits, leaf.start as int)
            },
    {
        let s = self.space();
        self.lemma_in_whole(lo, at, hi, leaf);
        assert forall|base: int|
            lo <= base < leaf.start + leaf.span && #[trigger] s.pages.contains_key(
                base,
            ) implies base == leaf.start || s.pages[base].frame.0 + s.pages[base].size.bytes()
            <= pow2(bits as nat) by {
            if leaf.start <= base {
                self.lemma_alone_in(leaf, base);
            } else if at <= base {
                s.lemma_free(at, leaf.start as int, base);
            }
        }
    }
}

/// Without some tables there are as many fewer.
proof fn lemma_without<A: EntryFormat>(p: Set<NodeId>, va: int, l: nat, k: nat)
    requires
        l <= k,
        forall|j: nat| l <= j < k ==> p.contains(#[trigger] home(A::geo(), va, j)),
    ensures
        without::<A>(p, va, l, k).len() + (k - l) == p.len(),
    decreases k - l,
{
    if l == k {
        assert(without::<A>(p, va, l, k) =~= p);
    } else {
        let j = (k - 1) as nat;
        let n = home(A::geo(), va, j);
        let q = without::<A>(p, va, l, j);
        lemma_without::<A>(p, va, l, j);
        assert(p.contains(n) && q.contains(n));
        assert(without::<A>(p, va, l, k) =~= q.remove(n));
    }
}

// ---- the copies
impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// What is enough for a tree is enough for one with tables in the same places.
    pub(super) proof fn lemma_served_same(
        self,
        into: Self,
        now: Self,
        p: Set<NodeId>,
        lo: int,
        hi: int,
    )
        requires
            self.is_served(into, p, lo, hi),
            now.perms@.dom() == into.perms@.dom(),
        ensures
            self.is_served(now, p, lo, hi),
    {
        assert forall|x: int, j: nat| lo <= x < hi implies #[trigger] self.is_served_at(
            now,
            p,
            x,
            j,
        ) by {
            assert(self.is_served_at(into, p, x, j));
            let n = home(A::geo(), x, j);
            assert(now.perms@.dom().contains(n) == into.perms@.dom().contains(n));
        }
    }

    /// Before the first page is copied.
    pub(super) proof fn lemma_copy_start(self, c: Copying<M, A, B>, stack: Stack<A>)
        requires
            c.inv(),
            self == c.onto,
            c.from.is_served(self, c.tables, c.lo, c.hi),
            stack.inv(self.phys_bits()),
            self.is_using(stack),
            stack@.len() == c.tables.len(),
        ensures
            self.is_copying(c, stack, c.lo, 0),
    {
        reveal(Tree::is_copied_to);
        let s = c.from.space();
        vstd::set_lib::lemma_len_subset(c.tables.difference(self.perms@.dom()), c.tables);
        assert forall|base: int| #[trigger] s.pages.contains_key(base) && base < c.lo implies base
            + s.pages[base].size.bytes() <= c.lo by {}
    }

    /// What holds between pages.
    pub(super) proof fn lemma_copying(
        self,
        c: Copying<M, A, B>,
        stack: Stack<A>,
        at: int,
        bytes: int,
    )
        requires
            self.is_copying(c, stack, at, bytes),
        ensures
            self.sound(),
            self.phys_bits() == c.onto.phys_bits(),
            stack.inv(self.phys_bits()),
            stack.tables().subset_of(self.frames.held()),
            0 <= bytes <= at - c.lo,
    {
        reveal(Tree::is_copied_to);
    }

    /// The next page lies in what is left.
    pub(super) proof fn lemma_copy_next(
        self,
        c: Copying<M, A, B>,
        stack: Stack<A>,
        at: int,
        bytes: int,
        leaf: Leaf,
    )
        requires
            c.inv(),
            self.is_copying(c, stack, at, bytes),
            c.lo <= at < c.hi,
            c.from.is_leaf(leaf),
            leaf.start < c.hi,
            c.from.space().is_next_page(at, leaf.start as int),
        ensures
            c.is_next(at, leaf),
            0 <= bytes <= at - c.lo,
            leaf.span > 0,
    {
        reveal(Tree::is_copied_to);
        let s = c.from.space();
        c.from.lemma_in_whole(c.lo, at, c.hi, leaf);
        assert(s.pages.contains_key(leaf.start as int));
        A::geo().lemma_span(leaf.level as nat);
    }

    /// Where there is no page, nothing is to be copied.
    pub(super) proof fn lemma_copy_none(
        self,
        c: Copying<M, A, B>,
        stack: Stack<A>,
        at: int,
        then: int,
        bytes: int,
    )
        requires
            c.inv(),
            self.is_copied_to(c, stack, at, bytes),
            c.lo <= at <= then <= c.hi,
            c.from.space().is_free(at, then),
        ensures
            self.is_copied_to(c, stack, then, bytes),
    {
        reveal(Tree::is_copied_to);
        let s = c.from.space();
        assert forall|va: int| at <= va < then implies !s.pages.contains_key(va) by {
            if s.pages.contains_key(va) {
                s.lemma_free(at, then, va);
            }
        }
        assert forall|va: int| at <= va < then implies #[trigger] s.lookup(va) is None by {
            assert(s.translate(va) is None);
        }
        s.lemma_none_mapped(c.lo, at, then);
    }

    /// Nothing is in the way of a copy; if there is a table, its entry is empty, and otherwise enough tables are there.
    pub(super) proof fn lemma_put_next(
        self,
        c: Copying<M, A, B>,
        stack: Stack<A>,
        at: int,
        bytes: int,
        leaf: Leaf,
        d: Descent,
    )
        requires
            c.inv(),
            c.is_next(at, leaf),
            self.is_copying(c, stack, at, bytes),
            self.is_descent(leaf.start as int, leaf.level as nat, d),
        ensures
            self.is_put_next(c, stack, at, bytes, leaf, d),
            leaf.level <= d.stop.level <= A::geo().levels,
            d.stop.level > leaf.level ==> stack@.len() >= d.stop.level - leaf.level,
            self.phys_bits() <= A::frame_bits(),
    {
        reveal(Tree::is_copied_to);
        let (va, l) = (leaf.start as int, leaf.level as nat);
        A::geo().lemma_span(l);
        self.lemma_stopped(leaf, c.hi, d);
        if d.stop.level > leaf.level {
            self.lemma_lacked(c, stack, at, bytes, leaf, d);
        }
    }

    /// The tables that are missing for a page are among those that were counted.
    proof fn lemma_lacked(
        self,
        c: Copying<M, A, B>,
        stack: Stack<A>,
        at: int,
        bytes: int,
        leaf: Leaf,
        d: Descent,
    )
        requires
            c.inv(),
            c.is_next(at, leaf),
            self.is_copying(c, stack, at, bytes),
            self.is_stopped(leaf.start as int, leaf.level as nat, d.stop.level as nat),
        ensures
            ({
                let left = c.tables.difference(self.perms@.dom());
                let (va, l, k) = (leaf.start as int, leaf.level as nat, d.stop.level as nat);
                &&& forall|j: nat| l <= j < k ==> left.contains(#[trigger] home(A::geo(), va, j))
                &&& without::<A>(left, va, l, k).len() + (k - l) == left.len()
                &&& stack@.len() >= left.len()
            }),
    {
        reveal(Tree::is_copied_to);
        let left = c.tables.difference(self.perms@.dom());
        let (va, l, k) = (leaf.start as int, leaf.level as nat, d.stop.level as nat);
        A::geo().lemma_span(l);
        assert forall|j: nat| l <= j < k implies left.contains(
            #[trigger] home(A::geo(), va, j),
        ) by {
            c.from.lemma_has_above(leaf, j);
            assert(c.from.model().page_at(va, l));
            assert(c.from.is_served_at(self, c.tables, va, j));
            assert(!self.perms@.dom().contains(home(A::geo(), va, j)));
        }
        lemma_without::<A>(left, va, l, k);
    }

    /// A copy of a page that can be expressed can be.
    pub(super) proof fn lemma_may_copy(c: Copying<M, A, B>, at: int, leaf: Leaf)
        requires
            c.is_next(at, leaf),
        ensures
            is_frame_address(leaf.frame, c.onto.phys_bits(), leaf.span as int),
            A::supports(c.copied(leaf.prop)),
            Self::preset(Self::copy_of(c, leaf)),
    {
        A::lemma_read_only(leaf.prop);
        A::lemma_supports(leaf.prop, true, true);
        A::lemma_supports(leaf.prop.read_only(), true, true);
    }

    /// One copy more.
    pub(super) proof fn lemma_copied(
        self,
        before: Self,
        c: Copying<M, A, B>,
        was: Stack<A>,
        stack: Stack<A>,
        at: int,
        bytes: int,
        leaf: Leaf,
    )
        requires
            c.inv(),
            c.is_next(at, leaf),
            before.is_copied_to(c, was, at, bytes),
            self.has_put(before, c, leaf),
            stack.inv(self.phys_bits()),
            self.is_using(stack),
            stack@.len() >= c.tables.difference(self.perms@.dom()).len(),
            before.perms@.dom().subset_of(self.perms@.dom()),
        ensures
            self.is_copied_to(c, stack, leaf.start + leaf.span, bytes + leaf.span),
    {
        reveal(Tree::is_copied_to);
        let (va, l, next) = (leaf.start as int, leaf.level as nat, leaf.start + leaf.span);
        let s = c.from.space();
        let (mid, done) = (before.space(), self.space());
        A::geo().lemma_span(l);
        assert(before.is_untranslated(va, c.hi));
        assert(c.onto.is_untranslated(va, c.hi));
        self.lemma_range_on(before, c.onto, c.hi, va, next);
        assert forall|x: int, j: nat| next <= x < c.hi implies #[trigger] c.from.is_served_at(
            self,
            c.tables,
            x,
            j,
        ) by {
            assert(c.from.is_served_at(before, c.tables, x, j));
            let n = home(A::geo(), x, j);
            assert(before.perms@.dom().contains(n) ==> self.perms@.dom().contains(n));
        }
        assert forall|base: int| #[trigger]
            s.pages.contains_key(base) && at <= base < next implies base == va by {
            if base < va {
                s.lemma_free(at, va, base);
            } else {
                c.from.lemma_alone_in(leaf, base);
            }
        }
        assert forall|base: int| #[trigger] s.pages.contains_key(base) && base < next implies base
            + s.pages[base].size.bytes() <= next by {}
        assert forall|x: int| at <= x < va implies #[trigger] s.lookup(x) is None by {
            assert(s.translate(x) is None);
        }
        s.lemma_none_mapped(c.lo, at, va);
        assert forall|x: int| va <= x < next implies #[trigger] s.lookup(x) is Some by {
            assert(s.covers(va, x));
        }
        s.lemma_all_mapped(c.lo, va, next);
        assert(is_copy::<B>(s.pages[va], c.read_only, done.pages[va])) by {
            assert(s.pages[va].prop.may_become(leaf.prop));
        }
    }

    /// A chain of tables from the stack can be linked.
    pub(super) proof fn lemma_copy_chain(
        self,
        before: Self,
        c: Copying<M, A, B>,
        was: Stack<A>,
        at: int,
        bytes: int,
        leaf: Leaf,
        d: Descent,
        stack: Stack<A>,
        chain: Chain<A>,
    )
        requires
            before.is_put_next(c, was, at, bytes, leaf, d),
            d.stop.level > leaf.level,
            self.perms@ == before.perms@,
            self.root == before.root,
            self.trace@ == before.trace@,
            self.phys_bits() == before.phys_bits(),
            chain.inv(self.phys_bits()),
            chain.offset == leaf.start,
            chain.lo == leaf.level,
            chain.hi + 1 == d.stop.level,
            chain.page() == Self::copy_of(c, leaf),
            chain.is_added(stack.tables(), was.tables()),
        ensures
            self.may_hang(leaf.start as int, d, chain),
    {
        reveal(Tree::is_copied_to);
        self.lemma_same_descent(before, leaf.start as int, leaf.level as nat, d);
        assert(self.model() == before.model());
        assert(self.sound());
    }

    /// A copy was put with the tables that were missing.
    pub(super) proof fn lemma_copy_hung(
        self,
        taken: Self,
        before: Self,
        c: Copying<M, A, B>,
        was: Stack<A>,
        at: int,
        bytes: int,
        leaf: Leaf,
        d: Descent,
        stack: Stack<A>,
        chain: Chain<A>,
    )
        requires
            before.is_put_next(c, was, at, bytes, leaf, d),
            d.stop.level > leaf.level,
            taken.perms@ == before.perms@,
            taken.root == before.root,
            taken.trace@ == before.trace@,
            taken.phys_bits() == before.phys_bits(),
            taken.frames.held() == before.frames.held(),
            chain.lo == leaf.level,
            chain.hi + 1 == d.stop.level,
            chain.page() == Self::copy_of(c, leaf),
            chain.is_added(stack.tables(), was.tables()),
            stack.inv(taken.phys_bits()),
            stack@.len() == was@.len() - (d.stop.level - leaf.level),
            self.is_hung_from(taken, leaf.start as int, d, chain),
        ensures
            self.is_copying(c, stack, leaf.start + leaf.span, bytes + leaf.span),
    {
        let (va, l, k) = (leaf.start as int, leaf.level as nat, d.stop.level as nat);
        let left = c.tables.difference(before.perms@.dom());
        before.lemma_copying(c, was, at, bytes);
        // the page
        assert(self.has_put(before, c, leaf)) by {
            reveal(Tree::is_copied_to);
            assert(self.steps_from(before));
            self.lemma_through_page(before);
            assert(before.space().translate(va) is None);
            self.lemma_same_but_page(before, va, l, chain.page());
        }
        // the tables
        assert(self.is_using(stack)) by {
            reveal(Tree::is_copied_to);
            assert(self.frames.held() =~= tables(self.perms@).union(stack.tables()));
        }
        before.lemma_next_stopped(c, was, at, bytes, leaf, d);
        before.lemma_lacked(c, was, at, bytes, leaf, d);
        assert(c.tables.difference(self.perms@.dom()) =~= without::<A>(left, va, l, k)) by {
            assert forall|n: NodeId| #[trigger]
                self.perms@.dom().contains(n) == (before.perms@.dom().contains(n) || l <= n.level
                    < k && n == home(A::geo(), va, n.level)) by {}
        }
        assert(before.perms@.dom().subset_of(self.perms@.dom()));
        self.lemma_copied(before, c, was, stack, at, bytes, leaf);
    }

    /// Where the tables for the next page end.
    proof fn lemma_next_stopped(
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
        ensures
            self.is_stopped(leaf.start as int, leaf.level as nat, d.stop.level as nat),
    {
        reveal(Tree::is_copied_to);
        self.lemma_stopped(leaf, c.hi, d);
    }

    /// The whole range is copied.
    pub(super) proof fn lemma_copy_end(
        self,
        mid: Self,
        c: Copying<M, A, B>,
        stack: Stack<A>,
        bytes: int,
    )
        requires
            mid.is_copying(c, stack, c.hi, bytes),
            self.perms@ == mid.perms@,
            self.root == mid.root,
            self.trace@ == mid.trace@,
            self.phys_bits() == mid.phys_bits(),
            self.frames.held() == mid.frames.held().difference(stack.tables()),
        ensures
            self.inv(),
            c.from.space().may_copy_range::<B>(
                c.lo,
                c.hi,
                c.read_only,
                c.onto.space(),
                self.space(),
            ),
            bytes == c.from.space().mapped_bytes(c.lo, c.hi),
            self.goes_through(c.onto),
    {
        reveal(Tree::is_copied_to);
        assert(self.frames.held() =~= tables(self.perms@));
    }
}

} // verus!
