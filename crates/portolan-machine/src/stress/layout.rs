//! The addresses that are mapped to and accessed.

use crate::machine::Machine;
use portolan::PageSize;
use std::ops::Range;

/// A place for a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The first virtual address.
    pub(super) va: u64,
    /// The size of the largest page that it has room for.
    pub(super) size: PageSize,
}

/// All places. They come in windows of places that follow each other.
pub(super) struct Layout {
    pub(super) places: Vec<Place>,
    pub(super) windows: Vec<Range<usize>>,
    /// A page of the kernel's.
    pub(super) kernel: u64,
}

/// The first address of a window, in the first part of the address space that the root has an entry for.
const SMALL: u64 = 0x40_0000;
const LARGE: u64 = 0x2000_0000;

impl Layout {
    /// Places that `machine` can do accesses at.
    ///
    /// The first window has pages of one table, the second pages of two tables that have only the root in common, the third
    /// larger pages.
    ///
    /// # Panics
    /// If the machine needs nearly the whole address space for itself.
    pub(super) fn new<M: Machine>(machine: &M) -> Self {
        let regime = machine.regime();
        let slot = regime.span(regime.levels());
        let free = |va: u64| machine.reserved().iter().all(|range| !range.contains(&va));
        let halves = regime.ranges();
        let find = |half: usize, slots: u64| {
            let starts = (0..).map(|n| halves[half].start() + n * slot);
            let mut fitting = starts.take_while(|start| halves[half].contains(&(start + slot)));
            fitting.find(|start| (0..slots).all(|n| free(start + n * slot)))
        };
        let user = find(0, 2).expect("programs have room for two slots of the root");
        let kernel = find(1, 1).expect("the kernel has room for a slot of the root");
        let mut layout = Layout {
            places: Vec::new(),
            windows: Vec::new(),
            kernel: kernel + SMALL,
        };
        let small = PageSize::Size4K;
        layout.add(user + SMALL, small, 12);
        layout.add(user + slot - 4 * small.bytes(), small, 8);
        layout.add(user + LARGE, PageSize::Size2M, 2);
        layout
    }

    fn add(&mut self, first: u64, size: PageSize, count: u64) {
        let start = self.places.len();
        let va = |n| first + n * size.bytes();
        let places = (0..count).map(|n| Place { va: va(n), size });
        self.places.extend(places);
        self.windows.push(start..self.places.len());
    }
}
