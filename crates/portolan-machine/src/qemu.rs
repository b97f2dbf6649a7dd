//! A machine whose processor is QEMU's: memory management units of four architectures, as someone else read the manuals.

mod aarch64;
mod loongarch;
mod machine;
mod processor;
mod riscv;
mod x86_64;

use crate::access::Access;
use crate::guest::Guest;
use crate::guest::file::{file_of, memory_file, path};
use crate::guest::mailbox::{self, Mailbox};
use crate::guest::process::Process;
use crate::guest::root::{Copied, ENTRIES};
pub use crate::guest::{Answer, Fault};
use crate::isa::Isa;
use crate::machine::MachineError;
use crate::memory::mapped::Mapped;
use crate::memory::{Memory, Recorded};
use crate::walk::Regime;
use aarch64::{Aarch64, Stage};
use loongarch::LoongArch;
use portolan::PhysAddr;
use processor::Processor;
use riscv::Riscv;
use std::fs::File;
use std::ops::RangeInclusive;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use x86_64::X86_64;

/// A guest of QEMU's translator of machine code, whose memory management unit walks the tables under test. A handle,
/// whose clones stand for the same guest.
///
/// Its memory is shared with this process, so tables are written in place. A small program in the guest performs
/// accesses in the mode that is asked for and reports what the processor says of each.
///
/// The guest has one processor, which runs only while it is asked for something. QEMU 7.2 keeps translations until they
/// are invalidated, so a missed invalidation shows; on RISC-V only in fetches, as it forgets all when the program in the
/// guest changes the mode that its loads and stores are made in.
///
/// ```
/// use portolan::{PhysAddr, TableMemory};
/// use portolan_machine::qemu::{Answer, QemuConfig, QemuMachine};
/// use portolan_machine::walk::Regime;
/// use portolan_machine::{Access, MachineError, Privilege};
///
/// let machine = match QemuMachine::start(Regime::Riscv { levels: 3 }, QemuConfig::default()) {
///     // QEMU is not installed
///     Err(MachineError::Unavailable { .. }) => return Ok(()),
///     started => started?,
/// };
/// // A root whose first entry maps 1 GiB, to be loaded from (R) in supervisor mode (not U)
/// let memory = machine.memory();
/// let (frame, root) = (memory.data()[0].start, memory.alloc_zeroed(4096).expect("there is room"));
/// memory.store(root, frame >> 2 | 0b0000_0011);
/// memory.store(PhysAddr::new(frame), 42);
/// machine.set_root(Some(root))?;
///
/// let loads = Privilege::ALL.map(|privilege| Access::load(0, privilege));
/// let answers = machine.access(&loads)?;
/// assert!(matches!(answers[..], [Answer::Loaded(42), Answer::Fault(_)]));
/// // The processor has noted that the page was used (A)
/// assert_eq!(memory.load(root), frame >> 2 | 0b0100_0011);
/// # Ok::<(), MachineError>(())
/// ```
#[derive(Clone)]
pub struct QemuMachine {
    regime: Regime,
    memory: Memory,
    reserved: Vec<RangeInclusive<u64>>,
    guest: Arc<Mutex<Guest>>,
}

/// How a [`QemuMachine`] is built.
#[derive(Clone, Copy, Debug)]
pub struct QemuConfig {
    /// How many GiB of physical memory it sees, 2 to 16, on x86_64 no more than 3; the host provides only what is touched.
    pub gib: u64,
    /// How many bits physical addresses have: on AArch64 36, 40, 42, 44 or 48; on x86_64 36 to 52; on RISC-V 56; on LoongArch64
    /// 48. Without a number there are 48, 40, 56 and 48.
    pub phys_bits: Option<u8>,
    /// Whether a RISC-V processor has the memory types of Svpbmt.
    pub memory_types: bool,
    /// How long the guest may take for an answer before it is given up.
    pub patience: Duration,
}

impl Default for QemuConfig {
    fn default() -> Self {
        QemuConfig {
            gib: 4,
            phys_bits: None,
            memory_types: true,
            patience: Duration::from_secs(20),
        }
    }
}

/// Where table frames come from, as distances from the start of memory. The guest's area lies below, data above.
const TABLES: std::ops::Range<u64> = 16 << 20..512 << 20;

/// The processor for a regime.
fn processor(regime: Regime, config: &QemuConfig) -> Result<Box<dyn Processor>, MachineError> {
    let wanted = |usual| config.phys_bits.unwrap_or(usual);
    // Numbers that no processor has are taken for others
    let va_bits = regime.va_bits() as u8;
    let processor: Option<Box<dyn Processor>> = match regime {
        Regime::Arm1 {
            granule, region, ..
        } => {
            let stage = Stage::One {
                granule,
                va_bits,
                region,
            };
            Aarch64::new(stage, wanted(48)).map(|new| Box::new(new) as _)
        }
        Regime::Arm2 { .. } => {
            let stage = Stage::Two { ipa_bits: va_bits };
            Aarch64::new(stage, wanted(48)).map(|new| Box::new(new) as _)
        }
        Regime::Riscv { .. } => Riscv::new(regime.levels(), wanted(56), config.memory_types)
            .map(|new| Box::new(new) as _),
        Regime::X86_64 { .. } => {
            X86_64::new(regime.levels(), wanted(40)).map(|new| Box::new(new) as _)
        }
        Regime::LoongArch {
            granule, region, ..
        } => LoongArch::new(granule, va_bits, region, wanted(48)).map(|new| Box::new(new) as _),
        Regime::Ept => None,
    };
    processor.ok_or_else(|| MachineError::Unavailable {
        reason: format!("QEMU has no {regime:?} with {config:?}"),
    })
}

