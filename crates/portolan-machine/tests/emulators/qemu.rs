//! QEMU's processors: AArch64, RISC-V, LoongArch64 and x86_64.

use crate::bench::Bench;
use crate::{guest, words};
use portolan_machine::MachineError;
use portolan_machine::qemu::{QemuConfig, QemuMachine};
use portolan_machine::walk::{Granule, Regime, Region};
use std::ops::Range;

/// A guest with one chain of tables, or nothing if there is no such guest here.
pub fn start(regime: Regime, config: QemuConfig) -> Option<Bench<QemuMachine>> {
    match QemuMachine::start(regime, config) {
        Err(MachineError::Unavailable { reason }) => {
            println!("skipped, {regime:?}: {reason}");
            None
        }
        started => {
            let machine = started.expect("the guest comes up");
            Some(Bench::new(machine, config.memory_types))
        }
    }
}

fn usual(regime: Regime) -> Option<Bench<QemuMachine>> {
    start(regime, QemuConfig::default())
}

fn rights(regime: Regime) {
    usual(regime).into_iter().for_each(words::rights);
}

fn fields(regime: Regime) {
    usual(regime).into_iter().for_each(words::fields);
}

fn addresses(regime: Regime) {
    usual(regime).into_iter().for_each(words::addresses);
}

fn flips(regime: Regime) {
    flips_with(regime, QemuConfig::default(), 0..64);
}

/// The same where physical addresses are narrow, so that more of their bits must not be set.
fn flips_with_narrow_addresses(regime: Regime) {
    let phys_bits = Some(40);
    let config = QemuConfig {
        phys_bits,
        ..QemuConfig::default()
    };
    flips_with(regime, config, 36..64);
}

/// The same of the bits that are reserved without memory types, where QEMU has such processors.
fn flips_without_memory_types(regime: Regime) {
    let config = QemuConfig {
        memory_types: false,
        ..QemuConfig::default()
    };
    flips_with(regime, config, 54..61);
    flips_with(regime, config, 63..64);
}

fn flips_with(regime: Regime, config: QemuConfig, bits: Range<u32>) {
    if let Some(bench) = start(regime, config) {
        words::flips(bench, bits);
    }
}

/// A test of each kind for a regime, in a module of its own.
macro_rules! tests {
    ($($name:ident: $regime:expr;)*) => {
        $(mod $name {
            tests! { @each $regime =>
                rights: crate::qemu::rights;
                fields: crate::qemu::fields;
                flips: crate::qemu::flips;
                addresses: crate::qemu::addresses;
                code_is_what_was_stored_last: crate::guest::code_is_what_was_stored_last;
                invalidation_takes_effect: crate::guest::invalidation_takes_effect;
                missing_memory_is_told: crate::guest::missing_memory_is_told;
                unusable_addresses_are_refused: crate::guest::unusable_addresses_are_refused;
                wild_fetches_end: crate::guest::wild_fetches_end;
            }
        })*
    };
    (@each $regime:expr => $($test:ident: $does:path;)*) => {
        $(#[test]
        fn $test() {
            $does($regime);
        })*
    };
}

/// Stage 1 of AArch64, with a granule of so many KiB.
fn arm1(kib: u8, va_bits: u8, region: Region) -> Regime {
    let granule = match kib {
        4 => Granule::Size4K,
        16 => Granule::Size16K,
        _ => Granule::Size64K,
    };
    Regime::Arm1 {
        granule,
        va_bits,
        region,
    }
}

fn lower(kib: u8, va_bits: u8) -> Regime {
    arm1(kib, va_bits, Region::Lower)
}

fn upper(kib: u8, va_bits: u8) -> Regime {
    arm1(kib, va_bits, Region::Upper)
}

fn arm2(ipa_bits: u8) -> Regime {
    Regime::Arm2 { ipa_bits }
}

fn riscv(levels: u8) -> Regime {
    Regime::Riscv { levels }
}

fn loongarch(kib: u8, va_bits: u8, region: Region) -> Regime {
    let granule = match kib {
        4 => Granule::Size4K,
        _ => Granule::Size16K,
    };
    Regime::LoongArch {
        granule,
        va_bits,
        region,
    }
}

fn x86_64(levels: u8) -> Regime {
    Regime::X86_64 { levels }
}

tests! {
    arm1_4k_39_lower: crate::qemu::lower(4, 39);
    arm1_4k_39_upper: crate::qemu::upper(4, 39);
    arm1_4k_48_lower: crate::qemu::lower(4, 48);
    arm1_4k_48_upper: crate::qemu::upper(4, 48);
    arm1_16k_47_lower: crate::qemu::lower(16, 47);
    arm1_16k_47_upper: crate::qemu::upper(16, 47);
    arm1_16k_48_lower: crate::qemu::lower(16, 48);
    arm1_16k_48_upper: crate::qemu::upper(16, 48);
    arm1_64k_42_lower: crate::qemu::lower(64, 42);
    arm1_64k_42_upper: crate::qemu::upper(64, 42);
    arm1_64k_48_lower: crate::qemu::lower(64, 48);
    arm1_64k_48_upper: crate::qemu::upper(64, 48);
    arm2_39: crate::qemu::arm2(39);
    arm2_48: crate::qemu::arm2(48);
    riscv_sv39: crate::qemu::riscv(3);
    riscv_sv48: crate::qemu::riscv(4);
    riscv_sv57: crate::qemu::riscv(5);
    loongarch_4k_39_lower: crate::qemu::loongarch(4, 39, portolan_machine::walk::Region::Lower);
    loongarch_4k_39_upper: crate::qemu::loongarch(4, 39, portolan_machine::walk::Region::Upper);
    loongarch_4k_47_lower: crate::qemu::loongarch(4, 47, portolan_machine::walk::Region::Lower);
    loongarch_4k_47_upper: crate::qemu::loongarch(4, 47, portolan_machine::walk::Region::Upper);
    loongarch_16k_47_lower: crate::qemu::loongarch(16, 47, portolan_machine::walk::Region::Lower);
    loongarch_16k_47_upper: crate::qemu::loongarch(16, 47, portolan_machine::walk::Region::Upper);
    x86_64_4: crate::qemu::x86_64(4);
    x86_64_5: crate::qemu::x86_64(5);
}

#[test]
fn addresses_can_be_narrow() {
    for regime in [
        lower(4, 48),
        upper(16, 47),
        lower(64, 42),
        arm2(39),
        x86_64(4),
        x86_64(5),
    ] {
        flips_with_narrow_addresses(regime);
    }
}

#[test]
fn memory_types_can_be_missing() {
    for levels in 3..=5 {
        flips_without_memory_types(riscv(levels));
    }
}

// One for each program in a guest is enough, as it waits
#[test]
fn hung_guests_are_given_up() {
    let loongarch = loongarch(16, 47, Region::Lower);
    for regime in [lower(4, 48), arm2(48), riscv(4), loongarch, x86_64(4)] {
        guest::hung_guests_are_given_up(regime);
    }
}
