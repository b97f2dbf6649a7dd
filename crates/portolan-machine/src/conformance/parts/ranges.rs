//! Ranges: at the ends of the address space, and with large pages inside.

use super::super::model::Op;
use super::super::perform::Bits;
use super::super::report::Failure;
use super::super::shape::fitting;
use super::super::subject::{Bench, Subject};
use portolan::{PageProperty, PageSize};

impl Bench<'_> {
    /// Ranges at both ends of each half, and such as go beyond.
    pub(in super::super) fn ends(&mut self) -> Result<(), Failure> {
        let regime = self.machine.regime();
        let small = regime.span(1);
        for half in regime.ranges() {
            for va in [*half.start(), half.end() - (3 * small - 1)] {
                let mut source = self.source(va);
                let (largest, bytes) = (source.sizes()[0], 3 * small);
                let frame = source.frames(va, bytes, largest);
                let Some(frame) = frame.filter(|_| source.is_usable(va, bytes)) else {
                    continue;
                };
                let part = format!("ranges at the end of a half, {va:#x}");
                let mut subject = Subject::new(self, Bits::Preset, part)?;
                let prop = PageProperty::USER_RW;
                let map = |va, bytes| Op::MapRange {
                    va,
                    bytes,
                    frame,
                    largest,
                    prop,
                };
                let unmap = |va, bytes| Op::UnmapRange { va, bytes };
                subject.must(unmap(va, bytes))?;
                subject.must(map(va, 0))?;
                subject.must(map(va, bytes))?;
                subject.probe(0, &[])?;
                let _ = subject.apply(map(va + small, bytes))?;
                let _ = subject.apply(unmap(va + small, 2 * small + 8))?;
                let _ = subject.apply(unmap(va + 8, small))?;
                let _ = subject.apply(unmap(va.wrapping_sub(small), 2 * small))?;
                let _ = subject.apply(map(va, bytes))?;
                let whole = half.end() - half.start() + 1;
                let prop = fitting(regime, PageProperty::KERNEL_RO);
                for bytes in [0, 2 * small, whole] {
                    let _ = subject.apply(Op::ProtectRange { va, bytes, prop })?;
                }
                subject.probe(0, &[])?;
                let _ = subject.apply(unmap(*half.start(), whole))?;
                subject.probe(0, &[va])?;
                subject.finish()?;
            }
        }
        Ok(())
    }

    /// Ranges with a page of each size between smaller ones, in several tables; those with the smallest, with bits that
    /// hardware sets.
    pub(in super::super) fn uneven(&mut self) -> Result<(), Failure> {
        let sizes = self.source(0).sizes();
        for (index, sizes) in sizes.windows(2).enumerate() {
            match index {
                0 => self.uneven_by(Bits::Tracking, sizes[0], sizes[1])?,
                _ => self.uneven_by(Bits::Preset, sizes[0], sizes[1])?,
            }
        }
        Ok(())
    }

    fn uneven_by(&mut self, bits: Bits, small: PageSize, large: PageSize) -> Result<(), Failure> {
        let (memory, regime) = (self.machine.memory(), self.machine.regime());
        let mut source = self.source(large.bytes());
        let (s, l) = (small.bytes(), large.bytes());
        let middle = self.last_of_first(large) - l;
        let (va, bytes) = (middle - 2 * s, l + 4 * s);
        let frame = source.frames(va, bytes, large);
        let Some(frame) = frame.filter(|_| source.is_usable(va, bytes)) else {
            return Ok(());
        };
        let part = format!("ranges of {small} with {large} inside");
        let mut subject = Subject::new(self, bits, part)?;
        let prop = PageProperty::USER_RW;
        let map = |va, bytes, largest| Op::MapRange {
            va,
            bytes,
            frame: frame + (va - (middle - 2 * s)),
            largest,
            prop,
        };
        let all = map(va, bytes, large);
        for nth in 0..subject.model.missing_tables(&all) as u64 {
            memory.refuse_after(nth);
            subject.apply_refused(all)?;
        }
        subject.probe(0, &[va, middle])?;
        subject.must(all)?;
        subject.probe(0, &[])?;
        subject.read_back_in(middle + s, l)?;
        // Ranges that cut the large page, at one end or at both
        for (va, bytes) in [(va, 4 * s), (middle + s, l), (middle + s, s), (middle, s)] {
            let _ = subject.apply(Op::UnmapRange { va, bytes })?;
            let _ = subject.apply(Op::ProtectRange { va, bytes, prop })?;
            let _ = subject.apply(map(va, bytes, small))?;
        }
        let prop = fitting(regime, PageProperty::KERNEL_RO);
        let (at, bytes) = (va + s, l + 2 * s);
        subject.must(Op::ProtectRange {
            va: at,
            bytes,
            prop,
        })?;
        subject.probe(0, &[])?;
        // A hole, and what is in the way behind it
        let bytes = 2 * s;
        subject.must(Op::UnmapRange { va, bytes })?;
        let _ = subject.apply(all)?;
        let _ = subject.apply(map(va, 3 * s, small))?;
        subject.must(map(va, s, large))?;
        subject.probe(0, &[])?;
        let bytes = l + 4 * s;
        subject.must(Op::ProtectRange { va, bytes, prop })?;
        subject.must(Op::UnmapRange { va, bytes })?;
        subject.probe(0, &[va, middle])?;
        subject.finish()
    }
}
