//! The suite's comparison of runs and of visited tables finds each way in which they can be wrong, and nothing where they
//! are right.

mod common;

use common::{ARM_4K, ARM_STAGE_2, LOONGARCH_4K, SV39};
use portolan::{
    AArch64Lower, AArch64Stage2, Ept, LoongArchLower, Mapping, PageProperty, PageSize, PageTable,
    PagingMode, PhysAddr, Run, Runs, Sv39, TableInfo, VirtAddr, VirtRange, X86_64,
};
use portolan_machine::conformance::model::{Model, Op};
use portolan_machine::conformance::{Mismatch, compare_runs, compare_tables};
use portolan_machine::walk::Regime;
use portolan_machine::{Machine, Memory, SoftConfig, SoftMachine};

/// A small page's bytes.
const SMALL: u64 = 0x1000;

/// Where one table of level 1 ends and the next begins: in the middle of a run.
const BORDER: u64 = 0x20_0000;

/// What all is mapped below.
const END: u64 = 1 << 38;

/// What the suite says of what it is shown.
type Judged<T> = Result<T, Box<Mismatch>>;

/// A page table, and what it should be.
struct Pair<A: PagingMode> {
    machine: SoftMachine,
    table: PageTable<Memory, A>,
    model: Model,
}

impl<A: PagingMode> Pair<A> {
    /// A run of four pages across the border, one behind it that allows less, one behind that which has another frame, and
    /// one under tables of its own.
    fn new(regime: Regime) -> Self {
        let machine = SoftMachine::new(SoftConfig {
            regime,
            ..SoftConfig::default()
        });
        let table = PageTable::new(machine.memory().clone()).unwrap();
        let model = Model::new(regime, machine.memory().phys_bits(), false);
        let mut pair = Pair {
            machine,
            table,
            model,
        };
        let (first, frame) = (BORDER - 2 * SMALL, 0x4000_0000);
        for nth in 0..4 {
            let offset = nth * SMALL;
            pair.map(first + offset, frame + offset, PageProperty::USER_RW);
        }
        let behind = 4 * SMALL;
        pair.map(first + behind, frame + behind, PageProperty::USER_RX);
        pair.map(first + 5 * SMALL, frame, PageProperty::USER_RX);
        pair.map(END / 2, frame, PageProperty::USER_RW);
        pair
    }

    fn map(&mut self, va: u64, frame: u64, prop: PageProperty) {
        let size = PageSize::Size4K;
        let (at, to) = (VirtAddr::new(va).unwrap(), PhysAddr::new(frame));
        self.table.map(at, to, size, prop).unwrap();
        let op = Op::Map {
            va,
            frame,
            size,
            prop,
        };
        self.model.apply(&op).unwrap();
    }

    /// The pages that overlap a range.
    fn pages(&self, from: u64, to: u64) -> Vec<(VirtAddr<A>, Mapping)> {
        let range = VirtRange::new(VirtAddr::new(from).unwrap(), to - from).unwrap();
        self.table.mappings(range).unwrap().collect()
    }

    /// What the suite says of these runs.
    fn judge_runs(&self, runs: impl IntoIterator<Item = Run<A>>) -> Judged<()> {
        compare_runs(&self.model, (0, END), runs.into_iter().map(Into::into))
    }

    /// What the suite says of the pages put together to runs.
    fn judge_pages(&self, pages: impl IntoIterator<Item = (VirtAddr<A>, Mapping)>) -> Judged<()> {
        self.judge_runs(Runs::new(pages.into_iter()))
    }

    /// What the suite says of these tables.
    fn judge_tables(&self, tables: Vec<TableInfo<A>>) -> Judged<usize> {
        let (regime, memory) = (self.machine.regime(), self.machine.memory());
        let expected = self.model.tables_for(&regime.ranges(), false);
        let tables = tables.into_iter().map(|table| (table.into(), table.addr));
        compare_tables(&expected, regime, memory, self.table.root(), tables)
    }
}

