//! Which tables are inspected, and what their words mean.

use super::cache::Policies;
use super::summary::Page;
use portolan_machine::walk::{Granule, Regime, Region, Rights, Step};

/// The architectures by name; those of AArch64's stage 1 and of LoongArch64 are the lower region.
pub const ARCHITECTURES: [(&str, Regime); 17] = [
    ("x86_64", Regime::X86_64 { levels: 4 }),
    ("x86_64-la57", Regime::X86_64 { levels: 5 }),
    ("ept", Regime::Ept),
    ("aarch64-4k-39", stage1(Granule::Size4K, 39)),
    ("aarch64-4k-48", stage1(Granule::Size4K, 48)),
    ("aarch64-16k-47", stage1(Granule::Size16K, 47)),
    ("aarch64-16k-48", stage1(Granule::Size16K, 48)),
    ("aarch64-64k-42", stage1(Granule::Size64K, 42)),
    ("aarch64-64k-48", stage1(Granule::Size64K, 48)),
    ("aarch64-stage2-39", Regime::Arm2 { ipa_bits: 39 }),
    ("aarch64-stage2-48", Regime::Arm2 { ipa_bits: 48 }),
    ("sv39", Regime::Riscv { levels: 3 }),
    ("sv48", Regime::Riscv { levels: 4 }),
    ("sv57", Regime::Riscv { levels: 5 }),
    ("loongarch64-4k-39", loongarch(Granule::Size4K, 39)),
    ("loongarch64-4k-47", loongarch(Granule::Size4K, 47)),
    ("loongarch64-16k-47", loongarch(Granule::Size16K, 47)),
];

const fn loongarch(granule: Granule, va_bits: u8) -> Regime {
    Regime::LoongArch {
        granule,
        va_bits,
        region: Region::Lower,
    }
}

const fn stage1(granule: Granule, va_bits: u8) -> Regime {
    Regime::Arm1 {
        granule,
        va_bits,
        region: Region::Lower,
    }
}

/// Which tables are inspected.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// What processors make of words.
    pub regime: Regime,
    /// How wide the machine's physical addresses are.
    pub phys_bits: u8,
    /// What indices of cache policies mean.
    pub policies: Policies,
    /// The physical address of the root.
    pub root: u64,
}

/// A table as a walk comes to it. What it maps depends on nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Its physical address.
    pub table: u64,
    /// Its level: 1 has the smallest pages.
    pub level: u8,
    /// What the tables above leave.
    pub rights: Rights,
    /// A table above has made everything global.
    pub shared: bool,
}

/// An entry that is present.
#[derive(Clone, Copy, Debug)]
pub enum Entry {
    /// It has no meaning.
    Reserved {
        /// The bits that must not be set, or 0 if it is the encoding.
        bits: u64,
    },
    /// There is another table.
    Table(Place),
    /// There is a page.
    Page(Page),
}

impl Target {
    /// The root, as walks begin at it.
    pub fn start(&self) -> Place {
        Place {
            table: self.root,
            level: self.regime.levels(),
            rights: Rights::ALL,
            shared: false,
        }
    }

    /// How many entries a table has.
    pub fn entries(&self, place: Place) -> usize {
        1 << self.regime.index_bits(place.level)
    }

    /// The first address that an entry serves, counted from the first that the table serves. For the root, this is the
    /// virtual address.
    pub fn offset(&self, place: Place, index: usize) -> u64 {
        let offset = index as u64 * self.regime.span(place.level);
        if place.level == self.regime.levels() {
            self.regime.extended(offset)
        } else {
            offset
        }
    }

    /// What the entry with `word` at `index` says, if it is present. A page's address counts from the first that the table
    /// serves.
    pub fn entry(&self, place: Place, index: usize, word: u64) -> Option<Entry> {
        match self.regime.step(self.phys_bits, place.level, word) {
            Step::Absent => None,
            Step::Reserved { bits } => Some(Entry::Reserved { bits }),
            Step::Table { table, rights } => Some(Entry::Table(Place {
                table,
                level: place.level - 1,
                rights: place.rights.and(rights),
                shared: place.shared || self.regime.shares(word),
            })),
            Step::Page(leaf) => Some(Entry::Page(Page {
                va: self.offset(place, index),
                frame: leaf.frame,
                level: place.level,
                size: leaf.size,
                rights: self.regime.effective(place.rights, &leaf, word),
                cache: self.policies.policy(self.regime, place.level, word, &leaf),
                global: leaf.global || place.shared,
                accessed: self.regime.marks() && leaf.accessed,
                dirty: self.regime.marks() && leaf.dirty,
            })),
        }
    }

    /// Whether programs and a kernel share the addresses, and `va` is on the kernel's side.
    pub fn is_kernels(&self, va: u64) -> bool {
        match self.regime {
            Regime::X86_64 { .. } | Regime::Riscv { .. } => va >> 63 == 1,
            Regime::Arm1 { region, .. } | Regime::LoongArch { region, .. } => {
                region == Region::Upper
            }
            Regime::Ept | Regime::Arm2 { .. } => false,
        }
    }

    /// Whether it is for software to see that nothing is both writable and executable: what a hypervisor gives its guest is
    /// both.
    pub fn separates_code(&self) -> bool {
        !matches!(self.regime, Regime::Ept | Regime::Arm2 { .. })
    }
}
