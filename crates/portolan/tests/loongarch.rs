//! LoongArch64 tables: words as the manual has them (Volume 1, 5.4.5), and what each mode has and lacks.

mod common;

use common::{Heap, NoTlb};
use portolan::arch::loongarch::{Pages, Pages4K39, Pages4K47, Pages16K47};
use portolan::{
    CachePolicy, Error, LoongArchLower, LoongArchUpper, PageProperty, PageSize, PageTable,
    PagingMode, PhysAddr, Preset, Tracking, VirtAddr, VirtRange,
};

const FRAME: PhysAddr = PhysAddr::new(0x12_4000_0000);

/// PA of a table's entry.
const ADDRESS: u64 = 0x0000_ffff_ffff_f000;

/// What `FRAME` and V, P are in every page.
const PAGE: u64 = FRAME.as_u64() | 0x81;

const ALL: [PageSize; 7] = [
    PageSize::Size4K,
    PageSize::Size16K,
    PageSize::Size64K,
    PageSize::Size2M,
    PageSize::Size32M,
    PageSize::Size512M,
    PageSize::Size1G,
];

/// The word of a page of `size` with `prop` at address 0, `depth` tables below the root. What refers to a table has V, the
/// address and a count of 1.
fn word_of<A: PagingMode>(depth: usize, size: PageSize, prop: PageProperty) -> u64 {
    let heap = Heap::default();
    let mut table = PageTable::<_, A, Tracking>::new(&heap).unwrap();
    let va = VirtAddr::new(0).unwrap();
    table.map(va, FRAME, size, prop).unwrap();
    assert_eq!(table.query(va).unwrap().prop, prop);
    let at = (0..depth).fold(table.root().as_u64(), |at, _| {
        let word = heap.word(at, 0);
        assert_eq!(word, word & ADDRESS | 1 << 48 | 1);
        word & ADDRESS
    });
    heap.word(at, 0)
}

/// Pages of every size come and go, in a mode that has `sizes` and whose first address is `first`; other sizes are refused.
fn has_sizes<A: PagingMode>(first: u64, sizes: &[PageSize]) {
    let heap = Heap::default();
    let mut table = PageTable::<_, A, Tracking>::new(&heap).unwrap();
    let (rw, rx) = (PageProperty::USER_RW, PageProperty::USER_RX);
    for size in ALL {
        let at = first + 0x1_4000_0000;
        let va = VirtAddr::new(at).unwrap();
        if !sizes.contains(&size) {
            let r = table.map(va, FRAME, size, rw);
            let refused = Err(Error::UnsupportedSize {
                addr: at,
                size: size.bytes(),
            });
            assert_eq!(r, refused);
            continue;
        }
        table.map(va, FRAME, size, rw).unwrap();
        let found = table.query(VirtAddr::new(at + 0xabc).unwrap()).unwrap();
        assert_eq!((found.frame, found.size, found.prop), (FRAME, size, rw));
        let (was, flush) = table.protect(va, size, rx).unwrap();
        flush.pay(&NoTlb);
        assert_eq!((was.prop, table.query(va).unwrap().prop), (rw, rx));
        let (was, flush) = table.unmap(va, size).unwrap();
        assert_eq!(was.prop, rx);
        flush.pay(&NoTlb);
        assert_eq!(heap.len(), 1);
    }
    drop(table);
    assert_eq!(heap.len(), 0);
}

/// The lower region ends where the upper one, of the same size, begins to count from the end.
fn has_regions<P: Pages>(bits: u32) {
    let span = 1u64 << bits;
    assert!(VirtAddr::<LoongArchLower<P>>::new(0).is_ok());
    assert!(VirtAddr::<LoongArchLower<P>>::new(span - 1).is_ok());
    assert!(VirtAddr::<LoongArchLower<P>>::new(span).is_err());
    assert!(VirtAddr::<LoongArchLower<P>>::new(u64::MAX).is_err());
    assert!(VirtAddr::<LoongArchUpper<P>>::new(0).is_err());
    assert!(VirtAddr::<LoongArchUpper<P>>::new(span.wrapping_neg() - 1).is_err());
    assert!(VirtAddr::<LoongArchUpper<P>>::new(span.wrapping_neg()).is_ok());
    assert!(VirtAddr::<LoongArchUpper<P>>::new(u64::MAX).is_ok());
}

#[test]
fn every_mode_has_its_page_sizes_in_both_regions() {
    let small = [PageSize::Size4K, PageSize::Size2M, PageSize::Size1G];
    has_sizes::<LoongArchLower<Pages4K39>>(0, &small);
    has_sizes::<LoongArchUpper<Pages4K39>>(0xffff_ff80_0000_0000, &small);
    has_sizes::<LoongArchLower<Pages4K47>>(0, &small);
    has_sizes::<LoongArchUpper<Pages4K47>>(0xffff_8000_0000_0000, &small);
    let large = [PageSize::Size16K, PageSize::Size32M];
    has_sizes::<LoongArchLower<Pages16K47>>(0x7000_0000_0000, &large);
    has_sizes::<LoongArchUpper<Pages16K47>>(0xffff_8000_0000_0000, &large);
}

#[test]
fn regions_end_where_their_address_bits_do() {
    has_regions::<Pages4K39>(39);
    has_regions::<Pages4K47>(47);
    has_regions::<Pages16K47>(47);
}

