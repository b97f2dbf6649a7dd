//! An assembler for as many of LoongArch's instructions as the program in the guest has (Reference Manual, Volume 1,
//! appendix B).

use std::collections::BTreeMap;

/// A general register.
#[derive(Clone, Copy)]
pub(super) struct Reg(u32);

pub(super) const ZERO: Reg = Reg(0);
pub(super) const A0: Reg = Reg(4);
pub(super) const A1: Reg = Reg(5);
pub(super) const A2: Reg = Reg(6);
pub(super) const T0: Reg = Reg(12);
pub(super) const T1: Reg = Reg(13);
pub(super) const T2: Reg = Reg(14);
pub(super) const S0: Reg = Reg(23);
pub(super) const S1: Reg = Reg(24);
pub(super) const S2: Reg = Reg(25);
pub(super) const S3: Reg = Reg(26);

/// Instructions, and places in them that have names.
#[derive(Default)]
pub(super) struct Assembler {
    words: Vec<u32>,
    labels: BTreeMap<&'static str, usize>,
    /// Branches whose distance is still to be filled in, and whether it has 21 or 26 bits, or 16.
    branches: Vec<(usize, &'static str, Distance)>,
}

/// How a branch has its distance.
#[derive(Clone, Copy)]
enum Distance {
    Bits16,
    Bits21,
    Bits26,
}

/// An instruction with two registers and a number of 12 bits: the bits of both kinds of number are the same.
macro_rules! with_number {
    ($($name:ident: $opcode:literal;)*) => {
        $(pub(super) fn $name(&mut self, to: Reg, from: Reg, number: i32) {
            debug_assert!((-2048..4096).contains(&number), "{number} has more than 12 bits");
            self.put($opcode | (number as u32 & 0xfff) << 10 | from.0 << 5 | to.0);
        })*
    };
}

/// An instruction with three registers.
macro_rules! with_registers {
    ($($name:ident: $opcode:literal;)*) => {
        $(pub(super) fn $name(&mut self, to: Reg, first: Reg, second: Reg) {
            self.put($opcode | second.0 << 10 | first.0 << 5 | to.0);
        })*
    };
}

/// An instruction with a register and a number of 20 bits.
macro_rules! with_upper_number {
    ($($name:ident: $opcode:literal;)*) => {
        $(pub(super) fn $name(&mut self, to: Reg, number: i32) {
            self.put($opcode | (number as u32 & 0xf_ffff) << 5 | to.0);
        })*
    };
}

impl Assembler {
    with_number! {
        addi_d: 0x02c0_0000;
        lu52i_d: 0x0300_0000;
        andi: 0x0340_0000;
        ori: 0x0380_0000;
        ld_d: 0x28c0_0000;
        st_d: 0x29c0_0000;
    }

    with_registers! {
        add_d: 0x0010_8000;
        or: 0x0015_0000;
        andn: 0x0016_8000;
        sll_d: 0x0018_8000;
        srl_d: 0x0019_0000;
        alsl_d_3: 0x002d_0000;
    }

    with_upper_number! {
        lu12i_w: 0x1400_0000;
        lu32i_d: 0x1600_0000;
        pcaddu12i: 0x1c00_0000;
    }

    pub(super) fn slli_d(&mut self, to: Reg, from: Reg, by: u32) {
        self.put(0x0041_0000 | by << 10 | from.0 << 5 | to.0);
    }

    pub(super) fn bstrins_d(&mut self, to: Reg, from: Reg, high: u32, low: u32) {
        self.put(0x0080_0000 | high << 16 | low << 10 | from.0 << 5 | to.0);
    }

    pub(super) fn bstrpick_d(&mut self, to: Reg, from: Reg, high: u32, low: u32) {
        self.put(0x00c0_0000 | high << 16 | low << 10 | from.0 << 5 | to.0);
    }

    pub(super) fn csrrd(&mut self, to: Reg, csr: u32) {
        self.put(0x0400_0000 | csr << 10 | to.0);
    }

