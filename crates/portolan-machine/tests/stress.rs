//! Address spaces under load on several processors, in software and on the host's own.

use portolan::{Sv39, X86_64};
use portolan_machine::stress::{Failure, Mismatch, Plan, Tally, run};
use portolan_machine::walk::Regime;
use portolan_machine::{Caching, KvmConfig, KvmMachine, SoftConfig, SoftMachine};

const SEED: u64 = 1;

fn soft(regime: Regime, cpus: usize, caching: Caching) -> SoftMachine {
    SoftMachine::new(SoftConfig {
        regime,
        cpus,
        caching,
        ..SoftConfig::default()
    })
}

fn four_levels(cpus: usize, caching: Caching) -> SoftMachine {
    soft(Regime::X86_64 { levels: 4 }, cpus, caching)
}

/// Everything that a run is about has happened in it.
fn is_busy(tally: &Tally, cpus: usize) {
    for what in [
        "map", "unmap", "protect", "query", "look", "activate", "clear", "fork",
    ] {
        assert!(tally.done(what) > 0, "{what}: {tally:#?}");
    }
    assert!(tally.faults() > 0 && tally.exact > 0, "{tally:#?}");
    assert!(cpus == 1 || tally.notifications > 0, "{tally:#?}");
}

fn on_soft(cpus: usize, operations: u64) {
    let mut tally = Tally::default();
    let machine = four_levels(cpus, Caching::Seeded(SEED));
    let done = run::<X86_64, _>(&machine, &Plan::operations(SEED, operations), &mut tally);
    done.unwrap_or_else(|failure| panic!("{failure}"));
    is_busy(&tally, cpus);
}

#[test]
fn one_processor() {
    on_soft(1, 2_000);
}

#[test]
fn two_processors() {
    on_soft(2, 2_000);
}

#[test]
fn four_processors() {
    on_soft(4, 4_000);
}

#[test]
fn eight_processors() {
    on_soft(8, 4_000);
}

#[test]
fn processors_that_never_forget() {
    let mut tally = Tally::default();
    let machine = four_levels(4, Caching::Hoard);
    let done = run::<X86_64, _>(&machine, &Plan::operations(SEED, 2_000), &mut tally);
    done.unwrap_or_else(|failure| panic!("{failure}"));
    is_busy(&tally, 4);
}

#[test]
fn processors_of_risc_v() {
    let mut tally = Tally::default();
    let machine = soft(Regime::Riscv { levels: 3 }, 4, Caching::Seeded(SEED));
    let done = run::<Sv39, _>(&machine, &Plan::operations(SEED, 2_000), &mut tally);
    done.unwrap_or_else(|failure| panic!("{failure}"));
    is_busy(&tally, 4);
}

fn without_shootdown(cpus: usize, caching: Caching) -> Failure {
    let machine = four_levels(cpus, caching);
    let plan = Plan {
        invalidate: false,
        ..Plan::operations(SEED, 4_000)
    };
    let done = run::<X86_64, _>(&machine, &plan, &mut Tally::default());
    done.expect_err("nothing was invalidated, and nobody noticed")
}

#[test]
fn a_kernel_without_shootdowns_is_found_out() {
    for cpus in [1, 2, 4] {
        for caching in [Caching::Hoard, Caching::Seeded(SEED)] {
            let failure = without_shootdown(cpus, caching);
            let what = &*failure.what;
            assert!(
                matches!(
                    what,
                    Mismatch::Access { .. } | Mismatch::Spoiled(_) | Mismatch::Machine(_)
                ),
                "{failure}"
            );
        }
    }
}

/// A guest whose tables, if the host shadows them, are as stale as they may be; a line that says so if there is none.
fn guest(cpus: usize) -> Option<KvmMachine> {
    let config = KvmConfig {
        cpus,
        late: true,
        ..KvmConfig::default()
    };
    let machine = KvmMachine::new(config);
    machine.map_err(|error| eprintln!("skipped: {error}")).ok()
}

fn on_guest(cpus: usize, operations: u64) {
    let Some(machine) = guest(cpus) else { return };
    let mut tally = Tally::default();
    let done = run::<X86_64, _>(&machine, &Plan::operations(SEED, operations), &mut tally);
    done.unwrap_or_else(|failure| panic!("{failure}"));
    is_busy(&tally, cpus);
}

#[test]
fn two_processors_of_a_guest() {
    on_guest(2, 2_000);
}

#[test]
fn four_processors_of_a_guest() {
    on_guest(4, 2_000);
}

#[test]
#[ignore = "takes minutes"]
fn two_processors_of_a_guest_for_long() {
    on_guest(2, 120_000);
}

#[test]
fn a_kernel_without_shootdowns_is_found_out_by_a_guest() {
    let Some(machine) = guest(2) else { return };
    let plan = Plan {
        invalidate: false,
        ..Plan::operations(SEED, 4_000)
    };
    let done = run::<X86_64, _>(&machine, &plan, &mut Tally::default());
    let failure = done.expect_err("nothing was invalidated, and nobody noticed");
    println!("{failure}");
}
