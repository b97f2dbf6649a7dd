//! What a user relies on when all pages of a range are worked on at once.

mod common;

use common::{Heap, NoTlb};
use portolan::{
    AccessBits, Advice, Error, PageProperty, PageSize, PageTable, PhysAddr, Preset, Tracking,
    VirtAddr, VirtRange, X86_64,
};

const PAGE: u64 = 0x1000;
const HUGE: u64 = 0x20_0000;
const GIANT: u64 = 0x4000_0000;

type Table<'h, B> = PageTable<&'h Heap, X86_64, B>;

fn va(at: u64) -> VirtAddr<X86_64> {
    VirtAddr::new(at).unwrap()
}

fn range(from: u64, bytes: u64) -> VirtRange<X86_64> {
    VirtRange::new(va(from), bytes).unwrap()
}

fn map<B: AccessBits>(table: &mut Table<'_, B>, at: u64, size: PageSize) {
    let frame = PhysAddr::new(at % (1 << 40));
    table
        .map(va(at), frame, size, PageProperty::USER_RW)
        .unwrap();
}

/// A page of each size in the range of one giant page, and neighbours on both sides.
fn mixed<B: AccessBits>(heap: &Heap) -> Table<'_, B> {
    let mut table = PageTable::new(heap).unwrap();
    map(&mut table, 2 * GIANT, PageSize::Size1G);
    for n in [0, 1, 2, 300, 511] {
        map(&mut table, GIANT + n * PAGE, PageSize::Size4K);
    }
    for n in [1, 2, 7, 511] {
        map(&mut table, GIANT + n * HUGE, PageSize::Size2M);
    }
    map(&mut table, GIANT - PAGE, PageSize::Size4K);
    map(&mut table, 3 * GIANT, PageSize::Size4K);
    table
}

fn is_mapped<B: AccessBits>(table: &Table<'_, B>, at: u64) -> bool {
    table.query(va(at)).is_ok()
}

#[test]
fn unmapping_a_range_takes_pages_of_all_sizes_and_leaves_the_neighbours() {
    let heap = Heap::default();
    let mut table = mixed::<Preset>(&heap);
    let (bytes, flush) = table.unmap_range(range(GIANT, 2 * GIANT)).unwrap();
    assert_eq!(bytes, 5 * PAGE + 4 * HUGE + GIANT);
    assert_eq!((flush.addr(), flush.size()), (va(GIANT), 2 * GIANT));
    assert_eq!(flush.range().stride(), PageSize::Size4K);
    assert!(flush.frees_tables());
    flush.pay(&NoTlb);
    for n in [0, 1, 2, 300, 511] {
        assert!(!is_mapped(&table, GIANT + n * PAGE));
        assert!(!is_mapped(&table, GIANT + n * HUGE));
    }
    assert!(!is_mapped(&table, 2 * GIANT));
    assert!(is_mapped(&table, GIANT - PAGE));
    assert!(is_mapped(&table, 3 * GIANT));
    // root, one of level 3, two of level 2, two of level 1
    assert_eq!(heap.len(), 6);
    drop(table);
    assert_eq!(heap.len(), 0);
}

#[test]
fn unmapping_a_part_of_a_table_leaves_the_rest() {
    let heap = Heap::default();
    let mut table = mixed::<Tracking>(&heap);
    let (bytes, flush) = table.unmap_range(range(GIANT + PAGE, 299 * PAGE)).unwrap();
    assert_eq!(bytes, 2 * PAGE);
    assert!(!flush.frees_tables());
    flush.pay(&NoTlb);
    let left = [0, 1, 2, 300, 511].map(|n| is_mapped(&table, GIANT + n * PAGE));
    assert_eq!(left, [true, false, false, true, true]);
    // the counts are right: what is left empties the table
    for n in [0, 300, 511] {
        let (_, flush) = table.unmap(va(GIANT + n * PAGE), PageSize::Size4K).unwrap();
        assert_eq!(flush.frees_tables(), n == 511);
        flush.pay(&NoTlb);
    }
}

#[test]
fn unmapping_everything_leaves_the_root_alone() {
    let heap = Heap::default();
    let mut table = mixed::<Tracking>(&heap);
    let half = 1 << 47;
    map(&mut table, half - PAGE, PageSize::Size4K);
    map(&mut table, 0, PageSize::Size4K);
    map(&mut table, u64::MAX - PAGE + 1, PageSize::Size4K);
    let (_, lower) = table.unmap_range(range(0, half)).unwrap();
    let (_, upper) = table.unmap_range(range(!0 << 47, half)).unwrap();
    let (lower, upper) = lower.merge(upper);
    lower.pay(&NoTlb);
    upper.unwrap().pay(&NoTlb);
    assert_eq!(heap.len(), 1);
    assert!(!is_mapped(&table, 0) && !is_mapped(&table, u64::MAX));
    map(&mut table, 0, PageSize::Size4K);
}

#[test]
fn where_nothing_is_mapped_there_is_nothing_to_flush() {
    let heap = Heap::default();
    let mut table = mixed::<Preset>(&heap);
    for hole in [range(GIANT + 3 * PAGE, PAGE), range(8 * GIANT, 8 * GIANT)] {
        let (bytes, flush) = table.unmap_range(hole).unwrap();
        assert_eq!(bytes, 0);
        assert_eq!(flush.size(), 0);
        assert!(matches!(
            flush.range().advice(0),
            Advice::Pages { count: 0, .. }
        ));
        flush.pay(&NoTlb);
    }
    let (bytes, flush) = table.unmap_range(range(GIANT, 0)).unwrap();
    assert_eq!((bytes, flush.size()), (0, 0));
    assert!(is_mapped(&table, GIANT));
}

