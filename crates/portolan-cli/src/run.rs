//! A Linux program in an address space of Portolan's.

use crate::arguments::RunArguments;
use std::io::Write;
use std::process::ExitCode;

/// The program can't be run.
const REFUSED: u8 = 2;

/// `portolan run`: the exit code is the program's.
pub fn command(arguments: RunArguments) -> ExitCode {
    match execute(arguments) {
        Ok(code) => ExitCode::from(code),
        Err(reason) => {
            // Whoever closed the standard error does not want to know
            let _ = writeln!(anstream::stderr(), "portolan: {reason}");
            ExitCode::from(REFUSED)
        }
    }
}

/// Runs the program; answers with its exit status, or why it can't be run.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn execute(arguments: RunArguments) -> Result<u8, String> {
    use portolan_run::{Options, run};
    use std::os::unix::ffi::{OsStrExt, OsStringExt};

    let program = arguments.program.first().ok_or("no program")?;
    let mut options = Options::new(program);
    let pair = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        [name.as_bytes(), b"=", value.as_bytes()].concat()
    };
    options.environment = std::env::vars_os().map(pair).collect();
    (options.root, options.trace) = (arguments.root, arguments.trace);
    options.memory = arguments.memory << 20;
    let words = arguments.program.into_iter();
    options.arguments = words.map(OsStringExt::into_vec).collect();
    let outcome = run(&options).map_err(|error| error.to_string())?;
    if arguments.stats {
        // As above
        let _ = write!(anstream::stderr(), "{}", outcome.stats);
    }
    Ok(outcome.end.code())
}

/// There is no guest to run it in.
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn execute(_: RunArguments) -> Result<u8, String> {
    Err("programs run on x86_64 Linux with /dev/kvm only".to_owned())
}
