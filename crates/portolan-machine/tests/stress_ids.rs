//! Address spaces under load on processors with identifiers of address spaces.

use portolan::{PhysAddr, X86_64};
use portolan_machine::stress::{Failure, Mismatch, Plan, Tally, run};
use portolan_machine::walk::Regime;
use portolan_machine::{
    Access, Caching, Machine, MachineError, Memory, Outcome, SoftConfig, SoftMachine,
};
use std::ops::RangeInclusive;

const SEED: u64 = 1;
const OPERATIONS: u64 = 4_000;

fn soft(identifiers: usize, caching: Caching) -> SoftMachine {
    SoftMachine::new(SoftConfig {
        cpus: 4,
        caching,
        identifiers,
        ..SoftConfig::default()
    })
}

fn under_load<M>(machine: &M) -> Result<Tally, Failure>
where
    M: Machine + Clone + Send + Sync + 'static,
{
    let mut tally = Tally::default();
    run::<X86_64, _>(machine, &Plan::operations(SEED, OPERATIONS), &mut tally)?;
    Ok(tally)
}

/// Without identifiers nothing is kept, with some it is; nothing stale is met by either.
#[test]
fn what_is_kept_is_right() {
    for caching in [Caching::Hoard, Caching::Seeded(SEED)] {
        for identifiers in [0, 1, 2, 6] {
            let tally = under_load(&soft(identifiers, caching)).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(tally.kept > 0, identifiers > 0, "{identifiers} {tally:#?}");
        }
    }
}

/// A machine on which something is left out.
#[derive(Clone)]
struct Careless {
    machine: SoftMachine,
    /// What is held under an identifier is invalidated when it comes into use.
    flushes: bool,
    /// What is held under others is invalidated when that is asked for.
    forgets: bool,
}

impl Machine for Careless {
    fn memory(&self) -> &Memory {
        self.machine.memory()
    }
    fn regime(&self) -> Regime {
        self.machine.regime()
    }
    fn cpus(&self) -> usize {
        self.machine.cpus()
    }
    fn reserved(&self) -> &[RangeInclusive<u64>] {
        self.machine.reserved()
    }
    fn set_root(&self, cpu: usize, root: Option<PhysAddr>) -> Result<(), MachineError> {
        self.machine.set_root(cpu, root)
    }
    fn identifiers(&self) -> usize {
        self.machine.identifiers()
    }
    fn set_root_as(
        &self,
        cpu: usize,
        root: PhysAddr,
        id: usize,
        keep: bool,
    ) -> Result<(), MachineError> {
        let keep = keep || !self.flushes;
        self.machine.set_root_as(cpu, root, id, keep)
    }
    fn invalidate_others(&self, cpu: usize) -> Result<(), MachineError> {
        if self.forgets {
            return self.machine.invalidate_others(cpu);
        }
        Ok(())
    }
    fn access(&self, cpu: usize, accesses: &[Access]) -> Result<Vec<Outcome>, MachineError> {
        self.machine.access(cpu, accesses)
    }
    fn invalidate_page(&self, cpu: usize, va: u64) -> Result<(), MachineError> {
        self.machine.invalidate_page(cpu, va)
    }
    fn invalidate_leaf(&self, cpu: usize, va: u64) -> Result<(), MachineError> {
        self.machine.invalidate_leaf(cpu, va)
    }
    fn invalidate_all(&self, cpu: usize) -> Result<(), MachineError> {
        self.machine.invalidate_all(cpu)
    }
}

#[test]
fn an_identifier_that_is_not_flushed_is_found_out() {
    for identifiers in [1, 2, 6] {
        for caching in [Caching::Hoard, Caching::Seeded(SEED)] {
            let machine = Careless {
                machine: soft(identifiers, caching),
                flushes: false,
                forgets: true,
            };
            let failure = under_load(&machine).expect_err("nobody noticed");
            let what = &*failure.what;
            assert!(
                matches!(
                    what,
                    Mismatch::Access { .. } | Mismatch::Spoiled(_) | Mismatch::Machine(_)
                ),
                "{failure}"
            );
        }
    }
}
