//! Runs a program: `run [--root DIR] [--memory MIB] [--trace] [--stats] PROGRAM ARGS…`.

use std::process::ExitCode;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn main() -> ExitCode {
    use portolan_run::{Options, run};
    use std::os::unix::ffi::{OsStrExt, OsStringExt};

    let mut arguments = std::env::args_os().skip(1).peekable();
    let (mut root, mut trace, mut stats, mut memory) = (None, false, false, None);
    while let Some(argument) = arguments.peek().and_then(|argument| argument.to_str()) {
        match argument {
            "--root" => {
                arguments.next();
                root = arguments.peek().map(Into::into);
            }
            "--memory" => {
                arguments.next();
                let mib = arguments
                    .peek()
                    .and_then(|mib| mib.to_str()?.parse::<u64>().ok());
                memory = mib.map(|mib| mib << 20);
            }
            "--trace" => trace = true,
            "--stats" => stats = true,
            _ => break,
        }
        arguments.next();
    }
    let all: Vec<_> = arguments.collect();
    let Some(program) = all.first() else {
        eprintln!("usage: run [--root DIR] [--memory MIB] [--trace] [--stats] PROGRAM ARGS...");
        return ExitCode::from(2);
    };
    let mut options = Options::new(program);
    options.arguments = all.iter().cloned().map(OsStringExt::into_vec).collect();
    let pair = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        [name.as_bytes(), b"=", value.as_bytes()].concat()
    };
    options.environment = std::env::vars_os().map(pair).collect();
    (options.root, options.trace) = (root, trace);
    options.memory = memory.unwrap_or(options.memory);
    match run(&options) {
        Ok(outcome) => {
            if stats {
                eprint!("{}", outcome.stats);
            }
            ExitCode::from(outcome.end.code())
        }
        Err(error) => {
            eprintln!("run: {error}");
            ExitCode::from(2)
        }
    }
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn main() -> ExitCode {
    eprintln!("run: programs run on x86_64 Linux with /dev/kvm only");
    ExitCode::from(2)
}
