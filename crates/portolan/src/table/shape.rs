//! Where the pages of a table can lie, and their frames.

use super::PageTable;
use super::model::{Model, home};
use super::perms::perm_ok;
use super::tree::Tree;
use crate::addr::VirtRange;
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, EntryFormat};
use crate::hw::memory::TableMemory;
use crate::prop::Mapping;
use crate::spec::request;
use crate::spec::space::AddressSpace;
use vstd::arithmetic::power2::{lemma_pow2_strictly_increases, lemma2_to64_rest, pow2};
use vstd::prelude::*;

verus! {

/// A page of the mode that can start at `base`: aligned, within what a table covers, and so is its frame, with an address of
/// at most 56 bits.
pub(crate) open spec fn is_page_of<A: EntryFormat>(base: int, m: Mapping) -> bool {
    let size = m.size.bytes() as int;
    &&& 0 <= base
    &&& base + size <= A::geo().limit()
    &&& base % size == 0
    &&& base % A::geo().span(1) == 0
    &&& size % A::geo().span(1) == 0
    &&& m.frame.0 as int % size == 0
    &&& m.frame.0 + size <= 0x100_0000_0000_0000
    &&& exists|l: nat| 1 <= l <= A::geo().levels && #[trigger] A::page_size(l) == Some(m.size)
}

impl AddressSpace {
    /// The pages are a table's: each where it can be, and no two cover the same address.
    pub(crate) open spec fn is_shaped<A: EntryFormat>(self) -> bool {
        &&& self.is_apart()
        &&& forall|base: int| #[trigger]
            self.pages.contains_key(base) ==> is_page_of::<A>(base, self.pages[base])
    }
}

/// What covers one entry of level `l` is a multiple of what one of level 1 covers.
proof fn lemma_span_of_spans<A: EntryFormat>(x: int, l: nat)
    requires
        1 <= l <= A::geo().levels,
        x % A::geo().span(l) == 0,
    ensures
        x % A::geo().span(1) == 0,
        A::geo().span(l) % A::geo().span(1) == 0,
    decreases l,
{
    A::lemma_geometry();
    A::geo().lemma_span(l);
    if l > 1 {
        let k = (l - 1) as nat;
        A::geo().lemma_span(k);
        let (s, n) = (A::geo().span(k), A::geo().entries(k));
        vstd::arithmetic::div_mod::lemma_mod_mod(x, s, n);
        vstd::arithmetic::div_mod::lemma_mod_multiples_basic(n, s);
        vstd::arithmetic::mul::lemma_mul_is_commutative(s, n);
        vstd::arithmetic::div_mod::lemma_small_mod(0, s as nat);
        lemma_span_of_spans::<A>(x, k);
        lemma_span_of_spans::<A>(A::geo().span(l), k);
    } else {
        vstd::arithmetic::div_mod::lemma_mod_self_0(A::geo().span(1));
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// A page starts where pages of its size can, and ends within the tree.
    proof fn lemma_page_of(self, base: int)
        requires
            self.linked(),
            self.space().pages.contains_key(base),
        ensures
            is_page_of::<A>(base, self.space().pages[base]),
    {
        reveal(Model::space);
        let m = self.model();
        let l = m.level_of(base);
        assert(m.page_at(base, l));
        let (n, i) = (home(A::geo(), base, l), A::geo().index_of(base, l));
        A::geo().lemma_bounds(base, l);
        assert(self.perms@.contains_key(n));
        assert(perm_ok::<A>(self.perms@[n], l, self.phys_bits()));
        A::lemma_wf(self.phys_bits(), l, self.perms@[n].words()[i]);
        A::lemma_page_size(l);
        m.lemma_size::<A>(base, l);
        lemma_span_of_spans::<A>(base, l);
        A::lemma_geometry();
        lemma2_to64_rest();
        if self.phys_bits() < 56 {
            lemma_pow2_strictly_increases(self.phys_bits() as nat, 56);
        }
        let last = base + A::geo().span(l) - 1;
        A::geo().lemma_span(l);
        assert(self.space().covers(base, last));
        m.lemma_covers::<A>(base, last);
        assert(self.space().pages[base].frame.0 + self.space().pages[base].size.bytes() <= pow2(
            self.phys_bits() as nat,
        ));
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> PageTable<M, A, B> {
    /// The pages of a page table are where they can be.
    pub(crate) proof fn lemma_shaped(tracked &self)
        ensures
            self@.is_shaped::<A>(),
            A::geo().wf(),
    {
        use_type_invariant(self);
        A::lemma_geometry();
        self.owned.tree.lemma_disjoint();
        assert(self@.is_apart());
        assert forall|base: int| #[trigger] self@.pages.contains_key(base) implies is_page_of::<A>(
            base,
            self@.pages[base],
        ) by {
            self.owned.tree.lemma_page_of(base);
        }
    }

    /// A range between pages can be worked on.
    pub(crate) proof fn lemma_range_of_pages(tracked &self, range: VirtRange<A>)
        requires
            range.first()@ % A::geo().span(1) == 0,
            range.bytes() as int % A::geo().span(1) == 0,
            range.first()@ + range.bytes() <= A::geo().limit(),
        ensures
            request::check_range(range) is None,
    {
        lemma_range_of_pages(range);
    }
}

/// A range between pages can be worked on.
pub(crate) proof fn lemma_range_of_pages<A: PagingMode>(range: VirtRange<A>)
    requires
        range.first()@ % A::geo().span(1) == 0,
        range.bytes() as int % A::geo().span(1) == 0,
        range.first()@ + range.bytes() <= A::geo().limit(),
    ensures
        request::check_range(range) is None,
{
    A::lemma_geometry();
    A::geo().lemma_span(1);
    A::geo().lemma_limit();
    A::geo().lemma_hardware_index(range.first().raw() as int, 1);
    A::geo().lemma_entry_end(1, 0);
}

} // verus!
