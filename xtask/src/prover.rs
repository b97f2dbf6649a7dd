//! Running Verus: finding it, checking its version, reading what it says.

mod log;
mod output;
mod report;

use crate::project::{PACKAGE, Project, Versions};
use anyhow::{Context, Result, bail, ensure};
#[cfg(test)]
pub use output::Expansion;
use output::Output;
pub use output::{Diagnostic, Span};
pub use report::Report;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// An installed Verus.
pub struct Verus {
    cargo_verus: PathBuf,
}

/// One run of the prover over the crate.
pub struct Job<'a> {
    /// The workspace that has the crate.
    pub workspace: &'a Project,
    /// Where to build.
    pub target: &'a Path,
    /// Whether what the crate depends on is verified as well, once.
    pub with_dependencies: bool,
    /// The crate's modules to verify, without those below them; all if there are none.
    pub modules: &'a [String],
}

/// What a run tells while it lasts.
pub enum Event<'a> {
    /// A dependency is being built or verified.
    Building(&'a str),
    /// The prover has come to this module of the crate.
    Module(&'a str),
    /// A line that the prover or the compiler prints.
    Line(&'a str),
}

/// What came of a run.
pub struct Outcome {
    /// Whether Cargo was content: everything was built and verified.
    pub success: bool,
    /// What the prover reports of the crate; none if it didn't come so far.
    pub report: Option<Report>,
    /// How many obligations were proven in each module.
    pub proven: BTreeMap<String, u64>,
    /// The solver's version as it gave it.
    pub z3: Option<String>,
    /// The diagnostics and what Cargo printed, without colours.
    pub output: String,
    /// The diagnostics.
    pub diagnostics: Vec<Diagnostic>,
}

impl Verus {
    /// The Verus in `$VERUS_HOME`, or else on the `PATH`.
    pub fn find() -> Result<Option<Verus>> {
        let name = format!("cargo-verus{}", std::env::consts::EXE_SUFFIX);
        if let Some(home) = std::env::var_os("VERUS_HOME") {
            let cargo_verus = PathBuf::from(home).join(&name);
            ensure!(
                cargo_verus.is_file(),
                "VERUS_HOME has no {name}: {} is missing",
                cargo_verus.display()
            );
            return Ok(Some(Verus { cargo_verus }));
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut found = std::env::split_paths(&path)
            .map(|folder| folder.join(&name))
            .filter(|file| file.is_file());
        Ok(found.next().map(|cargo_verus| Verus { cargo_verus }))
    }

    /// The installed Verus, if it is the pinned one.
    pub fn pinned(project: &Project) -> Result<Verus> {
        let pins = project.pins()?;
        let verus = Verus::find()?.with_context(|| how_to_install(&pins))?;
        let version = verus.version()?;
        ensure!(
            release(&version) == pins.verus,
            "{} is Verus {version}, but the proofs are pinned to {}.\n{}",
            verus.cargo_verus.display(),
            pins.verus,
            how_to_install(&pins)
        );
        let vstd = project.locked("vstd")?;
        ensure!(
            vstd == pins.vstd,
            "Cargo.lock has vstd {vstd}, but the proofs are pinned to {}",
            pins.vstd
        );
        Ok(verus)
    }

    /// Its version, as the `verus` beside `cargo-verus` says it.
    fn version(&self) -> Result<String> {
        let verus = self
            .cargo_verus
            .with_file_name(format!("verus{}", std::env::consts::EXE_SUFFIX));
        let mut command = outside_cargo(&verus);
        command.args(["--version", "--output-json"]);
        let output = command
            .output()
            .with_context(|| format!("can't run {}", verus.display()))?;
        ensure!(
            output.status.success(),
            "{} --version failed",
            verus.display()
        );
        let said = String::from_utf8_lossy(&output.stdout);
        Ok(Report::parse(&said)?
            .with_context(|| format!("{} --version said no version", verus.display()))?
            .verus
            .version)
    }

    /// Verifies the crate, even if nothing changed since the last time.
    pub fn run(&self, job: &Job, on_event: &mut dyn FnMut(Event)) -> Result<Outcome> {
        forget(job.target)?;
        let log = job.target.join("verus-log");
        if log.exists() {
            std::fs::remove_dir_all(&log).context("can't clear the prover's log")?;
        }
        let mut command = self.command(job, &log);
        let mut child = command
            .spawn()
            .with_context(|| format!("can't run {}", self.cargo_verus.display()))?;
        let output = Output::read(&mut child, on_event)?;
        let success = child.wait().context("lost the prover")?.success();
        let report = Report::parse(&output.said)?;
        let modules = report.as_ref().map(Report::modules).unwrap_or_default();
        let (proven, z3) = log::read(&log, &modules)?;
        Ok(Outcome {
            success,
            report,
            proven,
            z3,
            output: output.text,
            diagnostics: output.diagnostics,
        })
    }

    fn command(&self, job: &Job, log: &Path) -> Command {
        let mut command = outside_cargo(&self.cargo_verus);
        command.current_dir(job.workspace.root());
        let colour = console::colors_enabled_stderr();
        command.arg(if job.with_dependencies {
            "verify"
        } else {
            "focus"
        });
        command
            .args([
                "--package",
                PACKAGE,
                // what is behind this feature is proven too
                "--features",
                "alloc",
                "--fwd-verus-args-to",
                "roots",
                "--target-dir",
            ])
            .arg(job.target);
        command.args([
            "--message-format",
            if colour {
                "json-diagnostic-rendered-ansi"
            } else {
                "json"
            },
        ]);
        command
            .args([
                "--",
                "--output-json",
                "--time-expanded",
                "--trace",
                "--log",
                "smt-transcript",
                "--log-dir",
            ])
            .arg(log);
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        command.args(["--num-threads", &threads.to_string()]);
        for module in job.modules {
            command.args(["--verify-only-module", module]);
        }
        command.env("CARGO_TERM_COLOR", if colour { "always" } else { "never" });
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

impl Outcome {
    /// The versions that the run was made with.
    pub fn versions(&self, project: &Project) -> Result<Versions> {
        let report = self
            .report
            .as_ref()
            .context("the prover reported nothing")?;
        let rustc = report.verus.toolchain.split('-').next().unwrap_or_default();
        Ok(Versions {
            verus: release(&report.verus.version).to_owned(),
            z3: self
                .z3
                .clone()
                .context("the prover's log doesn't tell the solver's version")?,
            vstd: project.locked("vstd")?,
            rustc: rustc.to_owned(),
        })
    }
}

/// How someone who lacks the pinned Verus gets it.
fn how_to_install(pins: &Versions) -> String {
    let commit = pins.verus.rsplit('.').next().unwrap_or_default();
    format!(
        "The proofs need Verus {version}, with `cargo-verus` on the PATH or in the folder that VERUS_HOME names.\n\
         Either unpack the release `release/{version}` of https://github.com/verus-lang/verus and install its compiler \
         (`rustup toolchain install {rustc}`),\n\
         or build its commit {commit} as BUILD.md there says, with Z3 {z3}.",
        version = pins.verus,
        rustc = pins.rustc,
        z3 = pins.z3,
    )
}

/// The release that a version of Verus is; `.dirty` says that it was built from a work tree with changes.
fn release(version: &str) -> &str {
    version.strip_suffix(".dirty").unwrap_or(version)
}

/// A command that starts as from a shell: without what Cargo sets for the programs it runs, which would choose the
/// compiler that Verus has to choose.
fn outside_cargo(program: &Path) -> Command {
    let mut command = Command::new(program);
    for name in [
        "CARGO",
        "RUSTC",
        "RUSTDOC",
        "RUSTC_WRAPPER",
        "RUSTUP_TOOLCHAIN",
        "CARGO_TARGET_DIR",
        "RUSTFLAGS",
    ] {
        command.env_remove(name);
    }
    command
}

/// Makes Cargo run the prover again, which it otherwise does only for changed sources.
fn forget(target: &Path) -> Result<()> {
    for profile in ["debug", "verus-partial/debug"] {
        let Ok(prints) = std::fs::read_dir(target.join(profile).join(".fingerprint")) else {
            continue;
        };
        for print in prints {
            let print = print?;
            let name: OsString = print.file_name();
            if name
                .to_str()
                .is_some_and(|name| name.strip_prefix(PACKAGE).is_some_and(is_fingerprint))
            {
                std::fs::remove_dir_all(print.path()).context("can't remove a fingerprint")?;
            }
        }
    }
    Ok(())
}

/// Whether what follows the package's name is a fingerprint's hash, not the rest of a longer name.
fn is_fingerprint(rest: &str) -> bool {
    rest.strip_prefix('-')
        .is_some_and(|hash| !hash.is_empty() && hash.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Fails unless a run was made with the pinned versions.
pub fn check_versions(used: &Versions, pins: &Versions) -> Result<()> {
    if used != pins {
        bail!("the proofs are pinned to {pins:?} but ran with {used:?}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_from_a_changed_tree_counts_as_its_release() {
        assert_eq!(
            release("0.2026.07.12.0b42f4c.dirty"),
            "0.2026.07.12.0b42f4c"
        );
        assert_eq!(release("0.2026.07.12.0b42f4c"), "0.2026.07.12.0b42f4c");
    }

    #[test]
    fn only_the_crate_itself_is_forgotten() {
        assert!(is_fingerprint("-a74b330e83bd43cf"));
        assert!(!is_fingerprint("-machine-a74b330e83bd43cf"));
        assert!(!is_fingerprint(""));
    }
}
