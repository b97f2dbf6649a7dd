//! The plan of a range counts what mapping it takes.

use super::super::descend::Descent;
use super::super::model::{NodeId, home};
use super::super::tree::Tree;
use super::spec::{ext, is_part, lack, need};
use super::{InTheWay, Run};
use crate::addr::PageSize;
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, Entry, EntryFormat};
use crate::arch::geometry::Geometry;
use crate::arith::{lemma_below, lemma_fits_in, lemma_next, lemma_nth, lemma_room, lemma_sum};
use crate::hw::memory::TableMemory;
use crate::spec::space::{fit, fits};
use vstd::arithmetic::div_mod::{lemma_mod_multiples_vanish, lemma_small_mod};
use vstd::arithmetic::power2::pow2;
use vstd::prelude::*;

verus! {

// ---- the pages
/// What fits is the highest that does.
pub(crate) proof fn lemma_fit<A: EntryFormat>(
    at: int,
    hi: int,
    frame: int,
    largest: PageSize,
    l: nat,
)
    requires
        is_part::<A>(at, hi, frame, largest),
        1 <= l <= A::geo().levels,
    ensures
        1 <= fit::<A>(at, hi, frame, largest, l) <= l,
        fits::<A>(at, hi, frame, largest, fit::<A>(at, hi, frame, largest, l)),
        forall|m: nat|
            fit::<A>(at, hi, frame, largest, l) < m <= l ==> !#[trigger] fits::<A>(
                at,
                hi,
                frame,
                largest,
                m,
            ),
    decreases l,
{
    if l <= 1 {
        A::lemma_page_size(1);
        let s = A::geo().span(1);
        A::geo().lemma_span(1);
        lemma_gap(at, hi, s);
    } else if !fits::<A>(at, hi, frame, largest, l) {
        lemma_fit::<A>(at, hi, frame, largest, (l - 1) as nat);
    }
}

/// Between two multiples there is room for one.
pub(crate) proof fn lemma_gap(at: int, hi: int, s: int)
    requires
        s > 0,
        at < hi,
        at % s == 0,
        hi % s == 0,
    ensures
        at + s <= hi,
{
    vstd::arithmetic::div_mod::lemma_fundamental_div_mod(at, s);
    vstd::arithmetic::div_mod::lemma_fundamental_div_mod(hi, s);
    lemma_below(at / s, hi / s, s);
}

/// A multiple of what an upper entry covers is one of what a table covers.
proof fn lemma_aligned_above(geo: Geometry, x: int, l: nat, m: nat)
    requires
        geo.wf(),
        1 <= l < m <= geo.levels,
        x % geo.span(m) == 0,
    ensures
        x % geo.cover(l) == 0,
{
    let k = (m - 1) as nat;
    geo.lemma_span(k);
    geo.lemma_span(l);
    if l < k {
        geo.lemma_multiple_below(x, l + 1, k);
    }
}

/// The pages of a run all fit, and none larger.
pub(crate) proof fn lemma_fit_run<A: EntryFormat>(
    at: int,
    hi: int,
    frame: int,
    largest: PageSize,
    l: nat,
    j: int,
)
    requires
        is_part::<A>(at, hi, frame, largest),
        l == fit::<A>(at, hi, frame, largest, A::geo().levels as nat),
        0 <= j,
        A::geo().index_of(at, l) + j < A::geo().entries(l),
        at + (j + 1) * A::geo().span(l) <= hi,
    ensures
        fit::<A>(
            at + j * A::geo().span(l),
            hi,
            frame + j * A::geo().span(l),
            largest,
            A::geo().levels as nat,
        ) == l,
        is_part::<A>(at + j * A::geo().span(l), hi, frame + j * A::geo().span(l), largest),
        1 <= l <= A::geo().levels,
        A::page_size(l) matches Some(size) && size.bytes() == A::geo().span(l),
{
    let geo = A::geo();
    lemma_fit::<A>(at, hi, frame, largest, geo.levels as nat);
    let s = geo.span(l);
    let x = at + j * s;
    A::lemma_page_size(l);
    geo.lemma_span(l);
    lemma_next(j, s);
    lemma_further::<A>(at, hi, frame, largest, l, j);
    lemma_fit::<A>(x, hi, frame + j * s, largest, geo.levels as nat);
    assert(fits::<A>(x, hi, frame + j * s, largest, l));
    let r = fit::<A>(x, hi, frame + j * s, largest, geo.levels as nat);
    if j == 0 {
        assert(0 * s == 0);
    } else if r > l {
        A::lemma_page_size(r);
        assert(fits::<A>(x, hi, frame + j * s, largest, r));
        lemma_aligned_above(geo, x, l, r);
        geo.lemma_index_zero(x, l);
        lemma_index_further(geo, at, l, j);
    }
}

