//! Programs, on this machine and under Portolan.
#![allow(dead_code, reason = "not every test uses all of it")]

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

/// What a program has come to.
#[derive(Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its exit status, as a shell says it.
    pub code: i32,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

/// The example, which cargo builds with the tests.
fn runner() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a file");
    let target = test.ancestors().nth(2).expect("tests lie two levels below");
    target.join("examples/run")
}

/// Whether programs can be run here. If not, says so.
pub fn is_available() -> bool {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    *AVAILABLE.get_or_init(|| {
        let there = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/kvm");
        if let Err(error) = &there {
            println!("skipped: /dev/kvm: {error}");
        }
        there.is_ok()
    })
}

/// A program of the host, if it is there. If not, says so.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|file| file.is_file());
    if found.is_none() {
        println!("skipped: there is no {name} here");
    }
    found
}

/// Feeds a command and waits for its end.
fn finish(mut command: Command, input: &[u8]) -> Ended {
    use std::os::unix::process::ExitStatusExt;
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.env_clear().current_dir("/");
    let mut child = command.spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("it has an input");
    let input = input.to_vec();
    // a program may end before it has read everything
    let feeder = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let Output {
        status,
        stdout,
        stderr,
    } = child.wait_with_output().expect("it ends");
    feeder.join().expect("the input is written");
    let killed = status.signal().map(|signal| 128 + signal);
    Ended {
        code: status.code().or(killed).expect("it has ended somehow"),
        stdout,
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
    }
}

/// Runs a program on this machine.
pub fn on_host<S: AsRef<OsStr>>(program: &Path, arguments: &[S], input: &[u8]) -> Ended {
    let mut command = Command::new(program);
    command.args(arguments);
    finish(command, input)
}

/// Runs a program under Portolan, with options.
pub fn run_with<S: AsRef<OsStr>>(
    options: &[&str],
    program: &Path,
    arguments: &[S],
    input: &[u8],
) -> Ended {
    let mut command = Command::new(runner());
    command.args(options).arg(program).args(arguments);
    finish(command, input)
}

/// Runs a program under Portolan.
pub fn run<S: AsRef<OsStr>>(program: &Path, arguments: &[S], input: &[u8]) -> Ended {
    run_with(&[], program, arguments, input)
}

/// A directory of this test's own, with programs built of C sources.
pub struct Builder {
    directory: tempfile::TempDir,
}

impl Builder {
    /// An empty directory, if there is a compiler and `/dev/kvm`. If not, says so.
    pub fn new() -> Option<Self> {
        if !is_available() {
            return None;
        }
        find("cc")?;
        let directory = tempfile::tempdir().expect("there is room");
        Some(Builder { directory })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Builds `programs/NAME.c`; if that can't be done here, says so.
    pub fn build(&self, name: &str, flags: &[&str]) -> Option<PathBuf> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/programs")
            .join(name)
            .with_extension("c");
        let program = self.path().join(name);
        let mut command = Command::new("cc");
        command
            .args(["-O1", "-Wall", "-Werror", "-o"])
            .arg(&program)
            .arg(source)
            .args(flags);
        let output = command.output().expect("the compiler starts");
        if !output.status.success() {
            println!("skipped: cc: {}", String::from_utf8_lossy(&output.stderr));
            return None;
        }
        Some(program)
    }
}

/// A number in front of `what` in the statistics.
pub fn stat(ended: &Ended, what: &str) -> u64 {
    let line = ended.stderr.lines().find(|line| line.contains(what));
    let line = line.unwrap_or_else(|| panic!("{what} is in {}", ended.stderr));
    let number = line.split_whitespace().next().expect("a line has words");
    number.parse().expect("it starts with a number")
}
