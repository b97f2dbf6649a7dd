//! A machine in software: processors that do with their caches what the architecture allows, at its worst.

mod cache;
mod walk;

pub use cache::Caching;

use crate::access::{Access, Kind, Outcome, PageFaultCode, code_number};
use crate::machine::{Machine, MachineError, PAGE_BY_PAGE, Page, Sight};
use crate::memory::{Memory, Observer};
use cache::Cache;
use portolan::{Advice, FlushRange, Invalidate, PageSize, PagingMode, PhysAddr};
use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use walk::{Hop, Purpose};

/// A machine in software. A handle, whose clones stand for the same machine.
///
/// Its processors walk tables as the manual says, with CR0.WP, IA32_EFER.NXE and CR4.PGE set and everything optional
/// off. Each has a TLB and paging-structure caches, which keep stale entries for as long as the architecture lets
/// them. The processors also look ahead whenever a word of a table is stored, so an order of stores that passes
/// through a wrong state doesn't go unnoticed.
#[derive(Clone)]
pub struct SoftMachine {
    memory: Memory,
    levels: u32,
    cpus: Arc<Mutex<Cpus>>,
}

/// How a [`SoftMachine`] is built.
#[derive(Clone, Copy, Debug)]
pub struct SoftConfig {
    /// How many levels the walk has: 4 or 5.
    pub levels: u32,
    /// How many processors there are.
    pub cpus: usize,
    /// How many bits physical addresses have: 36 to 52.
    pub phys_bits: u8,
    /// What the processors do with their caches.
    pub caching: Caching,
}

impl Default for SoftConfig {
    fn default() -> Self {
        SoftConfig {
            levels: 4,
            cpus: 2,
            phys_bits: 48,
            caching: Caching::Seeded(1),
        }
    }
}

struct Cpus {
    memory: Memory,
    levels: u32,
    all: Vec<Cpu>,
    broken: Option<MachineError>,
}

