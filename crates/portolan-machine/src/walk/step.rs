//! What one word tells a walk.

use crate::access::{Kind, Privilege};
use portolan::CachePolicy;
use std::fmt;

/// What one mode may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Allowed {
    /// Loads.
    pub read: bool,
    /// Stores.
    pub write: bool,
    /// Instruction fetches.
    pub execute: bool,
}

/// What is allowed to privileged and to unprivileged software.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rights {
    /// The supervisor, EL1, S-mode.
    pub kernel: Allowed,
    /// User mode, EL0, U-mode.
    pub user: Allowed,
}

/// A page, as the word that maps it tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Leaf {
    /// The physical address of its first byte.
    pub frame: u64,
    /// Its size in bytes.
    pub size: u64,
    /// What the word itself allows.
    pub rights: Rights,
    /// The translation is the same in all address spaces.
    pub global: bool,
    /// It has been used; where hardware [marks](super::Regime::marks) nothing, always.
    pub accessed: bool,
    /// It has been stored to; where hardware marks nothing, always.
    pub dirty: bool,
    /// How accesses are cached.
    pub cache: CachePolicy,
}

/// What a word tells the walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Nothing is there.
    Absent,
    /// The word is not one that the architecture gives a meaning to, and the walk ends in a fault.
    Reserved {
        /// The bits that must not be set, or 0 if it is an encoding that is reserved.
        bits: u64,
    },
    /// There is a table of the next lower level.
    Table {
        /// Its physical address.
        table: u64,
        /// What the word leaves to everything below.
        rights: Rights,
    },
    /// There is a page.
    Page(Leaf),
}

impl Allowed {
    /// Everything.
    pub const ALL: Allowed = Allowed {
        read: true,
        write: true,
        execute: true,
    };

    /// Nothing.
    pub const NONE: Allowed = Allowed {
        read: false,
        write: false,
        execute: false,
    };

    /// What both allow.
    #[must_use]
    pub const fn and(self, other: Allowed) -> Allowed {
        Allowed {
            read: self.read && other.read,
            write: self.write && other.write,
            execute: self.execute && other.execute,
        }
    }

    /// Whether anything is allowed.
    #[must_use]
    pub const fn any(self) -> bool {
        self.read || self.write || self.execute
    }
}

/// As `rw-`.
impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = |allowed, letter| if allowed { letter } else { '-' };
        write!(
            f,
            "{}{}{}",
            mark(self.read, 'r'),
            mark(self.write, 'w'),
            mark(self.execute, 'x')
        )
    }
}

impl Rights {
    /// Everything, to both.
    pub const ALL: Rights = Rights::both(Allowed::ALL);

    /// The same to both.
    #[must_use]
    pub const fn both(allowed: Allowed) -> Rights {
        Rights {
            kernel: allowed,
            user: allowed,
        }
    }

    /// Whether an access is allowed.
    #[must_use]
    pub const fn allow(self, kind: Kind, privilege: Privilege) -> bool {
        let allowed = match privilege {
            Privilege::Supervisor => self.kernel,
            Privilege::User => self.user,
        };
        match kind {
            Kind::Load => allowed.read,
            Kind::Store => allowed.write,
            Kind::Fetch => allowed.execute,
        }
    }

    /// What both allow.
    #[must_use]
    pub const fn and(self, other: Rights) -> Rights {
        Rights {
            kernel: self.kernel.and(other.kernel),
            user: self.user.and(other.user),
        }
    }
}
