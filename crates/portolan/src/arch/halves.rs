//! The two halves of a root table that covers both user and kernel addresses, as tables of their own.
//!
//! Where one root register serves all addresses (x86_64, RISC-V), the kernel's half of every process's root refers to the
//! same tables. Here the kernel's half is a page table in the mode [`KernelHalf`], and each process's one in
//! [`UserHalf`], made by [`PageTable::sharing`](crate::PageTable::sharing): its root's upper entries refer to the kernel's
//! tables. What the kernel maps, all processes see at once.
//!
//! - An address of the other half is none of the mode's: a kernel address isn't a [`VirtAddr`](crate::VirtAddr) of a
//!   `UserHalf`, so nothing can be mapped there through a process's table, nor the other way round.
//! - The tables directly below the root of a kernel half are there from the start, one for each entry, and stay: no root
//!   has to be changed when the kernel maps or unmaps something. A kernel half with 4 KiB tables takes 1 MiB (and 4 KiB).
//! - An entry of the root is never a page: Sv39 has no pages of 1 GiB in halves.
//! - All else is as the mode has it: entries, sizes, properties, registers, fences.
//!
//! # What a kernel does
//! - The root register takes a process's [`PageTable::root`](crate::PageTable::root), never the kernel half's: that root is
//!   only where the others are copied from. A kernel without a process runs on a `UserHalf` that maps nothing.
//! - What [`unmap`](crate::PageTable::unmap) and [`protect`](crate::PageTable::protect) in the kernel half owe is owed by
//!   **all** processors, whichever process's table they use: its [`Invalidate`](crate::Invalidate) reaches all of them, and
//!   where processors keep translations of several address spaces (PCID, ASID), in all of these. Kernel pages are usually
//!   mapped global ([`PageProperty::global`](crate::PageProperty)), and invalidated as such.
//! - Processes end before the kernel half: dropping one gives its own tables back, dropping the kernel half none
//!   ([`PageTable::destroy`](crate::PageTable::destroy)).
//!
//! AArch64 needs none of this: it has a root register for each half.

use super::PagingMode;
use super::entry::{Encoding, Entry, Sealed};
use super::geometry::Geometry;
use crate::addr::{PageSize, PhysAddr};
use crate::hw::mmu::Mmu;
#[cfg(verus_only)]
use crate::hw::mmu::{Rights, Step};
use crate::prop::PageProperty;
use core::marker::PhantomData;
use vstd::prelude::*;

#[cfg(verus_only)]
pub(crate) mod proof;

