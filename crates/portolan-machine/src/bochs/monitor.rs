//! The programs in a Bochs guest: the hypervisor, and what its own guest executes.
//!
//! The hypervisor runs in 64-bit mode at privilege level 0, at its physical address. For each access it enters its guest,
//! which comes back with the next exception, violation or misconfiguration: its own, or that of the `ud2` behind it.

use super::vmcs;
use crate::guest::mailbox;
use core::arch::global_asm;

// Offsets in the guest's area
/// What the guest executes.
pub(super) const GUEST: u64 = 0x1000;
/// What the fields of the VMCS are set to: the encoding, the value, and the MSR that says what is allowed, or 0.
pub(super) const FIELDS: u64 = 0x2000;
/// Ends the fields.
pub(super) const NO_FIELD: u64 = u64::MAX;
pub(super) const STACK_TOP: u64 = 0x8000;
pub(super) const VMXON: u64 = 0x1_4000;
pub(super) const VMCS: u64 = 0x1_5000;

/// Words of the header that the program reads when it starts: CR3, the program's address, whether all is there, and the
/// addresses of the two regions.
pub(super) const CR3: u64 = mailbox::HEADER + mailbox::BOOT as u64;
pub(super) const ENTRY: u64 = CR3 + 8;
pub(super) const READY: u64 = CR3 + 16;
pub(super) const VMXON_ADDR: u64 = CR3 + 24;
pub(super) const VMCS_ADDR: u64 = CR3 + 32;
/// The operand of INVEPT.
const CONTEXT: u64 = CR3 + 64;

/// CR4: PAE, and VMXE.
pub(super) const CR4: u32 = 0x2020;
/// CR0: PG, WP, NE, ET, MP, PE.
pub(super) const CR0: u32 = 0x8001_0033;
/// The selectors of the start's own descriptors.
pub(super) const SELECT_DATA: u16 = 0x10;
pub(super) const SELECT_CODE: u16 = 0x18;

// Words of a report
pub(super) const REASON: usize = 0;
pub(super) const QUALIFICATION: usize = 1;
pub(super) const PHYSICAL: usize = 2;
pub(super) const LINEAR: usize = 3;
pub(super) const INTERRUPTION: usize = 4;
pub(super) const RIP: usize = 5;
pub(super) const RAX: usize = 6;

/// Bytes of the start in real mode.
const BOOT_BYTES: usize = 256;

// The last 256 bytes below 4 GiB, where a processor starts in real mode (Intel SDM vol. 3, 10.1.4). It writes to each
// block of memory its own address, from the guest's area on, then waits until the host has filled the area.
global_asm!(
    r#"
.pushsection .rodata.portolan_bochs_boot,"a",@progbits
.globl portolan_bochs_boot
.hidden portolan_bochs_boot
.balign 16
portolan_bochs_boot:
    .code16
    cli
    lgdtl %cs:(0xff00 + 30f - portolan_bochs_boot)
    movl %cr0, %eax
    orl $1, %eax
    movl %eax, %cr0
    ljmpl $0x08, $(0xffffff00 + 10f - portolan_bochs_boot)
10:
    .code32
    movw ${data}, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movl ${area}, %edi
12:
    movl %edi, (%edi)
    addl ${block}, %edi
    cmpl ${end}, %edi
    jb 12b
14:
    pause
    cmpl $0, {area} + {ready}
    je 14b
    movl ${cr4}, %eax
    movl %eax, %cr4
    movl {area} + {cr3}, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx
    xorl %edx, %edx
    movl $0x100, %eax
    wrmsr
    movl ${cr0}, %eax
    movl %eax, %cr0
    ljmpl ${code}, $(0xffffff00 + 20f - portolan_bochs_boot)
20:
    .code64
    movq {area} + {entry}, %rax
    jmpq *%rax
.balign 8
25:
    .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00af9b000000ffff
30:
    .word 31
    .long 0xffffff00 + 25b - portolan_bochs_boot
.org portolan_bochs_boot + 0xf0
    .code16
    jmp portolan_bochs_boot
.org portolan_bochs_boot + 0x100
    .code64
.popsection
"#,
    area = const mailbox::AREA,
    block = const super::BLOCK,
    end = const super::BYTES,
    ready = const READY,
    cr3 = const CR3,
    entry = const ENTRY,
    cr4 = const CR4,
    cr0 = const CR0,
    code = const SELECT_CODE,
    data = const SELECT_DATA,
    options(att_syntax),
);

