//! A kernel half that user tables share.

use super::super::Plan;
use super::super::generate::Source;
use super::super::model::{Answer, Model, Op};
use super::super::probe::{outcome, prepare};
use super::super::report::{Counts, Failure, Mismatch};
use super::super::shape::level_of;
use super::super::views::{compare_runs, compare_tables};
use crate::access::{Access, Kind, Outcome, Privilege};
use crate::any::{AnyMemory, AnyTable, Owed, Typed};
use crate::isa::Isa;
use crate::machine::Machine;
use crate::rng::mix;
use portolan::arch::halves::Halves;
use portolan::{Error, Invalidate, KernelHalf, PageProperty, PageSize, PhysAddr, Preset, UserHalf};
use std::collections::HashMap;
use std::slice::from_ref;

/// How many users there are.
const USERS: usize = 2;

/// One half: the table and what it should be.
struct Side<'t, 'm> {
    table: &'t mut (dyn AnyTable<'m> + 't),
    model: Model,
}

/// A kernel half, the users that share it, and what they are tested on.
struct Shared<'t, 'm> {
    machine: &'m dyn Machine,
    counts: &'t mut Counts,
    plan: &'t Plan,
    part: &'t str,
    users: Vec<Side<'t, 'm>>,
    kernel: Side<'t, 'm>,
    words: HashMap<u64, u64>,
    history: Vec<Op>,
    stores: u32,
}

