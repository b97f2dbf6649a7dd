//! That AArch64 stage 1 descriptors are what [`spec`](super::spec) says, to us and to the processor.

use super::super::entry::{Entry, EntryFormat, is_frame_address, is_table_address};
use super::super::geometry::Geometry;
use super::super::geometry::proof::{lemma_mask, lemma_shl};
use super::granule::page_size;
use super::spec;
use super::{AArch64, Granule, MAIR, Region};
use crate::addr::{PageSize, PhysAddr};
use crate::hw::aarch64 as hw;
use crate::hw::mmu::{Mmu, Rights, Step};
use crate::prop::PageProperty;
use vstd::arithmetic::power2::{lemma2_to64, lemma2_to64_rest, pow2};
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
        G::shape().span(1) == pow2(G::shape().page_bits as nat),
        G::shape().page_bits == 12 || G::shape().page_bits == 14 || G::shape().page_bits == 16,
        G::width() < 64,
        forall|l: nat| 1 <= l < G::shape().levels ==> #[trigger] G::shape().entries(l) <= 8192,
{
    G::lemma_shape();
    let g = G::shape();
    lemma_times(g.levels - 1, g.index_bits as int);
    lemma_times(0, g.index_bits as int);
    g.lemma_powers(1);
    assert forall|l: nat| 1 <= l < g.levels implies #[trigger] g.entries(l) <= 8192 by {
        g.lemma_span(l);
    }
}

/// The sizes of a level's pages or blocks.
pub(super) proof fn lemma_leaf<G: Granule>(level: nat)
    requires
        page_size(G::shape().page_bits, level) is Some,
    ensures
        1 <= level <= G::shape().levels,
        ({
            let bits = spec::size_bits(G::shape().page_bits, level);
            &&& G::shape().span(level) == pow2(bits as nat)
            &&& page_size(G::shape().page_bits, level)->0.bytes() == pow2(bits as nat)
            &&& hw::leaf_bits(G::shape().page_bits as u64, level) == Some(bits)
            &&& 12 <= bits <= 30
        }),
{
    G::lemma_shape();
    lemma_times(level - 1, G::shape().index_bits as int);
    G::shape().lemma_powers(level);
    lemma2_to64();
    lemma2_to64_rest();
}

/// Ones above the bits that index the tables make an offset one of the upper region, and don't change these bits.
pub(super) proof fn lemma_canonicalize<G: Granule>(offset: u64, upper: bool, r: u64)
    requires
        offset < G::shape().limit(),
        r == if upper {
            offset | (u64::MAX << G::width())
        } else {
            offset
        },
    ensures
        hw::canonical(r, G::width(), upper),
        r as int % G::shape().limit() == offset,
{
    lemma_sizes::<G>();
    let width = G::width();
    lemma_mask(r, width);
    assert(r >> width == if upper {
        u64::MAX >> width
    } else {
        0
    } && r & sub(1u64 << width, 1) == offset) by (bit_vector)
        requires
            width < 64,
            offset < 1u64 << width,
            r == if upper {
                offset | (u64::MAX << width)
            } else {
                offset
            },
    ;
}

/// Nothing is written as zero.
pub(super) proof fn lemma_zero(page_bits: u8, phys_bits: u64, level: nat)
    ensures
        spec::entry(level, 0) == Entry::Empty,
        spec::wf(page_bits, phys_bits, level, 0),
{
    assert(0u64 & 0x1 == 0) by (bit_vector);
}

/// A page's bits for execution as the constants that make them.
pub(super) proof fn lemma_execute_bits()
    by (bit_vector)
    ensures
        0x40u64 | 0x0020_0000_0000_0000 == 0x0020_0000_0000_0040,
        0x0020_0000_0000_0040u64 | 0x0040_0000_0000_0000 == 0x0060_0000_0000_0040,
        0x0020_0000_0000_0000u64 | 0x0040_0000_0000_0000 == 0x0060_0000_0000_0000,
{
}

