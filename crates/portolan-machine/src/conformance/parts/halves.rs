//! A kernel half that user tables share.

use super::super::generate::Source;
use super::super::model::{Answer, Model, Op};
use super::super::probe::{outcome, prepare};
use super::super::report::{Failure, Mismatch};
use super::super::shape::level_of;
use super::super::subject::Bench;
use super::super::views::{compare_runs, compare_tables};
use crate::access::{Access, Kind, Outcome, Privilege};
use crate::isa::Isa;
use crate::machine::Machine;
use portolan::arch::halves::Halves;
use portolan::{
    Error, Flush, Invalidate, KernelHalf, PageProperty, PageSize, PageTable, PagingMode, PhysAddr,
    TableMemory, UserHalf, VirtAddr, VirtRange,
};
use std::collections::HashMap;
use std::slice::from_ref;

/// How many users there are.
const USERS: usize = 2;

/// One half: the table and what it should be.
struct Side<M: TableMemory, A: PagingMode> {
    table: PageTable<M, A>,
    model: Model,
}

/// A kernel half, the users that share it, and what they are tested on.
struct Shared<'b, 'm, K, M: TableMemory, A: Halves> {
    bench: &'b mut Bench<'m, K, M>,
    part: String,
    users: Vec<Side<M, UserHalf<A>>>,
    kernel: Side<M, KernelHalf<A>>,
    words: HashMap<u64, u64>,
    history: Vec<Op>,
    stores: u32,
}

impl<K: Machine, M: TableMemory> Bench<'_, K, M> {
    /// Changes of either half, and accesses in both through each user's root.
    pub(in super::super) fn halves<A: Halves>(
        &mut self,
        seed: u64,
        steps: u32,
    ) -> Result<(), Failure>
    where
        K: Invalidate<UserHalf<A>> + Invalidate<KernelHalf<A>>,
    {
        let before = self.machine.memory().frames_held();
        let part = format!("halves, seed {seed:#x}");
        let failure = |what| Failure {
            part: part.clone(),
            history: Vec::new(),
            what: Box::new(what),
        };
        let (regime, memory) = (self.machine.regime(), self.machine.memory());
        let model = Model::new(regime, memory.phys_bits(), false);
        let refused = |error| failure(Mismatch::NoTable(error));
        let kernel = Side {
            table: PageTable::new(self.memory.clone()).map_err(refused)?,
            model: model.clone(),
        };
        let user = |_| {
            let table = PageTable::sharing(self.memory.clone(), &kernel.table)?;
            let model = model.clone();
            Ok(Side { table, model })
        };
        let users: Result<Vec<_>, _> = (0..USERS).map(user).collect();
        let mut shared = Shared {
            users: users.map_err(refused)?,
            bench: self,
            part: part.clone(),
            kernel,
            words: HashMap::new(),
            history: Vec::new(),
            stores: 0,
        };
        let done = shared.run(seed, steps);
        shared.unload();
        let Shared { users, kernel, .. } = shared;
        drop(users);
        // SAFETY: no processor uses a table any more, and all that shared this one are gone
        unsafe { kernel.table.destroy() };
        done?;
        let got = self.machine.memory().frames_held();
        let expected = before;
        if got != expected && self.pay {
            return Err(failure(Mismatch::Frames { expected, got }));
        }
        Ok(())
    }
}

