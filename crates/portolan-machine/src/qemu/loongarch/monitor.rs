//! The program in a LoongArch64 guest.
//!
//! It runs in a direct mapping window that both modes have, at privilege level 0. An access is made in the mode under
//! test: a load or store by instructions of the program, a fetch by going to its address. It ends in an exception: its own
//! fault, or the `break` behind it.

use super::assembler::{A0, A1, A2, Assembler, S0, S1, S2, S3, T0, T1, T2, ZERO};
use super::csr;
use super::refill::{self, Directory};
use crate::fault::Refused;
use crate::guest::mailbox;

/// The direct mapping window in which the program sees physical memory (7.5, DMW0): privilege levels 0 and 3, coherent
/// cached.
pub(super) const WINDOW: u64 = 0x9000_0000_0000_0000;
const DMW0: u64 = WINDOW | 1 << 4 | 1 << 3 | 1 << 0;
/// CRMD: PG instead of DA, and DATF and DATM coherent cached, all at privilege level 0 without interrupts.
const CRMD: u64 = 1 << 7 | 1 << 5 | 1 << 4;

/// Where exceptions go, and TLB refills.
const EXCEPTIONS: u64 = 0x1000;
const REFILL: u64 = 0x2000;

/// The registers that are loaded when the guest starts, in the order of their values in the boot words.
pub(super) const BOOT_REGISTERS: [u32; 5] = [
    csr::STLBPS,
    csr::RVACFG,
    csr::PGDL,
    csr::PGDH,
    csr::TLBRENTRY,
];

/// The registers that describe an exception, in the order of the words of a report behind the exception's code; behind
/// them is `a0`.
const REPORTED: [u32; 4] = [csr::BADV, csr::ERA, csr::PRMD, csr::BADI];
const REPORTED_A0: i32 = mailbox::REPORT as i32 + 8 * (1 + REPORTED.len() as i32);

/// Exception codes (6.2).
const PNX: i32 = 6;
const PPI: i32 = 7;
const ADE: i32 = 8;

/// Where in a step the program notes that it only has the TLB filled: anything but 0.
const PROBING: i32 = 64;

/// Where the instructions are that make accesses, and the `break` behind each.
pub(super) const LOAD: u64 = 4;
pub(super) const LOADED: u64 = LOAD + 4;
pub(super) const STORE: u64 = LOAD + 8;
pub(super) const STORED: u64 = LOAD + 12;

/// What the processor starts with, where addresses are not translated and only their lower bits count: code that goes to
/// the program of an area, where the window will have it.
pub(super) fn firmware(area: u64) -> Vec<u8> {
    let mut ops = Assembler::default();
    ops.li_d(T0, WINDOW + area + mailbox::CODE);
    ops.jr(T0);
    ops.finish()
}

/// Where in the area the refill handler is.
pub(super) const fn refill_entry() -> u64 {
    mailbox::CODE + REFILL
}

/// The program, for an area at the physical address `area`, a root in the register `root` and tables of such levels.
pub(super) fn program(area: u64, root: u32, above: &[Directory], smallest: Directory) -> Vec<u8> {
    let base = WINDOW + area + mailbox::CODE;
    let mut ops = Assembler::default();
    ops.b("start");
    ops.at(LOAD);
    ops.ld_d(A0, A1, 0);
    ops.breakpoint();
    ops.at(STORE);
    ops.st_d(A2, A1, 0);
    ops.breakpoint();
    start(&mut ops, base);
    steps(&mut ops);
    access(&mut ops, base);
    invalidation(&mut ops, root);
    ops.at(EXCEPTIONS);
    report(&mut ops);
    let missing = base + ops.place("missing");
    ops.at(REFILL);
    refill::handler(&mut ops, above, smallest, missing);
    ops.finish()
}

