//! The software machine does what the manual says, on tables written by hand.

use portolan::{PhysAddr, TableMemory};
use portolan_machine::fault::PageFaultCode;
use portolan_machine::walk::Regime;
use portolan_machine::{
    Access, Caching, Fault, Isa, Kind, Machine, MachineError, Memory, Outcome, Privilege,
    SoftConfig, SoftMachine,
};

const fn code_word(number: u32) -> u64 {
    Isa::X86_64.code_word(number)
}

const FRAME: u64 = 0x1_2345_6000;
const ALL: u64 = 0x07;

/// A machine with one chain of tables for address 0, whose last entry is at index 3 of the lists.
struct Chain {
    machine: SoftMachine,
    tables: Vec<PhysAddr>,
}

impl Chain {
    fn new(config: SoftConfig) -> Self {
        let machine = SoftMachine::new(config);
        let tables: Vec<_> = (0..config.regime.levels())
            .map(|_| machine.memory().alloc_zeroed(4096).unwrap())
            .collect();
        for pair in tables.windows(2) {
            set(machine.memory(), pair[0], 0, pair[1].as_u64() | ALL);
        }
        set(machine.memory(), *tables.last().unwrap(), 0, FRAME | ALL);
        machine.memory().store(PhysAddr::new(FRAME), code_word(7));
        (0..config.cpus).for_each(|cpu| machine.set_root(cpu, Some(tables[0])).unwrap());
        Chain { machine, tables }
    }

    fn hoarding() -> Self {
        Self::new(SoftConfig {
            caching: Caching::Hoard,
            ..SoftConfig::default()
        })
    }

    /// Sets or clears bits of the entry of the table at `depth`, and drops what is cached.
    fn change(&self, depth: usize, bits: u64) {
        let entry = self.entry(depth);
        set(self.machine.memory(), self.tables[depth], 0, entry ^ bits);
        (0..self.machine.cpus()).for_each(|cpu| self.machine.invalidate_all(cpu).unwrap());
    }

    fn entry(&self, depth: usize) -> u64 {
        self.machine.memory().load(self.tables[depth])
    }

    fn access(&self, kind: Kind, privilege: Privilege) -> Outcome {
        self.at(0, kind, privilege)
    }

    fn at(&self, va: u64, kind: Kind, privilege: Privilege) -> Outcome {
        self.machine
            .access(
                0,
                &[Access {
                    va,
                    kind,
                    privilege,
                    value: code_word(8),
                }],
            )
            .unwrap()[0]
    }
}

fn set(memory: &Memory, table: PhysAddr, index: usize, word: u64) {
    // SAFETY: the tests write only to tables that they allocated and still hold
    unsafe { memory.write(table, index, word) }
}

fn fault_at(code: u32, addr: u64) -> Outcome {
    let code = PageFaultCode(code);
    Outcome::Fault(Fault::Page { code, addr })
}

fn fault(code: u32) -> Outcome {
    fault_at(code, 0)
}

#[test]
fn an_access_reaches_the_frame() {
    for levels in [4, 5] {
        let chain = Chain::new(SoftConfig {
            regime: Regime::X86_64 { levels },
            ..SoftConfig::default()
        });
        assert_eq!(
            chain.access(Kind::Load, Privilege::User),
            Outcome::Loaded(code_word(7))
        );
        assert_eq!(
            chain.access(Kind::Fetch, Privilege::User),
            Outcome::Fetched(7)
        );
        assert_eq!(
            chain.access(Kind::Store, Privilege::Supervisor),
            Outcome::Stored
        );
        assert_eq!(
            chain.machine.memory().load(PhysAddr::new(FRAME)),
            code_word(8)
        );
    }
}

#[test]
fn an_entry_at_any_level_takes_rights_away() {
    for depth in 0..4 {
        let chain = Chain::hoarding();
        chain.change(depth, 1 << 1);
        assert_eq!(chain.access(Kind::Store, Privilege::Supervisor), fault(0x3));
        assert_eq!(chain.access(Kind::Store, Privilege::User), fault(0x7));
        chain.change(depth, 1 << 1 | 1 << 2);
        assert_eq!(chain.access(Kind::Load, Privilege::User), fault(0x5));
        assert_eq!(
            chain.access(Kind::Load, Privilege::Supervisor),
            Outcome::Loaded(code_word(7))
        );
        chain.change(depth, 1 << 2 | 1 << 63);
        assert_eq!(
            chain.access(Kind::Fetch, Privilege::Supervisor),
            fault(0x11)
        );
        assert_eq!(chain.access(Kind::Fetch, Privilege::User), fault(0x15));
        chain.change(depth, 1 << 0);
        assert_eq!(chain.access(Kind::Fetch, Privilege::User), fault(0x14));
        assert_eq!(chain.access(Kind::Store, Privilege::Supervisor), fault(0x2));
    }
}

#[test]
fn reserved_bits_cause_a_fault_of_their_own() {
    let narrow = || {
        Chain::new(SoftConfig {
            phys_bits: 40,
            ..SoftConfig::default()
        })
    };
    for depth in 0..4 {
        for bit in [40, 51] {
            let chain = narrow();
            chain.change(depth, 1 << bit);
            assert_eq!(chain.access(Kind::Store, Privilege::User), fault(0xf));
        }
    }
    // PS in the root's entry; a low bit of a large page's frame
    let chain = narrow();
    chain.change(0, 1 << 7);
    assert_eq!(chain.access(Kind::Load, Privilege::Supervisor), fault(0x9));
    for (depth, bit) in [(1, 13), (1, 29), (2, 13), (2, 20)] {
        let chain = narrow();
        let entry = chain.entry(depth);
        chain.change(depth, entry ^ (1 << bit | 1 << 7 | ALL));
        assert_eq!(
            chain.access(Kind::Fetch, Privilege::Supervisor),
            fault(0x19),
            "{depth}, {bit}"
        );
    }
}

