//! Which entries of extended page tables are ours, as a definition.

use super::super::entry::{Encoding, Entry, is_frame_address};
use super::super::words::page_size;
use super::{Ept, decode, type_bits};
use vstd::prelude::*;

verus! {

/// Whether an entry is one of ours: empty is all zeros, what it refers to fits the machine's addresses, memory types are
/// none that is reserved, the bits that we leave to hardware and to features that are off are zero in a page's (ignore-PAT,
/// 11:10, 63:52, and 7 in a table of level 1), and tables allow everything and are accessed.
pub(super) open spec fn wf(phys_bits: u64, level: nat, word: u64) -> bool {
    match decode(level as u8, word) {
        Entry::Empty => word == 0,
        Entry::Table { table, .. } => {
            &&& is_frame_address(table, phys_bits, 0x1000)
            &&& word & 0xc000_0000_0000_0fff == 0x107
        },
        Entry::Page { frame, prop } => {
            &&& is_frame_address(frame, phys_bits, page_size(level)->0.bytes() as int)
            &&& Ept::supports(prop)
            &&& word & 0x38 == type_bits(prop.cache)
            &&& word & 0xfff0_0000_0000_0c40 == 0
            &&& level == 1 ==> word & 0x80 == 0
        },
    }
}

} // verus!
