//! What a page table should be: a map from addresses to pages.

use super::shape::{expresses, granted, in_place, level_of, widest};
use crate::access::Access;
use crate::fault::Refusal;
use crate::rng::mix;
use crate::walk::Regime;
use portolan::{Error, Mapping, PageProperty, PageSize, PhysAddr};
use std::collections::BTreeMap;

mod answer;
mod copy;
mod due;
mod op;
mod range;
mod remake;
mod resize;
mod runs;
mod step;
mod tables;
mod used;

pub use op::{Answer, Make, Op, Search, Step};
pub use runs::Run;
pub use tables::Table;

/// A page table as a plain map, and a description of the machine that it is for.
#[derive(Clone, Debug)]
pub struct Model {
    pages: BTreeMap<u64, Mapping>,
    regime: Regime,
    phys_bits: u8,
    tracking: bool,
}

impl Model {
    /// A model in which nothing is mapped. With `tracking`, accessed and dirty bits are as given and as hardware sets
    /// them; otherwise they are always set.
    #[must_use]
    pub fn new(regime: Regime, phys_bits: u8, tracking: bool) -> Self {
        Model {
            pages: BTreeMap::new(),
            regime,
            phys_bits,
            tracking,
        }
    }

    /// Whether accessed and dirty bits are as given and as hardware sets them.
    #[must_use]
    pub fn tracks(&self) -> bool {
        self.tracking
    }

