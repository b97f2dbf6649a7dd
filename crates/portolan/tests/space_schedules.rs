//! Address spaces under all schedules of a few processors.
//!
//! A processor can be interrupted by others before each of its calls to the machine: each store to a table, invalidation,
//! notification, change of the table in use (and after it), access to memory, and whenever a frame or a table is given back or something is
//! waited for. What the library does between two of these calls is one step here; its own atomic accesses are not taken
//! apart.
//!
//! TLBs load what they can as soon as they can, and keep it as long as they may. Frames and tables notice when they are given
//! back while a TLB reaches them; processors that wait for each other for ever are noticed as a deadlock.

mod machine;
#[path = "machine/shuttle.rs"]
mod schedule;

use machine::{
    Computer, Config, Hardware, Pinned, Space, Test, cpu, frame, on, on_machine, range, space,
};
use portolan::PageProperty;
use portolan::space::Cpu;
use shuttle::scheduler::{DfsScheduler, RandomScheduler, Scheduler};
use shuttle::{Runner, thread};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};

const RW: PageProperty = PageProperty::USER_RW;
const PAGE: u64 = 0x1000;
/// How many schedules are tried at most one after the other.
const ALL: usize = 4_000;
/// How many are tried by chance.
const SOME: usize = 500;

/// How many instead, where there are too many to try them one after the other.
const MANY: usize = 1_000;

/// Runs a test under the schedules that a scheduler chooses. Answers with how many they were.
fn under(scheduler: impl Scheduler + 'static, test: fn()) -> usize {
    let mut config = shuttle::Config::new();
    config.stack_size = 0x8_0000;
    Runner::new(scheduler, config).run(test)
}

/// How many schedules are to be tried, if the environment says so.
fn limit() -> Option<usize> {
    let limit = std::env::var("SCHEDULES").ok()?;
    Some(limit.parse().expect("a number"))
}

/// Runs a test under many schedules: all, if they are not more than [`ALL`], or than `SCHEDULES` in the environment; and some
/// by chance.
fn under_schedules(test: fn()) {
    let all = limit().unwrap_or(ALL);
    let tried = under(DfsScheduler::new(Some(all), false), test);
    println!(
        "{tried} schedules, {}",
        if tried < all {
            "all there are"
        } else {
            "and there are more"
        }
    );
    under(RandomScheduler::new(SOME), test);
}

/// Runs a test under [`MANY`] schedules by chance, or as many as `SCHEDULES` in the environment says. Those of long tests, one
/// after the other, would differ in their last steps only.
fn under_schedules_by_chance(test: fn()) {
    under(RandomScheduler::new(limit().unwrap_or(MANY)), test);
}

/// A processor of these tests.
type Processor<'a, 'k> = Cpu<'a, 'k, Test, &'a Space<'k>>;

/// Processors that go on taking interrupts until all have done their work.
struct Crew<'a> {
    hardware: &'a Hardware,
    working: AtomicUsize,
}

impl<'a> Crew<'a> {
    fn new(machine: &'a Computer<'_>, working: usize) -> Self {
        let hardware = machine.cpus().hardware();
        Crew {
            hardware,
            working: AtomicUsize::new(working),
        }
    }

    /// The work of this processor is done; it takes interrupts until that of all others is.
    fn stay(&self, machine: &Computer<'_>, guard: &Pinned) {
        self.working.fetch_sub(1, SeqCst);
        self.hardware.clock.wake();
        while self.working.load(SeqCst) > 0 {
            self.hardware.clock.relax();
            take_interrupt(machine, guard);
        }
        self.hardware.clock.wake();
    }
}

/// Takes an interrupt, if there is one.
fn take_interrupt(machine: &Computer<'_>, guard: &Pinned) {
    if machine.cpus().hardware().take_interrupt() {
        machine.shootdown().handle(guard, machine.cpus());
    }
}

/// An address space with `pages` pages from the start, which TLBs load when they can.
fn furnished<'k>(machine: &'k Computer<'k>, pages: u64) -> Space<'k> {
    let space = space(machine);
    on(0, |guard| {
        let mut cursor = space.cursor_mut(guard, &range(0, pages * PAGE)).unwrap();
        for page in 0..pages {
            cursor.map(frame(machine), RW).unwrap();
            machine.cpus().hardware().watch(page * PAGE);
        }
    });
    space
}

/// The first processors, each of which uses the next one of `spaces`.
fn users_of<'a, 'k>(machine: &'a Computer<'k>, spaces: &[&'a Space<'k>]) -> Vec<Processor<'a, 'k>> {
    let uses = |(number, space): (usize, &&'a Space<'k>)| {
        on(number, |guard| {
            let mut cpu = cpu(machine, guard);
            cpu.activate(guard, *space).unwrap();
            cpu
        })
    };
    spaces.iter().enumerate().map(uses).collect()
}

/// The processors use no space any more.
fn dismiss(cpus: Vec<Processor<'_, '_>>) {
    for (number, mut cpu) in cpus.into_iter().enumerate() {
        on(number, |guard| cpu.deactivate(guard).unwrap());
    }
}

