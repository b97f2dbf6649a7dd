//! x86_64: a small board whose processor has all features, with 4 or 5 levels.
//!
//! All that runs in 64-bit mode is translated by the tables under test, so one slot of the root is the monitor's own: a
//! copy of the root is loaded.

mod monitor;

use super::processor::Processor;
use crate::access::{Access, Kind, Privilege};
use crate::guest::mailbox::{self, Report, Step};
use crate::guest::{Answer, Fault, Protocol, write_bytes};
use crate::memory::Memory;
use portolan::PhysAddr;
use std::ops::RangeInclusive;

pub(super) struct X86_64 {
    levels: u8,
    phys_bits: u8,
}

/// The slot of the root that is the monitor's.
const SLOT: u64 = 300;

// Bits of the monitor's own entries: present, writable, for user mode, accessed, dirty, large, not for execution
const TABLE: u64 = 0x27;
const CODE_PAGE: u64 = 0x61;
const USER_CODE_PAGE: u64 = 0x65;
const DATA_PAGE: u64 = 0x63 | 1 << 63;
const LARGE_DATA_PAGE: u64 = 0xe3 | 1 << 63;
const LARGE_CODE_PAGE: u64 = 0xe1;

/// The monitor's own tables, as offsets in the area: from the slot down, and those that the start needs.
const SLOT_TABLES: u64 = mailbox::TABLES;
const PDPT: u64 = mailbox::TABLES + 0x1000;
const PD: u64 = mailbox::TABLES + 0x2000;
const PT: u64 = mailbox::TABLES + 0x3000;
const BOOT_TABLES: u64 = mailbox::COPY + 0x1000;

/// CR4: PAE, PGE and OSFXSR; and LA57 for 5 levels. Without SMEP, SMAP and protection keys.
const CR4: u64 = 0x02a0;
const CR4_LA57: u64 = 1 << 12;

/// GiB of memory: what lies below the hole that boards leave under 4 GiB.
const GIB: u64 = 3;

impl X86_64 {
    /// Nothing if there are no such processors.
    pub(super) fn new(levels: u8, phys_bits: u8) -> Option<Self> {
        let possible = (4..=5).contains(&levels) && (36..=52).contains(&phys_bits);
        possible.then_some(X86_64 { levels, phys_bits })
    }

    /// How many bits of an address are below the index into the root.
    fn slot_bits(&self) -> u32 {
        12 + 9 * (u32::from(self.levels) - 1)
    }

    /// The first address of the monitor's slot, where its area is.
    fn base(&self) -> u64 {
        self.extended(SLOT << self.slot_bits())
    }

    /// The address with the bits above those that are translated as they must be.
    fn extended(&self, va: u64) -> u64 {
        let unused = 64 - 9 - self.slot_bits();
        ((va << unused).cast_signed() >> unused).cast_unsigned()
    }

    /// The tables of the slot: the area at its start, the physical memory further on.
    fn lay_out_tables(&self, put: &impl Fn(u64, u64), area: u64) {
        // The slot's entry refers to the first with 5 levels, and to the second with 4
        put(SLOT_TABLES, (area + PDPT) | TABLE);
        put(PDPT, (area + PD) | TABLE);
        put(PD, (area + PT) | TABLE);
        for offset in (0..mailbox::AREA).step_by(4096) {
            let entry = match offset {
                mailbox::CODE => area | CODE_PAGE,
                monitor::USER_CODE => area | USER_CODE_PAGE,
                _ => (area + offset) | DATA_PAGE,
            };
            put(PT + offset / 512, entry);
        }
        for gib in 0..GIB {
            put(
                PDPT + 8 * ((monitor::DIRECT >> 30) + gib),
                gib << 30 | LARGE_DATA_PAGE,
            );
        }
    }

    /// A root for the start: the slot, and where the program of the start and the boot words are, at their physical
    /// addresses.
    fn lay_out_start(&self, put: &impl Fn(u64, u64), area: u64) {
        let last = BOOT_TABLES + 0x1000 * u64::from(self.levels - 3);
        for table in (BOOT_TABLES..last).step_by(0x1000) {
            put(table, (area + table + 0x1000) | TABLE);
        }
        put(last, LARGE_CODE_PAGE);
        put(last + 8 * 3, 3 << 30 | LARGE_CODE_PAGE);
        put(BOOT_TABLES + 8 * SLOT, self.slot_entry(area));
        let cr4 = CR4 | if self.levels == 5 { CR4_LA57 } else { 0 };
        let boot = mailbox::HEADER + u64::from(mailbox::BOOT);
        put(boot, cr4);
        put(boot + 8, area + BOOT_TABLES);
        put(boot + 16, self.base() + mailbox::CODE);
    }

