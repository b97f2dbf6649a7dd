//! Functions of a kernel that unwind in the middle of an operation.

mod machine;
#[path = "machine/threads.rs"]
mod schedule;

use machine::{Config, at, frame, on, on_machine, range, space};
use portolan::PageProperty;
use portolan::X86_64;
use portolan::space::VmError;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

const RW: PageProperty = PageProperty::USER_RW;
const PAGE: u64 = 0x1000;

#[test]
fn a_function_of_properties_that_unwinds_changes_nothing() {
    on_machine(|machine| {
        let space = space(machine);
        on(0, |guard| {
            let mut cursor = space.cursor_mut(guard, &range(0, 2 * PAGE)).unwrap();
            cursor.jump(at(PAGE)).unwrap();
            cursor.map(frame(machine), RW).unwrap();
            cursor.jump(at(0)).unwrap();
            let unwound = catch_unwind(AssertUnwindSafe(|| {
                let _ = cursor.protect_next(2 * PAGE, |_| panic!("as it was told"));
            }));
            assert!(unwound.is_err());
            assert_eq!(cursor.virt_addr(), Some(at(0)));
            cursor.jump(at(PAGE)).unwrap();
            assert!(cursor.query().unwrap().item.unwrap().1.write);
            assert_eq!(cursor.unmap(PAGE), Ok(1));
        });
    });
}

/// What the operation worked on is lost, and given back to nobody.
#[test]
fn memory_that_unwinds_poisons_the_cursor() {
    let (hardware, left) = Config::default().run_leaky::<X86_64>(|machine| {
        let space = space(machine);
        on(0, |guard| {
            let mut cursor = space.cursor_mut(guard, &range(0, PAGE << 20)).unwrap();
            cursor.map(frame(machine), RW).unwrap();
            cursor.jump(at(PAGE << 19)).unwrap();
            machine.cpus().hardware().unwind();
            let unwound = catch_unwind(AssertUnwindSafe(|| {
                let _ = cursor.map(frame(machine), RW);
            }));
            assert!(unwound.is_err());
            assert_eq!(cursor.query().err(), Some(VmError::Poisoned));
            assert_eq!(cursor.find_next(PAGE), Err(VmError::Poisoned));
            assert_eq!(cursor.unmap(PAGE), Err(VmError::Poisoned));
            assert_eq!(cursor.map(frame(machine), RW), Err(VmError::Poisoned));
            assert!(cursor.protect_next(PAGE, |prop| prop).is_err());
        });
    });
    assert!(
        left > 0 || hardware.tables() > 0,
        "a page that is mapped still"
    );
}

/// The lock is never given back then: nobody can look at the address space any more, not even at another part of it.
#[test]
fn memory_that_unwinds_makes_others_wait_for_ever() {
    let (_, left) = Config::default().run_leaky::<X86_64>(|machine| {
        let (hardware, space) = (machine.cpus().hardware(), space(machine));
        on(0, |guard| {
            let mut other = space.cursor_mut(guard, &range(0, 2 * PAGE)).unwrap();
            other.map(frame(machine), RW).unwrap();
            let mut cursor = space.cursor_mut(guard, &range(PAGE << 19, PAGE)).unwrap();
            hardware.unwind();
            assert!(unwinds(|| cursor.map(frame(machine), RW)));
            assert_eq!(cursor.query().err(), Some(VmError::Poisoned));
            // that one waits for nobody
            drop(cursor);

            assert_eq!(other.virt_addr(), Some(at(PAGE)));
            other.jump(at(0)).unwrap();
            hardware.lose_patience();
            assert!(unwinds(|| other.query()));
            assert!(unwinds(|| other.find_next(PAGE)));
            assert!(unwinds(|| space
                .cursor(guard, &range(1 << 40, PAGE))
                .map(drop)));
            assert!(unwinds(|| space.clear(guard)));
            // to drop it is to wait
            mem::forget(other);
        });
    });
    assert!(left > 0, "a page that is mapped still");
}

/// Whether an operation unwinds.
fn unwinds<T>(work: impl FnOnce() -> T) -> bool {
    catch_unwind(AssertUnwindSafe(|| drop(work()))).is_err()
}
