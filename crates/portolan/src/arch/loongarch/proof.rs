//! That LoongArch64 entries are read as they were written, by us and by the refill handler and the processor.

use super::super::entry::{Encoding, Entry, EntryFormat, is_frame_address};
use super::super::geometry::proof::lemma_mask;
use super::super::words::proof::{
    bits, fits, lemma_absent, lemma_align_down, lemma_bits, lemma_exists, lemma_single_bits, set_if,
};
use super::pages::page_size;
use super::spec;
use super::word::{cache_bits, decode, is_page, kind_bits, page, table, used};
use super::{LoongArch, Pages, Region};
use crate::addr::{PageSize, PhysAddr};
use crate::hw::loongarch as hw;
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
pub(super) proof fn lemma_sizes<P: Pages>()
    ensures
        P::shape().wf(),
        P::shape().limit() == pow2(P::width() as nat),
        page_size(P::shape().page_bits, 1) is Some,
        30 <= P::width() < 64,
        forall|l: nat| 1 <= l < P::shape().levels ==> #[trigger] P::shape().entries(l) <= 2048,
{
    P::lemma_shape();
    let g = P::shape();
    lemma_times(g.levels - 1, g.index_bits as int);
    g.lemma_powers(1);
    vstd::arithmetic::power2::lemma2_to64();
    assert forall|l: nat| 1 <= l < g.levels implies #[trigger] g.entries(l) <= 2048 by {
        g.lemma_span(l);
        g.lemma_powers(l);
    }
}

/// The size of a level's pages.
pub(super) proof fn lemma_leaf<P: Pages>(level: nat)
    requires
        page_size(P::shape().page_bits, level) is Some,
    ensures
        1 <= level <= P::shape().levels,
        ({
            let size = page_size(P::shape().page_bits, level)->0;
            &&& size.bytes() == P::shape().span(level)
            &&& size.bytes() == pow2(bits(size) as nat)
            &&& hw::leaf_bits(P::shape().page_bits as u64, level) == Some(bits(size))
            &&& level > 1 ==> bits(size) >= 21
        }),
{
    P::lemma_shape();
    lemma_times(level - 1, P::shape().index_bits as int);
    P::shape().lemma_powers(level);
    lemma_bits(page_size(P::shape().page_bits, level)->0);
}

