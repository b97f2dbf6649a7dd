//! Accesses of one instruction.

use super::error::IoError;
use super::fallible::Fallibility;
use super::reader::VmReader;
use super::writer::VmWriter;
#[cfg(verus_only)]
use crate::hw::user::{Access, bytes_of};
use crate::hw::user::{PodAtomic, PodOnce, exchange, load_once, store_once};
use vstd::prelude::*;

verus! {

/// Why an access of one instruction for `bytes` bytes can't be at `addr`, where `left` are left.
#[inline(always)]
fn check_once(addr: usize, left: usize, bytes: usize) -> (r: Result<(), IoError>) {
    if left < bytes {
        return Err(IoError::TooShort { needed: bytes, left });
    }
    if bytes == 0 || addr % bytes != 0 {
        return Err(IoError::NotAligned { addr, align: bytes });
    }
    Ok(())
}

impl<'a, F: Fallibility> VmReader<'a, F> {
    /// Reads a value by one load, which is never torn, and has no order to others.
    ///
    /// # Errors
    /// [`IoError::TooShort`] if it is longer than what is left; [`IoError::NotAligned`] if the cursor is not a multiple of its
    /// size; [`IoError::PageFault`] if it can't be read. The cursor is where it was.
    #[inline]
    pub fn read_once<T: PodOnce>(&mut self) -> (r: Result<T, IoError>) {
        let r = self.atomic_load_once::<T>();
        if r.is_ok() {
            self.advance(size_of::<T>());
        }
        r
    }

    /// Reads a value at the cursor, which stays, by one load, as [`read_once`](VmReader::read_once) does: a futex's.
    ///
    /// # Errors
    /// Those of [`read_once`](VmReader::read_once).
    #[inline]
    pub fn atomic_load<T: PodAtomic>(&mut self) -> (r: Result<T, IoError>) {
        self.atomic_load_once::<T>()
    }

    /// Reads a value at the cursor, which stays.
    #[inline(always)]
    fn atomic_load_once<T: PodOnce>(&mut self) -> (r: Result<T, IoError>) {
        check_once(self.cursor.addr(), self.remain(), size_of::<T>())?;
        let (how, cursor) = (self.how, self.cursor);
        match load_once::<T, F::User>(how.user(), cursor, Tracked(self.source.borrow_mut())) {
            Some(value) => Ok(value),
            None => Err(IoError::PageFault { addr: cursor.addr() }),
        }
    }
}

impl<'a, F: Fallibility> VmWriter<'a, F> {
    /// Writes a value by one store, which is never torn, and has no order to others.
    ///
    /// # Errors
    /// [`IoError::TooShort`] if it is longer than what is left; [`IoError::NotAligned`] if the cursor is not a multiple of its
    /// size; [`IoError::PageFault`] if it can't be written. The cursor is where it was.
    #[inline]
    pub fn write_once<T: PodOnce>(&mut self, value: T) -> (r: Result<(), IoError>) {
        check_once(self.cursor.addr(), self.avail(), size_of::<T>())?;
        let (how, cursor) = (self.how, self.cursor);
        if store_once::<T, F::User>(how.user(), cursor, value, Tracked(self.sink.borrow_mut())) {
            self.advance(size_of::<T>());
            Ok(())
        } else {
            Err(IoError::PageFault { addr: cursor.addr() })
        }
    }

    /// Puts `new` at the cursor, which stays, if the bytes of `current` are there, by one access, ordered to all others.
    /// `Ok(Ok(found))` if it did, `Ok(Err(found))` if something else was there.
    ///
    /// # Errors
    /// Those of [`write_once`](VmWriter::write_once), whatever is there. A program's memory has to be readable, too.
    #[inline]
    pub fn atomic_compare_exchange<T: PodAtomic>(&mut self, current: T, new: T) -> (r: Result<
        Result<T, T>,
        IoError,
    >) {
        check_once(self.cursor.addr(), self.avail(), size_of::<T>())?;
        let (how, cursor) = (self.how, self.cursor);
        match exchange::<T, F::User>(
            how.user(),
            cursor,
            current,
            new,
            Tracked(self.sink.borrow_mut()),
        ) {
            Some(found) => Ok(found),
            None => Err(IoError::PageFault { addr: cursor.addr() }),
        }
    }
}

} // verus!