impl<K, M, A> Shared<'_, '_, K, M, A>
where
    K: Machine + Invalidate<UserHalf<A>> + Invalidate<KernelHalf<A>>,
    M: TableMemory,
    A: Halves,
{
    fn run(&mut self, seed: u64, steps: u32) -> Result<(), Failure> {
        let mut source = self.bench.source(seed);
        let regime = self.bench.machine.regime();
        let mut sizes = source.sizes();
        // An entry of the root is never a page
        sizes.retain(|size| level_of(regime, *size) != Some(regime.levels()));
        for step in 0..steps as usize {
            // Which user runs where
            if step % 4 == 0 {
                self.load(step / 4)?;
            }
            let upper = source.rng.one_in(2);
            let user = source.rng.below(USERS as u64) as usize;
            let op = self.op(&mut source, &sizes, upper, user);
            self.history.push(op);
            if upper {
                let got = self.kernel.apply(self.bench, &op);
                self.settle(op, got)?;
            } else {
                let got = self.users[user].apply(self.bench, &op);
                self.settle(op, got)?;
                if step % 4 == 0 {
                    self.read_back(&self.users[user], false)?;
                }
            }
            let (first, last) = (op.va(), op.va() + (op.bytes() - 8));
            let mut addresses = vec![first, last];
            addresses.extend(self.kernel.some_page(&mut source));
            addresses.extend(self.users[user].some_page(&mut source));
            (0..self.bench.machine.cpus())
                .try_for_each(|cpu| self.probe(cpu, step / 4, &addresses))?;
        }
        self.read_back(&self.kernel, true)
    }

    /// Compares the runs and the tables of one half with what the model says.
    fn read_back<H: PagingMode>(&self, side: &Side<M, H>, upper: bool) -> Result<(), Failure> {
        // No processor walks from the root of the upper half, but all users' roots lead to the tables below it
        let root = match upper {
            true => self.users[0].table.root(),
            false => side.table.root(),
        };
        side.read_back(self.bench.machine, upper, root)
            .or_else(|what| self.fail(*what))
    }

    /// The next change of one of the tables.
    fn op(&self, source: &mut Source, sizes: &[PageSize], upper: bool, user: usize) -> Op {
        let model = match upper {
            true => &self.kernel.model,
            false => &self.users[user].model,
        };
        let pages = model.len() as u64;
        if pages > 0 && source.rng.one_in(2) {
            let nth = source.rng.below(pages) as usize;
            if let Some((va, page)) = model.pages().nth(nth) {
                let size = page.size;
                let prop = own(source.prop(), upper);
                return match source.rng.one_in(2) {
                    true => Op::Unmap { va, size },
                    false => Op::Protect { va, size, prop },
                };
            }
        }
        let size = source.rng.pick(sizes);
        let va = loop {
            let va = source.va(size);
            if (va >> 63 == 1) == upper {
                break va;
            }
        };
        Op::Map {
            va,
            frame: source.frame(size),
            size,
            prop: own(source.prop(), upper),
        }
    }

    /// Compares an answer.
    fn settle(&self, op: Op, got: Compared) -> Result<(), Failure> {
        let (expected, got) = got;
        if expected == got {
            return Ok(());
        }
        self.fail(Mismatch::Answer { op, expected, got })
    }

    fn fail<T>(&self, what: Mismatch) -> Result<T, Failure> {
        Err(Failure {
            part: self.part.clone(),
            history: self.history.clone(),
            what: Box::new(what),
        })
    }

    /// Loads the users' roots, each on other processors than before.
    fn load(&self, turn: usize) -> Result<(), Failure> {
        for cpu in 0..self.bench.machine.cpus() {
            let root = self.users[(cpu + turn) % USERS].table.root();
            if let Err(error) = self.bench.machine.set_root(cpu, Some(root)) {
                return self.fail(Mismatch::Machine(error));
            }
        }
        Ok(())
    }

    fn unload(&self) {
        for cpu in 0..self.bench.machine.cpus() {
            // A machine that fails here fails again in whatever is asked of it next
            let unloaded = self.bench.machine.set_root(cpu, None);
            unloaded
                .and_then(|()| self.bench.machine.invalidate_all(cpu))
                .ok();
        }
    }

    /// Makes accesses of every kind on a processor, through the root of the user that runs there.
    fn probe(&mut self, cpu: usize, turn: usize, addresses: &[u64]) -> Result<(), Failure> {
        let machine = self.bench.machine;
        let isa = Isa::of(machine.regime());
        let user = &self.users[(cpu + turn) % USERS].model;
        let (mut accesses, mut expected) = (Vec::new(), Vec::new());
        for va in addresses.iter().copied() {
            let model = if va >> 63 == 1 {
                &self.kernel.model
            } else {
                user
            };
            prepare(machine, model, &mut self.words, va);
            for kind in Kind::ALL {
                for privilege in Privilege::ALL {
                    self.stores += 1;
                    let access = Access {
                        va,
                        kind,
                        privilege,
                        value: isa.code_word(self.stores),
                    };
                    let outcome = outcome(machine, model, &self.words, &access);
                    if let (Outcome::Stored, Some(addr)) = (outcome, model.target(va)) {
                        self.words.insert(addr, access.value);
                    }
                    accesses.push(access);
                    expected.push(outcome);
                }
            }
        }
        let got = match machine.access(cpu, &accesses) {
            Ok(got) => got,
            Err(error) => return self.fail(Mismatch::Machine(error)),
        };
        for ((access, expected), got) in accesses.into_iter().zip(expected).zip(got) {
            self.bench.counts.access(&access, &got);
            if expected != got {
                let expected = vec![expected];
                return self.fail(Mismatch::Access {
                    cpu,
                    access,
                    expected,
                    got,
                });
            }
        }
        Ok(())
    }
}

