//! What a word of the set keeps.

#[cfg(verus_only)]
use super::pairs::{PAIRS, at};
#[cfg(verus_only)]
use crate::arch::PagingMode;
#[cfg(verus_only)]
use crate::flush::FlushRange;
#[cfg(verus_only)]
use crate::hw::MAX_CPUS;
use crate::hw::processor::Table;
#[cfg(verus_only)]
use crate::hw::processor::{Away, Moment, Quiet};
#[cfg(verus_only)]
use crate::tlb::bits::{bit, lemma_zero};
use vstd::prelude::*;

verus! {

/// Which word: of the set of a table, for the processors from `32 * w` on. It has two bits for each: whether it uses the table,
/// and, if not, whether it may go back to it and keep what its TLB holds.
pub(crate) ghost struct WordId {
    pub table: Table,
    pub w: int,
}

impl WordId {
    /// What a word keeps: the [`Away`] of each processor whose first bit is clear, which says that it may go back if its second
    /// bit is set.
    pub(super) open spec fn backs(self, word: u64, kept: Map<nat, Away>) -> bool {
        forall|i: u64|
            i < 32 && !#[trigger] bit(word, i) ==> {
                &&& self.keeps(at(self.w, i), kept)
                &&& bit(word, (i + 32) as u64) ==> kept[at(self.w, i)].returns()
            }
    }

    /// The [`Away`] of `cpu` is in `kept`.
    pub(crate) open spec fn keeps(self, cpu: nat, kept: Map<nat, Away>) -> bool {
        &&& kept.contains_key(cpu)
        &&& kept[cpu].cpu() == cpu
        &&& kept[cpu].table() == self.table
    }

    /// Each of the processors of the word that doesn't use the table is in `known`, from bit `n` on.
    pub(super) open spec fn knows<A: PagingMode>(
        self,
        word: u64,
        n: u64,
        range: FlushRange<A>,
        since: Moment,
        known: Map<nat, Quiet<A>>,
    ) -> bool {
        forall|i: u64|
            n <= i < 32 && !#[trigger] bit(word, i) ==> known.contains_key(at(self.w, i))
                && known[at(self.w, i)].says(at(self.w, i), since, self.table.root, range)
    }

    /// What is known of the processors of the word that are away, from bit `n` on: they may not go back without invalidating any
    /// more.
    pub(super) proof fn quiet<A: PagingMode>(
        self,
        word: u64,
        tracked kept: &mut Map<nat, Away>,
        range: FlushRange<A>,
        tracked since: &Moment,
        n: u64,
        tracked known: &mut Map<nat, Quiet<A>>,
    )
        requires
            0 <= self.w < PAIRS,
            n <= 32,
            forall|i: u64|
                i < 32 && !#[trigger] bit(word, i) ==> self.keeps(at(self.w, i), *old(kept)),
        ensures
            forall|i: u64|
                i < 32 && !#[trigger] bit(word, i) ==> self.keeps(at(self.w, i), *final(kept)),
            self.knows(word, n, range, *since, *final(known)),
            forall|c: nat|
                !(at(self.w, n) <= c < 32 * self.w + 32) && #[trigger] old(known).contains_key(c)
                    ==> final(known).contains_key(c) && final(known)[c] == old(known)[c],
        decreases 32 - n,
    {
        if n < 32 {
            self.quiet(word, kept, range, since, (n + 1) as u64, known);
            let cpu = at(self.w, n);
            if !bit(word, n) {
                assert(self.keeps(cpu, *kept));
                let tracked mut away = kept.tracked_remove(cpu);
                known.tracked_insert(cpu, away.quiet(since, range));
                kept.tracked_insert(cpu, away);
            }
        }
    }

    /// Those of the processors of word `w`, out of all.
    pub(super) proof fn take(table: Table, w: int, tracked all: &mut Map<nat, Away>) -> (tracked r:
        Map<nat, Away>)
        requires
            0 <= w < PAIRS,
            forall|c: nat|
                32 * w <= c < MAX_CPUS ==> #[trigger] (WordId { table, w }).keeps(c, *old(all)),
        ensures
            (WordId { table, w }).backs(0, r),
            forall|c: nat|
                32 * (w + 1) <= c < MAX_CPUS ==> #[trigger] (WordId { table, w: w + 1 }).keeps(
                    c,
                    *final(all),
                ),
    {
        let keys = all.dom().filter(|c: nat| 32 * w <= c < 32 * w + 32);
        let id = WordId { table, w };
        assert forall|c: nat| 32 * w <= c < MAX_CPUS implies #[trigger] all.contains_key(c)
            && all[c].cpu() == c && all[c].table() == table by {
            assert(id.keeps(c, *all));
        }
        lemma_zero();
        all.tracked_remove_keys(keys)
    }
}

} // verus!
