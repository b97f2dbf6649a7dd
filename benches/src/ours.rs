//! Portolan's address spaces.

use crate::Peer;
use crate::arena::{ARENA, FIRST_FRAME, FLUSHES, FRAMES, Free, Order, PAGE, frames};
use portolan::frame::{Frame, FrameAllocator, FrameTable, MetaSlot};
use portolan::hw::{AtomicMode, Processors};
use portolan::space::{Cpu, Kernel, Machine, VmSpace};
use portolan::tlb::{CpuSlot, Shootdown};
use portolan::{
    FlushRange, PageProperty, PageTable, PhysAddr, Preset, TableMemory, VirtAddr, VirtRange, X86_64,
};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The kernel of the benchmarks.
pub struct Bench;

impl Kernel for Bench {
    type Mode = X86_64;
    type Bits = Preset;
    type Tables = Tables;
    type Frames = Pool;
    type Cpus = Cpus;
}

/// Tables in the arena, and what is added to an address to get at them.
#[derive(Clone, Copy)]
pub struct Tables {
    offset: u64,
}

impl Tables {
    /// Those of the arena.
    fn new() -> Self {
        Tables {
            offset: ARENA.offset(),
        }
    }

    /// Where a word is.
    #[inline]
    fn at(self, table: PhysAddr, index: usize) -> *mut u64 {
        (self.offset + table.as_u64() + 8 * index as u64) as *mut u64
    }
}

// SAFETY: the arena's tables are distinct, and reached by their offsets
unsafe impl TableMemory for Tables {
    fn alloc_zeroed(&self, _: usize) -> Option<PhysAddr> {
        ARENA.alloc().map(PhysAddr::new)
    }
    unsafe fn free(&self, table: PhysAddr, _: usize) {
        ARENA.free(table.as_u64());
    }
    #[inline]
    unsafe fn read(&self, table: PhysAddr, index: usize) -> u64 {
        // SAFETY: the caller promises that there is a table
        unsafe { self.at(table, index).read_volatile() }
    }
    #[inline]
    unsafe fn write(&self, table: PhysAddr, index: usize, word: u64) {
        // SAFETY: as above
        unsafe { self.at(table, index).write_volatile(word) }
    }
    #[inline]
    unsafe fn compare_exchange(
        &self,
        table: PhysAddr,
        index: usize,
        current: u64,
        new: u64,
    ) -> Result<u64, u64> {
        // SAFETY: as above
        let word = unsafe { AtomicU64::from_ptr(self.at(table, index)) };
        word.compare_exchange(current, new, Ordering::SeqCst, Ordering::SeqCst)
    }
    #[inline]
    fn phys_bits(&self) -> u8 {
        46
    }
}

/// Frames that are free.
#[derive(Default)]
pub struct Pool(Free);

impl FrameAllocator for Pool {
    fn alloc(&self, frames: usize, _: u64) -> Option<PhysAddr> {
        (frames == 1).then(|| self.0.lock().pop().map(PhysAddr::new))?
    }
    fn dealloc(&self, addr: PhysAddr, frames: usize) {
        let all = (0..frames as u64).map(|n| addr.as_u64() + n * PAGE);
        self.0.lock().extend(all);
    }
}

/// Processors that count what they would invalidate.
pub struct Cpus;

// SAFETY: no processor uses the tables
unsafe impl Processors<X86_64> for Cpus {
    fn invalidate(&self, _: FlushRange<X86_64>) {
        FLUSHES.fetch_add(1, Ordering::Relaxed);
    }
    unsafe fn switch(&self, _: PhysAddr) {}
    fn leave(&self) {}
    fn notify(&self, _: usize) {}
    fn relax(&self) {
        // threads are preempted, unlike processors in atomic mode
        std::thread::yield_now();
    }
}

/// A thread that stands for a processor.
struct Pinned(usize);

// SAFETY: each thread of a benchmark has its own number
unsafe impl AtomicMode for Pinned {
    fn cpu(&self) -> usize {
        self.0
    }
}

