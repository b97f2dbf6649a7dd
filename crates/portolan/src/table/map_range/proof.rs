//! A range is mapped run by run.

use super::super::chain::Chain;
use super::super::descend::Descent;
use super::super::map::proof::lemma_in_page;
use super::super::model::{NodeId, home};
use super::super::perms::{Perms, space, tables};
use super::super::plan::proof::{
    lemma_ext, lemma_fit_run, lemma_further, lemma_lack_none, lemma_need_run,
};
use super::super::plan::spec::{ext, is_part, lack, need};
use super::super::plan::{InTheWay, Run};
use super::super::stack::Stack;
use super::super::tree::Tree;
use super::Wanted;
use crate::addr::{PageSize, PhysAddr, VirtRange};
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, Entry, EntryFormat, is_frame_address, is_table_address};
use crate::arith::lemma_nth;
use crate::hw::memory::{TableMemory, TablePerm, zeros};
use crate::prop::PageProperty;
use crate::spec::request;
use crate::spec::space::{AddressSpace, fit};
use vstd::arithmetic::power2::pow2;
use vstd::prelude::*;

verus! {

/// A run of pages is the start of a range.
proof fn lemma_range_of_run<A: EntryFormat>(
    space: AddressSpace,
    at: int,
    hi: int,
    frame: int,
    largest: PageSize,
    prop: PageProperty,
    l: nat,
    n: int,
)
    requires
        is_part::<A>(at, hi, frame, largest),
        l == fit::<A>(at, hi, frame, largest, A::geo().levels as nat),
        1 <= l <= A::geo().levels,
        0 <= n,
        A::geo().index_of(at, l) + n <= A::geo().entries(l),
        at + n * A::geo().span(l) <= hi,
    ensures
        space.map_run(at, frame, A::page_size(l)->0, n as nat, prop).map_range::<A>(
            at + n * A::geo().span(l),
            hi,
            frame + n * A::geo().span(l),
            largest,
            prop,
        ) == space.map_range::<A>(at, hi, frame, largest, prop),
    decreases n,
{
    let s = A::geo().span(l);
    A::geo().lemma_span(l);
    if n == 0 {
        assert(0 * s == 0);
    } else {
        let j = n - 1;
        lemma_nth(j, n, s);
        lemma_range_of_run::<A>(space, at, hi, frame, largest, prop, l, j);
        lemma_fit_run::<A>(at, hi, frame, largest, l, j);
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// Without tables set aside.
    pub(super) proof fn lemma_unused(self, stack: Stack<A>)
        requires
            self.accounted(),
            stack.tables() == Set::<PhysAddr>::empty(),
        ensures
            self.is_using(stack),
            self.unchanged_from(self),
    {
        assert(self.frames.held() =~= tables(self.perms@).union(stack.tables()));
    }

    /// A new frame isn't in the stack.
    pub(super) proof fn lemma_fresh(
        self,
        before: Self,
        stack: Stack<A>,
        table: PhysAddr,
        perm: TablePerm,
    )
        requires
            before.is_using(stack),
            stack.inv(self.phys_bits()),
            perm.addr() == table,
            perm.level() == 1,
            perm.words() == zeros::<A>(),
            is_table_address::<A>(table, self.phys_bits()),
            !before.frames.held().contains(table),
            A::geo().wf(),
        ensures
            stack.may_push(self.phys_bits(), table, perm),
    {
    }

    /// One more table set aside.
    pub(super) proof fn lemma_one_more(
        self,
        before: Self,
        was: Stack<A>,
        stack: Stack<A>,
        table: PhysAddr,
    )
        requires
            before.is_using(was),
            !before.frames.held().contains(table),
            self.frames.held() == before.frames.held().insert(table),
            self.perms@ == before.perms@,
            stack.tables() == was.tables().insert(table),
        ensures
            self.is_using(stack),
    {
        assert(self.frames.held() =~= tables(self.perms@).union(stack.tables()));
    }

    /// What was set aside is given back.
    pub(super) proof fn lemma_given_back(self, before: Self, stack: Stack<A>)
        requires
            before.is_using(stack),
            self.perms@ == before.perms@,
            self.frames.held() == before.frames.held().difference(stack.tables()),
        ensures
            self.accounted(),
    {
        assert(self.frames.held() =~= tables(self.perms@));
    }

    /// Setting tables aside changes nothing else.
    pub(crate) proof fn lemma_reserved(self, old: Self, stack: Stack<A>, va: int, hi: int)
        requires
            old.inv(),
            self.unchanged_from(old),
            old.is_untranslated(va, hi),
        ensures
            self.sound(),
            self.is_untranslated(va, hi),
    {
    }

    /// Nor does it count as a step.
    pub(crate) proof fn lemma_all(self, old: Self, reserved: Self)
        requires
            reserved.unchanged_from(old),
            self.goes_through(reserved),
        ensures
            self.goes_through(old),
    {
    }

    /// Before the first run.
    pub(super) proof fn lemma_range_start(self, stack: Stack<A>, w: Wanted)
        requires
            self.sound(),
            self.is_wanted(w),
            stack.inv(self.phys_bits()),
            self.is_using(stack),
            stack@.len() == need::<A>(self.perms@.dom(), w.va, w.hi, w.frame, w.largest),
        ensures
            self.is_mapping(self, stack, w, w.va),
    {
        reveal(Tree::is_mapping);
    }

    /// What holds between runs.
    pub(super) proof fn lemma_mapping(self, tree: Self, stack: Stack<A>, w: Wanted, at: int)
        requires
            self.is_mapping(tree, stack, w, at),
        ensures
            self.sound(),
            self.phys_bits() == tree.phys_bits(),
            stack.inv(self.phys_bits()),
            stack.tables().subset_of(self.frames.held()),
            at < w.hi <= A::geo().limit() ==> at < A::geo().limit(),
    {
        reveal(Tree::is_mapping);
    }

    /// Nothing is in the way of a run; if there is a table, its entries are empty, and otherwise enough tables are there.
    pub(super) proof fn lemma_range_run(
        self,
        tree: Self,
        stack: Stack<A>,
        w: Wanted,
        at: int,
        d: Descent,
        run: Run,
    )
        requires
            tree.sound(),
            tree.is_wanted(w),
            w.va <= at < w.hi,
            self.is_mapping(tree, stack, w, at),
            is_part::<A>(at, w.hi, w.frame + (at - w.va), w.largest),
            run.is_at::<A>(at, w.hi, w.frame + (at - w.va), w.largest),
            self.is_descent(at, run.level as nat, d),
        ensures
            self.is_next(tree, stack, w, at, d, run),
            run.level <= d.stop.level <= A::geo().levels,
            d.stop.level == run.level ==> self.may_fill(
                at,
                d,
                run.pages as int,
                w.frame + (at - w.va),
                w.prop,
            ),
            d.stop.level > run.level ==> stack@.len() >= d.stop.level - run.level,
            is_frame_address(
                PhysAddr((w.frame + (at - w.va)) as u64),
                self.phys_bits(),
                A::geo().span(run.level as nat),
            ),
            self.phys_bits() <= A::frame_bits(),
            A::page_size(run.level as nat) is Some,
            A::supports(w.prop),
    {
        reveal(Tree::is_mapping);
        let geo = A::geo();
        let (l, k) = (run.level as nat, d.stop.level as nat);
        let next = w.frame + (at - w.va);
        let s = geo.span(l);
        let m = self.model();
        A::lemma_page_size(l);
        geo.lemma_span(l);
        lemma_nth(0, run.pages as int, s);
        vstd::arithmetic::power2::lemma2_to64_rest();
        if A::frame_bits() < 56 {
            vstd::arithmetic::power2::lemma_pow2_strictly_increases(A::frame_bits() as nat, 56);
        }
        self.lemma_vacant_entry(at, w.hi, l, d);
        if k == l {
            self.lemma_vacant_run(at, l, run.pages as int);
        } else {
            self.lemma_lack_stopped(at, l, d);
            lemma_need_run::<A>(self.perms@.dom(), at, w.hi, next, w.largest, l, 1);
        }
    }

    /// What a descent meets where nothing is mapped is empty.
    pub(crate) proof fn lemma_vacant_entry(self, at: int, hi: int, l: nat, d: Descent)
        requires
            self.sound(),
            self.is_descent(at, l, d),
            1 <= l,
            A::page_size(l) is Some,
            at % A::geo().span(l) == 0,
            at + A::geo().span(l) <= hi,
            self.is_untranslated(at, hi),
        ensures
            d.entry is Empty,
    {
        if !(d.entry is Empty) {
            self.lemma_obstacle(at, l, d);
            assert(self.space().overlaps(at, A::geo().span(l)));
            let x = choose|x: int|
                at <= x < at + A::geo().span(l) && #[trigger] self.space().lookup(x) is Some;
            assert(self.space().translate(x) is None);
        }
    }

    /// Entries of addresses that are not translated are not in use.
    pub(crate) proof fn lemma_vacant_run(self, at: int, l: nat, n: int)
        requires
            self.sound(),
            self.model().in_range(at),
            1 <= l <= A::geo().levels,
            A::page_size(l) is Some,
            at % A::geo().span(l) == 0,
            self.perms@.contains_key(home(A::geo(), at, l)),
            0 <= n,
            A::geo().index_of(at, l) + n <= A::geo().entries(l),
            self.is_untranslated(at, at + n * A::geo().span(l)),
        ensures
            self.is_vacant_run(at, l, n),
    {
        let geo = A::geo();
        let s = geo.span(l);
        let i = geo.index_of(at, l);
        let m = self.model();
        geo.lemma_span(l);
        A::lemma_pins();
        assert forall|j: int| i <= j < i + n implies !#[trigger] self.is_used_at(at, l, j) by {
            let k = j - i;
            let x = at + k * s;
            self.lemma_nth_at(at, l, k);
            lemma_nth(k, n, s);
            assert(m.nodes.contains_key(home(geo, x, l)));
            if m.entry_at(x, l) is Page {
                m.lemma_stop(x, l);
                m.lemma_lookup::<A>(x);
                assert(self.space().translate(x) is None);
            } else if m.entry_at(x, l) is Table {
                m.lemma_below(x, l);
                let y = choose|y: int|
                    x - x % s <= y < x - x % s + s && m.in_range(y) && #[trigger] m.is_mapped(y);
                m.lemma_lookup::<A>(y);
                assert(self.space().translate(y) is None);
            }
        }
    }

    /// As many tables are missing as there are levels between.
    proof fn lemma_lack_stopped(self, at: int, l: nat, d: Descent)
        requires
            self.sound(),
            self.is_descent(at, l, d),
            d.entry is Empty,
            1 <= l < d.stop.level,
        ensures
            lack::<A>(self.perms@.dom(), at, l) == d.stop.level - l,
    {
        let geo = A::geo();
        let k = d.stop.level as nat;
        let m = self.model();
        assert(m.nodes.contains_key(home(geo, at, k)));
        m.lemma_stop(at, k);
        assert forall|j: nat| k <= j < geo.levels implies self.perms@.dom().contains(
            #[trigger] home(geo, at, j),
        ) by {
            if k < j {
                m.lemma_chain(at, k, j);
                assert(m.nodes.contains_key(home(geo, at, j)));
            }
        }
        lemma_lack_none::<A>(self.perms@.dom(), at, k);
        assert forall|j: nat| l <= j < k implies !self.perms@.dom().contains(
            #[trigger] home(geo, at, j),
        ) by {
            assert(!m.nodes.contains_key(home(geo, at, j)));
        }
        lemma_lack_all::<A>(self.perms@.dom(), at, l, k);
    }

    /// A run was filled.
    pub(super) proof fn lemma_range_filled(
        self,
        before: Self,
        tree: Self,
        stack: Stack<A>,
        w: Wanted,
        at: int,
        d: Descent,
        run: Run,
    )
        requires
            before.is_next(tree, stack, w, at, d, run),
            d.stop.level == run.level,
            self.sound(),
            self.is_filled_from(
                before,
                at,
                run.level as nat,
                run.pages as nat,
                w.frame + (at - w.va),
                w.prop,
            ),
        ensures
            self.is_mapping(tree, stack, w, at + run.bytes),
    {
        reveal(Tree::is_mapping);
        let l = run.level as nat;
        let next = w.frame + (at - w.va);
        let p = self.perms@.dom();
        lemma_first_of_run::<A>(at, w.hi, next, w.largest, run);
        lemma_need_run::<A>(p, at, w.hi, next, w.largest, l, run.pages as int);
        before.lemma_all_there(at, l, d);
        lemma_lack_none::<A>(p, at, l);
        lemma_range_of_run::<A>(
            before.space(),
            at,
            w.hi,
            next,
            w.largest,
            w.prop,
            l,
            run.pages as int,
        );
        self.lemma_range_on(before, tree, w.hi, at, at + run.bytes);
    }

    /// Where a descent arrives, all tables are there.
    proof fn lemma_all_there(self, at: int, l: nat, d: Descent)
        requires
            self.sound(),
            self.is_descent(at, l, d),
            d.stop.level == l,
        ensures
            forall|k: nat|
                l <= k < A::geo().levels ==> self.perms@.dom().contains(
                    #[trigger] home(A::geo(), at, k),
                ),
    {
        let m = self.model();
        assert(m.nodes.contains_key(home(A::geo(), at, l)));
        assert forall|k: nat| l <= k < A::geo().levels implies self.perms@.dom().contains(
            #[trigger] home(A::geo(), at, k),
        ) by {
            if l < k {
                m.lemma_chain(at, l, k);
                assert(m.nodes.contains_key(home(A::geo(), at, k)));
            }
        }
    }

    /// More of the range is mapped, by steps on the way.
    pub(crate) proof fn lemma_range_on(self, before: Self, tree: Self, hi: int, at: int, then: int)
        requires
            tree.is_untranslated(at, hi),
            at < then <= hi,
            before.goes_through(tree),
            self.goes_through(before),
            before.is_untranslated(at, hi),
            self.is_same_outside(before, at, then),
        ensures
            self.goes_through(tree),
            self.is_untranslated(then, hi),
    {
        assert forall|x: int| at <= x < then implies #[trigger] tree.space().translate(x) is None
            && before.space().translate(x) is None by {}
        tree.space().lemma_goes_on(before.space(), self.space(), at, then);
        self.lemma_through_steps(before, tree);
        assert forall|x: int| then <= x < hi implies #[trigger] self.space().translate(
            x,
        ) is None by {
            assert(self.space().translate(x) == before.space().translate(x));
        }
    }

    /// A chain of tables from the stack can be linked.
    pub(super) proof fn lemma_range_chain(
        self,
        before: Self,
        was: Stack<A>,
        stack: Stack<A>,
        tree: Self,
        w: Wanted,
        at: int,
        d: Descent,
        run: Run,
        chain: Chain<A>,
    )
        requires
            before.is_next(tree, was, w, at, d, run),
            d.stop.level > run.level,
            self.perms@ == before.perms@,
            self.root == before.root,
            self.trace@ == before.trace@,
            self.phys_bits() == before.phys_bits(),
            chain.inv(self.phys_bits()),
            chain.offset == at,
            chain.lo == run.level,
            chain.hi + 1 == d.stop.level,
            chain.page() == (Entry::Page {
                frame: PhysAddr((w.frame + (at - w.va)) as u64),
                prop: w.prop,
            }),
            chain.is_added(stack.tables(), was.tables()),
        ensures
            self.may_hang(at, d, chain),
    {
        reveal(Tree::is_mapping);
        self.lemma_same_descent(before, at, run.level as nat, d);
        assert(self.model() == before.model());
        assert(self.sound());
    }

    /// A page was mapped with the tables that were missing.
    pub(super) proof fn lemma_range_hung(
        self,
        taken: Self,
        before: Self,
        was: Stack<A>,
        tree: Self,
        stack: Stack<A>,
        w: Wanted,
        at: int,
        d: Descent,
        run: Run,
        chain: Chain<A>,
    )
        requires
            before.is_next(tree, was, w, at, d, run),
            d.stop.level > run.level,
            taken.perms@ == before.perms@,
            taken.root == before.root,
            taken.trace@ == before.trace@,
            taken.phys_bits() == before.phys_bits(),
            taken.frames.held() == before.frames.held(),
            chain.lo == run.level,
            chain.hi + 1 == d.stop.level,
            chain.page() == (Entry::Page {
                frame: PhysAddr((w.frame + (at - w.va)) as u64),
                prop: w.prop,
            }),
            chain.is_added(stack.tables(), was.tables()),
            stack.inv(taken.phys_bits()),
            stack@.len() == was@.len() - (d.stop.level - run.level),
            self.is_hung_from(taken, at, d, chain),
        ensures
            self.is_mapping(tree, stack, w, at + A::geo().span(run.level as nat)),
    {
        reveal(Tree::is_mapping);
        let geo = A::geo();
        let l = run.level as nat;
        let s = geo.span(l);
        let next = w.frame + (at - w.va);
        let p = before.perms@.dom();
        let q = self.perms@.dom();
        A::lemma_page_size(l);
        geo.lemma_span(l);
        lemma_first_of_run::<A>(at, w.hi, next, w.largest, run);
        before.lemma_lack_stopped(at, l, d);
        lemma_need_run::<A>(p, at, w.hi, next, w.largest, l, 1);
        assert(1 * s == s);
        assert(q =~= ext::<A>(p, at, l)) by {
            assert forall|n: NodeId| #[trigger] q.contains(n) == ext::<A>(p, at, l).contains(n) by {
                lemma_ext::<A>(p, at, l, n);
                if d.stop.level <= n.level < geo.levels && n == home(geo, at, n.level) {
                    before.lemma_above(at, d, n);
                }
            }
        }
        // the space
        let e = chain.page();
        assert(self.space() == before.space().map(
            at,
            PhysAddr(next as u64),
            Self::size(l),
            w.prop,
        ));
        // the steps
        assert(self.steps_from(before));
        self.lemma_through_page(before);
        assert(before.space().translate(at) is None);
        self.lemma_same_but_page(before, at, l, e);
        self.lemma_range_on(before, tree, w.hi, at, at + s);
        // the frames
        assert(self.frames.held() =~= tables(self.perms@).union(stack.tables()));
    }

    /// The tables above where a descent ended are there.
    pub(crate) proof fn lemma_above(self, at: int, d: Descent, n: NodeId)
        requires
            self.sound(),
            self.is_stop(at, d.stop),
            d.stop.level <= n.level < A::geo().levels,
            n == home(A::geo(), at, n.level),
        ensures
            self.perms@.dom().contains(n),
    {
        let k = d.stop.level as nat;
        let m = self.model();
        assert(m.nodes.contains_key(home(A::geo(), at, k)));
        if k < n.level {
            m.lemma_chain(at, k, n.level);
            assert(m.nodes.contains_key(n));
        }
    }

    /// The whole range is mapped.
    pub(super) proof fn lemma_range_end(self, mid: Self, tree: Self, stack: Stack<A>, w: Wanted)
        requires
            mid.is_mapping(tree, stack, w, w.hi),
            self.perms@ == mid.perms@,
            self.root == mid.root,
            self.trace@ == mid.trace@,
            self.phys_bits() == mid.phys_bits(),
            self.frames.held() == mid.frames.held().difference(stack.tables()),
        ensures
            self.inv(),
            self.space() == tree.space().map_range::<A>(w.va, w.hi, w.frame, w.largest, w.prop),
            self.goes_through(tree),
    {
        reveal(Tree::is_mapping);
        assert(self.frames.held() =~= tables(self.perms@));
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// The checks say that the range can be mapped.
    pub(super) proof fn lemma_check_range(
        self,
        range: VirtRange<A>,
        frame: PhysAddr,
        largest: PageSize,
        prop: PageProperty,
    )
        requires
            self.inv(),
            request::check_map_range(self.phys_bits(), range, frame, largest, prop) is None,
        ensures
            ({
                let lo = range.first()@;
                &&& range.bytes() > 0 ==> self.may_map_range(
                    lo,
                    lo + range.bytes(),
                    frame.0 as int,
                    largest,
                    prop,
                )
                &&& lo + range.bytes() <= u64::MAX
            }),
    {
        let geo = A::geo();
        let s = geo.span(1);
        let (lo, n) = (range.first()@, range.bytes() as int);
        A::lemma_geometry();
        A::lemma_page_size(1);
        geo.lemma_span(1);
        geo.lemma_span(geo.levels as nat);
        vstd::arithmetic::power2::lemma2_to64_rest();
        geo.lemma_hardware_index(range.first().raw() as int, 1);
        vstd::arithmetic::div_mod::lemma_mod_bound(range.first().raw() as int, geo.limit());
        lemma_sum_aligned(lo, n, s);
        if self.phys_bits() < A::frame_bits() {
            vstd::arithmetic::power2::lemma_pow2_strictly_increases(
                self.phys_bits() as nat,
                A::frame_bits() as nat,
            );
        }
    }

    /// In what an entry covers that is in use something is mapped.
    pub(crate) proof fn lemma_not_free(self, at: int, l: nat)
        requires
            self.sound(),
            self.model().in_range(at),
            1 <= l <= A::geo().levels,
            self.perms@.contains_key(home(A::geo(), at, l)),
            !(self.entry_at(at, l) is Empty),
            A::pins() ==> l < A::geo().levels,
        ensures
            !self.space().is_free(
                at - at % A::geo().span(l),
                at - at % A::geo().span(l) + A::geo().span(l),
            ),
    {
        let geo = A::geo();
        let span = geo.span(l);
        let m = self.model();
        geo.lemma_span(l);
        vstd::arithmetic::div_mod::lemma_mod_bound(at, span);
        assert(m.nodes.contains_key(home(geo, at, l)));
        if m.entry_at(at, l) is Page {
            m.lemma_stop(at, l);
            m.lemma_lookup::<A>(at);
            assert(self.space().translate(at) is Some);
        } else {
            m.lemma_below(at, l);
            let y = choose|y: int|
                at - at % span <= y < at - at % span + span && m.in_range(y)
                    && #[trigger] m.is_mapped(y);
            m.lemma_lookup::<A>(y);
            assert(self.space().translate(y) is Some);
        }
    }

    /// What a user is told of what is in the way.
    pub(super) proof fn lemma_first_in_the_way(self, range: VirtRange<A>, what: InTheWay)
        requires
            self.inv(),
            range.first()@ + range.bytes() <= A::geo().limit(),
            self.is_in_the_way(range.first()@, range.first()@ + range.bytes(), what),
            range.first().raw() + range.bytes() - 1 <= u64::MAX,
        ensures
            ({
                let span = A::geo().span(what.level as nat);
                let raw = range.first().raw() + (what.at - range.first()@);
                &&& raw <= u64::MAX
                &&& 0 < span <= u64::MAX
                &&& raw as u64 & !((span - 1) as u64) == raw - raw % span
                &&& request::is_first_in_the_way(
                    self.space(),
                    range,
                    (raw - raw % span) as u64,
                    span as u64,
                )
            }),
    {
        let geo = A::geo();
        let l = what.level as nat;
        let at = what.at as int;
        let span = geo.span(l);
        let raw = range.first().raw() + (at - range.first()@);
        geo.lemma_span(l);
        geo.lemma_align_down(raw as u64, l);
        vstd::arithmetic::div_mod::lemma_mod_bound(raw, span);
        self.lemma_not_free(at, l);
        vstd::arithmetic::power2::lemma2_to64_rest();
        lemma_nth(0, geo.entries(l), span);
        let size = span as u64;
        let addr = (raw - raw % span) as u64;
        assert(size == span && addr == raw - raw % (size as int));
        assert(self.space().is_free(range.first()@, at));
    }

    /// What the steps are to a user.
    pub(crate) proof fn lemma_range_mapped(self, old: Self)
        requires
            self.goes_through(old),
        ensures
            ({
                let (was, now) = (
                    old.trace@.map_values(|perms: Perms| space::<A>(perms)),
                    self.trace@.map_values(|perms: Perms| space::<A>(perms)),
                );
                &&& was.is_prefix_of(now)
                &&& forall|k: int|
                    was.len() <= k < now.len() ==> old.space().passes(
                        #[trigger] now[k],
                        self.space(),
                    )
            }),
    {
        let (was, now) = (
            old.trace@.map_values(|perms: Perms| space::<A>(perms)),
            self.trace@.map_values(|perms: Perms| space::<A>(perms)),
        );
        assert(was =~= now.subrange(0, was.len() as int));
    }
}

