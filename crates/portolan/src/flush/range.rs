//! What the processors are to be told of.

use crate::addr::{PageSize, VirtAddr};
use crate::arch::PagingMode;
#[cfg(verus_only)]
use crate::arith::lemma_next;
#[cfg(verus_only)]
use crate::spec::space::AddressSpace;
use vstd::prelude::*;

verus! {

/// Addresses whose translations processors must not use any longer.
pub struct FlushRange<A: PagingMode> {
    addr: VirtAddr<A>,
    bytes: u64,
    stride: PageSize,
    tables: bool,
}

/// How the processors are best told of a range.
pub enum Advice<A: PagingMode> {
    /// Page by page.
    Pages {
        /// An address of the first page.
        first: VirtAddr<A>,
        /// How many pages there may be.
        count: u64,
        /// How far it is from one page to the next.
        size: PageSize,
    },
    /// Everything at once, global translations too.
    All,
}

impl<A: PagingMode> FlushRange<A> {
    /// The first address.
    pub closed spec fn first(self) -> VirtAddr<A> {
        self.addr
    }

    /// How many bytes.
    pub closed spec fn len(self) -> u64 {
        self.bytes
    }

    /// No page in the range was smaller.
    pub closed spec fn least(self) -> PageSize {
        self.stride
    }

    /// Whether cached entries of upper tables must go too.
    pub closed spec fn keeps_tables(self) -> bool {
        self.tables
    }

    /// The range is one page.
    pub open spec fn is_page(self, va: VirtAddr<A>, size: PageSize) -> bool {
        self.first() == va && self.len() == size.bytes() && self.least() == size
    }

    /// The page of `size` at `va` is in the range, and not smaller than its pages.
    pub open spec fn holds(self, va: VirtAddr<A>, size: PageSize) -> bool {
        &&& self.first()@ <= va@
        &&& va@ + size.bytes() <= self.first()@ + self.len()
        &&& self.least().bytes() <= size.bytes()
    }

    /// Each page of `space` that starts from `lo` to below `hi` is in the range, and none of them is smaller than its
    /// pages.
    pub open spec fn reaches(self, space: AddressSpace, lo: int, hi: int) -> bool {
        forall|base: int|
            lo <= base < hi && #[trigger] space.pages.contains_key(base) ==> {
                &&& self.first()@ <= base
                &&& base + space.pages[base].size.bytes() <= self.first()@ + self.len()
                &&& space.pages[base].size.bytes() >= self.least().bytes()
            }
    }

    /// Whoever has been told of this has been told of `other`.
    pub open spec fn covers(self, other: Self) -> bool {
        &&& self.first().raw() <= other.first().raw()
        &&& other.first().raw() + other.len() <= self.first().raw() + self.len()
        &&& self.least().bytes() <= other.least().bytes()
        &&& other.keeps_tables() ==> self.keeps_tables()
    }

    /// `bytes` from `addr` on, with pages of at least `stride`.
    pub(crate) fn new(addr: VirtAddr<A>, bytes: u64, stride: PageSize, tables: bool) -> (r: Self)
        ensures
            r.first() == addr,
            r.len() == bytes,
            r.least() == stride,
            r.keeps_tables() == tables,
        no_unwind
    {
        FlushRange { addr, bytes, stride, tables }
    }

    /// The same, and cached entries of upper tables must go too.
    pub(crate) fn with_tables(self) -> (r: Self)
        ensures
            r.first() == self.first(),
            r.len() == self.len(),
            r.least() == self.least(),
            r.keeps_tables(),
    {
        FlushRange { tables: true, ..self }
    }

    /// The first address.
    #[inline]
    #[must_use]
    pub fn addr(&self) -> (r: VirtAddr<A>)
        ensures
            r == self.first(),
    {
        self.addr
    }

    /// How many bytes from the first address on; none if nothing was mapped there.
    #[inline]
    #[must_use]
    pub fn size(&self) -> (r: u64)
        ensures
            r == self.len(),
    {
        self.bytes
    }

    /// The size of the smallest page that was in the range: whoever invalidates at the first address, and from there on in
    /// steps of this, meets every page.
    #[inline]
    #[must_use]
    pub fn stride(&self) -> (r: PageSize)
        ensures
            r == self.least(),
    {
        self.stride
    }

    /// Whether tables wait to be given back: then cached entries of upper tables must go as well, not only the
    /// translations of pages.
    #[inline]
    #[must_use]
    pub fn frees_tables(&self) -> (r: bool)
        ensures
            r == self.keeps_tables(),
    {
        self.tables
    }

    /// All addresses from the first of one to the last of the other, if they lie in the same half of the address space.
    pub(crate) fn join(self, other: Self) -> (r: Option<Self>)
        ensures
            r matches Some(both) ==> {
                &&& both.covers(self)
                &&& both.covers(other)
                &&& both.keeps_tables() == (self.keeps_tables() || other.keeps_tables())
            },
    {
        let (x, y) = (self.addr.as_u64(), other.addr.as_u64());
        if x >> 63 != y >> 63 {
            return None;
        }
        let (addr, low) = if x <= y {
            (self.addr, x)
        } else {
            (other.addr, y)
        };
        let (a, b) = ((x - low).checked_add(self.bytes)?, (y - low).checked_add(other.bytes)?);
        let bytes = if a >= b {
            a
        } else {
            b
        };
        let stride = if self.stride.bytes() <= other.stride.bytes() {
            self.stride
        } else {
            other.stride
        };
        Some(FlushRange { addr, bytes, stride, tables: self.tables || other.tables })
    }

    /// How many steps of [`stride`](FlushRange::stride) the range takes.
    #[inline]
    #[must_use]
    pub fn pages(&self) -> (r: u64)
        ensures
            (r - 1) * self.least().bytes() < self.len() <= r * self.least().bytes(),
    {
        let size = self.stride.bytes();
        let (whole, part) = (self.bytes / size, self.bytes % size);
        proof {
            lemma_pages(self.bytes, size);
        }
        if part == 0 {
            whole
        } else {
            whole + 1
        }
    }

    /// Page by page if there are at most `threshold`, otherwise everything: a machine knows from when on that is faster.
    #[inline]
    #[must_use]
    pub fn advice(&self, threshold: u64) -> (r: Advice<A>)
        ensures
            r matches Advice::Pages { first, count, size } ==> {
                &&& first == self.first()
                &&& size == self.least()
                &&& count <= threshold
                &&& count * size.bytes() >= self.len()
            },
    {
        let count = self.pages();
        if count <= threshold {
            Advice::Pages { first: self.addr, count, size: self.stride }
        } else {
            Advice::All
        }
    }
}

