//! A guest, tables written by hand, and the comparison of what comes of accesses with what the walk says.

use crate::format::{address, format};
use crate::known::{is_open, is_otherwise};
use portolan::{PhysAddr, TableMemory};
use portolan_machine::fault::PageFaultCode;
use portolan_machine::qemu::{Answer, Fault, QemuConfig, QemuMachine, Reason, code_word};
use portolan_machine::walk::{Allowed, Regime, Rights, Walk, walk};
use portolan_machine::{Access, Kind, MachineError, Memory, Privilege};

/// A guest with one chain of tables, from the root to level 1.
pub struct Bench {
    pub machine: QemuMachine,
    /// The table of each level, from level 1 on.
    tables: Vec<PhysAddr>,
    /// The address that the chain serves.
    pub va: u64,
    checked: u64,
    /// Those whose page leads to where no data is.
    skipped: u64,
    /// Those that the manuals leave open, or that are known to differ.
    excused: u64,
    wrong: Vec<String>,
    config: QemuConfig,
}

/// An entry: its level, where it is, and the word.
pub type Entry = (u8, PhysAddr, u64);

/// What `rights` allow to a mode.
fn allowed(rights: &Rights, privilege: Privilege) -> Allowed {
    match privilege {
        Privilege::Supervisor => rights.kernel,
        Privilege::User => rights.user,
    }
}

/// Whether a page may be used so.
fn allows(rights: &Rights, access: &Access) -> bool {
    let allowed = allowed(rights, access.privilege);
    match access.kind {
        Kind::Load => allowed.read,
        Kind::Store => allowed.write,
        Kind::Fetch => allowed.execute,
    }
}

impl Bench {
    /// Nothing if there is no such guest here.
    pub fn start(regime: Regime) -> Option<Self> {
        Self::start_with(regime, QemuConfig::default())
    }

    /// As [`start`](Self::start).
    pub fn start_with(regime: Regime, config: QemuConfig) -> Option<Self> {
        let machine = match QemuMachine::start(regime, config) {
            Err(MachineError::Unavailable { reason }) => {
                println!("skipped, {regime:?}: {reason}");
                return None;
            }
            started => started.expect("the guest comes up"),
        };
        let table = |_| machine.memory().alloc_zeroed(1 << regime.page_bits());
        let tables: Option<Vec<PhysAddr>> = (0..regime.levels()).map(table).collect();
        let mut bench = Bench {
            tables: tables.expect("there is room for tables"),
            va: 0,
            checked: 0,
            skipped: 0,
            excused: 0,
            wrong: Vec::new(),
            config,
            machine,
        };
        // The second entry of the root, and below it what makes pages of every size lead to data
        let root = regime.span(regime.levels());
        let data = bench.memory().data()[0].start + 0x1230;
        bench.va = regime.extended(root | data & (root - 1));
        bench.load_root();
        Some(bench)
    }

    /// Loads the root of the chain.
    pub fn load_root(&self) {
        let root = self.machine.set_root(self.tables.last().copied());
        root.expect("the guest answers");
    }

    pub fn regime(&self) -> Regime {
        self.machine.regime()
    }

    pub fn memory(&self) -> &Memory {
        self.machine.memory()
    }

    /// Performs one access.
    pub fn access(&self, access: Access) -> Answer {
        let answers = self.machine.access(&[access]).expect("the guest answers");
        answers[0]
    }

    fn slot(&self, level: u8) -> PhysAddr {
        let index = self.regime().index(self.va, level) as u64;
        PhysAddr::new(self.tables[usize::from(level) - 1].as_u64() + 8 * index)
    }

    /// The word at an address that may be none of memory's.
    fn word(&self, addr: u64) -> Option<u64> {
        let [data, _] = self.memory().data();
        let start = data.start - (1 << 30);
        (start..data.end)
            .contains(&addr)
            .then(|| self.memory().load(PhysAddr::new(addr)))
    }

    /// An entry for a page of `level` that allows everything, and has `va` lead to data if the page is not too large.
    pub fn page(&self, level: u8) -> u64 {
        let format = format(self.regime());
        let bits = if level == 1 {
            format.page
        } else {
            format.large
        };
        let frame = self.memory().data()[0].start & !(self.regime().span(level) - 1);
        bits | address(self.regime(), frame)
    }

    /// An entry for the table of the level below.
    fn table(&self, level: u8) -> u64 {
        let below = self.tables[usize::from(level) - 2].as_u64();
        format(self.regime()).table | address(self.regime(), below)
    }

    /// The chain from the root to the entry of `level`, which is `word`; with `turned` over in every entry above.
    pub fn chain(&self, level: u8, word: u64, turned: u64) -> Vec<Entry> {
        let upper = (level + 1..=self.regime().levels()).rev();
        let tables = upper.map(|upper| (upper, self.slot(upper), self.table(upper) ^ turned));
        tables.chain([(level, self.slot(level), word)]).collect()
    }

    /// Writes the entries down.
    pub fn write(&self, chain: &[Entry]) {
        for (_, slot, word) in chain {
            self.memory().store(*slot, *word);
        }
    }

