//! Holds [`walk`] against memory management units that someone else wrote: those of QEMU's translator.
//!
//! For each regime, words of tables are written by hand and accesses performed in both modes; what the guest's processor
//! says, and what it made of the words, must be what the walk says. Where QEMU is not installed, the tests say so and
//! pass.

use portolan::{PhysAddr, TableMemory};
use portolan_machine::qemu::{Answer, Fault, QemuConfig, QemuMachine, Reason, code_word};
use portolan_machine::walk::{Allowed, Granule, Regime, Region, Walk, walk};
use portolan_machine::{Access, Kind, MachineError, Privilege};

/// Bits of words that mean something, as the manuals name them.
struct Format {
    /// An entry that refers to a table and takes nothing away.
    table: u64,
    /// An entry of level 1, and of the levels above, that maps a page and allows everything that it can to both.
    page: u64,
    large: u64,
    /// What says how a page is used, in all combinations.
    page_bits: &'static [u64],
    /// What an entry for a table can take away.
    table_bits: &'static [u64],
    /// Fields of an entry for a page that have encodings: the lowest bit, and how many.
    fields: &'static [(u32, u32)],
}

/// Arm ARM D8.3: valid, table or page, AP\[1\], inner shareable, AF; then AP\[1\], AP\[2\], AF, DBM, PXN, UXN; then PXNTable,
/// UXNTable and APTable; then AttrIndx and SH.
const STAGE1: Format = Format {
    table: 0b11,
    page: 1 << 10 | 3 << 8 | 1 << 6 | 0b11,
    large: 1 << 10 | 3 << 8 | 1 << 6 | 0b01,
    page_bits: &[1 << 6, 1 << 7, 1 << 10, 1 << 51, 1 << 53, 1 << 54],
    table_bits: &[1 << 59, 1 << 60, 1 << 61, 1 << 62],
    fields: &[(2, 3), (8, 2)],
};

/// Arm ARM D8.3: valid, table or page, MemAttr write-back, S2AP, inner shareable, AF; then S2AP, AF, DBM, XN\[1\];
/// then MemAttr, SH and XN.
const STAGE2: Format = Format {
    table: 0b11,
    page: 1 << 10 | 3 << 8 | 3 << 6 | 0b1111 << 2 | 0b11,
    large: 1 << 10 | 3 << 8 | 3 << 6 | 0b1111 << 2 | 0b01,
    page_bits: &[1 << 6, 1 << 7, 1 << 10, 1 << 51, 1 << 54],
    table_bits: &[],
    fields: &[(2, 4), (8, 2), (53, 2)],
};

/// RISC-V privileged architecture, 10.3.1: V, R, W, X, U, A, D; then R, W, X, U, G, A, D; then G; then
/// PBMT.
const RISCV: Format = Format {
    table: 0b1,
    page: 0b1101_1111,
    large: 0b1101_1111,
    page_bits: &[1 << 1, 1 << 2, 1 << 3, 1 << 4, 1 << 5, 1 << 6, 1 << 7],
    table_bits: &[1 << 5],
    fields: &[(61, 2)],
};

/// Intel SDM vol. 3, 5.5.4: P, R/W, U/S, A, D, PS; then R/W, U/S, A, D, G, XD; then R/W, U/S, A, XD; then
/// PCD and PWT, what is ignored, and protection keys, which are ignored too.
const X86_64: Format = Format {
    table: 0b0010_0111,
    page: 0b0110_0111,
    large: 0b1110_0111,
    page_bits: &[1 << 1, 1 << 2, 1 << 5, 1 << 6, 1 << 8, 1 << 63],
    table_bits: &[1 << 1, 1 << 2, 1 << 5, 1 << 63],
    fields: &[(3, 2), (9, 3), (59, 4)],
};

fn format(regime: Regime) -> &'static Format {
    match regime {
        Regime::X86_64 { .. } | Regime::Ept => &X86_64,
        Regime::Arm1 { .. } => &STAGE1,
        Regime::Arm2 { .. } => &STAGE2,
        Regime::Riscv { .. } => &RISCV,
    }
}

/// How an entry has an address.
fn address(regime: Regime, addr: u64) -> u64 {
    match regime {
        Regime::Riscv { .. } => addr >> 2,
        _ => addr,
    }
}

