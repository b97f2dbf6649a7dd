//! Programs' memory, as system calls read and write it: an address from a program is a claim, not a fact.
//!
//! Pages are brought in as the program's own accesses would bring them in. What a program may not read or write, the host
//! doesn't for it: [`Errno::FAULT`].

use crate::area::Access;
use crate::elf::USER_END;
use crate::memory::PAGE;
use crate::platform::Platform;
use crate::space::{Fault, Space};
use rustix::io::Errno;
use std::ops::Range;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// A copy that ended before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Short {
    /// How many bytes were copied.
    pub(crate) done: usize,
    /// Why no more were.
    pub(crate) fault: Fault,
}

impl From<Short> for Errno {
    fn from(short: Short) -> Self {
        match short.fault {
            Fault::NoMemory => Errno::NOMEM,
            _ => Errno::FAULT,
        }
    }
}

/// How many bytes are copied at a time where they come from a file or go there.
pub(crate) const CHUNK: usize = 64 << 10;

/// The addresses of `len` bytes at `addr`, if programs can have them.
pub(crate) fn bounds(addr: u64, len: u64) -> Result<Range<u64>, Errno> {
    let end = addr.checked_add(len).filter(|end| *end <= USER_END);
    Ok(addr..end.ok_or(Errno::FAULT)?)
}

/// A program's memory.
pub(crate) struct UserMemory<'a, 'k> {
    pub(crate) platform: &'a Platform<'k>,
    pub(crate) space: &'a mut Space<'k>,
}

impl UserMemory<'_, '_> {
    /// Goes through `len` bytes, page by page: with the place in the guest's memory, and which of the bytes lie there.
    fn each(
        &mut self,
        addr: u64,
        len: usize,
        access: Access,
        mut visit: impl FnMut(portolan::PhysAddr, Range<usize>),
    ) -> Result<(), Short> {
        let mut done = 0;
        while done < len {
            let short = |fault| Short { done, fault };
            let at = addr.checked_add(done as u64);
            let at = at.ok_or(short(Fault::Unmapped))?;
            let place = self.space.locate(self.platform, at, access);
            let place = place.map_err(short)?;
            let here = ((PAGE - at % PAGE) as usize).min(len - done);
            visit(place, done..done + here);
            done += here;
        }
        Ok(())
    }

    /// How many of `len` bytes at `addr` the program can access.
    ///
    /// # Errors
    /// [`Errno::FAULT`] if there are bytes, and it can't access the first one.
    pub(crate) fn reach(&mut self, addr: u64, len: usize, access: Access) -> Result<usize, Errno> {
        match self.each(addr, len, access, |_, _| {}) {
            Ok(()) => Ok(len),
            Err(short) if short.done > 0 => Ok(short.done),
            Err(short) => Err(short.into()),
        }
    }

    /// Copies bytes from the program.
    pub(crate) fn read(&mut self, addr: u64, bytes: &mut [u8]) -> Result<(), Short> {
        let memory = self.platform.memory.clone();
        self.each(addr, bytes.len(), Access::Read, |place, part| {
            memory.read(place, &mut bytes[part]);
        })
    }

    /// Copies bytes to the program.
    pub(crate) fn write(&mut self, addr: u64, bytes: &[u8]) -> Result<(), Short> {
        let memory = self.platform.memory.clone();
        self.each(addr, bytes.len(), Access::Write, |place, part| {
            memory.write(place, &bytes[part]);
        })
    }

    /// A value from the program.
    pub(crate) fn read_val<T: FromBytes + IntoBytes>(&mut self, addr: u64) -> Result<T, Errno> {
        let mut value = T::new_zeroed();
        self.read(addr, value.as_mut_bytes())?;
        Ok(value)
    }

    /// A value to the program.
    pub(crate) fn write_val<T: IntoBytes + Immutable>(
        &mut self,
        addr: u64,
        value: &T,
    ) -> Result<(), Errno> {
        Ok(self.write(addr, value.as_bytes())?)
    }

    /// A string that ends with a zero, which is left out, of at most `most` bytes.
    ///
    /// # Errors
    /// [`Errno::NAMETOOLONG`] if it is longer.
    pub(crate) fn read_string(&mut self, addr: u64, most: usize) -> Result<Vec<u8>, Errno> {
        let mut string = Vec::new();
        while string.len() <= most {
            let at = addr.checked_add(string.len() as u64).ok_or(Errno::FAULT)?;
            let mut part = [0; 256];
            let len = ((PAGE - at % PAGE) as usize).min(part.len());
            self.read(at, &mut part[..len])?;
            match part[..len].iter().position(|byte| *byte == 0) {
                Some(end) => {
                    string.extend(&part[..end]);
                    return if string.len() <= most {
                        Ok(string)
                    } else {
                        Err(Errno::NAMETOOLONG)
                    };
                }
                None => string.extend(&part[..len]),
            }
        }
        Err(Errno::NAMETOOLONG)
    }

    /// The strings whose addresses stand at `addr`, up to a zero; all of them at most `most` bytes long.
    pub(crate) fn read_strings(&mut self, addr: u64, most: usize) -> Result<Vec<Vec<u8>>, Errno> {
        let (mut strings, mut left) = (Vec::new(), most);
        if addr == 0 {
            return Ok(strings);
        }
        for at in (addr..).step_by(8) {
            let string: u64 = self.read_val(at)?;
            if string == 0 {
                break;
            }
            let string = self
                .read_string(string, left)
                .map_err(|error| match error {
                    Errno::NAMETOOLONG => Errno::TOOBIG,
                    error => error,
                })?;
            left = left.checked_sub(string.len() + 9).ok_or(Errno::TOOBIG)?;
            strings.push(string);
        }
        Ok(strings)
    }
}
