//! What waits for processors to be told.

use super::kernel::Kernel;
use crate::flush::{Flush, FlushRange};
use crate::frame::{Dyn, Frame};
use crate::hw::memory::Flushed;
use core::mem::ManuallyDrop;
use vstd::prelude::*;

verus! {

/// What is given back once no processor can reach it any more, but for [references to frames that were
/// mapped](super::kept::Kept).
#[verifier::reject_recursive_types(K)]
pub(crate) enum Owed<'k, K: Kernel> {
    /// A frame that a kernel wants to be kept: for which range, and after which moment.
    Frame(ManuallyDrop<Frame<'k, K::Frames, Dyn>>, Ghost<(FlushRange<K::Mode>, int)>),
    /// Tables that became empty.
    Tables(Flush<K::Tables, K::Mode>),
}

impl<'k, K: Kernel> Owed<'k, K> {
    /// What processors have to be told of before.
    pub(crate) open spec fn range(self) -> FlushRange<K::Mode> {
        match self {
            Owed::Frame(_, due) => due@.0,
            Owed::Tables(flush) => flush.due(),
        }
    }

    /// After which moment.
    pub(crate) open spec fn since(self) -> int {
        match self {
            Owed::Frame(_, due) => due@.1,
            Owed::Tables(flush) => flush.since(),
        }
    }

    /// Gives it back: processors have been told.
    pub(crate) fn release(self, Tracked(flushed): Tracked<&Flushed<K::Mode>>)
        requires
            flushed.range().covers(self.range()),
            flushed.since() >= self.since(),
    {
        match self {
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

} // verus!
