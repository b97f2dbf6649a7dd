//! Accessed and dirty bits are tested and cleared, and none that hardware sets meanwhile is lost.

mod common;

use common::{Heap, NoTlb};
use portolan::{
    AArch64Lower, Error, Mapping, PageProperty, PageSize, PageTable, PagingMode, PhysAddr, Sv39,
    TableMemory, Tracking, UsedBits, VirtAddr, VirtRange, X86_64,
};
use std::cell::Cell;
use std::marker::PhantomData;

type Arm = AArch64Lower;

const AT: u64 = 0x40_0000;
const FRAME: PhysAddr = PhysAddr::new(0x1_4000_0000);
const SMALL: PageSize = PageSize::Size4K;
const LARGE: PageSize = PageSize::Size2M;

/// How a processor notes in a page's word that the page was used.
trait Hardware: PagingMode {
    fn load(word: u64) -> u64;
    fn store(word: u64) -> u64;
    /// A load would change nothing.
    fn is_accessed(word: u64) -> bool {
        Self::load(word) == word
    }
    /// A store would change nothing but the accessed bit.
    fn is_dirty(word: u64) -> bool {
        Self::store(word) | Self::load(0) == word | Self::load(0)
    }
    fn marks(word: u64) -> usize {
        Self::is_accessed(word) as usize + Self::is_dirty(word) as usize
    }
}

/// A is bit 5, D bit 6.
impl Hardware for X86_64 {
    fn load(word: u64) -> u64 {
        word | 0x20
    }
    fn store(word: u64) -> u64 {
        word | 0x60
    }
}

/// A is bit 6, D bit 7.
impl Hardware for Sv39 {
    fn load(word: u64) -> u64 {
        word | 0x40
    }
    fn store(word: u64) -> u64 {
        word | 0xc0
    }
}

/// AF is bit 10; a page that may be written becomes dirty when AP\[2\], bit 7, is cleared.
impl Hardware for Arm {
    fn load(word: u64) -> u64 {
        word | 0x400
    }
    fn store(word: u64) -> u64 {
        (word | 0x400) & !0x80
    }
}

/// A use of the page whose word is exchanged.
type Use = fn(u64) -> u64;

/// Tables that a processor uses while they are changed.
struct Busy<A> {
    heap: Heap,
    /// What the processor does just before the next exchange, and just after it.
    before: Cell<Option<Use>>,
    after: Cell<Option<Use>>,
    exchanged: Cell<Option<(u64, usize)>>,
    exchanges: Cell<usize>,
    marks: Cell<usize>,
    mode: PhantomData<A>,
}

impl<A: Hardware> Busy<A> {
    fn new() -> Self {
        Busy {
            heap: Heap::default(),
            before: Cell::default(),
            after: Cell::default(),
            exchanged: Cell::default(),
            exchanges: Cell::default(),
            marks: Cell::default(),
            mode: PhantomData,
        }
    }

    /// The processor uses the page whose word was exchanged last.
    fn uses(&self, how: Option<Use>) {
        if let (Some(how), Some((table, index))) = (how, self.exchanged.get()) {
            let word = self.heap.word(table, index);
            self.heap.set(table, index, how(word));
            let more = A::marks(how(word)) - A::marks(word);
            self.marks.set(self.marks.get() + more);
        }
    }
}

