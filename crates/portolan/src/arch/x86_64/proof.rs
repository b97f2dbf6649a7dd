//! That x86_64 entries are what [`spec`](super::spec) says, to us and to the processor.

use super::super::entry::{Entry, EntryFormat, is_frame_address, is_table_address};
use super::super::geometry::proof::{lemma_mask, lemma_shl};
use super::spec;
use super::{Levels, PAT, X86};
use crate::addr::{PageSize, PhysAddr};
use crate::hw::mmu::{Mmu, Rights, Step};
use crate::hw::x86_64 as hw;
use crate::prop::{CachePolicy, PageProperty};
use vstd::arithmetic::power2::{lemma2_to64, lemma2_to64_rest, pow2};
use vstd::prelude::*;

verus! {

/// The sizes of things.
pub(in super::super) proof fn lemma_spans<L: Levels>()
    ensures
        4 <= L::levels() <= 5,
        X86::<L>::geo().wf(),
        X86::<L>::geo().span(1) == 0x1000,
        X86::<L>::geo().span(2) == 0x20_0000,
        X86::<L>::geo().span(3) == 0x4000_0000,
        forall|l: nat| 1 <= l <= L::levels() ==> #[trigger] X86::<L>::geo().entries(l) == 512,
        X86::<L>::geo().limit() == if L::levels() == 4 {
            0x1_0000_0000_0000int
        } else {
            0x200_0000_0000_0000
        },
        pow2(12) == 0x1000,
{
    L::lemma_levels();
    let g = X86::<L>::geo();
    lemma2_to64();
    lemma2_to64_rest();
    g.lemma_powers(1);
    g.lemma_powers(2);
    g.lemma_powers(3);
    assert forall|l: nat| 1 <= l <= L::levels() implies #[trigger] g.entries(l) == 512 by {
        g.lemma_powers(l);
    }
}

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

