//! A cursor that maps, unmaps and protects from where it stands.

mod common;

use common::{Heap, NoTlb};
use portolan::{
    AArch64Lower, AccessBits, CachePolicy, CursorMut, Error, PageProperty, PageSize, PageTable,
    PagingMode, PhysAddr, Preset, Sv39, Tracking, UsedBits, VirtAddr, VirtRange, X86_64,
};
use std::any::type_name;

const P4K: u64 = 0x1000;
const P2M: u64 = 0x20_0000;
const P1G: u64 = 0x4000_0000;
const SMALL: PageSize = PageSize::Size4K;
const LARGE: PageSize = PageSize::Size2M;
const RW: PageProperty = PageProperty::USER_RW;
const RO: PageProperty = PageProperty::USER_RO;

type Table<'h, A, B = Preset> = PageTable<&'h Heap, A, B>;
type At<'t, 'h, A, B = Preset> = CursorMut<'t, &'h Heap, A, B>;

fn va<A: PagingMode>(raw: u64) -> VirtAddr<A> {
    VirtAddr::new(raw).unwrap()
}

fn range<A: PagingMode>(start: u64, size: u64) -> VirtRange<A> {
    VirtRange::new(va(start), size).unwrap()
}

/// The frame that tests map at an address.
fn frame(raw: u64) -> PhysAddr {
    PhysAddr::new(raw % (1 << 40))
}

fn position<A: PagingMode, B: AccessBits>(cursor: &At<'_, '_, A, B>) -> Option<u64> {
    cursor.virt_addr().map(|va| va.as_u64())
}

/// The pages of the lower half, or of what a mode has of it.
fn pages<A: PagingMode, B: AccessBits>(table: &Table<'_, A, B>) -> Vec<(u64, PageSize)> {
    let pages = table.mappings(range(0, 1 << 38)).unwrap();
    pages.map(|(va, page)| (va.as_u64(), page.size)).collect()
}

