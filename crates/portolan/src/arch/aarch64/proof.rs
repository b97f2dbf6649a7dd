//! That AArch64 stage 1 descriptors are read as they were written, by us and by the processor.

use super::super::entry::{Encoding, Entry, EntryFormat, is_frame_address};
use super::super::geometry::proof::lemma_mask;
use super::super::words::proof::{
    bits, fits, lemma_absent, lemma_align_down, lemma_bits, lemma_exists, lemma_single_bits, set_if,
};
use super::descriptor::{
    cache_bits, cache_policy, decode, execute_bits, is_page, page, table, used, write_bits,
};
use super::granule::page_size;
use super::spec;
use super::{AArch64, Granule, MAIR, Region};
use crate::addr::{PageSize, PhysAddr};
use crate::hw::aarch64 as hw;
use crate::hw::mmu::{Mmu, Rights, Step};
use crate::prop::PageProperty;
use vstd::arithmetic::power2::pow2;
use vstd::prelude::*;

verus! {

/// Small multiples.
proof fn lemma_times(n: int, k: int)
    by (nonlinear_arith)
    ensures
        n == 0 ==> n * k == 0,
        n == 1 ==> n * k == k,
        n == 2 ==> n * k == 2 * k,
        n == 3 ==> n * k == 3 * k,
{
}

/// The sizes of things.
pub(super) proof fn lemma_sizes<G: Granule>()
    ensures
        G::shape().wf(),
        G::shape().limit() == pow2(G::width() as nat),
        page_size(G::shape().page_bits, 1) is Some,
        30 <= G::width() < 64,
        forall|l: nat| 1 <= l < G::shape().levels ==> #[trigger] G::shape().entries(l) <= 8192,
{
    G::lemma_shape();
    let g = G::shape();
    lemma_times(g.levels - 1, g.index_bits as int);
    g.lemma_powers(1);
    assert forall|l: nat| 1 <= l < g.levels implies #[trigger] g.entries(l) <= 8192 by {
        g.lemma_span(l);
    }
}

/// The size of a level's pages or blocks.
pub(super) proof fn lemma_leaf<G: Granule>(level: nat)
    requires
        page_size(G::shape().page_bits, level) is Some,
    ensures
        1 <= level <= G::shape().levels,
        ({
            let size = page_size(G::shape().page_bits, level)->0;
            &&& size.bytes() == G::shape().span(level)
            &&& size.bytes() == pow2(bits(size) as nat)
            &&& hw::leaf_bits(G::shape().page_bits as u64, level) == Some(bits(size))
        }),
{
    G::lemma_shape();
    lemma_times(level - 1, G::shape().index_bits as int);
    G::shape().lemma_powers(level);
    lemma_bits(page_size(G::shape().page_bits, level)->0);
}

/// Ones above the bits that index the tables make an offset one of the upper region, and don't change these bits.
pub(super) proof fn lemma_canonicalize<G: Granule>(offset: u64, upper: bool)
    requires
        offset < G::shape().limit(),
    ensures
        G::width() < 64,
        ({
            let r = if upper {
                offset | (u64::MAX << G::width())
            } else {
                offset
            };
            hw::canonical(r, G::width(), upper) && r as int % G::shape().limit() == offset
        }),
{
    lemma_sizes::<G>();
    let width = G::width();
    let ones = offset | (u64::MAX << width);
    lemma_mask(offset, width);
    lemma_mask(ones, width);
    assert(ones >> width == u64::MAX >> width && ones & sub(1u64 << width, 1) == offset && offset
        >> width == 0 && offset & sub(1u64 << width, 1) == offset) by (bit_vector)
        requires
            width < 64,
            offset < 1u64 << width,
            ones == offset | (u64::MAX << width),
    ;
}

