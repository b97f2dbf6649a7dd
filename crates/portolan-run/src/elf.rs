//! Programs' files: what of them is to be mapped where (System V ABI, chapters 4 and 5).

use crate::area::Rights;
use crate::memory::PAGE;
use object::elf::{
    ELFCLASS64, ELFDATA2LSB, EM_X86_64, ET_DYN, ET_EXEC, FileHeader64, PF_R, PF_W, PF_X,
    PT_GNU_STACK, PT_INTERP, PT_LOAD, PT_PHDR, ProgramHeader64,
};
use object::endian::LittleEndian;
use object::pod;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use thiserror::Error;

/// Where the addresses of programs end.
pub(crate) const USER_END: u64 = 0x7fff_ffff_f000;

/// What is wrong with a program's file.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ElfError {
    /// It can't be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It doesn't begin as ELF files do.
    #[error("not an ELF file")]
    NotElf,
    /// It is for another processor, or for another mode of this one.
    #[error("not for x86_64")]
    NotX86_64,
    /// It is an object file or a core dump.
    #[error("not an executable (ELF type {kind})")]
    NotExecutable {
        /// The type in the header.
        kind: u16,
    },
    /// It needs a dynamic linker.
    #[error("not statically linked: it asks for the interpreter {interpreter}")]
    NotStatic {
        /// Which.
        interpreter: String,
    },
    /// The table of segments is not in the file, or of another format.
    #[error("the table of segments is broken")]
    BadTable,
    /// Nothing is to be loaded.
    #[error("there is nothing to load")]
    NothingToLoad,
    /// A segment's bytes are not all in the file.
    #[error("segment {index}: its bytes are not in the file")]
    OutsideFile {
        /// Its number in the table.
        index: usize,
    },
    /// A segment has more bytes in the file than in memory.
    #[error("segment {index}: more bytes in the file than in memory")]
    LargerInFile {
        /// Its number in the table.
        index: usize,
    },
    /// A segment's address and its place in the file lie differently in their pages.
    #[error(
        "segment {index}: address {addr:#x} and file offset {offset:#x} lie differently in their pages"
    )]
    Misaligned {
        /// Its number in the table.
        index: usize,
        /// The address.
        addr: u64,
        /// The place in the file.
        offset: u64,
    },
    /// A segment reaches out of the addresses that programs have, or around their end.
    #[error("segment {index}: {size:#x} bytes at {addr:#x} are not among a program's addresses")]
    OutsideMemory {
        /// Its number in the table.
        index: usize,
        /// The address.
        addr: u64,
        /// How many bytes.
        size: u64,
    },
    /// Two segments have a page in common, or they are not in the order of their addresses.
    #[error("segment {index}: not behind the one before it, or in the same page")]
    Overlapping {
        /// The second one's number in the table.
        index: usize,
    },
    /// Execution is to begin where nothing is to be executed.
    #[error("the entry point {addr:#x} is in no executable segment")]
    BadEntry {
        /// The address.
        addr: u64,
    },
}

/// A part of a program to be mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Where it starts, and how many bytes it has.
    pub(crate) addr: u64,
    pub(crate) size: u64,
    /// Where its bytes are in the file; the rest is zeros.
    pub(crate) file: Range<u64>,
    pub(crate) rights: Rights,
}

impl Segment {
    /// The pages that it lies in.
    pub(crate) fn pages(&self) -> Range<u64> {
        let end = self.addr + self.size;
        self.addr / PAGE * PAGE..end.div_ceil(PAGE) * PAGE
    }
}

/// A program to be mapped. Addresses are those in the file.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    /// In the order of their addresses; no two have a page in common.
    pub(crate) segments: Vec<Segment>,
    pub(crate) entry: u64,
    /// Where the table of segments is in memory, if it is, and its size.
    pub(crate) table: u64,
    pub(crate) table_entries: u64,
    /// Whether it may be loaded anywhere.
    pub(crate) is_relocatable: bool,
    /// Whether it wants to execute its stack.
    pub(crate) executes_stack: bool,
}

/// Bytes of an entry of the table of segments.
pub(crate) const TABLE_ENTRY: u64 = size_of::<ProgramHeader64<LittleEndian>>() as u64;
/// How many entries there may be, as on Linux.
const MOST_ENTRIES: usize = 65_536 / TABLE_ENTRY as usize;

