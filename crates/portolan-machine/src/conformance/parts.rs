//! The parts of the suite.

use super::generate::{ALL_SIZES, CACHES, SIZES, Source, combination};
use super::interpose::Interposed;
use super::model::{Model, Op};
use super::report::{Failure, Mismatch};
use super::subject::{Bench, Subject};
use crate::access::{Access, Kind, Outcome, Privilege, code_word};
use crate::machine::Machine;
use portolan::{
    AccessBits, CachePolicy, Error, Invalidate, PageProperty, PageSize, PageTable, PagingMode,
    Preset, TableMemory, Tracking,
};

impl<'m, K: Machine, M: TableMemory> Bench<'m, K, M> {
    fn source(&self, seed: u64) -> Source {
        Source::new(seed, self.machine)
    }

    /// The last page of `size` in the lower half.
    fn last_low(&self, size: PageSize) -> u64 {
        (1 << (11 + 9 * self.machine.levels())) - size.bytes()
    }

    /// Requests at random, with accesses now and then.
    pub(super) fn random<A: PagingMode, B: AccessBits>(
        &mut self,
        seed: u64,
        steps: u32,
    ) -> Result<(), Failure>
    where
        K: Invalidate<A>,
    {
        let mut source = self.source(seed);
        let part = format!("random sequence, seed {seed:#x}");
        let mut subject = Subject::<K, M, A, B>::new(self, part)?;
        for step in 1..=steps {
            let op = source.op(&subject.model, 10);
            if let (Op::Map { va, size, .. }, true) = (op, source.rng.one_in(8)) {
                let fits = subject.model.clone().apply(&op).is_ok();
                let missing = if fits {
                    subject.model.missing_tables(va, size) as u64
                } else {
                    0
                };
                if missing > 0 {
                    subject
                        .bench
                        .machine
                        .memory()
                        .refuse_after(source.rng.below(missing));
                    subject.apply_refused(op)?;
                }
            }
            let answer = subject.apply(op)?;
            let worth_it = answer.is_ok() && source.rng.one_in(4);
            if worth_it || step == steps {
                let extra = [source.va(PageSize::Size4K), source.rng.next()];
                let cpu = source.rng.below(subject.bench.machine.cpus() as u64) as usize;
                subject.probe(cpu, &extra)?;
            }
        }
        subject.finish()
    }

    /// All sequences of `length` requests out of a few that get in each other's way; `place` says where.
    pub(super) fn small<A: PagingMode>(&mut self, length: u32, place: u64) -> Result<(), Failure>
    where
        K: Invalidate<A>,
    {
        let base = match place % 3 {
            0 => 0,
            1 => self.last_low(PageSize::Size1G),
            _ => PageSize::Size1G.bytes().wrapping_neg(),
        };
        let mut source = self.source(place);
        let [frame_4k, frame_2m, frame_1g] = SIZES.map(|size| source.frame(size));
        let (kernel, user) = (
            combination(1, CachePolicy::WriteBack),
            combination(6, CachePolicy::WriteBack),
        );
        let [size_4k, size_2m, size_1g] = SIZES;
        let next = base + 0x1000;
        let ops = [
            Op::Map {
                va: base,
                frame: frame_4k,
                size: size_4k,
                prop: user,
            },
            Op::Map {
                va: next,
                frame: frame_4k,
                size: size_4k,
                prop: kernel,
            },
            Op::Map {
                va: base,
                frame: frame_2m,
                size: size_2m,
                prop: user,
            },
            Op::Map {
                va: base,
                frame: frame_1g,
                size: size_1g,
                prop: kernel,
            },
            Op::Unmap {
                va: base,
                size: size_4k,
            },
            Op::Unmap {
                va: next,
                size: size_4k,
            },
            Op::Unmap {
                va: base,
                size: size_2m,
            },
            Op::Unmap {
                va: base,
                size: size_1g,
            },
            Op::Protect {
                va: base,
                size: size_4k,
                prop: kernel,
            },
            Op::Protect {
                va: base,
                size: size_2m,
                prop: kernel,
            },
        ];
        let count = ops.len() as u64;
        for number in 0..count.pow(length) {
            let part = format!("all sequences of {length}, number {number} at {base:#x}");
            let mut subject = Subject::<K, M, A, Preset>::new(self, part)?;
            for position in 0..length {
                let _ = subject.apply(ops[(number / count.pow(position) % count) as usize])?;
            }
            let cpu = (number % subject.bench.machine.cpus() as u64) as usize;
            let last = base + (PageSize::Size2M.bytes() - 8);
            subject.probe_at(
                cpu,
                &[
                    base.wrapping_sub(8),
                    base,
                    base + 0xff8,
                    next,
                    next + 0x1000,
                    last,
                    last + 8,
                ],
            )?;
            subject.finish()?;
        }
        Ok(())
    }

