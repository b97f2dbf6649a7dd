//! AArch64 stage 1: the VMSAv8-64 tables of kernels, with every granule, in both regions.
//!
//! [`AArch64Lower`] is for what `TTBR0_EL1` refers to, [`AArch64Upper`] for `TTBR1_EL1`; `AArch64Upper<Granule16K47>` is one
//! with another granule than 4 KiB with 48-bit addresses. Hypervisors find stage 2 in [`stage2`].
//!
//! | granule | levels | `T0SZ`, `T1SZ` | `TG0` | `TG1` | page sizes |
//! | --- | --- | --- | --- | --- | --- |
//! | [`Granule4K39`] | 3 | 25 | `0b00` | `0b10` | 4 KiB, 2 MiB, 1 GiB |
//! | [`Granule4K48`] | 4 | 16 | `0b00` | `0b10` | 4 KiB, 2 MiB, 1 GiB |
//! | [`Granule16K47`] | 3 | 17 | `0b10` | `0b01` | 16 KiB, 32 MiB |
//! | [`Granule16K48`] | 4 | 16 | `0b10` | `0b01` | 16 KiB, 32 MiB |
//! | [`Granule64K42`] | 2 | 22 | `0b01` | `0b11` | 64 KiB, 512 MiB |
//! | [`Granule64K48`] | 3 | 16 | `0b01` | `0b11` | 64 KiB, 512 MiB |
//!
//! Physical addresses have at most 48 bits. Sections and rules cited are those of the Arm Architecture Reference Manual
//! (DDI 0487, issue M.a).
//!
//! # What a kernel sets up
//! - `MAIR_EL1` to [`MAIR`];
//! - `TCR_EL1`: `TxSZ` and `TGx` as above, `IPS` to what `ID_AA64MMFR0_EL1.PARange` says (at most `0b101`), `SHx` to `0b11`
//!   and `ORGNx` and `IRGNx` to `0b01`, so that tables are walked as the memory that they lie in: inner shareable,
//!   write-back; with [`Tracking`](crate::Tracking) also `HA` (bit 39) and `HD` (bit 40). What is left is zero;
//! - `TTBR0_EL1` and `TTBR1_EL1` to a table's root, with the address space's ASID, and then `SCTLR_EL1.M`.
//!
//! [`Preset`](crate::Preset) works on every processor. [`Tracking`](crate::Tracking) needs one whose hardware sets the
//! access flag and manages the dirty state: `ID_AA64MMFR1_EL1.HAFDBS` is 2 or more (FEAT_HAFDBS). What the proofs assume of
//! the processor's state stands in full at the head of `hw/aarch64.rs`.
//!
//! # What pages allow
//! EL1 reads and writes what user pages allow, unless `PSTATE.PAN` is set, and never executes them; EL0 does nothing with
//! kernel pages. Every page can be read. [`WriteBack`], [`WriteThrough`], [`WriteCombining`] (normal memory, not cached) and
//! [`Uncacheable`] (device memory, nGnRE) are the cache policies; the others are refused.
//!
//! # Stores and barriers
//! A walk is an observer of its own, and sees a store for sure only after a barrier (R_SPVBD). `TableMemory::write` is to
//! be a store-release, or a store after `DMB ISHST`; `compare_exchange` a `CASAL`, or an `LDAXR` and `STLXR` loop. After
//! [`map`](crate::PageTable::map), `DSB ISHST` and `ISB` make the page usable: no invalidation is needed, since what faults
//! is in no TLB (I_WZCBG).
//!
//! `Invalidate::invalidate` is `DSB ISHST`, `TLBI VAAE1IS` (or `VAE1IS` with the address space's ASID, if the page isn't
//! global), `DSB ISH`, `ISB`. `VAALE1IS` and `VALE1IS` leave cached entries of upper tables alone: they are enough only
//! where [`Flush::frees_tables`](crate::Flush::frees_tables) says no.
//!
//! # Break-before-make
//! An entry in use may not change its output address, size, memory type or shareability, nor become global, without being
//! made invalid and invalidated in between (D8.17.1, R_WHZWS). [`map`](crate::PageTable::map) only fills empty entries, and
//! [`unmap`](crate::PageTable::unmap) only empties them; so what keeps the rule is to pay the [`Flush`](crate::Flush) before
//! the same addresses are mapped again, or, if it [frees tables](crate::Flush::frees_tables), any that these tables covered.
//! [`protect`](crate::PageTable::protect) changes entries in place, as the manual allows for permissions and accessed and
//! dirty bits.
//!
//! To change the size, the frame or the cache policy of pages that processors may be using, or to make them global, take them
//! out with [`break_page`](crate::PageTable::break_page) or [`break_pages`](crate::PageTable::break_pages): the types
//! [`Broken`](crate::Broken) and [`Vacant`](crate::Vacant) lead through the flush to what is made in their place, and hold the
//! page table until then.
//!
//! That no store changes a live entry in such a way is proven (`theorem_break_before_make`), for each two moments that are
//! one store apart. That the flush lies between an unmap and the next map is forced by these types alone: a kernel that calls
//! `unmap`, drops or keeps the flush, and calls `map` breaks the rule, and nothing tells it. So does one that drops a
//! [`Broken`](crate::Broken), of which the compiler warns, and calls `map`.
//!
//! # How entries are written
//! DBM (bit 51) says whether a page may be written, AP\[2\] (bit 7) whether it is clean; bit 55, which is software's, holds
//! the dirty bit of a page that may not be written. Bits of a table's descriptor that hardware ignores hold how many of its
//! entries are in use (58:51 and 9:4). UXNTable, PXNTable and APTable are never set. Normal memory is inner shareable.
//!
//! That the processor reads in each word what is written is proven in `aarch64/proof.rs`, against `hw/aarch64.rs`.
//!
//! [`WriteBack`]: crate::CachePolicy::WriteBack
//! [`WriteThrough`]: crate::CachePolicy::WriteThrough
//! [`WriteCombining`]: crate::CachePolicy::WriteCombining
//! [`Uncacheable`]: crate::CachePolicy::Uncacheable

