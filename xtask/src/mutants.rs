//! `cargo xtask mutants`: the proofs' negative controls.
//!
//! `mutants.toml` lists small wrong edits to the executable code. Each is made to a copy of the crate, and the prover
//! has to refuse the copy. One that is accepted shows a contract that says too little.
//!
//! Edits that are in bodies of different functions are made and proven together: a function's proof sees only its own
//! body. An error in such a body refuses its mutant. What a run together doesn't refuse is proven alone.

mod batch;
mod body;
mod fate;
mod judge;
mod list;
mod prove;
mod site;

use crate::project::Project;
use crate::prover::Verus;
use crate::scratch::Scratch;
use anyhow::{Result, bail, ensure};
use batch::Task;
use fate::{Fate, News, conclude};
use indicatif::{ProgressBar, ProgressStyle};
use list::Mutant;
use prove::Prover;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
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
    /// Prove each in a run of its own.
    #[arg(long)]
    alone: bool,
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
    let tasks = if options.alone {
        chosen.iter().map(|mutant| Task::Alone(mutant)).collect()
    } else {
        batch::plan(&project, &chosen)?
    };
    let batches = tasks.iter().filter(|task| task.mutants() > 1).count();
    println!(
        "{} mutants: {batches} batches, {} alone",
        chosen.len(),
        tasks.len() - batches
    );
    let started = Instant::now();
    let fates = prove_all(&project, &verus, &tasks, usize::from(options.jobs))?;
    conclude(&fates, started.elapsed())
}

/// Does all of the tasks, shared out to as many workers as asked for.
fn prove_all<'a>(
    project: &Project,
    verus: &Verus,
    tasks: &[Task<'a>],
    jobs: usize,
) -> Result<Vec<Fate<'a>>> {
    let bar = ProgressBar::new(tasks.iter().map(Task::mutants).sum::<usize>() as u64);
    bar.set_style(ProgressStyle::with_template(
        "{elapsed} {bar:30} {pos}/{len} {msg}",
    )?);
    bar.enable_steady_tick(Duration::from_millis(500));
    let next = AtomicUsize::new(0);
    let fates = Mutex::new(Vec::new());
    let note = |news: News<'a>| match news {
        News::Ended(fate) => {
            bar.suspend(|| println!("{fate}"));
            bar.inc(1);
            let mut fates = fates.lock().unwrap_or_else(PoisonError::into_inner);
            fates.push(fate);
        }
        News::Split(count, reason) => {
            bar.suspend(|| println!("{count} together are split: {reason}"));
        }
    };
    let work = |worker: usize| -> Result<()> {
        let scratch = Scratch::new(project, &project.path(&format!("target/scratch/{worker}")))?;
        let prover = Prover { scratch, verus };
        if worker == 0 {
            prover.scratch.expect_proven(verus)?;
        }
        while let Some(task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
            prover.run(task, &mut |news| note(news))?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs.min(tasks.len()))
            .map(|worker| scope.spawn(move || work(worker)))
            .collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().unwrap_or_else(|_| bail!("a worker panicked")))
    })?;
    bar.finish_and_clear();
    Ok(fates.into_inner().unwrap_or_else(PoisonError::into_inner))
}
