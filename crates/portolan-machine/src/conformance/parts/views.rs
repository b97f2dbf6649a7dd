//! Neighbouring pages that make one run, and such as don't for one difference each.

use super::super::model::Op;
use super::super::perform::Bits;
use super::super::report::Failure;
use super::super::shape::{expresses, fitting};
use super::super::subject::{Bench, Subject};
use portolan::{CachePolicy, PageProperty};

impl Bench<'_> {
    /// Pages in a row where the tables of each level meet.
    pub(in super::super) fn views(&mut self) -> Result<(), Failure> {
        let regime = self.machine.regime();
        let first = *regime.ranges()[0].start();
        (2..=regime.levels()).try_for_each(|level| self.row(first + regime.span(level)))
    }

    /// Pages in a row around `border`: a few that are alike, then in turn such as differ in one property. At the end one
    /// whose frame is elsewhere, and one that goes on behind a hole.
    fn row(&mut self, border: u64) -> Result<(), Failure> {
        let regime = self.machine.regime();
        let mut source = self.source(border);
        let size = source.sizes()[0];
        let small = size.bytes();
        let plain = fitting(regime, PageProperty::KERNEL_RO);
        let mut props = vec![plain; 4];
        let others = each_other(plain).into_iter();
        for prop in others.filter(|prop| expresses(regime, *prop)) {
            props.extend([prop, plain]);
        }
        let (va, bytes) = (border - 2 * small, (props.len() as u64 + 4) * small);
        let frame = source.frames(va, bytes, size);
        let Some(frame) = frame.filter(|_| source.is_usable(va, bytes)) else {
            return Ok(());
        };
        let part = format!("runs around {border:#x}");
        let mut subject = Subject::new(self, Bits::Tracking, part)?;
        let end = props.len() as u64;
        let row = props
            .into_iter()
            .zip(0..)
            .map(|(prop, nth)| (nth, nth, prop));
        for (nth, target, prop) in row.chain([(end, end + 1, plain), (end + 2, end + 2, plain)]) {
            let (va, frame) = (va + nth * small, frame + target * small);
            subject.must(Op::Map {
                va,
                frame,
                size,
                prop,
            })?;
        }
        // From within the first run, and to within it
        subject.read_runs(border - small, bytes - small)?;
        subject.read_runs(va, 3 * small)?;
        subject.finish()
    }
}

/// The properties that differ from `prop` in one.
fn each_other(prop: PageProperty) -> Vec<PageProperty> {
    let mut others = vec![prop; 8];
    others[0].read ^= true;
    others[1].write ^= true;
    others[2].execute ^= true;
    others[3].user ^= true;
    others[4].global ^= true;
    others[5].accessed ^= true;
    others[6].dirty ^= true;
    others[7].cache = CachePolicy::Uncacheable;
    others
}
