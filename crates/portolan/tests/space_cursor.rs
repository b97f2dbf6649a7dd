//! Cursors over an address space: what they meet, where they stop, and what they change.

mod machine;
#[path = "machine/threads.rs"]
mod schedule;

use machine::{Config, Pinned, Space, at, frame, on, on_machine, range, segment, space};
use portolan::space::{CursorMut, MappedItem, Slot, VmError};
use portolan::{AArch64Upper, Error, PageProperty, PagingMode, PhysAddr, UserHalf, X86_64};

const RW: PageProperty = PageProperty {
    accessed: true,
    dirty: true,
    ..PageProperty::USER_RW
};
const RO: PageProperty = PageProperty::USER_RO;
const PAGE: u64 = 0x1000;
const LARGE: u64 = 0x20_0000;

/// Maps new frames at these addresses; answers with where they lie.
fn map_at<'k>(guard: &Pinned, space: &Space<'k>, addrs: &[u64]) -> Vec<PhysAddr> {
    let one = |&addr: &u64| {
        let new = frame(space.machine());
        let lies = new.paddr();
        let mut cursor = space.cursor_mut(guard, &range(addr, PAGE)).unwrap();
        cursor.map(new, RW).unwrap();
        lies
    };
    addrs.iter().map(one).collect()
}

/// Where the frames of a slot lie, if something is mapped there.
fn lies(slot: &Slot<'_, machine::Test>) -> Option<PhysAddr> {
    slot.item.as_ref().map(|(item, _)| match item {
        MappedItem::Frame(frame) => frame.paddr(),
        MappedItem::Segment(segment) => segment.paddr(),
        MappedItem::Io(addr) => *addr,
    })
}

/// Where a slot starts, and how many bytes it has.
fn place(slot: &Slot<'_, machine::Test>) -> (u64, u64) {
    (slot.range.start().as_u64(), slot.range.size())
}

/// The address where the cursor is.
fn here(cursor: &CursorMut<'_, '_, machine::Test, Pinned>) -> Option<u64> {
    cursor.virt_addr().map(|va| va.as_u64())
}

/// As `protect_next`, with the start and the size of the range.
fn protect<A: PagingMode + 'static>(
    cursor: &mut CursorMut<'_, '_, machine::Test<A>, Pinned>,
    len: u64,
    op: impl FnOnce(PageProperty) -> PageProperty,
) -> Result<Option<(u64, u64)>, VmError> {
    let changed = cursor.protect_next(len, op)?;
    Ok(changed.map(|range| (range.start().as_u64(), range.size())))
}

#[test]
fn query_answers_with_the_page_or_the_hole() {
    on_machine(|machine| {
        let space = space(machine);
        on(0, |guard| {
            let frames = map_at(guard, &space, &[0x3000, 0x7000]);
            let mut cursor = space.cursor(guard, &range(0x1000, 0x9000)).unwrap();
            let mut seen = Vec::new();
            while let Some(slot) = cursor.next().transpose().unwrap() {
                seen.push((place(&slot), lies(&slot)));
                assert!(slot.item.is_none_or(|(_, prop)| prop == RW));
            }
            let expected = [
                ((0x1000, 0x2000), None),
                ((0x3000, 0x1000), Some(frames[0])),
                ((0x4000, 0x3000), None),
                ((0x7000, 0x1000), Some(frames[1])),
                ((0x8000, 0x2000), None),
            ];
            assert_eq!(seen, expected);
            assert_eq!(cursor.virt_addr(), None);
            assert_eq!(
                cursor.query().err(),
                Some(VmError::OutOfRange { addr: 0xa000 })
            );
        });
    });
}

#[test]
fn what_query_answers_is_a_reference() {
    on_machine(|machine| {
        let space = space(machine);
        on(0, |guard| {
            map_at(guard, &space, &[0]);
            let cursor = space.cursor(guard, &range(0, PAGE)).unwrap();
            let Some((MappedItem::Frame(one), _)) = cursor.query().unwrap().item else {
                panic!("a frame")
            };
            assert_eq!(one.reference_count(), 2);
            drop(cursor);
            space.clear(guard).unwrap();
            assert_eq!(one.reference_count(), 1);
        });
    });
}

#[test]
fn find_next_stops_at_what_is_mapped_and_goes_over_what_is_not() {
    on_machine(|machine| {
        let space = space(machine);
        on(0, |guard| {
            map_at(guard, &space, &[0x3000, 0x7000]);
            let mut cursor = space.cursor_mut(guard, &range(0, 0xa000)).unwrap();
            assert_eq!(cursor.find_next(0), Ok(None));
            assert_eq!(cursor.find_next(0x3000), Ok(None));
            assert_eq!(here(&cursor), Some(0x3000));
            for _ in 0..2 {
                assert_eq!(cursor.find_next(0x1000), Ok(Some(at(0x3000))));
            }
            cursor.jump(at(0x4000)).unwrap();
            assert_eq!(cursor.find_next(0x6000), Ok(Some(at(0x7000))));
            cursor.jump(at(0x8000)).unwrap();
            assert_eq!(cursor.find_next(0x2000), Ok(None));
            assert_eq!(here(&cursor), None);
            assert_eq!(cursor.find_next(0), Ok(None));
        });
    });
}