/// A length as whole pages and what is left.
proof fn lemma_pages(bytes: u64, size: u64)
    requires
        size >= 2,
    ensures
        bytes == (bytes / size) * size + bytes % size,
        bytes % size < size,
        (bytes / size - 1) * size == (bytes / size) * size - size,
        (bytes / size + 1) * size == (bytes / size) * size + size,
        bytes / size < u64::MAX,
{
    vstd::arithmetic::div_mod::lemma_fundamental_div_mod(bytes as int, size as int);
    lemma_next(bytes / size - 1, size as int);
    lemma_next((bytes / size) as int, size as int);
    vstd::arithmetic::div_mod::lemma_div_is_ordered_by_denominator(bytes as int, 2, size as int);
    vstd::arithmetic::mul::lemma_mul_is_commutative(size as int, (bytes / size) as int);
}

impl<A: PagingMode> Clone for FlushRange<A> {
    #[inline]
    fn clone(&self) -> (r: Self)
        ensures
            r == *self,
    {
        *self
    }
}

impl<A: PagingMode> Copy for FlushRange<A> {

}

} // verus!

impl<A: PagingMode> core::fmt::Debug for FlushRange<A> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("FlushRange")
            .field("addr", &self.addr)
            .field("size", &self.bytes)
            .field("stride", &self.stride)
            .field("frees_tables", &self.tables)
            .finish()
    }
}

impl<A: PagingMode> core::fmt::Debug for Advice<A> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Pages { first, count, size } => f
                .debug_struct("Pages")
                .field("first", first)
                .field("count", count)
                .field("size", size)
                .finish(),
            Self::All => f.write_str("All"),
        }
    }
}
