//! Verus's log of its talk with the solver: one file for each module, and one for each query in a solver of its own.
//!
//! Verus reports how many obligations it proved in the whole crate; the log tells where they are. Each is one answer
//! `unsat`: no counterexample.

use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::path::Path;

const SUFFIX: &str = ".smt_transcript";

/// How many obligations were proven in each of `modules`, and the solver's version.
pub fn read(folder: &Path, modules: &[String]) -> Result<(BTreeMap<String, u64>, Option<String>)> {
    let mut proven = BTreeMap::new();
    let mut version = None;
    if !folder.exists() {
        return Ok((proven, version));
    }
    for entry in std::fs::read_dir(folder).context("can't read the prover's log")? {
        let entry = entry?;
        let name = entry.file_name().into_string().unwrap_or_default();
        let Some(module) = name
            .strip_suffix(SUFFIX)
            .and_then(|name| owner(name, modules))
        else {
            continue;
        };
        let text = std::fs::read_to_string(entry.path())
            .with_context(|| format!("can't read the prover's log {name}"))?;
        let count = text.lines().filter(|line| *line == "unsat").count() as u64;
        if count > 0 {
            *proven.entry(module.to_owned()).or_default() += count;
        }
        version = version.or_else(|| solver(&text));
    }
    Ok((proven, version))
}

/// The module that a log is of. Its name is the module's path; the function's path, if that has a prover of its own; or
/// one of these and, after an exclamation mark somewhere, the function of a query that has a solver of its own.
fn owner<'a>(name: &str, modules: &'a [String]) -> Option<&'a str> {
    let of = |module: &&String| {
        let file = if module.is_empty() {
            "root".to_owned()
        } else {
            module.replace("::", "__")
        };
        name.strip_prefix(&file)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with("__") || rest.contains('!'))
    };
    // a rerun only looks for better diagnostics
    if name
        .split("_rerun")
        .nth(1)
        .is_some_and(|rest| rest.is_empty() || rest.contains('!'))
    {
        return None;
    }
    modules
        .iter()
        .filter(of)
        .max_by_key(|module| module.len())
        .map(String::as_str)
}

/// What the solver answered to `(get-info :version)`.
fn solver(text: &str) -> Option<String> {
    let answer = text
        .lines()
        .find_map(|line| line.strip_prefix("(:version \""))?;
    answer.strip_suffix("\")").map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn obligations_are_counted_where_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write(
            "table__tree.smt_transcript",
            "(:version \"4.12.5\")\nunsat\nsat\nunsat\n",
        );
        write(
            "table__treeportolan!table.tree.f._01.smt_transcript",
            "unsat\n",
        );
        write("table__tree__proof.smt_transcript", "unsat\n");
        write("table__tree__proof__lemma.smt_transcript", "unsat\n");
        write("table__tree__proof_rerun.smt_transcript", "unsat\n");
        write("hw.smt_transcript", "");
        let modules = ["table", "table::tree", "table::tree::proof", "hw"].map(str::to_owned);
        let (proven, version) = read(folder.path(), &modules).unwrap();
        let expected = [
            ("table::tree".to_owned(), 3),
            ("table::tree::proof".to_owned(), 2),
        ];
        assert_eq!(proven, BTreeMap::from(expected));
        assert_eq!(version.as_deref(), Some("4.12.5"));
    }
}
