//! What a processor says of an access that it refuses.

use crate::access::{Access, Kind, Privilege};
use crate::walk::{Regime, Rights};
use std::fmt;

/// An exception that an access caused, and all that the processor reports of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// x86_64: exception 14.
    Page {
        /// What was wrong.
        code: PageFaultCode,
        /// CR2: the address that was used.
        addr: u64,
    },
    /// x86_64: exception 13, for an address that is not canonical.
    GeneralProtection {
        /// The exception's error code; 0 for an address that is not canonical.
        code: u32,
    },
    /// Extended page tables: exit reason 48.
    EptViolation {
        /// What was done, and what the entries allow.
        qualification: Qualification,
        /// The guest-physical address.
        addr: u64,
    },
    /// Extended page tables: exit reason 49, for an entry that is wrong in itself.
    EptMisconfiguration {
        /// The guest-physical address.
        addr: u64,
    },
    /// AArch64: a data or an instruction abort.
    Abort {
        /// What the syndrome register says.
        abort: Abort,
        /// FAR: the address that was used.
        addr: u64,
    },
    /// RISC-V: a page fault or an access fault.
    Trap {
        /// Why.
        cause: Cause,
        /// `stval`: the address that was used.
        addr: u64,
    },
    /// LoongArch64: an exception of the memory management unit, or that the refill handler found nothing.
    Refused {
        /// Why.
        refused: Refused,
        /// BADV: the address that was used.
        addr: u64,
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
        write!(
            f,
            "{:#x} ({})",
            self.0,
            names(self.0, &["P", "W", "U", "RSVD", "I"])
        )
    }
}

/// The lowest six bits of the exit qualification of an EPT violation (Intel SDM vol. 3, 29.2.1, table 29-7).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Qualification(pub u32);

impl Qualification {
    /// What was done (bits 2:0) and what the entries that were used allow together (bits 5:3).
    fn of(kind: Kind, rights: Option<Rights>) -> Self {
        let done = match kind {
            Kind::Load => 1,
            Kind::Store => 1 << 1,
            Kind::Fetch => 1 << 2,
        };
        let allowed = rights.map_or(0, |Rights { kernel, .. }| {
            u32::from(kernel.read) | u32::from(kernel.write) << 1 | u32::from(kernel.execute) << 2
        });
        Qualification(done | allowed << 3)
    }
}

impl fmt::Debug for Qualification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (done, allowed) = (
            names(self.0 & 7, &["R", "W", "X"]),
            names(self.0 >> 3, &["R", "W", "X"]),
        );
        write!(f, "{:#x} ({done} of {allowed})", self.0)
    }
}

/// The names of the bits that are set.
fn names(bits: u32, names: &[&str]) -> String {
    let set = |bit: &usize| bits >> bit & 1 == 1;
    let known: Vec<&str> = (0..names.len()).filter(set).map(|bit| names[bit]).collect();
    known.join("|")
}

/// What ESR_EL1 or ESR_EL2 says of an abort (Arm ARM, D24.2.40, "ISS encoding for an exception from a Data Abort").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Abort {
    /// What was wrong.
    pub class: AbortClass,
    /// The level of the walk at which it was, as the architecture counts: 3 has the smallest pages.
    pub level: u8,
    /// It is an instruction abort.
    pub fetch: bool,
    /// WnR: the access was a store.
    pub write: bool,
    /// It was taken from a lower exception level: at stage 1 from EL0, at stage 2 always.
    pub lower: bool,
}

/// What an abort is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AbortClass {
    /// An address in an entry is wider than the machine's.
    AddressSize,
    /// There is no valid entry.
    Translation,
    /// The access flag is clear, and hardware doesn't set it.
    AccessFlag,
    /// The entries don't allow the access.
    Permission,
}

