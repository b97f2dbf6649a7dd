//! Reading page tables: cursors, iterators, runs.

use portolan::{
    Error, Mapping, PageProperty, PageSize, PageTable, PhysAddr, Runs, TableMemory, Tracking,
    VirtAddr, VirtRange, X86_64, X86_64La57,
};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

const P4K: u64 = 0x1000;
const P2M: u64 = 0x20_0000;
const P1G: u64 = 0x4000_0000;
const LOW_END: u64 = 1 << 47;
const HIGH: u64 = 0xffff_8000_0000_0000;

/// Table frames that count how often they are read.
#[derive(Default)]
struct Heap {
    tables: RefCell<Vec<[u64; 512]>>,
    reads: Cell<usize>,
}

// SAFETY: tables are distinct elements, named by distinct multiples of 4096
unsafe impl TableMemory for &Heap {
    fn alloc_zeroed(&self, _: usize) -> Option<PhysAddr> {
        self.tables.borrow_mut().push([0; 512]);
        Some(PhysAddr::new(self.tables.borrow().len() as u64 * P4K))
    }
    unsafe fn free(&self, _: PhysAddr, _: usize) {}
    unsafe fn read(&self, table: PhysAddr, index: usize) -> u64 {
        self.reads.set(self.reads.get() + 1);
        self.tables.borrow()[(table.as_u64() / P4K) as usize - 1][index]
    }
    unsafe fn write(&self, table: PhysAddr, index: usize, word: u64) {
        self.tables.borrow_mut()[(table.as_u64() / P4K) as usize - 1][index] = word;
    }
    unsafe fn compare_exchange(&self, _: PhysAddr, _: usize, _: u64, _: u64) -> Result<u64, u64> {
        unreachable!("nothing is changed")
    }
    fn phys_bits(&self) -> u8 {
        48
    }
}

type Table<'h> = PageTable<&'h Heap>;

fn at(raw: u64) -> VirtAddr<X86_64> {
    VirtAddr::new(raw).unwrap()
}

fn range(start: u64, size: u64) -> VirtRange<X86_64> {
    VirtRange::new(at(start), size).unwrap()
}

fn map(table: &mut Table<'_>, va: u64, size: PageSize) {
    let frame = PhysAddr::new(va % (1 << 46) / size.bytes() * size.bytes());
    table
        .map(at(va), frame, size, PageProperty::USER_RW)
        .unwrap();
}

fn starts(table: &Table<'_>, start: u64, size: u64) -> Vec<(u64, PageSize)> {
    let pages = table.mappings(range(start, size)).unwrap();
    pages
        .map(|(va, page): (_, Mapping)| (va.as_u64(), page.size))
        .collect()
}

#[test]
fn an_empty_table_has_nothing() {
    let heap = Heap::default();
    let table = Table::new(&heap).unwrap();
    let mut cursor = table.cursor(range(0, LOW_END)).unwrap();
    assert_eq!(cursor.virt_addr(), Some(at(0)));
    assert_eq!(cursor.query(), None);
    assert_eq!(cursor.extent(), Some((at(0), 1 << 39)));
    assert_eq!(cursor.find_next(u64::MAX), None);
    assert_eq!(
        (cursor.virt_addr(), cursor.query(), cursor.extent()),
        (None, None, None)
    );
    cursor.move_forward();
    assert_eq!(cursor.virt_addr(), None);
    assert_eq!(starts(&table, HIGH, LOW_END), []);
}

#[test]
fn an_empty_range_has_nothing() {
    let heap = Heap::default();
    let mut table = Table::new(&heap).unwrap();
    map(&mut table, P4K, PageSize::Size4K);
    let mut cursor = table.cursor(range(P4K, 0)).unwrap();
    assert_eq!((cursor.virt_addr(), cursor.query()), (None, None));
    assert_eq!(cursor.find_next(P4K), None);
    assert!(cursor.jump(at(P4K)).is_err());
    assert_eq!(starts(&table, P4K, 0), []);
}

