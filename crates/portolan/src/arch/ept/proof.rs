//! That entries of extended page tables are read as they were written, by us and by the processor.

use super::super::entry::{Encoding, Entry, EntryFormat, is_frame_address};
use super::super::words::page_size;
use super::super::words::proof::{
    bits, fits, lemma_absent, lemma_align_down, lemma_exists, lemma_single_bits, lemma_sizes,
    set_if,
};
use super::{Ept, decode, is_page, page, spec, table, type_bits};
use crate::addr::{PageSize, PhysAddr};
use crate::hw::ept as hw;
use crate::hw::mmu::{Mmu, Rights, Step};
use crate::prop::PageProperty;
use vstd::arithmetic::power2::lemma2_to64_rest;
use vstd::prelude::*;

verus! {

/// What indexes the tables is an address as it is.
pub(super) proof fn lemma_canonical(offset: u64)
    requires
        offset < Ept::geo().limit(),
    ensures
        Ept::canonical(offset),
        offset as int % Ept::geo().limit() == offset,
{
    lemma_sizes(Ept::geo());
    lemma2_to64_rest();
    assert(offset < 0x1_0000_0000_0000 ==> offset >> 48u64 == 0) by (bit_vector);
}

/// Writing a page and reading it back.
pub(super) proof fn lemma_page(phys_bits: u64, level: u8, frame: PhysAddr, prop: PageProperty)
    requires
        1 <= level <= 3,
        phys_bits <= 52,
        is_frame_address(frame, phys_bits, page_size(level as nat)->0.bytes() as int),
        Ept::supports(prop),
    ensures
        decode(level, page(level, frame, prop)) == (Entry::Page { frame, prop }),
        spec::wf(phys_bits, level as nat, page(level, frame, prop)),
{
    let size = page_size(level as nat)->0;
    lemma_exists(frame, phys_bits, size);
    let (f, n, r) = (frame.0, bits(size), page(level, frame, prop));
    let (rd, w, x, a, d) = (prop.read, prop.write, prop.execute, prop.accessed, prop.dirty);
    let c = type_bits(prop.cache);
    assert((r & 0x7 != 0) == (rd || w || x) && (r & 0x1 != 0) == rd && (r & 0x2 != 0) == w && (r
        & 0x4 != 0) == x && (r & 0x100 != 0) == a && (r & 0x200 != 0) == d && r & 0x38 == c && (r
        & 0x80 != 0) == (n > 12) && r & 0x000f_ffff_ffff_f000 == f && r & 0xfff0_0000_0000_0c40
        == 0) by (bit_vector)
        requires
            12 <= n <= phys_bits <= 52,
            fits(f, phys_bits, n),
            c == 0 || c == 0x8 || c == 0x20 || c == 0x28 || c == 0x30,
            r == f | set_if(rd, 0x1) | set_if(w, 0x2) | set_if(x, 0x4) | set_if(a, 0x100) | set_if(
                d,
                0x200,
            ) | c | set_if(n > 12, 0x80),
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
    assert(r & 0x7 != 0 && r & 0x80 == 0 && r & 0x000f_ffff_ffff_f000 == t && (r >> 52) & 0x3ff == n
        && r & 0xc000_0000_0000_0fff == 0x107) by (bit_vector)
        requires
            fits(t, phys_bits, 12),
            phys_bits <= 52,
            n <= 512,
            r == t | 0x1 | 0x2 | 0x4 | 0x100 | (n << 52),
    ;
}

/// What is present allows something.
proof fn lemma_present(word: u64)
    by (bit_vector)
    ensures
        word & 0x7 == 0 <==> word & 0x1 == 0 && word & 0x2 == 0 && word & 0x4 == 0,
{
}

/// The bits of a table's entry.
proof fn lemma_table_bits(word: u64)
    by (bit_vector)
    requires
        word & 0xc000_0000_0000_0fff == 0x107,
    ensures
        word & 0x1 != 0,
        word & 0x2 != 0,
        word & 0x4 != 0,
        word & 0x80 == 0,
        word & 0xf8 == 0,
        word | 0x100 == word,
{
}

/// The bits of a word that the processor doesn't set.
proof fn lemma_kept(word: u64, now: u64)
    by (bit_vector)
    requires
        now == word || now == word | 0x100 || now == word | 0x200 || now == word | 0x300,
    ensures
        now & 0x1 == word & 0x1,
        now & 0x2 == word & 0x2,
        now & 0x4 == word & 0x4,
        now & 0x7 == word & 0x7,
        now & 0x38 == word & 0x38,
        now & 0x80 == word & 0x80,
        now & 0x000f_ffff_ffff_f000 == word & 0x000f_ffff_ffff_f000,
        now & 0xfff0_0000_0000_0c40 == word & 0xfff0_0000_0000_0c40,
        word & 0x100 != 0 ==> now & 0x100 != 0,
        word & 0x200 != 0 ==> now & 0x200 != 0,
        now >= word,
{
}

/// Where what an entry refers to exists, no reserved bit of its address is set.
proof fn lemma_reserved(phys_bits: u64, n: u64, word: u64, addr: u64)
    by (bit_vector)
    requires
        addr == word & 0x000f_ffff_ffff_f000,
        12 <= n <= phys_bits <= 52,
        fits(addr, phys_bits, n),
    ensures
        word & 0x000f_ffff_ffff_ffff & !sub(1u64 << phys_bits, 1) == 0,
        n == 21 ==> word & 0x001f_f000 == 0 && word & 0x000f_ffff_ffe0_0000 == addr,
        n == 30 ==> word & 0x3fff_f000 == 0 && word & 0x000f_ffff_c000_0000 == addr,
{
}

/// Memory types are where the manual has them.
proof fn lemma_type(word: u64, c: u64)
    by (bit_vector)
    requires
        word & 0x38 == c,
    ensures
        (word >> 3) & 0x7 == c >> 3,
        0u64 >> 3u64 == 0,
        0x8u64 >> 3u64 == 1,
        0x20u64 >> 3u64 == 4,
        0x28u64 >> 3u64 == 5,
        0x30u64 >> 3u64 == 6,
{
}

impl EntryFormat for Ept {
    proof fn lemma_geometry() {
    }

    proof fn lemma_pins() {
    }

    proof fn lemma_page_size(level: nat) {
        lemma_sizes(Self::geo());
    }

    proof fn lemma_wf(phys_bits: u64, level: nat, word: u64) {
        lemma_sizes(Self::geo());
    }

    proof fn lemma_align_down(raw: u64, size: PageSize) {
        lemma_align_down(raw, size, 48);
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
        lemma_present(word);
        lemma_absent(word);
    }

    proof fn lemma_settled(phys_bits: u64, level: nat, word: u64) {
        lemma_single_bits();
        lemma_present(word);
        assert(word & 0x100 != 0 && word & 0x200 != 0 ==> word | 0x100 == word && word | 0x200
            == word && word | 0x300 == word) by (bit_vector);
        if decode(level as u8, word) is Table {
            lemma_table_bits(word);
        }
    }

    proof fn lemma_step(phys_bits: u64, level: nat, word: u64, now: u64) {
        lemma_single_bits();
        lemma_present(word);
        match decode(level as u8, word) {
            Entry::Empty => {},
            Entry::Table { table, .. } => {
                lemma_table_bits(word);
                lemma_exists(table, phys_bits, PageSize::Size4K);
                lemma_reserved(phys_bits, 12, word, table.0);
            },
            Entry::Page { frame, prop } => {
                let size = page_size(level)->0;
                lemma_kept(word, now);
                lemma_type(now, type_bits(prop.cache));
                lemma_exists(frame, phys_bits, size);
                lemma_reserved(phys_bits, bits(size), now, frame.0);
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
