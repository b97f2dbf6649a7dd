//! The inspection of images of physical memory.

mod common;
#[path = "common/image.rs"]
mod image;

use common::{portolan, stderr, stdout};
use image::{Image, core, file};
use serde_json::Value;
use std::path::Path;
use std::process::Output;

fn inspect(file: &Path, arguments: &str) -> Output {
    let mut all = vec!["inspect", file.to_str().unwrap()];
    all.extend(arguments.split_whitespace());
    portolan(&all)
}

/// The document for an image, and the exit code.
fn document(file: &Path, arguments: &str) -> (Value, Option<i32>) {
    let output = inspect(file, &format!("{arguments} --json"));
    let document = serde_json::from_slice(&output.stdout);
    let document = document.unwrap_or_else(|_| panic!("{}", stderr(&output)));
    (document, output.status.code())
}

/// The runs of a raw image, as `start frame bytes kernel user cache`.
fn runs(image: &Image, arguments: &str) -> Vec<String> {
    let file = image.raw();
    let (document, _) = document(file.path(), arguments);
    let word = |run: &Value, name: &str| match &run[name] {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    let fields = ["start", "frame", "bytes", "kernel", "user", "cache"];
    let runs = document["runs"].as_array().unwrap().iter();
    runs.map(|run| fields.map(|name| word(run, name)).join(" "))
        .collect()
}

/// The kinds of findings in a raw image, with their numbers.
fn findings(image: &Image, arguments: &str) -> Vec<(String, u64)> {
    let file = image.raw();
    let (document, code) = document(file.path(), arguments);
    let findings = document["findings"].as_array().unwrap();
    assert_eq!(code, Some(i32::from(!findings.is_empty())));
    let kind = |finding: &Value| {
        let name = finding["kind"].as_str().unwrap().to_owned();
        (name, finding["count"].as_u64().unwrap())
    };
    findings.iter().map(kind).collect()
}

const X86_64: &str = "--arch x86_64 --root 0x1000";

/// P, R/W, U/S, A, D.
const DATA: u64 = 0x8000_0000_0000_0067;
const CODE: u64 = 0x25;
const TABLE: u64 = 0x27;

/// Tables at 0x1000 to 0x4000 for the first 2 MiB, and no pages.
fn low() -> Image {
    Image::new(0, 0x1_0000)
        .set(0x1000, 0x2000 | TABLE)
        .set(0x2000, 0x3000 | TABLE)
        .set(0x3000, 0x4000 | TABLE)
}

#[test]
fn an_address_space_is_shown_as_runs() {
    let image = low()
        .set(0x4008, 0x5000 | CODE)
        .set(0x4010, 0x6000 | CODE)
        .set(0x4018, 0x7000 | DATA)
        .set(0x3008, 0x20_0000 | DATA | 0x80)
        .set(0x1ff8, 0x8000 | TABLE)
        .set(0x8ff0, 0xc000_0000 | 1 << 63 | 0x193);
    let file = image.raw();
    let output = inspect(file.path(), X86_64);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    for line in [
        "raw, 64 KiB of physical memory",
        "x86_64, root 0x1000, physical addresses of 52 bits",
        "0000000000001000-0000000000002fff  0x5000                8 KiB  4K        r-x r-x  -A-\n",
        "0000000000003000-0000000000003fff  0x7000                4 KiB  4K        rw- rw-  -AD\n",
        "0000000000200000-00000000003fffff  0x200000              2 MiB  2M        rw- rw-  -AD\n",
        "ffffffff80000000-ffffffffbfffffff  0xc0000000            1 GiB  1G        rw- ---  G--  UC-\n",
        "mapped by 5 pages in 4 runs; 5 tables",
        "nothing found",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert!(text.lines().skip(1).all(|line| line.len() <= 100));
    assert_eq!(stderr(&output), "");
}

#[test]
fn runs_take_pages_of_all_sizes_and_say_how_many_are_used() {
    let image = low()
        .set(0x4ff0, 0x1f_e000 | DATA)
        .set(0x4ff8, 0x1f_f000 | DATA & !0x40)
        .set(0x3008, 0x20_0000 | DATA | 0x80);
    let file = image.raw();
    let (document, code) = document(file.path(), X86_64);
    assert_eq!(code, Some(0));
    let run = &document["runs"][0];
    assert_eq!(document["run_count"], 1);
    assert_eq!(run["start"], "0x1fe000");
    assert_eq!(run["end"], "0x3fffff");
    assert_eq!(run["pages"], 3);
    assert_eq!(run["sizes"], serde_json::json!([4096, 2 << 20]));
    assert_eq!(run["accessed"], "all");
    assert_eq!(run["dirty"], "some");
}

#[test]
fn a_core_has_the_addresses_and_the_root() {
    let (low, high) = (
        low().set(0x4008, 0x40_0000_0000 | TABLE & !2),
        Image::new(0x1_0000_0000, 0x2000),
    );
    let high = high.set(0x1_0000_1000, 0x2000 | TABLE);
    let four = core(&[&high, &low], Some((0x1_0000_1fff, 0x6b0)), 0);
    let (found, _) = document(four.path(), "--arch x86_64");
    assert_eq!(found["image"]["form"], "elf core");
    assert_eq!(found["root"], "0x100001000");
    assert_eq!(found["root_from_core"], true);
    assert_eq!(found["runs"][0]["frame"], "0x4000000000");
    let output = inspect(four.path(), "--arch x86_64-la57");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("walks 4 levels, not 5"));
    let output = inspect(four.path(), "--arch x86_64 --base 0");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--base is for raw images"));
    let five = core(&[&low], Some((0x1000, 0x1000)), 0);
    let (found, _) = document(five.path(), "--arch x86_64-la57");
    assert_eq!(found["tables"], 5);
}

#[test]
fn a_raw_image_can_begin_anywhere() {
    let image = Image::new(0x8000_0000, 0x4000)
        .set(0x8000_1000, 0x8000_2000 >> 2 | 1)
        .set(0x8000_2ff8, 1 << 40 | 0xc7);
    let arguments = "--arch sv39 --root 80001000 --base 80000000";
    let page = "0x3fe00000 0x40000000000 2097152 rw- --- write-back";
    assert_eq!(runs(&image, arguments), [page]);
    let arguments = format!("{arguments} --phys-bits 40");
    assert_eq!(findings(&image, &arguments), [("reserved-bits".into(), 1)]);
    let image = image.set(0x8000_2ff8, 0xc7);
    let page = "0x3fe00000 0x0 2097152 rw- --- write-back";
    assert_eq!(runs(&image, &arguments), [page]);
}

#[test]
fn every_architecture_is_read_as_its_manual_says() {
    let two = |root: u64, low: u64| {
        Image::new(0, 0x6_0000)
            .set(0x1_0000, root)
            .set(0x2_0000, low)
    };
    let seen =
        |arch: &str, root, low| runs(&two(root, low), &format!("--root 10000 --arch {arch}"));
    let page = 0x4000_0703;
    let table = 0x2_0003;
    // The root's entry at 0 refers to a table, whose entry at 0 maps a block
    assert_eq!(
        seen("aarch64-64k-42", table, page),
        ["0x0 0x40000000 65536 rwx --x write-back"]
    );
    assert_eq!(
        seen("aarch64-4k-39 --region upper", table, 0x4000_0705 | 1 << 54),
        ["0xffffff8000000000 0x40000000 2097152 rwx --- write-through"]
    );
    assert_eq!(
        seen("aarch64-16k-47", table, 0x4000_0701 | 3 << 53 | 0xc0),
        ["0x0 0x40000000 33554432 r-- r-- write-back"]
    );
    assert_eq!(
        seen("aarch64-stage2-39", table, 0x4000_07fd | 1 << 54),
        ["0x0 0x40000000 2097152 rw- rw- write-back"]
    );
    assert_eq!(
        seen("sv39", 0x2_0000 >> 2 | 0x21, 0x4000_0000 >> 2 | 0xcf),
        ["0x0 0x40000000 2097152 rwx --- write-back"]
    );
    let three = |arch: &str, root: u64, middle: u64, low: u64| {
        let image = two(root, middle).set(0x3_0000, low);
        runs(&image, &format!("--root 10000 --arch {arch}"))
    };
    assert_eq!(
        three("ept", 0x2_0007, 0x3_0005, 0x4000_00b7),
        ["0x0 0x40000000 2097152 r-x r-x write-back"]
    );
    assert_eq!(
        three("aarch64-4k-48", table, 0x3_0003, 0x4000_0701 | 1 << 54),
        ["0x0 0x40000000 2097152 rwx --- write-back"]
    );
    assert_eq!(
        three("aarch64-16k-48", table, 0x3_0003, 0x4000_0701 | 1 << 54),
        ["0x0 0x40000000 33554432 rwx --- write-back"]
    );
    assert_eq!(
        three(
            "aarch64-64k-48 --region upper",
            table,
            0x3_0003,
            page | 0x40
        ),
        ["0xffff000000000000 0x40000000 65536 rw- rwx write-back"]
    );
    assert_eq!(
        three("aarch64-stage2-48", table, 0x3_0003, 0x4000_07fd),
        ["0x0 0x40000000 2097152 rwx rwx write-back"]
    );
    let (root, middle) = (0x2_0000 >> 2 | 1, 0x3_0000 >> 2 | 1);
    assert_eq!(
        three("sv48", root, middle, 0x4000_0000 >> 2 | 0xd7),
        ["0x0 0x40000000 2097152 rw- rw- write-back"]
    );
    assert_eq!(
        three("sv57", root, middle, 0x4000_0000 >> 2 | 0xc3 | 2 << 61),
        ["0x0 0x40000000 1073741824 r-- --- uncacheable"]
    );
    assert_eq!(
        seen(
            "loongarch64-4k-39 --region upper",
            0x2_0001,
            0x4000_105f | 1 << 62
        ),
        ["0xffffff8000000000 0x40000000 2097152 rw- rw- write-back"]
    );
    assert_eq!(
        seen("loongarch64-16k-47", 0x2_0001, 0x4000_0061 | 1 << 61),
        ["0x0 0x40000000 33554432 --x --- write-combining"]
    );
    // H says nothing where there are no pages
    assert_eq!(
        three("loongarch64-4k-47", 0x2_0041, 0x3_0001, 0x4000_004d),
        ["0x0 0x40000000 2097152 r-x r-x uncacheable"]
    );
}

#[test]
fn where_hardware_marks_nothing_pages_are_not_shown_as_used() {
    // V, D, PLV 3, MAT 1, G, P, W and what software has for itself; NX
    const PAGE: u64 = 0x4000_0000_0000_07df;
    let image = Image::new(0, 0x4_0000)
        .set(0x1_0000, 0x2_0001)
        .set(0x2_0000, 0x3_0001)
        .set(0x3_0000, 0x4000_0000 | PAGE)
        .set(0x3_0008, 0x4000_4000 | PAGE);
    let file = image.raw();
    let arguments = "--arch loongarch64-16k-47 --root 10000";
    let output = inspect(file.path(), arguments);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    let run =
        "0000000000000000-0000000000007fff  0x40000000           32 KiB  16K       rw- rw-  G--\n";
    assert!(text.contains(run), "{text}");
    let reserved = image.set(0x3_0010, 0x4000_8000 | PAGE | 0x30);
    assert_eq!(
        findings(&reserved, arguments),
        [("reserved-bits".into(), 1)]
    );
}

#[test]
fn registers_say_what_cache_indices_mean() {
    let image = low().set(0x4000, 0x5000 | 9);
    assert!(runs(&image, X86_64)[0].ends_with("write-through"));
    let linux = format!("{X86_64} --pat 0x407050600070106");
    assert!(runs(&image, &linux)[0].ends_with("write-combining"));
    let image = Image::new(0, 0x1_0000)
        .set(0x1000, 0x2003)
        .set(0x2000, 0x4000_0705);
    let own = "--arch aarch64-4k-39 --root 1000";
    assert!(runs(&image, own)[0].ends_with("write-through"));
    let linux = format!("{own} --mair 40044ffff");
    assert!(runs(&image, &linux)[0].ends_with("write-back"));
}

#[test]
fn what_an_auditor_looks_for_is_found() {
    let found = |image: &Image| findings(image, X86_64);
    assert_eq!(found(&low().set(0x4000, 0x5000 | CODE)), []);
    assert_eq!(
        found(&low().set(0x4000, 0x5000 | CODE | 2)),
        [("writable-executable".into(), 1)]
    );
    // Not if a table above takes the right to write away
    let read_only = low().set(0x2000, 0x3000 | CODE);
    assert_eq!(found(&read_only.set(0x4000, 0x5000 | CODE | 2)), []);
    assert_eq!(
        found(&low().set(0x1800, 0x2000 | TABLE).set(0x4000, 0x5000 | DATA)),
        [("user-in-kernel-half".into(), 1)]
    );
    assert_eq!(
        found(
            &low()
                .set(0x4000, 0x5000 | DATA)
                .set(0x4010, 0x5000 | DATA | 0x18)
        ),
        [("unlike-cache-policies".into(), 1)]
    );
    assert_eq!(found(&low().set(0x4000, 1 << 50 | DATA)), []);
    assert_eq!(
        findings(
            &low().set(0x4000, 1 << 50 | DATA),
            &format!("{X86_64} --phys-bits 46")
        ),
        [("reserved-bits".into(), 1)]
    );
    assert_eq!(
        found(&low().set(0x2008, 0x50_0000 | TABLE)),
        [("outside-image".into(), 1)]
    );
    assert_eq!(
        findings(&low(), "--arch x86_64 --root 0x100000"),
        [("outside-image".into(), 1)]
    );
}

#[test]
fn what_a_hypervisor_gives_its_guest_may_be_both_writable_and_executable() {
    let image = Image::new(0, 0x4000).set(0x1000, 0x2007).set(0x2000, 0xb7);
    assert_eq!(findings(&image, "--arch ept --root 1000"), []);
    assert_eq!(runs(&image, "--arch ept --root 1000").len(), 1);
}

#[test]
fn a_table_that_maps_itself_is_found_and_what_it_maps_is_shown() {
    let image = low()
        .set(0x4000, 0x5000 | DATA)
        .set(0x1000 + 8 * 510, 0x1000 | DATA);
    let file = image.raw();
    let (document, _) = document(file.path(), X86_64);
    let kinds: Vec<_> = document["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["user-in-kernel-half", "own-table", "many-levels"]);
    let example = &document["findings"][1]["examples"][0];
    assert_eq!(example["entry"], "0x1ff0");
    assert_eq!(example["va"], "0xffffff0000000000");
    // Each table is a page of the window, and the root is where it maps itself all the way down
    let starts: Vec<_> = document["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| {
            (
                run["start"].as_str().unwrap(),
                run["frame"].as_str().unwrap(),
            )
        })
        .collect();
    for page in [
        ("0x0", "0x5000"),
        ("0xffffff0000000000", "0x4000"),
        ("0xffffff7f80000000", "0x3000"),
        ("0xffffff7fbfc00000", "0x2000"),
        ("0xffffff7fbfdfe000", "0x1000"),
    ] {
        assert!(starts.contains(&page), "{page:?} is not in {starts:?}");
    }
    assert_eq!(document["pages"], 5);
}

#[test]
fn a_truncated_core_is_found_out_and_the_rest_inspected() {
    let low = low().set(0x4000, 0x5000 | CODE);
    let file = core(&[&low], None, 0x8000);
    let (found, code) = document(file.path(), X86_64);
    assert_eq!(code, Some(1));
    assert_eq!(found["findings"][0]["kind"], "truncated-image");
    assert_eq!(found["findings"][0]["examples"][0]["start"], "0x8000");
    assert_eq!(found["pages"], 1);
    let file = core(&[&low], None, 0xc800);
    let (found, _) = document(file.path(), X86_64);
    assert_eq!(found["findings"][0]["kind"], "outside-image");
    assert_eq!(
        found["findings"][0]["count"], 2,
        "the half of one, and another"
    );
}

#[test]
fn tables_are_shown_as_a_tree_each_once() {
    let image = low()
        .fill(0x4000, |index| index << 12 | DATA)
        .set(0x3010, 0x4000 | TABLE)
        .set(0x3018, 0x4000 | TABLE)
        .set(0x2008, 1 << 62 | 0x2000_0081);
    let file = image.raw();
    let output = inspect(file.path(), &format!("{X86_64} --tree"));
    let text = stdout(&output);
    let tree = "  \
  root 0x1000, level 4
  `-[0]                      0000000000000000  0000000000002027  level 3 at 0x2000
     |-[0]                   0000000000000000  0000000000003027  level 2 at 0x3000
     |  |-[0]                0000000000000000  0000000000004027  level 1 at 0x4000
     |  |  `-[0..511]        0000000000000000  8000000000000067  rw- rw- 512 x 4 KiB at 0x0
     |  `-[2..3]             0000000000400000  0000000000004027  level 1 at 0x4000, see there
     `-[1]                   0000000040000000  4000000020000081  reserved bits 0x20000000
";
    assert!(text.contains(tree), "{text}");
    let output = inspect(file.path(), &format!("{X86_64} --tree --limit 3"));
    assert!(stdout(&output).contains("  4 more lines left out"));
}

#[test]
fn as_much_is_shown_as_there_is_room_for() {
    let image = low().fill(0x4000, |index| index << 20 | CODE);
    let file = image.raw();
    let (document, _) = document(file.path(), &format!("{X86_64} --limit 7"));
    assert_eq!(document["runs"].as_array().unwrap().len(), 7);
    assert_eq!(document["runs_left_out"], 505);
    let output = inspect(file.path(), &format!("{X86_64} --limit 0"));
    assert!(stdout(&output).contains("  512 more runs left out"));
}

#[test]
fn arguments_that_do_not_fit_are_refused() {
    let raw = low().raw();
    for (arguments, reason) in [
        ("--arch x86_64", "--root is needed"),
        ("--arch x86_64 --root 0x1008", "not a multiple of 0x1000"),
        (
            "--arch aarch64-64k-42 --root 0x8000",
            "not a multiple of 0x10000",
        ),
        (
            "--arch x86_64 --root 0x1000 --region upper",
            "--region is for",
        ),
        ("--arch sv39 --root 0x1000 --pat 0", "--pat is for x86_64"),
        (
            "--arch x86_64 --root 0x1000 --pat 2",
            "reserved memory type",
        ),
        ("--arch x86_64 --root 0x1000 --phys-bits 53", "at most 52"),
        (
            "--arch x86_64 --root 0x1000 --tree --json",
            "cannot be used with",
        ),
        ("--arch vax --root 0x1000", "invalid value 'vax'"),
        ("--arch x86_64 --root home", "invalid digit"),
    ] {
        let output = inspect(raw.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments}");
        assert!(stderr(&output).contains(reason), "{}", stderr(&output));
        assert_eq!(stdout(&output), "");
    }
}

#[test]
fn what_cannot_be_read_is_said() {
    let absent = inspect(Path::new("/nowhere/at/all"), X86_64);
    assert_eq!(absent.status.code(), Some(3));
    assert!(stderr(&absent).starts_with("portolan: can't inspect /nowhere/at/all: "));
    let whole = std::fs::read(low().core().path()).unwrap();
    for bytes in [4, 17, 63, 100] {
        let cut = file(&whole[..bytes]);
        let output = inspect(cut.path(), X86_64);
        assert_eq!(output.status.code(), Some(3), "{bytes}");
        assert!(stderr(&output).contains("no ELF core that can be used"));
    }
    let empty = inspect(file(&[]).path(), X86_64);
    assert_eq!(empty.status.code(), Some(1), "there is no root");
}