/// A guest with one chain of tables, from the root to level 1.
struct Bench {
    machine: QemuMachine,
    /// The table of each level.
    tables: Vec<PhysAddr>,
    /// The address that the chain serves.
    va: u64,
    checked: u64,
    /// Those whose page leads to where no data is.
    skipped: u64,
    /// Those of which the manuals say nothing that can be tested, or QEMU is known to do otherwise.
    excused: u64,
    wrong: Vec<String>,
}

impl Bench {
    /// Nothing if there is no such guest here.
    fn start(regime: Regime) -> Option<Self> {
        let machine = match QemuMachine::start(regime, QemuConfig::default()) {
            Err(MachineError::Unavailable { reason }) => {
                println!("skipped {regime:?}: {reason}");
                return None;
            }
            started => started.expect("the guest comes up"),
        };
        let table = || machine.memory().alloc_zeroed(1 << regime.page_bits());
        let tables: Option<Vec<PhysAddr>> = (0..regime.levels()).map(|_| table()).collect();
        let tables = tables.expect("there is room");
        machine
            .set_root(tables.last().copied())
            .expect("the guest answers");
        // The second entry of the root, and in the tables below those that lead to where memory is
        let data = machine.memory().data()[0].start + 0x1230;
        let root = regime.span(regime.levels());
        let va = regime.extended(root | data & (root - 1));
        Some(Bench {
            machine,
            tables,
            va,
            checked: 0,
            skipped: 0,
            excused: 0,
            wrong: Vec::new(),
        })
    }

    fn regime(&self) -> Regime {
        self.machine.regime()
    }

    fn slot(&self, level: u8) -> PhysAddr {
        let index = self.regime().index(self.va, level) as u64;
        PhysAddr::new(self.tables[usize::from(level) - 1].as_u64() + 8 * index)
    }

    fn get(&self, addr: PhysAddr) -> u64 {
        self.machine.memory().load(addr)
    }

    /// The word of a memory that may not be there.
    fn word(&self, addr: u64) -> Option<u64> {
        let [data, _] = self.machine.memory().data();
        let start = data.start - (1 << 30);
        (start..data.end)
            .contains(&addr)
            .then(|| self.get(PhysAddr::new(addr)))
    }

    /// The address that a page of `level` must have so that `va` leads to the start of data.
    fn frame(&self, level: u8) -> u64 {
        let span = self.regime().span(level);
        self.machine.memory().data()[0].start & !(span - 1)
    }

    /// An entry for a page that allows everything.
    fn page(&self, level: u8) -> u64 {
        let format = format(self.regime());
        let bits = if level == 1 {
            format.page
        } else {
            format.large
        };
        bits | address(self.regime(), self.frame(level))
    }

    /// An entry for the table of the level below.
    fn table(&self, level: u8) -> u64 {
        let below = self.tables[usize::from(level) - 2].as_u64();
        format(self.regime()).table | address(self.regime(), below)
    }

    /// Writes the chain down to a page of `level`, with `above` added to or taken from each entry for a table.
    fn chain(&self, level: u8, word: u64, above: u64) -> Vec<(PhysAddr, u64)> {
        let upper = (level + 1..=self.regime().levels()).rev();
        let tables = upper.map(|upper| (self.slot(upper), self.table(upper) ^ above));
        tables.chain([(self.slot(level), word)]).collect()
    }

    /// Performs every kind of access in both modes, each on the words as they are given.
    fn check(&mut self, chain: &[(PhysAddr, u64)]) {
        for kind in Kind::ALL {
            for privilege in Privilege::ALL {
                for (slot, word) in chain {
                    self.machine.memory().store(*slot, *word);
                }
                let access = Access {
                    va: self.va,
                    kind,
                    privilege,
                    value: 0x0bad_cafe,
                };
                self.compare(access, chain);
            }
        }
    }

    /// What the walk makes of an address.
    fn walk(&self, va: u64) -> Walk {
        let root = self.tables.last().expect("there is a root").as_u64();
        walk(
            self.regime(),
            self.machine.memory().phys_bits(),
            root,
            va,
            |addr| self.word(addr),
        )
    }