use super::PagingMode;
use super::entry::{Encoding, Entry};
use super::geometry::Geometry;
#[cfg(verus_only)]
use super::words::flag;
use crate::addr::{PageSize, PhysAddr};
use crate::hw::mmu::Mmu;
#[cfg(verus_only)]
use crate::hw::mmu::{Allowed, Rights, Step};
use crate::prop::PageProperty;
use core::marker::PhantomData;
use vstd::prelude::*;

mod descriptor;
mod granule;
#[cfg(verus_only)]
mod proof;
#[cfg(verus_only)]
mod spec;
pub mod stage2;

pub use super::region::{Lower, Region, Upper};
#[cfg(verus_only)]
use descriptor::{ACCESSED, READ_ONLY};
pub use granule::{
    Granule, Granule4K39, Granule4K48, Granule16K47, Granule16K48, Granule64K42, Granule64K48,
};

verus! {

/// What a kernel writes to `MAIR_EL1`: write-back, write-through, non-cacheable and device (nGnRE) memory.
pub const MAIR: u64 = 0x0444_bbff;

/// AArch64 stage 1 translation of region `R` with granule `G`.
#[verifier::allow(autoderive_clone_without_spec)]
#[derive(Clone, Copy, Debug)]
pub struct AArch64<G: Granule, R: Region>(PhantomData<(G, R)>);

/// AArch64 stage 1 translation of the lower region (`TTBR0_EL1`).
pub type AArch64Lower<G = Granule4K48> = AArch64<G, Lower>;

/// AArch64 stage 1 translation of the upper region (`TTBR1_EL1`).
pub type AArch64Upper<G = Granule4K48> = AArch64<G, Upper>;

impl<G: Granule, R: Region> PagingMode for AArch64<G, R> {

}

impl<G: Granule, R: Region> Mmu for AArch64<G, R> {
    open spec fn geo() -> Geometry {
        G::shape()
    }

    open spec fn canonical(va: u64) -> bool {
        crate::hw::aarch64::canonical(va, G::width(), R::upper())
    }

    open spec fn step(phys_bits: u64, level: nat, word: u64) -> Step {
        crate::hw::aarch64::step(G::shape().page_bits as u64, phys_bits, level, word)
    }

    open spec fn may_become(level: nat, word: u64, now: u64) -> bool {
        crate::hw::aarch64::may_become(level, word, now)
    }
}

impl<G: Granule, R: Region> Encoding for AArch64<G, R> {
    open spec fn page_size(level: nat) -> Option<PageSize> {
        granule::page_size(G::shape().page_bits, level)
    }

    open spec fn supports(prop: PageProperty) -> bool {
        prop.read && !(prop.cache is UncacheableMinus || prop.cache is WriteProtected)
    }

    open spec fn rights(prop: PageProperty) -> Rights {
        let own = Allowed { read: prop.read, write: prop.write, execute: prop.execute };
        if prop.user {
            Rights { kernel: Allowed { execute: false, ..own }, user: own }
        } else {
            Rights { kernel: own, user: Allowed::none() }
        }
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
        (flag(word & ACCESSED == 0, 1) + flag(word & READ_ONLY != 0, 1)) as nat
    }

    closed spec fn entry(level: nat, word: u64) -> Entry {
        descriptor::decode(level as u8, word)
    }

    closed spec fn wf(phys_bits: u64, level: nat, word: u64) -> bool {
        spec::wf(G::shape().page_bits, phys_bits, level, word)
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
        let width = G::address_bits();
        raw >> width == if R::is_upper() {
            u64::MAX >> width
        } else {
            0
        }
    }

    #[inline(always)]
    fn canonicalize(offset: u64) -> u64 {
        proof {
            proof::lemma_canonicalize::<G>(offset, R::upper());
        }
        if R::is_upper() {
            offset | (u64::MAX << G::address_bits())
        } else {
            offset
        }
    }

    #[inline(always)]
    fn level_of(size: PageSize) -> Option<u8> {
        proof {
            G::lemma_shape();
        }
        granule::level_of(G::geometry().page_bits, size)
    }

    #[inline(always)]
    fn size_at(level: u8) -> Option<PageSize> {
        granule::size_at(G::geometry().page_bits, level)
    }

    #[inline(always)]
    fn can_express(prop: PageProperty) -> bool {
        prop.read && descriptor::has_policy(prop.cache)
    }

    #[inline(always)]
    fn decode(level: u8, word: u64) -> Entry {
        descriptor::decode(level, word)
    }

    #[inline(always)]
    fn page(Ghost(phys_bits): Ghost<u64>, level: u8, frame: PhysAddr, prop: PageProperty) -> u64 {
        proof {
            proof::lemma_page::<G>(phys_bits, level, frame, prop);
        }
        descriptor::page(level, frame, prop)
    }

    #[inline(always)]
    fn table(Ghost(phys_bits): Ghost<u64>, level: u8, table: PhysAddr, used: u16) -> u64 {
        let _ = level;
        proof {
            proof::lemma_table::<G>(phys_bits, level, table, used);
        }
        descriptor::table(table, used)
    }
}

} // verus!
