//! Memory of any kind behind one type.

use portolan::{PhysAddr, TableMemory};
use std::rc::Rc;

/// Any [`TableMemory`]: a page table in it has the same type, whichever it is.
#[derive(Clone)]
pub struct AnyMemory<'m>(Rc<dyn Words + 'm>);

impl<'m> AnyMemory<'m> {
    /// The same memory.
    pub fn new(memory: impl TableMemory + 'm) -> Self {
        AnyMemory(Rc::new(memory))
    }
}

/// What [`TableMemory`] has, but that it can be cloned.
trait Words {
    fn alloc_zeroed(&self, bytes: usize) -> Option<PhysAddr>;

    /// # Safety
    /// As for [`TableMemory::free`].
    unsafe fn free(&self, table: PhysAddr, bytes: usize);

    /// # Safety
    /// As for [`TableMemory::read`].
    unsafe fn read(&self, table: PhysAddr, index: usize) -> u64;

    /// # Safety
    /// As for [`TableMemory::write`].
    unsafe fn write(&self, table: PhysAddr, index: usize, word: u64);

    /// # Safety
    /// As for [`TableMemory::compare_exchange`].
    unsafe fn compare_exchange(
        &self,
        table: PhysAddr,
        index: usize,
        current: u64,
        new: u64,
    ) -> Result<u64, u64>;

    fn phys_bits(&self) -> u8;
}

impl<M: TableMemory> Words for M {
    fn alloc_zeroed(&self, bytes: usize) -> Option<PhysAddr> {
        TableMemory::alloc_zeroed(self, bytes)
    }

    unsafe fn free(&self, table: PhysAddr, bytes: usize) {
        // SAFETY: passed on with the same promises
        unsafe { TableMemory::free(self, table, bytes) }
    }

    unsafe fn read(&self, table: PhysAddr, index: usize) -> u64 {
        // SAFETY: passed on with the same promises
        unsafe { TableMemory::read(self, table, index) }
    }

    unsafe fn write(&self, table: PhysAddr, index: usize, word: u64) {
        // SAFETY: passed on with the same promises
        unsafe { TableMemory::write(self, table, index, word) }
    }

    unsafe fn compare_exchange(
        &self,
        table: PhysAddr,
        index: usize,
        current: u64,
        new: u64,
    ) -> Result<u64, u64> {
        // SAFETY: passed on with the same promises
        unsafe { TableMemory::compare_exchange(self, table, index, current, new) }
    }

    fn phys_bits(&self) -> u8 {
        TableMemory::phys_bits(self)
    }
}

// SAFETY: passes everything on to one that is
unsafe impl TableMemory for AnyMemory<'_> {
    fn alloc_zeroed(&self, bytes: usize) -> Option<PhysAddr> {
        self.0.alloc_zeroed(bytes)
    }

    unsafe fn free(&self, table: PhysAddr, bytes: usize) {
        // SAFETY: passed on with the same promises
        unsafe { self.0.free(table, bytes) }
    }

    unsafe fn read(&self, table: PhysAddr, index: usize) -> u64 {
        // SAFETY: passed on with the same promises
        unsafe { self.0.read(table, index) }
    }

    unsafe fn write(&self, table: PhysAddr, index: usize, word: u64) {
        // SAFETY: passed on with the same promises
        unsafe { self.0.write(table, index, word) }
    }

    unsafe fn compare_exchange(
        &self,
        table: PhysAddr,
        index: usize,
        current: u64,
        new: u64,
    ) -> Result<u64, u64> {
        // SAFETY: passed on with the same promises
        unsafe { self.0.compare_exchange(table, index, current, new) }
    }

    fn phys_bits(&self) -> u8 {
        self.0.phys_bits()
    }
}
