//! Which LoongArch64 entries are ours, as definitions.

use super::super::entry::{Entry, is_frame_address};
use super::pages::page_size;
use super::word::decode;
use crate::addr::PhysAddr;
use vstd::prelude::*;

verus! {

/// Whether a page is one of ours: present, for privilege level 0 or 3 and those above it, stored to if W says so, of a memory
/// access type that there is, and zero in all bits without use.
pub open spec fn is_ours(word: u64) -> bool {
    &&& word & 0x9fff_0000_0000_0880 == 0x80
    &&& word & 0xc == 0 || word & 0xc == 0xc
    &&& word & 0x102 == 0 || word & 0x102 == 0x102
    &&& word & 0x30 != 0x30
}

/// Whether the entry of a table is one of ours: the table fits the machine's addresses, and bits without use are zero.
pub open spec fn is_our_table(page_bits: u8, phys_bits: u64, table: PhysAddr, word: u64) -> bool {
    &&& is_frame_address(table, phys_bits, page_size(page_bits, 1)->0.bytes() as int)
    &&& word & 0xf000_0000_0000_0fff == 0x1
}

/// Whether an entry is one of ours: empty is all zeros, pages and tables are where they can be, and what it refers to fits
/// the machine's addresses.
pub(super) open spec fn wf(page_bits: u8, phys_bits: u64, level: nat, word: u64) -> bool {
    match decode(level as u8, word) {
        Entry::Empty => word == 0,
        Entry::Table { table, .. } => is_our_table(page_bits, phys_bits, table, word),
        Entry::Page { frame, .. } => {
            &&& page_size(page_bits, level) is Some
            &&& is_frame_address(frame, phys_bits, page_size(page_bits, level)->0.bytes() as int)
            &&& is_ours(word)
        },
    }
}

} // verus!
