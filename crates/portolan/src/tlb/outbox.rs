//! What a processor asks others.

use super::account::{Account, Pen, Request};
#[cfg(verus_only)]
use super::account::{are_open, are_opens};
use super::bits::{WORDS, mask_of, word_of};
#[cfg(verus_only)]
use super::bits::{bit, cpu_at, lemma_clear, lemma_zero};
use super::cpus::CpuSet;
use super::letter::{Letter, Order, Reply, SlotId, WaitId, Waits};
#[cfg(verus_only)]
use super::letter::{Round, is_share, split};
#[cfg(verus_only)]
use super::queue::Turn;
use super::queue::{BUSY, IDLE, Idle, LAST, Queue, SENT, Sent};
use crate::arch::PagingMode;
#[cfg(verus_only)]
use crate::hw::MAX_CPUS;
use crate::hw::memory::Flushed;
use crate::hw::processor::{Moment, Quiet};
use vstd::atomic_ghost::{AtomicInvariantPredicate, AtomicU64};
use vstd::atomic_with_ghost;
use vstd::cell::pcell_maybe_uninit::PCell;
use vstd::prelude::*;
use vstd::resource::frac_opt::Frac;
use vstd::resource::ghost_var::GhostVar;
#[cfg(verus_only)]
use vstd::resource::ghost_var::GhostVarAuth;
#[cfg(verus_only)]
use vstd::resource::map::GhostMapAuth;
use vstd::resource::map::GhostPointsTo;

