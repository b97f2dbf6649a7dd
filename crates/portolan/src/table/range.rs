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
use crate::prop::PageProperty;
#[cfg(verus_only)]
use crate::spec::request;
use vstd::prelude::*;

#[cfg(verus_only)]
mod proof;
#[cfg(verus_only)]
pub(crate) mod spec;

verus! {

impl<M: TableMemory, A: PagingMode, B: AccessBits> PageTable<M, A, B> {
    /// Unmaps all pages in `range`, of whatever size, by one store for each; there may be holes. Answers with how many bytes
    /// were mapped there.
    ///
    /// The flush is for the whole range, and for no address if nothing was mapped there. It keeps alive the tables that
    /// became empty.
    ///
    /// # Errors
    /// In this order: [`Error::NotAligned`] if the range's start, or its end, is not a multiple of the smallest page;
    /// [`Error::PastEnd`]; [`Error::CoveredByHugePage`] if a page lies partly in the range and partly outside (the first,
    /// if there are two).
    pub fn unmap_range(&mut self, range: VirtRange<A>) -> (r: Result<(u64, Flush<M, A>), Error>)
        ensures
            match r {
                Ok((bytes, flush)) => {
                    let (lo, hi) = (range.first()@, range.first()@ + range.bytes());
                    &&& request::check_range(range) is None
                    &&& range.bytes() > 0 ==> !old(self)@.is_cut(lo, hi)
                    &&& final(self)@ == old(self)@.unmap_range(lo, hi)
                    &&& bytes == old(self)@.mapped_bytes(lo, hi)
                    &&& final(self).steps_through(*old(self))
                    &&& flush.due().reaches(old(self)@, lo, hi)
                    &&& old(self).frames() == final(self).frames().union(flush.frames())
                    &&& final(self).frames().disjoint(flush.frames())
                },
                Err(e) => request::is_range_error(old(self)@, range, e) && final(self).same_as(
                    *old(self),
                ),
            },
    {
        let (lo, hi) = self.check_range(&range)?;
        proof {
            use_type_invariant(&*self);
        }
        if lo == hi {
            proof {
                self.lemma_nothing_to_unmap(lo as int);
            }
            return Ok((0, Self::flush_for(&range, None, None)));
        }
        let (least, bytes, owed) = self.owned.tree.unmap_range(lo, hi);
        proof {
            self.lemma_unmapped_range(*old(self), lo as int, hi as int);
        }
        Ok((bytes, Self::flush_for(&range, least, owed)))
    }

    /// Gives all pages in `range`, of whatever size, other properties, by one store for each: no access meets a hole in
    /// between. There may be holes. Answers with how many bytes are mapped there.
    ///
    /// Accessed and dirty bits that are set stay set. The flush is for the whole range, and for no address if nothing was
    /// mapped there.
    ///
    /// # Errors
    /// In this order: [`Error::UnsupportedProperty`]; [`Error::NotAligned`] if the range's start, or its end, is not a multiple
    /// of the smallest page; [`Error::PastEnd`]; [`Error::CoveredByHugePage`] if a page lies partly in the range and partly
    /// outside; [`Error::BreakBeforeMake`] on AArch64 for the first page whose cache policy would change, or that would
    /// become global.
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
                    &&& range.bytes() > 0 ==> !old(self)@.is_cut(lo, hi)
                    &&& request::needs_no_break::<A>(old(self)@, lo, hi, prop)
                    &&& old(self)@.may_protect_range(lo, hi, prop, final(self)@)
                    &&& bytes == old(self)@.mapped_bytes(lo, hi)
                    &&& final(self).steps_through(*old(self))
                    &&& flush.due().reaches(old(self)@, lo, hi)
                    &&& old(self).frames() == final(self).frames()
                    &&& flush.frames() == Set::<PhysAddr>::empty()
                },
                Err(e) => request::is_protect_range_error(old(self)@, range, prop, e)
                    && final(self).same_as(*old(self)),
            },
    {
        if !A::can_express(prop) {
            let (addr, size) = (range.start().as_u64(), range.size());
            return Err(Error::UnsupportedProperty { addr, size });
        }
        let (lo, hi) = self.check_range(&range)?;
        proof {
            use_type_invariant(&*self);
        }
        if lo == hi {
            proof {
                self.lemma_nothing_to_unmap(lo as int);
            }
            return Ok((0, Self::flush_for(&range, None, None)));
        }
        if let Some((start, size)) = self.owned.tree.first_break(lo, hi, prop) {
            return Err(Error::BreakBeforeMake { addr: A::canonicalize(start), size });
        }
        let (least, bytes) = self.owned.tree.protect_range(lo, hi, prop);
        proof {
            self.lemma_protected_range(*old(self), lo as int, hi as int, prop);
        }
        Ok((bytes, Self::flush_for(&range, least, None)))
    }

    /// The flush for a range whose smallest page was `least`.
    pub(super) fn flush_for(
        range: &VirtRange<A>,
        least: Option<PageSize>,
        owed: Option<Owed<M, A>>,
    ) -> (r: Flush<M, A>)
        requires
            owed matches Some(owed) ==> owed.inv(),
        ensures
            r.due().first() == range.first(),
            least matches Some(least) ==> r.due().len() == range.bytes() && r.due().least()
                == least,
            r.frames() == match owed {
                Some(owed) => owed.frames.held(),
                None => Set::empty(),
            },
    {
        match least {
            Some(least) => Flush::new(range.start(), range.size(), least, owed),
            None => Flush::new(range.start(), 0, PageSize::Size4K, owed),
        }
    }

    /// The first address of `range` and its end, if it can be worked on.
    pub(super) fn bounds(range: &VirtRange<A>) -> (r: Result<(u64, u64), Error>)
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
    pub(super) fn check_range(&self, range: &VirtRange<A>) -> (r: Result<(u64, u64), Error>)
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
    {
        let (lo, hi) = Self::bounds(range)?;
        if lo == hi {
            return Ok((lo, hi));
        }
        proof {
            use_type_invariant(self);
        }
        let tree = &self.owned.tree;
        if let Some((start, size)) = tree.cut_at(lo, hi, lo) {
            return Err(Error::CoveredByHugePage { addr: A::canonicalize(start), size });
        }
        if let Some((start, size)) = tree.cut_at(lo, hi, hi - 1) {
            return Err(Error::CoveredByHugePage { addr: A::canonicalize(start), size });
        }
        proof {
            tree.lemma_no_cut(lo as int, hi as int);
        }
        Ok((lo, hi))
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// The page that covers `at`, if it reaches out of `lo..hi`: where it starts, and how long it is.
    fn cut_at(&self, lo: u64, hi: u64, at: u64) -> (r: Option<(u64, u64)>)
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
