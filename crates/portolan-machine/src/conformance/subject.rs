//! A page table beside its model, on a machine.

use super::interpose::Hook;
use super::model::{Answer, Model, Op, Step};
use super::perform::{AnyMode, AnySubject, Bits, Performed, TakeSteps};
use super::report::{Counts, Failure, Mismatch};
use crate::any::{Owed, Stale};
use crate::machine::{Machine, MachineError};
use portolan::{Error, PhysAddr};
use std::collections::HashMap;

/// What the parts of the suite share.
pub(super) struct Bench<'m> {
    pub(super) machine: &'m dyn Machine,
    pub(super) mode: Box<dyn AnyMode<'m> + 'm>,
    /// What happens between the stores to tables.
    pub(super) hook: Hook<'m>,
    pub(super) counts: &'m mut Counts,
    /// Whether flushes are paid. They are, but in a control.
    pub(super) pay: bool,
}

impl Bench<'_> {
    /// Loads a table on all processors.
    fn load(&self, root: PhysAddr) -> Result<(), MachineError> {
        (0..self.machine.cpus()).try_for_each(|cpu| {
            self.machine.set_root(cpu, Some(root))?;
            // Global pages of a table before this one
            self.machine.invalidate_all(cpu)
        })
    }
}

/// A page table under test. All processors have it loaded for as long as this exists.
pub(super) struct Subject<'b, 'm> {
    pub(super) bench: &'b mut Bench<'m>,
    pub(super) table: AnySubject<'m>,
    bits: Bits,
    pub(super) model: Model,
    part: String,
    history: Vec<Op>,
    /// Words of physical memory that were used, and what they should be.
    pub(super) words: HashMap<u64, u64>,
    /// Addresses that operations named since the last probe.
    pub(super) named: Vec<u64>,
    pub(super) stores: u32,
    /// The copy that was made of the table.
    pub(super) copy: Option<AnySubject<'m>>,
    frames_before: usize,
}

