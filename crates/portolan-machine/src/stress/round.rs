//! A round: a kernel with its address spaces, from the first frame to the last that is given back.

use super::frames::{Poisoning, TAG, tag_word};
use super::history::{History, State};
use super::layout::Layout;
use super::report::{Mismatch, Tally};
use super::worker::Worker;
use super::{Host, Mode};
use crate::isa::Isa;
use crate::memory::Memory;
use crate::processors::Threads;
use crate::rng::{Rng, mix};
use portolan::frame::{FRAME_SIZE, FrameTable, MetaSlot};
use portolan::space::{Kernel, Machine, VmSpace};
use portolan::tlb::{CpuSlot, Shootdown};
use portolan::{
    KernelHalf, PageProperty, PageSize, PageTable, PhysAddr, Preset, UserHalf, VirtAddr,
};
use std::any::Any;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError, RwLock};
use std::time::Instant;

/// The first frame that programs may get.
const FIRST: u64 = 1 << 30;
/// How many there are: fewer than would be mapped if they sufficed.
const FRAMES: usize = 4096;
/// The frame of the kernel's page.
const KERNEL_FRAME: PhysAddr = PhysAddr::new(FIRST + FRAMES as u64 * FRAME_SIZE);
/// Its tag.
pub(super) const KERNEL_TAG: u64 = 0x6b_6572;
/// How many address spaces there are from the start.
const SPACES: usize = 3;
/// How many there may be in the end.
const MOST: usize = 6;

/// The kernel that a round is of.
pub(super) struct StressKernel<A, M>(PhantomData<(A, M)>);

impl<A: Mode, M: Host> Kernel for StressKernel<A, M> {
    type Mode = UserHalf<A>;
    type Bits = Preset;
    type Tables = Memory;
    type Frames = Poisoning;
    type Cpus = Threads<M>;
}

/// An address space, with what is known of it.
pub(super) struct Subject<'k, A: Mode, M: Host> {
    pub(super) number: usize,
    pub(super) space: VmSpace<'k, StressKernel<A, M>>,
    /// One for each place.
    pub(super) places: Vec<History>,
    /// Held by one that concerns the whole address space without a cursor, and shared by those who have a cursor or wait for
    /// one.
    pub(super) gate: RwLock<()>,
}

/// What the processors of a round share.
pub(super) struct Shared<'k, A: Mode, M: Host> {
    pub(super) machine: &'k Machine<'k, StressKernel<A, M>>,
    pub(super) kernel: &'k PageTable<Memory, KernelHalf<A>>,
    pub(super) memory: Memory,
    pub(super) layout: Layout,
    pub(super) spaces: [OnceLock<Subject<'k, A, M>>; MOST],
    /// How many of them there are, or will be.
    pub(super) claimed: AtomicUsize,
    pub(super) tags: AtomicU64,
    pub(super) stop: AtomicBool,
    finished: AtomicUsize,
    failure: Mutex<Option<(Option<usize>, Mismatch)>>,
}

impl<'k, A: Mode, M: Host> Shared<'k, A, M> {
    /// A table for an address space.
    pub(super) fn table(&self) -> Result<PageTable<Memory, UserHalf<A>>, Mismatch> {
        let table = PageTable::sharing(self.memory.clone(), self.kernel);
        table.map_err(|error| refused("new table", error.into()))
    }

    fn fail(&self, cpu: Option<usize>, what: Mismatch) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert((cpu, what));
        self.stop.store(true, Ordering::SeqCst);
    }
}

/// An operation that was refused though it should not be.
pub(super) fn refused(operation: &'static str, error: portolan::space::VmError) -> Mismatch {
    Mismatch::Refused { operation, error }
}

/// One round.
pub(super) struct Round {
    pub(super) seed: u64,
    /// Of each processor.
    pub(super) operations: u64,
    pub(super) deadline: Option<Instant>,
}

type Outcome<T> = Result<T, (Option<usize>, Mismatch)>;

impl Round {
    /// Does it, on all processors of `machine`.
    pub(super) fn run<A: Mode, M: Host>(
        &self,
        machine: &M,
        threads: Threads<M>,
        tally: &mut Tally,
    ) -> Outcome<()> {
        let memory = machine.memory().clone();
        let held = memory.frames_held();
        let layout = Layout::new(machine);
        let nowhere = |what| (None, what);
        let kernel = kernel_half::<A>(&memory, layout.kernel).map_err(nowhere)?;
        // with nothing in the other half: a kernel half's own root is none that a processor could use
        let idle = PageTable::<_, UserHalf<A>>::sharing(memory.clone(), &kernel);
        let idle = idle.map_err(|error| nowhere(refused("idle table", error.into())))?;
        // SAFETY: the table is dropped below, when all have unloaded it
        let threads = unsafe { threads.with_own(idle.root()) };
        for cpu in 0..machine.cpus() {
            let loaded = machine.set_root(cpu, Some(idle.root()));
            loaded.map_err(|error| nowhere(error.into()))?;
        }
        let outcome = self.with_kernel(&memory, layout, &kernel, threads, tally);
        for cpu in 0..machine.cpus() {
            let unloaded = machine.set_root(cpu, None);
            unloaded.map_err(|error| nowhere(error.into()))?;
        }
        drop(idle);
        // SAFETY: no table that shares it is left
        unsafe { kernel.destroy() };
        outcome?;
        same("tables", held, memory.frames_held()).map_err(nowhere)?;
        tally.rounds += 1;
        Ok(())
    }

