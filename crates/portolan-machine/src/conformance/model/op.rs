//! Requests to a page table, and answers.

use portolan::{Mapping, PageProperty, PageSize};

/// A request to a page table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// [`PageTable::map`](portolan::PageTable::map)
    Map {
        /// The virtual address.
        va: u64,
        /// The frame's physical address.
        frame: u64,
        /// The page's size.
        size: PageSize,
        /// What it allows.
        prop: PageProperty,
    },
    /// [`PageTable::unmap`](portolan::PageTable::unmap)
    Unmap {
        /// The virtual address.
        va: u64,
        /// The page's size.
        size: PageSize,
    },
    /// [`PageTable::protect`](portolan::PageTable::protect)
    Protect {
        /// The virtual address.
        va: u64,
        /// The page's size.
        size: PageSize,
        /// What it allows from now on.
        prop: PageProperty,
    },
    /// [`PageTable::query`](portolan::PageTable::query)
    Query {
        /// The virtual address.
        va: u64,
    },
    /// [`PageTable::map_range`](portolan::PageTable::map_range)
    MapRange {
        /// The first virtual address.
        va: u64,
        /// How many bytes.
        bytes: u64,
        /// The first frame's physical address.
        frame: u64,
        /// No page is larger.
        largest: PageSize,
        /// What the pages allow.
        prop: PageProperty,
    },
    /// [`PageTable::unmap_range`](portolan::PageTable::unmap_range)
    UnmapRange {
        /// The first virtual address.
        va: u64,
        /// How many bytes.
        bytes: u64,
    },
    /// [`PageTable::protect_range`](portolan::PageTable::protect_range)
    ProtectRange {
        /// The first virtual address.
        va: u64,
        /// How many bytes.
        bytes: u64,
        /// What the pages allow from now on.
        prop: PageProperty,
    },
    /// [`PageTable::split`](portolan::PageTable::split)
    Split {
        /// The virtual address.
        va: u64,
        /// The page's size.
        size: PageSize,
    },
    /// [`PageTable::collapse`](portolan::PageTable::collapse)
    Collapse {
        /// The virtual address.
        va: u64,
        /// The size of the page to be.
        size: PageSize,
    },
}

impl Op {
    /// The first address that is asked about.
    #[must_use]
    pub fn va(&self) -> u64 {
        match *self {
            Op::Map { va, .. }
            | Op::Unmap { va, .. }
            | Op::Protect { va, .. }
            | Op::Query { va }
            | Op::MapRange { va, .. }
            | Op::UnmapRange { va, .. }
            | Op::ProtectRange { va, .. }
            | Op::Split { va, .. }
            | Op::Collapse { va, .. } => va,
        }
    }

    /// How many bytes are asked about; 0 for a query.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        match *self {
            Op::Map { size, .. }
            | Op::Unmap { size, .. }
            | Op::Protect { size, .. }
            | Op::Split { size, .. }
            | Op::Collapse { size, .. } => size.bytes(),
            Op::MapRange { bytes, .. }
            | Op::UnmapRange { bytes, .. }
            | Op::ProtectRange { bytes, .. } => bytes,
            Op::Query { .. } => 0,
        }
    }

    /// The operation's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Op::Map { .. } => "map",
            Op::Unmap { .. } => "unmap",
            Op::Protect { .. } => "protect",
            Op::Query { .. } => "query",
            Op::MapRange { .. } => "map_range",
            Op::UnmapRange { .. } => "unmap_range",
            Op::ProtectRange { .. } => "protect_range",
            Op::Split { .. } => "split",
            Op::Collapse { .. } => "collapse",
        }
    }
}

/// What a page table answers to a request that it performs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing: to a map.
    Done,
    /// A page: as it was, or for a query and a collapse, as it is.
    Page(Mapping),
    /// How many bytes are mapped in a range, or were.
    Bytes(u64),
}
