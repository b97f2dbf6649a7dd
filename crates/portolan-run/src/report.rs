//! What is said of a program that can't go on.

use crate::area::Use;
use crate::elf::USER_END;
use crate::process::Process;
use crate::space::{Fault, GUARD, Space};
use crate::system::Failure;
use std::fmt::Write;

/// The report on a failure, with a picture of the address space.
pub(crate) fn of(name: &str, process: &Process<'_>, failure: &Failure) -> String {
    let space = process.space.borrow();
    let frame = &process.frame;
    let mut text = format!("portolan: {name} (process {}): ", process.id);
    let addr = match *failure {
        Failure::Page {
            addr,
            access,
            fault,
        } => {
            let why = match fault {
                Fault::Unmapped => "nothing is mapped there",
                Fault::Denied => "what is mapped there doesn't allow it",
                Fault::PastEnd => "the file that is mapped there has ended",
                Fault::NoMemory => "there is no memory left",
            };
            let _ = writeln!(text, "page fault: {access} at {addr:#x}: {why}");
            Some(addr)
        }
        Failure::Exception { vector, code } => {
            let what = exception(vector);
            let _ = writeln!(text, "{what} (exception {vector}, error code {code:#x})");
            None
        }
    };
    let _ = writeln!(
        text,
        "  at instruction {:#x}, stack pointer {:#x}, signal {}",
        frame.rip,
        frame.rsp,
        failure.signal()
    );
    picture(&mut text, &space, addr, frame.rip, frame.rsp);
    text
}

/// What an exception is called (Intel SDM vol. 3, 7.3).
fn exception(vector: u64) -> &'static str {
    match vector {
        0 => "divide error",
        1 => "debug exception",
        3 => "breakpoint",
        4 => "overflow",
        5 => "bound range exceeded",
        6 => "invalid opcode",
        7 => "device not available",
        11 => "segment not present",
        12 => "stack-segment fault",
        13 => "general protection",
        16 => "x87 floating-point error",
        17 => "alignment check",
        19 => "SIMD floating-point exception",
        _ => "exception",
    }
}

/// The areas in order, with arrows at the addresses.
fn picture(text: &mut String, space: &Space<'_>, addr: Option<u64>, rip: u64, rsp: u64) {
    let marks = |start: u64, end: u64| {
        let named = [
            (addr, "the address"),
            (Some(rip), "the instruction"),
            (Some(rsp), "the stack pointer"),
        ];
        let inside = named
            .iter()
            .filter(|(at, _)| at.is_some_and(|at| (start..end).contains(&at)));
        let names: Vec<&str> = inside.map(|(_, name)| *name).collect();
        match names.is_empty() {
            true => String::new(),
            false => format!("  <- {}", names.join(", ")),
        }
    };
    let gap = |text: &mut String, start: u64, end: u64, what: &str| {
        let marks = marks(start, end);
        if start < end && !marks.is_empty() {
            let _ = writeln!(text, "    {start:016x}-{end:016x} ---  {what}{marks}");
        }
    };
    let mut last = 0;
    for (range, area) in space.areas.iter() {
        match area.purpose {
            Use::Stack { limit } => {
                let guard = limit - GUARD;
                gap(text, last, guard, "nothing");
                gap(text, guard.max(last), limit, "guard below the stack");
                gap(text, limit, range.start, "the stack may grow here");
            }
            _ => gap(text, last, range.start, "nothing"),
        }
        let _ = writeln!(
            text,
            "    {:016x}-{:016x} {}  {}{}",
            range.start,
            range.end,
            area.rights,
            area.purpose,
            marks(range.start, range.end)
        );
        last = range.end;
    }
    gap(text, last, USER_END, "nothing");
    gap(text, USER_END, u64::MAX, "not a program's");
}
