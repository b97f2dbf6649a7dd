//! Reading and writing.

use super::{Answer, Call, Stop};
use crate::area::Access;
use crate::files::{Object, OpenFile};
use crate::memory::PAGE;
use crate::pipe::Flow;
use crate::process::Wait;
use crate::signal::SIGPIPE;
use crate::user::{CHUNK, bounds};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::rc::Rc;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// How many bytes are moved at most (`MAX_RW_COUNT` of Linux).
const MOST_BYTES: u64 = 0x7fff_f000;
/// How many parts a vector may have.
const MOST_PARTS: u64 = 1024;

/// `struct iovec`.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Part {
    addr: u64,
    bytes: u64,
}

/// Where in a file bytes are moved.
#[derive(Clone, Copy)]
enum At {
    /// Where the file is, which goes on.
    Here,
    Offset(u64),
}

/// Whether a stream of the host can be read from or written to without waiting.
pub(super) fn is_ready(stream: &OwnedFd, write: bool) -> bool {
    let flags = if write { PollFlags::OUT } else { PollFlags::IN };
    let mut streams = [PollFd::new(stream, flags)];
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    loop {
        match poll(&mut streams, Some(&now)) {
            Err(Errno::INTR) => {}
            // whatever else it says is said by the call itself
            ready => return ready != Ok(0),
        }
    }
}

