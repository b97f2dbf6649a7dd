//! A program's accesses, and what must come of them.

use super::frames::{CODE, SCRATCH, TAG, scratch_word, tag_word};
use super::history::State;
use super::report::Mismatch;
use super::round::KERNEL_TAG;
use super::worker::Worker;
use super::{Host, Mode};
use crate::access::{Access, Kind, Outcome, Privilege};
use crate::fault::Fault;
use portolan::frame::FRAME_SIZE;

/// An access to a place.
struct Aim {
    place: usize,
    /// In which frame from the start of the place.
    frame: u64,
    access: Access,
    /// The first state that it may meet.
    first: u64,
}

impl<A: Mode, M: Host> Worker<'_, '_, A, M> {
    /// So many accesses to places of the address space that this processor uses, and one to a page of the kernel's.
    pub(super) fn probe(&mut self, count: usize) -> Result<(), Mismatch> {
        let aims: Vec<_> = (0..count).map(|_| self.aim()).collect();
        let kernel = Access::load(self.shared.layout.kernel + TAG, Privilege::Supervisor);
        let accesses: Vec<_> = aims.iter().map(|aim| aim.access).chain([kernel]).collect();
        let machine = self.shared.machine.cpus().machine();
        let outcomes = machine.access(self.number, &accesses)?;
        for (aim, got) in aims.iter().zip(&outcomes) {
            self.tally.access(&aim.access, got);
            self.judge(aim, *got)?;
        }
        match outcomes.last() {
            Some(Outcome::Loaded(word)) if *word == tag_word(KERNEL_TAG) => Ok(()),
            Some(got) => Err(Mismatch::KernelPage {
                access: kernel,
                got: *got,
            }),
            None => Ok(()),
        }
    }

    fn aim(&mut self) -> Aim {
        let place = self.rng.below(self.shared.layout.places.len() as u64) as usize;
        let at = self.shared.layout.places[place];
        let last = at.size.bytes() / FRAME_SIZE - 1;
        let frame = self.rng.pick(&[0, last / 2, last]);
        let va = at.va + frame * FRAME_SIZE;
        let access = match self
            .rng
            .pick(&[Kind::Load, Kind::Load, Kind::Store, Kind::Fetch])
        {
            Kind::Load => Access::load(va + self.rng.pick(&[TAG, TAG, SCRATCH]), Privilege::User),
            Kind::Store => {
                let word = scratch_word(self.rng.next());
                Access::store(va + SCRATCH, Privilege::User, word)
            }
            Kind::Fetch => Access::fetch(va + CODE, Privilege::User),
        };
        let first = self
            .active
            .map_or(0, |subject| subject.places[place].first());
        Aim {
            place,
            frame,
            access,
            first,
        }
    }

    fn judge(&mut self, aim: &Aim, got: Outcome) -> Result<(), Mismatch> {
        let states = match self.active {
            Some(subject) => subject.places[aim.place].since(aim.first),
            None => Some(vec![State::Absent]),
        };
        let Some(states) = states else {
            self.tally.unjudged += 1;
            return Ok(());
        };
        let mut got = got;
        if states.len() > 1 {
            self.tally.racing += 1;
            got = at_start(&aim.access, got);
        } else {
            self.tally.exact += 1;
        }
        let regime = self.shared.machine.cpus().machine().regime();
        let mut each = states.iter();
        if each.any(|state| state.allows(regime, &aim.access, aim.frame, got)) {
            return Ok(());
        }
        let machine = self.shared.machine.cpus().machine();
        machine.invalidate_all(self.number)?;
        let again = match aim.access.kind {
            Kind::Load => machine.access(self.number, &[aim.access])?.pop(),
            _ => None,
        };
        Err(Mismatch::Access {
            again: again.map(Box::new),
            space: self.active.map(|subject| subject.number),
            access: aim.access,
            states,
            got,
        })
    }
}

/// What comes of an access that others' changes may split: a fetch executes two instructions of a word, and the second may
/// not be there any more. That is the fault of a fetch as well.
fn at_start(access: &Access, got: Outcome) -> Outcome {
    match got {
        Outcome::Fault(Fault::Page { code, addr })
            if access.kind == Kind::Fetch && (access.va..access.va + 8).contains(&addr) =>
        {
            let addr = access.va;
            Outcome::Fault(Fault::Page { code, addr })
        }
        got => got,
    }
}
