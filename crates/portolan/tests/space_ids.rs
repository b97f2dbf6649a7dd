//! Identifiers of address spaces: what a TLB holds of a space that is not in use stays there, and is used again only if it is
//! right.

mod machine;
#[path = "machine/threads.rs"]
mod schedule;

use machine::{Computer, Config, Hardware, Space, cpu, frame, on, range, space};
use portolan::PageProperty;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};

const PAGE: u64 = 0x40_0000;
const RW: PageProperty = PageProperty::USER_RW;

/// The processor that goes from one address space to the next.
const HERE: usize = 1;

/// Runs a test on a machine whose processors have so many identifiers, and load what is at [`PAGE`] when they can.
fn with_ids(ids: usize, test: impl for<'k> FnOnce(&'k Computer<'k>, &Hardware)) {
    Config::default().run(|machine| {
        let hardware = machine.cpus().hardware();
        hardware.identify(ids);
        hardware.watch(PAGE);
        test(machine, hardware);
    });
}

/// An address space with a page at [`PAGE`].
fn with_page<'k>(machine: &'k Computer<'k>) -> Space<'k> {
    let space = space(machine);
    map(&space, machine);
    space
}

fn map<'k>(space: &Space<'k>, machine: &'k Computer<'k>) {
    on(0, |guard| {
        let mut cursor = space.cursor_mut(guard, &range(PAGE, 0x1000)).unwrap();
        cursor.map(frame(machine), RW).unwrap();
    });
}

fn unmap(space: &Space<'_>) {
    on(0, |guard| {
        let mut cursor = space.cursor_mut(guard, &range(PAGE, 0x1000)).unwrap();
        assert_eq!(cursor.unmap(0x1000), Ok(1));
    });
}

/// How often all that was held under an identifier was invalidated while `work` was done.
fn flushes(hardware: &Hardware, work: impl FnOnce()) -> usize {
    let before = hardware.flushed(HERE);
    work();
    hardware.flushed(HERE) - before
}

#[test]
fn translations_survive_a_switch_and_back() {
    with_ids(2, |machine, hardware| {
        let (one, other) = (with_page(machine), with_page(machine));
        on(HERE, |guard| {
            let mut cpu = cpu(machine, guard);
            cpu.activate(guard, &one).unwrap();
            let (id, held) = (hardware.identifier(HERE), hardware.cached(HERE, PAGE));
            assert!(held.is_some());
            cpu.activate(guard, &other).unwrap();
            assert_ne!(
                (hardware.identifier(HERE), hardware.cached(HERE, PAGE)),
                (id, held)
            );
            assert_eq!(hardware.cached_as(HERE, id, PAGE), held);
            let flushes = flushes(hardware, || {
                for space in [&one, &other, &one] {
                    cpu.activate(guard, space).unwrap();
                }
            });
            assert_eq!((flushes, hardware.identifier(HERE)), (0, id));
            assert_eq!(hardware.cached(HERE, PAGE), held);
            cpu.deactivate(guard).unwrap();
        });
    });
}

/// By way of a table of the kernel's own, too.
#[test]
fn translations_survive_a_table_of_the_kernel() {
    with_ids(1, |machine, hardware| {
        let space = with_page(machine);
        on(HERE, |guard| {
            let mut cpu = cpu(machine, guard);
            cpu.activate(guard, &space).unwrap();
            cpu.deactivate(guard).unwrap();
            assert_eq!(hardware.cached(HERE, PAGE), None);
            let flushes = flushes(hardware, || cpu.activate(guard, &space).unwrap());
            assert_eq!(flushes, 0);
            assert!(hardware.cached(HERE, PAGE).is_some());
            cpu.deactivate(guard).unwrap();
        });
    });
}

/// Nobody asks the processor that is away, nor waits for it: it invalidates by itself, once.
#[test]
fn a_change_while_away_is_flushed() {
    with_ids(2, |machine, hardware| {
        let (one, other) = (with_page(machine), with_page(machine));
        on(HERE, |guard| {
            let mut cpu = cpu(machine, guard);
            for space in [&one, &other] {
                cpu.activate(guard, space).unwrap();
            }
            unmap(&one);
            assert!(hardware.cached_as(HERE, 1, PAGE).is_some());
            assert_eq!(hardware.notified(HERE), 0);
            assert_eq!(flushes(hardware, || cpu.activate(guard, &one).unwrap()), 1);
            assert_eq!(
                (hardware.identifier(HERE), hardware.cached(HERE, PAGE)),
                (1, None)
            );
            map(&one, machine);
            assert_eq!(
                hardware.read(PAGE),
                hardware.cached(HERE, PAGE).map(|page| page.frame)
            );
            let flushes = flushes(hardware, || {
                for space in [&other, &one] {
                    cpu.activate(guard, space).unwrap();
                }
            });
            assert_eq!(flushes, 0);
            cpu.deactivate(guard).unwrap();
        });
    });
}

