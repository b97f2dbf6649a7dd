//! From the tree to what a user is told of sizes that changed.

use super::super::proof::lemma_spans_grow;
use super::super::spec::is_level;
use super::super::tree::Tree;
use crate::addr::{PageSize, PhysAddr, VirtAddr};
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, EntryFormat};
use crate::hw::memory::TableMemory;
use crate::prop::{Mapping, PageProperty};
use crate::spec::request;
use vstd::prelude::*;

verus! {

/// The next smaller pages are those one level down.
pub(super) proof fn lemma_part_size<A: PagingMode>(va: VirtAddr<A>, l: nat, size: PageSize)
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
}

} // verus!