impl Abort {
    /// What `esr` says, if it is the syndrome of an abort of one of these classes.
    #[must_use]
    pub fn from_esr(esr: u64) -> Option<Self> {
        let (fetch, lower) = match esr >> 26 & 0x3f {
            0x20 => (true, true),
            0x21 => (true, false),
            0x24 => (false, true),
            0x25 => (false, false),
            _ => return None,
        };
        let class = match esr >> 2 & 0xf {
            0 => AbortClass::AddressSize,
            1 => AbortClass::Translation,
            2 => AbortClass::AccessFlag,
            3 => AbortClass::Permission,
            _ => return None,
        };
        Some(Abort {
            class,
            level: (esr & 3) as u8,
            fetch,
            write: !fetch && esr >> 6 & 1 == 1,
            lower,
        })
    }
}

/// The cause of a trap (RISC-V privileged specification, "Supervisor Cause Register").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cause(pub u64);

impl Cause {
    /// A page fault of such an access: 12, 13, 15.
    #[must_use]
    pub const fn page_fault(kind: Kind) -> Self {
        Cause(match kind {
            Kind::Fetch => 12,
            Kind::Load => 13,
            Kind::Store => 15,
        })
    }

    /// An access fault of such an access: 1, 5, 7.
    #[must_use]
    pub const fn access_fault(kind: Kind) -> Self {
        Cause(match kind {
            Kind::Fetch => 1,
            Kind::Load => 5,
            Kind::Store => 7,
        })
    }
}

/// Why a LoongArch64 processor refuses an access (Reference Manual, Volume 1, 5.4.3 and 6.2).
///
/// Where several exceptions of [`Denied`](Self::Denied) apply to an access, the order in which 5.4.3 describes them is not
/// that of 5.4.4, so they are told as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refused {
    /// ADE: the address is none of a region's.
    Address,
    /// PIL, PIS, PIF: there is no valid entry.
    Invalid,
    /// PME, PNR, PNX, PPI: the entry doesn't allow the access.
    Denied,
}

impl Refused {
    /// The exception code of what the refill handler reports: that of a TLB refill.
    pub const REFILL: u64 = 0x3f;

    /// What the exception code `ecode` says of an access, if it is one of these of such an access.
    #[must_use]
    pub const fn from_ecode(ecode: u64, kind: Kind) -> Option<Self> {
        match (ecode, kind) {
            (8, _) => Some(Refused::Address),
            (Self::REFILL, _) | (1, Kind::Load) | (2, Kind::Store) | (3, Kind::Fetch) => {
                Some(Refused::Invalid)
            }
            (7, _) | (4, Kind::Store) | (5, Kind::Load) | (6, Kind::Fetch) => Some(Refused::Denied),
            _ => None,
        }
    }
}

/// What in a walk stands against an access, in the words of no architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The address is none of the regime's.
    NotCanonical,
    /// There is nothing.
    Absent {
        /// The level of the table in which there is nothing.
        level: u8,
    },
    /// An entry has `bits` set that must not be, or an encoding that is reserved.
    Reserved {
        /// The level of the table that has the entry.
        level: u8,
        /// The bits; 0 if it is the encoding.
        bits: u64,
    },
    /// A page is there, but not for this.
    Denied {
        /// The level of the table whose entry is the page.
        level: u8,
        /// What all entries on the way allow.
        rights: Rights,
    },
}

/// How many bits the physical addresses of an AArch64 processor have at most, and those of the processors here.
const WIDEST: u32 = 52;

