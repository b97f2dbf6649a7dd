//! Cursors that live at the same time: what each has of the address space, and who waits for whom.

mod machine;
#[path = "machine/threads.rs"]
mod schedule;

use machine::{
    Computer, Config, Finish, Pinned, Space, Test, at, cpu, frame, idle, on, on_machine, range,
    root, segment, space, wait_for,
};
use portolan::space::{Cursor, MappedItem, VmError};
use portolan::tlb::TlbFlushOp;
use portolan::{Error, PageProperty, PagingMode, UserHalf, X86_64};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;

const RW: PageProperty = PageProperty {
    accessed: true,
    dirty: true,
    ..PageProperty::USER_RW
};
const RO: PageProperty = PageProperty::USER_RO;
const PAGE: u64 = 0x1000;
const LARGE: u64 = 0x20_0000;
/// How many cursors there can be at a time.
const ROOM: u64 = 16;
/// A machine with frames for a larger page.
const LARGER: Config = Config {
    cpus: 2,
    base: 0x4000_0000,
    frames: 1024,
    references: u64::MAX,
};

/// Does `work` on processor 1. Answers with whether that waits until `release` has been done on this one.
fn waits<A: PagingMode + Send + Sync + 'static>(
    machine: &Computer<'_, A>,
    work: impl FnOnce(&Pinned) + Send,
    release: impl FnOnce(),
) -> bool {
    let hardware = machine.cpus().hardware();
    let (done, before) = (AtomicBool::new(false), hardware.relaxed(1));
    thread::scope(|scope| {
        scope.spawn(|| {
            on(1, work);
            done.store(true, SeqCst);
        });
        let is_waiting = || hardware.relaxed(1) > before + 100;
        wait_for(hardware, || done.load(SeqCst) || is_waiting());
        let waited = !done.load(SeqCst);
        release();
        waited
    })
}

/// Whether a cursor over `bytes` from `addr` has to wait until `release` has been done.
fn has_to_wait<A: PagingMode + Send + Sync + 'static>(
    space: &Space<'_, A>,
    (addr, bytes): (u64, u64),
    release: impl FnOnce(),
) -> bool {
    let take = |guard: &Pinned| drop(space.cursor_mut(guard, &range(addr, bytes)).unwrap());
    waits(space.machine(), take, release)
}

/// Asserts that a cursor over `bytes` from `addr` can be had now.
fn assert_free<A: PagingMode + Send + Sync + 'static>(space: &Space<'_, A>, part: (u64, u64)) {
    assert!(!has_to_wait(space, part, || ()), "{part:x?} is not free");
}

/// Where the rest of a cursor's pages and holes are, how large they are, and whether they are pages.
fn slots(cursor: Cursor<'_, '_, Test>) -> Vec<(u64, u64, bool)> {
    let slots = cursor.map(Result::unwrap);
    slots
        .map(|slot| {
            (
                slot.range.start().as_u64(),
                slot.range.size(),
                slot.item.is_some(),
            )
        })
        .collect()
}

/// Maps a large page at [`LARGE`]. Answers with where it lies.
fn map_large<'k>(guard: &Pinned, space: &Space<'k>) -> u64 {
    let all = segment(space.machine(), LARGE);
    let lies = all.paddr().as_u64();
    let mut cursor = space.cursor_mut(guard, &range(LARGE, LARGE)).unwrap();
    cursor.map_segment(all, RW).unwrap();
    lies
}

/// Maps frames at these addresses.
fn map_at(guard: &Pinned, space: &Space<'_>, addrs: &[u64]) {
    for &addr in addrs {
        let mut cursor = space.cursor_mut(guard, &range(addr, PAGE)).unwrap();
        cursor.map(frame(space.machine()), RW).unwrap();
    }
}

#[test]
fn a_cursor_inside_of_a_large_page_has_all_of_it() {
    LARGER.run::<X86_64>(|machine| {
        let space = space(machine);
        on(0, |guard| {
            map_large(guard, &space);
            let inside = (LARGE + 0x5000, PAGE);
            let (over_start, over_end) = ((LARGE - PAGE, 2 * PAGE), (2 * LARGE - PAGE, 2 * PAGE));
            for part in [inside, over_start, over_end] {
                let cursor = space.cursor(guard, &range(part.0, part.1)).unwrap();
                assert_free(&space, (0, LARGE - PAGE));
                assert_free(&space, (2 * LARGE + PAGE, LARGE));
                assert!(has_to_wait(&space, (LARGE + 0x9000, PAGE), || drop(cursor)));
            }
            let cursor = space.cursor_mut(guard, &range(inside.0, PAGE)).unwrap();
            assert_free(&space, (LARGE - PAGE, PAGE));
            assert_free(&space, (2 * LARGE, PAGE));
            drop(cursor);
            assert_free(&space, (LARGE, LARGE));
        });
    });
}

