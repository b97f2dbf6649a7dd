//! Accesses to what a page table under test maps, and what should come of them.

use super::model::{Model, number_at};
use super::report::{Failure, Mismatch};
use super::shape::{granted, level_of, tells_dirty};
use super::subject::Subject;
use crate::access::{Access, Kind, Outcome, Privilege};
use crate::fault::Refusal;
use crate::isa::Isa;
use crate::machine::{Machine, Sight};
use portolan::PhysAddr;
use std::collections::HashMap;

impl Subject<'_, '_> {
    /// Makes accesses of every kind on a processor, at the edges of every page that differs from its neighbours, of
    /// everything that was named since the last probe and of the address space, and compares the outcomes. `extra` addresses are probed too.
    pub(super) fn probe(&mut self, cpu: usize, extra: &[u64]) -> Result<(), Failure> {
        let mut addresses = self.edges();
        addresses.extend(extra.iter().map(|va| va & !7));
        addresses.sort_unstable();
        addresses.dedup();
        self.probe_at(cpu, &addresses)
    }

    /// As `probe`, of the first words of a few pages.
    pub(super) fn probe_few(&mut self) -> Result<(), Failure> {
        let pages = self.model.landmarks().into_iter().map(|(va, _)| va);
        let addresses: Vec<_> = pages.take(4).collect();
        self.probe_at(0, &addresses)
    }

    /// The first and last words of pages and what lies just outside of them.
    fn edges(&mut self) -> Vec<u64> {
        let regime = self.bench.machine.regime();
        let mut addresses = vec![0, u64::MAX - 7];
        for range in regime.ranges() {
            let (first, end) = (*range.start(), range.end().wrapping_add(1));
            addresses.extend([first, first.wrapping_sub(8), end, end.wrapping_sub(8)]);
        }
        for (va, page) in self.model.landmarks() {
            let last = va + (page.size.bytes() - 8);
            let inside = (va + u64::from(number_at(va)) % page.size.bytes()) & !7;
            addresses.extend([va, last, va.wrapping_sub(8), last.wrapping_add(8), inside]);
        }
        let (small, next) = (regime.span(1), regime.span(2));
        for va in self.named.drain(..) {
            addresses.extend([va & !7, va & !(next - 1), va & !7 | (small - 8)]);
        }
        addresses
    }

    /// Makes accesses of every kind at the given addresses and compares what comes of them.
    pub(super) fn probe_at(&mut self, cpu: usize, addresses: &[u64]) -> Result<(), Failure> {
        let isa = Isa::of(self.bench.machine.regime());
        let reserved = self.bench.machine.reserved();
        let usable = |va: &u64| !reserved.iter().any(|range| range.contains(va));
        let mut accesses = Vec::new();
        let mut expected = Vec::new();
        let mut used = Vec::new();
        for va in addresses.iter().copied().filter(usable) {
            for kind in Kind::ALL {
                for privilege in Privilege::ALL {
                    self.stores += 1;
                    let access = Access {
                        va,
                        kind,
                        privilege,
                        value: isa.code_word(self.stores),
                    };
                    self.prepare(va);
                    used.extend(self.model.target(va));
                    accesses.push(access);
                    expected.push(self.expect(&access));
                }
            }
        }
        let got = match self.bench.machine.access(cpu, &accesses) {
            Ok(got) => got,
            Err(error) => return self.fail(Mismatch::Machine(error)),
        };
        for ((access, expected), got) in accesses.into_iter().zip(expected).zip(got) {
            self.bench.counts.access(&access, &got);
            if expected != got {
                return self.fail(Mismatch::Access {
                    cpu,
                    access,
                    expected: vec![expected],
                    got,
                });
            }
        }
        for addr in used {
            let (expected, got) = (
                self.words[&addr],
                self.bench.machine.memory().load(PhysAddr::new(addr)),
            );
            if expected != got {
                return self.fail(Mismatch::Memory {
                    addr,
                    expected,
                    got,
                });
            }
        }
        addresses
            .iter()
            .try_for_each(|va| self.compare_sight(cpu, *va))
    }

