//! The steps of a tour, one line each.

use super::Text;
use super::style::{BAD, DIM, FAULT, GOOD, PLAIN, WIDTH, padded, paint};
use crate::tour::record::{Answer, Call, Came, Check, Made, Page, Paid, Refusal, Step};
use anstyle::Style;
use portolan::{Mapping, PageProperty};
use std::io::{self, Write};

/// What is on a line with an answer, besides the answer and the request.
const AROUND: usize = 3;
/// How wide requests are, so that answers begin where outcomes of accesses do.
const REQUEST_WIDTH: usize = 42;
/// How wide outcomes of accesses are, before the fault's address.
const OUTCOME_WIDTH: usize = 33;
/// The same on RISC-V, whose register for the address has a longer name.
const TRAP_WIDTH: usize = 31;

impl<W: Write> Text<W> {
    pub(super) fn step(&mut self, step: &Step) -> io::Result<()> {
        match step {
            Step::Call(call) => self.call(call),
            Step::Flush(paid) => self.paid(paid),
            Step::Access(made) => self.made(made),
            Step::Space(space) => self.space(space),
            Step::Tables(tables) => self.tables(tables),
            Step::Check(check) => self.check(check),
        }
    }

    fn call(&mut self, call: &Call) -> io::Result<()> {
        let style = if matches!(call.got, Answer::Error(_)) {
            FAULT
        } else {
            PLAIN
        };
        let (mark, style) = self.mark(call.ok, style);
        self.answer(&mark, &call.request, style, &call_words(call))?;
        self.instead(call.ok, answer_words(&call.expected))
    }

    fn paid(&mut self, paid: &Paid) -> io::Result<()> {
        let &Paid {
            va,
            expected_tables,
            tables,
            frames_held,
            ok,
            ..
        } = paid;
        let (mark, style) = self.mark(ok, PLAIN);
        let given = match tables {
            0 => "no table".to_owned(),
            1 => "1 table".to_owned(),
            n => format!("{n} tables"),
        };
        let words = format!("{given} given back, {frames_held} held");
        self.answer(&mark, &format!("flush {va}"), style, &words)?;
        self.instead(ok, format!("{expected_tables} given back"))
    }

    /// A request with its answer.
    fn answer(&mut self, mark: &str, request: &str, style: Style, words: &str) -> io::Result<()> {
        let width = self.request_width;
        self.line(format!("{mark} {request:<width$} {}", paint(style, words)))
    }

    fn made(&mut self, made: &Made) -> io::Result<()> {
        let (words, style, cr2) = came_words(&made.got, made.value.map(|value| value.0));
        let (mark, style) = self.mark(made.ok, style);
        let Made {
            privilege,
            kind,
            va,
            region,
            note,
            ..
        } = made;
        if let Some(note) = note {
            self.line(paint(DIM, format!("  ({note})")))?;
        }
        let words = match cr2 {
            Some(cr2) => {
                let width = match made.got {
                    Came::Trap { .. } => TRAP_WIDTH,
                    _ => OUTCOME_WIDTH,
                };
                format!("{}{cr2}", padded(style, &words, width))
            }
            None => paint(style, words),
        };
        self.line(format!(
            "{mark} {privilege:<10} {kind:<5} {va:<18} {region:<6} {words}"
        ))?;
        let expected: Vec<_> = made
            .expected
            .iter()
            .map(|came| came_words(came, None).0)
            .collect();
        self.instead(made.ok, expected.join(" or "))
    }

    fn check(&mut self, check: &Check) -> io::Result<()> {
        let Check {
            what,
            expected,
            got,
            ok,
        } = check;
        let (mark, style) = self.mark(*ok, PLAIN);
        let words = match got.as_str() {
            "true" => what.clone(),
            _ => format!("{what}: {}", paint(style, got)),
        };
        self.line(format!("{mark} {words}"))?;
        self.instead(*ok, expected)
    }
}

/// What may be done with a page, and by whom: `rw- user`.
pub(super) fn rights(prop: PageProperty) -> String {
    let letter = |set, letter| if set { letter } else { '-' };
    let who = if prop.user { "user" } else { "kernel" };
    [
        letter(prop.read, 'r'),
        letter(prop.write, 'w'),
        letter(prop.execute, 'x'),
    ]
    .iter()
    .collect::<String>()
        + " "
        + who
}

fn words(Page(Mapping { frame, size, prop }): &Page) -> String {
    let marks = match (prop.accessed, prop.dirty) {
        (false, false) => "not accessed, not dirty",
        (true, false) => "accessed, not dirty",
        (false, true) => "not accessed, dirty",
        (true, true) => "accessed, dirty",
    };
    format!("{} {size} at {:#x}, {marks}", rights(*prop), frame.as_u64())
}

/// How wide requests are, so that the answers of a section begin below each other and fit.
pub(super) fn request_width<'a>(calls: impl Iterator<Item = &'a Call>) -> usize {
    let room = |call: &Call| WIDTH.saturating_sub(AROUND + call_words(call).chars().count());
    calls.map(room).fold(REQUEST_WIDTH, usize::min)
}

fn call_words(call: &Call) -> String {
    match (call.operation, &call.got) {
        ("protect" | "unmap", Answer::Page(page)) => format!("was {}", words(page)),
        (_, answer) => answer_words(answer),
    }
}

fn answer_words(answer: &Answer) -> String {
    match answer {
        Answer::Done => "done".to_owned(),
        Answer::Page(page) => words(page),
        Answer::Error(Refusal(error)) => error.to_string(),
    }
}

/// An outcome in words, its style, and the address if the processor reports one.
fn came_words(came: &Came, stored: Option<u64>) -> (String, Style, Option<String>) {
    let fault = |words: String, at: String| (words, FAULT, Some(at));
    match came {
        Came::Loaded { value } => (format!("loaded {value}"), GOOD, None),
        Came::Stored => match stored {
            Some(value) => (format!("stored {value:#x}"), GOOD, None),
            None => ("stored".to_owned(), GOOD, None),
        },
        Came::Executed { number } => (format!("executed code {number}"), GOOD, None),
        Came::PageFault { code, words, cr2 } => {
            // The line begins with who did what
            let mut what = words.clone();
            what.retain(|word| *word != "supervisor");
            fault(
                format!("#PF {code:#x} {}", what.join(", ")),
                format!("CR2 {cr2}"),
            )
        }
        Came::GeneralProtection { code } => (format!("#GP {code:#x} not canonical"), FAULT, None),
        Came::EptViolation {
            qualification,
            words,
            guest_physical,
        } => fault(
            format!("violation {qualification:#x} {}", words.join(", ")),
            format!("GPA {guest_physical}"),
        ),
        Came::EptMisconfiguration { guest_physical } => fault(
            "misconfiguration".to_owned(),
            format!("GPA {guest_physical}"),
        ),
        Came::Abort { words, level, far } => fault(
            format!("abort level {level} {}", words.join(", ")),
            format!("FAR {far}"),
        ),
        Came::Trap {
            cause,
            words,
            stval,
        } => fault(
            format!("trap {cause} {}", words.join(", ")),
            format!("stval {stval}"),
        ),
        Came::Refused { words, badv } => fault(words.join(", "), format!("BADV {badv}")),
        Came::Astray { exception } => (format!("went astray, exception {exception}"), BAD, None),
    }
}
