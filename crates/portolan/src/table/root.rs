//! Where a tree's root table is, and what of a tree never changes.

#[cfg(verus_only)]
use super::model::NodeId;
use crate::addr::PhysAddr;
#[cfg(verus_only)]
use crate::arch::entry::{Entry, EntryFormat};
#[cfg(verus_only)]
use crate::hw::memory::TablePerm;
use vstd::prelude::*;

verus! {

/// What of a page table never changes once it is made, whatever is mapped and unmapped.
pub ghost struct Fixed {
    /// Where the tables directly below the root are, by index, if they stay for good: those of a kernel half.
    pub pinned: Seq<PhysAddr>,
    /// Which tables the root's words past its own entries refer to: those of the kernel half that a user table shares.
    pub shared: Seq<PhysAddr>,
}

impl Fixed {
    /// Nothing stays for good.
    pub open spec fn none() -> Self {
        Fixed { pinned: Seq::empty(), shared: Seq::empty() }
    }
}

/// A root table: where it is, and what of the tree never changes.
#[derive(Clone, Copy)]
pub(crate) struct Root {
    pub(crate) addr: PhysAddr,
    pub(crate) fixed: Ghost<Fixed>,
}

/// Where a root stands.
pub(crate) open spec fn top<A: EntryFormat>() -> NodeId {
    NodeId { level: A::geo().levels as nat, base: 0 }
}

/// `word`, in a root, refers to `table`.
pub(crate) open spec fn refers<A: EntryFormat>(phys_bits: u64, word: u64, table: PhysAddr) -> bool {
    let level = A::geo().levels as nat;
    &&& A::wf(phys_bits, level, word)
    &&& A::entry(level, word) is Table
    &&& A::entry(level, word)->table == table
}

/// `perm`, for the root, says what `fixed` does.
#[verifier::opaque]
pub(crate) open spec fn is_fixed<A: EntryFormat>(
    perm: TablePerm,
    phys_bits: u64,
    fixed: Fixed,
) -> bool {
    let entries = A::geo().entries(A::geo().levels as nat);
    &&& fixed.pinned.len() <= entries
    &&& fixed.pinned.len() > 0 ==> A::pins()
    &&& forall|i: int|
        0 <= i < fixed.pinned.len() ==> refers::<A>(
            phys_bits,
            perm.words()[i],
            #[trigger] fixed.pinned[i],
        )
    &&& entries + fixed.shared.len() <= perm.words().len()
    &&& forall|i: int|
        0 <= i < fixed.shared.len() ==> refers::<A>(
            phys_bits,
            perm.words()[entries + i],
            #[trigger] fixed.shared[i],
        )
}

/// An entry of the root is replaced: what never changes is as it was.
pub(crate) proof fn lemma_kept<A: EntryFormat>(
    was: TablePerm,
    now: TablePerm,
    phys_bits: u64,
    fixed: Fixed,
    i: int,
    word: u64,
)
    requires
        is_fixed::<A>(was, phys_bits, fixed),
        0 <= i < A::geo().entries(A::geo().levels as nat),
        now.words() == was.words().update(i, word),
        A::wf(phys_bits, A::geo().levels as nat, word),
        A::pins() ==> (A::entry(A::geo().levels as nat, was.words()[i]) matches Entry::Table {
            table,
            ..
        } ==> refers::<A>(phys_bits, word, table)),
    ensures
        is_fixed::<A>(now, phys_bits, fixed),
{
    reveal(is_fixed);
}

/// One more table stays.
pub(crate) proof fn lemma_one_more<A: EntryFormat>(
    perm: TablePerm,
    phys_bits: u64,
    fixed: Fixed,
    table: PhysAddr,
)
    requires
        A::pins(),
        is_fixed::<A>(perm, phys_bits, fixed),
        fixed.pinned.len() < A::geo().entries(A::geo().levels as nat),
        refers::<A>(phys_bits, perm.words()[fixed.pinned.len() as int], table),
    ensures
        is_fixed::<A>(perm, phys_bits, Fixed { pinned: fixed.pinned.push(table), ..fixed }),
{
    reveal(is_fixed);
}

/// Of a new tree nothing is for good.
pub(crate) proof fn lemma_none<A: EntryFormat>(perm: TablePerm, phys_bits: u64)
    requires
        A::geo().wf(),
        perm.words().len() == A::geo().words(),
    ensures
        is_fixed::<A>(perm, phys_bits, Fixed::none()),
{
    reveal(is_fixed);
    A::geo().lemma_span(A::geo().levels as nat);
}

} // verus!
