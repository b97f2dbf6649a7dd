//! The slot of a processor: what it asks others, and what others ask of it.

use super::bits::{WORDS, mask_of, word_of};
#[cfg(verus_only)]
use super::bits::{cpu_at, lemma_set, lemma_zero};
#[cfg(verus_only)]
use super::letter::is_share;
use super::letter::{AskId, Letter, Shares, SlotId};
use super::outbox::Outbox;
use crate::arch::PagingMode;
#[cfg(verus_only)]
use crate::hw::MAX_CPUS;
use vstd::atomic_ghost::{AtomicInvariantPredicate, AtomicU64};
use vstd::atomic_with_ghost;
use vstd::prelude::*;
use vstd::resource::frac_opt::Frac;

verus! {

/// What a word of `asked` keeps.
pub(crate) struct Asked;

impl<A: PagingMode> AtomicInvariantPredicate<AskId, u64, Shares<A>> for Asked {
    closed spec fn atomic_inv(id: AskId, word: u64, shares: Shares<A>) -> bool {
        id.keeps(word, shares)
    }
}

/// Which processors ask this one.
#[verifier::reject_recursive_types(A)]
pub(crate) struct Inbox<A: PagingMode> {
    asked: [AtomicU64<AskId, Shares<A>, Asked>; WORDS],
}

impl<A: PagingMode> Inbox<A> {
    /// Of which slots.
    pub(crate) closed spec fn slots(&self) -> Seq<SlotId> {
        self.asked[0].constant().slots
    }

    /// The words are kept as their ids say.
    pub(crate) closed spec fn inv(&self) -> bool {
        forall|w: int|
            0 <= w < WORDS ==> (#[trigger] self.asked[w]).well_formed() && self.asked[w].constant()
                == (AskId { slots: self.slots(), w })
    }

    /// Nobody asks.
    pub(crate) const fn new(Ghost(slots): Ghost<Seq<SlotId>>) -> (r: Self)
        ensures
            r.inv(),
            r.slots() == slots,
    {
        proof {
            lemma_zero();
        }
        Inbox {
            asked: [
                AtomicU64::new(Ghost(AskId { slots, w: 0 }), 0, Tracked(Map::tracked_empty())),
                AtomicU64::new(Ghost(AskId { slots, w: 1 }), 0, Tracked(Map::tracked_empty())),
                AtomicU64::new(Ghost(AskId { slots, w: 2 }), 0, Tracked(Map::tracked_empty())),
                AtomicU64::new(Ghost(AskId { slots, w: 3 }), 0, Tracked(Map::tracked_empty())),
            ],
        }
    }

    /// Asks in the name of the processor `by`.
    pub(crate) fn ask(&self, by: usize, Tracked(share): Tracked<Frac<Letter<A>>>)
        requires
            self.inv(),
            by < self.slots().len(),
            by < MAX_CPUS,
            is_share(share, self.slots()[by as int]),
        no_unwind
    {
        let (w, mask) = (word_of(by), mask_of(by));
        let ghost i = (by % 64) as u64;
        atomic_with_ghost!(&self.asked[w] => fetch_or(mask); update was -> now; ghost shares => {
            lemma_set(was, i);
            shares.tracked_insert(cpu_at(w as int, i), share);
        });
    }

    /// Takes what is asked by the processors of a word.
    pub(crate) fn take(&self, w: usize) -> (r: (u64, Tracked<Shares<A>>))
        requires
            self.inv(),
            w < WORDS,
        ensures
            (AskId { slots: self.slots(), w: w as int }).keeps(r.0, r.1@),
    {
        let tracked mut taken = Map::tracked_empty();
        let word =
            atomic_with_ghost!(&self.asked[w] => swap(0); ghost shares => {
            lemma_zero();
            vstd::modes::tracked_swap(&mut shares, &mut taken);
        });
        (word, Tracked(taken))
    }
}

/// The slot of a processor, by which it asks others and others ask it.
///
/// A kernel makes an array of them, one for each processor, for a [`Shootdown`](super::Shootdown), which sets them up.
#[repr(C, align(64))]
#[verifier::reject_recursive_types(A)]
pub struct CpuSlot<A: PagingMode> {
    pub(crate) inbox: Inbox<A>,
    pub(crate) outbox: Outbox<A>,
}

impl<A: PagingMode> CpuSlot<A> {
    /// A slot that is not yet part of a [`Shootdown`](super::Shootdown).
    #[inline]
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it is of use in an array only")]
    pub const fn new() -> Self {
        CpuSlot::idle()
    }

    /// A slot by which nobody asks.
    #[inline]
    pub(crate) const fn idle() -> (r: Self)
        ensures
            r.outbox.inv(),
            r.inbox.inv(),
    {
        CpuSlot { inbox: Inbox::new(Ghost(Seq::empty())), outbox: Outbox::new() }
    }
}

} // verus!
