//! What every machine can do.

use crate::access::{Access, Outcome};
use crate::memory::Memory;
use portolan::{PageSize, PhysAddr};
use std::fmt;
use std::ops::RangeInclusive;

/// Up to how many pages of a flush are invalidated one by one.
pub(crate) const PAGE_BY_PAGE: u64 = 32;

/// A machine: processors that share a physical memory.
///
/// It stands for the processors at rest between two calls: whatever a call does not mention may stay in their caches.
/// Values are handles; all methods take `&self`.
pub trait Machine {
    /// The physical memory. It hands out table frames and can be read and written by address.
    fn memory(&self) -> &Memory;

    /// How many levels the processors' walk has: 4 or 5.
    fn levels(&self) -> u32;

    /// How many processors there are.
    fn cpus(&self) -> usize;

    /// Whether the processors have pages of this size.
    fn supports(&self, size: PageSize) -> bool;

    /// Virtual addresses that can't be tested on this machine, such as those it needs for itself.
    fn reserved(&self) -> &[RangeInclusive<u64>];

    /// Loads a root (CR3) into a processor, or one that maps nothing. Translations of global pages survive it.
    ///
    /// Before a table is dropped, it must have been unloaded from all processors.
    ///
    /// # Errors
    /// What the machine can't do; see [`MachineError`].
    fn set_root(&self, cpu: usize, root: Option<PhysAddr>) -> Result<(), MachineError>;

    /// Performs accesses, one after the other, on one processor.
    ///
    /// # Errors
    /// What the machine can't do; see [`MachineError`]. A fault is an [`Outcome`], not an error.
    fn access(&self, cpu: usize, accesses: &[Access]) -> Result<Vec<Outcome>, MachineError>;

    /// `INVLPG`: one processor forgets what it knows of the page that `va` lies in, and every upper table entry.
    ///
    /// # Errors
    /// What the machine can't do; see [`MachineError`].
    fn invalidate_page(&self, cpu: usize, va: u64) -> Result<(), MachineError>;

    /// One processor forgets all translations, those of global pages too.
    ///
    /// # Errors
    /// What the machine can't do; see [`MachineError`].
    fn invalidate_all(&self, cpu: usize) -> Result<(), MachineError>;

    /// What a fresh walk from a processor's root would find, without performing an access.
    fn look(&self, _cpu: usize, _va: u64) -> Sight {
        Sight::Hidden
    }
}

/// What [`Machine::look`] sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// This machine can't tell.
    Hidden,
    /// The walk ends in a fault for every access.
    Nothing,
    /// The walk ends in a page.
    Page(Page),
}

/// A page as a machine's walk sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// The physical address of its first byte.
    pub frame: u64,
    /// Its size in bytes.
    pub size: u64,
    /// Stores are allowed.
    pub write: bool,
    /// User mode may use it.
    pub user: bool,
    /// Fetches are allowed.
    pub execute: bool,
    /// Its translation survives a switch of the root.
    pub global: bool,
    /// The accessed bit of the entry that maps it.
    pub accessed: bool,
    /// The dirty bit of the entry that maps it.
    pub dirty: bool,
    /// The index into the page attribute table.
    pub pat: u8,
    /// Whether the tables on the way are accessed through index 0 of the page attribute table.
    pub tables_pat0: bool,
}

/// What a machine can't do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MachineError {
    /// There is no such machine here.
    Unavailable {
        /// Why.
        reason: String,
    },
    /// The host refused a call that the machine needs.
    Host {
        /// Which.
        call: &'static str,
        /// What it said.
        reason: String,
    },
    /// There is no processor of this number.
    NoSuchCpu {
        /// The number.
        cpu: usize,
    },
    /// The address is not a multiple of 8, or is one of those that the machine [reserves](Machine::reserved).
    BadAddress {
        /// The address.
        va: u64,
    },
    /// A translation led to a physical address where there is no memory.
    OutsideMemory {
        /// The physical address.
        addr: u64,
    },
    /// A table frame was freed while a processor could still walk into it.
    FreedInUse {
        /// The frame.
        table: u64,
        /// The processor.
        cpu: usize,
    },
    /// The processor shut down: a fault while a fault was delivered.
    TripleFault,
    /// The guest left in a way that the monitor has no use for.
    UnexpectedExit {
        /// Which.
        exit: String,
    },
    /// The monitor recorded an exception that no access causes.
    UnexpectedException {
        /// Its number.
        vector: u64,
        /// Its error code.
        code: u64,
        /// Where.
        rip: u64,
    },
}

impl fmt::Display for MachineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable { reason } => write!(f, "no such machine here: {reason}"),
            Self::Host { call, reason } => write!(f, "{call}: {reason}"),
            Self::NoSuchCpu { cpu } => write!(f, "there is no processor {cpu}"),
            Self::BadAddress { va } => write!(
                f,
                "{va:#x} is not a multiple of 8, or is reserved by the machine"
            ),
            Self::OutsideMemory { addr } => write!(
                f,
                "a translation led to {addr:#x}, where there is no memory"
            ),
            Self::FreedInUse { table, cpu } => {
                write!(
                    f,
                    "table {table:#x} was freed while processor {cpu} could walk it"
                )
            }
            Self::TripleFault => write!(f, "the processor shut down (triple fault)"),
            Self::UnexpectedExit { exit } => write!(f, "the guest left unexpectedly: {exit}"),
            Self::UnexpectedException { vector, code, rip } => {
                write!(
                    f,
                    "unexpected exception {vector}, error code {code:#x}, at {rip:#x}"
                )
            }
        }
    }
}

impl std::error::Error for MachineError {}
