//! One virtual processor, with its monitor.

use super::monitor;
use crate::access::{Access, Kind, Outcome, Privilege};
use crate::fault::{Fault, PageFaultCode};
use crate::machine::MachineError;
use crate::memory::Memory;
use kvm_bindings::{CpuId, Msrs, kvm_dtable, kvm_msr_entry, kvm_segment};
use kvm_ioctls::{VcpuExit, VcpuFd, VmFd};
use portolan::PhysAddr;

/// A step for the monitor. Addresses of memory are physical.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Access(Access),
    InvalidatePage(u64),
    /// The one under the identifier in use. What is known under it stays if so.
    LoadRoot(bool),
    InvalidateAll,
    /// Writes a word of memory without changing it, up to so many of the list that begins there.
    Touch([u64; monitor::TOUCHES], usize),
    Write(u64, u64),
}

pub(super) struct Vcpu {
    fd: VcpuFd,
    memory: Memory,
    /// Where its area is, in physical memory.
    area: u64,
    /// The top-level slot that the monitor has, and the slot's first virtual address.
    slot: u64,
    base: u64,
    /// The tested root that is loaded.
    root: Option<u64>,
    /// Under which identifier.
    id: usize,
    broken: Option<MachineError>,
}

/// Whether the processor has PCIDs (CPUID.01H:ECX\[17\]).
pub(super) fn has_identifiers(cpuid: &CpuId) -> bool {
    let mut leaves = cpuid.as_slice().iter();
    leaves.any(|leaf| leaf.function == 1 && leaf.ecx >> 17 & 1 == 1)
}

/// Whether bits 63 to 47 are equal.
fn is_canonical(va: u64) -> bool {
    ((va << 16) as i64 >> 16) as u64 == va
}

/// A host call's failure.
pub(super) fn host<T>(
    call: &'static str,
    result: Result<T, kvm_ioctls::Error>,
) -> Result<T, MachineError> {
    result.map_err(|error| MachineError::Host {
        call,
        reason: error.to_string(),
    })
}

// Bits of the monitor's own entries: present, writable, for user mode, accessed, dirty, large, not for execution
const TABLE: u64 = 0x27;
const CODE_PAGE: u64 = 0x61;
const USER_CODE_PAGE: u64 = 0x65;
const DATA_PAGE: u64 = 0x63 | 1 << 63;
const LARGE_DATA_PAGE: u64 = 0xe3 | 1 << 63;
/// The accessed bit of any entry.
const ACCESSED: u64 = 0x20;

/// IA32_PAT: write-back, write-through, uncacheable-minus, uncacheable, write-combining, write-protected, and the
/// third and the fourth again.
const PAT: u64 = 0x0007_0501_0007_0406;
const IA32_PAT: u32 = 0x277;

impl Vcpu {
    pub(super) fn new(
        vm: &VmFd,
        id: usize,
        cpuid: &CpuId,
        memory: &Memory,
        bytes: u64,
        slot: u64,
    ) -> Result<Self, MachineError> {
        let fd = host("KVM_CREATE_VCPU", vm.create_vcpu(id as u64))?;
        host("KVM_SET_CPUID2", fd.set_cpuid2(cpuid))?;
        let area = monitor::AREA * (1 + id as u64);
        let base = ((slot << 55) as i64 >> 16) as u64;
        let vcpu = Vcpu {
            fd,
            memory: memory.clone(),
            area,
            slot,
            base,
            root: None,
            id: 0,
            broken: None,
        };
        vcpu.lay_out(bytes);
        vcpu.set_registers(has_identifiers(cpuid))?;
        Ok(vcpu)
    }

    fn put(&self, offset: u64, word: u64) {
        self.memory.store(PhysAddr::new(self.area + offset), word);
    }

    fn get(&self, offset: u64) -> u64 {
        self.memory.load(PhysAddr::new(self.area + offset))
    }

