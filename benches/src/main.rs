//! How long address spaces take, compared with page tables of other crates that do the same behind a lock.
//!
//! Compared are a Portolan `VmSpace`, and `OffsetPageTable` of the `x86_64` crate and `PageTable64` of
//! `page_table_multiarch`, each in a `std::sync::Mutex`. All take their tables from the same memory, which has been touched
//! before, and their frames from lists of the same kind; nobody touches the frames. The others' frames are counted by an
//! array of atomics: one is set when a frame is allocated, added to by a fork, and taken from when a page is unmapped. Frames
//! go back 32 at a time, after one flush; a flush only counts. What is not the same:
//! - Portolan gives tables back that unmapping has emptied, the others keep theirs;
//! - Portolan checks what state a frame is in, keeps its metadata, and serves waiting processors while it waits for its lock;
//! - the others have no fork: it is made of their functions for one page, as a kernel would write it;
//! - processors that wait for Portolan's lock yield, as threads are preempted and atomic mode is not; the mutex sleeps.
//!
//! Each figure is the median of runs that take turns. `cargo run --release -p portolan-benches`, with the number of runs as
//! an argument, 9 if there is none, and then what the benchmarks to run have in their names, all if there is nothing.

mod arena;
mod crates;
mod ours;

use arena::{ARENA, FLUSHES, FRAMES, Order, PAGE};
use crates::{Multiarch, Offset};
use ours::Ours;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

/// 1 GiB.
const GIB: u64 = FRAMES as u64 * PAGE;
/// How many page faults there are in a run.
const FAULTS: u64 = 0x1_0000;
/// How often each of two threads maps and unmaps in a run.
const ROUNDS: u64 = 50_000;
/// The addresses that one page fault handler works on.
const REGION: u64 = 0x20_0000;

/// What is compared.
trait Peer: Sized + Sync {
    /// In which order frames are handed out from now on.
    fn arrange(order: Order);

    /// Nothing is mapped.
    fn new() -> Self;

    /// Maps a new frame at `addr`.
    fn fault(&self, cpu: usize, addr: u64);

    /// Maps a new frame at `addr`, which lies in `region`, and unmaps it.
    fn churn(&self, cpu: usize, region: (u64, u64), addr: u64);

    /// Unmaps a range, all of which is mapped.
    fn unmap(&self, cpu: usize, addr: u64, bytes: u64);

    /// A copy of a range that shares the frames; neither side may write to them.
    fn fork(&self, cpu: usize, addr: u64, bytes: u64) -> Self;

    /// Does `work` while this processor uses the tables.
    fn used<R>(&self, work: impl FnOnce() -> R) -> R {
        work()
    }

    /// Gives all back; only this range is mapped.
    fn end(self, addr: u64, bytes: u64);
}

/// A run's time and flushes, by operation.
type Sample = (f64, usize);

fn timed(operations: u64, work: impl FnOnce()) -> Sample {
    let flushes = FLUSHES.load(Ordering::Relaxed);
    let start = Instant::now();
    work();
    let took: Duration = start.elapsed();
    let nanos = took.as_nanos() as f64 / operations as f64;
    (nanos, FLUSHES.load(Ordering::Relaxed) - flushes)
}

/// A space with 1 GiB mapped, from 0 on.
fn full<P: Peer>(order: Order) -> P {
    P::arrange(order);
    let peer = P::new();
    (0..GIB)
        .step_by(PAGE as usize)
        .for_each(|addr| peer.fault(0, addr));
    peer
}

fn faults<P: Peer>() -> Sample {
    P::arrange(Order::Ascending);
    let peer = P::new();
    let sample = timed(FAULTS, || (0..FAULTS).for_each(|n| peer.fault(0, n * PAGE)));
    peer.end(0, FAULTS * PAGE);
    sample
}

fn fork<P: Peer>() -> Sample {
    let peer = full::<P>(Order::Ascending);
    let mut child = None;
    let sample = peer.used(|| timed(FRAMES as u64, || child = Some(peer.fork(0, 0, GIB))));
    if let Some(child) = child {
        child.end(0, GIB);
    }
    peer.end(0, GIB);
    sample
}

