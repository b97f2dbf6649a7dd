//! What hardware does beside the page table: it marks pages as used, and uses them while an operation is under way.

use super::super::model::{Answer, Model, Op};
use super::super::perform::Bits;
use super::super::report::{Failure, Mismatch};
use super::super::shape::resizes;
use super::super::subject::{Bench, Subject};
use crate::access::{Access, Kind, Outcome, Privilege};
use crate::fault::Refusal;
use crate::isa::Isa;
use portolan::{PageProperty, PageSize};

impl Bench<'_> {
    /// The sizes of pages that can be used.
    fn used_sizes(&self) -> Vec<PageSize> {
        let mut sizes = self.source(0).sizes();
        sizes.retain(|size| self.machine.supports(*size));
        sizes
    }

    /// The next smaller size of pages.
    fn part_of(&self, size: PageSize) -> Option<PageSize> {
        let mut sizes = self.source(0).sizes().into_iter();
        sizes.rfind(|part| *part < size)
    }

    /// What hardware does to accessed and dirty bits is reported, and survives a change of the flags.
    pub(in super::super) fn marks(&mut self) -> Result<(), Failure> {
        let isa = Isa::of(self.machine.regime());
        for size in self.used_sizes() {
            let mut source = self.source(size.bytes());
            let protected = PageProperty::USER_RX;
            let prop = PageProperty {
                write: true,
                ..protected
            };
            for kind in Kind::ALL {
                let (va, frame) = (source.va(size), source.frame(size));
                let mut subject = Subject::new(
                    self,
                    Bits::Tracking,
                    format!("marks, pages of {size}, {kind:?}"),
                )?;
                subject.must(Op::Map {
                    va,
                    frame,
                    size,
                    prop,
                })?;
                subject.must(Op::Query { va })?;
                subject.access_once(&Access {
                    va,
                    kind,
                    privilege: Privilege::User,
                    value: isa.code_word(1),
                })?;
                // From here on `apply` compares with the bits that the access has to set
                subject.must(Op::Query { va })?;
                subject.must(Op::Protect {
                    va,
                    size,
                    prop: protected,
                })?;
                subject.must(Op::Query { va })?;
                subject.probe_at(0, &[va])?;
                subject.must(Op::Protect { va, size, prop })?;
                subject.must(Op::Unmap { va, size })?;
                subject.finish()?;
            }
        }
        Ok(())
    }

    /// Stores to the page come between the steps of an operation on it: their dirty bit is never lost.
    pub(in super::super) fn races(&mut self) -> Result<(), Failure> {
        let (hook, regime) = (self.hook.clone(), self.machine.regime());
        let (isa, marks) = (Isa::of(regime), regime.marks());
        for size in self.used_sizes() {
            let mut source = self.source(size.bytes());
            let va = source.va(size);
            let ops = self.raced(va, source.frame(size), size);
            for (before, op) in ops {
                let part = format!("stores during {}, pages of {size}", op.name());
                let mut subject = Subject::new(self, Bits::Tracking, part)?;
                subject.must(before)?;
                hook.arm(
                    0,
                    vec![Access::store(va, Privilege::User, isa.code_word(1))],
                );
                let answer = subject.apply_racing(op)?;
                let stored = match hook.disarm() {
                    Ok(seen) => seen.iter().any(|(_, outcome)| *outcome == Outcome::Stored),
                    Err(error) => return subject.fail(Mismatch::Machine(error)),
                };
                let lost = matches!(answer, Answer::Page(page) if !page.prop.dirty);
                if stored && lost && marks {
                    return subject.fail(Mismatch::LostDirty { op, got: answer });
                }
                // The rest compares: what is still there has to be dirty still, in every part
                let parts: Vec<_> = subject.model.starting_in(va, size.bytes()).collect();
                for (part, _) in parts {
                    let marked = stored && (part == va || matches!(op, Op::Split { .. }));
                    subject.model.mark(part, marked, marked);
                }
                subject.apply(Op::Query { va })?.ok();
                subject.finish()?;
            }
        }
        Ok(())
    }

    /// What can be done with a page of `size` at `va` while it is stored to, each with what maps it.
    fn raced(&self, va: u64, frame: u64, size: PageSize) -> Vec<(Op, Op)> {
        let (prop, bytes) = (PageProperty::USER_RW, size.bytes());
        let by = |largest| Op::MapRange {
            va,
            bytes,
            frame,
            largest,
            prop,
        };
        let prop = PageProperty::USER_RO;
        let mut ops = vec![
            (by(size), Op::Protect { va, size, prop }),
            (by(size), Op::Unmap { va, size }),
            (by(size), Op::ProtectRange { va, bytes, prop }),
        ];
        let part = self.part_of(size);
        if let Some(part) = part.filter(|_| resizes(self.machine.regime())) {
            ops.push((by(size), Op::Split { va, size }));
            ops.push((by(part), Op::Collapse { va, size }));
        }
        ops
    }

    /// Between any two stores of an operation, every access has its old outcome or its new one.
    pub(in super::super) fn between(&mut self, seed: u64, steps: u32) -> Result<(), Failure> {
        let mut source = self.source(seed);
        let hook = self.hook.clone();
        let part = format!("accesses between stores, seed {seed:#x}");
        let mut subject = Subject::new(self, Bits::Preset, part)?;
        for _ in 0..steps {
            let op = source.op(&subject.model, 6);
            if matches!(op, Op::Remake { .. }) {
                // Accesses meet the hole
                continue;
            }
            let old = subject.model.clone();
            let mut new = old.clone();
            if new.apply(&op).is_err() || op.bytes() == 0 {
                continue;
            }
            let cpu = source.rng.below(subject.bench.machine.cpus() as u64) as usize;
            let accesses = subject.loads_around(op, &old, &new);
            hook.arm(cpu, accesses);
            let words = subject.words.clone();
            subject.must(op)?;
            let seen = match hook.disarm() {
                Ok(seen) => seen,
                Err(error) => return subject.fail(Mismatch::Machine(error)),
            };
            // What a copied table is probed by comes after all of these
            let words = std::mem::replace(&mut subject.words, words);
            for (access, got) in seen {
                subject.bench.counts.access(&access, &got);
                let expected = subject.between(&old, &new, &access);
                if !expected.contains(&got) {
                    return subject.fail(Mismatch::Access {
                        cpu,
                        access,
                        expected,
                        got,
                    });
                }
            }
            subject.words = words;
        }
        subject.probe(0, &[])?;
        subject.finish()
    }
}

