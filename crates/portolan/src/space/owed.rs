//! What waits for processors to be told.

use super::batch::Batch;
use super::kept::Kept;
use super::kernel::Kernel;
use crate::flush::{Flush, FlushRange};
use crate::frame::{Dyn, Frame};
use crate::hw::memory::Flushed;
use core::mem::ManuallyDrop;
use vstd::prelude::*;

verus! {

/// What is given back once no processor can reach it any more.
#[verifier::reject_recursive_types(K)]
pub(crate) enum Owed<'k, K: Kernel> {
    /// Frames that were mapped in a range.
    Segment(Kept<'k, K::Mode, K::Frames>),
    /// A frame that a kernel wants to be kept.
    Frame(ManuallyDrop<Frame<'k, K::Frames, Dyn>>, Ghost<FlushRange<K::Mode>>),
    /// Tables that became empty.
    Tables(Flush<K::Tables, K::Mode>),
}

impl<'k, K: Kernel> Owed<'k, K> {
    /// What processors have to be told of before.
    pub(crate) open spec fn range(self) -> FlushRange<K::Mode> {
        match self {
            Owed::Segment(kept) => kept.due(),
            Owed::Frame(_, range) => range@,
            Owed::Tables(flush) => flush.due(),
        }
    }

    /// Gives it back: processors have been told.
    pub(crate) fn release(self, Tracked(flushed): Tracked<&Flushed<K::Mode>>)
        requires
            flushed.range().covers(self.range()),
    {
        match self {
            Owed::Segment(kept) => kept.release(Tracked(flushed)),
            Owed::Frame(frame, _) => {
                let _ = ManuallyDrop::into_inner(frame);
            },
            Owed::Tables(flush) => {
                let tracked part = flushed.narrow(flush.due());
                flush.settle_for(Tracked(&part));
            },
        }
    }
}

/// What waits, and the one request that all of it waits for.
#[verifier::reject_recursive_types(K)]
pub(crate) struct Batched<'k, K: Kernel> {
    range: FlushRange<K::Mode>,
    items: Batch<Owed<'k, K>>,
}

impl<'k, K: Kernel> Batched<'k, K> {
    #[verifier::type_invariant]
    spec fn inv(self) -> bool {
        forall|i: int|
            0 <= i < self.items@.len() ==> self.range.covers((#[trigger] self.items@[i]).range())
    }

    /// What processors have to be told of.
    pub(crate) closed spec fn due(self) -> FlushRange<K::Mode> {
        self.range
    }

    /// A request for which nothing waits.
    pub(crate) fn new(range: FlushRange<K::Mode>) -> (r: Self)
        ensures
            r.due() == range,
        no_unwind
    {
        Batched { range, items: Batch::new() }
    }

    /// What processors have to be told of.
    #[inline]
    pub(crate) fn range(&self) -> (r: FlushRange<K::Mode>)
        ensures
            r == self.due(),
        no_unwind
    {
        self.range
    }

    /// Whether there is no room for more that waits.
    #[inline]
    pub(crate) fn is_full(&self) -> bool
        no_unwind
    {
        self.items.is_full()
    }

    /// One request for both, or this one and `false`, if they lie in different halves of the address space.
    pub(crate) fn join(self, range: FlushRange<K::Mode>) -> (r: (Self, bool))
        ensures
            if r.1 {
                r.0.due().covers(self.due()) && r.0.due().covers(range)
            } else {
                r.0 == self
            },
    {
        proof {
            use_type_invariant(&self);
        }
        match self.range.join(range) {
            Some(all) => (Batched { range: all, items: self.items }, true),
            None => (self, false),
        }
    }

    /// One more that waits, or `item` itself, if there is no room.
    pub(crate) fn push(self, item: Owed<'k, K>) -> (r: (Self, Option<Owed<'k, K>>))
        requires
            self.due().covers(item.range()),
        ensures
            r.0.due() == self.due(),
    {
        proof {
            use_type_invariant(&self);
        }
        let (range, mut items) = (self.range, self.items);
        let rest = items.push(item);
        (Batched { range, items }, rest)
    }

    /// Gives all back: processors have been told.
    pub(crate) fn release(self, Tracked(flushed): Tracked<&Flushed<K::Mode>>)
        requires
            flushed.range() == self.due(),
    {
        proof {
            use_type_invariant(&self);
        }
        let ghost range = self.range;
        let mut items = self.items;
        while let Some(owed) = items.pop()
            invariant
                flushed.range() == range,
                forall|i: int|
                    0 <= i < items@.len() ==> range.covers((#[trigger] items@[i]).range()),
            decreases items@.len(),
        {
            owed.release(Tracked(flushed));
        }
    }
}

} // verus!
