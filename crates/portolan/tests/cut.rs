//! What a user relies on when a range starts or ends inside of a huge page.

mod common;

use common::{Heap, NoTlb};
use portolan::{
    AArch64Lower, AArch64Stage2, AccessBits, Ept, Error, Flush, Mapping, PageProperty, PageSize,
    PageTable, PagingMode, PhysAddr, Preset, Sv39, Sv48, Sv57, TableMemory, Tracking, VirtAddr,
    VirtRange, X86_64,
};
use std::cell::{Cell, RefCell};

const PAGE: u64 = 0x1000;
const HUGE: u64 = 0x20_0000;
const GIANT: u64 = 0x4000_0000;
const SMALL: PageSize = PageSize::Size4K;

/// How far a page's frame lies from its address.
const FRAME: u64 = 0x7_0000_0000;

fn va<A: PagingMode>(at: u64) -> VirtAddr<A> {
    VirtAddr::new(at).unwrap()
}

fn range<A: PagingMode>(from: u64, end: u64) -> VirtRange<A> {
    VirtRange::new(va(from), end - from).unwrap()
}

/// A table with pages of `size` from `GIANT` to `end`.
fn with_pages<A: PagingMode, B: AccessBits, M: TableMemory>(
    memory: M,
    size: PageSize,
    end: u64,
) -> PageTable<M, A, B> {
    let mut table = PageTable::new(memory).unwrap();
    for at in (GIANT..end).step_by(size.bytes() as usize) {
        let frame = PhysAddr::new(FRAME + at);
        table
            .map(va(at), frame, size, PageProperty::USER_RW)
            .unwrap();
    }
    table
}

/// The pages: where they start, and what they are.
fn pages<A: PagingMode, B: AccessBits, M: TableMemory>(
    table: &PageTable<M, A, B>,
) -> Vec<(u64, Mapping)> {
    let all = table.mappings(range(0, 1 << 38)).unwrap();
    all.map(|(at, page)| (at.as_u64(), page)).collect()
}

/// Where pages start and how large they are, of those that lie where they did.
fn sizes<A: PagingMode, B: AccessBits, M: TableMemory>(
    table: &PageTable<M, A, B>,
) -> Vec<(u64, u64)> {
    let pages = pages(table);
    assert!(
        pages
            .iter()
            .all(|(at, page)| page.frame.as_u64() == FRAME + at)
    );
    pages
        .iter()
        .map(|(at, page)| (*at, page.size.bytes()))
        .collect()
}

/// The pages of `size` from `from` to below `end`.
fn row(from: u64, end: u64, size: u64) -> impl Iterator<Item = (u64, u64)> {
    (from..end).step_by(size as usize).map(move |at| (at, size))
}

fn pay<T, M: TableMemory, A: PagingMode>((value, flush): (T, Flush<M, A>)) -> T {
    flush.pay(&NoTlb);
    value
}

fn punch_holes<A: PagingMode>() {
    let heap = Heap::default();
    let mut table = with_pages::<A, Tracking, _>(&heap, PageSize::Size2M, GIANT + 4 * HUGE);
    let tables = heap.len();
    // the first from its middle on, the second up to its middle, one page out of the third
    let [a, b, c, end] = [0, 1, 2, 4].map(|n| GIANT + n * HUGE);
    let first = range(a + 100 * PAGE, b + 50 * PAGE);
    assert_eq!(pay(table.unmap_range(first).unwrap()), 462 * PAGE);
    assert_eq!(heap.len(), tables + 2);
    let second = range(c + 7 * PAGE, c + 8 * PAGE);
    assert_eq!(pay(table.unmap_range(second).unwrap()), PAGE);
    assert_eq!(heap.len(), tables + 3);
    let left: Vec<_> = row(a, a + 100 * PAGE, PAGE)
        .chain(row(b + 50 * PAGE, c + 7 * PAGE, PAGE))
        .chain(row(c + 8 * PAGE, c + HUGE, PAGE))
        .chain(row(c + HUGE, end, HUGE))
        .collect();
    assert_eq!(sizes(&table), left);
    drop(table);
    assert_eq!(heap.len(), 0);
}

#[test]
fn what_reaches_out_of_the_range_stays_mapped() {
    punch_holes::<X86_64>();
    punch_holes::<Ept>();
    punch_holes::<Sv39>();
    punch_holes::<Sv48>();
    punch_holes::<Sv57>();
}

