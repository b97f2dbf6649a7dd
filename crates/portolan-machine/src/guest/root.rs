//! The root that is loaded, where it must be a copy of the tested one.

use super::mailbox;
use crate::memory::Memory;
use portolan::PhysAddr;

/// Where the program in the guest needs a slot of the root for itself, a copy of the root under test is loaded, with
/// that slot replaced. Everything below the root is the tested tables themselves.
pub(crate) struct Copied {
    memory: Memory,
    /// Where the copy is.
    copy: u64,
    /// A root that maps nothing.
    empty: u64,
    /// The program's slot and what is there, if it needs one.
    slot: Option<(u64, u64)>,
    /// The root under test.
    tested: Option<u64>,
    /// What the copy was made of.
    written: Vec<u64>,
}

/// How many entries a root has whose copy is loaded.
pub(crate) const ENTRIES: u64 = 512;

impl Copied {
    /// With a copy of the root's first `entries`, of which no others are walked through.
    pub(crate) fn new(memory: Memory, area: u64, slot: Option<(u64, u64)>, entries: u64) -> Self {
        let copied = Copied {
            memory,
            copy: area + mailbox::COPY,
            empty: area + mailbox::EMPTY,
            slot,
            tested: None,
            written: vec![0; entries as usize],
        };
        if let Some((slot, entry)) = slot {
            copied
                .memory
                .store(PhysAddr::new(copied.copy + 8 * slot), entry);
        }
        copied
    }

    /// Notes the root under test and gives the one to load.
    pub(crate) fn set(&mut self, tested: Option<u64>) -> u64 {
        self.tested = tested;
        match self.slot {
            Some(_) => self.copy,
            None => tested.unwrap_or(self.empty),
        }
    }

    /// The slots that are copied.
    fn slots(&self) -> impl Iterator<Item = u64> + use<> {
        let own = self.slot.map(|(slot, _)| slot);
        let copied = own.map_or(0, |_| self.written.len() as u64);
        (0..copied).filter(move |slot| Some(*slot) != own)
    }

    /// Brings the copy up to date.
    pub(crate) fn refresh(&mut self) {
        for slot in self.slots() {
            let entry = |root| self.memory.load(PhysAddr::new(root + 8 * slot));
            let tested = self.tested.map_or(0, entry);
            if self.written[slot as usize] != tested {
                self.memory
                    .store(PhysAddr::new(self.copy + 8 * slot), tested);
                self.written[slot as usize] = tested;
            }
        }
    }

    /// Makes in the tested root the changes that the processor made in the copy: accessed and dirty bits.
    pub(crate) fn give_back(&mut self) {
        let Some(tested) = self.tested else { return };
        for slot in self.slots() {
            let now = self.memory.load(PhysAddr::new(self.copy + 8 * slot));
            let before = std::mem::replace(&mut self.written[slot as usize], now);
            if now != before {
                let entry = PhysAddr::new(tested + 8 * slot);
                // Fails if the entry is another by now, and then has nothing to say
                self.memory.exchange(entry, before, now).ok();
            }
        }
    }
}
