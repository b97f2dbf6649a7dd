//! Steps of a cursor.

use super::{Answer, Model, Step};
use portolan::{Error, Mapping, PageProperty};

impl Model {
    /// What a cursor over a range does that is `pos` bytes from its start, of no more than it has.
    ///
    /// # Errors
    /// What the cursor should answer, unless it runs out of memory.
    pub fn step(&mut self, (va, bytes): (u64, u64), pos: u64, step: Step) -> Result<Answer, Error> {
        let (at, left) = (va.wrapping_add(pos), bytes - pos);
        let fits = |size: u64| {
            let past = Error::PastEnd { addr: at, size };
            if size > left {
                Err(past)
            } else {
                Ok(pos + size)
            }
        };
        let here = |model: &Model, pos: u64| Answer::Moved {
            pos,
            page: model.page_at((va, bytes), pos),
            bytes: 0,
        };
        match step {
            Step::Map { frame, size, prop } => {
                let pos = fits(size.bytes())?;
                self.map(at, frame, size, prop)?;
                Ok(here(self, pos))
            }
            Step::MapRange {
                len,
                frame,
                largest,
                prop,
            } => {
                let end = fits(len)?;
                if left > 0 {
                    self.map_range((at, len), frame, largest, prop)?;
                }
                Ok(here(self, end))
            }
            Step::Unmap { len } => {
                let len = len.min(left);
                let unmapped = if left > 0 {
                    self.unmap_range(at, len)?
                } else {
                    0
                };
                let pos = pos + len;
                Ok(Answer::Moved {
                    pos,
                    page: self.page_at((va, bytes), pos),
                    bytes: unmapped,
                })
            }
            Step::ProtectNext { len, prop } => self.protect_next((va, bytes), pos, len, prop),
            Step::FindNext { len } => {
                let len = len.min(left);
                let next = self.overlapping(at, len).next();
                let to = next.map_or(pos + len, |(base, _)| pos.max(base.saturating_sub(va)));
                Ok(here(self, to))
            }
            Step::MoveForward => {
                if left == 0 {
                    return Ok(here(self, pos));
                }
                let span = match self.covering(at) {
                    Some((_, page)) => page.size.bytes(),
                    None => self.regime.span(self.end_of_walk(at)),
                };
                let rest = span - (at & (span - 1));
                Ok(here(self, pos + rest.min(left)))
            }
            Step::Jump { to } => {
                self.check_jump((va, bytes), to)?;
                Ok(here(self, to - va))
            }
        }
    }

    /// Whether a cursor over a range may move to an address.
    pub(super) fn check_jump(&self, (va, bytes): (u64, u64), to: u64) -> Result<(), Error> {
        let (addr, size) = (to, 0);
        if !self.regime.canonical(to) {
            Err(Error::NotCanonical { addr, size })
        } else if to < va || to - va >= bytes {
            Err(Error::OutOfRange { addr, size })
        } else {
            Ok(())
        }
    }

    fn protect_next(
        &mut self,
        (va, bytes): (u64, u64),
        pos: u64,
        len: u64,
        prop: PageProperty,
    ) -> Result<Answer, Error> {
        let (at, len) = (va.wrapping_add(pos), len.min(bytes - pos));
        let Some((base, page)) = self.overlapping(at, len).next() else {
            return Ok(Answer::Moved {
                pos: pos + len,
                page: None,
                bytes: 0,
            });
        };
        if base < at || page.size.bytes() > len - (base - at) {
            let (addr, size) = (base, page.size.bytes());
            return Err(Error::CoveredByHugePage { addr, size });
        }
        let was = self.protect(base, page.size, prop)?;
        Ok(Answer::Moved {
            pos: base - va + page.size.bytes(),
            page: Some((base, was)),
            bytes: 0,
        })
    }

    /// The page where a cursor over a range is.
    fn page_at(&self, (va, bytes): (u64, u64), pos: u64) -> Option<(u64, Mapping)> {
        self.covering(va.wrapping_add(pos)).filter(|_| pos < bytes)
    }
}
