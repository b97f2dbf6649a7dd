//! What a processor changes by a cursor.

use super::frames::{Poisoning, tag_word};
use super::history::{Grant, State};
use super::report::Mismatch;
use super::round::{StressKernel, Subject, refused};
use super::worker::Worker;
use super::{Host, Mode};
use crate::processors::OnCpu;
use portolan::frame::{FRAME_SIZE, Frame, FrameError, Segment};
use portolan::space::{CursorMut, MappedItem, Slot, VmError};
use portolan::{PageSize, PhysAddr, UserHalf, VirtAddr, VirtRange};
use std::ops::Range;
use std::sync::atomic::Ordering;

type Item<'k> = MappedItem<'k, Poisoning>;
type Change<'c, 'k, 'g, A, M> = CursorMut<'c, 'k, StressKernel<A, M>, OnCpu<'g>>;

impl<'r, 'k, A: Mode, M: Host> Worker<'r, 'k, A, M> {
    /// A few operations with one cursor. Processors are told after the last, in one of three ways.
    pub(super) fn change(&mut self, subject: &'r Subject<'k, A, M>) -> Result<(), Mismatch> {
        let _gate = self.among_others(&subject.gate);
        let part = self.part();
        let range = self.range(&part)?;
        let cursor = subject.space.cursor_mut(self.guard, &range);
        let mut cursor = cursor.map_err(|error| refused("cursor_mut", error))?;
        for _ in 0..=self.rng.below(3) {
            match self.rng.below(8) {
                0..4 => self.map(subject, &mut cursor, &part)?,
                4..6 => self.unmap(subject, &mut cursor, &part)?,
                6 => self.protect(subject, &mut cursor, &part)?,
                _ => self.query(subject, &mut cursor, &part)?,
            }
            match self.rng.below(6) {
                0 => self.poll(),
                1 => self.probe(1)?,
                _ => {}
            }
        }
        let ends: Vec<_> = part
            .map(|place| (place, subject.places[place].last()))
            .collect();
        match self.rng.below(3) {
            0 => drop(cursor),
            1 => self.sync(&mut cursor)?,
            _ => {
                let asked = cursor.flusher().dispatch_tlb_flush();
                asked.map_err(|error| refused("dispatch_tlb_flush", error))?;
                self.probe(1)?;
                self.sync(&mut cursor)?;
            }
        }
        ends.iter()
            .for_each(|(place, end)| subject.places[*place].settle(*end));
        Ok(())
    }

    fn sync(&self, cursor: &mut Change<'_, 'k, 'r, A, M>) -> Result<(), Mismatch> {
        let synced = cursor.flusher().sync_tlb_flush();
        synced.map_err(|error| refused("sync_tlb_flush", error))
    }

    /// Some places that follow each other.
    pub(super) fn part(&mut self) -> Range<usize> {
        let windows = &self.shared.layout.windows;
        let window = windows[self.rng.below(windows.len() as u64) as usize].clone();
        let start = window.start + self.rng.below(window.len() as u64) as usize;
        let room = (window.end - start) as u64;
        start..start + 1 + self.rng.below(room) as usize
    }

    /// Their addresses.
    pub(super) fn range(&self, part: &Range<usize>) -> Result<VirtRange<UserHalf<A>>, Mismatch> {
        let each = &self.shared.layout.places[part.clone()];
        let bytes = each.iter().map(|place| place.size.bytes()).sum();
        let range = VirtRange::new(self.address(part.start)?, bytes);
        range.map_err(|error| refused("range", error.into()))
    }

    pub(super) fn address(&self, place: usize) -> Result<VirtAddr<UserHalf<A>>, Mismatch> {
        let va = VirtAddr::new(self.shared.layout.places[place].va);
        va.map_err(|error| refused("address", error.into()))
    }

