//! That x86_64 entries are read as they were written, by us and by the processor.

use super::super::entry::{Encoding, Entry, EntryFormat, is_frame_address};
use super::super::words::page_size;
use super::super::words::proof::{
    bits, fits, lemma_absent, lemma_align_down, lemma_exists, lemma_single_bits, lemma_sizes,
    set_if,
};
use super::{
    Levels, PAT, X86, cache_bits, cache_policy, decode, is_page, page, pat_bit, spec, table,
};
use crate::addr::{PageSize, PhysAddr};
use crate::hw::mmu::{Mmu, Rights, Step};
use crate::hw::x86_64 as hw;
use crate::prop::{CachePolicy, PageProperty};
use vstd::arithmetic::power2::lemma2_to64_rest;
use vstd::prelude::*;

verus! {

/// Each entry of the page attribute table that we tell kernels to set is the policy that the walk takes it for, and so
/// are the first four of the one at reset (13.12.4).
proof fn lemma_pat()
    ensures
        forall|index: u64|
            index < 8 ==> #[trigger] hw::pat_entry(PAT, index) == Some(hw::pat(index as int)),
        forall|index: u64|
            index < 4 ==> #[trigger] hw::pat_entry(0x0007_0406_0007_0406, index) == Some(
                hw::pat(index as int),
            ),
{
    let (p, reset) = (PAT, 0x0007_0406_0007_0406u64);
    assert((p >> 0) & 0xff == 0x06 && (p >> 8) & 0xff == 0x04 && (p >> 16) & 0xff == 0x07 && (p
        >> 24) & 0xff == 0x00 && (p >> 32) & 0xff == 0x01 && (p >> 40) & 0xff == 0x05 && (p >> 48)
        & 0xff == 0x07 && (p >> 56) & 0xff == 0x00) by (bit_vector)
        requires
            p == 0x0007_0501_0007_0406,
    ;
    assert((reset >> 0) & 0xff == 0x06 && (reset >> 8) & 0xff == 0x04 && (reset >> 16) & 0xff
        == 0x07 && (reset >> 24) & 0xff == 0x00) by (bit_vector)
        requires
            reset == 0x0007_0406_0007_0406,
    ;
}

/// The upper bits are all zeros below half of what is covered, all ones as far from the end.
pub(super) proof fn lemma_halves<L: Levels>()
    ensures
        4 <= L::levels() <= 5,
        forall|va: u64| #[trigger]
            X86::<L>::canonical(va) <==> va < X86::<L>::geo().limit() / 2 || va
                >= 0x1_0000_0000_0000_0000 - X86::<L>::geo().limit() / 2,
{
    L::lemma_levels();
    lemma_sizes(X86::<L>::geo());
    lemma2_to64_rest();
    assert forall|va: u64| #[trigger]
        X86::<L>::canonical(va) <==> va < X86::<L>::geo().limit() / 2 || va
            >= 0x1_0000_0000_0000_0000 - X86::<L>::geo().limit() / 2 by {
        assert((va >> 47u64 == 0 <==> va < 0x8000_0000_0000) && (va >> 47u64 == u64::MAX >> 47u64
            <==> va >= 0xffff_8000_0000_0000)) by (bit_vector);
        assert((va >> 56u64 == 0 <==> va < 0x100_0000_0000_0000) && (va >> 56u64 == u64::MAX
            >> 56u64 <==> va >= 0xff00_0000_0000_0000)) by (bit_vector);
    }
}

