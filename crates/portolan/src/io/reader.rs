//! Memory to read.

use super::error::IoError;
use super::fallible::{Fallibility, Fallible, Infallible};
#[cfg(verus_only)]
use crate::hw::user::is_lower;
use crate::hw::user::{Source, UserMemory, read_slice, trust_readable};
use vstd::prelude::*;

#[cfg(verus_only)]
pub(super) mod proof;
#[cfg(verus_only)]
mod spec;

verus! {

/// Memory to read: a range, from a cursor on, which advances as it is read.
///
/// It takes two words, and one more if it is [`Fallible`].
pub struct VmReader<'a, F: Fallibility> {
    pub(super) cursor: *mut u8,
    pub(super) end: usize,
    pub(super) how: F,
    pub(super) source: Tracked<Source<'a>>,
}

impl<'a, F: Fallibility> VmReader<'a, F> {
    #[verifier::type_invariant]
    pub(super) open spec fn inv(self) -> bool {
        Self::fits(self.cursor, self.end, self.how, self.source@)
    }

    /// Whether the memory from `cursor` to `end` can be read.
    pub(super) open spec fn fits(cursor: *mut u8, end: usize, how: F, source: Source<'a>) -> bool {
        let left = end - cursor@.addr;
        &&& left >= 0
        &&& how.is_user() == source.is_user()
        &&& if source.is_user() {
            &&& is_lower(cursor@.addr as int, left)
            &&& source.bytes() is None
            &&& source.root() is Some
        } else {
            source.extent().has(cursor, left) && source.wf() && source.root() is None
        }
    }

    /// A reader of the memory from `cursor` to `end`.
    #[inline(always)]
    pub(super) fn make(
        cursor: *mut u8,
        end: usize,
        how: F,
        Tracked(source): Tracked<Source<'a>>,
    ) -> (r: Self)
        requires
            Self::fits(cursor, end, how, source),
        ensures
            r.cursor == cursor,
            r.end == end,
            r.how == how,
            r.source@ == source,
        no_unwind
    {
        VmReader { cursor, end, how, source: Tracked(source) }
    }

    /// How many bytes are left.
    #[inline(always)]
    #[must_use]
    pub fn remain(&self) -> (r: usize)
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
    pub fn has_remain(&self) -> (r: bool)
        ensures
            r == (self.at() < self.end()),
        no_unwind
    {
        self.remain() > 0
    }

    /// Where the next byte is. In user memory it is an address only: nothing can be read by this pointer.
    #[inline(always)]
    #[must_use]
    pub fn cursor(&self) -> (r: *const u8)
        ensures
            r@.addr == self.at(),
        no_unwind
    {
        self.cursor as *const u8
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
            self.lemma_rest(self.end() - self.at());
        }
        if max < self.remain() {
            proof {
                self.lemma_rest(max as int);
            }
            self.end = self.cursor.addr() + max;
        }
        self
    }

    /// Goes on `bytes` bytes without reading them.
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
        let left = self.remain();
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
            final(self).source == old(self).source,
            final(self).how == old(self).how,
        no_unwind
    {
        proof {
            use_type_invariant(&*self);
            self.lemma_rest(bytes as int);
        }
        self.cursor = self.cursor.with_addr(self.cursor.addr() + bytes);
    }
}

impl<'a> VmReader<'a, Infallible> {
    /// The bytes of a slice.
    #[inline(always)]
    #[must_use]
    pub fn from_slice(slice: &'a [u8]) -> (r: Self)
        ensures
            r.rest() == Some(slice@),
            r.end() - r.at() == slice@.len(),
            r.root() is None,
            r.loads().len() == 0,
    {
        let (cursor, source) = read_slice(slice);
        let r = Self::make(cursor, cursor.addr() + slice.len(), Infallible, source);
        proof {
            assert(slice@.subrange(0, slice@.len() as int) =~= slice@);
        }
        r
    }

    /// The kernel's own memory from `ptr` on. It may change while it is read.
    ///
    /// # Safety
    /// For the lifetime `'a`, `ptr` is valid for reads of `len` bytes, which are initialized, and either nobody writes to them, or
    /// only by a [`VmWriter`](super::VmWriter), or who isn't this program: user programs, devices.
    #[inline(always)]
    #[must_use]
    pub unsafe fn from_kernel_space(ptr: *const u8, len: usize) -> (r: Self)
        ensures
            r.at() == ptr@.addr,
            r.end() == ptr@.addr + len,
            r.rest() is None,
            r.root() is None,
            r.loads().len() == 0,
    {
        let cursor = ptr as *mut u8;
        let source = trust_readable(cursor, len);
        Self::make(cursor, cursor.addr() + len, Infallible, source)
    }

    /// The same memory, for functions that read user memory, too.
    #[inline(always)]
    #[must_use]
    pub fn to_fallible<'u, U: UserMemory>(self) -> (r: VmReader<'a, Fallible<'u, U>>)
        ensures
            r.at() == self.at(),
            r.end() == self.end(),
            r.rest() == self.rest(),
            r.root() == self.root(),
            r.loads() == self.loads(),
    {
        proof {
            use_type_invariant(&self);
        }
        VmReader::make(self.cursor, self.end, Fallible::of_kernel(), self.source)
    }
}

impl<F: Fallibility> Clone for VmReader<'_, F> {
    /// Another reader of the same memory, with a cursor of its own.
    #[inline]
    fn clone(&self) -> (r: Self)
        ensures
            r == *self,
    {
        proof {
            use_type_invariant(self);
        }
        let tracked source = self.source.borrow().share();
        Self::make(self.cursor, self.end, self.how, Tracked(source))
    }
}

} // verus!
impl<F: Fallibility> VmReader<'_, F> {
    /// Goes on `bytes` bytes without reading them.
    ///
    /// # Panics
    /// If fewer are left. [`try_skip`](VmReader::try_skip) answers with an error instead.
    #[inline]
    pub fn skip(&mut self, bytes: usize) -> &mut Self {
        if let Err(e) = self.try_skip(bytes) {
            panic!("skip: {e}");
        }
        self
    }
}

impl<'a> From<&'a [u8]> for VmReader<'a, Infallible> {
    fn from(slice: &'a [u8]) -> Self {
        Self::from_slice(slice)
    }
}

impl<F: Fallibility> core::fmt::Debug for VmReader<'_, F> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "VmReader({:#x}..{:#x})", self.cursor.addr(), self.end)
    }
}
