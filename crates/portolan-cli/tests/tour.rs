//! The tour, as a user sees it.

mod common;

use common::{portolan, portolan_in, stderr, stdout};
use serde_json::Value;

#[test]
fn in_software_everything_is_as_expected_and_shown() {
    let output = portolan(&["tour", "--machine", "soft"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    for line in [
        "machine  a processor in software",
        "0000000000400000-0000000000402fff 3 x 4 KiB r-x user",
        "ffffffffffd00000-ffffffffffd00fff 1 x 4 KiB rw- kernel global uncacheable",
        "`-[508..510]",
        "table frames held, all of which the root leads to: 12",
        "#PF 0x7 present, user, store",
        "#PF 0x6 not present, user, store CR2 0x7fffffffbff8",
        "#GP 0x0 not canonical",
        "accessed, dirty",
        "3 tables given back",
        "no memory for a table",
        "covered by a huge page",
        "table frames held after the page table was dropped, of 9: 0",
        "as they have to be",
        "What is proven",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("MISMATCH"));
    assert_eq!(stderr(&output), "");
}

#[test]
fn it_is_what_happens_without_a_command() {
    let [with, without] =
        [&["tour", "--machine", "soft"][..], &["--machine", "soft"]].map(portolan);
    assert_eq!(stdout(&with), stdout(&without));
    assert_eq!(portolan(&[]).status.code(), Some(0));
}

#[test]
fn without_a_terminal_it_is_plain_and_fits_the_page() {
    for arch in [
        "x86_64",
        "ept",
        "aarch64-4k-48",
        "aarch64-stage2-48",
        "sv39",
        "sv57",
        "loongarch64-4k-47",
        "loongarch64-16k-47",
    ] {
        let output = portolan(&["--machine", "soft", "--arch", arch]);
        let text = stdout(&output);
        assert!(text.is_ascii(), "no drawn lines");
        assert!(!text.contains('\x1b'), "no escape codes");
        for line in text.lines() {
            assert!(line.len() <= 100, "{line}");
            assert_eq!(line, line.trim_end());
        }
    }
}

#[test]
fn on_each_architecture_everything_is_as_expected() {
    let help = portolan(&["tour", "--help"]);
    let names = |line: &str| {
        Some(
            line.trim()
                .strip_prefix("- ")?
                .split(':')
                .next()?
                .to_owned(),
        )
    };
    let arches: Vec<_> = stdout(&help).lines().filter_map(names).skip(3).collect();
    assert!(
        arches.contains(&"sv57".to_owned()) && arches.len() > 10,
        "{arches:?}"
    );
    for arch in arches {
        let output = portolan(&["--machine", "soft", "--arch", &arch]);
        let text = stdout(&output);
        assert_eq!(output.status.code(), Some(0), "{arch}: {text}");
        assert!(text.contains("as they have to be") && !text.contains("MISMATCH"));
        assert!(
            text.contains("properties that no entry can express"),
            "{arch}"
        );
    }
}

#[test]
fn faults_are_told_in_the_words_of_the_architecture() {
    for (arch, line) in [
        ("ept", "violation 0xa present, store     GPA 0x403010"),
        (
            "aarch64-4k-48",
            "abort level 0 translation, load  FAR 0x7fffffffeff8",
        ),
        (
            "aarch64-stage2-48",
            "abort level 2 permission, store  FAR 0xffff80001000",
        ),
        (
            "sv39",
            "trap 13 page fault, load       stval 0xffffffff80001000",
        ),
        (
            "loongarch64-4k-47",
            "page invalid                     BADV 0x3fffffffeff8",
        ),
    ] {
        let output = portolan(&["--machine", "soft", "--arch", arch]);
        assert!(stdout(&output).contains(line), "{}", stdout(&output));
    }
}

#[test]
fn a_guest_of_kvm_has_tables_of_x86_64() {
    let output = portolan(&["--machine", "kvm", "--arch", "sv39"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("not sv39"), "{}", stderr(&output));
}

#[test]
fn colours_can_be_forced_and_forbidden() {
    let arguments = ["--machine", "soft"];
    let forced = portolan_in(&arguments, &[("CLICOLOR_FORCE", "1")]);
    assert!(stdout(&forced).contains("\x1b["));
    let forbidden = portolan_in(&arguments, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]);
    assert!(!stdout(&forbidden).contains('\x1b'));
}

#[test]
fn the_document_has_every_step() {
    let output = portolan(&["tour", "--machine", "soft", "--json"]);
    assert_eq!(output.status.code(), Some(0));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["ok"], true);
    assert_eq!(document["machine"]["name"], "soft");
    assert_eq!(document["tally"]["mismatches"], 0);
    assert!(
        document["theorem"]["sentence"]
            .as_str()
            .unwrap()
            .contains("walk")
    );
    assert!(document["receipt"].is_object());

    let sections = document["sections"].as_array().unwrap();
    let names: Vec<_> = sections
        .iter()
        .map(|section| section["name"].as_str().unwrap())
        .collect();
    let expected = [
        "image", "accesses", "marks", "protect", "unmap", "memory", "mistakes", "end",
    ];
    assert_eq!(names, expected);
    let steps: Vec<&Value> = sections
        .iter()
        .flat_map(|section| section["steps"].as_array().unwrap())
        .collect();
    assert_eq!(document["tally"]["compared"], steps.len());
    assert!(steps.iter().all(|step| step["ok"] == true));
    let with = |name: &str| steps.iter().filter(|step| step["step"] == name).count();
    assert_eq!((with("space"), with("tables")), (1, 1));

    let fault = steps
        .iter()
        .find(|step| step["region"] == "guard" && step["kind"] == "store");
    let got = &fault.unwrap()["got"];
    assert_eq!(got["outcome"], "page_fault");
    assert_eq!(got["code"], 6);
    assert_eq!(
        got["words"],
        serde_json::json!(["not present", "user", "store"])
    );
    assert_eq!(got["cr2"], "0x7fffffffbff8");

    let root = &steps.iter().find(|step| step["step"] == "tables").unwrap()["root"];
    assert_eq!(root["level"], 4);
    let slots: Vec<_> = root["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| &e["index"])
        .collect();
    assert_eq!(slots, [0, 255, 511]);
}

#[test]
fn on_a_guest_it_is_the_same_or_says_why_there_is_none() {
    let output = portolan(&["tour", "--machine", "kvm"]);
    match output.status.code() {
        Some(0) => {
            assert!(stdout(&output).contains("through /dev/kvm"));
            assert!(stdout(&output).contains("as they have to be"));
        }
        Some(3) => {
            assert!(stderr(&output).starts_with("portolan: no such machine here: /dev/kvm"));
            let instead = portolan(&["tour"]);
            assert_eq!(instead.status.code(), Some(0));
            assert!(stdout(&instead).contains("no guest, /dev/kvm"));
        }
        code => panic!("{code:?}: {}{}", stdout(&output), stderr(&output)),
    }
}
