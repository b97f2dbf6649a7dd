//! The walks, on words put together by hand from the manuals.

use portolan::CachePolicy;
use portolan_machine::walk::{Granule, Leaf, Regime, Region, Rights, Step, Walk, walk};
use std::collections::HashMap;

const X86_64: Regime = Regime::X86_64 { levels: 4 };
const LA57: Regime = Regime::X86_64 { levels: 5 };
const STAGE2: Regime = Regime::Arm2 { ipa_bits: 48 };
const SV39: Regime = Regime::Riscv { levels: 3 };
const SV57: Regime = Regime::Riscv { levels: 5 };

const fn arm(granule: Granule, va_bits: u8, region: Region) -> Regime {
    Regime::Arm1 {
        granule,
        va_bits,
        region,
    }
}

const ARM_4K: Regime = arm(Granule::Size4K, 48, Region::Lower);
const ARM_16K: Regime = arm(Granule::Size16K, 48, Region::Lower);
const ARM_64K: Regime = arm(Granule::Size64K, 48, Region::Upper);

const fn loongarch(granule: Granule, va_bits: u8, region: Region) -> Regime {
    Regime::LoongArch {
        granule,
        va_bits,
        region,
    }
}

const LOONGARCH_4K: Regime = loongarch(Granule::Size4K, 47, Region::Lower);
const LOONGARCH_16K: Regime = loongarch(Granule::Size16K, 47, Region::Upper);

const ALL: [Regime; 20] = [
    X86_64,
    LA57,
    Regime::Ept,
    arm(Granule::Size4K, 39, Region::Lower),
    arm(Granule::Size4K, 39, Region::Upper),
    ARM_4K,
    arm(Granule::Size4K, 48, Region::Upper),
    arm(Granule::Size16K, 47, Region::Lower),
    ARM_16K,
    arm(Granule::Size64K, 42, Region::Lower),
    arm(Granule::Size64K, 48, Region::Lower),
    ARM_64K,
    Regime::Arm2 { ipa_bits: 39 },
    STAGE2,
    SV39,
    Regime::Riscv { levels: 4 },
    SV57,
    loongarch(Granule::Size4K, 39, Region::Upper),
    LOONGARCH_4K,
    LOONGARCH_16K,
];

fn leaf(regime: Regime, level: u8, word: u64) -> Leaf {
    match regime.step(48, level, word) {
        Step::Page(leaf) => leaf,
        step => panic!("{word:#x} is {step:?}"),
    }
}

/// As `rwx r-x`: the kernel's rights, the user's.
fn rights(rights: Rights) -> String {
    format!("{} {}", rights.kernel, rights.user)
}

fn allows(regime: Regime, level: u8, word: u64) -> String {
    rights(leaf(regime, level, word).rights)
}

fn reserved(regime: Regime, level: u8, word: u64) -> u64 {
    match regime.step(40, level, word) {
        Step::Reserved { bits } => bits,
        step => panic!("{word:#x} is {step:?}"),
    }
}

fn table(regime: Regime, level: u8, word: u64) -> (u64, String) {
    match regime.step(40, level, word) {
        Step::Table {
            table,
            rights: below,
        } => (table, rights(below)),
        step => panic!("{word:#x} is {step:?}"),
    }
}

/// Walks with the words of `memory` and nothing else.
fn find(regime: Regime, root: u64, va: u64, memory: &[(u64, u64)]) -> Walk {
    let memory: HashMap<u64, u64> = memory.iter().copied().collect();
    walk(regime, 40, root, va, |addr| memory.get(&addr).copied())
}

/// The byte's address, the page's size and the rights.
fn found(walk: Walk) -> (u64, u64, String) {
    match walk {
        Walk::Page {
            phys,
            leaf,
            rights: all,
            ..
        } => (phys, leaf.size, rights(all)),
        walk => panic!("{walk:?}"),
    }
}

