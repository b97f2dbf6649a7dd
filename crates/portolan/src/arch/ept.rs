//! Intel's extended page tables with four levels: Intel SDM vol. 3, 30.3 (29.3 in 2023, 28.3 before).
//!
//! They translate a guest's physical addresses. A [`VirtAddr`](crate::VirtAddr)`<`[`Ept`]`>` is such an address: 48
//! bits, the upper 16 zero. Pages are of 4 KiB, 2 MiB and 1 GiB. A hypervisor keeps one `PageTable<M, Ept>` a guest.
//!
//! # Properties
//! The entries know nothing of the guest's modes, and nothing is global: a page is `user`, which here means both modes of
//! the guest alike, and not `global`. It may be execute-only if the processor knows such pages
//! (`IA32_VMX_EPT_VPID_CAP` bit 0). Stores without loads would be a misconfiguration, and a page that allows nothing
//! would not be present. What an entry can't express is [`Error::UnsupportedProperty`](crate::Error::UnsupportedProperty).
//! A page that holds the guest's page tables has to allow stores if accessed and dirty bits are enabled: the processor's
//! use of them counts as stores (30.3.3.2).
//!
//! `cache` is the EPT memory type; [`UncacheableMinus`](CachePolicy::UncacheableMinus) is none. The ignore-PAT bit is
//! zero, so that the processor combines it with the type that the guest's own tables and `IA32_PAT` give the access, as
//! it combines a memory type range register with a page's type: from write-back the guest may choose freely, what is
//! uncacheable stays so unless the guest chooses write-combining (30.3.7.2).
//!
//! # What a hypervisor sets up
//! - The EPTP (26.6.11): the root's address, bits 2:0 the memory type of the tables, 6 for write-back
//!   ([`TableMemory`](crate::TableMemory) is to be write-back memory), bits 5:3 the number of levels less one, bit 6 for
//!   accessed and dirty bits: `table.root().as_u64() | 0x1e`, or `| 0x5e` with [`Tracking`](crate::Tracking). With
//!   [`Preset`](crate::Preset) either will do.
//! - `IA32_VMX_EPT_VPID_CAP` (MSR 48CH, appendix A.10) has to have bits 6 (four levels), 14 (write-back tables) and 20
//!   (`INVEPT`) with 25 (of one context), bits 16 and 17 for pages of 2 MiB and 1 GiB, bit 21 for accessed and dirty bits.
//! - The controls that give other bits of an entry a meaning stay off: [`hw::ept`](crate::hw) names them.
//!
//! # What is owed to the processors
//! No instruction invalidates one guest-physical address. [`Invalidate`](crate::Invalidate)`<Ept>` executes `INVEPT`
//! of type 1 (single-context) with this EPTP on every processor that has run the guest since it last did so, and
//! returns when all have (30.4.3.1 and 30.4.3.4); a processor that is in the guest has to be brought out of it first.
//! `INVVPID` and the guest's own `INVLPG` are not enough: they leave what was cached for guest-physical addresses. Of the
//! EPTP that `INVEPT` names, bits 51:12 are compared: one `INVEPT` serves all virtual processors of the root that ran
//! here, whatever their VPIDs.
//!
//! # What is proven
//! As for every mode: hardware reads in each word what we wrote, by bit vectors. Bits of an entry that refers to a
//! table which hardware ignores hold the number of used entries of that table (61:52); in a page's entry the bits that
//! hardware ignores, or that some feature uses which is off, are zero.

use super::PagingMode;
use super::entry::{Encoding, Entry, Sealed};
use super::geometry::Geometry;
use super::words::{self, flag};
use crate::addr::{PageSize, PhysAddr};
use crate::hw::mmu::Mmu;
#[cfg(verus_only)]
use crate::hw::mmu::{Allowed, Rights, Step};
use crate::prop::{CachePolicy, PageProperty};
use vstd::contrib::auto_spec;
use vstd::prelude::*;

#[cfg(verus_only)]
mod proof;
#[cfg(verus_only)]
mod spec;

