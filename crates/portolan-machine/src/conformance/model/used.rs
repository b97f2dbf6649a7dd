//! Requests for pages that were used.

use super::Model;
use portolan::{Error, Mapping, PageProperty, UsedBits};

/// Whether one of these bits is set.
fn has_any(prop: PageProperty, bits: UsedBits) -> bool {
    let accessed = prop.accessed && bits != UsedBits::Dirty;
    accessed || prop.dirty && bits != UsedBits::Accessed
}

impl Model {
    /// The pages in a range that have one of these bits set, which are then cleared; none if nothing is tracked.
    pub(super) fn harvest(
        &mut self,
        va: u64,
        bytes: u64,
        bits: UsedBits,
    ) -> Result<Vec<(u64, Mapping)>, Error> {
        if !self.tracking {
            return Ok(Vec::new());
        }
        self.check_uncut(va, bytes)?;
        let pages = self.starting_in(va, bytes);
        let used: Vec<_> = pages.filter(|(_, page)| has_any(page.prop, bits)).collect();
        for (va, page) in &used {
            let prop = PageProperty {
                accessed: page.prop.accessed && bits == UsedBits::Dirty,
                dirty: page.prop.dirty && bits == UsedBits::Accessed,
                ..page.prop
            };
            self.pages.insert(*va, Mapping { prop, ..*page });
        }
        Ok(used)
    }

    /// Whether a page table that is as this model says may give `seen` where `used` are the pages known to be used: all of
    /// them, and such as hardware may have marked on its own.
    #[must_use]
    pub fn may_give(
        &self,
        bits: UsedBits,
        used: &[(u64, Mapping)],
        seen: &[(u64, Mapping)],
    ) -> bool {
        let mut left = used.iter().peekable();
        let fits = |(va, page): &(u64, Mapping)| {
            if left.peek().is_some_and(|(known, _)| known == va) {
                left.next();
            } else if bits == UsedBits::Dirty || !page.prop.accessed {
                return false;
            }
            let here = self.pages.get(va);
            here.is_some_and(|here| self.agrees(*here, *page))
        };
        let ascending = seen.is_sorted_by(|one, next| one.0 < next.0);
        ascending && seen.iter().all(fits) && left.next().is_none()
    }
}
