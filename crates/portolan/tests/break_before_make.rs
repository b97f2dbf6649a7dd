//! What a user relies on when pages are taken out of a table, flushed, and made anew.

mod common;

use common::{Heap, NoTlb};
use portolan::{
    AArch64Lower, AccessBits, Broken, CachePolicy, Error, FlushRange, Invalidate, Mapping,
    PageProperty, PageSize, PageTable, PagingMode, PhysAddr, Preset, Tracking, VirtAddr, X86_64,
};
use std::cell::RefCell;

const AT: u64 = 0x40_0000_0000;
const FRAME: u64 = 0x1_4000_0000;
const PAGE: u64 = 0x1000;
const HUGE: u64 = 0x20_0000;

type Table<'h, A, B> = PageTable<&'h Heap, A, B>;

/// What the processors were told: where, how many bytes, and whether of tables.
#[derive(Default)]
struct Told(RefCell<Vec<(u64, u64, bool)>>);

// SAFETY: no processor uses the tables
unsafe impl<A: PagingMode> Invalidate<A> for Told {
    fn invalidate(&self, range: FlushRange<A>) {
        let told = (range.addr().as_u64(), range.size(), range.frees_tables());
        self.0.borrow_mut().push(told);
    }
}

fn va<A: PagingMode>(at: u64) -> VirtAddr<A> {
    VirtAddr::new(AT + at).unwrap()
}

fn frame(at: u64) -> PhysAddr {
    PhysAddr::new(FRAME + at)
}

fn with_page<A: PagingMode, B: AccessBits>(heap: &Heap, prop: PageProperty) -> Table<'_, A, B> {
    let mut table = PageTable::new(heap).unwrap();
    let size = PageSize::Size2M;
    table.map(va(0), frame(0), size, prop).unwrap();
    table
}

fn with_parts<A: PagingMode, B: AccessBits>(heap: &Heap, prop: PageProperty) -> Table<'_, A, B> {
    let mut table = PageTable::new(heap).unwrap();
    for at in (0..HUGE).step_by(PAGE as usize) {
        let size = PageSize::Size4K;
        table.map(va(at), frame(at), size, prop).unwrap();
    }
    table
}

/// The whole page's addresses lie where they did, in pages of `size` with `prop`.
fn lies<A: PagingMode, B: AccessBits>(table: &Table<'_, A, B>, size: PageSize, prop: PageProperty) {
    for at in [0, PAGE, 0x1f_f000] {
        let page = Mapping {
            frame: frame(at & !(size.bytes() - 1)),
            size,
            prop,
        };
        assert_eq!(table.query(va(at)), Ok(page), "{at:#x}");
    }
}

/// Does the same for a mode that lets live entries change, and for one that doesn't.
macro_rules! in_both_modes {
    ($name:ident) => {
        $name::<X86_64>();
        $name::<AArch64Lower>();
    };
}

#[test]
fn a_page_is_divided_after_it_was_flushed() {
    fn divides<A: PagingMode>() {
        let (heap, told) = (Heap::default(), Told::default());
        let prop = PageProperty::KERNEL_RX;
        let mut table = with_page::<A, Tracking>(&heap, prop);
        let broken = table.break_page(va(0), PageSize::Size2M).unwrap();
        assert_eq!((broken.was().frame, broken.was().prop), (frame(0), prop));
        assert_eq!(
            (broken.range().addr(), broken.range().size()),
            (va(0), HUGE)
        );
        assert!(told.0.borrow().is_empty());
        let vacant = broken.flush(&told);
        // with the page, the tables above it became empty
        assert_eq!(*told.0.borrow(), [(AT, HUGE, true)]);
        assert_eq!(heap.len(), 1);
        vacant.split(PageSize::Size4K).unwrap();
        lies(&table, PageSize::Size4K, prop);
        assert_eq!(heap.len(), 4);
    }
    in_both_modes!(divides);
}

#[test]
fn pages_are_made_one_after_they_were_flushed() {
    fn joins<A: PagingMode>() {
        let (heap, told) = (Heap::default(), Told::default());
        let mut table = with_parts::<A, Tracking>(&heap, PageProperty::USER_RW);
        let broken = table.break_pages(va(0), PageSize::Size2M).unwrap();
        let used = PageProperty {
            accessed: true,
            dirty: true,
            ..PageProperty::USER_RW
        };
        let whole = Mapping {
            frame: frame(0),
            size: PageSize::Size2M,
            prop: used,
        };
        assert_eq!(broken.was(), whole);
        broken.flush(&told).collapse().unwrap();
        assert_eq!(*told.0.borrow(), [(AT, HUGE, true)]);
        lies(&table, PageSize::Size2M, used);
        assert_eq!(heap.len(), 3);
    }
    in_both_modes!(joins);
}

