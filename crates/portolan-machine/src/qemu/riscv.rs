//! RISC-V: the virtual board's processor with Sv39 to Sv57 and Svpbmt, which starts in machine mode.

mod monitor;

use super::processor::Processor;
use crate::access::{Access, Kind, Privilege};
use crate::guest::mailbox::{self, Report, Step};
use crate::guest::{Answer, Fault, Protocol, write_bytes};
use crate::memory::Memory;
use monitor::Program;
use portolan::PhysAddr;
use std::ops::RangeInclusive;

/// Where the board's memory starts.
const RAM: u64 = 0x8000_0000;

pub(super) struct Riscv {
    levels: u8,
    memory_types: bool,
    program: Program,
}

/// How many bits QEMU's physical addresses have.
const PHYS_BITS: u8 = 56;

/// mstatus.SUM: supervisor mode may load from and store to user pages.
const SUM: u64 = 1 << 18;
/// Permissions for all of physical memory: one naturally aligned region with R, W and X (privileged architecture, 3.7.1).
const PMP_ADDR: u64 = u64::MAX >> 10;
const PMP_CONFIG: u64 = 0b0001_1111;
/// menvcfg.ADUE: hardware sets A and D. QEMU 7.2 has not the bit, and does so always.
const ADUE: u64 = 1 << 61;
/// menvcfg.PBMTE: the memory types of Svpbmt.
const PBMTE: u64 = 1 << 62;

/// `mcause` of a breakpoint.
const BREAKPOINT: u64 = 3;

impl Riscv {
    /// Nothing if there are no such processors.
    pub(super) fn new(levels: u8, phys_bits: u8, memory_types: bool) -> Option<Self> {
        let possible = (3..=5).contains(&levels) && phys_bits == PHYS_BITS;
        possible.then(|| Riscv {
            levels,
            memory_types,
            program: monitor::program(),
        })
    }
}

impl Protocol for Riscv {
    fn access(&self, access: &Access, area: u64) -> Step {
        let code = area + mailbox::CODE;
        let previous = match access.privilege {
            Privilege::Supervisor => 1 << 11,
            Privilege::User => 0,
        };
        let (target, mode) = match access.kind {
            Kind::Load => (code + self.program.load, previous | monitor::MPRV),
            Kind::Store => (code + self.program.store, previous | monitor::MPRV),
            Kind::Fetch => (access.va, previous),
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
        u64::from(self.levels + 5) << 60 | root >> 12
    }

    fn answer(&self, access: &Access, report: &Report, area: u64) -> Option<Answer> {
        let [cause, addr, pc, status, a0, ..] = *report;
        let code = area + mailbox::CODE;
        let fault = Fault {
            cause,
            syndrome: 0,
            addr,
        };
        match (cause, access.kind) {
            (BREAKPOINT, Kind::Load) if pc == code + self.program.loaded => {
                Some(Answer::Loaded(a0))
            }
            (BREAKPOINT, Kind::Store) if pc == code + self.program.stored => Some(Answer::Stored),
            (BREAKPOINT, Kind::Fetch) if pc == access.va.wrapping_add(6) => {
                let user = status & monitor::MPP == 0;
                (user == (access.privilege == Privilege::User)).then(|| Answer::Fetched(number(a0)))
            }
            (5 | 13, Kind::Load) | (7 | 15, Kind::Store) | (1 | 12, Kind::Fetch) => {
                Some(Answer::Fault(fault))
            }
            (_, Kind::Fetch) => Some(Answer::Astray(fault)),
            _ => None,
        }
    }
}

impl Processor for Riscv {
    fn program(&self) -> &'static str {
        "qemu-system-riscv64"
    }

    fn ram(&self) -> u64 {
        RAM
    }

    fn phys_bits(&self) -> u8 {
        PHYS_BITS
    }

    fn arguments(&self, area: u64) -> Vec<String> {
        let start = format!("loader,addr={:#x},cpu-num=0", area + mailbox::CODE);
        let board = ["-M", "virt,memory-backend=ram", "-bios", "none"];
        let types = if self.memory_types { "on" } else { "off" };
        let processor = format!("rv64,svpbmt={types}");
        let processor = ["-cpu", &processor, "-device", &start];
        board
            .into_iter()
            .chain(processor)
            .map(str::to_owned)
            .collect()
    }

    fn lay_out(&self, memory: &Memory, area: u64) {
        write_bytes(memory, area + mailbox::CODE, &self.program.bytes);
        let boot = area + mailbox::HEADER + u64::from(mailbox::BOOT);
        let types = if self.memory_types { PBMTE } else { 0 };
        let words = [PMP_ADDR, PMP_CONFIG, SUM, ADUE | types];
        for (addr, word) in (boot..).step_by(8).zip(words) {
            memory.store(PhysAddr::new(addr), word);
        }
    }

    fn reserved(&self) -> Vec<RangeInclusive<u64>> {
        let area = RAM + mailbox::AREA;
        vec![area..=area + (mailbox::AREA - 1)]
    }

    fn slot(&self, _area: u64) -> Option<(u64, u64)> {
        None
    }
}

/// The number of which a [code word](crate::Isa::code_word) made `a0`. What was added to the upper bits is from -32 to 31.
const fn number(a0: u64) -> u32 {
    let low = a0 & 0x3f;
    let added = low.wrapping_sub((low & 0x20) << 1);
    let high = a0.wrapping_sub(added) >> 12 & 0xf_ffff;
    (high << 6 | low) as u32
}