#[test]
fn large_pages_and_small_ones_come_in_order() {
    let heap = Heap::default();
    let mut table = Table::new(&heap).unwrap();
    let pages = [
        (0, PageSize::Size4K),
        (P4K, PageSize::Size4K),
        (P2M, PageSize::Size2M),
        (2 * P2M, PageSize::Size4K),
        (P1G - P4K, PageSize::Size4K),
        (P1G, PageSize::Size1G),
        (2 * P1G, PageSize::Size2M),
        (LOW_END - P4K, PageSize::Size4K),
    ];
    for (va, size) in pages.iter().rev() {
        map(&mut table, *va, *size);
    }
    assert_eq!(starts(&table, 0, LOW_END), pages);
    let mut cursor = table.cursor(range(0, LOW_END)).unwrap();
    let mut seen = vec![];
    while let Some(va) = cursor.virt_addr() {
        if let Some(page) = cursor.query() {
            assert_eq!(cursor.extent(), Some((va, page.size.bytes())));
            assert_eq!(Ok(page), table.query(va));
            seen.push((va.as_u64(), page.size));
        }
        cursor.move_forward();
    }
    assert_eq!(seen, pages);
}

#[test]
fn both_halves_are_read_to_their_ends() {
    let heap = Heap::default();
    let mut table = Table::new(&heap).unwrap();
    for va in [0, LOW_END - P4K, HIGH, u64::MAX - P4K + 1] {
        map(&mut table, va, PageSize::Size4K);
    }
    let sizes = |starts: Vec<(u64, PageSize)>| -> Vec<u64> {
        starts.into_iter().map(|(va, _)| va).collect()
    };
    assert_eq!(sizes(starts(&table, 0, LOW_END)), [0, LOW_END - P4K]);
    assert_eq!(
        sizes(starts(&table, HIGH, LOW_END)),
        [HIGH, u64::MAX - P4K + 1]
    );
    let mut last = table.cursor(range(u64::MAX - P4K + 1, P4K)).unwrap();
    assert!(last.query().is_some());
    last.move_forward();
    assert_eq!((last.virt_addr(), last.query()), (None, None));
    last.jump(at(u64::MAX)).unwrap();
    assert_eq!(last.extent(), Some((at(u64::MAX - P4K + 1), P4K)));
    assert_eq!(last.find_next(1), Some(at(u64::MAX)));
}

#[test]
fn ranges_may_start_and_end_within_large_pages() {
    let heap = Heap::default();
    let mut table = Table::new(&heap).unwrap();
    map(&mut table, 0, PageSize::Size1G);
    map(&mut table, P1G, PageSize::Size2M);
    let both = [(0, PageSize::Size1G), (P1G, PageSize::Size2M)];
    assert_eq!(starts(&table, P4K, P1G), both);
    assert_eq!(starts(&table, P1G - P4K, P4K), both[..1]);
    let mut cursor = table.cursor(range(P4K, P1G)).unwrap();
    assert_eq!(cursor.find_next(P4K), Some(at(P4K)));
    assert_eq!(cursor.extent(), Some((at(0), P1G)));
    cursor.move_forward();
    assert_eq!(cursor.virt_addr(), Some(at(P1G)));
    assert_eq!(cursor.extent(), Some((at(P1G), P2M)));
    cursor.move_forward();
    assert_eq!(cursor.virt_addr(), None);
}

#[test]
fn finds_only_within_the_length() {
    let heap = Heap::default();
    let mut table = Table::new(&heap).unwrap();
    map(&mut table, 5 * P4K, PageSize::Size4K);
    let mut cursor = table.cursor(range(0, P2M)).unwrap();
    assert_eq!(cursor.find_next(5 * P4K), None);
    assert_eq!(cursor.virt_addr(), Some(at(5 * P4K)));
    assert!(cursor.query().is_some());
    cursor.jump(at(0)).unwrap();
    assert_eq!(cursor.find_next(5 * P4K + 1), Some(at(5 * P4K)));
    assert_eq!(cursor.find_next(0), None);
    assert_eq!(cursor.virt_addr(), Some(at(5 * P4K)));
}

