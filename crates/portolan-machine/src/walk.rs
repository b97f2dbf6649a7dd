//! What processors make of the words of page tables: the hardware walk of each translation regime, to be executed.
//!
//! This is a reading of the manuals of its own. It shares no code with the library under test, only the names of cache
//! policies.
//!
//! ```
//! use portolan_machine::walk::{Regime, Walk, walk};
//!
//! // One word: the root's first entry, which refers to the root itself, as a table of every level and at last as a page
//! let read = |addr| (addr == 0x1000).then_some(0x1003);
//! let Walk::Page { phys, rights, .. } = walk(Regime::X86_64 { levels: 4 }, 40, 0x1000, 0x123, read) else {
//!     panic!("there is a page");
//! };
//! assert_eq!(phys, 0x1123);
//! assert_eq!(rights.kernel.to_string(), "rwx");
//! assert_eq!(rights.user.to_string(), "---");
//! ```

mod aarch64;
mod ept;
mod loongarch;
mod riscv;
mod step;
mod x86_64;

use portolan::PageSize;
use std::ops::RangeInclusive;
pub use step::{Allowed, Leaf, Rights, Step};

/// A translation regime: what a processor does with the words of tables.
///
/// Numbers that no processor offers are taken for the nearest that one does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Regime {
    /// x86_64.
    X86_64 {
        /// 4, or 5 with `CR4.LA57`.
        levels: u8,
    },
    /// Intel's extended page tables with 4 levels, which translate 48 bits of guest-physical address.
    Ept,
    /// Stage 1 of AArch64's EL1&0 regime.
    Arm1 {
        /// The size of the smallest page and of a table.
        granule: Granule,
        /// How many bits of the address are translated, at most 48: 64 less `TCR_EL1.TnSZ`.
        va_bits: u8,
        /// Which of the two roots.
        region: Region,
    },
    /// Stage 2 of AArch64's EL1&0 regime with a granule of 4 KiB, without concatenated tables.
    Arm2 {
        /// How many bits of the intermediate physical address are translated: 39 or 48.
        ipa_bits: u8,
    },
    /// RISC-V.
    Riscv {
        /// 3 for Sv39, 4 for Sv48, 5 for Sv57.
        levels: u8,
    },
    /// LoongArch64, with the refill handler that `portolan::arch::loongarch` lists.
    LoongArch {
        /// The size of the smallest page and of a table: 4 or 16 KiB.
        granule: Granule,
        /// How many bits of the address are translated in a region: 39 or 47; with 16 KiB always 47.
        va_bits: u8,
        /// Which of the two roots.
        region: Region,
    },
}

/// The size of the smallest page of AArch64 and LoongArch64, and of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Granule {
    /// 4 KiB.
    Size4K,
    /// 16 KiB.
    Size16K,
    /// 64 KiB.
    Size64K,
}

/// The half of the address space that a root of AArch64's EL1&0 regime, or of LoongArch64, serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Region {
    /// Addresses whose upper bits are 0, from `TTBR0_EL1` or `PGDL`.
    Lower,
    /// Addresses whose upper bits are 1, from `TTBR1_EL1` or `PGDH`.
    Upper,
}

/// Where a walk ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Walk {
    /// Nowhere: the address is not one that the regime translates.
    NonCanonical,
    /// At an entry with nothing there.
    Absent {
        /// The level of the entry's table.
        level: u8,
    },
    /// At an entry that has no meaning.
    Reserved {
        /// The level of the entry's table.
        level: u8,
        /// As in [`Step::Reserved`].
        bits: u64,
    },
    /// At an entry that is not in memory.
    OutsideMemory {
        /// The level of the entry's table.
        level: u8,
        /// The entry's physical address.
        addr: u64,
    },
    /// At a page.
    Page {
        /// The physical address of the byte.
        phys: u64,
        /// The level of the page's entry.
        level: u8,
        /// The page; global also if an entry above makes it so.
        leaf: Leaf,
        /// What all entries on the way together allow.
        rights: Rights,
    },
}

impl Granule {
    #[inline]
    const fn page_bits(self) -> u32 {
        match self {
            Granule::Size4K => 12,
            Granule::Size16K => 14,
            Granule::Size64K => 16,
        }
    }
}

