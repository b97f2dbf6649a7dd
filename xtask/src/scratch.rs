//! A copy of the verified crate, to be edited and given to the prover.

use crate::project::{CRATE, PACKAGE, Project, SOURCES};
use crate::prover::{Job, Outcome, Verus};
use anyhow::{Context, Result, ensure};
use std::fs::File;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// A workspace with a copy of the crate and nothing else.
pub struct Scratch {
    project: Project,
    target: PathBuf,
    /// Held as long as the copy is used.
    _lock: File,
}

/// What the prover makes of a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All is proven.
    Proven,
    /// Something is not, and this is the first error.
    Refused(String),
    /// The solver gave up before it found an answer.
    Undecided,
    /// It never came to proofs, and this is the first error.
    DoesNotBuild(String),
}

impl Scratch {
    /// A fresh copy in `folder`; waits until no other program uses the one there. What has been built of its
    /// dependencies there before is used again.
    pub fn new(project: &Project, folder: &Path) -> Result<Scratch> {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("can't make {}", folder.display()))?;
        let lock = File::create(folder.join("lock")).context("can't make a lock")?;
        lock.lock().context("can't take the lock of the copy")?;
        let root = folder.join("work");
        if root.exists() {
            std::fs::remove_dir_all(&root)
                .with_context(|| format!("can't clear {}", root.display()))?;
        }
        let copy = Project::at(&root);
        copy.write(
            "Cargo.toml",
            &toml::to_string(&only_the_crate(project.manifest()?)?)?,
        )?;
        copy.write("Cargo.lock", &project.read("Cargo.lock")?)?;
        copy.write(
            &format!("{CRATE}/Cargo.toml"),
            &project.read(&format!("{CRATE}/Cargo.toml"))?,
        )?;
        for entry in WalkDir::new(project.path(SOURCES)) {
            let entry = entry?;
            let to = root.join(entry.path().strip_prefix(project.root())?);
            if entry.file_type().is_dir() {
                std::fs::create_dir_all(&to)?;
            } else {
                std::fs::copy(entry.path(), &to)
                    .with_context(|| format!("can't write {}", to.display()))?;
            }
        }
        Ok(Scratch {
            project: copy,
            target: folder.join("build"),
            _lock: lock,
        })
    }

    /// The copy.
    pub fn project(&self) -> &Project {
        &self.project
    }

    /// Runs the prover on these modules, or on all if there are none. Dependencies are not verified.
    pub fn prove(&self, verus: &Verus, modules: &[String]) -> Result<Outcome> {
        let job = Job {
            workspace: &self.project,
            target: &self.target,
            with_dependencies: false,
            modules,
        };
        verus.run(&job, &mut |_| {})
    }

    /// Proves the copy as it is and fails if that doesn't work: no edit's outcome would tell anything.
    pub fn expect_proven(&self, verus: &Verus) -> Result<()> {
        let verdict = Verdict::of(&self.prove(verus, &[])?);
        ensure!(
            verdict == Verdict::Proven,
            "without any edit, {PACKAGE} is not proven: {verdict:?}"
        );
        Ok(())
    }
}

impl Verdict {
    /// What a run says. An error of the compiler is not one of the proof, nor is it when the solver gives up.
    pub fn of(outcome: &Outcome) -> Verdict {
        let errors = errors(&outcome.output);
        let first = || {
            errors
                .first()
                .cloned()
                .unwrap_or_else(|| "no error is shown".to_owned())
        };
        let Some(report) = &outcome.report else {
            return Verdict::DoesNotBuild(first());
        };
        let results = &report.results;
        if results.errors > 0 && !results.encountered_vir_error {
            let refused = errors.into_iter().find(|error| !is_resource_limit(error));
            return refused.map_or(Verdict::Undecided, Verdict::Refused);
        }
        if outcome.success && !results.encountered_error {
            Verdict::Proven
        } else {
            Verdict::DoesNotBuild(first())
        }
    }
}

/// Whether an error says that the solver gave up.
pub fn is_resource_limit(error: &str) -> bool {
    error.contains("Resource limit (rlimit) exceeded")
}

/// The errors in what was printed, but for those that only sum up others.
pub fn errors(output: &str) -> Vec<String> {
    let lines = output
        .lines()
        .filter(|line| line.starts_with("error: ") || line.starts_with("error["));
    let errors = lines.filter_map(|line| line.split_once(": ").map(|(_, text)| text));
    let own = errors.filter(|text| {
        !text.starts_with("could not compile") && !text.starts_with("aborting due to")
    });
    own.map(str::to_owned).collect()
}

/// The root manifest, with the crate as the only member.
fn only_the_crate(mut manifest: toml::Table) -> Result<toml::Table> {
    let workspace = manifest
        .get_mut("workspace")
        .and_then(toml::Value::as_table_mut)
        .context("Cargo.toml has no workspace")?;
    workspace.remove("default-members");
    workspace.insert("members".to_owned(), toml::Value::Array(vec![CRATE.into()]));
    Ok(manifest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_that_sum_up_are_left_out() {
        let output = "error: postcondition not satisfied\n  |\nerror[E0308]: mismatched types\nwarning: x\nerror: could not compile `p`\n";
        assert_eq!(
            errors(output),
            ["postcondition not satisfied", "mismatched types"]
        );
    }

    #[test]
    fn a_copy_has_the_crate_only_and_takes_edits() {
        let folder = tempfile::tempdir().unwrap();
        let here = Project::here().unwrap();
        let scratch = Scratch::new(&here, folder.path()).unwrap();
        let copy = scratch.project();
        assert_eq!(copy.source_hashes().unwrap(), here.source_hashes().unwrap());
        assert!(!copy.path("xtask").exists());
        let members = copy.manifest().unwrap()["workspace"]["members"].to_string();
        assert_eq!(members, "[\"crates/portolan\"]");
    }
}