#[test]
fn shapes_are_the_manuals() {
    let shape = |regime: Regime| {
        let root = regime.levels();
        (
            regime.page_bits(),
            root,
            regime.index_bits(1),
            regime.index_bits(root),
            regime.va_bits(),
        )
    };
    assert_eq!(shape(X86_64), (12, 4, 9, 9, 48));
    assert_eq!(shape(LA57), (12, 5, 9, 9, 57));
    assert_eq!(shape(Regime::Ept), (12, 4, 9, 9, 48));
    assert_eq!(shape(ALL[3]), (12, 3, 9, 9, 39));
    assert_eq!(shape(ARM_4K), (12, 4, 9, 9, 48));
    assert_eq!(shape(ALL[7]), (14, 3, 11, 11, 47));
    assert_eq!(shape(ARM_16K), (14, 4, 11, 1, 48));
    assert_eq!(shape(ALL[9]), (16, 2, 13, 13, 42));
    assert_eq!(shape(ARM_64K), (16, 3, 13, 6, 48));
    assert_eq!(shape(Regime::Arm2 { ipa_bits: 39 }), (12, 3, 9, 9, 39));
    assert_eq!(shape(STAGE2), (12, 4, 9, 9, 48));
    assert_eq!(shape(SV39), (12, 3, 9, 9, 39));
    assert_eq!(shape(SV57), (12, 5, 9, 9, 57));
    assert_eq!(ARM_64K.table_bytes(3), 512);
    assert_eq!(ARM_64K.table_bytes(2), 0x1_0000);
}

#[test]
fn sizes_of_pages_are_the_manuals() {
    let sizes = |regime: Regime| -> Vec<u64> {
        let levels = regime.page_levels().iter();
        levels.map(|&level| regime.span(level)).collect()
    };
    let small = vec![1 << 12, 1 << 21, 1 << 30];
    assert_eq!(sizes(X86_64), small);
    assert_eq!(sizes(Regime::Ept), small);
    assert_eq!(sizes(STAGE2), small);
    assert_eq!(sizes(ARM_4K), small);
    assert_eq!(sizes(ARM_16K), [1 << 14, 1 << 25]);
    assert_eq!(sizes(ARM_64K), [1 << 16, 1 << 29]);
    assert_eq!(sizes(SV39), small);
    assert_eq!(sizes(SV57), [1 << 12, 1 << 21, 1 << 30, 1 << 39, 1 << 48]);
}

#[test]
fn addresses_are_canonical_as_each_regime_wants() {
    for (regime, first, last) in [
        (X86_64, 0xffff_8000_0000_0000, 0x7fff_ffff_ffff),
        (LA57, 0xff00_0000_0000_0000, 0xff_ffff_ffff_ffff),
        (SV39, 0xffff_ffc0_0000_0000, 0x3f_ffff_ffff),
    ] {
        assert!(regime.canonical(last) && !regime.canonical(last + 1));
        assert!(regime.canonical(first) && !regime.canonical(first - 1));
        assert!(regime.canonical(u64::MAX) && regime.canonical(0));
    }
    for regime in [Regime::Ept, STAGE2, ARM_4K, ARM_16K] {
        assert!(regime.canonical(0) && regime.canonical(0xffff_ffff_ffff));
        assert!(!regime.canonical(1 << 48) && !regime.canonical(u64::MAX));
    }
    assert!(ARM_64K.canonical(0xffff_0000_0000_0000) && ARM_64K.canonical(u64::MAX));
    assert!(!ARM_64K.canonical(0) && !ARM_64K.canonical(0xfffe_ffff_ffff_ffff));
}

#[test]
fn indices_are_the_fields_of_the_address() {
    let va = 0x8380_8060_4123;
    let indices = |regime: Regime| -> Vec<usize> {
        let levels = (1..=regime.levels()).rev();
        levels.map(|level| regime.index(va, level)).collect()
    };
    assert_eq!(indices(X86_64), [263, 2, 3, 4]);
    assert_eq!(indices(ARM_16K), [1, 0x38, 0x40, 0x181]);
    assert_eq!(indices(ARM_64K), [0x20, 0x1c04, 0x60]);
}

