//! How a guest is started, and where its memory is found.

use super::{BLOCK, BYTES, PHYS_BITS, TABLES, monitor};
use crate::guest::file::{file_of, memory_file, path};
use crate::guest::mailbox::AREA;
use crate::guest::process::Process;
use crate::machine::MachineError;
use crate::memory::Memory;
use crate::memory::foreign::Foreign;
use portolan::PhysAddr;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What stands before the address of the memory, in what Bochs logs.
const MEMORY_IS_AT: &str = "vector=0x";

/// How long a start may take. Bochs goes over all of its memory's blocks for each of them, which are seconds where there is
/// little else to do.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long is waited between two looks.
const REST: Duration = Duration::from_millis(10);

/// Starts a guest and waits until it waits for its area to be filled.
pub(super) fn start() -> Result<(Process, Memory), MachineError> {
    let deadline = Instant::now() + PATIENCE;
    let (firmware, log) = (file_of(&monitor::firmware())?, memory_file(0)?);
    let configuration = file_of(configuration(&firmware, &log).as_bytes())?;
    // For its debugger, if it has one: that the guest is to run
    let input = file_of(b"continue\n")?;
    let input = File::open(path(&input)).map_err(|error| host("open", &error))?;
    let mut command = Command::new("bochs");
    command
        .args(["-q", "-f", &path(&configuration)])
        // What it draws its screen with wants to know for which terminal
        .env("TERM", "dumb")
        .stdin(Stdio::from(input));
    let mut process = Process::start(command)?;
    let start = loop {
        if let Some(start) = memory_start(&log) {
            break start;
        }
        if let Some(exit) = process.ended() {
            return Err(MachineError::Unavailable {
                reason: format!("bochs: {}", complaint(&exit)),
            });
        }
        wait(deadline, "its memory is nowhere")?;
    };
    let path = format!("/proc/{}/mem", process.id());
    let file = OpenOptions::new().read(true).write(true).open(path);
    let file = file.map_err(|error| host("open the memory of a process", &error))?;
    let words = Foreign::new(file, start, AREA..BYTES);
    let memory = Memory::foreign(words, PHYS_BITS, TABLES);
    await_blocks(&mut process, &memory, deadline)?;
    Ok((process, memory))
}

/// Waits until the start has written to each block, and makes sure that they are in order: Bochs hands them out as they
/// are first used.
fn await_blocks(
    process: &mut Process,
    memory: &Memory,
    deadline: Instant,
) -> Result<(), MachineError> {
    let is_there = |block: u64| memory.load(PhysAddr::new(block)) == block;
    while !is_there(BYTES - BLOCK) {
        if let Some(exit) = process.ended() {
            return Err(MachineError::UnexpectedExit { exit });
        }
        wait(deadline, "it doesn't start")?;
    }
    for block in (AREA..BYTES).step_by(BLOCK as usize) {
        if !is_there(block) {
            let exit = format!("the memory of Bochs is not in order at {block:#x}");
            return Err(MachineError::UnexpectedExit { exit });
        }
        memory.store(PhysAddr::new(block), 0);
    }
    // Nothing has been executed there that the guest would have to be told of
    memory.take_journal();
    Ok(())
}

fn wait(deadline: Instant, what: &str) -> Result<(), MachineError> {
    if Instant::now() > deadline {
        let exit = format!("no answer: {what}");
        return Err(MachineError::UnexpectedExit { exit });
    }
    std::thread::sleep(REST);
    Ok(())
}

/// Where the process has its guest's memory, if it has said so.
fn memory_start(log: &File) -> Option<u64> {
    let mut bytes = vec![0; log.metadata().ok()?.len() as usize];
    log.read_exact_at(&mut bytes, 0).ok()?;
    let said = String::from_utf8_lossy(&bytes);
    let (_, after) = said.split_once(MEMORY_IS_AT)?;
    let (digits, _) = after.split_once('\n')?;
    u64::from_str_radix(digits.trim(), 16).ok()
}

/// Why it ended, from all that Bochs said.
fn complaint(said: &str) -> &str {
    let panic = said.lines().find_map(|line| line.split_once(">>PANIC<< "));
    let why = panic.map(|(_, why)| why);
    why.or(said.lines().next_back()).unwrap_or_default()
}

fn host(call: &'static str, error: &std::io::Error) -> MachineError {
    let reason = error.to_string();
    MachineError::Host { call, reason }
}

/// The board: a processor with VMX, EPT and accessed and dirty flags in them, memory, firmware, and nothing to look at.
fn configuration(firmware: &File, log: &File) -> String {
    let (firmware, log, mib) = (path(firmware), path(log), BYTES >> 20);
    format!(
        "cpu: model=corei7_haswell_4770, count=1, ips=100000000, reset_on_triple_fault=0\n\
         memory: guest={mib}, host={mib}\n\
         romimage: file={firmware}, address=0xffff0000\n\
         display_library: term\n\
         log: {log}\n\
         panic: action=fatal\n\
         error: action=ignore\n\
         info: action=report\n"
    )
}
