//! Memory that a guest sees: an anonymous mapping of the host.

use crate::machine::MachineError;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

/// An anonymous mapping, private to this process, of which the host provides only the pages that are touched.
pub(crate) struct Mapped {
    start: NonNull<AtomicU64>,
    bytes: u64,
}

impl Mapped {
    /// Maps `bytes` bytes, a multiple of the host's page size.
    pub(crate) fn new(bytes: u64) -> Result<Self, MachineError> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: asks for a new mapping at an address of the host's choice, which touches no existing memory
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes as usize,
                protection,
                flags,
                -1,
                0,
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
        Ok(Mapped { start, bytes })
    }

    /// Where the host sees it.
    pub(crate) fn host_addr(&self) -> u64 {
        self.start.as_ptr() as u64
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
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
            addr.is_multiple_of(8) && addr < self.bytes,
            "there is no word at physical address {addr:#x}"
        );
        // SAFETY: the word lies inside the mapping, which lives as long as `self`; it is aligned, as the mapping starts
        // on a page; the host and the guest only ever access it as memory shared between processors, here atomically
        unsafe { self.start.add((addr / 8) as usize).as_ref() }
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
