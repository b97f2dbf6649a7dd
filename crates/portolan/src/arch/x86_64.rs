//! x86_64 with 4 or 5 levels: Intel SDM vol. 3, ch. 5.
//!
//! Bits of an entry that hardware ignores hold the number of used entries of the table that it refers to (61:52).

use super::PagingMode;
use super::entry::Sealed;
use super::entry::{Entry, EntryFormat};
use super::geometry::Geometry;
use crate::addr::{PageSize, PhysAddr};
use crate::hw::mmu::Mmu;
#[cfg(verus_only)]
use crate::hw::mmu::{Allowed, Rights, Step};
use crate::prop::{CachePolicy, PageProperty};
use core::marker::PhantomData;
use vstd::prelude::*;

#[cfg(verus_only)]
pub(super) mod proof;
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
#[inline(always)]
fn pat_bit(level: u8) -> (r: u64)
    ensures
        r == spec::pat_bit(level as nat),
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
#[inline(always)]
fn cache_bits(level: u8, cache: CachePolicy) -> (r: u64)
    ensures
        r == spec::cache_bits(level as nat, cache),
    no_unwind
{
    proof {
        assert(0x10u64 | 0x8 == 0x18) by (bit_vector);
    }
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
#[inline(always)]
fn cache_policy(level: u8, word: u64) -> (r: CachePolicy)
    ensures
        r == spec::cache_policy(level as nat, word),
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

impl<L: Levels> EntryFormat for X86<L> {
    open spec fn page_size(level: nat) -> Option<PageSize> {
        if level == 1 {
            Some(PageSize::Size4K)
        } else if level == 2 {
            Some(PageSize::Size2M)
        } else if level == 3 {
            Some(PageSize::Size1G)
        } else {
            None
        }
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

    open spec fn unset(level: nat, word: u64) -> nat {
        (u64::MAX - word) as nat
    }

    closed spec fn entry(level: nat, word: u64) -> Entry {
        spec::entry(level, word)
    }

    closed spec fn wf(phys_bits: u64, level: nat, word: u64) -> bool {
        spec::wf(phys_bits, level, word)
    }

    #[inline(always)]
    fn geometry() -> Geometry {
        Geometry { page_bits: 12, index_bits: 9, levels: L::count(), root_bits: 9 }
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
        let upper = raw >> (11 + 9 * L::count() as u64);
        upper == 0 || upper == u64::MAX >> (11 + 9 * L::count() as u64)
    }

    #[inline(always)]
    fn canonicalize(offset: u64) -> u64 {
        let width = 12 + 9 * L::count() as u64;
        let r = if offset >> (width - 1) == 0 {
            offset
        } else {
            offset | (u64::MAX << width)
        };
        proof {
            proof::lemma_canonicalize::<L>(offset, width, r);
        }
        r
    }

    #[inline(always)]
    fn level_of(size: PageSize) -> Option<u8> {
        proof {
            L::lemma_levels();
        }
        match size {
            PageSize::Size4K => Some(1),
            PageSize::Size2M => Some(2),
            PageSize::Size1G => Some(3),
            _ => None,
        }
    }

    #[inline(always)]
    fn size_at(level: u8) -> Option<PageSize> {
        match level {
            1 => Some(PageSize::Size4K),
            2 => Some(PageSize::Size2M),
            3 => Some(PageSize::Size1G),
            _ => None,
        }
    }

    #[inline(always)]
    fn can_express(prop: PageProperty) -> bool {
        prop.read
    }

    #[inline(always)]
    fn decode(level: u8, word: u64) -> Entry {
        if word & PRESENT == 0 {
            Entry::Empty
        } else if level == 1 || (level <= 3 && word & HUGE != 0) {
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

    #[inline(always)]
    fn page(Ghost(phys_bits): Ghost<u64>, level: u8, frame: PhysAddr, prop: PageProperty) -> u64 {
        let r = frame.0 | PRESENT | (if prop.write {
            WRITE
        } else {
            0
        }) | (if prop.user {
            USER
        } else {
            0
        }) | (if prop.execute {
            0
        } else {
            NO_EXECUTE
        }) | (if prop.global {
            GLOBAL
        } else {
            0
        }) | (if prop.accessed {
            ACCESSED
        } else {
            0
        }) | (if prop.dirty {
            DIRTY
        } else {
            0
        }) | cache_bits(level, prop.cache) | (if level == 1 {
            0
        } else {
            HUGE
        });
        proof {
            proof::lemma_page::<L>(phys_bits, level, frame, prop, r);
        }
        r
    }

    #[inline(always)]
    fn table(Ghost(phys_bits): Ghost<u64>, level: u8, table: PhysAddr, used: u16) -> u64 {
        let _ = level;
        let r = table.0 | PRESENT | WRITE | USER | ACCESSED | ((used as u64) << 52);
        proof {
            proof::lemma_table::<L>(phys_bits, level, table, used, r);
        }
        r
    }

    proof fn lemma_geometry() {
        L::lemma_levels();
    }

    proof fn lemma_page_size(level: nat) {
        proof::lemma_spans::<L>();
    }

    proof fn lemma_wf(phys_bits: u64, level: nat, word: u64) {
        proof::lemma_wf::<L>(phys_bits, level, word);
    }

    proof fn lemma_align_down(raw: u64, size: PageSize) {
        L::lemma_levels();
        proof::lemma_align_down(raw, size);
    }

    proof fn lemma_supports(prop: PageProperty, accessed: bool, dirty: bool) {
    }

    proof fn lemma_read_only(prop: PageProperty) {
    }

    proof fn lemma_zero(phys_bits: u64, level: nat) {
        proof::lemma_zero(phys_bits, level);
    }

    proof fn lemma_absent(phys_bits: u64, level: nat, word: u64) {
        proof::lemma_absent(phys_bits, level, word);
    }

    proof fn lemma_settled(phys_bits: u64, level: nat, word: u64) {
        proof::lemma_settled(phys_bits, level, word);
    }

    proof fn lemma_step(phys_bits: u64, level: nat, word: u64, now: u64) {
        proof::lemma_step::<L>(phys_bits, level, word, now);
    }

    proof fn lemma_reflexive(level: nat, word: u64) {
    }

    proof fn lemma_progress(level: nat, word: u64, now: u64) {
        proof::lemma_progress(level, word, now);
    }
}

} // verus!
