//! AArch64 tables: the words that the manual asks for (Arm ARM DDI 0487, tables D8-50 to D8-53), and what each granule and
//! stage has and lacks.

mod common;

use common::{Heap, NoTlb};
use portolan::arch::aarch64::{
    Granule, Granule4K39, Granule4K48, Granule16K47, Granule16K48, Granule64K42, Granule64K48, MAIR,
};
use portolan::{
    AArch64Lower, AArch64Stage2, AArch64Upper, CachePolicy, Error, PageProperty, PageSize,
    PageTable, PagingMode, PhysAddr, Preset, Tracking, VirtAddr, VirtRange,
};

const FRAME: PhysAddr = PhysAddr::new(0x12_4000_0000);
const ADDRESS: u64 = 0x0000_ffff_ffff_f000;

const ALL: [PageSize; 7] = [
    PageSize::Size4K,
    PageSize::Size16K,
    PageSize::Size64K,
    PageSize::Size2M,
    PageSize::Size32M,
    PageSize::Size512M,
    PageSize::Size1G,
];

/// Where the entry of address 0 lies, `depth` tables below the root.
fn table_at(heap: &Heap, root: PhysAddr, depth: usize) -> PhysAddr {
    (0..depth).fold(root, |at, _| {
        PhysAddr::new(heap.word(at.as_u64(), 0) & ADDRESS)
    })
}

