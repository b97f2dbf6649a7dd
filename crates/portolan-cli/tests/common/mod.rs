//! What the tests share.

use std::process::{Command, Output};

/// Runs `portolan`, whose output goes to a pipe and not to a terminal.
pub fn portolan(arguments: &[&str]) -> Output {
    portolan_in(arguments, &[])
}

/// As [`portolan`], with environment variables.
pub fn portolan_in(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portolan"));
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    // Nothing of the repository is needed to run
    command.current_dir(std::env::temp_dir());
    command
        .args(arguments)
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

/// What a command has printed.
pub fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

/// What a command has complained about.
pub fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}
