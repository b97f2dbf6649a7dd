//! What was mapped at a place, one state after the other, and which of them an access may still meet.

use super::frames::{SCRATCH, is_scratch_word, tag_word};
use crate::access::{Access, Kind, Outcome};
use crate::fault::Refusal;
use crate::walk::{Regime, Rights};
use portolan::PageProperty;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a program may do with a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// Load.
    Read,
    /// Load and store.
    Write,
    /// Load and fetch.
    Execute,
    /// Nothing: the page is the kernel's.
    Nothing,
}

impl Grant {
    /// All of them.
    pub(super) const ALL: [Grant; 4] = [Grant::Read, Grant::Write, Grant::Execute, Grant::Nothing];

    /// The properties of a page that grants this.
    pub(super) fn properties(self) -> PageProperty {
        match self {
            Grant::Read => PageProperty::USER_RO,
            Grant::Write => PageProperty::USER_RW,
            Grant::Execute => PageProperty::USER_RX,
            Grant::Nothing => PageProperty::KERNEL_RW,
        }
    }

    fn allows(self, kind: Kind) -> bool {
        match kind {
            Kind::Load => self != Grant::Nothing,
            Kind::Store => self == Grant::Write,
            Kind::Fetch => self == Grant::Execute,
        }
    }
}

/// What is mapped at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing.
    Absent,
    /// A page.
    Page {
        /// The tag of its frames.
        tag: u64,
        /// What programs may do with it.
        grant: Grant,
        /// Whether it is one of the smallest pages where there is room for a larger one.
        small: bool,
    },
}

impl State {
    fn encode(self) -> u64 {
        match self {
            State::Absent => 0,
            State::Page { tag, grant, small } => tag << 3 | u64::from(small) << 2 | grant as u64,
        }
    }

    fn decode(word: u64) -> Self {
        match word {
            0 => State::Absent,
            _ => State::Page {
                tag: word >> 3,
                grant: Grant::ALL[(word & 3) as usize],
                small: word & 4 != 0,
            },
        }
    }

    /// Whether `got` is what comes of an access by a program, in the `frame`th frame from the start of the place.
    pub(super) fn allows(self, regime: Regime, access: &Access, frame: u64, got: Outcome) -> bool {
        let refusal = match self {
            State::Page { small: true, .. } if frame > 0 => Refusal::Absent { level: 1 },
            State::Page { tag, grant, .. } if grant.allows(access.kind) => {
                return match got {
                    Outcome::Loaded(word) if access.va & 0xfff == SCRATCH => is_scratch_word(word),
                    Outcome::Loaded(word) => word == tag_word(tag),
                    Outcome::Fetched(number) => number == tag as u32,
                    outcome => outcome == Outcome::Stored,
                };
            }
            State::Page { .. } => Refusal::Denied {
                level: 1,
                rights: Rights::ALL,
            },
            State::Absent => Refusal::Absent { level: 1 },
        };
        match regime {
            Regime::X86_64 { .. } | Regime::Riscv { .. } => {
                got == Outcome::Fault(refusal.fault(regime, access))
            }
            // these say at which level a walk ended, which is the tables' matter
            _ => matches!(got, Outcome::Fault(_)),
        }
    }
}

/// How many states are remembered.
const REMEMBERED: u64 = 32;

/// The states of a place in the order in which they were asked for.
///
/// Only the thread that has the cursor adds states. Anybody may see those from the last one that all processors were told
/// of, up to the last one that was asked for: if these are the same, just that one.
pub(super) struct History {
    issued: AtomicU64,
    synced: AtomicU64,
    states: [AtomicU64; REMEMBERED as usize],
}

impl History {
    /// `state` has always been there.
    pub(super) fn new(state: State) -> Self {
        let states = [const { AtomicU64::new(0) }; REMEMBERED as usize];
        states[0].store(state.encode(), Ordering::SeqCst);
        History {
            issued: AtomicU64::new(0),
            synced: AtomicU64::new(0),
            states,
        }
    }

    fn at(&self, number: u64) -> State {
        State::decode(self.states[(number % REMEMBERED) as usize].load(Ordering::SeqCst))
    }

    /// The last state that was asked for. For whoever has the cursor.
    pub(super) fn now(&self) -> State {
        self.at(self.issued.load(Ordering::SeqCst))
    }

    /// From now on `state` may be there. For whoever has the cursor, before the operation.
    pub(super) fn issue(&self, state: State) {
        let number = self.issued.load(Ordering::SeqCst) + 1;
        self.states[(number % REMEMBERED) as usize].store(state.encode(), Ordering::SeqCst);
        self.issued.store(number, Ordering::SeqCst);
    }

    /// The number of the last state that was asked for.
    pub(super) fn last(&self) -> u64 {
        self.issued.load(Ordering::SeqCst)
    }

    /// No processor has anything of the states before the one of this number any more.
    pub(super) fn settle(&self, number: u64) {
        self.synced.fetch_max(number, Ordering::SeqCst);
    }

    /// The number of the first state that may still be seen.
    pub(super) fn first(&self) -> u64 {
        self.synced.load(Ordering::SeqCst)
    }

    /// The states that may have been seen since `first`; `None` if there were too many.
    pub(super) fn since(&self, first: u64) -> Option<Vec<State>> {
        let last = self.last();
        if last - first >= REMEMBERED / 2 {
            return None;
        }
        let states = (first..=last).map(|number| self.at(number)).collect();
        // a state is written before it is counted, so one more may be on its way to where the first was
        (self.last() - first < REMEMBERED - 1).then_some(states)
    }
}