#[test]
fn bits_that_hardware_sets_are_seen() {
    let heap = Heap::default();
    let mut table = PageTable::<_, X86_64, Tracking>::new(&heap).unwrap();
    let prop = PageProperty::USER_RW;
    table
        .map(at(P4K), PhysAddr::new(P4K), PageSize::Size4K, prop)
        .unwrap();
    let cursor = table.cursor(range(P4K, P4K)).unwrap();
    assert!(!cursor.query().unwrap().prop.accessed);
    let lowest = table.tables().find(|t| t.level == 1).unwrap().addr;
    // bit 5 says that the page was used
    heap.tables.borrow_mut()[(lowest.as_u64() / P4K) as usize - 1][1] |= 1 << 5;
    assert!(cursor.query().unwrap().prop.accessed);
}

#[test]
fn five_levels_are_read_to_their_ends() {
    let heap = Heap::default();
    let mut table = PageTable::<_, X86_64La57>::new(&heap).unwrap();
    let ends = [(1 << 56) - P4K, 0xff00_0000_0000_0000, u64::MAX - P4K + 1];
    let at = |raw| VirtAddr::<X86_64La57>::new(raw).unwrap();
    for va in ends {
        let (frame, prop) = (PhysAddr::new(0), PageProperty::KERNEL_RO);
        table.map(at(va), frame, PageSize::Size4K, prop).unwrap();
    }
    for (start, pages) in [(0, &ends[..1]), (ends[1], &ends[1..])] {
        let half = VirtRange::new(at(start), 1 << 56).unwrap();
        let found = table.mappings(half).unwrap();
        assert!(found.map(|(va, _)| va.as_u64()).eq(pages.iter().copied()));
        let mut cursor = table.cursor(half).unwrap();
        assert_eq!(cursor.find_next(u64::MAX), Some(at(pages[0])));
    }
    assert_eq!(table.tables().count(), 1 + 3 * 4);
}

#[test]
fn what_is_wrong_with_a_range_or_a_jump_is_said() {
    let heap = Heap::default();
    let table = Table::new(&heap).unwrap();
    let error = |start, size| table.cursor(range(start, size)).err();
    let not_aligned = |addr| Some(Error::NotAligned { addr, size: P4K });
    assert_eq!(error(1, P4K), not_aligned(1));
    assert_eq!(error(P4K, 1), not_aligned(P4K + 1));
    assert_eq!(
        error(u64::MAX - P4K + 1, 2),
        not_aligned(u64::MAX - P4K + 3)
    );
    assert_eq!(table.mappings(range(1, 0)).err(), not_aligned(1));
    let mut cursor = table.cursor(range(P2M, P2M)).unwrap();
    for va in [P2M - 1, 2 * P2M, u64::MAX] {
        let out = Error::OutOfRange { addr: va, size: 0 };
        assert_eq!(cursor.jump(at(va)), Err(out));
        assert_eq!(cursor.virt_addr(), Some(at(P2M)));
    }
    assert_eq!(cursor.jump(at(2 * P2M - 1)), Ok(()));
}

#[test]
fn neighbouring_pages_take_one_read_each() {
    let heap = Heap::default();
    let mut table = Table::new(&heap).unwrap();
    for i in 0..512 {
        map(&mut table, P2M + i * P4K, PageSize::Size4K);
    }
    heap.reads.set(0);
    assert_eq!(starts(&table, P2M, P2M).len(), 512);
    assert_eq!(heap.reads.get(), 512 + 3);
    heap.reads.set(0);
    let mut cursor = table.cursor(range(P2M, P2M)).unwrap();
    while cursor.virt_addr().is_some() {
        cursor.move_forward();
    }
    assert_eq!(heap.reads.get(), 512 + 3);
}

