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

use crate::any::AnyMemory;
use crate::machine::Machine;
use crate::rng::mix;
use interpose::{Hook, Interposed};
use model::Op;
use perform::{Bits, Mode};
use portolan::arch::halves::Halves;
use portolan::{Invalidate, KernelHalf, PagingMode, TableMemory, UserHalf};
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
    everything(
        &mut bench::<A, K, M>(machine, memory, plan.pay, counts),
        plan,
    )
}

/// What the suite is run on.
fn bench<'m, A, K, M>(machine: &'m K, memory: M, pay: bool, counts: &'m mut Counts) -> Bench<'m>
where
    A: PagingMode + 'm,
    K: Machine + Invalidate<A>,
    M: TableMemory + 'm,
{
    let hook = Hook::new(machine);
    let memory = AnyMemory::new(Interposed::new(memory, hook.clone()));
    Bench {
        machine,
        mode: Box::new(Mode::<A> {
            memory,
            tlbs: machine,
        }),
        hook,
        counts,
        pay,
    }
}

/// All parts of the suite that are about one table.
fn everything(bench: &mut Bench<'_>, plan: &Plan) -> Result<(), Failure> {
    bench.flags(Bits::Preset, plan.changes)?;
    bench.flags(Bits::Tracking, false)?;
    bench.errors()?;
    bench.marks()?;
    bench.races()?;
    bench.ends()?;
    bench.uneven()?;
    bench.tables()?;
    bench.remakes()?;
    bench.copies()?;
    bench.cursors()?;
    bench.refusals()?;
    bench.views()?;
    for length in 1..=plan.small {
        (0..3).try_for_each(|place| bench.small(length, place))?;
    }
    for sequence in 0..u64::from(plan.sequences) {
        let seed = mix(plan.seed ^ mix(sequence));
        match sequence % 4 {
            0 | 2 => bench.random(Bits::Preset, seed, plan.steps)?,
            1 => bench.random(Bits::Tracking, seed, plan.steps)?,
            _ => bench.between(seed, plan.steps)?,
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
    parts::halves::run::<A, K>(machine, plan, counts)
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
    let mut bench = bench::<A, K, _>(machine, machine.memory().clone(), true, counts);
    given(&mut bench, ops)
}

/// A sequence that was given.
fn given(bench: &mut Bench<'_>, ops: &[Op]) -> Result<(), Failure> {
    let cpus = bench.machine.cpus();
    let mut subject = Subject::new(bench, Bits::Tracking, "given sequence".into())?;
    for (op, cpu) in ops.iter().zip((0..cpus).cycle()) {
        let _ = subject.apply(*op)?;
        subject.probe(cpu, &[])?;
    }
    subject.finish()
}
