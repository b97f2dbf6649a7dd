//! AArch64 stage 2: the tables that translate a guest's physical addresses, for hypervisors, with the 4 KiB granule.
//!
//! [`VirtAddr`](crate::VirtAddr) is the guest's physical address (IPA) here, [`PhysAddr`] the machine's. Page sizes are
//! 4 KiB, 2 MiB and 1 GiB. Sections and rules cited are those of the Arm Architecture Reference Manual (DDI 0487, issue M.a).
//!
//! | granule | levels | `VTCR_EL2.T0SZ` | `VTCR_EL2.SL0` | physical address size |
//! | --- | --- | --- | --- | --- |
//! | [`Granule4K39`] | 3 | 25 | `0b01` | 40 bits or more |
//! | [`Granule4K48`] | 4 | 16 | `0b10` | 48 bits or more |
//!
//! # What a hypervisor sets up
//! - `VTCR_EL2`: `T0SZ` and `SL0` as above, `TG0` to `0b00`, `PS` to what `ID_AA64MMFR0_EL1.PARange` says (at most `0b101`),
//!   `SH0` to `0b11`, `ORGN0` and `IRGN0` to `0b01`, bit 31, which is RES1; with [`Tracking`](crate::Tracking) also `HA`
//!   (bit 21) and `HD` (bit 22). What is left is zero;
//! - `VTTBR_EL2` to a table's root, with the guest's VMID, and then `HCR_EL2.VM`; `HCR_EL2.FWB` stays clear.
//!
//! # What pages allow
//! A page allows the same at EL1 and EL0: the guest tells its kernel from its processes at stage 1. So every page is a
//! `user` one that can be read, and none is global; others are refused. The cache policies are those of
//! [stage 1](super). The guest's own may make the caching of its accesses weaker, not stronger (D8.6.5).
//!
//! # Invalidation
//! `Invalidate::invalidate` is, with the guest's VMID in `VTTBR_EL2`, `DSB ISHST`, `TLBI IPAS2E1IS`, `DSB ISH`,
//! `TLBI VMALLE1IS`, `DSB ISH`, `ISB` (D8.17.6.1): entries of the TLB may combine both stages. Barriers, stores and
//! break-before-make are as at [stage 1](super).
//!
//! # How entries are written
//! As at stage 1, but that permissions say what is allowed: S2AP\[1\] (bit 7) is set when a page is dirty, and bit 56 holds
//! the dirty bit of a page that may not be written. That the processor reads in each word what is written is proven in
//! `stage2/proof.rs`, against `hw/aarch64_stage2.rs`.

use super::super::PagingMode;
use super::super::entry::{Encoding, Entry};
use super::super::geometry::Geometry;
use super::super::words::flag;
use super::descriptor::{self, ACCESSED, ADDRESS, INNER_SHAREABLE, NO_BLOCK, VALID, WRITABLE};
use super::granule::{self, Granule, Granule4K39, Granule4K48};
#[cfg(verus_only)]
use super::proof as shared;
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

/// MemAttr: inner and outer write-back.
const WRITE_BACK: u64 = 0x3c;

/// MemAttr: inner and outer write-through.
const WRITE_THROUGH: u64 = 0x28;

/// MemAttr: inner and outer non-cacheable.
const WRITE_COMBINING: u64 = 0x14;

/// MemAttr: device (nGnRE).
const UNCACHEABLE: u64 = 0x4;

/// MemAttr.
const CACHE: u64 = 0x3c;

/// S2AP\[0\].
const READ: u64 = 0x40;

/// S2AP\[1\]: the page may be written; with `WRITABLE`, it was.
const WRITTEN: u64 = 0x80;

/// XN.
const NO_EXECUTE: u64 = 0x0040_0000_0000_0000;

/// For software: a page that may not be written has been.
const DIRTY: u64 = 0x0100_0000_0000_0000;

/// A granule that stage 2 is proven with: [`Granule4K39`] or [`Granule4K48`].
pub trait Stage2Granule: Granule {
    /// Pages have 4 KiB.
    proof fn lemma_4k()
        ensures
            Self::shape().page_bits == 12,
    ;
}

impl Stage2Granule for Granule4K39 {
    proof fn lemma_4k() {
    }
}

impl Stage2Granule for Granule4K48 {
    proof fn lemma_4k() {
    }
}

/// AArch64 stage 2 translation of a guest's physical addresses, with granule `G`.
#[verifier::allow(autoderive_clone_without_spec)]
#[derive(Clone, Copy, Debug)]
pub struct AArch64Stage2<G: Stage2Granule = Granule4K48>(PhantomData<G>);

impl<G: Stage2Granule> PagingMode for AArch64Stage2<G> {

}

impl<G: Stage2Granule> Mmu for AArch64Stage2<G> {
    open spec fn geo() -> Geometry {
        G::shape()
    }

    open spec fn canonical(va: u64) -> bool {
        crate::hw::aarch64::canonical(va, G::width(), false)
    }

    open spec fn step(phys_bits: u64, level: nat, word: u64) -> Step {
        crate::hw::aarch64_stage2::step(phys_bits, level, word)
    }

    open spec fn may_become(level: nat, word: u64, now: u64) -> bool {
        crate::hw::aarch64_stage2::may_become(level, word, now)
    }
}

