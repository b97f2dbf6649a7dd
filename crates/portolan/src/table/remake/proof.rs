//! From what operations say of pages and ranges to what is said of breaking and making.

use super::super::PageTable;
use super::super::model::{Model, home};
use super::super::perms::perm_ok;
use super::super::plan::proof::{lemma_gap, lemma_smallest};
use super::super::proof::{lemma_level, lemma_spans_grow};
use super::super::resize::proof::{lemma_fits_below_end, lemma_part_index};
use super::super::spec::is_level;
use super::super::tree::Tree;
use super::Vacant;
use super::spec::{is_hole, tells_of};
use crate::addr::{PageSize, PhysAddr, VirtAddr, VirtRange};
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, EntryFormat, stored};
use crate::arith::{lemma_nth, lemma_quotient};
use crate::error::Error;
use crate::flush::Flush;
use crate::hw::memory::TableMemory;
use crate::prop::{Mapping, PageProperty};
use crate::spec::request;
use crate::spec::space::{AddressSpace, fit, fits};
use vstd::arithmetic::div_mod::{
    lemma_add_mod_noop, lemma_fundamental_div_mod, lemma_mod_mod, lemma_mod_multiples_basic,
    lemma_small_mod, lemma_sub_mod_noop,
};
use vstd::arithmetic::power2::pow2;
use vstd::prelude::*;

verus! {

/// The mode can express the page, and its frame exists.
pub(super) open spec fn is_mappable<A: EntryFormat>(m: Mapping, phys_bits: u64) -> bool {
    &&& A::supports(m.prop)
    &&& m.frame.0 as int % m.size.bytes() as int == 0
    &&& m.frame.0 + m.size.bytes() <= pow2(phys_bits as nat)
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// All pages can be mapped again.
    pub(super) proof fn lemma_mappable(self)
        requires
            self.linked(),
        ensures
            forall|base: int| #[trigger]
                self.space().pages.contains_key(base) ==> is_mappable::<A>(
                    self.space().pages[base],
                    self.phys_bits(),
                ),
    {
        reveal(Model::space);
        let m = self.model();
        assert forall|base: int| #[trigger]
            self.space().pages.contains_key(base) implies is_mappable::<A>(
            self.space().pages[base],
            self.phys_bits(),
        ) by {
            let l = m.level_of(base);
            assert(m.page_at(base, l));
            let (n, i) = (home(A::geo(), base, l), A::geo().index_of(base, l));
            A::geo().lemma_bounds(base, l);
            assert(self.perms@.contains_key(n));
            assert(perm_ok::<A>(self.perms@[n], l, self.phys_bits()));
            assert(A::wf(self.phys_bits(), l, self.perms@[n].words()[i]));
            A::lemma_wf(self.phys_bits(), l, self.perms@[n].words()[i]);
            A::lemma_page_size(l);
        }
    }

    /// What the pages could be that are broken can be mapped.
    pub(super) proof fn lemma_breakable(
        self,
        va: VirtAddr<A>,
        l: nat,
        size: PageSize,
        frame: PhysAddr,
        prop: PageProperty,
    )
        requires
            self.linked(),
            is_level(va, l, size),
            l > 1,
            request::check(va, size) is None,
            self.is_whole(va@, (l - 1) as nat, frame, prop),
        ensures
            request::check_map(self.phys_bits(), va, frame, size, prop) is None,
            va.raw() + size.bytes() - 1 <= u64::MAX,
            A::page_size((l - 1) as nat) matches Some(part) ==> request::has_size::<A>(part)
                && part.bytes() <= size.bytes(),
    {
        A::lemma_page_size((l - 1) as nat);
        lemma_spans_grow(A::geo(), (l - 1) as nat, l);
        lemma_fits_below_end(va, l, size);
    }
}

/// Which part an address is in.
proof fn lemma_part_at(base: int, whole: PageSize, part: PageSize, x: int) -> (p: int)
    requires
        base <= x < base + whole.bytes(),
    ensures
        AddressSpace::is_part(base, whole, part, p),
        p <= x < p + part.bytes(),
{
    let (s, offset) = (part.bytes() as int, x - base);
    lemma_fundamental_div_mod(offset, s);
    lemma_mod_multiples_basic(offset / s, s);
    vstd::arithmetic::mul::lemma_mul_is_commutative(s, offset / s);
    vstd::arithmetic::div_mod::lemma_mod_bound(offset, s);
    let p = base + s * (offset / s);
    lemma_quotient(offset, s, 0);
    p
}

/// Pages of one size divide larger ones.
proof fn lemma_sizes(whole: PageSize, part: PageSize) -> (n: int)
    requires
        part.bytes() <= whole.bytes(),
    ensures
        n >= 1,
        whole.bytes() == part.bytes() * n,
{
    let n = whole.bytes() as int / part.bytes() as int;
    match part {
        PageSize::Size4K => assert(whole.bytes() as int % 0x1000 == 0),
        PageSize::Size16K => assert(whole.bytes() as int % 0x4000 == 0),
        PageSize::Size64K => assert(whole.bytes() as int % 0x1_0000 == 0),
        PageSize::Size2M => assert(whole.bytes() as int % 0x20_0000 == 0),
        PageSize::Size32M => assert(whole.bytes() as int % 0x200_0000 == 0),
        PageSize::Size512M => assert(whole.bytes() as int % 0x2000_0000 == 0),
        PageSize::Size1G => assert(whole.bytes() as int % 0x4000_0000 == 0),
    }
    lemma_fundamental_div_mod(whole.bytes() as int, part.bytes() as int);
    lemma_quotient(whole.bytes() as int, part.bytes() as int, 1);
    n
}

/// A page that was unmapped left a hole.
pub(super) proof fn lemma_broken_page<M: TableMemory, A: PagingMode, B: AccessBits>(
    old: PageTable<M, A, B>,
    now: PageTable<M, A, B>,
    va: VirtAddr<A>,
    was: Mapping,
)
    requires
        forall|base: int| #[trigger]
            old@.pages.contains_key(base) ==> is_mappable::<A>(old@.pages[base], old.phys_bits()),
        old@.is_disjoint(),
        request::is_found(old@, va, was.size, was),
        now@ == old@.unmap(va@),
        now.phys_bits() == old.phys_bits(),
    ensures
        is_hole(now, va, was, was.size),
{
    A::lemma_supports(old@.pages[va@].prop, was.prop.accessed, was.prop.dirty);
    assert forall|x: int| va@ <= x < va@ + was.size.bytes() implies #[trigger] now@.translate(
        x,
    ) is None by {
        if exists|base: int| now@.covers(base, x) {
            let base = choose|base: int| now@.covers(base, x);
            assert(old@.covers(base, x) && old@.covers(va@, x));
        }
    }
}