/// Runs a test in one mode of each architecture.
macro_rules! in_each_mode {
    ($($(#[$meta:meta])* $name:ident => $body:ident;)*) => {
        $($(#[$meta])* #[test] fn $name() {
            $body::<X86_64>();
            $body::<Sv39>();
            $body::<AArch64Lower>();
        })*
    };
}

in_each_mode! {
    pages_are_mapped_one_after_the_other => maps_in_order;
    neighbouring_pages_take_few_accesses => few_accesses;
    a_page_that_passes_the_range_is_refused => refuses_what_passes;
    what_is_wrong_with_a_page_is_said_and_nothing_moves => says_what_is_wrong;
    without_memory_nothing_changes => keeps_without_memory;
    a_range_is_mapped_whole => maps_ranges;
    unmapping_stops_at_the_end => unmaps_to_the_end;
    unmapping_divides_the_page_that_it_cuts => divides_what_it_cuts;
    unmapping_parts_of_pages_is_refused => refuses_odd_parts;
    protecting_goes_from_page_to_page => protects_over_holes;
    protecting_refuses_pages_that_reach_out => refuses_to_protect_parts;
    moving_and_jumping_follow_the_tables => moves_and_jumps;
    a_cursor_does_what_the_table_does => agrees_with_the_table;
    used_pages_are_found_and_cleared => clears_used_pages;
}

fn maps_in_order<A: PagingMode>() {
    let heap = Heap::default();
    let mut table = Table::<A>::new(&heap).unwrap();
    let start = P2M - 2 * P4K;
    let mut cursor = table.cursor_mut(range(start, P1G)).unwrap();
    for i in 0..2 {
        cursor.map(frame(i * P4K), SMALL, RW).unwrap();
    }
    cursor.map(frame(P2M), LARGE, RO).unwrap();
    cursor.map(frame(P4K), SMALL, RW).unwrap();
    assert_eq!(position(&cursor), Some(2 * P2M + P4K));
    assert_eq!(cursor.query(), None);
    cursor.jump(va(P2M)).unwrap();
    let page = cursor.query().unwrap();
    assert_eq!((page.frame, page.size), (frame(P2M), LARGE));
    let expected = [
        (start, SMALL),
        (start + P4K, SMALL),
        (P2M, LARGE),
        (2 * P2M, SMALL),
    ];
    assert_eq!(pages(&table), expected);
}

fn few_accesses<A: PagingMode>() {
    let heap = Heap::default();
    let mut table = Table::<A>::new(&heap).unwrap();
    let mut cursor = table.cursor_mut(range(P2M, P2M)).unwrap();
    cursor.map(frame(0), SMALL, RW).unwrap();
    heap.accesses();
    for i in 1..512 {
        cursor.map(frame(i * P4K), SMALL, RW).unwrap();
    }
    // to read the entry and to store it; where entries count, to note the count
    assert!(heap.accesses() <= 511 * 3);
    cursor.jump(va(P2M)).unwrap();
    heap.accesses();
    for _ in 0..512 {
        assert!(cursor.query().is_some());
        cursor.move_forward();
    }
    assert!(heap.accesses() <= 512 * 3);
    cursor.jump(va(P2M)).unwrap();
    heap.accesses();
    while let Some((_, _, flush)) = cursor.protect_next(u64::MAX, RO).unwrap() {
        flush.pay(&NoTlb);
    }
    assert!(heap.accesses() <= 512 * 3 + 8);
    assert_eq!(pages(&table).len(), 512);
}

fn refuses_what_passes<A: PagingMode>() {
    let heap = Heap::default();
    let mut table = Table::<A>::new(&heap).unwrap();
    let mut cursor = table.cursor_mut(range(P2M, P4K)).unwrap();
    let past = |addr, size| Err(Error::PastEnd { addr, size });
    assert_eq!(cursor.map(frame(0), LARGE, RW), past(P2M, P2M));
    cursor.map(frame(0), SMALL, RW).unwrap();
    assert_eq!(position(&cursor), None);
    assert_eq!(cursor.map(frame(0), SMALL, RW), past(P2M + P4K, P4K));
    let rest = cursor.map_range(P4K, frame(0), SMALL, RW);
    assert_eq!(rest, past(P2M + P4K, P4K));
    assert_eq!(cursor.map_range(0, frame(0), SMALL, RW), Ok(()));
    assert_eq!(
        cursor.map_range(u64::MAX, frame(0), SMALL, RW),
        past(P2M + P4K, u64::MAX)
    );
    let (bytes, flush) = cursor.unmap(u64::MAX).unwrap();
    assert_eq!((bytes, flush.size()), (0, 0));
    flush.pay(&NoTlb);
    assert!(cursor.protect_next(u64::MAX, RO).unwrap().is_none());
    assert_eq!(cursor.find_next(u64::MAX), None);
    assert_eq!(pages(&table), [(P2M, SMALL)]);
}

fn says_what_is_wrong<A: PagingMode>() {
    let heap = Heap::default();
    let mut table = Table::<A>::new(&heap).unwrap();
    table.map(va(P2M), frame(0), LARGE, RW).unwrap();
    table.map(va(P1G), frame(0), SMALL, RW).unwrap();
    let mut cursor = table.cursor_mut(range(0, 2 * P1G)).unwrap();
    let mut wrong = |at, frame, size, prop, expected| {
        cursor.jump(va(at)).unwrap();
        assert_eq!(cursor.map(frame, size, prop), Err(expected));
        assert_eq!(position(&cursor), Some(at));
    };
    let (addr, size) = (P2M, P2M);
    wrong(
        P2M + P4K,
        frame(0),
        SMALL,
        RW,
        Error::AlreadyMapped { addr, size },
    );
    wrong(
        P2M,
        frame(0),
        LARGE,
        RW,
        Error::AlreadyMapped { addr, size },
    );
    let (addr, size) = (P1G, P2M);
    wrong(
        P1G,
        frame(0),
        LARGE,
        RW,
        Error::AlreadyMapped { addr, size },
    );
    let (addr, size) = (P1G, P4K);
    wrong(
        P1G,
        frame(0),
        SMALL,
        RW,
        Error::AlreadyMapped { addr, size },
    );
    wrong(
        P4K,
        frame(0),
        LARGE,
        RW,
        Error::NotAligned {
            addr: P4K,
            size: P2M,
        },
    );
    wrong(
        1,
        frame(0),
        SMALL,
        RW,
        Error::NotAligned { addr: 1, size: P4K },
    );
    wrong(
        0,
        PhysAddr::new(8),
        SMALL,
        RW,
        Error::NotAligned { addr: 8, size: P4K },
    );
    let size = PageSize::Size16K;
    wrong(
        0,
        frame(0),
        size,
        RW,
        Error::UnsupportedSize {
            addr: 0,
            size: size.bytes(),
        },
    );
    let prop = PageProperty {
        cache: CachePolicy::WriteProtected,
        read: false,
        ..RW
    };
    wrong(
        0,
        frame(0),
        SMALL,
        prop,
        Error::UnsupportedProperty { addr: 0, size: P4K },
    );
    let high = PhysAddr::new(1 << 60);
    wrong(
        0,
        high,
        SMALL,
        RW,
        Error::PhysTooWide {
            addr: 1 << 60,
            size: P4K,
        },
    );
    assert_eq!(pages(&table), [(P2M, LARGE), (P1G, SMALL)]);
}

fn keeps_without_memory<A: PagingMode>() {
    for left in 0.. {
        let heap = Heap::default();
        let mut table = Table::<A>::new(&heap).unwrap();
        table.map(va(P2M), frame(0), SMALL, RW).unwrap();
        let tables = heap.len();
        let mut cursor = table.cursor_mut(range(1 << 37, 2 * P1G)).unwrap();
        heap.limit(left);
        let (addr, size) = (1 << 37, P4K);
        let none = Err(Error::NoMemory { addr, size });
        if cursor.map(frame(0), SMALL, RW) != none {
            assert!(left > 0);
            assert_eq!(position(&cursor), Some((1 << 37) + P4K));
            break;
        }
        let size = 2 * P2M;
        let none = Err(Error::NoMemory { addr, size });
        assert_eq!(cursor.map_range(size, frame(0), SMALL, RW), none);
        assert_eq!(position(&cursor), Some(addr));
        assert_eq!(cursor.query(), None);
        assert_eq!(heap.len(), tables);
        heap.limit(usize::MAX);
        cursor.map(frame(0), SMALL, RW).unwrap();
        assert_eq!(pages(&table), [(P2M, SMALL), (addr, SMALL)]);
    }
}

fn maps_ranges<A: PagingMode>() {
    let heap = Heap::default();
    let mut table = Table::<A>::new(&heap).unwrap();
    let start = P2M - P4K;
    let mut cursor = table.cursor_mut(range(start, P1G)).unwrap();
    cursor
        .map_range(P2M + 2 * P4K, frame(start), LARGE, RW)
        .unwrap();
    assert_eq!(position(&cursor), Some(2 * P2M + P4K));
    cursor.map(frame(0), SMALL, RO).unwrap();
    cursor.jump(va(start)).unwrap();
    let again = cursor.map_range(P2M, frame(start), LARGE, RW);
    assert_eq!(
        again,
        Err(Error::AlreadyMapped {
            addr: start,
            size: P4K
        })
    );
    let odd = cursor.map_range(P4K + 1, frame(0), SMALL, RW);
    assert_eq!(
        odd,
        Err(Error::NotAligned {
            addr: start,
            size: P4K
        })
    );
    assert_eq!(position(&cursor), Some(start));
    let expected = [
        (start, SMALL),
        (P2M, LARGE),
        (2 * P2M, SMALL),
        (2 * P2M + P4K, SMALL),
    ];
    assert_eq!(pages(&table), expected);
}

fn unmaps_to_the_end<A: PagingMode>() {
    let heap = Heap::default();
    let mut table = Table::<A>::new(&heap).unwrap();
    let empty = heap.len();
    for at in [0, P2M - P4K, P2M, 3 * P2M] {
        table.map(va(at), frame(0), SMALL, RW).unwrap();
    }
    let mut cursor = table.cursor_mut(range(0, 2 * P2M)).unwrap();
    let (bytes, flush) = cursor.unmap(P4K).unwrap();
    assert_eq!((bytes, flush.addr(), flush.size()), (P4K, va(0), P4K));
    flush.pay(&NoTlb);
    let (bytes, flush) = cursor.unmap(P4K).unwrap();
    assert_eq!((bytes, flush.size()), (0, 0));
    flush.pay(&NoTlb);
    assert_eq!(position(&cursor), Some(2 * P4K));
    let odd = cursor.unmap(P4K + 1).unwrap_err();
    let (addr, size) = (3 * P4K + 1, P4K);
    assert_eq!(odd, Error::NotAligned { addr, size });
    assert_eq!(position(&cursor), Some(2 * P4K));
    let (bytes, flush) = cursor.unmap(u64::MAX).unwrap();
    assert_eq!((bytes, flush.size()), (2 * P4K, 2 * P2M - 2 * P4K));
    assert!(flush.frees_tables());
    flush.pay(&NoTlb);
    assert_eq!((position(&cursor), cursor.query()), (None, None));
    cursor.jump(va(P2M)).unwrap();
    cursor.map(frame(0), SMALL, RW).unwrap();
    cursor.jump(va(P2M)).unwrap();
    cursor.unmap(P4K).unwrap().1.pay(&NoTlb);
    assert_eq!(position(&cursor), Some(P2M + P4K));
    assert_eq!(pages(&table), [(3 * P2M, SMALL)]);
    table.unmap(va(3 * P2M), SMALL).unwrap().1.pay(&NoTlb);
    assert_eq!(heap.len(), empty);
}

fn divides_what_it_cuts<A: PagingMode>() {
    let heap = Heap::default();
    let mut table = Table::<A>::new(&heap).unwrap();
    table.map(va(P2M), frame(0), LARGE, RW).unwrap();
    let mut cursor = table.cursor_mut(range(0, P2M + P4K)).unwrap();
    let in_place = type_name::<A>() != type_name::<AArch64Lower>();
    match cursor.unmap(u64::MAX) {
        Ok((bytes, flush)) => {
            assert!(in_place);
            assert_eq!((bytes, flush.size()), (P4K, P2M + P4K));
            flush.pay(&NoTlb);
            assert_eq!(position(&cursor), None);
            let rest = (1..512).map(|n| (P2M + n * P4K, SMALL));
            assert!(pages(&table).into_iter().eq(rest));
        }
        Err(error) => {
            assert!(!in_place);
            let (addr, size) = (P2M, P2M);
            assert_eq!(error, Error::BreakBeforeMake { addr, size });
            assert_eq!(position(&cursor), Some(0));
            assert_eq!(pages(&table), [(P2M, LARGE)]);
        }
    }
}

fn refuses_odd_parts<A: PagingMode>() {
    let heap = Heap::default();
    let mut table = Table::<A>::new(&heap).unwrap();
    table.map(va(P2M), frame(0), LARGE, RW).unwrap();
    let mut cursor = table.cursor_mut(range(0, P2M + P4K)).unwrap();
    cursor.jump(va(P2M + 1)).unwrap();
    let not_aligned = Error::NotAligned {
        addr: P2M + 1,
        size: P4K,
    };
    assert_eq!(cursor.unmap(P4K).unwrap_err(), not_aligned);
    assert_eq!(position(&cursor), Some(P2M + 1));
    assert_eq!(pages(&table), [(P2M, LARGE)]);
}

fn protects_over_holes<A: PagingMode>() {
    let heap = Heap::default();
    let mut table = Table::<A>::new(&heap).unwrap();
    let all = [(P4K, SMALL), (5 * P4K, SMALL), (P2M, LARGE), (P1G, SMALL)];
    for (at, size) in all {
        table.map(va(at), frame(at / P2M * P2M), size, RW).unwrap();
    }
    let mut cursor = table.cursor_mut(range(0, P1G + P4K)).unwrap();
    assert!(cursor.protect_next(P4K, RO).unwrap().is_none());
    assert_eq!(position(&cursor), Some(P4K));
    let mut seen = vec![];
    while let Some((at, was, flush)) = cursor.protect_next(u64::MAX, RO).unwrap() {
        assert!(was.prop.write);
        assert_eq!((flush.addr(), flush.size()), (at, was.size.bytes()));
        flush.pay(&NoTlb);
        let end = at.as_u64() + was.size.bytes();
        assert_eq!(position(&cursor).unwrap_or(P1G + P4K), end);
        seen.push((at.as_u64(), was.size));
    }
    assert_eq!(seen, all);
    assert_eq!(position(&cursor), None);
    for (at, _) in all {
        let prop = table.query(va(at)).unwrap().prop;
        assert!(!prop.write && prop.accessed && prop.dirty);
    }
}

fn refuses_to_protect_parts<A: PagingMode>() {
    let heap = Heap::default();
    let mut table = Table::<A>::new(&heap).unwrap();
    table.map(va(P2M), frame(0), LARGE, RW).unwrap();
    let mut cursor = table.cursor_mut(range(0, P1G)).unwrap();
    let (addr, size) = (P2M, P2M);
    let covered = Error::CoveredByHugePage { addr, size };
    let mut refused = |at, len, prop| {
        cursor.jump(va(at)).unwrap();
        let error = cursor.protect_next(len, prop).unwrap_err();
        assert_eq!(position(&cursor), Some(at));
        error
    };
    assert_eq!(refused(0, 2 * P2M - 1, RO), covered);
    assert_eq!(refused(P2M + P4K, P4K, RO), covered);
    assert_eq!(refused(P2M + 1, u64::MAX, RO), covered);
    let odd = PageProperty {
        cache: CachePolicy::WriteProtected,
        read: false,
        ..RW
    };
    assert_eq!(
        refused(0, u64::MAX, odd),
        Error::UnsupportedProperty { addr, size }
    );
    assert!(cursor.protect_next(2 * P2M, RO).unwrap().is_some());
    assert!(!table.query(va(P2M)).unwrap().prop.write);
}

fn moves_and_jumps<A: PagingMode>() {
    let heap = Heap::default();
    let mut table = Table::<A>::new(&heap).unwrap();
    for at in [P2M - P4K, P2M, 2 * P2M] {
        table.map(va(at), frame(0), SMALL, RW).unwrap();
    }
    let mut cursor = table.cursor_mut(range(P4K, P1G - P4K)).unwrap();
    for at in [0, P4K - 1, P1G] {
        assert_eq!(
            cursor.jump(va(at)),
            Err(Error::OutOfRange { addr: at, size: 0 })
        );
        assert_eq!(position(&cursor), Some(P4K));
    }
    assert_eq!(cursor.find_next(P2M), Some(va(P2M - P4K)));
    cursor.move_forward();
    assert_eq!(position(&cursor), Some(P2M));
    assert!(cursor.query().is_some());
    cursor.move_forward();
    assert_eq!((position(&cursor), cursor.query()), (Some(P2M + P4K), None));
    assert_eq!(cursor.find_next(P4K), None);
    assert_eq!(cursor.find_next(u64::MAX), Some(va(2 * P2M)));
    cursor.jump(va(5 * P2M)).unwrap();
    let (base, size) = cursor.extent().unwrap();
    assert!(base.as_u64() <= 5 * P2M && base.as_u64() + size > 5 * P2M);
    cursor.jump(va(2 * P2M + 5)).unwrap();
    assert_eq!(cursor.extent(), Some((va(2 * P2M), P4K)));
    cursor.jump(va(P2M - P4K)).unwrap();
    cursor.unmap(P4K).unwrap().1.pay(&NoTlb);
    assert!(cursor.query().is_some());
    cursor.jump(va(P1G - 1)).unwrap();
    cursor.move_forward();
    assert_eq!((position(&cursor), cursor.extent()), (None, None));
    cursor.move_forward();
    assert_eq!(position(&cursor), None);
}

/// Numbers that look random.
fn noise(seed: &mut u64) -> u64 {
    *seed = seed
        .wrapping_mul(6364136223846793005)
        .wrapping_add(1442695040888963407);
    *seed >> 33
}

fn agrees_with_the_table<A: PagingMode>() {
    let (heap, other) = (Heap::default(), Heap::default());
    let mut table = Table::<A>::new(&heap).unwrap();
    let mut twin = Table::<A>::new(&other).unwrap();
    let start = P1G - 4 * P2M;
    let mut cursor = table.cursor_mut(range(start, 8 * P2M)).unwrap();
    let mut seed = 7;
    for _ in 0..1500 {
        let n = noise(&mut seed);
        let at = match cursor.virt_addr() {
            Some(at) if n % 8 < 6 => at,
            _ => {
                let at = va(start + noise(&mut seed) % 64 * (P2M / 8 + P4K) / P4K * P4K);
                cursor.jump(at).unwrap();
                at
            }
        };
        assert_eq!(cursor.query(), twin.query(at).ok());
        let left = start + 8 * P2M - at.as_u64();
        let (frame, size) = match n % 5 {
            0 => (PhysAddr::new(n % 64 * P2M), LARGE),
            _ => (PhysAddr::new(n % 4096 * P4K), SMALL),
        };
        match n / 8 % 8 {
            0..4 if size.bytes() <= left => {
                let r = twin.map(at, frame, size, RW);
                assert_eq!(cursor.map(frame, size, RW), r);
            }
            4 => {
                let len = (n % 700 * P4K).min(left);
                let r = twin.map_range(range(at.as_u64(), len), frame, LARGE, RO);
                assert_eq!(cursor.map_range(len, frame, LARGE, RO), r);
            }
            5 => {
                let len = (n % 300 * P4K).min(left);
                let r = twin.unmap_range(range(at.as_u64(), len));
                let r = r.map(|(bytes, flush)| (bytes, flush.size(), flush.pay(&NoTlb)));
                let s = cursor.unmap(len);
                let s = s.map(|(bytes, flush)| (bytes, flush.size(), flush.pay(&NoTlb)));
                assert_eq!(s, r);
            }
            6 => {
                let next = twin.mappings(range(at.as_u64(), left)).unwrap().next();
                match cursor.protect_next(left, RO) {
                    Ok(Some((found, was, flush))) => {
                        flush.pay(&NoTlb);
                        assert_eq!(next, Some((found, was)));
                        twin.protect(found, was.size, RO).unwrap().1.pay(&NoTlb);
                    }
                    Ok(None) => assert_eq!(next, None),
                    Err(e) => assert_eq!(e.addr(), next.unwrap().0.as_u64()),
                }
            }
            _ => {
                let found = cursor.find_next(left);
                let next = twin.mappings(range(at.as_u64(), left)).unwrap().next();
                let at = next.map(|(va, _)| va.max(at));
                assert_eq!(found, at);
            }
        }
    }
    assert_eq!(heap.len(), other.len());
    assert_eq!(pages(&table), pages(&twin));
    assert!(!pages(&table).is_empty());
    drop((table, twin));
    assert_eq!((heap.len(), other.len()), (0, 0));
}

fn clears_used_pages<A: PagingMode>() {
    let heap = Heap::default();
    let mut table = Table::<A, Tracking>::new(&heap).unwrap();
    let used = PageProperty {
        accessed: true,
        ..RW
    };
    for (at, size, prop) in [(0, SMALL, RW), (P4K, SMALL, used), (P2M, LARGE, used)] {
        table.map(va(at), frame(0), size, prop).unwrap();
    }
    let mut cursor = table.cursor_mut(range(0, 3 * P2M)).unwrap();
    let bits = UsedBits::Accessed;
    assert!(cursor.test_and_clear_next(P4K, bits).unwrap().is_none());
    assert_eq!(position(&cursor), Some(P4K));
    let (at, was, flush) = cursor.test_and_clear_next(P2M, bits).unwrap().unwrap();
    assert_eq!((at.as_u64(), was.prop), (P4K, used));
    assert_eq!((flush.addr(), flush.size()), (at, P4K));
    flush.pay(&NoTlb);
    assert_eq!(position(&cursor), Some(2 * P4K));
    let covered = Error::CoveredByHugePage {
        addr: P2M,
        size: P2M,
    };
    assert_eq!(cursor.test_and_clear_next(P2M, bits).unwrap_err(), covered);
    assert_eq!(position(&cursor), Some(2 * P4K));
    let (at, _, flush) = cursor.test_and_clear_next(2 * P2M, bits).unwrap().unwrap();
    assert_eq!(at.as_u64(), P2M);
    flush.pay(&NoTlb);
    cursor.jump(va(0)).unwrap();
    assert!(
        cursor
            .test_and_clear_next(u64::MAX, bits)
            .unwrap()
            .is_none()
    );
    assert_eq!(position(&cursor), None);
    assert!(
        cursor
            .test_and_clear_next(u64::MAX, bits)
            .unwrap()
            .is_none()
    );
}

/// The last page of the address space, and a position behind it that is no address.
fn maps_at_the_top<A: PagingMode>(last: u64) {
    let heap = Heap::default();
    let mut table = Table::<A>::new(&heap).unwrap();
    let mut cursor = table.cursor_mut(range(last - P4K, 2 * P4K)).unwrap();
    cursor.map(frame(0), SMALL, RW).unwrap();
    cursor.map(frame(P4K), SMALL, RW).unwrap();
    assert_eq!((position(&cursor), cursor.query()), (None, None));
    let addr = last.wrapping_add(P4K);
    let past = Err(Error::PastEnd { addr, size: P4K });
    assert_eq!(cursor.map(frame(0), SMALL, RW), past);
    cursor.jump(va(last)).unwrap();
    assert_eq!(cursor.query().unwrap().frame, frame(P4K));
    let changed = cursor.protect_next(u64::MAX, RO).unwrap().unwrap();
    assert_eq!(changed.0.as_u64(), last);
    changed.2.pay(&NoTlb);
    assert_eq!(position(&cursor), None);
    cursor.jump(va(last - P4K)).unwrap();
    let (bytes, flush) = cursor.unmap(u64::MAX).unwrap();
    assert_eq!(bytes, 2 * P4K);
    flush.pay(&NoTlb);
    assert_eq!(position(&cursor), None);
    assert_eq!(heap.len(), 1);
}

#[test]
fn the_last_addresses_are_mapped() {
    maps_at_the_top::<X86_64>(u64::MAX - P4K + 1);
    maps_at_the_top::<X86_64>((1 << 47) - P4K);
    maps_at_the_top::<Sv39>(u64::MAX - P4K + 1);
    maps_at_the_top::<AArch64Lower>((1 << 48) - P4K);
}

#[test]
fn a_cache_policy_is_not_changed_in_use_where_it_must_not_be() {
    let heap = Heap::default();
    let mut table = Table::<AArch64Lower>::new(&heap).unwrap();
    table.map(va(P4K), frame(0), SMALL, RW).unwrap();
    let mut cursor = table.cursor_mut(range(0, P2M)).unwrap();
    let device = PageProperty {
        cache: CachePolicy::Uncacheable,
        ..RW
    };
    let broken = Error::BreakBeforeMake {
        addr: P4K,
        size: P4K,
    };
    assert_eq!(cursor.protect_next(u64::MAX, device).unwrap_err(), broken);
    assert_eq!(position(&cursor), Some(0));
}

#[test]
fn what_is_wrong_with_a_range_is_said() {
    let heap = Heap::default();
    let mut table = Table::<X86_64>::new(&heap).unwrap();
    let mut error = |start, size| table.cursor_mut(range(start, size)).err();
    let not_aligned = |addr| Some(Error::NotAligned { addr, size: P4K });
    assert_eq!(error(1, P4K), not_aligned(1));
    assert_eq!(error(P4K, 1), not_aligned(P4K + 1));
    assert_eq!(error(P4K, 0), None);
}
