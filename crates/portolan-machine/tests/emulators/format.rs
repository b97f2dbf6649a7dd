//! What the bits of words mean, as the manuals name them, for words that are written by hand.

use portolan_machine::walk::Regime;

/// The bits of a regime's entries.
pub struct Format {
    /// An entry that refers to a table and takes nothing away.
    pub table: u64,
    /// An entry of level 1 that maps a page and allows everything that it can to both modes.
    pub page: u64,
    /// The same in the levels above.
    pub large: u64,
    /// The bits that say how a page may be used and was used.
    pub page_bits: &'static [u64],
    /// The bits of an entry for a table that say anything of the pages below.
    pub table_bits: &'static [u64],
    /// Fields of an entry for a page that have encodings: the lowest bit, and how many bits.
    pub fields: &'static [(u32, u32)],
}

/// Arm ARM D8.3.
const STAGE1: Format = Format {
    // Valid, table or page
    table: 0b11,
    // AF, inner shareable, AP[1], AttrIndx 0
    page: 1 << 10 | 3 << 8 | 1 << 6 | 0b11,
    large: 1 << 10 | 3 << 8 | 1 << 6 | 0b01,
    // AP[1], AP[2], AF, DBM, PXN, UXN
    page_bits: &[1 << 6, 1 << 7, 1 << 10, 1 << 51, 1 << 53, 1 << 54],
    // PXNTable, UXNTable, APTable[0], APTable[1]
    table_bits: &[1 << 59, 1 << 60, 1 << 61, 1 << 62],
    // AttrIndx, SH
    fields: &[(2, 3), (8, 2)],
};

/// Arm ARM D8.3.
const STAGE2: Format = Format {
    // Valid, table or page
    table: 0b11,
    // AF, inner shareable, S2AP, MemAttr write-back
    page: 1 << 10 | 3 << 8 | 3 << 6 | 0b1111 << 2 | 0b11,
    large: 1 << 10 | 3 << 8 | 3 << 6 | 0b1111 << 2 | 0b01,
    // S2AP[0], S2AP[1], AF, DBM, XN[1]
    page_bits: &[1 << 6, 1 << 7, 1 << 10, 1 << 51, 1 << 54],
    table_bits: &[],
    // MemAttr, SH, XN
    fields: &[(2, 4), (8, 2), (53, 2)],
};

/// RISC-V privileged architecture, 10.3.1, and Svpbmt.
const RISCV: Format = Format {
    // V
    table: 0b1,
    // D, A, U, X, W, R, V
    page: 0b1101_1111,
    large: 0b1101_1111,
    // R, W, X, U, G, A, D
    page_bits: &[1 << 1, 1 << 2, 1 << 3, 1 << 4, 1 << 5, 1 << 6, 1 << 7],
    // G
    table_bits: &[1 << 5],
    // PBMT
    fields: &[(61, 2)],
};

/// LoongArch Reference Manual, Volume 1, 5.4.5.
const LOONGARCH: Format = Format {
    // V
    table: 0b1,
    // W, P, MAT coherent cached, PLV 3, D, V; and H
    page: 0b1_1001_1111,
    large: 0b1_1101_1111,
    // D, PLV, NR, NX, RPLV; G of a directory's is elsewhere
    page_bits: &[1 << 1, 1 << 2, 1 << 3, 1 << 12, 1 << 61, 1 << 62, 1 << 63],
    table_bits: &[],
    // MAT, P and W
    fields: &[(4, 2), (7, 2)],
};

/// Intel SDM vol. 3, 5.5.4.
const X86_64: Format = Format {
    // A, U/S, R/W, P
    table: 0b0010_0111,
    // D, A, U/S, R/W, P; and PS
    page: 0b0110_0111,
    large: 0b1110_0111,
    // R/W, U/S, A, D, G, XD
    page_bits: &[1 << 1, 1 << 2, 1 << 5, 1 << 6, 1 << 8, 1 << 63],
    // R/W, U/S, A, XD
    table_bits: &[1 << 1, 1 << 2, 1 << 5, 1 << 63],
    // PCD and PWT, what is ignored, the protection key, which is ignored too
    fields: &[(3, 2), (9, 3), (59, 4)],
};

/// Intel SDM vol. 3, 30.3.2.
const EPT: Format = Format {
    // A, X, W, R
    table: 0b1_0000_0111,
    // D, A, write-back, X, W, R; and the bit of a large page
    page: 0b11_0011_0111,
    large: 0b11_1011_0111,
    // R, W, X, A, D
    page_bits: &[1 << 0, 1 << 1, 1 << 2, 1 << 8, 1 << 9],
    // R, W, X, A
    table_bits: &[1 << 0, 1 << 1, 1 << 2, 1 << 8],
    // The memory type and whether the guest's is ignored; what is ignored where features are off
    fields: &[(3, 4), (10, 2), (57, 2), (60, 2)],
};

/// The bits of `regime`'s entries.
pub fn format(regime: Regime) -> &'static Format {
    match regime {
        Regime::X86_64 { .. } => &X86_64,
        Regime::Ept => &EPT,
        Regime::Arm1 { .. } => &STAGE1,
        Regime::Arm2 { .. } => &STAGE2,
        Regime::Riscv { .. } => &RISCV,
        Regime::LoongArch { .. } => &LOONGARCH,
    }
}

/// How an entry has an address.
pub fn address(regime: Regime, addr: u64) -> u64 {
    match regime {
        Regime::Riscv { .. } => addr >> 2,
        _ => addr,
    }
}

/// All sums of some of the bits.
pub fn combinations(bits: &[u64]) -> impl Iterator<Item = u64> {
    (0..1u64 << bits.len()).map(|set| {
        let chosen = bits.iter().enumerate();
        let chosen = chosen.filter(|(index, _)| set >> index & 1 == 1);
        chosen.map(|(_, bit)| bit).sum()
    })
}
