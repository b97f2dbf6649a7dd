//! A lock, taken by spinning.

use core::marker::PhantomData;
use vstd::atomic_ghost::{AtomicBool, AtomicInvariantPredicate};
use vstd::atomic_with_ghost;
use vstd::cell::CellId;
use vstd::cell::pcell::{PCell, PointsTo};
use vstd::pervasive::unreached;
use vstd::predicate::Predicate;
use vstd::prelude::*;

verus! {

/// The right to the value in its cell, which is empty once the value was taken out for good.
type Right<T> = PointsTo<Option<T>>;

/// What the lock's word and the right to the value have to do with each other: as long as nobody has the lock, the right is
/// kept with the word, and the value is what `P` says.
pub(crate) struct Parked<P> {
    kept: PhantomData<P>,
}

impl<T, P: Predicate<T>> AtomicInvariantPredicate<(CellId, P), bool, Option<Right<T>>> for Parked<
    P,
> {
    closed spec fn atomic_inv(id: (CellId, P), taken: bool, right: Option<Right<T>>) -> bool {
        &&& right is None <==> taken
        &&& right matches Some(right) ==> {
            &&& right.id() == id.0
            &&& *right.value() matches Some(value) && id.1.predicate(value)
        }
    }
}

/// The right to what a lock guards: whoever has it has the lock.
pub(crate) tracked struct Held<T> {
    right: Right<T>,
}

impl<T> Held<T> {
    /// What the lock guards.
    pub(crate) closed spec fn view(self) -> T {
        (*self.right.value())->0
    }
}

/// A value that one at a time can have, of which `P` always holds when nobody has it.
#[verifier::reject_recursive_types(T)]
#[verifier::reject_recursive_types(P)]
pub(crate) struct SpinLock<T, P: Predicate<T>> {
    value: PCell<Option<T>>,
    taken: AtomicBool<(CellId, P), Option<Right<T>>, Parked<P>>,
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

    /// Whether `held` is the right to this lock's value.
    pub(crate) closed spec fn is_held(self, held: Held<T>) -> bool {
        held.right.id() == self.value.id() && *held.right.value() is Some
    }

    /// A lock that guards `value`.
    pub(crate) fn new(value: T, Ghost(kept): Ghost<P>) -> (r: Self)
        requires
            kept.predicate(value),
        ensures
            r.kept() == kept,
    {
        let (cell, Tracked(right)) = PCell::new(Some(value));
        let ghost id = (cell.id(), kept);
        let taken = AtomicBool::new(Ghost(id), false, Tracked(Some(right)));
        SpinLock { value: cell, taken }
    }

    /// Takes the lock, if nobody has it.
    #[inline]
    pub(crate) fn try_lock(&self) -> (r: Option<Tracked<Held<T>>>)
        ensures
            r matches Some(held) ==> self.is_held(held@) && self.kept().predicate(held@@),
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
                let tracked right = right.tracked_unwrap();
                Some(Tracked(Held { right }))
            },
            Err(_) => None,
        }
    }

    /// The value.
    #[inline]
    pub(crate) fn borrow<'a>(&'a self, Tracked(held): Tracked<&'a Held<T>>) -> (r: &'a T)
        requires
            self.is_held(*held),
        ensures
            *r == held@,
    {
        match self.value.borrow(Tracked(&held.right)) {
            Some(value) => value,
            None => unreached(),
        }
    }

    /// The value, to change it.
    #[inline]
    pub(crate) fn borrow_mut<'a>(&'a self, Tracked(held): Tracked<&'a mut Held<T>>) -> (r:
        &'a mut T)
        requires
            self.is_held(*old(held)),
        ensures
            *r == old(held)@,
            *final(r) == final(held)@,
            self.is_held(*final(held)),
    {
        match self.value.borrow_mut(Tracked(&mut held.right)) {
            Some(value) => value,
            None => unreached(),
        }
    }

    /// Gives the lock back.
    #[inline]
    pub(crate) fn unlock(&self, Tracked(held): Tracked<Held<T>>)
        requires
            self.is_held(held),
            self.kept().predicate(held@),
        no_unwind
    {
        proof {
            use_type_invariant(self);
        }
        let tracked Held { right } = held;
        atomic_with_ghost!(&self.taken => store(false); ghost kept => {
            kept = Some(right);
        });
    }

    /// Takes the value out for good: nobody can have the lock any more.
    pub(crate) fn take_value(&self, Tracked(held): Tracked<Held<T>>) -> (r: T)
        requires
            self.is_held(held),
        ensures
            r == held@,
    {
        let tracked mut right = held.right;
        match self.value.replace(Tracked(&mut right), None) {
            Some(value) => value,
            None => unreached(),
        }
    }
}

} // verus!
