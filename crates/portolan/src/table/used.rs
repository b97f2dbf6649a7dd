//! Whether pages were used: taking note of their accessed and dirty bits.

use super::PageTable;
use super::change::Change;
use super::protect::page_of;
use super::scan::Place;
use super::tree::Tree;
use crate::addr::{PageSize, PhysAddr, VirtAddr, VirtRange};
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
use crate::arch::entry::{AccessBits, Entry};
use crate::arch::{PagingMode, Tracking};
use crate::error::Error;
use crate::flush::Flush;
use crate::hw::TableMemory;
use crate::prop::{Mapping, PageProperty, UsedBits};
#[cfg(verus_only)]
use crate::spec::request;
#[cfg(verus_only)]
use crate::spec::space::AddressSpace;
use vstd::prelude::*;

#[cfg(verus_only)]
pub(super) mod proof;
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
                return Ok(
                    (
                        Mapping { frame, size, prop },
                        Flush::new(va, 0, size, None, self.owned.tree.moment()),
                    ),
                );
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
        Ok(
            (
                Mapping { frame, size, prop },
                Flush::new(va, bytes, size, None, self.owned.tree.moment()),
            ),
        )
    }

    /// Clears these bits of the first page in `range` that has one of them set, and says where it is and what it was, with
    /// the flush for it; `None` if no page has. To go on, ask for the rest of the range; for all pages of a range and one
    /// flush, there is [`harvest`](PageTable::harvest).
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
                        &&& final(self).is_harvested_from(*old(self), va, bits, was)
                        &&& final(self).is_changed_from(*old(self), va, was.size, flush)
                    },
                    Ok(None) => {
                        &&& request::check_range(range) is None
                        &&& old(self)@.is_unused(lo, hi, bits)
                        &&& final(self).is_seen_from(*old(self))
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
        let near = self.owned.tree.top(lo);
        self.clear_first(Ghost(lo as int), near, lo, hi, bits).1
    }

    /// Clears these bits of the first page from `at` to below `hi` that has one of them set, from a table that is known;
    /// answers with that of the page, or with one on the way. The page is refused if it lies partly outside of these bytes.
    pub(super) fn clear_first(
        &mut self,
        Ghost(lo): Ghost<int>,
        near: Place,
        at: u64,
        hi: u64,
        bits: UsedBits,
    ) -> (r: (Place, Result<Option<UsedPage<M, A>>, Error>))
        requires
            old(self).owned.tree.is_place(near),
            lo <= at <= hi <= A::geo().limit(),
            old(self)@.is_unused(lo, at as int, bits),
        ensures
            final(self).owned.tree.is_place(r.0),
            final(self)@.is_cut(at as int, hi as int) == old(self)@.is_cut(at as int, hi as int),
            final(self)@.is_unused(lo, at as int, bits),
            match r.1 {
                Ok(Some((va, was, flush))) => {
                    let end = va@ + was.size.bytes();
                    &&& at <= va@ < end <= hi
                    &&& old(self)@.is_unused(lo, va@, bits)
                    &&& final(self)@.is_unused(lo, end, bits)
                    &&& !old(self)@.is_cut(at as int, hi as int) ==> !final(self)@.is_cut(
                        end,
                        hi as int,
                    )
                    &&& final(self).is_harvested_from(*old(self), va, bits, was)
                    &&& final(self).is_changed_from(*old(self), va, was.size, flush)
                },
                Ok(None) => {
                    &&& old(self)@.is_unused(lo, hi as int, bits)
                    &&& final(self)@.is_unused(lo, hi as int, bits)
                    &&& final(self).is_seen_from(*old(self))
                },
                Err(e) => {
                    &&& e matches Error::CoveredByHugePage { addr, size }
                    &&& request::names_cut::<A>(old(self)@, at as int, hi as int, addr, size)
                    &&& final(self).is_seen_from(*old(self))
                },
            },
        no_unwind
    {
        proof {
            use_type_invariant(&*self);
        }
        let (place, next) = self.owned.tree.clear_next(Ghost(lo), near, at, hi, bits);
        let (start, bytes) = self.owned.tree.extent(&place);
        let va = VirtAddr::from_offset(start);
        let addr = va.as_u64();
        proof {
            self.lemma_cleared(*old(self), lo, at as int, hi as int, bits, (place, next), va);
        }
        match (next, A::size_at(place.stop.level)) {
            (Next::Page(frame, prop), Some(size)) => {
                proof {
                    proof::lemma_check(va, size);
                }
                let flush = Flush::new(va, bytes, size, None, self.owned.tree.moment());
                (place, Ok(Some((va, Mapping { frame, size, prop }, flush))))
            },
            (Next::Cut, _) => (place, Err(Error::CoveredByHugePage { addr, size: bytes })),
            _ => (place, Ok(None)),
        }
    }
}

