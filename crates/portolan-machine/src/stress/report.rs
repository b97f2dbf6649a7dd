//! What a run counted, and how it failed.

use super::frames::Spoiled;
use super::history::State;
use crate::access::{Access, Outcome};
use crate::machine::MachineError;
use portolan::space::VmError;
use std::collections::BTreeMap;
use std::fmt;

/// How often what was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    operations: BTreeMap<(&'static str, &'static str), u64>,
    accesses: BTreeMap<(String, String), u64>,
    /// Accesses of which only one outcome was possible.
    pub exact: u64,
    /// Accesses while others changed what they met, so that several outcomes were possible.
    pub racing: u64,
    /// Accesses while so much was changed that nothing could be said of them.
    pub unjudged: u64,
    /// How often one processor notified another one.
    pub notifications: u64,
    /// How often a processor was asked to invalidate a range.
    pub invalidations: u64,
    /// How often a processor came back to an address space and kept what its TLB held.
    pub kept: u64,
    /// How often everything was given back, and was all there.
    pub rounds: u64,
}

impl Tally {
    pub(super) fn operation(&mut self, what: &'static str, answer: &'static str) {
        *self.operations.entry((what, answer)).or_default() += 1;
    }

    pub(super) fn access(&mut self, access: &Access, outcome: &Outcome) {
        let kind = format!("{:?} {:?}", access.privilege, access.kind).to_lowercase();
        let count = self.accesses.entry((kind, outcome.to_string()));
        *count.or_default() += 1;
    }

    pub(super) fn add(&mut self, other: Tally) {
        for (what, count) in other.operations {
            *self.operations.entry(what).or_default() += count;
        }
        for (what, count) in other.accesses {
            *self.accesses.entry(what).or_default() += count;
        }
        self.exact += other.exact;
        self.racing += other.racing;
        self.unjudged += other.unjudged;
        self.notifications += other.notifications;
        self.invalidations += other.invalidations;
        self.kept += other.kept;
        self.rounds += other.rounds;
    }

    /// Operations by name and answer.
    pub fn operations(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        let all = self.operations.iter();
        all.map(|((what, answer), count)| (*what, *answer, *count))
    }

    /// Accesses by what they were and what came of them.
    pub fn accesses(&self) -> impl Iterator<Item = (&str, &str, u64)> {
        let all = self.accesses.iter();
        all.map(|((what, outcome), count)| (what.as_str(), outcome.as_str(), *count))
    }

    /// How many operations succeeded whose name is `what`.
    #[must_use]
    pub fn done(&self, what: &str) -> u64 {
        let named = self
            .operations()
            .filter(|(name, answer, _)| (*name, *answer) == (what, "done"));
        named.map(|(_, _, count)| count).sum()
    }

    /// How many accesses were refused.
    #[must_use]
    pub fn faults(&self) -> u64 {
        let faults = self
            .accesses()
            .filter(|(_, outcome, _)| *outcome != "performed");
        faults.map(|(_, _, count)| count).sum()
    }
}

/// How a run failed.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// Where random choices came from.
    pub seed: u64,
    /// In which round.
    pub round: u64,
    /// On which processor; `None` for what is found when all have ended.
    pub cpu: Option<usize>,
    /// What was wrong.
    pub what: Box<Mismatch>,
}

/// What was wrong.
#[derive(Clone, Debug, PartialEq)]
pub enum Mismatch {
    /// An access had an outcome that none of the states allows which it may have met.
    Access {
        /// The address space, by its number.
        space: Option<usize>,
        /// The access.
        access: Access,
        /// What may have been mapped.
        states: Vec<State>,
        /// The outcome.
        got: Outcome,
        /// What comes of it when this processor has invalidated everything: if that is allowed, a translation was stale, and
        /// else what is mapped is wrong, or the frame was somebody else's. Only of loads, and unless others are at it.
        again: Option<Box<Outcome>>,
    },
    /// A kernel's page wasn't what it always is.
    KernelPage {
        /// The access.
        access: Access,
        /// The outcome.
        got: Outcome,
    },
    /// A free frame was stored to.
    Spoiled(Spoiled),
    /// A cursor saw something else than is mapped.
    Query {
        /// The address space, by its number.
        space: usize,
        /// The virtual address.
        va: u64,
        /// What is mapped.
        expected: State,
        /// What the cursor saw.
        got: String,
    },
    /// An operation had another answer than it has to have.
    Answer {
        /// The operation.
        operation: &'static str,
        /// The answer that it has to have.
        expected: String,
        /// Its answer.
        got: String,
    },
    /// An operation was refused.
    Refused {
        /// The operation.
        operation: &'static str,
        /// Why.
        error: VmError,
    },
    /// What is left when everything was given back isn't what was there before.
    Leaked {
        /// Of what.
        what: &'static str,
        /// How many there were.
        expected: usize,
        /// How many there are.
        got: usize,
    },
    /// A processor's thread panicked.
    Panic(String),
    /// The machine failed.
    Machine(MachineError),
}

impl From<MachineError> for Mismatch {
    fn from(error: MachineError) -> Self {
        Mismatch::Machine(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure {
            seed, round, what, ..
        } = self;
        match self.cpu {
            Some(cpu) => write!(f, "seed {seed}, round {round}, processor {cpu}: {what:#x?}"),
            None => write!(f, "seed {seed}, round {round}: {what:#x?}"),
        }
    }
}

impl std::error::Error for Failure {}
