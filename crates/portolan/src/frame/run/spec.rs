//! Rights and references to frames that follow each other.

use super::super::error::FrameError;
use super::super::table::FrameTable;
use super::super::token::{Claim, FrameToken};
use vstd::prelude::*;

verus! {

impl<'a, F> FrameTable<'a, F> {
    /// Whether `claims` are the rights to the frames of the slots from `first` to `end`, whose memory was
    /// given to the table if `given`.
    pub(crate) open spec fn are_claims(
        self,
        claims: Map<int, Claim>,
        first: int,
        end: int,
        given: bool,
    ) -> bool {
        forall|i: int|
            first <= i < end ==> #[trigger] claims.contains_key(i) && self.is_claim(
                claims[i],
                i,
                given,
            )
    }

    /// Whether `claim` is the right to the frame of slot `i`, whose memory was given to the table if `given`.
    pub(crate) open spec fn is_claim(self, claim: Claim, i: int, given: bool) -> bool {
        &&& claim.is_for(self.id(i))
        &&& claim.right.meta.kind() is None
        &&& given <==> claim.right.memory is Some
    }

    /// Whether `tokens` are references to the frames of the slots from `first` to `end`.
    pub(crate) open spec fn are_tokens(
        self,
        tokens: Map<int, FrameToken>,
        first: int,
        end: int,
    ) -> bool {
        forall|i: int|
            first <= i < end ==> #[trigger] tokens.contains_key(i) && tokens[i].is_for(self.id(i))
    }

    /// Whether `e` says that one of the frames of the slots from `first` to `end` can't be taken.
    pub(crate) open spec fn is_refused_one(self, e: FrameError, first: int, end: int) -> bool {
        exists|i: int| first <= i < end && e.is_refused_claim(#[trigger] self.id(i).addr)
    }
}

} // verus!