/// Some pages further on, addresses and frames are aligned as before.
pub(crate) proof fn lemma_further<A: EntryFormat>(
    at: int,
    hi: int,
    frame: int,
    largest: PageSize,
    l: nat,
    j: int,
)
    requires
        is_part::<A>(at, hi, frame, largest),
        1 <= l <= A::geo().levels,
        fits::<A>(at, hi, frame, largest, l),
        0 <= j,
        at + j * A::geo().span(l) < hi,
    ensures
        is_part::<A>(at + j * A::geo().span(l), hi, frame + j * A::geo().span(l), largest),
        at % A::geo().span(l) == 0,
        (at + j * A::geo().span(l)) % A::geo().span(l) == 0,
        (frame + j * A::geo().span(l)) % A::geo().span(l) == 0,
        A::geo().span(l) > 0,
        (j + 1) * A::geo().span(l) == j * A::geo().span(l) + A::geo().span(l),
        j * A::geo().span(l) >= 0,
{
    let geo = A::geo();
    let s = geo.span(l);
    A::lemma_page_size(l);
    geo.lemma_span(l);
    geo.lemma_span(1);
    lemma_mod_multiples_vanish(j, at, s);
    lemma_mod_multiples_vanish(j, frame, s);
    lemma_nth(j, j + 1, s);
    lemma_smallest(geo, at + j * s, l);
    lemma_smallest(geo, frame + j * s, l);
}

/// A multiple of a larger page's size is one of the smallest's.
pub(crate) proof fn lemma_smallest(geo: Geometry, x: int, l: nat)
    requires
        geo.wf(),
        1 <= l <= geo.levels,
        x % geo.span(l) == 0,
    ensures
        x % geo.span(1) == 0,
{
    if l > 1 {
        let k = (l - 1) as nat;
        geo.lemma_span(k);
        geo.lemma_multiple_below(x, 1, k);
    }
}

/// The index of the `j`-th entry further on.
proof fn lemma_index_further(geo: Geometry, at: int, l: nat, j: int)
    requires
        geo.wf(),
        1 <= l <= geo.levels,
        0 <= at,
        at % geo.span(l) == 0,
        0 <= j,
        geo.index_of(at, l) + j < geo.entries(l),
    ensures
        geo.index_of(at + j * geo.span(l), l) == geo.index_of(at, l) + j,
        geo.base(at + j * geo.span(l), l) == geo.base(at, l),
{
    let s = geo.span(l);
    let i = geo.index_of(at, l);
    let b = geo.base(at, l);
    geo.lemma_bounds(at, l);
    geo.lemma_span(l);
    geo.lemma_decompose(at, l);
    lemma_sum(i, j, s);
    lemma_nth(i + j, i + j + 1, s);
    geo.lemma_slot(at + j * s, l, b, i + j);
}

