//! Memory of a guest that another process keeps to itself: read and written through the host.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, PoisonError};

/// A part of another process's memory, which serves as a guest's.
///
/// Once the process has ended, words read as 0 and stores are lost. The guest itself says so when it is asked for
/// something.
pub(crate) struct Foreign {
    /// All memory of the process; an offset is an address in it.
    process: File,
    /// Where the process has the first byte of `range`.
    start: u64,
    /// The physical addresses that are there.
    range: Range<u64>,
    /// Held while a word is exchanged.
    exchanging: Mutex<()>,
}

impl Foreign {
    pub(crate) fn new(process: File, start: u64, range: Range<u64>) -> Self {
        Foreign {
            process,
            start,
            range,
            exchanging: Mutex::new(()),
        }
    }

    /// The physical addresses that it serves.
    pub(crate) fn range(&self) -> Range<u64> {
        self.range.clone()
    }

    pub(super) fn load(&self, addr: u64) -> u64 {
        let mut bytes = [0; 8];
        match self.process.read_exact_at(&mut bytes, self.offset(addr)) {
            Ok(()) => u64::from_le_bytes(bytes),
            Err(_) => 0,
        }
    }

    pub(super) fn store(&self, addr: u64, word: u64) {
        let bytes = word.to_le_bytes();
        self.process.write_all_at(&bytes, self.offset(addr)).ok();
    }

    /// Exchanges a word. The guest must stand still: only other threads of the host are kept from coming in between.
    pub(super) fn exchange(&self, addr: u64, current: u64, new: u64) -> Result<u64, u64> {
        let exchanging = self.exchanging.lock();
        let _exchanging = exchanging.unwrap_or_else(PoisonError::into_inner);
        let word = self.load(addr);
        if word != current {
            return Err(word);
        }
        self.store(addr, new);
        Ok(word)
    }

    fn offset(&self, addr: u64) -> u64 {
        assert!(
            addr.is_multiple_of(8) && self.range.contains(&addr),
            "there is no word at physical address {addr:#x}"
        );
        self.start + (addr - self.range.start)
    }
}
