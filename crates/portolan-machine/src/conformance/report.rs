//! What a run of the suite counted, and how it failed.

use super::model::{Answer, Op, Run, Table};
use crate::access::{Access, Outcome};
use crate::any::Stale;
use crate::machine::{MachineError, Sight};
use portolan::{Error, Mapping};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// How many operations and accesses a run made, by kind and outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    operations: BTreeMap<(&'static str, &'static str), u64>,
    divided: BTreeMap<&'static str, u64>,
    accesses: BTreeMap<(String, String), u64>,
    kinds: BTreeSet<&'static str>,
}

impl Counts {
    /// Counts an operation.
    pub fn operation<T>(&mut self, op: &Op, answer: &Result<T, Error>) {
        let answer = answer.as_ref().err().map_or("done", error_name);
        *self.operations.entry((op.name(), answer)).or_default() += 1;
    }

    /// Counts the operations that had to divide a page first, which are counted as operations, too.
    pub(super) fn divided(&mut self, op: &Op) {
        *self.divided.entry(op.name()).or_default() += 1;
    }

    /// Counts the times that a range, or all tables, were read back by a cursor or an iterator.
    pub(super) fn reading(&mut self, by: &'static str) {
        *self.operations.entry((by, "done")).or_default() += 1;
    }

    /// Notes a kind of operation after which runs and tables are looked at; whether it is new.
    pub(super) fn is_new_kind(&mut self, op: &Op) -> bool {
        self.kinds.insert(op.name())
    }

    /// Counts an access.
    pub fn access(&mut self, access: &Access, outcome: &Outcome) {
        let kind = format!("{:?} {:?}", access.privilege, access.kind).to_lowercase();
        *self
            .accesses
            .entry((kind, outcome.to_string()))
            .or_default() += 1;
    }

    /// How many operations there were.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.operations.values().sum()
    }

    /// How many accesses there were.
    #[must_use]
    pub fn accesses(&self) -> u64 {
        self.accesses.values().sum()
    }

    /// Accesses by what they were (such as `user load`) and what came of them.
    pub fn accesses_by_outcome(&self) -> impl Iterator<Item = (&str, &str, u64)> {
        self.accesses
            .iter()
            .map(|((kind, outcome), count)| (kind.as_str(), outcome.as_str(), *count))
    }

    /// Operations by name and answer, which is `done` or an error's name.
    pub fn operations_by_answer(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        self.operations
            .iter()
            .map(|((op, answer), count)| (*op, *answer, *count))
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>9} operations", self.operations())?;
        for (op, answer, count) in self.operations_by_answer() {
            writeln!(f, "{count:>9}   {op}: {answer}")?;
        }
        for (op, count) in &self.divided {
            writeln!(f, "{count:>9}   of them, {op} of parts of a larger page")?;
        }
        writeln!(f, "{:>9} accesses", self.accesses())?;
        for (kind, outcome, count) in self.accesses_by_outcome() {
            writeln!(f, "{count:>9}   {kind}: {outcome}")?;
        }
        Ok(())
    }
}

fn error_name(error: &Error) -> &'static str {
    match error {
        Error::NotAligned { .. } => "NotAligned",
        Error::NotCanonical { .. } => "NotCanonical",
        Error::PastEnd { .. } => "PastEnd",
        Error::OutOfRange { .. } => "OutOfRange",
        Error::UnsupportedSize { .. } => "UnsupportedSize",
        Error::UnsupportedProperty { .. } => "UnsupportedProperty",
        Error::AlreadyMapped { .. } => "AlreadyMapped",
        Error::CoveredByHugePage { .. } => "CoveredByHugePage",
        Error::NotMapped { .. } => "NotMapped",
        Error::NoMemory { .. } => "NoMemory",
        Error::BreakBeforeMake { .. } => "BreakBeforeMake",
        Error::NotUniform { .. } => "NotUniform",
        Error::PhysTooWide { .. } => "PhysTooWide",
    }
}

/// How a page table, or the machine, was not what it should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// Which part of the suite.
    pub part: String,
    /// The operations since the table was made.
    pub history: Vec<Op>,
    /// What was wrong.
    pub what: Box<Mismatch>,
}

/// What was wrong.
#[derive(Clone, Debug, PartialEq)]
pub enum Mismatch {
    /// An operation answered something else than the model.
    Answer {
        /// The operation.
        op: Op,
        /// The model's answer.
        expected: Result<Answer, Error>,
        /// The page table's answer.
        got: Result<Answer, Error>,
    },
    /// A flush names other addresses than the operation's, or another smallest page than there was.
    Flush {
        /// The operation.
        op: Op,
        /// What it names.
        got: Stale,
    },
    /// A page that is read back is not the model's.
    ReadBack {
        /// What it was read by: a cursor, or an iterator of mappings.
        by: &'static str,
        /// The model's next page.
        expected: Option<(u64, Mapping)>,
        /// The page table's.
        got: Option<(u64, Mapping)>,
    },
    /// A run of pages is not what the model's pages are put together to.
    Runs {
        /// The model's next run.
        expected: Option<Run>,
        /// The page table's.
        got: Option<Run>,
    },
    /// A table that is visited is not the next that the model's pages need.
    Visit {
        /// The table that is needed.
        expected: Option<Table>,
        /// The table that is visited.
        got: Option<Table>,
    },
    /// A table that is visited is not where a walk finds it.
    TableAt {
        /// The table.
        table: Table,
        /// The physical address that a walk finds, if it gets there.
        expected: Option<u64>,
        /// The physical address that the visit tells.
        got: u64,
    },
    /// An access had another outcome than the model says, or than either of two models says.
    Access {
        /// The processor.
        cpu: usize,
        /// The access.
        access: Access,
        /// The outcomes that would have been right.
        expected: Vec<Outcome>,
        /// The outcome.
        got: Outcome,
    },
    /// A word of physical memory is not what the accesses made it.
    Memory {
        /// The physical address.
        addr: u64,
        /// What should be there.
        expected: u64,
        /// What is there.
        got: u64,
    },
    /// A walk finds something else than the model.
    Sight {
        /// The virtual address.
        va: u64,
        /// The model's page.
        expected: Option<Mapping>,
        /// What the walk finds.
        got: Sight,
    },
    /// The table frames held are not those that are needed.
    Frames {
        /// How many are needed.
        expected: usize,
        /// How many are held.
        got: usize,
    },
    /// A dirty bit that hardware set is not in what the operation answers, or not kept by it.
    LostDirty {
        /// The operation.
        op: Op,
        /// What is reported.
        got: Answer,
    },
    /// A new page table was refused.
    NoTable(Error),
    /// The machine failed.
    Machine(MachineError),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {:#x?}", self.part, self.what)?;
        let skipped = self.history.len().saturating_sub(12);
        writeln!(
            f,
            "after {} operations, of which the last were:",
            self.history.len()
        )?;
        for op in &self.history[skipped..] {
            writeln!(f, "  {op:x?}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}
