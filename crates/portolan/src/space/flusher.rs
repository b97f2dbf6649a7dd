//! What an address space owes to TLBs.

use super::error::VmError;
use super::kept::Kept;
use super::kernel::{Kernel, Machine};
use super::owed::{Batched, Owed};
#[cfg(verus_only)]
use crate::addr::PhysAddr;
use crate::flush::{Flush, FlushRange};
use crate::frame::{Dyn, Frame};
use crate::hw::AtomicMode;
use crate::hw::space::settle_in_drop;
use crate::tlb::TlbFlushOp;
use crate::tlb::active::ActiveSet;
use crate::tlb::sync::Ticket;
use core::mem::ManuallyDrop;
use vstd::prelude::*;

verus! {

/// What processors that use an address space have to be told: operations that are issued, dispatched together, and synced.
///
/// - [`issue_tlb_flush`](TlbFlusher::issue_tlb_flush) notes an operation. All that are noted become one: for all addresses from
///   the first to the last; the machine's [`Processors::invalidate`](crate::Processors::invalidate) takes
///   [advice](FlushRange::advice) from when on everything is better flushed at once.
/// - [`dispatch_tlb_flush`](TlbFlusher::dispatch_tlb_flush) asks the processors that use the address space, and goes on.
/// - [`sync_tlb_flush`](TlbFlusher::sync_tlb_flush) dispatches what is not yet, and waits until all processors have done it.
///   Only then the frames and tables are given back that wait for it.
///
/// A flusher that is dropped dispatches and syncs what it still owes. A processor has one request under way at a time: another
/// flusher of the same processor waits for it before it dispatches.
#[verifier::reject_recursive_types(K)]
#[verifier::reject_recursive_types(G)]
pub struct TlbFlusher<'a, 'k, K: Kernel, G: AtomicMode> {
    machine: &'a Machine<'k, K>,
    active: &'a ActiveSet,
    guard: &'a G,
    /// Issued, and not dispatched.
    pending: Option<Batched<'k, K>>,
    /// Dispatched, and not synced.
    sent: Option<(Ticket<'a, K::Mode>, Batched<'k, K>)>,
    /// All that ever was issued.
    noted: Ghost<Seq<FlushRange<K::Mode>>>,
}

impl<'a, 'k, K: Kernel, G: AtomicMode> TlbFlusher<'a, 'k, K, G> {
    #[verifier::type_invariant]
    spec fn inv(self) -> bool {
        self.sent matches Some((ticket, batch)) ==> {
            &&& ticket.range() == batch.due()
            &&& ticket.root() == self.active.root()
        }
    }

    /// The root of the table whose translations it is about.
    pub closed spec fn root(self) -> PhysAddr {
        self.active.root()
    }

    /// What is noted, and not dispatched: for all addresses of this range.
    pub closed spec fn issued(self) -> Option<FlushRange<K::Mode>> {
        match self.pending {
            Some(batch) => Some(batch.due()),
            None => None,
        }
    }

    /// All that ever was noted.
    pub closed spec fn noted(self) -> Seq<FlushRange<K::Mode>> {
        self.noted@
    }

    /// Since `old`, `due` was noted.
    pub open spec fn has_noted(self, old: Self, due: FlushRange<K::Mode>) -> bool {
        &&& old.noted().is_prefix_of(self.noted())
        &&& old.noted().len() < self.noted().len()
        &&& self.noted().last() == due
    }

    /// Whether nothing is dispatched and not synced.
    pub closed spec fn is_synced(self) -> bool {
        self.sent is None
    }

    /// Whether processors have been told all that was noted.
    pub open spec fn owes_nothing(self) -> bool {
        self.issued() is None && self.is_synced()
    }

    /// Nothing is owed.
    pub(crate) fn new(machine: &'a Machine<'k, K>, active: &'a ActiveSet, guard: &'a G) -> (r: Self)
        ensures
            r.root() == active.root(),
            r.issued() is None,
            r.is_synced(),
    {
        TlbFlusher { machine, active, guard, pending: None, sent: None, noted: Ghost(Seq::empty()) }
    }

    /// Notes an operation.
    pub fn issue_tlb_flush(&mut self, op: TlbFlushOp<K::Mode>)
        ensures
            final(self).root() == old(self).root(),
            exists|due: FlushRange<K::Mode>| #[trigger]
                op.says(due) && (final(self).issued() matches Some(all) && all.covers(due)),
    {
        self.issue(op.range());
    }

    /// Notes an operation, and keeps `frame` until it is synced.
    pub fn issue_tlb_flush_with(
        &mut self,
        op: TlbFlushOp<K::Mode>,
        frame: Frame<'k, K::Frames, Dyn>,
    )
        ensures
            final(self).root() == old(self).root(),
            exists|due: FlushRange<K::Mode>| #[trigger]
                op.says(due) && (final(self).issued() matches Some(all) && all.covers(due)),
    {
        let range = op.range();
        self.owe(Owed::Frame(ManuallyDrop::new(frame), Ghost(range)), range);
    }

    /// Asks the processors that use the address space to do what is noted. If what was dispatched before was not synced, it is
    /// synced first.
    ///
    /// # Errors
    /// [`VmError::Shootdown`] if this processor has no slot in the [`Shootdown`](crate::tlb::Shootdown), or is in the middle of
    /// another shootdown, as in an interrupt handler: then what is noted stays so.
    pub fn dispatch_tlb_flush(&mut self) -> (r: Result<(), VmError>)
        ensures
            final(self).root() == old(self).root(),
            final(self).noted() == old(self).noted(),
            match r {
                Ok(()) => final(self).issued() is None,
                Err(e) => e is Shootdown,
            },
    {
        self.wait();
        self.ask()
    }

    /// Dispatches what is noted, waits until the processors have done all that was dispatched, then gives back what waits for
    /// it.
    ///
    /// # Errors
    /// Those of [`dispatch_tlb_flush`](TlbFlusher::dispatch_tlb_flush).
    pub fn sync_tlb_flush(&mut self) -> (r: Result<(), VmError>)
        ensures
            final(self).root() == old(self).root(),
            final(self).noted() == old(self).noted(),
            match r {
                Ok(()) => final(self).issued() is None && final(self).is_synced(),
                Err(e) => e is Shootdown,
            },
    {
        self.wait();
        self.ask()?;
        self.wait();
        Ok(())
    }

    /// Asks the processors to do what is noted, if anything is.
    fn ask(&mut self) -> (r: Result<(), VmError>)
        requires
            old(self).is_synced(),
        ensures
            final(self).root() == old(self).root(),
            final(self).noted() == old(self).noted(),
            match r {
                Ok(()) => final(self).issued() is None,
                Err(e) => e is Shootdown && final(self).issued() == old(self).issued(),
            },
    {
        let Some(batch) = &self.pending else {
            return Ok(());
        };
        let range = batch.range();
        let ticket = match self.machine.shootdown().dispatch(
            self.guard,
            self.machine.cpus(),
            self.active,
            range,
        ) {
            Ok(ticket) => ticket,
            Err(e) => return Err(VmError::Shootdown(e)),
        };
        proof {
            use_type_invariant(&*self);
        }
        let mut pending = None;
        core::mem::swap(&mut self.pending, &mut pending);
        if let Some(batch) = pending {
            self.sent = Some((ticket, batch));
        }
        Ok(())
    }

    /// Waits for what was dispatched, if anything was, and gives back what waits for it.
    fn wait(&mut self)
        ensures
            final(self).root() == old(self).root(),
            final(self).noted() == old(self).noted(),
            final(self).issued() == old(self).issued(),
            final(self).is_synced(),
    {
        proof {
            use_type_invariant(&*self);
        }
        // a batch is large: it is moved only if there is one
        if self.sent.is_none() {
            return;
        }
        let mut sent = None;
        core::mem::swap(&mut self.sent, &mut sent);
        if let Some((ticket, batch)) = sent {
            let Tracked(flushed) = self.machine.shootdown().sync(
                self.guard,
                self.machine.cpus(),
                ticket,
            );
            batch.release(Tracked(&flushed));
        }
    }

    /// What an operation on the page table took away: `flush` says what processors have to be told, and keeps tables; the
    /// references to frames are `kept`.
    pub(crate) fn take(
        &mut self,
        flush: Flush<K::Tables, K::Mode>,
        kept: Option<Kept<'k, K::Mode, K::Frames>>,
    )
        requires
            kept matches Some(kept) ==> kept.due() == flush.due(),
        ensures
            final(self).root() == old(self).root(),
            final(self).has_noted(*old(self), flush.due()),
            final(self).issued() matches Some(all) && all.covers(flush.due()),
    {
        let range = flush.range();
        if let Some(kept) = kept {
            self.owe(Owed::Segment(kept), range);
        }
        if flush.frees_tables() {
            self.owe(Owed::Tables(flush), range);
        } else {
            self.issue(range);
        }
    }

    /// Notes a range, and what waits for it.
    fn owe(&mut self, item: Owed<'k, K>, range: FlushRange<K::Mode>)
        requires
            item.range() == range,
        ensures
            final(self).root() == old(self).root(),
            final(self).noted() == old(self).noted().push(range),
            final(self).issued() matches Some(all) && all.covers(range),
    {
        let full = match &self.pending {
            Some(batch) => batch.is_full(),
            None => false,
        };
        if full {
            let _ = self.sync_tlb_flush();
        }
        self.issue(range);
        proof {
            use_type_invariant(&*self);
        }
        let mut pending = None;
        core::mem::swap(&mut self.pending, &mut pending);
        if let Some(batch) = pending {
            let (batch, rest) = batch.push(item);
            // only if processors can't be asked there is no room: what can't wait is never given back
            let _ = ManuallyDrop::new(rest);
            self.pending = Some(batch);
        }
    }

    /// Notes a range. One in the other half of the address space doesn't go with what is noted, which is synced first.
    fn issue(&mut self, range: FlushRange<K::Mode>)
        ensures
            final(self).root() == old(self).root(),
            final(self).noted() == old(self).noted().push(range),
            final(self).issued() matches Some(all) && all.covers(range),
    {
        proof {
            use_type_invariant(&*self);
        }
        self.noted = Ghost(self.noted@.push(range));
        let mut pending = None;
        core::mem::swap(&mut self.pending, &mut pending);
        let Some(batch) = pending else {
            self.pending = Some(Batched::new(range));
            return;
        };
        let (batch, joined) = batch.join(range);
        self.pending = Some(batch);
        if !joined {
            if self.sync_tlb_flush().is_err() {
                // what waits for a request that can't be made is never given back
                proof {
                    use_type_invariant(&*self);
                }
                let mut stuck = None;
                core::mem::swap(&mut self.pending, &mut stuck);
                let _ = ManuallyDrop::new(stuck);
            }
            self.pending = Some(Batched::new(range));
        }
    }
}

impl<K: Kernel, G: AtomicMode> Drop for TlbFlusher<'_, '_, K, G> {
    /// Dispatches and syncs what is still owed.
    fn drop(&mut self)
        opens_invariants none
        no_unwind
    {
        settle_in_drop(self);
    }
}

} // verus!