#[test]
fn who_has_divided_a_large_page_has_all_of_it_still() {
    LARGER.run::<X86_64>(|machine| {
        for wanted in [(LARGE, PAGE), (2 * LARGE - PAGE, PAGE)] {
            let space = space(machine);
            on(0, |guard| {
                map_large(guard, &space);
                let own = range(LARGE + 0x5000, PAGE);
                let mut cursor = space.cursor_mut(guard, &own).unwrap();
                assert_eq!(cursor.unmap(PAGE), Ok(1));
                assert!(has_to_wait(&space, wanted, || drop(cursor)));
                let _own = space.cursor(guard, &own).unwrap();
                assert_free(&space, wanted);
            });
        }
    });
}

/// Who waits uses the page, and answers meanwhile.
#[test]
fn a_part_of_a_large_page_is_unmapped_while_another_part_is_waited_for() {
    LARGER.run::<X86_64>(|machine| {
        let (hardware, space) = (machine.cpus().hardware(), space(machine));
        on(0, |guard| {
            let lies = map_large(guard, &space);
            let there = LARGE + 0x9000;
            let take_rest = |guard: &Pinned| {
                let mut cpu = cpu(machine, guard);
                cpu.activate(guard, &space).unwrap();
                let cursor = space.cursor(guard, &range(there, PAGE)).unwrap();
                let slot = cursor.query().unwrap();
                assert_eq!((slot.range.start(), slot.range.size()), (at(there), PAGE));
                let Some((MappedItem::Frame(rest), RW)) = slot.item else {
                    panic!("a frame")
                };
                assert_eq!(rest.paddr().as_u64(), lies + 0x9000);
                assert_eq!(hardware.read(there), Some(lies + 0x9000));
                assert_eq!(hardware.read(LARGE + 0x5000), None);
                cpu.deactivate(guard).unwrap();
            };
            let own = range(LARGE + 0x5000, PAGE);
            let mut cursor = space.cursor_mut(guard, &own).unwrap();
            let waited = waits(machine, take_rest, || {
                assert_eq!(cursor.unmap(PAGE), Ok(1));
                cursor.flusher().sync_tlb_flush().unwrap();
                assert!(!hardware.invalidated(1).is_empty());
                drop(cursor);
            });
            assert!(waited);
            assert_eq!(machine.frames().allocator().len(), 1024 - 511);
        });
    });
}

#[test]
fn there_is_room_for_sixteen_cursors() {
    on_machine(|machine| {
        let space = space(machine);
        on(0, |guard| {
            let over = |page: u64| range(2 * page * PAGE, PAGE);
            let mut cursors: Vec<_> = (0..ROOM)
                .map(|page| Some(space.cursor_mut(guard, &over(page)).unwrap()))
                .collect();
            for page in 0..ROOM {
                let cursor = &mut cursors[page as usize];
                assert!(has_to_wait(&space, (PAGE, PAGE), || drop(cursor.take())));
                *cursor = Some(space.cursor_mut(guard, &over(page)).unwrap());
            }
            let mut all = cursors.into_iter().flatten();
            all.all(|mut cursor| cursor.map(frame(machine), RW).is_ok());
        });
        on(1, |guard| space.clear(guard).unwrap());
    });
}

#[test]
fn an_empty_range_waits_only_for_who_has_addresses_on_both_sides() {
    on_machine(|machine| {
        let space = space(machine);
        on(0, |guard| {
            let cursor = space.cursor_mut(guard, &range(PAGE, 2 * PAGE)).unwrap();
            assert_free(&space, (PAGE, 0));
            assert_free(&space, (3 * PAGE, 0));
            assert!(has_to_wait(&space, (2 * PAGE, 0), || drop(cursor)));

            let mut empty = space.cursor_mut(guard, &range(2 * PAGE, 0)).unwrap();
            assert_free(&space, (2 * PAGE, 0));
            assert_free(&space, (PAGE, PAGE));
            assert_free(&space, (2 * PAGE, PAGE));
            let end = VmError::OutOfRange { addr: 2 * PAGE };
            assert_eq!(empty.query().err(), Some(end));
            assert_eq!((empty.find_next(0), empty.unmap(0)), (Ok(None), Ok(0)));
            assert!(empty.map(frame(machine), RW).is_err());
            assert!(has_to_wait(&space, (PAGE, 2 * PAGE), || drop(empty)));
        });
    });
}

