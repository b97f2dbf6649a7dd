//! Programs built of C: they find what they would find on Linux, and end as they would end there.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod common;

use common::{Builder, on_host, run, run_with, stat};

const NOTHING: &[&str] = &[];

#[test]
fn a_program_without_a_library_finds_its_arguments() {
    let Some(builder) = Builder::new() else {
        return;
    };
    let flags = [
        "-static",
        "-nostdlib",
        "-ffreestanding",
        "-fno-stack-protector",
        "-fno-tree-loop-distribute-patterns",
    ];
    let Some(program) = builder.build("bare", &flags) else {
        return;
    };
    let ended = run(&program, &["one", "the last"], b"");
    assert_eq!(
        (ended.code, ended.stdout.as_slice()),
        (0, &b"the last"[..]),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_position_independent_program_runs() {
    let Some(builder) = Builder::new() else {
        return;
    };
    let Some(program) = builder.build("memory", &["-static-pie", "-pthread"]) else {
        return;
    };
    let ended = run(&program, NOTHING, b"");
    assert_eq!(ended, on_host(&program, NOTHING, b""));
}

#[test]
fn memory_is_what_it_is_on_linux() {
    let Some(builder) = Builder::new() else {
        return;
    };
    let Some(program) = builder.build("memory", &["-static", "-pthread"]) else {
        return;
    };
    let ended = run(&program, NOTHING, b"");
    assert_eq!(ended, on_host(&program, NOTHING, b""));
    assert_eq!(ended.code, 0);
}

#[test]
fn programs_start_others() {
    let Some(builder) = Builder::new() else {
        return;
    };
    let Some(program) = builder.build("spawn", &["-static"]) else {
        return;
    };
    let ended = run(&program, NOTHING, b"");
    assert_eq!(ended, on_host(&program, NOTHING, b""));
    assert_eq!(ended.code, 5);
}

#[test]
fn bad_pointers_are_answered_as_on_linux() {
    let Some(builder) = Builder::new() else {
        return;
    };
    let Some(program) = builder.build("efault", &["-static"]) else {
        return;
    };
    let (here, there) = (on_host(&program, NOTHING, b""), run(&program, NOTHING, b""));
    let lines = |ended: &common::Ended| -> Vec<String> {
        let text = String::from_utf8_lossy(&ended.stdout).into_owned();
        text.lines().map(str::to_owned).collect()
    };
    for (here, there) in lines(&here).iter().zip(&lines(&there)) {
        assert_eq!(here, there, "on Linux, and under Portolan: {}", "");
    }
    assert_eq!(here, there);
    assert!(here.stdout.len() > 10_000, "all calls are tried");
}

#[test]
fn what_must_not_be_done_ends_a_program_as_on_linux() {
    let Some(builder) = Builder::new() else {
        return;
    };
    let Some(program) = builder.build("faults", &["-static", "-fno-stack-protector"]) else {
        return;
    };
    let kinds = [
        ("null", "read at 0x0: nothing is mapped there"),
        ("store to a constant", "write at"),
        ("store to code", "doesn't allow it"),
        ("load without rights", "doesn't allow it"),
        ("store after mprotect", "doesn't allow it"),
        ("load after munmap", "nothing is mapped there"),
        ("jump to data", "execute at"),
        ("jump to the stack", "execute at"),
        (
            "jump to nothing",
            "execute at 0x1234567000: nothing is mapped there",
        ),
        ("jump to no address", "general protection"),
        ("jump to the kernel", "0xffff960000000000"),
        ("load from the kernel", "read at 0xffff960000001000"),
        ("store to the kernel", "write at 0xffff960040200000"),
        ("stack overflow", "guard below the stack  <- the address"),
        ("invalid opcode", "invalid opcode"),
        ("privileged instruction", "general protection"),
        ("port", "general protection"),
        ("control register", "general protection"),
        ("division by zero", "divide error"),
        ("breakpoint", "breakpoint"),
        ("no address", "general protection"),
        ("past the end of a file", "has ended"),
        ("no handler", "execute at 0x8000000000000000"),
        ("no handler of faults", "execute at 0xffff960000000000"),
        ("no stack for a handler", "write at 0xff8"),
        ("no stack", "stack-segment fault"),
        ("single step", "debug exception"),
        ("single step of a system call", "debug exception"),
        ("register of the model", "general protection"),
        ("abort", ""),
        ("exit", ""),
    ];
    for (kind, message) in kinds {
        let (here, there) = (on_host(&program, &[kind], b""), run(&program, &[kind], b""));
        assert_eq!(here.code, there.code, "{kind}: {}", there.stderr);
        assert!(there.stderr.contains(message), "{kind}: {}", there.stderr);
    }
}

#[test]
fn a_program_that_calls_everything_with_anything_harms_nobody() {
    let Some(builder) = Builder::new() else {
        return;
    };
    let Some(program) = builder.build("hostile", &["-static"]) else {
        return;
    };
    let ended = run_with(&["--stats"], &program, NOTHING, b"");
    assert_eq!(ended.code, 7, "{}", ended.stderr);
    assert!(is_all_given_back(&ended), "{}", ended.stderr);
}

/// Whether the statistics say that nothing is left.
fn is_all_given_back(ended: &common::Ended) -> bool {
    ["page tables at most", "frames at most"]
        .iter()
        .all(|what| {
            let line = ended.stderr.lines().find(|line| line.contains(what));
            line.expect("it is counted").contains(" 0 left")
        })
}

#[test]
fn nothing_is_lost_in_a_loop() {
    let Some(builder) = Builder::new() else {
        return;
    };
    let Some(program) = builder.build("loop", &["-static"]) else {
        return;
    };
    let ended = run_with(&["--stats"], &program, NOTHING, b"");
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(is_all_given_back(&ended), "{}", ended.stderr);
    assert!(stat(&ended, "page tables at most") < 40, "{}", ended.stderr);
    assert!(stat(&ended, "frames at most") < 300, "{}", ended.stderr);
    assert!(stat(&ended, "page faults") > 12_000, "{}", ended.stderr);
}

#[test]
fn system_calls_are_traced() {
    let Some(builder) = Builder::new() else {
        return;
    };
    let Some(program) = builder.build("faults", &["-static"]) else {
        return;
    };
    let ended = run_with(&["--trace"], &program, &["exit"], b"");
    assert!(
        ended.stderr.contains("exit_group(42) = ?"),
        "{}",
        ended.stderr
    );
    assert!(ended.stderr.contains("brk(0x0) = 0x"), "{}", ended.stderr);
}
