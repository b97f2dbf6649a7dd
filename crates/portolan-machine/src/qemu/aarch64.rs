//! AArch64: the virtual board's processor with all features, which starts at EL2.
//!
//! Stage 1 is tested with the root of one half of the address space. The other half has tables of the monitor's own,
//! with the instructions that make the accesses, once for EL1 and once for EL0.
//!
//! Stage 2 is tested with stage 1 off, so addresses are intermediate physical ones. All that runs at EL1 and EL0 is
//! translated by it, so one slot of the root is the monitor's own: a copy of the root is loaded.

mod monitor;

use super::processor::Processor;
use crate::access::{Access, Kind, Privilege};
use crate::guest::mailbox::{self, Report, Step};
use crate::guest::{Answer, Fault, Protocol, write_bytes};
use crate::memory::Memory;
use crate::walk::{Granule, Region};
use monitor::Program;
use portolan::PhysAddr;
use std::ops::RangeInclusive;

/// Where the board's memory starts.
const RAM: u64 = 0x4000_0000;

/// What is translated by the tables under test.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stage {
    /// Virtual addresses.
    One {
        granule: Granule,
        va_bits: u8,
        region: Region,
    },
    /// Intermediate physical addresses.
    Two { ipa_bits: u8 },
}

pub(super) struct Aarch64 {
    stage: Stage,
    phys_bits: u8,
    program: Program,
}

// Values of the registers that are loaded when the guest starts (Arm ARM D24.2)

/// HCR_EL2: EL1 is AArch64; stage 2 is on.
const HCR_RW: u64 = 1 << 31;
const HCR_VM: u64 = 1 << 0;
/// MDCR_EL2.TDE: breakpoints go to EL2.
const MDCR_TDE: u64 = 1 << 8;
/// SCTLR_EL1: the bits that are 1 without later features, and both caches; translation is on.
const SCTLR: u64 = 0x30d0_1804;
const SCTLR_M: u64 = 1 << 0;
/// MAIR_EL1: write-back, write-through, non-cacheable, Device-nGnRE, and four of Device-nGnRnE.
const MAIR: u64 = 0x0444_bbff;
/// TCR_EL1: walks through TTBR0_EL1 and TTBR1_EL1 are write-back and inner shareable.
const TCR_WALKS: u64 = 0x3500 | 0x3500 << 16;
/// TCR_EL1: hardware updates of the access flag and the dirty state.
const TCR_HA_HD: u64 = 3 << 39;
/// VTCR_EL2: as above.
const VTCR: u64 = 1 << 31 | 3 << 21 | 0x3500;

/// SPSR_EL2: EL1 with its own stack pointer, or EL0; interrupts masked.
const MODE_EL1: u64 = 0x3c5;
const MODE_EL0: u64 = 0x3c0;

/// The monitor's own half of the address space has 39 bits, and blocks of 1 GiB.
const OWN_BITS: u64 = 39;
const BLOCK: u64 = 1 << 30;
/// A block of memory that may be executed at EL1, and one that may be executed at EL0 (Arm ARM D8.3, D8.4).
const EL1_BLOCK: u64 = 1 << 54 | 1 << 10 | 3 << 8 | 0b10 << 6 | 1;
const EL0_BLOCK: u64 = 1 << 53 | 1 << 10 | 3 << 8 | 0b11 << 6 | 1;

/// The slot of a stage 2 root that is the monitor's, and what is there: for a root of blocks, a block of memory that may
/// be read and executed; else a table with such a block.
const SLOT: u64 = 300;
const STAGE2_BLOCK: u64 = 1 << 10 | 3 << 8 | 0b01 << 6 | 0b1111 << 2 | 1;
const TABLE: u64 = 0b11;

// Exception classes (Arm ARM D24.2.40)
const CLASS_HVC: u64 = 0x16;
const CLASS_BRK: u64 = 0x3c;
const fn is_abort(class: u64) -> bool {
    matches!(class, 0x20 | 0x21 | 0x24 | 0x25)
}

/// TCR_EL1.TG0 and TG1, which encode the same differently.
const fn granule_fields(granule: Granule) -> (u64, u64) {
    match granule {
        Granule::Size4K => (0b00, 0b10),
        Granule::Size16K => (0b10, 0b01),
        Granule::Size64K => (0b01, 0b11),
    }
}

