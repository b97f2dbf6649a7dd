//! Values, read and written as their bytes.

use super::error::IoError;
use super::fallible::Fallibility;
use super::reader::VmReader;
use super::writer::VmWriter;
#[cfg(verus_only)]
use crate::hw::user::bytes_of;
use crate::hw::user::{Pod, load_kernel, load_user, store_kernel, store_user};
use vstd::prelude::*;

verus! {

impl<'a, F: Fallibility> VmReader<'a, F> {
    /// Reads a value.
    ///
    /// # Errors
    /// [`IoError::TooShort`] if it is longer than what is left; [`IoError::PageFault`] with the first of its bytes that can't be
    /// read. The cursor is where it was.
    #[inline]
    pub fn read_val<T: Pod>(&mut self) -> (r: Result<T, IoError>)
        ensures
            match r {
                Ok(value) => final(self).took(*old(self), bytes_of(value), false),
                Err(e) => final(self).kept(*old(self), vstd::layout::size_of::<T>() as int, e),
            },
    {
        let len = size_of::<T>();
        let left = self.remain();
        if left < len {
            return Err(IoError::TooShort { needed: len, left });
        }
        proof {
            use_type_invariant(&*self);
            self.lemma_rest(len as int);
        }
        let (how, cursor) = (self.how, self.cursor);
        let value = match how.user() {
            None => load_kernel::<T>(cursor, Tracked(self.source.borrow_mut())),
            Some(user) => match load_user::<T, F::User>(
                user,
                cursor.addr(),
                Tracked(self.source.borrow_mut()),
            ) {
                Ok(value) => value,
                Err(done) => return Err(IoError::PageFault { addr: cursor.addr() + done }),
            },
        };
        self.advance(len);
        Ok(value)
    }
}

impl<'a, F: Fallibility> VmWriter<'a, F> {
    /// Writes a value.
    ///
    /// # Errors
    /// [`IoError::TooShort`] if it is longer than what is left; [`IoError::PageFault`] with the first of its bytes that can't be
    /// written, where those before it may have been. The cursor is where it was.
    #[inline]
    pub fn write_val<T: Pod>(&mut self, value: &T) -> (r: Result<(), IoError>)
        ensures
            match r {
                Ok(()) => final(self).put(*old(self), bytes_of(*value), false),
                Err(e) => final(self).kept(*old(self), bytes_of(*value), e),
            },
    {
        let len = size_of::<T>();
        let left = self.avail();
        if left < len {
            return Err(IoError::TooShort { needed: len, left });
        }
        proof {
            use_type_invariant(&*self);
        }
        let (how, cursor) = (self.how, self.cursor);
        match how.user() {
            None => store_kernel::<T>(cursor, value, Tracked(self.sink.borrow_mut())),
            Some(user) => {
                let done = store_user::<T, F::User>(
                    user,
                    cursor.addr(),
                    value,
                    Tracked(self.sink.borrow_mut()),
                );
                if done < len {
                    return Err(IoError::PageFault { addr: cursor.addr() + done });
                }
                proof {
                    assert(bytes_of(*value).take(done as int) =~= bytes_of(*value));
                }
            },
        }
        self.advance(len);
        Ok(())
    }
}

} // verus!
