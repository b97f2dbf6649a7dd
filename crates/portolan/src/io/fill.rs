//! Memory filled with the same bytes, or the same value.

use super::error::IoError;
use super::fallible::{Fallibility, Fallible, Infallible};
use super::transfer::min;
use super::writer::VmWriter;
#[cfg(verus_only)]
use crate::hw::user::bytes_of;
use crate::hw::user::{Pod, UserMemory, fill_kernel, fill_user};
#[cfg(verus_only)]
use proof::lemma_multiple;
#[cfg(verus_only)]
use spec::repeated;
use vstd::prelude::*;

#[cfg(verus_only)]
mod proof;
#[cfg(verus_only)]
pub(crate) mod spec;

verus! {

impl<'a, F: Fallibility> VmWriter<'a, F> {
    /// Sets the next `max` bytes, or what is left if that is less, to 0.
    #[inline]
    pub(super) fn zero(&mut self, max: usize) -> (r: Result<usize, (IoError, usize)>)
        ensures
            final(self).zeroed(*old(self), max as int, r),
            !old(self).how.is_user() ==> r is Ok,
    {
        proof {
            use_type_invariant(&*self);
        }
        let bytes = min(self.avail(), max);
        let (how, cursor) = (self.how, self.cursor);
        let done = match how.user() {
            None => {
                fill_kernel(cursor, 0, bytes, Tracked(self.sink.borrow_mut()));
                bytes
            },
            Some(user) => fill_user::<F::User>(
                user,
                cursor.addr(),
                0,
                bytes,
                Tracked(self.sink.borrow_mut()),
            ),
        };
        self.advance(done);
        if done == bytes {
            Ok(done)
        } else {
            Err((IoError::PageFault { addr: cursor.addr() + done }, done))
        }
    }
}

impl<'a> VmWriter<'a, Infallible> {
    /// Sets the next `max` bytes, or what is left if that is less, to 0. Answers with how many.
    #[inline]
    pub fn fill_zeros(&mut self, max: usize) -> (r: usize)
        ensures
            final(self).zeroed(*old(self), max as int, Ok(r)),
    {
        match self.zero(max) {
            Ok(done) => done,
            Err((_, done)) => done,
        }
    }

    /// Fills what is left with copies of a value. Answers with how many.
    ///
    /// # Errors
    /// [`IoError::NotAligned`] if the cursor is not aligned for the type; [`IoError::NotMultiple`] if copies don't fill what is
    /// left, or have no bytes. Nothing is written.
    pub fn try_fill<T: Pod>(&mut self, value: T) -> (r: Result<usize, IoError>)
        ensures
            match r {
                Ok(count) => {
                    &&& final(self).got(*old(self), repeated(bytes_of(value), count as nat))
                    &&& final(self).at() == old(self).end()
                },
                Err(e) => *final(self) == *old(self) && old(self).refuses_fill::<T>(e),
            },
    {
        let (bytes, size) = (self.avail(), size_of::<T>());
        let align = align_of::<T>();
        let addr = self.cursor.addr();
        if addr % align != 0 {
            return Err(IoError::NotAligned { addr, align });
        }
        if size == 0 || bytes % size != 0 {
            return Err(IoError::NotMultiple { bytes, size });
        }
        let mut count = 0;
        let ghost mut all = Seq::<u8>::empty();
        proof {
            self.lemma_nothing();
        }
        while self.has_avail()
            invariant
                size > 0,
                size == vstd::layout::size_of::<T>(),
                (self.end() - self.at()) % size as int == 0,
                count <= self.at() - old(self).at(),
                old(self).is_inside(),
                all == repeated(bytes_of(value), count as nat),
                self.got(*old(self), all),
            decreases self.end() - self.at(),
        {
            let ghost before = *self;
            proof {
                use_type_invariant(&*self);
                lemma_multiple(self.end() - self.at(), size as int);
            }
            match self.write_val(&value) {
                Ok(()) => {},
                Err(_) => return Ok(count),
            }
            proof {
                self.lemma_next(before, *old(self), all, bytes_of(value));
                all = all + bytes_of(value);
            }
            count += 1;
        }
        Ok(count)
    }
}

impl<'a, U: UserMemory> VmWriter<'a, Fallible<'_, U>> {
    /// Sets the next `max` bytes, or what is left if that is less, to 0. Answers with how many.
    ///
    /// # Errors
    /// [`IoError::PageFault`] with the first byte that can't be written, and how many were set before. The cursor has advanced by
    /// that.
    #[inline]
    pub fn fill_zeros(&mut self, max: usize) -> (r: Result<usize, (IoError, usize)>)
        ensures
            final(self).zeroed(*old(self), max as int, r),
    {
        self.zero(max)
    }
}

} // verus!
impl VmWriter<'_, Infallible> {
    /// Fills what is left with copies of a value. Answers with how many.
    ///
    /// # Panics
    /// If the cursor is not aligned for the type, or copies don't fill what is left. [`try_fill`](VmWriter::try_fill) answers with
    /// an error instead.
    pub fn fill<T: Pod>(&mut self, value: T) -> usize {
        match self.try_fill(value) {
            Ok(count) => count,
            Err(e) => panic!("fill: {e}"),
        }
    }
}
