//! Requests to copy, to break before making, to search for used pages, and steps of cursors.

use super::super::model::Search;
use super::{Make, Model, Op, Source, Step, in_place};
use portolan::{PageSize, UsedBits};

impl Source {
    /// A range of whole pages: mostly a whole half of the addresses.
    fn whole_range(&mut self, model: &Model) -> (u64, u64) {
        match self.rng.below(8) {
            0 => self.range(model, false),
            1 | 2 if !model.is_empty() => {
                let (va, page) = self.page(model);
                let end = model.starting_in(va, self.regime.span(3)).last();
                let bytes = end.map_or(page.size.bytes(), |(last, page)| {
                    last - va + page.size.bytes()
                });
                (va, bytes)
            }
            _ => {
                let half = self.regime.ranges();
                let half = half[self.rng.below(half.len() as u64) as usize].clone();
                (*half.start(), half.end() - half.start() + 1)
            }
        }
    }

    /// A copy into an empty table, now and then into one that has a page there or elsewhere.
    pub(super) fn copy(&mut self, model: &Model) -> Op {
        let (va, bytes) = self.whole_range(model);
        let small = self.sizes[0];
        let beside = self
            .rng
            .one_in(4)
            .then(|| (self.va(small), self.frame(small)));
        Op::Copy {
            va,
            bytes,
            protect: self.rng.one_in(2),
            beside,
        }
    }

    pub(super) fn harvest(&mut self, model: &Model) -> Op {
        let (va, bytes) = self.whole_range(model);
        let bits = self
            .rng
            .pick(&[UsedBits::Accessed, UsedBits::Dirty, UsedBits::Both]);
        let by = if model.is_uncut(va, bytes) {
            self.rng
                .pick(&[Search::Harvest, Search::Next, Search::Each])
        } else {
            self.rng.pick(&[Search::Harvest, Search::Next])
        };
        Op::Harvest {
            va,
            bytes,
            bits,
            by,
        }
    }

    /// A page that becomes another, or smaller ones; or smaller ones that become one.
    pub(super) fn remake(&mut self, model: &Model) -> Op {
        let (va, size) = self.place(model);
        let larger = self.sizes.iter().copied().find(|larger| *larger > size);
        let (va, size, parts) = match larger {
            Some(larger) if self.rng.one_in(3) => (va & !(larger.bytes() - 1), larger, true),
            _ => (va, size, false),
        };
        let make = match self.rng.below(8) {
            0 | 1 => Make::Map {
                frame: self.frame_or_wrong(size),
                prop: self.prop(),
            },
            2 | 3 => Make::Protect { prop: self.prop() },
            4 if parts => Make::Collapse,
            4 | 5 => Make::Split {
                part: self.part(size),
            },
            6 => Make::Restore,
            _ => Make::Abandon,
        };
        Op::Remake {
            va,
            size,
            parts,
            make,
        }
    }

    /// The next smaller size, now and then one that isn't smaller or that there are no pages of.
    fn part(&mut self, size: PageSize) -> PageSize {
        let part = self.sizes.iter().rfind(|part| **part < size).copied();
        match self.rng.below(8) {
            0 => size,
            1 => self.odd_size(),
            _ => part.unwrap_or(size),
        }
    }

    fn frame_or_wrong(&mut self, size: PageSize) -> u64 {
        if !self.sizes.contains(&size) {
            return 0;
        }
        match self.rng.below(16) {
            0 => self.frame(size) | 8,
            1 => !(size.bytes() - 1),
            _ => self.frame(size),
        }
    }

    /// A range for a cursor.
    pub(in super::super) fn cursor_range(&mut self, model: &Model) -> (u64, u64) {
        if self.rng.one_in(3) {
            self.whole_range(model)
        } else {
            self.range(model, false)
        }
    }

    /// A step of a cursor somewhere in a range.
    pub(super) fn some_step(&mut self, model: &Model) -> Op {
        let (va, bytes) = self.cursor_range(model);
        let pos = match self.rng.below(16) {
            0..6 => 0,
            6..12 => self.rng.below(8) * self.sizes[0].bytes(),
            12 => 8,
            _ => self.page_in(model, va, bytes).wrapping_sub(va),
        };
        let step = self.step(model, (va, bytes), pos);
        Op::Step {
            va,
            bytes,
            pos,
            step,
        }
    }

    /// Where a page starts in a range, if there is one, or the range's start.
    fn page_in(&mut self, model: &Model, va: u64, bytes: u64) -> u64 {
        let count = model.starting_in(va, bytes).count() as u64;
        let nth = self.rng.below(count.max(1)) as usize;
        let page = model.starting_in(va, bytes).nth(nth);
        page.map_or(va, |(at, _)| at)
    }

    /// What a cursor over a range does that is `pos` bytes from its start.
    pub(in super::super) fn step(
        &mut self,
        model: &Model,
        (va, bytes): (u64, u64),
        pos: u64,
    ) -> Step {
        let (at, small) = (va.wrapping_add(pos), self.sizes[0].bytes());
        let left = bytes.saturating_sub(pos);
        let len = match self.rng.below(8) {
            0 => left,
            1 => u64::MAX,
            2 => 0,
            3 => self.size().bytes(),
            _ => self.rng.below(8) * small,
        };
        match self.rng.below(12) {
            0..=2 => self.map_step(at),
            3 | 4 => self.map_range_step(at),
            5 => Step::Unmap { len },
            6 | 7 => {
                let next = model.overlapping(at, len.min(left)).next();
                let (prop, was) = (self.prop(), next.filter(|_| !self.rng.one_in(6)));
                let prop = was.map_or(prop, |(_, was)| in_place(self.regime, was.prop, prop));
                let len = if self.rng.one_in(2) { left } else { len };
                Step::ProtectNext { len, prop }
            }
            8 | 9 => Step::FindNext { len },
            10 => Step::MoveForward,
            _ => Step::Jump {
                to: match self.rng.below(8) {
                    0 => va.wrapping_add(bytes),
                    1 => va.wrapping_sub(small),
                    2 => va ^ 1 << 62,
                    3 => va.wrapping_add(self.rng.below(8) * small + 8),
                    _ => self.page_in(model, va, bytes),
                },
            },
        }
    }

    fn map_step(&mut self, at: u64) -> Step {
        let fits = |size: &PageSize| at.is_multiple_of(size.bytes());
        let largest = self.sizes.iter().copied().rfind(fits);
        let size = match largest {
            Some(largest) if self.rng.one_in(3) => largest,
            _ if self.rng.one_in(16) => self.odd_size(),
            _ => self.sizes[0],
        };
        if !self.is_usable(at, size.bytes()) {
            return Step::MoveForward;
        }
        Step::Map {
            frame: self.frame_or_wrong(size),
            size,
            prop: self.prop(),
        }
    }

    fn map_range_step(&mut self, at: u64) -> Step {
        let (small, largest) = (self.sizes[0], self.size());
        let len = self.rng.below(6) * small.bytes();
        let frame = self.frames(at, len.max(1), small);
        match frame.filter(|_| self.is_usable(at, len.max(1))) {
            Some(frame) => Step::MapRange {
                len,
                frame,
                largest,
                prop: self.prop(),
            },
            None => Step::FindNext { len },
        }
    }
}
