//! A table serves all the addresses that it covers, and its entries say what is mapped there.

use super::super::model::{Model, home};
use super::super::tree::Tree;
use super::{Place, Stop};
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, Entry, EntryFormat};
use crate::arch::geometry::proof::{lemma_next_multiple, lemma_shl};
use crate::hw::memory::TableMemory;
use crate::spec::request;
use vstd::arithmetic::div_mod::{lemma_fundamental_div_mod, lemma_mod_multiples_basic};
use vstd::arithmetic::mul::lemma_mul_is_commutative;
use vstd::prelude::*;

verus! {

/// Addresses have the same table if they differ only in bits below those that choose it.
pub(super) proof fn lemma_home_bits<A: PagingMode>(x: u64, va: u64, l: nat)
    requires
        1 <= l <= A::geo().levels,
        x < A::geo().limit(),
        va < A::geo().limit(),
    ensures
        if l == A::geo().levels {
            home(A::geo(), va as int, l) == home(A::geo(), x as int, l)
        } else {
            let mask = !((A::geo().span(l + 1) - 1) as u64);
            &&& A::geo().span(l + 1) - 1 <= u64::MAX
            &&& (x & mask == va & mask) == (home(A::geo(), va as int, l) == home(
                A::geo(),
                x as int,
                l,
            ))
        },
{
    A::lemma_geometry();
    if l == A::geo().levels {
        A::geo().lemma_root(va as int);
        A::geo().lemma_root(x as int);
    } else {
        A::geo().lemma_span(l);
        A::geo().lemma_align_down(va, l + 1);
        A::geo().lemma_align_down(x, l + 1);
    }
}

/// What an entry covers lies in what the tree covers.
pub(crate) proof fn lemma_extent<A: PagingMode>(va: int, l: nat)
    requires
        1 <= l <= A::geo().levels,
        0 <= va < A::geo().limit(),
    ensures
        ({
            let (start, span) = (va - va % A::geo().span(l), A::geo().span(l));
            &&& 0 <= start <= va < start + span <= A::geo().limit() < u64::MAX
            &&& start % span == 0
        }),
{
    let geo = A::geo();
    let span = geo.span(l);
    let start = va - va % span;
    A::lemma_geometry();
    geo.lemma_span(l);
    geo.lemma_decompose(va, l);
    geo.lemma_bounds(va, l);
    vstd::arithmetic::mul::lemma_mul_nonnegative(geo.index_of(va, l), span);
    vstd::arithmetic::div_mod::lemma_fundamental_div_mod(va, span);
    vstd::arithmetic::div_mod::lemma_mod_multiples_basic(va / span, span);
    vstd::arithmetic::mul::lemma_mul_is_commutative(va / span, span);
    geo.lemma_multiple_below(geo.limit(), l, l);
    lemma_next_multiple(start, geo.limit(), span);
    lemma_shl(57);
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// A table that covers another address is that address's, too.
    pub(crate) proof fn lemma_neighbour(self, near: Place, va: int)
        requires
            self.sound(),
            self.is_place(near),
            0 <= va < A::geo().limit(),
            home(A::geo(), va, near.stop.level as nat) == home(
                A::geo(),
                near.va as int,
                near.stop.level as nat,
            ),
        ensures
            self.is_stop(va, near.stop),
    {
        let l = near.stop.level as nat;
        if l < A::geo().levels {
            A::geo().lemma_parent_base(va, l);
            A::geo().lemma_parent_base(near.va as int, l);
        }
    }

    /// What was read refers to a table only above the lowest level.
    pub(super) proof fn lemma_read_table(self, va: int, stop: Stop, word: u64, entry: Entry)
        requires
            self.sound(),
            self.is_stop(va, stop),
            self.reads(va, stop.level as nat, word, entry),
        ensures
            entry is Table ==> stop.level > 1,
            self.entry_at(va, stop.level as nat) is Table <==> entry is Table,
    {
        assert(self.model().nodes.contains_key(home(A::geo(), va, stop.level as nat)));
        A::lemma_wf(self.phys_bits(), stop.level as nat, word);
    }

    /// The entry that decides about an address says what the address space says.
    pub(crate) proof fn lemma_place(self, place: Place)
        requires
            self.sound(),
            self.is_last(place),
        ensures
            ({
                let (va, l) = (place.va as int, place.stop.level as nat);
                let e = self.entry_at(va, l);
                let span = A::geo().span(l);
                let start = va - va % span;
                &&& A::geo().wf()
                &&& self.space().is_extent(va, start, span)
                &&& start <= va < start + span <= A::geo().limit() < u64::MAX
                &&& e is Page <==> self.space().lookup(va) is Some
                &&& e is Page ==> A::page_size(l) is Some && self.space().lookup(va) == Some(
                    Model::mapping::<A>(e, l),
                ) && self.space().base(va) == start && self.space().covers(start, va)
            }),
    {
        let (va, l) = (place.va as int, place.stop.level as nat);
        let m = self.model();
        let span = A::geo().span(l);
        let start = va - va % span;
        assert(m.nodes.contains_key(home(A::geo(), va, l)));
        lemma_extent::<A>(va, l);
        m.lemma_stop(va, l);
        m.lemma_lookup::<A>(va);
        if self.entry_at(va, l) is Page {
            m.lemma_size::<A>(va, l);
        } else {
            m.lemma_start(va, l);
            assert forall|x: int|
                start <= x < start + span implies #[trigger] self.space().translate(x) is None by {
                m.lemma_untranslated::<A>(start, l, x);
            }
        }
    }

    /// So does what was read there.
    pub(crate) proof fn lemma_decided(self, place: Place, entry: Entry)
        requires
            self.sound(),
            self.is_decided(place, entry),
        ensures
            ({
                let (va, l) = (place.va as int, place.stop.level as nat);
                let span = A::geo().span(l);
                let start = va - va % span;
                &&& A::geo().wf()
                &&& start <= va < start + span <= A::geo().limit() < u64::MAX
                &&& self.space().is_extent(va, start, span)
                &&& match entry {
                    Entry::Page { .. } => {
                        &&& A::page_size(l) is Some
                        &&& self.space().lookup(va) is Some
                        &&& self.space().lookup(va)->0.may_become(Model::mapping::<A>(entry, l))
                        &&& self.space().lookup(va)->0.size.bytes() == span
                        &&& self.space().base(va) == start
                        &&& self.space().covers(start, va)
                    },
                    _ => self.space().lookup(va) is None,
                }
            }),
    {
        self.lemma_place(place);
    }

    /// The page that a scan found.
    pub(crate) proof fn lemma_next_page(self, from: int, end: int, place: Place, entry: Entry)
        requires
            self.inv(),
            self.is_decided(place, entry),
            entry is Page,
            place.va < end,
            self.space().is_next(from, place.va as int),
        ensures
            ({
                let (va, l) = (place.va as int, place.stop.level as nat);
                let span = A::geo().span(l);
                let start = va - va % span;
                &&& 1 <= l <= A::geo().levels
                &&& A::page_size(l) matches Some(size) && size.bytes() == span
                    && request::has_size::<A>(size) && self.space().has(start, size)
                &&& start % span == 0
                &&& start <= va < start + span
                &&& self.space().pages[start] == Model::mapping::<A>(self.entry_at(va, l), l)
                &&& self.space().is_next_page(from, start)
                &&& from <= start ==> start == va
                &&& self.entry_at(va, l) is Page
            }),
    {
        let s = self.space();
        let (va, l) = (place.va as int, place.stop.level as nat);
        let span = A::geo().span(l);
        let start = va - va % span;
        self.lemma_place(place);
        self.lemma_disjoint();
        A::lemma_page_size(l);
        lemma_fundamental_div_mod(va, span);
        lemma_mod_multiples_basic(va / span, span);
        lemma_mul_is_commutative(va / span, span);
        assert(s.pages.contains_key(start) && s.lookup(va) == Some(s.pages[start]));
        if from <= start && start < va {
            assert(s.covers(start, start));
            assert(s.translate(start) is Some);
        }
    }
}

} // verus!
