//! Requests for ranges, and for pages of other sizes.

use super::{Model, Op, Source, in_place};
use portolan::PageSize;

impl Source {
    /// Frames for `bytes` in a row that lie in `align` as `va` does.
    ///
    /// No answer if there is no memory for so many.
    pub(in super::super) fn frames(&mut self, va: u64, bytes: u64, align: PageSize) -> Option<u64> {
        let align = align.bytes();
        let room = |range: &std::ops::Range<u64>| {
            let skipped = va.wrapping_sub(range.start) & (align - 1);
            let first = range.start.checked_add(skipped)?;
            let spare = range.end.checked_sub(first)?.checked_sub(bytes)?;
            Some((first, spare / align + 1))
        };
        let rooms: Vec<_> = self.data.iter().filter_map(room).collect();
        if rooms.is_empty() {
            return None;
        }
        let (first, count) = self.rng.pick(&rooms);
        Some(first + self.rng.below(count) * align)
    }

    /// Whether `bytes` from `va` on are addresses of one half that can all be tested.
    pub(in super::super) fn is_usable(&self, va: u64, bytes: u64) -> bool {
        let Some(last) = va.checked_add(bytes - 1) else {
            return false;
        };
        let touches =
            |range: &std::ops::RangeInclusive<u64>| *range.start() <= last && va <= *range.end();
        let mut halves = self.regime.ranges().into_iter();
        halves.any(|half| half.contains(&va) && half.contains(&last))
            && !self.reserved.iter().any(touches)
    }

    /// A few small pages, now and then with a large one that fits in between; now and then a wrong request.
    pub(super) fn map_range(&mut self) -> Op {
        let (small, size) = (self.sizes[0].bytes(), self.size());
        let (before, after) = (self.rng.below(4) * small, self.rng.below(10) * small);
        let large = if self.rng.one_in(2) { size.bytes() } else { 0 };
        let (va, bytes) = (
            self.va(size).wrapping_sub(before),
            before + large + after + small,
        );
        let align = if large > 0 || self.rng.one_in(2) {
            size
        } else {
            self.sizes[0]
        };
        let frames = self.frames(va, bytes, align);
        let Some(frame) = frames.filter(|_| self.is_usable(va, bytes)) else {
            return self.map();
        };
        let largest = match self.rng.below(16) {
            0..8 => size,
            8..14 => self.sizes[self.sizes.len() - 1].max(size),
            _ => self.odd_size(),
        };
        // A large page that is not to be mapped by one entry would take too many
        let (bytes, largest) = if largest < size && largest.bytes() >= small {
            (before + small, largest)
        } else {
            (bytes, largest)
        };
        let prop = self.prop();
        let (va, bytes, frame) = match self.rng.below(48) {
            0 => (va | 8, bytes, frame),
            1 => (va, bytes | 8, frame),
            2 => (va, bytes, frame | 8),
            3 => (va, bytes, 1 << self.phys_bits),
            4 => (va, 0, frame),
            5 => (va, 1 << 60, frame),
            6 => (va ^ 1 << 62, bytes, frame),
            _ => (va, bytes, frame),
        };
        Op::MapRange {
            va,
            bytes,
            frame,
            largest,
            prop,
        }
    }

    /// A range around a page, now and then one that cuts it, a whole half or a wrong one.
    pub(super) fn range(&mut self, model: &Model, wide: bool) -> (u64, u64) {
        let small = self.sizes[0].bytes();
        let (at, size) = self.place(model);
        if size > self.sizes[0] && self.rng.one_in(4) {
            return self.part_of_page(at, size);
        }
        let unit = if wide {
            self.sizes.get(1).map_or(small, |size| size.bytes())
        } else {
            small
        };
        let at = at & !(unit - 1);
        let (before, after) = (self.rng.below(3) * unit, self.rng.below(5) * unit);
        let va = if self.regime.canonical(at.wrapping_sub(before)) {
            at.wrapping_sub(before)
        } else {
            at
        };
        let bytes = match self.rng.below(8) {
            0 => unit + after,
            _ => before + size.bytes().max(unit) + after,
        };
        match self.rng.below(48) {
            0 => (va | 8, bytes),
            1 => (va, bytes | 8),
            2 => (va, 0),
            3 => (va, 1 << 60),
            4 => (va ^ 1 << 62, bytes),
            5 => {
                let half = self.regime.ranges()[0].clone();
                (*half.start(), half.end() - half.start() + 1)
            }
            _ => (va, bytes),
        }
    }

    /// A range to look at: mostly from inside of one page to inside of another, or else to an end of the half. All
    /// addresses of the first half if nothing is mapped.
    pub(in super::super) fn view(&mut self, model: &Model) -> (u64, u64) {
        let small = self.sizes[0].bytes();
        let mut halves = self.regime.ranges().into_iter();
        if model.is_empty() {
            let half = halves.next().expect("a regime has addresses");
            return (*half.start(), half.end() - half.start() + 1);
        }
        let mut inside = || {
            let (at, page) = self.page(model);
            at + self.rng.below(page.size.bytes() / small) * small
        };
        let (one, other) = (inside(), inside());
        let half = halves.find(|half| half.contains(&one));
        let half = half.expect("a page lies in a half");
        let other = if half.contains(&other) { other } else { one };
        let (mut first, mut last) = (one.min(other), one.max(other) + (small - 1));
        match self.rng.below(8) {
            0 => first = *half.start(),
            1 => last = *half.end(),
            _ => {}
        }
        (first, last - first + 1)
    }

    /// A range that starts in a page, ends in one, or both.
    fn part_of_page(&mut self, at: u64, size: PageSize) -> (u64, u64) {
        let small = self.sizes[0].bytes();
        let inside = self.rng.below(size.bytes() / small) * small;
        let va = at.wrapping_add(inside);
        match self.rng.below(3) {
            0 => (va, size.bytes() - inside),
            1 => (at, inside),
            _ => (va, (self.rng.below(6) + 1) * small),
        }
    }

    pub(super) fn unmap_range(&mut self, model: &Model, wide: bool) -> Op {
        let (va, bytes) = self.range(model, wide);
        Op::UnmapRange { va, bytes }
    }

    /// Mostly such that can be made while the pages are in use.
    pub(super) fn protect_range(&mut self, model: &Model) -> Op {
        let ((va, bytes), wanted) = (self.range(model, false), self.prop());
        if self.rng.one_in(4) {
            let prop = wanted;
            return Op::ProtectRange { va, bytes, prop };
        }
        let pages = model.starting_in(va, bytes).map(|(_, page)| page.prop);
        let prop = pages.fold(wanted, |prop, was| in_place(self.regime, was, prop));
        Op::ProtectRange { va, bytes, prop }
    }

    /// Mostly a split of a page that is large, or a collapse of such as are small.
    pub(super) fn resize(&mut self, model: &Model) -> Op {
        let (va, size) = self.place(model);
        let larger = self.sizes.iter().copied().find(|larger| *larger > size);
        match larger {
            Some(larger) if size == self.sizes[0] || self.rng.one_in(2) => Op::Collapse {
                va: va & !(larger.bytes() - 1),
                size: larger,
            },
            _ => Op::Split { va, size },
        }
    }
}
