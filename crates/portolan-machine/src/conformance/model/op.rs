//! Requests to a page table, and answers.

use portolan::{Mapping, PageProperty, PageSize, UsedBits};

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
    /// [`PageTable::break_page`](portolan::PageTable::break_page) or
    /// [`PageTable::break_pages`](portolan::PageTable::break_pages), a flush, and what is made then. If nothing can be made
    /// for want of memory, the pages are restored.
    Remake {
        /// The virtual address.
        va: u64,
        /// The size of what is broken.
        size: PageSize,
        /// Whether it is several pages of the next smaller size.
        parts: bool,
        /// What is made in its place.
        make: Make,
    },
    /// [`PageTable::copy_range`](portolan::PageTable::copy_range) or
    /// [`PageTable::copy_range_write_protected`](portolan::PageTable::copy_range_write_protected) into a new table, which
    /// takes the place of this one.
    Copy {
        /// The first virtual address.
        va: u64,
        /// How many bytes.
        bytes: u64,
        /// Whether the right to write is taken from both.
        protect: bool,
        /// Where the new table has a page of the smallest size before that, if it has one, and its frame.
        beside: Option<(u64, u64)>,
    },
    /// All pages of a range that were used. Of a table that does not track what is used, nothing is asked.
    Harvest {
        /// The first virtual address.
        va: u64,
        /// How many bytes.
        bytes: u64,
        /// Which bits are looked for, and cleared.
        bits: UsedBits,
        /// How they are looked for.
        by: Search,
    },
    /// A step of a [`CursorMut`](portolan::CursorMut) over a range.
    Step {
        /// The range's first virtual address.
        va: u64,
        /// How many bytes the range has.
        bytes: u64,
        /// How many bytes from there the cursor is.
        pos: u64,
        /// What it does.
        step: Step,
    },
}

/// What is made in the place of pages that were broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Make {
    /// [`Vacant::map`](portolan::Vacant::map)
    Map {
        /// The frame's physical address.
        frame: u64,
        /// What the page allows.
        prop: PageProperty,
    },
    /// [`Vacant::protect`](portolan::Vacant::protect)
    Protect {
        /// What the page allows.
        prop: PageProperty,
    },
    /// [`Vacant::collapse`](portolan::Vacant::collapse)
    Collapse,
    /// [`Vacant::split`](portolan::Vacant::split)
    Split {
        /// The size of the pages to be.
        part: PageSize,
    },
    /// [`Vacant::restore`](portolan::Vacant::restore)
    Restore,
    /// [`Vacant::abandon`](portolan::Vacant::abandon)
    Abandon,
}

/// What a cursor does where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// [`CursorMut::map`](portolan::CursorMut::map)
    Map {
        /// The frame's physical address.
        frame: u64,
        /// The page's size.
        size: PageSize,
        /// What it allows.
        prop: PageProperty,
    },
    /// [`CursorMut::map_range`](portolan::CursorMut::map_range)
    MapRange {
        /// How many bytes.
        len: u64,
        /// The first frame's physical address.
        frame: u64,
        /// No page is larger.
        largest: PageSize,
        /// What the pages allow.
        prop: PageProperty,
    },
    /// [`CursorMut::unmap`](portolan::CursorMut::unmap)
    Unmap {
        /// How many bytes.
        len: u64,
    },
    /// [`CursorMut::protect_next`](portolan::CursorMut::protect_next)
    ProtectNext {
        /// Within how many bytes.
        len: u64,
        /// What the page allows from now on.
        prop: PageProperty,
    },
    /// [`CursorMut::find_next`](portolan::CursorMut::find_next)
    FindNext {
        /// Within how many bytes.
        len: u64,
    },
    /// [`CursorMut::move_forward`](portolan::CursorMut::move_forward)
    MoveForward,
    /// [`CursorMut::jump`](portolan::CursorMut::jump)
    Jump {
        /// Where to.
        to: u64,
    },
}

