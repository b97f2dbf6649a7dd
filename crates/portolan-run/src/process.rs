//! A process or thread.

use crate::files::Files;
use crate::signal::Signals;
use crate::space::Space;
use kvm_bindings::kvm_regs;
use kvm_bindings::kvm_xsave;
use std::cell::RefCell;
use std::fs::File;
use std::os::fd::RawFd;
use std::rc::Rc;
use std::time::Instant;

/// How a program has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It has said so, with a status.
    Exited(u8),
    /// By a signal.
    Killed(u32),
}

impl End {
    /// What `wait4` says of it.
    pub(crate) fn status(self) -> u32 {
        match self {
            End::Exited(status) => u32::from(status) << 8,
            End::Killed(signal) => signal,
        }
    }

    /// The exit status that a shell would say.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            End::Exited(status) => status,
            End::Killed(signal) => 128 + signal as u8,
        }
    }
}

/// What a process waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Something that another process does.
    Process,
    /// A stream of the host to be ready: to be read from, or to be written to.
    Host { stream: RawFd, write: bool },
    /// A moment.
    Time(Instant),
}

/// What a process is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It can go on.
    Ready,
    /// It is in a system call, which is tried again when one of these may have happened.
    Waiting(Vec<Wait>),
    /// It has ended.
    Ended(End),
}

/// The directory that a process is in, and which rights new files don't get.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) directory: Vec<u8>,
    pub(crate) umask: u32,
}

/// A process or thread.
pub(crate) struct Process<'k> {
    pub(crate) id: u32,
    /// The process that a thread is of.
    pub(crate) group: u32,
    pub(crate) parent: u32,
    pub(crate) program: Rc<File>,
    pub(crate) space: Rc<RefCell<Space<'k>>>,
    pub(crate) files: Rc<RefCell<Files>>,
    pub(crate) place: Rc<RefCell<Place>>,
    pub(crate) signals: Signals,
    pub(crate) frame: kvm_regs,
    /// The vector registers, while another process runs.
    pub(crate) vectors: Rc<kvm_xsave>,
    /// Those that handlers' ends restore.
    pub(crate) saved_vectors: Vec<Rc<kvm_xsave>>,
    pub(crate) fs_base: u64,
    pub(crate) gs_base: u64,
    pub(crate) state: State,
    /// When the system call that waits gives up.
    pub(crate) deadline: Option<Instant>,
    /// The address that it sleeps at, and whether it has been woken.
    pub(crate) futex: Option<u64>,
    pub(crate) woken: bool,
    /// Where its number is to be cleared when it ends.
    pub(crate) clear_on_exit: u64,
    /// The mask of signals to be set when `rt_sigsuspend` ends.
    pub(crate) suspended_mask: Option<u64>,
    /// How many bytes the system call that waits has moved.
    pub(crate) moved: usize,
    /// The child that has this address space for so long that the process waits for it.
    pub(crate) lent_to: Option<u32>,
    /// Whether the address space is lent by the parent.
    pub(crate) is_borrowing: bool,
}

impl Process<'_> {
    /// Forgets what the system call that has ended waited with.
    pub(crate) fn stop_waiting(&mut self) {
        (self.deadline, self.futex, self.woken, self.moved) = (None, None, false, 0);
    }
}