    /// The monitor's code, tables and descriptors.
    fn lay_out(&self, bytes: u64) {
        for (index, part) in monitor::image().chunks(8).enumerate() {
            let mut word = [0; 8];
            word[..part.len()].copy_from_slice(part);
            self.put(monitor::CODE + 8 * index as u64, u64::from_le_bytes(word));
        }
        for id in 0..=monitor::IDENTIFIERS {
            let own = monitor::root(id) + 8 * self.slot;
            self.put(own, (self.area + monitor::PDPT) | TABLE);
        }
        self.put(monitor::PDPT, (self.area + monitor::PD) | TABLE);
        self.put(monitor::PD, (self.area + monitor::PT) | TABLE);
        for offset in (0..monitor::AREA).step_by(4096) {
            let entry = match offset {
                monitor::CODE => self.area | CODE_PAGE,
                monitor::USER_CODE => self.area | USER_CODE_PAGE,
                _ => (self.area + offset) | DATA_PAGE,
            };
            self.put(monitor::PT + offset / 512, entry);
        }
        for large in 0..bytes >> 21 {
            let (gib, index) = (large >> 9, large & 511);
            let table = monitor::DIRECT + gib * 4096;
            self.put(
                monitor::PDPT + 8 * ((monitor::DIRECT_OFFSET >> 30) + gib),
                (self.area + table) | TABLE,
            );
            self.put(table + 8 * index, large << 21 | LARGE_DATA_PAGE);
        }
        self.describe();
    }

    /// The descriptor tables (Intel SDM vol. 3, 3.4.5, 7.14.1 and 9.7).
    fn describe(&self) {
        let flat = [
            0,
            0x00af_9b00_0000_ffff,
            0x00cf_9300_0000_ffff,
            0x00cf_f300_0000_ffff,
            0x00af_fb00_0000_ffff,
        ];
        for (index, descriptor) in flat.into_iter().enumerate() {
            self.put(monitor::GDT + 8 * index as u64, descriptor);
        }
        let tss = self.base + monitor::TSS;
        let low = 0x67 | (tss & 0xff_ffff) << 16 | 0x8b << 40 | (tss >> 24 & 0xff) << 56;
        self.put(monitor::GDT + u64::from(monitor::SELECT_TSS), low);
        self.put(monitor::GDT + u64::from(monitor::SELECT_TSS) + 8, tss >> 32);
        // RSP0 is at byte 4 of the segment, across two words
        let stack = self.base + monitor::STACK_TOP;
        self.put(monitor::TSS, stack << 32);
        self.put(monitor::TSS + 8, stack >> 32);
        for vector in 0..32 {
            let handler = self.base + monitor::handler(vector);
            let selector = u64::from(monitor::SELECT_CODE);
            let low =
                handler & 0xffff | selector << 16 | 0x8e << 40 | (handler >> 16 & 0xffff) << 48;
            self.put(monitor::IDT + 16 * vector, low);
            self.put(monitor::IDT + 16 * vector + 8, handler >> 32);
        }
    }

    /// 64-bit mode, with CR0.WP, CR4.PGE and IA32_EFER.NXE, with CR4.PCIDE if there are `identifiers`, without SMEP, SMAP or
    /// protection keys.
    fn set_registers(&self, identifiers: bool) -> Result<(), MachineError> {
        let segment = |selector: u16, type_: u8, long: u8| kvm_segment {
            limit: 0xffff_ffff,
            selector,
            type_,
            present: 1,
            db: 1 - long,
            s: 1,
            l: long,
            g: 1,
            ..kvm_segment::default()
        };
        let mut special = host("KVM_GET_SREGS", self.fd.get_sregs())?;
        special.cs = segment(monitor::SELECT_CODE, 0xb, 1);
        special.ss = segment(monitor::SELECT_DATA, 3, 0);
        (special.ds, special.es, special.fs, special.gs) =
            (special.ss, special.ss, special.ss, special.ss);
        special.tr = kvm_segment {
            base: self.base + monitor::TSS,
            limit: 0x67,
            selector: monitor::SELECT_TSS,
            type_: 0xb,
            present: 1,
            ..kvm_segment::default()
        };
        special.gdt = kvm_dtable {
            base: self.base + monitor::GDT,
            limit: 0x37,
            padding: [0; 3],
        };
        special.idt = kvm_dtable {
            base: self.base + monitor::IDT,
            limit: 0x1ff,
            padding: [0; 3],
        };
        special.cr0 = 0x8001_0033;
        special.cr3 = self.area + monitor::root(0);
        special.cr4 = 0x02a0 | u64::from(identifiers) << 17;
        special.efer = 0x0d00;
        host("KVM_SET_SREGS", self.fd.set_sregs(&special))?;
        let pat = kvm_msr_entry {
            index: IA32_PAT,
            data: PAT,
            ..kvm_msr_entry::default()
        };
        let msrs = Msrs::from_entries(&[pat]).expect("one entry is not too many");
        if host("KVM_SET_MSRS", self.fd.set_msrs(&msrs))? != 1 {
            return Err(MachineError::Host {
                call: "KVM_SET_MSRS",
                reason: "IA32_PAT was not accepted".into(),
            });
        }
        let mut general = host("KVM_GET_REGS", self.fd.get_regs())?;
        general.rip = self.base + monitor::CODE;
        general.rsp = self.base + monitor::STACK_TOP;
        general.rflags = 2;
        host("KVM_SET_REGS", self.fd.set_regs(&general))
    }

