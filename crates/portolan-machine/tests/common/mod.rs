//! What the tests share.

#![allow(dead_code, reason = "not every test uses all of it")]

use portolan_machine::walk::{Granule, Regime, Region};
use portolan_machine::{KvmConfig, KvmMachine, MachineError};
use std::io::Write;

/// Says in one line why a test is skipped. Past the test harness, which hides what a passing test prints.
#[expect(
    clippy::explicit_write,
    reason = "what `eprintln` prints is hidden when a test passes"
)]
pub fn skipped(error: &MachineError) {
    writeln!(std::io::stderr(), "test on a guest skipped: {error}").unwrap();
}

/// A guest, or `None` and one line that says why.
pub fn guest(config: KvmConfig) -> Option<KvmMachine> {
    KvmMachine::new(config).inspect_err(skipped).ok()
}

/// AArch64 stage 1.
pub const fn arm(granule: Granule, va_bits: u8, region: Region) -> Regime {
    Regime::Arm1 {
        granule,
        va_bits,
        region,
    }
}

/// LoongArch64.
pub const fn loongarch(granule: Granule, va_bits: u8, region: Region) -> Regime {
    Regime::LoongArch {
        granule,
        va_bits,
        region,
    }
}

pub const LOONGARCH_4K: Regime = loongarch(Granule::Size4K, 47, Region::Lower);
pub const ARM_4K: Regime = arm(Granule::Size4K, 48, Region::Lower);
pub const ARM_STAGE_2: Regime = Regime::Arm2 { ipa_bits: 48 };
pub const SV39: Regime = Regime::Riscv { levels: 3 };