verus! {

/// What a word of `waiting` keeps.
pub(crate) struct Waiting;

impl<A: PagingMode> AtomicInvariantPredicate<WaitId, u64, Waits<A>> for Waiting {
    closed spec fn atomic_inv(id: WaitId, word: u64, waits: Waits<A>) -> bool {
        id.keeps(word, waits)
    }
}

/// What the word of a slot keeps.
pub(crate) struct Line;

impl<A: PagingMode> AtomicInvariantPredicate<SlotId, u64, Queue<A>> for Line {
    closed spec fn atomic_inv(id: SlotId, word: u64, queue: Queue<A>) -> bool {
        id.keeps(word, queue)
    }
}

/// What a processor asks others: one request at a time.
#[verifier::reject_recursive_types(A)]
pub(crate) struct Outbox<A: PagingMode> {
    /// The number of the last request, and how far it is.
    line: AtomicU64<SlotId, Queue<A>, Line>,
    /// What is to be invalidated.
    order: PCell<Order<A>>,
    /// The processors that have not answered yet.
    waiting: [AtomicU64<WaitId, Waits<A>, Waiting>; WORDS],
}

impl<A: PagingMode> Outbox<A> {
    /// Which slot.
    pub(crate) closed spec fn id(&self) -> SlotId {
        self.line.constant()
    }

    /// The words are kept as their ids say.
    pub(crate) closed spec fn inv(&self) -> bool {
        &&& self.line.well_formed()
        &&& self.id().cell == self.order.id()
        &&& forall|w: int|
            0 <= w < WORDS ==> (#[trigger] self.waiting[w]).well_formed()
                && self.waiting[w].constant() == (WaitId { slot: self.id(), w })
    }

    /// No request.
    pub(crate) const fn new() -> (r: Self)
        ensures
            r.inv(),
    {
        let (order, Tracked(cell)) = PCell::empty();
        let tracked (w0, h0, k0) = Waits::fresh();
        let tracked (w1, h1, k1) = Waits::fresh();
        let tracked (w2, h2, k2) = Waits::fresh();
        let tracked (w3, h3, k3) = Waits::fresh();
        let ghost rounds = map![0int => h0.id(), 1int => h1.id(), 2int => h2.id(), 3int => h3.id()];
        let ghost opens = map![0int => k0.id(), 1int => k1.id(), 2int => k2.id(), 3int => k3.id()];
        let tracked (letter, opens_held) = Pen::parts(cell, h0, h1, h2, h3, k0, k1, k2, k3);
        let tracked (auth, turn) = GhostVarAuth::new(Turn { word: 0, of: None });
        let tracked (keys, _) = GhostMapAuth::new(Map::empty());
        let ghost slot = SlotId {
            cell: order.id(),
            letter: letter.id(),
            rounds,
            opens,
            turn: turn.id(),
            keys: keys.id(),
        };
        let tracked idle = Some(Idle { pen: Pen { letter, opens: opens_held }, turn });
        let tracked seen = Map::tracked_empty();
        let tracked queue = Queue { turn: auth, keys, seen, idle, sent: None };
        Outbox {
            line: AtomicU64::new(Ghost(slot), 0, Tracked(queue)),
            order,
            waiting: [
                AtomicU64::new(Ghost(WaitId { slot, w: 0 }), 0, Tracked(w0)),
                AtomicU64::new(Ghost(WaitId { slot, w: 1 }), 0, Tracked(w1)),
                AtomicU64::new(Ghost(WaitId { slot, w: 2 }), 0, Tracked(w2)),
                AtomicU64::new(Ghost(WaitId { slot, w: 3 }), 0, Tracked(w3)),
            ],
        }
    }

    /// Takes the right to make a request, if none is on its way, and answers with its number.
    pub(crate) fn claim(&self) -> (r: Option<(u64, Tracked<Idle<A>>)>)
        requires
            self.inv(),
        ensures
            r matches Some((number, idle)) ==> {
                &&& idle@.is_of(self.id())
                &&& idle@.turn@ == Turn::<A> { word: (4 * number + BUSY) as u64, of: None }
                &&& 4 * number <= LAST
            },
        no_unwind
    {
        let word = atomic_with_ghost!(&self.line => load(); ghost queue => { });
        if word % 4 != IDLE || word >= LAST - 4 {
            return None;
        }
        let tracked mut idle = None;
        let next = word + 4 + BUSY;
        let r =
            atomic_with_ghost!(&self.line => compare_exchange(word, next); returning r; ghost queue => {
            if r is Ok {
                let tracked mut right = None;
                vstd::modes::tracked_swap(&mut right, &mut queue.idle);
                let tracked mut right = right.tracked_unwrap();
                queue.turn.update(&mut right.turn, Turn { word: next, of: None });
                idle = Some(right);
            }
        });
        match r {
            Ok(_) => Some((word / 4 + 1, Tracked(idle.tracked_unwrap()))),
            Err(_) => None,
        }
    }

    /// Takes the right to wait for the answers, if a request is on its way and nobody waits for it.
    /// Answers with its number.
    pub(crate) fn take(&self) -> (r: Option<(u64, Tracked<Sent<A>>)>)
        requires
            self.inv(),
        ensures
            r matches Some((number, sent)) ==> {
                &&& sent@.is_of(self.id())
                &&& sent@.turn@ == Turn {
                    word: (4 * number + BUSY) as u64,
                    of: Some(sent@.account.of@),
                }
                &&& 4 * number <= LAST
            },
        no_unwind
    {
        let word = atomic_with_ghost!(&self.line => load(); ghost queue => { });
        if word % 4 != SENT {
            return None;
        }
        let tracked mut sent = None;
        let next = word - SENT + BUSY;
        let r =
            atomic_with_ghost!(&self.line => compare_exchange(word, next); returning r; ghost queue => {
            if r is Ok {
                let tracked mut right = None;
                vstd::modes::tracked_swap(&mut right, &mut queue.sent);
                let tracked mut right = right.tracked_unwrap();
                queue.turn.update(&mut right.turn, Turn { word: next, of: queue.turn@.of });
                sent = Some(right);
            }
        });
        match r {
            Ok(_) => Some((word / 4, Tracked(sent.tracked_unwrap()))),
            Err(_) => None,
        }
    }

    /// Marks the request `number` as on its way, so that anybody may wait for the answers. Answers with the ticket's right.
    pub(crate) fn park(&self, number: u64, Tracked(sent): Tracked<Sent<A>>) -> (r: Tracked<
        GhostPointsTo<nat, Request<A>>,
    >)
        requires
            self.inv(),
            4 * number <= LAST,
            sent.is_of(self.id()),
            sent.turn@ == (Turn::<A> { word: (4 * number + BUSY) as u64, of: None }),
        ensures
            r@.id() == self.id().keys,
            r@@ == (number as nat, sent.account.of@),
        no_unwind
    {
        let tracked key;
        let tracked mut sent = sent;
        let next = 4 * number + SENT;
        atomic_with_ghost!(&self.line => store(next); ghost queue => {
            let of = sent.account.of@;
            queue.turn.update(&mut sent.turn, Turn { word: next, of: Some(of) });
            key = queue.keys.insert(number as nat, of);
            queue.sent = Some(sent);
        });
        Tracked(key)
    }

    /// Notes that all have answered the request `number`.
    pub(crate) fn finish(&self, number: u64, Tracked(sent): Tracked<Sent<A>>)
        requires
            self.inv(),
            4 * number <= LAST,
            sent.account.of@.slot == self.id(),
            sent.account.is_settled_before(WORDS as int),
            sent.turn.id() == self.id().turn,
            sent.turn@ == (Turn::<A> {
                word: (4 * number + BUSY) as u64,
                of: Some(sent.account.of@),
            }),
        no_unwind
    {
        let next = 4 * number + IDLE;
        let tracked Sent { account, mut turn } = sent;
        atomic_with_ghost!(&self.line => store(next); ghost queue => {
            queue.turn.update(&mut turn, Turn { word: next, of: None });
            let tracked (evidence, pen) = account.close();
            queue.seen.tracked_insert(number as nat, evidence);
            queue.idle = Some(Idle { pen, turn });
        });
    }

    /// That all have answered the request of a ticket, if it is over.
    pub(crate) fn outcome(
        &self,
        number: u64,
        Tracked(key): Tracked<&GhostPointsTo<nat, Request<A>>>,
    ) -> (r: Option<Tracked<Flushed<A>>>)
        requires
            self.inv(),
            key.id() == self.id().keys,
            key@.0 == number,
        ensures
            r matches Some(flushed) ==> flushed@.range() == key@.1.round.order.range
                && flushed@.since() == key@.1.round.since.time(),
        no_unwind
    {
        let tracked mut flushed = None;
        let word =
            atomic_with_ghost!(&self.line => load(); returning word; ghost queue => {
            key.agree(&queue.keys);
            assert(queue.keys@.contains_key(number as nat));
            if word / 4 > number || word % 4 == IDLE {
                flushed = Some(queue.seen.tracked_borrow(number as nat).flushed(key@.1));
            }
        });
        if word / 4 > number || word % 4 == IDLE {
            Some(Tracked(flushed.tracked_unwrap()))
        } else {
            None
        }
    }

    /// Writes a request: nobody is asked yet. Answers with a share of its letter for each processor, and with what is
    /// known already.
    pub(crate) fn post(
        &self,
        order: Order<A>,
        targets: &CpuSet,
        Ghost(of): Ghost<Request<A>>,
        Tracked(since): Tracked<Moment>,
        Tracked(quiets): Tracked<Map<nat, Quiet<A>>>,
        Tracked(pen): Tracked<Pen<A>>,
    ) -> (r: Tracked<Account<A>>)
        requires
            self.inv(),
            pen.is_of(self.id()),
            of.slot == self.id(),
            of.round == (Round { since, order, targets: *targets }),
        ensures
            r@.of@ == of,
            r@.since == since,
            r@.quiets == quiets,
            are_open(r@.opens, self.id(), 0),
            forall|c: nat| c < MAX_CPUS ==> #[trigger] r@.has_share(c),
    {
        let ghost round = of.round;
        let tracked Pen { letter, mut opens } = pen;
        let tracked (mut letter, empty) = letter.take_resource();
        self.order.write(Tracked(&mut letter.cell), order);
        proof {
            letter.since = since.tell();
        }
        let mut w = 0;
        while w < WORDS
            invariant
                self.inv(),
                w <= WORDS,
                letter.is_of(self.id()),
                letter.cell.is_init(),
                letter.cell.value() == order,
                letter.since == since,
                round == (Round { since, order, targets: *targets }),
                are_opens(opens, self.id()),
                forall|v: int| 0 <= v < w ==> (#[trigger] letter.rounds[v])@ == round,
                forall|v: int| 0 <= v < w ==> (#[trigger] opens[v])@,
            decreases WORDS - w,
        {
            let word = targets.word(w);
            proof {
                targets.lemma_bits();
                assert(letter.rounds.contains_key(w as int) && opens.contains_key(w as int));
            }
            let tracked mut half = letter.rounds.tracked_remove(w as int);
            let tracked mut open = opens.tracked_remove(w as int);
            atomic_with_ghost!(&self.waiting[w] => store(word); ghost waits => {
                waits.round.update(&mut half, round);
                waits.open.update(&mut open, true);
            });
            proof {
                letter.rounds.tracked_insert(w as int, half);
                opens.tracked_insert(w as int, open);
            }
            w += 1;
        }
        let tracked shares = split(empty.put_resource(letter), MAX_CPUS as nat);
        Tracked(Account { of: Ghost(of), since, shares, quiets, opens })
    }

    /// Reads the request.
    pub(crate) fn read(&self, Tracked(share): Tracked<&Frac<Letter<A>>>) -> (r: Order<A>)
        requires
            self.inv(),
            is_share(*share, self.id()),
        ensures
            r == share.resource().round().order,
        no_unwind
    {
        *self.order.borrow(Tracked(&share.borrow().cell))
    }

    /// Answers the request for the processor `cpu`.
    pub(crate) fn answer(&self, cpu: usize, Tracked(reply): Tracked<Reply<A>>)
        requires
            self.inv(),
            cpu < MAX_CPUS,
            reply.answers(self.id(), cpu as nat, reply.share.resource().round()),
        no_unwind
    {
        let (w, mask) = (word_of(cpu), mask_of(cpu));
        let ghost i = (cpu % 64) as u64;
        atomic_with_ghost!(&self.waiting[w] => fetch_and(!mask); update was -> now; ghost waits => {
            lemma_clear(was, i);
            assert(reply.share.resource().rounds.contains_key(w as int));
            waits.round.agree(reply.share.borrow().rounds.tracked_borrow(w as int));
            waits.replies.tracked_insert(cpu_at(w as int, i), reply);
        });
    }

    /// Takes the answers of a word, if all are there.
    pub(crate) fn collect(
        &self,
        w: usize,
        Tracked(share): Tracked<&Frac<Letter<A>>>,
        Tracked(open): Tracked<&mut GhostVar<bool>>,
    ) -> (r: Option<Tracked<Map<nat, Reply<A>>>>)
        requires
            self.inv(),
            w < WORDS,
            is_share(*share, self.id()),
            old(open).id() == self.id().opens[w as int],
            old(open)@,
        ensures
            final(open).id() == old(open).id(),
            match r {
                Some(replies) => forall|i: u64|
                    #![trigger cpu_at(w as int, i)]
                    i < 64 && share.resource().round().targets.holds(cpu_at(w as int, i)) ==> {
                        &&& replies@.contains_key(cpu_at(w as int, i))
                        &&& replies@[cpu_at(w as int, i)].answers(
                            self.id(),
                            cpu_at(w as int, i),
                            share.resource().round(),
                        )
                    },
                None => final(open)@,
            },
    {
        let tracked mut replies = Map::tracked_empty();
        let word =
            atomic_with_ghost!(&self.waiting[w] => load(); returning word; ghost waits => {
            assert(share.resource().rounds.contains_key(w as int));
            waits.round.agree(share.borrow().rounds.tracked_borrow(w as int));
            waits.open.agree(open);
            if word == 0 {
                lemma_zero();
                waits.open.update(open, false);
                vstd::modes::tracked_swap(&mut waits.replies, &mut replies);
                assert forall|i: u64| i < 64 && waits.round@.targets.holds(#[trigger] cpu_at(w as int, i)) implies
                    replies.contains_key(cpu_at(w as int, i)) && replies[cpu_at(w as int, i)].answers(
                        self.id(), cpu_at(w as int, i), waits.round@) by {
                    assert(!bit(word, i));
                }
            }
        });
        if word == 0 {
            Some(Tracked(replies))
        } else {
            None
        }
    }
}

} // verus!
