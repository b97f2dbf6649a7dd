//! The guest and its processor.

use crate::elf::USER_END;
use crate::error::RunError;
use crate::hardware::Queue;
use crate::memory::{GuestMemory, TABLES};
use crate::monitor;
use kvm_bindings::{
    CpuId, KVM_MAX_CPUID_ENTRIES, Msrs, kvm_dtable, kvm_msr_entry, kvm_regs, kvm_segment,
    kvm_userspace_memory_region, kvm_xcr, kvm_xcrs, kvm_xsave,
};
use kvm_ioctls::{Cap, Kvm, SyncReg, VcpuExit, VcpuFd, VmFd};
use portolan::{KernelHalf, PageProperty, PageSize, PageTable, PhysAddr, VirtAddr, X86_64};
use std::rc::Rc;
use zerocopy::IntoBytes;

/// The half of the address space that the monitor lives in.
pub(crate) type MonitorHalf = PageTable<GuestMemory, KernelHalf<X86_64>>;

/// The guest's processor.
pub(crate) struct Vcpu {
    // dropped in this order: the processor and the machine before the memory they use
    fd: VcpuFd,
    _vm: VmFd,
    memory: GuestMemory,
}

/// Why a program stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trap {
    /// By `SYSCALL`.
    SystemCall,
    /// By a page fault, with its error code, at an address.
    PageFault { code: u64, addr: u64 },
    /// Because others want to go on.
    Tick,
    /// By another exception.
    Exception { vector: u64, code: u64 },
}

/// CPUID leaf with the widths of addresses.
const LEAF_ADDRESSES: u32 = 0x8000_0008;
/// CPUID leaf with the components of the extended state.
const LEAF_STATE: u32 = 0xd;
/// Bits of `XCR0` for x87, SSE, AVX and AVX-512 (Intel SDM vol. 1, 13.3).
const STATE: u64 = 0xe7;

const IA32_STAR: u32 = 0xc000_0081;
const IA32_LSTAR: u32 = 0xc000_0082;
const IA32_FMASK: u32 = 0xc000_0084;
const IA32_FS_BASE: u32 = 0xc000_0100;
const IA32_GS_BASE: u32 = 0xc000_0101;
/// What `SYSCALL` clears of `RFLAGS`: trap, interrupt, direction, privilege level, nested task and alignment check.
const FMASK: u64 = 0x4_7700;

/// The flags that the monitor runs with: none but the one that is always set.
const RFLAGS: u64 = 2;
/// The vector of the interrupt that stops a program.
const NMI: u64 = 2;
/// The vector of page faults.
const PAGE_FAULT: u64 = 14;

/// Properties of the monitor's data.
const DATA: PageProperty = PageProperty::KERNEL_RW;

/// The host's `/dev/kvm`, with what its processors can do.
pub(crate) struct Host {
    kvm: Kvm,
    cpuid: CpuId,
}

impl Host {
    /// Opens `/dev/kvm`.
    pub(crate) fn open() -> Result<Self, RunError> {
        let unavailable = |error: kvm_ioctls::Error| RunError::Unavailable {
            reason: error.to_string(),
        };
        let kvm = Kvm::new().map_err(unavailable)?;
        if !kvm.check_extension(Cap::SyncRegs) {
            let reason = "its KVM_CAP_SYNC_REGS is missing".to_owned();
            return Err(RunError::Unavailable { reason });
        }
        let cpuid = kvm
            .get_supported_cpuid(KVM_MAX_CPUID_ENTRIES)
            .map_err(unavailable)?;
        Ok(Host { kvm, cpuid })
    }

    /// How many bits physical addresses have.
    pub(crate) fn phys_bits(&self) -> u8 {
        self.leaf(LEAF_ADDRESSES)
            .map_or(36, |leaf| (leaf.0 & 0xff) as u8)
    }

    /// `EAX` and `EDX` of a leaf.
    fn leaf(&self, function: u32) -> Option<(u32, u32)> {
        let mut leaves = self.cpuid.as_slice().iter();
        let leaf = leaves.find(|leaf| leaf.function == function && leaf.index == 0);
        leaf.map(|leaf| (leaf.eax, leaf.edx))
    }
}

/// A failed call.
fn host<T>(call: &'static str, result: Result<T, kvm_ioctls::Error>) -> Result<T, RunError> {
    result.map_err(|error| RunError::host(call, error))
}

