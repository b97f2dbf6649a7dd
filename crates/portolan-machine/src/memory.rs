//! Physical memory, and the table frames in it.

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(crate) mod foreign;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(crate) mod mapped;
mod sparse;

use portolan::{PhysAddr, TableMemory};
use sparse::Sparse;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Bytes of a frame.
const FRAME: u64 = 4096;

/// A machine's physical memory: a handle, whose clones stand for the same memory.
///
/// As a [`TableMemory`] it is strict: a table frame that is used after it was freed, freed twice, or freed with
/// another size than it was allocated with is a panic. It counts the frames that are held, and it can be told to
/// refuse a request.
#[derive(Clone)]
pub struct Memory {
    shared: Arc<Shared>,
}

struct Shared {
    words: Words,
    phys_bits: u8,
    tables: Range<u64>,
    recorded: Recorded,
    frames: Mutex<Frames>,
    observer: OnceLock<Box<dyn Observer>>,
}

/// Where the words are.
enum Words {
    Sparse(Box<Sparse>),
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    Mapped(mapped::Mapped),
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    Foreign(foreign::Foreign),
}

/// Which of the host's stores a guest has to be told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(all(target_os = "linux", target_arch = "x86_64")),
    expect(dead_code, reason = "only guests have stores recorded")
)]
pub(crate) enum Recorded {
    /// None.
    Nothing,
    /// Those to tables: who walks them learns of a change only from the guest.
    Tables,
    /// Those to data: who translates the guest's code learns of a change only from the guest.
    Data,
}

/// The account of table frames.
#[derive(Default)]
struct Frames {
    held: HashMap<u64, usize>,
    spare: HashMap<usize, Vec<u64>>,
    next: u64,
    requests: u64,
    refuse: Option<u64>,
    journal: Journal,
}

/// What a guest has not been told of yet.
#[derive(Default)]
pub(crate) struct Journal {
    words: Vec<u64>,
    /// Table frames that were freed, with their sizes. A host that shadows the guest's tables may still have what they said,
    /// and would go by it where one is linked again, so they are not given out before it knows that they say nothing.
    freed: Vec<(u64, usize)>,
}

impl Journal {
    /// The words with recorded stores, in ascending order.
    pub(crate) fn words(&mut self) -> &[u64] {
        self.words.sort_unstable();
        self.words.dedup();
        &self.words
    }
}

/// Someone who is told when table frames change.
pub(crate) trait Observer: Send + Sync {
    /// The word of a table at `addr` was written.
    fn stored(&self, addr: u64, old: u64, new: u64);
    /// A table frame is about to be freed.
    fn freed(&self, table: u64, bytes: usize);
}

impl Memory {
    /// Memory of `2^phys_bits` bytes, of which only what is written takes room.
    ///
    /// # Panics
    /// If `phys_bits` is not between 36 and 52.
    #[must_use]
    pub fn sparse(phys_bits: u8) -> Self {
        assert!(
            (36..=52).contains(&phys_bits),
            "physical addresses have 36 to 52 bits"
        );
        let tables = 1 << (phys_bits - 2)..1 << (phys_bits - 1);
        Self::new(
            Words::Sparse(Box::default()),
            phys_bits,
            tables,
            Recorded::Nothing,
        )
    }

    /// Memory that a guest sees, with a journal of the stores that are to be `recorded`.
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    pub(crate) fn mapped(
        words: mapped::Mapped,
        phys_bits: u8,
        tables: Range<u64>,
        recorded: Recorded,
    ) -> Self {
        Self::new(Words::Mapped(words), phys_bits, tables, recorded)
    }

    /// Memory of a guest that another process keeps to itself, with a journal of the stores to data.
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    pub(crate) fn foreign(words: foreign::Foreign, phys_bits: u8, tables: Range<u64>) -> Self {
        Self::new(Words::Foreign(words), phys_bits, tables, Recorded::Data)
    }

    fn new(words: Words, phys_bits: u8, tables: Range<u64>, recorded: Recorded) -> Self {
        let shared = Shared {
            words,
            phys_bits,
            tables,
            recorded,
            frames: Mutex::default(),
            observer: OnceLock::new(),
        };
        Memory {
            shared: Arc::new(shared),
        }
    }

    /// Tells `observer` of every store to a table, from now on. Only the first call has an effect.
    pub(crate) fn observe(&self, observer: Box<dyn Observer>) {
        let _ = self.shared.observer.set(observer);
    }

    /// What was recorded since the last call.
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    pub(crate) fn take_journal(&self) -> Journal {
        std::mem::take(&mut self.frames().journal)
    }

    /// The guest has been told of all in `journal`.
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    pub(crate) fn told(&self, journal: Journal) {
        let mut frames = self.frames();
        for (frame, bytes) in journal.freed {
            frames.spare.entry(bytes).or_default().push(frame);
        }
    }

