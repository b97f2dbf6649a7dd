//! Images of physical memory: raw, or ELF cores as QEMU's `dump-guest-memory` writes them.
//!
//! An image is read table by table and not mapped: it can be larger than the host's memory, and one that shrinks
//! meanwhile is an error and not a signal.

use super::core;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// An image of physical memory.
pub struct Image {
    file: File,
    /// By address, without overlaps.
    segments: Vec<Segment>,
    /// [`RAW`] or [`CORE`].
    pub form: &'static str,
    /// What the image should have, and the file is too short for.
    pub truncated: Vec<Lack>,
    /// What the image says of the processor.
    pub processor: Option<Processor>,
}

/// The form of an image that is nothing but memory.
pub const RAW: &str = "raw";
/// The form of an image that is an ELF core.
pub const CORE: &str = "elf core";

/// Memory that the file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// The physical address of its first byte.
    pub(super) start: u64,
    /// How many bytes there are.
    pub(super) bytes: u64,
    /// Where in the file they begin.
    pub(super) offset: u64,
}

/// Memory that the file lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lack {
    /// The physical address of its first byte.
    pub start: u64,
    /// How many bytes are missing.
    pub bytes: u64,
}

/// What QEMU's note tells of the first processor of an x86 machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Processor {
    /// The control register that has the root.
    pub cr3: u64,
    /// The control register that says how many levels there are.
    pub cr4: u64,
}

/// The words of a table.
pub struct Words {
    /// One for each entry; 0 where the image has none.
    pub words: Vec<u64>,
    /// For how many entries the image has no word.
    pub missing: usize,
}

const WORD: u64 = 8;

impl Image {
    /// Opens an image. The first byte of one that is raw has the physical address `base`; a core has addresses itself.
    ///
    /// # Errors
    /// The file can't be read, or is an ELF file and not a core that can be used.
    pub fn open(path: &Path, base: Option<u64>) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let length = file.seek(SeekFrom::End(0))?;
        let mut magic = [0; 4];
        file.rewind()?;
        let read = file.by_ref().take(4).read(&mut magic)?;
        if magic[..read] != *b"\x7fELF" {
            let segment = Segment {
                start: base.unwrap_or(0),
                bytes: length,
                offset: 0,
            };
            return Ok(Image::new(file, RAW, vec![segment]));
        }
        let core = core::read(&file)?;
        let mut truncated = Vec::new();
        let mut segments = core.segments;
        for segment in &mut segments {
            let here = length.saturating_sub(segment.offset).min(segment.bytes);
            if here < segment.bytes {
                truncated.push(Lack {
                    start: segment.start.saturating_add(here),
                    bytes: segment.bytes - here,
                });
                segment.bytes = here;
            }
        }
        let mut image = Image::new(file, CORE, segments);
        image.truncated = truncated;
        image.processor = core.processor;
        Ok(image)
    }

    fn new(file: File, form: &'static str, segments: Vec<Segment>) -> Self {
        Image {
            file,
            segments: disjoint(segments),
            form,
            truncated: Vec::new(),
            processor: None,
        }
    }

    /// How much memory the image has.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// The `count` words from `addr` on, a multiple of 8.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn words(&mut self, addr: u64, count: usize) -> io::Result<Words> {
        let mut bytes = vec![0; count * WORD as usize];
        let mut missing = bytes.len();
        let mut done = 0;
        while done < bytes.len() {
            let Some(at) = addr.checked_add(done as u64) else {
                break;
            };
            let rest = &mut bytes[done..];
            match self.segment_from(at) {
                None => break,
                Some(segment) if segment.start > at => {
                    let gap = segment.start - at;
                    done = done.saturating_add(usize::try_from(gap).unwrap_or(usize::MAX));
                }
                Some(segment) => {
                    let (into, left) = (at - segment.start, rest.len() as u64);
                    let here = left.min(segment.bytes - into) as usize;
                    self.file.seek(SeekFrom::Start(segment.offset + into))?;
                    self.file.read_exact(&mut rest[..here])?;
                    done += here;
                    missing -= here;
                }
            }
        }
        let words = bytes.as_chunks().0.iter().copied();
        Ok(Words {
            words: words.map(u64::from_le_bytes).collect(),
            missing: missing / WORD as usize,
        })
    }

    /// The first segment that ends above `addr`.
    fn segment_from(&self, addr: u64) -> Option<Segment> {
        let below = |segment: &Segment| segment.start + (segment.bytes - 1) < addr;
        let at = self.segments.partition_point(below);
        self.segments.get(at).copied()
    }
}

/// The segments by address: of those that overlap, each begins where the one before has ended; they have whole words,
/// and end with the address space.
fn disjoint(mut segments: Vec<Segment>) -> Vec<Segment> {
    segments.sort_by_key(|segment| segment.start);
    let mut apart: Vec<Segment> = Vec::new();
    let mut end = 0;
    for segment in segments {
        let Some(start) = segment.start.max(end).checked_next_multiple_of(WORD) else {
            break;
        };
        let skip = start - segment.start;
        let most = (u64::MAX - start) & !(WORD - 1);
        let bytes = (segment.bytes.saturating_sub(skip) & !(WORD - 1)).min(most);
        let Some(offset) = segment.offset.checked_add(skip) else {
            continue;
        };
        if bytes > 0 {
            end = start + bytes;
            apart.push(Segment {
                start,
                bytes,
                offset,
            });
        }
    }
    apart
}

pub(super) fn invalid(reason: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason.into())
}