    /// Loads a root, or one that maps nothing.
    pub(super) fn set_root(&mut self, root: Option<u64>) -> Result<(), MachineError> {
        (self.root, self.id) = (root, 0);
        self.run(&[Step::LoadRoot(false)]).map(drop)
    }

    /// Loads a root under an identifier.
    pub(super) fn set_root_as(
        &mut self,
        root: u64,
        id: usize,
        keep: bool,
    ) -> Result<(), MachineError> {
        (self.root, self.id) = (Some(root), id);
        self.run(&[Step::LoadRoot(keep)]).map(drop)
    }

    /// Performs steps on the tables as they are now, and gives the outcomes of the accesses among them.
    pub(super) fn run(&mut self, steps: &[Step]) -> Result<Vec<Outcome>, MachineError> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        let mut outcomes = Vec::with_capacity(steps.len());
        let refreshed = self.refresh();
        let all: Vec<Step> = refreshed.into_iter().chain(steps.iter().copied()).collect();
        for part in all.chunks(monitor::CAPACITY) {
            if let Err(error) = self.run_part(part, &mut outcomes) {
                // The guest's state is lost, so no later answer could be trusted
                self.broken = Some(error.clone());
                return Err(error);
            }
        }
        self.give_back_accessed();
        Ok(outcomes)
    }

    /// The steps that bring the copy of the root up to date.
    fn refresh(&self) -> Vec<Step> {
        let own = |index: &u64| *index != self.slot;
        let write = |index| {
            let tested = self
                .root
                .map_or(0, |root| self.memory.load(PhysAddr::new(root + 8 * index)));
            let copy = monitor::root(self.id) + 8 * index;
            (self.get(copy) != tested).then_some(Step::Write(self.area + copy, tested))
        };
        (0..512).filter(own).filter_map(write).collect()
    }

    /// Sets in the tested root the accessed bits that the processor set in the copy.
    fn give_back_accessed(&self) {
        let Some(root) = self.root else { return };
        for index in (0..512).filter(|index| *index != self.slot) {
            let copy = self.get(monitor::root(self.id) + 8 * index);
            let tested = PhysAddr::new(root + 8 * index);
            if copy & ACCESSED != 0 {
                // Fails if the entry is another by now, and then has nothing to say
                self.memory.exchange(tested, copy & !ACCESSED, copy).ok();
            }
        }
    }

    fn run_part(
        &mut self,
        steps: &[Step],
        outcomes: &mut Vec<Outcome>,
    ) -> Result<(), MachineError> {
        for (index, step) in steps.iter().enumerate() {
            self.encode(monitor::STEPS + monitor::STEP * index as u64, step);
        }
        let end = self.base + monitor::STEPS + monitor::STEP * steps.len() as u64;
        self.put(monitor::HEADER + 8, end);
        self.enter()?;
        if self.get(monitor::HEADER) != end {
            let exit = "the monitor stopped before the end of its steps".into();
            return Err(MachineError::UnexpectedExit { exit });
        }
        for (index, step) in steps.iter().enumerate() {
            if let Step::Access(access) = step {
                outcomes.push(self.decode(monitor::STEPS + monitor::STEP * index as u64, access)?);
            }
        }
        Ok(())
    }

    /// Lets the guest run until its list is finished.
    fn enter(&mut self) -> Result<(), MachineError> {
        loop {
            return match self.fd.run() {
                Ok(VcpuExit::IoOut(monitor::PORT, _)) => Ok(()),
                Ok(VcpuExit::MmioRead(addr, _) | VcpuExit::MmioWrite(addr, _)) => {
                    Err(MachineError::OutsideMemory { addr })
                }
                Ok(VcpuExit::Shutdown) => Err(MachineError::TripleFault),
                Ok(exit) => Err(MachineError::UnexpectedExit {
                    exit: format!("{exit:?}"),
                }),
                Err(error) if error.errno() == libc::EINTR => continue,
                Err(error) => host("KVM_RUN", Err(error)),
            };
        }
    }

    fn encode(&self, at: u64, step: &Step) {
        let direct = self.base + monitor::DIRECT_OFFSET;
        let words = |words: &[u64]| {
            (0..)
                .step_by(8)
                .zip(words)
                .for_each(|(byte, word)| self.put(at + byte, *word))
        };
        match *step {
            Step::Access(access) => {
                let (page, code, stack) = match access.privilege {
                    Privilege::Supervisor => {
                        (monitor::CODE, monitor::SELECT_CODE, monitor::SELECT_DATA)
                    }
                    Privilege::User => (
                        monitor::USER_CODE,
                        monitor::SELECT_USER_CODE,
                        monitor::SELECT_USER_DATA,
                    ),
                };
                let program = match access.kind {
                    Kind::Load => monitor::load().0,
                    Kind::Store => monitor::store().0,
                    Kind::Fetch => monitor::fetch(),
                };
                let rip = self.base + page + program;
                words(&[
                    monitor::OP_ACCESS,
                    access.va,
                    access.value,
                    rip,
                    code.into(),
                    stack.into(),
                ]);
                self.put(at + monitor::OUT_VECTOR, u64::MAX);
            }
            Step::InvalidatePage(va) => words(&[monitor::OP_INVLPG, va]),
            Step::LoadRoot(keep) => {
                let root = self.area + monitor::root(self.id) + self.id as u64;
                words(&[monitor::OP_LOAD_ROOT, root | u64::from(keep) << 63]);
            }
            Step::InvalidateAll => words(&[monitor::OP_FLUSH]),
            Step::Touch(list, count) => {
                words(&[monitor::OP_TOUCH, count as u64]);
                for (index, word) in list[..count].iter().enumerate() {
                    self.put(at + 16 + 8 * index as u64, direct + word);
                }
            }
            Step::Write(addr, word) => words(&[monitor::OP_WRITE, direct + addr, word]),
        }
    }

    fn decode(&self, at: u64, access: &Access) -> Result<Outcome, MachineError> {
        let [vector, code, cr2, rip, rax] = [
            monitor::OUT_VECTOR,
            monitor::OUT_CODE,
            monitor::OUT_CR2,
            monitor::OUT_RIP,
            monitor::OUT_RAX,
        ]
        .map(|offset| self.get(at + offset));
        let page = self.base
            + if access.privilege == Privilege::User {
                monitor::USER_CODE
            } else {
                monitor::CODE
            };
        let outcome = match (vector, access.kind) {
            (6, Kind::Load) if rip == page + monitor::load().1 => Outcome::Loaded(rax),
            (6, Kind::Store) if rip == page + monitor::store().1 => Outcome::Stored,
            (6, Kind::Fetch) if rip == access.va.wrapping_add(5) => Outcome::Fetched(rax as u32),
            (13, Kind::Load) if rip == page + monitor::load().0 => {
                Outcome::Fault(Fault::GeneralProtection { code: code as u32 })
            }
            (13, Kind::Store) if rip == page + monitor::store().0 => {
                Outcome::Fault(Fault::GeneralProtection { code: code as u32 })
            }
            // Some processors report the jump, others its target
            (13, Kind::Fetch)
                if rip == page + monitor::fetch() || rip == access.va && !is_canonical(rip) =>
            {
                Outcome::Fault(Fault::GeneralProtection { code: code as u32 })
            }
            (14, _) => Outcome::Fault(Fault::Page {
                code: PageFaultCode(code as u32),
                addr: cr2,
            }),
            (0..32, Kind::Fetch) => Outcome::Astray {
                exception: vector as u8,
            },
            _ => return Err(MachineError::UnexpectedException { vector, code, rip }),
        };
        Ok(outcome)
    }
}
