//! Address spaces: where a proof ends in `Drop`.

use crate::space::lock::{Held, SpinLock};
use vstd::predicate::Predicate;
use vstd::prelude::*;

verus! {

/// Puts what a lock guards back, when what held it is dropped.
/// Trusted because `unlock` is proven, but for what the prover demands of `Drop` beyond: that it open no invariant, as
/// values could be dropped where one is open. None is in this crate: an invariant is open for one atomic access only, and no
/// value is dropped meanwhile.
///
/// Exercised by `space::cursors_on_the_same_range_wait_for_each_other`.
#[verifier::external_body]
#[inline(always)]
pub(crate) fn unlock_in_drop<T, P: Predicate<T>>(
    lock: &SpinLock<T, P>,
    value: T,
    held: Tracked<Held<T>>,
)
    requires
        lock.is_held(held@),
        lock.kept().predicate(value),
    opens_invariants none
    no_unwind
{
    lock.unlock(value, held);
}

} // verus!