impl Image {
    /// Reads and checks the headers of a file.
    pub(crate) fn read(file: &File) -> Result<Self, ElfError> {
        const LE: LittleEndian = LittleEndian;
        let length = file.metadata()?.len();
        let mut bytes = [0; size_of::<FileHeader64<LittleEndian>>()];
        let is_short = |error: io::Error| match error.kind() {
            io::ErrorKind::UnexpectedEof => ElfError::NotElf,
            _ => ElfError::Io(error),
        };
        file.read_exact_at(&mut bytes, 0).map_err(is_short)?;
        let (header, _) =
            pod::from_bytes::<FileHeader64<LittleEndian>>(&bytes).map_err(|()| ElfError::NotElf)?;
        let ident = &header.e_ident;
        if ident.magic != [0x7f, b'E', b'L', b'F'] {
            return Err(ElfError::NotElf);
        }
        if (ident.class, ident.data) != (ELFCLASS64, ELFDATA2LSB)
            || header.e_machine.get(LE) != EM_X86_64
        {
            return Err(ElfError::NotX86_64);
        }
        let kind = header.e_type.get(LE);
        if kind != ET_EXEC && kind != ET_DYN {
            return Err(ElfError::NotExecutable { kind: kind.0 });
        }
        let entries = usize::from(header.e_phnum.get(LE));
        if u64::from(header.e_phentsize.get(LE)) != TABLE_ENTRY || entries > MOST_ENTRIES {
            return Err(ElfError::BadTable);
        }
        let mut bytes = vec![0; entries * TABLE_ENTRY as usize];
        let at = header.e_phoff.get(LE);
        file.read_exact_at(&mut bytes, at)
            .map_err(|_| ElfError::BadTable)?;
        let (table, _) = pod::slice_from_bytes::<ProgramHeader64<LittleEndian>>(&bytes, entries)
            .map_err(|()| ElfError::BadTable)?;
        let mut image = Image {
            segments: Vec::new(),
            entry: header.e_entry.get(LE),
            table: 0,
            table_entries: entries as u64,
            is_relocatable: kind == ET_DYN,
            executes_stack: false,
        };
        for (index, entry) in table.iter().enumerate() {
            match entry.p_type.get(LE) {
                PT_LOAD => image.add(index, entry, length)?,
                PT_PHDR => image.table = entry.p_vaddr.get(LE),
                PT_GNU_STACK => image.executes_stack = entry.p_flags.get(LE).0 & PF_X.0 != 0,
                PT_INTERP => return Err(interpreter(file, entry)),
                _ => {}
            }
        }
        image.locate_table(at);
        image.check_entry()?;
        Ok(image)
    }

    /// Adds a segment that is to be loaded.
    fn add(
        &mut self,
        index: usize,
        entry: &ProgramHeader64<LittleEndian>,
        length: u64,
    ) -> Result<(), ElfError> {
        const LE: LittleEndian = LittleEndian;
        let (addr, size) = (entry.p_vaddr.get(LE), entry.p_memsz.get(LE));
        let (offset, in_file) = (entry.p_offset.get(LE), entry.p_filesz.get(LE));
        let file_end = offset
            .checked_add(in_file)
            .filter(|end| *end <= length)
            .ok_or(ElfError::OutsideFile { index })?;
        if in_file > size {
            return Err(ElfError::LargerInFile { index });
        }
        if addr % PAGE != offset % PAGE {
            return Err(ElfError::Misaligned {
                index,
                addr,
                offset,
            });
        }
        if addr.checked_add(size).is_none_or(|end| end > USER_END) {
            return Err(ElfError::OutsideMemory { index, addr, size });
        }
        if size == 0 {
            return Ok(());
        }
        let flags = entry.p_flags.get(LE).0;
        let segment = Segment {
            addr,
            size,
            file: offset..file_end,
            rights: Rights {
                read: flags & PF_R.0 != 0,
                write: flags & PF_W.0 != 0,
                execute: flags & PF_X.0 != 0,
            },
        };
        let last = self.segments.last();
        if last.is_some_and(|last| segment.pages().start < last.pages().end) {
            return Err(ElfError::Overlapping { index });
        }
        self.segments.push(segment);
        Ok(())
    }

    /// Finds the table of segments in memory if no entry says where it is.
    fn locate_table(&mut self, offset: u64) {
        let has = |segment: &&Segment| segment.file.contains(&offset);
        if let Some(segment) = self.segments.iter().find(has) {
            self.table = segment.addr + (offset - segment.file.start);
        }
    }

    fn check_entry(&self) -> Result<(), ElfError> {
        if self.segments.is_empty() {
            return Err(ElfError::NothingToLoad);
        }
        let has = |segment: &Segment| {
            segment.rights.execute
                && (segment.addr..segment.addr + segment.size).contains(&self.entry)
        };
        if self.segments.iter().any(has) {
            return Ok(());
        }
        Err(ElfError::BadEntry { addr: self.entry })
    }

    /// The first page, and where the last one ends.
    pub(crate) fn span(&self) -> Range<u64> {
        let start = self.segments.first().map_or(0, |first| first.pages().start);
        let end = self.segments.last().map_or(0, |last| last.pages().end);
        start..end
    }
}

/// The dynamic linker that a program asks for.
fn interpreter(file: &File, entry: &ProgramHeader64<LittleEndian>) -> ElfError {
    let mut path = vec![0; entry.p_filesz.get(LittleEndian).min(256) as usize];
    let read = file.read_at(&mut path, entry.p_offset.get(LittleEndian));
    path.truncate(read.unwrap_or(0));
    let path = path.split(|byte| *byte == 0).next().unwrap_or_default();
    ElfError::NotStatic {
        interpreter: String::from_utf8_lossy(path).into_owned(),
    }
}
