//! `cargo xtask smoke`: the assumptions don't prove `false`.
//!
//! `smoke.template.rs` has a function for each group of assumptions, which uses all of them and ends with a claim. The
//! prover has to accept each with the claim `true`, which shows that what the assumptions ask for can be had, and to
//! refuse each with the claim `false`.

use crate::project::{PACKAGE, Project, SOURCES};
use crate::prover::{Outcome, Verus};
use crate::scratch::{Scratch, errors};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;

const TEMPLATE: &str = include_str!("smoke.template.rs");

/// The modules that are made from the template.
const HOLDS: &str = "smoke_holds";
const REFUSED: &str = "smoke_refused";

/// `cargo xtask smoke`.
pub fn run() -> Result<()> {
    let project = Project::here()?;
    let verus = Verus::pinned(&project)?;
    let scratch = Scratch::new(&project, &project.path("target/scratch/0"))?;
    let copy = scratch.project();
    let lib = format!("{SOURCES}/lib.rs");
    let modules = format!("#[cfg(verus_only)]\nmod {HOLDS};\n#[cfg(verus_only)]\nmod {REFUSED};\n");
    copy.write(&lib, &(copy.read(&lib)? + &modules))?;
    copy.write(
        &format!("{SOURCES}/{HOLDS}.rs"),
        &TEMPLATE.replace("CLAIM", "true"),
    )?;
    copy.write(
        &format!("{SOURCES}/{REFUSED}.rs"),
        &TEMPLATE.replace("CLAIM", "false"),
    )?;
    let outcome = scratch.prove(&verus, &[HOLDS.to_owned(), REFUSED.to_owned()])?;
    let groups = judge(&outcome)?;
    println!(
        "{} groups of assumptions, none of which proves false: {}",
        groups.len(),
        groups.join(", ")
    );
    Ok(())
}

/// The groups; fails unless each is accepted and refused as it has to be.
fn judge(outcome: &Outcome) -> Result<Vec<String>> {
    let report = outcome
        .report
        .as_ref()
        .context("the prover reported nothing")?;
    let functions = report.functions();
    let (holds, refused) = (of(&functions, HOLDS), of(&functions, REFUSED));
    ensure!(
        !refused.is_empty(),
        "the prover did not come to the assumptions:\n{}",
        outcome.output
    );
    for (group, proven) in &holds {
        ensure!(
            *proven,
            "{group}: the assumptions can't be used as the template does:\n{}",
            outcome.output
        );
    }
    for (group, proven) in &refused {
        ensure!(!*proven, "{group}: THE ASSUMPTIONS PROVE FALSE");
    }
    ensure!(
        holds.keys().eq(refused.keys()),
        "{:?} hold, {:?} are refused",
        holds.keys(),
        refused.keys()
    );
    let failed = errors(&outcome.output);
    let plain = failed
        .iter()
        .filter(|error| *error == "assertion failed")
        .count();
    ensure!(
        plain == refused.len() && failed.len() == plain,
        "other errors than the claims':\n{}",
        outcome.output
    );
    Ok(refused.into_keys().collect())
}

/// The functions of a module, and whether each was proven.
fn of(functions: &BTreeMap<&str, bool>, module: &str) -> BTreeMap<String, bool> {
    let prefix = format!("{PACKAGE}::{module}::");
    let own = functions
        .iter()
        .filter_map(|(name, proven)| Some((name.strip_prefix(&prefix)?.to_owned(), *proven)));
    own.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_makes_its_claim_once() {
        assert_eq!(
            TEMPLATE.matches("assert(CLAIM);").count(),
            TEMPLATE.matches("fn group_").count()
        );
    }
}