#[test]
fn the_ends_must_be_where_pages_can_start() {
    let heap = Heap::default();
    let mut table = mixed::<Preset>(&heap);
    let not_aligned = |addr| Err(Error::NotAligned { addr, size: PAGE });
    let start = table.unmap_range(range(GIANT + 8, PAGE)).map(drop);
    assert_eq!(start, not_aligned(GIANT + 8));
    let end = table.unmap_range(range(GIANT, PAGE + 8)).map(drop);
    assert_eq!(end, not_aligned(GIANT + PAGE + 8));
}

#[test]
fn a_run_of_pages_costs_few_accesses_more_than_one_each() {
    let heap = Heap::default();
    let mut table = Table::<Preset>::new(&heap).unwrap();
    for n in 0..512 {
        map(&mut table, GIANT + n * PAGE, PageSize::Size4K);
    }
    heap.accesses();
    let (_, flush) = table.unmap_range(range(GIANT, HUGE)).unwrap();
    // a read and a write each, two descents, and what becomes of four tables
    assert!(heap.accesses() < 2 * 512 + 40);
    flush.pay(&NoTlb);
}

#[test]
fn flushes_are_merged_unless_both_keep_tables() {
    let heap = Heap::default();
    let mut table = mixed::<Preset>(&heap);
    let (_, a) = table.unmap_range(range(GIANT + PAGE, PAGE)).unwrap();
    let (_, b) = table.unmap_range(range(GIANT + 7 * HUGE, HUGE)).unwrap();
    let (both, None) = b.merge(a) else {
        panic!("neither keeps tables")
    };
    assert_eq!(both.addr(), va(GIANT + PAGE));
    assert_eq!(both.size(), 8 * HUGE - PAGE);
    assert_eq!(both.range().stride(), PageSize::Size4K);
    assert_eq!(both.range().pages(), 8 * 512 - 1);
    assert!(matches!(both.range().advice(33), Advice::All));
    let (_, c) = table.unmap_range(range(3 * GIANT, PAGE)).unwrap();
    assert!(c.frees_tables());
    let (all, None) = c.merge(both) else {
        panic!("only one keeps tables")
    };
    assert!(all.frees_tables());
    let (_, d) = table.unmap_range(range(GIANT - PAGE, PAGE)).unwrap();
    let (d, all) = d.merge(all);
    let before = heap.len();
    d.pay(&NoTlb);
    all.unwrap().pay(&NoTlb);
    assert_eq!(heap.len(), before - 4);
}

#[test]
fn protecting_a_range_changes_pages_of_all_sizes_and_no_others() {
    let heap = Heap::default();
    let mut table = mixed::<Preset>(&heap);
    let tables = heap.len();
    let (bytes, flush) = table
        .protect_range(range(GIANT + PAGE, 2 * GIANT - PAGE), PageProperty::USER_RO)
        .unwrap();
    assert_eq!(bytes, 4 * PAGE + 4 * HUGE + GIANT);
    assert_eq!(
        (flush.addr(), flush.size()),
        (va(GIANT + PAGE), 2 * GIANT - PAGE)
    );
    assert_eq!(flush.range().stride(), PageSize::Size4K);
    assert!(!flush.frees_tables());
    flush.pay(&NoTlb);
    let write = |at| table.query(va(at)).unwrap().prop.write;
    assert!(write(GIANT - PAGE) && write(GIANT) && write(3 * GIANT));
    for n in [1, 2, 300, 511] {
        assert!(!write(GIANT + n * PAGE));
    }
    for n in [1, 2, 7, 511] {
        assert!(!write(GIANT + n * HUGE));
        assert_eq!(
            table.query(va(GIANT + n * HUGE)).unwrap().frame,
            PhysAddr::new(GIANT + n * HUGE)
        );
    }
    assert!(!write(2 * GIANT));
    assert!(!is_mapped(&table, GIANT + 3 * PAGE));
    assert_eq!(heap.len(), tables);
}

#[test]
fn protecting_a_range_keeps_accessed_and_dirty_bits() {
    let heap = Heap::default();
    let mut table = Table::<Tracking>::new(&heap).unwrap();
    let used = PageProperty {
        accessed: true,
        dirty: true,
        ..PageProperty::USER_RW
    };
    for (n, prop) in [(0, used), (1, PageProperty::USER_RW)] {
        table
            .map(va(n * PAGE), PhysAddr::new(0), PageSize::Size4K, prop)
            .unwrap();
    }
    let (_, flush) = table
        .protect_range(range(0, 2 * PAGE), PageProperty::USER_RO)
        .unwrap();
    flush.pay(&NoTlb);
    let props = [0, 1].map(|n| table.query(va(n * PAGE)).unwrap().prop);
    assert!(props[0].accessed && props[0].dirty && !props[0].write);
    assert!(!props[1].accessed && !props[1].dirty && !props[1].write);
}

#[test]
fn protecting_a_range_is_refused_as_unmapping_is() {
    let heap = Heap::default();
    let mut table = mixed::<Preset>(&heap);
    let none = PageProperty {
        read: false,
        ..PageProperty::USER_RO
    };
    assert_eq!(
        table.protect_range(range(GIANT, PAGE), none).map(drop),
        Err(Error::UnsupportedProperty {
            addr: GIANT,
            size: PAGE
        })
    );
    assert!(table.query(va(GIANT)).unwrap().prop.write);
    let (bytes, hole) = table
        .protect_range(range(8 * GIANT, GIANT), PageProperty::USER_RO)
        .unwrap();
    assert_eq!((bytes, hole.size()), (0, 0));
}
