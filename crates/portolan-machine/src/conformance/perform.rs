//! Asking a page table for what an operation says.

mod typed;
mod used;

pub(super) use typed::Mode;

use super::model::{Answer, Make, Model, Op, Step};
use super::report::{Failure, Mismatch};
use super::subject::{Bench, Subject};
use crate::access::{Access, Outcome, Privilege};
use crate::any::{AnyTable, Owed, Stale};
use portolan::{Error, Mapping, PageSize};

/// What an operation answers, and what has to be flushed for it.
pub(super) type Performed<'m> = (Answer, Option<Owed<'m>>);

/// A page table that an operation can be asked of.
pub(super) type AnySubject<'m> = Box<dyn Perform<'m> + 'm>;

/// What a table does with accessed and dirty bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bits {
    /// [`Preset`](portolan::Preset)
    Preset,
    /// [`Tracking`](portolan::Tracking)
    Tracking,
}

/// A paging mode: what makes page tables of it.
pub(super) trait AnyMode<'m> {
    /// A table in which nothing is mapped.
    fn table(&self, bits: Bits) -> Result<AnySubject<'m>, Error>;
}

/// A page table that does whatever an operation says.
pub(super) trait Perform<'m>: AnyTable<'m> {
    /// Does it, if it is about this table alone, in one step.
    fn perform(&mut self, op: &Op) -> Result<Performed<'m>, Error>;

    /// Breaks a page, or the `parts` that it would have, has the TLBs flushed, and makes something else; `meanwhile` there is
    /// nothing.
    fn remake(
        &mut self,
        page: (u64, PageSize),
        parts: bool,
        make: Make,
        meanwhile: &mut dyn FnMut(),
    ) -> Result<Remade, Error>;

    /// Copies the pages of so many bytes to a new table, in which there are pages `beside`, and may take the right to write
    /// from both.
    fn copy(
        &mut self,
        range: (u64, u64),
        protect: bool,
        beside: &[(u64, Mapping)],
    ) -> Result<Copied<'m>, Error>;

    /// A cursor over so many bytes.
    fn cursor(&mut self, range: (u64, u64)) -> Result<Box<dyn TakeSteps<'m> + '_>, Error>;

    /// The pages that a cursor meets that doesn't change them, on its way through so many bytes. One that it finds where
    /// it should not be is given twice.
    fn met(&self, range: (u64, u64)) -> Result<Vec<(u64, Mapping)>, Error>;
}

/// A cursor over a range.
pub(super) trait TakeSteps<'m> {
    /// Takes a step, and says where that leads.
    fn take(&mut self, step: Step) -> Result<Performed<'m>, Error>;
}

/// What comes of breaking a page.
pub(super) struct Remade {
    /// What it was.
    was: Mapping,
    /// What its flush named.
    stale: Stale,
    /// Whether something else could be made.
    made: Result<(), Error>,
}

/// What comes of copying.
pub(super) struct Copied<'m> {
    /// How many bytes were mapped.
    bytes: u64,
    /// What has to be flushed in the table that was copied.
    owed: Option<Owed<'m>>,
    /// The copy.
    table: AnySubject<'m>,
}

impl<'m> Subject<'_, 'm> {
    /// Asks the table.
    pub(super) fn perform(&mut self, op: &Op) -> Result<Result<Performed<'m>, Error>, Failure> {
        match *op {
            Op::Remake { .. } => self.perform_remake(op),
            Op::Copy { .. } => Ok(self.perform_copy(op)),
            _ => Ok(self.table.perform(op)),
        }
    }

    /// Copies the table, and keeps the copy.
    fn perform_copy(&mut self, op: &Op) -> Result<Performed<'m>, Error> {
        let protect = matches!(op, Op::Copy { protect: true, .. });
        let beside: Vec<_> = self.model.beside(op).pages().collect();
        let copied = self.table.copy((op.va(), op.bytes()), protect, &beside)?;
        self.copy = Some(copied.table);
        Ok((Answer::Bytes(copied.bytes), copied.owed))
    }

    /// Breaks pages, flushes them, has every processor meet the hole, and makes what is to be made.
    fn perform_remake(&mut self, op: &Op) -> Result<Result<Performed<'m>, Error>, Failure> {
        let &Op::Remake {
            va,
            size,
            parts,
            make,
        } = op
        else {
            return Ok(self.table.perform(op));
        };
        let meetings = self.meetings(&self.model.without(va, size), va, size);
        let (bench, mut met) = (&mut *self.bench, Ok(()));
        let mut meet = || met = bench.meet(&meetings);
        let remade = match self.table.remake((va, size), parts, make, &mut meet) {
            Ok(remade) => remade,
            Err(error) => return Ok(Err(error)),
        };
        if let Err(what) = met {
            return self.fail(*what);
        }
        let part = self.model.part_of(size).filter(|_| parts);
        let expected = Stale {
            va,
            bytes: size.bytes(),
            stride: part.unwrap_or(size),
        };
        if remade.stale != expected {
            let (op, got) = (*op, remade.stale);
            return self.fail(Mismatch::Flush { op, got });
        }
        let answer = Answer::Page(remade.was);
        Ok(remade.made.map(|()| (answer, None)))
    }

    /// Loads from a page that was broken, and what comes of them in the hole.
    fn meetings(&self, hole: &Model, va: u64, size: PageSize) -> Vec<(Access, Outcome)> {
        let bytes = size.bytes();
        let mut addresses = vec![
            va & !7,
            (va + bytes / 2) & !7,
            va.wrapping_add(bytes - 8) & !7,
        ];
        let reserved = self.bench.machine.reserved();
        addresses.retain(|va| !reserved.iter().any(|range| range.contains(va)));
        let loads = addresses
            .into_iter()
            .flat_map(|va| Privilege::ALL.map(|privilege| Access::load(va, privilege)));
        loads
            .map(|load| (load, self.outcome_in(hole, &load)))
            .collect()
    }
}

impl Bench<'_> {
    /// Makes accesses on every processor that have to have these outcomes.
    fn meet(&mut self, meetings: &[(Access, Outcome)]) -> Result<(), Box<Mismatch>> {
        let accesses: Vec<_> = meetings.iter().map(|(access, _)| *access).collect();
        for cpu in 0..self.machine.cpus() {
            let got = self.machine.access(cpu, &accesses);
            let got = got.map_err(|error| Box::new(Mismatch::Machine(error)))?;
            for ((access, expected), got) in meetings.iter().zip(got) {
                self.counts.access(access, &got);
                if *expected != got {
                    return Err(Box::new(Mismatch::Access {
                        cpu,
                        access: *access,
                        expected: vec![*expected],
                        got,
                    }));
                }
            }
        }
        Ok(())
    }
}
