//! What a cursor does.

use super::CursorMut;
use crate::addr::{PageSize, PhysAddr, VirtAddr, VirtRange};
use crate::arch::PagingMode;
use crate::arch::entry::{Encoding, EntryFormat, stored};
use crate::error::Error;
use crate::flush::FlushRange;
use crate::hw::AtomicMode;
use crate::hw::mmu::Mmu;
use crate::prop::PageProperty;
use crate::space::{Kernel, VmError};
use crate::spec::request;
use crate::spec::space::AddressSpace;
use vstd::math::min;
use vstd::prelude::*;

verus! {

impl AddressSpace {
    /// This without the page of `size` at `va`, if there is one.
    pub open spec fn vacated(self, va: int, size: PageSize) -> Self {
        if self.has(va, size) {
            self.unmap(va)
        } else {
            self
        }
    }

    /// Whether the page that starts at `va` has so many bytes.
    pub open spec fn has_bytes(self, va: int, bytes: int) -> bool {
        self.pages.contains_key(va) && self.pages[va].size.bytes() == bytes
    }

    /// Since only `before` was noted, it was noted that processors are to be told of all pages that start from `lo` to below
    /// `hi`.
    pub open spec fn is_noted_between<A: PagingMode>(
        self,
        before: Seq<FlushRange<A>>,
        now: Seq<FlushRange<A>>,
        lo: int,
        hi: int,
    ) -> bool {
        forall|base: int|
            lo <= base < hi && #[trigger] self.pages.contains_key(base) ==> is_noted(
                before,
                now,
                base,
                self.pages[base].size.bytes() as int,
            )
    }

    /// Where the page that covers `va` ends.
    pub open spec fn end_of_page(self, va: int) -> int {
        self.base(va) + self.lookup(va)->0.size.bytes()
    }

    /// `now` is this, cut at `va` and `hi`, with the properties `prop` for the page of `bytes` that then starts at `va`;
    /// accessed and dirty bits that were set stay set.
    pub open spec fn may_protect_part<A: EntryFormat>(
        self,
        va: int,
        hi: int,
        bytes: int,
        prop: PageProperty,
        now: Self,
    ) -> bool {
        exists|cut: AddressSpace, was: PageProperty|
            {
                &&& #[trigger] self.may_cut::<A>(va, hi, cut)
                &&& cut.has_bytes(va, bytes)
                &&& #[trigger] cut.pages[va].prop.may_become(was)
                &&& now == cut.protect(va, prop.keeping(was))
            }
    }
}

/// Since only `before` was noted, it was noted that processors are to be told of the page of `bytes` at `base`.
pub open spec fn is_noted<A: PagingMode>(
    before: Seq<FlushRange<A>>,
    now: Seq<FlushRange<A>>,
    base: int,
    bytes: int,
) -> bool {
    exists|k: int| before.len() <= k < now.len() && #[trigger] now[k].has_page(base, bytes)
}

impl<A: PagingMode> FlushRange<A> {
    /// A page of `bytes` at `base` is in the range, and not smaller than its pages.
    pub open spec fn has_page(self, base: int, bytes: int) -> bool {
        &&& self.first()@ <= base
        &&& base + bytes <= self.first()@ + self.len()
        &&& self.least().bytes() <= bytes
    }
}

impl<'a, 'k, K: Kernel, G: AtomicMode> CursorMut<'a, 'k, K, G> {
    /// It is at the start of `range`.
    pub open spec fn is_new(self, range: VirtRange<K::Mode>) -> bool {
        &&& self.is_live()
        &&& self.first() == range.first()@
        &&& self.end() == range.first()@ + range.bytes()
        &&& self.at() == self.first()
    }

    /// Nothing has changed since `old`, but where the cursor is.
    pub open spec fn is_as(self, old: Self) -> bool {
        &&& self.is_live() == old.is_live()
        &&& self.space() == old.space()
        &&& self.is_over(old)
    }

    /// It is over the same range of the same address space as `old`.
    pub open spec fn is_over(self, old: Self) -> bool {
        &&& self.first() == old.first()
        &&& self.end() == old.end()
        &&& self.root() == old.root()
    }

    /// Nothing has changed since `old`, and the cursor is where it was.
    pub open spec fn stays(self, old: Self) -> bool {
        self.is_as(old) && self.at() == old.at()
    }

    /// It has mapped a page where `old` was, in the place of one of the same size if there was one, and gone on past it.
    pub open spec fn is_mapped_from(
        self,
        old: Self,
        frame: PhysAddr,
        size: PageSize,
        prop: PageProperty,
    ) -> bool {
        let (at, prop) = (old.at(), stored::<K::Bits>(prop));
        &&& self.is_over(old)
        &&& self.is_live() == old.is_live()
        &&& self.at() == at + size.bytes()
        &&& self.at() <= self.end()
        &&& old.space().overlaps(at, size.bytes() as int) ==> old.space().has(at, size)
        &&& self.space() == old.space().vacated(at, size).map(at, frame, size, prop)
        &&& old.space().has(at, size) ==> {
            &&& is_noted(old.noted(), self.noted(), at, size.bytes() as int)
            &&& K::Mode::resizes() || self.owes_nothing()
        }
    }

