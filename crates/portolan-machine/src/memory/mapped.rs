//! Memory that a guest sees: a mapping of the host, anonymous or of a file that the guest's process maps too.

use crate::machine::MachineError;
use std::fs::File;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

/// A mapping of which the host provides only the pages that are touched.
pub(crate) struct Mapped {
    start: NonNull<AtomicU64>,
    bytes: u64,
    /// The physical address of the first byte.
    base: u64,
}

impl Mapped {
    /// Maps `bytes` bytes, a multiple of the host's page size, private to this process, as the memory from address 0.
    pub(crate) fn new(bytes: u64) -> Result<Self, MachineError> {
        Self::map(0, bytes, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, (-1, 0))
    }

    /// Maps `bytes` bytes of a file, from `offset` on, as the memory from address `base`. Both are multiples of the host's
    /// page size.
    pub(crate) fn shared(
        file: &File,
        offset: u64,
        base: u64,
        bytes: u64,
    ) -> Result<Self, MachineError> {
        Self::map(base, bytes, libc::MAP_SHARED, (file.as_raw_fd(), offset))
    }

    fn map(
        base: u64,
        bytes: u64,
        kind: i32,
        (file, offset): (i32, u64),
    ) -> Result<Self, MachineError> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = kind | libc::MAP_NORESERVE;
        // SAFETY: asks for a new mapping at an address of the host's choice, which touches no existing memory
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes as usize,
                protection,
                flags,
                file,
                offset as libc::off_t,
            )
        };
        if start == libc::MAP_FAILED {
            let reason = std::io::Error::last_os_error().to_string();
            return Err(MachineError::Host {
                call: "mmap",
                reason,
            });
        }
        let start = NonNull::new(start.cast()).expect("a mapping is nowhere near address 0");
        Ok(Mapped { start, bytes, base })
    }

    /// Where the host sees it.
    pub(crate) fn host_addr(&self) -> u64 {
        self.start.as_ptr() as u64
    }

    /// The physical addresses that it serves.
    pub(crate) fn range(&self) -> Range<u64> {
        self.base..self.base + self.bytes
    }

    pub(super) fn load(&self, addr: u64) -> u64 {
        self.word(addr).load(Ordering::SeqCst)
    }

    pub(super) fn store(&self, addr: u64, word: u64) {
        self.word(addr).store(word, Ordering::SeqCst);
    }

    pub(super) fn exchange(&self, addr: u64, current: u64, new: u64) -> Result<u64, u64> {
        self.word(addr)
            .compare_exchange(current, new, Ordering::SeqCst, Ordering::SeqCst)
    }

    fn word(&self, addr: u64) -> &AtomicU64 {
        assert!(
            addr.is_multiple_of(8) && self.range().contains(&addr),
            "there is no word at physical address {addr:#x}"
        );
        // SAFETY: the word lies inside the mapping, which lives as long as `self`; it is aligned, as the mapping starts
        // on a page; the host and the guest only ever access it as memory shared between processors, here atomically
        unsafe { self.start.add(((addr - self.base) / 8) as usize).as_ref() }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and no reference into it outlives `self`
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.bytes as usize) };
    }
}

// SAFETY: a mapping belongs to the process, not to a thread, and its words are atomic
unsafe impl Send for Mapped {}
// SAFETY: as above
unsafe impl Sync for Mapped {}
