//! What a processor holds under identifiers of address spaces that are not in use.

use super::{Cache, Translation};
use crate::soft::walk::Hop;
use std::collections::VecDeque;
use std::ops::Range;

/// What a processor holds under an identifier, but for global translations, which serve whichever is in use.
#[derive(Default)]
pub(super) struct Held {
    translations: VecDeque<Translation>,
    hops: VecDeque<Hop>,
    absent: Option<VecDeque<(u64, u64, u8)>>,
    /// A table that it leads to, and that was freed.
    dead: Option<u64>,
}

impl Cache {
    /// Another root, under the identifier `id`: what is held under the one in use stays as it is, and nobody is told of it, until
    /// that one is in use again. Unless `keep`, what is held under `id` goes.
    ///
    /// Answers with a table that was freed, and that can be walked now.
    pub(in crate::soft) fn switch_as(&mut self, id: usize, keep: bool) -> Option<u64> {
        let all = std::mem::take(&mut self.translations);
        let (global, own) = all.into_iter().partition(|t| t.found.leaf.global);
        let before = Held {
            translations: own,
            hops: std::mem::take(&mut self.hops),
            absent: self.absent.as_mut().map(std::mem::take),
            dead: None,
        };
        self.held.insert(self.id, before);
        self.id = id;
        let now = self.held.remove(&id).filter(|_| keep).unwrap_or_default();
        self.translations = global;
        self.translations.extend(now.translations);
        self.hops = now.hops;
        if let (Some(absent), Some(now)) = (&mut self.absent, now.absent) {
            *absent = now;
        }
        now.dead
    }

    /// What is held under identifiers that are not in use goes.
    pub(in crate::soft) fn forget_others(&mut self) {
        self.held.clear();
    }

    /// Notes that tables in `frames` were freed, for when an identifier comes into use under which they could be walked.
    pub(in crate::soft) fn freed(&mut self, frames: &Range<u64>) {
        for held in self.held.values_mut() {
            let reached = held.hops.iter().find(|hop| frames.contains(&hop.table));
            held.dead = held.dead.or(reached.map(|hop| hop.table));
        }
    }
}
