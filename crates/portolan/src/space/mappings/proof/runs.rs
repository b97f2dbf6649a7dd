//! Runs of pages: how they grow, and what is left when one was taken off.

use super::super::Mappings;
use super::super::spec::{has_pieces, is_held, is_one_kind, is_piece, is_without};
use super::super::unmap::Run;
use super::lemma_aligned;
use super::pieces::lemma_run_pieces;
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, EntryFormat};
use crate::flush::Flush;
use crate::frame::token::FrameToken;
use crate::frame::{FrameAllocator, FrameTable};
use crate::hw::memory::TableMemory;
use crate::spec::space::AddressSpace;
use crate::table::shape::is_page_of;
use vstd::arithmetic::div_mod::{lemma_add_mod_noop, lemma_small_mod};
use vstd::prelude::*;

verus! {

impl AddressSpace {
    /// No page starts within a page.
    proof fn lemma_count_page(self, lo: int, base: int, hi: int)
        requires
            self.is_apart(),
            self.pages.contains_key(base),
            lo <= base < hi <= base + self.pages[base].size.bytes(),
        ensures
            self.count_pages(lo, hi) == self.count_pages(lo, base) + 1,
        decreases hi - base,
    {
        if hi - 1 > base {
            self.lemma_count_page(lo, base, hi - 1);
            assert(self.covers(base, hi - 1));
            assert(self.pages.contains_key(hi - 1) ==> self.covers(hi - 1, hi - 1));
        }
    }

    /// Neighbouring pages and one more have no page that lies partly among them.
    pub(super) proof fn lemma_whole_more(self, lo: int, base: int)
        requires
            self.is_apart(),
            self.pages.contains_key(base),
            lo <= base,
            lo < base ==> !self.is_cut(lo, base),
        ensures
            !self.is_cut(lo, base + self.pages[base].size.bytes()),
    {
        let hi = base + self.pages[base].size.bytes();
        assert forall|b: int| #[trigger]
            self.pages.contains_key(b) && b < hi && lo < b + self.pages[b].size.bytes() implies lo
            <= b && b + self.pages[b].size.bytes() <= hi by {
            assert(self.covers(base, base));
            if b >= base {
                assert(self.covers(base, b));
                assert(self.covers(b, b));
            } else if b + self.pages[b].size.bytes() > base {
                assert(self.covers(b, base));
            }
        }
    }

    /// All bytes of a run are mapped.
    proof fn lemma_run_bytes(self, lo: int, hi: int, frame: int)
        requires
            self.is_run(lo, hi, frame),
            lo <= hi,
        ensures
            self.mapped_bytes(lo, hi) == hi - lo,
        decreases hi - lo,
    {
        if lo < hi {
            assert(self.place(hi - 1) == Some(frame + (hi - 1 - lo)));
            self.lemma_run_bytes(lo, hi - 1, frame);
        }
    }

    /// Where the addresses lie when the pages of a range are gone.
    pub(crate) proof fn lemma_place_unmapped(self, lo: int, hi: int, at: int)
        requires
            self.is_apart(),
            self.unmap_range(lo, hi).is_apart(),
            !self.is_cut(lo, hi),
        ensures
            self.unmap_range(lo, hi).place(at) == if lo <= at < hi {
                None
            } else {
                self.place(at)
            },
    {
        let now = self.unmap_range(lo, hi);
        if exists|base: int| now.covers(base, at) {
            let base = choose|base: int| now.covers(base, at);
            assert(self.covers(base, at));
            self.lemma_covered(base, at);
            now.lemma_covered(base, at);
            assert(self.pages.contains_key(base));
        } else if exists|base: int| self.covers(base, at) {
            let base = choose|base: int| self.covers(base, at);
            assert(!now.covers(base, at));
            assert(self.pages.contains_key(base));
        }
    }
}

impl Run {
    /// Whether `tokens` has a reference to each of its frames.
    pub(in super::super) open spec fn is_referenced<F>(
        self,
        frames: FrameTable<'_, F>,
        tokens: Map<int, FrameToken>,
    ) -> bool {
        has_pieces(
            frames,
            tokens,
            self.start as int,
            (self.frame.0 - frames.first()) / 0x1000,
            self.bytes() / 0x1000,
        )
    }
}

impl<'f, M: TableMemory, A: PagingMode, B: AccessBits, F: FrameAllocator> Mappings<'f, M, A, B, F> {
    /// These pages are a run, all of it ordinary memory or none.
    pub(in super::super) open spec fn has_run(self, run: Run) -> bool {
        let (start, end, frame) = (run.start as int, run.end as int, run.frame.0 as int);
        &&& start < end <= A::geo().limit()
        &&& self.table@.is_run(start, end, frame)
        &&& !self.table@.is_cut(start, end)
        &&& run.pages == self.table@.count_pages(start, end)
        &&& run.pages <= run.bytes()
        &&& self.table@.pages.contains_key(start)
        &&& self.table@.pages[start].frame == run.frame
        &&& is_one_kind(*self.frames, frame, run.bytes())
        &&& frame + run.bytes() <= 0x100_0000_0000_0000
        &&& frame % 0x1000 == 0
        &&& run.bytes() % 0x1000 == 0
        &&& start % A::geo().span(1) == 0
        &&& run.bytes() % A::geo().span(1) == 0
    }

    /// A run grows by a page that follows it.
    proof fn lemma_grow(self, run: Run, more: Run)
        requires
            self.inv(),
            A::geo().wf(),
            self.table@.is_shaped::<A>(),
            run.start == run.end || self.has_run(run),
            self.table@.pages.contains_key(run.end as int),
            run.start == run.end ==> run.pages == 0 && run.frame
                == self.table@.pages[run.end as int].frame,
            self.table@.pages[run.end as int].frame.0 == run.frame.0 + run.bytes(),
            more.start == run.start,
            more.end == run.end + self.table@.pages[run.end as int].size.bytes(),
            more.frame == run.frame,
            more.pages == run.pages + 1,
            run.start < run.end ==> self.frames.has_all(run.frame.0 as int, run.bytes())
                == self.frames.has_all(
                self.table@.pages[run.end as int].frame.0 as int,
                self.table@.pages[run.end as int].size.bytes() as int,
            ),
        ensures
            self.has_run(more),
            self.frames.has_all(more.frame.0 as int, more.bytes()) == self.frames.has_all(
                self.table@.pages[run.end as int].frame.0 as int,
                self.table@.pages[run.end as int].size.bytes() as int,
            ),
    {
        let (space, base) = (self.table@, run.end as int);
        let page = space.pages[base];
        assert(is_page_of::<A>(base, page));
        lemma_aligned(page.frame.0 as int, page.size);
        space.lemma_page_run(base);
        assert forall|at: int| more.start <= at < more.end implies #[trigger] space.place(at)
            == Some(more.frame.0 + (at - more.start)) by {}
        space.lemma_whole_more(run.start as int, base);
        space.lemma_count_page(run.start as int, base, more.end as int);
        let span = A::geo().span(1);
        A::geo().lemma_span(1);
        lemma_small_mod(0, span as nat);
        if run.start < run.end {
            lemma_add_mod_noop(run.bytes(), page.size.bytes() as int, span);
        }
        assert(is_one_kind(*self.frames, page.frame.0 as int, page.size.bytes() as int));
    }

    /// The first page is a run.
    pub(in super::super) proof fn lemma_first_page(self, lo: int, hi: int, run: Run)
        requires
            self.inv(),
            A::geo().wf(),
            self.table@.is_shaped::<A>(),
            lo < hi,
            !self.table@.is_cut(lo, hi),
            self.table@.is_next_page(lo, run.start as int),
            run.start < hi,
            run.frame == self.table@.pages[run.start as int].frame,
            run.end == run.start + self.table@.pages[run.start as int].size.bytes(),
            run.pages == 1,
        ensures
            self.has_run(run),
            lo <= run.start,
            run.end <= hi,
    {
        let none = Run { end: run.start, pages: 0, ..run };
        self.lemma_grow(none, run);
    }

    /// The page after a run: it may go on there.
    pub(in super::super) proof fn lemma_next_page(self, lo: int, hi: int, run: Run, more: Run)
        requires
            self.inv(),
            A::geo().wf(),
            self.table@.is_shaped::<A>(),
            self.has_run(run),
            lo <= run.start,
            run.end < hi,
            !self.table@.is_cut(lo, hi),
            self.table@.pages.contains_key(run.end as int),
            self.table@.pages[run.end as int].frame.0 == run.frame.0 + run.bytes(),
            self.frames.has_all(run.frame.0 as int, run.bytes()) == self.frames.has_all(
                self.table@.pages[run.end as int].frame.0 as int,
                self.table@.pages[run.end as int].size.bytes() as int,
            ),
            more.start == run.start,
            more.end == run.end + self.table@.pages[run.end as int].size.bytes(),
            more.frame == run.frame,
            more.pages == run.pages + 1,
        ensures
            self.has_run(more),
            more.end <= hi,
            self.frames.has_all(more.frame.0 as int, more.bytes()) == self.frames.has_all(
                run.frame.0 as int,
                run.bytes(),
            ),
    {
        self.lemma_grow(run, more);
    }

    /// What unmapping a run of `old` made of the page table.
    pub(in super::super) proof fn lemma_run_gone(
        self,
        old: Self,
        run: Run,
        bytes: u64,
        flush: Flush<M, A>,
    )
        requires
            old.inv(),
            old.has_run(run),
            self.frames == old.frames,
            self.tokens == old.tokens,
            self.frames.first() % 0x1000 == 0,
            self.table.is_unmapped_from(old.table, run.start as int, run.end as int, bytes, flush),
        ensures
            self.table@ == old.table@.unmap_range(run.start as int, run.end as int),
            old.table@.cut::<A>(run.start as int, run.end as int) == old.table@,
            bytes == run.bytes(),
            self.frames.has_all(run.frame.0 as int, run.bytes()) ==> run.is_referenced(
                *self.frames,
                self.tokens@,
            ),
    {
        let (lo, hi) = (run.start as int, run.end as int);
        let cut = choose|cut: AddressSpace| #[trigger]
            old.table@.may_cut::<A>(lo, hi, cut) && self.table@ == cut.unmap_range(lo, hi);
        old.table@.lemma_cut_none::<A>(cut, lo, hi);
        old.table@.lemma_run_bytes(lo, hi, run.frame.0 as int);
        if self.frames.has_all(run.frame.0 as int, run.bytes()) {
            assert forall|at: int| lo <= at < hi implies #[trigger] is_held(
                *old.frames,
                old.table@,
                old.tokens@,
                at,
            ) by {}
            let frame = run.frame.0 as int;
            lemma_run_pieces(*old.frames, old.table@, old.tokens@, (lo, hi), frame);
        }
    }

    /// When a run was taken off with its references, the others are the right ones still.
    pub(in super::super) proof fn lemma_unmapped(self, old: Self, run: Run)
        requires
            old.inv(),
            old.has_run(run),
            old.table@.is_shaped::<A>(),
            self.table@.is_shaped::<A>(),
            self.frames == old.frames,
            self.frames.first() % 0x1000 == 0,
            self.table@ == old.table@.unmap_range(run.start as int, run.end as int),
            if self.frames.has_all(run.frame.0 as int, run.bytes()) {
                is_without(old.tokens@, self.tokens@, run.start as int, run.bytes() / 0x1000)
            } else {
                self.tokens == old.tokens
            },
        ensures
            self.inv(),
    {
        let (lo, hi) = (run.start as int, run.end as int);
        let known = self.frames.has_all(run.frame.0 as int, run.bytes());
        assert forall|at: int| #[trigger] is_held(*self.frames, self.table@, self.tokens@, at) by {
            assert(is_held(*old.frames, old.table@, old.tokens@, at));
            old.table@.lemma_place_unmapped(lo, hi, at);
            if known {
                assert(self.tokens@.contains_key(at) == (old.tokens@.contains_key(at) && !is_piece(
                    lo,
                    run.bytes() / 0x1000,
                    at,
                )));
            }
            if lo <= at < hi {
                assert(old.table@.place(at) == Some(run.frame.0 + (at - lo)));
            }
        }
    }

    /// All pages are within what the table covers.
    pub(in super::super) proof fn lemma_within(tracked &self)
        ensures
            !self.table@.is_cut(0, A::geo().limit()),
            self.table@.is_free(0, A::geo().limit()) ==> self.table@ == AddressSpace::empty(),
    {
        self.table.lemma_shaped();
        let space = self.table@;
        assert forall|base: int| #[trigger] space.pages.contains_key(base) implies 0 <= base && base
            + space.pages[base].size.bytes() <= A::geo().limit() by {
            assert(is_page_of::<A>(base, space.pages[base]));
        }
        if space.is_free(0, A::geo().limit()) {
            assert forall|base: int| !space.pages.contains_key(base) by {
                if space.pages.contains_key(base) {
                    assert(space.covers(base, base));
                    space.lemma_covered(base, base);
                    assert(space.translate(base) is Some);
                }
            }
            assert(space.pages =~= IMap::empty());
        }
    }
}

} // verus!
