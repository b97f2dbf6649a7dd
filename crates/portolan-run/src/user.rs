//! Programs' memory, as system calls read and write it: an address from a program is a claim, not a fact.
//!
//! Pages are brought in as the program's own accesses would bring them in. What a program may not read or write, the host
//! doesn't for it: [`Errno::FAULT`].

use crate::area::Access;
use crate::elf::USER_END;
use crate::hardware::RunKernel;
use crate::memory::PAGE;
use crate::platform::{Platform, ProgramCpu};
use crate::space::{Fault, Space};
use portolan::io::{FallibleVmRead, FallibleVmWrite, IoError, VmReader, VmWriter};
use portolan::space::VmSpace;
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

/// How many bytes were copied, at an error with the reason.
type Copied = Result<usize, (IoError, usize)>;

/// A program's memory.
pub(crate) struct ProgramMemory<'a, 'k> {
    pub(crate) platform: &'a Platform<'k>,
    pub(crate) space: &'a mut Space<'k>,
}

impl<'k> ProgramMemory<'_, 'k> {
    /// How many of `len` bytes at `addr` the program can access. Their pages are brought in.
    ///
    /// # Errors
    /// [`Errno::FAULT`] if there are bytes, and it can't access the first one.
    pub(crate) fn reach(&mut self, addr: u64, len: usize, access: Access) -> Result<usize, Errno> {
        let mut done = 0;
        while done < len {
            let at = addr.checked_add(done as u64).ok_or(Errno::FAULT)?;
            match self.space.bring_in(self.platform, at, access) {
                Ok(()) => done += ((PAGE - at % PAGE) as usize).min(len - done),
                Err(_) if done > 0 => break,
                Err(fault) => return Err(Short { done, fault }.into()),
            }
        }
        Ok(done)
    }

    /// Has `copy` copy `len` bytes, from an address on and so many of them, and brings in what is missing where it stops.
    fn each(
        &mut self,
        addr: u64,
        len: usize,
        access: Access,
        mut copy: impl FnMut(&VmSpace<'k, RunKernel>, &ProgramCpu<'k>, usize, Range<usize>) -> Copied,
    ) -> Result<(), Short> {
        let (mut done, mut last) = (0, None);
        while done < len {
            let fault = Fault::Unmapped;
            let at = addr.checked_add(done as u64).ok_or(Short { done, fault })?;
            let activated = self.platform.activate(&self.space.vm);
            activated.map_err(|_| Short { done, fault })?;
            let copied = copy(
                &self.space.vm,
                &self.platform.cpu.borrow(),
                at as usize,
                done..len,
            );
            match copied {
                Ok(count) => done += count,
                Err((IoError::PageFault { .. }, count)) => {
                    done += count;
                    let at = addr + done as u64;
                    // what is still missing after it was brought in won't come
                    if last.replace(at) == Some(at) {
                        return Err(Short { done, fault });
                    }
                    let fault = self.space.fault(self.platform, at, access);
                    fault.map_err(|fault| Short { done, fault })?;
                }
                Err((_, count)) => {
                    done += count;
                    return Err(Short { done, fault });
                }
            }
        }
        Ok(())
    }

    /// Copies bytes from the program.
    pub(crate) fn read(&mut self, addr: u64, bytes: &mut [u8]) -> Result<(), Short> {
        let here = &self.platform.here;
        self.each(addr, bytes.len(), Access::Read, |space, cpu, at, part| {
            let mut to = VmWriter::from(&mut bytes[part.clone()]);
            let from = space.reader(here, cpu, at, part.len());
            from.map_err(|error| (error, 0))?.read_fallible(&mut to)
        })
    }

    /// Copies bytes to the program.
    pub(crate) fn write(&mut self, addr: u64, bytes: &[u8]) -> Result<(), Short> {
        let here = &self.platform.here;
        self.each(addr, bytes.len(), Access::Write, |space, cpu, at, part| {
            let mut from = VmReader::from(&bytes[part.clone()]);
            let to = space.writer(here, cpu, at, part.len());
            to.map_err(|error| (error, 0))?.write_fallible(&mut from)
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
