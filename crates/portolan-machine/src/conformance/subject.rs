//! A page table beside its model, on a machine.

use super::model::{Answer, Model, Op};
use super::report::{Counts, Failure, Mismatch};
use crate::machine::Machine;
use portolan::{
    AccessBits, Error, Flush, Invalidate, PageTable, PagingMode, PhysAddr, TableMemory, VirtAddr,
    VirtRange,
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
type Performed<M, A> = (Answer, Option<Flush<M, A>>);

/// A page table under test. All processors have it loaded for as long as this exists.
pub(super) struct Subject<'b, 'm, K: Machine, M: TableMemory, A: PagingMode, B: AccessBits> {
    pub(super) bench: &'b mut Bench<'m, K, M>,
    pub(super) table: PageTable<M, A, B>,
    pub(super) model: Model,
    part: String,
    history: Vec<Op>,
    /// Words of physical memory that were used, and what they should be.
    pub(super) words: HashMap<u64, u64>,
    /// Addresses that operations named since the last probe.
    pub(super) named: Vec<u64>,
    pub(super) stores: u32,
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
        let model = Model::new(bench.machine.regime(), memory.phys_bits(), B::tracking());
        let failure = |what| Failure {
            part: part.clone(),
            history: Vec::new(),
            what: Box::new(what),
        };
        let op = Op::Query { va: 0 };
        let refused = |error| Mismatch::Answer {
            op,
            expected: Ok(Answer::Done),
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
    fn perform(&mut self, op: &Op) -> Result<Performed<M, A>, Error> {
        let va = VirtAddr::<A>::new(op.va())?;
        let table = &mut self.table;
        let page = |(page, flush)| (Answer::Page(page), Some(flush));
        let bytes = |(bytes, flush)| (Answer::Bytes(bytes), Some(flush));
        let done = |()| (Answer::Done, None);
        match *op {
            Op::Map {
                frame, size, prop, ..
            } => table.map(va, PhysAddr::new(frame), size, prop).map(done),
            Op::Unmap { size, .. } => table.unmap(va, size).map(page),
            Op::Protect { size, prop, .. } => table.protect(va, size, prop).map(page),
            Op::Query { .. } => table.query(va).map(|page| (Answer::Page(page), None)),
            Op::MapRange {
                bytes,
                frame,
                largest,
                prop,
                ..
            } => table
                .map_range(
                    VirtRange::new(va, bytes)?,
                    PhysAddr::new(frame),
                    largest,
                    prop,
                )
                .map(done),
            Op::UnmapRange { bytes: size, .. } => {
                table.unmap_range(VirtRange::new(va, size)?).map(bytes)
            }
            Op::ProtectRange {
                bytes: size, prop, ..
            } => table
                .protect_range(VirtRange::new(va, size)?, prop)
                .map(bytes),
            Op::Split { size, .. } => table.split(va, size).map(page),
            Op::Collapse { size, .. } => table.collapse(va, size).map(page),
        }
    }

    /// Performs an operation on the table and on the model, compares the answers and pays the flush. Gives the table's
    /// answer.
    pub(super) fn apply(&mut self, op: Op) -> Result<Result<Answer, Error>, Failure> {
        let before = self.model.clone();
        let expected = self.model.apply(&op);
        self.apply_expecting(op, &before, expected)
    }

    /// As `apply`, for an operation that succeeds.
    pub(super) fn must(&mut self, op: Op) -> Result<Answer, Failure> {
        let got = self.apply(op)?;
        got.or_else(|error| {
            self.fail(Mismatch::Answer {
                op,
                expected: Ok(Answer::Done),
                got: Err(error),
            })
        })
    }

    /// Performs an operation while hardware sets accessed and dirty bits. Gives the table's answer uncompared.
    pub(super) fn apply_racing(&mut self, op: Op) -> Result<Answer, Failure> {
        self.history.push(op);
        let before = self.model.clone();
        let expected = self.model.apply(&op);
        let got = self.perform(&op);
        self.bench.counts.operation(&op, &got);
        match got {
            Ok((answer, flush)) => {
                flush.map_or(Ok(()), |flush| self.pay(op, &before, flush))?;
                Ok(answer)
            }
            Err(error) => self.fail(Mismatch::Answer {
                op,
                expected,
                got: Err(error),
            }),
        }
    }

    /// As `apply`, where the table has to run out of memory.
    pub(super) fn apply_refused(&mut self, op: Op) -> Result<(), Failure> {
        let expected = Err(Error::NoMemory {
            addr: op.va(),
            size: op.bytes(),
        });
        self.apply_expecting(op, &self.model.clone(), expected)
            .map(drop)
    }

    fn apply_expecting(
        &mut self,
        op: Op,
        before: &Model,
        expected: Result<Answer, Error>,
    ) -> Result<Result<Answer, Error>, Failure> {
        self.history.push(op);
        let va = op.va();
        self.named.extend([va, va.wrapping_add(op.bytes())]);
        let got = self.perform(&op);
        self.bench.counts.operation(&op, &got);
        let (got, flush) = match got {
            Ok((answer, flush)) => (Ok(answer), flush),
            Err(error) => (Err(error), None),
        };
        let same = match (&expected, &got) {
            (Ok(Answer::Page(page)), Ok(Answer::Page(seen))) => before.agrees(*page, *seen),
            _ => expected == got,
        };
        if !same {
            return self.fail(Mismatch::Answer { op, expected, got });
        }
        if let Ok(Answer::Page(seen)) = got {
            // An accessed bit that hardware set on its own is there to stay, in every part of what was a page
            let accessed = seen.prop.accessed && B::tracking();
            let parts: Vec<_> = self.model.starting_in(va, op.bytes()).collect();
            for part in parts.into_iter().map(|(part, _)| part).chain([va]) {
                self.model.mark(part, accessed, false);
            }
        }
        if let Some(flush) = flush {
            self.pay(op, before, flush)?;
        }
        self.check_frames()?;
        Ok(got)
    }

    /// Pays the flush for an operation on a table that was as `before` says: for all that was asked about, if anything
    /// was mapped there.
    fn pay(&mut self, op: Op, before: &Model, flush: Flush<M, A>) -> Result<(), Failure> {
        let mut before = before.clone();
        if matches!(op, Op::UnmapRange { .. } | Op::ProtectRange { .. }) {
            before.cut(op.va(), op.bytes());
        }
        let pages = before.starting_in(op.va(), op.bytes());
        let smallest = pages.map(|(_, page)| page.size).min();
        let got = (flush.addr().as_u64(), flush.size());
        let stride = flush.range().stride();
        if got != (op.va(), smallest.map_or(0, |_| op.bytes()))
            || smallest.is_some_and(|smallest| smallest != stride)
        {
            return self.fail(Mismatch::Flush { op, got, stride });
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

    /// Reads the table back, then drops it: all its frames have to come back.
    pub(super) fn finish(mut self) -> Result<(), Failure> {
        self.read_back()?;
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