/// A page's bits for writing as the constants that make them.
pub(super) proof fn lemma_write_bits()
    by (bit_vector)
    ensures
        0x0008_0000_0000_0000u64 | 0x80 == 0x0008_0000_0000_0080,
        0x80u64 | 0x0080_0000_0000_0000 == 0x0080_0000_0000_0080,
{
}

/// A number's bits are those of the manual.
pub(super) proof fn lemma_bits()
    by (bit_vector)
    ensures
        1u64 << 0u64 == 0x1,
        1u64 << 1u64 == 0x2,
        1u64 << 6u64 == 0x40,
        1u64 << 7u64 == 0x80,
        1u64 << 11u64 == 0x800,
        1u64 << 51u64 == 0x0008_0000_0000_0000,
        1u64 << 53u64 == 0x0020_0000_0000_0000,
        1u64 << 54u64 == 0x0040_0000_0000_0000,
        1u64 << 59u64 == 0x0800_0000_0000_0000,
        1u64 << 60u64 == 0x1000_0000_0000_0000,
        1u64 << 61u64 == 0x2000_0000_0000_0000,
        1u64 << 62u64 == 0x4000_0000_0000_0000,
{
}

/// A multiple of 2 to the power of `n` below 2 to the power of `phys_bits`, in bits.
pub(super) proof fn lemma_fits(phys_bits: u64, n: u64, addr: u64)
    requires
        phys_bits <= 48,
        12 <= n <= 30,
        addr as int % pow2(n as nat) as int == 0,
        addr + pow2(n as nat) <= pow2(phys_bits as nat),
    ensures
        spec::refers(phys_bits, n, addr),
        addr & !0x0000_ffff_ffff_f000 == 0,
{
    lemma_shl(phys_bits);
    lemma_shl(n);
    lemma_mask(addr, n);
    assert(n <= phys_bits && addr & 0x0007_ffff_ffff_f000 & !sub(1u64 << phys_bits, 1) == 0 && addr
        & (0x0000_ffff_ffff_f000 & sub(1u64 << n, 1)) == 0 && addr & !0x0000_ffff_ffff_f000 == 0)
        by (bit_vector)
        requires
            phys_bits <= 48,
            12 <= n <= 30,
            addr & sub(1u64 << n, 1) == 0,
            addr < 1u64 << phys_bits,
            1u64 << n <= 1u64 << phys_bits,
    ;
}

/// What a descriptor refers to exists.
pub(super) proof fn lemma_refers(phys_bits: u64, n: u64, word: u64)
    requires
        phys_bits <= 48,
        12 <= n <= 30,
        spec::refers(phys_bits, n, word),
    ensures
        is_frame_address(PhysAddr(word & 0x0000_ffff_ffff_f000), phys_bits, pow2(n as nat) as int),
{
    let addr = word & 0x0000_ffff_ffff_f000;
    lemma_shl(phys_bits);
    lemma_mask(addr, n);
    assert(addr & sub(1u64 << n, 1) == 0 && 1u64 << n <= 1u64 << phys_bits && addr <= sub(
        1u64 << phys_bits,
        1u64 << n,
    )) by (bit_vector)
        requires
            12 <= n <= 30,
            n <= phys_bits <= 48,
            word & 0x0007_ffff_ffff_f000 & !sub(1u64 << phys_bits, 1) == 0,
            word & (0x0000_ffff_ffff_f000 & sub(1u64 << n, 1)) == 0,
            addr == word & 0x0000_ffff_ffff_f000,
    ;
}

/// The processor finds the address that we do, and no reserved bit.
pub(super) proof fn lemma_address(phys_bits: u64, n: u64, word: u64)
    requires
        phys_bits <= 48,
        12 <= n <= 30,
        spec::refers(phys_bits, n, word),
    ensures
        !hw::beyond(word, phys_bits),
        !hw::below(word, n),
        hw::address(word, n) == word & 0x0000_ffff_ffff_f000,
{
    assert(word & 0x0007_0000_0000_0000 == 0 && word & 0x0000_ffff_ffff_f000 & !sub(
        1u64 << phys_bits,
        1,
    ) == 0 && word & 0x0000_ffff_ffff_f000 & sub(1u64 << n, 1) == 0 && word & 0x0000_ffff_ffff_f000
        & !sub(1u64 << n, 1) == word & 0x0000_ffff_ffff_f000) by (bit_vector)
        requires
            12 <= n <= 30,
            phys_bits <= 48,
            word & 0x0007_ffff_ffff_f000 & !sub(1u64 << phys_bits, 1) == 0,
            word & (0x0000_ffff_ffff_f000 & sub(1u64 << n, 1)) == 0,
    ;
}

