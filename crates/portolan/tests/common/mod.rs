//! A heap of tables, and processors without a TLB.

use portolan::{FlushRange, Invalidate, PagingMode, PhysAddr, TableMemory};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

/// Tables in boxes, at made-up physical addresses.
pub struct Heap {
    tables: RefCell<BTreeMap<u64, Box<[Cell<u64>]>>>,
    next: Cell<u64>,
    left: Cell<usize>,
    accesses: Cell<usize>,
    phys_bits: u8,
}

impl Default for Heap {
    fn default() -> Self {
        Heap::new(48, 0x1000)
    }
}

#[allow(
    dead_code,
    reason = "each test file is a crate of its own and uses some of it"
)]
impl Heap {
    /// A heap on a machine with `phys_bits` bits of physical address, the first table of which lies at `first`.
    pub fn new(phys_bits: u8, first: u64) -> Self {
        Heap {
            tables: RefCell::default(),
            next: Cell::new(first),
            left: Cell::new(usize::MAX),
            accesses: Cell::new(0),
            phys_bits,
        }
    }

    /// Only so many tables more are to be had.
    pub fn limit(&self, left: usize) {
        self.left.set(left);
    }

    /// How often words were read or written by a table since the last call.
    pub fn accesses(&self) -> usize {
        self.accesses.take()
    }

    fn count(&self) {
        self.accesses.set(self.accesses.get() + 1);
    }

    /// How many tables are in use.
    pub fn len(&self) -> usize {
        self.tables.borrow().len()
    }

    /// A table's word.
    pub fn word(&self, table: u64, index: usize) -> u64 {
        self.tables.borrow()[&table][index].get()
    }

    /// Changes a table's word, as hardware does.
    pub fn set(&self, table: u64, index: usize, word: u64) {
        self.tables.borrow()[&table][index].set(word);
    }
}

// SAFETY: tables are distinct boxes, named by distinct multiples of their size
unsafe impl TableMemory for &Heap {
    fn alloc_zeroed(&self, bytes: usize) -> Option<PhysAddr> {
        self.left.set(self.left.get().checked_sub(1)?);
        let at = self.next.get().next_multiple_of(bytes as u64);
        self.next.set(at + bytes as u64);
        let table = vec![Cell::new(0); bytes / 8].into_boxed_slice();
        self.tables.borrow_mut().insert(at, table);
        Some(PhysAddr::new(at))
    }
    unsafe fn free(&self, table: PhysAddr, bytes: usize) {
        let words = self.tables.borrow_mut().remove(&table.as_u64());
        assert_eq!(words.expect("freed once").len(), bytes / 8);
    }
    unsafe fn read(&self, table: PhysAddr, index: usize) -> u64 {
        self.count();
        self.word(table.as_u64(), index)
    }
    unsafe fn write(&self, table: PhysAddr, index: usize, word: u64) {
        self.count();
        self.set(table.as_u64(), index, word);
    }
    unsafe fn compare_exchange(
        &self,
        table: PhysAddr,
        index: usize,
        current: u64,
        new: u64,
    ) -> Result<u64, u64> {
        self.count();
        let now = self.word(table.as_u64(), index);
        if now == current {
            self.set(table.as_u64(), index, new);
            Ok(now)
        } else {
            Err(now)
        }
    }
    fn phys_bits(&self) -> u8 {
        self.phys_bits
    }
}

/// No processor uses the tables.
pub struct NoTlb;

// SAFETY: no processor uses the tables
unsafe impl<A: PagingMode> Invalidate<A> for NoTlb {
    fn invalidate(&self, _: FlushRange<A>) {}
}
