//! Addresses, page sizes and ranges.

use crate::arch::PagingMode;
use crate::error::{Bytes, Error};
use core::marker::PhantomData;
use vstd::prelude::*;

verus! {

/// A physical address: a byte of memory as the machine numbers them.
///
/// Any 64-bit number can be one; whether the machine's addresses reach so far is checked where the address is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhysAddr(pub u64);

impl PhysAddr {
    /// The physical address `raw`.
    #[inline]
    #[must_use]
    pub const fn new(raw: u64) -> (r: Self)
        ensures
            r == PhysAddr(raw),
        no_unwind
    {
        PhysAddr(raw)
    }

    /// The address as a number.
    #[inline]
    #[must_use]
    pub const fn as_u64(self) -> (r: u64)
        ensures
            r == self.0,
        no_unwind
    {
        self.0
    }

    /// The next lower multiple of `size`, or the address itself.
    #[inline]
    #[must_use]
    pub const fn align_down(self, size: PageSize) -> (r: Self)
        ensures
            r.0 == self.0 - self.0 as int % size.bytes() as int,
        no_unwind
    {
        PhysAddr(self.0 - self.0 % size.bytes())
    }

    /// Whether the address is a multiple of `size`.
    #[inline]
    #[must_use]
    pub const fn is_aligned(self, size: PageSize) -> (r: bool)
        ensures
            r == (self.0 as int % size.bytes() as int == 0),
        no_unwind
    {
        self.0 % size.bytes() == 0
    }
}

/// A size that some architecture has pages of. Which of them a table supports is its paging mode's matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PageSize {
    /// 4 KiB.
    Size4K,
    /// 16 KiB.
    Size16K,
    /// 64 KiB.
    Size64K,
    /// 2 MiB.
    Size2M,
    /// 32 MiB.
    Size32M,
    /// 512 MiB.
    Size512M,
    /// 1 GiB.
    Size1G,
}

impl PageSize {
    /// The size in bytes.
    pub open spec fn spec_bytes(self) -> u64 {
        match self {
            PageSize::Size4K => 0x1000,
            PageSize::Size16K => 0x4000,
            PageSize::Size64K => 0x1_0000,
            PageSize::Size2M => 0x20_0000,
            PageSize::Size32M => 0x200_0000,
            PageSize::Size512M => 0x2000_0000,
            PageSize::Size1G => 0x4000_0000,
        }
    }

    /// The size in bytes.
    #[verifier::when_used_as_spec(spec_bytes)]
    #[inline]
    #[must_use]
    pub const fn bytes(self) -> (r: u64)
        ensures
            r == self.spec_bytes(),
            r > 0,
        no_unwind
    {
        match self {
            PageSize::Size4K => 0x1000,
            PageSize::Size16K => 0x4000,
            PageSize::Size64K => 0x1_0000,
            PageSize::Size2M => 0x20_0000,
            PageSize::Size32M => 0x200_0000,
            PageSize::Size512M => 0x2000_0000,
            PageSize::Size1G => 0x4000_0000,
        }
    }
}

/// A virtual address of paging mode `A`, canonical by construction.
///
/// Its abstraction `va@` is its distance from the start of what the table covers: the bits that index the tables,
/// without the copies of the top one that make it canonical.
pub struct VirtAddr<A: PagingMode> {
    raw: u64,
    mode: PhantomData<A>,
}

impl<A: PagingMode> VirtAddr<A> {
    #[verifier::type_invariant]
    spec fn inv(self) -> bool {
        A::canonical(self.raw)
    }

    /// The address as a number.
    pub closed spec fn raw(self) -> u64 {
        self.raw
    }

    /// The bits of the address that index the tables.
    pub open spec fn view(self) -> int {
        self.raw() as int % A::geo().limit()
    }

    /// The address is one that the mode's hardware accepts.
    pub(crate) proof fn lemma_canonical(tracked &self)
        ensures
            A::canonical(self.raw()),
    {
        use_type_invariant(self);
    }

    /// The virtual address `raw`.
    ///
    /// # Errors
    /// [`Error::NotCanonical`] if the mode's hardware would refuse it.
    #[inline]
    pub fn new(raw: u64) -> (r: Result<Self, Error>)
        ensures
            match r {
                Ok(va) => va.raw() == raw && A::canonical(raw),
                Err(e) => !A::canonical(raw) && e == (Error::NotCanonical { addr: raw, size: 0 }),
            },
        no_unwind
    {
        if A::is_canonical(raw) {
            Ok(VirtAddr { raw, mode: PhantomData })
        } else {
            Err(Error::NotCanonical { addr: raw, size: 0 })
        }
    }