/// The half of the address space that the monitor lives in, which all programs' tables share.
pub(crate) fn monitor_half(memory: &GuestMemory) -> Result<MonitorHalf, RunError> {
    let refused = |error: portolan::Error| RunError::space(error);
    let mut half = MonitorHalf::new(memory.clone()).map_err(refused)?;
    let (small, large) = (PageSize::Size4K, PageSize::Size2M);
    for offset in (0..monitor::AREA).step_by(small.bytes() as usize) {
        let prop = match offset {
            monitor::CODE => PageProperty::KERNEL_RX,
            _ => DATA,
        };
        let va = VirtAddr::new(monitor::BASE + offset).map_err(refused)?;
        half.map(va, PhysAddr::new(offset), small, prop)
            .map_err(refused)?;
    }
    for addr in TABLES.step_by(large.bytes() as usize) {
        let va = VirtAddr::new(monitor::TABLES + addr).map_err(refused)?;
        half.map(va, PhysAddr::new(addr), large, DATA)
            .map_err(refused)?;
    }
    Ok(half)
}

impl Vcpu {
    /// The processor of a guest with this memory. `root` is the table that it uses first.
    pub(crate) fn new(kvm: &Host, memory: &GuestMemory, root: PhysAddr) -> Result<Self, RunError> {
        let vm = host("KVM_CREATE_VM", kvm.kvm.create_vm())?;
        let (addr, bytes) = memory.host();
        let region = kvm_userspace_memory_region {
            guest_phys_addr: 0,
            memory_size: bytes,
            userspace_addr: addr,
            ..kvm_userspace_memory_region::default()
        };
        // SAFETY: the region is one mapping, which `memory` keeps for as long as the guest exists
        host("KVM_SET_USER_MEMORY_REGION", unsafe {
            vm.set_user_memory_region(region)
        })?;
        let mut fd = host("KVM_CREATE_VCPU", vm.create_vcpu(0))?;
        fd.set_sync_valid_reg(SyncReg::Register);
        host("KVM_SET_CPUID2", fd.set_cpuid2(&kvm.cpuid))?;
        let vcpu = Vcpu {
            fd,
            _vm: vm,
            memory: memory.clone(),
        };
        vcpu.lay_out();
        vcpu.set_registers(kvm, root)?;
        Ok(vcpu)
    }

    /// The monitor's code and descriptor tables (Intel SDM vol. 3, 3.4.5, 7.14.1 and 9.7).
    fn lay_out(&self) {
        let put = |addr, word| self.memory.store(addr, word);
        let code = PhysAddr::new(monitor::CODE);
        self.memory.write(code, monitor::image());
        let flat = [
            0,
            0x00af_9b00_0000_ffff,
            0x00cf_9300_0000_ffff,
            0x00cf_f300_0000_ffff,
            0x00af_fb00_0000_ffff,
        ];
        for (index, descriptor) in flat.into_iter().enumerate() {
            put(monitor::GDT + 8 * index as u64, descriptor);
        }
        let tss = monitor::BASE + monitor::TSS;
        let low = 0x67 | (tss & 0xff_ffff) << 16 | 0x8b << 40 | (tss >> 24 & 0xff) << 56;
        put(monitor::GDT + u64::from(monitor::SELECT_TSS), low);
        put(monitor::GDT + u64::from(monitor::SELECT_TSS) + 8, tss >> 32);
        // RSP0 is at byte 4 of the segment, across two words; the map of ports at byte 102 lies past the limit: there is none
        let stack = monitor::BASE + monitor::STACK_TOP;
        put(monitor::TSS, stack << 32);
        put(monitor::TSS + 8, stack >> 32);
        put(monitor::TSS + 96, 0x68 << 48);
        for vector in 0..32 {
            let handler = monitor::handler(vector);
            let selector = u64::from(monitor::SELECT_CODE);
            // INT3 and INTO are for programs, the others only for the processor
            let gate = if matches!(vector, 3 | 4) { 0xee } else { 0x8e };
            let low =
                handler & 0xffff | selector << 16 | gate << 40 | (handler >> 16 & 0xffff) << 48;
            put(monitor::IDT + 16 * vector, low);
            put(monitor::IDT + 16 * vector + 8, handler >> 32);
        }
    }

