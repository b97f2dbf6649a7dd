//! Stands in for the guest where there is no `/dev/kvm`: on hosts other than Linux on x86_64.

use crate::access::{Access, Outcome};
use crate::machine::{Machine, MachineError};
use crate::memory::Memory;
use crate::walk::Regime;
use portolan::{FlushRange, Invalidate, PageSize, PagingMode, PhysAddr};
use std::fmt;
use std::ops::RangeInclusive;

/// A guest of the host's processor. This host can't have one.
#[derive(Clone)]
pub enum KvmMachine {}

/// How a [`KvmMachine`] is built.
#[derive(Clone, Copy, Debug)]
pub struct KvmConfig {
    /// How many processors the guest has.
    pub cpus: usize,
    /// How many GiB of physical memory it sees.
    pub gib: u64,
    /// The top-level slot that the guest's own program has.
    pub slot: u64,
    /// Whether a host that shadows the guest's tables learns of changes to them late.
    pub late: bool,
}

impl Default for KvmConfig {
    fn default() -> Self {
        KvmConfig {
            cpus: 1,
            gib: 8,
            slot: 300,
            late: false,
        }
    }
}

/// Who walks the guest's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paging {
    /// The processor itself.
    Nested,
    /// The host's kernel.
    Shadow,
    /// The host doesn't say.
    Unknown,
}

impl fmt::Display for Paging {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no guest here")
    }
}

impl KvmMachine {
    /// Always fails here.
    ///
    /// # Errors
    /// [`MachineError::Unavailable`].
    pub fn new(_config: KvmConfig) -> Result<Self, MachineError> {
        Err(MachineError::Unavailable {
            reason: "needs Linux on x86_64".into(),
        })
    }

    /// Top-level slots in which the host doesn't do what the processor's manual says.
    #[must_use]
    pub fn misserved(&self) -> &[u64] {
        match *self {}
    }

    /// Who walks the guest's tables here.
    #[must_use]
    pub fn paging(&self) -> Paging {
        match *self {}
    }
}

impl Machine for KvmMachine {
    fn memory(&self) -> &Memory {
        match *self {}
    }

    fn regime(&self) -> Regime {
        match *self {}
    }

    fn cpus(&self) -> usize {
        match *self {}
    }

    fn supports(&self, _size: PageSize) -> bool {
        match *self {}
    }

    fn reserved(&self) -> &[RangeInclusive<u64>] {
        match *self {}
    }

    fn set_root(&self, _cpu: usize, _root: Option<PhysAddr>) -> Result<(), MachineError> {
        match *self {}
    }

    fn access(&self, _cpu: usize, _accesses: &[Access]) -> Result<Vec<Outcome>, MachineError> {
        match *self {}
    }

    fn invalidate_page(&self, _cpu: usize, _va: u64) -> Result<(), MachineError> {
        match *self {}
    }

    fn invalidate_all(&self, _cpu: usize) -> Result<(), MachineError> {
        match *self {}
    }
}

// SAFETY: there is no value to call it on
unsafe impl<A: PagingMode> Invalidate<A> for KvmMachine {
    fn invalidate(&self, _range: FlushRange<A>) {
        match *self {}
    }
}
