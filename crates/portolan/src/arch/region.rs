//! The two regions of virtual addresses of AArch64 and LoongArch64, each with tables of its own.

use super::entry::Sealed;
use vstd::prelude::*;

verus! {

/// Which addresses a table translates: [`Lower`] or [`Upper`].
pub trait Region: Copy + Sealed {
    /// Whether the bits above those that index the tables are ones.
    spec fn upper() -> bool;

    /// Whether the bits above those that index the tables are ones.
    fn is_upper() -> (r: bool)
        ensures
            r == Self::upper(),
        opens_invariants none
        no_unwind
    ;
}

/// From address 0 upwards: the tables at `TTBR0_EL1` or `PGDL`, usually a process's.
#[derive(Clone, Copy, Debug)]
pub struct Lower;

/// Up to the last address: the tables at `TTBR1_EL1` or `PGDH`, usually the kernel's.
#[derive(Clone, Copy, Debug)]
pub struct Upper;

impl Sealed for Lower {

}

impl Sealed for Upper {

}

impl Region for Lower {
    open spec fn upper() -> bool {
        false
    }

    #[inline(always)]
    fn is_upper() -> bool {
        false
    }
}

impl Region for Upper {
    open spec fn upper() -> bool {
        true
    }

    #[inline(always)]
    fn is_upper() -> bool {
        true
    }
}

} // verus!
