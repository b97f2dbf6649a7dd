//! Signals: those that a process's faults send, and those that others have sent.

use super::System;
use crate::area::Access;
use crate::call;
use crate::error::RunError;
use crate::process::{End, Process, State};
use crate::report;
use crate::signal::{self, Effect};
use crate::space::Fault;
use crate::user::ProgramMemory;
use rustix::io::Errno;
use std::io::Write;

impl<'k> System<'_, 'k> {
    /// Handles a process's fault, or ends it with a report.
    pub(super) fn fail(
        &mut self,
        process: &mut Process<'k>,
        failure: Failure,
    ) -> Result<(), RunError> {
        let signal = failure.signal();
        if process.signals.handles(signal) && signal != signal::SIGKILL {
            let addr = match failure {
                Failure::Page { addr, .. } => addr,
                Failure::Exception { .. } => process.frame.rip,
            };
            if self.enter_handler(process, signal, addr)?.is_ok() {
                return Ok(());
            }
        }
        let text = report::of(&self.name, process, &failure);
        // whoever closed the standard error does not want to know
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
        process.state = State::Ended(End::Killed(signal));
        Ok(())
    }

    /// Makes a process handle its signals that are due.
    pub(super) fn deliver(&mut self, process: &mut Process<'k>) -> Result<(), RunError> {
        while process.state == State::Ready
            && let Some(signal) = process.signals.take()
        {
            match process.signals.effect(signal) {
                Effect::Nothing => {}
                Effect::Terminate => process.state = State::Ended(End::Killed(signal)),
                Effect::Handle(_) => {
                    if self.enter_handler(process, signal, 0)?.is_err() {
                        process.state = State::Ended(End::Killed(signal::SIGSEGV));
                    }
                }
            }
        }
        if let Some(mask) = process.suspended_mask
            && process.state == State::Ready
        {
            process.suspended_mask = None;
            process.signals.set_mask(mask);
        }
        Ok(())
    }

    fn enter_handler(
        &mut self,
        process: &mut Process<'k>,
        signal: u32,
        addr: u64,
    ) -> Result<Result<(), Errno>, RunError> {
        let action = process.signals.action(signal);
        let mask = process.suspended_mask.take();
        let mask = mask.unwrap_or(process.signals.mask);
        let mut user = ProgramMemory {
            platform: self.platform,
            space: &mut process.space.borrow_mut(),
        };
        let (frame, signals) = (&mut process.frame, &mut process.signals);
        let entered =
            signal::enter_handler(&mut user, frame, signals, signal, action, (mask, addr));
        if entered.is_ok() {
            process.saved_vectors.push(self.hardware().vcpu().state()?);
        }
        Ok(entered)
    }
}

/// What a process has done that it can't go on after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    Page {
        addr: u64,
        access: Access,
        fault: Fault,
    },
    Exception {
        vector: u64,
        code: u64,
    },
}

impl Failure {
    /// The signal that says so.
    pub(crate) fn signal(self) -> u32 {
        match self {
            Failure::Page { fault, .. } => match fault {
                Fault::Unmapped | Fault::Denied => signal::SIGSEGV,
                Fault::PastEnd => signal::SIGBUS,
                Fault::NoMemory => signal::SIGKILL,
            },
            Failure::Exception { vector, .. } => match vector {
                0 | 16 | 19 => signal::SIGFPE,
                1 | 3 => signal::SIGTRAP,
                6 | 7 => signal::SIGILL,
                11 | 12 | 17 => signal::SIGBUS,
                _ => signal::SIGSEGV,
            },
        }
    }
}

/// Ends the system call that a process waits in, for a signal that is due.
pub(super) fn interrupt(process: &mut Process<'_>) {
    let restarts = process.suspended_mask.is_none() && process.signals.next_restarts();
    if restarts {
        // RAX still has the number of the system call
        process.frame.rip -= call::INSTRUCTION.len() as u64;
    } else {
        process.frame.rax = i64::from(-Errno::INTR.raw_os_error()) as u64;
    }
    process.stop_waiting();
    process.state = State::Ready;
}
