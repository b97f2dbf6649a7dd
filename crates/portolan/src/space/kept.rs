//! References to frames that processors may still reach.

use crate::arch::PagingMode;
use crate::flush::FlushRange;
use crate::frame::{FrameAllocator, USegment};
use crate::hw::memory::Flushed;
use core::mem::ManuallyDrop;
use vstd::prelude::*;

verus! {

/// References to frames that were mapped in a range. They are given back with evidence that processors have been told of it;
/// one that is dropped keeps them for ever.
pub(crate) struct Kept<'f, A: PagingMode, F: FrameAllocator> {
    segment: ManuallyDrop<USegment<'f, F>>,
    range: Ghost<FlushRange<A>>,
}

impl<'f, A: PagingMode, F: FrameAllocator> Kept<'f, A, F> {
    /// The references.
    pub(crate) closed spec fn segment(self) -> USegment<'f, F> {
        self.segment@
    }

    /// What processors have to be told of before.
    pub(crate) closed spec fn due(self) -> FlushRange<A> {
        self.range@
    }

    /// Keeps `segment` until processors have been told of a range.
    pub(crate) fn new(segment: USegment<'f, F>, range: Ghost<FlushRange<A>>) -> (r: Self)
        ensures
            r.segment() == segment,
            r.due() == range@,
    {
        Kept { segment: ManuallyDrop::new(segment), range }
    }

    /// Gives the references back: processors have been told.
    pub(crate) fn release(self, Tracked(flushed): Tracked<&Flushed<A>>)
        requires
            flushed.range().covers(self.due()),
    {
        let _ = ManuallyDrop::into_inner(self.segment);
    }
}

} // verus!
