//! A page table beside its model, on a machine.

use super::model::{Model, Op, allows, number_at};
use super::report::{Counts, Failure, Mismatch};
use crate::access::{Access, Kind, Outcome, PageFaultCode, Privilege, code_word};
use crate::machine::{Machine, Sight};
use portolan::{
    AccessBits, Error, Flush, Invalidate, Mapping, PageTable, PagingMode, PhysAddr, TableMemory,
    VirtAddr,
};
use std::collections::HashMap;

/// What the parts of the suite share.
pub(super) struct Bench<'m, K, M> {
    pub(super) machine: &'m K,
    pub(super) memory: M,
    pub(super) counts: &'m mut Counts,
    /// Whether flushes are paid. They are, but in a control.
    pub(super) pay: bool,
}

impl<'m, K, M> Bench<'m, K, M> {
    /// The same bench with another way to the memory.
    pub(super) fn through<N>(&mut self, memory: impl FnOnce(&'m K, &M) -> N) -> Bench<'_, K, N> {
        let memory = memory(self.machine, &self.memory);
        Bench {
            machine: self.machine,
            memory,
            counts: self.counts,
            pay: self.pay,
        }
    }
}

/// What an operation answers, and what has to be flushed for it.
type Answer<M, A> = (Option<Mapping>, Option<Flush<M, A>>);

/// A page table under test. All processors have it loaded for as long as this exists.
pub(super) struct Subject<'b, 'm, K: Machine, M: TableMemory, A: PagingMode, B: AccessBits> {
    pub(super) bench: &'b mut Bench<'m, K, M>,
    pub(super) table: PageTable<M, A, B>,
    pub(super) model: Model,
    part: String,
    history: Vec<Op>,
    /// Words of physical memory that were used, and what they should be.
    words: HashMap<u64, u64>,
    /// Addresses that operations named since the last probe.
    named: Vec<u64>,
    stores: u32,
    frames_before: usize,
}

impl<'b, 'm, K, M, A, B> Subject<'b, 'm, K, M, A, B>
where
    K: Machine + Invalidate<A>,
    M: TableMemory,
    A: PagingMode,
    B: AccessBits,
{
    pub(super) fn new(bench: &'b mut Bench<'m, K, M>, part: String) -> Result<Self, Failure> {
        let memory = bench.machine.memory();
        let frames_before = memory.frames_held();
        let model = Model::new(bench.machine.levels(), memory.phys_bits(), B::tracking());
        let failure = |what| Failure {
            part: part.clone(),
            history: Vec::new(),
            what: Box::new(what),
        };
        let op = Op::Query { va: 0 };
        let refused = |error| Mismatch::Answer {
            op,
            expected: Ok(None),
            got: Err(error),
        };
        let table =
            PageTable::new(bench.memory.clone()).map_err(|error| failure(refused(error)))?;
        for cpu in 0..bench.machine.cpus() {
            let loaded = bench.machine.set_root(cpu, Some(table.root()));
            // Global pages of a table before this one
            let loaded = loaded.and_then(|()| bench.machine.invalidate_all(cpu));
            loaded.map_err(|error| failure(Mismatch::Machine(error)))?;
        }
        Ok(Subject {
            bench,
            table,
            model,
            part,
            history: Vec::new(),
            words: HashMap::new(),
            named: Vec::new(),
            stores: 0,
            frames_before,
        })
    }

    pub(super) fn fail<T>(&self, what: Mismatch) -> Result<T, Failure> {
        Err(Failure {
            part: self.part.clone(),
            history: self.history.clone(),
            what: Box::new(what),
        })
    }

    /// Asks the table.
    fn perform(&mut self, op: &Op) -> Result<Answer<M, A>, Error> {
        let va = VirtAddr::<A>::new(op.va())?;
        match *op {
            Op::Map {
                frame, size, prop, ..
            } => self
                .table
                .map(va, PhysAddr::new(frame), size, prop)
                .map(|()| (None, None)),
            Op::Unmap { size, .. } => self
                .table
                .unmap(va, size)
                .map(|(was, flush)| (Some(was), Some(flush))),
            Op::Protect { size, prop, .. } => self
                .table
                .protect(va, size, prop)
                .map(|(was, flush)| (Some(was), Some(flush))),
            Op::Query { .. } => self.table.query(va).map(|page| (Some(page), None)),
        }
    }

    /// Performs an operation on the table and on the model, compares the answers and pays the flush. Gives the table's
    /// answer.
    pub(super) fn apply(&mut self, op: Op) -> Result<Result<Option<Mapping>, Error>, Failure> {
        let before = self.model.clone();
        let expected = self.model.apply(&op);
        self.apply_expecting(op, &before, expected)
    }

    /// As `apply`, for an operation that succeeds.
    pub(super) fn must(&mut self, op: Op) -> Result<Option<Mapping>, Failure> {
        let got = self.apply(op)?;
        got.or_else(|error| {
            self.fail(Mismatch::Answer {
                op,
                expected: Ok(None),
                got: Err(error),
            })
        })
    }

    /// Performs an operation while hardware sets accessed and dirty bits. Gives the table's answer uncompared.
    pub(super) fn apply_racing(&mut self, op: Op) -> Result<Option<Mapping>, Failure> {
        self.history.push(op);
        let expected = self.model.apply(&op);
        let got = self.perform(&op);
        self.bench.counts.operation(&op, &got);
        match got {
            Ok((page, flush)) => {
                flush.map_or(Ok(()), |flush| self.pay(op, flush))?;
                Ok(page)
            }
            Err(error) => self.fail(Mismatch::Answer {
                op,
                expected,
                got: Err(error),
            }),
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

    /// As `apply`, where the table has to run out of memory.
    pub(super) fn apply_refused(&mut self, op: Op) -> Result<(), Failure> {
        let Op::Map { va, size, .. } = op else {
            unreachable!("only a map allocates")
        };
        let expected = Err(Error::NoMemory {
            addr: va,
            size: size.bytes(),
        });
        self.apply_expecting(op, &self.model.clone(), expected)
            .map(drop)
    }

    fn apply_expecting(
        &mut self,
        op: Op,
        before: &Model,
        expected: Result<Option<Mapping>, Error>,
    ) -> Result<Result<Option<Mapping>, Error>, Failure> {
        self.history.push(op);
        let va = op.va();
        self.named.push(va);
        let got = self.perform(&op);
        self.bench.counts.operation(&op, &got);
        let (got, flush) = match got {
            Ok((page, flush)) => (Ok(page), flush),
            Err(error) => (Err(error), None),
        };
        let same = match (&expected, &got) {
            (Ok(Some(page)), Ok(Some(seen))) => before.agrees(*page, *seen),
            _ => expected == got,
        };
        if !same {
            return self.fail(Mismatch::Answer { op, expected, got });
        }
        if let Ok(Some(seen)) = got {
            // An accessed bit that hardware set on its own is there to stay
            self.model.mark(
                va,
                seen.prop.accessed && B::tracking() && !matches!(op, Op::Unmap { .. }),
                false,
            );
        }
        if let Some(flush) = flush {
            self.pay(op, flush)?;
        }
        self.check_frames()?;
        Ok(got)
    }

    fn pay(&mut self, op: Op, flush: Flush<M, A>) -> Result<(), Failure> {
        let (Op::Unmap { va, size } | Op::Protect { va, size, .. }) = op else {
            unreachable!("other operations have no flush")
        };
        let got = (flush.addr().as_u64(), flush.size());
        if got != (va, size.bytes()) {
            return self.fail(Mismatch::Flush { op, got });
        }
        if self.bench.pay {
            flush.pay(self.bench.machine);
        } else {
            drop(flush);
        }
        Ok(())
    }

    fn check_frames(&self) -> Result<(), Failure> {
        let expected = self.frames_before + self.model.tables();
        let got = self.bench.machine.memory().frames_held();
        // A flush that isn't paid keeps its tables
        if expected != got && self.bench.pay {
            self.fail(Mismatch::Frames { expected, got })
        } else {
            Ok(())
        }
    }

    /// Makes accesses of every kind on a processor, at the edges of every page, of everything that was named since the
    /// last probe and of the address space, and compares the outcomes. `extra` addresses are probed too.
    pub(super) fn probe(&mut self, cpu: usize, extra: &[u64]) -> Result<(), Failure> {
        let mut addresses = self.edges();
        addresses.extend(extra.iter().map(|va| va & !7));
        addresses.sort_unstable();
        addresses.dedup();
        self.probe_at(cpu, &addresses)
    }

    /// The first and last words of pages and what lies just outside of them.
    fn edges(&mut self) -> Vec<u64> {
        let half = 1u64 << (11 + 9 * self.bench.machine.levels());
        let mut addresses = vec![
            0,
            half - 8,
            half,
            half.wrapping_neg() - 8,
            half.wrapping_neg(),
            u64::MAX - 7,
        ];
        for (va, page) in self.model.pages() {
            let last = va + (page.size.bytes() - 8);
            let inside = (va + u64::from(number_at(va)) % page.size.bytes()) & !7;
            addresses.extend([va, last, va.wrapping_sub(8), last.wrapping_add(8), inside]);
        }
        for va in self.named.drain(..) {
            addresses.extend([va & !7, va & !0x1f_ffff, va & !7 | 0xff8]);
        }
        addresses
    }

    /// Makes accesses of every kind at the given addresses and compares what comes of them.
    pub(super) fn probe_at(&mut self, cpu: usize, addresses: &[u64]) -> Result<(), Failure> {
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
                        value: code_word(self.stores),
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
        let Some(addr) = self.model.target(va) else {
            return;
        };
        self.words.entry(addr).or_insert_with(|| {
            let word = code_word(number_at(addr));
            self.bench.machine.memory().store(PhysAddr::new(addr), word);
            word
        });
    }

    /// What should come of an access, which is then taken as performed.
    fn expect(&mut self, access: &Access) -> Outcome {
        let outcome = self.outcome_in(&self.model, access);
        if let (Outcome::Stored, Some(addr)) = (outcome, self.model.target(access.va)) {
            self.words.insert(addr, access.value);
        }
        if matches!(
            outcome,
            Outcome::Loaded(_) | Outcome::Stored | Outcome::Fetched(_)
        ) {
            self.model.mark(access.va, true, outcome == Outcome::Stored);
        }
        outcome
    }

    /// What should come of an access in a state of the table.
    pub(super) fn outcome_in(&self, model: &Model, access: &Access) -> Outcome {
        let &Access {
            va,
            kind,
            privilege,
            ..
        } = access;
        let code = PageFaultCode::of(kind, privilege);
        if !model.is_canonical(va) {
            return Outcome::GeneralProtection { code: 0 };
        }
        let Some((base, page)) = model.covering(va) else {
            return Outcome::PageFault { code, addr: va };
        };
        if !self.bench.machine.supports(page.size) {
            // To a processor without pages of this size, the bit that asks for one is reserved
            let code = code.with(PageFaultCode::PRESENT | PageFaultCode::RESERVED);
            return Outcome::PageFault { code, addr: va };
        }
        if !allows(page.prop, kind, privilege) {
            return Outcome::PageFault {
                code: code.with(PageFaultCode::PRESENT),
                addr: va,
            };
        }
        let addr = page.frame.as_u64() + (va - base);
        let word = self.words.get(&addr).copied().unwrap_or_default();
        match kind {
            Kind::Load => Outcome::Loaded(word),
            Kind::Store => Outcome::Stored,
            Kind::Fetch => Outcome::Fetched((word >> 8) as u32),
        }
    }

    /// Compares a walk with the model, where the machine lets us see it.
    fn compare_sight(&self, cpu: usize, va: u64) -> Result<(), Failure> {
        let expected = self.model.covering(va);
        let got = self.bench.machine.look(cpu, va);
        let same = match (got, expected) {
            (Sight::Hidden, _) | (Sight::Nothing, None) => true,
            (Sight::Page(seen), Some((_, page))) => {
                let prop = page.prop;
                seen.frame == page.frame.as_u64()
                    && seen.size == page.size.bytes()
                    && (seen.write, seen.user, seen.execute)
                        == (prop.write, prop.user, prop.execute)
                    && (seen.global, seen.dirty) == (prop.global, prop.dirty)
                    && (seen.accessed == prop.accessed || B::tracking() && seen.accessed)
                    && seen.pat == prop.cache as u8
                    && seen.tables_pat0
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

    /// Drops the table: all its frames have to come back.
    pub(super) fn finish(self) -> Result<(), Failure> {
        let (part, history) = (self.part.clone(), self.history.clone());
        let (machine, expected, pay) = (self.bench.machine, self.frames_before, self.bench.pay);
        drop(self);
        let got = machine.memory().frames_held();
        if got != expected && pay {
            return Err(Failure {
                part,
                history,
                what: Box::new(Mismatch::Frames { expected, got }),
            });
        }
        Ok(())
    }
}

impl<K: Machine, M: TableMemory, A: PagingMode, B: AccessBits> Drop
    for Subject<'_, '_, K, M, A, B>
{
    fn drop(&mut self) {
        for cpu in 0..self.bench.machine.cpus() {
            // A machine that fails here fails again in whatever is asked of it next
            let unloaded = self.bench.machine.set_root(cpu, None);
            unloaded
                .and_then(|()| self.bench.machine.invalidate_all(cpu))
                .ok();
        }
    }
}