fn wrong_runs<A: PagingMode>(regime: Regime) {
    let pair = Pair::<A>::new(regime);
    let pages = pair.pages(0, END);
    let changed = |change: fn(usize, &mut Mapping)| {
        let mut pages = pages.clone();
        for (nth, (_, page)) in pages.iter_mut().enumerate() {
            change(nth, page);
        }
        pages
    };
    assert_eq!(pair.judge_pages(pages.clone()), Ok(()));
    let at_border = Runs::new(pair.pages(0, BORDER).into_iter())
        .chain(Runs::new(pair.pages(BORDER, END).into_iter()));
    let reversed = Runs::new(pages.clone().into_iter()).collect::<Vec<_>>();
    let mut sized: Vec<_> = reversed.clone();
    sized[0].size += SMALL;
    let wrong = [
        ("ends at a border of tables", pair.judge_runs(at_border)),
        (
            "goes on with other properties",
            pair.judge_pages(changed(|nth, page| {
                if nth == 4 {
                    page.prop = PageProperty::USER_RW;
                }
            })),
        ),
        (
            "goes on with another frame",
            pair.judge_pages(changed(|nth, page| {
                if nth == 5 {
                    page.frame = PhysAddr::new(0x4000_5000);
                }
            })),
        ),
        (
            "has a page that was never stored to",
            pair.judge_pages(changed(|_, page| page.prop.dirty = false)),
        ),
        (
            "lacks the last page",
            pair.judge_pages(pages[..pages.len() - 1].to_vec()),
        ),
        (
            "has each page twice",
            pair.judge_pages(pages.iter().flat_map(|page| [*page, *page])),
        ),
        ("is longer than its pages", pair.judge_runs(sized)),
        (
            "comes before the one in front",
            pair.judge_runs(reversed.into_iter().rev()),
        ),
    ];
    for (what, judged) in wrong {
        let found = judged
            .as_ref()
            .is_err_and(|found| matches!(**found, Mismatch::Runs { .. }));
        assert!(found, "a run that {what}: {judged:?}");
    }
}

fn wrong_tables<A: PagingMode>(regime: Regime) {
    let pair = Pair::<A>::new(regime);
    let tables: Vec<_> = pair.table.tables().collect();
    let changed = |change: fn(&mut Vec<TableInfo<A>>)| {
        let mut tables = tables.clone();
        change(&mut tables);
        pair.judge_tables(tables)
    };
    assert_eq!(
        changed(|_| ()),
        Ok(pair.machine.memory().frames_held()),
        "all frames are tables"
    );
    let last = tables.len() - 1;
    let visits = [
        ("without the root", pair.judge_tables(tables[1..].to_vec())),
        (
            "without the last",
            pair.judge_tables(tables[..last].to_vec()),
        ),
        (
            "with one twice",
            changed(|tables| tables.insert(2, tables[1])),
        ),
        (
            "with the last twice",
            changed(|tables| tables.extend_from_within(tables.len() - 1..)),
        ),
        (
            "with one before that above it",
            changed(|tables| tables.swap(0, 1)),
        ),
        (
            "with one of another level",
            changed(|tables| tables[1].level += 1),
        ),
        (
            "with one that covers less",
            changed(|tables| tables[1].size /= 2),
        ),
        (
            "with one elsewhere",
            changed(|tables| tables[1].start = VirtAddr::new(END / 2).unwrap()),
        ),
        (
            "with another count of entries",
            changed(|tables| {
                tables[1].used = tables[1].used.map_or(Some(1), |used| Some(used + 1));
            }),
        ),
    ];
    for (what, judged) in visits {
        let found = judged
            .as_ref()
            .is_err_and(|found| matches!(**found, Mismatch::Visit { .. }));
        assert!(found, "a visit {what}: {judged:?}");
    }
}

fn exchanged_tables<A: PagingMode>(regime: Regime) {
    let pair = Pair::<A>::new(regime);
    let mut tables: Vec<_> = pair.table.tables().collect();
    let (one, other) = (1, tables.len() - 1);
    (tables[one].addr, tables[other].addr) = (tables[other].addr, tables[one].addr);
    let judged = pair.judge_tables(tables);
    let found = judged
        .as_ref()
        .is_err_and(|found| matches!(**found, Mismatch::TableAt { .. }));
    assert!(found, "{judged:?}");
}

#[test]
fn runs_that_are_wrong_are_found() {
    wrong_runs::<X86_64>(Regime::X86_64 { levels: 4 });
    wrong_runs::<Ept>(Regime::Ept);
    wrong_runs::<AArch64Lower>(ARM_4K);
    wrong_runs::<AArch64Stage2>(ARM_STAGE_2);
    wrong_runs::<Sv39>(SV39);
    wrong_runs::<LoongArchLower>(LOONGARCH_4K);
}

#[test]
fn tables_that_are_wrong_are_found() {
    wrong_tables::<X86_64>(Regime::X86_64 { levels: 4 });
    wrong_tables::<Ept>(Regime::Ept);
    wrong_tables::<AArch64Lower>(ARM_4K);
    wrong_tables::<AArch64Stage2>(ARM_STAGE_2);
    wrong_tables::<Sv39>(SV39);
    wrong_tables::<LoongArchLower>(LOONGARCH_4K);
}

#[test]
fn tables_that_are_elsewhere_in_memory_are_found() {
    exchanged_tables::<X86_64>(Regime::X86_64 { levels: 4 });
    exchanged_tables::<Ept>(Regime::Ept);
    exchanged_tables::<AArch64Lower>(ARM_4K);
    exchanged_tables::<AArch64Stage2>(ARM_STAGE_2);
    exchanged_tables::<Sv39>(SV39);
    exchanged_tables::<LoongArchLower>(LOONGARCH_4K);
}
