//! Ranges are mapped as a whole, by the largest pages that fit, or not at all.

mod common;

use common::{Heap, NoTlb};
use portolan::{
    AArch64Lower, Ept, Error, PageProperty, PageSize, PageTable, PagingMode, PhysAddr, Sv39, Sv57,
    Tracking, VirtAddr, VirtRange, X86_64, X86_64La57,
};

fn range<A: PagingMode>(start: u64, size: u64) -> VirtRange<A> {
    VirtRange::new(VirtAddr::new(start).unwrap(), size).unwrap()
}

/// The pages from `at` on until `size` bytes are covered.
fn pages<A: PagingMode>(
    table: &PageTable<&Heap, A>,
    mut at: u64,
    size: u64,
) -> Vec<(u64, u64, PageSize)> {
    let end = at + size;
    let mut found = Vec::new();
    while at < end {
        let page = table.query(VirtAddr::new(at).unwrap()).unwrap();
        found.push((at, page.frame.as_u64(), page.size));
        at += page.size.bytes();
    }
    found
}

#[test]
fn pages_grow_towards_the_middle_and_shrink_towards_the_end() {
    let heap = Heap::default();
    let mut table = PageTable::<_, X86_64>::new(&heap).unwrap();
    let start = 0x3fdf_f000;
    let size = 0x1000 + 0x20_0000 + 0x4000_0000 + 0x20_0000 + 0x1000;
    let rw = PageProperty::USER_RW;
    table
        .map_range(
            range(start, size),
            PhysAddr::new(start + (1 << 32)),
            PageSize::Size1G,
            rw,
        )
        .unwrap();
    let sizes: Vec<_> = pages(&table, start, size)
        .iter()
        .map(|page| page.2)
        .collect();
    assert_eq!(
        sizes,
        [
            PageSize::Size4K,
            PageSize::Size2M,
            PageSize::Size1G,
            PageSize::Size2M,
            PageSize::Size4K
        ]
    );
    for (at, frame, _) in pages(&table, start, size) {
        assert_eq!(frame, at + (1 << 32));
    }
    assert_eq!(
        table.query(VirtAddr::new(start - 1).unwrap()),
        Err(Error::NotMapped {
            addr: start - 1,
            size: 4096
        })
    );
    assert!(table.query(VirtAddr::new(start + size).unwrap()).is_err());
}

#[test]
fn frames_that_are_aligned_otherwise_allow_only_small_pages() {
    let heap = Heap::default();
    let mut table = PageTable::<_, Sv39>::new(&heap).unwrap();
    let size = 2 * 0x20_0000;
    table
        .map_range(
            range(0, size),
            PhysAddr::new(0x1000),
            PageSize::Size1G,
            PageProperty::USER_RO,
        )
        .unwrap();
    assert!(
        pages(&table, 0, size)
            .iter()
            .all(|page| page.2 == PageSize::Size4K)
    );
    assert_eq!(pages(&table, 0, size).len(), 1024);
}

#[test]
fn the_callers_cap_is_kept() {
    let heap = Heap::default();
    let mut table = PageTable::<_, X86_64La57>::new(&heap).unwrap();
    let size = 0x4000_0000;
    let frame = PhysAddr::new(0x4000_0000);
    let rw = PageProperty::KERNEL_RW;
    // between two sizes of the mode, the lower counts
    table
        .map_range(range(0, size), frame, PageSize::Size512M, rw)
        .unwrap();
    assert_eq!(pages(&table, 0, size).len(), 512);
    assert_eq!(pages(&table, 0, size)[0].2, PageSize::Size2M);
    let mut coarse =
        PageTable::<_, AArch64Lower<portolan::arch::aarch64::Granule64K48>>::new(&heap).unwrap();
    assert_eq!(
        coarse.map_range(range(0, 0x1_0000), PhysAddr::new(0), PageSize::Size4K, rw),
        Err(Error::UnsupportedSize {
            addr: 0,
            size: 4096
        })
    );
}

