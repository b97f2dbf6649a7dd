//! What was counted while programs ran.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// What is counted while programs run.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) faults: Cell<u64>,
    pub(crate) copies: Cell<u64>,
    pub(crate) system_calls: Cell<u64>,
    pub(crate) processes: Cell<u64>,
}

/// Counts one more.
pub(crate) fn count(counter: &Cell<u64>) {
    counter.set(counter.get() + 1);
}

/// What a run came to, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Processes and threads.
    pub processes: u64,
    /// Page faults that were served, those of system calls too.
    pub faults: u64,
    /// Pages that were copied at the first write after a fork, or to a private page of a file.
    pub copies: u64,
    /// System calls.
    pub system_calls: u64,
    /// System calls by name.
    pub by_name: BTreeMap<String, u64>,
    /// Flushes of the TLB that were asked for.
    pub flushes: u64,
    /// Page tables at most.
    pub most_tables: usize,
    /// Page tables that were left at the end.
    pub tables_left: usize,
    /// Frames of programs at most.
    pub most_frames: usize,
    /// Frames of programs that were left at the end.
    pub frames_left: usize,
    /// How long it took from the first instruction to the last.
    pub elapsed: Duration,
    /// How much of that the guest ran, with the ways there and back. The rest is what system calls and page faults take.
    pub in_guest: Duration,
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kib = 4 * (self.most_frames + self.most_tables);
        writeln!(f, "{:>9} processes", self.processes)?;
        writeln!(
            f,
            "{:>9} page faults, {} of them copies",
            self.faults, self.copies
        )?;
        writeln!(f, "{:>9} system calls", self.system_calls)?;
        for (name, times) in &self.by_name {
            writeln!(f, "{times:>9}   {name}")?;
        }
        writeln!(f, "{:>9} flushes", self.flushes)?;
        writeln!(
            f,
            "{:>9} page tables at most, {} left",
            self.most_tables, self.tables_left
        )?;
        writeln!(
            f,
            "{:>9} frames at most, {} left",
            self.most_frames, self.frames_left
        )?;
        writeln!(f, "{kib:>9} KiB of memory at most")?;
        let micros = |time: Duration| time.as_micros();
        writeln!(
            f,
            "{:>9} µs, of which {} µs in the guest and on the way there and back",
            micros(self.elapsed),
            micros(self.in_guest)
        )
    }
}
