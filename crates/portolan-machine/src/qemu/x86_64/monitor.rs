//! The program in an x86_64 guest.
//!
//! It runs in 64-bit mode at privilege level 0, in its own slot of the root, and goes to privilege level 0 or 3 for each
//! access. An access ends in an exception: its own fault, or the `ud2` behind it.

use crate::guest::mailbox;
use core::arch::global_asm;

// Offsets in the guest's area, which is where the slot starts
/// The program again, for privilege level 3.
pub(super) const USER_CODE: u64 = 0x1000;
pub(super) const GDT: u64 = 0x2000;
pub(super) const TSS: u64 = 0x2100;
/// The operands of `lgdt` and `lidt`.
pub(super) const GDTR: u64 = 0x2200;
pub(super) const IDTR: u64 = 0x2210;
pub(super) const IDT: u64 = 0x3000;
pub(super) const STACK_TOP: u64 = 0x8000;

/// Where in the slot the physical memory is seen.
pub(super) const DIRECT: u64 = 256 << 30;

pub(super) const SELECT_CODE: u16 = 0x08;
pub(super) const SELECT_DATA: u16 = 0x10;
pub(super) const SELECT_USER_DATA: u16 = 0x1b;
pub(super) const SELECT_USER_CODE: u16 = 0x23;
pub(super) const SELECT_TSS: u16 = 0x28;

/// Where the boot words are, in physical memory: CR4, CR3, and the address of the program.
const BOOT: u64 = mailbox::AREA + mailbox::HEADER + mailbox::BOOT as u64;

// The last 256 bytes below 4 GiB. A processor starts in real mode at the 16th last (Intel SDM vol. 3, 10.1.4), with a
// code segment whose base is 0xffff_0000; paging goes on together with 64-bit mode (10.8.5).
global_asm!(
    r#"
.pushsection .rodata.portolan_qemu_boot,"a",@progbits
.globl portolan_qemu_boot
.hidden portolan_qemu_boot
.balign 16
portolan_qemu_boot:
    .code16
    cli
    lgdtl %cs:(0xff00 + 30f - portolan_qemu_boot)
    movl %cr0, %eax
    orl $1, %eax
    movl %eax, %cr0
    ljmpl $0x08, $(0xffffff00 + 10f - portolan_qemu_boot)
10:
    .code32
    movw $0x10, %ax
    movw %ax, %ds
    movl {boot}, %eax
    movl %eax, %cr4
    movl {boot} + 8, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx
    xorl %edx, %edx
    movl $0x900, %eax
    wrmsr
    movl $0x80010033, %eax
    movl %eax, %cr0
    ljmpl $0x18, $(0xffffff00 + 20f - portolan_qemu_boot)
20:
    .code64
    movq {boot} + 16, %rax
    jmpq *%rax
.balign 8
25:
    .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00af9b000000ffff
30:
    .word 31
    .long 0xffffff00 + 25b - portolan_qemu_boot
.org portolan_qemu_boot + 0xf0
    .code16
    jmp portolan_qemu_boot
.org portolan_qemu_boot + 0x100
    .code64
.popsection
"#,
    boot = const BOOT,
    options(att_syntax),
);