/// The word of a page of `size` with `prop` at address 0, `depth` tables below the root, in a table that tracks.
fn word_of<A: PagingMode>(depth: usize, size: PageSize, prop: PageProperty) -> u64 {
    let heap = Heap::default();
    let mut table = PageTable::<_, A, Tracking>::new(&heap).unwrap();
    let va = VirtAddr::new(0).unwrap();
    table.map(va, FRAME, size, prop).unwrap();
    assert_eq!(table.query(va).unwrap().prop, prop);
    heap.word(table_at(&heap, table.root(), depth).as_u64(), 0)
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
            assert!(
                matches!(r, Err(Error::UnsupportedSize { .. })),
                "{size} {r:?}"
            );
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
fn has_regions<G: Granule>(bits: u32) {
    let span = 1u64 << bits;
    assert!(VirtAddr::<AArch64Lower<G>>::new(0).is_ok());
    assert!(VirtAddr::<AArch64Lower<G>>::new(span - 1).is_ok());
    assert!(VirtAddr::<AArch64Lower<G>>::new(span).is_err());
    assert!(VirtAddr::<AArch64Lower<G>>::new(u64::MAX).is_err());
    assert!(VirtAddr::<AArch64Upper<G>>::new(0).is_err());
    assert!(VirtAddr::<AArch64Upper<G>>::new(span.wrapping_neg() - 1).is_err());
    assert!(VirtAddr::<AArch64Upper<G>>::new(span.wrapping_neg()).is_ok());
    assert!(VirtAddr::<AArch64Upper<G>>::new(u64::MAX).is_ok());
}

#[test]
fn every_granule_has_its_page_sizes_in_both_regions() {
    let small = [PageSize::Size4K, PageSize::Size2M, PageSize::Size1G];
    has_sizes::<AArch64Lower<Granule4K39>>(0, &small);
    has_sizes::<AArch64Lower<Granule4K48>>(0, &small);
    has_sizes::<AArch64Upper<Granule4K39>>(0xffff_ff80_0000_0000, &small);
    has_sizes::<AArch64Upper<Granule4K48>>(0xffff_0000_0000_0000, &small);
    let medium = [PageSize::Size16K, PageSize::Size32M];
    has_sizes::<AArch64Lower<Granule16K47>>(0, &medium);
    has_sizes::<AArch64Lower<Granule16K48>>(0x8000_0000_0000, &medium);
    has_sizes::<AArch64Upper<Granule16K47>>(0xffff_8000_0000_0000, &medium);
    has_sizes::<AArch64Upper<Granule16K48>>(0xffff_8000_0000_0000, &medium);
    let large = [PageSize::Size64K, PageSize::Size512M];
    has_sizes::<AArch64Lower<Granule64K42>>(0, &large);
    has_sizes::<AArch64Lower<Granule64K48>>(0, &large);
    has_sizes::<AArch64Upper<Granule64K42>>(0xffff_fc00_0000_0000, &large);
    has_sizes::<AArch64Upper<Granule64K48>>(0xffff_0000_0000_0000, &large);
    has_sizes::<AArch64Stage2<Granule4K39>>(0, &small);
    has_sizes::<AArch64Stage2<Granule4K48>>(0, &small);
}

#[test]
fn regions_end_where_their_address_bits_do() {
    has_regions::<Granule4K39>(39);
    has_regions::<Granule4K48>(48);
    has_regions::<Granule16K47>(47);
    has_regions::<Granule16K48>(48);
    has_regions::<Granule64K42>(42);
    has_regions::<Granule64K48>(48);
    assert!(VirtAddr::<AArch64Stage2<Granule4K39>>::new((1 << 39) - 1).is_ok());
    assert!(VirtAddr::<AArch64Stage2<Granule4K39>>::new(1 << 39).is_err());
    assert!(VirtAddr::<AArch64Stage2>::new(1 << 48).is_err());
}

#[test]
fn pages_are_written_as_the_manual_says() {
    let word = |size, prop| match size {
        PageSize::Size4K => word_of::<AArch64Lower>(3, size, prop),
        PageSize::Size2M => word_of::<AArch64Lower>(2, size, prop),
        _ => word_of::<AArch64Lower>(1, size, prop),
    };
    // DBM, PXN, UXN; AP[2] as long as it is clean, AP[1], inner shareable, not global
    let rw = PageProperty::USER_RW;
    assert_eq!(word(PageSize::Size4K, rw), 0x0068_0012_4000_0bc3);
    assert_eq!(word(PageSize::Size2M, rw), 0x0068_0012_4000_0bc1);
    assert_eq!(word(PageSize::Size1G, rw), 0x0068_0012_4000_0bc1);
    let (accessed, dirty) = (true, true);
    let used = PageProperty {
        accessed,
        dirty,
        ..rw
    };
    assert_eq!(word(PageSize::Size4K, used), 0x0068_0012_4000_0f43);
    let shared = PageProperty {
        dirty,
        ..PageProperty::USER_RX
    };
    assert_eq!(word(PageSize::Size4K, shared), 0x00a0_0012_4000_0bc3);
    assert_eq!(
        word(PageSize::Size4K, PageProperty::KERNEL_RW),
        0x0068_0012_4000_0b83
    );
    let code = PageProperty {
        global: true,
        ..PageProperty::KERNEL_RX
    };
    assert_eq!(word(PageSize::Size2M, code), 0x0040_0012_4000_0381);
}

#[test]
fn cache_policies_are_indices_of_mair() {
    let policies = [
        (CachePolicy::WriteBack, 0, 0xff),
        (CachePolicy::WriteThrough, 1, 0xbb),
        (CachePolicy::WriteCombining, 2, 0x44),
        (CachePolicy::Uncacheable, 3, 0x04),
    ];
    for (cache, index, attribute) in policies {
        let prop = PageProperty {
            cache,
            ..PageProperty::KERNEL_RO
        };
        let word = word_of::<AArch64Lower<Granule64K42>>(1, PageSize::Size64K, prop);
        assert_eq!((word >> 2) & 7, index);
        assert_eq!(MAIR.to_le_bytes()[index as usize], attribute);
    }
    assert_eq!(MAIR >> 32, 0);
}

#[test]
fn tables_are_counted_in_bits_that_hardware_ignores() {
    let heap = Heap::default();
    let mut table = PageTable::<_, AArch64Lower<Granule64K42>>::new(&heap).unwrap();
    for n in 0..8192u64 {
        let va = VirtAddr::new(n << 16).unwrap();
        table
            .map(va, FRAME, PageSize::Size64K, PageProperty::USER_RO)
            .unwrap();
        let (word, used) = (heap.word(table.root().as_u64(), 0), n + 1);
        assert_eq!(word & !ADDRESS, (used & 0xff) << 51 | (used >> 8) << 4 | 3);
    }
    // nobody has used the page, but its access flag is set from the start, and that it is dirty is noted
    let last = heap.word(table_at(&heap, table.root(), 1).as_u64(), 8191);
    assert_eq!(last, 0x00e0_0012_4000_0fc3);
    for n in 0..8192u64 {
        let va = VirtAddr::new(n << 16).unwrap();
        table.unmap(va, PageSize::Size64K).unwrap().1.pay(&NoTlb);
    }
    assert_eq!(heap.len(), 1);
}

#[test]
fn what_hardware_notes_of_a_page_is_kept() {
    let heap = Heap::default();
    let mut table = PageTable::<_, AArch64Lower, Tracking>::new(&heap).unwrap();
    let (va, size) = (VirtAddr::new(0).unwrap(), PageSize::Size4K);
    table.map(va, FRAME, size, PageProperty::USER_RW).unwrap();
    let last = table_at(&heap, table.root(), 3);
    // the page is stored to: the access flag is set, AP[2] cleared
    heap.set(
        last.as_u64(),
        0,
        (heap.word(last.as_u64(), 0) | 0x400) & !0x80,
    );
    let seen = table.query(va).unwrap().prop;
    assert!(seen.accessed && seen.dirty);
    table
        .protect(va, size, PageProperty::USER_RO)
        .unwrap()
        .1
        .pay(&NoTlb);
    assert_eq!(heap.word(last.as_u64(), 0), 0x00e0_0012_4000_0fc3);
    let (was, flush) = table.protect(va, size, PageProperty::USER_RW).unwrap();
    flush.pay(&NoTlb);
    assert!(was.prop.dirty && !was.prop.write);
    assert_eq!(heap.word(last.as_u64(), 0), 0x0068_0012_4000_0f43);
}

#[test]
fn what_descriptors_cannot_express_is_refused() {
    let heap = Heap::default();
    let mut table = PageTable::<_, AArch64Upper, Preset>::new(&heap).unwrap();
    let (va, ro) = (
        VirtAddr::new(0xffff_ffff_c000_0000).unwrap(),
        PageProperty::KERNEL_RO,
    );
    let size = PageSize::Size4K;
    for prop in [
        PageProperty { read: false, ..ro },
        PageProperty {
            cache: CachePolicy::UncacheableMinus,
            ..ro
        },
        PageProperty {
            cache: CachePolicy::WriteProtected,
            ..ro
        },
    ] {
        let r = table.map(va, FRAME, size, prop);
        assert!(
            matches!(r, Err(Error::UnsupportedProperty { .. })),
            "{prop}"
        );
    }
    let beyond = PhysAddr::new(1 << 48);
    let r = table.map(va, beyond, size, ro);
    assert!(matches!(r, Err(Error::PhysTooWide { .. })), "{r:?}");
    assert_eq!(heap.len(), 1);
}

#[test]
fn stage_2_pages_are_written_as_the_manual_says() {
    let word = |depth, size, prop| word_of::<AArch64Stage2>(depth, size, prop);
    // DBM, XN; S2AP[0], S2AP[1] once it is dirty, inner shareable, MemAttr
    let rw = PageProperty::USER_RW;
    assert_eq!(word(3, PageSize::Size4K, rw), 0x0048_0012_4000_037f);
    assert_eq!(word(2, PageSize::Size2M, rw), 0x0048_0012_4000_037d);
    assert_eq!(word(1, PageSize::Size1G, rw), 0x0048_0012_4000_037d);
    let (accessed, dirty) = (true, true);
    let used = PageProperty {
        accessed,
        dirty,
        ..rw
    };
    assert_eq!(word(3, PageSize::Size4K, used), 0x0048_0012_4000_07ff);
    let shared = PageProperty {
        dirty,
        ..PageProperty::USER_RX
    };
    assert_eq!(word(3, PageSize::Size4K, shared), 0x0100_0012_4000_037f);
    let attributes = [
        (CachePolicy::WriteBack, 0b1111),
        (CachePolicy::WriteThrough, 0b1010),
        (CachePolicy::WriteCombining, 0b0101),
        (CachePolicy::Uncacheable, 0b0001),
    ];
    for (cache, attribute) in attributes {
        let prop = PageProperty { cache, ..rw };
        assert_eq!((word(3, PageSize::Size4K, prop) >> 2) & 0xf, attribute);
    }
}

#[test]
fn stage_2_has_no_pages_of_its_own_kernel() {
    let heap = Heap::default();
    let mut table = PageTable::<_, AArch64Stage2>::new(&heap).unwrap();
    let ro = PageProperty::USER_RO;
    for prop in [
        PageProperty::KERNEL_RO,
        PageProperty { global: true, ..ro },
        PageProperty { read: false, ..ro },
        PageProperty {
            cache: CachePolicy::WriteProtected,
            ..ro
        },
    ] {
        let r = table.map(VirtAddr::new(0).unwrap(), FRAME, PageSize::Size4K, prop);
        assert!(
            matches!(r, Err(Error::UnsupportedProperty { .. })),
            "{prop}"
        );
    }
    assert_eq!(heap.len(), 1);
}

#[test]
fn a_range_is_protected_in_place_only_if_each_of_its_pages_can_be() {
    const PAGE: u64 = 0x1000;
    const HUGE: u64 = 0x20_0000;
    let heap = Heap::default();
    let mut table = PageTable::<_, AArch64Upper>::new(&heap).unwrap();
    let va = |at: u64| VirtAddr::new(0xffff_0000_4000_0000 + at).unwrap();
    let range = |at, bytes| VirtRange::new(va(at), bytes).unwrap();
    let (rw, ro) = (PageProperty::KERNEL_RW, PageProperty::KERNEL_RO);
    let cache = CachePolicy::Uncacheable;
    let mut map = |at, size, prop| table.map(va(at), FRAME, size, prop).unwrap();
    map(0, PageSize::Size4K, rw);
    map(HUGE, PageSize::Size2M, rw);
    map(2 * HUGE, PageSize::Size2M, PageProperty { cache, ..rw });
    map(4 * HUGE, PageSize::Size4K, PageProperty { cache, ..rw });
    let needs_break = |at, size| {
        let addr = va(at).as_u64();
        Err(Error::BreakBeforeMake { addr, size })
    };

    // the first two pages alone could be changed
    let mixed = table.protect_range(range(0, 5 * HUGE), ro).map(drop);
    assert_eq!(mixed, needs_break(2 * HUGE, HUGE));
    let global = PageProperty { global: true, ..rw };
    let shared = table.protect_range(range(0, 2 * HUGE), global).map(drop);
    assert_eq!(shared, needs_break(0, PAGE));
    let device = PageProperty { cache, ..ro };
    let first = table.protect_range(range(PAGE, 4 * HUGE), device).map(drop);
    assert_eq!(first, needs_break(HUGE, HUGE));
    for at in [0, HUGE, 2 * HUGE, 4 * HUGE] {
        assert!(table.query(va(at)).unwrap().prop.write);
    }

    let (bytes, flush) = table.protect_range(range(0, 2 * HUGE), ro).unwrap();
    assert_eq!(bytes, PAGE + HUGE);
    flush.pay(&NoTlb);
    let rest = range(2 * HUGE, 3 * HUGE);
    let (bytes, flush) = table.protect_range(rest, device).unwrap();
    assert_eq!(bytes, HUGE + PAGE);
    flush.pay(&NoTlb);
    assert!(!table.query(va(4 * HUGE)).unwrap().prop.write);
}
