//! What every machine can do.

use crate::access::{Access, Outcome};
use crate::memory::Memory;
use crate::walk::{Regime, Rights};
use portolan::{Advice, CachePolicy, FlushRange, PageSize, PagingMode, PhysAddr};
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

    /// How the processors walk tables.
    fn regime(&self) -> Regime;

    /// How many processors there are.
    fn cpus(&self) -> usize;

    /// Whether the processors have pages of this size.
    fn supports(&self, size: PageSize) -> bool {
        self.regime().page_sizes().contains(&size)
    }

    /// Virtual addresses that can't be tested on this machine, such as those it needs for itself.
    fn reserved(&self) -> &[RangeInclusive<u64>];

    /// Loads a root (CR3, EPTP, TTBR, VTTBR, `satp`) into a processor, or one that maps nothing. Translations of global
    /// pages survive it, others don't, unless by [`set_root_as`](Machine::set_root_as) they are known under an identifier.
    ///
    /// Before a table is dropped, it must have been unloaded from all processors.
    ///
    /// # Errors
    /// What the machine can't do; see [`MachineError`].
    fn set_root(&self, cpu: usize, root: Option<PhysAddr>) -> Result<(), MachineError>;

    /// How many identifiers of address spaces (PCID, ASID) each processor has for roots: they are counted from 1.
    fn identifiers(&self) -> usize {
        0
    }

    /// Loads a root under an identifier: what a processor knows of others it knows still when they are loaded again, under the
    /// identifiers that they had. Unless `keep`, what it knows under this one is forgotten.
    ///
    /// # Errors
    /// What the machine can't do; see [`MachineError`].
    fn set_root_as(
        &self,
        cpu: usize,
        root: PhysAddr,
        _id: usize,
        _keep: bool,
    ) -> Result<(), MachineError> {
        self.set_root(cpu, Some(root))
    }

    /// One processor forgets what it knows under identifiers that are not in use.
    ///
    /// # Errors
    /// What the machine can't do; see [`MachineError`].
    fn invalidate_others(&self, _cpu: usize) -> Result<(), MachineError> {
        Ok(())
    }

    /// Performs accesses, one after the other, on one processor.
    ///
    /// # Errors
    /// What the machine can't do; see [`MachineError`]. A fault is an [`Outcome`], not an error.
    fn access(&self, cpu: usize, accesses: &[Access]) -> Result<Vec<Outcome>, MachineError>;

    /// One processor forgets what it knows of the page that `va` lies in, and every upper table entry that serves it.
    ///
    /// `INVLPG`; `INVEPT`, which does more, as there is nothing finer; `TLBI VAAE1` or `TLBI IPAS2E1` with `TLBI VMALLE1`;
    /// `SFENCE.VMA` without an address, since one with an address leaves the upper entries.
    ///
    /// # Errors
    /// What the machine can't do; see [`MachineError`].
    fn invalidate_page(&self, cpu: usize, va: u64) -> Result<(), MachineError>;

    /// One processor forgets the translation of the page that `va` lies in, and of upper tables as little as the architecture
    /// has an instruction for. As [`invalidate_page`](Machine::invalidate_page) where there is no such instruction, or
    /// the machine has no use for it.
    ///
    /// # Errors
    /// What the machine can't do; see [`MachineError`].
    fn invalidate_leaf(&self, cpu: usize, va: u64) -> Result<(), MachineError> {
        self.invalidate_page(cpu, va)
    }

    /// As [`invalidate_page`](Machine::invalidate_page), for several pages.
    ///
    /// # Errors
    /// What the machine can't do; see [`MachineError`].
    fn invalidate_pages(&self, cpu: usize, pages: &[u64]) -> Result<(), MachineError> {
        let mut each = pages.iter();
        each.try_for_each(|va| self.invalidate_page(cpu, *va))
    }

    /// One processor does what `range` asks for, and no more, so that it shows if that is too little.
    ///
    /// # Errors
    /// What the machine can't do; see [`MachineError`].
    fn invalidate_range<A: PagingMode>(
        &self,
        cpu: usize,
        range: FlushRange<A>,
    ) -> Result<(), MachineError>
    where
        Self: Sized,
    {
        let Advice::Pages { first, count, size } = range.advice(PAGE_BY_PAGE) else {
            return self.invalidate_all(cpu);
        };
        let page = |n| first.as_u64() + n * size.bytes();
        if range.frees_tables() {
            self.invalidate_pages(cpu, &(0..count).map(page).collect::<Vec<_>>())
        } else {
            (0..count).try_for_each(|n| self.invalidate_leaf(cpu, page(n)))
        }
    }

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
    /// What all entries on the way allow.
    pub rights: Rights,
    /// Its translation survives a switch of the root.
    pub global: bool,
    /// The entry that maps it says that it was used.
    pub accessed: bool,
    /// The entry that maps it says that it was stored to.
    pub dirty: bool,
    /// How accesses to it are cached.
    pub cache: CachePolicy,
    /// Whether the tables on the way are cached: on x86_64 the entries that refer to them say how, elsewhere nothing
    /// in the tables does.
    pub tables_cached: bool,
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
    /// A valid entry was changed to another frame, size or kind, or replaced, while a processor could still use the old
    /// one. AArch64 wants it made invalid, and invalidated, in between ("break-before-make", Arm ARM D8.17.1).
    NotBroken {
        /// Where the entry is, or the address that it translates.
        addr: u64,
        /// What it said.
        old: u64,
        /// What it says now.
        new: u64,
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
            Self::NotBroken { addr, old, new } => {
                write!(
                    f,
                    "{old:#x} at {addr:#x} became {new:#x} without being broken first"
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
