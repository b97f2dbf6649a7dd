//! Runs of pages: how they grow, and what is left when one was taken off.

use super::super::Mappings;
use super::super::spec::{has_pieces, is_one_kind, is_sorted};
use super::super::unmap::Run;
use super::lemma_aligned;
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, EntryFormat};
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

    /// These pages of `space` are a run, all of it ordinary memory or none.
    pub(in super::super) open spec fn is_in<A: EntryFormat, F>(
        self,
        frames: FrameTable<'_, F>,
        space: AddressSpace,
    ) -> bool {
        let (start, end, frame) = (self.start as int, self.end as int, self.frame.0 as int);
        &&& start < end <= A::geo().limit()
        &&& space.is_run(start, end, frame)
        &&& !space.is_cut(start, end)
        &&& self.pages == space.count_pages(start, end)
        &&& self.pages <= self.bytes()
        &&& space.pages.contains_key(start)
        &&& is_one_kind(frames, frame, self.bytes())
        &&& frame + self.bytes() <= 0x100_0000_0000_0000
        &&& frame % 0x1000 == 0
        &&& self.bytes() % 0x1000 == 0
        &&& start % A::geo().span(1) == 0
        &&& end % A::geo().span(1) == 0
    }

    /// A run grows by a page that follows it.
    proof fn lemma_grow<A: EntryFormat, F>(
        self,
        frames: FrameTable<'_, F>,
        space: AddressSpace,
        more: Run,
    )
        requires
            A::geo().wf(),
            space.is_shaped::<A>(),
            is_sorted(frames, space),
            self.start == self.end || self.is_in::<A, F>(frames, space),
            space.pages.contains_key(self.end as int),
            self.start == self.end ==> self.pages == 0 && self.frame
                == space.pages[self.end as int].frame,
            space.pages[self.end as int].frame.0 == self.frame.0 + self.bytes(),
            more.start == self.start,
            more.end == self.end + space.pages[self.end as int].size.bytes(),
            more.frame == self.frame,
            more.pages == self.pages + 1,
            self.start < self.end ==> frames.has_all(self.frame.0 as int, self.bytes())
                == frames.has_all(
                space.pages[self.end as int].frame.0 as int,
                space.pages[self.end as int].size.bytes() as int,
            ),
        ensures
            more.is_in::<A, F>(frames, space),
            frames.has_all(more.frame.0 as int, more.bytes()) == frames.has_all(
                space.pages[self.end as int].frame.0 as int,
                space.pages[self.end as int].size.bytes() as int,
            ),
    {
        let base = self.end as int;
        let page = space.pages[base];
        assert(is_page_of::<A>(base, page));
        lemma_aligned(page.frame.0 as int, page.size);
        space.lemma_page_run(base);
        assert forall|at: int| more.start <= at < more.end implies #[trigger] space.place(at)
            == Some(more.frame.0 + (at - more.start)) by {}
        space.lemma_whole_more(self.start as int, base);
        space.lemma_count_page(self.start as int, base, more.end as int);
        let span = A::geo().span(1);
        A::geo().lemma_span(1);
        lemma_small_mod(0, span as nat);
        lemma_add_mod_noop(base, page.size.bytes() as int, span);
        assert(is_one_kind(frames, page.frame.0 as int, page.size.bytes() as int));
    }

    /// A page is a run.
    pub(in super::super) proof fn lemma_first_page<A: EntryFormat, F>(
        self,
        frames: FrameTable<'_, F>,
        space: AddressSpace,
    )
        requires
            A::geo().wf(),
            space.is_shaped::<A>(),
            is_sorted(frames, space),
            space.pages.contains_key(self.start as int),
            self.frame == space.pages[self.start as int].frame,
            self.end == self.start + space.pages[self.start as int].size.bytes(),
            self.pages == 1,
        ensures
            self.is_in::<A, F>(frames, space),
    {
        let none = Run { end: self.start, pages: 0, ..self };
        none.lemma_grow::<A, F>(frames, space, self);
    }

    /// The page after a run: it may go on there.
    pub(in super::super) proof fn lemma_next_page<A: EntryFormat, F>(
        self,
        frames: FrameTable<'_, F>,
        space: AddressSpace,
        more: Run,
    )
        requires
            A::geo().wf(),
            space.is_shaped::<A>(),
            is_sorted(frames, space),
            self.is_in::<A, F>(frames, space),
            space.pages.contains_key(self.end as int),
            space.pages[self.end as int].frame.0 == self.frame.0 + self.bytes(),
            frames.has_all(self.frame.0 as int, self.bytes()) == frames.has_all(
                space.pages[self.end as int].frame.0 as int,
                space.pages[self.end as int].size.bytes() as int,
            ),
            more.start == self.start,
            more.end == self.end + space.pages[self.end as int].size.bytes(),
            more.frame == self.frame,
            more.pages == self.pages + 1,
        ensures
            more.is_in::<A, F>(frames, space),
            more.end <= A::geo().limit(),
            frames.has_all(more.frame.0 as int, more.bytes()) == frames.has_all(
                self.frame.0 as int,
                self.bytes(),
            ),
    {
        self.lemma_grow::<A, F>(frames, space, more);
    }
}

impl<'f, M: TableMemory, A: PagingMode, B: AccessBits, F: FrameAllocator> Mappings<'f, M, A, B, F> {
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
