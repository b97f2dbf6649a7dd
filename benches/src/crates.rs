//! Page tables of other crates behind a lock, with frames that are counted beside.

use crate::Peer;
use crate::arena::{ARENA, BATCH, COUNTED, FLUSHES, Order, PAGE};
use page_table_multiarch::x86_64::X64PageTable;
use page_table_multiarch::{MappingFlags, PageSize, PagingHandler};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};
use x86_64::structures::paging::mapper::{CleanUp, TranslateResult};
use x86_64::structures::paging::{
    FrameAllocator, FrameDeallocator, Mapper, OffsetPageTable, Page, PageTable, PageTableFlags,
    PhysFrame, Size4KiB, Translate,
};
use x86_64::{PhysAddr, VirtAddr};

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The addresses of the pages of a range.
fn pages(addr: u64, bytes: u64) -> impl Iterator<Item = u64> {
    (addr..addr + bytes).step_by(PAGE as usize)
}

/// Gives frames back in batches, each after one flush.
fn release_all(frames: impl Iterator<Item = u64>) {
    let mut batch = Vec::with_capacity(BATCH);
    for frame in frames {
        batch.push(frame);
        if batch.len() == BATCH {
            COUNTED.release(&mut batch);
        }
    }
    if !batch.is_empty() {
        COUNTED.release(&mut batch);
    }
}

/// `OffsetPageTable` of the `x86_64` crate.
pub struct Offset {
    root: u64,
    table: Mutex<OffsetPageTable<'static>>,
}

/// Tables in the arena.
struct Tables;

// SAFETY: the arena's tables are distinct
unsafe impl FrameAllocator<Size4KiB> for Tables {
    fn allocate_frame(&mut self) -> Option<PhysFrame> {
        ARENA
            .alloc()
            .map(|table| PhysFrame::containing_address(PhysAddr::new(table)))
    }
}

impl FrameDeallocator<Size4KiB> for Tables {
    unsafe fn deallocate_frame(&mut self, frame: PhysFrame) {
        ARENA.free(frame.start_address().as_u64());
    }
}

const FLAGS: PageTableFlags = PageTableFlags::PRESENT
    .union(PageTableFlags::WRITABLE)
    .union(PageTableFlags::USER_ACCESSIBLE)
    .union(PageTableFlags::NO_EXECUTE);

fn page(addr: u64) -> Page {
    Page::containing_address(VirtAddr::new(addr))
}

/// Maps a frame; processors need not be told.
fn map(table: &mut OffsetPageTable<'_>, addr: u64, frame: u64, flags: PageTableFlags) {
    let frame = PhysFrame::<Size4KiB>::containing_address(PhysAddr::new(frame));
    // SAFETY: no processor uses the table
    let done = unsafe { table.map_to(page(addr), frame, flags, &mut Tables) };
    done.expect("room").ignore();
}

fn unmap_page(table: &mut OffsetPageTable<'_>, addr: u64) -> u64 {
    let (frame, flush) = table.unmap(page(addr)).expect("a page");
    flush.ignore();
    frame.start_address().as_u64()
}

impl Peer for Offset {
    fn arrange(order: Order) {
        COUNTED.free.arrange(order);
    }

    fn new() -> Self {
        let root = ARENA.alloc().expect("a root");
        // SAFETY: the table is in the arena, and nobody else has it
        let words = unsafe { &mut *ARENA.at(root).cast::<PageTable>() };
        // SAFETY: the arena is where physical memory is, with that offset
        let table = unsafe { OffsetPageTable::new(words, VirtAddr::new(ARENA.offset())) };
        Offset {
            root,
            table: Mutex::new(table),
        }
    }

    fn fault(&self, _: usize, addr: u64) {
        let frame = COUNTED.alloc();
        map(&mut lock(&self.table), addr, frame, FLAGS);
    }

    fn churn(&self, _: usize, _: (u64, u64), addr: u64) {
        let frame = COUNTED.alloc();
        let mut table = lock(&self.table);
        map(&mut table, addr, frame, FLAGS);
        release_all(std::iter::once(unmap_page(&mut table, addr)));
    }

    fn unmap(&self, _: usize, addr: u64, bytes: u64) {
        let mut table = lock(&self.table);
        release_all(pages(addr, bytes).map(|addr| unmap_page(&mut table, addr)));
    }