#[test]
fn a_giant_page_becomes_the_largest_pages_that_the_ends_allow() {
    let heap = Heap::default();
    let mut table = with_pages::<X86_64, Preset, _>(&heap, PageSize::Size1G, 3 * GIANT);
    let tables = heap.len();
    let (lo, hi) = (GIANT + 3 * HUGE + 5 * PAGE, 2 * GIANT + 9 * HUGE + PAGE);
    let (bytes, flush) = table.unmap_range(range(lo, hi)).unwrap();
    assert_eq!(bytes, hi - lo);
    assert_eq!((flush.addr(), flush.size()), (va(lo), hi - lo));
    assert_eq!(flush.range().stride(), SMALL);
    flush.pay(&NoTlb);
    let left: Vec<_> = row(GIANT, GIANT + 3 * HUGE, HUGE)
        .chain(row(GIANT + 3 * HUGE, lo, PAGE))
        .chain(row(hi, 2 * GIANT + 10 * HUGE, PAGE))
        .chain(row(2 * GIANT + 10 * HUGE, 3 * GIANT, HUGE))
        .collect();
    assert_eq!(sizes(&table), left);
    assert_eq!(heap.len(), tables + 4);
}

#[test]
fn an_end_between_larger_parts_makes_no_smaller_ones() {
    let heap = Heap::default();
    let mut table = with_pages::<X86_64, Preset, _>(&heap, PageSize::Size1G, 2 * GIANT);
    let tables = heap.len();
    let (_, flush) = table
        .unmap_range(range(GIANT + HUGE, GIANT + 3 * HUGE))
        .unwrap();
    assert_eq!(flush.range().stride(), PageSize::Size2M);
    flush.pay(&NoTlb);
    let left: Vec<_> = row(GIANT, GIANT + HUGE, HUGE)
        .chain(row(GIANT + 3 * HUGE, 2 * GIANT, HUGE))
        .collect();
    assert_eq!(sizes(&table), left);
    assert_eq!(heap.len(), tables + 1);
}

#[test]
fn a_page_is_cut_at_the_last_address_of_a_half() {
    let heap = Heap::default();
    let mut table = PageTable::<_, X86_64>::new(&heap).unwrap();
    let (half, top) = (1 << 47, 0u64.wrapping_sub(GIANT));
    for at in [half - GIANT, top] {
        table
            .map(
                va(at),
                PhysAddr::new(0),
                PageSize::Size1G,
                PageProperty::KERNEL_RW,
            )
            .unwrap();
    }
    let last = VirtRange::new(va(half - PAGE), PAGE).unwrap();
    assert_eq!(pay(table.unmap_range(last).unwrap()), PAGE);
    let last = VirtRange::new(va(0u64.wrapping_sub(PAGE)), PAGE).unwrap();
    assert_eq!(pay(table.unmap_range(last).unwrap()), PAGE);
    for at in [half - PAGE, 0u64.wrapping_sub(PAGE)] {
        assert!(table.query(va(at)).is_err());
        assert_eq!(table.query(va(at - PAGE)).unwrap().size, SMALL);
        assert_eq!(table.query(va(at - HUGE)).unwrap().size, PageSize::Size2M);
    }
}

#[test]
fn protecting_a_part_of_a_page_leaves_the_rest_as_it_was() {
    let heap = Heap::default();
    let mut table = with_pages::<X86_64, Tracking, _>(&heap, PageSize::Size1G, 2 * GIANT);
    let (lo, hi) = (GIANT + HUGE - PAGE, GIANT + 4 * HUGE);
    let (bytes, flush) = table
        .protect_range(range(lo, hi), PageProperty::USER_RO)
        .unwrap();
    assert_eq!(bytes, hi - lo);
    assert_eq!((flush.addr(), flush.size()), (va(lo), hi - lo));
    assert_eq!(flush.range().stride(), SMALL);
    assert!(!flush.frees_tables());
    flush.pay(&NoTlb);
    let expected: Vec<_> = row(GIANT, GIANT + HUGE, PAGE)
        .chain(row(GIANT + HUGE, 2 * GIANT, HUGE))
        .collect();
    assert_eq!(sizes(&table), expected);
    for (at, page) in pages(&table) {
        assert_eq!(page.prop.write, !(lo..hi).contains(&at), "{at:#x}");
    }
}

