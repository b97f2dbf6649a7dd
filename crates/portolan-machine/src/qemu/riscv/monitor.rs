//! The program in a RISC-V guest.
//!
//! It runs in machine mode, which has no translation. Loads and stores are made there too, as `mstatus.MPRV` has them
//! translated and checked as in the mode under test; a fetch enters that mode. An access ends in an exception: its own
//! fault, or the `ebreak` behind it.

#![expect(clippy::unnecessary_cast, reason = "the assembler's macro makes them")]

use crate::guest::mailbox;
use dynasmrt::{DynasmApi, DynasmLabelApi, VecAssembler, dynasm, riscv::RiscvRelocation};

// Control and status registers (privileged architecture, 2.2)
pub(super) const MSTATUS: u32 = 0x300;
const MTVEC: u32 = 0x305;
pub(super) const MENVCFG: u32 = 0x30a;
const MSCRATCH: u32 = 0x340;
const MEPC: u32 = 0x341;
const MCAUSE: u32 = 0x342;
const MTVAL: u32 = 0x343;
pub(super) const PMPCFG0: u32 = 0x3a0;
pub(super) const PMPADDR0: u32 = 0x3b0;
const SATP: u32 = 0x180;

/// mstatus: MPRV, and the previous mode in MPP.
pub(super) const MPRV: u64 = 1 << 17;
pub(super) const MPP: u64 = 3 << 11;

// Instructions that the assembler doesn't know (privileged architecture, 3.3.2 and 12.2.1)
const MRET: u32 = 0x3020_0073;
const fn sfence_vma(address: u32, space: u32) -> u32 {
    0b000_1001 << 25 | space << 20 | address << 15 | 0b111_0011
}
/// Numbers of registers: `x0`, and `a1`, which holds a step's address.
const X0: u32 = 0;
const A1: u32 = 11;

/// The registers that are loaded when the guest starts, in the order of their values in the boot words.
pub(super) const BOOT_REGISTERS: [u32; 4] = [PMPADDR0, PMPCFG0, MSTATUS, MENVCFG];

/// The registers that describe an exception, in the order of the words of a report; behind them is `a0`.
const REPORTED: [u32; 4] = [MCAUSE, MTVAL, MEPC, MSTATUS];
const REPORTED_A0: i32 = mailbox::REPORT as i32 + 8 * REPORTED.len() as i32;

/// The program's bytes, and offsets in them.
pub(super) struct Program {
    pub(super) bytes: Vec<u8>,
    pub(super) load: u64,
    pub(super) loaded: u64,
    pub(super) store: u64,
    pub(super) stored: u64,
}

type Assembler = VecAssembler<RiscvRelocation>;

/// The program.
pub(super) fn program() -> Program {
    let mut ops = Assembler::new(0);
    start(&mut ops);
    steps(&mut ops);
    invalidation(&mut ops);
    report(&mut ops);
    let load = ops.offset().0 as u64;
    dynasm!(ops
        ; .arch riscv64i
        ; ld a0, [a1, 0]
        ; ebreak
        ; sd a2, [a1, 0]
        ; ebreak
    );
    let bytes = ops.finalize().expect("all labels are defined and near");
    Program {
        bytes,
        load,
        loaded: load + 4,
        store: load + 8,
        stored: load + 12,
    }
}

/// `s0` is the program's start, `s1` the header, `s2` the first step.
fn start(ops: &mut Assembler) {
    dynasm!(ops
        ; .arch riscv64i
        ; .feature zicsr
        ; auipc s0, 0
        ; csrw MSCRATCH, s0
        ; lui t0, mailbox::HEADER as i32
        ; add s1, s0, t0
        ; lui t0, mailbox::STEPS as i32
        ; add s2, s0, t0
        ; auipc t0, ->exception
        ; addi t0, t0, ->exception + 4
        ; csrw MTVEC, t0
    );
    for (index, register) in (0..).zip(BOOT_REGISTERS) {
        dynasm!(ops
            ; .arch riscv64i
            ; .feature zicsr
            ; ld t0, [s1, mailbox::BOOT as i32 + 8 * index]
            ; csrw register, t0
        );
    }
}