/// Writing a page and reading it back.
pub(super) proof fn lemma_page<G: Granule>(
    phys_bits: u64,
    level: u8,
    frame: PhysAddr,
    prop: PageProperty,
)
    requires
        page_size(G::shape().page_bits, level as nat) is Some,
        phys_bits <= 48,
        is_frame_address(frame, phys_bits, G::shape().span(level as nat)),
        prop.read,
        !(prop.cache is UncacheableMinus),
        !(prop.cache is WriteProtected),
    ensures
        decode(level, page(level, frame, prop)) == (Entry::Page { frame, prop }),
        spec::wf(G::shape().page_bits, phys_bits, level as nat, page(level, frame, prop)),
{
    let size = page_size(G::shape().page_bits, level as nat)->0;
    lemma_leaf::<G>(level as nat);
    lemma_exists(frame, phys_bits, size);
    let (f, n, r, last) = (frame.0, bits(size), page(level, frame, prop), level == 1);
    let (write, dirty, execute, user) = (prop.write, prop.dirty, prop.execute, prop.user);
    let (global, accessed) = (prop.global, prop.accessed);
    let c = cache_bits(prop.cache);
    let x = execute_bits(user, execute);
    let w = write_bits(write, dirty);
    assert(r & 0x1 != 0 && (r & 0x2 != 0) == last && r & 0x0000_ffff_ffff_f000 == f && r
        & 0xff17_0000_0000_0320 == 0x300 && r & 0x1c == c && (r & 0x40 != 0) == user && (r
        & 0x0020_0000_0000_0000 == 0) == (!user && execute) && (r & 0x0040_0000_0000_0000 == 0) == (
    user && execute) && (r & 0x80 == 0) == (write && dirty) && (r & 0x0008_0000_0000_0000 != 0)
        == write && (r & 0x0080_0000_0000_0000 != 0) == (!write && dirty) && (r & 0x800 == 0)
        == global && (r & 0x400 != 0) == accessed) by (bit_vector)
        requires
            12 <= n <= phys_bits <= 48,
            fits(f, phys_bits, n),
            c == 0 || c == 0x4 || c == 0x8 || c == 0xc,
            x == if user {
                if execute {
                    0x40u64 | 0x0020_0000_0000_0000
                } else {
                    0x40u64 | 0x0020_0000_0000_0000 | 0x0040_0000_0000_0000
                }
            } else if execute {
                0x0040_0000_0000_0000
            } else {
                0x0020_0000_0000_0000u64 | 0x0040_0000_0000_0000
            },
            w == if write {
                if dirty {
                    0x0008_0000_0000_0000u64
                } else {
                    0x0008_0000_0000_0000u64 | 0x80
                }
            } else if dirty {
                0x80u64 | 0x0080_0000_0000_0000
            } else {
                0x80
            },
            r == f | (0x300u64 | 0x1) | set_if(last, 0x2) | c | x | w | set_if(!global, 0x800)
                | set_if(accessed, 0x400),
    ;
}

/// Writing a table's descriptor and reading it back.
pub(super) proof fn lemma_table<G: Granule>(phys_bits: u64, level: u8, at: PhysAddr, count: u16)
    requires
        1 < level <= G::shape().levels,
        phys_bits <= 48,
        is_frame_address(at, phys_bits, pow2(G::shape().page_bits as nat) as int),
        count <= G::shape().entries((level - 1) as nat),
    ensures
        table(at, count) & 0x1 != 0,
        !is_page(level, table(at, count)),
        table(at, count) & 0x0000_ffff_ffff_f000 == at.0,
        used(table(at, count)) == count,
        spec::is_our_table(G::shape().page_bits, phys_bits, at, table(at, count)),
{
    let size = page_size(G::shape().page_bits, 1)->0;
    lemma_sizes::<G>();
    lemma_leaf::<G>(1);
    lemma_exists(at, phys_bits, size);
    let (t, n, u, r) = (at.0, bits(size), count as u64, table(at, count));
    assert(r & 0x1 != 0 && r & 0x2 != 0 && r & 0x0000_ffff_ffff_f000 == t && ((r >> 51) & 0xff) | ((
    r << 4) & 0x3f00) == u && r & 0xf807_0000_0000_0c0f == 0x3) by (bit_vector)
        requires
            12 <= n <= phys_bits <= 48,
            fits(t, phys_bits, n),
            u <= 8192,
            r == t | (0x1u64 | 0x2) | ((u & 0xff) << 51) | ((u & 0x3f00) >> 4),
    ;
}

/// The bits of a table's descriptor.
pub(super) proof fn lemma_table_bits(word: u64)
    by (bit_vector)
    requires
        word & 0xf807_0000_0000_0c0f == 0x3,
    ensures
        word & 0x2 != 0,
        word & 0x0007_0000_0000_0000 == 0,
        word & 0x0800_0000_0000_0000 == 0,
        word & 0x1000_0000_0000_0000 == 0,
        word & 0x2000_0000_0000_0000 == 0,
        word & 0x4000_0000_0000_0000 == 0,
{
}

