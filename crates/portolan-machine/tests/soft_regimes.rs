//! The software machine does what the manuals of the other architectures say, on tables written by hand.

use Privilege::{Supervisor, User};
use portolan::{PhysAddr, TableMemory};
use portolan_machine::fault::{Abort, AbortClass, Cause, Qualification, Refused};
use portolan_machine::walk::{Granule, Regime, Region};
use portolan_machine::{
    Access, Caching, Fault, Isa, Kind, Machine, MachineError, Outcome, Privilege, SoftConfig,
    SoftMachine,
};

const ARM1: Regime = Regime::Arm1 {
    granule: Granule::Size4K,
    va_bits: 48,
    region: Region::Lower,
};
const ARM2: Regime = Regime::Arm2 { ipa_bits: 48 };
const SV39: Regime = Regime::Riscv { levels: 3 };
const LOONGARCH: Regime = Regime::LoongArch {
    granule: Granule::Size4K,
    va_bits: 47,
    region: Region::Lower,
};

const FRAME: u64 = 0x1_2345_6000;
const OTHER: u64 = 0x1_2345_7000;

/// A machine with one chain of tables for address 0, root first, all of which grant everything to everyone.
struct Chain {
    machine: SoftMachine,
    tables: Vec<PhysAddr>,
}

/// An entry that refers to a table.
fn table(regime: Regime, table: PhysAddr) -> u64 {
    match regime {
        Regime::Riscv { .. } => table.as_u64() >> 2 | 1,
        Regime::Arm1 { .. } | Regime::Arm2 { .. } => table.as_u64() | 3,
        Regime::X86_64 { .. } | Regime::Ept => table.as_u64() | 7,
        Regime::LoongArch { .. } => table.as_u64() | 1,
    }
}

/// An entry of level 1 that maps a page.
fn page(regime: Regime, frame: u64) -> u64 {
    match regime {
        // User, read, write, execute
        Regime::Riscv { .. } => frame >> 2 | 0x1f,
        // Valid page, inner shareable, for EL0, read-only until stored to, accessed flag clear
        Regime::Arm1 { .. } => frame | 1 << 51 | 0x3c3,
        // Write-back, readable, writable once stored to
        Regime::Arm2 { .. } => frame | 1 << 51 | 0x37f,
        Regime::Ept => frame | 0x37,
        Regime::X86_64 { .. } => frame | 7,
        // Coherent cached, for programs, writable, valid
        Regime::LoongArch { .. } => frame | 0x1f,
    }
}

impl Chain {
    fn new(regime: Regime) -> Self {
        Self::with(SoftConfig {
            regime,
            caching: Caching::Hoard,
            cpus: 1,
            ..SoftConfig::default()
        })
    }

    fn with(config: SoftConfig) -> Self {
        let (regime, machine) = (config.regime, SoftMachine::new(config));
        let frame = |_| machine.memory().alloc_zeroed(4096).unwrap();
        let tables: Vec<_> = (0..regime.levels()).map(frame).collect();
        let chain = Chain { machine, tables };
        for depth in 1..chain.tables.len() {
            chain.set(depth - 1, 0, table(regime, chain.tables[depth]));
        }
        chain.set_page(0, page(regime, FRAME));
        let code = Isa::of(regime).code_word(7);
        chain.machine.memory().store(PhysAddr::new(FRAME), code);
        chain.machine.set_root(0, Some(chain.tables[0])).unwrap();
        chain
    }

    fn set(&self, depth: usize, index: usize, word: u64) {
        // SAFETY: the table was allocated in `with` and is never freed
        unsafe { self.machine.memory().write(self.tables[depth], index, word) }
    }

    /// Writes an entry of level 1.
    fn set_page(&self, index: usize, word: u64) {
        self.set(self.tables.len() - 1, index, word);
    }

    fn page(&self) -> u64 {
        self.machine
            .memory()
            .load(self.tables[self.tables.len() - 1])
    }

    fn try_at(&self, va: u64, kind: Kind, privilege: Privilege) -> Result<Outcome, MachineError> {
        let value = 1;
        let access = Access {
            va,
            kind,
            privilege,
            value,
        };
        self.machine
            .access(0, &[access])
            .map(|outcomes| outcomes[0])
    }

    fn at(&self, va: u64, kind: Kind, privilege: Privilege) -> Outcome {
        self.try_at(va, kind, privilege).unwrap()
    }

    fn load(&self, va: u64) -> Outcome {
        self.at(va, Kind::Load, User)
    }
}

fn loaded(regime: Regime) -> Outcome {
    Outcome::Loaded(Isa::of(regime).code_word(7))
}

