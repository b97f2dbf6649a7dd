//! Translation granules, with how many bits of an address they translate.

use super::super::entry::Sealed;
use super::super::geometry::Geometry;
#[cfg(verus_only)]
use super::super::words;
use crate::addr::PageSize;
use vstd::prelude::*;

verus! {

/// A granule, the size of pages and tables, and how many bits of an address its tables translate: [`Granule4K39`],
/// [`Granule4K48`], [`Granule16K47`], [`Granule16K48`], [`Granule64K42`] or [`Granule64K48`].
pub trait Granule: Copy + Sealed {
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

    /// It is one of six.
    proof fn lemma_shape()
        ensures
            is_shape(Self::shape(), Self::width()),
            Self::shape().wf(),
    ;
}

/// Whether tables of this shape that translate `width` bits are those of a granule (Arm ARM DDI 0487, tables D8-18, D8-28
/// and D8-37).
pub open spec fn is_shape(g: Geometry, width: u64) -> bool {
    ||| g == (Geometry { page_bits: 12, index_bits: 9, levels: 3, root_bits: 9 }) && width == 39
    ||| g == (Geometry { page_bits: 12, index_bits: 9, levels: 4, root_bits: 9 }) && width == 48
    ||| g == (Geometry { page_bits: 14, index_bits: 11, levels: 3, root_bits: 11 }) && width == 47
    ||| g == (Geometry { page_bits: 14, index_bits: 11, levels: 4, root_bits: 1 }) && width == 48
    ||| g == (Geometry { page_bits: 16, index_bits: 13, levels: 2, root_bits: 13 }) && width == 42
    ||| g == (Geometry { page_bits: 16, index_bits: 13, levels: 3, root_bits: 6 }) && width == 48
}

/// The size of the pages or blocks of a level, with pages of 2 to the power of `page_bits` bytes.
pub open spec fn page_size(page_bits: u8, level: nat) -> Option<PageSize> {
    if page_bits == 12 {
        words::page_size(level)
    } else if page_bits == 14 {
        if level == 1 {
            Some(PageSize::Size16K)
        } else if level == 2 {
            Some(PageSize::Size32M)
        } else {
            None
        }
    } else if page_bits == 16 {
        if level == 1 {
            Some(PageSize::Size64K)
        } else if level == 2 {
            Some(PageSize::Size512M)
        } else {
            None
        }
    } else {
        None
    }
}

/// The level of pages or blocks of `size`, with pages of 2 to the power of `page_bits` bytes.
#[inline(always)]
pub(super) fn level_of(page_bits: u8, size: PageSize) -> (r: Option<u8>)
    requires
        page_bits == 12 || page_bits == 14 || page_bits == 16,
    ensures
        match r {
            Some(l) => 1 <= l <= 3 && (l == 3 ==> page_bits == 12) && page_size(page_bits, l as nat)
                == Some(size),
            None => forall|l: nat| #[trigger] page_size(page_bits, l) != Some(size),
        },
    no_unwind
{
    match (page_bits, size) {
        (12, PageSize::Size4K) | (14, PageSize::Size16K) | (16, PageSize::Size64K) => Some(1),
        (12, PageSize::Size2M) | (14, PageSize::Size32M) | (16, PageSize::Size512M) => Some(2),
        (12, PageSize::Size1G) => Some(3),
        _ => None,
    }
}

/// The size of the pages or blocks of a level, with pages of 2 to the power of `page_bits` bytes.
#[inline(always)]
pub(super) fn size_at(page_bits: u8, level: u8) -> (r: Option<PageSize>)
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
        (16, 1) => Some(PageSize::Size64K),
        (16, 2) => Some(PageSize::Size512M),
        _ => None,
    }
}

/// Pages of 4 KiB, 39-bit addresses: three levels.
#[derive(Clone, Copy, Debug)]
pub struct Granule4K39;

/// Pages of 4 KiB, 48-bit addresses: four levels.
#[derive(Clone, Copy, Debug)]
pub struct Granule4K48;

/// Pages of 16 KiB, 47-bit addresses: three levels.
#[derive(Clone, Copy, Debug)]
pub struct Granule16K47;

/// Pages of 16 KiB, 48-bit addresses: four levels, of which the root has two entries.
#[derive(Clone, Copy, Debug)]
pub struct Granule16K48;

/// Pages of 64 KiB, 42-bit addresses: two levels.
#[derive(Clone, Copy, Debug)]
pub struct Granule64K42;

/// Pages of 64 KiB, 48-bit addresses: three levels, of which the root has 64 entries.
#[derive(Clone, Copy, Debug)]
pub struct Granule64K48;

impl Sealed for Granule4K39 {

}

impl Granule for Granule4K39 {
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

impl Sealed for Granule4K48 {

}

impl Granule for Granule4K48 {
    open spec fn shape() -> Geometry {
        Geometry { page_bits: 12, index_bits: 9, levels: 4, root_bits: 9 }
    }

    open spec fn width() -> u64 {
        48
    }

    #[inline(always)]
    fn geometry() -> Geometry {
        Geometry { page_bits: 12, index_bits: 9, levels: 4, root_bits: 9 }
    }

    #[inline(always)]
    fn address_bits() -> u64 {
        48
    }

    proof fn lemma_shape() {
    }
}

impl Sealed for Granule16K47 {

}

impl Granule for Granule16K47 {
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

impl Sealed for Granule16K48 {

}

impl Granule for Granule16K48 {
    open spec fn shape() -> Geometry {
        Geometry { page_bits: 14, index_bits: 11, levels: 4, root_bits: 1 }
    }

    open spec fn width() -> u64 {
        48
    }

    #[inline(always)]
    fn geometry() -> Geometry {
        Geometry { page_bits: 14, index_bits: 11, levels: 4, root_bits: 1 }
    }

    #[inline(always)]
    fn address_bits() -> u64 {
        48
    }

    proof fn lemma_shape() {
    }
}

impl Sealed for Granule64K42 {

}

impl Granule for Granule64K42 {
    open spec fn shape() -> Geometry {
        Geometry { page_bits: 16, index_bits: 13, levels: 2, root_bits: 13 }
    }

    open spec fn width() -> u64 {
        42
    }

    #[inline(always)]
    fn geometry() -> Geometry {
        Geometry { page_bits: 16, index_bits: 13, levels: 2, root_bits: 13 }
    }

    #[inline(always)]
    fn address_bits() -> u64 {
        42
    }

    proof fn lemma_shape() {
    }
}

impl Sealed for Granule64K48 {

}

impl Granule for Granule64K48 {
    open spec fn shape() -> Geometry {
        Geometry { page_bits: 16, index_bits: 13, levels: 3, root_bits: 6 }
    }

    open spec fn width() -> u64 {
        48
    }

    #[inline(always)]
    fn geometry() -> Geometry {
        Geometry { page_bits: 16, index_bits: 13, levels: 3, root_bits: 6 }
    }

    #[inline(always)]
    fn address_bits() -> u64 {
        48
    }

    proof fn lemma_shape() {
    }
}

} // verus!
