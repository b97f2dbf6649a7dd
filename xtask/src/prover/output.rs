//! What a run prints: the diagnostics, as Cargo passes them on, the prover's report, and how far it is.

use super::Event;
use anyhow::{Context, Result};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::io::{BufRead, BufReader, Read};
use std::process::Child;
use std::sync::mpsc;

/// All that a run printed, sorted.
#[derive(Default)]
pub struct Output {
    /// The prover's report, and what else went to the standard output.
    pub said: String,
    /// The diagnostics as a person reads them and what Cargo said, without colours.
    pub text: String,
    /// The diagnostics, but for notes of progress.
    pub diagnostics: Vec<Diagnostic>,
}

/// What the compiler or the prover has to say of the sources.
#[derive(Clone, Debug, Deserialize)]
pub struct Diagnostic {
    /// `error`, `warning` or `note`, or a word for a worse error that starts with `error`.
    pub level: String,
    /// What it says, in a line.
    pub message: String,
    /// Whether the compiler has a number for it. The prover has none.
    pub code: Option<IgnoredAny>,
    /// The places that it is about.
    pub spans: Vec<Span>,
    rendered: Option<String>,
}

/// A place in a source file.
#[derive(Clone, Debug, Deserialize)]
pub struct Span {
    /// The file, from the workspace's root.
    pub file_name: String,
    /// Its first byte.
    pub byte_start: usize,
    /// The first byte after it.
    pub byte_end: usize,
    /// What a macro made it from, if it is in a macro.
    pub expansion: Option<Box<Expansion>>,
}

/// A macro's use.
#[derive(Clone, Debug, Deserialize)]
pub struct Expansion {
    /// Where the macro is used.
    pub span: Span,
}

/// A line of Cargo's with `--message-format=json`.
#[derive(Deserialize)]
struct Message {
    reason: String,
    message: Option<Diagnostic>,
}

/// A line, by where it was printed.
enum Line {
    Out(String),
    Err(String),
}

impl Output {
    /// Reads until the program closes both its outputs, and tells what it reads.
    pub fn read(child: &mut Child, on_event: &mut dyn FnMut(Event)) -> Result<Output> {
        let stdout = child.stdout.take().context("no standard output")?;
        let stderr = child.stderr.take().context("no standard error")?;
        let (to_out, lines) = mpsc::channel();
        let to_err = to_out.clone();
        let readers = [
            std::thread::spawn(move || each_line(stdout, |line| to_out.send(Line::Out(line)))),
            std::thread::spawn(move || each_line(stderr, |line| to_err.send(Line::Err(line)))),
        ];
        let mut output = Output::default();
        for line in lines {
            output.take(line, on_event)?;
        }
        for reader in readers {
            reader.join().ok().context("lost the prover's output")??;
        }
        Ok(output)
    }

    fn take(&mut self, line: Line, on_event: &mut dyn FnMut(Event)) -> Result<()> {
        match line {
            Line::Out(line) if line.starts_with(r#"{"reason":"#) => {
                let message: Message =
                    serde_json::from_str(&line).context("can't read a message of Cargo's")?;
                match message.message {
                    Some(diagnostic) if message.reason == "compiler-message" => {
                        self.diagnosed(diagnostic, on_event)
                    }
                    _ => {}
                }
            }
            Line::Out(line) => {
                self.said.push_str(&line);
                self.said.push('\n');
            }
            Line::Err(line) => self.told(&line, on_event),
        }
        Ok(())
    }

    fn diagnosed(&mut self, diagnostic: Diagnostic, on_event: &mut dyn FnMut(Event)) {
        if diagnostic.level == "note" {
            let message = &diagnostic.message;
            if let Some(module) = message.strip_prefix("verifying module ") {
                return on_event(Event::Module(module));
            }
            let progress = ["verifying ", "done with ", "preparing crate"];
            if progress.iter().any(|start| message.starts_with(start)) {
                return;
            }
        }
        for line in diagnostic.rendered.iter().flat_map(|text| text.lines()) {
            self.add(line);
            on_event(Event::Line(line));
        }
        self.diagnostics.push(diagnostic);
    }

    /// Notes a line of Cargo's own.
    fn told(&mut self, line: &str, on_event: &mut dyn FnMut(Event)) {
        let plain = self.add(line);
        let mut words = plain.split_whitespace();
        match (words.next(), words.next()) {
            (Some("Compiling" | "Checking"), Some(name)) => on_event(Event::Building(name)),
            (Some("Finished"), _) => {}
            _ => on_event(Event::Line(line)),
        }
    }

    fn add(&mut self, line: &str) -> String {
        let plain = console::strip_ansi_codes(line).into_owned();
        self.text.push_str(&plain);
        self.text.push('\n');
        plain
    }
}

impl Span {
    /// The place, and if it is in a macro, where that is used, and so on.
    pub fn and_uses(&self) -> impl Iterator<Item = &Span> {
        std::iter::successors(Some(self), |span| Some(&span.expansion.as_ref()?.span))
    }
}

impl Diagnostic {
    /// Whether it is an error of the compiler or the prover.
    pub fn is_error(&self) -> bool {
        self.level.starts_with("error")
    }
}

/// Passes on each line until nobody takes it, or there are no more.
fn each_line<E>(from: impl Read, mut pass: impl FnMut(String) -> Result<(), E>) -> Result<()> {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line);
        if pass(text.trim_end().to_owned()).is_err() {
            break;
        }
        line.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn out(diagnostic: &str) -> Line {
        Line::Out(format!(
            r#"{{"reason":"compiler-message","target":{{}},"message":{{{diagnostic}}}}}"#
        ))
    }

    #[test]
    fn what_is_printed_is_sorted() {
        let mut seen = Vec::new();
        let mut output = Output::default();
        for line in [
            Line::Err("   Compiling vstd v0.0.0".to_owned()),
            Line::Out(r#"{"reason":"compiler-artifact"}"#.to_owned()),
            out(
                r#""level":"note","message":"verifying module arch::entry","code":null,"spans":[]"#,
            ),
            out(r#""level":"note","message":"done with arch::entry","code":null,"spans":[]"#),
            out(
                r#""level":"error","message":"no","code":null,"rendered":"\u001b[1merror\u001b[0m: no\n\n  more\n",
                "spans":[{"file_name":"a.rs","byte_start":3,"byte_end":5,"label":null}]"#,
            ),
            Line::Out("{".to_owned()),
        ] {
            let note = |event: Event| {
                seen.push(match event {
                    Event::Building(name) => format!("building {name}"),
                    Event::Module(name) => format!("module {name}"),
                    Event::Line(line) => format!("line {line}"),
                });
            };
            output.take(line, &mut { note }).unwrap();
        }
        assert_eq!(
            seen,
            [
                "building vstd",
                "module arch::entry",
                "line \u{1b}[1merror\u{1b}[0m: no",
                "line ",
                "line   more"
            ]
        );
        assert_eq!(
            output.text,
            "   Compiling vstd v0.0.0\nerror: no\n\n  more\n"
        );
        assert_eq!(output.said, "{\n");
        let [error] = &output.diagnostics[..] else {
            panic!("{:?}", output.diagnostics)
        };
        assert!(error.is_error() && error.code.is_none());
        assert_eq!(error.spans[0].byte_start..error.spans[0].byte_end, 3..5);
    }
}