    fn compare(&mut self, access: Access, chain: &[(PhysAddr, u64)]) {
        let expected = self.walk(access.va);
        if is_undefined(self.regime(), &expected, chain)
            || is_otherwise(self.regime(), &access, &expected, chain)
        {
            self.excused += 1;
            return;
        }
        let target = match expected {
            Walk::Page { phys, .. } => {
                // What the page leads to must be data that nothing else is in
                if !self.machine.memory().data()[0].contains(&phys) {
                    self.skipped += 1;
                    return;
                }
                let word = code_word(self.regime(), phys as u32 >> 4 & 0xff_ffff);
                self.machine.memory().store(PhysAddr::new(phys), word);
                Some((PhysAddr::new(phys), word))
            }
            _ => None,
        };
        self.machine.invalidate_all().expect("the guest answers");
        let answer = self.machine.access(&[access]).expect("the guest answers")[0];
        self.checked += 1;
        let mut wrong = Vec::new();
        if let Err(why) = self.agree(&access, &expected, &answer, target) {
            wrong.push(why);
        }
        for (level, (slot, word)) in (1..=self.regime().levels()).rev().zip(chain) {
            let now = self.get(*slot);
            if !self.may_become(&access, &expected, level, *word, now) {
                wrong.push(format!("level {level} became {now:#x}"));
            }
        }
        if !wrong.is_empty() {
            let words: Vec<String> = chain.iter().map(|(_, word)| format!("{word:#x}")).collect();
            self.wrong.push(format!(
                "{:?} {access:x?} of {words:?}: {expected:x?} but {answer:x?} {wrong:?}",
                self.regime()
            ));
        }
    }

    /// Whether the guest's answer is what the walk says.
    fn agree(
        &self,
        access: &Access,
        expected: &Walk,
        answer: &Answer,
        target: Option<(PhysAddr, u64)>,
    ) -> Result<(), String> {
        let reason = |fault: &Fault| fault.reason(self.regime());
        let Walk::Page { rights, .. } = expected else {
            let Answer::Fault(fault) = answer else {
                return Err("not refused".into());
            };
            return self.reason_agrees(expected, reason(fault));
        };
        let allowed = match access.privilege {
            Privilege::Supervisor => rights.kernel,
            Privilege::User => rights.user,
        };
        let (target, word) = target.expect("a page leads to data");
        match (*answer, access.kind) {
            (Answer::Loaded(loaded), Kind::Load) if allowed.read && loaded == word => Ok(()),
            (Answer::Stored, Kind::Store) if allowed.write && self.get(target) == access.value => {
                Ok(())
            }
            (Answer::Fetched(number), Kind::Fetch)
                if allowed.execute && code_word(self.regime(), number) == word =>
            {
                Ok(())
            }
            (Answer::Fault(fault), kind) if !is_allowed(allowed, kind) => match reason(&fault) {
                Reason::Rights | Reason::Page => Ok(()),
                other => Err(format!("refused for {other:?}")),
            },
            (Answer::Fault(fault), _) => Err(format!("refused for {:?}", reason(&fault))),
            _ => Err("not what is allowed".into()),
        }
    }

    /// Whether a fault without a page is the one that the walk says.
    fn reason_agrees(&self, expected: &Walk, reason: Reason) -> Result<(), String> {
        let arm = matches!(self.regime(), Regime::Arm1 { .. } | Regime::Arm2 { .. });
        let agrees = match (expected, reason) {
            (_, Reason::Page) | (Walk::Absent { .. }, Reason::Absent) => true,
            (Walk::NonCanonical, Reason::NonCanonical) => true,
            (Walk::NonCanonical, Reason::Absent) => arm,
            (Walk::Reserved { bits: 0, .. }, Reason::Absent) => arm,
            (Walk::Reserved { .. }, Reason::AddressSize) => arm,
            (Walk::Reserved { .. }, Reason::Reserved) => !arm,
            (Walk::OutsideMemory { .. }, _) => true,
            _ => false,
        };
        agrees
            .then_some(())
            .ok_or(format!("refused for {reason:?}"))
    }

