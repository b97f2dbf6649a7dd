//! Holds [`walk`](portolan_machine::walk) against memory management units that someone else wrote: those of QEMU's
//! translator.
//!
//! For each regime, words of tables are written by hand and accesses performed in both modes; what the guest's processor
//! says, and what it made of the words, must be what the walk says. Where QEMU is not installed, the tests say so and
//! pass.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod bench;
mod format;
mod guest;
mod known;

use bench::Bench;
use format::{combinations, format};
use portolan_machine::qemu::QemuConfig;
use portolan_machine::walk::{Granule, Regime, Region};
use std::ops::Range;

/// Every combination of rights, accessed and dirty bits at every page size; and those of the smallest page below tables
/// that take away what they can, in every combination.
fn rights(regime: Regime) {
    let Some(mut bench) = Bench::start(regime) else {
        return;
    };
    let format = format(regime);
    let mask: u64 = format.page_bits.iter().sum();
    for bits in combinations(format.page_bits) {
        for level in regime.page_levels() {
            let word = bench.page(*level) & !mask | bits;
            bench.check(&bench.chain(*level, word, 0));
        }
        for above in combinations(format.table_bits) {
            let word = bench.page(1) & !mask | bits;
            bench.check(&bench.chain(1, word, above));
        }
    }
    bench.finish("rights");
}

/// Every value of every field of an entry for a page, at every page size.
fn fields(regime: Regime) {
    let Some(mut bench) = Bench::start(regime) else {
        return;
    };
    for level in regime.page_levels() {
        for (lowest, count) in format(regime).fields {
            for value in 0..1u64 << count {
                let mask = ((1 << count) - 1) << lowest;
                let word = bench.page(*level) & !mask | value << lowest;
                bench.check(&bench.chain(*level, word, 0));
            }
        }
    }
    bench.finish("fields");
}

/// Every bit of every kind of entry at every level, turned over.
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
    let Some(mut bench) = Bench::start_with(regime, config) else {
        return;
    };
    for level in 1..=regime.levels() {
        for bit in bits.clone() {
            let word = bench.page(level) ^ 1 << bit;
            bench.check(&bench.chain(level, word, 0));
            if level > 1 {
                let mut chain = bench.chain(1, bench.page(1), 0);
                chain[usize::from(regime.levels() - level)].2 ^= 1 << bit;
                bench.check(&chain);
            }
        }
    }
    bench.finish("flips");
}

/// A small page at the edges of what is translated, and the same addresses with a bit of each weight turned over: most
/// are not mapped, some not canonical.
fn addresses(regime: Regime) {
    let Some(mut bench) = Bench::start(regime) else {
        return;
    };
    let top = 1 << (regime.va_bits() - 1);
    for edge in [0x1230, top - 0x1230, top + 0x1230, 2 * top - 0x1230] {
        let served = regime.extended(edge);
        bench.va = served;
        let chain = bench.chain(1, bench.page(1), 0);
        for va in (12..64).map(|bit| served ^ 1 << bit).chain([served]) {
            let usable = !bench.machine.reserved().iter().any(|own| own.contains(&va));
            if usable {
                bench.va = va;
                bench.check(&chain);
            }
        }
        bench.va = served;
        bench.write(&bench.chain(1, 0, 0));
    }
    bench.finish("addresses");
}

/// A test of each kind for a regime, in a module of its own.
macro_rules! tests {
    ($($name:ident: $regime:expr;)*) => {
        $(mod $name {
            tests! { @each $regime =>
                rights: crate::rights;
                fields: crate::fields;
                flips: crate::flips;
                addresses: crate::addresses;
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

fn x86_64(levels: u8) -> Regime {
    Regime::X86_64 { levels }
}

tests! {
    arm1_4k_39_lower: crate::lower(4, 39);
    arm1_4k_39_upper: crate::upper(4, 39);
    arm1_4k_48_lower: crate::lower(4, 48);
    arm1_4k_48_upper: crate::upper(4, 48);
    arm1_16k_47_lower: crate::lower(16, 47);
    arm1_16k_47_upper: crate::upper(16, 47);
    arm1_16k_48_lower: crate::lower(16, 48);
    arm1_16k_48_upper: crate::upper(16, 48);
    arm1_64k_42_lower: crate::lower(64, 42);
    arm1_64k_42_upper: crate::upper(64, 42);
    arm1_64k_48_lower: crate::lower(64, 48);
    arm1_64k_48_upper: crate::upper(64, 48);
    arm2_39: crate::arm2(39);
    arm2_48: crate::arm2(48);
    riscv_sv39: crate::riscv(3);
    riscv_sv48: crate::riscv(4);
    riscv_sv57: crate::riscv(5);
    x86_64_4: crate::x86_64(4);
    x86_64_5: crate::x86_64(5);
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
    for regime in [lower(4, 48), arm2(48), riscv(4), x86_64(4)] {
        guest::hung_guests_are_given_up(regime);
    }
}
