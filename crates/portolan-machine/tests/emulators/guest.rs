//! What a user of the guest relies on, whatever the walk says.

use crate::bench::Bench;
use crate::qemu::start;
use portolan::PhysAddr;
use portolan_machine::qemu::{Answer, QemuConfig, QemuMachine, code_word};
use portolan_machine::walk::Regime;
use portolan_machine::{Access, MachineError, Privilege};
use std::time::Duration;

type Guest = Bench<QemuMachine>;

/// A guest with one small page, where its address leads to, and a mode that may do everything there.
fn with_page(regime: Regime, config: QemuConfig) -> Option<(Guest, PhysAddr, Privilege)> {
    let bench = start(regime, config)?;
    bench.write(&bench.chain(1, bench.page(1), 0));
    let target = PhysAddr::new(bench.frame() + (bench.va & (regime.span(1) - 1)));
    Some((bench, target, Privilege::User))
}

/// Performs one access.
fn perform(bench: &Guest, access: Access) -> Answer {
    let answers = bench.machine.access(&[access]);
    answers.expect("the guest answers")[0]
}

/// Code that the host wrote is what is executed, even if other code was executed there before.
pub fn code_is_what_was_stored_last(regime: Regime) {
    let Some((bench, target, mode)) = with_page(regime, QemuConfig::default()) else {
        return;
    };
    for number in [1, 2, 0x03ff_ffff, 0x0155_5555] {
        bench.memory().store(target, code_word(regime, number));
        let answer = perform(&bench, Access::fetch(bench.va, mode));
        assert_eq!(answer, Answer::Fetched(number));
    }
}

/// A page that was unmapped and invalidated, or whose root was unloaded, is gone.
pub fn invalidation_takes_effect(regime: Regime) {
    let Some((bench, target, mode)) = with_page(regime, QemuConfig::default()) else {
        return;
    };
    let load = Access::load(bench.va, mode);
    bench.memory().store(target, 42);
    let (mapped, gone) = (bench.chain(1, bench.page(1), 0), bench.chain(1, 0, 0));
    let invalidations: [&dyn Fn(); 3] = [
        &|| bench.machine.invalidate_page(bench.va).expect("answers"),
        &|| bench.machine.invalidate_all().expect("answers"),
        &|| {
            bench.machine.set_root(None).expect("answers");
            bench.machine.invalidate_all().expect("answers");
        },
    ];
    for invalidate in invalidations {
        bench.load_root();
        bench.write(&mapped);
        bench.machine.invalidate_all().expect("answers");
        assert_eq!(perform(&bench, load), Answer::Loaded(42));
        bench.write(&gone);
        invalidate();
        let answer = perform(&bench, load);
        assert!(matches!(answer, Answer::Fault(_)), "{answer:x?}");
    }
}

/// Addresses that the guest's program needs, and such as are not a word's, are refused.
pub fn unusable_addresses_are_refused(regime: Regime) {
    let Some((bench, ..)) = with_page(regime, QemuConfig::default()) else {
        return;
    };
    let reserved = bench.machine.reserved().iter();
    let edges = reserved.flat_map(|range| [*range.start(), range.end() & !7]);
    for va in edges.chain([bench.va + 4]) {
        let answer = bench.machine.access(&[Access::load(va, Privilege::User)]);
        assert_eq!(answer, Err(MachineError::BadAddress { va }));
    }
}

/// Memory that holds no code word ends the fetch, and the guest goes on.
pub fn wild_fetches_end(regime: Regime) {
    let Some((bench, target, mode)) = with_page(regime, QemuConfig::default()) else {
        return;
    };
    bench.memory().store(target, 0);
    let answer = perform(&bench, Access::fetch(bench.va, mode));
    assert!(matches!(answer, Answer::Astray(_)), "{answer:x?}");
    let answer = perform(&bench, Access::load(bench.va, mode));
    assert_eq!(answer, Answer::Loaded(0));
}

/// A page without memory behind it is told from one that isn't there; on x86_64 no load fails.
pub fn missing_memory_is_told(regime: Regime) {
    let Some((bench, _, mode)) = with_page(regime, QemuConfig::default()) else {
        return;
    };
    // The topmost frame that physical addresses reach
    let bits = u32::from(bench.memory().phys_bits().min(47));
    let [frame, data] = [(1 << bits) - 0x1_0000, bench.memory().data()[0].start];
    let page = bench.page(1) ^ crate::format::address(regime, frame ^ data);
    bench.write(&bench.chain(1, page, 0));
    match (regime, perform(&bench, Access::load(bench.va, mode))) {
        (Regime::X86_64 { .. }, Answer::Loaded(_)) => {}
        // Synchronous external abort, not on a walk (Arm ARM D24.2.40)
        (Regime::Arm1 { .. } | Regime::Arm2 { .. }, Answer::Fault(fault)) => {
            assert_eq!(fault.syndrome & 0x3f, 0x10);
        }
        // Load access fault (RISC-V privileged architecture, "Machine Cause Register")
        (Regime::Riscv { .. }, Answer::Fault(fault)) => assert_eq!(fault.cause, 5),
        // ADE, which QEMU has for a bus error
        (Regime::LoongArch { .. }, Answer::Fault(fault)) => assert_eq!(fault.cause, 8),
        (_, answer) => panic!("{answer:x?}"),
    }
}

/// A guest that never comes back is given up, and says so from then on.
pub fn hung_guests_are_given_up(regime: Regime) {
    let patience = Duration::from_secs(4);
    let config = QemuConfig {
        patience,
        ..QemuConfig::default()
    };
    let Some((bench, target, mode)) = with_page(regime, config) else {
        return;
    };
    // A jump to itself
    let endless = match regime {
        Regime::X86_64 { .. } | Regime::Ept => 0xfeeb,
        Regime::Arm1 { .. } | Regime::Arm2 { .. } => 0x1400_0000,
        Regime::Riscv { .. } => 0x6f,
        Regime::LoongArch { .. } => 0x5000_0000,
    };
    bench.memory().store(target, endless);
    let fetch = [Access::fetch(bench.va, mode)];
    let error = bench.machine.access(&fetch).expect_err("it hangs");
    assert!(error.to_string().contains("no answer"), "{error}");
    assert_eq!(bench.machine.access(&fetch), Err(error));
}