verus! {

/// A paging mode whose root covers two halves of the addresses: [`X86_64`](crate::X86_64) and
/// [`X86_64La57`](crate::X86_64La57), [`Sv39`](crate::Sv39), [`Sv48`](crate::Sv48) and [`Sv57`](crate::Sv57).
///
/// Sealed, as [`PagingMode`] is.
pub trait Halves: PagingMode {
    /// The halves are those of the root's entries: addresses whose upper bits are all zeros, and all ones.
    proof fn lemma_halves()
        ensures
            Self::geo().page_bits == 12,
            Self::geo().index_bits == 9,
            3 <= Self::geo().levels <= 5,
            Self::geo().root_bits == 9,
            forall|va: u64| #[trigger]
                Self::canonical(va) <==> va < Self::geo().limit() / 2 || va
                    >= 0x1_0000_0000_0000_0000 - Self::geo().limit() / 2,
    ;
}

/// Which half of the addresses: [`User`] or [`Kernel`].
pub trait Side: Copy + Sealed {
    /// Whether it is the upper one.
    spec fn upper() -> bool;

    /// Whether it is the upper one.
    fn is_upper() -> (r: bool)
        ensures
            r == Self::upper(),
        opens_invariants none
        no_unwind
    ;
}

/// The lower half, from address 0 upwards.
#[derive(Clone, Copy, Debug)]
pub struct User;

/// The upper half, up to the last address.
#[derive(Clone, Copy, Debug)]
pub struct Kernel;

impl Sealed for User {

}

impl Sealed for Kernel {

}

impl Side for User {
    open spec fn upper() -> bool {
        false
    }

    #[inline(always)]
    fn is_upper() -> bool {
        false
    }
}

impl Side for Kernel {
    open spec fn upper() -> bool {
        true
    }

    #[inline(always)]
    fn is_upper() -> bool {
        true
    }
}

/// One half of the paging mode `A`.
#[verifier::allow(autoderive_clone_without_spec)]
#[derive(Clone, Copy, Debug)]
pub struct Half<A: Halves, S: Side>(PhantomData<(A, S)>);

/// The lower half of `A`: a process's.
pub type UserHalf<A> = Half<A, User>;

/// The upper half of `A`: the kernel's.
///
/// A page that is unmapped here is one less in every table that [shares](crate::PageTable::sharing) the half: the
/// [`Flush`](crate::Flush) is owed by all processors, whichever table they use.
pub type KernelHalf<A> = Half<A, Kernel>;

impl<A: Halves, S: Side> PagingMode for Half<A, S> {

}

impl<A: Halves, S: Side> Mmu for Half<A, S> {
    open spec fn geo() -> Geometry {
        Geometry { root_bits: (A::geo().root_bits - 1) as u8, ..A::geo() }
    }

    open spec fn canonical(va: u64) -> bool {
        A::canonical(va) && (va as int >= Self::geo().limit()) == S::upper()
    }

    open spec fn step(phys_bits: u64, level: nat, word: u64) -> Step {
        A::step(phys_bits, level, word)
    }

    open spec fn may_become(level: nat, word: u64, now: u64) -> bool {
        A::may_become(level, word, now)
    }
}

impl<A: Halves, S: Side> Encoding for Half<A, S> {
    open spec fn page_size(level: nat) -> Option<PageSize> {
        if level < A::geo().levels {
            A::page_size(level)
        } else {
            None
        }
    }

    open spec fn supports(prop: PageProperty) -> bool {
        A::supports(prop)
    }

    open spec fn rights(prop: PageProperty) -> Rights {
        A::rights(prop)
    }

    open spec fn frame_bits() -> u64 {
        A::frame_bits()
    }

    open spec fn counts() -> bool {
        A::counts()
    }

    open spec fn resizes() -> bool {
        A::resizes()
    }

    open spec fn pins() -> bool {
        S::upper()
    }

    open spec fn unset(level: nat, word: u64) -> nat {
        A::unset(level, word)
    }

    open spec fn entry(level: nat, word: u64) -> Entry {
        A::entry(level, word)
    }

    open spec fn wf(phys_bits: u64, level: nat, word: u64) -> bool {
        A::wf(phys_bits, level, word) && (level == A::geo().levels ==> !(A::entry(
            level,
            word,
        ) is Page))
    }

    #[inline(always)]
    fn geometry() -> Geometry {
        let whole = A::geometry();
        proof {
            proof::lemma_half::<A, S>();
        }
        Geometry { root_bits: whole.root_bits - 1, ..whole }
    }

    #[inline(always)]
    fn pinning() -> bool {
        S::is_upper()
    }

    #[inline(always)]
    fn counting() -> bool {
        A::counting()
    }

    #[inline(always)]
    fn resizing() -> bool {
        A::resizing()
    }

    #[inline(always)]
    fn frame_limit() -> u64 {
        A::frame_limit()
    }

    #[inline(always)]
    fn is_canonical(raw: u64) -> bool {
        proof {
            proof::lemma_half::<A, S>();
        }
        A::is_canonical(raw) && (raw >= Self::geometry().limit_bytes()) == S::is_upper()
    }

    #[inline(always)]
    fn canonicalize(offset: u64) -> u64 {
        proof {
            proof::lemma_half::<A, S>();
            proof::lemma_half_limit::<A, S>();
        }
        let whole = if S::is_upper() {
            offset + Self::geometry().limit_bytes()
        } else {
            offset
        };
        let r = A::canonicalize(whole);
        proof {
            proof::lemma_canonicalize::<A, S>(offset, whole, r);
        }
        r
    }

    #[inline(always)]
    fn level_of(size: PageSize) -> Option<u8> {
        proof {
            proof::lemma_half::<A, S>();
            proof::lemma_level_of::<A, S>(size);
        }
        match A::level_of(size) {
            Some(level) if level < A::geometry().levels => Some(level),
            _ => None,
        }
    }

    #[inline(always)]
    fn size_at(level: u8) -> Option<PageSize> {
        if level < A::geometry().levels {
            A::size_at(level)
        } else {
            None
        }
    }

    #[inline(always)]
    fn can_express(prop: PageProperty) -> bool {
        A::can_express(prop)
    }

    #[inline(always)]
    fn decode(level: u8, word: u64) -> Entry {
        A::decode(level, word)
    }

    #[inline(always)]
    fn page(Ghost(phys_bits): Ghost<u64>, level: u8, frame: PhysAddr, prop: PageProperty) -> u64 {
        proof {
            proof::lemma_half::<A, S>();
        }
        A::page(Ghost(phys_bits), level, frame, prop)
    }

    #[inline(always)]
    fn table(Ghost(phys_bits): Ghost<u64>, level: u8, table: PhysAddr, used: u16) -> u64 {
        proof {
            proof::lemma_half::<A, S>();
        }
        A::table(Ghost(phys_bits), level, table, used)
    }
}

} // verus!