/// Pages that were unmapped left a hole.
pub(super) proof fn lemma_broken_pages<M: TableMemory, A: PagingMode, B: AccessBits>(
    old: PageTable<M, A, B>,
    now: PageTable<M, A, B>,
    va: VirtAddr<A>,
    was: Mapping,
    part: PageSize,
    flush: Flush<M, A>,
)
    requires
        request::check_map(old.phys_bits(), va, was.frame, was.size, was.prop) is None,
        request::has_size::<A>(part),
        part.bytes() <= was.size.bytes(),
        old@.is_uniform(va@, was.size, part),
        old@.is_disjoint(),
        !old@.is_cut(va@, va@ + was.size.bytes()),
        exists|cut: AddressSpace| #[trigger]
            old@.may_cut::<A>(va@, va@ + was.size.bytes(), cut) && now@ == cut.unmap_range(
                va@,
                va@ + was.size.bytes(),
            ),
        now.phys_bits() == old.phys_bits(),
        flush.due().reaches(
            old@.cut::<A>(va@, va@ + was.size.bytes()),
            va@,
            va@ + was.size.bytes(),
        ),
    ensures
        now@ == old@.unmap_range(va@, va@ + was.size.bytes()),
        is_hole(now, va, was, part),
        tells_of(flush.due(), va, was.size, part),
{
    let (lo, hi) = (va@, va@ + was.size.bytes());
    let cut = choose|cut: AddressSpace| #[trigger]
        old@.may_cut::<A>(lo, hi, cut) && now@ == cut.unmap_range(lo, hi);
    old@.lemma_cut_none::<A>(cut, lo, hi);
    assert forall|x: int| lo <= x < hi implies #[trigger] now@.translate(x) is None by {
        if exists|base: int| now@.covers(base, x) {
            let base = choose|base: int| now@.covers(base, x);
            let p = lemma_part_at(lo, was.size, part, x);
            assert(old@.fits(lo, was.size, part, p));
            assert(old@.covers(base, x) && old@.covers(p, x));
        }
    }
    let first = lemma_part_at(lo, was.size, part, lo);
    let last = lemma_part_at(lo, was.size, part, hi - 1);
    assert(old@.fits(lo, was.size, part, first) && old@.fits(lo, was.size, part, last));
    assert(old@.pages.contains_key(lo) && old@.pages.contains_key(last));
}

