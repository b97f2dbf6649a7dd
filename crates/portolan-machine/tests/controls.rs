//! The suite notices what is wrong: a flush that is left out, and each bit of the entry format that matters.

mod common;

use common::guest;
use portolan::{PageProperty, PageSize, PageTable, PhysAddr, VirtAddr, X86_64};
use portolan_machine::conformance::{Counts, FlippedBit, Mismatch, Plan, Which, run, run_with};
use portolan_machine::{
    Access, Caching, Isa, KvmConfig, Machine, Outcome, Privilege, SoftConfig, SoftMachine,
};

/// Whether the suite fails on a software machine if one bit of the format is wrong.
fn notices(which: Which, bit: u32) -> bool {
    let machine = SoftMachine::new(SoftConfig::default());
    let memory = FlippedBit::new(&machine, which, bit);
    run_with::<X86_64, _, _>(&machine, memory, &Plan::smallest(1), &mut Counts::default()).is_err()
}

/// The bits among `bits` for which the suite doesn't do what it should.
fn wrong(which: Which, bits: impl Iterator<Item = u32>, should_notice: bool) -> Vec<u32> {
    bits.filter(|bit| notices(which, *bit) != should_notice)
        .collect()
}

#[test]
fn each_bit_of_a_page_entry_that_matters_is_noticed() {
    // Present, writable, user, cache policy, accessed, dirty, size or cache policy, global; the address; no execution
    assert_eq!(
        wrong(Which::Pages, (0..=8).chain(12..=51).chain([63]), true),
        []
    );
}

#[test]
fn each_bit_of_a_table_entry_that_matters_is_noticed() {
    // Present, writable, user, the table's own cache policy, size; the address; no execution
    assert_eq!(
        wrong(
            Which::Tables,
            (0..=4).chain([7]).chain(12..=51).chain([63]),
            true
        ),
        []
    );
}

#[test]
fn bits_that_hardware_ignores_make_no_difference() {
    assert_eq!(wrong(Which::Pages, [9, 52, 62].into_iter(), false), []);
    assert_eq!(wrong(Which::Tables, [6, 8, 62].into_iter(), false), []);
}

#[test]
fn a_guest_notices_wrong_bits_too() {
    // Present, writable, user, the lowest bit of a table's address, a reserved one, no execution
    for which in [Which::Pages, Which::Tables] {
        for bit in [0, 1, 2, 12, 51, 63] {
            let Some(guest) = guest(KvmConfig::default()) else {
                return;
            };
            let memory = FlippedBit::new(&guest, which, bit);
            let result = run_with::<X86_64, _, _>(
                &guest,
                memory,
                &Plan::smallest(1),
                &mut Counts::default(),
            );
            assert!(result.is_err(), "{which:?}, bit {bit}");
        }
    }
}

#[test]
fn a_suite_that_pays_no_flush_meets_stale_translations() {
    for caching in [Caching::Hoard, Caching::Seeded(1), Caching::Seeded(2)] {
        let machine = SoftMachine::new(SoftConfig {
            caching,
            ..SoftConfig::default()
        });
        let plan = Plan {
            pay: false,
            ..Plan::quick(1)
        };
        let failure = run::<X86_64, _>(&machine, &plan, &mut Counts::default())
            .expect_err("stale translations");
        assert!(
            matches!(
                *failure.what,
                Mismatch::Access { .. } | Mismatch::Memory { .. }
            ),
            "{failure}"
        );
    }
}

const fn code_word(number: u32) -> u64 {
    Isa::X86_64.code_word(number)
}

const PAGE: u64 = 0x40_0000;
const FRAME: u64 = 0x4000_0000;

fn table_with_page<K: Machine>(machine: &K) -> PageTable<portolan_machine::Memory, X86_64> {
    let mut table = PageTable::new(machine.memory().clone()).unwrap();
    table
        .map(
            va(),
            PhysAddr::new(FRAME),
            PageSize::Size4K,
            PageProperty::USER_RW,
        )
        .unwrap();
    machine.memory().store(PhysAddr::new(FRAME), code_word(1));
    (0..machine.cpus()).for_each(|cpu| machine.set_root(cpu, Some(table.root())).unwrap());
    table
}

