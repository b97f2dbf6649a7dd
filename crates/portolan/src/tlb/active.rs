//! Which processors use a table.

use super::bits::{WORDS, mask_of, word_of};
#[cfg(verus_only)]
use super::bits::{bit, cpu_at, lemma_clear, lemma_set, lemma_zero};
use super::cpus::CpuSet;
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::flush::FlushRange;
use crate::hw::processor::{Away, Moment, Quiet};
#[cfg(verus_only)]
use crate::hw::processor::{MAX_CPUS, trust_unused};
use vstd::atomic_ghost::{AtomicInvariantPredicate, AtomicU64};
use vstd::atomic_with_ghost;
use vstd::prelude::*;

verus! {

/// Which word: of the set of the table at `root`, for the processors from `64 * w` on.
pub(crate) ghost struct WordId {
    pub root: PhysAddr,
    pub w: int,
}

/// A word keeps the [`Away`] of each processor whose bit is clear.
pub(crate) struct Kept;

impl AtomicInvariantPredicate<WordId, u64, Map<nat, Away>> for Kept {
    closed spec fn atomic_inv(id: WordId, word: u64, kept: Map<nat, Away>) -> bool {
        forall|i: u64| i < 64 && !#[trigger] bit(word, i) ==> id.keeps(cpu_at(id.w, i), kept)
    }
}

impl WordId {
    /// The [`Away`] of `cpu` is in `kept`.
    pub(crate) open spec fn keeps(self, cpu: nat, kept: Map<nat, Away>) -> bool {
        &&& kept.contains_key(cpu)
        &&& kept[cpu].cpu() == cpu
        &&& kept[cpu].root() == self.root
    }

    /// What is known of the processors of the word that are away: those from bit `n` on.
    proof fn quiet<A: PagingMode>(
        self,
        word: u64,
        tracked kept: &Map<nat, Away>,
        range: FlushRange<A>,
        tracked since: &Moment,
        n: u64,
        tracked known: &mut Map<nat, Quiet<A>>,
    )
        requires
            0 <= self.w < WORDS,
            n <= 64,
            Kept::atomic_inv(self, word, *kept),
        ensures
            forall|i: u64|
                n <= i < 64 && !#[trigger] bit(word, i) ==> final(known).contains_key(
                    cpu_at(self.w, i),
                ) && final(known)[cpu_at(self.w, i)].says(
                    cpu_at(self.w, i),
                    *since,
                    self.root,
                    range,
                ),
            forall|c: nat|
                !(cpu_at(self.w, n) <= c < 64 * self.w + 64) && #[trigger] old(known).contains_key(
                    c,
                ) ==> final(known).contains_key(c) && final(known)[c] == old(known)[c],
        decreases 64 - n,
    {
        if n < 64 {
            self.quiet(word, kept, range, since, (n + 1) as u64, known);
            let cpu = cpu_at(self.w, n);
            if !bit(word, n) {
                known.tracked_insert(cpu, kept.tracked_borrow(cpu).quiet(since, range));
            }
        }
    }

    /// Those of the processors of word `w`, out of all.
    proof fn take(root: PhysAddr, w: int, tracked all: &mut Map<nat, Away>) -> (tracked r: Map<
        nat,
        Away,
    >)
        requires
            0 <= w < WORDS,
            forall|c: nat|
                64 * w <= c < MAX_CPUS ==> #[trigger] (WordId { root, w }).keeps(c, *old(all)),
        ensures
            Kept::atomic_inv(WordId { root, w }, 0, r),
            forall|c: nat|
                64 * (w + 1) <= c < MAX_CPUS ==> #[trigger] (WordId { root, w: w + 1 }).keeps(
                    c,
                    *final(all),
                ),
    {
        let keys = all.dom().filter(|c: nat| 64 * w <= c < 64 * w + 64);
        let id = WordId { root, w };
        assert forall|c: nat| 64 * w <= c < MAX_CPUS implies #[trigger] all.contains_key(c)
            && all[c].cpu() == c && all[c].root() == root by {
            assert(id.keeps(c, *all));
        }
        all.tracked_remove_keys(keys)
    }
}

/// The processors that use the table of an address space.
///
/// A processor that starts to use the table is [added](ActiveSet::add) before it loads the root; a shootdown
/// [reads the set](ActiveSet::snapshot) after the stores to the table. So a processor that a shootdown misses loads the
/// root, and its TLB starts, after these stores.
pub(crate) struct ActiveSet {
    words: [AtomicU64<WordId, Map<nat, Away>, Kept>; WORDS],
}

