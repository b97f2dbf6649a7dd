//! Shootdowns among threads that stand for processors.

extern crate std;

use super::active::ActiveSet;
use super::{CpuSet, CpuSlot, Shootdown, ShootdownError, TlbFlushOp};
use crate::arch::aarch64::Granule64K42;
use crate::hw::processor::Moment;
use crate::hw::{AtomicMode, Processors};
use crate::{AArch64Upper, FlushRange, PageSize, PhysAddr, VirtAddr, X86_64};
use std::cell::Cell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::vec::Vec;
use vstd::prelude::*;

const ROOT: PhysAddr = PhysAddr::new(0x1000);

std::thread_local! {
    static CPU: Cell<usize> = const { Cell::new(0) };
}

/// Stands for atomic mode: a thread that stands for a processor stays one.
struct Pinned(usize);

// SAFETY: each thread has its own number, which it keeps
unsafe impl AtomicMode for Pinned {
    fn cpu(&self) -> usize {
        self.0
    }
}

vstd::prelude::verus! {

/// A moment that has passed.
fn now() -> Tracked<Moment> {
    let tracked now = Moment::now();
    Tracked(now)
}

} // verus!

/// Becomes the processor `cpu`.
fn boot(cpu: usize) -> Pinned {
    CPU.set(cpu);
    Pinned(cpu)
}

/// Processors with a TLB of one entry each, an interrupt line each, and a log of what they have invalidated.
struct Machine {
    log: Mutex<Vec<(usize, u64)>>,
    tlb: Vec<AtomicU64>,
    interrupts: Vec<AtomicUsize>,
}

impl Machine {
    fn new(cpus: usize) -> Self {
        Machine {
            log: Mutex::default(),
            tlb: (0..cpus).map(|_| AtomicU64::new(0)).collect(),
            interrupts: (0..cpus).map(|_| AtomicUsize::new(0)).collect(),
        }
    }

    /// Takes interrupts on processor `cpu` until `done`.
    fn idle(&self, shootdown: &Shootdown<'_, X86_64>, cpu: usize, done: &AtomicBool) {
        let guard = boot(cpu);
        let mut taken = 0;
        while !done.load(SeqCst) {
            let raised = self.interrupts[cpu].load(SeqCst);
            if raised != taken {
                taken = raised;
                shootdown.handle(&guard, self);
            }
            thread::yield_now();
        }
    }

    fn has_invalidated(&self, cpu: usize, addr: u64) -> bool {
        self.log.lock().unwrap().contains(&(cpu, addr))
    }
}

// SAFETY: a processor's TLB is its entry, which is cleared
unsafe impl Processors<X86_64> for Machine {
    fn invalidate(&self, range: FlushRange<X86_64>) {
        let cpu = CPU.get();
        self.tlb[cpu].store(0, SeqCst);
        self.log.lock().unwrap().push((cpu, range.addr().as_u64()));
    }

    unsafe fn switch(&self, _: PhysAddr) {}

    fn leave(&self) {
        self.tlb[CPU.get()].store(0, SeqCst);
    }

    fn notify(&self, cpu: usize) {
        self.interrupts[cpu].fetch_add(1, SeqCst);
    }

    fn relax(&self) {
        thread::yield_now();
    }
}

fn slots(cpus: usize) -> Vec<CpuSlot<X86_64>> {
    (0..cpus).map(|_| CpuSlot::new()).collect()
}

fn page(addr: u64) -> FlushRange<X86_64> {
    FlushRange::new(
        VirtAddr::new(addr).unwrap(),
        0x1000,
        PageSize::Size4K,
        false,
    )
}

/// A set with these processors in it.
fn active(cpus: &[usize]) -> ActiveSet {
    let set = ActiveSet::new(ROOT);
    for &cpu in cpus {
        assert!(set.add(cpu).is_some());
        assert!(set.add(cpu).is_none());
    }
    set
}

/// Ends what others wait for, also when the thread panics.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