/// Unmaps `pages` pages from `addr`. Answers with how many were mapped.
fn unmap(guard: &Pinned, space: &Space<'_>, addr: u64, pages: u64) -> u64 {
    let mut cursor = space.cursor_mut(guard, &range(addr, pages * PAGE)).unwrap();
    cursor.unmap(pages * PAGE).unwrap()
}

/// Two processors that use a space with three pages, and unmap one each: those at `addrs`. Answers with how many were unmapped.
fn unmap_both(addrs: [u64; 2]) -> u64 {
    let unmapped = Arc::new(AtomicU64::new(0));
    on_machine(|machine| {
        let space = furnished(machine, 3);
        let cpus = users_of(machine, &[&space, &space]);
        let crew = Crew::new(machine, 2);
        thread::scope(|scope| {
            for (number, addr) in addrs.into_iter().enumerate() {
                let (space, crew, unmapped) = (&space, &crew, &unmapped);
                scope.spawn(move || {
                    on(number, |guard| {
                        unmapped.fetch_add(unmap(guard, space, addr, 1), SeqCst);
                        assert_eq!(crew.hardware.cached(number, addr), None);
                        crew.stay(machine, guard);
                    });
                });
            }
        });
        dismiss(cpus);
    });
    unmapped.load(SeqCst)
}

#[test]
fn two_processors_unmap_the_same_page() {
    under_schedules(|| assert_eq!(unmap_both([0, 0]), 1));
}

#[test]
fn two_processors_unmap_different_pages() {
    under_schedules(|| assert_eq!(unmap_both([0, PAGE]), 2));
}

#[test]
fn two_spaces_shoot_at_each_others_processors() {
    under_schedules(|| {
        on_machine(|machine| {
            let spaces = [furnished(machine, 2), furnished(machine, 2)];
            let cpus = users_of(machine, &[&spaces[1], &spaces[0]]);
            let crew = Crew::new(machine, 2);
            thread::scope(|scope| {
                for number in 0..2 {
                    let (spaces, crew) = (&spaces, &crew);
                    scope.spawn(move || {
                        on(number, |guard| {
                            assert_eq!(unmap(guard, &spaces[number], 0, 1), 1);
                            crew.stay(machine, guard);
                            assert_eq!(crew.hardware.cached(number, 0), None);
                        });
                    });
                }
            });
            dismiss(cpus);
        });
    });
}

#[test]
fn a_processor_activates_a_space_while_another_unmaps() {
    under_schedules(|| {
        on_machine(|machine| {
            let space = furnished(machine, 2);
            let crew = Crew::new(machine, 2);
            thread::scope(|scope| {
                scope.spawn(|| {
                    on(0, |guard| {
                        assert_eq!(unmap(guard, &space, 0, 1), 1);
                        assert_eq!(crew.hardware.cached(1, 0), None);
                        crew.stay(machine, guard);
                    });
                });
                scope.spawn(|| {
                    on(1, |guard| {
                        let mut cpu = cpu(machine, guard);
                        cpu.activate(guard, &space).unwrap();
                        assert!(crew.hardware.read(PAGE).is_some());
                        crew.stay(machine, guard);
                        assert_eq!(crew.hardware.read(0), None);
                        cpu.deactivate(guard).unwrap();
                    });
                });
            });
        });
    });
}

#[test]
fn a_processor_leaves_during_a_shootdown() {
    under_schedules(|| {
        on_machine(|machine| {
            let (space, other) = (furnished(machine, 2), space(machine));
            let mut cpus = users_of(machine, &[&other, &space]);
            let crew = Crew::new(machine, 2);
            thread::scope(|scope| {
                scope.spawn(|| {
                    on(0, |guard| {
                        assert_eq!(unmap(guard, &space, 0, 1), 1);
                        assert_eq!(crew.hardware.cached(1, 0), None);
                        crew.stay(machine, guard);
                    });
                });
                scope.spawn(|| {
                    on(1, |guard| {
                        cpus[1].activate(guard, &other).unwrap();
                        crew.stay(machine, guard);
                    });
                });
            });
            dismiss(cpus);
        });
    });
}

/// Maps a new frame at `addr`, in the place of what is there, and uses it at once: a processor that takes no interrupt in
/// between must come to it.
fn map_and_write(guard: &Pinned, space: &Space<'_>, addr: u64) {
    let machine = space.machine();
    let new = frame(machine);
    let lies = new.paddr().as_u64();
    let mut cursor = space.cursor_mut(guard, &range(addr, PAGE)).unwrap();
    cursor.map(new, RW).unwrap();
    drop(cursor);
    assert_eq!(machine.cpus().hardware().write(addr), Some(lies));
}

