//! x86_64 with 4 or 5 levels: Intel SDM vol. 3, ch. 5.
//!
//! Bits of an entry that hardware ignores hold the number of used entries of the table that it refers to (61:52).

use super::PagingMode;
use super::entry::{Encoding, Entry, Sealed};
use super::geometry::Geometry;
use super::halves::Halves;
use super::words::{self, flag};
use crate::addr::{PageSize, PhysAddr};
use crate::hw::mmu::Mmu;
#[cfg(verus_only)]
use crate::hw::mmu::{Allowed, Rights, Step};
use crate::prop::{CachePolicy, PageProperty};
use core::marker::PhantomData;
use vstd::contrib::auto_spec;
use vstd::prelude::*;

#[cfg(verus_only)]
mod proof;
#[cfg(verus_only)]
mod spec;

verus! {

/// What a kernel that uses [`CachePolicy::WriteCombining`] or [`CachePolicy::WriteProtected`] writes to `IA32_PAT`
/// (MSR 277H): the first four entries as at reset, then write-combining, write-protected, uncacheable-minus,
/// uncacheable (Intel SDM vol. 3, 13.12.4).
pub const PAT: u64 = 0x0007_0501_0007_0406;

const PRESENT: u64 = 0x1;

const WRITE: u64 = 0x2;

const USER: u64 = 0x4;

const PWT: u64 = 0x8;

const PCD: u64 = 0x10;

const ACCESSED: u64 = 0x20;

const DIRTY: u64 = 0x40;

/// In an upper table: this entry is a page. In a table of level 1 the bit is `PAT_SMALL`.
const HUGE: u64 = 0x80;

const PAT_SMALL: u64 = 0x80;

const GLOBAL: u64 = 0x100;

const PAT_HUGE: u64 = 0x1000;

const NO_EXECUTE: u64 = 0x8000_0000_0000_0000;

const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// Without `PAT_HUGE`.
const ADDRESS_HUGE: u64 = 0x000f_ffff_ffff_e000;

/// How many levels: [`FourLevels`] or [`FiveLevels`].
pub trait Levels: Copy + Sealed {
    /// The number of levels.
    spec fn levels() -> u8;

    /// The number of levels.
    fn count() -> (r: u8)
        ensures
            r == Self::levels(),
            4 <= r <= 5,
        opens_invariants none
        no_unwind
    ;

    /// Four or five.
    proof fn lemma_levels()
        ensures
            4 <= Self::levels() <= 5,
    ;
}

/// Four levels, 48-bit addresses.
#[derive(Clone, Copy, Debug)]
pub struct FourLevels;

/// Five levels, 57-bit addresses (`CR4.LA57`).
#[derive(Clone, Copy, Debug)]
pub struct FiveLevels;

impl Sealed for FourLevels {

}

impl Sealed for FiveLevels {

}

impl Levels for FourLevels {
    open spec fn levels() -> u8 {
        4
    }

    #[inline(always)]
    fn count() -> u8 {
        4
    }

    proof fn lemma_levels() {
    }
}

impl Levels for FiveLevels {
    open spec fn levels() -> u8 {
        5
    }

    #[inline(always)]
    fn count() -> u8 {
        5
    }

    proof fn lemma_levels() {
    }
}

/// x86_64 paging with as many levels as `L` says.
#[verifier::allow(autoderive_clone_without_spec)]
#[derive(Clone, Copy, Debug)]
pub struct X86<L: Levels>(PhantomData<L>);

/// x86_64 paging with four levels.
pub type X86_64 = X86<FourLevels>;

/// x86_64 paging with five levels.
pub type X86_64La57 = X86<FiveLevels>;

impl<L: Levels> PagingMode for X86<L> {

}

impl<L: Levels> Halves for X86<L> {
    proof fn lemma_halves() {
        proof::lemma_halves::<L>();
    }
}

impl<L: Levels> Mmu for X86<L> {
    open spec fn geo() -> Geometry {
        Geometry { page_bits: 12, index_bits: 9, levels: L::levels(), root_bits: 9 }
    }

    open spec fn canonical(va: u64) -> bool {
        crate::hw::x86_64::canonical(va, (12 + 9 * L::levels()) as u64)
    }

    open spec fn step(phys_bits: u64, level: nat, word: u64) -> Step {
        crate::hw::x86_64::step(phys_bits, level, word)
    }

    open spec fn may_become(level: nat, word: u64, now: u64) -> bool {
        crate::hw::x86_64::may_become(level, word, now)
    }
}

/// Where a page of `level` has the page attribute table's bit.
#[auto_spec]
#[inline(always)]
fn pat_bit(level: u8) -> u64
    opens_invariants none
    no_unwind
{
    if level == 1 {
        PAT_SMALL
    } else {
        PAT_HUGE
    }
}

/// The bits of a cache policy in an entry of `level`.
#[auto_spec]
#[inline(always)]
fn cache_bits(level: u8, cache: CachePolicy) -> u64
    no_unwind
{
    match cache {
        CachePolicy::WriteBack => 0,
        CachePolicy::WriteThrough => PWT,
        CachePolicy::UncacheableMinus => PCD,
        CachePolicy::Uncacheable => PCD | PWT,
        CachePolicy::WriteCombining => pat_bit(level),
        CachePolicy::WriteProtected => pat_bit(level) | PWT,
    }
}

/// The cache policy of an entry of `level`.
#[auto_spec]
#[inline(always)]
fn cache_policy(level: u8, word: u64) -> CachePolicy
    opens_invariants none
    no_unwind
{
    match (word & pat_bit(level) != 0, word & PCD != 0, word & PWT != 0) {
        (false, false, false) => CachePolicy::WriteBack,
        (false, false, true) => CachePolicy::WriteThrough,
        (true, false, false) => CachePolicy::WriteCombining,
        (true, false, true) => CachePolicy::WriteProtected,
        (_, true, false) => CachePolicy::UncacheableMinus,
        (_, true, true) => CachePolicy::Uncacheable,
    }
}

/// Whether a present entry of `level` is a page.
#[auto_spec]
#[inline(always)]
fn is_page(level: u8, word: u64) -> bool
    opens_invariants none
    no_unwind
{
    level == 1 || (level <= 3 && word & HUGE != 0)
}

/// What `word` stands for in a table of `level`.
#[auto_spec]
#[inline(always)]
fn decode(level: u8, word: u64) -> Entry
    opens_invariants none
    no_unwind
{
    if word & PRESENT == 0 {
        Entry::Empty
    } else if is_page(level, word) {
        let mask = if level == 1 {
            ADDRESS
        } else {
            ADDRESS_HUGE
        };
        Entry::Page {
            frame: PhysAddr(word & mask),
            prop: PageProperty {
                read: true,
                write: word & WRITE != 0,
                execute: word & NO_EXECUTE == 0,
                user: word & USER != 0,
                global: word & GLOBAL != 0,
                accessed: word & ACCESSED != 0,
                dirty: word & DIRTY != 0,
                cache: cache_policy(level, word),
            },
        }
    } else {
        Entry::Table { table: PhysAddr(word & ADDRESS), used: ((word >> 52) & 0x3ff) as u16 }
    }
}

/// The word for a page in a table of `level`.
#[auto_spec]
#[inline(always)]
fn page(level: u8, frame: PhysAddr, prop: PageProperty) -> u64
    no_unwind
{
    frame.0 | PRESENT | flag(prop.write, WRITE) | flag(prop.user, USER) | flag(
        !prop.execute,
        NO_EXECUTE,
    ) | flag(prop.global, GLOBAL) | flag(prop.accessed, ACCESSED) | flag(prop.dirty, DIRTY)
        | cache_bits(level, prop.cache) | flag(level > 1, HUGE)
}

/// The word for a table of which `used` entries are in use.
#[auto_spec]
#[inline(always)]
fn table(at: PhysAddr, used: u16) -> u64
    no_unwind
{
    at.0 | PRESENT | WRITE | USER | ACCESSED | ((used as u64) << 52)
}

impl<L: Levels> Encoding for X86<L> {
    open spec fn page_size(level: nat) -> Option<PageSize> {
        words::page_size(level)
    }

    open spec fn supports(prop: PageProperty) -> bool {
        prop.read
    }

    open spec fn rights(prop: PageProperty) -> Rights {
        let kernel = Allowed { read: prop.read, write: prop.write, execute: prop.execute };
        Rights {
            kernel,
            user: if prop.user {
                kernel
            } else {
                Allowed::none()
            },
        }
    }

    open spec fn frame_bits() -> u64 {
        52
    }

    open spec fn counts() -> bool {
        true
    }

    open spec fn resizes() -> bool {
        true
    }

    open spec fn pins() -> bool {
        false
    }

    open spec fn unset(level: nat, word: u64) -> nat {
        (u64::MAX - word) as nat
    }

    closed spec fn entry(level: nat, word: u64) -> Entry {
        decode(level as u8, word)
    }

    closed spec fn wf(phys_bits: u64, level: nat, word: u64) -> bool {
        spec::wf(phys_bits, level, word)
    }

    #[inline(always)]
    fn geometry() -> Geometry {
        Geometry { page_bits: 12, index_bits: 9, levels: L::count(), root_bits: 9 }
    }

    #[inline(always)]
    fn pinning() -> bool {
        false
    }

    #[inline(always)]
    fn counting() -> bool {
        true
    }

    /// After a change of the page size the TLB may hold several translations of an address, and each access uses one
    /// of them (Intel SDM vol. 3, 5.10.2.3): any will do where frame and attributes are the same (5.10.4.2).
    #[inline(always)]
    fn resizing() -> bool {
        true
    }

    #[inline(always)]
    fn frame_limit() -> u64 {
        52
    }

    #[inline(always)]
    fn is_canonical(raw: u64) -> bool {
        words::is_sign_extended(raw, 12 + 9 * L::count() as u64)
    }

    #[inline(always)]
    fn canonicalize(offset: u64) -> u64 {
        proof {
            L::lemma_levels();
            words::proof::lemma_sizes(Self::geo());
        }
        words::sign_extend(offset, 12 + 9 * L::count() as u64)
    }

    #[inline(always)]
    fn level_of(size: PageSize) -> Option<u8> {
        proof {
            L::lemma_levels();
        }
        words::level_of(size)
    }

    #[inline(always)]
    fn size_at(level: u8) -> Option<PageSize> {
        words::size_at(level)
    }

    #[inline(always)]
    fn can_express(prop: PageProperty) -> bool {
        prop.read
    }

    #[inline(always)]
    fn decode(level: u8, word: u64) -> Entry {
        decode(level, word)
    }

    #[inline(always)]
    fn page(Ghost(phys_bits): Ghost<u64>, level: u8, frame: PhysAddr, prop: PageProperty) -> u64 {
        proof {
            L::lemma_levels();
            words::proof::lemma_sizes(Self::geo());
            proof::lemma_page(phys_bits, level, frame, prop);
        }
        page(level, frame, prop)
    }

    #[inline(always)]
    fn table(Ghost(phys_bits): Ghost<u64>, level: u8, table: PhysAddr, used: u16) -> u64 {
        let _ = level;
        proof {
            L::lemma_levels();
            words::proof::lemma_sizes(Self::geo());
            proof::lemma_table(phys_bits, level, table, used);
        }
        self::table(table, used)
    }
}

} // verus!
