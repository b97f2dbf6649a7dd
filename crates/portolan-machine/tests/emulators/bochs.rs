//! Bochs' processor: extended page tables.

use crate::bench::Bench;
use crate::words;
use portolan::PhysAddr;
use portolan_machine::bochs::{BochsConfig, BochsMachine};
use portolan_machine::{Access, Isa, Machine, MachineError, Outcome, Privilege};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// A guest of its own, or nothing if there is none here.
fn start(config: BochsConfig) -> Option<BochsMachine> {
    match BochsMachine::start(config) {
        Err(MachineError::Unavailable { reason }) => {
            println!("skipped, extended page tables: {reason}");
            None
        }
        started => Some(started.expect("the guest comes up")),
    }
}

/// One guest for all tests, as it takes its time to start.
fn guest() -> Option<MutexGuard<'static, BochsMachine>> {
    static GUEST: OnceLock<Option<Mutex<BochsMachine>>> = OnceLock::new();
    let guest = GUEST.get_or_init(|| start(BochsConfig::default()).map(Mutex::new));
    let lock = |guest: &'static Mutex<_>| guest.lock().unwrap_or_else(PoisonError::into_inner);
    guest.as_ref().map(lock)
}

/// Has a test performed if there is a guest.
fn with_bench(test: impl FnOnce(Bench<BochsMachine>)) {
    if let Some(guest) = guest() {
        test(Bench::new(guest.clone(), false));
    }
}

/// The same with one small page that allows everything: with where its address leads to.
fn with_page(test: impl FnOnce(Bench<BochsMachine>, PhysAddr)) {
    with_bench(|bench| {
        bench.write(&bench.chain(1, bench.page(1), 0));
        let frame = bench.memory().data()[0].start;
        let target = PhysAddr::new(frame + (bench.va & 0xfff));
        test(bench, target);
    });
}

#[test]
fn rights() {
    with_bench(words::rights);
}

#[test]
fn fields() {
    with_bench(words::fields);
}

#[test]
fn flips() {
    with_bench(|bench| words::flips(bench, 0..64));
}

#[test]
fn addresses() {
    with_bench(words::addresses);
}

#[test]
fn random_words() {
    with_bench(|bench| words::random(bench, 1, 500));
}

#[test]
fn code_is_what_was_stored_last() {
    with_page(|bench, target| {
        for number in [1, 2, 0xffff_ffff, 0x5555_5555] {
            let word = Isa::X86_64.code_word(number);
            bench.memory().store(target, word);
            let outcome = bench.access(Access::fetch(bench.va, Privilege::User));
            assert_eq!(outcome, Outcome::Fetched(number));
        }
    });
}

#[test]
fn invalidation_takes_effect() {
    with_page(|bench, target| {
        let load = Access::load(bench.va, Privilege::User);
        bench.memory().store(target, 42);
        let (mapped, gone) = (bench.chain(1, bench.page(1), 0), bench.chain(1, 0, 0));
        let machine = &bench.machine;
        let invalidations: [&dyn Fn() -> Result<(), MachineError>; 3] = [
            &|| machine.invalidate_page(0, bench.va),
            &|| machine.invalidate_all(0),
            &|| machine.set_root(0, None),
        ];
        for invalidate in invalidations {
            bench.load_root();
            bench.write(&mapped);
            machine.invalidate_all(0).expect("answers");
            assert_eq!(bench.access(load), Outcome::Loaded(42));
            bench.write(&gone);
            invalidate().expect("answers");
            let outcome = bench.access(load);
            assert!(matches!(outcome, Outcome::Fault(_)), "{outcome:x?}");
        }
    });
}

#[test]
fn unusable_addresses_are_refused() {
    with_page(|bench, _| {
        for va in [1 << 39, 1 << 48, !7, bench.va + 4] {
            let refused = bench
                .machine
                .access(0, &[Access::load(va, Privilege::User)]);
            assert_eq!(refused, Err(MachineError::BadAddress { va }));
        }
    });
}

#[test]
fn wild_fetches_end() {
    with_page(|bench, target| {
        bench.memory().store(target, 0);
        let outcome = bench.access(Access::fetch(bench.va, Privilege::User));
        assert!(matches!(outcome, Outcome::Astray { .. }), "{outcome:x?}");
        let outcome = bench.access(Access::load(bench.va, Privilege::User));
        assert_eq!(outcome, Outcome::Loaded(0));
    });
}

/// A guest that never comes back is given up, and says so from then on.
#[test]
fn hung_guests_are_given_up() {
    let patience = Duration::from_secs(4);
    let Some(machine) = start(BochsConfig { patience }) else {
        return;
    };
    let bench = Bench::new(machine, false);
    bench.write(&bench.chain(1, bench.page(1), 0));
    let frame = bench.memory().data()[0].start;
    // A jump to itself
    bench
        .memory()
        .store(PhysAddr::new(frame + (bench.va & 0xfff)), 0xfeeb);
    let fetch = [Access::fetch(bench.va, Privilege::User)];
    let error = bench.machine.access(0, &fetch).expect_err("it hangs");
    assert!(error.to_string().contains("no answer"), "{error}");
    assert_eq!(bench.machine.access(0, &fetch), Err(error));
}
