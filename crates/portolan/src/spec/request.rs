//! What a page table answers to a request: when it is done, and which error says why it isn't.

use crate::addr::{PageSize, PhysAddr, VirtAddr, VirtRange};
use crate::arch::PagingMode;
use crate::error::Error;
use crate::prop::{Mapping, PageProperty};
use crate::spec::space::AddressSpace;
use vstd::arithmetic::power2::pow2;
use vstd::prelude::*;

verus! {

/// Whether mode `A` has pages of `size`.
pub open spec fn has_size<A: PagingMode>(size: PageSize) -> bool {
    exists|l: nat| 1 <= l <= A::geo().levels && #[trigger] A::page_size(l) == Some(size)
}

/// Whether a page of `size` can be at `va` at all; if not, `Some` error.
pub open spec fn check<A: PagingMode>(va: VirtAddr<A>, size: PageSize) -> Option<Error> {
    let addr = va.raw();
    let bytes = size.bytes();
    if !has_size::<A>(size) {
        Some(Error::UnsupportedSize { addr, size: bytes })
    } else if addr as int % bytes as int != 0 {
        Some(Error::NotAligned { addr, size: bytes })
    } else {
        None
    }
}

/// Whether such a page can be mapped in an empty address space, on a machine with `phys_bits` bits of physical address;
/// if not, `Some` error.
pub open spec fn check_map<A: PagingMode>(
    phys_bits: u64,
    va: VirtAddr<A>,
    frame: PhysAddr,
    size: PageSize,
    prop: PageProperty,
) -> Option<Error> {
    let bytes = size.bytes();
    if check(va, size) is Some {
        check(va, size)
    } else if frame.0 as int % bytes as int != 0 {
        Some(Error::NotAligned { addr: frame.0, size: bytes })
    } else if !A::supports(prop) {
        Some(Error::UnsupportedProperty { addr: va.raw(), size: bytes })
    } else if frame.0 + bytes > pow2(phys_bits as nat) {
        Some(Error::PhysTooWide { addr: frame.0, size: bytes })
    } else {
        None
    }
}

/// Whether a page that is larger than `size` covers `va`.
pub open spec fn is_covered<A: PagingMode>(
    space: AddressSpace,
    va: VirtAddr<A>,
    size: PageSize,
) -> bool {
    space.lookup(va@) matches Some(m) && m.size.bytes() > size.bytes()
}

/// `e` names the page that covers `va` and is larger than `size`.
pub open spec fn names_cover<A: PagingMode>(
    space: AddressSpace,
    va: VirtAddr<A>,
    size: PageSize,
    at: u64,
    bytes: u64,
) -> bool {
    &&& space.lookup(va@) matches Some(m)
    &&& m.size.bytes() == bytes
    &&& bytes > size.bytes()
    &&& at == va.raw() - va.raw() as int % bytes as int
}

/// `e` says what is in the way of a page: a larger one that covers it, or something in its own place.
pub open spec fn is_in_the_way<A: PagingMode>(
    space: AddressSpace,
    va: VirtAddr<A>,
    size: PageSize,
    e: Error,
) -> bool {
    e matches Error::AlreadyMapped { addr, size: s } && if is_covered(space, va, size) {
        names_cover(space, va, size, addr, s)
    } else {
        addr == va.raw() && s == size.bytes()
    }
}

/// `e` is the answer to a request to map that is not done.
pub open spec fn is_map_error<A: PagingMode>(
    space: AddressSpace,
    phys_bits: u64,
    va: VirtAddr<A>,
    frame: PhysAddr,
    size: PageSize,
    prop: PageProperty,
    e: Error,
) -> bool {
    let here = va.raw();
    let bytes = size.bytes();
    if check_map(phys_bits, va, frame, size, prop) is Some {
        check_map(phys_bits, va, frame, size, prop) == Some(e)
    } else if space.overlaps(va@, bytes as int) {
        is_in_the_way(space, va, size, e)
    } else {
        e == (Error::NoMemory { addr: here, size: bytes })
    }
}

/// `e` is the answer to a request for the page of `size` at `va` if it isn't there.
pub open spec fn is_find_error<A: PagingMode>(
    space: AddressSpace,
    va: VirtAddr<A>,
    size: PageSize,
    e: Error,
) -> bool {
    if check(va, size) is Some {
        check(va, size) == Some(e)
    } else {
        &&& !space.has(va@, size)
        &&& match e {
            Error::CoveredByHugePage { addr, size: s } => names_cover(space, va, size, addr, s),
            Error::NotMapped { addr, size: s } => {
                &&& addr == va.raw() && s == size.bytes()
                &&& space.lookup(va@) matches Some(m) ==> m.size.bytes() < size.bytes()
            },
            _ => false,
        }
    }
}

/// Whether a page in use may be given these properties only by way of an entry that is not present: where live entries
/// must not change how memory is cached, nor become global.
pub open spec fn needs_break<A: PagingMode>(was: PageProperty, now: PageProperty) -> bool {
    !A::resizes() && (was.cache != now.cache || now.global && !was.global)
}

/// Whether each page that starts from `lo` to below `hi` may be given these properties while it is in use.
pub open spec fn needs_no_break<A: PagingMode>(
    space: AddressSpace,
    lo: int,
    hi: int,
    prop: PageProperty,
) -> bool {
    forall|base: int|
        lo <= base < hi && #[trigger] space.pages.contains_key(base) ==> !needs_break::<A>(
            space.pages[base].prop,
            prop,
        )
}