/// The model's answer and the table's.
type Compared = (Result<Answer, Error>, Result<Answer, Error>);

impl<M: TableMemory, A: PagingMode> Side<M, A> {
    /// Changes the table and the model, and pays the flush.
    fn apply<K: Machine + Invalidate<A>>(
        &mut self,
        bench: &mut Bench<'_, K, M>,
        op: &Op,
    ) -> Compared {
        let expected = self.model.apply(op);
        let got = self.perform(op);
        bench.counts.operation(op, &got);
        let got = got.map(|(answer, flush)| {
            if let Some(flush) = flush.filter(|_| bench.pay) {
                flush.pay(bench.machine);
            }
            answer
        });
        (expected, got)
    }

    fn perform(&mut self, op: &Op) -> Result<(Answer, Option<Flush<M, A>>), Error> {
        let va = VirtAddr::new(op.va())?;
        let page = |(page, flush)| (Answer::Page(page), Some(flush));
        match *op {
            Op::Map {
                frame, size, prop, ..
            } => {
                self.table.map(va, PhysAddr::new(frame), size, prop)?;
                Ok((Answer::Done, None))
            }
            Op::Unmap { size, .. } => self.table.unmap(va, size).map(page),
            Op::Protect { size, prop, .. } => self.table.protect(va, size, prop).map(page),
            _ => self.table.query(va).map(|page| (Answer::Page(page), None)),
        }
    }

    /// Compares the runs, and the tables below `root`, with what the model says. In the upper half, those directly below
    /// the root stay.
    fn read_back(
        &self,
        machine: &impl Machine,
        upper: bool,
        root: PhysAddr,
    ) -> Result<(), Box<Mismatch>> {
        let (regime, ranges) = (machine.regime(), machine.regime().ranges());
        let half = &ranges[usize::from(upper)];
        let (va, bytes) = (*half.start(), half.end() - half.start() + 1);
        let pages = VirtAddr::new(va).and_then(|va| VirtRange::new(va, bytes));
        let pages = pages.and_then(|range| self.table.mappings(range));
        let pages = pages.map_err(|error| {
            Box::new(Mismatch::Answer {
                op: Op::Query { va },
                expected: Ok(Answer::Done),
                got: Err(error),
            })
        })?;
        compare_runs(&self.model, (va, bytes), pages.runs())?;
        let expected = self.model.tables_for(from_ref(half), upper);
        let (skipped, memory) = (usize::from(upper), machine.memory());
        let tables = self.table.tables().skip(skipped);
        compare_tables(&expected[skipped..], regime, memory, root, tables).map(drop)
    }

    /// Where one of the pages is, if there is one.
    fn some_page(&self, source: &mut Source) -> Option<u64> {
        let nth = source.rng.below(self.model.len().max(1) as u64) as usize;
        self.model.pages().nth(nth).map(|(va, _)| va)
    }
}

/// A property for one half: only what all users have can be global.
fn own(prop: PageProperty, upper: bool) -> PageProperty {
    PageProperty {
        global: prop.global && upper,
        ..prop
    }
}
