//! What a user relies on, on a small heap of tables.

mod common;

use common::{Heap, NoTlb};
use portolan::{
    Error, PageProperty, PageSize, PageTable, PhysAddr, Tracking, VirtAddr, VirtRange, X86_64,
};

#[test]
fn maps_queries_protects_and_unmaps_and_gives_everything_back() {
    let heap = Heap::default();
    let mut table = PageTable::<_, X86_64, Tracking>::new(&heap).unwrap();
    let sizes = [
        (PageSize::Size4K, 0x7fff_ffff_f000),
        (PageSize::Size2M, 0x20_0000),
        (PageSize::Size1G, 0xffff_ffff_c000_0000),
    ];
    for (size, at) in sizes {
        let va = VirtAddr::new(at).unwrap();
        let frame = PhysAddr::new(0x4000_0000);
        table.map(va, frame, size, PageProperty::USER_RW).unwrap();
        let m = table.query(VirtAddr::new(at + 0x123).unwrap()).unwrap();
        assert_eq!(
            (m.frame, m.size, m.prop),
            (frame, size, PageProperty::USER_RW)
        );
        assert_eq!(
            table.map(va, frame, size, PageProperty::USER_RW),
            Err(Error::AlreadyMapped {
                addr: at,
                size: size.bytes()
            })
        );
        let (old, flush) = table.protect(va, size, PageProperty::USER_RO).unwrap();
        flush.pay(&NoTlb);
        assert_eq!(old.prop, PageProperty::USER_RW);
        assert_eq!(table.query(va).unwrap().prop, PageProperty::USER_RO);
    }
    for (size, at) in sizes {
        let (m, flush) = table.unmap(VirtAddr::new(at).unwrap(), size).unwrap();
        assert_eq!(m.size, size);
        flush.pay(&NoTlb);
    }
    assert_eq!(heap.len(), 1);
    drop(table);
    assert_eq!(heap.len(), 0);
}

#[test]
fn running_out_of_memory_changes_and_leaks_nothing() {
    for n in 0..4 {
        let heap = Heap::default();
        heap.limit(n);
        let va = VirtAddr::<X86_64>::new(0x1000).unwrap();
        match PageTable::<_>::new(&heap) {
            Err(e) => assert_eq!(
                (n, e),
                (
                    0,
                    Error::NoMemory {
                        addr: 0,
                        size: 4096
                    }
                )
            ),
            Ok(mut table) => {
                let r = table.map(
                    va,
                    PhysAddr::new(0x1000),
                    PageSize::Size4K,
                    PageProperty::USER_RO,
                );
                assert_eq!(
                    r,
                    Err(Error::NoMemory {
                        addr: 0x1000,
                        size: 4096
                    })
                );
                assert_eq!(heap.len(), 1);
                assert!(table.query(va).is_err());
            }
        }
        assert_eq!(heap.len(), 0);
    }
}

#[test]
fn dropping_frees_every_table() {
    let heap = Heap::default();
    let mut table = PageTable::<_>::new(&heap).unwrap();
    for i in 0..2000u64 {
        let at = VirtAddr::new(i * 0x1_0033_3000 % 0x7fff_0000_0000).unwrap();
        table
            .map(
                at,
                PhysAddr::new(0x1000),
                PageSize::Size4K,
                PageProperty::USER_RO,
            )
            .unwrap();
    }
    drop(table);
    assert_eq!(heap.len(), 0);
}

#[test]
fn errors_and_properties_read_well() {
    let covered = Error::CoveredByHugePage {
        addr: 0x20_0000,
        size: 0x20_0000,
    };
    assert_eq!(
        covered.to_string(),
        "covered by a huge page: 2 MiB at 0x200000"
    );
    assert_eq!((covered.addr(), covered.size()), (0x20_0000, 0x20_0000));
    let hole = VirtAddr::<X86_64>::new(1 << 47).unwrap_err();
    assert_eq!(hole.to_string(), "not canonical: 0x800000000000");
    assert_eq!(PageProperty::USER_RW.to_string(), "rw- user");
}

#[test]
fn ranges_stay_in_one_half() {
    let start = VirtAddr::<X86_64>::new(0x7fff_ffff_f000).unwrap();
    let range = VirtRange::new(start, 0x1000).unwrap();
    assert!(range.contains(start) && range.is_aligned(PageSize::Size4K) && !range.is_empty());
    let past = Error::PastEnd {
        addr: 0x7fff_ffff_f000,
        size: 0x1001,
    };
    assert_eq!(VirtRange::new(start, 0x1001).unwrap_err(), past);
    assert!(VirtRange::new(start, u64::MAX).is_err());
    let last = VirtAddr::<X86_64>::new(0xffff_ffff_ffff_f000).unwrap();
    assert!(VirtRange::new(last, 0x1000).is_ok());
    assert!(VirtRange::new(last, 0x1001).is_err());
}
