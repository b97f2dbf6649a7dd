//! The program in an AArch64 guest.
//!
//! It runs at EL2 without translation and enters EL1 or EL0 for each access. An access ends in an exception: its own
//! abort, or the `brk` behind it, which `MDCR_EL2.TDE` brings to EL2. Exceptions to EL1 are passed on by `hvc`.

use crate::guest::mailbox;
use dynasmrt::{DynasmApi, DynasmLabelApi, VecAssembler, aarch64::Aarch64Relocation, dynasm};

/// A system register, as `mrs` and `msr` name it (Arm ARM C5.2.11).
pub(super) const fn register(op0: u32, op1: u32, crn: u32, crm: u32, op2: u32) -> u32 {
    (op0 & 1) << 14 | op1 << 11 | crn << 7 | crm << 3 | op2
}

// Arm ARM D24.2
pub(super) const SCTLR_EL1: u32 = register(3, 0, 1, 0, 0);
pub(super) const TTBR0_EL1: u32 = register(3, 0, 2, 0, 0);
pub(super) const TTBR1_EL1: u32 = register(3, 0, 2, 0, 1);
pub(super) const TCR_EL1: u32 = register(3, 0, 2, 0, 2);
pub(super) const MAIR_EL1: u32 = register(3, 0, 10, 2, 0);
pub(super) const VBAR_EL1: u32 = register(3, 0, 12, 0, 0);
pub(super) const HCR_EL2: u32 = register(3, 4, 1, 1, 0);
pub(super) const MDCR_EL2: u32 = register(3, 4, 1, 1, 1);
pub(super) const VTTBR_EL2: u32 = register(3, 4, 2, 1, 0);
pub(super) const VTCR_EL2: u32 = register(3, 4, 2, 1, 2);
const ESR_EL1: u32 = register(3, 0, 5, 2, 0);
const FAR_EL1: u32 = register(3, 0, 6, 0, 0);
const ELR_EL1: u32 = register(3, 0, 4, 0, 1);
const SPSR_EL2: u32 = register(3, 4, 4, 0, 0);
const ELR_EL2: u32 = register(3, 4, 4, 0, 1);
const ESR_EL2: u32 = register(3, 4, 5, 2, 0);
const FAR_EL2: u32 = register(3, 4, 6, 0, 0);
const VBAR_EL2: u32 = register(3, 4, 12, 0, 0);

/// The registers that are loaded when the guest starts, in the order of their values in the boot words.
pub(super) const BOOT_REGISTERS: [u32; 10] = [
    HCR_EL2, MDCR_EL2, VTCR_EL2, VTTBR_EL2, MAIR_EL1, TCR_EL1, TTBR0_EL1, TTBR1_EL1, VBAR_EL1,
    SCTLR_EL1,
];

/// The registers that describe an exception, in the order of the words of a report from 2 on; before them are the vector
/// and `x0`.
const REPORTED: [u32; 6] = [ESR_EL2, FAR_EL2, ELR_EL2, ESR_EL1, FAR_EL1, ELR_EL1];

/// The program's bytes, for any address that is a multiple of 2 KiB, and offsets in them.
pub(super) struct Program {
    pub(super) bytes: Vec<u8>,
    pub(super) load: u64,
    pub(super) loaded: u64,
    pub(super) store: u64,
    pub(super) stored: u64,
    /// The vectors of EL1.
    pub(super) vectors: u64,
}

/// The program. `root` is the register that holds the root under test: `VTTBR_EL2` for stage 2.
pub(super) fn program(root: u32) -> Program {
    let mut ops = VecAssembler::<Aarch64Relocation>::new(0);
    start(&mut ops);
    steps(&mut ops, root);
    report(&mut ops);
    let [load, loaded, store, stored] = probes(&mut ops);
    let vectors = vectors(&mut ops);
    let bytes = ops.finalize().expect("all labels are defined and near");
    Program {
        bytes,
        load,
        loaded,
        store,
        stored,
        vectors,
    }
}

type Assembler = VecAssembler<Aarch64Relocation>;

/// `x19` is the program's start, `x20` the header, `x21` the first step.
fn start(ops: &mut Assembler) {
    dynasm!(ops
        ; .arch aarch64
        ; ->start:
        ; adr x19, ->start
        ; movz x9, mailbox::HEADER as u32
        ; add x20, x19, x9
        ; movz x9, (mailbox::STEPS >> 16) as u32, lsl #16
        ; add x21, x19, x9
        ; adr x9, ->vectors
        ; msr #VBAR_EL2, x9
    );
    for (index, register) in (0..).zip(BOOT_REGISTERS) {
        dynasm!(ops
            ; .arch aarch64
            ; ldr x9, [x20, mailbox::BOOT + 8 * index]
            ; msr #register, x9
        );
    }
    dynasm!(ops
        ; .arch aarch64
        ; isb
        ; tlbi alle1
        ; dsb sy
        ; isb
    );
}

