//! The shape of a tree of tables.

#[cfg(verus_only)]
use vstd::arithmetic::power2::pow2;
use vstd::prelude::*;

#[cfg(verus_only)]
pub(crate) mod proof;

#[cfg(verus_only)]
use proof::lemma_shl;

verus! {

/// The shape of a tree of tables: each level's tables divide what they cover into equal parts.
///
/// Level 1 holds the smallest pages, level `levels` is the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// The smallest page is 2 to the power of this many bytes.
    pub page_bits: u8,
    /// Each table but the root has 2 to the power of this many entries.
    pub index_bits: u8,
    /// How many levels there are.
    pub levels: u8,
    /// The root has 2 to the power of this many entries.
    pub root_bits: u8,
}

impl Geometry {
    /// A tree that fits 64-bit addresses, each table one smallest page.
    pub open spec fn wf(self) -> bool {
        &&& 12 <= self.page_bits <= 16
        &&& self.index_bits == self.page_bits - 3
        &&& 2 <= self.levels <= 5
        &&& 1 <= self.root_bits <= self.index_bits
        &&& self.page_bits + (self.levels - 1) * self.index_bits + self.root_bits <= 57
    }

    /// How many address bits lie below the index of level `l`.
    pub open spec fn shift(self, l: nat) -> nat {
        (self.page_bits + (l - 1) * self.index_bits) as nat
    }

    /// How many bytes an entry of level `l` covers.
    pub closed spec fn span(self, l: nat) -> int {
        pow2(self.shift(l)) as int
    }

    /// How many address bits the index of level `l` has.
    pub(crate) open spec fn bits(self, l: nat) -> nat {
        if l == self.levels {
            self.root_bits as nat
        } else {
            self.index_bits as nat
        }
    }

    /// How many entries a table of level `l` has.
    pub closed spec fn entries(self, l: nat) -> int {
        pow2(self.bits(l)) as int
    }

    /// How many 64-bit words a table's frame has. Only the root may have fewer entries.
    pub closed spec fn words(self) -> int {
        pow2(self.index_bits as nat) as int
    }

    /// How many bytes a table of level `l` covers.
    pub open spec fn cover(self, l: nat) -> int {
        self.span(l) * self.entries(l)
    }

    /// How many bytes the tree covers.
    pub open spec fn limit(self) -> int {
        self.cover(self.levels as nat)
    }

    /// The first address that the table of level `l` for `va` covers.
    pub open spec fn base(self, va: int, l: nat) -> int {
        va - va % self.cover(l)
    }

    /// The index of `va` in its table of level `l`.
    pub open spec fn index_of(self, va: int, l: nat) -> int {
        (va % self.cover(l)) / self.span(l)
    }

    /// How many bytes an entry of `level` covers.
    #[inline(always)]
    pub(crate) fn entry_span(self, level: u8) -> (r: u64)
        requires
            self.wf(),
            1 <= level <= self.levels,
        ensures
            r == self.span(level as nat),
            r > 0,
        opens_invariants none
        no_unwind
    {
        proof {
            self.lemma_shift(level as nat);
        }
        let shift = self.page_bits as u64 + (level as u64 - 1) * self.index_bits as u64;
        proof {
            lemma_shl(shift);
        }
        1u64 << shift
    }

    /// The index of `va` in its table of `level`.
    #[inline(always)]
    pub(crate) fn index(self, va: u64, level: u8) -> (r: usize)
        requires
            self.wf(),
            1 <= level <= self.levels,
        ensures
            r == self.index_of(va as int, level as nat),
            0 <= r < self.entries(level as nat),
        opens_invariants none
        no_unwind
    {
        proof {
            self.lemma_shift(level as nat);
        }
        let shift = self.page_bits as u64 + (level as u64 - 1) * self.index_bits as u64;
        let bits = self.table_bits(level);
        proof {
            self.lemma_index(va, level as nat, shift, bits);
        }
        ((va >> shift) & ((1u64 << bits) - 1)) as usize
    }

    /// How many bits of an address the tree translates.
    #[inline(always)]
    fn address_bits(self) -> (r: u64)
        requires
            self.wf(),
        ensures
            r == self.shift(self.levels as nat) + self.root_bits,
            r < 64,
        no_unwind
    {
        proof {
            self.lemma_shift(self.levels as nat);
        }
        self.page_bits as u64 + (self.levels as u64 - 1) * self.index_bits as u64
            + self.root_bits as u64
    }

    /// The bits of `raw` that index the tables.
    #[inline(always)]
    pub(crate) fn offset(self, raw: u64) -> (r: u64)
        requires
            self.wf(),
        ensures
            r == raw as int % self.limit(),
            0 <= r < self.limit(),
        no_unwind
    {
        let bits = self.address_bits();
        proof {
            self.lemma_offset(raw, bits);
        }
        raw & ((1u64 << bits) - 1)
    }

    /// How many bytes the tree covers.
    #[inline]
    pub(crate) fn limit_bytes(self) -> (r: u64)
        requires
            self.wf(),
        ensures
            r == self.limit(),
        no_unwind
    {
        let bits = self.address_bits();
        proof {
            self.lemma_powers(self.levels as nat);
            lemma_shl(bits);
        }
        1u64 << bits
    }

    /// A table of `level` has 2 to the power of this many entries.
    #[inline(always)]
    fn table_bits(self, level: u8) -> (r: u64)
        ensures
            r == self.bits(level as nat),
        opens_invariants none
        no_unwind
    {
        if level == self.levels {
            self.root_bits as u64
        } else {
            self.index_bits as u64
        }
    }

    /// How many entries a table of `level` has.
    #[inline(always)]
    pub(crate) fn table_entries(self, level: u8) -> (r: usize)
        requires
            self.wf(),
            1 <= level <= self.levels,
        ensures
            r == self.entries(level as nat),
            2 <= r <= 8192,
        opens_invariants none
        no_unwind
    {
        let bits = self.table_bits(level);
        proof {
            self.lemma_span(level as nat);
            lemma_shl(bits);
        }
        (1u64 << bits) as usize
    }

    /// How many bytes a table takes.
    #[inline(always)]
    pub(crate) fn table_bytes(self) -> (r: usize)
        requires
            self.wf(),
        ensures
            r == pow2(self.page_bits as nat),
        no_unwind
    {
        proof {
            self.lemma_table_bytes();
        }
        (1u64 << self.page_bits as u64) as usize
    }
}

} // verus!
