//! The pages of a range that were used, one by one, and one flush for all of them.

use super::PageTable;
use super::scan::Place;
use crate::addr::{PageSize, VirtAddr, VirtRange};
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
use crate::arch::x86_64::X86_64;
use crate::arch::{PagingMode, Tracking};
use crate::error::Error;
use crate::flush::Flush;
use crate::hw::TableMemory;
use crate::prop::{Mapping, UsedBits};
#[cfg(verus_only)]
use crate::spec::request;
use vstd::prelude::*;

#[cfg(verus_only)]
pub(crate) mod spec;

verus! {

/// A search for pages of a range that were used, which clears their accessed bits, their dirty bits or both.
///
/// It gives each page that had one of the bits set, with where it starts, in the order of addresses; pages without are
/// only read. As an [`Iterator`] it gives what [`next_page`](Harvest::next_page) does, whose contract says what that is.
/// [`finish`](Harvest::finish) gives the flush for all of them.
///
/// ```
/// use portolan::{Error, Invalidate, PageTable, TableMemory, Tracking, UsedBits, VirtRange, X86_64};
///
/// /// How many bytes of `range` were stored to since the last time.
/// fn dirtied<M: TableMemory>(
///     table: &mut PageTable<M, X86_64, Tracking>,
///     range: VirtRange<X86_64>,
///     tlb: &impl Invalidate<X86_64>,
/// ) -> Result<u64, Error> {
///     let mut dirty = table.harvest(range, UsedBits::Dirty)?;
///     let bytes = dirty.by_ref().map(|(_, page)| page.size.bytes()).sum();
///     dirty.finish().pay(tlb);
///     Ok(bytes)
/// }
/// ```
#[must_use = "`finish` gives the flush for the pages whose bits were cleared"]
#[verifier::reject_recursive_types(M)]
pub struct Harvest<'a, M: TableMemory, A: PagingMode = X86_64> {
    pub(crate) table: &'a mut PageTable<M, A, Tracking>,
    pub(crate) bits: UsedBits,
    /// The range's first address, its end, and how far the search is, counted from the start of what the table covers.
    pub(crate) start: Ghost<int>,
    pub(crate) end: u64,
    pub(crate) at: u64,
    /// A table that is known.
    pub(crate) near: Option<Place>,
    pub(crate) due: Due<A>,
}

/// What is to be flushed.
pub(crate) struct Due<A: PagingMode> {
    /// The first page, and where the last one ends, counted from the start of what the table covers.
    pub(crate) first: VirtAddr<A>,
    pub(crate) end: u64,
    /// The size of the smallest one.
    pub(crate) least: PageSize,
    /// All of them.
    pub(crate) pages: Ghost<Seq<(VirtAddr<A>, Mapping)>>,
}

impl<A: PagingMode> Due<A> {
    /// Nothing yet, from `first` on.
    fn new(first: VirtAddr<A>, at: u64) -> (r: Self)
        requires
            first@ == at,
        ensures
            r.inv(),
            r.end == at,
            r.pages@ == Seq::<(VirtAddr<A>, Mapping)>::empty(),
        no_unwind
    {
        Due { first, end: at, least: PageSize::Size1G, pages: Ghost(Seq::empty()) }
    }

    /// One page more, behind the others.
    fn with(&self, va: VirtAddr<A>, was: Mapping) -> (r: Self)
        requires
            self.inv(),
            self.end <= va@,
            va@ + was.size.bytes() <= u64::MAX,
        ensures
            r.inv(),
            r.end == va@ + was.size.bytes(),
            r.pages@ == self.pages@.push((va, was)),
        no_unwind
    {
        let first = if self.first.offset() == self.end {
            va
        } else {
            self.first
        };
        let least = if was.size.bytes() < self.least.bytes() {
            was.size
        } else {
            self.least
        };
        let end = va.offset() + was.size.bytes();
        let ghost pages = self.pages@.push((va, was));
        Due { first, end, least, pages: Ghost(pages) }
    }
}

