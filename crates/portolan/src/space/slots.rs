//! A run of slots, in one word.

use vstd::prelude::*;

verus! {

/// How many slots a run has at most.
pub(crate) const MOST: usize = 0x10_0000;

/// How many bytes their frames have.
pub(crate) const MOST_BYTES: u64 = 0x1_0000_0000;

/// The slots of frames that follow each other. The number of the first is in the upper 44 bits, which no frame's is longer
/// than, and in the others how many more there are.
#[derive(Clone, Copy)]
pub(crate) struct Slots(u64);

impl Slots {
    /// The first slot.
    pub(crate) closed spec fn first(self) -> int {
        self.0 as int / 0x10_0000
    }

    /// The one after the last.
    pub(crate) closed spec fn end(self) -> int {
        self.first() + self.0 as int % 0x10_0000 + 1
    }

    /// The slots from `first` to `end`.
    #[inline]
    pub(crate) fn new(first: usize, end: usize) -> (r: Self)
        requires
            first < end <= first + MOST,
            end <= 0x1000_0000_0000,
        ensures
            r.first() == first,
            r.end() == end,
        no_unwind
    {
        Slots(first as u64 * 0x10_0000 + (end - first - 1) as u64)
    }

    /// The first slot, and the one after the last.
    #[inline]
    pub(crate) fn ends(self) -> (r: (usize, usize))
        requires
            self.end() <= usize::MAX,
        ensures
            r.0 == self.first(),
            r.1 == self.end(),
        no_unwind
    {
        let first = (self.0 / 0x10_0000) as usize;
        (first, first + (self.0 % 0x10_0000) as usize + 1)
    }
}

} // verus!
