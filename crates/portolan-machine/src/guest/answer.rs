//! What a guest says of an access.

/// What came of an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// The word that a load read.
    Loaded(u64),
    /// A store was performed.
    Stored,
    /// The number that the executed [code word](crate::Isa::code_word) carries.
    Fetched(u32),
    /// The access was refused, or there is no memory where the walk or the page led.
    Fault(Fault),
    /// A fetch reached memory that holds no [code word](crate::Isa::code_word), and what it executed there ended in this
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
