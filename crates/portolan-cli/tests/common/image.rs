//! Images of physical memory, made in temporary files.

use std::io::Write;
use tempfile::NamedTempFile;

/// Physical memory from some address on.
#[derive(Clone)]
pub struct Image {
    start: u64,
    bytes: Vec<u8>,
}

impl Image {
    /// Zeroed memory of `bytes` bytes from `start` on.
    pub fn new(start: u64, bytes: usize) -> Self {
        Image {
            start,
            bytes: vec![0; bytes],
        }
    }

    /// The same with `word` at `addr`.
    pub fn set(mut self, addr: u64, word: u64) -> Self {
        let at = (addr - self.start) as usize;
        self.bytes[at..at + 8].copy_from_slice(&word.to_le_bytes());
        self
    }

    /// The same with a word at every index of a table of 512.
    pub fn fill(self, table: u64, word: impl Fn(u64) -> u64) -> Self {
        (0..512).fold(self, |image, index| {
            image.set(table + 8 * index, word(index))
        })
    }

    /// As a raw file.
    pub fn raw(&self) -> NamedTempFile {
        file(&self.bytes)
    }

    /// As an ELF core.
    pub fn core(&self) -> NamedTempFile {
        core(&[self], None, 0)
    }
}

/// A file with these bytes.
pub fn file(bytes: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

/// An ELF core with a segment for each piece of memory, and QEMU's note with CR3 and CR4 if these are given. `short` bytes
/// are missing at its end.
pub fn core(pieces: &[&Image], control: Option<(u64, u64)>, short: usize) -> NamedTempFile {
    let note = control.map(|(cr3, cr4)| note(cr3, cr4)).unwrap_or_default();
    let count = pieces.len() + 1;
    let mut offset = 64 + 56 * count as u64;
    let mut headers = Vec::new();
    let mut data = note.clone();
    header(&mut headers, 4, offset, 0, note.len() as u64);
    offset += note.len() as u64;
    for piece in pieces {
        let size = piece.bytes.len() as u64;
        header(&mut headers, 1, offset, piece.start, size);
        data.extend(&piece.bytes);
        offset += size;
    }
    let mut bytes = vec![0x7f, b'E', b'L', b'F', 2, 1, 1];
    bytes.resize(16, 0);
    // ET_CORE, EM_X86_64, version 1
    bytes.extend([4, 0, 62, 0, 1, 0, 0, 0]);
    bytes.extend([0, 64, 0].map(u64::to_le_bytes).concat());
    // Flags; sizes and numbers of headers
    bytes.extend([0; 4]);
    bytes.extend(
        [64, 56, count as u16, 64, 0, 0]
            .map(u16::to_le_bytes)
            .concat(),
    );
    bytes.extend(headers);
    bytes.extend(data);
    bytes.truncate(bytes.len() - short);
    file(&bytes)
}

fn header(headers: &mut Vec<u8>, kind: u32, offset: u64, addr: u64, size: u64) {
    headers.extend([kind, 0].map(u32::to_le_bytes).concat());
    let fields = [offset, 0, addr, size, size, 0];
    headers.extend(fields.map(u64::to_le_bytes).concat());
}

/// QEMU's note: version 1, 440 bytes; the control registers are the last five words.
fn note(cr3: u64, cr4: u64) -> Vec<u8> {
    let mut state = [1u32, 432].map(u32::to_le_bytes).concat();
    state.resize(8 + 18 * 8 + 10 * 24, 0);
    state.extend([0x8000_0011, 0, 0, cr3, cr4].map(u64::to_le_bytes).concat());
    let mut note = [5u32, state.len() as u32, 0].map(u32::to_le_bytes).concat();
    note.extend(b"QEMU\0\0\0\0");
    note.extend(state);
    note
}
