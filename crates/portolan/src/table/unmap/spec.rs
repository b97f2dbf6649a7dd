//! What becomes of tables that are empty.

use super::super::chain::Chain;
use super::super::descend::Descent;
use super::super::model::home;
use super::super::perms::tables;
use super::super::tree::Tree;
use super::{Loose, Owed};
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, Entry};
use crate::hw::memory::TableMemory;
use crate::prop::PageProperty;
use vstd::prelude::*;

verus! {

impl<A: PagingMode> Loose<A> {
    /// The frames of the tables.
    pub(crate) open spec fn tables(self) -> Set<PhysAddr> {
        match self {
            Loose::Chain(chain) => chain.tables(),
            Loose::Stack(stack) => stack.tables(),
            Loose::Full(full) => Set::empty().insert(full.table),
        }
    }

    /// They are what they are said to be.
    pub(crate) open spec fn inv(self, phys_bits: u64) -> bool {
        match self {
            Loose::Chain(chain) => chain.inv(phys_bits),
            Loose::Stack(stack) => stack.inv(phys_bits),
            Loose::Full(full) => full.inv(phys_bits),
        }
    }
}

impl<M: TableMemory, A: PagingMode> Owed<M, A> {
    /// The frames held are those of the tables.
    pub(crate) open spec fn inv(self) -> bool {
        &&& self.tables.inv(self.frames.phys_bits())
        &&& self.frames.held() == self.tables.tables()
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// This is `old` without the page that `d` found, and what else is to be done.
    #[verifier::opaque]
    pub(crate) open spec fn is_cleared(self, old: Self, va: int, d: Descent) -> bool {
        &&& old.sound()
        &&& old.is_descent(va, d.stop.level as nat, d)
        &&& old.is_cut(va, d.cut)
        &&& d.entry is Page
        &&& self.replaced_from(old, va, d.stop.level as nat, Entry::Empty)
        &&& self.steps_from(old)
        &&& self.is_stop(va, d.cut)
        &&& 1 <= d.cut.used <= 8192
        &&& if d.cut.level == d.stop.level {
            &&& self.model().counted_but(home(A::geo(), va, d.cut.level as nat))
            &&& d.cut.level < A::geo().levels ==> self.noted(va, d.cut.level as nat) >= 1
                || Self::stays(d.cut.level as nat)
            &&& A::counts() && d.cut.level < A::geo().levels ==> d.cut.used - 1 == self.noted(
                va,
                d.cut.level as nat,
            )
            &&& d.cut.used - 1 <= A::geo().entries(d.cut.level as nat)
        } else {
            &&& self.may_unlink(va, d.cut.level as nat, d.head, d.stop.level as nat)
            &&& self.model().counted_but(home(A::geo(), va, d.stop.level as nat))
        }
    }

    /// This is `old` without the page at level `l` for `va`, which was `r`'s, and without the tables that are `r`'s. The
    /// frames of all of them are still held.
    pub(crate) open spec fn is_taken_from(
        self,
        old: Self,
        va: int,
        l: nat,
        r: (PhysAddr, PageProperty, Option<Chain<A>>),
    ) -> bool {
        &&& self.put_from(old, va, l, Entry::Empty)
        &&& old.entry_at(va, l).may_become(Entry::Page { frame: r.0, prop: r.1 })
        &&& self.frames.held() == old.frames.held()
        &&& self.is_rest(old, r.2)
    }

    /// The tables of `old` are those of this and those of `chain`.
    pub(crate) open spec fn is_rest(self, old: Self, chain: Option<Chain<A>>) -> bool {
        match chain {
            None => tables(self.perms@) == tables(old.perms@),
            Some(chain) => {
                &&& chain.inv(self.phys_bits())
                &&& chain.page() is Empty
                &&& tables(old.perms@) == tables(self.perms@).union(chain.tables())
                &&& tables(self.perms@).disjoint(chain.tables())
            },
        }
    }

    /// This is `old` without the page at level `l` for `va`, which was `r`'s, and whose tables are `r`'s.
    pub(crate) open spec fn is_unmapped_from(
        self,
        old: Self,
        va: int,
        l: nat,
        r: (PhysAddr, PageProperty, Option<Owed<M, A>>),
    ) -> bool {
        &&& self.put_from(old, va, l, Entry::Empty)
        &&& old.entry_at(va, l).may_become(Entry::Page { frame: r.0, prop: r.1 })
        &&& self.is_handed_over(old, r.2)
    }

    /// Each frame that `old` held is held by this or by `owed`, by one of them only.
    pub(crate) open spec fn is_handed_over(self, old: Self, owed: Option<Owed<M, A>>) -> bool {
        match owed {
            None => self.frames.held() == old.frames.held(),
            Some(owed) => {
                &&& owed.inv()
                &&& old.frames.held() == self.frames.held().union(owed.frames.held())
                &&& self.frames.held().disjoint(owed.frames.held())
            },
        }
    }
}

} // verus!
