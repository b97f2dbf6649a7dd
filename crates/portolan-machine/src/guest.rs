//! What the guests of emulators have in common: a small program of ours runs in each, which performs steps that the host
//! writes down in memory that both see.

mod answer;
pub(crate) mod file;
pub(crate) mod mailbox;
pub(crate) mod process;
pub(crate) mod root;

use crate::access::Access;
use crate::machine::MachineError;
use crate::memory::Memory;
pub use answer::{Answer, Fault};
use mailbox::{Mailbox, Report, Step};
use portolan::PhysAddr;
use root::Copied;
use std::ops::RangeInclusive;

/// What is said to the program in a guest, and what its reports mean.
pub(crate) trait Protocol: Send {
    /// The step for an access.
    fn access(&self, access: &Access, area: u64) -> Step;

    /// What the register that holds the root is loaded with.
    fn root(&self, root: u64) -> u64;

    /// What came of an access, or nothing if the report is not one that an access leads to.
    fn answer(&self, access: &Access, report: &Report, area: u64) -> Option<Answer>;
}

/// A guest that has been started.
pub(crate) struct Guest {
    memory: Memory,
    mailbox: Mailbox,
    protocol: Box<dyn Protocol>,
    area: u64,
    root: Copied,
    /// What is to be done before the next access. Until then nothing can tell whether it was.
    pending: Vec<Step>,
    broken: Option<MachineError>,
}

impl Guest {
    /// A guest whose program has been started, with a root that maps nothing, once it has answered.
    pub(crate) fn new(
        memory: Memory,
        mailbox: Mailbox,
        root: Copied,
        protocol: Box<dyn Protocol>,
        area: u64,
    ) -> Result<Self, MachineError> {
        let mut guest = Guest {
            memory,
            mailbox,
            protocol,
            area,
            root,
            pending: Vec::new(),
            broken: None,
        };
        guest.set_root(None)?;
        guest.perform(&[])?;
        Ok(guest)
    }

    /// Has a step performed before the next access.
    pub(crate) fn later(&mut self, step: Step) -> Result<(), MachineError> {
        self.pending.push(step);
        match &self.broken {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }

    /// Performs what is pending and then these steps, on the tables as they are now, and gives the reports of these.
    fn perform(&mut self, steps: &[Step]) -> Result<Vec<Option<Report>>, MachineError> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        let mut all = std::mem::take(&mut self.pending);
        let before = all.len();
        all.extend(steps);
        self.root.refresh();
        let reports = self.mailbox.perform(&all);
        self.root.give_back();
        match reports {
            Ok(mut reports) => Ok(reports.split_off(before)),
            Err(error) => {
                // The guest's state is lost, so no later answer could be trusted
                self.broken = Some(error.clone());
                Err(error)
            }
        }
    }

    /// Loads a root, or one that maps nothing, before the next access.
    pub(crate) fn set_root(&mut self, root: Option<PhysAddr>) -> Result<(), MachineError> {
        let root = self.root.set(root.map(PhysAddr::as_u64));
        let loaded = self.protocol.root(root);
        self.later([mailbox::ROOT.into(), loaded, 0, 0, 0])
    }

    /// Performs accesses, none of which may be at a `reserved` address, one after the other.
    pub(crate) fn access(
        &mut self,
        accesses: &[Access],
        reserved: &[RangeInclusive<u64>],
    ) -> Result<Vec<Answer>, MachineError> {
        let is_reserved = |va: u64| reserved.iter().any(|range| range.contains(&va));
        let unusable = |access: &&Access| !access.va.is_multiple_of(8) || is_reserved(access.va);
        if let Some(&Access { va, .. }) = accesses.iter().find(unusable) {
            return Err(MachineError::BadAddress { va });
        }
        let touch = |word| [mailbox::TOUCH.into(), word, 0, 0, 0];
        let mut journal = self.memory.take_journal();
        let mut steps: Vec<Step> = journal.words().iter().copied().map(touch).collect();
        let touches = steps.len();
        let step = |access| self.protocol.access(access, self.area);
        steps.extend(accesses.iter().map(step));
        let reports = self.perform(&steps)?;
        let answer = |(access, report): (&Access, &Option<Report>)| {
            report
                .as_ref()
                .and_then(|report| self.protocol.answer(access, report, self.area))
                .ok_or_else(|| MachineError::UnexpectedExit {
                    exit: format!("{access:x?} ended in {report:x?}"),
                })
        };
        accesses
            .iter()
            .zip(&reports[touches..])
            .map(answer)
            .collect()
    }
}

/// Writes bytes to memory, up to a multiple of 8.
pub(crate) fn write_bytes(memory: &Memory, addr: u64, bytes: &[u8]) {
    for (addr, part) in (addr..).step_by(8).zip(bytes.chunks(8)) {
        let mut word = [0; 8];
        word[..part.len()].copy_from_slice(part);
        memory.store(PhysAddr::new(addr), u64::from_le_bytes(word));
    }
}
