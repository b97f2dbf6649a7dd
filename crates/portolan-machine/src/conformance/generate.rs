//! Requests from a seed: close together, so that they meet, and of every way to be wrong.

use super::model::{Model, Op};
use crate::machine::Machine;
use crate::rng::Rng;
use portolan::{CachePolicy, PageProperty, PageSize};
use std::ops::{Range, RangeInclusive};

/// The sizes that x86_64 has pages of.
pub(super) const SIZES: [PageSize; 3] = [PageSize::Size4K, PageSize::Size2M, PageSize::Size1G];

/// The sizes of all architectures.
pub(super) const ALL_SIZES: [PageSize; 7] = [
    PageSize::Size4K,
    PageSize::Size16K,
    PageSize::Size64K,
    PageSize::Size2M,
    PageSize::Size32M,
    PageSize::Size512M,
    PageSize::Size1G,
];

/// All cache policies.
pub(super) const CACHES: [CachePolicy; 6] = [
    CachePolicy::WriteBack,
    CachePolicy::WriteThrough,
    CachePolicy::UncacheableMinus,
    CachePolicy::Uncacheable,
    CachePolicy::WriteCombining,
    CachePolicy::WriteProtected,
];

/// The combination of write, execute, user and global that `bits` names.
pub(super) fn combination(bits: u32, cache: CachePolicy) -> PageProperty {
    PageProperty {
        read: true,
        write: bits & 1 != 0,
        execute: bits & 2 != 0,
        user: bits & 4 != 0,
        global: bits & 8 != 0,
        accessed: false,
        dirty: false,
        cache,
    }
}

/// Where addresses come from.
pub(super) struct Source {
    pub(super) rng: Rng,
    levels: u32,
    phys_bits: u8,
    data: [Range<u64>; 2],
    reserved: Vec<RangeInclusive<u64>>,
}

impl Source {
    pub(super) fn new(seed: u64, machine: &impl Machine) -> Self {
        let (levels, memory) = (machine.levels(), machine.memory());
        let (phys_bits, data) = (memory.phys_bits(), memory.data());
        Source {
            rng: Rng::new(seed),
            levels,
            phys_bits,
            data,
            reserved: machine.reserved().to_vec(),
        }
    }

    /// A virtual address in one of few places of each table, aligned to `size`.
    pub(super) fn va(&mut self, size: PageSize) -> u64 {
        loop {
            let va = self.any_va(size);
            if !self.reserved.iter().any(|range| range.contains(&va)) {
                return va;
            }
        }
    }

    fn any_va(&mut self, size: PageSize) -> u64 {
        let mut va = 0;
        for level in 1..=self.levels {
            let index: u64 = match level {
                4 | 5 => self.rng.pick(&[0, 0, 255, 256, 511]),
                _ => self.rng.pick(&[0, 1, 2, 511]),
            };
            va |= index << (12 + 9 * (level - 1));
        }
        let unused = 64 - (12 + 9 * self.levels);
        ((va << unused) as i64 >> unused) as u64 & !(size.bytes() - 1)
    }

    /// A frame of memory that is not for tables.
    pub(super) fn frame(&mut self, size: PageSize) -> u64 {
        loop {
            let range = self.data[self.rng.below(self.data.len() as u64) as usize].clone();
            let (first, end) = (range.start.next_multiple_of(size.bytes()), range.end);
            if first < end && end - first >= size.bytes() {
                return first + self.rng.below((end - first) / size.bytes()) * size.bytes();
            }
        }
    }

    pub(super) fn size(&mut self) -> PageSize {
        self.rng.pick(&[
            PageSize::Size4K,
            PageSize::Size4K,
            PageSize::Size4K,
            PageSize::Size2M,
            PageSize::Size1G,
        ])
    }

    pub(super) fn prop(&mut self) -> PageProperty {
        let prop = combination(self.rng.below(16) as u32, self.rng.pick(&CACHES));
        PageProperty {
            read: !self.rng.one_in(24),
            accessed: self.rng.one_in(4),
            dirty: self.rng.one_in(4),
            ..prop
        }
    }

    /// The next request to a table that is as `model` says, which will have about `pages` pages.
    pub(super) fn op(&mut self, model: &Model, pages: usize) -> Op {
        let grow = model.len() < pages;
        let choice = self.rng.below(if grow { 10 } else { 16 });
        match choice {
            0..=5 => self.map(),
            6 => {
                let (va, _) = self.place(model);
                Op::Query {
                    va: va | self.rng.below(1 << 13),
                }
            }
            7 | 8 => {
                let (va, size) = self.place(model);
                Op::Protect {
                    va,
                    size,
                    prop: self.prop(),
                }
            }
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
        let (va, mut frame) = (
            self.maybe_wrong(size),
            self.frame(size.max(PageSize::Size4K)),
        );
        match self.rng.below(32) {
            0 => frame |= 1 << self.rng.below(64),
            1 => frame = !(size.bytes() - 1),
            2 => frame |= size.bytes() / 2,
            // The first frame that is too wide, and the last that isn't
            3 => frame = 1 << self.phys_bits,
            4 => frame = (1 << self.phys_bits) - size.bytes(),
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
        let random = |source: &mut Self| {
            let size = source.size();
            (source.maybe_wrong(size), size)
        };
        if model.is_empty() || self.rng.one_in(4) {
            return random(self);
        }
        let (va, page) = model
            .pages()
            .nth(self.rng.below(model.len() as u64) as usize)
            .expect("one of those there are");
        match self.rng.below(12) {
            // A part of it, or what it is a part of
            0 => (
                va + (self.rng.below(page.size.bytes()) & !0xfff),
                PageSize::Size4K,
            ),
            1 => (va & !(PageSize::Size2M.bytes() - 1), PageSize::Size2M),
            2 => (va & !(PageSize::Size1G.bytes() - 1), PageSize::Size1G),
            3 => (va, self.odd_size()),
            _ => (va, page.size),
        }
    }

    /// An address for a page of `size`, now and then one that is not aligned or not canonical.
    fn maybe_wrong(&mut self, size: PageSize) -> u64 {
        let va = self.va(size);
        match self.rng.below(48) {
            0 => va | 8,
            1 => va.wrapping_add(size.bytes() / 2),
            2 => {
                va ^ 1
                    << (11
                        + 9 * self.levels
                        + self.rng.below(64 - u64::from(11 + 9 * self.levels)) as u32)
            }
            _ => va,
        }
    }

    fn odd_size(&mut self) -> PageSize {
        self.rng.pick(&[
            PageSize::Size16K,
            PageSize::Size64K,
            PageSize::Size32M,
            PageSize::Size512M,
        ])
    }
}
