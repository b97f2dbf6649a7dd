//! That AArch64 stage 2 descriptors are what [`spec`](super::spec) says, to us and to the processor.

use super::super::super::entry::{Entry, EntryFormat, is_frame_address};
use super::super::granule::page_size;
use super::super::proof::{
    lemma_address, lemma_bits, lemma_fits, lemma_leaf, lemma_refers, lemma_same_address,
    lemma_sizes, lemma_table_bits, told,
};
use super::super::spec::{is_page, size_bits};
use super::spec;
use super::{AArch64Stage2, Stage2Granule};
use crate::addr::PhysAddr;
use crate::hw::aarch64_stage2 as hw;
use crate::hw::mmu::Step;
use crate::prop::PageProperty;
use vstd::arithmetic::power2::pow2;
use vstd::prelude::*;

verus! {

/// A page's bits as the constants that make them.
pub(super) proof fn lemma_constants()
    by (bit_vector)
    ensures
        0x0008_0000_0000_0000u64 | 0x80 == 0x0008_0000_0000_0080,
        0x300u64 | 0x40 == 0x340,
        0x340u64 | 0x1 == 0x341,
{
}

/// Nothing is written as zero.
pub(super) proof fn lemma_zero(phys_bits: u64, level: nat)
    ensures
        spec::entry(level, 0) == Entry::Empty,
        spec::wf(phys_bits, level, 0),
{
    assert(0u64 & 0x1 == 0) by (bit_vector);
}

/// Writing a page and reading it back.
pub(super) proof fn lemma_page<G: Stage2Granule>(
    phys_bits: u64,
    level: u8,
    frame: PhysAddr,
    prop: PageProperty,
    r: u64,
)
    requires
        page_size(12, level as nat) is Some,
        phys_bits <= 48,
        is_frame_address(frame, phys_bits, G::shape().span(level as nat)),
        AArch64Stage2::<G>::supports(prop),
        r == spec::page(level as nat, frame, prop),
    ensures
        spec::entry(level as nat, r) == (Entry::Page { frame, prop }),
        spec::wf(phys_bits, level as nat, r),
{
    G::lemma_4k();
    let l = level as nat;
    lemma_leaf::<G>(l);
    let n = size_bits(12, l);
    lemma_fits(phys_bits, n, frame.0);
    let h = if level == 1 {
        0x2u64
    } else {
        0
    };
    let (x, a) = (
        if prop.execute {
            0u64
        } else {
            0x0040_0000_0000_0000
        },
        if prop.accessed {
            0x400u64
        } else {
            0
        },
    );
    let c = spec::cache_bits(prop.cache);
    let w = spec::write_bits(prop.write, prop.dirty);
    lemma_page_bits(frame.0, h, c, w, x, a, r);
    lemma_same_address(phys_bits, n, frame.0, r);
}

/// Each part of a page's descriptor can be told from the others.
proof fn lemma_page_bits(f: u64, h: u64, c: u64, w: u64, x: u64, a: u64, r: u64)
    by (bit_vector)
    requires
        f & !0x0000_ffff_ffff_f000 == 0,
        h == 0 || h == 0x2,
        c == 0x3c || c == 0x28 || c == 0x14 || c == 0x4,
        w == 0x0008_0000_0000_0080 || w == 0x0008_0000_0000_0000 || w == 0x0100_0000_0000_0000 || w
            == 0,
        x == 0 || x == 0x0040_0000_0000_0000,
        a == 0 || a == 0x400,
        r == f | 0x341 | h | c | w | x | a,
    ensures
        r & 0x1 != 0,
        r & 0x0000_ffff_ffff_f000 == f,
        r & 0x0007_ffff_ffff_f000 == f & 0x0007_ffff_ffff_f000,
        r & 0xfeb0_0000_0000_0b40 == 0x340,
        r & 0x2 == h,
        r & 0x3c == c,
        r & 0x0040_0000_0000_0000 == x,
        r & 0x400 == a,
        r & 0x80 != 0 <==> w == 0x0008_0000_0000_0080,
        r & 0x0008_0000_0000_0000 != 0 <==> w == 0x0008_0000_0000_0080 || w
            == 0x0008_0000_0000_0000,
        r & 0x0100_0000_0000_0000 != 0 <==> w == 0x0100_0000_0000_0000,
{
}

/// What our words refer to exists.
pub(super) proof fn lemma_wf<G: Stage2Granule>(phys_bits: u64, level: nat, word: u64)
    requires
        1 <= level <= G::shape().levels,
        phys_bits <= 48,
        spec::wf(phys_bits, level, word),
    ensures
        match spec::entry(level, word) {
            Entry::Empty => true,
            Entry::Table { table, .. } => level > 1 && is_frame_address(
                table,
                phys_bits,
                pow2(G::shape().page_bits as nat) as int,
            ),
            Entry::Page { frame, .. } => page_size(12, level) is Some && is_frame_address(
                frame,
                phys_bits,
                G::shape().span(level),
            ),
        },
{
    G::lemma_4k();
    if word & 0x1 != 0 {
        if is_page(level, word) {
            lemma_leaf::<G>(level);
            lemma_refers(phys_bits, size_bits(12, level), word);
        } else {
            lemma_refers(phys_bits, 12, word);
        }
    }
}

/// A page-aligned number is not present, and stays as it is.
pub(super) proof fn lemma_absent(phys_bits: u64, level: nat, word: u64)
    requires
        word % 4096 == 0,
    ensures
        forall|now: u64| #[trigger] hw::may_become(level, word, now) ==> now == word,
        hw::step(phys_bits, level, word) == Step::NotPresent,
{
    lemma_bits();
    assert(word & 0x1 == 0) by (bit_vector)
        requires
            word % 4096 == 0,
    ;
}

/// Nothing, tables and used pages stay as they are.
pub(super) proof fn lemma_settled(phys_bits: u64, level: nat, word: u64)
    requires
        spec::wf(phys_bits, level, word),
        spec::entry(level, word) matches Entry::Page { prop, .. } ==> prop.accessed && prop.dirty,
    ensures
        forall|now: u64| #[trigger] hw::may_become(level, word, now) ==> now == word,
{
    lemma_bits();
    if word & 0x1 != 0 {
        if is_page(level, word) {
            assert(word & 0x400 != 0 ==> word | 0x400 == word) by (bit_vector);
            assert(word & 0x400 != 0 && word & 0x80 != 0 ==> word | 0x80 == word && word | 0x480
                == word) by (bit_vector);
        } else {
            lemma_table_bits(word);
        }
    }
}

/// The bits of a word that the processor doesn't change.
proof fn lemma_kept(word: u64, now: u64)
    by (bit_vector)
    requires
        now == word | 0x400 || now == word | 0x80 || now == word | 0x480,
    ensures
        now & 0x1 == word & 0x1,
        now & 0x2 == word & 0x2,
        now & 0x3c == word & 0x3c,
        now & 0xfeb0_0000_0000_0b40 == word & 0xfeb0_0000_0000_0b40,
        now & 0x0008_0000_0000_0000 == word & 0x0008_0000_0000_0000,
        now & 0x0040_0000_0000_0000 == word & 0x0040_0000_0000_0000,
        now & 0x0100_0000_0000_0000 == word & 0x0100_0000_0000_0000,
        now & 0x0000_ffff_ffff_f000 == word & 0x0000_ffff_ffff_f000,
        now & 0x0007_ffff_ffff_f000 == word & 0x0007_ffff_ffff_f000,
        word & 0x400 != 0 ==> now & 0x400 != 0,
        word & 0x80 != 0 ==> now & 0x80 != 0,
        now == word | 0x400 ==> now & 0x80 == word & 0x80,
{
}

/// The processor finds the cache policy that we do.
proof fn lemma_cache(word: u64)
    requires
        word & 0x3c == 0x3c || word & 0x3c == 0x28 || word & 0x3c == 0x14 || word & 0x3c == 0x4,
    ensures
        hw::has_memory_type(word),
        hw::memory_type(word) == spec::cache_policy(word),
{
    assert((word & 0x3c == 0x3c ==> (word >> 4) & 3 == 3 && (word >> 2) & 3 == 3) && (word & 0x3c
        == 0x28 ==> (word >> 4) & 3 == 2 && (word >> 2) & 3 == 2) && (word & 0x3c == 0x14 ==> (word
        >> 4) & 3 == 1 && (word >> 2) & 3 == 1) && (word & 0x3c == 0x4 ==> (word >> 4) & 3 == 0))
        by (bit_vector);
}

/// Whatever hardware made of a word of ours, it is one, and hardware reads in it what we wrote.
pub(super) proof fn lemma_step<G: Stage2Granule>(phys_bits: u64, level: nat, word: u64, now: u64)
    requires
        1 <= level <= G::shape().levels,
        phys_bits <= 48,
        spec::wf(phys_bits, level, word),
        hw::may_become(level, word, now),
    ensures
        spec::wf(phys_bits, level, now),
        spec::entry(level, word).may_become(spec::entry(level, now)),
        hw::step(phys_bits, level, now) == told(
            spec::entry(level, word),
            AArch64Stage2::<G>::rights(spec::entry(level, word)->Page_prop),
        ),
{
    lemma_bits();
    if word & 0x1 != 0 {
        if now != word {
            lemma_kept(word, now);
            lemma_same_address(phys_bits, size_bits(12, level), word, now);
        }
        lemma_read::<G>(phys_bits, level, now);
    }
}

/// Hardware reads in a valid word of ours what we do.
proof fn lemma_read<G: Stage2Granule>(phys_bits: u64, level: nat, word: u64)
    requires
        1 <= level <= G::shape().levels,
        phys_bits <= 48,
        spec::wf(phys_bits, level, word),
        word & 0x1 != 0,
    ensures
        hw::step(phys_bits, level, word) == told(
            spec::entry(level, word),
            AArch64Stage2::<G>::rights(spec::entry(level, word)->Page_prop),
        ),
{
    lemma_bits();
    G::lemma_4k();
    if is_page(level, word) {
        lemma_leaf::<G>(level);
        lemma_address(phys_bits, size_bits(12, level), word);
        lemma_cache(word);
        assert(word & 0xfeb0_0000_0000_0b40 == 0x340 ==> word & 0x40 != 0 && word & 0x300 == 0x300
            && word & 0x0020_0000_0000_0000 == 0) by (bit_vector);
    } else {
        lemma_address(phys_bits, 12, word);
        lemma_table_bits(word);
    }
}

/// Each change sets the access flag or makes a page dirty.
pub(super) proof fn lemma_progress(level: nat, word: u64, now: u64)
    requires
        hw::may_become(level, word, now),
        now != word,
    ensures
        word & 0x400 != 0 ==> now & 0x400 != 0,
        word & 0x80 != 0 ==> now & 0x80 != 0,
        word & 0x400 == 0 && now & 0x400 != 0 || word & 0x80 == 0 && now & 0x80 != 0,
{
    assert((word & 0x400 != 0 ==> now & 0x400 != 0) && (word & 0x80 != 0 ==> now & 0x80 != 0) && (
    word & 0x400 == 0 && now & 0x400 != 0 || word & 0x80 == 0 && now & 0x80 != 0)) by (bit_vector)
        requires
            now == word | 0x400 || now == word | 0x80 || now == word | 0x480,
            now != word,
    ;
}

} // verus!