    fn fork(&self, _: usize, addr: u64, bytes: u64) -> Self {
        let child = Self::new();
        let (mut from, mut to) = (lock(&self.table), lock(&child.table));
        for addr in pages(addr, bytes) {
            let TranslateResult::Mapped { frame, flags, .. } = from.translate(VirtAddr::new(addr))
            else {
                continue;
            };
            let frame = frame.start_address().as_u64();
            let flags = flags - PageTableFlags::WRITABLE;
            COUNTED.share(frame);
            map(&mut to, addr, frame, flags);
            // SAFETY: no processor uses the table
            unsafe { from.update_flags(page(addr), flags) }
                .expect("a page")
                .ignore();
        }
        FLUSHES.fetch_add(1, Ordering::Relaxed);
        drop(to);
        child
    }

    fn end(self, addr: u64, bytes: u64) {
        if bytes > 0 {
            self.unmap(0, addr, bytes);
        }
        let mut table = lock(&self.table);
        // SAFETY: nobody uses the tables
        unsafe { table.clean_up(&mut Tables) };
        ARENA.free(self.root);
    }
}

/// `PageTable64` of the `page_table_multiarch` crate.
pub struct Multiarch(Mutex<X64PageTable<Handler>>);

/// Tables in the arena.
pub struct Handler;

impl PagingHandler for Handler {
    fn alloc_frames(_: usize, _: usize) -> Option<memory_addr::PhysAddr> {
        ARENA.alloc().map(|table| (table as usize).into())
    }
    fn dealloc_frames(table: memory_addr::PhysAddr, _: usize) {
        ARENA.free(usize::from(table) as u64);
    }
    fn phys_to_virt(table: memory_addr::PhysAddr) -> memory_addr::VirtAddr {
        (usize::from(table) + ARENA.offset() as usize).into()
    }
}

const USER_RW: MappingFlags = MappingFlags::READ
    .union(MappingFlags::WRITE)
    .union(MappingFlags::USER);

impl Peer for Multiarch {
    fn arrange(order: Order) {
        COUNTED.free.arrange(order);
    }

    fn new() -> Self {
        Multiarch(Mutex::new(X64PageTable::try_new().expect("a root")))
    }

    fn fault(&self, _: usize, addr: u64) {
        let frame = COUNTED.alloc();
        let (va, pa) = ((addr as usize).into(), (frame as usize).into());
        lock(&self.0)
            .cursor()
            .map(va, pa, PageSize::Size4K, USER_RW)
            .expect("room");
    }

    fn churn(&self, _: usize, _: (u64, u64), addr: u64) {
        let frame = COUNTED.alloc();
        let (va, pa) = ((addr as usize).into(), (frame as usize).into());
        let mut table = lock(&self.0);
        let mut cursor = table.cursor();
        cursor.map(va, pa, PageSize::Size4K, USER_RW).expect("room");
        let (frame, ..) = cursor.unmap(va).expect("a page");
        release_all(std::iter::once(usize::from(frame) as u64));
    }

    fn unmap(&self, _: usize, addr: u64, bytes: u64) {
        let mut table = lock(&self.0);
        let mut cursor = table.cursor();
        let gone = pages(addr, bytes).map(|addr| {
            let (frame, ..) = cursor.unmap((addr as usize).into()).expect("a page");
            usize::from(frame) as u64
        });
        release_all(gone);
    }

    fn fork(&self, _: usize, addr: u64, bytes: u64) -> Self {
        let child = Self::new();
        let (mut from, mut to) = (lock(&self.0), lock(&child.0));
        let (mut from, mut into) = (from.cursor(), to.cursor());
        for addr in pages(addr, bytes) {
            let va = (addr as usize).into();
            let Ok((frame, flags, size)) = from.query(va) else {
                continue;
            };
            let flags = flags - MappingFlags::WRITE;
            COUNTED.share(usize::from(frame) as u64);
            into.map(va, frame, size, flags).expect("room");
            from.protect(va, flags).expect("a page");
        }
        FLUSHES.fetch_add(1, Ordering::Relaxed);
        drop(into);
        drop(to);
        child
    }

    fn end(self, addr: u64, bytes: u64) {
        if bytes > 0 {
            self.unmap(0, addr, bytes);
        }
    }
}
