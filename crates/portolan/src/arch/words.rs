//! What the formats have in common: pages of 4 KiB, 2 MiB and 1 GiB, flags, and addresses that copy their top bit.

use crate::addr::PageSize;
use vstd::contrib::auto_spec;
use vstd::prelude::*;

#[cfg(verus_only)]
pub(super) mod proof;

verus! {

/// The size of the pages of a level, with tables of 4 KiB.
pub open spec fn page_size(level: nat) -> Option<PageSize> {
    if level == 1 {
        Some(PageSize::Size4K)
    } else if level == 2 {
        Some(PageSize::Size2M)
    } else if level == 3 {
        Some(PageSize::Size1G)
    } else {
        None
    }
}

/// The size of the pages of a level, with tables of 4 KiB.
#[inline(always)]
pub(super) fn size_at(level: u8) -> (r: Option<PageSize>)
    ensures
        r == page_size(level as nat),
    no_unwind
{
    match level {
        1 => Some(PageSize::Size4K),
        2 => Some(PageSize::Size2M),
        3 => Some(PageSize::Size1G),
        _ => None,
    }
}

/// The level of pages of `size`, with tables of 4 KiB.
#[inline(always)]
pub(super) fn level_of(size: PageSize) -> (r: Option<u8>)
    ensures
        match r {
            Some(l) => 1 <= l <= 3 && page_size(l as nat) == Some(size),
            None => forall|l: nat| #[trigger] page_size(l) != Some(size),
        },
    no_unwind
{
    match size {
        PageSize::Size4K => Some(1),
        PageSize::Size2M => Some(2),
        PageSize::Size1G => Some(3),
        _ => None,
    }
}

/// A bit, if it is to be set.
#[auto_spec]
#[inline(always)]
pub(super) fn flag(set: bool, bit: u64) -> u64
    no_unwind
{
    if set {
        bit
    } else {
        0
    }
}

/// Whether all bits above the lower `width` are copies of the highest of these.
#[auto_spec]
#[inline(always)]
pub(super) fn is_sign_extended(raw: u64, width: u64) -> bool
    requires
        1 <= width < 64,
    no_unwind
{
    let upper = raw >> (width - 1);
    upper == 0 || upper == u64::MAX >> (width - 1)
}

/// The lower `width` bits of an address, and above them copies of the highest.
#[inline(always)]
pub(super) fn sign_extend(offset: u64, width: u64) -> (r: u64)
    requires
        1 <= width < 64,
        offset < vstd::arithmetic::power2::pow2(width as nat),
    ensures
        is_sign_extended(r, width),
        r as int % vstd::arithmetic::power2::pow2(width as nat) as int == offset,
    no_unwind
{
    let r = if offset >> (width - 1) == 0 {
        offset
    } else {
        offset | (u64::MAX << width)
    };
    proof {
        proof::lemma_sign_extend(offset, width, r);
    }
    r
}

} // verus!
