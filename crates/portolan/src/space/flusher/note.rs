//! Noting what processors have to be told, and what waits for it.

use super::{Flusher, Request};
use crate::flush::{Flush, FlushRange};
use crate::hw::AtomicMode;
use crate::hw::processor::Moment;
use crate::space::Kernel;
use crate::space::kept::Kept;
use crate::space::owed::Owed;
use core::mem::ManuallyDrop;
use vstd::prelude::*;

verus! {

impl<'a, 'k, K: Kernel, G: AtomicMode> Flusher<'a, 'k, K, G> {
    /// What an operation on the page table took away: `flush` says what processors have to be told, and keeps tables.
    pub(crate) fn take(&mut self, flush: Flush<K::Tables, K::Mode>)
        ensures
            final(self).root() == old(self).root(),
            final(self).has_noted(*old(self), flush.due()),
            final(self).issued() matches Some(all) && all.covers(flush.due()),
            final(self).will_cover(flush.due(), flush.since()),
    {
        let (range, stored) = (flush.range(), flush.stored());
        if flush.frees_tables() {
            self.owe(Owed::Tables(flush), range, stored);
        } else {
            self.issue(range, stored);
        }
    }

    /// As `take`, with references to the frames that were mapped there.
    pub(crate) fn take_with(
        &mut self,
        flush: Flush<K::Tables, K::Mode>,
        kept: &mut Kept<'k, K::Mode, K::Frames>,
    )
        requires
            old(kept).inv(),
            old(kept).due() == flush.due(),
            old(kept).since() == flush.since(),
        ensures
            final(kept).inv(),
            final(kept)@.len() == 0,
            final(self).root() == old(self).root(),
            final(self).has_noted(*old(self), flush.due()),
            final(self).issued() matches Some(all) && all.covers(flush.due()),
    {
        proof {
            use_type_invariant(&*self);
        }
        if !self.kept.has_room_for(kept) {
            let _ = self.sync_tlb_flush();
        }
        self.take(flush);
        proof {
            use_type_invariant(&*self);
        }
        let ghost (all, since) = (self.issued()->0, self.request.since());
        // only if processors can't be asked there is no room: what can't wait is never given back
        self.kept.append(kept, Ghost(all), Ghost(since));
    }

    /// Notes a range, and what waits for it.
    pub(super) fn owe(
        &mut self,
        item: Owed<'k, K>,
        range: FlushRange<K::Mode>,
        stored: Tracked<Moment>,
    )
        requires
            item.range() == range,
            item.since() == stored@.time(),
        ensures
            final(self).root() == old(self).root(),
            final(self).noted() == old(self).noted().push(range),
            final(self).issued() matches Some(all) && all.covers(range),
            final(self).will_cover(range, stored@.time()),
    {
        if self.others.is_full() {
            let _ = self.sync_tlb_flush();
        }
        self.issue(range, stored);
        proof {
            use_type_invariant(&*self);
        }
        // as above
        let _ = ManuallyDrop::new(self.others.push(item));
    }

    /// Notes a range. What is dispatched is synced first; so is what is noted, if it lies in the other half of the address
    /// space.
    pub(super) fn issue(&mut self, range: FlushRange<K::Mode>, Tracked(stored): Tracked<Moment>)
        ensures
            final(self).root() == old(self).root(),
            final(self).noted() == old(self).noted().push(range),
            final(self).issued() matches Some(all) && all.covers(range),
            final(self).will_cover(range, stored.time()),
    {
        proof {
            use_type_invariant(&*self);
        }
        self.noted = Ghost(self.noted@.push(range));
        let all = match &self.request {
            Request::Nothing => Some((range, Tracked(stored.tell()))),
            #[cfg_attr(not(verus_only), expect(unused_variables, reason = "moments are the prover's"))]
            Request::Issued(due, before) => match due.join(range) {
                Some(all) => Some((all, Tracked(stored.later(before.borrow())))),
                None => None,
            },
            Request::Sent(_) => None,
        };
        if let Some((all, stored)) = all {
            self.request = Request::Issued(all, stored);
            return;
        }
        if self.sync_tlb_flush().is_err() {
            // what waits for a request that can't be made is never given back
            proof {
                use_type_invariant(&*self);
            }
            self.kept.forget();
            proof {
                use_type_invariant(&*self);
            }
            self.others.forget();
        }
        proof {
            use_type_invariant(&*self);
        }
        self.request = Request::Issued(range, Tracked(stored));
    }
}

} // verus!
