//! The page `TRUSTED.md`.

use super::collect::{Entry, Source};
use super::kind::Kind;
use crate::project::{is_kernels_place, is_trusted_place};
use std::fmt::Write;

/// The page: what is written by hand, how many of each kind there are, and each of them by file.
pub fn write(head: &str, sources: &[Source]) -> String {
    let mut page = format!(
        "{}\n\n## How many\n\n| what | in `hw/` | in `interop/` | elsewhere |\n| --- | ---: | ---: | ---: |\n",
        head.trim_end()
    );
    let (inside, others): (Vec<&Source>, Vec<&Source>) = sources
        .iter()
        .partition(|source| is_trusted_place(&source.file));
    let (kernels, outside): (Vec<&Source>, Vec<&Source>) = others
        .into_iter()
        .partition(|source| is_kernels_place(&source.file));
    for kind in Kind::ALL {
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} |",
            kind.title(),
            count(&inside, kind),
            count(&kernels, kind),
            count(&outside, kind)
        );
    }
    for source in inside
        .iter()
        .chain(&outside)
        .chain(&kernels)
        .filter(|source| !source.entries.is_empty())
    {
        let _ = write!(page, "\n## [`{0}`]({0})\n", source.file);
        for kind in Kind::ALL {
            let entries: Vec<&Entry> = source
                .entries
                .iter()
                .filter(|entry| entry.kind == kind)
                .collect();
            if !entries.is_empty() {
                section(&mut page, kind, &entries);
            }
        }
    }
    page
}

fn section(page: &mut String, kind: Kind, entries: &[&Entry]) {
    let _ = write!(
        page,
        "\n### {} ({})\n\n{}\n\n",
        kind.title(),
        entries.len(),
        kind.meaning()
    );
    for entry in entries {
        let _ = write!(page, "- `{}`", entry.name);
        if !entry.reason.is_empty() {
            let _ = write!(page, ": {}", entry.reason);
        }
        if !entry.tests.is_empty() {
            let tests: Vec<String> = entry.tests.iter().map(|test| format!("`{test}`")).collect();
            let _ = write!(page, " *Exercised by {}.*", tests.join(", "));
        }
        page.push('\n');
    }
}

fn count(sources: &[&Source], kind: Kind) -> usize {
    sources
        .iter()
        .flat_map(|source| &source.entries)
        .filter(|entry| entry.kind == kind)
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_the_head_the_counts_and_the_items() {
        let entry = Entry {
            kind: Kind::Contract,
            name: "Frames::read".to_owned(),
            line: 7,
            reason: "A word.".to_owned(),
            tests: vec!["soft::reads".to_owned()],
        };
        let file = "crates/portolan/src/hw/memory.rs".to_owned();
        let source = Source {
            file,
            entries: vec![entry],
            complaints: Vec::new(),
        };
        let page = write("# Head\n", &[source]);
        assert!(page.starts_with("# Head\n\n## How many\n"));
        assert!(page.contains("| Functions trusted to keep their contract | 1 | 0 | 0 |"));
        assert!(page.ends_with("\n- `Frames::read`: A word. *Exercised by `soft::reads`.*\n"));
    }
}
