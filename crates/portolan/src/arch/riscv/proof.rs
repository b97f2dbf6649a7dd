//! That RISC-V entries are read as they were written, by us and by the hart.

use super::super::entry::{Encoding, Entry, EntryFormat, is_frame_address};
use super::super::words::page_size;
use super::super::words::proof::{
    bits, fits, lemma_absent, lemma_align_down, lemma_exists, lemma_single_bits, lemma_sizes,
    set_if,
};
use super::{Levels, Riscv, cache_bits, decode, page, spec, table};
use crate::addr::{PageSize, PhysAddr};
use crate::hw::mmu::{Mmu, Rights, Step};
use crate::hw::riscv as hw;
use crate::prop::PageProperty;
use vstd::arithmetic::power2::lemma2_to64_rest;
use vstd::prelude::*;

verus! {

/// What the manual has in a word's bits that aren't single ones.
proof fn lemma_fields(word: u64)
    by (bit_vector)
    ensures
        ((word >> 10) & 0x0fff_ffff_ffff) << 12 == (word & 0x003f_ffff_ffff_fc00) << 2,
        (word >> 61) & 0x3 == 0 <==> word & 0x6000_0000_0000_0000 == 0,
        (word >> 61) & 0x3 == 1 <==> word & 0x6000_0000_0000_0000 == 0x2000_0000_0000_0000,
        (word >> 61) & 0x3 == 3 <==> word & 0x6000_0000_0000_0000 == 0x6000_0000_0000_0000,
        word & 0x9fc0_0000_0000_0300 == 0 ==> word & 0x9fc0_0000_0000_0000 == 0,
{
}

/// The upper bits are all zeros below half of what is covered, all ones as far from the end.
pub(super) proof fn lemma_halves<L: Levels>()
    ensures
        3 <= L::levels() <= 5,
        forall|va: u64| #[trigger]
            Riscv::<L>::canonical(va) <==> va < Riscv::<L>::geo().limit() / 2 || va
                >= 0x1_0000_0000_0000_0000 - Riscv::<L>::geo().limit() / 2,
{
    L::lemma_levels();
    lemma_sizes(Riscv::<L>::geo());
    lemma2_to64_rest();
    assert forall|va: u64| #[trigger]
        Riscv::<L>::canonical(va) <==> va < Riscv::<L>::geo().limit() / 2 || va
            >= 0x1_0000_0000_0000_0000 - Riscv::<L>::geo().limit() / 2 by {
        assert((va >> 38u64 == 0 <==> va < 0x40_0000_0000) && (va >> 38u64 == u64::MAX >> 38u64
            <==> va >= 0xffff_ffc0_0000_0000)) by (bit_vector);
        assert((va >> 47u64 == 0 <==> va < 0x8000_0000_0000) && (va >> 47u64 == u64::MAX >> 47u64
            <==> va >= 0xffff_8000_0000_0000)) by (bit_vector);
        assert((va >> 56u64 == 0 <==> va < 0x100_0000_0000_0000) && (va >> 56u64 == u64::MAX
            >> 56u64 <==> va >= 0xff00_0000_0000_0000)) by (bit_vector);
    }
}

/// Writing a page and reading it back.
pub(super) proof fn lemma_page<L: Levels>(
    phys_bits: u64,
    level: u8,
    frame: PhysAddr,
    prop: PageProperty,
)
    requires
        1 <= level <= 3,
        phys_bits <= 56,
        is_frame_address(frame, phys_bits, page_size(level as nat)->0.bytes() as int),
        Riscv::<L>::supports(prop),
    ensures
        decode(page(frame, prop)) == (Entry::Page { frame, prop }),
        spec::wf::<L>(phys_bits, level as nat, page(frame, prop)),
{
    let size = page_size(level as nat)->0;
    lemma_exists(frame, phys_bits, size);
    let (f, n, c, r) = (frame.0, bits(size), cache_bits(prop.cache), page(frame, prop));
    let (rd, w, x, u) = (prop.read, prop.write, prop.execute, prop.user);
    let (g, a, d) = (prop.global, prop.accessed, prop.dirty);
    assert(r & 0x1 != 0 && (r & 0x2 != 0) == rd && (r & 0x4 != 0) == w && (r & 0x8 != 0) == x && (r
        & 0x10 != 0) == u && (r & 0x20 != 0) == g && (r & 0x40 != 0) == a && (r & 0x80 != 0) == d
        && r & 0x6000_0000_0000_0000 == c && r & 0x9fc0_0000_0000_0300 == 0 && (r
        & 0x003f_ffff_ffff_fc00) << 2 == f) by (bit_vector)
        requires
            12 <= n <= phys_bits <= 56,
            fits(f, phys_bits, n),
            c == 0 || c == 0x2000_0000_0000_0000 || c == 0x4000_0000_0000_0000,
            r == f >> 2 | 0x1 | set_if(rd, 0x2) | set_if(w, 0x4) | set_if(x, 0x8) | set_if(u, 0x10)
                | set_if(g, 0x20) | set_if(a, 0x40) | set_if(d, 0x80) | c,
    ;
}

/// Writing a table's entry and reading it back.
pub(super) proof fn lemma_table<L: Levels>(phys_bits: u64, level: u8, at: PhysAddr)
    requires
        1 < level,
        phys_bits <= 56,
        is_frame_address(at, phys_bits, 0x1000),
    ensures
        decode(table(at)) == (Entry::Table { table: at, used: 1 }),
        spec::wf::<L>(phys_bits, level as nat, table(at)),
{
    lemma_exists(at, phys_bits, PageSize::Size4K);
    let (t, r) = (at.0, table(at));
    assert(r & 0x1 != 0 && r & 0x2 == 0 && r & 0x8 == 0 && (r & 0x003f_ffff_ffff_fc00) << 2 == t
        && r & 0xffc0_0000_0000_03ff == 0x1) by (bit_vector)
        requires
            fits(t, phys_bits, 12),
            phys_bits <= 56,
            r == t >> 2 | 0x1,
    ;
}

/// The bits of a table's entry.
proof fn lemma_table_bits(word: u64)
    by (bit_vector)
    requires
        word & 0xffc0_0000_0000_03ff == 0x1,
    ensures
        word & 0x4 == 0,
        word & 0x10 == 0,
        word & 0x20 == 0,
        word & 0x40 == 0,
        word & 0x80 == 0,
        word & 0x6000_0000_0000_0000 == 0,
        word & 0x9fc0_0000_0000_0000 == 0,
{
}

/// The bits of a word that the hart doesn't set.
proof fn lemma_kept(word: u64, now: u64)
    by (bit_vector)
    requires
        now == word || now == word | 0x40 || now == word | 0x80 || now == word | 0xc0,
    ensures
        now & 0x1 == word & 0x1,
        now & 0x2 == word & 0x2,
        now & 0x4 == word & 0x4,
        now & 0x8 == word & 0x8,
        now & 0x10 == word & 0x10,
        now & 0x20 == word & 0x20,
        now & 0x003f_ffff_ffff_fc00 == word & 0x003f_ffff_ffff_fc00,
        now & 0x6000_0000_0000_0000 == word & 0x6000_0000_0000_0000,
        now & 0x9fc0_0000_0000_0300 == word & 0x9fc0_0000_0000_0300,
        word & 0x40 != 0 ==> now & 0x40 != 0,
        word & 0x80 != 0 ==> now & 0x80 != 0,
        now >= word,
{
}

/// A page is aligned in the manual's terms, which are those of the page number.
proof fn lemma_aligned(level: nat, word: u64)
    requires
        1 <= level <= 3,
        ((word & 0x003f_ffff_ffff_fc00) << 2) & sub(1u64 << bits(page_size(level)->0), 1) == 0,
    ensures
        hw::ppn(word) & hw::within(level) == 0,
{
    let (n, within) = (bits(page_size(level)->0), hw::within(level));
    assert(((word >> 10) & 0x0fff_ffff_ffff) & within == 0) by (bit_vector)
        requires
            n == 12 && within == 0 || n == 21 && within == 0x1ff || n == 30 && within == 0x3_ffff,
            ((word & 0x003f_ffff_ffff_fc00) << 2) & sub(1u64 << n, 1) == 0,
    ;
}

impl<L: Levels> EntryFormat for Riscv<L> {
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
        assert(word & 0x40 != 0 && word & 0x80 != 0 ==> word | 0x40 == word && word | 0x80 == word
            && word | 0xc0 == word) by (bit_vector);
    }

    proof fn lemma_step(phys_bits: u64, level: nat, word: u64, now: u64) {
        lemma_single_bits();
        lemma_fields(now);
        match decode(word) {
            Entry::Empty => {},
            Entry::Table { table, .. } => {
                lemma_table_bits(word);
                lemma_exists(table, phys_bits, PageSize::Size4K);
            },
            Entry::Page { frame, .. } => {
                lemma_kept(word, now);
                lemma_exists(frame, phys_bits, page_size(level)->0);
                lemma_aligned(level, now);
            },
        }
    }

    proof fn lemma_reflexive(level: nat, word: u64) {
    }

    proof fn lemma_progress(level: nat, word: u64, now: u64) {
        lemma_kept(word, now);
    }
}

} // verus!
