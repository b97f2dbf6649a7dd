//! Address spaces under load: on which machine, for how long, and what is said of it.

use crate::arch::{Arch, VisitHalves};
use crate::arguments::{StressArguments, StressMachine};
use crate::output::Output;
use crate::verdict::{Stop, Verdict};
use portolan::X86_64;
use portolan::arch::halves::Halves;
use portolan_machine::stress::{Failure, Limit, Plan, Tally, run};
use portolan_machine::{Caching, KvmConfig, KvmMachine, Machine, SoftConfig, SoftMachine};
use serde::Serialize;
use std::fmt;
use std::io::Write;
use std::time::{Duration, Instant};

/// As many processors as a guest of /dev/kvm can have here.
const MOST_OF_A_GUEST: usize = 7;

/// `portolan stress`.
///
/// # Errors
/// The guest that was asked for, or the output, fails; or the arguments don't fit together.
pub fn command(arguments: &StressArguments) -> Result<Verdict, Stop> {
    let mut output = Output::new();
    let report = stress(arguments)?;
    if arguments.json {
        serde_json::to_writer_pretty(&mut output, &report)
            .map_err(|error| Stop::Output(error.into()))?;
        writeln!(output)?;
    } else {
        write!(output, "{report}")?;
        match report.ok {
            true => writeln!(output, "stress: everything is as it has to be")?,
            false => writeln!(output, "stress: FAILED with seed {}", report.seed)?,
        }
    }
    output.flush()?;
    Ok(report.ok.into())
}

/// What was run and how it went.
#[derive(Debug, Serialize)]
struct Report {
    ok: bool,
    machine: String,
    cpus: usize,
    seed: u64,
    /// Whether processors were told what to invalidate, and did.
    shootdown: bool,
    seconds: f64,
    /// How often everything was given back, and was all there.
    rounds: u64,
    /// Operations by name and answer.
    operations: Vec<Count>,
    /// Accesses by kind and outcome.
    accesses: Vec<Count>,
    /// Accesses of which only one outcome was possible.
    exact: u64,
    /// Accesses of which several were, since others changed what they met.
    racing: u64,
    /// Accesses of which nothing could be said.
    unjudged: u64,
    /// How often one processor notified another one.
    notifications: u64,
    /// How often a processor invalidated a range.
    invalidations: u64,
    /// What was wrong.
    failure: Option<String>,
}

/// How often.
#[derive(Debug, Serialize)]
struct Count {
    what: String,
    answer: String,
    times: u64,
}

impl Count {
    fn new((what, answer, times): (&str, &str, u64)) -> Self {
        Count {
            what: what.to_owned(),
            answer: answer.to_owned(),
            times,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {:.1} s", self.machine, self.seconds)?;
        if !self.shootdown {
            writeln!(f, "  nothing is invalidated but by a switch of the root")?;
        }
        writeln!(f, "{:>9} rounds", self.rounds)?;
        for (name, counts) in [
            ("operations", &self.operations),
            ("accesses", &self.accesses),
        ] {
            let all: u64 = counts.iter().map(|count| count.times).sum();
            writeln!(f, "{all:>9} {name}")?;
            for count in counts {
                let Count {
                    what,
                    answer,
                    times,
                } = count;
                writeln!(f, "{times:>9}   {what}: {answer}")?;
            }
        }
        for (times, what) in [
            (self.exact, "of them, with one possible outcome"),
            (
                self.racing,
                "of them, with several, while others changed what is mapped",
            ),
            (self.unjudged, "of them, while too much changed to say"),
        ] {
            writeln!(f, "{times:>9}   {what}")?;
        }
        writeln!(f, "{:>9} notifications", self.notifications)?;
        writeln!(f, "{:>9} invalidations", self.invalidations)?;
        self.failure
            .iter()
            .try_for_each(|failure| writeln!(f, "FAILED: {failure}"))
    }
}

/// A run in software, for any paging mode with a user half.
struct InSoftware<'a> {
    machine: &'a SoftMachine,
    plan: &'a Plan,
    tally: &'a mut Tally,
}

impl VisitHalves for InSoftware<'_> {
    type Answer = Result<(), Failure>;

    fn visit<A: Halves + Send + Sync + 'static>(self) -> Self::Answer {
        run::<A, _>(self.machine, self.plan, self.tally)
    }
}

fn stress(arguments: &StressArguments) -> Result<Report, Stop> {
    let &StressArguments {
        machine,
        arch,
        cpus,
        seed,
        ..
    } = arguments;
    let limit = match (arguments.operations, arguments.seconds) {
        (Some(operations), _) => Limit::Operations(operations),
        (None, seconds) => Limit::Time(Duration::from_secs(seconds)),
    };
    let plan = Plan {
        limit,
        invalidate: !arguments.without_shootdown,
        ..Plan::operations(seed, 0)
    };
    let name = match machine {
        StressMachine::Soft => "software",
        StressMachine::Kvm => "guest of /dev/kvm",
    };
    let name = format!("{name}, {arch}, processors: {cpus}");
    match machine {
        StressMachine::Soft => {
            let machine = SoftMachine::new(SoftConfig {
                regime: arch.regime(),
                cpus,
                caching: Caching::Seeded(seed),
                ..SoftConfig::default()
            });
            report(name, &machine, &plan, |tally| {
                let work = InSoftware {
                    machine: &machine,
                    plan: &plan,
                    tally,
                };
                arch.visit_halves(work).ok_or_else(|| {
                    let reason =
                        format!("{arch} has no half for user programs beside the kernel's");
                    Stop::Usage(reason)
                })
            })
        }
        StressMachine::Kvm if arch != Arch::X86_64 || cpus > MOST_OF_A_GUEST => {
            let reason = format!(
                "a guest of /dev/kvm has tables of x86_64, and up to {MOST_OF_A_GUEST} processors"
            );
            Err(Stop::Usage(reason))
        }
        StressMachine::Kvm => {
            let config = KvmConfig {
                cpus,
                late: true,
                ..KvmConfig::default()
            };
            let machine = KvmMachine::new(config)?;
            report(name, &machine, &plan, |tally| {
                Ok(run::<X86_64, _>(&machine, &plan, tally))
            })
        }
    }
}

/// Does `work` on a machine, and reports what came of it.
fn report(
    name: String,
    machine: &dyn Machine,
    plan: &Plan,
    work: impl FnOnce(&mut Tally) -> Result<Result<(), Failure>, Stop>,
) -> Result<Report, Stop> {
    let start = Instant::now();
    let mut tally = Tally::default();
    let failure = work(&mut tally)?.err().map(|failure| failure.to_string());
    Ok(Report {
        ok: failure.is_none(),
        machine: name,
        cpus: machine.cpus(),
        seed: plan.seed,
        shootdown: plan.invalidate,
        seconds: start.elapsed().as_secs_f64(),
        rounds: tally.rounds,
        operations: tally.operations().map(Count::new).collect(),
        accesses: tally.accesses().map(Count::new).collect(),
        exact: tally.exact,
        racing: tally.racing,
        unjudged: tally.unjudged,
        notifications: tally.notifications,
        invalidations: tally.invalidations,
        failure,
    })
}
