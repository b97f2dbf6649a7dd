//! That a copy's references are right.

use super::super::Mappings;
use super::super::spec::{are_held_between, is_held, is_held_between, is_one_kind};
use crate::arch::PagingMode;
use crate::arch::entry::AccessBits;
use crate::frame::FrameAllocator;
use crate::frame::token::FrameToken;
use crate::hw::memory::TableMemory;
use crate::spec::space::AddressSpace;
use vstd::prelude::*;

verus! {

impl AddressSpace {
    /// Where the addresses lie in a copy.
    proof fn lemma_place_copied<B: AccessBits>(
        self,
        onto: Self,
        now: Self,
        lo: int,
        hi: int,
        at: int,
    )
        requires
            self.is_apart(),
            onto.is_apart(),
            now.is_apart(),
            lo < hi ==> !self.is_cut(lo, hi),
            onto.is_free(lo, hi),
            self.may_copy_range::<B>(lo, hi, true, onto, now),
        ensures
            now.place(at) == if lo <= at < hi {
                self.place(at)
            } else {
                onto.place(at)
            },
    {
        let whose = if lo <= at < hi {
            self
        } else {
            onto
        };
        if exists|base: int| whose.covers(base, at) {
            let base = choose|base: int| whose.covers(base, at);
            whose.lemma_covered(base, at);
            self.lemma_copied_page::<B>(onto, now, lo, hi, base);
            assert(now.covers(base, at));
            now.lemma_covered(base, at);
        } else if exists|base: int| now.covers(base, at) {
            let base = choose|base: int| now.covers(base, at);
            self.lemma_copied_page::<B>(onto, now, lo, hi, base);
            assert(!whose.covers(base, at));
            if lo <= at < hi {
                assert(onto.covers(base, at));
                onto.lemma_covered(base, at);
                assert(onto.translate(at) is None);
            }
        }
    }

    /// A page of a copy is one of what was copied, or was there before.
    proof fn lemma_copied_page<B: AccessBits>(
        self,
        onto: Self,
        now: Self,
        lo: int,
        hi: int,
        base: int,
    )
        requires
            self.is_apart(),
            onto.is_apart(),
            onto.is_free(lo, hi),
            self.may_copy_range::<B>(lo, hi, true, onto, now),
        ensures
            lo <= base < hi && self.pages.contains_key(base) ==> now.pages.contains_key(base)
                && now.pages[base].frame == self.pages[base].frame && now.pages[base].size
                == self.pages[base].size,
            !(lo <= base < hi && self.pages.contains_key(base)) ==> now.pages.contains_key(base)
                == onto.pages.contains_key(base) && (now.pages.contains_key(base)
                ==> now.pages[base] == onto.pages[base]),
            lo <= base < hi ==> !onto.pages.contains_key(base),
    {
        if self.pages.contains_key(base) {
            assert(now.pages.contains_key(base) || !now.pages.contains_key(base));
        }
        if onto.pages.contains_key(base) && lo <= base < hi {
            assert(onto.covers(base, base));
            onto.lemma_covered(base, base);
            assert(onto.translate(base) is None);
        }
    }
}

impl<'f, M: TableMemory, A: PagingMode, B: AccessBits, F: FrameAllocator> Mappings<'f, M, A, B, F> {
    /// A page table that lost rights to write has its references still.
    pub(in super::super) proof fn lemma_write_protected(self, old: Self, lo: int, hi: int)
        requires
            old.inv(),
            self.frames == old.frames,
            self.tokens == old.tokens,
            old.table@.is_shaped::<A>(),
            self.table@.is_shaped::<A>(),
            old.table@.may_write_protect_range(lo, hi, self.table@),
        ensures
            self.inv(),
    {
        self.lemma_like(old);
    }

    /// A copy of a range of `from` onto `old` has its references: those that were there, and one more for each in the range.
    pub(in super::super) proof fn lemma_copied(
        self,
        old: Self,
        from: Self,
        more: Map<int, FrameToken>,
        lo: int,
        hi: int,
    )
        requires
            old.inv(),
            from.inv(),
            self.frames == old.frames,
            *from.frames == *old.frames,
            old.table@.is_shaped::<A>(),
            from.table@.is_shaped::<A>(),
            self.table@.is_shaped::<A>(),
            lo < hi ==> !from.table@.is_cut(lo, hi),
            old.table@.is_free(lo, hi),
            from.table@.may_copy_range::<B>(lo, hi, true, old.table@, self.table@),
            are_held_between(*from.frames, from.table@, more, lo, hi),
            self.tokens@ == old.tokens@.union_prefer_right(more),
        ensures
            self.inv(),
    {
        assert forall|at: int| #[trigger] is_held(*self.frames, self.table@, self.tokens@, at) by {
            assert(is_held(*old.frames, old.table@, old.tokens@, at));
            assert(is_held_between(*from.frames, from.table@, more, lo, hi, at));
            from.table@.lemma_place_copied::<B>(old.table@, self.table@, lo, hi, at);
            if lo <= at < hi {
                assert(old.table@.translate(at) is None);
            }
        }
        assert forall|base: int| #[trigger]
            self.table@.pages.contains_key(base) implies is_one_kind(
            *self.frames,
            self.table@.pages[base].frame.0 as int,
            self.table@.pages[base].size.bytes() as int,
        ) by {
            from.table@.lemma_copied_page::<B>(old.table@, self.table@, lo, hi, base);
        }
    }
}

} // verus!