    /// Every combination of flags and cache policies at every size, and every change from one to another.
    pub(super) fn flags<A: PagingMode, B: AccessBits>(
        &mut self,
        changes: bool,
    ) -> Result<(), Failure>
    where
        K: Invalidate<A>,
    {
        for size in SIZES {
            let mut source = self.source(size.bytes());
            let part = format!("every combination of flags, pages of {size}");
            let mut subject = Subject::<K, M, A, B>::new(self, part)?;
            for bits in 0..16 {
                for cache in CACHES {
                    let prop = combination(bits, cache);
                    let (va, frame) = (source.va(size), source.frame(size));
                    let middle = va + size.bytes() / 2;
                    subject.must(Op::Map {
                        va,
                        frame,
                        size,
                        prop,
                    })?;
                    subject.must(Op::Query { va: middle })?;
                    subject.probe_at(0, &[va, middle, va + (size.bytes() - 8)])?;
                    for to in (0..16).filter(|_| changes && cache == CachePolicy::WriteBack) {
                        let cache = CACHES[(bits + to) as usize % CACHES.len()];
                        subject.must(Op::Protect {
                            va,
                            size,
                            prop: combination(to, cache),
                        })?;
                        subject.probe_at(0, &[middle])?;
                    }
                    subject.must(Op::Unmap { va, size })?;
                }
            }
            subject.finish()?;
        }
        Ok(())
    }

    /// Everything that can be wrong with a request, alone and together, beside nothing and beside pages of each size.
    pub(super) fn errors<A: PagingMode>(&mut self) -> Result<(), Failure>
    where
        K: Invalidate<A>,
    {
        let good = PageProperty::USER_RW;
        let limit = 1u64 << self.machine.memory().phys_bits();
        for there in [None].into_iter().chain(SIZES.map(Some)) {
            let mut source = self.source(limit);
            let base = self.last_low(PageSize::Size1G);
            let frame = there.map(|size| source.frame(size));
            let mut subject =
                Subject::<K, M, A, Preset>::new(self, format!("wrong requests beside {there:?}"))?;
            if let (Some(size), Some(frame)) = (there, frame) {
                subject.must(Op::Map {
                    va: base,
                    frame,
                    size,
                    prop: good,
                })?;
            }
            for size in ALL_SIZES {
                let bytes = size.bytes();
                // The last frame of all, those that are too wide, and ones that are not aligned
                let frames = [
                    limit - bytes,
                    limit,
                    !(bytes - 1),
                    1 << 63,
                    8,
                    limit - bytes / 2,
                ];
                for va in [
                    base,
                    base + bytes,
                    base + 8,
                    base + bytes / 2,
                    base ^ 1 << 63,
                    base + (1 << 30),
                ] {
                    for prop in [
                        good,
                        PageProperty {
                            read: false,
                            ..good
                        },
                    ] {
                        for frame in frames {
                            // On success, no access follows: there may be no memory
                            if subject
                                .apply(Op::Map {
                                    va,
                                    frame,
                                    size,
                                    prop,
                                })?
                                .is_ok()
                            {
                                subject.must(Op::Query { va })?;
                                subject.must(Op::Unmap { va, size })?;
                            }
                        }
                        let _ = subject.apply(Op::Protect { va, size, prop })?;
                    }
                    let _ = subject.apply(Op::Query { va })?;
                    if there != Some(size) || va != base {
                        let _ = subject.apply(Op::Unmap { va, size })?;
                    }
                }
            }
            subject.probe(0, &[base])?;
            subject.finish()?;
        }
        Ok(())
    }

    /// Each request for a table frame is refused once: an error, nothing changed, nothing leaked, and later success.
    pub(super) fn refusals<A: PagingMode>(&mut self) -> Result<(), Failure>
    where
        K: Invalidate<A>,
    {
        let prop = PageProperty::USER_RW;
        let memory = self.machine.memory();
        memory.refuse_after(0);
        let root = PageTable::<M, A>::new(self.memory.clone()).err();
        if root
            != Some(Error::NoMemory {
                addr: 0,
                size: 4096,
            })
        {
            let op = Op::Query { va: 0 };
            let what = Mismatch::Answer {
                op,
                expected: Err(Error::NoMemory {
                    addr: 0,
                    size: 4096,
                }),
                got: Ok(None),
            };
            return Err(Failure {
                part: "refused root".into(),
                history: Vec::new(),
                what: Box::new(what),
            });
        }
        for size in SIZES {
            let mut source = self.source(size.bytes());
            let (frame, other) = (source.frame(size), source.frame(PageSize::Size4K));
            let va = self.last_low(size);
            // A neighbour that shares no table with the page, then one that shares the most it can
            for near in [0, va ^ size.bytes(), va ^ size.bytes() << 9] {
                let mut subject =
                    Subject::<K, M, A, Preset>::new(self, format!("refusals, pages of {size}"))?;
                subject.must(Op::Map {
                    va: near,
                    frame: other,
                    size: PageSize::Size4K,
                    prop,
                })?;
                for nth in 0..subject.model.missing_tables(va, size) as u64 {
                    memory.refuse_after(nth);
                    subject.apply_refused(Op::Map {
                        va,
                        frame,
                        size,
                        prop,
                    })?;
                    subject.probe(0, &[va, near])?;
                    subject.must(Op::Map {
                        va,
                        frame,
                        size,
                        prop,
                    })?;
                    subject.probe(0, &[va, near])?;
                    subject.must(Op::Unmap { va, size })?;
                }
                subject.finish()?;
            }
        }
        memory.refuse_none();
        Ok(())
    }