/// A larger page's place can be worked on.
proof fn lemma_place<A: PagingMode>(va: VirtAddr<A>, size: PageSize)
    requires
        request::check(va, size) is None,
    ensures
        0 <= va@,
        va@ + size.bytes() <= A::geo().limit(),
        va.raw() + size.bytes() - 1 <= u64::MAX,
        forall|range: VirtRange<A>|
            range.first() == va && range.bytes() == size.bytes()
                ==> #[trigger] request::check_range(range) is None,
        exists|l: nat| #[trigger] is_level(va, l, size),
{
    let geo = A::geo();
    let l = choose|l: nat| 1 <= l <= geo.levels && #[trigger] A::page_size(l) == Some(size);
    lemma_level(va, l, size);
    lemma_fits_below_end(va, l, size);
    A::lemma_page_size(l);
    A::lemma_page_size(1);
    geo.lemma_span(l);
    geo.lemma_span(1);
    // the end is a multiple of the page's size
    lemma_mod_mod(geo.limit(), geo.span(l), geo.entries(l));
    lemma_small_mod(0, geo.span(l) as nat);
    lemma_gap(va@, geo.limit(), geo.span(l));
    vstd::arithmetic::div_mod::lemma_mod_self_0(geo.span(l));
    lemma_smallest(geo, va.raw() as int, l);
    lemma_smallest(geo, size.bytes() as int, l);
}

/// Uniform pages fill a range: none lies partly outside.
pub(super) proof fn lemma_nothing_cut<M: TableMemory, A: PagingMode, B: AccessBits>(
    old: PageTable<M, A, B>,
    va: VirtAddr<A>,
    size: PageSize,
    part: PageSize,
)
    requires
        request::check(va, size) is None,
        part.bytes() <= size.bytes(),
        old@.is_uniform(va@, size, part),
        old@.is_disjoint(),
    ensures
        !old@.is_cut(va@, va@ + size.bytes()),
        forall|range: VirtRange<A>|
            range.first() == va && range.bytes() == size.bytes()
                ==> #[trigger] request::check_range(range) is None,
{
    let (lo, hi) = (va@, va@ + size.bytes());
    lemma_place(va, size);
    assert forall|base: int| #[trigger]
        old@.pages.contains_key(base) && base < hi && lo < base
            + old@.pages[base].size.bytes() implies lo <= base && base
        + old@.pages[base].size.bytes() <= hi by {
        let x = if base < lo {
            lo
        } else {
            base
        };
        let p = lemma_part_at(lo, size, part, x);
        assert(old@.fits(lo, size, part, p));
        assert(old@.covers(base, x) && old@.covers(p, x));
        let n = lemma_sizes(size, part);
        let k = lemma_part_index(lo, size, part, p, n);
        lemma_nth(k, n, part.bytes() as int);
    }
}

/// A page can be mapped in a hole: but for what the caller asks for, only memory can be missing.
pub(super) proof fn lemma_hole<M: TableMemory, A: PagingMode, B: AccessBits>(
    table: PageTable<M, A, B>,
    va: VirtAddr<A>,
    was: Mapping,
    part: PageSize,
)
    requires
        is_hole(table, va, was, part),
    ensures
        !table@.overlaps(va@, was.size.bytes() as int),
        va.raw() + was.size.bytes() - 1 <= u64::MAX,
{
    lemma_place(va, was.size);
    if table@.overlaps(va@, was.size.bytes() as int) {
        let at = choose|at: int|
            va@ <= at < va@ + was.size.bytes() && #[trigger] table@.lookup(at) is Some;
        assert(table@.translate(at) is None);
    }
}

