//! The tour: an address space is built, used by a processor, changed, and given back; every answer is compared.

pub mod record;
mod scene;
mod stage;
mod story;
pub mod tree;

use crate::arch::{Arch, Visit};
use crate::arguments::TourArguments;
use crate::choice::{Chosen, Introduction, choose, open_guest};
use crate::output::Output;
use crate::receipt::{Receipt, STATEMENT, THEOREM};
use crate::text::Text;
use crate::verdict::{Stop, Verdict};
use portolan::{Error, Invalidate, PagingMode, Tracking, X86_64};
use portolan_machine::any::table;
use portolan_machine::{Machine, MachineError, SoftMachine};
use record::{Section, Step};
use scene::Scene;
use serde::Serialize;
use stage::{Stage, TourTable};
use std::io::Write;

/// `portolan tour`.
///
/// # Errors
/// The machine or the output fails.
pub fn command(arguments: &TourArguments) -> Result<Verdict, Stop> {
    let arch = arguments.arch;
    let used = Scene::new(arch.regime()).used();
    let (machine, introduction) = choose(arguments.machine, arch, &used, open_guest)?;
    let mut output = Output::new();
    let verdict = if arguments.json {
        let sections = on(&machine, arch, |_| Ok(()))?;
        let document = Document::new(&introduction, &sections);
        serde_json::to_writer_pretty(&mut output, &document)
            .map_err(|error| Stop::Output(error.into()))?;
        writeln!(output)?;
        document.ok
    } else {
        let mut text = Text::new(&mut output, Output::is_terminal());
        text.introduction(&introduction)?;
        let sections = on(&machine, arch, |section| Ok(text.section(section)?))?;
        let tally = Tally::of(&sections);
        text.tally(&tally)?;
        text.theorem(&Receipt::embedded())?;
        tally.mismatches == 0
    };
    output.flush()?;
    Ok(verdict.into())
}

fn on(
    machine: &Chosen,
    arch: Arch,
    show: impl FnMut(&Section) -> Result<(), Stop>,
) -> Result<Vec<Section>, Stop> {
    match machine {
        Chosen::Soft(machine) => run(machine, || arch.visit(InSoftware(machine)), show),
        Chosen::Kvm(machine) => run(machine, || tour_table::<X86_64, _>(machine), show),
    }
}

/// A page table for processors in software.
struct InSoftware<'m>(&'m SoftMachine);

impl<'m> Visit for InSoftware<'m> {
    type Answer = Result<TourTable<'m>, Error>;

    fn visit<A: PagingMode + 'static>(self) -> Self::Answer {
        tour_table::<A, _>(self.0)
    }
}

/// A page table of mode `A` on a machine.
fn tour_table<A, K>(machine: &K) -> Result<TourTable<'_>, Error>
where
    A: PagingMode + 'static,
    K: Machine + Invalidate<A>,
{
    table::<A, Tracking, _>(machine.memory().clone(), machine)
}

/// A part of the tour.
type Part = fn(&mut Stage<'_>) -> Result<(), MachineError>;

/// The tour on a machine. `table` makes the page table, and `show` is called after each part.
fn run<'m>(
    machine: &'m dyn Machine,
    table: impl FnOnce() -> Result<TourTable<'m>, Error>,
    mut show: impl FnMut(&Section) -> Result<(), Stop>,
) -> Result<Vec<Section>, Stop> {
    let marks = if machine.regime().marks() {
        "Accessed and dirty, as the walk has marked them"
    } else {
        "Accessed and dirty, which no hardware marks here"
    };
    let parts: [(&str, &str, Part); 7] = [
        ("image", "A program and a kernel are mapped", story::image),
        ("accesses", "The processor uses them", story::accesses),
        ("marks", marks, story::marks),
        ("protect", "The data become read-only", story::protect),
        ("unmap", "The stack is unmapped", story::unmap),
        ("memory", "Memory for tables runs out", story::memory),
        (
            "mistakes",
            "Mistakes are answered, not performed",
            story::mistakes,
        ),
    ];
    let mut stage = Stage::new(machine, table).map_err(Stop::NoTable)?;
    let mut sections = Vec::new();
    for (name, title, part) in parts {
        part(&mut stage)?;
        let section = Section {
            name,
            title,
            steps: std::mem::take(&mut stage.steps),
        };
        show(&section)?;
        sections.push(section);
    }
    let (name, title) = ("end", "Everything is given back");
    let section = Section {
        name,
        title,
        steps: stage.finish()?,
    };
    show(&section)?;
    sections.push(section);
    Ok(sections)
}

