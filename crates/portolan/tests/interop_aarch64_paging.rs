//! With the `aarch64-paging` crate: both write the same words for the same attributes.
#![cfg(feature = "aarch64-paging")]

mod common;
#[path = "common/properties.rs"]
mod properties;

use aarch64_paging::descriptor::{El1Attributes, PhysicalAddress, VirtualAddress};
use aarch64_paging::mair::{MairAttribute, NormalMemory};
use aarch64_paging::paging::{Constraints, El1And0, MemoryRegion, RootTable, Translation, VaRange};
use common::{Heap, NoTlb};
use portolan::arch::aarch64::{Lower, Upper};
use portolan::interop::aarch64_paging::{FlagsError, MAIR, el1_attributes, page_property};
use portolan::{
    AArch64Lower, AArch64Upper, CachePolicy, Error, PageProperty, PageSize, PageTable, PhysAddr,
    Tracking, VirtAddr, VirtRange,
};
use properties::properties;
use std::ptr::NonNull;

type TheirTable = aarch64_paging::paging::PageTable<El1Attributes>;
type LowerAddr = VirtAddr<AArch64Lower>;
type LowerRange = VirtRange<AArch64Lower>;
type UpperAddr = VirtAddr<AArch64Upper>;
type UpperRange = VirtRange<AArch64Upper>;

/// Tables on the heap, at physical addresses that are their own.
struct Boxes;

impl Translation<El1Attributes> for Boxes {
    fn allocate_table(&mut self) -> (NonNull<TheirTable>, PhysicalAddress) {
        let table = NonNull::from(Box::leak(Box::new(TheirTable::EMPTY)));
        (table, PhysicalAddress(table.expose_provenance().get()))
    }
    unsafe fn deallocate_table(&mut self, table: NonNull<TheirTable>) {
        // SAFETY: it is a box from above
        drop(unsafe { Box::from_raw(table.as_ptr()) });
    }
    fn physical_to_virtual(&self, at: PhysicalAddress) -> NonNull<TheirTable> {
        NonNull::new(std::ptr::with_exposed_provenance_mut(at.0)).unwrap()
    }
}

const SIZES: [PageSize; 3] = [PageSize::Size4K, PageSize::Size2M, PageSize::Size1G];

const FRAME: PhysAddr = PhysAddr::new(0x12_4000_0000);

/// Where the page is in these tests.
const PLACE: u64 = 0x40_0000_0000;

/// The word that the crate writes for a page of `size`.
fn word_theirs(size: PageSize, attributes: El1Attributes) -> u64 {
    let mut table = RootTable::with_va_range(Boxes, 0, El1And0, VaRange::from(Lower));
    let range = LowerRange::new(LowerAddr::new(PLACE).unwrap(), size.bytes()).unwrap();
    let region = MemoryRegion::try_from(range).unwrap();
    table
        .map_range(&region, FRAME.into(), attributes, Constraints::empty())
        .unwrap();
    let mut words = Vec::new();
    table
        .walk_range(&region, &mut |_, descriptor, _| {
            words.push(descriptor.output_address().0 as u64 | descriptor.flags().bits() as u64);
            Ok(())
        })
        .unwrap();
    assert_eq!(words.len(), 1);
    words[0]
}

/// The word that Portolan writes for a page of `size`.
fn word_ours(size: PageSize, prop: PageProperty) -> u64 {
    let heap = Heap::default();
    let mut table = PageTable::<_, AArch64Lower, Tracking>::new(&heap).unwrap();
    let va = LowerAddr::new(PLACE).unwrap();
    table.map(va, FRAME, size, prop).unwrap();
    let mut word = table.root().as_u64();
    for shift in [39, 30, 21, 12] {
        let at = word & 0xffff_ffff_f000;
        word = heap.word(at, (PLACE >> shift) as usize & 511);
        if size.bytes() == 1 << shift {
            break;
        }
    }
    let (was, flush) = table.unmap(va, size).unwrap();
    flush.pay(&NoTlb);
    assert_eq!(was.prop, prop);
    word
}

#[test]
fn both_write_the_same_descriptors() {
    for prop in properties() {
        let Ok(attributes) = el1_attributes(prop) else {
            assert!(
                !prop.read
                    || matches!(
                        prop.cache,
                        CachePolicy::UncacheableMinus | CachePolicy::WriteProtected
                    )
            );
            continue;
        };
        assert_eq!(page_property(attributes), Ok(prop));
        for size in SIZES {
            assert_eq!(
                word_theirs(size, attributes),
                word_ours(size, prop),
                "{size} {prop}"
            );
        }
    }
}

