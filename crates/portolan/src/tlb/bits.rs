//! The bits of one word, each for a processor.

use vstd::prelude::*;

verus! {

/// How many words a set of all processors has.
pub(crate) const WORDS: usize = 4;

/// Whether bit `i` of `word` is set.
pub(crate) open spec fn bit(word: u64, i: u64) -> bool {
    word & (1u64 << i) != 0
}

/// The processor of bit `i` of word `w`.
pub(crate) open spec fn cpu_at(w: int, i: u64) -> nat {
    (64 * w + i) as nat
}

/// The word that holds a processor's bit.
#[inline(always)]
pub(crate) fn word_of(cpu: usize) -> (r: usize)
    ensures
        r == cpu / 64,
    opens_invariants none
    no_unwind
{
    cpu / 64
}

/// The bit of a processor in its word.
#[inline(always)]
pub(crate) fn mask_of(cpu: usize) -> (r: u64)
    ensures
        r == 1u64 << ((cpu % 64) as u64),
    opens_invariants none
    no_unwind
{
    1u64 << ((cpu % 64) as u64)
}

/// The lowest bit that is set.
#[inline(always)]
pub(crate) fn lowest(word: u64) -> (r: u32)
    requires
        word != 0,
    ensures
        r < 64,
        bit(word, r as u64),
        forall|j: u64| j < r ==> !#[trigger] bit(word, j),
{
    let i = word.trailing_zeros();
    proof {
        lemma_lowest(word);
    }
    i
}

/// Trailing zeros are bits that are not set.
proof fn lemma_lowest(word: u64)
    requires
        word != 0,
    ensures
        ({
            let i = vstd::std_specs::bits::u64_trailing_zeros(word);
            &&& i < 64
            &&& bit(word, i as u64)
            &&& forall|j: u64| j < i ==> !#[trigger] bit(word, j)
        }),
{
    vstd::std_specs::bits::axiom_u64_trailing_zeros(word);
    let i = vstd::std_specs::bits::u64_trailing_zeros(word) as u64;
    assert((word >> i) & 1 == 1 ==> word & (1u64 << i) != 0) by (bit_vector)
        requires
            i < 64,
    ;
    assert forall|j: u64| j < i implies !#[trigger] bit(word, j) by {
        assert((word >> j) & 1u64 == 0);
        assert((word >> j) & 1u64 == 0 ==> word & (1u64 << j) == 0) by (bit_vector)
            requires
                j < 64,
        ;
    }
}

/// No bit of zero is set.
pub(crate) proof fn lemma_zero()
    ensures
        forall|j: u64| !#[trigger] bit(0, j),
{
    assert forall|j: u64| !#[trigger] bit(0, j) by {
        assert(0u64 & (1u64 << j) == 0) by (bit_vector);
    }
}

/// Setting a bit sets that bit.
pub(crate) proof fn lemma_set(word: u64, i: u64)
    requires
        i < 64,
    ensures
        bit(word | (1u64 << i), i),
        forall|j: u64| j < 64 && j != i ==> #[trigger] bit(word | (1u64 << i), j) == bit(word, j),
{
    assert((word | (1u64 << i)) & (1u64 << i) != 0) by (bit_vector)
        requires
            i < 64,
    ;
    assert forall|j: u64| j < 64 && j != i implies #[trigger] bit(word | (1u64 << i), j) == bit(
        word,
        j,
    ) by {
        assert((word | (1u64 << i)) & (1u64 << j) == word & (1u64 << j)) by (bit_vector)
            requires
                i < 64,
                j < 64,
                j != i,
        ;
    }
}

/// Clearing a bit clears that bit.
pub(crate) proof fn lemma_clear(word: u64, i: u64)
    requires
        i < 64,
    ensures
        !bit(word & !(1u64 << i), i),
        bit(word, i) ==> word & !(1u64 << i) < word,
        forall|j: u64| j < 64 && j != i ==> #[trigger] bit(word & !(1u64 << i), j) == bit(word, j),
{
    assert((word & !(1u64 << i)) & (1u64 << i) == 0) by (bit_vector);
    assert(word & (1u64 << i) != 0 ==> word & !(1u64 << i) < word) by (bit_vector);
    assert forall|j: u64| j < 64 && j != i implies #[trigger] bit(word & !(1u64 << i), j) == bit(
        word,
        j,
    ) by {
        assert((word & !(1u64 << i)) & (1u64 << j) == word & (1u64 << j)) by (bit_vector)
            requires
                i < 64,
                j < 64,
                j != i,
        ;
    }
}

/// The bits from `from` on.
pub(crate) proof fn lemma_from(word: u64, from: u64)
    requires
        from < 64,
    ensures
        forall|j: u64|
            j < 64 ==> #[trigger] bit(word & (u64::MAX << from), j) == (j >= from && bit(word, j)),
        word & (u64::MAX << from) == 0 ==> forall|j: u64|
            from <= j < 64 ==> !#[trigger] bit(word, j),
{
    let kept = word & (u64::MAX << from);
    assert forall|j: u64| j < 64 implies #[trigger] bit(kept, j) == (j >= from && bit(word, j)) by {
        assert((word & (0xffff_ffff_ffff_ffffu64 << from)) & (1u64 << j) == if j >= from {
            word & (1u64 << j)
        } else {
            0
        }) by (bit_vector)
            requires
                from < 64,
                j < 64,
        ;
    }
    if kept == 0 {
        lemma_zero();
        assert forall|j: u64| from <= j < 64 implies !#[trigger] bit(word, j) by {
            assert(!bit(kept, j));
        }
    }
}

} // verus!
