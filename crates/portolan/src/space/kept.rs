//! References to frames that processors may still reach.

use crate::arch::PagingMode;
use crate::flush::FlushRange;
use crate::frame::token::FrameToken;
use crate::frame::{FrameAllocator, FrameTable, USegment};
use crate::hw::memory::Flushed;
use vstd::prelude::*;

verus! {

/// References to frames that were mapped in a range. They are given back with evidence that processors have been told of it;
/// one that is dropped keeps them for ever.
pub(crate) struct Kept<'f, A: PagingMode, F: FrameAllocator> {
    frames: &'f FrameTable<'f, F>,
    /// The slots of the frames: the first, and the one after the last.
    first: usize,
    end: usize,
    tokens: Tracked<Map<int, FrameToken>>,
    range: Ghost<FlushRange<A>>,
}

impl<'f, A: PagingMode, F: FrameAllocator> Kept<'f, A, F> {
    #[verifier::type_invariant]
    spec fn inv(self) -> bool {
        &&& self.first <= self.end <= self.frames.len()
        &&& self.frames.are_tokens(self.tokens@, self.first as int, self.end as int)
    }

    /// The table of the frames.
    pub(crate) closed spec fn table(self) -> FrameTable<'f, F> {
        *self.frames
    }

    /// Where the first frame starts.
    pub(crate) closed spec fn start(self) -> int {
        self.frames.first() + self.first * 0x1000
    }

    /// Where the last frame ends.
    pub(crate) closed spec fn end(self) -> int {
        self.frames.first() + self.end * 0x1000
    }

    /// What processors have to be told of before.
    pub(crate) closed spec fn due(self) -> FlushRange<A> {
        self.range@
    }

    /// Keeps `segment` until processors have been told of a range.
    pub(crate) fn new(segment: USegment<'f, F>, range: Ghost<FlushRange<A>>) -> (r: Self)
        ensures
            r.table() == segment.table(),
            r.start() == segment.start(),
            r.end() == segment.end(),
            r.due() == range@,
    {
        let (frames, first, end, tokens) = segment.into_parts();
        Kept { frames, first, end, tokens, range }
    }

    /// Reads the state of the first frame, so that it is at hand soon.
    #[inline]
    pub(crate) fn touch(&self) {
        proof {
            use_type_invariant(self);
        }
        if self.first < self.end {
            assert(self.tokens@.contains_key(self.first as int));
            let tracked token = self.tokens.borrow().tracked_borrow(self.first as int);
            let _ = self.frames.count(self.first, Tracked(token));
        }
    }

    /// Gives the references back: processors have been told.
    pub(crate) fn release(self, Tracked(flushed): Tracked<&Flushed<A>>)
        requires
            flushed.range().covers(self.due()),
    {
        proof {
            use_type_invariant(&self);
        }
        self.frames.release_run(self.first, self.end, self.tokens);
    }
}

} // verus!