impl<'b, 'm> Subject<'b, 'm> {
    pub(super) fn new(bench: &'b mut Bench<'m>, bits: Bits, part: String) -> Result<Self, Failure> {
        let memory = bench.machine.memory();
        let frames_before = memory.frames_held();
        let tracking = bits == Bits::Tracking;
        let model = Model::new(bench.machine.regime(), memory.phys_bits(), tracking);
        let failure = |what| Failure {
            part: part.clone(),
            history: Vec::new(),
            what: Box::new(what),
        };
        let table = bench.mode.table(bits);
        let table = table.map_err(|error| failure(Mismatch::NoTable(error)))?;
        let loaded = bench.load(table.root());
        loaded.map_err(|error| failure(Mismatch::Machine(error)))?;
        Ok(Subject {
            bench,
            table,
            bits,
            model,
            part,
            history: Vec::new(),
            words: HashMap::new(),
            named: Vec::new(),
            stores: 0,
            copy: None,
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
        let got = self.perform(&op)?;
        self.bench.counts.operation(&op, &got);
        match got {
            Ok((answer, owed)) => {
                owed.map_or(Ok(()), |owed| self.pay(op, &answer, &before, owed))?;
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
        let before = self.model.clone();
        if let Op::Remake {
            va, size, parts, ..
        } = op
        {
            self.model.restore(va, size, parts);
        }
        self.apply_expecting(op, &before, expected).map(drop)
    }

    /// As `apply_refused`, where of the requests for table frames that `op` makes all but this one are granted.
    pub(super) fn apply_refused_at(&mut self, op: Op, nth: u64) -> Result<(), Failure> {
        // A table to copy into is made before, with what it has then
        let made = match op {
            Op::Copy { .. } => self.model.beside(&op).tables() as u64,
            _ => 0,
        };
        self.bench.machine.memory().refuse_after(made + nth);
        self.apply_refused(op)
    }

    fn apply_expecting(
        &mut self,
        op: Op,
        before: &Model,
        expected: Result<Answer, Error>,
    ) -> Result<Result<Answer, Error>, Failure> {
        self.history.push(op);
        let got = self.perform(&op)?;
        self.settle(op, before, expected, got)
    }

    /// Compares an answer, and pays the flush.
    pub(super) fn settle(
        &mut self,
        op: Op,
        before: &Model,
        expected: Result<Answer, Error>,
        got: Result<Performed<'m>, Error>,
    ) -> Result<Result<Answer, Error>, Failure> {
        let va = op.va();
        self.named.extend([va, va.wrapping_add(op.bytes())]);
        self.bench.counts.operation(&op, &got);
        if got.is_ok() && before.is_divided_by(&op) {
            self.bench.counts.divided(&op);
        }
        let (got, owed) = match got {
            Ok((answer, owed)) => (Ok(answer), owed),
            Err(error) => (Err(error), None),
        };
        let same = match (&expected, &got) {
            (Ok(expected), Ok(got)) => before.may_answer(&op, expected, got),
            _ => expected == got,
        };
        if !same {
            return self.fail(Mismatch::Answer { op, expected, got });
        }
        if let Ok(answer) = &got {
            self.model.take_over(&op, answer);
        }
        if let (Some(owed), Ok(answer)) = (owed, &got) {
            self.pay(op, answer, before, owed)?;
        }
        if let Some(child) = self.copy.take() {
            self.go_on_with(child, &op, before)?;
        }
        self.check_frames()?;
        Ok(got)
    }

    /// Pays the flush for an operation on a table that was as `before` says: for all that was asked about, if anything
    /// was mapped there.
    fn pay(
        &mut self,
        op: Op,
        answer: &Answer,
        before: &Model,
        owed: Owed<'m>,
    ) -> Result<(), Failure> {
        self.check_flush(op, answer, before, owed.stale)?;
        if self.bench.pay {
            owed.pay();
        } else {
            drop(owed);
        }
        Ok(())
    }

    /// Compares what a flush names.
    pub(super) fn check_flush(
        &self,
        op: Op,
        answer: &Answer,
        before: &Model,
        stale: Stale,
    ) -> Result<(), Failure> {
        let due = before.due(&op, answer);
        let same = (stale.va, stale.bytes) == (due.va, due.bytes);
        if same && due.smallest.is_none_or(|smallest| smallest == stale.stride) {
            Ok(())
        } else {
            self.fail(Mismatch::Flush { op, got: stale })
        }
    }

    /// Walks over a range with a cursor. `next` gives a step for what is mapped and where the cursor is, until there is
    /// none.
    pub(super) fn walk(
        &mut self,
        range: (u64, u64),
        next: impl FnMut(&Model, u64) -> Option<Step>,
    ) -> Result<(), Failure> {
        // While the cursor has the table, there is another one in its place
        let other = self.bench.mode.table(self.bits);
        let other = other.or_else(|error| self.fail(Mismatch::NoTable(error)))?;
        let mut table = std::mem::replace(&mut self.table, other);
        self.frames_before += 1;
        let walked = match table.cursor(range) {
            Ok(mut cursor) => self.take_steps(&mut *cursor, range, next),
            Err(_) => Ok(()),
        };
        self.table = table;
        self.frames_before -= 1;
        walked
    }

    fn take_steps(
        &mut self,
        cursor: &mut dyn TakeSteps<'m>,
        (va, bytes): (u64, u64),
        mut next: impl FnMut(&Model, u64) -> Option<Step>,
    ) -> Result<(), Failure> {
        let mut pos = 0;
        while let Some(step) = next(&self.model, pos) {
            let op = Op::Step {
                va,
                bytes,
                pos,
                step,
            };
            self.history.push(op);
            let before = self.model.clone();
            let expected = self.model.step((va, bytes), pos, step);
            let got = cursor.take(step);
            if let Ok(Answer::Moved { pos: to, .. }) = self.settle(op, &before, expected, got)? {
                pos = to;
            }
        }
        Ok(())
    }

    /// Takes the copy as the table under test, after what became of the one that was copied has been compared, too.
    fn go_on_with(
        &mut self,
        child: AnySubject<'m>,
        op: &Op,
        before: &Model,
    ) -> Result<(), Failure> {
        if let Ok(copied) = before.copied(op) {
            let copy = std::mem::replace(&mut self.model, copied.parent);
            self.frames_before += copy.tables();
            self.read_back()?;
            self.probe_few()?;
            self.frames_before -= copy.tables();
            self.model = copy;
        }
        let parent = std::mem::replace(&mut self.table, child);
        if let Err(error) = self.bench.load(self.table.root()) {
            return self.fail(Mismatch::Machine(error));
        }
        drop(parent);
        self.read_back()
    }

    fn check_frames(&self) -> Result<(), Failure> {
        self.compare_frames(self.model.tables())
    }

    /// Compares the table frames that are held with those that there were before and this many tables.
    pub(super) fn compare_frames(&self, tables: usize) -> Result<(), Failure> {
        let expected = self.frames_before + tables;
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

impl Drop for Subject<'_, '_> {
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
