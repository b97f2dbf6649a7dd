//! Ranges: all pages of one at once.

use super::PageTable;
use super::tree::Tree;
use super::unmap::Owed;
#[cfg(verus_only)]
use crate::addr::PhysAddr;
use crate::addr::{PageSize, VirtRange};
use crate::arch::PagingMode;
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
use crate::arch::entry::{AccessBits, Entry};
use crate::error::Error;
use crate::flush::Flush;
use crate::hw::TableMemory;
use crate::hw::processor::Moment;
use crate::prop::PageProperty;
#[cfg(verus_only)]
use crate::spec::request;
#[cfg(verus_only)]
use crate::spec::space::AddressSpace;
use vstd::prelude::*;

#[cfg(verus_only)]
pub(crate) mod proof;
#[cfg(verus_only)]
pub(crate) mod spec;

verus! {

impl<M: TableMemory, A: PagingMode, B: AccessBits> PageTable<M, A, B> {
    /// Unmaps all that is mapped in `range`, by one store for each page; there may be holes. Answers with how many bytes were
    /// mapped there.
    ///
    /// A page that the range starts or ends inside of is divided in place first, into the largest pages that it doesn't,
    /// so that the rest of it stays mapped all the time: after no store is an address outside of the range translated in
    /// another way. The parts have the page's properties, with its accessed and dirty bits. What is said of
    /// [sizes that change](PageTable#pages-of-other-sizes) holds here too.
    ///
    /// All tables that this takes are taken before the first page is divided, one for each: where pages have three sizes, at
    /// most two for each end.
    ///
    /// The flush is for the whole range, and for no address if nothing was mapped there. It keeps alive the tables that
    /// became empty. It doesn't reach out of the range: there, what processors may still know of a page that was divided
    /// translates addresses as its parts do. On AArch64 and LoongArch64 it has to be paid before anything is mapped there
    /// again, as for [`unmap`](PageTable::unmap).
    ///
    /// ```
    /// # use portolan::{
    /// #     Error, Invalidate, PageProperty, PageSize, PageTable, PhysAddr, TableMemory, VirtAddr, VirtRange, X86_64,
    /// # };
    /// # fn example<M: TableMemory>(table: &mut PageTable<M>, cpus: &impl Invalidate<X86_64>) -> Result<(), Error> {
    /// let (stack, size) = (VirtAddr::new(0x20_0000)?, PageSize::Size2M);
    /// table.map(stack, PhysAddr::new(0x4020_0000), size, PageProperty::USER_RW)?;
    /// let guard = VirtRange::new(stack, 0x1000)?;
    /// let (_, flush) = table.unmap_range(guard)?;
    /// flush.pay(cpus);
    /// assert_eq!(table.query(VirtAddr::new(0x20_1000)?)?.size, PageSize::Size4K);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// In this order: [`Error::NotAligned`] if the range's start, or its end, is not a multiple of the smallest page;
    /// [`Error::PastEnd`]; if a page lies partly in the range and partly outside, [`Error::BreakBeforeMake`] with that page
    /// (the first, if there are two) on AArch64 and LoongArch64, [`Error::NoMemory`] with the range elsewhere if not all
    /// tables are to be had.
    pub fn unmap_range(&mut self, range: VirtRange<A>) -> (r: Result<(u64, Flush<M, A>), Error>)
        ensures
            match r {
                Ok((bytes, flush)) => {
                    let (lo, hi) = (range.first()@, range.first()@ + range.bytes());
                    &&& request::check_range(range) is None
                    &&& A::resizes() || lo == hi || !old(self)@.is_cut(lo, hi)
                    &&& exists|cut: AddressSpace| #[trigger]
                        old(self)@.may_cut::<A>(lo, hi, cut) && final(self)@ == cut.unmap_range(
                            lo,
                            hi,
                        )
                    &&& old(self)@.resembles_outside(final(self)@, lo, hi)
                    &&& bytes == old(self)@.mapped_bytes(lo, hi)
                    &&& final(self).steps_through(*old(self))
                    &&& final(self).is_stored_before(flush.since())
                    &&& flush.due().reaches(old(self)@.cut::<A>(lo, hi), lo, hi)
                    &&& old(self).frames().subset_of(final(self).frames().union(flush.frames()))
                    &&& !old(self)@.is_cut(lo, hi) ==> old(self).frames()
                        == final(self).frames().union(flush.frames())
                    &&& final(self).frames().disjoint(flush.frames())
                },
                Err(e) => request::is_cut_error(old(self)@, range, e) && final(self).same_as(
                    *old(self),
                ),
            },
        no_unwind
    {
        let (lo, hi) = Self::bounds(&range)?;
        if lo == hi {
            proof {
                use_type_invariant(&*self);
                self.lemma_nothing_to_do(lo as int);
            }
            return Ok((0, Self::flush_for(&range, None, None, self.owned.tree.moment())));
        }
        self.cut(&range, lo, hi)?;
        let ghost cut = *self;
        proof {
            use_type_invariant(&*self);
        }
        let (least, bytes, owed) = self.owned.tree.unmap_range(lo, hi);
        proof {
            self.lemma_unmapped_range(cut, *old(self), lo as int, hi as int);
        }
        Ok((bytes, Self::flush_for(&range, least, owed, self.owned.tree.moment())))
    }

    /// Gives all that is mapped in `range` other properties, by one store for each page: no access meets a hole in between.
    /// There may be holes. Answers with how many bytes are mapped there.
    ///
    /// A page that the range starts or ends inside of is divided first, as [`unmap_range`](PageTable::unmap_range) does.
    /// Accessed and dirty bits that are set stay set. The flush is for the whole range, and for no address if nothing was
    /// mapped there.
    ///
    /// # Errors
    /// In this order: [`Error::UnsupportedProperty`]; [`Error::NotAligned`] if the range's start, or its end, is not a multiple
    /// of the smallest page; [`Error::PastEnd`]; on AArch64 and LoongArch64, [`Error::BreakBeforeMake`] with a page that lies
    /// partly in the range and partly outside (the first, if there are two), or else with the first page whose cache policy
    /// would change, or that would become global; elsewhere, [`Error::NoMemory`] with the range if not all tables are to be had that it takes
    /// to divide pages.
    pub fn protect_range(&mut self, range: VirtRange<A>, prop: PageProperty) -> (r: Result<
        (u64, Flush<M, A>),
        Error,
    >)
        ensures
            match r {
                Ok((bytes, flush)) => {
                    let (lo, hi) = (range.first()@, range.first()@ + range.bytes());
                    &&& A::supports(prop)
                    &&& request::check_range(range) is None
                    &&& A::resizes() || lo == hi || !old(self)@.is_cut(lo, hi)
                    &&& request::needs_no_break::<A>(old(self)@, lo, hi, prop)
                    &&& exists|cut: AddressSpace| #[trigger]
                        old(self)@.may_cut::<A>(lo, hi, cut) && cut.may_protect_range(
                            lo,
                            hi,
                            prop,
                            final(self)@,
                        )
                    &&& old(self)@.resembles_outside(final(self)@, lo, hi)
                    &&& bytes == old(self)@.mapped_bytes(lo, hi)
                    &&& final(self).steps_through(*old(self))
                    &&& final(self).is_stored_before(flush.since())
                    &&& flush.due().reaches(old(self)@.cut::<A>(lo, hi), lo, hi)
                    &&& old(self).frames().subset_of(final(self).frames())
                    &&& !old(self)@.is_cut(lo, hi) ==> old(self).frames() == final(self).frames()
                    &&& flush.frames() == Set::<PhysAddr>::empty()
                },
                Err(e) => request::is_protect_range_error(old(self)@, range, prop, e)
                    && final(self).same_as(*old(self)),
            },
        no_unwind
    {
        if !A::can_express(prop) {
            let (addr, size) = (range.start().as_u64(), range.size());
            return Err(Error::UnsupportedProperty { addr, size });
        }
        let (lo, hi) = Self::bounds(&range)?;
        if lo == hi {
            proof {
                use_type_invariant(&*self);
                self.lemma_nothing_to_do(lo as int);
            }
            return Ok((0, Self::flush_for(&range, None, None, self.owned.tree.moment())));
        }
        self.cut(&range, lo, hi)?;
        let ghost cut = *self;
        proof {
            use_type_invariant(&*self);
        }
        if let Some((start, size)) = self.owned.tree.first_break(lo, hi, prop) {
            return Err(Error::BreakBeforeMake { addr: A::canonicalize(start), size });
        }
        let (least, bytes) = self.owned.tree.protect_range(lo, hi, prop);
        proof {
            self.lemma_protected_range(cut, *old(self), lo as int, hi as int, prop);
        }
        Ok((bytes, Self::flush_for(&range, least, None, self.owned.tree.moment())))
    }

    /// The flush for a range whose smallest page was `least`.
    pub(super) fn flush_for(
        range: &VirtRange<A>,
        least: Option<PageSize>,
        owed: Option<Owed<M, A>>,
        stored: Tracked<Moment>,
    ) -> (r: Flush<M, A>)
        requires
            owed matches Some(owed) ==> owed.inv(),
        ensures
            r.since() == stored@.time(),
            r.due().first() == range.first(),
            least matches Some(least) ==> r.due().len() == range.bytes() && r.due().least()
                == least,
            r.frames() == match owed {
                Some(owed) => owed.frames.held(),
                None => Set::empty(),
            },
        no_unwind
    {
        match least {
            Some(least) => Flush::new(range.start(), range.size(), least, owed, stored),
            None => Flush::new(range.start(), 0, PageSize::Size4K, owed, stored),
        }
    }

    /// The first address of `range` and its end, if it can be worked on.
    pub(crate) fn bounds(range: &VirtRange<A>) -> (r: Result<(u64, u64), Error>)
        ensures
            match r {
                Ok((lo, hi)) => {
                    &&& request::check_range(*range) is None
                    &&& lo == range.first()@
                    &&& hi == lo + range.bytes()
                    &&& lo < A::geo().limit()
                    &&& hi <= A::geo().limit()
                },
                Err(e) => request::check_range(*range) == Some(e),
            },
        no_unwind
    {
        let geometry = A::geometry();
        let (addr, bytes) = (range.start().as_u64(), range.size());
        let lo = range.start().offset();
        let size = geometry.entry_span(1);
        if addr % size != 0 {
            return Err(Error::NotAligned { addr, size });
        }
        if bytes % size != 0 {
            return Err(Error::NotAligned { addr: addr.wrapping_add(bytes), size });
        }
        if bytes > geometry.limit_bytes() - lo {
            return Err(Error::PastEnd { addr, size: bytes });
        }
        Ok((lo, lo + bytes))
    }

    /// The first address of `range` and its end, if no page lies partly in it.
    pub(crate) fn check_range(&self, range: &VirtRange<A>) -> (r: Result<(u64, u64), Error>)
        ensures
            match r {
                Ok((lo, hi)) => {
                    &&& request::check_range(*range) is None
                    &&& lo == range.first()@
                    &&& hi == lo + range.bytes()
                    &&& hi <= A::geo().limit()
                    &&& lo < hi ==> !self@.is_cut(lo as int, hi as int)
                },
                Err(e) => request::is_range_error(self@, *range, e),
            },
        no_unwind
    {
        let (lo, hi) = Self::bounds(range)?;
        if lo == hi {
            return Ok((lo, hi));
        }
        proof {
            use_type_invariant(self);
        }
        match self.owned.tree.find_cut(lo, hi) {
            Some((start, size)) => Err(
                Error::CoveredByHugePage { addr: A::canonicalize(start), size },
            ),
            None => Ok((lo, hi)),
        }
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// The first page that lies partly in `lo..hi`: where it starts, and how long it is.
    pub(super) fn find_cut(&self, lo: u64, hi: u64) -> (r: Option<(u64, u64)>)
        requires
            self.inv(),
            lo < hi <= A::geo().limit(),
        ensures
            match r {
                Some((start, size)) => self.is_cut_by(
                    lo as int,
                    hi as int,
                    start as int,
                    size as int,
                ),
                None => !self.space().is_cut(lo as int, hi as int),
            },
        no_unwind
    {
        let first = self.reaching_out(lo, hi, lo);
        if first.is_some() {
            return first;
        }
        let last = self.reaching_out(lo, hi, hi - 1);
        if last.is_some() {
            return last;
        }
        proof {
            self.lemma_no_cut(lo as int, hi as int);
        }
        None
    }

    /// The page that covers `at`, if it reaches out of `lo..hi`: where it starts, and how long it is.
    fn reaching_out(&self, lo: u64, hi: u64, at: u64) -> (r: Option<(u64, u64)>)
        requires
            self.inv(),
            lo <= at < hi <= A::geo().limit(),
        ensures
            match r {
                Some((start, size)) => self.is_cut_by(
                    lo as int,
                    hi as int,
                    start as int,
                    size as int,
                ),
                None => self.is_whole_at(lo as int, hi as int, at as int),
            },
        no_unwind
    {
        let d = self.descend(at, 1);
        let span = A::geometry().entry_span(d.stop.level);
        let start = at & !(span - 1);
        proof {
            self.lemma_cover(at, d, start);
        }
        match d.entry {
            Entry::Page { .. } if start < lo || start + span > hi => Some((start, span)),
            _ => None,
        }
    }
}

} // verus!
