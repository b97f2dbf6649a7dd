//! The processes and the processor: who goes on next, and what becomes of whoever stops.

mod failure;

use crate::area::Access;
use crate::call::{self, Stop};
use crate::elf::USER_END;
use crate::error::RunError;
use crate::hardware::Hardware;
use crate::monitor;
use crate::platform::Platform;
use crate::process::{End, Process, State, Wait};
use crate::root::Root;
use crate::signal;
use crate::space::Fault;
use crate::stats::count;
use crate::ticker::Ticker;
use crate::trace::Tracer;
use crate::user::ProgramMemory;
use crate::vcpu::{Trap, leave_system_call};
use kvm_bindings::kvm_xsave;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;
use std::rc::Rc;
use std::time::Instant;

pub(crate) use failure::Failure;
use failure::interrupt;

/// How many system calls a process makes before others have their turn.
const TURN: usize = 256;

/// A process that has ended, and whose parent hasn't asked.
pub(crate) struct Remains {
    pub(crate) id: u32,
    pub(crate) parent: u32,
    pub(crate) end: End,
}

/// All processes, and the processor.
pub(crate) struct System<'a, 'k> {
    pub(crate) platform: &'a Platform<'k>,
    /// All but the one that has its turn.
    pub(crate) processes: BTreeMap<u32, Process<'k>>,
    pub(crate) remains: Vec<Remains>,
    pub(crate) root: Root,
    pub(crate) next_id: u32,
    /// The vector registers that a program starts with.
    pub(crate) fresh: Rc<kvm_xsave>,
    /// Whose registers the processor has.
    loaded: Option<u32>,
    ticker: Ticker,
    pub(crate) calls: BTreeMap<&'static str, u64>,
    pub(crate) tracer: Option<Tracer>,
    pub(crate) name: String,
    /// For bytes on their way.
    pub(crate) buffer: Vec<u8>,
}

impl<'a, 'k> System<'a, 'k> {
    /// A system without processes.
    pub(crate) fn new(
        platform: &'a Platform<'k>,
        root: Root,
        tracer: Option<Tracer>,
        name: String,
    ) -> Result<Self, RunError> {
        let fresh = platform.machine.cpus().vcpu().state()?;
        Ok(System {
            platform,
            processes: BTreeMap::new(),
            remains: Vec::new(),
            root,
            next_id: FIRST + 1,
            fresh,
            loaded: None,
            ticker: Ticker::new()?,
            calls: BTreeMap::new(),
            tracer,
            name,
            buffer: Vec::new(),
        })
    }

