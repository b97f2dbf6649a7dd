//! Requests that break pages before they make others.

use super::{Make, Model};
use portolan::{Error, Mapping, PageSize};

impl Model {
    /// Gives what was broken.
    pub(super) fn remake(
        &mut self,
        va: u64,
        size: PageSize,
        parts: bool,
        make: Make,
    ) -> Result<Mapping, Error> {
        let was = if parts {
            self.joinable(va, size)?
        } else {
            self.check(va, size)?;
            self.exactly(va, size)?
        };
        let part = if parts {
            self.part_size(va, size)?
        } else {
            size
        };
        let mut made = self.without(va, size);
        let frame = was.frame.as_u64();
        match make {
            Make::Map { frame, prop } => made.map(va, frame, size, prop)?,
            Make::Protect { prop } => made.map(va, frame, size, prop.keeping(was.prop))?,
            Make::Collapse => drop(made.pages.insert(va, was)),
            Make::Split { part } => {
                if !self.regime.page_sizes().contains(&part) || part >= size {
                    let (addr, size) = (va, part.bytes());
                    return Err(Error::UnsupportedSize { addr, size });
                }
                made.divide(va, was, part);
            }
            Make::Restore => made.divide(va, was, part),
            Make::Abandon => {}
        }
        *self = made;
        Ok(was)
    }

    /// As this, without the pages that start in the `size` bytes at `va`.
    #[must_use]
    pub fn without(&self, va: u64, size: PageSize) -> Self {
        let mut without = self.clone();
        without.remove(va, size);
        without
    }

    /// Makes again what was broken, after nothing else could be made.
    pub fn restore(&mut self, va: u64, size: PageSize, parts: bool) {
        // Nothing was broken if this is an error
        self.remake(va, size, parts, Make::Restore).ok();
    }
}
