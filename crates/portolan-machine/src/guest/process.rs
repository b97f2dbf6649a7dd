//! The process that the guest lives in.

use crate::machine::MachineError;
use std::io::{ErrorKind, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

/// A child process, which ends with this value, and with the process that has it.
pub(crate) struct Process {
    child: Child,
    /// The thread that started the child: the host ends a child with the thread it has it from.
    keeper: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Process {
    /// Starts a program. What it says in the end is kept, and nothing else.
    pub(crate) fn start(mut command: Command) -> Result<Self, MachineError> {
        let program = command.get_program().display().to_string();
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let dies_with_parent = || {
            // SAFETY: the call changes nothing but what the host sends to the new process, and allocates nothing
            match unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) } {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        };
        // SAFETY: what runs between fork and exec is one system call
        unsafe { command.pre_exec(dies_with_parent) };
        let (started, child) = channel();
        let (release, released) = channel::<()>();
        let keeper = std::thread::spawn(move || {
            if started.send(command.spawn()).is_ok() {
                // Ends with the sender
                released.recv().ok();
            }
        });
        let child = child.recv().expect("the thread sends before it ends");
        let unavailable = |error: std::io::Error| MachineError::Unavailable {
            reason: match error.kind() {
                ErrorKind::NotFound => format!("{program} is not installed"),
                _ => format!("{program}: {error}"),
            },
        };
        Ok(Process {
            child: child.map_err(unavailable)?,
            keeper: Some((release, keeper)),
        })
    }

    /// The number that the host has given it.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Lets the process run.
    pub(crate) fn resume(&mut self) {
        self.signal(libc::SIGCONT);
    }

    /// Has the process stand still, whatever it does.
    pub(crate) fn pause(&mut self) {
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
    pub(crate) fn ended(&mut self) -> Option<String> {
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
        if let Some((release, keeper)) = self.keeper.take() {
            drop(release);
            keeper.join().ok();
        }
    }
}
