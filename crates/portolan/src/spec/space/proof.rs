//! What address spaces have in common whose pages lie apart.

use super::AddressSpace;
use crate::addr::{PageSize, PhysAddr};
use crate::prop::PageProperty;
use vstd::prelude::*;

verus! {

impl AddressSpace {
    /// No two pages cover the same address.
    pub(crate) open spec fn is_apart(self) -> bool {
        forall|a: int, b: int, va: int| #[trigger]
            self.covers(a, va) && #[trigger] self.covers(b, va) ==> a == b
    }

    /// What covers an address is where it is translated to.
    pub(crate) proof fn lemma_covered(self, base: int, va: int)
        requires
            self.is_apart(),
            self.covers(base, va),
        ensures
            self.base(va) == base,
            self.lookup(va) == Some(self.pages[base]),
            self.translate(va) == Some(
                (self.pages[base].frame.0 + (va - base), self.pages[base].prop),
            ),
    {
    }

    /// One more page, where there was none: the rest is as before.
    pub(crate) proof fn lemma_map_at(
        self,
        va: int,
        frame: PhysAddr,
        size: PageSize,
        prop: PageProperty,
        at: int,
    )
        requires
            self.is_apart(),
            self.map(va, frame, size, prop).is_apart(),
            !self.pages.contains_key(va),
        ensures
            self.map(va, frame, size, prop).translate(at) == if va <= at < va + size.bytes() {
                Some((frame.0 + (at - va), prop))
            } else {
                self.translate(at)
            },
    {
        let new = self.map(va, frame, size, prop);
        if va <= at < va + size.bytes() {
            assert(new.covers(va, at));
            new.lemma_covered(va, at);
        } else if exists|base: int| self.covers(base, at) {
            let base = self.base(at);
            assert(new.covers(base, at));
            self.lemma_covered(base, at);
            new.lemma_covered(base, at);
        } else if exists|base: int| new.covers(base, at) {
            let base = new.base(at);
            assert(base != va);
            assert(self.covers(base, at));
        }
    }

    /// An address is as itself.
    pub(crate) proof fn lemma_agrees(self, now: Self, va: int)
        requires
            self.translate(va) == now.translate(va),
        ensures
            self.agrees(now, va),
    {
    }

    /// What passed between `self` and `mid` passes between `self` and `mid` with one more page where there was none.
    pub(crate) proof fn lemma_passes_map(
        self,
        mid: Self,
        s: Self,
        va: int,
        frame: PhysAddr,
        size: PageSize,
        prop: PageProperty,
    )
        requires
            self.passes(s, mid),
            mid.is_apart(),
            mid.map(va, frame, size, prop).is_apart(),
            forall|at: int|
                va <= at < va + size.bytes() ==> #[trigger] self.translate(at) is None
                    && mid.translate(at) is None,
        ensures
            self.passes(s, mid.map(va, frame, size, prop)),
    {
        let new = mid.map(va, frame, size, prop);
        if mid.pages.contains_key(va) {
            assert(mid.covers(va, va));
            mid.lemma_covered(va, va);
            assert(self.translate(va) is None);
        }
        assert forall|at: int| #[trigger] self.agrees(s, at) || new.agrees(s, at) by {
            mid.lemma_map_at(va, frame, size, prop, at);
            if va <= at < va + size.bytes() {
                assert(self.translate(at) is None);
            }
            assert(self.agrees(s, at) || mid.agrees(s, at));
        }
    }

    /// Only the old and the new, at the start.
    pub(crate) proof fn lemma_passes_old(self, new: Self)
        ensures
            self.passes(self, new),
            self.passes(new, new),
    {
        assert forall|at: int| #[trigger] self.agrees(self, at) || new.agrees(self, at) by {
            self.lemma_agrees(self, at);
        }
        assert forall|at: int| #[trigger] self.agrees(new, at) || new.agrees(new, at) by {
            new.lemma_agrees(new, at);
        }
    }
}

} // verus!
