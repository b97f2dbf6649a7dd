//! RISC-V: Sv39, Sv48 and Sv57, with three, four and five levels (privileged architecture, chapter "Supervisor-Level ISA",
//! version 1.13).
//!
//! Pages are of 4 KiB, 2 MiB and 1 GiB, physical addresses of up to 56 bits. Harts take entries of levels 4 and 5 for pages
//! of 512 GiB and 256 TiB; [`PageSize`] has neither, and no table of ours holds one.
//!
//! # Entries
//! - A page can be read or executed or both, and written only if it can be read: the other combinations are reserved.
//! - The kernel reads and writes user mode's pages (while `sstatus.SUM` is set), but never executes them.
//! - Cache policies are those of Svpbmt: write-back is PMA, which leaves it to the physical address how memory is cached;
//!   write-combining is NC, uncacheable is IO. There are no others.
//! - What refers to a table holds its address and V, nothing else: hardware never writes to it. There is no room to note
//!   how many entries of the table are in use (bits 60:54 are reserved), so unmapping looks at the table.
//!
//! What the hart reads in a word is defined in `hw/riscv.rs`; that it reads what was written is proven in
//! `arch/riscv/proof.rs`.
//!
//! # What a kernel sets up
//! - `satp` takes `mode << 60 | asid << 44 | root >> 12`, where `root` is [`PageTable::root`](crate::PageTable::root) and
//!   `mode` is 8 for Sv39, 9 for Sv48, 10 for Sv57. A hart that lacks the mode ignores the write, so read it back.
//! - `sstatus.MXR` is clear, or loads may read pages that can only be executed.
//! - Policies other than write-back need Svpbmt and `menvcfg.PBMTE` (bit 62), which the firmware sets: without them, an
//!   access to such a page is a page fault.
//! - Hardware sets accessed and dirty bits where `menvcfg.ADUE` (bit 61) is set (Svadu); SBI's firmware features turn it on.
//!   Where it is not (Svade), the first access to a page that is not accessed and the first store to one that is not dirty
//!   are page faults. With [`Preset`](crate::Preset) none of this matters: both bits are set from the start. With
//!   [`Tracking`](crate::Tracking) under Svade the fault's handler sets them, by
//!   [`protect`](crate::PageTable::protect).
//! - What [`TableMemory`](crate::TableMemory) stores, it stores with release ordering (`fence rw, w` before): harts don't
//!   keep the order of stores by themselves.
//!
//! # What a kernel fences
//! Harts cache entries of all levels, also those that are not valid (section "Supervisor Memory-Management Fence
//! Instruction"), and order their walks with stores by `sfence.vma` only, each hart for itself.
//! - **After `map`**, a hart may go on seeing nothing there, and fault, in the kernel's own accesses too. The kernel either
//!   executes `sfence.vma` on each hart, or takes a fault at an address that is mapped for spurious, and only then executes
//!   it and tries again. `rs1` is `x0`: `map` may have added tables, and `sfence.vma` with an address leaves cached entries
//!   of upper tables alone. Harts with Svvptc see the page soon without it.
//! - **After `unmap` and `protect`**, [`Invalidate`](crate::Invalidate) promises that entries of upper tables are gone
//!   too: `sfence.vma` with `rs1` = `x0` on each hart that uses the table. Where
//!   [`Flush::frees_tables`](crate::Flush::frees_tables) is false, only a page's entry changed, and `sfence.vma` with the
//!   page's address reaches it.
//! - `rs2` may be the address space's identifier, unless the page was global: then it is `x0`.

use super::PagingMode;
use super::entry::{Encoding, Entry};
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

mod levels;
#[cfg(verus_only)]
mod proof;
#[cfg(verus_only)]
mod spec;

pub use levels::{FiveLevels, FourLevels, Levels, ThreeLevels};

