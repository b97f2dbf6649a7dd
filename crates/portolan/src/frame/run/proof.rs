//! Rights and references to frames that follow each other, taken one by one.

use super::super::table::FrameTable;
use super::super::token::{Claim, FrameToken};
use vstd::prelude::*;

verus! {

impl<'a, F> FrameTable<'a, F> {
    /// Takes the first of some rights.
    pub(crate) proof fn take_claim(
        tracked &self,
        tracked claims: &mut Map<int, Claim>,
        first: int,
        end: int,
        given: bool,
    ) -> (tracked r: Claim)
        requires
            first < end,
            self.are_claims(*old(claims), first, end, given),
        ensures
            self.is_claim(r, first, given),
            self.are_claims(*final(claims), first + 1, end, given),
    {
        let all = *claims;
        assert(all.contains_key(first));
        let tracked claim = claims.tracked_remove(first);
        assert forall|i: int| first + 1 <= i < end implies #[trigger] claims.contains_key(i)
            && self.is_claim(claims[i], i, given) by {
            assert(all.contains_key(i));
        }
        claim
    }

    /// Takes the first of some references.
    pub(crate) proof fn take_token(
        tracked &self,
        tracked tokens: &mut Map<int, FrameToken>,
        first: int,
        end: int,
    ) -> (tracked r: FrameToken)
        requires
            first < end,
            self.are_tokens(*old(tokens), first, end),
        ensures
            r == old(tokens)[first],
            r.is_for(self.id(first)),
            self.are_tokens(*final(tokens), first + 1, end),
            forall|i: int| first < i < end ==> #[trigger] final(tokens)[i] == old(tokens)[i],
    {
        let all = *tokens;
        assert(all.contains_key(first));
        let tracked token = tokens.tracked_remove(first);
        assert forall|i: int| first + 1 <= i < end implies #[trigger] tokens.contains_key(i)
            && tokens[i].is_for(self.id(i)) by {
            assert(all.contains_key(i));
        }
        token
    }

    /// Takes the references from `middle` on.
    pub(crate) proof fn split_tokens(
        tracked &self,
        tracked tokens: &mut Map<int, FrameToken>,
        first: int,
        middle: int,
        end: int,
    ) -> (tracked r: Map<int, FrameToken>)
        requires
            first <= middle <= end,
            self.are_tokens(*old(tokens), first, end),
        ensures
            self.are_tokens(*final(tokens), first, middle),
            self.are_tokens(r, middle, end),
            forall|i: int| first <= i < middle ==> #[trigger] final(tokens)[i] == old(tokens)[i],
            forall|i: int| middle <= i < end ==> #[trigger] r[i] == old(tokens)[i],
    {
        let all = *tokens;
        let tracked upper = tokens.tracked_remove_keys(all.dom().filter(|i: int| middle <= i));
        assert forall|i: int| first <= i < middle implies #[trigger] tokens.contains_key(i)
            && tokens[i].is_for(self.id(i)) by {
            assert(all.contains_key(i));
        }
        assert forall|i: int| middle <= i < end implies #[trigger] upper.contains_key(i)
            && upper[i].is_for(self.id(i)) by {
            assert(all.contains_key(i));
        }
        upper
    }
}

} // verus!