    /// Maps pages to some of the places, new ones or, again, some that are there.
    fn map(
        &mut self,
        subject: &Subject<'k, A, M>,
        cursor: &mut Change<'_, 'k, 'r, A, M>,
        part: &Range<usize>,
    ) -> Result<(), Mismatch> {
        for place in part
            .clone()
            .filter(|_| self.rng.one_in(2))
            .collect::<Vec<_>>()
        {
            let room = self.shared.layout.places[place].size;
            let size = self.rng.pick(&[room, PageSize::Size4K]);
            let Some((item, tag)) = self.frames(subject, cursor, part, size)? else {
                self.tally.operation("map", "NoMemory");
                continue;
            };
            let (now, small) = (subject.places[place].now(), size != room);
            let fits = !matches!(now, State::Page { small: other, .. } if other != small);
            let grant = self.rng.pick(&Grant::ALL);
            if fits && now != State::Absent {
                subject.places[place].issue(State::Absent);
            }
            if fits {
                subject.places[place].issue(State::Page { tag, grant, small });
            }
            self.jump(cursor, place)?;
            let mapped = match item {
                Item::Frame(frame) => cursor.map(frame, grant.properties()),
                Item::Segment(segment) => cursor.map_segment(segment, grant.properties()),
                Item::Io(addr) => cursor.map_iomem(addr, size, grant.properties()),
            };
            match (fits, mapped) {
                (true, Ok(())) => self.tally.operation("map", "done"),
                (true, Err(error)) => return Err(refused("map", error)),
                (false, Err(VmError::Paging(_))) => self.tally.operation("map", "AlreadyMapped"),
                (false, got) => {
                    return Err(Mismatch::Answer {
                        operation: "map",
                        expected: "AlreadyMapped".to_owned(),
                        got: format!("{got:?}"),
                    });
                }
            }
        }
        Ok(())
    }

    /// Frames for a page, and their tag. `None` if there are none.
    fn frames(
        &mut self,
        subject: &Subject<'k, A, M>,
        cursor: &mut Change<'_, 'k, 'r, A, M>,
        part: &Range<usize>,
        size: PageSize,
    ) -> Result<Option<(Item<'k>, u64)>, Mismatch> {
        if self.rng.one_in(4) {
            let other = part.start + self.rng.below(part.len() as u64) as usize;
            self.jump(cursor, other)?;
            let slot = cursor.query().map_err(|error| refused("query", error))?;
            let now = subject.places[other].now();
            if let (Some((item, _)), State::Page { tag, .. }) = (slot.item, now) {
                let bytes = match &item {
                    MappedItem::Segment(segment) => segment.size(),
                    _ => FRAME_SIZE,
                };
                if bytes == size.bytes() {
                    return Ok(Some((item, tag)));
                }
            }
        }
        let (frames, count) = (self.shared.machine.frames(), size.bytes() / FRAME_SIZE);
        let (item, first) = match size {
            PageSize::Size4K => match Frame::alloc(frames, ()) {
                Ok(frame) => {
                    let first = frame.paddr();
                    (Item::Frame(frame.into_untyped()), first)
                }
                Err(FrameError::NoMemory { .. }) => return Ok(None),
                Err(error) => return Err(refused("alloc", error.into())),
            },
            _ => match Segment::alloc(frames, count as usize, size.bytes(), |_| ()) {
                Ok(segment) => {
                    let first = segment.paddr();
                    (Item::Segment(segment.into_untyped()), first)
                }
                Err(FrameError::NoMemory { .. }) => return Ok(None),
                Err(error) => return Err(refused("alloc", error.into())),
            },
        };
        let tag = self.shared.tags.fetch_add(1, Ordering::SeqCst);
        for frame in [0, (count - 1) / 2, count - 1] {
            let addr = first.as_u64() + frame * FRAME_SIZE;
            frames.allocator().tag(PhysAddr::new(addr), tag);
        }
        Ok(Some((item, tag)))
    }

    fn unmap(
        &mut self,
        subject: &Subject<'k, A, M>,
        cursor: &mut Change<'_, 'k, 'r, A, M>,
        part: &Range<usize>,
    ) -> Result<(), Mismatch> {
        let start = part.start + self.rng.below(part.len() as u64) as usize;
        let each = &subject.places[start..part.end];
        let there: Vec<_> = each
            .iter()
            .filter(|place| place.now() != State::Absent)
            .collect();
        there.iter().for_each(|place| place.issue(State::Absent));
        self.jump(cursor, start)?;
        let bytes = self.range(&(start..part.end))?.size();
        let unmapped = cursor
            .unmap(bytes)
            .map_err(|error| refused("unmap", error))?;
        self.tally.operation("unmap", "done");
        answers("unmap", &(there.len() as u64), &unmapped)
    }

