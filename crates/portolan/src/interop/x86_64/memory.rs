//! Tables from a frame allocator, reached through a mapping of all physical memory.

use crate::{PhysAddr, TableMemory};
use ::x86_64::VirtAddr;
use ::x86_64::structures::paging::{FrameAllocator, FrameDeallocator, PhysFrame, Size4KiB};
use core::cell::RefCell;
use core::sync::atomic::{AtomicU64, Ordering};

/// A frame allocator behind whatever keeps its users apart; a value is a cheap handle to it.
///
/// A kernel with one processor has a `&RefCell`. One with more has its own lock, in a few lines:
///
/// ```
/// use portolan::interop::x86_64::SharedAllocator;
/// # use std::sync::{Mutex, PoisonError};
/// # struct Lock<T>(Mutex<T>);
/// # impl<T> Lock<T> {
/// #     fn lock(&self) -> std::sync::MutexGuard<'_, T> { self.0.lock().unwrap_or_else(PoisonError::into_inner) }
/// # }
/// # struct Frames;
/// # static FRAMES: Lock<Frames> = Lock(Mutex::new(Frames));
///
/// /// The allocator in `static FRAMES: Lock<Frames>`.
/// #[derive(Clone, Copy)]
/// struct Global;
///
/// impl SharedAllocator for Global {
///     type Allocator = Frames;
///     fn with<R>(&self, use_it: impl FnOnce(&mut Frames) -> R) -> Option<R> {
///         Some(use_it(&mut FRAMES.lock()))
///     }
/// }
/// # assert!(Global.with(|_| ()).is_some());
/// ```
///
/// If an interrupt handler changes page tables too, the lock is one that disables interrupts.
pub trait SharedAllocator: Clone {
    /// The frame allocator.
    type Allocator;

    /// What `use_it` makes of the allocator, or `None` if somebody else is using it.
    ///
    /// `None` counts as out of memory for who wants a frame; a frame that was to be given back is lost.
    fn with<R>(&self, use_it: impl FnOnce(&mut Self::Allocator) -> R) -> Option<R>;
}

/// For one processor. While somebody holds a borrow, there are no frames.
impl<F> SharedAllocator for &RefCell<F> {
    type Allocator = F;

    #[inline]
    fn with<R>(&self, use_it: impl FnOnce(&mut F) -> R) -> Option<R> {
        self.try_borrow_mut()
            .ok()
            .map(|mut frames| use_it(&mut frames))
    }
}

/// Tables in frames of an allocator of the [`x86_64`](https://docs.rs/x86_64) crate, all of which are mapped at one
/// offset.
///
/// Words are accessed as atomics, so any number of page tables, on any number of processors if `S` is for that, may share
/// one allocator.
#[derive(Clone, Copy, Debug)]
pub struct OffsetMemory<S> {
    frames: S,
    offset: VirtAddr,
    phys_bits: u8,
}

impl<S: SharedAllocator> OffsetMemory<S>
where
    S::Allocator: FrameAllocator<Size4KiB> + FrameDeallocator<Size4KiB>,
{
    /// Tables in frames of `frames`, of which the one at physical address `p` is at virtual address `offset + p`, on a
    /// processor whose physical addresses have `phys_bits` bits (`MAXPHYADDR`, CPUID 80000008H:EAX\[7:0\]).
    ///
    /// # Safety
    /// As long as a value made from this one, or a page table with one, exists:
    /// - every frame of `frames` is mapped writable and write-back at `offset` plus its address, which doesn't pass the last
    ///   address, and is below 2 to the power of `phys_bits`;
    /// - clones of `frames` give access to the same allocator, and neither it nor [`SharedAllocator::with`] unwinds.
    ///
    /// That a frame has no other user is what an implementer of `FrameAllocator` promises.
    #[inline]
    pub const unsafe fn new(frames: S, offset: VirtAddr, phys_bits: u8) -> Self {
        OffsetMemory {
            frames,
            offset,
            phys_bits,
        }
    }

    fn words(&self, table: PhysAddr) -> *mut u64 {
        let at = self.offset.as_u64().wrapping_add(table.as_u64());
        core::ptr::with_exposed_provenance_mut(at as usize)
    }

    /// Word `index` of a table.
    ///
    /// # Safety
    /// As for [`TableMemory::read`].
    unsafe fn word(&self, table: PhysAddr, index: usize) -> &AtomicU64 {
        let word = self.words(table).wrapping_add(index);
        // SAFETY: the frame is ours and mapped, as `new` was promised; words are multiples of 8 bytes from its start, and
        // all accesses to them from now on are atomic
        unsafe { AtomicU64::from_ptr(word) }
    }
}

// SAFETY: frames are 4 KiB, aligned and nobody else's by the contract of `FrameAllocator`, and zeroed here; `new` was promised
// that they are mapped, how wide their addresses are, and that nothing unwinds; an atomic access is one of 64 bits, and
// releasing stores are made in their order
unsafe impl<S: SharedAllocator> TableMemory for OffsetMemory<S>
where
    S::Allocator: FrameAllocator<Size4KiB> + FrameDeallocator<Size4KiB>,
{
    fn alloc_zeroed(&self, bytes: usize) -> Option<PhysAddr> {
        if bytes != 4096 {
            return None;
        }
        let frame: PhysFrame = self.frames.with(FrameAllocator::allocate_frame)??;
        let table = PhysAddr::from(frame);
        // SAFETY: the frame is ours alone, and mapped, as `new` was promised
        unsafe { self.words(table).write_bytes(0, bytes / 8) };
        Some(table)
    }

    unsafe fn free(&self, table: PhysAddr, _bytes: usize) {
        if let Ok(frame) = PhysFrame::try_from(table) {
            self.frames.with(|frames| {
                // SAFETY: it came from this allocator, and its user is done with it
                unsafe { frames.deallocate_frame(frame) }
            });
        }
    }

    unsafe fn read(&self, table: PhysAddr, index: usize) -> u64 {
        // SAFETY: the caller promises what `word` asks for
        unsafe { self.word(table, index) }.load(Ordering::Acquire)
    }

    unsafe fn write(&self, table: PhysAddr, index: usize, word: u64) {
        // SAFETY: the caller promises what `word` asks for
        unsafe { self.word(table, index) }.store(word, Ordering::Release);
    }

    unsafe fn compare_exchange(
        &self,
        table: PhysAddr,
        index: usize,
        current: u64,
        new: u64,
    ) -> Result<u64, u64> {
        // SAFETY: the caller promises what `word` asks for
        let word = unsafe { self.word(table, index) };
        word.compare_exchange(current, new, Ordering::AcqRel, Ordering::Acquire)
    }

    fn phys_bits(&self) -> u8 {
        self.phys_bits
    }
}