impl Refusal {
    /// How a processor reports the refusal of an access.
    #[must_use]
    pub fn fault(self, regime: Regime, access: &Access) -> Fault {
        let &Access {
            va: addr,
            kind,
            privilege,
            ..
        } = access;
        match regime {
            Regime::X86_64 { .. } => {
                let code = PageFaultCode::of(kind, privilege);
                let code = match self {
                    Refusal::NotCanonical => return Fault::GeneralProtection { code: 0 },
                    Refusal::Absent { .. } => code,
                    Refusal::Reserved { .. } => {
                        code.with(PageFaultCode::PRESENT | PageFaultCode::RESERVED)
                    }
                    Refusal::Denied { .. } => code.with(PageFaultCode::PRESENT),
                };
                Fault::Page { code, addr }
            }
            Regime::Ept => {
                let rights = match self {
                    Refusal::Reserved { .. } => return Fault::EptMisconfiguration { addr },
                    Refusal::Denied { rights, .. } => Some(rights),
                    Refusal::NotCanonical | Refusal::Absent { .. } => None,
                };
                let qualification = Qualification::of(kind, rights);
                Fault::EptViolation {
                    qualification,
                    addr,
                }
            }
            Regime::Arm1 { .. } => Fault::Abort {
                abort: self.abort(kind, privilege == Privilege::User),
                addr,
            },
            // To stage 1 that is off, a wider address is none of the processor's (Arm ARM, D8.2.9)
            Regime::Arm2 { .. } if addr >> WIDEST != 0 => {
                let wide = Refusal::Reserved {
                    level: 4,
                    bits: addr >> WIDEST,
                };
                Fault::Abort {
                    abort: wide.abort(kind, privilege == Privilege::User),
                    addr,
                }
            }
            Regime::Arm2 { .. } => Fault::Abort {
                abort: self.abort(kind, true),
                addr,
            },
            Regime::Riscv { .. } => Fault::Trap {
                cause: Cause::page_fault(kind),
                addr,
            },
            Regime::LoongArch { .. } => {
                let refused = match self {
                    // The other region's root maps nothing
                    Refusal::NotCanonical if regime.is_other_regions(addr) => Refused::Invalid,
                    Refusal::NotCanonical => Refused::Address,
                    Refusal::Absent { .. } => Refused::Invalid,
                    // No exception is named for a memory access type that there is not
                    Refusal::Reserved { .. } | Refusal::Denied { .. } => Refused::Denied,
                };
                Fault::Refused { refused, addr }
            }
        }
    }

    fn abort(self, kind: Kind, lower: bool) -> Abort {
        let (class, level) = match self {
            // An address outside of the region is reported at level 0 (Arm ARM, D8.2.7)
            Refusal::NotCanonical => (AbortClass::Translation, 4),
            Refusal::Absent { level } | Refusal::Reserved { level, bits: 0 } => {
                (AbortClass::Translation, level)
            }
            Refusal::Reserved { level, .. } => (AbortClass::AddressSize, level),
            Refusal::Denied { level, .. } => (AbortClass::Permission, level),
        };
        Abort {
            class,
            level: 4 - level,
            fetch: kind == Kind::Fetch,
            write: kind == Kind::Store,
            lower,
        }
    }
}

/// As the processor's manual names it, without the address.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Page { code, .. } => {
                let why = match code.0 {
                    code if code & PageFaultCode::RESERVED != 0 => "reserved bit",
                    code if code & PageFaultCode::PRESENT != 0 => "rights",
                    _ => "not present",
                };
                write!(f, "#PF {code:?} {why}")
            }
            Fault::GeneralProtection { code } => write!(f, "#GP {code:#x} not canonical"),
            Fault::EptViolation { qualification, .. } => {
                write!(f, "EPT violation {qualification:?}")
            }
            Fault::EptMisconfiguration { .. } => f.write_str("EPT misconfiguration"),
            Fault::Abort { abort, .. } => write!(f, "{abort}"),
            Fault::Trap { cause, .. } => write!(f, "{cause}"),
            Fault::Refused { refused, .. } => write!(f, "{refused}"),
        }
    }
}

impl fmt::Display for Abort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let class = match self.class {
            AbortClass::AddressSize => "address size",
            AbortClass::Translation => "translation",
            AbortClass::AccessFlag => "access flag",
            AbortClass::Permission => "permission",
        };
        let abort = if self.fetch {
            "instruction abort"
        } else {
            "data abort"
        };
        write!(f, "{abort}, {class} fault, level {}", self.level)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refused::Address => "address error",
            Refused::Invalid => "page invalid",
            Refused::Denied => "page modification, inhibition or privilege",
        })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.write_str("instruction access fault (1)"),
            5 => f.write_str("load access fault (5)"),
            7 => f.write_str("store access fault (7)"),
            12 => f.write_str("instruction page fault (12)"),
            13 => f.write_str("load page fault (13)"),
            15 => f.write_str("store page fault (15)"),
            cause => write!(f, "cause {cause}"),
        }
    }
}
