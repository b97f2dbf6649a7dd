//! What a LoongArch64 processor makes of one entry: LoongArch Reference Manual, Volume 1: Basic Architecture (v1.10).
//!
//! The processor has a TLB (5.4.2, 5.4.4) and no walk: where the TLB has nothing, software fills it (5.4.3). So the walk
//! defined here is that of the refill handler which [`arch::loongarch`](crate::arch::loongarch) lists and a kernel
//! installs, followed by what the memory management unit does with the words that the handler gives it. The format of the
//! entries is the manual's (5.4.5). Of the handler it is assumed that it starts at the table that `CSR.PGD` names, loads at
//! each level the entry for the address, and
//! - where V (bit 0) is clear fills nothing, and has the kernel take the access for one to a page that is not there;
//! - above level 1, where H (bit 6) is set and the level has pages, fills the two halves of the page of 2^n bytes: bits
//!   n-2:12 clear, bit n-1 clear in the even half and set in the odd one, and bit 12 moved to bit 6;
//! - above level 1 otherwise goes on with the table at bits 47:12;
//! - at level 1 fills the pair of entries that the address lies in, as they stand in memory.
//!
//! Assumed of the processor's state:
//! - `CSR.CRMD` has DA clear and PG set, and the address lies in no direct mapping window (5.2.1);
//! - `CSR.RVACFG.RBits` leaves one bit more than those that index the tables of a region (5.2.3): VALEN less 8 is 40 in a
//!   region of 39 bits, VALEN is 48 in one of 47;
//! - `CSR.MISC` has DWPL0 clear, so that the kernel too stores only where D is set (5.4.4);
//! - hardware that walks tables itself, which later versions have, is off.
//!
//! Privilege levels 1 and 2 are not used. Pages of a pair are translated each by its own word, but for G: the pair outlives
//! a change of the address space only if both have G (7.5, TLBELO0). What is told as global may outlive it.

use super::mmu::{Allowed, Rights, Step};
use crate::prop::CachePolicy;
use vstd::prelude::*;

verus! {

/// Bit `n` of an entry.
pub open spec fn bit(word: u64, n: u64) -> bool {
    word & (1u64 << n) != 0
}

/// A page of a level is 2 to the power of this many bytes with pages of 2 to the power of `page_bits`: an entry of a
/// directory can be a page where the TLB has pages of half the size (7.4, PRCFG2), which is up to 1 GiB.
pub open spec fn leaf_bits(page_bits: u64, level: nat) -> Option<u64> {
    if level <= 1 {
        Some(page_bits)
    } else if page_bits == 12 && level == 2 {
        Some(21)
    } else if page_bits == 12 && level == 3 {
        Some(30)
    } else if page_bits == 14 && level == 2 {
        Some(25)
    } else {
        None
    }
}

/// Whether a valid entry maps a page: at level 1, and above it where H (bit 6) is set and the level has pages (5.4.5).
pub open spec fn is_leaf(page_bits: u64, level: nat, word: u64) -> bool {
    level <= 1 || leaf_bits(page_bits, level) is Some && bit(word, 6)
}

/// The address of a page of 2 to the power of `n` bytes: bits PALEN-1:n. Those below may be any value (5.4.2, PPN), and
/// those from PALEN to 60 are not kept (7.5, TLBRELO0).
pub open spec fn address(word: u64, n: u64, phys_bits: u64) -> u64 {
    word & 0x1fff_ffff_ffff_f000 & !sub(1u64 << n, 1) & sub(1u64 << phys_bits, 1)
}

/// The address of a table: bits 47:12. The handler loads from it with direct address translation, which looks at bits
/// PALEN-1:0 only (5.2).
pub open spec fn table_address(word: u64, phys_bits: u64) -> u64 {
    word & 0x0000_ffff_ffff_f000 & sub(1u64 << phys_bits, 1)
}

/// The privilege level PLV: bits 3:2.
pub open spec fn privilege(word: u64) -> u64 {
    (word >> 2) & 0x3
}

/// The memory access type MAT: bits 5:4.
pub open spec fn access_type(word: u64) -> u64 {
    (word >> 4) & 0x3
}

/// The cache policy of a memory access type (5.3): coherent cached, weakly-ordered uncached, strongly-ordered uncached.
pub open spec fn cache(access_type: u64) -> CachePolicy {
    if access_type == 1 {
        CachePolicy::WriteBack
    } else if access_type == 2 {
        CachePolicy::WriteCombining
    } else {
        CachePolicy::Uncacheable
    }
}

/// What a page allows (5.4.4): loads unless NR (bit 61), stores if D (bit 1), fetches unless NX (bit 62); to privilege
/// levels up to PLV, or with RPLV (bit 63) to PLV only. The kernel is at level 0, user mode at 3.
pub open spec fn rights(word: u64) -> Rights {
    let own = Allowed { read: !bit(word, 61), write: bit(word, 1), execute: !bit(word, 62) };
    Rights {
        kernel: if bit(word, 63) && privilege(word) != 0 {
            Allowed::none()
        } else {
            own
        },
        user: if privilege(word) == 3 {
            own
        } else {
            Allowed::none()
        },
    }
}

/// What the entry `word` of a table of `level` tells the walk, with pages of 2 to the power of `page_bits` bytes.
///
/// All other bits are ignored: P (7) and W (8) are for hardware that walks tables, those without a name are software's
/// (5.4.5). Memory access type 3 is reserved (5.3).
pub open spec fn step(page_bits: u64, phys_bits: u64, level: nat, word: u64) -> Step {
    if !bit(word, 0) {
        Step::NotPresent
    } else if !is_leaf(page_bits, level, word) {
        Step::Table {
            table: table_address(word, phys_bits) as int,
            rights: Rights::all(),
            global: false,
        }
    } else if access_type(word) == 3 {
        Step::Reserved
    } else {
        Step::Page {
            frame: address(word, leaf_bits(page_bits, level)->0, phys_bits) as int,
            rights: rights(word),
            global: if level <= 1 {
                bit(word, 6)
            } else {
                bit(word, 12)
            },
            cache: cache(access_type(word)),
        }
    }
}

/// What hardware may make of an entry: nothing. Neither the processor nor the handler stores to tables.
pub open spec fn may_become(level: nat, word: u64, now: u64) -> bool {
    now == word
}

/// Whether the region has the address: all bits above the `width` that index the tables are ones in the upper region,
/// zeros in the lower one (5.2; 7.5, PGDL and PGDH). What neither region has is an address error.
pub open spec fn canonical(va: u64, width: u64, upper: bool) -> bool {
    va >> width == if upper {
        u64::MAX >> width
    } else {
        0
    }
}

} // verus!