/// The sizes of pages of all architectures.
pub const PAGE_SIZES: [PageSize; 7] = [
    PageSize::Size4K,
    PageSize::Size16K,
    PageSize::Size64K,
    PageSize::Size2M,
    PageSize::Size32M,
    PageSize::Size512M,
    PageSize::Size1G,
];

impl Regime {
    /// How many levels of tables there are: level 1 has the smallest pages, this one is the root's.
    #[inline]
    #[must_use]
    pub const fn levels(self) -> u8 {
        (self.va_bits() - self.page_bits()).div_ceil(self.stride()) as u8
    }

    /// The smallest page has 2 to the power of this many bytes.
    #[inline]
    #[must_use]
    pub const fn page_bits(self) -> u32 {
        match self {
            Regime::Arm1 { granule, .. } => granule.page_bits(),
            Regime::LoongArch {
                granule: Granule::Size16K | Granule::Size64K,
                ..
            } => 14,
            _ => 12,
        }
    }

    /// How many bits of the address are translated.
    #[inline]
    #[must_use]
    pub const fn va_bits(self) -> u32 {
        match self {
            Regime::X86_64 { levels: 5.. } | Regime::Riscv { levels: 5.. } => 57,
            Regime::X86_64 { .. } | Regime::Ept | Regime::Riscv { levels: 4 } => 48,
            Regime::Riscv { .. }
            | Regime::LoongArch {
                granule: Granule::Size4K,
                va_bits: ..40,
                ..
            } => 39,
            Regime::LoongArch { .. } => 47,
            Regime::Arm1 { va_bits: bits, .. } | Regime::Arm2 { ipa_bits: bits } => match bits {
                // TCR_EL1.TnSZ is 16 to 39 without larger address spaces and smaller tables (D8.2)
                0..25 => 25,
                25..=48 => bits as u32,
                49.. => 48,
            },
        }
    }

    /// Bits of the address that index a table below the root: a table takes as much as the smallest page.
    #[inline]
    const fn stride(self) -> u32 {
        self.page_bits() - 3
    }

    /// How many bits of the address index a table of `level`; those of the root may be fewer.
    #[inline]
    #[must_use]
    pub const fn index_bits(self, level: u8) -> u32 {
        if level < self.levels() {
            self.stride()
        } else {
            self.va_bits() - self.page_bits() - (self.levels() as u32 - 1) * self.stride()
        }
    }

    /// How many bytes a table of `level` takes; a root that is smaller than the others need not be aligned to more.
    #[must_use]
    pub const fn table_bytes(self, level: u8) -> u64 {
        8 << self.index_bits(level)
    }

    /// How many bytes an entry of a table of `level` covers; of levels that there are not, those of the nearest.
    #[inline]
    #[must_use]
    pub const fn span(self, level: u8) -> u64 {
        let level = match level {
            0 => 1,
            level if level > self.levels() => self.levels(),
            level => level,
        };
        1 << (self.page_bits() + (level as u32 - 1) * self.stride())
    }

