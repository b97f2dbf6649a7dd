//! Noting what processors have to be told, and what waits for it.

use super::{Request, TlbFlusher};
use crate::flush::{Flush, FlushRange};
use crate::hw::AtomicMode;
use crate::space::Kernel;
use crate::space::kept::Kept;
use crate::space::owed::Owed;
use core::mem::ManuallyDrop;
use vstd::prelude::*;

verus! {

impl<'a, 'k, K: Kernel, G: AtomicMode> TlbFlusher<'a, 'k, K, G> {
    /// What an operation on the page table took away: `flush` says what processors have to be told, and keeps tables.
    pub(crate) fn take(&mut self, flush: Flush<K::Tables, K::Mode>)
        ensures
            final(self).root() == old(self).root(),
            final(self).has_noted(*old(self), flush.due()),
            final(self).issued() matches Some(all) && all.covers(flush.due()),
    {
        let range = flush.range();
        if flush.frees_tables() {
            self.owe(Owed::Tables(flush), range);
        } else {
            self.issue(range);
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
        let ghost all = self.issued()->0;
        // only if processors can't be asked there is no room: what can't wait is never given back
        self.kept.append(kept, Ghost(all));
    }

    /// Notes a range, and what waits for it.
    pub(super) fn owe(&mut self, item: Owed<'k, K>, range: FlushRange<K::Mode>)
        requires
            item.range() == range,
        ensures
            final(self).root() == old(self).root(),
            final(self).noted() == old(self).noted().push(range),
            final(self).issued() matches Some(all) && all.covers(range),
    {
        if self.others.is_full() {
            let _ = self.sync_tlb_flush();
        }
        self.issue(range);
        proof {
            use_type_invariant(&*self);
        }
        // as above
        let _ = ManuallyDrop::new(self.others.push(item));
    }

    /// Notes a range. What is dispatched is synced first; so is what is noted, if it lies in the other half of the address
    /// space.
    pub(super) fn issue(&mut self, range: FlushRange<K::Mode>)
        ensures
            final(self).root() == old(self).root(),
            final(self).noted() == old(self).noted().push(range),
            final(self).issued() matches Some(all) && all.covers(range),
    {
        proof {
            use_type_invariant(&*self);
        }
        self.noted = Ghost(self.noted@.push(range));
        let all = match &self.request {
            Request::Nothing => Some(range),
            Request::Issued(due) => due.join(range),
            Request::Sent(_) => None,
        };
        if let Some(all) = all {
            self.request = Request::Issued(all);
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
        self.request = Request::Issued(range);
    }
}

} // verus!