impl<M: TableMemory, A: PagingMode> PageTable<M, A, Tracking> {
    /// Searches `range` for pages that were used, and clears the accessed bits, the dirty bits or both of those that it
    /// gives.
    ///
    /// # Errors
    /// In this order: [`Error::NotAligned`] if the range's start, or its end, is not a multiple of the smallest page;
    /// [`Error::PastEnd`]; [`Error::CoveredByHugePage`] if a page lies partly in the range and partly outside.
    pub fn harvest(&mut self, range: VirtRange<A>, bits: UsedBits) -> (r: Result<
        Harvest<'_, M, A>,
        Error,
    >)
        ensures
            match r {
                Ok(search) => {
                    &&& search.table() == *old(self)
                    &&& search.final_table() == *final(self)
                    &&& search.bits() == bits
                    &&& search.start_at() == search.next_at() == range.first()@
                    &&& search.end_at() == range.first()@ + range.bytes()
                    &&& search.pages().len() == 0
                    &&& request::check_range(range) is None
                },
                Err(e) => request::is_range_error(old(self)@, range, e) && *final(self) == *old(
                    self,
                ),
            },
    {
        let (at, end) = self.check_range(&range)?;
        let due = Due::new(range.start(), at);
        Ok(Harvest { table: self, bits, start: Ghost(at as int), end, at, near: None, due })
    }
}

impl<'a, M: TableMemory, A: PagingMode> Harvest<'a, M, A> {
    #[verifier::type_invariant]
    spec fn inv(self) -> bool {
        &&& self.start@ <= self.at <= self.end <= A::geo().limit()
        &&& self.at < self.end ==> !self.table@.is_cut(self.at as int, self.end as int)
        &&& self.table@.is_unused(self.start@, self.at as int, self.bits)
        &&& self.near matches Some(near) ==> self.table.owned.tree.is_place(near)
        &&& self.due.inv()
        &&& self.due.end <= self.at
    }

    /// The next page that had one of the bits set, and what it was before they were cleared: a bit that hardware sets
    /// meanwhile is in the answer, or is set afterwards.
    pub fn next_page(&mut self) -> (r: Option<(VirtAddr<A>, Mapping)>)
        ensures
            final(self).is_of(*old(self)),
            final(self).is_clear(),
            final(self).table().frames() == old(self).table().frames(),
            final(self).table().steps_from(old(self).table()),
            match r {
                Some((va, was)) => {
                    &&& old(self).next_at() <= va@ < old(self).end_at()
                    &&& old(self).table()@.is_unused(old(self).next_at(), va@, old(self).bits())
                    &&& final(self).table().is_harvested_from(
                        old(self).table(),
                        va,
                        old(self).bits(),
                        was,
                    )
                    &&& final(self).next_at() == va@ + was.size.bytes() <= old(self).end_at()
                    &&& final(self).pages() == old(self).pages().push((va, was))
                },
                None => {
                    &&& old(self).table()@.is_unused(
                        old(self).next_at(),
                        old(self).end_at(),
                        old(self).bits(),
                    )
                    &&& final(self).table().is_seen_from(old(self).table())
                    &&& final(self).next_at() == old(self).end_at()
                    &&& final(self).pages() == old(self).pages()
                },
            },
    {
        proof {
            use_type_invariant(&*self);
            use_type_invariant(&*self.table);
            A::geo().lemma_span(A::geo().levels as nat);
        }
        let near = match self.near {
            Some(near) => near,
            None => self.table.owned.tree.top(0),
        };
        self.near = None;
        let (near, r) = self.table.clear_first(self.start, near, self.at, self.end, self.bits);
        self.near = Some(near);
        match r {
            Ok(Some((va, was, _))) => {
                self.at = va.offset() + was.size.bytes();
                self.due = self.due.with(va, was);
                Some((va, was))
            },
            _ => {
                self.at = self.end;
                None
            },
        }
    }

    /// Ends the search. The flush is for all pages that it gave, and for no address if it gave none.
    pub fn finish(self) -> (r: Flush<M, A>)
        ensures
            self.final_table() == self.table(),
            forall|k: int|
                0 <= k < self.pages().len() ==> r.due().holds(
                    (#[trigger] self.pages()[k]).0,
                    self.pages()[k].1.size,
                ),
            self.pages().len() == 0 ==> r.due().len() == 0,
            r.frames() == Set::<crate::addr::PhysAddr>::empty(),
    {
        proof {
            use_type_invariant(&self);
        }
        let first = self.due.first;
        Flush::new(
            first,
            self.due.end - first.offset(),
            self.due.least,
            None,
            self.table.owned.tree.moment(),
        )
    }
}

} // verus!

impl<M: TableMemory, A: PagingMode> Iterator for Harvest<'_, M, A> {
    type Item = (VirtAddr<A>, Mapping);

    fn next(&mut self) -> Option<Self::Item> {
        self.next_page()
    }
}

impl<M: TableMemory, A: PagingMode> core::iter::FusedIterator for Harvest<'_, M, A> {}
