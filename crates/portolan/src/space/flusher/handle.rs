//! A kernel's way to what its cursor owes.

use super::Flusher;
#[cfg(verus_only)]
use crate::flush::FlushRange;
use crate::frame::{Dyn, Frame};
use crate::hw::AtomicMode;
use crate::space::{Kernel, VmError};
use crate::tlb::TlbFlushOp;
use vstd::prelude::*;

verus! {

/// What processors that use an address space have to be told: operations that are issued, dispatched together, and synced.
///
/// - [`issue_tlb_flush`](TlbFlusher::issue_tlb_flush) notes an operation. All that are noted become one: for all addresses from
///   the first to the last; the machine's [`Processors::invalidate`](crate::Processors::invalidate) takes
///   [advice](crate::FlushRange::advice) from when on everything is better flushed at once.
/// - [`dispatch_tlb_flush`](TlbFlusher::dispatch_tlb_flush) asks the processors that use the address space, and goes on.
/// - [`sync_tlb_flush`](TlbFlusher::sync_tlb_flush) dispatches what is not yet, and waits until all processors have done it.
///   Only then the frames and tables are given back that wait for it.
///
/// It has one request for all that is owed: what is noted after a dispatch waits until that is synced. A flusher that is dropped
/// dispatches and syncs what it still owes. A processor has one request under way at a time: another
/// flusher of the same processor waits for it before it dispatches.
///
/// It borrows what the cursor owes, and is no place for it: what one cursor owes can't come to another one, whose processors may
/// be others.
#[verifier::reject_recursive_types(K)]
#[verifier::reject_recursive_types(G)]
pub struct TlbFlusher<'c, 'a, 'k, K: Kernel, G: AtomicMode> {
    owed: &'c mut Flusher<'a, 'k, K, G>,
}

impl<'c, 'a, 'k, K: Kernel, G: AtomicMode> TlbFlusher<'c, 'a, 'k, K, G> {
    /// What is noted, and not dispatched: for all addresses of this range.
    pub closed spec fn issued(self) -> Option<FlushRange<K::Mode>> {
        self.owed.issued()
    }

    /// Whether nothing is dispatched and not synced.
    pub closed spec fn is_synced(self) -> bool {
        self.owed.is_synced()
    }

    /// To what is owed.
    #[inline(always)]
    pub(crate) fn to(owed: &'c mut Flusher<'a, 'k, K, G>) -> Self {
        TlbFlusher { owed }
    }

    /// Notes an operation. What was dispatched before, and not synced, is synced first.
    pub fn issue_tlb_flush(&mut self, op: TlbFlushOp<K::Mode>)
        ensures
            exists|due: FlushRange<K::Mode>| #[trigger]
                op.says(due) && (final(self).issued() matches Some(all) && all.covers(due)),
    {
        self.owed.issue_tlb_flush(op);
    }

    /// Notes an operation as [`issue_tlb_flush`](TlbFlusher::issue_tlb_flush) does, and keeps `frame` until it is synced.
    pub fn issue_tlb_flush_with(
        &mut self,
        op: TlbFlushOp<K::Mode>,
        frame: Frame<'k, K::Frames, Dyn>,
    )
        ensures
            exists|due: FlushRange<K::Mode>| #[trigger]
                op.says(due) && (final(self).issued() matches Some(all) && all.covers(due)),
    {
        self.owed.issue_tlb_flush_with(op, frame);
    }

    /// Asks the processors that use the address space to do what is noted. If what was dispatched before was not synced, it is
    /// synced first.
    ///
    /// # Errors
    /// [`VmError::Shootdown`] if this processor has no slot in the [`Shootdown`](crate::tlb::Shootdown), or is in the middle of
    /// another shootdown, as in an interrupt handler: then what is noted stays so.
    pub fn dispatch_tlb_flush(&mut self) -> (r: Result<(), VmError>)
        ensures
            match r {
                Ok(()) => final(self).issued() is None,
                Err(e) => e is Shootdown,
            },
    {
        self.owed.dispatch_tlb_flush()
    }

    /// Dispatches what is noted, waits until the processors have done all that was dispatched, then gives back what waits for
    /// it.
    ///
    /// # Errors
    /// Those of [`dispatch_tlb_flush`](TlbFlusher::dispatch_tlb_flush).
    pub fn sync_tlb_flush(&mut self) -> (r: Result<(), VmError>)
        ensures
            match r {
                Ok(()) => final(self).issued() is None && final(self).is_synced(),
                Err(e) => e is Shootdown,
            },
    {
        self.owed.sync_tlb_flush()
    }
}

} // verus!
