//! Unmapping, some runs of frames at a time.

use super::Mappings;
#[cfg(verus_only)]
use super::proof::gather::lemma_between;
#[cfg(verus_only)]
use super::proof::pieces::{lemma_taken, take_run};
#[cfg(verus_only)]
use super::spec::{are_kept, is_piece, is_without};
use crate::addr::{PhysAddr, VirtAddr, VirtRange};
use crate::arch::PagingMode;
use crate::arch::entry::AccessBits;
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
use crate::flush::Flush;
use crate::frame::token::FrameToken;
use crate::frame::{FRAME_SIZE, FrameAllocator, FrameTable};
use crate::hw::TableMemory;
use crate::space::kept::{Kept, References};
#[cfg(verus_only)]
use crate::spec::space::AddressSpace;
use vstd::prelude::*;

mod gather;

verus! {

/// Pages that were unmapped by one step; there may be holes between them.
#[must_use = "processors may go on using the old translations until the flush is paid"]
#[verifier::reject_recursive_types(M)]
pub(crate) struct Unmapped<M: TableMemory, A: PagingMode> {
    /// The first page's first address.
    pub(crate) start: VirtAddr<A>,
    /// Where the last page ended, counted from the start of what the page table covers.
    pub(crate) end: u64,
    /// How many pages they were.
    pub(crate) pages: u64,
    /// What processors have to be told before the references to the frames are given back.
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
    /// This is `old` without the first pages of what was mapped from `lo` to below `hi`, to whose frames `kept` are the
    /// references.
    pub(crate) open spec fn is_unmapped_from(
        self,
        old: Self,
        lo: int,
        hi: int,
        gone: Unmapped<M, A>,
        kept: Kept<'f, A, F>,
    ) -> bool {
        let (start, end) = (gone.start@, gone.end as int);
        &&& old.space().is_next_page(lo, start)
        &&& start < end <= hi
        &&& !old.space().is_cut(start, end)
        &&& gone.pages == old.space().count_pages(start, end)
        &&& self.space() == old.space().unmap_range(start, end)
        &&& exists|bytes: u64| #[trigger]
            self.table().is_unmapped_from(old.table(), start, end, bytes, gone.flush)
        &&& gone.flush.due().reaches(old.space(), start, end)
        &&& are_kept(old.frame_table(), old.space(), kept@, start, end)
        &&& kept.due() == gone.flush.due()
        &&& kept.since() == gone.flush.since()
        &&& self.table().is_stored_before(gone.flush.since())
    }

    /// Takes off the first pages of what is mapped from `lo` to below `hi`, until `kept` has no room for the references to one
    /// more run of frames; what is no ordinary memory needs no room. `None` if nothing is mapped there.
    #[cfg_attr(not(verus_only), expect(unused_variables, reason = "`bytes` is the prover's"))]
    pub(crate) fn unmap_some(&mut self, lo: u64, hi: u64, kept: &mut Kept<'f, A, F>) -> (r: Option<
        Unmapped<M, A>,
    >)
        requires
            old(self).inv(),
            old(kept).inv(),
            old(kept)@.len() == 0,
            hi <= A::geo().limit(),
            lo < hi ==> !old(self).space().is_cut(lo as int, hi as int),
        ensures
            final(self).inv(),
            final(self).frame_table() == old(self).frame_table(),
            final(kept).inv(),
            match r {
                Some(gone) => final(self).is_unmapped_from(
                    *old(self),
                    lo as int,
                    hi as int,
                    gone,
                    *final(kept),
                ),
                None => {
                    &&& old(self).space().is_free(lo as int, hi as int)
                    &&& *final(self) == *old(self)
                    &&& final(kept)@.len() == 0
                },
            },
    {
        let (start, end, pages) = self.gather(lo, hi, kept)?;
        let range = VirtRange::from_offsets(start, end);
        let ghost (gathered, ends) = (*self, (start as int, end as int));
        proof {
            self.table.lemma_shaped();
            lemma_between::<A>(start as int, end as int);
            self.table.lemma_range_of_pages(range);
        }
        let Ok((bytes, flush)) = self.table.unmap_range(range) else {
            return None;
        };
        proof {
            self.table.lemma_shaped();
            self.lemma_unmapped(*old(self), gathered, ends, kept@, bytes, flush);
            assert(self.table().is_unmapped_from(old(self).table(), ends.0, ends.1, bytes, flush));
        }
        kept.wait_for(Ghost(flush.due()), Ghost(flush.since()));
        Some(Unmapped { start: range.start(), end, pages, flush })
    }

    /// Takes off the first pages of all that is mapped; `None` if nothing is.
    pub(crate) fn clear_step(&mut self, kept: &mut Kept<'f, A, F>) -> (r: Option<Unmapped<M, A>>)
        requires
            old(self).inv(),
            old(kept).inv(),
            old(kept)@.len() == 0,
        ensures
            final(self).inv(),
            final(self).frame_table() == old(self).frame_table(),
            final(kept).inv(),
            match r {
                Some(gone) => final(self).is_unmapped_from(
                    *old(self),
                    0,
                    A::geo().limit(),
                    gone,
                    *final(kept),
                ),
                None => {
                    &&& old(self).space() == AddressSpace::empty()
                    &&& *final(self) == *old(self)
                    &&& final(kept)@.len() == 0
                },
            },
    {
        proof {
            self.lemma_within();
        }
        self.unmap_some(0, A::geometry().limit_bytes(), kept)
    }

    /// Takes the references to the frames of a run out of `tokens`, if the frames are the table's.
    pub(super) fn take(
        frames: &'f FrameTable<'f, F>,
        Tracked(tokens): Tracked<&mut Map<int, FrameToken>>,
        run: &Run,
    ) -> (r: Option<References>)
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
                Some((first, end, taken)) => {
                    &&& frames.has_all(run.frame.0 as int, run.bytes())
                    &&& first < end <= frames.len()
                    &&& frames.first() + first * 0x1000 == run.frame.0
                    &&& (end - first) * 0x1000 == run.bytes()
                    &&& frames.are_tokens(taken@, first as int, end as int)
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
        Some((first, end, Tracked(taken)))
    }
}

} // verus!
