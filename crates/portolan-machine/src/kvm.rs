//! A machine whose processors are the host's, through `/dev/kvm`.

mod monitor;
mod vcpu;

use crate::access::{Access, Outcome, Privilege};
use crate::machine::{Machine, MachineError};
use crate::memory::mapped::Mapped;
use crate::memory::{Memory, Recorded};
use crate::walk::Regime;
use kvm_bindings::{CpuId, KVM_MAX_CPUID_ENTRIES, kvm_userspace_memory_region};
use kvm_ioctls::{Kvm, VmFd};
use portolan::{FlushRange, Invalidate, PageSize, PagingMode, PhysAddr, TableMemory};
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use vcpu::{Step, Vcpu, has_identifiers, host};

/// A guest of the host's processor. A handle, whose clones stand for the same guest.
///
/// The guest runs a small program in 64-bit mode, which performs accesses in the address space under test and notes
/// what came of them. Its own pages lie in one top-level slot of the address space, so the root that is loaded is a
/// copy of the tested one with that slot replaced; everything below the root is the tested tables themselves.
#[derive(Clone)]
pub struct KvmMachine {
    memory: Memory,
    paging: Paging,
    huge: bool,
    late: bool,
    identifiers: usize,
    reserved: Vec<RangeInclusive<u64>>,
    misserved: Vec<u64>,
    guest: Arc<Guest>,
}

/// How a [`KvmMachine`] is built.
#[derive(Clone, Copy, Debug)]
pub struct KvmConfig {
    /// How many processors the guest has.
    pub cpus: usize,
    /// How many GiB of physical memory it sees, 2 to 16; the host provides only what is touched.
    pub gib: u64,
    /// The top-level slot (0 to 511) that the guest's own program has.
    pub slot: u64,
    /// Whether a host that shadows the guest's tables learns of changes to them as late as may be: when a processor invalidates
    /// something or loads a root, and not before each access. What it has in its shadows is stale until then, as in a TLB.
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
    /// The processor itself: it has nested paging (EPT or NPT), and the host uses it.
    Nested,
    /// The host's kernel walks them and keeps shadow tables, which the processor walks; a host without nested paging.
    /// Some instructions of the guest may be emulated.
    Shadow,
    /// The host doesn't say.
    Unknown,
}

impl fmt::Display for Paging {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Paging::Nested => "the processor walks the guest's tables (nested paging)",
            Paging::Shadow => {
                "the host's kernel walks the guest's tables and the processor its shadow of them"
            }
            Paging::Unknown => "the host doesn't say who walks the guest's tables",
        })
    }
}

struct Guest {
    // Dropped in this order: the processors and the machine before the memory they use
    /// Each has a lock of its own: several run at once if several threads let them.
    cpus: Vec<Mutex<Vcpu>>,
    /// Held while a processor does what the host's stores to tables are made known by, so that nobody goes on before that is
    /// done because somebody else has begun with it.
    touching: Mutex<()>,
    _vm: VmFd,
    _memory: Memory,
}

/// Table frames come from here; the monitor's areas lie below, data above.
const TABLES: std::ops::Range<u64> = 16 << 20..512 << 20;

/// CPUID leaf with the widths of addresses.
const LEAF_ADDRESSES: u32 = 0x8000_0008;
/// CPUID leaf whose EDX bit 26 says that there are pages of 1 GiB.
const LEAF_EXTENDED: u32 = 0x8000_0001;

