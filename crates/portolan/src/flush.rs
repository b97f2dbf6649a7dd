//! What is owed to the processors' TLBs.

#[cfg(verus_only)]
use crate::addr::PhysAddr;
use crate::addr::{PageSize, VirtAddr};
use crate::arch::PagingMode;
use crate::hw::memory::{Flushed, Frames, invalidate, trust_flushed};
use crate::hw::processor::Moment;
use crate::hw::{Invalidate, TableMemory};
use crate::table::unmap::Owed;
use vstd::prelude::*;

mod range;

pub use range::{Advice, FlushRange};

verus! {

/// Pages whose translations were taken away or changed: processors may go on using the old ones until they are told.
///
/// It keeps alive the tables that became empty with the pages, since a processor may have cached an entry that leads to
/// them. [`pay`](Flush::pay) invalidates, then gives these tables back. A flush that is dropped unpaid never gives them
/// back.
#[must_use = "processors may go on using the old translations until this is paid"]
#[verifier::reject_recursive_types(M)]
pub struct Flush<M: TableMemory, A: PagingMode> {
    range: FlushRange<A>,
    owed: Option<Owed<M, A>>,
    /// After the stores that it is for.
    stored: Tracked<Moment>,
}

impl<M: TableMemory, A: PagingMode> Flush<M, A> {
    #[verifier::type_invariant]
    spec fn inv(self) -> bool {
        &&& self.owed matches Some(owed) ==> owed.inv()
        &&& self.owed is Some == self.range.keeps_tables()
    }

    /// `bytes` from `addr` on, with pages of at least `stride`.
    pub(crate) fn new(
        addr: VirtAddr<A>,
        bytes: u64,
        stride: PageSize,
        owed: Option<Owed<M, A>>,
        stored: Tracked<Moment>,
    ) -> (r: Self)
        requires
            owed matches Some(owed) ==> owed.inv(),
        ensures
            r.since() == stored@.time(),
            r.due().first() == addr,
            r.due().len() == bytes,
            r.due().least() == stride,
            r.due().keeps_tables() == owed is Some,
            r.owed() == owed,
            r.frames() == match owed {
                Some(owed) => owed.frames.held(),
                None => Set::empty(),
            },
        no_unwind
    {
        Flush { range: FlushRange::new(addr, bytes, stride, owed.is_some()), owed, stored }
    }

    /// What the processors are to be told of.
    pub closed spec fn due(self) -> FlushRange<A> {
        self.range
    }

    /// After which moment: all stores that it is for were made before.
    pub closed spec fn since(self) -> int {
        self.stored@.time()
    }

    /// The moment.
    #[inline(always)]
    pub(crate) fn stored(&self) -> (r: Tracked<Moment>)
        ensures
            r@.time() == self.since(),
        no_unwind
    {
        let tracked stored = self.stored.borrow().tell();
        Tracked(stored)
    }

    /// The frames of the tables that it keeps alive.
    pub closed spec fn frames(self) -> Set<PhysAddr> {
        match self.owed {
            Some(owed) => owed.frames.held(),
            None => Set::empty(),
        }
    }

    /// The tables it keeps alive.
    pub(crate) closed spec fn owed(self) -> Option<Owed<M, A>> {
        self.owed
    }

    /// The first address.
    #[inline]
    #[must_use]
    pub fn addr(&self) -> (r: VirtAddr<A>)
        ensures
            r == self.due().first(),
    {
        self.range.addr()
    }

    /// How many bytes from the first address on.
    #[inline]
    #[must_use]
    pub fn size(&self) -> (r: u64)
        ensures
            r == self.due().len(),
    {
        self.range.size()
    }

    /// Whether tables wait to be given back: then cached entries of upper tables must go as well, not only the
    /// translations of pages.
    #[inline]
    #[must_use]
    pub fn frees_tables(&self) -> (r: bool)
        ensures
            r == self.due().keeps_tables(),
    {
        self.range.frees_tables()
    }

    /// What the processors are to be told of, for a caller that does so itself.
    #[inline]
    #[must_use]
    pub fn range(&self) -> (r: FlushRange<A>)
        ensures
            r == self.due(),
    {
        self.range
    }

    /// One flush for both, and none: for all addresses from the first of one to the last of the other.
    ///
    /// Or both as they were, if both keep tables alive, which may belong to different memories, or if they lie in
    /// different halves of the address space.
    #[inline]
    pub fn merge(self, other: Self) -> (r: (Self, Option<Self>))
        ensures
            match r.1 {
                None => {
                    &&& r.0.due().covers(self.due())
                    &&& r.0.due().covers(other.due())
                    &&& r.0.since() >= self.since()
                    &&& r.0.since() >= other.since()
                    &&& r.0.frames() == self.frames().union(other.frames())
                },
                Some(same) => r.0 == self && same == other,
            },
    {
        if self.frees_tables() && other.frees_tables() {
            return (self, Some(other));
        }
        let Some(range) = self.range.join(other.range) else {
            return (self, Some(other));
        };
        proof {
            use_type_invariant(&self);
            use_type_invariant(&other);
            assert(Set::<PhysAddr>::empty().union(other.frames()) =~= other.frames());
            assert(self.frames().union(Set::empty()) =~= self.frames());
        }
        let owed = if self.frees_tables() {
            self.owed
        } else {
            other.owed
        };
        let tracked stored = self.stored.borrow().later(other.stored.borrow());
        (Flush { range, owed, stored: Tracked(stored) }, None)
    }

    /// Tells the processors, then gives back the tables that became empty.
    #[inline]
    pub fn pay<T: Invalidate<A>>(self, tlb: &T) {
        let _ = self.pay_for(tlb);
    }

    /// As [`pay`](Flush::pay), with evidence of it.
    #[inline]
    pub(crate) fn pay_for<T: Invalidate<A>>(self, tlb: &T) -> (r: Tracked<Flushed<A>>)
        ensures
            r@.range() == self.due(),
            r@.since() == self.since(),
    {
        let flushed = invalidate(tlb, self.range, Tracked(self.stored.borrow()));
        let _ = self.settle(Tracked(flushed.borrow()));
        flushed
    }

    /// Gives back the tables that became empty, for a caller that has told the processors itself.
    ///
    /// # Safety
    /// No processor holds a translation that serves an address of the [range](Flush::range), nor, if tables wait to be
    /// given back, a cached entry of an upper table.
    #[inline]
    pub unsafe fn assume_flushed(self) {
        let _ = self.trust_paid();
    }

    /// As [`assume_flushed`](Flush::assume_flushed), with evidence of it: for functions that are unsafe as that is.
    #[inline]
    pub(crate) fn trust_paid(self) -> (r: Tracked<Flushed<A>>)
        ensures
            r@.range() == self.due(),
            r@.since() == self.since(),
    {
        let flushed = trust_flushed(self.range, Tracked(self.stored.borrow()));
        let _ = self.settle(Tracked(flushed.borrow()));
        flushed
    }

    /// Gives back the tables that became empty, with evidence that the processors have been told.
    #[inline]
    pub(crate) fn settle_for(self, Tracked(flushed): Tracked<&Flushed<A>>)
        requires
            flushed.range() == self.due(),
            flushed.since() >= self.since(),
    {
        let _ = self.settle(Tracked(flushed));
    }

    /// Gives back the tables that became empty, and answers with what is left on their account: nothing.
    #[inline]
    fn settle(self, Tracked(flushed): Tracked<&Flushed<A>>) -> (r: Option<Frames<M>>)
        requires
            flushed.range() == self.due(),
            flushed.since() >= self.since(),
        ensures
            match r {
                Some(account) => account.held() == Set::<PhysAddr>::empty(),
                None => !self.due().keeps_tables(),
            },
    {
        proof {
            use_type_invariant(&self);
        }
        let owed = self.owed?;
        Some(owed.free())
    }
}

} // verus!

impl<M: TableMemory, A: PagingMode> core::fmt::Debug for Flush<M, A> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Flush").field(&self.range).finish()
    }
}
