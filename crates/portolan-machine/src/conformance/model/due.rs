//! What has to be flushed.

use super::{Answer, Model, Op, Step};
use portolan::{Mapping, PageSize};

/// What the flush for an operation names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The first address.
    pub va: u64,
    /// How many bytes; none if nothing that was mapped has changed.
    pub bytes: u64,
    /// The smallest page that was there.
    pub smallest: Option<PageSize>,
}

impl Model {
    /// What the flush for `op` has to name, done to a table that was as this says, with this answer.
    #[must_use]
    pub fn due(&self, op: &Op, answer: &Answer) -> Due {
        let mut before = self.clone();
        let (mut va, mut bytes) = (op.va(), op.bytes());
        match (*op, answer) {
            (Op::UnmapRange { .. } | Op::ProtectRange { .. }, _) => before.cut(va, bytes),
            (Op::Harvest { .. }, Answer::Pages(pages)) => {
                let smallest = pages.iter().map(|(_, page)| page.size).min();
                let first = pages.first().map_or(va, |(first, _)| *first);
                let end = |(last, page): &(u64, Mapping)| last - first + page.size.bytes();
                let bytes = pages.last().map_or(0, end);
                return Due {
                    va: first,
                    bytes,
                    smallest,
                };
            }
            (Op::Step { step, .. }, Answer::Moved { page, .. }) => match (step, page) {
                (Step::ProtectNext { .. }, Some((base, page))) => {
                    (va, bytes) = (*base, page.size.bytes());
                }
                _ => before.cut(va, bytes),
            },
            _ => {}
        }
        let smallest = before
            .starting_in(va, bytes)
            .map(|(_, page)| page.size)
            .min();
        let bytes = smallest.map_or(0, |_| bytes);
        if let Op::Step {
            va: start,
            bytes: all,
            pos,
            ..
        } = *op
            && pos == all
        {
            // The end of a range need not be an address
            va = start;
        }
        Due {
            va,
            bytes,
            smallest,
        }
    }
}
