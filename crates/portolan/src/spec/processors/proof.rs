//! What a processor may use, the table has said since the processor was quiet.

use super::{Processors, Step, Translation, Use, is_run, was_quiet};
use vstd::prelude::*;

verus! {

/// Identifiers stay apart.
proof fn lemma_apart_step(before: Processors, step: Step, now: Processors)
    requires
        before.is_apart(),
        before.goes(step, now),
    ensures
        now.is_apart(),
{
    assert forall|cpu: nat, id: nat, table: nat| #[trigger] now.serves(cpu, id, table) implies {
        ||| before.serves(cpu, id, table)
        ||| step matches Step::Enter { cpu: c, to, keep } && c == cpu && to == (Use { table, id })
            && !keep
    } by {
        if step is Enter || step is Leave {
            let _ = (now.using)(cpu);
            let _ = (now.returns)(cpu, table);
        }
        if step is Renounce {
            let _ = (now.returns)(cpu, table);
        }
    }
    assert forall|cpu: nat, table: nat| #[trigger] now.uses(cpu, table) implies (now.returns)(
        cpu,
        table,
    ) is None by {
        assert(before.uses(cpu, table) || step is Enter);
    }
    assert forall|cpu: nat, id: nat, one: nat, other: nat| #[trigger]
        now.serves(cpu, id, one) && #[trigger] now.serves(cpu, id, other) implies one == other by {
        if let Step::Enter { cpu: c, to, keep } = step {
            if c == cpu && to.id == id && keep {
                assert(before.serves(cpu, id, to.table));
            }
        }
    }
    assert forall|cpu: nat, id: nat, table: nat, t: Translation| #[trigger]
        now.serves(cpu, id, table) && #[trigger] (now.holds)(cpu, id, t) implies t.table
        == table by {
        if let Step::Load { cpu: c, new } = step {
            if c == cpu && !(before.holds)(cpu, id, t) {
                assert(before.serves(cpu, id, new.table));
            }
        }
    }
}

/// Identifiers are apart at each moment of a run.
pub(crate) proof fn lemma_apart(run: Seq<Processors>, steps: Seq<Step>, n: int)
    requires
        is_run(run, steps),
        0 <= n < run.len(),
    ensures
        run[n].is_apart(),
    decreases n,
{
    if n > 0 {
        let before = n - 1;
        lemma_apart(run, steps, before);
        assert(run[before].goes(steps[before], run[before + 1]));
        lemma_apart_step(run[before], steps[before], run[n]);
    }
}

/// Whatever a processor may use, the table has said at a moment since which the processor was not quiet of it.
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
        run[n].reaches(cpu, t),
    ensures
        0 <= i <= n,
        run[i].backs(t),
        !was_quiet(run, steps, i, n, cpu, t.table, t.va),
    decreases n,
{
    if n == 0 {
        assert(run[0].is_fresh());
        return 0;
    }
    let before = n - 1;
    let (was, now, step) = (run[before], run[n], steps[before]);
    assert(was.goes(step, run[before + 1]));
    lemma_apart(run, steps, before);
    lemma_apart(run, steps, n);
    let (id, table) = choose|id: nat, table: nat| #[trigger]
        now.serves(cpu, id, table) && (now.holds)(cpu, id, t);
    assert(t.table == table);
    if !(was.holds)(cpu, id, t) {
        return n;
    }
    if step is Enter || step is Leave {
        let _ = (now.using)(cpu);
        let _ = (now.returns)(cpu, table);
    }
    assert(was.serves(cpu, id, table));
    let i = lemma_said(run, steps, before, cpu, t);
    assert(!was.hits(step, cpu, id, t));
    assert(!was.is_quiet(step, cpu, t.table, t.va));
    i
}

/// What no table has said since each processor was quiet is used by none.
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
        was_quiet(run, steps, since, n, cpu, t.table, t.va),
    ensures
        !run[n].reaches(cpu, t),
{
    if run[n].reaches(cpu, t) {
        let i = lemma_said(run, steps, n, cpu, t);
        let quiet = choose|q: int|
            since <= q < n && #[trigger] run[q].is_quiet(steps[q], cpu, t.table, t.va);
        assert(i < since);
        assert(i <= quiet < n);
    }
}

} // verus!