/// What a processor does with an address space.
type Work = fn(&Pinned, &Space<'_>);

/// Processors that use a space with `pages` pages at the start, and do one work each. The hardware loads what is at the first
/// three pages when it can.
fn work_all<const N: usize>(pages: u64, works: [Work; N]) {
    let config = Config {
        cpus: N,
        ..Config::default()
    };
    config.run(|machine| {
        let space = furnished(machine, pages);
        for page in pages..3 {
            machine.cpus().hardware().watch(page * PAGE);
        }
        let cpus = users_of(machine, &[&space; N]);
        let crew = Crew::new(machine, N);
        thread::scope(|scope| {
            for (number, work) in works.into_iter().enumerate() {
                let (space, crew) = (&space, &crew);
                scope.spawn(move || {
                    on(number, |guard| {
                        work(guard, space);
                        crew.stay(machine, guard);
                    });
                });
            }
        });
        dismiss(cpus);
    });
}

/// The frame that one gives back is the next one that the other maps.
#[test]
fn a_processor_maps_what_another_unmaps() {
    under_schedules(|| {
        work_all(
            1,
            [
                |guard, space| assert_eq!(unmap(guard, space, 0, 1), 1),
                |guard, space| map_and_write(guard, space, PAGE),
            ],
        );
    });
}

/// Their last table is taken off when both pages are unmapped for a moment.
#[test]
fn a_processor_replaces_a_page_next_to_one_that_another_unmaps() {
    under_schedules(|| {
        work_all(
            2,
            [
                |guard, space| assert_eq!(unmap(guard, space, 0, 1), 1),
                |guard, space| map_and_write(guard, space, PAGE),
            ],
        );
    });
}

/// Neighbours change their pages at the same time, and use them in between.
#[test]
fn two_processors_change_neighbouring_pages() {
    under_schedules_by_chance(|| {
        work_all(
            2,
            [
                |guard, space| {
                    let hardware = space.machine().cpus().hardware();
                    let mut cursor = space.cursor_mut(guard, &range(0, PAGE)).unwrap();
                    assert!(hardware.write(0).is_some());
                    let changed = cursor.protect_next(PAGE, |_| PageProperty::USER_RO);
                    assert!(changed.unwrap().is_some());
                    cursor.flusher().sync_tlb_flush().unwrap();
                    assert_eq!(hardware.write(0), None);
                    assert!(hardware.read(0).is_some());
                },
                |guard, space| {
                    let hardware = space.machine().cpus().hardware();
                    assert!(hardware.write(PAGE).is_some());
                    assert_eq!(unmap(guard, space, PAGE, 1), 1);
                    assert_eq!(hardware.write(PAGE), None);
                    map_and_write(guard, space, PAGE);
                },
            ],
        );
    });
}

/// Each may find a last table that the other has taken off.
#[test]
fn two_processors_unmap_and_map_neighbouring_pages() {
    /// Unmaps what is at `addr`, and maps something else there.
    fn renew(guard: &Pinned, space: &Space<'_>, addr: u64) {
        assert_eq!(unmap(guard, space, addr, 1), 1);
        map_and_write(guard, space, addr);
    }
    under_schedules_by_chance(|| {
        work_all(
            2,
            [
                |guard, space| renew(guard, space, 0),
                |guard, space| renew(guard, space, PAGE),
            ],
        );
    });
}

/// A third one has the page after them.
#[test]
fn two_processors_map_what_a_third_one_unmaps() {
    under_schedules_by_chance(|| {
        work_all(
            1,
            [
                |guard, space| assert_eq!(unmap(guard, space, 0, 1), 1),
                |guard, space| map_and_write(guard, space, PAGE),
                |guard, space| map_and_write(guard, space, 2 * PAGE),
            ],
        );
    });
}

/// Each of them is there or not, to who looks at both at the same time; and there it is what the hardware reads.
#[test]
fn a_processor_reads_what_others_map_and_unmap() {
    under_schedules_by_chance(|| {
        work_all(
            1,
            [
                |guard, space| assert_eq!(unmap(guard, space, 0, 1), 1),
                |guard, space| map_and_write(guard, space, PAGE),
                |guard, space| {
                    let hardware = space.machine().cpus().hardware();
                    let cursor = space.cursor(guard, &range(PAGE, PAGE)).unwrap();
                    let there = cursor.query().unwrap().item.is_some();
                    let reads = hardware.read(PAGE);
                    assert_eq!(reads.is_some(), there);
                    assert_eq!(cursor.query().unwrap().item.is_some(), there);
                },
            ],
        );
    });
}

/// As a processor that goes on to use its page, while tables are taken off and come back around it.
#[test]
fn a_processor_keeps_what_it_has_while_others_unmap_and_map() {
    under_schedules_by_chance(|| {
        work_all(
            2,
            [
                |guard, space| assert_eq!(unmap(guard, space, 0, 1), 1),
                |guard, space| map_and_write(guard, space, 2 * PAGE),
                |guard, space| {
                    let hardware = space.machine().cpus().hardware();
                    let cursor = space.cursor(guard, &range(PAGE, PAGE)).unwrap();
                    for _ in 0..2 {
                        assert!(hardware.write(PAGE).is_some());
                        assert!(cursor.query().unwrap().item.is_some());
                    }
                },
            ],
        );
    });
}
