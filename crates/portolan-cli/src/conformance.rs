//! The conformance suite: on which machines, how much of it, and what is said of it.

use crate::arch::{Arch, Visit};
use crate::arguments::{ConformanceArguments, SuiteMachines};
use crate::choice::reason;
use crate::output::Output;
use crate::verdict::{Stop, Verdict};
use portolan::{PageSize, PagingMode, X86_64};
use portolan_machine::conformance::{Counts, Failure, Plan, agree, run};
use portolan_machine::{
    Caching, KvmConfig, KvmMachine, Machine, MachineError, SoftConfig, SoftMachine,
};
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
    let mut parts = Vec::new();
    if machine != SuiteMachines::Kvm {
        let all = Arch::all().iter().filter(|one| wanted(one));
        parts.extend(all.flat_map(|arch| soft_parts(*arch, full, seed)));
    }
    if machine != SuiteMachines::Soft && wanted(&Arch::X86_64) {
        let asked = machine == SuiteMachines::Kvm;
        parts.extend(guest_parts(guest(), asked, full, seed)?);
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

/// Processors in software: with caches that do anything, and for x86_64 also with one that never forgets.
fn soft_parts(arch: Arch, full: bool, seed: u64) -> Vec<Work> {
    let config = SoftConfig {
        regime: arch.regime(),
        caching: Caching::Seeded(seed),
        phys_bits: arch.widest(),
        ..SoftConfig::default()
    };
    let hoard = SoftConfig {
        caching: Caching::Hoard,
        phys_bits: 36,
        cpus: 1,
        ..config
    };
    let mut configs = vec![config];
    if arch == Arch::X86_64 {
        configs.push(hoard);
    }
    let part = |config| soft_part(arch, config, full, seed);
    configs.into_iter().map(part).collect()
}

fn soft_part(arch: Arch, config: SoftConfig, full: bool, seed: u64) -> Work {
    let SoftConfig {
        cpus,
        phys_bits,
        caching,
        ..
    } = config;
    let levels = arch.regime().levels();
    let forgets = match caching {
        Caching::Hoard => "that never forget",
        Caching::Seeded(_) => "that forget as they like",
    };
    let name = format!(
        "software, {arch}: {levels} levels, {phys_bits} physical bits, processors {forgets}: {cpus}"
    );
    Box::new(move || {
        let machine = SoftMachine::new(config);
        let plan = if full {
            Plan::full(seed)
        } else {
            Plan::quick(seed)
        };
        let work = |counts: &mut Counts| {
            arch.visit(Suite {
                machine: &machine,
                plan,
                counts,
            })
        };
        Part::new(&name).timed(work)
    })
}

/// The suite on a machine in software.
struct Suite<'a> {
    machine: &'a SoftMachine,
    plan: Plan,
    counts: &'a mut Counts,
}

impl Visit for Suite<'_> {
    type Answer = Result<(), Failure>;

    fn visit<A: PagingMode>(self) -> Self::Answer {
        run::<A, _>(self.machine, &self.plan, self.counts)
    }
}

/// A guest, if there is one, and a guest beside software. It is an error that there is none if it was `asked` for.
fn guest_parts(
    guest: Result<KvmMachine, MachineError>,
    asked: bool,
    full: bool,
    seed: u64,
) -> Result<Vec<Work>, MachineError> {
    match guest {
        Ok(guest) => {
            let same = guest.clone();
            Ok(vec![
                Box::new(move || on_guest(&guest, full, seed)),
                Box::new(move || beside_guest(&same, full, seed)),
            ])
        }
        Err(error) if asked => Err(error),
        Err(error) => Ok(vec![Box::new(move || Part {
            skipped: Some(reason(&error)),
            ..Part::new("guest of /dev/kvm")
        })]),
    }
}

fn on_guest(guest: &KvmMachine, full: bool, seed: u64) -> Part {
    let plan = if full {
        Plan::full_guest(seed)
    } else {
        Plan::quick_guest(seed)
    };
    let bits = guest.memory().phys_bits();
    let mut part = Part::new(&format!(
        "guest, 4 levels, {bits} physical bits, 2 processors"
    ));
    part.notes.push(guest.paging().to_string());
    if !guest.supports(PageSize::Size1G) {
        let note = "it has no pages of 1 GiB, so they have to cause faults for a reserved bit";
        part.notes.push(note.to_owned());
    }
    if !guest.misserved().is_empty() {
        let slots = guest.misserved();
        part.notes.push(format!(
            "the host doesn't serve top-level slots {slots:?} right; left out"
        ));
    }
    part.timed(|counts| run::<X86_64, _>(guest, &plan, counts))
}

fn beside_guest(guest: &KvmMachine, full: bool, seed: u64) -> Part {
    let cases = if full { 3000 } else { 200 };
    let reference = SoftMachine::new(SoftConfig {
        caching: Caching::Hoard,
        phys_bits: guest.memory().phys_bits(),
        ..SoftConfig::default()
    });
    Part::new(&format!(
        "guest beside software, {cases} chains of arbitrary entries"
    ))
    .timed(|counts| agree(&reference, guest, seed, cases, counts))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none() -> Result<KvmMachine, MachineError> {
        Err(MachineError::Unavailable {
            reason: "/dev/kvm: no such file".to_owned(),
        })
    }

    #[test]
    fn a_guest_that_is_not_there_is_left_out_with_a_line_that_says_why() {
        let parts: Vec<_> = guest_parts(none(), false, false, 1).unwrap();
        let lines: Vec<_> = parts.iter().map(|part| part().to_string()).collect();
        assert_eq!(
            lines,
            ["guest of /dev/kvm: skipped, /dev/kvm: no such file\n"]
        );
    }

    #[test]
    fn a_guest_that_is_asked_for_and_not_there_is_an_error() {
        let parts = guest_parts(none(), true, false, 1);
        assert_eq!(parts.err(), none().err());
    }
}
