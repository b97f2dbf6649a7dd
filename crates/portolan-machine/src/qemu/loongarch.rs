//! LoongArch64: the virtual board's processor, a Loongson 3A5000, whose TLB the program in the guest fills.

mod assembler;
mod csr;
mod monitor;
mod refill;

use super::processor::Processor;
use crate::access::{Access, Kind, Privilege};
use crate::fault::Refused;
use crate::guest::mailbox::{self, Report, Step};
use crate::guest::{Answer, Fault, Protocol, write_bytes};
use crate::memory::Memory;
use crate::walk::{Granule, Region};
use monitor::{LOAD, LOADED, STORE, STORED, WINDOW};
use portolan::PhysAddr;
use refill::Directory;
use std::ops::RangeInclusive;

/// Where the board's memory goes on, and how much of it lies below, from address 0.
const RAM: u64 = 0x9000_0000;
const LOW: u64 = 256 << 20;

/// How many bits QEMU's physical addresses have.
const PHYS_BITS: u8 = 48;
/// How many bits its virtual addresses have: VALEN.
const VIRT_BITS: u64 = 48;

/// The exception code of `break` (6.2).
const BREAKPOINT: u64 = 0xc;
/// The privilege level of programs, and where PRMD has that of what was interrupted.
const PPLV: u64 = 3;

pub(super) struct LoongArch {
    page_bits: u64,
    va_bits: u8,
    program: Vec<u8>,
}

impl LoongArch {
    /// Nothing if there are no such processors.
    pub(super) fn new(
        granule: Granule,
        va_bits: u8,
        region: Region,
        phys_bits: u8,
    ) -> Option<Self> {
        let (page_bits, above, smallest) = match (granule, va_bits) {
            (Granule::Size4K, 39) => (12, vec![LEVEL_3, LEVEL_2], LEVEL_1),
            (Granule::Size4K, 47) => (12, vec![LEVEL_4, LEVEL_3, LEVEL_2], LEVEL_1),
            (Granule::Size16K, 47) => (14, vec![LARGE_LEVEL_3, LARGE_LEVEL_2], LARGE_LEVEL_1),
            _ => return None,
        };
        let root = match region {
            Region::Lower => csr::PGDL,
            Region::Upper => csr::PGDH,
        };
        let area = RAM + mailbox::AREA;
        (phys_bits == PHYS_BITS).then(|| LoongArch {
            page_bits,
            va_bits,
            program: monitor::program(area, root, &above, smallest),
        })
    }
}

const fn directory(high: u32, low: u32, half: Option<i32>) -> Directory {
    Directory {
        index: (high, low),
        half,
    }
}

const LEVEL_4: Directory = directory(46, 39, None);
const LEVEL_3: Directory = directory(38, 30, Some(29));
const LEVEL_2: Directory = directory(29, 21, Some(20));
const LEVEL_1: Directory = directory(20, 12, None);
const LARGE_LEVEL_3: Directory = directory(46, 36, None);
const LARGE_LEVEL_2: Directory = directory(35, 25, Some(24));
const LARGE_LEVEL_1: Directory = directory(24, 14, None);

impl Protocol for LoongArch {
    fn access(&self, access: &Access, area: u64) -> Step {
        let code = WINDOW + area + mailbox::CODE;
        let previous = match access.privilege {
            Privilege::Supervisor => 0,
            Privilege::User => PPLV,
        };
        let target = match access.kind {
            Kind::Load => code + LOAD,
            Kind::Store => code + STORE,
            Kind::Fetch => access.va,
        };
        [
            mailbox::ACCESS.into(),
            access.va,
            access.value,
            target,
            previous,
        ]
    }

    fn root(&self, root: u64) -> u64 {
        root
    }

    fn answer(&self, access: &Access, report: &Report, area: u64) -> Option<Answer> {
        let [cause, addr, pc, previous, instruction, a0, ..] = *report;
        let code = WINDOW + area + mailbox::CODE;
        let fault = Fault {
            cause,
            syndrome: 0,
            addr,
        };
        match (cause, access.kind) {
            (BREAKPOINT, Kind::Load) if pc == code + LOADED => Some(Answer::Loaded(a0)),
            (BREAKPOINT, Kind::Store) if pc == code + STORED => Some(Answer::Stored),
            (BREAKPOINT, Kind::Fetch) if pc == access.va.wrapping_add(4) => {
                let user = previous & PPLV == PPLV;
                (user == (access.privilege == Privilege::User))
                    .then(|| Answer::Fetched(number(a0, instruction)))
            }
            (1..=8 | Refused::REFILL, _) => Some(Answer::Fault(fault)),
            (_, Kind::Fetch) => Some(Answer::Astray(fault)),
            _ => None,
        }
    }
}

impl Processor for LoongArch {
    fn program(&self) -> &'static str {
        "qemu-system-loongarch64"
    }

    fn ram(&self) -> u64 {
        RAM
    }

    fn elsewhere(&self) -> u64 {
        LOW
    }

    fn phys_bits(&self) -> u8 {
        PHYS_BITS
    }

    fn firmware(&self) -> Option<Vec<u8>> {
        Some(monitor::firmware(RAM + mailbox::AREA))
    }

    fn arguments(&self, _area: u64) -> Vec<String> {
        ["-M", "virt,memory-backend=ram", "-cpu", "la464"]
            .map(str::to_owned)
            .into()
    }

    fn lay_out(&self, memory: &Memory, area: u64) {
        write_bytes(memory, area + mailbox::CODE, &self.program);
        let boot = area + mailbox::HEADER + u64::from(mailbox::BOOT);
        let empty = area + mailbox::EMPTY;
        // The address that leaves one bit more than a region translates
        let reduced = VIRT_BITS - u64::from(self.va_bits) - 1;
        let words = [
            self.page_bits,
            reduced,
            empty,
            empty,
            area + monitor::refill_entry(),
        ];
        for (addr, word) in (boot..).step_by(8).zip(words) {
            memory.store(PhysAddr::new(addr), word);
        }
    }

    fn seen(&self, area: u64) -> u64 {
        WINDOW + area
    }

    fn reserved(&self) -> Vec<RangeInclusive<u64>> {
        // QEMU 7.2 looks at bits 63:48 of an address only, whatever RVACFG says: to it, some that are no region's are (5.2: all
        // bits from the highest one that is translated up are the same)
        let region = 1 << self.va_bits;
        let (low, high) = (1 << VIRT_BITS, u64::MAX << VIRT_BITS);
        vec![
            WINDOW..=WINDOW + ((1 << 60) - 1),
            region..=low - 1,
            high..=u64::MAX - region,
        ]
    }

    fn slot(&self, _area: u64) -> Option<(u64, u64)> {
        None
    }
}

/// The number of which a [code word](crate::Isa::code_word) made `a0` and the `break` behind.
const fn number(a0: u64, instruction: u64) -> u32 {
    ((instruction & 0xfff) << 20 | a0 >> 12 & 0xf_ffff) as u32
}