/// A run is as long as the table and the range allow.
pub(super) proof fn lemma_run<A: EntryFormat>(
    at: int,
    hi: int,
    frame: int,
    largest: PageSize,
    left: int,
)
    requires
        is_part::<A>(at, hi, frame, largest),
        ({
            let l = fit::<A>(at, hi, frame, largest, A::geo().levels as nat);
            left == A::geo().entries(l) - A::geo().index_of(at, l)
        }),
    ensures
        ({
            let l = fit::<A>(at, hi, frame, largest, A::geo().levels as nat);
            let s = A::geo().span(l);
            let n = if (hi - at) / s < left {
                (hi - at) / s
            } else {
                left
            };
            &&& 1 <= l <= A::geo().levels
            &&& fits::<A>(at, hi, frame, largest, l)
            &&& A::page_size(l) matches Some(size) && size.bytes() == s
            &&& s > 0
            &&& 1 <= n <= left <= 8192
            &&& at + n * s <= hi
            &&& 0 <= n * s <= u64::MAX
            &&& at + n * s < hi ==> is_part::<A>(at + n * s, hi, frame + n * s, largest)
            &&& frame + n * s <= u64::MAX
        }),
{
    let geo = A::geo();
    lemma_fit::<A>(at, hi, frame, largest, geo.levels as nat);
    let l = fit::<A>(at, hi, frame, largest, geo.levels as nat);
    let s = geo.span(l);
    A::lemma_page_size(l);
    geo.lemma_span(l);
    geo.lemma_bounds(at, l);
    let q = (hi - at) / s;
    let n = if q < left {
        q
    } else {
        left
    };
    lemma_fits_in(hi - at, s, n);
    vstd::arithmetic::power2::lemma2_to64_rest();
    if A::frame_bits() < 56 {
        vstd::arithmetic::power2::lemma_pow2_strictly_increases(A::frame_bits() as nat, 56);
    }
    if at + n * s < hi {
        lemma_further::<A>(at, hi, frame, largest, l, n);
    }
}

// ---- the tables
/// Which tables there are with those for an address.
pub(crate) proof fn lemma_ext<A: EntryFormat>(p: Set<NodeId>, at: int, l: nat, n: NodeId)
    ensures
        ext::<A>(p, at, l).contains(n) <==> p.contains(n) || (l <= n.level < A::geo().levels && n
            == home(A::geo(), at, n.level)),
    decreases A::geo().levels - l,
{
    if l < A::geo().levels {
        lemma_ext::<A>(p.insert(home(A::geo(), at, l)), at, l + 1, n);
    }
}

