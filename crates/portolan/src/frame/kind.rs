//! What a handle says of the kind of its frame.

use crate::hw::frame::{FrameMeta, MetaCell, MetaPerm};
#[cfg(verus_only)]
use crate::hw::frame::{MetaKind, kind_of};
use vstd::prelude::*;

verus! {

/// What is known of a frame's kind: which type its metadata has, or that it is [`Untyped`], or nothing ([`Dyn`]).
///
/// It is implemented for all that it can be implemented for.
pub trait FrameKind: Sized {
    /// Whether frames of `kind` are meant.
    spec fn admits(kind: MetaKind) -> bool;

    /// Whether the frame with this metadata is meant.
    #[doc(hidden)]
    fn check(cell: &MetaCell, perm: Tracked<&MetaPerm>) -> (r: bool)
        requires
            perm@.cell() == cell.id(),
            perm@.kind() is Some,
        ensures
            r == Self::admits(perm@.kind()->0),
        no_unwind
    ;
}

/// Any kind of frame.
pub struct Dyn;

/// Any frame whose memory is plain bytes: one that user space may have mapped.
pub struct Untyped;

impl<M: FrameMeta> FrameKind for M {
    open spec fn admits(kind: MetaKind) -> bool {
        kind == kind_of::<M>()
    }

    #[inline]
    fn check(cell: &MetaCell, perm: Tracked<&MetaPerm>) -> bool {
        cell.holds::<M>(perm)
    }
}

impl FrameKind for Dyn {
    open spec fn admits(kind: MetaKind) -> bool {
        true
    }

    #[inline]
    fn check(_cell: &MetaCell, _perm: Tracked<&MetaPerm>) -> bool {
        true
    }
}

impl FrameKind for Untyped {
    open spec fn admits(kind: MetaKind) -> bool {
        kind.untyped
    }

    #[inline]
    fn check(cell: &MetaCell, perm: Tracked<&MetaPerm>) -> bool {
        cell.is_untyped(perm)
    }
}

} // verus!
