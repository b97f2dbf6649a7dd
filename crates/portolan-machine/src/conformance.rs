//! One suite for page tables on every machine.
//!
//! Operations are compared with a plain map ([`model::Model`]), answers and errors alike, and so is what the table shows of
//! itself: its pages, runs of them, and its tables. Then processors make accesses of every kind at every edge, and each
//! outcome is compared: the value from the right physical address, or the fault and all that the processor reports of it.
//! [`run`] is the whole of it, [`Plan`] says how much.

mod agree;
mod flip;
mod generate;
mod interpose;
pub mod model;
mod parts;
mod perform;
mod probe;
mod readback;
mod report;
mod shape;
mod subject;
mod views;

pub use agree::agree;
pub use flip::{FlippedBit, Which};
pub use report::{Counts, Failure, Mismatch};
pub use views::{compare_runs, compare_tables};

use crate::machine::Machine;
use crate::rng::mix;
use model::Op;
use portolan::arch::halves::Halves;
use portolan::{Invalidate, KernelHalf, PagingMode, Preset, TableMemory, Tracking, UserHalf};
use subject::{Bench, Subject};

/// How much of the suite is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Where random choices come from.
    pub seed: u64,
    /// How many random sequences there are, of which every other one is on a table that tracks accessed and dirty bits.
    pub sequences: u32,
    /// How many operations a random sequence has.
    pub steps: u32,
    /// All sequences of this many operations out of a few.
    pub small: u32,
    /// Whether every change from one combination of flags to another is made.
    pub changes: bool,
    /// Whether flushes are paid. They are, but in a control.
    pub pay: bool,
}

impl Plan {
    /// For a test: seconds on the software machine, also without optimization.
    #[must_use]
    pub const fn quick(seed: u64) -> Self {
        Plan {
            seed,
            sequences: 12,
            steps: 36,
            small: 2,
            changes: false,
            pay: true,
        }
    }

    /// For a test on a guest, where an access takes some 50 microseconds if the host emulates much of it.
    #[must_use]
    pub const fn quick_guest(seed: u64) -> Self {
        Plan {
            seed,
            sequences: 4,
            steps: 16,
            small: 1,
            changes: false,
            pay: true,
        }
    }

    /// Everything, on the software machine: more than a million accesses.
    #[must_use]
    pub const fn full(seed: u64) -> Self {
        Plan {
            seed,
            sequences: 300,
            steps: 250,
            small: 4,
            changes: true,
            pay: true,
        }
    }

    /// Everything, on a guest: more than a hundred thousand accesses.
    #[must_use]
    pub const fn full_guest(seed: u64) -> Self {
        Plan {
            seed,
            sequences: 40,
            steps: 120,
            small: 3,
            changes: true,
            pay: true,
        }
    }

    /// As little as shows a wrong entry format.
    #[must_use]
    pub const fn smallest(seed: u64) -> Self {
        Plan {
            seed,
            sequences: 2,
            steps: 12,
            small: 1,
            changes: false,
            pay: true,
        }
    }
}

/// Runs the suite on a machine, for paging mode `A`, which must be for the machine's regime.
///
/// # Errors
/// The first thing that is not as it should be. `counts` has what was done until then.
pub fn run<A, K>(machine: &K, plan: &Plan, counts: &mut Counts) -> Result<(), Failure>
where
    A: PagingMode,
    K: Machine + Invalidate<A>,
{
    run_with::<A, K, _>(machine, machine.memory().clone(), plan, counts)
}

/// As [`run`], with tables in `memory`, which is another way to the machine's own.
///
/// # Errors
/// As for [`run`].
pub fn run_with<A, K, M>(
    machine: &K,
    memory: M,
    plan: &Plan,
    counts: &mut Counts,
) -> Result<(), Failure>
where
    A: PagingMode,
    K: Machine + Invalidate<A>,
    M: TableMemory,
{
    let mut bench = Bench {
        machine,
        memory,
        counts,
        pay: plan.pay,
    };
    bench.flags::<A, Preset>(plan.changes)?;
    bench.flags::<A, Tracking>(false)?;
    bench.errors::<A>()?;
    bench.marks::<A>()?;
    bench.races::<A>()?;
    bench.ends::<A>()?;
    bench.uneven::<A>()?;
    bench.tables::<A>()?;
    bench.remakes::<A>()?;
    bench.copies::<A>()?;
    bench.cursors::<A>()?;
    bench.refusals::<A>()?;
    bench.views::<A>()?;
    for length in 1..=plan.small {
        (0..3).try_for_each(|place| bench.small::<A>(length, place))?;
    }
    for sequence in 0..u64::from(plan.sequences) {
        let seed = mix(plan.seed ^ mix(sequence));
        match sequence % 4 {
            0 | 2 => bench.random::<A, Preset>(seed, plan.steps)?,
            1 => bench.random::<A, Tracking>(seed, plan.steps)?,
            _ => bench.between::<A>(seed, plan.steps)?,
        }
    }
    Ok(())
}

/// Runs the part of the suite that is about a kernel half which user tables share.
///
/// # Errors
/// As for [`run`].
pub fn run_halves<A, K>(machine: &K, plan: &Plan, counts: &mut Counts) -> Result<(), Failure>
where
    A: Halves,
    K: Machine + Invalidate<UserHalf<A>> + Invalidate<KernelHalf<A>>,
{
    let mut bench = Bench {
        machine,
        memory: machine.memory().clone(),
        counts,
        pay: plan.pay,
    };
    bench.halves::<A>(mix(plan.seed), plan.steps)
}

/// Performs one sequence of operations on a new table, compares each answer with the model's and makes accesses of
/// every kind after each operation, on the processors in turn.
///
/// # Errors
/// The first thing that is not as it should be.
pub fn check<A, K>(machine: &K, ops: &[Op], counts: &mut Counts) -> Result<(), Failure>
where
    A: PagingMode,
    K: Machine + Invalidate<A>,
{
    let mut bench = Bench {
        machine,
        memory: machine.memory().clone(),
        counts,
        pay: true,
    };
    let mut subject = Subject::<_, _, A, Tracking>::new(&mut bench, "given sequence".into())?;
    for (op, cpu) in ops.iter().zip((0..machine.cpus()).cycle()) {
        let _ = subject.apply(*op)?;
        subject.probe(cpu, &[])?;
    }
    subject.finish()
}
