//! Copies from readers to writers.

use super::error::IoError;
use super::fallible::{Fallibility, Fallible, Infallible};
#[cfg(verus_only)]
use super::log::is_within;
use super::reader::VmReader;
#[cfg(verus_only)]
use super::reader::proof::lemma_step;
use super::writer::VmWriter;
#[cfg(verus_only)]
use crate::hw::user::Access;
use crate::hw::user::{CHUNK, UserMemory, copy_from_user, copy_kernel, copy_to_user, room};
use vstd::array::array_as_slice;
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
        reader.lemma_rest(bytes as int);
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

/// How many bytes were copied, and which.
type Copied = (Result<usize, (IoError, usize)>, Ghost<Seq<u8>>);

/// What a copy has done to a reader, which was `from`, and a writer, which was `to`.
#[verifier::prophetic]
pub open spec fn copied<A: Fallibility, B: Fallibility>(
    from: VmReader<'_, A>,
    reader: VmReader<'_, A>,
    to: VmWriter<'_, B>,
    writer: VmWriter<'_, B>,
    bytes: Seq<u8>,
    r: Result<usize, (IoError, usize)>,
) -> bool {
    let most = least(from.end() - from.at(), to.end() - to.at());
    let n = match r {
        Ok(n) => n,
        Err((_, n)) => n,
    };
    &&& bytes.len() == n
    &&& reader.gave(from, bytes)
    &&& writer.got(to, bytes)
    &&& match r {
        Ok(n) => n == most && is_within(
            reader.loads(),
            from.loads().len() as int,
            from.at(),
            reader.at(),
        ),
        Err((e, n)) => {
            &&& n < most
            &&& e matches IoError::PageFault { addr } && {
                ||| from.root() is Some && addr == reader.at()
                ||| to.root() is Some && addr == writer.at()
            }
        },
    }
}

/// Copies as many bytes as are left on both sides.
#[inline]
pub(super) fn transfer<A: Fallibility, B: Fallibility>(
    reader: &mut VmReader<'_, A>,
    writer: &mut VmWriter<'_, B>,
) -> (r: Copied)
    ensures
        copied(*old(reader), *final(reader), *old(writer), *final(writer), r.1@, r.0),
{
    let bytes = min(reader.remain(), writer.avail());
    let (how, other) = (reader.how, writer.how);
    match (how.user(), other.user()) {
        (None, None) => {
            let Ghost(all) = copy(reader, writer, bytes);
            proof {
                reader.lemma_took(*old(reader), all);
                writer.lemma_put(*old(writer), all);
            }
            (Ok(bytes), Ghost(all))
        },
        (Some(user), None) => {
            let (done, Ghost(all)) = pull(user, reader, writer, bytes);
            reader.advance(done);
            proof {
                reader.lemma_took(*old(reader), all);
                writer.lemma_put(*old(writer), all);
            }
            let r = if done == bytes {
                Ok(done)
            } else {
                Err((IoError::PageFault { addr: reader.cursor.addr() }, done))
            };
            (r, Ghost(all))
        },
        (None, Some(user)) => {
            let (done, Ghost(all)) = push(user, reader, writer, bytes);
            proof {
                reader.lemma_took(*old(reader), all);
                writer.lemma_put(*old(writer), all);
            }
            let r = if done == bytes {
                Ok(done)
            } else {
                Err((IoError::PageFault { addr: writer.cursor.addr() }, done))
            };
            (r, Ghost(all))
        },
        (Some(from), Some(to)) => relay(from, to, reader, writer, bytes),
    }
}

/// Copies bytes of user memory, as far as they can be read. The reader's cursor stays.
#[inline(always)]
fn pull<A: Fallibility, B: Fallibility>(
    user: &A::User,
    reader: &mut VmReader<'_, A>,
    writer: &mut VmWriter<'_, B>,
    bytes: usize,
) -> (r: (usize, Ghost<Seq<u8>>))
    requires
        old(reader).how.is_user(),
        !old(writer).how.is_user(),
        bytes <= old(reader).end() - old(reader).at(),
        bytes <= old(writer).end() - old(writer).at(),
    ensures
        r.0 <= bytes,
        r.1@.len() == r.0,
        final(reader).how == old(reader).how,
        final(reader).stays(*old(reader)),
        final(reader).rest() is None,
        final(reader).root() is Some,
        final(reader).loads() == old(reader).loads().push(
            Access::Load {
                root: old(reader).root(),
                at: old(reader).at(),
                bytes: r.1@,
                once: false,
            },
        ),
        final(writer).put(*old(writer), r.1@, false),
{
    proof {
        use_type_invariant(&*reader);
        use_type_invariant(&*writer);
    }
    let (from, to) = (reader.cursor, writer.cursor);
    let (done, read) = copy_from_user::<A::User>(
        user,
        from.addr(),
        to,
        bytes,
        Tracked(reader.source.borrow_mut()),
        Tracked(writer.sink.borrow_mut()),
    );
    writer.advance(done);
    (done, read)
}

