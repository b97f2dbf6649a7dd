//! How a command ends, and the exit code for it.

use portolan::Error;
use portolan_machine::MachineError;
use std::fmt;
use std::io;
use std::process::ExitCode;

/// What a command that came to its end found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Everything was as it should be.
    AsExpected,
    /// Something was not.
    Mismatch,
}

impl From<bool> for Verdict {
    fn from(ok: bool) -> Self {
        if ok {
            Verdict::AsExpected
        } else {
            Verdict::Mismatch
        }
    }
}

impl From<Verdict> for ExitCode {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::AsExpected => ExitCode::SUCCESS,
            Verdict::Mismatch => ExitCode::from(1),
        }
    }
}

/// Why a command did not come to its end.
#[derive(Debug)]
pub enum Stop {
    /// The machine is not there, or can't go on.
    Machine(MachineError),
    /// There is no page table to begin with.
    NoTable(Error),
    /// The arguments don't fit together.
    Usage(String),
    /// The image can't be read.
    Image {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The output can't be written.
    Output(io::Error),
}

impl Stop {
    /// The exit code: 3 for a host that has no such machine or image or no room for the output, 2 for wrong arguments, 1
    /// for a machine that the page table has led astray.
    pub fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Stop::Machine(MachineError::Unavailable { .. } | MachineError::Host { .. })
            | Stop::Image { .. }
            | Stop::Output(_) => 3,
            Stop::Usage(_) => 2,
            Stop::Machine(_) | Stop::NoTable(_) => 1,
        })
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Machine(error) => write!(f, "{error}"),
            Stop::NoTable(error) => write!(f, "there is no page table: {error}"),
            Stop::Usage(reason) => f.write_str(reason),
            Stop::Image { file, reason } => write!(f, "can't inspect {file}: {reason}"),
            Stop::Output(error) => write!(f, "can't write the output: {error}"),
        }
    }
}

impl From<MachineError> for Stop {
    fn from(error: MachineError) -> Self {
        Stop::Machine(error)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Stop::Output(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_without_a_machine_is_told_from_a_machine_led_astray() {
        let reason = "/dev/kvm: none".to_owned();
        let absent = Stop::from(MachineError::Unavailable { reason });
        assert_eq!(absent.code(), ExitCode::from(3));
        assert_eq!(absent.to_string(), "no such machine here: /dev/kvm: none");
        let astray = Stop::from(MachineError::FreedInUse {
            table: 0x1000,
            cpu: 0,
        });
        assert_eq!(astray.code(), ExitCode::from(1));
    }
}
