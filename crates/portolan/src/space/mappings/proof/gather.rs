//! References that are taken out run by run, and what is left when the pages are gone.

use super::super::Mappings;
use super::super::spec::{
    are_held_outside, are_kept, frame_at, is_held, is_held_outside, is_kept, is_piece, is_sorted,
    is_without,
};
use super::super::unmap::Run;
use super::pieces::lemma_run_pieces;
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, EntryFormat};
use crate::flush::Flush;
use crate::frame::token::FrameToken;
use crate::frame::{FrameAllocator, FrameTable};
use crate::hw::memory::TableMemory;
use crate::space::kept::WasMapped;
use crate::spec::space::AddressSpace;
use crate::table::shape::is_page_of;
use vstd::arithmetic::div_mod::lemma_sub_mod_noop;
use vstd::prelude::*;

verus! {

impl AddressSpace {
    /// No page lies partly in two ranges and a hole between them.
    proof fn lemma_whole_join(self, lo: int, at: int, start: int, end: int)
        requires
            self.is_apart(),
            lo <= at <= start < end,
            lo < at ==> !self.is_cut(lo, at),
            self.is_free(at, start),
            !self.is_cut(start, end),
        ensures
            !self.is_cut(lo, end),
    {
        assert forall|b: int| #[trigger]
            self.pages.contains_key(b) && b < end && lo < b + self.pages[b].size.bytes() implies lo
            <= b && b + self.pages[b].size.bytes() <= end by {
            let past = b + self.pages[b].size.bytes();
            if at < start && b < start && at < past {
                let va = if b > at {
                    b
                } else {
                    at
                };
                assert(self.covers(b, va));
                self.lemma_covered(b, va);
                assert(self.translate(va) is None);
            }
        }
    }
}

impl Run {
    /// To a run after what was taken there are references, if it is ordinary memory.
    pub(in super::super) proof fn lemma_referenced<A: EntryFormat, F>(
        self,
        frames: FrameTable<'_, F>,
        space: AddressSpace,
        tokens: Map<int, FrameToken>,
        lo: int,
        at: int,
    )
        requires
            self.is_in::<A, F>(frames, space),
            at <= self.start,
            frames.first() % 0x1000 == 0,
            are_held_outside(frames, space, tokens, lo, at),
            frames.has_all(self.frame.0 as int, self.bytes()),
        ensures
            self.is_referenced(frames, tokens),
    {
        let (start, end) = (self.start as int, self.end as int);
        assert forall|x: int| start <= x < end implies #[trigger] is_held(
            frames,
            space,
            tokens,
            x,
        ) by {
            assert(is_held_outside(frames, space, tokens, lo, at, x));
        }
        lemma_run_pieces(frames, space, tokens, (start, end), self.frame.0 as int);
    }

    /// Its references are taken as well.
    proof fn lemma_taken<A: EntryFormat, F>(
        self,
        frames: FrameTable<'_, F>,
        space: AddressSpace,
        tokens: (Map<int, FrameToken>, Map<int, FrameToken>),
        lo: int,
        at: int,
    )
        requires
            self.is_in::<A, F>(frames, space),
            lo <= at <= self.start,
            space.is_free(at, self.start as int),
            frames.first() % 0x1000 == 0,
            are_held_outside(frames, space, tokens.0, lo, at),
            if frames.has_all(self.frame.0 as int, self.bytes()) {
                is_without(tokens.0, tokens.1, self.start as int, self.bytes() / 0x1000)
            } else {
                tokens.1 == tokens.0
            },
        ensures
            are_held_outside(frames, space, tokens.1, lo, self.end as int),
    {
        let (start, end, n) = (self.start as int, self.end as int, self.bytes() / 0x1000);
        let known = frames.has_all(self.frame.0 as int, self.bytes());
        assert forall|x: int| #[trigger] is_held_outside(frames, space, tokens.1, lo, end, x) by {
            assert(is_held_outside(frames, space, tokens.0, lo, at, x));
            if known {
                assert(tokens.1.contains_key(x) == (tokens.0.contains_key(x) && !is_piece(
                    start,
                    n,
                    x,
                )));
            }
            if start <= x < end {
                assert(space.place(x) == Some(self.frame.0 + (x - start)));
            } else if at <= x < start {
                assert(space.translate(x) is None);
            }
        }
    }

    /// Its references are kept as well.
    proof fn lemma_kept<A: EntryFormat, F>(
        self,
        frames: FrameTable<'_, F>,
        space: AddressSpace,
        kept: (Seq<WasMapped>, Seq<WasMapped>),
        lo: int,
        at: int,
    )
        requires
            self.is_in::<A, F>(frames, space),
            lo <= at <= self.start,
            space.is_free(at, self.start as int),
            are_kept(frames, space, kept.0, lo, at),
            self.is_among(frames, kept),
        ensures
            are_kept(frames, space, kept.1, lo, self.end as int),
    {
        let (start, end, frame) = (self.start as int, self.end as int, self.frame.0 as int);
        assert forall|x: int|
            lo <= x < end && (#[trigger] frame_at(frames, space, x)) is Some implies is_kept(
            space,
            kept.1,
            x,
        ) by {
            if x < at {
                assert(is_kept(space, kept.0, x));
                let i = choose|i: int|
                    0 <= i < kept.0.len() && (#[trigger] kept.0[i]).is_for(space, x);
                assert(kept.1[i] == kept.0[i]);
            } else if x < start {
                assert(space.translate(x) is None);
            } else {
                assert(space.place(x) == Some(frame + (x - start)));
                assert(kept.1[kept.0.len() as int].is_for(space, x));
            }
        }
    }

    /// What is kept then are those that were and its own, if it is ordinary memory.
    pub(in super::super) open spec fn is_among<F>(
        self,
        frames: FrameTable<'_, F>,
        kept: (Seq<WasMapped>, Seq<WasMapped>),
    ) -> bool {
        if frames.has_all(self.frame.0 as int, self.bytes()) {
            kept.1 == kept.0.push(
                WasMapped {
                    at: self.start as int,
                    frame: self.frame.0 as int,
                    bytes: self.bytes(),
                },
            )
        } else {
            kept.1 == kept.0
        }
    }
}

