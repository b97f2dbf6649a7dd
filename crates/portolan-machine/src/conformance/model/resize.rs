//! Requests that change the size of pages.

use super::Model;
use super::runs::goes_on;
use crate::conformance::shape::resizes;
use portolan::{Error, Mapping, PageProperty, PageSize, PhysAddr};

/// Whether two pages differ in no more than whether they were used.
pub(super) fn alike(one: PageProperty, other: PageProperty) -> bool {
    let PageProperty {
        accessed, dirty, ..
    } = one;
    one == PageProperty {
        accessed,
        dirty,
        ..other
    }
}

impl Model {
    /// The next smaller size of pages.
    #[must_use]
    pub fn part_of(&self, size: PageSize) -> Option<PageSize> {
        let mut sizes = self.regime.page_sizes().into_iter();
        sizes.rfind(|part| *part < size)
    }

    /// As `part_of`, or what a request for pages at `va` answers if there is none.
    pub(super) fn part_size(&self, va: u64, size: PageSize) -> Result<PageSize, Error> {
        self.part_of(size).ok_or(Error::UnsupportedSize {
            addr: va,
            size: size.bytes(),
        })
    }

    /// Refuses what has to be broken first.
    pub(super) fn resizable(&self, va: u64, size: PageSize) -> Result<(), Error> {
        if resizes(self.regime) {
            Ok(())
        } else {
            let (addr, size) = (va, size.bytes());
            Err(Error::BreakBeforeMake { addr, size })
        }
    }

    pub(super) fn split(&mut self, va: u64, size: PageSize) -> Result<Mapping, Error> {
        self.check(va, size)?;
        let was = self.exactly(va, size)?;
        let part = self.part_size(va, size)?;
        self.resizable(va, size)?;
        self.divide(va, was, part);
        Ok(was)
    }

    /// The page at `va` as pages of `part`.
    pub(super) fn divide(&mut self, va: u64, was: Mapping, part: PageSize) {
        for offset in (0..was.size.bytes()).step_by(part.bytes() as usize) {
            let page = Mapping {
                frame: PhysAddr::new(was.frame.as_u64() + offset),
                size: part,
                ..was
            };
            self.pages.insert(va + offset, page);
        }
    }

    pub(super) fn collapse(&mut self, va: u64, size: PageSize) -> Result<Mapping, Error> {
        let page = self.joinable(va, size)?;
        self.resizable(va, size)?;
        self.remove(va, size);
        self.pages.insert(va, page);
        Ok(page)
    }

    /// The one page of `size` that the smaller ones at `va` can become.
    pub(super) fn joinable(&self, va: u64, size: PageSize) -> Result<Mapping, Error> {
        self.check(va, size)?;
        let part = self.part_size(va, size)?;
        if let Some((addr, page)) = self.covering(va)
            && page.size >= size
        {
            let size = page.size.bytes();
            return Err(Error::AlreadyMapped { addr, size });
        }
        let parts: Vec<_> = self.starting_in(va, size.bytes()).collect();
        let Some((_, first)) = parts.first().copied() else {
            let (addr, size) = (va, size.bytes());
            return Err(Error::NotMapped { addr, size });
        };
        for offset in (0..size.bytes()).step_by(part.bytes() as usize) {
            self.check_part((va, size), first, va + offset, part)?;
        }
        let dirty = parts.iter().any(|(_, page)| page.prop.dirty);
        let prop = PageProperty {
            accessed: true,
            dirty: dirty || first.prop.write,
            ..first.prop
        };
        Ok(Mapping {
            size,
            prop,
            ..first
        })
    }

    /// Takes away the pages that start in the `size` bytes at `va`.
    pub(super) fn remove(&mut self, va: u64, size: PageSize) {
        let parts: Vec<_> = self.starting_in(va, size.bytes()).collect();
        for (va, _) in parts {
            self.pages.remove(&va);
        }
    }

    /// Whether at `at` is what has to be there for `first` to become a page of `size` at `va`.
    fn check_part(
        &self,
        (va, size): (u64, PageSize),
        first: Mapping,
        at: u64,
        part: PageSize,
    ) -> Result<(), Error> {
        let (addr, bytes) = (at, part.bytes());
        let Some((base, page)) = self.overlapping(at, bytes).next() else {
            return Err(Error::NotMapped { addr, size: bytes });
        };
        let frame = first.frame.as_u64();
        let fits = base == at
            && page.size == part
            && frame.is_multiple_of(size.bytes())
            && page.frame.as_u64() == frame + (at - va)
            && alike(page.prop, first.prop);
        if fits {
            Ok(())
        } else {
            Err(Error::NotUniform { addr, size: bytes })
        }
    }

    /// A few of the pages: the first and the last of pages alike that follow each other, and one in between.
    #[must_use]
    pub fn landmarks(&self) -> Vec<(u64, Mapping)> {
        let pages: Vec<_> = self.pages().collect();
        let follows = |one: &(u64, Mapping), next: &(u64, Mapping)| {
            next.1.size == one.1.size && goes_on(one, next)
        };
        let runs = pages.chunk_by(follows);
        let mut landmarks: Vec<_> = runs
            .flat_map(|run| [run[0], run[run.len() / 3], run[run.len() - 1]])
            .collect();
        landmarks.dedup_by_key(|(va, _)| *va);
        landmarks
    }
}
