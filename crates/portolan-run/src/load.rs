//! A program in an address space of its own, with its arguments on the stack (System V ABI, 3.4.1).

use crate::area::{Access, Backing, Rights, Use};
use crate::elf::{Image, TABLE_ENTRY, USER_END};
use crate::error::RunError;
use crate::memory::PAGE;
use crate::platform::Platform;
use crate::space::{LOWEST, Space, change::Place};
use crate::user::ProgramMemory;
use kvm_bindings::kvm_regs;
use rustix::io::Errno;
use std::fs::File;
use std::rc::Rc;
use zerocopy::IntoBytes;

/// Where programs that may lie anywhere are put.
const ANYWHERE: u64 = 0x5555_5555_4000;
/// How far a stack may grow, and how much of it is granted at once.
const STACK_LIMIT: u64 = 8 << 20;
const STACK_START: u64 = 132 << 10;
/// How many bytes arguments and environment may take.
pub(crate) const MOST_ARGUMENTS: usize = 128 << 10;

// Entries of the auxiliary vector (include/uapi/linux/auxvec.h)
const AT_NULL: u64 = 0;
const AT_PHDR: u64 = 3;
const AT_PHENT: u64 = 4;
const AT_PHNUM: u64 = 5;
const AT_PAGESZ: u64 = 6;
const AT_BASE: u64 = 7;
const AT_FLAGS: u64 = 8;
const AT_ENTRY: u64 = 9;
const AT_UID: u64 = 11;
const AT_EUID: u64 = 12;
const AT_GID: u64 = 13;
const AT_EGID: u64 = 14;
const AT_PLATFORM: u64 = 15;
const AT_HWCAP: u64 = 16;
const AT_CLKTCK: u64 = 17;
const AT_SECURE: u64 = 23;
const AT_RANDOM: u64 = 25;
const AT_HWCAP2: u64 = 26;
const AT_EXECFN: u64 = 31;

/// What a program is started with.
pub(crate) struct Start {
    pub(crate) name: Vec<u8>,
    pub(crate) arguments: Vec<Vec<u8>>,
    pub(crate) environment: Vec<Vec<u8>>,
}

/// Makes an address space with a program in it, and the registers that it starts with.
pub(crate) fn load<'k>(
    platform: &Platform<'k>,
    file: &Rc<File>,
    image: &Image,
    start: &Start,
) -> Result<(Space<'k>, kvm_regs), RunError> {
    let mut space = Space::new(platform).ok_or(RunError::NoMemory)?;
    let span = image.span();
    let base = if image.is_relocatable {
        let above = span.start.is_multiple_of(PAGE) && span.end <= USER_END - ANYWHERE;
        if above { ANYWHERE } else { 0 }
    } else {
        0
    };
    let stack_rights = Rights {
        execute: image.executes_stack,
        ..Rights::READ_WRITE
    };
    let room = |error: Errno| match error {
        Errno::NOMEM => RunError::NoMemory,
        error => RunError::space(error),
    };
    for segment in &image.segments {
        let pages = segment.pages();
        let lead = segment.addr - pages.start;
        let backing = Backing::File {
            file: file.clone(),
            offset: segment.file.start - lead,
            bytes: segment.file.end - segment.file.start + lead,
            ends: false,
        };
        let has_bytes = !segment.file.is_empty();
        let backing = if has_bytes { backing } else { Backing::Zeros };
        let place = Place::Free(base + pages.start);
        let bytes = pages.end - pages.start;
        space
            .map(
                platform,
                place,
                bytes,
                segment.rights,
                backing,
                Use::Program,
            )
            .map_err(room)?;
    }
    if space
        .areas
        .overlap(&(USER_END - STACK_LIMIT - LOWEST..USER_END))
    {
        return Err(RunError::space("a segment is where the stack is to be"));
    }
    space.add_stack(USER_END, STACK_START, STACK_LIMIT, stack_rights);
    let heap = base + span.end;
    space.heap = heap..heap;
    let rsp = put_stack(platform, &mut space, image, base, start)?;
    let frame = kvm_regs {
        rip: base + image.entry,
        rsp,
        rflags: 0x202,
        ..kvm_regs::default()
    };
    Ok((space, frame))
}

/// Writes arguments, environment and auxiliary vector to the top of the stack; answers with where it ends.
fn put_stack<'k>(
    platform: &Platform<'k>,
    space: &mut Space<'k>,
    image: &Image,
    base: u64,
    start: &Start,
) -> Result<u64, RunError> {
    let strings = || start.arguments.iter().chain(&start.environment);
    let bytes: usize = strings().map(|string| string.len() + 9).sum();
    if bytes > MOST_ARGUMENTS {
        let bytes = bytes as u64;
        return Err(RunError::ArgumentsTooLong { bytes });
    }
    let mut random = [0_u8; 16];
    rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())
        .map_err(|error| RunError::host("getrandom", error))?;
    // from the top downwards; what follows in memory comes first
    let mut top = USER_END - 8;
    let mut pieces: Vec<(u64, Vec<u8>)> = Vec::new();
    let mut push = |bytes: &[u8]| {
        top -= bytes.len() as u64;
        pieces.push((top, bytes.to_vec()));
        top
    };
    let with_end = |string: &[u8]| [string, &[0]].concat();
    let name = push(&with_end(&start.name));
    let pushed: Vec<u64> = strings().map(|string| push(&with_end(string))).collect();
    let platform_name = push(b"x86_64\0");
    let random = push(&random);
    let (arguments, environment) = pushed.split_at(start.arguments.len());
    let auxiliary = [
        (AT_PHDR, base + image.table),
        (AT_PHENT, TABLE_ENTRY),
        (AT_PHNUM, image.table_entries),
        (AT_PAGESZ, PAGE),
        (AT_BASE, 0),
        (AT_FLAGS, 0),
        (AT_ENTRY, base + image.entry),
        (AT_UID, rustix::process::getuid().as_raw().into()),
        (AT_EUID, rustix::process::geteuid().as_raw().into()),
        (AT_GID, rustix::process::getgid().as_raw().into()),
        (AT_EGID, rustix::process::getegid().as_raw().into()),
        (AT_SECURE, 0),
        (AT_RANDOM, random),
        (AT_HWCAP, rustix::param::linux_hwcap().0 as u64),
        // no RDFSBASE: the monitor doesn't look whether a program has used it
        (AT_HWCAP2, 0),
        (AT_CLKTCK, 100),
        (AT_EXECFN, name),
        (AT_PLATFORM, platform_name),
        (AT_NULL, 0),
    ];
    let mut words = vec![start.arguments.len() as u64];
    words.extend(arguments);
    words.push(0);
    words.extend(environment);
    words.push(0);
    words.extend(auxiliary.iter().flat_map(|(kind, value)| [*kind, *value]));
    // the first word is at a multiple of 16
    let rsp = (top - 8 * words.len() as u64) / 16 * 16;
    pieces.push((rsp, words.as_bytes().to_vec()));
    let mut user = ProgramMemory { platform, space };
    for (addr, bytes) in pieces {
        user.write(addr, &bytes).map_err(|_| RunError::NoMemory)?;
    }
    debug_assert!(
        space.grants(&(rsp..USER_END), Access::Write),
        "the stack has room"
    );
    Ok(rsp)
}
