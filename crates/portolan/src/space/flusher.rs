//! What an address space owes to TLBs.

use super::batch::Batch;
use super::error::VmError;
use super::kept::Kept;
use super::kernel::{Kernel, Machine};
use super::owed::Owed;
#[cfg(verus_only)]
use crate::addr::PhysAddr;
use crate::addr::VirtAddr;
use crate::flush::FlushRange;
use crate::frame::{Dyn, Frame};
use crate::hw::AtomicMode;
use crate::hw::processor::Moment;
use crate::hw::space::settle_in_drop;
use crate::tlb::TlbFlushOp;
use crate::tlb::active::ActiveSet;
use crate::tlb::sync::Ticket;
use core::mem::ManuallyDrop;
use vstd::prelude::*;

mod handle;
mod note;

pub use handle::TlbFlusher;

verus! {

/// How many tables and frames wait at a time that were not mapped.
const OTHERS: usize = 4;

/// What a cursor owes to the processors that use its address space; [`TlbFlusher`] says what that is.
#[verifier::reject_recursive_types(K)]
#[verifier::reject_recursive_types(G)]
pub(crate) struct Flusher<'a, 'k, K: Kernel, G: AtomicMode> {
    machine: &'a Machine<'k, K>,
    active: &'a ActiveSet,
    guard: &'a G,
    /// What processors are asked, or were.
    request: Request<'a, K>,
    /// Where processors have to come by the tables that are there now. It goes with the next request: nothing waits for it.
    walk: Option<FlushRange<K::Mode>>,
    /// The references to frames that wait for the request.
    kept: Kept<'k, K::Mode, K::Frames>,
    /// What else does.
    others: Batch<Owed<'k, K>, OTHERS>,
    /// All that ever was issued.
    noted: Ghost<Seq<FlushRange<K::Mode>>>,
}

/// The one request for all that is owed.
#[verifier::reject_recursive_types(K)]
enum Request<'a, K: Kernel> {
    /// Nothing is owed.
    Nothing,
    /// Issued, and not dispatched; after a moment that has passed.
    Issued(FlushRange<K::Mode>, Tracked<Moment>),
    /// Dispatched, and not synced.
    Sent(Ticket<'a, K::Mode>),
}

impl<K: Kernel> Request<'_, K> {
    /// Once it is over, processors have been told of `due`, after the moment `since`.
    spec fn covers(self, due: FlushRange<K::Mode>, since: int) -> bool {
        match self {
            Request::Nothing => false,
            Request::Issued(range, stored) => range.covers(due) && stored@.time() >= since,
            Request::Sent(ticket) => ticket.range().covers(due) && ticket.since() >= since,
        }
    }

    /// After which moment.
    spec fn since(self) -> int {
        match self {
            Request::Nothing => arbitrary(),
            Request::Issued(_, stored) => stored@.time(),
            Request::Sent(ticket) => ticket.since(),
        }
    }
}

