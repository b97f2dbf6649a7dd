//! A range is copied to another page table as a whole, with the frames shared, or not at all.

mod common;

use common::{Heap, NoTlb};
use portolan::{
    AArch64Lower, AccessBits, Ept, Error, PageProperty, PageSize, PageTable, PagingMode, PhysAddr,
    Preset, Sv39, Tracking, VirtAddr, VirtRange, X86_64,
};

const RW: PageProperty = PageProperty::USER_RW;
const SMALL: PageSize = PageSize::Size4K;
const LARGE: PageSize = PageSize::Size2M;

/// Where a page starts, its frame, its size and its properties.
type Page = (u64, u64, PageSize, PageProperty);

fn va<A: PagingMode>(addr: u64) -> VirtAddr<A> {
    VirtAddr::new(addr).unwrap()
}

fn range<A: PagingMode>(start: u64, size: u64) -> VirtRange<A> {
    VirtRange::new(va(start), size).unwrap()
}

/// The pages that overlap a range.
fn pages<A: PagingMode, B: AccessBits>(
    table: &PageTable<&Heap, A, B>,
    within: VirtRange<A>,
) -> Vec<Page> {
    table
        .mappings(within)
        .unwrap()
        .map(|(at, page)| (at.as_u64(), page.frame.as_u64(), page.size, page.prop))
        .collect()
}

fn map<A: PagingMode, B: AccessBits>(table: &mut PageTable<&Heap, A, B>, pages: &[Page]) {
    for &(at, frame, size, prop) in pages {
        table.map(va(at), PhysAddr::new(frame), size, prop).unwrap();
    }
}

/// Pages of two sizes with holes between them: in one table, in the next, and in another part of the tree.
fn sparse() -> Vec<Page> {
    let rx = PageProperty::USER_RX;
    let ro = PageProperty::USER_RO;
    vec![
        (0x1000, 0x7000, SMALL, RW),
        (0x2000, 0x3000, SMALL, ro),
        (0x5000, 0x9000, SMALL, rx),
        (0x1f_f000, 0xa000, SMALL, RW),
        (0x20_0000, 0x40_0000, LARGE, RW),
        (0x40_0000, 0x80_0000, LARGE, rx),
        (0x60_0000, 0xb000, SMALL, RW),
        (0x80_1000, 0xc000, SMALL, RW),
        (0x3f_c000_0000 - 0x1000, 0xd000, SMALL, RW),
    ]
}

/// A range that has all of these but the first and the last.
fn middle<A: PagingMode>() -> VirtRange<A> {
    range(0x2000, 0x3f_0000_0000)
}

fn whole<A: PagingMode>() -> VirtRange<A> {
    range(0, 0x3f_c000_0000)
}

/// As in `page`, but for the accessed and dirty bits.
fn same(found: &[Page], wanted: &[Page]) -> bool {
    found.len() == wanted.len()
        && found.iter().zip(wanted).all(|(found, page)| {
            (found.0, found.1, found.2) == (page.0, page.1, page.2) && found.3.alike(page.3)
        })
}

fn copies_what_is_in_the_range<A: PagingMode, B: AccessBits>() {
    let (heap, other) = (Heap::default(), Heap::default());
    let mut from = PageTable::<_, A, B>::new(&heap).unwrap();
    let mut into = PageTable::<_, A, B>::new(&other).unwrap();
    let all = sparse();
    map(&mut from, &all);
    // neighbours of the range, in tables that the copy needs too
    let around = [(0, 0x1000, SMALL, RW), (0x1000, 0x2000, SMALL, RW)];
    map(&mut into, &around);
    let before = pages(&from, whole());
    let bytes = from.copy_range(middle(), &mut into).unwrap();
    assert_eq!(pages(&from, whole()), before);
    let copied = &before[1..before.len() - 1];
    assert_eq!(pages(&into, middle()), copied);
    assert_eq!(bytes, 5 * 0x1000 + 2 * 0x20_0000);
    assert!(same(&pages(&into, range(0, 0x2000)), &around));
    assert_eq!(
        into.query(va(0x3f_c000_0000 - 0x1000))
            .map(|page| page.size),
        Err(Error::NotMapped {
            addr: 0x3f_c000_0000 - 0x1000,
            size: 4096
        })
    );
    drop(from);
    assert_eq!(pages(&into, middle()), copied);
    drop(into);
    assert_eq!((heap.len(), other.len()), (0, 0));
}