// SAFETY: tables are those of `Heap`; what is set in addition are bits that hardware sets
unsafe impl<A: Hardware> TableMemory for &Busy<A> {
    fn alloc_zeroed(&self, bytes: usize) -> Option<PhysAddr> {
        (&self.heap).alloc_zeroed(bytes)
    }
    unsafe fn free(&self, table: PhysAddr, bytes: usize) {
        // SAFETY: the caller's
        unsafe { (&self.heap).free(table, bytes) }
    }
    unsafe fn read(&self, table: PhysAddr, index: usize) -> u64 {
        self.heap.word(table.as_u64(), index)
    }
    unsafe fn write(&self, table: PhysAddr, index: usize, word: u64) {
        self.heap.set(table.as_u64(), index, word);
    }
    unsafe fn compare_exchange(
        &self,
        table: PhysAddr,
        index: usize,
        current: u64,
        new: u64,
    ) -> Result<u64, u64> {
        self.exchanges.set(self.exchanges.get() + 1);
        self.exchanged.set(Some((table.as_u64(), index)));
        self.uses(self.before.take());
        // SAFETY: the caller's
        let r = unsafe { (&self.heap).compare_exchange(table, index, current, new) };
        if r.is_ok() {
            self.uses(self.after.take());
        }
        r
    }
    fn phys_bits(&self) -> u8 {
        (&self.heap).phys_bits()
    }
}

type Table<'a, A> = PageTable<&'a Busy<A>, A, Tracking>;

fn va<A: PagingMode>(raw: u64) -> VirtAddr<A> {
    VirtAddr::new(raw).unwrap()
}

fn marked(accessed: bool, dirty: bool) -> PageProperty {
    PageProperty {
        accessed,
        dirty,
        ..PageProperty::USER_RW
    }
}

fn with_page<A: Hardware>(busy: &Busy<A>, prop: PageProperty) -> Table<'_, A> {
    let mut table = Table::new(busy).unwrap();
    table.map(va(AT), FRAME, SMALL, prop).unwrap();
    table
}

fn bits_are_answered_and_cleared<A: Hardware>() {
    for bits in [UsedBits::Accessed, UsedBits::Dirty, UsedBits::Both] {
        for (accessed, dirty) in [(false, false), (true, false), (false, true), (true, true)] {
            let prop = marked(accessed, dirty);
            let any = bits.accessed() && accessed || bits.dirty() && dirty;
            let busy = Busy::new();
            let mut table = with_page::<A>(&busy, prop);
            let (was, flush) = table.test_and_clear(va(AT), SMALL, bits).unwrap();
            assert_eq!((was.frame, was.size, was.prop), (FRAME, SMALL, prop));
            assert_eq!(flush.addr(), va(AT));
            assert_eq!(flush.size(), if any { 4096 } else { 0 });
            assert!(!flush.frees_tables());
            flush.pay(&NoTlb);
            let left = PageProperty {
                accessed: accessed && !bits.accessed(),
                dirty: dirty && !bits.dirty(),
                ..prop
            };
            assert_eq!(table.query(va(AT)).unwrap().prop, left);
            assert_eq!(busy.exchanges.get(), any as usize);
        }
    }
}

#[test]
fn what_was_set_is_answered_and_cleared() {
    bits_are_answered_and_cleared::<X86_64>();
    bits_are_answered_and_cleared::<Sv39>();
    bits_are_answered_and_cleared::<Arm>();
}

fn a_store_before_is_answered<A: Hardware>() {
    let busy = Busy::new();
    let mut table = with_page::<A>(&busy, marked(true, false));
    busy.before.set(Some(A::store));
    let (was, flush) = table.test_and_clear(va(AT), SMALL, UsedBits::Both).unwrap();
    assert_eq!(was.prop, marked(true, true));
    assert_eq!(busy.exchanges.get(), 2);
    flush.pay(&NoTlb);
    assert_eq!(table.query(va(AT)).unwrap().prop, marked(false, false));
}

#[test]
fn a_bit_set_just_before_the_exchange_is_answered() {
    a_store_before_is_answered::<X86_64>();
    a_store_before_is_answered::<Sv39>();
    a_store_before_is_answered::<Arm>();
}

fn a_bit_not_asked_for_stays<A: Hardware>() {
    let busy = Busy::new();
    let mut table = with_page::<A>(&busy, marked(true, false));
    busy.before.set(Some(A::store));
    let (was, flush) = table
        .test_and_clear(va(AT), SMALL, UsedBits::Accessed)
        .unwrap();
    assert_eq!(was.prop, marked(true, true));
    flush.pay(&NoTlb);
    assert_eq!(table.query(va(AT)).unwrap().prop, marked(false, true));
}

