//! The guest's processor as address spaces see it: what it is to be told is queued, and done before a program goes on.

mod walk;

use crate::error::RunError;
use crate::memory::GuestMemory;
use crate::vcpu::{Trap, Vcpu};
use kvm_bindings::kvm_regs;
use parking_lot::{MappedMutexGuard, Mutex, MutexGuard};
use portolan::frame::FrameAllocator;
use portolan::hw::{AtomicMode, Processors};
use portolan::interop::buddy_system_allocator::BuddyFrames;
use portolan::space::Kernel;
use portolan::{Advice, FlushRange, PhysAddr, Preset, UserHalf, X86_64};
use std::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The paging mode of programs: the lower half of x86_64's addresses.
pub(crate) type Mode = UserHalf<X86_64>;

/// The kernel that programs run on.
pub(crate) struct RunKernel;

impl Kernel for RunKernel {
    type Mode = Mode;
    type Bits = Preset;
    type Tables = GuestMemory;
    type Frames = Frames;
    type Cpus = Hardware;
}

/// That the code runs where the guest's processor is: on the thread that made this.
pub(crate) struct Here(PhantomData<*const ()>);

impl Here {
    /// The only one of a guest.
    ///
    /// # Safety
    /// There is no other one for the same guest.
    pub(crate) unsafe fn new() -> Self {
        Here(PhantomData)
    }
}

// SAFETY: a guest has one processor, which runs when the thread lets it, and the value can't leave the thread
unsafe impl AtomicMode for Here {
    fn cpu(&self) -> usize {
        0
    }
}

/// Up to how many pages are invalidated one by one.
const PAGE_BY_PAGE: u64 = 32;

/// The guest's processor.
pub(crate) struct Hardware {
    /// The root that maps nothing for programs.
    own: PhysAddr,
    memory: GuestMemory,
    inner: Mutex<Inner>,
}

struct Inner {
    vcpu: Vcpu,
    queue: Queue,
    /// The root that is loaded.
    root: PhysAddr,
    flushes: u64,
    in_guest: Duration,
    /// What went wrong where nobody could be told.
    broken: Option<RunError>,
}

/// What the processor has to do before a program goes on.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// The root to load, which invalidates everything.
    pub(crate) load: Option<PhysAddr>,
    /// Pages to invalidate, if no root is loaded.
    pub(crate) pages: Vec<u64>,
}

impl Hardware {
    /// A processor that uses the table at `own` now, and whenever it uses no address space's.
    pub(crate) fn new(vcpu: Vcpu, memory: GuestMemory, own: PhysAddr) -> Self {
        let inner = Inner {
            vcpu,
            queue: Queue::default(),
            root: own,
            flushes: 0,
            in_guest: Duration::ZERO,
            broken: None,
        };
        Hardware {
            own,
            memory,
            inner: Mutex::new(inner),
        }
    }

    /// The root that is loaded.
    fn root(&self) -> PhysAddr {
        self.inner.lock().root
    }

    /// How many flushes were asked for.
    pub(crate) fn flushes(&self) -> u64 {
        self.inner.lock().flushes
    }

    /// Lets the program go on with these registers until it stops.
    pub(crate) fn run(&self, frame: &mut kvm_regs) -> Result<Trap, RunError> {
        let inner = &mut *self.inner.lock();
        if let Some(error) = inner.broken.take() {
            return Err(error);
        }
        let start = Instant::now();
        let trap = inner.vcpu.run(frame, std::mem::take(&mut inner.queue));
        inner.in_guest += start.elapsed();
        trap
    }

    /// How long programs have run, with the ways to the guest and back.
    pub(crate) fn in_guest(&self) -> Duration {
        self.inner.lock().in_guest
    }

    /// The processor itself.
    pub(crate) fn vcpu(&self) -> MappedMutexGuard<'_, Vcpu> {
        MutexGuard::map(self.inner.lock(), |inner| &mut inner.vcpu)
    }

    /// Loads a root, now: the table that was used before may be gone soon.
    fn load(&self, root: PhysAddr) {
        let inner = &mut *self.inner.lock();
        inner.root = root;
        inner.queue = Queue::default();
        let queue = Queue {
            load: Some(root),
            pages: Vec::new(),
        };
        if let Err(error) = inner.vcpu.perform(queue) {
            inner.broken = Some(error);
        }
    }
}

// SAFETY: roots are loaded at once; what else is queued is done by the processor before it runs anything in user mode, and the
// monitor uses no address of a program's: until then its TLB may hold what it is to forget, but nothing is translated by
// that. A processor that fails never runs a program again. There is one processor, so nobody is notified or waited for.
// Nothing unwinds
unsafe impl Processors<Mode> for Hardware {
    fn invalidate(&self, range: FlushRange<Mode>) {
        let inner = &mut *self.inner.lock();
        inner.flushes += 1;
        if inner.queue.load.is_some() {
            return;
        }
        match range.advice(PAGE_BY_PAGE) {
            Advice::Pages { first, count, size } => {
                let page = |n| first.as_u64() + n * size.bytes();
                inner.queue.pages.extend((0..count).map(page));
            }
            Advice::All => {
                inner.queue = Queue {
                    load: Some(inner.root),
                    pages: Vec::new(),
                }
            }
        }
    }

    unsafe fn switch(&self, root: PhysAddr) {
        self.load(root);
    }

    fn leave(&self) {
        self.load(self.own);
    }

    fn notify(&self, _cpu: usize) {}

    fn relax(&self) {
        std::hint::spin_loop();
    }
}

/// The allocator of programs' frames, which knows how many were out at most.
pub(crate) struct Frames {
    buddies: BuddyFrames<parking_lot::RawMutex>,
    out: AtomicUsize,
    most: AtomicUsize,
}

impl Frames {
    /// An allocator without frames.
    pub(crate) fn new() -> Self {
        Frames {
            buddies: BuddyFrames::new(),
            out: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        }
    }

    /// All that were given to the allocator so far are its own: none is out.
    pub(crate) fn begin(&self) {
        self.out.store(0, Ordering::Relaxed);
        self.most.store(0, Ordering::Relaxed);
    }

    /// How many frames are out, and how many were at most.
    pub(crate) fn out(&self) -> (usize, usize) {
        (
            self.out.load(Ordering::Relaxed),
            self.most.load(Ordering::Relaxed),
        )
    }
}

impl FrameAllocator for Frames {
    fn alloc(&self, frames: usize, align: u64) -> Option<PhysAddr> {
        let first = self.buddies.alloc(frames, align)?;
        let out = self.out.fetch_add(frames, Ordering::Relaxed) + frames;
        self.most.fetch_max(out, Ordering::Relaxed);
        Some(first)
    }

    fn dealloc(&self, addr: PhysAddr, frames: usize) {
        // wraps when new frames come in, until `begin`
        self.out.fetch_sub(frames, Ordering::Relaxed);
        self.buddies.dealloc(addr, frames);
    }
}
