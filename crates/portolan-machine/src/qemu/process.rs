//! The process that the guest lives in.

use crate::machine::MachineError;
use std::io::{ErrorKind, Read};
use std::process::{Child, Command, Stdio};

/// A child process, which ends with this value.
pub(super) struct Process {
    child: Child,
}

impl Process {
    /// Starts a program.
    pub(super) fn start(program: &str, arguments: &[String]) -> Result<Self, MachineError> {
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| match error.kind() {
                ErrorKind::NotFound => MachineError::Unavailable {
                    reason: format!("{program} is not installed"),
                },
                _ => MachineError::Unavailable {
                    reason: format!("{program}: {error}"),
                },
            })?;
        Ok(Process { child })
    }

    /// Lets the process run.
    pub(super) fn resume(&mut self) {
        self.signal(libc::SIGCONT);
    }

    /// Has the process stand still, whatever it does.
    pub(super) fn pause(&mut self) {
        self.signal(libc::SIGSTOP);
    }

    fn signal(&mut self, signal: i32) {
        // The number of a process that was waited for may be another's
        if let Ok(None) = self.child.try_wait() {
            // SAFETY: a signal to a child that has not been waited for
            unsafe { libc::kill(self.child.id().cast_signed(), signal) };
        }
    }

    /// How the process ended, if it did.
    pub(super) fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok().flatten()?;
        let mut said = String::new();
        if let Some(stderr) = &mut self.child.stderr {
            stderr.read_to_string(&mut said).ok();
        }
        Some(format!("{status}: {}", said.trim()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only for a process that has ended already
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
