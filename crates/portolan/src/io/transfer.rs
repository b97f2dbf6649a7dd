//! Copies from readers to writers.

use super::error::IoError;
use super::fallible::{Fallibility, Fallible, Infallible};
use super::reader::VmReader;
use super::writer::VmWriter;
use crate::hw::user::{CHUNK, UserMemory, copy_from_user, copy_kernel, copy_to_user, room};
use vstd::prelude::*;

verus! {

/// Reading where one side may be a user program's.
pub trait FallibleVmRead<F: Fallibility> {
    /// Copies as many bytes as are left on both sides, and answers with how many.
    ///
    /// # Errors
    /// [`IoError::PageFault`] with the first byte that can't be read or written, and how many were copied before. Both cursors
    /// have advanced by that.
    fn read_fallible(&mut self, writer: &mut VmWriter<'_, F>) -> Result<usize, (IoError, usize)>;
}

/// Writing where one side may be a user program's.
pub trait FallibleVmWrite<F: Fallibility> {
    /// Copies as many bytes as are left on both sides, and answers with how many.
    ///
    /// # Errors
    /// As for [`FallibleVmRead::read_fallible`].
    fn write_fallible(&mut self, reader: &mut VmReader<'_, F>) -> Result<usize, (IoError, usize)>;
}

impl<'a> VmReader<'a, Infallible> {
    /// Copies as many bytes as are left on both sides, and answers with how many.
    ///
    /// Where both are of the same frames, bytes that are in both ranges arrive as any bytes.
    #[inline]
    pub fn read(&mut self, writer: &mut VmWriter<'_, Infallible>) -> (r: usize)
        ensures
            r == least(old(self).end() - old(self).at(), old(writer).end() - old(writer).at()),
            exists|bytes: Seq<u8>|
                bytes.len() == r && #[trigger] final(self).took(*old(self), bytes, false)
                    && final(writer).put(*old(writer), bytes, false),
    {
        let bytes = min(self.remain(), writer.avail());
        copy(self, writer, bytes);
        bytes
    }
}

impl<'a> VmWriter<'a, Infallible> {
    /// Copies as many bytes as are left on both sides, and answers with how many, as [`VmReader::read`].
    #[inline]
    pub fn write(&mut self, reader: &mut VmReader<'_, Infallible>) -> (r: usize)
        ensures
            r == least(old(reader).end() - old(reader).at(), old(self).end() - old(self).at()),
            exists|bytes: Seq<u8>|
                bytes.len() == r && #[trigger] final(reader).took(*old(reader), bytes, false)
                    && final(self).put(*old(self), bytes, false),
    {
        reader.read(self)
    }
}

/// The smaller of two numbers.
pub open spec fn least(a: int, b: int) -> int {
    if a < b {
        a
    } else {
        b
    }
}

/// The smaller of two numbers.
#[inline(always)]
pub(super) fn min(a: usize, b: usize) -> (r: usize)
    ensures
        r == least(a as int, b as int),
    no_unwind
{
    if a < b {
        a
    } else {
        b
    }
}

/// Copies bytes of the kernel's memory.
#[inline(always)]
fn copy<A: Fallibility, B: Fallibility>(
    reader: &mut VmReader<'_, A>,
    writer: &mut VmWriter<'_, B>,
    bytes: usize,
) -> (r: Ghost<Seq<u8>>)
    requires
        !old(reader).how.is_user(),
        !old(writer).how.is_user(),
        bytes <= old(reader).end() - old(reader).at(),
        bytes <= old(writer).end() - old(writer).at(),
    ensures
        r@.len() == bytes,
        final(reader).took(*old(reader), r@, false),
        final(writer).put(*old(writer), r@, false),
{
    proof {
        use_type_invariant(&*reader);
        use_type_invariant(&*writer);
    }
    let (from, to) = (reader.cursor, writer.cursor);
    let copied = copy_kernel(
        from,
        to,
        bytes,
        Tracked(reader.source.borrow_mut()),
        Tracked(writer.sink.borrow_mut()),
    );
    reader.advance(bytes);
    writer.advance(bytes);
    copied
}

/// Copies as many bytes as are left on both sides.
#[inline]
pub(super) fn transfer<A: Fallibility, B: Fallibility>(
    reader: &mut VmReader<'_, A>,
    writer: &mut VmWriter<'_, B>,
) -> (r: Result<usize, (IoError, usize)>) {
    let bytes = min(reader.remain(), writer.avail());
    let (how, other) = (reader.how, writer.how);
    proof {
        use_type_invariant(&*reader);
        use_type_invariant(&*writer);
    }
    let (from, to) = (reader.cursor, writer.cursor);
    let done = match (how.user(), other.user()) {
        (None, None) => {
            copy(reader, writer, bytes);
            return Ok(bytes);
        },
        (Some(user), None) => copy_from_user::<A::User>(
            user,
            from.addr(),
            to,
            bytes,
            Tracked(reader.source.borrow_mut()),
            Tracked(writer.sink.borrow_mut()),
        ).0,
        (None, Some(user)) => copy_to_user::<B::User>(
            user,
            from,
            to.addr(),
            bytes,
            Tracked(reader.source.borrow_mut()),
            Tracked(writer.sink.borrow_mut()),
        ).0,
        (Some(_), Some(_)) => return relay(reader, writer, bytes),
    };
    reader.advance(done);
    writer.advance(done);
    if done == bytes {
        return Ok(done);
    }
    let at = if how.user().is_some() {
        from.addr() + done
    } else {
        to.addr() + done
    };
    Err((IoError::PageFault { addr: at }, done))
}

/// Copies bytes from one program's memory to another's, by the kernel's: none is ever read by one's rights and written by the
/// other's at once.
fn relay<A: Fallibility, B: Fallibility>(
    reader: &mut VmReader<'_, A>,
    writer: &mut VmWriter<'_, B>,
    bytes: usize,
) -> (r: Result<usize, (IoError, usize)>) {
    let mut buffer = [0u8; CHUNK];
    let mut done = 0;
    while done < bytes
        decreases bytes - done,
    {
        let chunk = min(CHUNK, bytes - done);
        let mut source = reader.clone();
        source.limit(chunk);
        let mut inside = VmWriter::from_slice(room(&mut buffer));
        inside.limit(chunk);
        let (read, refused) = match transfer(&mut source, &mut inside) {
            Ok(n) => (n, None),
            Err((e, n)) => (n, Some(e)),
        };
        let mut inside = VmReader::from_slice(&buffer);
        inside.limit(read);
        let (written, e) = match transfer(&mut inside, writer) {
            Ok(n) => (n, refused),
            Err((e, n)) => (n, Some(e)),
        };
        reader.advance(written);
        done += written;
        if let Some(e) = e {
            return Err((e, done));
        }
    }
    Ok(done)
}

} // verus!
macro_rules! fallible {
    ($reader:ty, $writer:ty, $($user:ident),+) => {
        impl<$($user: UserMemory),+> FallibleVmRead<$writer> for VmReader<'_, $reader> {
            #[inline]
            fn read_fallible(
                &mut self,
                writer: &mut VmWriter<'_, $writer>,
            ) -> Result<usize, (IoError, usize)> {
                transfer(self, writer)
            }
        }

        impl<$($user: UserMemory),+> FallibleVmWrite<$reader> for VmWriter<'_, $writer> {
            #[inline]
            fn write_fallible(
                &mut self,
                reader: &mut VmReader<'_, $reader>,
            ) -> Result<usize, (IoError, usize)> {
                transfer(reader, self)
            }
        }
    };
}

fallible!(Fallible<'_, U>, Infallible, U);
fallible!(Infallible, Fallible<'_, U>, U);
fallible!(Fallible<'_, U>, Fallible<'_, V>, U, V);
