//! Requests from a seed: close together, so that they meet, and of every way to be wrong.

use super::model::{Make, Model, Op, Step};
use super::shape::{CACHES, combination, expresses, fitting, in_place};
use crate::machine::Machine;
use crate::rng::Rng;
use crate::walk::{PAGE_SIZES, Regime};
use portolan::{Mapping, PageProperty, PageSize};
use std::ops::{Range, RangeInclusive};

mod changes;
mod ranges;

/// Where addresses come from.
pub(super) struct Source {
    pub(super) rng: Rng,
    regime: Regime,
    phys_bits: u8,
    data: [Range<u64>; 2],
    reserved: Vec<RangeInclusive<u64>>,
    sizes: Vec<PageSize>,
}

impl Source {
    pub(super) fn new(seed: u64, machine: &dyn Machine) -> Self {
        let (regime, memory) = (machine.regime(), machine.memory());
        let (phys_bits, data) = (memory.phys_bits(), memory.data());
        let has_room =
            |size: &PageSize| data.iter().any(|range| first_frame(range, *size).is_some());
        Source {
            rng: Rng::new(seed),
            regime,
            phys_bits,
            sizes: regime.page_sizes().into_iter().filter(has_room).collect(),
            data,
            reserved: machine.reserved().to_vec(),
        }
    }

    /// The sizes of pages, the smallest first, as far as there is memory for one.
    pub(super) fn sizes(&self) -> Vec<PageSize> {
        self.sizes.clone()
    }

    /// Whether an address can't be tested.
    fn is_reserved(&self, va: u64) -> bool {
        self.reserved.iter().any(|range| range.contains(&va))
    }

    /// A virtual address in one of few places of each table, aligned to `size`.
    pub(super) fn va(&mut self, size: PageSize) -> u64 {
        loop {
            let va = self.any_va(size);
            if !self.is_reserved(va) {
                return va;
            }
        }
    }

    fn any_va(&mut self, size: PageSize) -> u64 {
        let root = self.regime.levels();
        let mut va = 0;
        for level in 1..=root {
            let last = (1 << self.regime.index_bits(level)) - 1;
            let index: u64 = if level == root || level == 4 {
                self.rng.pick(&[0, 0, last / 2, last / 2 + 1, last])
            } else {
                self.rng.pick(&[0, 1, 2, last])
            };
            va |= index.min(last) << self.regime.span(level).trailing_zeros();
        }
        self.regime.extended(va) & !(size.bytes() - 1)
    }

    /// A frame of memory that is not for tables.
    ///
    /// # Panics
    /// If there is none of this size.
    pub(super) fn frame(&mut self, size: PageSize) -> u64 {
        let rooms = self.data.iter();
        let rooms: Vec<_> = rooms
            .filter_map(|range| first_frame(range, size).map(|first| (first, range.end)))
            .collect();
        let (first, end) = self.rng.pick(&rooms);
        first + self.rng.below((end - first) / size.bytes()) * size.bytes()
    }

    pub(super) fn size(&mut self) -> PageSize {
        if self.rng.one_in(2) {
            self.sizes[0]
        } else {
            self.rng.pick(&self.sizes)
        }
    }

    pub(super) fn prop(&mut self) -> PageProperty {
        let bits = self.rng.below(32) as u32;
        let mut prop = combination(bits, self.rng.pick(&CACHES));
        // Mostly one that an entry can express
        while !expresses(self.regime, prop) && !self.rng.one_in(8) {
            let bits = self.rng.below(32) as u32;
            prop = fitting(self.regime, combination(bits, self.rng.pick(&CACHES)));
        }
        PageProperty {
            accessed: self.rng.one_in(4),
            dirty: self.rng.one_in(4),
            ..prop
        }
    }

