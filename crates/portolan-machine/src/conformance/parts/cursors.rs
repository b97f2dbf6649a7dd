//! Cursors that change: each step from the table that the one before left behind.

use super::super::model::Step;
use super::super::perform::Bits;
use super::super::report::Failure;
use super::super::shape::fitting;
use super::super::subject::{Bench, Subject};
use portolan::{PageProperty, PageSize};

impl Bench<'_> {
    /// A page of each size is mapped, found, changed and unmapped again and again, which takes its tables away each time.
    pub(in super::super) fn cursors(&mut self) -> Result<(), Failure> {
        let sizes = self.source(0).sizes();
        sizes.into_iter().try_for_each(|size| self.cursor(size))
    }

    fn cursor(&mut self, size: PageSize) -> Result<(), Failure> {
        let regime = self.machine.regime();
        let frame = self.source(size.bytes()).frame(size);
        let (va, len, prop) = (
            self.last_of_first(size),
            size.bytes(),
            PageProperty::USER_RW,
        );
        let part = format!("cursors, pages of {size}");
        let mut subject = Subject::new(self, Bits::Tracking, part)?;
        let (map, back) = (Step::Map { frame, size, prop }, Step::Jump { to: va });
        let map_range = Step::MapRange {
            len,
            frame,
            largest: size,
            prop,
        };
        let protect = Step::ProtectNext {
            len,
            prop: fitting(regime, PageProperty::KERNEL_RO),
        };
        let (unmap, find) = (Step::Unmap { len }, Step::FindNext { len: u64::MAX });
        let steps = [
            map,
            map,
            back,
            map,
            find,
            unmap,
            back,
            find,
            back,
            map,
            back,
            protect,
            back,
            find,
            unmap,
            back,
            map_range,
            back,
            find,
            unmap,
            back,
            map_range,
            unmap,
            back,
            find,
            unmap,
            back,
            Step::MoveForward,
            back,
            map,
        ];
        let mut steps = steps.into_iter();
        subject.walk((va, len), |_, _| steps.next())?;
        subject.probe(0, &[va])?;
        subject.finish()
    }
}