#[test]
fn the_parts_have_the_accessed_and_dirty_bits_of_the_page() {
    let heap = Heap::default();
    let mut table = PageTable::<_, X86_64, Tracking>::new(&heap).unwrap();
    let used = PageProperty {
        accessed: true,
        dirty: true,
        ..PageProperty::USER_RW
    };
    for (at, prop) in [(GIANT, used), (2 * GIANT, PageProperty::USER_RW)] {
        table
            .map(va(at), PhysAddr::new(FRAME + at), PageSize::Size1G, prop)
            .unwrap();
    }
    let middle = range(2 * GIANT - PAGE, 2 * GIANT + PAGE);
    pay(table.protect_range(middle, PageProperty::USER_RO).unwrap());
    for (at, page) in pages(&table) {
        assert_eq!(page.prop.accessed, at < 2 * GIANT);
        assert_eq!(page.prop.dirty, at < 2 * GIANT);
    }
}

#[test]
fn without_memory_for_every_table_nothing_changes() {
    // a range, and how many pages are divided for it
    let ranges = [
        (GIANT + HUGE + PAGE, GIANT + HUGE + 2 * PAGE, 2),
        (GIANT + HUGE, GIANT + 2 * HUGE, 1),
        (GIANT + PAGE, GIANT + 2 * HUGE + PAGE, 3),
        (GIANT + PAGE, 2 * GIANT, 2),
        (GIANT, GIANT + PAGE, 2),
        (GIANT + PAGE, 2 * GIANT + PAGE, 4),
        (GIANT + PAGE, 2 * GIANT + HUGE, 3),
    ];
    for (lo, hi, needed) in ranges {
        for protects in [false, true] {
            let heap = Heap::default();
            let mut table = with_pages::<X86_64, Preset, _>(&heap, PageSize::Size1G, 3 * GIANT);
            let (tables, before) = (heap.len(), pages(&table));
            let work = |table: &mut PageTable<_, X86_64>| {
                if protects {
                    let prop = PageProperty::USER_RO;
                    table.protect_range(range(lo, hi), prop).map(pay)
                } else {
                    table.unmap_range(range(lo, hi)).map(pay)
                }
            };
            for left in 0..needed {
                heap.limit(left);
                let (addr, size) = (lo, hi - lo);
                let error = Error::NoMemory { addr, size };
                assert_eq!(work(&mut table), Err(error), "{lo:#x} {left}");
                assert_eq!((heap.len(), pages(&table)), (tables, before.clone()));
            }
            heap.limit(needed);
            assert_eq!(work(&mut table), Ok(hi - lo));
            drop(table);
            assert_eq!(heap.len(), 0);
        }
    }
}

#[test]
fn aarch64_names_the_page_that_would_have_to_be_broken() {
    fn refuses<A: PagingMode>() {
        let heap = Heap::default();
        let mut table = with_pages::<A, Preset, _>(&heap, PageSize::Size2M, GIANT + 2 * HUGE);
        let (tables, before) = (heap.len(), pages(&table));
        let ranges = [
            (GIANT + PAGE, GIANT + 2 * HUGE, GIANT),
            (GIANT, GIANT + HUGE + PAGE, GIANT + HUGE),
            (GIANT + PAGE, GIANT + HUGE + PAGE, GIANT),
            (GIANT + HUGE + PAGE, GIANT + HUGE + 2 * PAGE, GIANT + HUGE),
        ];
        for (lo, hi, addr) in ranges {
            let error = Error::BreakBeforeMake { addr, size: HUGE };
            assert_eq!(table.unmap_range(range(lo, hi)).map(pay), Err(error));
            let protected = table.protect_range(range(lo, hi), PageProperty::USER_RO);
            assert_eq!(protected.map(pay), Err(error));
        }
        assert_eq!((heap.len(), pages(&table)), (tables, before));
        let whole = range(GIANT, GIANT + 2 * HUGE);
        assert_eq!(pay(table.unmap_range(whole).unwrap()), 2 * HUGE);
    }
    refuses::<AArch64Lower>();
    refuses::<AArch64Stage2>();
}

/// A heap that looks, after each store, whether addresses outside of a range are translated as they were.
#[derive(Default)]
struct Spy {
    heap: Heap,
    root: Cell<u64>,
    /// Addresses, and where they led when the spy was told of them.
    watched: RefCell<Vec<(u64, u64)>>,
    stores: Cell<usize>,
    /// What a processor sets in the word of the next exchange, before it.
    sets: Cell<u64>,
}