#[test]
fn attributes_say_exactly_their_properties() {
    // all bits of the lower and upper attributes
    let bits = (0..12u32).chain(50..56).collect::<Vec<_>>();
    for choice in 0..1u64 << bits.len() {
        let set = bits
            .iter()
            .enumerate()
            .filter(|(n, _)| choice & 1 << n != 0);
        let word: u64 = set.map(|(_, bit)| 1 << bit).sum();
        let attributes = El1Attributes::from_bits_retain(word as usize);
        match page_property(attributes) {
            Ok(prop) => assert_eq!(el1_attributes(prop), Ok(attributes)),
            Err(FlagsError::NotPresent) => assert!(!attributes.contains(El1Attributes::VALID)),
            Err(FlagsError::NotAPage) => assert!(attributes.contains(El1Attributes::TABLE_OR_PAGE)),
            Err(FlagsError::Inexact { bits }) => assert!(bits != 0),
            Err(other) => panic!("{attributes:?}: {other}"),
        }
    }
}

#[test]
fn attributes_that_portolan_writes_otherwise_are_refused() {
    let known = el1_attributes(PageProperty::KERNEL_RO).unwrap();
    let differs = |attributes, other: El1Attributes| {
        let bits = other.bits() as u64;
        assert_eq!(page_property(attributes), Err(FlagsError::Inexact { bits }));
    };
    for other in [
        El1Attributes::NS,
        El1Attributes::GP,
        El1Attributes::CONTIGUOUS_OR_PROTECTED,
        El1Attributes::SWFLAG_1,
        El1Attributes::SWFLAG_2,
        El1Attributes::SWFLAG_3,
    ] {
        differs(known | other, other);
    }
    // `MAIR` has no such memory
    differs(
        known | El1Attributes::ATTRIBUTE_INDEX_4,
        El1Attributes::ATTRIBUTE_INDEX_7,
    );
    // written, but not tracked
    differs(known - El1Attributes::READ_ONLY, El1Attributes::READ_ONLY);
    // executed by both
    let both = known | El1Attributes::USER;
    differs(
        both - El1Attributes::PXN - El1Attributes::UXN,
        El1Attributes::PXN,
    );
    // not shared
    differs(
        known - El1Attributes::INNER_SHAREABLE,
        El1Attributes::INNER_SHAREABLE,
    );
}

#[test]
fn the_memory_attributes_are_those_of_the_cache_policies() {
    let expected = [
        MairAttribute::normal(
            NormalMemory::WriteBackNonTransientReadWriteAllocate,
            NormalMemory::WriteBackNonTransientReadWriteAllocate,
        ),
        MairAttribute::normal(
            NormalMemory::WriteThroughNonTransientReadWriteAllocate,
            NormalMemory::WriteThroughNonTransientReadWriteAllocate,
        ),
        MairAttribute::normal(NormalMemory::NonCacheable, NormalMemory::NonCacheable),
        MairAttribute::DEVICE_NGNRE,
    ];
    assert_eq!(MAIR.attributes()[..4], expected);
}

#[test]
fn addresses_are_of_one_region() {
    let (low, high) = (
        VirtualAddress(0x1000),
        VirtualAddress(0xffff_0000_0000_1000),
    );
    assert_eq!(VirtualAddress::from(LowerAddr::try_from(low).unwrap()), low);
    assert_eq!(
        VirtualAddress::from(UpperAddr::try_from(high).unwrap()),
        high
    );
    let refused = Err(Error::NotCanonical {
        addr: high.0 as u64,
        size: 0,
    });
    assert_eq!(LowerAddr::try_from(high), refused);
    assert!(UpperAddr::try_from(low).is_err());
    assert_eq!(VaRange::from(Upper), VaRange::Upper);
    assert_eq!(PhysAddr::from(PhysicalAddress::from(FRAME)), FRAME);
}

#[test]
fn regions_keep_their_ends() {
    let region = MemoryRegion::new(0x1000, 0x5000);
    let range = LowerRange::try_from(region.clone()).unwrap();
    assert_eq!((range.start().as_u64(), range.size()), (0x1000, 0x4000));
    assert!(MemoryRegion::try_from(range).unwrap() == region);
    // the crate would round the end
    let odd = LowerRange::new(LowerAddr::new(0x1000).unwrap(), 0x800).unwrap();
    let refused = Error::NotAligned {
        addr: 0x1000,
        size: 0x1000,
    };
    assert_eq!(MemoryRegion::try_from(odd), Err(refused));
    // the first address after this one is none
    let last = UpperAddr::new(0xffff_ffff_ffff_f000).unwrap();
    let top = UpperRange::new(last, 0x1000).unwrap();
    let refused = Error::PastEnd {
        addr: last.as_u64(),
        size: 0x1000,
    };
    assert_eq!(MemoryRegion::try_from(top), Err(refused));
    let backwards = MemoryRegion::new(0x5000, 0x1000);
    assert!(matches!(
        LowerRange::try_from(backwards),
        Err(Error::PastEnd { addr: 0x5000, .. })
    ));
    let across = MemoryRegion::new(0xffff_ffff_f000, 0x1_0000_0000_1000);
    assert!(LowerRange::try_from(across).is_err());
}
