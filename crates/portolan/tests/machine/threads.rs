//! Threads stand for processors, and run as they like.

use std::cell::Cell;
use std::thread;

thread_local! {
    static CPU: Cell<usize> = const { Cell::new(0) };
}

/// The processor that this thread stands for.
pub fn cpu() -> usize {
    CPU.get()
}

/// From now on this thread stands for the processor `cpu`. Answers with which it was before.
pub fn become_cpu(cpu: usize) -> usize {
    CPU.replace(cpu)
}

/// Lets other threads run.
#[derive(Default)]
pub struct Clock;

impl Clock {
    /// This thread does something that others may notice.
    pub fn step(&self) {}

    /// This thread waits for what others do.
    pub fn relax(&self) {
        thread::yield_now();
    }
}
