//! Pipes between processes.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// How many bytes a pipe holds.
const CAPACITY: usize = 64 << 10;

/// What the ends of a pipe have in common.
#[derive(Debug, Default)]
struct Pipe {
    bytes: VecDeque<u8>,
    readers: usize,
    writers: usize,
}

/// The end of a pipe that is read from.
#[derive(Debug)]
pub(crate) struct Reader(Rc<RefCell<Pipe>>);

/// The end of a pipe that is written to.
#[derive(Debug)]
pub(crate) struct Writer(Rc<RefCell<Pipe>>);

/// What a pipe answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// So many bytes were moved; to a reader, 0 says that no more will come.
    Bytes(usize),
    /// Nothing can be moved before the other end has done something.
    Blocked,
    /// Nobody will ever read what is written.
    Broken,
}

/// A new pipe.
pub(crate) fn pipe() -> (Reader, Writer) {
    let pipe = Rc::new(RefCell::new(Pipe {
        readers: 1,
        writers: 1,
        ..Pipe::default()
    }));
    (Reader(pipe.clone()), Writer(pipe))
}

impl Reader {
    /// Takes bytes out, as many as there are and have room in `bytes`.
    pub(crate) fn read(&self, bytes: &mut [u8]) -> Flow {
        let mut pipe = self.0.borrow_mut();
        let count = pipe.bytes.len().min(bytes.len());
        if count == 0 && !bytes.is_empty() && pipe.writers > 0 {
            return Flow::Blocked;
        }
        for (to, from) in bytes.iter_mut().zip(pipe.bytes.drain(..count)) {
            *to = from;
        }
        Flow::Bytes(count)
    }

    /// How many bytes are there to read.
    pub(crate) fn available(&self) -> usize {
        self.0.borrow().bytes.len()
    }

    /// Whether a read would not wait, and whether nobody writes any more.
    pub(crate) fn state(&self) -> (bool, bool) {
        let pipe = self.0.borrow();
        (!pipe.bytes.is_empty(), pipe.writers == 0)
    }
}

impl Writer {
    /// Puts bytes in: as many as there is room for, but up to 4096 of them only together (POSIX: `PIPE_BUF`).
    pub(crate) fn write(&self, bytes: &[u8]) -> Flow {
        const ATOMIC: usize = 4096;
        let mut pipe = self.0.borrow_mut();
        if pipe.readers == 0 {
            return Flow::Broken;
        }
        let room = CAPACITY - pipe.bytes.len();
        if room == 0 && !bytes.is_empty() || bytes.len() <= ATOMIC && room < bytes.len() {
            return Flow::Blocked;
        }
        let count = room.min(bytes.len());
        pipe.bytes.extend(&bytes[..count]);
        Flow::Bytes(count)
    }

    /// Whether there is room to write, and whether nobody reads any more.
    pub(crate) fn state(&self) -> (bool, bool) {
        let pipe = self.0.borrow();
        (CAPACITY - pipe.bytes.len() >= 4096, pipe.readers == 0)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.borrow_mut().readers -= 1;
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.0.borrow_mut().writers -= 1;
    }
}
