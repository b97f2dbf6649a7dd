//! `portolan run`, as a user calls it. What programs can do is in the tests of `portolan-run`.

use std::process::{Command, Output};

fn portolan(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portolan"));
    command
        .arg("run")
        .args(arguments)
        .output()
        .expect("the command starts")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn what_cannot_be_run_is_refused_in_one_line() {
    for (program, message) in [("/nowhere", "No such file"), ("/etc/passwd", "not an ELF")] {
        let output = portolan(&[program]);
        assert_eq!(output.status.code(), Some(2));
        let text = stderr(&output);
        assert!(
            text.lines().count() == 1 && text.starts_with("portolan: "),
            "{text}"
        );
        assert!(text.contains(message), "{text}");
    }
}

#[test]
fn a_program_runs_with_its_arguments_and_its_exit_status() {
    let busybox = std::path::Path::new("/usr/bin/busybox");
    if !busybox.is_file() {
        println!("skipped: there is no busybox here");
        return;
    }
    let arguments = [
        "--stats",
        "/usr/bin/busybox",
        "sh",
        "-c",
        "echo -n $0 $1; exit 3",
        "--root",
        "x",
    ];
    let output = portolan(&arguments);
    if output.status.code() == Some(2) && stderr(&output).contains("/dev/kvm") {
        assert_eq!(stderr(&output).lines().count(), 1);
        println!("skipped: {}", stderr(&output));
        return;
    }
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert_eq!(output.stdout, b"--root x");
    assert!(stderr(&output).contains("system calls"));
}
