//! The tables as a tree, read word by word from physical memory.
//!
//! This follows the processor's manual (Intel SDM vol. 3, 5.5.4) and shares no code with the library.

use super::record::{Hex, Page};
use portolan::{CachePolicy, Mapping, PageProperty, PageSize, PhysAddr};
use portolan_machine::Memory;
use serde::Serialize;

const PRESENT: u64 = 1 << 0;
const WRITE: u64 = 1 << 1;
const USER: u64 = 1 << 2;
const WRITE_THROUGH: u64 = 1 << 3;
const CACHE_DISABLE: u64 = 1 << 4;
const ACCESSED: u64 = 1 << 5;
const DIRTY: u64 = 1 << 6;
/// Above level 1: the entry is a page. In level 1: the page attribute table's bit.
const PAGE_SIZE: u64 = 1 << 7;
const GLOBAL: u64 = 1 << 8;
const PAT_LARGE: u64 = 1 << 12;
const EXECUTE_DISABLE: u64 = 1 << 63;
/// Bits 51:12.
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
/// Bits that the processor ignores, in which the library counts the used entries of the table that is referred to.
const COUNT_SHIFT: u32 = 52;
const COUNT: u64 = 0x3ff;

/// A table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Table {
    /// Level 1 has the pages of 4 KiB.
    pub level: u32,
    /// Its physical address.
    pub addr: Hex,
    /// The entries that are not 0.
    pub entries: Vec<Entry>,
}

/// An entry that is not 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its index in the table.
    pub index: u64,
    /// The first virtual address that it serves.
    pub va: Hex,
    /// The word.
    pub word: Hex,
    /// What it says.
    #[serde(flatten)]
    pub target: Target,
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// There is another table.
    Table(Table),
    /// There is a page.
    Page(Page),
    /// Nothing that makes sense.
    Nothing,
}

/// The tree below `root`, and what is wrong with it.
pub fn read(memory: &Memory, root: PhysAddr, levels: u32) -> (Table, Vec<String>) {
    let mut problems = Vec::new();
    let root = read_table(memory, root.as_u64(), levels, 0, &mut problems);
    (root, problems)
}

fn read_table(
    memory: &Memory,
    addr: u64,
    level: u32,
    base: u64,
    problems: &mut Vec<String>,
) -> Table {
    let mut entries = Vec::new();
    for index in 0..512 {
        let word = memory.load(PhysAddr::new(addr + 8 * index));
        if word == 0 {
            continue;
        }
        let va = canonical(base + (index << shift(level)));
        let target = if word & PRESENT == 0 {
            Target::Nothing
        } else if level == 1 || word & PAGE_SIZE != 0 {
            page(level, word).map_or(Target::Nothing, |page| Target::Page(Page(page)))
        } else if memory.is_table(word & ADDRESS) {
            let table = read_table(memory, word & ADDRESS, level - 1, va, problems);
            if word & (WRITE | USER) != WRITE | USER || word & EXECUTE_DISABLE != 0 {
                problems.push(format!(
                    "{word:#x} takes rights away from the pages below it"
                ));
            }
            let (says, has) = (word >> COUNT_SHIFT & COUNT, table.entries.len());
            if says != has as u64 {
                problems.push(format!(
                    "{word:#x} counts {says} used entries, there are {has}"
                ));
            }
            Target::Table(table)
        } else {
            Target::Nothing
        };
        if target == Target::Nothing {
            problems.push(format!("{word:#x} at {addr:#x}[{index}] makes no sense"));
        }
        entries.push(Entry {
            index,
            va: Hex(va),
            word: Hex(word),
            target,
        });
    }
    Table {
        level,
        addr: Hex(addr),
        entries,
    }
}

fn shift(level: u32) -> u32 {
    12 + 9 * (level - 1)
}

/// The address with the copies of bit 47 above it.
fn canonical(va: u64) -> u64 {
    ((va << 16) as i64 >> 16) as u64
}

fn page(level: u32, word: u64) -> Option<Mapping> {
    let has = |bit| word & bit != 0;
    let (size, pat) = match level {
        1 => (PageSize::Size4K, PAGE_SIZE),
        2 => (PageSize::Size2M, PAT_LARGE),
        3 => (PageSize::Size1G, PAT_LARGE),
        _ => return None,
    };
    let cache = match (has(pat), has(CACHE_DISABLE), has(WRITE_THROUGH)) {
        (false, false, false) => CachePolicy::WriteBack,
        (false, false, true) => CachePolicy::WriteThrough,
        (false, true, false) => CachePolicy::UncacheableMinus,
        (false, true, true) => CachePolicy::Uncacheable,
        (true, false, false) => CachePolicy::WriteCombining,
        (true, false, true) => CachePolicy::WriteProtected,
        (true, true, _) => return None,
    };
    let frame = PhysAddr::new(word & ADDRESS & !(size.bytes() - 1));
    let prop = PageProperty {
        read: true,
        write: has(WRITE),
        execute: !has(EXECUTE_DISABLE),
        user: has(USER),
        global: has(GLOBAL),
        accessed: has(ACCESSED),
        dirty: has(DIRTY),
        cache,
    };
    Some(Mapping { frame, size, prop })
}

impl Table {
    /// The pages below, by virtual address.
    pub fn pages(&self) -> Vec<(u64, Mapping)> {
        let below = |entry: &Entry| match &entry.target {
            Target::Page(Page(page)) => vec![(entry.va.0, *page)],
            Target::Table(table) => table.pages(),
            Target::Nothing => Vec::new(),
        };
        self.entries.iter().flat_map(below).collect()
    }

    /// How many tables there are, this one included.
    pub fn tables(&self) -> usize {
        let below = |entry: &Entry| match &entry.target {
            Target::Table(table) => table.tables(),
            Target::Page(_) | Target::Nothing => 0,
        };
        1 + self.entries.iter().map(below).sum::<usize>()
    }
}

/// Whether the page at `next` goes on where the one at `last` ends, in virtual and in physical memory, and differs from
/// it in nothing but accessed and dirty bits.
pub fn follows(last: (u64, Mapping), next: (u64, Mapping)) -> bool {
    let ((at, last), (va, next)) = (last, next);
    let bytes = last.size.bytes();
    let prop = PageProperty {
        accessed: last.prop.accessed,
        dirty: last.prop.dirty,
        ..next.prop
    };
    at.checked_add(bytes) == Some(va)
        && last.frame.as_u64() + bytes == next.frame.as_u64()
        && (last.size, last.prop) == (next.size, prop)
}
