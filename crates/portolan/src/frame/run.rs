//! Frames that follow each other, claimed all or none; and how a machine's memory gets into a table.

use super::alloc::FrameAllocator;
use super::error::FrameError;
use super::slot::{FREE, RESERVED, UNUSED};
use super::table::{FRAME_SIZE, FrameTable};
use super::token::{Claim, FrameToken};
use crate::addr::PhysAddr;
use crate::hw::frame::trust_given;
use core::ops::Range;
use vstd::prelude::*;

#[cfg(verus_only)]
pub(crate) mod proof;
#[cfg(verus_only)]
pub(crate) mod spec;

/// The slots of some frames, the first and the one after the last, and the rights to the frames.
pub(crate) type Run = (usize, usize, Tracked<Map<int, Claim>>);

verus! {

impl<'a, F> FrameTable<'a, F> {
    /// Whether `e` is a reason to refuse `range`: something is wrong with it, or one of its frames is in another state than
    /// it should be.
    pub closed spec fn refuses_range(self, range: Range<PhysAddr>, e: FrameError) -> bool {
        match self.check_range(range.start, range.end) {
            Some(wrong) => e == wrong,
            None => self.is_refused_one(e, self.index_of(range.start), self.index_of(range.end)),
        }
    }

    /// The slots of the frames of `range`: the first, and the one after the last.
    pub(crate) fn find_range(&self, range: &Range<PhysAddr>) -> (r: Result<
        (usize, usize),
        FrameError,
    >)
        ensures
            match r {
                Ok((first, end)) => {
                    &&& self.check_range(range.start, range.end) is None
                    &&& first == self.index_of(range.start)
                    &&& end == self.index_of(range.end)
                    &&& first < end <= self.len()
                },
                Err(e) => self.check_range(range.start, range.end) == Some(e),
            },
    {
        let (start, end) = (range.start.0, range.end.0);
        if start % FRAME_SIZE != 0 {
            return Err(FrameError::NotAligned { addr: start });
        }
        if end % FRAME_SIZE != 0 {
            return Err(FrameError::NotAligned { addr: end });
        }
        if start == end {
            return Err(FrameError::Empty { addr: start });
        }
        if start > end {
            return Err(FrameError::Wrapping { addr: start });
        }
        let Ok(first) = self.find(range.start) else {
            return Err(FrameError::OutOfRange { addr: start });
        };
        proof {
            self.lemma_layout();
        }
        match self.find(PhysAddr(end - FRAME_SIZE)) {
            Ok(last) => { Ok((first, last + 1)) },
            Err(_) => Err(FrameError::OutOfRange { addr: start }),
        }
    }

    /// Takes the rights to frames that nobody uses, if the state of all is `from`.
    pub(crate) fn claim_run(&self, first: usize, end: usize, from: u64) -> (r: Result<
        Tracked<Map<int, Claim>>,
        FrameError,
    >)
        requires
            first <= end <= self.len(),
            from == RESERVED || from == UNUSED || from == FREE,
        ensures
            match r {
                Ok(claims) => self.are_claims(claims@, first as int, end as int, from != RESERVED),
                Err(e) => self.is_refused_one(e, first as int, end as int),
            },
    {
        let tracked mut claims = Map::tracked_empty();
        let mut i = first;
        while i < end
            invariant
                first <= i <= end <= self.len(),
                from == RESERVED || from == UNUSED || from == FREE,
                self.are_claims(claims, first as int, i as int, from != RESERVED),
            decreases end - i,
        {
            let Tracked(claim) = match self.claim(i, from) {
                Ok(claim) => claim,
                Err(e) => {
                    self.leave_run(first, i, from, Tracked(claims));
                    return Err(e);
                },
            };
            proof {
                claims.tracked_insert(i as int, claim);
            }
            i += 1;
        }
        Ok(Tracked(claims))
    }

    /// Takes the rights to the frames of `range`, which nobody uses, if the state of all is `from`.
    pub(crate) fn claim_range(&self, range: &Range<PhysAddr>, from: u64) -> (r: Result<
        Run,
        FrameError,
    >)
        requires
            from == RESERVED || from == UNUSED || from == FREE,
        ensures
            match r {
                Ok((first, end, claims)) => {
                    &&& self.check_range(range.start, range.end) is None
                    &&& first == self.index_of(range.start)
                    &&& end == self.index_of(range.end)
                    &&& first < end <= self.len()
                    &&& self.are_claims(claims@, first as int, end as int, from != RESERVED)
                },
                Err(e) => self.refuses_range(*range, e),
            },
    {
        let (first, end) = self.find_range(range)?;
        let claims = self.claim_run(first, end, from)?;
        Ok((first, end, claims))
    }

    /// Gives up the rights to frames.
    pub(crate) fn leave_run(
        &self,
        first: usize,
        end: usize,
        to: u64,
        Tracked(claims): Tracked<Map<int, Claim>>,
    )
        requires
            first <= end <= self.len(),
            to == RESERVED || to == UNUSED || to == FREE,
            self.are_claims(claims, first as int, end as int, to != RESERVED),
    {
        let tracked mut claims = claims;
        let mut i = first;
        while i < end
            invariant
                first <= i <= end <= self.len(),
                to == RESERVED || to == UNUSED || to == FREE,
                self.are_claims(claims, i as int, end as int, to != RESERVED),
            decreases end - i,
        {
            let tracked claim = self.take_claim(&mut claims, i as int, end as int, to != RESERVED);
            self.leave(i, to, Tracked(claim));
            i += 1;
        }
    }

    /// Makes frames of the machine available: from now on they are nobody's, and can be taken by
    /// [`Frame::from_unused`](super::Frame::from_unused) or given to the [allocator](FrameTable::free).
    ///
    /// # Errors
    /// - [`FrameError::NotAligned`], [`FrameError::Empty`], [`FrameError::Wrapping`], [`FrameError::OutOfRange`] if `range`
    ///   is not one of frames of the table;
    /// - [`FrameError::Unused`], [`FrameError::Free`], [`FrameError::InUse`], [`FrameError::Unique`], [`FrameError::Busy`]
    ///   if one of them was added before.
    ///
    /// # Safety
    /// Those frames of `range` that were not added before are memory, and nobody uses them but by this table.
    pub unsafe fn add(&self, range: Range<PhysAddr>) -> (r: Result<(), FrameError>)
        ensures
            match r {
                Ok(_) => self.check_range(range.start, range.end) is None,
                Err(e) => self.refuses_range(range, e),
            },
    {
        let (first, end, Tracked(mut claims)) = self.claim_range(&range, RESERVED)?;
        let mut i = first;
        while i < end
            invariant
                first <= i <= end <= self.len(),
                self.are_claims(claims, i as int, end as int, false),
            decreases end - i,
        {
            let tracked mut claim = self.take_claim(&mut claims, i as int, end as int, false);
            let Tracked(memory) = trust_given(Ghost(self.id(i as int).addr), Tracked(&claim.right));
            proof {
                claim.right.memory = Some(memory);
            }
            self.leave(i, UNUSED, Tracked(claim));
            i += 1;
        }
        Ok(())
    }
}

impl<'a, F: FrameAllocator> FrameTable<'a, F> {
    /// Gives frames that are nobody's to the allocator.
    ///
    /// # Errors
    /// - [`FrameError::NotAligned`], [`FrameError::Empty`], [`FrameError::Wrapping`], [`FrameError::OutOfRange`] if `range`
    ///   is not one of frames of the table;
    /// - [`FrameError::Reserved`], [`FrameError::Free`], [`FrameError::InUse`], [`FrameError::Unique`],
    ///   [`FrameError::Busy`] if one of them is something else than nobody's.
    pub fn free(&self, range: Range<PhysAddr>) -> (r: Result<(), FrameError>)
        ensures
            match r {
                Ok(_) => self.check_range(range.start, range.end) is None,
                Err(e) => self.refuses_range(range, e),
            },
    {
        let (first, end, claims) = self.claim_range(&range, UNUSED)?;
        self.leave_run(first, end, FREE, claims);
        // only now, as the allocator may hand the frames out at once
        self.allocator().dealloc(range.start, end - first);
        Ok(())
    }

    /// A frame from the allocator: where it is, its slot, and the right to it.
    pub(crate) fn alloc_one(&self) -> (r: Result<(PhysAddr, usize, Tracked<Claim>), FrameError>)
        ensures
            r matches Ok((addr, index, claim)) ==> {
                &&& self.covers(addr)
                &&& index == self.index_of(addr)
                &&& index < self.len()
                &&& self.is_claim(claim@, index as int, true)
            },
    {
        let Some(addr) = self.allocator().alloc(1, FRAME_SIZE) else {
            return Err(FrameError::NoMemory { size: FRAME_SIZE });
        };
        let index = self.find(addr)?;
        let claim = self.claim(index, FREE)?;
        Ok((addr, index, claim))
    }

    /// Frames that follow each other, from the allocator.
    pub(crate) fn alloc_run(&self, frames: usize, align: u64) -> (r: Result<Run, FrameError>)
        ensures
            r matches Ok((first, end, claims)) ==> {
                &&& first < end <= self.len()
                &&& end - first == frames
                &&& self.are_claims(claims@, first as int, end as int, true)
            },
    {
        if frames as u64 > u64::MAX / FRAME_SIZE {
            return Err(FrameError::NoMemory { size: u64::MAX });
        }
        let size = frames as u64 * FRAME_SIZE;
        let Some(start) = self.allocator().alloc(frames, align) else {
            return Err(FrameError::NoMemory { size });
        };
        if start.0 > u64::MAX - size {
            return Err(FrameError::Wrapping { addr: start.0 });
        }
        self.claim_range(&(start..PhysAddr(start.0 + size)), FREE)
    }

    /// Gives references back, to frames of the slots from `first` to `end`. Neighbours of which these were the last go to the
    /// allocator at once.
    pub(crate) fn release_run(
        &self,
        first: usize,
        end: usize,
        Tracked(tokens): Tracked<Map<int, FrameToken>>,
    )
        requires
            first <= end <= self.len(),
            self.are_tokens(tokens, first as int, end as int),
        no_unwind
    {
        let tracked mut tokens = tokens;
        let mut i = first;
        // those from here on are nobody's
        let mut free = first;
        while i < end
            invariant
                first <= free <= i <= end <= self.len(),
                self.are_tokens(tokens, i as int, end as int),
            decreases end - i,
        {
            let tracked token = self.take_token(&mut tokens, i as int, end as int);
            let is_last = self.drop_reference(i, Tracked(token));
            if !is_last {
                self.give_back(free, i);
                free = i + 1;
            }
            i += 1;
        }
        self.give_back(free, end);
    }

    /// Tells the allocator of frames that are its.
    #[inline]
    fn give_back(&self, first: usize, end: usize)
        requires
            first <= end <= self.len(),
        no_unwind
    {
        if first < end {
            self.allocator().dealloc(self.address(first), end - first);
        }
    }
}

} // verus!
