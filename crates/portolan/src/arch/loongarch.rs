//! LoongArch64: tables for a processor whose TLB is filled by software.
//!
//! [`LoongArchLower`] is for what `PGDL` refers to, [`LoongArchUpper`] for `PGDH`; `LoongArchUpper<Pages16K47>` is one with
//! pages of 16 KiB.
//!
//! | pages | levels | addresses of a region | `RVACFG.RBits` | page sizes |
//! | --- | --- | --- | --- | --- |
//! | [`Pages4K39`] | 3 | 39 bits | VALEN - 40 | 4 KiB, 2 MiB, 1 GiB |
//! | [`Pages4K47`] | 4 | 47 bits | VALEN - 48 | 4 KiB, 2 MiB, 1 GiB |
//! | [`Pages16K47`] | 3 | 47 bits | VALEN - 48 | 16 KiB, 32 MiB |
//!
//! Both regions together have 40 or 48 bits of address. Physical addresses have at most 48 bits. Sections cited are those
//! of the LoongArch Reference Manual, Volume 1: Basic Architecture (v1.10).
//!
//! # The refill handler
//! The processor looks addresses up in its TLB only; what is not there, an exception handler fills in (5.4.3). **The
//! handler is part of what the kernel supplies, and of what the proofs assume**: `hw/loongarch.rs` defines the walk as this
//! handler makes it. It is entered with address translation off and has the registers `SAVE0` and `SAVE1` for itself. For
//! [`Pages4K47`]:
//!
//! ```text
//!     csrwr      $t0, TLBRSAVE
//!     csrwr      $t1, SAVE0
//!     csrwr      $t2, SAVE1
//!     csrrd      $t0, PGD
//!     # level 4, which has no pages
//!     csrrd      $t1, TLBRBADV
//!     bstrpick.d $t1, $t1, 46, 39
//!     alsl.d     $t0, $t1, $t0, 3
//!     ld.d       $t0, $t0, 0
//!     andi       $t1, $t0, 0x1        # V
//!     beqz       $t1, absent
//!     bstrpick.d $t0, $t0, 47, 12
//!     slli.d     $t0, $t0, 12
//!     # level 3
//!     csrrd      $t1, TLBRBADV
//!     bstrpick.d $t1, $t1, 38, 30
//!     alsl.d     $t0, $t1, $t0, 3
//!     ld.d       $t0, $t0, 0
//!     andi       $t1, $t0, 0x1        # V
//!     beqz       $t1, absent
//!     ori        $t2, $zero, 29       # half of 1 GiB
//!     andi       $t1, $t0, 0x40       # H
//!     bnez       $t1, page
//!     bstrpick.d $t0, $t0, 47, 12
//!     slli.d     $t0, $t0, 12
//!     # level 2
//!     csrrd      $t1, TLBRBADV
//!     bstrpick.d $t1, $t1, 29, 21
//!     alsl.d     $t0, $t1, $t0, 3
//!     ld.d       $t0, $t0, 0
//!     andi       $t1, $t0, 0x1        # V
//!     beqz       $t1, absent
//!     ori        $t2, $zero, 20       # half of 2 MiB
//!     andi       $t1, $t0, 0x40       # H
//!     bnez       $t1, page
//!     bstrpick.d $t0, $t0, 47, 12
//!     slli.d     $t0, $t0, 12
//!     # level 1: if the page is there, both of its pair as they stand
//!     csrrd      $t1, TLBRBADV
//!     bstrpick.d $t1, $t1, 20, 12
//!     alsl.d     $t0, $t1, $t0, 3
//!     ld.d       $t1, $t0, 0
//!     andi       $t1, $t1, 0x1        # V
//!     beqz       $t1, absent
//!     ori        $t2, $zero, 12       # 4 KiB
//!     bstrins.d  $t0, $zero, 3, 3
//!     ld.d       $t1, $t0, 8
//!     ld.d       $t0, $t0, 0
//! fill:
//!     csrwr      $t0, TLBRELO0
//!     csrwr      $t1, TLBRELO1
//!     csrrd      $t0, TLBREHI
//!     bstrins.d  $t0, $t2, 5, 0       # PS
//!     csrwr      $t0, TLBREHI
//!     tlbfill
//! leave:
//!     csrrd      $t2, SAVE1
//!     csrrd      $t1, SAVE0
//!     csrrd      $t0, TLBRSAVE
//!     ertn
//! page:                               # its halves, with G where the TLB has it
//!     bstrpick.d $t1, $t0, 12, 12
//!     bstrins.d  $t0, $t1, 6, 6
//!     ori        $t1, $zero, 2
//!     sll.d      $t1, $t1, $t2
//!     addi.d     $t1, $t1, -1
//!     bstrins.d  $t1, $zero, 11, 0
//!     andn       $t0, $t0, $t1
//!     ori        $t1, $zero, 1
//!     sll.d      $t1, $t1, $t2
//!     or         $t1, $t1, $t0
//!     b          fill
//! absent:                             # go on at missing, as an exception would
//!     csrrd      $t0, TLBRBADV
//!     csrwr      $t0, BADV
//!     csrrd      $t0, TLBRPRMD
//!     csrwr      $t0, PRMD
//!     csrrd      $t0, TLBRERA
//!     bstrins.d  $t0, $zero, 1, 0
//!     csrwr      $t0, ERA
//!     csrwr      $zero, TLBRPRMD
//!     li.d       $t0, missing + 1     # IsTLBR is bit 0
//!     csrwr      $t0, TLBRERA
//!     b          leave
//! ```
//!
//! For [`Pages4K39`], level 4 is left out. For [`Pages16K47`], level 4 is left out too, and level 3 is as level 4 here, with
//! bits 46:36 of the address; the bits for level 2 are 35:25 and those for level 1 are 24:14; 24 stands for 20, and 14 for
//! 12.
//!
//! At `missing`, the kernel is at privilege level 0 with interrupts off and finds in `BADV`, `ERA` and `PRMD` what a page
//! invalid exception (PIL, PIS, PIF) would have left there, but not which of them it is.
//!
//! **Nothing is filled for what is not there.** Software has to keep the TLB from having two entries for an address, which
//! is undefined (5.4.1, 5.4.4). An entry that is not valid would stay, and be the second one when a larger page is mapped
//! around it. Only the other half of a pair may be filled though it isn't valid; it goes with the pair.
//!
//! `LDDIR` and `LDPTE` (4.2.5) don't do: they don't test for what is not there, and take the whole of an entry for the address
//! of a table.
//!
//! # What a kernel sets up
//! - `TLBRENTRY` to the handler's physical address, `STLBPS` to 12 or 14, the size of the smallest pages;
//! - `PGDL` and `PGDH` to a table's root each, `ASID` to the address space's;
//! - `RVACFG.RBits` as above, so that addresses between the regions are address errors (5.2.3). VALEN is one more than
//!   `CPUCFG.1` has in bits 19:12; the physical address bits are one more than it has in bits 11:4;
//! - `CRMD.DATM` to 1, so that the handler loads through the caches (5.3); `MISC.DWPL0` stays clear, or the kernel stores
//!   to what may not be written (5.4.4);
//! - at the start, `invtlb 0, $zero, $zero` (5.4.3), and then `CRMD.PG` instead of `CRMD.DA`.
//!
//! `CPUCFG.1` says whether the processor can keep from reading and executing (RI, EP, bits 21 and 22), and `PRCFG2` whether
//! the TLB has pages of half the larger sizes: bits 20 and 29, or 24. A processor that walks tables itself (later versions
//! of the manual) has this turned off.
//!
//! # What pages allow
//! The kernel runs at privilege level 0, programs at 3. Kernel pages have PLV 0, user pages PLV 3; RPLV is clear: what a
//! user page allows, it allows the kernel too, execution included. Reading, writing and executing can be allowed each
//! without the others (NR, D, NX). [`WriteBack`] is coherent cached, [`WriteCombining`] weakly-ordered uncached,
//! [`Uncacheable`] strongly-ordered uncached memory (5.3); the other cache policies are refused.
//!
//! The architecture's D says whether a page may be written; a store to another is a page modification exception. Nothing
//! sets accessed and dirty bits: with [`Tracking`](crate::Tracking) they are what the kernel says they are. To learn of
//! stores, it takes the right to write from pages, and gives it back with the dirty bit in the exception's handler, by
//! [`protect`](crate::PageTable::protect).
//!
//! # What a kernel invalidates
//! - **After [`map`](crate::PageTable::map)**, a processor may have the page as the half of a pair that is not valid, and
//!   take a page invalid exception. For an address that is mapped that is spurious: `invtlb 6` with the address, and again.
//!   Stores of tables come before those that make them known: `TableMemory::write` is a `dbar 0` and a store.
//! - **After [`unmap`](crate::PageTable::unmap) and [`protect`](crate::PageTable::protect)**, a `dbar 0` and on each processor
//!   that uses the table `invtlb 6` with the address space's ASID and the page's address, or `invtlb 0`. It takes away the
//!   pair that the page belongs to. Upper tables are in no TLB, so whether the flush
//!   [frees some](crate::Flush::frees_tables) doesn't matter.
//! - **Global pages** are global to the TLB if both pages of their pair are (7.5, TLBELO0). A pair may be there already, for
//!   one address space, when the second of its pages is mapped global; filled again for another, it would be there twice. So
//!   a kernel that maps global pages follows `map` by `invtlb 0` on all processors.
//!
//! # Break-before-make
//! The TLB must not have two entries for an address (5.4.4), and would: one of a part of a page and one of all of it, after
//! the page has taken the place of a table. So no entry in use changes its size, frame or cache policy, nor becomes global,
//! in place: [`split`](crate::PageTable::split), [`collapse`](crate::PageTable::collapse) and such a `protect` answer
//! [`BreakBeforeMake`](crate::Error::BreakBeforeMake), and [`break_page`](crate::PageTable::break_page) leads through the
//! flush. To divide a page would be possible; the same rule for both directions is the simpler one. The flush of an
//! [`unmap`](crate::PageTable::unmap) is to be paid before anything is mapped there again, or, if it frees tables, anywhere
//! that these covered.
//!
//! # How entries are written
//! As the manual has them (5.4.5), with P (bit 7) in each page and W (bit 8) where D is. Bits 9 and 10 hold accessed and
//! dirty bits. What refers to a table has V (bit 0), the address, and in bits 59:48 how many of the table's entries are in
//! use.
//!
//! That the processor reads in each word what is written is proven in `loongarch/proof.rs`, against `hw/loongarch.rs`.
//!
//! [`WriteBack`]: crate::CachePolicy::WriteBack
//! [`WriteCombining`]: crate::CachePolicy::WriteCombining
//! [`Uncacheable`]: crate::CachePolicy::Uncacheable

