//! Frames as bytes.

use super::error::IoError;
use super::fallible::{Fallibility, Infallible};
#[cfg(verus_only)]
use super::log::is_within;
use super::reader::VmReader;
#[cfg(verus_only)]
use super::transfer::least;
use super::transfer::transfer;
use super::vm_io::{VmIo, VmIoFill, VmIoOnce};
#[cfg(verus_only)]
use super::vm_io::{answers_once, is_outside, was_read, was_written};
use super::writer::VmWriter;
use crate::frame::{FrameAllocator, UFrame, USegment};
use crate::hw::user::{DirectMap, PodOnce, bytes_of_frame, bytes_of_segment};
use vstd::prelude::*;

verus! {

/// How long a frame is.
const FRAME: usize = 0x1000;

/// Memory of plain bytes that the kernel has: a frame, or frames that follow each other. User programs and devices may change it
/// at any time.
pub trait UntypedMem {
    /// How many bytes there are.
    spec fn bytes(&self) -> int;

    /// How many bytes there are.
    fn size(&self) -> (r: usize)
        ensures
            r == self.bytes(),
    ;

    /// A reader of all of it.
    fn reader(&self) -> (r: VmReader<'_, Infallible>)
        ensures
            r.end() - r.at() == self.bytes(),
            r.rest() is None,
            r.root() is None,
            r.loads().len() == 0,
    ;

    /// A writer of all of it. There may be any number of them, and of readers, at the same time.
    fn writer(&self) -> (r: VmWriter<'_, Infallible>)
        ensures
            r.end() - r.at() == self.bytes(),
            r.slice() is None,
            r.root() is None,
            r.stores().len() == 0,
    ;
}

impl<F: FrameAllocator + DirectMap> UntypedMem for UFrame<'_, F> {
    open spec fn bytes(&self) -> int {
        0x1000
    }

    #[inline(always)]
    fn size(&self) -> usize {
        FRAME
    }

    #[inline]
    fn reader(&self) -> VmReader<'_, Infallible> {
        let (at, bytes, source, _) = bytes_of_frame(self);
        VmReader::make(at, at.addr() + bytes, Infallible, source)
    }

    #[inline]
    fn writer(&self) -> VmWriter<'_, Infallible> {
        let (at, bytes, _, sink) = bytes_of_frame(self);
        VmWriter::make(at, at.addr() + bytes, Infallible, sink)
    }
}

impl<F: FrameAllocator + DirectMap> UntypedMem for USegment<'_, F> {
    open spec fn bytes(&self) -> int {
        self.end() - self.start()
    }

    #[inline]
    fn size(&self) -> usize {
        let (_, bytes, _, _) = bytes_of_segment(self);
        bytes
    }

    #[inline]
    fn reader(&self) -> VmReader<'_, Infallible> {
        let (at, bytes, source, _) = bytes_of_segment(self);
        VmReader::make(at, at.addr() + bytes, Infallible, source)
    }

    #[inline]
    fn writer(&self) -> VmWriter<'_, Infallible> {
        let (at, bytes, _, sink) = bytes_of_segment(self);
        VmWriter::make(at, at.addr() + bytes, Infallible, sink)
    }
}

/// Why `len` bytes from `offset` on are not all in an object of `size`.
fn check(offset: usize, len: usize, size: usize) -> (r: Result<(), IoError>)
    ensures
        match r {
            Ok(()) => offset + len <= size,
            Err(e) => offset + len > size && e == (IoError::OutOfRange { offset, len, size }),
        },
{
    if offset > size || len > size - offset {
        return Err(IoError::OutOfRange { offset, len, size });
    }
    Ok(())
}

/// Reads from `offset` on.
#[inline]
fn read<M: UntypedMem, F: Fallibility>(
    memory: &M,
    offset: usize,
    writer: &mut VmWriter<'_, F>,
) -> (r: Result<(), (IoError, usize)>)
    ensures
        was_read(memory.bytes(), offset as int, *old(writer), *final(writer), r),
{
    if let Err(e) = check(offset, writer.avail(), memory.size()) {
        return Err((e, 0));
    }
    let mut reader = memory.reader();
    reader.advance(offset);
    match transfer(&mut reader, writer).0 {
        Ok(_) => Ok(()),
        Err(e) => Err(e),
    }
}

/// Writes from `offset` on.
#[inline]
fn write<M: UntypedMem, F: Fallibility>(
    memory: &M,
    offset: usize,
    reader: &mut VmReader<'_, F>,
) -> (r: Result<(), (IoError, usize)>)
    ensures
        was_written(memory.bytes(), offset as int, *old(reader), *final(reader), r),
{
    if let Err(e) = check(offset, reader.remain(), memory.size()) {
        return Err((e, 0));
    }
    let mut writer = memory.writer();
    writer.advance(offset);
    match transfer(reader, &mut writer).0 {
        Ok(_) => Ok(()),
        Err(e) => Err(e),
    }
}

