//! The command line.

mod common;

use common::{portolan, stderr, stdout};

#[test]
fn bad_usage_is_exit_code_2_and_a_message() {
    for arguments in [
        &["sail"][..],
        &["tour", "--machine", "paper"],
        &["tour", "--seed", "1"],
        &["conformance", "--seed", "one"],
        &["--machine", "soft", "conformance"],
        &["inspect", "memory.raw"],
    ] {
        let output = portolan(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_eq!(stdout(&output), "");
        assert!(
            stderr(&output).starts_with("error: "),
            "{}",
            stderr(&output)
        );
        assert!(!stderr(&output).contains('\x1b'));
    }
}

#[test]
fn help_names_the_commands_and_the_exit_codes() {
    let output = portolan(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    for word in [
        "tour",
        "conformance",
        "inspect",
        "--machine",
        "--json",
        "Exit codes:",
        "NO_COLOR",
    ] {
        assert!(stdout(&output).contains(word), "{word}");
    }
}
