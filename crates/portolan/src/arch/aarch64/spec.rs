//! Which AArch64 stage 1 descriptors are ours, as definitions.

use super::super::entry::{Entry, is_frame_address};
use super::descriptor::decode;
use super::granule::page_size;
use crate::addr::PhysAddr;
use vstd::prelude::*;

verus! {

/// Whether a page or block is one of ours: last level or not, inner shareable, for the kernel or the user, and read-only
/// unless hardware may make it dirty.
pub open spec fn is_ours(level: nat, word: u64) -> bool {
    &&& level == 1 ==> word & 0x2 != 0
    &&& word & 0xff17_0000_0000_0320 == 0x300
    &&& word & 0x40 != 0 ==> word & 0x0020_0000_0000_0000 != 0
    &&& word & 0x40 == 0 ==> word & 0x0040_0000_0000_0000 != 0
    &&& word & 0x0008_0000_0000_0000 == 0 ==> word & 0x80 != 0
}

/// Whether the descriptor of a table is one of ours: the table fits the machine's addresses, nothing is taken away, and bits
/// without use are zero.
pub open spec fn is_our_table(page_bits: u8, phys_bits: u64, table: PhysAddr, word: u64) -> bool {
    &&& is_frame_address(table, phys_bits, page_size(page_bits, 1)->0.bytes() as int)
    &&& word & 0xf807_0000_0000_0c0f == 0x3
}

/// Whether a descriptor is one of ours: empty is all zeros, pages are where they have a size, and what it refers to fits
/// the machine's addresses.
pub(super) open spec fn wf(page_bits: u8, phys_bits: u64, level: nat, word: u64) -> bool {
    match decode(level as u8, word) {
        Entry::Empty => word == 0,
        Entry::Table { table, .. } => is_our_table(page_bits, phys_bits, table, word),
        Entry::Page { frame, .. } => {
            &&& page_size(page_bits, level) is Some
            &&& is_frame_address(frame, phys_bits, page_size(page_bits, level)->0.bytes() as int)
            &&& is_ours(level, word)
        },
    }
}

} // verus!