verus! {

const READ: u64 = 0x1;

const WRITE: u64 = 0x2;

const EXECUTE: u64 = 0x4;

/// An entry is present if it allows anything.
const PRESENT: u64 = 0x7;

/// The memory type of a page.
const TYPE: u64 = 0x38;

const WRITE_COMBINING: u64 = 0x8;

const WRITE_THROUGH: u64 = 0x20;

const WRITE_PROTECTED: u64 = 0x28;

const WRITE_BACK: u64 = 0x30;

/// In an upper table: this entry is a page.
const HUGE: u64 = 0x80;

const ACCESSED: u64 = 0x100;

const DIRTY: u64 = 0x200;

const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// Intel's extended page tables with four levels: 48-bit guest-physical addresses.
#[derive(Clone, Copy, Debug)]
pub struct Ept;

impl Sealed for Ept {

}

impl PagingMode for Ept {

}

impl Mmu for Ept {
    open spec fn geo() -> Geometry {
        Geometry { page_bits: 12, index_bits: 9, levels: 4, root_bits: 9 }
    }

    open spec fn canonical(va: u64) -> bool {
        crate::hw::ept::canonical(va)
    }

    open spec fn step(phys_bits: u64, level: nat, word: u64) -> Step {
        crate::hw::ept::step(phys_bits, level, word)
    }

    open spec fn may_become(level: nat, word: u64, now: u64) -> bool {
        crate::hw::ept::may_become(level, word, now)
    }
}

/// The memory type of a cache policy; the one that is none of them isn't asked for.
#[auto_spec]
#[inline(always)]
fn type_bits(cache: CachePolicy) -> u64
    no_unwind
{
    match cache {
        CachePolicy::Uncacheable | CachePolicy::UncacheableMinus => 0,
        CachePolicy::WriteCombining => WRITE_COMBINING,
        CachePolicy::WriteThrough => WRITE_THROUGH,
        CachePolicy::WriteProtected => WRITE_PROTECTED,
        CachePolicy::WriteBack => WRITE_BACK,
    }
}

/// The cache policy of an entry.
#[auto_spec]
#[inline(always)]
fn cache_policy(word: u64) -> CachePolicy
    opens_invariants none
    no_unwind
{
    match word & TYPE {
        WRITE_COMBINING => CachePolicy::WriteCombining,
        WRITE_THROUGH => CachePolicy::WriteThrough,
        WRITE_PROTECTED => CachePolicy::WriteProtected,
        WRITE_BACK => CachePolicy::WriteBack,
        _ => CachePolicy::Uncacheable,
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
        Entry::Page {
            frame: PhysAddr(word & ADDRESS),
            prop: PageProperty {
                read: word & READ != 0,
                write: word & WRITE != 0,
                execute: word & EXECUTE != 0,
                user: true,
                global: false,
                accessed: word & ACCESSED != 0,
                dirty: word & DIRTY != 0,
                cache: cache_policy(word),
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
    frame.0 | flag(prop.read, READ) | flag(prop.write, WRITE) | flag(prop.execute, EXECUTE) | flag(
        prop.accessed,
        ACCESSED,
    ) | flag(prop.dirty, DIRTY) | type_bits(prop.cache) | flag(level > 1, HUGE)
}

/// The word for a table of which `used` entries are in use.
#[auto_spec]
#[inline(always)]
fn table(at: PhysAddr, used: u16) -> u64
    no_unwind
{
    at.0 | READ | WRITE | EXECUTE | ACCESSED | ((used as u64) << 52)
}

impl Encoding for Ept {
    open spec fn page_size(level: nat) -> Option<PageSize> {
        words::page_size(level)
    }

    open spec fn supports(prop: PageProperty) -> bool {
        &&& prop.user
        &&& !prop.global
        &&& prop.write ==> prop.read
        &&& prop.read || prop.execute
        &&& prop.cache != CachePolicy::UncacheableMinus
    }

    open spec fn rights(prop: PageProperty) -> Rights {
        let allowed = Allowed { read: prop.read, write: prop.write, execute: prop.execute };
        Rights { kernel: allowed, user: allowed }
    }

    open spec fn frame_bits() -> u64 {
        52
    }

    open spec fn resizes() -> bool {
        true
    }

    open spec fn counts() -> bool {
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
        Geometry { page_bits: 12, index_bits: 9, levels: 4, root_bits: 9 }
    }

    #[inline(always)]
    fn resizing() -> bool {
        true
    }

    #[inline(always)]
    fn pinning() -> bool {
        false
    }

    #[inline(always)]
    fn counting() -> bool {
        true
    }

    #[inline(always)]
    fn frame_limit() -> u64 {
        52
    }

    #[inline(always)]
    fn is_canonical(raw: u64) -> bool {
        raw >> 48 == 0
    }

    #[inline(always)]
    fn canonicalize(offset: u64) -> u64 {
        proof {
            proof::lemma_canonical(offset);
        }
        offset
    }

    #[inline(always)]
    fn level_of(size: PageSize) -> Option<u8> {
        words::level_of(size)
    }

    #[inline(always)]
    fn size_at(level: u8) -> Option<PageSize> {
        words::size_at(level)
    }

    #[inline(always)]
    fn can_express(prop: PageProperty) -> bool {
        let uncacheable_minus = matches!(prop.cache, CachePolicy::UncacheableMinus);
        let present = prop.read || prop.execute && !prop.write;
        prop.user && !prop.global && present && !uncacheable_minus
    }

    #[inline(always)]
    fn decode(level: u8, word: u64) -> Entry {
        decode(level, word)
    }

    #[inline(always)]
    fn page(Ghost(phys_bits): Ghost<u64>, level: u8, frame: PhysAddr, prop: PageProperty) -> u64 {
        proof {
            words::proof::lemma_sizes(Self::geo());
            proof::lemma_page(phys_bits, level, frame, prop);
        }
        page(level, frame, prop)
    }

    #[inline(always)]
    fn table(Ghost(phys_bits): Ghost<u64>, level: u8, table: PhysAddr, used: u16) -> u64 {
        let _ = level;
        proof {
            words::proof::lemma_sizes(Self::geo());
            proof::lemma_table(phys_bits, level, table, used);
        }
        self::table(table, used)
    }
}

} // verus!
