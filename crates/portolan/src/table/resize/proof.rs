//! From the tree to what a user is told of sizes that changed.

use super::super::collapse::{Flaw, Joined};
use super::super::descend::Descent;
use super::super::model::{Model, home};
use super::super::proof::lemma_spans_grow;
use super::super::spec::is_level;
use super::super::tree::Tree;
use crate::addr::{PageSize, PhysAddr, VirtAddr};
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, Entry, EntryFormat};
use crate::arith::{lemma_next, lemma_quotient};
use crate::hw::memory::TableMemory;
use crate::prop::{Mapping, PageProperty};
use crate::spec::request;
use crate::spec::space::AddressSpace;
use vstd::prelude::*;

verus! {

/// The next smaller pages are those one level down.
pub(in super::super) proof fn lemma_part_size<A: PagingMode>(
    va: VirtAddr<A>,
    l: nat,
    size: PageSize,
)
    requires
        is_level(va, l, size),
    ensures
        request::part_size::<A>(size) == if l > 1 {
            A::page_size((l - 1) as nat)
        } else {
            None
        },
{
    let k = choose|k: nat| 1 <= k <= A::geo().levels && #[trigger] A::page_size(k) == Some(size);
    A::lemma_page_size(k);
    A::lemma_page_size(l);
    if k < l {
        lemma_spans_grow(A::geo(), k, l);
    }
    if l < k {
        lemma_spans_grow(A::geo(), l, k);
    }
}

/// The page of `size` at `va`, an entry of level `l`, has a table below it in which `flaw` is.
pub(super) open spec fn has_flaw<M: TableMemory, A: PagingMode, B: AccessBits>(
    tree: Tree<M, A, B>,
    va: VirtAddr<A>,
    l: nat,
    size: PageSize,
    part: PageSize,
    flaw: Flaw,
) -> bool {
    &&& is_level(va, l, size)
    &&& l > 1
    &&& A::page_size((l - 1) as nat) == Some(part)
    &&& tree.perms@.contains_key(home(A::geo(), va@, (l - 1) as nat))
    &&& tree.is_flaw(va@, (l - 1) as nat, flaw)
}

/// No page reaches past the last address.
pub(in super::super) proof fn lemma_fits_below_end<A: PagingMode>(
    va: VirtAddr<A>,
    l: nat,
    size: PageSize,
)
    requires
        is_level(va, l, size),
    ensures
        va.raw() + size.bytes() <= u64::MAX + 1,
{
    A::lemma_page_size(l);
    A::geo().lemma_span(A::geo().levels as nat);
    A::geo().lemma_hardware_index(va.raw() as int, l);
    assert(va.raw() as int % size.bytes() as int == 0);
}

/// Which of the parts starts at an address.
pub(in super::super) proof fn lemma_part_index(
    base: int,
    whole: PageSize,
    part: PageSize,
    x: int,
    n: int,
) -> (k: int)
    requires
        AddressSpace::is_part(base, whole, part, x),
        whole.bytes() == part.bytes() * n,
    ensures
        0 <= k < n,
        x == base + k * part.bytes(),
{
    let (s, offset) = (part.bytes() as int, x - base);
    vstd::arithmetic::div_mod::lemma_fundamental_div_mod(offset, s);
    let k = offset / s;
    lemma_quotient(offset, s, n);
    lemma_next(k, s);
    k
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// The page is divided.
    pub(super) proof fn lemma_split_page(
        self,
        old: Self,
        va: VirtAddr<A>,
        l: nat,
        size: PageSize,
        was: (PhysAddr, PageProperty),
    )
        requires
            is_level(va, l, size),
            old.maps(va@, l, size),
            self.is_split_page(old, va@, l, was),
        ensures
            self.space() == old.space().protect(va@, was.1).split(
                va@,
                A::page_size((l - 1) as nat)->0,
            ),
            old.space().pages[va@].may_become(Mapping { frame: was.0, size, prop: was.1 }),
            forall|at: int| #[trigger] old.space().agrees(self.space(), at),
            self.steps_from(old),
    {
        reveal(Tree::is_split_page);
    }

    /// What a descent to the level of the one page finds.
    pub(super) proof fn lemma_collapse_find(
        self,
        va: VirtAddr<A>,
        l: nat,
        size: PageSize,
        d: Descent,
    )
        requires
            self.inv(),
            is_level(va, l, size),
            self.is_descent(va@, l, d),
        ensures
            l <= d.stop.level <= A::geo().levels,
            d.entry is Page ==> self.space().lookup(va@) is Some && self.space().lookup(
                va@,
            )->0.size.bytes() == A::geo().span(d.stop.level as nat) && A::geo().span(
                d.stop.level as nat,
            ) >= size.bytes(),
            d.entry is Empty ==> !self.space().overlaps(va@, size.bytes() as int),
            d.entry is Table ==> d.stop.level == l && l > 1 && self.perms@.contains_key(
                home(A::geo(), va@, (l - 1) as nat),
            ) && self.perms@[home(A::geo(), va@, (l - 1) as nat)].addr() == d.entry->table,
            va.raw() as int + size.bytes() <= u64::MAX + 1,
    {
        let k = d.stop.level as nat;
        let m = self.model();
        assert(m.nodes.contains_key(home(A::geo(), va@, k)));
        A::lemma_wf(self.phys_bits(), k, d.word);
        lemma_fits_below_end(va, l, size);
        match d.entry {
            Entry::Table { .. } => {
                m.lemma_down(va@, k);
                assert(m.nodes.contains_key(home(A::geo(), va@, (k - 1) as nat)));
            },
            Entry::Page { .. } => {
                m.lemma_stop(va@, k);
                m.lemma_lookup::<A>(va@);
                A::lemma_page_size(k);
                lemma_spans_grow(A::geo(), l, k);
            },
            Entry::Empty => {
                self.lemma_vacant(va@, l, k);
            },
        }
    }

    /// Entry `k` of the table of level `l` at `va` is what the address space says.
    spec fn is_part_mapped(self, va: int, l: nat, k: int) -> bool {
        let x = va + k * A::geo().span(l);
        let e = self.part_at(va, l, k);
        &&& e is Page ==> self.space().pages.contains_key(x) && self.space().pages[x]
            == Model::mapping::<A>(e, l)
        &&& !(e is Page) ==> !self.space().has(x, A::page_size(l)->0)
        &&& e is Empty ==> !self.space().overlaps(x, A::geo().span(l))
    }

    /// The entries of a table are what the address space says.
    proof fn lemma_part_mapped(self, va: int, l: nat, k: int)
        requires
            self.inv(),
            self.perms@.contains_key(home(A::geo(), va, l)),
            self.model().in_range(va),
            1 <= l < A::geo().levels,
            A::page_size(l) is Some,
            va % A::geo().cover(l) == 0,
            0 <= k < A::geo().entries(l),
        ensures
            self.is_part_mapped(va, l, k),
    {
        reveal(Model::space);
        let m = self.model();
        let n = home(A::geo(), va, l);
        let x = va + k * A::geo().span(l);
        assert(m.nodes.contains_key(n));
        A::geo().lemma_span(l);
        m.lemma_first(n, k);
        assert(m.entry_at(x, l) == self.part_at(va, l, k));
        match self.part_at(va, l, k) {
            Entry::Page { .. } => {
                assert(m.page_at(x, l));
                m.lemma_page::<A>(x, l);
            },
            e => {
                if e is Empty {
                    self.lemma_vacant(x, l, l);
                }
                if self.space().has(x, A::page_size(l)->0) {
                    let j = m.level_of(x);
                    m.lemma_size::<A>(x, j);
                    A::lemma_page_size(l);
                    A::lemma_page_size(j);
                    if j < l {
                        lemma_spans_grow(A::geo(), j, l);
                    } else {
                        lemma_spans_grow(A::geo(), l, j);
                    }
                }
            },
        }
    }

    /// One of the pages that could be one.
    proof fn lemma_fits(
        self,
        va: int,
        l: nat,
        whole: PageSize,
        frame: PhysAddr,
        prop: PageProperty,
        k: int,
    )
        requires
            self.is_part_mapped(va, l, 0),
            self.is_part_mapped(va, l, k),
            A::page_size(l) is Some,
            whole.bytes() == A::geo().span(l + 1),
            0 <= k < A::geo().entries(l),
            self.is_even(va, l, frame, prop, A::geo().entries(l)),
        ensures
            self.space().fits(va, whole, A::page_size(l)->0, va + k * A::geo().span(l)),
            self.space().pages[va].frame == frame,
            self.space().pages[va + k * A::geo().span(l)].prop.may_become(prop),
    {
        let (first, here) = (self.part_at(va, l, 0), self.part_at(va, l, k));
        assert(first->frame.0 == frame.0 + 0 * A::geo().span(l));
    }

    /// One of the pages that couldn't.
    proof fn lemma_misfit(self, va: int, l: nat, whole: PageSize, flaw: Flaw)
        requires
            self.is_part_mapped(va, l, 0),
            self.is_part_mapped(va, l, flaw.index as int),
            A::page_size(l) is Some,
            whole.bytes() == A::geo().span(l + 1),
            self.is_flaw(va, l, flaw),
        ensures
            !self.space().fits(va, whole, A::page_size(l)->0, va + flaw.index * A::geo().span(l)),
    {
        let (first, here) = (self.part_at(va, l, 0), self.part_at(va, l, flaw.index as int));
        assert(0 * A::geo().span(l) == 0);
    }

    /// The pages could be one.
    pub(super) proof fn lemma_uniform(
        self,
        va: VirtAddr<A>,
        l: nat,
        size: PageSize,
        part: PageSize,
        frame: PhysAddr,
        prop: PageProperty,
    )
        requires
            self.inv(),
            is_level(va, l, size),
            l > 1,
            A::page_size((l - 1) as nat) == Some(part),
            self.perms@.contains_key(home(A::geo(), va@, (l - 1) as nat)),
            self.is_whole(va@, (l - 1) as nat, frame, prop),
        ensures
            self.space().is_uniform(va@, size, part),
            self.space().pages[va@].frame == frame,
            forall|x: int| #[trigger]
                AddressSpace::is_part(va@, size, part, x) ==> self.space().pages[x].prop.may_become(
                    prop,
                ),
    {
        let (geo, below) = (A::geo(), (l - 1) as nat);
        A::lemma_page_size(below);
        geo.lemma_span(below);
        assert forall|k: int| 0 <= k < geo.entries(below) implies #[trigger] self.is_part_mapped(
            va@,
            below,
            k,
        ) by {
            self.lemma_part_mapped(va@, below, k);
        }
        self.lemma_fits_all(va@, below, size, frame, prop);
    }

    /// What is mapped as the entries say is uniform if they are.
    proof fn lemma_fits_all(
        self,
        va: int,
        l: nat,
        whole: PageSize,
        frame: PhysAddr,
        prop: PageProperty,
    )
        requires
            forall|k: int|
                0 <= k < A::geo().entries(l) ==> #[trigger] self.is_part_mapped(va, l, k),
            A::page_size(l) is Some,
            A::page_size(l)->0.bytes() == A::geo().span(l),
            whole.bytes() == A::geo().span(l + 1) == A::geo().span(l) * A::geo().entries(l),
            2 <= A::geo().entries(l),
            0 < A::geo().span(l),
            self.is_even(va, l, frame, prop, A::geo().entries(l)),
        ensures
            self.space().is_uniform(va, whole, A::page_size(l)->0),
            self.space().pages[va].frame == frame,
            forall|x: int| #[trigger]
                AddressSpace::is_part(va, whole, A::page_size(l)->0, x)
                    ==> self.space().pages[x].prop.may_become(prop),
    {
        let part = A::page_size(l)->0;
        self.lemma_fits(va, l, whole, frame, prop, 0);
        assert forall|x: int| #[trigger]
            AddressSpace::is_part(va, whole, part, x) implies self.space().fits(va, whole, part, x)
            && self.space().pages[x].prop.may_become(prop) by {
            let k = lemma_part_index(va, whole, part, x, A::geo().entries(l));
            self.lemma_fits(va, l, whole, frame, prop, k);
        }
    }

    /// The entry that a flaw names is what it says to the address space.
    pub(super) proof fn lemma_flaw(
        self,
        va: VirtAddr<A>,
        l: nat,
        size: PageSize,
        part: PageSize,
        flaw: Flaw,
    )
        requires
            self.inv(),
            has_flaw(self, va, l, size, part, flaw),
        ensures
            ({
                let at = flaw.index * part.bytes();
                &&& 0 <= at
                &&& at + part.bytes() <= size.bytes()
                &&& va.raw() + size.bytes() <= u64::MAX + 1
                &&& flaw.hole ==> !self.space().overlaps(va@ + at, part.bytes() as int)
                &&& !flaw.hole ==> AddressSpace::is_part(va@, size, part, va@ + at)
                    && !self.space().fits(va@, size, part, va@ + at)
            }),
    {
        let (geo, below, k) = (A::geo(), (l - 1) as nat, flaw.index as int);
        A::lemma_page_size(below);
        geo.lemma_span(below);
        vstd::arithmetic::div_mod::lemma_small_mod(0, geo.span(l) as nat);
        geo.lemma_part(below, 0, k);
        lemma_fits_below_end(va, l, size);
        self.lemma_part_mapped(va@, below, 0);
        self.lemma_part_mapped(va@, below, k);
        self.lemma_misfit(va@, below, size, flaw);
        vstd::arithmetic::div_mod::lemma_mod_multiples_basic(k, geo.span(below));
    }

    /// The pages are one.
    pub(super) proof fn lemma_collapse_page(
        self,
        old: Self,
        va: VirtAddr<A>,
        l: nat,
        size: PageSize,
        frame: PhysAddr,
        prop: PageProperty,
        joined: Joined<M, A>,
    )
        requires
            is_level(va, l, size),
            self.is_collapsed_from(old, va@, l, frame, prop, joined),
        ensures
            self.space() == old.space().collapse(va@, size, prop),
            forall|at: int| #[trigger] old.space().agrees(self.space(), at),
            self.steps_from(old),
            joined.inv(),
            joined.full.level + 1 == l,
            old.frames.held() == self.frames.held().union(joined.frames.held()),
            self.frames.held().disjoint(joined.frames.held()),
    {
        reveal(Tree::is_collapsed_from);
    }
}

} // verus!