static MACHINE: LazyLock<Machine<'static, Bench>> = LazyLock::new(|| {
    let slots: Vec<_> = (0..FRAMES).map(|_| MetaSlot::new()).collect();
    let base = PhysAddr::new(FIRST_FRAME);
    let table = FrameTable::new(base, slots.leak(), Pool::default()).expect("a table of frames");
    let table = Box::leak(Box::new(table));
    let all = base..PhysAddr::new(FIRST_FRAME + FRAMES as u64 * PAGE);
    // SAFETY: the frames are made up, and no memory is used by their addresses
    unsafe { table.add(all.clone()) }.expect("frames");
    table.free(all).expect("frames");
    assert_eq!(frames().count(), table.allocator().0.lock().len());
    let slots: Vec<_> = (0..2).map(|_| CpuSlot::new()).collect();
    let shootdown = Box::leak(Box::new(Shootdown::new(slots.leak())));
    Machine::new(table, shootdown, Cpus)
});

/// An address space.
pub struct Ours(&'static VmSpace<'static, Bench>);

fn range(addr: u64, bytes: u64) -> VirtRange<X86_64> {
    let start = VirtAddr::new(addr).expect("an address");
    VirtRange::new(start, bytes).expect("a range")
}

impl Peer for Ours {
    fn arrange(order: Order) {
        MACHINE.frames().allocator().0.arrange(order);
    }

    fn new() -> Self {
        let table = PageTable::new(Tables::new()).expect("a root");
        let space = VmSpace::new(&*MACHINE, table).expect("an empty table");
        Ours(Box::leak(Box::new(space)))
    }

    fn fault(&self, cpu: usize, addr: u64) {
        let guard = Pinned(cpu);
        let frame = Frame::alloc(MACHINE.frames(), ())
            .expect("a frame")
            .into_untyped();
        let mut cursor = self
            .0
            .cursor_mut(&guard, &range(addr, PAGE))
            .expect("a cursor");
        cursor.map(frame, PageProperty::USER_RW).expect("room");
    }

    fn churn(&self, cpu: usize, (start, bytes): (u64, u64), addr: u64) {
        let guard = Pinned(cpu);
        let frame = Frame::alloc(MACHINE.frames(), ())
            .expect("a frame")
            .into_untyped();
        let page = VirtAddr::new(addr).expect("an address");
        let mut cursor = self
            .0
            .cursor_mut(&guard, &range(start, bytes))
            .expect("a cursor");
        cursor.jump(page).expect("in the range");
        cursor.map(frame, PageProperty::USER_RW).expect("room");
        cursor.jump(page).expect("in the range");
        cursor.unmap(PAGE).expect("a page");
    }

    fn unmap(&self, cpu: usize, addr: u64, bytes: u64) {
        let guard = Pinned(cpu);
        let mut cursor = self
            .0
            .cursor_mut(&guard, &range(addr, bytes))
            .expect("a cursor");
        cursor.unmap(bytes).expect("pages");
    }

    fn fork(&self, cpu: usize, _: u64, _: u64) -> Self {
        let table = PageTable::new(Tables::new()).expect("a root");
        let child = self.0.fork(&Pinned(cpu), table).expect("memory");
        Ours(Box::leak(Box::new(child)))
    }

    fn used<R>(&self, work: impl FnOnce() -> R) -> R {
        let guard = Pinned(0);
        // SAFETY: no processor uses any table, and this one leaves before there is another value for it
        let mut cpu = unsafe { Cpu::new(&*MACHINE, &guard) }.expect("a processor");
        cpu.activate(&guard, self.0).expect("this processor");
        let r = work();
        cpu.deactivate(&guard).expect("this processor");
        r
    }

    fn end(self, _: u64, _: u64) {
        // SAFETY: `new` or `fork` has leaked it, and nobody refers to it any more
        drop(unsafe { Box::from_raw(std::ptr::from_ref(self.0).cast_mut()) });
    }
}