    /// 64-bit mode in ring 0, with CR0.WP, CR4.OSFXSR, OSXMMEXCPT and OSXSAVE, and EFER.NXE and SCE.
    fn set_registers(&self, kvm: &Host, root: PhysAddr) -> Result<(), RunError> {
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
        let table = |offset, limit| kvm_dtable {
            base: monitor::BASE + offset,
            limit,
            padding: [0; 3],
        };
        let state = kvm
            .leaf(LEAF_STATE)
            .map_or(0, |(low, high)| u64::from(low) | u64::from(high) << 32)
            & STATE;
        let mut special = host("KVM_GET_SREGS", self.fd.get_sregs())?;
        special.cs = segment(monitor::SELECT_CODE, 0xb, 1);
        special.ss = segment(monitor::SELECT_DATA, 3, 0);
        let data = segment(monitor::SELECT_USER_DATA, 3, 0);
        let data = kvm_segment { dpl: 3, ..data };
        (special.ds, special.es, special.fs, special.gs) = (data, data, data, data);
        special.tr = kvm_segment {
            base: monitor::BASE + monitor::TSS,
            limit: 0x67,
            selector: monitor::SELECT_TSS,
            type_: 0xb,
            present: 1,
            ..kvm_segment::default()
        };
        special.gdt = table(monitor::GDT, 0x37);
        special.idt = table(monitor::IDT, 0x1ff);
        special.cr0 = 0x8001_0033;
        special.cr3 = root.as_u64();
        special.cr4 = if state != 0 { 0x4_0620 } else { 0x0620 };
        special.efer = 0x0d01;
        host("KVM_SET_SREGS", self.fd.set_sregs(&special))?;
        if state != 0 {
            let mut xcrs = kvm_xcrs {
                nr_xcrs: 1,
                ..kvm_xcrs::default()
            };
            xcrs.xcrs[0] = kvm_xcr {
                xcr: 0,
                value: state,
                ..kvm_xcr::default()
            };
            host("KVM_SET_XCRS", self.fd.set_xcrs(&xcrs))?;
        }
        let star = u64::from(monitor::SELECT_CODE) << 32 | u64::from(monitor::SELECT_DATA) << 48;
        self.set_msrs(&[
            (IA32_STAR, star),
            (IA32_LSTAR, monitor::ENTRY),
            (IA32_FMASK, FMASK),
        ])
    }

    /// Sets model-specific registers.
    fn set_msrs(&self, registers: &[(u32, u64)]) -> Result<(), RunError> {
        let entry = |&(index, data): &(u32, u64)| kvm_msr_entry {
            index,
            data,
            ..kvm_msr_entry::default()
        };
        let entries: Vec<_> = registers.iter().map(entry).collect();
        let msrs = Msrs::from_entries(&entries);
        let msrs = msrs.map_err(|_| RunError::host("KVM_SET_MSRS", "too many registers"))?;
        if host("KVM_SET_MSRS", self.fd.set_msrs(&msrs))? != registers.len() {
            return Err(RunError::host("KVM_SET_MSRS", "a register was refused"));
        }
        Ok(())
    }

    /// Sets the bases of `fs` and `gs`.
    pub(crate) fn set_bases(&self, fs: u64, gs: u64) -> Result<(), RunError> {
        self.set_msrs(&[(IA32_FS_BASE, fs), (IA32_GS_BASE, gs)])
    }

    /// The vector registers, and what else is saved by `XSAVE`.
    pub(crate) fn state(&self) -> Result<Rc<kvm_xsave>, RunError> {
        host("KVM_GET_XSAVE", self.fd.get_xsave()).map(Rc::new)
    }

    /// Sets the vector registers, and what else is restored by `XRSTOR`.
    pub(crate) fn set_state(&self, state: &kvm_xsave) -> Result<(), RunError> {
        // SAFETY: no component of the state is larger than the structure: none of those in `STATE` lies beyond
        host("KVM_SET_XSAVE", unsafe { self.fd.set_xsave(state) })
    }

