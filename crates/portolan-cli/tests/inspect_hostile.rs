//! The inspection of images that mean no good: it ends soon, with output that is bounded.

mod common;
#[path = "common/image.rs"]
mod image;

use common::{portolan, stderr, stdout};
use image::{Image, file};
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};

/// Much more than is needed, also where tests are slow.
const SOON: Duration = Duration::from_secs(60);
const MUCH: usize = 8 << 20;

/// The document for an image.
fn document(file: &Path, arguments: &str) -> Value {
    let mut all = vec!["inspect", file.to_str().unwrap(), "--json"];
    all.extend(arguments.split_whitespace());
    let start = Instant::now();
    let output = portolan(&all);
    assert!(start.elapsed() < SOON, "{arguments}");
    assert!(output.stdout.len() < MUCH, "{arguments}");
    let code = output.status.code();
    assert!(matches!(code, Some(0 | 1)), "{code:?} {}", stderr(&output));
    serde_json::from_str(stdout(&output)).unwrap()
}

fn kinds(document: &Value) -> Vec<&str> {
    let findings = document["findings"].as_array().unwrap().iter();
    findings
        .map(|finding| finding["kind"].as_str().unwrap())
        .collect()
}

#[test]
fn a_table_all_of_whose_entries_are_itself() {
    let image = Image::new(0, 0x2000).fill(0x1000, |_| 0x1007);
    let found = document(image.raw().path(), "--arch x86_64-la57 --root 1000");
    assert_eq!(found["tables"], 1);
    assert_eq!(found["pages"], 1u64 << 45);
    assert_eq!(found["bytes"], 1u64 << 57);
    assert_eq!(
        kinds(&found),
        [
            "writable-executable",
            "user-in-kernel-half",
            "own-table",
            "many-levels"
        ]
    );
    assert_eq!(found["findings"][0]["count"], 1u64 << 45);
    assert_eq!(found["findings"][1]["count"], 1u64 << 44);
    assert_eq!(found["findings"][2]["count"], 512);
}

#[test]
fn tables_that_share_all_they_have_and_map_nothing() {
    let image = Image::new(0, 0x8000)
        .fill(0x1000, |_| 0x2007)
        .fill(0x2000, |_| 0x3007)
        .fill(0x3000, |_| 0x4007)
        .fill(0x4000, |_| 0x5007);
    let found = document(image.raw().path(), "--arch x86_64-la57 --root 1000");
    assert_eq!((&found["tables"], &found["pages"]), (&5.into(), &0.into()));
    assert_eq!(kinds(&found), [""; 0]);
}

#[test]
fn one_page_behind_each_of_many_ways() {
    let image = Image::new(0, 0x8000)
        .fill(0x1000, |_| 0x2007)
        .fill(0x2000, |_| 0x3007)
        .fill(0x3000, |_| 0x4007)
        .set(0x4ff8, 0x5003);
    let found = document(image.raw().path(), "--arch x86_64 --root 1000");
    assert_eq!(found["pages"], 1u64 << 27);
    assert_eq!(found["run_count"], 1u64 << 27);
    let series = &found["runs"][0]["series"];
    assert_eq!(series["stride"], "0x200000");
    let shown = series["times"].as_u64().unwrap();
    assert_eq!(found["runs_left_out"], (1u64 << 27) - shown);
}

#[test]
fn tables_that_take_different_rights_away_on_every_way() {
    // Each entry refers to one of eight tables and takes some rights away
    let tables = (1..9).fold(Image::new(0, 0xa000), |image, table| {
        image.fill(table << 12, |index| {
            let next = 1 + (index ^ table) % 8;
            next << 12 | 1 | index >> 3 & 6 | (index >> 6 & 1) << 63
        })
    });
    let found = document(tables.raw().path(), "--arch x86_64-la57 --root 1000");
    assert_eq!(found["pages"], 1u64 << 45);
    let tree = portolan(&[
        "inspect",
        tables.raw().path().to_str().unwrap(),
        "--arch=x86_64-la57",
        "--root=1000",
        "--tree",
        "--limit=100",
    ]);
    let lines = stdout(&tree).lines().count();
    assert!((100..200).contains(&lines), "{lines}");
}

#[test]
fn pages_at_the_end_of_physical_memory() {
    let last = 0x000f_ffff_c000_0000;
    let image = Image::new(0, 0x4000)
        .set(0x1000, 0x2003)
        .set(0x1ff8, 0x2003)
        .fill(0x2000, |_| last | 0x83);
    let found = document(image.raw().path(), "--arch x86_64 --root 1000");
    assert_eq!(found["pages"], 1024);
    let found = document(
        image.raw().path(),
        "--arch x86_64 --root ffffffffffffe000 --base ffffffffffffc000",
    );
    assert_eq!(found["pages"], 0);
}

/// Numbers without a pattern (Marsaglia, Xorshift RNGs).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Words that often lead to other tables of the image.
fn random_word(random: &mut Random, is_riscv: bool) -> u64 {
    let word = random.next();
    let near = random.next() & 0x1_f000;
    let low = [word & 0xfff, 0x003, 0x007, 0x001, 0x0c7, 0x703][random.next() as usize % 6];
    match random.next() % 8 {
        0 => word,
        1 => 0,
        2 => near | low | word & 0xfff0_0000_0000_0000,
        _ if is_riscv => near >> 2 | low & 0xff,
        _ => near | low,
    }
}

#[test]
fn random_images_of_every_architecture() {
    const ARCHITECTURES: [&str; 14] = [
        "x86_64",
        "x86_64-la57",
        "ept",
        "aarch64-4k-39",
        "aarch64-4k-48 --region upper",
        "aarch64-16k-47",
        "aarch64-16k-48 --region upper",
        "aarch64-64k-42",
        "aarch64-64k-48",
        "aarch64-stage2-39",
        "aarch64-stage2-48",
        "sv39",
        "sv48",
        "sv57",
    ];
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for round in 0..2 {
        for arch in ARCHITECTURES {
            let words = (0..0x4000).map(|_| random_word(&mut random, arch.starts_with("sv")));
            let bytes: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
            // Cut in the middle of a table, of an entry
            let file = file(&bytes[..bytes.len() - 8191 * round]);
            let arguments = format!("--arch {arch} --root 10000 --limit 100");
            document(file.path(), &arguments);
        }
    }
}

#[test]
fn damaged_cores() {
    let image = Image::new(0, 0x4000).set(0x1000, 0x2003).set(0x2000, 0x83);
    let whole = std::fs::read(image.core().path()).unwrap();
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    for _ in 0..60 {
        let mut bytes = whole.clone();
        for _ in 0..3 {
            // The headers, and not what tells that this is a core
            let at = 8 + random.next() as usize % 168;
            bytes[at] = random.next() as u8;
        }
        let file = file(&bytes);
        let start = Instant::now();
        let output = portolan(&[
            "inspect",
            file.path().to_str().unwrap(),
            "--arch=x86_64",
            "--root=1000",
        ]);
        assert!(start.elapsed() < SOON);
        let code = output.status.code();
        assert!(
            matches!(code, Some(0 | 1 | 3)),
            "{code:?} {}",
            stderr(&output)
        );
    }
}