/// How many bits addresses have, as TCR_EL1.IPS and VTCR_EL2.PS encode it.
const fn size_field(phys_bits: u8) -> Option<u64> {
    match phys_bits {
        36 => Some(1),
        40 => Some(2),
        42 => Some(3),
        44 => Some(4),
        48 => Some(5),
        _ => None,
    }
}

impl Aarch64 {
    /// Nothing if there are no such processors, or if the root of stage 2 is not one table of 512 entries. Stage 2 of 48
    /// bits is only where physical addresses have more than 42 (Arm ARM D8.2).
    pub(super) fn new(stage: Stage, phys_bits: u8) -> Option<Self> {
        size_field(phys_bits)?;
        let root = match stage {
            Stage::One {
                region: Region::Lower,
                ..
            } => monitor::TTBR0_EL1,
            Stage::One {
                region: Region::Upper,
                ..
            } => monitor::TTBR1_EL1,
            Stage::Two { ipa_bits } if ipa_bits == 39 || ipa_bits == 48 && phys_bits > 42 => {
                monitor::VTTBR_EL2
            }
            Stage::Two { .. } => return None,
        };
        Some(Aarch64 {
            stage,
            phys_bits,
            program: monitor::program(root),
        })
    }

    /// Where the monitor sees physical memory: at EL1, and at EL0.
    fn views(&self) -> [u64; 2] {
        match self.stage {
            Stage::One {
                region: Region::Lower,
                ..
            } => {
                let base = u64::MAX << OWN_BITS;
                [base, base + BLOCK]
            }
            Stage::One {
                region: Region::Upper,
                ..
            } => [0, BLOCK],
            Stage::Two { ipa_bits } => [Self::slot_base(ipa_bits); 2],
        }
    }

    /// The first address of the monitor's slot of a stage 2 root of 512 entries.
    fn slot_base(ipa_bits: u8) -> u64 {
        SLOT << (ipa_bits - 9)
    }

    /// Where the monitor's area is for a program in this mode.
    fn view(&self, privilege: Privilege, area: u64) -> u64 {
        let [kernel, user] = self.views();
        area - RAM
            + match privilege {
                Privilege::Supervisor => kernel,
                Privilege::User => user,
            }
    }

    /// TCR_EL1 with the tested root's fields and those of the monitor's own.
    fn tcr(&self, granule: Granule, va_bits: u8, region: Region) -> u64 {
        let (tested, own) = (64 - u64::from(va_bits), 64 - OWN_BITS);
        let (tg0, tg1) = granule_fields(granule);
        let (own0, own1) = granule_fields(Granule::Size4K);
        TCR_WALKS
            | self.size() << 32
            | TCR_HA_HD
            | match region {
                Region::Lower => tested | tg0 << 14 | own << 16 | own1 << 30,
                Region::Upper => own | own0 << 14 | tested << 16 | tg1 << 30,
            }
    }

    /// VTCR_EL2: the walk starts at level 0 for 48 bits and at level 1 for 39.
    fn vtcr(&self, ipa_bits: u8) -> u64 {
        let start = if ipa_bits > OWN_BITS as u8 { 2 } else { 1 };
        VTCR | self.size() << 16 | start << 6 | (64 - u64::from(ipa_bits))
    }

    fn size(&self) -> u64 {
        size_field(self.phys_bits).unwrap_or_default()
    }

    fn boot_words(&self, area: u64) -> [u64; 10] {
        let [own, empty] = [area + mailbox::TABLES, area + mailbox::EMPTY];
        let vectors = self.view(Privilege::Supervisor, area) + self.program.vectors;
        match self.stage {
            Stage::One {
                granule,
                va_bits,
                region,
            } => {
                let tcr = self.tcr(granule, va_bits, region);
                let (lower, upper) = match region {
                    Region::Lower => (empty, own),
                    Region::Upper => (own, empty),
                };
                let sctlr = SCTLR | SCTLR_M;
                [
                    HCR_RW, MDCR_TDE, 0, 0, MAIR, tcr, lower, upper, vectors, sctlr,
                ]
            }
            Stage::Two { ipa_bits } => {
                let (hcr, vtcr) = (HCR_RW | HCR_VM, self.vtcr(ipa_bits));
                [hcr, MDCR_TDE, vtcr, empty, MAIR, 0, 0, 0, vectors, SCTLR]
            }
        }
    }
}