#[test]
fn a_page_gets_a_cache_policy_that_it_could_not_get_in_place() {
    fn changes<A: PagingMode>() {
        let heap = Heap::default();
        let mut table = with_page::<A, Tracking>(&heap, PageProperty::KERNEL_RW);
        let device = PageProperty {
            cache: CachePolicy::Uncacheable,
            global: true,
            ..PageProperty::KERNEL_RW
        };
        let vacant = table
            .break_page(va(0), PageSize::Size2M)
            .unwrap()
            .flush(&NoTlb);
        vacant.protect(device).unwrap();
        lies(&table, PageSize::Size2M, device);
    }
    in_both_modes!(changes);
}

#[test]
fn what_hardware_noted_of_a_page_is_kept() {
    fn keeps<A: PagingMode>() {
        let heap = Heap::default();
        let used = PageProperty {
            accessed: true,
            dirty: true,
            ..PageProperty::USER_RW
        };
        let mut table = with_page::<A, Tracking>(&heap, used);
        let broken = table.break_page(va(0), PageSize::Size2M).unwrap();
        let vacant = broken.flush(&NoTlb);
        assert!(vacant.was().prop.dirty);
        vacant.protect(PageProperty::USER_RO).unwrap();
        let now = table.query(va(0)).unwrap().prop;
        assert!(now.accessed && now.dirty && !now.write);
    }
    in_both_modes!(keeps);
}

#[test]
fn a_page_moves_to_another_frame() {
    fn moves<A: PagingMode>() {
        let heap = Heap::default();
        let mut table = with_page::<A, Preset>(&heap, PageProperty::USER_RW);
        let broken = table.break_page(va(0), PageSize::Size2M).unwrap();
        let vacant = broken.flush(&NoTlb);
        let not_made = vacant
            .map(frame(PAGE), PageProperty::USER_RO)
            .expect_err("not a multiple of 2 MiB");
        assert!(matches!(not_made.error, Error::NotAligned { .. }));
        let vacant = not_made.vacant;
        vacant.map(frame(HUGE), PageProperty::USER_RO).unwrap();
        let now = table.query(va(0)).unwrap();
        assert_eq!((now.frame, now.prop.write), (frame(HUGE), false));
    }
    in_both_modes!(moves);
}

#[test]
fn without_memory_nothing_is_lost() {
    fn fails<A: PagingMode>() {
        for left in 0..3 {
            let heap = Heap::default();
            let prop = PageProperty::KERNEL_RW;
            let mut table = with_page::<A, Tracking>(&heap, prop);
            let broken = table.break_page(va(0), PageSize::Size2M).unwrap();
            let mut vacant = broken.flush(&NoTlb);
            heap.limit(left);
            let error = Error::NoMemory {
                addr: AT,
                size: HUGE,
            };
            for _ in 0..2 {
                let not_made = vacant.split(PageSize::Size4K).expect_err("no memory");
                assert_eq!((not_made.error, heap.len()), (error, 1));
                vacant = not_made.vacant;
                heap.limit(left);
            }
            // the tables for the page itself are fewer by one
            if left < 2 {
                vacant = vacant.restore().expect_err("no memory").vacant;
                heap.limit(2);
            }
            vacant.restore().unwrap();
            lies(&table, PageSize::Size2M, prop);
            assert_eq!(heap.len(), 3);
        }
    }
    in_both_modes!(fails);
}

#[test]
fn parts_come_back_as_parts() {
    fn restores<A: PagingMode>() {
        let heap = Heap::default();
        let mut table = with_parts::<A, Preset>(&heap, PageProperty::USER_RO);
        let broken = table.break_pages(va(0), PageSize::Size2M).unwrap();
        let vacant = broken.flush(&NoTlb);
        heap.limit(2);
        let not_made = vacant.restore().expect_err("a table less than there was");
        assert!(matches!(not_made.error, Error::NoMemory { .. }));
        heap.limit(3);
        not_made.vacant.restore().unwrap();
        assert_eq!(table.query(va(PAGE)).unwrap().size, PageSize::Size4K);
        assert_eq!(table.query(va(0x1f_f000)).unwrap().frame, frame(0x1f_f000));
        assert_eq!(heap.len(), 4);
    }
    in_both_modes!(restores);
}