fn unmap<P: Peer>(order: Order) -> Sample {
    let peer = full::<P>(order);
    let sample = peer.used(|| timed(FRAMES as u64, || peer.unmap(0, 0, GIB)));
    peer.end(0, 0);
    sample
}

fn threads<P: Peer>(starts: [u64; 2]) -> Sample {
    P::arrange(Order::Ascending);
    let peer = P::new();
    // one page stays in each region, so that no table becomes empty
    let kept = BTreeSet::from(starts.map(|start| start + REGION - PAGE));
    kept.iter().for_each(|&addr| peer.fault(0, addr));
    let work = |cpu: usize| {
        for n in 0..ROUNDS {
            let addr = starts[cpu] + (n % 64 * 2 + cpu as u64) * PAGE;
            peer.churn(cpu, (starts[cpu], REGION), addr);
        }
    };
    let sample = timed(2 * ROUNDS, || {
        thread::scope(|scope| {
            scope.spawn(|| work(1));
            work(0);
        });
    });
    kept.iter().for_each(|&addr| peer.unmap(0, addr, PAGE));
    peer.end(0, 0);
    sample
}

/// A benchmark: what it is, and a run of it for each peer.
type Benchmark = (&'static str, [fn() -> Sample; 3]);

/// A run of a benchmark for each peer.
macro_rules! for_each_peer {
    ($peer:ident => $run:expr) => {
        [
            || {
                type $peer = Ours;
                $run
            },
            || {
                type $peer = Offset;
                $run
            },
            || {
                type $peer = Multiarch;
                $run
            },
        ]
    };
}

const BENCHMARKS: [Benchmark; 6] = [
    (
        "page fault: cursor, map a frame, drop",
        for_each_peer!(P => faults::<P>()),
    ),
    ("fork of 1 GiB, a page", for_each_peer!(P => fork::<P>())),
    (
        "unmap of 1 GiB, neighbouring frames, a page",
        for_each_peer!(P => unmap::<P>(Order::Ascending)),
    ),
    (
        "unmap of 1 GiB, scattered frames, a page",
        for_each_peer!(P => unmap::<P>(Order::Scattered)),
    ),
    (
        "two threads, disjoint: map, unmap",
        for_each_peer!(P => threads::<P>([0, GIB])),
    ),
    (
        "two threads, overlapping: map, unmap",
        for_each_peer!(P => threads::<P>([0, 0])),
    ),
];

/// The median of the times, with the flushes of that run.
fn median(mut samples: Vec<Sample>) -> Sample {
    samples.sort_by(|a, b| a.0.total_cmp(&b.0));
    samples[samples.len() / 2]
}

fn main() {
    let runs: usize = std::env::args()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .unwrap_or(9)
        .max(1);
    let wanted = std::env::args().nth(2).unwrap_or_default();
    println!(
        "Nanoseconds for an operation, median of {runs} runs; times Portolan's; flushes in a run."
    );
    println!(
        "{:<45}{:>16}{:>26}{:>26}",
        "", "Portolan", "x86_64", "page_table_multiarch"
    );
    let tables = ARENA.left();
    for (name, peers) in BENCHMARKS
        .into_iter()
        .filter(|(name, _)| name.contains(&wanted))
    {
        let mut samples = [const { Vec::new() }; 3];
        for _ in 0..runs {
            for (peer, samples) in peers.iter().zip(&mut samples) {
                samples.push(peer());
                assert_eq!(ARENA.left(), tables, "tables that were not given back");
            }
        }
        let [ours, offset, multiarch] = samples.map(median);
        let other =
            |(nanos, flushes): Sample| format!("{nanos:.0} ({:.2}x, {flushes})", nanos / ours.0);
        let own = format!("{:.0} ({})", ours.0, ours.1);
        println!(
            "{name:<45}{own:>16}{:>26}{:>26}",
            other(offset),
            other(multiarch)
        );
    }
}
