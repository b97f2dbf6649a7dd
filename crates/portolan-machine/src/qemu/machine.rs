//! The guest as a machine among the others.

use super::{Answer, Fault, QemuMachine};
use crate::access::{Access, Kind, Outcome};
use crate::fault::{self, Abort, Cause, PageFaultCode, Refused};
use crate::machine::{Machine, MachineError, PAGE_BY_PAGE};
use crate::memory::Memory;
use crate::walk::Regime;
use portolan::{Advice, FlushRange, Invalidate, PageSize, PagingMode, PhysAddr};
use std::ops::RangeInclusive;

impl QemuMachine {
    /// The processor's exception in the words of all machines.
    fn fault(&self, kind: Kind, fault: Fault) -> Result<fault::Fault, MachineError> {
        let Fault {
            cause,
            syndrome,
            addr,
        } = fault;
        let unexpected = MachineError::UnexpectedException {
            vector: cause,
            code: syndrome,
            rip: addr,
        };
        match (self.regime, cause) {
            (Regime::Arm1 { .. } | Regime::Arm2 { .. }, _) => {
                let abort = Abort::from_esr(syndrome).ok_or(unexpected)?;
                Ok(fault::Fault::Abort { abort, addr })
            }
            (Regime::Riscv { .. }, _) => {
                let cause = Cause(cause);
                Ok(fault::Fault::Trap { cause, addr })
            }
            (Regime::LoongArch { .. }, _) => {
                let refused = Refused::from_ecode(cause, kind).ok_or(unexpected)?;
                Ok(fault::Fault::Refused { refused, addr })
            }
            (_, 13) => {
                let code = syndrome as u32;
                Ok(fault::Fault::GeneralProtection { code })
            }
            (_, 14) => {
                let code = PageFaultCode(syndrome as u32);
                Ok(fault::Fault::Page { code, addr })
            }
            _ => Err(unexpected),
        }
    }

    fn only_cpu(cpu: usize) -> Result<(), MachineError> {
        match cpu {
            0 => Ok(()),
            cpu => Err(MachineError::NoSuchCpu { cpu }),
        }
    }
}

impl Machine for QemuMachine {
    fn memory(&self) -> &Memory {
        self.memory()
    }

    fn regime(&self) -> Regime {
        self.regime()
    }

    fn cpus(&self) -> usize {
        1
    }

    fn reserved(&self) -> &[RangeInclusive<u64>] {
        self.reserved()
    }

    fn set_root(&self, cpu: usize, root: Option<PhysAddr>) -> Result<(), MachineError> {
        Self::only_cpu(cpu)?;
        self.set_root(root)
    }

    fn access(&self, cpu: usize, accesses: &[Access]) -> Result<Vec<Outcome>, MachineError> {
        Self::only_cpu(cpu)?;
        let outcome = |(answer, access): (Answer, &Access)| match answer {
            Answer::Loaded(word) => Ok(Outcome::Loaded(word)),
            Answer::Stored => Ok(Outcome::Stored),
            Answer::Fetched(number) => Ok(Outcome::Fetched(number)),
            Answer::Fault(fault) => self.fault(access.kind, fault).map(Outcome::Fault),
            Answer::Astray(fault) => Ok(Outcome::Astray {
                exception: fault.cause as u8,
            }),
        };
        let answers = self.access(accesses)?.into_iter();
        answers.zip(accesses).map(outcome).collect()
    }

    fn invalidate_page(&self, cpu: usize, va: u64) -> Result<(), MachineError> {
        Self::only_cpu(cpu)?;
        self.invalidate_page(va)?;
        // For one thing, SFENCE.VMA with an address may leave entries of upper tables. For another, QEMU 7.2 finds code that
        // it has translated by its virtual address, and of a page larger than 4 KiB it forgets only the part around `va`
        self.invalidate_all()
    }

    fn invalidate_all(&self, cpu: usize) -> Result<(), MachineError> {
        Self::only_cpu(cpu)?;
        self.invalidate_all()
    }
}

// SAFETY: the one processor is told, and runs only in the machine's own calls; if it fails, the guest answers with the
// failure from then on
unsafe impl<A: PagingMode> Invalidate<A> for QemuMachine {
    fn invalidate(&self, range: FlushRange<A>) {
        let by_address = |size| match self.regime {
            Regime::Riscv { .. } => false,
            Regime::LoongArch { .. } => size == PageSize::Size16K,
            _ => size == PageSize::Size4K,
        };
        match range.advice(PAGE_BY_PAGE) {
            Advice::Pages { first, count, size } if by_address(size) => (0..count).for_each(|n| {
                let va = first.as_u64() + n * size.bytes();
                self.invalidate_page(va).ok();
            }),
            _ => {
                self.invalidate_all().ok();
            }
        }
    }
}
