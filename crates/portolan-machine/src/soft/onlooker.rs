//! What the processors of the software machine notice of stores to tables.

use super::{Cpu, Cpus};
use crate::machine::MachineError;
use crate::memory::Observer;
use crate::walk::Regime;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Lets the processors look ahead at each store to a table, and notices when one is freed that they can still walk, and
/// when a valid entry is replaced that has to be made invalid first.
pub(super) struct Onlooker {
    cpus: Weak<Mutex<Cpus>>,
    regime: Regime,
}

impl Onlooker {
    pub(super) fn new(cpus: &Arc<Mutex<Cpus>>, regime: Regime) -> Self {
        let cpus = Arc::downgrade(cpus);
        Onlooker { cpus, regime }
    }

    /// Does something with the processors, if there still are any.
    fn with(&self, act: impl FnOnce(&mut Cpus)) {
        if let Some(cpus) = self.cpus.upgrade() {
            act(&mut cpus.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

/// Whether an entry that has become another had to be made invalid first, with `is_table` saying what is a table's address.
fn has_to_be_broken(regime: Regime, words: (u64, u64), is_table: impl Fn(u64) -> bool) -> bool {
    match regime {
        Regime::LoongArch { .. } => entry_has_to_be_broken(words, is_table),
        _ => descriptor_has_to_be_broken(regime, words, is_table),
    }
}

/// The same of LoongArch64, of whose entries the TLB must not have two for an address (5.4.4): a page or table has become
/// the other, or another's, or a page's memory access type has changed, or it has become global. G is bit 6 or, in a
/// directory, bit 12, where level 1 has the lowest bit of the address.
fn entry_has_to_be_broken((old, new): (u64, u64), is_table: impl Fn(u64) -> bool) -> bool {
    const VALID: u64 = 1 << 0;
    const ACCESS_TYPE: u64 = 3 << 4;
    const GLOBAL: u64 = 1 << 6 | 1 << 12;
    /// Bits 47:13.
    const ADDRESS: u64 = 0x0000_ffff_ffff_e000;
    if old & new & VALID == 0 {
        return false;
    }
    let [was_table, is_table] = [old, new].map(|word| is_table(word & (ADDRESS | 1 << 12)));
    was_table != is_table
        || (old ^ new) & ADDRESS != 0
        || !is_table && ((old ^ new) & ACCESS_TYPE != 0 || new & !old & GLOBAL != 0)
}

/// Whether a descriptor that has become another had to be made invalid first (Arm ARM D8.17.1): both are valid, and they
/// have another address or are of another kind, or they are pages and cached or shared otherwise, or the new one is global.
/// The level makes no difference to these bits, but a page and a table look alike: `is_table` tells them apart.
fn descriptor_has_to_be_broken(
    regime: Regime,
    (old, new): (u64, u64),
    is_table: impl FnOnce(u64) -> bool,
) -> bool {
    const VALID: u64 = 1 << 0;
    /// Clear in a block.
    const NO_BLOCK: u64 = 1 << 1;
    const SHAREABILITY: u64 = 3 << 8;
    /// Bits 47:12.
    const ADDRESS: u64 = 0x0000_ffff_ffff_f000;
    let (attributes, not_global) = match regime {
        // AttrIndx; nG
        Regime::Arm1 { .. } => (7 << 2, 1 << 11),
        // MemAttr
        Regime::Arm2 { .. } => (0xf << 2, 0),
        _ => return false,
    };
    if old & new & VALID == 0 {
        return false;
    }
    let is_page = new & NO_BLOCK == 0 || !is_table(new & ADDRESS);
    (old ^ new) & (ADDRESS | NO_BLOCK) != 0
        || is_page
            && ((old ^ new) & (SHAREABILITY | attributes) != 0 || old & !new & not_global != 0)
}

impl Observer for Onlooker {
    fn stored(&self, addr: u64, old: u64, new: u64) {
        self.with(|cpus| {
            let is_table = |table| cpus.memory.is_table(table);
            if has_to_be_broken(self.regime, (old, new), is_table) {
                cpus.broken
                    .get_or_insert(MachineError::NotBroken { addr, old, new });
            }
            (0..cpus.all.len()).for_each(|cpu| cpus.look_ahead(cpu));
        });
    }

    fn freed(&self, table: u64, bytes: usize) {
        let frames = table..table + bytes as u64;
        let walks = |cpu: &Cpu| {
            cpu.cache.reaches(&frames) || cpu.root.is_some_and(|root| frames.contains(&root))
        };
        self.with(|cpus| {
            cpus.all.iter_mut().for_each(|cpu| cpu.cache.freed(&frames));
            if let Some(cpu) = cpus.all.iter().position(walks) {
                cpus.broken
                    .get_or_insert(MachineError::FreedInUse { table, cpu });
            }
        });
    }
}
