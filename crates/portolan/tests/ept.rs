//! Extended page tables: the words that the manual asks for (Intel SDM vol. 3, tables 30-2 to 30-7), and what the mode
//! has and lacks.

mod common;

use common::{Heap, NoTlb};
use portolan::{
    CachePolicy, Ept, Error, PageProperty, PageSize, PageTable, PhysAddr, Preset, Tracking,
    VirtAddr, VirtRange,
};

const SIZES: [PageSize; 3] = [PageSize::Size4K, PageSize::Size2M, PageSize::Size1G];
const FRAME: PhysAddr = PhysAddr::new(0x12_4000_0000);

fn guest(raw: u64) -> VirtAddr<Ept> {
    VirtAddr::new(raw).unwrap()
}

/// The word of the page of `size` at address 0.
fn page_word(heap: &Heap, root: PhysAddr, size: PageSize) -> u64 {
    let level = SIZES.iter().position(|s| *s == size).unwrap();
    let mut word = heap.word(root.as_u64(), 0);
    for _ in level..3 {
        word = heap.word(word & 0x000f_ffff_ffff_f000, 0);
    }
    word
}

/// The word of a page of `size` with `prop`, in a table that tracks.
fn word_of(size: PageSize, prop: PageProperty) -> u64 {
    let heap = Heap::default();
    let mut table = PageTable::<_, Ept, Tracking>::new(&heap).unwrap();
    table.map(guest(0), FRAME, size, prop).unwrap();
    assert_eq!(table.query(guest(0)).unwrap().prop, prop);
    page_word(&heap, table.root(), size)
}

#[test]
fn pages_are_written_as_the_manual_says() {
    let rw = PageProperty::USER_RW;
    // read, write; write-back (6) in bits 5:3; bit 7 in upper tables
    assert_eq!(word_of(PageSize::Size4K, rw), 0x12_4000_0033);
    assert_eq!(word_of(PageSize::Size2M, rw), 0x12_4000_00b3);
    assert_eq!(word_of(PageSize::Size1G, rw), 0x12_4000_00b3);
    let rx = PageProperty::USER_RX;
    assert_eq!(word_of(PageSize::Size4K, rx), 0x12_4000_0035);
    let only_execute = PageProperty { read: false, ..rx };
    assert_eq!(word_of(PageSize::Size2M, only_execute), 0x12_4000_00b4);
    let used = PageProperty {
        accessed: true,
        dirty: true,
        execute: true,
        ..rw
    };
    assert_eq!(word_of(PageSize::Size1G, used), 0x12_4000_03b7);
}

#[test]
fn cache_policies_are_memory_types() {
    let types = [
        (CachePolicy::Uncacheable, 0x01),
        (CachePolicy::WriteCombining, 0x09),
        (CachePolicy::WriteThrough, 0x21),
        (CachePolicy::WriteProtected, 0x29),
        (CachePolicy::WriteBack, 0x31),
    ];
    for (cache, low) in types {
        let prop = PageProperty {
            cache,
            ..PageProperty::USER_RO
        };
        assert_eq!(word_of(PageSize::Size4K, prop), 0x12_4000_0000 | low);
    }
}

#[test]
fn tables_allow_all_are_accessed_and_counted() {
    let heap = Heap::default();
    let mut table = PageTable::<_, Ept>::new(&heap).unwrap();
    for n in 0..3 {
        table
            .map(
                guest(0x8000_0000_0000 + n * 0x1000),
                FRAME,
                PageSize::Size4K,
                PageProperty::USER_RO,
            )
            .unwrap();
    }
    let mut at = table.root();
    for (index, used) in [(256, 1), (0, 1), (0, 3)] {
        let word = heap.word(at.as_u64(), index);
        assert_eq!(word & 0xfff0_0000_0000_0fff, used << 52 | 0x107);
        at = PhysAddr::new(word & 0x000f_ffff_ffff_f000);
    }
    // nobody has used the page, but its accessed and dirty bits are set from the start
    assert_eq!(heap.word(at.as_u64(), 2), 0x12_4000_0331);
}

#[test]
fn maps_queries_protects_and_unmaps_at_every_size_and_gives_everything_back() {
    let heap = Heap::default();
    let mut table = PageTable::<_, Ept, Tracking>::new(&heap).unwrap();
    for (size, at) in SIZES
        .into_iter()
        .zip([0xffff_ffff_f000, 0x20_0000, 0x7f_c000_0000])
    {
        let va = guest(at);
        table.map(va, FRAME, size, PageProperty::USER_RW).unwrap();
        let found = table.query(guest(at + 0xabc)).unwrap();
        assert_eq!((found.frame, found.size), (FRAME, size));
        let (was, flush) = table.protect(va, size, PageProperty::USER_RX).unwrap();
        assert_eq!((flush.addr(), flush.size()), (va, size.bytes()));
        flush.pay(&NoTlb);
        assert_eq!(was.prop, PageProperty::USER_RW);
        assert_eq!(table.query(va).unwrap().prop, PageProperty::USER_RX);
        let (was, flush) = table.unmap(va, size).unwrap();
        assert_eq!(was.prop, PageProperty::USER_RX);
        assert!(flush.frees_tables());
        flush.pay(&NoTlb);
        assert_eq!(heap.len(), 1);
    }
    drop(table);
    assert_eq!(heap.len(), 0);
}

#[test]
fn what_entries_cannot_express_is_refused() {
    let heap = Heap::default();
    let mut table = PageTable::<_, Ept, Preset>::new(&heap).unwrap();
    let ro = PageProperty::USER_RO;
    let refused = [
        PageProperty::KERNEL_RO,
        PageProperty { global: true, ..ro },
        PageProperty { read: false, ..ro },
        PageProperty {
            read: false,
            write: true,
            execute: true,
            ..ro
        },
        PageProperty {
            cache: CachePolicy::UncacheableMinus,
            ..ro
        },
    ];
    for prop in refused {
        let r = table.map(guest(0), FRAME, PageSize::Size4K, prop);
        assert!(
            matches!(r, Err(Error::UnsupportedProperty { .. })),
            "{prop:?}: {r:?}"
        );
    }
    for size in [PageSize::Size16K, PageSize::Size64K, PageSize::Size512M] {
        let r = table.map(guest(0), FRAME, size, ro);
        assert!(matches!(r, Err(Error::UnsupportedSize { .. })), "{r:?}");
    }
    // the heap's machine has 48 bits
    let r = table.map(guest(0), PhysAddr::new(1 << 48), PageSize::Size4K, ro);
    assert!(matches!(r, Err(Error::PhysTooWide { .. })), "{r:?}");
    assert_eq!(heap.len(), 1);
}

#[test]
fn guest_physical_addresses_end_at_48_bits() {
    assert!(VirtAddr::<Ept>::new(0xffff_ffff_ffff).is_ok());
    assert!(VirtAddr::<Ept>::new(0x1_0000_0000_0000).is_err());
    assert!(VirtAddr::<Ept>::new(0xffff_ffff_ffff_f000).is_err());
    // no gap in the middle
    assert!(VirtRange::new(guest(0x7fff_ffff_f000), 0x2000).is_ok());
    assert!(VirtRange::new(guest(0xffff_ffff_f000), 0x1000).is_ok());
    assert!(VirtRange::new(guest(0xffff_ffff_f000), 0x1001).is_err());
}
