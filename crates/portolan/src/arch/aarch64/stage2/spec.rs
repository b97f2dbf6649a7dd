//! Which AArch64 stage 2 descriptors are ours, as definitions.

use super::super::super::entry::{Entry, is_frame_address};
use super::super::granule::page_size;
use super::super::spec::is_our_table;
use super::{cache_bits, decode};
use crate::prop::PageProperty;
use vstd::prelude::*;

verus! {

/// Whether a page or block is one of ours: last level or not, inner shareable, readable, of one of four memory types, and
/// read-only unless hardware may make it dirty.
pub(super) open spec fn is_ours(level: nat, word: u64, prop: PageProperty) -> bool {
    &&& level == 1 ==> word & 0x2 != 0
    &&& word & 0xfeb7_0000_0000_0b40 == 0x340
    &&& word & 0x3c == cache_bits(prop.cache)
    &&& word & 0x0008_0000_0000_0000 == 0 ==> word & 0x80 == 0
}

/// Whether a descriptor is one of ours: empty is all zeros, pages are where they have a size, and what it refers to fits
/// the machine's addresses.
pub(super) open spec fn wf(phys_bits: u64, level: nat, word: u64) -> bool {
    match decode(level as u8, word) {
        Entry::Empty => word == 0,
        Entry::Table { table, .. } => is_our_table(12, phys_bits, table, word),
        Entry::Page { frame, prop } => {
            &&& page_size(12, level) is Some
            &&& is_frame_address(frame, phys_bits, page_size(12, level)->0.bytes() as int)
            &&& is_ours(level, word, prop)
        },
    }
}

} // verus!