    /// The levels whose entries can map pages, the smallest first.
    #[must_use]
    pub const fn page_levels(self) -> &'static [u8] {
        const LEVELS: &[u8] = &[1, 2, 3, 4, 5];
        let most = match self {
            Regime::X86_64 { .. } | Regime::Ept | Regime::Arm2 { .. } => 3,
            Regime::Arm1 { granule, .. } | Regime::LoongArch { granule, .. } => match granule {
                Granule::Size4K => 3,
                Granule::Size16K | Granule::Size64K => 2,
            },
            Regime::Riscv { .. } => 5,
        };
        let levels = self.levels() as usize;
        LEVELS.split_at(if levels < most { levels } else { most }).0
    }

    /// The sizes of pages that programs can ask for, the smallest first: of the levels whose entries can map pages, those
    /// that [`PageSize`] has a name for.
    #[must_use]
    pub fn page_sizes(self) -> Vec<PageSize> {
        let levels = self.page_levels().iter();
        levels.filter_map(|level| self.page_size(*level)).collect()
    }

    /// The size of a page that an entry of `level` maps, if it can, and [`PageSize`] has a name for it.
    #[must_use]
    pub fn page_size(self, level: u8) -> Option<PageSize> {
        let can = self.page_levels().contains(&level);
        let mut sizes = PAGE_SIZES.into_iter().filter(|_| can);
        sizes.find(|size| size.bytes() == self.span(level))
    }

    /// Whether the regime translates `va` at all.
    #[must_use]
    pub const fn canonical(self, va: u64) -> bool {
        self.extended(va) == va
    }

    /// The address with the bits that index the tables as `va` has them, and those above as the regime wants them.
    #[inline]
    #[must_use]
    pub const fn extended(self, va: u64) -> u64 {
        let unused = 64 - self.va_bits();
        match self {
            Regime::X86_64 { .. } | Regime::Riscv { .. } => {
                ((va << unused).cast_signed() >> unused).cast_unsigned()
            }
            Regime::Arm1 {
                region: Region::Upper,
                ..
            }
            | Regime::LoongArch {
                region: Region::Upper,
                ..
            } => va | !(u64::MAX >> unused),
            Regime::Ept | Regime::Arm1 { .. } | Regime::Arm2 { .. } | Regime::LoongArch { .. } => {
                va & (u64::MAX >> unused)
            }
        }
    }

    /// Whether `va` is one of the other region's, with as many address bits: its upper bits are the opposite of what they are
    /// in this one.
    #[must_use]
    pub const fn is_other_regions(self, va: u64) -> bool {
        let upper = u64::MAX << self.va_bits();
        match self {
            Regime::Arm1 { .. } | Regime::LoongArch { .. } => (va ^ self.extended(va)) == upper,
            _ => false,
        }
    }

    /// The addresses that the regime translates, in ascending order: two halves, or one range.
    #[must_use]
    pub fn ranges(self) -> Vec<RangeInclusive<u64>> {
        let bits = self.va_bits();
        let low = |bits| 0..=(1u64 << bits) - 1;
        let high = |bits| u64::MAX << bits..=u64::MAX;
        match self {
            Regime::X86_64 { .. } | Regime::Riscv { .. } => vec![low(bits - 1), high(bits - 1)],
            Regime::Arm1 {
                region: Region::Upper,
                ..
            }
            | Regime::LoongArch {
                region: Region::Upper,
                ..
            } => vec![high(bits)],
            Regime::Ept | Regime::Arm1 { .. } | Regime::Arm2 { .. } | Regime::LoongArch { .. } => {
                vec![low(bits)]
            }
        }
    }

    /// The index in a table of `level` of the entry for `va`.
    #[inline]
    #[must_use]
    pub const fn index(self, va: u64, level: u8) -> usize {
        ((va / self.span(level)) & ((1 << self.index_bits(level)) - 1)) as usize
    }

    /// What `word`, found in a table of `level`, tells the walk on a machine with physical addresses of `phys_bits` bits.
    #[inline]
    #[must_use]
    pub const fn step(self, phys_bits: u8, level: u8, word: u64) -> Step {
        match self {
            Regime::X86_64 { .. } => x86_64::step(self, phys_bits, level, word),
            Regime::Ept => ept::step(self, phys_bits, level, word),
            Regime::Arm1 { .. } => aarch64::stage1(self, phys_bits, level, word),
            Regime::Arm2 { .. } => aarch64::stage2(self, phys_bits, level, word),
            Regime::Riscv { .. } => riscv::step(self, phys_bits, level, word),
            Regime::LoongArch { .. } => loongarch::step(self, phys_bits, level, word),
        }
    }

    /// What the page that `word` maps allows below tables that leave `tables`.
    ///
    /// This is not always what both allow: on AArch64, EL1 may execute what EL0 could write to, if a table keeps EL0 from
    /// writing.
    #[inline]
    #[must_use]
    pub const fn effective(self, tables: Rights, leaf: &Leaf, word: u64) -> Rights {
        match self {
            Regime::Arm1 { .. } => aarch64::effective(tables, word),
            _ => tables.and(leaf.rights),
        }
    }

    /// Which of the eight entries of `IA32_PAT` or `MAIR_EL1` the word of a page of `level` selects. `None` where the word
    /// itself has the policy.
    #[inline]
    #[must_use]
    pub const fn cache_index(self, level: u8, word: u64) -> Option<u8> {
        match self {
            Regime::X86_64 { .. } => Some(x86_64::pat_index(level, word)),
            Regime::Arm1 { .. } => Some(aarch64::attribute_index(word)),
            Regime::Ept | Regime::Arm2 { .. } | Regime::Riscv { .. } | Regime::LoongArch { .. } => {
                None
            }
        }
    }

    /// Whether `word`, which refers to a table, makes all translations below it global.
    #[inline]
    #[must_use]
    pub const fn shares(self, word: u64) -> bool {
        match self {
            Regime::Riscv { .. } => riscv::shares(word),
            _ => false,
        }
    }

    /// Whether an entry in use has to be made invalid, and be invalidated, before it maps a page of another size, of
    /// another frame or cached otherwise, or a page that is global: on AArch64 (Arm ARM D8.17.1) and on LoongArch64, whose
    /// TLB must not have two entries for an address (Volume 1, 5.4.4).
    #[must_use]
    pub const fn breaks_before_make(self) -> bool {
        matches!(
            self,
            Regime::Arm1 { .. } | Regime::Arm2 { .. } | Regime::LoongArch { .. }
        )
    }

    /// Whether hardware notes in an entry that its page was used and stored to: everywhere but on LoongArch64.
    #[must_use]
    pub const fn marks(self) -> bool {
        !matches!(self, Regime::LoongArch { .. })
    }

    /// What hardware makes of `word`, found in a table of `level`, when a walk for an allowed access uses it: `store` says
    /// whether the access is one.
    #[must_use]
    pub const fn used(self, level: u8, word: u64, store: bool) -> u64 {
        match self.step(64, level, word) {
            Step::Absent | Step::Reserved { .. } => word,
            Step::Table { .. } => match self {
                Regime::X86_64 { .. } => word | x86_64::ACCESSED,
                Regime::Ept => word | ept::ACCESSED,
                Regime::Arm1 { .. }
                | Regime::Arm2 { .. }
                | Regime::Riscv { .. }
                | Regime::LoongArch { .. } => word,
            },
            Step::Page(_) => match self {
                Regime::X86_64 { .. } => x86_64::used(word, store),
                Regime::Ept => ept::used(word, store),
                Regime::Arm1 { .. } => aarch64::used1(word, store),
                Regime::Arm2 { .. } => aarch64::used2(word, store),
                Regime::Riscv { .. } => riscv::used(word, store),
                Regime::LoongArch { .. } => word,
            },
        }
    }
}