    /// The pages, by virtual address.
    pub fn pages(&self) -> impl Iterator<Item = (u64, Mapping)> + '_ {
        self.pages.iter().map(|(va, page)| (*va, *page))
    }

    /// How many pages there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pages.len()
    }

    /// Whether nothing is mapped.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// The page that covers `va`, with its first address.
    #[must_use]
    pub fn covering(&self, va: u64) -> Option<(u64, Mapping)> {
        let (base, page) = self.pages.range(..=va).next_back()?;
        (va - base < page.size.bytes()).then_some((*base, *page))
    }

    /// The physical address of `va`, if it is mapped.
    #[must_use]
    pub fn target(&self, va: u64) -> Option<u64> {
        self.covering(va)
            .map(|(base, page)| page.frame.as_u64() + (va - base))
    }

    /// Why an access is refused, if it is.
    #[must_use]
    pub fn refusal(&self, access: &Access) -> Option<Refusal> {
        let &Access {
            va,
            kind,
            privilege,
            ..
        } = access;
        if !self.regime.canonical(va) {
            return Some(Refusal::NotCanonical);
        }
        let level = self.end_of_walk(va);
        let Some((_, page)) = self.covering(va) else {
            return Some(Refusal::Absent { level });
        };
        let rights = granted(self.regime, page.prop);
        let denied = Refusal::Denied { level, rights };
        (!rights.allow(kind, privilege)).then_some(denied)
    }

    /// Performs a request.
    ///
    /// # Errors
    /// What the page table should answer, unless it runs out of memory.
    pub fn apply(&mut self, op: &Op) -> Result<Answer, Error> {
        let va = op.start();
        if !self.regime.canonical(va) {
            return Err(Error::NotCanonical { addr: va, size: 0 });
        }
        match *op {
            Op::Map {
                frame, size, prop, ..
            } => {
                self.map(va, frame, size, prop)?;
                Ok(Answer::Done)
            }
            Op::Unmap { size, .. } => self.unmap(va, size).map(Answer::Page),
            Op::Protect { size, prop, .. } => self.protect(va, size, prop).map(Answer::Page),
            Op::Query { .. } => {
                let page = self.covering(va).map(|(_, page)| Answer::Page(page));
                page.ok_or(Error::NotMapped {
                    addr: va,
                    size: self.regime.span(1),
                })
            }
            Op::MapRange {
                bytes,
                frame,
                largest,
                prop,
                ..
            } => {
                self.check_range(va, bytes)?;
                self.map_range((va, bytes), frame, largest, prop)?;
                Ok(Answer::Done)
            }
            Op::UnmapRange { bytes, .. } => {
                self.check_range(va, bytes)?;
                self.unmap_range(va, bytes).map(Answer::Bytes)
            }
            Op::ProtectRange { bytes, prop, .. } => {
                self.check_range(va, bytes)?;
                self.protect_range(va, bytes, prop).map(Answer::Bytes)
            }
            Op::Split { size, .. } => self.split(va, size).map(Answer::Page),
            Op::Collapse { size, .. } => self.collapse(va, size).map(Answer::Page),
            Op::Remake {
                size, parts, make, ..
            } => self.remake(va, size, parts, make).map(Answer::Page),
            Op::Copy { .. } => {
                let copied = self.copied(op)?;
                *self = copied.child;
                Ok(Answer::Bytes(copied.bytes))
            }
            Op::Harvest { bytes, bits, .. } => {
                self.check_range(va, bytes)?;
                self.harvest(va, bytes, bits).map(Answer::Pages)
            }
            Op::Step {
                bytes, pos, step, ..
            } => {
                self.check_range(va, bytes)?;
                self.check_ends(va, bytes)?;
                if pos > 0 {
                    self.check_jump((va, bytes), op.va())?;
                }
                self.step((va, bytes), pos, step)
            }
        }
    }

    fn unmap(&mut self, va: u64, size: PageSize) -> Result<Mapping, Error> {
        self.check(va, size)?;
        let page = self.exactly(va, size)?;
        self.pages.remove(&va);
        Ok(page)
    }

    fn protect(&mut self, va: u64, size: PageSize, prop: PageProperty) -> Result<Mapping, Error> {
        self.check(va, size)?;
        self.expressible(va, size, prop)?;
        let was = self.exactly(va, size)?;
        if in_place(self.regime, was.prop, prop) != prop {
            let (addr, size) = (va, size.bytes());
            return Err(Error::BreakBeforeMake { addr, size });
        }
        let prop = prop.keeping(was.prop);
        self.pages.insert(va, Mapping { prop, ..was });
        Ok(was)
    }

    fn map(
        &mut self,
        va: u64,
        frame: u64,
        size: PageSize,
        prop: PageProperty,
    ) -> Result<(), Error> {
        self.check(va, size)?;
        let bytes = size.bytes();
        if !frame.is_multiple_of(bytes) {
            return Err(Error::NotAligned {
                addr: frame,
                size: bytes,
            });
        }
        self.expressible(va, size, prop)?;
        if frame
            .checked_add(bytes - 1)
            .is_none_or(|last| last >> self.phys_bits.min(widest(self.regime)) != 0)
        {
            return Err(Error::PhysTooWide {
                addr: frame,
                size: bytes,
            });
        }
        if let Some((base, page)) = self.covering(va) {
            return Err(Error::AlreadyMapped {
                addr: base,
                size: page.size.bytes().max(bytes),
            });
        }
        if self.pages.range(va..=va + (bytes - 1)).next().is_some() {
            return Err(Error::AlreadyMapped {
                addr: va,
                size: bytes,
            });
        }
        let page = Mapping {
            frame: PhysAddr::new(frame),
            size,
            prop: self.stored(prop),
        };
        self.pages.insert(va, page);
        Ok(())
    }

    /// The properties of a new page.
    fn stored(&self, prop: PageProperty) -> PageProperty {
        let preset = !self.tracking;
        PageProperty {
            accessed: prop.accessed || preset,
            dirty: prop.dirty || preset,
            ..prop
        }
    }

    /// What is wrong with a page of `size` at `va`, whatever is mapped.
    fn check(&self, va: u64, size: PageSize) -> Result<(), Error> {
        let (addr, bytes) = (va, size.bytes());
        if level_of(self.regime, size).is_none() {
            Err(Error::UnsupportedSize { addr, size: bytes })
        } else if !va.is_multiple_of(bytes) {
            Err(Error::NotAligned { addr, size: bytes })
        } else {
            Ok(())
        }
    }

    /// Whether an entry can express what is asked for.
    fn expressible(&self, va: u64, size: PageSize, prop: PageProperty) -> Result<(), Error> {
        if expresses(self.regime, prop) {
            Ok(())
        } else {
            Err(Error::UnsupportedProperty {
                addr: va,
                size: size.bytes(),
            })
        }
    }

    /// The page of `size` at `va`.
    fn exactly(&self, va: u64, size: PageSize) -> Result<Mapping, Error> {
        match self.covering(va) {
            Some((_, page)) if page.size == size => Ok(page),
            Some((base, page)) if page.size > size => Err(Error::CoveredByHugePage {
                addr: base,
                size: page.size.bytes(),
            }),
            _ => Err(Error::NotMapped {
                addr: va,
                size: size.bytes(),
            }),
        }
    }

    /// How many tables the pages need: a root, and each table that has an entry in use.
    #[must_use]
    pub fn tables(&self) -> usize {
        let root = self.regime.levels();
        // Pages come in the order of addresses, so those of one table come together
        let mut last = vec![None; usize::from(root)];
        let mut tables = 1;
        for (va, page) in self.pages() {
            for level in level_of(self.regime, page.size).unwrap_or(root)..root {
                let table = Some(va / self.regime.span(level + 1));
                if last[usize::from(level)] != table {
                    last[usize::from(level)] = table;
                    tables += 1;
                }
            }
        }
        tables
    }

    /// The level of the table in which a walk for `va` ends: that which has the page; if there is none, the lowest that
    /// has an entry in use on the way, or the root.
    #[must_use]
    pub fn end_of_walk(&self, va: u64) -> u8 {
        let root = self.regime.levels();
        if let Some((_, page)) = self.covering(va) {
            return level_of(self.regime, page.size).unwrap_or(root);
        }
        let has_table = |level: &u8| {
            let span = self.regime.span(level + 1);
            let first = va & !(span - 1);
            let mut inside = self.pages.range(first..=first + (span - 1));
            inside.any(|(_, page)| page.size.bytes() < span)
        };
        (1..root).find(has_table).unwrap_or(root)
    }

    /// How many tables a request needs on top of those; none if it is not performed.
    #[must_use]
    pub fn missing_tables(&self, op: &Op) -> usize {
        let mut with = self.clone();
        let performed = with.apply(op).is_ok();
        let tables = if performed { with.tables() } else { 0 };
        let before = match *op {
            // What is broken gives its tables back before others are taken
            Op::Remake { va, size, .. } => self.without(va, size).tables(),
            Op::Copy { .. } => self.beside(op).tables(),
            _ => self.tables(),
        };
        tables.saturating_sub(before)
    }
}

/// The number that the word at a physical address carries before anything is stored there.
#[must_use]
pub fn number_at(addr: u64) -> u32 {
    mix(addr) as u32
}
