//! Copies: of pages of each size, for want of each table once, and beside what is there.

use super::super::model::{Op, Search};
use super::super::perform::Bits;
use super::super::report::Failure;
use super::super::subject::{Bench, Subject};
use portolan::{PageProperty, PageSize, UsedBits};

impl Bench<'_> {
    /// Pages of each size, used and then copied, both ways; what was used is found in the copy.
    pub(in super::super) fn copies(&mut self) -> Result<(), Failure> {
        for size in self.source(0).sizes() {
            for protect in [false, true] {
                self.copies_of(size, protect)?;
            }
        }
        Ok(())
    }

    fn copies_of(&mut self, size: PageSize, protect: bool) -> Result<(), Failure> {
        let mut source = self.source(size.bytes());
        let (small, bytes) = (source.sizes()[0], size.bytes());
        let (va, frame) = (self.last_of_first(size), source.frame(size));
        let first = *self.machine.regime().ranges()[0].start();
        let prop = PageProperty::USER_RW;
        let part = format!("copies, pages of {size}, write-protected: {protect}");
        let mut subject = Subject::new(self, Bits::Tracking, part)?;
        subject.must(Op::Map {
            va,
            frame,
            size,
            prop,
        })?;
        let next = [first, first + small.bytes(), first + 2 * small.bytes()];
        for va in next {
            subject.must(Op::Map {
                va,
                frame: source.frame(small),
                size: small,
                prop,
            })?;
        }
        subject.probe_at(0, &[va, first])?;
        let copy = |va, bytes, beside| Op::Copy {
            va,
            bytes,
            protect,
            beside,
        };
        // What is in the way, and a page that is cut
        let _ = subject.apply(copy(va, bytes, Some((va, frame))))?;
        if size > small {
            let _ = subject.apply(copy(va, small.bytes(), None))?;
        }
        let whole = copy(first, va + (bytes - 1) - first + 1, None);
        let beside = copy(va, bytes, Some((first, frame)));
        for op in [whole, beside] {
            for nth in 0..subject.model.missing_tables(&op) as u64 {
                subject.apply_refused_at(op, nth)?;
            }
            subject.must(op)?;
            subject.probe_at(0, &[va, first])?;
            // A table of the copy goes when the last of its pages does
            for va in next {
                let _ = subject.apply(Op::Unmap { va, size: small })?;
            }
            for (bits, by) in [
                (UsedBits::Dirty, Search::Each),
                (UsedBits::Accessed, Search::Next),
                (UsedBits::Both, Search::Harvest),
            ] {
                subject.must(Op::Harvest {
                    va,
                    bytes,
                    bits,
                    by,
                })?;
                subject.probe_at(0, &[va, va + (bytes - 8)])?;
                subject.must(Op::Query { va })?;
            }
        }
        subject.finish()
    }
}
