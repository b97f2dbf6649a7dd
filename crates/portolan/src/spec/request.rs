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

/// Whether a range can be gone through page by page: both ends are multiples of the smallest page, and the table covers it.
pub open spec fn is_walkable<A: PagingMode>(range: VirtRange<A>) -> bool {
    &&& range.first().raw() as int % A::geo().span(1) == 0
    &&& range.bytes() as int % A::geo().span(1) == 0
    &&& range.first()@ + range.bytes() <= A::geo().limit()
}

/// `e` is the answer to a request to go through a range that can't be.
pub open spec fn is_walk_error<A: PagingMode>(range: VirtRange<A>, e: Error) -> bool {
    let page = A::geo().span(1);
    &&& !is_walkable(range)
    &&& match e {
        Error::NotAligned { addr, size } => {
            let first = range.first().raw();
            &&& size == page
            &&& if first as int % page != 0 {
                addr == first
            } else {
                &&& range.bytes() as int % page != 0
                &&& first + range.bytes() <= u64::MAX ==> addr == first + range.bytes()
            }
        },
        Error::PastEnd { addr, size } => {
            &&& addr == range.first().raw() && size == range.bytes()
            &&& range.first()@ + range.bytes() > A::geo().limit()
        },
        _ => false,
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
    } else {
        is_find_error(space, va, size, e)
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

} // verus!