use super::PagingMode;
use super::entry::{Encoding, Entry};
use super::geometry::Geometry;
pub use super::region::{Lower, Region, Upper};
use crate::addr::{PageSize, PhysAddr};
use crate::hw::mmu::Mmu;
#[cfg(verus_only)]
use crate::hw::mmu::{Allowed, Rights, Step};
use crate::prop::PageProperty;
use core::marker::PhantomData;
use vstd::prelude::*;

mod pages;
#[cfg(verus_only)]
mod proof;
#[cfg(verus_only)]
mod spec;
mod word;

pub use pages::{Pages, Pages4K39, Pages4K47, Pages16K47};

verus! {

/// LoongArch64 paging of region `R` with pages `P`.
#[verifier::allow(autoderive_clone_without_spec)]
#[derive(Clone, Copy, Debug)]
pub struct LoongArch<P: Pages, R: Region>(PhantomData<(P, R)>);

/// LoongArch64 paging of the lower region (`PGDL`).
pub type LoongArchLower<P = Pages4K47> = LoongArch<P, Lower>;

/// LoongArch64 paging of the upper region (`PGDH`).
pub type LoongArchUpper<P = Pages4K47> = LoongArch<P, Upper>;

impl<P: Pages, R: Region> PagingMode for LoongArch<P, R> {

}

impl<P: Pages, R: Region> Mmu for LoongArch<P, R> {
    open spec fn geo() -> Geometry {
        P::shape()
    }

    open spec fn canonical(va: u64) -> bool {
        crate::hw::loongarch::canonical(va, P::width(), R::upper())
    }

    open spec fn step(phys_bits: u64, level: nat, word: u64) -> Step {
        crate::hw::loongarch::step(P::shape().page_bits as u64, phys_bits, level, word)
    }

    open spec fn may_become(level: nat, word: u64, now: u64) -> bool {
        crate::hw::loongarch::may_become(level, word, now)
    }
}

impl<P: Pages, R: Region> Encoding for LoongArch<P, R> {
    open spec fn page_size(level: nat) -> Option<PageSize> {
        pages::page_size(P::shape().page_bits, level)
    }

    open spec fn supports(prop: PageProperty) -> bool {
        prop.cache is WriteBack || prop.cache is WriteCombining || prop.cache is Uncacheable
    }

    open spec fn rights(prop: PageProperty) -> Rights {
        let own = Allowed { read: prop.read, write: prop.write, execute: prop.execute };
        Rights {
            kernel: own,
            user: if prop.user {
                own
            } else {
                Allowed::none()
            },
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

    open spec fn unset(level: nat, word: u64) -> nat {
        0
    }

    closed spec fn entry(level: nat, word: u64) -> Entry {
        word::decode(level as u8, word)
    }

    closed spec fn wf(phys_bits: u64, level: nat, word: u64) -> bool {
        spec::wf(P::shape().page_bits, phys_bits, level, word)
    }

    #[inline(always)]
    fn geometry() -> Geometry {
        proof {
            P::lemma_shape();
        }
        P::geometry()
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
            P::lemma_shape();
        }
        let width = P::address_bits();
        raw >> width == if R::is_upper() {
            u64::MAX >> width
        } else {
            0
        }
    }

    #[inline(always)]
    fn canonicalize(offset: u64) -> u64 {
        proof {
            proof::lemma_canonicalize::<P>(offset, R::upper());
        }
        if R::is_upper() {
            offset | (u64::MAX << P::address_bits())
        } else {
            offset
        }
    }

    #[inline(always)]
    fn level_of(size: PageSize) -> Option<u8> {
        proof {
            P::lemma_shape();
        }
        pages::level_of(P::geometry().page_bits, size)
    }

    #[inline(always)]
    fn size_at(level: u8) -> Option<PageSize> {
        proof {
            P::lemma_shape();
        }
        pages::size_at(P::geometry().page_bits, level)
    }

    #[inline(always)]
    fn can_express(prop: PageProperty) -> bool {
        word::has_policy(prop.cache)
    }

    #[inline(always)]
    fn decode(level: u8, word: u64) -> Entry {
        word::decode(level, word)
    }

    #[inline(always)]
    fn page(Ghost(phys_bits): Ghost<u64>, level: u8, frame: PhysAddr, prop: PageProperty) -> u64 {
        proof {
            proof::lemma_page::<P>(phys_bits, level, frame, prop);
        }
        word::page(level, frame, prop)
    }

    #[inline(always)]
    fn table(Ghost(phys_bits): Ghost<u64>, level: u8, table: PhysAddr, used: u16) -> u64 {
        let _ = level;
        proof {
            proof::lemma_table::<P>(phys_bits, level, table, used);
        }
        word::table(table, used)
    }
}

} // verus!