impl QemuMachine {
    /// Starts a guest with a root that maps nothing.
    ///
    /// # Errors
    /// [`MachineError::Unavailable`] if QEMU is not installed or has no such processor; [`MachineError::Host`] if the host
    /// refuses a call; [`MachineError::UnexpectedExit`] if the guest doesn't come up.
    ///
    /// # Panics
    /// If the configuration is out of range.
    pub fn start(regime: Regime, config: QemuConfig) -> Result<Self, MachineError> {
        assert!((2..=16).contains(&config.gib), "{config:?} is out of range");
        let processor = processor(regime, &config)?;
        let (ram, gib) = (processor.ram(), processor.gib(config.gib));
        let bytes = gib << 30;
        let file = memory_file(bytes)?;
        let elsewhere = processor.elsewhere();
        let mapped = Mapped::shared(&file, elsewhere, ram, bytes - elsewhere)?;
        let tables = ram + TABLES.start..ram + TABLES.end;
        // QEMU keeps what it translated, and learns of a change of code only from the guest
        let memory = Memory::mapped(mapped, processor.phys_bits(), tables, Recorded::Data);
        let area = ram + mailbox::AREA;
        processor.lay_out(&memory, area);
        let firmware = processor.firmware();
        let firmware = firmware.map(|bytes| file_of(&bytes)).transpose()?;
        let mut arguments = arguments(processor.as_ref(), area, &file, gib);
        if let Some(firmware) = &firmware {
            arguments.extend(["-bios".to_owned(), path(firmware)]);
        }
        let mut command = Command::new(processor.program());
        command.args(arguments).stdin(Stdio::null());
        let process = Process::start(command)?;
        let areas = [area, processor.seen(area)];
        let mailbox = Mailbox::new(memory.clone(), areas, process, config.patience);
        let root = Copied::new(memory.clone(), area, processor.slot(area), ENTRIES);
        let reserved = processor.reserved();
        let guest = Guest::new(memory.clone(), mailbox, root, processor, area)?;
        Ok(QemuMachine {
            regime,
            memory,
            reserved,
            guest: Arc::new(Mutex::new(guest)),
        })
    }

    /// What is under test.
    #[must_use]
    pub fn regime(&self) -> Regime {
        self.regime
    }

    /// The physical memory. It hands out table frames and can be read and written by address.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Addresses that can't be tested, as the guest's own program is there.
    #[must_use]
    pub fn reserved(&self) -> &[RangeInclusive<u64>] {
        &self.reserved
    }

    /// Loads a root, or one that maps nothing, before the next access. Translations of global pages may survive it.
    ///
    /// Before a table is freed, it must have been unloaded.
    ///
    /// # Errors
    /// If the guest ended, or did not answer.
    pub fn set_root(&self, root: Option<PhysAddr>) -> Result<(), MachineError> {
        self.lock().set_root(root)
    }

    /// Performs accesses, one after the other.
    ///
    /// # Errors
    /// [`MachineError::BadAddress`] for an address that is not a multiple of 8 or is [reserved](Self::reserved);
    /// otherwise if the guest ended, or does not answer.
    pub fn access(&self, accesses: &[Access]) -> Result<Vec<Answer>, MachineError> {
        self.lock().access(accesses, &self.reserved)
    }

    /// Before the next access, the processor forgets what it knows of the page that `va` lies in: `INVLPG`, `TLBI VAAE1IS`,
    /// `TLBI IPAS2E1IS` with `TLBI VMALLE1IS`, `SFENCE.VMA`, `INVTLB`.
    ///
    /// # Errors
    /// If the guest ended, or did not answer.
    pub fn invalidate_page(&self, va: u64) -> Result<(), MachineError> {
        let step = [mailbox::INVALIDATE_PAGE.into(), va, 0, 0, 0];
        self.lock().later(step)
    }

    /// Before the next access, the processor forgets all translations, those of global pages too.
    ///
    /// # Errors
    /// If the guest ended, or did not answer.
    pub fn invalidate_all(&self) -> Result<(), MachineError> {
        let step = [mailbox::INVALIDATE_ALL.into(), 0, 0, 0, 0];
        self.lock().later(step)
    }

    fn lock(&self) -> MutexGuard<'_, Guest> {
        // A guest that was left in the middle of something says so itself
        self.guest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether QEMU 7.2 translates pages of all sizes of a regime right: not those of 4 KiB of LoongArch64, whose addresses it
/// translates in units of 16 KiB. Such a page is served as if the two bits below were the same in both addresses.
#[must_use]
pub const fn is_exact(regime: Regime) -> bool {
    !matches!(regime, Regime::LoongArch { .. } if regime.page_bits() < 14)
}

/// A [code word](Isa::code_word) for the processors of a regime.
#[must_use]
pub const fn code_word(regime: Regime, number: u32) -> u64 {
    Isa::of(regime).code_word(number)
}

/// QEMU's arguments: the board, its memory, which is the file, and nothing else.
fn arguments(processor: &dyn Processor, area: u64, file: &File, gib: u64) -> Vec<String> {
    let path = path(file);
    let backend = format!("memory-backend-file,id=ram,size={gib}G,mem-path={path},share=on");
    let size = format!("{gib}G");
    let common = [
        "-m",
        &size,
        "-object",
        &backend,
        "-nodefaults",
        "-no-user-config",
        "-no-reboot",
    ];
    let silent = [
        "-display", "none", "-serial", "none", "-monitor", "none", "-accel", "tcg",
    ];
    let mut all = processor.arguments(area);
    all.extend(common.into_iter().chain(silent).map(str::to_owned));
    all
}