fn is_fault(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Fault(_))
}

#[test]
fn accesses_reach_the_frame_and_leave_marks() {
    for (regime, marks) in [
        (Regime::Ept, 0x300),
        (ARM1, 0x400),
        (ARM2, 0x480),
        (SV39, 0xc0),
        (Regime::Riscv { levels: 5 }, 0xc0),
    ] {
        let chain = Chain::new(regime);
        assert_eq!(chain.load(0), loaded(regime));
        assert_eq!(
            chain.at(0, Kind::Fetch, User),
            Outcome::Fetched(7),
            "{regime:?}"
        );
        let before = chain.page();
        assert_eq!(
            chain.at(0, Kind::Store, User),
            Outcome::Stored,
            "{regime:?}"
        );
        assert_eq!(chain.page() & marks, marks, "{regime:?}");
        // At stage 1, a store clears AP[2]; everywhere else it sets a bit
        assert_eq!(
            before ^ chain.page(),
            if regime == ARM1 {
                0x80
            } else {
                marks & !0x440 & !0x100
            }
        );
        assert_eq!(chain.machine.memory().load(PhysAddr::new(FRAME)), 1);
    }
}

#[test]
fn an_abort_tells_the_class_the_level_and_where_it_came_from() {
    let abort = |class, level, fetch, write, lower, addr| {
        let abort = Abort {
            class,
            level,
            fetch,
            write,
            lower,
        };
        Outcome::Fault(Fault::Abort { abort, addr })
    };
    let chain = Chain::new(ARM1);
    let (translation, permission) = (AbortClass::Translation, AbortClass::Permission);
    // The page below and the root entry beside
    assert_eq!(
        chain.load(0x1000),
        abort(translation, 3, false, false, true, 0x1000)
    );
    assert_eq!(
        chain.at(1 << 40, Kind::Store, Supervisor),
        abort(translation, 0, false, true, false, 1 << 40)
    );
    // What EL0 can write to, EL1 does not execute
    assert_eq!(
        chain.at(0, Kind::Fetch, Supervisor),
        abort(permission, 3, true, false, false, 0)
    );
    // The other region's
    let other = u64::MAX - 7;
    assert_eq!(
        chain.load(other),
        abort(translation, 0, false, false, true, other)
    );
    chain.set_page(2, page(ARM1, 1 << 49 | FRAME));
    assert_eq!(
        chain.load(0x2000),
        abort(AbortClass::AddressSize, 3, false, false, true, 0x2000)
    );

    let chain = Chain::new(ARM2);
    chain.set_page(2, page(ARM2, FRAME) & !0x40);
    assert_eq!(
        chain.at(0x2000, Kind::Load, Supervisor),
        abort(permission, 3, false, false, true, 0x2000)
    );
}

#[test]
fn a_valid_descriptor_is_broken_before_another_is_made() {
    for regime in [ARM1, ARM2] {
        // Another frame, a block, another cache policy
        let was = page(regime, FRAME);
        for new in [page(regime, OTHER), was & !2, was ^ 1 << 2] {
            let chain = Chain::new(regime);
            chain.set_page(0, new);
            let noticed = chain.try_at(0, Kind::Load, User);
            assert!(
                matches!(noticed, Err(MachineError::NotBroken { .. })),
                "{noticed:?}"
            );
        }
        // Rights may change in place
        let chain = Chain::new(regime);
        chain.load(0);
        chain.set_page(0, was | 1 << 54);
        assert_eq!(chain.load(0), loaded(regime));
    }
}

#[test]
fn to_break_a_descriptor_takes_an_invalidation() {
    let remade = |invalidate: fn(&SoftMachine)| {
        let chain = Chain::new(ARM1);
        chain.load(0);
        chain.set_page(0, 0);
        invalidate(&chain.machine);
        chain.set_page(0, page(ARM1, OTHER));
        // A store goes to memory first to have the page marked as dirty
        chain.try_at(0, Kind::Store, User)
    };
    let left_out = remade(|_| ());
    let elsewhere = remade(|machine| machine.invalidate_page(0, 0x1000).unwrap());
    for noticed in [left_out, elsewhere] {
        assert!(
            matches!(noticed, Err(MachineError::NotBroken { .. })),
            "{noticed:?}"
        );
    }
    assert_eq!(
        remade(|machine| machine.invalidate_page(0, 0xff8).unwrap()),
        Ok(Outcome::Stored)
    );
}

