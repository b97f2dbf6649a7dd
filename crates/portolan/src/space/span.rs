//! Where a cursor is.

use crate::addr::{VirtAddr, VirtRange};
use crate::arch::PagingMode;
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
use core::marker::PhantomData;
use vstd::prelude::*;

verus! {

/// The range of a cursor, and where in it the cursor is; at the end it may be past the last address.
///
/// Addresses are counted from the start of what a table covers.
pub(crate) struct Span<A: PagingMode> {
    lo: u64,
    at: u64,
    hi: u64,
    mode: PhantomData<A>,
}

impl<A: PagingMode> Span<A> {
    #[verifier::type_invariant]
    spec fn inv(self) -> bool {
        self.lo <= self.at <= self.hi <= A::geo().limit()
    }

    /// The first address.
    pub(crate) closed spec fn first(self) -> int {
        self.lo as int
    }

    /// The address that follows the last.
    pub(crate) closed spec fn end(self) -> int {
        self.hi as int
    }

    /// Where the cursor is.
    pub(crate) closed spec fn at(self) -> int {
        self.at as int
    }

    /// The cursor is in the range.
    pub(crate) proof fn lemma_at(tracked &self)
        ensures
            0 <= self.first() <= self.at() <= self.end() <= A::geo().limit(),
    {
        use_type_invariant(self);
    }

    /// At the start of `lo..hi`.
    pub(crate) fn new(lo: u64, hi: u64) -> (r: Self)
        requires
            lo <= hi <= A::geo().limit(),
        ensures
            r.first() == lo,
            r.end() == hi,
            r.at() == lo,
        no_unwind
    {
        Span { lo, at: lo, hi, mode: PhantomData }
    }

    /// Where the cursor is, and where the range ends.
    #[inline]
    pub(crate) fn rest(&self) -> (r: (u64, u64))
        ensures
            r.0 == self.at(),
            r.1 == self.end(),
            self.first() <= r.0 <= r.1 <= A::geo().limit(),
        no_unwind
    {
        proof {
            use_type_invariant(self);
        }
        (self.at, self.hi)
    }

    /// Where the range starts and ends.
    #[inline]
    pub(crate) fn ends(&self) -> (r: (u64, u64))
        ensures
            r.0 == self.first(),
            r.1 == self.end(),
            r.0 <= self.at() <= r.1 <= A::geo().limit(),
        no_unwind
    {
        proof {
            use_type_invariant(self);
        }
        (self.lo, self.hi)
    }

    /// Where the range starts.
    #[inline]
    pub(crate) fn start(&self) -> (r: u64)
        ensures
            r == self.first(),
            r <= self.at() <= self.end() <= A::geo().limit(),
        no_unwind
    {
        proof {
            use_type_invariant(self);
        }
        self.lo
    }

    /// Goes to `at`.
    #[inline]
    pub(crate) fn go(&mut self, at: u64)
        requires
            old(self).first() <= at <= old(self).end(),
        ensures
            final(self).first() == old(self).first(),
            final(self).end() == old(self).end(),
            final(self).at() == at,
        no_unwind
    {
        proof {
            use_type_invariant(&*self);
        }
        self.at = at;
    }

    /// The address where the cursor is; `None` at the end.
    #[inline]
    pub(crate) fn virt_addr(&self) -> (r: Option<VirtAddr<A>>)
        ensures
            match r {
                Some(va) => va@ == self.at() && self.at() < self.end(),
                None => self.at() == self.end(),
            },
        no_unwind
    {
        proof {
            use_type_invariant(self);
        }
        if self.at < self.hi {
            Some(VirtAddr::from_offset(self.at))
        } else {
            None
        }
    }

    /// The range.
    #[inline]
    pub(crate) fn range(&self) -> (r: Option<VirtRange<A>>)
        ensures
            match r {
                Some(range) => range.first()@ == self.first() && range.bytes() == self.end()
                    - self.first(),
                None => self.first() == self.end(),
            },
        no_unwind
    {
        proof {
            use_type_invariant(self);
        }
        if self.lo < self.hi {
            Some(VirtRange::from_offsets(self.lo, self.hi))
        } else {
            None
        }
    }
}

} // verus!
