//! Whether pages were used: taking note of their accessed and dirty bits.

use super::PageTable;
use super::change::Change;
use super::tree::Tree;
use crate::addr::{PageSize, VirtAddr, VirtRange};
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
use crate::arch::entry::{AccessBits, Entry};
use crate::arch::{PagingMode, Tracking};
use crate::error::Error;
use crate::flush::Flush;
use crate::hw::TableMemory;
use crate::prop::{Mapping, UsedBits};
#[cfg(verus_only)]
use crate::spec::request;
#[cfg(verus_only)]
use crate::spec::space::AddressSpace;
use vstd::prelude::*;

#[cfg(verus_only)]
mod proof;
#[cfg(verus_only)]
mod spec;

verus! {

/// A page that was used: where it is, what it was, and the flush for it.
pub type UsedPage<M, A> = (VirtAddr<A>, Mapping, Flush<M, A>);

/// # Which pages were used
/// Hardware sets a page's accessed bit when the page is used, and its dirty bit when it is stored to. Whoever wants to
/// know whether that happens *again* clears them and pays the flush: a processor that still has the translation may use
/// it without setting them a second time (Intel SDM vol. 3, 5.8). A kernel that only guesses which pages are idle may
/// leave the flush of accessed bits unpaid; one that writes dirty pages back must not.
impl<M: TableMemory, A: PagingMode> PageTable<M, A, Tracking> {
    /// Clears the accessed bit, the dirty bit or both of the page of `size` at `va`.
    ///
    /// The mapping returned is as it was at that moment: a bit that hardware sets meanwhile is in the answer, or is set
    /// afterwards. If none of the bits was set, the flush is for no address.
    ///
    /// # Errors
    /// In this order: [`Error::UnsupportedSize`], [`Error::NotAligned`]; then [`Error::CoveredByHugePage`] or
    /// [`Error::NotMapped`].
    pub fn test_and_clear(&mut self, va: VirtAddr<A>, size: PageSize, bits: UsedBits) -> (r: Result<
        (Mapping, Flush<M, A>),
        Error,
    >)
        ensures
            match r {
                Ok((was, flush)) => final(self).is_cleared_from(
                    *old(self),
                    va,
                    size,
                    bits,
                    was,
                    flush,
                ),
                Err(e) => request::is_find_error(old(self)@, va, size, e) && final(self).same_as(
                    *old(self),
                ),
            },
    {
        let d = self.find(va, size)?;
        if let Entry::Page { frame, prop } = d.entry {
            if !prop.has_any(bits) {
                return Ok((Mapping { frame, size, prop }, Flush::new(va, 0, size, None)));
            }
        }
        proof {
            use_type_invariant(&*self);
        }
        let (frame, prop) = self.owned.tree.protect(Ghost(va@), d, Change::Unmark(bits));
        proof {
            self.owned.tree.lemma_protected_page(
                old(self).owned.tree,
                va,
                d.stop.level as nat,
                size,
                frame,
                prop.without(bits),
            );
        }
        let bytes = if prop.has_any(bits) {
            size.bytes()
        } else {
            0
        };
        Ok((Mapping { frame, size, prop }, Flush::new(va, bytes, size, None)))
    }

    /// Clears these bits of the first page in `range` that has one of them set: where it is, and what
    /// [`test_and_clear`](PageTable::test_and_clear) answers; `None` if no page has. To go on, ask for the rest of the
    /// range.
    ///
    /// Pages without these bits are only read.
    ///
    /// # Errors
    /// In this order: [`Error::NotAligned`] if the range's start, or its end, is not a multiple of the smallest page;
    /// [`Error::PastEnd`]; [`Error::CoveredByHugePage`] if a page lies partly in the range and partly outside.
    pub fn test_and_clear_next(&mut self, range: VirtRange<A>, bits: UsedBits) -> (r: Result<
        Option<UsedPage<M, A>>,
        Error,
    >)
        ensures
            ({
                let (lo, hi) = (range.first()@, range.first()@ + range.bytes());
                match r {
                    Ok(Some((va, was, flush))) => {
                        &&& request::check_range(range) is None
                        &&& lo <= va@ && va@ + was.size.bytes() <= hi
                        &&& old(self)@.is_unused(lo, va@, bits)
                        &&& final(self).is_cleared_from(*old(self), va, was.size, bits, was, flush)
                    },
                    Ok(None) => {
                        &&& request::check_range(range) is None
                        &&& old(self)@.is_unused(lo, hi, bits)
                        &&& final(self).same_as(*old(self))
                    },
                    Err(e) => request::is_range_error(old(self)@, range, e) && final(self).same_as(
                        *old(self),
                    ),
                }
            }),
    {
        let (lo, hi) = self.check_range(&range)?;
        if lo == hi {
            return Ok(None);
        }
        proof {
            use_type_invariant(&*self);
        }
        let Some((start, size)) = self.owned.tree.first_used(lo, hi, bits) else {
            return Ok(None);
        };
        let va = VirtAddr::from_offset(start);
        proof {
            proof::lemma_check(va, size);
        }
        let (was, flush) = self.test_and_clear(va, size, bits)?;
        Ok(Some((va, was, flush)))
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// The first page from `lo` to below `hi` in which one of the bits is seen to be set: where it starts, and its size.
    fn first_used(&self, lo: u64, hi: u64, bits: UsedBits) -> (r: Option<(u64, PageSize)>)
        requires
            self.inv(),
            lo < hi <= A::geo().limit(),
            !self.space().is_cut(lo as int, hi as int),
        ensures
            match r {
                Some((start, size)) => {
                    &&& lo <= start && start + size.bytes() <= hi
                    &&& request::has_size::<A>(size)
                    &&& start as int % size.bytes() as int == 0
                    &&& self.space().has(start as int, size)
                    &&& self.space().is_unused(lo as int, start as int, bits)
                },
                None => self.space().is_unused(lo as int, hi as int, bits),
            },
        no_unwind
    {
        hide(AddressSpace::is_cut);
        hide(AddressSpace::is_unused);
        hide(AddressSpace::is_next);
        hide(AddressSpace::is_free);
        hide(Tree::is_stop);
        let mut near = self.top(lo);
        let mut at = lo;
        proof {
            self.space().lemma_none_yet(lo as int, bits);
        }
        while at < hi
            invariant
                self.inv(),
                lo < hi <= A::geo().limit(),
                !self.space().is_cut(lo as int, hi as int),
                self.is_place(near),
                lo <= at,
                self.space().is_unused(lo as int, at as int, bits),
            decreases
                    (if at < hi {
                        hi - at
                    } else {
                        0
                    }),
        {
            let (place, found) = self.scan(near, at, hi);
            let Some(entry) = found else {
                proof {
                    self.lemma_none_used(lo as int, at as int, hi as int, bits);
                }
                return None;
            };
            let (start, span) = self.extent(&place);
            proof {
                self.lemma_next_used(lo as int, at as int, hi as int, bits, place, entry);
            }
            if let (Entry::Page { prop, .. }, Some(size)) = (entry, A::size_at(place.stop.level)) {
                if prop.has_any(bits) {
                    return Some((start, size));
                }
            }
            near = place;
            at = start + span;
        }
        proof {
            self.lemma_none_used(lo as int, at as int, hi as int, bits);
        }
        None
    }
}

} // verus!
