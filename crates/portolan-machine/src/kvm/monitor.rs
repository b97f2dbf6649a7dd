//! The program in the guest: it takes steps from a list, performs them and writes down what came of each.
//!
//! It lives in an area of 2 MiB per processor, in physical memory and at the start of one top-level slot of the virtual
//! address space, where all of the physical memory can be seen as well.

use core::arch::global_asm;

/// Bytes of a processor's area.
pub(super) const AREA: u64 = 0x20_0000;
/// The program.
pub(super) const CODE: u64 = 0x0000;
/// The program again, for user mode.
pub(super) const USER_CODE: u64 = 0x1000;
pub(super) const GDT: u64 = 0x2000;
pub(super) const TSS: u64 = 0x2100;
pub(super) const IDT: u64 = 0x3000;
/// Where the current step and the end of the steps are noted.
pub(super) const HEADER: u64 = 0x4000;
/// The root that is loaded: a copy of the tested one, with the monitor's own slot.
const ROOT: u64 = 0x5000;
/// Those that are loaded under identifiers from 1 on.
const ROOTS: u64 = 0x1_b000;
/// How many identifiers there is room for.
pub(super) const IDENTIFIERS: usize = ((STEPS - ROOTS) / 0x1000) as usize;
pub(super) const STACK_TOP: u64 = 0x7000;
/// The monitor's own tables.
pub(super) const PDPT: u64 = 0x8000;
pub(super) const PD: u64 = 0x9000;
pub(super) const PT: u64 = 0xa000;
/// One table for each GiB of physical memory.
pub(super) const DIRECT: u64 = 0xb000;
/// The steps.
pub(super) const STEPS: u64 = 0x2_0000;
/// Bytes of a step.
pub(super) const STEP: u64 = 128;
/// How many steps there is room for.
pub(super) const CAPACITY: usize = ((AREA - STEPS) / STEP) as usize;

/// Where the root lies that is loaded under an identifier.
pub(super) fn root(id: usize) -> u64 {
    match id as u64 {
        0 => ROOT,
        id => ROOTS + 0x1000 * (id - 1),
    }
}

/// Where in the slot the physical memory is seen.
pub(super) const DIRECT_OFFSET: u64 = 256 << 30;

pub(super) const SELECT_CODE: u16 = 0x08;
pub(super) const SELECT_DATA: u16 = 0x10;
pub(super) const SELECT_USER_DATA: u16 = 0x1b;
pub(super) const SELECT_USER_CODE: u16 = 0x23;
pub(super) const SELECT_TSS: u16 = 0x28;

/// The port that a finished list is announced at.
pub(super) const PORT: u16 = 0x1f4;

// What a step is, in its word 0
/// Words 1 to 5: address, value, instruction pointer, code and stack selectors.
pub(super) const OP_ACCESS: u64 = 0;
/// Word 1: address.
pub(super) const OP_INVLPG: u64 = 1;
/// Word 1: physical address, identifier in bits 11:0, and in bit 63 whether what is known under it stays.
pub(super) const OP_LOAD_ROOT: u64 = 2;
pub(super) const OP_FLUSH: u64 = 3;
/// Word 1: how many; the addresses follow.
pub(super) const OP_TOUCH: u64 = 4;
/// Words 1 and 2: address and value.
pub(super) const OP_WRITE: u64 = 5;
/// How many addresses a touch has room for.
pub(super) const TOUCHES: usize = 14;

// Where a step's outcome is noted: words 8 to 12
pub(super) const OUT_VECTOR: u64 = 64;
pub(super) const OUT_CODE: u64 = 72;
pub(super) const OUT_CR2: u64 = 80;
pub(super) const OUT_RIP: u64 = 88;
pub(super) const OUT_RAX: u64 = 96;