    /// It has not mapped a page of `bytes`, and is where `old` was. Either nothing has changed, and `e` is why the cursor can't
    /// work on so many bytes, or it is why no such page can be mapped, if `is_why`; or the page that was to be replaced is
    /// unmapped, and for the new one there was no memory, or processors could not be told of the old one.
    pub open spec fn is_refused_from(
        self,
        old: Self,
        bytes: u64,
        is_why: bool,
        e: VmError,
    ) -> bool {
        let at = old.at();
        &&& self.is_over(old)
        &&& self.is_live() == old.is_live()
        &&& self.at() == at
        &&& {
            ||| {
                &&& self.space() == old.space()
                &&& is_why || old.is_short(bytes, e)
                &&& old.space().has_bytes(at, bytes as int) ==> !(e matches VmError::Paging(e)
                    && e is AlreadyMapped)
            }
            ||| {
                &&& old.space().has_bytes(at, bytes as int)
                &&& self.space() == old.space().unmap(at)
                &&& is_noted(old.noted(), self.noted(), at, bytes as int)
                &&& match e {
                    VmError::Paging(Error::NoMemory { size, .. }) => size == bytes,
                    VmError::Shootdown(_) => !K::Mode::resizes(),
                    _ => false,
                }
            }
        }
    }

    /// `e` is why the cursor can't work on a page of `bytes`.
    pub open spec fn is_short(self, bytes: u64, e: VmError) -> bool {
        ||| self.as_spec().is_ahead_error(bytes, e)
        ||| bytes == 0 && self.at() == self.end() && e == (VmError::OutOfRange {
            addr: self.at() as u64,
        })
    }

    /// `e` is why the `bytes` from `frame` on can't be mapped as one page where the cursor is: that of
    /// [`PageTable::map`](crate::PageTable::map), but for frames of another table.
    pub open(crate) spec fn refuses_segment(
        self,
        frame: PhysAddr,
        bytes: u64,
        prop: PageProperty,
        e: VmError,
    ) -> bool {
        exists|va: VirtAddr<K::Mode>|
            {
                &&& va@ == self.at()
                &&& K::Mode::canonical(va.raw())
                &&& #[trigger] self.part().is_map_error(va, frame, bytes, prop, e)
            }
    }

    /// `e` is why a page of a device's can't be mapped where the cursor is: part of it is ordinary memory, or as for
    /// [`PageTable::map`](crate::PageTable::map).
    pub open(crate) spec fn refuses_iomem(
        self,
        addr: PhysAddr,
        size: PageSize,
        prop: PageProperty,
        e: VmError,
    ) -> bool {
        exists|va: VirtAddr<K::Mode>|
            {
                &&& va@ == self.at()
                &&& K::Mode::canonical(va.raw())
                &&& #[trigger] self.part().is_iomem_error(va, addr, size, prop, e)
            }
    }

    /// `e` is why the ends of the next `len` bytes could not be cut.
    pub open spec fn is_cut_error(self, len: u64, e: Error) -> bool {
        exists|range: VirtRange<K::Mode>|
            range.first()@ == self.at() && range.bytes() == len && #[trigger] request::is_cut_error(
                self.space(),
                range,
                e,
            )
    }

    /// It has unmapped all pages in the next `len` bytes, which were `n` after the ends were cut, and gone on past them.
    pub open spec fn is_unmapped_from(self, old: Self, len: u64, n: u64) -> bool {
        let (lo, hi) = (old.at(), old.at() + len);
        &&& self.is_over(old)
        &&& self.is_live() == old.is_live()
        &&& self.at() == hi
        &&& hi <= self.end()
        &&& exists|cut: AddressSpace|
            {
                &&& #[trigger] old.space().may_cut::<K::Mode>(lo, hi, cut)
                &&& !cut.is_cut(lo, hi) || lo == hi
                &&& self.space() == cut.unmap_range(lo, hi)
                &&& n == cut.count_pages(lo, hi)
                &&& cut.is_noted_between(old.noted(), self.noted(), lo, hi)
            }
    }

    /// It has given the first page in the next `len` bytes other properties, those that `op` makes of what was seen there, and
    /// gone on past it: `range`. If the page reached out of these bytes, it was cut, and `range` is its first part in them.
    pub open spec fn is_protected_from<F: FnOnce(PageProperty) -> PageProperty>(
        self,
        old: Self,
        len: u64,
        op: F,
        range: VirtRange<K::Mode>,
    ) -> bool {
        let (va, bytes) = (range.first()@, range.bytes() as int);
        let hi = min(old.space().end_of_page(va), old.at() + len);
        &&& self.is_over(old)
        &&& self.is_live() == old.is_live()
        &&& old.space().is_next(old.at(), va)
        &&& va + bytes <= hi <= self.end()
        &&& self.at() == va + bytes
        &&& is_noted(old.noted(), self.noted(), va, bytes)
        &&& exists|seen: PageProperty, new: PageProperty|
            {
                &&& old.space().lookup(va)->0.prop.may_become(seen)
                &&& #[trigger] op.ensures((seen,), new)
                &&& K::Mode::supports(new)
                &&& old.space().may_protect_part::<K::Mode>(va, hi, bytes, new, self.space())
            }
    }

    /// `e` is why a page in the next `len` bytes could not be given other properties.
    pub open spec fn is_protect_error(self, len: u64, e: VmError) -> bool {
        ||| self.as_spec().is_ahead_error(len, e)
        ||| e matches VmError::Paging(e) && match e {
            Error::UnsupportedProperty { .. } => true,
            Error::NoMemory { .. } => K::Mode::resizes(),
            Error::BreakBeforeMake { .. } => !K::Mode::resizes(),
            Error::NotAligned { .. } => self.at() % K::Mode::geo().span(1) != 0,
            _ => false,
        }
    }
}

} // verus!