#[test]
fn a_table_is_broken_before_a_block_is_made() {
    // A processor that now starts at the table it remembers, and now at the root
    let made = |invalidate: &dyn Fn(&SoftMachine)| {
        let chain = Chain::with(SoftConfig {
            regime: ARM1,
            cpus: 1,
            ..SoftConfig::default()
        });
        (0..20).for_each(|_| assert_eq!(chain.load(0), loaded(ARM1)));
        chain.set_page(0, 0);
        chain.set(2, 0, 0);
        invalidate(&chain.machine);
        chain.set(2, 0, 0x4000_0000 | 0x7c1);
        (0..50).all(|_| chain.try_at(0x1000, Kind::Load, User) == Ok(Outcome::Loaded(0)))
    };
    assert!(!made(&|machine| machine.invalidate_leaf(0, 0).unwrap()));
    assert!(made(&|machine| machine.invalidate_page(0, 0).unwrap()));
}

#[test]
fn a_fault_drops_nothing_where_the_manual_does_not_say_so() {
    for regime in [ARM1, SV39] {
        let chain = Chain::new(regime);
        let all = page(regime, FRAME);
        let none = if regime == ARM1 {
            all | 1 << 54
        } else {
            all & !8
        };
        chain.set_page(0, none);
        chain.load(0);
        chain.set_page(0, all);
        let fetch = || chain.at(0, Kind::Fetch, User);
        // More rights need a flush
        assert!(is_fault(fetch()) && is_fault(fetch()), "{regime:?}");
        chain.machine.invalidate_page(0, 0).unwrap();
        assert_eq!(fetch(), Outcome::Fetched(7), "{regime:?}");
    }
}

#[test]
fn upper_entries_are_forgotten_as_each_architecture_says() {
    // A page that was never used, in a table that is unlinked; is it found, after an invalidation elsewhere?
    let found = |regime, invalidate: &dyn Fn(&SoftMachine)| {
        let chain = Chain::new(regime);
        chain.load(0);
        chain.set_page(1, page(regime, FRAME));
        chain.set(0, 0, 0);
        invalidate(&chain.machine);
        chain.load(0x1000) == loaded(regime)
    };
    let (here, elsewhere) = (0x0, 0x20_0000_0000);
    for regime in [ARM1, ARM2, SV39, Regime::Ept] {
        assert!(found(regime, &|_| ()), "{regime:?}");
        assert!(
            !found(regime, &|machine| machine.invalidate_page(0, here).unwrap()),
            "{regime:?}"
        );
        // TLBI by address leaves tables for other addresses, INVEPT has no address
        assert_eq!(
            found(regime, &|machine| machine
                .invalidate_page(0, elsewhere)
                .unwrap()),
            matches!(regime, Regime::Arm1 { .. } | Regime::Arm2 { .. }),
            "{regime:?}"
        );
    }
    // TLBI for the last level, SFENCE.VMA with an address: no upper table
    for regime in [ARM1, SV39] {
        assert!(
            found(regime, &|machine| machine.invalidate_leaf(0, here).unwrap()),
            "{regime:?}"
        );
    }
}

#[test]
fn what_is_not_there_may_be_remembered_on_riscv_alone() {
    for absent in [false, true] {
        let chain = Chain::with(SoftConfig {
            regime: SV39,
            absent,
            caching: Caching::Hoard,
            ..SoftConfig::default()
        });
        let missing = Outcome::Fault(Fault::Trap {
            cause: Cause(13),
            addr: 0x1000,
        });
        assert_eq!(chain.load(0x1000), missing);
        chain.set_page(1, page(SV39, FRAME));
        assert_eq!(
            chain.load(0x1000),
            if absent { missing } else { loaded(SV39) }
        );
        chain.machine.invalidate_leaf(0, 0x1000).unwrap();
        assert_eq!(chain.load(0x1000), loaded(SV39));
    }
}

#[test]
fn loongarch_remembers_pairs_as_a_whole() {
    let missing = Outcome::Fault(Fault::Refused {
        refused: Refused::Invalid,
        addr: 0x1000,
    });
    for absent in [false, true] {
        let chain = Chain::with(SoftConfig {
            regime: LOONGARCH,
            absent,
            caching: Caching::Hoard,
            ..SoftConfig::default()
        });
        // Of what is not there, nothing is filled
        assert_eq!(chain.load(0x1000), missing);
        chain.set_page(1, page(LOONGARCH, FRAME));
        assert_eq!(chain.load(0x1000), loaded(LOONGARCH));
        chain.set_page(1, 0);
        chain.machine.invalidate_leaf(0, 0x1000).unwrap();
        // Of a pair, both
        assert_eq!(chain.load(0), loaded(LOONGARCH));
        chain.set_page(1, page(LOONGARCH, FRAME));
        let half = if absent { missing } else { loaded(LOONGARCH) };
        assert_eq!(chain.load(0x1000), half);
        chain.machine.invalidate_leaf(0, 0).unwrap();
        assert_eq!(chain.load(0x1000), loaded(LOONGARCH));
        // The first came with the second
        chain.set_page(0, 0);
        assert_eq!(chain.load(0), loaded(LOONGARCH));
        chain.machine.invalidate_leaf(0, 0x1000).unwrap();
        assert!(is_fault(chain.load(0)));
    }
}