#[test]
fn a_bit_that_was_not_asked_for_stays_even_if_set_meanwhile() {
    a_bit_not_asked_for_stays::<X86_64>();
    a_bit_not_asked_for_stays::<Sv39>();
    a_bit_not_asked_for_stays::<Arm>();
}

/// Each bit that the processor set is answered once, or is set at the end.
fn marks_are_conserved<A: Hardware>() {
    let busy = Busy::new();
    let mut table = with_page::<A>(&busy, marked(true, true));
    let (_, flush) = table.test_and_clear(va(AT), SMALL, UsedBits::Both).unwrap();
    flush.pay(&NoTlb);
    let uses: [Option<Use>; 3] = [None, Some(A::load), Some(A::store)];
    let asked = [UsedBits::Accessed, UsedBits::Dirty, UsedBits::Both];
    let mut answered = 0;
    for round in 0..81 {
        busy.uses(uses[round % 3]);
        busy.before.set(uses[round / 3 % 3]);
        busy.after.set(uses[round / 9 % 3]);
        let bits = asked[round / 27];
        let (was, flush) = table.test_and_clear(va(AT), SMALL, bits).unwrap();
        answered += (bits.accessed() && was.prop.accessed) as usize;
        answered += (bits.dirty() && was.prop.dirty) as usize;
        flush.pay(&NoTlb);
    }
    let left = table.query(va(AT)).unwrap().prop;
    let still = left.accessed as usize + left.dirty as usize;
    assert!(answered > 50);
    assert_eq!(busy.marks.get(), answered + still);
}

#[test]
fn each_bit_that_a_processor_sets_is_answered_once() {
    marks_are_conserved::<X86_64>();
    marks_are_conserved::<Sv39>();
    marks_are_conserved::<Arm>();
}

#[test]
fn a_page_that_is_not_there_is_refused() {
    let busy = Busy::new();
    let mut table = Table::<X86_64>::new(&busy).unwrap();
    table.map(va(AT), FRAME, LARGE, marked(true, true)).unwrap();
    let mut refused = |at, size| {
        table
            .test_and_clear(va(at), size, UsedBits::Both)
            .unwrap_err()
    };
    let (addr, size) = (AT, LARGE.bytes());
    let below = AT - 4096;
    for (error, expected) in [
        (
            refused(AT + 4096, SMALL),
            Error::CoveredByHugePage { addr, size },
        ),
        (
            refused(below, SMALL),
            Error::NotMapped {
                addr: below,
                size: 4096,
            },
        ),
        (
            refused(below, LARGE),
            Error::NotAligned { addr: below, size },
        ),
        (
            refused(AT, PageSize::Size16K),
            Error::UnsupportedSize { addr, size: 0x4000 },
        ),
    ] {
        assert_eq!(error, expected);
    }
    assert_eq!(busy.exchanges.get(), 0);
}

/// All pages of a range that were used, with their bits cleared, and what they owe the TLB.
fn harvest<A: Hardware>(table: &mut Table<'_, A>, bits: UsedBits) -> Vec<(u64, PageSize)> {
    let end = AT + 4 * LARGE.bytes();
    let (mut at, mut used) = (AT, Vec::new());
    loop {
        let rest = VirtRange::new(va(at), end - at).unwrap();
        let Some((found, was, flush)) = table.test_and_clear_next(rest, bits).unwrap() else {
            return used;
        };
        assert_eq!((flush.addr(), flush.size()), (found, was.size.bytes()));
        flush.pay(&NoTlb);
        used.push((found.as_u64(), was.size));
        at = found.as_u64() + was.size.bytes();
    }
}

