//! What differs between the processors.

use crate::guest::Protocol;
use crate::memory::Memory;
use std::ops::RangeInclusive;

/// A kind of processor with a translation regime under test.
pub(super) trait Processor: Protocol {
    /// The program that has such a guest.
    fn program(&self) -> &'static str;

    /// Where the board's memory starts.
    fn ram(&self) -> u64;

    /// How many bytes at the start of the board's memory lie elsewhere, and aren't used.
    fn elsewhere(&self) -> u64 {
        0
    }

    /// How many bits physical addresses have.
    fn phys_bits(&self) -> u8;

    /// How many GiB of memory the board has, if so many are wanted.
    fn gib(&self, wanted: u64) -> u64 {
        wanted
    }

    /// What the board starts with, if it can't be told to start with the guest's program.
    fn firmware(&self) -> Option<Vec<u8>> {
        None
    }

    /// The board and the processor, as the program's arguments. `area` is where the guest's area is.
    fn arguments(&self, area: u64) -> Vec<String>;

    /// Writes the guest's program, and what it needs, to its area.
    fn lay_out(&self, memory: &Memory, area: u64);

    /// Where the guest's program sees its area.
    fn seen(&self, area: u64) -> u64 {
        area
    }

    /// Addresses that can't be tested.
    fn reserved(&self) -> Vec<RangeInclusive<u64>>;

    /// If the guest's program must be mapped by the root under test: the slot of the root that it takes and the entry
    /// that it has there, so that a copy is loaded with that slot replaced.
    fn slot(&self, area: u64) -> Option<(u64, u64)>;
}