    /// The descriptor tables (Intel SDM vol. 3, 3.4.5, 7.14.1 and 9.7).
    fn describe(&self, put: &impl Fn(u64, u64)) {
        let flat = [
            0,
            0x00af_9b00_0000_ffff,
            0x00cf_9300_0000_ffff,
            0x00cf_f300_0000_ffff,
            0x00af_fb00_0000_ffff,
        ];
        for (addr, descriptor) in (monitor::GDT..).step_by(8).zip(flat) {
            put(addr, descriptor);
        }
        let tss = self.base() + monitor::TSS;
        let low = 0x67 | (tss & 0xff_ffff) << 16 | 0x89 << 40 | (tss >> 24 & 0xff) << 56;
        put(monitor::GDT + u64::from(monitor::SELECT_TSS), low);
        put(monitor::GDT + u64::from(monitor::SELECT_TSS) + 8, tss >> 32);
        // RSP0 is at byte 4 of the segment, across two words
        let stack = self.base() + monitor::STACK_TOP;
        put(monitor::TSS, stack << 32);
        put(monitor::TSS + 8, stack >> 32);
        for vector in 0..32 {
            let handler = self.base() + monitor::handler(vector);
            let selector = u64::from(monitor::SELECT_CODE);
            let gate = selector << 16 | 0x8e << 40;
            put(
                monitor::IDT + 16 * vector,
                handler & 0xffff | gate | (handler >> 16 & 0xffff) << 48,
            );
            put(monitor::IDT + 16 * vector + 8, handler >> 32);
        }
        for (operand, table, limit) in [
            (monitor::GDTR, monitor::GDT, 0x37),
            (monitor::IDTR, monitor::IDT, 0x1ff),
        ] {
            let addr = self.base() + table;
            put(operand, limit | addr << 16);
            put(operand + 8, addr >> 48);
        }
    }

    /// The entry of the monitor's slot.
    fn slot_entry(&self, area: u64) -> u64 {
        let table = if self.levels == 5 { SLOT_TABLES } else { PDPT };
        (area + table) | TABLE
    }
}

impl Protocol for X86_64 {
    fn access(&self, access: &Access, _area: u64) -> Step {
        let (page, code, stack) = match access.privilege {
            Privilege::Supervisor => (mailbox::CODE, monitor::SELECT_CODE, monitor::SELECT_DATA),
            Privilege::User => (
                monitor::USER_CODE,
                monitor::SELECT_USER_CODE,
                monitor::SELECT_USER_DATA,
            ),
        };
        let program = match access.kind {
            Kind::Load => monitor::load()[0],
            Kind::Store => monitor::store()[0],
            Kind::Fetch => monitor::fetch(),
        };
        let selectors = u64::from(code) | u64::from(stack) << 16;
        let target = self.base() + page + program;
        [
            mailbox::ACCESS.into(),
            access.va,
            access.value,
            target,
            selectors,
        ]
    }

    fn root(&self, root: u64) -> u64 {
        root
    }

    fn answer(&self, access: &Access, report: &Report, _area: u64) -> Option<Answer> {
        let [vector, code, cr2, rip, rax, ..] = *report;
        let page = self.base()
            + match access.privilege {
                Privilege::Supervisor => mailbox::CODE,
                Privilege::User => monitor::USER_CODE,
            };
        let fault = Fault {
            cause: vector,
            syndrome: code,
            addr: cr2,
        };
        let at = |offset| rip == page + offset;
        match (vector, access.kind) {
            (6, Kind::Load) if at(monitor::load()[1]) => Some(Answer::Loaded(rax)),
            (6, Kind::Store) if at(monitor::store()[1]) => Some(Answer::Stored),
            (6, Kind::Fetch) if rip == access.va.wrapping_add(5) => {
                Some(Answer::Fetched(rax as u32))
            }
            (13, Kind::Load) if at(monitor::load()[0]) => Some(Answer::Fault(fault)),
            (13, Kind::Store) if at(monitor::store()[0]) => Some(Answer::Fault(fault)),
            // Some processors report the jump, others its target
            (13, Kind::Fetch) if at(monitor::fetch()) => Some(Answer::Fault(fault)),
            (13, Kind::Fetch) if rip == access.va && self.extended(rip) != rip => {
                Some(Answer::Fault(fault))
            }
            (14, _) if cr2 == access.va => Some(Answer::Fault(fault)),
            (0..32, Kind::Fetch) => Some(Answer::Astray(fault)),
            _ => None,
        }
    }
}

impl Processor for X86_64 {
    fn program(&self) -> &'static str {
        "qemu-system-x86_64"
    }

    fn ram(&self) -> u64 {
        0
    }

    fn phys_bits(&self) -> u8 {
        self.phys_bits
    }

    fn gib(&self, wanted: u64) -> u64 {
        wanted.min(GIB)
    }

    fn arguments(&self, _area: u64) -> Vec<String> {
        let processor = format!("max,phys-bits={}", self.phys_bits);
        ["-M", "microvm,memory-backend=ram", "-cpu", &processor]
            .map(str::to_owned)
            .to_vec()
    }

    fn firmware(&self) -> Option<Vec<u8>> {
        Some(monitor::firmware())
    }

    fn lay_out(&self, memory: &Memory, area: u64) {
        let put = |offset, word| memory.store(PhysAddr::new(area + offset), word);
        write_bytes(memory, area + mailbox::CODE, monitor::image());
        write_bytes(memory, area + monitor::USER_CODE, monitor::image());
        self.lay_out_tables(&put, area);
        self.lay_out_start(&put, area);
        self.describe(&put);
    }

    fn seen(&self, _area: u64) -> u64 {
        self.base()
    }

    fn reserved(&self) -> Vec<RangeInclusive<u64>> {
        vec![self.base()..=self.base() + ((1 << self.slot_bits()) - 1)]
    }

    fn slot(&self, area: u64) -> Option<(u64, u64)> {
        Some((SLOT, self.slot_entry(area)))
    }
}
