//! The tables that the pages need.

use super::Model;
use crate::conformance::shape::{counts, level_of};
use portolan::{PagingMode, TableInfo};
use std::cmp::Reverse;
use std::ops::RangeInclusive;

/// A table, and what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its level: 1 has the smallest pages, the root has the highest.
    pub level: u8,
    /// The first address that it covers.
    pub start: u64,
    /// How many bytes it covers.
    pub size: u64,
    /// How many of its entries are in use; unknown of the root, and where no entry has room for that.
    pub used: Option<u16>,
}

impl<A: PagingMode> From<TableInfo<A>> for Table {
    fn from(table: TableInfo<A>) -> Self {
        Table {
            level: table.level,
            start: table.start.as_u64(),
            size: table.size,
            used: table.used,
        }
    }
}

impl Model {
    /// The tables of a page table for these addresses: the root, and each table below with a page in it, in the order of
    /// addresses and each before those below it. Those directly below the root may be `pinned`: there without a page, too.
    #[must_use]
    pub fn tables_for(&self, addresses: &[RangeInclusive<u64>], pinned: bool) -> Vec<Table> {
        let root = self.regime.levels();
        let mut tables: Vec<_> = (1..root).flat_map(|level| self.tables_of(level)).collect();
        if pinned {
            let span = self.regime.span(root);
            let starts = addresses.iter().flat_map(|range| {
                let count = (range.end() - range.start()) / span + 1;
                (0..count).map(|nth| range.start() + nth * span)
            });
            let vacant: Vec<_> = starts
                .filter(|start| self.starting_in(*start, span).next().is_none())
                .map(|start| self.table(root - 1, start, 0))
                .collect();
            tables.extend(vacant);
        }
        tables.sort_unstable_by_key(|table| (table.start, Reverse(table.level)));
        let size = |range: &RangeInclusive<u64>| range.end() - range.start() + 1;
        tables.insert(
            0,
            Table {
                level: root,
                start: addresses.first().map_or(0, |range| *range.start()),
                size: addresses.iter().map(size).sum(),
                used: None,
            },
        );
        tables
    }

    /// The tables of a level below the root.
    fn tables_of(&self, level: u8) -> Vec<Table> {
        let (entry, table) = (self.regime.span(level), self.regime.span(level + 1));
        let is_below = |size| level_of(self.regime, size).is_some_and(|lowest| lowest <= level);
        let pages = self.pages().filter(|(_, page)| is_below(page.size));
        let mut entries: Vec<_> = pages.map(|(va, _)| va / entry).collect();
        entries.dedup();
        let per_table = table / entry;
        let tables = entries.chunk_by(|one, next| one / per_table == next / per_table);
        tables
            .map(|used| self.table(level, used[0] / per_table * table, used.len()))
            .collect()
    }

    /// A table below the root.
    fn table(&self, level: u8, start: u64, used: usize) -> Table {
        let used = u16::try_from(used).ok();
        Table {
            level,
            start,
            size: self.regime.span(level + 1),
            used: used.filter(|_| counts(self.regime)),
        }
    }
}
