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
    /// What is wrong with a range of offsets.
    pub open spec fn check_slice(self, range: Range<u64>) -> Option<FrameError> {
        if range.start as int % 0x1000 != 0 {
            Some(FrameError::NotAligned { addr: range.start })
        } else if range.end as int % 0x1000 != 0 {
            Some(FrameError::NotAligned { addr: range.end })
        } else if range.start == range.end {
            Some(FrameError::Empty { addr: range.start })
        } else if range.start > range.end {
            Some(FrameError::Wrapping { addr: range.start })
        } else if range.end > self.end() - self.start() {
            Some(FrameError::OutOfRange { addr: range.end })
        } else {
            None
        }
    }

    /// Whether `e` is a reason not to have one more reference to each of the frames.
    pub open spec fn refuses_reference(self, e: FrameError) -> bool {
        e is Saturated || e is Busy
    }

    /// References of their own to the frames from one offset to another, in bytes from the start.
    ///
    /// # Errors
    /// - [`FrameError::NotAligned`], [`FrameError::Empty`], [`FrameError::Wrapping`] if `range` is not one of whole frames;
    /// - [`FrameError::OutOfRange`] if the segment ends before it;
    /// - [`FrameError::Saturated`] and [`FrameError::Busy`] as for [`FrameRef::try_clone`](crate::frame::FrameRef::try_clone).
    pub fn slice(&self, range: Range<u64>) -> (r: Result<Self, FrameError>)
        ensures
            match r {
                Ok(part) => {
                    &&& self.check_slice(range) is None
                    &&& part.table() == self.table()
                    &&& part.start() == self.start() + range.start
                    &&& part.end() == self.start() + range.end
                },
                Err(e) => match self.check_slice(range) {
                    Some(wrong) => e == wrong,
                    None => self.refuses_reference(e),
                },
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
            match r {
                Ok(same) => {
                    &&& same.table() == self.table()
                    &&& same.start() == self.start()
                    &&& same.end() == self.end()
                },
                Err(e) => self.refuses_reference(e),
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
            match r {
                Ok(part) => part.table == self.table && part.first == first && part.end == end,
                Err(e) => self.refuses_reference(e),
            },
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
            proof {
                assert(self.tokens@.contains_key(i as int));
            }
            let tracked held = self.tokens.borrow().tracked_borrow(i as int);
            let Tracked(token) = match table.acquire(i, Tracked(Some(held))) {
                Ok(token) => token,
                Err(e) => {
                    table.release_run(first, i, Tracked(tokens));
                    return Err(e);
                },
            };
            proof {
                token.lemma_agree(held);
                tokens.tracked_insert(i as int, token);
            }
            i += 1;
        }
        Ok(Segment::from_tokens(table, first, end, Tracked(tokens)))
    }
}

} // verus!