    /// The processor.
    pub(crate) fn hardware(&self) -> &'k Hardware {
        self.platform.machine.cpus()
    }

    /// Lets processes have their turns until the first one has ended.
    pub(crate) fn run(&mut self, first: u32) -> Result<End, RunError> {
        loop {
            let mut has_moved = false;
            let ids: Vec<u32> = self.processes.keys().copied().collect();
            for id in ids {
                let Some(mut process) = self.processes.remove(&id) else {
                    continue;
                };
                has_moved |= self.turn(&mut process)?;
                match process.state {
                    State::Ended(end) => {
                        let group = process.group;
                        let was_last = self.bury(process, end);
                        if was_last && group == first {
                            return Ok(end);
                        }
                    }
                    _ => drop(self.processes.insert(id, process)),
                }
            }
            if !has_moved {
                self.wait()?;
            }
        }
    }

    /// Gives up all processes, and the address space that the processor uses.
    pub(crate) fn finish(mut self) -> Result<(), RunError> {
        self.processes.clear();
        self.platform.deactivate()
    }

    /// A process's turn: until it waits or ends, or has had enough. Answers whether it has done anything.
    fn turn(&mut self, process: &mut Process<'k>) -> Result<bool, RunError> {
        if let Some(child) = process.lent_to {
            let has = |child: &Process<'_>| child.is_borrowing;
            if self.processes.get(&child).is_some_and(has) {
                return Ok(false);
            }
            process.lent_to = None;
        }
        if let State::Waiting(_) = process.state {
            if process.signals.is_due() {
                interrupt(process);
            } else {
                self.load(process)?;
                call::serve(self, process)?;
                if let State::Waiting(_) = process.state {
                    return Ok(false);
                }
            }
        }
        self.ticker.set(!self.processes.is_empty());
        for _ in 0..TURN {
            self.load(process)?;
            self.deliver(process)?;
            if process.state == State::Ready && process.frame.rip >= USER_END {
                // the monitor can't return there: a handler that is none, or what follows a program's last instruction
                let addr = process.frame.rip;
                let (access, fault) = (Access::Execute, Fault::Unmapped);
                self.fail(
                    process,
                    Failure::Page {
                        addr,
                        access,
                        fault,
                    },
                )?;
                continue;
            }
            if process.state != State::Ready || process.lent_to.is_some() {
                break;
            }
            let trap = self.hardware().run(&mut process.frame)?;
            self.take(process, trap)?;
            if process.state != State::Ready || trap == Trap::Tick {
                break;
            }
        }
        Ok(true)
    }

    /// Gives the processor to a process: its address space and its registers.
    fn load(&mut self, process: &mut Process<'k>) -> Result<(), RunError> {
        self.platform.activate(&process.space.borrow().vm)?;
        if self.loaded == Some(process.id) {
            return Ok(());
        }
        let vcpu = self.hardware().vcpu();
        if let Some(last) = self.loaded
            && let Some(last) = self.processes.get_mut(&last)
        {
            last.vectors = vcpu.state()?;
        }
        vcpu.set_state(&process.vectors)?;
        vcpu.set_bases(process.fs_base, process.gs_base)?;
        drop(vcpu);
        self.loaded = Some(process.id);
        Ok(())
    }

    /// Serves what a process has stopped for.
    fn take(&mut self, process: &mut Process<'k>, trap: Trap) -> Result<(), RunError> {
        match trap {
            Trap::SystemCall => self.serve(process)?,
            Trap::PageFault { addr, .. } if self.is_system_call(process, addr) => {
                leave_system_call(&mut process.frame);
                self.serve(process)?;
            }
            Trap::PageFault { code, addr } => {
                let access = match code {
                    _ if code & 0x10 != 0 => Access::Execute,
                    _ if code & 2 != 0 => Access::Write,
                    _ => Access::Read,
                };
                let fault = process
                    .space
                    .borrow_mut()
                    .fault(self.platform, addr, access);
                if let Err(fault) = fault {
                    self.fail(
                        process,
                        Failure::Page {
                            addr,
                            access,
                            fault,
                        },
                    )?;
                }
            }
            Trap::Tick => {}
            Trap::Exception { vector, code } => {
                self.fail(process, Failure::Exception { vector, code })?;
            }
        }
        Ok(())
    }

    fn serve(&mut self, process: &mut Process<'k>) -> Result<(), RunError> {
        count(&self.platform.counters.system_calls);
        call::serve(self, process)
    }

    /// Whether a page fault is a system call's, at which the privilege was not switched: it looks as if the program had jumped
    /// to the monitor, but the registers say where the instruction is.
    fn is_system_call(&self, process: &Process<'k>, addr: u64) -> bool {
        let frame = &process.frame;
        if addr != monitor::ENTRY || frame.rip != monitor::ENTRY {
            return false;
        }
        let mut user = ProgramMemory {
            platform: self.platform,
            space: &mut process.space.borrow_mut(),
        };
        let mut code = [0; call::INSTRUCTION.len()];
        let at = frame.rcx.wrapping_sub(code.len() as u64);
        user.read(at, &mut code).is_ok() && code == call::INSTRUCTION
    }

    /// Takes a process that has ended out of the system. Answers whether it was the last thread of its group.
    fn bury(&mut self, process: Process<'k>, end: End) -> bool {
        if self.loaded == Some(process.id) {
            self.loaded = None;
        }
        let has_threads = Rc::strong_count(&process.space) > 1;
        if process.clear_on_exit != 0 && has_threads {
            let mut user = ProgramMemory {
                platform: self.platform,
                space: &mut process.space.borrow_mut(),
            };
            // nobody is left to be told that it can't be done
            let _ = user.write_val(process.clear_on_exit, &0_u32);
            let space = process.space.clone();
            self.wake(&space, process.clear_on_exit, 1);
        }
        let group = process.group;
        if self.processes.values().any(|other| other.group == group) {
            return false;
        }
        for child in self.processes.values_mut() {
            if child.parent == group {
                child.parent = 0;
            }
        }
        self.remains.retain(|remains| remains.parent != group);
        if let Some(parent) = self.processes.get_mut(&process.parent) {
            parent.signals.send(signal::SIGCHLD);
            self.remains.push(Remains {
                id: group,
                parent: process.parent,
                end,
            });
        }
        true
    }

    /// Wakes up to `most` of those that sleep at an address; answers with how many.
    pub(crate) fn wake(
        &mut self,
        space: &Rc<std::cell::RefCell<crate::space::Space<'k>>>,
        addr: u64,
        most: usize,
    ) -> usize {
        let sleeps = |process: &&mut Process<'k>| {
            process.futex == Some(addr) && !process.woken && Rc::ptr_eq(&process.space, space)
        };
        let sleepers = self.processes.values_mut().filter(sleeps);
        sleepers
            .take(most)
            .map(|process| process.woken = true)
            .count()
    }

    /// Waits until something may have happened that a process waits for.
    fn wait(&mut self) -> Result<(), RunError> {
        let waits = self
            .processes
            .values()
            .flat_map(|process| match &process.state {
                State::Waiting(waits) => waits.as_slice(),
                _ => &[],
            });
        let (mut streams, mut until) = (Vec::new(), None::<Instant>);
        for wait in waits {
            match *wait {
                Wait::Process => {}
                Wait::Time(at) => until = Some(until.map_or(at, |until| until.min(at))),
                Wait::Host { stream, write } => {
                    let flags = if write { PollFlags::OUT } else { PollFlags::IN };
                    // SAFETY: the process that waits has it open
                    let stream = unsafe { BorrowedFd::borrow_raw(stream) };
                    streams.push(PollFd::from_borrowed_fd(stream, flags));
                }
            }
        }
        if streams.is_empty() && until.is_none() {
            return Err(RunError::Deadlock);
        }
        let timeout = until.map(|until| until.saturating_duration_since(Instant::now()));
        let timeout = timeout.map(|timeout| Timespec {
            tv_sec: timeout.as_secs() as i64,
            tv_nsec: timeout.subsec_nanos().into(),
        });
        match poll(&mut streams, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(RunError::host("poll", error)),
        }
    }
}

/// The number of the first process.
pub(crate) const FIRST: u32 = 1000;

impl From<RunError> for Stop {
    fn from(error: RunError) -> Self {
        Stop::Fatal(error)
    }
}
