//! Products of whole numbers, for proofs.
//!
//! Each of these facts is shown where the solver knows of nothing else: nonlinear arithmetic amid the invariants of page
//! tables is slow.

use vstd::arithmetic::div_mod::{lemma_div_pos_is_pos, lemma_fundamental_div_mod, lemma_mod_bound};
use vstd::prelude::*;

verus! {

/// One more of size `s`.
pub(crate) proof fn lemma_next(k: int, s: int)
    ensures
        (k + 1) * s == k * s + s,
        k * s == s * k,
{
    assert((k + 1) * s == k * s + s && k * s == s * k) by (nonlinear_arith);
}

/// The `k`-th of `n` parts of size `s` lies in the whole.
pub(crate) proof fn lemma_nth(k: int, n: int, s: int)
    requires
        k < n,
        0 <= s,
    ensures
        0 <= k ==> 0 <= k * s,
        k * s + s <= n * s,
        (k + 1) * s == k * s + s,
        k * s == s * k,
        n * s == s * n,
{
    assert(k * s + s <= n * s && k * s == s * k && n * s == s * n) by (nonlinear_arith)
        requires
            k < n,
            0 <= s,
    ;
    assert(0 <= k ==> 0 <= k * s) by (nonlinear_arith)
        requires
            0 <= s,
    ;
    lemma_next(k, s);
}

/// `n` parts of size `s` behind `i` of them lie in a whole of `m`.
pub(crate) proof fn lemma_room(i: int, n: int, m: int, s: int)
    requires
        i + n <= m,
        0 <= s,
    ensures
        (i + n) * s == i * s + n * s,
        (i + n) * s <= m * s,
        0 <= i ==> 0 <= i * s,
        1 <= n ==> s <= n * s,
        n * s == s * n,
        m * s == s * m,
{
    lemma_sum(i, n, s);
    lemma_nth(i + n - 1, m, s);
    lemma_nth(i, i + 1, s);
    lemma_next(n, s);
    if 1 <= n {
        lemma_nth(0, n, s);
    }
}

/// Sums are multiplied term by term.
pub(crate) proof fn lemma_sum(i: int, j: int, s: int)
    ensures
        (i + j) * s == i * s + j * s,
{
    assert((i + j) * s == i * s + j * s) by (nonlinear_arith);
}

/// Between two multiples of `s` lies all of `s`.
pub(crate) proof fn lemma_below(k: int, n: int, s: int)
    requires
        0 < s,
        s * k < s * n,
    ensures
        k < n,
        s * k + s <= s * n,
{
    assert(k < n) by (nonlinear_arith)
        requires
            0 < s,
            s * k < s * n,
    ;
    lemma_nth(k, n, s);
}

/// A number is below a multiple of `s` if its quotient is below the multiplier.
pub(crate) proof fn lemma_quotient(x: int, s: int, n: int)
    requires
        0 <= x,
        0 < s,
    ensures
        0 <= x / s,
        0 <= s * (x / s) <= x,
        x < s * n <==> x / s < n,
{
    let q = x / s;
    lemma_fundamental_div_mod(x, s);
    lemma_mod_bound(x, s);
    lemma_div_pos_is_pos(x, s);
    lemma_nth(q, q + 1, s);
    if q < n {
        lemma_nth(q, n, s);
    } else {
        lemma_nth(n - 1, q, s);
        lemma_next(n, s);
    }
}

/// As many parts of size `s` as fit.
pub(crate) proof fn lemma_fits_in(len: int, s: int, n: int)
    requires
        0 < s <= len,
        n <= len / s,
    ensures
        1 <= len / s,
        n * s <= len,
        0 <= n ==> 0 <= n * s,
{
    lemma_quotient(len, s, 1);
    lemma_quotient(len, s, len / s);
    lemma_nth(n - 1, len / s, s);
    lemma_nth(n, n + 1, s);
    lemma_next(n - 1, s);
}

} // verus!