#[test]
fn a_copy_has_what_is_in_the_range_and_nothing_else() {
    copies_what_is_in_the_range::<X86_64, Preset>();
    copies_what_is_in_the_range::<X86_64, Tracking>();
    copies_what_is_in_the_range::<Sv39, Preset>();
    copies_what_is_in_the_range::<Sv39, Tracking>();
    copies_what_is_in_the_range::<AArch64Lower, Preset>();
    copies_what_is_in_the_range::<AArch64Lower, Tracking>();
    copies_what_is_in_the_range::<Ept, Preset>();
}

fn protects_both<A: PagingMode, B: AccessBits>() {
    let (heap, other) = (Heap::default(), Heap::default());
    let mut from = PageTable::<_, A, B>::new(&heap).unwrap();
    let mut into = PageTable::<_, A, B>::new(&other).unwrap();
    map(&mut from, &sparse());
    let before = pages(&from, whole());
    let (bytes, flush) = from
        .copy_range_write_protected(middle(), &mut into)
        .unwrap();
    assert_eq!(
        (flush.addr(), flush.size()),
        (middle().start(), middle::<A>().size())
    );
    flush.pay(&NoTlb);
    let mut wanted = before.clone();
    let last = wanted.len() - 1;
    for page in &mut wanted[1..last] {
        page.3 = page.3.read_only();
    }
    assert_eq!(pages(&from, whole()), wanted);
    assert_eq!(pages(&into, whole()), wanted[1..last]);
    assert_eq!(bytes, 5 * 0x1000 + 2 * 0x20_0000);
}

#[test]
fn for_copy_on_write_neither_table_may_write() {
    protects_both::<X86_64, Preset>();
    protects_both::<X86_64, Tracking>();
    protects_both::<Sv39, Preset>();
    protects_both::<Sv39, Tracking>();
    protects_both::<AArch64Lower, Preset>();
    protects_both::<AArch64Lower, Tracking>();
    protects_both::<Ept, Preset>();
}

fn runs_out_of_memory<A: PagingMode, B: AccessBits>() -> usize {
    let (heap, other) = (Heap::default(), Heap::default());
    let mut from = PageTable::<_, A, B>::new(&heap).unwrap();
    let mut into = PageTable::<_, A, B>::new(&other).unwrap();
    map(&mut from, &sparse());
    map(&mut into, &[(0x1000, 0x2000, SMALL, RW)]);
    let (tables, copies) = (heap.len(), other.len());
    let before = (pages(&from, whole()), pages(&into, whole()));
    let failed = Error::NoMemory {
        addr: middle::<A>().start().as_u64(),
        size: middle::<A>().size(),
    };
    let mut had = 0;
    loop {
        other.limit(had);
        let done = if had % 2 == 0 {
            from.copy_range(middle(), &mut into)
        } else {
            from.copy_range_write_protected(middle(), &mut into)
                .map(|(bytes, flush)| {
                    flush.pay(&NoTlb);
                    bytes
                })
        };
        if done.is_ok() {
            break;
        }
        assert_eq!(done, Err(failed));
        assert_eq!((heap.len(), other.len()), (tables, copies));
        assert_eq!(
            (pages(&from, whole()), pages(&into, whole())),
            before.clone()
        );
        had += 1;
    }
    // not one more than it took
    assert_eq!(other.len(), copies + had);
    drop((from, into));
    assert_eq!((heap.len(), other.len()), (0, 0));
    had
}

#[test]
fn without_memory_nothing_changes_and_nothing_is_lost() {
    // the tables of level 1 for 0x60_0000 and 0x80_0000; all others are there
    assert_eq!(runs_out_of_memory::<X86_64, Preset>(), 2);
    assert_eq!(runs_out_of_memory::<X86_64, Tracking>(), 2);
    assert_eq!(runs_out_of_memory::<Sv39, Preset>(), 2);
    assert_eq!(runs_out_of_memory::<AArch64Lower, Tracking>(), 2);
}

