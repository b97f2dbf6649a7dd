//! Processors that run at the same time: a thread of the host is one of them.

use crate::machine::Machine;
use portolan::hw::{AtomicMode, Processors};
use portolan::{FlushRange, PagingMode, PhysAddr};
use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

mod user;

thread_local! {
    /// Which processor this thread is.
    static NUMBER: Cell<Option<usize>> = const { Cell::new(None) };
}

/// A machine whose processors are threads: each [becomes](Threads::become_cpu) one of them, and is interrupted where it
/// [asks](Threads::is_notified) whether it is.
pub struct Threads<M> {
    machine: M,
    /// The table in use where none is an address space's.
    own: Option<PhysAddr>,
    cpus: Box<[Line]>,
    /// Whether what is to be invalidated stays where it is.
    careless: bool,
    notifications: AtomicU64,
    invalidations: AtomicU64,
    kept: AtomicU64,
}

/// What there is of a processor.
struct Line {
    /// Whether a thread is it.
    taken: AtomicBool,
    /// Whether an interrupt waits for it.
    notified: AtomicBool,
    /// The root of the table that it uses, or [`NO_TABLE`].
    root: AtomicU64,
}

/// Where no table is.
const NO_TABLE: u64 = u64::MAX;

impl Line {
    /// A processor that uses no table.
    fn new() -> Self {
        Line {
            taken: AtomicBool::new(false),
            notified: AtomicBool::new(false),
            root: AtomicU64::new(NO_TABLE),
        }
    }

    /// The root of the table that it uses.
    fn root(&self) -> Option<PhysAddr> {
        let root = self.root.load(Ordering::SeqCst);
        (root != NO_TABLE).then_some(PhysAddr::new(root))
    }
}

/// That a thread is a processor, as long as the value is there. It can't be moved to another thread.
///
/// Threads are never interrupted but where they ask for it, so this is atomic mode, too.
#[derive(Debug)]
pub struct OnCpu<'a> {
    number: usize,
    taken: &'a AtomicBool,
    here: PhantomData<*const ()>,
}

impl<M: Machine> Threads<M> {
    /// The processors of `machine`, which use no table where they use no address space's.
    pub fn new(machine: M) -> Self {
        let cpus = (0..machine.cpus()).map(|_| Line::new()).collect();
        Threads {
            machine,
            own: None,
            cpus,
            careless: false,
            notifications: AtomicU64::new(0),
            invalidations: AtomicU64::new(0),
            kept: AtomicU64::new(0),
        }
    }

    /// The same, which use the table `own` where they use no address space's, with nothing for user space.
    ///
    /// # Safety
    /// There is a table at `own`, and it stays there as long as processors may use it.
    #[must_use]
    pub unsafe fn with_own(self, own: PhysAddr) -> Self {
        Threads {
            own: Some(own),
            ..self
        }
    }

    /// The same, but nothing is invalidated, as by a kernel without shootdowns. For controls.
    ///
    /// # Safety
    /// Nobody relies on it that a TLB holds nothing stale, so memory must be the machine's only, and not this program's.
    #[must_use]
    pub unsafe fn without_invalidation(self) -> Self {
        Threads {
            careless: true,
            ..self
        }
    }

    /// Makes this thread the processor `number`; `None` if there is none, another thread is it, or this thread is another
    /// one.
    pub fn become_cpu(&self, number: usize) -> Option<OnCpu<'_>> {
        let taken = &self.cpus.get(number)?.taken;
        if NUMBER.get().is_some() || taken.swap(true, Ordering::SeqCst) {
            return None;
        }
        NUMBER.set(Some(number));
        Some(OnCpu {
            number,
            taken,
            here: PhantomData,
        })
    }

    /// Whether the processor has been notified since it asked last.
    pub fn is_notified(&self, cpu: &OnCpu<'_>) -> bool {
        self.cpus[cpu.number].notified.swap(false, Ordering::SeqCst)
    }

    /// Loads a root into the processor that this thread is.
    fn use_table(&self, root: Option<PhysAddr>) {
        if let Some(cpu) = NUMBER.get() {
            let number = root.map_or(NO_TABLE, PhysAddr::as_u64);
            self.cpus[cpu].root.store(number, Ordering::SeqCst);
            self.machine.set_root(cpu, root).ok();
        }
    }

    /// The machine.
    pub fn machine(&self) -> &M {
        &self.machine
    }

    /// How often a processor was notified.
    pub fn notifications(&self) -> u64 {
        self.notifications.load(Ordering::Relaxed)
    }

    /// How often a processor was asked to invalidate a range.
    pub fn invalidations(&self) -> u64 {
        self.invalidations.load(Ordering::Relaxed)
    }

    /// How often a processor came back to a root and kept what it knew.
    pub fn kept(&self) -> u64 {
        self.kept.load(Ordering::Relaxed)
    }
}

impl Drop for OnCpu<'_> {
    fn drop(&mut self) {
        NUMBER.set(None);
        self.taken.store(false, Ordering::SeqCst);
    }
}

// SAFETY: the value can't leave the thread, a thread is one processor only, and no two are the same
unsafe impl AtomicMode for OnCpu<'_> {
    fn cpu(&self) -> usize {
        self.number
    }
}

// SAFETY: the machine invalidates what is asked for and loads roots, on the processor that the calling thread is; one that
// fails never performs an access again, but answers with the failure. `careless` is its caller's promise. All that threads
// share is atomic, with the strongest ordering, and nothing unwinds: a mutex of the machine is usable after a panic
unsafe impl<A: PagingMode, M: Machine> Processors<A> for Threads<M> {
    fn invalidate(&self, range: FlushRange<A>) {
        self.invalidations.fetch_add(1, Ordering::Relaxed);
        if let (Some(cpu), false) = (NUMBER.get(), self.careless) {
            self.machine.invalidate_range(cpu, range).ok();
        }
    }

    unsafe fn switch(&self, root: PhysAddr) {
        self.use_table(Some(root));
    }

    fn leave(&self) {
        self.use_table(self.own);
    }

    fn identifiers(&self) -> usize {
        self.machine.identifiers()
    }

    unsafe fn switch_as(&self, root: PhysAddr, id: usize, keep: bool) {
        if let Some(cpu) = NUMBER.get() {
            self.cpus[cpu].root.store(root.as_u64(), Ordering::SeqCst);
            self.kept.fetch_add(keep.into(), Ordering::Relaxed);
            self.machine.set_root_as(cpu, root, id, keep).ok();
        }
    }

    fn invalidate_for(&self, root: PhysAddr, range: FlushRange<A>) {
        if let Some(cpu) = NUMBER.get() {
            let uses = self.cpus[cpu].root() == Some(root);
            if !uses && !self.careless {
                self.machine.invalidate_others(cpu).ok();
            }
        }
        self.invalidate(range);
    }

    fn notify(&self, cpu: usize) {
        self.notifications.fetch_add(1, Ordering::Relaxed);
        if let Some(line) = self.cpus.get(cpu) {
            line.notified.store(true, Ordering::SeqCst);
        }
    }

    fn relax(&self) {
        std::thread::yield_now();
    }
}
