//! What processors are told to invalidate.

use crate::addr::{PageSize, VirtAddr, VirtRange};
use crate::arch::PagingMode;
use crate::flush::FlushRange;
use vstd::prelude::*;

verus! {

/// What a TLB is told to invalidate.
///
/// ```
/// use portolan::tlb::TlbFlushOp;
/// use portolan::{VirtAddr, VirtRange, X86_64};
///
/// let page = VirtAddr::<X86_64>::new(0x5000)?;
/// assert_eq!(TlbFlushOp::Address(page).range().pages(), 1);
/// assert_eq!(TlbFlushOp::Range(VirtRange::new(page, 0x3000)?).range().pages(), 3);
/// assert!(TlbFlushOp::<X86_64>::All.range().frees_tables());
/// # Ok::<(), portolan::Error>(())
/// ```
pub enum TlbFlushOp<A: PagingMode> {
    /// Everything of the address space: all translations, and all cached entries of upper tables.
    All,
    /// The translation that serves an address.
    Address(VirtAddr<A>),
    /// The translations that serve addresses of a range.
    Range(VirtRange<A>),
}

impl<A: PagingMode> TlbFlushOp<A> {
    /// Whether `range` is what processors are told.
    pub open spec fn says(self, range: FlushRange<A>) -> bool {
        &&& A::page_size(1) matches Some(size) ==> range.least() == size
        &&& match self {
            TlbFlushOp::All => {
                &&& range.first()@ == 0
                &&& range.first().raw() + range.len() >= u64::MAX
                &&& range.keeps_tables()
            },
            TlbFlushOp::Address(va) => {
                &&& range.first() == va
                &&& range.len() == range.least().bytes()
                &&& !range.keeps_tables()
            },
            TlbFlushOp::Range(addresses) => {
                &&& range.first() == addresses.first()
                &&& range.len() == addresses.bytes()
                &&& !range.keeps_tables()
            },
        }
    }

    /// What the processors are told. In steps of the mode's smallest page, since what was there is not known.
    #[must_use]
    pub fn range(self) -> (r: FlushRange<A>)
        ensures
            self.says(r),
    {
        proof {
            A::lemma_geometry();
            A::geo().lemma_span(1);
        }
        let least = match A::size_at(1) {
            Some(size) => size,
            None => PageSize::Size4K,
        };
        match self {
            TlbFlushOp::All => {
                let first = VirtAddr::from_offset(0);
                let last = u64::MAX - first.as_u64();
                let bytes = if last == u64::MAX {
                    last
                } else {
                    last + 1
                };
                FlushRange::new(first, bytes, least, true)
            },
            TlbFlushOp::Address(va) => FlushRange::new(va, least.bytes(), least, false),
            TlbFlushOp::Range(range) => FlushRange::new(range.start(), range.size(), least, false),
        }
    }
}

impl<A: PagingMode> Clone for TlbFlushOp<A> {
    #[inline]
    fn clone(&self) -> (r: Self)
        ensures
            r == *self,
    {
        *self
    }
}

impl<A: PagingMode> Copy for TlbFlushOp<A> {

}

} // verus!

impl<A: PagingMode> core::fmt::Debug for TlbFlushOp<A> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::All => f.write_str("All"),
            Self::Address(va) => f.debug_tuple("Address").field(va).finish(),
            Self::Range(range) => f.debug_tuple("Range").field(range).finish(),
        }
    }
}