/// Copies bytes to user memory, as far as they can be written.
#[inline(always)]
fn push<A: Fallibility, B: Fallibility>(
    user: &B::User,
    reader: &mut VmReader<'_, A>,
    writer: &mut VmWriter<'_, B>,
    bytes: usize,
) -> (r: (usize, Ghost<Seq<u8>>))
    requires
        !old(reader).how.is_user(),
        old(writer).how.is_user(),
        bytes <= old(reader).end() - old(reader).at(),
        bytes <= old(writer).end() - old(writer).at(),
    ensures
        r.0 <= bytes,
        r.1@.len() == r.0,
        final(reader).took(*old(reader), r.1@, false),
        final(writer).how == old(writer).how,
        final(writer).put(*old(writer), r.1@, false),
        final(writer).slice() is None,
        final(writer).root() is Some,
{
    proof {
        use_type_invariant(&*reader);
        use_type_invariant(&*writer);
    }
    let (from, to) = (reader.cursor, writer.cursor);
    let (done, written) = copy_to_user::<B::User>(
        user,
        from,
        to.addr(),
        bytes,
        Tracked(reader.source.borrow_mut()),
        Tracked(writer.sink.borrow_mut()),
    );
    proof {
        reader.lemma_rest(done as int);
    }
    reader.advance(done);
    writer.advance(done);
    (done, written)
}

/// Copies bytes from one program's memory to another's, by the kernel's: none is ever read by one's rights and written by the
/// other's at once.
fn relay<A: Fallibility, B: Fallibility>(
    source: &A::User,
    target: &B::User,
    reader: &mut VmReader<'_, A>,
    writer: &mut VmWriter<'_, B>,
    bytes: usize,
) -> (r: Copied)
    requires
        old(reader).how.is_user(),
        old(writer).how.is_user(),
        bytes == least(old(reader).end() - old(reader).at(), old(writer).end() - old(writer).at()),
    ensures
        copied(*old(reader), *final(reader), *old(writer), *final(writer), r.1@, r.0),
{
    let mut buffer = [0u8;CHUNK];
    let mut done = 0;
    let ghost mut all = Seq::<u8>::empty();
    proof {
        use_type_invariant(&*reader);
        use_type_invariant(&*writer);
    }
    while done < bytes
        invariant
            done <= bytes,
            bytes == least(
                old(reader).end() - old(reader).at(),
                old(writer).end() - old(writer).at(),
            ),
            all.len() == done,
            reader.how.is_user(),
            writer.how.is_user(),
            reader.gave(*old(reader), all),
            reader.rest() is None,
            is_within(
                reader.loads(),
                old(reader).loads().len() as int,
                old(reader).at(),
                reader.at(),
            ),
            writer.got(*old(writer), all),
            writer.slice() is None,
        decreases bytes - done,
    {
        let ghost (was, had) = (*reader, *writer);
        let chunk = min(CHUNK, bytes - done);
        let mut inside = VmWriter::from_slice(room(&mut buffer));
        let (read, Ghost(seen)) = pull(source, reader, &mut inside, chunk);
        inside.finish();
        let mut inside = VmReader::from_slice(array_as_slice(&buffer));
        let (written, Ghost(put)) = push(target, &mut inside, writer, read);
        reader.advance(written);
        done += written;
        proof {
            assert(put =~= seen.take(written as int));
            lemma_step(*old(reader), was, *reader, all, seen, put);
            writer.lemma_next(had, *old(writer), all, put);
            all = all + put;
        }
        if written < read {
            return (Err((IoError::PageFault { addr: writer.cursor.addr() }, done)), Ghost(all));
        }
        if read < chunk {
            return (Err((IoError::PageFault { addr: reader.cursor.addr() }, done)), Ghost(all));
        }
    }
    (Ok(done), Ghost(all))
}

} // verus!
macro_rules! fallible {
    ($reader:ty, $writer:ty, $($user:ident),+) => {
        verus! {

        impl<$($user: UserMemory),+> FallibleVmRead<$writer> for VmReader<'_, $reader> {
            #[inline]
            fn read_fallible(&mut self, writer: &mut VmWriter<'_, $writer>) -> (r: Result<
                usize,
                (IoError, usize),
            >)
                ensures
                    exists|bytes: Seq<u8>| #[trigger] copied(
                        *old(self),
                        *final(self),
                        *old(writer),
                        *final(writer),
                        bytes,
                        r,
                    ),
            {
                transfer(self, writer).0
            }
        }

        impl<$($user: UserMemory),+> FallibleVmWrite<$reader> for VmWriter<'_, $writer> {
            #[inline]
            fn write_fallible(&mut self, reader: &mut VmReader<'_, $reader>) -> (r: Result<
                usize,
                (IoError, usize),
            >)
                ensures
                    exists|bytes: Seq<u8>| #[trigger] copied(
                        *old(reader),
                        *final(reader),
                        *old(self),
                        *final(self),
                        bytes,
                        r,
                    ),
            {
                transfer(reader, self).0
            }
        }

        } // verus!
    };
}

fallible!(Fallible<'_, U>, Infallible, U);
fallible!(Infallible, Fallible<'_, U>, U);
fallible!(Fallible<'_, U>, Fallible<'_, V>, U, V);
