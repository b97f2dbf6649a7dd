//! The pages of a range, and the tables that they need.

use super::super::model::{NodeId, home};
use super::super::tree::Tree;
use super::{InTheWay, Run};
use crate::addr::PageSize;
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, EntryFormat};
use crate::hw::memory::TableMemory;
use crate::spec::space::{fit, fits};
use vstd::arithmetic::power2::pow2;
use vstd::prelude::*;

verus! {

/// What is left of a range from `at` to `hi`, to be mapped to the frames from `frame` on, can be mapped by pages.
pub(crate) open spec fn is_part<A: EntryFormat>(
    at: int,
    hi: int,
    frame: int,
    largest: PageSize,
) -> bool {
    let s = A::geo().span(1);
    &&& A::geo().wf()
    &&& A::page_size(1) matches Some(size) && size.bytes() <= largest.bytes()
    &&& 0 <= at < hi <= A::geo().limit()
    &&& at % s == 0
    &&& hi % s == 0
    &&& 0 <= frame
    &&& frame % s == 0
    &&& frame + (hi - at) <= pow2(A::frame_bits() as nat)
    &&& A::frame_bits() <= 56
}

impl Run {
    /// This is the run that starts at `at`.
    pub(crate) open spec fn is_at<A: EntryFormat>(
        self,
        at: int,
        hi: int,
        frame: int,
        largest: PageSize,
    ) -> bool {
        let l = self.level as nat;
        &&& l == fit::<A>(at, hi, frame, largest, A::geo().levels as nat)
        &&& 1 <= l <= A::geo().levels
        &&& fits::<A>(at, hi, frame, largest, l)
        &&& A::page_size(l) matches Some(size) && size.bytes() == A::geo().span(l)
        &&& 1 <= self.pages
        &&& A::geo().index_of(at, l) + self.pages <= A::geo().entries(l)
        &&& self.bytes == self.pages * A::geo().span(l)
        &&& at + self.bytes <= hi
        &&& at + self.bytes < hi ==> is_part::<A>(at + self.bytes, hi, frame + self.bytes, largest)
        &&& frame + self.bytes <= u64::MAX
    }
}

/// The tables `p`, and those for `at` from level `l` up.
pub(crate) open spec fn ext<A: EntryFormat>(p: Set<NodeId>, at: int, l: nat) -> Set<NodeId>
    decreases A::geo().levels - l,
{
    if l >= A::geo().levels {
        p
    } else {
        ext::<A>(p.insert(home(A::geo(), at, l)), at, l + 1)
    }
}

/// How many of the tables for `at` from level `l` up to the root are not among `p`.
pub(crate) open spec fn lack<A: EntryFormat>(p: Set<NodeId>, at: int, l: nat) -> nat
    decreases A::geo().levels - l,
{
    if l >= A::geo().levels {
        0
    } else {
        lack::<A>(p, at, l + 1) + if p.contains(home(A::geo(), at, l)) {
            0nat
        } else {
            1
        }
    }
}

/// How many tables besides `p` the pages of a range need.
pub(crate) open spec fn need<A: EntryFormat>(
    p: Set<NodeId>,
    at: int,
    hi: int,
    frame: int,
    largest: PageSize,
) -> nat
    decreases
            (if at < hi {
                hi - at
            } else {
                0
            }),
{
    if at >= hi {
        0
    } else {
        let l = fit::<A>(at, hi, frame, largest, A::geo().levels as nat);
        let bytes = A::page_size(l)->0.bytes();
        lack::<A>(p, at, l) + need::<A>(ext::<A>(p, at, l), at + bytes, hi, frame + bytes, largest)
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// `p` are the tables and those that the pages from `va` to below `at` need.
    pub(crate) open spec fn is_planned(self, va: int, at: int, p: Set<NodeId>) -> bool {
        &&& 0 <= va <= at
        &&& va == at ==> p == self.perms@.dom()
        &&& forall|n: NodeId|
            #![trigger p.contains(n)]
            #![trigger self.perms@.dom().contains(n)]
            self.perms@.dom().contains(n) ==> p.contains(n)
        &&& forall|n: NodeId| #[trigger]
            p.contains(n) && !self.perms@.dom().contains(n) ==> n.base < at
        &&& va < at ==> forall|k: nat|
            1 <= k < A::geo().levels && A::geo().base(at, k) < at ==> p.contains(
                #[trigger] home(A::geo(), at, k),
            )
    }

    /// The tables for `at` end at level `stop`, above `level`.
    pub(crate) open spec fn is_stopped(self, at: int, level: nat, stop: nat) -> bool {
        &&& A::geo().wf()
        &&& 1 <= level <= stop <= A::geo().levels
        &&& 0 <= at
        &&& forall|k: nat|
            stop <= k < A::geo().levels ==> self.perms@.dom().contains(
                #[trigger] home(A::geo(), at, k),
            )
        &&& forall|k: nat|
            level <= k < stop ==> !self.perms@.dom().contains(#[trigger] home(A::geo(), at, k))
    }

    /// `what` is the first thing in the way of a range.
    pub(crate) open spec fn is_in_the_way(self, va: int, hi: int, what: InTheWay) -> bool {
        let l = what.level as nat;
        &&& va <= what.at < hi
        &&& 1 <= l <= A::geo().levels
        &&& self.is_untranslated(va, what.at as int)
        &&& self.model().in_range(what.at as int)
        &&& self.perms@.contains_key(home(A::geo(), what.at as int, l))
        &&& !(self.entry_at(what.at as int, l) is Empty)
        &&& !self.is_untranslated(va, hi)
        &&& A::pins() ==> l < A::geo().levels
    }
}

} // verus!
