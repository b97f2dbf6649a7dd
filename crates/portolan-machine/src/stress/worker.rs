//! One processor: what it does next.

use super::history::{Grant, History, State};
use super::report::{Mismatch, Tally};
use super::round::{Shared, StressKernel, Subject, refused};
use super::{Host, Mode};
use crate::processors::OnCpu;
use crate::rng::Rng;
use portolan::hw::AtomicMode;
use portolan::space::{Cpu, VmSpace};
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError};
use std::time::Instant;

/// A processor, the address space that it uses, and where its choices come from.
pub(super) struct Worker<'r, 'k, A: Mode, M: Host> {
    pub(super) shared: &'r Shared<'k, A, M>,
    pub(super) guard: &'r OnCpu<'r>,
    pub(super) number: usize,
    cpu: Cpu<'r, 'k, StressKernel<A, M>, &'r VmSpace<'k, StressKernel<A, M>>>,
    pub(super) active: Option<&'r Subject<'k, A, M>>,
    pub(super) rng: Rng,
    pub(super) tally: &'r mut Tally,
}

impl<'r, 'k, A: Mode, M: Host> Worker<'r, 'k, A, M> {
    /// The processor that `guard` is for. It uses the kernel's own table.
    pub(super) fn new(
        shared: &'r Shared<'k, A, M>,
        guard: &'r OnCpu<'r>,
        rng: Rng,
        tally: &'r mut Tally,
    ) -> Result<Self, Mismatch> {
        // SAFETY: the round has loaded a table with nothing for user space, and lets each processor do its part once
        let cpu = unsafe { Cpu::new(shared.machine, guard) };
        Ok(Worker {
            shared,
            guard,
            number: guard.cpu(),
            cpu: cpu.map_err(|error| refused("new processor", error))?,
            active: None,
            rng,
            tally,
        })
    }

    /// So many operations, unless there is no more time, or another processor has found a mismatch.
    pub(super) fn work(
        &mut self,
        operations: u64,
        deadline: Option<Instant>,
    ) -> Result<(), Mismatch> {
        for _ in 0..operations {
            let is_over = deadline.is_some_and(|end| Instant::now() >= end);
            if is_over || self.shared.stop.load(Ordering::SeqCst) {
                break;
            }
            self.poll();
            match self.rng.below(100) {
                0..46 => self.probe(4)?,
                46..56 => self.activate()?,
                56..58 => self.leave()?,
                58..64 => {
                    let subject = self.any();
                    self.look(subject)?;
                }
                64..98 => {
                    let subject = self.any();
                    self.change(subject)?;
                }
                98 => {
                    let subject = self.any();
                    self.clear(subject)?;
                }
                _ => {
                    let subject = self.any();
                    self.fork(subject)?;
                }
            }
        }
        Ok(())
    }

    /// Takes an interrupt if one waits.
    pub(super) fn poll(&self) {
        let machine = self.shared.machine;
        if machine.cpus().is_notified(self.guard) {
            machine.shootdown().handle(self.guard, machine.cpus());
        }
    }

    /// One of the address spaces.
    fn any(&mut self) -> &'r Subject<'k, A, M> {
        let there: Vec<_> = self
            .shared
            .spaces
            .iter()
            .filter_map(|space| space.get())
            .collect();
        self.rng.pick(&there)
    }

    /// Uses one of the address spaces from now on.
    fn activate(&mut self) -> Result<(), Mismatch> {
        let subject = self.any();
        let activated = self.cpu.activate(self.guard, &subject.space);
        activated.map_err(|error| refused("activate", error))?;
        self.active = Some(subject);
        self.tally.operation("activate", "done");
        self.probe(2)
    }

    /// Uses none from now on.
    pub(super) fn leave(&mut self) -> Result<(), Mismatch> {
        let left = self.cpu.deactivate(self.guard);
        left.map_err(|error| refused("deactivate", error))?;
        self.active = None;
        self.tally.operation("deactivate", "done");
        Ok(())
    }

