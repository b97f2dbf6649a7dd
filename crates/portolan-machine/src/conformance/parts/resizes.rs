//! Whole tables: filled by a range, joined to one page, and divided again.

use super::super::model::Op;
use super::super::perform::Bits;
use super::super::report::Failure;
use super::super::shape::{fitting, resizes};
use super::super::subject::{Bench, Subject};
use portolan::{PageProperty, PageSize};

impl Bench<'_> {
    /// Whole tables of pages of each size but the largest; of the smallest, with bits that hardware sets.
    pub(in super::super) fn tables(&mut self) -> Result<(), Failure> {
        let sizes = self.source(0).sizes();
        for (index, sizes) in sizes.windows(2).enumerate() {
            match index {
                0 => self.tables_of(Bits::Tracking, sizes[0], sizes[1])?,
                _ => self.tables_of(Bits::Preset, sizes[0], sizes[1])?,
            }
        }
        Ok(())
    }

    fn tables_of(&mut self, bits: Bits, part: PageSize, size: PageSize) -> Result<(), Failure> {
        let (memory, regime) = (self.machine.memory(), self.machine.regime());
        let frame = self.source(size.bytes()).frame(size);
        let va = self.last_of_first(size);
        let name = format!("whole tables, pages of {part} and {size}");
        let mut subject = Subject::new(self, bits, name)?;
        let (s, l) = (part.bytes(), size.bytes());
        let (prop, middle) = (PageProperty::USER_RW, va + l / 2);
        let map = |va, bytes, frame| Op::MapRange {
            va,
            bytes,
            frame,
            largest: part,
            prop,
        };
        let (split, collapse) = (Op::Split { va, size }, Op::Collapse { va, size });
        let _ = subject.apply(collapse)?;
        subject.must(map(va, l, frame))?;
        subject.probe(0, &[middle])?;
        let _ = subject.apply(map(va + (l - s), s, frame))?;
        // A hole, another frame, other properties: no reason to become one page
        let bytes = s;
        subject.must(Op::UnmapRange { va: middle, bytes })?;
        let _ = subject.apply(collapse)?;
        subject.must(map(middle, s, frame))?;
        let _ = subject.apply(collapse)?;
        subject.must(Op::UnmapRange { va: middle, bytes })?;
        subject.must(map(middle, s, frame + l / 2))?;
        let other = fitting(regime, PageProperty::KERNEL_RO);
        for prop in [other, prop] {
            let _ = subject.apply(Op::ProtectRange {
                va: middle,
                bytes: l / 4,
                prop,
            })?;
            subject.probe(0, &[middle])?;
            let _ = subject.apply(collapse)?;
        }
        subject.probe(0, &[middle])?;
        if resizes(regime) {
            memory.refuse_after(0);
            subject.apply_refused(split)?;
            let _ = subject.apply(collapse)?;
            subject.probe(0, &[middle])?;
            subject.must(split)?;
            subject.probe(0, &[middle])?;
        }
        let _ = subject.apply(split)?;
        subject.must(Op::UnmapRange {
            va: middle,
            bytes: l / 2,
        })?;
        subject.probe(0, &[middle])?;
        subject.must(Op::UnmapRange { va, bytes: l })?;
        subject.probe(0, &[va])?;
        // One page from the start: where it has to be broken first, it stays one
        subject.must(Op::Map {
            va,
            frame,
            size,
            prop,
        })?;
        let _ = subject.apply(split)?;
        subject.probe(0, &[middle])?;
        subject.finish()
    }
}