#[test]
fn an_address_that_is_not_canonical_is_a_general_protection_fault() {
    for (levels, first) in [(4, 1u64 << 47), (5, 1 << 56)] {
        let last = first.wrapping_neg();
        let chain = Chain::new(SoftConfig {
            regime: Regime::X86_64 { levels },
            ..SoftConfig::default()
        });
        for va in [first, last - 8] {
            assert_eq!(
                chain.at(va, Kind::Load, Privilege::User),
                Outcome::Fault(Fault::GeneralProtection { code: 0 })
            );
        }
        for va in [first - 8, last] {
            assert!(
                matches!(chain.at(va, Kind::Load, Privilege::User), Outcome::Fault(Fault::Page { addr, .. }) if addr == va)
            );
        }
    }
}

#[test]
fn accessed_and_dirty_bits_are_set_as_entries_are_used() {
    let chain = Chain::hoarding();
    let marks = || [0, 1, 2, 3].map(|depth| chain.entry(depth) >> 5 & 3);
    assert_eq!(marks(), [0, 0, 0, 0]);
    chain.access(Kind::Load, Privilege::User);
    assert_eq!(marks(), [1, 1, 1, 1]);
    // The translation is cached as not dirty: the bit is set before the store is performed
    chain.access(Kind::Store, Privilege::User);
    assert_eq!(marks(), [1, 1, 1, 3]);
}

#[test]
fn a_store_that_is_refused_leaves_no_dirty_bit() {
    let chain = Chain::hoarding();
    chain.change(3, 1 << 1);
    assert_eq!(chain.access(Kind::Store, Privilege::User), fault(0x7));
    assert_eq!(chain.entry(3) & 0x40, 0);
}

#[test]
fn only_global_translations_outlive_a_switch_of_the_root() {
    for global in [false, true] {
        let chain = Chain::hoarding();
        chain.change(3, u64::from(global) << 8);
        let loaded = chain.access(Kind::Load, Privilege::User);
        chain.machine.set_root(0, None).unwrap();
        assert_eq!(
            chain.access(Kind::Load, Privilege::User),
            if global { loaded } else { fault(0x4) }
        );
        chain.machine.invalidate_page(0, 0).unwrap();
        assert_eq!(chain.access(Kind::Load, Privilege::User), fault(0x4));
    }
}

#[test]
fn a_cached_upper_entry_leads_into_an_unlinked_table_until_any_page_is_invalidated() {
    let chain = Chain::hoarding();
    chain.access(Kind::Load, Privilege::User);
    set(chain.machine.memory(), chain.tables[0], 0, 0);
    // A page that was never used: only the upper entries are cached
    set(chain.machine.memory(), chain.tables[3], 1, FRAME | ALL);
    assert_eq!(
        chain.at(0x1000, Kind::Load, Privilege::User),
        Outcome::Loaded(code_word(7))
    );
    chain.machine.invalidate_page(0, 0x7000_0000_0000).unwrap();
    let missing = fault_at(0x4, 0x2000);
    assert_eq!(chain.at(0x2000, Kind::Load, Privilege::User), missing);
}

#[test]
fn a_page_fault_drops_what_led_to_it() {
    let chain = Chain::hoarding();
    chain.change(3, 1 << 1);
    assert_eq!(
        chain.access(Kind::Load, Privilege::User),
        Outcome::Loaded(code_word(7))
    );
    // More rights need no flush: the stale translation causes one fault at most
    set(chain.machine.memory(), chain.tables[3], 0, FRAME | ALL);
    assert_eq!(chain.access(Kind::Store, Privilege::User), fault(0x7));
    assert_eq!(chain.access(Kind::Store, Privilege::User), Outcome::Stored);
}

#[test]
fn every_part_of_a_large_page_is_invalidated_with_it() {
    for seed in 0..50 {
        let chain = Chain::new(SoftConfig {
            caching: Caching::Seeded(seed),
            cpus: 1,
            ..SoftConfig::default()
        });
        set(
            chain.machine.memory(),
            chain.tables[2],
            0,
            0x4000_0000 | ALL | 1 << 7,
        );
        chain.machine.invalidate_all(0).unwrap();
        let parts = (0..512).map(|part| part << 12);
        parts.clone().for_each(|va| {
            assert_eq!(
                chain.at(va, Kind::Load, Privilege::User),
                Outcome::Loaded(0)
            )
        });
        set(chain.machine.memory(), chain.tables[2], 0, 0);
        chain.machine.invalidate_page(0, 0x12_3000).unwrap();
        for va in parts {
            assert!(matches!(
                chain.at(va, Kind::Load, Privilege::User),
                Outcome::Fault(_)
            ));
        }
    }
}

#[test]
fn what_is_not_code_is_not_executed() {
    let chain = Chain::hoarding();
    chain.machine.memory().store(PhysAddr::new(FRAME), 0);
    assert_eq!(
        chain.access(Kind::Fetch, Privilege::User),
        Outcome::Astray { exception: 6 }
    );
}

#[test]
fn wrong_questions_are_refused() {
    let machine = SoftMachine::new(SoftConfig::default());
    let load = Access::load(4, Privilege::User);
    assert_eq!(
        machine.access(0, &[load]),
        Err(MachineError::BadAddress { va: 4 })
    );
    assert_eq!(
        machine.access(2, &[]),
        Err(MachineError::NoSuchCpu { cpu: 2 })
    );
    assert_eq!(
        machine.set_root(2, None),
        Err(MachineError::NoSuchCpu { cpu: 2 })
    );
}