impl KvmMachine {
    /// A guest with nothing loaded.
    ///
    /// # Errors
    /// [`MachineError::Unavailable`] if this host has no usable `/dev/kvm`; [`MachineError::Host`] if it refuses a call.
    ///
    /// # Panics
    /// If the configuration is out of range.
    pub fn new(config: KvmConfig) -> Result<Self, MachineError> {
        assert!(
            (2..=16).contains(&config.gib) && config.slot < 512,
            "{config:?} is out of range"
        );
        assert!(
            (1..=7).contains(&config.cpus),
            "there is room for 1 to 7 processors"
        );
        let unavailable = |error: kvm_ioctls::Error| MachineError::Unavailable {
            reason: format!("/dev/kvm: {error}"),
        };
        let kvm = Kvm::new().map_err(unavailable)?;
        let vm = kvm.create_vm().map_err(unavailable)?;
        let cpuid = host(
            "KVM_GET_SUPPORTED_CPUID",
            kvm.get_supported_cpuid(KVM_MAX_CPUID_ENTRIES),
        )?;
        let (phys_bits, huge) = features(&cpuid);
        let paging = paging();
        let bytes = config.gib << 30;
        let mapped = Mapped::new(bytes)?;
        let region = kvm_userspace_memory_region {
            guest_phys_addr: 0,
            memory_size: bytes,
            userspace_addr: mapped.host_addr(),
            ..kvm_userspace_memory_region::default()
        };
        // A host that shadows tables learns of stores to them only from the guest
        let recorded = match paging {
            Paging::Nested => Recorded::Nothing,
            Paging::Shadow | Paging::Unknown => Recorded::Tables,
        };
        let memory = Memory::mapped(mapped, phys_bits, TABLES, recorded);
        // SAFETY: the region is one mapping, which `memory` keeps for as long as the guest's handles exist
        host("KVM_SET_USER_MEMORY_REGION", unsafe {
            vm.set_user_memory_region(region)
        })?;
        let vcpu = |id| Vcpu::new(&vm, id, &cpuid, &memory, bytes, config.slot).map(Mutex::new);
        let cpus = (0..config.cpus).map(vcpu).collect::<Result<_, _>>()?;
        let guest = Arc::new(Guest {
            cpus,
            touching: Mutex::default(),
            _vm: vm,
            _memory: memory.clone(),
        });
        let reserved = vec![addresses(config.slot)];
        let mut machine = KvmMachine {
            memory,
            paging,
            huge,
            late: config.late,
            identifiers: if has_identifiers(&cpuid) {
                monitor::IDENTIFIERS
            } else {
                0
            },
            reserved,
            misserved: Vec::new(),
            guest,
        };
        if paging != Paging::Nested {
            machine.misserved = machine.try_slots(config.slot)?;
            machine
                .reserved
                .extend(machine.misserved.iter().map(|slot| addresses(*slot)));
        }
        Ok(machine)
    }

    /// Top-level slots in which the host doesn't do what the processor's manual says, so that they can't be tested.
    ///
    /// They are found when the guest starts, by accesses through tables that are written by hand. With nested paging
    /// there are none. A host without it may need a part of the address space for its own kernel.
    #[must_use]
    pub fn misserved(&self) -> &[u64] {
        &self.misserved
    }

    /// Loads a word in both modes through every top-level slot but the guest's own.
    fn try_slots(&self, own: u64) -> Result<Vec<u64>, MachineError> {
        const GRANTS_ALL: u64 = 0x67;
        let frame = PhysAddr::new(1 << 30);
        let full = || MachineError::Host {
            call: "alloc_zeroed",
            reason: "no frames for tables".into(),
        };
        let mut tables = Vec::new();
        for _ in 0..4 {
            tables.push(self.memory.alloc_zeroed(4096).ok_or_else(full)?);
        }
        let targets = tables[1..].iter().copied().chain([frame]);
        for (table, target) in tables.iter().zip(targets) {
            for index in 0..if *table == tables[0] { 512 } else { 1 } {
                // SAFETY: the frame was allocated above, and no processor walks it yet
                unsafe {
                    self.memory
                        .write(*table, index, target.as_u64() | GRANTS_ALL)
                };
            }
        }
        self.memory.store(frame, 42);
        self.set_root(0, Some(tables[0]))?;
        let mut misserved = Vec::new();
        for slot in (0..512).filter(|slot| *slot != own) {
            let loads =
                Privilege::ALL.map(|privilege| Access::load(*addresses(slot).start(), privilege));
            if self.access(0, &loads)? != [Outcome::Loaded(42); 2] {
                misserved.push(slot);
            }
        }
        self.set_root(0, None)?;
        self.memory.store(frame, 0);
        // SAFETY: these frames were allocated above, and their root is loaded no more
        tables
            .into_iter()
            .for_each(|table| unsafe { self.memory.free(table, 4096) });
        Ok(misserved)
    }

    /// Who walks the guest's tables here.
    #[must_use]
    pub fn paging(&self) -> Paging {
        self.paging
    }

    /// A processor.
    fn vcpu(&self, cpu: usize) -> Result<MutexGuard<'_, Vcpu>, MachineError> {
        let vcpu = self.guest.cpus.get(cpu);
        vcpu.map(lock).ok_or(MachineError::NoSuchCpu { cpu })
    }

    /// A processor, which knows of all that the host has stored to tables.
    fn informed(&self, cpu: usize) -> Result<MutexGuard<'_, Vcpu>, MachineError> {
        let mut vcpu = self.vcpu(cpu)?;
        let _touching = lock(&self.guest.touching);
        let mut journal = self.memory.take_journal();
        let touches = touches(journal.words());
        if !touches.is_empty() {
            vcpu.run(&touches)?;
        }
        self.memory.told(journal);
        Ok(vcpu)
    }

    fn run(&self, cpu: usize, steps: &[Step]) -> Result<Vec<Outcome>, MachineError> {
        self.informed(cpu)?.run(steps)
    }
}