    /// Unmaps all that an address space maps, if nobody is at it.
    fn clear(&mut self, subject: &'r Subject<'k, A, M>) -> Result<(), Mismatch> {
        let Some(_gate) = alone(&subject.gate) else {
            self.tally.operation("clear", "others were there");
            return Ok(());
        };
        for place in &subject.places {
            if place.now() != State::Absent {
                place.issue(State::Absent);
            }
        }
        let cleared = subject.space.clear(self.guard);
        cleared.map_err(|error| refused("clear", error))?;
        settle(&subject.places);
        self.tally.operation("clear", "done");
        Ok(())
    }

    /// Forks an address space, if nobody is at it. The other one becomes one of all, or is looked at and dropped.
    fn fork(&mut self, subject: &'r Subject<'k, A, M>) -> Result<(), Mismatch> {
        let Some(gate) = alone(&subject.gate) else {
            self.tally.operation("fork", "others were there");
            return Ok(());
        };
        let table = self.shared.table()?;
        for place in &subject.places {
            if let State::Page {
                tag,
                grant: Grant::Write,
                small,
            } = place.now()
            {
                place.issue(State::Page {
                    tag,
                    grant: Grant::Read,
                    small,
                });
            }
        }
        let forked = subject.space.fork(self.guard, table);
        let space = forked.map_err(|error| refused("fork", error))?;
        settle(&subject.places);
        let places = subject
            .places
            .iter()
            .map(|place| History::new(place.now()))
            .collect();
        drop(gate);
        self.tally.operation("fork", "done");
        let spaces = &self.shared.spaces;
        let number = if self.rng.one_in(2) {
            self.shared.claimed.fetch_add(1, Ordering::SeqCst)
        } else {
            spaces.len()
        };
        let other = Subject {
            number,
            space,
            places,
            gate: RwLock::default(),
        };
        match spaces.get(number) {
            Some(slot) => {
                let _ = slot.set(other);
                Ok(())
            }
            None => {
                for window in self.shared.layout.windows.clone() {
                    self.look_at(&other, window)?;
                }
                drop(other);
                self.tally.operation("drop", "done");
                Ok(())
            }
        }
    }

    /// Lets a cursor look at a part of an address space.
    fn look(&mut self, subject: &'r Subject<'k, A, M>) -> Result<(), Mismatch> {
        let _gate = self.among_others(&subject.gate);
        let part = self.part();
        self.look_at(subject, part)
    }

    fn look_at(&mut self, subject: &Subject<'k, A, M>, part: Range<usize>) -> Result<(), Mismatch> {
        let range = self.range(&part)?;
        let cursor = subject.space.cursor(self.guard, &range);
        let mut cursor = cursor.map_err(|error| refused("cursor", error))?;
        for place in part {
            let jumped = cursor.jump(self.address(place)?);
            jumped.map_err(|error| refused("jump", error))?;
            let slot = cursor.query().map_err(|error| refused("query", error))?;
            self.check(subject, place, &slot)?;
        }
        self.tally.operation("look", "done");
        Ok(())
    }

    /// Waits, answering others, until nobody needs the whole address space for himself.
    pub(super) fn among_others(&self, gate: &'r RwLock<()>) -> RwLockReadGuard<'r, ()> {
        loop {
            match gate.try_read() {
                Ok(gate) => return gate,
                Err(TryLockError::Poisoned(gate)) => return gate.into_inner(),
                Err(TryLockError::WouldBlock) => {
                    self.poll();
                    std::thread::yield_now();
                }
            }
        }
    }
}

/// All processors have been told of all that was asked for.
fn settle(places: &[History]) {
    places.iter().for_each(|place| place.settle(place.last()));
}

/// The whole address space for oneself, if nobody is there.
fn alone(gate: &RwLock<()>) -> Option<RwLockWriteGuard<'_, ()>> {
    match gate.try_write() {
        Ok(gate) => Some(gate),
        Err(TryLockError::Poisoned(gate)) => Some(PoisonError::into_inner(gate)),
        Err(TryLockError::WouldBlock) => None,
    }
}