    /// Whether hardware may leave a word so: as the walk says if the access is allowed. If it isn't, the word may be
    /// noted as used all the same, but not as stored to.
    fn may_become(&self, access: &Access, expected: &Walk, level: u8, word: u64, now: u64) -> bool {
        let used = |store| self.regime().used(level, word, store);
        match expected {
            Walk::Page { rights, .. } => {
                let allowed = match access.privilege {
                    Privilege::Supervisor => rights.kernel,
                    Privilege::User => rights.user,
                };
                if is_allowed(allowed, access.kind) {
                    now == used(access.kind == Kind::Store)
                } else {
                    now == word || now == used(false)
                }
            }
            _ => now == word || now == used(false),
        }
    }

    fn finish(self, what: &str) {
        println!(
            "{what} of {:?}: {} accesses, {} skipped, {} excused",
            self.regime(),
            self.checked,
            self.skipped,
            self.excused
        );
        for wrong in self.wrong.iter().take(40) {
            println!("{wrong}");
        }
        assert!(self.wrong.is_empty(), "{} disagreements", self.wrong.len());
        assert!(self.checked > 0);
    }
}

/// Whether the manuals leave open what hardware does with the word that the walk says is reserved.
///
/// On AArch64, bits that are RES0 and reserved encodings of shareability and memory type need not lead to a fault.
fn is_undefined(regime: Regime, expected: &Walk, chain: &[(PhysAddr, u64)]) -> bool {
    let Walk::Reserved { level, bits } = *expected else {
        return false;
    };
    let (_, word) = chain[usize::from(regime.levels() - level)];
    let is_page = if level == 1 {
        word & 3 == 3
    } else {
        word & 3 == 1
    };
    let arm = matches!(regime, Regime::Arm1 { .. } | Regime::Arm2 { .. });
    arm && (bits != 0 || is_page && regime.page_levels().contains(&level))
}

/// Whether QEMU 7.2 is known to decide otherwise than the walk.
///
/// - A block where the granule has none (Arm ARM D8.3.1): it is taken for one.
/// - EL1 must not execute what EL0 may write to, and with `DBM` set EL0 may write to what `AP[2]` says is read-only
///   (Arm ARM J1.1, `AArch64.S1DirectBasePermissions`): it is executed until the first store.
/// - `XN[0]` of stage 2 has a meaning with `FEAT_XNX` (Arm ARM D8.4), which QEMU has and the walk has not.
/// - RISC-V's reserved bits 60 to 54, `N` of a page and the memory type 3 are ignored where there is Svpbmt
///   (privileged architecture 10.4.1: any of them is a page fault).
fn is_otherwise(
    regime: Regime,
    access: &Access,
    expected: &Walk,
    chain: &[(PhysAddr, u64)],
) -> bool {
    const DIRTY_MODIFIER: u64 = 1 << 51;
    const READ_ONLY: u64 = 1 << 7;
    const XN0: u64 = 1 << 53;
    const RISCV_IGNORED: u64 = 0x7f << 54 | 1 << 63;
    const RISCV_TYPE: u64 = 3 << 61;
    let arm = matches!(regime, Regime::Arm1 { .. } | Regime::Arm2 { .. });
    let word = chain.last().map_or(0, |(_, word)| *word);
    match *expected {
        Walk::Reserved { level, bits: 0 } if arm => level > 1,
        Walk::Reserved { bits, .. } => {
            matches!(regime, Regime::Riscv { .. })
                && (bits != 0 && bits & !RISCV_IGNORED == 0 || word & RISCV_TYPE == RISCV_TYPE)
        }
        Walk::Page { .. } if matches!(regime, Regime::Arm2 { .. }) => word & XN0 != 0,
        Walk::Page { rights, .. } => {
            let clean = DIRTY_MODIFIER | READ_ONLY;
            matches!(regime, Regime::Arm1 { .. })
                && (access.kind, access.privilege) == (Kind::Fetch, Privilege::Supervisor)
                && rights.user.write
                && word & clean == clean
        }
        _ => false,
    }
}

fn is_allowed(allowed: Allowed, kind: Kind) -> bool {
    match kind {
        Kind::Load => allowed.read,
        Kind::Store => allowed.write,
        Kind::Fetch => allowed.execute,
    }
}

/// All sums of some of the bits.
fn combinations(bits: &[u64]) -> impl Iterator<Item = u64> {
    (0..1u64 << bits.len()).map(|set| {
        let chosen = bits
            .iter()
            .enumerate()
            .filter(|(index, _)| set >> index & 1 == 1);
        chosen.map(|(_, bit)| bit).sum()
    })
}