/// How much was compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Comparisons.
    pub compared: usize,
    /// Those that failed.
    pub mismatches: usize,
}

impl Tally {
    fn of(sections: &[Section]) -> Self {
        let steps = || sections.iter().flat_map(|section| &section.steps);
        Tally {
            compared: steps().count(),
            mismatches: steps().filter(|step| !Step::ok(step)).count(),
        }
    }
}

/// The JSON document.
#[derive(Serialize)]
struct Document<'a> {
    portolan: &'static str,
    machine: &'a Introduction,
    ok: bool,
    tally: Tally,
    sections: &'a [Section],
    theorem: Theorem,
    receipt: Receipt,
}

#[derive(Serialize)]
struct Theorem {
    sentence: &'static str,
    statement: &'static str,
}

impl<'a> Document<'a> {
    fn new(machine: &'a Introduction, sections: &'a [Section]) -> Self {
        let tally = Tally::of(sections);
        Document {
            portolan: env!("CARGO_PKG_VERSION"),
            machine,
            ok: tally.mismatches == 0,
            tally,
            sections,
            theorem: Theorem {
                sentence: THEOREM,
                statement: STATEMENT,
            },
            receipt: Receipt::embedded(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan::PhysAddr;
    use portolan_machine::SoftConfig;
    use record::{Came, Hex};
    use tree::{Table, Target};

    /// Where the entry for the page at `va` is.
    fn entry_of(table: &Table, va: u64) -> Option<u64> {
        table.entries.iter().find_map(|entry| match &entry.target {
            Target::Table(table) => entry_of(table, va),
            _ => (entry.va == Hex(va)).then_some(table.addr.0 + 8 * entry.index),
        })
    }

    /// What the second part of the tour says when one entry is not what the library has written.
    fn after_tampering(va: u64, bits: u64) -> Section {
        let machine = SoftMachine::new(SoftConfig::default());
        let mut stage = Stage::new(&machine, || tour_table::<X86_64, _>(&machine)).unwrap();
        story::image(&mut stage).unwrap();
        assert!(stage.steps.iter().all(Step::ok));
        stage.steps.clear();
        let entry = PhysAddr::new(entry_of(&stage.read_tables().0, va).unwrap());
        machine
            .memory()
            .store(entry, machine.memory().load(entry) ^ bits);
        story::accesses(&mut stage).unwrap();
        stage.show_space();
        Section {
            name: "",
            title: "Tampered with",
            steps: stage.steps,
        }
    }

    #[test]
    fn a_store_that_should_have_faulted_is_a_mismatch() {
        const READ_ONLY: u64 = 0x40_3000;
        const WRITE: u64 = 1 << 1;
        let section = after_tampering(READ_ONLY, WRITE);
        let wrong = |step: &Step| matches!(step, Step::Access(made) if made.got == Came::Stored && !made.ok);
        assert_eq!(section.steps.iter().filter(|step| wrong(step)).count(), 1);
        assert!(
            section
                .steps
                .iter()
                .any(|step| matches!(step, Step::Space(space) if !space.ok))
        );
        let sections = [section];
        assert_eq!(Tally::of(&sections).mismatches, 2);

        let mut shown = Vec::new();
        Text::new(&mut shown, false).section(&sections[0]).unwrap();
        let shown = String::from_utf8(shown).unwrap();
        assert!(
            shown.contains("MISMATCH, expected: #PF 0x7 present, user, store"),
            "{shown}"
        );
        let red = anstyle::AnsiColor::Red.on_default().bold().to_string();
        assert!(shown.contains(&red));
    }

    #[test]
    fn a_page_that_has_gone_is_a_mismatch() {
        const EXECUTABLE: u64 = 0x40_1000;
        const PRESENT: u64 = 1 << 0;
        let section = after_tampering(EXECUTABLE, PRESENT);
        assert!(
            section
                .steps
                .iter()
                .any(|step| matches!(step, Step::Access(made) if !made.ok))
        );
    }
}