#[test]
fn each_table_is_counted_once() {
    let (heap, other) = (Heap::default(), Heap::default());
    let mut from = PageTable::<_, X86_64>::new(&heap).unwrap();
    let mut into = PageTable::<_, X86_64>::new(&other).unwrap();
    for n in 0..40u64 {
        // in ten tables of level 1, in five of level 2, in one of level 3
        let at = (n / 8) * 0x4000_0000 + (n / 4 % 2) * 0x2000_0000 + n % 4 * 0x3000;
        map(&mut from, &[(at, n * 0x1000, SMALL, RW)]);
    }
    other.limit(10 + 5 + 1 - 1);
    assert!(from.copy_range(range(0, 1 << 47), &mut into).is_err());
    other.limit(10 + 5 + 1);
    assert_eq!(
        from.copy_range(range(0, 1 << 47), &mut into),
        Ok(40 * 0x1000)
    );
    assert_eq!(other.len(), heap.len());
    assert_eq!(
        pages(&into, range(0, 1 << 47)),
        pages(&from, range(0, 1 << 47))
    );
}

fn names_what_is_in_the_way<A: PagingMode>() {
    let (heap, other) = (Heap::default(), Heap::default());
    let mut from = PageTable::<_, A>::new(&heap).unwrap();
    map(&mut from, &sparse());
    for (at, size) in [(0x3000, SMALL), (0x7f_f000, SMALL), (0xa0_0000, LARGE)] {
        let mut into = PageTable::<_, A>::new(&other).unwrap();
        map(&mut into, &[(at, 0, size, RW), (0x2000_0000, 0, LARGE, RW)]);
        let (before, there) = (pages(&into, whole()), pages(&from, whole()));
        let failed = Error::AlreadyMapped {
            addr: at,
            size: size.bytes(),
        };
        assert_eq!(from.copy_range(middle(), &mut into), Err(failed));
        assert_eq!(
            from.copy_range_write_protected(middle(), &mut into).err(),
            Some(failed)
        );
        assert_eq!(pages(&into, whole()), before);
        assert_eq!(pages(&from, whole()), there);
    }
    // a page that reaches into the range from before it
    let mut into = PageTable::<_, A>::new(&other).unwrap();
    map(&mut into, &[(0, 0, LARGE, RW)]);
    assert_eq!(
        from.copy_range(middle(), &mut into),
        Err(Error::AlreadyMapped {
            addr: 0,
            size: LARGE.bytes()
        })
    );
}

#[test]
fn the_first_page_in_the_way_is_named() {
    names_what_is_in_the_way::<X86_64>();
    names_what_is_in_the_way::<Sv39>();
    names_what_is_in_the_way::<AArch64Lower>();
}

#[test]
fn a_page_that_is_cut_is_named_first() {
    let heap = Heap::default();
    let mut from = PageTable::<_, X86_64>::new(&heap).unwrap();
    let mut into = PageTable::<_, X86_64>::new(&heap).unwrap();
    map(&mut from, &sparse());
    map(&mut into, &sparse());
    let cut = |addr| {
        Err(Error::CoveredByHugePage {
            addr,
            size: LARGE.bytes(),
        })
    };
    let start = range(0x30_0000, 0x1000_0000);
    let end = range(0x1000, 0x50_0000);
    assert_eq!(from.copy_range(start, &mut into), cut(0x20_0000));
    assert_eq!(from.copy_range(end, &mut into), cut(0x40_0000));
    let unaligned = from.copy_range(range(0x1800, 0x1000), &mut into);
    assert_eq!(
        unaligned,
        Err(Error::NotAligned {
            addr: 0x1800,
            size: 4096
        })
    );
    // an empty range is never in the way
    assert_eq!(from.copy_range(range(0x1000, 0), &mut into), Ok(0));
}

#[test]
fn frames_that_the_other_memory_does_not_reach_are_named() {
    let (wide, narrow) = (Heap::new(48, 0x1000), Heap::new(36, 0x1000));
    let mut from = PageTable::<_, X86_64>::new(&wide).unwrap();
    let mut into = PageTable::<_, X86_64>::new(&narrow).unwrap();
    map(
        &mut from,
        &[
            (0x1000, (1 << 36) - 0x1000, SMALL, RW),
            (0x20_0000, 1 << 36, LARGE, RW),
            (0x40_0000, 1 << 40, SMALL, RW),
        ],
    );
    assert_eq!(
        from.copy_range(middle(), &mut into),
        Err(Error::PhysTooWide {
            addr: 1 << 36,
            size: LARGE.bytes()
        })
    );
    assert_eq!(narrow.len(), 1);
    assert_eq!(
        from.copy_range(range(0, 0x20_0000), &mut into),
        Ok(SMALL.bytes())
    );
    let mut back = PageTable::<_, X86_64>::new(&wide).unwrap();
    assert_eq!(
        into.copy_range(range(0, 0x20_0000), &mut back),
        Ok(SMALL.bytes())
    );
}

