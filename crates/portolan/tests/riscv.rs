//! Sv39, Sv48 and Sv57: words as the privileged specification has them, and what the modes can't do.

mod common;

use common::{Heap, NoTlb};
use portolan::{
    AccessBits, CachePolicy, Error, PageProperty, PageSize, PageTable, PagingMode, PhysAddr,
    Preset, Sv39, Sv48, Sv57, Tracking, VirtAddr,
};

const SIZES: [(PageSize, usize); 3] = [
    (PageSize::Size4K, 1),
    (PageSize::Size2M, 2),
    (PageSize::Size1G, 3),
];

/// The index of `va` in its table of `level`.
fn index(va: u64, level: usize) -> usize {
    (va >> (3 + 9 * level)) as usize & 0x1ff
}

/// The word of `level` for `va`, reached through entries that hold an address and V (bit 0), nothing else.
fn word(heap: &Heap, root: PhysAddr, levels: usize, va: u64, level: usize) -> u64 {
    let mut table = root.as_u64();
    for l in (level + 1..=levels).rev() {
        let word = heap.word(table, index(va, l));
        table = (word & !1) << 2;
        assert_eq!(word, (table >> 12) << 10 | 1, "level {l}");
    }
    heap.word(table, index(va, level))
}

/// Maps one page and gives its word.
fn mapped<A: PagingMode, B: AccessBits>(
    levels: usize,
    va: u64,
    frame: u64,
    (size, level): (PageSize, usize),
    prop: PageProperty,
) -> u64 {
    let heap = Heap::new(56, 0xff_0000_0000_0000);
    let mut table = PageTable::<_, A, B>::new(&heap).unwrap();
    let at = VirtAddr::new(va).unwrap();
    table.map(at, PhysAddr::new(frame), size, prop).unwrap();
    assert_eq!(heap.len(), levels + 1 - level);
    word(&heap, table.root(), levels, va, level)
}

#[test]
fn pages_are_the_manuals_words() {
    let [k4, m2, g1] = SIZES;
    let with = |prop: PageProperty, cache| PageProperty { cache, ..prop };
    let kernel_global = PageProperty {
        global: true,
        ..PageProperty::KERNEL_RX
    };
    let execute_only = PageProperty {
        read: false,
        ..PageProperty::USER_RX
    };
    let frame_buffer = with(PageProperty::KERNEL_RW, CachePolicy::WriteCombining);
    let device = with(PageProperty::KERNEL_RW, CachePolicy::Uncacheable);
    let all = PageProperty {
        execute: true,
        global: true,
        ..PageProperty::USER_RW
    };
    // V 1, R 2, W 4, X 8, U 10, G 20, A 40, D 80; the frame's number from bit 10
    for (frame, size, prop, word) in [
        (0x8020_1000, k4, PageProperty::KERNEL_RO, 0x2008_0403),
        (0x8020_1000, k4, PageProperty::USER_RW, 0x2008_0417),
        (0x8020_0000, m2, kernel_global, 0x2008_002b),
        (0x8000_0000, g1, execute_only, 0x2000_0019),
        (0x1000, k4, frame_buffer, 0x2000_0000_0000_0407),
        (0x1000_0000, m2, device, 0x4000_0000_0400_0007),
        (0xff_ffff_ffff_f000, k4, all, 0x003f_ffff_ffff_fc3f),
    ] {
        let va = 0x3f_c000_0000;
        assert_eq!(mapped::<Sv39, Tracking>(3, va, frame, size, prop), word);
        assert_eq!(mapped::<Sv48, Tracking>(4, va, frame, size, prop), word);
        assert_eq!(mapped::<Sv57, Tracking>(5, va, frame, size, prop), word);
        let preset = word | 0xc0;
        assert_eq!(mapped::<Sv39, Preset>(3, va, frame, size, prop), preset);
        assert_eq!(mapped::<Sv48, Preset>(4, va, frame, size, prop), preset);
        assert_eq!(mapped::<Sv57, Preset>(5, va, frame, size, prop), preset);
    }
}

/// Maps, asks for, changes and unmaps a page of each size at `va`, and looks for what is left.
fn serves<A: PagingMode, B: AccessBits>(va: u64) {
    for (size, _) in SIZES {
        let heap = Heap::default();
        let mut table = PageTable::<_, A, B>::new(&heap).unwrap();
        let va = VirtAddr::<A>::new(va).unwrap().align_down(size);
        let last = va.checked_add(size.bytes() - 1).unwrap();
        let frame = PhysAddr::new(0x7f_c000_0000);
        let (rw, rx) = (PageProperty::USER_RW, PageProperty::USER_RX);
        let used = PageProperty {
            accessed: true,
            dirty: true,
            ..rw
        };
        table.map(va, frame, size, used).unwrap();
        let (addr, bytes) = (va.as_u64(), size.bytes());
        let in_the_way = Err(Error::AlreadyMapped { addr, size: bytes });
        assert_eq!(table.map(va, frame, size, rw), in_the_way);
        let m = table.query(last).unwrap();
        assert_eq!((m.frame, m.size, m.prop), (frame, size, used));
        let (was, flush) = table.protect(va, size, rx).unwrap();
        assert!(!flush.frees_tables());
        flush.pay(&NoTlb);
        assert_eq!(was.prop, used);
        let now = table.query(va).unwrap().prop;
        assert_eq!(now, rx.keeping(used));
        let (was, flush) = table.unmap(va, size).unwrap();
        assert_eq!((was.frame, was.prop), (frame, now));
        flush.pay(&NoTlb);
        assert!(table.query(va).is_err());
        assert_eq!(heap.len(), 1);
        drop(table);
        assert_eq!(heap.len(), 0);
    }
}

