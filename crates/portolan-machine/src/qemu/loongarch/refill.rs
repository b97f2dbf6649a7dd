//! The refill handler, instruction by instruction as the documentation of `portolan::arch::loongarch` lists it.

use super::assembler::{Assembler, T0, T1, T2, ZERO};
use super::csr;

/// V of any entry, and H of a directory's.
const VALID: i32 = 0x1;
const HUGE: i32 = 0x40;

/// The bits of the address that index the tables of a level, the highest first, and what a level that has pages writes to
/// PS: half of a page.
pub(super) struct Directory {
    pub(super) index: (u32, u32),
    pub(super) half: Option<i32>,
}

/// Assembles the handler, for an access to what is not there with the way on to `missing`. `smallest` is for level 1.
pub(super) fn handler(ops: &mut Assembler, above: &[Directory], smallest: Directory, missing: u64) {
    ops.csrwr(T0, csr::TLBRSAVE);
    ops.csrwr(T1, csr::SAVE0);
    ops.csrwr(T2, csr::SAVE1);
    ops.csrrd(T0, csr::PGD);
    for level in above {
        directory(ops, level);
    }
    pair(ops, &smallest);
    fill(ops);
    page(ops);
    absent(ops, missing);
}

/// Goes on to the next table, or to what ends the walk.
fn directory(ops: &mut Assembler, level: &Directory) {
    let (high, low) = level.index;
    ops.csrrd(T1, csr::TLBRBADV);
    ops.bstrpick_d(T1, T1, high, low);
    ops.alsl_d_3(T0, T1, T0);
    ops.ld_d(T0, T0, 0);
    ops.andi(T1, T0, VALID);
    ops.beqz(T1, "absent");
    if let Some(half) = level.half {
        ops.ori(T2, ZERO, half);
        ops.andi(T1, T0, HUGE);
        ops.bnez(T1, "page");
    }
    ops.bstrpick_d(T0, T0, 47, 12);
    ops.slli_d(T0, T0, 12);
}

/// Both pages of a pair, if the one that is wanted is there.
fn pair(ops: &mut Assembler, level: &Directory) {
    let (high, low) = level.index;
    ops.csrrd(T1, csr::TLBRBADV);
    ops.bstrpick_d(T1, T1, high, low);
    ops.alsl_d_3(T0, T1, T0);
    ops.ld_d(T1, T0, 0);
    ops.andi(T1, T1, VALID);
    ops.beqz(T1, "absent");
    ops.ori(T2, ZERO, level.half.unwrap_or(low as i32));
    ops.bstrins_d(T0, ZERO, 3, 3);
    ops.ld_d(T1, T0, 8);
    ops.ld_d(T0, T0, 0);
}

/// Fills what is in `t0` and `t1`, of the size in `t2`, and goes back.
fn fill(ops: &mut Assembler) {
    ops.label("fill");
    ops.csrwr(T0, csr::TLBRELO0);
    ops.csrwr(T1, csr::TLBRELO1);
    ops.csrrd(T0, csr::TLBREHI);
    ops.bstrins_d(T0, T2, 5, 0);
    ops.csrwr(T0, csr::TLBREHI);
    ops.tlbfill();
    ops.label("leave");
    ops.csrrd(T2, csr::SAVE1);
    ops.csrrd(T1, csr::SAVE0);
    ops.csrrd(T0, csr::TLBRSAVE);
    ops.ertn();
}

/// The halves of a page, with G where the TLB has it.
fn page(ops: &mut Assembler) {
    ops.label("page");
    ops.bstrpick_d(T1, T0, 12, 12);
    ops.bstrins_d(T0, T1, 6, 6);
    ops.ori(T1, ZERO, 2);
    ops.sll_d(T1, T1, T2);
    ops.addi_d(T1, T1, -1);
    ops.bstrins_d(T1, ZERO, 11, 0);
    ops.andn(T0, T0, T1);
    ops.ori(T1, ZERO, 1);
    ops.sll_d(T1, T1, T2);
    ops.or(T1, T1, T0);
    ops.b("fill");
}

/// Goes on at `missing`, as an exception would.
fn absent(ops: &mut Assembler, missing: u64) {
    ops.label("absent");
    ops.csrrd(T0, csr::TLBRBADV);
    ops.csrwr(T0, csr::BADV);
    ops.csrrd(T0, csr::TLBRPRMD);
    ops.csrwr(T0, csr::PRMD);
    ops.csrrd(T0, csr::TLBRERA);
    ops.bstrins_d(T0, ZERO, 1, 0);
    ops.csrwr(T0, csr::ERA);
    ops.csrwr(ZERO, csr::TLBRPRMD);
    ops.li_d(T0, missing + 1);
    ops.csrwr(T0, csr::TLBRERA);
    ops.b("leave");
}
