//! The guest as a machine among the others.

use super::{BochsMachine, vmcs};
use crate::access::{Access, Outcome};
use crate::fault::{self, Qualification};
use crate::guest::mailbox::{INVALIDATE_ALL, INVALIDATE_PAGE};
use crate::guest::{Answer, Fault, Guest};
use crate::machine::{Machine, MachineError};
use crate::memory::Memory;
use crate::walk::Regime;
use portolan::{Ept, FlushRange, Invalidate, PhysAddr};
use std::ops::RangeInclusive;
use std::sync::{MutexGuard, PoisonError};

impl BochsMachine {
    /// The guest, if this is its processor.
    fn cpu(&self, cpu: usize) -> Result<MutexGuard<'_, Guest>, MachineError> {
        match cpu {
            // A guest that was left in the middle of something says so itself
            0 => Ok(self.guest.lock().unwrap_or_else(PoisonError::into_inner)),
            cpu => Err(MachineError::NoSuchCpu { cpu }),
        }
    }
}

/// The exit in the words of all machines.
fn told(fault: Fault) -> fault::Fault {
    let addr = fault.addr;
    match fault.cause {
        vmcs::REASON_EPT_VIOLATION => fault::Fault::EptViolation {
            qualification: Qualification(fault.syndrome as u32 & 0x3f),
            addr,
        },
        _ => fault::Fault::EptMisconfiguration { addr },
    }
}

impl Machine for BochsMachine {
    fn memory(&self) -> &Memory {
        &self.memory
    }

    fn regime(&self) -> Regime {
        Regime::Ept
    }

    fn cpus(&self) -> usize {
        1
    }

    fn reserved(&self) -> &[RangeInclusive<u64>] {
        &self.reserved
    }

    fn set_root(&self, cpu: usize, root: Option<PhysAddr>) -> Result<(), MachineError> {
        self.cpu(cpu)?.set_root(root)
    }

    fn access(&self, cpu: usize, accesses: &[Access]) -> Result<Vec<Outcome>, MachineError> {
        let answers = self.cpu(cpu)?.access(accesses, &self.reserved)?;
        let outcome = |answer| match answer {
            Answer::Loaded(word) => Outcome::Loaded(word),
            Answer::Stored => Outcome::Stored,
            Answer::Fetched(number) => Outcome::Fetched(number),
            Answer::Fault(fault) => Outcome::Fault(told(fault)),
            Answer::Astray(fault) => Outcome::Astray {
                exception: fault.cause as u8,
            },
        };
        Ok(answers.into_iter().map(outcome).collect())
    }

    /// `INVEPT` of the root's context: there is nothing finer.
    fn invalidate_page(&self, cpu: usize, va: u64) -> Result<(), MachineError> {
        self.cpu(cpu)?.later([INVALIDATE_PAGE.into(), va, 0, 0, 0])
    }

    /// `INVEPT` of all contexts.
    fn invalidate_all(&self, cpu: usize) -> Result<(), MachineError> {
        self.cpu(cpu)?.later([INVALIDATE_ALL.into(), 0, 0, 0, 0])
    }
}

// SAFETY: INVEPT of the root's context makes the one processor forget whatever a range may name, before its next access;
// if it fails, the guest answers with the failure from then on
unsafe impl Invalidate<Ept> for BochsMachine {
    fn invalidate(&self, range: FlushRange<Ept>) {
        self.invalidate_page(0, range.addr().as_u64()).ok();
    }
}