/// Bits that are not an address's don't change what is referred to.
pub(super) proof fn lemma_same_address(phys_bits: u64, n: u64, addr: u64, word: u64)
    requires
        spec::refers(phys_bits, n, addr),
        word & 0x0007_ffff_ffff_f000 == addr & 0x0007_ffff_ffff_f000,
    ensures
        spec::refers(phys_bits, n, word),
{
    assert(word & (0x0000_ffff_ffff_f000 & sub(1u64 << n, 1)) == addr & (0x0000_ffff_ffff_f000
        & sub(1u64 << n, 1))) by (bit_vector)
        requires
            word & 0x0007_ffff_ffff_f000 == addr & 0x0007_ffff_ffff_f000,
    ;
}

/// Writing a page and reading it back.
pub(super) proof fn lemma_page<G: Granule>(
    phys_bits: u64,
    level: u8,
    frame: PhysAddr,
    prop: PageProperty,
    r: u64,
)
    requires
        page_size(G::shape().page_bits, level as nat) is Some,
        phys_bits <= 48,
        is_frame_address(frame, phys_bits, G::shape().span(level as nat)),
        prop.read,
        !(prop.cache is UncacheableMinus),
        !(prop.cache is WriteProtected),
        r == spec::page(level as nat, frame, prop),
    ensures
        spec::entry(level as nat, r) == (Entry::Page { frame, prop }),
        spec::wf(G::shape().page_bits, phys_bits, level as nat, r),
{
    let l = level as nat;
    lemma_leaf::<G>(l);
    let n = spec::size_bits(G::shape().page_bits, l);
    lemma_fits(phys_bits, n, frame.0);
    let h = if level == 1 {
        0x2u64
    } else {
        0
    };
    let (g, a) = (
        if prop.global {
            0u64
        } else {
            0x800
        },
        if prop.accessed {
            0x400u64
        } else {
            0
        },
    );
    let c = spec::cache_bits(prop.cache);
    let x = spec::execute_bits(prop.user, prop.execute);
    let w = spec::write_bits(prop.write, prop.dirty);
    lemma_parts(h, c, x, w, g, a);
    lemma_page_bits(frame.0, h, c, x, w, g, a, r);
    lemma_same_address(phys_bits, n, frame.0, r);
}

/// Each part of a page's descriptor can be told from the others.
proof fn lemma_page_bits(f: u64, h: u64, c: u64, x: u64, w: u64, g: u64, a: u64, r: u64)
    by (bit_vector)
    requires
        f & !0x0000_ffff_ffff_f000 == 0,
        h & !0x2 == 0,
        c & !0xc == 0,
        x & !0x0060_0000_0000_0040 == 0,
        w & !0x0088_0000_0000_0080 == 0,
        g & !0x800 == 0,
        a & !0x400 == 0,
        r == f | 0x301 | h | c | x | w | g | a,
    ensures
        r & 0x1 != 0,
        r & 0x0000_ffff_ffff_f000 == f,
        r & 0x0007_ffff_ffff_f000 == f & 0x0007_ffff_ffff_f000,
        r & 0xff10_0000_0000_0320 == 0x300,
        r & 0x2 == h & 0x2,
        r & 0x1c == c & 0x1c,
        r & 0x40 == x & 0x40,
        r & 0x0020_0000_0000_0000 == x & 0x0020_0000_0000_0000,
        r & 0x0040_0000_0000_0000 == x & 0x0040_0000_0000_0000,
        r & 0x80 == w & 0x80,
        r & 0x0008_0000_0000_0000 == w & 0x0008_0000_0000_0000,
        r & 0x0080_0000_0000_0000 == w & 0x0080_0000_0000_0000,
        r & 0x800 == g & 0x800,
        r & 0x400 == a & 0x400,
{
}

