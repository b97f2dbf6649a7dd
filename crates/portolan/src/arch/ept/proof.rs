//! That the entries of extended page tables are what [`spec`](super::spec) says, to us and to the processor.

use super::super::entry::{Entry, EntryFormat, is_frame_address, is_table_address};
use super::super::geometry::proof::{lemma_mask, lemma_shl};
use super::super::x86_64::FourLevels;
use super::super::x86_64::proof::{lemma_fits, lemma_spans};
use super::{Ept, spec};
use crate::addr::PhysAddr;
use crate::hw::ept as hw;
use crate::hw::mmu::{Mmu, Rights, Step};
use crate::prop::PageProperty;
use vstd::arithmetic::power2::{lemma2_to64, pow2};
use vstd::prelude::*;

verus! {

/// The sizes of things: the shape is that of x86_64 with four levels.
pub(super) proof fn lemma_shape()
    ensures
        Ept::geo().wf(),
        Ept::geo().span(1) == 0x1000,
        Ept::geo().span(2) == 0x20_0000,
        Ept::geo().span(3) == 0x4000_0000,
        forall|l: nat| 1 <= l <= 4 ==> #[trigger] Ept::geo().entries(l) == 512,
        Ept::geo().limit() == 0x1_0000_0000_0000int,
        pow2(12) == 0x1000,
{
    lemma_spans::<FourLevels>();
}

/// What indexes the tables is an address as it is.
pub(super) proof fn lemma_canonicalize(offset: u64)
    requires
        offset < Ept::geo().limit(),
    ensures
        Ept::canonical(offset),
        offset as int % Ept::geo().limit() == offset,
{
    lemma_shape();
    assert(offset < 0x1_0000_0000_0000 ==> offset >> 48u64 == 0) by (bit_vector);
}

/// What is below an address of a guest is one.
pub(super) proof fn lemma_below(raw: u64, lower: u64)
    by (bit_vector)
    requires
        raw >> 48u64 == 0,
        lower <= raw,
    ensures
        lower >> 48u64 == 0,
{
}

/// Nothing is written as zero.
pub(super) proof fn lemma_zero(phys_bits: u64, level: nat)
    ensures
        spec::entry(level, 0) == Entry::Empty,
        spec::wf(phys_bits, level, 0),
{
    assert(0u64 & 0x7 == 0) by (bit_vector);
}

/// A number's bits are those of the manual.
proof fn lemma_bits(word: u64)
    by (bit_vector)
    ensures
        1u64 << 0u64 == 0x1,
        1u64 << 1u64 == 0x2,
        1u64 << 2u64 == 0x4,
        1u64 << 7u64 == 0x80,
        word & 0x7 == 0 <==> word & 0x1 == 0 && word & 0x2 == 0 && word & 0x4 == 0,
        word & 0x3 == 0x2 <==> word & 0x2 != 0 && word & 0x1 == 0,
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

/// Writing a page and reading it back.
pub(super) proof fn lemma_page(
    phys_bits: u64,
    level: u8,
    frame: PhysAddr,
    prop: PageProperty,
    r: u64,
)
    requires
        1 <= level <= 3,
        phys_bits <= 52,
        is_frame_address(frame, phys_bits, Ept::geo().span(level as nat)),
        Ept::supports(prop),
        r == spec::page(level as nat, frame, prop),
    ensures
        spec::entry(level as nat, r) == (Entry::Page { frame, prop }),
        spec::wf(phys_bits, level as nat, r),
{
    lemma_shape();
    let size = Ept::geo().span(level as nat) as u64;
    lemma_fits(phys_bits, frame.0, size);
    assert(1u64 << 12u64 == 0x1000 && 1u64 << 21u64 == 0x20_0000 && 1u64 << 30u64 == 0x4000_0000)
        by (bit_vector);
    let (rd, w, x) = (
        if prop.read {
            0x1u64
        } else {
            0
        },
        if prop.write {
            0x2u64
        } else {
            0
        },
        if prop.execute {
            0x4u64
        } else {
            0
        },
    );
    let (a, d) = (
        if prop.accessed {
            0x100u64
        } else {
            0
        },
        if prop.dirty {
            0x200u64
        } else {
            0
        },
    );
    let c = spec::type_bits(prop.cache);
    let h = if level == 1 {
        0u64
    } else {
        0x80
    };
    lemma_page_bits(level, phys_bits, size, frame.0, rd, w, x, a, d, c, h, r);
}

/// Each part of a page's word can be told from the others.
proof fn lemma_page_bits(
    level: u8,
    phys_bits: u64,
    size: u64,
    f: u64,
    rd: u64,
    w: u64,
    x: u64,
    a: u64,
    d: u64,
    c: u64,
    h: u64,
    r: u64,
)
    by (bit_vector)
    requires
        level == 1 && size == 0x1000 && h == 0 || level == 2 && size == 0x20_0000 && h == 0x80
            || level == 3 && size == 0x4000_0000 && h == 0x80,
        f % size == 0,
        f & !0x000f_ffff_ffff_ffff == 0,
        f & !sub(1u64 << phys_bits, 1) == 0,
        12 <= phys_bits <= 52,
        rd == 0 || rd == 0x1,
        w == 0 || w == 0x2 && rd == 0x1,
        x == 0 && rd == 0x1 || x == 0x4,
        a == 0 || a == 0x100,
        d == 0 || d == 0x200,
        c == 0 || c == 0x8 || c == 0x20 || c == 0x28 || c == 0x30,
        r == f | rd | w | x | a | d | c | h,
    ensures
        r & 0x7 != 0,
        r & 0x3 != 0x2,
        r & 0x000f_ffff_ffff_f000 == f,
        r & 0x1 == rd,
        r & 0x2 == w,
        r & 0x4 == x,
        r & 0x100 == a,
        r & 0x200 == d,
        r & 0x38 == c,
        level > 1 ==> r & 0x80 != 0,
        level == 1 ==> r & 0xfff0_0000_0000_0cc0 == 0,
        level == 2 ==> r & 0xfff0_0000_001f_fc40 == 0,
        level == 3 ==> r & 0xfff0_0000_3fff_fc40 == 0,
        r & 0x000f_ffff_ffff_ffff & !sub(1u64 << phys_bits, 1) == 0,
{
}

/// Writing a table's entry and reading it back.
pub(super) proof fn lemma_table(phys_bits: u64, level: u8, table: PhysAddr, used: u16, r: u64)
    requires
        1 < level <= 4,
        phys_bits <= 52,
        is_table_address::<Ept>(table, phys_bits),
        used <= Ept::geo().entries((level - 1) as nat),
        r == table.0 | 0x1 | 0x2 | 0x4 | 0x100 | ((used as u64) << 52),
    ensures
        spec::entry(level as nat, r) == (Entry::Table { table, used }),
        spec::wf(phys_bits, level as nat, r),
{
    lemma_shape();
    lemma_fits(phys_bits, table.0, 0x1000);
    assert(1u64 << 12u64 == 0x1000) by (bit_vector);
    let (t, n) = (table.0, used as u64);
    assert(r & 0x7 != 0 && r & 0x80 == 0 && r & 0x000f_ffff_ffff_f000 == t && (r >> 52) & 0x3ff == n
        && r & 0xc000_0000_0000_0fff == 0x107 && r & 0x000f_ffff_ffff_ffff & !sub(
        1u64 << phys_bits,
        1,
    ) == 0) by (bit_vector)
        requires
            t % 0x1000 == 0,
            t & !0x000f_ffff_ffff_ffff == 0,
            t & !sub(1u64 << phys_bits, 1) == 0,
            12 <= phys_bits <= 52,
            n <= 512,
            r == t | 0x1 | 0x2 | 0x4 | 0x100 | (n << 52),
    ;
}

/// What our words refer to exists.
pub(super) proof fn lemma_wf(phys_bits: u64, level: nat, word: u64)
    requires
        1 <= level <= 4,
        phys_bits <= 52,
        spec::wf(phys_bits, level, word),
    ensures
        match spec::entry(level, word) {
            Entry::Empty => true,
            Entry::Table { table, .. } => level > 1 && is_table_address::<Ept>(table, phys_bits),
            Entry::Page { frame, prop } => level <= 3 && Ept::supports(prop) && is_frame_address(
                frame,
                phys_bits,
                Ept::geo().span(level),
            ),
        },
{
    lemma_shape();
    lemma_shl(phys_bits);
    lemma_bits(word);
    if word & 0x7 != 0 {
        let page = spec::is_page(level, word);
        let bits = if page {
            spec::size_bits(level)
        } else {
            12
        };
        let zero = if page {
            spec::zero_bits(level)
        } else {
            0
        };
        assert(word & 0 == 0) by (bit_vector);
        let addr = word & 0x000f_ffff_ffff_f000;
        lemma_mask(addr, bits);
        assert(addr & sub(1u64 << bits, 1) == 0 && 1u64 << bits <= 1u64 << phys_bits && addr <= sub(
            1u64 << phys_bits,
            1u64 << bits,
        )) by (bit_vector)
            requires
                bits == 12 || bits == 21 && zero == 0xfff0_0000_001f_fc40 || bits == 30 && zero
                    == 0xfff0_0000_3fff_fc40,
                bits <= phys_bits <= 52,
                word & zero == 0,
                word & 0x000f_ffff_ffff_ffff & !sub(1u64 << phys_bits, 1) == 0,
                addr == word & 0x000f_ffff_ffff_f000,
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
    lemma_bits(word);
    assert(word & 0x7 == 0) by (bit_vector)
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
    lemma_bits(word);
    if word & 0x7 != 0 {
        if spec::is_page(level, word) {
            assert(word | 0x100 == word && word | 0x200 == word && word | 0x300 == word)
                by (bit_vector)
                requires
                    word & 0x100 != 0,
                    word & 0x200 != 0,
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
    assert(word | 0x100 >= word && word | 0x200 >= word && word | 0x300 >= word) by (bit_vector);
}

/// What an entry tells the walk.
pub(super) open spec fn told(entry: Entry) -> Step {
    match entry {
        Entry::Empty => Step::NotPresent,
        Entry::Table { table, .. } => Step::Table {
            table: table.0 as int,
            rights: Rights::all(),
            global: false,
        },
        Entry::Page { frame, prop } => Step::Page {
            frame: frame.0 as int,
            rights: Ept::rights(prop),
            global: prop.global,
            cache: prop.cache,
        },
    }
}

/// Whatever hardware made of a word of ours, it is one, and hardware reads in it what we wrote.
pub(super) proof fn lemma_step(phys_bits: u64, level: nat, word: u64, now: u64)
    requires
        1 <= level,
        phys_bits <= 52,
        spec::wf(phys_bits, level, word),
        hw::may_become(level, word, now),
    ensures
        spec::wf(phys_bits, level, now),
        spec::entry(level, word).may_become(spec::entry(level, now)),
        hw::step(phys_bits, level, now) == told(spec::entry(level, word)),
{
    lemma_bits(word);
    if word & 0x7 != 0 {
        if spec::is_page(level, word) {
            assert(word | 0 == word) by (bit_vector);
            assert(0u64 & !0x300 == 0 && 0x100u64 & !0x300 == 0 && 0x200u64 & !0x300 == 0
                && 0x300u64 & !0x300 == 0) by (bit_vector);
            let set = choose|set: u64|
                (set == 0 || set == 0x100 || set == 0x200 || set == 0x300) && now == word | set;
            lemma_kept(phys_bits, word, now, set);
        } else {
            lemma_table_bits(word);
        }
        lemma_read(phys_bits, level, now);
    }
}

/// The bits of a word that the processor doesn't set.
proof fn lemma_kept(phys_bits: u64, word: u64, now: u64, set: u64)
    by (bit_vector)
    requires
        12 <= phys_bits <= 52,
        set & !0x300 == 0,
        now == word | set,
    ensures
        now & 0x1 == word & 0x1,
        now & 0x2 == word & 0x2,
        now & 0x4 == word & 0x4,
        now & 0x3 == word & 0x3,
        now & 0x7 == word & 0x7,
        now & 0x38 == word & 0x38,
        now & 0x80 == word & 0x80,
        now & 0x000f_ffff_ffff_f000 == word & 0x000f_ffff_ffff_f000,
        now & 0xfff0_0000_0000_0cc0 == word & 0xfff0_0000_0000_0cc0,
        now & 0xfff0_0000_001f_fc40 == word & 0xfff0_0000_001f_fc40,
        now & 0xfff0_0000_3fff_fc40 == word & 0xfff0_0000_3fff_fc40,
        now & 0x000f_ffff_ffff_ffff & !sub(1u64 << phys_bits, 1) == word & 0x000f_ffff_ffff_ffff
            & !sub(1u64 << phys_bits, 1),
        word & 0x100 != 0 ==> now & 0x100 != 0,
        word & 0x200 != 0 ==> now & 0x200 != 0,
{
}

/// Hardware reads in a present word of ours what we do.
proof fn lemma_read(phys_bits: u64, level: nat, word: u64)
    requires
        1 <= level,
        spec::wf(phys_bits, level, word),
        word & 0x7 != 0,
    ensures
        hw::step(phys_bits, level, word) == told(spec::entry(level, word)),
{
    lemma_bits(word);
    if !spec::is_page(level, word) {
        lemma_table_bits(word);
    } else {
        lemma_type(word);
        if level == 2 {
            assert(word & 0x001f_f000 == 0 && word & 0x000f_ffff_ffff_f000 == word
                & 0x000f_ffff_ffe0_0000) by (bit_vector)
                requires
                    word & 0xfff0_0000_001f_fc40 == 0,
            ;
        } else if level == 3 {
            assert(word & 0x3fff_f000 == 0 && word & 0x000f_ffff_ffff_f000 == word
                & 0x000f_ffff_c000_0000) by (bit_vector)
                requires
                    word & 0xfff0_0000_3fff_fc40 == 0,
            ;
        }
    }
}

/// Our memory types are the manual's.
proof fn lemma_type(word: u64)
    requires
        spec::is_type(word),
    ensures
        hw::memory_type(word) == Some(spec::cache_policy(word)),
{
    assert((word & 0x38 == 0 <==> (word >> 3) & 0x7 == 0) && (word & 0x38 == 0x8 <==> (word >> 3)
        & 0x7 == 1) && (word & 0x38 == 0x20 <==> (word >> 3) & 0x7 == 4) && (word & 0x38 == 0x28
        <==> (word >> 3) & 0x7 == 5) && (word & 0x38 == 0x30 <==> (word >> 3) & 0x7 == 6))
        by (bit_vector);
}

} // verus!
