//! References to what is mapped in a range: how they are gathered page by page, and given back.

use super::super::Mappings;
use super::super::spec::{
    are_held_between, is_held, is_held_between, is_one_kind, is_piece, is_with, is_without,
};
use super::super::unmap::Run;
use super::lemma_aligned;
use super::pieces::{lemma_put_at, lemma_run_pieces};
use crate::arch::PagingMode;
use crate::arch::entry::AccessBits;
use crate::frame::FrameAllocator;
use crate::frame::token::FrameToken;
use crate::hw::memory::TableMemory;
use crate::spec::space::AddressSpace;
use crate::table::shape::is_page_of;
use vstd::prelude::*;

verus! {

impl AddressSpace {
    /// The page after a hole lies within the range, and none lies partly in what is before its end.
    pub(in super::super) proof fn lemma_whole_over_hole(self, lo: int, at: int, base: int, hi: int)
        requires
            self.is_apart(),
            lo <= at <= hi,
            lo < hi,
            base < hi,
            !self.is_cut(lo, hi),
            lo < at ==> !self.is_cut(lo, at),
            self.is_next_page(at, base),
        ensures
            at <= base,
            base + self.pages[base].size.bytes() <= hi,
            !self.is_cut(lo, base + self.pages[base].size.bytes()),
            lo < base ==> !self.is_cut(lo, base),
    {
        assert forall|b: int| #[trigger] self.pages.contains_key(b) implies !(at <= b < base) by {
            if at <= b < base {
                assert(self.covers(b, b));
                self.lemma_covered(b, b);
                assert(self.translate(b) is None);
            }
        }
        assert forall|b: int| #[trigger]
            self.pages.contains_key(b) && b < base && lo < b + self.pages[b].size.bytes() implies lo
            <= b && b + self.pages[b].size.bytes() <= base by {
            if b + self.pages[b].size.bytes() > base {
                assert(self.covers(b, base));
                assert(self.covers(base, base));
            }
        }
        self.lemma_whole_more(lo, base);
    }
}

impl<'f, M: TableMemory, A: PagingMode, B: AccessBits, F: FrameAllocator> Mappings<'f, M, A, B, F> {
    /// Where nothing is mapped, there are no references.
    pub(in super::super) proof fn lemma_held_over_hole(
        self,
        tokens: Map<int, FrameToken>,
        lo: int,
        at: int,
        hi: int,
    )
        requires
            lo <= at <= hi,
            self.table@.is_free(at, hi),
            are_held_between(*self.frames, self.table@, tokens, lo, at),
        ensures
            are_held_between(*self.frames, self.table@, tokens, lo, hi),
    {
        assert forall|x: int| #[trigger]
            is_held_between(*self.frames, self.table@, tokens, lo, hi, x) by {
            assert(is_held_between(*self.frames, self.table@, tokens, lo, at, x));
            if at <= x < hi {
                assert(self.table@.translate(x) is None);
            }
        }
    }

    /// So it is at the start of a range.
    pub(in super::super) proof fn lemma_held_from_hole(
        self,
        tokens: Map<int, FrameToken>,
        lo: int,
        at: int,
        hi: int,
    )
        requires
            lo <= at <= hi,
            self.table@.is_free(lo, at),
            are_held_between(*self.frames, self.table@, tokens, lo, hi),
        ensures
            are_held_between(*self.frames, self.table@, tokens, at, hi),
    {
        assert forall|x: int| #[trigger]
            is_held_between(*self.frames, self.table@, tokens, at, hi, x) by {
            assert(is_held_between(*self.frames, self.table@, tokens, lo, hi, x));
            if lo <= x < at {
                assert(self.table@.translate(x) is None);
            }
        }
    }

    /// An empty range has no references.
    pub(in super::super) proof fn lemma_held_nothing(self, tokens: Map<int, FrameToken>, lo: int)
        requires
            are_held_between(*self.frames, self.table@, tokens, lo, lo),
        ensures
            tokens == Map::<int, FrameToken>::empty(),
    {
        assert forall|x: int| !tokens.contains_key(x) by {
            assert(is_held_between(*self.frames, self.table@, tokens, lo, lo, x));
        }
        assert(tokens =~= Map::empty());
    }