    /// Lets the program go on with these registers, after the processor has done what it owes, until it stops.
    pub(crate) fn run(&mut self, registers: &mut kvm_regs, queue: Queue) -> Result<Trap, RunError> {
        self.perform(queue)?;
        let target = [
            registers.rip,
            monitor::SELECT_USER_CODE.into(),
            registers.rflags,
            registers.rsp,
            monitor::SELECT_USER_DATA.into(),
        ];
        for (addr, word) in (monitor::RETURN..).step_by(8).zip(target) {
            self.memory.store(addr, word);
        }
        let mut now = *registers;
        now.rip = monitor::user_return();
        now.rsp = monitor::BASE + monitor::RETURN;
        now.rflags = RFLAGS;
        let port = self.enter(&now)?;
        *registers = self.fd.sync_regs_mut().regs;
        if port == monitor::PORT_SYSCALL {
            leave_system_call(registers);
            return Ok(Trap::SystemCall);
        }
        let vector = u64::from(port.wrapping_sub(monitor::PORT_EXCEPTION));
        let mut at = registers.rsp.wrapping_sub(monitor::BASE);
        if vector >= 32 || at >= monitor::STACK_TOP || !at.is_multiple_of(8) {
            let exit = format!("port {port:#x}, stack pointer {:#x}", registers.rsp);
            return Err(RunError::UnexpectedExit { exit });
        }
        let mut pop = || {
            at += 8;
            self.memory.load(at - 8)
        };
        let has_code = monitor::WITH_CODE >> vector & 1 == 1;
        let code = if has_code { pop() } else { 0 };
        let (rip, selector) = (pop(), pop());
        if selector & 3 == 0 {
            return Err(RunError::Monitor { vector, code, rip });
        }
        (registers.rip, registers.rflags, registers.rsp) = (rip, pop(), pop());
        if vector == NMI {
            return Ok(Trap::Tick);
        }
        if vector != PAGE_FAULT {
            return Ok(Trap::Exception { vector, code });
        }
        if rip == monitor::ENTRY {
            let addr = rip;
            return Ok(Trap::PageFault { code, addr });
        }
        let addr = host("KVM_GET_SREGS", self.fd.get_sregs())?.cr2;
        Ok(Trap::PageFault { code, addr })
    }

    /// Lets the processor do what it owes.
    pub(crate) fn perform(&mut self, mut queue: Queue) -> Result<(), RunError> {
        let mut changes = self.memory.take_changes();
        changes.words.sort_unstable();
        changes.words.dedup();
        let room = ((monitor::LISTS.end - monitor::LISTS.start) / 8) as usize;
        let mut words = changes.words.chunks(room).peekable();
        while let Some(part) = words.next() {
            let list: Vec<u64> = part.iter().map(|word| monitor::TABLES + word).collect();
            // most often that is all, and there is room for the pages
            if words.peek().is_none() && list.len() + queue.pages.len() <= room {
                self.work(&list, &std::mem::take(&mut queue))?;
            } else {
                self.work(&list, &Queue::default())?;
            }
        }
        if queue.load.is_some() || !queue.pages.is_empty() {
            self.work(&[], &queue)?;
        }
        self.memory.told(changes);
        Ok(())
    }

    /// Has words touched, and then a root loaded or pages invalidated.
    fn work(&mut self, words: &[u64], queue: &Queue) -> Result<(), RunError> {
        let list: Vec<u64> = words.iter().chain(&queue.pages).copied().collect();
        let at = PhysAddr::new(monitor::LISTS.start);
        self.memory.write(at, list.as_bytes());
        let registers = kvm_regs {
            rip: monitor::work(),
            rsp: monitor::BASE + monitor::RETURN,
            rflags: RFLAGS,
            rsi: monitor::BASE + monitor::LISTS.start,
            rcx: words.len() as u64,
            rdx: queue.load.map_or(0, PhysAddr::as_u64),
            rbx: queue.pages.len() as u64,
            ..kvm_regs::default()
        };
        match self.enter(&registers)? {
            monitor::PORT_DONE => Ok(()),
            port => Err(RunError::UnexpectedExit {
                exit: format!("port {port:#x} instead of the end of the lists"),
            }),
        }
    }

    /// Interrupts the program that runs. The monitor is left to come to its end.
    fn interrupt(&mut self) -> Result<(), RunError> {
        if self.fd.sync_regs_mut().regs.rip < USER_END {
            host("KVM_NMI", self.fd.nmi())?;
        }
        Ok(())
    }

    /// Lets the guest run from these registers until the monitor leaves to the host; answers with the port.
    fn enter(&mut self, registers: &kvm_regs) -> Result<u16, RunError> {
        self.fd.sync_regs_mut().regs = *registers;
        self.fd.set_sync_dirty_reg(SyncReg::Register);
        loop {
            let exit = match self.fd.run() {
                Ok(VcpuExit::IoOut(port, _)) => return Ok(port),
                Ok(exit) => format!("{exit:?}"),
                Err(error) if error.errno() == libc::EINTR => {
                    self.interrupt()?;
                    continue;
                }
                Err(error) => return host("KVM_RUN", Err(error)),
            };
            return Err(RunError::UnexpectedExit { exit });
        }
    }
}

/// Makes the registers go on behind a system call: RCX and R11 are as the instruction leaves them.
pub(crate) fn leave_system_call(registers: &mut kvm_regs) {
    (registers.rip, registers.rflags) = (registers.rcx, registers.r11);
}