impl Call<'_, '_, '_> {
    /// An open file, to be read from or written to.
    fn open_file(&self, descriptor: u64, write: bool) -> Result<Rc<OpenFile>, Errno> {
        let file = self.process.files.borrow().get(descriptor)?.file.clone();
        if !file.allows(write) || file.flags.get().contains(OFlags::PATH) {
            return Err(Errno::BADF);
        }
        Ok(file)
    }

    pub(super) fn read(&mut self) -> Answer {
        let [descriptor, addr, bytes, ..] = self.arguments;
        let file = self.open_file(descriptor, false)?;
        self.read_parts(&file, &[Part { addr, bytes }], At::Here)
    }

    pub(super) fn pread64(&mut self) -> Answer {
        let [descriptor, addr, bytes, offset, ..] = self.arguments;
        let file = self.open_file(descriptor, false)?;
        let at = position(&file, offset)?;
        self.read_parts(&file, &[Part { addr, bytes }], at)
    }

    pub(super) fn readv(&mut self) -> Answer {
        let [descriptor, addr, count, ..] = self.arguments;
        let file = self.open_file(descriptor, false)?;
        let parts = self.parts(addr, count)?;
        self.read_parts(&file, &parts, At::Here)
    }

    pub(super) fn write(&mut self) -> Answer {
        let [descriptor, addr, bytes, ..] = self.arguments;
        let file = self.open_file(descriptor, true)?;
        self.write_parts(&file, &[Part { addr, bytes }], At::Here)
    }

    pub(super) fn pwrite64(&mut self) -> Answer {
        let [descriptor, addr, bytes, offset, ..] = self.arguments;
        let file = self.open_file(descriptor, true)?;
        let at = position(&file, offset)?;
        self.write_parts(&file, &[Part { addr, bytes }], at)
    }

    pub(super) fn writev(&mut self) -> Answer {
        let [descriptor, addr, count, ..] = self.arguments;
        let file = self.open_file(descriptor, true)?;
        let parts = self.parts(addr, count)?;
        self.write_parts(&file, &parts, At::Here)
    }

    /// The parts of a vector.
    fn parts(&mut self, addr: u64, count: u64) -> Result<Vec<Part>, Errno> {
        if count > MOST_PARTS {
            return Err(Errno::INVAL);
        }
        let mut parts = Vec::new();
        let mut sum: u64 = 0;
        for n in 0..count {
            let part: Part = self.load(addr.wrapping_add(16 * n))?;
            sum = sum.checked_add(part.bytes).ok_or(Errno::INVAL)?;
            parts.push(part);
        }
        if sum > i64::MAX as u64 {
            return Err(Errno::INVAL);
        }
        Ok(parts)
    }

    /// Reads into each part in turn, as much as there is.
    fn read_parts(&mut self, file: &OpenFile, parts: &[Part], at: At) -> Answer {
        for part in parts {
            bounds(part.addr, part.bytes)?;
        }
        let mut done = 0;
        for part in parts {
            let mut left = part.bytes.min(MOST_BYTES - done);
            let mut addr = part.addr;
            while left > 0 {
                let wanted = left.min(CHUNK as u64) as usize;
                let at = match at {
                    At::Here => At::Here,
                    At::Offset(offset) => At::Offset(offset + done),
                };
                match self.read_chunk(file, addr, wanted, at, done == 0) {
                    Ok(0) => return Ok(done),
                    Ok(count) => {
                        done += count as u64;
                        addr += count as u64;
                        left -= count as u64;
                        if count < wanted {
                            return Ok(done);
                        }
                    }
                    Err(_) if done > 0 => return Ok(done),
                    Err(stop) => return Err(stop),
                }
            }
        }
        Ok(done)
    }

    /// Reads up to `wanted` bytes. Only what the program can take is taken from the file.
    fn read_chunk(
        &mut self,
        file: &OpenFile,
        addr: u64,
        wanted: usize,
        at: At,
        is_first: bool,
    ) -> Result<usize, Stop> {
        let room = self.with_user(|user| user.reach(addr, wanted, Access::Write))?;
        let mut bytes = std::mem::take(&mut self.system.buffer);
        let bytes = &mut bytes;
        bytes.resize(room, 0);
        let count = match &file.object {
            Object::Host(host) => self.read_host(file, host, bytes, at, is_first),
            // as on Linux: what can't be taken as a whole stays
            Object::Reader(reader) if room < wanted && reader.available() > room => {
                Err(Errno::FAULT.into())
            }
            Object::Reader(reader) => match reader.read(bytes) {
                Flow::Bytes(count) => Ok(count),
                _ if file.is_nonblocking() => Err(Errno::AGAIN.into()),
                _ => Err(Stop::Wait(vec![Wait::Process])),
            },
            Object::Writer(_) => Err(Errno::BADF.into()),
        };
        let count = count.and_then(|count| {
            let written = self.with_user(|user| user.write(addr, &bytes[..count]));
            written
                .map(|()| count)
                .map_err(|short| Errno::from(short).into())
        });
        self.system.buffer = std::mem::take(bytes);
        count
    }

    fn read_host(
        &mut self,
        file: &OpenFile,
        host: &OwnedFd,
        bytes: &mut [u8],
        at: At,
        is_first: bool,
    ) -> Result<usize, Stop> {
        let must_ask = !self.is_alone() || file.is_nonblocking() || !is_first;
        if file.may_wait && must_ask && !is_ready(host, false) {
            if file.is_nonblocking() {
                return Err(Errno::AGAIN.into());
            }
            let stream = host.as_raw_fd();
            return Err(Stop::Wait(vec![Wait::Host {
                stream,
                write: false,
            }]));
        }
        loop {
            let count = match at {
                At::Here => rustix::io::read(host, &mut *bytes),
                At::Offset(offset) => rustix::io::pread(host, &mut *bytes, offset),
            };
            match count {
                Err(Errno::INTR) => {}
                count => return Ok(count?),
            }
        }
    }

    /// Writes all parts, one after the other.
    fn write_parts(&mut self, file: &OpenFile, parts: &[Part], at: At) -> Answer {
        for part in parts {
            bounds(part.addr, part.bytes)?;
        }
        // what was written before the process had to wait
        let before = self.process.moved as u64;
        let (mut skip, mut done) = (before, before);
        for part in parts {
            let skipped = skip.min(part.bytes);
            skip -= skipped;
            let mut addr = part.addr + skipped;
            let mut left = (part.bytes - skipped).min(MOST_BYTES.saturating_sub(done));
            while left > 0 {
                let wanted = left.min(CHUNK as u64) as usize;
                let at = match at {
                    At::Here => At::Here,
                    At::Offset(offset) => At::Offset(offset + done),
                };
                match self.write_chunk(file, addr, wanted, at) {
                    Ok(0) => return Ok(done),
                    Ok(count) => {
                        done += count as u64;
                        addr += count as u64;
                        left -= count as u64;
                    }
                    Err(Stop::Wait(waits)) => {
                        self.process.moved = done as usize;
                        return Err(Stop::Wait(waits));
                    }
                    Err(Stop::Error(_)) if done > 0 => return Ok(done),
                    Err(stop) => return Err(stop),
                }
            }
        }
        Ok(done)
    }

    /// Writes up to `wanted` bytes.
    fn write_chunk(
        &mut self,
        file: &OpenFile,
        addr: u64,
        wanted: usize,
        at: At,
    ) -> Result<usize, Stop> {
        let room = self.with_user(|user| user.reach(addr, wanted, Access::Read))?;
        let mut bytes = std::mem::take(&mut self.system.buffer);
        bytes.resize(room, 0);
        let read = self.with_user(|user| user.read(addr, &mut bytes));
        let count = match read {
            Err(short) => Err(Errno::from(short).into()),
            Ok(()) => match &file.object {
                Object::Host(host) => self.write_host(file, host, &bytes, at),
                // as on Linux: whole pages or nothing
                Object::Writer(_) if room < wanted.min(PAGE as usize) => Err(Errno::FAULT.into()),
                Object::Writer(writer) => match writer.write(&bytes) {
                    Flow::Bytes(count) => Ok(count),
                    Flow::Broken => Err(Errno::PIPE.into()),
                    Flow::Blocked if file.is_nonblocking() => Err(Errno::AGAIN.into()),
                    Flow::Blocked => Err(Stop::Wait(vec![Wait::Process])),
                },
                Object::Reader(_) => Err(Errno::BADF.into()),
            },
        };
        self.system.buffer = bytes;
        if let Err(Stop::Error(Errno::PIPE)) = count {
            self.process.signals.send(SIGPIPE);
        }
        count
    }

    fn write_host(
        &mut self,
        file: &OpenFile,
        host: &OwnedFd,
        bytes: &[u8],
        at: At,
    ) -> Result<usize, Stop> {
        if file.may_wait && file.is_nonblocking() && !is_ready(host, true) {
            return Err(Errno::AGAIN.into());
        }
        loop {
            let count = match at {
                At::Here => rustix::io::write(host, bytes),
                At::Offset(offset) => rustix::io::pwrite(host, bytes, offset),
            };
            match count {
                Err(Errno::INTR) => {}
                // the host's own stream doesn't wait, whatever the program was told
                Err(Errno::AGAIN) if !file.is_nonblocking() => {
                    let mut stream = [PollFd::from_borrowed_fd(host.as_fd(), PollFlags::OUT)];
                    match poll(&mut stream, None) {
                        Ok(_) | Err(Errno::INTR) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                count => return Ok(count?),
            }
        }
    }
}

/// A place in a file that has places.
fn position(file: &OpenFile, offset: u64) -> Result<At, Errno> {
    if offset > i64::MAX as u64 {
        return Err(Errno::INVAL);
    }
    match file.object {
        Object::Host(_) => Ok(At::Offset(offset)),
        _ => Err(Errno::SPIPE),
    }
}
