//! Unmapping, run by run.

use super::Mappings;
#[cfg(verus_only)]
use super::proof::pieces::{lemma_taken, take_run};
#[cfg(verus_only)]
use super::spec::{is_piece, is_without};
use crate::addr::{PhysAddr, VirtAddr, VirtRange};
use crate::arch::PagingMode;
use crate::arch::entry::AccessBits;
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
use crate::flush::Flush;
use crate::frame::token::FrameToken;
use crate::frame::{FRAME_SIZE, FrameAllocator, FrameTable, USegment};
use crate::hw::TableMemory;
use crate::space::kept::Kept;
#[cfg(verus_only)]
use crate::spec::space::AddressSpace;
#[cfg(verus_only)]
use crate::table::shape::is_page_of;
use vstd::prelude::*;

verus! {

/// Neighbouring pages that were unmapped, of frames that follow each other.
#[must_use = "processors may go on using the old translations until the flush is paid"]
#[verifier::reject_recursive_types(M)]
pub(crate) struct Unmapped<'f, M: TableMemory, A: PagingMode, F: FrameAllocator> {
    /// The first page's first address.
    pub(crate) start: VirtAddr<A>,
    /// How many bytes the pages have.
    pub(crate) bytes: u64,
    /// How many pages they were.
    pub(crate) pages: u64,
    /// The first page's frame.
    pub(crate) frame: PhysAddr,
    /// The references to the frames; `None` if they are no ordinary memory.
    pub(crate) item: Option<Kept<'f, A, F>>,
    /// What processors have to be told before.
    pub(crate) flush: Flush<M, A>,
}

/// Neighbouring pages of frames that follow each other: where they start and end, counted from the start of what the page
/// table covers, and how many they are.
#[derive(Clone, Copy)]
pub(super) struct Run {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) frame: PhysAddr,
    pub(super) pages: u64,
}

impl Run {
    /// How many bytes the pages have.
    pub(super) open spec fn bytes(self) -> int {
        self.end - self.start
    }
}

impl<'f, M: TableMemory, A: PagingMode, B: AccessBits, F: FrameAllocator> Mappings<'f, M, A, B, F> {
    /// This is `old` without the first of what was mapped from `lo` to below `hi`.
    pub(crate) open spec fn is_unmapped_from(
        self,
        old: Self,
        lo: int,
        hi: int,
        gone: Unmapped<'f, M, A, F>,
    ) -> bool {
        let (start, bytes) = (gone.start@, gone.bytes as int);
        let end = start + bytes;
        &&& old.space().is_next_page(lo, start)
        &&& old.space().pages[start].frame == gone.frame
        &&& end <= hi
        &&& bytes > 0
        &&& old.space().is_run(start, end, gone.frame.0 as int)
        &&& !old.space().is_cut(start, end)
        &&& gone.pages == old.space().count_pages(start, end)
        &&& self.space() == old.space().unmap_range(start, end)
        &&& self.table().is_unmapped_from(old.table(), start, end, gone.bytes, gone.flush)
        &&& gone.flush.due().reaches(old.space(), start, end)
        &&& match gone.item {
            Some(kept) => {
                &&& kept.due() == gone.flush.due()
                &&& kept.table() == old.frame_table()
                &&& kept.start() == gone.frame.0
                &&& kept.end() == gone.frame.0 + bytes
            },
            None => old.frame_table().has_none(gone.frame.0 as int, bytes),
        }
    }

