//! A machine whose processor is Bochs', as someone else read Intel's manual on extended page tables.

mod hypervisor;
mod layout;
mod machine;
mod monitor;
mod start;
mod vmcs;

use crate::guest::Guest;
use crate::guest::mailbox::{AREA, Mailbox};
use crate::guest::root::Copied;
use crate::machine::MachineError;
use crate::memory::Memory;
use hypervisor::Hypervisor;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A guest of the emulator Bochs, whose processor has VMX and walks extended page tables. A handle, whose clones stand for
/// the same guest.
///
/// In the guest runs a small hypervisor, whose own guest performs the accesses: it sees each guest-physical address at the
/// same linear address, and the hypervisor reports what made it exit. Its memory is this process's to read and write, so
/// tables are written in place.
///
/// Bochs' guest-physical addresses have 40 bits. The upper half of them belongs to the hypervisor's guest itself, so the
/// lowest 512 GiB can be tested. There is one processor, which runs only while it is asked for something. It forgets
/// all translations when the guest is entered, so a missed invalidation doesn't show.
///
/// ```
/// use portolan::{PhysAddr, TableMemory};
/// use portolan_machine::bochs::{BochsConfig, BochsMachine};
/// use portolan_machine::{Access, Fault, Machine, MachineError, Outcome, Privilege};
///
/// let machine = match BochsMachine::start(BochsConfig::default()) {
///     // Bochs is not installed
///     Err(MachineError::Unavailable { .. }) => return Ok(()),
///     started => started?,
/// };
/// let memory = machine.memory();
/// let table = || memory.alloc_zeroed(4096).expect("there is room");
/// // A root and a table whose first entry maps 1 GiB, to be loaded from (R); write-back
/// let (frame, root, table) = (memory.data()[0].start, table(), table());
/// memory.store(root, table.as_u64() | 0b111);
/// memory.store(table, frame | 0b1011_0001);
/// memory.store(PhysAddr::new(frame), 42);
/// machine.set_root(0, Some(root))?;
///
/// let accesses = [Access::load(0, Privilege::User), Access::store(0, Privilege::User, 7)];
/// let outcomes = machine.access(0, &accesses)?;
/// assert!(matches!(outcomes[..], [Outcome::Loaded(42), Outcome::Fault(Fault::EptViolation { .. })]));
/// // The processor has noted that the page was used
/// assert_eq!(memory.load(table), frame | 0b1_1011_0001);
/// # Ok::<(), MachineError>(())
/// ```
#[derive(Clone)]
pub struct BochsMachine {
    memory: Memory,
    reserved: Vec<RangeInclusive<u64>>,
    guest: Arc<Mutex<Guest>>,
}

/// How a [`BochsMachine`] is built.
#[derive(Clone, Copy, Debug)]
pub struct BochsConfig {
    /// How long the guest may take for an answer before it is given up.
    pub patience: Duration,
}

impl Default for BochsConfig {
    fn default() -> Self {
        BochsConfig {
            patience: Duration::from_secs(20),
        }
    }
}

/// Bytes of physical memory, which is all that Bochs can have without a file to swap to.
const BYTES: u64 = 2 << 30;

/// Bytes of what Bochs takes from its memory at once, when it is first used.
const BLOCK: u64 = 128 << 10;

/// Where table frames come from. The guest's area lies below, data above.
const TABLES: std::ops::Range<u64> = 16 << 20..512 << 20;

/// How many bits Bochs' physical addresses have.
const PHYS_BITS: u8 = 40;

impl BochsMachine {
    /// Starts a guest with a root that maps nothing.
    ///
    /// # Errors
    /// [`MachineError::Unavailable`] if Bochs is not installed, or does not start; [`MachineError::Host`] if the host
    /// refuses a call; [`MachineError::UnexpectedExit`] if the guest doesn't come up.
    pub fn start(config: BochsConfig) -> Result<Self, MachineError> {
        let (process, memory) = start::start()?;
        layout::write(&memory, AREA);
        let mailbox = Mailbox::new(memory.clone(), [AREA; 2], process, config.patience);
        let slot = (layout::SLOT, layout::slot_entry(AREA));
        // Addresses of 40 bits lead through the own slot and those before it, and through no other
        let root = Copied::new(memory.clone(), AREA, Some(slot), layout::SLOT);
        let guest = Guest::new(memory.clone(), mailbox, root, Box::new(Hypervisor), AREA)?;
        Ok(BochsMachine {
            memory,
            reserved: vec![layout::OWN..=u64::MAX],
            guest: Arc::new(Mutex::new(guest)),
        })
    }
}