fn va() -> VirtAddr<X86_64> {
    VirtAddr::new(PAGE).unwrap()
}

fn load<K: Machine>(machine: &K, cpu: usize) -> Outcome {
    machine
        .access(cpu, &[Access::load(PAGE, Privilege::User)])
        .unwrap()[0]
}

#[test]
fn an_unmapped_page_stays_in_use_until_the_flush_is_paid() {
    let machine = SoftMachine::new(SoftConfig {
        caching: Caching::Hoard,
        ..SoftConfig::default()
    });
    let mut table = table_with_page(&machine);
    assert_eq!(load(&machine, 1), Outcome::Loaded(code_word(1)));
    let (_, flush) = table.unmap(va(), PageSize::Size4K).unwrap();
    assert_eq!(load(&machine, 1), Outcome::Loaded(code_word(1)), "stale");
    flush.pay(&machine);
    assert!(matches!(load(&machine, 1), Outcome::Fault(_)));
    (0..2).for_each(|cpu| machine.set_root(cpu, None).unwrap());
}

#[test]
fn a_flush_on_one_processor_leaves_the_other_stale() {
    let machine = SoftMachine::new(SoftConfig {
        caching: Caching::Hoard,
        ..SoftConfig::default()
    });
    let mut table = table_with_page(&machine);
    (0..2).for_each(|cpu| assert_eq!(load(&machine, cpu), Outcome::Loaded(code_word(1))));
    let (_, flush) = table
        .protect(va(), PageSize::Size4K, PageProperty::KERNEL_RO)
        .unwrap();
    machine.invalidate_page(0, PAGE).unwrap();
    assert!(matches!(load(&machine, 0), Outcome::Fault(_)));
    assert_eq!(load(&machine, 1), Outcome::Loaded(code_word(1)), "stale");
    flush.pay(&machine);
    assert!(matches!(load(&machine, 1), Outcome::Fault(_)));
    (0..2).for_each(|cpu| machine.set_root(cpu, None).unwrap());
}

#[test]
fn a_table_that_is_freed_before_the_flush_is_noticed() {
    let machine = SoftMachine::new(SoftConfig {
        caching: Caching::Hoard,
        ..SoftConfig::default()
    });
    let mut table = table_with_page(&machine);
    load(&machine, 0);
    let (_, flush) = table.unmap(va(), PageSize::Size4K).unwrap();
    assert!(flush.frees_tables());
    // SAFETY: not safe at all, which is what the machine has to notice; nothing but its own memory is at stake
    unsafe { flush.assume_flushed() };
    let noticed = machine.access(0, &[Access::load(PAGE, Privilege::User)]);
    assert!(
        matches!(
            noticed,
            Err(portolan_machine::MachineError::FreedInUse { cpu: 0, .. })
        ),
        "{noticed:?}"
    );
    (0..2).for_each(|cpu| machine.set_root(cpu, None).unwrap());
}

#[test]
fn a_paid_flush_leaves_a_guest_nothing_stale() {
    let Some(guest) = guest(KvmConfig {
        cpus: 2,
        ..KvmConfig::default()
    }) else {
        return;
    };
    let mut table = table_with_page(&guest);
    (0..2).for_each(|cpu| assert_eq!(load(&guest, cpu), Outcome::Loaded(code_word(1))));
    let (_, flush) = table.unmap(va(), PageSize::Size4K).unwrap();
    // The architecture allows both here
    let stale = (0..2)
        .filter(|cpu| load(&guest, *cpu) == Outcome::Loaded(code_word(1)))
        .count();
    println!("{stale} of 2 processors used the stale translation");
    flush.pay(&guest);
    (0..2).for_each(|cpu| assert!(matches!(load(&guest, cpu), Outcome::Fault(_))));
    (0..2).for_each(|cpu| guest.set_root(cpu, None).unwrap());
}
