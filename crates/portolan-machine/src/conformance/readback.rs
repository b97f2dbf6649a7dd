//! A page table read back: what is in it as a whole.

use super::model::{Answer, Op};
use super::perform::Used;
use super::report::{Failure, Mismatch};
use super::subject::Subject;
use crate::machine::Machine;
use portolan::{
    Cursor, Error, Invalidate, Mapping, PagingMode, Runs, TableMemory, VirtAddr, VirtRange,
};

impl<K, M, A, B> Subject<'_, '_, K, M, A, B>
where
    K: Machine + Invalidate<A>,
    M: TableMemory,
    A: PagingMode,
    B: Used,
{
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
        let range = VirtAddr::new(va).and_then(|va| VirtRange::new(va, bytes));
        let mappings = range.and_then(|range| self.table.mappings(range));
        // Going through the tables twice would take as long again
        let pages = mappings.map(|pages| pages.collect::<Vec<_>>());
        let runs = pages.clone().map(|pages| Runs::new(pages.into_iter()));
        let plain = |(at, page): (VirtAddr<A>, Mapping)| (at.as_u64(), page);
        let pages = pages.map(|pages| pages.into_iter().map(plain).collect());
        self.compare("mappings", (va, bytes), pages)?;
        self.compare_runs((va, bytes), runs)?;
        let cursor = range.and_then(|range| self.table.cursor(range));
        self.compare(
            "cursor",
            (va, bytes),
            cursor.map(|cursor| pages_of(va, cursor)),
        )
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

/// The pages that a cursor meets on its way through a range that starts at `first`. One that it finds where it should
/// not be is given twice.
fn pages_of<M: TableMemory, A: PagingMode, B: Used>(
    first: u64,
    mut cursor: Cursor<'_, M, A, B>,
) -> Vec<(u64, Mapping)> {
    let mut pages = Vec::new();
    while let Some(at) = cursor.find_next(u64::MAX) {
        let (Some(page), Some((base, bytes))) = (cursor.query(), cursor.extent()) else {
            break;
        };
        let base = base.as_u64();
        pages.push((base, page));
        if bytes != page.size.bytes() || at.as_u64() != base.max(first) {
            pages.push((base, page));
        }
        cursor.move_forward();
    }
    pages
}