/// Walks from the table at `root` to the page that serves `va`; `read` gives the word at a physical address, if there is
/// memory.
pub fn walk(
    regime: Regime,
    phys_bits: u8,
    root: u64,
    va: u64,
    mut read: impl FnMut(u64) -> Option<u64>,
) -> Walk {
    if !regime.canonical(va) {
        return Walk::NonCanonical;
    }
    let (mut table, mut level) = (root, regime.levels());
    let (mut tables, mut shared) = (Rights::ALL, false);
    loop {
        let addr = table.wrapping_add(8 * regime.index(va, level) as u64);
        let Some(word) = read(addr) else {
            return Walk::OutsideMemory { level, addr };
        };
        match regime.step(phys_bits, level, word) {
            Step::Absent => return Walk::Absent { level },
            Step::Reserved { bits } => return Walk::Reserved { level, bits },
            Step::Page(leaf) => {
                return Walk::Page {
                    phys: leaf.frame + (va & (leaf.size - 1)),
                    level,
                    leaf: Leaf {
                        global: leaf.global || shared,
                        ..leaf
                    },
                    rights: regime.effective(tables, &leaf, word),
                };
            }
            Step::Table {
                table: next,
                rights,
            } => {
                tables = tables.and(rights);
                shared |= regime.shares(word);
                table = next;
                // No regime has tables below level 1
                level -= 1;
            }
        }
    }
}

/// Whether any bit of `mask` is set.
const fn has(word: u64, mask: u64) -> bool {
    word & mask != 0
}

/// Bits of addresses that a machine with `phys_bits` of them does not have.
const fn beyond(phys_bits: u8) -> u64 {
    match u64::MAX.checked_shl(phys_bits as u32) {
        Some(bits) => bits,
        None => 0,
    }
}
