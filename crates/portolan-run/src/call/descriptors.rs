//! Descriptors: what they stand for, and whether there is something to be read.

use super::stream::is_ready;
use super::{Answer, Call, Stop};
use crate::files::{Descriptor, MOST_FILES, Object, OpenFile};
use crate::pipe::pipe;
use crate::process::Wait;
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::time::{Duration, Instant};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

const O_CLOEXEC: u64 = 0x8_0000;
const O_NONBLOCK: u64 = 0x800;

const F_DUPFD: u64 = 0;
const F_GETFD: u64 = 1;
const F_SETFD: u64 = 2;
const F_GETFL: u64 = 3;
const F_SETFL: u64 = 4;
const F_DUPFD_CLOEXEC: u64 = 1030;
const FD_CLOEXEC: u64 = 1;

const FIONREAD: u64 = 0x541b;
const FIOCLEX: u64 = 0x5451;
const FIONCLEX: u64 = 0x5450;

const POLLIN: i16 = 1;
const POLLOUT: i16 = 4;
const POLLERR: i16 = 8;
const POLLHUP: i16 = 16;
const POLLNVAL: i16 = 32;

/// `struct pollfd`.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Polled {
    descriptor: i32,
    events: i16,
    answer: i16,
}

impl Call<'_, '_, '_> {
    /// What a descriptor stands for.
    pub(super) fn descriptor(&self, number: u64) -> Result<Descriptor, Errno> {
        self.process.files.borrow().get(number).cloned()
    }

    /// Adds a descriptor.
    pub(super) fn add(&mut self, file: OpenFile, close_on_exec: bool) -> Result<u64, Errno> {
        let descriptor = Descriptor {
            file: Rc::new(file),
            close_on_exec,
        };
        self.process.files.borrow_mut().add(descriptor, 0)
    }

    pub(super) fn close(&mut self) -> Answer {
        let mut files = self.process.files.borrow_mut();
        files.close(self.arguments[0])?;
        Ok(0)
    }

    pub(super) fn dup(&mut self) -> Answer {
        self.duplicate(0, false)
    }

    /// Another number for the first argument's file, from `from` on.
    fn duplicate(&mut self, from: u64, close_on_exec: bool) -> Answer {
        let file = self.descriptor(self.arguments[0])?.file;
        let descriptor = Descriptor {
            file,
            close_on_exec,
        };
        Ok(self.process.files.borrow_mut().add(descriptor, from)?)
    }

    pub(super) fn dup2(&mut self) -> Answer {
        let [old, new, ..] = self.arguments;
        if old as u32 == new as u32 {
            self.descriptor(old)?;
            return Ok(new);
        }
        self.duplicate_to(false)
    }

    pub(super) fn dup3(&mut self) -> Answer {
        let [old, new, flags, ..] = self.arguments;
        if old as u32 == new as u32 || flags & !O_CLOEXEC != 0 {
            return Err(Errno::INVAL.into());
        }
        self.duplicate_to(flags != 0)
    }

    fn duplicate_to(&mut self, close_on_exec: bool) -> Answer {
        let [old, new, ..] = self.arguments;
        let file = self.descriptor(old)?.file;
        let descriptor = Descriptor {
            file,
            close_on_exec,
        };
        self.process.files.borrow_mut().set(new, descriptor)?;
        Ok(u64::from(new as u32))
    }

    pub(super) fn pipe(&mut self) -> Answer {
        self.arguments[1] = 0;
        self.pipe2()
    }

    pub(super) fn pipe2(&mut self) -> Answer {
        let [addr, flags, ..] = self.arguments;
        if flags & !(O_CLOEXEC | O_NONBLOCK) != 0 {
            return Err(Errno::INVAL.into());
        }
        let status = OFlags::from_bits_retain((flags & O_NONBLOCK) as u32);
        let closes = flags & O_CLOEXEC != 0;
        let (reader, writer) = pipe();
        let reader = OpenFile::pipe(Object::Reader(reader), OFlags::RDONLY | status);
        let writer = OpenFile::pipe(Object::Writer(writer), OFlags::WRONLY | status);
        let reader = self.add(reader, closes)?;
        let writer = self.add(writer, closes);
        let stored = match &writer {
            Ok(writer) => self.store(addr, &[reader as u32, *writer as u32]),
            Err(error) => Err(*error),
        };
        if let Err(error) = stored {
            let mut files = self.process.files.borrow_mut();
            files.close(reader)?;
            if let Ok(writer) = writer {
                files.close(writer)?;
            }
            return Err(error.into());
        }
        Ok(0)
    }

    pub(super) fn fcntl(&mut self) -> Answer {
        let [number, command, argument, ..] = self.arguments;
        let descriptor = self.descriptor(number)?;
        let settable = OFlags::NONBLOCK | OFlags::APPEND;
        match command {
            F_DUPFD => self.duplicate(argument, false),
            F_DUPFD_CLOEXEC => self.duplicate(argument, true),
            F_GETFD => Ok(if descriptor.close_on_exec {
                FD_CLOEXEC
            } else {
                0
            }),
            F_SETFD => {
                let mut files = self.process.files.borrow_mut();
                files.get_mut(number)?.close_on_exec = argument & FD_CLOEXEC != 0;
                Ok(0)
            }
            F_GETFL => Ok(descriptor.file.flags.get().bits().into()),
            F_SETFL => {
                let asked = OFlags::from_bits_retain(argument as u32) & settable;
                let kept = descriptor.file.flags.get() & !settable;
                let own_path = !descriptor.file.path.is_empty();
                if let Object::Host(host) = &descriptor.file.object
                    && own_path
                {
                    rustix::fs::fcntl_setfl(host, asked)?;
                }
                descriptor.file.flags.set(kept | asked);
                Ok(0)
            }
            _ => Err(Errno::INVAL.into()),
        }
    }

    /// Nothing is a terminal to programs.
    pub(super) fn ioctl(&mut self) -> Answer {
        let [number, request, addr, ..] = self.arguments;
        let descriptor = self.descriptor(number)?;
        match (request, &descriptor.file.object) {
            (FIONREAD, Object::Reader(reader)) => {
                self.store(addr, &(reader.available() as u32))?;
                Ok(0)
            }
            (FIOCLEX | FIONCLEX, _) => {
                let mut files = self.process.files.borrow_mut();
                files.get_mut(number)?.close_on_exec = request == FIOCLEX;
                Ok(0)
            }
            _ => Err(Errno::NOTTY.into()),
        }
    }

    pub(super) fn poll(&mut self) -> Answer {
        let millis = self.arguments[2] as i32;
        let timeout = u64::try_from(millis).ok().map(Duration::from_millis);
        self.poll_until(timeout)
    }

    pub(super) fn ppoll(&mut self) -> Answer {
        let timeout = match self.arguments[2] {
            0 => None,
            addr => Some(self.load_duration(addr)?),
        };
        self.poll_until(timeout)
    }

    fn poll_until(&mut self, timeout: Option<Duration>) -> Answer {
        let [addr, count, ..] = self.arguments;
        if count > MOST_FILES as u64 {
            return Err(Errno::INVAL.into());
        }
        let mut waits = Vec::new();
        let mut ready = 0;
        let mut all = Vec::new();
        for n in 0..count {
            let mut polled: Polled = self.load(addr.wrapping_add(8 * n))?;
            polled.answer = self.poll_one(&polled, &mut waits);
            ready += u64::from(polled.answer != 0);
            all.push(polled);
        }
        let now = Instant::now();
        if let Some(timeout) = timeout {
            let deadline = *self.process.deadline.get_or_insert(now + timeout);
            waits.push(Wait::Time(deadline));
        }
        if ready == 0 && self.process.deadline.is_none_or(|deadline| now < deadline) {
            return Err(Stop::Wait(waits));
        }
        for (n, polled) in (0..).zip(&all) {
            self.store(addr.wrapping_add(8 * n), polled)?;
        }
        Ok(ready)
    }

    /// What there is to say of a descriptor; if nothing, what to wait for.
    fn poll_one(&self, polled: &Polled, waits: &mut Vec<Wait>) -> i16 {
        let Ok(number) = u64::try_from(polled.descriptor) else {
            return 0;
        };
        let Ok(descriptor) = self.descriptor(number) else {
            return POLLNVAL;
        };
        let asked = |bit: i16, is_true: bool| if is_true { polled.events & bit } else { 0 };
        match &descriptor.file.object {
            Object::Host(_) if !descriptor.file.may_wait => polled.events & (POLLIN | POLLOUT),
            Object::Host(host) => {
                let mut answer = 0;
                for (bit, write) in [(POLLIN, false), (POLLOUT, true)] {
                    if polled.events & bit != 0 {
                        answer |= asked(bit, is_ready(host, write));
                        let stream = host.as_raw_fd();
                        waits.push(Wait::Host { stream, write });
                    }
                }
                answer
            }
            Object::Reader(reader) => {
                waits.push(Wait::Process);
                let (has_bytes, is_over) = reader.state();
                asked(POLLIN, has_bytes) | if is_over { POLLHUP } else { 0 }
            }
            Object::Writer(writer) => {
                waits.push(Wait::Process);
                let (has_room, is_broken) = writer.state();
                asked(POLLOUT, has_room) | if is_broken { POLLERR } else { 0 }
            }
        }
    }
}
