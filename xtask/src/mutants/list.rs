//! The list of mutants.

use crate::project::{Project, SOURCES};
use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use std::collections::BTreeSet;

const LIST: &str = include_str!("../../mutants.toml");

/// A wrong edit to the code.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mutant {
    /// What it is called.
    pub name: String,
    /// The file, from the crate's sources.
    pub file: String,
    /// What is replaced: stands in the file exactly once.
    pub find: String,
    /// What it is replaced with.
    pub replace: String,
    /// What is wrong with it.
    pub why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    mutant: Vec<Mutant>,
}

/// All mutants, in the list's order.
pub fn read() -> Result<Vec<Mutant>> {
    let list: List = toml::from_str(LIST).context("can't parse mutants.toml")?;
    Ok(list.mutant)
}

/// Fails unless all names are different and each edit can be made to the sources as they are.
pub fn check(mutants: &[Mutant], project: &Project) -> Result<()> {
    let mut names = BTreeSet::new();
    let mut complaints = Vec::new();
    for mutant in mutants {
        if !names.insert(&mutant.name) {
            complaints.push(format!("{}: another has this name", mutant.name));
        }
        if let Err(error) = project
            .read(&mutant.path())
            .and_then(|text| mutant.apply(&text))
        {
            complaints.push(format!("{}: {error:#}", mutant.name));
        }
    }
    if !complaints.is_empty() {
        bail!("mutants that can't be made:\n  {}", complaints.join("\n  "));
    }
    Ok(())
}

impl Mutant {
    /// The file, from the repository's root.
    pub fn path(&self) -> String {
        format!("{SOURCES}/{}", self.file)
    }

    /// The file's module in the crate.
    pub fn module(&self) -> String {
        self.file.trim_end_matches(".rs").replace('/', "::")
    }

    /// Whether its name or file has one of `parts`, or there are none.
    pub fn is_chosen(&self, parts: &[String]) -> bool {
        parts.is_empty()
            || parts
                .iter()
                .any(|part| self.name.contains(part) || self.file.contains(part))
    }

    /// The file's text with the edit made.
    pub fn apply(&self, text: &str) -> Result<String> {
        let count = text.matches(&self.find).count();
        ensure!(
            count == 1,
            "`{}` stands {count} times in {}, not once",
            self.find,
            self.file
        );
        ensure!(self.find != self.replace, "it changes nothing");
        Ok(text.replacen(&self.find, &self.replace, 1))
    }
}

#[cfg(test)]
impl Mutant {
    /// One for a test.
    pub fn new(name: &str, file: &str, find: &str, replace: &str) -> Mutant {
        let [name, file, find, replace] = [name, file, find, replace].map(str::to_owned);
        Mutant {
            name,
            file,
            find,
            replace,
            why: String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutant(find: &str, replace: &str) -> Mutant {
        Mutant::new("m", "table/map.rs", find, replace)
    }

    #[test]
    fn every_mutant_on_the_list_can_be_made() {
        check(&read().unwrap(), &Project::here().unwrap()).unwrap();
    }

    #[test]
    fn there_are_at_least_forty_in_every_file_with_code() {
        let mutants = read().unwrap();
        assert!(mutants.len() >= 40);
        let files: BTreeSet<&str> = mutants.iter().map(|mutant| mutant.file.as_str()).collect();
        for file in [
            "addr.rs",
            "prop.rs",
            "flush.rs",
            "table.rs",
            "arch/geometry.rs",
            "arch/x86_64.rs",
            "table/chain.rs",
            "table/descend.rs",
            "table/map.rs",
            "table/protect.rs",
            "table/release.rs",
            "table/tree.rs",
            "table/unmap.rs",
        ] {
            assert!(files.contains(file), "no mutant in {file}");
        }
    }

    #[test]
    fn an_edit_is_made_where_it_is_meant() {
        assert_eq!(
            mutant("a + 1", "a").apply("let b = a + 1;").unwrap(),
            "let b = a;"
        );
        assert!(mutant("a", "c").apply("let b = a + a;").is_err());
        assert!(mutant("x", "c").apply("let b = a;").is_err());
        assert!(mutant("b", "b").apply("let b = a;").is_err());
        assert_eq!(mutant("", "").module(), "table::map");
    }
}