    /// The address as a number.
    #[inline]
    #[must_use]
    pub fn as_u64(self) -> (r: u64)
        ensures
            r == self.raw(),
            A::canonical(r),
        no_unwind
    {
        proof {
            use_type_invariant(self);
        }
        self.raw
    }

    /// The bits that index the tables.
    #[inline]
    pub(crate) fn offset(self) -> (r: u64)
        ensures
            r == self@,
            0 <= self@ < A::geo().limit(),
        no_unwind
    {
        let g = A::geometry();
        g.offset(self.raw)
    }

    /// The address whose bits that index the tables are `offset`.
    #[inline]
    pub(crate) fn from_offset(offset: u64) -> (r: Self)
        requires
            offset < A::geo().limit(),
        ensures
            r@ == offset,
        no_unwind
    {
        VirtAddr { raw: A::canonicalize(offset), mode: PhantomData }
    }

    /// Whether the address is a multiple of `size`.
    #[inline]
    #[must_use]
    pub fn is_aligned(self, size: PageSize) -> (r: bool)
        ensures
            r == (self.raw() as int % size.bytes() as int == 0),
        no_unwind
    {
        self.raw % size.bytes() == 0
    }

    /// The next lower multiple of `size`, or the address itself.
    #[inline]
    #[must_use]
    pub fn align_down(self, size: PageSize) -> (r: Self)
        ensures
            r.raw() == self.raw() - self.raw() as int % size.bytes() as int,
    {
        let raw = self.raw - self.raw % size.bytes();
        proof {
            use_type_invariant(self);
            A::lemma_align_down(self.raw, size);
        }
        VirtAddr { raw, mode: PhantomData }
    }

    /// The address `bytes` further on.
    ///
    /// # Errors
    /// [`Error::PastEnd`] if there is none: past the last address, or in the gap between the halves.
    #[inline]
    pub fn checked_add(self, bytes: u64) -> (r: Result<Self, Error>)
        ensures
            match r {
                Ok(va) => va.raw() == self.raw() + bytes,
                Err(e) => e == (Error::PastEnd { addr: self.raw(), size: bytes }) && (self.raw()
                    + bytes > u64::MAX || !A::canonical((self.raw() + bytes) as u64)),
            },
    {
        match self.raw.checked_add(bytes) {
            Some(raw) if A::is_canonical(raw) => Ok(VirtAddr { raw, mode: PhantomData }),
            _ => Err(Error::PastEnd { addr: self.raw, size: bytes }),
        }
    }
}

impl<A: PagingMode> Clone for VirtAddr<A> {
    #[inline]
    fn clone(&self) -> (r: Self)
        ensures
            r == *self,
    {
        *self
    }
}

impl<A: PagingMode> Copy for VirtAddr<A> {

}

/// Addresses that follow each other: `size` bytes from `start`, all canonical, in one half.
pub struct VirtRange<A: PagingMode> {
    start: VirtAddr<A>,
    size: u64,
}

impl<A: PagingMode> Clone for VirtRange<A> {
    #[inline]
    fn clone(&self) -> (r: Self)
        ensures
            r == *self,
    {
        *self
    }
}

impl<A: PagingMode> Copy for VirtRange<A> {

}

impl<A: PagingMode> VirtRange<A> {
    #[verifier::type_invariant]
    spec fn inv(self) -> bool {
        self.size > 0 ==> self.start.raw() + self.size - 1 <= u64::MAX
    }

    /// The first address.
    pub closed spec fn first(self) -> VirtAddr<A> {
        self.start
    }

    /// How many bytes.
    pub closed spec fn bytes(self) -> u64 {
        self.size
    }

    /// Whether `size` bytes from `start` are addresses: the last is no further than 64 bits reach, canonical, and in the
    /// half of the first.
    pub open spec fn fits(start: VirtAddr<A>, size: u64) -> bool {
        let last = start.raw() + size - 1;
        size > 0 ==> {
            &&& last <= u64::MAX
            &&& A::canonical(last as u64)
            &&& start.raw() >> 63 == last as u64 >> 63
        }
    }

