//! Accesses of one instruction.

use super::error::IoError;
use super::fallible::Fallibility;
#[cfg(verus_only)]
use super::log::refuses_once;
use super::reader::VmReader;
use super::writer::VmWriter;
#[cfg(verus_only)]
use crate::hw::user::bytes_of;
use crate::hw::user::{PodAtomic, PodOnce, exchange, load_once, store_once};
use vstd::prelude::*;

verus! {

/// Why an access of one instruction for `bytes` bytes can't be at `addr`, where `left` are left.
#[inline(always)]
fn check_once(addr: usize, left: usize, bytes: usize) -> (r: Result<(), IoError>)
    ensures
        match r {
            Ok(()) => left >= bytes && bytes > 0 && addr as int % bytes as int == 0,
            Err(e) => refuses_once(None, addr as int, left as int, bytes as int, e),
        },
{
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
    pub fn read_once<T: PodOnce>(&mut self) -> (r: Result<T, IoError>)
        ensures
            match r {
                Ok(value) => final(self).took(*old(self), bytes_of(value), true),
                Err(e) => *final(self) == *old(self) && old(self).refuses_once::<T>(e),
            },
    {
        match self.look::<T>() {
            Ok(value) => {
                self.advance(size_of::<T>());
                Ok(value)
            },
            Err(e) => Err(e),
        }
    }

    /// Reads a value at the cursor, which stays, by one load, as [`read_once`](VmReader::read_once) does: a futex's.
    ///
    /// # Errors
    /// Those of [`read_once`](VmReader::read_once).
    #[inline]
    pub fn atomic_load<T: PodAtomic>(&mut self) -> (r: Result<T, IoError>)
        ensures
            match r {
                Ok(value) => final(self).peeked(*old(self), bytes_of(value)),
                Err(e) => *final(self) == *old(self) && old(self).refuses_once::<T>(e),
            },
    {
        self.look::<T>()
    }

    /// Reads a value at the cursor, which stays.
    #[inline(always)]
    fn look<T: PodOnce>(&mut self) -> (r: Result<T, IoError>)
        ensures
            match r {
                Ok(value) => {
                    &&& final(self).peeked(*old(self), bytes_of(value))
                    &&& bytes_of(value).len() == vstd::layout::size_of::<T>()
                },
                Err(e) => *final(self) == *old(self) && old(self).refuses_once::<T>(e),
            },
    {
        proof {
            use_type_invariant(&*self);
        }
        check_once(self.cursor.addr(), self.remain(), size_of::<T>())?;
        let (how, cursor) = (self.how, self.cursor);
        proof {
            self.lemma_rest(vstd::layout::size_of::<T>() as int);
        }
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
    pub fn write_once<T: PodOnce>(&mut self, value: T) -> (r: Result<(), IoError>)
        ensures
            match r {
                Ok(()) => final(self).put(*old(self), bytes_of(value), true),
                Err(e) => *final(self) == *old(self) && old(self).refuses_once::<T>(e),
            },
    {
        proof {
            use_type_invariant(&*self);
        }
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
    >)
        ensures
            match r {
                Ok(Ok(found)) => {
                    &&& bytes_of(found) == bytes_of(current)
                    &&& final(self).exchanged(*old(self), bytes_of(found), Some(bytes_of(new)))
                },
                Ok(Err(found)) => {
                    &&& bytes_of(found) != bytes_of(current)
                    &&& final(self).exchanged(*old(self), bytes_of(found), None)
                },
                Err(e) => *final(self) == *old(self) && old(self).refuses_once::<T>(e),
            },
    {
        proof {
            use_type_invariant(&*self);
        }
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