    /// Gives the word behind `va` its first value, if it has none.
    pub(super) fn prepare(&mut self, va: u64) {
        prepare(self.bench.machine, &self.model, &mut self.words, va);
    }

    /// What should come of an access, which is then taken as performed.
    fn expect(&mut self, access: &Access) -> Outcome {
        let outcome = self.outcome_in(&self.model, access);
        if let (Outcome::Stored, Some(addr)) = (outcome, self.model.target(access.va)) {
            self.words.insert(addr, access.value);
        }
        if outcome.is_performed() {
            self.model.mark(access.va, true, outcome == Outcome::Stored);
        }
        outcome
    }

    /// What should come of an access in a state of the table.
    pub(super) fn outcome_in(&self, model: &Model, access: &Access) -> Outcome {
        outcome(self.bench.machine, model, &self.words, access)
    }

    /// Compares a walk with the model, where the machine lets us see it.
    fn compare_sight(&self, cpu: usize, va: u64) -> Result<(), Failure> {
        let regime = self.bench.machine.regime();
        let expected = self.model.covering(va);
        let got = self.bench.machine.look(cpu, va);
        let same = match (got, expected) {
            (Sight::Hidden, _) | (Sight::Nothing, None) => true,
            (Sight::Page(seen), Some((_, page))) => {
                let prop = page.prop;
                seen.frame == page.frame.as_u64()
                    && seen.size == page.size.bytes()
                    && seen.rights == granted(regime, prop)
                    && seen.global == prop.global
                    && (seen.dirty == prop.dirty || !tells_dirty(regime, prop))
                    && (seen.accessed == prop.accessed || self.model.tracks() && seen.accessed)
                    && seen.cache == prop.cache
                    && seen.tables_cached
            }
            _ => false,
        };
        let expected = expected.map(|(_, page)| page);
        if same {
            Ok(())
        } else {
            self.fail(Mismatch::Sight { va, expected, got })
        }
    }

    /// Makes one access, with the outcome and the marks that the model says.
    pub(super) fn access_once(&mut self, access: &Access) -> Result<(), Failure> {
        self.prepare(access.va);
        let expected = self.expect(access);
        let got = match self.bench.machine.access(0, &[*access]) {
            Ok(got) => got[0],
            Err(error) => return self.fail(Mismatch::Machine(error)),
        };
        self.bench.counts.access(access, &got);
        if expected != got {
            return self.fail(Mismatch::Access {
                cpu: 0,
                access: *access,
                expected: vec![expected],
                got,
            });
        }
        Ok(())
    }
}

/// Gives the word behind `va` its first value, if it has none.
pub(super) fn prepare(
    machine: &dyn Machine,
    model: &Model,
    words: &mut HashMap<u64, u64>,
    va: u64,
) {
    let Some(addr) = model.target(va) else {
        return;
    };
    words.entry(addr).or_insert_with(|| {
        let word = Isa::of(machine.regime()).code_word(number_at(addr));
        machine.memory().store(PhysAddr::new(addr), word);
        word
    });
}

/// What should come of an access where the table is as `model` says, and memory as `words` say.
pub(super) fn outcome(
    machine: &dyn Machine,
    model: &Model,
    words: &HashMap<u64, u64>,
    access: &Access,
) -> Outcome {
    let regime = machine.regime();
    let refused = |refusal: Refusal| Outcome::Fault(refusal.fault(regime, access));
    if let Some((_, page)) = model.covering(access.va)
        && !machine.supports(page.size)
    {
        // To a processor without pages of this size, the bit that asks for one is reserved
        let level = level_of(regime, page.size).unwrap_or_default();
        return refused(Refusal::Reserved { level, bits: 0 });
    }
    if let Some(refusal) = model.refusal(access) {
        return refused(refusal);
    }
    let addr = model.target(access.va);
    let word = addr.and_then(|addr| words.get(&addr).copied());
    let word = word.unwrap_or_default();
    let isa = Isa::of(regime);
    let exception = isa.illegal();
    match access.kind {
        Kind::Load => Outcome::Loaded(word),
        Kind::Store => Outcome::Stored,
        Kind::Fetch => {
            let number = isa.code_number(word);
            number.map_or(Outcome::Astray { exception }, Outcome::Fetched)
        }
    }
}