#[test]
fn loongarch_tells_why_it_refuses() {
    let chain = Chain::new(LOONGARCH);
    let why = |outcome| match outcome {
        Outcome::Fault(Fault::Refused { refused, .. }) => refused,
        outcome => panic!("{outcome:?}"),
    };
    assert_eq!(why(chain.load(0x2000)), Refused::Invalid);
    assert_eq!(why(chain.load(1 << 47)), Refused::Address);
    // The other region, in which nothing is mapped
    assert_eq!(why(chain.load(u64::MAX << 47)), Refused::Invalid);
    // PLV 0 and no D
    chain.set_page(2, FRAME | 0x11);
    assert_eq!(why(chain.load(0x2000)), Refused::Denied);
    assert_eq!(
        why(chain.at(0x2000, Kind::Store, Supervisor)),
        Refused::Denied
    );
    assert_eq!(
        chain.at(0x2000, Kind::Fetch, Supervisor),
        Outcome::Fetched(7)
    );
}

#[test]
fn riscv_tells_page_faults_from_access_faults() {
    let chain = Chain::new(SV39);
    let trap = |outcome| match outcome {
        Outcome::Fault(Fault::Trap { cause, .. }) => cause.0,
        outcome => panic!("{outcome:?}"),
    };
    assert_eq!(
        Kind::ALL.map(|kind| trap(chain.at(0x1000, kind, User))),
        [13, 15, 12]
    );
    // S-mode does not execute what is U-mode's
    assert_eq!(trap(chain.at(0, Kind::Fetch, Supervisor)), 12);
    // Not canonical
    assert_eq!(trap(chain.load(1 << 38)), 13);
    // A frame that the machine doesn't have
    chain.set_page(1, page(SV39, 1 << 50));
    assert_eq!(
        Kind::ALL.map(|kind| trap(chain.at(0x1000, kind, User))),
        [5, 7, 1]
    );
}

#[test]
fn an_ept_violation_tells_what_was_done_and_what_is_allowed() {
    let chain = Chain::new(Regime::Ept);
    let violation = |bits, addr| {
        let qualification = Qualification(bits);
        Outcome::Fault(Fault::EptViolation {
            qualification,
            addr,
        })
    };
    assert_eq!(chain.load(0x1000), violation(0x01, 0x1000));
    assert_eq!(
        chain.at(1 << 48, Kind::Fetch, User),
        violation(0x04, 1 << 48)
    );
    // Execute-only, for both modes alike
    chain.set_page(1, page(Regime::Ept, FRAME) & !3);
    for privilege in Privilege::ALL {
        assert_eq!(
            chain.at(0x1000, Kind::Store, privilege),
            violation(0x22, 0x1000)
        );
        assert_eq!(
            chain.at(0x1000, Kind::Fetch, privilege),
            Outcome::Fetched(7)
        );
    }
    // Writable, but not readable
    chain.set_page(2, page(Regime::Ept, FRAME) & !1);
    let misconfigured = Outcome::Fault(Fault::EptMisconfiguration { addr: 0x2000 });
    assert_eq!(chain.load(0x2000), misconfigured);
}

#[test]
fn syndromes_are_read_as_the_manual_writes_them() {
    // EC 0x24, a data abort from a lower exception level; WnR; a permission fault at level 2
    let abort = Abort::from_esr(0x24 << 26 | 1 << 6 | 0x0e).unwrap();
    assert_eq!(abort.to_string(), "data abort, permission fault, level 2");
    assert!(abort.write && abort.lower && !abort.fetch);
    // EC 0x21, an instruction abort from the same one; a translation fault at level 0
    let abort = Abort::from_esr(0x21 << 26 | 0x04).unwrap();
    assert_eq!(
        abort.to_string(),
        "instruction abort, translation fault, level 0"
    );
    assert!(!abort.write && !abort.lower && abort.fetch);
    // An alignment fault, and no abort at all
    assert_eq!(
        [0x25 << 26 | 0x21, 0x15 << 26].map(Abort::from_esr),
        [None, None]
    );
}
