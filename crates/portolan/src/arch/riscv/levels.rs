//! How many levels RISC-V's tables have.

use super::super::entry::Sealed;
use vstd::prelude::*;

verus! {

/// How many levels: [`ThreeLevels`], [`FourLevels`] or [`FiveLevels`].
pub trait Levels: Copy + Sealed {
    /// The number of levels.
    spec fn levels() -> u8;

    /// The number of levels.
    fn count() -> (r: u8)
        ensures
            r == Self::levels(),
            3 <= r <= 5,
        opens_invariants none
        no_unwind
    ;

    /// Three to five.
    proof fn lemma_levels()
        ensures
            3 <= Self::levels() <= 5,
    ;
}

/// Three levels, 39-bit addresses.
#[derive(Clone, Copy, Debug)]
pub struct ThreeLevels;

/// Four levels, 48-bit addresses.
#[derive(Clone, Copy, Debug)]
pub struct FourLevels;

/// Five levels, 57-bit addresses.
#[derive(Clone, Copy, Debug)]
pub struct FiveLevels;

impl Sealed for ThreeLevels {

}

impl Sealed for FourLevels {

}

impl Sealed for FiveLevels {

}

impl Levels for ThreeLevels {
    open spec fn levels() -> u8 {
        3
    }

    #[inline(always)]
    fn count() -> u8 {
        3
    }

    proof fn lemma_levels() {
    }
}

impl Levels for FourLevels {
    open spec fn levels() -> u8 {
        4
    }

    #[inline(always)]
    fn count() -> u8 {
        4
    }

    proof fn lemma_levels() {
    }
}

impl Levels for FiveLevels {
    open spec fn levels() -> u8 {
        5
    }

    #[inline(always)]
    fn count() -> u8 {
        5
    }

    proof fn lemma_levels() {
    }
}

} // verus!
