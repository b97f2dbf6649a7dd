//! A guest, tables written by hand, and the comparison of what comes of accesses with what the walk says.

use crate::format::{address, format};
use crate::known::{is_open, is_otherwise};
use portolan::{PhysAddr, TableMemory};
use portolan_machine::fault::{PageFaultCode, Refusal};
use portolan_machine::walk::{Allowed, Regime, Rights, Walk, walk};
use portolan_machine::{Access, Fault, Isa, Kind, Machine, Memory, Outcome, Privilege};

/// A guest with one chain of tables, from the root to level 1.
pub struct Bench<M: Machine> {
    pub machine: M,
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
    memory_types: bool,
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

/// The number of the code at an address.
fn number(target: PhysAddr) -> u32 {
    (target.as_u64() >> 4) as u32 & 0x00ff_ffff
}

/// The outcome as it should be told: for a reserved bit, QEMU 7.2 sets `RSVD` in the error code and not `P`, which the Intel
/// SDM (vol. 3, 5.7) says is always set with it.
fn without_known(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Fault(Fault::Page { code, addr }) if code.0 & PageFaultCode::RESERVED != 0 => {
            let code = code.with(PageFaultCode::PRESENT);
            Outcome::Fault(Fault::Page { code, addr })
        }
        outcome => outcome,
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

impl<M: Machine> Bench<M> {
    /// Says of a RISC-V processor whether it has the memory types of Svpbmt.
    pub fn new(machine: M, memory_types: bool) -> Self {
        let regime = machine.regime();
        let table = |_| machine.memory().alloc_zeroed(1 << regime.page_bits());
        let tables: Option<Vec<PhysAddr>> = (0..regime.levels()).map(table).collect();
        let mut bench = Bench {
            tables: tables.expect("there is room for tables"),
            va: 0,
            checked: 0,
            skipped: 0,
            excused: 0,
            wrong: Vec::new(),
            memory_types,
            machine,
        };
        // The second entry of the root if it can be used, and below it what makes pages of every size lead to data
        let root = bench.regime().span(bench.regime().levels());
        let data = (bench.memory().data()[0].start + 0x1230) & (root - 1);
        let place = [root | data, data].map(|va| bench.regime().extended(va));
        let usable = place.into_iter().find(|va| bench.is_usable(*va));
        bench.va = usable.expect("one of the first entries can be used");
        bench.load_root();
        bench
    }

    /// Whether an address can be tested.
    pub fn is_usable(&self, va: u64) -> bool {
        !self.machine.reserved().iter().any(|own| own.contains(&va))
    }

    /// Loads the root of the chain.
    pub fn load_root(&self) {
        let root = self.machine.set_root(0, self.tables.last().copied());
        root.expect("the guest answers");
    }

    pub fn regime(&self) -> Regime {
        self.machine.regime()
    }

    pub fn memory(&self) -> &Memory {
        self.machine.memory()
    }

    /// Performs one access.
    pub fn access(&self, access: Access) -> Outcome {
        let outcomes = self.machine.access(0, &[access]);
        outcomes.expect("the guest answers")[0]
    }

    fn slot(&self, level: u8) -> PhysAddr {
        let index = self.regime().index(self.va, level) as u64;
        PhysAddr::new(self.tables[usize::from(level) - 1].as_u64() + 8 * index)
    }

    /// The word at an address that may be none of memory's.
    fn word(&self, addr: u64) -> Option<u64> {
        let [data, _] = self.memory().data();
        // Below is what the guest needs for itself, and devices
        let tables = data.start - (1 << 30) + (16 << 20);
        (tables..data.end)
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
        let frame = if level == 1 { self.frame() } else { frame };
        bits | address(self.regime(), frame)
    }

    /// The frame of a page of level 1. QEMU 7.2 translates LoongArch64's addresses in units of 16 KiB, so it has the bits of
    /// the address that are below.
    pub fn frame(&self) -> u64 {
        let own = match self.regime() {
            Regime::LoongArch { .. } => self.va & 0x3fff & !(self.regime().span(1) - 1),
            _ => 0,
        };
        self.memory().data()[0].start | own
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
        let (regime, phys_bits) = (self.regime(), self.memory().phys_bits());
        let expected = self.walk(access.va);
        let words: Vec<u64> = chain.iter().map(|(_, _, word)| *word).collect();
        if is_open(regime, phys_bits, &expected, &words)
            || is_otherwise(regime, self.memory_types, &access, &expected, &words)
        {
            self.excused += 1;
            return;
        }
        let target = match expected {
            Walk::Page { phys, .. } => Some(PhysAddr::new(phys)),
            _ => None,
        };
        // What a page leads to must be data that nothing else is in
        let [data, _] = self.memory().data();
        let is_elsewhere = target.is_some_and(|target| !data.contains(&target.as_u64()));
        if is_elsewhere || matches!(expected, Walk::OutsideMemory { .. }) {
            self.skipped += 1;
            return;
        }
        if let Some(target) = target {
            self.memory().store(target, self.content(target));
        }
        self.machine.invalidate_all(0).expect("the guest answers");
        let outcome = self.machine.access(0, &[access]);
        let outcome = outcome.map(|outcomes| without_known(outcomes[0]));
        self.checked += 1;
        let should = self.expect(&access, &expected);
        let stored = target.map(|target| self.memory().load(target));
        let left = chain
            .iter()
            .find(|entry| !self.may_be_left(&access, &expected, entry));
        let is_stored = should != Outcome::Stored || stored == Some(access.value);
        if outcome != Ok(should) || !is_stored || left.is_some() {
            self.wrong.push(format!(
                "{access:x?} of {words:x?}: {should:x?}, but {outcome:x?}, {stored:x?}, {left:x?}"
            ));
        }
    }

    /// What is at an address that a page leads to, before an access.
    fn content(&self, target: PhysAddr) -> u64 {
        Isa::of(self.regime()).code_word(number(target))
    }

    /// What the walk has come of an access.
    fn expect(&self, access: &Access, walk: &Walk) -> Outcome {
        let refusal = match *walk {
            Walk::Page { phys, rights, .. } if allows(&rights, access) => {
                let target = PhysAddr::new(phys);
                return match access.kind {
                    Kind::Load => Outcome::Loaded(self.content(target)),
                    Kind::Store => Outcome::Stored,
                    Kind::Fetch => Outcome::Fetched(number(target)),
                };
            }
            Walk::Page { level, rights, .. } => Refusal::Denied { level, rights },
            Walk::NonCanonical => Refusal::NotCanonical,
            Walk::Reserved { level, bits } => Refusal::Reserved { level, bits },
            Walk::Absent { level } | Walk::OutsideMemory { level, .. } => Refusal::Absent { level },
        };
        Outcome::Fault(refusal.fault(self.regime(), access))
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

impl<M: Machine> Drop for Bench<M> {
    fn drop(&mut self) {
        // A machine that fails here fails again in whatever is asked of it next
        self.machine.set_root(0, None).ok();
        self.machine.invalidate_all(0).ok();
        for table in &self.tables {
            // SAFETY: the frame was allocated in `new`, and no root leads to it any more
            unsafe { self.memory().free(*table, 1 << self.regime().page_bits()) };
        }
    }
}
