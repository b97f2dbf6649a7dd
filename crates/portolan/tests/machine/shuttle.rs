//! Threads stand for processors, and a scheduler chooses which one goes on whenever one of them does something that others
//! may notice.
//!
//! One that waits goes on only after another one has done something, so that there are finitely many schedules.

use shuttle::future::block_on;
use shuttle::thread;
use std::future::poll_fn;
use std::mem;
use std::sync::{Mutex, PoisonError};
use std::task::{Poll, Waker};

shuttle::thread_local! {
    static CPU: std::cell::Cell<usize> = std::cell::Cell::new(0);
    static BUSY: std::cell::Cell<bool> = std::cell::Cell::new(true);
}

/// The processor that this thread stands for.
pub fn cpu() -> usize {
    CPU.with(|cpu| cpu.get())
}

/// From now on this thread stands for the processor `cpu`. Answers with which it was before.
pub fn become_cpu(cpu: usize) -> usize {
    CPU.with(|was| was.replace(cpu))
}

/// Lets other threads run.
#[derive(Default)]
pub struct Clock {
    waiting: Mutex<Vec<Waker>>,
}

impl Clock {
    /// Those who wait go on, when it is their turn: this thread has done something.
    pub fn wake(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        mem::take(&mut *waiting).into_iter().for_each(Waker::wake);
    }

    /// This thread does something that others may notice. They may run before.
    pub fn step(&self) {
        BUSY.with(|busy| busy.set(true));
        self.wake();
        thread::yield_now();
    }

    /// This thread waits until another one has done something.
    pub fn relax(&self) {
        if BUSY.with(|busy| busy.replace(false)) {
            self.wake();
        }
        let mut waited = false;
        block_on(poll_fn(|context| {
            if mem::replace(&mut waited, true) {
                return Poll::Ready(());
            }
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.push(context.waker().clone());
            Poll::Pending
        }));
    }
}
