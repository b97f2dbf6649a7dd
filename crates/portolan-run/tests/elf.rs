//! Files that are no programs, or broken ones: each is refused with a line that says why.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod common;

use common::{Builder, run, run_with};
use std::fs;
use std::path::Path;

// Offsets in the header of the file, and in an entry of the table of segments (System V ABI, chapters 4 and 5)
const TYPE: usize = 0x10;
const MACHINE: usize = 0x12;
const ENTRY: usize = 0x18;
const TABLE: usize = 0x20;
const ENTRY_SIZE: usize = 0x36;
const ENTRIES: usize = 0x38;
const KIND: usize = 0x00;
const OFFSET: usize = 0x08;
const ADDR: usize = 0x10;
const IN_FILE: usize = 0x20;
const IN_MEMORY: usize = 0x28;
const LOAD: u32 = 1;
const INTERPRETER: u32 = 3;

fn put(bytes: &mut [u8], at: usize, word: u64, size: usize) {
    bytes[at..at + size].copy_from_slice(&word.to_le_bytes()[..size]);
}

fn get(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"))
}

/// Where the entries of segments to be loaded are.
fn loads(bytes: &[u8]) -> Vec<usize> {
    let count = usize::from(u16::from_le_bytes([bytes[ENTRIES], bytes[ENTRIES + 1]]));
    let entries = (0..count).map(|n| get(bytes, TABLE) as usize + n * 56);
    entries
        .filter(|at| bytes[*at..*at + 4] == LOAD.to_le_bytes())
        .collect()
}

/// Writes a file and runs it; it has to be refused with a message.
fn refused(path: &Path, bytes: &[u8], message: &str) {
    fs::write(path, bytes).expect("it can be written");
    let ended = run::<&str>(path, &[], b"");
    assert_eq!(
        (ended.code, ended.stdout.len()),
        (2, 0),
        "{message}: {}",
        ended.stderr
    );
    assert!(
        ended.stderr.contains(message),
        "{message}: {}",
        ended.stderr
    );
}

#[test]
fn broken_programs_are_refused() {
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
    let good = fs::read(&program).expect("it is there");
    let segments = loads(&good);
    let file = builder.path().join("broken");
    let broken = |change: &dyn Fn(&mut Vec<u8>), message: &str| {
        let mut bytes = good.clone();
        change(&mut bytes);
        refused(&file, &bytes, message);
    };
    let (first, second) = (segments[0], segments[1]);
    let addr = get(&good, first + ADDR);
    let lead = get(&good, second + OFFSET) % 4096;
    broken(&|bytes| bytes.clear(), "not an ELF file");
    broken(&|bytes| bytes.truncate(40), "not an ELF file");
    broken(&|bytes| bytes[1] = b'x', "not an ELF file");
    broken(&|bytes| bytes[4] = 1, "not for x86_64");
    broken(&|bytes| put(bytes, MACHINE, 183, 2), "not for x86_64");
    broken(&|bytes| put(bytes, TYPE, 1, 2), "not an executable");
    broken(
        &|bytes| put(bytes, TABLE, u64::MAX - 8, 8),
        "table of segments",
    );
    broken(&|bytes| put(bytes, TABLE, 1 << 40, 8), "table of segments");
    broken(&|bytes| put(bytes, ENTRY_SIZE, 32, 2), "table of segments");
    broken(&|bytes| put(bytes, ENTRIES, 0xffff, 2), "table of segments");
    broken(&|bytes| put(bytes, ENTRIES, 0, 2), "nothing to load");
    broken(&|bytes| put(bytes, ENTRY, 0x10, 8), "entry point");
    broken(
        &|bytes| put(bytes, first + IN_FILE, u64::MAX, 8),
        "not in the file",
    );
    broken(
        &|bytes| put(bytes, first + OFFSET, !0xfff, 8),
        "not in the file",
    );
    broken(
        &|bytes| put(bytes, first + IN_MEMORY, 1, 8),
        "more bytes in the file",
    );
    broken(
        &|bytes| put(bytes, first + IN_MEMORY, u64::MAX, 8),
        "not among a program's addresses",
    );
    broken(
        &|bytes| put(bytes, first + IN_MEMORY, 1 << 47, 8),
        "not among a program's addresses",
    );
    broken(
        &|bytes| put(bytes, first + ADDR, 0xffff_9600_0000_0000, 8),
        "not among a program's addresses",
    );
    broken(
        &|bytes| put(bytes, first + ADDR, addr + 8, 8),
        "differently in their pages",
    );
    broken(
        &|bytes| put(bytes, second + ADDR, addr + lead, 8),
        "not behind the one before",
    );
    broken(
        &|bytes| put(bytes, first + KIND, INTERPRETER.into(), 4),
        "not statically linked",
    );
    broken(
        &|bytes| put(bytes, first + IN_MEMORY, 0x7fff_ff00_0000, 8),
        "segment 1",
    );
}

#[test]
fn what_is_no_file_is_refused() {
    if !common::is_available() {
        return;
    }
    let ended = run::<&str>(Path::new("/nowhere/at/all"), &[], b"");
    assert!(
        ended.code == 2 && ended.stderr.contains("/nowhere/at/all: No such file"),
        "{}",
        ended.stderr
    );
    let ended = run::<&str>(Path::new("/"), &[], b"");
    assert!(
        ended.code == 2 && ended.stderr.contains("directory"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_program_that_is_larger_than_memory_ends_when_it_is_used_up() {
    let Some(builder) = Builder::new() else {
        return;
    };
    let Some(program) = builder.build("hungry", &["-static"]) else {
        return;
    };
    let ended = run_with::<&str>(&["--memory", "64"], &program, &[], b"");
    assert_eq!(ended.code, 128 + 9, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("there is no memory left"),
        "{}",
        ended.stderr
    );
}
