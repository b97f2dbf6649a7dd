//! Multiples of a size.

use vstd::arithmetic::div_mod::{lemma_mod_self_0, lemma_small_mod, lemma_sub_mod_noop};
use vstd::prelude::*;

verus! {

/// One less of a multiple that is not 0.
pub(super) proof fn lemma_multiple(n: int, size: int)
    requires
        0 < size,
        0 < n,
        n % size == 0,
    ensures
        size <= n,
        (n - size) % size == 0,
{
    if n < size {
        lemma_small_mod(n as nat, size as nat);
    }
    lemma_sub_mod_noop(n, size, size);
    lemma_mod_self_0(size);
    lemma_small_mod(0, size as nat);
    assert((n % size - size % size) % size == (n - size) % size);
}

} // verus!
