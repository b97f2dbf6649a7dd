//! References for pieces of 4 KiB that follow each other, as those for slots that do.

use super::super::spec::{has_pieces, is_held, is_piece, is_with, is_without};
use crate::frame::token::FrameToken;
use crate::frame::{FrameAllocator, FrameTable, USegment};
use crate::spec::space::AddressSpace;
use vstd::prelude::*;

verus! {

/// Takes the references for `n` pieces out of `tokens`, as ones for the slots from `first` on.
pub(in super::super) proof fn take_run(
    tracked tokens: &mut Map<int, FrameToken>,
    at: int,
    first: int,
    n: nat,
) -> (tracked r: Map<int, FrameToken>)
    requires
        forall|k: int| #[trigger] is_piece(at, n as int, k) ==> old(tokens).contains_key(k),
    ensures
        is_without(*old(tokens), *final(tokens), at, n as int),
        forall|i: int|
            first <= i < first + n ==> #[trigger] r.contains_key(i) && r[i] == old(tokens)[at + (i
                - first) * 0x1000],
    decreases n,
{
    if n == 0 {
        Map::tracked_empty()
    } else {
        let m = (n - 1) as nat;
        let last = at + m * 0x1000;
        assert forall|k: int| #[trigger] is_piece(at, m as int, k) implies tokens.contains_key(
            k,
        ) by {
            assert(is_piece(at, n as int, k));
        }
        let before = *tokens;
        let tracked mut r = take_run(tokens, at, first, m);
        assert(is_piece(at, n as int, last));
        assert(tokens.contains_key(last));
        let mid = *tokens;
        r.tracked_insert(first + m, tokens.tracked_remove(last));
        assert forall|k: int| #[trigger]
            tokens.contains_key(k) == (before.contains_key(k) && !is_piece(at, n as int, k)) && (
            tokens.contains_key(k) ==> tokens[k] == before[k]) by {
            assert(mid.contains_key(k) == (before.contains_key(k) && !is_piece(at, m as int, k)));
        }
        r
    }
}

/// Puts references to the `n` slots from `first` on into `tokens`, as ones for pieces from `at` on.
pub(in super::super) proof fn put_run(
    tracked tokens: &mut Map<int, FrameToken>,
    tracked more: Map<int, FrameToken>,
    at: int,
    first: int,
    n: nat,
)
    requires
        forall|i: int| first <= i < first + n ==> #[trigger] more.contains_key(i),
    ensures
        is_with(*old(tokens), more, *final(tokens), at, first, n as int),
    decreases n,
{
    if n > 0 {
        let m = (n - 1) as nat;
        let last = at + m * 0x1000;
        let (before, all) = (*tokens, more);
        let tracked mut more = more;
        assert(more.contains_key(first + m));
        let tracked token = more.tracked_remove(first + m);
        put_run(tokens, more, at, first, m);
        let mid = *tokens;
        tokens.tracked_insert(last, token);
        assert forall|k: int| #[trigger]
            tokens.contains_key(k) == (before.contains_key(k) || is_piece(at, n as int, k)) && (
            tokens.contains_key(k) ==> tokens[k] == if is_piece(at, n as int, k) {
                all[first + (k - at) / 0x1000]
            } else {
                before[k]
            }) by {
            assert(mid.contains_key(k) == (before.contains_key(k) || is_piece(at, m as int, k)));
            assert(is_piece(at, n as int, k) <==> is_piece(at, m as int, k) || k == last);
        }
    }
}

/// The references that were taken are those to the slots' frames.
pub(in super::super) proof fn lemma_taken<'f, F: FrameAllocator>(
    frames: FrameTable<'f, F>,
    tokens: Map<int, FrameToken>,
    taken: Map<int, FrameToken>,
    at: int,
    first: int,
    n: int,
)
    requires
        has_pieces(frames, tokens, at, first, n),
        forall|i: int|
            first <= i < first + n ==> #[trigger] taken.contains_key(i) && taken[i] == tokens[at + (
            i - first) * 0x1000],
    ensures
        USegment::<'f, F>::are_kind(frames, taken, first, first + n),
{
    assert forall|i: int| first <= i < first + n implies #[trigger] taken.contains_key(i)
        && taken[i].is_for(frames.id(i)) && taken[i].kind().untyped by {
        let k = at + (i - first) * 0x1000;
        assert(is_piece(at, n, k) && first + (k - at) / 0x1000 == i);
    }
    assert forall|i: int| first <= i < first + n implies (#[trigger] taken[i]).kind().untyped by {
        assert(taken.contains_key(i));
    }
}