impl Protocol for Aarch64 {
    fn access(&self, access: &Access, area: u64) -> Step {
        let code = self.view(access.privilege, area) + mailbox::CODE;
        let target = match access.kind {
            Kind::Load => code + self.program.load,
            Kind::Store => code + self.program.store,
            Kind::Fetch => access.va,
        };
        let mode = match access.privilege {
            Privilege::Supervisor => MODE_EL1,
            Privilege::User => MODE_EL0,
        };
        [
            mailbox::ACCESS.into(),
            access.va,
            access.value,
            target,
            mode,
        ]
    }

    fn root(&self, root: u64) -> u64 {
        root
    }

    fn answer(&self, access: &Access, report: &Report, area: u64) -> Option<Answer> {
        let [_, x0, esr2, far2, elr2, esr1, far1, ..] = *report;
        let code = self.view(access.privilege, area) + mailbox::CODE;
        let class = |syndrome: u64| syndrome >> 26 & 0x3f;
        let (syndrome, addr) = match class(esr2) {
            CLASS_HVC => (esr1, far1),
            _ => (esr2, far2),
        };
        let fault = Fault {
            cause: class(syndrome),
            syndrome,
            addr,
        };
        match (fault.cause, access.kind) {
            (CLASS_BRK, Kind::Load) if elr2 == code + self.program.loaded => {
                Some(Answer::Loaded(x0))
            }
            (CLASS_BRK, Kind::Store) if elr2 == code + self.program.stored => Some(Answer::Stored),
            (CLASS_BRK, Kind::Fetch) if elr2 == access.va.wrapping_add(4) => {
                Some(Answer::Fetched((esr2 as u32) << 16 | x0 as u32 & 0xffff))
            }
            (abort, _) if is_abort(abort) => Some(Answer::Fault(fault)),
            (_, Kind::Fetch) => Some(Answer::Astray(fault)),
            _ => None,
        }
    }
}

impl Processor for Aarch64 {
    fn program(&self) -> &'static str {
        "qemu-system-aarch64"
    }

    fn ram(&self) -> u64 {
        RAM
    }

    fn phys_bits(&self) -> u8 {
        self.phys_bits
    }

    fn arguments(&self, area: u64) -> Vec<String> {
        let start = format!("loader,addr={:#x},cpu-num=0", area + mailbox::CODE);
        [
            "-M",
            "virt,virtualization=on,memory-backend=ram",
            "-cpu",
            "max",
            "-device",
            &start,
        ]
        .map(str::to_owned)
        .to_vec()
    }

    fn lay_out(&self, memory: &Memory, area: u64) {
        write_bytes(memory, area + mailbox::CODE, &self.program.bytes);
        let put = |addr, word| memory.store(PhysAddr::new(addr), word);
        let boot = area + mailbox::HEADER + u64::from(mailbox::BOOT);
        for (addr, word) in (boot..).step_by(8).zip(self.boot_words(area)) {
            put(addr, word);
        }
        let own = area + mailbox::TABLES;
        match self.stage {
            Stage::One { .. } => {
                put(own, RAM | EL1_BLOCK);
                put(own + 8, RAM | EL0_BLOCK);
            }
            Stage::Two { .. } => put(own, RAM | STAGE2_BLOCK),
        }
    }

    fn reserved(&self) -> Vec<RangeInclusive<u64>> {
        match self.stage {
            // All that the monitor's own root translates
            Stage::One {
                region: Region::Lower,
                ..
            } => {
                let first = u64::MAX << OWN_BITS;
                vec![first..=u64::MAX]
            }
            Stage::One {
                region: Region::Upper,
                ..
            } => vec![0..=(1 << OWN_BITS) - 1],
            Stage::Two { ipa_bits } => {
                let base = Self::slot_base(ipa_bits);
                vec![base..=base + ((1 << (ipa_bits - 9)) - 1)]
            }
        }
    }

    fn slot(&self, area: u64) -> Option<(u64, u64)> {
        match self.stage {
            Stage::One { .. } => None,
            Stage::Two { ipa_bits } if u64::from(ipa_bits) == OWN_BITS => {
                Some((SLOT, RAM | STAGE2_BLOCK))
            }
            Stage::Two { .. } => Some((SLOT, (area + mailbox::TABLES) | TABLE)),
        }
    }
}
