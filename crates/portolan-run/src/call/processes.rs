//! Processes and threads: how they begin and end.

use super::{Answer, Call, Stop};
use crate::process::{End, Process, State, Wait};
use crate::signal::{MOST, SIGCHLD};
use crate::stats::count;
use rustix::io::Errno;
use std::cell::RefCell;
use std::rc::Rc;

const CLONE_VM: u64 = 0x100;
const CLONE_FS: u64 = 0x200;
const CLONE_FILES: u64 = 0x400;
const CLONE_VFORK: u64 = 0x4000;
const CLONE_THREAD: u64 = 0x1_0000;
const CLONE_SETTLS: u64 = 0x8_0000;
const CLONE_PARENT_SETTID: u64 = 0x10_0000;
const CLONE_CHILD_CLEARTID: u64 = 0x20_0000;
const CLONE_CHILD_SETTID: u64 = 0x100_0000;
/// Namespaces, and what else programs don't get.
const CLONE_REFUSED: u64 = 0x7e02_0000 | 0x2000 | 0x8000 | 0x80;

const WNOHANG: u64 = 1;
const WUNTRACED: u64 = 2;
const WCONTINUED: u64 = 8;

/// How many processes and threads there may be.
const MOST_PROCESSES: usize = 256;

impl<'k> Call<'_, '_, 'k> {
    pub(super) fn fork(&mut self) -> Answer {
        self.start(SIGCHLD.into(), 0, 0, 0, 0)
    }

    pub(super) fn vfork(&mut self) -> Answer {
        self.start(CLONE_VM | CLONE_VFORK, 0, 0, 0, 0)
    }

    pub(super) fn clone(&mut self) -> Answer {
        let [flags, stack, parent_id, child_id, base, _] = self.arguments;
        self.start(flags, stack, parent_id, child_id, base)
    }

    /// Starts a copy of the process that is in the call.
    fn start(
        &mut self,
        flags: u64,
        stack: u64,
        parent_id: u64,
        child_id: u64,
        base: u64,
    ) -> Answer {
        let has = |flag| flags & flag != 0;
        if has(CLONE_REFUSED) || has(CLONE_THREAD) && !has(CLONE_VM) {
            return Err(Errno::INVAL.into());
        }
        if self.system.processes.len() >= MOST_PROCESSES {
            return Err(Errno::AGAIN.into());
        }
        let space = if has(CLONE_VM) {
            self.process.space.clone()
        } else {
            let copy = self.space().fork(self.system.platform);
            Rc::new(RefCell::new(copy.ok_or(Errno::NOMEM)?))
        };
        let id = self.system.next_id;
        let process = &*self.process;
        let shared = |is: bool| {
            if is {
                process.files.clone()
            } else {
                copy(&process.files)
            }
        };
        let mut child = Process {
            id,
            group: if has(CLONE_THREAD) { process.group } else { id },
            parent: if has(CLONE_THREAD) {
                process.parent
            } else {
                process.group
            },
            program: process.program.clone(),
            space,
            files: shared(has(CLONE_FILES)),
            place: if has(CLONE_FS) {
                process.place.clone()
            } else {
                copy(&process.place)
            },
            signals: process.signals.forked(),
            frame: process.frame,
            vectors: self.system.hardware().vcpu().state()?,
            saved_vectors: process.saved_vectors.clone(),
            fs_base: if has(CLONE_SETTLS) {
                base
            } else {
                process.fs_base
            },
            gs_base: process.gs_base,
            state: State::Ready,
            deadline: None,
            futex: None,
            woken: false,
            moved: 0,
            clear_on_exit: if has(CLONE_CHILD_CLEARTID) {
                child_id
            } else {
                0
            },
            suspended_mask: None,
            lent_to: None,
            is_borrowing: has(CLONE_VFORK) && has(CLONE_VM),
        };
        child.frame.rax = 0;
        if stack != 0 {
            child.frame.rsp = stack;
        }
        if has(CLONE_PARENT_SETTID) {
            self.store(parent_id, &id)?;
        }
        if has(CLONE_CHILD_SETTID) {
            let mut user = crate::user::ProgramMemory {
                platform: self.system.platform,
                space: &mut child.space.borrow_mut(),
            };
            user.write_val(child_id, &id)?;
        }
        if child.is_borrowing {
            self.process.lent_to = Some(id);
        }
        count(&self.system.platform.counters.processes);
        if let Some(tracer) = &mut self.system.tracer {
            tracer.several();
        }
        self.system.next_id += 1;
        self.system.processes.insert(id, child);
        Ok(id.into())
    }

