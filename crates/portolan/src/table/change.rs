//! What may become of a page's entry.

#[cfg(verus_only)]
use crate::arch::PagingMode;
#[cfg(verus_only)]
use crate::arch::entry::{AccessBits, EntryFormat};
use crate::prop::{PageProperty, UsedBits};
#[cfg(verus_only)]
use crate::spec::request;
#[cfg(verus_only)]
use crate::spec::space::AddressSpace;
use vstd::prelude::*;

verus! {

/// What becomes of a page's entry.
#[derive(Clone, Copy)]
pub(crate) enum Change {
    /// It is cleared.
    Clear,
    /// The page gets other properties; accessed and dirty bits that are set stay set.
    Protect(PageProperty),
    /// These of the page's bits are cleared.
    Unmark(UsedBits),
    /// The right to write is taken away.
    WriteProtect,
}

impl Change {
    /// The properties of the page that was `was`; `None` if there is none afterwards.
    pub(crate) open spec fn spec_after(self, was: PageProperty) -> Option<PageProperty> {
        match self {
            Change::Clear => None,
            Change::Protect(prop) => Some(prop.keeping(was)),
            Change::WriteProtect => Some(was.read_only()),
            Change::Unmark(bits) => Some(was.without(bits)),
        }
    }

    /// The properties of the page that was `was`; `None` if there is none afterwards.
    #[verifier::when_used_as_spec(spec_after)]
    #[inline(always)]
    pub(crate) fn after(self, was: PageProperty) -> (r: Option<PageProperty>)
        ensures
            r == self.spec_after(was),
        no_unwind
    {
        match self {
            Change::Clear => None,
            Change::Protect(prop) => Some(prop.keeping(was)),
            Change::WriteProtect => Some(was.read_only()),
            Change::Unmark(bits) => Some(was.without(bits)),
        }
    }

    /// Mode `A` can express what it asks for, and bits are cleared only where hardware is to set them again.
    pub(crate) open spec fn is_allowed<A: PagingMode, B: AccessBits>(self) -> bool {
        match self {
            Change::Clear => true,
            Change::Protect(prop) => A::supports(prop),
            Change::Unmark(_) => B::tracks(),
            Change::WriteProtect => true,
        }
    }

    /// A page in use that is `was` may be changed so.
    pub(super) open spec fn needs_no_break<A: PagingMode>(self, was: PageProperty) -> bool {
        self matches Change::Protect(prop) ==> !request::needs_break::<A>(was, prop)
    }

    /// All pages that start from `lo` to below `hi` may be changed so while they are in use.
    pub(super) open spec fn breaks_none<A: PagingMode>(
        self,
        space: AddressSpace,
        lo: int,
        hi: int,
    ) -> bool {
        self matches Change::Protect(prop) ==> request::needs_no_break::<A>(space, lo, hi, prop)
    }

    /// A page that can be expressed still can be after a change that is allowed.
    pub(crate) proof fn lemma_after<A: PagingMode, B: AccessBits>(self, was: PageProperty)
        requires
            self.is_allowed::<A, B>(),
            A::supports(was),
        ensures
            self.after(was) matches Some(prop) ==> A::supports(prop),
    {
        if let Some(now) = self.after(was) {
            let from = match self {
                Change::Protect(prop) => prop,
                _ => was,
            };
            A::lemma_supports(from, now.accessed, now.dirty);
            A::lemma_read_only(was);
        }
    }
}

} // verus!
