//! Making mutants in a copy of the crate, and proving it.

use super::batch::Task;
use super::fate::{Fate, News};
use super::judge::{Place, refusals};
use super::list::Mutant;
use super::site::{Site, apply};
use crate::prover::{Outcome, Verus};
use crate::scratch::{Scratch, Verdict};
use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// A copy of the crate and the prover for it.
pub struct Prover<'p> {
    /// The copy.
    pub scratch: Scratch,
    /// The prover.
    pub verus: &'p Verus,
}

impl Prover<'_> {
    /// Does a task, and tells what comes of it as soon as that is known.
    pub fn run<'a>(&self, task: &Task<'a>, tell: &mut dyn FnMut(News<'a>)) -> Result<()> {
        match task {
            Task::Together(sites) => self.together(sites, tell),
            Task::Alone(mutant) => self.alone(mutant, tell),
        }
    }

    fn alone<'a>(&self, mutant: &'a Mutant, tell: &mut dyn FnMut(News<'a>)) -> Result<()> {
        let begun = Instant::now();
        let verdict = self
            .verdict(mutant)
            .with_context(|| format!("mutant {}", mutant.name))?;
        tell(News::Ended(Fate {
            mutant,
            verdict,
            time: begun.elapsed(),
        }));
        Ok(())
    }

    /// Proves one mutant: first its module, and if that passes, all of the crate.
    fn verdict(&self, mutant: &Mutant) -> Result<Verdict> {
        let copy = self.scratch.project();
        let file = mutant.path();
        let text = copy.read(&file)?;
        copy.write(&file, &mutant.apply(&text)?)?;
        let mut verdict = Verdict::of(&self.scratch.prove(self.verus, &[mutant.module()])?);
        if matches!(verdict, Verdict::Proven | Verdict::Undecided) {
            verdict = Verdict::of(&self.scratch.prove(self.verus, &[])?);
        }
        copy.write(&file, &text)?;
        Ok(verdict)
    }

    /// Proves mutants of different functions in one run. Those that this doesn't refuse are proven alone; if the run
    /// tells nothing, its halves are tried.
    fn together<'a>(&self, sites: &[Site<'a>], tell: &mut dyn FnMut(News<'a>)) -> Result<()> {
        if let [site] = sites {
            return self.alone(site.mutant, tell);
        }
        let begun = Instant::now();
        let (outcome, places) = self.prove_all(sites)?;
        let refusals = match refusals(&outcome, &places) {
            Ok(refusals) => refusals,
            Err(reason) => {
                tell(News::Split(sites.len(), reason));
                let (some, others) = sites.split_at(sites.len() / 2);
                self.together(some, tell)?;
                return self.together(others, tell);
            }
        };
        let time = begun.elapsed() / u32::try_from(sites.len())?;
        let mut left = Vec::new();
        for (Site { mutant, .. }, refusal) in sites.iter().zip(refusals) {
            match refusal.map(Verdict::Refused) {
                Some(verdict) => tell(News::Ended(Fate {
                    mutant,
                    verdict,
                    time,
                })),
                None => left.push(mutant),
            }
        }
        left.into_iter()
            .try_for_each(|mutant| self.alone(mutant, tell))
    }

    /// Makes all these edits and proves their modules; tells where the bodies with the edits were.
    fn prove_all(&self, sites: &[Site]) -> Result<(Outcome, Vec<Place>)> {
        let copy = self.scratch.project();
        let mut files: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (at, site) in sites.iter().enumerate() {
            files.entry(site.mutant.path()).or_default().push(at);
        }
        let mut places = vec![Place::default(); sites.len()];
        let mut texts = Vec::new();
        for (file, here) in &files {
            let text = copy.read(file)?;
            let edits: Vec<&Site> = here.iter().map(|at| &sites[*at]).collect();
            let (edited, bodies) = apply(&text, &edits);
            for (at, body) in here.iter().zip(bodies) {
                let file = file.clone();
                places[*at] = Place { file, body };
            }
            copy.write(file, &edited)?;
            texts.push((file, text));
        }
        let modules: BTreeSet<String> = sites.iter().map(|site| site.mutant.module()).collect();
        let modules: Vec<String> = modules.into_iter().collect();
        let outcome = self.scratch.prove(self.verus, &modules)?;
        for (file, text) in texts {
            copy.write(file, &text)?;
        }
        Ok((outcome, places))
    }
}
