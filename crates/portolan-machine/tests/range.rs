//! Ranges on processors that keep all they may: what is stale until the flush is paid, and isn't afterwards.

mod common;

use common::guest;
use portolan::{PageProperty, PageSize, PageTable, PhysAddr, VirtAddr, VirtRange, X86_64};
use portolan_machine::{
    Access, Caching, KvmConfig, Machine, Memory, Outcome, Privilege, SoftConfig, SoftMachine,
};

const START: u64 = 0x40_0000_0000;
const FRAMES: u64 = 0x4000_0000;
const HUGE: u64 = 0x20_0000;

/// `small` small pages and then a huge one, each used on every processor.
fn used_pages<K: Machine>(machine: &K, small: u64) -> (PageTable<Memory, X86_64>, Vec<u64>) {
    let mut table = PageTable::new(machine.memory().clone()).unwrap();
    let small = (0..small).map(|n| (n * 0x1000, PageSize::Size4K));
    let pages: Vec<_> = small.chain([(HUGE, PageSize::Size2M)]).collect();
    for (at, size) in &pages {
        let va = VirtAddr::new(START + at).unwrap();
        let frame = PhysAddr::new(FRAMES + at);
        table.map(va, frame, *size, PageProperty::USER_RW).unwrap();
    }
    let addresses: Vec<_> = pages.iter().map(|(at, _)| START + at).collect();
    for cpu in 0..machine.cpus() {
        machine.set_root(cpu, Some(table.root())).unwrap();
        assert_eq!(faults(machine, cpu, &addresses), 0);
    }
    (table, addresses)
}

/// How many of the addresses can't be written to.
fn faults<K: Machine>(machine: &K, cpu: usize, addresses: &[u64]) -> usize {
    let refused = |at: &&u64| {
        let access = Access::store(**at, Privilege::User, 7);
        matches!(
            machine.access(cpu, &[access]).unwrap()[0],
            Outcome::Fault(_)
        )
    };
    addresses.iter().filter(refused).count()
}

fn whole() -> VirtRange<X86_64> {
    VirtRange::new(VirtAddr::new(START).unwrap(), 2 * HUGE).unwrap()
}

fn hoarding() -> SoftMachine {
    SoftMachine::new(SoftConfig {
        caching: Caching::Hoard,
        ..SoftConfig::default()
    })
}

/// Unmaps all at once; with `stale`, the processors are known to go on until they are told.
fn unmap<K: Machine + portolan::Invalidate<X86_64>>(machine: &K, small: u64, stale: bool) {
    let before = machine.memory().frames_held();
    let (mut table, addresses) = used_pages(machine, small);
    let (bytes, flush) = table.unmap_range(whole()).unwrap();
    assert_eq!(bytes, small * 0x1000 + HUGE);
    assert!(flush.frees_tables());
    if stale {
        assert_eq!(faults(machine, 1, &addresses), 0);
    }
    flush.pay(machine);
    for cpu in 0..machine.cpus() {
        assert_eq!(faults(machine, cpu, &addresses), addresses.len());
    }
    assert_eq!(machine.memory().frames_held(), before + 1);
    (0..machine.cpus()).for_each(|cpu| machine.set_root(cpu, None).unwrap());
}

/// Takes the right to write from all at once.
fn protect<K: Machine + portolan::Invalidate<X86_64>>(machine: &K, small: u64) {
    let (mut table, addresses) = used_pages(machine, small);
    let (_, flush) = table.protect_range(whole(), PageProperty::USER_RO).unwrap();
    flush.pay(machine);
    for cpu in 0..machine.cpus() {
        assert_eq!(faults(machine, cpu, &addresses), addresses.len());
    }
    (0..machine.cpus()).for_each(|cpu| machine.set_root(cpu, None).unwrap());
}

#[test]
fn a_range_stays_in_use_until_its_flush_is_paid() {
    // The stride is a small page's: everything is invalidated at once
    unmap(&hoarding(), 3, true);
    // Only the huge page is there: one invalidation each
    unmap(&hoarding(), 0, true);
}

#[test]
fn a_protected_range_is_written_to_by_nobody() {
    protect(&hoarding(), 3);
    protect(&hoarding(), 0);
}

#[test]
fn ranges_on_a_guests_processor() {
    if let Some(machine) = guest(KvmConfig::default()) {
        unmap(&machine, 3, false);
        protect(&machine, 3);
    }
}
