//! The page table does what its model says in every paging mode but x86_64's, on processors in software, on QEMU's and on
//! Bochs'.

mod common;

use common::{arm, loongarch};
use portolan::arch::aarch64::{
    Granule4K39, Granule4K48, Granule16K47, Granule16K48, Granule64K42, Granule64K48,
};
use portolan::arch::loongarch::{Pages4K39, Pages4K47, Pages16K47};
use portolan::{
    AArch64Lower, AArch64Stage2, AArch64Upper, Invalidate, LoongArchLower, LoongArchUpper,
    PagingMode,
};
use portolan_machine::conformance::{Counts, Plan, run};
use portolan_machine::walk::{Granule, Regime, Region};
use portolan_machine::{Caching, Machine, SoftConfig, SoftMachine};

/// Calls a macro with a name, the mode and the regime of each paging mode but those of x86_64 and those of LoongArch64 with
/// pages of 4 KiB, which QEMU 7.2 gets wrong.
macro_rules! each_mode {
    ($call:ident) => {
        $call! {
            ept: portolan::Ept, Regime::Ept;
            aarch64_4k_39_lower: AArch64Lower<Granule4K39>, arm(Granule::Size4K, 39, Region::Lower);
            aarch64_4k_48_lower: AArch64Lower<Granule4K48>, arm(Granule::Size4K, 48, Region::Lower);
            aarch64_4k_48_upper: AArch64Upper<Granule4K48>, arm(Granule::Size4K, 48, Region::Upper);
            aarch64_16k_47_upper: AArch64Upper<Granule16K47>, arm(Granule::Size16K, 47, Region::Upper);
            aarch64_16k_48_lower: AArch64Lower<Granule16K48>, arm(Granule::Size16K, 48, Region::Lower);
            aarch64_64k_42_lower: AArch64Lower<Granule64K42>, arm(Granule::Size64K, 42, Region::Lower);
            aarch64_64k_48_upper: AArch64Upper<Granule64K48>, arm(Granule::Size64K, 48, Region::Upper);
            aarch64_stage_2_39: AArch64Stage2<Granule4K39>, Regime::Arm2 { ipa_bits: 39 };
            aarch64_stage_2_48: AArch64Stage2<Granule4K48>, Regime::Arm2 { ipa_bits: 48 };
            riscv_sv39: portolan::Sv39, Regime::Riscv { levels: 3 };
            riscv_sv48: portolan::Sv48, Regime::Riscv { levels: 4 };
            riscv_sv57: portolan::Sv57, Regime::Riscv { levels: 5 };
            loongarch_16k_47_lower: LoongArchLower<Pages16K47>, loongarch(Granule::Size16K, 47, Region::Lower);
            loongarch_16k_47_upper: LoongArchUpper<Pages16K47>, loongarch(Granule::Size16K, 47, Region::Upper);
        }
    };
}

fn conforms<A: PagingMode, K: Machine + Invalidate<A>>(machine: &K, plan: &Plan) {
    let mut counts = Counts::default();
    if let Err(failure) = run::<A, K>(machine, plan, &mut counts) {
        panic!("{failure}");
    }
    println!("{counts}");
    assert_eq!(machine.memory().frames_held(), 0);
}

/// Both kinds of processors: one whose caches do anything, and one that never forgets.
fn conforms_in_software<A: PagingMode>(regime: Regime) {
    let anything = SoftConfig {
        regime,
        ..SoftConfig::default()
    };
    let plan = Plan {
        sequences: 8,
        steps: 24,
        small: 1,
        ..Plan::quick(1)
    };
    conforms::<A, _>(&SoftMachine::new(anything), &plan);
    let hoard = SoftConfig {
        caching: Caching::Hoard,
        phys_bits: 40,
        cpus: 1,
        ..anything
    };
    conforms::<A, _>(&SoftMachine::new(hoard), &Plan::smallest(2));
}

macro_rules! in_software {
    ($($name:ident: $mode:ty, $regime:expr;)*) => {
        $(
            #[test]
            fn $name() {
                conforms_in_software::<$mode>($regime);
            }
        )*
    };
}