verus! {

const VALID: u64 = 0x1;

const READ: u64 = 0x2;

const WRITE: u64 = 0x4;

const EXECUTE: u64 = 0x8;

const USER: u64 = 0x10;

const GLOBAL: u64 = 0x20;

const ACCESSED: u64 = 0x40;

const DIRTY: u64 = 0x80;

/// The physical page number; shifted left by 2 it is an address.
const PPN: u64 = 0x003f_ffff_ffff_fc00;

/// The memory type of Svpbmt: none is `PMA`.
const MEMORY_TYPE: u64 = 0x6000_0000_0000_0000;

const NC: u64 = 0x2000_0000_0000_0000;

const IO: u64 = 0x4000_0000_0000_0000;

/// RISC-V paging with as many levels as `L` says.
#[verifier::allow(autoderive_clone_without_spec)]
#[derive(Clone, Copy, Debug)]
pub struct Riscv<L: Levels>(PhantomData<L>);

/// RISC-V paging with three levels.
pub type Sv39 = Riscv<ThreeLevels>;

/// RISC-V paging with four levels.
pub type Sv48 = Riscv<FourLevels>;

/// RISC-V paging with five levels.
pub type Sv57 = Riscv<FiveLevels>;

impl<L: Levels> PagingMode for Riscv<L> {

}

impl<L: Levels> Halves for Riscv<L> {
    proof fn lemma_halves() {
        proof::lemma_halves::<L>();
    }
}

impl<L: Levels> Mmu for Riscv<L> {
    open spec fn geo() -> Geometry {
        Geometry { page_bits: 12, index_bits: 9, levels: L::levels(), root_bits: 9 }
    }

    open spec fn canonical(va: u64) -> bool {
        crate::hw::riscv::canonical(va, (12 + 9 * L::levels()) as u64)
    }

    open spec fn step(phys_bits: u64, level: nat, word: u64) -> Step {
        crate::hw::riscv::step(phys_bits, level, word)
    }

    open spec fn may_become(level: nat, word: u64, now: u64) -> bool {
        crate::hw::riscv::may_become(level, word, now)
    }
}

/// The memory type for a cache policy that an entry can express.
#[auto_spec]
#[inline(always)]
fn cache_bits(cache: CachePolicy) -> u64
    no_unwind
{
    match cache {
        CachePolicy::WriteCombining => NC,
        CachePolicy::Uncacheable => IO,
        _ => 0,
    }
}

/// The cache policy of a page's entry.
#[auto_spec]
#[inline(always)]
fn cache_policy(word: u64) -> CachePolicy
    opens_invariants none
    no_unwind
{
    if word & MEMORY_TYPE == 0 {
        CachePolicy::WriteBack
    } else if word & MEMORY_TYPE == NC {
        CachePolicy::WriteCombining
    } else {
        CachePolicy::Uncacheable
    }
}

/// What `word` stands for in a table of any level.
#[auto_spec]
#[inline(always)]
fn decode(word: u64) -> Entry
    opens_invariants none
    no_unwind
{
    let addr = PhysAddr((word & PPN) << 2);
    if word & VALID == 0 {
        Entry::Empty
    } else if word & READ != 0 || word & EXECUTE != 0 {
        Entry::Page {
            frame: addr,
            prop: PageProperty {
                read: word & READ != 0,
                write: word & WRITE != 0,
                execute: word & EXECUTE != 0,
                user: word & USER != 0,
                global: word & GLOBAL != 0,
                accessed: word & ACCESSED != 0,
                dirty: word & DIRTY != 0,
                cache: cache_policy(word),
            },
        }
    } else {
        Entry::Table { table: addr, used: 1 }
    }
}

/// The word for a page.
#[auto_spec]
#[inline(always)]
fn page(frame: PhysAddr, prop: PageProperty) -> u64
    no_unwind
{
    frame.0 >> 2 | VALID | flag(prop.read, READ) | flag(prop.write, WRITE) | flag(
        prop.execute,
        EXECUTE,
    ) | flag(prop.user, USER) | flag(prop.global, GLOBAL) | flag(prop.accessed, ACCESSED) | flag(
        prop.dirty,
        DIRTY,
    ) | cache_bits(prop.cache)
}

/// The word for a table.
#[auto_spec]
#[inline(always)]
fn table(at: PhysAddr) -> u64
    no_unwind
{
    at.0 >> 2 | VALID
}

impl<L: Levels> Encoding for Riscv<L> {
    open spec fn page_size(level: nat) -> Option<PageSize> {
        words::page_size(level)
    }

    open spec fn supports(prop: PageProperty) -> bool {
        &&& prop.read || prop.execute
        &&& prop.write ==> prop.read
        &&& prop.cache is WriteBack || prop.cache is WriteCombining || prop.cache is Uncacheable
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
        56
    }

    open spec fn resizes() -> bool {
        true
    }

    open spec fn counts() -> bool {
        false
    }

    open spec fn pins() -> bool {
        false
    }

    open spec fn unset(level: nat, word: u64) -> nat {
        (u64::MAX - word) as nat
    }

    closed spec fn entry(level: nat, word: u64) -> Entry {
        decode(word)
    }

    closed spec fn wf(phys_bits: u64, level: nat, word: u64) -> bool {
        spec::wf::<L>(phys_bits, level, word)
    }

    #[inline(always)]
    fn geometry() -> Geometry {
        Geometry { page_bits: 12, index_bits: 9, levels: L::count(), root_bits: 9 }
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
        false
    }

    #[inline(always)]
    fn frame_limit() -> u64 {
        56
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
        match prop.cache {
            CachePolicy::WriteBack | CachePolicy::WriteCombining | CachePolicy::Uncacheable => {
                prop.read || (prop.execute && !prop.write)
            },
            _ => false,
        }
    }

    #[inline(always)]
    fn decode(level: u8, word: u64) -> Entry {
        let _ = level;
        decode(word)
    }

    #[inline(always)]
    fn page(Ghost(phys_bits): Ghost<u64>, level: u8, frame: PhysAddr, prop: PageProperty) -> u64 {
        let _ = level;
        proof {
            L::lemma_levels();
            words::proof::lemma_sizes(Self::geo());
            proof::lemma_page::<L>(phys_bits, level, frame, prop);
        }
        page(frame, prop)
    }

    #[inline(always)]
    fn table(Ghost(phys_bits): Ghost<u64>, level: u8, table: PhysAddr, used: u16) -> u64 {
        let _ = (level, used);
        proof {
            L::lemma_levels();
            words::proof::lemma_sizes(Self::geo());
            proof::lemma_table::<L>(phys_bits, level, table);
        }
        self::table(table)
    }
}

} // verus!
