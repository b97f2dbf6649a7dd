//! Which x86_64 entries are ours, as a definition.

use super::super::entry::{Entry, is_frame_address};
use super::super::words::page_size;
use super::decode;
use vstd::prelude::*;

verus! {

/// Whether an entry is one of ours: empty is all zeros, what it refers to fits the machine's addresses, and tables allow
/// everything and are accessed.
pub(super) open spec fn wf(phys_bits: u64, level: nat, word: u64) -> bool {
    match decode(level as u8, word) {
        Entry::Empty => word == 0,
        Entry::Table { table, .. } => {
            &&& is_frame_address(table, phys_bits, 0x1000)
            &&& word & 0x8000_0000_0000_00a7 == 0x27
        },
        Entry::Page { frame, .. } => is_frame_address(
            frame,
            phys_bits,
            page_size(level)->0.bytes() as int,
        ),
    }
}

} // verus!
