//! A kernel's machine, where everything that is given back too early, or not at all, is noticed.
#![allow(
    dead_code,
    reason = "each test file is a crate of its own and uses some of it"
)]

mod hardware;
mod user;

use crate::schedule;
pub use hardware::Hardware;
use portolan::frame::{
    FRAME_SIZE, Frame, FrameAllocator, FrameTable, MetaSlot, Segment, UFrame, USegment,
};
use portolan::hw::{AtomicMode, Processors};
use portolan::space::{Cpu, Kernel, Machine, VmSpace};
use portolan::tlb::{CpuSlot, Shootdown};
use portolan::{
    FlushRange, PageTable, PagingMode, PhysAddr, Preset, TableMemory, VirtAddr, VirtRange, X86_64,
};
use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex};
pub use user::Ram;

/// A kernel whose address spaces have the paging mode `A`.
pub struct Test<A = X86_64>(PhantomData<A>);

impl<A: PagingMode + 'static> Kernel for Test<A> {
    type Mode = A;
    type Bits = Preset;
    type Tables = Tables;
    type Frames = Pool;
    type Cpus = Cpus;
}

/// An address space of such a kernel.
pub type Space<'k, A = X86_64> = VmSpace<'k, Test<A>>;

/// A machine of such a kernel.
pub type Computer<'k, A = X86_64> = Machine<'k, Test<A>>;

/// A page table of such a kernel.
pub type Root<A = X86_64> = PageTable<Tables, A, Preset>;

/// Where tables lie.
#[derive(Clone)]
pub struct Tables(Arc<Hardware>);

impl Tables {
    /// Those of a machine.
    pub fn of<A: PagingMode + 'static>(machine: &Computer<'_, A>) -> Self {
        Tables(machine.cpus().hardware().clone())
    }
}

// SAFETY: tables are distinct slices, named by distinct multiples of their size
unsafe impl TableMemory for Tables {
    fn alloc_zeroed(&self, bytes: usize) -> Option<PhysAddr> {
        self.0.alloc_table(bytes).map(PhysAddr::new)
    }
    unsafe fn free(&self, table: PhysAddr, _: usize) {
        self.0.free_table(table.as_u64());
    }
    unsafe fn read(&self, table: PhysAddr, index: usize) -> u64 {
        self.0.word(table.as_u64(), index)
    }
    unsafe fn write(&self, table: PhysAddr, index: usize, word: u64) {
        self.0.exchange(table.as_u64(), index, None, word);
    }
    unsafe fn compare_exchange(
        &self,
        table: PhysAddr,
        index: usize,
        current: u64,
        new: u64,
    ) -> Result<u64, u64> {
        let was = self.0.exchange(table.as_u64(), index, Some(current), new);
        if was == current { Ok(was) } else { Err(was) }
    }
    fn phys_bits(&self) -> u8 {
        46
    }
}

/// The frames that are free.
pub struct Pool {
    hardware: Arc<Hardware>,
    free: Mutex<BTreeSet<u64>>,
}

impl Pool {
    /// None yet.
    pub fn new(hardware: &Arc<Hardware>) -> Self {
        Pool {
            hardware: hardware.clone(),
            free: Mutex::default(),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.free.lock().unwrap().len()
    }

    /// Whether the frame at `addr` is one of them.
    pub fn has(&self, addr: PhysAddr) -> bool {
        self.free.lock().unwrap().contains(&addr.as_u64())
    }
}

impl FrameAllocator for Pool {
    fn alloc(&self, frames: usize, align: u64) -> Option<PhysAddr> {
        let mut free = self.free.lock().unwrap();
        let run = |start: u64| (0..frames as u64).map(move |n| start + n * FRAME_SIZE);
        let fits =
            |start: &u64| start.is_multiple_of(align) && run(*start).all(|at| free.contains(&at));
        let start = free.iter().copied().find(fits)?;
        run(start).for_each(|at| assert!(free.remove(&at)));
        Some(PhysAddr::new(start))
    }

