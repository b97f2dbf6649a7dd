//! The guest's physical memory: a mapping of the host, of which it provides only the pages that are touched.
//!
//! The first 2 MiB are the monitor's, the next [`TABLES`] page tables'; frames for programs follow.

use crate::error::RunError;
use parking_lot::{Mutex, MutexGuard};
use portolan::{PhysAddr, TableMemory};
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of a page, and of a table.
pub(crate) const PAGE: u64 = 4096;
/// Where page tables lie.
pub(crate) const TABLES: Range<u64> = 2 << 20..130 << 20;
/// Where the frames of programs begin.
pub(crate) const FRAMES: u64 = TABLES.end;

/// The bit of an entry that says that it is in use.
const PRESENT: u64 = 1;

/// A guest's physical memory: a handle, whose clones stand for the same memory.
#[derive(Clone)]
pub(crate) struct GuestMemory {
    shared: Arc<Shared>,
}

struct Shared {
    mapping: Mapping,
    phys_bits: u8,
    account: Mutex<Account>,
}

/// The account of table frames.
struct Account {
    /// Where no table has ever been.
    next: u64,
    spare: Vec<u64>,
    held: usize,
    most: usize,
    changes: Changes,
}

/// What the guest has not been told of yet.
///
/// A host without nested paging keeps shadows of the guest's tables, and learns of changes only from stores of the guest.
#[derive(Default)]
pub(crate) struct Changes {
    /// Words of tables that said something and were stored to.
    pub(crate) words: Vec<u64>,
    /// Tables that were freed, and are all zeros. They are not given out again before the guest has been told of that.
    freed: Vec<u64>,
}

impl GuestMemory {
    /// Memory of `bytes` bytes, a multiple of the page size, with physical addresses of `phys_bits` bits.
    pub(crate) fn new(bytes: u64, phys_bits: u8) -> Result<Self, RunError> {
        let account = Account {
            next: TABLES.start,
            spare: Vec::new(),
            held: 0,
            most: 0,
            changes: Changes::default(),
        };
        let shared = Shared {
            mapping: Mapping::new(bytes)?,
            phys_bits,
            account: Mutex::new(account),
        };
        Ok(GuestMemory {
            shared: Arc::new(shared),
        })
    }

    /// Where the host sees it, and how many bytes it has.
    pub(crate) fn host(&self) -> (u64, u64) {
        let mapping = &self.shared.mapping;
        (mapping.start.as_ptr() as u64, mapping.bytes)
    }

    /// Copies bytes into the memory.
    pub(crate) fn write(&self, addr: PhysAddr, bytes: &[u8]) {
        let to = self.shared.mapping.at(addr.as_u64(), bytes.len());
        // SAFETY: the bytes lie inside the mapping, and those of the slice elsewhere; the guest doesn't run meanwhile
        unsafe {
            to.as_ptr()
                .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
    }

    /// Where the host sees `len` bytes at a physical address.
    pub(crate) fn at(&self, addr: u64, len: usize) -> NonNull<u8> {
        self.shared.mapping.at(addr, len)
    }

    /// Fills a page with zeros.
    pub(crate) fn zero_page(&self, page: PhysAddr) {
        let to = self.shared.mapping.at(page.as_u64(), PAGE as usize);
        // SAFETY: the page lies inside the mapping; the guest doesn't run meanwhile
        unsafe { to.as_ptr().write_bytes(0, PAGE as usize) };
    }

    /// Copies a page.
    pub(crate) fn copy_page(&self, from: PhysAddr, to: PhysAddr) {
        let source = self.shared.mapping.at(from.as_u64(), PAGE as usize);
        let target = self.shared.mapping.at(to.as_u64(), PAGE as usize);
        // SAFETY: both pages lie inside the mapping, which `copy_to` allows to be the same; the guest doesn't run meanwhile
        unsafe { source.as_ptr().copy_to(target.as_ptr(), PAGE as usize) };
    }

    /// The word at a physical address.
    pub(crate) fn load(&self, addr: u64) -> u64 {
        self.shared.mapping.word(addr).load(Ordering::Acquire)
    }

    /// Writes the word at a physical address.
    pub(crate) fn store(&self, addr: u64, word: u64) {
        self.shared
            .mapping
            .word(addr)
            .store(word, Ordering::Release);
    }

    /// What the guest has to be told of.
    pub(crate) fn take_changes(&self) -> Changes {
        std::mem::take(&mut self.account().changes)
    }

    /// The guest has been told of `changes`.
    pub(crate) fn told(&self, changes: Changes) {
        self.account().spare.extend(changes.freed);
    }

    /// How many tables there are, and how many there were at most.
    pub(crate) fn tables(&self) -> (usize, usize) {
        let account = self.account();
        (account.held, account.most)
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        self.shared.account.lock()
    }

    fn word_of_table(table: PhysAddr, index: usize) -> u64 {
        table.as_u64() + 8 * index as u64
    }

    /// Notes that the word at `addr`, which was `old`, has been stored to.
    fn stored(&self, addr: u64, old: u64) {
        // what said nothing is in no shadow
        if old & PRESENT != 0 {
            self.account().changes.words.push(addr);
        }
    }
}

// SAFETY: a table comes from a region that nothing else uses, is aligned to its size, is zero when it is given out and given
// to one holder at a time; words are atomic, and the processor's order is that of the stores
unsafe impl TableMemory for GuestMemory {
    fn alloc_zeroed(&self, bytes: usize) -> Option<PhysAddr> {
        if bytes as u64 != PAGE {
            return None;
        }
        let mut account = self.account();
        let table = match account.spare.pop() {
            Some(table) => table,
            None if account.next < TABLES.end => {
                account.next += PAGE;
                account.next - PAGE
            }
            None => return None,
        };
        account.held += 1;
        account.most = account.most.max(account.held);
        Some(PhysAddr::new(table))
    }

