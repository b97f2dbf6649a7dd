//! A machine in software: processors that do with their caches what the architecture allows, at its worst.

mod cache;
mod onlooker;
mod walk;

pub use cache::Caching;

use crate::access::{Access, Kind, Outcome};
use crate::fault::{Cause, Fault, Refusal};
use crate::isa::Isa;
use crate::machine::{Machine, MachineError, Page, Sight};
use crate::memory::Memory;
use crate::walk::Regime;
use cache::Cache;
use onlooker::Onlooker;
use portolan::{FlushRange, Invalidate, PagingMode, PhysAddr};
use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use walk::{Found, Hop, Purpose, Stop};

/// A machine in software. A handle, whose clones stand for the same machine.
///
/// Its processors walk tables as [`Regime::step`] says. Each has a TLB and caches of upper table entries, which keep
/// stale entries for as long as the architecture lets them. The processors also look ahead whenever a word of a table is
/// stored, so an order of stores that passes through a wrong state doesn't go unnoticed.
///
/// What a regime maps is used by a kernel and its programs. With extended page tables and at stage 2 these are a guest's,
/// whose own paging is off, so that its addresses are the guest-physical ones.
///
/// Two mistakes that no access shows are answered with an error by all that is asked of the machine afterwards:
/// [`MachineError::FreedInUse`], and on AArch64 [`MachineError::NotBroken`].
#[derive(Clone)]
pub struct SoftMachine {
    memory: Memory,
    regime: Regime,
    identifiers: usize,
    cpus: Arc<Mutex<Cpus>>,
}

/// How a [`SoftMachine`] is built.
#[derive(Clone, Copy, Debug)]
pub struct SoftConfig {
    /// What the processors make of the words of tables.
    pub regime: Regime,
    /// How many processors there are.
    pub cpus: usize,
    /// How many bits physical addresses have: 36 to 52.
    pub phys_bits: u8,
    /// What the processors do with their caches.
    pub caching: Caching,
    /// Whether the processors remember also that nothing is mapped. RISC-V allows it to those without Svvptc, and then a
    /// kernel has to fence after a map as well (privileged specification, "Supervisor Memory-Management Fence
    /// Instruction"); no other architecture does.
    pub absent: bool,
    /// How many identifiers of address spaces the processors have.
    pub identifiers: usize,
}

impl Default for SoftConfig {
    fn default() -> Self {
        SoftConfig {
            regime: Regime::X86_64 { levels: 4 },
            cpus: 2,
            phys_bits: 48,
            caching: Caching::Seeded(1),
            absent: false,
            identifiers: 3,
        }
    }
}

struct Cpus {
    memory: Memory,
    regime: Regime,
    all: Vec<Cpu>,
    broken: Option<MachineError>,
}

struct Cpu {
    root: Option<u64>,
    cache: Cache,
    /// Addresses used lately, for which it may load translations early.
    recent: VecDeque<u64>,
    /// What it noticed.
    broken: Option<MachineError>,
}

/// How many addresses a processor may come back to on its own.
const RECENT: usize = 32;

