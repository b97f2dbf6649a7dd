//! Requests to copy a range into another table.

use super::{Model, Op};
use portolan::{Error, Mapping, PageProperty, PhysAddr};
use std::collections::BTreeMap;

/// What comes of a copy.
pub struct Copied {
    /// The table that was copied.
    pub parent: Model,
    /// The one that it was copied into.
    pub child: Model,
    /// How many bytes are mapped in the range.
    pub bytes: u64,
}

impl Model {
    /// What comes of an [`Op::Copy`].
    ///
    /// # Errors
    /// What the page table should answer, unless it runs out of memory.
    pub fn copied(&self, op: &Op) -> Result<Copied, Error> {
        let (mut parent, mut child) = (self.clone(), self.beside(op));
        let (va, bytes) = (op.va(), op.bytes());
        let protect = matches!(op, Op::Copy { protect: true, .. });
        self.check_range(va, bytes)?;
        self.check_uncut(va, bytes)?;
        if let Some((addr, page)) = child.overlapping(va, bytes).next() {
            let size = page.size.bytes();
            return Err(Error::AlreadyMapped { addr, size });
        }
        let mut mapped = 0;
        for (at, page) in self.starting_in(va, bytes) {
            let prop = PageProperty {
                write: page.prop.write && !protect,
                ..page.prop
            };
            let page = Mapping { prop, ..page };
            mapped += page.size.bytes();
            parent.pages.insert(at, page);
            child.pages.insert(at, page);
        }
        Ok(Copied {
            parent,
            child,
            bytes: mapped,
        })
    }

    /// The table that an [`Op::Copy`] copies into, before.
    #[must_use]
    pub fn beside(&self, op: &Op) -> Self {
        let mut into = Model {
            pages: BTreeMap::new(),
            ..*self
        };
        if let Op::Copy {
            beside: Some((va, frame)),
            ..
        } = *op
        {
            let page = Mapping {
                frame: PhysAddr::new(frame),
                size: self.regime.page_sizes()[0],
                prop: self.stored(PageProperty::USER_RO),
            };
            into.pages.insert(va, page);
        }
        into
    }
}
