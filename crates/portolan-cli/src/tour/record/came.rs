//! What came of an access, in each architecture's words.

use super::Hex;
use portolan_machine::fault::{Abort, AbortClass, Cause, PageFaultCode, Qualification, Refused};
use portolan_machine::{Fault, Outcome};
use serde::Serialize;

/// What came of an access.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Came {
    /// A load read this.
    Loaded {
        /// The word.
        value: Hex,
    },
    /// A store was made.
    Stored,
    /// Code was executed, which left this number in its register.
    Executed {
        /// The number.
        number: u32,
    },
    /// x86_64: a page fault.
    PageFault {
        /// The error code.
        code: u32,
        /// What its bits say.
        words: Vec<&'static str>,
        /// The address that the processor reports.
        cr2: Hex,
    },
    /// x86_64: a general protection exception.
    GeneralProtection {
        /// The error code.
        code: u32,
    },
    /// Extended page tables: an exit for an access that the entries don't allow.
    EptViolation {
        /// The lowest bits of the exit qualification.
        qualification: u32,
        /// What they say.
        words: Vec<&'static str>,
        /// The guest-physical address that the processor reports.
        guest_physical: Hex,
    },
    /// Extended page tables: an exit for an entry that makes no sense.
    EptMisconfiguration {
        /// The guest-physical address that the processor reports.
        guest_physical: Hex,
    },
    /// AArch64: a data or an instruction abort.
    Abort {
        /// What the syndrome register says.
        words: Vec<&'static str>,
        /// The level of the walk, as the architecture counts.
        level: u8,
        /// The address that the processor reports.
        far: Hex,
    },
    /// RISC-V: a page fault or an access fault.
    Trap {
        /// The cause.
        cause: u64,
        /// What it stands for.
        words: Vec<&'static str>,
        /// The address that the processor reports.
        stval: Hex,
    },
    /// LoongArch64: an exception of the memory management unit.
    Refused {
        /// What it stands for.
        words: Vec<&'static str>,
        /// The address that the processor reports.
        badv: Hex,
    },
    /// Something was executed that is no code.
    Astray {
        /// The exception in which it ended.
        exception: u8,
    },
}

impl From<Outcome> for Came {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Loaded(value) => Came::Loaded { value: Hex(value) },
            Outcome::Stored => Came::Stored,
            Outcome::Fetched(number) => Came::Executed { number },
            Outcome::Fault(fault) => fault.into(),
            Outcome::Astray { exception } => Came::Astray { exception },
        }
    }
}

impl From<Fault> for Came {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Page { code, addr } => Came::PageFault {
                code: code.0,
                words: fault_words(code),
                cr2: Hex(addr),
            },
            Fault::GeneralProtection { code } => Came::GeneralProtection { code },
            Fault::EptViolation {
                qualification,
                addr,
            } => Came::EptViolation {
                qualification: qualification.0,
                words: violation_words(qualification),
                guest_physical: Hex(addr),
            },
            Fault::EptMisconfiguration { addr } => Came::EptMisconfiguration {
                guest_physical: Hex(addr),
            },
            Fault::Abort { abort, addr } => Came::Abort {
                words: abort_words(abort),
                level: abort.level,
                far: Hex(addr),
            },
            Fault::Trap { cause, addr } => Came::Trap {
                cause: cause.0,
                words: trap_words(cause),
                stval: Hex(addr),
            },
            Fault::Refused { refused, addr } => Came::Refused {
                words: vec![match refused {
                    Refused::Address => "address error",
                    Refused::Invalid => "page invalid",
                    Refused::Denied => "not allowed",
                }],
                badv: Hex(addr),
            },
        }
    }
}

/// What the exit qualification says (Intel SDM vol. 3, table 29-7): what was done, and whether there is a page at all.
fn violation_words(Qualification(bits): Qualification) -> Vec<&'static str> {
    let done = match bits & 7 {
        1 => "load",
        2 => "store",
        _ => "fetch",
    };
    let there = match bits >> 3 & 7 {
        0 => "not present",
        _ => "present",
    };
    vec![there, done]
}

/// What ESR says of an abort (Arm ARM, D24.2.40).
fn abort_words(abort: Abort) -> Vec<&'static str> {
    let class = match abort.class {
        AbortClass::AddressSize => "address size",
        AbortClass::Translation => "translation",
        AbortClass::AccessFlag => "access flag",
        AbortClass::Permission => "permission",
    };
    let done = match (abort.fetch, abort.write) {
        (true, _) => "fetch",
        (false, true) => "store",
        (false, false) => "load",
    };
    vec![class, done]
}

/// What the cause says (RISC-V privileged specification, "Supervisor Cause Register").
fn trap_words(Cause(cause): Cause) -> Vec<&'static str> {
    match cause {
        12 => vec!["page fault", "fetch"],
        13 => vec!["page fault", "load"],
        15 => vec!["page fault", "store"],
        1 => vec!["access fault", "fetch"],
        5 => vec!["access fault", "load"],
        7 => vec!["access fault", "store"],
        _ => vec!["no fault of an access"],
    }
}

/// What the bits of a page fault's error code say (Intel SDM vol. 3, figure 5-12).
fn fault_words(code: PageFaultCode) -> Vec<&'static str> {
    let has = |bit| code.0 & bit != 0;
    let either = |bit, set, clear| if has(bit) { set } else { clear };
    let mut words = vec![either(PageFaultCode::PRESENT, "present", "not present")];
    words.push(either(PageFaultCode::USER, "user", "supervisor"));
    words.push(
        match (has(PageFaultCode::FETCH), has(PageFaultCode::WRITE)) {
            (true, _) => "fetch",
            (false, true) => "store",
            (false, false) => "load",
        },
    );
    if has(PageFaultCode::RESERVED) {
        words.push("reserved bit");
    }
    words
}