// Every access ends in an exception: its own fault, or the `ud2` behind it. `iretq` before it serializes, so that code
// which an earlier step wrote is what is fetched. `rax` starts as an address that is not canonical, so code that isn't
// there (zeros are `add [rax], al`) ends at once. Exceptions 8, 10 to 14, 17, 21, 29 and 30 push an error code; for the
// others the handler pushes one.
global_asm!(
    r#"
.pushsection .rodata.portolan_monitor,"a",@progbits
.irp label, start,handlers,load,loaded,store,stored,fetch,end
.globl portolan_monitor_\label
.hidden portolan_monitor_\label
.endr
.balign 16
portolan_monitor_start:
20:
    lea rbx, [rip + portolan_monitor_start]
    lea r8, [rbx + {steps}]
    jmp 22f
21:
    lea rbx, [rip + portolan_monitor_start]
    mov r8, [rbx + {header}]
    add r8, {step}
22:
    mov [rbx + {header}], r8
    cmp r8, [rbx + {header} + 8]
    jae 29f
    mov rdi, [r8 + 8]
    mov rsi, [r8 + 16]
    mov rax, [r8]
    cmp rax, {op_access}
    je 30f
    cmp rax, {op_invlpg}
    je 31f
    cmp rax, {op_load_root}
    je 32f
    cmp rax, {op_flush}
    je 33f
    cmp rax, {op_touch}
    je 34f
    mov [rdi], rsi
    jmp 21b
29:
    mov dx, {port}
    out dx, al
    jmp 20b

30:
    lea rsp, [rbx + {stack_top}]
    lea r10, [rsp - 1024]
    push qword ptr [r8 + 40]
    push r10
    push 2
    push qword ptr [r8 + 32]
    push qword ptr [r8 + 24]
    mov rax, 0x5a5a5a5a5a5a5a5a
    iretq
31:
    invlpg [rdi]
    jmp 21b
32:
    mov cr3, rdi
    jmp 21b
33:
    mov rax, cr4
    mov rcx, rax
    btr rcx, 7
    mov cr4, rcx
    mov cr4, rax
    jmp 21b
34:
    mov rax, [r8 + rdi*8 + 8]
    lock or qword ptr [rax], 0
    dec rdi
    jnz 34b
    jmp 21b

.balign 16
portolan_monitor_handlers:
    .set portolan_vector, 0
    .rept 32
    .balign 16
    .if ((1 << portolan_vector) & 0x60227d00) == 0
    push 0
    .endif
    push portolan_vector
    jmp 40f
    .set portolan_vector, portolan_vector + 1
    .endr
40:
    lea rbx, [rip + portolan_monitor_start]
    mov r8, [rbx + {header}]
    mov [r8 + {out_rax}], rax
    pop qword ptr [r8 + {out_vector}]
    pop qword ptr [r8 + {out_code}]
    mov rax, cr2
    mov [r8 + {out_cr2}], rax
    pop qword ptr [r8 + {out_rip}]
    jmp 21b

.balign 16
portolan_monitor_load:
    mov rax, [rdi]
portolan_monitor_loaded:
    ud2
portolan_monitor_store:
    mov [rdi], rsi
portolan_monitor_stored:
    ud2
portolan_monitor_fetch:
    jmp rdi
portolan_monitor_end:
.popsection
"#,
    steps = const STEPS,
    header = const HEADER,
    step = const STEP,
    port = const PORT,
    stack_top = const STACK_TOP,
    op_access = const OP_ACCESS,
    op_invlpg = const OP_INVLPG,
    op_load_root = const OP_LOAD_ROOT,
    op_flush = const OP_FLUSH,
    op_touch = const OP_TOUCH,
    out_vector = const OUT_VECTOR,
    out_code = const OUT_CODE,
    out_cr2 = const OUT_CR2,
    out_rip = const OUT_RIP,
    out_rax = const OUT_RAX,
);

unsafe extern "C" {
    static portolan_monitor_start: u8;
    static portolan_monitor_handlers: u8;
    static portolan_monitor_load: u8;
    static portolan_monitor_loaded: u8;
    static portolan_monitor_store: u8;
    static portolan_monitor_stored: u8;
    static portolan_monitor_fetch: u8;
    static portolan_monitor_end: u8;
}

fn offset(label: *const u8) -> u64 {
    label as u64 - &raw const portolan_monitor_start as u64
}

/// The program's bytes. It begins at its first instruction and may lie at any address.
pub(super) fn image() -> &'static [u8] {
    let length = offset(&raw const portolan_monitor_end) as usize;
    // SAFETY: the two labels stand around one run of bytes in a read-only section of this program
    unsafe { std::slice::from_raw_parts(&raw const portolan_monitor_start, length) }
}

/// Offset of the handler of an exception.
pub(super) fn handler(vector: u64) -> u64 {
    offset(&raw const portolan_monitor_handlers) + 16 * vector
}

/// Offset of the load, and of what follows it.
pub(super) fn load() -> (u64, u64) {
    (
        offset(&raw const portolan_monitor_load),
        offset(&raw const portolan_monitor_loaded),
    )
}

/// Offset of the store, and of what follows it.
pub(super) fn store() -> (u64, u64) {
    (
        offset(&raw const portolan_monitor_store),
        offset(&raw const portolan_monitor_stored),
    )
}

/// Offset of the jump.
pub(super) fn fetch() -> u64 {
    offset(&raw const portolan_monitor_fetch)
}
