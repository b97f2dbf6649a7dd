//! Facts about geometries. Only this module knows that spans are powers of two; its last lemmas are the only
//! nonlinear arithmetic.

use super::Geometry;
use crate::arith::{lemma_below, lemma_next, lemma_nth};
use vstd::arithmetic::div_mod::{
    lemma_div_pos_is_pos, lemma_fundamental_div_mod, lemma_fundamental_div_mod_converse,
    lemma_mod_bound, lemma_mod_breakdown, lemma_mod_mod, lemma_mod_multiples_basic,
    lemma_small_mod,
};
use vstd::arithmetic::mul::{lemma_mul_is_commutative, lemma_mul_nonnegative};
use vstd::arithmetic::power2::{
    lemma_pow2_adds, lemma_pow2_pos, lemma_pow2_strictly_increases, lemma_pow2_unfold, lemma2_to64,
    lemma2_to64_rest, pow2,
};
use vstd::bits::{
    lemma_u64_low_bits_mask_is_mod, lemma_u64_pow2_no_overflow, lemma_u64_shl_is_mul,
    lemma_u64_shr_is_div,
};
use vstd::prelude::*;

verus! {

impl Geometry {
    /// Spans and tables are powers of two.
    pub(crate) proof fn lemma_powers(self, l: nat)
        requires
            self.wf(),
            1 <= l <= self.levels,
        ensures
            self.span(l) == pow2((self.page_bits + (l - 1) * self.index_bits) as nat),
            self.entries(l) == pow2(self.bits(l)),
            self.limit() == pow2(
                (self.page_bits + (self.levels - 1) * self.index_bits + self.root_bits) as nat,
            ),
    {
        self.lemma_shift(self.levels as nat);
        lemma_pow2_adds(self.shift(self.levels as nat), self.root_bits as nat);
    }

    /// A tree whose root has half as many entries: all else is the same.
    pub(crate) proof fn lemma_half(self, half: Geometry)
        requires
            self.wf(),
            self.root_bits >= 2,
            half == (Geometry { root_bits: (self.root_bits - 1) as u8, ..self }),
        ensures
            half.wf(),
            half.words() == self.words(),
            forall|l: nat| #[trigger] half.span(l) == self.span(l),
            forall|l: nat| #[trigger]
                half.entries(l) == if l == self.levels {
                    self.entries(l) / 2
                } else {
                    self.entries(l)
                },
            2 * half.entries(self.levels as nat) == self.entries(self.levels as nat),
            2 * half.limit() == self.limit(),
    {
        let top = self.levels as nat;
        lemma_pow2_unfold(self.root_bits as nat);
        assert(2 * (half.span(top) * half.entries(top)) == half.span(top) * (2 * half.entries(top)))
            by (nonlinear_arith);
    }

    /// A table fits its frame: words at the same place are the same word of the same frame.
    pub(crate) proof fn lemma_fits(self, a: int, i: int, b: int, j: int)
        requires
            self.wf(),
            0 <= i < self.words(),
            0 <= j < self.words(),
            a % pow2(self.page_bits as nat) as int == 0,
            b % pow2(self.page_bits as nat) as int == 0,
            a + 8 * i == b + 8 * j,
        ensures
            a == b,
            i == j,
    {
        let bytes = pow2(self.page_bits as nat) as int;
        lemma_pow2_adds(3, self.index_bits as nat);
        lemma2_to64();
        assert(0 <= 8 * i < bytes && 0 <= 8 * j < bytes);
        if a < b {
            lemma_next_multiple(a, b, bytes);
        }
        if b < a {
            lemma_next_multiple(b, a, bytes);
        }
    }

    /// An index ends where the next level's starts, and the root's below bit 57.
    pub(crate) proof fn lemma_shift(self, l: nat)
        requires
            self.wf(),
            1 <= l <= self.levels,
        ensures
            0 <= (l - 1) * self.index_bits <= 52,
            self.shift(l) == self.page_bits + (l - 1) * self.index_bits,
            self.shift(l) + self.bits(l) <= self.shift(self.levels as nat) + self.root_bits <= 57,
            self.shift(1) == self.page_bits,
            l < self.levels ==> self.shift(l + 1) == self.shift(l) + self.index_bits,
    {
        let (n, k, top) = (l - 1, self.index_bits as int, self.levels - 1);
        assert(0 <= n * k <= 52) by (nonlinear_arith)
            requires
                0 <= n <= 4,
                0 <= k <= 13,
        ;
        lemma_next(n, k);
        assert(l < self.levels ==> (n + 1) * k <= top * k) by (nonlinear_arith)
            requires
                l < self.levels ==> n + 1 <= top,
                0 <= k,
        ;
        assert(0 * k == 0);
    }

    /// Spans grow by a table's entries from level to level, up to the root's.
    pub(crate) proof fn lemma_span(self, l: nat)
        requires
            self.wf(),
            1 <= l <= self.levels,
        ensures
            self.span(l) > 0,
            2 <= self.entries(l) <= 8192,
            self.entries(l) <= self.words() <= 8192,
            l < self.levels ==> self.entries(l) == self.words(),
            self.cover(l) == self.span(l) * self.entries(l),
            self.cover(l) > 0,
            l < self.levels ==> self.span(l + 1) == self.cover(l),
            self.span(1) == pow2(self.page_bits as nat),
            self.limit() <= pow2(57),
            self.limit() >= self.cover(l),
            self.limit() % self.cover(l) == 0,
    {
        self.lemma_shift(l);
        self.lemma_powers(l);
        let (from, end) = (
            self.shift(l) + self.bits(l),
            self.shift(self.levels as nat) + self.root_bits as nat,
        );
        lemma_pow2_adds(self.shift(l), self.bits(l));
        lemma_pow2_adds(from, (end - from) as nat);
        lemma_pow2_pos(self.shift(l));
        lemma_pow2_pos(from);
        lemma_pow2_pos((end - from) as nat);
        lemma_multiple(pow2((end - from) as nat) as int, pow2(from) as int);
        lemma_mul_is_commutative(pow2(from) as int, pow2((end - from) as nat) as int);
        lemma_pow2_at_most(1, self.bits(l));
        lemma_pow2_at_most(self.bits(l), self.index_bits as nat);
        lemma_pow2_at_most(self.index_bits as nat, 13);
        lemma_pow2_at_most(end, 57);
        lemma2_to64();
    }

    /// An index as the shift and mask that compute it.
    pub(crate) proof fn lemma_index(self, va: u64, l: nat, shift: u64, bits: u64)
        requires
            self.wf(),
            1 <= l <= self.levels,
            shift == self.shift(l),
            bits == self.bits(l),
        ensures
            shift < 64,
            1u64 << bits >= 1,
            (va >> shift) & ((1u64 << bits) - 1) as u64 == self.index_of(va as int, l),
            0 <= self.index_of(va as int, l) < self.entries(l) <= 8192,
    {
        self.lemma_shift(l);
        self.lemma_bounds(va as int, l);
        self.lemma_hardware_index(va as int, l);
        self.lemma_span(l);
        lemma_u64_shr_is_div(va, shift);
        lemma_mask(va >> shift, bits);
    }

    /// The bits that index the tables as the mask that computes them.
    pub(crate) proof fn lemma_offset(self, raw: u64, bits: u64)
        requires
            self.wf(),
            bits == self.shift(self.levels as nat) + self.root_bits,
        ensures
            bits < 64,
            1u64 << bits >= 1,
            raw & ((1u64 << bits) - 1) as u64 == raw as int % self.limit(),
            0 <= raw as int % self.limit() < self.limit(),
    {
        self.lemma_shift(self.levels as nat);
        self.lemma_powers(self.levels as nat);
        self.lemma_span(self.levels as nat);
        lemma_mask(raw, bits);
    }

    /// A table's size as the shift that computes it.
    pub(crate) proof fn lemma_table_bytes(self)
        requires
            self.wf(),
        ensures
            1u64 << self.page_bits as u64 == pow2(self.page_bits as nat),
            pow2(self.page_bits as nat) <= 0x1_0000,
    {
        lemma_shl(self.page_bits as u64);
        lemma_pow2_at_most(self.page_bits as nat, 16);
        lemma2_to64();
    }

    /// Rounding down to a multiple of a span as the mask that computes it.
    pub(crate) proof fn lemma_align_down(self, raw: u64, l: nat)
        requires
            self.wf(),
            1 <= l <= self.levels,
        ensures
            self.span(l) - 1 <= u64::MAX,
            raw & !((self.span(l) - 1) as u64) == raw - raw as int % self.span(l),
    {
        self.lemma_shift(l);
        let shift = self.shift(l) as u64;
        lemma_mask(raw, shift);
        let mask = ((1u64 << shift) - 1) as u64;
        assert(raw & !mask == raw - (raw & mask)) by (bit_vector);
    }

    /// An address lies in its table.
    pub(crate) proof fn lemma_bounds(self, va: int, l: nat)
        requires
            self.wf(),
            1 <= l <= self.levels,
            0 <= va,
        ensures
            0 <= self.index_of(va, l) < self.entries(l),
            self.base(va, l) >= 0,
            self.base(va, l) % self.cover(l) == 0,
            self.base(va, l) <= va < self.base(va, l) + self.cover(l),
    {
        self.lemma_span(l);
        lemma_split(va, self.span(l), self.entries(l));
        lemma_round_down(va, self.cover(l));
    }

    /// An address is its table's base, its index there, and an offset.
    pub(crate) proof fn lemma_decompose(self, va: int, l: nat)
        requires
            self.wf(),
            1 <= l <= self.levels,
            0 <= va,
        ensures
            va % self.span(l) == va - (self.base(va, l) + self.index_of(va, l) * self.span(l)),
            0 <= va % self.span(l) < self.span(l),
    {
        self.lemma_span(l);
        lemma_split(va, self.span(l), self.entries(l));
        lemma_mul_is_commutative(self.span(l), self.index_of(va, l));
    }

    /// What an address's entry covers is what its table one level down covers.
    pub(crate) proof fn lemma_child_base(self, va: int, l: nat)
        requires
            self.wf(),
            2 <= l <= self.levels,
            0 <= va,
        ensures
            self.base(va, l) + self.index_of(va, l) * self.span(l) == self.base(va, (l - 1) as nat),
    {
        self.lemma_decompose(va, l);
        self.lemma_span((l - 1) as nat);
    }

    /// A table and the addresses that it covers share the table one level up, and the entry there.
    pub(crate) proof fn lemma_parent_base(self, va: int, l: nat)
        requires
            self.wf(),
            1 <= l < self.levels,
            0 <= va,
        ensures
            self.base(self.base(va, l), l + 1) == self.base(va, l + 1),
            self.index_of(self.base(va, l), l + 1) == self.index_of(va, l + 1),
    {
        self.lemma_span(l);
        self.lemma_span(l + 1);
        let (s, n, b) = (self.span(l + 1), self.entries(l + 1), self.base(va, l));
        lemma_round_down(va, s);
        lemma_split(va, s, n);
        lemma_split(b, s, n);
    }

    /// An address has a table's base and an index there if it lies in what that entry covers.
    pub(crate) proof fn lemma_slot(self, va: int, l: nat, b: int, i: int)
        requires
            self.wf(),
            1 <= l <= self.levels,
            0 <= va,
            b % self.cover(l) == 0,
            0 <= b,
            0 <= i < self.entries(l),
        ensures
            (self.base(va, l) == b && self.index_of(va, l) == i) <==> b + i * self.span(l) <= va < b
                + (i + 1) * self.span(l),
    {
        self.lemma_span(l);
        let (s, n) = (self.span(l), self.entries(l));
        lemma_next(i, s);
        if b + i * s <= va < b + (i + 1) * s {
            lemma_compose(b, s, n, i, va - b - i * s);
        }
        self.lemma_decompose(va, l);
    }

    /// The root covers all.
    pub(crate) proof fn lemma_root(self, va: int)
        requires
            self.wf(),
            0 <= va < self.limit(),
        ensures
            self.base(va, self.levels as nat) == 0,
    {
        lemma_small_mod(va as nat, self.limit() as nat);
    }

    /// No table covers an address past the root's.
    pub(crate) proof fn lemma_in_range(self, va: int, l: nat)
        requires
            self.wf(),
            1 <= l <= self.levels,
            0 <= va < self.limit(),
        ensures
            self.base(va, l) + self.cover(l) <= self.limit(),
    {
        self.lemma_span(l);
        self.lemma_bounds(va, l);
        lemma_next_multiple(self.base(va, l), self.limit(), self.cover(l));
    }

    /// What entry `i` of the table at `b` covers is a table's part one level down, and lies in the table's own.
    pub(crate) proof fn lemma_child(self, l: nat, b: int, i: int)
        requires
            self.wf(),
            2 <= l <= self.levels,
            0 <= b,
            b % self.cover(l) == 0,
            0 <= i < self.entries(l),
        ensures
            ({
                let c = b + i * self.span(l);
                let below = (l - 1) as nat;
                &&& c % self.cover(below) == 0
                &&& c + self.cover(below) <= b + self.cover(l)
                &&& self.base(c, l) == b
                &&& self.index_of(c, l) == i
                &&& self.base(c, below) == c
            }),
    {
        self.lemma_span(l);
        self.lemma_span((l - 1) as nat);
        lemma_compose(b, self.span(l), self.entries(l), i, 0);
    }

    /// An entry's part ends within its table's.
    pub(crate) proof fn lemma_entry_end(self, l: nat, i: int)
        requires
            self.wf(),
            1 <= l <= self.levels,
            0 <= i < self.entries(l),
        ensures
            i * self.span(l) + self.span(l) <= self.cover(l),
            0 <= i * self.span(l),
    {
        self.lemma_span(l);
        lemma_mod_multiples_basic(0, self.cover(l));
        assert(0 * self.cover(l) == 0);
        lemma_compose(0, self.span(l), self.entries(l), i, 0);
        lemma_mul_nonnegative(i, self.span(l));
    }

    /// The next entry's part starts where this one's ends.
    pub(crate) proof fn lemma_next_entry(self, l: nat, i: int)
        ensures
            (i + 1) * self.span(l) == i * self.span(l) + self.span(l),
    {
        lemma_next(i, self.span(l));
    }

    /// All addresses have 57 bits.
    pub(crate) proof fn lemma_limit(self)
        requires
            self.wf(),
        ensures
            self.limit() <= 0x200_0000_0000_0000,
    {
        self.lemma_span(1);
        lemma2_to64_rest();
    }

    /// The tree covers a power of two of addresses: up to its next multiple it is no further than 64 bits reach.
    pub(crate) proof fn lemma_last(self, raw: u64)
        requires
            self.wf(),
        ensures
            raw - raw as int % self.limit() + self.limit() <= u64::MAX + 1,
    {
        let bits = (self.shift(self.levels as nat) + self.root_bits) as u64;
        let limit = self.limit();
        self.lemma_shift(self.levels as nat);
        self.lemma_powers(self.levels as nat);
        lemma_shl(bits);
        lemma_pow2_adds(bits as nat, (64 - bits) as nat);
        lemma2_to64_rest();
        let rest = pow2((64 - bits) as nat) as int;
        lemma_mod_multiples_basic(rest, limit);
        lemma_mod_multiples_basic(raw as int / limit, limit);
        lemma_mul_is_commutative(rest, limit);
        lemma_mul_is_commutative(raw as int / limit, limit);
        lemma_fundamental_div_mod(raw as int, limit);
        assert(limit * rest == u64::MAX + 1);
        lemma_next_multiple(raw - raw as int % limit, u64::MAX + 1, limit);
    }

    /// A multiple of what a table covers is one of what entries of that level and those below cover.
    pub(crate) proof fn lemma_multiple_below(self, x: int, l: nat, m: nat)
        requires
            self.wf(),
            1 <= l <= m <= self.levels,
            x % self.cover(m) == 0,
        ensures
            x % self.span(l) == 0,
        decreases m,
    {
        self.lemma_span(m);
        lemma_mod_mod(x, self.span(m), self.entries(m));
        if l < m {
            self.lemma_span((m - 1) as nat);
            self.lemma_multiple_below(x, l, (m - 1) as nat);
        }
    }

    /// A multiple of what a table covers is one of what the tables below cover.
    pub(crate) proof fn lemma_multiple_cover(self, x: int, l: nat, m: nat)
        requires
            self.wf(),
            1 <= l <= m <= self.levels,
            x % self.cover(m) == 0,
        ensures
            x % self.cover(l) == 0,
    {
        if l < m {
            self.lemma_span(l);
            self.lemma_multiple_below(x, l + 1, m);
        }
    }

    /// Addresses of one table share those above.
    pub(crate) proof fn lemma_same_base(self, x: int, y: int, l: nat, m: nat)
        requires
            self.wf(),
            1 <= l <= m <= self.levels,
            0 <= x,
            0 <= y,
            self.base(x, l) == self.base(y, l),
        ensures
            self.base(x, m) == self.base(y, m),
        decreases m,
    {
        if l < m {
            let k = (m - 1) as nat;
            self.lemma_same_base(x, y, l, k);
            self.lemma_parent_base(x, k);
            self.lemma_parent_base(y, k);
        }
    }

    /// What lies in a table's range lies in the range of the table one level up.
    pub(crate) proof fn lemma_end(self, va: int, l: nat)
        requires
            self.wf(),
            1 <= l < self.levels,
            0 <= va,
        ensures
            self.base(va, l) + self.cover(l) <= self.base(va, l + 1) + self.cover(l + 1),
    {
        self.lemma_bounds(va, l + 1);
        self.lemma_child_base(va, l + 1);
        self.lemma_child(l + 1, self.base(va, l + 1), self.index_of(va, l + 1));
    }

    /// The index is that of the first entry where a table's range starts, and nowhere else among where entries start.
    pub(crate) proof fn lemma_index_zero(self, va: int, l: nat)
        requires
            self.wf(),
            1 <= l <= self.levels,
            0 <= va,
            va % self.span(l) == 0,
        ensures
            self.index_of(va, l) == 0 <==> va % self.cover(l) == 0,
    {
        self.lemma_span(l);
        lemma_split(va, self.span(l), self.entries(l));
        assert(self.span(l) * 0 == 0);
    }

    /// How far an address lies within its table: as many entries as its index says, and an offset.
    pub(crate) proof fn lemma_within(self, va: int, l: nat)
        requires
            self.wf(),
            1 <= l <= self.levels,
            0 <= va,
        ensures
            (va - self.base(va, l)) % self.span(l) == va % self.span(l),
            (va - self.base(va, l)) / self.span(l) == self.index_of(va, l),
    {
        self.lemma_span(l);
        lemma_mod_mod(va, self.span(l), self.entries(l));
    }

    /// A page's parts are aligned, and lie within it.
    pub(crate) proof fn lemma_part(self, l: nat, frame: int, k: int)
        requires
            self.wf(),
            1 <= l < self.levels,
            frame % self.span(l + 1) == 0,
            0 <= k < self.entries(l),
        ensures
            (frame + k * self.span(l)) % self.span(l) == 0,
            0 <= k * self.span(l),
            k * self.span(l) + self.span(l) <= self.span(l + 1),
            (k + 1) * self.span(l) == k * self.span(l) + self.span(l),
    {
        self.lemma_span(l);
        lemma_compose(frame, self.span(l), self.entries(l), k, 0);
        lemma_next(k, self.span(l));
        lemma_mul_nonnegative(k, self.span(l));
    }

    /// Hardware takes the index from the address's bits.
    pub(crate) proof fn lemma_hardware_index(self, va: int, l: nat)
        requires
            self.wf(),
            1 <= l <= self.levels,
            0 <= va,
        ensures
            (va / self.span(l)) % self.entries(l) == self.index_of(va, l),
            self.index_of(va % self.limit(), l) == self.index_of(va, l),
            (va % self.limit()) % self.span(l) == va % self.span(l),
    {
        self.lemma_span(l);
        let (s, n, c, m) = (
            self.span(l),
            self.entries(l),
            self.cover(l),
            self.limit() / self.cover(l),
        );
        lemma_split(va, s, n);
        lemma_fundamental_div_mod(self.limit(), c);
        assert(m > 0) by (nonlinear_arith)
            requires
                c > 0,
                c * m > 0,
        ;
        lemma_mod_mod(va, c, m);
        lemma_mod_mod(va, s, n);
        lemma_mod_mod(va % self.limit(), s, n);
    }
}

/// The order of powers is that of exponents.
proof fn lemma_pow2_at_most(a: nat, b: nat)
    requires
        a <= b,
    ensures
        pow2(a) <= pow2(b),
{
    if a < b {
        lemma_pow2_strictly_increases(a, b);
    }
}

/// A shifted one is a power of two.
pub(crate) proof fn lemma_shl(bits: u64)
    requires
        bits < 64,
    ensures
        1u64 << bits == pow2(bits as nat),
        0 < pow2(bits as nat) < u64::MAX,
{
    lemma_u64_pow2_no_overflow(bits as nat);
    lemma_u64_shl_is_mul(1, bits);
}

/// The low bits are a remainder.
pub(crate) proof fn lemma_mask(x: u64, bits: u64)
    requires
        bits < 64,
    ensures
        1u64 << bits == pow2(bits as nat),
        1u64 << bits >= 1,
        x & ((1u64 << bits) - 1) as u64 == x as int % pow2(bits as nat) as int,
{
    lemma_shl(bits);
    lemma_u64_low_bits_mask_is_mod(x, bits as nat);
}

/// A multiple is one.
proof fn lemma_multiple(q: int, c: int)
    requires
        c > 0,
        q > 0,
    ensures
        (q * c) % c == 0,
        q * c >= c,
{
    lemma_mod_multiples_basic(q, c);
    lemma_nth(0, q, c);
}

/// Where a table can be: a multiple of 4096, below what a physical address reaches.
pub(crate) proof fn lemma_page_multiple(geo: Geometry, table: int, phys_bits: nat)
    requires
        geo.wf(),
        phys_bits <= 56,
        table % pow2(geo.page_bits as nat) as int == 0,
        table + pow2(geo.page_bits as nat) <= pow2(phys_bits),
    ensures
        table % 4096 == 0,
        table < 0x100_0000_0000_0000,
{
    lemma2_to64();
    lemma2_to64_rest();
    lemma_pow2_adds(12, (geo.page_bits - 12) as nat);
    lemma_pow2_pos((geo.page_bits - 12) as nat);
    lemma_pow2_pos(geo.page_bits as nat);
    lemma_mod_mod(table, 4096, pow2((geo.page_bits - 12) as nat) as int);
    lemma_pow2_at_most(phys_bits, 56);
}

/// The multiple below `x`.
proof fn lemma_round_down(x: int, c: int)
    requires
        0 <= x,
        0 < c,
    ensures
        0 <= x - x % c <= x < x - x % c + c,
        (x - x % c) % c == 0,
        (x - x % c) / c == x / c,
{
    let q = x / c;
    lemma_fundamental_div_mod(x, c);
    lemma_mod_bound(x, c);
    lemma_div_pos_is_pos(x, c);
    lemma_fundamental_div_mod_converse(x - x % c, c, q, 0);
    lemma_mul_nonnegative(c, q);
}

/// A remainder by `s * n` is an index below `n` and a remainder by `s`.
proof fn lemma_split(x: int, s: int, n: int)
    requires
        0 <= x,
        0 < s,
        0 < n,
    ensures
        0 < s * n,
        x % (s * n) == s * ((x / s) % n) + x % s,
        (x % (s * n)) / s == (x / s) % n,
        0 <= (x / s) % n < n,
        0 <= x % s < s,
{
    lemma_mod_breakdown(x, s, n);
    lemma_mod_bound(x / s, n);
    lemma_mod_bound(x, s);
    lemma_mul_is_commutative(s, (x / s) % n);
    lemma_fundamental_div_mod_converse(x % (s * n), s, (x / s) % n, x % s);
}

/// The other way around: a multiple of `s * n`, an index and an offset.
proof fn lemma_compose(b: int, s: int, n: int, i: int, o: int)
    requires
        0 < s,
        0 < n,
        b % (s * n) == 0,
        0 <= i < n,
        0 <= o < s,
    ensures
        (b + i * s + o) % (s * n) == i * s + o,
        ((b + i * s + o) % (s * n)) / s == i,
        (b + i * s + o) % s == o,
        i * s + s <= s * n,
{
    let (c, q) = (s * n, b / (s * n));
    lemma_nth(i, n, s);
    lemma_fundamental_div_mod(b, c);
    lemma_fundamental_div_mod_converse(b + i * s + o, c, q, i * s + o);
    lemma_mul_is_commutative(i, s);
    lemma_fundamental_div_mod_converse(i * s + o, s, i, o);
    lemma_mod_mod(b + i * s + o, s, n);
}

/// Between two multiples of `c` lies all of `c`.
pub(crate) proof fn lemma_next_multiple(a: int, b: int, c: int)
    requires
        0 < c,
        a < b,
        a % c == 0,
        b % c == 0,
    ensures
        a + c <= b,
{
    lemma_fundamental_div_mod(a, c);
    lemma_fundamental_div_mod(b, c);
    let (p, q) = (a / c, b / c);
    lemma_below(p, q, c);
}

} // verus!