    /// `size` bytes from `start`.
    ///
    /// # Errors
    /// [`Error::PastEnd`] if they pass the last address, or reach into the gap between the halves or over it.
    pub fn new(start: VirtAddr<A>, size: u64) -> (r: Result<Self, Error>)
        ensures
            match r {
                Ok(range) => {
                    &&& range.first() == start && range.bytes() == size
                    &&& Self::fits(start, size)
                },
                Err(e) => {
                    &&& e == (Error::PastEnd { addr: start.raw(), size })
                    &&& !Self::fits(start, size)
                },
            },
    {
        let first = start.as_u64();
        if size == 0 {
            return Ok(VirtRange { start, size });
        }
        match first.checked_add(size - 1) {
            Some(last) if A::is_canonical(last) && first >> 63 == last >> 63 => Ok(
                VirtRange { start, size },
            ),
            _ => Err(Error::PastEnd { addr: first, size }),
        }
    }

    /// As [`new`](VirtRange::new), for bytes that are known to be addresses: a page's.
    pub(crate) fn of_page(start: VirtAddr<A>, size: PageSize) -> (r: Self)
        requires
            start.raw() + size.bytes() - 1 <= u64::MAX,
        ensures
            r.first() == start,
            r.bytes() == size.bytes(),
    {
        VirtRange { start, size: size.bytes() }
    }

    /// The addresses whose bits that index the tables are from `lo` to below `hi`, in one half.
    #[inline]
    pub(crate) fn from_offsets(lo: u64, hi: u64) -> (r: Self)
        requires
            lo <= hi <= A::geo().limit(),
            lo < A::geo().limit(),
        ensures
            r.first()@ == lo,
            r.bytes() == hi - lo,
        no_unwind
    {
        let start = VirtAddr::from_offset(lo);
        proof {
            A::lemma_geometry();
            A::geo().lemma_last(start.raw());
        }
        VirtRange { start, size: hi - lo }
    }

    /// The first address.
    #[inline]
    #[must_use]
    pub fn start(&self) -> (r: VirtAddr<A>)
        ensures
            r == self.first(),
        no_unwind
    {
        self.start
    }

    /// How many bytes.
    #[inline]
    #[must_use]
    pub fn size(&self) -> (r: u64)
        ensures
            r == self.bytes(),
        no_unwind
    {
        self.size
    }

    /// The last address is one.
    pub(crate) proof fn lemma_last(tracked &self)
        ensures
            self.bytes() > 0 ==> self.first().raw() + self.bytes() - 1 <= u64::MAX,
    {
        use_type_invariant(self);
    }

    /// Whether there are none.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> (r: bool)
        ensures
            r == (self.bytes() == 0),
    {
        self.size == 0
    }

    /// Whether `va` is one of the addresses.
    #[inline]
    #[must_use]
    pub fn contains(&self, va: VirtAddr<A>) -> (r: bool)
        ensures
            r == (self.first().raw() <= va.raw() < self.first().raw() + self.bytes()),
    {
        va.raw >= self.start.raw && va.raw - self.start.raw < self.size
    }

    /// Whether both ends are multiples of `size`.
    #[inline]
    #[must_use]
    pub fn is_aligned(&self, size: PageSize) -> (r: bool)
        ensures
            r == (self.first().raw() as int % size.bytes() as int == 0 && self.bytes() as int
                % size.bytes() as int == 0),
    {
        self.start.is_aligned(size) && self.size.is_multiple_of(size.bytes())
    }
}

} // verus!

impl<A: PagingMode> PartialEq for VirtAddr<A> {
    fn eq(&self, other: &Self) -> bool {
        self.raw == other.raw
    }
}

impl<A: PagingMode> Eq for VirtAddr<A> {}

impl<A: PagingMode> PartialOrd for VirtAddr<A> {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<A: PagingMode> Ord for VirtAddr<A> {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.raw.cmp(&other.raw)
    }
}

impl<A: PagingMode> core::hash::Hash for VirtAddr<A> {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.raw.hash(state);
    }
}

impl<A: PagingMode> core::fmt::Debug for VirtAddr<A> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "VirtAddr({:#x})", self.raw)
    }
}

impl<A: PagingMode> core::fmt::Debug for VirtRange<A> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "VirtRange({:#x} + {:#x})", self.start.raw, self.size)
    }
}

impl core::fmt::Display for PageSize {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        Bytes(self.bytes()).fmt(f)
    }
}

impl core::fmt::Display for PhysAddr {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl<A: PagingMode> core::fmt::Display for VirtAddr<A> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:#x}", self.raw)
    }
}
