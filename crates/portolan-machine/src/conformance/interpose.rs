//! A way to memory on which accesses happen between the stores of an operation.

use crate::access::{Access, Outcome};
use crate::machine::{Machine, MachineError};
use portolan::{PhysAddr, TableMemory};
use std::cell::RefCell;
use std::rc::Rc;

/// Memory that lets a processor make accesses before each store to a table.
#[derive(Clone)]
pub(super) struct Interposed<'m, M> {
    inner: M,
    hook: Hook<'m>,
}

/// Where accesses are asked for. There are none at first.
#[derive(Clone)]
pub(super) struct Hook<'m> {
    machine: &'m dyn Machine,
    watch: Rc<RefCell<Watch>>,
}

/// What is accessed, and what came of it.
#[derive(Default)]
struct Watch {
    cpu: usize,
    accesses: Vec<Access>,
    seen: Vec<(Access, Outcome)>,
    error: Option<MachineError>,
}

impl<'m, M> Interposed<'m, M> {
    pub(super) fn new(inner: M, hook: Hook<'m>) -> Self {
        Interposed { inner, hook }
    }
}

impl<'m> Hook<'m> {
    pub(super) fn new(machine: &'m dyn Machine) -> Self {
        Hook {
            machine,
            watch: Rc::default(),
        }
    }

    /// From now on, `cpu` makes these accesses before each store.
    pub(super) fn arm(&self, cpu: usize, accesses: Vec<Access>) {
        *self.watch.borrow_mut() = Watch {
            cpu,
            accesses,
            ..Watch::default()
        };
    }

    /// Ends it, and gives the accesses that were made.
    pub(super) fn disarm(&self) -> Result<Vec<(Access, Outcome)>, MachineError> {
        let watch = self.watch.take();
        watch.error.map_or(Ok(watch.seen), Err)
    }

    fn let_access(&self) {
        let watch = &mut *self.watch.borrow_mut();
        if watch.accesses.is_empty() {
            return;
        }
        match self.machine.access(watch.cpu, &watch.accesses) {
            Ok(outcomes) => watch
                .seen
                .extend(watch.accesses.iter().copied().zip(outcomes)),
            Err(error) => watch.error = Some(error),
        }
    }
}

// SAFETY: passes everything on to one that is; what happens in between are accesses as a processor may make at any time
unsafe impl<M: TableMemory> TableMemory for Interposed<'_, M> {
    fn alloc_zeroed(&self, bytes: usize) -> Option<PhysAddr> {
        self.inner.alloc_zeroed(bytes)
    }

    unsafe fn free(&self, table: PhysAddr, bytes: usize) {
        // SAFETY: passed on with the same promises
        unsafe { self.inner.free(table, bytes) }
    }

    unsafe fn read(&self, table: PhysAddr, index: usize) -> u64 {
        // SAFETY: passed on with the same promises
        unsafe { self.inner.read(table, index) }
    }

    unsafe fn write(&self, table: PhysAddr, index: usize, word: u64) {
        self.hook.let_access();
        // SAFETY: passed on with the same promises
        unsafe { self.inner.write(table, index, word) }
    }

    unsafe fn compare_exchange(
        &self,
        table: PhysAddr,
        index: usize,
        current: u64,
        new: u64,
    ) -> Result<u64, u64> {
        self.hook.let_access();
        // SAFETY: passed on with the same promises
        unsafe { self.inner.compare_exchange(table, index, current, new) }
    }

    fn phys_bits(&self) -> u8 {
        self.inner.phys_bits()
    }
}