#[test]
fn the_last_pages_of_the_user_half_have_cursors_of_their_own() {
    Config::default().run::<UserHalf<X86_64>>(|machine| {
        let (space, last) = (space(machine), (1 << 47) - PAGE);
        on(0, |guard| {
            let mut cursor = space.cursor_mut(guard, &range(last, PAGE)).unwrap();
            let mut next = space.cursor_mut(guard, &range(last - PAGE, PAGE)).unwrap();
            next.map(frame(machine), RW).unwrap();
            cursor.map(frame(machine), RW).unwrap();
            assert_eq!((next.virt_addr(), cursor.virt_addr()), (None, None));
            assert_free(&space, (last - 2 * PAGE, PAGE));
            drop(next);
            assert_free(&space, (last - PAGE, PAGE));
            assert!(has_to_wait(&space, (last, PAGE), || drop(cursor)));
        });
    });
}

/// A cursor over everything, as well as a copy of everything, and the end of everything.
#[test]
fn what_is_about_everything_waits_for_all_cursors() {
    Config::default().run::<UserHalf<X86_64>>(|machine| {
        let space = space(machine);
        let take = |guard: &Pinned| drop(space.cursor(guard, &range(0, 1 << 47)).unwrap());
        let fork = |guard: &Pinned| drop(space.fork(guard, root(machine)).unwrap());
        let clear = |guard: &Pinned| space.clear(guard).unwrap();
        let works: [&(dyn Fn(&Pinned) + Sync); 3] = [&take, &fork, &clear];
        for work in works {
            on(0, |guard| {
                let mut one = space.cursor_mut(guard, &range(PAGE, PAGE)).unwrap();
                let other = space.cursor(guard, &range(1 << 40, PAGE)).unwrap();
                let waited = waits(machine, work, || {
                    drop(other);
                    one.map(frame(machine), RW).unwrap();
                    one.jump(at(PAGE)).unwrap();
                    assert!(one.query().unwrap().item.unwrap().1.write);
                    drop(one);
                });
                assert!(waited);
                assert!(!waits(machine, work, || ()));
            });
        }
        on(0, |guard| {
            let all = space.cursor_mut(guard, &range(0, 1 << 47)).unwrap();
            assert!(has_to_wait(&space, (1 << 40, PAGE), || drop(all)));
        });
        assert_eq!(machine.frames().allocator().len(), 16);
    });
}

#[test]
fn a_cursor_sees_its_range_and_the_rest_of_pages_that_start_or_end_there() {
    LARGER.run::<X86_64>(|machine| {
        let space = space(machine);
        on(0, |guard| {
            map_large(guard, &space);
            let end = 2 * LARGE;
            map_at(guard, &space, &[0, 2 * PAGE, end, end + 2 * PAGE]);
            let over = |addr, bytes| space.cursor_mut(guard, &range(addr, bytes)).unwrap();
            let seen = |addr, bytes| slots(space.cursor(guard, &range(addr, bytes)).unwrap());
            let large = (LARGE, LARGE, true);

            assert_eq!(seen(PAGE, PAGE), [(PAGE, PAGE, false)]);
            assert_eq!(over(PAGE, PAGE).find_next(PAGE), Ok(None));
            assert_eq!(seen(LARGE + PAGE, PAGE), [large]);
            let inside = over(LARGE + PAGE, PAGE).find_next(PAGE);
            assert_eq!(inside, Ok(Some(at(LARGE + PAGE))));
            let up_to_it = [(LARGE - PAGE, PAGE, false), large];
            assert_eq!(seen(LARGE - PAGE, 2 * PAGE), up_to_it);
            let from_it = [large, (end, PAGE, true), (end + PAGE, PAGE, false)];
            assert_eq!(seen(end - PAGE, 3 * PAGE), from_it);
        });
    });
}

