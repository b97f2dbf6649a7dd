//! How the host and the program in the guest talk: in memory that both see.
//!
//! The guest's area is [`AREA`] bytes of its physical memory. The host writes down steps there and rings; the guest
//! performs them one after the other, writes down next to each what came of it, and answers.

use super::process::Process;
use crate::machine::MachineError;
use crate::memory::Memory;
use portolan::PhysAddr;
use std::time::{Duration, Instant};

/// Bytes of the area, and its distance from the start of memory.
pub(crate) const AREA: u64 = 0x20_0000;
/// The program.
pub(crate) const CODE: u64 = 0x0000;
/// Words that the two share, and what the program reads when it starts.
pub(crate) const HEADER: u64 = 0x4000;
/// What the program finds at the start of the header: the number of the last ring, of the last answer, where the steps
/// end, and which of them is being performed.
pub(crate) const DOORBELL: u32 = 0;
pub(crate) const ANSWERED: u32 = 8;
pub(crate) const END: u32 = 16;
pub(crate) const CURRENT: u32 = 24;
/// What the program loads into registers when it starts.
pub(crate) const BOOT: u32 = 64;
/// The program's own tables, the copy of a root, and a root that maps nothing.
pub(crate) const TABLES: u64 = 0x8000;
pub(crate) const COPY: u64 = 0xc000;
pub(crate) const EMPTY: u64 = 0x1_0000;
/// The steps.
pub(crate) const STEPS: u64 = 0x2_0000;
/// Bytes of a step.
pub(crate) const STEP: u32 = 256;
/// How many steps there is room for.
pub(crate) const CAPACITY: usize = ((AREA - STEPS) / STEP as u64) as usize;

// What a step is, in its word 0
/// Words 1 and 2: address and value. Words 3 and 4: where the program goes, and in which mode.
pub(crate) const ACCESS: u32 = 0;
/// Word 1: address.
pub(crate) const INVALIDATE_PAGE: u32 = 1;
pub(crate) const INVALIDATE_ALL: u32 = 2;
/// Word 1: what is loaded into the register that holds the root.
pub(crate) const ROOT: u32 = 3;
/// Word 1: the physical address of a word that is written without being changed.
pub(crate) const TOUCH: u32 = 4;

/// Where in a step the guest reports an exception, and how many words that takes.
pub(crate) const REPORT: u32 = 128;
const REPORT_WORDS: usize = 16;

/// What the guest reports of an exception; which word is what depends on the processor.
pub(crate) type Report = [u64; REPORT_WORDS];

/// Stands in the first word of a report until there is one. That word says which exception it is, and none has this number.
const NONE: u64 = u64::MAX;

/// The words of a step: what it is, and words 1 to 4.
pub(crate) type Step = [u64; 5];

/// The host's side.
pub(crate) struct Mailbox {
    memory: Memory,
    area: u64,
    /// Where the guest's program sees the area.
    seen: u64,
    process: Process,
    patience: Duration,
    rung: u64,
}

impl Mailbox {
    /// For a guest that has been started.
    pub(crate) fn new(
        memory: Memory,
        [area, seen]: [u64; 2],
        process: Process,
        patience: Duration,
    ) -> Self {
        Mailbox {
            memory,
            area,
            seen,
            process,
            patience,
            rung: 0,
        }
    }

    fn put(&self, offset: u64, word: u64) {
        self.memory.store(PhysAddr::new(self.area + offset), word);
    }

    fn get(&self, offset: u64) -> u64 {
        self.memory.load(PhysAddr::new(self.area + offset))
    }

    /// Has the steps performed, and gives the report of each that ended in an exception.
    pub(crate) fn perform(&mut self, steps: &[Step]) -> Result<Vec<Option<Report>>, MachineError> {
        let mut reports = Vec::with_capacity(steps.len());
        // Without steps the guest still shows that it is there
        let parts = steps
            .chunks(CAPACITY)
            .chain(steps.is_empty().then_some(steps));
        for part in parts {
            self.perform_part(part)?;
            reports.extend((0..part.len()).map(|index| self.report(index)));
        }
        Ok(reports)
    }

    fn step(index: usize) -> u64 {
        STEPS + u64::from(STEP) * index as u64
    }

    fn perform_part(&mut self, steps: &[Step]) -> Result<(), MachineError> {
        for (index, step) in steps.iter().enumerate() {
            let at = Self::step(index);
            for (byte, word) in (at..).step_by(8).zip(step) {
                self.put(byte, *word);
            }
            self.put(at + u64::from(REPORT), NONE);
        }
        let end = self.seen + Self::step(steps.len());
        self.put(HEADER + u64::from(END), end);
        self.rung += 1;
        self.put(HEADER + u64::from(DOORBELL), self.rung);
        // Between two rings the guest would do nothing but wait, at the expense of others
        self.process.resume();
        let answered = self.await_answer();
        self.process.pause();
        answered
    }

    fn report(&self, index: usize) -> Option<Report> {
        let at = Self::step(index) + u64::from(REPORT);
        let report = std::array::from_fn(|word| self.get(at + 8 * word as u64));
        (report[0] != NONE).then_some(report)
    }

    /// Looks for a short while without a pause, and then less often.
    fn await_answer(&mut self) -> Result<(), MachineError> {
        const LOOKS: Duration = Duration::from_micros(20);
        const REST: Duration = Duration::from_micros(20);
        let deadline = Instant::now() + self.patience;
        loop {
            let looks = Instant::now();
            while looks.elapsed() < LOOKS {
                if self.get(HEADER + u64::from(ANSWERED)) == self.rung {
                    return Ok(());
                }
                std::hint::spin_loop();
            }
            std::thread::sleep(REST);
            if let Some(exit) = self.process.ended() {
                return Err(MachineError::UnexpectedExit { exit });
            }
            if Instant::now() > deadline {
                return Err(self.hung());
            }
        }
    }

    /// What is known of a guest that doesn't answer.
    fn hung(&self) -> MachineError {
        let current = self
            .get(HEADER + u64::from(CURRENT))
            .wrapping_sub(self.seen);
        let exit = if (STEPS..AREA).contains(&current) {
            let index = (current - STEPS) / u64::from(STEP);
            let words: Vec<u64> = (current..)
                .step_by(8)
                .take(5)
                .map(|at| self.get(at))
                .collect();
            format!(
                "no answer for {:?}, in step {index}: {words:x?}",
                self.patience
            )
        } else {
            format!("no answer for {:?}, before any step", self.patience)
        };
        MachineError::UnexpectedExit { exit }
    }
}