struct Cpu {
    root: Option<u64>,
    cache: Cache,
    /// Addresses used lately, for which it may load translations early.
    recent: VecDeque<u64>,
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
        assert!(matches!(config.levels, 4 | 5), "a walk has 4 or 5 levels");
        let memory = Memory::sparse(config.phys_bits);
        let cpu = |id| Cpu {
            root: None,
            cache: Cache::new(config.caching, id),
            recent: VecDeque::new(),
        };
        let all = (0..config.cpus).map(cpu).collect();
        let cpus = Cpus {
            memory: memory.clone(),
            levels: config.levels,
            all,
            broken: None,
        };
        let cpus = Arc::new(Mutex::new(cpus));
        memory.observe(Box::new(Onlooker(Arc::downgrade(&cpus))));
        SoftMachine {
            memory,
            levels: config.levels,
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

    fn levels(&self) -> u32 {
        self.levels
    }

    fn cpus(&self) -> usize {
        self.lock().all.len()
    }

    fn supports(&self, size: PageSize) -> bool {
        matches!(size, PageSize::Size4K | PageSize::Size2M | PageSize::Size1G)
    }

    fn reserved(&self) -> &[RangeInclusive<u64>] {
        &[]
    }

    fn set_root(&self, cpu: usize, root: Option<PhysAddr>) -> Result<(), MachineError> {
        self.with(cpu, |cpu| {
            cpu.root = root.map(PhysAddr::as_u64);
            cpu.cache.switch();
        })
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

    fn invalidate_all(&self, cpu: usize) -> Result<(), MachineError> {
        self.with(cpu, |cpu| cpu.cache.clear())
    }

    fn look(&self, cpu: usize, va: u64) -> Sight {
        let root = self.lock().all.get(cpu).and_then(|cpu| cpu.root);
        let Some(root) = root.filter(|_| walk::is_canonical(va, self.levels)) else {
            return Sight::Nothing;
        };
        let mut tables_pat0 = true;
        let passed = |_, entry| tables_pat0 &= walk::table_is_pat0(entry);
        let Ok(leaf) = walk::walk(
            &self.memory,
            Hop::root(root, self.levels),
            va,
            Purpose::Look,
            passed,
        ) else {
            return Sight::Nothing;
        };
        Sight::Page(Page {
            frame: leaf.frame,
            size: leaf.size,
            write: leaf.rights.write,
            user: leaf.rights.user,
            execute: leaf.rights.execute,
            global: leaf.global,
            accessed: leaf.accessed,
            dirty: leaf.dirty,
            pat: leaf.pat,
            tables_pat0,
        })
    }
}

impl Cpus {
    fn access(&mut self, cpu: usize, access: &Access) -> Result<Outcome, MachineError> {
        let &Access {
            va,
            kind,
            privilege,
            value,
        } = access;
        if !va.is_multiple_of(8) {
            return Err(MachineError::BadAddress { va });
        }
        if !walk::is_canonical(va, self.levels) {
            return Ok(Outcome::GeneralProtection { code: 0 });
        }
        self.look_ahead(cpu);
        let cpu = &mut self.all[cpu];
        cpu.cache.forget_some();
        if cpu.recent.len() == RECENT {
            cpu.recent.pop_front();
        }
        cpu.recent.push_back(va);
        match cpu.translate(&self.memory, self.levels, access) {
            Ok(target) => Ok(perform(&self.memory, PhysAddr::new(target), kind, value)),
            Err(code) => {
                cpu.cache.faulted(va);
                debug_assert_eq!(
                    code.0 & PageFaultCode::of(kind, privilege).0,
                    PageFaultCode::of(kind, privilege).0
                );
                Ok(Outcome::PageFault { code, addr: va })
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
        if walk::is_canonical(va, self.levels) {
            cpu.fill(&self.memory, self.levels, va, Purpose::Speculation)
                .ok();
        }
    }
}

impl Cpu {
    /// The physical address that an access goes to.
    fn translate(
        &mut self,
        memory: &Memory,
        levels: u32,
        access: &Access,
    ) -> Result<u64, PageFaultCode> {
        let &Access {
            va,
            kind,
            privilege,
            ..
        } = access;
        if let Some(known) = self.cache.translation(va) {
            if !known.allows(kind, privilege) {
                return Err(PageFaultCode::of(kind, privilege).with(PageFaultCode::PRESENT));
            }
            if kind != Kind::Store || known.dirty() {
                return Ok(known.target(va));
            }
            // The dirty bit has to be set in memory first, so the entry is walked to again
        }
        self.fill(memory, levels, va, Purpose::Access(kind, privilege))
    }

    /// Walks, remembers what it likes and gives the physical address.
    fn fill(
        &mut self,
        memory: &Memory,
        levels: u32,
        va: u64,
        purpose: Purpose,
    ) -> Result<u64, PageFaultCode> {
        let Some(root) = self.root else {
            return Err(match purpose {
                Purpose::Access(kind, privilege) => PageFaultCode::of(kind, privilege),
                Purpose::Speculation | Purpose::Look => PageFaultCode(0),
            });
        };
        let cache = &mut self.cache;
        let start = cache.start(va, Hop::root(root, levels));
        let leaf = walk::walk(memory, start, va, purpose, |hop, _| cache.remember_hop(hop))?;
        Ok(cache.remember(leaf, va).target(va))
    }
}

/// The access itself, at its physical address.
fn perform(memory: &Memory, target: PhysAddr, kind: Kind, value: u64) -> Outcome {
    match kind {
        Kind::Load => Outcome::Loaded(memory.load(target)),
        Kind::Store => {
            memory.store(target, value);
            Outcome::Stored
        }
        Kind::Fetch => {
            code_number(memory.load(target)).map_or(Outcome::Astray { vector: 6 }, Outcome::Fetched)
        }
    }
}

/// Lets the processors look ahead at each store to a table, and notices when one is freed that they can still walk.
struct Onlooker(Weak<Mutex<Cpus>>);

impl Observer for Onlooker {
    fn stored(&self) {
        let Some(cpus) = self.0.upgrade() else { return };
        let mut cpus = cpus.lock().unwrap_or_else(PoisonError::into_inner);
        for cpu in 0..cpus.all.len() {
            cpus.look_ahead(cpu);
        }
    }

    fn freed(&self, table: u64, bytes: usize) {
        let Some(cpus) = self.0.upgrade() else { return };
        let mut cpus = cpus.lock().unwrap_or_else(PoisonError::into_inner);
        let frames = table..table + bytes as u64;
        let walks = |cpu: &Cpu| {
            cpu.cache.reaches(&frames) || cpu.root.is_some_and(|root| frames.contains(&root))
        };
        if let Some(cpu) = cpus.all.iter().position(walks) {
            cpus.broken
                .get_or_insert(MachineError::FreedInUse { table, cpu });
        }
    }
}

// SAFETY: `INVLPG` for each page, or all at once, on every processor; none of them runs outside of the machine's own calls
unsafe impl<A: PagingMode> Invalidate<A> for SoftMachine {
    fn invalidate(&self, range: FlushRange<A>) {
        let advice = range.advice(PAGE_BY_PAGE);
        for cpu in &mut self.lock().all {
            match advice {
                Advice::Pages { first, count, size } => (0..count).for_each(|n| {
                    cpu.cache.invalidate_page(first.as_u64() + n * size.bytes());
                }),
                Advice::All => cpu.cache.clear(),
            }
        }
    }
}
