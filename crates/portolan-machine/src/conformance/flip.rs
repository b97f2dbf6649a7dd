//! A control: an entry format with one bit wrong, which the suite has to notice.

use crate::machine::Machine;
use crate::memory::Memory;
use crate::walk::Regime;
use portolan::{PhysAddr, TableMemory};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Which entries are wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those that map pages.
    Pages,
    /// Those that refer to tables.
    Tables,
}

/// Memory in which one bit of each entry of a kind is the opposite of what the page table wrote. The page table itself
/// doesn't notice: it reads what it wrote. Only the machine's walk does.
#[derive(Clone)]
pub struct FlippedBit {
    inner: Memory,
    which: Which,
    mask: u64,
    regime: Regime,
    /// The words that are flipped now.
    flipped: Arc<Mutex<HashSet<(u64, usize)>>>,
}

impl FlippedBit {
    /// The memory of `machine` with `bit` flipped.
    #[must_use]
    pub fn new(machine: &dyn Machine, which: Which, bit: u32) -> Self {
        FlippedBit {
            inner: machine.memory().clone(),
            regime: machine.regime(),
            which,
            mask: 1 << bit,
            flipped: Arc::default(),
        }
    }

    /// What is to be changed in a word of the page table's.
    fn mask_of(&self, word: u64) -> u64 {
        let addr = match self.regime {
            // The address without its lowest 12 bits, from bit 10
            Regime::Riscv { .. } => (word >> 10 & ((1 << 44) - 1)) << 12,
            Regime::Arm1 { .. } | Regime::Arm2 { .. } | Regime::LoongArch { .. } => {
                word & 0x0000_ffff_ffff_f000
            }
            Regime::X86_64 { .. } | Regime::Ept => word & 0x000f_ffff_ffff_f000,
        };
        let refers = self.inner.is_table(addr);
        let wrong = word != 0 && refers == (self.which == Which::Tables);
        if wrong { self.mask } else { 0 }
    }

    /// Notes whether a word is flipped now.
    fn note(&self, table: PhysAddr, index: usize, flipped: bool) {
        let mut words = self.flipped.lock().unwrap_or_else(PoisonError::into_inner);
        if flipped {
            words.insert((table.as_u64(), index));
        } else {
            words.remove(&(table.as_u64(), index));
        }
    }

    /// What is changed in the word that is there.
    fn mask_at(&self, table: PhysAddr, index: usize) -> u64 {
        let words = self.flipped.lock().unwrap_or_else(PoisonError::into_inner);
        if words.contains(&(table.as_u64(), index)) {
            self.mask
        } else {
            0
        }
    }
}

// SAFETY: to the page table it is the memory that it wraps, as each word reads as what was written. To the machine it is
// wrong on purpose, which nothing but a machine in software or a guest ever sees
unsafe impl TableMemory for FlippedBit {
    fn alloc_zeroed(&self, bytes: usize) -> Option<PhysAddr> {
        let table = self.inner.alloc_zeroed(bytes)?;
        (0..bytes / 8).for_each(|index| self.note(table, index, false));
        Some(table)
    }

    unsafe fn free(&self, table: PhysAddr, bytes: usize) {
        // SAFETY: passed on with the same promises
        unsafe { self.inner.free(table, bytes) }
    }

    unsafe fn read(&self, table: PhysAddr, index: usize) -> u64 {
        // SAFETY: passed on with the same promises
        let word = unsafe { self.inner.read(table, index) };
        word ^ self.mask_at(table, index)
    }

    unsafe fn write(&self, table: PhysAddr, index: usize, word: u64) {
        let mask = self.mask_of(word);
        self.note(table, index, mask != 0);
        // SAFETY: passed on with the same promises
        unsafe { self.inner.write(table, index, word ^ mask) }
    }

    unsafe fn compare_exchange(
        &self,
        table: PhysAddr,
        index: usize,
        current: u64,
        new: u64,
    ) -> Result<u64, u64> {
        let (was, mask) = (self.mask_at(table, index), self.mask_of(new));
        // SAFETY: passed on with the same promises
        let answer = unsafe {
            self.inner
                .compare_exchange(table, index, current ^ was, new ^ mask)
        };
        match answer {
            Ok(_) => {
                self.note(table, index, mask != 0);
                Ok(current)
            }
            Err(now) => Err(now ^ was),
        }
    }

    fn phys_bits(&self) -> u8 {
        self.inner.phys_bits()
    }
}
