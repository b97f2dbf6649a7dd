//! Objects that can be read and written as bytes, at offsets.

use super::error::IoError;
use super::fallible::Fallibility;
use super::reader::VmReader;
#[cfg(verus_only)]
use super::transfer::least;
use super::writer::VmWriter;
use crate::hw::user::{Pod, PodOnce, bytes_mut, bytes_ref, slice_bytes, slice_bytes_mut, zero};
#[cfg(feature = "alloc")]
use alloc::{boxed::Box, sync::Arc};
use vstd::prelude::*;

verus! {

/// Whether `e` says rightly that `len` bytes from `offset` on are not all in an object of `size`.
pub open spec fn is_outside(size: int, offset: int, len: int, e: IoError) -> bool {
    &&& offset + len > least(size, usize::MAX as int)
    &&& e matches IoError::OutOfRange { offset: o, len: n, size: s } && o == offset && n == len && s
        == least(size, usize::MAX as int)
}

/// Whether `r` says rightly whether `len` bytes from `offset` on are all in an object of `size`.
pub open spec fn answers(size: int, offset: int, len: int, r: Result<(), IoError>) -> bool {
    match r {
        Ok(()) => offset + len <= size,
        Err(e) => is_outside(size, offset, len, e),
    }
}

/// Whether `r` says rightly whether one load or store of a `T` can be at `offset` of an object of `size` bytes.
pub open spec fn answers_once<T>(size: int, offset: int, r: Result<(), IoError>) -> bool {
    let len = vstd::layout::size_of::<T>() as int;
    match r {
        Ok(()) => offset + len <= size,
        Err(e) => is_outside(size, offset, len, e) || e is NotAligned && offset + len <= size,
    }
}

/// What a read of an object of `size` bytes has done to a writer, which was `to`.
#[verifier::prophetic]
pub open spec fn was_read<W: Fallibility>(
    size: int,
    offset: int,
    to: VmWriter<'_, W>,
    writer: VmWriter<'_, W>,
    r: Result<(), (IoError, usize)>,
) -> bool {
    let all = to.end() - to.at();
    match r {
        Ok(()) => offset + all <= size && exists|bytes: Seq<u8>|
            bytes.len() == all && #[trigger] writer.got(to, bytes),
        Err((e, n)) => {
            ||| n == 0 && writer == to && is_outside(size, offset, all, e)
            ||| {
                &&& offset + all <= size && n < all && to.root() is Some
                &&& e matches IoError::PageFault { addr } && addr == to.at() + n
                &&& exists|bytes: Seq<u8>| bytes.len() == n && #[trigger] writer.got(to, bytes)
            }
        },
    }
}

/// What a write to an object of `size` bytes has done to a reader, which was `from`.
pub open spec fn was_written<R: Fallibility>(
    size: int,
    offset: int,
    from: VmReader<'_, R>,
    reader: VmReader<'_, R>,
    r: Result<(), (IoError, usize)>,
) -> bool {
    let all = from.end() - from.at();
    match r {
        Ok(()) => offset + all <= size && exists|bytes: Seq<u8>|
            bytes.len() == all && #[trigger] reader.gave(from, bytes),
        Err((e, n)) => {
            ||| n == 0 && reader == from && is_outside(size, offset, all, e)
            ||| {
                &&& offset + all <= size && n < all && from.root() is Some
                &&& e matches IoError::PageFault { addr } && addr == from.at() + n
                &&& exists|bytes: Seq<u8>| bytes.len() == n && #[trigger] reader.gave(from, bytes)
            }
        },
    }
}

/// An object that can be read and written as bytes: a frame, a segment, frames one after the other.
///
/// Others may read and write it at the same time. Whoever needs more than single bytes to fit together keeps them from it, or uses
/// [`VmIoOnce`].
pub trait VmIo {
    /// How many bytes it has.
    spec fn len_bytes(&self) -> int;

    /// Reads as many bytes from `offset` on as are left of the writer.
    ///
    /// # Errors
    /// [`IoError::OutOfRange`] if these are not all in the object: nothing was read; [`IoError::PageFault`] with the first byte
    /// that can't be written, and how many were before, by which the writer has advanced.
    fn read<W: Fallibility>(&self, offset: usize, writer: &mut VmWriter<'_, W>) -> (r: Result<
        (),
        (IoError, usize),
    >)
        ensures
            was_read(self.len_bytes(), offset as int, *old(writer), *final(writer), r),
    ;

    /// Writes all that is left of the reader from `offset` on.
    ///
    /// # Errors
    /// [`IoError::OutOfRange`] if there is no room for it in the object: nothing was written; [`IoError::PageFault`] with the first
    /// byte that can't be read, and how many were before, by which the reader has advanced.
    fn write<R: Fallibility>(&self, offset: usize, reader: &mut VmReader<'_, R>) -> (r: Result<
        (),
        (IoError, usize),
    >)
        ensures
            was_written(self.len_bytes(), offset as int, *old(reader), *final(reader), r),
    ;

    /// Reads bytes from `offset` on.
    ///
    /// # Errors
    /// [`IoError::OutOfRange`].
    fn read_bytes(&self, offset: usize, bytes: &mut [u8]) -> (r: Result<(), IoError>)
        ensures
            answers(self.len_bytes(), offset as int, old(bytes)@.len() as int, r),
            r is Err ==> final(bytes)@ == old(bytes)@,
    {
        let mut writer = VmWriter::from_slice(bytes);
        let r = match self.read(offset, &mut writer) {
            Ok(()) => Ok(()),
            Err((e, _)) => Err(e),
        };
        writer.finish();
        r
    }

    /// Writes bytes from `offset` on.
    ///
    /// # Errors
    /// [`IoError::OutOfRange`]: nothing was written.
    fn write_bytes(&self, offset: usize, bytes: &[u8]) -> (r: Result<(), IoError>)
        ensures
            answers(self.len_bytes(), offset as int, bytes@.len() as int, r),
    {
        let mut reader = VmReader::from_slice(bytes);
        match self.write(offset, &mut reader) {
            Ok(()) => Ok(()),
            Err((e, _)) => Err(e),
        }
    }

    /// Reads a value at `offset`.
    ///
    /// # Errors
    /// [`IoError::OutOfRange`].
    fn read_val<T: Pod>(&self, offset: usize) -> (r: Result<T, IoError>)
        ensures
            answers(
                self.len_bytes(),
                offset as int,
                vstd::layout::size_of::<T>() as int,
                match r {
                    Ok(_) => Ok(()),
                    Err(e) => Err(e),
                },
            ),
    {
        let mut value = zero::<T>();
        self.read_bytes(offset, bytes_mut(&mut value))?;
        Ok(value)
    }

    /// Writes a value at `offset`.
    ///
    /// # Errors
    /// [`IoError::OutOfRange`]: nothing was written.
    fn write_val<T: Pod>(&self, offset: usize, value: &T) -> (r: Result<(), IoError>)
        ensures
            answers(self.len_bytes(), offset as int, vstd::layout::size_of::<T>() as int, r),
    {
        self.write_bytes(offset, bytes_ref(value))
    }

    /// Reads values that follow each other, from `offset` on.
    ///
    /// # Errors
    /// [`IoError::OutOfRange`]: nothing was read.
    fn read_slice<T: Pod>(&self, offset: usize, values: &mut [T]) -> (r: Result<(), IoError>)
        ensures
            answers(
                self.len_bytes(),
                offset as int,
                (old(values)@.len() * vstd::layout::size_of::<T>()) as int,
                r,
            ),
    {
        self.read_bytes(offset, slice_bytes_mut(values))
    }

    /// Writes values that follow each other, from `offset` on.
    ///
    /// # Errors
    /// [`IoError::OutOfRange`]: nothing was written.
    fn write_slice<T: Pod>(&self, offset: usize, values: &[T]) -> (r: Result<(), IoError>)
        ensures
            answers(
                self.len_bytes(),
                offset as int,
                (values@.len() * vstd::layout::size_of::<T>()) as int,
                r,
            ),
    {
        self.write_bytes(offset, slice_bytes(values))
    }

    /// Writes values, from the first multiple of `align` that is not below `offset` on, each at the first one after the last.
    /// `align` is a power of two; 0 stands for 1, one value right after the other. Answers with how many were written.
    ///
    /// It ends when the iterator does, or where there is no room for a value, if that is not the first one.
    ///
    /// Exercised by `io_frames::values_are_written_one_after_the_other`.
    ///
    /// # Errors
    /// [`IoError::OutOfRange`] if there is no room for the first value; [`IoError::NotPowerOfTwo`].
    #[verifier::exec_allows_no_decreases_clause]
    #[expect(clippy::while_let_on_iterator, reason = "the prover has `for` for its own iterators only")]
    fn write_vals<'v, T: Pod + 'v, I: Iterator<Item = &'v T>>(
        &self,
        offset: usize,
        values: I,
        align: usize,
    ) -> (r: Result<usize, IoError>)
        ensures
            match r {
                Ok(n) => n > 0 ==> place::<T>(offset as int, align as int, n as int)
                    <= self.len_bytes(),
                Err(IoError::NotPowerOfTwo { align: a }) => a == align,
                Err(e) => e is OutOfRange && next_multiple(offset as int, align as int)
                    + vstd::layout::size_of::<T>() > least(self.len_bytes(), usize::MAX as int),
            },
    {
        let mut values = values;
        if align != 0 && !is_power_of_two(align) {
            return Err(IoError::NotPowerOfTwo { align });
        }
        let size = size_of::<T>();
        let (mut at, mut done) = (offset, 0usize);
        while let Some(value) = values.next()
            invariant
                size == vstd::layout::size_of::<T>(),
                at == place::<T>(offset as int, align as int, done as int),
                done > 0 ==> at <= self.len_bytes(),
        {
            let written = match aligned_up(at, align) {
                Some(place) if size <= usize::MAX - place => match self.write_val(place, value) {
                    Ok(()) => Ok(place + size),
                    Err(e) => Err(e),
                },
                _ => Err(IoError::OutOfRange { offset: at, len: size, size: usize::MAX }),
            };
            match written {
                Ok(next) if done < usize::MAX => {
                    at = next;
                    done += 1;
                },
                Err(e) if done == 0 => return Err(e),
                _ => return Ok(done),
            }
        }
        Ok(done)
    }
}