/// The page of `size` bytes at `base` is the first of those from `lo` to below `hi` that may not.
pub open spec fn is_first_break<A: PagingMode>(
    space: AddressSpace,
    lo: int,
    hi: int,
    prop: PageProperty,
    base: int,
    size: int,
) -> bool {
    &&& lo <= base < hi
    &&& space.pages.contains_key(base)
    &&& space.pages[base].size.bytes() == size
    &&& needs_break::<A>(space.pages[base].prop, prop)
    &&& needs_no_break::<A>(space, lo, base, prop)
}

/// `e` is the answer to a request to protect that is not done.
pub open spec fn is_protect_error<A: PagingMode>(
    space: AddressSpace,
    va: VirtAddr<A>,
    size: PageSize,
    prop: PageProperty,
    e: Error,
) -> bool {
    if check(va, size) is None && !A::supports(prop) {
        e == (Error::UnsupportedProperty { addr: va.raw(), size: size.bytes() })
    } else if check(va, size) is None && space.has(va@, size) {
        &&& e == (Error::BreakBeforeMake { addr: va.raw(), size: size.bytes() })
        &&& needs_break::<A>(space.pages[va@].prop, prop)
    } else {
        is_find_error(space, va, size, e)
    }
}

/// Whether a range can be worked on at all; if not, `Some` error.
pub open spec fn check_range<A: PagingMode>(range: VirtRange<A>) -> Option<Error> {
    let addr = range.first().raw();
    let bytes = range.bytes();
    let size = A::geo().span(1) as u64;
    if addr as int % size as int != 0 {
        Some(Error::NotAligned { addr, size })
    } else if bytes as int % size as int != 0 {
        Some(Error::NotAligned { addr: addr.wrapping_add(bytes), size })
    } else if range.first()@ + bytes > A::geo().limit() {
        Some(Error::PastEnd { addr, size: bytes })
    } else {
        None
    }
}

/// A page of `size` bytes at `addr` lies partly in `lo..hi` and partly outside.
pub open spec fn names_cut<A: PagingMode>(
    space: AddressSpace,
    lo: int,
    hi: int,
    addr: u64,
    size: u64,
) -> bool {
    let base = addr as int % A::geo().limit();
    &&& A::canonical(addr)
    &&& space.pages.contains_key(base)
    &&& space.pages[base].size.bytes() == size
    &&& base < hi && lo < base + size
    &&& !(lo <= base && base + size <= hi)
}

/// `e` is the answer to a request for all pages of a range that is not done.
pub open spec fn is_range_error<A: PagingMode>(
    space: AddressSpace,
    range: VirtRange<A>,
    e: Error,
) -> bool {
    let lo = range.first()@;
    let hi = lo + range.bytes();
    if check_range(range) is Some {
        check_range(range) == Some(e)
    } else {
        e matches Error::CoveredByHugePage { addr, size } && names_cut::<A>(
            space,
            lo,
            hi,
            addr,
            size,
        )
    }
}