    pub(super) fn exit(&mut self) -> Answer {
        Err(Stop::End(End::Exited(self.arguments[0] as u8)))
    }

    pub(super) fn exit_group(&mut self) -> Answer {
        self.end_other_threads();
        self.exit()
    }

    pub(super) fn wait4(&mut self) -> Answer {
        let [of, status, options, usage, ..] = self.arguments;
        if options & !(WNOHANG | WUNTRACED | WCONTINUED) != 0 {
            return Err(Errno::INVAL.into());
        }
        let group = self.process.group;
        // groups of processes are not told apart
        let of = of as i32;
        let is_meant = |id: u32| of <= 0 || of as u32 == id;
        let mut remains = self.system.remains.iter();
        let found = remains.position(|one| one.parent == group && is_meant(one.id));
        let Some(found) = found else {
            let mut others = self.system.processes.values();
            if !others.any(|child| child.parent == group && is_meant(child.group)) {
                return Err(Errno::CHILD.into());
            }
            if options & WNOHANG != 0 {
                return Ok(0);
            }
            return Err(Stop::Wait(vec![Wait::Process]));
        };
        let (id, end) = {
            let found = &self.system.remains[found];
            (found.id, found.end)
        };
        if status != 0 {
            self.store(status, &end.status())?;
        }
        if usage != 0 {
            self.store(usage, &[0_u64; 18])?;
        }
        self.system.remains.remove(found);
        Ok(id.into())
    }

    /// Sends a signal to the process itself or to one of its children.
    pub(super) fn kill(&mut self) -> Answer {
        let [to, signal, ..] = self.arguments;
        let own = self.process.group;
        let to = match to as i32 {
            // groups of processes are not told apart
            0 | -1 => own,
            to => to.unsigned_abs(),
        };
        self.send(to, signal, |process: &Process<'k>| process.group == to)
    }

    pub(super) fn tkill(&mut self) -> Answer {
        let [to, signal, ..] = self.arguments;
        let to = to as u32;
        self.send(to, signal, |process: &Process<'k>| process.id == to)
    }

    pub(super) fn tgkill(&mut self) -> Answer {
        let [group, to, signal, ..] = self.arguments;
        let (group, to) = (group as u32, to as u32);
        self.send(to, signal, |process: &Process<'k>| {
            process.id == to && process.group == group
        })
    }

    fn send(&mut self, to: u32, signal: u64, is_meant: impl Fn(&Process<'k>) -> bool) -> Answer {
        if signal > u64::from(MOST) {
            return Err(Errno::INVAL.into());
        }
        let signal = signal as u32;
        if is_meant(self.process) {
            if signal != 0 {
                self.process.signals.send(signal);
            }
            return Ok(0);
        }
        let own = self.process.group;
        if self.system.remains.iter().any(|one| one.id == to) {
            return Ok(0);
        }
        let mut others = self.system.processes.values_mut();
        match others.find(|process| is_meant(process)) {
            None => Err(Errno::SRCH.into()),
            Some(other) if other.parent != own && other.group != own => Err(Errno::PERM.into()),
            Some(other) => {
                if signal != 0 {
                    other.signals.send(signal);
                }
                Ok(0)
            }
        }
    }
}

/// A copy of what may be shared.
fn copy<T: Clone>(shared: &Rc<RefCell<T>>) -> Rc<RefCell<T>> {
    Rc::new(RefCell::new(shared.borrow().clone()))
}