/// The next multiple of `align`, or `n` itself; 0 stands for 1.
pub open spec fn next_multiple(n: int, align: int) -> int {
    if align <= 1 || n % align == 0 {
        n
    } else {
        n + (align - n % align)
    }
}

/// Where `n` values of type `T` end, the first of which is aligned after `offset`, and each after the one before.
pub open spec fn place<T>(offset: int, align: int, n: int) -> int
    decreases n,
{
    if n <= 0 {
        offset
    } else {
        next_multiple(place::<T>(offset, align, n - 1), align) + vstd::layout::size_of::<T>()
    }
}

/// Whether there is one bit.
fn is_power_of_two(n: usize) -> bool {
    n != 0 && n & (n - 1) == 0
}

/// The next multiple of `align`, or `n` itself, if it is a number.
fn aligned_up(n: usize, align: usize) -> (r: Option<usize>)
    ensures
        match r {
            Some(r) => r == next_multiple(n as int, align as int),
            None => next_multiple(n as int, align as int) > usize::MAX,
        },
{
    let over = if align <= 1 {
        0
    } else {
        n % align
    };
    if over == 0 {
        return Some(n);
    }
    let more = align - over;
    if more <= usize::MAX - n {
        Some(n + more)
    } else {
        None
    }
}

/// An object of which single values can be read and written by one load or store, which is never torn.
pub trait VmIoOnce: VmIo {
    /// Reads a value at `offset`, as [`VmReader::read_once`] does.
    ///
    /// # Errors
    /// [`IoError::OutOfRange`], [`IoError::NotAligned`].
    fn read_once<T: PodOnce>(&self, offset: usize) -> (r: Result<T, IoError>)
        ensures
            answers_once::<T>(
                self.len_bytes(),
                offset as int,
                match r {
                    Ok(_) => Ok(()),
                    Err(e) => Err(e),
                },
            ),
    ;

