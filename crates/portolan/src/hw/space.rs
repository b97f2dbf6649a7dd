//! Address spaces: where a proof ends in `Drop`.

use crate::hw::AtomicMode;
use crate::space::flusher::Flusher;
use crate::space::lock::{Held, SpinLock};
use crate::space::part::Part;
use crate::space::{Kernel, VmSpace};
use vstd::predicate::Predicate;
use vstd::prelude::*;

verus! {

/// Gives a lock back, when what held it is dropped.
/// Trusted because `unlock` is proven, but for what the prover demands of `Drop` beyond: that it open no invariant, as
/// values could be dropped where one is open. None is in this crate: an invariant is open for one atomic access only, and no
/// value is dropped meanwhile.
///
/// Exercised by `space::cursors_on_the_same_range_wait_for_each_other`.
#[verifier::external_body]
#[inline(always)]
pub(crate) fn unlock_in_drop<T, P: Predicate<T>>(lock: &SpinLock<T, P>, held: Tracked<Held<T>>)
    requires
        lock.is_held(held@),
        lock.kept().predicate(held@@),
    opens_invariants none
    no_unwind
{
    lock.unlock(held);
}

/// Gives back the range that a cursor has, when it is dropped.
/// Trusted for the reason of [`unlock_in_drop`]: `release` is proven.
///
/// Exercised by `space::cursors_on_the_same_range_wait_for_each_other`.
#[verifier::external_body]
#[inline]
pub(crate) fn release_in_drop<K: Kernel>(part: &mut Part<'_, '_, K>)
    opens_invariants none
    no_unwind
{
    part.release();
}

/// Tells processors what a flusher still owes them, when it is dropped.
/// Trusted for the reason of [`unlock_in_drop`]: `sync_tlb_flush` is proven.
///
/// Exercised by `space::a_flusher_that_is_dropped_pays`.
#[verifier::external_body]
#[inline]
pub(crate) fn settle_in_drop<K: Kernel, G: AtomicMode>(flusher: &mut Flusher<'_, '_, K, G>)
    opens_invariants none
    no_unwind
{
    let _ = flusher.sync_tlb_flush();
}

/// Gives back what an address space maps, when it is dropped.
/// Trusted for the reason of [`unlock_in_drop`]: `close` is proven.
///
/// Exercised by `space::a_space_that_is_dropped_gives_its_frames_back`.
#[verifier::external_body]
#[inline]
pub(crate) fn close_in_drop<K: Kernel>(space: &VmSpace<'_, K>)
    opens_invariants none
    no_unwind
{
    space.close();
}

} // verus!
