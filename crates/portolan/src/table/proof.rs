//! From the tree to what a user is told.

use super::descend::Descent;
use super::map::Obstacle;
use super::model::{Model, home};
use super::spec::is_level;
use super::tree::Tree;
use crate::addr::{PageSize, PhysAddr, VirtAddr};
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, Entry, EntryFormat};
use crate::arch::geometry::Geometry;
use crate::arith::lemma_nth;
use crate::error::Error;
use crate::hw::memory::TableMemory;
use crate::prop::PageProperty;
use crate::spec::request;
use vstd::prelude::*;

verus! {

/// Entries of higher levels cover more.
pub(crate) proof fn lemma_spans_grow(geo: Geometry, l: nat, k: nat)
    requires
        geo.wf(),
        1 <= l <= k <= geo.levels,
    ensures
        l < k ==> geo.span(l) < geo.span(k),
    decreases k,
{
    if l < k {
        let m = (k - 1) as nat;
        lemma_spans_grow(geo, l, m);
        geo.lemma_span(m);
        lemma_nth(1, geo.entries(m), geo.span(m));
    }
}

/// A page of `size` is an entry of its level.
pub(super) proof fn lemma_level<A: PagingMode>(va: VirtAddr<A>, l: nat, size: PageSize)
    requires
        1 <= l <= A::geo().levels,
        A::page_size(l) == Some(size),
        va.raw() as int % size.bytes() as int == 0,
    ensures
        is_level(va, l, size),
        request::has_size::<A>(size),
{
    A::lemma_page_size(l);
    A::geo().lemma_span(A::geo().levels as nat);
    A::geo().lemma_hardware_index(va.raw() as int, l);
    vstd::arithmetic::div_mod::lemma_mod_bound(va.raw() as int, A::geo().limit());
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// What a descent to the lowest level says of an address.
    pub(super) proof fn lemma_query(self, va: int, d: Descent)
        requires
            self.inv(),
            self.is_descent(va, 1, d),
        ensures
            A::geo().wf(),
            match d.entry {
                Entry::Page { frame, prop } => {
                    &&& A::page_size(d.stop.level as nat) is Some
                    &&& self.space().lookup(va) is Some
                    &&& self.space().lookup(va)->0.may_become(
                        Model::mapping::<A>(d.entry, d.stop.level as nat),
                    )
                },
                _ => self.space().lookup(va) is None,
            },
    {
        let l = d.stop.level as nat;
        let m = self.model();
        assert(m.nodes.contains_key(home(A::geo(), va, l)));
        A::lemma_wf(self.phys_bits(), l, d.word);
        m.lemma_stop(va, l);
        m.lemma_lookup::<A>(va);
    }

    /// What a descent to a page's level says of the page.
    pub(super) proof fn lemma_find(self, va: VirtAddr<A>, l: nat, size: PageSize, d: Descent)
        requires
            self.inv(),
            is_level(va, l, size),
            self.is_descent(va@, l, d),
        ensures
            match d.entry {
                Entry::Page { .. } if d.stop.level == l => self.maps(va@, l, size),
                Entry::Page { .. } => {
                    &&& !self.space().has(va@, size)
                    &&& self.space().lookup(va@) is Some
                    &&& self.space().lookup(va@)->0.size.bytes() == A::geo().span(
                        d.stop.level as nat,
                    )
                },
                _ => {
                    &&& !self.space().has(va@, size)
                    &&& self.space().lookup(va@) matches Some(m) ==> m.size.bytes() < size.bytes()
                },
            },
    {
        let k = d.stop.level as nat;
        let m = self.model();
        let geo = A::geo();
        assert(m.nodes.contains_key(home(geo, va@, k)));
        A::lemma_wf(self.phys_bits(), k, d.word);
        m.lemma_lookup::<A>(va@);
        A::lemma_page_size(k);
        if m.is_mapped(va@) {
            let j = m.level_of(va@);
            assert(m.page_at(va@, j));
            A::lemma_page_size(j);
            m.lemma_page::<A>(va@, j);
            geo.lemma_bounds(va@, j);
            assert(m.nodes.contains_key(home(geo, va@, j)));
            assert(m.nodes[home(geo, va@, j)].entries[geo.index_of(va@, j)] is Page);
            if d.entry is Table {
                if j > k {
                    m.lemma_chain(va@, k, j);
                }
                assert(j < k);
                lemma_spans_grow(geo, j, k);
            } else {
                m.lemma_stop(va@, k);
                lemma_spans_grow(geo, l, k);
            }
        } else {
            m.lemma_no_page::<A>(va@);
            if !(d.entry is Table) {
                m.lemma_stop(va@, k);
            }
        }
    }

    /// The page is mapped.
    pub(super) proof fn lemma_mapped(
        self,
        old: Self,
        va: VirtAddr<A>,
        l: nat,
        frame: PhysAddr,
        size: PageSize,
        prop: PageProperty,
    )
        requires
            is_level(va, l, size),
            self.put_from(old, va@, l, Entry::Page { frame, prop }),
        ensures
            self.space() == old.space().map(va@, frame, size, prop),
    {
    }

    /// What is in the way of a page.
    pub(super) proof fn lemma_in_the_way(self, va: VirtAddr<A>, l: nat, found: u8, size: PageSize)
        requires
            is_level(va, l, size),
            self.is_obstacle(va@, l, Obstacle::Mapped { level: found }),
        ensures
            self.space().overlaps(va@, size.bytes() as int),
            l <= found <= A::geo().levels,
            found > l ==> (self.space().lookup(va@) matches Some(m) && m.size.bytes()
                == A::geo().span(found as nat)),
            found == l ==> !request::is_covered(self.space(), va, size),
            A::geo().wf(),
            va.raw() as int % A::geo().span(l) == 0,
    {
        A::lemma_page_size(found as nat);
        A::geo().lemma_span(A::geo().levels as nat);
        A::geo().lemma_hardware_index(va.raw() as int, l);
    }

    /// The page is unmapped.
    pub(super) proof fn lemma_unmapped_page(
        self,
        old: Self,
        va: VirtAddr<A>,
        l: nat,
        size: PageSize,
    )
        requires
            is_level(va, l, size),
            self.put_from(old, va@, l, Entry::Empty),
        ensures
            self.space() == old.space().unmap(va@),
    {
    }

    /// The page has other properties.
    pub(super) proof fn lemma_protected_page(
        self,
        old: Self,
        va: VirtAddr<A>,
        l: nat,
        size: PageSize,
        frame: PhysAddr,
        prop: PageProperty,
    )
        requires
            is_level(va, l, size),
            old.maps(va@, l, size),
            old.entry_at(va@, l)->frame == frame,
            self.put_from(old, va@, l, Entry::Page { frame, prop }),
        ensures
            self.space() == old.space().protect(va@, prop),
    {
    }
}

} // verus!