#[test]
fn pages_are_written_as_the_manual_says() {
    let small = |prop| word_of::<LoongArchLower>(3, PageSize::Size4K, prop);
    // NX; W, P, MAT 1, PLV 3, D, V
    assert_eq!(
        small(PageProperty::USER_RW),
        0x4000_0000_0000_0000 | PAGE | 0x11e
    );
    assert_eq!(small(PageProperty::USER_RX), PAGE | 0x1c);
    assert_eq!(
        small(PageProperty::KERNEL_RO),
        0x4000_0000_0000_0000 | PAGE | 0x10
    );
    let execute_only = PageProperty {
        read: false,
        ..PageProperty::KERNEL_RX
    };
    assert_eq!(small(execute_only), 0x2000_0000_0000_0000 | PAGE | 0x10);
    let with = |cache| PageProperty {
        cache,
        ..PageProperty::KERNEL_RX
    };
    assert_eq!(small(with(CachePolicy::WriteCombining)), PAGE | 0x20);
    assert_eq!(small(with(CachePolicy::Uncacheable)), PAGE);
    let (accessed, dirty) = (true, true);
    let used = PageProperty {
        accessed,
        dirty,
        ..PageProperty::KERNEL_RX
    };
    assert_eq!(small(used), PAGE | 0x610);
}

#[test]
fn global_is_elsewhere_in_what_a_directory_holds() {
    let prop = PageProperty {
        global: true,
        ..PageProperty::KERNEL_RX
    };
    let small = |size, depth| word_of::<LoongArchLower>(depth, size, prop);
    assert_eq!(small(PageSize::Size4K, 3), PAGE | 0x50);
    assert_eq!(small(PageSize::Size2M, 2), PAGE | 0x1050);
    assert_eq!(small(PageSize::Size1G, 1), PAGE | 0x1050);
    let large = |size, depth| word_of::<LoongArchLower<Pages16K47>>(depth, size, prop);
    assert_eq!(large(PageSize::Size16K, 2), PAGE | 0x50);
    assert_eq!(large(PageSize::Size32M, 1), PAGE | 0x1050);
    // Not global, it is a page for all that
    let rx = word_of::<LoongArchLower<Pages4K39>>(1, PageSize::Size2M, PageProperty::KERNEL_RX);
    assert_eq!(rx, PAGE | 0x50);
}

#[test]
fn refuses_cache_policies_that_no_memory_access_type_is() {
    let heap = Heap::default();
    let mut table = PageTable::<_, LoongArchLower>::new(&heap).unwrap();
    let (va, size) = (VirtAddr::new(0x1000).unwrap(), PageSize::Size4K);
    for cache in [
        CachePolicy::WriteThrough,
        CachePolicy::UncacheableMinus,
        CachePolicy::WriteProtected,
    ] {
        let prop = PageProperty {
            cache,
            ..PageProperty::USER_RW
        };
        let refused = Err(Error::UnsupportedProperty {
            addr: 0x1000,
            size: 0x1000,
        });
        assert_eq!(table.map(va, FRAME, size, prop), refused);
    }
}

#[test]
fn frames_end_where_the_entries_or_the_machine_do() {
    for (machine, end) in [(48, 1u64 << 48), (56, 1 << 48), (36, 1 << 36)] {
        let heap = Heap::new(machine, 0x1000);
        let mut table = PageTable::<_, LoongArchUpper>::new(&heap).unwrap();
        for size in [PageSize::Size4K, PageSize::Size2M, PageSize::Size1G] {
            let va = VirtAddr::new(0xffff_ffff_c000_0000).unwrap();
            let (prop, bytes) = (PageProperty::KERNEL_RW, size.bytes());
            let refused = Err(Error::PhysTooWide {
                addr: end,
                size: bytes,
            });
            assert_eq!(table.map(va, PhysAddr::new(end), size, prop), refused);
            let last = PhysAddr::new(end - bytes);
            table.map(va, last, size, prop).unwrap();
            assert_eq!(table.query(va).unwrap().frame, last);
            table.unmap(va, size).unwrap().1.pay(&NoTlb);
        }
    }
}

#[test]
fn tables_are_counted_to_the_last_entry() {
    let heap = Heap::default();
    let mut table = PageTable::<_, LoongArchLower<Pages16K47>, Preset>::new(&heap).unwrap();
    let start = 0x200_0000;
    for page in 0..2048 {
        let va = VirtAddr::new(start + (page << 14)).unwrap();
        let frame = PhysAddr::new(page << 14);
        let prop = PageProperty::USER_RO;
        table.map(va, frame, PageSize::Size16K, prop).unwrap();
    }
    assert_eq!(heap.len(), 3);
    let level2 = heap.word(table.root().as_u64(), 0) & ADDRESS;
    assert_eq!(heap.word(level2, 1) >> 48, 2048);
    let range = VirtRange::new(VirtAddr::new(start).unwrap(), 0x200_0000).unwrap();
    let (pages, flush) = table.unmap_range(range).unwrap();
    flush.pay(&NoTlb);
    assert_eq!((pages, heap.len()), (2048 << 14, 1));
}

#[test]
fn what_is_in_use_keeps_its_size_and_its_cache_policy() {
    let heap = Heap::default();
    let mut table = PageTable::<_, LoongArchLower>::new(&heap).unwrap();
    let va = VirtAddr::new(0x20_0000).unwrap();
    let (size, prop) = (PageSize::Size2M, PageProperty::USER_RW);
    table.map(va, FRAME, size, prop).unwrap();
    let refused = Error::BreakBeforeMake {
        addr: 0x20_0000,
        size: 0x20_0000,
    };
    assert_eq!(table.split(va, size).unwrap_err(), refused);
    let cache = CachePolicy::Uncacheable;
    let device = PageProperty { cache, ..prop };
    assert_eq!(table.protect(va, size, device).unwrap_err(), refused);
    let global = PageProperty {
        global: true,
        ..prop
    };
    assert_eq!(table.protect(va, size, global).unwrap_err(), refused);
}
