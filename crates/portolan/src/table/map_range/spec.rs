//! A tree while a range is mapped.

use super::super::descend::Descent;
use super::super::perms::tables;
use super::super::plan::Run;
use super::super::plan::spec::{is_part, need};
use super::super::stack::Stack;
use super::super::tree::Tree;
use super::Wanted;
use crate::addr::PageSize;
use crate::arch::PagingMode;
use crate::arch::entry::AccessBits;
use crate::hw::memory::TableMemory;
use crate::prop::PageProperty;
use vstd::arithmetic::power2::pow2;
use vstd::prelude::*;

verus! {

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// The request is one that pages can express.
    pub(crate) open spec fn may_map_range(
        self,
        va: int,
        hi: int,
        frame: int,
        largest: PageSize,
        prop: PageProperty,
    ) -> bool {
        &&& is_part::<A>(va, hi, frame, largest)
        &&& frame + (hi - va) <= pow2(self.phys_bits() as nat)
        &&& A::supports(prop)
    }

    /// The frames held are those of the tables, and those in `stack`.
    pub(crate) open spec fn is_using(self, stack: Stack<A>) -> bool {
        &&& self.frames.held() == tables(self.perms@).union(stack.tables())
        &&& tables(self.perms@).disjoint(stack.tables())
    }

    /// The range can be mapped, and nothing is mapped there.
    pub(crate) open spec fn is_wanted(self, w: Wanted) -> bool {
        &&& self.may_map_range(w.va, w.hi, w.frame, w.largest, w.prop)
        &&& self.is_untranslated(w.va, w.hi)
        &&& !B::tracks() ==> w.prop.accessed && w.prop.dirty
    }

    /// This is `tree` with the range mapped up to `at`, and `stack` has the tables that the rest needs.
    #[verifier::opaque]
    pub(crate) open spec fn is_mapping(
        self,
        tree: Self,
        stack: Stack<A>,
        w: Wanted,
        at: int,
    ) -> bool {
        let next = w.frame + (at - w.va);
        &&& self.sound()
        &&& stack.inv(self.phys_bits())
        &&& self.is_using(stack)
        &&& stack@.len() == need::<A>(self.perms@.dom(), at, w.hi, next, w.largest)
        &&& self.is_untranslated(at, w.hi)
        &&& self.goes_through(tree)
        &&& self.space().map_range::<A>(at, w.hi, next, w.largest, w.prop)
            == tree.space().map_range::<A>(w.va, w.hi, w.frame, w.largest, w.prop)
    }

    /// Mapping a run at `at` is done from here, where `d` ended.
    pub(crate) open spec fn is_next(
        self,
        tree: Self,
        stack: Stack<A>,
        w: Wanted,
        at: int,
        d: Descent,
        run: Run,
    ) -> bool {
        let next = w.frame + (at - w.va);
        &&& tree.sound()
        &&& tree.is_wanted(w)
        &&& w.va <= at < w.hi
        &&& self.is_mapping(tree, stack, w, at)
        &&& is_part::<A>(at, w.hi, next, w.largest)
        &&& run.is_at::<A>(at, w.hi, next, w.largest)
        &&& self.is_descent(at, run.level as nat, d)
        &&& d.entry is Empty
    }
}

} // verus!