/// Those in the set have invalidated when `sync` returns, whichever words their bits are in; nobody else hears of it.
#[test]
fn sync_waits_for_each_active_processor_and_for_no_other() {
    let mut slots = slots(256);
    let shootdown = Shootdown::new(&mut slots);
    let machine = Machine::new(256);
    let done = AtomicBool::new(false);
    let all = [0, 1, 63, 64, 127, 128, 255];
    let used = [0, 63, 64, 255];
    let set = active(&used);
    thread::scope(|scope| {
        let _ends = Ends(&done);
        for cpu in &all[1..] {
            scope.spawn(|| machine.idle(&shootdown, *cpu, &done));
        }
        let guard = boot(0);
        for round in 1..200 {
            let addr = round * 0x1000;
            let ticket = shootdown
                .dispatch(&guard, &machine, &set, page(addr), now())
                .unwrap();
            assert!(machine.has_invalidated(0, addr));
            let _ = shootdown.sync(&guard, &machine, &ticket);
            for cpu in used {
                assert!(machine.has_invalidated(cpu, addr));
            }
        }
    });
    for cpu in all {
        let times = machine
            .log
            .lock()
            .unwrap()
            .iter()
            .filter(|(by, _)| *by == cpu)
            .count();
        assert_eq!(times, if used.contains(&cpu) { 199 } else { 0 });
        let told = machine.interrupts[cpu].load(SeqCst);
        assert_eq!(
            told,
            if cpu != 0 && used.contains(&cpu) {
                199
            } else {
                0
            }
        );
    }
}

/// Processors that wait for each other answer while they wait.
#[test]
fn processors_that_shoot_at_each_other_do_not_wait_forever() {
    const CPUS: usize = 3;
    let mut slots = slots(CPUS);
    let shootdown = Shootdown::new(&mut slots);
    let machine = Machine::new(CPUS);
    let set = active(&[0, 1, 2]);
    let running = AtomicUsize::new(CPUS);
    thread::scope(|scope| {
        for cpu in 0..CPUS {
            let (shootdown, machine, set, running) = (&shootdown, &machine, &set, &running);
            scope.spawn(move || {
                let guard = boot(cpu);
                for round in 1..500 {
                    let addr = (cpu as u64 * 500 + round) * 0x1000;
                    let ticket = shootdown
                        .dispatch(&guard, machine, set, page(addr), now())
                        .unwrap();
                    let _ = shootdown.sync(&guard, machine, &ticket);
                    for other in 0..CPUS {
                        assert!(machine.has_invalidated(other, addr));
                    }
                }
                running.fetch_sub(1, SeqCst);
                while running.load(SeqCst) > 0 {
                    shootdown.handle(&guard, machine);
                    thread::yield_now();
                }
            });
        }
    });
}

/// A processor that comes and goes while another changes the table and tells: after `sync` it has nothing older than the
/// change.
#[test]
fn a_processor_that_comes_and_goes_keeps_nothing_stale() {
    let mut slots = slots(2);
    let shootdown = Shootdown::new(&mut slots);
    let machine = Machine::new(2);
    let set = active(&[]);
    let (table, done) = (AtomicU64::new(1), AtomicBool::new(false));
    thread::scope(|scope| {
        let _ends = Ends(&done);
        scope.spawn(|| {
            let guard = boot(1);
            while !done.load(SeqCst) {
                let (_, away) = set.add(1).unwrap();
                for _ in 0..4 {
                    machine.tlb[1].store(table.load(SeqCst), SeqCst);
                    thread::yield_now();
                    shootdown.handle(&guard, &machine);
                }
                machine.leave();
                set.remove(1, false, away);
                shootdown.handle(&guard, &machine);
            }
        });
        let guard = boot(0);
        for change in 2..3000 {
            table.store(change, SeqCst);
            let ticket = shootdown
                .dispatch(&guard, &machine, &set, page(0x5000), now())
                .unwrap();
            let _ = shootdown.sync(&guard, &machine, &ticket);
            let seen = machine.tlb[1].load(SeqCst);
            assert!(seen == 0 || seen >= change, "{seen} after {change}");
        }
    });
}

/// Who has no slot neither asks nor is asked.
#[test]
fn a_processor_without_a_slot_is_refused() {
    let mut slots = slots(2);
    let shootdown = Shootdown::new(&mut slots);
    let machine = Machine::new(8);
    assert_eq!(shootdown.cpus(), 2);

    let stranger = boot(7);
    shootdown.handle(&stranger, &machine);
    let refused = shootdown.dispatch(&stranger, &machine, &active(&[]), page(0x1000), now());
    assert_eq!(refused.err(), Some(ShootdownError::NoSuchCpu { cpu: 7 }));

    let guard = boot(0);
    let refused = shootdown.dispatch(&guard, &machine, &active(&[0, 5]), page(0x1000), now());
    assert_eq!(refused.err(), Some(ShootdownError::NoSuchCpu { cpu: 5 }));
    assert!(machine.log.lock().unwrap().is_empty());
}