    /// What hardware does to accessed and dirty bits is reported, and survives a change of the flags.
    pub(super) fn marks<A: PagingMode>(&mut self) -> Result<(), Failure>
    where
        K: Invalidate<A>,
    {
        for size in SIZES
            .into_iter()
            .filter(|size| self.machine.supports(*size))
        {
            let mut source = self.source(size.bytes());
            let prop = combination(7, CachePolicy::WriteBack);
            let protected = combination(6, CachePolicy::WriteBack);
            for kind in Kind::ALL {
                let (va, frame) = (source.va(size), source.frame(size));
                let mut subject = Subject::<K, M, A, Tracking>::new(
                    self,
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
                    value: code_word(1),
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
    pub(super) fn races<A: PagingMode>(&mut self) -> Result<(), Failure>
    where
        K: Invalidate<A>,
    {
        let mut through = self.through(|machine, memory| Interposed::new(machine, memory.clone()));
        let hook = through.memory.clone();
        for size in SIZES
            .into_iter()
            .filter(|size| through.machine.supports(*size))
        {
            let mut source = through.source(size.bytes());
            let (va, frame) = (source.va(size), source.frame(size));
            let prop = combination(5, CachePolicy::WriteBack);
            let ops = [
                Op::Protect {
                    va,
                    size,
                    prop: combination(4, CachePolicy::WriteBack),
                },
                Op::Unmap { va, size },
            ];
            for op in ops {
                let part = format!("stores during {}, pages of {size}", op.name());
                let mut subject = Subject::<_, _, A, Tracking>::new(&mut through, part)?;
                subject.must(Op::Map {
                    va,
                    frame,
                    size,
                    prop,
                })?;
                hook.arm(0, vec![Access::store(va, Privilege::User, code_word(1))]);
                let answer = subject.apply_racing(op)?;
                let stored = match hook.disarm() {
                    Ok(seen) => seen.iter().any(|(_, outcome)| *outcome == Outcome::Stored),
                    Err(error) => return subject.fail(Mismatch::Machine(error)),
                };
                if stored && !answer.is_some_and(|page| page.prop.dirty) {
                    return subject.fail(Mismatch::LostDirty { op, got: answer });
                }
                // The query compares: what is still there has to be dirty still
                subject.model.mark(va, stored, stored);
                subject.apply(Op::Query { va })?.ok();
                subject.finish()?;
            }
        }
        Ok(())
    }

    /// Between any two stores of an operation, every access has its old outcome or its new one.
    pub(super) fn between<A: PagingMode>(&mut self, seed: u64, steps: u32) -> Result<(), Failure>
    where
        K: Invalidate<A>,
    {
        let mut source = self.source(seed);
        let mut through = self.through(|machine, memory| Interposed::new(machine, memory.clone()));
        let hook = through.memory.clone();
        let part = format!("accesses between stores, seed {seed:#x}");
        let mut subject = Subject::<_, _, A, Preset>::new(&mut through, part)?;
        for _ in 0..steps {
            let op = source.op(&subject.model, 6);
            let old = subject.model.clone();
            let mut new = old.clone();
            if new.apply(&op).is_err() || matches!(op, Op::Query { .. }) {
                continue;
            }
            let cpu = source.rng.below(subject.bench.machine.cpus() as u64) as usize;
            let accesses = subject.loads_around(op, &old, &new);
            hook.arm(cpu, accesses);
            subject.must(op)?;
            let seen = match hook.disarm() {
                Ok(seen) => seen,
                Err(error) => return subject.fail(Mismatch::Machine(error)),
            };
            for (access, got) in seen {
                subject.bench.counts.access(&access, &got);
                let expected = [&old, &new].map(|model| subject.outcome_in(model, &access));
                if !expected.contains(&got) {
                    return subject.fail(Mismatch::Access {
                        cpu,
                        access,
                        expected: expected.to_vec(),
                        got,
                    });
                }
            }
        }
        subject.probe(0, &[])?;
        subject.finish()
    }
}

impl<K, M, A, B> Subject<'_, '_, K, M, A, B>
where
    K: Machine + Invalidate<A>,
    M: TableMemory,
    A: PagingMode,
    B: AccessBits,
{
    /// Loads and fetches in both modes around the page that `op` is about and at the pages beside it.
    fn loads_around(&mut self, op: Op, old: &Model, new: &Model) -> Vec<Access> {
        let size = match op {
            Op::Map { size, .. } | Op::Unmap { size, .. } | Op::Protect { size, .. } => {
                size.bytes()
            }
            Op::Query { .. } => 0,
        };
        let va = op.va();
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