/// Where all tables are there, none lacks, and none is added.
pub(crate) proof fn lemma_lack_none<A: EntryFormat>(p: Set<NodeId>, at: int, l: nat)
    requires
        forall|k: nat| l <= k < A::geo().levels ==> p.contains(#[trigger] home(A::geo(), at, k)),
    ensures
        lack::<A>(p, at, l) == 0,
        ext::<A>(p, at, l) == p,
    decreases A::geo().levels - l,
{
    if l < A::geo().levels {
        let n = home(A::geo(), at, l);
        assert(p.contains(n));
        assert(p.insert(n) =~= p);
        lemma_lack_none::<A>(p, at, l + 1);
    }
}

/// No more lack than there are levels.
pub(crate) proof fn lemma_lack_at_most<A: EntryFormat>(p: Set<NodeId>, at: int, l: nat)
    requires
        l <= A::geo().levels,
    ensures
        lack::<A>(p, at, l) <= A::geo().levels - l,
    decreases A::geo().levels - l,
{
    if l < A::geo().levels {
        lemma_lack_at_most::<A>(p, at, l + 1);
    }
}

/// All pages of a run need the tables of the first.
pub(crate) proof fn lemma_need_run<A: EntryFormat>(
    p: Set<NodeId>,
    at: int,
    hi: int,
    frame: int,
    largest: PageSize,
    l: nat,
    n: int,
)
    requires
        is_part::<A>(at, hi, frame, largest),
        l == fit::<A>(at, hi, frame, largest, A::geo().levels as nat),
        1 <= n,
        A::geo().index_of(at, l) + n <= A::geo().entries(l),
        at + n * A::geo().span(l) <= hi,
    ensures
        need::<A>(p, at, hi, frame, largest) == lack::<A>(p, at, l) + need::<A>(
            ext::<A>(p, at, l),
            at + n * A::geo().span(l),
            hi,
            frame + n * A::geo().span(l),
            largest,
        ),
    decreases n,
{
    let geo = A::geo();
    let s = geo.span(l);
    let q = ext::<A>(p, at, l);
    lemma_fit::<A>(at, hi, frame, largest, geo.levels as nat);
    geo.lemma_span(l);
    A::lemma_page_size(l);
    if n == 1 {
        assert(1 * s == s);
    } else {
        let j = n - 1;
        let x = at + j * s;
        lemma_nth(j, n, s);
        lemma_need_run::<A>(p, at, hi, frame, largest, l, j);
        lemma_fit_run::<A>(at, hi, frame, largest, l, j);
        assert forall|k: nat| l <= k < geo.levels implies q.contains(
            #[trigger] home(geo, x, k),
        ) by {
            lemma_index_further(geo, at, l, j);
            geo.lemma_same_base(x, at, l, k);
            lemma_ext::<A>(p, at, l, home(geo, at, k));
        }
        lemma_lack_none::<A>(q, x, l);
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// Whether one table is missing, and not planned yet.
    pub(super) proof fn lemma_missing(
        self,
        va: int,
        at: int,
        p: Set<NodeId>,
        level: nat,
        k: nat,
        stop: nat,
    )
        requires
            self.is_planned(va, at, p),
            self.is_stopped(at, level, stop),
            level <= k < stop,
        ensures
            lack::<A>(p, at, k) == lack::<A>(p, at, k + 1) + if at == va || at % A::geo().span(
                k + 1,
            ) == 0 {
                1nat
            } else {
                0
            },
            A::geo().span(k + 1) > 0,
    {
        let geo = A::geo();
        let n = home(geo, at, k);
        geo.lemma_span(k);
        geo.lemma_span(k + 1);
        geo.lemma_bounds(at, k);
        assert(!self.perms@.dom().contains(n));
        assert(geo.span(k + 1) == geo.cover(k));
        assert(at % geo.cover(k) == 0 <==> geo.base(at, k) == at);
        if at == va || geo.base(at, k) == at {
            assert(!p.contains(n)) by {
                // before the first page nothing is planned
                assert(p.contains(n) ==> n.base < at);
            }
        }
    }

    /// Above the stop no table is missing.
    pub(super) proof fn lemma_none_missing(
        self,
        va: int,
        at: int,
        p: Set<NodeId>,
        level: nat,
        stop: nat,
    )
        requires
            self.is_planned(va, at, p),
            self.is_stopped(at, level, stop),
        ensures
            lack::<A>(p, at, stop) == 0,
    {
        lemma_lack_none::<A>(p, at, stop);
    }

    /// Where a run starts.
    pub(super) proof fn lemma_plan_run(
        self,
        va: int,
        at: int,
        hi: int,
        frame: int,
        largest: PageSize,
        p: Set<NodeId>,
        d: Descent,
        run: Run,
    )
        requires
            self.sound(),
            self.is_planned(va, at, p),
            is_part::<A>(at, hi, frame, largest),
            run.is_at::<A>(at, hi, frame, largest),
            self.is_descent(at, run.level as nat, d),
            d.entry is Empty,
            self.is_untranslated(va, at),
        ensures
            run.level <= d.stop.level <= A::geo().levels,
            self.is_stopped(at, run.level as nat, d.stop.level as nat),
            d.stop.level == run.level ==> d.index + run.pages <= A::geo().entries(run.level as nat)
                && lack::<A>(p, at, run.level as nat) == 0,
            need::<A>(p, at, hi, frame, largest) == lack::<A>(p, at, run.level as nat) + need::<A>(
                ext::<A>(p, at, run.level as nat),
                at + run.bytes,
                hi,
                frame + run.bytes,
                largest,
            ),
            run.bytes >= 1,
            A::geo().limit() <= 0x200_0000_0000_0000,
    {
        let geo = A::geo();
        let m = self.model();
        let (l, k) = (run.level as nat, d.stop.level as nat);
        geo.lemma_span(l);
        lemma_nth(0, run.pages as int, geo.span(l));
        vstd::arithmetic::power2::lemma2_to64_rest();
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
        assert forall|j: nat| l <= j < k implies !self.perms@.dom().contains(
            #[trigger] home(geo, at, j),
        ) by {
            assert(!m.nodes.contains_key(home(geo, at, j)));
        }
        lemma_need_run::<A>(p, at, hi, frame, largest, l, run.pages as int);
        if k == l {
            self.lemma_none_missing(va, at, p, l, l);
        }
    }

    /// What a descent met is in the way.
    pub(super) proof fn lemma_plan_met(
        self,
        va: int,
        at: int,
        hi: int,
        frame: int,
        largest: PageSize,
        d: Descent,
        run: Run,
    )
        requires
            self.sound(),
            0 <= va <= at,
            is_part::<A>(at, hi, frame, largest),
            run.is_at::<A>(at, hi, frame, largest),
            self.is_descent(at, run.level as nat, d),
            !(d.entry is Empty),
            self.is_untranslated(va, at),
        ensures
            self.is_in_the_way(va, hi, InTheWay { at: at as u64, level: d.stop.level }),
    {
        let m = self.model();
        let k = d.stop.level as nat;
        vstd::arithmetic::power2::lemma2_to64_rest();
        A::geo().lemma_span(k);
        A::geo().lemma_bounds(at, k);
        A::lemma_pins();
        assert(m.nodes.contains_key(home(A::geo(), at, k)));
        if d.entry is Page {
            m.lemma_stop(at, k);
            m.lemma_lookup::<A>(at);
            assert(self.space().translate(at) is Some);
        } else {
            self.lemma_not_free(at, k);
            let x = choose|x: int|
                at <= x < at + A::geo().span(k) && #[trigger] self.space().translate(x) is Some;
            assert(va <= x < hi);
        }
    }

    /// An entry of a run that is in use.
    pub(super) proof fn lemma_plan_found(
        self,
        va: int,
        at: int,
        hi: int,
        frame: int,
        largest: PageSize,
        d: Descent,
        run: Run,
        k: int,
    )
        requires
            self.sound(),
            va <= at,
            is_part::<A>(at, hi, frame, largest),
            run.is_at::<A>(at, hi, frame, largest),
            self.is_descent(at, run.level as nat, d),
            d.entry is Empty,
            d.stop.level == run.level,
            1 <= k < run.pages,
            self.is_used_at(at, run.level as nat, d.index + k),
            forall|i: int|
                d.index < i < d.index + k ==> !#[trigger] self.is_used_at(at, run.level as nat, i),
            self.is_untranslated(va, at),
        ensures
            0 <= k * A::geo().span(run.level as nat),
            at + k * A::geo().span(run.level as nat) < hi,
            self.is_in_the_way(
                va,
                hi,
                InTheWay {
                    at: (at + k * A::geo().span(run.level as nat)) as u64,
                    level: run.level,
                },
            ),
            A::geo().limit() <= 0x200_0000_0000_0000,
    {
        let geo = A::geo();
        let l = run.level as nat;
        let s = geo.span(l);
        let x = at + k * s;
        vstd::arithmetic::power2::lemma2_to64_rest();
        geo.lemma_span(l);
        lemma_nth(k, run.pages as int, s);
        A::lemma_pins();
        self.lemma_nth_at(at, l, k);
        self.lemma_run_untranslated(at, l, k);
        self.lemma_not_free(x, l);
        let y = choose|y: int| x <= y < x + s && #[trigger] self.space().translate(y) is Some;
        assert(va <= y < hi);
    }

    /// Pages whose entries are not in use are not translated.
    pub(crate) proof fn lemma_run_untranslated(self, at: int, l: nat, n: int)
        requires
            self.linked(),
            self.model().in_range(at),
            1 <= l <= A::geo().levels,
            at % A::geo().span(l) == 0,
            self.perms@.contains_key(home(A::geo(), at, l)),
            0 <= n,
            A::geo().index_of(at, l) + n <= A::geo().entries(l),
            forall|i: int|
                A::geo().index_of(at, l) <= i < A::geo().index_of(at, l) + n
                    ==> !#[trigger] self.is_used_at(at, l, i),
        ensures
            self.is_untranslated(at, at + n * A::geo().span(l)),
        decreases n,
    {
        let s = A::geo().span(l);
        if n > 0 {
            let j = n - 1;
            let x = at + j * s;
            self.lemma_run_untranslated(at, l, j);
            self.lemma_nth_at(at, l, j);
            assert(!self.is_used_at(at, l, A::geo().index_of(at, l) + j));
            self.lemma_untranslated_page(x, l);
            lemma_next(j, s);
        } else {
            assert(0 * s == 0);
        }
    }

    /// The addresses of one table's run lie below one entry of any level above.
    proof fn lemma_run_below(self, at: int, l: nat, k: nat, n: int)
        requires
            self.linked(),
            self.model().in_range(at),
            1 <= l < k <= A::geo().levels,
            at % A::geo().span(l) == 0,
            self.perms@.contains_key(home(A::geo(), at, k)),
            self.entry_at(at, k) is Empty,
            0 <= n,
            A::geo().index_of(at, l) + n <= A::geo().entries(l),
        ensures
            self.is_untranslated(at, at + n * A::geo().span(l)),
    {
        let geo = A::geo();
        let m = self.model();
        let s = geo.span(l);
        geo.lemma_bounds(at, l);
        geo.lemma_decompose(at, l);
        geo.lemma_span(l);
        let i = geo.index_of(at, l);
        lemma_room(i, n, geo.entries(l), s);
        assert(m.nodes.contains_key(home(geo, at, k)));
        assert forall|x: int| at <= x < at + n * s implies #[trigger] self.space().translate(
            x,
        ) is None by {
            lemma_same_table(geo, at, x, l);
            self.lemma_same_entry(at, x, l, k);
            m.lemma_stop(x, k);
            m.lemma_lookup::<A>(x);
        }
    }

    /// Addresses of one table share each entry above it.
    proof fn lemma_same_entry(self, at: int, x: int, l: nat, k: nat)
        requires
            self.linked(),
            self.model().in_range(at),
            1 <= l < k <= A::geo().levels,
            0 <= x,
            A::geo().base(at, l) == A::geo().base(x, l),
        ensures
            self.model().in_range(x),
            home(A::geo(), at, k) == home(A::geo(), x, k),
            self.entry_at(at, k) == self.entry_at(x, k),
    {
        let geo = A::geo();
        let j = (k - 1) as nat;
        geo.lemma_same_base(at, x, l, j);
        geo.lemma_parent_base(at, j);
        geo.lemma_parent_base(x, j);
        geo.lemma_bounds(x, l);
        geo.lemma_in_range(at, l);
    }

    /// After a run.
    pub(super) proof fn lemma_plan_next(
        self,
        va: int,
        at: int,
        hi: int,
        frame: int,
        largest: PageSize,
        p: Set<NodeId>,
        d: Descent,
        run: Run,
    )
        requires
            self.sound(),
            self.is_planned(va, at, p),
            is_part::<A>(at, hi, frame, largest),
            run.is_at::<A>(at, hi, frame, largest),
            self.is_descent(at, run.level as nat, d),
            d.entry is Empty,
            d.stop.level == run.level ==> forall|i: int|
                d.index < i < d.index + run.pages ==> !#[trigger] self.is_used_at(
                    at,
                    run.level as nat,
                    i,
                ),
            self.is_untranslated(va, at),
        ensures
            self.is_planned(va, at + run.bytes, ext::<A>(p, at, run.level as nat)),
            self.is_untranslated(va, at + run.bytes),
    {
        let geo = A::geo();
        let l = run.level as nat;
        let s = geo.span(l);
        let next = at + run.bytes;
        let q = ext::<A>(p, at, l);
        A::lemma_page_size(l);
        geo.lemma_span(l);
        lemma_nth(0, run.pages as int, s);
        if d.stop.level == run.level {
            self.lemma_run_untranslated(at, l, run.pages as int);
        } else {
            self.lemma_run_below(at, l, d.stop.level as nat, run.pages as int);
        }
        assert forall|n: NodeId| self.perms@.dom().contains(n) implies #[trigger] q.contains(n) by {
            assert(p.contains(n));
            lemma_ext::<A>(p, at, l, n);
        }
        assert forall|n: NodeId| #[trigger]
            q.contains(n) && !self.perms@.dom().contains(n) implies n.base < next by {
            lemma_ext::<A>(p, at, l, n);
            if p.contains(n) {
                assert(n.base < at);
            } else {
                geo.lemma_bounds(at, n.level);
            }
        }
        assert forall|k: nat| 1 <= k < geo.levels && geo.base(next, k) < next implies q.contains(
            #[trigger] home(geo, next, k),
        ) by {
            lemma_run_end(geo, at, l, run.pages as int, k);
            lemma_ext::<A>(p, at, l, home(geo, at, k));
        }
    }
}

