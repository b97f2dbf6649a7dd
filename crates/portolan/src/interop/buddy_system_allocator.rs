//! Frames from the buddies of the [`buddy_system_allocator`](https://docs.rs/buddy_system_allocator) crate.

use crate::addr::PhysAddr;
use crate::frame::{FRAME_SIZE, FrameAllocator};
use buddy_system_allocator::FrameAllocator as Buddies;
use lock_api::{Mutex, RawMutex};

/// The largest block is of 2^31 frames, 8 TiB.
const ORDER: usize = 32;

/// An allocator of frames in blocks of powers of two, each block aligned to its length, behind a lock of the kernel's
/// choice.
///
/// What is left over of a block is free at once, so that a segment takes just the frames that it has.
///
/// The lock is taken whenever frames are handed out or come back: where interrupts drop frames, it has to be one that
/// keeps them off. The buddies are noted on the heap, so the heap must not take frames from here to grow.
///
/// ```
/// use portolan::PhysAddr;
/// use portolan::frame::{FrameTable, MetaSlot, Segment};
/// use portolan::interop::buddy_system_allocator::BuddyFrames;
///
/// let mut slots = [const { MetaSlot::new() }; 16];
/// let buddies = BuddyFrames::<spin::Mutex<()>>::new();
/// let frames = FrameTable::new(PhysAddr::new(0x8000_0000), &mut slots, buddies)?;
/// let ram = PhysAddr::new(0x8000_0000)..PhysAddr::new(0x8001_0000);
/// // SAFETY: nobody uses this memory
/// unsafe { frames.add(ram.clone())? };
/// frames.free(ram)?;
///
/// let buffer = Segment::alloc(&frames, 5, 0x8000, |_| ())?;
/// assert_eq!(buffer.paddr().as_u64() % 0x8000, 0);
/// assert_eq!(frames.allocator().available(), 11);
/// # Ok::<(), portolan::frame::FrameError>(())
/// ```
pub struct BuddyFrames<R> {
    inner: Mutex<R, Inner>,
}

struct Inner {
    buddies: Buddies<ORDER>,
    /// How many frames were handed out and have not come back.
    out: usize,
    /// How many frames are here.
    available: usize,
}

impl<R: RawMutex> BuddyFrames<R> {
    /// An allocator without frames.
    #[must_use]
    pub const fn new() -> Self {
        BuddyFrames {
            inner: Mutex::new(Inner {
                buddies: Buddies::new(),
                out: 0,
                available: 0,
            }),
        }
    }

    /// How many frames can be handed out, one by one.
    #[must_use]
    pub fn available(&self) -> usize {
        self.inner.lock().available
    }
}

impl<R: RawMutex> Default for BuddyFrames<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl Inner {
    /// Takes the frames from `start` to `end`, block by block.
    fn take_back(&mut self, start: usize, end: usize) {
        let mut at = start;
        while at < end {
            let aligned = if at == 0 {
                ORDER - 1
            } else {
                at.trailing_zeros() as usize
            };
            let fits = (end - at).ilog2() as usize;
            let size = 1 << aligned.min(fits).min(ORDER - 1);
            // the buddies count what is out, and must not be given more than that as something that comes back
            if size <= self.out {
                self.buddies.dealloc(at, size);
                self.out -= size;
            } else {
                self.buddies.add_frame(at, at + size);
            }
            self.available += size;
            at += size;
        }
    }
}

impl<R: RawMutex> FrameAllocator for BuddyFrames<R> {
    fn alloc(&self, frames: usize, align: u64) -> Option<PhysAddr> {
        let align = usize::try_from(align.div_ceil(FRAME_SIZE)).ok()?;
        let size = frames.max(align).checked_next_power_of_two()?;
        let mut inner = self.inner.lock();
        let start = inner.buddies.alloc(size)?;
        inner.out += size;
        inner.available -= size;
        inner.take_back(start + frames, start + size);
        Some(PhysAddr::new(start as u64 * FRAME_SIZE))
    }

    fn dealloc(&self, addr: PhysAddr, frames: usize) {
        let start = (addr.as_u64() / FRAME_SIZE) as usize;
        self.inner.lock().take_back(start, start + frames);
    }
}
