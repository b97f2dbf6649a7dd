//! `cargo xtask ledger`: `TRUSTED.md`, all that the proofs take on trust.
//!
//! The sources are read with the parser that Verus uses, so that what Verus sees as an assumption is one here. The list
//! says why each is believed and which test exercises it, in the words of the documentation that stands at the item.

mod collect;
mod docs;
mod holes;
mod kind;
mod page;
mod syntax;
mod tests_named;
mod tokens;

use crate::project::{Project, SOURCES, is_kernels_place, is_trusted_place};
use anyhow::{Context, Result, bail};
use collect::{Entry, Source};
use kind::Kind;
use tests_named::TestNames;

/// Where the list is.
const FILE: &str = "TRUSTED.md";

/// The part of it that is written by hand.
const HEAD: &str = include_str!("trusted.head.md");

/// `cargo xtask ledger`.
pub fn run(check: bool) -> Result<()> {
    let project = Project::here()?;
    let mut complaints = Vec::new();
    let mut sources = Vec::new();
    for file in project.rust_files(SOURCES)? {
        let text = project.read(&file)?;
        complaints.extend(holes::find(&file, &text)?);
        sources.push(collect::source(&file, &text).with_context(|| format!("can't read {file}"))?);
    }
    complaints.extend(sources.iter().flat_map(|source| source.complaints.clone()));
    complaints.extend(misplaced(&sources));
    complaints.extend(unexplained(&sources, &TestNames::read(&project)?));
    let page = page::write(HEAD, &sources);
    if check && project.read(FILE).ok().as_ref() != Some(&page) {
        complaints.push(format!(
            "{FILE} is out of date: `cargo xtask ledger` renews it"
        ));
    }
    if !check {
        project.write(FILE, &page)?;
    }
    if !complaints.is_empty() {
        bail!(
            "{} in the ledger:\n  {}",
            count(complaints.len(), "complaint"),
            complaints.join("\n  ")
        );
    }
    let trusted = entries(&sources)
        .filter(|(_, entry)| entry.kind.is_assumption())
        .count();
    println!(
        "{FILE} {}: {}",
        if check { "is up to date" } else { "written" },
        count(trusted, "assumption")
    );
    Ok(())
}

/// What is assumed outside the folder for it, and what is unsafe and neither there nor a kernel's side.
fn misplaced(sources: &[Source]) -> Vec<String> {
    let outside = entries(sources).filter(|(source, entry)| {
        let kernels = entry.kind.may_be_a_kernels() && is_kernels_place(&source.file);
        entry.kind.only_in_hw() && !is_trusted_place(&source.file) && !kernels
    });
    outside
        .map(|(source, entry)| {
            format!(
                "{}: {} outside hw/: {}",
                at(source, entry),
                entry.kind.one(),
                entry.name
            )
        })
        .collect()
}

/// What is assumed without a reason or a test, or with a test that doesn't exist.
fn unexplained(sources: &[Source], tests: &TestNames) -> Vec<String> {
    let mut found = Vec::new();
    for (source, entry) in entries(sources) {
        let place = format!("{}: {} {}", at(source, entry), entry.kind.one(), entry.name);
        if entry.kind != Kind::Unproven && entry.reason.is_empty() {
            found.push(format!(
                "{place} has no reason: {}",
                entry.kind.where_the_reason_stands()
            ));
        }
        if entry.kind.needs_test() && entry.tests.is_empty() {
            found.push(format!(
                "{place} names no test: add a line ``/// Exercised by `path::to::test`.``"
            ));
        }
        let unknown = entry.tests.iter().filter(|test| !tests.has(test));
        found.extend(
            unknown.map(|test| format!("{place} names the test {test}, which doesn't exist")),
        );
    }
    found
}

fn entries(sources: &[Source]) -> impl Iterator<Item = (&Source, &Entry)> {
    sources
        .iter()
        .flat_map(|source| source.entries.iter().map(move |entry| (source, entry)))
}

fn at(source: &Source, entry: &Entry) -> String {
    format!("{}:{}", source.file, entry.line)
}

fn count(n: usize, what: &str) -> String {
    if n == 1 {
        format!("1 {what}")
    } else {
        format!("{n} {what}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(file: &str, text: &str) -> Vec<Source> {
        vec![collect::source(file, text).unwrap()]
    }

    const TRUSTED: &str =
        "verus! {\n/// Said by the manual.\n/// Exercised by `suite::walks`.\naxiom fn a();\n}";

    #[test]
    fn an_assumption_in_hw_with_reason_and_test_is_fine() {
        let sources = sources("crates/portolan/src/hw/a.rs", TRUSTED);
        assert!(misplaced(&sources).is_empty());
        assert!(
            unexplained(
                &sources,
                &TestNames::of(&[("tests/suite.rs", "fn walks() {}")])
            )
            .is_empty()
        );
    }

    #[test]
    fn an_assumption_outside_hw_is_named() {
        let found = misplaced(&sources("crates/portolan/src/a.rs", TRUSTED));
        assert_eq!(found, ["crates/portolan/src/a.rs:4: axiom outside hw/: a"]);
    }

    #[test]
    fn a_kernels_side_is_unsafe_code_in_interop_but_no_assumption() {
        let kernels = "/// For kernels.\n// SAFETY: said there.\nunsafe impl T for U {}";
        let inside = "crates/portolan/src/interop/a.rs";
        assert!(misplaced(&sources(inside, kernels)).is_empty());
        assert_eq!(misplaced(&sources(inside, TRUSTED)).len(), 1);
        let outside = "crates/portolan/src/a.rs";
        assert_eq!(misplaced(&sources(outside, kernels)).len(), 1);
    }

    #[test]
    fn a_test_that_does_not_exist_is_named() {
        let sources = sources("crates/portolan/src/hw/a.rs", TRUSTED);
        let found = unexplained(
            &sources,
            &TestNames::of(&[("tests/other.rs", "fn walks() {}")]),
        );
        assert_eq!(
            found,
            [
                "crates/portolan/src/hw/a.rs:4: axiom a names the test suite::walks, which doesn't exist"
            ]
        );
    }

    #[test]
    fn a_missing_reason_and_a_missing_test_are_named() {
        let sources = sources("crates/portolan/src/hw/a.rs", "verus! { axiom fn a(); }");
        assert_eq!(unexplained(&sources, &TestNames::of(&[])).len(), 2);
    }
}