/// Ones above the bits that index the tables make an offset one of the upper region, and don't change these bits.
pub(super) proof fn lemma_canonicalize<P: Pages>(offset: u64, upper: bool)
    requires
        offset < P::shape().limit(),
    ensures
        P::width() < 64,
        ({
            let r = if upper {
                offset | (u64::MAX << P::width())
            } else {
                offset
            };
            hw::canonical(r, P::width(), upper) && r as int % P::shape().limit() == offset
        }),
{
    lemma_sizes::<P>();
    let width = P::width();
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
pub(super) proof fn lemma_page<P: Pages>(
    phys_bits: u64,
    level: u8,
    frame: PhysAddr,
    prop: PageProperty,
)
    requires
        page_size(P::shape().page_bits, level as nat) is Some,
        phys_bits <= 48,
        is_frame_address(frame, phys_bits, P::shape().span(level as nat)),
        prop.cache is WriteBack || prop.cache is WriteCombining || prop.cache is Uncacheable,
    ensures
        decode(level, page(level, frame, prop)) == (Entry::Page { frame, prop }),
        spec::wf(P::shape().page_bits, phys_bits, level as nat, page(level, frame, prop)),
{
    let size = page_size(P::shape().page_bits, level as nat)->0;
    lemma_leaf::<P>(level as nat);
    lemma_exists(frame, phys_bits, size);
    let (f, n, r, last) = (frame.0, bits(size), page(level, frame, prop), level == 1);
    let (read, write, execute, user) = (prop.read, prop.write, prop.execute, prop.user);
    let (global, accessed, dirty) = (prop.global, prop.accessed, prop.dirty);
    let (c, k) = (cache_bits(prop.cache), kind_bits(level, global));
    assert(r & 0x1 != 0 && (last ==> r & 0x0000_ffff_ffff_f000 == f && (r & 0x40 != 0) == global)
        && (!last ==> r & 0x40 != 0 && r & 0x0000_ffff_ffff_e000 == f && (r & 0x1000 != 0)
        == global)) by (bit_vector)
        requires
            12 <= n <= phys_bits <= 48,
            !last ==> n >= 21,
            fits(f, phys_bits, n),
            c == 0 || c == 0x10 || c == 0x20,
            k == if last {
                set_if(global, 0x40)
            } else {
                0x40u64 | set_if(global, 0x1000)
            },
            r == f | (0x1u64 | 0x80) | k | c | set_if(user, 0xc) | set_if(write, 0x102) | set_if(
                !read,
                0x2000_0000_0000_0000,
            ) | set_if(!execute, 0x4000_0000_0000_0000) | set_if(accessed, 0x200) | set_if(
                dirty,
                0x400,
            ),
    ;
    assert(r & 0x9fff_0000_0000_0880 == 0x80 && r & 0x30 == c && r & 0xc == set_if(user, 0xc) && r
        & 0x102 == set_if(write, 0x102) && (r & 0x2000_0000_0000_0000 == 0) == read && (r
        & 0x4000_0000_0000_0000 == 0) == execute && (r & 0x200 != 0) == accessed && (r & 0x400 != 0)
        == dirty) by (bit_vector)
        requires
            12 <= n <= phys_bits <= 48,
            fits(f, phys_bits, n),
            c == 0 || c == 0x10 || c == 0x20,
            k == if last {
                set_if(global, 0x40)
            } else {
                0x40u64 | set_if(global, 0x1000)
            },
            r == f | (0x1u64 | 0x80) | k | c | set_if(user, 0xc) | set_if(write, 0x102) | set_if(
                !read,
                0x2000_0000_0000_0000,
            ) | set_if(!execute, 0x4000_0000_0000_0000) | set_if(accessed, 0x200) | set_if(
                dirty,
                0x400,
            ),
    ;
}

/// Writing a table's entry and reading it back.
pub(super) proof fn lemma_table<P: Pages>(phys_bits: u64, level: u8, at: PhysAddr, count: u16)
    requires
        1 < level <= P::shape().levels,
        phys_bits <= 48,
        is_frame_address(at, phys_bits, pow2(P::shape().page_bits as nat) as int),
        count <= P::shape().entries((level - 1) as nat),
    ensures
        table(at, count) & 0x1 != 0,
        !is_page(level, table(at, count)),
        table(at, count) & 0x0000_ffff_ffff_f000 == at.0,
        used(table(at, count)) == count,
        spec::is_our_table(P::shape().page_bits, phys_bits, at, table(at, count)),
{
    let size = page_size(P::shape().page_bits, 1)->0;
    lemma_sizes::<P>();
    lemma_leaf::<P>(1);
    lemma_exists(at, phys_bits, size);
    let (t, n, u, r) = (at.0, bits(size), count as u64, table(at, count));
    assert(r & 0x1 != 0 && r & 0x40 == 0 && r & 0x0000_ffff_ffff_f000 == t && (r >> 48) & 0xfff == u
        && r & 0xf000_0000_0000_0fff == 0x1) by (bit_vector)
        requires
            12 <= n <= phys_bits <= 48,
            fits(t, phys_bits, n),
            u <= 2048,
            r == t | 0x1 | (u << 48),
    ;
}

/// What the manual has in a page's bits that aren't single ones.
proof fn lemma_fields(word: u64)
    by (bit_vector)
    ensures
        (word >> 2) & 0x3 == 0 <==> word & 0xc == 0,
        (word >> 2) & 0x3 == 3 <==> word & 0xc == 0xc,
        (word >> 4) & 0x3 == 1 <==> word & 0x30 == 0x10,
        (word >> 4) & 0x3 == 2 <==> word & 0x30 == 0x20,
        (word >> 4) & 0x3 == 3 <==> word & 0x30 == 0x30,
        word & 0x102 == 0 ==> word & 0x2 == 0,
        word & 0x102 == 0x102 ==> word & 0x2 != 0,
        word & 0x9fff_0000_0000_0880 == 0x80 ==> word & 0x1fff_0000_0000_0000 == 0 && word
            & 0x8000_0000_0000_0000 == 0,
        word & 0xf000_0000_0000_0fff == 0x1 ==> word & 0x40 == 0,
{
}

/// The address that the processor reads in a page, of which it doesn't look at the bits below.
proof fn lemma_address(word: u64, phys_bits: u64, frame: PhysAddr, last: bool, n: u64)
    requires
        12 <= n <= phys_bits <= 48,
        !last ==> n >= 21,
        fits(frame.0, phys_bits, n),
        frame.0 == if last {
            word & 0x0000_ffff_ffff_f000
        } else {
            word & 0x0000_ffff_ffff_e000
        },
        word & 0x1fff_0000_0000_0000 == 0,
    ensures
        hw::address(word, n, phys_bits) == frame.0,
{
    let f = frame.0;
    assert(word & 0x1fff_ffff_ffff_f000 & !sub(1u64 << n, 1) & sub(1u64 << phys_bits, 1) == f)
        by (bit_vector)
        requires
            12 <= n <= phys_bits <= 48,
            !last ==> n >= 21,
            fits(f, phys_bits, n),
            f == if last {
                word & 0x0000_ffff_ffff_f000
            } else {
                word & 0x0000_ffff_ffff_e000
            },
            word & 0x1fff_0000_0000_0000 == 0,
    ;
}

/// The address that the refill handler reads in a table's entry.
proof fn lemma_table_address(word: u64, phys_bits: u64)
    requires
        phys_bits <= 48,
        word & 0x0000_ffff_ffff_f000 & !sub(1u64 << phys_bits, 1) == 0,
    ensures
        hw::table_address(word, phys_bits) == word & 0x0000_ffff_ffff_f000,
{
    assert(word & 0x0000_ffff_ffff_f000 & sub(1u64 << phys_bits, 1) == word & 0x0000_ffff_ffff_f000)
        by (bit_vector)
        requires
            phys_bits <= 48,
            word & 0x0000_ffff_ffff_f000 & !sub(1u64 << phys_bits, 1) == 0,
    ;
}

impl<P: Pages, R: Region> EntryFormat for LoongArch<P, R> {
    proof fn lemma_geometry() {
        P::lemma_shape();
    }

    proof fn lemma_pins() {
    }

    proof fn lemma_page_size(level: nat) {
        P::lemma_shape();
        if page_size(P::shape().page_bits, level) is Some {
            lemma_leaf::<P>(level);
        }
    }

    proof fn lemma_wf(phys_bits: u64, level: nat, word: u64) {
        Self::lemma_page_size(level);
        lemma_sizes::<P>();
        lemma_leaf::<P>(1);
    }

    proof fn lemma_align_down(raw: u64, size: PageSize) {
        lemma_sizes::<P>();
        lemma_align_down(raw, size, P::width());
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
    }

    proof fn lemma_step(phys_bits: u64, level: nat, word: u64, now: u64) {
        lemma_single_bits();
        lemma_fields(word);
        lemma_sizes::<P>();
        match decode(level as u8, word) {
            Entry::Empty => {},
            Entry::Table { table, .. } => {
                lemma_leaf::<P>(1);
                lemma_exists(table, phys_bits, page_size(P::shape().page_bits, 1)->0);
                lemma_table_address(word, phys_bits);
            },
            Entry::Page { frame, .. } => {
                let size = page_size(P::shape().page_bits, level)->0;
                lemma_leaf::<P>(level);
                lemma_exists(frame, phys_bits, size);
                lemma_bits(size);
                lemma_address(word, phys_bits, frame, level == 1, bits(size));
            },
        }
    }

    proof fn lemma_reflexive(level: nat, word: u64) {
    }

    proof fn lemma_progress(level: nat, word: u64, now: u64) {
    }
}

} // verus!
