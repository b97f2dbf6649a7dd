//! The tour as text.

mod space;
mod step;
pub mod style;

use crate::choice::Introduction;
use crate::receipt::{Receipt, STATEMENT, THEOREM};
use crate::tour::Tally;
use crate::tour::record::{Call, Section, Step};
use std::io::{self, Write};
use style::{ASCII, BAD, DIM, DRAWN, FAULT, GOOD, Signs, TITLE, WIDTH, paint};

/// Where text goes, in colours, and with drawn lines if it is for a terminal.
pub struct Text<W> {
    out: W,
    signs: Signs,
    /// How wide requests are in this section.
    request_width: usize,
}

impl<W: Write> Text<W> {
    /// Text for `out`.
    pub fn new(out: W, terminal: bool) -> Self {
        let signs = if terminal { DRAWN } else { ASCII };
        Text {
            out,
            signs,
            request_width: 0,
        }
    }

    fn line(&mut self, line: impl AsRef<str>) -> io::Result<()> {
        writeln!(self.out, "{}", line.as_ref().trim_end())
    }

    fn title(&mut self, title: &str) -> io::Result<()> {
        let rule = self.signs.rule;
        let rest = rule.repeat(WIDTH.saturating_sub(4 + title.chars().count()));
        let (before, after) = (paint(DIM, rule.repeat(2)), paint(DIM, rest));
        self.line("")?;
        self.line(format!("{before} {} {after}", paint(TITLE, title)))
    }

    /// The machine.
    ///
    /// # Errors
    /// The output fails.
    pub fn introduction(&mut self, machine: &Introduction) -> io::Result<()> {
        let about = "page tables, proven down to the words that the processor walks";
        let name = concat!("Portolan ", env!("CARGO_PKG_VERSION"));
        self.line(format!("{}: {about}", paint(TITLE, name)))?;
        self.line("")?;
        let Introduction {
            about,
            walker,
            arch,
            levels,
            physical_bits,
            ..
        } = machine;
        self.line(format!("  machine  {about}"))?;
        if let Some(reason) = &machine.no_guest {
            self.line(format!("           no guest, {}", paint(FAULT, reason)))?;
        }
        self.line(format!("  walk     {walker}"))?;
        self.line(format!(
            "  table    PageTable<_, {}, Tracking>: {levels} levels, {physical_bits}-bit physical \
             addresses",
            arch.mode()
        ))
    }

    /// A part of the tour.
    ///
    /// # Errors
    /// The output fails.
    pub fn section(&mut self, section: &Section) -> io::Result<()> {
        self.title(section.title)?;
        let shown = section.steps.iter().filter(|step| !is_quiet(step));
        self.request_width = step::request_width(shown.filter_map(as_call));
        for steps in section.steps.chunk_by(|a, b| is_quiet(a) && is_quiet(b)) {
            match steps {
                [step] if !is_quiet(step) => self.step(step)?,
                steps => self.many(steps)?,
            }
        }
        Ok(())
    }

    /// Many steps that are as they had to be.
    fn many(&mut self, steps: &[Step]) -> io::Result<()> {
        let calls = || steps.iter().filter_map(as_call);
        let (first, count) = (calls().next(), calls().count());
        match first {
            Some(first) if count > 1 => {
                let good = paint(GOOD, self.signs.good);
                self.line(format!(
                    "{good} {}, {count} pages, each done",
                    first.operation
                ))
            }
            _ => Ok(()),
        }
    }

    /// How it went.
    ///
    /// # Errors
    /// The output fails.
    pub fn tally(&mut self, tally: &Tally) -> io::Result<()> {
        let Tally {
            compared,
            mismatches,
        } = tally;
        self.line("")?;
        self.line(match mismatches {
            0 => {
                let all = format!("All {compared} answers are as they have to be.");
                format!("{} {}", paint(GOOD, self.signs.good), paint(GOOD, all))
            }
            _ => {
                let some = format!("{mismatches} of {compared} answers are NOT as expected.");
                format!("{} {}", paint(BAD, self.signs.bad), paint(BAD, some))
            }
        })
    }

