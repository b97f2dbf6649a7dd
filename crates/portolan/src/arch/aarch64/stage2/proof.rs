//! That AArch64 stage 2 descriptors are read as they were written, by us and by the processor.

use super::super::super::entry::{Encoding, Entry, EntryFormat, is_frame_address};
use super::super::super::words::proof::{
    bits, fits, lemma_absent, lemma_align_down, lemma_exists, lemma_single_bits, set_if,
};
use super::super::granule::page_size;
use super::super::proof::{lemma_leaf, lemma_sizes, lemma_table_bits};
use super::{AArch64Stage2, Stage2Granule, cache_bits, decode, page, spec, write_bits};
use crate::addr::{PageSize, PhysAddr};
use crate::hw::mmu::{Mmu, Rights, Step};
use crate::prop::PageProperty;
use vstd::prelude::*;

verus! {

/// Writing a page and reading it back.
pub(super) proof fn lemma_page<G: Stage2Granule>(
    phys_bits: u64,
    level: u8,
    frame: PhysAddr,
    prop: PageProperty,
)
    requires
        page_size(12, level as nat) is Some,
        phys_bits <= 48,
        is_frame_address(frame, phys_bits, G::shape().span(level as nat)),
        AArch64Stage2::<G>::supports(prop),
    ensures
        decode(level, page(level, frame, prop)) == (Entry::Page { frame, prop }),
        spec::wf(phys_bits, level as nat, page(level, frame, prop)),
{
    let size = page_size(12, level as nat)->0;
    G::lemma_4k();
    lemma_leaf::<G>(level as nat);
    lemma_exists(frame, phys_bits, size);
    let (f, n, r, last) = (frame.0, bits(size), page(level, frame, prop), level == 1);
    let (write, dirty, execute, accessed) = (prop.write, prop.dirty, prop.execute, prop.accessed);
    let (c, w) = (cache_bits(prop.cache), write_bits(write, dirty));
    assert(r & 0x1 != 0 && (r & 0x2 != 0) == last && r & 0x0000_ffff_ffff_f000 == f && r
        & 0xfeb7_0000_0000_0b40 == 0x340 && r & 0x3c == c && (r & 0x0040_0000_0000_0000 == 0)
        == execute && (r & 0x400 != 0) == accessed && (r & 0x80 != 0) == (write && dirty) && (r
        & 0x0008_0000_0000_0000 != 0) == write && (r & 0x0100_0000_0000_0000 != 0) == (!write
        && dirty)) by (bit_vector)
        requires
            12 <= n <= phys_bits <= 48,
            fits(f, phys_bits, n),
            c == 0x3c || c == 0x28 || c == 0x14 || c == 0x4,
            w == if write {
                if dirty {
                    0x0008_0000_0000_0000u64 | 0x80
                } else {
                    0x0008_0000_0000_0000
                }
            } else if dirty {
                0x0100_0000_0000_0000
            } else {
                0
            },
            r == f | (0x300u64 | 0x40 | 0x1) | set_if(last, 0x2) | c | w | set_if(
                !execute,
                0x0040_0000_0000_0000,
            ) | set_if(accessed, 0x400),
    ;
}

/// The bits of a word that the processor doesn't change.
proof fn lemma_kept(word: u64, now: u64)
    by (bit_vector)
    requires
        now == word || now == word | 0x400 || now == word | 0x80 || now == word | 0x480,
    ensures
        now & 0x1 == word & 0x1,
        now & 0x2 == word & 0x2,
        now & 0x3c == word & 0x3c,
        now & 0xfeb7_0000_0000_0b40 == word & 0xfeb7_0000_0000_0b40,
        now & 0x0008_0000_0000_0000 == word & 0x0008_0000_0000_0000,
        now & 0x0040_0000_0000_0000 == word & 0x0040_0000_0000_0000,
        now & 0x0100_0000_0000_0000 == word & 0x0100_0000_0000_0000,
        now & 0x0000_ffff_ffff_f000 == word & 0x0000_ffff_ffff_f000,
        word & 0x400 != 0 ==> now & 0x400 != 0,
        word & 0x80 != 0 ==> now & 0x80 != 0,
        now == word | 0x400 ==> now & 0x80 == word & 0x80,
{
}

/// Memory types are where the manual has them.
proof fn lemma_type(word: u64)
    by (bit_vector)
    ensures
        word & 0x3c == 0x3c ==> (word >> 4) & 3 == 3 && (word >> 2) & 3 == 3,
        word & 0x3c == 0x28 ==> (word >> 4) & 3 == 2 && (word >> 2) & 3 == 2,
        word & 0x3c == 0x14 ==> (word >> 4) & 3 == 1 && (word >> 2) & 3 == 1,
        word & 0x3c == 0x4 ==> (word >> 4) & 3 == 0,
{
}

impl<G: Stage2Granule> EntryFormat for AArch64Stage2<G> {
    proof fn lemma_geometry() {
        G::lemma_shape();
    }

    proof fn lemma_pins() {
    }

    proof fn lemma_page_size(level: nat) {
        G::lemma_shape();
        G::lemma_4k();
        if page_size(12, level) is Some {
            lemma_leaf::<G>(level);
        }
    }

    proof fn lemma_wf(phys_bits: u64, level: nat, word: u64) {
        Self::lemma_page_size(level);
        Self::lemma_page_size(1);
        lemma_sizes::<G>();
        lemma_leaf::<G>(1);
    }

    proof fn lemma_align_down(raw: u64, size: PageSize) {
        lemma_sizes::<G>();
        lemma_align_down(raw, size, G::width());
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
        assert(word & 0x400 != 0 ==> word | 0x400 == word) by (bit_vector);
        assert(word & 0x400 != 0 && word & 0x80 != 0 ==> word | 0x80 == word && word | 0x480
            == word) by (bit_vector);
        if decode(level as u8, word) is Table {
            lemma_table_bits(word);
        }
    }

    proof fn lemma_step(phys_bits: u64, level: nat, word: u64, now: u64) {
        lemma_single_bits();
        G::lemma_4k();
        match decode(level as u8, word) {
            Entry::Empty => {},
            Entry::Table { table, .. } => {
                lemma_table_bits(word);
                lemma_exists(table, phys_bits, PageSize::Size4K);
            },
            Entry::Page { frame, .. } => {
                lemma_kept(word, now);
                lemma_leaf::<G>(level);
                lemma_exists(frame, phys_bits, page_size(12, level)->0);
                lemma_type(now);
                assert(now & 0xfeb7_0000_0000_0b40 == 0x340 ==> now & 0x40 != 0 && now & 0x300
                    == 0x300 && now & 0x0020_0000_0000_0000 == 0 && now & 0x0007_0000_0000_0000
                    == 0) by (bit_vector);
            },
        }
    }

    proof fn lemma_reflexive(level: nat, word: u64) {
    }

    proof fn lemma_progress(level: nat, word: u64, now: u64) {
        assert((word & 0x400 != 0 ==> now & 0x400 != 0) && (word & 0x80 != 0 ==> now & 0x80 != 0)
            && (word & 0x400 == 0 && now & 0x400 != 0 || word & 0x80 == 0 && now & 0x80 != 0))
            by (bit_vector)
            requires
                now == word | 0x400 || now == word | 0x80 || now == word | 0x480,
                now != word,
        ;
    }
}

} // verus!