/// The sum of multiples is one.
proof fn lemma_sum_aligned(a: int, b: int, s: int)
    requires
        s > 0,
        a % s == 0,
        b % s == 0,
    ensures
        (a + b) % s == 0,
{
    vstd::arithmetic::div_mod::lemma_add_mod_noop(a, b, s);
    vstd::arithmetic::div_mod::lemma_small_mod(0, s as nat);
}

/// None of these tables is there.
proof fn lemma_lack_all<A: EntryFormat>(p: Set<NodeId>, at: int, l: nat, k: nat)
    requires
        l <= k <= A::geo().levels,
        forall|j: nat| l <= j < k ==> !p.contains(#[trigger] home(A::geo(), at, j)),
        lack::<A>(p, at, k) == 0,
    ensures
        lack::<A>(p, at, l) == k - l,
    decreases k - l,
{
    if l < k {
        assert(!p.contains(home(A::geo(), at, l)));
        lemma_lack_all::<A>(p, at, l + 1, k);
    }
}

/// After the first page of a run, and after all of it, the rest is a range.
pub(super) proof fn lemma_first_of_run<A: EntryFormat>(
    at: int,
    hi: int,
    frame: int,
    largest: PageSize,
    run: Run,
)
    requires
        is_part::<A>(at, hi, frame, largest),
        run.is_at::<A>(at, hi, frame, largest),
    ensures
        0 < A::geo().span(run.level as nat) <= run.bytes,
        at + A::geo().span(run.level as nat) <= hi,
        at + A::geo().span(run.level as nat) < hi ==> is_part::<A>(
            at + A::geo().span(run.level as nat),
            hi,
            frame + A::geo().span(run.level as nat),
            largest,
        ),
        frame + A::geo().span(run.level as nat) <= u64::MAX,
        at + 1 * A::geo().span(run.level as nat) <= hi,
{
    let l = run.level as nat;
    let s = A::geo().span(l);
    A::geo().lemma_span(l);
    lemma_nth(0, run.pages as int, s);
    if at + s < hi {
        lemma_further::<A>(at, hi, frame, largest, l, 1);
    }
}

} // verus!
