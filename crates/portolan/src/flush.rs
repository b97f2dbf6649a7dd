//! What is owed to the processors' TLBs.

#[cfg(verus_only)]
use crate::addr::PhysAddr;
use crate::addr::{PageSize, VirtAddr};
use crate::arch::PagingMode;
use crate::hw::memory::{Flushed, Frames, invalidate, trust_flushed};
use crate::hw::{Invalidate, TableMemory};
#[cfg(verus_only)]
use crate::spec::space::AddressSpace;
use crate::table::unmap::Owed;
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

    pub(crate) fn new(addr: VirtAddr<A>, bytes: u64, stride: PageSize, tables: bool) -> (r: Self)
        ensures
            r.first() == addr,
            r.len() == bytes,
            r.least() == stride,
            r.keeps_tables() == tables,
    {
        FlushRange { addr, bytes, stride, tables }
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
    assert((bytes / size - 1) * size == (bytes / size) * size - size) by (nonlinear_arith);
    assert((bytes / size + 1) * size == (bytes / size) * size + size) by (nonlinear_arith);
    assert(bytes / size <= bytes / 2) by (nonlinear_arith)
        requires
            size >= 2,
    ;
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

/// Pages whose translations were taken away or changed: processors may go on using the old ones until they are told.
///
/// It keeps alive the tables that became empty with the pages, since a processor may have cached an entry that leads to
/// them. [`pay`](Flush::pay) invalidates, then gives these tables back. A flush that is dropped unpaid never gives them
/// back.
#[must_use = "processors may go on using the old translations until this is paid"]
#[verifier::reject_recursive_types(M)]
pub struct Flush<M: TableMemory, A: PagingMode> {
    range: FlushRange<A>,
    owed: Option<Owed<M, A>>,
}

impl<M: TableMemory, A: PagingMode> Flush<M, A> {
    #[verifier::type_invariant]
    spec fn inv(self) -> bool {
        &&& self.owed matches Some(owed) ==> owed.inv()
        &&& self.owed is Some == self.range.keeps_tables()
    }

    /// `bytes` from `addr` on, with pages of at least `stride`.
    pub(crate) fn new(
        addr: VirtAddr<A>,
        bytes: u64,
        stride: PageSize,
        owed: Option<Owed<M, A>>,
    ) -> (r: Self)
        requires
            owed matches Some(owed) ==> owed.inv(),
        ensures
            r.due().first() == addr,
            r.due().len() == bytes,
            r.due().least() == stride,
            r.due().keeps_tables() == owed is Some,
            r.owed() == owed,
            r.frames() == match owed {
                Some(owed) => owed.frames.held(),
                None => Set::empty(),
            },
    {
        Flush { range: FlushRange::new(addr, bytes, stride, owed.is_some()), owed }
    }

    /// What the processors are to be told of.
    pub closed spec fn due(self) -> FlushRange<A> {
        self.range
    }

    /// The frames of the tables that it keeps alive.
    pub closed spec fn frames(self) -> Set<PhysAddr> {
        match self.owed {
            Some(owed) => owed.frames.held(),
            None => Set::empty(),
        }
    }

    /// The tables it keeps alive.
    pub(crate) closed spec fn owed(self) -> Option<Owed<M, A>> {
        self.owed
    }

    /// The first address.
    #[inline]
    #[must_use]
    pub fn addr(&self) -> (r: VirtAddr<A>)
        ensures
            r == self.due().first(),
    {
        self.range.addr()
    }

    /// How many bytes from the first address on.
    #[inline]
    #[must_use]
    pub fn size(&self) -> (r: u64)
        ensures
            r == self.due().len(),
    {
        self.range.size()
    }

    /// Whether tables wait to be given back: then cached entries of upper tables must go as well, not only the
    /// translations of pages.
    #[inline]
    #[must_use]
    pub fn frees_tables(&self) -> (r: bool)
        ensures
            r == self.due().keeps_tables(),
    {
        self.range.frees_tables()
    }

    /// What the processors are to be told of, for a caller that does so itself.
    #[inline]
    #[must_use]
    pub fn range(&self) -> (r: FlushRange<A>)
        ensures
            r == self.due(),
    {
        self.range
    }

    /// One flush for both, and none: for all addresses from the first of one to the last of the other.
    ///
    /// Or both as they were, if both keep tables alive, which may belong to different memories, or if they lie in
    /// different halves of the address space.
    #[inline]
    pub fn merge(self, other: Self) -> (r: (Self, Option<Self>))
        ensures
            match r.1 {
                None => {
                    &&& r.0.due().covers(self.due())
                    &&& r.0.due().covers(other.due())
                    &&& r.0.frames() == self.frames().union(other.frames())
                },
                Some(same) => r.0 == self && same == other,
            },
    {
        let (a, b) = (self.range, other.range);
        let (x, y) = (a.addr.as_u64(), b.addr.as_u64());
        if x >> 63 != y >> 63 || a.tables && b.tables {
            return (self, Some(other));
        }
        let (addr, low) = if x <= y {
            (a.addr, x)
        } else {
            (b.addr, y)
        };
        let to_a = (x - low).checked_add(a.bytes);
        let to_b = (y - low).checked_add(b.bytes);
        match (to_a, to_b) {
            (Some(to_a), Some(to_b)) => {
                let bytes = if to_a >= to_b {
                    to_a
                } else {
                    to_b
                };
                let stride = if a.stride.bytes() <= b.stride.bytes() {
                    a.stride
                } else {
                    b.stride
                };
                proof {
                    use_type_invariant(&self);
                    use_type_invariant(&other);
                    assert(Set::<crate::PhysAddr>::empty().union(other.frames())
                        =~= other.frames());
                    assert(self.frames().union(Set::empty()) =~= self.frames());
                }
                let owed = if a.tables {
                    self.owed
                } else {
                    other.owed
                };
                (Flush::new(addr, bytes, stride, owed), None)
            },
            _ => (self, Some(other)),
        }
    }

    /// Tells the processors, then gives back the tables that became empty.
    #[inline]
    pub fn pay<T: Invalidate<A>>(self, tlb: &T) {
        let flushed = invalidate(tlb, self.range);
        let _ = self.settle(flushed);
    }

    /// Gives back the tables that became empty, for a caller that has told the processors itself.
    ///
    /// # Safety
    /// No processor holds a translation that serves an address of the [range](Flush::range), nor, if tables wait to be
    /// given back, a cached entry of an upper table.
    #[inline]
    pub unsafe fn assume_flushed(self) {
        let flushed = trust_flushed(self.range);
        let _ = self.settle(flushed);
    }

    /// Gives back the tables that became empty, and answers with what is left on their account: nothing.
    #[inline]
    fn settle(self, Tracked(flushed): Tracked<Flushed<A>>) -> (r: Option<Frames<M>>)
        requires
            flushed.range() == self.due(),
        ensures
            match r {
                Some(account) => account.held() == Set::<PhysAddr>::empty(),
                None => !self.due().keeps_tables(),
            },
    {
        proof {
            use_type_invariant(&self);
        }
        let owed = self.owed?;
        Some(owed.free())
    }
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

impl<M: TableMemory, A: PagingMode> core::fmt::Debug for Flush<M, A> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Flush").field(&self.range).finish()
    }
}