    /// The references to a page of ordinary memory are added to those to what is before.
    pub(in super::super) proof fn lemma_held_page(
        self,
        before: Map<int, FrameToken>,
        more: Map<int, FrameToken>,
        tokens: Map<int, FrameToken>,
        place: (int, int),
        first: int,
    )
        requires
            self.table@.is_shaped::<A>(),
            self.frames.first() % 0x1000 == 0,
            place.0 <= place.1,
            self.table@.pages.contains_key(place.1),
            are_held_between(*self.frames, self.table@, before, place.0, place.1),
            ({
                let page = self.table@.pages[place.1];
                let n = page.size.bytes() as int / 0x1000;
                &&& first >= 0
                &&& page.frame.0 == self.frames.first() + first * 0x1000
                &&& self.frames.has_all(page.frame.0 as int, page.size.bytes() as int)
                &&& self.frames.are_tokens(more, first, first + n)
                &&& forall|i: int| first <= i < first + n ==> (#[trigger] more[i]).kind().untyped
                &&& is_with(before, more, tokens, place.1, first, n)
            }),
        ensures
            are_held_between(
                *self.frames,
                self.table@,
                tokens,
                place.0,
                place.1 + self.table@.pages[place.1].size.bytes(),
            ),
    {
        let ((lo, base), none) = (place, AddressSpace::empty());
        let page = self.table@.pages[base];
        let (n, hi) = (page.size.bytes() as int / 0x1000, base + page.size.bytes());
        lemma_aligned(0, page.size);
        self.table@.lemma_page_run(base);
        assert forall|x: int| #[trigger]
            is_held_between(*self.frames, self.table@, tokens, lo, hi, x) by {
            assert(is_held_between(*self.frames, self.table@, before, lo, base, x));
            assert(tokens.contains_key(x) == (before.contains_key(x) || is_piece(base, n, x)));
            if base <= x < hi {
                assert(self.table@.place(x) == Some(page.frame.0 + (x - base)));
                assert(none.place(x) is None);
                assert(is_held(*self.frames, none, before, x));
                if is_piece(base, n, x) {
                    assert(more.contains_key(first + (x - base) / 0x1000));
                }
                lemma_put_at(
                    *self.frames,
                    (none, self.table@),
                    (before, tokens),
                    more,
                    (base, first, n),
                    x,
                );
            }
        }
    }

    /// A page that is no ordinary memory has no references.
    pub(in super::super) proof fn lemma_held_io(
        self,
        tokens: Map<int, FrameToken>,
        lo: int,
        base: int,
    )
        requires
            self.table@.is_shaped::<A>(),
            lo <= base,
            self.table@.pages.contains_key(base),
            are_held_between(*self.frames, self.table@, tokens, lo, base),
            self.frames.has_none(
                self.table@.pages[base].frame.0 as int,
                self.table@.pages[base].size.bytes() as int,
            ),
        ensures
            are_held_between(
                *self.frames,
                self.table@,
                tokens,
                lo,
                base + self.table@.pages[base].size.bytes(),
            ),
    {
        let hi = base + self.table@.pages[base].size.bytes();
        self.table@.lemma_page_run(base);
        assert forall|x: int| #[trigger]
            is_held_between(*self.frames, self.table@, tokens, lo, hi, x) by {
            assert(is_held_between(*self.frames, self.table@, tokens, lo, base, x));
            if base <= x < hi {
                assert(self.table@.place(x) == Some(self.table@.pages[base].frame.0 + (x - base)));
            }
        }
    }

    /// The first page of a range is a run, to which there are references if it is ordinary memory.
    pub(in super::super) proof fn lemma_held_run(
        self,
        tokens: Map<int, FrameToken>,
        hi: int,
        run: Run,
    )
        requires
            self.table@.is_shaped::<A>(),
            self.frames.first() % 0x1000 == 0,
            self.is_page_run(run, hi),
            are_held_between(*self.frames, self.table@, tokens, run.start as int, hi),
        ensures
            run.bytes() % 0x1000 == 0,
            run.bytes() > 0,
            run.frame.0 as int % 0x1000 == 0,
            self.frames.has_all(run.frame.0 as int, run.bytes()) ==> run.is_referenced(
                *self.frames,
                tokens,
            ),
    {
        let (lo, end, frame) = (run.start as int, run.end as int, run.frame.0 as int);
        assert(is_page_of::<A>(lo, self.table@.pages[lo]));
        lemma_aligned(frame, self.table@.pages[lo].size);
        self.table@.lemma_page_run(lo);
        assert forall|x: int| lo <= x < end implies #[trigger] is_held(
            *self.frames,
            self.table@,
            tokens,
            x,
        ) by {
            assert(is_held_between(*self.frames, self.table@, tokens, lo, hi, x));
        }
        if self.frames.has_all(frame, run.bytes()) {
            lemma_run_pieces(*self.frames, self.table@, tokens, (lo, end), frame);
        }
    }

    /// A page of the range that ends at `hi`, as a run.
    pub(in super::super) open spec fn is_page_run(self, run: Run, hi: int) -> bool {
        let page = self.table@.pages[run.start as int];
        &&& self.table@.pages.contains_key(run.start as int)
        &&& run.end == run.start + page.size.bytes()
        &&& run.end <= hi
        &&& run.frame == page.frame
        &&& is_one_kind(*self.frames, page.frame.0 as int, page.size.bytes() as int)
    }

    /// Without the first page's references, those to the rest are left.
    pub(in super::super) proof fn lemma_held_after(
        self,
        before: Map<int, FrameToken>,
        tokens: Map<int, FrameToken>,
        hi: int,
        run: Run,
    )
        requires
            self.table@.is_shaped::<A>(),
            self.frames.first() % 0x1000 == 0,
            self.is_page_run(run, hi),
            run.bytes() % 0x1000 == 0,
            run.frame.0 as int % 0x1000 == 0,
            are_held_between(*self.frames, self.table@, before, run.start as int, hi),
            if self.frames.has_all(run.frame.0 as int, run.bytes()) {
                is_without(before, tokens, run.start as int, run.bytes() / 0x1000)
            } else {
                tokens == before
            },
        ensures
            are_held_between(*self.frames, self.table@, tokens, run.end as int, hi),
    {
        let (lo, end, n) = (run.start as int, run.end as int, run.bytes() / 0x1000);
        self.table@.lemma_page_run(lo);
        assert forall|x: int| #[trigger]
            is_held_between(*self.frames, self.table@, tokens, end, hi, x) by {
            assert(is_held_between(*self.frames, self.table@, before, lo, hi, x));
            if self.frames.has_all(run.frame.0 as int, run.bytes()) {
                assert(tokens.contains_key(x) == (before.contains_key(x) && !is_piece(lo, n, x)));
            }
            if lo <= x < end {
                assert(self.table@.place(x) == Some(run.frame.0 + (x - lo)));
            }
        }
    }
}

} // verus!
