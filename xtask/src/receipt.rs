//! `proofs/receipt.toml`: which sources were proven, with what, and how much there was to prove.

use crate::project::{Project, Versions};
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Where the receipt is.
pub const FILE: &str = "proofs/receipt.toml";

const HEAD: &str = "# The last run of the proofs, written by `cargo xtask verify`. Not edited by hand: `cargo xtask receipt --check`\n\
                    # compares the hashes with the sources.\n\n";

/// The record of a proof run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// Obligations proven, in all.
    pub obligations: u64,
    /// How long the prover took for the crate.
    pub seconds: f64,
    /// What it was made with.
    pub versions: Versions,
    /// Obligations proven in each module that has any.
    pub modules: BTreeMap<String, u64>,
    /// The SHA-256 of each verified source file.
    pub sources: BTreeMap<String, String>,
}

impl Receipt {
    /// The receipt in the repository.
    pub fn read(project: &Project) -> Result<Receipt> {
        toml::from_str(&project.read(FILE)?).with_context(|| format!("can't parse {FILE}"))
    }

    /// Puts it into the repository.
    pub fn write(&self, project: &Project) -> Result<()> {
        project.write(FILE, &format!("{HEAD}{}", toml::to_string(self)?))
    }

    /// What in the repository is not as it was when the proofs ran.
    pub fn misfits(&self, project: &Project) -> Result<Vec<String>> {
        let mut misfits = differences("source file", &self.sources, &project.source_hashes()?);
        let pins = project.pins()?;
        if self.versions != pins {
            misfits.push(format!(
                "the receipt was made with {:?}, but {pins:?} is pinned",
                self.versions
            ));
        }
        let sum: u64 = self.modules.values().sum();
        if sum != self.obligations {
            misfits.push(format!(
                "{} obligations in all, but {sum} in the modules",
                self.obligations
            ));
        }
        Ok(misfits)
    }

    /// In what another run differs from this one, besides its time.
    pub fn differences(&self, run: &Receipt) -> Vec<String> {
        let mut all = differences("source file", &self.sources, &run.sources);
        all.extend(differences("module", &self.modules, &run.modules));
        if self.versions != run.versions {
            all.push(format!(
                "the receipt was made with {:?}, this run with {:?}",
                self.versions, run.versions
            ));
        }
        if self.obligations != run.obligations {
            all.push(format!(
                "the receipt has {} obligations, this run {}",
                self.obligations, run.obligations
            ));
        }
        all
    }

    /// One line about it.
    pub fn summary(&self) -> String {
        format!(
            "{} obligations in {} modules, {} source files, {:.1} s (Verus {}, Z3 {}, vstd {}, rustc {})",
            self.obligations,
            self.modules.len(),
            self.sources.len(),
            self.seconds,
            self.versions.verus,
            self.versions.z3,
            self.versions.vstd,
            self.versions.rustc,
        )
    }
}

/// Names what was there and is no more, what is new, and what is different.
fn differences<V: PartialEq>(
    what: &str,
    was: &BTreeMap<String, V>,
    is: &BTreeMap<String, V>,
) -> Vec<String> {
    let names: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    let mut found = Vec::new();
    for name in names {
        match (was.get(name), is.get(name)) {
            (Some(_), None) => {
                found.push(format!("{what} {name} is in the receipt, but not there"))
            }
            (None, Some(_)) => found.push(format!("{what} {name} is not in the receipt")),
            (Some(a), Some(b)) if a != b => {
                found.push(format!("{what} {name} differs from the receipt"))
            }
            _ => {}
        }
    }
    found
}

/// Fails with a list of misfits if there are any.
pub fn expect_none(misfits: &[String]) -> Result<()> {
    if !misfits.is_empty() {
        bail!(
            "{FILE} is not of these sources (`cargo xtask verify` renews it):\n  {}",
            misfits.join("\n  ")
        );
    }
    Ok(())
}

/// `cargo xtask receipt`.
pub fn run(check: bool) -> Result<()> {
    let project = Project::here()?;
    let receipt = Receipt::read(&project)?;
    if check {
        expect_none(&receipt.misfits(&project)?)?;
        println!("{FILE} fits the sources: {}", receipt.summary());
    } else {
        println!("{}", receipt.summary());
        for (module, count) in &receipt.modules {
            println!("{count:>6}  {module}");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str =
        "[workspace.metadata.verus]\nverus = \"1\"\nz3 = \"2\"\nvstd = \"3\"\nrustc = \"4\"\n";

    fn project() -> (tempfile::TempDir, Project, Receipt) {
        let folder = tempfile::tempdir().unwrap();
        let project = Project::at(folder.path());
        project.write("Cargo.toml", MANIFEST).unwrap();
        project.write("crates/portolan/src/lib.rs", "// a").unwrap();
        project
            .write("crates/portolan/src/hw/mmu.rs", "// b")
            .unwrap();
        let receipt = Receipt {
            obligations: 3,
            seconds: 1.5,
            versions: project.pins().unwrap(),
            modules: BTreeMap::from([("addr".to_owned(), 1), ("hw::mmu".to_owned(), 2)]),
            sources: project.source_hashes().unwrap(),
        };
        (folder, project, receipt)
    }

    fn only_misfit(project: &Project, receipt: &Receipt) -> String {
        let misfits = receipt.misfits(project).unwrap();
        assert_eq!(misfits.len(), 1, "{misfits:?}");
        misfits[0].clone()
    }

    #[test]
    fn a_receipt_comes_back_as_written_and_fits() {
        let (_folder, project, receipt) = project();
        receipt.write(&project).unwrap();
        assert_eq!(Receipt::read(&project).unwrap(), receipt);
        assert!(receipt.misfits(&project).unwrap().is_empty());
    }

    #[test]
    fn a_changed_file_is_named() {
        let (_folder, project, receipt) = project();
        project.write("crates/portolan/src/lib.rs", "// A").unwrap();
        assert_eq!(
            only_misfit(&project, &receipt),
            "source file crates/portolan/src/lib.rs differs from the receipt"
        );
    }

    #[test]
    fn a_missing_file_is_named() {
        let (folder, project, receipt) = project();
        std::fs::remove_file(folder.path().join("crates/portolan/src/hw/mmu.rs")).unwrap();
        let expected = "source file crates/portolan/src/hw/mmu.rs is in the receipt, but not there";
        assert_eq!(only_misfit(&project, &receipt), expected);
    }

    #[test]
    fn an_extra_file_is_named() {
        let (_folder, project, receipt) = project();
        project.write("crates/portolan/src/more.rs", "").unwrap();
        assert_eq!(
            only_misfit(&project, &receipt),
            "source file crates/portolan/src/more.rs is not in the receipt"
        );
    }

    #[test]
    fn another_pin_is_named() {
        let (_folder, project, receipt) = project();
        project
            .write("Cargo.toml", &MANIFEST.replace("\"2\"", "\"5\""))
            .unwrap();
        assert!(only_misfit(&project, &receipt).contains("is pinned"));
    }

    #[test]
    fn only_time_may_differ_between_runs() {
        let (_folder, _project, receipt) = project();
        let mut run = Receipt {
            seconds: 9.0,
            ..receipt.clone()
        };
        assert!(receipt.differences(&run).is_empty());
        run.modules.insert("addr".to_owned(), 2);
        run.obligations = 4;
        assert_eq!(receipt.differences(&run).len(), 2);
    }
}