/// A change that the processor is told of while it uses the space costs it nothing later.
#[test]
fn a_change_before_it_leaves_is_not_flushed_again() {
    with_ids(2, |machine, hardware| {
        let (one, other) = (with_page(machine), with_page(machine));
        on(HERE, |guard| {
            let mut cpu = cpu(machine, guard);
            cpu.activate(guard, &one).unwrap();
            let mut cursor = one.cursor_mut(guard, &range(PAGE, 0x1000)).unwrap();
            cursor.unmap(0x1000).unwrap();
            drop(cursor);
            cpu.activate(guard, &other).unwrap();
            assert_eq!(flushes(hardware, || cpu.activate(guard, &one).unwrap()), 0);
            cpu.deactivate(guard).unwrap();
        });
    });
}

/// Asked for while it used the space, and answered when it uses another one: then nothing may be left of it under the identifier
/// that it goes back to.
#[test]
fn a_request_that_is_answered_elsewhere_is_done_there() {
    with_ids(2, |machine, hardware| {
        let (one, other) = (with_page(machine), with_page(machine));
        on(HERE, |guard| {
            let mut here = cpu(machine, guard);
            here.activate(guard, &other).unwrap();
            here.activate(guard, &one).unwrap();
            let held = hardware.cached(HERE, PAGE).unwrap();
            std::thread::scope(|scope| {
                let asks = scope.spawn(|| unmap(&one));
                machine::wait_for(hardware, || hardware.notified(HERE) > 0);
                here.activate(guard, &other).unwrap();
                assert_eq!(hardware.cached_as(HERE, 2, PAGE), Some(held));
                machine.shootdown().handle(guard, machine.cpus());
                asks.join().unwrap();
            });
            assert_eq!(hardware.cached_as(HERE, 2, PAGE), None);
            assert_eq!(flushes(hardware, || here.activate(guard, &one).unwrap()), 0);
            assert_eq!(hardware.read(PAGE), None);
            here.deactivate(guard).unwrap();
        });
    });
}

/// Asked for when it has been settled already that the processor keeps what it held, and before it does.
#[test]
fn an_interrupt_in_the_middle_of_a_switch_leaves_nothing_stale() {
    with_ids(2, |machine, hardware| {
        let (one, other) = (with_page(machine), with_page(machine));
        on(HERE, |guard| {
            let mut here = cpu(machine, guard);
            here.activate(guard, &one).unwrap();
            here.activate(guard, &other).unwrap();
            assert!(hardware.cached_as(HERE, 1, PAGE).is_some());
            hardware.hold_switches(true);
            let interrupt = || {
                machine::wait_for(hardware, || hardware.is_held());
                std::thread::scope(|scope| {
                    let asks = scope.spawn(|| unmap(&one));
                    machine::wait_for(hardware, || hardware.notified(HERE) > 0);
                    on(HERE, |guard| {
                        machine.shootdown().handle(guard, machine.cpus())
                    });
                    asks.join().unwrap();
                });
                hardware.hold_switches(false);
            };
            std::thread::scope(|scope| {
                scope.spawn(interrupt);
                assert_eq!(flushes(hardware, || here.activate(guard, &one).unwrap()), 0);
            });
            assert_eq!((hardware.identifier(HERE), hardware.read(PAGE)), (1, None));
            here.deactivate(guard).unwrap();
        });
    });
}

/// More address spaces than identifiers.
#[test]
fn reuse_is_flushed() {
    with_ids(2, |machine, hardware| {
        let spaces = [with_page(machine), space(machine), with_page(machine)];
        on(HERE, |guard| {
            let mut cpu = cpu(machine, guard);
            for _ in 0..3 {
                for (number, space) in spaces.iter().enumerate() {
                    assert_eq!(flushes(hardware, || cpu.activate(guard, space).unwrap()), 1);
                    assert_eq!(hardware.read(PAGE).is_some(), number != 1);
                }
            }
            cpu.deactivate(guard).unwrap();
        });
    });
}

#[test]
fn one_identifier_is_flushed_for_each_other_space() {
    with_ids(1, |machine, hardware| {
        let (one, other) = (with_page(machine), space(machine));
        on(HERE, |guard| {
            let mut cpu = cpu(machine, guard);
            for _ in 0..2 {
                assert_eq!(flushes(hardware, || cpu.activate(guard, &one).unwrap()), 1);
                assert!(hardware.read(PAGE).is_some());
                assert_eq!(
                    flushes(hardware, || cpu.activate(guard, &other).unwrap()),
                    1
                );
                assert_eq!((hardware.identifier(HERE), hardware.read(PAGE)), (1, None));
            }
            cpu.deactivate(guard).unwrap();
        });
    });
}

