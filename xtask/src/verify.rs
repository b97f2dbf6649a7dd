//! `cargo xtask verify`: the proofs, and their receipt.

use crate::project::Project;
use crate::prover::{Event, Job, Outcome, Verus, check_versions};
use crate::receipt::{self, Receipt};
use anyhow::{Context, Result, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

/// Runs the proofs; writes the receipt, or with `check` compares it.
pub fn run(check: bool) -> Result<()> {
    let project = Project::here()?;
    let verus = Verus::pinned(&project)?;
    let before = project.source_hashes()?;
    let target = project.path("target/verus");
    if !target.exists() {
        eprintln!("the first run builds and verifies vstd too, which takes some minutes");
    }
    let job = Job {
        workspace: &project,
        target: &target,
        with_dependencies: true,
        modules: &[],
    };
    let outcome = with_progress(|on_event| verus.run(&job, on_event))?;
    let run = record(&project, &outcome)?;
    ensure!(
        run.sources == before,
        "a source file changed while the proofs ran"
    );
    println!("proven: {}", run.summary());
    if check {
        receipt::expect_none(&Receipt::read(&project)?.differences(&run))?;
        println!("{} is of this run, but for its time", receipt::FILE);
    } else {
        run.write(&project)?;
        println!("wrote {}", receipt::FILE);
    }
    Ok(())
}

/// Calls `run` with something that shows how far it is, and passes on what it prints.
fn with_progress(run: impl FnOnce(&mut dyn FnMut(Event)) -> Result<Outcome>) -> Result<Outcome> {
    let bar = ProgressBar::new_spinner();
    bar.set_style(ProgressStyle::with_template("{spinner} {elapsed} {msg}")?);
    bar.enable_steady_tick(Duration::from_millis(200));
    let mut modules = 0;
    let outcome = run(&mut |event| match event {
        Event::Building(name) => bar.set_message(format!("building {name}")),
        Event::Module(name) => {
            modules += 1;
            bar.set_message(format!("verifying {name}, module {modules}"));
        }
        Event::Line(line) => bar.suspend(|| eprintln!("{line}")),
    });
    bar.finish_and_clear();
    outcome
}

/// What is to be remembered of a successful run.
fn record(project: &Project, outcome: &Outcome) -> Result<Receipt> {
    let Some(report) = outcome.report.as_ref() else {
        bail!("the prover did not come to the crate");
    };
    let results = &report.results;
    if results.errors > 0 {
        bail!(
            "not proven: {} obligations proven, {} not",
            results.verified,
            results.errors
        );
    }
    if !outcome.success || results.encountered_error || results.encountered_vir_error {
        bail!("not proven: the crate does not build under Verus");
    }
    ensure!(
        results.is_verifying_entire_crate,
        "the prover left out a part of the crate"
    );
    let versions = outcome.versions(project)?;
    check_versions(&versions, &project.pins()?)?;
    let counted: u64 = outcome.proven.values().sum();
    ensure!(
        counted == results.verified,
        "the prover reports {} obligations, but its log has {counted}",
        results.verified
    );
    Ok(Receipt {
        obligations: results.verified,
        seconds: report.seconds(),
        versions,
        modules: outcome
            .proven
            .iter()
            .map(|(module, count)| (name(module), *count))
            .collect(),
        sources: project.source_hashes().context("can't hash the sources")?,
    })
}

/// A module's name in the receipt: its path in the crate, and `lib` for the crate's root.
fn name(module: &str) -> String {
    if module.is_empty() {
        "lib".to_owned()
    } else {
        module.to_owned()
    }
}
