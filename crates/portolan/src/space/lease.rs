//! A lock that is held.

use super::lock::{Held, SpinLock};
use crate::hw::space::unlock_in_drop;
use vstd::pervasive::unreached;
use vstd::predicate::Predicate;
use vstd::prelude::*;

verus! {

/// A lock that is held, and given back when this is dropped.
///
/// To change the value, the right to it is taken out: then the lock is no longer given back. If that unwinds, it stays held, as
/// nobody knows what became of the value.
#[verifier::reject_recursive_types(T)]
#[verifier::reject_recursive_types(P)]
pub(crate) struct Lease<'a, T, P: Predicate<T>> {
    lock: &'a SpinLock<T, P>,
    held: Option<Tracked<Held<T>>>,
}

impl<'a, T, P: Predicate<T>> Lease<'a, T, P> {
    #[verifier::type_invariant]
    spec fn inv(self) -> bool {
        self.held matches Some(held) ==> {
            &&& self.lock.is_held(held@)
            &&& self.lock.kept().predicate(held@@)
        }
    }

    /// The lock.
    pub(crate) closed spec fn lock(self) -> SpinLock<T, P> {
        *self.lock
    }

    /// The value, if the right to it is here.
    pub(crate) closed spec fn view(self) -> Option<T> {
        match self.held {
            Some(held) => Some(held@@),
            None => None,
        }
    }

    /// A lock that is held.
    #[inline]
    pub(crate) fn of(lock: &'a SpinLock<T, P>, held: Tracked<Held<T>>) -> (r: Self)
        requires
            lock.is_held(held@),
            lock.kept().predicate(held@@),
        ensures
            r.lock() == *lock,
            r@ == Some(held@@),
        no_unwind
    {
        Lease { lock, held: Some(held) }
    }

    /// The value.
    #[inline]
    #[cfg_attr(not(verus_only), expect(unused_variables, reason = "the right is the prover's"))]
    pub(crate) fn get(&self) -> (r: &T)
        requires
            self@ is Some,
        ensures
            self@ == Some(*r),
            self.lock().kept().predicate(*r),
    {
        proof {
            use_type_invariant(self);
        }
        match &self.held {
            Some(held) => self.lock.borrow(Tracked(held.borrow())),
            None => unreached(),
        }
    }

    /// Takes the right to the value out.
    #[inline]
    pub(crate) fn take(&mut self) -> (r: Tracked<Held<T>>)
        requires
            old(self)@ is Some,
        ensures
            final(self).lock() == old(self).lock(),
            final(self)@ is None,
            old(self)@ == Some(r@@),
            old(self).lock().is_held(r@),
            old(self).lock().kept().predicate(r@@),
    {
        proof {
            use_type_invariant(&*self);
        }
        match self.held.take() {
            Some(held) => held,
            None => unreached(),
        }
    }
}

impl<T, P: Predicate<T>> Drop for Lease<'_, T, P> {
    /// Gives the lock back.
    fn drop(&mut self)
        opens_invariants none
        no_unwind
    {
        proof {
            use_type_invariant(&*self);
        }
        let mut last = None;
        core::mem::swap(&mut self.held, &mut last);
        if let Some(held) = last {
            unlock_in_drop(self.lock, held);
        }
    }
}

} // verus!
