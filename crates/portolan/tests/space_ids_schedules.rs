//! Processors that leave an address space and come back to it under all schedules, while another one takes something away
//! there.
//!
//! What is meant by all is said in `space_schedules.rs`.

mod machine;
#[path = "machine/shuttle.rs"]
mod schedule;

use machine::{cpu, frame, on, on_machine, range, space};
use portolan::PageProperty;
use shuttle::scheduler::{DfsScheduler, RandomScheduler, Scheduler};
use shuttle::{Runner, thread};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

const RW: PageProperty = PageProperty::USER_RW;
const PAGE: u64 = 0x1000;
/// How many schedules are tried at most one after the other, and how many by chance.
const ALL: usize = 1_500;

fn under(scheduler: impl Scheduler + 'static, test: fn()) {
    let mut config = shuttle::Config::new();
    config.stack_size = 0x8_0000;
    Runner::new(scheduler, config).run(test);
}

/// Processor 1 leaves the address space, by way of another one, and comes back, as often as `times`, while processor 0 unmaps its
/// page. When that has been told all, processor 1 doesn't reach the page: the machine notices if it does before.
fn comes_and_goes(identifiers: usize, times: usize) {
    on_machine(|machine| {
        let hardware = machine.cpus().hardware();
        hardware.identify(identifiers);
        hardware.watch(0);
        let (one, other) = (space(machine), space(machine));
        on(0, |guard| {
            let mut cursor = one.cursor_mut(guard, &range(0, PAGE)).unwrap();
            cursor.map(frame(machine), RW).unwrap();
        });
        let done = Arc::new(AtomicBool::new(false));
        let works = || {
            on(1, |guard| {
                let take_interrupt = || {
                    if hardware.take_interrupt() {
                        machine.shootdown().handle(guard, machine.cpus());
                    }
                };
                let mut cpu = cpu(machine, guard);
                cpu.activate(guard, &one).unwrap();
                for _ in 0..times {
                    cpu.activate(guard, &other).unwrap();
                    assert_eq!(hardware.read(0), None);
                    take_interrupt();
                    cpu.activate(guard, &one).unwrap();
                    let over = done.load(SeqCst);
                    assert!(hardware.read(0).is_none() || !over);
                    take_interrupt();
                }
                cpu.deactivate(guard).unwrap();
                while !done.load(SeqCst) {
                    hardware.clock.relax();
                    take_interrupt();
                }
            });
        };
        let unmaps = || {
            on(0, |guard| {
                let mut cursor = one.cursor_mut(guard, &range(0, PAGE)).unwrap();
                assert_eq!(cursor.unmap(PAGE), Ok(1));
                cursor.flusher().sync_tlb_flush().unwrap();
                done.store(true, SeqCst);
                hardware.clock.wake();
            });
        };
        thread::scope(|scope| {
            scope.spawn(works);
            scope.spawn(unmaps);
        });
    });
}

#[test]
fn a_processor_that_comes_back_meets_nothing_stale() {
    let tests: [fn(); 3] = [
        || comes_and_goes(0, 1),
        || comes_and_goes(1, 1),
        || comes_and_goes(2, 1),
    ];
    for test in tests {
        under(DfsScheduler::new(Some(ALL), false), test);
        under(RandomScheduler::new(ALL), test);
    }
}

#[test]
fn a_processor_that_comes_back_often_meets_nothing_stale() {
    under(RandomScheduler::new(ALL / 2), || comes_and_goes(2, 3));
    under(RandomScheduler::new(ALL / 2), || comes_and_goes(1, 3));
}