impl<'a, 'k, K: Kernel, G: AtomicMode> Flusher<'a, 'k, K, G> {
    #[verifier::type_invariant]
    spec fn inv(self) -> bool {
        &&& self.kept.inv()
        &&& self.kept@.len() > 0 ==> self.request.covers(self.kept.due(), self.kept.since())
        &&& self.others.inv()
        &&& forall|i: int|
            0 <= i < self.others@.len() ==> self.request.covers(
                (#[trigger] self.others@[i]).range(),
                self.others@[i].since(),
            )
        &&& self.request matches Request::Sent(ticket) ==> ticket.root() == self.active.root()
    }

    /// The root of the table whose translations it is about.
    pub closed spec fn root(self) -> PhysAddr {
        self.active.root()
    }

    /// What is noted, and not dispatched: for all addresses of this range.
    pub closed spec fn issued(self) -> Option<FlushRange<K::Mode>> {
        match self.request {
            Request::Issued(range, _) => Some(range),
            _ => None,
        }
    }

    /// Once what is asked of processors is over, they have been told of `due`, after the moment `since`.
    pub(crate) closed spec fn will_cover(self, due: FlushRange<K::Mode>, since: int) -> bool {
        self.request.covers(due, since)
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
        !(self.request is Sent)
    }

    /// Whether processors have been told all that was noted.
    pub open spec fn owes_nothing(self) -> bool {
        self.issued() is None && self.is_synced()
    }

    /// Nothing is owed.
    #[inline]
    pub(crate) fn new(machine: &'a Machine<'k, K>, active: &'a ActiveSet, guard: &'a G) -> (r: Self)
        ensures
            r.root() == active.root(),
            r.issued() is None,
            r.is_synced(),
    {
        Flusher {
            machine,
            active,
            guard,
            request: Request::Nothing,
            walk: None,
            kept: Kept::new(),
            others: Batch::<_, OTHERS>::new(),
            noted: Ghost(Seq::empty()),
        }
    }

    /// Notes an operation. What was dispatched before, and not synced, is synced first.
    pub(crate) fn issue_tlb_flush(&mut self, op: TlbFlushOp<K::Mode>)
        ensures
            final(self).root() == old(self).root(),
            exists|due: FlushRange<K::Mode>| #[trigger]
                op.says(due) && (final(self).issued() matches Some(all) && all.covers(due)),
    {
        let tracked now = Moment::now();
        self.issue(op.range(), Tracked(now));
    }

    /// Notes an operation as [`issue_tlb_flush`](TlbFlusher::issue_tlb_flush) does, and keeps `frame` until it is synced.
    pub(crate) fn issue_tlb_flush_with(
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
        let tracked now = Moment::now();
        let due = Ghost((range, now.time()));
        self.owe(Owed::Frame(ManuallyDrop::new(frame), due), range, Tracked(now));
    }

    /// Lets processors come to `va` by the tables that are there now, once what is owed is synced, or this is dropped.
    pub(crate) fn issue_walk(&mut self, va: VirtAddr<K::Mode>)
        ensures
            final(self).root() == old(self).root(),
            final(self).noted() == old(self).noted(),
            final(self).issued() == old(self).issued(),
            final(self).is_synced() == old(self).is_synced(),
    {
        proof {
            use_type_invariant(&*self);
        }
        let here = TlbFlushOp::Address(va).range().with_tables();
        let walk = match self.walk {
            Some(walk) => walk.join(here),
            None => Some(here),
        };
        self.walk = match walk {
            Some(walk) => Some(walk),
            None => Some(TlbFlushOp::All.range()),
        };
    }

    /// Asks the processors that use the address space to do what is noted. If what was dispatched before was not synced, it is
    /// synced first.
    ///
    /// # Errors
    /// [`VmError::Shootdown`] if this processor has no slot in the [`Shootdown`](crate::tlb::Shootdown), or is in the middle of
    /// another shootdown, as in an interrupt handler: then what is noted stays so.
    pub(crate) fn dispatch_tlb_flush(&mut self) -> (r: Result<(), VmError>)
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
    pub(crate) fn sync_tlb_flush(&mut self) -> (r: Result<(), VmError>)
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
        if self.walk.is_some() {
            self.ask()?;
            self.wait();
        }
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
        let (range, rest) = match (&self.request, self.walk) {
            (Request::Issued(range, _), Some(walk)) => match range.join(walk) {
                Some(all) => (all, None),
                None => (*range, Some(walk)),
            },
            (Request::Issued(range, _), None) => (*range, None),
            (Request::Nothing, Some(walk)) => (walk, None),
            _ => {
                return Ok(());
            },
        };
        let stored = match &self.request {
            #[cfg_attr(not(verus_only), expect(unused_variables, reason = "moments are the prover's"))]
            Request::Issued(_, stored) => {
                let tracked stored = stored.borrow().tell();
                Tracked(stored)
            },
            _ => {
                let tracked now = Moment::now();
                Tracked(now)
            },
        };
        match self.machine.shootdown().dispatch(
            self.guard,
            self.machine.cpus(),
            self.active,
            range,
            stored,
        ) {
            Ok(ticket) => {
                proof {
                    use_type_invariant(&*self);
                }
                self.request = Request::Sent(ticket);
                self.walk = rest;
                Ok(())
            },
            Err(e) => Err(VmError::Shootdown(e)),
        }
    }

    /// Waits for what was dispatched, if anything was, and gives back what waits for it.
    fn wait(&mut self)
        ensures
            final(self).root() == old(self).root(),
            final(self).noted() == old(self).noted(),
            final(self).issued() == old(self).issued(),
            final(self).is_synced(),
    {
        let Request::Sent(ticket) = &self.request else {
            return;
        };
        let Tracked(flushed) = self.machine.shootdown().sync(
            self.guard,
            self.machine.cpus(),
            ticket,
        );
        proof {
            use_type_invariant(&*self);
        }
        self.kept.release(Tracked(&flushed));
        proof {
            use_type_invariant(&*self);
        }
        while let Some(owed) = self.others.pop()
            invariant
                self.kept.inv(),
                self.kept@.len() == 0,
                self.others.inv(),
                forall|i: int|
                    0 <= i < self.others@.len() ==> flushed.range().covers(
                        (#[trigger] self.others@[i]).range(),
                    ) && flushed.since() >= self.others@[i].since(),
                self.request matches Request::Sent(ticket) && ticket.range() == flushed.range()
                    && ticket.since() == flushed.since() && ticket.root() == self.active.root(),
                self.active == old(self).active,
                self.noted == old(self).noted,
            ensures
                self.others@.len() == 0,
            decreases self.others@.len(),
        {
            owed.release(Tracked(&flushed));
        }
        self.request = Request::Nothing;
    }
}

impl<K: Kernel, G: AtomicMode> Drop for Flusher<'_, '_, K, G> {
    /// Dispatches and syncs what is still owed.
    fn drop(&mut self)
        opens_invariants none
        no_unwind
    {
        // mostly nothing is owed
        if let (Request::Nothing, None) = (&self.request, &self.walk) {
            return;
        }
        settle_in_drop(self);
    }
}

} // verus!
