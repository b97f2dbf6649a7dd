//! ELF cores, as QEMU's `dump-guest-memory` writes them: a segment with a physical address for each piece of memory, and
//! notes on the processors.

use super::image::{Processor, Segment, invalid};
use object::elf::{ELFCLASS64, ELFDATA2LSB, ET_CORE, FileHeader64, PT_LOAD, PT_NOTE};
use object::endian::LittleEndian;
use object::read::ReadCache;
use object::read::elf::{FileHeader, ProgramHeader};
use std::fs::File;
use std::io;

/// What a core says.
pub(super) struct Core {
    pub(super) segments: Vec<Segment>,
    pub(super) processor: Option<Processor>,
}

/// More segments, and more bytes of notes, than any machine has.
const MOST_SEGMENTS: u32 = 1 << 20;
const MOST_NOTES: u64 = 1 << 24;

/// Reads the headers of a core.
pub(super) fn read(file: &File) -> io::Result<Core> {
    parse(file).map_err(|error| invalid(format!("it is no ELF core that can be used: {error}")))
}

fn parse(file: &File) -> Result<Core, Box<dyn std::error::Error>> {
    let cache = ReadCache::new(file);
    let header = FileHeader64::<LittleEndian>::parse(&cache)?;
    let ident = header.e_ident();
    if ident.class != ELFCLASS64 || ident.data != ELFDATA2LSB {
        return Err("it is not of 64 bits, little-endian".into());
    }
    if header.e_type(LittleEndian) != ET_CORE {
        return Err("it is a program and no core".into());
    }
    let count = header.phnum(LittleEndian, &cache)?;
    if count > MOST_SEGMENTS {
        return Err(format!("it has {count} segments").into());
    }
    let mut segments = Vec::new();
    let mut processor = None;
    for program in header.program_headers(LittleEndian, &cache)? {
        let (offset, bytes) = program.file_range(LittleEndian);
        match program.p_type(LittleEndian) {
            PT_LOAD => segments.push(Segment {
                start: program.p_paddr(LittleEndian),
                bytes,
                offset,
            }),
            PT_NOTE if bytes <= MOST_NOTES && processor.is_none() => {
                let Some(mut notes) = program.notes(LittleEndian, &cache)? else {
                    continue;
                };
                while let Ok(Some(note)) = notes.next() {
                    if note.name() == b"QEMU" && processor.is_none() {
                        processor = state(note.desc());
                    }
                }
            }
            _ => {}
        }
    }
    Ok(Core {
        segments,
        processor,
    })
}

/// QEMU's `X86CPUState` of version 1 (`target/i386/arch_dump.c`): version and size of 4 bytes each, 18 registers of 8
/// bytes, 10 segments of 24 bytes, and the control registers 0 to 4.
fn state(note: &[u8]) -> Option<Processor> {
    const CONTROL: usize = 8 + 18 * 8 + 10 * 24;
    let register = |number: usize| {
        let at = note.get(CONTROL + 8 * number..)?;
        at.first_chunk().copied().map(u64::from_le_bytes)
    };
    if note.first_chunk().copied().map(u32::from_le_bytes) != Some(1) {
        return None;
    }
    Some(Processor {
        cr3: register(3)?,
        cr4: register(4)?,
    })
}
