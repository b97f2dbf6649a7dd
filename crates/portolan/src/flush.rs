//! What is owed to the processors' TLBs.

#[cfg(verus_only)]
use crate::addr::PhysAddr;
use crate::addr::{PageSize, VirtAddr};
use crate::arch::PagingMode;
use crate::hw::memory::{Flushed, Frames, invalidate, trust_flushed};
use crate::hw::{Invalidate, TableMemory};
use crate::table::unmap::Owed;
use vstd::prelude::*;

verus! {

/// A page whose translation was taken away or changed: processors may go on using the old one until they are told.
///
/// It keeps alive the tables that became empty with the page, since a processor may have cached an entry that leads to
/// them. [`pay`](Flush::pay) invalidates, then gives these tables back. A flush that is dropped unpaid never gives them
/// back.
#[must_use = "processors may go on using the old translation until this is paid"]
#[verifier::reject_recursive_types(M)]
pub struct Flush<M: TableMemory, A: PagingMode> {
    addr: VirtAddr<A>,
    size: PageSize,
    owed: Option<Owed<M, A>>,
}

impl<M: TableMemory, A: PagingMode> Flush<M, A> {
    #[verifier::type_invariant]
    spec fn inv(self) -> bool {
        self.owed matches Some(owed) ==> owed.inv()
    }

    pub(crate) fn new(addr: VirtAddr<A>, size: PageSize, owed: Option<Owed<M, A>>) -> (r: Self)
        requires
            owed matches Some(owed) ==> owed.inv(),
        ensures
            r.page() == (addr, size),
            r.owed() == owed,
            r.frames() == match owed {
                Some(owed) => owed.frames.held(),
                None => Set::empty(),
            },
    {
        Flush { addr, size, owed }
    }

    /// The page.
    pub closed spec fn page(self) -> (VirtAddr<A>, PageSize) {
        (self.addr, self.size)
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

    /// Whether tables wait to be given back.
    pub closed spec fn keeps_tables(self) -> bool {
        self.owed is Some
    }

    /// The page's first address.
    #[inline]
    #[must_use]
    pub fn addr(&self) -> (r: VirtAddr<A>)
        ensures
            r == self.page().0,
    {
        self.addr
    }

    /// The page's size.
    #[inline]
    #[must_use]
    pub fn size(&self) -> (r: PageSize)
        ensures
            r == self.page().1,
    {
        self.size
    }

    /// Whether tables wait to be given back: then cached entries of upper tables must go as well, not only the
    /// page's translation.
    #[inline]
    #[must_use]
    pub fn frees_tables(&self) -> (r: bool)
        ensures
            r == self.keeps_tables(),
    {
        self.owed.is_some()
    }

    /// Tells the processors, then gives back the tables that became empty.
    #[inline]
    pub fn pay<T: Invalidate<A>>(self, tlb: &T) {
        let flushed = invalidate(tlb, self.addr, self.size);
        let _ = self.settle(flushed);
    }

    /// Gives back the tables that became empty, for a caller that has told the processors itself.
    ///
    /// # Safety
    /// No processor holds a translation, or a cached entry of an upper table, that serves an address of the page.
    #[inline]
    pub unsafe fn assume_flushed(self) {
        let flushed = trust_flushed(self.addr, self.size);
        let _ = self.settle(flushed);
    }

    /// Gives back the tables that became empty, and answers with what is left on their account: nothing.
    #[inline]
    fn settle(self, Tracked(flushed): Tracked<Flushed<A>>) -> (r: Option<Frames<M>>)
        requires
            flushed.page() == self.page(),
        ensures
            match r {
                Some(account) => account.held() == Set::<PhysAddr>::empty(),
                None => !self.keeps_tables(),
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
        f.debug_struct("Flush")
            .field("addr", &self.addr)
            .field("size", &self.size)
            .field("frees_tables", &self.owed.is_some())
            .finish()
    }
}
