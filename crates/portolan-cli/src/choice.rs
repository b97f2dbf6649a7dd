//! Which machine a tour is on, and what is to be said of it.

use crate::arch::Arch;
use crate::arguments::TourMachine;
use portolan_machine::{
    Caching, KvmConfig, KvmMachine, Machine, MachineError, SoftConfig, SoftMachine,
};
use serde::Serialize;

/// A machine.
pub enum Chosen {
    /// Software.
    Soft(SoftMachine),
    /// A guest of `/dev/kvm`.
    Kvm(KvmMachine),
}

/// What is to be said of a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Introduction {
    /// `soft` or `kvm`.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
    /// Who walks the tables.
    pub walker: String,
    /// Why it is not a guest, if one was tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_guest: Option<String>,
    /// Which architecture's tables it walks.
    pub arch: Arch,
    /// Levels of the walk.
    pub levels: u8,
    /// The width of physical addresses.
    pub physical_bits: u8,
}

/// The machine that is wished for, that walks tables of `arch`, and that can do accesses at the addresses `used`. `open`
/// makes a guest.
///
/// # Errors
/// A guest is wished for, and there can be none.
pub fn choose(
    wish: TourMachine,
    arch: Arch,
    used: &[u64],
    open: impl FnOnce() -> Result<KvmMachine, MachineError>,
) -> Result<(Chosen, Introduction), MachineError> {
    let foreign = || MachineError::Unavailable {
        reason: format!("/dev/kvm: its guests have tables of x86_64, not {arch}"),
    };
    let no_guest = match wish {
        TourMachine::Soft => None,
        TourMachine::Kvm if arch != Arch::X86_64 => return Err(foreign()),
        TourMachine::Auto if arch != Arch::X86_64 => None,
        TourMachine::Kvm => return guest(used, open).map(introduce_guest),
        TourMachine::Auto => match guest(used, open) {
            Ok(guest) => return Ok(introduce_guest(guest)),
            Err(error) => Some(reason(&error)),
        },
    };
    let config = SoftConfig {
        regime: arch.regime(),
        cpus: 1,
        phys_bits: 40,
        caching: Caching::Hoard,
        ..SoftConfig::default()
    };
    let machine = SoftMachine::new(config);
    let introduction = Introduction {
        name: "soft",
        about: "a processor in software, which keeps every translation for as long as it may",
        walker: format!(
            "by the manual ({}), in code of the machine's own",
            arch.manual()
        ),
        no_guest,
        arch,
        levels: machine.regime().levels(),
        physical_bits: machine.memory().phys_bits(),
    };
    Ok((Chosen::Soft(machine), introduction))
}

/// A guest of the host.
///
/// # Errors
/// What the host can't do.
pub fn open_guest() -> Result<KvmMachine, MachineError> {
    KvmMachine::new(KvmConfig::default())
}

/// Why there is no guest.
pub fn reason(error: &MachineError) -> String {
    match error {
        MachineError::Unavailable { reason } => reason.clone(),
        error => error.to_string(),
    }
}

fn guest(
    used: &[u64],
    open: impl FnOnce() -> Result<KvmMachine, MachineError>,
) -> Result<KvmMachine, MachineError> {
    let guest = open()?;
    let taken = |va: &&u64| guest.reserved().iter().any(|range| range.contains(va));
    match used.iter().find(taken) {
        None => Ok(guest),
        Some(va) => Err(MachineError::Unavailable {
            reason: format!("/dev/kvm: a guest of this host can't use {va:#x}"),
        }),
    }
}

fn introduce_guest(guest: KvmMachine) -> (Chosen, Introduction) {
    let introduction = Introduction {
        name: "kvm",
        about: "a guest on this host's processor, through /dev/kvm",
        walker: guest.paging().to_string(),
        no_guest: None,
        arch: Arch::X86_64,
        levels: guest.regime().levels(),
        physical_bits: guest.memory().phys_bits(),
    };
    (Chosen::Kvm(guest), introduction)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none() -> Result<KvmMachine, MachineError> {
        Err(MachineError::Unavailable {
            reason: "/dev/kvm: no such file".to_owned(),
        })
    }

    #[test]
    fn software_stands_in_for_a_guest_and_says_why() {
        let (chosen, introduction) = choose(TourMachine::Auto, Arch::X86_64, &[], none).unwrap();
        assert!(matches!(chosen, Chosen::Soft(_)));
        assert_eq!(
            introduction.no_guest.as_deref(),
            Some("/dev/kvm: no such file")
        );
    }

    #[test]
    fn a_guest_that_is_asked_for_is_not_replaced() {
        let error = choose(TourMachine::Kvm, Arch::X86_64, &[], none).err();
        assert_eq!(error, none().err());
    }

    #[test]
    fn software_that_is_asked_for_needs_no_guest() {
        let (_, introduction) =
            choose(TourMachine::Soft, Arch::X86_64, &[], || panic!("opened")).unwrap();
        assert_eq!(introduction.no_guest, None);
    }

    #[test]
    fn a_guest_has_no_tables_of_another_architecture() {
        let wish = |wish| choose(wish, Arch::X86_64La57, &[], || panic!("opened"));
        assert!(matches!(
            wish(TourMachine::Kvm).err(),
            Some(MachineError::Unavailable { .. })
        ));
        let (chosen, introduction) = wish(TourMachine::Auto).unwrap();
        assert!(matches!(chosen, Chosen::Soft(_)));
        assert_eq!((introduction.levels, introduction.no_guest), (5, None));
    }

    #[test]
    fn a_guest_that_cannot_use_an_address_is_not_taken() {
        let Ok(guest) = open_guest() else { return };
        let own = *guest.reserved()[0].start();
        let (_, introduction) =
            choose(TourMachine::Auto, Arch::X86_64, &[own], || Ok(guest)).unwrap();
        assert!(introduction.no_guest.unwrap().contains("can't use"));
    }
}