#[test]
fn lengths_that_no_cursor_can_go_are_refused() {
    on_machine(|machine| {
        let space = space(machine);
        on(0, |guard| {
            map_at(guard, &space, &[0x3000]);
            let mut cursor = space.cursor_mut(guard, &range(0x2000, 0x3000)).unwrap();
            cursor.jump(at(0x3000)).unwrap();
            let unaligned = [1, 0xfff, 0x1001, u64::MAX];
            for len in unaligned {
                let no = VmError::Paging(Error::NotAligned {
                    addr: len,
                    size: PAGE,
                });
                assert_eq!(cursor.find_next(len), Err(no));
                assert_eq!(cursor.unmap(len), Err(no));
                assert_eq!(protect(&mut cursor, len, |_| RO), Err(no));
            }
            for len in [0x3000, 1 << 47, 1 << 63, 0u64.wrapping_sub(0x3000), !0xfff] {
                let no = VmError::OutOfRange {
                    addr: len.wrapping_add(0x3000),
                };
                assert_eq!(cursor.find_next(len), Err(no));
                assert_eq!(cursor.unmap(len), Err(no));
                assert_eq!(protect(&mut cursor, len, |_| RO), Err(no));
            }
            assert_eq!(here(&cursor), Some(0x3000));
            assert_eq!(cursor.query().unwrap().item.unwrap().1, RW);
        });
    });
}

#[test]
fn jump_goes_to_pages_of_the_range_and_to_its_end() {
    on_machine(|machine| {
        let space = space(machine);
        on(0, |guard| {
            let mut cursor = space
                .cursor_mut(guard, &range(0x20_0000, 0x40_0000))
                .unwrap();
            for inside in [0x40_0000, 0x20_0000, 0x3f_f000, 0x5f_f000] {
                cursor.jump(at(inside)).unwrap();
                assert_eq!(here(&cursor), Some(inside));
            }
            for outside in [0x1f_f000, 0, 0x60_1000, 0xffff_ffff_ffff_f000] {
                let no = VmError::OutOfRange { addr: outside };
                assert_eq!(cursor.jump(at(outside)), Err(no));
            }
            let no = Error::NotAligned {
                addr: 0x40_0001,
                size: PAGE,
            };
            assert_eq!(cursor.jump(at(0x40_0001)), Err(VmError::Paging(no)));
            assert_eq!(here(&cursor), Some(0x5f_f000));
            cursor.jump(at(0x60_0000)).unwrap();
            assert_eq!(here(&cursor), None);
        });
    });
}

#[test]
fn ranges_that_are_no_pages_are_refused() {
    on_machine(|machine| {
        let space = space(machine);
        on(0, |guard| {
            for (start, size, addr) in [(0x1, 0x1000, 0x1), (0x1000, 0x800, 0x1800)] {
                let no = VmError::Paging(Error::NotAligned { addr, size: PAGE });
                assert_eq!(space.cursor(guard, &range(start, size)).err(), Some(no));
                assert_eq!(space.cursor_mut(guard, &range(start, size)).err(), Some(no));
            }
            let nothing = space.cursor_mut(guard, &range(0x5000, 0)).unwrap();
            assert_eq!(nothing.virt_addr(), None);
        });
    });
}

#[test]
fn map_goes_on_past_the_page_and_stops_at_the_end() {
    on_machine(|machine| {
        let space = space(machine);
        on(0, |guard| {
            let mut cursor = space.cursor_mut(guard, &range(0x1000, 0x2000)).unwrap();
            for next in [Some(0x2000), None] {
                cursor.map(frame(machine), RW).unwrap();
                assert_eq!(here(&cursor), next);
            }
            let no = VmError::OutOfRange { addr: 0x4000 };
            assert_eq!(cursor.map(frame(machine), RW), Err(no));
            assert_eq!(machine.frames().allocator().len(), 14);
        });
    });
}

#[test]
fn unmap_counts_pages_and_skips_holes() {
    on_machine(|machine| {
        let (space, pool) = (space(machine), machine.frames().allocator());
        on(0, |guard| {
            map_at(
                guard,
                &space,
                &[0x1000, 0x2000, 0x5000, 0x1f_f000, 0x20_0000],
            );
            let mut cursor = space.cursor_mut(guard, &range(0, 0x40_0000)).unwrap();
            assert_eq!(cursor.unmap(0), Ok(0));
            assert_eq!(cursor.unmap(0x2000), Ok(1));
            assert_eq!(here(&cursor), Some(0x2000));
            assert_eq!(cursor.unmap(0x1f_f000), Ok(4));
            assert_eq!(cursor.unmap(0x1f_f000), Ok(0));
            assert_eq!((here(&cursor), pool.len()), (None, 11));
            cursor.flusher().sync_tlb_flush().unwrap();
            assert_eq!(pool.len(), 16);
        });
    });
}