    /// Makes the kernel's tables of frames and processors and its address spaces, and drops them when all is done.
    fn with_kernel<A: Mode, M: Host>(
        &self,
        memory: &Memory,
        layout: Layout,
        kernel: &PageTable<Memory, KernelHalf<A>>,
        threads: Threads<M>,
        tally: &mut Tally,
    ) -> Outcome<()> {
        let nowhere = |what| (None, what);
        let broken = |error: portolan::frame::FrameError| (None, refused("frames", error.into()));
        let isa = Isa::of(threads.machine().regime());
        let mut slots: Vec<_> = (0..FRAMES).map(|_| MetaSlot::new()).collect();
        let allocator = Poisoning::new(memory.clone(), isa);
        let frames =
            FrameTable::new(PhysAddr::new(FIRST), &mut slots, allocator).map_err(broken)?;
        let ram = PhysAddr::new(FIRST)..KERNEL_FRAME;
        // SAFETY: nobody else uses this part of the machine's memory
        unsafe { frames.add(ram.clone()) }.map_err(broken)?;
        frames.free(ram).map_err(broken)?;
        frames.allocator().tag(KERNEL_FRAME, KERNEL_TAG);
        let mut cpus: Vec<_> = (0..threads.machine().cpus())
            .map(|_| CpuSlot::new())
            .collect();
        let shootdown = Shootdown::new(&mut cpus);
        let machine = Machine::new(&frames, &shootdown, threads);
        let shared = Shared {
            machine: &machine,
            kernel,
            memory: memory.clone(),
            layout,
            spaces: [const { OnceLock::new() }; MOST],
            claimed: AtomicUsize::new(SPACES),
            tags: AtomicU64::new(1),
            stop: AtomicBool::new(false),
            finished: AtomicUsize::new(0),
            failure: Mutex::default(),
        };
        for number in 0..SPACES {
            let table = shared.table().map_err(nowhere)?;
            let space = VmSpace::new(&machine, table);
            let space = space.map_err(|error| nowhere(refused("new", error)))?;
            let absent = |_: &_| History::new(State::Absent);
            let places = shared.layout.places.iter().map(absent).collect();
            let _ = shared.spaces[number].set(Subject {
                number,
                space,
                places,
                gate: RwLock::default(),
            });
        }
        self.on_all_cpus(&shared, tally);
        tally.notifications += machine.cpus().notifications();
        tally.invalidations += machine.cpus().invalidations();
        tally.kept += machine.cpus().kept();
        let Shared {
            failure, spaces, ..
        } = shared;
        drop(spaces);
        if let Some(failure) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(failure);
        }
        if let Some(spoiled) = frames.allocator().spoiled() {
            return Err(nowhere(Mismatch::Spoiled(spoiled)));
        }
        same("frames", FRAMES, frames.allocator().available()).map_err(nowhere)
    }

    /// Lets each processor do its part, and waits for all.
    fn on_all_cpus<A: Mode, M: Host>(&self, shared: &Shared<'_, A, M>, tally: &mut Tally) {
        let count = shared.machine.cpus().machine().cpus();
        std::thread::scope(|scope| {
            let part = |cpu| scope.spawn(move || self.part(shared, cpu, count));
            let parts: Vec<_> = (0..count).map(part).collect();
            for part in parts {
                tally.add(part.join().unwrap_or_default());
            }
        });
    }

    /// A processor's part. It goes on answering what others ask until all have come to their ends.
    fn part<A: Mode, M: Host>(&self, shared: &Shared<'_, A, M>, cpu: usize, count: usize) -> Tally {
        let Some(guard) = shared.machine.cpus().become_cpu(cpu) else {
            shared.finished.fetch_add(1, Ordering::SeqCst);
            return Tally::default();
        };
        let rng = Rng::new(mix(self.seed ^ mix(cpu as u64 + 1)));
        let mut tally = Tally::default();
        let work = AssertUnwindSafe(|| {
            let mut worker = Worker::new(shared, &guard, rng, &mut tally)?;
            let result = worker.work(self.operations, self.deadline);
            worker.leave().and(result)
        });
        match catch_unwind(work) {
            Ok(Ok(())) => {}
            Ok(Err(what)) => shared.fail(Some(cpu), what),
            Err(panic) => shared.fail(Some(cpu), Mismatch::Panic(message(&*panic))),
        }
        shared.finished.fetch_add(1, Ordering::SeqCst);
        while shared.finished.load(Ordering::SeqCst) < count {
            let machine = shared.machine;
            if machine.cpus().is_notified(&guard) {
                machine.shootdown().handle(&guard, machine.cpus());
            }
            std::thread::yield_now();
        }
        tally
    }
}

/// What a panic says.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or(panic.downcast_ref::<&str>().copied());
    text.unwrap_or("no message").to_owned()
}

fn same(what: &'static str, expected: usize, got: usize) -> Result<(), Mismatch> {
    if expected == got {
        return Ok(());
    }
    Err(Mismatch::Leaked {
        what,
        expected,
        got,
    })
}

/// The kernel's half, with a page.
fn kernel_half<A: Mode>(
    memory: &Memory,
    va: u64,
) -> Result<PageTable<Memory, KernelHalf<A>>, Mismatch> {
    let failed = |error: portolan::Error| refused("kernel's half", error.into());
    let mut kernel = PageTable::new(memory.clone()).map_err(failed)?;
    let va = VirtAddr::new(va).map_err(failed)?;
    let small = PageSize::Size4K;
    let mapped = kernel.map(va, KERNEL_FRAME, small, PageProperty::KERNEL_RO);
    mapped.map_err(failed)?;
    memory.store(
        PhysAddr::new(KERNEL_FRAME.as_u64() + TAG),
        tag_word(KERNEL_TAG),
    );
    Ok(kernel)
}
