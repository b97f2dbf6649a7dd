//! Processors with TLBs that load what they can when they can, and keep it until they are told.

use super::Ram;
use crate::schedule::{self, Clock};
use portolan::{FlushRange, PagingMode};
use std::collections::BTreeMap;
use std::mem;
use std::sync::{Mutex, MutexGuard};

const PRESENT: u64 = 1;
const WRITABLE: u64 = 1 << 1;
const USER: u64 = 1 << 2;
const LARGE: u64 = 1 << 7;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// What a TLB holds of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Translation {
    /// The physical address of the page's first byte.
    pub frame: u64,
    /// How large the page is.
    pub bytes: u64,
    /// Whether it may be written to.
    pub write: bool,
    /// Whether programs may use it.
    pub user: bool,
}

/// What a TLB holds under an identifier.
#[derive(Default)]
struct Held {
    /// Translations, by the page's first address.
    pages: BTreeMap<u64, Translation>,
    /// Last tables, by the 2 MiB that they are for.
    tables: BTreeMap<u64, u64>,
    /// Whether some of it leads to what was given back.
    dead: bool,
}

/// One processor.
#[derive(Default)]
struct Core {
    root: Option<u64>,
    /// The identifier in use.
    id: usize,
    /// What the TLB holds, by identifiers.
    held: BTreeMap<usize, Held>,
    flushed: usize,
    interrupted: bool,
    notified: usize,
    relaxed: usize,
    invalidated: Vec<(u64, u64)>,
}

impl Core {
    /// What it holds under the identifier in use.
    fn held(&mut self) -> &mut Held {
        self.held.entry(self.id).or_default()
    }

    /// What it holds under others is not used as long as they aren't, but it must not be used then.
    fn give_back(&mut self, is_part: impl Fn(&Held) -> bool) -> bool {
        let mut reached = false;
        for (id, held) in &mut self.held {
            let part = is_part(held);
            reached |= part && *id == self.id;
            held.dead |= part;
        }
        reached
    }
}

#[derive(Default)]
struct State {
    cores: Vec<Core>,
    identifiers: usize,
    careless: bool,
    /// Whether processors wait before they go over to a table, and whether one does.
    hold: (bool, bool),
    tables: BTreeMap<u64, Box<[u64]>>,
    next: u64,
    left: Option<usize>,
    unwinds: bool,
    impatient: bool,
    watched: Vec<u64>,
    over: bool,
}

/// All processors, and the tables that they walk, in the format of x86_64.
#[derive(Default)]
pub struct Hardware {
    state: Mutex<State>,
    /// What lets other processors run.
    pub clock: Clock,
    /// What the frames hold.
    pub ram: Ram,
}

impl State {
    /// What the tables say of `va`, as far as the core has not cached the upper ones.
    fn walk(&mut self, cpu: usize, va: u64) -> Option<(u64, Translation)> {
        let core = &mut self.cores[cpu];
        let root = core.root?;
        let (mut table, mut shift) = match core.held().tables.get(&(va >> 21)) {
            Some(&table) => (table, 12),
            None => (root, 39),
        };
        loop {
            let words = self.tables.get(&table);
            let words = words.expect("a walk reaches a table that was given back");
            let word = words[(va >> shift & 511) as usize];
            if word & PRESENT == 0 {
                return None;
            }
            let bytes = 1u64 << shift;
            if shift == 12 || word & LARGE != 0 {
                let frame = word & ADDRESS & !(bytes - 1);
                let write = word & WRITABLE != 0;
                let user = word & USER != 0;
                let page = Translation {
                    frame,
                    bytes,
                    write,
                    user,
                };
                return Some((va & !(bytes - 1), page));
            }
            table = word & ADDRESS;
            shift -= 9;
            if shift == 12 {
                core.held().tables.insert(va >> 21, table);
            }
        }
    }

    fn held(&self, cpu: usize, id: usize, va: u64) -> Option<(u64, Translation)> {
        let held = self.cores[cpu].held.get(&id)?;
        let (&first, &page) = held.pages.range(..=va).next_back()?;
        (va - first < page.bytes).then_some((first, page))
    }

    fn load(&mut self, cpu: usize, va: u64) -> Option<(u64, Translation)> {
        if let Some(held) = self.held(cpu, self.cores[cpu].id, va) {
            return Some(held);
        }
        let (first, page) = self.walk(cpu, va)?;
        self.cores[cpu].held().pages.insert(first, page);
        Some((first, page))
    }

    /// Every core loads what it can of what is watched.
    fn speculate(&mut self) {
        for cpu in 0..self.cores.len() {
            for va in self.watched.clone() {
                let _ = self.load(cpu, va);
            }
        }
    }
}

