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
    /// LoongArch with 64 bits.
    LoongArch64,
}

/// `movz w0, #0`: the lower half of the number goes to bits 20:5.
const MOVZ_W0: u64 = 0x5280_0000;
/// `brk #0`, as the second instruction: the upper half of the number goes to bits 20:5 of it.
const BRK: u64 = 0xd420_0000 << 32;
/// Where the two halves are.
const HALVES: u64 = 0xffff << 5 | 0xffff << 37;
/// `lui a0, 0`: bits 25:6 of the number go to bits 31:12.
const LUI_A0: u64 = 0x537;
/// `c.addi a0, 0`: bits 5:0 of the number go to bits 12 and 6:2 of it.
const ADDI_A0: u64 = 0x0501 << 32;
/// `c.ebreak`.
const EBREAK: u64 = 0x9002 << 48;
/// Where the parts of the number are.
const PARTS: u64 = 0xffff_f000 | 0x1f << 34 | 1 << 44;
/// `lu12i.w $a0, 0`: bits 19:0 of the number go to bits 24:5.
const LU12I_A0: u64 = 0x1400_0004;
/// `break 0`, as the second instruction: bits 31:20 of the number go to bits 11:0 of it.
const BREAK: u64 = 0x002a_0000 << 32;
/// Where these bits are.
const FIELDS: u64 = 0xf_ffff << 5 | 0xfff << 32;

impl Isa {
    /// The instructions of the processors that walk tables of `regime`.
    #[must_use]
    pub const fn of(regime: Regime) -> Self {
        match regime {
            Regime::X86_64 { .. } | Regime::Ept => Isa::X86_64,
            Regime::Arm1 { .. } | Regime::Arm2 { .. } => Isa::AArch64,
            Regime::Riscv { .. } => Isa::Riscv64,
            Regime::LoongArch { .. } => Isa::LoongArch64,
        }
    }

    /// A word of code that carries a number, of which RISC-V takes the lowest 26 bits and the others all 32.
    ///
    /// It puts the number into a register and ends in an exception: `mov eax, number` and `ud2`; `movz w0, #low` and
    /// `brk #high`; `lui a0, high`, `c.addi a0, low` and `c.ebreak`; `lu12i.w $a0, low` and `break high`.
    #[must_use]
    pub const fn code_word(self, number: u32) -> u64 {
        let number = number as u64;
        match self {
            Isa::X86_64 => 0xb8 | number << 8 | 0x0b0f << 40 | (number & 0xff) << 56,
            Isa::AArch64 => MOVZ_W0 | (number & 0xffff) << 5 | BRK | number >> 16 << 37,
            Isa::Riscv64 => {
                let (high, low) = (number >> 6 & 0xf_ffff, number & 0x3f);
                LUI_A0 | high << 12 | ADDI_A0 | (low & 0x1f) << 34 | low >> 5 << 44 | EBREAK
            }
            Isa::LoongArch64 => LU12I_A0 | (number & 0xf_ffff) << 5 | BREAK | number >> 20 << 32,
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
                word & !HALVES == MOVZ_W0 | BRK,
                word >> 5 & 0xffff | (word >> 37 & 0xffff) << 16,
            ),
            Isa::Riscv64 => (
                word & !PARTS == LUI_A0 | ADDI_A0 | EBREAK,
                (word >> 12 & 0xf_ffff) << 6 | (word >> 44 & 1) << 5 | word >> 34 & 0x1f,
            ),
            Isa::LoongArch64 => (
                word & !FIELDS == LU12I_A0 | BREAK,
                word >> 5 & 0xf_ffff | (word >> 32 & 0xfff) << 20,
            ),
        };
        if is_code { Some(number as u32) } else { None }
    }

    /// The exception in which memory ends that holds no code but zeros, where one is expected: the vector of an invalid
    /// opcode, the class of an unknown reason, the cause of an illegal instruction, the code of an instruction that does not exist.
    #[must_use]
    pub const fn illegal(self) -> u8 {
        match self {
            Isa::X86_64 => 6,
            Isa::AArch64 => 0,
            Isa::Riscv64 => 2,
            Isa::LoongArch64 => 0xd,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Isa;

    #[test]
    fn code_words_carry_their_number() {
        let numbers = [
            0, 1, 0x1f, 0x20, 0x3f, 0x40, 0x1234, 0xffff, 0x1_0000, 0x3ff_ffff,
        ];
        for isa in [Isa::X86_64, Isa::AArch64, Isa::Riscv64, Isa::LoongArch64] {
            for number in numbers {
                assert_eq!(
                    isa.code_number(isa.code_word(number)),
                    Some(number),
                    "{isa:?}"
                );
            }
            assert_eq!(isa.code_number(0), None);
        }
    }

    #[test]
    fn code_words_are_the_instructions_they_are_said_to_be() {
        assert_eq!(Isa::X86_64.code_word(0x1234_5678), 0x780b_0f12_3456_78b8);
        // movz w0, #0x5678; brk #0x1234
        assert_eq!(Isa::AArch64.code_word(0x1234_5678), 0xd422_4680_528a_cf00);
        // lui a0, 0x1; c.addi a0, -31; c.ebreak
        assert_eq!(Isa::Riscv64.code_word(0x61), 0x9002_1505_0000_1537);
        // lu12i.w $a0, 0x45678; break 0x123
        assert_eq!(
            Isa::LoongArch64.code_word(0x1234_5678),
            0x002a_0123_148a_cf04
        );
    }
}
