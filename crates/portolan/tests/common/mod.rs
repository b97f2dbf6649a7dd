//! A heap of tables, for every mode.
#![allow(dead_code, reason = "each test uses some of it")]

use portolan::{Invalidate, PageSize, PagingMode, PhysAddr, TableMemory, VirtAddr};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

/// A small heap of tables.
#[derive(Default)]
pub struct Heap {
    tables: RefCell<BTreeMap<u64, Box<[Cell<u64>]>>>,
    next: Cell<u64>,
    /// How many more it gives, if that is limited.
    pub left: Cell<Option<usize>>,
}

impl Heap {
    /// How many tables it has given out and not taken back.
    pub fn held(&self) -> usize {
        self.tables.borrow().len()
    }

    /// Word `index` of a table.
    pub fn word(&self, table: PhysAddr, index: usize) -> u64 {
        self.tables.borrow()[&table.as_u64()][index].get()
    }

    /// Changes word `index` of a table, as hardware does.
    pub fn set_word(&self, table: PhysAddr, index: usize, word: u64) {
        self.tables.borrow()[&table.as_u64()][index].set(word);
    }
}

// SAFETY: tables are distinct boxes, named by distinct multiples of their size
unsafe impl TableMemory for &Heap {
    fn alloc_zeroed(&self, bytes: usize) -> Option<PhysAddr> {
        if let Some(left) = self.left.get() {
            self.left.set(Some(left.checked_sub(1)?));
        }
        let at = (self.next.get() + 1).next_multiple_of(bytes as u64);
        self.next.set(at + bytes as u64 - 1);
        let words = vec![Cell::new(0); bytes / 8].into_boxed_slice();
        self.tables.borrow_mut().insert(at, words);
        Some(PhysAddr::new(at))
    }
    unsafe fn free(&self, table: PhysAddr, bytes: usize) {
        let words = self.tables.borrow_mut().remove(&table.as_u64());
        assert_eq!(words.expect("freed once").len(), bytes / 8);
    }
    unsafe fn read(&self, table: PhysAddr, index: usize) -> u64 {
        self.word(table, index)
    }
    unsafe fn write(&self, table: PhysAddr, index: usize, word: u64) {
        self.set_word(table, index, word);
    }
    unsafe fn compare_exchange(
        &self,
        table: PhysAddr,
        index: usize,
        current: u64,
        new: u64,
    ) -> Result<u64, u64> {
        let now = self.word(table, index);
        if now == current {
            self.set_word(table, index, new);
            Ok(now)
        } else {
            Err(now)
        }
    }
    fn phys_bits(&self) -> u8 {
        48
    }
}

/// What there is to invalidate where no processor uses the tables: nothing.
pub struct NoTlb;

// SAFETY: no processor uses these tables
unsafe impl<A: PagingMode> Invalidate<A> for NoTlb {
    fn invalidate(&self, _: VirtAddr<A>, _: PageSize) {}
}