#[test]
fn what_is_abandoned_stays_unmapped() {
    fn abandons<A: PagingMode>() {
        let (heap, told) = (Heap::default(), Told::default());
        let mut table = with_page::<A, Preset>(&heap, PageProperty::USER_RW);
        let size = PageSize::Size2M;
        let vacant = table.break_page(va(0), size).unwrap().flush(&told);
        vacant.abandon();
        assert!(table.query(va(0)).is_err());
        // then anything can be there
        let (prop, small) = (PageProperty::USER_RW, PageSize::Size4K);
        table.map(va(PAGE), frame(0), small, prop).unwrap();
        let broken = table.break_page(va(PAGE), small).unwrap();
        // SAFETY: no processor uses the tables
        drop(unsafe { broken.assume_flushed() });
        assert!(table.query(va(PAGE)).is_err());
        assert_eq!((told.0.borrow().len(), heap.len()), (1, 1));
    }
    in_both_modes!(abandons);
}

fn error<A: PagingMode, B: AccessBits>(r: Result<Broken<'_, &Heap, A, B>, Error>) -> Error {
    r.expect_err("refused")
}

#[test]
fn only_pages_that_are_there_are_broken() {
    fn refuses<A: PagingMode>() {
        let (heap, prop) = (Heap::default(), PageProperty::USER_RW);
        let mut table = with_parts::<A, Preset>(&heap, prop);
        let (small, huge) = (PageSize::Size4K, PageSize::Size2M);
        let (addr, size) = (AT, HUGE);
        assert_eq!(
            error(table.break_page(va(0), huge)),
            Error::NotMapped { addr, size }
        );
        assert!(matches!(
            error(table.break_pages(va(PAGE), huge)),
            Error::NotAligned { .. }
        ));
        assert!(matches!(
            error(table.break_pages(va(0), small)),
            Error::UnsupportedSize { .. }
        ));
        let (_, flush) = table.unmap(va(PAGE), small).unwrap();
        flush.pay(&NoTlb);
        let (addr, size) = (AT + PAGE, PAGE);
        assert_eq!(
            error(table.break_pages(va(0), huge)),
            Error::NotMapped { addr, size }
        );
        table.map(va(PAGE), frame(0), small, prop).unwrap();
        assert_eq!(
            error(table.break_pages(va(0), huge)),
            Error::NotUniform { addr, size }
        );
        assert_eq!(heap.len(), 4);
    }
    in_both_modes!(refuses);
}

#[test]
fn a_page_is_divided_only_into_pages_that_are_smaller() {
    fn refuses<A: PagingMode>() {
        let heap = Heap::default();
        let mut table = with_page::<A, Tracking>(&heap, PageProperty::USER_RW);
        let broken = table.break_page(va(0), PageSize::Size2M).unwrap();
        let mut vacant = broken.flush(&NoTlb);
        for part in [PageSize::Size2M, PageSize::Size1G, PageSize::Size16K] {
            let not_made = vacant.split(part).unwrap_err();
            let (addr, size) = (AT, part.bytes());
            assert_eq!(not_made.error, Error::UnsupportedSize { addr, size });
            vacant = not_made.vacant;
        }
        vacant.collapse().unwrap();
        lies(&table, PageSize::Size2M, PageProperty::USER_RW);
    }
    in_both_modes!(refuses);
}

#[test]
fn as_an_error_alone_what_was_not_made_stays_unmapped() {
    fn divide(table: &mut Table<'_, AArch64Lower, Preset>) -> Result<(), Error> {
        let vacant = table.break_page(va(0), PageSize::Size2M)?;
        vacant.flush(&NoTlb).split(PageSize::Size4K)?;
        Ok(())
    }
    let heap = Heap::default();
    let mut table = with_page(&heap, PageProperty::USER_RW);
    heap.limit(0);
    assert!(matches!(divide(&mut table), Err(Error::NoMemory { .. })));
    assert!(table.query(va(0)).is_err());
    assert!(matches!(divide(&mut table), Err(Error::NotMapped { .. })));
}
