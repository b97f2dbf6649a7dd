//! A machine, a page table on it, and the record of what is done with them and compared.

use super::record::{
    Answer, Call, Check, Hex, Made, Page, Paid, Refusal, Run, Space, Step, Tables,
};
use super::scene::Scene;
use super::tree::{self, Table};
use portolan::{Error, Mapping, PageSize, PhysAddr};
use portolan_machine::any::{self, AnyTable};
use portolan_machine::conformance::model::{Model, Op};
use portolan_machine::{Access, Machine, MachineError, Memory, Outcome};

/// The page table of the tour, which tracks accessed and dirty bits.
pub type TourTable<'m> = Box<dyn AnyTable<'m> + 'm>;

/// A machine with a page table, and what has to be in it.
pub struct Stage<'m> {
    machine: &'m dyn Machine,
    table: TourTable<'m>,
    /// Where things are.
    pub scene: Scene,
    /// What has to be mapped.
    pub expected: Model,
    frames_before: usize,
    /// What was done since it was last taken.
    pub steps: Vec<Step>,
}

impl<'m> Stage<'m> {
    /// A page table in which nothing is mapped; `table` makes it.
    ///
    /// # Errors
    /// There is no frame for its root.
    pub fn new(
        machine: &'m dyn Machine,
        table: impl FnOnce() -> Result<TourTable<'m>, Error>,
    ) -> Result<Self, Error> {
        let frames_before = machine.memory().frames_held();
        let table = table()?;
        let (regime, steps) = (machine.regime(), Vec::new());
        Ok(Stage {
            machine,
            table,
            scene: Scene::new(regime),
            expected: Model::new(regime, machine.memory().phys_bits(), true),
            frames_before,
            steps,
        })
    }

