//! Ranges: all pages of one at once.

use super::PageTable;
use super::tree::Tree;
use crate::addr::{PageSize, VirtRange};
use crate::arch::PagingMode;
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
use crate::arch::entry::{AccessBits, Entry};
use crate::error::Error;
use crate::flush::Flush;
use crate::hw::TableMemory;
#[cfg(verus_only)]
use crate::spec::request;
use vstd::prelude::*;

#[cfg(verus_only)]
mod proof;
#[cfg(verus_only)]
pub(crate) mod spec;

verus! {

impl<M: TableMemory, A: PagingMode, B: AccessBits> PageTable<M, A, B> {
    /// Unmaps all pages in `range`, of whatever size, by one store for each; there may be holes.
    ///
    /// The flush is for the whole range, and for no address if nothing was mapped there. It keeps alive the tables that
    /// became empty.
    ///
    /// # Errors
    /// In this order: [`Error::NotAligned`] if the range's start, or its end, is not a multiple of the smallest page;
    /// [`Error::PastEnd`]; [`Error::CoveredByHugePage`] if a page lies partly in the range and partly outside.
    pub fn unmap_range(&mut self, range: VirtRange<A>) -> (r: Result<Flush<M, A>, Error>)
        ensures
            match r {
                Ok(flush) => {
                    let (lo, hi) = (range.first()@, range.first()@ + range.bytes());
                    &&& request::check_range(range) is None
                    &&& range.bytes() > 0 ==> !old(self)@.is_cut(lo, hi)
                    &&& final(self)@ == old(self)@.unmap_range(lo, hi)
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
            return Ok(Flush::new(range.start(), 0, PageSize::Size4K, None));
        }
        let (least, owed) = self.owned.tree.unmap_range(lo, hi);
        proof {
            self.lemma_unmapped_range(*old(self), lo as int, hi as int);
        }
        Ok(
            match least {
                Some(least) => Flush::new(range.start(), range.size(), least, owed),
                None => Flush::new(range.start(), 0, PageSize::Size4K, owed),
            },
        )
    }

    /// The first address of `range` and its end, if no page lies partly in it.
    fn check_range(&self, range: &VirtRange<A>) -> (r: Result<(u64, u64), Error>)
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
        let hi = lo + bytes;
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