#[test]
fn no_word_makes_a_step_panic_or_lose_alignment() {
    let mut word: u64 = 1;
    for _ in 0..20_000 {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        for regime in ALL {
            for level in 0..=6 {
                let phys_bits = (word >> 32) as u8 % 70;
                for word in [word, word & 0x0000_00ff_ffe0_0fff] {
                    if let Step::Page(leaf) = regime.step(phys_bits, level, word) {
                        assert_eq!(leaf.frame % leaf.size, 0);
                    }
                    let used = regime.used(level, word, true);
                    assert_eq!(regime.used(level, used, true), used);
                }
            }
        }
    }
}

// Intel SDM vol. 3, tables 5-14 to 5-20

#[test]
fn x86_64_pages() {
    // P, R/W, U/S, A, D, G; XD
    let all = leaf(X86_64, 1, 0x8000_0012_3456_7167);
    assert_eq!((all.frame, all.size), (0x0012_3456_7000, 4096));
    assert_eq!(rights(all.rights), "rw- rw-");
    assert!(all.global && all.accessed && all.dirty);
    assert_eq!(allows(X86_64, 1, 0x1001), "r-x ---");
    assert_eq!(allows(X86_64, 1, 0x1005), "r-x r-x");
    let large = leaf(LA57, 2, 0x40_0083);
    assert_eq!((large.frame, large.size), (0x40_0000, 2 << 20));
    let huge = leaf(X86_64, 3, 0x4000_1083);
    assert_eq!((huge.frame, huge.size), (0x4000_0000, 1 << 30));
    assert_eq!(huge.cache, CachePolicy::WriteCombining);
    assert_eq!(X86_64.step(40, 1, 0xffff_ffff_ffff_fffe), Step::Absent);
}

#[test]
fn x86_64_cache_policies() {
    use CachePolicy::{
        Uncacheable, UncacheableMinus, WriteBack, WriteCombining, WriteProtected, WriteThrough,
    };
    let policies = [
        WriteBack,
        WriteThrough,
        UncacheableMinus,
        Uncacheable,
        WriteCombining,
        WriteProtected,
        UncacheableMinus,
        Uncacheable,
    ];
    for (index, policy) in (0u64..).zip(policies) {
        let (low, high) = (index & 3, index >> 2);
        let small = leaf(X86_64, 1, 1 | low << 3 | high << 7);
        assert_eq!(small.cache, policy);
        let large = leaf(X86_64, 2, 0x81 | low << 3 | high << 12);
        assert_eq!(large.cache, policy);
    }
}

#[test]
fn x86_64_reserved_bits() {
    assert_eq!(reserved(X86_64, 1, 1 << 40 | 1), 1 << 40);
    assert_eq!(reserved(X86_64, 2, 1 << 51 | 1), 1 << 51);
    assert_eq!(reserved(X86_64, 2, 0x1f_f081), 0x1f_e000);
    assert_eq!(reserved(X86_64, 3, 0x3fff_f081), 0x3fff_e000);
    assert_eq!(reserved(X86_64, 4, 0x1081), 0x80);
    assert_eq!(reserved(LA57, 5, 0x1081), 0x80);
    // Bits 62:52 and 11:9 are software's
    assert_eq!(
        table(X86_64, 3, 0x7ff0_0000_0000_5e07),
        (0x5000, "rwx rwx".into())
    );
}

#[test]
fn x86_64_tables_take_away() {
    let memory = |root, leaf| {
        [
            (0x1ff8, root),
            (0x2ff8, 0x3027),
            (0x3ff8, 0x4027),
            (0x4ff8, leaf),
        ]
    };
    let walk = |root, leaf| found(find(X86_64, 0x1000, u64::MAX - 0xff, &memory(root, leaf)));
    assert_eq!(walk(0x2007, 0x5007), (0x5f00, 4096, "rwx rwx".into()));
    assert_eq!(walk(0x2005, 0x5007).2, "r-x r-x");
    assert_eq!(walk(0x2003, 0x5007).2, "rwx ---");
    assert_eq!(walk(1 << 63 | 0x2007, 0x5007).2, "rw- rw-");
    assert_eq!(walk(0x2007, 1 << 63 | 0x5001).2, "r-- ---");
}

