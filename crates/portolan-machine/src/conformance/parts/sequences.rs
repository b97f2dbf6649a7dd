//! Sequences of requests: at random, and all short ones.

use super::super::generate::Source;
use super::super::model::Op;
use super::super::perform::Bits;
use super::super::report::Failure;
use super::super::shape::fitting;
use super::super::subject::{Bench, Subject};
use crate::rng::mix;
use crate::walk::Regime;
use portolan::PageProperty;

impl Bench<'_> {
    /// Requests at random, with accesses now and then, and a look at runs and tables, at least after the first request of
    /// each kind that is performed.
    pub(in super::super) fn random(
        &mut self,
        bits: Bits,
        seed: u64,
        steps: u32,
    ) -> Result<(), Failure> {
        let (mut source, mut views) = (self.source(seed), self.source(mix(seed)));
        let smallest = source.sizes()[0];
        let part = format!("random sequence, seed {seed:#x}");
        let mut subject = Subject::new(self, bits, part)?;
        for step in 1..=steps {
            let op = source.op(&subject.model, 10);
            if source.rng.one_in(8) {
                let missing = subject.model.missing_tables(&op) as u64;
                if missing > 0 {
                    subject.apply_refused_at(op, source.rng.below(missing))?;
                }
            }
            let answer = subject.apply(op)?;
            if source.rng.one_in(6) {
                let range = source.cursor_range(&subject.model);
                let mut left = 8;
                subject.walk(range, |model, pos| {
                    left -= 1;
                    (left > 0).then(|| source.step(model, range, pos))
                })?;
            }
            let is_new = answer.is_ok() && subject.bench.counts.is_new_kind(&op);
            if is_new || views.rng.one_in(4) {
                let (va, bytes) = views.view(&subject.model);
                subject.read_runs(va, bytes)?;
                subject.read_tables()?;
            }
            let worth_it = answer.is_ok() && source.rng.one_in(4);
            if worth_it || step == steps {
                let extra = [source.va(smallest), source.rng.next()];
                let cpu = source.rng.below(subject.bench.machine.cpus() as u64) as usize;
                subject.probe(cpu, &extra)?;
            }
        }
        subject.finish()
    }

    /// All sequences of `length` requests out of a few that get in each other's way; `place` says where.
    pub(in super::super) fn small(&mut self, length: u32, place: usize) -> Result<(), Failure> {
        let regime = self.machine.regime();
        let mut source = self.source(place as u64);
        let sizes = source.sizes();
        let largest = sizes.last().map_or(0, |size| size.bytes());
        let ranges = regime.ranges();
        let (first, last) = (&ranges[0], &ranges[ranges.len() - 1]);
        let base = [
            *first.start(),
            first.end() - (largest - 1),
            last.end() - (largest - 1),
        ][place % 3];
        let ops = meeting(regime, &mut source, base);
        let count = ops.len() as u64;
        for number in 0..count.pow(length) {
            let part = format!("all sequences of {length}, number {number} at {base:#x}");
            let mut subject = Subject::new(self, Bits::Preset, part)?;
            for position in 0..length {
                let _ = subject.apply(ops[(number / count.pow(position) % count) as usize])?;
            }
            let cpu = (number % subject.bench.machine.cpus() as u64) as usize;
            let (small, last) = (regime.span(1), base + (regime.span(2) - 8));
            let next = base + small;
            subject.probe_at(
                cpu,
                &[
                    base.wrapping_sub(8),
                    base,
                    next - 8,
                    next,
                    next + small,
                    last,
                    last.wrapping_add(8),
                ],
            )?;
            subject.finish()?;
        }
        Ok(())
    }
}

/// Requests around `base` that get in each other's way, for pages of the smallest sizes.
fn meeting(regime: Regime, source: &mut Source, base: u64) -> Vec<Op> {
    let kernel = fitting(regime, PageProperty::KERNEL_RW);
    let user = PageProperty::USER_RX;
    let sizes = source.sizes();
    let small = sizes[0];
    let frame = source.frame(small);
    let next = base + small.bytes();
    let mut ops = vec![
        Op::Map {
            va: next,
            frame,
            size: small,
            prop: kernel,
        },
        Op::Unmap {
            va: next,
            size: small,
        },
        Op::UnmapRange {
            va: base,
            bytes: 2 * small.bytes(),
        },
    ];
    if let Some(frame) = source.frames(base, 2 * small.bytes(), small) {
        ops.push(Op::MapRange {
            va: base,
            bytes: 2 * small.bytes(),
            frame,
            largest: small,
            prop: kernel,
        });
    }
    for size in sizes.into_iter().take(2) {
        let (va, frame) = (base, source.frame(size));
        ops.extend([
            Op::Map {
                va,
                frame,
                size,
                prop: user,
            },
            Op::Unmap { va, size },
            Op::Protect {
                va,
                size,
                prop: kernel,
            },
            Op::Split { va, size },
        ]);
    }
    ops
}
