//! Cursors that are had at once or not at all, and address spaces that are kept alive by who uses them.

#![cfg(feature = "alloc")]

mod machine;
#[path = "machine/threads.rs"]
mod schedule;

use machine::{Space, at, frame, on, on_machine, range, space};
use portolan::space::{Cpu, VmError};
use portolan::{Error, PageProperty};
use std::sync::Arc;

const PAGE: u64 = 0x1000;
/// How many cursors there can be at a time.
const ROOM: u64 = 16;

#[test]
fn a_cursor_that_would_wait_is_not_had() {
    on_machine(|machine| {
        let space = space(machine);
        on(0, |guard| {
            let mut first = space.cursor_mut(guard, &range(0, 2 * PAGE)).unwrap();
            let over = range(PAGE, 2 * PAGE);
            assert!(space.try_cursor(guard, &over).unwrap().is_none());
            assert!(space.try_cursor_mut(guard, &over).unwrap().is_none());
            let beside = space.try_cursor_mut(guard, &range(2 * PAGE, PAGE));
            let mut second = beside.unwrap().expect("nobody is there");
            second.map(frame(machine), PageProperty::USER_RW).unwrap();
            first.jump(at(PAGE)).unwrap();
            first.map(frame(machine), PageProperty::USER_RW).unwrap();
            drop((first, second));
            let pages = space
                .try_cursor(guard, &over)
                .unwrap()
                .expect("all have gone");
            assert_eq!(
                pages
                    .filter(|slot| slot.as_ref().unwrap().item.is_some())
                    .count(),
                2
            );
        });
    });
}

#[test]
fn a_cursor_past_all_that_there_is_room_for_is_not_had() {
    on_machine(|machine| {
        let space = space(machine);
        on(0, |guard| {
            let take = |n| space.try_cursor(guard, &range(n * PAGE, PAGE)).unwrap();
            let mut all: Vec<_> = (0..ROOM).map(|n| take(n).expect("room")).collect();
            assert!(take(ROOM).is_none());
            all.swap_remove(3);
            let again = take(ROOM).expect("room for one");
            assert!(take(3).is_none());
            drop(again);
            assert!(take(3).is_some());
        });
    });
}

#[test]
fn a_range_that_no_cursor_can_have_is_an_error() {
    on_machine(|machine| {
        let space = space(machine);
        on(0, |guard| {
            let wrong = |addr| VmError::Paging(Error::NotAligned { addr, size: PAGE });
            let ragged = range(0x10, PAGE);
            assert_eq!(space.try_cursor(guard, &ragged).err(), Some(wrong(0x10)));
            assert_eq!(
                space.try_cursor_mut(guard, &ragged).err(),
                Some(wrong(0x10))
            );
        });
    });
}

#[test]
fn a_counted_space_lives_as_long_as_a_processor_uses_it() {
    on_machine(|machine| {
        let hardware = machine.cpus().hardware();
        on(0, |guard| {
            // SAFETY: it is the only one for the processor, which starts without a table
            let mut cpu: Cpu<'_, '_, _, Arc<Space<'_>>> =
                unsafe { Cpu::new(machine, guard) }.unwrap();
            let first = Arc::new(space(machine));
            let mut cursor = first.cursor_mut(guard, &range(0, PAGE)).unwrap();
            cursor.map(frame(machine), PageProperty::USER_RW).unwrap();
            drop(cursor);
            cpu.activate(guard, first.clone()).unwrap();
            drop(first);
            let tables = hardware.tables();
            assert!(tables > 1, "the processor's tables are there");
            cpu.activate(guard, Arc::new(space(machine))).unwrap();
            assert_eq!(hardware.tables(), 1, "of the other there is the root");
            cpu.deactivate(guard).unwrap();
            assert_eq!(hardware.tables(), 0);
        });
    });
}