/// Writing a page and reading it back.
pub(super) proof fn lemma_page(phys_bits: u64, level: u8, frame: PhysAddr, prop: PageProperty)
    requires
        1 <= level <= 3,
        phys_bits <= 52,
        is_frame_address(frame, phys_bits, page_size(level as nat)->0.bytes() as int),
        prop.read,
    ensures
        decode(level, page(level, frame, prop)) == (Entry::Page { frame, prop }),
{
    let size = page_size(level as nat)->0;
    lemma_exists(frame, phys_bits, size);
    let (f, n, r) = (frame.0, bits(size), page(level, frame, prop));
    let (w, u, x, g) = (prop.write, prop.user, prop.execute, prop.global);
    let (a, d) = (prop.accessed, prop.dirty);
    let (p, c) = (pat_bit(level), cache_bits(level, prop.cache));
    let pat = prop.cache is WriteCombining || prop.cache is WriteProtected;
    let pcd = prop.cache is UncacheableMinus || prop.cache is Uncacheable;
    let pwt = prop.cache is WriteThrough || prop.cache is Uncacheable
        || prop.cache is WriteProtected;
    assert(r & 0x1 != 0 && (r & 0x2 != 0) == w && (r & 0x4 != 0) == u && (r & 0x8000_0000_0000_0000
        == 0) == x && (r & 0x100 != 0) == g && (r & 0x20 != 0) == a && (r & 0x40 != 0) == d && (r
        & p != 0) == pat && (r & 0x10 != 0) == pcd && (r & 0x8 != 0) == pwt && (n == 12 ==> r
        & 0x000f_ffff_ffff_f000 == f) && (n > 12 ==> r & 0x80 != 0 && r & 0x000f_ffff_ffff_e000
        == f)) by (bit_vector)
        requires
            n == 12 && p == 0x80 || n == 21 && p == 0x1000 || n == 30 && p == 0x1000,
            phys_bits <= 52,
            fits(f, phys_bits, n),
            c == if pcd {
                if pwt {
                    0x10u64 | 0x8
                } else {
                    0x10
                }
            } else if pat {
                if pwt {
                    p | 0x8
                } else {
                    p
                }
            } else if pwt {
                0x8
            } else {
                0
            },
            pcd ==> !pat,
            r == f | 0x1 | set_if(w, 0x2) | set_if(u, 0x4) | set_if(!x, 0x8000_0000_0000_0000)
                | set_if(g, 0x100) | set_if(a, 0x20) | set_if(d, 0x40) | c | set_if(n > 12, 0x80),
    ;
}

/// Writing a table's entry and reading it back.
pub(super) proof fn lemma_table(phys_bits: u64, level: u8, at: PhysAddr, used: u16)
    requires
        1 < level,
        phys_bits <= 52,
        is_frame_address(at, phys_bits, 0x1000),
        used <= 512,
    ensures
        decode(level, table(at, used)) == (Entry::Table { table: at, used }),
        spec::wf(phys_bits, level as nat, table(at, used)),
{
    lemma_exists(at, phys_bits, PageSize::Size4K);
    let (t, n, r) = (at.0, used as u64, table(at, used));
    assert(r & 0x1 != 0 && r & 0x80 == 0 && r & 0x000f_ffff_ffff_f000 == t && (r >> 52) & 0x3ff == n
        && r & 0x8000_0000_0000_00a7 == 0x27) by (bit_vector)
        requires
            fits(t, phys_bits, 12),
            phys_bits <= 52,
            n <= 512,
            r == t | 0x1 | 0x2 | 0x4 | 0x20 | (n << 52),
    ;
}

/// The bits of a table's entry.
proof fn lemma_table_bits(word: u64)
    by (bit_vector)
    requires
        word & 0x8000_0000_0000_00a7 == 0x27,
    ensures
        word & 0x1 != 0,
        word & 0x2 != 0,
        word & 0x4 != 0,
        word & 0x80 == 0,
        word & 0x8000_0000_0000_0000 == 0,
        word | 0x20 == word,
{
}

/// The bits of a word that the processor doesn't set.
proof fn lemma_kept(word: u64, now: u64)
    by (bit_vector)
    requires
        now == word || now == word | 0x20 || now == word | 0x40 || now == word | 0x60,
    ensures
        now & 0x1 == word & 0x1,
        now & 0x2 == word & 0x2,
        now & 0x4 == word & 0x4,
        now & 0x8 == word & 0x8,
        now & 0x10 == word & 0x10,
        now & 0x80 == word & 0x80,
        now & 0x100 == word & 0x100,
        now & 0x1000 == word & 0x1000,
        now & 0x8000_0000_0000_0000 == word & 0x8000_0000_0000_0000,
        now & 0x000f_ffff_ffff_f000 == word & 0x000f_ffff_ffff_f000,
        now & 0x000f_ffff_ffff_e000 == word & 0x000f_ffff_ffff_e000,
        word & 0x20 != 0 ==> now & 0x20 != 0,
        word & 0x40 != 0 ==> now & 0x40 != 0,
        now >= word,
{
}