/// Waits for the bell and performs the steps; `x22` is the current one.
fn steps(ops: &mut Assembler, root: u32) {
    dynasm!(ops
        ; .arch aarch64
        ; ->idle:
        ; yield
        ; ldr x9, [x20, mailbox::DOORBELL]
        ; ldr x10, [x20, mailbox::ANSWERED]
        ; cmp x9, x10
        ; b.eq ->idle
        ; dmb sy
        ; mov x22, x21
        ; ->next:
        ; str x22, [x20, mailbox::CURRENT]
        ; ldr x9, [x20, mailbox::END]
        ; cmp x22, x9
        ; b.hs ->done
        ; ldr x9, [x22]
        ; ldr x1, [x22, #8]
        ; ldr x2, [x22, #16]
        ; cmp x9, mailbox::ACCESS
        ; b.eq ->access
        ; cmp x9, mailbox::INVALIDATE_PAGE
        ; b.eq ->invalidate_page
        ; cmp x9, mailbox::INVALIDATE_ALL
        ; b.eq ->invalidate_all
        ; cmp x9, mailbox::ROOT
        ; b.eq ->root
        ; ldr x9, [x1]
        ; str x9, [x1]
        ; ->advance:
        ; add x22, x22, mailbox::STEP
        ; b ->next
        ; ->done:
        ; dmb sy
        ; ldr x9, [x20, mailbox::DOORBELL]
        ; str x9, [x20, mailbox::ANSWERED]
        ; b ->idle
        ; ->access:
        ; ldr x9, [x22, #24]
        ; msr #ELR_EL2, x9
        ; ldr x9, [x22, #32]
        ; msr #SPSR_EL2, x9
        ; movz x0, 0x5a5a
        ; dsb sy
        ; eret
    );
    invalidation(ops, root);
}

/// Steps that change what the processor may know of tables.
fn invalidation(ops: &mut Assembler, root: u32) {
    let stage2 = root == VTTBR_EL2;
    // The operand has the address without its lowest 12 bits (Arm ARM C5.5)
    dynasm!(ops; .arch aarch64; ->invalidate_page:; dsb sy; ubfx x1, x1, #12, #44);
    if stage2 {
        // What is known of both stages together goes with what is known of stage 1
        dynasm!(ops; .arch aarch64; tlbi ipas2e1is, x1; dsb sy; tlbi vmalle1is);
    } else {
        dynasm!(ops; .arch aarch64; tlbi vaae1is, x1);
    }
    dynasm!(ops
        ; .arch aarch64
        ; b ->invalidated
        ; ->invalidate_all:
        ; dsb sy
        ; tlbi alle1is
        ; b ->invalidated
        ; ->root:
        ; dsb sy
        ; msr #root, x1
        ; isb
    );
    if stage2 {
        dynasm!(ops; .arch aarch64; tlbi vmalls12e1is);
    } else {
        // Not the translations of global pages; the only address space identifier is 0
        dynasm!(ops; .arch aarch64; tlbi aside1is, xzr);
    }
    dynasm!(ops; .arch aarch64; ->invalidated:; dsb sy; isb; b ->advance);
}

/// Notes an exception next to the current step. The registers are computed anew, as what ran may have changed them.
fn report(ops: &mut Assembler) {
    dynasm!(ops
        ; .arch aarch64
        ; ->exception:
        ; adr x19, ->start
        ; movz x10, mailbox::HEADER as u32
        ; add x20, x19, x10
        ; movz x10, (mailbox::STEPS >> 16) as u32, lsl #16
        ; add x21, x19, x10
        ; ldr x22, [x20, mailbox::CURRENT]
        ; str x9, [x22, mailbox::REPORT]
        ; str x0, [x22, mailbox::REPORT + 8]
    );
    for (index, register) in (2..).zip(REPORTED) {
        dynasm!(ops
            ; .arch aarch64
            ; mrs x9, #register
            ; str x9, [x22, mailbox::REPORT + 8 * index]
        );
    }
    dynasm!(ops; .arch aarch64; b ->advance);
}

/// The instructions that make an access: their offsets, and those of what follows them.
fn probes(ops: &mut Assembler) -> [u64; 4] {
    let load = ops.offset().0 as u64;
    dynasm!(ops
        ; .arch aarch64
        ; ldr x0, [x1]
        ; brk #0
        ; str x2, [x1]
        ; brk #0
    );
    [load, load + 4, load + 8, load + 12]
}

/// The vectors of EL2 and of EL1: 16 each, of 128 bytes (Arm ARM D1.3.1). Gives the offset of the second.
fn vectors(ops: &mut Assembler) -> u64 {
    dynasm!(ops; .arch aarch64; .align 2048; ->vectors:);
    for index in 0..16 {
        dynasm!(ops; .arch aarch64; movz x9, index; b ->exception; .align 128);
    }
    let offset = ops.offset().0 as u64;
    for index in 0..16 {
        dynasm!(ops; .arch aarch64; hvc #index; .align 128);
    }
    offset
}
