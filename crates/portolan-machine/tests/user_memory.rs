//! User memory of machines in software: what a kernel's readers and writers reach is what programs see.

use portolan::frame::{FRAME_SIZE, Frame, FrameAllocator, FrameTable, MetaSlot};
use portolan::io::{FallibleVmRead, FallibleVmWrite, IoError, VmReader, VmWriter};
use portolan::space::{Cpu, Kernel, Machine, VmSpace};
use portolan::tlb::{CpuSlot, Shootdown};
use portolan::{
    AArch64Lower, PageProperty, PageTable, PagingMode, PhysAddr, Preset, Sv39, UserHalf, VirtAddr,
    VirtRange, X86_64,
};
use portolan_machine::processors::Threads;
use portolan_machine::walk::{Granule, Regime, Region};
use portolan_machine::{Access, Machine as _, Memory, Outcome, Privilege, SoftConfig, SoftMachine};
use std::marker::PhantomData;
use std::sync::Mutex;

const FIRST: u64 = 1 << 30;
const PAGE: usize = 0x40_0000;

/// Frames that are handed out once.
#[derive(Default)]
struct Once(Mutex<Vec<u64>>);

impl FrameAllocator for Once {
    fn alloc(&self, frames: usize, _: u64) -> Option<PhysAddr> {
        (frames == 1).then(|| self.0.lock().unwrap().pop().map(PhysAddr::new))?
    }
    fn dealloc(&self, addr: PhysAddr, frames: usize) {
        let all = (0..frames as u64).map(|n| addr.as_u64() + n * FRAME_SIZE);
        self.0.lock().unwrap().extend(all);
    }
}

struct Test<A>(PhantomData<A>);

impl<A: PagingMode + 'static> Kernel for Test<A> {
    type Mode = A;
    type Bits = Preset;
    type Tables = Memory;
    type Frames = Once;
    type Cpus = Threads<SoftMachine>;
}

/// Four pages: two that can be written, one that can only be read, and one of the kernel's.
fn exercise<A: PagingMode + 'static>(regime: Regime) {
    let soft = SoftMachine::new(SoftConfig {
        regime,
        cpus: 1,
        ..SoftConfig::default()
    });
    let mut slots: Vec<_> = (0..8).map(|_| MetaSlot::new()).collect();
    let frames = FrameTable::new(PhysAddr::new(FIRST), &mut slots, Once::default()).unwrap();
    let ram = PhysAddr::new(FIRST)..PhysAddr::new(FIRST + 8 * FRAME_SIZE);
    // SAFETY: nobody else uses this part of the machine's memory
    unsafe { frames.add(ram.clone()) }.unwrap();
    frames.free(ram).unwrap();
    let mut slots = [CpuSlot::new()];
    let shootdown = Shootdown::new(&mut slots);
    let machine: Machine<'_, Test<A>> =
        Machine::new(&frames, &shootdown, Threads::new(soft.clone()));
    let guard = machine.cpus().become_cpu(0).unwrap();
    let table = PageTable::new(soft.memory().clone()).unwrap();
    let space = VmSpace::new(&machine, table).unwrap();
    let read_only = PageProperty {
        write: false,
        ..PageProperty::USER_RW
    };
    let kernel = PageProperty {
        user: false,
        ..PageProperty::USER_RW
    };
    let pages = [
        PageProperty::USER_RW,
        PageProperty::USER_RW,
        read_only,
        kernel,
    ];
    for (n, prop) in pages.into_iter().enumerate() {
        let at = VirtAddr::new((PAGE + n * 0x1000) as u64).unwrap();
        let mut cursor = space
            .cursor_mut(&guard, &VirtRange::new(at, 0x1000).unwrap())
            .unwrap();
        cursor
            .map(Frame::alloc(&frames, ()).unwrap().into_untyped(), prop)
            .unwrap();
    }
    // SAFETY: it is the first, and the processor uses no table
    let mut cpu = unsafe { Cpu::new(&machine, &guard) }.unwrap();
    assert_eq!(
        space.reader(&guard, &cpu, PAGE, 1).err(),
        Some(IoError::NotActive)
    );
    cpu.activate(&guard, &space).unwrap();
    {
        let writer = |at, len| space.writer(&guard, &cpu, at, len).unwrap();
        let reader = |at, len| space.reader(&guard, &cpu, at, len).unwrap();
        let bytes: Vec<_> = (0..0x1805).map(|n| (n % 251) as u8).collect();
        let mut to = writer(PAGE + 0x7fb, 0x3000);
        let fault = IoError::PageFault {
            addr: PAGE + 0x2000,
        };
        let mut from = VmReader::from(&bytes[..]);
        assert_eq!(to.write_fallible(&mut from), Ok(0x1805));
        assert_eq!(to.write_val(&1u8), Err(fault));
        // what programs read is what was written
        let word = Access::load((PAGE + 0x800) as u64, Privilege::User);
        let seen = u64::from_le_bytes(bytes[5..13].try_into().unwrap());
        assert_eq!(soft.access(0, &[word]).unwrap(), [Outcome::Loaded(seen)]);
        let word = Access::store(
            (PAGE + 0x1008) as u64,
            Privilege::User,
            0x1122_3344_5566_7788,
        );
        assert_eq!(soft.access(0, &[word]).unwrap(), [Outcome::Stored]);
        assert_eq!(reader(PAGE + 0x100a, 8).read_val(), Ok(0x5566u16));
        assert_eq!(reader(PAGE + 0x100c, 8).read_once(), Ok(0x1122_3344u32));
        let mut all = vec![0; 0x3000];
        let refused = reader(PAGE + 1, 0x3000).read_fallible(&mut VmWriter::from(&mut all[..]));
        let kernels = IoError::PageFault {
            addr: PAGE + 0x3000,
        };
        assert_eq!(refused, Err((kernels, 0x2fff)));
        assert_eq!(all[0x7fa..0x1000], bytes[..0x806]);
        // single accesses, next to which nothing changes
        let mut to = writer(PAGE + 0x1008, 8);
        to.skip(2).write_once(0xaabbu16).unwrap();
        assert_eq!(to.atomic_compare_exchange(1u32, 2), Ok(Err(0x1122_3344)));
        assert_eq!(
            to.atomic_compare_exchange(0x1122_3344u32, 2),
            Ok(Ok(0x1122_3344))
        );
        assert_eq!(
            reader(PAGE + 0x1008, 8).read_val(),
            Ok(0x0000_0002_aabb_7788u64)
        );
        assert_eq!(
            writer(PAGE + 0x2000, 8).atomic_compare_exchange(0u64, 0),
            Err(fault)
        );
        assert_eq!(writer(PAGE + 0x1ffd, 9).fill_zeros(9), Err((fault, 3)));
        assert_eq!(
            reader(PAGE + 0x1ffc, 8).read_val(),
            Ok(0u8.wrapping_add(bytes[0x1801]))
        );
    }
    cpu.deactivate(&guard).unwrap();
    drop(space);
    assert_eq!(soft.memory().frames_held(), 0);
}

#[test]
fn on_x86_64() {
    exercise::<UserHalf<X86_64>>(Regime::X86_64 { levels: 4 });
}

#[test]
fn on_riscv() {
    exercise::<Sv39>(Regime::Riscv { levels: 3 });
}

#[test]
fn on_aarch64() {
    exercise::<AArch64Lower>(Regime::Arm1 {
        granule: Granule::Size4K,
        va_bits: 48,
        region: Region::Lower,
    });
}
