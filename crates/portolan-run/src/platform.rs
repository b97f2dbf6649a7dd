//! What all processes have in common: the machine, its frames, and the half of the address space that the monitor has.

use crate::error::RunError;
use crate::hardware::{Frames, Hardware, Here, Mode, RunKernel};
use crate::memory::{FRAMES, GuestMemory};
use crate::stats::Counters;
use crate::vcpu::MonitorHalf;
use portolan::frame::{FRAME_SIZE, Frame, FrameTable, MetaSlot, UFrame};
use portolan::space::{Cpu, Machine, VmSpace};
use portolan::tlb::{CpuSlot, Shootdown};
use portolan::{PageTable, PhysAddr};
use std::cell::RefCell;
use std::sync::Arc;

/// A reference to a frame of a program's.
pub(crate) type ProgramFrame<'k> = UFrame<'k, Frames>;

/// The guest's processor, with the address space that it uses.
pub(crate) type ProgramCpu<'k> = Cpu<'k, 'k, RunKernel, Arc<VmSpace<'k, RunKernel>>>;

/// What all processes have in common.
pub(crate) struct Platform<'k> {
    pub(crate) machine: &'k Machine<'k, RunKernel>,
    pub(crate) memory: GuestMemory,
    pub(crate) here: Here,
    pub(crate) cpu: RefCell<ProgramCpu<'k>>,
    monitor: &'k MonitorHalf,
    /// A frame of zeros, which programs may read.
    zeros: ProgramFrame<'k>,
    pub(crate) counters: Counters,
}

impl<'k> Platform<'k> {
    /// A platform on a machine.
    fn new(
        machine: &'k Machine<'k, RunKernel>,
        memory: GuestMemory,
        here: Here,
        monitor: &'k MonitorHalf,
    ) -> Result<Self, RunError> {
        let zeros = Frame::alloc(machine.frames(), ()).map_err(|_| RunError::NoMemory)?;
        memory.zero_page(zeros.paddr());
        // SAFETY: the guest's processor has been started with a table that maps nothing for programs, and there is no other
        // `Cpu` for it
        let cpu = unsafe { Cpu::new(machine, &here) };
        Ok(Platform {
            machine,
            memory,
            here,
            cpu: RefCell::new(cpu.map_err(RunError::space)?),
            monitor,
            zeros: zeros.into_untyped(),
            counters: Counters::default(),
        })
    }

    /// Makes the processor use an address space, if it doesn't.
    pub(crate) fn activate(&self, space: &Arc<VmSpace<'k, RunKernel>>) -> Result<(), RunError> {
        let activated = self.cpu.borrow_mut().activate(&self.here, space.clone());
        activated.map_err(RunError::space)
    }

    /// Makes the processor use no program's address space.
    pub(crate) fn deactivate(&self) -> Result<(), RunError> {
        let deactivated = self.cpu.borrow_mut().deactivate(&self.here);
        deactivated.map_err(RunError::space)
    }

    /// A frame with any content; `None` if there is none left.
    pub(crate) fn frame(&self) -> Option<ProgramFrame<'k>> {
        let frame = Frame::alloc(self.machine.frames(), ()).ok()?;
        Some(frame.into_untyped())
    }

    /// A frame of zeros for one user; `None` if there is none left.
    pub(crate) fn zeroed_frame(&self) -> Option<ProgramFrame<'k>> {
        let frame = self.frame()?;
        self.memory.zero_page(frame.paddr());
        Some(frame)
    }

    /// One more reference to the frame of zeros that all programs may read.
    pub(crate) fn shared_zeros(&self) -> Option<ProgramFrame<'k>> {
        self.zeros.try_clone().ok()
    }

    /// Whether a frame is the one that all programs may read.
    pub(crate) fn is_shared_zeros(&self, frame: &ProgramFrame<'k>) -> bool {
        frame.paddr() == self.zeros.paddr()
    }

    /// A table for an address space, with the monitor's half.
    pub(crate) fn table(&self) -> Option<PageTable<GuestMemory, Mode>> {
        PageTable::sharing(self.memory.clone(), self.monitor).ok()
    }

    /// An address space with nothing in it.
    pub(crate) fn space(&self) -> Option<VmSpace<'k, RunKernel>> {
        VmSpace::new(self.machine, self.table()?).ok()
    }
}

/// Makes a platform with a processor, and memory that programs have `bytes` bytes of, gives it to `work`, and takes everything down.
pub(crate) fn with_platform<T>(
    memory: &GuestMemory,
    monitor: &MonitorHalf,
    bytes: u64,
    hardware: Hardware,
    work: impl for<'k> FnOnce(&Platform<'k>) -> Result<T, RunError>,
) -> Result<T, RunError> {
    let count = (bytes / FRAME_SIZE) as usize;
    let mut slots: Vec<_> = (0..count).map(|_| MetaSlot::new()).collect();
    let first = PhysAddr::new(FRAMES);
    let end = PhysAddr::new(FRAMES + count as u64 * FRAME_SIZE);
    let frames = FrameTable::new(first, &mut slots, Frames::new()).map_err(RunError::space)?;
    // SAFETY: nobody else uses this part of the guest's memory
    unsafe { frames.add(first..end) }.map_err(RunError::space)?;
    frames.free(first..end).map_err(RunError::space)?;
    frames.allocator().begin();
    let mut cpus = [CpuSlot::new()];
    let shootdown = Shootdown::new(&mut cpus);
    let machine = Machine::new(&frames, &shootdown, hardware);
    // SAFETY: a guest has one platform, which is made here
    let here = unsafe { Here::new() };
    let platform = Platform::new(&machine, memory.clone(), here, monitor)?;
    work(&platform)
}
