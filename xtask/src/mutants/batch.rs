//! Which mutants are proven in one run.
//!
//! In a batch there is at most one mutant of each function. A run takes a time for the crate as such, which is most of
//! it, and a time for each module. So a file's mutants are in as few batches as go, and these are as few as go.

use super::list::Mutant;
use super::site::{Site, Source};
use crate::project::Project;
use anyhow::{Context, Result};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// How many mutants a batch has at most. One that has to be split costs the more the larger it is.
const LARGEST: usize = 24;

/// What a worker does next.
#[derive(Debug)]
pub enum Task<'a> {
    /// Proves mutants of different functions in one run.
    Together(Vec<Site<'a>>),
    /// Proves one mutant.
    Alone(&'a Mutant),
}

impl Task<'_> {
    /// How many mutants it judges.
    pub fn mutants(&self) -> usize {
        match self {
            Task::Together(sites) => sites.len(),
            Task::Alone(_) => 1,
        }
    }
}

/// All tasks, those that take longest first.
pub fn plan<'a>(project: &Project, mutants: &[&'a Mutant]) -> Result<Vec<Task<'a>>> {
    let mut files: BTreeMap<&str, Vec<&'a Mutant>> = BTreeMap::new();
    for mutant in mutants {
        files.entry(&mutant.file).or_default().push(mutant);
    }
    let mut layers = Vec::new();
    let mut alone = Vec::new();
    for (file, mutants) in files {
        let source = project.read(&mutants[0].path()).and_then(Source::new);
        let source = source.with_context(|| file.to_owned())?;
        let mut sites = Vec::new();
        for mutant in mutants {
            match source.site(mutant)? {
                Some(site) => sites.push(site),
                None => alone.push(Task::Alone(mutant)),
            }
        }
        layers.push(layered(sites));
    }
    // those that need most batches choose first
    layers.sort_by_key(|layers| Reverse(layers.len()));
    let batches = packed(layers.into_iter().flatten()).into_iter();
    Ok(batches.map(Task::Together).chain(alone).collect())
}

/// The sites of a file in as few layers as go, each with one site of a function at most.
fn layered(sites: Vec<Site>) -> Vec<Vec<Site>> {
    let mut depth: BTreeMap<usize, usize> = BTreeMap::new();
    let mut layers: Vec<Vec<Site>> = Vec::new();
    for site in sites {
        let layer = depth.entry(site.body.start).or_default();
        if *layer == layers.len() {
            layers.push(Vec::new());
        }
        layers[*layer].push(site);
        *layer += 1;
    }
    layers
}

/// Puts each layer into the first batch that has room for it and nothing of its file.
fn packed<'a>(layers: impl Iterator<Item = Vec<Site<'a>>>) -> Vec<Vec<Site<'a>>> {
    let mut batches: Vec<Vec<Site>> = Vec::new();
    for layer in layers {
        let has_room = |batch: &&mut Vec<Site>| {
            let file = &layer[0].mutant.file;
            batch.len() + layer.len() <= LARGEST
                && batch.iter().all(|site| site.mutant.file != *file)
        };
        match batches.iter_mut().find(has_room) {
            Some(batch) => batch.extend(layer),
            None => batches.push(layer),
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// The file's mutants, one for each of these functions by number.
    fn mutants(file: &str, functions: &[usize]) -> Vec<Mutant> {
        let of = |function| {
            let find = format!("f{function}() {{ x");
            Mutant::new("m", file, &find, &format!("{find} + 1"))
        };
        functions.iter().map(of).collect()
    }

    fn sites<'a>(mutants: &'a [Mutant]) -> Vec<Site<'a>> {
        let functions: String = (0..LARGEST)
            .map(|n| format!("fn f{n}() {{ x }} "))
            .collect();
        let source = Source::new(format!("verus! {{ {functions} }}")).unwrap();
        let sites = mutants
            .iter()
            .map(|mutant| source.site(mutant).unwrap().unwrap());
        sites.collect()
    }

    fn sizes(groups: &[Vec<Site>]) -> Vec<usize> {
        groups.iter().map(Vec::len).collect()
    }

    #[test]
    fn a_layer_has_one_mutant_of_a_function() {
        let mutants = mutants("a.rs", &[1, 0, 1, 2, 1, 0]);
        let layers = layered(sites(&mutants));
        assert_eq!(sizes(&layers), [3, 2, 1]);
        for layer in &layers {
            let bodies: BTreeSet<usize> = layer.iter().map(|site| site.body.start).collect();
            assert_eq!(bodies.len(), layer.len());
        }
    }

    #[test]
    fn a_batch_has_one_layer_of_a_file_and_is_not_too_large() {
        let all: Vec<usize> = (0..LARGEST - 1).collect();
        let (a, b, c) = (
            mutants("a.rs", &[0, 0]),
            mutants("b.rs", &all),
            mutants("c.rs", &[0, 1]),
        );
        let layers = [&a, &b, &c].map(|mutants| layered(sites(mutants)));
        let batches = packed(layers.into_iter().flatten());
        assert_eq!(sizes(&batches), [LARGEST, 3]);
    }

    #[test]
    fn each_mutant_of_the_list_is_in_one_task() {
        let list = super::super::list::read().unwrap();
        let tasks = plan(&Project::here().unwrap(), &list.iter().collect::<Vec<_>>()).unwrap();
        let mut names = BTreeSet::new();
        for task in &tasks {
            match task {
                Task::Alone(mutant) => assert!(names.insert(&mutant.name)),
                Task::Together(sites) => {
                    assert!(sites.iter().all(|site| names.insert(&site.mutant.name)));
                }
            }
        }
        assert_eq!(names.len(), list.len());
        assert!(tasks.len() < list.len() / 2, "{} tasks", tasks.len());
    }
}
