//! The parts of a run: which paging mode on which machine.

use super::{Part, Work};
use crate::arch::{Arch, Visit, VisitHalves};
use crate::choice::reason;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
use portolan::Ept;
use portolan::arch::halves::Halves;
use portolan::{PageSize, PagingMode, X86_64};
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
use portolan_machine::bochs::{BochsConfig, BochsMachine};
use portolan_machine::conformance::{Counts, Failure, Plan, agree, run, run_halves};
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
use portolan_machine::qemu::{QemuConfig, QemuMachine, is_exact};
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
use portolan_machine::walk::Regime;
use portolan_machine::{Caching, KvmMachine, Machine, MachineError, SoftConfig, SoftMachine};

/// Processors in software: with caches that do anything, and for x86_64 also with one that never forgets.
pub(super) fn soft_parts(arch: Arch, full: bool, seed: u64) -> Vec<Work> {
    let config = SoftConfig {
        regime: arch.regime(),
        caching: Caching::Seeded(seed),
        phys_bits: arch.widest(),
        ..SoftConfig::default()
    };
    let hoard = SoftConfig {
        caching: Caching::Hoard,
        phys_bits: 36,
        cpus: 1,
        ..config
    };
    let mut configs = vec![config];
    if arch == Arch::X86_64 {
        configs.push(hoard);
    }
    let part = |config| soft_part(arch, config, full, seed);
    configs.into_iter().map(part).collect()
}

fn soft_part(arch: Arch, config: SoftConfig, full: bool, seed: u64) -> Work {
    let SoftConfig {
        cpus,
        phys_bits,
        caching,
        ..
    } = config;
    let levels = arch.regime().levels();
    let forgets = match caching {
        Caching::Hoard => "that never forget",
        Caching::Seeded(_) => "that forget as they like",
    };
    let name = format!(
        "software, {arch}: {levels} levels, {phys_bits} physical bits, processors {forgets}: {cpus}"
    );
    Box::new(move || {
        let machine = SoftMachine::new(config);
        let plan = if full {
            Plan::full(seed)
        } else {
            Plan::quick(seed)
        };
        let work = |counts: &mut Counts| {
            arch.visit(Suite {
                machine: &machine,
                plan,
                counts,
            })?;
            let shared = arch.visit_halves(Suite {
                machine: &machine,
                plan,
                counts,
            });
            shared.unwrap_or(Ok(()))
        };
        Part::new(&name).timed(work)
    })
}

/// The suite on a machine that any paging mode can be run on.
struct Suite<'a, K> {
    machine: &'a K,
    plan: Plan,
    counts: &'a mut Counts,
}

impl Visit for Suite<'_, SoftMachine> {
    type Answer = Result<(), Failure>;

    fn visit<A: PagingMode>(self) -> Self::Answer {
        run::<A, _>(self.machine, &self.plan, self.counts)
    }
}

impl VisitHalves for Suite<'_, SoftMachine> {
    type Answer = Result<(), Failure>;

    fn visit<A: Halves>(self) -> Self::Answer {
        run_halves::<A, _>(self.machine, &self.plan, self.counts)
    }
}

/// A guest, if there is one, and a guest beside software. It is an error that there is none if it was `asked` for.
pub(super) fn guest_parts(
    guest: Result<KvmMachine, MachineError>,
    asked: bool,
    full: bool,
    seed: u64,
) -> Result<Vec<Work>, MachineError> {
    match guest {
        Ok(guest) => {
            let same = guest.clone();
            Ok(vec![
                Box::new(move || on_guest(&guest, full, seed)),
                Box::new(move || beside_guest(&same, full, seed)),
            ])
        }
        Err(error) if asked => Err(error),
        Err(error) => Ok(vec![Box::new(move || Part {
            skipped: Some(reason(&error)),
            ..Part::new("guest of /dev/kvm")
        })]),
    }
}

/// How much of the suite is run on a guest.
fn guest_plan(full: bool, seed: u64) -> Plan {
    if full {
        Plan::full_guest(seed)
    } else {
        Plan::quick_guest(seed)
    }
}

fn on_guest(guest: &KvmMachine, full: bool, seed: u64) -> Part {
    let plan = guest_plan(full, seed);
    let bits = guest.memory().phys_bits();
    let mut part = Part::new(&format!(
        "guest, 4 levels, {bits} physical bits, 2 processors"
    ));
    part.notes.push(guest.paging().to_string());
    if !guest.supports(PageSize::Size1G) {
        let note = "it has no pages of 1 GiB, so they have to cause faults for a reserved bit";
        part.notes.push(note.to_owned());
    }
    if !guest.misserved().is_empty() {
        let slots = guest.misserved();
        part.notes.push(format!(
            "the host doesn't serve top-level slots {slots:?} right; left out"
        ));
    }
    part.timed(|counts| {
        run::<X86_64, _>(guest, &plan, counts)?;
        run_halves::<X86_64, _>(guest, &plan, counts)
    })
}

fn beside_guest(guest: &KvmMachine, full: bool, seed: u64) -> Part {
    let cases = if full { 3000 } else { 200 };
    let reference = SoftMachine::new(SoftConfig {
        caching: Caching::Hoard,
        phys_bits: guest.memory().phys_bits(),
        ..SoftConfig::default()
    });
    Part::new(&format!(
        "guest beside software, {cases} chains of arbitrary entries"
    ))
    .timed(|counts| agree(&reference, guest, seed, cases, counts))
}