    /// The next request to a table that is as `model` says, which will have about `pages` pages.
    pub(super) fn op(&mut self, model: &Model, pages: usize) -> Op {
        let crowded = model.len() > 8 * pages;
        match self.rng.below(16) {
            0 => return self.copy(model),
            1 => return self.remake(model),
            2 if model.tracks() => return self.harvest(model),
            3 | 4 => return self.some_step(model),
            _ => {}
        }
        let choice = match model.len() {
            _ if crowded && self.rng.one_in(2) => 14,
            few if few < pages => self.rng.below(15),
            _ => self.rng.below(21),
        };
        match choice {
            0..=4 => self.map(),
            5 | 6 => self.map_range(),
            7 => {
                let (va, _) = self.place(model);
                Op::Query {
                    va: va | self.rng.below(1 << 13),
                }
            }
            8 | 9 => {
                let (va, size) = self.place(model);
                let (prop, was) = (self.prop(), model.covering(va));
                // Mostly a change that can be made while the page is in use
                let was = was.filter(|_| !self.rng.one_in(6));
                let prop = was.map_or(prop, |(_, was)| in_place(self.regime, was.prop, prop));
                Op::Protect { va, size, prop }
            }
            10 => self.protect_range(model),
            11 | 12 => self.resize(model),
            13..=15 => self.unmap_range(model, crowded),
            _ => {
                let (va, size) = self.place(model);
                Op::Unmap { va, size }
            }
        }
    }

    fn map(&mut self) -> Op {
        let size = if self.rng.one_in(24) {
            self.odd_size()
        } else {
            self.size()
        };
        let va = self.maybe_wrong(size);
        let is_there = self
            .data
            .iter()
            .any(|range| first_frame(range, size).is_some());
        let mut frame = if is_there { self.frame(size) } else { 0 };
        match self.rng.below(32) {
            0 => frame |= 1 << self.rng.below(64),
            1 => frame = !(size.bytes() - 1),
            2 => frame |= size.bytes() / 2,
            // The first frame that is too wide, and the last that isn't
            3 => frame = 1 << self.phys_bits,
            4 => frame = (1u64 << self.phys_bits).saturating_sub(size.bytes()),
            _ => {}
        }
        // A frame that is memory after all has to be memory for data
        let is_data = |range: &Range<u64>| {
            range.start <= frame && frame.saturating_add(size.bytes()) <= range.end
        };
        if !self.data.iter().any(is_data) && frame.is_multiple_of(size.bytes()) {
            frame = !(size.bytes() - 1);
        }
        Op::Map {
            va,
            frame,
            size,
            prop: self.prop(),
        }
    }

    /// An address and a size: mostly those of a page.
    fn place(&mut self, model: &Model) -> (u64, PageSize) {
        if model.is_empty() || self.rng.one_in(4) {
            let size = self.size();
            return (self.maybe_wrong(size), size);
        }
        let (va, page) = self.page(model);
        match self.rng.below(12) {
            // A part of it, or what it is a part of
            0 => {
                let small = self.sizes[0];
                let part = self.rng.below(page.size.bytes() / small.bytes());
                (va + part * small.bytes(), small)
            }
            1 | 2 => {
                let size = self.rng.pick(&self.sizes);
                (va & !(size.bytes() - 1), size)
            }
            3 => (va, self.odd_size()),
            _ => (va, page.size),
        }
    }

    /// One of the pages, of which there is at least one.
    fn page(&mut self, model: &Model) -> (u64, Mapping) {
        let nth = self.rng.below(model.len() as u64) as usize;
        model.pages().nth(nth).expect("one of those there are")
    }

    /// An address for a page of `size`, now and then one that is not aligned or not canonical.
    fn maybe_wrong(&mut self, size: PageSize) -> u64 {
        let va = self.va(size);
        match self.rng.below(48) {
            0 => va | 8,
            1 => va.wrapping_add(size.bytes() / 2),
            2 => {
                // With two halves, the topmost bit that is translated is tied to those above it
                let free = self.regime.va_bits() - u32::from(self.regime.ranges().len() == 2);
                va ^ 1 << (free + self.rng.below(u64::from(64 - free)) as u32)
            }
            _ => va,
        }
    }

    /// A size of which the regime has no pages.
    fn odd_size(&mut self) -> PageSize {
        let own = self.regime.page_sizes();
        let odd: Vec<_> = PAGE_SIZES
            .into_iter()
            .filter(|size| !own.contains(size))
            .collect();
        self.rng.pick(&odd)
    }
}

/// The first frame of `size` in a range, if there is one.
fn first_frame(range: &Range<u64>, size: PageSize) -> Option<u64> {
    let first = range.start.checked_next_multiple_of(size.bytes())?;
    (first < range.end && range.end - first >= size.bytes()).then_some(first)
}