/// `e` is the answer to a request for all pages of a range that is not done because one can't be divided that lies partly in
/// the range.
pub open spec fn is_cut_error<A: PagingMode>(
    space: AddressSpace,
    range: VirtRange<A>,
    e: Error,
) -> bool {
    let lo = range.first()@;
    let hi = lo + range.bytes();
    if check_range(range) is Some {
        check_range(range) == Some(e)
    } else {
        &&& lo < hi
        &&& space.is_cut(lo, hi)
        &&& if A::resizes() {
            e == (Error::NoMemory { addr: range.first().raw(), size: range.bytes() })
        } else {
            e matches Error::BreakBeforeMake { addr, size } && names_cut::<A>(
                space,
                lo,
                hi,
                addr,
                size,
            )
        }
    }
}

/// The size of the pages that a page of `size` can be divided into: the mode's next smaller one.
pub open spec fn part_size<A: PagingMode>(size: PageSize) -> Option<PageSize> {
    let l = choose|l: nat| 1 <= l <= A::geo().levels && #[trigger] A::page_size(l) == Some(size);
    if l > 1 {
        A::page_size((l - 1) as nat)
    } else {
        None
    }
}

/// `e` is the answer to a request to split that is not done.
pub open spec fn is_split_error<A: PagingMode>(
    space: AddressSpace,
    va: VirtAddr<A>,
    size: PageSize,
    e: Error,
) -> bool {
    let addr = va.raw();
    let bytes = size.bytes();
    if check(va, size) is Some || !space.has(va@, size) {
        is_find_error(space, va, size, e)
    } else if part_size::<A>(size) is None {
        e == (Error::UnsupportedSize { addr, size: bytes })
    } else if !A::resizes() {
        e == (Error::BreakBeforeMake { addr, size: bytes })
    } else {
        e == (Error::NoMemory { addr, size: bytes })
    }
}

/// `e` is the answer to a request to collapse that is not done.
pub open spec fn is_collapse_error<A: PagingMode>(
    space: AddressSpace,
    va: VirtAddr<A>,
    size: PageSize,
    e: Error,
) -> bool {
    let addr = va.raw();
    if check(va, size) is Some {
        check(va, size) == Some(e)
    } else {
        match part_size::<A>(size) {
            None => e == (Error::UnsupportedSize { addr, size: size.bytes() }),
            Some(part) => match e {
                Error::AlreadyMapped { addr: at, size: s } => {
                    &&& space.lookup(va@) matches Some(m) && m.size.bytes() == s >= size.bytes()
                    &&& at == addr - addr as int % s as int
                },
                Error::NotMapped { addr: at, size: s } => {
                    &&& addr <= at < at + s <= addr + size.bytes()
                    &&& !space.overlaps(va@ + (at - addr), s as int)
                },
                Error::NotUniform { addr: at, size: s } => {
                    &&& s == part.bytes()
                    &&& AddressSpace::is_part(va@, size, part, va@ + (at - addr))
                    &&& !space.fits(va@, size, part, va@ + (at - addr))
                },
                Error::BreakBeforeMake { addr: at, size: s } => {
                    &&& at == addr && s == size.bytes()
                    &&& !A::resizes()
                    &&& space.is_uniform(va@, size, part)
                },
                _ => false,
            },
        }
    }
}

/// `e` is the answer to a request to protect a range that is not done.
pub open spec fn is_protect_range_error<A: PagingMode>(
    space: AddressSpace,
    range: VirtRange<A>,
    prop: PageProperty,
    e: Error,
) -> bool {
    let lo = range.first()@;
    let hi = lo + range.bytes();
    if !A::supports(prop) {
        e == (Error::UnsupportedProperty { addr: range.first().raw(), size: range.bytes() })
    } else if check_range(range) is None && !space.is_cut(lo, hi) {
        e matches Error::BreakBeforeMake { addr, size } && A::canonical(addr) && is_first_break::<
            A,
        >(space, lo, hi, prop, addr as int % A::geo().limit(), size as int)
    } else {
        is_cut_error(space, range, e)
    }
}

/// `was` is the page of `size` at `va`, with all that hardware had set.
pub open spec fn is_found<A: PagingMode>(
    space: AddressSpace,
    va: VirtAddr<A>,
    size: PageSize,
    was: Mapping,
) -> bool {
    &&& check(va, size) is None
    &&& space.has(va@, size)
    &&& space.pages[va@].may_become(was)
}

