//! Frames at made-up addresses, and an allocator for them.
#![allow(
    dead_code,
    reason = "each test file is a crate of its own and uses some of it"
)]

use portolan::PhysAddr;
use portolan::frame::{
    Dyn, FRAME_SIZE, Frame, FrameAllocator, FrameError, FrameMeta, FrameTable, MetaSlot,
};
use std::collections::BTreeSet;
use std::sync::Mutex;

/// An allocator that can be looked into, and told what to hand out.
#[derive(Default)]
pub struct Pool {
    free: Mutex<BTreeSet<u64>>,
    lie: Mutex<Option<u64>>,
}

impl Pool {
    /// Makes it hand out `addr` next.
    pub fn lie(&self, addr: u64) {
        *self.lie.lock().unwrap() = Some(addr);
    }

    /// How many frames it has.
    pub fn len(&self) -> usize {
        self.free.lock().unwrap().len()
    }
}

impl FrameAllocator for Pool {
    fn alloc(&self, frames: usize, align: u64) -> Option<PhysAddr> {
        if let Some(addr) = self.lie.lock().unwrap().take() {
            return Some(PhysAddr::new(addr));
        }
        let mut free = self.free.lock().unwrap();
        let run = |start: u64| (0..frames as u64).map(move |n| start + n * FRAME_SIZE);
        let start = free
            .iter()
            .copied()
            .find(|&start| start % align == 0 && run(start).all(|addr| free.contains(&addr)))?;
        run(start).for_each(|addr| assert!(free.remove(&addr)));
        Some(PhysAddr::new(start))
    }

    fn dealloc(&self, addr: PhysAddr, frames: usize) {
        let mut free = self.free.lock().unwrap();
        for n in 0..frames as u64 {
            assert!(
                free.insert(addr.as_u64() + n * FRAME_SIZE),
                "given back twice"
            );
        }
    }
}

/// A table of frames of such an allocator.
pub type Table<'a> = FrameTable<'a, Pool>;

/// Where the first frame is.
pub const BASE: u64 = 0x10_0000;

/// Slots for as many frames.
pub fn slots(count: usize) -> Vec<MetaSlot> {
    (0..count).map(|_| MetaSlot::new()).collect()
}

/// A table with all frames reserved.
pub fn reserved(slots: &mut [MetaSlot]) -> Table<'_> {
    FrameTable::new(PhysAddr::new(BASE), slots, Pool::default()).unwrap()
}

/// A table with all frames nobody's.
pub fn unused(slots: &mut [MetaSlot]) -> Table<'_> {
    let count = slots.len() as u64;
    let table = reserved(slots);
    // SAFETY: the frames are made up, and no memory is used by their addresses
    unsafe { table.add(frame(0)..frame(count)) }.unwrap();
    table
}

/// A table with all frames with the allocator.
pub fn free(slots: &mut [MetaSlot]) -> Table<'_> {
    let count = slots.len() as u64;
    let table = unused(slots);
    table.free(frame(0)..frame(count)).unwrap();
    table
}

/// Where a frame is.
pub fn frame(n: u64) -> PhysAddr {
    PhysAddr::new(BASE + n * FRAME_SIZE)
}

/// Metadata of a frame that is a table.
pub struct TableMeta(pub u8);

impl FrameMeta for TableMeta {
    const UNTYPED: bool = false;
}

/// Which error it is to take the frame into use.
pub fn state(table: &Table<'_>, addr: PhysAddr) -> Option<FrameError> {
    Frame::<_, Dyn>::from_in_use(table, addr).err()
}
