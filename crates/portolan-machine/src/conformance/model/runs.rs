//! Pages put together to runs.

use super::Model;
use super::resize::alike;
use portolan::{Mapping, PageProperty, PageSize, PagingMode};
use std::collections::BTreeMap;

/// Neighbouring pages of frames that follow each other, which differ in no more than their sizes and whether they were
/// used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The first page's first address.
    pub va: u64,
    /// How many bytes all pages cover.
    pub bytes: u64,
    /// The first page's frame.
    pub frame: u64,
    /// What the pages allow; accessed or dirty if one of them is.
    pub prop: PageProperty,
    /// How many pages of each size, the largest first.
    pub pages: Vec<(PageSize, u64)>,
}

impl Run {
    /// The run of these pages, of which there is at least one.
    fn of(pages: &[(u64, Mapping)]) -> Self {
        let (va, first) = pages[0];
        let any = |bit: fn(PageProperty) -> bool| pages.iter().any(|(_, page)| bit(page.prop));
        let mut counts = BTreeMap::new();
        for (_, page) in pages {
            *counts.entry(page.size).or_insert(0) += 1;
        }
        Run {
            va,
            bytes: pages.iter().map(|(_, page)| page.size.bytes()).sum(),
            frame: first.frame.as_u64(),
            prop: PageProperty {
                accessed: any(|prop| prop.accessed),
                dirty: any(|prop| prop.dirty),
                ..first.prop
            },
            pages: counts.into_iter().rev().collect(),
        }
    }
}

impl<A: PagingMode> From<portolan::Run<A>> for Run {
    fn from(run: portolan::Run<A>) -> Self {
        Run {
            va: run.start.as_u64(),
            bytes: run.size,
            frame: run.frame.as_u64(),
            prop: run.prop,
            pages: run.pages().collect(),
        }
    }
}

/// Whether a page goes on where the one before it ends, in addresses, frames and all that it allows.
pub(super) fn goes_on((va, page): &(u64, Mapping), (next_va, next): &(u64, Mapping)) -> bool {
    let (frame, next_frame) = (page.frame.as_u64(), next.frame.as_u64());
    let bytes = page.size.bytes();
    next_va - va == bytes && next_frame == frame.wrapping_add(bytes) && alike(page.prop, next.prop)
}

impl Model {
    /// The runs of the pages that overlap a range: as few as there can be, in the order of addresses.
    #[must_use]
    pub fn runs(&self, va: u64, bytes: u64) -> Vec<Run> {
        let pages: Vec<_> = self.overlapping(va, bytes).collect();
        pages.chunk_by(goes_on).map(Run::of).collect()
    }

    /// Whether a page table may show `seen` where this model has `run`: hardware sets an accessed bit at any time.
    #[must_use]
    pub fn may_show(&self, run: &Run, seen: &Run) -> bool {
        let accessed = run.prop.accessed || self.tracking && seen.prop.accessed;
        let prop = PageProperty {
            accessed,
            ..run.prop
        };
        *seen
            == Run {
                prop,
                ..run.clone()
            }
    }
}