#[test]
fn x86_64_use_sets_bits() {
    assert_eq!(X86_64.used(4, 0x2007, true), 0x2027);
    assert_eq!(X86_64.used(1, 0x2007, false), 0x2027);
    assert_eq!(X86_64.used(2, 0x87, true), 0xe7);
    assert_eq!(X86_64.used(4, 0x2006, true), 0x2006);
}

#[test]
fn a_walk_says_where_it_ends() {
    let walk = |va, memory: &[(u64, u64)]| find(LA57, 0x1000, va, memory);
    assert_eq!(walk(1 << 60, &[]), Walk::NonCanonical);
    let addr = 0x1000;
    assert_eq!(walk(0, &[]), Walk::OutsideMemory { level: 5, addr });
    let way = [(0x1000, 0x2007), (0x2000, 0)];
    assert_eq!(walk(0, &way), Walk::Absent { level: 4 });
    let way = [(0x1000, 0x2007), (0x2000, 0x87)];
    let bits = 0x80;
    assert_eq!(walk(0, &way), Walk::Reserved { level: 4, bits });
}

// Intel SDM vol. 3, 29.3.2 and 29.3.3

#[test]
fn ept_pages() {
    let page = leaf(Regime::Ept, 1, 0x12_3456_7337);
    assert_eq!((page.frame, page.size), (0x12_3456_7000, 4096));
    assert_eq!(rights(page.rights), "rwx rwx");
    assert!(page.accessed && page.dirty && !page.global);
    assert_eq!(allows(Regime::Ept, 1, 0x1034), "--x --x");
    assert_eq!(allows(Regime::Ept, 3, 0x4000_00b3), "rw- rw-");
    // Bits 6 and 7 of a page are not the walk's matter, nor are 63:52
    assert_eq!(leaf(Regime::Ept, 1, 0xfff0_0000_0000_10f1).frame, 0x1000);
    assert_eq!(Regime::Ept.step(40, 1, 0x1ff8), Step::Absent);
    for (bits, policy) in [
        (0x00, CachePolicy::Uncacheable),
        (0x08, CachePolicy::WriteCombining),
        (0x20, CachePolicy::WriteThrough),
        (0x28, CachePolicy::WriteProtected),
        (0x30, CachePolicy::WriteBack),
    ] {
        assert_eq!(leaf(Regime::Ept, 2, 0x81 | bits).cache, policy);
    }
}

#[test]
fn ept_misconfigurations() {
    for word in [0x1002, 0x1006, 0x1011, 0x1019, 0x1039] {
        assert_eq!(reserved(Regime::Ept, 1, word), 0, "{word:#x}");
    }
    assert_eq!(reserved(Regime::Ept, 1, 1 << 40 | 0x37), 1 << 40);
    assert_eq!(reserved(Regime::Ept, 2, 0x1f_f0b7), 0x1f_f000);
    assert_eq!(reserved(Regime::Ept, 4, 0x10ff), 0xf8);
    assert_eq!(reserved(Regime::Ept, 2, 0x107f), 0x78);
}

#[test]
fn ept_tables_and_use() {
    assert_eq!(table(Regime::Ept, 4, 0x2105), (0x2000, "r-x r-x".into()));
    assert_eq!(Regime::Ept.used(4, 0x2007, true), 0x2107);
    assert_eq!(Regime::Ept.used(1, 0x2037, false), 0x2137);
    assert_eq!(Regime::Ept.used(1, 0x2037, true), 0x2337);
}

// Arm ARM, D8.3 to D8.6

const PXN: u64 = 1 << 53;
const UXN: u64 = 1 << 54;
const DBM: u64 = 1 << 51;

