//! Memory to write.

use super::error::IoError;
use super::fallible::{Fallibility, Fallible, Infallible};
#[cfg(verus_only)]
use crate::hw::user::is_lower;
use crate::hw::user::{Sink, UserMemory, end_sink, lend, trust_writable, write_slice};
use vstd::prelude::*;

#[cfg(verus_only)]
pub(super) mod proof;
#[cfg(verus_only)]
mod spec;

verus! {

/// Memory to write: a range, from a cursor on, which advances as it is written.
///
/// It takes two words, and one more if it is [`Fallible`].
pub struct VmWriter<'a, F: Fallibility> {
    pub(super) cursor: *mut u8,
    pub(super) end: usize,
    pub(super) how: F,
    pub(super) sink: Tracked<Sink<'a>>,
}

impl<'a, F: Fallibility> VmWriter<'a, F> {
    #[verifier::type_invariant]
    pub(super) open spec fn inv(self) -> bool {
        Self::fits(self.cursor, self.end, self.how, self.sink@)
    }

    /// Whether the memory from `cursor` to `end` can be written.
    pub(super) open spec fn fits(cursor: *mut u8, end: usize, how: F, sink: Sink<'a>) -> bool {
        let left = end - cursor@.addr;
        &&& left >= 0
        &&& how.is_user() == sink.is_user()
        &&& if sink.is_user() {
            &&& is_lower(cursor@.addr as int, left)
            &&& sink.bytes() is None
            &&& sink.root() is Some
        } else {
            sink.extent().has(cursor, left) && sink.wf() && sink.root() is None
        }
    }

    /// A writer of the memory from `cursor` to `end`.
    #[inline(always)]
    pub(super) fn make(cursor: *mut u8, end: usize, how: F, Tracked(sink): Tracked<Sink<'a>>) -> (r:
        Self)
        requires
            Self::fits(cursor, end, how, sink),
        ensures
            r.cursor == cursor,
            r.end == end,
            r.how == how,
            r.sink@ == sink,
        no_unwind
    {
        VmWriter { cursor, end, how, sink: Tracked(sink) }
    }

    /// How many bytes are left.
    #[inline(always)]
    #[must_use]
    pub fn avail(&self) -> (r: usize)
        ensures
            r == self.end() - self.at(),
        no_unwind
    {
        proof {
            use_type_invariant(self);
        }
        self.end - self.cursor.addr()
    }

    /// Whether any are.
    #[inline(always)]
    #[must_use]
    pub fn has_avail(&self) -> (r: bool)
        ensures
            r == (self.at() < self.end()),
        no_unwind
    {
        self.avail() > 0
    }

    /// Where the next byte goes. In user memory it is an address only: nothing can be written by this pointer.
    #[inline(always)]
    #[must_use]
    pub fn cursor(&self) -> (r: *mut u8)
        ensures
            r@.addr == self.at(),
        no_unwind
    {
        self.cursor
    }

    /// Leaves no more than the first `max` bytes of what is left.
    #[inline]
    pub fn limit(&mut self, max: usize) -> (r: &mut Self)
        ensures
            r.limited(*old(self), max as int),
            *final(r) == *final(self),
    {
        proof {
            use_type_invariant(&*self);
        }
        if max < self.avail() {
            self.end = self.cursor.addr() + max;
        }
        self
    }

    /// Goes on `bytes` bytes without writing them.
    ///
    /// # Errors
    /// [`IoError::TooShort`] if fewer are left; the cursor is where it was.
    #[inline]
    pub fn try_skip(&mut self, bytes: usize) -> (r: Result<(), IoError>)
        ensures
            match r {
                Ok(()) => final(self).skipped(*old(self), bytes as int),
                Err(e) => {
                    &&& *final(self) == *old(self)
                    &&& old(self).is_short(bytes as int, e)
                },
            },
    {
        let left = self.avail();
        if bytes > left {
            return Err(IoError::TooShort { needed: bytes, left });
        }
        self.advance(bytes);
        Ok(())
    }

    /// The cursor goes on.
    #[inline(always)]
    pub(super) fn advance(&mut self, bytes: usize)
        requires
            bytes <= old(self).end() - old(self).at(),
        ensures
            final(self).skipped(*old(self), bytes as int),
            final(self).sink == old(self).sink,
            final(self).how == old(self).how,
        no_unwind
    {
        proof {
            use_type_invariant(&*self);
        }
        self.cursor = self.cursor.with_addr(self.cursor.addr() + bytes);
    }