/// Waits for the bell and performs the steps; `s3` is the current one.
fn steps(ops: &mut Assembler) {
    dynasm!(ops
        ; .arch riscv64i
        ; .feature zicsr, zihintpause
        ; ->idle:
        ; pause
        ; ld t0, [s1, mailbox::DOORBELL as i32]
        ; ld t1, [s1, mailbox::ANSWERED as i32]
        ; beq t0, t1, ->idle
        ; fence
        ; mv s3, s2
        ; ->next:
        ; sd s3, [s1, mailbox::CURRENT as i32]
        ; ld t0, [s1, mailbox::END as i32]
        ; bgeu s3, t0, ->done
        ; ld t0, [s3, 0]
        ; ld a1, [s3, 8]
        ; ld a2, [s3, 16]
        ; li t1, mailbox::ACCESS.into()
        ; beq t0, t1, ->access
        ; li t1, mailbox::INVALIDATE_PAGE.into()
        ; beq t0, t1, ->invalidate_page
        ; li t1, mailbox::INVALIDATE_ALL.into()
        ; beq t0, t1, ->invalidate_all
        ; li t1, mailbox::ROOT.into()
        ; beq t0, t1, ->root
        ; ld t0, [a1, 0]
        ; sd t0, [a1, 0]
        ; ->advance:
        ; addi s3, s3, mailbox::STEP as i32
        ; j ->next
        ; ->done:
        ; fence
        ; ld t0, [s1, mailbox::DOORBELL as i32]
        ; sd t0, [s1, mailbox::ANSWERED as i32]
        ; j ->idle
        ; ->access:
        ; ld t0, [s3, 24]
        ; ld t1, [s3, 32]
        ; li.32 t2, (MPRV | MPP) as i32
        ; csrc MSTATUS, t2
        ; li.32 t2, MPRV as i32
        ; and t2, t1, t2
        ; li a0, 0x5a
        ; fence
        ; csrs MSTATUS, t1
        ; bnez t2, ->here
        ; csrw MEPC, t0
        ; .u32 MRET
        ; ->here:
        ; jr t0
    );
}

/// Steps that change what the processor may know of tables.
fn invalidation(ops: &mut Assembler) {
    dynasm!(ops
        ; .arch riscv64i
        ; .feature zicsr
        ; ->invalidate_page:
        ; .u32 sfence_vma(A1, X0)
        ; j ->advance
        ; ->invalidate_all:
        ; .u32 sfence_vma(X0, X0)
        ; j ->advance
        ; ->root:
        ; csrw SATP, a1
        // Not the translations of global pages: an address space is named, 0, by a register other than x0
        ; li a1, 0
        ; .u32 sfence_vma(X0, A1)
        ; j ->advance
    );
}

/// Notes an exception next to the current step. The registers are computed anew, as what ran may have changed them.
fn report(ops: &mut Assembler) {
    dynasm!(ops
        ; .arch riscv64i
        ; .feature zicsr
        ; .align 4
        ; ->exception:
        ; li.32 s0, MPRV as i32
        ; csrc MSTATUS, s0
        ; csrr s0, MSCRATCH
        ; lui t0, mailbox::HEADER as i32
        ; add s1, s0, t0
        ; lui t0, mailbox::STEPS as i32
        ; add s2, s0, t0
        ; ld s3, [s1, mailbox::CURRENT as i32]
        ; sd a0, [s3, REPORTED_A0]
    );
    for (index, register) in (0..).zip(REPORTED) {
        dynasm!(ops
            ; .arch riscv64i
            ; .feature zicsr
            ; csrr t0, register
            ; sd t0, [s3, mailbox::REPORT as i32 + 8 * index]
        );
    }
    dynasm!(ops; .arch riscv64i; j ->advance);
}