impl ActiveSet {
    #[verifier::type_invariant]
    spec fn inv(self) -> bool {
        forall|w: int|
            0 <= w < WORDS ==> (#[trigger] self.words[w]).well_formed() && self.words[w].constant()
                == (WordId { root: self.root(), w })
    }

    /// The table.
    pub(crate) closed spec fn root(self) -> PhysAddr {
        self.words[0].constant().root
    }

    /// No processor uses the table at `root`, which has just been made.
    pub(crate) fn new(root: PhysAddr) -> (r: Self)
        ensures
            r.root() == root,
    {
        let _ = root;
        let tracked mut all = trust_unused(root);
        proof {
            assert forall|c: nat| c < MAX_CPUS implies #[trigger] (WordId { root, w: 0 }).keeps(
                c,
                all,
            ) by {
                assert(all.contains_key(c));
            }
        }
        let tracked k0 = WordId::take(root, 0, &mut all);
        let tracked k1 = WordId::take(root, 1, &mut all);
        let tracked k2 = WordId::take(root, 2, &mut all);
        let tracked k3 = WordId::take(root, 3, &mut all);
        ActiveSet {
            words: [
                AtomicU64::new(Ghost(WordId { root, w: 0 }), 0, Tracked(k0)),
                AtomicU64::new(Ghost(WordId { root, w: 1 }), 0, Tracked(k1)),
                AtomicU64::new(Ghost(WordId { root, w: 2 }), 0, Tracked(k2)),
                AtomicU64::new(Ghost(WordId { root, w: 3 }), 0, Tracked(k3)),
            ],
        }
    }

    /// Adds a processor, which thereupon may use the table; `None` if it was in the set.
    pub(crate) fn add(&self, cpu: usize) -> (r: Option<Tracked<Away>>)
        requires
            cpu < MAX_CPUS,
        ensures
            r matches Some(away) ==> away@.cpu() == cpu && away@.root() == self.root(),
        no_unwind
    {
        proof {
            use_type_invariant(self);
        }
        let (w, mask) = (word_of(cpu), mask_of(cpu));
        let ghost i = (cpu % 64) as u64;
        let tracked mut away = None;
        let was =
            atomic_with_ghost!(&self.words[w] => fetch_or(mask); update was -> now; ghost kept => {
            lemma_set(was, i);
            if !bit(was, i) {
                away = Some(kept.tracked_remove(cpu_at(w as int, i)));
            }
        });
        if was & mask == 0 {
            Some(Tracked(away.tracked_unwrap()))
        } else {
            None
        }
    }

    /// Takes a processor out, which doesn't use the table any longer.
    pub(crate) fn remove(&self, cpu: usize, Tracked(away): Tracked<Away>)
        requires
            cpu < MAX_CPUS,
            away.cpu() == cpu,
            away.root() == self.root(),
        no_unwind
    {
        proof {
            use_type_invariant(self);
        }
        let (w, mask) = (word_of(cpu), mask_of(cpu));
        let ghost i = (cpu % 64) as u64;
        atomic_with_ghost!(&self.words[w] => fetch_and(!mask); update was -> now; ghost kept => {
            lemma_clear(was, i);
            kept.tracked_insert(cpu_at(w as int, i), away);
        });
    }

    /// The processors that are in the set, and what that says of all others: they are quiet after a moment that has
    /// passed.
    pub(crate) fn snapshot<A: PagingMode>(
        &self,
        Ghost(range): Ghost<FlushRange<A>>,
        Tracked(since): Tracked<&Moment>,
    ) -> (r: (CpuSet, Tracked<Map<nat, Quiet<A>>>))
        ensures
            forall|c: nat|
                c < MAX_CPUS && !r.0.holds(c) ==> #[trigger] r.1@.contains_key(c) && r.1@[c].says(
                    c,
                    *since,
                    self.root(),
                    range,
                ),
    {
        proof {
            use_type_invariant(self);
        }
        let mut words = [0;WORDS];
        let tracked mut known: Map<nat, Quiet<A>> = Map::tracked_empty();
        let mut w = 0;
        while w < WORDS
            invariant
                self.inv(),
                w <= WORDS,
                forall|v: int, i: u64|
                    0 <= v < w && i < 64 && !#[trigger] bit(words[v], i) ==> known.contains_key(
                        cpu_at(v, i),
                    ) && known[cpu_at(v, i)].says(cpu_at(v, i), *since, self.root(), range),
            decreases WORDS - w,
        {
            let word =
                atomic_with_ghost!(&self.words[w] => load(); returning word; ghost kept => {
                (WordId { root: self.root(), w: w as int }).quiet(word, &kept, range, since, 0, &mut known);
            });
            words[w] = word;
            w += 1;
        }
        let set = CpuSet::of(words);
        proof {
            set.lemma_bits();
            assert forall|c: nat|
                c < MAX_CPUS && !set.holds(c) implies #[trigger] known.contains_key(c)
                && known[c].says(c, *since, self.root(), range) by {
                let (v, i) = (c as int / 64, (c % 64) as u64);
                assert(c == cpu_at(v, i));
                assert(!bit(words[v], i));
            }
        }
        (set, Tracked(known))
    }
}

} // verus!
