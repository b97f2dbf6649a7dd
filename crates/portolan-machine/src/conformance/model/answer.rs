//! What hardware does on its own, and what may therefore be answered.

use super::{Answer, Make, Model, Op};
use portolan::{Mapping, PageProperty};

impl Model {
    /// Whether a page table may report `seen` where this model has `page`: hardware sets an accessed bit at any time,
    /// and a dirty bit only for a store that is performed.
    #[must_use]
    pub fn agrees(&self, page: Mapping, seen: Mapping) -> bool {
        let accessed = page.prop.accessed || self.tracking && seen.prop.accessed;
        seen == Mapping {
            prop: PageProperty {
                accessed,
                ..page.prop
            },
            ..page
        }
    }

    /// Takes over what hardware has done to the page that covers `va`.
    pub fn mark(&mut self, va: u64, accessed: bool, dirty: bool) {
        let Some((base, _)) = self.covering(va).filter(|_| self.regime.marks()) else {
            return;
        };
        if let Some(page) = self.pages.get_mut(&base) {
            page.prop.accessed |= accessed;
            page.prop.dirty |= dirty;
        }
    }

    /// Whether a page table that was as this says may answer `got` where the model's answer is `expected`.
    #[must_use]
    pub fn may_answer(&self, op: &Op, expected: &Answer, got: &Answer) -> bool {
        match (expected, got) {
            (Answer::Page(page), Answer::Page(seen)) => self.agrees(*page, *seen),
            (Answer::Pages(used), Answer::Pages(seen)) => {
                matches!(op, Op::Harvest { bits, .. } if self.may_give(*bits, used, seen))
            }
            (
                Answer::Moved { pos, page, bytes },
                Answer::Moved {
                    pos: to,
                    page: seen,
                    bytes: done,
                },
            ) => {
                let same = match (page, seen) {
                    (Some((va, page)), Some((at, seen))) => va == at && self.agrees(*page, *seen),
                    _ => page == seen,
                };
                same && (pos, bytes) == (to, done)
            }
            _ => expected == got,
        }
    }

    /// Takes over what an answer says that hardware has done: an accessed bit that it set on its own is there to stay, in
    /// every part of what was a page.
    pub fn take_over(&mut self, op: &Op, answer: &Answer) {
        let seen = match (op, answer) {
            // Another page, with bits of its own
            (
                Op::Remake {
                    make: Make::Map { .. },
                    ..
                },
                _,
            ) => None,
            (_, Answer::Page(seen)) => Some((op.va(), op.bytes(), seen)),
            (
                _,
                Answer::Moved {
                    page: Some((base, seen)),
                    ..
                },
            ) => Some((*base, seen.size.bytes(), seen)),
            _ => None,
        };
        let Some((va, bytes, seen)) = seen else {
            return;
        };
        let accessed = seen.prop.accessed && self.tracking;
        let parts: Vec<_> = self.starting_in(va, bytes).collect();
        for part in parts.into_iter().map(|(part, _)| part).chain([va]) {
            self.mark(part, accessed, false);
        }
    }
}