// There is no interrupt descriptor table: what must not happen ends in a triple fault, and with it the process.
global_asm!(
    r#"
.pushsection .rodata.portolan_bochs_monitor,"a",@progbits
.irp label, start,exit,end
.globl portolan_bochs_\label
.hidden portolan_bochs_\label
.endr
.balign 16
portolan_bochs_start:
    lea rbx, [rip + portolan_bochs_start]
    mov ecx, {feature_control}
    xor edx, edx
    mov eax, 5
    wrmsr
    mov ecx, {basic}
    rdmsr
    mov [rbx + {vmxon}], eax
    mov [rbx + {vmcs}], eax
    vmxon [rbx + {vmxon_addr}]
    jbe 90f
    vmclear [rbx + {vmcs_addr}]
    jbe 90f
    vmptrld [rbx + {vmcs_addr}]
    jbe 90f
    lea r8, [rbx + {fields}]
10:
    mov r9, [r8]
    cmp r9, {no_field}
    je 20f
    mov r10, [r8 + 8]
    mov rcx, [r8 + 16]
    test rcx, rcx
    jz 11f
    rdmsr
    or r10d, eax
    and r10d, edx
11:
    vmwrite r9, r10
    jbe 90f
    add r8, 24
    jmp 10b
20:
    pause
    mov rax, [rbx + {doorbell}]
    cmp rax, [rbx + {answered}]
    je 20b
    lea r8, [rbx + {steps}]
    jmp 22f
21:
    lea rbx, [rip + portolan_bochs_start]
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
    mov edx, 1
    cmp rax, {invalidate_page}
    je 31f
    mov edx, 2
    cmp rax, {invalidate_all}
    je 31f
    cmp rax, {root}
    je 33f
    or qword ptr [rdi], 0
    jmp 21b
29:
    mov rax, [rbx + {doorbell}]
    mov [rbx + {answered}], rax
    jmp 20b

31:
    mov ecx, {eptp}
    vmread [rbx + {context}], rcx
    jbe 90f
    invept rdx, [rbx + {context}]
    jbe 90f
    jmp 21b
33:
    mov ecx, {eptp}
    vmwrite rcx, rdi
    jbe 90f
    jmp 21b

.macro portolan_bochs_set field, value
    mov ecx, \field
    vmwrite rcx, \value
    jbe 90f
.endm
30:
    mov rax, [r8 + 24]
    portolan_bochs_set {guest_rip}, rax
    movzx eax, word ptr [r8 + 32]
    portolan_bochs_set {guest_cs}, rax
    movzx eax, word ptr [r8 + 34]
    portolan_bochs_set {guest_ss}, rax
    movzx eax, word ptr [r8 + 36]
    portolan_bochs_set {guest_cs_rights}, rax
    movzx eax, word ptr [r8 + 38]
    portolan_bochs_set {guest_ss_rights}, rax
    mov eax, 2
    portolan_bochs_set {guest_rflags}, rax
    mov rax, 0x5a5a5a5a5a5a5a5a
    vmresume
    vmlaunch
90:
    ud2

.macro portolan_bochs_report word, field
    mov ecx, \field
    vmread [r8 + {report} + 8 * \word], rcx
    jbe 90b
.endm
.balign 16
portolan_bochs_exit:
    lea rbx, [rip + portolan_bochs_start]
    mov r8, [rbx + {current}]
    mov [r8 + {report} + 8 * {rax}], rax
    portolan_bochs_report {qualification}, {field_qualification}
    portolan_bochs_report {physical}, {field_physical}
    portolan_bochs_report {linear}, {field_linear}
    portolan_bochs_report {interruption}, {field_interruption}
    portolan_bochs_report {rip}, {guest_rip}
    portolan_bochs_report {reason}, {field_reason}
    jmp 21b
portolan_bochs_end:
.popsection
"#,
    feature_control = const vmcs::IA32_FEATURE_CONTROL,
    basic = const vmcs::IA32_VMX_BASIC,
    vmxon = const VMXON,
    vmcs = const VMCS,
    vmxon_addr = const VMXON_ADDR,
    vmcs_addr = const VMCS_ADDR,
    fields = const FIELDS,
    no_field = const NO_FIELD as i64,
    context = const CONTEXT,
    eptp = const vmcs::EPTP,
    guest_rip = const vmcs::GUEST_RIP,
    guest_rflags = const vmcs::GUEST_RFLAGS,
    guest_cs = const vmcs::GUEST_CS,
    guest_ss = const vmcs::GUEST_SS,
    guest_cs_rights = const vmcs::GUEST_CS_RIGHTS,
    guest_ss_rights = const vmcs::GUEST_SS_RIGHTS,
    field_reason = const vmcs::EXIT_REASON,
    field_qualification = const vmcs::EXIT_QUALIFICATION,
    field_physical = const vmcs::GUEST_PHYSICAL_ADDRESS,
    field_linear = const vmcs::GUEST_LINEAR_ADDRESS,
    field_interruption = const vmcs::EXIT_INTERRUPTION,
    reason = const REASON,
    qualification = const QUALIFICATION,
    physical = const PHYSICAL,
    linear = const LINEAR,
    interruption = const INTERRUPTION,
    rip = const RIP,
    rax = const RAX,
    doorbell = const mailbox::HEADER + mailbox::DOORBELL as u64,
    answered = const mailbox::HEADER + mailbox::ANSWERED as u64,
    current = const mailbox::HEADER + mailbox::CURRENT as u64,
    end = const mailbox::HEADER + mailbox::END as u64,
    steps = const mailbox::STEPS,
    step = const mailbox::STEP,
    report = const mailbox::REPORT,
    access = const mailbox::ACCESS,
    invalidate_page = const mailbox::INVALIDATE_PAGE,
    invalidate_all = const mailbox::INVALIDATE_ALL,
    root = const mailbox::ROOT,
);