impl Subject<'_, '_> {
    /// What may come of an access while the table goes from `old` to `new`: what comes of it in either.
    ///
    /// A processor that has cached the way to a table may still walk it after it was unlinked, and finds nothing there, so
    /// where a fault tells the level, it may be any between.
    fn between(&self, old: &Model, new: &Model, access: &Access) -> Vec<Outcome> {
        let regime = self.bench.machine.regime();
        let mut outcomes = [old, new]
            .map(|model| self.outcome_in(model, access))
            .to_vec();
        let nothing = |model: &Model| model.covering(access.va).is_none();
        if regime.canonical(access.va) && (nothing(old) || nothing(new)) {
            let ends = [old, new].map(|model| model.end_of_walk(access.va));
            let levels = ends[0].min(ends[1])..=ends[0].max(ends[1]);
            let absent = |level| Outcome::Fault(Refusal::Absent { level }.fault(regime, access));
            outcomes.extend(levels.map(absent));
        }
        outcomes
    }

    /// Loads and fetches in both modes around what `op` is about and beside it.
    fn loads_around(&mut self, op: Op, old: &Model, new: &Model) -> Vec<Access> {
        let (va, size) = (op.va(), op.bytes());
        let reserved = self.bench.machine.reserved();
        let mut addresses = vec![
            va,
            va + ((size / 2) & !7),
            va + (size - 8),
            va.wrapping_sub(8),
            va.wrapping_add(size),
        ];
        addresses.extend(old.pages().map(|(base, _)| base).take(4));
        addresses.retain(|va| !reserved.iter().any(|range| range.contains(va)));
        let mut accesses = Vec::new();
        for va in addresses {
            for model in [old, new] {
                let now = std::mem::replace(&mut self.model, model.clone());
                self.prepare(va);
                self.model = now;
            }
            for privilege in Privilege::ALL {
                accesses.extend([Access::load(va, privilege), Access::fetch(va, privilege)]);
            }
        }
        accesses
    }
}
