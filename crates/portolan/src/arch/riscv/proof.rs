//! That RISC-V entries are what [`spec`](super::spec) says, to us and to the hart.

use super::super::entry::{Entry, EntryFormat, is_frame_address, is_table_address};
use super::super::geometry::proof::{lemma_mask, lemma_shl};
use super::spec;
use super::{Levels, Riscv};
use crate::addr::{PageSize, PhysAddr};
use crate::hw::mmu::{Mmu, Rights, Step};
use crate::hw::riscv as hw;
use crate::prop::{CachePolicy, PageProperty};
use vstd::arithmetic::power2::{lemma2_to64, lemma2_to64_rest, pow2};
use vstd::prelude::*;

verus! {

/// The sizes of things.
pub(super) proof fn lemma_spans<L: Levels>()
    ensures
        3 <= L::levels() <= 5,
        Riscv::<L>::geo().wf(),
        Riscv::<L>::geo().span(1) == 0x1000,
        Riscv::<L>::geo().span(2) == 0x20_0000,
        Riscv::<L>::geo().span(3) == 0x4000_0000,
        Riscv::<L>::geo().limit() == if L::levels() == 3 {
            0x80_0000_0000int
        } else if L::levels() == 4 {
            0x1_0000_0000_0000
        } else {
            0x200_0000_0000_0000
        },
        pow2(12) == 0x1000,
{
    L::lemma_levels();
    let g = Riscv::<L>::geo();
    lemma2_to64();
    lemma2_to64_rest();
    g.lemma_powers(1);
    g.lemma_powers(2);
    g.lemma_powers(3);
    g.lemma_powers(L::levels() as nat);
}

/// Copies of the top bit that indexes the tables make an offset canonical, and don't change the bits that do.
pub(super) proof fn lemma_canonicalize<L: Levels>(offset: u64, width: u64, r: u64)
    requires
        width == 12 + 9 * L::levels(),
        offset < Riscv::<L>::geo().limit(),
        r == if offset >> sub(width, 1) == 0 {
            offset
        } else {
            offset | u64::MAX << width
        },
    ensures
        Riscv::<L>::canonical(r),
        r as int % Riscv::<L>::geo().limit() == offset,
{
    lemma_spans::<L>();
    if L::levels() == 3 {
        assert((r >> 38u64 == 0 || r >> 38u64 == u64::MAX >> 38u64) && r % 0x80_0000_0000 == offset)
            by (bit_vector)
            requires
                offset < 0x80_0000_0000,
                r == if offset >> 38u64 == 0 {
                    offset
                } else {
                    offset | u64::MAX << 39u64
                },
        ;
    } else if L::levels() == 4 {
        assert((r >> 47u64 == 0 || r >> 47u64 == u64::MAX >> 47u64) && r % 0x1_0000_0000_0000
            == offset) by (bit_vector)
            requires
                offset < 0x1_0000_0000_0000,
                r == if offset >> 47u64 == 0 {
                    offset
                } else {
                    offset | u64::MAX << 48u64
                },
        ;
    } else {
        assert((r >> 56u64 == 0 || r >> 56u64 == u64::MAX >> 56u64) && r % 0x200_0000_0000_0000
            == offset) by (bit_vector)
            requires
                offset < 0x200_0000_0000_0000,
                r == if offset >> 56u64 == 0 {
                    offset
                } else {
                    offset | u64::MAX << 57u64
                },
        ;
    }
}

/// Nothing is written as zero.
pub(super) proof fn lemma_zero(phys_bits: u64, level: nat)
    ensures
        spec::entry(0) == Entry::Empty,
        spec::wf(phys_bits, level, 0),
{
    assert(0u64 & 0x1 == 0) by (bit_vector);
}

/// An address below 2 to the power of `phys_bits`, in bits.
proof fn lemma_fits(phys_bits: u64, addr: u64, size: u64)
    requires
        phys_bits <= 56,
        size > 0,
        addr + size <= pow2(phys_bits as nat),
    ensures
        addr & !sub(1u64 << phys_bits, 1) == 0,
        addr & !0x00ff_ffff_ffff_ffffu64 == 0,
        forall|n: u64| n < 64 && size >= 1u64 << n ==> n <= phys_bits,
{
    lemma_shl(phys_bits);
    let end = 1u64 << phys_bits;
    assert(addr & !sub(end, 1) == 0 && addr & !0x00ff_ffff_ffff_ffffu64 == 0) by (bit_vector)
        requires
            phys_bits <= 56,
            end == 1u64 << phys_bits,
            addr < end,
    ;
    assert forall|n: u64| n < 64 && size >= 1u64 << n implies n <= phys_bits by {
        assert(n <= phys_bits) by (bit_vector)
            requires
                n < 64,
                phys_bits <= 56,
                size >= 1u64 << n,
                size <= 1u64 << phys_bits,
        ;
    }
}

/// The bits of a word that the hart doesn't set.
proof fn lemma_kept(word: u64, now: u64, set: u64)
    by (bit_vector)
    requires
        set & !0xc0 == 0,
        now == word | set,
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
{
}

/// What we read in a word's bits is what the manual has there.
proof fn lemma_manual(word: u64)
    ensures
        hw::bit(word, 0) <==> word & 0x1 != 0,
        hw::bit(word, 1) <==> word & 0x2 != 0,
        hw::bit(word, 2) <==> word & 0x4 != 0,
        hw::bit(word, 3) <==> word & 0x8 != 0,
        hw::bit(word, 4) <==> word & 0x10 != 0,
        hw::bit(word, 5) <==> word & 0x20 != 0,
        hw::bit(word, 6) <==> word & 0x40 != 0,
        hw::bit(word, 7) <==> word & 0x80 != 0,
        hw::is_leaf(word) <==> spec::is_page(word),
        hw::address(word) == spec::address(word),
        hw::memory_type(word) != 3 ==> hw::cache(hw::memory_type(word)) == spec::cache_policy(word),
        hw::memory_type(word) == 3 <==> word & 0x6000_0000_0000_0000 == 0x6000_0000_0000_0000,
        hw::memory_type(word) == 0 <==> word & 0x6000_0000_0000_0000 == 0,
{
    assert(1u64 << 0u64 == 0x1 && 1u64 << 1u64 == 0x2 && 1u64 << 2u64 == 0x4 && 1u64 << 3u64 == 0x8
        && 1u64 << 4u64 == 0x10 && 1u64 << 5u64 == 0x20 && 1u64 << 6u64 == 0x40 && 1u64 << 7u64
        == 0x80) by (bit_vector);
    assert(((word >> 10) & 0x0fff_ffff_ffff) << 12 == (word & 0x003f_ffff_ffff_fc00) << 2)
        by (bit_vector);
    let t = (word >> 61) & 0x3;
    let m = word & 0x6000_0000_0000_0000;
    assert((t == 0 <==> m == 0) && (t == 1 <==> m == 0x2000_0000_0000_0000) && (t == 3 <==> m
        == 0x6000_0000_0000_0000)) by (bit_vector)
        requires
            t == (word >> 61) & 0x3,
            m == word & 0x6000_0000_0000_0000,
    ;
}

/// Writing a page and reading it back.
pub(super) proof fn lemma_page<L: Levels>(
    phys_bits: u64,
    level: u8,
    frame: PhysAddr,
    prop: PageProperty,
    r: u64,
)
    requires
        1 <= level <= 3,
        phys_bits <= 56,
        is_frame_address(frame, phys_bits, Riscv::<L>::geo().span(level as nat)),
        Riscv::<L>::supports(prop),
        r == spec::page(frame, prop),
    ensures
        spec::entry(r) == (Entry::Page { frame, prop }),
        spec::wf(phys_bits, level as nat, r),
{
    lemma_spans::<L>();
    let l = level as nat;
    let size = Riscv::<L>::geo().span(l) as u64;
    lemma_fits(phys_bits, frame.0, size);
    assert(1u64 << 12u64 == 0x1000 && 1u64 << 21u64 == 0x20_0000 && 1u64 << 30u64 == 0x4000_0000)
        by (bit_vector);
    let f = frame.0;
    let low = spec::low_bits(l);
    assert(f % 0x1000 == 0 && f & low == 0) by (bit_vector)
        requires
            size == 0x1000 && low == 0 || size == 0x20_0000 && low == 0x001f_f000 || size
                == 0x4000_0000 && low == 0x3fff_f000,
            f % size == 0,
    ;
    let (rd, w, x) = (
        spec::flag(prop.read, 0x2),
        spec::flag(prop.write, 0x4),
        spec::flag(prop.execute, 0x8),
    );
    let (u, g) = (spec::flag(prop.user, 0x10), spec::flag(prop.global, 0x20));
    let (a, d) = (spec::flag(prop.accessed, 0x40), spec::flag(prop.dirty, 0x80));
    lemma_page_bits(f, rd, w, x, u, g, a, d, spec::cache_bits(prop.cache), r);
}

/// Each part of a page's word can be told from the others.
proof fn lemma_page_bits(
    f: u64,
    rd: u64,
    w: u64,
    x: u64,
    u: u64,
    g: u64,
    a: u64,
    d: u64,
    c: u64,
    r: u64,
)
    by (bit_vector)
    requires
        f % 0x1000 == 0,
        f & !0x00ff_ffff_ffff_ffff == 0,
        rd == 0 || rd == 0x2,
        w == 0 || w == 0x4,
        x == 0 || x == 0x8,
        u == 0 || u == 0x10,
        g == 0 || g == 0x20,
        a == 0 || a == 0x40,
        d == 0 || d == 0x80,
        c == 0 || c == 0x2000_0000_0000_0000 || c == 0x4000_0000_0000_0000,
        r == f >> 2 | 0x1 | rd | w | x | u | g | a | d | c,
    ensures
        r & 0x1 != 0,
        (r & 0x003f_ffff_ffff_fc00) << 2 == f,
        r & 0x2 == rd,
        r & 0x4 == w,
        r & 0x8 == x,
        r & 0x10 == u,
        r & 0x20 == g,
        r & 0x40 == a,
        r & 0x80 == d,
        r & 0x6000_0000_0000_0000 == c,
        r & 0x9fc0_0000_0000_0300 == 0,
{
}

/// Writing a table's entry and reading it back.
pub(super) proof fn lemma_table<L: Levels>(phys_bits: u64, level: u8, table: PhysAddr, r: u64)
    requires
        1 < level <= L::levels(),
        phys_bits <= 56,
        is_table_address::<Riscv<L>>(table, phys_bits),
        r == table.0 >> 2 | 0x1,
    ensures
        spec::entry(r) == (Entry::Table { table, used: 1 }),
        spec::wf(phys_bits, level as nat, r),
{
    lemma_spans::<L>();
    lemma_fits(phys_bits, table.0, 0x1000);
    assert(1u64 << 12u64 == 0x1000) by (bit_vector);
    let t = table.0;
    assert(r & 0x1 != 0 && r & 0x2 == 0 && r & 0x8 == 0 && (r & 0x003f_ffff_ffff_fc00) << 2 == t
        && r & 0xffc0_0000_0000_03ff == 0x1) by (bit_vector)
        requires
            t % 0x1000 == 0,
            t & !0x00ff_ffff_ffff_ffff == 0,
            r == t >> 2 | 0x1,
    ;
}

/// What our words refer to exists.
pub(super) proof fn lemma_wf<L: Levels>(phys_bits: u64, level: nat, word: u64)
    requires
        1 <= level <= L::levels(),
        phys_bits <= 56,
        spec::wf(phys_bits, level, word),
    ensures
        match spec::entry(word) {
            Entry::Empty => true,
            Entry::Table { table, used } => level > 1 && used == 1 && is_table_address::<Riscv<L>>(
                table,
                phys_bits,
            ),
            Entry::Page { frame, prop } => level <= 3 && Riscv::<L>::supports(prop)
                && is_frame_address(frame, phys_bits, Riscv::<L>::geo().span(level)),
        },
{
    lemma_spans::<L>();
    lemma_shl(phys_bits);
    if word & 0x1 != 0 {
        let page = spec::is_page(word);
        let bits = if page {
            spec::size_bits(level)
        } else {
            12
        };
        let low = if page {
            spec::low_bits(level)
        } else {
            0
        };
        let addr = spec::address(word);
        assert(addr & 0 == 0) by (bit_vector);
        lemma_mask(addr, bits);
        assert(addr & sub(1u64 << bits, 1) == 0 && 1u64 << bits <= 1u64 << phys_bits && addr <= sub(
            1u64 << phys_bits,
            1u64 << bits,
        )) by (bit_vector)
            requires
                bits == 12 && low == 0 || bits == 21 && low == 0x001f_f000 || bits == 30 && low
                    == 0x3fff_f000,
                bits <= phys_bits <= 56,
                addr & low == 0,
                addr & !sub(1u64 << phys_bits, 1) == 0,
                addr == (word & 0x003f_ffff_ffff_fc00) << 2,
        ;
        lemma2_to64();
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
    lemma_manual(word);
    assert(word & 0x1 == 0) by (bit_vector)
        requires
            word % 4096 == 0,
    ;
}

/// Nothing, tables and used pages stay as they are.
pub(super) proof fn lemma_settled(phys_bits: u64, level: nat, word: u64)
    requires
        spec::wf(phys_bits, level, word),
        spec::entry(word) matches Entry::Page { prop, .. } ==> prop.accessed && prop.dirty,
    ensures
        forall|now: u64| #[trigger] hw::may_become(level, word, now) ==> now == word,
{
    lemma_manual(word);
    if word & 0x1 != 0 && spec::is_page(word) {
        assert(word | 0x40 == word && word | 0x80 == word && word | 0xc0 == word) by (bit_vector)
            requires
                word & 0x40 != 0,
                word & 0x80 != 0,
        ;
    }
}

/// Changes by hardware set bits.
pub(super) proof fn lemma_progress(level: nat, word: u64, now: u64)
    requires
        hw::may_become(level, word, now),
        now != word,
    ensures
        u64::MAX - now < u64::MAX - word,
{
    assert(word | 0x40 >= word && word | 0x80 >= word && word | 0xc0 >= word) by (bit_vector);
}

/// What an entry tells the walk.
pub(super) open spec fn told<L: Levels>(entry: Entry) -> Step {
    match entry {
        Entry::Empty => Step::NotPresent,
        Entry::Table { table, .. } => Step::Table {
            table: table.0 as int,
            rights: Rights::all(),
            global: false,
        },
        Entry::Page { frame, prop } => Step::Page {
            frame: frame.0 as int,
            rights: Riscv::<L>::rights(prop),
            global: prop.global,
            cache: prop.cache,
        },
    }
}

/// Whatever hardware made of a word of ours, it is one, and hardware reads in it what we wrote.
pub(super) proof fn lemma_step<L: Levels>(phys_bits: u64, level: nat, word: u64, now: u64)
    requires
        1 <= level,
        phys_bits <= 56,
        spec::wf(phys_bits, level, word),
        hw::may_become(level, word, now),
    ensures
        spec::wf(phys_bits, level, now),
        spec::entry(word).may_become(spec::entry(now)),
        hw::step(phys_bits, level, now) == told::<L>(spec::entry(word)),
{
    lemma_manual(word);
    if word & 0x1 != 0 && spec::is_page(word) {
        assert(word | 0 == word) by (bit_vector);
        assert(0u64 & !0xc0 == 0 && 0x40u64 & !0xc0 == 0 && 0x80u64 & !0xc0 == 0 && 0xc0u64 & !0xc0
            == 0) by (bit_vector);
        let set = choose|set: u64|
            (set == 0 || set == 0x40 || set == 0x80 || set == 0xc0) && now == word | set;
        lemma_kept(word, now, set);
    }
    lemma_read::<L>(phys_bits, level, now);
}

/// Hardware reads in a word of ours what we do.
proof fn lemma_read<L: Levels>(phys_bits: u64, level: nat, word: u64)
    requires
        1 <= level,
        spec::wf(phys_bits, level, word),
    ensures
        hw::step(phys_bits, level, word) == told::<L>(spec::entry(word)),
{
    lemma_manual(word);
    if word & 0x1 != 0 {
        if spec::is_page(word) {
            assert(word & 0x9fc0_0000_0000_0000 == 0) by (bit_vector)
                requires
                    word & 0x9fc0_0000_0000_0300 == 0,
            ;
            lemma_aligned(level, word);
        } else {
            lemma_table_bits(word);
        }
    }
}

/// The bits of a table's entry.
proof fn lemma_table_bits(word: u64)
    by (bit_vector)
    requires
        word & 0xffc0_0000_0000_03ff == 0x1,
    ensures
        word & 0x2 == 0,
        word & 0x4 == 0,
        word & 0x10 == 0,
        word & 0x20 == 0,
        word & 0x40 == 0,
        word & 0x80 == 0,
        word & 0x6000_0000_0000_0000 == 0,
        word & 0x9fc0_0000_0000_0000 == 0,
{
}

/// A page is aligned in the manual's terms, which are those of the page number.
proof fn lemma_aligned(level: nat, word: u64)
    requires
        1 <= level <= 3,
        spec::address(word) & spec::low_bits(level) == 0,
    ensures
        hw::ppn(word) & hw::within(level) == 0,
{
    let (low, within) = (spec::low_bits(level), hw::within(level));
    assert(((word >> 10) & 0x0fff_ffff_ffff) & within == 0) by (bit_vector)
        requires
            low == 0 && within == 0 || low == 0x001f_f000 && within == 0x1ff || low == 0x3fff_f000
                && within == 0x3_ffff,
            ((word & 0x003f_ffff_ffff_fc00) << 2) & low == 0,
    ;
}

/// Aligning down to a page leaves the upper bits as they are.
pub(super) proof fn lemma_align_down(raw: u64, size: PageSize)
    ensures
        (raw - raw as int % size.bytes() as int) as u64 >> 38u64 == raw >> 38u64,
        (raw - raw as int % size.bytes() as int) as u64 >> 47u64 == raw >> 47u64,
        (raw - raw as int % size.bytes() as int) as u64 >> 56u64 == raw >> 56u64,
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
    lemma_mask(raw, bits);
    lemma2_to64();
    let low = raw & sub(1u64 << bits, 1);
    assert(low <= raw && sub(raw, low) >> 38u64 == raw >> 38u64 && sub(raw, low) >> 47u64 == raw
        >> 47u64 && sub(raw, low) >> 56u64 == raw >> 56u64) by (bit_vector)
        requires
            bits <= 30,
            low == raw & sub(1u64 << bits, 1),
    ;
}

} // verus!
