//! Waiting for the answers.

use super::account::{Account, Request};
use super::bits::WORDS;
use super::outbox::Outbox;
#[cfg(verus_only)]
use super::queue::{BUSY, LAST, Sent, Turn};
use super::shootdown::Shootdown;
#[cfg(verus_only)]
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
#[cfg(verus_only)]
use crate::flush::FlushRange;
use crate::hw::memory::Flushed;
use crate::hw::processor::relax;
use crate::hw::{AtomicMode, Processors};
use vstd::prelude::*;
use vstd::resource::map::GhostPointsTo;

verus! {

/// A shootdown on its way. Whoever isn't interested in when it is over may drop it.
#[must_use = "the processors have not answered yet"]
#[verifier::reject_recursive_types(A)]
pub(crate) struct Ticket<'s, A: PagingMode> {
    outbox: &'s Outbox<A>,
    number: u64,
    key: Tracked<GhostPointsTo<nat, Request<A>>>,
}

impl<'s, A: PagingMode> Ticket<'s, A> {
    #[verifier::type_invariant]
    spec fn inv(self) -> bool {
        &&& self.outbox.inv()
        &&& self.key@.id() == self.outbox.id().keys
        &&& self.key@@.0 == self.number
    }

    /// For a request that is on its way.
    pub(super) fn new(
        outbox: &'s Outbox<A>,
        number: u64,
        key: Tracked<GhostPointsTo<nat, Request<A>>>,
    ) -> (r: Self)
        requires
            outbox.inv(),
            key@.id() == outbox.id().keys,
            key@@.0 == number,
        ensures
            r.range() == key@@.1.round.order.range,
            r.root() == key@@.1.round.order.root,
            r.since() == key@@.1.round.since.time(),
    {
        Ticket { outbox, number, key }
    }

    /// What is invalidated.
    pub(crate) closed spec fn range(self) -> FlushRange<A> {
        self.key@@.1.round.order.range
    }

    /// After which moment.
    pub(crate) closed spec fn since(self) -> int {
        self.key@@.1.round.since.time()
    }

    /// Of which table.
    pub(crate) closed spec fn root(self) -> PhysAddr {
        self.key@@.1.round.order.root
    }
}

impl<'a, A: PagingMode> Shootdown<'a, A> {
    /// Waits until all processors that were asked have answered.
    ///
    /// It ends, since each of them handles what it is asked: in an interrupt, or, if it waits as well, here.
    ///
    /// Exercised by `space::a_stale_translation_is_gone_after_sync`.
    #[verifier::exec_allows_no_decreases_clause]
    pub(crate) fn sync<G: AtomicMode, P: Processors<A>>(
        &self,
        guard: &G,
        machine: &P,
        ticket: &Ticket<'_, A>,
    ) -> (r: Tracked<Flushed<A>>)
        ensures
            r@.range() == ticket.range(),
            r@.since() == ticket.since(),
    {
        proof {
            use_type_invariant(ticket);
        }
        let (outbox, number) = (ticket.outbox, ticket.number);
        loop
            invariant
                outbox.inv(),
                ticket.key@.id() == outbox.id().keys,
                ticket.key@@.0 == number,
        {
            if let Some(flushed) = outbox.outcome(number, Tracked(ticket.key.borrow())) {
                return flushed;
            }
            if !self.end(guard, machine, outbox) {
                // somebody else waits for the answers, and will note that they are there
                self.handle(guard, machine);
                relax::<A, P>(machine);
            }
        }
    }

    /// Waits for the answers to the request that is on its way from a slot, if there is one and nobody waits for it.
    pub(super) fn end<G: AtomicMode, P: Processors<A>>(
        &self,
        guard: &G,
        machine: &P,
        outbox: &Outbox<A>,
    ) -> bool
        requires
            outbox.inv(),
    {
        let Some((number, sent)) = outbox.take() else {
            return false;
        };
        let Tracked(sent) = sent;
        let tracked Sent { mut account, turn } = sent;
        let mut w = 0;
        while w < WORDS
            invariant
                w <= WORDS,
                outbox.inv(),
                account.of@.slot == outbox.id(),
                4 * number <= LAST,
                turn.id() == outbox.id().turn,
                turn@ == (Turn { word: (4 * number + BUSY) as u64, of: Some(account.of@) }),
                account.is_settled_before(w as int),
            decreases WORDS - w,
        {
            let Tracked(next) = self.wait(guard, machine, outbox, w, Tracked(account));
            proof {
                account = next;
            }
            w += 1;
        }
        outbox.finish(number, Tracked(Sent { account, turn }));
        true
    }

    /// Waits for the answers of the processors from `64 * w` on. It ends as `sync` does.
    ///
    /// Exercised by `space::a_stale_translation_is_gone_after_sync`.
    #[verifier::exec_allows_no_decreases_clause]
    fn wait<G: AtomicMode, P: Processors<A>>(
        &self,
        guard: &G,
        machine: &P,
        outbox: &Outbox<A>,
        w: usize,
        Tracked(account): Tracked<Account<A>>,
    ) -> (r: Tracked<Account<A>>)
        requires
            w < WORDS,
            outbox.inv(),
            account.of@.slot == outbox.id(),
            account.is_settled_before(w as int),
        ensures
            r@.of == account.of,
            r@.is_settled_before(w + 1),
    {
        let tracked mut rest = account;
        assert(rest.opens.contains_key(w as int));
        let tracked mut open = rest.opens.tracked_remove(w as int);
        loop
            invariant
                w < WORDS,
                outbox.inv(),
                account.of@.slot == outbox.id(),
                account.is_settled_before(w as int),
                rest == (Account { opens: account.opens.remove(w as int), ..account }),
                open.id() == outbox.id().opens[w as int],
                open@,
        {
            let tracked share = rest.shares.tracked_borrow(rest.of@.cpu);
            let replies = outbox.collect(w, Tracked(share), Tracked(&mut open));
            if let Some(replies) = replies {
                let Tracked(mut replies) = replies;
                proof {
                    rest.opens.tracked_insert(w as int, open);
                    rest.enter(w as int, 0, &mut replies);
                    account.lemma_settled(rest, w as int);
                }
                return Tracked(rest);
            }
            self.handle(guard, machine);
            relax::<A, P>(machine);
        }
    }
}

} // verus!
