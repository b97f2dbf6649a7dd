//! Where the walk and an emulator are known to differ, and who is right.

use portolan_machine::walk::{Regime, Walk};
use portolan_machine::{Access, Kind, Privilege};

/// Whether the manuals leave open what hardware does with the word that the walk says is reserved. `words` are those on
/// the way, from the root.
///
/// On AArch64, bits that are RES0 and reserved encodings of shareability and memory type need not lead to a fault. Bits of
/// an address that the processor does not have must. On LoongArch64, what comes of a memory access type that is reserved is
/// not said.
pub fn is_open(regime: Regime, phys_bits: u8, expected: &Walk, words: &[u64]) -> bool {
    if matches!(
        (regime, expected),
        (Regime::LoongArch { .. }, Walk::Reserved { .. })
    ) {
        return true;
    }
    let too_wide = (1u64 << 48).saturating_sub(1 << phys_bits);
    let Walk::Reserved { level, bits } = *expected else {
        return false;
    };
    let word = words[usize::from(regime.levels() - level)];
    let is_page = word & 3 == if level == 1 { 3 } else { 1 };
    let arm = matches!(regime, Regime::Arm1 { .. } | Regime::Arm2 { .. });
    arm && bits & too_wide == 0 && (bits != 0 || is_page && regime.page_levels().contains(&level))
}

/// Whether QEMU 7.2 or Bochs 2.7 decides otherwise than the walk.
///
/// - AArch64: QEMU takes a block where the granule has none for one (Arm ARM D8.3.1: the encoding is reserved).
/// - AArch64 stage 1: EL1 must not execute what EL0 may write to, and with `DBM` set EL0 may write to what `AP[2]` says is
///   read-only (Arm ARM J1.1, `AArch64.S1DirectBasePermissions`). QEMU lets EL1 execute it until the first store.
/// - AArch64 stage 2: `XN[0]` has a meaning with `FEAT_XNX` (Arm ARM D8.4), which QEMU's processor has, and the walk's has
///   not. Both are right.
/// - RISC-V: with Svpbmt, QEMU ignores the reserved bits 60 to 54, `N` of a page and the memory type 3 (privileged
///   architecture 10.4.1 and Svpbmt: each is a page fault).
/// - LoongArch64: QEMU translates in units of 16 KiB (`TARGET_PAGE_BITS`), so a page of 4 KiB is right only where the two
///   bits below are the same in both addresses. Of a page of 16 KiB, it has these bits of the entry added to those of the
///   address (Volume 1, 5.4.2: they may be anything).
/// - Extended page tables: Bochs ignores bit 12 of a page of 2 MiB or 1 GiB, which is reserved (Intel SDM vol. 3, 30.3.2;
///   in an ordinary large page it is `PAT`).
pub fn is_otherwise(
    regime: Regime,
    memory_types: bool,
    access: &Access,
    expected: &Walk,
    words: &[u64],
) -> bool {
    let last = words.last().copied().unwrap_or(0);
    match (regime, expected) {
        (Regime::Arm1 { .. } | Regime::Arm2 { .. }, Walk::Reserved { level, bits: 0 }) => {
            *level > 1
        }
        (Regime::Arm1 { .. }, Walk::Page { rights, .. }) => {
            const CLEAN: u64 = 1 << 51 | 1 << 7;
            (access.kind, access.privilege) == (Kind::Fetch, Privilege::Supervisor)
                && rights.user.write
                && last & CLEAN == CLEAN
        }
        (Regime::Arm2 { .. }, Walk::Page { .. }) => last & 1 << 53 != 0,
        (Regime::Riscv { .. }, Walk::Reserved { bits, .. }) if memory_types => {
            const IGNORED: u64 = 0x7f << 54 | 1 << 63;
            const MEMORY_TYPE: u64 = 3 << 61;
            *bits != 0 && bits & !IGNORED == 0 || *bits == 0 && last & MEMORY_TYPE == MEMORY_TYPE
        }
        (Regime::LoongArch { .. }, Walk::Page { level: 1, phys, .. }) => {
            const UNIT: u64 = 0x3000;
            let page = regime.span(1);
            (phys ^ access.va) & UNIT & !(page - 1) != 0 || last & UNIT & (page - 1) != 0
        }
        (Regime::Ept, Walk::Reserved { bits, .. }) => *bits == 1 << 12,
        _ => false,
    }
}