#[test]
fn a_machine_without_identifiers_flushes_at_each_switch() {
    with_ids(0, |machine, hardware| {
        let (one, other) = (with_page(machine), space(machine));
        on(HERE, |guard| {
            let mut cpu = cpu(machine, guard);
            for _ in 0..2 {
                assert_eq!(flushes(hardware, || cpu.activate(guard, &one).unwrap()), 1);
                assert_eq!(
                    flushes(hardware, || cpu.activate(guard, &other).unwrap()),
                    1
                );
                assert_eq!((hardware.identifier(HERE), hardware.read(PAGE)), (0, None));
            }
            cpu.deactivate(guard).unwrap();
        });
    });
}

/// The identifiers are from 1 to what the processor has, and no more than 6 of them.
#[test]
fn identifiers_are_those_that_the_processor_has() {
    for (has, used) in [(1, 1), (3, 3), (6, 6), (4095, 6)] {
        with_ids(has, |machine, hardware| {
            let spaces: Vec<_> = (0..8).map(|_| space(machine)).collect();
            on(HERE, |guard| {
                let mut cpu = cpu(machine, guard);
                for (number, space) in spaces.iter().enumerate() {
                    cpu.activate(guard, space).unwrap();
                    assert_eq!(hardware.identifier(HERE), number % used + 1);
                }
                cpu.deactivate(guard).unwrap();
                assert_eq!(hardware.identifier(HERE), 0);
            });
        });
    }
}

/// A space that is dropped while the value of a processor lives that has used it: a kernel counts references to it.
struct Counted<'k>(*mut Space<'k>);

impl<'k> Counted<'k> {
    fn new(space: Space<'k>) -> Self {
        Counted(Box::into_raw(Box::new(space)))
    }

    fn get<'s>(&self) -> &'s Space<'k> {
        // SAFETY: no test uses the reference once the value is dropped
        unsafe { &*self.0 }
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        // SAFETY: it was made by `into_raw`, and no processor uses the space any more
        drop(unsafe { Box::from_raw(self.0) });
    }
}

/// An address space may be dropped that processors have not forgotten; nobody waits for them.
#[test]
fn a_space_that_was_used_can_be_dropped() {
    with_ids(2, |machine, hardware| {
        on(HERE, |guard| {
            let mut cpu = cpu(machine, guard);
            let space = Counted::new(with_page(machine));
            cpu.activate(guard, space.get()).unwrap();
            cpu.deactivate(guard).unwrap();
            drop(space);
            assert!(hardware.cached_as(HERE, 1, PAGE).is_some());
            assert_eq!((hardware.tables(), hardware.notified(HERE)), (0, 0));
        });
    });
}

/// The table of another address space lies where one lay that was dropped: what is held of that one is not used.
#[test]
fn a_root_that_lies_where_another_lay_is_flushed() {
    with_ids(2, |machine, hardware| {
        on(HERE, |guard| {
            let mut cpu = cpu(machine, guard);
            let first = Counted::new(with_page(machine));
            let lay = first.get().root();
            cpu.activate(guard, first.get()).unwrap();
            cpu.deactivate(guard).unwrap();
            drop(first);
            hardware.next_table_at(lay.as_u64());
            let next = Counted::new(space(machine));
            assert_eq!(next.get().root(), lay);
            let back = || cpu.activate(guard, next.get()).unwrap();
            assert_eq!(flushes(hardware, back), 1);
            assert_eq!(hardware.read(PAGE), None);
            cpu.deactivate(guard).unwrap();
        });
    });
}

/// If nothing is invalidated where an identifier is taken into use again, it is noticed: what is given back is reached.
#[test]
fn a_flush_that_is_left_out_is_caught() {
    let missed = |ids: usize, spoil: fn(&Space<'_>)| {
        let run = AssertUnwindSafe(|| {
            Config::default().run_leaky::<portolan::X86_64>(|machine| {
                let hardware = machine.cpus().hardware();
                hardware.identify(ids);
                hardware.watch(PAGE);
                hardware.keep_all();
                // in use still when the test unwinds
                let (one, other) = (with_page(machine), space(machine));
                let (one, other) = (ManuallyDrop::new(one), ManuallyDrop::new(other));
                on(HERE, |guard| {
                    let mut cpu = cpu(machine, guard);
                    cpu.activate(guard, &*one).unwrap();
                    cpu.activate(guard, &*other).unwrap();
                    assert_eq!(hardware.read(PAGE), None, "another space's");
                    spoil(&one);
                    cpu.activate(guard, &*one).unwrap();
                });
            });
        });
        catch_unwind(run).is_err()
    };
    assert!(missed(1, |_| {}), "an identifier that was another space's");
    assert!(missed(2, unmap), "a change while away");
    assert!(!missed(2, |_| {}));
}