    /// The physical addresses that are memory, but for those that table frames come from. One range may be empty.
    #[must_use]
    pub fn data(&self) -> [Range<u64>; 2] {
        match &self.shared.words {
            Words::Sparse(_) => [
                0..self.shared.tables.start,
                self.shared.tables.end..1 << self.shared.phys_bits,
            ],
            #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
            Words::Mapped(words) => [words.range().start + (1 << 30)..words.range().end, 0..0],
            #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
            Words::Foreign(words) => [1 << 30..words.range().end, 0..0],
        }
    }

    /// How many bits physical addresses have.
    #[must_use]
    pub fn phys_bits(&self) -> u8 {
        self.shared.phys_bits
    }

    /// How many table frames are held: allocated and not freed.
    #[must_use]
    pub fn frames_held(&self) -> usize {
        self.frames().held.len()
    }

    /// How many table frames were asked for, whether or not they were given.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.frames().requests
    }

    /// Refuses one request for a table frame: after `n` more that are granted, the next one.
    pub fn refuse_after(&self, n: u64) {
        let mut frames = self.frames();
        frames.refuse = Some(frames.requests + n);
    }

    /// Grants all requests again.
    pub fn refuse_none(&self) {
        self.frames().refuse = None;
    }

    /// Whether `addr` lies in a table frame that is held.
    #[must_use]
    pub fn is_table(&self, addr: u64) -> bool {
        self.frames().held.contains_key(&(addr & !(FRAME - 1)))
    }

    /// The address of the word at `addr`, if there is memory.
    pub(crate) fn word_at(&self, addr: u64) -> Option<PhysAddr> {
        (addr >> self.shared.phys_bits == 0).then_some(PhysAddr::new(addr))
    }

    /// The word at a physical address.
    ///
    /// # Panics
    /// If there is no memory, or the address is not a multiple of 8.
    #[must_use]
    pub fn load(&self, addr: PhysAddr) -> u64 {
        match &self.shared.words {
            Words::Sparse(words) => words.load(self.check(addr)),
            #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
            Words::Mapped(words) => words.load(self.check(addr)),
            #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
            Words::Foreign(words) => words.load(self.check(addr)),
        }
    }

    /// Writes the word at a physical address.
    ///
    /// # Panics
    /// As for [`load`](Self::load).
    pub fn store(&self, addr: PhysAddr, word: u64) {
        match &self.shared.words {
            Words::Sparse(words) => words.store(self.check(addr), word),
            #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
            Words::Mapped(words) => words.store(self.check(addr), word),
            #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
            Words::Foreign(words) => words.store(self.check(addr), word),
        }
        self.record_data(addr);
    }

    /// Exchanges the word at a physical address for `new` if it is `current`.
    ///
    /// # Errors
    /// What the word is, if that is not `current`.
    ///
    /// # Panics
    /// As for [`load`](Self::load).
    pub fn exchange(&self, addr: PhysAddr, current: u64, new: u64) -> Result<u64, u64> {
        let answer = match &self.shared.words {
            Words::Sparse(words) => words.exchange(self.check(addr), current, new),
            #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
            Words::Mapped(words) => words.exchange(self.check(addr), current, new),
            #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
            Words::Foreign(words) => words.exchange(self.check(addr), current, new),
        };
        if answer.is_ok() {
            self.record_data(addr);
        }
        answer
    }

    /// Notes a store to `addr` if those to data are recorded and it is such: outside of the tables, and not below them,
    /// where a guest's own program is.
    fn record_data(&self, addr: PhysAddr) {
        if self.shared.recorded == Recorded::Data && addr.as_u64() >= self.shared.tables.end {
            self.frames().journal.words.push(addr.as_u64());
        }
    }

    /// Notes a store to a word of a table if those are recorded.
    fn record_table(&self, word: u64) {
        if self.shared.recorded == Recorded::Tables {
            self.frames().journal.words.push(word);
        }
    }

    fn check(&self, addr: PhysAddr) -> u64 {
        let addr = addr.as_u64();
        assert!(
            addr.is_multiple_of(8),
            "{addr:#x} is not the address of a word"
        );
        assert!(
            addr >> self.shared.phys_bits == 0,
            "{addr:#x} is wider than a physical address"
        );
        addr
    }

    fn frames(&self) -> MutexGuard<'_, Frames> {
        // A panic of this module's own checks leaves the account as it was
        self.shared
            .frames
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The address of word `index` of a table that must be held.
    fn word_of_table(&self, table: PhysAddr, index: usize) -> PhysAddr {
        let held = self.frames().held.get(&table.as_u64()).copied();
        let Some(bytes) = held else {
            panic!("table {table:x?} is used, but not allocated")
        };
        assert!(index < bytes / 8, "table {table:x?} has no word {index}");
        PhysAddr::new(table.as_u64() + 8 * index as u64)
    }

    /// Records that a word of a table was stored, and tells the observer.
    fn stored(&self, word: PhysAddr, old: u64, new: u64) {
        self.record_table(word.as_u64());
        if let Some(observer) = self.shared.observer.get() {
            observer.stored(word.as_u64(), old, new);
        }
    }

    /// Fills a freed frame with entries that lead back to it, so that a walk into it ends in words that nobody wrote.
    /// Not in a guest's memory, which would have to be told of each.
    fn spoil(&self, table: PhysAddr, bytes: usize) {
        if let Words::Sparse(words) = &self.shared.words {
            for word in (table.as_u64()..table.as_u64() + bytes as u64).step_by(8) {
                words.store(word, table.as_u64() | 0x67);
            }
        }
    }

    /// Zeroes a table frame that nobody else uses, and records what changes.
    fn zero(&self, frame: u64, bytes: usize) {
        for addr in (frame..frame + bytes as u64).step_by(8).map(PhysAddr::new) {
            if self.load(addr) != 0 {
                self.store(addr, 0);
                self.record_table(addr.as_u64());
            }
        }
    }
}