/// Every combination of rights, accessed and dirty bits, at every page size, below tables that take nothing away and
/// below tables that take away everything possible in every combination.
fn rights(regime: Regime) {
    let Some(mut bench) = Bench::start(regime) else {
        return;
    };
    let format = format(regime);
    for level in regime.page_levels() {
        let mask: u64 = format.page_bits.iter().sum();
        for bits in combinations(format.page_bits) {
            let word = bench.page(*level) & !mask | bits;
            let chain = bench.chain(*level, word, 0);
            bench.check(&chain);
        }
    }
    for bits in combinations(format.page_bits) {
        let mask: u64 = format.page_bits.iter().sum();
        let word = bench.page(1) & !mask | bits;
        for above in combinations(format.table_bits) {
            let chain = bench.chain(1, word, above);
            bench.check(&chain);
        }
    }
    bench.finish("rights");
}

/// Every value of every field of an entry for a page, at every page size.
fn fields(regime: Regime) {
    let Some(mut bench) = Bench::start(regime) else {
        return;
    };
    for level in regime.page_levels() {
        for (lowest, count) in format(regime).fields {
            for value in 0..1u64 << count {
                let mask = ((1 << count) - 1) << lowest;
                let word = bench.page(*level) & !mask | value << lowest;
                let chain = bench.chain(*level, word, 0);
                bench.check(&chain);
            }
        }
    }
    bench.finish("fields");
}

/// Every bit of every kind of word at every level, turned over.
fn flips(regime: Regime) {
    let Some(mut bench) = Bench::start(regime) else {
        return;
    };
    for level in 1..=regime.levels() {
        for bit in 0..64 {
            let page = bench.chain(level, bench.page(level) ^ 1 << bit, 0);
            bench.check(&page);
            if level > 1 {
                let mut table = bench.chain(1, bench.page(1), 0);
                let index = usize::from(regime.levels() - level);
                table[index].1 ^= 1 << bit;
                bench.check(&table);
            }
        }
    }
    bench.finish("flips");
}

/// The arms of a test for each regime.
macro_rules! regimes {
    ($($name:ident: $regime:expr;)*) => {
        $(mod $name {
            use super::*;

            #[test]
            fn rights() {
                super::rights($regime);
            }

            #[test]
            fn fields() {
                super::fields($regime);
            }

            #[test]
            fn flips() {
                super::flips($regime);
            }
        })*
    };
}

const fn arm1(granule: Granule, va_bits: u8, region: Region) -> Regime {
    Regime::Arm1 {
        granule,
        va_bits,
        region,
    }
}

regimes! {
    arm1_4k_39_lower: arm1(Granule::Size4K, 39, Region::Lower);
    arm1_4k_39_upper: arm1(Granule::Size4K, 39, Region::Upper);
    arm1_4k_48_lower: arm1(Granule::Size4K, 48, Region::Lower);
    arm1_4k_48_upper: arm1(Granule::Size4K, 48, Region::Upper);
    arm1_16k_47_lower: arm1(Granule::Size16K, 47, Region::Lower);
    arm1_16k_47_upper: arm1(Granule::Size16K, 47, Region::Upper);
    arm1_16k_48_lower: arm1(Granule::Size16K, 48, Region::Lower);
    arm1_16k_48_upper: arm1(Granule::Size16K, 48, Region::Upper);
    arm1_64k_42_lower: arm1(Granule::Size64K, 42, Region::Lower);
    arm1_64k_42_upper: arm1(Granule::Size64K, 42, Region::Upper);
    arm1_64k_48_lower: arm1(Granule::Size64K, 48, Region::Lower);
    arm1_64k_48_upper: arm1(Granule::Size64K, 48, Region::Upper);
    arm2_39: Regime::Arm2 { ipa_bits: 39 };
    arm2_48: Regime::Arm2 { ipa_bits: 48 };
    x86_64_4: Regime::X86_64 { levels: 4 };
    x86_64_5: Regime::X86_64 { levels: 5 };
    riscv_sv39: Regime::Riscv { levels: 3 };
    riscv_sv48: Regime::Riscv { levels: 4 };
    riscv_sv57: Regime::Riscv { levels: 5 };
}
