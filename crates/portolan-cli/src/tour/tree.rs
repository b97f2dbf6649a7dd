//! The tables as a tree, read word by word from physical memory.
//!
//! What the words mean is the machine's reading of the manuals ([`Regime::step`]), which shares no code with the library.

use super::record::{Hex, Page};
use portolan::{Mapping, PageProperty, PhysAddr};
use portolan_machine::Memory;
use portolan_machine::walk::{Leaf, Regime, Rights, Step};
use serde::Serialize;

/// Bits that x86_64 processors ignore where an entry refers to a table. The library counts the used entries of that table
/// there.
const COUNT_SHIFT: u32 = 52;
const COUNT: u64 = 0x3ff;

/// A table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Table {
    /// Level 1 has the smallest pages.
    pub level: u8,
    /// Its physical address.
    pub addr: Hex,
    /// How many entries it has room for.
    pub room: u64,
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
pub fn read(memory: &Memory, root: PhysAddr, regime: Regime) -> (Table, Vec<String>) {
    let mut reader = Reader {
        memory,
        regime,
        problems: Vec::new(),
    };
    let root = reader.table(root.as_u64(), regime.levels(), 0);
    (root, reader.problems)
}

struct Reader<'m> {
    memory: &'m Memory,
    regime: Regime,
    problems: Vec<String>,
}

impl Reader<'_> {
    fn table(&mut self, addr: u64, level: u8, base: u64) -> Table {
        let (regime, room) = (self.regime, 1 << self.regime.index_bits(level));
        let mut entries = Vec::new();
        for index in 0..room {
            let word = self.memory.load(PhysAddr::new(addr + 8 * index));
            if word == 0 {
                continue;
            }
            let va = regime.extended(base + index * regime.span(level));
            let target = self.target(level, va, word);
            if target == Target::Nothing {
                let problem = format!("{word:#x} at {addr:#x}[{index}] makes no sense");
                self.problems.push(problem);
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
            room,
            entries,
        }
    }

    fn target(&mut self, level: u8, va: u64, word: u64) -> Target {
        match self.regime.step(self.memory.phys_bits(), level, word) {
            Step::Page(leaf) => page(leaf, self.regime, level)
                .map_or(Target::Nothing, |page| Target::Page(Page(page))),
            Step::Table { table, rights } if self.memory.is_table(table) => {
                let below = self.table(table, level - 1, va);
                if rights != Rights::ALL {
                    let problem = format!("{word:#x} takes rights away from the pages below it");
                    self.problems.push(problem);
                }
                self.check_count(word, below.entries.len() as u64);
                Target::Table(below)
            }
            _ => Target::Nothing,
        }
    }

    /// Checks how many used entries a word says that the table has which it refers to, on x86_64.
    fn check_count(&mut self, word: u64, has: u64) {
        let says = word >> COUNT_SHIFT & COUNT;
        if matches!(self.regime, Regime::X86_64 { .. } | Regime::Ept) && says != has {
            let problem = format!("{word:#x} counts {says} used entries, there are {has}");
            self.problems.push(problem);
        }
    }
}

/// The mapping that an entry stands for. What only a program could do, it may; what no program can, is the kernel's. Accessed
/// and dirty are what hardware has marked.
fn page(leaf: Leaf, regime: Regime, level: u8) -> Option<Mapping> {
    let size = regime.page_size(level)?;
    let user = leaf.rights.user.any();
    let allowed = if user {
        leaf.rights.user
    } else {
        leaf.rights.kernel
    };
    let prop = PageProperty {
        read: allowed.read,
        write: allowed.write,
        execute: allowed.execute,
        user,
        global: leaf.global,
        accessed: regime.marks() && leaf.accessed,
        dirty: regime.marks() && leaf.dirty,
        cache: leaf.cache,
    };
    let frame = PhysAddr::new(leaf.frame);
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
