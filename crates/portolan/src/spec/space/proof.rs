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

    /// From `mid` to `new` only addresses change that were in `mid` as in this.
    #[verifier::opaque]
    pub(crate) open spec fn goes_on(self, mid: Self, new: Self) -> bool {
        forall|va: int| #[trigger]
            mid.translate(va) == new.translate(va) || mid.translate(va) == self.translate(va)
    }

    /// What passed between this and `mid` passes between this and `new`.
    pub(crate) proof fn lemma_passes_on(self, mid: Self, new: Self, s: Self)
        requires
            self.goes_on(mid, new),
            self.passes(s, mid),
        ensures
            self.passes(s, new),
    {
        reveal(AddressSpace::goes_on);
        assert forall|va: int| #[trigger] self.agrees(s, va) || new.agrees(s, va) by {
            assert(mid.translate(va) == new.translate(va) || mid.translate(va) == self.translate(
                va,
            ));
            assert(self.agrees(s, va) || mid.agrees(s, va));
        }
    }

    /// What passes between `mid` and `new` passes between this and `new`.
    pub(crate) proof fn lemma_passes_from(self, mid: Self, new: Self, s: Self)
        requires
            self.goes_on(mid, new),
            mid.passes(s, new),
        ensures
            self.passes(s, new),
    {
        reveal(AddressSpace::goes_on);
        assert forall|va: int| #[trigger] self.agrees(s, va) || new.agrees(s, va) by {
            assert(mid.translate(va) == new.translate(va) || mid.translate(va) == self.translate(
                va,
            ));
            assert(mid.agrees(s, va) || new.agrees(s, va));
        }
    }

    /// Where nothing was mapped from `lo` to `hi`, neither at first nor then, and nothing else changes.
    pub(crate) proof fn lemma_goes_on(self, mid: Self, new: Self, lo: int, hi: int)
        requires
            forall|va: int|
                lo <= va < hi ==> #[trigger] self.translate(va) is None && mid.translate(
                    va,
                ) is None,
            forall|va: int| !(lo <= va < hi) ==> #[trigger] new.translate(va) == mid.translate(va),
        ensures
            self.goes_on(mid, new),
    {
        reveal(AddressSpace::goes_on);
        assert forall|va: int| #[trigger]
            mid.translate(va) == new.translate(va) || mid.translate(va) == self.translate(va) by {
            if lo <= va < hi {
                assert(self.translate(va) is None && mid.translate(va) is None);
            } else {
                assert(new.translate(va) == mid.translate(va));
            }
        }
    }

    /// What hardware makes of a space behind our back agrees with it everywhere.
    pub(crate) proof fn lemma_became(self, now: Self, new: Self)
        requires
            self.is_apart(),
            self.may_become(now),
        ensures
            self.passes(now, new),
    {
        assert forall|b: int, va: int| self.covers(b, va) == #[trigger] now.covers(b, va) by {
            assert(self.pages.dom().contains(b) == now.pages.dom().contains(b));
            assert(self.pages.contains_key(b) ==> self.pages[b].may_become(now.pages[b]));
        }
        assert(now.is_apart()) by {
            assert forall|a: int, b: int, va: int| #[trigger]
                now.covers(a, va) && #[trigger] now.covers(b, va) implies a == b by {
                assert(self.covers(a, va) && self.covers(b, va));
            }
        }
        assert forall|va: int| #[trigger] self.agrees(now, va) || new.agrees(now, va) by {
            if exists|b: int| self.covers(b, va) {
                let b = self.base(va);
                self.lemma_covered(b, va);
                assert(now.covers(b, va));
                now.lemma_covered(b, va);
                assert(self.pages[b].may_become(now.pages[b]));
            } else if exists|b: int| now.covers(b, va) {
                assert(self.covers(now.base(va), va));
            }
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