#[test]
fn maps_protects_and_unmaps_every_size_at_both_ends_of_both_halves() {
    fn everywhere<A: PagingMode>(half: u64) {
        for va in [0, half - 1, half.wrapping_neg(), u64::MAX] {
            serves::<A, Preset>(va);
            serves::<A, Tracking>(va);
        }
    }
    everywhere::<Sv39>(1 << 38);
    everywhere::<Sv48>(1 << 47);
    everywhere::<Sv57>(1 << 56);
}

#[test]
fn upper_bits_of_addresses_are_copies() {
    fn edges<A: PagingMode>(half: u64) {
        for va in [0, half - 1, half.wrapping_neg(), u64::MAX] {
            assert_eq!(VirtAddr::<A>::new(va).unwrap().as_u64(), va);
        }
        for addr in [half, half << 1, !half, half.wrapping_neg() - 1, 1 << 63] {
            let refused = Error::NotCanonical { addr, size: 0 };
            assert_eq!(VirtAddr::<A>::new(addr).unwrap_err(), refused);
        }
        let last = VirtAddr::<A>::new(half - 1).unwrap();
        assert!(last.checked_add(1).is_err());
    }
    edges::<Sv39>(1 << 38);
    edges::<Sv48>(1 << 47);
    edges::<Sv57>(1 << 56);
}

#[test]
fn refuses_sizes_that_no_entry_has() {
    let heap = Heap::default();
    let mut table = PageTable::<_, Sv57>::new(&heap).unwrap();
    let va = VirtAddr::new(0).unwrap();
    for size in [
        PageSize::Size16K,
        PageSize::Size64K,
        PageSize::Size32M,
        PageSize::Size512M,
    ] {
        let refused = Err(Error::UnsupportedSize {
            addr: 0,
            size: size.bytes(),
        });
        let frame = PhysAddr::new(0);
        assert_eq!(table.map(va, frame, size, PageProperty::USER_RW), refused);
    }
    assert_eq!(heap.len(), 1);
}

#[test]
fn refuses_properties_that_no_entry_has() {
    let heap = Heap::default();
    let mut table = PageTable::<_, Sv39>::new(&heap).unwrap();
    let (va, frame, size) = (
        VirtAddr::new(0x1000).unwrap(),
        PhysAddr::new(0x1000),
        PageSize::Size4K,
    );
    let prop = |(read, write, execute), cache| PageProperty {
        read,
        write,
        execute,
        cache,
        ..PageProperty::USER_RW
    };
    let refused = Error::UnsupportedProperty {
        addr: 0x1000,
        size: 0x1000,
    };
    for refused_prop in [
        prop((false, false, false), CachePolicy::WriteBack),
        prop((false, true, false), CachePolicy::WriteBack),
        prop((false, true, true), CachePolicy::WriteBack),
        prop((true, true, false), CachePolicy::WriteThrough),
        prop((true, true, false), CachePolicy::UncacheableMinus),
        prop((true, true, false), CachePolicy::WriteProtected),
    ] {
        assert_eq!(table.map(va, frame, size, refused_prop), Err(refused));
    }
    table.map(va, frame, size, PageProperty::USER_RO).unwrap();
    let unreadable = prop((false, true, true), CachePolicy::WriteBack);
    assert_eq!(table.protect(va, size, unreadable).unwrap_err(), refused);
}

#[test]
fn frames_end_where_the_entries_or_the_machine_do() {
    for (machine, end) in [(56, 1u64 << 56), (64, 1 << 56), (34, 1 << 34)] {
        let heap = Heap::new(machine, 0x1000);
        let mut table = PageTable::<_, Sv48>::new(&heap).unwrap();
        for (size, _) in SIZES {
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
fn tables_stay_until_their_last_page_goes() {
    let heap = Heap::default();
    let mut table = PageTable::<_, Sv48>::new(&heap).unwrap();
    // the first two share all tables, the third all but that of level 1
    let pages = [0x3f_ffff_e000, 0x3f_ffff_f000, 0x3f_ffdf_f000];
    for va in pages {
        let (va, frame) = (VirtAddr::new(va).unwrap(), PhysAddr::new(0x1000));
        table
            .map(va, frame, PageSize::Size4K, PageProperty::USER_RO)
            .unwrap();
    }
    assert_eq!(heap.len(), 5);
    for (va, left) in pages.into_iter().zip([5, 4, 1]) {
        let (_, flush) = table
            .unmap(VirtAddr::new(va).unwrap(), PageSize::Size4K)
            .unwrap();
        assert_eq!(flush.frees_tables(), va != pages[0]);
        flush.pay(&NoTlb);
        assert_eq!(heap.len(), left);
    }
}

#[test]
fn what_hardware_sets_is_kept() {
    let heap = Heap::default();
    let mut table = PageTable::<_, Sv39, Tracking>::new(&heap).unwrap();
    let va = VirtAddr::new(0xffff_ffff_c000_0000).unwrap();
    let (size, prop) = (PageSize::Size1G, PageProperty::USER_RW);
    table
        .map(va, PhysAddr::new(0x8000_0000), size, prop)
        .unwrap();
    let root = table.root().as_u64();
    assert_eq!(heap.word(root, 511), 0x2000_0017);
    heap.set(root, 511, 0x2000_0017 | 0x40);
    let seen = table.query(va).unwrap().prop;
    assert!(seen.accessed && !seen.dirty);
    heap.set(root, 511, 0x2000_0017 | 0xc0);
    let (was, flush) = table.protect(va, size, PageProperty::USER_RO).unwrap();
    flush.pay(&NoTlb);
    assert!(was.prop.accessed && was.prop.dirty);
    assert_eq!(heap.word(root, 511), 0x2000_00d3);
}
