//! The software machine, which demands break-before-make of AArch64's tables, accepts what `Broken` and `Vacant` do, and
//! notices who maps again what was not flushed.

mod common;

use common::{ARM_4K, ARM_STAGE_2, LOONGARCH_4K, SV39};
use portolan::{
    AArch64Lower, AArch64Stage2, Broken, CachePolicy, Error, LoongArchLower, PageProperty,
    PageSize, PageTable, PagingMode, PhysAddr, Sv39, Tracking, Vacant, VirtAddr,
};
use portolan_machine::walk::Regime;
use portolan_machine::{
    Access, Caching, Machine, MachineError, Memory, Outcome, Privilege, SoftConfig, SoftMachine,
};

const AT: u64 = 0x40_0000;
const FRAME: u64 = 0x4000_0000;
const HUGE: u64 = 0x20_0000;

type Table<A> = PageTable<Memory, A, Tracking>;

fn va<A: PagingMode>() -> VirtAddr<A> {
    VirtAddr::new(AT).unwrap()
}

fn at(cpu: usize, machine: &SoftMachine, offset: u64) -> Result<Outcome, MachineError> {
    let load = Access::load(AT + offset, Privilege::User);
    machine.access(cpu, &[load]).map(|outcomes| outcomes[0])
}

/// A huge page that every processor has used, in several places.
fn used_page<A: PagingMode>(machine: &SoftMachine) -> Table<A> {
    let mut table = Table::<A>::new(machine.memory().clone()).unwrap();
    let (frame, size) = (PhysAddr::new(FRAME), PageSize::Size2M);
    table.map(va(), frame, size, PageProperty::USER_RW).unwrap();
    for cpu in 0..machine.cpus() {
        machine.set_root(cpu, Some(table.root())).unwrap();
    }
    used(machine);
    table
}

/// Every processor uses the page, and what it remembers of it.
fn used(machine: &SoftMachine) {
    for cpu in 0..machine.cpus() {
        for offset in [0, 0x1000, HUGE - 8] {
            assert_eq!(at(cpu, machine, offset), Ok(Outcome::Loaded(0)));
        }
        let store = Access::store(AT + 0x1000, Privilege::User, 0);
        let stored = machine.access(cpu, &[store]).map(|outcomes| outcomes[0]);
        assert_eq!(stored, Ok(Outcome::Stored));
    }
}

/// Tells the processors of what was broken, after they have met the hole, or haven't yet.
fn flush<'t, A: PagingMode>(
    machine: &SoftMachine,
    broken: Result<Broken<'t, Memory, A, Tracking>, Error>,
) -> Vacant<'t, Memory, A, Tracking> {
    for cpu in 0..machine.cpus() {
        at(cpu, machine, 0x1000).expect("nothing is wrong with a hole");
    }
    broken.unwrap().flush(machine)
}

/// Divided, joined, with another cache policy and moved, by processors that look ahead.
fn remakes<A: PagingMode>(regime: Regime) {
    for caching in [Caching::Hoard, Caching::Seeded(1), Caching::Seeded(2)] {
        let machine = SoftMachine::new(SoftConfig {
            regime,
            caching,
            ..SoftConfig::default()
        });
        let (size, part) = (PageSize::Size2M, PageSize::Size4K);
        let mut table = used_page::<A>(&machine);
        let vacant = flush(&machine, table.break_page(va(), size));
        vacant.split(part).unwrap();
        used(&machine);
        let vacant = flush(&machine, table.break_pages(va(), size));
        vacant.restore().unwrap();
        used(&machine);
        let vacant = flush(&machine, table.break_pages(va(), size));
        vacant.collapse().unwrap();
        used(&machine);
        let other = PageProperty {
            cache: CachePolicy::WriteCombining,
            ..PageProperty::USER_RW
        };
        let vacant = flush(&machine, table.break_page(va(), size));
        vacant.protect(other).unwrap();
        used(&machine);
        let vacant = flush(&machine, table.break_page(va(), size));
        vacant.map(PhysAddr::new(FRAME + HUGE), other).unwrap();
        used(&machine);
        (0..machine.cpus()).for_each(|cpu| machine.set_root(cpu, None).unwrap());
    }
}

#[test]
fn what_is_broken_flushed_and_made_is_accepted() {
    remakes::<AArch64Lower>(ARM_4K);
    remakes::<AArch64Stage2>(ARM_STAGE_2);
    remakes::<Sv39>(SV39);
    remakes::<LoongArchLower>(LOONGARCH_4K);
}

/// What a processor says that used a page, which then was mapped to another frame, when it stores to it.
fn moved(pay: bool) -> Result<Outcome, MachineError> {
    let machine = SoftMachine::new(SoftConfig {
        regime: ARM_4K,
        caching: Caching::Hoard,
        cpus: 1,
        ..SoftConfig::default()
    });
    let mut table = Table::<AArch64Lower>::new(machine.memory().clone()).unwrap();
    let (size, prop) = (PageSize::Size4K, PageProperty::USER_RW);
    table.map(va(), PhysAddr::new(FRAME), size, prop).unwrap();
    // a neighbour, for which the table stays
    let next = VirtAddr::new(AT + 0x1000).unwrap();
    table.map(next, PhysAddr::new(FRAME), size, prop).unwrap();
    machine.set_root(0, Some(table.root())).unwrap();
    assert_eq!(at(0, &machine, 0), Ok(Outcome::Loaded(0)));
    let frame = PhysAddr::new(FRAME + 0x1000);
    if pay {
        let vacant = table.break_page(va(), size).unwrap().flush(&machine);
        vacant.map(frame, prop).unwrap();
    } else {
        drop(table.unmap(va(), size).unwrap());
        table.map(va(), frame, size, prop).unwrap();
    }
    // the page is clean: a store walks to it again to mark it, and meets what was made
    let store = Access::store(AT, Privilege::User, 1);
    let outcome = machine.access(0, &[store]).map(|outcomes| outcomes[0]);
    machine.set_root(0, None).unwrap();
    outcome
}

#[test]
fn an_unmap_whose_flush_is_not_paid_before_the_next_map_is_no_break() {
    assert_eq!(moved(true), Ok(Outcome::Stored));
    let unpaid = moved(false);
    assert!(
        matches!(unpaid, Err(MachineError::NotBroken { .. })),
        "{unpaid:?}"
    );
}
