//! Sizes of the smallest page, with how many bits of an address are translated.

use super::super::entry::Sealed;
use super::super::geometry::Geometry;
#[cfg(verus_only)]
use super::super::words;
use crate::addr::PageSize;
use vstd::prelude::*;

verus! {

/// The size of the smallest page and of tables, and how many bits of an address these translate: [`Pages4K39`],
/// [`Pages4K47`] or [`Pages16K47`].
pub trait Pages: Copy + Sealed {
    /// The shape of the tables.
    spec fn shape() -> Geometry;

    /// How many bits of an address the tables translate.
    spec fn width() -> u64;

    /// The shape of the tables.
    fn geometry() -> (r: Geometry)
        ensures
            r == Self::shape(),
        opens_invariants none
        no_unwind
    ;

    /// How many bits of an address the tables translate.
    fn address_bits() -> (r: u64)
        ensures
            r == Self::width(),
        opens_invariants none
        no_unwind
    ;

    /// It is one of three.
    proof fn lemma_shape()
        ensures
            is_shape(Self::shape(), Self::width()),
            Self::shape().wf(),
    ;
}

/// Whether tables of this shape that translate `width` bits are among those that there are.
pub open spec fn is_shape(g: Geometry, width: u64) -> bool {
    ||| g == (Geometry { page_bits: 12, index_bits: 9, levels: 3, root_bits: 9 }) && width == 39
    ||| g == (Geometry { page_bits: 12, index_bits: 9, levels: 4, root_bits: 8 }) && width == 47
    ||| g == (Geometry { page_bits: 14, index_bits: 11, levels: 3, root_bits: 11 }) && width == 47
}

/// The size of the pages of a level, with smallest pages of 2 to the power of `page_bits` bytes.
pub open spec fn page_size(page_bits: u8, level: nat) -> Option<PageSize> {
    if page_bits == 12 {
        words::page_size(level)
    } else if level == 1 {
        Some(PageSize::Size16K)
    } else if level == 2 {
        Some(PageSize::Size32M)
    } else {
        None
    }
}

/// The level of pages of `size`, with smallest pages of 2 to the power of `page_bits` bytes.
#[inline(always)]
pub(super) fn level_of(page_bits: u8, size: PageSize) -> (r: Option<u8>)
    requires
        page_bits == 12 || page_bits == 14,
    ensures
        match r {
            Some(l) => 1 <= l <= 3 && page_size(page_bits, l as nat) == Some(size),
            None => forall|l: nat| #[trigger] page_size(page_bits, l) != Some(size),
        },
    no_unwind
{
    match (page_bits, size) {
        (12, PageSize::Size4K) | (14, PageSize::Size16K) => Some(1),
        (12, PageSize::Size2M) | (14, PageSize::Size32M) => Some(2),
        (12, PageSize::Size1G) => Some(3),
        _ => None,
    }
}

/// The size of the pages of a level, with smallest pages of 2 to the power of `page_bits` bytes.
#[inline(always)]
pub(super) fn size_at(page_bits: u8, level: u8) -> (r: Option<PageSize>)
    requires
        page_bits == 12 || page_bits == 14,
    ensures
        r == page_size(page_bits, level as nat),
    no_unwind
{
    match (page_bits, level) {
        (12, 1) => Some(PageSize::Size4K),
        (12, 2) => Some(PageSize::Size2M),
        (12, 3) => Some(PageSize::Size1G),
        (14, 1) => Some(PageSize::Size16K),
        (14, 2) => Some(PageSize::Size32M),
        _ => None,
    }
}

/// Pages of 4 KiB, 39-bit addresses: three levels.
#[derive(Clone, Copy, Debug)]
pub struct Pages4K39;

/// Pages of 4 KiB, 47-bit addresses: four levels, of which the root has 256 entries.
#[derive(Clone, Copy, Debug)]
pub struct Pages4K47;

/// Pages of 16 KiB, 47-bit addresses: three levels.
#[derive(Clone, Copy, Debug)]
pub struct Pages16K47;

impl Sealed for Pages4K39 {

}

impl Pages for Pages4K39 {
    open spec fn shape() -> Geometry {
        Geometry { page_bits: 12, index_bits: 9, levels: 3, root_bits: 9 }
    }

    open spec fn width() -> u64 {
        39
    }

    #[inline(always)]
    fn geometry() -> Geometry {
        Geometry { page_bits: 12, index_bits: 9, levels: 3, root_bits: 9 }
    }

    #[inline(always)]
    fn address_bits() -> u64 {
        39
    }

    proof fn lemma_shape() {
    }
}

impl Sealed for Pages4K47 {

}

impl Pages for Pages4K47 {
    open spec fn shape() -> Geometry {
        Geometry { page_bits: 12, index_bits: 9, levels: 4, root_bits: 8 }
    }

    open spec fn width() -> u64 {
        47
    }

    #[inline(always)]
    fn geometry() -> Geometry {
        Geometry { page_bits: 12, index_bits: 9, levels: 4, root_bits: 8 }
    }

    #[inline(always)]
    fn address_bits() -> u64 {
        47
    }

    proof fn lemma_shape() {
    }
}

impl Sealed for Pages16K47 {

}

impl Pages for Pages16K47 {
    open spec fn shape() -> Geometry {
        Geometry { page_bits: 14, index_bits: 11, levels: 3, root_bits: 11 }
    }

    open spec fn width() -> u64 {
        47
    }

    #[inline(always)]
    fn geometry() -> Geometry {
        Geometry { page_bits: 14, index_bits: 11, levels: 3, root_bits: 11 }
    }

    #[inline(always)]
    fn address_bits() -> u64 {
        47
    }

    proof fn lemma_shape() {
    }
}

} // verus!