/// With references put in for `n` pieces, `at` has the right one.
pub(super) proof fn lemma_put_at<F>(
    frames: FrameTable<'_, F>,
    spaces: (AddressSpace, AddressSpace),
    tokens: (Map<int, FrameToken>, Map<int, FrameToken>),
    more: Map<int, FrameToken>,
    run: (int, int, int),
    at: int,
)
    requires
        is_held(frames, spaces.0, tokens.0, at),
        is_put_at(frames, tokens, more, run, at),
        spaces.1.place(at) == if run.0 <= at < run.0 + run.2 * 0x1000 {
            Some(frames.first() + run.1 * 0x1000 + (at - run.0))
        } else {
            spaces.0.place(at)
        },
        run.0 <= at < run.0 + run.2 * 0x1000 ==> spaces.0.place(at) is None,
        frames.first() % 0x1000 == 0,
        run.1 >= 0,
        frames.first() + (run.1 + run.2) * 0x1000 <= frames.end(),
    ensures
        is_held(frames, spaces.1, tokens.1, at),
{
    let (start, first, n) = run;
    if is_piece(start, n, at) {
        let pa = frames.first() + first * 0x1000 + (at - start);
        assert((pa - frames.first()) / 0x1000 == first + (at - start) / 0x1000);
        assert(pa % 0x1000 == 0);
    }
}

/// At `at`, the second of `tokens` are the first with `more` for the pieces of `run`: where they start, the first slot, and how
/// many.
pub(super) open spec fn is_put_at<F>(
    frames: FrameTable<'_, F>,
    tokens: (Map<int, FrameToken>, Map<int, FrameToken>),
    more: Map<int, FrameToken>,
    run: (int, int, int),
    at: int,
) -> bool {
    let (start, first, n) = run;
    let token = more[first + (at - start) / 0x1000];
    if is_piece(start, n, at) {
        &&& tokens.1.contains_key(at)
        &&& tokens.1[at] == token
        &&& token.is_for(frames.id(first + (at - start) / 0x1000))
        &&& token.kind().untyped
    } else {
        &&& tokens.1.contains_key(at) == tokens.0.contains_key(at)
        &&& tokens.1.contains_key(at) ==> tokens.1[at] == tokens.0[at]
    }
}

/// Where a run of ordinary memory is mapped, there are its references.
pub(super) proof fn lemma_run_pieces<F>(
    frames: FrameTable<'_, F>,
    space: AddressSpace,
    tokens: Map<int, FrameToken>,
    ends: (int, int),
    frame: int,
)
    requires
        forall|at: int| ends.0 <= at < ends.1 ==> #[trigger] is_held(frames, space, tokens, at),
        space.is_run(ends.0, ends.1, frame),
        frames.has_all(frame, ends.1 - ends.0),
        frame % 0x1000 == 0,
        frames.first() % 0x1000 == 0,
        (ends.1 - ends.0) % 0x1000 == 0,
    ensures
        has_pieces(
            frames,
            tokens,
            ends.0,
            (frame - frames.first()) / 0x1000,
            (ends.1 - ends.0) / 0x1000,
        ),
{
    let ((lo, hi), first) = (ends, (frame - frames.first()) / 0x1000);
    assert forall|k: int| #[trigger] is_piece(lo, (hi - lo) / 0x1000, k) implies {
        &&& tokens.contains_key(k)
        &&& tokens[k].is_for(frames.id(first + (k - lo) / 0x1000))
        &&& tokens[k].kind().untyped
    } by {
        assert(is_held(frames, space, tokens, k));
        assert(space.place(k) == Some(frame + (k - lo)));
        assert((frame + (k - lo) - frames.first()) / 0x1000 == first + (k - lo) / 0x1000);
    }
}

} // verus!
