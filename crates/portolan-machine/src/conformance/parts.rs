//! The parts of the suite.

mod copies;
mod cursors;
mod flags;
pub(super) mod halves;
mod hardware;
mod ranges;
mod remakes;
mod requests;
mod resizes;
mod sequences;
mod views;

use super::generate::Source;
use super::subject::Bench;
use portolan::PageSize;

impl Bench<'_> {
    fn source(&self, seed: u64) -> Source {
        Source::new(seed, self.machine)
    }

    /// The last page of `size` in the first range of addresses.
    fn last_of_first(&self, size: PageSize) -> u64 {
        self.machine.regime().ranges()[0].end() - (size.bytes() - 1)
    }
}