#[test]
fn nothing_is_mapped_if_anything_is_in_the_way() {
    let heap = Heap::default();
    let mut table = PageTable::<_, X86_64>::new(&heap).unwrap();
    let ro = PageProperty::USER_RO;
    let size = 64 * 0x20_0000;
    for (at, page) in [
        (0x60_3000, PageSize::Size4K),
        (0x20_0000 * 63, PageSize::Size2M),
        (0, PageSize::Size4K),
    ] {
        let va = VirtAddr::new(at).unwrap();
        table.map(va, PhysAddr::new(0), page, ro).unwrap();
        let held = heap.len();
        let got = table.map_range(
            range(0, size),
            PhysAddr::new(0x4000_0000),
            PageSize::Size4K,
            ro,
        );
        assert_eq!(
            got,
            Err(Error::AlreadyMapped {
                addr: at,
                size: page.bytes()
            })
        );
        assert_eq!(heap.len(), held);
        table.unmap(va, page).unwrap().1.pay(&NoTlb);
    }
    // smaller pages than the one that was to be
    table
        .map(
            VirtAddr::new(0x40_5000).unwrap(),
            PhysAddr::new(0),
            PageSize::Size4K,
            ro,
        )
        .unwrap();
    assert_eq!(
        table.map_range(range(0, size), PhysAddr::new(0), PageSize::Size2M, ro),
        Err(Error::AlreadyMapped {
            addr: 0x40_0000,
            size: 0x20_0000
        })
    );
}

#[test]
fn running_out_of_memory_anywhere_changes_and_leaks_nothing() {
    // 4 KiB, then 2 MiB pages up to an address that needs tables of its own, in three places
    let (start, size) = (0x7f_ffff_f000, 0x1000 + 0x20_0000 * 3 + 0x2000);
    let needed = {
        let heap = Heap::default();
        let mut table = PageTable::<_, X86_64>::new(&heap).unwrap();
        table
            .map_range(
                range(start, size),
                PhysAddr::new(0x1f_f000),
                PageSize::Size1G,
                PageProperty::USER_RW,
            )
            .unwrap();
        heap.len()
    };
    assert_eq!(needed, 7);
    for n in 1..needed {
        let heap = Heap::default();
        heap.limit(n);
        let mut table = PageTable::<_, X86_64>::new(&heap).unwrap();
        let got = table.map_range(
            range(start, size),
            PhysAddr::new(0x1f_f000),
            PageSize::Size1G,
            PageProperty::USER_RW,
        );
        assert_eq!(got, Err(Error::NoMemory { addr: start, size }));
        assert_eq!(heap.len(), 1);
        assert!(table.query(VirtAddr::new(start).unwrap()).is_err());
    }
}

#[test]
fn bad_requests_are_told_apart() {
    let heap = Heap::default();
    let mut table = PageTable::<_, X86_64>::new(&heap).unwrap();
    let rw = PageProperty::USER_RW;
    let any = PageSize::Size1G;
    let frame = PhysAddr::new(0x1000);
    let not_aligned = |addr| Err(Error::NotAligned { addr, size: 4096 });
    assert_eq!(
        table.map_range(range(0x1001, 0x1000), frame, any, rw),
        not_aligned(0x1001)
    );
    assert_eq!(
        table.map_range(range(0x1000, 0x1001), frame, any, rw),
        not_aligned(0x1000)
    );
    assert_eq!(
        table.map_range(range(0x1000, 0x1000), PhysAddr::new(0x800), any, rw),
        not_aligned(0x800)
    );
    assert_eq!(
        table.map_range(
            range(0x1000, 0x2000),
            frame,
            any,
            PageProperty { read: false, ..rw }
        ),
        Err(Error::UnsupportedProperty {
            addr: 0x1000,
            size: 0x2000
        })
    );
    let high = PhysAddr::new((1 << 48) - 0x1000);
    assert_eq!(
        table.map_range(range(0x1000, 0x2000), high, any, rw),
        Err(Error::PhysTooWide {
            addr: high.as_u64(),
            size: 0x2000
        })
    );
    assert_eq!(table.map_range(range(0x1000, 0), frame, any, rw), Ok(()));
    assert_eq!(heap.len(), 1);
}

#[test]
fn the_last_addresses_of_both_halves_can_be_mapped() {
    fn both<A: PagingMode>(ends: &[u64]) {
        let heap = Heap::default();
        let mut table = PageTable::<_, A, Tracking>::new(&heap).unwrap();
        for &last in ends {
            let size = 0x20_0000;
            let start = last - (size - 1);
            table
                .map_range(
                    range(start, size),
                    PhysAddr::new(0x1000),
                    PageSize::Size1G,
                    PageProperty::USER_RO,
                )
                .unwrap();
            let page = table.query(VirtAddr::new(last).unwrap()).unwrap();
            assert_eq!(page.frame.as_u64(), 0x20_0000);
        }
    }
    both::<X86_64>(&[0x7fff_ffff_ffff, u64::MAX]);
    both::<X86_64La57>(&[0x00ff_ffff_ffff_ffff, u64::MAX]);
    both::<Sv57>(&[0x00ff_ffff_ffff_ffff, u64::MAX]);
    both::<Ept>(&[0xffff_ffff_ffff]);
}
