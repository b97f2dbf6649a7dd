//! What of a page lies in a range.

use crate::addr::VirtAddr;
use crate::arch::PagingMode;
use crate::arch::entry::EntryFormat;
use crate::spec::request;
use crate::spec::space::AddressSpace;
use crate::table::shape::is_page_of;
use vstd::arithmetic::div_mod::{
    lemma_add_mod_noop, lemma_mod_twice, lemma_small_mod, lemma_sub_mod_noop,
};
use vstd::prelude::*;

verus! {

impl AddressSpace {
    /// Which part lies from `at` to below `to` of the page that starts at `base`: where it starts and ends.
    pub(in super::super) open spec fn part(self, at: int, to: int, base: int) -> (int, int) {
        let end = base + self.pages[base].size.bytes();
        (
            if base > at {
                base
            } else {
                at
            },
            if end < to {
                end
            } else {
                to
            },
        )
    }

    /// What lies from `at` to below `to` of the first page that does: all of it, or less.
    pub(in super::super) proof fn lemma_page_part<A: EntryFormat>(self, at: int, to: int, base: int)
        requires
            self.is_shaped::<A>(),
            self.is_next_page(at, base),
            base < to,
            at < to,
        ensures
            ({
                let (lo, hi) = self.part(at, to, base);
                let size = self.pages[base].size.bytes() as int;
                &&& 0 <= base <= lo < hi <= base + size <= A::geo().limit()
                &&& hi - lo == size ==> lo == base && self.may_cut::<A>(lo, hi, self)
            }),
    {
        let (lo, hi) = self.part(at, to, base);
        assert(is_page_of::<A>(base, self.pages[base]));
        if hi - lo == self.pages[base].size.bytes() {
            self.lemma_alone(lo, hi);
            self.lemma_uncut::<A>(lo, hi);
        }
    }

    /// If a range starts and ends where smallest pages do, so does what lies in it of a page.
    pub(in super::super) proof fn lemma_part_aligned<A: EntryFormat>(
        self,
        at: int,
        to: int,
        base: int,
    )
        requires
            self.is_shaped::<A>(),
            self.pages.contains_key(base),
            A::geo().wf(),
            at % A::geo().span(1) == 0,
            to % A::geo().span(1) == 0,
        ensures
            self.part(at, to, base).0 % A::geo().span(1) == 0,
            (self.part(at, to, base).1 - self.part(at, to, base).0) % A::geo().span(1) == 0,
    {
        let s = A::geo().span(1);
        let (lo, hi) = self.part(at, to, base);
        assert(is_page_of::<A>(base, self.pages[base]));
        A::geo().lemma_span(1);
        lemma_mod_adds_none(base, self.pages[base].size.bytes() as int, s);
        assert(hi % s == 0);
        lemma_mod_subs_none(hi, lo, s);
    }

    /// Where a page was divided, another one starts.
    pub(in super::super) proof fn lemma_cut_starts(self, now: Self, lo: int, hi: int, base: int)
        requires
            self.is_apart(),
            self.pages.contains_key(base),
            base <= lo < hi <= base + self.pages[base].size.bytes(),
            self.resembles(now),
            !now.is_cut(lo, hi),
        ensures
            now.pages.contains_key(lo),
            lo + now.pages[lo].size.bytes() <= hi,
    {
        assert(self.covers(base, lo));
        self.lemma_covered(base, lo);
        assert(self.agrees(now, lo));
        let first = choose|first: int| now.covers(first, lo);
        assert(now.covers(first, lo));
    }

    /// A page that is there can be asked for.
    pub(in super::super) proof fn lemma_page_check<A: PagingMode>(self, va: VirtAddr<A>)
        requires
            self.is_shaped::<A>(),
            self.pages.contains_key(va@),
        ensures
            request::check(va, self.pages[va@].size) is None,
    {
        let size = self.pages[va@].size;
        assert(is_page_of::<A>(va@, self.pages[va@]));
        let l = choose|l: nat|
            1 <= l <= A::geo().levels && #[trigger] A::page_size(l) == Some(size);
        A::lemma_geometry();
        A::lemma_page_size(l);
        A::geo().lemma_hardware_index(va.raw() as int, l);
    }

    /// The first address that is mapped is in the first page that reaches so far.
    pub(in super::super) proof fn lemma_first_page_part(self, at: int, base: int)
        requires
            self.is_apart(),
            self.is_next_page(at, base),
        ensures
            ({
                let va = if base > at {
                    base
                } else {
                    at
                };
                &&& self.is_next(at, va)
                &&& self.lookup(va) == Some(self.pages[base])
                &&& self.end_of_page(va) == base + self.pages[base].size.bytes()
            }),
    {
        let va = if base > at {
            base
        } else {
            at
        };
        assert(self.covers(base, va));
        self.lemma_covered(base, va);
    }
}

/// The sum of two multiples is one.
pub(in super::super) proof fn lemma_mod_adds_none(a: int, b: int, s: int)
    requires
        0 < s,
        b % s == 0,
    ensures
        (a + b) % s == a % s,
{
    lemma_add_mod_noop(a, b, s);
    lemma_mod_twice(a, s);
}

/// So is the difference.
proof fn lemma_mod_subs_none(a: int, b: int, s: int)
    requires
        0 < s,
        a % s == 0,
        b % s == 0,
    ensures
        (a - b) % s == 0,
{
    lemma_sub_mod_noop(a, b, s);
    lemma_small_mod(0, s as nat);
}

} // verus!