/// Copies of the top bit that indexes the tables make an offset canonical, and don't change the bits that do.
pub(super) proof fn lemma_canonicalize<L: Levels>(offset: u64, width: u64, r: u64)
    requires
        width == 12 + 9 * L::levels(),
        offset < X86::<L>::geo().limit(),
        r == if offset >> sub(width, 1) == 0 {
            offset
        } else {
            offset | u64::MAX << width
        },
    ensures
        X86::<L>::canonical(r),
        r as int % X86::<L>::geo().limit() == offset,
{
    lemma_spans::<L>();
    if L::levels() == 4 {
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
        spec::entry(level, 0) == Entry::Empty,
        spec::wf(phys_bits, level, 0),
{
    assert(0u64 & 0x1 == 0) by (bit_vector);
}

/// An address below 2 to the power of `phys_bits`, in bits.
pub(in super::super) proof fn lemma_fits(phys_bits: u64, addr: u64, size: u64)
    requires
        phys_bits <= 52,
        size > 0,
        addr + size <= pow2(phys_bits as nat),
    ensures
        addr & !sub(1u64 << phys_bits, 1) == 0,
        addr & !0x000f_ffff_ffff_ffffu64 == 0,
        forall|n: u64| n < 64 && size >= 1u64 << n ==> n <= phys_bits,
{
    lemma_shl(phys_bits);
    let end = 1u64 << phys_bits;
    assert(addr & !sub(end, 1) == 0 && addr & !0x000f_ffff_ffff_ffffu64 == 0) by (bit_vector)
        requires
            phys_bits <= 52,
            end == 1u64 << phys_bits,
            addr < end,
    ;
    assert forall|n: u64| n < 64 && size >= 1u64 << n implies n <= phys_bits by {
        assert(n <= phys_bits) by (bit_vector)
            requires
                n < 64,
                phys_bits <= 52,
                size >= 1u64 << n,
                size <= 1u64 << phys_bits,
        ;
    }
}

/// The bits of a word that the processor doesn't set.
proof fn lemma_kept(phys_bits: u64, word: u64, now: u64, set: u64)
    by (bit_vector)
    requires
        12 <= phys_bits <= 52,
        set & !0x60 == 0,
        now == word | set,
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
        now & 0 == word & 0,
        now & 0x001f_e000 == word & 0x001f_e000,
        now & 0x3fff_e000 == word & 0x3fff_e000,
        (now >> 52) & 0x3ff == (word >> 52) & 0x3ff,
        now & 0x000f_ffff_ffff_ffff & !sub(1u64 << phys_bits, 1) == word & 0x000f_ffff_ffff_ffff
            & !sub(1u64 << phys_bits, 1),
        word & 0x20 != 0 ==> now & 0x20 != 0,
        word & 0x40 != 0 ==> now & 0x40 != 0,
{
}

/// A number's bits are those of the manual.
proof fn lemma_bits()
    by (bit_vector)
    ensures
        1u64 << 0u64 == 0x1,
        1u64 << 1u64 == 0x2,
        1u64 << 2u64 == 0x4,
        1u64 << 3u64 == 0x8,
        1u64 << 4u64 == 0x10,
        1u64 << 7u64 == 0x80,
        1u64 << 8u64 == 0x100,
        1u64 << 12u64 == 0x1000,
        1u64 << 63u64 == 0x8000_0000_0000_0000,
{
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
        word & 0x20 != 0,
        word & 0x80 == 0,
        word & 0x8000_0000_0000_0000 == 0,
        word | 0x20 == word,
{
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
        phys_bits <= 52,
        is_frame_address(frame, phys_bits, X86::<L>::geo().span(level as nat)),
        prop.read,
        r == spec::page(level as nat, frame, prop),
    ensures
        spec::entry(level as nat, r) == (Entry::Page { frame, prop }),
        spec::wf(phys_bits, level as nat, r),
{
    lemma_spans::<L>();
    let l = level as nat;
    let size = X86::<L>::geo().span(l) as u64;
    lemma_fits(phys_bits, frame.0, size);
    assert(1u64 << 12u64 == 0x1000 && 1u64 << 21u64 == 0x20_0000 && 1u64 << 30u64 == 0x4000_0000)
        by (bit_vector);
    let f = frame.0;
    let (w, u, x) = (
        if prop.write {
            0x2u64
        } else {
            0
        },
        if prop.user {
            0x4u64
        } else {
            0
        },
        if prop.execute {
            0u64
        } else {
            0x8000_0000_0000_0000
        },
    );
    let (g, a, d) = (
        if prop.global {
            0x100u64
        } else {
            0
        },
        if prop.accessed {
            0x20u64
        } else {
            0
        },
        if prop.dirty {
            0x40u64
        } else {
            0
        },
    );
    let c = spec::cache_bits(l, prop.cache);
    let h = if level == 1 {
        0u64
    } else {
        0x80
    };
    lemma_page_bits(level, phys_bits, size, f, w, u, x, g, a, d, c, spec::pat_bit(l), h, r);
    lemma_cache(l, r, prop.cache);
}

/// Each part of a page's word can be told from the others.
proof fn lemma_page_bits(
    level: u8,
    phys_bits: u64,
    size: u64,
    f: u64,
    w: u64,
    u: u64,
    x: u64,
    g: u64,
    a: u64,
    d: u64,
    c: u64,
    p: u64,
    h: u64,
    r: u64,
)
    by (bit_vector)
    requires
        level == 1 || level == 2 || level == 3,
        size == if level == 1 {
            0x1000u64
        } else if level == 2 {
            0x20_0000
        } else {
            0x4000_0000
        },
        f % size == 0,
        f & !0x000f_ffff_ffff_ffff == 0,
        f & !sub(1u64 << phys_bits, 1) == 0,
        12 <= phys_bits <= 52,
        level > 1 ==> 13 <= phys_bits,
        w == 0 || w == 0x2,
        u == 0 || u == 0x4,
        x == 0 || x == 0x8000_0000_0000_0000,
        g == 0 || g == 0x100,
        a == 0 || a == 0x20,
        d == 0 || d == 0x40,
        c == 0 || c == 0x8 || c == 0x10 || c == 0x18 || c == p || c == p | 0x8,
        p == if level == 1 {
            0x80u64
        } else {
            0x1000
        },
        h == if level == 1 {
            0u64
        } else {
            0x80
        },
        r == f | 0x1 | w | u | x | g | a | d | c | h,
    ensures
        r & 0x1 != 0,
        r & (if level == 1 {
            0x000f_ffff_ffff_f000u64
        } else {
            0x000f_ffff_ffff_e000
        }) == f,
        r & 0x2 == w,
        r & 0x4 == u,
        r & 0x8000_0000_0000_0000 == x,
        r & 0x100 == g,
        r & 0x20 == a,
        r & 0x40 == d,
        r & 0x8 == c & 0x8,
        r & 0x10 == c & 0x10,
        level == 1 ==> r & 0x80 == c & 0x80,
        level > 1 ==> r & 0x80 != 0 && r & 0x1000 == c & 0x1000,
        level == 1 ==> r & 0 == 0,
        level == 2 ==> r & 0x001f_e000 == 0,
        level == 3 ==> r & 0x3fff_e000 == 0,
        r & 0x000f_ffff_ffff_ffff & !sub(1u64 << phys_bits, 1) == 0,
{
}

/// Writing a cache policy and reading it back.
proof fn lemma_cache(level: nat, word: u64, cache: CachePolicy)
    requires
        word & 0x8 == spec::cache_bits(level, cache) & 0x8,
        word & 0x10 == spec::cache_bits(level, cache) & 0x10,
        word & spec::pat_bit(level) == spec::cache_bits(level, cache) & spec::pat_bit(level),
    ensures
        spec::cache_policy(level, word) == cache,
{
    let c = spec::cache_bits(level, cache);
    let p = spec::pat_bit(level);
    assert((c & 0x8 != 0 <==> c == 0x8 || c == 0x18 || c == p | 0x8) && (c & 0x10 != 0 <==> c
        == 0x10 || c == 0x18) && (c & p != 0 <==> c == p || c == p | 0x8) && p | 0x8 == p + 8)
        by (bit_vector)
        requires
            p == 0x80 || p == 0x1000,
            c == 0 || c == 0x8 || c == 0x10 || c == 0x18 || c == p || c == p | 0x8,
    ;
}

/// Writing a table's entry and reading it back.
pub(super) proof fn lemma_table<L: Levels>(
    phys_bits: u64,
    level: u8,
    table: PhysAddr,
    used: u16,
    r: u64,
)
    requires
        1 < level <= L::levels(),
        phys_bits <= 52,
        is_table_address::<X86<L>>(table, phys_bits),
        used <= X86::<L>::geo().entries((level - 1) as nat),
        r == table.0 | 0x1 | 0x2 | 0x4 | 0x20 | ((used as u64) << 52),
    ensures
        spec::entry(level as nat, r) == (Entry::Table { table, used }),
        spec::wf(phys_bits, level as nat, r),
{
    lemma_spans::<L>();
    lemma_fits(phys_bits, table.0, 0x1000);
    assert(1u64 << 12u64 == 0x1000) by (bit_vector);
    let (t, n) = (table.0, used as u64);
    assert(r & 0x1 != 0 && r & 0x80 == 0 && r & 0x000f_ffff_ffff_f000 == t && (r >> 52) & 0x3ff == n
        && r & 0x8000_0000_0000_00a7 == 0x27 && r & 0x000f_ffff_ffff_ffff & !sub(
        1u64 << phys_bits,
        1,
    ) == 0) by (bit_vector)
        requires
            t % 0x1000 == 0,
            t & !0x000f_ffff_ffff_ffff == 0,
            t & !sub(1u64 << phys_bits, 1) == 0,
            12 <= phys_bits <= 52,
            n <= 512,
            r == t | 0x1 | 0x2 | 0x4 | 0x20 | (n << 52),
    ;
}

/// What our words refer to exists.
pub(super) proof fn lemma_wf<L: Levels>(phys_bits: u64, level: nat, word: u64)
    requires
        1 <= level <= L::levels(),
        phys_bits <= 52,
        spec::wf(phys_bits, level, word),
    ensures
        match spec::entry(level, word) {
            Entry::Empty => word == 0,
            Entry::Table { table, .. } => level > 1 && is_table_address::<X86<L>>(table, phys_bits),
            Entry::Page { frame, prop } => level <= 3 && prop.read && is_frame_address(
                frame,
                phys_bits,
                X86::<L>::geo().span(level),
            ),
        },
{
    lemma_spans::<L>();
    lemma_shl(phys_bits);
    if word & 0x1 != 0 {
        let page = spec::is_page(level, word);
        let bits = if page {
            spec::size_bits(level)
        } else {
            12
        };
        let mask = if page && level > 1 {
            0x000f_ffff_ffff_e000u64
        } else {
            0x000f_ffff_ffff_f000
        };
        let low = if page {
            spec::low_bits(level)
        } else {
            0
        };
        assert(word & 0 == 0) by (bit_vector);
        let addr = word & mask;
        lemma_mask(addr, bits);
        assert(addr & sub(1u64 << bits, 1) == 0 && 1u64 << bits <= 1u64 << phys_bits && addr <= sub(
            1u64 << phys_bits,
            1u64 << bits,
        )) by (bit_vector)
            requires
                bits == 12 && low == 0 && mask == 0x000f_ffff_ffff_f000 || bits == 21 && low
                    == 0x001f_e000 && mask == 0x000f_ffff_ffff_e000 || bits == 30 && low
                    == 0x3fff_e000 && mask == 0x000f_ffff_ffff_e000,
                bits <= phys_bits <= 52,
                word & low == 0,
                word & 0x000f_ffff_ffff_ffff & !sub(1u64 << phys_bits, 1) == 0,
                addr == word & mask,
        ;
        lemma2_to64();
    }
}

/// A page-aligned address has the present bit clear.
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
        if spec::is_page(level, word) {
            assert(word | 0x20 == word && word | 0x40 == word && word | 0x60 == word)
                by (bit_vector)
                requires
                    word & 0x20 != 0,
                    word & 0x40 != 0,
            ;
        } else {
            lemma_table_bits(word);
        }
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
    assert(word | 0x20 >= word && word | 0x40 >= word && word | 0x60 >= word) by (bit_vector);
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
            rights: X86::<L>::rights(prop),
            global: prop.global,
            cache: prop.cache,
        },
    }
}

/// Whatever hardware made of a word of ours, it is one, and hardware reads in it what we wrote.
pub(super) proof fn lemma_step<L: Levels>(phys_bits: u64, level: nat, word: u64, now: u64)
    requires
        1 <= level,
        phys_bits <= 52,
        spec::wf(phys_bits, level, word),
        hw::may_become(level, word, now),
    ensures
        spec::wf(phys_bits, level, now),
        spec::entry(level, word).may_become(spec::entry(level, now)),
        hw::step(phys_bits, level, now) == told::<L>(spec::entry(level, word)),
{
    lemma_bits();
    if word & 0x1 != 0 {
        if spec::is_page(level, word) {
            assert(word | 0 == word) by (bit_vector);
            assert(0u64 & !0x60 == 0 && 0x20u64 & !0x60 == 0 && 0x40u64 & !0x60 == 0 && 0x60u64
                & !0x60 == 0) by (bit_vector);
            let set = choose|set: u64|
                (set == 0 || set == 0x20 || set == 0x40 || set == 0x60) && now == word | set;
            lemma_kept(phys_bits, word, now, set);
        } else {
            lemma_table_bits(word);
        }
        lemma_read::<L>(phys_bits, level, now);
    }
}

/// Hardware reads in a present word of ours what we do.
proof fn lemma_read<L: Levels>(phys_bits: u64, level: nat, word: u64)
    requires
        1 <= level,
        spec::wf(phys_bits, level, word),
        word & 0x1 != 0,
    ensures
        hw::step(phys_bits, level, word) == told::<L>(spec::entry(level, word)),
{
    lemma_bits();
    if !spec::is_page(level, word) {
        lemma_table_bits(word);
    } else if level == 2 {
        assert(word & 0x000f_ffff_ffff_e000 == word & 0x000f_ffff_ffe0_0000) by (bit_vector)
            requires
                word & 0x001f_e000 == 0,
        ;
    } else if level == 3 {
        assert(word & 0x000f_ffff_ffff_e000 == word & 0x000f_ffff_c000_0000) by (bit_vector)
            requires
                word & 0x3fff_e000 == 0,
        ;
    }
}

/// Aligning down to a page leaves the upper bits as they are.
pub(super) proof fn lemma_align_down(raw: u64, size: PageSize)
    ensures
        (raw - raw as int % size.bytes() as int) as u64 >> 47u64 == raw >> 47u64,
        (raw - raw as int % size.bytes() as int) as u64 >> 56u64 == raw >> 56u64,
{
    match size {
        PageSize::Size4K => {
            assert(sub(raw, raw % 0x1000u64) >> 47u64 == raw >> 47u64 && sub(raw, raw % 0x1000u64)
                >> 56u64 == raw >> 56u64) by (bit_vector);
        },
        PageSize::Size16K => {
            assert(sub(raw, raw % 0x4000u64) >> 47u64 == raw >> 47u64 && sub(raw, raw % 0x4000u64)
                >> 56u64 == raw >> 56u64) by (bit_vector);
        },
        PageSize::Size64K => {
            assert(sub(raw, raw % 0x1_0000u64) >> 47u64 == raw >> 47u64 && sub(
                raw,
                raw % 0x1_0000u64,
            ) >> 56u64 == raw >> 56u64) by (bit_vector);
        },
        PageSize::Size2M => {
            assert(sub(raw, raw % 0x20_0000u64) >> 47u64 == raw >> 47u64 && sub(
                raw,
                raw % 0x20_0000u64,
            ) >> 56u64 == raw >> 56u64) by (bit_vector);
        },
        PageSize::Size32M => {
            assert(sub(raw, raw % 0x200_0000u64) >> 47u64 == raw >> 47u64 && sub(
                raw,
                raw % 0x200_0000u64,
            ) >> 56u64 == raw >> 56u64) by (bit_vector);
        },
        PageSize::Size512M => {
            assert(sub(raw, raw % 0x2000_0000u64) >> 47u64 == raw >> 47u64 && sub(
                raw,
                raw % 0x2000_0000u64,
            ) >> 56u64 == raw >> 56u64) by (bit_vector);
        },
        PageSize::Size1G => {
            assert(sub(raw, raw % 0x4000_0000u64) >> 47u64 == raw >> 47u64 && sub(
                raw,
                raw % 0x4000_0000u64,
            ) >> 56u64 == raw >> 56u64) by (bit_vector);
        },
    }
}

} // verus!
