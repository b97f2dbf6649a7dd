//! Requests that are not performed: wrong ones, and those for which there is no memory.

use super::super::model::{Answer, Op};
use super::super::perform::Bits;
use super::super::report::{Failure, Mismatch};
use super::super::shape::level_of;
use super::super::subject::{Bench, Subject};
use crate::walk::PAGE_SIZES;
use portolan::{Error, PageProperty, PageSize};

impl Bench<'_> {
    /// Everything that can be wrong with a request, alone and together, beside nothing and beside pages of each size.
    pub(in super::super) fn errors(&mut self) -> Result<(), Failure> {
        let sizes = self.source(0).sizes();
        let largest = sizes[sizes.len() - 1];
        let base = self.last_of_first(largest);
        for there in [None].into_iter().chain(sizes.into_iter().map(Some)) {
            let mut source = self.source(base);
            let frame = there.map(|size| source.frame(size));
            let mut subject = Subject::new(
                self,
                Bits::Preset,
                format!("wrong requests beside {there:?}"),
            )?;
            if let (Some(size), Some(frame)) = (there, frame) {
                let prop = PageProperty::USER_RW;
                subject.must(Op::Map {
                    va: base,
                    frame,
                    size,
                    prop,
                })?;
            }
            for size in PAGE_SIZES {
                let bytes = size.bytes();
                for va in [
                    base,
                    base.wrapping_add(bytes),
                    base + 8,
                    base.wrapping_add(bytes / 2),
                    base ^ 1 << 63,
                    base.wrapping_add(largest.bytes()),
                ] {
                    subject.try_wrong(va, size)?;
                    if there != Some(size) || va != base {
                        let _ = subject.apply(Op::Unmap { va, size })?;
                    }
                }
            }
            subject.probe(0, &[base])?;
            subject.finish()?;
        }
        Ok(())
    }

    /// Each request for a table frame is refused once: an error, nothing changed, nothing leaked, and later success.
    pub(in super::super) fn refusals(&mut self) -> Result<(), Failure> {
        let prop = PageProperty::USER_RW;
        let (regime, memory) = (self.machine.regime(), self.machine.memory());
        let root_bytes = regime.span(1);
        memory.refuse_after(0);
        let root = self.mode.table(Bits::Preset).err();
        if root
            != Some(Error::NoMemory {
                addr: 0,
                size: root_bytes,
            })
        {
            let op = Op::Query { va: 0 };
            let what = Mismatch::Answer {
                op,
                expected: Err(Error::NoMemory {
                    addr: 0,
                    size: root_bytes,
                }),
                got: Ok(Answer::Done),
            };
            return Err(Failure {
                part: "refused root".into(),
                history: Vec::new(),
                what: Box::new(what),
            });
        }
        for size in self.source(0).sizes() {
            let mut source = self.source(size.bytes());
            let small = source.sizes()[0];
            let (frame, other) = (source.frame(size), source.frame(small));
            let va = self.last_of_first(size);
            // A neighbour that shares no table with the page, then one that shares the most it can
            let above = level_of(regime, size).map_or(0, |level| regime.span(level + 1));
            let first = *regime.ranges()[0].start();
            let near = [first, va ^ size.bytes(), va ^ above];
            let fits = |near: &u64| regime.canonical(*near) && near & !(size.bytes() - 1) != va;
            for near in near.into_iter().filter(fits) {
                let mut subject =
                    Subject::new(self, Bits::Preset, format!("refusals, pages of {size}"))?;
                subject.must(Op::Map {
                    va: near,
                    frame: other,
                    size: small,
                    prop,
                })?;
                let map = Op::Map {
                    va,
                    frame,
                    size,
                    prop,
                };
                for nth in 0..subject.model.missing_tables(&map) as u64 {
                    memory.refuse_after(nth);
                    subject.apply_refused(map)?;
                    subject.probe(0, &[va, near])?;
                    subject.must(map)?;
                    subject.probe(0, &[va, near])?;
                    subject.must(Op::Unmap { va, size })?;
                }
                subject.finish()?;
            }
        }
        memory.refuse_none();
        Ok(())
    }
}

impl Subject<'_, '_> {
    /// Maps, protects and queries at `va` with frames and properties that are right and wrong. What could be mapped is
    /// unmapped again, without an access: there may be no memory.
    fn try_wrong(&mut self, va: u64, size: PageSize) -> Result<(), Failure> {
        let (good, bytes) = (PageProperty::USER_RW, size.bytes());
        let limit = 1u64 << self.bench.machine.memory().phys_bits();
        // The last frame of all, those that are too wide, and ones that are not aligned
        let frames = [
            limit.wrapping_sub(bytes),
            limit,
            !(bytes - 1),
            1 << 63,
            8,
            limit.wrapping_sub(bytes / 2),
        ];
        let unreadable = PageProperty {
            read: false,
            ..good
        };
        for prop in [good, unreadable] {
            for frame in frames {
                if self
                    .apply(Op::Map {
                        va,
                        frame,
                        size,
                        prop,
                    })?
                    .is_ok()
                {
                    self.must(Op::Query { va })?;
                    self.must(Op::Unmap { va, size })?;
                }
            }
            let _ = self.apply(Op::Protect { va, size, prop })?;
        }
        let _ = self.apply(Op::Query { va })?;
        Ok(())
    }
}
