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

/// Whether a descriptor that has become another had to be made invalid first: both are valid, and they have another
/// address or are of another kind (Arm ARM D8.16.1). The level makes no difference to these bits.
fn has_to_be_broken(regime: Regime, old: u64, new: u64) -> bool {
    const VALID: u64 = 1 << 0;
    const KIND: u64 = 1 << 1;
    /// Bits 47:12.
    const ADDRESS: u64 = 0x0000_ffff_ffff_f000;
    matches!(regime, Regime::Arm1 { .. } | Regime::Arm2 { .. })
        && old & new & VALID != 0
        && (old ^ new) & (KIND | ADDRESS) != 0
}

impl Observer for Onlooker {
    fn stored(&self, addr: u64, old: u64, new: u64) {
        self.with(|cpus| {
            if has_to_be_broken(self.regime, old, new) {
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
            if let Some(cpu) = cpus.all.iter().position(walks) {
                cpus.broken
                    .get_or_insert(MachineError::FreedInUse { table, cpu });
            }
        });
    }
}