impl<F: FrameAllocator + DirectMap> VmIo for UFrame<'_, F> {
    open spec fn len_bytes(&self) -> int {
        self.bytes()
    }

    #[inline]
    fn read<W: Fallibility>(&self, offset: usize, writer: &mut VmWriter<'_, W>) -> Result<
        (),
        (IoError, usize),
    > {
        read(self, offset, writer)
    }

    #[inline]
    fn write<R: Fallibility>(&self, offset: usize, reader: &mut VmReader<'_, R>) -> Result<
        (),
        (IoError, usize),
    > {
        write(self, offset, reader)
    }
}

impl<F: FrameAllocator + DirectMap> VmIo for USegment<'_, F> {
    open spec fn len_bytes(&self) -> int {
        self.bytes()
    }

    #[inline]
    fn read<W: Fallibility>(&self, offset: usize, writer: &mut VmWriter<'_, W>) -> Result<
        (),
        (IoError, usize),
    > {
        read(self, offset, writer)
    }

    #[inline]
    fn write<R: Fallibility>(&self, offset: usize, reader: &mut VmReader<'_, R>) -> Result<
        (),
        (IoError, usize),
    > {
        write(self, offset, reader)
    }
}

/// Frames that lie anywhere, one after the other.
impl<F: FrameAllocator + DirectMap> VmIo for [UFrame<'_, F>] {
    open spec fn len_bytes(&self) -> int {
        (self@.len() * 0x1000) as int
    }

    fn read<W: Fallibility>(&self, offset: usize, writer: &mut VmWriter<'_, W>) -> Result<
        (),
        (IoError, usize),
    > {
        check_frames(offset, writer.avail(), self.len())?;
        let (mut at, mut done) = (offset, 0);
        let ghost mut all = Seq::<u8>::empty();
        proof {
            writer.lemma_nothing();
        }
        while writer.has_avail()
            invariant
                at + (writer.end() - writer.at()) <= least(self.len_bytes(), usize::MAX as int),
                offset + (old(writer).end() - old(writer).at()) <= self@.len() * 0x1000,
                at == offset + done,
                done == all.len(),
                old(writer).is_inside(),
                writer.got(*old(writer), all),
            decreases writer.end() - writer.at(),
        {
            let ghost was = *writer;
            let mut reader = self[at / FRAME].reader();
            reader.advance(at % FRAME);
            let (part, Ghost(more)) = transfer(&mut reader, writer);
            let n = count(&part);
            proof {
                writer.lemma_got(was, *old(writer), all, more);
                all = all + more;
            }
            at += n;
            done += n;
            if let Err((e, _)) = part {
                return Err((e, done));
            }
        }
        Ok(())
    }

    fn write<R: Fallibility>(&self, offset: usize, reader: &mut VmReader<'_, R>) -> Result<
        (),
        (IoError, usize),
    > {
        check_frames(offset, reader.remain(), self.len())?;
        let (mut at, mut done) = (offset, 0);
        let ghost mut all = Seq::<u8>::empty();
        proof {
            reader.lemma_nothing();
        }
        while reader.has_remain()
            invariant
                at + (reader.end() - reader.at()) <= least(self.len_bytes(), usize::MAX as int),
                old(reader).is_whole(),
                offset + (old(reader).end() - old(reader).at()) <= self@.len() * 0x1000,
                at == offset + done,
                done == all.len(),
                reader.gave(*old(reader), all),
                is_within(
                    reader.loads(),
                    old(reader).loads().len() as int,
                    old(reader).at(),
                    reader.at(),
                ),
            decreases reader.end() - reader.at(),
        {
            let ghost was = *reader;
            let mut writer = self[at / FRAME].writer();
            writer.advance(at % FRAME);
            let (part, Ghost(more)) = transfer(reader, &mut writer);
            let n = count(&part);
            proof {
                reader.lemma_gave(was, *old(reader), all, more);
                all = all + more;
            }
            at += n;
            done += n;
            if let Err((e, _)) = part {
                return Err((e, done));
            }
        }
        Ok(())
    }
}

/// How many bytes were copied.
fn count(part: &Result<usize, (IoError, usize)>) -> (r: usize)
    ensures
        r == match *part {
            Ok(n) => n,
            Err((_, n)) => n,
        },
{
    match part {
        Ok(n) => *n,
        Err((_, n)) => *n,
    }
}

/// Why `len` bytes from `offset` on are not all in so many frames.
fn check_frames(offset: usize, len: usize, frames: usize) -> (r: Result<(), (IoError, usize)>)
    ensures
        match r {
            Ok(()) => offset + len <= least(frames * 0x1000, usize::MAX as int),
            Err((e, n)) => n == 0 && is_outside(frames * 0x1000, offset as int, len as int, e),
        },
{
    let size = if frames > usize::MAX / FRAME {
        usize::MAX
    } else {
        frames * FRAME
    };
    match check(offset, len, size) {
        Ok(()) => Ok(()),
        Err(e) => Err((e, 0)),
    }
}

/// Reads a value by one load.
#[inline]
fn read_once<M: UntypedMem, T: PodOnce>(memory: &M, offset: usize) -> (r: Result<T, IoError>)
    ensures
        answers_once::<T>(
            memory.bytes(),
            offset as int,
            match r {
                Ok(_) => Ok(()),
                Err(e) => Err(e),
            },
        ),
{
    check(offset, size_of::<T>(), memory.size())?;
    let mut reader = memory.reader();
    reader.advance(offset);
    reader.read_once()
}

/// Writes a value by one store.
#[inline]
fn write_once<M: UntypedMem, T: PodOnce>(memory: &M, offset: usize, value: T) -> (r: Result<
    (),
    IoError,
>)
    ensures
        answers_once::<T>(memory.bytes(), offset as int, r),
{
    check(offset, size_of::<T>(), memory.size())?;
    let mut writer = memory.writer();
    writer.advance(offset);
    writer.write_once(value)
}

/// Sets bytes to 0.
#[inline]
fn fill_zeros<M: UntypedMem>(memory: &M, offset: usize, len: usize) -> (r: Result<
    (),
    (IoError, usize),
>)
    ensures
        match r {
            Ok(()) => offset + len <= memory.bytes(),
            Err((e, n)) => n == 0 && is_outside(memory.bytes(), offset as int, len as int, e),
        },
{
    if let Err(e) = check(offset, len, memory.size()) {
        return Err((e, 0));
    }
    let mut writer = memory.writer();
    writer.advance(offset);
    writer.fill_zeros(len);
    Ok(())
}

impl<F: FrameAllocator + DirectMap> VmIoOnce for UFrame<'_, F> {
    #[inline]
    fn read_once<T: PodOnce>(&self, offset: usize) -> Result<T, IoError> {
        read_once(self, offset)
    }

    #[inline]
    fn write_once<T: PodOnce>(&self, offset: usize, value: T) -> Result<(), IoError> {
        write_once(self, offset, value)
    }
}

impl<F: FrameAllocator + DirectMap> VmIoFill for UFrame<'_, F> {
    #[inline]
    fn fill_zeros(&self, offset: usize, len: usize) -> Result<(), (IoError, usize)> {
        fill_zeros(self, offset, len)
    }
}

impl<F: FrameAllocator + DirectMap> VmIoOnce for USegment<'_, F> {
    #[inline]
    fn read_once<T: PodOnce>(&self, offset: usize) -> Result<T, IoError> {
        read_once(self, offset)
    }

    #[inline]
    fn write_once<T: PodOnce>(&self, offset: usize, value: T) -> Result<(), IoError> {
        write_once(self, offset, value)
    }
}

impl<F: FrameAllocator + DirectMap> VmIoFill for USegment<'_, F> {
    #[inline]
    fn fill_zeros(&self, offset: usize, len: usize) -> Result<(), (IoError, usize)> {
        fill_zeros(self, offset, len)
    }
}