impl Frames {
    /// A frame that is not held: one that was freed last, or a new one.
    fn take(&mut self, bytes: usize, region: &Range<u64>, scattered: bool) -> Option<u64> {
        if let Some(frame) = self.spare.get_mut(&bytes).and_then(Vec::pop) {
            return Some(frame);
        }
        let slots = (region.end - region.start) / bytes as u64;
        let room = |next: u64| next < slots;
        while room(self.next) {
            // An odd factor permutes the slots, a power of two of them, and spreads them over all address bits
            let slot = if scattered {
                self.next.wrapping_mul(0x9e37_79b9_7f4a_7c15) & (slots - 1)
            } else {
                self.next
            };
            self.next += 1;
            let frame = region.start + slot * bytes as u64;
            let free = |page: u64| !self.held.contains_key(&page) && !self.is_spare(page);
            if (frame..frame + bytes as u64)
                .step_by(FRAME as usize)
                .all(free)
            {
                return Some(frame);
            }
        }
        None
    }

    fn is_spare(&self, page: u64) -> bool {
        // Sizes other than a frame's are for other granules; one memory serves one of them
        self.spare
            .iter()
            .any(|(bytes, frames)| *bytes as u64 != FRAME && frames.contains(&page))
    }
}

// SAFETY: a frame comes from a region that nothing else uses, is aligned to its size, which `take` divides the region
// by, is zeroed before it is given out and given to one holder at a time; words are atomic, with the strongest ordering
unsafe impl TableMemory for Memory {
    fn alloc_zeroed(&self, bytes: usize) -> Option<PhysAddr> {
        assert!(
            bytes.is_power_of_two() && bytes as u64 >= FRAME,
            "a table of {bytes} bytes"
        );
        let frame = {
            let mut frames = self.frames();
            let request = frames.requests;
            frames.requests += 1;
            if frames.refuse.take_if(|n| *n == request).is_some() {
                return None;
            }
            let scattered = matches!(self.shared.words, Words::Sparse(_));
            let frame = frames.take(bytes, &self.shared.tables, scattered)?;
            frames.held.insert(frame, bytes);
            frame
        };
        self.zero(frame, bytes);
        Some(PhysAddr::new(frame))
    }

    unsafe fn free(&self, table: PhysAddr, bytes: usize) {
        if let Some(observer) = self.shared.observer.get() {
            observer.freed(table.as_u64(), bytes);
        }
        let held = self.frames().held.remove(&table.as_u64());
        assert!(
            held == Some(bytes),
            "table {table:x?} of {bytes} bytes is freed, but {held:?} are held"
        );
        if self.shared.recorded == Recorded::Tables {
            self.zero(table.as_u64(), bytes);
            let freed = (table.as_u64(), bytes);
            self.frames().journal.freed.push(freed);
            return;
        }
        self.spoil(table, bytes);
        let mut frames = self.frames();
        frames.spare.entry(bytes).or_default().push(table.as_u64());
    }

    unsafe fn read(&self, table: PhysAddr, index: usize) -> u64 {
        self.load(self.word_of_table(table, index))
    }

    unsafe fn write(&self, table: PhysAddr, index: usize, word: u64) {
        let addr = self.word_of_table(table, index);
        let old = self.load(addr);
        self.store(addr, word);
        self.stored(addr, old, word);
    }

    unsafe fn compare_exchange(
        &self,
        table: PhysAddr,
        index: usize,
        current: u64,
        new: u64,
    ) -> Result<u64, u64> {
        let addr = self.word_of_table(table, index);
        let answer = self.exchange(addr, current, new);
        if answer.is_ok() {
            self.stored(addr, current, new);
        }
        answer
    }

    fn phys_bits(&self) -> u8 {
        self.shared.phys_bits
    }
}
