//! Every combination of flags and cache policies.

use super::super::model::Op;
use super::super::perform::Bits;
use super::super::report::Failure;
use super::super::shape::{CACHES, combinations, expresses};
use super::super::subject::{Bench, Subject};
use crate::walk::Regime;
use portolan::{CachePolicy, PageProperty};

impl Bench<'_> {
    /// Every combination of flags and cache policies at every size, and every change from one to another.
    pub(in super::super) fn flags(&mut self, bits: Bits, changes: bool) -> Result<(), Failure> {
        let regime = self.machine.regime();
        for size in self.source(0).sizes() {
            let mut source = self.source(size.bytes());
            let part = format!("every combination of flags, pages of {size}");
            let mut subject = Subject::new(self, bits, part)?;
            for cache in CACHES {
                for prop in combinations(cache) {
                    let (va, frame) = (source.va(size), source.frame(size));
                    let middle = va + size.bytes() / 2;
                    let map = Op::Map {
                        va,
                        frame,
                        size,
                        prop,
                    };
                    if !expresses(regime, prop) {
                        let _ = subject.apply(map)?;
                        let _ = subject.apply(Op::Protect { va, size, prop })?;
                        continue;
                    }
                    subject.must(map)?;
                    subject.must(Op::Query { va: middle })?;
                    subject.probe_at(0, &[va, middle, va + (size.bytes() - 8)])?;
                    for prop in others(regime, prop).filter(|_| changes) {
                        // Refused where the page would have to be unmapped first
                        let _ = subject.apply(Op::Protect { va, size, prop })?;
                        subject.probe_at(0, &[middle])?;
                    }
                    subject.must(Op::Unmap { va, size })?;
                }
            }
            subject.finish()?;
        }
        Ok(())
    }
}

/// What a page of properties `from`, in ordinary memory, can become: every combination of flags, each with one of the
/// cache policies.
fn others(regime: Regime, from: PageProperty) -> impl Iterator<Item = PageProperty> {
    let all = combinations(from.cache).zip(CACHES.into_iter().cycle());
    let turned = all.map(move |(to, cache)| {
        let turned = PageProperty { cache, ..to };
        if expresses(regime, turned) {
            turned
        } else {
            to
        }
    });
    turned.filter(move |to| from.cache == CachePolicy::WriteBack && expresses(regime, *to))
}