    /// Writes a value at `offset`, as [`VmWriter::write_once`] does.
    ///
    /// # Errors
    /// [`IoError::OutOfRange`], [`IoError::NotAligned`].
    fn write_once<T: PodOnce>(&self, offset: usize, value: T) -> (r: Result<(), IoError>)
        ensures
            answers_once::<T>(self.len_bytes(), offset as int, r),
    ;
}

/// An object that can be filled.
pub trait VmIoFill: VmIo {
    /// Sets `len` bytes from `offset` on to 0.
    ///
    /// # Errors
    /// [`IoError::OutOfRange`]: nothing was written.
    fn fill_zeros(&self, offset: usize, len: usize) -> (r: Result<(), (IoError, usize)>)
        ensures
            match r {
                Ok(()) => offset + len <= self.len_bytes(),
                Err((e, n)) => n == 0 && is_outside(self.len_bytes(), offset as int, len as int, e),
            },
    ;
}

} // verus!

macro_rules! forward {
    ($($pointer:ty),+) => {$(
        verus! {

        impl<P: VmIo> VmIo for $pointer {
            open spec fn len_bytes(&self) -> int {
                (**self).len_bytes()
            }

            fn read<W: Fallibility>(
                &self,
                offset: usize,
                writer: &mut VmWriter<'_, W>,
            ) -> Result<(), (IoError, usize)> {
                (**self).read(offset, writer)
            }

            fn write<R: Fallibility>(
                &self,
                offset: usize,
                reader: &mut VmReader<'_, R>,
            ) -> Result<(), (IoError, usize)> {
                (**self).write(offset, reader)
            }
        }

        impl<P: VmIoOnce> VmIoOnce for $pointer {
            fn read_once<T: PodOnce>(&self, offset: usize) -> Result<T, IoError> {
                (**self).read_once(offset)
            }

            fn write_once<T: PodOnce>(&self, offset: usize, value: T) -> Result<(), IoError> {
                (**self).write_once(offset, value)
            }
        }

        impl<P: VmIoFill> VmIoFill for $pointer {
            fn fill_zeros(&self, offset: usize, len: usize) -> Result<(), (IoError, usize)> {
                (**self).fill_zeros(offset, len)
            }
        }

        } // verus!
    )+};
}

forward!(&P, &mut P);
#[cfg(feature = "alloc")]
forward!(Box<P>, Arc<P>);