/// The bits of a page's parts.
proof fn lemma_parts(h: u64, c: u64, x: u64, w: u64, g: u64, a: u64)
    by (bit_vector)
    requires
        h == 0 || h == 0x2,
        c == 0 || c == 0x4 || c == 0x8 || c == 0xc,
        x == 0x0020_0000_0000_0040 || x == 0x0060_0000_0000_0040 || x == 0x0040_0000_0000_0000 || x
            == 0x0060_0000_0000_0000,
        w == 0x0008_0000_0000_0000 || w == 0x0008_0000_0000_0080 || w == 0x0080_0000_0000_0080 || w
            == 0x80,
        g == 0 || g == 0x800,
        a == 0 || a == 0x400,
    ensures
        h & 0x2 == h && h & !0x2 == 0,
        c & 0x1c == c && c & !0xc == 0,
        x & !0x0060_0000_0000_0040 == 0,
        x & 0x40 != 0 <==> x == 0x0020_0000_0000_0040 || x == 0x0060_0000_0000_0040,
        x & 0x0020_0000_0000_0000 == 0 <==> x == 0x0040_0000_0000_0000,
        x & 0x0040_0000_0000_0000 == 0 <==> x == 0x0020_0000_0000_0040,
        w & !0x0088_0000_0000_0080 == 0,
        w & 0x80 == 0 <==> w == 0x0008_0000_0000_0000,
        w & 0x0008_0000_0000_0000 != 0 <==> w == 0x0008_0000_0000_0000 || w
            == 0x0008_0000_0000_0080,
        w & 0x0080_0000_0000_0000 != 0 <==> w == 0x0080_0000_0000_0080,
        g & 0x800 == g && g & !0x800 == 0,
        a & 0x400 == a && a & !0x400 == 0,
{
}

/// Writing a table's descriptor and reading it back.
pub(super) proof fn lemma_table<G: Granule>(
    phys_bits: u64,
    level: u8,
    table: PhysAddr,
    used: u16,
    r: u64,
)
    requires
        1 < level <= G::shape().levels,
        phys_bits <= 48,
        is_frame_address(table, phys_bits, pow2(G::shape().page_bits as nat) as int),
        used <= G::shape().entries((level - 1) as nat),
        r == spec::table(table, used),
    ensures
        r & 0x1 != 0,
        r & 0x2 != 0,
        r & 0x0000_ffff_ffff_f000 == table.0,
        spec::used(r) == used,
        spec::is_our_table(G::shape().page_bits, phys_bits, r),
{
    lemma_sizes::<G>();
    let p = G::shape().page_bits as u64;
    lemma_fits(phys_bits, p, table.0);
    let (t, n) = (table.0, used as u64);
    assert(r & 0x1 != 0 && r & 0x2 != 0 && r & 0x0000_ffff_ffff_f000 == t && r
        & 0x0007_ffff_ffff_f000 == t & 0x0007_ffff_ffff_f000 && ((r >> 51) & 0xff) | ((r << 4)
        & 0x3f00) == n && r & 0xf800_0000_0000_0c0f == 0x3) by (bit_vector)
        requires
            t & !0x0000_ffff_ffff_f000 == 0,
            n <= 8192,
            r == t | 0x3 | ((n & 0xff) << 51) | ((n & 0x3f00) >> 4),
    ;
    lemma_same_address(phys_bits, p, t, r);
}

