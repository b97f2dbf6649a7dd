//! Which processors use a table, and which may come back to it.

use super::bits::WORDS;
#[cfg(verus_only)]
use super::bits::{bit, cpu_at};
use super::cpus::CpuSet;
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::flush::FlushRange;
use crate::hw::processor::{Away, Moment, Quiet, Table, fresh_number};
#[cfg(verus_only)]
use crate::hw::processor::{MAX_CPUS, trust_unused};
use vstd::atomic_ghost::{AtomicInvariantPredicate, AtomicU64};
use vstd::atomic_with_ghost;
use vstd::prelude::*;

mod pairs;
mod word;

use pairs::{PAIRS, RETURNS, USES, join, pair_of, uses_mask, without};
#[cfg(verus_only)]
use pairs::{at, lemma_enter, lemma_join, lemma_leave, lemma_uses};
use word::WordId;

verus! {

/// What a word keeps.
pub(crate) struct Kept;

impl AtomicInvariantPredicate<WordId, u64, Map<nat, Away>> for Kept {
    closed spec fn atomic_inv(id: WordId, word: u64, kept: Map<nat, Away>) -> bool {
        id.backs(word, kept)
    }
}

/// The processors that use the table of an address space, and those that may come back to it and keep what their TLBs hold.
///
/// A processor that starts to use the table is [added](ActiveSet::add) before it loads the root; a shootdown
/// [reads the set](ActiveSet::snapshot) after the stores to the table. So a processor that a shootdown misses loads the
/// root after these stores; and since the shootdown has taken from it the permission to keep what it held, its TLB starts then.
pub(crate) struct ActiveSet {
    root: PhysAddr,
    number: u64,
    words: [AtomicU64<WordId, Map<nat, Away>, Kept>; PAIRS],
}

impl ActiveSet {
    #[verifier::type_invariant]
    spec fn inv(self) -> bool {
        &&& self.number > 0
        &&& forall|w: int|
            0 <= w < PAIRS ==> (#[trigger] self.words[w]).well_formed() && self.words[w].constant()
                == (WordId { table: self.table(), w })
    }

    /// The table.
    pub(crate) closed spec fn table(self) -> Table {
        Table { root: self.root, number: self.number as nat }
    }

    /// The table's root.
    pub(crate) open spec fn root(self) -> PhysAddr {
        self.table().root
    }

    /// A word for the processors from `32 * w` on, none of which uses the table.
    fn unused(
        Ghost(table): Ghost<Table>,
        Ghost(w): Ghost<int>,
        Tracked(all): Tracked<&mut Map<nat, Away>>,
    ) -> (r: AtomicU64<WordId, Map<nat, Away>, Kept>)
        requires
            0 <= w < PAIRS,
            forall|c: nat|
                32 * w <= c < MAX_CPUS ==> #[trigger] (WordId { table, w }).keeps(c, *old(all)),
        ensures
            r.well_formed(),
            r.constant() == (WordId { table, w }),
            forall|c: nat|
                32 * (w + 1) <= c < MAX_CPUS ==> #[trigger] (WordId { table, w: w + 1 }).keeps(
                    c,
                    *final(all),
                ),
    {
        let tracked kept = WordId::take(table, w, all);
        AtomicU64::new(Ghost(WordId { table, w }), 0, Tracked(kept))
    }

    /// No processor uses the table at `root`, which has just been made.
    pub(crate) fn new(root: PhysAddr) -> (r: Self)
        ensures
            r.root() == root,
    {
        let (number, Tracked(fresh)) = fresh_number();
        let ghost table = Table { root, number: number as nat };
        let tracked mut all = trust_unused(fresh, root);
        proof {
            assert forall|c: nat| c < MAX_CPUS implies #[trigger] (WordId { table, w: 0 }).keeps(
                c,
                all,
            ) by {
                assert(all.contains_key(c));
            }
        }
        ActiveSet {
            root,
            number,
            words: [
                Self::unused(Ghost(table), Ghost(0), Tracked(&mut all)),
                Self::unused(Ghost(table), Ghost(1), Tracked(&mut all)),
                Self::unused(Ghost(table), Ghost(2), Tracked(&mut all)),
                Self::unused(Ghost(table), Ghost(3), Tracked(&mut all)),
                Self::unused(Ghost(table), Ghost(4), Tracked(&mut all)),
                Self::unused(Ghost(table), Ghost(5), Tracked(&mut all)),
                Self::unused(Ghost(table), Ghost(6), Tracked(&mut all)),
                Self::unused(Ghost(table), Ghost(7), Tracked(&mut all)),
            ],
        }
    }

    /// Where the table's root lies.
    #[inline]
    pub(crate) fn at(&self) -> (r: PhysAddr)
        ensures
            r == self.root(),
        no_unwind
    {
        self.root
    }

    /// The table's number, which no other one ever has.
    #[inline]
    pub(crate) fn number(&self) -> (r: u64)
        ensures
            r > 0,
            r == self.table().number,
        no_unwind
    {
        proof {
            use_type_invariant(self);
        }
        self.number
    }

    /// Adds a processor, which thereupon may use the table; `None` if it was in the set. Answers also whether it may keep what
    /// its TLB holds of the table.
    pub(crate) fn add(&self, cpu: usize) -> (r: Option<(bool, Tracked<Away>)>)
        requires
            cpu < MAX_CPUS,
        ensures
            r matches Some((keep, away)) ==> {
                &&& away@.cpu() == cpu
                &&& away@.table() == self.table()
                &&& keep ==> away@.returns()
            },
        no_unwind
    {
        proof {
            use_type_invariant(self);
        }
        let (w, mask) = (pair_of(cpu), uses_mask(cpu));
        let ghost i = (cpu % 32) as u64;
        let tracked mut away = None;
        let was =
            atomic_with_ghost!(&self.words[w] => fetch_or(mask); update was -> now; ghost kept => {
            lemma_enter(was, i);
            if !bit(was, i) {
                away = Some(kept.tracked_remove(at(w as int, i)));
            }
        });
        if was & mask == 0 {
            Some((was & (mask << 32) != 0, Tracked(away.tracked_unwrap())))
        } else {
            None
        }
    }

    /// Takes a processor out, which doesn't use the table any longer. If `keep`, it may come back and keep what its TLB holds.
    /// It tries again as long as others come and go at the same time.
    ///
    /// Exercised by `space_ids::translations_survive_a_switch_and_back`.
    #[verifier::exec_allows_no_decreases_clause]
    pub(crate) fn remove(&self, cpu: usize, keep: bool, Tracked(away): Tracked<Away>)
        requires
            cpu < MAX_CPUS,
            away.cpu() == cpu,
            away.table() == self.table(),
            keep ==> away.returns(),
    {
        proof {
            use_type_invariant(self);
        }
        let (w, mask) = (pair_of(cpu), uses_mask(cpu));
        let ghost i = (cpu % 32) as u64;
        let tracked mut away = Some(away);
        loop
            invariant
                self.inv(),
                cpu < MAX_CPUS,
                w == cpu / 32,
                i == cpu % 32,
                mask == 1u64 << i,
                away matches Some(away) && away.cpu() == cpu && away.table() == self.table() && (
                keep ==> away.returns()),
        {
            let was = atomic_with_ghost!(&self.words[w] => load(); ghost kept => { });
            let left = without(was, mask, keep);
            let r =
                atomic_with_ghost!(&self.words[w] => compare_exchange_weak(was, left); returning r; ghost kept => {
                if r is Ok {
                    lemma_leave(was, i, keep);
                    kept.tracked_insert(at(w as int, i), away.tracked_take());
                }
            });
            if r.is_ok() {
                return;
            }
        }
    }

    /// Which of the processors from `32 * w` on use the table. All others are quiet after a moment that has passed, for from
    /// now on none of them may come back without invalidating.
    fn look<A: PagingMode>(
        &self,
        w: usize,
        Ghost(range): Ghost<FlushRange<A>>,
        Tracked(since): Tracked<&Moment>,
        Tracked(known): Tracked<&mut Map<nat, Quiet<A>>>,
    ) -> (r: u64)
        requires
            w < PAIRS,
        ensures
            (WordId { table: self.table(), w: w as int }).knows(r, 0, range, *since, *final(known)),
            forall|c: nat|
                !(32 * w <= c < 32 * w + 32) && #[trigger] old(known).contains_key(c)
                    ==> final(known).contains_key(c) && final(known)[c] == old(known)[c],
    {
        proof {
            use_type_invariant(self);
        }
        let ghost id = WordId { table: self.table(), w: w as int };
        let word =
            atomic_with_ghost!(&self.words[w] => load(); returning word; ghost kept => {
            if word & RETURNS == 0 {
                lemma_uses(word);
                id.quiet(word, &mut kept, range, since, 0, known);
            }
        });
        if word & RETURNS == 0 {
            return word;
        }
        atomic_with_ghost!(&self.words[w] => fetch_and(USES); update was -> now; ghost kept => {
            lemma_uses(was);
            id.quiet(was, &mut kept, range, since, 0, known);
        })
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
        let mut words = [0;WORDS];
        let tracked mut known: Map<nat, Quiet<A>> = Map::tracked_empty();
        let mut w = 0;
        while w < WORDS
            invariant
                w <= WORDS,
                forall|v: int, i: u64|
                    0 <= v < w && i < 64 && !#[trigger] bit(words[v], i) ==> known.contains_key(
                        cpu_at(v, i),
                    ) && known[cpu_at(v, i)].says(cpu_at(v, i), *since, self.root(), range),
            decreases WORDS - w,
        {
            let low = self.look::<A>(2 * w, Ghost(range), Tracked(since), Tracked(&mut known));
            let high = self.look::<A>(2 * w + 1, Ghost(range), Tracked(since), Tracked(&mut known));
            words[w] = join(low, high);
            proof {
                lemma_join(low, high);
                assert forall|i: u64|
                    i < 64 && !#[trigger] bit(words[w as int], i) implies known.contains_key(
                    cpu_at(w as int, i),
                ) && known[cpu_at(w as int, i)].says(
                    cpu_at(w as int, i),
                    *since,
                    self.root(),
                    range,
                ) by {
                    if i < 32 {
                        assert(at(2 * w, i) == cpu_at(w as int, i));
                        assert(!bit(low, i));
                    } else {
                        let j = (i - 32) as u64;
                        assert(at(2 * w + 1, j) == cpu_at(w as int, i));
                        assert(!bit(high, j));
                    }
                }
            }
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