/// All four states of the accessed and dirty bits, in pages that may be written and pages that may not.
fn marked() -> Vec<Page> {
    (0..8u64)
        .map(|n| {
            let prop = PageProperty {
                write: n & 4 != 0,
                accessed: n & 1 != 0,
                dirty: n & 2 != 0,
                ..PageProperty::USER_RO
            };
            (n * 0x1000, n * 0x1000 + 0x10_0000, SMALL, prop)
        })
        .collect()
}

fn keeps_marks<A: PagingMode>() {
    let heap = Heap::default();
    let mut from = PageTable::<_, A, Tracking>::new(&heap).unwrap();
    let mut into = PageTable::<_, A, Tracking>::new(&heap).unwrap();
    map(&mut from, &marked());
    from.copy_range(range(0, 0x8000), &mut into).unwrap();
    assert_eq!(pages(&into, range(0, 0x8000)), marked());
    let mut child = PageTable::<_, A, Tracking>::new(&heap).unwrap();
    let (_, flush) = from
        .copy_range_write_protected(range(0, 0x8000), &mut child)
        .unwrap();
    flush.pay(&NoTlb);
    let mut wanted = marked();
    for page in &mut wanted {
        page.3 = page.3.read_only();
    }
    assert_eq!(pages(&child, range(0, 0x8000)), wanted);
    assert_eq!(pages(&from, range(0, 0x8000)), wanted);
}

#[test]
fn accessed_and_dirty_bits_are_kept() {
    keeps_marks::<X86_64>();
    keeps_marks::<Sv39>();
    keeps_marks::<AArch64Lower>();
}

fn reaches_the_top<A: PagingMode>(top: u64) {
    let heap = Heap::default();
    let mut from = PageTable::<_, A>::new(&heap).unwrap();
    let mut into = PageTable::<_, A>::new(&heap).unwrap();
    let last = top.wrapping_sub(0x1000);
    let large = top.wrapping_sub(2 * LARGE.bytes());
    map(
        &mut from,
        &[(last, 0x5000, SMALL, RW), (large, 0, LARGE, RW)],
    );
    let all = range(large, 2 * LARGE.bytes());
    assert_eq!(
        from.copy_range(all, &mut into),
        Ok(SMALL.bytes() + LARGE.bytes())
    );
    assert_eq!(into.query(va(last)), from.query(va(last)));
    assert_eq!(into.query(va(large)), from.query(va(large)));
    let mut child = PageTable::<_, A>::new(&heap).unwrap();
    let (_, flush) = from.copy_range_write_protected(all, &mut child).unwrap();
    flush.pay(&NoTlb);
    assert!(!child.query(va(last)).unwrap().prop.write);
    assert!(!from.query(va(last)).unwrap().prop.write);
}

#[test]
fn a_range_may_end_where_addresses_end() {
    reaches_the_top::<X86_64>(0);
    reaches_the_top::<Sv39>(0);
    reaches_the_top::<AArch64Lower>(1 << 48);
}

#[test]
fn the_pages_of_a_table_cost_one_load_and_one_store_each() {
    let (heap, other) = (Heap::default(), Heap::default());
    let mut from = PageTable::<_, X86_64>::new(&heap).unwrap();
    let mut into = PageTable::<_, X86_64>::new(&other).unwrap();
    // frames that don't follow each other
    for n in 0..512u64 {
        map(&mut from, &[(n * 0x1000, (n ^ 5) * 0x1000, SMALL, RW)]);
    }
    let table = range(0, LARGE.bytes());
    let _ = (heap.accesses(), other.accesses());
    assert_eq!(from.copy_range(table, &mut into), Ok(LARGE.bytes()));
    // besides, four ways from the root here; there three tables taken, made and linked
    let (loads, stores) = (heap.accesses(), other.accesses());
    assert!((512..512 + 24).contains(&loads), "{loads}");
    assert!((512..512 + 48).contains(&stores), "{stores}");
    assert_eq!(pages(&into, table), pages(&from, table));
}