fn used_pages_are_found<A: Hardware>() {
    let busy = Busy::new();
    let mut table = Table::<A>::new(&busy).unwrap();
    let large = AT + LARGE.bytes();
    for (at, size, prop) in [
        (AT, SMALL, marked(false, false)),
        (AT + 0x1000, SMALL, marked(true, false)),
        (AT + 0x5000, SMALL, marked(false, false)),
        (large, LARGE, marked(true, true)),
        (large + LARGE.bytes(), LARGE, marked(false, false)),
        (
            large + 3 * LARGE.bytes() - 0x1000,
            SMALL,
            marked(true, true),
        ),
        (large + 3 * LARGE.bytes(), SMALL, marked(true, true)),
    ] {
        table.map(va(at), FRAME, size, prop).unwrap();
    }
    let last = large + 3 * LARGE.bytes() - 0x1000;
    assert_eq!(
        harvest(&mut table, UsedBits::Dirty),
        [(large, LARGE), (last, SMALL)]
    );
    assert_eq!(harvest(&mut table, UsedBits::Dirty), []);
    assert_eq!(
        harvest(&mut table, UsedBits::Both),
        [(AT + 0x1000, SMALL), (large, LARGE), (last, SMALL)]
    );
    assert_eq!(harvest(&mut table, UsedBits::Both), []);
    assert_eq!(busy.exchanges.get(), 5);
    let outside = table.query(va(last + 0x1000)).unwrap();
    assert_eq!(outside.prop, marked(true, true));
}

#[test]
fn the_pages_of_a_range_that_were_used_are_found_in_order() {
    used_pages_are_found::<X86_64>();
    used_pages_are_found::<Sv39>();
    used_pages_are_found::<Arm>();
}

#[test]
fn a_range_that_cuts_a_page_or_none_is_refused() {
    let busy = Busy::new();
    let mut table = Table::<Sv39>::new(&busy).unwrap();
    table.map(va(AT), FRAME, LARGE, marked(true, true)).unwrap();
    let mut ask = |at, bytes| {
        let range = VirtRange::new(va(at), bytes).unwrap();
        table.test_and_clear_next(range, UsedBits::Both)
    };
    let (addr, size) = (AT, LARGE.bytes());
    assert_eq!(
        ask(AT + 0x1000, 0x1000).unwrap_err(),
        Error::CoveredByHugePage { addr, size }
    );
    assert_eq!(
        ask(AT, 0x1001).unwrap_err(),
        Error::NotAligned {
            addr: AT + 0x1001,
            size: 4096
        }
    );
    assert!(ask(AT, 0).unwrap().is_none());
    assert_eq!(busy.exchanges.get(), 0);
}

/// All pages of a range that were used, and the flush for them.
fn harvest_at_once<A: Hardware>() {
    let busy = Busy::new();
    let mut table = Table::<A>::new(&busy).unwrap();
    let large = AT + LARGE.bytes();
    let end = large + LARGE.bytes();
    let last = end - 0x1000;
    for (at, size, prop) in [
        (AT - 0x1000, SMALL, marked(true, true)),
        (AT, SMALL, marked(false, true)),
        (AT + 0x2000, SMALL, marked(true, false)),
        (AT + 0x5000, SMALL, marked(false, false)),
        (large, SMALL, marked(true, true)),
        (last, SMALL, marked(false, false)),
        (end, LARGE, marked(true, false)),
    ] {
        table.map(va(at), FRAME, size, prop).unwrap();
    }
    let all = VirtRange::new(va(AT), end + LARGE.bytes() - AT).unwrap();
    let mut used = table.harvest(all, UsedBits::Accessed).unwrap();
    let found: Vec<_> = used.by_ref().map(|(at, was)| (at.as_u64(), was)).collect();
    assert_eq!(used.next(), None);
    let flush = used.finish();
    assert_eq!(flush.addr().as_u64(), AT + 0x2000);
    assert_eq!(flush.size(), end + LARGE.bytes() - AT - 0x2000);
    assert_eq!(flush.range().stride(), SMALL);
    flush.pay(&NoTlb);
    let prop = marked(true, false);
    let page = |at, size, prop| {
        (
            at,
            Mapping {
                frame: FRAME,
                size,
                prop,
            },
        )
    };
    let expected = [
        page(AT + 0x2000, SMALL, prop),
        page(large, SMALL, marked(true, true)),
        page(end, LARGE, prop),
    ];
    assert_eq!(found, expected);
    assert_eq!(busy.exchanges.get(), 3);
    for (at, left) in [
        (AT - 0x1000, marked(true, true)),
        (AT, marked(false, true)),
        (large, marked(false, true)),
        (end, marked(false, false)),
    ] {
        assert_eq!(table.query(va(at)).unwrap().prop, left);
    }
    let again = table.harvest(all, UsedBits::Accessed).unwrap();
    assert_eq!(again.finish().size(), 0);
    let mut dirty = table.harvest(all, UsedBits::Dirty).unwrap();
    assert_eq!(dirty.next().unwrap().0.as_u64(), AT);
    let flush = dirty.finish();
    assert_eq!((flush.addr().as_u64(), flush.size()), (AT, 0x1000));
    flush.pay(&NoTlb);
    assert!(table.query(va(large)).unwrap().prop.dirty);
}

