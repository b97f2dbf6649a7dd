//! The suite notices what is wrong in other modes than x86_64's: each bit of the entry formats that matters, what is not
//! flushed, and what is flushed less than it has to be.

mod common;

use common::{ARM_4K, ARM_STAGE_2, LOONGARCH_4K, SV39};
use portolan::{
    AArch64Lower, AArch64Stage2, Ept, LoongArchLower, PageProperty, PageSize, PageTable,
    PagingMode, PhysAddr, Sv39, VirtAddr,
};
use portolan_machine::conformance::{Counts, FlippedBit, Mismatch, Plan, Which, run, run_with};
use portolan_machine::walk::Regime;
use portolan_machine::{
    Access, Caching, Machine, MachineError, Memory, Outcome, Privilege, SoftConfig, SoftMachine,
};
use std::ops::RangeInclusive;

fn software(regime: Regime, caching: Caching) -> SoftMachine {
    SoftMachine::new(SoftConfig {
        regime,
        caching,
        ..SoftConfig::default()
    })
}

/// The bits in `ranges` for which the suite doesn't do what it should if they are wrong.
fn wrong<A: PagingMode>(
    regime: Regime,
    which: Which,
    ranges: &[RangeInclusive<u32>],
    should_notice: bool,
) -> Vec<u32> {
    let notices = |bit: &u32| {
        let machine = software(regime, Caching::Seeded(1));
        let memory = FlippedBit::new(&machine, which, *bit);
        run_with::<A, _, _>(&machine, memory, &Plan::smallest(1), &mut Counts::default()).is_err()
    };
    let bits = ranges.iter().cloned().flatten();
    bits.filter(|bit| notices(bit) != should_notice).collect()
}

fn notices_what_matters<A: PagingMode>(
    regime: Regime,
    which: Which,
    matter: &[RangeInclusive<u32>],
    ignored: &[RangeInclusive<u32>],
) {
    assert_eq!(wrong::<A>(regime, which, matter, true), [], "unnoticed");
    assert_eq!(wrong::<A>(regime, which, ignored, false), [], "noticed");
}

#[test]
fn bits_of_extended_page_tables() {
    // Rights, memory type; page; accessed, dirty; the address
    let page = [0..=5, 7..=9, 12..=51];
    notices_what_matters::<Ept>(Regime::Ept, Which::Pages, &page, &[6..=6, 10..=10, 62..=62]);
    // Rights, reserved bits, page; the address
    let table = [0..=7, 12..=51];
    notices_what_matters::<Ept>(Regime::Ept, Which::Tables, &table, &[9..=9, 62..=62]);
}

#[test]
fn bits_of_aarch64_stage_1() {
    // Valid, page, AttrIndx; AP; the lower bit of SH makes it reserved; AF, nG, the address; DBM; PXN and UXN
    let page = [0..=4, 6..=7, 9..=49, 51..=51, 53..=54];
    let ignored = [52..=52, 63..=63];
    notices_what_matters::<AArch64Lower>(ARM_4K, Which::Pages, &page, &ignored);
    // Valid, table; the address; what is taken from all below
    let table = [0..=1, 12..=49, 59..=62];
    let ignored = [2..=2, 10..=11, 63..=63];
    notices_what_matters::<AArch64Lower>(ARM_4K, Which::Tables, &table, &ignored);
}

#[test]
fn bits_of_aarch64_stage_2() {
    // Valid, page, MemAttr, S2AP; SH; AF; the address; DBM; XN
    let page = [0..=7, 9..=10, 12..=49, 51..=51, 54..=54];
    let ignored = [11..=11, 52..=53, 63..=63];
    notices_what_matters::<AArch64Stage2>(ARM_STAGE_2, Which::Pages, &page, &ignored);
    let table = [0..=1, 12..=49];
    let ignored = [2..=2, 10..=11, 59..=63];
    notices_what_matters::<AArch64Stage2>(ARM_STAGE_2, Which::Tables, &table, &ignored);
}

#[test]
fn bits_of_riscv() {
    // V, R, W, X, U, G, A, D; the address, reserved bits, PBMT, N
    notices_what_matters::<Sv39>(SV39, Which::Pages, &[0..=7, 10..=63], &[8..=9]);
    notices_what_matters::<Sv39>(SV39, Which::Tables, &[0..=7, 10..=63], &[8..=9]);
}

#[test]
fn bits_of_loongarch() {
    // V, D, PLV, MAT, G, the address, NR, NX, RPLV; P and W, and software's
    let page = [0..=6, 12..=47, 61..=63];
    notices_what_matters::<LoongArchLower>(LOONGARCH_4K, Which::Pages, &page, &[7..=11, 48..=60]);
    // V, H, the address
    let table = [0..=0, 6..=6, 12..=47];
    let ignored = [1..=5, 7..=11, 48..=63];
    notices_what_matters::<LoongArchLower>(LOONGARCH_4K, Which::Tables, &table, &ignored);
}

fn meets_stale_translations<A: PagingMode>(regime: Regime) {
    for caching in [Caching::Hoard, Caching::Seeded(1)] {
        let plan = Plan {
            pay: false,
            ..Plan::quick(1)
        };
        let machine = software(regime, caching);
        let failure =
            run::<A, _>(&machine, &plan, &mut Counts::default()).expect_err("stale translations");
        let is_stale = matches!(
            *failure.what,
            Mismatch::Access { .. }
                | Mismatch::Memory { .. }
                | Mismatch::Machine(MachineError::NotBroken { .. })
        );
        assert!(is_stale, "{failure}");
    }
}

