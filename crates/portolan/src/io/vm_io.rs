//! Objects that can be read and written as bytes, at offsets.

use super::error::IoError;
use super::fallible::Fallibility;
use super::reader::VmReader;
use super::writer::VmWriter;
use crate::hw::user::{Pod, PodOnce, bytes_mut, bytes_ref, slice_bytes, slice_bytes_mut, zero};
#[cfg(feature = "alloc")]
use alloc::{boxed::Box, sync::Arc};
use vstd::prelude::*;

verus! {

/// An object that can be read and written as bytes: a frame, a segment, frames one after the other.
///
/// Others may read and write it at the same time. Whoever needs more than single bytes to fit together keeps them from it, or uses
/// [`VmIoOnce`].
pub trait VmIo {
    /// Reads as many bytes from `offset` on as are left of the writer.
    ///
    /// # Errors
    /// [`IoError::OutOfRange`] if these are not all in the object: nothing was read; [`IoError::PageFault`] with the first byte
    /// that can't be written, and how many were before, by which the writer has advanced.
    fn read<W: Fallibility>(&self, offset: usize, writer: &mut VmWriter<'_, W>) -> Result<
        (),
        (IoError, usize),
    >;

    /// Writes all that is left of the reader from `offset` on.
    ///
    /// # Errors
    /// [`IoError::OutOfRange`] if there is no room for it in the object: nothing was written; [`IoError::PageFault`] with the first
    /// byte that can't be read, and how many were before, by which the reader has advanced.
    fn write<R: Fallibility>(&self, offset: usize, reader: &mut VmReader<'_, R>) -> Result<
        (),
        (IoError, usize),
    >;

    /// Reads bytes from `offset` on.
    ///
    /// # Errors
    /// [`IoError::OutOfRange`].
    fn read_bytes(&self, offset: usize, bytes: &mut [u8]) -> Result<(), IoError> {
        let mut writer = VmWriter::from_slice(bytes);
        match self.read(offset, &mut writer) {
            Ok(()) => Ok(()),
            Err((e, _)) => Err(e),
        }
    }

    /// Writes bytes from `offset` on.
    ///
    /// # Errors
    /// [`IoError::OutOfRange`]: nothing was written.
    fn write_bytes(&self, offset: usize, bytes: &[u8]) -> Result<(), IoError> {
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
    fn read_val<T: Pod>(&self, offset: usize) -> Result<T, IoError> {
        let mut value = zero::<T>();
        self.read_bytes(offset, bytes_mut(&mut value))?;
        Ok(value)
    }

    /// Writes a value at `offset`.
    ///
    /// # Errors
    /// [`IoError::OutOfRange`]: nothing was written.
    fn write_val<T: Pod>(&self, offset: usize, value: &T) -> Result<(), IoError> {
        self.write_bytes(offset, bytes_ref(value))
    }

    /// Reads values that follow each other, from `offset` on.
    ///
    /// # Errors
    /// [`IoError::OutOfRange`]: nothing was read.
    fn read_slice<T: Pod>(&self, offset: usize, values: &mut [T]) -> Result<(), IoError> {
        self.read_bytes(offset, slice_bytes_mut(values))
    }

    /// Writes values that follow each other, from `offset` on.
    ///
    /// # Errors
    /// [`IoError::OutOfRange`]: nothing was written.
    fn write_slice<T: Pod>(&self, offset: usize, values: &[T]) -> Result<(), IoError> {
        self.write_bytes(offset, slice_bytes(values))
    }

    /// Writes values, from the first multiple of `align` that is not below `offset` on, each at the first one after the last.
    /// `align` is a power of two; 0 stands for 1, one value right after the other. Answers with how many were written.
    ///
    /// It ends where there is no room for a value, if that is not the first one.
    ///
    /// # Errors
    /// [`IoError::OutOfRange`] if there is no room for the first value; [`IoError::NotPowerOfTwo`].
    #[verifier::exec_allows_no_decreases_clause]
    fn write_vals<'v, T: Pod + 'v, I: Iterator<Item = &'v T>>(
        &self,
        offset: usize,
        values: I,
        align: usize,
    ) -> Result<usize, IoError> {
        let mut values = values;
        let align = if align == 0 {
            1
        } else {
            align
        };
        if !is_power_of_two(align) {
            return Err(IoError::NotPowerOfTwo { align });
        }
        let (mut at, mut done) = (offset, 0usize);
        loop {
            let Some(value) = values.next() else {
                return Ok(done);
            };
            let size = size_of::<T>();
            let refused = match aligned_up(at, align) {
                Some(place) => match self.write_val(place, value) {
                    Ok(()) => {
                        done += 1;
                        match place.checked_add(size) {
                            Some(next) => {
                                at = next;
                            },
                            None => return Ok(done),
                        }
                        None
                    },
                    Err(e) => Some(e),
                },
                None => Some(IoError::OutOfRange { offset: at, len: size, size: usize::MAX }),
            };
            if let Some(e) = refused {
                return if done == 0 {
                    Err(e)
                } else {
                    Ok(done)
                };
            }
        }
    }
}

/// Whether there is one bit.
fn is_power_of_two(n: usize) -> bool {
    n != 0 && n & (n - 1) == 0
}

/// The next multiple of a power of two.
fn aligned_up(n: usize, align: usize) -> Option<usize>
    requires
        align > 0,
{
    let over = n % align;
    if over == 0 {
        Some(n)
    } else {
        n.checked_add(align - over)
    }
}

/// An object of which single values can be read and written by one load or store, which is never torn.
pub trait VmIoOnce {
    /// Reads a value at `offset`, as [`VmReader::read_once`] does.
    ///
    /// # Errors
    /// [`IoError::OutOfRange`], [`IoError::NotAligned`].
    fn read_once<T: PodOnce>(&self, offset: usize) -> Result<T, IoError>;

    /// Writes a value at `offset`, as [`VmWriter::write_once`] does.
    ///
    /// # Errors
    /// [`IoError::OutOfRange`], [`IoError::NotAligned`].
    fn write_once<T: PodOnce>(&self, offset: usize, value: T) -> Result<(), IoError>;
}

/// An object that can be filled.
pub trait VmIoFill {
    /// Sets `len` bytes from `offset` on to 0.
    ///
    /// # Errors
    /// [`IoError::OutOfRange`]: nothing was written.
    fn fill_zeros(&self, offset: usize, len: usize) -> Result<(), (IoError, usize)>;
}

} // verus!

macro_rules! forward {
    ($([$($of:tt)*] $pointer:ty),+) => {$(
        impl<$($of)* T: VmIo + ?Sized> VmIo for $pointer {
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

        impl<$($of)* T: VmIoOnce + ?Sized> VmIoOnce for $pointer {
            fn read_once<V: PodOnce>(&self, offset: usize) -> Result<V, IoError> {
                (**self).read_once(offset)
            }
            fn write_once<V: PodOnce>(&self, offset: usize, value: V) -> Result<(), IoError> {
                (**self).write_once(offset, value)
            }
        }

        impl<$($of)* T: VmIoFill + ?Sized> VmIoFill for $pointer {
            fn fill_zeros(&self, offset: usize, len: usize) -> Result<(), (IoError, usize)> {
                (**self).fill_zeros(offset, len)
            }
        }
    )+};
}

forward!([] &T, [] &mut T);
#[cfg(feature = "alloc")]
forward!([] Box<T>, [] Arc<T>);