impl Hardware {
    /// So many processors, none of which uses a table.
    pub fn new(cpus: usize) -> Self {
        let cores = (0..cpus).map(|_| Core::default()).collect();
        let state = Mutex::new(State {
            cores,
            next: 0x1000,
            ..State::default()
        });
        Hardware {
            state,
            ..Hardware::default()
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// From now on each processor that can loads the translation of `va`, whenever something changes.
    pub fn watch(&self, va: u64) {
        let mut state = self.state();
        state.watched.push(va);
        state.speculate();
    }

    /// This processor reads from `va`: the physical address, or `None` for a page fault.
    pub fn read(&self, va: u64) -> Option<u64> {
        self.clock.step();
        let (first, page) = self.state().load(schedule::cpu(), va)?;
        Some(page.frame + (va - first))
    }

    /// This processor writes to `va`: the physical address, or `None` for a page fault, after which it doesn't hold the
    /// translation.
    pub fn write(&self, va: u64) -> Option<u64> {
        self.clock.step();
        let mut state = self.state();
        let cpu = schedule::cpu();
        let (first, page) = state.load(cpu, va)?;
        if page.write {
            return Some(page.frame + (va - first));
        }
        state.cores[cpu].held().pages.remove(&first);
        None
    }

    /// What the TLB of `cpu` holds for `va` under the identifier in use.
    pub fn cached(&self, cpu: usize, va: u64) -> Option<Translation> {
        let state = self.state();
        let held = state.held(cpu, state.cores[cpu].id, va);
        held.map(|(_, page)| page)
    }

    /// What the TLB of `cpu` holds for `va` under the identifier `id`.
    pub fn cached_as(&self, cpu: usize, id: usize, va: u64) -> Option<Translation> {
        self.state().held(cpu, id, va).map(|(_, page)| page)
    }

    /// From now on processors have so many identifiers.
    pub fn identify(&self, identifiers: usize) {
        self.state().identifiers = identifiers;
    }

    /// From now on nothing is invalidated where an identifier is taken into use, as by a kernel that forgets it. For controls.
    pub fn keep_all(&self) {
        self.state().careless = true;
    }

    /// Whether processors wait from now on before they go over to a table, as in an interrupt.
    pub fn hold_switches(&self, hold: bool) {
        self.state().hold = (hold, false);
    }

    /// Whether one waits.
    pub fn is_held(&self) -> bool {
        self.state().hold.1
    }

    fn wait_in_interrupt(&self) {
        loop {
            let mut state = self.state();
            if !state.hold.0 {
                return;
            }
            state.hold.1 = true;
            drop(state);
            self.clock.relax();
        }
    }

    /// The identifier that `cpu` uses.
    pub fn identifier(&self, cpu: usize) -> usize {
        self.state().cores[cpu].id
    }

    /// How often `cpu` has invalidated all that it held under the identifier of the table that it went over to.
    pub fn flushed(&self, cpu: usize) -> usize {
        self.state().cores[cpu].flushed
    }

    /// How often `cpu` was notified.
    pub fn notified(&self, cpu: usize) -> usize {
        self.state().cores[cpu].notified
    }

    /// The ranges that `cpu` has invalidated, each by its start and its size.
    pub fn invalidated(&self, cpu: usize) -> Vec<(u64, u64)> {
        self.state().cores[cpu].invalidated.clone()
    }

    /// Whether there is an interrupt for this processor, which takes it thereby.
    pub fn take_interrupt(&self) -> bool {
        mem::take(&mut self.state().cores[schedule::cpu()].interrupted)
    }

    /// Processors that do nothing but take interrupts may end.
    pub fn finish(&self) {
        self.state().over = true;
        self.clock.step();
    }

    /// Whether [`finish`](Hardware::finish) was called.
    pub fn is_over(&self) -> bool {
        self.state().over
    }

    /// No processor's TLB reaches `bytes` bytes from `addr` any more by what it holds under the identifier in use. What leads
    /// there under others must not be used.
    pub fn assert_unreachable(&self, addr: u64, bytes: u64) {
        let meets =
            |page: &Translation| page.frame < addr + bytes && addr < page.frame + page.bytes;
        for core in &mut self.state().cores {
            let reached = core.give_back(|held| held.pages.values().any(meets));
            assert!(!reached, "{addr:#x} is given back, and in a TLB");
        }
    }

    pub(super) fn identifiers(&self) -> usize {
        self.state().identifiers
    }

    /// By the identifier in use, if the table is, or else all that is held under others.
    pub(super) fn invalidate_for<A: PagingMode>(&self, root: u64, range: FlushRange<A>) {
        let mut state = self.state();
        let core = &mut state.cores[schedule::cpu()];
        if core.root != Some(root) {
            let id = core.id;
            core.held.retain(|other, _| *other == id);
        }
        drop(state);
        self.invalidate(range);
    }

    pub(super) fn invalidate<A: PagingMode>(&self, range: FlushRange<A>) {
        self.clock.step();
        let mut state = self.state();
        let core = &mut state.cores[schedule::cpu()];
        let (start, bytes) = (range.addr().as_u64(), range.size());
        core.invalidated.push((start, bytes));
        let meets = |va: u64, size: u64| {
            let last = start.saturating_add(bytes.saturating_sub(1));
            va <= last && start <= va + (size - 1)
        };
        let held = core.held();
        held.pages.retain(|&va, page| !meets(va, page.bytes));
        if range.frees_tables() {
            held.tables.clear();
        }
        state.speculate();
    }

    /// Over to a table without an identifier of its own.
    pub(super) fn switch(&self, root: Option<u64>) {
        self.switch_as(root, 0, false);
    }

    pub(super) fn switch_as(&self, root: Option<u64>, id: usize, keep: bool) {
        self.clock.step();
        self.wait_in_interrupt();
        let mut state = self.state();
        assert!(id <= state.identifiers, "no such identifier");
        let careless = state.careless && id > 0;
        let core = &mut state.cores[schedule::cpu()];
        (core.root, core.id) = (root, id);
        if !keep && !careless {
            core.held.remove(&id);
            core.flushed += 1;
        }
        assert!(!core.held().dead, "leads to what was given back");
        state.speculate();
        drop(state);
        // others may run before the library goes on
        self.clock.step();
    }

    /// How often `cpu` has waited.
    pub fn relaxed(&self, cpu: usize) -> usize {
        self.state().cores[cpu].relaxed
    }

    /// From now on who waits unwinds.
    pub fn lose_patience(&self) {
        self.state().impatient = true;
    }

    pub(super) fn relax(&self) {
        let mut state = self.state();
        assert!(!state.impatient, "as it was told");
        if let Some(core) = state.cores.get_mut(schedule::cpu()) {
            core.relaxed += 1;
        }
        drop(state);
        self.clock.relax();
    }

    pub(super) fn notify(&self, cpu: usize) {
        self.clock.step();
        let mut state = self.state();
        state.cores[cpu].interrupted = true;
        state.cores[cpu].notified += 1;
    }

    /// Only so many tables more are to be had; `None`: as many as one likes.
    pub fn limit_tables(&self, left: Option<usize>) {
        self.state().left = left;
    }

    /// The next table lies at `addr`, where none does now.
    pub fn next_table_at(&self, addr: u64) {
        self.state().next = addr;
    }

    /// How many tables there are.
    pub fn tables(&self) -> usize {
        self.state().tables.len()
    }

    /// The next time that a table is asked for, the answer is a panic.
    pub fn unwind(&self) {
        self.state().unwinds = true;
    }

    pub(super) fn alloc_table(&self, bytes: usize) -> Option<u64> {
        let mut state = self.state();
        if mem::take(&mut state.unwinds) {
            panic!("as it was told");
        }
        if let Some(left) = &mut state.left {
            *left = left.checked_sub(1)?;
        }
        let at = state.next.next_multiple_of(bytes as u64);
        state.next = at + bytes as u64;
        state.tables.insert(at, vec![0; bytes / 8].into());
        Some(at)
    }

    pub(super) fn free_table(&self, table: u64) {
        self.clock.step();
        let mut state = self.state();
        for core in &mut state.cores {
            let reached = core.give_back(|held| held.tables.values().any(|&at| at == table));
            let used = core.root == Some(table);
            assert!(
                !reached && !used,
                "a table is given back that a processor reaches"
            );
        }
        assert!(state.tables.remove(&table).is_some(), "given back twice");
    }

    pub(super) fn word(&self, table: u64, index: usize) -> u64 {
        self.state().tables[&table][index]
    }

    /// Exchanges a word that is `current`, or any if that is `None`; answers with what it was.
    pub(super) fn exchange(&self, table: u64, index: usize, current: Option<u64>, new: u64) -> u64 {
        self.clock.step();
        let mut state = self.state();
        state.speculate();
        let word = &mut state.tables.get_mut(&table).expect("a table")[index];
        let was = *word;
        if current.is_none_or(|current| current == was) {
            *word = new;
        }
        state.speculate();
        was
    }
}