    /// A writer of the same memory, for as long as this one is lent to it. What it has written this one has; its cursor is its own.
    #[inline]
    #[must_use]
    pub fn clone_exclusive(&mut self) -> (r: VmWriter<'_, F>)
        ensures
            r.at() == old(self).at(),
            r.end() == old(self).end(),
            r.start() == old(self).start(),
            r.root() == old(self).root(),
            r.slice() == old(self).slice(),
            final(self).at() == old(self).at(),
            final(self).end() == old(self).end(),
            final(self).start() == old(self).start(),
            final(self).root() == old(self).root(),
            final(self).slice() == r.final_slice(),
            final(self).final_slice() == old(self).final_slice(),
    {
        proof {
            use_type_invariant(&*self);
        }
        let (cursor, end, how) = (self.cursor, self.end, self.how);
        let sink = lend(&mut self.sink);
        VmWriter::make(cursor, end, how, sink)
    }

    /// Ends the writer. A slice holds what was written to it.
    #[inline(always)]
    pub fn finish(self)
        ensures
            self.slice() == self.final_slice(),
    {
        end_sink(self.sink);
    }
}

impl<'a> VmWriter<'a, Infallible> {
    /// The bytes of a slice.
    #[inline(always)]
    #[must_use]
    pub fn from_slice(slice: &'a mut [u8]) -> (r: Self)
        ensures
            r.at() == r.start(),
            r.end() == r.start() + old(slice)@.len(),
            r.slice() == Some(old(slice)@),
            r.final_slice() == Some(final(slice)@),
            r.root() is None,
            r.stores().len() == 0,
    {
        let len = slice.len();
        let (cursor, sink) = write_slice(slice);
        Self::make(cursor, cursor.addr() + len, Infallible, sink)
    }

    /// The kernel's own memory from `ptr` on. Others may change it meanwhile.
    ///
    /// # Safety
    /// For the lifetime `'a`, `ptr` is valid for reads and writes of `len` bytes, which are initialized, and nobody else reads or
    /// writes them, but by a [`VmReader`](super::VmReader) or a `VmWriter`, or who isn't this program: user programs, devices.
    #[inline(always)]
    #[must_use]
    pub unsafe fn from_kernel_space(ptr: *mut u8, len: usize) -> (r: Self)
        ensures
            r.at() == ptr@.addr,
            r.end() == ptr@.addr + len,
            r.slice() is None,
            r.root() is None,
            r.stores().len() == 0,
    {
        let sink = trust_writable(ptr, len);
        Self::make(ptr, ptr.addr() + len, Infallible, sink)
    }

    /// The same memory, for functions that write to user memory, too.
    #[inline(always)]
    #[must_use]
    pub fn to_fallible<'u, U: UserMemory>(self) -> (r: VmWriter<'a, Fallible<'u, U>>)
        ensures
            r.at() == self.at(),
            r.end() == self.end(),
            r.start() == self.start(),
            r.root() == self.root(),
            r.slice() == self.slice(),
            r.final_slice() == self.final_slice(),
            r.stores() == self.stores(),
    {
        proof {
            use_type_invariant(&self);
        }
        VmWriter::make(self.cursor, self.end, Fallible::of_kernel(), self.sink)
    }
}

} // verus!
impl<F: Fallibility> VmWriter<'_, F> {
    /// Goes on `bytes` bytes without writing them.
    ///
    /// # Panics
    /// If fewer are left. [`try_skip`](VmWriter::try_skip) answers with an error instead.
    #[inline]
    pub fn skip(&mut self, bytes: usize) -> &mut Self {
        if let Err(e) = self.try_skip(bytes) {
            panic!("skip: {e}");
        }
        self
    }
}

impl<'a> From<&'a mut [u8]> for VmWriter<'a, Infallible> {
    fn from(slice: &'a mut [u8]) -> Self {
        Self::from_slice(slice)
    }
}

impl<F: Fallibility> core::fmt::Debug for VmWriter<'_, F> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "VmWriter({:#x}..{:#x})", self.cursor.addr(), self.end)
    }
}