    fn dealloc(&self, addr: PhysAddr, frames: usize) {
        self.hardware.clock.step();
        self.hardware
            .assert_unreachable(addr.as_u64(), frames as u64 * FRAME_SIZE);
        let mut free = self.free.lock().unwrap();
        for n in 0..frames as u64 {
            assert!(
                free.insert(addr.as_u64() + n * FRAME_SIZE),
                "given back twice"
            );
        }
    }
}

/// The processors.
pub struct Cpus(Arc<Hardware>);

impl Cpus {
    /// What they are made of.
    pub fn hardware(&self) -> &Arc<Hardware> {
        &self.0
    }
}

// SAFETY: a TLB holds nothing of what it is told to invalidate, and nothing of a table that it leaves but under the table's
// identifier
unsafe impl<A: PagingMode> Processors<A> for Cpus {
    fn invalidate(&self, range: FlushRange<A>) {
        self.0.invalidate(range);
    }
    unsafe fn switch(&self, root: PhysAddr) {
        self.0.switch(Some(root.as_u64()));
    }
    fn leave(&self) {
        self.0.switch(None);
    }
    fn identifiers(&self) -> usize {
        self.0.identifiers()
    }
    unsafe fn switch_as(&self, root: PhysAddr, id: usize, keep: bool) {
        self.0.switch_as(Some(root.as_u64()), id, keep);
    }
    fn invalidate_for(&self, root: PhysAddr, range: FlushRange<A>) {
        self.0.invalidate_for(root.as_u64(), range);
    }
    fn notify(&self, cpu: usize) {
        self.0.notify(cpu);
    }
    fn relax(&self) {
        self.0.relax();
    }
}

/// Stands for atomic mode.
pub struct Pinned(usize);

// SAFETY: `on` makes one for the processor that the thread stands for as long as it lives
unsafe impl AtomicMode for Pinned {
    fn cpu(&self) -> usize {
        self.0
    }
}

/// Does something on the processor `cpu`.
pub fn on<R>(cpu: usize, work: impl FnOnce(&Pinned) -> R) -> R {
    let before = schedule::become_cpu(cpu);
    let r = work(&Pinned(cpu));
    schedule::become_cpu(before);
    r
}

/// A processor that uses no address space yet.
pub fn cpu<'a, 'k, 's, A: PagingMode + 'static>(
    machine: &'a Computer<'k, A>,
    guard: &Pinned,
) -> Cpu<'a, 'k, Test<A>, &'s Space<'k, A>> {
    // SAFETY: each test makes one for each processor, which starts without a table
    unsafe { Cpu::new(machine, guard) }.unwrap()
}

/// Takes interrupts on this processor until [`Hardware::finish`].
pub fn idle<A: PagingMode + 'static>(machine: &Computer<'_, A>, guard: &Pinned) {
    let hardware = machine.cpus().hardware();
    while !hardware.is_over() {
        if hardware.take_interrupt() {
            machine.shootdown().handle(guard, machine.cpus());
        }
        hardware.clock.relax();
    }
}

/// The processor `cpu` uses `space`, and takes interrupts, until [`Hardware::finish`].
pub fn use_space<'k, A: PagingMode + 'static>(
    machine: &'k Computer<'k, A>,
    number: usize,
    space: &Space<'k, A>,
) {
    on(number, |guard| {
        let mut cpu = cpu(machine, guard);
        cpu.activate(guard, space).unwrap();
        idle(machine, guard);
        cpu.deactivate(guard).unwrap();
    });
}

/// Lets other processors end when it is dropped, also when the test fails.
pub struct Finish<'a>(pub &'a Hardware);

impl Drop for Finish<'_> {
    fn drop(&mut self) {
        self.0.finish();
    }
}