#[test]
fn aarch64_pages() {
    // AF, inner shareable, AttrIndx 0
    let page = leaf(ARM_4K, 1, 0x1234_5678_9703);
    assert_eq!((page.frame, page.size), (0x1234_5678_9000, 4096));
    assert!(page.global && page.accessed && page.dirty);
    assert_eq!(page.cache, CachePolicy::WriteBack);
    assert!(!leaf(ARM_4K, 1, 0x1b03).global && !leaf(ARM_4K, 1, 0x1303).accessed);
    assert_eq!(leaf(ARM_16K, 1, 0xc703).size, 1 << 14);
    assert_eq!(leaf(ARM_64K, 1, 0x3_0703).size, 1 << 16);
    assert_eq!(leaf(ARM_16K, 2, 0x200_0701).size, 32 << 20);
    assert_eq!(leaf(ARM_64K, 2, 0x2000_0701).size, 512 << 20);
    assert_eq!(leaf(ARM_4K, 3, 0x4001_0701).size, 1 << 30);
    for (bits, policy) in [
        (0x04, CachePolicy::WriteThrough),
        (0x08, CachePolicy::WriteCombining),
        (0x0c, CachePolicy::Uncacheable),
        (0x1c, CachePolicy::Uncacheable),
    ] {
        assert_eq!(leaf(ARM_4K, 1, 0x1703 | bits).cache, policy);
    }
}

#[test]
fn aarch64_permissions() {
    let allows = |bits| allows(ARM_4K, 1, 0x1703 | bits);
    assert_eq!(allows(UXN), "rwx ---");
    assert_eq!(allows(0), "rwx --x");
    assert_eq!(allows(0x40), "rw- rwx");
    assert_eq!(allows(0x80 | UXN), "r-x ---");
    assert_eq!(allows(0xc0 | PXN), "r-- r-x");
    assert_eq!(allows(0xc0 | UXN), "r-x r--");
    assert_eq!(allows(0xc0 | UXN | PXN | DBM), "rw- rw-");
}

#[test]
fn aarch64_reserved() {
    assert_eq!(reserved(ARM_4K, 1, 0x1701), 0);
    assert_eq!(reserved(ARM_4K, 4, 0x701), 0);
    assert_eq!(reserved(ARM_16K, 3, 0x701), 0);
    assert_eq!(reserved(ARM_64K, 3, 0x701), 0);
    assert_eq!(reserved(ARM_4K, 1, 0x1503), 0);
    assert_eq!(reserved(ARM_4K, 1, 1 << 40 | 0x703), 1 << 40);
    assert_eq!(reserved(ARM_4K, 3, 1 << 48 | 3), 1 << 48);
    assert_eq!(reserved(ARM_4K, 2, 0x1f_f701), 0x1e_f000);
    assert_eq!(reserved(ARM_16K, 2, 0x3003), 0x3000);
    assert_eq!(reserved(ARM_64K, 1, 0xf703), 0xf000);
    assert_eq!(ARM_4K.step(40, 1, 0x1702), Step::Absent);
}

#[test]
fn aarch64_tables_take_away() {
    let own = |bits: u64| table(ARM_4K, 2, 0x2003 | bits << 59).1;
    assert_eq!(own(0), "rwx rwx");
    assert_eq!(own(1), "rw- rwx");
    assert_eq!(own(2), "rwx rw-");
    assert_eq!(own(4), "rwx --x");
    assert_eq!(own(8), "r-x r-x");
    let walk = |table: u64, page| {
        let memory = [(0x1_0000, 0x2_0003 | table << 59), (0x2_0000, page)];
        let regime = arm(Granule::Size64K, 42, Region::Lower);
        found(find(regime, 0x1_0000, 0x42, &memory))
    };
    assert_eq!(walk(0, 0x3_0743), (0x3_0042, 1 << 16, "rw- rwx".into()));
    // EL0 can't write, so EL1 may execute
    assert_eq!(walk(4, 0x3_0743).2, "rwx --x");
    assert_eq!(walk(5, 0x3_0743).2, "rw- --x");
    assert_eq!(walk(8, 0x3_0743 | DBM).2, "r-x r-x");
}

