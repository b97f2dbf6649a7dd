//! Address spaces under load on processors with identifiers of address spaces.

use portolan::{PhysAddr, X86_64};
use portolan_machine::stress::{Failure, Mismatch, Plan, Tally, run};
use portolan_machine::walk::Regime;
use portolan_machine::{
    Access, Caching, Machine, MachineError, Memory, Outcome, SoftConfig, SoftMachine,
};
use std::ops::RangeInclusive;

const SEED: u64 = 1;
const OPERATIONS: u64 = 2_000;

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

/// A machine that keeps what it holds under an identifier, also if it should not.
#[derive(Clone)]
struct Careless(SoftMachine);

impl Machine for Careless {
    fn memory(&self) -> &Memory {
        self.0.memory()
    }
    fn regime(&self) -> Regime {
        self.0.regime()
    }
    fn cpus(&self) -> usize {
        self.0.cpus()
    }
    fn reserved(&self) -> &[RangeInclusive<u64>] {
        self.0.reserved()
    }
    fn set_root(&self, cpu: usize, root: Option<PhysAddr>) -> Result<(), MachineError> {
        self.0.set_root(cpu, root)
    }
    fn identifiers(&self) -> usize {
        self.0.identifiers()
    }
    fn set_root_as(
        &self,
        cpu: usize,
        root: PhysAddr,
        id: usize,
        _: bool,
    ) -> Result<(), MachineError> {
        self.0.set_root_as(cpu, root, id, true)
    }
    fn invalidate_others(&self, cpu: usize) -> Result<(), MachineError> {
        self.0.invalidate_others(cpu)
    }
    fn access(&self, cpu: usize, accesses: &[Access]) -> Result<Vec<Outcome>, MachineError> {
        self.0.access(cpu, accesses)
    }
    fn invalidate_page(&self, cpu: usize, va: u64) -> Result<(), MachineError> {
        self.0.invalidate_page(cpu, va)
    }
    fn invalidate_leaf(&self, cpu: usize, va: u64) -> Result<(), MachineError> {
        self.0.invalidate_leaf(cpu, va)
    }
    fn invalidate_all(&self, cpu: usize) -> Result<(), MachineError> {
        self.0.invalidate_all(cpu)
    }
}

#[test]
fn an_identifier_that_is_not_flushed_is_found_out() {
    for identifiers in [1, 2, 6] {
        for caching in [Caching::Hoard, Caching::Seeded(SEED)] {
            let machine = Careless(soft(identifiers, caching));
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