// `rax` starts as an address that is not canonical, so code that isn't there (zeros are `add [rax], al`) ends at once.
global_asm!(
    r#"
.pushsection .rodata.portolan_bochs_guest,"a",@progbits
.irp label, load,loaded,store,stored,fetch,guest_end
.globl portolan_bochs_\label
.hidden portolan_bochs_\label
.endr
.balign 16
portolan_bochs_load:
    mov rax, [rdi]
portolan_bochs_loaded:
    ud2
portolan_bochs_store:
    mov [rdi], rsi
portolan_bochs_stored:
    ud2
portolan_bochs_fetch:
    jmp rdi
portolan_bochs_guest_end:
.popsection
"#
);

unsafe extern "C" {
    static portolan_bochs_boot: [u8; BOOT_BYTES];
    static portolan_bochs_start: u8;
    static portolan_bochs_exit: u8;
    static portolan_bochs_end: u8;
    static portolan_bochs_load: u8;
    static portolan_bochs_loaded: u8;
    static portolan_bochs_store: u8;
    static portolan_bochs_stored: u8;
    static portolan_bochs_fetch: u8;
    static portolan_bochs_guest_end: u8;
}

/// A board's firmware: 64 KiB, the last of which are the start in real mode.
pub(super) fn firmware() -> Vec<u8> {
    let mut image = vec![0; 0x1_0000 - BOOT_BYTES];
    // SAFETY: the label stands before so many bytes in a read-only section of this program
    image.extend_from_slice(unsafe { &portolan_bochs_boot });
    image
}

/// The hypervisor's bytes. It begins at its first instruction and may lie at any address.
pub(super) fn image() -> &'static [u8] {
    let length = exit_offset(&raw const portolan_bochs_end) as usize;
    // SAFETY: the two labels stand around one run of bytes in a read-only section of this program
    unsafe { std::slice::from_raw_parts(&raw const portolan_bochs_start, length) }
}

/// The bytes of what the guest executes.
pub(super) fn guest_image() -> &'static [u8] {
    let length = offset(&raw const portolan_bochs_guest_end) as usize;
    // SAFETY: as above
    unsafe { std::slice::from_raw_parts(&raw const portolan_bochs_load, length) }
}

fn exit_offset(label: *const u8) -> u64 {
    label as u64 - &raw const portolan_bochs_start as u64
}

fn offset(label: *const u8) -> u64 {
    label as u64 - &raw const portolan_bochs_load as u64
}

/// Offset in the hypervisor of where its guest comes back.
pub(super) fn exit() -> u64 {
    exit_offset(&raw const portolan_bochs_exit)
}

/// Offset in the guest's program of the load, and of what follows it.
pub(super) fn load() -> [u64; 2] {
    [
        &raw const portolan_bochs_load,
        &raw const portolan_bochs_loaded,
    ]
    .map(offset)
}

/// Offset of the store, and of what follows it.
pub(super) fn store() -> [u64; 2] {
    [
        &raw const portolan_bochs_store,
        &raw const portolan_bochs_stored,
    ]
    .map(offset)
}

/// Offset of the jump.
pub(super) fn fetch() -> u64 {
    offset(&raw const portolan_bochs_fetch)
}