#[test]
fn one_flush_covers_all_pages_that_were_found() {
    harvest_at_once::<X86_64>();
    harvest_at_once::<Sv39>();
    harvest_at_once::<Arm>();
}

fn a_store_meanwhile_is_found<A: Hardware>() {
    let busy = Busy::new();
    let mut table = with_page::<A>(&busy, marked(true, false));
    busy.before.set(Some(A::store));
    busy.after.set(Some(A::load));
    let all = VirtRange::new(va(AT), 0x1000).unwrap();
    let mut used = table.harvest(all, UsedBits::Both).unwrap();
    assert_eq!(used.next().unwrap().1.prop, marked(true, true));
    assert_eq!(used.next(), None);
    used.finish().pay(&NoTlb);
    assert_eq!(table.query(va(AT)).unwrap().prop, marked(true, false));
}

#[test]
fn bits_set_while_pages_are_harvested_are_not_lost() {
    a_store_meanwhile_is_found::<X86_64>();
    a_store_meanwhile_is_found::<Sv39>();
    a_store_meanwhile_is_found::<Arm>();
}

#[test]
fn a_harvest_refuses_a_range_that_cuts_a_page() {
    let busy = Busy::new();
    let mut table = Table::<Sv39>::new(&busy).unwrap();
    table.map(va(AT), FRAME, LARGE, marked(true, true)).unwrap();
    let mut ask = |at, bytes| {
        let range = VirtRange::new(va(at), bytes).unwrap();
        let used = table.harvest(range, UsedBits::Both);
        used.map(|used| used.finish().size())
            .map_err(|e| (e.addr(), e))
    };
    let (addr, size) = (AT, LARGE.bytes());
    let covered = Error::CoveredByHugePage { addr, size };
    assert_eq!(ask(AT, 0x1000), Err((AT, covered)));
    assert_eq!(ask(AT + 0x1000, size), Err((AT, covered)));
    assert_eq!(ask(AT, 1).unwrap_err().0, AT + 1);
    assert_eq!(ask(AT, 0), Ok(0));
    assert_eq!(busy.exchanges.get(), 0);
}

/// A search that reaches the last address, where the end of the range is none.
#[test]
fn the_last_page_is_harvested() {
    let busy = Busy::new();
    let mut table = Table::<X86_64>::new(&busy).unwrap();
    let last = u64::MAX - 0xfff;
    table
        .map(va(last), FRAME, SMALL, marked(true, true))
        .unwrap();
    let upper = VirtRange::new(va(0xffff_8000_0000_0000), 1 << 47).unwrap();
    let mut used = table.harvest(upper, UsedBits::Both).unwrap();
    assert_eq!(used.next().unwrap().0.as_u64(), last);
    assert_eq!(used.next(), None);
    let flush = used.finish();
    assert_eq!((flush.addr().as_u64(), flush.size()), (last, 0x1000));
    flush.pay(&NoTlb);
}
