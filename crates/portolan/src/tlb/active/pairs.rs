//! Words with two bits for each of 32 processors.

#[cfg(verus_only)]
use crate::tlb::bits::bit;
use vstd::prelude::*;

verus! {

/// How many words it takes for all processors.
pub(super) const PAIRS: usize = 8;

/// The bits of those that use a table.
pub(super) const USES: u64 = 0xffff_ffff;

/// The bits of those that may go back to it.
pub(super) const RETURNS: u64 = 0xffff_ffff_0000_0000;

/// The processor of bit `i` of word `w`.
pub(super) open spec fn at(w: int, i: u64) -> nat {
    (32 * w + i) as nat
}

/// The word that holds a processor's bits.
#[inline(always)]
pub(super) fn pair_of(cpu: usize) -> (r: usize)
    ensures
        r == cpu / 32,
    opens_invariants none
    no_unwind
{
    cpu / 32
}

/// The first of a processor's bits in its word: whether it uses the table.
#[inline(always)]
pub(super) fn uses_mask(cpu: usize) -> (r: u64)
    ensures
        r == 1u64 << ((cpu % 32) as u64),
    opens_invariants none
    no_unwind
{
    1u64 << ((cpu % 32) as u64)
}

/// What becomes of a word when the processor whose first bit is `mask` leaves, and may go back if `keep`.
pub(super) open spec fn word_without(word: u64, mask: u64, keep: bool) -> u64 {
    word & !(mask | mask << 32) | if keep {
        mask << 32
    } else {
        0
    }
}

/// What becomes of a word when the processor whose first bit is `mask` leaves, and may go back if `keep`.
#[inline(always)]
pub(super) fn without(word: u64, mask: u64, keep: bool) -> (r: u64)
    ensures
        r == word_without(word, mask, keep),
    opens_invariants none
    no_unwind
{
    let second = if keep {
        mask << 32
    } else {
        0
    };
    word & !(mask | mask << 32) | second
}

/// The processors of two words that use the table, in one word.
#[inline(always)]
pub(super) fn join(low: u64, high: u64) -> (r: u64)
    ensures
        r == low & USES | high << 32,
    opens_invariants none
    no_unwind
{
    low & USES | high << 32
}

/// A processor that enters sets its first bit only.
pub(super) proof fn lemma_enter(word: u64, i: u64)
    requires
        i < 32,
    ensures
        (word & (1u64 << i) == 0) == !bit(word, i),
        (word & ((1u64 << i) << 32) != 0) == bit(word, (i + 32) as u64),
        bit(word | (1u64 << i), i),
        forall|j: u64| j < 64 && j != i ==> #[trigger] bit(word | (1u64 << i), j) == bit(word, j),
{
    let k = (i + 32) as u64;
    assert((1u64 << i) << 32 == 1u64 << k) by (bit_vector)
        requires
            i < 32,
            k == i + 32,
    ;
    crate::tlb::bits::lemma_set(word, i);
}

/// A processor that leaves clears its first bit, and has the second as it is told.
pub(super) proof fn lemma_leave(word: u64, i: u64, keep: bool)
    requires
        i < 32,
    ensures
        !bit(word_without(word, 1u64 << i, keep), i),
        bit(word_without(word, 1u64 << i, keep), (i + 32) as u64) == keep,
        forall|j: u64|
            j < 64 && j != i && j != i + 32 ==> #[trigger] bit(
                word_without(word, 1u64 << i, keep),
                j,
            ) == bit(word, j),
{
    let second = if keep {
        (1u64 << i) << 32
    } else {
        0
    };
    let left = word & !(1u64 << i | (1u64 << i) << 32) | second;
    let k = (i + 32) as u64;
    assert(left & (1u64 << i) == 0) by (bit_vector)
        requires
            i < 32,
            second == 0 || second == (1u64 << i) << 32,
            left == word & !(1u64 << i | (1u64 << i) << 32) | second,
    ;
    assert((left & (1u64 << k) != 0) == (second != 0) && (1u64 << i) << 32 != 0) by (bit_vector)
        requires
            i < 32,
            k == i + 32,
            second == 0 || second == (1u64 << i) << 32,
            left == word & !(1u64 << i | (1u64 << i) << 32) | second,
    ;
    assert forall|j: u64| j < 64 && j != i && j != i + 32 implies #[trigger] bit(left, j) == bit(
        word,
        j,
    ) by {
        assert(left & (1u64 << j) == word & (1u64 << j)) by (bit_vector)
            requires
                i < 32,
                j < 64,
                j != i,
                j != add(i, 32),
                second == 0 || second == (1u64 << i) << 32,
                left == word & !(1u64 << i | (1u64 << i) << 32) | second,
        ;
    }
}

/// Without the second bits the first are as they were.
pub(super) proof fn lemma_uses(word: u64)
    ensures
        forall|i: u64| i < 32 ==> #[trigger] bit(word & USES, i) == bit(word, i),
        forall|i: u64| 32 <= i < 64 ==> !#[trigger] bit(word & USES, i),
        word & RETURNS == 0 ==> forall|i: u64| 32 <= i < 64 ==> !#[trigger] bit(word, i),
{
    assert forall|i: u64| i < 32 implies #[trigger] bit(word & USES, i) == bit(word, i) by {
        assert((word & 0xffff_ffff) & (1u64 << i) == word & (1u64 << i)) by (bit_vector)
            requires
                i < 32,
        ;
    }
    assert forall|i: u64| 32 <= i < 64 implies !#[trigger] bit(word & USES, i) by {
        assert((word & 0xffff_ffff) & (1u64 << i) == 0) by (bit_vector)
            requires
                32 <= i < 64,
        ;
    }
    if word & RETURNS == 0 {
        assert forall|i: u64| 32 <= i < 64 implies !#[trigger] bit(word, i) by {
            assert(word & (1u64 << i) == 0) by (bit_vector)
                requires
                    32 <= i < 64,
                    word & 0xffff_ffff_0000_0000 == 0,
            ;
        }
    }
}

/// The first bits of two words, side by side.
pub(super) proof fn lemma_join(low: u64, high: u64)
    ensures
        forall|i: u64| i < 32 ==> #[trigger] bit(low & USES | high << 32, i) == bit(low, i),
        forall|i: u64|
            32 <= i < 64 ==> #[trigger] bit(low & USES | high << 32, i) == bit(
                high,
                (i - 32) as u64,
            ),
{
    let both = low & USES | high << 32;
    assert forall|i: u64| i < 32 implies #[trigger] bit(both, i) == bit(low, i) by {
        assert((low & 0xffff_ffff | high << 32) & (1u64 << i) == low & (1u64 << i)) by (bit_vector)
            requires
                i < 32,
        ;
    }
    assert forall|i: u64| 32 <= i < 64 implies #[trigger] bit(both, i) == bit(
        high,
        (i - 32) as u64,
    ) by {
        let j = (i - 32) as u64;
        assert(((low & 0xffff_ffff | high << 32) & (1u64 << i) != 0) == (high & (1u64 << j) != 0))
            by (bit_vector)
            requires
                32 <= i < 64,
                i == j + 32,
        ;
    }
}

} // verus!