#[test]
fn protect_next_changes_the_next_page_and_goes_past_it() {
    on_machine(|machine| {
        let space = space(machine);
        on(0, |guard| {
            map_at(guard, &space, &[0x1000, 0x4000]);
            let mut cursor = space.cursor_mut(guard, &range(0, 0x8000)).unwrap();
            let clear = |prop: PageProperty| PageProperty {
                write: false,
                ..prop
            };
            assert_eq!(protect(&mut cursor, 0x1000, clear), Ok(None));
            assert_eq!(here(&cursor), Some(0x1000));
            assert_eq!(
                protect(&mut cursor, 0x7000, clear),
                Ok(Some((0x1000, PAGE)))
            );
            assert_eq!(here(&cursor), Some(0x2000));
            assert_eq!(
                protect(&mut cursor, 0x6000, |_| RO),
                Ok(Some((0x4000, PAGE)))
            );
            assert_eq!(
                protect(&mut cursor, 0x3000, |_| panic!("nothing there")),
                Ok(None)
            );
            assert_eq!(here(&cursor), None);
            for page in [0x1000, 0x4000] {
                cursor.jump(at(page)).unwrap();
                assert!(!cursor.query().unwrap().item.unwrap().1.write);
            }
        });
    });
}

#[test]
fn a_larger_page_is_a_segment() {
    let config = Config {
        frames: 1024,
        ..Config::default()
    };
    config.run::<X86_64>(|machine| {
        let (space, pool) = (space(machine), machine.frames().allocator());
        on(0, |guard| {
            let mut cursor = space.cursor_mut(guard, &range(LARGE, 2 * LARGE)).unwrap();
            cursor.map_segment(segment(machine, LARGE), RW).unwrap();
            assert_eq!(here(&cursor), Some(2 * LARGE));
            drop(cursor);
            let inside = space.cursor(guard, &range(LARGE + 0x5000, PAGE)).unwrap();
            let slot = inside.query().unwrap();
            assert_eq!(place(&slot), (LARGE, LARGE));
            let Some((MappedItem::Segment(all), prop)) = slot.item else {
                panic!("a segment")
            };
            assert_eq!((all.size(), prop), (LARGE, RW));
            assert_eq!(all.frame_at(0x1f_f000).unwrap().reference_count(), 2);
        });
        drop(space);
        assert_eq!(pool.len(), 1024);
    });
}

#[test]
fn a_segment_that_is_no_page_is_refused() {
    on_machine(|machine| {
        let space = space(machine);
        on(0, |guard| {
            let mut cursor = space.cursor_mut(guard, &range(0x1000, 0x8000)).unwrap();
            let two = || segment(machine, 2 * PAGE);
            let no = Error::UnsupportedSize {
                addr: 0x1000,
                size: 2 * PAGE,
            };
            assert_eq!(cursor.map_segment(two(), RW), Err(VmError::Paging(no)));
            assert_eq!(here(&cursor), Some(0x1000));
        });
    });
}

#[test]
fn a_cursor_reaches_the_last_address() {
    Config::default().run::<X86_64>(|machine| at_the_top(&space(machine), 0xffff_ffff_ffff_f000));
    Config::default()
        .run::<UserHalf<X86_64>>(|machine| at_the_top(&space(machine), 0x7fff_ffff_f000));
    Config::default()
        .run::<AArch64Upper>(|machine| at_the_top(&space(machine), 0xffff_ffff_ffff_f000));
}

/// Maps and unmaps the last page, which is at `last`.
fn at_the_top<'k, A: PagingMode + 'static>(space: &Space<'k, A>, last: u64) {
    on(0, |guard| {
        let two = range(last - PAGE, 2 * PAGE);
        let mut cursor = space.cursor_mut(guard, &two).unwrap();
        assert_eq!(cursor.find_next(2 * PAGE), Ok(None));
        assert_eq!(cursor.virt_addr(), None);
        cursor.jump(at(last)).unwrap();
        cursor.map(frame(space.machine()), RW).unwrap();
        assert_eq!(cursor.virt_addr(), None);
        assert!(matches!(
            cursor.unmap(PAGE),
            Err(VmError::OutOfRange { .. })
        ));
        cursor.jump(at(last - PAGE)).unwrap();
        assert_eq!(cursor.find_next(2 * PAGE), Ok(Some(at(last))));
        assert_eq!(protect(&mut cursor, PAGE, |_| RO), Ok(Some((last, PAGE))));
        cursor.jump(at(last)).unwrap();
        assert!(matches!(
            cursor.unmap(2 * PAGE),
            Err(VmError::OutOfRange { .. })
        ));
        assert_eq!(cursor.unmap(PAGE), Ok(1));
        assert_eq!(cursor.virt_addr(), None);
    });
}