/// What our words refer to exists.
pub(super) proof fn lemma_wf<G: Granule>(phys_bits: u64, level: nat, word: u64)
    requires
        1 <= level <= G::shape().levels,
        phys_bits <= 48,
        spec::wf(G::shape().page_bits, phys_bits, level, word),
    ensures
        match spec::entry(level, word) {
            Entry::Empty => true,
            Entry::Table { table, .. } => level > 1 && is_frame_address(
                table,
                phys_bits,
                pow2(G::shape().page_bits as nat) as int,
            ),
            Entry::Page { frame, .. } => page_size(G::shape().page_bits, level) is Some
                && is_frame_address(frame, phys_bits, G::shape().span(level)),
        },
{
    lemma_sizes::<G>();
    if word & 0x1 != 0 {
        if spec::is_page(level, word) {
            lemma_leaf::<G>(level);
            lemma_refers(phys_bits, spec::size_bits(G::shape().page_bits, level), word);
        } else {
            lemma_refers(phys_bits, G::shape().page_bits as u64, word);
        }
    }
}

/// The bits of a table's descriptor.
pub(super) proof fn lemma_table_bits(word: u64)
    by (bit_vector)
    requires
        word & 0xf800_0000_0000_0c0f == 0x3,
    ensures
        word & 0x2 != 0,
        word & 0x0800_0000_0000_0000 == 0,
        word & 0x1000_0000_0000_0000 == 0,
        word & 0x2000_0000_0000_0000 == 0,
        word & 0x4000_0000_0000_0000 == 0,
{
}

/// A page-aligned number is not present, and stays as it is.
pub(super) proof fn lemma_absent(page_bits: u64, phys_bits: u64, level: nat, word: u64)
    requires
        word % 4096 == 0,
    ensures
        forall|now: u64| #[trigger] hw::may_become(level, word, now) ==> now == word,
        hw::step(page_bits, phys_bits, level, word) == Step::NotPresent,
{
    lemma_bits();
    assert(word & 0x1 == 0) by (bit_vector)
        requires
            word % 4096 == 0,
    ;
}

/// Nothing, tables and used pages stay as they are.
pub(super) proof fn lemma_settled(page_bits: u8, phys_bits: u64, level: nat, word: u64)
    requires
        spec::wf(page_bits, phys_bits, level, word),
        spec::entry(level, word) matches Entry::Page { prop, .. } ==> prop.accessed && prop.dirty,
    ensures
        forall|now: u64| #[trigger] hw::may_become(level, word, now) ==> now == word,
{
    lemma_bits();
    if word & 0x1 != 0 {
        if spec::is_page(level, word) {
            assert(word & 0x400 != 0 ==> word | 0x400 == word) by (bit_vector);
            assert(word & 0x80 == 0 ==> word & !0x80 == word) by (bit_vector);
        } else {
            lemma_table_bits(word);
        }
    }
}

/// The bits of a word that the processor doesn't change.
proof fn lemma_kept(word: u64, now: u64)
    by (bit_vector)
    requires
        now == word | 0x400 || now == word & !0x80 || now == (word | 0x400) & !0x80,
    ensures
        now & 0x1 == word & 0x1,
        now & 0x2 == word & 0x2,
        now & 0x1c == word & 0x1c,
        now & 0x40 == word & 0x40,
        now & 0x800 == word & 0x800,
        now & 0xff10_0000_0000_0320 == word & 0xff10_0000_0000_0320,
        now & 0x0008_0000_0000_0000 == word & 0x0008_0000_0000_0000,
        now & 0x0020_0000_0000_0000 == word & 0x0020_0000_0000_0000,
        now & 0x0040_0000_0000_0000 == word & 0x0040_0000_0000_0000,
        now & 0x0080_0000_0000_0000 == word & 0x0080_0000_0000_0000,
        now & 0x0000_ffff_ffff_f000 == word & 0x0000_ffff_ffff_f000,
        now & 0x0007_ffff_ffff_f000 == word & 0x0007_ffff_ffff_f000,
        word & 0x400 != 0 ==> now & 0x400 != 0,
        word & 0x80 == 0 ==> now & 0x80 == 0,
        now == word | 0x400 ==> now & 0x80 == word & 0x80,
{
}

/// Each byte of [`MAIR`] is the cache policy that we take its index for.
proof fn lemma_cache(word: u64)
    ensures
        hw::memory_type(hw::attribute(word)) == spec::cache_policy(word),
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

