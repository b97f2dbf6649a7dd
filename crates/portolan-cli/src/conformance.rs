//! The conformance suite: on which machines, how much of it, and what is said of it.

mod machines;

use crate::arch::Arch;
use crate::arguments::{ConformanceArguments, SuiteMachines};
use crate::output::Output;
use crate::verdict::{Stop, Verdict};
use portolan_machine::conformance::{Counts, Failure};
use portolan_machine::{KvmConfig, KvmMachine, MachineError};
use serde::Serialize;
use std::io::Write;
use std::time::Instant;

/// `portolan conformance`.
///
/// # Errors
/// The guest that was asked for, or the output, fails.
pub fn command(arguments: &ConformanceArguments) -> Result<Verdict, Stop> {
    let guest = || {
        KvmMachine::new(KvmConfig {
            cpus: 2,
            ..KvmConfig::default()
        })
    };
    let mut output = Output::new();
    let report = if arguments.json {
        let report = suite(arguments, guest, |_| Ok(()))?;
        serde_json::to_writer_pretty(&mut output, &report)
            .map_err(|error| Stop::Output(error.into()))?;
        writeln!(output)?;
        report
    } else {
        let report = suite(arguments, guest, |part| Ok(write!(output, "{part}")?))?;
        match report.ok {
            true => writeln!(output, "conformance: everything is as it has to be")?,
            false => writeln!(output, "conformance: FAILED with seed {}", report.seed)?,
        }
        report
    };
    output.flush()?;
    Ok(report.ok.into())
}

/// What was run and how it went.
#[derive(Debug, Serialize)]
struct Report {
    ok: bool,
    full: bool,
    seed: u64,
    parts: Vec<Part>,
}

/// A machine's part.
#[derive(Debug, Serialize)]
struct Part {
    /// The machine.
    machine: String,
    /// What is to be said of it.
    notes: Vec<String>,
    /// Why it was left out.
    skipped: Option<String>,
    /// How long it took.
    seconds: f64,
    /// Operations by name and answer.
    operations: Vec<Count>,
    /// Accesses by kind and outcome.
    accesses: Vec<Count>,
    /// What was wrong.
    failure: Option<String>,
}

/// A part that is still to be run.
type Work = Box<dyn Fn() -> Part>;

/// How often.
#[derive(Debug, Serialize)]
struct Count {
    what: String,
    answer: String,
    times: u64,
}

impl Part {
    fn new(machine: &str) -> Self {
        Part {
            machine: machine.to_owned(),
            notes: Vec::new(),
            skipped: None,
            seconds: 0.0,
            operations: Vec::new(),
            accesses: Vec::new(),
            failure: None,
        }
    }

    /// Does `work` and remembers what it counted.
    fn timed(mut self, work: impl FnOnce(&mut Counts) -> Result<(), Failure>) -> Self {
        let start = Instant::now();
        let mut counts = Counts::default();
        self.failure = work(&mut counts).err().map(|failure| failure.to_string());
        self.seconds = start.elapsed().as_secs_f64();
        let count = |(what, answer, times): (&str, &str, u64)| Count {
            what: what.to_owned(),
            answer: answer.to_owned(),
            times,
        };
        self.operations = counts.operations_by_answer().map(count).collect();
        self.accesses = counts.accesses_by_outcome().map(count).collect();
        self
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(reason) = &self.skipped {
            return writeln!(f, "{}: skipped, {reason}", self.machine);
        }
        writeln!(f, "{}: {:.1} s", self.machine, self.seconds)?;
        for note in &self.notes {
            writeln!(f, "  {note}")?;
        }
        for (name, counts) in [
            ("operations", &self.operations),
            ("accesses", &self.accesses),
        ] {
            let all: u64 = counts.iter().map(|count| count.times).sum();
            if all > 0 {
                writeln!(f, "{all:>9} {name}")?;
            }
            for Count {
                what,
                answer,
                times,
            } in counts
            {
                writeln!(f, "{times:>9}   {what}: {answer}")?;
            }
        }
        self.failure
            .iter()
            .try_for_each(|failure| writeln!(f, "FAILED: {failure}"))
    }
}

/// Runs the suite until something fails. `show` is called after each part; `guest` makes a guest.
fn suite(
    arguments: &ConformanceArguments,
    guest: impl FnOnce() -> Result<KvmMachine, MachineError>,
    mut show: impl FnMut(&Part) -> Result<(), Stop>,
) -> Result<Report, Stop> {
    let &ConformanceArguments {
        full,
        machine,
        arch,
        seed,
        ..
    } = arguments;
    let wanted = |one: &Arch| arch.is_none_or(|arch| arch == *one);
    let arches: Vec<Arch> = Arch::all().iter().copied().filter(wanted).collect();
    let asked = |one| machine == one || machine == SuiteMachines::All;
    let mut parts = Vec::new();
    if asked(SuiteMachines::Soft) {
        let each = arches.iter();
        parts.extend(each.flat_map(|arch| machines::soft_parts(*arch, full, seed)));
    }
    if asked(SuiteMachines::Kvm) {
        let has_tables = wanted(&Arch::X86_64);
        let required = machine == SuiteMachines::Kvm;
        if required && !has_tables {
            let reason = "/dev/kvm: its guests have tables of x86_64 with 4 levels".to_owned();
            return Err(MachineError::Unavailable { reason }.into());
        }
        if has_tables {
            parts.extend(machines::guest_parts(guest(), required, full, seed)?);
        }
    }
    if asked(SuiteMachines::Qemu) {
        let required = machine == SuiteMachines::Qemu;
        parts.extend(machines::qemu_parts(&arches, required, full, seed)?);
    }
    if asked(SuiteMachines::Bochs) {
        let required = machine == SuiteMachines::Bochs;
        parts.extend(machines::bochs_parts(&arches, required, full, seed)?);
    }
    let mut report = Report {
        ok: true,
        full,
        seed,
        parts: Vec::new(),
    };
    for part in parts {
        let part = part();
        show(&part)?;
        report.ok &= part.failure.is_none();
        report.parts.push(part);
        if !report.ok {
            break;
        }
    }
    Ok(report)
}