    unsafe fn free(&self, table: PhysAddr, bytes: usize) {
        for addr in (table.as_u64()..table.as_u64() + bytes as u64).step_by(8) {
            let old = self.load(addr);
            if old != 0 {
                self.store(addr, 0);
                self.stored(addr, old);
            }
        }
        let mut account = self.account();
        account.held -= 1;
        account.changes.freed.push(table.as_u64());
    }

    unsafe fn read(&self, table: PhysAddr, index: usize) -> u64 {
        self.load(Self::word_of_table(table, index))
    }

    unsafe fn write(&self, table: PhysAddr, index: usize, word: u64) {
        let addr = Self::word_of_table(table, index);
        let old = self.load(addr);
        self.store(addr, word);
        self.stored(addr, old);
    }

    unsafe fn compare_exchange(
        &self,
        table: PhysAddr,
        index: usize,
        current: u64,
        new: u64,
    ) -> Result<u64, u64> {
        let addr = Self::word_of_table(table, index);
        let word = self.shared.mapping.word(addr);
        let answer = word.compare_exchange(current, new, Ordering::SeqCst, Ordering::SeqCst);
        if answer.is_ok() {
            self.stored(addr, current);
        }
        answer
    }

    fn phys_bits(&self) -> u8 {
        self.shared.phys_bits
    }
}

/// A mapping of the host.
struct Mapping {
    start: NonNull<u8>,
    bytes: u64,
}

impl Mapping {
    fn new(bytes: u64) -> Result<Self, RunError> {
        use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: asks for a new mapping at an address of the host's choice, which touches no existing memory
        let start = unsafe {
            mmap_anonymous(
                std::ptr::null_mut(),
                bytes as usize,
                ProtFlags::READ | ProtFlags::WRITE,
                flags,
            )
        };
        let start = start.map_err(|error| RunError::host("mmap", error))?;
        let start = NonNull::new(start.cast()).ok_or_else(|| RunError::Host {
            call: "mmap",
            reason: "a mapping at address 0".to_owned(),
        })?;
        Ok(Mapping { start, bytes })
    }

    /// Where `len` bytes at physical address `addr` are.
    fn at(&self, addr: u64, len: usize) -> NonNull<u8> {
        let end = addr.checked_add(len as u64);
        assert!(
            end.is_some_and(|end| end <= self.bytes),
            "{len} bytes at {addr:#x} are not in the guest's memory"
        );
        // SAFETY: the address lies inside the mapping, or at its end
        unsafe { self.start.add(addr as usize) }
    }

    fn word(&self, addr: u64) -> &AtomicU64 {
        let word = self.at(addr, 8).cast::<AtomicU64>();
        assert!(word.is_aligned(), "no word is at {addr:#x}");
        // SAFETY: the word lies inside the mapping, which lives as long as `self`, and is aligned. It is written as a word
        // only, or while nobody has a reference to it: references don't leave this module
        unsafe { word.as_ref() }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and no reference into it outlives `self`
        let unmapped =
            unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), self.bytes as usize) };
        debug_assert!(unmapped.is_ok(), "the mapping is there");
    }
}

// SAFETY: a mapping belongs to the process, not to a thread; handles copy bytes while the guest doesn't run, and frames have
// one user at a time
unsafe impl Send for Mapping {}
// SAFETY: as above
unsafe impl Sync for Mapping {}
