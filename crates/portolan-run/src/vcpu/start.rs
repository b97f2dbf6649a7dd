//! What there is before a guest's first instruction.

use super::{MonitorHalf, Vcpu, host};
use crate::error::RunError;
use crate::memory::{GuestMemory, TABLES};
use crate::monitor;
use kvm_bindings::{
    CpuId, KVM_MAX_CPUID_ENTRIES, kvm_dtable, kvm_segment, kvm_userspace_memory_region, kvm_xcr,
    kvm_xcrs,
};
use kvm_ioctls::{Cap, Kvm, SyncReg};
use portolan::{PageProperty, PageSize, PhysAddr, VirtAddr};

/// CPUID leaf with the widths of addresses.
const LEAF_ADDRESSES: u32 = 0x8000_0008;
/// CPUID leaf with the components of the extended state.
const LEAF_STATE: u32 = 0xd;
/// Bits of `XCR0` for x87, SSE, AVX and AVX-512 (Intel SDM vol. 1, 13.3).
const STATE: u64 = 0xe7;

const IA32_STAR: u32 = 0xc000_0081;
const IA32_LSTAR: u32 = 0xc000_0082;
const IA32_FMASK: u32 = 0xc000_0084;
/// What `SYSCALL` clears of `RFLAGS`: trap, interrupt, direction, privilege level, nested task and alignment check.
const FMASK: u64 = 0x4_7700;

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
        // IST1 is at byte 36
        let stack = monitor::BASE + monitor::TICK_STACK_TOP;
        put(monitor::TSS + 32, stack << 32);
        put(monitor::TSS + 40, stack >> 32);
        for vector in 0..32 {
            let handler = monitor::handler(vector);
            let selector = u64::from(monitor::SELECT_CODE);
            // INT3 and INTO are for programs, the others only for the processor
            let gate = if matches!(vector, 3 | 4) { 0xee } else { 0x8e };
            let stack = u64::from(vector == monitor::TICK.into());
            let low = handler & 0xffff
                | selector << 16
                | stack << 32
                | gate << 40
                | (handler >> 16 & 0xffff) << 48;
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
}