#[test]
fn aarch64_use_sets_the_access_flag_and_clears_read_only() {
    assert_eq!(ARM_4K.used(1, 0x1383, false), 0x1783);
    assert_eq!(ARM_4K.used(1, 0x1383, true), 0x1783);
    assert_eq!(ARM_4K.used(1, 0x1383 | DBM, true), 0x1703 | DBM);
    assert!(!leaf(ARM_4K, 1, 0x1783 | DBM).dirty);
    assert_eq!(ARM_4K.used(2, 0x1003, true), 0x1003);
}

#[test]
fn stage_2() {
    // MemAttr 1111, S2AP 11, inner shareable, AF
    let page = leaf(STAGE2, 1, 0x12_3456_77ff);
    assert_eq!(
        (page.frame, page.cache),
        (0x12_3456_7000, CachePolicy::WriteBack)
    );
    assert!(page.accessed && page.dirty && !page.global);
    assert_eq!(rights(page.rights), "rwx rwx");
    assert_eq!(allows(STAGE2, 1, 0x177f | UXN), "r-- r--");
    assert_eq!(allows(STAGE2, 1, 0x177f | UXN | DBM), "rw- rw-");
    assert_eq!(allows(STAGE2, 3, 0x4000_073d), "--x --x");
    for (attributes, policy) in [
        (0b1010, CachePolicy::WriteThrough),
        (0b0101, CachePolicy::WriteCombining),
        (0b1101, CachePolicy::WriteCombining),
        (0b0001, CachePolicy::Uncacheable),
        (0b0000, CachePolicy::Uncacheable),
    ] {
        assert_eq!(leaf(STAGE2, 1, 0x17c3 | attributes << 2).cache, policy);
    }
    assert_eq!(reserved(STAGE2, 1, 0x17d3), 0);
    assert_eq!(reserved(STAGE2, 1, 0x15ff), 0);
    // Tables take nothing away at stage 2
    assert_eq!(
        table(STAGE2, 4, 0x7800_0000_0000_2003).1,
        "rwx rwx".to_owned()
    );
    assert_eq!(STAGE2.used(1, 0x137f | DBM, true), 0x17ff | DBM);
    assert_eq!(STAGE2.used(1, 0x137f, true), 0x177f);
}

// RISC-V Privileged Architecture, 10.3 and 10.4

#[test]
fn riscv_pages() {
    // V, R, W, X, U, G, A, D; PPN is from bit 10 on
    let page = leaf(SV39, 1, 0x12_3456_7000 >> 2 | 0xff);
    assert_eq!((page.frame, page.size), (0x12_3456_7000, 4096));
    assert!(page.global && page.accessed && page.dirty);
    assert_eq!(rights(page.rights), "rw- rwx");
    assert_eq!(allows(SV39, 1, 0x0b), "r-x ---");
    assert_eq!(allows(SV39, 1, 0x09), "--x ---");
    assert_eq!(allows(SV39, 1, 0x1b), "r-- r-x");
    let page = leaf(SV57, 5, 0x03);
    assert_eq!(page.size, 256 << 40);
    assert_eq!(
        leaf(SV57, 1, 3 | 1 << 61).cache,
        CachePolicy::WriteCombining
    );
    assert_eq!(leaf(SV57, 1, 3 | 2 << 61).cache, CachePolicy::Uncacheable);
    assert_eq!(SV39.step(40, 1, 0xfffe), Step::Absent);
}

#[test]
fn riscv_reserved() {
    for word in [0x05, 0x0d, 3 | 3 << 61] {
        assert_eq!(reserved(SV39, 1, word), 0, "{word:#x}");
    }
    assert_eq!(reserved(SV39, 1, 0x801), 0, "a table below level 1");
    assert_eq!(reserved(SV39, 2, 0xd1), 0xd0);
    assert_eq!(reserved(SV39, 2, 1 << 61 | 1), 1 << 61);
    assert_eq!(reserved(SV39, 1, 1 << 63 | 3), 1 << 63);
    assert_eq!(reserved(SV39, 1, 1 << 54 | 3), 1 << 54);
    // The lower fields of a superpage's number
    assert_eq!(reserved(SV39, 2, 0x7_fc03), 0x7_fc00);
    assert_eq!(reserved(SV39, 3, 0xfff_fc03), 0xfff_fc00);
    // Bit 40 of an address is bit 38 of an entry
    assert_eq!(reserved(SV39, 1, 1 << 38 | 3), 1 << 38);
}

