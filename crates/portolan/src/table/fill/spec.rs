//! What a run of pages is, and a tree while one is mapped.

use super::super::descend::Descent;
use super::super::model::{Model, Node, home, used};
use super::super::perms::{space, tables};
use super::super::tree::Tree;
use crate::addr::{PageSize, PhysAddr};
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, Entry};
use crate::hw::memory::TableMemory;
use crate::prop::PageProperty;
use vstd::arithmetic::power2::pow2;
use vstd::prelude::*;

verus! {

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// The `k`-th page of a run of pages of level `l`.
    pub(crate) open spec fn nth(l: nat, k: int, frame: int, prop: PageProperty) -> Entry {
        Entry::Page { frame: PhysAddr((frame + k * A::geo().span(l)) as u64), prop }
    }

    /// `n` entries from that for `va` on are in one table of level `l`, and none of them is in use.
    pub(crate) open spec fn is_vacant_run(self, va: int, l: nat, n: int) -> bool {
        let i = A::geo().index_of(va, l);
        &&& i + n <= A::geo().entries(l)
        &&& forall|j: int| i <= j < i + n ==> !#[trigger] self.is_used_at(va, l, j)
    }

    /// `n` pages from `va` on can be mapped in the table where `d` ended.
    pub(crate) open spec fn may_fill(
        self,
        va: int,
        d: Descent,
        n: int,
        frame: int,
        prop: PageProperty,
    ) -> bool {
        let l = d.stop.level as nat;
        &&& self.is_descent(va, l, d)
        &&& va % A::geo().span(l) == 0
        &&& 1 <= n
        &&& self.is_vacant_run(va, l, n)
        &&& A::page_size(l) is Some
        &&& A::supports(prop)
        &&& !B::tracks() ==> prop.accessed && prop.dirty
        &&& 0 <= frame
        &&& frame % A::geo().span(l) == 0
        &&& frame + n * A::geo().span(l) <= pow2(self.phys_bits() as nat)
    }

    /// The model with `k` pages more, as entries of one table from that for `va` on.
    pub(crate) open spec fn model_with(
        self,
        va: int,
        l: nat,
        k: nat,
        frame: int,
        prop: PageProperty,
    ) -> Model {
        let n = home(A::geo(), va, l);
        let i = A::geo().index_of(va, l);
        let was = self.model().nodes[n];
        let entries = Seq::new(
            was.entries.len(),
            |j: int|
                if i <= j < i + k {
                    Self::nth(l, j - i, frame, prop)
                } else {
                    was.entries[j]
                },
        );
        Model { nodes: self.model().nodes.insert(n, Node { entries, ..was }), ..self.model() }
    }

    /// After each single store between `old` and this, each address was as in `old`, but for bits that hardware had set,
    /// or is as in this one.
    pub(crate) open spec fn goes_through(self, old: Self) -> bool {
        &&& self.phys_bits() == old.phys_bits()
        &&& self.root == old.root
        &&& old.trace@.is_prefix_of(self.trace@)
        &&& forall|k: int|
            old.trace@.len() <= k < self.trace@.len() ==> old.space().passes(
                space::<A>(#[trigger] self.trace@[k]),
                self.space(),
            )
    }

    /// This is `old` with `k` pages more in the table where `d` ended, which are not yet counted.
    #[verifier::opaque]
    pub(crate) open spec fn is_filling(
        self,
        old: Self,
        va: int,
        d: Descent,
        k: nat,
        frame: int,
        prop: PageProperty,
    ) -> bool {
        let l = d.stop.level as nat;
        let n = home(A::geo(), va, l);
        &&& self.linked()
        &&& self.model() == old.model_with(va, l, k, frame, prop)
        &&& self.frames.held() == old.frames.held()
        &&& tables(self.perms@) == tables(old.perms@)
        &&& self.perms@.dom() == old.perms@.dom()
        &&& self.model().counted_but(n)
        &&& used(self.model().nodes[n].entries) == used(old.model().nodes[n].entries) + k
        &&& self.is_stop(va, d.stop)
        &&& self.space() == old.space().map_run(va, frame, Self::size(l), k, prop)
        &&& self.goes_through(old)
        &&& self.is_same_outside(old, va, va + k * A::geo().span(l))
    }

    /// From `lo` to below `hi` nothing is mapped.
    pub(crate) open spec fn is_untranslated(self, lo: int, hi: int) -> bool {
        self.space().is_free(lo, hi)
    }

    /// Outside of `lo` to `hi` each address is translated as in `old`.
    pub(crate) open spec fn is_same_outside(self, old: Self, lo: int, hi: int) -> bool {
        forall|at: int|
            !(lo <= at < hi) ==> #[trigger] self.space().translate(at) == old.space().translate(at)
    }

    /// How large the pages of level `l` are.
    pub(crate) open spec fn size(l: nat) -> PageSize {
        A::page_size(l)->0
    }

    /// This is `old` with `n` pages of level `l` more, from `va` on.
    pub(crate) open spec fn is_filled_from(
        self,
        old: Self,
        va: int,
        l: nat,
        n: nat,
        frame: int,
        prop: PageProperty,
    ) -> bool {
        &&& self.space() == old.space().map_run(va, frame, Self::size(l), n, prop)
        &&& self.goes_through(old)
        &&& self.is_same_outside(old, va, va + n * A::geo().span(l))
        &&& self.frames.held() == old.frames.held()
        &&& tables(self.perms@) == tables(old.perms@)
        &&& self.perms@.dom() == old.perms@.dom()
    }
}

} // verus!
