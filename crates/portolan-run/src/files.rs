//! A process's open files.

use crate::pipe::{Reader, Writer};
use rustix::fs::{FileType, OFlags};
use rustix::io::Errno;
use std::cell::Cell;
use std::os::fd::OwnedFd;
use std::rc::Rc;

/// How many files a process may have open.
pub(crate) const MOST_FILES: usize = 1024;

/// What is open.
pub(crate) enum Object {
    /// A file, a directory or a stream of the host.
    Host(OwnedFd),
    /// The end of a pipe that is read from.
    Reader(Reader),
    /// The end of a pipe that is written to.
    Writer(Writer),
}

/// What descriptors refer to.
pub(crate) struct OpenFile {
    pub(crate) object: Object,
    /// The access mode, and what else was asked for.
    pub(crate) flags: Cell<OFlags>,
    /// Where it was opened, from the root on; nothing for streams and pipes.
    pub(crate) path: Vec<u8>,
    /// Whether reading may wait for somebody.
    pub(crate) may_wait: bool,
}

/// What a number stands for.
#[derive(Clone)]
pub(crate) struct Descriptor {
    pub(crate) file: Rc<OpenFile>,
    pub(crate) close_on_exec: bool,
}

/// A process's descriptors, by number.
#[derive(Clone, Default)]
pub(crate) struct Files {
    table: Vec<Option<Descriptor>>,
}

impl OpenFile {
    /// A file of the host's.
    pub(crate) fn host(file: OwnedFd, flags: OFlags, path: Vec<u8>) -> Self {
        let stat = rustix::fs::fstat(&file);
        let kind = stat.map(|stat| FileType::from_raw_mode(stat.st_mode));
        OpenFile {
            may_wait: !matches!(kind, Ok(FileType::RegularFile | FileType::Directory)),
            object: Object::Host(file),
            flags: Cell::new(flags),
            path,
        }
    }

    /// An end of a pipe.
    pub(crate) fn pipe(object: Object, flags: OFlags) -> Self {
        OpenFile {
            object,
            flags: Cell::new(flags),
            path: Vec::new(),
            may_wait: true,
        }
    }

    /// Whether whoever would have to wait is told so instead.
    pub(crate) fn is_nonblocking(&self) -> bool {
        self.flags.get().contains(OFlags::NONBLOCK)
    }

    /// Whether it was opened for loads, stores, or both.
    pub(crate) fn allows(&self, write: bool) -> bool {
        let mode = self.flags.get() & OFlags::RWMODE;
        mode == OFlags::RDWR || (mode == OFlags::WRONLY) == write
    }
}

impl Files {
    /// The standard streams of the host's process.
    pub(crate) fn standard() -> Self {
        let mut files = Files::default();
        let streams = [
            rustix::io::dup(rustix::stdio::stdin()),
            rustix::io::dup(rustix::stdio::stdout()),
            rustix::io::dup(rustix::stdio::stderr()),
        ];
        for stream in streams {
            let stream = stream.ok().map(|stream| {
                let flags = rustix::fs::fcntl_getfl(&stream).unwrap_or(OFlags::RDWR);
                let flags = flags & (OFlags::RWMODE | OFlags::APPEND);
                Descriptor {
                    file: Rc::new(OpenFile::host(stream, flags, Vec::new())),
                    close_on_exec: false,
                }
            });
            files.table.push(stream);
        }
        files
    }

    /// What a number stands for.
    pub(crate) fn get(&self, number: u64) -> Result<&Descriptor, Errno> {
        let number = usize::try_from(number as u32).map_err(|_| Errno::BADF)?;
        self.table
            .get(number)
            .and_then(Option::as_ref)
            .ok_or(Errno::BADF)
    }

    /// What a number stands for, to change it.
    pub(crate) fn get_mut(&mut self, number: u64) -> Result<&mut Descriptor, Errno> {
        let number = usize::try_from(number as u32).map_err(|_| Errno::BADF)?;
        self.table
            .get_mut(number)
            .and_then(Option::as_mut)
            .ok_or(Errno::BADF)
    }

    /// Adds a file, with the lowest number from `from` on that is free.
    pub(crate) fn add(&mut self, descriptor: Descriptor, from: u64) -> Result<u64, Errno> {
        let from = usize::try_from(from).map_err(|_| Errno::INVAL)?;
        if from >= MOST_FILES {
            return Err(Errno::INVAL);
        }
        let is_free = |number: &usize| self.table.get(*number).is_none_or(Option::is_none);
        let number = (from..MOST_FILES).find(is_free).ok_or(Errno::MFILE)?;
        self.put(number, descriptor);
        Ok(number as u64)
    }

    fn put(&mut self, number: usize, descriptor: Descriptor) {
        if self.table.len() <= number {
            self.table.resize(number + 1, None);
        }
        self.table[number] = Some(descriptor);
    }

    /// Makes a number stand for a file, whatever it stood for.
    pub(crate) fn set(&mut self, number: u64, descriptor: Descriptor) -> Result<(), Errno> {
        let number = usize::try_from(number as u32).map_err(|_| Errno::BADF)?;
        if number >= MOST_FILES {
            return Err(Errno::BADF);
        }
        self.put(number, descriptor);
        Ok(())
    }

    /// Closes a number.
    pub(crate) fn close(&mut self, number: u64) -> Result<(), Errno> {
        self.get(number)?;
        self.table[number as u32 as usize] = None;
        Ok(())
    }

    /// Closes what a new program isn't to have.
    pub(crate) fn close_on_exec(&mut self) {
        for entry in &mut self.table {
            entry.take_if(|descriptor| descriptor.close_on_exec);
        }
    }
}