// `iretq` serializes, so that code which an earlier step wrote is what is fetched. `rax` starts as an address that is not
// canonical, so code that isn't there (zeros are `add [rax], al`) ends at once. Exceptions 8, 10 to 14, 17, 21, 29 and 30
// push an error code; for the others the handler pushes one.
global_asm!(
    r#"
.pushsection .rodata.portolan_qemu_monitor,"a",@progbits
.irp label, start,handlers,load,loaded,store,stored,fetch,end
.globl portolan_qemu_\label
.hidden portolan_qemu_\label
.endr
.balign 16
portolan_qemu_start:
    lea rbx, [rip + portolan_qemu_start]
    lgdt [rbx + {gdtr}]
    lidt [rbx + {idtr}]
    lea rsp, [rbx + {stack_top}]
    lea rax, [rip + 10f]
    push {code}
    push rax
    retfq
10:
    mov eax, {data}
    mov ds, eax
    mov es, eax
    mov ss, eax
    mov eax, {tss}
    ltr ax
20:
    pause
    mov rax, [rbx + {doorbell}]
    cmp rax, [rbx + {answered}]
    je 20b
    lea r8, [rbx + {steps}]
    jmp 22f
21:
    lea rbx, [rip + portolan_qemu_start]
    mov r8, [rbx + {current}]
    add r8, {step}
22:
    mov [rbx + {current}], r8
    cmp r8, [rbx + {end}]
    jae 29f
    mov rdi, [r8 + 8]
    mov rsi, [r8 + 16]
    mov rax, [r8]
    cmp rax, {access}
    je 30f
    cmp rax, {invalidate_page}
    je 31f
    cmp rax, {invalidate_all}
    je 32f
    cmp rax, {root}
    je 33f
    movabs rax, {direct}
    add rax, rbx
    or qword ptr [rax + rdi], 0
    jmp 21b
29:
    mov rax, [rbx + {doorbell}]
    mov [rbx + {answered}], rax
    jmp 20b

30:
    lea rsp, [rbx + {stack_top}]
    lea r10, [rsp - 1024]
    movzx eax, word ptr [r8 + 34]
    push rax
    push r10
    push 2
    movzx eax, word ptr [r8 + 32]
    push rax
    push qword ptr [r8 + 24]
    mov rax, 0x5a5a5a5a5a5a5a5a
    iretq
31:
    invlpg [rdi]
    jmp 21b
32:
    mov rax, cr4
    mov rcx, rax
    btr rcx, 7
    mov cr4, rcx
    mov cr4, rax
    jmp 21b
33:
    mov cr3, rdi
    jmp 21b

.balign 16
portolan_qemu_handlers:
    .set portolan_qemu_vector, 0
    .rept 32
    .balign 16
    .if ((1 << portolan_qemu_vector) & 0x60227d00) == 0
    push 0
    .endif
    push portolan_qemu_vector
    jmp 40f
    .set portolan_qemu_vector, portolan_qemu_vector + 1
    .endr
40:
    lea rbx, [rip + portolan_qemu_start]
    mov r8, [rbx + {current}]
    mov [r8 + {report} + 32], rax
    pop qword ptr [r8 + {report}]
    pop qword ptr [r8 + {report} + 8]
    mov rax, cr2
    mov [r8 + {report} + 16], rax
    pop qword ptr [r8 + {report} + 24]
    jmp 21b

.balign 16
portolan_qemu_load:
    mov rax, [rdi]
portolan_qemu_loaded:
    ud2
portolan_qemu_store:
    mov [rdi], rsi
portolan_qemu_stored:
    ud2
portolan_qemu_fetch:
    jmp rdi
portolan_qemu_end:
.popsection
"#,
    gdtr = const GDTR,
    idtr = const IDTR,
    stack_top = const STACK_TOP,
    code = const SELECT_CODE,
    data = const SELECT_DATA,
    tss = const SELECT_TSS,
    doorbell = const mailbox::HEADER + mailbox::DOORBELL as u64,
    answered = const mailbox::HEADER + mailbox::ANSWERED as u64,
    current = const mailbox::HEADER + mailbox::CURRENT as u64,
    end = const mailbox::HEADER + mailbox::END as u64,
    steps = const mailbox::STEPS,
    step = const mailbox::STEP,
    report = const mailbox::REPORT,
    direct = const DIRECT,
    access = const mailbox::ACCESS,
    invalidate_page = const mailbox::INVALIDATE_PAGE,
    invalidate_all = const mailbox::INVALIDATE_ALL,
    root = const mailbox::ROOT,
);

/// Bytes of the start in real mode.
const BOOT_BYTES: usize = 256;

unsafe extern "C" {
    static portolan_qemu_boot: [u8; BOOT_BYTES];
    static portolan_qemu_start: u8;
    static portolan_qemu_handlers: u8;
    static portolan_qemu_load: u8;
    static portolan_qemu_loaded: u8;
    static portolan_qemu_store: u8;
    static portolan_qemu_stored: u8;
    static portolan_qemu_fetch: u8;
    static portolan_qemu_end: u8;
}

/// A board's firmware: 64 KiB, the last of which are the start in real mode.
pub(super) fn firmware() -> Vec<u8> {
    let mut image = vec![0; 0x1_0000 - BOOT_BYTES];
    // SAFETY: the label stands before so many bytes in a read-only section of this program
    image.extend_from_slice(unsafe { &portolan_qemu_boot });
    image
}

fn offset(label: *const u8) -> u64 {
    label as u64 - &raw const portolan_qemu_start as u64
}

/// The program's bytes. It begins at its first instruction and may lie at any address.
pub(super) fn image() -> &'static [u8] {
    let length = offset(&raw const portolan_qemu_end) as usize;
    // SAFETY: the two labels stand around one run of bytes in a read-only section of this program
    unsafe { std::slice::from_raw_parts(&raw const portolan_qemu_start, length) }
}

/// Offset of the handler of an exception.
pub(super) fn handler(vector: u64) -> u64 {
    offset(&raw const portolan_qemu_handlers) + 16 * vector
}

/// Offset of the load, and of what follows it.
pub(super) fn load() -> [u64; 2] {
    [
        &raw const portolan_qemu_load,
        &raw const portolan_qemu_loaded,
    ]
    .map(offset)
}

/// Offset of the store, and of what follows it.
pub(super) fn store() -> [u64; 2] {
    [
        &raw const portolan_qemu_store,
        &raw const portolan_qemu_stored,
    ]
    .map(offset)
}

/// Offset of the jump.
pub(super) fn fetch() -> u64 {
    offset(&raw const portolan_qemu_fetch)
}
