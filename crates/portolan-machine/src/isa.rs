//! Words that can be told apart when they are read, and when they are executed.

use crate::walk::Regime;

/// The instructions of a processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Isa {
    /// x86_64.
    X86_64,
    /// AArch64.
    AArch64,
    /// RISC-V with 64 bits.
    Riscv64,
}

/// `movz w0, #0`: the number goes to bits 20:5.
const MOVZ_W0: u64 = 0x5280_0000;
/// `svc #0`.
const SVC: u64 = 0xd400_0001;
/// `lui a0, 0`: the number goes to bits 31:12.
const LUI_A0: u64 = 0x0000_0537;
/// `ebreak`.
const EBREAK: u64 = 0x0010_0073;

impl Isa {
    /// The instructions of the processors that walk tables of `regime`.
    #[must_use]
    pub const fn of(regime: Regime) -> Self {
        match regime {
            Regime::X86_64 { .. } | Regime::Ept => Isa::X86_64,
            Regime::Arm1 { .. } | Regime::Arm2 { .. } => Isa::AArch64,
            Regime::Riscv { .. } => Isa::Riscv64,
        }
    }

    /// A word of code that carries a number, or its lowest bits: 32 on x86_64, 16 on AArch64, 20 on RISC-V.
    ///
    /// It puts the number into a register and ends in an exception: `mov eax, number` and `ud2`; `movz w0, #number` and
    /// `svc #0`; `lui a0, number` and `ebreak`.
    #[must_use]
    pub const fn code_word(self, number: u32) -> u64 {
        let number = number as u64;
        match self {
            Isa::X86_64 => 0xb8 | number << 8 | 0x0b0f << 40 | (number & 0xff) << 56,
            Isa::AArch64 => MOVZ_W0 | (number & 0xffff) << 5 | SVC << 32,
            Isa::Riscv64 => LUI_A0 | (number & 0xf_ffff) << 12 | EBREAK << 32,
        }
    }

    /// The number that a [code word](Self::code_word) carries, if `word` is one as far as it would be executed.
    #[must_use]
    pub const fn code_number(self, word: u64) -> Option<u32> {
        let (is_code, number) = match self {
            Isa::X86_64 => (
                word & 0xff == 0xb8 && word >> 40 & 0xffff == 0x0b0f,
                word >> 8,
            ),
            Isa::AArch64 => (
                word & !(0xffff << 5) == MOVZ_W0 | SVC << 32,
                word >> 5 & 0xffff,
            ),
            Isa::Riscv64 => (
                word & !(0xf_ffff << 12) == LUI_A0 | EBREAK << 32,
                word >> 12 & 0xf_ffff,
            ),
        };
        if is_code { Some(number as u32) } else { None }
    }

    /// The exception in which memory ends that holds no code but zeros, where one is expected: the vector of an invalid
    /// opcode, the class of an unknown reason, the cause of an illegal instruction.
    #[must_use]
    pub const fn illegal(self) -> u8 {
        match self {
            Isa::X86_64 => 6,
            Isa::AArch64 => 0,
            Isa::Riscv64 => 2,
        }
    }
}