/// What the walk is told by words that stand for `entry`, which if it is a page allows `rights`.
pub open spec fn told(entry: Entry, rights: Rights) -> Step {
    match entry {
        Entry::Empty => Step::NotPresent,
        Entry::Table { table, .. } => Step::Table {
            table: table.0 as int,
            rights: Rights::all(),
            global: false,
        },
        Entry::Page { frame, prop } => Step::Page {
            frame: frame.0 as int,
            rights,
            global: prop.global,
            cache: prop.cache,
        },
    }
}

/// Whatever hardware made of a word of ours, it is one, and hardware reads in it what we wrote.
pub(super) proof fn lemma_step<G: Granule, R: Region>(
    phys_bits: u64,
    level: nat,
    word: u64,
    now: u64,
)
    requires
        1 <= level <= G::shape().levels,
        phys_bits <= 48,
        spec::wf(G::shape().page_bits, phys_bits, level, word),
        hw::may_become(level, word, now),
    ensures
        spec::wf(G::shape().page_bits, phys_bits, level, now),
        spec::entry(level, word).may_become(spec::entry(level, now)),
        hw::step(G::shape().page_bits as u64, phys_bits, level, now) == told(
            spec::entry(level, word),
            AArch64::<G, R>::rights(spec::entry(level, word)->Page_prop),
        ),
{
    lemma_bits();
    if word & 0x1 != 0 {
        if now != word {
            lemma_kept(word, now);
            lemma_same_address(phys_bits, spec::size_bits(G::shape().page_bits, level), word, now);
        }
        lemma_read::<G, R>(phys_bits, level, now);
    }
}

/// Hardware reads in a valid word of ours what we do.
proof fn lemma_read<G: Granule, R: Region>(phys_bits: u64, level: nat, word: u64)
    requires
        1 <= level <= G::shape().levels,
        phys_bits <= 48,
        spec::wf(G::shape().page_bits, phys_bits, level, word),
        word & 0x1 != 0,
    ensures
        hw::step(G::shape().page_bits as u64, phys_bits, level, word) == told(
            spec::entry(level, word),
            AArch64::<G, R>::rights(spec::entry(level, word)->Page_prop),
        ),
{
    lemma_bits();
    lemma_sizes::<G>();
    if spec::is_page(level, word) {
        lemma_leaf::<G>(level);
        lemma_address(phys_bits, spec::size_bits(G::shape().page_bits, level), word);
        lemma_cache(word);
        assert(word & 0xff10_0000_0000_0320 == 0x300 ==> word & 0x300 == 0x300) by (bit_vector);
    } else {
        lemma_address(phys_bits, G::shape().page_bits as u64, word);
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
        word & 0x80 == 0 ==> now & 0x80 == 0,
        word & 0x400 == 0 && now & 0x400 != 0 || word & 0x80 != 0 && now & 0x80 == 0,
{
    assert((word & 0x400 != 0 ==> now & 0x400 != 0) && (word & 0x80 == 0 ==> now & 0x80 == 0) && (
    word & 0x400 == 0 && now & 0x400 != 0 || word & 0x80 != 0 && now & 0x80 == 0)) by (bit_vector)
        requires
            now == word | 0x400 || now == word & !0x80 || now == (word | 0x400) & !0x80,
            now != word,
    ;
}

/// Aligning down to a page leaves the upper bits as they are.
pub(super) proof fn lemma_align_down(raw: u64, size: PageSize, width: u64)
    requires
        30 <= width < 64,
    ensures
        (raw - raw as int % size.bytes() as int) as u64 >> width == raw >> width,
{
    let bits: u64 = match size {
        PageSize::Size4K => 12,
        PageSize::Size16K => 14,
        PageSize::Size64K => 16,
        PageSize::Size2M => 21,
        PageSize::Size32M => 25,
        PageSize::Size512M => 29,
        PageSize::Size1G => 30,
    };
    lemma2_to64();
    lemma_mask(raw, bits);
    assert(sub(raw, raw & sub(1u64 << bits, 1)) >> width == raw >> width) by (bit_vector)
        requires
            bits <= 30 <= width < 64,
    ;
}

} // verus!