/// Where what an entry refers to exists, no reserved bit is set.
proof fn lemma_reserved(phys_bits: u64, n: u64, word: u64, addr: u64)
    by (bit_vector)
    requires
        n == 12 && addr == word & 0x000f_ffff_ffff_f000 || (n == 21 || n == 30) && addr == word
            & 0x000f_ffff_ffff_e000,
        phys_bits <= 52,
        fits(addr, phys_bits, n),
    ensures
        word & 0x000f_ffff_ffff_ffff & !sub(1u64 << phys_bits, 1) == 0,
        n == 21 ==> word & 0x001f_e000 == 0 && word & 0x000f_ffff_ffe0_0000 == addr,
        n == 30 ==> word & 0x3fff_e000 == 0 && word & 0x000f_ffff_c000_0000 == addr,
{
}

/// The processor finds the cache policy that we do.
proof fn lemma_cache(level: u8, word: u64)
    ensures
        level == 1 ==> hw::pat(hw::pat_index(word, 7)) == cache_policy(level, word),
        level != 1 ==> hw::pat(hw::pat_index(word, 12)) == cache_policy(level, word),
{
    lemma_single_bits();
}

/// The processor reads in a word of ours what we do.
proof fn lemma_read<L: Levels>(phys_bits: u64, level: nat, word: u64)
    requires
        1 <= level <= 5,
        phys_bits <= 52,
        spec::wf(phys_bits, level, word),
    ensures
        hw::step(phys_bits, level, word) == decode(level as u8, word).told(
            X86::<L>::rights(decode(level as u8, word)->Page_prop),
        ),
{
    lemma_single_bits();
    match decode(level as u8, word) {
        Entry::Empty => {},
        Entry::Table { table, .. } => {
            lemma_table_bits(word);
            lemma_exists(table, phys_bits, PageSize::Size4K);
            lemma_reserved(phys_bits, 12, word, table.0);
        },
        Entry::Page { frame, .. } => {
            let size = page_size(level)->0;
            lemma_cache(level as u8, word);
            lemma_exists(frame, phys_bits, size);
            lemma_reserved(phys_bits, bits(size), word, frame.0);
        },
    }
}

impl<L: Levels> EntryFormat for X86<L> {
    proof fn lemma_geometry() {
        L::lemma_levels();
    }

    proof fn lemma_pins() {
    }

    proof fn lemma_page_size(level: nat) {
        L::lemma_levels();
        lemma_sizes(Self::geo());
    }

    proof fn lemma_wf(phys_bits: u64, level: nat, word: u64) {
        L::lemma_levels();
        lemma_sizes(Self::geo());
    }

    proof fn lemma_align_down(raw: u64, size: PageSize) {
        L::lemma_levels();
        lemma_align_down(raw, size, (11 + 9 * L::levels()) as u64);
    }

    proof fn lemma_supports(prop: PageProperty, accessed: bool, dirty: bool) {
    }

    proof fn lemma_read_only(prop: PageProperty) {
    }

    proof fn lemma_zero(phys_bits: u64, level: nat) {
        lemma_absent(0);
    }

    proof fn lemma_absent(phys_bits: u64, level: nat, word: u64) {
        lemma_single_bits();
        lemma_absent(word);
    }

    proof fn lemma_settled(phys_bits: u64, level: nat, word: u64) {
        lemma_single_bits();
        assert(word & 0x20 != 0 && word & 0x40 != 0 ==> word | 0x20 == word && word | 0x40 == word
            && word | 0x60 == word) by (bit_vector);
        if decode(level as u8, word) is Table {
            lemma_table_bits(word);
        }
    }

    proof fn lemma_step(phys_bits: u64, level: nat, word: u64, now: u64) {
        lemma_single_bits();
        L::lemma_levels();
        if decode(level as u8, word) is Table {
            lemma_table_bits(word);
        } else {
            lemma_kept(word, now);
        }
        lemma_read::<L>(phys_bits, level, now);
    }

    proof fn lemma_reflexive(level: nat, word: u64) {
    }

    proof fn lemma_progress(level: nat, word: u64, now: u64) {
        lemma_kept(word, now);
    }
}

} // verus!
