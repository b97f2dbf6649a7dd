//! Which RISC-V entries are ours, as a definition.

use super::super::entry::{Encoding, Entry, is_frame_address};
use super::super::words::page_size;
use super::{Levels, Riscv, cache_bits, decode};
use vstd::prelude::*;

verus! {

/// Whether an entry is one of ours: empty is all zeros, what it refers to fits the machine's addresses, pages are where
/// they have a size, and reserved bits and those for software are zero.
pub(super) open spec fn wf<L: Levels>(phys_bits: u64, level: nat, word: u64) -> bool {
    match decode(word) {
        Entry::Empty => word == 0,
        Entry::Table { table, .. } => {
            &&& 1 < level
            &&& is_frame_address(table, phys_bits, 0x1000)
            &&& word & 0xffc0_0000_0000_03ff == 0x1
        },
        Entry::Page { frame, prop } => {
            &&& page_size(level) is Some
            &&& is_frame_address(frame, phys_bits, page_size(level)->0.bytes() as int)
            &&& Riscv::<L>::supports(prop)
            &&& word & 0x6000_0000_0000_0000 == cache_bits(prop.cache)
            &&& word & 0x9fc0_0000_0000_0300 == 0
        },
    }
}

} // verus!