    /// Exchanges the two.
    pub(super) fn csrwr(&mut self, with: Reg, csr: u32) {
        self.put(0x0400_0000 | csr << 10 | 1 << 5 | with.0);
    }

    /// `li.d`, as four instructions.
    pub(super) fn li_d(&mut self, to: Reg, number: u64) {
        self.lu12i_w(to, (number >> 12) as i32);
        self.ori(to, to, (number & 0xfff) as i32);
        self.lu32i_d(to, (number >> 32) as i32);
        self.lu52i_d(to, to, (number >> 52) as i32);
    }

    pub(super) fn tlbsrch(&mut self) {
        self.put(0x0648_2800);
    }

    pub(super) fn tlbrd(&mut self) {
        self.put(0x0648_2c00);
    }

    pub(super) fn tlbfill(&mut self) {
        self.put(0x0648_3400);
    }

    pub(super) fn invtlb(&mut self, operation: u32, space: Reg, va: Reg) {
        self.put(0x0649_8000 | va.0 << 10 | space.0 << 5 | operation);
    }

    pub(super) fn ertn(&mut self) {
        self.put(0x0648_3800);
    }

    /// `break 0`.
    pub(super) fn breakpoint(&mut self) {
        self.put(0x002a_0000);
    }

    /// `dbar 0`.
    pub(super) fn dbar(&mut self) {
        self.put(0x3872_0000);
    }

    /// `jirl $zero, to, 0`.
    pub(super) fn jr(&mut self, to: Reg) {
        self.put(0x4c00_0000 | to.0 << 5);
    }

    pub(super) fn b(&mut self, label: &'static str) {
        self.branch(0x5000_0000, label, Distance::Bits26);
    }

    pub(super) fn beqz(&mut self, of: Reg, label: &'static str) {
        self.branch(0x4000_0000 | of.0 << 5, label, Distance::Bits21);
    }

    pub(super) fn bnez(&mut self, of: Reg, label: &'static str) {
        self.branch(0x4400_0000 | of.0 << 5, label, Distance::Bits21);
    }

    pub(super) fn beq(&mut self, first: Reg, second: Reg, label: &'static str) {
        let word = 0x5800_0000 | first.0 << 5 | second.0;
        self.branch(word, label, Distance::Bits16);
    }

    pub(super) fn bgeu(&mut self, first: Reg, second: Reg, label: &'static str) {
        let word = 0x6c00_0000 | first.0 << 5 | second.0;
        self.branch(word, label, Distance::Bits16);
    }

    fn branch(&mut self, word: u32, label: &'static str, distance: Distance) {
        self.branches.push((self.words.len(), label, distance));
        self.put(word);
    }

    fn put(&mut self, word: u32) {
        self.words.push(word);
    }

    /// Names this place.
    pub(super) fn label(&mut self, name: &'static str) {
        let earlier = self.labels.insert(name, self.words.len());
        assert!(earlier.is_none(), "there are two places {name}");
    }

    /// How many bytes there are.
    pub(super) fn offset(&self) -> u64 {
        4 * self.words.len() as u64
    }

    /// Goes on `offset` bytes from the start.
    pub(super) fn at(&mut self, offset: u64) {
        assert!(self.offset() <= offset, "there is code at {offset:#x}");
        self.words.resize(offset as usize / 4, 0);
    }

    /// The place of a name, in bytes.
    pub(super) fn place(&self, label: &str) -> u64 {
        4 * self.labels[label] as u64
    }

    /// The instructions, once all names are known.
    pub(super) fn finish(mut self) -> Vec<u8> {
        for (at, label, distance) in self.branches {
            let by = self.labels[label] as i64 - at as i64;
            let by = by as i32 as u32;
            self.words[at] |= match distance {
                Distance::Bits16 => (by & 0xffff) << 10,
                Distance::Bits21 => (by & 0xffff) << 10 | by >> 16 & 0x1f,
                Distance::Bits26 => (by & 0xffff) << 10 | by >> 16 & 0x3ff,
            };
        }
        let bytes = self.words.iter().flat_map(|word| word.to_le_bytes());
        bytes.collect()
    }
}