    /// Takes off the first run of what is mapped from `lo` to below `hi`: the first page and those that follow it without a
    /// hole, whose frames follow its own, all of them ordinary memory or none. `None` if nothing is mapped there.
    pub(crate) fn unmap_run(&mut self, lo: u64, hi: u64) -> (r: Option<Unmapped<'f, M, A, F>>)
        requires
            old(self).inv(),
            hi <= A::geo().limit(),
            lo < hi ==> !old(self).space().is_cut(lo as int, hi as int),
        ensures
            final(self).inv(),
            final(self).frame_table() == old(self).frame_table(),
            match r {
                Some(gone) => final(self).is_unmapped_from(*old(self), lo as int, hi as int, gone),
                None => {
                    &&& old(self).space().is_free(lo as int, hi as int)
                    &&& *final(self) == *old(self)
                },
            },
    {
        let run = self.find_run(lo, hi)?;
        let range = VirtRange::from_offsets(run.start, run.end);
        proof {
            self.table.lemma_shaped();
            self.frames.lemma_layout();
            self.table.lemma_range_of_pages(range);
        }
        let Ok((bytes, flush)) = self.table.unmap_range(range) else {
            return None;
        };
        proof {
            self.table.lemma_shaped();
            self.lemma_run_gone(*old(self), run, bytes, flush);
        }
        let ghost due = flush.due();
        let item = match Self::take(self.frames, Tracked(self.tokens.borrow_mut()), &run) {
            Some(segment) => Some(Kept::new(segment, Ghost(due))),
            None => None,
        };
        proof {
            self.lemma_unmapped(*old(self), run);
        }
        let (start, pages, frame) = (range.start(), run.pages, run.frame);
        Some(Unmapped { start, bytes, pages, frame, item, flush })
    }

    /// Takes off the first run of all that is mapped; `None` if nothing is.
    pub(crate) fn clear_step(&mut self) -> (r: Option<Unmapped<'f, M, A, F>>)
        requires
            old(self).inv(),
        ensures
            final(self).inv(),
            final(self).frame_table() == old(self).frame_table(),
            match r {
                Some(gone) => final(self).is_unmapped_from(*old(self), 0, A::geo().limit(), gone),
                None => old(self).space() == AddressSpace::empty() && *final(self) == *old(self),
            },
    {
        proof {
            self.lemma_within();
        }
        self.unmap_run(0, A::geometry().limit_bytes())
    }

    /// The first run of what is mapped from `lo` to below `hi`.
    fn find_run(&self, lo: u64, hi: u64) -> (r: Option<Run>)
        requires
            self.inv(),
            hi <= A::geo().limit(),
            lo < hi ==> !self.space().is_cut(lo as int, hi as int),
        ensures
            match r {
                Some(run) => {
                    &&& self.has_run(run)
                    &&& self.space().is_next_page(lo as int, run.start as int)
                    &&& lo <= run.start
                    &&& run.end <= hi
                },
                None => self.space().is_free(lo as int, hi as int),
            },
    {
        if lo >= hi {
            return None;
        }
        let mut pages = self.table.pages_between(lo, hi);
        let (va, page) = pages.next_page()?;
        let known = self.frames.contains(page.frame, page.size.bytes());
        let start = va.offset();
        proof {
            self.table.lemma_shaped();
            assert(is_page_of::<A>(va@, self.table@.pages[va@]));
            A::geo().lemma_limit();
        }
        let mut run = Run { start, end: start + page.size.bytes(), frame: page.frame, pages: 1 };
        proof {
            self.lemma_first_page(lo as int, hi as int, run);
        }
        loop
            invariant
                self.inv(),
                A::geo().wf(),
                A::geo().limit() <= 0x200_0000_0000_0000,
                self.table@.is_shaped::<A>(),
                self.has_run(run),
                known == self.frames.has_all(run.frame.0 as int, run.end - run.start),
                pages.space() == self.space(),
                pages.next_at() == run.end,
                pages.end_at() == hi,
                hi <= A::geo().limit(),
                !self.space().is_cut(lo as int, hi as int),
                self.space().is_next_page(lo as int, run.start as int),
                lo <= run.start,
                run.end <= hi,
            decreases hi - run.end,
        {
            let Some((va, page)) = pages.next_page() else {
                return Some(run);
            };
            let at = va.offset();
            let follows = at == run.end && page.frame.0 == run.frame.0 + (run.end - run.start);
            if !follows || self.frames.contains(page.frame, page.size.bytes()) != known {
                return Some(run);
            }
            proof {
                assert(is_page_of::<A>(va@, self.table@.pages[va@]));
            }
            let ghost was = run;
            run = Run { end: at + page.size.bytes(), pages: run.pages + 1, ..run };
            proof {
                self.lemma_next_page(lo as int, hi as int, was, run);
            }
        }
    }

    /// Takes the references to the frames of a run out of `tokens`, if the frames are the table's.
    pub(super) fn take(
        frames: &'f FrameTable<'f, F>,
        Tracked(tokens): Tracked<&mut Map<int, FrameToken>>,
        run: &Run,
    ) -> (r: Option<USegment<'f, F>>)
        requires
            run.bytes() % 0x1000 == 0,
            run.bytes() > 0,
            run.frame.0 as int % 0x1000 == 0,
            frames.has_all(run.frame.0 as int, run.bytes()) ==> run.is_referenced(
                *frames,
                *old(tokens),
            ),
        ensures
            match r {
                Some(segment) => {
                    &&& frames.has_all(run.frame.0 as int, run.bytes())
                    &&& segment.table() == *frames
                    &&& segment.start() == run.frame.0
                    &&& segment.end() == run.frame.0 + run.bytes()
                    &&& is_without(
                        *old(tokens),
                        *final(tokens),
                        run.start as int,
                        run.bytes() / 0x1000,
                    )
                },
                None => {
                    &&& !frames.has_all(run.frame.0 as int, run.bytes())
                    &&& *final(tokens) == *old(tokens)
                },
            },
    {
        let bytes = run.end - run.start;
        if !frames.contains(run.frame, bytes) {
            return None;
        }
        proof {
            frames.lemma_layout();
        }
        let first = frames.locate(run.frame);
        let end = first + (bytes / FRAME_SIZE) as usize;
        let ghost (at, n, before) = (run.start as int, (end - first) as nat, *tokens);
        proof {
            assert forall|k: int| #[trigger] is_piece(at, n as int, k) implies tokens.contains_key(
                k,
            ) by {}
        }
        let tracked taken = take_run(tokens, at, first as int, n);
        proof {
            lemma_taken(*frames, before, taken, at, first as int, n as int);
        }
        Some(USegment::from_parts(frames, first, end, Tracked(taken)))
    }
}

} // verus!
