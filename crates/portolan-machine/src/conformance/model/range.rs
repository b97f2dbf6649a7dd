//! Requests for ranges.

use super::{Model, Op, Step};
use crate::conformance::shape::{expresses, in_place, widest};
use portolan::{Error, Mapping, PageProperty, PageSize, PhysAddr};

impl Model {
    /// Whether `bytes` from `va` on are addresses of one half.
    pub(super) fn check_range(&self, va: u64, bytes: u64) -> Result<(), Error> {
        let Some(more) = bytes.checked_sub(1) else {
            return Ok(());
        };
        let last = va.checked_add(more);
        let fits = last.is_some_and(|last| self.regime.canonical(last) && last >> 63 == va >> 63);
        let past = Error::PastEnd {
            addr: va,
            size: bytes,
        };
        if fits { Ok(()) } else { Err(past) }
    }

    /// The pages that start in a range.
    pub fn starting_in(&self, va: u64, bytes: u64) -> impl Iterator<Item = (u64, Mapping)> + '_ {
        let last = va.saturating_add(bytes.saturating_sub(1));
        let pages = self.pages.range(va..=last).filter(move |_| bytes > 0);
        pages.map(|(va, page)| (*va, *page))
    }

    /// The pages that overlap a range: one may start before it, one end after it.
    pub fn overlapping(&self, va: u64, bytes: u64) -> impl Iterator<Item = (u64, Mapping)> + '_ {
        let before = self
            .covering(va)
            .filter(|(base, _)| bytes > 0 && *base < va);
        before.into_iter().chain(self.starting_in(va, bytes))
    }

    /// The pages to map a range by: the first address, the frame and the size of each.
    fn pieces(
        &self,
        range: (u64, u64),
        frame: u64,
        largest: PageSize,
    ) -> Vec<(u64, u64, PageSize)> {
        let (va, bytes) = range;
        let mut sizes = self.regime.page_sizes();
        sizes.retain(|size| *size <= largest);
        let (mut done, mut pieces) = (0, Vec::new());
        while done < bytes {
            let (at, target) = (va + done, frame + done);
            let fits = |size: &&PageSize| {
                let size = size.bytes();
                at.is_multiple_of(size) && target.is_multiple_of(size) && size <= bytes - done
            };
            let size = sizes
                .iter()
                .rfind(fits)
                .expect("a multiple of the smallest");
            pieces.push((at, target, *size));
            done += size.bytes();
        }
        pieces
    }

    pub(super) fn map_range(
        &mut self,
        (va, bytes): (u64, u64),
        frame: u64,
        largest: PageSize,
        prop: PageProperty,
    ) -> Result<(), Error> {
        let unit = self.regime.span(1);
        if largest.bytes() < unit {
            return Err(Error::UnsupportedSize {
                addr: va,
                size: largest.bytes(),
            });
        }
        let odd = |addr| Err(Error::NotAligned { addr, size: unit });
        if !va.is_multiple_of(unit) || !bytes.is_multiple_of(unit) {
            return odd(va);
        }
        if !frame.is_multiple_of(unit) {
            return odd(frame);
        }
        self.expressible_range(va, bytes, prop)?;
        let limit = 1u128 << self.phys_bits.min(widest(self.regime));
        if bytes > 0 && u128::from(frame) + u128::from(bytes) > limit {
            return Err(Error::PhysTooWide {
                addr: frame,
                size: bytes,
            });
        }
        let pieces = self.pieces((va, bytes), frame, largest);
        for (at, _, size) in &pieces {
            if let Some((_, page)) = self.overlapping(*at, size.bytes()).next() {
                let size = size.bytes().max(page.size.bytes());
                let addr = at & !(size - 1);
                return Err(Error::AlreadyMapped { addr, size });
            }
        }
        for (at, frame, size) in pieces {
            let frame = PhysAddr::new(frame);
            let prop = self.stored(prop);
            self.pages.insert(at, Mapping { frame, size, prop });
        }
        Ok(())
    }

    pub(super) fn unmap_range(&mut self, va: u64, bytes: u64) -> Result<u64, Error> {
        let pages = self.whole_pages(va, bytes)?;
        for (va, _) in &pages {
            self.pages.remove(va);
        }
        Ok(pages.iter().map(|(_, page)| page.size.bytes()).sum())
    }

    pub(super) fn protect_range(
        &mut self,
        va: u64,
        bytes: u64,
        prop: PageProperty,
    ) -> Result<u64, Error> {
        self.expressible_range(va, bytes, prop)?;
        let pages = self.whole_pages(va, bytes)?;
        for (addr, was) in &pages {
            if in_place(self.regime, was.prop, prop) != prop {
                let (addr, size) = (*addr, was.size.bytes());
                return Err(Error::BreakBeforeMake { addr, size });
            }
        }
        for (va, was) in &pages {
            let prop = prop.keeping(was.prop);
            self.pages.insert(*va, Mapping { prop, ..*was });
        }
        Ok(pages.iter().map(|(_, page)| page.size.bytes()).sum())
    }

    /// The pages in a range, once those are divided that reach out of it.
    fn whole_pages(&mut self, va: u64, bytes: u64) -> Result<Vec<(u64, Mapping)>, Error> {
        self.check_ends(va, bytes)?;
        if let Some((base, page)) = self.cut_by(va, bytes) {
            self.resizable(base, page.size)?;
            self.cut(va, bytes);
        }
        Ok(self.starting_in(va, bytes).collect())
    }

    /// Whether a range consists of whole pages of the smallest size.
    pub(super) fn check_ends(&self, va: u64, bytes: u64) -> Result<(), Error> {
        let size = self.regime.span(1);
        let mut ends = [va, va.wrapping_add(bytes)].into_iter();
        let odd = ends.find(|addr| !addr.is_multiple_of(size));
        odd.map_or(Ok(()), |addr| Err(Error::NotAligned { addr, size }))
    }

    /// The first page that lies partly in a range and partly outside.
    #[must_use]
    pub fn cut_by(&self, va: u64, bytes: u64) -> Option<(u64, Mapping)> {
        let last = va.wrapping_add(bytes).wrapping_sub(1);
        let reaches_out =
            |(base, page): &(u64, Mapping)| *base < va || page.size.bytes() - 1 > last - base;
        self.overlapping(va, bytes).find(reaches_out)
    }

    /// Whether an operation on all pages of a range has to divide one first.
    #[must_use]
    pub fn is_divided_by(&self, op: &Op) -> bool {
        let divides = matches!(
            op,
            Op::UnmapRange { .. }
                | Op::ProtectRange { .. }
                | Op::Step {
                    step: Step::Unmap { .. },
                    ..
                }
        );
        divides && self.cut_by(op.va(), op.bytes()).is_some()
    }

    /// Refuses a range of which a page is cut.
    pub(super) fn check_uncut(&self, va: u64, bytes: u64) -> Result<(), Error> {
        self.check_ends(va, bytes)?;
        self.cut_by(va, bytes).map_or(Ok(()), |(addr, page)| {
            let size = page.size.bytes();
            Err(Error::CoveredByHugePage { addr, size })
        })
    }

    /// Whether the range is one that no page lies partly in.
    #[must_use]
    pub fn is_uncut(&self, va: u64, bytes: u64) -> bool {
        self.check_range(va, bytes).is_ok() && self.check_uncut(va, bytes).is_ok()
    }

    /// Divides the pages that a range starts or ends inside of, until it doesn't.
    pub fn cut(&mut self, va: u64, bytes: u64) {
        for at in [va, va.wrapping_add(bytes)] {
            while let Some((base, page)) = self.covering(at)
                && bytes > 0
                && base < at
                && let Ok(part) = self.part_size(base, page.size)
            {
                self.divide(base, page, part);
            }
        }
    }

    fn expressible_range(&self, va: u64, bytes: u64, prop: PageProperty) -> Result<(), Error> {
        let inexpressible = Error::UnsupportedProperty {
            addr: va,
            size: bytes,
        };
        if expresses(self.regime, prop) {
            Ok(())
        } else {
            Err(inexpressible)
        }
    }
}