/// A value that lies in two frames is never aligned.
impl<F: FrameAllocator + DirectMap> VmIoOnce for [UFrame<'_, F>] {
    fn read_once<T: PodOnce>(&self, offset: usize) -> Result<T, IoError> {
        let align = size_of::<T>();
        if let Err((e, _)) = check_frames(offset, align, self.len()) {
            return Err(e);
        }
        if align == 0 || FRAME - offset % FRAME < align {
            return Err(IoError::NotAligned { addr: offset, align });
        }
        read_once(&self[offset / FRAME], offset % FRAME)
    }

    fn write_once<T: PodOnce>(&self, offset: usize, value: T) -> Result<(), IoError> {
        let align = size_of::<T>();
        if let Err((e, _)) = check_frames(offset, align, self.len()) {
            return Err(e);
        }
        if align == 0 || FRAME - offset % FRAME < align {
            return Err(IoError::NotAligned { addr: offset, align });
        }
        write_once(&self[offset / FRAME], offset % FRAME, value)
    }
}

impl<F: FrameAllocator + DirectMap> VmIoFill for [UFrame<'_, F>] {
    fn fill_zeros(&self, offset: usize, len: usize) -> Result<(), (IoError, usize)> {
        check_frames(offset, len, self.len())?;
        let mut done = 0;
        while done < len
            invariant
                done <= len,
                offset + len <= least(self.len_bytes(), usize::MAX as int),
            decreases len - done,
        {
            let at = offset + done;
            let mut writer = self[at / FRAME].writer();
            writer.advance(at % FRAME);
            done += writer.fill_zeros(len - done);
        }
        Ok(())
    }
}

} // verus!
