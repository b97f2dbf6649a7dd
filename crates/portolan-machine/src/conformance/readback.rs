//! A page table read back: what is in it as a whole.

use super::model::{Answer, Op};
use super::report::{Failure, Mismatch};
use super::subject::Subject;
use portolan::{Error, Mapping};

impl Subject<'_, '_> {
    /// Compares all that is in the table with all that is in the model, and the tables with those that this takes.
    pub(super) fn read_back(&mut self) -> Result<(), Failure> {
        let ranges = self.bench.machine.regime().ranges();
        ranges.iter().try_for_each(|range| {
            self.read_back_in(*range.start(), range.end() - range.start() + 1)
        })?;
        self.read_tables()
    }

    /// Compares the pages that overlap a range, as an iterator and as a cursor give them, and the runs of the former.
    pub(super) fn read_back_in(&mut self, va: u64, bytes: u64) -> Result<(), Failure> {
        let range = (va, bytes);
        let (pages, runs) = self.table.mappings(va, bytes).map_or_else(
            |error| (Err(error), Err(error)),
            |(pages, runs)| (Ok(pages), Ok(runs)),
        );
        self.compare("mappings", range, pages)?;
        self.compare_runs(range, runs)?;
        let met = self.table.met(range);
        self.compare("cursor", range, met)
    }

    fn compare(
        &mut self,
        by: &'static str,
        (va, bytes): (u64, u64),
        got: Result<Vec<(u64, Mapping)>, Error>,
    ) -> Result<(), Failure> {
        self.bench.counts.reading(by);
        let got = match got {
            Ok(got) => got,
            Err(error) => {
                return self.fail(Mismatch::Answer {
                    op: Op::Query { va },
                    expected: Ok(Answer::Done),
                    got: Err(error),
                });
            }
        };
        let expected: Vec<_> = self.model.overlapping(va, bytes).collect();
        for index in 0..expected.len().max(got.len()) {
            let (expected, got) = (expected.get(index).copied(), got.get(index).copied());
            let same = match (expected, got) {
                (Some((at, page)), Some((seen_at, seen))) => {
                    at == seen_at && self.model.agrees(page, seen)
                }
                _ => false,
            };
            if !same {
                return self.fail(Mismatch::ReadBack { by, expected, got });
            }
        }
        Ok(())
    }
}