/// Whether a range can be mapped in an empty address space, on a machine with `phys_bits` bits of physical address; if
/// not, `Some` error.
pub open spec fn check_map_range<A: PagingMode>(
    phys_bits: u64,
    range: VirtRange<A>,
    frame: PhysAddr,
    largest: PageSize,
    prop: PageProperty,
) -> Option<Error> {
    let (addr, size) = (range.first().raw(), range.bytes());
    match A::page_size(1) {
        Some(smallest) if smallest.bytes() <= largest.bytes() => {
            let unit = smallest.bytes();
            if addr as int % unit as int != 0 || size as int % unit as int != 0 {
                Some(Error::NotAligned { addr, size: unit })
            } else if frame.0 as int % unit as int != 0 {
                Some(Error::NotAligned { addr: frame.0, size: unit })
            } else if !A::supports(prop) {
                Some(Error::UnsupportedProperty { addr, size })
            } else if size > 0 && frame.0 + size > pow2(phys_bits as nat) {
                Some(Error::PhysTooWide { addr: frame.0, size })
            } else if range.first()@ + size > A::geo().limit() {
                Some(Error::PastEnd { addr, size })
            } else {
                None
            }
        },
        _ => Some(Error::UnsupportedSize { addr, size: largest.bytes() }),
    }
}

/// `e` is the answer to a request to map a range that is not done.
pub open spec fn is_map_range_error<A: PagingMode>(
    space: AddressSpace,
    phys_bits: u64,
    range: VirtRange<A>,
    frame: PhysAddr,
    largest: PageSize,
    prop: PageProperty,
    e: Error,
) -> bool {
    let lo = range.first()@;
    let hi = lo + range.bytes();
    if check_map_range(phys_bits, range, frame, largest, prop) is Some {
        check_map_range(phys_bits, range, frame, largest, prop) == Some(e)
    } else {
        match e {
            Error::AlreadyMapped { addr, size } => {
                &&& is_first_in_the_way(space, range, addr, size)
                &&& !space.is_free(lo, hi)
            },
            Error::NoMemory { addr, size } => {
                &&& addr == range.first().raw() && size == range.bytes()
                &&& space.is_free(lo, hi)
            },
            _ => false,
        }
    }
}

/// In the `size` bytes at `addr` is the first thing that is mapped in a range.
pub open spec fn is_first_in_the_way<A: PagingMode>(
    space: AddressSpace,
    range: VirtRange<A>,
    addr: u64,
    size: u64,
) -> bool {
    let lo = range.first()@;
    exists|at: int| #[trigger]
        space.is_free(lo, at) && {
            let raw = range.first().raw() + (at - lo);
            &&& lo <= at < lo + range.bytes()
            &&& size > 0
            &&& addr == raw - raw % size as int
            &&& !space.is_free(at - at % size as int, at - at % size as int + size)
        }
}

/// The page of `size` bytes at `addr` is the first of those that lie in `lo..hi`, or partly.
pub open spec fn names_first<A: PagingMode>(
    space: AddressSpace,
    lo: int,
    hi: int,
    addr: u64,
    size: u64,
) -> bool {
    let base = addr as int % A::geo().limit();
    &&& A::canonical(addr)
    &&& base < hi
    &&& space.is_next_page(lo, base)
    &&& space.pages[base].size.bytes() == size
}

/// `e` is the answer to a request to copy a range of `from` to `into` that is not done; `phys_bits` is how many bits the
/// physical addresses have for `into`.
pub open spec fn is_copy_range_error<A: PagingMode>(
    from: AddressSpace,
    into: AddressSpace,
    phys_bits: u64,
    range: VirtRange<A>,
    e: Error,
) -> bool {
    let lo = range.first()@;
    let hi = lo + range.bytes();
    match e {
        Error::AlreadyMapped { addr, size } => {
            &&& check_range(range) is None
            &&& !from.is_cut(lo, hi)
            &&& names_first::<A>(into, lo, hi, addr, size)
        },
        Error::PhysTooWide { addr, size } => {
            &&& check_range(range) is None
            &&& !from.is_cut(lo, hi)
            &&& into.is_free(lo, hi)
            &&& exists|base: int| #[trigger]
                from.is_first_beyond(lo, hi, phys_bits, base) && addr == from.pages[base].frame.0
                    && size == from.pages[base].size.bytes()
        },
        Error::NoMemory { addr, size } => {
            &&& check_range(range) is None
            &&& !from.is_cut(lo, hi)
            &&& into.is_free(lo, hi)
            &&& from.is_within(lo, hi, phys_bits)
            &&& addr == range.first().raw() && size == range.bytes()
        },
        _ => is_range_error(from, range, e),
    }
}

} // verus!
