//! Frames as bytes.

use super::error::IoError;
use super::fallible::{Fallibility, Infallible};
use super::reader::VmReader;
use super::transfer::transfer;
use super::vm_io::{VmIo, VmIoFill, VmIoOnce};
use super::writer::VmWriter;
use crate::frame::{FRAME_SIZE, FrameAllocator, UFrame, USegment};
use crate::hw::user::{DirectMap, PodOnce, bytes_of_frame, bytes_of_segment};
use vstd::prelude::*;

verus! {

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
        FRAME_SIZE as usize
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
) -> (r: Result<(), (IoError, usize)>) {
    if let Err(e) = check(offset, writer.avail(), memory.size()) {
        return Err((e, 0));
    }
    let mut reader = memory.reader();
    reader.advance(offset);
    match transfer(&mut reader, writer) {
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
) -> (r: Result<(), (IoError, usize)>) {
    if let Err(e) = check(offset, reader.remain(), memory.size()) {
        return Err((e, 0));
    }
    let mut writer = memory.writer();
    writer.advance(offset);
    match transfer(reader, &mut writer) {
        Ok(_) => Ok(()),
        Err(e) => Err(e),
    }
}

impl<F: FrameAllocator + DirectMap> VmIo for UFrame<'_, F> {
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
    fn read<W: Fallibility>(&self, offset: usize, writer: &mut VmWriter<'_, W>) -> Result<
        (),
        (IoError, usize),
    > {
        check_frames(offset, writer.avail(), self.len())?;
        let (mut at, mut done) = (offset, 0);
        while writer.has_avail()
            decreases writer.end() - writer.at(),
        {
            let mut reader = self[at / FRAME_SIZE as usize].reader();
            reader.advance(at % FRAME_SIZE as usize);
            match transfer(&mut reader, writer) {
                Ok(n) => {
                    at += n;
                    done += n;
                },
                Err((e, n)) => return Err((e, done + n)),
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
        while reader.has_remain()
            decreases reader.end() - reader.at(),
        {
            let mut writer = self[at / FRAME_SIZE as usize].writer();
            writer.advance(at % FRAME_SIZE as usize);
            match transfer(reader, &mut writer) {
                Ok(n) => {
                    at += n;
                    done += n;
                },
                Err((e, n)) => return Err((e, done + n)),
            }
        }
        Ok(())
    }
}

/// Why `len` bytes from `offset` on are not all in so many frames.
fn check_frames(offset: usize, len: usize, frames: usize) -> (r: Result<(), (IoError, usize)>) {
    let size = if frames > usize::MAX / FRAME_SIZE as usize {
        usize::MAX
    } else {
        frames * FRAME_SIZE as usize
    };
    match check(offset, len, size) {
        Ok(()) => Ok(()),
        Err(e) => Err((e, 0)),
    }
}

/// Reads a value by one load.
#[inline]
fn read_once<M: UntypedMem, T: PodOnce>(memory: &M, offset: usize) -> Result<T, IoError> {
    check(offset, size_of::<T>(), memory.size())?;
    let mut reader = memory.reader();
    reader.advance(offset);
    reader.read_once()
}

/// Writes a value by one store.
#[inline]
fn write_once<M: UntypedMem, T: PodOnce>(memory: &M, offset: usize, value: T) -> Result<
    (),
    IoError,
> {
    check(offset, size_of::<T>(), memory.size())?;
    let mut writer = memory.writer();
    writer.advance(offset);
    writer.write_once(value)
}

/// Sets bytes to 0.
#[inline]
fn fill_zeros<M: UntypedMem>(memory: &M, offset: usize, len: usize) -> Result<
    (),
    (IoError, usize),
> {
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

} // verus!