impl Step {
    /// How many bytes from the cursor on are asked about.
    fn bytes(&self) -> u64 {
        match *self {
            Step::Map { size, .. } => size.bytes(),
            Step::MapRange { len, .. }
            | Step::Unmap { len }
            | Step::ProtectNext { len, .. }
            | Step::FindNext { len } => len,
            Step::MoveForward | Step::Jump { .. } => 0,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Step::Map { .. } => "cursor_mut.map",
            Step::MapRange { .. } => "cursor_mut.map_range",
            Step::Unmap { .. } => "cursor_mut.unmap",
            Step::ProtectNext { .. } => "cursor_mut.protect_next",
            Step::FindNext { .. } => "cursor_mut.find_next",
            Step::MoveForward => "cursor_mut.move_forward",
            Step::Jump { .. } => "cursor_mut.jump",
        }
    }
}

impl Make {
    fn name(&self, parts: bool) -> &'static str {
        match (self, parts) {
            (Make::Map { .. }, false) => "break_page.map",
            (Make::Protect { .. }, false) => "break_page.protect",
            (Make::Collapse, false) => "break_page.collapse",
            (Make::Split { .. }, false) => "break_page.split",
            (Make::Restore, false) => "break_page.restore",
            (Make::Abandon, false) => "break_page.abandon",
            (Make::Map { .. }, true) => "break_pages.map",
            (Make::Protect { .. }, true) => "break_pages.protect",
            (Make::Collapse, true) => "break_pages.collapse",
            (Make::Split { .. }, true) => "break_pages.split",
            (Make::Restore, true) => "break_pages.restore",
            (Make::Abandon, true) => "break_pages.abandon",
        }
    }
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
            | Op::Collapse { va, .. }
            | Op::Remake { va, .. }
            | Op::Copy { va, .. }
            | Op::Harvest { va, .. } => va,
            Op::Step { va, pos, .. } => va.wrapping_add(pos),
        }
    }

    /// The first address that is named: for a cursor, its range's.
    #[must_use]
    pub fn start(&self) -> u64 {
        match *self {
            Op::Step { va, .. } => va,
            _ => self.va(),
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
            | Op::Collapse { size, .. }
            | Op::Remake { size, .. } => size.bytes(),
            Op::MapRange { bytes, .. }
            | Op::UnmapRange { bytes, .. }
            | Op::ProtectRange { bytes, .. }
            | Op::Copy { bytes, .. }
            | Op::Harvest { bytes, .. } => bytes,
            Op::Query { .. } => 0,
            // No more than the rest of the range
            Op::Step {
                bytes, pos, step, ..
            } => step.bytes().min(bytes.saturating_sub(pos)),
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
            Op::Remake { parts, make, .. } => make.name(*parts),
            Op::Copy { protect: false, .. } => "copy_range",
            Op::Copy { protect: true, .. } => "copy_range_write_protected",
            Op::Harvest { by, .. } => match by {
                Search::Harvest => "harvest",
                Search::Next => "test_and_clear_next",
                Search::Each => "test_and_clear",
            },
            Op::Step { step, .. } => step.name(),
        }
    }
}

/// How used pages are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    /// [`PageTable::harvest`](portolan::PageTable::harvest), to its end.
    Harvest,
    /// [`PageTable::test_and_clear_next`](portolan::PageTable::test_and_clear_next), until there is none.
    Next,
    /// [`PageTable::test_and_clear`](portolan::PageTable::test_and_clear), of each page that is mapped. Of a range that cuts a
    /// page, nobody asks in this way.
    Each,
}

/// What a page table answers to a request that it performs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing: to a map.
    Done,
    /// A page: as it was, or for a query and a collapse, as it is.
    Page(Mapping),
    /// How many bytes are mapped in a range, or were.
    Bytes(u64),
    /// Pages, and where they are: those that were used.
    Pages(Vec<(u64, Mapping)>),
    /// What a cursor did.
    Moved {
        /// How many bytes from the start of its range it is then.
        pos: u64,
        /// The page that it protected, as it was; otherwise the one that is where it is now. With the page's first address.
        page: Option<(u64, Mapping)>,
        /// How many bytes it unmapped.
        bytes: u64,
    },
}