#[test]
fn pages_that_follow_each_other_are_one_run() {
    let heap = Heap::default();
    let mut table = Table::new(&heap).unwrap();
    let mut map = |va, frame, size, prop| {
        table.map(at(va), PhysAddr::new(frame), size, prop).unwrap();
    };
    map(
        P2M - P4K,
        P1G - P4K,
        PageSize::Size4K,
        PageProperty::USER_RW,
    );
    map(P2M, P1G, PageSize::Size2M, PageProperty::USER_RW);
    map(2 * P2M, P1G + P2M, PageSize::Size2M, PageProperty::USER_RW);
    // other properties, another frame, a hole in between
    map(
        3 * P2M,
        P1G + 2 * P2M,
        PageSize::Size4K,
        PageProperty::USER_RO,
    );
    map(3 * P2M + P4K, 0, PageSize::Size4K, PageProperty::USER_RO);
    map(
        3 * P2M + 3 * P4K,
        2 * P4K,
        PageSize::Size4K,
        PageProperty::USER_RO,
    );
    let lines: Vec<_> = table
        .mappings(range(0, LOW_END))
        .unwrap()
        .runs()
        .map(|run| run.to_string())
        .collect();
    let expected = [
        "00000000001ff000-00000000005fffff 2 x 2 MiB + 1 x 4 KiB rw- user -> 0x3ffff000",
        "0000000000600000-0000000000600fff 1 x 4 KiB r-- user -> 0x40400000",
        "0000000000601000-0000000000601fff 1 x 4 KiB r-- user -> 0x0",
        "0000000000603000-0000000000603fff 1 x 4 KiB r-- user -> 0x2000",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn runs_join_pages_that_were_used_and_others() {
    let used = PageProperty {
        accessed: true,
        ..PageProperty::USER_RW
    };
    let page = |frame, prop| Mapping {
        frame: PhysAddr::new(frame),
        size: PageSize::Size4K,
        prop,
    };
    let pages = [
        (at(0), page(0, PageProperty::USER_RW)),
        (at(P4K), page(P4K, used)),
    ];
    let runs: Vec<_> = Runs::new(pages.into_iter()).collect();
    assert_eq!(runs.len(), 1);
    assert_eq!((runs[0].size, runs[0].prop), (2 * P4K, used));
    assert_eq!(runs[0].pages().collect::<Vec<_>>(), [(PageSize::Size4K, 2)]);
    // neither addresses nor frames wrap around
    let last = u64::MAX - P4K + 1;
    let pages = [(at(last), page(0, used)), (at(0), page(P4K, used))];
    assert_eq!(Runs::new(pages.into_iter()).count(), 2);
}

#[test]
fn tables_come_from_the_root_down_in_order() {
    let heap = Heap::default();
    let mut table = Table::new(&heap).unwrap();
    let root = table.root();
    let all = |table: &Table<'_>| -> Vec<_> {
        let tables = table.tables();
        tables
            .map(|t| (t.level, t.start.as_u64(), t.size, t.used))
            .collect()
    };
    assert_eq!(all(&table), [(4, 0, 1 << 48, None)]);
    map(&mut table, 0, PageSize::Size4K);
    map(&mut table, P4K, PageSize::Size4K);
    map(&mut table, 511 * P2M, PageSize::Size4K);
    map(&mut table, P1G, PageSize::Size2M);
    map(&mut table, 2 * P1G, PageSize::Size1G);
    map(&mut table, u64::MAX - P4K + 1, PageSize::Size4K);
    let top = (1 << 39, 512 * P1G);
    let expected = [
        (4, 0, 1 << 48, None),
        (3, 0, top.0, Some(3)),
        (2, 0, P1G, Some(2)),
        (1, 0, P2M, Some(2)),
        (1, 511 * P2M, P2M, Some(1)),
        (2, P1G, P1G, Some(1)),
        (3, 0u64.wrapping_sub(top.1), top.0, Some(1)),
        (2, 0u64.wrapping_sub(P1G), P1G, Some(1)),
        (1, 0u64.wrapping_sub(P2M), P2M, Some(1)),
    ];
    assert_eq!(all(&table), expected);
    let mut frames: Vec<_> = table.tables().map(|t| t.addr.as_u64()).collect();
    assert_eq!(frames[0], root.as_u64());
    frames.sort_unstable();
    let held: Vec<_> = (1..=9).map(|n| n * P4K).collect();
    assert_eq!(frames, held);
    let mut tables = table.tables();
    assert_eq!(tables.by_ref().count(), 9);
    assert!(tables.next().is_none());
}

/// Numbers that look random (Marsaglia, Xorshift RNGs).
struct Random(u64);

impl Random {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

/// The first page of the model that reaches past `from`, if it starts before `end`.
fn next_page(model: &BTreeMap<u64, PageSize>, from: u64, end: u64) -> Option<(u64, PageSize)> {
    let pages = model.iter().map(|(va, size)| (*va, *size));
    pages
        .into_iter()
        .find(|(va, size)| va + size.bytes() > from && *va < end)
}

#[test]
fn random_tables_are_read_as_a_model_says() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..40 {
        let heap = Heap::default();
        let mut table = Table::new(&heap).unwrap();
        let mut model = BTreeMap::new();
        for _ in 0..random.next(60) {
            let size = [PageSize::Size4K, PageSize::Size2M, PageSize::Size1G]
                [random.next(9).saturating_sub(6) as usize];
            // crowded, so that pages are neighbours and in each other's way
            let va = [0, 510 * P1G][random.next(2) as usize]
                + random.next(4) * P1G
                + [0, 511][random.next(2) as usize] * P2M
                + random.next(5) * P4K;
            let va = va / size.bytes() * size.bytes();
            let frame = PhysAddr::new(0);
            if table
                .map(at(va), frame, size, PageProperty::USER_RO)
                .is_ok()
            {
                model.insert(va, size);
            }
        }
        let mut tables: Vec<_> = table.tables().map(|t| t.addr.as_u64()).collect();
        tables.sort_unstable();
        let held = 1..=heap.tables.borrow().len() as u64;
        assert!(held.map(|n| n * P4K).eq(tables));
        for _ in 0..50 {
            let start = random.next(515 * P1G / P4K) * P4K;
            let most = [600 * P1G, 2 * P1G, 4 * P2M][random.next(3) as usize];
            let end = start + random.next(most / P4K) * P4K;
            let expected: Vec<_> = {
                let overlaps =
                    |(va, size): &(u64, PageSize)| va + size.bytes() > start && *va < end;
                let pages = model.iter().map(|(va, size)| (*va, *size));
                pages.filter(overlaps).collect()
            };
            let expected = if start == end { vec![] } else { expected };
            assert_eq!(starts(&table, start, end - start), expected);
            let mut cursor = table.cursor(range(start, end - start)).unwrap();
            for _ in 0..10 {
                let Some(from) = cursor.virt_addr().map(VirtAddr::as_u64) else {
                    break;
                };
                let here = next_page(&model, from, from + 1);
                assert_eq!(cursor.query().map(|page| page.size), here.map(|(_, s)| s));
                let (first, bytes) = cursor.extent().unwrap();
                let first = first.as_u64();
                match here {
                    Some((va, size)) => assert_eq!((first, bytes), (va, size.bytes())),
                    None => assert_eq!(next_page(&model, first, first + bytes), None),
                }
                let len = random.next(3 * P1G);
                let stop = end.min(from + len);
                let next = next_page(&model, from, stop).filter(|_| from < stop);
                let next = next.map(|(va, _)| va.max(from));
                assert_eq!(cursor.find_next(len).map(VirtAddr::as_u64), next);
                let now = next.unwrap_or(stop);
                let expected = (now < end).then_some(now);
                assert_eq!(cursor.virt_addr().map(VirtAddr::as_u64), expected);
                cursor.move_forward();
            }
        }
    }
}