/// The page that is divided into pages of its own size is that page.
pub(super) proof fn lemma_split_whole<'a, M: TableMemory, A: PagingMode, B: AccessBits>(
    vacant: Vacant<'a, M, A, B>,
)
    ensures
        vacant.whole().split(vacant.at()@, vacant.before().size) == vacant.whole(),
{
    let (s, base, size) = (vacant.whole(), vacant.at()@, vacant.before().size);
    assert forall|x: int| AddressSpace::is_part(base, size, size, x) == (x == base) by {
        lemma_small_mod(0, size.bytes() as nat);
        if AddressSpace::is_part(base, size, size, x) {
            lemma_small_mod((x - base) as nat, size.bytes() as nat);
        }
    }
    assert(s.split(base, size).pages =~= s.pages);
}

/// What mapping pages of `part` in a hole asks for, and what it answers.
pub(super) proof fn lemma_fill<M: TableMemory, A: PagingMode, B: AccessBits>(
    table: PageTable<M, A, B>,
    range: VirtRange<A>,
    was: Mapping,
    part: PageSize,
)
    requires
        is_hole(table, range.first(), was, was.size),
        range.bytes() == was.size.bytes(),
        request::has_size::<A>(part),
        part.bytes() <= was.size.bytes(),
    ensures
        request::check_map_range(table.phys_bits(), range, was.frame, part, was.prop) is None,
        forall|prop: PageProperty|
            table@.map_range::<A>(
                range.first()@,
                range.first()@ + range.bytes(),
                was.frame.0 as int,
                part,
                prop,
            ) == #[trigger] table@.map(range.first()@, was.frame, was.size, prop).split(
                range.first()@,
                part,
            ),
{
    let (geo, va, size) = (A::geo(), range.first(), was.size);
    let l = choose|l: nat| 1 <= l <= geo.levels && #[trigger] A::page_size(l) == Some(size);
    let k = choose|k: nat| 1 <= k <= geo.levels && #[trigger] A::page_size(k) == Some(part);
    lemma_place(va, size);
    A::lemma_page_size(l);
    A::lemma_page_size(k);
    A::lemma_page_size(1);
    lemma_smallest(geo, va.raw() as int, l);
    lemma_smallest(geo, was.frame.0 as int, l);
    vstd::arithmetic::div_mod::lemma_mod_self_0(geo.span(l));
    lemma_smallest(geo, size.bytes() as int, l);
    lemma_spans_grow(geo, 1, k);
    lemma_level(va, l, size);
    let n = lemma_sizes(size, part);
    lemma_mod_mod(va@, part.bytes() as int, n);
    lemma_mod_mod(was.frame.0 as int, part.bytes() as int, n);
    lemma_smallest(geo, va@, l);
    assert forall|prop: PageProperty|
        table@.map_range::<A>(va@, va@ + range.bytes(), was.frame.0 as int, part, prop)
            == #[trigger] table@.map(va@, was.frame, size, prop).split(va@, part) by {
        let first = Mapping { frame: was.frame, size, prop };
        lemma_small_mod(0, part.bytes() as nat);
        lemma_parts_from::<A>(table@, va@, first, part, k, va@);
        let done = table@.map_range::<A>(va@, va@ + size.bytes(), was.frame.0 as int, part, prop);
        assert(done.pages =~= table@.map(va@, was.frame, size, prop).split(va@, part).pages);
    }
}

/// The parts of the page `whole` at `base` from `at` on, in addition to what is mapped.
spec fn with_parts(s: AddressSpace, base: int, whole: Mapping, part: PageSize, at: int) -> IMap<
    int,
    Mapping,
> {
    IMap::new(
        |x: int|
            s.pages.contains_key(x) || at <= x && AddressSpace::is_part(base, whole.size, part, x),
        |x: int|
            if at <= x && AddressSpace::is_part(base, whole.size, part, x) {
                Mapping {
                    frame: PhysAddr((whole.frame.0 + (x - base)) as u64),
                    size: part,
                    prop: whole.prop,
                }
            } else {
                s.pages[x]
            },
    )
}

