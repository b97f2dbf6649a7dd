//! Why a program can't be run.

use crate::elf::ElfError;
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// Why a program can't be run, or not any further.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// This host has no usable `/dev/kvm`.
    #[error("/dev/kvm is not usable here: {reason}")]
    Unavailable {
        /// Why.
        reason: String,
    },
    /// The host refused a call that the guest needs.
    #[error("{call}: {reason}")]
    Host {
        /// Which.
        call: &'static str,
        /// What it said.
        reason: String,
    },
    /// The directory that programs see as their root can't be opened.
    #[error("{}: {source}", path.display())]
    Root {
        /// Which.
        path: PathBuf,
        /// What the host said.
        source: io::Error,
    },
    /// The program's file can't be read.
    #[error("{}: {source}", path.display())]
    Program {
        /// Which.
        path: PathBuf,
        /// What the host said.
        source: io::Error,
    },
    /// The program's file is not one that can be run.
    #[error("{}: {source}", path.display())]
    Elf {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        source: ElfError,
    },
    /// Arguments and environment are longer than the room there is on a stack.
    #[error("arguments and environment take {bytes} bytes, more than there is room for")]
    ArgumentsTooLong {
        /// How long they are.
        bytes: u64,
    },
    /// The guest's memory is exhausted before the program begins.
    #[error("the guest's memory is too small for the program")]
    NoMemory,
    /// An operation on an address space was refused for a reason that the program is not to blame for.
    #[error("address space: {reason}")]
    Space {
        /// What was refused.
        reason: String,
    },
    /// The guest left in a way that the monitor has no use for.
    #[error("the guest left unexpectedly: {exit}")]
    UnexpectedExit {
        /// Which.
        exit: String,
    },
    /// An exception in the monitor itself.
    #[error("exception {vector} in the monitor, error code {code:#x}, at {rip:#x}")]
    Monitor {
        /// Its number.
        vector: u64,
        /// Its error code.
        code: u64,
        /// Where.
        rip: u64,
    },
    /// All processes wait for each other, as they would for ever.
    #[error("all processes wait for each other")]
    Deadlock,
}

impl RunError {
    /// A call of the host that failed.
    pub(crate) fn host(call: &'static str, reason: impl ToString) -> Self {
        RunError::Host {
            call,
            reason: reason.to_string(),
        }
    }

    /// An operation on an address space that was refused.
    pub(crate) fn space(reason: impl ToString) -> Self {
        RunError::Space {
            reason: reason.to_string(),
        }
    }
}
