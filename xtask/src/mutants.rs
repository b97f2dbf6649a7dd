//! `cargo xtask mutants`: the proofs' negative controls.
//!
//! `mutants.toml` lists small wrong edits to the executable code. Each is made to a copy of the crate, and the prover
//! has to refuse the copy. One that is accepted shows a contract that says too little.

mod list;

use crate::project::Project;
use crate::prover::Verus;
use crate::scratch::{Scratch, Verdict};
use anyhow::{Context, Result, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use list::Mutant;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Which mutants are run, and how.
#[derive(clap::Args)]
pub struct Options {
    /// Only those that have this in their name or file; may be given several times.
    #[arg(long)]
    filter: Vec<String>,
    /// Don't run them: check that each can be made, and list them.
    #[arg(long)]
    list: bool,
    /// How many to prove at once, each in a copy of its own.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=16))]
    jobs: u8,
}

/// A mutant's end.
struct Fate<'a> {
    mutant: &'a Mutant,
    verdict: Verdict,
    time: Duration,
}

/// `cargo xtask mutants`.
pub fn run(options: &Options) -> Result<()> {
    let project = Project::here()?;
    let all = list::read()?;
    list::check(&all, &project)?;
    let chosen: Vec<&Mutant> = all
        .iter()
        .filter(|mutant| mutant.is_chosen(&options.filter))
        .collect();
    if options.list {
        for mutant in &chosen {
            println!("{:<36} {:<24} {}", mutant.name, mutant.file, mutant.why);
        }
        println!(
            "{} of {} mutants, and each can be made",
            chosen.len(),
            all.len()
        );
        return Ok(());
    }
    ensure!(
        !chosen.is_empty(),
        "no mutant has {:?} in its name or file",
        options.filter
    );
    let verus = Verus::pinned(&project)?;
    let started = Instant::now();
    let fates = prove_all(&project, &verus, &chosen, usize::from(options.jobs))?;
    conclude(&fates, started.elapsed())
}

/// Proves all of them, shared out to as many workers as asked for.
fn prove_all<'a>(
    project: &Project,
    verus: &Verus,
    mutants: &[&'a Mutant],
    jobs: usize,
) -> Result<Vec<Fate<'a>>> {
    let bar = ProgressBar::new(mutants.len() as u64);
    bar.set_style(ProgressStyle::with_template(
        "{elapsed} {bar:30} {pos}/{len} {msg}",
    )?);
    bar.enable_steady_tick(Duration::from_millis(500));
    let next = AtomicUsize::new(0);
    let fates = Mutex::new(Vec::new());
    let work = |worker: usize| -> Result<()> {
        let scratch = Scratch::new(project, &project.path(&format!("target/scratch/{worker}")))?;
        if worker == 0 {
            scratch.expect_proven(verus)?;
        }
        while let Some(mutant) = mutants.get(next.fetch_add(1, Ordering::Relaxed)) {
            let begun = Instant::now();
            let verdict = prove(mutant, &scratch, verus)
                .with_context(|| format!("mutant {}", mutant.name))?;
            let fate = Fate {
                mutant,
                verdict,
                time: begun.elapsed(),
            };
            bar.suspend(|| println!("{fate}"));
            bar.inc(1);
            fates
                .lock()
                .map_err(|_| anyhow::anyhow!("another worker failed"))?
                .push(fate);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs.min(mutants.len()))
            .map(|worker| scope.spawn(move || work(worker)))
            .collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().unwrap_or_else(|_| bail!("a worker panicked")))
    })?;
    bar.finish_and_clear();
    fates
        .into_inner()
        .map_err(|_| anyhow::anyhow!("a worker failed"))
}

/// Makes the edit, and has it proven: first where it is, and if it passes there, all of the crate.
fn prove(mutant: &Mutant, scratch: &Scratch, verus: &Verus) -> Result<Verdict> {
    let file = mutant.path();
    let text = scratch.project().read(&file)?;
    scratch.project().write(&file, &mutant.apply(&text)?)?;
    let mut verdict = Verdict::of(&scratch.prove(verus, &[mutant.module()])?);
    if matches!(verdict, Verdict::Proven | Verdict::Undecided) {
        verdict = Verdict::of(&scratch.prove(verus, &[])?);
    }
    scratch.project().write(&file, &text)?;
    Ok(verdict)
}

/// Sums up; fails unless the prover refused each.
fn conclude(fates: &[Fate], time: Duration) -> Result<()> {
    let kept: Vec<&Fate> = fates
        .iter()
        .filter(|fate| !matches!(fate.verdict, Verdict::Refused(_)))
        .collect();
    println!(
        "{} mutants: {} refused, {} not, in {} s",
        fates.len(),
        fates.len() - kept.len(),
        kept.len(),
        time.as_secs()
    );
    if kept.is_empty() {
        return Ok(());
    }
    for fate in &kept {
        let Mutant {
            name,
            find,
            replace,
            why,
            ..
        } = fate.mutant;
        println!(
            "\n{name}, in {} ({why}):\n- {find}\n+ {replace}\n{:?}",
            fate.mutant.path(),
            fate.verdict
        );
    }
    bail!(
        "{} of {} mutants were not refused by the proofs",
        kept.len(),
        fates.len()
    )
}

impl std::fmt::Display for Fate<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (word, detail) = match &self.verdict {
            Verdict::Refused(error) => ("refused", error.as_str()),
            Verdict::Proven => ("SURVIVED", "the crate is proven with it"),
            Verdict::Undecided => ("UNDECIDED", "the solver gave up"),
            Verdict::DoesNotBuild(error) => ("NO BUILD", error.as_str()),
        };
        write!(
            f,
            "{word:<9} {:<36} {:>5.1} s  {detail}",
            self.mutant.name,
            self.time.as_secs_f64()
        )
    }
}
