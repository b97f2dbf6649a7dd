//! What a page table shows of itself: its pages as runs, and its tables.

use super::model::{Answer, Model, Op, Run, Table};
use super::report::{Failure, Mismatch};
use super::subject::Subject;
use crate::memory::Memory;
use crate::walk::{Regime, Step};
use portolan::{Error, PhysAddr};

/// Compares the runs that a page table shows of a range, given by its first address and bytes, with the model's.
///
/// # Errors
/// The first difference.
pub fn compare_runs(
    model: &Model,
    (va, bytes): (u64, u64),
    got: impl IntoIterator<Item = Run>,
) -> Result<(), Box<Mismatch>> {
    let mut expected = model.runs(va, bytes).into_iter();
    let mut got = got.into_iter();
    loop {
        let (expected, got) = (expected.next(), got.next());
        let same = match (&expected, &got) {
            (None, None) => return Ok(()),
            (Some(run), Some(seen)) => model.may_show(run, seen),
            _ => false,
        };
        if !same {
            return Err(Box::new(Mismatch::Runs { expected, got }));
        }
    }
}

/// Compares the tables that a visit of the page table at `root` gives, each with its address, with those that there should
/// be. Each has to be where
/// a walk finds it that goes by the manuals. Answers with how many they are.
///
/// # Errors
/// The first difference.
pub fn compare_tables(
    expected: &[Table],
    regime: Regime,
    memory: &Memory,
    root: PhysAddr,
    got: impl IntoIterator<Item = (Table, PhysAddr)>,
) -> Result<usize, Box<Mismatch>> {
    let mut got = got.into_iter();
    let mut left = expected.iter().copied();
    loop {
        let (expected_table, seen) = (left.next(), got.next());
        let table = seen.map(|(table, _)| table);
        if table != expected_table {
            return Err(Box::new(Mismatch::Visit {
                expected: expected_table,
                got: table,
            }));
        }
        let Some((table, addr)) = seen else {
            return Ok(expected.len());
        };
        let (walked, got) = (walk_to(regime, memory, root, &table), addr.as_u64());
        if walked != Some(got) {
            return Err(Box::new(Mismatch::TableAt {
                table,
                expected: walked,
                got,
            }));
        }
    }
}

/// Where a walk for the first address of `table` finds the table of its level, if it gets there by tables that are held.
fn walk_to(regime: Regime, memory: &Memory, root: PhysAddr, table: &Table) -> Option<u64> {
    let mut way = (table.level + 1..=regime.levels()).rev();
    way.try_fold(root.as_u64(), |at, level| {
        let index = regime.index(table.start, level) as u64;
        let word = memory.load(PhysAddr::new(at + 8 * index));
        match regime.step(memory.phys_bits(), level, word) {
            Step::Table { table: next, .. } => Some(next).filter(|next| memory.is_table(*next)),
            _ => None,
        }
    })
}

impl Subject<'_, '_> {
    /// Compares the runs that the table gives of a range.
    pub(super) fn read_runs(&mut self, va: u64, bytes: u64) -> Result<(), Failure> {
        let runs = self.table.runs(va, bytes);
        self.compare_runs((va, bytes), runs)
    }

    /// Compares runs of a range with the model's.
    pub(super) fn compare_runs(
        &mut self,
        (va, bytes): (u64, u64),
        runs: Result<Vec<Run>, Error>,
    ) -> Result<(), Failure> {
        self.bench.counts.reading("runs");
        match runs {
            Ok(runs) => {
                compare_runs(&self.model, (va, bytes), runs).or_else(|what| self.fail(*what))
            }
            Err(error) => self.fail(Mismatch::Answer {
                op: Op::Query { va },
                expected: Ok(Answer::Done),
                got: Err(error),
            }),
        }
    }

    /// Compares the tables, which have to be all table frames that are held beside those of others.
    pub(super) fn read_tables(&mut self) -> Result<(), Failure> {
        self.bench.counts.reading("tables");
        let machine = self.bench.machine;
        let regime = machine.regime();
        let expected = self.model.tables_for(&regime.ranges(), false);
        let (root, tables) = (self.table.root(), self.table.tables());
        match compare_tables(&expected, regime, machine.memory(), root, tables) {
            Ok(visited) => self.compare_frames(visited),
            Err(what) => self.fail(*what),
        }
    }
}
