//! What a program can do with an address, and what comes of it.

use crate::fault::Fault;
use std::fmt;

/// What an access does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Reads a word.
    Load,
    /// Writes a word.
    Store,
    /// Jumps to the address and executes what is there, which should be a [code word](crate::Isa::code_word).
    Fetch,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 3] = [Kind::Load, Kind::Store, Kind::Fetch];
}

/// The mode the processor is in while it performs an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Privilege {
    /// The kernel's: privilege level 0 on x86_64, EL1 on AArch64, S-mode on RISC-V.
    Supervisor,
    /// The programs': privilege level 3 on x86_64, EL0 on AArch64, U-mode on RISC-V.
    User,
}

impl Privilege {
    /// Both.
    pub const ALL: [Privilege; 2] = [Privilege::Supervisor, Privilege::User];
}

/// One access to one aligned word of 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Access {
    /// The virtual address, a multiple of 8. It need not be canonical.
    pub va: u64,
    /// What is done there.
    pub kind: Kind,
    /// In which mode.
    pub privilege: Privilege,
    /// What a store writes.
    pub value: u64,
}

impl Access {
    /// A load at `va`.
    #[must_use]
    pub const fn load(va: u64, privilege: Privilege) -> Self {
        Access {
            va,
            kind: Kind::Load,
            privilege,
            value: 0,
        }
    }

    /// A store of `value` at `va`.
    #[must_use]
    pub const fn store(va: u64, privilege: Privilege, value: u64) -> Self {
        Access {
            va,
            kind: Kind::Store,
            privilege,
            value,
        }
    }

    /// A jump to `va`.
    #[must_use]
    pub const fn fetch(va: u64, privilege: Privilege) -> Self {
        Access {
            va,
            kind: Kind::Fetch,
            privilege,
            value: 0,
        }
    }
}

/// What came of an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The word that a load read.
    Loaded(u64),
    /// A store was performed.
    Stored,
    /// The number that the executed [code word](crate::Isa::code_word) carries.
    Fetched(u32),
    /// It was refused.
    Fault(Fault),
    /// A fetch reached memory that holds no code word, and what it executed there ended otherwise.
    Astray {
        /// In the exception of this number: on x86_64 its vector, on AArch64 the class in ESR, on RISC-V the cause.
        exception: u8,
    },
}

impl Outcome {
    /// Whether the access was performed.
    #[must_use]
    pub fn is_performed(&self) -> bool {
        matches!(
            self,
            Outcome::Loaded(_) | Outcome::Stored | Outcome::Fetched(_)
        )
    }
}

/// What it is, without the value or the address.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Loaded(_) | Outcome::Stored | Outcome::Fetched(_) => f.write_str("performed"),
            Outcome::Fault(fault) => write!(f, "{fault}"),
            Outcome::Astray { exception } => write!(f, "astray, exception {exception}"),
        }
    }
}
