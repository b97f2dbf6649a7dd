//! More references to the frames of a segment.

use super::super::alloc::FrameAllocator;
use super::super::error::FrameError;
use super::super::kind::FrameKind;
use super::super::table::FRAME_SIZE;
use super::Segment;
use core::ops::Range;
use vstd::prelude::*;

verus! {

impl<'a, F: FrameAllocator, M: FrameKind> Segment<'a, F, M> {
    /// References of their own to the frames from one offset to another, in bytes from the start.
    ///
    /// # Errors
    /// - [`FrameError::NotAligned`], [`FrameError::Empty`], [`FrameError::Wrapping`] if `range` is not one of whole frames;
    /// - [`FrameError::OutOfRange`] if the segment ends before it;
    /// - [`FrameError::Saturated`] and [`FrameError::Busy`] as for [`FrameRef::try_clone`](crate::frame::FrameRef::try_clone).
    pub fn slice(&self, range: Range<u64>) -> (r: Result<Self, FrameError>)
        ensures
            r matches Ok(part) ==> {
                &&& part.table() == self.table()
                &&& part.start() == self.start() + range.start
                &&& part.end() == self.start() + range.end
                &&& range.start < range.end <= self.end() - self.start()
            },
    {
        if range.start % FRAME_SIZE != 0 {
            return Err(FrameError::NotAligned { addr: range.start });
        }
        if range.end % FRAME_SIZE != 0 {
            return Err(FrameError::NotAligned { addr: range.end });
        }
        if range.start == range.end {
            return Err(FrameError::Empty { addr: range.start });
        }
        if range.start > range.end {
            return Err(FrameError::Wrapping { addr: range.start });
        }
        if range.end > self.size() {
            return Err(FrameError::OutOfRange { addr: range.end });
        }
        proof {
            use_type_invariant(self);
            self.table.lemma_layout();
        }
        let first = self.first + (range.start / FRAME_SIZE) as usize;
        let end = self.first + (range.end / FRAME_SIZE) as usize;
        self.clone_part(first, end)
    }

    /// References of their own to all frames.
    ///
    /// # Errors
    /// [`FrameError::Saturated`] and [`FrameError::Busy`] as for [`FrameRef::try_clone`](crate::frame::FrameRef::try_clone).
    pub fn try_clone(&self) -> (r: Result<Self, FrameError>)
        ensures
            r matches Ok(same) ==> {
                &&& same.table() == self.table()
                &&& same.start() == self.start()
                &&& same.end() == self.end()
            },
    {
        proof {
            use_type_invariant(self);
        }
        self.clone_part(self.first, self.end)
    }

    /// References of their own to the frames of the slots from `first` to `end`.
    fn clone_part(&self, first: usize, end: usize) -> (r: Result<Self, FrameError>)
        requires
            self.first <= first <= end <= self.end,
        ensures
            r matches Ok(part) ==> part.table == self.table && part.first == first && part.end
                == end,
    {
        proof {
            use_type_invariant(self);
        }
        let table = self.table;
        let tracked mut tokens = Map::tracked_empty();
        let mut i = first;
        while i < end
            invariant
                table == self.table,
                self.inv(),
                self.first <= first <= i <= end <= self.end,
                Self::are_kind(*table, tokens, first as int, i as int),
            decreases end - i,
        {
            let Tracked(token) = match table.acquire(i) {
                Ok(token) => token,
                Err(e) => {
                    table.release_run(first, i, Tracked(tokens));
                    return Err(e);
                },
            };
            proof {
                assert(self.tokens@.contains_key(i as int));
                token.lemma_agree(self.tokens.borrow().tracked_borrow(i as int));
                tokens.tracked_insert(i as int, token);
            }
            i += 1;
        }
        Ok(Segment::from_tokens(table, first, end, Tracked(tokens)))
    }
}

} // verus!
