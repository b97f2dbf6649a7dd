//! The page table does what its model says, on every machine that is here.

mod common;

use common::guest;
use portolan::arch::halves::Halves;
use portolan::{
    Invalidate, KernelHalf, PagingMode, Sv39, Sv48, Sv57, UserHalf, X86_64, X86_64La57,
};
use portolan_machine::conformance::{Counts, Plan, agree, run, run_halves};
use portolan_machine::walk::Regime;
use portolan_machine::{Caching, KvmConfig, Machine, SoftConfig, SoftMachine};

fn conforms<A: PagingMode, K: Machine + Invalidate<A>>(machine: &K, plan: &Plan) {
    let mut counts = Counts::default();
    if let Err(failure) = run::<A, K>(machine, plan, &mut counts) {
        panic!("{failure}");
    }
    println!("{counts}");
    assert_eq!(machine.memory().frames_held(), 0);
}

fn shares<A: Halves, K>(machine: &K, plan: &Plan)
where
    K: Machine + Invalidate<UserHalf<A>> + Invalidate<KernelHalf<A>>,
{
    let mut counts = Counts::default();
    if let Err(failure) = run_halves::<A, K>(machine, plan, &mut counts) {
        panic!("{failure}");
    }
    println!("{counts}");
}

#[test]
fn halves_on_processors_with_adversarial_caches() {
    let software = |regime| {
        SoftMachine::new(SoftConfig {
            regime,
            ..SoftConfig::default()
        })
    };
    let plan = Plan {
        steps: 100,
        ..Plan::quick(1)
    };
    shares::<X86_64, _>(&software(Regime::X86_64 { levels: 4 }), &plan);
    shares::<X86_64La57, _>(&software(Regime::X86_64 { levels: 5 }), &plan);
    shares::<Sv39, _>(&software(Regime::Riscv { levels: 3 }), &plan);
    shares::<Sv48, _>(&software(Regime::Riscv { levels: 4 }), &plan);
    shares::<Sv57, _>(&software(Regime::Riscv { levels: 5 }), &plan);
}

#[test]
fn halves_on_a_guest() {
    if let Some(guest) = guest(KvmConfig {
        cpus: 2,
        ..KvmConfig::default()
    }) {
        shares::<X86_64, _>(&guest, &Plan::quick_guest(1));
    }
}

#[test]
fn four_levels_on_processors_with_adversarial_caches() {
    conforms::<X86_64, _>(&SoftMachine::new(SoftConfig::default()), &Plan::quick(1));
}

#[test]
fn five_levels_on_processors_with_adversarial_caches() {
    let config = SoftConfig {
        regime: Regime::X86_64 { levels: 5 },
        phys_bits: 52,
        cpus: 3,
        caching: Caching::Seeded(2),
        ..SoftConfig::default()
    };
    conforms::<X86_64La57, _>(&SoftMachine::new(config), &Plan::quick(2));
}

#[test]
fn four_levels_on_a_processor_that_keeps_all_it_may() {
    let config = SoftConfig {
        phys_bits: 36,
        cpus: 1,
        caching: Caching::Hoard,
        ..SoftConfig::default()
    };
    conforms::<X86_64, _>(&SoftMachine::new(config), &Plan::quick(3));
}

#[test]
fn four_levels_on_a_guest() {
    let Some(guest) = guest(KvmConfig {
        cpus: 2,
        ..KvmConfig::default()
    }) else {
        return;
    };
    conforms::<X86_64, _>(&guest, &Plan::quick_guest(1));
}

#[test]
fn guest_and_software_walk_arbitrary_entries_alike() {
    let Some(guest) = guest(KvmConfig::default()) else {
        return;
    };
    let phys_bits = guest.memory().phys_bits();
    let software = SoftMachine::new(SoftConfig {
        phys_bits,
        caching: Caching::Hoard,
        ..SoftConfig::default()
    });
    if let Err(failure) = agree(&software, &guest, 1, 300, &mut Counts::default()) {
        panic!("{failure}");
    }
}
