//! A lock, taken by spinning.

use core::marker::PhantomData;
use vstd::atomic_ghost::{AtomicBool, AtomicInvariantPredicate};
use vstd::atomic_with_ghost;
use vstd::cell::CellId;
use vstd::cell::pcell_maybe_uninit::{PCell, PointsTo};
use vstd::predicate::Predicate;
use vstd::prelude::*;

verus! {

/// What the lock's word and the right to the value have to do with each other: as long as nobody has the lock, the right is
/// kept with the word, and the value is what `P` says.
pub(crate) struct Parked<P> {
    kept: PhantomData<P>,
}

impl<T, P: Predicate<T>> AtomicInvariantPredicate<
    (CellId, P),
    bool,
    Option<PointsTo<T>>,
> for Parked<P> {
    closed spec fn atomic_inv(id: (CellId, P), taken: bool, right: Option<PointsTo<T>>) -> bool {
        &&& right is None <==> taken
        &&& right matches Some(right) ==> {
            &&& right.id() == id.0
            &&& right.is_init()
            &&& id.1.predicate(right.value())
        }
    }
}

/// The right to put back what a lock guards: whoever has it has the lock.
pub(crate) tracked struct Held<T> {
    right: PointsTo<T>,
}

/// A value that one at a time can take, of which `P` always holds when nobody has it.
///
/// It is moved out and back, so that what is held of it is the value itself, no reference into the lock.
#[verifier::reject_recursive_types(T)]
#[verifier::reject_recursive_types(P)]
pub(crate) struct SpinLock<T, P: Predicate<T>> {
    value: PCell<T>,
    taken: AtomicBool<(CellId, P), Option<PointsTo<T>>, Parked<P>>,
}

impl<T, P: Predicate<T>> SpinLock<T, P> {
    #[verifier::type_invariant]
    spec fn inv(self) -> bool {
        self.taken.well_formed() && self.taken.constant().0 == self.value.id()
    }

    /// What holds of the value.
    pub(crate) closed spec fn kept(self) -> P {
        self.taken.constant().1
    }

    /// Whether `held` is the right to this lock's value, which is out.
    pub(crate) closed spec fn is_held(self, held: Held<T>) -> bool {
        held.right.id() == self.value.id() && held.right.is_uninit()
    }

    /// A lock that guards `value`.
    pub(crate) fn new(value: T, Ghost(kept): Ghost<P>) -> (r: Self)
        requires
            kept.predicate(value),
        ensures
            r.kept() == kept,
    {
        let (cell, Tracked(right)) = PCell::new(value);
        let ghost id = (cell.id(), kept);
        let taken = AtomicBool::new(Ghost(id), false, Tracked(Some(right)));
        SpinLock { value: cell, taken }
    }

    /// Takes the value, if nobody has it.
    #[inline]
    pub(crate) fn try_lock(&self) -> (r: Option<(T, Tracked<Held<T>>)>)
        ensures
            r matches Some((value, held)) ==> self.kept().predicate(value) && self.is_held(held@),
        no_unwind
    {
        proof {
            use_type_invariant(self);
        }
        let tracked mut right = None;
        let r =
            atomic_with_ghost!(&self.taken => compare_exchange(false, true); returning r; ghost kept => {
            if r is Ok {
                vstd::modes::tracked_swap(&mut right, &mut kept);
            }
        });
        match r {
            Ok(_) => {
                let tracked mut right = right.tracked_unwrap();
                let value = self.value.take(Tracked(&mut right));
                Some((value, Tracked(Held { right })))
            },
            Err(_) => None,
        }
    }

    /// Puts the value back.
    #[inline]
    pub(crate) fn unlock(&self, value: T, Tracked(held): Tracked<Held<T>>)
        requires
            self.is_held(held),
            self.kept().predicate(value),
        no_unwind
    {
        proof {
            use_type_invariant(self);
        }
        let tracked Held { right: mut right } = held;
        self.value.put(Tracked(&mut right), value);
        atomic_with_ghost!(&self.taken => store(false); ghost kept => {
            kept = Some(right);
        });
    }
}

} // verus!
