//! Whether reading and writing may fail.

use crate::hw::user::{NoUser, UserMemory};
use vstd::prelude::*;

verus! {

/// Memory of the kernel's own: slices and frames.
#[derive(Clone, Copy, Debug)]
pub struct Infallible;

/// Memory that may be a user program's, reached by `U`.
///
/// A reader or writer of the kernel's own memory [becomes](super::VmReader::to_fallible) one of this kind, too, for functions
/// that take either. It is still read and written as the kernel's own.
pub struct Fallible<'a, U: UserMemory> {
    user: Option<&'a U>,
}

impl<'a, U: UserMemory> Fallible<'a, U> {
    /// User memory.
    pub(super) fn of_user(user: &'a U) -> (r: Self)
        ensures
            r.is_user(),
        no_unwind
    {
        Fallible { user: Some(user) }
    }

    /// The kernel's memory.
    pub(super) fn of_kernel() -> (r: Self)
        ensures
            !r.is_user(),
        no_unwind
    {
        Fallible { user: None }
    }
}

impl<U: UserMemory> Clone for Fallible<'_, U> {
    #[inline(always)]
    fn clone(&self) -> (r: Self)
        ensures
            r == *self,
    {
        *self
    }
}

impl<U: UserMemory> Copy for Fallible<'_, U> {

}

/// [`Infallible`] or [`Fallible`].
pub trait Fallibility: Copy + Sealed {
    /// How user memory is reached.
    type User: UserMemory;

    /// Whether the memory is a user program's.
    spec fn is_user(self) -> bool;

    /// How it is reached, if it is a user program's.
    #[doc(hidden)]
    fn user(&self) -> (r: Option<&Self::User>)
        ensures
            r is Some == self.is_user(),
        no_unwind
    ;
}

impl Fallibility for Infallible {
    type User = NoUser;

    open spec fn is_user(self) -> bool {
        false
    }

    #[inline(always)]
    fn user(&self) -> Option<&NoUser> {
        None
    }
}

impl<U: UserMemory> Fallibility for Fallible<'_, U> {
    type User = U;

    closed spec fn is_user(self) -> bool {
        self.user is Some
    }

    #[inline(always)]
    fn user(&self) -> Option<&U> {
        self.user
    }
}

/// Nobody else implements the trait that has this one.
pub trait Sealed {

}

impl Sealed for Infallible {

}

impl<U: UserMemory> Sealed for Fallible<'_, U> {

}

} // verus!
