//! Pages are joined: each byte stays where it is.

use super::super::descend::Descent;
use super::super::model::counting::lemma_used_full;
use super::super::model::home;
use super::super::perms::{perm_ok, tables};
use super::super::tree::Tree;
use super::Joined;
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, Entry, EntryFormat, is_frame_address};
use crate::arch::geometry::proof::lemma_shl;
use crate::hw::memory::TableMemory;
use crate::prop::PageProperty;
use vstd::arithmetic::power2::pow2;
use vstd::prelude::*;

verus! {

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// An entry of a table.
    pub(super) proof fn lemma_part(self, va: int, l: nat, table: PhysAddr, k: int)
        requires
            self.inv(),
            self.is_table(va, l, table),
            0 <= k < A::geo().entries(l),
        ensures
            ({
                let perm = self.perms@[home(A::geo(), va, l)];
                &&& self.perms@.dom().contains(home(A::geo(), va, l))
                &&& perm_ok::<A>(perm, l, self.phys_bits())
                &&& A::wf(self.phys_bits(), l, perm.words()[k])
                &&& self.part_at(va, l, k) == A::entry(l, perm.words()[k])
                &&& Self::preset(self.part_at(va, l, k))
                &&& A::geo().wf()
            }),
    {
        reveal(Tree::are_preset);
        let n = home(A::geo(), va, l);
        assert(self.model().nodes.contains_key(n));
        assert(Self::preset(self.model().nodes[n].entries[k]));
    }

    /// A page of a table lies where frames do.
    proof fn lemma_part_frame(self, va: int, l: nat, table: PhysAddr, k: int)
        requires
            self.inv(),
            self.is_table(va, l, table),
            0 <= k < A::geo().entries(l),
            self.part_at(va, l, k) is Page,
        ensures
            is_frame_address(self.part_at(va, l, k)->frame, self.phys_bits(), A::geo().span(l)),
            A::supports(self.part_at(va, l, k)->prop),
            self.phys_bits() <= A::frame_bits(),
            pow2(self.phys_bits() as nat) < u64::MAX,
    {
        self.lemma_part(va, l, table, k);
        A::lemma_wf(self.phys_bits(), l, self.perms@[home(A::geo(), va, l)].words()[k]);
        A::lemma_geometry();
        lemma_shl(self.phys_bits());
    }

    /// The low bits tell a frame that isn't a multiple.
    pub(super) proof fn lemma_mask_frame(l: nat, frame: PhysAddr)
        requires
            A::geo().wf(),
            1 <= l <= A::geo().levels,
        ensures
            1 <= A::geo().span(l),
            A::geo().span(l) - 1 <= u64::MAX,
            (frame.0 & (A::geo().span(l) - 1) as u64 == 0) == (frame.0 as int % A::geo().span(l)
                == 0),
    {
        let span = A::geo().span(l);
        A::geo().lemma_span(l);
        A::geo().lemma_align_down(frame.0, l);
        let (x, mask) = (frame.0, (span - 1) as u64);
        assert((x & mask) == x - (x & !mask)) by (bit_vector);
    }

    /// The first page of a table.
    pub(super) proof fn lemma_first_part(
        self,
        va: int,
        l: nat,
        table: PhysAddr,
        frame: PhysAddr,
        prop: PageProperty,
    )
        requires
            self.inv(),
            self.is_table(va, l, table),
            self.part_at(va, l, 0).may_become(Entry::Page { frame, prop }),
        ensures
            2 <= A::geo().entries(l) <= 8192,
            1 <= A::geo().span(l + 1),
            A::geo().span(l + 1) - 1 <= u64::MAX,
            frame.0 & (A::geo().span(l + 1) - 1) as u64 == 0 ==> self.is_even(
                va,
                l,
                frame,
                prop,
                1,
            ),
            frame.0 & (A::geo().span(l + 1) - 1) as u64 != 0 ==> frame.0 as int % A::geo().span(
                l + 1,
            ) != 0,
            0 * A::geo().span(l) == 0,
    {
        A::geo().lemma_span(l);
        Self::lemma_mask_frame(l + 1, frame);
    }

    /// After a page there is room for the address of the next.
    pub(super) proof fn lemma_next_part(
        self,
        va: int,
        l: nat,
        table: PhysAddr,
        frame: PhysAddr,
        prop: PageProperty,
        k: int,
    )
        requires
            self.inv(),
            self.is_table(va, l, table),
            1 <= k < A::geo().entries(l),
            self.is_even(va, l, frame, prop, k),
        ensures
            frame.0 + (k - 1) * A::geo().span(l) + A::geo().span(l) == frame.0 + k * A::geo().span(
                l,
            ),
            frame.0 + k * A::geo().span(l) < u64::MAX,
            self.part_at(va, l, 0) is Page,
            self.part_at(va, l, 0)->frame.0 == frame.0,
            self.part_at(va, l, 0)->prop.may_become(prop),
    {
        self.lemma_part_frame(va, l, table, k - 1);
        A::geo().lemma_part(l, frame.0 as int, k - 1);
        assert(self.part_at(va, l, 0)->frame.0 == frame.0 + 0 * A::geo().span(l));
    }

    /// One more page.
    pub(super) proof fn lemma_even(
        self,
        va: int,
        l: nat,
        frame: PhysAddr,
        prop: PageProperty,
        k: int,
        seen: PageProperty,
    )
        requires
            self.is_even(va, l, frame, prop, k),
            self.part_at(va, l, k) is Page,
            self.part_at(va, l, k)->frame.0 == frame.0 + k * A::geo().span(l),
            self.part_at(va, l, k)->prop.may_become(seen),
            seen.alike(prop),
        ensures
            self.is_even(va, l, frame, prop.keeping(seen), k + 1),
    {
    }

    /// All pages were looked at.
    pub(super) proof fn lemma_whole(
        self,
        va: int,
        l: nat,
        table: PhysAddr,
        frame: PhysAddr,
        prop: PageProperty,
        all: PageProperty,
    )
        requires
            self.inv(),
            self.is_table(va, l, table),
            self.is_even(va, l, frame, prop, A::geo().entries(l)),
            prop.may_become(all),
            all == (PageProperty { accessed: true, dirty: prop.dirty || prop.write, ..prop }),
        ensures
            self.is_whole(va, l, frame, all),
    {
        let (geo, last) = (A::geo(), A::geo().entries(l) - 1);
        geo.lemma_span(l);
        self.lemma_part_frame(va, l, table, 0);
        self.lemma_part_frame(va, l, table, last);
        geo.lemma_part(l, frame.0 as int, last);
        vstd::arithmetic::mul::lemma_mul_is_commutative(geo.entries(l), geo.span(l));
        self.lemma_part(va, l, table, 0);
        let first = self.part_at(va, l, 0)->prop;
        A::lemma_supports(first, all.accessed, all.dirty);
        assert(all == (PageProperty { accessed: all.accessed, dirty: all.dirty, ..first }));
    }

    /// The page can be written as an entry.
    pub(super) proof fn lemma_whole_page(
        self,
        va: int,
        d: Descent,
        frame: PhysAddr,
        prop: PageProperty,
    )
        requires
            self.inv(),
            self.is_descent(va, d.stop.level as nat, d),
            d.stop.level > 1,
            self.is_whole(va, (d.stop.level - 1) as nat, frame, prop),
        ensures
            self.phys_bits() <= A::frame_bits(),
            is_frame_address(frame, self.phys_bits(), A::geo().span(d.stop.level as nat)),
            A::supports(prop),
            self.linked(),
            self.is_slot(va, d.at()),
    {
    }

    /// The page can take the table's place.
    pub(super) proof fn lemma_may_join(
        self,
        va: int,
        d: Descent,
        frame: PhysAddr,
        prop: PageProperty,
    )
        requires
            self.inv(),
            self.is_descent(va, d.stop.level as nat, d),
            d.stop.level > 1,
            d.entry is Table,
            A::page_size(d.stop.level as nat) is Some,
            A::page_size((d.stop.level - 1) as nat) is Some,
            self.is_whole(va, (d.stop.level - 1) as nat, frame, prop),
            A::resizes(),
        ensures
            self.may_join(va, d.stop.level as nat, d.entry->table, Entry::Page { frame, prop }),
    {
        let (l, below) = (d.stop.level as nat, (d.stop.level - 1) as nat);
        let c = home(A::geo(), va, below);
        let m = self.model();
        assert(m.nodes.contains_key(home(A::geo(), va, l)));
        m.lemma_down(va, l);
        m.lemma_noted(va, below);
        assert(m.count_ok(c));
        let entries = m.nodes[c].entries;
        assert(entries.len() == A::geo().entries(below));
        assert forall|k: int| 0 <= k < entries.len() implies (#[trigger] entries[k]) is Page by {
            assert(self.part_at(va, below, k) is Page);
        }
        lemma_used_full(entries);
    }

    /// What the tree means then.
    proof fn lemma_collapsed_space(
        self,
        old: Self,
        va: int,
        d: Descent,
        frame: PhysAddr,
        prop: PageProperty,
    )
        requires
            old.inv(),
            self.linked(),
            old.is_descent(va, d.stop.level as nat, d),
            d.stop.level > 1,
            A::page_size(d.stop.level as nat) is Some,
            old.is_whole(va, (d.stop.level - 1) as nat, frame, prop),
            self.model().divided(
                old.model(),
                home(A::geo(), va, d.stop.level as nat),
                d.index as int,
            ),
            self.entry_at(va, d.stop.level as nat) == (Entry::Page { frame, prop }),
        ensures
            self.space() == old.space().collapse(
                va - va % A::geo().span(d.stop.level as nat),
                A::page_size(d.stop.level as nat)->0,
                prop,
            ),
            forall|x: int| #[trigger] old.space().agrees(self.space(), x),
    {
        let (l, below) = (d.stop.level as nat, (d.stop.level - 1) as nat);
        let (n, i) = (home(A::geo(), va, l), d.index as int);
        let (was, now) = (old.model(), self.model());
        A::geo().lemma_decompose(va, l);
        A::geo().lemma_span(l);
        A::geo().lemma_span(below);
        A::lemma_page_size(l);
        now.lemma_step(va, below);
        assert forall|k: int| 0 <= k < A::geo().entries(below) implies (
        #[trigger] was.nodes[now.child(n, i)].entries[k])->frame.0 == frame.0 + k * A::geo().span(
            below,
        ) by {
            assert(old.part_at(va, below, k) is Page);
        }
        now.lemma_divided_pages::<A>(was, n, i);
        now.lemma_divided_collapse::<A>(was, n, i);
        assert forall|x: int| #[trigger] old.space().agrees(self.space(), x) by {
            now.lemma_divided_translate::<A>(was, n, i, x);
            let k = A::geo().index_of(x, below);
            assert(0 <= k < A::geo().entries(below) ==> old.part_at(va, below, k)->prop.may_become(
                prop,
            ));
        }
    }

    /// The pages are joined, and their table is accounted for elsewhere.
    pub(super) proof fn lemma_collapsed(
        self,
        old: Self,
        mid: Self,
        va: int,
        d: Descent,
        frame: PhysAddr,
        prop: PageProperty,
        joined: Joined<M, A>,
    )
        requires
            old.inv(),
            old.is_descent(va, d.stop.level as nat, d),
            d.stop.level > 1,
            A::page_size(d.stop.level as nat) is Some,
            old.is_whole(va, (d.stop.level - 1) as nat, frame, prop),
            mid.joined_from(old, va, d.stop.level as nat, Entry::Page { frame, prop }, joined.full),
            self.unchanged_from(mid),
            joined.frames.phys_bits() == mid.phys_bits(),
            joined.frames.held() == Set::<PhysAddr>::empty().insert(joined.full.table),
            self.frames.held() == mid.frames.held().difference(joined.frames.held()),
        ensures
            self.inv(),
            self.is_collapsed_from(old, va, d.stop.level as nat, frame, prop, joined),
            self.root == old.root,
    {
        reveal(Tree::is_collapsed_from);
        let (n, i) = (home(A::geo(), va, d.stop.level as nat), d.index as int);
        mid.lemma_collapsed_space(old, va, d, frame, prop);
        mid.model().lemma_divided_counted(old.model(), n, i);
        assert(self.frames.held() =~= tables(self.perms@));
        assert(old.frames.held() =~= self.frames.held().union(joined.frames.held()));
    }
}

} // verus!