#[test]
fn riscv_global_is_handed_down() {
    let walk = |root: u64| {
        let memory = [(0x1000, root), (0x2000, 3)];
        match find(SV39, 0x1000, 0x123, &memory) {
            Walk::Page { phys, leaf, .. } => (phys, leaf.global),
            walk => panic!("{walk:?}"),
        }
    };
    assert_eq!(walk(0x801), (0x123, false));
    assert_eq!(walk(0x821), (0x123, true));
    assert_eq!(SV39.used(1, 0x07, true), 0xc7);
    assert_eq!(SV39.used(1, 0x07, false), 0x47);
    assert_eq!(SV39.used(2, 0x801, true), 0x801);
}

// LoongArch Reference Manual, Volume 1, 5.3 and 5.4

#[test]
fn loongarch_pages() {
    // V, D, PLV 3, MAT 1, G; P and W, which nobody looks at
    let page = leaf(LOONGARCH_4K, 1, 0x12_3456_7000 | 0x1df);
    assert_eq!((page.frame, page.size), (0x12_3456_7000, 4096));
    assert!(page.global);
    assert_eq!(page.cache, CachePolicy::WriteBack);
    assert_eq!(rights(page.rights), "rwx rwx");
    assert_eq!(
        leaf(LOONGARCH_4K, 1, 0x21).cache,
        CachePolicy::WriteCombining
    );
    assert_eq!(leaf(LOONGARCH_4K, 1, 0x01).cache, CachePolicy::Uncacheable);
    assert_eq!(reserved(LOONGARCH_4K, 1, 0x31), 0);
    assert_eq!(LOONGARCH_4K.step(48, 1, 0x1de), Step::Absent);
    // NR, NX; RPLV and each PLV
    assert_eq!(allows(LOONGARCH_4K, 1, 3 << 61 | 0xf), "-w- -w-");
    let levels = |restricted: u64| {
        [0x3, 0x7, 0xb, 0xf].map(|word| allows(LOONGARCH_4K, 1, restricted << 63 | word))
    };
    assert_eq!(levels(0), ["rwx ---", "rwx ---", "rwx ---", "rwx rwx"]);
    assert_eq!(levels(1), ["rwx ---", "--- ---", "--- ---", "--- rwx"]);
    // What the processor doesn't keep of an address
    assert_eq!(leaf(LOONGARCH_4K, 1, 0x1fff_0000_0000_7001).frame, 0x7000);
    assert_eq!(leaf(LOONGARCH_16K, 1, 0x7001).frame, 0x4000);
}

#[test]
fn loongarch_directories() {
    // H, and G in bit 12; the lower bits of the frame are not looked at
    let page = leaf(LOONGARCH_4K, 2, 0x12_347f_f051);
    assert_eq!((page.frame, page.size), (0x12_3460_0000, 2 << 20));
    assert!(page.global);
    assert!(!leaf(LOONGARCH_4K, 3, 0x4000_0051).global);
    assert_eq!(leaf(LOONGARCH_4K, 3, 0x4000_0051).size, 1 << 30);
    assert_eq!(leaf(LOONGARCH_16K, 2, 0x0200_0051).size, 32 << 20);
    // Where no page is that large, H is not looked at either; nor is anything but V and the address
    for (regime, level) in [(LOONGARCH_4K, 4), (LOONGARCH_16K, 3)] {
        let table = regime.step(48, level, 0xffff_0000_1234_0fff);
        assert_eq!(
            table,
            Step::Table {
                table: 0x1234_0000,
                rights: Rights::ALL
            }
        );
    }
    assert_eq!(LOONGARCH_4K.step(48, 4, 0x1234_0ffe), Step::Absent);
    assert_eq!(LOONGARCH_4K.used(1, 0x3, true), 0x3);
}
