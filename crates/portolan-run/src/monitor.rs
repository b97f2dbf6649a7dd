//! The program in the guest's ring 0: it leaves to the host at every exception and system call of user mode, does to the TLB
//! what the host has written down, and returns to user mode.
//!
//! It is as short as can be, since a host that runs user mode without the help of the processor's virtualization may emulate
//! each of its instructions. Such a host may not switch the privilege at `SYSCALL` either. The instruction then jumps to the
//! monitor in user mode and faults there at once, which says as much.

use core::arch::global_asm;
use std::ops::Range;

/// The top-level slot that the monitor has, in the kernel's half.
const SLOT: u64 = 300;
/// Its first address.
pub(crate) const BASE: u64 = ((SLOT << 55) as i64 >> 16) as u64;
/// Where in the slot the guest's page tables are seen.
pub(crate) const TABLES: u64 = BASE + (1 << 30);

// Offsets in the monitor's area, which starts at physical address 0
pub(crate) const CODE: u64 = 0x0000;
pub(crate) const GDT: u64 = 0x1000;
pub(crate) const TSS: u64 = 0x1100;
pub(crate) const IDT: u64 = 0x2000;
/// The lists of what is to be done to the TLB.
pub(crate) const LISTS: Range<u64> = 0x3000..0x7000;
pub(crate) const STACK_TOP: u64 = 0x8000;
/// The stack of the interrupt that stops a program. It may come when there is no other one, just behind `SYSCALL`.
pub(crate) const TICK_STACK_TOP: u64 = 0x7800;
/// The vector of that interrupt, the non-maskable one.
pub(crate) const TICK: u16 = 2;
/// Bytes of the area.
pub(crate) const AREA: u64 = STACK_TOP;
/// Where `IRETQ` finds where user mode goes on: instruction pointer, code selector, flags, stack pointer and selector.
pub(crate) const RETURN: u64 = STACK_TOP - 5 * 8;

pub(crate) const SELECT_CODE: u16 = 0x08;
pub(crate) const SELECT_DATA: u16 = 0x10;
pub(crate) const SELECT_USER_DATA: u16 = 0x1b;
pub(crate) const SELECT_USER_CODE: u16 = 0x23;
pub(crate) const SELECT_TSS: u16 = 0x28;

/// The ports that the monitor leaves to the host by: this and the vector for an exception.
pub(crate) const PORT_EXCEPTION: u16 = 0xc0;
/// For a system call.
pub(crate) const PORT_SYSCALL: u16 = 0xe0;
/// When the lists are done.
pub(crate) const PORT_DONE: u16 = 0xe1;

/// Exceptions that push an error code: 8, 10 to 14, 17, 21, 29 and 30 (Intel SDM vol. 3, 7.15).
pub(crate) const WITH_CODE: u32 = 0x6022_7d00;

// The work: RSI points to words of tables to be written unchanged, as many as RCX says; then RDX is the root to load, or 0; then
// pages to be invalidated follow, as many as RBX says
global_asm!(
    r#"
.pushsection .rodata.portolan_run_monitor,"a",@progbits
.irp label, start,handlers,work,return,end
.globl portolan_run_\label
.hidden portolan_run_\label
.endr
.balign 16
portolan_run_start:
    out {port_syscall}, al

.balign 16
portolan_run_handlers:
    .set portolan_run_vector, 0
    .rept 32
    .balign 16
    out {port_exception} + portolan_run_vector, al
    .set portolan_run_vector, portolan_run_vector + 1
    .endr

.balign 16
portolan_run_work:
    jrcxz 11f
10:
    lodsq
    lock or qword ptr [rax], 0
    loop 10b
11:
    test rdx, rdx
    jz 12f
    mov cr3, rdx
12:
    mov rcx, rbx
    jrcxz 14f
13:
    lodsq
    invlpg [rax]
    loop 13b
14:
    out {port_done}, al

portolan_run_return:
    iretq
portolan_run_end:
.popsection
"#,
    port_syscall = const PORT_SYSCALL,
    port_exception = const PORT_EXCEPTION,
    port_done = const PORT_DONE,
);

unsafe extern "C" {
    static portolan_run_start: u8;
    static portolan_run_handlers: u8;
    static portolan_run_work: u8;
    static portolan_run_return: u8;
    static portolan_run_end: u8;
}

fn offset(label: *const u8) -> u64 {
    label as u64 - &raw const portolan_run_start as u64
}

/// The program's bytes.
pub(crate) fn image() -> &'static [u8] {
    let length = offset(&raw const portolan_run_end) as usize;
    // SAFETY: the two labels stand around one run of bytes in a read-only section of this program
    unsafe { std::slice::from_raw_parts(&raw const portolan_run_start, length) }
}

/// Where system calls enter.
pub(crate) const ENTRY: u64 = BASE + CODE;

/// Where the handler of an exception is.
pub(crate) fn handler(vector: u64) -> u64 {
    BASE + CODE + offset(&raw const portolan_run_handlers) + 16 * vector
}

/// Where the work begins.
pub(crate) fn work() -> u64 {
    BASE + CODE + offset(&raw const portolan_run_work)
}

/// Where user mode is returned to.
pub(crate) fn user_return() -> u64 {
    BASE + CODE + offset(&raw const portolan_run_return)
}
