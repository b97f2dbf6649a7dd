//! Address spaces under load as a command.

mod common;

use common::{portolan, stderr, stdout};
use serde_json::Value;

#[test]
fn processors_in_software_share_address_spaces() {
    let output = portolan(&["stress", "--cpus", "2", "--operations", "1000"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}{}", stderr(&output));
    assert!(text.starts_with("software, x86_64, processors: 2: "));
    assert!(text.contains("map: done"));
    assert!(text.ends_with("stress: everything is as it has to be\n"));
}

#[test]
fn the_control_fails_and_says_with_which_seed() {
    let control = ["--operations", "4000", "--seed", "3", "--without-shootdown"];
    let output = portolan(&[&["stress"], &control[..], &["--json"]].concat());
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["ok"], false);
    assert_eq!(document["seed"], 3);
    assert!(document["failure"].is_string());
}

#[test]
fn architectures_without_halves_are_refused() {
    let output = portolan(&["stress", "--arch", "ept"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("ept has no half for user programs"));
}