/// Steps that write words of tables, which the host has stored to, again, unchanged, from inside the guest.
fn touches(words: &[u64]) -> Vec<Step> {
    let step = |part: &[u64]| {
        let mut list = [0; monitor::TOUCHES];
        list[..part.len()].copy_from_slice(part);
        Step::Touch(list, part.len())
    };
    words.chunks(monitor::TOUCHES).map(step).collect()
}

/// Locks what belongs to a guest. One that was left in the middle of something says so itself.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The width of physical addresses, and whether there are pages of 1 GiB.
fn features(cpuid: &CpuId) -> (u8, bool) {
    let leaf = |function| {
        cpuid
            .as_slice()
            .iter()
            .find(|entry| entry.function == function)
    };
    let phys_bits = leaf(LEAF_ADDRESSES).map_or(36, |entry| (entry.eax & 0xff) as u8);
    (
        phys_bits,
        leaf(LEAF_EXTENDED).is_some_and(|entry| entry.edx >> 26 & 1 == 1),
    )
}

/// The addresses of a top-level slot.
fn addresses(slot: u64) -> RangeInclusive<u64> {
    let base = ((slot << 55) as i64 >> 16) as u64;
    base..=base + ((1 << 39) - 1)
}

/// What the host's kernel says of nested paging.
fn paging() -> Paging {
    let says = |path: &str| {
        std::fs::read_to_string(path)
            .ok()
            .map(|text| matches!(text.trim(), "Y" | "1"))
    };
    let nested = says("/sys/module/kvm_intel/parameters/ept")
        .or_else(|| says("/sys/module/kvm_amd/parameters/npt"));
    match nested {
        Some(true) => Paging::Nested,
        Some(false) => Paging::Shadow,
        // A host that uses another module than those two has no use of the processor's virtualization
        None if std::path::Path::new("/sys/module/kvm_pvm").exists() => Paging::Shadow,
        None => Paging::Unknown,
    }
}

impl Machine for KvmMachine {
    fn memory(&self) -> &Memory {
        &self.memory
    }

    fn regime(&self) -> Regime {
        Regime::X86_64 { levels: 4 }
    }

    fn cpus(&self) -> usize {
        self.guest.cpus.len()
    }

    fn supports(&self, size: PageSize) -> bool {
        matches!(size, PageSize::Size4K | PageSize::Size2M) || size == PageSize::Size1G && self.huge
    }

    fn reserved(&self) -> &[RangeInclusive<u64>] {
        &self.reserved
    }

    fn set_root(&self, cpu: usize, root: Option<PhysAddr>) -> Result<(), MachineError> {
        let mut vcpu = self.informed(cpu)?;
        vcpu.set_root(root.map(PhysAddr::as_u64))
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
        let mut vcpu = self.informed(cpu)?;
        vcpu.set_root_as(root.as_u64(), id, keep)
    }

    /// With what is known under the one in use.
    fn invalidate_others(&self, cpu: usize) -> Result<(), MachineError> {
        self.invalidate_all(cpu)
    }

    fn access(&self, cpu: usize, accesses: &[Access]) -> Result<Vec<Outcome>, MachineError> {
        let step = |access: &Access| {
            if self.reserved.iter().any(|range| range.contains(&access.va))
                || !access.va.is_multiple_of(8)
            {
                return Err(MachineError::BadAddress { va: access.va });
            }
            Ok(Step::Access(*access))
        };
        let steps = accesses.iter().map(step).collect::<Result<Vec<_>, _>>()?;
        if self.late {
            self.vcpu(cpu)?.run(&steps)
        } else {
            self.run(cpu, &steps)
        }
    }

    fn invalidate_page(&self, cpu: usize, va: u64) -> Result<(), MachineError> {
        self.run(cpu, &[Step::InvalidatePage(va)]).map(drop)
    }

    fn invalidate_pages(&self, cpu: usize, pages: &[u64]) -> Result<(), MachineError> {
        let steps: Vec<Step> = pages.iter().copied().map(Step::InvalidatePage).collect();
        self.run(cpu, &steps).map(drop)
    }

    fn invalidate_all(&self, cpu: usize) -> Result<(), MachineError> {
        self.run(cpu, &[Step::InvalidateAll]).map(drop)
    }
}

// SAFETY: `INVLPG` for each page, or all at once, on every processor; none of them runs outside of the machine's own calls,
// and one on which it failed never runs again, but answers with the failure from then on
unsafe impl<A: PagingMode> Invalidate<A> for KvmMachine {
    fn invalidate(&self, range: FlushRange<A>) {
        for cpu in 0..self.cpus() {
            self.invalidate_range(cpu, range).ok();
        }
    }
}