impl Spy {
    /// Where a processor finds `at`, and what it may do there.
    fn walk(&self, at: u64) -> u64 {
        let mut table = self.root.get();
        for level in (1..=4).rev() {
            let shift = 3 + 9 * level;
            let word = self.heap.word(table, (at >> shift) as usize & 511);
            assert!(word & 1 != 0, "{at:#x} is not mapped any more");
            if level == 1 || word & 0x80 != 0 {
                let within = at & ((1 << shift) - 1);
                return (word & 0x000f_ffff_ffff_f000 & !((1 << shift) - 1) | within) << 1
                    | word >> 1 & 1;
            }
            table = word & 0x000f_ffff_ffff_f000;
        }
        unreachable!("level 1 has pages only")
    }

    fn look(&self) {
        for (at, was) in &*self.watched.borrow() {
            assert_eq!(self.walk(*at), *was, "{at:#x}");
        }
        self.stores.set(self.stores.get() + 1);
    }
}

// SAFETY: as for the heap
unsafe impl TableMemory for &Spy {
    fn alloc_zeroed(&self, bytes: usize) -> Option<PhysAddr> {
        (&self.heap).alloc_zeroed(bytes)
    }
    unsafe fn free(&self, table: PhysAddr, bytes: usize) {
        // SAFETY: the caller's promise
        unsafe { (&self.heap).free(table, bytes) }
    }
    unsafe fn read(&self, table: PhysAddr, index: usize) -> u64 {
        self.heap.word(table.as_u64(), index)
    }
    unsafe fn write(&self, table: PhysAddr, index: usize, word: u64) {
        self.heap.set(table.as_u64(), index, word);
        self.look();
    }
    unsafe fn compare_exchange(
        &self,
        table: PhysAddr,
        index: usize,
        current: u64,
        new: u64,
    ) -> Result<u64, u64> {
        let now = self.heap.word(table.as_u64(), index);
        self.heap.set(table.as_u64(), index, now | self.sets.take());
        // SAFETY: the caller's promise
        let r = unsafe { (&self.heap).compare_exchange(table, index, current, new) };
        self.look();
        r
    }
    fn phys_bits(&self) -> u8 {
        48
    }
}

fn spied<B: AccessBits>(protects: bool) {
    let spy = Spy::default();
    let mut table = with_pages::<X86_64, B, _>(&spy, PageSize::Size1G, 3 * GIANT);
    spy.root.set(table.root().as_u64());
    let (lo, hi) = (GIANT + 3 * HUGE + 5 * PAGE, 2 * GIANT + 9 * HUGE + PAGE);
    let below = [1, PAGE, 5 * PAGE, 5 * PAGE + 1, HUGE, lo - GIANT].map(|n| lo - n);
    let above = [0, 1, PAGE, 500 * PAGE, 7 * HUGE, 3 * GIANT - hi - 1].map(|n| hi + n);
    let watched = below.into_iter().chain(above);
    spy.watched
        .replace(watched.map(|at| (at, spy.walk(at))).collect());
    let before = spy.stores.get();
    if protects {
        pay(table
            .protect_range(range(lo, hi), PageProperty::USER_RO)
            .unwrap());
    } else {
        pay(table.unmap_range(range(lo, hi)).unwrap());
    }
    // four tables are filled, and a store for each page of the range
    assert!(spy.stores.get() - before >= 4 * 512 + 2 * 500);
    spy.watched.borrow_mut().clear();
}

#[test]
fn after_no_store_is_an_address_outside_translated_in_another_way() {
    spied::<Preset>(false);
    spied::<Preset>(true);
    spied::<Tracking>(false);
    spied::<Tracking>(true);
}

#[test]
fn bits_that_a_processor_sets_meanwhile_are_in_every_part() {
    let spy = Spy::default();
    let mut table = with_pages::<X86_64, Tracking, _>(&spy, PageSize::Size1G, 2 * GIANT);
    let hole = range(GIANT + HUGE, GIANT + HUGE + PAGE);
    // accessed and dirty
    spy.sets.set(0x60);
    pay(table.unmap_range(hole).unwrap());
    assert_eq!(spy.sets.get(), 0);
    let pages = pages(&table);
    assert_eq!(pages.len(), 511 + 511);
    assert!(
        pages
            .iter()
            .all(|(_, page)| page.prop.accessed && page.prop.dirty)
    );
}
