//! Looking at a part of an address space.

use super::Part;
use crate::addr::VirtAddr;
use crate::frame::FrameError;
use crate::prop::Mapping;
use crate::space::Kernel;
use crate::space::mappings::MappedItem;
#[cfg(verus_only)]
use crate::space::pages::Shared;
#[cfg(verus_only)]
use vstd::predicate::Predicate;
use vstd::prelude::*;

verus! {

/// A page, and where it starts; if it was asked for what it is mapped to, that.
type Found<'k, K> = (
    VirtAddr<<K as Kernel>::Mode>,
    Mapping,
    Option<MappedItem<'k, <K as Kernel>::Frames>>,
);

impl<'a, 'k, K: Kernel> Part<'a, 'k, K> {
    /// The first page that reaches past `lo` and starts before `hi`, and where it starts.
    pub(crate) fn find(&self, lo: u64, hi: u64) -> (r: Option<(VirtAddr<K::Mode>, Mapping)>)
        requires
            self.is_live(),
            self.lo() <= lo,
            hi <= self.hi(),
        ensures
            match r {
                Some((va, now)) => {
                    &&& lo < hi
                    &&& self.space().is_next_page(lo as int, va@)
                    &&& self.space().pages[va@].may_become(now)
                    &&& va@ < hi
                },
                None => self.space().is_free(lo as int, hi as int),
            },
    {
        if lo >= hi {
            return None;
        }
        let lease = self.enter();
        let shared = lease.get();
        proof {
            use_type_invariant(self);
        }
        let found = shared.pages.find(lo, hi);
        proof {
            self.lemma_knows(shared);
            shared.pages.lemma_shaped();
            let at = match found {
                Some((va, _)) => Some(va@),
                None => None,
            };
            shared.pages.space().lemma_found_within(self.lo(), self.hi(), lo as int, hi as int, at);
        }
        found
    }

    /// The first page that reaches past `at` and starts before `end`, and where it starts; if `at` is in it, with one more
    /// reference to what it is mapped to.
    ///
    /// # Errors
    /// Those of [`Mappings::item`](crate::space::mappings::Mappings::item).
    pub(crate) fn query(&self, at: u64, end: u64) -> (r: Result<Option<Found<'k, K>>, FrameError>)
        requires
            self.is_live(),
            self.lo() <= at < end,
            end <= self.hi(),
        ensures
            match r {
                Ok(Some((va, now, item))) => {
                    &&& self.space().is_next_page(at as int, va@)
                    &&& self.space().pages[va@].may_become(now)
                    &&& va@ < end
                    &&& match item {
                        Some(item) => va@ <= at && item.is_at(now),
                        None => at < va@,
                    }
                },
                Ok(None) => self.space().is_free(at as int, end as int),
                Err(e) => e is Saturated || e is Busy,
            },
    {
        let lease = self.enter();
        let shared = lease.get();
        proof {
            use_type_invariant(self);
        }
        let found = shared.pages.find(at, end);
        proof {
            self.lemma_knows(shared);
            shared.pages.lemma_shaped();
            let va = match found {
                Some((va, _)) => Some(va@),
                None => None,
            };
            shared.pages.space().lemma_found_within(
                self.lo(),
                self.hi(),
                at as int,
                end as int,
                va,
            );
        }
        let Some((va, page)) = found else {
            return Ok(None);
        };
        if va.offset() > at {
            return Ok(Some((va, page, None)));
        }
        match shared.pages.item(Ghost(va@), page) {
            Ok(item) => Ok(Some((va, page, Some(item)))),
            Err(e) => Err(e),
        }
    }

    /// What is known of the part is what is mapped there.
    pub(super) proof fn lemma_knows(tracked &self, tracked shared: &Shared<'k, K>)
        requires
            self.is_live(),
            self.whole().predicate(*shared),
        ensures
            self.space() == shared.pages.space().within(self.lo(), self.hi()),
            self.lo() <= self.hi(),
            self.lo() < self.hi() ==> !shared.pages.space().is_cut(self.lo(), self.hi()),
    {
        use_type_invariant(self);
        let tracked claim = self.claim.tracked_borrow();
        shared.claims.lemma_agree(
            claim.borrow(),
            self.slot as int,
            self.whole().ids,
            shared.pages.space(),
        );
    }
}

} // verus!