    /// The physical memory.
    pub fn memory(&self) -> &'m Memory {
        self.machine.memory()
    }

    /// What has to come of an access, if `performed` comes of it where it is allowed.
    pub fn comes(&self, access: &Access, performed: Outcome) -> Outcome {
        let refusal = self.expected.refusal(access);
        refusal.map_or(performed, |refusal| {
            Outcome::Fault(refusal.fault(self.scene.regime, access))
        })
    }

    /// Has an operation that has succeeded take place in what has to be mapped.
    fn follow(&mut self, op: Op) {
        // Of one that should not have succeeded, the answer is a mismatch already
        self.expected.apply(&op).ok();
    }

    /// How many table frames the page table holds.
    pub fn frames_held(&self) -> usize {
        self.memory()
            .frames_held()
            .saturating_sub(self.frames_before)
    }

    /// Loads the page table's root.
    ///
    /// # Errors
    /// The machine can't.
    pub fn load_root(&self) -> Result<(), MachineError> {
        self.machine.set_root(0, Some(self.table.root()))
    }

    /// Drops the page table.
    ///
    /// # Errors
    /// The machine can't unload the root.
    pub fn finish(mut self) -> Result<Vec<Step>, MachineError> {
        self.machine.set_root(0, None)?;
        self.machine.invalidate_all(0)?;
        let (memory, before) = (self.memory(), self.frames_before);
        let (held, mut steps) = (self.frames_held(), std::mem::take(&mut self.steps));
        drop(self);
        let left = memory.frames_held().saturating_sub(before);
        let what = format!("table frames held after the page table was dropped, of {held}");
        steps.push(Step::Check(Check::new(what, 0, left)));
        Ok(steps)
    }

    /// Compares.
    pub fn check(&mut self, what: impl Into<String>, expected: impl ToString, got: impl ToString) {
        self.steps
            .push(Step::Check(Check::new(what, expected, got)));
    }

    fn call(&mut self, operation: &'static str, request: String, va: u64, answers: [Answer; 2]) {
        let [expected, got] = answers;
        let ok = expected.allows(&got);
        let va = Hex(va);
        self.steps.push(Step::Call(Call {
            operation,
            request,
            va,
            expected,
            got,
            ok,
            quiet: false,
        }));
    }

    /// What was done last is mentioned only if it is not as it had to be.
    pub fn quietly(&mut self) {
        match self.steps.last_mut() {
            Some(Step::Call(call)) => call.quiet = true,
            Some(Step::Flush(paid)) => paid.quiet = true,
            _ => {}
        }
    }

    /// Asks for an address, which has to be refused.
    pub fn no_address(&mut self, va: u64, error: Error) {
        let got = self.table.address(va);
        self.call(
            "address",
            format!("address {va:#x}"),
            va,
            [refused(error), done(got)],
        );
    }

    /// Maps a page. `note` says what is special about it.
    pub fn map(&mut self, va: u64, page: Mapping, note: &str, expected: Result<(), Error>) {
        let Mapping { frame, size, prop } = page;
        let got = self.table.map(va, frame, size, prop);
        if got.is_ok() {
            let frame = frame.as_u64();
            self.follow(Op::Map {
                va,
                frame,
                size,
                prop,
            });
        }
        let request = format!("map {va:#x} {size}{note}");
        self.call("map", request, va, [done(expected), done(got)]);
    }

    /// Gives a page other rights, which has to succeed. What is owed is to be paid.
    pub fn protect(&mut self, va: u64, to: &str, change: impl Fn(Mapping) -> Mapping) -> Owed<'m> {
        let (_, was) = self.expected.covering(va)?;
        let (size, now) = (was.size, change(was));
        let answer = self.table.protect(va, was.size, now.prop);
        if answer.is_ok() {
            let prop = now.prop;
            self.follow(Op::Protect { va, size, prop });
        }
        let (got, owed) = split(answer);
        let request = format!("protect {va:#x} {} {to}", was.size);
        self.call("protect", request, va, [Answer::Page(Page(was)), got]);
        owed
    }

    /// Unmaps a page, which has to succeed. What is owed is to be paid.
    pub fn unmap(&mut self, va: u64) -> Owed<'m> {
        let (_, was) = self.expected.covering(va)?;
        let size = was.size;
        let answer = self.table.unmap(va, was.size);
        if answer.is_ok() {
            self.follow(Op::Unmap { va, size });
        }
        let (got, owed) = split(answer);
        let request = format!("unmap {va:#x} {}", was.size);
        self.call("unmap", request, va, [Answer::Page(Page(was)), got]);
        owed
    }

    /// Unmaps a page, which has to be refused.
    pub fn no_unmap(&mut self, va: u64, size: PageSize, note: &str, error: Error) {
        let (got, owed) = split(self.table.unmap(va, size));
        if let Some(owed) = owed {
            owed.pay();
        }
        let request = format!("unmap {va:#x} {size}{note}");
        self.call("unmap", request, va, [refused(error), got]);
    }

    /// Asks which page covers an address.
    pub fn query(&mut self, va: u64) {
        let size = self.scene.small.bytes();
        let expected = match self.expected.covering(va) {
            Some((_, page)) => Answer::Page(Page(page)),
            None => refused(Error::NotMapped { addr: va, size }),
        };
        let answer = self.table.query(va);
        let got = answer.map_or_else(refused, |page| Answer::Page(Page(page)));
        self.call("query", format!("query {va:#x}"), va, [expected, got]);
    }

    /// Pays what is owed. `tables` is how many tables have to be given back with it.
    pub fn pay(&mut self, owed: Owed<'m>, tables: usize) {
        let Some(owed) = owed else { return };
        let (va, before) = (Hex(owed.stale.va), self.frames_held());
        owed.pay();
        let frames_held = self.frames_held();
        let given = before.saturating_sub(frames_held);
        self.steps.push(Step::Flush(Paid {
            va,
            expected_tables: tables,
            tables: given,
            frames_held,
            ok: given == tables,
            quiet: false,
        }));
    }

    /// Makes an access, of which one of `expected` has to come.
    ///
    /// # Errors
    /// The machine can't make it.
    pub fn access(
        &mut self,
        access: Access,
        expected: &[Outcome],
        note: Option<&'static str>,
    ) -> Result<(), MachineError> {
        let outcomes = self.machine.access(0, &[access])?;
        let Some(&got) = outcomes.first() else {
            return Err(MachineError::UnexpectedExit {
                exit: "no outcome".to_owned(),
            });
        };
        if got.is_performed() {
            // The processor has marked the page
            let stored = got == Outcome::Stored;
            self.expected.mark(access.va, true, stored);
        }
        let made = Made::new(&access, self.scene.region_at(access.va), expected, got);
        self.steps.push(Step::Access(Made { note, ..made }));
        Ok(())
    }

    /// The tree of tables, as the words have it.
    pub fn read_tables(&self) -> (Table, Vec<String>) {
        tree::read(self.memory(), self.table.root(), self.scene.regime)
    }

    /// Shows the tables, and checks that they are those that are held.
    pub fn show_tables(&mut self) {
        let (root, problems) = self.read_tables();
        let tables = root.tables();
        let ok = problems.is_empty();
        self.steps.push(Step::Tables(Tables { root, problems, ok }));
        let held = self.frames_held();
        self.check(
            "table frames held, all of which the root leads to",
            tables,
            held,
        );
    }

    /// Shows the address space, and checks that it is what was asked for.
    pub fn show_space(&mut self) {
        let (root, _) = self.read_tables();
        let pages = root.pages();
        let same = |(va, page): &(u64, Mapping)| {
            let expected = self.expected.covering(*va);
            let expected = expected.map(|(_, page)| Answer::Page(Page(page)));
            let answer = self.table.query(*va);
            expected.is_some_and(|expected| expected.allows(&Answer::Page(Page(*page))))
                && answer == Ok(*page)
        };
        let ok = pages.len() == self.expected.len() && pages.iter().all(same);
        let mut runs: Vec<(Run, (u64, Mapping))> = Vec::new();
        for (va, page) in pages {
            let end = Hex(va.saturating_add(page.size.bytes() - 1));
            match runs.last_mut() {
                Some((run, last)) if tree::follows(*last, (va, page)) => {
                    (run.end, run.pages, *last) = (end, run.pages + 1, (va, page));
                }
                _ => {
                    let (first, region) = (Page(page), self.scene.region_at(va));
                    let run = Run {
                        start: Hex(va),
                        end,
                        pages: 1,
                        first,
                        region,
                    };
                    runs.push((run, (va, page)));
                }
            }
        }
        let runs = runs.into_iter().map(|(run, _)| run).collect();
        let ranges = self.scene.regime.ranges();
        self.steps.push(Step::Space(Space { ranges, runs, ok }));
    }

    /// The word at a physical address has to be this.
    pub fn check_word(&mut self, frame: u64, expected: u64) {
        let got = self.memory().load(PhysAddr::new(frame));
        let what = format!("the word at physical address {frame:#x}");
        self.check(what, Hex(expected), Hex(got));
    }
}

/// What is owed after a change.
type Owed<'m> = Option<any::Owed<'m>>;

fn done(answer: Result<(), Error>) -> Answer {
    answer.map_or_else(refused, |()| Answer::Done)
}

fn refused(error: Error) -> Answer {
    Answer::Error(Refusal(error))
}

fn split<'m>(answer: Result<(Mapping, any::Owed<'m>), Error>) -> (Answer, Owed<'m>) {
    match answer {
        Ok((page, owed)) => (Answer::Page(Page(page)), Some(owed)),
        Err(error) => (refused(error), None),
    }
}
