//! The bits of a page that say whether it was used.

use super::PageProperty;
use vstd::prelude::*;

verus! {

/// Which of a page's accessed and dirty bits are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UsedBits {
    /// The accessed bit: the page has been used.
    Accessed,
    /// The dirty bit: the page has been stored to.
    Dirty,
    /// Either and both.
    Both,
}

impl UsedBits {
    /// The accessed bit is meant.
    pub open spec fn spec_accessed(self) -> bool {
        self is Accessed || self is Both
    }

    /// The accessed bit is meant.
    #[verifier::when_used_as_spec(spec_accessed)]
    #[inline]
    #[must_use]
    pub fn accessed(self) -> (r: bool)
        ensures
            r == self.spec_accessed(),
        no_unwind
    {
        matches!(self, UsedBits::Accessed | UsedBits::Both)
    }

    /// The dirty bit is meant.
    pub open spec fn spec_dirty(self) -> bool {
        self is Dirty || self is Both
    }

    /// The dirty bit is meant.
    #[verifier::when_used_as_spec(spec_dirty)]
    #[inline]
    #[must_use]
    pub fn dirty(self) -> (r: bool)
        ensures
            r == self.spec_dirty(),
        no_unwind
    {
        matches!(self, UsedBits::Dirty | UsedBits::Both)
    }
}

impl PageProperty {
    /// At least one of `bits` is set.
    pub open spec fn spec_has_any(self, bits: UsedBits) -> bool {
        bits.accessed() && self.accessed || bits.dirty() && self.dirty
    }

    /// At least one of `bits` is set.
    #[verifier::when_used_as_spec(spec_has_any)]
    #[inline]
    #[must_use]
    pub fn has_any(self, bits: UsedBits) -> (r: bool)
        ensures
            r == self.spec_has_any(bits),
        no_unwind
    {
        bits.accessed() && self.accessed || bits.dirty() && self.dirty
    }

    /// The same properties with `bits` cleared.
    pub open spec fn spec_without(self, bits: UsedBits) -> PageProperty {
        PageProperty {
            accessed: self.accessed && !bits.accessed(),
            dirty: self.dirty && !bits.dirty(),
            ..self
        }
    }

    /// The same properties with `bits` cleared.
    #[verifier::when_used_as_spec(spec_without)]
    #[inline]
    #[must_use]
    pub fn without(self, bits: UsedBits) -> (r: PageProperty)
        ensures
            r == self.spec_without(bits),
        no_unwind
    {
        PageProperty {
            read: self.read,
            write: self.write,
            execute: self.execute,
            user: self.user,
            global: self.global,
            accessed: self.accessed && !bits.accessed(),
            dirty: self.dirty && !bits.dirty(),
            cache: self.cache,
        }
    }
}

} // verus!