impl SoftMachine {
    /// A machine with nothing loaded.
    ///
    /// # Panics
    /// If the configuration is out of range.
    #[must_use]
    pub fn new(config: SoftConfig) -> Self {
        assert!(
            !config.absent
                || matches!(
                    config.regime,
                    Regime::Riscv { .. } | Regime::LoongArch { .. }
                ),
            "only RISC-V and LoongArch64 let processors remember that nothing is mapped"
        );
        let memory = Memory::sparse(config.phys_bits);
        let cpu = |id| Cpu {
            root: None,
            cache: Cache::new(config.regime, config.caching, config.absent, id),
            recent: VecDeque::new(),
            broken: None,
        };
        let all = (0..config.cpus).map(cpu).collect();
        let cpus = Cpus {
            memory: memory.clone(),
            regime: config.regime,
            all,
            broken: None,
        };
        let cpus = Arc::new(Mutex::new(cpus));
        memory.observe(Box::new(Onlooker::new(&cpus, config.regime)));
        SoftMachine {
            memory,
            regime: config.regime,
            identifiers: config.identifiers,
            cpus,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Cpus> {
        // What a panic leaves behind is a machine with some entries cached, as any other
        self.cpus.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<R>(&self, cpu: usize, act: impl FnOnce(&mut Cpu) -> R) -> Result<R, MachineError> {
        self.lock()
            .all
            .get_mut(cpu)
            .map(act)
            .ok_or(MachineError::NoSuchCpu { cpu })
    }
}

impl Machine for SoftMachine {
    fn memory(&self) -> &Memory {
        &self.memory
    }

    fn regime(&self) -> Regime {
        self.regime
    }

    fn cpus(&self) -> usize {
        self.lock().all.len()
    }

    fn reserved(&self) -> &[RangeInclusive<u64>] {
        &[]
    }

    fn set_root(&self, cpu: usize, root: Option<PhysAddr>) -> Result<(), MachineError> {
        self.with(cpu, |cpu| {
            cpu.root = root.map(PhysAddr::as_u64);
            cpu.cache.switch_as(0, false);
        })
    }

    fn identifiers(&self) -> usize {
        self.identifiers
    }

    fn set_root_as(
        &self,
        cpu: usize,
        root: PhysAddr,
        id: usize,
        keep: bool,
    ) -> Result<(), MachineError> {
        let dead = self.with(cpu, |cpu| {
            cpu.root = Some(root.as_u64());
            cpu.cache.switch_as(id, keep)
        })?;
        let Some(table) = dead else { return Ok(()) };
        let error = MachineError::FreedInUse { table, cpu };
        self.lock().broken.get_or_insert(error.clone());
        Err(error)
    }

    fn invalidate_others(&self, cpu: usize) -> Result<(), MachineError> {
        self.with(cpu, |cpu| cpu.cache.forget_others())
    }

    fn access(&self, cpu: usize, accesses: &[Access]) -> Result<Vec<Outcome>, MachineError> {
        let mut cpus = self.lock();
        if let Some(error) = &cpus.broken {
            return Err(error.clone());
        }
        if cpu >= cpus.all.len() {
            return Err(MachineError::NoSuchCpu { cpu });
        }
        accesses
            .iter()
            .map(|access| cpus.access(cpu, access))
            .collect()
    }

    fn invalidate_page(&self, cpu: usize, va: u64) -> Result<(), MachineError> {
        self.with(cpu, |cpu| cpu.cache.invalidate_page(va))
    }

    /// Nothing of upper tables by `TLBI VALE1` and `SFENCE.VMA` with an address.
    fn invalidate_leaf(&self, cpu: usize, va: u64) -> Result<(), MachineError> {
        self.with(cpu, |cpu| cpu.cache.invalidate_leaf(va))
    }

    fn invalidate_all(&self, cpu: usize) -> Result<(), MachineError> {
        self.with(cpu, |cpu| cpu.cache.clear())
    }

    fn look(&self, cpu: usize, va: u64) -> Sight {
        let root = self.lock().all.get(cpu).and_then(|cpu| cpu.root);
        let Some(root) = root.filter(|_| self.regime.canonical(va)) else {
            return Sight::Nothing;
        };
        let mut tables_cached = true;
        let passed = |_, entry| tables_cached &= walk::table_is_cached(self.regime, entry);
        let start = Hop::root(root, self.regime);
        let found = walk::walk(self.regime, &self.memory, start, va, Purpose::Look, passed);
        let Ok(Found { leaf, rights, .. }) = found else {
            return Sight::Nothing;
        };
        Sight::Page(Page {
            frame: leaf.frame,
            size: leaf.size,
            rights,
            global: leaf.global,
            accessed: leaf.accessed,
            dirty: leaf.dirty,
            cache: leaf.cache,
            tables_cached,
        })
    }
}

impl Cpus {
    fn access(&mut self, cpu: usize, access: &Access) -> Result<Outcome, MachineError> {
        let &Access {
            va, kind, value, ..
        } = access;
        if !va.is_multiple_of(8) {
            return Err(MachineError::BadAddress { va });
        }
        let regime = self.regime;
        let refused = |refusal: Refusal| Ok(Outcome::Fault(refusal.fault(regime, access)));
        if !self.regime.canonical(va) {
            return refused(Refusal::NotCanonical);
        }
        self.look_ahead(cpu);
        let cpu = &mut self.all[cpu];
        cpu.cache.forget_some();
        if cpu.recent.len() == RECENT {
            cpu.recent.pop_front();
        }
        cpu.recent.push_back(va);
        let target = cpu
            .translate(self.regime, &self.memory, access)
            .and_then(|target| self.memory.word_at(target).ok_or(Stop::Outside(target)));
        if let Some(error) = cpu.broken.take() {
            self.broken.get_or_insert(error.clone());
            return Err(error);
        }
        match target {
            Ok(target) => Ok(self.perform(target, kind, value)),
            Err(Stop::Refused(refusal)) => {
                cpu.cache.faulted(va);
                refused(refusal)
            }
            Err(Stop::Outside(_)) if matches!(self.regime, Regime::Riscv { .. }) => {
                let cause = Cause::access_fault(kind);
                Ok(Outcome::Fault(Fault::Trap { cause, addr: va }))
            }
            Err(Stop::Outside(addr)) => Err(MachineError::OutsideMemory { addr }),
        }
    }

    /// The access itself, at its physical address.
    fn perform(&self, target: PhysAddr, kind: Kind, value: u64) -> Outcome {
        let isa = Isa::of(self.regime);
        match kind {
            Kind::Load => Outcome::Loaded(self.memory.load(target)),
            Kind::Store => {
                self.memory.store(target, value);
                Outcome::Stored
            }
            Kind::Fetch => {
                let exception = isa.illegal();
                let number = isa.code_number(self.memory.load(target));
                number.map_or(Outcome::Astray { exception }, Outcome::Fetched)
            }
        }
    }

    /// Loads a translation that nobody asked for, perhaps.
    fn look_ahead(&mut self, cpu: usize) {
        let cpu = &mut self.all[cpu];
        let Some(choice) = cpu.cache.speculates(cpu.recent.len()) else {
            return;
        };
        let va = cpu.cache.near(cpu.recent[choice]);
        if self.regime.canonical(va) {
            cpu.fill(self.regime, &self.memory, va, Purpose::Speculation)
                .ok();
        }
        if let Some(error) = cpu.broken.take() {
            self.broken.get_or_insert(error);
        }
    }
}

impl Cpu {
    /// The physical address that an access goes to.
    fn translate(&mut self, regime: Regime, memory: &Memory, access: &Access) -> Result<u64, Stop> {
        let &Access {
            va,
            kind,
            privilege,
            ..
        } = access;
        if let Some(level) = self.cache.absent(va) {
            return Err(Stop::Refused(Refusal::Absent { level }));
        }
        if let Some(known) = self.cache.translation(va) {
            known.check(kind, privilege).map_err(Stop::Refused)?;
            if kind != Kind::Store || known.dirty() {
                return Ok(known.target(va));
            }
            // The dirty bit has to be set in memory first, so the entry is walked to again
        }
        self.fill(regime, memory, va, Purpose::Access(kind, privilege))
    }

    /// Walks, remembers what it likes and gives the physical address.
    fn fill(
        &mut self,
        regime: Regime,
        memory: &Memory,
        va: u64,
        purpose: Purpose,
    ) -> Result<u64, Stop> {
        let Some(root) = self.root else {
            let level = regime.levels();
            return Err(Stop::Refused(Refusal::Absent { level }));
        };
        let Cpu { cache, broken, .. } = self;
        let start = cache.start(va, Hop::root(root, regime));
        let mut clash = |old: Option<u64>, new: u64| {
            if let (Some(old), true) = (old, regime.breaks_before_make()) {
                broken.get_or_insert(MachineError::NotBroken { addr: va, old, new });
            }
        };
        let found = walk::walk(regime, memory, start, va, purpose, |hop, _| {
            clash(cache.clashes_with_table(&hop), hop.table);
            cache.remember_hop(hop);
        });
        if let (Err(Stop::Refused(Refusal::Absent { level })), Regime::Riscv { .. }) =
            (&found, regime)
        {
            cache.remember_absent(*level, va);
        }
        let found = found?;
        clash(cache.clashes_with_page(&found), found.leaf.frame);
        let target = cache.remember(found, va).target(va);
        if let Regime::LoongArch { .. } = regime {
            self.fill_other_half(regime, memory, root, &found);
        }
        Ok(target)
    }

    /// LoongArch64: the other page of a pair comes with the one that was found, if it is there or not (5.4.2).
    fn fill_other_half(&mut self, regime: Regime, memory: &Memory, root: u64, found: &Found) {
        if found.level != 1 {
            return;
        }
        let va = found.base ^ found.leaf.size;
        let start = Hop::root(root, regime);
        match walk::walk(regime, memory, start, va, Purpose::Look, |_, _| {}) {
            Ok(other) => {
                self.cache.remember(other, va);
            }
            Err(Stop::Refused(Refusal::Absent { level: 1 })) => self.cache.remember_absent(1, va),
            Err(_) => {}
        }
    }
}

// SAFETY: every processor is told of each page, and of upper tables where that is asked for, or of everything; none of them
// runs outside of the machine's own calls
unsafe impl<A: PagingMode> Invalidate<A> for SoftMachine {
    fn invalidate(&self, range: FlushRange<A>) {
        for cpu in 0..self.cpus() {
            self.invalidate_range(cpu, range).ok();
        }
    }
}
