//! The program in the guest's ring 0: it reports every exception and system call of user mode to the host, performs what the
//! host has written down, and returns to user mode.
//!
//! Registers of user mode are in the [frame](Frame) that each exception leaves on the monitor's stack, always at the same
//! place, where the host reads and changes them.
//!
//! A host that runs user mode without the help of the processor's virtualization may not switch the privilege at `SYSCALL`. The
//! instruction then jumps to the monitor in user mode and faults there at once, which says as much.

use core::arch::global_asm;
use std::ops::Range;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The top-level slot that the monitor has, in the kernel's half.
const SLOT: u64 = 300;
/// Its first address.
pub(crate) const BASE: u64 = ((SLOT << 55) as i64 >> 16) as u64;
/// Where in the slot the guest's page tables are seen.
pub(crate) const TABLES: u64 = BASE + (1 << 30);

// Offsets in the monitor's area, which starts at physical address 0
/// The code.
pub(crate) const CODE: u64 = 0x0000;
/// Descriptors, and the address of the last page fault.
pub(crate) const GDT: u64 = 0x1000;
pub(crate) const TSS: u64 = 0x1100;
const CR2: u64 = 0x1200;
const STACK_POINTER: u64 = 0x1208;
const SCRATCH: u64 = 0x1210;
pub(crate) const IDT: u64 = 0x2000;
/// What the host wants done before user mode goes on.
pub(crate) const STEPS: Range<u64> = 0x3000..0x7000;
pub(crate) const STACK_TOP: u64 = 0x8000;
/// Bytes of the area.
pub(crate) const AREA: u64 = STACK_TOP;
/// Where the frame of user mode's registers is.
pub(crate) const FRAME: u64 = STACK_TOP - size_of::<Frame>() as u64;

pub(crate) const SELECT_CODE: u16 = 0x08;
pub(crate) const SELECT_DATA: u16 = 0x10;
pub(crate) const SELECT_USER_DATA: u16 = 0x1b;
pub(crate) const SELECT_USER_CODE: u16 = 0x23;
pub(crate) const SELECT_TSS: u16 = 0x28;

/// The port that the monitor leaves to the host by.
pub(crate) const PORT: u16 = 0xf4;

// What a step is, in its word 0
/// Nothing more: user mode goes on.
pub(crate) const OP_RESUME: u64 = 0;
/// Writes the word at an address of the monitor's without changing it.
pub(crate) const OP_TOUCH: u64 = 1;
/// Invalidates a page.
pub(crate) const OP_INVLPG: u64 = 2;
/// Loads a root, which forgets all translations: no page is global.
pub(crate) const OP_LOAD_ROOT: u64 = 3;
/// Writes a model-specific register: number and value.
pub(crate) const OP_WRMSR: u64 = 4;
/// Leaves to the host, and begins again with the first step.
pub(crate) const OP_LEAVE: u64 = 5;

/// The vector by which the frame says that it is of a system call.
pub(crate) const SYSCALL: u64 = 0x100;

/// Registers of user mode, as the monitor and the processor push them.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Frame {
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub r11: u64,
    pub r10: u64,
    pub r9: u64,
    pub r8: u64,
    pub rbp: u64,
    pub rdi: u64,
    pub rsi: u64,
    pub rdx: u64,
    pub rcx: u64,
    pub rbx: u64,
    pub rax: u64,
    /// The exception, or [`SYSCALL`].
    pub vector: u64,
    /// Its error code.
    pub code: u64,
    pub rip: u64,
    pub cs: u64,
    pub rflags: u64,
    pub rsp: u64,
    pub ss: u64,
}

// Exceptions 8, 10 to 14, 17, 21, 29 and 30 push an error code (Intel SDM vol. 3, 7.15); for the others the handler pushes
// one. CR2 is read for page faults only, as a host may have to emulate that.
global_asm!(
    r#"
.pushsection .rodata.portolan_run_monitor,"a",@progbits
.irp label, start,handlers,resume,end
.globl portolan_run_\label
.hidden portolan_run_\label
.endr
.balign 16
portolan_run_start:
    mov [rip + portolan_run_start + {scratch}], rsp
    lea rsp, [rip + portolan_run_start + {stack_top}]
    push {user_data}
    push qword ptr [rip + portolan_run_start + {scratch}]
    push r11
    push {user_code}
    push rcx
    push 0
    push {syscall}
    jmp 10f

.balign 16
portolan_run_handlers:
    .set portolan_run_vector, 0
    .rept 32
    .balign 16
    .if ((1 << portolan_run_vector) & 0x60227d00) == 0
    push 0
    .endif
    push portolan_run_vector
    jmp 10f
    .set portolan_run_vector, portolan_run_vector + 1
    .endr

10:
    push rax
    push rbx
    push rcx
    push rdx
    push rsi
    push rdi
    push rbp
    push r8
    push r9
    push r10
    push r11
    push r12
    push r13
    push r14
    push r15
    cld
    lea rbx, [rip + portolan_run_start]
    mov [rbx + {stack_pointer}], rsp
    cmp qword ptr [rsp + 15 * 8], 14
    jne 11f
    cmp qword ptr [rsp + 17 * 8], rbx
    je 11f
    mov rax, cr2
    mov [rbx + {cr2}], rax
11:
    out {port}, al
portolan_run_resume:
    lea rsi, [rbx + {steps}]
12:
    mov rdx, [rsi]
    mov rdi, [rsi + 8]
    mov rax, [rsi + 16]
    add rsi, {step}
    cmp rdx, {op_resume}
    je 20f
    cmp rdx, {op_touch}
    je 21f
    cmp rdx, {op_invlpg}
    je 22f
    cmp rdx, {op_load_root}
    je 23f
    cmp rdx, {op_wrmsr}
    je 24f
    jmp 11b
21:
    lock or qword ptr [rdi], 0
    jmp 12b
22:
    invlpg [rdi]
    jmp 12b
23:
    mov cr3, rdi
    jmp 12b
24:
    mov rdx, rax
    shr rdx, 32
    mov ecx, edi
    wrmsr
    jmp 12b
20:
    pop r15
    pop r14
    pop r13
    pop r12
    pop r11
    pop r10
    pop r9
    pop r8
    pop rbp
    pop rdi
    pop rsi
    pop rdx
    pop rcx
    pop rbx
    pop rax
    add rsp, 16
    iretq
portolan_run_end:
.popsection
"#,
    scratch = const SCRATCH,
    stack_top = const STACK_TOP,
    stack_pointer = const STACK_POINTER,
    user_data = const SELECT_USER_DATA,
    user_code = const SELECT_USER_CODE,
    syscall = const SYSCALL,
    cr2 = const CR2,
    port = const PORT,
    steps = const STEPS.start,
    step = const STEP,
    op_resume = const OP_RESUME,
    op_touch = const OP_TOUCH,
    op_invlpg = const OP_INVLPG,
    op_load_root = const OP_LOAD_ROOT,
    op_wrmsr = const OP_WRMSR,
);

/// Bytes of a step: what it is, and two operands.
pub(crate) const STEP: u64 = 24;

unsafe extern "C" {
    static portolan_run_start: u8;
    static portolan_run_handlers: u8;
    static portolan_run_resume: u8;
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

/// Where the monitor begins with the steps.
pub(crate) fn resume() -> u64 {
    BASE + CODE + offset(&raw const portolan_run_resume)
}

/// Physical addresses of what the monitor notes at an exit: CR2, and its stack pointer.
pub(crate) const NOTES: (u64, u64) = (CR2, STACK_POINTER);