/// QEMU's processors, one after the other, as far as there are any for `arches`. It is an error that there is none if they
/// were `required`.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(super) fn qemu_parts(
    arches: &[Arch],
    required: bool,
    full: bool,
    seed: u64,
) -> Result<Vec<Work>, MachineError> {
    let has_processor = |arch: &&Arch| arch.regime() != Regime::Ept && is_exact(arch.regime());
    let arches: Vec<Arch> = arches.iter().filter(has_processor).copied().collect();
    let Some(first) = arches.first() else {
        let reason =
            "QEMU has no extended page tables, and no LoongArch64 pages of 4 KiB".to_owned();
        return absent("QEMU", MachineError::Unavailable { reason }, required);
    };
    match QemuMachine::start(first.regime(), QemuConfig::default()) {
        Err(error) => absent("QEMU", error, required),
        Ok(_) => Ok(arches
            .into_iter()
            .map(|arch| -> Work { Box::new(move || on_qemu(arch, full, seed)) })
            .collect()),
    }
}

/// There are none here.
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub(super) fn qemu_parts(
    _arches: &[Arch],
    required: bool,
    _full: bool,
    _seed: u64,
) -> Result<Vec<Work>, MachineError> {
    let reason = "QEMU: needs Linux on x86_64".to_owned();
    absent("QEMU", MachineError::Unavailable { reason }, required)
}

/// Stands for the guests of an emulator that there are not. It is an error if they were `required`.
fn absent(
    emulator: &'static str,
    error: MachineError,
    required: bool,
) -> Result<Vec<Work>, MachineError> {
    if required {
        return Err(error);
    }
    Ok(vec![Box::new(move || Part {
        skipped: Some(reason(&error)),
        ..Part::new(&format!("guest of {emulator}"))
    })])
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn on_qemu(arch: Arch, full: bool, seed: u64) -> Part {
    let levels = arch.regime().levels();
    let part = Part::new(&format!(
        "guest of QEMU, {arch}: {levels} levels, 1 processor"
    ));
    let machine = match QemuMachine::start(arch.regime(), QemuConfig::default()) {
        Ok(machine) => machine,
        Err(error) => {
            let skipped = Some(reason(&error));
            return Part { skipped, ..part };
        }
    };
    let plan = guest_plan(full, seed);
    part.timed(|counts| {
        arch.visit(Suite {
            machine: &machine,
            plan,
            counts,
        })?;
        let shared = arch.visit_halves(Suite {
            machine: &machine,
            plan,
            counts,
        });
        shared.unwrap_or(Ok(()))
    })
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
impl Visit for Suite<'_, QemuMachine> {
    type Answer = Result<(), Failure>;

    fn visit<A: PagingMode>(self) -> Self::Answer {
        run::<A, _>(self.machine, &self.plan, self.counts)
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
impl VisitHalves for Suite<'_, QemuMachine> {
    type Answer = Result<(), Failure>;

    fn visit<A: Halves>(self) -> Self::Answer {
        run_halves::<A, _>(self.machine, &self.plan, self.counts)
    }
}

/// Bochs' processor, if extended page tables are among `arches`. It is an error that there is none if it was `required`.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(super) fn bochs_parts(
    arches: &[Arch],
    required: bool,
    full: bool,
    seed: u64,
) -> Result<Vec<Work>, MachineError> {
    if !arches.contains(&Arch::Ept) {
        let reason = "Bochs is asked for extended page tables only".to_owned();
        return match required {
            true => Err(MachineError::Unavailable { reason }),
            false => Ok(Vec::new()),
        };
    }
    match BochsMachine::start(BochsConfig::default()) {
        Err(error) => absent("Bochs", error, required),
        Ok(guest) => Ok(vec![Box::new(move || on_bochs(&guest, full, seed))]),
    }
}

/// There is none here.
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub(super) fn bochs_parts(
    _arches: &[Arch],
    required: bool,
    _full: bool,
    _seed: u64,
) -> Result<Vec<Work>, MachineError> {
    let reason = "Bochs: needs Linux on x86_64".to_owned();
    absent("Bochs", MachineError::Unavailable { reason }, required)
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn on_bochs(guest: &BochsMachine, full: bool, seed: u64) -> Part {
    let bits = guest.memory().phys_bits();
    let mut part = Part::new(&format!(
        "guest of Bochs, {}: {} levels, {bits} physical bits, 1 processor",
        Arch::Ept,
        guest.regime().levels()
    ));
    part.notes.extend([
        "accesses are to the lowest 512 GiB".to_owned(),
        "it forgets all translations at each access, so a missed invalidation doesn't show"
            .to_owned(),
    ]);
    let plan = guest_plan(full, seed);
    part.timed(|counts| run::<Ept, _>(guest, &plan, counts))
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
    fn a_guest_that_is_not_there_is_left_out_with_a_line_that_says_why() {
        let parts: Vec<_> = guest_parts(none(), false, false, 1).unwrap();
        let lines: Vec<_> = parts.iter().map(|part| part().to_string()).collect();
        assert_eq!(
            lines,
            ["guest of /dev/kvm: skipped, /dev/kvm: no such file\n"]
        );
    }

    #[test]
    fn a_guest_that_is_asked_for_and_not_there_is_an_error() {
        let parts = guest_parts(none(), true, false, 1);
        assert_eq!(parts.err(), none().err());
    }
}
