//! What a lock guards, as long as it is held.

use super::lock::{Held, SpinLock};
use crate::hw::space::unlock_in_drop;
use vstd::predicate::Predicate;
use vstd::prelude::*;

verus! {

/// The value of a lock that is held, which goes back when this is dropped.
///
/// The value is taken out for each operation. If one unwinds, the value is lost, and the lock stays held.
#[verifier::reject_recursive_types(T)]
#[verifier::reject_recursive_types(P)]
pub(crate) struct Lease<'a, T, P: Predicate<T>> {
    lock: &'a SpinLock<T, P>,
    value: Option<(T, Tracked<Held<T>>)>,
}

impl<'a, T, P: Predicate<T>> Lease<'a, T, P> {
    #[verifier::type_invariant]
    spec fn inv(self) -> bool {
        self.value matches Some((value, held)) ==> {
            &&& self.lock.is_held(held@)
            &&& self.lock.kept().predicate(value)
        }
    }

    /// What holds of the value.
    pub(crate) closed spec fn kept(self) -> P {
        self.lock.kept()
    }

    /// The lock.
    pub(crate) closed spec fn lock(self) -> SpinLock<T, P> {
        *self.lock
    }

    /// The value, if it is here.
    pub(crate) closed spec fn view(self) -> Option<T> {
        match self.value {
            Some((value, _)) => Some(value),
            None => None,
        }
    }

    /// The lock's value, if nobody has it.
    #[inline]
    pub(crate) fn try_new(lock: &'a SpinLock<T, P>) -> (r: Option<Self>)
        ensures
            r matches Some(lease) ==> {
                &&& lease.lock() == *lock
                &&& lease.kept() == lock.kept()
                &&& lease@ matches Some(value) && lock.kept().predicate(value)
            },
    {
        match lock.try_lock() {
            Some(value) => Some(Lease { lock, value: Some(value) }),
            None => None,
        }
    }

    /// The value.
    #[inline]
    pub(crate) fn get(&self) -> (r: Option<&T>)
        ensures
            match r {
                Some(value) => self@ == Some(*value) && self.kept().predicate(*value),
                None => self@ is None,
            },
        no_unwind
    {
        proof {
            use_type_invariant(self);
        }
        match &self.value {
            Some((value, _)) => Some(value),
            None => None,
        }
    }

    /// Takes the value out.
    #[inline]
    pub(crate) fn take(&mut self) -> (r: Option<(T, Tracked<Held<T>>)>)
        ensures
            final(self).lock() == old(self).lock(),
            final(self).kept() == old(self).kept(),
            match r {
                Some((value, held)) => {
                    &&& old(self)@ == Some(value)
                    &&& old(self).kept().predicate(value)
                    &&& old(self).lock().is_held(held@)
                    &&& final(self)@ is None
                },
                None => old(self)@ is None && *final(self) == *old(self),
            },
        no_unwind
    {
        proof {
            use_type_invariant(&*self);
        }
        self.value.take()
    }

    /// Puts the value back.
    #[inline]
    pub(crate) fn put(&mut self, value: T, held: Tracked<Held<T>>)
        requires
            old(self).lock().is_held(held@),
            old(self).kept().predicate(value),
        ensures
            final(self).lock() == old(self).lock(),
            final(self).kept() == old(self).kept(),
            final(self)@ == Some(value),
        no_unwind
    {
        self.value = Some((value, held));
    }
}

impl<T, P: Predicate<T>> Drop for Lease<'_, T, P> {
    /// Puts the value back into the lock.
    fn drop(&mut self)
        opens_invariants none
        no_unwind
    {
        proof {
            use_type_invariant(&*self);
        }
        let mut last = None;
        core::mem::swap(&mut self.value, &mut last);
        if let Some((value, held)) = last {
            unlock_in_drop(self.lock, value, held);
        }
    }
}

} // verus!