#[test]
fn what_one_sees_is_not_changed_by_who_changes_what_is_next_to_it() {
    on_machine(|machine| {
        let space = space(machine);
        on(0, |guard| {
            map_at(guard, &space, &[0, PAGE]);
            let looks = || space.cursor(guard, &range(PAGE, PAGE)).unwrap();
            let mut after = space.cursor_mut(guard, &range(2 * PAGE, 2 * PAGE)).unwrap();
            let page = [(PAGE, PAGE, true)];
            let cursor = looks();
            let mut before = space.cursor_mut(guard, &range(0, PAGE)).unwrap();
            after.map(frame(machine), RW).unwrap();
            assert!(before.protect_next(PAGE, |_| RO).unwrap().is_some());
            assert!(
                cursor
                    .query()
                    .unwrap()
                    .item
                    .is_some_and(|item| item.1 == RW)
            );
            before.jump(at(0)).unwrap();
            assert_eq!(before.unmap(PAGE), Ok(1));
            assert_eq!(slots(cursor), page);
            assert_eq!(slots(looks()), page);
            assert_eq!(after.find_next(PAGE), Ok(None));
        });
    });
}

#[test]
fn who_has_no_memory_leaves_others_what_they_have() {
    LARGER.run::<X86_64>(|machine| {
        let (hardware, space) = (machine.cpus().hardware(), space(machine));
        on(0, |guard| {
            map_large(guard, &space);
            map_at(guard, &space, &[0]);
            let mut far = space.cursor_mut(guard, &range(1 << 40, PAGE)).unwrap();
            let mut near = space.cursor_mut(guard, &range(0, 2 * PAGE)).unwrap();
            let mut part = space.cursor_mut(guard, &range(LARGE + PAGE, PAGE)).unwrap();
            hardware.limit_tables(Some(1));
            let is_memory = |e| matches!(e, VmError::Paging(Error::NoMemory { .. }));
            assert!(far.map(frame(machine), RW).is_err_and(is_memory));
            near.jump(at(PAGE)).unwrap();
            near.map(frame(machine), RW).unwrap();
            hardware.limit_tables(Some(0));
            assert!(part.unmap(PAGE).is_err_and(is_memory));
            near.jump(at(0)).unwrap();
            assert_eq!(near.unmap(2 * PAGE), Ok(2));
            hardware.limit_tables(None);
            far.map(frame(machine), RW).unwrap();
            assert_eq!(part.unmap(PAGE), Ok(1));
        });
    });
}

/// Processor 1 replaces a page and is interrupted after it has taken the old one off: it has to wait, as it owes a lot already.
/// Meanwhile processor 0 unmaps the only other page of the table, which is taken off.
#[test]
fn a_page_that_is_replaced_is_reached_by_the_tables_that_are_there_now() {
    let config = Config {
        frames: 64,
        ..Config::default()
    };
    config.run::<X86_64>(|machine| {
        let hardware = machine.cpus().hardware();
        let space = space(machine);
        on(0, |guard| {
            let mut cursor = space.cursor_mut(guard, &range(0, 2 * PAGE)).unwrap();
            cursor.map(frame(machine), RW).unwrap();
            cursor.map(frame(machine), RW).unwrap();
        });
        hardware.watch(PAGE);
        thread::scope(|scope| {
            let _ends = Finish(hardware);
            scope.spawn(|| {
                on(0, |guard| {
                    let mut cpu = cpu(machine, guard);
                    cpu.activate(guard, &space).unwrap();
                    let mut cursor = space.cursor_mut(guard, &range(0, PAGE)).unwrap();
                    wait_for(hardware, || hardware.notified(0) > 0);
                    assert_eq!(cursor.unmap(PAGE), Ok(1));
                    idle(machine, guard);
                    drop(cursor);
                    cpu.deactivate(guard).unwrap();
                });
            });
            wait_for(hardware, || hardware.cached(0, PAGE).is_some());
            on(1, |guard| {
                let mut cpu = cpu(machine, guard);
                cpu.activate(guard, &space).unwrap();
                let mut cursor = space.cursor_mut(guard, &range(PAGE, PAGE)).unwrap();
                for _ in 0..32 {
                    let kept = frame(machine).into_dyn();
                    let op = TlbFlushOp::Address(at(PAGE));
                    cursor.flusher().issue_tlb_flush_with(op, kept);
                }
                let new = frame(machine);
                let lies = new.paddr().as_u64();
                cursor.map(new, RW).unwrap();
                drop(cursor);
                let reached = hardware.write(PAGE);
                cpu.deactivate(guard).unwrap();
                assert_eq!(reached, Some(lies));
            });
        });
    });
}