/// A shootdown that nobody waited for is over before the next one begins, also when it is of another table; its ticket is
/// good still.
#[test]
fn a_shootdown_that_was_not_waited_for_is_over_before_the_next() {
    let mut slots = slots(2);
    let shootdown = Shootdown::new(&mut slots);
    let machine = Machine::new(2);
    let done = AtomicBool::new(false);
    let (one, other) = (active(&[0, 1]), active(&[1]));
    thread::scope(|scope| {
        let _ends = Ends(&done);
        scope.spawn(|| machine.idle(&shootdown, 1, &done));
        let guard = boot(0);
        for round in 1..200 {
            let addr = round * 0x3000;
            drop(shootdown.dispatch(&guard, &machine, &one, page(addr), now()));
            let ticket = shootdown
                .dispatch(&guard, &machine, &other, page(addr + 0x1000), now())
                .unwrap();
            assert!(machine.has_invalidated(0, addr) && machine.has_invalidated(1, addr));
            let late = shootdown
                .dispatch(&guard, &machine, &one, page(addr + 0x2000), now())
                .unwrap();
            assert!(machine.has_invalidated(1, addr + 0x1000));
            assert!(!machine.has_invalidated(0, addr + 0x1000));
            let _ = shootdown.sync(&guard, &machine, &late);
            assert!(machine.has_invalidated(1, addr + 0x2000));
            let _ = shootdown.sync(&guard, &machine, &ticket);
        }
    });
}

/// A ticket may be redeemed on another processor than the one that asked.
#[test]
fn another_processor_may_wait() {
    let mut slots = slots(3);
    let shootdown = Shootdown::new(&mut slots);
    let machine = Machine::new(3);
    let done = AtomicBool::new(false);
    let set = active(&[0, 1, 2]);
    thread::scope(|scope| {
        let _ends = Ends(&done);
        scope.spawn(|| machine.idle(&shootdown, 1, &done));
        let guard = boot(0);
        for round in 1..200 {
            let addr = round * 0x1000;
            let ticket = shootdown
                .dispatch(&guard, &machine, &set, page(addr), now())
                .unwrap();
            let (shootdown, machine) = (&shootdown, &machine);
            let waits = scope.spawn(move || {
                let _ = shootdown.sync(&boot(2), machine, &ticket);
            });
            waits.join().unwrap();
            assert!((0..3).all(|cpu| machine.has_invalidated(cpu, addr)));
        }
    });
}

/// Sets of processors are what they are told.
#[test]
fn a_set_holds_what_was_put_in() {
    let mut set = CpuSet::new();
    assert!(set.is_empty() && !set.contains(usize::MAX));
    assert!(set.insert(255) && set.insert(0) && set.insert(64) && set.insert(64));
    assert!(!set.insert(256));
    assert_eq!(set.iter().collect::<Vec<_>>(), [0, 64, 255]);
    assert_eq!(
        (set.len(), set.next_from(65), set.next_from(256)),
        (3, Some(255), None)
    );
    assert!(set.remove(64) && !set.remove(64) && !set.contains(64));
    assert_eq!(set, [255, 0, 300].into_iter().collect());
    assert_eq!(std::format!("{set:?}"), "{0, 255}");
}

/// Everything is all addresses that the mode has.
#[test]
fn everything_reaches_to_the_end() {
    let all = TlbFlushOp::<X86_64>::All.range();
    assert_eq!(
        (all.addr().as_u64(), all.size(), all.frees_tables()),
        (0, u64::MAX, true)
    );
    let upper = TlbFlushOp::<AArch64Upper>::All.range();
    assert_eq!(upper.addr().as_u64().wrapping_add(upper.size()), 0);
    assert_eq!(
        TlbFlushOp::<AArch64Upper<Granule64K42>>::All
            .range()
            .stride(),
        PageSize::Size64K
    );
}