/// The largest pages that fit, none larger than `part`, are all of `part` if each end is a multiple of it.
proof fn lemma_parts_from<A: PagingMode>(
    s: AddressSpace,
    base: int,
    whole: Mapping,
    part: PageSize,
    k: nat,
    at: int,
)
    requires
        1 <= k <= A::geo().levels,
        A::page_size(k) == Some(part),
        part.bytes() <= whole.size.bytes(),
        base <= at <= base + whole.size.bytes(),
        base % part.bytes() as int == 0,
        whole.frame.0 as int % part.bytes() as int == 0,
        (at - base) % part.bytes() as int == 0,
    ensures
        s.map_range::<A>(
            at,
            base + whole.size.bytes(),
            whole.frame.0 + (at - base),
            part,
            whole.prop,
        ).pages == with_parts(s, base, whole, part, at),
    decreases base + whole.size.bytes() - at,
{
    let (hi, bytes) = (base + whole.size.bytes(), part.bytes() as int);
    let frame = whole.frame.0 + (at - base);
    if at >= hi {
        assert(s.pages =~= with_parts(s, base, whole, part, at));
        return;
    }
    lemma_fit_part::<A>(base, whole, part, k, at);
    let next = s.map(at, PhysAddr(frame as u64), part, whole.prop);
    vstd::arithmetic::div_mod::lemma_mod_add_multiples_vanish(at - base, bytes);
    lemma_parts_from::<A>(next, base, whole, part, k, at + bytes);
    assert forall|x: int| at <= x && AddressSpace::is_part(base, whole.size, part, x) implies x
        == at || at + bytes <= x by {
        lemma_sub_mod_noop(x - base, at - base, bytes);
        lemma_small_mod(0, bytes as nat);
        if at < x < at + bytes {
            lemma_small_mod((x - at) as nat, bytes as nat);
        }
    }
    assert(with_parts(next, base, whole, part, at + bytes) =~= with_parts(
        s,
        base,
        whole,
        part,
        at,
    ));
}

/// The highest level whose pages fit is the one whose pages are the largest that may be.
proof fn lemma_fit_is<A: PagingMode>(at: int, hi: int, frame: int, part: PageSize, k: nat, l: nat)
    requires
        1 <= k <= l <= A::geo().levels,
        A::page_size(k) == Some(part),
        fits::<A>(at, hi, frame, part, k),
    ensures
        fit::<A>(at, hi, frame, part, l) == k,
    decreases l,
{
    A::lemma_page_size(l);
    A::lemma_page_size(k);
    if k < l {
        lemma_spans_grow(A::geo(), k, l);
        lemma_fit_is::<A>(at, hi, frame, part, k, (l - 1) as nat);
    }
}

/// One of the parts is what fits.
proof fn lemma_fit_part<A: PagingMode>(base: int, whole: Mapping, part: PageSize, k: nat, at: int)
    requires
        1 <= k <= A::geo().levels,
        A::page_size(k) == Some(part),
        part.bytes() <= whole.size.bytes(),
        base <= at < base + whole.size.bytes(),
        base % part.bytes() as int == 0,
        whole.frame.0 as int % part.bytes() as int == 0,
        (at - base) % part.bytes() as int == 0,
    ensures
        ({
            let (hi, frame) = (base + whole.size.bytes(), whole.frame.0 + (at - base));
            &&& fit::<A>(at, hi, frame, part, A::geo().levels as nat) == k
            &&& at + part.bytes() <= hi
        }),
{
    let (hi, frame) = (base + whole.size.bytes(), whole.frame.0 + (at - base));
    let bytes = part.bytes() as int;
    let n = lemma_sizes(whole.size, part);
    let j = lemma_part_index(base, whole.size, part, at, n);
    lemma_nth(j, n, bytes);
    lemma_add_mod_noop(base, at - base, bytes);
    lemma_add_mod_noop(whole.frame.0 as int, at - base, bytes);
    lemma_small_mod(0, bytes as nat);
    lemma_fit_is::<A>(at, hi, frame, part, k, A::geo().levels as nat);
}

} // verus!