/// Sets `s1` to the header and `s2` to the first step, where `s0` is the program's start.
fn find_area(ops: &mut Assembler) {
    ops.lu12i_w(T0, (mailbox::HEADER >> 12) as i32);
    ops.add_d(S1, S0, T0);
    ops.lu12i_w(T0, (mailbox::STEPS >> 12) as i32);
    ops.add_d(S2, S0, T0);
}

/// `s0` is the program's start, `s1` the header, `s2` the first step.
fn start(ops: &mut Assembler, base: u64) {
    ops.label("start");
    ops.li_d(S0, base);
    find_area(ops);
    for (offset, register) in (0..).step_by(8).zip(BOOT_REGISTERS) {
        ops.ld_d(T0, S1, mailbox::BOOT as i32 + offset);
        ops.csrwr(T0, register);
    }
    ops.invtlb(0, ZERO, ZERO);
    ops.li_d(T0, DMW0);
    ops.csrwr(T0, csr::DMW0);
    ops.li_d(T0, base + EXCEPTIONS);
    ops.csrwr(T0, csr::EENTRY);
    ops.li_d(T0, CRMD);
    ops.csrwr(T0, csr::CRMD);
}

/// Waits for the bell and performs the steps; `s3` is the current one.
fn steps(ops: &mut Assembler) {
    ops.label("idle");
    ops.ld_d(T0, S1, mailbox::DOORBELL as i32);
    ops.ld_d(T1, S1, mailbox::ANSWERED as i32);
    ops.beq(T0, T1, "idle");
    ops.dbar();
    ops.or(S3, S2, ZERO);
    ops.label("next");
    ops.st_d(S3, S1, mailbox::CURRENT as i32);
    ops.ld_d(T0, S1, mailbox::END as i32);
    ops.bgeu(S3, T0, "done");
    ops.ld_d(T0, S3, 0);
    ops.ld_d(A1, S3, 8);
    ops.ld_d(A2, S3, 16);
    for (number, label) in [
        (mailbox::ACCESS, "access"),
        (mailbox::INVALIDATE_PAGE, "invalidate_page"),
        (mailbox::INVALIDATE_ALL, "invalidate_all"),
        (mailbox::ROOT, "root"),
    ] {
        ops.ori(T1, ZERO, number as i32);
        ops.beq(T0, T1, label);
    }
    // Physical addresses are seen through the window
    ops.li_d(T1, WINDOW);
    ops.or(A1, A1, T1);
    ops.ld_d(T0, A1, 0);
    ops.st_d(T0, A1, 0);
    ops.label("advance");
    ops.addi_d(S3, S3, mailbox::STEP as i32);
    ops.b("next");
    ops.label("done");
    ops.dbar();
    ops.ld_d(T0, S1, mailbox::DOORBELL as i32);
    ops.st_d(T0, S1, mailbox::ANSWERED as i32);
    ops.b("idle");
}

/// Goes to where the access is made, in its mode.
///
/// QEMU 7.2 notes of a page that it has looked up that it may be read, whatever NR says (5.4.4 asks at each load), but
/// forgets such notes, and nothing of the TLB, when the address space changes.
fn access(ops: &mut Assembler, base: u64) {
    ops.label("access");
    ops.st_d(ZERO, S3, PROBING);
    ops.ld_d(T0, S3, 24);
    ops.beq(T0, A1, "probe");
    ops.label("go");
    ops.ld_d(T0, S3, 24);
    ops.csrwr(T0, csr::ERA);
    ops.ld_d(T0, S3, 32);
    ops.csrwr(T0, csr::PRMD);
    ops.label("leave for it");
    for space in [1, 0] {
        ops.ori(T0, ZERO, space);
        ops.csrwr(T0, csr::ASID);
    }
    ops.ori(A0, ZERO, 0x5a);
    ops.dbar();
    ops.ertn();
    // Has the TLB filled for a fetch
    ops.label("probe");
    ops.st_d(S3, S3, PROBING);
    ops.li_d(T0, base + LOAD);
    ops.csrwr(T0, csr::ERA);
    ops.or(T0, ZERO, ZERO);
    ops.csrwr(T0, csr::PRMD);
    ops.b("leave for it");
}

