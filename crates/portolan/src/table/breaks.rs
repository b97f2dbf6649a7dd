//! Break-before-make: which pages in use may not be given other properties in place.

use super::tree::Tree;
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, Entry};
use crate::hw::memory::TableMemory;
use crate::prop::PageProperty;
#[cfg(verus_only)]
use crate::spec::request;
use vstd::prelude::*;

#[cfg(verus_only)]
pub(super) mod proof;

verus! {

/// Whether a page in use that is `was` can become `now` only by way of an entry that is not present.
#[inline(always)]
pub(super) fn needs_break<A: PagingMode>(was: PageProperty, now: PageProperty) -> (r: bool)
    ensures
        r == request::needs_break::<A>(was, now),
    no_unwind
{
    !A::resizing() && (!was.cache.is(now.cache) || now.global && !was.global)
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// The first page from `lo` to below `hi` that can't be given these properties in place: where it starts, and how long
    /// it is. In a mode in which all pages can nothing is read.
    pub(super) fn first_break(&self, lo: u64, hi: u64, prop: PageProperty) -> (r: Option<
        (u64, u64),
    >)
        requires
            self.inv(),
            lo < hi <= A::geo().limit(),
            !self.space().is_cut(lo as int, hi as int),
        ensures
            match r {
                Some((start, size)) => start < A::geo().limit() && request::is_first_break::<A>(
                    self.space(),
                    lo as int,
                    hi as int,
                    prop,
                    start as int,
                    size as int,
                ),
                None => request::needs_no_break::<A>(self.space(), lo as int, hi as int, prop),
            },
        no_unwind
    {
        if A::resizing() {
            return None;
        }
        let mut near = self.top(lo);
        let mut at = lo;
        while at < hi
            invariant
                self.inv(),
                lo < hi <= A::geo().limit(),
                !self.space().is_cut(lo as int, hi as int),
                self.is_place(near),
                lo <= at,
                request::needs_no_break::<A>(self.space(), lo as int, at as int, prop),
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
                    self.lemma_none_breaks(lo as int, at as int, hi as int, prop);
                }
                return None;
            };
            let (start, span) = self.extent(&place);
            proof {
                self.lemma_next_breaks(lo as int, at as int, hi as int, prop, place, entry);
            }
            match entry {
                Entry::Page { prop: seen, .. } if needs_break::<A>(seen, prop) => {
                    return Some((start, span));
                },
                _ => {},
            }
            near = place;
            at = start + span;
        }
        None
    }
}

} // verus!
