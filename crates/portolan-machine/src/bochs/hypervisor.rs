//! What is said to the hypervisor, and what its reports mean.

use super::{layout, monitor, vmcs};
use crate::access::{Access, Kind, Privilege};
use crate::guest::mailbox::{self, Report, Step};
use crate::guest::{Answer, Fault, Protocol};

pub(super) struct Hypervisor;

/// Bits 7 and 8 of the exit qualification (Intel SDM vol. 3, table 29-7): the guest-linear address is there, and it was
/// its translation that was accessed, not a page table of the guest.
const OWN_ACCESS: u64 = 3 << 7;

/// The EPTP (26.6.11): write-back tables, four levels, accessed and dirty flags.
const EPTP: u64 = 0x5e;

/// The vector of an undefined opcode.
const UNDEFINED: u64 = 6;

impl Protocol for Hypervisor {
    fn access(&self, access: &Access, _area: u64) -> Step {
        let level = match access.privilege {
            Privilege::Supervisor => 0,
            Privilege::User => 3,
        };
        let program = match access.kind {
            Kind::Load => monitor::load()[0],
            Kind::Store => monitor::store()[0],
            Kind::Fetch => monitor::fetch(),
        };
        [
            mailbox::ACCESS.into(),
            access.va,
            access.value,
            layout::OWN + monitor::GUEST + program,
            vmcs::segments(level),
        ]
    }

    fn root(&self, root: u64) -> u64 {
        root | EPTP
    }

    fn answer(&self, access: &Access, report: &Report, _area: u64) -> Option<Answer> {
        let reason = report[monitor::REASON];
        let qualification = report[monitor::QUALIFICATION];
        let fault = Fault {
            cause: reason,
            syndrome: qualification,
            addr: report[monitor::PHYSICAL],
        };
        match reason {
            vmcs::REASON_EXCEPTION => exception(access, report),
            // The misconfiguration has no qualification
            vmcs::REASON_EPT_MISCONFIGURATION => Some(Answer::Fault(fault)),
            vmcs::REASON_EPT_VIOLATION => {
                let is_own = qualification & OWN_ACCESS == OWN_ACCESS
                    && report[monitor::LINEAR] == access.va;
                is_own.then_some(Answer::Fault(fault))
            }
            _ => None,
        }
    }
}

/// What an exception says.
fn exception(access: &Access, report: &Report) -> Option<Answer> {
    let (rip, rax) = (report[monitor::RIP], report[monitor::RAX]);
    let vector = report[monitor::INTERRUPTION] & 0xff;
    let at = |offset| rip == layout::OWN + monitor::GUEST + offset;
    match (vector, access.kind) {
        (UNDEFINED, Kind::Load) if at(monitor::load()[1]) => Some(Answer::Loaded(rax)),
        (UNDEFINED, Kind::Store) if at(monitor::store()[1]) => Some(Answer::Stored),
        (UNDEFINED, Kind::Fetch) if rip == access.va.wrapping_add(5) => {
            Some(Answer::Fetched(rax as u32))
        }
        (0..32, Kind::Fetch) => Some(Answer::Astray(Fault {
            cause: vector,
            syndrome: 0,
            addr: rip,
        })),
        _ => None,
    }
}