    /// Performs every kind of access in both modes, each on the words as they are given, and compares.
    pub fn check(&mut self, chain: &[Entry]) {
        for kind in Kind::ALL {
            for privilege in Privilege::ALL {
                self.write(chain);
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
    pub fn walk(&self, va: u64) -> Walk {
        let root = self.tables.last().expect("there is a root").as_u64();
        let phys_bits = self.memory().phys_bits();
        walk(self.regime(), phys_bits, root, va, |addr| self.word(addr))
    }

    fn compare(&mut self, access: Access, chain: &[Entry]) {
        let expected = self.walk(access.va);
        let words: Vec<u64> = chain.iter().map(|(_, _, word)| *word).collect();
        let phys_bits = self.memory().phys_bits();
        if is_open(self.regime(), phys_bits, &expected, &words)
            || is_otherwise(
                self.regime(),
                self.config.memory_types,
                &access,
                &expected,
                &words,
            )
        {
            self.excused += 1;
            return;
        }
        let mut target = None;
        if let Walk::Page { phys, .. } = expected {
            // What the page leads to must be data that nothing else is in
            if !self.memory().data()[0].contains(&phys) {
                self.skipped += 1;
                return;
            }
            let word = code_word(self.regime(), (phys >> 4) as u32 & 0xff_ffff);
            self.memory().store(PhysAddr::new(phys), word);
            target = Some((PhysAddr::new(phys), word));
        }
        self.machine.invalidate_all().expect("the guest answers");
        let answer = self.access(access);
        self.checked += 1;
        let verdict = self.agree(&access, &expected, &answer, target);
        let left = chain
            .iter()
            .find(|entry| !self.may_be_left(&access, &expected, entry));
        if verdict.is_err() || left.is_some() {
            self.wrong.push(format!(
                "{access:x?} of {words:#x?}: {expected:x?}, but {answer:x?}: {verdict:?}, {left:x?}"
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
        if let Answer::Fault(fault) = answer {
            return self.agrees_with(access, expected, fault);
        }
        let (Walk::Page { rights, .. }, Some((target, word))) = (expected, target) else {
            return Err("not refused".into());
        };
        let done = match *answer {
            Answer::Loaded(loaded) => loaded == word,
            Answer::Stored => self.memory().load(target) == access.value,
            Answer::Fetched(number) => code_word(self.regime(), number) == word,
            _ => false,
        };
        (done && allows(rights, access))
            .then_some(())
            .ok_or("not what is allowed".into())
    }

    /// Whether a fault is the one that the walk says, and tells of this access.
    fn agrees_with(&self, access: &Access, expected: &Walk, fault: &Fault) -> Result<(), String> {
        let reason = fault.reason(self.regime());
        if fault.addr != access.va && reason != Reason::NonCanonical {
            return Err("another address".into());
        }
        let stage2 = matches!(self.regime(), Regime::Arm2 { .. });
        let arm = stage2 || matches!(self.regime(), Regime::Arm1 { .. });
        let (agrees, level) = match (expected, reason) {
            (Walk::Page { rights, level, .. }, Reason::Rights | Reason::Page) => {
                (!allows(rights, access), *level)
            }
            (Walk::Page { .. }, _) => (false, 0),
            (_, Reason::Page) => (true, 0),
            // The architecture's level 0, whatever the regime's levels. Without stage 1, an address that is wider than a
            // physical one is refused before stage 2 (Arm ARM D8.2)
            (Walk::NonCanonical, Reason::Absent) => (arm, 4),
            (Walk::NonCanonical, Reason::AddressSize) => (stage2, 4),
            (Walk::NonCanonical, Reason::NonCanonical) => (!arm, 4),
            (Walk::Absent { level }, Reason::Absent) => (true, *level),
            (Walk::Reserved { level, bits: 0 }, Reason::Absent) => (arm, *level),
            (Walk::Reserved { level, .. }, Reason::AddressSize) => (arm, *level),
            (Walk::Reserved { .. }, Reason::Reserved) => (!arm, 0),
            (Walk::OutsideMemory { .. }, _) => return Ok(()),
            _ => (false, 0),
        };
        if !agrees || arm && fault.lookup_level() != 4 - level {
            return Err(format!("refused for {reason:?}"));
        }
        let code = PageFaultCode::of(access.kind, access.privilege).0;
        let x86_64 = matches!(self.regime(), Regime::X86_64 { .. });
        if x86_64 && fault.cause == 14 && fault.syndrome & 0b1_0110 != u64::from(code) {
            return Err("another access".into());
        }
        Ok(())
    }

    /// Whether hardware may leave an entry as it is now: as the walk says if the access is allowed. If it isn't, the entry
    /// may be noted as used all the same, but not as stored to.
    fn may_be_left(&self, access: &Access, expected: &Walk, entry: &Entry) -> bool {
        let (level, slot, word) = *entry;
        let now = self.memory().load(slot);
        let used = |store| self.regime().used(level, word, store);
        match expected {
            Walk::Page { rights, .. } if allows(rights, access) => {
                now == used(access.kind == Kind::Store)
            }
            _ => now == word || now == used(false),
        }
    }

    /// Says what was done.
    ///
    /// # Panics
    /// If anything was not as the walk says.
    pub fn finish(self, what: &str) {
        let (regime, checked) = (self.regime(), self.checked);
        let (skipped, excused) = (self.skipped, self.excused);
        println!("{what}, {regime:?}: {checked} accesses; {skipped} skipped, {excused} excused");
        for wrong in self.wrong.iter().take(40) {
            println!("{regime:?} {wrong}");
        }
        assert!(self.wrong.is_empty(), "{} disagree", self.wrong.len());
        assert!(checked > 0, "nothing was checked");
    }
}