mod in_software {
    use super::*;
    each_mode!(in_software);
    in_software! {
        loongarch_4k_39_lower: LoongArchLower<Pages4K39>, loongarch(Granule::Size4K, 39, Region::Lower);
        loongarch_4k_39_upper: LoongArchUpper<Pages4K39>, loongarch(Granule::Size4K, 39, Region::Upper);
        loongarch_4k_47_lower: LoongArchLower<Pages4K47>, loongarch(Granule::Size4K, 47, Region::Lower);
        loongarch_4k_47_upper: LoongArchUpper<Pages4K47>, loongarch(Granule::Size4K, 47, Region::Upper);
    }
}

#[test]
fn every_change_of_flags_on_aarch64() {
    let plan = Plan {
        changes: true,
        ..Plan::smallest(1)
    };
    let software = |regime| {
        SoftMachine::new(SoftConfig {
            regime,
            ..SoftConfig::default()
        })
    };
    let stage_1 = software(arm(Granule::Size64K, 42, Region::Lower));
    conforms::<AArch64Lower<Granule64K42>, _>(&stage_1, &plan);
    let stage_2 = software(Regime::Arm2 { ipa_bits: 39 });
    conforms::<AArch64Stage2<Granule4K39>, _>(&stage_2, &plan);
}

#[test]
fn every_change_of_flags_on_loongarch() {
    let plan = Plan {
        changes: true,
        ..Plan::smallest(1)
    };
    let software = SoftMachine::new(SoftConfig {
        regime: loongarch(Granule::Size16K, 47, Region::Lower),
        ..SoftConfig::default()
    });
    conforms::<LoongArchLower<Pages16K47>, _>(&software, &plan);
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod on_bochs {
    use super::*;
    use common::skipped;
    use portolan_machine::bochs::{BochsConfig, BochsMachine};

    #[test]
    fn ept() {
        let guest = BochsMachine::start(BochsConfig::default());
        if let Ok(guest) = guest.inspect_err(skipped) {
            conforms::<portolan::Ept, _>(&guest, &Plan::quick_guest(1));
        }
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod on_qemu {
    use super::*;
    use common::skipped;
    use portolan::arch::halves::Halves;
    use portolan::{X86_64, X86_64La57};
    use portolan_machine::conformance::run_halves;
    use portolan_machine::qemu::{QemuConfig, QemuMachine};

    fn conforms_on_qemu<A: PagingMode>(regime: Regime) {
        let guest = QemuMachine::start(regime, QemuConfig::default());
        if let Ok(guest) = guest.inspect_err(skipped) {
            conforms::<A, _>(&guest, &Plan::quick_guest(1));
        }
    }

    fn shares_on_qemu<A: Halves>(regime: Regime) {
        let guest = QemuMachine::start(regime, QemuConfig::default());
        if let Ok(guest) = guest.inspect_err(skipped) {
            let mut counts = Counts::default();
            let plan = Plan::quick_guest(1);
            if let Err(failure) = run_halves::<A, _>(&guest, &plan, &mut counts) {
                panic!("{failure}");
            }
        }
    }

    #[test]
    fn halves() {
        shares_on_qemu::<X86_64>(Regime::X86_64 { levels: 4 });
        shares_on_qemu::<X86_64La57>(Regime::X86_64 { levels: 5 });
        shares_on_qemu::<portolan::Sv39>(Regime::Riscv { levels: 3 });
        shares_on_qemu::<portolan::Sv48>(Regime::Riscv { levels: 4 });
    }

    macro_rules! on_qemu {
        ($($name:ident: $mode:ty, $regime:expr;)*) => {
            $(
                #[test]
                fn $name() {
                    conforms_on_qemu::<$mode>($regime);
                }
            )*
        };
    }
    each_mode!(on_qemu);
    on_qemu! {
        x86_64: X86_64, Regime::X86_64 { levels: 4 };
        x86_64_la57: X86_64La57, Regime::X86_64 { levels: 5 };
    }
}
