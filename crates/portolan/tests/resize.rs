//! Pages change their size in place.

use portolan::{
    AccessBits, Error, Flush, Invalidate, Mapping, PageProperty, PageSize, PageTable, PhysAddr,
    TableMemory, Tracking, VirtAddr, X86_64,
};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

/// A heap of tables, in which a processor may set bits just before an exchange.
#[derive(Default)]
struct Heap {
    tables: RefCell<BTreeMap<u64, Box<[Cell<u64>; 512]>>>,
    next: Cell<u64>,
    left: Cell<Option<usize>>,
    /// Set in the word of the next exchange, before it.
    interferes: Cell<u64>,
}

impl Heap {
    fn count(&self) -> usize {
        self.tables.borrow().len()
    }
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
        self.tables.borrow()[&table.as_u64()][index].get()
    }
    unsafe fn write(&self, table: PhysAddr, index: usize, word: u64) {
        self.tables.borrow()[&table.as_u64()][index].set(word);
    }
    unsafe fn compare_exchange(
        &self,
        table: PhysAddr,
        index: usize,
        current: u64,
        new: u64,
    ) -> Result<u64, u64> {
        let tables = self.tables.borrow();
        let word = &tables[&table.as_u64()][index];
        word.set(word.get() | self.interferes.take());
        if word.get() == current {
            word.set(new);
            Ok(current)
        } else {
            Err(word.get())
        }
    }
    fn phys_bits(&self) -> u8 {
        48
    }
}

struct NoTlb;
// SAFETY: no processor uses these tables
unsafe impl Invalidate<X86_64> for NoTlb {
    fn invalidate(&self, _: VirtAddr<X86_64>, _: PageSize) {}
}

type Table<'a, B> = PageTable<&'a Heap, X86_64, B>;

const AT: u64 = 0xffff_8000_4000_0000;
const FRAME: u64 = 0x1_4000_0000;

fn va(raw: u64) -> VirtAddr<X86_64> {
    VirtAddr::new(raw).unwrap()
}

fn with_page<B: AccessBits>(heap: &Heap, size: PageSize, prop: PageProperty) -> Table<'_, B> {
    let mut table = Table::<B>::new(heap).unwrap();
    table.map(va(AT), PhysAddr::new(FRAME), size, prop).unwrap();
    table
}

/// What maps each of some addresses: the frame's byte, the size, the properties.
fn looks<B: AccessBits>(table: &Table<'_, B>) -> Vec<(u64, PageSize, PageProperty)> {
    [0, 0xfff, 0x1000, 0x1f_f000, 0x20_0000, 0x3fff_ffff]
        .map(|offset| {
            let m = table.query(va(AT + offset)).unwrap();
            let within = (AT + offset) % m.size.bytes();
            (m.frame.as_u64() + within, m.size, m.prop)
        })
        .to_vec()
}

fn pay<T>((value, flush): (T, Flush<&Heap, X86_64>)) -> T {
    flush.pay(&NoTlb);
    value
}

#[test]
fn a_page_is_divided_twice_and_no_byte_moves() {
    let heap = Heap::default();
    let mut table = with_page::<Tracking>(&heap, PageSize::Size1G, PageProperty::KERNEL_RX);
    let before = looks(&table);
    let was = pay(table.split(va(AT), PageSize::Size1G).unwrap());
    let whole = Mapping {
        frame: PhysAddr::new(FRAME),
        size: PageSize::Size1G,
        prop: PageProperty::KERNEL_RX,
    };
    assert_eq!(was, whole);
    pay(table.split(va(AT), PageSize::Size2M).unwrap());
    let after = looks(&table);
    for (was, now) in before.iter().zip(&after) {
        assert_eq!((was.0, was.2), (now.0, now.2));
    }
    let sizes: Vec<_> = after.iter().map(|look| look.1).collect();
    let (small, large) = (PageSize::Size4K, PageSize::Size2M);
    assert_eq!(sizes, [small, small, small, small, large, large]);
    assert_eq!(heap.count(), 4);
    drop(table);
    assert_eq!(heap.count(), 0);
}

#[test]
fn parts_can_be_unmapped_one_by_one() {
    let heap = Heap::default();
    let mut table = with_page::<portolan::Preset>(&heap, PageSize::Size2M, PageProperty::USER_RW);
    let tables = heap.count();
    pay(table.split(va(AT), PageSize::Size2M).unwrap());
    assert_eq!(heap.count(), tables + 1);
    for page in 0..512 {
        let m = pay(table.unmap(va(AT + page * 4096), PageSize::Size4K).unwrap());
        assert_eq!(m.frame.as_u64(), FRAME + page * 4096);
    }
    assert_eq!(heap.count(), 1);
}

#[test]
fn bits_that_a_processor_sets_meanwhile_are_in_every_part() {
    let heap = Heap::default();
    let mut table = with_page::<Tracking>(&heap, PageSize::Size2M, PageProperty::USER_RW);
    heap.interferes.set(0x60);
    let was = pay(table.split(va(AT), PageSize::Size2M).unwrap());
    assert!(was.prop.accessed && was.prop.dirty);
    for page in 0..512 {
        let m = table.query(va(AT + page * 4096)).unwrap();
        assert_eq!(m.prop, was.prop);
        assert_eq!(m.frame.as_u64(), FRAME + page * 4096);
    }
}

#[test]
fn without_memory_a_page_stays_whole() {
    let heap = Heap::default();
    let mut table = with_page::<Tracking>(&heap, PageSize::Size1G, PageProperty::USER_RO);
    let (before, tables) = (looks(&table), heap.count());
    heap.left.set(Some(0));
    let error = table.split(va(AT), PageSize::Size1G).unwrap_err();
    assert_eq!(
        error,
        Error::NoMemory {
            addr: AT,
            size: PageSize::Size1G.bytes()
        }
    );
    assert_eq!((looks(&table), heap.count()), (before, tables));
}

#[test]
fn what_can_t_be_divided_is_refused() {
    let heap = Heap::default();
    let mut table = with_page::<Tracking>(&heap, PageSize::Size1G, PageProperty::USER_RO);
    let mut refused = |at, size| table.split(va(at), size).unwrap_err();
    let bytes = |size: PageSize| size.bytes();
    let (small, large, huge) = (PageSize::Size4K, PageSize::Size2M, PageSize::Size1G);
    let cases = [
        (
            refused(AT, PageSize::Size16K),
            Error::UnsupportedSize {
                addr: AT,
                size: 0x4000,
            },
        ),
        (
            refused(AT + 0x1000, large),
            Error::NotAligned {
                addr: AT + 0x1000,
                size: bytes(large),
            },
        ),
        (
            refused(AT, large),
            Error::CoveredByHugePage {
                addr: AT,
                size: bytes(huge),
            },
        ),
        (
            refused(0, huge),
            Error::NotMapped {
                addr: 0,
                size: bytes(huge),
            },
        ),
    ];
    for (is, should_be) in cases {
        assert_eq!(is, should_be);
    }
    let mut table = with_page::<Tracking>(&heap, small, PageProperty::USER_RO);
    assert_eq!(
        table.split(va(AT), small).unwrap_err(),
        Error::UnsupportedSize {
            addr: AT,
            size: 4096
        }
    );
}
