//! What the word of a slot says of its requests, which are numbered.

use super::account::{Account, Evidence, Pen, Request};
use super::letter::SlotId;
use crate::arch::PagingMode;
use vstd::prelude::*;
use vstd::resource::ghost_var::{GhostVar, GhostVarAuth};
use vstd::resource::map::GhostMapAuth;

verus! {

/// A slot's last request, in the word: its number times four, and how far it is.
#[verifier::reject_recursive_types(A)]
pub(crate) ghost struct Turn<A: PagingMode> {
    pub word: u64,
    pub of: Option<Request<A>>,
}

/// The right to make a request.
#[verifier::reject_recursive_types(A)]
pub(crate) tracked struct Idle<A: PagingMode> {
    pub pen: Pen<A>,
    pub turn: GhostVar<Turn<A>>,
}

/// A request on its way, and the right to wait for the answers.
#[verifier::reject_recursive_types(A)]
pub(crate) tracked struct Sent<A: PagingMode> {
    pub account: Account<A>,
    pub turn: GhostVar<Turn<A>>,
}

/// What a slot keeps of its requests: the right to make one or to wait for one, what each was about for whom a ticket
/// is out, and of those that are over that all processors were quiet.
#[verifier::reject_recursive_types(A)]
pub(crate) tracked struct Queue<A: PagingMode> {
    pub turn: GhostVarAuth<Turn<A>>,
    pub keys: GhostMapAuth<nat, Request<A>>,
    pub seen: Map<nat, Evidence<A>>,
    pub idle: Option<Idle<A>>,
    pub sent: Option<Sent<A>>,
}

/// No request is on its way.
pub(crate) const IDLE: u64 = 0;

/// Somebody writes the request, or waits for the answers to it.
pub(crate) const BUSY: u64 = 1;

/// The request is on its way, and nobody waits for the answers.
pub(crate) const SENT: u64 = 2;

/// The largest word: a slot has no more requests. One each nanosecond would take a hundred years.
pub(crate) const LAST: u64 = 0xffff_ffff_ffff_fff0;

impl<A: PagingMode> Idle<A> {
    /// Whether it is the slot's.
    pub(crate) open spec fn is_of(self, slot: SlotId) -> bool {
        self.pen.is_of(slot) && self.turn.id() == slot.turn
    }
}

impl<A: PagingMode> Sent<A> {
    /// Whether it is the slot's.
    pub(crate) open spec fn is_of(self, slot: SlotId) -> bool {
        &&& self.account.of@.slot == slot
        &&& self.account.is_settled_before(0)
        &&& self.turn.id() == slot.turn
    }
}

impl<A: PagingMode> Queue<A> {
    /// Whether the request `number` is over, with evidence for the ticket.
    pub(crate) open spec fn has_seen(self, number: nat) -> bool {
        self.seen.contains_key(number) && self.seen[number].is_of(self.keys@[number])
    }
}

impl SlotId {
    /// The invariant of a slot's word.
    pub(crate) open spec fn keeps<A: PagingMode>(self, word: u64, queue: Queue<A>) -> bool {
        let (last, state) = ((word / 4) as nat, word % 4);
        &&& state <= SENT
        &&& word <= LAST + SENT
        &&& queue.turn.id() == self.turn
        &&& queue.turn@.word == word
        &&& queue.keys.id() == self.keys
        &&& state == IDLE ==> (queue.idle matches Some(idle) && idle.is_of(self))
        &&& state == SENT ==> (queue.sent matches Some(sent) && sent.is_of(self) && queue.turn@.of
            == Some(sent.account.of@))
        &&& forall|number: nat| #[trigger]
            queue.keys@.contains_key(number) ==> {
                &&& number <= last
                &&& number < last || state == IDLE ==> queue.has_seen(number)
                &&& number == last && state != IDLE ==> queue.turn@.of == Some(queue.keys@[number])
            }
    }
}

} // verus!