/// The bits of a cache policy.
#[auto_spec]
#[inline(always)]
fn cache_bits(cache: CachePolicy) -> u64
    no_unwind
{
    match cache {
        CachePolicy::WriteBack => WRITE_BACK,
        CachePolicy::WriteThrough => WRITE_THROUGH,
        CachePolicy::WriteCombining => WRITE_COMBINING,
        _ => UNCACHEABLE,
    }
}

/// The cache policy of a page.
#[auto_spec]
#[inline(always)]
fn cache_policy(word: u64) -> CachePolicy
    opens_invariants none
    no_unwind
{
    match word & CACHE {
        WRITE_BACK => CachePolicy::WriteBack,
        WRITE_THROUGH => CachePolicy::WriteThrough,
        WRITE_COMBINING => CachePolicy::WriteCombining,
        _ => CachePolicy::Uncacheable,
    }
}

/// The bits of whether a page may be and has been written.
#[auto_spec]
#[inline(always)]
fn write_bits(write: bool, dirty: bool) -> u64
    no_unwind
{
    match (write, dirty) {
        (true, true) => WRITABLE | WRITTEN,
        (true, false) => WRITABLE,
        (false, true) => DIRTY,
        (false, false) => 0,
    }
}

/// What `word` stands for in a table of `level`.
#[auto_spec]
#[inline(always)]
fn decode(level: u8, word: u64) -> Entry
    opens_invariants none
    no_unwind
{
    if word & VALID == 0 {
        Entry::Empty
    } else if descriptor::is_page(level, word) {
        let write = word & WRITABLE != 0;
        Entry::Page {
            frame: PhysAddr(word & ADDRESS),
            prop: PageProperty {
                read: true,
                write,
                execute: word & NO_EXECUTE == 0,
                user: true,
                global: false,
                accessed: word & ACCESSED != 0,
                dirty: if write {
                    word & WRITTEN != 0
                } else {
                    word & DIRTY != 0
                },
                cache: cache_policy(word),
            },
        }
    } else {
        Entry::Table { table: PhysAddr(word & ADDRESS), used: descriptor::used(word) }
    }
}

/// The descriptor of a page or block.
#[auto_spec]
#[inline(always)]
fn page(level: u8, frame: PhysAddr, prop: PageProperty) -> u64
    no_unwind
{
    frame.0 | (INNER_SHAREABLE | READ | VALID) | flag(level == 1, NO_BLOCK) | cache_bits(prop.cache)
        | write_bits(prop.write, prop.dirty) | flag(!prop.execute, NO_EXECUTE) | flag(
        prop.accessed,
        ACCESSED,
    )
}

impl<G: Stage2Granule> Encoding for AArch64Stage2<G> {
    open spec fn page_size(level: nat) -> Option<PageSize> {
        granule::page_size(12, level)
    }

    open spec fn supports(prop: PageProperty) -> bool {
        &&& prop.read && prop.user && !prop.global
        &&& !(prop.cache is UncacheableMinus || prop.cache is WriteProtected)
    }

    open spec fn rights(prop: PageProperty) -> Rights {
        let all = Allowed { read: prop.read, write: prop.write, execute: prop.execute };
        Rights { kernel: all, user: all }
    }

    open spec fn frame_bits() -> u64 {
        48
    }

    open spec fn resizes() -> bool {
        false
    }

    open spec fn counts() -> bool {
        true
    }

    open spec fn pins() -> bool {
        false
    }

    closed spec fn unset(level: nat, word: u64) -> nat {
        (flag(word & ACCESSED == 0, 1) + flag(word & WRITTEN == 0, 1)) as nat
    }

    closed spec fn entry(level: nat, word: u64) -> Entry {
        decode(level as u8, word)
    }

    closed spec fn wf(phys_bits: u64, level: nat, word: u64) -> bool {
        spec::wf(phys_bits, level, word)
    }

    #[inline(always)]
    fn geometry() -> Geometry {
        proof {
            G::lemma_shape();
        }
        G::geometry()
    }

    #[inline(always)]
    fn resizing() -> bool {
        false
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
        48
    }

    #[inline(always)]
    fn is_canonical(raw: u64) -> bool {
        proof {
            G::lemma_shape();
        }
        raw >> G::address_bits() == 0
    }

    #[inline(always)]
    fn canonicalize(offset: u64) -> u64 {
        proof {
            shared::lemma_canonicalize::<G>(offset, false);
        }
        offset
    }

    #[inline(always)]
    fn level_of(size: PageSize) -> Option<u8> {
        proof {
            G::lemma_shape();
            G::lemma_4k();
        }
        granule::level_of(12, size)
    }

    #[inline(always)]
    fn size_at(level: u8) -> Option<PageSize> {
        granule::size_at(12, level)
    }

    #[inline(always)]
    fn can_express(prop: PageProperty) -> bool {
        prop.read && prop.user && !prop.global && descriptor::has_policy(prop.cache)
    }

    #[inline(always)]
    fn decode(level: u8, word: u64) -> Entry {
        decode(level, word)
    }

    #[inline(always)]
    fn page(Ghost(phys_bits): Ghost<u64>, level: u8, frame: PhysAddr, prop: PageProperty) -> u64 {
        proof {
            proof::lemma_page::<G>(phys_bits, level, frame, prop);
        }
        page(level, frame, prop)
    }

    #[inline(always)]
    fn table(Ghost(phys_bits): Ghost<u64>, level: u8, table: PhysAddr, used: u16) -> u64 {
        let _ = level;
        proof {
            G::lemma_4k();
            shared::lemma_table::<G>(phys_bits, level, table, used);
        }
        descriptor::table(table, used)
    }
}

} // verus!
