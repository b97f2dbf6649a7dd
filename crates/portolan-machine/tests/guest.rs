//! What a guest can't do is an error with a name.

mod common;

use common::guest;
use portolan::{PageProperty, PageSize, PageTable, PhysAddr, VirtAddr, X86_64};
use portolan_machine::{
    Access, KvmConfig, KvmMachine, Machine, MachineError, Memory, Outcome, Privilege,
};

fn map(guest: &KvmMachine, va: u64, frame: u64, prop: PageProperty) -> PageTable<Memory, X86_64> {
    let mut table = PageTable::new(guest.memory().clone()).unwrap();
    table
        .map(
            VirtAddr::new(va).unwrap(),
            PhysAddr::new(frame),
            PageSize::Size4K,
            prop,
        )
        .unwrap();
    (0..guest.cpus()).for_each(|cpu| guest.set_root(cpu, Some(table.root())).unwrap());
    table
}

#[test]
fn an_access_where_there_is_no_memory_ends_the_guest_with_the_address() {
    let Some(guest) = guest(KvmConfig::default()) else {
        return;
    };
    let _table = map(&guest, 0x1000, 1 << 34, PageProperty::KERNEL_RO);
    let load = Access::load(0x1008, Privilege::Supervisor);
    let outside = Err(MachineError::OutsideMemory {
        addr: (1 << 34) + 8,
    });
    assert_eq!(guest.access(0, &[load]), outside);
    assert_eq!(guest.access(0, &[]), outside, "its state is lost");
}

#[test]
fn what_is_not_code_is_told_from_what_is() {
    let Some(guest) = guest(KvmConfig::default()) else {
        return;
    };
    let _table = map(&guest, 0x1000, 1 << 30, PageProperty::USER_RX);
    let fetches = Privilege::ALL.map(|privilege| Access::fetch(0x1000, privilege));
    let outcomes = guest.access(0, &fetches).unwrap();
    assert!(
        outcomes
            .iter()
            .all(|outcome| matches!(outcome, Outcome::Astray { .. })),
        "{outcomes:?}"
    );
}

#[test]
fn the_slot_of_the_monitor_can_be_chosen_and_not_be_tested() {
    for slot in [1, 100, 400, 511] {
        let Some(guest) = guest(KvmConfig {
            slot,
            ..KvmConfig::default()
        }) else {
            return;
        };
        let own = *guest.reserved()[0].start();
        let load = Access::load(own, Privilege::User);
        assert_eq!(
            guest.access(0, &[load]),
            Err(MachineError::BadAddress { va: own })
        );
        let _table = map(&guest, 0x1000, 1 << 30, PageProperty::USER_RO);
        guest.memory().store(PhysAddr::new(1 << 30), 5);
        assert_eq!(
            guest.access(0, &[Access::load(0x1000, Privilege::User)]),
            Ok(vec![Outcome::Loaded(5)])
        );
    }
}

#[test]
fn processors_have_roots_of_their_own() {
    let Some(guest) = guest(KvmConfig {
        cpus: 3,
        ..KvmConfig::default()
    }) else {
        return;
    };
    let tables: Vec<_> = (0..3)
        .map(|cpu| {
            map(
                &guest,
                0x1000,
                (1 << 30) + (cpu << 12),
                PageProperty::USER_RO,
            )
        })
        .collect();
    for (cpu, table) in tables.iter().enumerate() {
        guest
            .memory()
            .store(PhysAddr::new((1 << 30) + ((cpu as u64) << 12)), cpu as u64);
        guest.set_root(cpu, Some(table.root())).unwrap();
    }
    for cpu in 0..3 {
        assert_eq!(
            guest.access(cpu, &[Access::load(0x1000, Privilege::User)]),
            Ok(vec![Outcome::Loaded(cpu as u64)])
        );
    }
}
