//! A small heap of tables, and no processor.

use portolan::{FlushRange, Invalidate, PhysAddr, TableMemory, X86_64};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

/// Tables in boxes.
#[derive(Default)]
pub struct Heap {
    pub tables: RefCell<BTreeMap<u64, Box<[Cell<u64>; 512]>>>,
    pub next: Cell<u64>,
    /// How many more there are, if that is limited.
    pub left: Cell<Option<usize>>,
    /// How often words were read or written.
    pub accesses: Cell<usize>,
}

// SAFETY: tables are distinct boxes, named by distinct multiples of 4096
unsafe impl TableMemory for &Heap {
    fn alloc_zeroed(&self, bytes: usize) -> Option<PhysAddr> {
        assert_eq!(bytes, 4096);
        if let Some(left) = self.left.get() {
            self.left.set(Some(left.checked_sub(1)?));
        }
        self.next.set(self.next.get() + 4096);
        self.tables
            .borrow_mut()
            .insert(self.next.get(), Box::new([const { Cell::new(0) }; 512]));
        Some(PhysAddr::new(self.next.get()))
    }
    unsafe fn free(&self, table: PhysAddr, _: usize) {
        self.tables
            .borrow_mut()
            .remove(&table.as_u64())
            .expect("freed once");
    }
    unsafe fn read(&self, table: PhysAddr, index: usize) -> u64 {
        self.accesses.set(self.accesses.get() + 1);
        self.tables.borrow()[&table.as_u64()][index].get()
    }
    unsafe fn write(&self, table: PhysAddr, index: usize, word: u64) {
        self.accesses.set(self.accesses.get() + 1);
        self.tables.borrow()[&table.as_u64()][index].set(word);
    }
    unsafe fn compare_exchange(
        &self,
        table: PhysAddr,
        index: usize,
        current: u64,
        new: u64,
    ) -> Result<u64, u64> {
        self.accesses.set(self.accesses.get() + 1);
        let now = self.tables.borrow()[&table.as_u64()][index].get();
        if now == current {
            self.tables.borrow()[&table.as_u64()][index].set(new);
            Ok(now)
        } else {
            Err(now)
        }
    }
    fn phys_bits(&self) -> u8 {
        48
    }
}

/// No processor.
pub struct NoTlb;
// SAFETY: no processor uses these tables
unsafe impl Invalidate<X86_64> for NoTlb {
    fn invalidate(&self, _: FlushRange<X86_64>) {}
}
