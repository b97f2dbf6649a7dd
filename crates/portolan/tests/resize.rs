//! Pages change their size in place.

use portolan::{
    AccessBits, Error, Flush, FlushRange, Invalidate, Mapping, PageProperty, PageSize, PageTable,
    PhysAddr, TableMemory, Tracking, VirtAddr, X86_64,
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
    fn invalidate(&self, _: FlushRange<X86_64>) {}
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

/// A 2 MiB page's worth of 4 KiB pages, mapped by `frame`.
fn with_parts<B: AccessBits>(heap: &Heap, frame: impl Fn(u64) -> u64) -> Table<'_, B> {
    let mut table = Table::<B>::new(heap).unwrap();
    for page in 0..512 {
        let frame = PhysAddr::new(frame(page));
        let prop = PageProperty::USER_RW;
        table
            .map(va(AT + page * 4096), frame, PageSize::Size4K, prop)
            .unwrap();
    }
    table
}

/// Records what it is told.
#[derive(Default)]
struct Told(RefCell<Vec<FlushRange<X86_64>>>);
// SAFETY: no processor uses these tables
unsafe impl Invalidate<X86_64> for Told {
    fn invalidate(&self, range: FlushRange<X86_64>) {
        self.0.borrow_mut().push(range);
    }
}

#[test]
fn what_was_divided_can_be_joined_again() {
    let heap = Heap::default();
    let mut table = with_page::<Tracking>(&heap, PageSize::Size1G, PageProperty::KERNEL_RX);
    let before = looks(&table);
    pay(table.split(va(AT), PageSize::Size1G).unwrap());
    pay(table.split(va(AT), PageSize::Size2M).unwrap());
    let tables = heap.count();
    pay(table.collapse(va(AT), PageSize::Size2M).unwrap());
    assert_eq!(heap.count(), tables - 1);
    let now = pay(table.collapse(va(AT), PageSize::Size1G).unwrap());
    assert_eq!(heap.count(), tables - 2);
    assert!(now.prop.accessed && !now.prop.dirty);
    for (was, now) in before.iter().zip(looks(&table)) {
        assert_eq!((was.0, was.1), (now.0, now.1));
        assert!(was.2.alike(now.2));
    }
    drop(table);
    assert_eq!(heap.count(), 0);
}

#[test]
fn each_part_is_flushed_and_only_then_is_their_table_given_back() {
    let heap = Heap::default();
    let mut table = with_parts::<portolan::Preset>(&heap, |page| 0x20_0000 + page * 4096);
    let tables = heap.count();
    let (_, flush) = table.collapse(va(AT), PageSize::Size2M).unwrap();
    assert_eq!(heap.count(), tables);
    assert_eq!(flush.range().stride(), PageSize::Size4K);
    assert!(flush.frees_tables());
    let tlb = Told::default();
    flush.pay(&tlb);
    assert_eq!(heap.count(), tables - 1);
    let told = tlb.0.into_inner();
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].addr(), told[0].size()), (va(AT), 0x20_0000));
    assert_eq!(told[0].stride(), PageSize::Size4K);
}

#[test]
fn a_page_that_may_be_stored_to_counts_as_dirty_when_it_is_joined() {
    let heap = Heap::default();
    let mut table = with_parts::<Tracking>(&heap, |page| 0x20_0000 + page * 4096);
    assert!(!table.query(va(AT)).unwrap().prop.dirty);
    let now = pay(table.collapse(va(AT), PageSize::Size2M).unwrap());
    assert!(now.prop.accessed && now.prop.dirty);
    assert_eq!(table.query(va(AT + 0x12_3456)).unwrap(), now);
}

#[test]
fn one_dirty_part_makes_the_joined_page_dirty() {
    let heap = Heap::default();
    let mut table = with_page::<Tracking>(&heap, PageSize::Size2M, PageProperty::USER_RO);
    pay(table.split(va(AT), PageSize::Size2M).unwrap());
    let dirty = PageProperty {
        dirty: true,
        ..PageProperty::USER_RO
    };
    pay(table
        .protect(va(AT + 0x7000), PageSize::Size4K, dirty)
        .unwrap());
    assert!(
        pay(table.collapse(va(AT), PageSize::Size2M).unwrap())
            .prop
            .dirty
    );
}

#[test]
fn the_first_page_that_does_not_fit_is_named() {
    let misfit = |frame: fn(u64) -> u64| {
        let heap = Heap::default();
        let mut table = with_parts::<Tracking>(&heap, frame);
        let error = table.collapse(va(AT), PageSize::Size2M).unwrap_err();
        let last = va(AT + 0x1f_f000);
        assert_eq!(
            table.query(last).unwrap().frame.as_u64(),
            frame(511),
            "nothing has changed"
        );
        error
    };
    let not_uniform = |page: u64| Error::NotUniform {
        addr: AT + page * 4096,
        size: 4096,
    };
    assert_eq!(misfit(|page| 0x1000 + page * 4096), not_uniform(0));
    assert_eq!(
        misfit(|page| 0x20_0000 + (page ^ (page >= 510) as u64) * 4096),
        not_uniform(510)
    );
    let heap = Heap::default();
    let mut table = with_parts::<Tracking>(&heap, |page| 0x20_0000 + page * 4096);
    pay(table
        .protect(va(AT + 0x3000), PageSize::Size4K, PageProperty::USER_RO)
        .unwrap());
    let error = table.collapse(va(AT), PageSize::Size2M).unwrap_err();
    assert_eq!(error, not_uniform(3));
    assert_eq!(
        error.to_string(),
        "not like the pages before: 4 KiB at 0xffff800040003000"
    );
    let error = table.collapse(va(AT), PageSize::Size1G).unwrap_err();
    assert_eq!(
        error,
        Error::NotUniform {
            addr: AT,
            size: PageSize::Size2M.bytes()
        }
    );
}

#[test]
fn what_is_not_full_or_not_there_is_not_joined() {
    let heap = Heap::default();
    let mut table = with_parts::<Tracking>(&heap, |page| 0x20_0000 + page * 4096);
    pay(table.unmap(va(AT + 0x5000), PageSize::Size4K).unwrap());
    let mut refused = |at, size| table.collapse(va(at), size).unwrap_err();
    let (small, large) = (4096, PageSize::Size2M.bytes());
    let cases = [
        (
            refused(AT, PageSize::Size2M),
            Error::NotMapped {
                addr: AT + 0x5000,
                size: small,
            },
        ),
        (
            refused(AT + 0x20_0000, PageSize::Size2M),
            Error::NotMapped {
                addr: AT + 0x20_0000,
                size: large,
            },
        ),
        (
            refused(AT, PageSize::Size4K),
            Error::UnsupportedSize {
                addr: AT,
                size: small,
            },
        ),
        (
            refused(AT + 0x1000, PageSize::Size2M),
            Error::NotAligned {
                addr: AT + 0x1000,
                size: large,
            },
        ),
    ];
    for (is, should_be) in cases {
        assert_eq!(is, should_be);
    }
    let mut table = with_page::<Tracking>(&heap, PageSize::Size1G, PageProperty::USER_RO);
    let huge = Error::AlreadyMapped {
        addr: AT,
        size: PageSize::Size1G.bytes(),
    };
    for (at, size) in [(AT, PageSize::Size1G), (AT + 0x20_0000, PageSize::Size2M)] {
        assert_eq!(table.collapse(va(at), size).unwrap_err(), huge);
    }
}
