//! Pages that are broken before others are made in their place.

use super::super::model::{Make, Op};
use super::super::perform::Bits;
use super::super::report::Failure;
use super::super::shape::fitting;
use super::super::subject::{Bench, Subject};
use portolan::{CachePolicy, PageProperty, PageSize};

impl Bench<'_> {
    /// Pages of each size but the smallest become smaller ones, one again, and others.
    pub(in super::super) fn remakes(&mut self) -> Result<(), Failure> {
        let sizes = self.source(0).sizes();
        let mut pairs = sizes.windows(2);
        pairs.try_for_each(|sizes| self.remakes_of(sizes[0], sizes[1]))
    }

    fn remakes_of(&mut self, part: PageSize, size: PageSize) -> Result<(), Failure> {
        let regime = self.machine.regime();
        let mut source = self.source(size.bytes());
        let (frame, other) = (source.frame(size), source.frame(size));
        let (va, prop) = (self.last_of_first(size), PageProperty::USER_RW);
        let name = format!("break before make, pages of {part} and {size}");
        let mut subject = Subject::new(self, Bits::Tracking, name)?;
        subject.must(Op::Map {
            va,
            frame,
            size,
            prop,
        })?;
        let places = [va, va + part.bytes(), va + (size.bytes() - 8)];
        subject.probe_at(0, &places)?;
        let uncached = PageProperty {
            cache: CachePolicy::Uncacheable,
            ..prop
        };
        let global = fitting(
            regime,
            PageProperty {
                global: true,
                ..uncached
            },
        );
        let remake = |parts, make| Op::Remake {
            va,
            size,
            parts,
            make,
        };
        for op in [
            remake(false, Make::Split { part }),
            remake(true, Make::Restore),
            remake(true, Make::Collapse),
            remake(false, Make::Restore),
            remake(false, Make::Protect { prop: uncached }),
            remake(false, Make::Protect { prop: global }),
            remake(false, Make::Map { frame: other, prop }),
        ] {
            let missing = subject.model.missing_tables(&op) as u64;
            // Whole tables are broken and restored once
            let whole = matches!(op, Op::Remake { parts: true, .. });
            let first = if whole { missing.saturating_sub(1) } else { 0 };
            for nth in first..missing {
                subject.apply_refused_at(op, nth)?;
                subject.probe_at(0, &places)?;
            }
            subject.must(op)?;
            // Before anything is used again
            subject.must(Op::Query { va })?;
            let cpu = subject.bench.machine.cpus() - 1;
            subject.probe_at(cpu, &places)?;
            subject.must(Op::Query { va })?;
        }
        // Nothing of this can be made: the page is restored
        let wrong = PageProperty {
            read: false,
            write: true,
            ..prop
        };
        for make in [
            Make::Split { part: size },
            Make::Protect { prop: wrong },
            Make::Map {
                frame: other | 8,
                prop,
            },
        ] {
            let _ = subject.apply(remake(false, make))?;
            subject.probe_at(0, &places)?;
        }
        subject.must(remake(false, Make::Abandon))?;
        subject.probe_at(0, &places)?;
        subject.finish()
    }
}
