//! What is owed to the processors' TLBs.

use crate::addr::{PageSize, VirtAddr};
use crate::arch::PagingMode;
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
use crate::hw::memory::{Flushed, invalidate, trust_flushed};
use crate::hw::{Invalidate, TableMemory};
use crate::table::collapse::Joined;
use crate::table::unmap::Owed;
use vstd::prelude::*;

verus! {

/// Tables that are given back once the processors have been told.
#[verifier::reject_recursive_types(M)]
enum Debt<M: TableMemory, A: PagingMode> {
    /// Those that became empty with the page.
    Empty(Owed<M, A>),
    /// The one whose pages were joined.
    Full(Joined<M, A>),
}

impl<M: TableMemory, A: PagingMode> Debt<M, A> {
    spec fn inv(self) -> bool {
        match self {
            Debt::Empty(owed) => owed.inv(),
            Debt::Full(joined) => joined.inv(),
        }
    }

    spec fn frames(self) -> Set<crate::PhysAddr> {
        match self {
            Debt::Empty(owed) => owed.frames.held(),
            Debt::Full(joined) => joined.frames.held(),
        }
    }
}

/// A page whose translation was taken away or changed: processors may go on using the old one until they are told.
///
/// It keeps alive the tables that are no longer needed with the page, since a processor may have cached an entry that
/// leads to them. [`pay`](Flush::pay) invalidates, then gives these tables back. A flush that is dropped unpaid never gives them
/// back.
#[must_use = "processors may go on using the old translation until this is paid"]
#[verifier::reject_recursive_types(M)]
pub struct Flush<M: TableMemory, A: PagingMode> {
    addr: VirtAddr<A>,
    size: PageSize,
    debt: Option<Debt<M, A>>,
}

impl<M: TableMemory, A: PagingMode> Flush<M, A> {
    #[verifier::type_invariant]
    spec fn inv(self) -> bool {
        self.debt matches Some(debt) ==> debt.inv()
    }

    pub(crate) fn new(addr: VirtAddr<A>, size: PageSize, owed: Option<Owed<M, A>>) -> (r: Self)
        requires
            owed matches Some(owed) ==> owed.inv(),
        ensures
            r.page() == (addr, size),
            r.parts() is None,
            r.frames() == match owed {
                Some(owed) => owed.frames.held(),
                None => Set::empty(),
            },
    {
        match owed {
            Some(owed) => Flush { addr, size, debt: Some(Debt::Empty(owed)) },
            None => Flush { addr, size, debt: None },
        }
    }

    /// As `new`, with the table whose pages were joined.
    pub(crate) fn of_joined(addr: VirtAddr<A>, size: PageSize, joined: Joined<M, A>) -> (r: Self)
        requires
            joined.inv(),
        ensures
            r.page() == (addr, size),
            r.parts() == A::page_size(joined.full.level as nat),
            r.frames() == joined.frames.held(),
    {
        Flush { addr, size, debt: Some(Debt::Full(joined)) }
    }

    /// The page.
    pub closed spec fn page(self) -> (VirtAddr<A>, PageSize) {
        (self.addr, self.size)
    }

    /// The frames of the tables that it keeps alive.
    pub closed spec fn frames(self) -> Set<crate::PhysAddr> {
        match self.debt {
            Some(debt) => debt.frames(),
            None => Set::empty(),
        }
    }

    /// The size of the smaller pages that were joined to this one, if it is a flush for that.
    pub closed spec fn parts(self) -> Option<PageSize> {
        match self.debt {
            Some(Debt::Full(joined)) => A::page_size(joined.full.level as nat),
            _ => None,
        }
    }

    /// Whether tables wait to be given back.
    pub closed spec fn keeps_tables(self) -> bool {
        self.debt is Some
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

    /// The size of the smaller pages that were joined to this one: then all their translations must go.
    #[inline]
    #[must_use]
    pub fn part(&self) -> (r: Option<PageSize>)
        ensures
            r == self.parts(),
    {
        proof {
            use_type_invariant(self);
        }
        match &self.debt {
            Some(Debt::Full(joined)) => A::size_at(joined.full.level),
            _ => None,
        }
    }

    /// Whether tables wait to be given back: then cached entries of upper tables must go as well, not only the
    /// page's translation.
    #[inline]
    #[must_use]
    pub fn frees_tables(&self) -> (r: bool)
        ensures
            r == self.keeps_tables(),
    {
        self.debt.is_some()
    }

    /// Tells the processors, then gives back the tables that are no longer needed.
    #[inline]
    pub fn pay<T: Invalidate<A>>(self, tlb: &T) {
        let flushed = invalidate(tlb, self.addr, self.size, self.part());
        self.settle(flushed);
    }

    /// Gives back the tables that are no longer needed, for a caller that has told the processors itself.
    ///
    /// # Safety
    /// No processor holds a translation, of whatever size, or a cached entry of an upper table, that serves an address of
    /// the page.
    #[inline]
    pub unsafe fn assume_flushed(self) {
        let flushed = trust_flushed(self.addr, self.size, self.part());
        self.settle(flushed);
    }

    #[inline]
    fn settle(self, Tracked(flushed): Tracked<Flushed<A>>)
        requires
            flushed.page() == self.page(),
            flushed.part() == self.parts(),
    {
        proof {
            use_type_invariant(&self);
        }
        match self.debt {
            Some(Debt::Empty(owed)) => owed.free(),
            Some(Debt::Full(joined)) => joined.free(),
            None => {},
        }
    }
}

} // verus!

impl<M: TableMemory, A: PagingMode> core::fmt::Debug for Flush<M, A> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Flush")
            .field("addr", &self.addr)
            .field("size", &self.size)
            .field("frees_tables", &self.debt.is_some())
            .finish()
    }
}
