//! The page that is found is the first that was used.

use super::super::scan::Place;
use super::super::tree::Tree;
use crate::addr::{PageSize, VirtAddr};
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, Entry, EntryFormat};
use crate::hw::memory::TableMemory;
use crate::prop::UsedBits;
use crate::spec::request;
use crate::spec::space::AddressSpace;
use vstd::arithmetic::div_mod::{lemma_fundamental_div_mod, lemma_mod_multiples_basic};
use vstd::arithmetic::mul::lemma_mul_is_commutative;
use vstd::prelude::*;

verus! {

/// A page that is mapped can be asked for.
pub(super) proof fn lemma_check<A: PagingMode>(va: VirtAddr<A>, size: PageSize)
    requires
        request::has_size::<A>(size),
        va@ % size.bytes() as int == 0,
    ensures
        request::check(va, size) is None,
{
    let l = choose|l: nat| 1 <= l <= A::geo().levels && #[trigger] A::page_size(l) == Some(size);
    A::lemma_page_size(l);
    A::geo().lemma_hardware_index(va.raw() as int, l);
}

impl AddressSpace {
    /// No page has been looked at.
    pub(super) proof fn lemma_none_yet(self, lo: int, bits: UsedBits)
        ensures
            self.is_unused(lo, lo, bits),
    {
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// There is no page any more.
    pub(super) proof fn lemma_none_used(self, lo: int, at: int, hi: int, bits: UsedBits)
        requires
            self.space().is_unused(lo, at, bits),
            at < hi ==> self.space().is_free(at, hi),
        ensures
            self.space().is_unused(lo, hi, bits),
    {
        let s = self.space();
        assert forall|base: int|
            lo <= base < hi && #[trigger] s.pages.contains_key(
                base,
            ) implies !s.pages[base].prop.has_any(bits) by {
            if at <= base {
                s.lemma_free(at, hi, base);
            }
        }
    }

    /// The next page, and what is known if none of its bits is set.
    pub(super) proof fn lemma_next_used(
        self,
        lo: int,
        at: int,
        hi: int,
        bits: UsedBits,
        place: Place,
        entry: Entry,
    )
        requires
            self.inv(),
            lo <= at,
            !self.space().is_cut(lo, hi),
            self.space().is_unused(lo, at, bits),
            self.is_decided(place, entry),
            entry is Page,
            place.va < hi,
            self.space().is_next(at, place.va as int),
        ensures
            ({
                let span = A::geo().span(place.stop.level as nat);
                let start = place.va - place.va as int % span;
                &&& 1 <= place.stop.level <= A::geo().levels
                &&& lo <= start && at < start + span <= hi
                &&& start % span == 0
                &&& A::page_size(place.stop.level as nat) matches Some(size) && size.bytes() == span
                    && request::has_size::<A>(size) && self.space().has(start, size)
                &&& self.space().is_unused(lo, start, bits)
                &&& !entry->Page_prop.has_any(bits) ==> self.space().is_unused(
                    lo,
                    start + span,
                    bits,
                )
            }),
    {
        let s = self.space();
        let l = place.stop.level as nat;
        let span = A::geo().span(l);
        let start = place.va - place.va as int % span;
        self.lemma_decided(place, entry);
        self.lemma_disjoint();
        A::lemma_page_size(l);
        lemma_fundamental_div_mod(place.va as int, span);
        lemma_mod_multiples_basic(place.va as int / span, span);
        lemma_mul_is_commutative(place.va as int / span, span);
        assert(s.pages.contains_key(start) && s.lookup(place.va as int) == Some(s.pages[start]));
        assert forall|base: int|
            at <= base < start + span && #[trigger] s.pages.contains_key(base) implies base
            == start by {
            assert(s.covers(base, base));
            if base < place.va {
                s.lemma_free(at, place.va as int, base);
            } else {
                assert(s.covers(start, base));
            }
        }
    }
}

} // verus!