/// What a search for pages that were used has come to.
pub(crate) enum Next {
    /// There is none any more.
    None,
    /// A page that reaches out of the range.
    Cut,
    /// A page whose bits were cleared: its frame, and what its properties were.
    Page(PhysAddr, PageProperty),
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// Clears these bits of the first page from `at` to below `hi` that has one of them set, unless it lies partly outside
    /// of these bytes.
    ///
    /// A page whose bits are gone by the time of the exchange is passed over. Hardware takes none away, but all that is
    /// assumed of reading a word is that each bit that software knows of is there.
    fn clear_next(
        &mut self,
        Ghost(lo): Ghost<int>,
        near: Place,
        at: u64,
        hi: u64,
        bits: UsedBits,
    ) -> (r: (Place, Next))
        requires
            old(self).inv(),
            B::tracks(),
            old(self).is_place(near),
            lo <= at <= hi <= A::geo().limit(),
            old(self).space().is_unused(lo, at as int, bits),
        ensures
            final(self).is_next_from(*old(self), lo, at as int, hi as int, bits, r),
        no_unwind
    {
        hide(AddressSpace::is_unused);
        hide(AddressSpace::is_next);
        hide(AddressSpace::is_free);
        hide(AddressSpace::may_become);
        hide(Tree::is_stop);
        hide(Tree::inv);
        hide(Tree::saw_from);
        let mut near = near;
        let mut next = at;
        proof {
            self.lemma_saw_nothing();
        }
        while next < hi
            invariant
                self.saw_from(*old(self)),
                B::tracks(),
                self.inv(),
                self.is_place(near),
                lo <= at <= hi <= A::geo().limit(),
                at <= next,
                self.space().is_unused(lo, next as int, bits),
            decreases
                    (if next < hi {
                        hi - next
                    } else {
                        0
                    }),
        {
            proof {
                self.lemma_sound();
            }
            let (place, found) = self.scan(near, next, hi);
            let Some(entry) = found else {
                proof {
                    self.lemma_none_used(
                        *old(self),
                        lo,
                        at as int,
                        next as int,
                        hi as int,
                        bits,
                        place,
                    );
                }
                return (place, Next::None);
            };
            let (start, span) = self.extent(&place);
            proof {
                self.lemma_next_used(lo, next as int, hi as int, bits, place, entry);
            }
            if page_of(entry).1.has_any(bits) {
                if start < at || span > hi - start {
                    proof {
                        self.lemma_next_cut(
                            *old(self),
                            lo,
                            at as int,
                            next as int,
                            hi as int,
                            bits,
                            place,
                        );
                    }
                    return (place, Next::Cut);
                }
                let ghost before = *self;
                let (frame, prop) = self.change_at(place, Change::Unmark(bits));
                proof {
                    self.lemma_next_cleared(
                        *old(self),
                        before,
                        lo,
                        at as int,
                        next as int,
                        hi as int,
                        bits,
                        place,
                        (frame, prop),
                    );
                }
                if prop.has_any(bits) {
                    return (place, Next::Page(frame, prop));
                }
            }
            near = place;
            next = start + span;
        }
        proof {
            self.lemma_none_used(*old(self), lo, at as int, next as int, hi as int, bits, near);
        }
        (near, Next::None)
    }
}

} // verus!
