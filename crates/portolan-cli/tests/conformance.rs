//! The conformance suite as a command.

mod common;

use common::{portolan, stderr, stdout};
use serde_json::Value;

#[test]
fn a_quick_selection_runs_in_software() {
    let arguments = ["--machine", "soft", "--arch", "x86_64-la57", "--seed", "5"];
    let output = portolan(&[&["conformance"], &arguments[..]].concat());
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}{}", stderr(&output));
    assert!(text.contains("software, x86_64-la57: 5 levels"));
    assert!(text.contains("user store: #PF 0x7 (P|W|U) rights"));
    assert!(text.ends_with("conformance: everything is as it has to be\n"));
}

#[test]
fn the_document_has_the_counts_of_a_guest_or_there_is_none() {
    let output = portolan(&["conformance", "--machine", "kvm", "--json"]);
    if output.status.code() == Some(3) {
        assert!(stderr(&output).starts_with("portolan: no such machine here: /dev/kvm"));
        return;
    }
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["ok"], true);
    assert_eq!(document["seed"], 1);
    let parts = document["parts"].as_array().unwrap();
    assert_eq!(parts.len(), 2);
    for part in parts {
        assert_eq!(part["failure"], Value::Null);
        assert!(
            part["accesses"]
                .as_array()
                .is_some_and(|counts| !counts.is_empty())
        );
    }
}

#[test]
fn guests_of_qemu_run_other_architectures_or_there_are_none() {
    for (arch, fault) in [
        ("sv39", "user store: store page fault (15)"),
        (
            "aarch64-stage2-39",
            "user load: data abort, translation fault, level 1",
        ),
        ("loongarch64-16k-47", "user load: page invalid"),
    ] {
        let output = portolan(&["conformance", "--machine", "qemu", "--arch", arch]);
        if output.status.code() == Some(3) {
            assert!(stderr(&output).contains("qemu"), "{}", stderr(&output));
            return;
        }
        let text = stdout(&output);
        assert_eq!(output.status.code(), Some(0), "{text}{}", stderr(&output));
        assert!(text.contains(fault), "{text}");
    }
}

#[test]
fn a_guest_of_bochs_runs_extended_page_tables_or_there_is_none() {
    let output = portolan(&["conformance", "--machine", "bochs", "--arch", "ept"]);
    if output.status.code() == Some(3) {
        assert!(stderr(&output).contains("bochs"), "{}", stderr(&output));
        return;
    }
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}{}", stderr(&output));
    assert!(text.contains("user store: EPT violation"), "{text}");
}

#[test]
fn a_machine_without_such_tables_is_told() {
    for (machine, arch) in [("kvm", "sv39"), ("qemu", "ept"), ("bochs", "sv39")] {
        let output = portolan(&["conformance", "--machine", machine, "--arch", arch]);
        assert_eq!(output.status.code(), Some(3));
        assert!(stderr(&output).starts_with("portolan: no such machine here"));
    }
}
