//! That a half is a mode, and how its addresses lie in the whole.

use super::super::entry::{Encoding, EntryFormat};
use super::{Half, Halves, Side};
use crate::addr::PageSize;
use crate::hw::mmu::Mmu;
use crate::prop::PageProperty;
use vstd::arithmetic::div_mod::{lemma_mod_add_multiples_vanish, lemma_mod_mod, lemma_small_mod};
use vstd::arithmetic::power2::{
    lemma_pow2_strictly_increases, lemma2_to64, lemma2_to64_rest, pow2,
};
use vstd::prelude::*;

verus! {

/// A half has the whole's shape, with a root of half as many entries.
pub(crate) proof fn lemma_half<A: Halves, S: Side>()
    ensures
        A::geo().wf(),
        Half::<A, S>::geo().wf(),
        A::geo().root_bits == 9,
        forall|l: nat| #[trigger] Half::<A, S>::geo().span(l) == A::geo().span(l),
        forall|l: nat|
            #![trigger Half::<A, S>::geo().entries(l)]
            #![trigger A::geo().entries(l)]
            Half::<A, S>::geo().entries(l) == if l == A::geo().levels {
                A::geo().entries(l) / 2
            } else {
                A::geo().entries(l)
            },
        A::geo().entries(A::geo().levels as nat) == 512,
        Half::<A, S>::geo().words() == A::geo().words() == 512,
        2 * Half::<A, S>::geo().limit() == A::geo().limit(),
{
    A::lemma_geometry();
    A::lemma_halves();
    A::geo().lemma_half(Half::<A, S>::geo());
    A::geo().lemma_powers(A::geo().levels as nat);
    A::geo().lemma_powers(1);
    A::geo().lemma_span(1);
    lemma2_to64();
}

/// How many bytes a half covers.
pub(crate) proof fn lemma_half_limit<A: Halves, S: Side>()
    ensures
        Half::<A, S>::geo().limit() == if A::geo().levels == 3 {
            0x40_0000_0000int
        } else if A::geo().levels == 4 {
            0x8000_0000_0000
        } else {
            0x100_0000_0000_0000
        },
        3 <= A::geo().levels <= 5,
        forall|va: u64| #[trigger]
            A::canonical(va) <==> va < Half::<A, S>::geo().limit() || va >= 0x1_0000_0000_0000_0000
                - Half::<A, S>::geo().limit(),
{
    lemma_half::<A, S>();
    A::lemma_halves();
    lemma2_to64();
    lemma2_to64_rest();
    Half::<A, S>::geo().lemma_powers(A::geo().levels as nat);
}

/// The address of an offset is in its half.
pub(super) proof fn lemma_canonicalize<A: Halves, S: Side>(offset: u64, whole: u64, r: u64)
    requires
        offset < Half::<A, S>::geo().limit(),
        whole == if S::upper() {
            offset + Half::<A, S>::geo().limit()
        } else {
            offset as int
        },
        A::canonical(r),
        r as int % A::geo().limit() == whole,
    ensures
        Half::<A, S>::canonical(r),
        r as int % Half::<A, S>::geo().limit() == offset,
{
    lemma_half::<A, S>();
    lemma_half_limit::<A, S>();
    let (half, all) = (Half::<A, S>::geo().limit(), A::geo().limit());
    lemma_mod_mod(r as int, half, 2);
    lemma_small_mod(offset as nat, half as nat);
    if S::upper() {
        lemma_mod_add_multiples_vanish(offset as int, half);
        if r < half {
            lemma_small_mod(r as nat, all as nat);
        }
    } else if r >= half {
        lemma_high::<A, S>(r);
    }
}

/// An address that isn't in the lower half has the uppermost of the bits that index the tables set.
pub(crate) proof fn lemma_high<A: Halves, S: Side>(va: u64)
    requires
        A::canonical(va),
        va >= Half::<A, S>::geo().limit(),
    ensures
        va as int % A::geo().limit() >= Half::<A, S>::geo().limit(),
{
    lemma_half::<A, S>();
    lemma_half_limit::<A, S>();
    if A::geo().levels == 3 {
        assert(va as int % 0x80_0000_0000 >= 0x40_0000_0000);
    } else if A::geo().levels == 4 {
        assert(va as int % 0x1_0000_0000_0000 >= 0x8000_0000_0000);
    } else {
        assert(va as int % 0x200_0000_0000_0000 >= 0x100_0000_0000_0000);
    }
}

/// No level but the root's has pages of the size that the root's would have.
pub(super) proof fn lemma_level_of<A: Halves, S: Side>(size: PageSize)
    ensures
        A::page_size(A::geo().levels as nat) == Some(size) ==> forall|l: nat|
            1 <= l < A::geo().levels ==> #[trigger] A::page_size(l) != Some(size),
{
    let top = A::geo().levels as nat;
    lemma_half::<A, S>();
    A::lemma_halves();
    A::lemma_page_size(top);
    A::geo().lemma_powers(top);
    assert forall|l: nat|
        1 <= l < top && A::page_size(top) == Some(size) implies #[trigger] A::page_size(l) != Some(
        size,
    ) by {
        A::lemma_page_size(l);
        A::geo().lemma_powers(l);
        lemma_pow2_strictly_increases((12 + (l - 1) * 9) as nat, (12 + (top - 1) * 9) as nat);
    }
}

impl<A: Halves, S: Side> EntryFormat for Half<A, S> {
    proof fn lemma_geometry() {
        A::lemma_geometry();
        lemma_half::<A, S>();
    }

    proof fn lemma_pins() {
    }

    proof fn lemma_page_size(level: nat) {
        lemma_half::<A, S>();
        A::lemma_page_size(level);
    }

    proof fn lemma_wf(phys_bits: u64, level: nat, word: u64) {
        lemma_half::<A, S>();
        A::lemma_wf(phys_bits, level, word);
    }

    proof fn lemma_align_down(raw: u64, size: PageSize) {
        lemma_half_limit::<A, S>();
        A::lemma_align_down(raw, size);
    }

    proof fn lemma_read_only(prop: PageProperty) {
        A::lemma_read_only(prop);
    }

    proof fn lemma_supports(prop: PageProperty, accessed: bool, dirty: bool) {
        A::lemma_supports(prop, accessed, dirty);
    }

    proof fn lemma_zero(phys_bits: u64, level: nat) {
        A::lemma_zero(phys_bits, level);
    }

    proof fn lemma_absent(phys_bits: u64, level: nat, word: u64) {
        A::lemma_absent(phys_bits, level, word);
    }

    proof fn lemma_settled(phys_bits: u64, level: nat, word: u64) {
        A::lemma_settled(phys_bits, level, word);
    }

    proof fn lemma_step(phys_bits: u64, level: nat, word: u64, now: u64) {
        A::lemma_step(phys_bits, level, word, now);
    }

    proof fn lemma_reflexive(level: nat, word: u64) {
        A::lemma_reflexive(level, word);
    }

    proof fn lemma_progress(level: nat, word: u64, now: u64) {
        A::lemma_progress(level, word, now);
    }
}

} // verus!