/// Changes of either half, and accesses in both through each user's root.
pub(in super::super) fn run<A, K>(
    machine: &K,
    plan: &Plan,
    counts: &mut Counts,
) -> Result<(), Failure>
where
    A: Halves,
    K: Machine + Invalidate<UserHalf<A>> + Invalidate<KernelHalf<A>>,
{
    let before = machine.memory().frames_held();
    let part = format!("halves, seed {:#x}", mix(plan.seed));
    let failure = |what| Failure {
        part: part.clone(),
        history: Vec::new(),
        what: Box::new(what),
    };
    let refused = |error| failure(Mismatch::NoTable(error));
    let memory = AnyMemory::new(machine.memory().clone());
    let mut kernel =
        Typed::<KernelHalf<A>, Preset>::new(memory.clone(), machine).map_err(refused)?;
    let user = |_| Typed::<UserHalf<A>, Preset>::sharing(memory.clone(), machine, &kernel);
    let users: Result<Vec<_>, _> = (0..USERS).map(user).collect();
    let mut users = users.map_err(refused)?;
    let each = users.iter_mut().map(|user| user as &mut dyn AnyTable<'_>);
    let done = Shared::new(machine, &mut kernel, each.collect(), plan, &part, counts).run();
    drop(users);
    // SAFETY: no processor uses a table any more, and all that shared this one are gone
    unsafe { kernel.table.destroy() };
    done?;
    let (expected, got) = (before, machine.memory().frames_held());
    if got != expected && plan.pay {
        return Err(failure(Mismatch::Frames { expected, got }));
    }
    Ok(())
}

impl<'t, 'm> Shared<'t, 'm> {
    fn new(
        machine: &'m dyn Machine,
        kernel: &'t mut dyn AnyTable<'m>,
        users: Vec<&'t mut dyn AnyTable<'m>>,
        plan: &'t Plan,
        part: &'t str,
        counts: &'t mut Counts,
    ) -> Self {
        let model = Model::new(machine.regime(), machine.memory().phys_bits(), false);
        let side = |table| Side {
            table,
            model: model.clone(),
        };
        Shared {
            machine,
            counts,
            plan,
            part,
            users: users.into_iter().map(side).collect(),
            kernel: side(kernel),
            words: HashMap::new(),
            history: Vec::new(),
            stores: 0,
        }
    }

    /// All of it. No processor uses a table any more then.
    fn run(&mut self) -> Result<(), Failure> {
        let done = self.change();
        self.unload();
        done
    }

    fn change(&mut self) -> Result<(), Failure> {
        let mut source = Source::new(mix(self.plan.seed), self.machine);
        let regime = self.machine.regime();
        let mut sizes = source.sizes();
        // An entry of the root is never a page
        sizes.retain(|size| level_of(regime, *size) != Some(regime.levels()));
        for step in 0..self.plan.steps as usize {
            // Which user runs where
            if step % 4 == 0 {
                self.load(step / 4)?;
            }
            let upper = source.rng.one_in(2);
            let user = source.rng.below(USERS as u64) as usize;
            let op = self.op(&mut source, &sizes, upper, user);
            self.history.push(op);
            if upper {
                let got = self.kernel.apply(self.counts, self.plan.pay, &op);
                self.settle(op, got)?;
            } else {
                let got = self.users[user].apply(self.counts, self.plan.pay, &op);
                self.settle(op, got)?;
                if step % 4 == 0 {
                    self.read_back(&self.users[user], false)?;
                }
            }
            let (first, last) = (op.va(), op.va() + (op.bytes() - 8));
            let mut addresses = vec![first, last];
            addresses.extend(self.kernel.some_page(&mut source));
            addresses.extend(self.users[user].some_page(&mut source));
            (0..self.machine.cpus()).try_for_each(|cpu| self.probe(cpu, step / 4, &addresses))?;
        }
        self.read_back(&self.kernel, true)
    }

    /// Compares the runs and the tables of one half with what the model says.
    fn read_back(&self, side: &Side<'_, '_>, upper: bool) -> Result<(), Failure> {
        // No processor walks from the root of the upper half, but all users' roots lead to the tables below it
        let root = match upper {
            true => self.users[0].table.root(),
            false => side.table.root(),
        };
        side.read_back(self.machine, upper, root)
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
            part: self.part.to_owned(),
            history: self.history.clone(),
            what: Box::new(what),
        })
    }

    /// Loads the users' roots, each on other processors than before.
    fn load(&self, turn: usize) -> Result<(), Failure> {
        for cpu in 0..self.machine.cpus() {
            let root = self.users[(cpu + turn) % USERS].table.root();
            if let Err(error) = self.machine.set_root(cpu, Some(root)) {
                return self.fail(Mismatch::Machine(error));
            }
        }
        Ok(())
    }

    fn unload(&self) {
        for cpu in 0..self.machine.cpus() {
            // A machine that fails here fails again in whatever is asked of it next
            let unloaded = self.machine.set_root(cpu, None);
            unloaded
                .and_then(|()| self.machine.invalidate_all(cpu))
                .ok();
        }
    }

    /// Makes accesses of every kind on a processor, through the root of the user that runs there.
    fn probe(&mut self, cpu: usize, turn: usize, addresses: &[u64]) -> Result<(), Failure> {
        let machine = self.machine;
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
            self.counts.access(&access, &got);
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

impl<'m> Side<'_, 'm> {
    /// Changes the table and the model, and pays the flush.
    fn apply(&mut self, counts: &mut Counts, pay: bool, op: &Op) -> Compared {
        let expected = self.model.apply(op);
        let got = self.perform(op);
        counts.operation(op, &got);
        let got = got.map(|(answer, owed)| {
            if let Some(owed) = owed.filter(|_| pay) {
                owed.pay();
            }
            answer
        });
        (expected, got)
    }

    fn perform(&mut self, op: &Op) -> Result<(Answer, Option<Owed<'m>>), Error> {
        let (table, va) = (&mut *self.table, op.va());
        let page = |(page, owed)| (Answer::Page(page), Some(owed));
        match *op {
            Op::Map {
                frame, size, prop, ..
            } => {
                table.map(va, PhysAddr::new(frame), size, prop)?;
                Ok((Answer::Done, None))
            }
            Op::Unmap { size, .. } => table.unmap(va, size).map(page),
            Op::Protect { size, prop, .. } => table.protect(va, size, prop).map(page),
            _ => table.query(va).map(|page| (Answer::Page(page), None)),
        }
    }

    /// Compares the runs, and the tables below `root`, with what the model says. In the upper half, those directly below
    /// the root stay.
    fn read_back(
        &self,
        machine: &dyn Machine,
        upper: bool,
        root: PhysAddr,
    ) -> Result<(), Box<Mismatch>> {
        let (regime, ranges) = (machine.regime(), machine.regime().ranges());
        let half = &ranges[usize::from(upper)];
        let (va, bytes) = (*half.start(), half.end() - half.start() + 1);
        let runs = self.table.runs(va, bytes).map_err(|error| {
            Box::new(Mismatch::Answer {
                op: Op::Query { va },
                expected: Ok(Answer::Done),
                got: Err(error),
            })
        })?;
        compare_runs(&self.model, (va, bytes), runs)?;
        let expected = self.model.tables_for(from_ref(half), upper);
        let (skipped, memory) = (usize::from(upper), machine.memory());
        let tables = self.table.tables().into_iter().skip(skipped);
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