impl<'f, M: TableMemory, A: PagingMode, B: AccessBits, F: FrameAllocator> Mappings<'f, M, A, B, F> {
    /// This is `old` but for the references to what is mapped in a range of whole pages, which are those `kept`.
    pub(in super::super) open spec fn is_gathered(
        self,
        old: Self,
        ends: (int, int),
        kept: Seq<WasMapped>,
    ) -> bool {
        &&& self.table == old.table
        &&& self.frames == old.frames
        &&& are_held_outside(*self.frames, self.table@, self.tokens@, ends.0, ends.1)
        &&& is_sorted(*self.frames, self.table@)
        &&& are_kept(*self.frames, self.table@, kept, ends.0, ends.1)
        &&& ends.0 < ends.1 ==> !self.table@.is_cut(ends.0, ends.1)
        &&& ends.0 % A::geo().span(1) == 0
        &&& ends.1 % A::geo().span(1) == 0
    }

    /// Before the first page, nothing was taken.
    pub(in super::super) proof fn lemma_nothing_gathered(self, start: int, kept: Seq<WasMapped>)
        requires
            self.inv(),
            self.table@.is_shaped::<A>(),
            self.table@.pages.contains_key(start),
        ensures
            self.is_gathered(self, (start, start), kept),
    {
        assert(is_page_of::<A>(start, self.table@.pages[start]));
        assert forall|x: int| #[trigger]
            is_held_outside(*self.frames, self.table@, self.tokens@, start, start, x) by {
            assert(is_held(*self.frames, self.table@, self.tokens@, x));
        }
    }

    /// One run more was taken, after a hole.
    pub(in super::super) proof fn lemma_gathered(
        self,
        old: Self,
        before: Self,
        ends: (int, int),
        run: Run,
        kept: (Seq<WasMapped>, Seq<WasMapped>),
    )
        requires
            self.table == before.table,
            self.frames == before.frames,
            self.frames.first() % 0x1000 == 0,
            self.table@.is_shaped::<A>(),
            before.is_gathered(old, ends, kept.0),
            run.is_in::<A, F>(*self.frames, self.table@),
            ends.0 <= ends.1 <= run.start,
            self.table@.is_free(ends.1, run.start as int),
            if self.frames.has_all(run.frame.0 as int, run.bytes()) {
                is_without(before.tokens@, self.tokens@, run.start as int, run.bytes() / 0x1000)
            } else {
                self.tokens@ == before.tokens@
            },
            run.is_among(*self.frames, kept),
        ensures
            self.is_gathered(old, (ends.0, run.end as int), kept.1),
            self.table@.count_pages(ends.0, run.end as int) == self.table@.count_pages(
                ends.0,
                ends.1,
            ) + run.pages,
    {
        let ((lo, at), space) = (ends, self.table@);
        run.lemma_taken::<A, F>(*self.frames, space, (before.tokens@, self.tokens@), lo, at);
        run.lemma_kept::<A, F>(*self.frames, space, kept, lo, at);
        space.lemma_whole_join(lo, at, run.start as int, run.end as int);
        space.lemma_none_at(at, run.start as int);
        space.lemma_count_split(lo, at, run.end as int);
        space.lemma_count_split(at, run.start as int, run.end as int);
        space.lemma_count_none(at, run.start as int);
    }

    /// When the pages are gone whose references were taken, the others are the right ones still.
    pub(in super::super) proof fn lemma_unmapped(
        self,
        old: Self,
        gathered: Self,
        ends: (int, int),
        kept: Seq<WasMapped>,
        bytes: u64,
        flush: Flush<M, A>,
    )
        requires
            gathered.is_gathered(old, ends, kept),
            ends.0 < ends.1,
            old.table@.is_shaped::<A>(),
            self.table@.is_shaped::<A>(),
            self.frames == gathered.frames,
            self.tokens == gathered.tokens,
            self.table.is_unmapped_from(old.table, ends.0, ends.1, bytes, flush),
        ensures
            self.inv(),
            self.table@ == old.table@.unmap_range(ends.0, ends.1),
            flush.due().reaches(old.table@, ends.0, ends.1),
    {
        let ((lo, hi), was) = (ends, old.table@);
        let cut = choose|cut: AddressSpace| #[trigger]
            was.may_cut::<A>(lo, hi, cut) && self.table@ == cut.unmap_range(lo, hi);
        was.lemma_cut_none::<A>(cut, lo, hi);
        assert forall|x: int| #[trigger] is_held(*self.frames, self.table@, self.tokens@, x) by {
            assert(is_held_outside(*self.frames, was, self.tokens@, lo, hi, x));
            was.lemma_place_unmapped(lo, hi, x);
        }
    }
}

/// Between two places where a page may start there is a multiple of the smallest page.
pub(in super::super) proof fn lemma_between<A: EntryFormat>(lo: int, hi: int)
    requires
        A::geo().wf(),
        lo % A::geo().span(1) == 0,
        hi % A::geo().span(1) == 0,
    ensures
        (hi - lo) % A::geo().span(1) == 0,
{
    let span = A::geo().span(1);
    A::geo().lemma_span(1);
    lemma_sub_mod_noop(hi, lo, span);
}

} // verus!
