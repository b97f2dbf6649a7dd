//! The guest and its processor.

mod start;

use crate::elf::USER_END;
use crate::error::RunError;
use crate::hardware::Queue;
use crate::memory::GuestMemory;
use crate::monitor;
use kvm_bindings::{Msrs, kvm_msr_entry, kvm_regs, kvm_xsave};
use kvm_ioctls::{SyncReg, VcpuExit, VcpuFd, VmFd};
use portolan::{KernelHalf, PageTable, PhysAddr, X86_64};
use std::rc::Rc;
use zerocopy::IntoBytes;

pub(crate) use start::{Host, monitor_half};

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

const IA32_FS_BASE: u32 = 0xc000_0100;
const IA32_GS_BASE: u32 = 0xc000_0101;
/// The flags that the monitor runs with: none but the one that is always set.
const RFLAGS: u64 = 2;
/// The port by which the monitor says that a program was interrupted.
const PORT_TICK: u16 = monitor::PORT_EXCEPTION + monitor::TICK;
/// The vector of page faults.
const PAGE_FAULT: u64 = 14;

/// A failed call.
fn host<T>(call: &'static str, result: Result<T, kvm_ioctls::Error>) -> Result<T, RunError> {
    result.map_err(|error| RunError::host(call, error))
}

impl Vcpu {
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
        if port == PORT_TICK {
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

    /// If the monitor itself was interrupted, makes it go on where it was.
    fn resume_monitor(&mut self) -> bool {
        let registers = &mut self.fd.sync_regs_mut().regs;
        let at = registers.rsp.wrapping_sub(monitor::BASE);
        if at >= monitor::TICK_STACK_TOP || self.memory.load(at + 8) & 3 != 0 {
            return false;
        }
        registers.rip = monitor::user_return();
        self.fd.set_sync_dirty_reg(SyncReg::Register);
        true
    }

    /// Lets the guest run from these registers until the monitor leaves to the host; answers with the port.
    fn enter(&mut self, registers: &kvm_regs) -> Result<u16, RunError> {
        self.fd.sync_regs_mut().regs = *registers;
        self.fd.set_sync_dirty_reg(SyncReg::Register);
        loop {
            let exit = match self.fd.run() {
                Ok(VcpuExit::IoOut(port, _)) => Ok(port),
                Ok(exit) => Err(format!("{exit:?}")),
                Err(error) if error.errno() == libc::EINTR => {
                    self.interrupt()?;
                    continue;
                }
                Err(error) => return host("KVM_RUN", Err(error)),
            };
            match exit {
                Ok(PORT_TICK) if self.resume_monitor() => {}
                Ok(port) => return Ok(port),
                Err(exit) => return Err(RunError::UnexpectedExit { exit }),
            }
        }
    }
}

/// Makes the registers go on behind a system call: RCX and R11 are as the instruction leaves them.
pub(crate) fn leave_system_call(registers: &mut kvm_regs) {
    (registers.rip, registers.rflags) = (registers.rcx, registers.r11);
}
