//! What a guest says of an access.

use crate::walk::Regime;

/// What came of an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// The word that a load read.
    Loaded(u64),
    /// A store was performed.
    Stored,
    /// The number that the executed [code word](super::code_word) carries.
    Fetched(u32),
    /// The access was refused.
    Fault(Fault),
    /// A fetch reached memory that holds no [code word](super::code_word), and what it executed there ended in this
    /// exception.
    Astray(Fault),
}

/// An exception, as the processor reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fault {
    /// Which exception: on x86_64 its vector, on AArch64 the exception class (bits 31:26 of the syndrome), on RISC-V
    /// `mcause`.
    pub cause: u64,
    /// More about it: on x86_64 the error code; on AArch64 `ESR_EL1`, or `ESR_EL2` if stage 2 is under test; on RISC-V 0.
    pub syndrome: u64,
    /// The address that was used: on x86_64 `CR2`, of a page fault, on AArch64 `FAR_EL1` or `FAR_EL2`, on RISC-V `mtval`.
    pub addr: u64,
}

/// Why an access was refused, as far as the architecture tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Nothing is mapped there. On AArch64 also: an entry's encoding is reserved, or the address is not one that is
    /// translated.
    Absent,
    /// A page is mapped there, and the access is not among those that it allows.
    Rights,
    /// A bit of an entry is set that must not be; only x86_64 tells.
    Reserved,
    /// An entry has a wider address than the processor has; only AArch64 tells.
    AddressSize,
    /// The page has not been accessed before, and hardware does not note that it is; only AArch64 tells.
    AccessFlag,
    /// A page fault, of which RISC-V doesn't tell more.
    Page,
    /// The address is not canonical; only x86_64 tells.
    NonCanonical,
    /// The translation, or the walk to it, led to where no memory is.
    NoMemory,
    /// Something else.
    Other,
}

impl Fault {
    /// Why the access was refused, on a processor with this regime.
    #[must_use]
    pub const fn reason(&self, regime: Regime) -> Reason {
        match regime {
            Regime::X86_64 { .. } | Regime::Ept => self.reason_x86_64(),
            Regime::Arm1 { .. } | Regime::Arm2 { .. } => self.reason_aarch64(),
            Regime::Riscv { .. } => self.reason_riscv(),
        }
    }

    /// Intel SDM vol. 3, 5.7 (page faults) and 6.15 (exceptions). RSVD counts without P, though the manual says that P is
    /// set with it: QEMU 7.2 leaves it out.
    const fn reason_x86_64(&self) -> Reason {
        const P: u64 = 1 << 0;
        const RSVD: u64 = 1 << 3;
        match self.cause {
            14 if self.syndrome & RSVD != 0 => Reason::Reserved,
            14 if self.syndrome & P != 0 => Reason::Rights,
            14 => Reason::Absent,
            12 | 13 => Reason::NonCanonical,
            _ => Reason::Other,
        }
    }

    /// Arm ARM D24.2.40, the fault status code in bits 5:0 of a syndrome for an abort.
    const fn reason_aarch64(&self) -> Reason {
        if !matches!(self.cause, 0x20 | 0x21 | 0x24 | 0x25) {
            return Reason::Other;
        }
        match self.syndrome & 0x3f {
            0x00..=0x03 => Reason::AddressSize,
            0x04..=0x07 => Reason::Absent,
            0x08..=0x0b => Reason::AccessFlag,
            0x0c..=0x0f => Reason::Rights,
            0x10 | 0x14..=0x17 => Reason::NoMemory,
            _ => Reason::Other,
        }
    }

    /// The privileged architecture, table 14 (`mcause` after a trap).
    const fn reason_riscv(&self) -> Reason {
        match self.cause {
            12 | 13 | 15 => Reason::Page,
            1 | 5 | 7 => Reason::NoMemory,
            _ => Reason::Other,
        }
    }

    /// On AArch64, the architecture's number of the table level at which the walk ended: 0 to 3, 3 for the smallest pages.
    #[must_use]
    pub const fn lookup_level(&self) -> u8 {
        (self.syndrome & 3) as u8
    }
}
