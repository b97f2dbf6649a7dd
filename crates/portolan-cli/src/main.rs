//! `portolan`: page tables at work on a machine.

#![forbid(unsafe_code)]

mod arch;
mod arguments;
mod choice;
mod conformance;
mod inspect;
mod output;
mod receipt;
mod run;
mod stress;
mod text;
mod tour;
mod verdict;

use arguments::{Arguments, Command};
use clap::Parser;
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let verdict = match arguments.command {
        None => tour::command(&arguments.tour),
        Some(Command::Tour(arguments)) => tour::command(&arguments),
        Some(Command::Conformance(arguments)) => conformance::command(&arguments),
        Some(Command::Stress(arguments)) => stress::command(&arguments),
        Some(Command::Inspect(arguments)) => inspect::command(&arguments),
        // its exit code is the program's
        Some(Command::Run(arguments)) => return run::command(arguments),
    };
    match verdict {
        Ok(verdict) => verdict.into(),
        Err(stop) => {
            // Whoever closed the standard error does not want to know
            let _ = writeln!(anstream::stderr(), "portolan: {stop}");
            stop.code()
        }
    }
}
