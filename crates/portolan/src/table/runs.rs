//! Runs of pages, for people to read.

use super::iter::Mappings;
use crate::addr::{PageSize, PhysAddr, VirtAddr};
use crate::arch::{AccessBits, PagingMode};
use crate::hw::TableMemory;
use crate::prop::{Mapping, PageProperty};
use core::iter::{Fuse, FusedIterator};

/// All page sizes, from the smallest.
const SIZES: [PageSize; 7] = [
    PageSize::Size4K,
    PageSize::Size16K,
    PageSize::Size64K,
    PageSize::Size2M,
    PageSize::Size32M,
    PageSize::Size512M,
    PageSize::Size1G,
];

/// Neighbouring pages of frames that follow each other, with properties that differ in accessed and dirty bits at most.
///
/// Its [`Display`](core::fmt::Display) is a line such as
/// `0000000000400000-0000000000600fff 1 x 2 MiB + 1 x 4 KiB r-x user -> 0x200000`: the first and the last address, the
/// pages from the largest, what they allow, and the first frame.
#[derive(Clone, Copy, Debug)]
pub struct Run<A: PagingMode> {
    /// The first page's first address.
    pub start: VirtAddr<A>,
    /// How many bytes all pages cover.
    pub size: u64,
    /// The first page's frame.
    pub frame: PhysAddr,
    /// What the pages allow; accessed or dirty if one of them is.
    pub prop: PageProperty,
    /// How many pages of each of [`SIZES`].
    pages: [u64; SIZES.len()],
}

impl<A: PagingMode> Run<A> {
    /// A run of one page.
    #[must_use]
    pub fn new(start: VirtAddr<A>, page: Mapping) -> Self {
        Run {
            start,
            size: page.size.bytes(),
            frame: page.frame,
            prop: page.prop,
            pages: SIZES.map(|size| u64::from(size == page.size)),
        }
    }

    /// The sizes of the pages, from the largest, each with how many there are: only those of which there are any.
    pub fn pages(&self) -> impl Iterator<Item = (PageSize, u64)> {
        let pages = SIZES.into_iter().zip(self.pages).rev();
        pages.filter(|(_, count)| *count > 0)
    }

    /// This run and `next` as one, if `next` goes on where this one ends.
    #[must_use]
    pub fn join(&self, next: &Self) -> Option<Self> {
        let used = PageProperty {
            accessed: self.prop.accessed,
            dirty: self.prop.dirty,
            ..next.prop
        };
        let end = self.start.as_u64().checked_add(self.size)?;
        let frame_end = self.frame.as_u64().checked_add(self.size)?;
        if (end, frame_end, self.prop) != (next.start.as_u64(), next.frame.as_u64(), used) {
            return None;
        }
        let mut pages = self.pages;
        for (count, more) in pages.iter_mut().zip(next.pages) {
            *count = count.checked_add(more)?;
        }
        Some(Run {
            size: self.size.checked_add(next.size)?,
            prop: self.prop.keeping(next.prop),
            pages,
            ..*self
        })
    }
}

impl<A: PagingMode> PartialEq for Run<A> {
    fn eq(&self, other: &Self) -> bool {
        let parts = |run: &Self| (run.start, run.size, run.frame, run.prop, run.pages);
        parts(self) == parts(other)
    }
}

impl<A: PagingMode> Eq for Run<A> {}

impl<A: PagingMode> core::fmt::Display for Run<A> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let first = self.start.as_u64();
        let last = first.saturating_add(self.size.saturating_sub(1));
        write!(f, "{first:016x}-{last:016x} ")?;
        for (i, (size, count)) in self.pages().enumerate() {
            let plus = if i > 0 { "+ " } else { "" };
            write!(f, "{plus}{count} x {size} ")?;
        }
        write!(f, "{} -> {}", self.prop, self.frame)
    }
}

/// Pages put together to runs, as they come: the fewest runs if the pages come in the order of addresses, as those of
/// [`Mappings`] do.
///
/// This is for display, and the proofs don't cover it.
#[derive(Clone, Debug)]
pub struct Runs<A: PagingMode, I: Iterator<Item = (VirtAddr<A>, Mapping)>> {
    pages: Fuse<I>,
    /// A run that the next page may go on.
    open: Option<Run<A>>,
}

impl<A: PagingMode, I: Iterator<Item = (VirtAddr<A>, Mapping)>> Runs<A, I> {
    /// The runs of `pages`.
    pub fn new(pages: I) -> Self {
        Runs {
            pages: pages.fuse(),
            open: None,
        }
    }
}

impl<A: PagingMode, I: Iterator<Item = (VirtAddr<A>, Mapping)>> Iterator for Runs<A, I> {
    type Item = Run<A>;

    fn next(&mut self) -> Option<Run<A>> {
        for (start, page) in self.pages.by_ref() {
            let next = Run::new(start, page);
            match self.open {
                Some(run) => match run.join(&next) {
                    Some(longer) => self.open = Some(longer),
                    None => return self.open.replace(next),
                },
                None => self.open = Some(next),
            }
        }
        self.open.take()
    }
}

impl<A: PagingMode, I: Iterator<Item = (VirtAddr<A>, Mapping)>> FusedIterator for Runs<A, I> {}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Mappings<'_, M, A, B> {
    /// The pages put together to [`Run`]s, to be shown:
    ///
    /// ```
    /// use portolan::{PageTable, TableMemory, VirtAddr, VirtRange};
    ///
    /// fn show<M: TableMemory>(table: &PageTable<M>) -> Result<(), portolan::Error> {
    ///     let kernel = VirtRange::new(VirtAddr::new(0xffff_8000_0000_0000)?, 1 << 47)?;
    ///     for run in table.mappings(kernel)?.runs() {
    ///         println!("{run}");
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub fn runs(self) -> Runs<A, Self> {
        Runs::new(self)
    }
}