/// The bits of a word that the processor doesn't change.
proof fn lemma_kept(word: u64, now: u64)
    by (bit_vector)
    requires
        now == word || now == word | 0x400 || now == word & !0x80 || now == (word | 0x400) & !0x80,
    ensures
        now & 0x1 == word & 0x1,
        now & 0x2 == word & 0x2,
        now & 0x1c == word & 0x1c,
        now & 0x40 == word & 0x40,
        now & 0x800 == word & 0x800,
        now & 0xff17_0000_0000_0320 == word & 0xff17_0000_0000_0320,
        now & 0x0008_0000_0000_0000 == word & 0x0008_0000_0000_0000,
        now & 0x0020_0000_0000_0000 == word & 0x0020_0000_0000_0000,
        now & 0x0040_0000_0000_0000 == word & 0x0040_0000_0000_0000,
        now & 0x0080_0000_0000_0000 == word & 0x0080_0000_0000_0000,
        now & 0x0000_ffff_ffff_f000 == word & 0x0000_ffff_ffff_f000,
        word & 0x400 != 0 ==> now & 0x400 != 0,
        word & 0x80 == 0 ==> now & 0x80 == 0,
        now == word | 0x400 ==> now & 0x80 == word & 0x80,
{
}

/// Each byte of [`MAIR`] is the cache policy that we take its index for.
proof fn lemma_cache(word: u64)
    ensures
        hw::memory_type(hw::attribute(word)) == cache_policy(word),
{
    let mair = MAIR;
    let index = word & 0x1c;
    let attr = hw::attribute(word);
    assert(mair == 0x0444_bbff);
    assert(attr == (mair >> (index << 1)) & 0xff && (index == 0 || index == 4 || index == 8 || index
        == 0xc || index == 0x10 || index == 0x14 || index == 0x18 || index == 0x1c)) by (bit_vector)
        requires
            index == word & 0x1c,
            attr == (mair >> (((word >> 2) & 7) << 3)) & 0xff,
    ;
    assert(attr == if index == 0 {
        0xffu64
    } else if index == 4 {
        0xbb
    } else if index == 8 {
        0x44
    } else if index == 0xc {
        0x04
    } else {
        0
    }) by (bit_vector)
        requires
            mair == 0x0444_bbff,
            attr == (mair >> (index << 1)) & 0xff,
            index == 0 || index == 4 || index == 8 || index == 0xc || index == 0x10 || index == 0x14
                || index == 0x18 || index == 0x1c,
    ;
    assert(0xffu64 >> 4 == 0xf && 0xffu64 & 0xf == 0xf && 0xbbu64 >> 4 == 0xb && 0xbbu64 & 0xf
        == 0xb && 0x44u64 >> 4 == 0x4 && 0x44u64 & 0xf == 0x4 && 0x04u64 >> 4 == 0 && 0u64 >> 4
        == 0) by (bit_vector);
}

impl<G: Granule, R: Region> EntryFormat for AArch64<G, R> {
    proof fn lemma_geometry() {
        G::lemma_shape();
    }

    proof fn lemma_pins() {
    }

    proof fn lemma_page_size(level: nat) {
        G::lemma_shape();
        if page_size(G::shape().page_bits, level) is Some {
            lemma_leaf::<G>(level);
        }
    }

    proof fn lemma_wf(phys_bits: u64, level: nat, word: u64) {
        Self::lemma_page_size(level);
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
        assert(word & 0x80 == 0 ==> word & !0x80 == word) by (bit_vector);
        if decode(level as u8, word) is Table {
            lemma_table_bits(word);
        }
    }

    proof fn lemma_step(phys_bits: u64, level: nat, word: u64, now: u64) {
        lemma_single_bits();
        lemma_sizes::<G>();
        match decode(level as u8, word) {
            Entry::Empty => {},
            Entry::Table { table, .. } => {
                lemma_table_bits(word);
                lemma_leaf::<G>(1);
                lemma_exists(table, phys_bits, page_size(G::shape().page_bits, 1)->0);
            },
            Entry::Page { frame, .. } => {
                lemma_kept(word, now);
                lemma_leaf::<G>(level);
                lemma_exists(frame, phys_bits, page_size(G::shape().page_bits, level)->0);
                lemma_cache(now);
                assert(now & 0xff17_0000_0000_0320 == 0x300 ==> now & 0x300 == 0x300 && now
                    & 0x0007_0000_0000_0000 == 0) by (bit_vector);
            },
        }
    }

    proof fn lemma_reflexive(level: nat, word: u64) {
    }

    proof fn lemma_progress(level: nat, word: u64, now: u64) {
        assert((word & 0x400 != 0 ==> now & 0x400 != 0) && (word & 0x80 == 0 ==> now & 0x80 == 0)
            && (word & 0x400 == 0 && now & 0x400 != 0 || word & 0x80 != 0 && now & 0x80 == 0))
            by (bit_vector)
            requires
                now == word | 0x400 || now == word & !0x80 || now == (word | 0x400) & !0x80,
                now != word,
        ;
    }
}

} // verus!
