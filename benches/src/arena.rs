//! Memory that all have in common: a pool of tables, and frames that nobody touches.

use std::alloc::{Layout, alloc_zeroed};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

/// How many bytes a table or a frame has.
pub const PAGE: u64 = 0x1000;
/// How many tables there are.
const TABLES: usize = 4096;
/// How many frames there are: 1 GiB.
pub const FRAMES: usize = 0x4_0000;
/// Where the frames lie.
pub const FIRST_FRAME: u64 = 0x1_0000_0000;

/// Addresses that are free, to be taken from the end.
#[derive(Default)]
pub struct Free(Mutex<Vec<u64>>);

impl Free {
    /// The free addresses.
    pub fn lock(&self) -> MutexGuard<'_, Vec<u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts the addresses in order, so that the next is the lowest, or in an order without neighbours.
    pub fn arrange(&self, order: Order) {
        let mut free = self.lock();
        free.sort_unstable_by_key(|addr| std::cmp::Reverse(*addr));
        if let Order::Scattered = order {
            free.sort_by_key(|addr| (addr / PAGE).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        }
    }
}

/// In which order frames are handed out.
#[derive(Clone, Copy)]
pub enum Order {
    /// Neighbours follow each other.
    Ascending,
    /// They don't.
    Scattered,
}

/// The tables.
pub struct Arena {
    memory: usize,
    free: Free,
}

/// All tables, which have been written to once.
pub static ARENA: LazyLock<Arena> = LazyLock::new(|| {
    let layout = Layout::from_size_align(TABLES * PAGE as usize, PAGE as usize).expect("a layout");
    // SAFETY: the layout has a size
    let memory = unsafe { alloc_zeroed(layout) };
    assert!(!memory.is_null());
    // SAFETY: the memory has as many bytes
    unsafe { memory.write_bytes(0, layout.size()) };
    let free = (1..TABLES as u64).rev().map(|n| n * PAGE).collect();
    Arena {
        memory: memory as usize,
        free: Free(Mutex::new(free)),
    }
});

impl Arena {
    /// A table filled with zeros.
    pub fn alloc(&self) -> Option<u64> {
        let table = self.free.lock().pop()?;
        // SAFETY: the table lies in the arena, and nobody else has it
        unsafe { self.at(table).write_bytes(0, PAGE as usize / 8) };
        Some(table)
    }

    /// Takes a table back.
    pub fn free(&self, table: u64) {
        self.free.lock().push(table);
    }

    /// Where a table's words are.
    pub fn at(&self, table: u64) -> *mut u64 {
        (self.memory + table as usize) as *mut u64
    }

    /// What is added to a physical address to get at the memory.
    pub fn offset(&self) -> u64 {
        self.memory as u64
    }

    /// How many tables are free.
    pub fn left(&self) -> usize {
        self.free.lock().len()
    }
}

/// Frames and how often each is referred to, in an array beside: what other crates' page tables are given to do the work of
/// [`FrameTable`](portolan::frame::FrameTable).
pub struct Counted {
    /// Those to which nobody refers.
    pub free: Free,
    counts: Vec<AtomicU32>,
}

/// All frames, for the page tables of other crates.
pub static COUNTED: LazyLock<Counted> = LazyLock::new(|| Counted {
    free: Free(Mutex::new(frames().collect())),
    counts: (0..FRAMES).map(|_| AtomicU32::new(0)).collect(),
});

/// The addresses of all frames.
pub fn frames() -> impl Iterator<Item = u64> {
    (0..FRAMES as u64).map(|n| FIRST_FRAME + n * PAGE)
}

impl Counted {
    fn count(&self, frame: u64) -> &AtomicU32 {
        &self.counts[((frame - FIRST_FRAME) / PAGE) as usize]
    }

    /// A frame with one reference.
    pub fn alloc(&self) -> u64 {
        let frame = self.free.lock().pop().expect("a frame");
        self.count(frame).store(1, Ordering::Relaxed);
        frame
    }

    /// One more reference.
    pub fn share(&self, frame: u64) {
        self.count(frame).fetch_add(1, Ordering::Relaxed);
    }

    /// One reference less to each.
    pub fn release(&self, frames: &mut Vec<u64>) {
        FLUSHES.fetch_add(1, Ordering::Relaxed);
        frames.retain(|&frame| self.count(frame).fetch_sub(1, Ordering::AcqRel) == 1);
        self.free.lock().append(frames);
    }
}

/// How often a TLB would have been flushed.
pub static FLUSHES: AtomicUsize = AtomicUsize::new(0);

/// How many frames wait for one flush.
pub const BATCH: usize = 32;