    /// What is proven.
    ///
    /// # Errors
    /// The output fails.
    pub fn theorem(&mut self, receipt: &Receipt) -> io::Result<()> {
        self.title("What is proven, for every table and not only for this one")?;
        for line in wrapped(THEOREM, WIDTH - 4) {
            self.line(format!("  {}", paint(TITLE, line)))?;
        }
        self.labelled("stated in", STATEMENT)?;
        if let Some(error) = &receipt.unreadable {
            return self.labelled("receipt", &format!("says nothing: {error}"));
        }
        self.labelled("receipt", &receipt.figures())?;
        self.labelled("made with", &receipt.tools())?;
        let largest = receipt.largest(4);
        if !largest.is_empty() {
            let modules: Vec<_> = largest
                .iter()
                .map(|(name, count)| format!("{name} {count}"))
                .collect();
            self.labelled("most in", &modules.join(", "))?;
        }
        Ok(())
    }

    /// Text beside a label.
    fn labelled(&mut self, label: &str, text: &str) -> io::Result<()> {
        let mut label = label;
        for line in wrapped(text, WIDTH - 13) {
            self.line(format!("  {label:<9}  {line}"))?;
            label = "";
        }
        Ok(())
    }

    /// The sign before a line, and the style of its answer.
    fn mark(&self, ok: bool, style: anstyle::Style) -> (String, anstyle::Style) {
        if ok {
            (paint(GOOD, self.signs.good), style)
        } else {
            (paint(BAD, self.signs.bad), BAD)
        }
    }

    /// What would have been right, where something was not.
    fn instead(&mut self, ok: bool, expected: impl AsRef<str>) -> io::Result<()> {
        if ok {
            return Ok(());
        }
        self.line(paint(
            BAD,
            format!("  MISMATCH, expected: {}", expected.as_ref()),
        ))
    }
}

fn as_call(step: &Step) -> Option<&Call> {
    match step {
        Step::Call(call) => Some(call),
        _ => None,
    }
}

/// Whether text leaves a step out: it is as it had to be and one of many.
fn is_quiet(step: &Step) -> bool {
    let quiet = match step {
        Step::Call(call) => call.quiet,
        Step::Flush(paid) => paid.quiet,
        _ => false,
    };
    quiet && step.ok()
}

/// Text in lines that are no longer than `width`.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn theorem(receipt: &str) -> String {
        let mut shown = Vec::new();
        let stream = anstream::StripStream::new(&mut shown);
        Text::new(stream, true)
            .theorem(&Receipt::read(receipt))
            .unwrap();
        String::from_utf8(shown).unwrap()
    }

    #[test]
    fn the_theorem_comes_with_the_figures_of_the_receipt() {
        let shown = theorem(
            "obligations = 612\nseconds = 41.25\n[versions]\nrustc = \"1.95.0\"\nverus = \"0.2026\"\n\
             vstd = \"0.0.0\"\nz3 = \"4.12.5\"\n[modules]\naddr = 20\n\"table::map\" = 31\n\
             [sources]\n\"a.rs\" = \"00\"\n\"b.rs\" = \"01\"\n",
        );
        for line in [
            "  receipt    612 obligations, 2 modules, 2 source files, 41.2 seconds\n",
            "  made with  rustc 1.95.0, Verus 0.2026, vstd 0.0.0, Z3 4.12.5\n",
            "  most in    table::map 31, addr 20\n",
        ] {
            assert!(shown.contains(line), "{line} is not in\n{shown}");
        }
        assert!(shown.lines().all(|line| line.chars().count() <= WIDTH));
    }

    #[test]
    fn a_receipt_that_says_nothing_is_mentioned() {
        let line = "  receipt    says nothing: this program was built without one\n";
        assert!(theorem("").contains(line));
    }
}
