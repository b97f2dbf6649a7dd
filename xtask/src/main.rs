//! Portolan's proofs and what keeps them honest: `cargo xtask --help`.
//!
//! - `verify` runs the proofs and writes `proofs/receipt.toml`; `receipt --check` compares it with the sources.
//! - `ledger` writes `TRUSTED.md`, the list of all that the proofs take on trust.
//! - `mutants` edits the code wrongly and expects each edit to make the proofs fail.
//! - `smoke` asks the prover for `false` from the assumptions, and expects it to refuse.

#![forbid(unsafe_code)]

mod ledger;
mod mutants;
mod project;
mod prover;
mod receipt;
mod scratch;
mod smoke;
mod verify;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Runs Portolan's proofs and checks what they rest on.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Runs the proofs and writes proofs/receipt.toml.
    Verify {
        /// Don't write the receipt: fail if it differs from this run in anything but time.
        #[arg(long)]
        check: bool,
    },
    /// Shows the receipt of the last proof run.
    Receipt {
        /// Fail if the receipt does not fit the sources and the pinned versions. Needs no prover.
        #[arg(long)]
        check: bool,
    },
    /// Writes TRUSTED.md, the list of all that is taken on trust.
    Ledger {
        /// Don't write it: fail if it is out of date.
        #[arg(long)]
        check: bool,
    },
    /// Makes wrong edits to the code, and fails if the proofs accept one.
    Mutants(mutants::Options),
    /// Fails if the assumptions prove `false`.
    Smoke,
}

fn main() -> ExitCode {
    let done = match Cli::parse().task {
        Task::Verify { check } => verify::run(check),
        Task::Receipt { check } => receipt::run(check),
        Task::Ledger { check } => ledger::run(check),
        Task::Mutants(options) => mutants::run(&options),
        Task::Smoke => smoke::run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{} {error:#}", console::style("error:").red().bold());
            ExitCode::FAILURE
        }
    }
}
