//! Address spaces and shootdowns under load, on several processors at once.
//!
//! Threads are processors ([`Threads`]). Each maps, unmaps, protects, queries, forks and clears in address spaces that all
//! share, goes from one of them to the next, and performs a program's accesses in the one that it uses. Of every place it
//! is known which pages may be seen there at the moment: those that were there when all processors had been told last, and
//! those that operations have put there since. If nobody is at it, there is just one. The outcome of each access has to be
//! what one of them says.
//!
//! A frame in use has a tag, by which the access knows whose it is, and a free one is poisoned: whoever reaches one that
//! has been given back sees poison, and whoever stores to it is found out by the allocator.
//!
//! A guest is put under load with [`late`](crate::KvmConfig::late): if the host shadows its tables, it is only so that a
//! shootdown that is left out shows.
//!
//! Work goes in rounds. At the end of each everything is dropped, and all frames and tables have to be back.

mod change;
mod frames;
mod history;
mod layout;
mod probe;
mod report;
mod round;
mod worker;

pub use frames::Spoiled;
pub use history::{Grant, State};
pub use report::{Failure, Mismatch, Tally};

use crate::machine::Machine;
use crate::processors::Threads;
use crate::rng::mix;
use portolan::arch::halves::Halves;
use round::Round;
use std::time::{Duration, Instant};

/// How much is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Where random choices come from. What threads do is the same for the same seed, but not who is faster.
    pub seed: u64,
    /// When it is enough.
    pub limit: Limit,
    /// How many operations each processor performs in a round.
    pub round: u64,
    /// Whether processors invalidate what they are asked to. They do, but in a control.
    pub invalidate: bool,
}

/// When a run is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// After so many operations of all processors together.
    Operations(u64),
    /// After so much time.
    Time(Duration),
}

impl Plan {
    /// So many operations in rounds of a usual length.
    #[must_use]
    pub const fn operations(seed: u64, operations: u64) -> Self {
        Plan {
            seed,
            limit: Limit::Operations(operations),
            round: 500,
            invalidate: true,
        }
    }
}

/// A paging mode, as threads need it.
trait Mode: Halves + Send + Sync + 'static {}

impl<A: Halves + Send + Sync + 'static> Mode for A {}

/// A machine, as threads need it.
trait Host: Machine + Clone + Send + Sync + 'static {}

impl<M: Machine + Clone + Send + Sync + 'static> Host for M {}

/// Runs address spaces of paging mode [`UserHalf<A>`](portolan::UserHalf), which must be for the machine's regime, on all
/// processors of `machine`.
///
/// # Errors
/// The first thing that is not as it should be. `tally` has what was done until then.
pub fn run<A, M>(machine: &M, plan: &Plan, tally: &mut Tally) -> Result<(), Failure>
where
    A: Halves + Send + Sync + 'static,
    M: Machine + Clone + Send + Sync + 'static,
{
    let start = Instant::now();
    let cpus = machine.cpus() as u64;
    let (mut left, deadline) = match plan.limit {
        Limit::Operations(operations) => (operations, None),
        Limit::Time(time) => (u64::MAX, Some(start + time)),
    };
    let is_over = || deadline.is_some_and(|end| Instant::now() >= end);
    for number in 0.. {
        let each = plan.round.min(left.div_ceil(cpus));
        if each == 0 || is_over() {
            break;
        }
        left = left.saturating_sub(each * cpus);
        let round = Round {
            seed: mix(plan.seed ^ mix(number)),
            operations: each,
            deadline,
        };
        let mut threads = Threads::new(machine.clone());
        if !plan.invalidate {
            // SAFETY: all that a stale translation leads to is the machine's memory
            threads = unsafe { threads.without_invalidation() };
        }
        let failed = |(cpu, what)| Failure {
            seed: plan.seed,
            round: number,
            cpu,
            what: Box::new(what),
        };
        round.run::<A, M>(machine, threads, tally).map_err(failed)?;
    }
    Ok(())
}
