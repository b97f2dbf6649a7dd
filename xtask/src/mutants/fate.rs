//! How mutants end, for those who watch.

use super::list::Mutant;
use crate::scratch::Verdict;
use anyhow::{Result, bail};
use std::fmt::{Display, Formatter};
use std::time::Duration;

/// A mutant's end.
pub struct Fate<'a> {
    /// The mutant.
    pub mutant: &'a Mutant,
    /// What the prover made of it.
    pub verdict: Verdict,
    /// How long it took, or its share of a run that it had with others.
    pub time: Duration,
}

/// What is to be told while mutants are proven.
pub enum News<'a> {
    /// A mutant's end.
    Ended(Fate<'a>),
    /// So many are proven in halves, as this error doesn't tell which of them is refused.
    Split(usize, String),
}

/// Sums up; fails unless the prover refused each.
pub fn conclude(fates: &[Fate], time: Duration) -> Result<()> {
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

impl Display for Fate<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
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
