//! What a program can do with an address, and what comes of it.

use std::fmt;

/// What an access does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Reads a word.
    Load,
    /// Writes a word.
    Store,
    /// Jumps to the address and executes what is there, which should be a [`code_word`].
    Fetch,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 3] = [Kind::Load, Kind::Store, Kind::Fetch];
}

/// The mode the processor is in while it performs an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Privilege {
    /// Privilege level 0.
    Supervisor,
    /// Privilege level 3.
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
    /// The number that the executed [`code_word`] carries.
    Fetched(u32),
    /// Exception 14.
    PageFault {
        /// What was wrong.
        code: PageFaultCode,
        /// CR2: the address that was used.
        addr: u64,
    },
    /// Exception 13: the address is not canonical.
    GeneralProtection {
        /// The exception's error code; 0 for an address that is not canonical.
        code: u32,
    },
    /// A fetch reached memory that holds no [`code_word`], and what it executed there ended in this exception.
    Astray {
        /// The exception's number.
        vector: u8,
    },
}

/// The error code of a page fault (Intel SDM vol. 3, 5.7, figure 5-12).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PageFaultCode(pub u32);

impl PageFaultCode {
    /// P: the translation was there; rights or a reserved bit caused the fault.
    pub const PRESENT: u32 = 1 << 0;
    /// W/R: the access was a store.
    pub const WRITE: u32 = 1 << 1;
    /// U/S: the access was made in user mode.
    pub const USER: u32 = 1 << 2;
    /// RSVD: a reserved bit was set in an entry.
    pub const RESERVED: u32 = 1 << 3;
    /// I/D: the access was an instruction fetch.
    pub const FETCH: u32 = 1 << 4;

    /// The bits that the access itself contributes.
    #[must_use]
    pub const fn of(kind: Kind, privilege: Privilege) -> Self {
        let user = match privilege {
            Privilege::Supervisor => 0,
            Privilege::User => Self::USER,
        };
        match kind {
            Kind::Load => PageFaultCode(user),
            Kind::Store => PageFaultCode(user | Self::WRITE),
            Kind::Fetch => PageFaultCode(user | Self::FETCH),
        }
    }

    /// This code with more bits set.
    #[must_use]
    pub const fn with(self, bits: u32) -> Self {
        PageFaultCode(self.0 | bits)
    }
}

impl fmt::Debug for PageFaultCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = ["P", "W", "U", "RSVD", "I"];
        let set = |bit: &usize| self.0 >> bit & 1 == 1;
        let known: Vec<&str> = (0..names.len()).filter(set).map(|bit| names[bit]).collect();
        write!(f, "{:#x} ({})", self.0, known.join("|"))
    }
}

/// A word that a load can tell apart and that can be executed: `mov eax, number` and `ud2`, which ends the fetch.
#[must_use]
pub const fn code_word(number: u32) -> u64 {
    0xb8 | (number as u64) << 8 | 0x0b0f << 40 | ((number as u64) & 0xff) << 56
}

/// The number in a [`code_word`], if `word` is one as far as it would be executed.
#[must_use]
pub const fn code_number(word: u64) -> Option<u32> {
    if word & 0xff == 0xb8 && word >> 40 & 0xffff == 0x0b0f {
        Some((word >> 8) as u32)
    } else {
        None
    }
}