/// Addresses within what a table covers are the table's.
pub(crate) proof fn lemma_same_table(geo: Geometry, at: int, x: int, l: nat)
    requires
        geo.wf(),
        1 <= l <= geo.levels,
        0 <= at,
        geo.base(at, l) <= x < geo.base(at, l) + geo.cover(l),
    ensures
        geo.base(x, l) == geo.base(at, l),
{
    let c = geo.cover(l);
    geo.lemma_span(l);
    geo.lemma_bounds(at, l);
    let b = geo.base(at, l);
    vstd::arithmetic::div_mod::lemma_fundamental_div_mod(b, c);
    lemma_mod_multiples_vanish(b / c, x - b, c);
    lemma_next(b / c, c);
    lemma_small_mod((x - b) as nat, c as nat);
}

/// At the end of a run, a table that doesn't start there is that of the run's pages.
proof fn lemma_run_end(geo: Geometry, at: int, l: nat, n: int, k: nat)
    requires
        geo.wf(),
        1 <= l <= geo.levels,
        1 <= k <= geo.levels,
        0 <= at,
        at % geo.span(l) == 0,
        1 <= n,
        geo.index_of(at, l) + n <= geo.entries(l),
        geo.base(at + n * geo.span(l), k) < at + n * geo.span(l),
    ensures
        l <= k,
        geo.base(at + n * geo.span(l), k) == geo.base(at, k),
{
    let s = geo.span(l);
    let next = at + n * s;
    let c = geo.cover(k);
    geo.lemma_span(l);
    geo.lemma_span(k);
    geo.lemma_bounds(at, l);
    geo.lemma_decompose(at, l);
    let i = geo.index_of(at, l);
    lemma_room(i, n, geo.entries(l), s);
    lemma_mod_multiples_vanish(n, at, s);
    geo.lemma_bounds(next, k);
    if k < l {
        lemma_aligned_above(geo, next, k, l);
    } else {
        let b = geo.base(next, k);
        // the table's start is a multiple of the span, so it is not between `at` and the end of its last page
        assert(b <= at) by {
            lemma_start_of_run(geo, at, l, n, k);
        }
        lemma_same_table(geo, next, at, k);
    }
}

/// A table of a higher level doesn't start inside of a run.
proof fn lemma_start_of_run(geo: Geometry, at: int, l: nat, n: int, k: nat)
    requires
        geo.wf(),
        1 <= l <= k <= geo.levels,
        0 <= at,
        at % geo.span(l) == 0,
        1 <= n,
        geo.index_of(at, l) + n <= geo.entries(l),
        geo.base(at + n * geo.span(l), k) < at + n * geo.span(l),
    ensures
        geo.base(at + n * geo.span(l), k) <= at,
{
    let s = geo.span(l);
    let next = at + n * s;
    let b = geo.base(next, k);
    geo.lemma_span(l);
    geo.lemma_span(k);
    geo.lemma_bounds(next, k);
    geo.lemma_bounds(at, l);
    geo.lemma_decompose(at, l);
    let i = geo.index_of(at, l);
    lemma_room(i, n, geo.entries(l), s);
    // a multiple of what a table of level `l` covers
    geo.lemma_multiple_cover(b, l, k);
    if b > at {
        // between the table's start and its end there is no other multiple
        lemma_gap(geo.base(at, l), b, geo.cover(l));
    }
}

} // verus!