#[test]
fn a_suite_that_pays_no_flush_meets_stale_translations() {
    meets_stale_translations::<Ept>(Regime::Ept);
    meets_stale_translations::<AArch64Lower>(ARM_4K);
    meets_stale_translations::<AArch64Stage2>(ARM_STAGE_2);
    meets_stale_translations::<Sv39>(SV39);
    meets_stale_translations::<LoongArchLower>(LOONGARCH_4K);
}

#[test]
fn harts_that_remember_what_is_not_there_need_a_fence_after_map() {
    let machine = SoftMachine::new(SoftConfig {
        regime: SV39,
        absent: true,
        ..SoftConfig::default()
    });
    let failure = run::<Sv39, _>(&machine, &Plan::quick(1), &mut Counts::default());
    let what = *failure.expect_err("absence is remembered").what;
    assert!(matches!(what, Mismatch::Access { .. }), "{what:?}");
}

const FRAME: u64 = 0x4000_0000;

fn va<A: PagingMode>() -> VirtAddr<A> {
    VirtAddr::new(0x40_0000).unwrap()
}

fn map<A: PagingMode>(table: &mut PageTable<Memory, A>, frame: u64) {
    let (size, prop) = (PageSize::Size4K, PageProperty::USER_RW);
    table.map(va(), PhysAddr::new(frame), size, prop).unwrap();
}

/// A page that every processor has used.
fn used_page<A: PagingMode>(machine: &SoftMachine) -> PageTable<Memory, A> {
    let mut table = PageTable::new(machine.memory().clone()).unwrap();
    map(&mut table, FRAME);
    for cpu in 0..machine.cpus() {
        machine.set_root(cpu, Some(table.root())).unwrap();
        assert_eq!(load(machine, cpu), Ok(Outcome::Loaded(0)));
    }
    table
}

fn load(machine: &SoftMachine, cpu: usize) -> Result<Outcome, MachineError> {
    let load = Access::load(0x40_0000, Privilege::User);
    machine.access(cpu, &[load]).map(|outcomes| outcomes[0])
}

/// What a processor says after a page, and with it its tables, was unmapped, and `invalidate` is all that was invalidated.
fn after_unmap<A: PagingMode>(
    regime: Regime,
    invalidate: impl Fn(&SoftMachine),
) -> Result<Outcome, MachineError> {
    let machine = software(regime, Caching::Hoard);
    let mut table = used_page::<A>(&machine);
    let (_, flush) = table.unmap(va(), PageSize::Size4K).unwrap();
    assert!(flush.frees_tables());
    invalidate(&machine);
    // SAFETY: perhaps not safe at all, which is what the machine has to notice; nothing but its own memory is at stake
    unsafe { flush.assume_flushed() };
    let outcome = load(&machine, 0);
    (0..2).for_each(|cpu| machine.set_root(cpu, None).unwrap());
    outcome
}

#[test]
fn freeing_tables_takes_more_than_the_invalidation_of_a_page() {
    fn check<A: PagingMode>(regime: Regime) {
        let each = |act: fn(&SoftMachine, usize) -> Result<(), MachineError>| {
            move |machine: &SoftMachine| (0..2).for_each(|cpu| act(machine, cpu).unwrap())
        };
        let leaf = each(|machine, cpu| machine.invalidate_leaf(cpu, 0x40_0000));
        let noticed = after_unmap::<A>(regime, leaf);
        assert!(
            matches!(noticed, Err(MachineError::FreedInUse { .. })),
            "{noticed:?}"
        );
        let all = each(|machine, cpu| machine.invalidate_page(cpu, 0x40_0000));
        assert!(matches!(
            after_unmap::<A>(regime, all),
            Ok(Outcome::Fault(_))
        ));
    }
    check::<AArch64Lower>(ARM_4K);
    check::<AArch64Stage2>(ARM_STAGE_2);
    check::<Sv39>(SV39);
}

#[test]
fn a_page_that_is_mapped_again_before_its_flush_is_paid_was_not_broken() {
    let remapped = |pay: bool| {
        let machine = software(ARM_4K, Caching::Hoard);
        let mut table = used_page::<AArch64Lower>(&machine);
        let (_, flush) = table.unmap(va(), PageSize::Size4K).unwrap();
        if pay {
            flush.pay(&machine);
        } else {
            drop(flush);
        }
        map(&mut table, FRAME + 0x1000);
        let store = Access::store(0x40_0000, Privilege::User, 1);
        let outcome = machine.access(0, &[store]).map(|outcomes| outcomes[0]);
        (0..2).for_each(|cpu| machine.set_root(cpu, None).unwrap());
        outcome
    };
    assert_eq!(remapped(true), Ok(Outcome::Stored));
    // The old translation serves until the processor meets the new one
    let unpaid = remapped(false);
    println!("{unpaid:?}");
    assert!(unpaid == Ok(Outcome::Stored) || matches!(unpaid, Err(MachineError::NotBroken { .. })));
}
