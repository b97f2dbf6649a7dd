//! What a TLB holds, some table has said since the processor was quiet.

use super::{Processors, Step, Translation, is_run, was_quiet};
use vstd::prelude::*;

verus! {

/// A TLB holds only translations of the table in use.
pub(crate) proof fn lemma_own(run: Seq<Processors>, steps: Seq<Step>, n: int, cpu: nat, t: Translation)
    requires
        is_run(run, steps),
        0 <= n < run.len(),
        (run[n].holds)(cpu, t),
    ensures
        (run[n].using)(cpu) == Some(t.root),
    decreases n,
{
    if n > 0 {
        let before = n - 1;
        assert(run[before].goes(steps[before], run[before + 1]));
        if (run[n - 1].holds)(cpu, t) {
            lemma_own(run, steps, n - 1, cpu, t);
        }
    }
}

/// Whatever a TLB holds, the table has said at a moment since which the processor was not quiet of it.
pub(crate) proof fn lemma_said(
    run: Seq<Processors>,
    steps: Seq<Step>,
    n: int,
    cpu: nat,
    t: Translation,
) -> (i: int)
    requires
        is_run(run, steps),
        0 <= n < run.len(),
        (run[n].holds)(cpu, t),
    ensures
        0 <= i <= n,
        run[i].backs(t),
        !was_quiet(run, steps, i, n, cpu, t.root, t.va),
    decreases n,
{
    if n == 0 {
        assert(run[0].is_fresh());
        return 0;
    }
    let before = n - 1;
    assert(run[before].goes(steps[before], run[before + 1]));
    if !(run[n - 1].holds)(cpu, t) {
        return n;
    }
    let i = lemma_said(run, steps, n - 1, cpu, t);
    lemma_own(run, steps, n - 1, cpu, t);
    assert(!run[n - 1].is_quiet(steps[n - 1], cpu, t.root, t.va));
    i
}

/// What no table has said since each processor was quiet is in no TLB.
pub(crate) proof fn lemma_gone(
    run: Seq<Processors>,
    steps: Seq<Step>,
    since: int,
    n: int,
    cpu: nat,
    t: Translation,
)
    requires
        is_run(run, steps),
        0 <= since <= n < run.len(),
        forall|i: int| since <= i <= n ==> !(#[trigger] run[i]).backs(t),
        was_quiet(run, steps, since, n, cpu, t.root, t.va),
    ensures
        !(run[n].holds)(cpu, t),
{
    if (run[n].holds)(cpu, t) {
        let i = lemma_said(run, steps, n, cpu, t);
        let quiet = choose|q: int|
            since <= q < n && #[trigger] run[q].is_quiet(steps[q], cpu, t.root, t.va);
        assert(i < since);
        assert(i <= quiet < n);
    }
}

} // verus!
