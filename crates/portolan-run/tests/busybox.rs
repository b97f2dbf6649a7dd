//! Debian's `busybox-static`: what it writes is what it writes on this machine, byte for byte.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod common;

use common::{find, is_available, on_host, run, run_with};
use std::path::PathBuf;

/// The program, if it and `/dev/kvm` are here.
fn busybox() -> Option<PathBuf> {
    if !is_available() {
        return None;
    }
    find("busybox")
}

/// Lines without order.
fn text() -> Vec<u8> {
    let mut state: u64 = 1;
    let mut line = |n: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(n);
        format!("{:x} line {n}\n", state >> 20)
    };
    (0..20_000).map(&mut line).collect::<String>().into_bytes()
}

/// Runs it here and there and compares.
fn same(arguments: &[&str], input: &[u8]) {
    let Some(busybox) = busybox() else { return };
    let (here, there) = (
        on_host(&busybox, arguments, input),
        run(&busybox, arguments, input),
    );
    assert_eq!(here.stdout.len(), there.stdout.len(), "{}", there.stderr);
    assert!(
        here == there,
        "{arguments:?}: {} and {}",
        here.stderr,
        there.stderr
    );
}

#[test]
fn echo_writes_its_arguments() {
    same(&["echo", "hello,", "world"], b"");
}

#[test]
fn cat_copies_its_input() {
    same(&["cat"], &text());
}

#[test]
fn sha256sum_adds_up() {
    same(&["sha256sum"], &text());
}

#[test]
fn sort_sorts() {
    same(&["sort"], &text());
    same(&["sort", "-rn"], &text());
}

#[test]
fn sed_edits() {
    same(&["sed", "-n", "s/line \\([0-9]*\\)0$/<\\1>/p"], &text());
}

#[test]
fn gzip_compresses_and_expands() {
    let Some(busybox) = busybox() else { return };
    let input = text();
    let packed = run(&busybox, &["gzip", "-c"], &input);
    assert_eq!(
        packed.stdout,
        on_host(&busybox, &["gzip", "-c"], &input).stdout
    );
    assert_eq!(
        run(&busybox, &["gzip", "-dc"], &packed.stdout).stdout,
        input
    );
}

#[test]
fn a_shell_runs_pipelines() {
    let script = "sort | uniq -c | sed 's/^ *//' | head -n 100 | sha256sum; (exit 3); echo $?";
    same(&["sh", "-c", script], &text());
}

#[test]
fn a_shell_starts_many_processes_one_after_the_other() {
    same(
        &[
            "sh",
            "-c",
            "i=0; while [ $i -lt 50 ]; do i=$(expr $i + 1); done; echo $i",
        ],
        b"",
    );
}

#[test]
fn a_reader_that_leaves_ends_the_writer() {
    same(&["sh", "-c", "yes | head -n 3; echo done"], b"");
}

#[test]
fn a_child_that_is_killed_says_so() {
    same(&["sh", "-c", "sh -c 'kill -9 $$'; echo $?"], b"");
    same(&["sh", "-c", "kill -TERM $$; echo not reached"], b"");
}

#[test]
fn a_shell_handles_signals() {
    same(
        &[
            "sh",
            "-c",
            "trap 'echo caught' USR1; kill -USR1 $$; echo after",
        ],
        b"",
    );
    same(&["sh", "-c", "sleep 0.1 & wait $!; echo $?"], b"");
}

#[test]
fn a_process_that_never_waits_does_not_keep_others_off() {
    same(
        &[
            "sh",
            "-c",
            "while :; do :; done & sleep 0.2; kill -9 $!; wait $!; echo $?",
        ],
        b"",
    );
}

#[test]
fn files_are_those_below_the_root() {
    let Some(busybox) = busybox() else { return };
    let root = tempfile::tempdir().expect("there is room");
    std::fs::write(root.path().join("file"), "content\n").expect("it can be written");
    std::os::unix::fs::symlink("/file", root.path().join("link")).expect("it can be linked");
    std::os::unix::fs::symlink("/etc/passwd", root.path().join("out")).expect("it can be linked");
    let directory = root.path().to_str().expect("it has a name");
    let script = "cat /file link ../../file; cat out; cat /etc/passwd; mkdir d && cd d && pwd && echo new > f && \
        gzip f && ls && mv f.gz ../g.gz && cd / && rmdir d && ls; readlink link; test -e out || echo none";
    let ended = run_with(&["--root", directory], &busybox, &["sh", "-c", script], b"");
    let expected = "content\ncontent\ncontent\n/d\nf.gz\nfile\ng.gz\nlink\nout\n/file\nnone\n";
    assert_eq!(
        String::from_utf8_lossy(&ended.stdout),
        expected,
        "{}",
        ended.stderr
    );
    assert_eq!(
        ended.stderr.matches("No such file").count(),
        2,
        "{}",
        ended.stderr
    );
}

#[test]
fn without_a_root_there_are_no_files() {
    let Some(busybox) = busybox() else { return };
    let ended = run(&busybox, &["cat", "/etc/passwd"], b"");
    assert_eq!((ended.code, ended.stdout), (1, Vec::new()));
}