/// Waits until `done`.
pub fn wait_for(hardware: &Hardware, done: impl Fn() -> bool) {
    while !done() {
        hardware.clock.relax();
    }
}

/// What a machine is to be like.
#[derive(Clone, Copy)]
pub struct Config {
    /// How many processors it has.
    pub cpus: usize,
    /// Where its frames start.
    pub base: u64,
    /// How many it has.
    pub frames: usize,
    /// How many references there can be to one.
    pub references: u64,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            cpus: 2,
            base: 0x4000_0000,
            frames: 16,
            references: u64::MAX,
        }
    }
}

impl Config {
    /// Runs a test on a machine of this kind. At the end all frames and tables must have been given back.
    pub fn run<A: PagingMode + 'static>(self, test: impl for<'k> FnOnce(&'k Computer<'k, A>)) {
        let (hardware, left) = self.run_leaky(test);
        assert_eq!(
            (left, hardware.tables()),
            (0, 0),
            "frames and tables that are not given back"
        );
    }

    /// Runs a test on a machine of this kind. Answers with how many frames are not given back at the end.
    pub fn run_leaky<A: PagingMode + 'static>(
        self,
        test: impl for<'k> FnOnce(&'k Computer<'k, A>),
    ) -> (Arc<Hardware>, usize) {
        let hardware = Arc::new(Hardware::new(self.cpus));
        let mut slots: Vec<_> = (0..self.frames).map(|_| MetaSlot::new()).collect();
        let mut letters: Vec<CpuSlot<A>> = (0..self.cpus).map(|_| CpuSlot::new()).collect();
        let pool = Pool::new(&hardware);
        hardware.ram.provide(self.base, self.frames);
        let frames = FrameTable::new(PhysAddr::new(self.base), &mut slots, pool).unwrap();
        let frames = frames.with_limit(self.references);
        let all =
            PhysAddr::new(self.base)..PhysAddr::new(self.base + self.frames as u64 * FRAME_SIZE);
        // SAFETY: the frames are made up, and no memory is used by their addresses
        unsafe { frames.add(all.clone()) }.unwrap();
        frames.free(all).unwrap();
        let shootdown = Shootdown::new(&mut letters);
        test(&Machine::new(&frames, &shootdown, Cpus(hardware.clone())));
        (hardware, self.frames - frames.allocator().len())
    }
}

/// Runs a test on a machine with two processors and a few frames.
pub fn on_machine(test: impl for<'k> FnOnce(&'k Computer<'k>)) {
    Config::default().run(test);
}

/// An empty page table.
pub fn root<A: PagingMode + 'static>(machine: &Computer<'_, A>) -> Root<A> {
    PageTable::new(Tables::of(machine)).unwrap()
}

/// An empty address space.
pub fn space<'k, A: PagingMode + 'static>(machine: &'k Computer<'k, A>) -> Space<'k, A> {
    VmSpace::new(machine, root(machine)).unwrap()
}

/// A frame of plain bytes.
pub fn frame<'k, A: PagingMode + 'static>(machine: &'k Computer<'k, A>) -> UFrame<'k, Pool> {
    Frame::alloc(machine.frames(), ()).unwrap().into_untyped()
}

/// Frames of plain bytes that follow each other, aligned to their size.
pub fn segment<'k, A: PagingMode + 'static>(
    machine: &'k Computer<'k, A>,
    bytes: u64,
) -> USegment<'k, Pool> {
    let frames = (bytes / FRAME_SIZE) as usize;
    Segment::alloc(machine.frames(), frames, bytes, |_| ())
        .unwrap()
        .into_untyped()
}

/// A virtual address.
pub fn at<A: PagingMode + 'static>(addr: u64) -> VirtAddr<A> {
    VirtAddr::new(addr).unwrap()
}

/// A range of virtual addresses.
pub fn range<A: PagingMode + 'static>(addr: u64, bytes: u64) -> VirtRange<A> {
    VirtRange::new(at(addr), bytes).unwrap()
}