/// Looks in the TLB for what there is of a fetch, and goes on to the fetch if it is allowed or nothing is there.
///
/// QEMU 7.2 can't tell of a fetch that a page refuses (PNX and PPI): for `BADI` it loads the instruction, which is refused
/// again, without end. So the program does what 5.4.4 says, with the entry that the refill handler filled.
fn look_for_fetch(ops: &mut Assembler) {
    ops.st_d(ZERO, S3, PROBING);
    // The TLB knows nothing of an address error
    ops.addi_d(T0, T1, -ADE);
    ops.beqz(T0, "go");
    ops.ld_d(A1, S3, 8);
    ops.or(T0, A1, ZERO);
    ops.csrwr(T0, csr::TLBEHI);
    ops.tlbsrch();
    ops.csrrd(T0, csr::TLBIDX);
    ops.bstrpick_d(T0, T0, 31, 31);
    ops.bnez(T0, "go");
    ops.tlbrd();
    ops.csrrd(T0, csr::TLBIDX);
    ops.bstrpick_d(T0, T0, 29, 24);
    ops.srl_d(T0, A1, T0);
    ops.andi(T0, T0, 1);
    ops.csrrd(T1, csr::TLBELO0);
    ops.beqz(T0, "half");
    ops.csrrd(T1, csr::TLBELO1);
    ops.label("half");
    ops.andi(T0, T1, 1);
    ops.beqz(T0, "go");
    ops.bstrpick_d(T0, T1, 62, 62);
    ops.bnez(T0, "not executable");
    ops.ld_d(T0, S3, 32);
    ops.bstrpick_d(T2, T1, 3, 2);
    ops.bstrpick_d(T1, T1, 63, 63);
    ops.bnez(T1, "restricted");
    ops.bgeu(T2, T0, "go");
    ops.label("restricted");
    ops.beq(T2, T0, "go");
    ops.ori(T1, ZERO, PPI);
    ops.b("refused");
    ops.label("not executable");
    ops.ori(T1, ZERO, PNX);
    ops.label("refused");
    ops.csrwr(A1, csr::BADV);
}

/// Steps that change what the processor may know of tables.
fn invalidation(ops: &mut Assembler, root: u32) {
    ops.label("invalidate_page");
    ops.invtlb(6, ZERO, A1);
    ops.b("advance");
    ops.label("invalidate_all");
    ops.invtlb(0, ZERO, ZERO);
    ops.b("advance");
    ops.label("root");
    ops.csrwr(A1, root);
    // QEMU 7.2 has a pair for global if its even page is, so it forgets these too
    ops.invtlb(0, ZERO, ZERO);
    ops.b("advance");
}

/// Notes an exception next to the current step. The registers are computed anew, as what ran may have changed them.
fn report(ops: &mut Assembler) {
    ops.csrrd(S3, csr::ESTAT);
    ops.bstrpick_d(S3, S3, 21, 16);
    ops.b("report");
    ops.label("missing");
    ops.ori(S3, ZERO, Refused::REFILL as i32);
    ops.label("report");
    // The start of the page before this one's
    ops.pcaddu12i(S0, -1);
    ops.bstrins_d(S0, ZERO, 11, 0);
    find_area(ops);
    ops.or(T1, S3, ZERO);
    ops.ld_d(S3, S1, mailbox::CURRENT as i32);
    ops.st_d(A0, S3, REPORTED_A0);
    ops.ld_d(T0, S3, PROBING);
    ops.beqz(T0, "note");
    look_for_fetch(ops);
    ops.label("note");
    ops.st_d(T1, S3, mailbox::REPORT as i32);
    for (offset, register) in (8..).step_by(8).zip(REPORTED) {
        ops.csrrd(T0, register);
        ops.st_d(T0, S3, mailbox::REPORT as i32 + offset);
    }
    ops.b("advance");
}