    fn protect(
        &mut self,
        subject: &Subject<'k, A, M>,
        cursor: &mut Change<'_, 'k, 'r, A, M>,
        part: &Range<usize>,
    ) -> Result<(), Mismatch> {
        self.jump(cursor, part.start)?;
        let range = self.range(part)?;
        let end = range.start().as_u64() + range.size();
        let mut from = part.start;
        loop {
            let page = |place: usize| match subject.places[place].now() {
                State::Page { tag, small, .. } => Some((place, tag, small)),
                State::Absent => None,
            };
            let next = (from..part.end).find_map(page);
            let grant = self.rng.pick(&Grant::ALL);
            let mut expected = None;
            if let Some((place, tag, small)) = next {
                subject.places[place].issue(State::Page { tag, grant, small });
                let room = self.shared.layout.places[place].size;
                let size = if small { PageSize::Size4K } else { room };
                expected = Some((self.shared.layout.places[place].va, size.bytes()));
                from = place + 1;
            }
            let rest = cursor.virt_addr().map_or(0, |va| end - va.as_u64());
            let got = cursor.protect_next(rest, |_| grant.properties());
            let got = got.map_err(|error| refused("protect_next", error))?;
            let got = got.map(|range| (range.start().as_u64(), range.size()));
            answers("protect_next", &expected, &got)?;
            if got.is_none() {
                return Ok(());
            }
            self.tally.operation("protect", "done");
        }
    }

    fn query(
        &mut self,
        subject: &Subject<'k, A, M>,
        cursor: &mut Change<'_, 'k, 'r, A, M>,
        part: &Range<usize>,
    ) -> Result<(), Mismatch> {
        for place in part.clone() {
            self.jump(cursor, place)?;
            let slot = cursor.query().map_err(|error| refused("query", error))?;
            self.check(subject, place, &slot)?;
        }
        self.tally.operation("query", "done");
        Ok(())
    }

    /// Compares what a cursor sees at a place with what is mapped there.
    pub(super) fn check(
        &self,
        subject: &Subject<'k, A, M>,
        place: usize,
        slot: &Slot<'k, StressKernel<A, M>>,
    ) -> Result<(), Mismatch> {
        let memory = &self.shared.memory;
        let room = self.shared.layout.places[place].size.bytes();
        let expected = subject.places[place].now();
        let right = match (expected, &slot.item) {
            (State::Absent, None) => true,
            (State::Page { tag, grant, small }, Some((item, prop))) => {
                let (addr, size) = match item {
                    MappedItem::Frame(frame) => (frame.paddr(), FRAME_SIZE),
                    MappedItem::Segment(segment) => (segment.paddr(), segment.size()),
                    MappedItem::Io(addr) => (*addr, 0),
                };
                let granted = grant.properties();
                size == if small { FRAME_SIZE } else { room }
                    && memory.load(addr) == tag_word(tag)
                    && (prop.user, prop.execute) == (granted.user, granted.execute)
                    // a fork takes away the kernel's right to write, of which programs don't know
                    && (prop.write == granted.write || grant == Grant::Nothing)
            }
            _ => false,
        };
        if right {
            return Ok(());
        }
        let found = slot.item.as_ref().map(|(_, prop)| prop);
        Err(Mismatch::Query {
            space: subject.number,
            va: self.shared.layout.places[place].va,
            expected,
            got: format!("{:?}: {found:?}", slot.range),
        })
    }

    fn jump(&self, cursor: &mut Change<'_, 'k, 'r, A, M>, place: usize) -> Result<(), Mismatch> {
        let jumped = cursor.jump(self.address(place)?);
        jumped.map_err(|error| refused("jump", error))
    }
}

/// An operation has to answer what is expected.
fn answers<T: PartialEq + std::fmt::Debug>(
    operation: &'static str,
    expected: &T,
    got: &T,
) -> Result<(), Mismatch> {
    if expected == got {
        return Ok(());
    }
    Err(Mismatch::Answer {
        operation,
        expected: format!("{expected:x?}"),
        got: format!("{got:x?}"),
    })
}
